/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs the governor of lb/govern/ ten times a second, and tells what it did. Control thread.
 */
#ifndef WEIR_CONTROL_GOVERNOR_H
#define WEIR_CONTROL_GOVERNOR_H

#include "control/control.h"
#include "lb/govern/govern.h"

/* Starts on app->base, once a policy is published: app->governor. Returns 0 or -ENOMEM. */
int governor_start(struct app *app);
void governor_stop(struct app *app);

/* A probe of the gateway at `slot`, which left at `sent` (dp_now()), has ended; see lb_govern_probe(). */
void governor_probe(struct app *app, uint16_t slot, enum lb_probe_result result, uint64_t sent);

/* Fills in what the governor knows of gateway `index`: since, why, rate. */
void governor_view(const struct app *app, uint32_t index, struct ctl_gateway *out);

#endif
