/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shares: of a table, of what survives when a gateway is away, of tiers, over 10^6 fixed Call-IDs. All is
 * seeded, so every figure is the same in each run.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include "tests/lb/check.h"
#include "lb/choose/pick.h"
#include "lb/worker.h"

#define CALLS 1000000u

static uint64_t *calls; /* hashes of the fixed Call-IDs */

static int make_calls(void **state)
{
	static const struct lb_key key = { .k = { 1, 2 } };

	calls = malloc(CALLS * sizeof(*calls));
	for (uint64_t i = 0; i < CALLS; i++)
		calls[i] = lb_hash(&key, &i, sizeof(i));
	return 0;
}

static int free_calls(void **state)
{
	free(calls);
	return 0;
}

static void start(struct world *w, const uint16_t *weights, unsigned n)
{
	world_init(w);
	for (unsigned i = 0; i < n; i++)
		world_gateway(w, 0, weights[i], 0);
	world_build(w);
}

static const struct gateway *choose(struct world *w, uint16_t pool, uint64_t call_hash)
{
	struct pick p = { .words = w->words,
			  .lane = w->lane,
			  .turns = w->worker->turns,
			  .call_hash = call_hash,
			  .ask = { .now = w->now, .what = ASK_CALL, .room = true, .governed = true } };

	return pick(&p, w->snap, pool);
}

/* Picks all calls; to[i] is the slot of call i, shares[slot] how many it has. */
static void pick_all(struct world *w, uint16_t *to, uint32_t *shares)
{
	memset(shares, 0, 64 * sizeof(*shares));
	for (uint32_t i = 0; i < CALLS; i++) {
		const struct gateway *g = choose(w, 0, calls[i]);

		assert_non_null(g);
		to[i] = g->slot;
		shares[g->slot]++;
	}
}

/* n of `of` Call-IDs, where the weights say `expected`: within 1 % of it, plus four deviations of the sample.
 */
static void near_weight(uint32_t n, double expected, double of)
{
	double sample = 4 * sqrt(expected * (1 - expected / of));

	if (fabs(n - expected) > 0.01 * expected + sample)
		fail_msg("%u, expected %.0f", n, expected);
}

/* The table itself has no sampling: each share of slots is the weight, but for the round cut off at the end.
 */
static void slots_are_the_weights(void **state)
{
	static const uint16_t cases[][8] = {
		{ 1, 1 },     { 1, 1, 1 },    { 10, 10, 1 }, { 1, 2, 3, 4, 5, 6, 7, 8 },
		{ 65535, 1 }, { 100, 0, 50 },
	};

	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		uint32_t slots[64] = { 0 };
		unsigned n = 8;
		double sum = 0;
		struct world w;

		while (n > 0 && cases[c][n - 1] == 0)
			n--;
		for (unsigned i = 0; i < n; i++)
			sum += cases[c][i];
		start(&w, cases[c], n);
		for (uint32_t i = 0; i < LIMIT_MAGLEV; i++)
			slots[w.snap->gateways[w.snap->tiers[0].table[i]].slot]++;
		for (unsigned i = 0; i < n; i++)
			assert_true(fabs(slots[i] - (double)LIMIT_MAGLEV * cases[c][i] / sum) <= 1.5);
		world_free(&w);
	}
}

