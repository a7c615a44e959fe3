/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: what the steps before it allow goes into the words, the strictest of what limits the same thing; and
 * the sight of it. Control.
 */
#include "lb/govern/governor.h"

/* A limit as the words have it; what is allowed at all is at least one. */
static uint32_t whole(double limit)
{
	if (!(limit < LB_UNLIMITED))
		return LB_UNLIMITED;
	return limit < 1 ? 1 : (uint32_t)limit;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void apply(struct lb_governor *g, uint16_t slot)
{
	struct governed *at = &g->at[slot];
	uint32_t cap = least(whole(at->l.cap), at->h.open_cap);
	uint32_t rate = least(least(whole(at->l.rate), at->h.rate), at->ra.rate);
	bool paced = at->x.rate <= rate && at->x.rate != LB_UNLIMITED;

	if (paced)
		rate = at->x.rate;
	if (at->set && cap == at->cap && rate == at->rate && paced == at->paced && at->x.shed == at->shed)
		return;
	at->set = true;
	at->cap = cap;
	at->rate = rate;
	at->paced = paced;
	at->shed = at->x.shed;
	lb_set_open_cap(g->words, slot, cap);
	if (paced)
		lb_set_gateway_pace(g->words, slot, rate, g->now);
	else
		lb_set_gateway_rate(g->words, slot, rate, g->now);
	lb_set_shed(g->words, slot, at->shed);
}

void govern_apply(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->n_awake; i++)
		apply(g, g->awake[i]);
}

void lb_congestion(const struct lb_governor *g, uint16_t slot, struct lb_congestion *out)
{
	const struct governed *at = &g->at[slot];

	*out = (struct lb_congestion){ .open_cap = LB_UNLIMITED, .rate = LB_UNLIMITED };
	if (slot >= g->n_slots || at->id == 0)
		return;
	out->open = lb_gateway_open(g->words, slot);
	out->open_cap = at->cap;
	out->rate = at->rate;
	out->t1_ms = word_t1(&g->words->gateway[slot]);
	out->oldest_ns = at->r.oldest_ns;
	limit_sight(&at->l, out);
	explicit_sight(&at->x, g->now, out);
	retry_after_sight(&at->ra, g->now, out);
}
