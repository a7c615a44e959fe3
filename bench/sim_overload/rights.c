/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The scenarios of the overload laboratory about who gets what (overload control that is obeyed, emergency
 * calls, fair shares) and about what cannot be trusted: gateways that lie, refuse or vanish together, a clock
 * that jumps. And what each must show.
 */
#include <math.h>
#include <stddef.h>
#include "bench/sim_overload/check.h"

/* ---- What must be shown -------------------------------------------------------------------------------- */

/* Emergency calls of all peers from `first` on are answered, every one. */
static bool all_answered(const struct lab *l, struct lab_text *t, unsigned first)
{
	double offered = 0, good = 0;

	for (unsigned i = first; i < LAB_PEERS; i++) {
		offered += l->peer[i].emergency;
		good += l->peer[i].emergency_good;
	}
	lab_say(t, " %.0f of %.0f emergency calls;", good, offered);
	return must(t, offered > 0 && good == offered, " not all;");
}

static bool urgent(struct lab *l, struct lab_text *t)
{
	bool good = lab_goodput_held(l, t);

	return good & all_answered(l, t, 0);
}

/* Whatever becomes of the others. */
static bool urgent_cold(struct lab *l, struct lab_text *t)
{
	return all_answered(l, t, 0);
}

/*
 * 95 % or more of what can be above the capacity, however long gateways let their queues grow; at 1x chance
 * fills one queue or the other all the time, and each time stops a gateway.
 */
static bool mostly_held(struct lab *l, struct lab_text *t)
{
	bool good = true;

	for (unsigned i = 0; i < MAX_PHASES && l->scene->phases[i].seconds > 0; i++) {
		double from, to, load = l->scene->phases[i].load, got;

		lab_span(l, i, &from, &to);
		got = lab_goodput(l, from, to);
		good &= must(t, got >= fmin(load == 1 ? 0.92 : 0.95, lab_wanted_goodput(l->scene, load)),
			     " goodput %.3f at %gx;", got, load);
	}
	return good;
}

/*
 * Gateways are given what they ask for. How long a queue they let grow for it is their own affair: where they
 * can only say whole per cent to withhold, one of them is a tenth of their capacity at 10x.
 */
static bool obeyed(struct lab *l, struct lab_text *t)
{
	bool good = all_answered(l, t, 0);

	good &= mostly_held(l, t);
	for (unsigned i = 0; i < MAX_PHASES && l->scene->phases[i].seconds > 0; i++) {
		if (l->scene->phases[i].load < 0.9)
			good &= lab_no_refusal(l, t, i, 5);
	}
	return good;
}

/* One peer says that all its calls are emergency calls: it gets its share and max-emergency, and is told of.
 */
static bool crying(struct lab *l, struct lab_text *t)
{
	double s = l->scene->phases[1].seconds, most = l->scene->max_urgent * (s + 1), sum = 0, from, to,
	       part;
	bool good = lab_goodput_held(l, t);

	good &= all_answered(l, t, 1);
	for (unsigned i = 0; i < LAB_PEERS; i++)
		sum += l->peer[i].good;
	for (unsigned i = 1; i < LAB_PEERS; i++)
		most += l->scene->emergency * l->capacity * l->scene->phases[1].load * s / LAB_PEERS * 1.2;
	lab_span(l, 1, &from, &to);
	part = l->peer[0].good / sum - l->scene->max_urgent / l->capacity;
	lab_say(t, " %llu let in, of the rest it has %.3f, alarms %u %u %u %u;",
		(unsigned long long)l->urgent, part, l->peer[0].alarms, l->peer[1].alarms, l->peer[2].alarms,
		l->peer[3].alarms);
	good &= must(t, (double)l->urgent <= most, " more than its max-emergency;");
	good &= must(t, part < 1.2 / LAB_PEERS, " more than its share;");
	good &= must(t, l->peer[0].alarms > 0, " no alarm;");
	return good &
	       must(t, l->peer[1].alarms + l->peer[2].alarms + l->peer[3].alarms == 0, " a false alarm;");
}