static void one_away(const uint16_t *weights, unsigned n, unsigned away, enum lb_admin admin)
{
	uint16_t *before = malloc(CALLS * sizeof(uint16_t)), *during = malloc(CALLS * sizeof(uint16_t));
	uint32_t full[64], part[64], moved = 0, others = 0;
	double sum = 0;
	struct world w;

	start(&w, weights, n);
	for (unsigned i = 0; i < n; i++)
		sum += weights[i];
	pick_all(&w, before, full);
	for (unsigned i = 0; i < n; i++)
		near_weight(full[i], CALLS * weights[i] / sum, CALLS);
	if (admin != LB_READY)
		lb_set_admin(w.words, away, admin);
	else
		lb_set_health(w.words, away, LB_DOWN);
	pick_all(&w, during, part);
	for (uint32_t i = 0; i < CALLS; i++) {
		moved += before[i] == away;
		others += before[i] != away && before[i] != during[i];
	}
	assert_int_equal(moved, full[away]);
	assert_int_equal(others, 0);
	assert_int_equal(part[away], 0);
	for (unsigned i = 0; i < n; i++) {
		if (i != away) {
			near_weight(part[i], CALLS * weights[i] / (sum - weights[away]), CALLS);
			near_weight(part[i] - full[i], moved * weights[i] / (sum - weights[away]), moved);
		}
	}
	lb_set_admin(w.words, away, LB_READY);
	lb_set_health(w.words, away, LB_UP);
	pick_all(&w, during, part);
	assert_memory_equal(before, during, CALLS * sizeof(uint16_t));
	world_free(&w);
	free(before);
	free(during);
}

static void survivors_gain_by_weight(void **state)
{
	static const uint16_t equal[10] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	static const uint16_t skewed[4] = { 60, 20, 15, 5 };

	one_away(equal, 10, 3, LB_READY);
	one_away(equal, 3, 1, LB_READY);
	one_away(equal, 2, 0, LB_DRAIN);
	one_away(equal, 3, 2, LB_MAINT);
	one_away(skewed, 4, 0, LB_READY); /* more than LIMIT_PROBES draws hit the dead one for some calls */
	one_away(skewed, 4, 3, LB_READY);
}

/* A gateway at its max-cps is passed by for the calls it cannot take, and for those only. */
static void full_is_passed_by(void **state)
{
	static const uint16_t weights[3] = { 1, 1, 1 };
	uint32_t shares[3] = { 0 };
	struct world w;

	start(&w, weights, 3);
	lb_set_gateway_cps(w.words, 0, 100);
	for (uint32_t i = 0; i < 100000;
	     i++) { /* 1000 calls/s for 100 s, a third of them meant for gateway 0 */
		w.now += SECOND / 1000;
		shares[choose(&w, 0, calls[i])->slot]++;
	}
	assert_in_range(shares[0], 9990, 10006);
	near_weight(shares[1], 45000, 100000);
	assert_int_equal(w.lane->gateways[0].count[ST_GW_SKIPPED_STATE], 0);
	assert_in_range(w.lane->gateways[0].count[ST_GW_SKIPPED_CPS], 23000, 24500);
	world_free(&w);
}

/* A gateway at its max-calls is passed by until a call ends; what another process left counts, too. */
static void max_calls_are_exact(void **state)
{
	static const uint16_t weights[2] = { 1, 1 };
	uint32_t shares[2] = { 0 };
	struct world w;

	start(&w, weights, 2);
	lb_set_gateway_calls(w.words, 0, 500);
	lb_set_survivors(w.words, 0, 100);
	for (uint32_t i = 0; i < 10000; i++)
		shares[choose(&w, 0, calls[i])->slot]++;
	assert_int_equal(shares[0], 400);
	assert_int_equal(lb_gateway_calls(w.words, 0), 400);
	assert_int_equal(lb_gateway_calls(w.words, 1), 9600);
	assert_true(w.lane->gateways[0].count[ST_GW_SKIPPED_CALLS] > 4000);
	lb_set_gateway_calls(w.words, 1, 0);
	assert_null(choose(&w, 0, calls[0]));
	assert_true(word_release(w.words, 0));
	lb_cap_survivors(w.words, 0, 99);
	lb_cap_survivors(w.words, 0, 200);
	assert_non_null(choose(&w, 0, calls[0]));
	assert_non_null(choose(&w, 0, calls[0]));
	assert_null(choose(&w, 0, calls[0]));
	assert_int_equal(lb_gateway_calls(w.words, 1), 9600);
	world_free(&w);
}

/* Who is refused for its max-cps has no place taken. */
static void cps_takes_no_place(void **state)
{
	static const uint16_t weights[1] = { 1 };
	struct world w;

	start(&w, weights, 1);
	lb_set_gateway_cps(w.words, 0, 1);
	assert_non_null(choose(&w, 0, 1));
	assert_null(choose(&w, 0, 1));
	assert_int_equal(lb_gateway_calls(w.words, 0), 1);
	world_free(&w);
}

