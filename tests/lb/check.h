/* SPDX-License-Identifier: BSD-3-Clause */
/* cmocka with what it wants before it. */
#ifndef WEIR_TESTS_LB_CHECK_H
#define WEIR_TESTS_LB_CHECK_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

/* xorshift64*: the same numbers in every run. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

#endif
