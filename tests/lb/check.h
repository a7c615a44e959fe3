/* SPDX-License-Identifier: BSD-3-Clause */
/* cmocka with what it wants before it, and what several tests check. */
#ifndef WEIR_TESTS_LB_CHECK_H
#define WEIR_TESTS_LB_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "tests/lb/world.h"

/* xorshift64*: the same numbers in every run. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

/* The end and the kind of an action. */
static inline void expect_act(const struct lb_act *act, enum lb_op op, enum st_end end)
{
	assert_int_equal(act->end, end);
	assert_int_equal(act->op, op);
}

#endif
