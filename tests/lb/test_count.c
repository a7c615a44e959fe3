/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls on their way through the policy room, counted: after every event the words say what the entries hold,
 * and when all is over nothing is left.
 */
#include "lb/words.h"
#include "tests/lb/check.h"
#include "tests/lb/room.h"

static void from_invite_to_bye(void **state)
{
	struct lb_call view;
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 1);
	talk_invite(&r, t, LB_NONE);
	assert_int_equal(room_calls(&r, 0), 1);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 1);
	talk_respond(&r, t, &t->leg[0], 180, 5, 0);
	room_pass(&r, 9 * S);
	talk_respond(&r, t, &t->leg[0], 200, 5, 1800);
	room_pass(&r, 100 * S);
	assert_int_equal(lb_call_count(r.w.worker), 1);
	assert_true(lb_call_read(r.w.worker, 0, r.w.now, &view));
	assert_int_equal(view.state, LB_CALL_ANSWERED);
	assert_int_equal(view.tag, lb_call_tag(t->invite.call_hash));
	assert_int_equal(view.out, 0);
	assert_int_equal(view.in, LB_NONE);
	assert_int_equal(view.dialogs, 1);
	assert_int_equal(view.age_ms, 109000);
	assert_int_equal(view.answered_ms, 100000);
	assert_int_equal(view.session_ms, 2300000);
	assert_true(talk_in_dialog(&r, t, METHOD_BYE, 5, false));
	assert_int_equal(room_calls(&r, 0), 1);
	talk_answer(&r, t, 200, 0);
	assert_int_equal(room_calls(&r, 0), 0);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
	room_stop(&r);
}

static void from_a_gateway(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 2);
	lb_set_gateway_calls(r.w.words, 0, 0);
	talk_invite(&r, t, 0); /* never refused for its own limit */
	talk_respond(&r, t, &t->leg[0], 200, 5, 0);
	assert_int_equal(room_calls(&r, 0), 1);
	assert_int_equal(room_calls(&r, 1), 1);
	room_pass(&r, 100 * S);
	assert_true(talk_in_dialog(&r, t, METHOD_BYE, 5, true));
	talk_answer(&r, t, 200, 0);
	for (uint16_t slot = 0; slot < 2; slot++) { /* both have held it */
		assert_int_equal(r.w.lane->gateways[slot].count[ST_GW_CALLS_HELD], 1);
		assert_int_equal(r.w.lane->gateways[slot].count[ST_GW_HELD_SECONDS], 100);
	}
	assert_int_equal(room_calls(&r, 0), 0);
	assert_int_equal(room_calls(&r, 1), 0);
	r.w.gateway[0].count_in = 0;
	world_build(&r.w);
	talk_invite(&r, t, 0);
	assert_int_equal(room_calls(&r, 0), 0);
	assert_int_equal(room_calls(&r, 1), 1);
	room_stop(&r);
}

/* Both directions, with a session that is refreshed, then lapses. */
static void sessions(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 1);
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 200, 5, 300);
	for (unsigned i = 0; i < 10; i++) {
		room_pass(&r, 250 * S);
		assert_true(talk_in_dialog(&r, t, i % 2 ? METHOD_INVITE : METHOD_UPDATE, 5, i % 3));
		talk_answer(&r, t, 200, 300);
		assert_int_equal(room_calls(&r, 0), 1);
	}
	room_pass(&r, 399 * S);
	assert_int_equal(room_calls(&r, 0), 1);
	room_pass(&r, 2 * S);
	assert_int_equal(room_calls(&r, 0), 0);
	assert_int_equal(r.w.lane->count[ST_CALL_SESSION], 1);
	room_stop(&r);
}

