/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The laws of balance with work in hand, and the note that a pool is full. All is seeded, so every figure is
 * the same in each run.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include "lb/choose/balance.h"
#include "lb/worker.h"
#include "tests/lb/check.h"

#define CALLS 1000000u
#define MS    UINT64_C(1000000)

static uint64_t call_id(uint64_t i)
{
	static const struct lb_key key = { .k = { 1, 2 } };

	return lb_hash(&key, &i, sizeof(i));
}

static void start(struct world *w, enum lb_balance law, const uint16_t *weights, unsigned n)
{
	world_init(w);
	w->pool[0].balance = law;
	for (unsigned i = 0; i < n; i++)
		world_gateway(w, 0, weights[i], 0);
	world_build(w);
}

static struct pick pick_at(struct world *w, uint64_t i)
{
	return (struct pick){ .words = w->words,
			      .lane = w->lane,
			      .turns = w->worker->turns,
			      .call_hash = call_id(i),
			      .ask = { .now = w->now,
				       .branch = call_id(i + 7),
				       .what = ASK_CALL,
				       .room = true,
				       .opens = true,
				       .governed = true } };
}

/* The slot that call i is given, or LB_NONE. */
static uint16_t give(struct world *w, uint64_t i)
{
	const struct pick p = pick_at(w, i);
	const struct gateway *g = pick(&p, w->snap, 0);

	return g ? g->slot : LB_NONE;
}

/* Its first response but 100 has come. */
static void answered(struct world *w, uint16_t slot)
{
	word_close(w->words, slot, 0, w->gateway[slot].tier, 0);
}

static uint64_t skipped(const struct world *w, uint16_t slot, enum lb_stop why)
{
	return w->lane->gateways[slot].count[ST_GW_SKIPPED_STATE + why - LB_STOP_STATE];
}

/* n of `of` at a share of `part`: within 1 % and four deviations of the sample. */
static void near(uint32_t n, double part, uint32_t of)
{
	double expected = part * of;

	if (fabs(n - expected) > 0.01 * expected + 4 * sqrt(expected * (1 - part)))
		fail_msg("%u, expected %.0f", n, expected);
}

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
	uint32_t shares[4] = { 0 }, sources[4] = { 0 };
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
	}
	world_free(&w);
}

/* ---- A full pool --------------------------------------------------------------------------------------- */

static bool is_noted(const struct world *w)
{
	return w->words->pool[0].full[ASK_CALL] != 0;
}

/* Whatever frees a place ends the note at once. */
static void any_place_ends_the_note(void **state)
{
	static const uint16_t weights[3] = { 1, 1, 1 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 3);
	for (uint16_t i = 0; i < 3; i++)
		lb_set_gateway_calls(w.words, i, 4);
	lb_set_survivors(w.words, 2, 1);
	for (unsigned change = 0; change < 9; change++) {
		for (uint32_t i = 0; give(&w, i) != LB_NONE; i++)
			assert_in_range(i, 0, 20);
		assert_true(is_noted(&w));
		assert_int_equal(give(&w, 99), LB_NONE);
		switch (change) {
		case 0:
			assert_true(word_release(w.words, 1));
			break;
		case 1:
			lb_cap_survivors(w.words, 2, 0);
			break;
		case 2:
			lb_set_gateway_calls(w.words, 0, 5);
			break;
		case 3:
			lb_set_health(w.words, 0, LB_DOWN);
			assert_true(word_release(w.words, 0));
			assert_int_equal(give(&w, 5), LB_NONE); /* nobody is there to use it */
			lb_set_health(w.words, 0, LB_UP);
			break;
		case 4:
			lb_set_admin(w.words, 1, LB_MAINT);
			assert_true(word_release(w.words, 1));
			lb_set_admin(w.words, 1, LB_READY);
			break;
		case 5: /* as many open as allowed */
			lb_set_gateway_calls(w.words, 1, LB_UNLIMITED);
			lb_set_open_cap(w.words, 1, lb_gateway_open(w.words, 1) + 1);
			assert_int_equal(give(&w, 1), 1);
			assert_int_equal(give(&w, 2), LB_NONE);
			assert_true(is_noted(&w));
			answered(&w, 1);
			break;
		case 6:
			lb_set_open_cap(w.words, 1, lb_gateway_open(w.words, 1) + 1);
			break;
		case 7:
			lb_set_gateway_cps(w.words, 1, 0);
			lb_set_open_cap(w.words, 1, LB_UNLIMITED);
			assert_int_equal(give(&w, 2), LB_NONE);
			lb_set_gateway_cps(w.words, 1, 1);
			break;
		case 8:
			lb_set_gateway_rate(w.words, 1, 0);
			lb_set_gateway_cps(w.words, 1, LB_UNLIMITED);
			assert_int_equal(give(&w, 2), LB_NONE);
			lb_set_gateway_rate(w.words, 1, LB_UNLIMITED);
			break;
		}
		assert_int_not_equal(give(&w, 100 + change), LB_NONE);
		if (change == 8)
			break;
	}
	world_free(&w);
}

/* With max-cps the pool admits exactly what its gateways would without the note, to the nanosecond. */
static void note_costs_nobody_his_turn(void **state)
{
	static const uint16_t weights[3] = { 1, 1, 1 };
	uint64_t seed = 3;
	struct world w, plain;

	start(&w, LB_BALANCE_HASH, weights, 3);
	start(&plain, LB_BALANCE_HASH, weights, 3);
	for (uint16_t i = 0; i < 3; i++) {
		lb_set_gateway_cps(w.words, i, 70 + 50 * i);
		lb_set_gateway_cps(plain.words, i, 70 + 50 * i);
	}
	for (uint32_t i = 0; i < 200000; i++) {
		w.now += next_random(&seed) % 300000;
		plain.now = w.now;
		plain.words->pool[0].full[ASK_CALL] = 0;
		assert_int_equal(give(&w, i), give(&plain, i));
	}
	assert_true(skipped(&w, 0, LB_STOP_CPS) < skipped(&plain, 0, LB_STOP_CPS) / 3);
	world_free(&w);
	world_free(&plain);
}

