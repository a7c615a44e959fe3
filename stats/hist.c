/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading log-linear histograms: merge, count, quantile. Recording is inline in the door.
 * Bucket i of the first ST_HIST_SUB holds one tick; from there on each octave has ST_HIST_SUB buckets.
 */
#include "stats/tables.h"

_Static_assert(ST_HIST_MAX_BITS == ST_HIST_TICK_BITS + 6, "the last edge is 64 s");

void st_hist_merge(struct st_hist *into, const struct st_hist *from)
{
	into->sum_ns += st_cell_read(&from->sum_ns);
	for (unsigned int i = 0; i < ST_HIST_BUCKETS; i++)
		into->bucket[i] += st_cell_read(&from->bucket[i]);
}

uint64_t st_hist_count(const struct st_hist *h)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < ST_HIST_BUCKETS; i++)
		n += h->bucket[i];
	return n;
}

/* Lower edge of bucket i in ticks. */
static uint64_t lower_edge(unsigned int i)
{
	unsigned int octave = i / ST_HIST_SUB;

	if (octave == 0)
		return i;
	return (uint64_t)(ST_HIST_SUB + i % ST_HIST_SUB) << (octave - 1);
}

uint64_t st_hist_quantile(const struct st_hist *h, double q)
{
	double want = q * (double)st_hist_count(h), seen = 0;
	const double ns_per_tick = 1e9 / (1u << ST_HIST_TICK_BITS);

	for (unsigned int i = 0; i < ST_HIST_BUCKETS; i++) {
		double n = (double)h->bucket[i], low = (double)lower_edge(i),
		       high = (double)lower_edge(i + 1);

		if (n > 0 && seen + n >= want)
			return (uint64_t)((low + (high - low) * (want - seen) / n) * ns_per_tick);
		seen += n;
	}
	return 0;
}

uint64_t st_hist_below(const struct st_hist *h, unsigned int edge)
{
	unsigned int end = (edge - ST_HIST_SUB_BITS + 1) * ST_HIST_SUB;
	uint64_t n = 0;

	for (unsigned int i = 0; i < end; i++)
		n += h->bucket[i];
	return n;
}

double st_edge_seconds(unsigned int edge)
{
	return (double)((uint64_t)1 << edge) / (1u << ST_HIST_TICK_BITS);
}