static void a_peer_has_its_limit(void **state)
{
	struct room r;

	room_start(&r, 1, 2);
	lb_set_peer_calls(r.w.words, 0, 3);
	for (unsigned i = 0; i < 5; i++) {
		unsigned n = talk_invite(&r, &r.talk[i], LB_NONE);

		assert_int_equal(r.w.act[n - 1].op, i < 3 ? LB_FORWARD : LB_REPLY);
	}
	assert_int_equal(room_calls(&r, 0) + room_calls(&r, 1), 3);
	talk_respond(&r, &r.talk[0], &r.talk[0].leg[0], 486, 5, 0);
	assert_int_equal(talk_invite(&r, &r.talk[0], LB_NONE) > 1, 1);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 3);
	lb_set_gateway_calls(r.w.words, 0, 0); /* no gateway: the peer's place is given back */
	lb_set_gateway_calls(r.w.words, 1, 0);
	lb_set_peer_calls(r.w.words, 0, 10);
	talk_invite(&r, &r.talk[4], LB_NONE);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 3);
	room_stop(&r);
}

/* 503 at the first, the second takes it: one place in all, at the second. */
static void fail_over_moves_it(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];
	uint16_t first, second;

	room_start(&r, 1, 2);
	talk_invite(&r, t, LB_NONE);
	first = t->leg[0].gateway;
	talk_respond(&r, t, &t->leg[0], 503, 5, 0);
	assert_int_equal(t->legs, 2);
	second = t->leg[1].gateway;
	assert_int_not_equal(first, second);
	assert_int_equal(room_calls(&r, first), 0);
	assert_int_equal(room_calls(&r, second), 1);
	talk_respond(&r, t, &t->leg[1], 200, 6, 0);
	assert_int_equal(room_calls(&r, second), 1);
	room_stop(&r);
}

/* The first is mute and is left; then it brings the call after all, and the second is CANCELled. */
static void the_mute_one_wins(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 2);
	talk_invite(&r, t, LB_NONE);
	talk_pass(&r, t, 2 * S);
	assert_true(t->legs >= 2);
	assert_int_equal(room_calls(&r, 0) + room_calls(&r, 1), 2);
	talk_respond(&r, t, &t->leg[0], 200, 6, 0);
	assert_int_equal(room_calls(&r, 0) + room_calls(&r, 1), 2);
	talk_respond(&r, t, &t->leg[t->legs - 1], 180, 7, 0);
	talk_respond(&r, t, &t->leg[t->legs - 1], 487, 7, 0);
	assert_int_equal(room_calls(&r, t->leg[0].gateway), 1);
	assert_int_equal(room_calls(&r, !t->leg[0].gateway), 0);
	talk_in_dialog(&r, t, METHOD_BYE, 6, false);
	talk_answer(&r, t, 200, 0);
	assert_int_equal(room_calls(&r, 0) + room_calls(&r, 1), 0);
	room_stop(&r);
}

/* Without room to keep it, or without a transaction, a call counts all the same. */
static void without_a_transaction(void **state)
{
	static const uint16_t ends[] = { 486, 200 };
	struct room r;

	room_start(&r, 1, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct talk *t = &r.talk[i];

		*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, ++r.next, 1) };
		talk_send(&r, t);
		assert_int_equal(room_calls(&r, 0), 1);
		talk_respond(&r, t, &t->leg[0], 180, 5, 0);
		talk_respond(&r, t, &t->leg[0], ends[i], 5, 300);
		talk_respond(&r, t, &t->leg[0], ends[i], 5, 300);
		assert_int_equal(room_calls(&r, 0), i);
	}
	talk_in_dialog(&r, &r.talk[1], METHOD_BYE, 5, true);
	talk_answer(&r, &r.talk[1], 200, 0);
	assert_int_equal(room_calls(&r, 0), 0);
	room_stop(&r);
}

/* Call n in t, set up by another process with the same keys. from: slot of the gateway that called. */
static void old_call(const struct room *r, struct talk *t, uint32_t n, uint16_t from)
{
	struct world other;

	world_start(&other, r->w.spec.n_gateways);
	*t = (struct talk){ .invite = world_request(&other, METHOD_INVITE, n, 1) };
	if (from != LB_NONE)
		t->invite.src = t->invite.reply_to = other.gateway[from].addr;
	lb_input(other.worker, other.snap, &t->invite, other.now, other.act);
	t->token_n = other.act[0].token_n;
	memcpy(t->token, other.act[0].token, t->token_n);
	t->leg[0].dst = other.act[0].dst;
	t->leg[0].gateway = other.act[0].gateway;
	world_free(&other);
}

