/* SPDX-License-Identifier: BSD-3-Clause */
/* The laws of balance with work in hand. All is seeded, so every figure is the same in each run. */
#include "tests/lb/choice.h"

#define CALLS 1000000u

/* ---- Shares ------------------------------------------------------------------------------------------ */

/* Whatever the law: as long as each call is answered before the next, shares are the weights. */
static void shares_are_the_weights(void **state)
{
	static const uint16_t weights[5] = { 10, 20, 30, 1, 0 };

	for (enum lb_balance law = LB_BALANCE_HASH; law <= LB_BALANCE_WEIGHTED; law++) {
		uint32_t shares[5] = { 0 };
		struct world w;

		start(&w, law, weights, 5);
		for (uint32_t i = 0; i < CALLS; i++) {
			uint16_t slot = give(&w, i);

			shares[slot]++;
			answered(&w, slot);
		}
		for (unsigned i = 0; i < 5; i++) {
			near(shares[i], weights[i] / 61.0, CALLS);
			if (law == LB_BALANCE_WEIGHTED && /* no chance in it: the slots of the table, walked
							     evenly */
			    fabs(shares[i] - weights[i] / 61.0 * CALLS) > 50)
				fail_msg("turns: %u of weight %u", shares[i], weights[i]);
		}
		world_free(&w);
	}
}

/* By turns nobody waits long for his: in any 100 calls in a row shares are within 2 of the weights. */
static void turns_are_even(void **state)
{
	static const uint16_t weights[4] = { 1, 1, 1, 1 };
	uint16_t to[100] = { 0 };
	uint32_t shares[4] = { 0 };
	struct world w;

	start(&w, LB_BALANCE_WEIGHTED, weights, 4);
	for (uint32_t i = 0; i < 100000; i++) {
		if (i >= 100)
			shares[to[i % 100]]--;
		to[i % 100] = give(&w, 5); /* one Call-ID: the law does not ask for it */
		shares[to[i % 100]]++;
		answered(&w, to[i % 100]);
		for (unsigned k = 0; i >= 100 && k < 4; k++)
			assert_in_range(shares[k], 23, 27);
	}
	world_free(&w);
}

/* ---- Least work -------------------------------------------------------------------------------------- */

/* Calls that stay unanswered fill the gateways up by their weights, to the last one. */
static void least_work_levels(void **state)
{
	static const uint16_t weights[3] = { 10, 20, 30 };
	struct world w;

	start(&w, LB_BALANCE_LEAST_WORK, weights, 3);
	for (uint32_t i = 0; i < 600; i++)
		assert_int_not_equal(give(&w, i), LB_NONE);
	for (uint16_t i = 0; i < 3; i++)
		assert_int_equal(lb_gateway_open(w.words, i), 100 * (i + 1));
	for (uint32_t i = 0; i < 50; i++)
		answered(&w, 1);
	for (uint32_t i = 0; i < 50; i++)
		assert_int_equal(give(&w, i), 1); /* all go where there is less to do */
	world_free(&w);
}

/* Up to LIMIT_LEAST_ALL of them none is overlooked: at no moment has one two more than another. */
static void least_work_of_all(void **state)
{
	uint16_t weights[LIMIT_LEAST_ALL];
	struct world w;

	for (unsigned i = 0; i < LIMIT_LEAST_ALL; i++)
		weights[i] = 1;
	start(&w, LB_BALANCE_LEAST_WORK, weights, LIMIT_LEAST_ALL);
	for (uint32_t n = 0; n < 20 * LIMIT_LEAST_ALL; n++) {
		uint16_t slot = give(&w, n);

		assert_int_not_equal(slot, LB_NONE);
		assert_int_equal(lb_gateway_open(w.words, slot), n / LIMIT_LEAST_ALL + 1);
	}
	world_free(&w);
}

/* In a tier larger than LIMIT_LEAST_ALL some are drawn: nearly as level, and nobody is forgotten. */
static void least_work_of_many(void **state)
{
	uint16_t weights[60];
	uint32_t most = 0, least = UINT32_MAX;
	struct world w;

	for (unsigned i = 0; i < 60; i++)
		weights[i] = 1;
	start(&w, LB_BALANCE_LEAST_WORK, weights, 60);
	for (uint32_t i = 0; i < 60000; i++)
		assert_int_not_equal(give(&w, i), LB_NONE);
	for (uint16_t i = 0; i < 60; i++) {
		uint32_t open = lb_gateway_open(w.words, i);

		most = open > most ? open : most;
		least = open < least ? open : least;
	}
	assert_in_range(least, 990, 1000);
	assert_in_range(most, 1000, 1010);
	for (uint16_t i = 0; i < 59; i++)
		lb_set_health(w.words, i, LB_DOWN);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(give(&w, i), 59);
	world_free(&w);
}

