/* SPDX-License-Identifier: BSD-3-Clause */
/* Fair shares of a pool that is short, of its rate and of its places, call by call. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/lb/check.h"
#include "tests/lb/crowd.h"

#define PEERS    10
#define GATEWAYS 4

/* Ten peers with the same part of a pool whose gateways take `cps` calls a second each. */
static void start_rate(struct crowd *c, uint32_t cps, uint64_t seed)
{
	crowd_start(c, PEERS, GATEWAYS, seed);
	for (uint16_t i = 0; i < GATEWAYS; i++)
		lb_set_gateway_cps(c->w.words, i, cps);
}

/* Takes the governor away: what would be without all this. */
static void ungovern(struct crowd *c)
{
	c->g = NULL;
}

/* Rates in parts of a peer's fair part. */
static void ask(struct crowd *c, unsigned first, unsigned end, double fair, double parts)
{
	for (unsigned i = first; i < end; i++)
		c->caller[i].rate = parts * fair;
}

static void settle_and_run(struct crowd *c, double seconds)
{
	crowd_run(c, 5);
	crowd_count(c);
	crowd_run(c, seconds);
}

static void a_greedy_peer_gets_its_part(void **state)
{
	(void)state;
	for (unsigned governed = 0; governed < 2; governed++) {
		struct crowd c;

		start_rate(&c, 100, 7);
		ask(&c, 0, 9, 40, 1.2);
		ask(&c, 9, 10, 40, 12); /* ten times as much as the others */
		if (!governed)
			ungovern(&c);
		settle_and_run(&c, 30);
		assert_true(crowd_admitted(&c) > 0.97 * 400 * 30);
		if (governed)
			assert_true(crowd_jain(&c, PEERS, false) > 0.98);
		else
			assert_true(crowd_jain(&c, PEERS, false) < 0.5);
		crowd_stop(&c);
	}
}

/* Who is alone with a pool shares with nobody. */
static void alone(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 100, 20);
	ask(&c, 3, 4, 400, 1.5);
	settle_and_run(&c, 20);
	assert_true(crowd_admitted(&c) > 0.99 * 400 * 20);
	assert_int_equal(c.w.lane->peers[3].count[ST_PEER_OVER_SHARE], 0);
	crowd_stop(&c);
}

/* However early in each step it asks. */
static void nobody_takes_a_step(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 100, 8);
	ask(&c, 0, 9, 40, 1.5);
	c.caller[9].burst = 80; /* twice of what the pool takes in a step, at its start */
	settle_and_run(&c, 30);
	assert_true(crowd_jain(&c, PEERS, false) > 0.95);
	assert_true(crowd_admitted(&c) > 0.97 * 400 * 30);
	crowd_stop(&c);
}

/* Who asks for less than his part gets nearly all of it; the others share the rest. */
static void small_peers_lose_little(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 500, 9);
	ask(&c, 0, 5, 200, 0.4);
	ask(&c, 5, 10, 200, 2);
	settle_and_run(&c, 20);
	for (unsigned i = 0; i < 5; i++)
		assert_true(c.caller[i].admitted > 0.98 * c.caller[i].asked);
	for (unsigned i = 5; i < 10; i++)
		assert_true(fabs(c.caller[i].admitted / 20.0 - 320) < 0.03 * 320);
	crowd_stop(&c);
}

/* What nine leave goes to the tenth. */
static void nothing_is_left_unused(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 500, 10);
	ask(&c, 0, 9, 200, 0.9);
	ask(&c, 9, 10, 200, 10);
	settle_and_run(&c, 20);
	assert_true(crowd_admitted(&c) > 0.98 * 2000 * 20);
	for (unsigned i = 0; i < 9; i++)
		assert_true(c.caller[i].admitted > 0.97 * c.caller[i].asked);
	crowd_stop(&c);
}

static void parts_go_by_weight(void **state)
{
	static const uint16_t weight[PEERS] = { 1, 1, 1, 2, 2, 2, 3, 3, 5, 20 };
	struct crowd c;

	(void)state;
	start_rate(&c, 500, 11);
	for (unsigned i = 0; i < PEERS; i++)
		c.w.peer[i].share = weight[i];
	crowd_build(&c);
	ask(&c, 0, 10, 1200, 1);
	settle_and_run(&c, 10);
	for (unsigned i = 0; i < PEERS; i++)
		assert_true(fabs(c.caller[i].admitted / 10.0 - weight[i] * 50) < 0.07 * weight[i] * 50);
	crowd_stop(&c);
}