/* Calls of another process: each BYE takes one off, once, however often and from whom it comes. */
static void survivors_end(void **state)
{
	struct room r;

	room_start(&r, 1, 1);
	lb_set_survivors(r.w.words, 0, 3);
	lb_set_gateway_calls(r.w.words, 0, 4);
	talk_invite(&r, &r.talk[0], LB_NONE); /* one of its own */
	talk_respond(&r, &r.talk[0], &r.talk[0].leg[0], 200, 5, 0);
	assert_int_equal(talk_invite(&r, &r.talk[1], LB_NONE), 1); /* full */
	for (unsigned i = 0; i < 3; i++) {
		struct talk *t = &r.talk[2 + i];

		old_call(&r, t, 100 + i, LB_NONE);
		for (unsigned k = 0; k < 4; k++) {
			assert_true(talk_in_dialog(&r, t, METHOD_BYE, 9, k % 2));
			talk_answer(&r, t, 200, 0);
		}
		assert_int_equal(lb_get_survivors(r.w.words, 0), 2 - i);
	}
	lb_set_survivors(r.w.words, 0, 1);
	talk_in_dialog(&r, &r.talk[0], METHOD_BYE, 5, false); /* has an entry: no survivor */
	talk_answer(&r, &r.talk[0], 200, 0);
	talk_in_dialog(&r, &r.talk[0], METHOD_BYE, 5, true); /* both at once */
	assert_int_equal(lb_get_survivors(r.w.words, 0), 1);
	assert_int_equal(r.w.lane->count[ST_SURVIVOR_ENDED], 3);
	room_stop(&r);
}

/* A challenged BYE ends nothing: both gateways of the call get their survivor back, until the next BYE. */
static void a_survivor_is_challenged(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];
	uint16_t out, in;

	room_start(&r, 1, 2);
	for (uint32_t n = 100; old_call(&r, t, n, 0), t->leg[0].gateway == 0;)
		n++;
	out = t->leg[0].gateway;
	in = !out;
	lb_set_survivors(r.w.words, out, 5);
	lb_set_survivors(r.w.words, in, 5);
	for (unsigned i = 0; i < 2; i++) {
		talk_in_dialog(&r, t, METHOD_BYE, 9, i);
		talk_in_dialog(&r, t, METHOD_BYE, 9, i); /* repeated */
		assert_int_equal(lb_get_survivors(r.w.words, out), 4);
		assert_int_equal(lb_get_survivors(r.w.words, in), 4);
		for (unsigned k = 0; k < 2; k++) { /* and its answer */
			talk_answer(&r, t, i ? 407 : 401, 0);
			assert_int_equal(lb_get_survivors(r.w.words, out), 5);
			assert_int_equal(lb_get_survivors(r.w.words, in), 5);
		}
	}
	assert_int_equal(r.w.lane->count[ST_SURVIVOR_ENDED], 0);
	talk_in_dialog(&r, t, METHOD_BYE, 9, false);
	talk_answer(&r, t, 200, 0);
	talk_answer(&r, t, 200, 0);
	assert_int_equal(lb_get_survivors(r.w.words, out), 4);
	assert_int_equal(lb_get_survivors(r.w.words, in), 4);
	assert_int_equal(r.w.lane->count[ST_SURVIVOR_ENDED], 1);
	room_stop(&r);
}

/* The 2xx is lost on its way to the caller, and its gateway dies: the caller gives up, and so does the count.
 */
