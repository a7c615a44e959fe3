/* SPDX-License-Identifier: BSD-3-Clause */
/* What the workers noticed about a gateway since the last step: their signals added up, as differences. */
#ifndef WEIR_LB_READING_H
#define WEIR_LB_READING_H

#include "lb/signals.h"

/* A delay over some time, s. Additive. */
struct delay {
	double n, sum;                /* samples */
	double lows, low_sum, low_sq; /* the least of each DELAY_BLOCK in a row */
};

/* Counters of all workers, as they stand. */
struct totals {
	struct delay_signal response, progress;
	uint32_t sent, repeated, answered, finished, bounced, retry_after, retry_after_s, passed, capped;
	uint16_t taken[2][ORIGINS], refused[2][ORIGINS];
};

struct reading {
	struct totals totals; /* at the last step */

	/* Since the step before. */
	struct delay response, progress;
	uint32_t sent, repeated, answered, finished, bounced;
	uint32_t capped;        /* times that open_cap made a new call pass it by, or would have */
	uint32_t passed;        /* times that a limit of the governor's made a new call pass it by */
	uint32_t retry_after;   /* 503s with Retry-After */
	uint32_t retry_after_s; /* their mean, rounded up */
	uint16_t taken[2][ORIGINS], refused[2][ORIGINS];

	/* Now. */
	uint32_t unanswered; /* INVITEs without any response */
	uint32_t open;       /* INVITEs without response but 100 */
	uint64_t oldest_ns;  /* age of the oldest of the unanswered; 0: there is none */
};

#endif
