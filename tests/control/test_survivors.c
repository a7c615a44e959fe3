/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls of the process before: written, read again, decayed; what is damaged counts as nothing. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/survivors.h"

#define HOUR 3600
#define MAX  (4 * HOUR)
#define T0   1800000000
#include "tests/control/small.h"

static char file[96], err[300];
static struct small small;
static struct lb_words *words;

static int set_up(void **state)
{
	if (small_make(&small, "survivors"))
		return -1;
	snprintf(file, sizeof(file), "%s/" SURVIVORS_FILE, small.dir);
	words = lb_words_init(aligned_alloc(64, (lb_words_size() + 63) & ~(size_t)63));
	return 0;
}

static int tear_down(void **state)
{
	unlink(file);
	free(words);
	return small_free(&small);
}

static void put(const char *text)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int load(struct survivors *s, int64_t now)
{
	return survivors_load(s, small.policy, small.dir, MAX, now, err, sizeof(err));
}

/* A process that runs until `now`: survivors are those of the file, of which BYEs took `ended`. */
static void live(int64_t from, int64_t until, uint32_t ended)
{
	struct survivors s;

	assert_int_equal(load(&s, from), 0);
	for (uint16_t i = 0; i < 2; i++)
		lb_set_survivors(words, small.policy->gateways[i].slot, survivors_most(&s, i, from));
	lb_cap_survivors(words, small.policy->gateways[0].slot, survivors_most(&s, 0, until));
	lb_cap_survivors(words, small.policy->gateways[0].slot,
			 lb_get_survivors(words, small.policy->gateways[0].slot) - ended);
	assert_int_equal(survivors_store(&s, words, small.dir, until, true), 0);
	survivors_free(&s);
}

static void nothing_is_there_at_first(void **state)
{
	struct survivors s;

	assert_int_equal(load(&s, T0), 0);
	assert_int_equal(survivors_most(&s, 0, T0), 0);
	survivors_free(&s);
	assert_int_equal(survivors_load(&s, small.policy, NULL, MAX, T0, err, sizeof(err)), 0);
	assert_int_equal(survivors_store(&s, words, NULL, T0, true), 0);
	survivors_free(&s);
}

static void calls_decay_over_the_longest_call(void **state)
{
	struct survivors s;

	put("weir-calls 1\nruns 1800000000\ngateway h 100\ngateway gone 7\nend 2\n");
	assert_int_equal(load(&s, T0), 0);
	assert_int_equal(survivors_most(&s, 0, T0), 0);
	assert_int_equal(survivors_most(&s, 1, T0), 100);
	assert_int_equal(survivors_most(&s, 1, T0 - 5), 100);
	assert_int_equal(survivors_most(&s, 1, T0 + HOUR), 75);
	assert_int_equal(survivors_most(&s, 1, T0 + HOUR + 1), 75);
	assert_int_equal(survivors_most(&s, 1, T0 + MAX - 1), 1);
	assert_int_equal(survivors_most(&s, 1, T0 + MAX), 0);
	survivors_free(&s);
}

/* Written by a clock that was ahead: young at first, and as old as any after the longest call. */
static void a_clock_that_was_ahead_keeps_nobody_for_ever(void **state)
{
	struct survivors s;

	put("weir-calls 1\nruns 1900000000 1890000000 1799992800\ngateway g 30 10 100\nend 1\n");
	assert_int_equal(load(&s, T0), 0);
	assert_int_equal(survivors_most(&s, 0, T0), 90);
	assert_int_equal(survivors_most(&s, 0, T0 + HOUR), 55);
	assert_int_equal(survivors_most(&s, 0, T0 + MAX), 0);
	survivors_free(&s);
}

static void a_clock_that_is_set_changes_no_age(void **state)
{
	struct survivors s;

	put("weir-calls 1\nruns 1800000000\ngateway g 100\nend 1\n");
	assert_int_equal(load(&s, T0 + HOUR), 0);
	survivors_clock_set(&s, -20 * HOUR);
	assert_int_equal(survivors_most(&s, 0, T0 - 19 * HOUR), 75);
	survivors_clock_set(&s, 50 * HOUR);
	assert_int_equal(survivors_most(&s, 0, T0 + 32 * HOUR), 50);
	survivors_free(&s);
}