static void an_answer_that_never_arrived(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, ++r.next, 1) };
		t->invite.room = i < 2; /* with transactions, or without */
		talk_send(&r, t);
		talk_respond(&r, t, &t->leg[0], 180, 5, 0);
		talk_respond(&r, t, &t->leg[0], 200, 5, 1800);
		room_pass(&r, i % 2 ? 100 * S : S); /* they are there, or over */
		talk_cancel(&r, t);
		talk_cancel(&r, t);
		talk_respond(&r, t, &t->leg[0], 200, 6, 0); /* nor does this one */
		room_pass(&r, 31 * S);
		assert_int_equal(room_calls(&r, 0), 1);
		room_pass(&r, 2 * S);
		assert_int_equal(room_calls(&r, 0), 0);
		assert_int_equal(r.w.lane->count[ST_CALL_CANCELLED], 1 + i);
	}
	room_stop(&r);
}

/* Who was refused before his CANCEL could end the call has failed, not given up. */
static void a_cancel_that_crosses_a_refusal(void **state)
{
	static const uint16_t finals[] = { 487, 486, 603, 480 };
	struct room r;

	room_start(&r, 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		struct talk *t = &r.talk[0];

		talk_invite(&r, t, LB_NONE);
		talk_respond(&r, t, &t->leg[0], 180, 5, 0);
		talk_cancel(&r, t);
		talk_respond(&r, t, &t->leg[0], finals[i], 5, 0);
		assert_int_equal(room_calls(&r, 0), 0);
		assert_int_equal(r.w.lane->count[ST_CALL_CANCELLED], 1);
		assert_int_equal(r.w.lane->count[ST_CALL_FAILED], i);
	}
	talk_invite(&r, &r.talk[0], LB_NONE); /* nor has he whom a gateway tells so of itself */
	talk_respond(&r, &r.talk[0], &r.talk[0].leg[0], 487, 5, 0);
	assert_int_equal(r.w.lane->count[ST_CALL_CANCELLED], 1);
	assert_int_equal(r.w.lane->count[ST_CALL_FAILED], 4);
	room_stop(&r);
}

/* The CANCEL crosses the 2xx, and the call goes on: an ACK, or a 2xx in dialog, shows that. */
static void a_cancel_that_crosses_the_answer(void **state)
{
	struct room r;

	room_start(&r, 1, 1);
	for (unsigned i = 0; i < 4; i++) {
		struct talk *t = &r.talk[i];

		talk_invite(&r, t, LB_NONE);
		talk_respond(&r, t, &t->leg[0], 200, 5, 0);
		if (i == 0)
			talk_in_dialog(&r, t, METHOD_ACK, 5, false);
		talk_cancel(&r, t);
		if (i == 1)
			talk_respond(&r, t, &t->leg[0], 200, 6, 0); /* another fork changes nothing */
		if (i == 3 && talk_in_dialog(&r, t, METHOD_UPDATE, 5, true))
			talk_answer(&r, t, 200, 0);
		room_pass(&r, S);
		if (i == 1 || i == 2)
			talk_in_dialog(&r, t, METHOD_ACK, 5, false);
		room_pass(&r, 3600 * S);
		assert_int_equal(room_calls(&r, 0), 1);
		for (uint32_t to = 5; to <= 5 + (i == 1); to++) {
			talk_in_dialog(&r, t, METHOD_BYE, to, false);
			talk_answer(&r, t, 200, 0);
		}
		assert_int_equal(room_calls(&r, 0), 0);
	}
	assert_int_equal(r.w.lane->count[ST_CALL_BYE], 4);
	room_stop(&r);
}

/*
 * A late answer has the place that its branch still holds: at no moment is there one for another call. In a
 * table that is full it has the entry, too.
 */