/* The same call again and again on new branches is one demand, and takes from the peer's own part. */
static void asking_again_gains_nothing(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 100, 12);
	ask(&c, 0, 10, 40, 1.3);
	c.caller[9].again = 9;
	settle_and_run(&c, 30);
	assert_true(crowd_jain(&c, PEERS, false) > 0.98);
	assert_true(c.caller[9].admitted < 1.15 * 40 * 30);
	crowd_stop(&c);
}

static void the_storm_passes(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 100, 13);
	ask(&c, 0, 10, 40, 5);
	crowd_run(&c, 20);
	ask(&c, 0, 9, 40, 0.4);
	ask(&c, 9, 10, 40, 4.4); /* 0.8 of the pool, more than half of it one peer's */
	crowd_run(&c, 5);
	crowd_count(&c);
	crowd_run(&c, 10);
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(c.caller[i].refused, 0);
	assert_int_equal(c.w.words->pool[0].shortage, 0);
	crowd_stop(&c);
}

/* An hour without a gateway, and nothing of it is left when one is back. */
static void all_refused_for_an_hour(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 100, 14);
	for (uint16_t i = 0; i < GATEWAYS; i++)
		lb_set_gateway_cps(c.w.words, i, 0);
	ask(&c, 0, 10, 1, 1);
	crowd_run(&c, 3600);
	assert_int_equal(crowd_admitted(&c), 0);
	for (uint16_t i = 0; i < GATEWAYS; i++)
		lb_set_gateway_cps(c.w.words, i, 100);
	ask(&c, 0, 10, 40, 1.5);
	crowd_run(&c, 2);
	crowd_count(&c);
	crowd_run(&c, 10);
	assert_true(crowd_admitted(&c) > 0.97 * 400 * 10);
	assert_true(crowd_jain(&c, PEERS, false) > 0.98);
	crowd_stop(&c);
}

/* ---- Places ------------------------------------------------------------------------------------------ */

static void a_peer_of_long_calls(void **state)
{
	(void)state;
	for (unsigned governed = 0; governed < 2; governed++) {
		double jain = 0, used = 0;
		struct crowd c;

		crowd_start(&c, PEERS, GATEWAYS, 15);
		for (uint16_t i = 0; i < GATEWAYS; i++)
			lb_set_gateway_calls(c.w.words, i, 50);
		for (unsigned i = 0; i < PEERS; i++)
			c.caller[i] = (struct caller){ .rate = 30, .hold_s = i ? 1 : 20 };
		if (!governed)
			ungovern(&c);
		crowd_run(&c, 80);
		for (unsigned k = 0; k < 40; k++) {
			crowd_run(&c, 0.7);
			jain += crowd_jain(&c, PEERS, true) / 40;
			for (unsigned i = 0; i < PEERS; i++)
				used += c.caller[i].calls / 40.0;
		}
		assert_true(used > 0.97 * 200);
		if (governed)
			assert_true(jain > 0.95);
		else
			assert_true(jain < 0.6);
		crowd_stop(&c);
	}
}

/* Nine peers want four fifths of their parts, one wants everything for long. */
static void small_peers_find_places(void **state)
{
	(void)state;
	for (unsigned governed = 0; governed < 2; governed++) {
		uint64_t asked = 0, got = 0;
		struct crowd c;

		crowd_start(&c, PEERS, GATEWAYS, 16);
		for (uint16_t i = 0; i < GATEWAYS; i++)
			lb_set_gateway_calls(c.w.words, i, 250);
		for (unsigned i = 0; i < PEERS; i++)
			c.caller[i] = (struct caller){ .rate = i ? 80 : 200, .hold_s = i ? 1 : 20 };
		if (!governed)
			ungovern(&c);
		crowd_run(&c, 100);
		crowd_count(&c);
		crowd_run(&c, 20);
		for (unsigned i = 1; i < PEERS; i++) {
			asked += c.caller[i].asked;
			got += c.caller[i].admitted;
		}
		if (governed)
			assert_true(got > 0.94 * asked && c.caller[0].calls > 250);
		else
			assert_true(got < 0.5 * asked);
		crowd_stop(&c);
	}
}

/* Every place that was taken of a pair is given back with its call. */
static void places_come_back(void **state)
{
	struct crowd c;
	int64_t held = 0;

	(void)state;
	crowd_start(&c, PEERS, GATEWAYS, 17);
	for (uint16_t i = 0; i < GATEWAYS; i++)
		lb_set_gateway_calls(c.w.words, i, 10);
	for (unsigned i = 0; i < PEERS; i++)
		c.caller[i] = (struct caller){ .rate = 20, .hold_s = 1 };
	crowd_run(&c, 10);
	ask(&c, 0, 10, 0, 0);
	crowd_run(&c, 40);
	for (unsigned i = 0; i < PEERS; i++)
		assert_int_equal(c.caller[i].calls, 0);
	for (uint32_t i = 0; i < LIMIT_SHARES; i++)
		held += (int32_t)c.w.worker->shares[i].calls;
	assert_int_equal(held, 0);
	for (uint32_t i = 0; i < LIMIT_SHARES; i++)
		assert_true(abs(c.w.words->shares.at[i].places - SHARE_ANY) < 100);
	crowd_stop(&c);
}

