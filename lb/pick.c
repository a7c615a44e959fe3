/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Choice of a gateway. The tables hold all gateways of a tier, well or not, so a flap moves only the share of
 * the one that flaps, and back. Places after the first are drawn anew from the hash instead of taken from the
 * neighbour slots: neighbours would hand a dead gateway's share on in lumps, fresh draws by the weights.
 */
#include "lb/hash.h"
#include "lb/pick.h"

static inline const struct gateway *at(const struct lb_snapshot *s, const struct tier *t, uint64_t h)
{
	return &s->gateways[t->maglev ? t->maglev[hash_scale(h, LIMIT_MAGLEV)] : t->only];
}

/* The request as this gateway is asked; one that is only observed is asked without the governor's limits. */
static struct ask ask_of(const struct pick *p, const struct gateway *g)
{
	struct ask ask = p->ask;

	ask.governed = ask.governed && !g->observe;
	return ask;
}

/* Counts what the governor would have stopped, had it been allowed to. */
static void observe(const struct pick *p, const struct gateway *g)
{
	if (p->ask.governed && word_stop(&p->words->gateway[g->slot], g->id, &p->ask) != LB_STOP_NONE)
		st_gateway_inc(p->lane, g->slot, ST_GW_OBSERVED);
}

bool pick_take(const struct pick *p, const struct gateway *g)
{
	struct word *word = &p->words->gateway[g->slot];
	const struct ask ask = ask_of(p, g);
	enum lb_stop stop = word_stop(word, g->id, &ask);

	if (stop == LB_STOP_NONE && g->observe)
		observe(p, g);
	if (stop == LB_STOP_NONE)
		stop = word_admit(word, g->id, &ask);
	if (stop != LB_STOP_NONE) {
		st_gateway_inc(p->lane, g->slot, ST_GW_SKIPPED_STATE + stop - LB_STOP_STATE);
		return false;
	}
	if (ask.what == ASK_CALL && ask.opens) {
		__atomic_fetch_add(&p->words->pool[g->pool].open[g->tier], 1, __ATOMIC_RELAXED);
		st_gateway_inc(p->lane, g->slot, ST_GW_OPEN_TAKEN);
	}
	return true;
}

/* True if the gateway has had this call before. */
static bool was_tried(const struct pick *p, const struct gateway *g)
{
	for (unsigned i = 0; i < p->n_tried; i++) {
		if (p->tried[i] == g->slot)
			return true;
	}
	return false;
}

static bool can(const struct pick *p, const struct gateway *g)
{
	const struct ask ask = ask_of(p, g);

	return g->weight > 0 && !was_tried(p, g) &&
	       word_stop(&p->words->gateway[g->slot], g->id, &ask) == LB_STOP_NONE;
}

/*
 * Among all gateways of the tier that can take it, by weight. A race for the one drawn hands on to the next
 * that can; two rounds, so that all are asked whereever the draw fell.
 */
static const struct gateway *by_weight(const struct pick *p, const struct lb_snapshot *s,
				       const struct tier *t, uint64_t h)
{
	const struct gateway *g = &s->gateways[t->first];
	uint32_t sum = 0, draw;

	for (uint32_t i = 0; i < t->n; i++)
		sum += can(p, &g[i]) ? g[i].weight : 0;
	if (sum == 0)
		return NULL;
	draw = hash_scale(h, sum);
	for (uint32_t i = 0; i < 2u * t->n; i++) {
		const struct gateway *this = &g[i < t->n ? i : i - t->n];

		if (!can(p, this))
			continue;
		if (draw >= this->weight) {
			draw -= this->weight;
			continue;
		}
		if (pick_take(p, this))
			return this;
		draw = 0;
	}
	return NULL;
}

static const struct gateway *in_tier(const struct pick *p, const struct lb_snapshot *s, const struct tier *t)
{
	const struct gateway *passed = NULL;
	unsigned probes = t->maglev ? LIMIT_PROBES : 1;
	uint64_t h = p->call_hash, step = hash_again(h) | 1;

	for (unsigned i = 0; i < probes; i++, h += step) {
		const struct gateway *g = at(s, t, h);

		if (g == passed || was_tried(p, g))
			continue;
		if (pick_take(p, g))
			return g;
		passed = g;
	}
	return t->maglev ? by_weight(p, s, t, hash_again(step)) : NULL;
}

const struct gateway *pick(const struct pick *p, const struct lb_snapshot *s, uint16_t pool)
{
	const struct pool *in = &s->pools[pool];

	for (uint16_t i = 0; i < in->n; i++) {
		const struct gateway *g = in_tier(p, s, &s->tiers[in->first + i]);

		if (g)
			return g;
	}
	return NULL;
}

const struct gateway *pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash)
{
	const struct pool *p = &s->pools[pool];

	return p->n ? at(s, &s->tiers[p->first], call_hash) : NULL;
}

uint16_t lb_pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash)
{
	const struct gateway *g = pool < s->n_pools ? pick_ideal(s, pool, call_hash) : NULL;

	return g ? g->slot : LB_NONE;
}
