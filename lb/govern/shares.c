/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: shares of pools that are short, weighted max-min. Everybody gets what he asks for or the common level
 * times his weight, whichever is less, and the level is such that what there is, is used up.
 *
 * Of new calls per second there is what the gateways have taken of late, of calls in progress what is held
 * and what is free. What somebody leaves of his part is not lost: who is beyond his own gets what would go
 * unused (ASK_SPARE), and so what the gateways take grows when they can take more. Control. Must stay true: a
 * pool that refuses nobody for SHORT_NS is not limited.
 */
#include <math.h>
#include "lb/govern/governor.h"
#include "lb/base/hash.h"

#define SHORT_NS    UINT64_C(1000000000) /* without refusal, then nothing is short any more */
#define DEMAND_PART 0.2                  /* of a step in the mean demand */
#define TAKEN_PART  0.1                  /* of a step in the mean of what the gateways take */
#define TAKEN_LEAST 10.0                 /* calls per second: a pool that takes none is asked now and then */
#define IDLE_PART   0.2                  /* of a step in the mean of what is idle */
#define IDLE_MUCH   0.05                 /* part of the gateways */
#define CALM_STEPS  3
#define GROWTH      1.1
#define MUCH_MORE   1.2        /* times of somebody's part */
#define MUCH_LESS   0.9        /* of what somebody asks for who asks for less than his part */
#define WANTS_LEAST 0.1        /* calls per second: who asks for less is not there */
#define SPARE_PART  (1.0 / 32) /* of the places that somebody holds who wants no more; one at least */
#define BEYOND_PART                                                                                          \
	(1.0 / 8) /* of its part, that somebody may have beyond it for as long as a call lasts               \
		   */
#define LOOKS 32  /* pairs that a step looks at for idleness: once a minute each */

/* ---- What the workers have seen ------------------------------------------------------------------------ */

static struct share_cell add_up(const struct lb_governor *g, uint32_t i)
{
	struct share_cell sum = { 0 };

	for (uint32_t w = 0; w < g->n_workers; w++) {
		const struct share_cell *c = &g->workers[w]->shares[i];

		sum.demand += __atomic_load_n(&c->demand, __ATOMIC_RELAXED);
		sum.admitted += __atomic_load_n(&c->admitted, __ATOMIC_RELAXED);
		sum.refused += __atomic_load_n(&c->refused, __ATOMIC_RELAXED);
		sum.full += __atomic_load_n(&c->full, __ATOMIC_RELAXED);
		sum.held_off += __atomic_load_n(&c->held_off, __ATOMIC_RELAXED);
		sum.put_off += __atomic_load_n(&c->put_off, __ATOMIC_RELAXED);
		sum.calls += __atomic_load_n(&c->calls, __ATOMIC_RELAXED);
	}
	return sum;
}

static uint16_t *map_cell(struct sharing *sh, const struct lb_snapshot *s, uint32_t id)
{
	uint32_t i = id;

	for (;; i++) {
		uint16_t *cell = &sh->by_id[i % (2 * LIMIT_POOLS)];

		if (*cell == 0 || s->pools[*cell - 1].id == id)
			return cell;
	}
}

/* Notes what the snapshot in force says: pools by identity, weights. */
static void read_snapshot(struct sharing *sh, const struct lb_snapshot *s)
{
	memset(sh->by_id, 0, sizeof(sh->by_id));
	for (uint32_t i = 0; i < s->n_pools; i++)
		*map_cell(sh, s, s->pools[i].id) = (uint16_t)(i + 1);
	for (uint32_t i = 0; i < s->n_peers; i++)
		sh->weight[s->peers[i].slot] = s->peers[i].share;
}

static double weight_of(const struct sharing *sh, uint64_t key)
{
	uint16_t who = share_key_who(key);

	return who < LIMIT_PEERS && sh->weight[who] ? sh->weight[who] : 1;
}

