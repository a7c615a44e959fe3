/* SPDX-License-Identifier: BSD-3-Clause */
/* See evidence.h. Control. */
#include <math.h>
#include "lb/govern/evidence.h"

#define FADE_S      0.5  /* time in which the past loses all but 1/e of its weight */
#define LEARN_S     10.0 /* the same for floors */
#define LEAST_CALLS 20   /* fewer lately tell nothing */
#define SURE        3.0  /* standard deviations */

static void fade(double (*sum)[ORIGINS], const uint16_t (*add)[ORIGINS], double keep)
{
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned i = 0; i < ORIGINS; i++)
			sum[side][i] = sum[side][i] * keep + add[side][i];
	}
}

/* The share of refusals such that classes with half of the calls have that much or more. Returns the number
 * of classes that have calls. */
static unsigned median(const double *taken, const double *refused, double *share)
{
	struct {
		double share, calls;
	} class[ORIGINS];
	double sum = 0, seen = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < ORIGINS; i++) {
		double calls = taken[i] + refused[i], s = calls > 0 ? refused[i] / calls : 0;
		unsigned k = n;

		if (calls < 0.5)
			continue;
		for (; k > 0 && class[k - 1].share > s; k--)
			class[k] = class[k - 1];
		class[k].share = s;
		class[k].calls = calls;
		sum += calls;
		n++;
	}
	*share = 0;
	for (unsigned i = 0; i < n && seen < sum / 2; i++) {
		seen += class[i].calls;
		*share = class[i].share;
	}
	return sum < LEAST_CALLS ? 0 : n;
}

/* RFC 3261 knows no 503 for one number: two classes of numbers or of callers at least must speak. */
static double refused_share(const struct evidence *e, bool *widely)
{
	double numbers, callers;
	unsigned n = median(e->taken[0], e->refused[0], &numbers);
	unsigned c = median(e->taken[1], e->refused[1], &callers);

	*widely = n > 1 && c > 1;
	if (*widely)
		return fmin(numbers, callers);
	return n > 1 ? numbers : c > 1 ? callers : 0;
}

static double of_all(const struct evidence *e)
{
	double taken = 0, refused = 0;

	for (unsigned i = 0; i < ORIGINS; i++) {
		taken += e->taken[0][i];
		refused += e->refused[0][i];
	}
	return refused > 0 ? refused / (taken + refused) : 0;
}

void evidence_add(struct evidence *e, const struct reading *r, double dt, bool idle)
{
	double keep = exp(-dt / FADE_S), learn = 1 - exp(-dt / LEARN_S);

	fade(e->taken, r->taken, keep);
	fade(e->refused, r->refused, keep);
	e->sent = e->sent * keep + r->sent;
	e->repeated = e->repeated * keep + r->repeated;
	e->refused_share = refused_share(e, &e->refused_widely);
	e->refused_of_all = of_all(e);
	e->repeated_share = e->sent < LEAST_CALLS ? 0 : e->repeated / e->sent;
	if (idle || e->refused_share < e->refused_floor)
		e->refused_floor += learn * (e->refused_share - e->refused_floor);
	if (idle || e->repeated_share < e->repeated_floor)
		e->repeated_floor += learn * (e->repeated_share - e->repeated_floor);
}

void evidence_clear(struct evidence *e)
{
	memset(e->taken, 0, sizeof(e->taken));
	memset(e->refused, 0, sizeof(e->refused));
	e->refused_share = e->refused_of_all = e->sent = e->repeated = e->repeated_share = 0;
	e->refused_widely = false;
}

/* More than the floor, by more than chance. */
static bool exceeds(double share, double floor, double calls)
{
	double deviation = sqrt((floor + 1 / (calls + 1)) / (calls + 1));

	return share > 1.5 * floor + EVIDENCE_SHARE && share > floor + SURE * deviation;
}

enum lb_moved evidence_of(const struct evidence *e)
{
	if (exceeds(e->refused_share, e->refused_floor, e->sent))
		return LB_MOVED_REFUSED;
	if (exceeds(e->repeated_share, e->repeated_floor, e->sent))
		return LB_MOVED_REPEATED;
	return LB_MOVED_NEVER;
}
