/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How the gateways of a tier share its work: by a hash with a bound (call-id), by the least unanswered work
 * (least-work), or by turns (weighted). The tables hold all gateways of a tier, well or not, so a flap moves
 * only the share of the one that flaps, and back. Places after the first are drawn anew instead of taken from
 * the neighbour slots: neighbours would hand a dead gateway's share on in lumps, fresh draws by the weights.
 * Runs on the worker that owns the Call-ID. Must stay true: under each law shares are those of the weights as
 * long as all are well, and who can take the request gets it, however few they are.
 */
#include "lb/choose/balance.h"
#include "lb/base/hash.h"

const struct gateway *balance_at(const struct lb_snapshot *s, const struct tier *t, uint64_t hash)
{
	return &s->gateways[t->table ? t->table[hash_scale(hash, LIMIT_MAGLEV)] : t->only];
}

void balance_prefetch(const struct tier *t, uint64_t hash)
{
	if (t->table)
		__builtin_prefetch(&t->table[hash_scale(hash, LIMIT_MAGLEV)]);
}

/* ---- The least work ---------------------------------------------------------------------------------- */

/* Unanswered work of a gateway, to be compared by its weight. */
struct load {
	uint32_t open, weight;
};

static struct load load_of(const struct pick *p, const struct gateway *g)
{
	return (struct load){ __atomic_load_n(&p->words->gateway[g->slot].open, __ATOMIC_RELAXED),
			      g->weight };
}

/* < 0: a has less to do than b for its weight; 0: they are alike. */
static int load_compare(struct load a, struct load b)
{
	uint64_t x = (uint64_t)a.open * b.weight, y = (uint64_t)b.open * a.weight;

	return x < y ? -1 : x > y;
}

/* The gateways of a tier with the least work, of those that can take the request. */
struct idlest {
	struct load load;
	uint32_t weights; /* sum over those who are alike */
};

static struct idlest find_idlest(const struct pick *p, const struct lb_snapshot *s, const struct tier *t)
{
	struct idlest best = { .weights = 0 };

	for (uint32_t i = t->first; i < t->first + (uint32_t)t->n; i++) {
		const struct gateway *g = &s->gateways[i];
		struct load load = load_of(p, g);
		int order = best.weights ? load_compare(load, best.load) : -1;

		if (order > 0 || !pick_can(p, g))
			continue;
		best.weights = order < 0 ? g->weight : best.weights + g->weight;
		best.load = order < 0 ? load : best.load;
	}
	return best;
}

/* Who has least to do, among all of the tier that can; between equals the weights draw. */
static const struct gateway *least_of_all(const struct pick *p, const struct lb_snapshot *s,
					  const struct tier *t, uint64_t h)
{
	const struct gateway *g = &s->gateways[t->first], *end = g + t->n;
	const struct idlest best = find_idlest(p, s, t);
	uint32_t draw = hash_scale(h, best.weights);

	if (best.weights == 0)
		return NULL;
	for (; g < end; g++) {
		if (load_compare(load_of(p, g), best.load) != 0 || !pick_can(p, g))
			continue;
		if (draw < g->weight)
			break;
		draw -= g->weight;
	}
	if (g < end && pick_take(p, g))
		return g;
	for (g = end - t->n; g < end; g++) { /* another worker was faster: whoever is left */
		if (pick_can(p, g) && pick_take(p, g))
			return g;
	}
	return NULL;
}

/* The least of so many draws by weight: in a large tier nearly as even as the least of all, and far cheaper.
 */
static const struct gateway *least_of_some(const struct pick *p, const struct lb_snapshot *s,
					   const struct tier *t, uint64_t h, uint64_t step)
{
	const struct gateway *best = NULL;

	for (unsigned i = 0; i < LIMIT_LEAST_DRAWS; i++, h += step) {
		const struct gateway *g = balance_at(s, t, h);

		if (g == best || (best && load_compare(load_of(p, g), load_of(p, best)) >= 0))
			continue;
		if (pick_can(p, g))
			best = g;
	}
	return best && pick_take(p, best) ? best : NULL;
}

/* ---- The bound --------------------------------------------------------------------------------------- */