/* ---- Bounded load ------------------------------------------------------------------------------------- */

/* Nothing is bound while there are 32 open for each gateway or fewer: the Call-ID decides alone. */
static void no_bound_at_first(void **state)
{
	static const uint16_t weights[4] = { 1, 1, 1, 1 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 4);
	for (uint32_t i = 0; i <= 128; i++)
		assert_int_equal(give(&w, i), lb_pick_ideal(w.snap, 0, call_id(i)));
	world_free(&w);
}

/* One Call-ID over and over: its gateway gets 1.25 x its share and not one more, the others the rest. */
static void bound_holds(void **state)
{
	static const uint16_t weights[4] = { 1, 1, 2, 4 };
	uint16_t home = LB_NONE;
	uint64_t call = 0;
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 4);
	while ((home = lb_pick_ideal(w.snap, 0, call_id(call))) != 1)
		call++;
	for (uint32_t i = 0; i < 10000; i++) {
		assert_int_not_equal(give(&w, call), LB_NONE);
		for (uint16_t k = 0; i >= 1000 && k < 4; k++)
			assert_true(lb_gateway_open(w.words, k) <= 1.25 * (i + 1) * weights[k] / 8 + 1);
	}
	assert_in_range(lb_gateway_open(w.words, 1), 1562, 1563);
	assert_true(skipped(&w, 1, LB_STOP_BOUND) > 8000);
	world_free(&w);
}

/*
 * One in a thousand calls is for a small gateway, tried out beside a large one: it gets them while there is
 * work in hand as well. A fair share of less than one call at once is no reason to pass it by.
 */
static void bound_leaves_one_to_everybody(void **state)
{
	static const uint16_t weights[2] = { 1, 999 };
	uint32_t shares[2] = { 0 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 2);
	w.words->gateway[1].open = w.words->pool[0].open[0] = 100; /* that are not answered yet */
	for (uint32_t i = 0; i < CALLS; i++) {
		uint16_t slot = give(&w, i);

		shares[slot]++;
		answered(&w, slot);
	}
	near(shares[0], 0.001, CALLS);
	assert_int_equal(skipped(&w, 0, LB_STOP_BOUND), 0);
	world_free(&w);
}

/* Where one is slow, its work piles up to the bound; what goes elsewhere then goes to the others alone. */
static void slow_one_is_spared(void **state)
{
	static const uint16_t weights[4] = { 1, 1, 1, 1 };
	uint16_t pending[400];
	uint32_t shares[4] = { 0 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 4);
	for (uint32_t i = 0; i < 400; i++)
		pending[i] = give(&w, i);
	for (uint32_t i = 0; i < 100000; i++) {
		uint16_t *oldest = &pending[i % 400];

		if (*oldest == 0 && i % 4) /* gateway 0 answers one in four */
			continue;
		answered(&w, *oldest);
		*oldest = give(&w, 400 + i);
		shares[*oldest]++;
	}
	assert_true(lb_gateway_open(w.words, 0) <= 126);
	assert_true(lb_gateway_open(w.words, 0) >= 120);
	assert_true(shares[0] < shares[1] / 2);
	world_free(&w);
}

/* Of four one is down: the others' fair share is a third, so nobody is above the bound. */
static void share_of_those_that_can(void **state)
{
	static const uint16_t weights[4] = { 1, 1, 1, 1 };
	uint64_t before = 0;
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 4);
	lb_set_health(w.words, 3, LB_DOWN);
	lb_set_able(w.words, 0, 0, 3);
	for (uint32_t i = 0; i < 30000; i++) {
		uint16_t ideal = lb_pick_ideal(w.snap, 0, call_id(i)), slot = give(&w, i);

		if (i < 3000) /* chance is still greater than the bound */
			before = skipped(&w, 0, LB_STOP_BOUND);
		else if (ideal != 3)
			assert_int_equal(slot, ideal);
	}
	assert_int_equal(skipped(&w, 0, LB_STOP_BOUND), before);
	lb_set_able(w.words, 0, 0, 0);
	for (uint32_t i = 0; i < 1000; i++)
		assert_in_range(give(&w, i), 0, 2);
	assert_true(skipped(&w, 0, LB_STOP_BOUND) > before + 100);
	world_free(&w);
}

