/* SPDX-License-Identifier: BSD-3-Clause */
/* See hist.h. Bucket i of the first KIT_HIST_SUB is i us; after that each octave is cut into KIT_HIST_SUB
 * equal parts. */
#include "bench/kit/hist.h"

#include <math.h>

static uint32_t bucket_of(uint64_t us)
{
	uint32_t octave;

	if (us < KIT_HIST_SUB)
		return (uint32_t)us;
	octave = 63u - (uint32_t)__builtin_clzll(us) - 5; /* 1 for the first octave above KIT_HIST_SUB */
	if (octave >= KIT_HIST_OCTAVES)
		return KIT_HIST_SUB * KIT_HIST_OCTAVES - 1;
	return octave * KIT_HIST_SUB + (uint32_t)(us >> (octave - 1)) - KIT_HIST_SUB;
}

/* The largest duration (us) of bucket i. */
static uint64_t upper(uint32_t i)
{
	uint32_t octave = i / KIT_HIST_SUB;

	if (octave == 0)
		return i;
	return ((uint64_t)(KIT_HIST_SUB + i % KIT_HIST_SUB + 1) << (octave - 1)) - 1;
}

void kit_hist_add(struct kit_hist *h, uint64_t ns)
{
	uint64_t us = ns / 1000;

	h->n++;
	h->bucket[bucket_of(us)]++;
	if (us > h->max_us)
		h->max_us = us;
}

void kit_hist_merge(struct kit_hist *into, const struct kit_hist *from)
{
	into->n += from->n;
	if (from->max_us > into->max_us)
		into->max_us = from->max_us;
	for (uint32_t i = 0; i < KIT_HIST_SUB * KIT_HIST_OCTAVES; i++)
		into->bucket[i] += from->bucket[i];
}

double kit_hist_ms(const struct kit_hist *h, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)h->n), seen = 0;

	for (uint32_t i = 0; i < KIT_HIST_SUB * KIT_HIST_OCTAVES; i++) {
		seen += h->bucket[i];
		if (h->n && seen >= rank)
			return (double)(upper(i) < h->max_us ? upper(i) : h->max_us) / 1000;
	}
	return 0;
}
