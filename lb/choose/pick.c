/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Choice of a gateway: tier by tier by the law of the pool, and the note that a pool is full, so that a crowd
 * is not told so by asking every gateway each time. Runs on the worker that owns the Call-ID. Must stay true:
 * nobody is refused by the note who could be admitted without it.
 */
#include "lb/choose/balance.h"
#include "lb/base/hash.h"
#include "lb/choose/pick.h"

/* ---- One gateway ------------------------------------------------------------------------------------- */

/* True if the gateway has had this call before. */
static bool was_tried(const struct pick *p, const struct gateway *g)
{
	for (unsigned i = 0; i < p->n_tried; i++) {
		if (p->tried[i] == g->slot)
			return true;
	}
	return false;
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

void pick_passed(const struct pick *p, const struct gateway *g, enum lb_stop why)
{
	if (why < LB_STOP_TRIED)
		st_gateway_inc(p->lane, g->slot, ST_GW_SKIPPED_STATE + why - LB_STOP_STATE);
	if (p->trail && p->trail->n < LIMIT_TRAIL_ASKED) {
		p->trail->asked[p->trail->n] = g->slot;
		p->trail->stop[p->trail->n++] = why;
	}
}

bool pick_take(const struct pick *p, const struct gateway *g)
{
	const struct word *word = &p->words->gateway[g->slot];
	const struct ask ask = ask_of(p, g);
	enum lb_stop stop = was_tried(p, g) ? LB_STOP_TRIED : word_stop(word, g->id, &ask);

	if (stop == LB_STOP_NONE && g->observe)
		observe(p, g);
	if (stop == LB_STOP_NONE)
		stop = word_admit(p->words, g->slot, g->id, &ask);
	if (stop != LB_STOP_NONE) {
		pick_passed(p, g, stop);
		return false;
	}
	if (ask.what != ASK_REFERRAL)
		st_gateway_inc(p->lane, g->slot, ST_GW_NEW);
	if (ask.what >= ASK_CALL && ask.opens) {
		__atomic_fetch_add(&p->words->pool[g->pool].open[g->tier], 1, __ATOMIC_RELAXED);
		st_gateway_inc(p->lane, g->slot, ST_GW_OPEN_TAKEN);
	}
	return true;
}

bool pick_can(const struct pick *p, const struct gateway *g)
{
	const struct ask ask = ask_of(p, g);

	return g->weight > 0 && !was_tried(p, g) &&
	       word_stop(&p->words->gateway[g->slot], g->id, &ask) == LB_STOP_NONE;
}

uint64_t pick_hash(const struct pick *p, const struct lb_snapshot *s, const struct pool *in)
{
	if (in->hash == LB_HASH_SOURCE)
		return lb_hash(&s->hash_key, p->src.ip, sizeof(p->src.ip));
	if (in->hash == LB_HASH_TO && p->called.n > 0)
		return lb_hash(&s->hash_key, p->called.p, p->called.n);
	return p->call_hash;
}

/* ---- A full pool ------------------------------------------------------------------------------------- */

/*
 * A pool that was found full is noted to be so until the first of its buckets lets one through again. Whoever
 * frees a place, and control when it changes a limit, takes the note away (word_changed()). Two things make
 * that certain however threads meet: every gateway names the pool before it is looked at, so who frees a
 * place there knows what to take away; and the gateways are looked at once more after the note is written, so
 * a place that was freed before is seen. FULL_AT_MOST bounds what a reload in the same moment could spoil.
 */
#define FULL_AT_MOST 100000000u /* ns */
#define FULL_SHIFT   8          /* time is noted in 2^8 ns, above 16 bits of the snapshot's shape */

/*
 * Where it is noted that requests like this one, or such as need less, find nobody; ASK_WHATS: nowhere. A
 * call that can have neither entry nor transaction asks for other things than one that can, and has the place
 * of ASK_REFERRAL, which needs none.
 */
static unsigned note_of(const struct ask *ask)
{
	if (!ask->governed || ask->what == ASK_REFERRAL)
		return ASK_WHATS;
	if (ask->what == ASK_REQUEST || ask->opens)
		return ask->what;
	return ask->what == ASK_CALL && !ask->room ? ASK_REFERRAL : ASK_WHATS;
}

static bool is_noted_full(const struct lb_words *words, const struct ask *ask, const struct lb_snapshot *s,
			  uint16_t pool)
{
	unsigned which = note_of(ask);
	uint64_t note;

	if (which == ASK_WHATS)
		return false;
	note = __atomic_load_n(&words->pool[pool].full[which], __ATOMIC_ACQUIRE);
	return note != 0 && (uint16_t)note == s->shape && ask->now >> FULL_SHIFT < note >> 16;
}

bool pick_known_full(const struct lb_words *words, const struct ask *ask, const struct lb_snapshot *s,
		     uint16_t pool)
{
	uint16_t overflow = s->pools[pool].overflow;

	return is_noted_full(words, ask, s, pool) &&
	       (overflow == LB_NONE || is_noted_full(words, ask, s, overflow));
}

/* When the first gateway of the pool may take such a request, as far as time brings that; 0: one can now. */
static uint64_t full_until(const struct pick *p, const struct lb_snapshot *s, uint16_t pool)
{
	uint64_t until = p->ask.now + FULL_AT_MOST;
	uint32_t end = s->pools[pool].end;

	for (uint32_t i = s->pools[pool].start; i < end; i++) {
		const struct gateway *g = &s->gateways[i];
		const struct ask ask = ask_of(p, g);
		uint64_t when;

		if (g->weight == 0)
			continue;
		when = word_opens_at(&p->words->gateway[g->slot], g->id, &ask);
		until = when < until ? when : until;
	}
	return until > p->ask.now ? until : 0;
}

/* Nobody could take the request: notes that, if it is so for all like it. */
static void note_full(const struct pick *p, const struct lb_snapshot *s, uint16_t pool)
{
	uint32_t end = s->pools[pool].end;
	unsigned which = note_of(&p->ask);
	uint64_t *full, until;

	if (which == ASK_WHATS || p->n_tried > 0 || (p->ask.opens && !p->ask.room))
		return;
	full = &p->words->pool[pool].full[which];
	for (uint32_t i = s->pools[pool].start; i < end; i++)
		word_belongs(&p->words->gateway[s->gateways[i].slot], pool);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	until = full_until(p, s, pool);
	if (until >> FULL_SHIFT <= p->ask.now >> FULL_SHIFT)
		return;
	__atomic_store_n(full, until >> FULL_SHIFT << 16 | s->shape, __ATOMIC_SEQ_CST);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (full_until(p, s, pool) < until)
		__atomic_store_n(full, 0, __ATOMIC_SEQ_CST);
}

/* ---- The pool ---------------------------------------------------------------------------------------- */

const struct gateway *pick(const struct pick *p, const struct lb_snapshot *s, uint16_t pool)
{
	const struct pool *in = &s->pools[pool];

	if (is_noted_full(p->words, &p->ask, s, pool))
		return NULL;
	for (uint16_t i = 0; i < in->n; i++) {
		const struct gateway *g = balance(p, s, in, &s->tiers[in->first + i]);

		if (g)
			return g;
	}
	note_full(p, s, pool);
	return NULL;
}

void pick_prefetch(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash)
{
	const struct pool *p = &s->pools[pool];

	if (p->n > 0)
		balance_prefetch(&s->tiers[p->first], call_hash);
}

const struct gateway *pick_or_spill(const struct pick *p, const struct lb_snapshot *s, uint16_t pool)
{
	const struct gateway *g = pick(p, s, pool);
	uint16_t overflow = s->pools[pool].overflow;

	if (g || overflow == LB_NONE || p->ask.what < ASK_CALL ||
	    is_noted_full(p->words, &p->ask, s, overflow))
		return g;
	if (p->ask.governed && !bucket_take(&p->words->pool[pool].spill, p->ask.now)) {
		st_inc(p->lane, ST_SPILL_SPENT);
		return NULL;
	}
	g = pick(p, s, overflow);
	if (g)
		st_inc(p->lane, ST_SPILLED);
	else if (p->ask.governed)
		bucket_give(&p->words->pool[pool].spill);
	return g;
}

const struct gateway *pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash)
{
	const struct pool *p = &s->pools[pool];
	const struct tier *t = &s->tiers[p->first];

	if (p->n == 0 || (t->table && (p->balance != LB_BALANCE_HASH || p->hash != LB_HASH_CALL_ID)))
		return NULL;
	return balance_at(s, t, call_hash);
}

uint16_t lb_pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash)
{
	const struct gateway *g = pool < s->n_pools ? pick_ideal(s, pool, call_hash) : NULL;

	return g ? g->slot : LB_NONE;
}
