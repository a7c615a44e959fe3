/* SPDX-License-Identifier: BSD-3-Clause */
/* The transactions of a call against RFC 3261 figures 5 and 7 and RFC 6026, event by event; CANCEL at every
 * moment. */
#include "tests/lb/scene.h"

/* ---- Client: RFC 3261 figure 5 ----------------------------------------------------------------------- */

static void timers_a_and_b(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	scene_until(&s, 31.9);
	scene_expect(&s, "0.5:repeat0 1.5:repeat0 3.5:repeat0 7.5:repeat0 15.5:repeat0 31.5:repeat0");
	scene_until(&s, 32.1);
	scene_expect(&s, "32:answer408");
	scene_caller(&s, METHOD_ACK);
	scene_expect(&s, "-");
	scene_end(&s);
}

/* 17.1.1.1: T1 may be larger where the round trip is; 17.1.1.2: it doubles all the same. */
static void timer_a_of_a_slow_gateway(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	lb_set_gateway_t1(s.w.words, 0, 800);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	scene_until(&s, 31.9);
	scene_expect(&s, "0.8:repeat0 2.4:repeat0 5.6:repeat0 12:repeat0 24.8:repeat0");
	scene_until(&s, 32.1); /* Timer B as ever */
	scene_expect(&s, "32:answer408");
	scene_end(&s);
}

static void provisional_stops_a_and_starts_c(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 100);
	scene_expect(&s, "100 INVITE0 -");
	scene_until(&s, 100);
	scene_gateway(&s, 0, 180);
	scene_expect(&s, "180");
	scene_gateway(&s, 0, 183);
	scene_expect(&s, "183");
	scene_until(&s, 279.9);
	scene_expect(&s, "");
	scene_until(&s, 280.2); /* 16.8 */
	scene_expect(&s, "280:CANCEL0");
	scene_cancel_ok(&s, 0);
	scene_gateway(&s, 0, 487);
	scene_caller(&s, METHOD_ACK);
	scene_expect(&s, "- ACK0 487 -");
	scene_end(&s);
}

static void final_is_acknowledged_each_time(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_gateway(&s, 0, 486);
	scene_expect(&s, "100 INVITE0 180 ACK0 486");
	scene_caller(&s, METHOD_ACK);
	scene_gateway(&s, 0, 486);
	scene_gateway(&s, 0, 180);
	scene_expect(&s, "- ACK0 - -");
	scene_until(&s, 31);
	scene_gateway(&s, 0, 486);
	scene_expect(&s, "ACK0 -");
	scene_until(&s, 33); /* D is over: the final goes on by its MAC */
	scene_gateway(&s, 0, 486);
	scene_expect(&s, "486");
	scene_end(&s);
}

/* RFC 6026 7.2 and 8.6, with our deviation: a 2xx always finds its way. */
static void accepted(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "100 INVITE0 200");
	assert_false(s.kept);
	scene_gateway(&s, 0, 200);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_gateway(&s, 0, 500);
	scene_expect(&s, "200 - - -");
	scene_until(&s, 40);
	scene_expect(&s, "");
	assert_int_equal(s.w.worker->setups.in_use, 0);
	scene_gateway(&s, 0, 200);
	scene_gateway(&s, 0, 180);
	scene_expect(&s, "200 drop");
	scene_end(&s);
}

/* ---- Server: RFC 3261 figure 7 ----------------------------------------------------------------------- */

static void timers_g_and_h(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0 100 -");
	scene_gateway(&s, 0, 404);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "ACK0 404 final -");
	scene_until(&s, 34);
	scene_expect(&s,
		     "0.5:final 1.5:final 3.5:final 7.5:final 11.5:final 15.5:final 19.5:final 23.5:final "
		     "27.5:final 31.5:final");
	scene_end(&s);
}

static void ack_ends_the_repeats(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 404);
	scene_until(&s, 1);
	scene_caller(&s, METHOD_ACK);
	scene_caller(&s, METHOD_ACK);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0 ACK0 404 0.5:final - - -");
	assert_false(s.final_kept);
	scene_until(&s, 40);
	scene_expect(&s, "");
	scene_end(&s);
}

static void forks_are_all_relayed(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 183);
	scene_gateway(&s, 0, 180);
	scene_gateway(&s, 0, 183);
	scene_gateway(&s, 0, 200);
	scene_gateway(&s, 0, 200); /* of another fork, to the same branch */
	scene_expect(&s, "100 INVITE0 183 180 183 200 200");
	scene_end(&s);
}

/* ---- CANCEL at every moment -------------------------------------------------------------------------- */

static void cancel_before_any_response(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_caller(&s, METHOD_CANCEL);
	scene_expect(&s, "100 INVITE0 ok");
	scene_until(&s, 0.6);
	scene_expect(&s, "0.5:repeat0"); /* RFC 3261 9.1: only after a provisional response */
	scene_gateway(&s, 0, 100);
	scene_expect(&s, "CANCEL0 -");
	scene_cancel_ok(&s, 0);
	scene_gateway(&s, 0, 487);
	scene_caller(&s, METHOD_ACK);
	scene_expect(&s, "- ACK0 487 -");
	scene_end(&s);
}

