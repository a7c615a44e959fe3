/* SPDX-License-Identifier: BSD-3-Clause */
/* New calls through the door alone: which of them are admitted, and where they go. */
#ifndef WEIR_TESTS_LB_NEWCOMER_H
#define WEIR_TESTS_LB_NEWCOMER_H

#include "tests/lb/check.h"

#define MS UINT64_C(1000000)

static uint32_t next_call; /* no call is met again */

static inline struct lb_query new_call(const struct world *w)
{
	struct lb_query q = world_request(w, METHOD_INVITE, ++next_call, 1);

	q.room = 1;
	return q;
}

static inline struct lb_query emergency_call(const struct world *w)
{
	struct lb_query q = new_call(w);

	q.sos = 1;
	return q;
}

static inline struct lb_query new_message(const struct world *w)
{
	return world_request(w, METHOD_MESSAGE, ++next_call, 1);
}

/* The slot that the request goes to, or LB_NONE: it is refused. */
static inline uint16_t placed(struct world *w, struct lb_query q)
{
	unsigned n = lb_input(w->worker, w->snap, &q, w->now, w->act);

	return w->act[n - 1].op == LB_FORWARD ? w->act[n - 1].gateway : LB_NONE;
}

/* How many of n new calls are admitted. */
static inline unsigned admitted(struct world *w, struct lb_query (*make)(const struct world *), unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += placed(w, make(w)) != LB_NONE;
	return sum;
}

#endif
