/* SPDX-License-Identifier: BSD-3-Clause */
/* Watches the workers' heartbeats, and tells systemd that all is well only while they move. */
#ifndef WEIR_CONTROL_WATCH_H
#define WEIR_CONTROL_WATCH_H

#include "control/control.h"

/* Starts watching on app->base and reports READY=1 to systemd, if that started us. Returns 0 or -ENOMEM. */
int watch_start(struct app *app);

/* Reports STOPPING=1 and stops watching. */
void watch_stop(struct app *app);

#endif
