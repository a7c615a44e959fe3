/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Durations for percentiles: log-linear, 64 buckets to the octave, so that what is read is within 1.6 % of
 * what was measured. Finer than stats/hist.c, whose quarters of an octave would blur a factor of three.
 */
#ifndef WEIR_BENCH_HIST_H
#define WEIR_BENCH_HIST_H

#include <stdint.h>

#define KIT_HIST_SUB     64
#define KIT_HIST_OCTAVES 30 /* of microseconds: half an hour */

struct kit_hist {
	uint64_t n;
	uint64_t max_us;
	uint32_t bucket[KIT_HIST_SUB * KIT_HIST_OCTAVES];
};

void kit_hist_add(struct kit_hist *h, uint64_t ns);
void kit_hist_merge(struct kit_hist *into, const struct kit_hist *from);

/*
 * The smallest duration (ms) that at least a part q of all that were added do not exceed, 0 < q <= 1 (nearest
 * rank); 0 when there are none.
 */
double kit_hist_ms(const struct kit_hist *h, double q);

#endif
