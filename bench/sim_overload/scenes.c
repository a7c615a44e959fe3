/* SPDX-License-Identifier: BSD-3-Clause */
/* The scenarios of the overload laboratory, and what each must show. */
#include <math.h>
#include <stddef.h>
#include "bench/sim_overload/check.h"

/* ---- What must be shown -------------------------------------------------------------------------------- */

/* After each rise of the load goodput is within 10 % of what can be from the third second on. */
static bool settles(struct lab *l, struct lab_text *t)
{
	bool good = lab_goodput_held(l, t);

	for (unsigned i = 1; i < MAX_PHASES && l->scene->phases[i].seconds > 0; i++) {
		double worst = 10, at = lab_began(l, i), load = l->scene->phases[i].load;

		if (load < 1)
			continue;
		for (double s = at + 3; s < at + 10; s += 1)
			worst = worst < lab_goodput(l, s, s + 1) ? worst : lab_goodput(l, s, s + 1);
		good &= must(t, worst >= 0.9, " a second of %.2f after the step;", worst);
		lab_say(t, " first 3 s %.2f %.2f %.2f, then >= %.2f;", lab_goodput(l, at, at + 1),
			lab_goodput(l, at + 1, at + 2), lab_goodput(l, at + 2, at + 3), worst);
	}
	return good;
}

/* All minutes of a long overload are alike. */
static bool steady(struct lab *l, struct lab_text *t)
{
	double worst = 10, end = lab_began(l, 1);
	bool good = lab_goodput_held(l, t);

	for (double s = 10; s + 60 <= end; s += 60)
		worst = worst < lab_goodput(l, s, s + 60) ? worst : lab_goodput(l, s, s + 60);
	lab_say(t, " worst minute %.3f, caps %.1f in the first, %.1f in the last;", worst,
		lab_cap(l, 10, 70) / l->scene->gateways, lab_cap(l, end - 60, end) / l->scene->gateways);
	return good & must(t, worst >= 0.95, " not steady;");
}

/* The pool loses what the slow gateway cannot do, and 5 % at most beside. */
static bool half(struct lab *l, struct lab_text *t)
{
	double n = l->scene->gateways, load = l->scene->phases[1].load, can = (n - 0.5) / n, from, to, got;

	lab_span(l, 1, &from, &to);
	got = lab_goodput(l, from, to);
	lab_say(t, " %.3f of %.3f;", got, load < can ? load : can);
	return must(t, got >= 0.95 * (load < can ? load : can), " too little;");
}

/* What troubles some calls lowers no limit by 5 %, and costs the others nothing. dead: their part. */
static bool unmoved(struct lab *l, struct lab_text *t)
{
	double from, to, before, after, dead = 0.05, offered, got;
	bool good;

	lab_span(l, 0, &from, &to);
	before = lab_cap(l, from, to);
	lab_span(l, 1, &from, &to);
	after = lab_cap(l, from, to);
	offered = l->scene->phases[1].load < 1 ? l->scene->phases[1].load : 1;
	got = lab_goodput(l, from, to) / offered / (l->scene->trouble == TROUBLE_SLOW_PREFIX ? 1 : 1 - dead);
	lab_say(t, " caps %.1f, then %.1f;", before / l->scene->gateways, after / l->scene->gateways);
	good = must(t, after > 0.95 * before, " a limit was lowered;");
	return good & must(t, got > 0.95, " the other calls got %.3f;", got);
}

/* All far ends take longer: that is taken for a queue at first, and found out. */
static bool found_out(struct lab *l, struct lab_text *t)
{
	double end = lab_began(l, 2), got = lab_goodput(l, end - 20, end) / l->scene->phases[1].load;

	lab_say(t, " %.3f of the calls from the 40th second on;", got);
	return must(t, got > 0.90, " too little;");
}

/* A mute gateway costs its share while it is mute. */
static bool mute(struct lab *l, struct lab_text *t)
{
	double n = l->scene->gateways, at = lab_began(l, 1),
	       can = fmin((n - 1) / n, l->scene->phases[1].load);
	double meanwhile = lab_goodput(l, at + 3, at + 10), later = lab_goodput(l, at + 15, at + 25);
	bool good;

	lab_say(t, " %.3f while mute, %.3f later;", meanwhile, later);
	good = must(t, meanwhile >= 0.95 * can, " too little;");
	good &= must(t, later >= 0.95 * fmin(1, l->scene->phases[1].load), " does not come back;");
	return good;
}

