/* SPDX-License-Identifier: BSD-3-Clause */
/* Seeded chance: splitmix64, and the distributions that telephone traffic is made of. Same seed, same draws.
 */
#ifndef WEIR_BENCH_DRAW_H
#define WEIR_BENCH_DRAW_H

#include <math.h>
#include <stdint.h>

struct kit_draw {
	uint64_t state;
};

static inline uint64_t kit_bits(struct kit_draw *d)
{
	uint64_t z = d->state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* In (0, 1]. */
static inline double kit_unit(struct kit_draw *d)
{
	return (double)((kit_bits(d) >> 11) + 1) * 0x1p-53;
}

static inline double kit_exponential(struct kit_draw *d, double mean)
{
	return -mean * log(kit_unit(d));
}

/* Log-normal by its median and the standard deviation of its logarithm. */
static inline double kit_lognormal(struct kit_draw *d, double median, double sigma)
{
	double normal = sqrt(-2 * log(kit_unit(d))) * cos(2 * M_PI * kit_unit(d));

	return median * exp(sigma * normal);
}

#endif