/* The first peer's calls are long, and places short: the others get all they ask for. */
static bool long_calls(struct lab *l, struct lab_text *t)
{
	double served[LAB_PEERS - 1], least = 1, jain;
	bool good;

	for (unsigned i = 1; i < LAB_PEERS; i++) {
		served[i - 1] = l->peer[i].good / l->peer[i].offered;
		least = fmin(least, served[i - 1]);
	}
	jain = lab_jain(served, LAB_PEERS - 1);
	lab_say(t,
		" Jain's index of the others %.3f, at least %.3f of their calls; the long ones have %.0f of "
		"%u places;",
		jain, least, l->peer[0].places / l->peer[0].steps, l->scene->gateways * l->scene->max_calls);
	good = must(t, jain >= 0.95, " not fair;");
	return must(t, least >= 0.9, " the others are refused;") && good;
}

/* All want more places than there are: all have the same number of them. */
static bool same_places(struct lab *l, struct lab_text *t)
{
	double places[LAB_PEERS], jain, total = 0;
	bool good;

	for (unsigned i = 0; i < LAB_PEERS; i++)
		total += places[i] = l->peer[i].places / l->peer[i].steps;
	jain = lab_jain(places, LAB_PEERS);
	lab_say(t, " Jain's index of places %.3f, %.0f %.0f %.0f %.0f of %u;", jain, places[0], places[1],
		places[2], places[3], l->scene->gateways * l->scene->max_calls);
	good = must(t, jain >= 0.95, " not fair;");
	return must(t, total >= 0.9 * l->scene->gateways * l->scene->max_calls, " places stand empty;") &&
	       good;
}

/* The first gateway is lost; the others do at least 0.95 of what they can. */
static bool others(struct lab *l, struct lab_text *t)
{
	double n = l->scene->gateways, from, to, got, can = fmin((n - 1) / n, l->scene->phases[1].load);

	lab_span(l, 1, &from, &to);
	got = lab_goodput(l, from, to);
	lab_say(t, " %.3f of %.3f;", got, can);
	return must(t, got >= 0.95 * can, " too little;");
}

/* Goodput from the third second after the trouble on. */
static bool recovers(struct lab *l, struct lab_text *t)
{
	double at = lab_began(l, 1), end = lab_began(l, 2), can = fmin(1, l->scene->phases[1].load),
	       worst = 10;
	bool good;

	for (double s = at + 3; s + 1 <= end; s += 1)
		worst = fmin(worst, lab_goodput(l, s, s + 1));
	lab_say(t, " first 3 s %.2f %.2f %.2f, then >= %.2f;", lab_goodput(l, at, at + 1),
		lab_goodput(l, at + 1, at + 2), lab_goodput(l, at + 2, at + 3), worst);
	good = must(t, worst >= 0.9 * can, " a bad second;");
	return must(t, lab_goodput(l, at + 3, end) >= 0.95 * can, " too little;") && good;
}

/* Nothing passes for 3 s of every 10: of the others two go by until all is as before. */
static bool between(struct lab *l, struct lab_text *t)
{
	double at = lab_began(l, 1), end = lab_began(l, 2), can = fmin(1, l->scene->phases[1].load), sum = 0;
	unsigned n = 0;

	for (double s = at; s + 10 <= end; s += 10, n++)
		sum += lab_goodput(l, s + 5, s + 10);
	lab_say(t, " %.3f between;", sum / n);
	return must(t, sum / n >= 0.95 * can, " too little;");
}

/* ---- The scenarios ------------------------------------------------------------------------------------- */

#define OBEYS(NAME, ...)                                                                                     \
	{ .name = NAME "/loss", .oc = KIT_OC_LOSS, .learn = LB_LEARN_OFF, .hold_s = 0.2, __VA_ARGS__ },      \
	{                                                                                                    \
		.name = NAME "/rate", .oc = KIT_OC_RATE, .learn = LB_LEARN_OFF, .hold_s = 0.2, __VA_ARGS__   \
	}

/* Gateways that never say 100 and take almost T1 get every INVITE twice as soon as anything waits. */
#define ANSWERING(NAME, ...)                                                                                 \
	{ .name = NAME "/on-receipt", .trying = TRYING_ON_RECEIPT, __VA_ARGS__ },                            \
	{                                                                                                    \
		.name = NAME "/on-dequeue", .trying = TRYING_ON_DEQUEUE, __VA_ARGS__                         \
	}

