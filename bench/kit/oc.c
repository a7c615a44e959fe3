/* SPDX-License-Identifier: BSD-3-Clause */
/* A gateway's own overload control: see oc.h. */
#include "bench/kit/oc.h"

#define GAIN      0.3  /* of a step in what is smoothed */
#define SLOW      0.98 /* what a step leaves of slow sums */
#define HORIZON_S 0.5  /* a queue that is too long shall be worked off within this */
#define HOLD_S    2.0
#define MOST_LOSS 99 /* per cent: who withholds all cannot tell what he withholds */

/* What has come, smoothed; and what part of it clients withheld meanwhile, alike. */
static void measure(struct kit_oc *o, const struct kit_oc_seen *seen)
{
	o->arrivals += GAIN * (seen->invites / KIT_OC_EVERY_S - o->arrivals);
	o->invites = SLOW * o->invites + seen->invites;
	o->requests = SLOW * o->requests + seen->requests;
	o->withheld += GAIN * (o->loss - o->withheld);
}

static void want_part(struct kit_oc *o, double wanted, double offered)
{
	double loss = offered > wanted ? 1 - wanted / offered : 0;

	o->value = (uint32_t)(100 * loss + 0.5);
	o->value = o->value > MOST_LOSS ? MOST_LOSS : o->value;
	o->loss = o->value / 100.0; /* what clients are told */
}

static void want_rate(struct kit_oc *o, double wanted, uint32_t clients)
{
	double each = o->invites >= 1 ? o->requests / o->invites : 3;

	o->loss = 0;
	o->value = (uint32_t)(wanted * (each > 1 ? each : 1) / clients + 0.5);
}

bool kit_oc_step(struct kit_oc *o, enum kit_oc_algo algo, const struct kit_oc_seen *seen)
{
	double wanted = 1 + (seen->target - seen->delay) / HORIZON_S, offered;

	measure(o, seen);
	wanted = seen->capacity * (wanted < 0.1 ? 0.1 : wanted);
	offered = o->arrivals / (1 - o->withheld);
	o->hold = offered > 0.9 * wanted ? HOLD_S : o->hold - KIT_OC_EVERY_S;
	if (algo == KIT_OC_LOSS)
		want_part(o, wanted, offered);
	else
		want_rate(o, wanted, seen->clients);
	return o->hold > 0;
}