/* All peers ask for more than their parts, one for ten times as much as each other: all get the same. */
static bool fair(struct lab *l, struct lab_text *t)
{
	bool good = lab_goodput_held(l, t);
	double got[LAB_PEERS], jain, sum = 0;

	for (unsigned i = 0; i < LAB_PEERS; i++)
		sum += got[i] = l->peer[i].good;
	jain = lab_jain(got, LAB_PEERS);
	lab_say(t, " Jain's index %.3f, parts %.3f %.3f %.3f %.3f;", jain, got[0] / sum, got[1] / sum,
		got[2] / sum, got[3] / sum);
	return good & must(t, jain >= 0.98, " not fair;");
}

/* From the start, with nothing learned, far ends that take long are no queue: nobody is refused. */
static bool far_is_no_queue(struct lab *l, struct lab_text *t)
{
	double from, to, got;
	bool good = lab_no_refusal(l, t, 0, 5);

	lab_span(l, 0, &from, &to);
	got = lab_goodput(l, from, to) / l->scene->phases[0].load;
	return must(t, got > 0.95, " %.3f of the calls after the start;", got) && good;
}

/* Nothing but figures: for comparison. */
static bool shown(struct lab *l, struct lab_text *t)
{
	(void)l;
	(void)t;
	return true;
}

/* ---- The scenarios ------------------------------------------------------------------------------------- */

#define STEP                                                                                                 \
	{                                                                                                    \
		{ 20, 0.8 }, { 20, 5 },                                                                      \
		{                                                                                            \
			20, 0.8                                                                              \
		}                                                                                            \
	}
#define FLASH                                                                                                \
	{                                                                                                    \
		{ 20, 0.2 }, { 12, 10 },                                                                     \
		{                                                                                            \
			20, 0.2                                                                              \
		}                                                                                            \
	}
#define C1 .gateways = 4, .servers = 1, .service_s = 0.002, .reject = 0.1

/* Where a call takes longer than T1 and no 100 says so, Weir repeats the INVITE and in the end tries another
 * gateway, as it must: what that costs the gateways is not to be had back. */
#define ANSWERED(NAME, CHECK, ...)                                                                           \
	{ .name = NAME "/on-receipt", .trying = TRYING_ON_RECEIPT, .check = CHECK, __VA_ARGS__ },            \
		{ .name = NAME "/on-dequeue", .trying = TRYING_ON_DEQUEUE, .check = CHECK, __VA_ARGS__ },    \
	{                                                                                                    \
		.name = NAME "/never", .trying = TRYING_NEVER, .check = shown, __VA_ARGS__                   \
	}

