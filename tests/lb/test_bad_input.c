/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What nobody should send, and what it does to the counts: a call that is up and one that rings at the same
 * gateways come to their proper ends beside it, and nothing of it stays.
 */
#include "tests/lb/check.h"
#include "tests/lb/room.h"

enum {
	UP = 22,
	RINGING = 23
}; /* talks that others must not harm */

static void start(struct room *r, unsigned gateways)
{
	room_start(r, 1, gateways);
	talk_invite(r, &r->talk[UP], LB_NONE);
	talk_respond(r, &r->talk[UP], &r->talk[UP].leg[0], 200, 5, 0);
	talk_invite(r, &r->talk[RINGING], LB_NONE);
	talk_respond(r, &r->talk[RINGING], &r->talk[RINGING].leg[0], 180, 5, 0);
}

/* Calls in use at all gateways beside those two. */
static uint32_t others(struct room *r)
{
	uint32_t n = 0;

	room_audit(r);
	for (uint16_t slot = 0; slot < r->w.spec.n_gateways; slot++)
		n += lb_gateway_calls(r->w.words, slot);
	return n - 2;
}

static void hang_up(struct room *r, struct talk *t, uint32_t to)
{
	assert_true(talk_in_dialog(r, t, METHOD_BYE, to, false));
	talk_answer(r, t, 200, 0);
}

/* The two go on to their ends; then nothing is left. */
static void stop(struct room *r)
{
	struct talk *t = &r->talk[RINGING];
	uint64_t ended = r->w.lane->count[ST_CALL_BYE];

	assert_int_equal(others(r), 0);
	talk_respond(r, t, &t->leg[0], 200, 5, 0);
	assert_int_equal(others(r), 0);
	hang_up(r, t, 5);
	hang_up(r, &r->talk[UP], 5);
	room_audit(r);
	assert_int_equal(lb_call_count(r->w.worker), 0);
	assert_int_equal(lb_peer_calls(r->w.words, 0), 0);
	assert_int_equal(r->w.lane->count[ST_CALL_BYE], ended + 2);
	room_stop(r);
}

/* A branch used again with another CSeq while it rings: two calls, each with its own place and end. */
static void a_branch_used_again(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0], *second = &r.talk[1];

	start(&r, 2);
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 180, 5, 0);
	*second = (struct talk){ .invite = t->invite };
	second->invite.cseq++;
	talk_send(&r, second);
	talk_respond(&r, second, &second->leg[0], 180, 6, 0);
	assert_int_equal(others(&r), 2);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 4);
	room_pass(&r, 40 * S); /* longer than a place is held for a branch that was left */
	assert_int_equal(others(&r), 2);
	talk_respond(&r, t, &t->leg[0], 486, 5, 0);
	assert_int_equal(others(&r), 1);
	talk_respond(&r, second, &second->leg[0], 486, 6, 0);
	stop(&r);
}

/* A fork past those that an entry names says 200 until it is acknowledged: one more dialog all the same. */
static void five_forks_of_which_one_repeats(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1);
	talk_invite(&r, t, LB_NONE);
	for (uint32_t to = 5; to <= 9; to++)
		for (unsigned times = 0; times < 10; times++)
			talk_respond(&r, t, &t->leg[0], 200, to, 0);
	for (uint32_t to = 5; to <= 9; to++) {
		assert_int_equal(others(&r), 1);
		hang_up(&r, t, to);
	}
	stop(&r);
}

/* A fork whose BYE is done says 200 once more, late, while another one has the call: it has ended all the
 * same. */
static void a_fork_that_has_ended_repeats(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1);
	talk_invite(&r, t, LB_NONE);
	for (uint32_t to = 5; to <= 6; to++) {
		talk_respond(&r, t, &t->leg[0], 200, to, 0);
		assert_int_equal(others(&r), 1);
		talk_respond(&r, t, &t->leg[0], 200, 5, 0);
		hang_up(&r, t, to);
		assert_int_equal(others(&r), 0);
	}
	stop(&r);
}

/* BYEs with tags of nobody: no survivor is taken off for a call that is known, nor more than one for one that
 * is not. */
