/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One admission moves `next` on by the interval, and is allowed while `next` runs ahead of the clock by no
 * more than the burst allows. The interval is rounded up, so that rounding never admits more.
 * Workers race on `next` only; every winner of its compare-and-swap is one admission.
 */
#include "lb/bucket.h"
#include "lb/lb.h"

/* ns between two admissions. */
static inline uint64_t every(uint64_t interval)
{
	return interval & ~BUCKET_PACED;
}

/* How far `next` may lie ahead of now: a burst of b needs (b - 1) intervals. */
static inline uint64_t ahead(uint64_t interval)
{
	if (interval & BUCKET_PACED)
		return BUCKET_TAU * every(interval);
	return interval < BUCKET_BURST_NS ? BUCKET_BURST_NS - interval : 0;
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

bool bucket_take(struct bucket *b, uint64_t now)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED), next, after;

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return interval == BUCKET_FREE;
	next = __atomic_load_n(&b->next, __ATOMIC_RELAXED);
	do {
		if (next > now + ahead(interval))
			return false;
		after = (next > now ? next : now) + every(interval);
	} while (!__atomic_compare_exchange_n(&b->next, &next, after, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
	return true;
}

uint64_t bucket_opens_at(const struct bucket *b)
{
	uint64_t interval = __atomic_load_n(&b->interval, __ATOMIC_RELAXED);
	uint64_t next = __atomic_load_n(&b->next, __ATOMIC_RELAXED);

	if (interval == BUCKET_FREE || interval == BUCKET_SHUT)
		return interval;
	return next > ahead(interval) ? next - ahead(interval) : 0;
}