static void cancel_while_it_rings(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_caller(&s, METHOD_CANCEL);
	scene_caller(&s, METHOD_CANCEL);
	scene_expect(&s, "100 INVITE0 180 CANCEL0 ok ok");
	scene_until(&s, 12); /* Timer E: T1, doubling up to T2 */
	scene_expect(&s, "0.5:CANCEL0 1.5:CANCEL0 3.5:CANCEL0 7.5:CANCEL0 11.5:CANCEL0");
	scene_cancel_ok(&s, 0);
	scene_until(&s, 31.9);
	scene_expect(&s, "-");
	scene_until(&s, 32.1); /* 9.1: nothing within 64 * T1 */
	scene_expect(&s, "32:answer487");
	scene_end(&s);
}

static void cancel_crosses_a_final(void **state)
{
	static const uint16_t finals[] = { 200, 486, 603, 302 };

	for (unsigned i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		struct scene s;
		char words[64];

		scene_start(&s, 1);
		scene_caller(&s, METHOD_INVITE);
		scene_gateway(&s, 0, 180);
		scene_caller(&s, METHOD_CANCEL);
		scene_gateway(&s, 0, finals[i]);
		snprintf(words, sizeof(words), "100 INVITE0 180 CANCEL0 ok %s%u", i ? "ACK0 " : "",
			 finals[i]);
		scene_expect(&s, words);
		scene_caller(&s, METHOD_CANCEL);
		scene_expect(&s, "ok");
		scene_end(&s);
	}
}

static void cancel_after_a_final(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 486);
	scene_caller(&s, METHOD_CANCEL);
	scene_caller(&s, METHOD_ACK);
	scene_caller(&s, METHOD_CANCEL);
	scene_expect(&s, "100 INVITE0 ACK0 486 ok - ok");
	scene_end(&s);
}

/* Timer C, RFC 3261 16.8: the branch is CANCELled, and its own final response goes on. */
static void rings_for_too_long(void **state)
{
	struct scene s;

	scene_start(&s, 2);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_until(&s, 180.1);
	scene_expect(&s, "100 INVITE0 180 180:CANCEL0");
	scene_cancel_ok(&s, 0);
	scene_gateway(&s, 0, 487);
	scene_expect(&s, "- ACK0 487");
	scene_end(&s);

	scene_start(&s, 2);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_until(&s, 180.1);
	scene_gateway(&s, 0, 200); /* answered at the last moment */
	scene_expect(&s, "100 INVITE0 180 180:CANCEL0 200");
	scene_end(&s);

	scene_start(&s, 2); /* no other gateway is asked so late */
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_until(&s, 180.1);
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "100 INVITE0 180 180:CANCEL0 ACK0 answer408 -");
	scene_end(&s);

	scene_start(&s, 2); /* nothing in 64 * T1 after the CANCEL: 9.1; 16.7, step 6 */
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_until(&s, 180.1);
	scene_cancel_ok(&s, 0);
	scene_until(&s, 211.9);
	scene_expect(&s, "100 INVITE0 180 180:CANCEL0 -");
	scene_until(&s, 212.1);
	scene_expect(&s, "212:answer408");
	scene_end(&s);
}

/* A call that came about after all is not refused once more: RFC 3261 16.7, step 10. */
static void a_2xx_overtakes_the_final(void **state)
{
	struct scene s;

	scene_start(&s, 2);
	scene_caller(&s, METHOD_INVITE);
	scene_until(&s, 1.1);
	scene_gateway(&s, 1, 404);
	scene_expect(&s, "100 INVITE0 0.5:repeat0 1:INVITE1 ACK1 404");
	scene_gateway(&s, 0, 200);
	scene_caller(&s, METHOD_INVITE);
	scene_until(&s, 10);
	scene_caller(&s, METHOD_ACK);
	scene_expect(&s, "200 - -");
	scene_end(&s);
}

static void cancel_of_a_503_is_a_487(void **state)
{
	struct scene s;

	scene_start(&s, 2);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 100);
	scene_caller(&s, METHOD_CANCEL);
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "100 INVITE0 - CANCEL0 ok ACK0 answer487 -");
	scene_end(&s);
}

/* ---- What does not belong ---------------------------------------------------------------------------- */

static void cancel_and_ack_for_nothing(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_CANCEL); /* 16.10: no context, so it is forwarded */
	scene_caller(&s, METHOD_ACK);
	scene_expect(&s, "cancel0 ack0");
	scene_end(&s);
}

static void other_tags_branches_and_numbers(void **state)
{
	struct lb_query q;
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	s.kept = false;
	q = s.invite;
	q.from_hash++; /* the same Call-ID and branch, another caller */
	scene_input(&s, &q);
	assert_int_equal(s.w.worker->setups.in_use, 2);
	q = s.invite;
	q.via_hash++;
	s.kept = false;
	scene_input(&s, &q);
	q = s.invite;
	q.cseq++; /* a branch used again */
	s.kept = false;
	scene_input(&s, &q);
	assert_int_equal(s.w.worker->setups.in_use, 4);
	world_free(&s.w);
}

