/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words: what all workers and control share about each gateway, peer and pool, in place for the life of
 * the process. Field comments say who writes; every field is atomic.
 */
#ifndef WEIR_LB_WORDS_H
#define WEIR_LB_WORDS_H

#include "lb/base/bucket.h"
#include "lb/lb.h"
#include "lb/admit/shares.h"

/* What a gateway is asked for. */
enum ask_what {
	ASK_REFERRAL, /* that a caller is sent to it: only its max-cps matters, the rest is not seen */
	ASK_REQUEST,  /* a request outside dialogs other than INVITE */
	ASK_CALL,     /* a new call */
	ASK_SPARE,    /* a new call that takes only what would go unused: its caller has had his share */
	ASK_WHATS
};

struct ask {
	uint64_t now;       /* monotonic ns */
	uint64_t branch;    /* keyed hash of the caller's branch: decides whether it is shed */
	enum ask_what what; /* CALL and SPARE: the rest */
	bool room;          /* there is an entry that can own a place, see word_reserve() */
	bool opens;         /* there is a transaction that can own one of `open` */
	bool governed;      /* goes by the governor's limits, too */
	uint32_t headroom;  /* part of max_calls and max-cps, of 65536, that it leaves to others */
	uint32_t yields;    /* part of the rates alone that it leaves to others: it can come again */
};

/* A gateway's. */
struct word {
	struct bucket cps;  /* max-cps; control: interval, workers: next */
	struct bucket rate; /* what the governor allows; the same */
	uint32_t max_calls; /* calls at once, or LB_UNLIMITED; control */
	uint32_t calls;     /* places taken, each one owned by an entry of lb/call/calls.h; workers */
	uint32_t survivors; /* calls of the process before this one that may still run; control, workers lower
			       it */
	uint32_t open; /* INVITEs without response but 100, each owned by a branch (CLIENT_OPEN); workers */
	uint32_t open_cap; /* most of them, or LB_UNLIMITED; control */
	uint16_t shed;     /* part of new calls, of 65536, that pass it by; control */
	uint8_t health;    /* enum lb_health; control */
	uint8_t admin;     /* enum lb_admin; control */
	uint64_t heard;    /* ns; when the last message came from it; workers, to WORD_HEARD_NS */
	/* The second line: seldom asked. */
	struct bucket rps; /* max-rps; control: interval, workers: next */
	uint8_t panic;     /* 1: its silence may be ours, so a call that it does not take goes nowhere else;
			      control */
	uint8_t life;      /* times that `open` was set to 0 because the gateway went down; control */
	uint16_t t1_ms;    /* T1 of INVITEs to it, 0: the node's; control */
	uint16_t belongs;  /* 1 + index of the pool that was last noted full with it; 0: none; workers */
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct word, rps) == 64, "a new call needs one line of a gateway");
_Static_assert(sizeof(struct word) == 128, "two cache lines each");

/* peer_word.told: sequence (ms) << 8 | TOLD_ASKED | value. */
#define TOLD_ASKED 0x80u /* the peer has asked at least once; worker sets it, nobody takes it away */
#define TOLD_VALUE 0x7fu /* per cent that it shall withhold; control */

/* A peer's. */
struct peer_word {
	struct bucket cps, rps; /* max-cps, max-rps; control: interval, workers: next */
	struct bucket urgent;   /* max-emergency; the same */
	uint32_t max_calls;     /* calls at once, or LB_UNLIMITED; control */
	uint32_t calls;         /* places taken, each one owned by an entry; workers */
	uint64_t told;          /* what it is told about our load, control, workers set TOLD_ASKED */
	/* The second line: seldom asked. */
	uint32_t over_urgent; /* requests past max-emergency since the governor looked; workers, it takes them
				 off */
	uint32_t told_urgent; /* when an operator was told of it, s, wraps; 0: never; control */
} __attribute__((aligned(64)));
_Static_assert(offsetof(struct peer_word, over_urgent) == 64, "a new call needs one line of a peer");

/* Retries after an answer, of one pool: each takes BUDGET_RETRY, each new call gives its permille back. */
#define BUDGET_RETRY 1000
#define BUDGET_FULL  (10 * BUDGET_RETRY) /* at once */

/* A pool's. */
struct pool_word {
	int32_t spent;              /* of the retries; 0: BUDGET_FULL is there; workers, atomic */
	uint32_t open[LIMIT_TIERS]; /* sums of word.open; workers */
	struct bucket spill; /* its calls that go to its overflow pool; control: interval, workers: next */
	uint16_t told;       /* least Retry-After that refused callers are told, s, 0: 1; control */
	uint8_t shortage;    /* of what it is short, bits of enum shortage; workers set, control clears */
	/* The second line: seldom written. */
	uint32_t able[LIMIT_TIERS]
		__attribute__((aligned(64))); /* weights of those that may get work; 0: all; control */
	uint64_t full[ASK_WHATS]; /* until when nobody can take a request, see note_of(); 0: no note; workers,
				     control */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct pool_word) == 128, "two cache lines each");