static void byes_with_made_up_tags(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];
	struct world_call old;
	struct world before;

	start(&r, 1);
	lb_set_survivors(r.w.words, 0, 100);
	for (uint32_t to = 50; to < 60; to++) {
		talk_in_dialog(&r, &r.talk[UP], METHOD_BYE, to, to % 2);
		talk_answer(&r, &r.talk[UP], 481, 0);
	}
	talk_in_dialog(&r, &r.talk[RINGING], METHOD_BYE, 5, false); /* in its early dialog: RFC 3261 15 */
	assert_int_equal(lb_get_survivors(r.w.words, 0), 100);
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 200, 5, 0);
	hang_up(&r, t, 5);
	for (uint32_t to = 50; to < 60; to++) {
		talk_in_dialog(&r, t, METHOD_BYE, to, to % 2);
		talk_answer(&r, t, 481, 0);
	}
	assert_int_equal(lb_get_survivors(r.w.words, 0), 100);
	world_start(&before, 1); /* with the same keys */
	old = world_call(&before, 7777);
	for (uint32_t to = 50; to < 60; to++) {
		struct lb_query bye = world_in_dialog(&old, METHOD_BYE);

		bye.to_hash = to;
		assert_int_equal(world_input(&r.w, &bye)->op, LB_FORWARD);
	}
	assert_int_equal(lb_get_survivors(r.w.words, 0), 99);
	world_free(&before);
	stop(&r);
}

/* BYEs with a token of another call, or with one that was guessed: nothing ends, no survivor is taken off. */
static void tokens_of_others(void **state)
{
	struct room r;
	struct talk *up = &r.talk[UP];

	start(&r, 1);
	lb_set_survivors(r.w.words, 0, 100);
	for (unsigned i = 0; i < 2 * up->token_n; i++) {
		struct talk t = *up;

		if (i < up->token_n)
			t.token[i] = t.token[i] == 'a' ? 'b' : 'a';
		else
			t.invite.call_hash += i;
		if (talk_in_dialog(&r, &t, METHOD_BYE, 50 + i, i % 2))
			talk_answer(&r, &t, 481, 0);
		assert_int_equal(r.w.lane->count[ST_TOKEN_BAD], i + 1);
	}
	assert_int_equal(lb_get_survivors(r.w.words, 0), 100);
	stop(&r);
}

/*
 * Who is refused, or challenged, and comes again and again in the same name: the first time with credentials
 * costs nothing, everything else is counted against his rate.
 */
static void the_same_name_again_and_again(void **state)
{
	static const uint16_t statuses[] = { 404, 401, 407, 486 };

	for (unsigned i = 0; i < 8; i++) {
		uint16_t status = statuses[i / 2];
		struct room r;
		struct talk *t = &r.talk[0];

		start(&r, 1);
		lb_set_peer_cps(r.w.words, 0, 1);
		*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, 9, 1) };
		t->invite.room = i % 2;
		talk_send(&r, t);
		for (unsigned legs = 0; legs < t->legs;) {
			legs = t->legs;
			talk_respond(&r, t, &t->leg[legs - 1], status, 5, 0);
			t->invite.via_hash++;
			t->invite.cseq++;
			talk_send(&r, t);
		}
		assert_int_equal(t->legs, status == 401 || status == 407 ? 2 : 1);
		assert_int_equal(r.w.act[0].end, ST_REPLY_PEER_LIMIT);
		room_stop(&r);
	}
}

/* INVITE number n of many with one Call-ID, which is another one for each `name`. */
static const struct lb_act *namesake(struct room *r, struct talk *t, uint32_t name, uint32_t n)
{
	struct lb_query invite = world_request(&r->w, METHOD_INVITE, n, 1);

	invite.call_hash = world_request(&r->w, METHOD_INVITE, name, 1).call_hash;
	invite.room = 1;
	*t = (struct talk){ .invite = invite };
	return &r->w.act[talk_send(r, t) - 1];
}

/* A Call-ID that everybody has: a bounded number of calls, so that nobody's message waits for them. */
static void one_call_id_for_all(void **state)
{
	static const uint16_t statuses[] = { 180, 200, 404 }; /* they ring, are up, or leave only setups */

	for (uint32_t i = 0; i < 3; i++) {
		uint16_t status = statuses[i];
		struct talk t[LIMIT_SAME_NAME + 1];
		struct room r;

		start(&r, 2);
		for (uint32_t n = 0; n < LIMIT_SAME_NAME; n++) {
			assert_int_equal(namesake(&r, &t[n], 100 + i, 1000 + n)->op, LB_FORWARD);
			talk_respond(&r, &t[n], &t[n].leg[0], status, 5, 0);
		}
		for (uint32_t n = 0; n < 1000; n++) {
			expect_act(namesake(&r, &r.talk[0], 100 + i, 5000 + n / 2), LB_REPLY,
				   n % 2 ? ST_REPLY_REFUSED_AGAIN : ST_REPLY_LOOP);
			assert_int_equal(r.w.act[0].status, 482);
		}
		assert_int_equal(namesake(&r, &r.talk[0], 200, 1)->op, LB_FORWARD); /* another name */
		talk_respond(&r, &r.talk[0], &r.talk[0].leg[0], 486, 5, 0);
		assert_int_equal(others(&r), status == 404 ? 0 : LIMIT_SAME_NAME);
		for (uint32_t n = 0; n < LIMIT_SAME_NAME; n++) {
			if (status == 200)
				hang_up(&r, &t[n], 5);
			else
				talk_respond(&r, &t[n], &t[n].leg[0], 486, 5, 0);
		}
		for (unsigned k = 0; k < 40; k++)
			room_pass(&r, S);
		assert_int_equal(namesake(&r, &t[0], 100 + i, 9999)->op, LB_FORWARD); /* room again */
		talk_respond(&r, &t[0], &t[0].leg[0], 486, 5, 0);
		stop(&r);
	}
}

