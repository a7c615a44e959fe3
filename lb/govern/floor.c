/* SPDX-License-Identifier: BSD-3-Clause */
/* See floor.h. Control. */
#include <math.h>
#include "lb/govern/floor.h"

#define MEMORY        128.0         /* blocks that a floor remembers */
#define SPREAD_BLOCKS 8             /* with fewer a variance is mostly chance */
#define SURE          2.0           /* standard errors */
#define FIRST_NS      1000000000ull /* of answers that a floor begins with */
#define GROWS         3             /* times the least: a queue that grows */
#define CLOCK         1e-4 /* s; what the clocks that stamps are taken by add to the error of one block */

void delay_add(struct delay *sum, const struct delay *d)
{
	sum->n += d->n;
	sum->sum += d->sum;
	sum->lows += d->lows;
	sum->low_sum += d->low_sum;
	sum->low_sq += d->low_sq;
}

/* Variance of the least ones of d. */
static double own_var(const struct delay *d)
{
	double low = delay_low(d), var = d->low_sq / d->lows - low * low;

	return var > 0 ? var * d->lows / fmax(d->lows - 1, 1) : 0;
}

/* Moves var and mean by the weight of d. */
static void spread(struct floor *f, const struct delay *d, double weight)
{
	double low = delay_low(d);

	f->var += weight * (own_var(d) + (low - f->low) * (low - f->low) - f->var);
	if (d->n > 0)
		f->mean += weight * (d->sum / d->n - f->mean);
}

void floor_set(struct floor *f, const struct delay *d, uint64_t now)
{
	double low = delay_low(d);

	*f = (struct floor){ .low = low,
			     .var = own_var(d),
			     .mean = d->n > 0 ? d->sum / d->n : low,
			     .blocks = fmax(d->lows, FLOOR_BLOCKS),
			     .learned = MEMORY,
			     .at = now };
}

/* The first samples: perhaps they met a queue. */
static void guess(struct floor *f, const struct delay *d, uint64_t now)
{
	floor_set(f, d, now);
	f->blocks = fmin(d->lows, FLOOR_BLOCKS - 1);
	f->seen = d->lows;
	f->seen_sum = d->low_sum;
	f->seen_mean = f->mean;
	f->learned = 0;
}

/*
 * A queue that grows makes all later ones longer, so the least of them stands. But the first to be answered
 * are also the calls whose far ends are quick: what comes after them for a while, and is not much longer, is
 * the floor as well.
 */
static void guess_further(struct floor *f, const struct delay *d, uint64_t now)
{
	f->seen += d->lows;
	f->seen_sum += d->low_sum;
	f->low = fmin(f->low, delay_low(d));
	f->mean = fmin(f->mean, d->sum / d->n);
	if (delay_low(d) < GROWS * f->low)
		f->seen_mean += d->lows / f->seen * (d->sum / d->n - f->seen_mean);
	f->var += d->lows / f->seen * (own_var(d) - f->var);
	f->blocks = now - f->at < FIRST_NS ? fmin(f->seen, FLOOR_BLOCKS - 1) : f->seen;
	if (floor_known(f) && delay_low(d) < GROWS * f->low)
		f->low = f->seen_sum / f->seen;
}

void floor_learn(struct floor *f, const struct delay *d, uint64_t now)
{
	double weight;

	if (d->lows == 0)
		return;
	if (f->blocks == 0) {
		guess(f, d, now);
		return;
	}
	f->blocks = fmin(f->blocks + d->lows, MEMORY);
	f->learned = fmin(f->learned + d->lows, MEMORY);
	weight = fmin(d->lows / f->blocks, 1);
	f->low += weight * (delay_low(d) - f->low);
	spread(f, d, weight);
	f->at = now;
}

void floor_lower(struct floor *f, const struct delay *d, uint64_t now)
{
	struct excess x;

	if (d->lows == 0)
		return;
	if (f->blocks == 0) {
		guess(f, d, now);
		return;
	}
	if (!floor_known(f)) {
		guess_further(f, d, now);
		return;
	}
	if (d->lows >= SPREAD_BLOCKS)
		f->var = fmin(f->var, own_var(d));
	x = floor_excess(f, d);
	if (x.value + SURE * x.error < 0) {
		f->low += x.value + SURE * x.error;
		f->mean = fmin(f->mean, d->sum / d->n);
	}
}

struct excess floor_excess(const struct floor *f, const struct delay *d)
{
	double low = delay_low(d), var = fmax(f->var, 0) + CLOCK * CLOCK;

	return (struct excess){ low - f->low, sqrt(var), sqrt(var / d->lows + var / f->blocks) };
}