/*
 * What the unanswered work of a gateway may be: BOUND times its fair share of the tier's, one more included,
 * rounded up, so that whoever has nothing to do can have one (consistent hashing with bounded loads, Mirrokni
 * et al., 2018). Nothing is bound before the tier has BOUND_FROM a gateway, where chance alone makes shares
 * uneven.
 */
#define BOUND_NUMERATOR   5
#define BOUND_DENOMINATOR 4
#define BOUND_FROM        32

struct bound {
	uint64_t open, weight; /* of the tier; open 0: no bound */
};

static struct bound bound_of(const struct pick *p, const struct lb_snapshot *s, const struct tier *t)
{
	const struct gateway *g = &s->gateways[t->first];
	const struct pool_word *word = &p->words->pool[g->pool];
	uint32_t open = __atomic_load_n(&word->open[g->tier], __ATOMIC_RELAXED);
	uint32_t able = __atomic_load_n(&word->able[g->tier], __ATOMIC_RELAXED);

	if (p->ask.what < ASK_CALL || !p->ask.opens || !p->ask.governed ||
	    open <= (uint64_t)BOUND_FROM * t->n_weighty)
		return (struct bound){ 0 };
	return (struct bound){ open + 1u, able && able < t->weight ? able : t->weight };
}

static bool is_above(const struct bound *b, struct load load)
{
	return b->open > 0 &&
	       load.open * b->weight * BOUND_DENOMINATOR >= b->open * load.weight * BOUND_NUMERATOR;
}

/* ---- The laws ---------------------------------------------------------------------------------------- */

/* The place of the hash, then others drawn from it, as long as the gateway there can and is within the bound.
 */
static const struct gateway *probe(const struct pick *p, const struct lb_snapshot *s, const struct tier *t,
				   uint64_t h, uint64_t step, const struct bound *bound)
{
	const struct gateway *seen[LIMIT_PROBES];
	unsigned probes = t->table ? LIMIT_PROBES : 1, n = 0;

	for (unsigned i = 0; i < probes; i++, h += step) {
		const struct gateway *g = balance_at(s, t, h);
		unsigned k = 0;

		while (k < n && seen[k] != g)
			k++;
		if (k < n)
			continue;
		seen[n++] = g;
		if (is_above(bound, load_of(p, g)))
			pick_passed(p, g, LB_STOP_BOUND);
		else if (pick_take(p, g))
			return g;
	}
	return NULL;
}

static const struct gateway *by_hash(const struct pick *p, const struct lb_snapshot *s, const struct pool *in,
				     const struct tier *t)
{
	uint64_t h = pick_hash(p, s, in), step = hash_again(h) | 1;
	const struct bound bound = bound_of(p, s, t);
	const struct gateway *g = probe(p, s, t, h, step, &bound);

	return g || !t->table ? g : least_of_all(p, s, t, hash_again(step));
}

static const struct gateway *by_work(const struct pick *p, const struct lb_snapshot *s, const struct pool *in,
				     const struct tier *t)
{
	uint64_t h = pick_hash(p, s, in), step = hash_again(h) | 1;
	const struct gateway *g = NULL;

	if (t->n > LIMIT_LEAST_ALL && t->table)
		g = least_of_some(p, s, t, h, step);
	return g ? g : least_of_all(p, s, t, hash_again(step));
}

/*
 * Each worker walks the table in steps of the golden section, which visit every part of it as often as its
 * size says, however short the walk.
 */
static const struct gateway *by_turns(const struct pick *p, const struct lb_snapshot *s,
				      const struct pool *in, const struct tier *t)
{
	static const struct bound none;
	uint64_t h = ++p->turns[in - s->pools] * 0x9e3779b97f4a7c15, step = hash_again(h) | 1;
	const struct gateway *g = probe(p, s, t, h, step, &none);

	return g || !t->table ? g : least_of_all(p, s, t, hash_again(step));
}

const struct gateway *balance(const struct pick *p, const struct lb_snapshot *s, const struct pool *in,
			      const struct tier *t)
{
	static const struct gateway *(*const laws[])(const struct pick *, const struct lb_snapshot *,
						     const struct pool *, const struct tier *) = {
		[LB_BALANCE_HASH] = by_hash,
		[LB_BALANCE_LEAST_WORK] = by_work,
		[LB_BALANCE_WEIGHTED] = by_turns,
	};

	return laws[in->balance](p, s, in, t);
}
