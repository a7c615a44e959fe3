/* SPDX-License-Identifier: BSD-3-Clause */
/* Health of one gateway: how it comes back from DOWN, and what it gets while it is full. */
#include "tests/lb/play.h"

/* ---- And back ---------------------------------------------------------------------------------------- */

static void back_by_steps(void **state)
{
	struct gateway_play g;
	uint32_t rate = HEALTH_START;

	begin(&g);
	go_down(&g);
	steady(&g, 0, 0, 0, 60 * SECOND); /* without a sign of life it stays */
	probe(&g, LB_PROBE_OK);
	steady(&g, 0, 0, 0, 5 * SECOND); /* one is not enough */
	probe(&g, LB_PROBE_OK);
	assert_true(step(&g, 0, 0, 0));
	expect(&g, LB_PROBING, LB_WHY_ALIVE);
	steady(&g, 0, 0, 0, 300 * SECOND); /* nobody calls: it waits, ready for a trickle */
	assert_int_equal(g.h.rate, HEALTH_TRICKLE);
	steady(&g, 1, 1, 1, 5 * SECOND); /* 503 to each: alive, and no step further */
	go_slow(&g);
	assert_int_equal(g.h.rate, rate);
	for (uint64_t s = 0; s < 9; s++) {
		steady(&g, 1, 1, 0, SECOND);
		rate *= 2;
		assert_int_equal(g.h.rate, rate);
	}
	until_change(&g, 1, 1, 0, 2 * SECOND);
	expect(&g, LB_UP, LB_WHY_CLEAR);
	assert_int_equal(g.h.rate, LB_UNLIMITED);
	assert_int_equal(g.h.open_cap, LB_UNLIMITED);
}

/* An unknown cannot have been proven by answers that came to it before. */
static void hold_off_without_probes(void **state)
{
	struct gateway_play g;
	uint64_t took;

	begin(&g);
	g.s.down_after = g.s.up_after = 0;
	steady(&g, 0, 0, 0, 60 * SECOND);
	go_down(&g);
	took = until_change(&g, 0, 0, 0, 2 * SECOND);
	assert_int_equal(took, HEALTH_HOLD_NS);
	expect(&g, LB_PROBING, LB_WHY_HELD_OFF);
	steady(&g, 0, 0, 0, 60 * SECOND);
	assert_false(step(&g, 1, 0, 0));
	until_change(&g, 0, 0, 0, 2 * SECOND);
	expect(&g, LB_DOWN, LB_WHY_MUTE);
	took = until_change(&g, 0, 0, 0, 3 * SECOND);
	assert_int_equal(took, 2 * HEALTH_HOLD_NS);
	go_slow(&g);
}

/* Nobody in the pool is well: the trickle doubles with each answer. */
static void trickle_grows_when_alone(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	g.s.alone = true;
	assert_false(step(&g, 0, 0, 0));
	assert_int_equal(g.h.rate, 1);
	assert_false(step(&g, 1, 1, 0));
	assert_int_equal(g.h.rate, 2);
	assert_false(step(&g, 1, 1, 0));
	assert_int_equal(g.h.rate, 4);
	g.s.alone = false;
	assert_false(step(&g, 0, 0, 0));
	assert_int_equal(g.h.rate, 1);
}

static void slow_start_ends_at_the_limit(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	go_slow(&g);
	g.s.limit = 35;
	assert_in_range(until_change(&g, 2, 2, 0, 4 * SECOND), 2 * SECOND, 2 * SECOND + 2 * STEP);
	expect(&g, LB_UP, LB_WHY_LIMIT);
}

/* New calls passed it by because it was being tried, and not for what it can take. */
static void tried_is_not_full(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	go_slow(&g);
	g.s.passed = 50; /* most of its calls still go elsewhere */
	g.s.limit = 35;
	until_change(&g, 1, 1, 0, 4 * SECOND);
	expect(&g, LB_UP, LB_WHY_LIMIT);
	g.s.passed = 0;
	steady(&g, 10, 10, 0, 5 * SECOND);
}

/* What it carried before it fell says where it may begin. */
static void slow_start_begins_at_a_quarter(void **state)
{
	struct gateway_play g;

	begin(&g);
	steady(&g, 40, 40, 0, 10 * SECOND); /* 400 calls/s */
	until_change(&g, 40, 0, 0, 3 * SECOND);
	go_probing(&g);
	go_slow(&g);
	assert_in_range(g.h.rate, 80, 100);
}

static void slow_start_in_trouble(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	go_slow(&g);
	steady(&g, 2, 2, 0, SECOND);
	assert_int_equal(g.h.rate, 2 * HEALTH_START);
	steady(&g, 2, 2, 1, SECOND);
	assert_int_equal(g.h.rate, HEALTH_START);
	steady(&g, 2, 2, 0, SECOND);
	assert_int_equal(g.h.rate, 2 * HEALTH_START);
	until_change(&g, 1, 0, 0, 3 * SECOND); /* silent again, with three calls */
	expect(&g, LB_DOWN, LB_WHY_MUTE);

	begin(&g);
	go_down(&g);
	go_probing(&g);
	go_slow(&g);
	until_change(&g, 1, 1, 1, 40 * SECOND); /* refuses without end: not held for ever */
	expect(&g, LB_UP, LB_WHY_CLEAR);
}

static void flaps_are_forgiven(void **state)
{
	struct gateway_play g;
	uint64_t down;

	begin(&g);
	for (int i = 0; i < 4; i++) {
		go_down(&g);
		go_probing(&g);
		go_slow(&g);
		until_change(&g, 4, 4, 0, 11 * SECOND);
	}
	steady(&g, 4, 4, 0, 2 * HEALTH_CALM_NS + STEP);
	go_down(&g);
	down = g.s.now;
	go_probing(&g);
	assert_in_range(g.s.now - down, 4 * SECOND, 4 * SECOND + STEP); /* 16 s without the calm */
}