/* The node's. */
struct node_word {
	uint32_t paced;         /* gateways whose rate is of all requests (RFC 7415); control */
	uint64_t oc_start_ms;   /* the least sequence that clients are told, ms; control */
	uint32_t drain_retry_s; /* Retry-After of a draining node, s; 0: it does not drain; control */
} __attribute__((aligned(64)));

struct lb_words {
	struct node_word node;
	struct word gateway[LIMIT_GATEWAYS]; /* by slot */
	struct peer_word peer[LIMIT_PEERS];  /* by slot */
	struct peer_word nobody;             /* of requests that come from no peer: max-emergency only */
	struct pool_word pool[LIMIT_POOLS];  /* by index */
	struct shares shares;
};

/* True if the gateway may be given new work, its limits aside. Workers. */
static inline bool word_ready(const struct word *g)
{
	return __atomic_load_n(&g->health, __ATOMIC_RELAXED) != LB_DOWN &&
	       __atomic_load_n(&g->admin, __ATOMIC_RELAXED) == LB_READY;
}

/* True if those who wait for the gateway should wait no longer. Workers. */
static inline bool word_down(const struct word *g)
{
	return __atomic_load_n(&g->health, __ATOMIC_RELAXED) == LB_DOWN ||
	       __atomic_load_n(&g->admin, __ATOMIC_RELAXED) == LB_MAINT;
}

/* What is left of a limit for who leaves headroom to others: 1 at least, if it is not 0. Workers. */
static inline uint32_t word_most(const uint32_t *max, uint32_t headroom)
{
	uint32_t most = __atomic_load_n(max, __ATOMIC_RELAXED);
	uint32_t left = most - (uint32_t)(((uint64_t)most * headroom + 65535) >> 16);

	if (most == LB_UNLIMITED || headroom == 0)
		return most;
	return left > 0 ? left : most > 0;
}

/* True if a counter, and what counts `beside` it (or NULL), is below the limit. Workers. */
static inline bool word_below(uint32_t counter, uint32_t most, const uint32_t *beside)
{
	return most == LB_UNLIMITED ||
	       (uint64_t)counter + (beside ? __atomic_load_n(beside, __ATOMIC_RELAXED) : 0) < most;
}

