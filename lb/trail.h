/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The trail: how a worker's last LIMIT_TRAIL new requests were decided, one cache line each: who was asked in
 * which order, what stopped each, and how it ended. Part of the door lb.h. Written by the worker, read by
 * control at any time.
 */
#ifndef WEIR_LB_TRAIL_H
#define WEIR_LB_TRAIL_H

#include "conf/limits.h"

/* One decision. */
struct lb_trail {
	uint64_t when;    /* monotonic ns */
	uint32_t tag;     /* lb_call_tag() of the Call-ID */
	uint32_t turn;    /* 1 + number of the decision, wraps; 0: being written; private */
	uint16_t pool;    /* index: where the route led; or LB_NONE */
	uint16_t gateway; /* slot that got the request, or LB_NONE */
	uint16_t end;     /* enum st_end: how it ended */
	uint8_t urgent;   /* 1: it went by the operator's limits alone */
	uint8_t n;        /* gateways that were asked and could not take it, at most LIMIT_TRAIL_ASKED; 0 of a
			     refusal: the pool was known to be full, or none had to be asked */
	uint16_t asked[LIMIT_TRAIL_ASKED]; /* their slots, in this order */
	uint8_t stop[LIMIT_TRAIL_ASKED];   /* enum lb_stop: what stopped each */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct lb_trail) == 64, "one line written per new request");

struct lb_worker;

/*
 * Copies the last decisions of the worker about a Call-ID (lb_call_tag()), at most max, the newest first, and
 * returns their number. Looks at all of the trail. Control.
 */
unsigned lb_trail_find(const struct lb_worker *w, uint32_t tag, struct lb_trail *out, unsigned max);

#endif