/* Without an entry to own the place, only who has no limit can take a call, and it goes uncounted. */
static void no_room_to_count(void **state)
{
	static const uint16_t weights[2] = { 1, 1 };
	struct world w;

	start(&w, weights, 2);
	lb_set_gateway_calls(w.words, 0, 500);
	for (uint32_t i = 0; i < 100; i++) {
		struct pick p = { .words = w.words,
				  .lane = w.lane,
				  .call_hash = calls[i],
				  .ask = { .now = w.now, .what = ASK_CALL } };

		assert_int_equal(pick(&p, w.snap, 0)->slot, 1);
	}
	assert_int_equal(lb_gateway_calls(w.words, 1), 0);
	world_free(&w);
}

#define TURNS 200000u

/* One of several threads that take and give back at gateway 0, by all that can stop a call. */
struct contest {
	struct lb_words *words;
	uint64_t now, seed;
	uint32_t calls, open; /* the limits */
	uint32_t over;        /* times that more than a limit were seen */
	uint32_t taken;
};

static void *contend(void *arg)
{
	struct contest *c = arg;
	const struct ask ask = {
		.now = c->now, .what = ASK_CALL, .room = true, .opens = true, .governed = true
	};
	const struct word *word = &c->words->gateway[0];

	for (uint32_t i = 0, held = 0; i < TURNS || held > 0; i++) {
		c->over += __atomic_load_n(&word->calls, __ATOMIC_RELAXED) > c->calls;
		c->over += __atomic_load_n(&word->open, __ATOMIC_RELAXED) > c->open;
		if (i < TURNS && next_random(&c->seed) >> 62) {
			if (word_admit(c->words, 0, 1, &ask) == LB_STOP_NONE) {
				held++;
				c->taken++;
			}
		} else if (held > 0) {
			held--;
			word_lower(&c->words->gateway[0].open);
			assert_true(word_release(c->words, 0));
		}
	}
	return NULL;
}

static void start_contest(struct world *w, struct contest c[3], uint32_t calls_most, uint32_t open_most)
{
	pthread_t other[2];

	for (unsigned i = 0; i < 3; i++)
		c[i] = (struct contest){ .words = w->words,
					 .now = w->now,
					 .seed = i + 1,
					 .calls = calls_most,
					 .open = open_most };
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&other[i], NULL, contend, &c[i]), 0);
	contend(&c[2]);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(other[i], NULL);
	assert_int_equal(c[0].over + c[1].over + c[2].over, 0);
	assert_int_equal(lb_gateway_calls(w->words, 0), 0);
	assert_int_equal(lb_gateway_open(w->words, 0), 0);
	assert_false(word_release(w->words, 0));
}

/* No limit is passed at any moment, and what is taken is taken whole: all is given back in the end. */
static void exact_under_three_threads(void **state)
{
	struct contest c[3];
	struct world w;

	world_start(&w, 1);
	lb_set_gateway_calls(w.words, 0, 50);
	lb_set_survivors(w.words, 0, 7);
	lb_set_open_cap(w.words, 0, 40);
	start_contest(&w, c, 43, 40);
	assert_true(c[0].taken + c[1].taken + c[2].taken > 1000);
	world_free(&w);
}

/* The same moment for all: exactly the burst of the tighter bucket is admitted. */
static void bursts_under_three_threads(void **state)
{
	struct contest c[3];
	struct world w;

	world_start(&w, 1);
	lb_set_gateway_cps(w.words, 0, 20000);
	lb_set_gateway_rate(w.words, 0, 10000, w.now);
	start_contest(&w, c, LB_UNLIMITED, LB_UNLIMITED);
	assert_int_equal(c[0].taken + c[1].taken + c[2].taken, 500);
	world_free(&w);
}