/* ---- The table --------------------------------------------------------------------------------------- */

static void pairs_are_found_again(void **state)
{
	struct shares *t = test_malloc(sizeof(*t));
	unsigned lost = 0;

	(void)state;
	memset(t, 0, sizeof(*t));
	shares_init(t);
	for (uint16_t i = 0; i < 4096; i++) {
		uint16_t a = share_of(t, share_key(77, i));

		assert_true(a != SHARE_NONE);
		assert_int_equal(share_key_who(t->key[a]), i);
		assert_int_equal(share_key_pool(t->key[a]), 77);
		assert_int_equal(share_of(t, share_key(77, i)), a);
	}
	for (uint32_t p = 0; p < 2 * LIMIT_SHARES; p++)
		lost += share_of(t, share_key(p + 100, 1)) == SHARE_NONE;
	assert_true(lost >= LIMIT_SHARES && lost < 2 * LIMIT_SHARES);
	test_free(t);
}

/* A call that has no place in the table is served all the same. */
static void a_full_table(void **state)
{
	struct crowd c;

	(void)state;
	start_rate(&c, 100, 18);
	for (uint32_t i = 0; i < LIMIT_SHARES; i++)
		c.w.words->shares.key[i] = ~UINT64_C(0) - i;
	ask(&c, 0, 10, 20, 1);
	crowd_run(&c, 1);
	assert_true(crowd_admitted(&c) > 150);
	assert_int_equal(c.w.lane->count[ST_SHARE_LOST], crowd_admitted(&c));
	crowd_stop(&c);
}

static unsigned pairs(const struct crowd *c)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < LIMIT_SHARES; i++)
		n += c->w.words->shares.key[i] != 0;
	return n;
}

/* Pairs of which nothing is heard make room; not those that hold a place. */
static void idle_pairs_make_room(void **state)
{
	struct crowd c;

	(void)state;
	crowd_start(&c, PEERS, GATEWAYS, 19);
	for (unsigned i = 0; i < PEERS; i++)
		c.caller[i] = (struct caller){ .rate = 5, .hold_s = i ? 1 : 0 };
	crowd_run(&c, 2);
	assert_int_equal(pairs(&c), PEERS);
	ask(&c, 0, 10, 0, 0);
	crowd_run(&c, 120);
	assert_int_equal(pairs(&c), 1);
	crowd_stop(&c);
}

/* To look at a share is to take of it, but that nothing is taken. */
static void looking_counts_as_taking(void **state)
{
	static const int32_t places[] = { SHARE_ANY, 1, 0, -3 };
	const uint64_t now = 1000 * SECOND;

	for (uint8_t shortage = 0; shortage <= (SHORT_OF_RATE | SHORT_OF_PLACES); shortage++) {
		for (unsigned i = 0; i < 16; i++) {
			struct share_word word = { 0 }, before, taken;
			struct share_cell looks = { 0 }, takes = { 0 };

			share_set_places(&word, places[i % 4], i & 4 ? 5 : 0);
			share_set_rate(&word, 10, now);
			word.rate.next = i & 8 ? now + 100 * SECOND : 0;
			before = taken = word;
			assert_int_equal(share_look(&word, &looks, shortage, now),
					 share_take(&taken, &takes, shortage, now));
			assert_memory_equal(&looks, &takes, sizeof(looks));
			assert_memory_equal(&word, &before, sizeof(word));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_greedy_peer_gets_its_part), cmocka_unit_test(alone),
		cmocka_unit_test(nobody_takes_a_step),         cmocka_unit_test(small_peers_lose_little),
		cmocka_unit_test(nothing_is_left_unused),      cmocka_unit_test(parts_go_by_weight),
		cmocka_unit_test(asking_again_gains_nothing),  cmocka_unit_test(the_storm_passes),
		cmocka_unit_test(all_refused_for_an_hour),     cmocka_unit_test(a_peer_of_long_calls),
		cmocka_unit_test(small_peers_find_places),     cmocka_unit_test(places_come_back),
		cmocka_unit_test(pairs_are_found_again),       cmocka_unit_test(a_full_table),
		cmocka_unit_test(idle_pairs_make_room),        cmocka_unit_test(looking_counts_as_taking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