static void a_place_that_is_held_changes_hands(void **state)
{
	for (unsigned full = 0; full < 2; full++) {
		struct room r;
		struct talk *t = &r.talk[0];
		uint64_t *note;
		uint16_t left;

		room_start(&r, 5, 2);
		if (full)
			world_calls(&r.w, 2);
		note = &r.w.words->pool[0].full[ASK_CALL];
		for (uint16_t slot = 0; slot < 2; slot++)
			lb_set_gateway_calls(r.w.words, slot, 1);
		talk_invite(&r, t, LB_NONE);
		talk_pass(&r, t, S + S / 10);
		left = t->leg[0].gateway;
		talk_respond(&r, t, &t->leg[t->legs - 1], 486, 6, 0);
		talk_pass(&r, t, 31 * S + S / 2); /* past Timer B of the branch that was left, not its hold */
		talk_invite(&r, &r.talk[1], LB_NONE);
		talk_invite(&r, &r.talk[2], LB_NONE); /* all are full: noted until a place comes free */
		assert_true(full || *note);
		talk_respond(&r, t, &t->leg[0], 200, 5, 0);
		assert_int_equal(lb_call_count(r.w.worker), 2);
		assert_true(full || *note);
		room_pass(&r, S); /* past the hold */
		assert_int_equal(room_calls(&r, left), 1);
		talk_in_dialog(&r, t, METHOD_BYE, 5, false);
		talk_answer(&r, t, 200, 0);
		assert_int_equal(room_calls(&r, left), 0);
		assert_int_equal(*note, 0);
		room_stop(&r);
	}
}

/* A gateway that was left refuses when the transactions are over: not if the call was answered elsewhere. */
static void a_refusal_after_all(void **state)
{
	struct room r;

	room_start(&r, 1, 2);
	for (unsigned answered = 0; answered < 2; answered++) {
		struct talk *t = &r.talk[0];

		talk_invite(&r, t, LB_NONE);
		talk_pass(&r, t, S + S / 10);
		talk_respond(&r, t, &t->leg[t->legs - 1], answered ? 200 : 486, 6, 0);
		for (unsigned i = 0; i < 100; i++)
			room_pass(&r, S);
		talk_respond(&r, t, &t->leg[0], 410, 5, 0);
		expect_act(&r.w.act[0], answered ? LB_DROP : LB_FORWARD,
			   answered ? ST_DROP_RESPONSE_LATE : ST_FWD_RESPONSE);
	}
	room_stop(&r);
}

/* "Refused" is counted whichever way the no is said. */
static void refused_after_fail_over(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 2);
	r.w.pool[0].attempts = 2;
	world_build(&r.w);
	talk_invite(&r, t, LB_NONE);
	lb_set_gateway_cps(r.w.words, 0, 0);
	lb_set_gateway_cps(r.w.words, 1, 0);
	talk_respond(&r, t, &t->leg[0], 503, 5, 0);
	assert_int_equal(r.w.act[1].op, LB_ANSWER);
	assert_int_equal(r.w.act[1].status, 503);
	assert_int_equal(r.w.act[1].end, ST_SENT_REFUSED);
	assert_int_equal(r.w.lane->peers[0].count[ST_PEER_REFUSED], 1);
	lb_set_gateway_cps(r.w.words, 0, LB_UNLIMITED);
	lb_set_gateway_cps(r.w.words, 1, LB_UNLIMITED);
	talk_invite(&r, t, LB_NONE); /* all that were to be asked say no: an answer */
	talk_respond(&r, t, &t->leg[0], 503, 5, 0);
	talk_respond(&r, t, &t->leg[1], 503, 5, 0);
	assert_int_equal(r.w.act[1].end, ST_SENT_ANSWER);
	assert_int_equal(r.w.lane->peers[0].count[ST_PEER_REFUSED], 1);
	room_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_invite_to_bye),
		cmocka_unit_test(from_a_gateway),
		cmocka_unit_test(sessions),
		cmocka_unit_test(a_peer_has_its_limit),
		cmocka_unit_test(fail_over_moves_it),
		cmocka_unit_test(the_mute_one_wins),
		cmocka_unit_test(without_a_transaction),
		cmocka_unit_test(survivors_end),
		cmocka_unit_test(a_survivor_is_challenged),
		cmocka_unit_test(an_answer_that_never_arrived),
		cmocka_unit_test(a_cancel_that_crosses_a_refusal),
		cmocka_unit_test(a_cancel_that_crosses_the_answer),
		cmocka_unit_test(a_place_that_is_held_changes_hands),
		cmocka_unit_test(a_refusal_after_all),
		cmocka_unit_test(refused_after_fail_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