static void tiers_in_order(void **state)
{
	static const uint16_t weights[2] = { 2, 1 };
	uint16_t *to = malloc(CALLS * sizeof(uint16_t));
	uint32_t shares[64];
	struct world w;

	start(&w, weights, 2);
	world_gateway(&w, 0, 3, 5);
	world_gateway(&w, 0, 1, 5);
	world_gateway(&w, 0, 7, 7);
	world_build(&w);
	pick_all(&w, to, shares);
	near_weight(shares[0], CALLS * 2.0 / 3, CALLS);
	assert_int_equal(shares[0] + shares[1], CALLS);
	lb_set_health(w.words, 0, LB_DOWN);
	pick_all(&w, to, shares);
	assert_int_equal(shares[1], CALLS);
	lb_set_health(w.words, 1, LB_DOWN);
	pick_all(&w, to, shares);
	near_weight(shares[2], CALLS * 3.0 / 4, CALLS);
	near_weight(shares[3], CALLS * 1.0 / 4, CALLS);
	lb_set_health(w.words, 2, LB_DOWN);
	lb_set_admin(w.words, 3, LB_DRAIN);
	pick_all(&w, to, shares);
	assert_int_equal(shares[4], CALLS);
	lb_set_health(w.words, 4, LB_DOWN);
	assert_null(choose(&w, 0, calls[0]));
	assert_int_equal(lb_pick_ideal(w.snap, 0, calls[0]),
			 to[0] < 2 ? to[0] : lb_pick_ideal(w.snap, 0, calls[0]));
	world_free(&w);
	free(to);
}

/* Another order in the config, other slots and another pool index change nothing for a Call-ID. */
static void order_of_the_config_is_nothing(void **state)
{
	static const uint16_t weights[5] = { 3, 1, 4, 1, 5 };
	struct world a, b;

	start(&a, weights, 5);
	start(&b, weights, 5);
	for (unsigned i = 0; i < 5; i++) {
		b.gateway[i] = a.gateway[4 - i];
		b.gateway[i].slot = 40 + 4 - i;
		b.gateway[i].pool = 1;
	}
	world_build(&b);
	for (uint32_t i = 0; i < 100000; i++)
		assert_int_equal(lb_pick_ideal(a.snap, 0, calls[i]) + 40, lb_pick_ideal(b.snap, 1, calls[i]));
	world_free(&a);
	world_free(&b);
}

/* A gateway taken out of the config moves its share and little else. */
static void removal_moves_little(void **state)
{
	static const uint16_t weights[10] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
	uint32_t moved = 0;
	struct world a, b;

	start(&a, weights, 10);
	start(&b, weights, 9);
	for (uint32_t i = 0; i < CALLS; i++) {
		uint16_t was = lb_pick_ideal(a.snap, 0, calls[i]);

		moved += was != 9 && was != lb_pick_ideal(b.snap, 0, calls[i]);
	}
	assert_true(moved < CALLS / 50);
	world_free(&a);
	world_free(&b);
}

static void nobody(void **state)
{
	static const uint16_t weights[2] = { 0, 0 };
	struct world w;

	start(&w, weights, 2);
	assert_null(choose(&w, 0, 1));
	assert_null(choose(&w, 1, 1));
	assert_int_equal(lb_pick_ideal(w.snap, 0, 1), LB_NONE);
	assert_int_equal(lb_pick_ideal(w.snap, 9, 1), LB_NONE);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_are_the_weights),
		cmocka_unit_test(survivors_gain_by_weight),
		cmocka_unit_test(full_is_passed_by),
		cmocka_unit_test(tiers_in_order),
		cmocka_unit_test(max_calls_are_exact),
		cmocka_unit_test(cps_takes_no_place),
		cmocka_unit_test(no_room_to_count),
		cmocka_unit_test(exact_under_three_threads),
		cmocka_unit_test(bursts_under_three_threads),
		cmocka_unit_test(order_of_the_config_is_nothing),
		cmocka_unit_test(removal_moves_little),
		cmocka_unit_test(nobody),
	};

	return cmocka_run_group_tests(tests, make_calls, free_calls);
}
