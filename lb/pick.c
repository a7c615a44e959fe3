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

bool pick_take(const struct pick *p, const struct gateway *g)
{
	struct word *word = &p->words->gateway[g->slot];

	if (!word_ready(word)) {
		st_gateway_inc(p->lane, g->slot, ST_GW_SKIPPED_STATE);
		return false;
	}
	if (!p->charge)
		return true;
	if (!word_reserve(word, p->room)) {
		st_gateway_inc(p->lane, g->slot, ST_GW_SKIPPED_CALLS);
		return false;
	}
	if (!bucket_take(&word->cps, p->now)) {
		if (p->room)
			word_release(word);
		st_gateway_inc(p->lane, g->slot, ST_GW_SKIPPED_CPS);
		return false;
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
	const struct word *word = &p->words->gateway[g->slot];

	return g->weight > 0 && !was_tried(p, g) && word_ready(word) &&
	       (!p->charge || (word_has_place(word, p->room) && bucket_open(&word->cps, p->now)));
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
