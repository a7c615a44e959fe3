/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls that several forks or gateways answer: each is counted while it is up, and the call once. */
#include "lb/words.h"
#include "tests/lb/check.h"
#include "tests/lb/room.h"

/* The first fork's call is over when the second one answers: it counts, a repeated 2xx does not. */
static void a_fork_after_the_end(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 1);
	talk_invite(&r, t, LB_NONE);
	for (uint32_t to = 5; to <= 6; to++) {
		talk_respond(&r, t, &t->leg[0], 200, to, 0);
		assert_int_equal(room_calls(&r, 0), 1);
		talk_in_dialog(&r, t, METHOD_BYE, to, false);
		talk_answer(&r, t, 200, 0);
		talk_respond(&r, t, &t->leg[0], 200, to, 0);
		talk_respond(&r, t, &t->leg[0], 200, 5, 0);
		assert_int_equal(room_calls(&r, 0), 0);
	}
	talk_invite(&r, t, LB_NONE); /* and one whose first fork said no */
	talk_respond(&r, t, &t->leg[0], 487, 5, 0);
	assert_int_equal(room_calls(&r, 0), 0);
	talk_respond(&r, t, &t->leg[0], 200, 6, 0);
	assert_int_equal(room_calls(&r, 0), 1);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 1);
	room_stop(&r);
}

/* The same of a call that a gateway makes: it counts on both sides, where that one is to count so. */
static void a_late_answer_to_a_gateway(void **state)
{
	for (unsigned counts = 0; counts < 2; counts++) {
		struct room r;
		struct talk *t = &r.talk[0];

		room_start(&r, 1, 2);
		r.w.gateway[0].count_in = counts;
		world_build(&r.w);
		lb_set_gateway_calls(r.w.words, 0, 0); /* so that it calls the other one */
		talk_invite(&r, t, 0);
		talk_respond(&r, t, &t->leg[0], 486, 5, 0);
		assert_int_equal(room_calls(&r, 0), 0);
		assert_int_equal(room_calls(&r, 1), 0);
		talk_respond(&r, t, &t->leg[0], 200, 6, 0);
		assert_int_equal(room_calls(&r, 0), counts);
		assert_int_equal(room_calls(&r, 1), 1);
		talk_in_dialog(&r, t, METHOD_BYE, 6, true);
		talk_answer(&r, t, 200, 0);
		assert_int_equal(room_calls(&r, 0), 0);
		assert_int_equal(room_calls(&r, 1), 0);
		room_stop(&r);
	}
}

/* Two gateways answer: each has a place for as long as its own dialog is up, whichever ends first. */
static void two_gateways_answer(void **state)
{
	struct room r;

	room_start(&r, 1, 3);
	for (unsigned i = 0; i < 4; i++) {
		struct talk *t = &r.talk[0];
		uint16_t from = i / 2 ? 0 : LB_NONE, a, b; /* the peer calls, or a gateway */
		unsigned last;

		lb_set_admin(r.w.words, 0, LB_DRAIN);
		room_pass(&r, 100 * S);
		talk_invite(&r, t, from);
		talk_pass(&r, t, S + S / 10);
		last = t->legs - 1;
		a = t->leg[0].gateway;
		b = t->leg[last].gateway;
		assert_int_not_equal(a, b);
		talk_respond(&r, t, &t->leg[last], 200, 6, 0);
		talk_respond(&r, t, &t->leg[0], 200, 5, 0); /* was left, and crosses the CANCEL */
		for (unsigned k = 0; k < 2; k++) {          /* repeated */
			talk_respond(&r, t, &t->leg[k ? 0 : last], 200, k ? 5 : 6, 0);
			assert_int_equal(room_calls(&r, a), 1);
			assert_int_equal(room_calls(&r, b), 1);
		}
		room_pass(&r, 1000 * S);
		for (unsigned k = 0; k < 2; k++) {
			bool first = (i + k) % 2; /* the BYE at a */

			assert_int_equal(room_calls(&r, 0), from == 0);
			assert_int_equal(lb_peer_calls(r.w.words, 0), from == LB_NONE);
			talk_in_dialog(&r, t, METHOD_BYE, first ? 5 : 6, false);
			talk_answer(&r, t, 200, 0);
			assert_int_equal(room_calls(&r, a), !first && !k);
			assert_int_equal(room_calls(&r, b), first && !k);
			assert_int_equal(r.w.lane->count[ST_CALL_BYE], i + k);
		}
		assert_int_equal(room_calls(&r, 0), 0);
		assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
	}
	room_stop(&r);
}

static const struct leg *leg_at(const struct talk *t, uint16_t gateway)
{
	unsigned i = 0;

	while (i < t->legs && t->leg[i].gateway != gateway)
		i++;
	assert_true(i < t->legs);
	return &t->leg[i];
}

/* So do three: whoever ends when, the peer has its place until the last, and it is one call that ends. */
static void three_gateways_answer(void **state)
{
	static const uint16_t orders[][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };

	for (unsigned i = 0; i < 6 * 6; i++) {
		const uint16_t *answers = orders[i / 6], *ends = orders[i % 6];
		struct room r;
		struct talk *t = &r.talk[0];

		room_start(&r, 1, 3);
		talk_invite(&r, t, LB_NONE);
		talk_pass(&r, t, S + S / 10);
		talk_pass(&r, t, S + S / 10);
		for (unsigned k = 0; k < 3; k++)
			talk_respond(&r, t, leg_at(t, answers[k]), 200, 5 + answers[k], 0);
		room_pass(&r, 100 * S);
		for (unsigned k = 0; k < 3; k++) {
			assert_int_equal(room_calls(&r, ends[k]), 1);
			assert_int_equal(lb_peer_calls(r.w.words, 0), 1);
			assert_int_equal(r.w.lane->count[ST_CALL_BYE], 0);
			talk_in_dialog(&r, t, METHOD_BYE, 5 + ends[k], false);
			talk_answer(&r, t, 200, 0);
			assert_int_equal(room_calls(&r, ends[k]), 0);
		}
		assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
		assert_int_equal(r.w.lane->count[ST_CALL_BYE], 1);
		room_stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fork_after_the_end),
		cmocka_unit_test(a_late_answer_to_a_gateway),
		cmocka_unit_test(two_gateways_answer),
		cmocka_unit_test(three_gateways_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
