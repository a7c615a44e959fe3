/* SPDX-License-Identifier: BSD-3-Clause */
/* The scenarios of the overload laboratory, and what each must show. */
#include <stddef.h>
#include "bench/sim_overload.h"

#define STAIRS                                                                                               \
	{                                                                                                    \
		{ 15, 0.8 }, { 15, 1 }, { 15, 1.5 }, { 15, 2 }, { 15, 5 }, { 15, 10 }, { 15, 2 },            \
		{                                                                                            \
			15, 0.8                                                                              \
		}                                                                                            \
	}

#define C32 .gateways = 4, .servers = 32, .service_s = 0.05, .reject = 0.1

const struct scene lab_scenes[] = {
	{ .name = "none/on-dequeue",
	  .shows = "no control",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .learn = LB_LEARN_OFF,
	  .phases = STAIRS },
	{ .name = "stairs/on-receipt",
	  .shows = "goodput",
	  C32,
	  .trying = TRYING_ON_RECEIPT,
	  .phases = STAIRS },
	{ .name = "stairs/on-dequeue",
	  .shows = "goodput",
	  C32,
	  .trying = TRYING_ON_DEQUEUE,
	  .phases = STAIRS },
	{ .name = "stairs/never", .shows = "goodput", C32, .trying = TRYING_NEVER, .phases = STAIRS },
};
const unsigned lab_n_scenes = sizeof(lab_scenes) / sizeof(lab_scenes[0]);
