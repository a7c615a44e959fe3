/* SPDX-License-Identifier: BSD-3-Clause */
/* What a gateway may be given, as learned: the part of struct governed that limit.c writes. */
#ifndef WEIR_LB_LIMIT_H
#define WEIR_LB_LIMIT_H

#include <math.h>
#include "lb/govern/govern.h"
#include "lb/govern/reading.h"

struct pool;

struct limit {
	double cap;        /* open INVITEs at once; INFINITY: any number */
	double rate;       /* new calls per second; INFINITY: any number */
	enum lb_moved why; /* of the last move of cap */
	uint64_t moved;    /* ns; when; 0: never */
	double moved_from;
};

/* A gateway of `pool` that nothing is known of yet. */
void limit_start(struct limit *l, const struct pool *pool, uint64_t now);

/* Sight. */
void limit_sight(const struct limit *l, struct lb_congestion *out);

#endif
