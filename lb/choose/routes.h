/* SPDX-License-Identifier: BSD-3-Clause */
/* Which pool a new request is for. Any thread reads; control builds. */
#ifndef WEIR_LB_ROUTES_H
#define WEIR_LB_ROUTES_H

#include "lb/snapshot.h"

/* The first route that matches, or NULL. peer: index of the source peer or LB_NONE; from: source gateway or
 * NULL. */
const struct route *route_find(const struct lb_snapshot *s, const struct lb_query *q, uint16_t peer,
			       const struct gateway *from);

/* Makes a route; number and host must live as long as it does. Control. */
void route_make(struct route *r, const struct lb_route_spec *spec, struct str number, struct str host);

/* Static reason phrase of a status code < 700 (RFC 3261 21 and its updates), or that of its class. Any
 * thread. */
const char *route_reason(uint16_t status);

#endif
