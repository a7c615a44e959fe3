/* SPDX-License-Identifier: BSD-3-Clause */
/* The note that a pool is full: it ends with the first place that is free, and costs nobody his turn. */
#include <pthread.h>
#include <stdlib.h>
#include "tests/lb/choice.h"

static bool is_noted(const struct world *w)
{
	return w->words->pool[0].full[ASK_CALL] != 0;
}

#define CHANGES 9

/* One of the ways in which a place comes free at gateways 0 to 2, all of which are full. */
static void end_note(struct world *w, unsigned change)
{
	switch (change) {
	case 0:
		assert_true(word_release(w->words, 1));
		break;
	case 1:
		lb_cap_survivors(w->words, 2, 0);
		break;
	case 2:
		lb_set_gateway_calls(w->words, 0, 5);
		break;
	case 3:
		lb_set_health(w->words, 0, LB_DOWN);
		assert_true(word_release(w->words, 0));
		assert_int_equal(give(w, 5), LB_NONE); /* nobody is there to use it */
		lb_set_health(w->words, 0, LB_UP);
		break;
	case 4:
		lb_set_admin(w->words, 1, LB_MAINT);
		assert_true(word_release(w->words, 1));
		lb_set_admin(w->words, 1, LB_READY);
		break;
	case 5: /* as many open as allowed */
		lb_set_gateway_calls(w->words, 1, LB_UNLIMITED);
		lb_set_open_cap(w->words, 1, lb_gateway_open(w->words, 1) + 1);
		assert_int_equal(give(w, 1), 1);
		assert_int_equal(give(w, 2), LB_NONE);
		assert_true(is_noted(w));
		answered(w, 1);
		break;
	case 6:
		lb_set_open_cap(w->words, 1, lb_gateway_open(w->words, 1) + 1);
		break;
	case 7:
		lb_set_gateway_cps(w->words, 1, 0);
		lb_set_open_cap(w->words, 1, LB_UNLIMITED);
		assert_int_equal(give(w, 2), LB_NONE);
		lb_set_gateway_cps(w->words, 1, 1);
		break;
	case 8:
		lb_set_gateway_rate(w->words, 1, 0, w->now);
		lb_set_gateway_cps(w->words, 1, LB_UNLIMITED);
		assert_int_equal(give(w, 2), LB_NONE);
		lb_set_gateway_rate(w->words, 1, LB_UNLIMITED, w->now);
		break;
	}
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
	for (unsigned change = 0; change < CHANGES; change++) {
		for (uint32_t i = 0; give(&w, i) != LB_NONE; i++)
			assert_in_range(i, 0, 20);
		assert_true(is_noted(&w));
		assert_int_equal(give(&w, 99), LB_NONE);
		end_note(&w, change);
		assert_int_not_equal(give(&w, 100 + change), LB_NONE);
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
		lb_set_gateway_rate(w.words, i, 0, w.now);
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

/* A call that can have neither entry nor transaction: limited gateways are not for it, and it alone is noted.
 */
static void note_is_for_calls_without_room(void **state)
{
	static const uint16_t weights[2] = { 1, 1 };
	struct world w;
	struct pick p;

	start(&w, LB_BALANCE_HASH, weights, 2);
	for (uint16_t i = 0; i < 2; i++)
		lb_set_gateway_calls(w.words, i, 4);
	p = pick_at(&w, 1);
	p.ask.room = p.ask.opens = false;
	assert_false(pick_known_full(w.words, &p.ask, w.snap, 0));
	assert_null(pick(&p, w.snap, 0));
	assert_true(pick_known_full(w.words, &p.ask, w.snap, 0));
	assert_int_not_equal(give(&w, 1), LB_NONE);
	assert_true(pick_known_full(w.words, &p.ask, w.snap, 0));
	lb_set_gateway_calls(w.words, 1, LB_UNLIMITED);
	assert_false(pick_known_full(w.words, &p.ask, w.snap, 0));
	assert_non_null(pick(&p, w.snap, 0));
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

/* Gateways 0 and 1 take no call, for one reason or another. */
static void stop_calls(struct world *w, unsigned reason)
{
	for (uint16_t slot = 0; slot < 2; slot++) {
		lb_set_gateway_calls(w->words, slot, reason == 0 ? 0 : LB_UNLIMITED);
		lb_set_gateway_cps(w->words, slot, reason == 1 ? 0 : LB_UNLIMITED);
		lb_set_gateway_rate(w->words, slot, reason == 2 ? 1 : LB_UNLIMITED, w->now);
		w->words->gateway[slot].rate.next = w->now + 100 * SECOND;
		lb_set_open_cap(w->words, slot, reason == 3 ? 0 : LB_UNLIMITED);
	}
}

/* Who takes no calls may have time for all else, however many calls were refused before. */
static void other_requests_pass(void **state)
{
	static const enum method methods[] = { METHOD_REGISTER, METHOD_OPTIONS, METHOD_MESSAGE };
	struct world w;

	(void)state;
	world_start(&w, 2);
	for (uint32_t n = 0; n < 40; n++) {
		struct lb_query q = world_request(&w, METHOD_INVITE, n, 1);

		stop_calls(&w, n % 4);
		q.room = 1;
		for (unsigned i = 0; i < 2; i++) { /* the second is refused by the note */
			q.via_hash++;
			expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
			assert_int_equal(is_noted(&w), true);
		}
		q = world_request(&w, methods[n % 3], n + 100, 1);
		expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	}
	assert_int_equal(w.lane->peers[0].count[ST_PEER_REFUSED], 80);
	assert_int_equal(lb_peer_calls(w.words, 0), 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_place_ends_the_note), cmocka_unit_test(note_costs_nobody_his_turn),
		cmocka_unit_test(note_is_for_its_like),    cmocka_unit_test(note_is_for_calls_without_room),
		cmocka_unit_test(no_note_is_left_over),    cmocka_unit_test(other_requests_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
