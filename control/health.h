/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health probes: one timer and one schedule (probe.h) per gateway. Probes go on in every state, drained
 * or down, so that a return is seen; only `health: method: off` and maintenance silence them.
 */
#ifndef WEIR_CONTROL_HEALTH_H
#define WEIR_CONTROL_HEALTH_H

#include "control/control.h"

/* Starts probing all gateways of app->policy on app->base. Returns 0 or -ENOMEM. */
int health_start(struct app *app);
void health_stop(struct app *app);

/* What the operator says of gateway `index` has changed: under maintenance it is not probed. */
void health_admin(struct app *app, uint32_t index, enum lb_admin admin);

/* Takes a response to a probe off the workers' ring (DP_UP_PROBE). */
void health_answer(struct app *app, const struct dp_up *up);

/* Fills the fields of gateway `index` that health knows: probed, next_probe, failures, ... */
void health_view(const struct app *app, uint32_t index, struct ctl_gateway *out);

#endif