/* Puts pair i into the list of its pool, with what has happened since the last step. */
static void read_pair(struct lb_governor *g, uint32_t i, struct sharing_pool *pool)
{
	struct pair *p = &g->sharing.at[i];
	struct share_cell sum = add_up(g, i), was = p->total;
	bool known = p->step == g->sharing.step - 1 && g->dt > 0;
	double demand = known ? (sum.demand - was.demand) / g->dt : 0;

	p->demand = known && p->demand >= 0 ? p->demand + DEMAND_PART * (demand - p->demand) : demand;
	p->total = sum;
	p->step = g->sharing.step;
	p->weight = weight_of(&g->sharing, g->words->shares.key[i]);
	p->next = pool->first;
	pool->first = (uint16_t)i;
	pool->n++;
	pool->calls += (int32_t)sum.calls;
	pool->n_active += p->demand > WANTS_LEAST || sum.calls > 0;
	if (!known) {
		p->demand = -1; /* not yet */
		return;
	}
	pool->n_admitted += sum.admitted - was.admitted;
	pool->n_refused += sum.refused - was.refused;
	pool->n_full += sum.full - was.full;
	pool->n_held_off += sum.held_off - was.held_off;
	pool->n_put_off += sum.put_off - was.put_off;
	if (sum.full != was.full || sum.put_off != was.put_off)
		p->hungry = g->now + SHORT_NS;
}

/* ---- Max-min ------------------------------------------------------------------------------------------- */

/*
 * The level at which the sum of min(need, level * weight) is `total`; INFINITY: all needs together are less.
 * need(): of a pair. Found by halving, so that no distribution of needs makes it slow.
 */
static double level_of(const struct sharing *sh, const struct sharing_pool *pool, double total,
		       double (*need)(const struct pair *, uint64_t now), uint64_t now)
{
	double low = 0, high = total, sum = 0;

	for (uint16_t i = pool->first; i != SHARE_NONE; i = sh->at[i].next)
		sum += need(&sh->at[i], now);
	if (sum <= total)
		return INFINITY;
	for (unsigned round = 0; round < 48; round++) {
		double middle = (low + high) / 2;

		sum = 0;
		for (uint16_t i = pool->first; i != SHARE_NONE; i = sh->at[i].next)
			sum += fmin(need(&sh->at[i], now), middle * sh->at[i].weight);
		if (sum > total)
			high = middle;
		else
			low = middle;
	}
	return low;
}

/* ---- New calls per second ------------------------------------------------------------------------------ */

static double demand_of(const struct pair *p, uint64_t now)
{
	(void)now;
	return fmax(p->demand, 0);
}

static void set_rates(struct lb_governor *g, const struct sharing_pool *pool, double level)
{
	for (uint16_t i = pool->first; i != SHARE_NONE; i = g->sharing.at[i].next)
		share_set_rate(&g->words->shares.at[i],
			       isinf(level) ? 0 : fmax(level * g->sharing.at[i].weight, 1e-6), g->now);
}

static void end_shortage(struct lb_governor *g, uint32_t pool, enum shortage what)
{
	__atomic_fetch_and(&g->words->pool[pool].shortage, (uint8_t)~what, __ATOMIC_RELAXED);
}

/* Part of the gateways that could take more at this moment than they are given. */
static double idle_part(const struct lb_governor *g, uint32_t index)
{
	const struct pool *pool = &g->s->pools[index];
	double weight = 0, idle = 0;

	for (uint32_t i = pool->start; i < pool->end; i++) {
		const struct gateway *gw = &g->s->gateways[i];
		const struct word *w = &g->words->gateway[gw->slot];
		const struct ask spare = { .now = g->now,
					   .what = ASK_SPARE,
					   .room = true,
					   .opens = true,
					   .governed = true,
					   .headroom = g->s->headroom };

		if (!gw->weight || !word_ready(w))
			continue;
		weight += gw->weight;
		idle += word_stop(w, gw->id, &spare) == LB_STOP_NONE ? gw->weight : 0;
	}
	return weight > 0 ? idle / weight : 0;
}

/*
 * What the parts are made of: what the gateways take; more and more as long as they stand idle though nobody
 * is refused who is within his part, for then it is the parts that hold calls off.
 */