/* Other requests than INVITE leave nothing open, and are not bound. */
static void requests_are_not_bound(void **state)
{
	static const uint16_t weights[2] = { 1, 1 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 2);
	w.words->gateway[0].open = w.words->pool[0].open[0] = 1000;
	for (uint32_t i = 0; i < 1000; i++) {
		struct pick p = pick_at(&w, i);

		p.ask = (struct ask){ .now = w.now, .what = ASK_REQUEST };
		assert_int_equal(pick(&p, w.snap, 0)->slot, lb_pick_ideal(w.snap, 0, call_id(i)));
		assert_int_equal(give(&w, i), 1); /* a call is */
		answered(&w, 1);
	}
	world_free(&w);
}

/* ---- What is hashed ----------------------------------------------------------------------------------- */

static void hash_of_other_things(void **state)
{
	static const uint16_t weights[4] = { 1, 1, 1, 1 };
	uint32_t shares[4] = { 0 }, sources[4] = { 0 }, nobodies[4] = { 0 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 4);
	w.pool[0].hash = LB_HASH_TO;
	w.pool[1] = w.pool[0];
	world_build(&w);
	assert_int_equal(lb_pick_ideal(w.snap, 0, call_id(1)), LB_NONE); /* the Call-ID does not tell */
	for (uint32_t i = 0; i < 40000; i++) {
		struct pick p = pick_at(&w, i);
		char number[16];
		const struct gateway *g;

		snprintf(number, sizeof(number), "+8210%u", i / 10);
		p.called = (struct str){ number, (uint32_t)strlen(number) };
		p.ask.opens = false;
		g = pick(&p, w.snap, 0);
		shares[g->slot]++;
		p.call_hash = call_id(i + 99);
		p.src.port = i;
		assert_ptr_equal(pick(&p, w.snap, 0), g);
		p.called.n = 0; /* nobody is named: its Call-ID has to tell */
		nobodies[pick(&p, w.snap, 0)->slot]++;
	}
	w.pool[0].hash = LB_HASH_SOURCE;
	world_build(&w);
	for (uint32_t i = 0; i < 40000; i++) {
		struct pick p = pick_at(&w, i);

		p.src.ip[14] = i >> 8;
		p.src.ip[15] = i;
		p.src.port = i * 7;
		p.ask.opens = false;
		sources[pick(&p, w.snap, 0)->slot]++;
		if (i % 256 == 9)
			assert_ptr_equal(pick(&p, w.snap, 0), pick(&p, w.snap, 0));
	}
	for (unsigned i = 0; i < 4; i++) {
		assert_in_range(shares[i], 9200, 10800); /* 4000 numbers */
		near(sources[i], 0.25, 40000);
		near(nobodies[i], 0.25, 40000);
	}
	world_free(&w);
}

/* ---- Observe ---------------------------------------------------------------------------------------- */

/* What is only observed stops nobody, and counts what it would have stopped. */
static void observed_stops_nobody(void **state)
{
	static const uint16_t weights[1] = { 1 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 1);
	w.gateway[0].observe = 1;
	world_build(&w);
	lb_set_gateway_rate(w.words, 0, 1000, w.now);
	lb_set_gateway_cps(w.words, 0, 2000);
	for (uint32_t i = 0; i < 100; i++)
		assert_int_equal(give(&w, i), 0);
	assert_int_equal(give(&w, 100), LB_NONE); /* the operator's limit is no matter of learning */
	assert_int_equal(w.lane->gateways[0].count[ST_GW_OBSERVED], 50);
	assert_int_equal(skipped(&w, 0, LB_STOP_RATE), 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares_are_the_weights),
		cmocka_unit_test(turns_are_even),
		cmocka_unit_test(least_work_levels),
		cmocka_unit_test(least_work_of_all),
		cmocka_unit_test(least_work_of_many),
		cmocka_unit_test(no_bound_at_first),
		cmocka_unit_test(bound_holds),
		cmocka_unit_test(slow_one_is_spared),
		cmocka_unit_test(share_of_those_that_can),
		cmocka_unit_test(requests_are_not_bound),
		cmocka_unit_test(hash_of_other_things),
		cmocka_unit_test(observed_stops_nobody),
		cmocka_unit_test(bound_leaves_one_to_everybody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
