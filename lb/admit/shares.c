/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Table of pairs, and what a new call must get of its own pair's before it may ask for a gateway. Workers
 * race on single words only. Two workers may enter one pair twice if a way comes free between their looks;
 * then the first is found from there on and the other falls idle.
 */
#include "lb/base/hash.h"
#include "lb/admit/shares.h"

/* A pair may run ahead of its rate by this many calls, or by this much time: chance alone brings calls in
 * bunches, and who asks for less than his share must not lose any for it. */
#define AHEAD_CALLS 8
#define AHEAD_NS    200000000u
#define OWED_NS     200000000u             /* and owe so much for what it had beyond that */
#define SLOWEST_NS  UINT64_C(100000000000) /* one call in 100 s */

void shares_init(struct shares *t)
{
	for (unsigned i = 0; i < LIMIT_SHARES; i++)
		t->at[i].places = SHARE_ANY;
}

uint16_t share_of(struct shares *t, uint64_t key)
{
	uint32_t first = hash_scale(hash_again(key), LIMIT_SHARES / SHARE_WAYS) * SHARE_WAYS;

	for (uint32_t i = first; i < first + SHARE_WAYS; i++) {
		if (__atomic_load_n(&t->key[i], __ATOMIC_RELAXED) == key)
			return (uint16_t)i;
	}
	for (uint32_t i = first; i < first + SHARE_WAYS; i++) {
		uint64_t free = 0;

		if (__atomic_compare_exchange_n(&t->key[i], &free, key, false, __ATOMIC_RELAXED,
						__ATOMIC_RELAXED) ||
		    free == key)
			return (uint16_t)i;
	}
	return SHARE_NONE;
}

uint16_t share_enter(struct shares *t, uint64_t key)
{
	uint16_t i = share_of(t, key);

	if (i != SHARE_NONE)
		share_take_place(&t->at[i]);
	return i;
}

static inline uint64_t ahead(uint64_t interval)
{
	return interval * AHEAD_CALLS > AHEAD_NS ? interval * AHEAD_CALLS : AHEAD_NS;
}

static bool take_place(struct share_word *s, bool limited)
{
	int32_t left = __atomic_load_n(&s->places, __ATOMIC_RELAXED);

	do {
		if (limited && left <= 0)
			return false;
	} while (!__atomic_compare_exchange_n(&s->places, &left, left - 1, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

/* Worth of time that may come at once. */
static inline uint64_t burst(const struct share_word *s)
{
	uint64_t interval = __atomic_load_n(&s->rate.interval, __ATOMIC_RELAXED);

	return interval + ahead(interval);
}

/* Its part of the places is taken. */
static enum share_grant put_off(const struct share_word *s, struct share_cell *cell)
{
	share_add(cell->put_off, 1);
	return -__atomic_load_n(&s->places, __ATOMIC_RELAXED) < __atomic_load_n(&s->beyond, __ATOMIC_RELAXED)
		       ? SHARE_SPARE
		       : SHARE_NOTHING;
}

/* It has no token. */
static enum share_grant hold_off(struct share_cell *cell)
{
	share_add(cell->held_off, 1);
	return SHARE_SPARE;
}

enum share_grant share_take(struct share_word *s, struct share_cell *cell, uint8_t shortage, uint64_t now)
{
	if (!take_place(s, shortage & SHORT_OF_PLACES))
		return put_off(s, cell);
	if (shortage & SHORT_OF_RATE && !bucket_take_burst(&s->rate, now, burst(s))) {
		share_give(s);
		return hold_off(cell);
	}
	return SHARE_PART;
}

void share_charge(struct share_word *s, uint64_t now)
{
	share_take_place(s);
	bucket_take_burst(&s->rate, now, burst(s) + OWED_NS);
}

enum share_grant share_look(const struct share_word *s, struct share_cell *cell, uint8_t shortage,
			    uint64_t now)
{
	if (shortage & SHORT_OF_PLACES && __atomic_load_n(&s->places, __ATOMIC_RELAXED) <= 0)
		return put_off(s, cell);
	if (shortage & SHORT_OF_RATE && !bucket_open_burst(&s->rate, now, burst(s)))
		return hold_off(cell);
	return SHARE_PART;
}

void share_set_rate(struct share_word *s, double per_s, uint64_t now)
{
	uint64_t interval = per_s > 0 && per_s < 1e9 ? (uint64_t)(1e9 / per_s) : BUCKET_FREE;
	uint64_t latest;

	if (interval > SLOWEST_NS)
		interval = SLOWEST_NS;
	latest = now + ahead(interval) + OWED_NS;
	__atomic_store_n(&s->rate.interval, interval, __ATOMIC_RELAXED);
	if (__atomic_load_n(&s->rate.next, __ATOMIC_RELAXED) > latest)
		__atomic_store_n(&s->rate.next, latest, __ATOMIC_RELAXED);
}
