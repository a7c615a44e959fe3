/* SPDX-License-Identifier: BSD-3-Clause */
/* Histogram: edges are exact where SIP's timers are, buckets are narrow, merging adds, quantiles are near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stats/tables.h"

static uint64_t below(uint64_t ns, unsigned int edge)
{
	struct st_hist h = { 0 };

	st_hist_add(&h, ns);
	return st_hist_below(&h, edge);
}

static void test_timer_edges_are_exact(void **state)
{
	/* 0.5, 1, 2 ... 32 s are 2^23 .. 2^29 ticks. A duration equal to an edge is inside (le). */
	uint64_t edge_ns = 500000000;

	for (unsigned int edge = 23; edge <= 29; edge++, edge_ns *= 2) {
		assert_int_equal(below(edge_ns, edge), 1);
		assert_int_equal(below(edge_ns + 1, edge), 0);
		assert_true(st_edge_seconds(edge) == (double)edge_ns / 1e9);
	}
}

static void test_buckets_are_ordered_and_cover_all(void **state)
{
	unsigned int last = 0;

	assert_int_equal(st_hist_bucket(0), 0);
	for (uint64_t ns = 1; ns < 200000000000u; ns += 1 + ns / 97) {
		unsigned int b = st_hist_bucket(ns);

		assert_in_range(b, last, last + 1);
		last = b;
	}
	assert_int_equal(last, ST_HIST_BUCKETS - 1);
	assert_int_equal(st_hist_bucket(UINT64_MAX), ST_HIST_BUCKETS - 1);
}

static void test_quantile(void **state)
{
	struct st_hist a = { 0 }, b = { 0 };

	assert_int_equal(st_hist_quantile(&a, 0.5), 0);
	for (uint64_t i = 1; i <= 1000; i++) /* 1 .. 1000 ms, odd ones in a, even ones in b */
		st_hist_add(i % 2 ? &a : &b, i * 1000000);
	st_hist_merge(&a, &b);
	assert_int_equal(st_hist_count(&a), 1000);
	assert_int_equal(a.sum_ns, 500500000000);
	assert_in_range(st_hist_quantile(&a, 0.5), 480000000, 520000000);
	assert_in_range(st_hist_quantile(&a, 0.99), 950000000, 1030000000);
	assert_in_range(st_hist_quantile(&a, 0.001), 0, 1300000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timer_edges_are_exact),
		cmocka_unit_test(test_buckets_are_ordered_and_cover_all),
		cmocka_unit_test(test_quantile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