static void aim(struct lb_governor *g, struct sharing_pool *pool, uint32_t index)
{
	double taken = pool->n_admitted / g->dt;
	bool first = !(pool->before & SHORT_OF_RATE);

	pool->calm = pool->n_refused || first ? 0 : pool->calm + 1;
	pool->admitted = first ? taken : pool->admitted + TAKEN_PART * (taken - pool->admitted);
	pool->idle = first ? 0 : pool->idle + IDLE_PART * (idle_part(g, index) - pool->idle);
	if (pool->calm >= CALM_STEPS && pool->idle > IDLE_MUCH)
		pool->target = fmax(pool->target, pool->admitted) * GROWTH;
	else
		pool->target = pool->admitted;
}

/*
 * True if everybody would get about his part even if nobody were held off: then all have the same chance with
 * each call, and what there is is shared as it should be.
 */
static bool by_chance(const struct sharing *sh, const struct sharing_pool *pool, double level)
{
	double asked = 0;

	for (uint16_t i = pool->first; i != SHARE_NONE; i = sh->at[i].next)
		asked += demand_of(&sh->at[i], 0);
	for (uint16_t i = pool->first; i != SHARE_NONE; i = sh->at[i].next) {
		double want = demand_of(&sh->at[i], 0), part = level * sh->at[i].weight;
		double got = want * pool->admitted / fmax(asked, 1);

		if (got > MUCH_MORE * part || (want < part && got < MUCH_LESS * want))
			return false;
	}
	return true;
}

static void share_rate(struct lb_governor *g, uint32_t index)
{
	struct sharing_pool *pool = &g->sharing.pool[index];
	double level;

	if (pool->n_refused || pool->n_held_off || !(pool->before & SHORT_OF_RATE))
		pool->rate_until = g->now + SHORT_NS;
	if (g->now >= pool->rate_until) {
		set_rates(g, pool, INFINITY);
		end_shortage(g, index, SHORT_OF_RATE);
		return;
	}
	if (g->dt <= 0 || pool->n_admitted + pool->n_refused + pool->n_held_off == 0)
		return;
	aim(g, pool, index);
	level = level_of(&g->sharing, pool, fmax(pool->target, TAKEN_LEAST), demand_of, g->now);
	set_rates(g, pool, by_chance(&g->sharing, pool, level) ? INFINITY : level);
}

/* ---- Calls in progress --------------------------------------------------------------------------------- */

/* Places that are free at the gateways of a pool that may have new calls; < 0: any number. */
static int64_t free_places(const struct lb_governor *g, uint32_t index)
{
	const struct pool *pool = &g->s->pools[index];
	int64_t n = 0;

	for (uint32_t t = pool->first; t < (uint32_t)pool->first + pool->n; t++) {
		for (uint32_t i = 0; i < g->s->tiers[t].n; i++) {
			const struct gateway *gw = &g->s->gateways[g->s->tiers[t].first + i];
			const struct word *w = &g->words->gateway[gw->slot];
			uint32_t max = __atomic_load_n(&w->max_calls, __ATOMIC_RELAXED);
			uint64_t used = (uint64_t)__atomic_load_n(&w->calls, __ATOMIC_RELAXED) +
					__atomic_load_n(&w->survivors, __ATOMIC_RELAXED);

			if (!gw->weight || !word_ready(w))
				continue;
			if (max == LB_UNLIMITED)
				return -1;
			n += used < max ? (int64_t)(max - used) : 0;
		}
	}
	return n;
}

static double places_of(const struct pair *p, uint64_t now)
{
	double calls = (int32_t)p->total.calls;

	if (calls <= 0 && p->demand <= 0)
		return 0;
	return p->hungry > now ? INFINITY : calls + fmax(1, calls * SPARE_PART);
}

