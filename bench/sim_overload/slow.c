/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Scenarios of the overload laboratory with the gateways, loads and times of the one over packets
 * (bench/overlab/): slow, with a queue that holds less than a second of work, before which refusals and
 * repeats go.
 */
#include <math.h>
#include <stddef.h>
#include "bench/sim_overload/check.h"

/* ---- What must be shown -------------------------------------------------------------------------------- */

/* Of what has come: in a few seconds that is more or less than was meant. */
static double wanted_goodput(const struct lab *l, double load, double from, double to)
{
	double earlier = l->scene->service_s, offered;

	if (load > 1)
		return lab_wanted_goodput(l->scene, load);
	offered = LAB_SUM(l, from - earlier, to - earlier, offered) / ((to - from) * l->capacity);
	return fmin(offered, 1) * 0.97;
}

static bool goodput(struct lab *l, struct lab_text *t)
{
	bool good = true;

	for (unsigned i = 0; i < MAX_PHASES && l->scene->phases[i].seconds > 0; i++) {
		double from, to, load = l->scene->phases[i].load, p99, got;

		lab_span(l, i, &from, &to);
		got = lab_goodput(l, from, to);
		p99 = lab_quantile(&l->delays[i], 0.99) / l->unloaded_p99;
		good &= must(t, got >= wanted_goodput(l, load, from, to), " goodput %.3f at %gx;", got, load);
		good &= must(t, load < 2 || p99 <= 3, " p99 %.1f at %gx;", p99, load);
		if (load < 0.9)
			good &= lab_no_refusal(l, t, i, 5);
	}
	return good;
}

/*
 * After the step goodput is within 10 % of what can be from the third second on. Servers that were filled at
 * once finish at once, so whole times of service are looked at.
 */
static bool settles(struct lab *l, struct lab_text *t)
{
	double whole = 5 * l->scene->service_s, at = lab_began(l, 1), worst = 10;
	bool good = goodput(l, t);

	for (double s = at + 3; s + whole <= lab_began(l, 2); s += 0.1)
		worst = fmin(worst, lab_goodput(l, s, s + whole));
	lab_say(t, " first 3 s %.2f %.2f %.2f, then >= %.2f;", lab_goodput(l, at, at + 1),
		lab_goodput(l, at + 1, at + 2), lab_goodput(l, at + 2, at + 3), worst);
	return good & must(t, worst >= 0.9, " does not settle;");
}

/* Gateways go on doing what they can in a crowd, and nobody is refused long after it. */
static bool crowd(struct lab *l, struct lab_text *t)
{
	double at = lab_began(l, 1), end = lab_began(l, 2), meanwhile = lab_goodput(l, at, end);
	double after = lab_goodput(l, end + 3, lab_began(l, 3));
	bool good = lab_no_refusal(l, t, 2, 5);

	lab_say(t, " %.2f meanwhile, %.2f after;", meanwhile, after);
	good &= must(t, meanwhile >= 0.9, " too little meanwhile;");
	return good & must(t, after >= 0.75, " too little after;");
}

/* ---- The scenarios ------------------------------------------------------------------------------------- */

#define SLOW                                                                                                 \
	.gateways = 4, .servers = 32, .service_s = 0.4, .queue = 64, .reject = 0.1, .absorb = 0.05,          \
	.reads_first = true, .options = true

static const struct scene scenes[] = {
	MODES("slow-stairs", SLOW,
	      .phases = { { 7, 0.8 }, { 7, 1 }, { 7, 1.5 }, { 7, 2 }, { 7, 5 }, { 7, 10 }, { 7, 0.8 } },
	      .shows = "slow gateways: goodput", .check = goodput),
	MODES("slow-step", SLOW, .phases = { { 7, 0.8 }, { 10.5, 5 }, { 10.5, 0.8 } },
	      .shows = "slow gateways: a step of the load", .check = settles),
	MODES("slow-flash", SLOW, .phases = { { 3.5, 0.8 }, { 3, 10 }, { 10.5, 0.8 } },
	      .shows = "slow gateways: a flash crowd", .check = crowd),
};
const struct lab_scenes lab_slow_scenes = { scenes, sizeof(scenes) / sizeof(scenes[0]) };
