/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: what pools as a whole can take, of which a share may be spilled to them; and who has asked for more
 * urgent calls than he may. Pools are looked at in turn, each about once a second. Control.
 */
#include "lb/govern/governor.h"

#define TURNS        10 /* steps in which all pools are looked at */
#define TELL_AGAIN_S 10 /* between two notices about one peer */

/* New calls per second that the gateway may be given; 0: none; < 0: nobody knows. */
static double rate_of(const struct word *w)
{
	double cps = bucket_rate(&w->cps), rate = bucket_rate(&w->rate);

	if (cps < 0 || rate < 0)
		return cps < 0 ? rate : cps;
	return cps < rate ? cps : rate;
}

/* What the gateways of a pool may be given together; < 0: as much as comes, as far as anybody knows. */
static double rate_of_pool(const struct lb_governor *g, const struct pool *pool)
{
	double sum = 0;

	for (uint32_t i = pool->start; i < pool->end; i++) {
		const struct gateway *gw = &g->s->gateways[i];
		const struct word *w = &g->words->gateway[gw->slot];
		double rate;

		if (gw->weight == 0 || !word_ready(w))
			continue;
		rate = rate_of(w);
		if (rate < 0)
			return -1;
		sum += rate;
	}
	return sum;
}

static void set_spill(struct lb_governor *g, uint32_t index)
{
	const struct pool *pool = &g->s->pools[index];
	double rate;

	if (pool->overflow == LB_NONE)
		return;
	rate = rate_of_pool(g, &g->s->pools[pool->overflow]);
	rate = rate < 0 ? LB_UNLIMITED : rate * pool->spill / 100;
	lb_set_spill(g->words, index, rate >= LB_UNLIMITED ? LB_UNLIMITED : rate > 0 && rate < 1 ? 1 : rate);
}

/* `slot` as in lb_set_peer_urgent(). */
static void tell_urgent(struct lb_governor *g, struct peer_word *w, uint16_t slot)
{
	uint32_t now_s = (uint32_t)(g->now / 1000000000) + 1;

	if (__atomic_load_n(&w->over_urgent, __ATOMIC_RELAXED) == 0 ||
	    (w->told_urgent && now_s - w->told_urgent < TELL_AGAIN_S))
		return;
	w->told_urgent = now_s;
	governor_notice(g,
			(struct lb_notice){ .kind = LB_NOTICE_URGENT,
					    .slot = LB_NONE,
					    .pool = LB_NONE,
					    .peer = slot,
					    .a = __atomic_exchange_n(&w->over_urgent, 0, __ATOMIC_RELAXED) });
}

static void look_at_peers(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->s->n_peers; i++)
		tell_urgent(g, &g->words->peer[g->s->peers[i].slot], g->s->peers[i].slot);
	tell_urgent(g, &g->words->nobody, LB_NONE);
}

void govern_pools(struct lb_governor *g)
{
	uint32_t share = g->s->n_gateways / TURNS + 1, gateways = 0, pools = 0;

	if (g->next_pool >= g->s->n_pools)
		g->next_pool = 0;
	if (g->next_pool == 0)
		look_at_peers(g);
	for (; g->next_pool < g->s->n_pools && gateways < share && pools <= g->s->n_pools / TURNS; pools++) {
		gateways += g->s->pools[g->next_pool].end - g->s->pools[g->next_pool].start;
		set_spill(g, g->next_pool++);
	}
}