/* ---- Full --------------------------------------------------------------------------------------------- */

static void full_by_probes(void **state)
{
	struct gateway_play g;
	uint32_t rate;

	begin(&g);
	steady(&g, 10, 10, 0, 3 * SECOND); /* 100 calls/s */
	probe(&g, LB_PROBE_REFUSED);
	assert_true(step(&g, 10, 10, 0));
	expect(&g, LB_SATURATED, LB_WHY_PROBE_503);
	steady(&g, 10, 10, 10, SECOND + STEP); /* judged when the second in hand is over */
	assert_in_range(g.h.rate, 60, 80);
	for (int i = 0; i < 40; i++) { /* calls are refused, too: ever less, never nothing */
		uint32_t n = g.h.rate / 10 ? g.h.rate / 10 : 1;

		steady(&g, n, n, n, SECOND);
		probe(&g, LB_PROBE_REFUSED);
		assert_false(step(&g, 0, 0, 0));
		assert_true(g.h.rate >= 1);
	}
	assert_in_range(g.h.rate, 1, 3);
	rate = g.h.rate;
	probe(&g, LB_PROBE_OK);
	until_change(&g, 0, 0, 0, 4 * SECOND);
	expect(&g, LB_SLOWSTART, LB_WHY_EASED);
	assert_true(g.h.rate >= rate && g.h.rate < 100);
	until_change(&g, 1, 1, 0, 11 * SECOND);
	expect(&g, LB_UP, LB_WHY_CLEAR);
}

/* Probes that left before the learned limit was lowered tell nothing new: what they speak of has been
 * answered. */
static void full_and_answered(void **state)
{
	struct gateway_play g;

	begin(&g);
	steady(&g, 10, 10, 0, 3 * SECOND);
	probe(&g, LB_PROBE_REFUSED);
	assert_true(step(&g, 10, 10, 0));
	expect(&g, LB_SATURATED, LB_WHY_PROBE_503);
	g.s.lowered = g.s.now;
	steady(&g, 10, 10, 0, SECOND + STEP);
	assert_int_equal(g.h.rate, LB_UNLIMITED);
	probe(&g, LB_PROBE_REFUSED); /* one that left after that does */
	steady(&g, 10, 10, 0, SECOND + STEP);
	assert_in_range(g.h.rate, 60, 80);
}

/* One that answers every OPTIONS with 503 and takes all calls keeps its calls. */
static void refuses_probes_out_of_habit(void **state)
{
	struct gateway_play g;
	uint32_t sum = 0;

	begin(&g);
	for (int i = 0; i < 600; i++) {
		uint32_t n = g.h.rate < 100 ? (g.h.rate + i % 10) / 10 : 10;

		if (i % 50 == 0)
			probe(&g, LB_PROBE_REFUSED);
		step(&g, n, n, 0);
		sum += i >= 300 ? n : 0;
	}
	assert_int_equal(g.h.state, LB_SATURATED);
	assert_true(sum > 300 * 10 * 6 / 10);
}

static void full_without_traffic(void **state)
{
	struct gateway_play g;

	begin(&g);
	probe(&g, LB_PROBE_REFUSED);
	assert_true(step(&g, 0, 0, 0));
	expect(&g, LB_SATURATED, LB_WHY_PROBE_503);
	steady(&g, 0, 0, 0, 20 * SECOND);
	assert_int_equal(g.h.rate, LB_UNLIMITED);
	probe(&g, LB_PROBE_OK);
	until_change(&g, 0, 0, 0, 4 * SECOND);
	expect(&g, LB_UP, LB_WHY_CLEAR);
}

static void full_by_oc_and_by_limit(void **state)
{
	struct gateway_play g;

	begin(&g);
	g.s.oc = true;
	assert_true(step(&g, 4, 4, 0));
	expect(&g, LB_SATURATED, LB_WHY_OC);
	assert_int_equal(g.h.rate, LB_UNLIMITED); /* oc itself is obeyed elsewhere */
	g.s.oc = false;
	assert_in_range(until_change(&g, 4, 4, 0, 4 * SECOND), HEALTH_EASED_NS, HEALTH_EASED_NS + STEP);
	expect(&g, LB_UP, LB_WHY_CLEAR);
	g.s.passed = 4;
	steady(&g, 4, 4, 0, 2 * SECOND);
	g.s.passed = 5; /* more pass it by than it gets: now it is called so, a second later */
	until_change(&g, 4, 4, 0, 2 * SECOND + STEP);
	expect(&g, LB_SATURATED, LB_WHY_OFFERED);
	until_change(&g, 4, 0, 0, 3 * SECOND);
	expect(&g, LB_DOWN, LB_WHY_MUTE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(back_by_steps),
		cmocka_unit_test(hold_off_without_probes),
		cmocka_unit_test(trickle_grows_when_alone),
		cmocka_unit_test(slow_start_ends_at_the_limit),
		cmocka_unit_test(tried_is_not_full),
		cmocka_unit_test(slow_start_begins_at_a_quarter),
		cmocka_unit_test(slow_start_in_trouble),
		cmocka_unit_test(flaps_are_forgiven),
		cmocka_unit_test(full_by_probes),
		cmocka_unit_test(full_and_answered),
		cmocka_unit_test(refuses_probes_out_of_habit),
		cmocka_unit_test(full_without_traffic),
		cmocka_unit_test(full_by_oc_and_by_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
