/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: pools that refuse new requests because nobody can take them, for the operator's ears: told once soon
 * after that begins, with the figures of the first seconds, and once when nobody was refused for LB_CLEAR_NS.
 * What a caller's own limit refuses is none of it. Before govern_told(), whose windows say what came before.
 * Control.
 */
#include "lb/govern/governor.h"

#define TELL_NS UINT64_C(1000000000) /* from the first refusal to the notice */

/* Gateways of the pool that may have new calls, full or not. */
static uint32_t ready_gateways(const struct lb_governor *g, const struct pool *pool)
{
	uint32_t n = 0;

	for (uint32_t i = pool->start; i < pool->end; i++)
		n += g->s->gateways[i].weight && word_ready(&g->words->gateway[g->s->gateways[i].slot]);
	return n;
}

static void tell(struct lb_governor *g, enum lb_notice_kind kind, uint32_t pool, uint32_t c)
{
	const struct told_cell now = told_sum(g, pool), *before = &g->lack[pool].before;

	governor_notice(g, (struct lb_notice){ .kind = kind,
					       .slot = LB_NONE,
					       .pool = (uint16_t)pool,
					       .peer = LB_NONE,
					       .a = now.lacked - before->lacked,
					       .b = now.arrived - before->arrived,
					       .c = c });
}

/* Somebody was refused since the last step. */
static void note(struct lb_governor *g, uint32_t pool)
{
	struct lack *l = &g->lack[pool];

	__atomic_fetch_and(&g->words->pool[pool].shortage, (uint8_t)~SHORT_REFUSES, __ATOMIC_RELAXED);
	l->last = g->now;
	if (l->state != LACK_NOTHING)
		return;
	l->state = LACK_NEW;
	l->since = g->now;
	l->before = g->telling.pool[pool].window;
}

static void move_on(struct lb_governor *g, uint32_t pool)
{
	struct lack *l = &g->lack[pool];

	if (l->state == LACK_NEW && g->now - l->since >= TELL_NS) {
		l->state = LACK_TOLD;
		tell(g, LB_NOTICE_SHORT, pool, ready_gateways(g, &g->s->pools[pool]));
	}
	if (l->state == LACK_TOLD && g->now - l->last >= LB_CLEAR_NS) {
		l->state = LACK_NOTHING;
		tell(g, LB_NOTICE_ENOUGH, pool, (uint32_t)((l->last - l->since) / 1000000000 + 1));
	}
}

bool lb_pool_short(const struct lb_governor *g, uint16_t pool)
{
	return g->lack[pool].state == LACK_TOLD;
}

void govern_short(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->s->n_pools; i++) {
		if (__atomic_load_n(&g->words->pool[i].shortage, __ATOMIC_RELAXED) & SHORT_REFUSES)
			note(g, i);
		if (g->lack[i].state != LACK_NOTHING)
			move_on(g, i);
	}
}
