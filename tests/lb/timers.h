/* SPDX-License-Identifier: BSD-3-Clause */
/* The timers of a worker as the config has them by default. */
#ifndef WEIR_TESTS_LB_TIMERS_H
#define WEIR_TESTS_LB_TIMERS_H

#include "lb/lb.h"

#define TIMERS_S UINT64_C(1000000000)

static const struct lb_timers default_timers = {
	.t1 = TIMERS_S / 2,
	.t2 = 4 * TIMERS_S,
	.t4 = 5 * TIMERS_S,
	.b = 32 * TIMERS_S,
	.c = 180 * TIMERS_S,
	.d = 32 * TIMERS_S,
	.release = 32 * TIMERS_S,
	.max_call = 4 * 3600 * TIMERS_S,
	.session_min = 90 * TIMERS_S,
};

#endif
