/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: T1 of the INVITEs to each gateway. T1 is an estimate of the round trip, and a longer one than the
 * node's is recommended where the round trip is known to be longer (RFC 3261 17.1.1.1): that of a gateway
 * which does not say 100 before it serves a call. An INVITE that comes again without need costs it a part of
 * a call, the more the fuller it is. Control.
 */
#include "lb/govern/governor.h"

#define DELAYS 2 /* without load that T1 lasts: the queue that limits leave makes 1.6 of one */

/* ms; 0: the node's will do, or nothing is to be learned. */
static uint16_t own_t1(const struct lb_governor *g, uint16_t slot)
{
	const struct pool *pool = &g->s->pools[gateway_by_slot(g->s, slot)->pool];
	const struct limit *l = &g->at[slot].l;
	double least = (double)g->workers[0]->timers.t1 * 1e-6;
	/* What is lost is sent again once at least before another gateway is asked. */
	double most = fmin((double)pool->after_max_ns * 1e-6 / 2, UINT16_MAX);
	double t1 = fmin(DELAYS * l->response.mean * 1e3, most);

	if (pool->learn != LB_LEARN_ON || !l->law->measures || !floor_known(&l->response))
		return 0;
	return t1 > least ? (uint16_t)t1 : 0;
}

void govern_t1(struct lb_governor *g)
{
	for (uint32_t i = 0; g->n_workers && i < g->n_awake; i++)
		lb_set_gateway_t1(g->words, g->awake[i], own_t1(g, g->awake[i]));
}
