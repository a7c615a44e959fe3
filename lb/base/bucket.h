/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rate limit without check-then-add: the generic cell rate algorithm (ITU-T I.371; RFC 7415 3.5 in its
 * virtual scheduling form) on one atomic word. In any window of t seconds at most r * t + b are admitted,
 * b = max(1, 50 ms * r), however many threads ask, also when their `now` differs a little.
 */
#ifndef WEIR_LB_BUCKET_H
#define WEIR_LB_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_BURST_NS 50000000u           /* worth of time that may come at once */
#define BUCKET_FREE     0                   /* interval: no limit */
#define BUCKET_SHUT     UINT64_MAX          /* interval: admits nothing */
#define BUCKET_PACED    (UINT64_C(1) << 62) /* in interval: paced by RFC 7415, see bucket_pace() */
#define BUCKET_TAU      4  /* intervals that a paced one admits ahead of its rate: five at once (TAU = 4 T) */
#define BUCKET_TAU_MOST 10 /* and that it can owe for what it must let pass (RFC 7415 3.5.2: TAU2) */

struct bucket {
	uint64_t interval; /* ns between two admissions; written by control, atomic */
	uint64_t next; /* ns: when the next one would be due at the bare rate; written by workers, atomic */
};

/* Sets the rate, LB_UNLIMITED or 0 included. What was admitted before still counts. Control. */
void bucket_set(struct bucket *b, uint32_t per_s);

/*
 * The same by RFC 7415 3.5, for a bucket that every request is charged to: at most 5 at once, and what passes
 * whatever it says (bucket_charge()) is made up for by those that do not. Control.
 */
void bucket_pace(struct bucket *b, uint32_t per_s);

/*
 * What is owed for what was admitted or charged so far weighs no longer than it could have come to at the
 * rate in force: for who has just set a faster one. now: monotonic ns. Control.
 */
void bucket_ease(struct bucket *b, uint64_t now);

/* Whoever passes a paced bucket in any case pays all the same; of no effect on others. Workers. */
void bucket_charge(struct bucket *b, uint64_t now);

static inline bool bucket_is_paced(const struct bucket *b)
{
	return __atomic_load_n(&b->interval, __ATOMIC_RELAXED) & BUCKET_PACED;
}

/*
 * Takes one; false if the limit forbids it, and then nothing has changed. now: monotonic ns. headroom: part
 * of 65536 of what may come at once that is left to others, at least room for one where the rate allows; who
 * takes with headroom has (65536 - headroom) / 65536 of the rate in any case, and all of it as long as nobody
 * takes without. Workers.
 */
bool bucket_take_within(struct bucket *b, uint64_t now, uint32_t headroom);

/* The same without headroom. */
static inline bool bucket_take(struct bucket *b, uint64_t now)
{
	return bucket_take_within(b, now, 0);
}

/* The same where burst_ns worth of time may come at once in place of BUCKET_BURST_NS. Workers. */
bool bucket_take_burst(struct bucket *b, uint64_t now, uint64_t burst_ns);

/* True if bucket_take_burst() would succeed now, other threads aside. Workers. */
bool bucket_open_burst(const struct bucket *b, uint64_t now, uint64_t burst_ns);

/* When the next one can be taken if nobody else takes any: ns; UINT64_MAX: not by time alone. Any. */
uint64_t bucket_opens_at(const struct bucket *b, uint32_t headroom);

/* What it admits a second; 0: nothing; < 0: anything. Control. */
double bucket_rate(const struct bucket *b);

/* True if bucket_take_within() would succeed now, other threads aside. Workers. */
static inline bool bucket_open_within(const struct bucket *b, uint64_t now, uint32_t headroom)
{
	return __atomic_load_n(&b->interval, __ATOMIC_RELAXED) == BUCKET_FREE ||
	       bucket_opens_at(b, headroom) <= now;
}

/* Gives back one that was taken. Workers. */
static inline void bucket_give(struct bucket *b)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);

	if (interval != BUCKET_FREE && interval != BUCKET_SHUT)
		__atomic_fetch_sub(&b->next, interval & ~BUCKET_PACED, __ATOMIC_RELAXED);
}

/* When it begins to stand idle if nobody takes any: what it allows then is lost from moment to moment. ns;
 * UINT64_MAX: never. Any. */
static inline uint64_t bucket_idle_at(const struct bucket *b)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return interval;
	return __atomic_load_n(&b->next, __ATOMIC_RELAXED);
}

static inline bool bucket_idle(const struct bucket *b, uint64_t now)
{
	return bucket_idle_at(b) <= now;
}

/* The same for bucket_take(). */
static inline bool bucket_open(const struct bucket *b, uint64_t now)
{
	return bucket_open_within(b, now, 0);
}

#endif