/* The note is about ordinary calls: not about those who need less, nor about another set of gateways. */
static void note_is_for_its_like(void **state)
{
	static const uint16_t weights[2] = { 1, 1 };
	struct world w;
	uint32_t n = 0;
	struct pick p;

	start(&w, LB_BALANCE_HASH, weights, 2);
	for (uint16_t i = 0; i < 2; i++)
		lb_set_gateway_rate(w.words, i, 0);
	assert_int_equal(give(&w, 1), LB_NONE);
	assert_true(is_noted(&w));
	p = pick_at(&w, 1);
	p.ask.governed = false;
	assert_non_null(pick(&p, w.snap, 0));
	p.ask = (struct ask){ .now = w.now, .what = ASK_REQUEST };
	assert_non_null(pick(&p, w.snap, 0));
	assert_int_equal(give(&w, 1), LB_NONE);
	world_gateway(&w, 0, 1, 1);
	world_build(&w);
	assert_int_equal(give(&w, 1), 2);
	lb_set_shed(w.words, 2, 49152); /* three in four, always the same ones */
	for (uint32_t i = 0; i < 10000; i++) {
		bool is_shed = give(&w, i) == LB_NONE;

		assert_int_equal(give(&w, i) == LB_NONE, is_shed);
		n += is_shed;
	}
	near(n, 0.75, 10000);
	assert_int_equal(skipped(&w, 2, LB_STOP_SHED), 2 * n);
	world_free(&w);
}

struct crowd {
	struct world *w;
	uint64_t seed;
	uint32_t taken;
};

#define ROUNDS 400

static pthread_barrier_t gate;

/* Takes and gives back in rounds; at the end of each all is free again. */
static void *push(void *arg)
{
	struct crowd *c = arg;
	uint16_t held[64];
	unsigned n = 0;

	for (unsigned round = 0; round < ROUNDS; round++) {
		pthread_barrier_wait(&gate);
		for (unsigned i = 0; i < 200; i++) {
			const struct pick p = pick_at(c->w, next_random(&c->seed));
			const struct gateway *g;

			if (next_random(&c->seed) % 3 && n < 64 && (g = pick(&p, c->w->snap, 0))) {
				held[n++] = g->slot;
				c->taken++;
			} else if (n > 0) {
				answered(c->w, held[--n]);
				word_release(c->w->words, held[n]);
			}
		}
		while (n > 0) {
			answered(c->w, held[--n]);
			word_release(c->w->words, held[n]);
		}
		pthread_barrier_wait(&gate);
		pthread_barrier_wait(&gate); /* while the main thread looks */
	}
	return NULL;
}

/* However threads meet, no note outlives the moment in which somebody could be admitted. */
static void no_note_is_left_over(void **state)
{
	static const uint16_t weights[3] = { 1, 1, 1 };
	struct crowd c[3];
	pthread_t thread[3];
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 3);
	for (uint16_t i = 0; i < 3; i++)
		lb_set_gateway_calls(w.words, i, 7);
	pthread_barrier_init(&gate, NULL, 4);
	for (unsigned i = 0; i < 3; i++) {
		struct st_lane *lane = aligned_alloc(64, (st_lane_size(64, 4) + 63) / 64 * 64);
		struct world *own = malloc(sizeof(*own));

		*own = w; /* a lane of its own: it has one writer */
		own->lane = st_lane_init(lane, "1", 64, 4);
		c[i] = (struct crowd){ own, i + 11, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, push, &c[i]), 0);
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint16_t slot;

		pthread_barrier_wait(&gate);
		pthread_barrier_wait(&gate);
		slot = give(&w, round);
		assert_int_not_equal(slot, LB_NONE);
		answered(&w, slot);
		assert_true(word_release(w.words, slot));
		pthread_barrier_wait(&gate);
	}
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(thread[i], NULL);
		assert_true(c[i].taken > 1000);
		free(c[i].w->lane);
		free(c[i].w);
	}
	assert_int_equal(w.words->pool[0].open[0], 0);
	pthread_barrier_destroy(&gate);
	world_free(&w);
}

/* ---- Observe --------------------------------------------------------------------------------------------
 */

/* What is only observed stops nobody, and counts what it would have stopped. */
static void observed_stops_nobody(void **state)
{
	static const uint16_t weights[1] = { 1 };
	struct world w;

	start(&w, LB_BALANCE_HASH, weights, 1);
	w.gateway[0].observe = 1;
	world_build(&w);
	lb_set_gateway_rate(w.words, 0, 1000);
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
		cmocka_unit_test(shares_are_the_weights),  cmocka_unit_test(turns_are_even),
		cmocka_unit_test(least_work_levels),       cmocka_unit_test(least_work_of_many),
		cmocka_unit_test(no_bound_at_first),       cmocka_unit_test(bound_holds),
		cmocka_unit_test(slow_one_is_spared),      cmocka_unit_test(share_of_those_that_can),
		cmocka_unit_test(requests_are_not_bound),  cmocka_unit_test(hash_of_other_things),
		cmocka_unit_test(any_place_ends_the_note), cmocka_unit_test(note_costs_nobody_his_turn),
		cmocka_unit_test(note_is_for_its_like),    cmocka_unit_test(no_note_is_left_over),
		cmocka_unit_test(observed_stops_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