/* Adds one to a counter that stays, with what counts beside it (or NULL), at `most` at most. Workers. */
static inline bool word_raise(uint32_t *counter, uint32_t most, const uint32_t *beside)
{
	uint32_t n = __atomic_load_n(counter, __ATOMIC_RELAXED);

	do {
		if (!word_below(n, most, beside))
			return false;
	} while (!__atomic_compare_exchange_n(counter, &n, n + 1, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/*
 * Takes a place for a new call, so that calls + survivors <= max_calls at every moment, however many threads
 * ask. `room`: there is an entry to own it; without one, false if there is a limit, else true with no place
 * taken: then the call goes uncounted. headroom: part of max_calls, of 65536, that is left to others.
 * Workers.
 */
static inline bool word_reserve_within(struct word *g, bool room, uint32_t headroom)
{
	uint32_t most = word_most(&g->max_calls, headroom);

	return room ? word_raise(&g->calls, most, &g->survivors) : most == LB_UNLIMITED;
}

/* The same of the whole limit. Workers. */
static inline bool word_reserve(struct word *g, bool room)
{
	return word_reserve_within(g, room, 0);
}

/* The same for a peer, which has no survivors. Workers. */
static inline bool peer_reserve_within(struct peer_word *p, bool room, uint32_t headroom)
{
	uint32_t most = word_most(&p->max_calls, headroom);

	return room ? word_raise(&p->calls, most, NULL) : most == LB_UNLIMITED;
}

/* True if peer_reserve_within() would succeed now, other threads aside. Workers. */
static inline bool peer_room_within(const struct peer_word *p, bool room, uint32_t headroom)
{
	uint32_t most = word_most(&p->max_calls, headroom);

	return most == LB_UNLIMITED ||
	       (room && word_below(__atomic_load_n(&p->calls, __ATOMIC_RELAXED), most, NULL));
}

static inline bool peer_reserve(struct peer_word *p, bool room)
{
	return peer_reserve_within(p, room, 0);
}

/* What stops the gateway with this lb_gateway_id() from getting what is asked for; takes nothing. Workers. */
enum lb_stop word_stop(const struct word *g, uint32_t id, const struct ask *ask);

/* When the gateway may take it, as far as time alone brings that: ns; UINT64_MAX: not so; 0: perhaps now.
 * Workers. */
uint64_t word_opens_at(const struct word *g, uint32_t id, const struct ask *ask);

/*
 * As word_stop(), and takes all that is needed from slot's gateway if nothing stops it: from the buckets, a
 * place of max_calls if ask->room, one of `open` if ask->opens. Else nothing is taken, but that who loses a
 * race may have spent a turn of max-cps for nothing. Workers.
 */
enum lb_stop word_admit(struct lb_words *words, uint16_t slot, uint32_t id, const struct ask *ask);

/* Takes a place whatever the limit: a call that the gateway makes itself. Workers. */
static inline void word_take(struct word *g)
{
	__atomic_fetch_add(&g->calls, 1, __ATOMIC_RELAXED);
}

/* The same of a peer's: a call that was answered after the peer had heard no. Workers. */
static inline void peer_take(struct peer_word *p)
{
	__atomic_fetch_add(&p->calls, 1, __ATOMIC_RELAXED);
}

/* Takes one off a counter that never goes below 0; false if it was 0. Workers. */
static inline bool word_lower(uint32_t *counter)
{
	uint32_t n = __atomic_load_n(counter, __ATOMIC_RELAXED);

	do {
		if (n == 0)
			return false;
	} while (!__atomic_compare_exchange_n(counter, &n, n - 1, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
	return true;
}

/*
 * The gateway can take more than before: if a pool was noted full with it, that is so no more. The change
 * must have been made with __ATOMIC_SEQ_CST. Any thread.
 */
static inline void word_changed(struct lb_words *words, uint16_t slot)
{
	uint16_t pool = __atomic_load_n(&words->gateway[slot].belongs, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; pool && i < ASK_WHATS; i++) {
		uint64_t *full = &words->pool[pool - 1].full[i];

		if (__atomic_load_n(full, __ATOMIC_SEQ_CST))
			__atomic_store_n(full, 0, __ATOMIC_SEQ_CST);
	}
}

/* From now on word_changed() of this gateway is about this pool. Workers. */
static inline void word_belongs(struct word *g, uint16_t pool)
{
	if (__atomic_load_n(&g->belongs, __ATOMIC_RELAXED) != pool + 1)
		__atomic_store_n(&g->belongs, pool + 1, __ATOMIC_SEQ_CST);
}

/* Gives a place back; false if none was taken: a fault of ours, to be counted. Workers. */
static inline bool word_release(struct lb_words *words, uint16_t slot)
{
	bool was_taken = word_lower(&words->gateway[slot].calls);

	word_changed(words, slot);
	return was_taken;
}

static inline bool peer_release(struct peer_word *p)
{
	return word_lower(&p->calls);
}

/*
 * A branch that was given one of `open` by a gateway of this pool and tier gives it back. life: word.life as
 * it was then; who went down meanwhile has forgotten all that was open. Workers.
 */
static inline void word_close(struct lb_words *words, uint16_t slot, uint16_t pool, uint8_t tier,
			      uint8_t life)
{
	struct word *g = &words->gateway[slot];

	if (__atomic_load_n(&g->life, __ATOMIC_RELAXED) == life && word_lower(&g->open))
		word_lower(&words->pool[pool].open[tier]);
	word_changed(words, slot);
}

/* T1 of INVITEs to the gateway, ms; 0: the node's. Any thread. */
static inline uint16_t word_t1(const struct word *g)
{
	return __atomic_load_n(&g->t1_ms, __ATOMIC_RELAXED);
}

/* True if the gateway is silent together with most others: another one would hardly do better. Workers. */
static inline bool word_panic(const struct word *g)
{
	return __atomic_load_n(&g->panic, __ATOMIC_RELAXED);
}

/* A request in a dialog goes to the gateway: paid for where the gateway asked for a rate of all. Workers. */
static inline void word_charge(struct lb_words *words, uint16_t slot, uint64_t now)
{
	if (__atomic_load_n(&words->node.paced, __ATOMIC_RELAXED))
		bucket_charge(&words->gateway[slot].rate, now);
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
static inline void budget_earn(struct pool_word *b, uint16_t permille)
{
	int32_t spent = __atomic_load_n(&b->spent, __ATOMIC_RELAXED);

	while (spent > 0 &&
	       !__atomic_compare_exchange_n(&b->spent, &spent, spent > permille ? spent - permille : 0, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

/* Takes one retry; false: the pool has had its share. Workers. */
static inline bool budget_spend(struct pool_word *b)
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