/* Gives everybody his part of `total` places; whole ones, so what is left over goes one by one. */
static void set_places(struct lb_governor *g, const struct sharing_pool *pool, double total, double level)
{
	struct sharing *sh = &g->sharing;
	double left = total;

	for (uint16_t i = pool->first; i != SHARE_NONE; i = sh->at[i].next)
		left -= fmin(places_of(&sh->at[i], g->now), floor(level * sh->at[i].weight));
	for (uint16_t i = pool->first; i != SHARE_NONE; i = sh->at[i].next) {
		const struct pair *p = &sh->at[i];
		double part = floor(level * p->weight), need = places_of(p, g->now);

		if (need > part && left >= 1) {
			part++;
			left--;
		}
		part = fmax(part, isinf(need) ? 0 : ceil(need));
		if (isinf(level))
			share_set_places(&g->words->shares.at[i], SHARE_ANY, 0);
		else
			share_set_places(&g->words->shares.at[i], (int32_t)part - (int32_t)p->total.calls,
					 (int32_t)(part * BEYOND_PART) + 1);
	}
}

static void share_places(struct lb_governor *g, uint32_t index)
{
	struct sharing_pool *pool = &g->sharing.pool[index];
	int64_t room = free_places(g, index);
	double total = (double)(pool->calls + room);

	if (pool->n_full || pool->n_put_off || !(pool->before & SHORT_OF_PLACES))
		pool->places_until = g->now + SHORT_NS;
	if (g->now >= pool->places_until || room < 0 || pool->n_active < 2) {
		set_places(g, pool, 0, INFINITY);
		end_shortage(g, index, SHORT_OF_PLACES);
		return;
	}
	set_places(g, pool, total, level_of(&g->sharing, pool, total, places_of, g->now));
}

/* ---- The step ------------------------------------------------------------------------------------------ */

/* Clears the lists of pools that are short; returns how many are. */
static unsigned start_step(struct lb_governor *g)
{
	struct sharing *sh = &g->sharing;
	unsigned n = 0;

	sh->step++;
	for (uint32_t i = 0; i < g->s->n_pools; i++) {
		struct sharing_pool *p = &sh->pool[i];

		p->before = p->shortage;
		p->shortage = __atomic_load_n(&g->words->pool[i].shortage, __ATOMIC_RELAXED) &
			      (SHORT_OF_RATE | SHORT_OF_PLACES);
		if (!p->shortage)
			continue;
		p->first = SHARE_NONE;
		p->n = p->n_active = p->n_admitted = p->n_refused = p->n_full = p->n_held_off = p->n_put_off =
			0;
		p->calls = 0;
		n++;
	}
	return n;
}

/* Pairs that have done nothing for a minute and hold nothing make room. */
static void drop_idle(struct lb_governor *g)
{
	struct sharing *sh = &g->sharing;
	struct shares *t = &g->words->shares;

	for (unsigned k = 0; k < LOOKS; k++, sh->look = (sh->look + 1) % LIMIT_SHARES) {
		struct pair *p = &sh->at[sh->look];
		struct share_cell sum;

		if (!t->key[sh->look])
			continue;
		sum = add_up(g, sh->look);
		if (sum.calls == 0 && sum.demand == p->idle_demand) {
			share_set_rate(&t->at[sh->look], 0, g->now);
			share_set_places(&t->at[sh->look], SHARE_ANY, 0);
			__atomic_store_n(&t->key[sh->look], 0, __ATOMIC_RELAXED);
		}
		p->idle_demand = sum.demand;
	}
}

void govern_shares(struct lb_governor *g)
{
	struct sharing *sh = &g->sharing;
	struct shares *t = &g->words->shares;

	drop_idle(g);
	if (start_step(g) == 0)
		return;
	read_snapshot(sh, g->s);
	for (uint32_t i = 0; i < LIMIT_SHARES; i++) {
		uint64_t key = __atomic_load_n(&t->key[i], __ATOMIC_RELAXED);
		uint16_t pool = key ? *map_cell(sh, g->s, share_key_pool(key)) : 0;

		if (pool && sh->pool[pool - 1].shortage)
			read_pair(g, i, &sh->pool[pool - 1]);
	}
	for (uint32_t i = 0; i < g->s->n_pools; i++) {
		if (sh->pool[i].shortage & SHORT_OF_RATE)
			share_rate(g, i);
		if (sh->pool[i].shortage & SHORT_OF_PLACES)
			share_places(g, i);
	}
}
