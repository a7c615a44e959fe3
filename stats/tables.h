/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to stats/: the families as rows, and lookups over the counters that the door does not offer.
 * Constant data, any thread.
 */
#ifndef WEIR_STATS_TABLES_H
#define WEIR_STATS_TABLES_H

#include "stats/stats.h"

enum family_kind {
	KIND_COUNTER,
	KIND_GAUGE,
	KIND_HISTOGRAM
};
enum family_scope {
	SCOPE_TOTAL,
	SCOPE_WORKER,
	SCOPE_GATEWAY,
	SCOPE_PEER
};

struct family {
	enum family_kind kind;
	enum family_scope scope;
	const char *name;
	const char *labels; /* label names, for docs/metrics.md */
	const char *help;
};

extern const struct family st_families[ST_FAM_COUNT];

/* Octave edges of a histogram family in its exposition, as powers of two of a tick. */
struct edges {
	uint8_t first, last;
};

/* first = last = 0 for a family that is no histogram. */
struct edges st_family_edges(enum st_family family);

/* Number of durations below 2^edge ticks. */
uint64_t st_hist_below(const struct st_hist *h, unsigned int edge);

/* 2^edge ticks in seconds. */
double st_edge_seconds(unsigned int edge);

#endif