/* True if the last event has made such an action. */
static bool made(const struct room *r, unsigned n, enum lb_op op)
{
	for (unsigned k = 0; k < n; k++)
		if (r->w.act[k].op == op)
			return true;
	return false;
}

/* CANCEL and ACK that differ from the INVITE that rings in one thing: it rings on. */
static void cancel_and_ack_for_nothing(void **state)
{
	struct room r;

	start(&r, 2);
	for (unsigned i = 0; i < 10; i++) {
		struct lb_query q = r.talk[RINGING].invite;
		unsigned n;

		q.method = i % 2 ? METHOD_ACK : METHOD_CANCEL;
		q.has_to_tag = i % 2;
		q.via_hash += i / 2 == 0;
		q.from_hash += i / 2 == 1;
		q.call_hash += i / 2 == 2;
		q.cseq += i / 2 == 3;
		q.has_to_tag ^= i / 2 == 4; /* a CANCEL with a To tag, an ACK without one */
		n = lb_input(r.w.worker, r.w.snap, &q, r.w.now, r.w.act);
		assert_false(made(&r, n, LB_CANCEL));
		assert_false(made(&r, n, LB_ANSWER));
		assert_int_equal(others(&r), 0);
	}
	room_pass(&r, 100 * S);
	stop(&r);
}

/* The caller's CANCEL has brought its 487, and then another fork says 200: the call is up, and counts. */
static void ok_after_487(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 2);
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 180, 5, 0);
	talk_cancel(&r, t);
	talk_respond(&r, t, &t->leg[0], 487, 5, 0);
	assert_int_equal(others(&r), 0);
	for (unsigned k = 0; k < 3; k++)
		talk_respond(&r, t, &t->leg[0], 200, 6, 0);
	assert_int_equal(others(&r), 1);
	talk_cancel(&r, t); /* repeated: of the call that was cancelled, not of this one */
	talk_in_dialog(&r, t, METHOD_ACK, 6, false);
	room_pass(&r, 100 * S);
	assert_int_equal(others(&r), 1);
	hang_up(&r, t, 6);
	stop(&r);
}

/* Provisional responses of a thousand forks, and 100 without end: one place, until Timer C and its CANCEL. */
static void provisional_storms(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0], *trying = &r.talk[1];

	start(&r, 2);
	talk_invite(&r, t, LB_NONE);
	talk_invite(&r, trying, LB_NONE);
	for (uint32_t i = 0; i < 1000; i++) {
		talk_respond(&r, t, &t->leg[0], 180 + i % 4, 100 + i, 0);
		talk_respond(&r, trying, &trying->leg[0], 100, 0, 0);
		assert_int_equal(others(&r), 2);
	}
	for (unsigned k = 0; k < 211; k++) { /* Timers C and F, with 100 all the time */
		assert_int_equal(others(&r), 2);
		room_pass(&r, S);
		talk_respond(&r, trying, &trying->leg[0], 100, 0, 0);
		talk_respond(&r, &r.talk[RINGING], &r.talk[RINGING].leg[0], 180, 5, 0);
	}
	room_pass(&r, S);
	room_pass(&r, S);
	assert_int_equal(r.w.lane->count[ST_CALL_FAILED], 2);
	stop(&r);
}

/* Both sides ask for a change at once: 491 changes nothing, not even when the session ends. */
static void glare(void **state)
{
	struct lb_call before, after;
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1);
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 200, 6, 600);
	assert_true(lb_call_read(r.w.worker, 2, r.w.now, &before));
	for (unsigned k = 0; k < 20; k++) {
		assert_true(talk_in_dialog(&r, t, METHOD_INVITE, 6, k % 2));
		talk_answer(&r, t, 491, 0);
		room_pass(&r, S);
	}
	assert_true(lb_call_read(r.w.worker, 2, r.w.now, &after));
	assert_int_equal(after.session_ms, before.session_ms - 20000);
	assert_int_equal(after.dialogs, 1);
	hang_up(&r, t, 6);
	stop(&r);
}

