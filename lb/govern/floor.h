/* SPDX-License-Identifier: BSD-3-Clause */
/* What a delay of a gateway is like without a queue, and by how much it is longer now. Control; seconds. */
#ifndef WEIR_LB_FLOOR_H
#define WEIR_LB_FLOOR_H

#include "lb/govern/reading.h"

#define FLOOR_BLOCKS 8 /* of DELAY_BLOCK samples: with fewer a floor is not known */

struct floor {
	double low;            /* mean of the least of each block */
	double var;            /* variance of one of these, s^2 */
	double mean;           /* of all samples */
	double blocks;         /* that it is made of */
	double seen, seen_sum; /* blocks and their sum, while it is being guessed from the first samples */
	double seen_mean;      /* of these, but for those that a queue delayed which grew */
	double learned;        /* of them, of samples that met no queue as far as is known */
	uint64_t at;           /* ns; when it was last learned or found to be right */
};

/* How much longer than its floor a delay is. */
struct excess {
	double value;  /* may be below 0 */
	double spread; /* standard deviation of one block without a queue: mixes of calls move the mean by as
			  much */
	double error;  /* standard error of value */
};

static inline bool floor_known(const struct floor *f)
{
	return f->blocks >= FLOOR_BLOCKS;
}

/* Not only guessed from the first samples, which may have met a queue. */
static inline bool floor_learned(const struct floor *f)
{
	return f->learned >= FLOOR_BLOCKS;
}

void delay_add(struct delay *sum, const struct delay *d);

/* Mean of the least of each block; d->lows > 0. */
static inline double delay_low(const struct delay *d)
{
	return d->low_sum / d->lows;
}

/* The samples of d met no queue: the floor follows them. */
void floor_learn(struct floor *f, const struct delay *d, uint64_t now);

/* Whether they did is not known: the floor begins with the least, and only ever goes down. */
void floor_lower(struct floor *f, const struct delay *d, uint64_t now);

/* They are the new floor, whatever it was. */
void floor_set(struct floor *f, const struct delay *d, uint64_t now);

/* By how much d, which has whole blocks, exceeds the floor, which is known. */
struct excess floor_excess(const struct floor *f, const struct delay *d);

#endif