static void restarts_do_not_make_old_calls_younger(void **state)
{
	struct survivors s;

	put("weir-calls 1\nruns 1800000000\ngateway g 100\nend 1\n");
	for (int i = 0; i < 20; i++)
		live(T0 + i * 600, T0 + (i + 1) * 600, 0);
	assert_int_equal(load(&s, T0 + 12000), 0);
	assert_in_range(survivors_most(&s, 0, T0 + 12000), 16, 18); /* 100 x (1 - 12000 / 14400) */
	assert_int_equal(survivors_most(&s, 0, T0 + MAX), 0);
	survivors_free(&s);
}

static void what_byes_took_off_stays_off(void **state)
{
	struct survivors s;

	put("weir-calls 1\nruns 1800000000\ngateway g 100\nend 1\n");
	live(T0, T0 + HOUR, 50);
	assert_int_equal(load(&s, T0 + HOUR), 0);
	assert_int_equal(survivors_most(&s, 0, T0 + HOUR), 25);
	assert_int_equal(survivors_most(&s, 0, T0 + 3 * HOUR), 9);
	survivors_free(&s);
}

static void more_runs_than_are_kept_lose_no_call(void **state)
{
	struct survivors s;

	put("weir-calls 1\nruns 1800000008 1800000007 1800000006 1800000005 1800000004 1800000003 1800000002 "
	    "1800000001\ngateway g 1 1 1 1 1 1 1 1\nend 1\n");
	live(T0 + 9, T0 + 9, 0);
	assert_int_equal(load(&s, T0 + 9), 0);
	assert_int_equal(s.n, SURVIVORS_RUNS - 1); /* the last one had no calls of its own */
	assert_int_equal(survivors_most(&s, 0, T0 + 9), 8);
	survivors_free(&s);
}

static void damage_counts_as_nothing(void **state)
{
	static const char *const bad[] = {
		"",
		"weir-calls 2\nruns 1800000000\nend 0\n",
		"weir-calls 1\nend 0\n",
		"weir-calls 1\nruns\nend 0\n",
		"weir-calls 1\nruns 1800000000\n",
		"weir-calls 1\nruns 1800000000\ngateway g 3\n",
		"weir-calls 1\nruns 1800000000\ngateway g 3\nend 2\n",
		"weir-calls 1\nruns 1800000000\ngateway g 3\nend 1\nmore\n",
		"weir-calls 1\nruns 1800000000\ngateway g\nend 1\n",
		"weir-calls 1\nruns 1800000000\ngateway g 3 4\nend 1\n",
		"weir-calls 1\nruns 1800000000\ngateway g -3\nend 1\n",
		"weir-calls 1\nruns 1800000000\ngateway g nan\nend 1\n",
		"weir-calls 1\nruns 1800000000\ngateway g 3x\nend 1\n",
		"weir-calls 1\nruns 1800000000 1800000001\nend 0\n",
		"weir-calls 1\nruns 9 8 7 6 5 4 3 2 1\nend 0\n",
	};
	struct survivors s;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put(bad[i]);
		if (load(&s, T0) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(survivors_most(&s, 0, T0), 0);
		assert_non_null(strstr(err, file));
		assert_non_null(strstr(err, "damaged, or of another version"));
		survivors_free(&s);
	}
}

static void nobody_else_may_read_it(void **state)
{
	struct survivors s;
	struct stat st;

	assert_int_equal(load(&s, T0), 0);
	assert_int_equal(survivors_store(&s, words, small.dir, T0, false), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(survivors_store(&s, words, "/nonexistent", T0, false), -ENOENT);
	survivors_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nothing_is_there_at_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(calls_decay_over_the_longest_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_clock_that_was_ahead_keeps_nobody_for_ever, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_clock_that_is_set_changes_no_age, set_up, tear_down),
		cmocka_unit_test_setup_teardown(restarts_do_not_make_old_calls_younger, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_byes_took_off_stays_off, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_runs_than_are_kept_lose_no_call, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_counts_as_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_else_may_read_it, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
