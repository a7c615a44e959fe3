/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the governor of lb/govern/ ten times a second, and tells what it did. Control thread.
 */
#ifndef WEIR_CONTROL_GOVERNOR_H
#define WEIR_CONTROL_GOVERNOR_H

#include "control/control.h"

/* Starts on app->base, once a policy is published: app->governor. Returns 0 or -ENOMEM. */
int governor_start(struct app *app);
void governor_stop(struct app *app);

#endif