static const struct scene scenes[] = {
	MODES("stairs", C32, .phases = STAIRS, .shows = "goodput", .check = lab_goodput_held),
	MODES("chance", C32, .exponential = true, .phases = STAIRS,
	      .shows = "the same, service times by chance", .check = lab_goodput_held),
	MODES("one-server", C1, .phases = STAIRS, .shows = "one server instead of 32", .check = shown),
	MODES("far", C32, .far_s = 1, .phases = STAIRS, .shows = "far ends that take 0.1 to 9 s",
	      .check = far_is_no_queue),
	MODES("step", C32, .phases = STEP, .shows = "a step of the load", .check = settles),
	MODES("flash", C32, .phases = FLASH, .shows = "a flash crowd", .check = settles),
	MODES("long", .gateways = 4, .servers = 32, .service_s = 0.2, .reject = 0.1,
	      .phases = { { 1800, 3 } }, .shows = "30 minutes from the first second", .check = steady),
	MODES("slow-start", .gateways = 4, .servers = 1, .service_s = 0.05, .reject = 0.1,
	      .phases = { { 600, 5 } }, .shows = "slow gateways, overloaded from the first second",
	      .check = shown),
	MODES("half-speed", .gateways = 8, .servers = 32, .service_s = 0.05, .reject = 0.1,
	      .trouble = TROUBLE_HALF_SPEED, .phases = { { 20, 0.9 }, { 60, 0.9 } },
	      .shows = "one gateway at half speed", .check = half),
	MODES("half-speed-2x", .gateways = 8, .servers = 32, .service_s = 0.05, .reject = 0.1,
	      .trouble = TROUBLE_HALF_SPEED, .phases = { { 20, 2 }, { 60, 2 } },
	      .shows = "the same under overload", .check = half),
	MODES("mute", C32, .trouble = TROUBLE_MUTE, .phases = { { 20, 2 }, { 40, 2 } },
	      .shows = "one gateway mute for 10 s", .check = mute),
	MODES("dead-prefix", C32, .trouble = TROUBLE_DEAD_PREFIX, .phases = { { 20, 0.8 }, { 40, 0.8 } },
	      .shows = "a dead prefix", .check = unmoved),
	MODES("dead-prefix-2x", C32, .trouble = TROUBLE_DEAD_PREFIX, .phases = { { 20, 2 }, { 40, 2 } },
	      .shows = "the same under overload", .check = unmoved),
	ANSWERED("late-prefix-2x", unmoved, C32, .trouble = TROUBLE_LATE_PREFIX,
		 .phases = { { 20, 2 }, { 40, 2 } }, .shows = "dead after 2 s"),
	ANSWERED("slow-prefix-2x", unmoved, C32, .trouble = TROUBLE_SLOW_PREFIX,
		 .phases = { { 20, 2 }, { 40, 2 } }, .shows = "a slow prefix"),
	ANSWERED("slow-far", found_out, C32, .trouble = TROUBLE_SLOW_FAR,
		 .phases = { { 20, 0.8 }, { 60, 0.8 } }, .shows = "all far ends 3 s slower"),
	MODES("greedy", C32, .greedy = 10, .phases = { { 15, 0.5 }, { 40, 6.5 } },
	      .shows = "one peer of four asks for ten times as much as each other", .check = fair),
	MODES("loss", C32, .loss = 0.05, .phases = { { 30, 0.8 }, { 20, 2 }, { 20, 0.8 } },
	      .shows = "5 % of datagrams lost each way", .check = lab_goodput_held),
	MODES("short-queue", C32, .queue = 10, .phases = STAIRS,
	      .shows = "gateways refuse past ten that wait", .check = lab_goodput_held),
	MODES("short-silent", C32, .queue = 10, .silent = true, .phases = STAIRS,
	      .shows = "gateways drop past ten that wait", .check = shown),
	ANSWERED("many", settles, .gateways = 300, .servers = 4, .service_s = 0.1, .reject = 0.1,
		 .phases = STEP, .shows = "300 gateways"),
	{ .name = "direct/503",
	  C32,
	  .direct = true,
	  .queue = 320,
	  .phases = STAIRS,
	  .shows = "nothing between, full gateways say 503",
	  .check = shown },
	{ .name = "direct/retry-after",
	  C32,
	  .direct = true,
	  .hold_off_s = 5,
	  .queue = 320,
	  .phases = STAIRS,
	  .shows = "and Retry-After: 5 is obeyed",
	  .check = shown },
	{ .name = "law/none",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .learn = LB_LEARN_OFF,
	  .phases = STAIRS,
	  .shows = "no control",
	  .check = shown },
	{ .name = "law/none-503",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .queue = 320,
	  .learn = LB_LEARN_OFF,
	  .phases = STAIRS,
	  .shows = "the gateways' own 503",
	  .check = shown },
	{ .name = "law/none-retry-after",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .queue = 320,
	  .hold_off_s = 5,
	  .learn = LB_LEARN_OFF,
	  .phases = STAIRS,
	  .shows = "and gateways that say Retry-After: 5 are stopped",
	  .check = shown },
	{ .name = "law/static",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .law = LB_LAW_STATIC,
	  .max_cps = 1,
	  .phases = STAIRS,
	  .shows = "max-cps at what they can take",
	  .check = shown },
	{ .name = "law/aimd",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .law = LB_LAW_AIMD,
	  .phases = STAIRS,
	  .shows = "AIMD",
	  .check = shown },
	{ .name = "law/gradient",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .law = LB_LAW_GRADIENT,
	  .phases = STAIRS,
	  .shows = "gradient",
	  .check = shown },
};
const struct lab_scenes lab_law_scenes = { scenes, sizeof(scenes) / sizeof(scenes[0]) };
