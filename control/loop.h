/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What keeps the house running on the event loop: frames to and from the kernel twins, next hops from
 * rtnetlink, packets that the kernel must resolve, reclamation, the watchdog. Every turn takes a bounded
 * amount of each, so that the loop keeps time.
 */
#ifndef WEIR_CONTROL_LOOP_H
#define WEIR_CONTROL_LOOP_H

#include "control/control.h"

/*
 * Opens the twins of all ports and the kernel's view of routes and neighbours, publishes the first next
 * hops, and puts their events on app->base. Returns 0, or -errno after logging one line.
 */
int loop_start(struct app *app);

/* Takes everything off app->base and closes it; the twins vanish. */
void loop_stop(struct app *app);

/* Kernel interface of a port's twin, "" if there is none. */
const char *loop_twin(const struct app *app, uint32_t port);

#endif
