/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One admission moves `next` on by the interval, and is allowed while `next` runs ahead of the clock by no
 * more than the burst allows. The interval is rounded up, so that rounding never admits more.
 * Workers race on `next` only; every winner of its compare-and-swap is one admission.
 */
#include "lb/base/bucket.h"
#include "lb/lb.h"

/* ns between two admissions. */
static inline uint64_t every(uint64_t interval)
{
	return interval & ~BUCKET_PACED;
}

/* How far `next` may lie ahead of now if so much comes at once: a burst of b needs (b - 1) intervals. */
static inline uint64_t ahead_of(uint64_t interval, uint64_t burst_ns)
{
	if (interval & BUCKET_PACED)
		return BUCKET_TAU * every(interval);
	return interval < burst_ns ? burst_ns - interval : 0;
}

static inline uint64_t ahead(uint64_t interval)
{
	return ahead_of(interval, BUCKET_BURST_NS);
}

/* Of that, what is left to those who take without headroom: never so much that the rate falls by more. */
static inline uint64_t kept(uint64_t interval, uint32_t headroom)
{
	uint64_t part = (uint64_t)BUCKET_BURST_NS * headroom >> 16;
	uint64_t most = ahead(interval) + (every(interval) * headroom >> 16);

	if (headroom == 0)
		return 0;
	part = part > every(interval) ? part : every(interval);
	return part < most ? part : most;
}

void bucket_set(struct bucket *b, uint32_t per_s)
{
	uint64_t interval = BUCKET_FREE;

	if (per_s == 0)
		interval = BUCKET_SHUT;
	else if (per_s != LB_UNLIMITED)
		interval = (1000000000u + (uint64_t)per_s - 1) / per_s;
	__atomic_store_n(&b->interval, interval, __ATOMIC_SEQ_CST);
}

void bucket_pace(struct bucket *b, uint32_t per_s)
{
	uint64_t interval = BUCKET_SHUT;

	if (per_s != 0)
		interval = BUCKET_PACED | (1000000000u + (uint64_t)per_s - 1) / per_s;
	__atomic_store_n(&b->interval, interval, __ATOMIC_SEQ_CST);
}

void bucket_ease(struct bucket *b, uint64_t now)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED), next, most;

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return;
	most = now + every(interval);
	most += interval & BUCKET_PACED ? BUCKET_TAU_MOST * every(interval) : ahead(interval);
	next = __atomic_load_n(&b->next, __ATOMIC_RELAXED);
	while (next > most &&
	       !__atomic_compare_exchange_n(&b->next, &next, most, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void bucket_charge(struct bucket *b, uint64_t now)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED), next, after;

	if (!(interval & BUCKET_PACED) || interval == BUCKET_SHUT)
		return;
	next = __atomic_load_n(&b->next, __ATOMIC_RELAXED);
	do {
		if (next > now + BUCKET_TAU_MOST * every(interval))
			return;
		after = (next > now ? next : now) + every(interval);
	} while (!__atomic_compare_exchange_n(&b->next, &next, after, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}

/* Moves `next` on by the interval, unless it and `keep` lie more than `most` ahead of now. */
static inline bool take(struct bucket *b, uint64_t interval, uint64_t now, uint64_t keep, uint64_t most)
{
	uint64_t next = __atomic_load_n(&b->next, __ATOMIC_RELAXED), after;

	do {
		if (next + keep > now + most)
			return false;
		after = (next > now ? next : now) + every(interval);
	} while (!__atomic_compare_exchange_n(&b->next, &next, after, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

bool bucket_take_within(struct bucket *b, uint64_t now, uint32_t headroom)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return interval == BUCKET_FREE;
	return take(b, interval, now, kept(interval, headroom), ahead(interval));
}

bool bucket_take_burst(struct bucket *b, uint64_t now, uint64_t burst_ns)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return interval == BUCKET_FREE;
	return take(b, interval, now, 0, ahead_of(interval, burst_ns));
}

bool bucket_open_burst(const struct bucket *b, uint64_t now, uint64_t burst_ns)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return interval == BUCKET_FREE;
	return __atomic_load_n(&b->next, __ATOMIC_RELAXED) <= now + ahead_of(interval, burst_ns);
}

uint64_t bucket_opens_at(const struct bucket *b, uint32_t headroom)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);
	uint64_t next;

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return interval;
	next = __atomic_load_n(&b->next, __ATOMIC_RELAXED) + kept(interval, headroom);
	return next > ahead(interval) ? next - ahead(interval) : 0;
}

double bucket_rate(const struct bucket *b)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);

	if (interval == BUCKET_FREE)
		return -1;
	return interval == BUCKET_SHUT ? 0 : 1e9 / (double)every(interval);
}