/* The same Call-ID under other tags and branches: each INVITE has its place, its answer and its end. */
static void namesakes(void **state)
{
	struct room r;

	start(&r, 2);
	for (unsigned i = 0; i < 4; i++) {
		struct talk *t = &r.talk[i];

		*t = (struct talk){ .invite = r.talk[RINGING].invite };
		t->invite.from_hash += i & 1;
		t->invite.via_hash += i >> 1;
		t->invite.cseq += i == 0;
		talk_send(&r, t);
		assert_int_equal(others(&r), i + 1);
	}
	for (unsigned i = 0; i < 4; i++) {
		talk_respond(&r, &r.talk[i], &r.talk[i].leg[0], i % 2 ? 200 : 486, 20 + i, 0);
		assert_int_equal(others(&r), i < 1 ? 3 : i < 2 ? 3 : 2);
	}
	hang_up(&r, &r.talk[3], 23);
	hang_up(&r, &r.talk[1], 21);
	stop(&r);
}

/* Responses of the ringing call under another CSeq, From tag or Call-ID: as if they had never come. */
static void responses_that_do_not_fit(void **state)
{
	struct room r;

	start(&r, 2);
	for (unsigned i = 0; i < 3; i++) {
		struct talk t = r.talk[RINGING];

		t.invite.cseq += i == 0;
		t.invite.from_hash += i == 1;
		t.invite.call_hash += i == 2;
		for (uint16_t status = 100; status < 700; status += 50) {
			talk_respond(&r, &t, &t.leg[0], status, 5, 0);
			assert_int_equal(r.w.act[0].op, LB_DROP);
		}
		assert_int_equal(others(&r), 0);
	}
	stop(&r);
}

/* The last entry but one, the last, and past it: who has a limit is full, nobody else suffers. */
static void a_table_one_from_full(void **state)
{
	struct room r;

	room_start(&r, 1, 1);
	world_calls(&r.w, 3);
	lb_set_gateway_calls(r.w.words, 0, 100);
	talk_invite(&r, &r.talk[UP], LB_NONE);
	talk_respond(&r, &r.talk[UP], &r.talk[UP].leg[0], 200, 5, 0);
	talk_invite(&r, &r.talk[RINGING], LB_NONE);
	talk_respond(&r, &r.talk[RINGING], &r.talk[RINGING].leg[0], 180, 5, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(talk_invite(&r, &r.talk[i], LB_NONE), i ? 1 : 3);
	assert_int_equal(r.w.act[0].end, ST_REPLY_REFUSED);
	assert_int_equal(others(&r), 1);
	lb_set_gateway_calls(r.w.words, 0, LB_UNLIMITED);
	talk_invite(&r, &r.talk[3], LB_NONE); /* uncounted, from its INVITE to its BYE */
	talk_respond(&r, &r.talk[3], &r.talk[3].leg[0], 200, 8, 0);
	assert_int_equal(others(&r), 1);
	talk_respond(&r, &r.talk[0], &r.talk[0].leg[0], 486, 5, 0);
	assert_int_equal(others(&r), 0);
	assert_true(talk_in_dialog(&r, &r.talk[3], METHOD_BYE, 8, false));
	talk_answer(&r, &r.talk[3], 200, 0);
	assert_int_equal(r.w.lane->count[ST_CALL_UNCOUNTED], 1);
	stop(&r);
}

/* A worker that comes to its timers minutes late: all that was due ends, in some order, and nothing else. */
static void timers_minutes_late(void **state)
{
	struct room r;

	start(&r, 2);
	for (unsigned i = 0; i < 20; i++) {
		talk_invite(&r, &r.talk[i], LB_NONE);
		if (i % 3)
			talk_respond(&r, &r.talk[i], &r.talk[i].leg[0], i % 3 == 1 ? 100 : 180, 5, 0);
	}
	assert_int_equal(others(&r), 20);
	r.w.now += 170 * S;
	talk_respond(&r, &r.talk[RINGING], &r.talk[RINGING].leg[0], 180, 5, 0);
	r.w.now += 100 * S; /* past all timers of the others; the one that rings is at 100 s of 180 */
	for (unsigned k = 0; k < 50; k++)
		room_pass(&r, S / 10);
	for (unsigned k = 0; k < 70; k++)
		room_pass(&r, S);
	stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_branch_used_again),
		cmocka_unit_test(five_forks_of_which_one_repeats),
		cmocka_unit_test(a_fork_that_has_ended_repeats),
		cmocka_unit_test(byes_with_made_up_tags),
		cmocka_unit_test(tokens_of_others),
		cmocka_unit_test(the_same_name_again_and_again),
		cmocka_unit_test(one_call_id_for_all),
		cmocka_unit_test(cancel_and_ack_for_nothing),
		cmocka_unit_test(ok_after_487),
		cmocka_unit_test(provisional_storms),
		cmocka_unit_test(glare),
		cmocka_unit_test(namesakes),
		cmocka_unit_test(responses_that_do_not_fit),
		cmocka_unit_test(a_table_one_from_full),
		cmocka_unit_test(timers_minutes_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