#define HEEDS(NAME, ...)                                                                                     \
	{ .name = NAME "/stop", .trying = TRYING_ON_DEQUEUE, .hold_off_s = 5, __VA_ARGS__ },                 \
		{ .name = NAME "/shrink",                                                                    \
		  .trying = TRYING_ON_DEQUEUE,                                                               \
		  .hold_off_s = 5,                                                                           \
		  .retry = LB_GATEWAY_RETRY_SHRINK,                                                          \
		  __VA_ARGS__ },                                                                             \
	{                                                                                                    \
		.name = NAME "/ignore", .trying = TRYING_ON_DEQUEUE, .hold_off_s = 5,                        \
		.retry = LB_GATEWAY_RETRY_IGNORE, __VA_ARGS__                                                \
	}

static const struct scene scenes[] = {
	OBEYS("oc", C32, .emergency = 0.003, .max_urgent = 40, .phases = STAIRS,
	      .shows = "gateways say what they want, and nothing is learned", .check = obeyed),
	MODES("emergency", C32, .emergency = 0.003, .max_urgent = 40, .phases = { { 15, 0.8 }, { 30, 10 } },
	      .shows = "3 of 1000 calls are emergency calls", .check = urgent),
	ANSWERING("emergency-cold", .gateways = 4, .servers = 32, .service_s = 0.4, .reject = 0.1,
		  .queue = 64, .emergency = 0.003, .max_urgent = 10, .phases = { { 1, 0.8 }, { 30, 10 } },
		  .shows = "the same at gateways of 400 ms that nothing is known of", .check = urgent_cold),
	MODES("crying", C32, .emergency = 0.003, .max_urgent = 40, .trouble = TROUBLE_CRYING,
	      .phases = { { 15, 0.8 }, { 30, 10 } }, .shows = "one peer says that all its calls are",
	      .check = crying),
	MODES("long-calls", C32, .hold_s = 0.2, .long_s = 10, .max_calls = 240,
	      .phases = { { 15, 0.5 }, { 60, 1.2 } },
	      .shows = "calls of 10 s from one peer, 240 places a gateway", .check = long_calls),
	MODES("long-calls-short", C32, .hold_s = 0.2, .long_s = 10, .max_calls = 20,
	      .phases = { { 15, 0.1 }, { 60, 1.2 } }, .shows = "the same, 20 places", .check = same_places),
	MODES("refuses-all", C32, .trouble = TROUBLE_REFUSING, .phases = { { 20, 2 }, { 40, 2 } },
	      .shows = "one gateway says 503 to everything", .check = others),
	MODES("refuses-all-0.7x", C32, .trouble = TROUBLE_REFUSING, .phases = { { 20, 0.7 }, { 40, 0.7 } },
	      .shows = "the same with room at the others", .check = others),
	HEEDS("retry-after", C32, .queue = 10, .phases = STAIRS,
	      .shows = "gateways refuse past ten that wait, with Retry-After: 5", .check = mostly_held),
	HEEDS("retry-after-all-0.7x", C32, .trouble = TROUBLE_REFUSING,
	      .phases = { { 20, 0.7 }, { 40, 0.7 } },
	      .shows = "one gateway says so to everything, with room at the others", .check = others),
	OBEYS("oc-full", C32, .trouble = TROUBLE_OC_FULL, .phases = { { 20, 2 }, { 40, 2 } },
	      .shows = "one gateway pretends to be full", .check = others),
	OBEYS("oc-idle", C32, .trouble = TROUBLE_OC_IDLE, .phases = { { 20, 2 }, { 40, 2 } },
	      .shows = "one gateway never asks for less", .check = others),
	{ .name = "oc-idle/learns",
	  C32,
	  .oc = KIT_OC_LOSS,
	  .trouble = TROUBLE_OC_IDLE,
	  .phases = { { 20, 2 }, { 40, 2 } },
	  .shows = "the same, and Weir learns",
	  .check = lab_goodput_held },
	MODES("flapping", C32, .trouble = TROUBLE_FLAPPING, .probed = true,
	      .phases = { { 20, 2 }, { 60, 2 } }, .shows = "all gateways away for 3 s of 10",
	      .check = between),
	MODES("clock", C32, .trouble = TROUBLE_CLOCK, .phases = { { 20, 2 }, { 30, 2 } },
	      .shows = "Weir's clock jumps by a minute", .check = recovers),
	MODES("standstill", C32, .trouble = TROUBLE_STANDSTILL, .phases = { { 20, 0.8 }, { 30, 5 } },
	      .shows = "the governor stands still for 5 s when load rises", .check = recovers),
};
const struct lab_scenes lab_right_scenes = { scenes, sizeof(scenes) / sizeof(scenes[0]) };
