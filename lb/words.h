/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words: one cache line per gateway and per peer, shared by all workers and control, in place for the
 * life of the process. Field comments say who writes; every field is atomic.
 */
#ifndef WEIR_LB_WORDS_H
#define WEIR_LB_WORDS_H

#include "lb/bucket.h"
#include "lb/lb.h"

struct word {
	struct bucket cps;  /* control: interval; workers: next */
	uint32_t max_calls; /* calls at once, or LB_UNLIMITED; control */
	uint32_t calls;     /* places taken, each one owned by an entry of lb/calls.h; workers */
	uint32_t survivors; /* calls of the process before this one that may still run; control, workers lower
			       it */
	uint64_t heard;     /* ns; when the last message came from it; workers, to WORD_HEARD_NS */
	uint8_t health;     /* enum lb_health; control */
	uint8_t admin;      /* enum lb_admin; control */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct word) == 64, "one cache line each");

/* Retries after an answer, of one pool: each takes BUDGET_RETRY, each new call gives its permille back. */
#define BUDGET_RETRY 1000
#define BUDGET_FULL  (10 * BUDGET_RETRY) /* at once */

struct budget {
	int32_t spent; /* 0: BUDGET_FULL is there; workers, atomic */
} __attribute__((aligned(64)));

struct lb_words {
	struct word gateway[LIMIT_GATEWAYS]; /* by slot */
	struct word peer[LIMIT_PEERS];       /* by slot */
	struct budget pool[LIMIT_POOLS];     /* by index */
};

/* True if the gateway may be given new work, its limits aside. Workers. */
static inline bool word_ready(const struct word *g)
{
	return __atomic_load_n(&g->health, __ATOMIC_RELAXED) != LB_DOWN &&
	       __atomic_load_n(&g->admin, __ATOMIC_RELAXED) == LB_READY;
}

/*
 * Takes a place for a new call, so that calls + survivors <= max_calls at every moment, however many threads
 * ask. `room`: there is an entry to own it; without one, false if there is a limit, else true with no place
 * taken: then the call goes uncounted. Workers.
 */
static inline bool word_reserve(struct word *g, bool room)
{
	uint32_t max = __atomic_load_n(&g->max_calls, __ATOMIC_RELAXED);
	uint32_t calls = __atomic_load_n(&g->calls, __ATOMIC_RELAXED);

	if (!room)
		return max == LB_UNLIMITED;
	do {
		if (max != LB_UNLIMITED &&
		    (uint64_t)calls + __atomic_load_n(&g->survivors, __ATOMIC_RELAXED) >= max)
			return false;
	} while (!__atomic_compare_exchange_n(&g->calls, &calls, calls + 1, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

/* True if word_reserve() would succeed now, other threads aside. Workers. */
static inline bool word_has_place(const struct word *g, bool room)
{
	uint32_t max = __atomic_load_n(&g->max_calls, __ATOMIC_RELAXED);

	return max == LB_UNLIMITED ||
	       (room && (uint64_t)__atomic_load_n(&g->calls, __ATOMIC_RELAXED) +
					__atomic_load_n(&g->survivors, __ATOMIC_RELAXED) <
				max);
}

/* Takes a place whatever the limit: a call that the gateway makes itself. Workers. */
static inline void word_take(struct word *g)
{
	__atomic_fetch_add(&g->calls, 1, __ATOMIC_RELAXED);
}

/* Takes one off a counter that never goes below 0; false if it was 0. Workers. */
static inline bool word_lower(uint32_t *counter)
{
	uint32_t n = __atomic_load_n(counter, __ATOMIC_RELAXED);

	do {
		if (n == 0)
			return false;
	} while (!__atomic_compare_exchange_n(counter, &n, n - 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/* Gives a place back; false if none was taken: a fault of ours, to be counted. Workers. */
static inline bool word_release(struct word *g)
{
	return word_lower(&g->calls);
}

/* True if what it has not answered goes elsewhere: it is down, or under maintenance. Workers. */
static inline bool word_down(const struct word *g)
{
	return __atomic_load_n(&g->health, __ATOMIC_RELAXED) == LB_DOWN ||
	       __atomic_load_n(&g->admin, __ATOMIC_RELAXED) == LB_MAINT;
}

#define WORD_HEARD_NS                                                                                        \
	1000000u /* a message sooner than this after the last is not noted: the line stays shared */

/* Notes that a message came from the gateway. Workers. */
static inline void word_hear(struct word *g, uint64_t now)
{
	if (now - __atomic_load_n(&g->heard, __ATOMIC_RELAXED) >= WORD_HEARD_NS)
		__atomic_store_n(&g->heard, now, __ATOMIC_RELAXED);
}

/* True if nothing has come from the gateway since `then`. Workers. */
static inline bool word_mute_since(const struct word *g, uint64_t then)
{
	return __atomic_load_n(&g->heard, __ATOMIC_RELAXED) < then;
}

/* A new call of the pool gives its part of a retry back. Workers. */
static inline void budget_earn(struct budget *b, uint16_t permille)
{
	int32_t spent = __atomic_load_n(&b->spent, __ATOMIC_RELAXED);

	while (spent > 0 &&
	       !__atomic_compare_exchange_n(&b->spent, &spent, spent > permille ? spent - permille : 0, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Takes one retry; false: the pool has had its share. Workers. */
static inline bool budget_spend(struct budget *b)
{
	int32_t spent = __atomic_load_n(&b->spent, __ATOMIC_RELAXED);

	do {
		if (spent + BUDGET_RETRY > BUDGET_FULL)
			return false;
	} while (!__atomic_compare_exchange_n(&b->spent, &spent, spent + BUDGET_RETRY, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

#endif
