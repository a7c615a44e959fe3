/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fair shares of a pool between those who call it: each peer by its `share`, all gateways together and all
 * unknown sources together with a weight of 1. While a pool is short, a new call needs a token of its peer's
 * own bucket, and a place of its peer's own part of the places; the governor sets both (lb/govern/shares.c).
 * So no peer can take what others ask for a moment later, however early or often it asks. Without shortage
 * nothing is asked, only counted.
 *
 * The pairs of pool and caller are found without lock in sets of SHARE_WAYS keys. Workers enter them, the
 * governor takes out those that have been idle for long.
 */
#ifndef WEIR_LB_SHARES_H
#define WEIR_LB_SHARES_H

#include "lb/base/bucket.h"
#include "lb/lb.h"

#define SHARE_NONE LB_NONE    /* no pair: the table has no room for it */
#define SHARE_WAYS 8          /* keys of one cache line */
#define SHARE_ANY  0x60000000 /* places; so many that workers counting up and down make no odds */

/* Who shares beside the peers, which go by their slots. */
enum share_who {
	SHARE_GATEWAYS = LIMIT_PEERS,
	SHARE_STRANGERS
};

/* Of what a pool is short; bits. */
enum shortage {
	SHORT_OF_RATE = 1,   /* new calls per second, or unanswered calls at once */
	SHORT_OF_PLACES = 2, /* calls in progress */
	SHORT_FOR_SOME = 4,  /* of anything: somebody was refused since the last step, */
	SHORT_REFUSES = 8,   /* and not for a limit of his own */
};

/* What one pair may do. */
struct share_word {
	struct bucket rate; /* control: interval, workers: next */
	int32_t places;     /* of its part, not taken; below 0: it has more than that. About SHARE_ANY: not
			       limited; control sets, workers count */
	int32_t beyond;     /* places that it may have beyond its part if nobody asks for them; control */
} __attribute__((aligned(32)));

struct shares {
	uint64_t key[LIMIT_SHARES]; /* share_key(), 0: free; workers enter, control clears */
	struct share_word at[LIMIT_SHARES];
};

/* What a worker has seen of one pair. All counters only grow and wrap. Worker wo, control ro. */
struct share_cell {
	uint32_t demand;   /* new calls at their first attempt */
	uint32_t admitted; /* attempts that got a gateway */
	uint32_t refused;  /* attempts that no gateway could take for want of rate */
	uint32_t full;     /* the same for want of places */
	uint32_t held_off; /* attempts for which it had no token of its own */
	uint32_t put_off;  /* the same of places */
	uint32_t calls;    /* entries that hold a place: those of this worker; goes up and down */
	uint32_t spare;
};
_Static_assert(sizeof(struct share_cell) == 32, "two to a line; 512 kB for LIMIT_SHARES");

/* Counters of one writer: readers see whole values. */
#define share_add(field, n) __atomic_store_n(&(field), (field) + (n), __ATOMIC_RELAXED)

static inline uint64_t share_key(uint32_t pool_id, uint16_t who)
{
	return (uint64_t)pool_id << 32 | (who + 1u);
}

static inline uint16_t share_key_who(uint64_t key)
{
	return (uint16_t)((uint32_t)key - 1);
}

static inline uint32_t share_key_pool(uint64_t key)
{
	return (uint32_t)(key >> 32);
}

/* Makes an empty table: nothing is limited. Control, before start. */
void shares_init(struct shares *t);

/* The pair with this key, entered if it is not there; SHARE_NONE: there is no room. Workers. */
uint16_t share_of(struct shares *t, uint64_t key);

/* The same with a place taken whether it has one left or not. Workers. */
uint16_t share_enter(struct shares *t, uint64_t key);

/* What a pair may have of a pool. */
enum share_grant {
	SHARE_PART,  /* its part: a token and a place are taken */
	SHARE_PLACE, /* a call that is let in whatever its part: at most a place is taken */
	SHARE_SPARE, /* what would go unused */
	SHARE_NOTHING,
};

/*
 * May this pair make another call, as far as the pool is short (bits of enum shortage)? Counts in the cell
 * what stops it. Workers.
 */
enum share_grant share_take(struct share_word *s, struct share_cell *cell, uint8_t shortage, uint64_t now);

/* The same of a call that no gateway can take anyhow: counts alike, and takes nothing. Workers. */
enum share_grant share_look(const struct share_word *s, struct share_cell *cell, uint8_t shortage,
			    uint64_t now);

/* Gives back a place of the pair's own: the call is over. Workers. */
static inline void share_give(struct share_word *s)
{
	__atomic_fetch_add(&s->places, 1, __ATOMIC_RELAXED);
}

/* Takes a place whether it has one left or not. Workers. */
static inline void share_take_place(struct share_word *s)
{
	__atomic_fetch_sub(&s->places, 1, __ATOMIC_RELAXED);
}

/*
 * A gateway has taken a call beyond the pair's part: it pays with what its part brings later, so that who
 * asks most often has no more than the others in the end. What nobody asks for costs little: only so much is
 * owed (OWED_NS). now: monotonic ns. Workers.
 */
void share_charge(struct share_word *s, uint64_t now);

/* Gives back all that share_take() took: no gateway has taken the call. Workers. */
static inline void share_undo(struct share_word *s)
{
	share_give(s);
	bucket_give(&s->rate);
}

/* Sets how many places more are of the pair's part (SHARE_ANY: any number), and how many beyond. Control. */
static inline void share_set_places(struct share_word *s, int32_t places, int32_t beyond)
{
	__atomic_store_n(&s->beyond, beyond, __ATOMIC_RELAXED);
	__atomic_store_n(&s->places, places, __ATOMIC_RELAXED);
}

/*
 * Sets the rate of new calls per second; 0: any. What was taken at a slower rate does not weigh any longer
 * than at this one. now: monotonic ns. Control.
 */
void share_set_rate(struct share_word *s, double per_s, uint64_t now);

#endif
