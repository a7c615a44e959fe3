/* SPDX-License-Identifier: BSD-3-Clause */
/* For the scenarios of the overload laboratory: what they must show, and how they say that they do not. */
#ifndef WEIR_BENCH_SIM_OVERLOAD_CHECK_H
#define WEIR_BENCH_SIM_OVERLOAD_CHECK_H

#include "bench/sim_overload/lab.h"

/* Adds to what a check has to say. */
__attribute__((format(printf, 2, 3))) void lab_say(struct lab_text *t, const char *format, ...);

/* Says it if it does not hold. */
#define must(t, holds, ...) ((holds) || (lab_say(t, __VA_ARGS__), false))

/* Nobody is refused in a phase from `after_s` on. */
bool lab_no_refusal(struct lab *l, struct lab_text *t, unsigned phase, double after_s);

/* Least goodput at this load, both as parts of what gateways can take. */
double lab_wanted_goodput(const struct scene *scene, double load);

/* Goodput of every phase; from twice the load on, delays; hardly an INVITE twice unless datagrams are lost;
 * below the capacity nobody is refused for long. */
bool lab_goodput_held(struct lab *l, struct lab_text *t);

/* Jain's index: 1 when all n are equal, 1/n when one has everything. */
double lab_jain(const double *parts, unsigned n);

/* Gateways and loads that several scenarios have. */
#define STAIRS                                                                                               \
	{                                                                                                    \
		{ 15, 0.8 }, { 15, 1 }, { 15, 1.5 }, { 15, 2 }, { 15, 5 }, { 15, 10 }, { 15, 2 },            \
		{                                                                                            \
			15, 0.8                                                                              \
		}                                                                                            \
	}
#define C32 .gateways = 4, .servers = 32, .service_s = 0.05, .reject = 0.1
#define MODES(NAME, ...)                                                                                     \
	{ .name = NAME "/on-receipt", .trying = TRYING_ON_RECEIPT, __VA_ARGS__ },                            \
		{ .name = NAME "/on-dequeue", .trying = TRYING_ON_DEQUEUE, __VA_ARGS__ },                    \
	{                                                                                                    \
		.name = NAME "/never", .trying = TRYING_NEVER, __VA_ARGS__                                   \
	}

#endif