static void response_whose_cseq_does_not_fit(void **state)
{
	uint32_t cseq;
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	cseq = s.invite.cseq;
	s.invite.cseq = 99;
	scene_gateway(&s, 0, 200);
	scene_gateway(&s, 0, 180);
	scene_expect(&s, "100 INVITE0 drop drop");
	assert_int_equal(s.w.act[0].end, ST_DROP_RESPONSE_CSEQ);
	s.invite.cseq = cseq;
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "200");
	scene_end(&s);
}

/* RFC 3261 17.1.3: nor what answers another method, though it has the branch and the number of the INVITE. */
static void response_to_another_method(void **state)
{
	static const enum method methods[] = { METHOD_ACK, METHOD_BYE, METHOD_OPTIONS, METHOD_OTHER };
	struct scene s;

	scene_ring(&s, 1);
	for (unsigned i = 0; i < 8; i++) {
		struct lb_query q = scene_response(&s, 0, methods[i / 2], i % 2 ? 200 : 486);

		scene_input(&s, &q);
		scene_expect(&s, "drop");
		assert_int_equal(s.w.act[0].end, ST_DROP_RESPONSE_CSEQ);
	}
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "200");
	scene_end(&s);
}

static void provisional_storm(void **state)
{
	struct scene s;

	scene_start(&s, 2);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	for (unsigned i = 0; i < 1000; i++) {
		scene_gateway(&s, 0, i & 1 ? 180 : 100);
		scene_expect(&s, i & 1 ? "180" : "-");
	}
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "200");
	scene_end(&s);
}

/* Without room a call goes by its pin, as one from full on. */
static void without_room(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	s.invite.room = 0;
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "INVITE0");
	scene_gateway(&s, 0, 100);
	scene_expect(&s, "100");
	scene_caller(&s, METHOD_CANCEL);
	scene_expect(&s, "cancel0");
	assert_int_equal(s.w.lane->count[ST_SETUP_FULL], 1);
	scene_end(&s);
}

static void one_from_full_and_past_it(void **state)
{
	struct world w;
	unsigned held = 0;

	world_start(&w, 1);
	for (unsigned i = 0; i < 258; i++) {
		struct lb_query q = world_request(&w, METHOD_INVITE, i, 1);

		q.room = 1;
		held += lb_input(w.worker, w.snap, &q, w.now, w.act) == 3;
	}
	assert_int_equal(held, 256);
	assert_int_equal(w.lane->count[ST_SETUP_FULL], 2);
	world_free(&w);
}

/* A final that cannot be kept is forwarded all the same; what repeats of the INVITE then find is silence. */
static void final_without_room(void **state)
{
	struct lb_query q;
	struct scene s;

	scene_start(&s, 1);
	scene_caller(&s, METHOD_INVITE);
	q = (struct lb_query){
		.method = METHOD_INVITE,
		.listener = 1,
		.has_to_tag = 1,
		.status = 486,
		.src = s.w.gateway[0].addr,
		.via_to = s.invite.reply_to,
		.call_hash = s.invite.call_hash,
		.from_hash = s.invite.from_hash,
		.cseq = s.invite.cseq,
		.branch = { s.branch[0].text, s.branch[0].len },
	};
	scene_input(&s, &q);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0 ACK0 486 -");
	scene_until(&s, 40);
	scene_expect(&s, "");
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_a_and_b),
		cmocka_unit_test(timer_a_of_a_slow_gateway),
		cmocka_unit_test(provisional_stops_a_and_starts_c),
		cmocka_unit_test(final_is_acknowledged_each_time),
		cmocka_unit_test(accepted),
		cmocka_unit_test(timers_g_and_h),
		cmocka_unit_test(ack_ends_the_repeats),
		cmocka_unit_test(forks_are_all_relayed),
		cmocka_unit_test(cancel_before_any_response),
		cmocka_unit_test(cancel_while_it_rings),
		cmocka_unit_test(cancel_crosses_a_final),
		cmocka_unit_test(cancel_after_a_final),
		cmocka_unit_test(rings_for_too_long),
		cmocka_unit_test(a_2xx_overtakes_the_final),
		cmocka_unit_test(cancel_of_a_503_is_a_487),
		cmocka_unit_test(cancel_and_ack_for_nothing),
		cmocka_unit_test(other_tags_branches_and_numbers),
		cmocka_unit_test(response_whose_cseq_does_not_fit),
		cmocka_unit_test(response_to_another_method),
		cmocka_unit_test(provisional_storm),
		cmocka_unit_test(without_room),
		cmocka_unit_test(one_from_full_and_past_it),
		cmocka_unit_test(final_without_room),
	};

	return cmocka_run_group_tests_name("invite", tests, NULL, NULL);
}
