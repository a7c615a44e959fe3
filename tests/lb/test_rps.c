/* SPDX-License-Identifier: BSD-3-Clause */
/* max-rps: requests outside dialogs, and those inside dialogs that nobody knows. */
#include "tests/lb/newcomer.h"

static struct lb_query stray(const struct world *w)
{
	struct lb_query q = world_request(w, METHOD_INFO, ++next_call, 1);

	q.has_to_tag = 1;
	q.to_tag = STR("lost");
	return q;
}

static struct lb_query cancel_for_nothing(const struct world *w)
{
	return world_request(w, METHOD_CANCEL, ++next_call, 1);
}

static void max_rps_of_a_gateway(void **state)
{
	struct lb_query q;
	struct world w;

	world_start(&w, 2);
	lb_set_gateway_rps(w.words, 0, 100);
	lb_set_gateway_rps(w.words, 1, 20);
	q = new_message(&w);
	assert_int_not_equal(placed(&w, q), LB_NONE);
	assert_int_equal(admitted(&w, new_message, 50), 5);
	for (unsigned i = 0; i < 10; i++)
		assert_int_not_equal(placed(&w, q), LB_NONE); /* a repetition asks for nothing */
	assert_int_equal(w.act[0].op, LB_FORWARD);
	assert_int_equal(admitted(&w, new_call, 50), 50);
	w.now += SECOND;
	assert_int_equal(admitted(&w, new_message, 50), 6);
	assert_true(w.lane->gateways[0].count[ST_GW_SKIPPED_RPS] > 0);
	world_free(&w);
}

/* What leaves a dead gateway is no new request of its peer's. */
static void repetitions_are_free(void **state)
{
	struct lb_query q;
	uint16_t was;
	struct world w;

	(void)state;
	world_start(&w, 2);
	lb_set_peer_rps(w.words, 0, 1);
	q = new_message(&w);
	was = placed(&w, q);
	lb_set_health(w.words, was, LB_DOWN);
	assert_int_equal(placed(&w, q), 1 - was);
	assert_int_equal(admitted(&w, new_message, 1), 0);
	world_free(&w);
}

/* A To tag is no way past all limits: what nobody knows is charged to the peer, 500 past it. */
static void strays_are_charged(void **state)
{
	struct lb_query ack;
	struct world w;

	world_start(&w, 2);
	lb_set_peer_rps(w.words, 0, 200);
	assert_int_equal(admitted(&w, stray, 6), 6);
	assert_int_equal(admitted(&w, new_message, 20), 4);
	assert_int_equal(admitted(&w, stray, 20), 0);
	assert_int_equal(w.act[0].op, LB_REPLY);
	assert_int_equal(w.act[0].status, 500);
	assert_int_equal(w.act[0].end, ST_REPLY_PEER_LIMIT);
	ack = stray(&w);
	ack.method = METHOD_ACK;
	expect_act(world_input(&w, &ack), LB_DROP, ST_DROP_ACK_NOWHERE);
	assert_int_equal(admitted(&w, new_call, 20), 20);
	assert_int_equal(w.lane->peers[0].count[ST_PEER_LIMITED], 16 + 20 + 1);
	world_free(&w);
}

static struct lb_query strangers_stray(const struct world *w)
{
	struct lb_query q = next_call % 2 ? stray(w) : cancel_for_nothing(w);

	q.src = q.reply_to = world_ip4("203.0.113.1", 5060);
	return q;
}

/* Nor for who is no peer, where those may call: what is charged to nobody is bounded by the gateway's limit.
 */
static void strays_of_strangers_are_bounded(void **state)
{
	struct lb_query ack;
	struct world w;

	(void)state;
	world_start(&w, 1);
	w.spec.unknown = LB_UNKNOWN_ALLOW;
	world_build(&w);
	lb_set_gateway_rps(w.words, 0, 200);
	assert_int_equal(admitted(&w, strangers_stray, 30), 10);
	assert_int_equal(w.act[0].op, LB_REPLY);
	assert_int_equal(w.act[0].status, 500);
	assert_int_equal(w.lane->gateways[0].count[ST_GW_SKIPPED_RPS], 20);
	ack = stray(&w);
	ack.method = METHOD_ACK;
	assert_int_equal(placed(&w, ack), 0); /* a peer's is the peer's business */
	ack.src = world_ip4("203.0.113.1", 5060);
	expect_act(world_input(&w, &ack), LB_DROP, ST_DROP_ACK_NOWHERE);
	w.now += SECOND;
	lb_set_health(w.words, 0, LB_DOWN); /* whose dialogs may go on all the same */
	assert_int_equal(admitted(&w, strangers_stray, 30), 10);
	world_free(&w);
}

/* A CANCEL of nothing that is known goes on (RFC 3261 16.10), but not without end; one of a call always does.
 */
static void cancels_for_nothing_are_charged(void **state)
{
	struct lb_query cancel;
	struct world w;

	world_start(&w, 2);
	lb_set_peer_rps(w.words, 0, 200);
	cancel = new_call(&w);
	assert_int_not_equal(placed(&w, cancel), LB_NONE);
	cancel.method = METHOD_CANCEL;
	assert_int_equal(admitted(&w, cancel_for_nothing, 20), 10);
	assert_int_equal(w.act[0].end, ST_REPLY_PEER_LIMIT);
	assert_int_equal(admitted(&w, stray, 20), 0);
	for (unsigned i = 0; i < 3; i++)
		expect_act(world_input(&w, &cancel), LB_REPLY, ST_REPLY_CANCEL);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(max_rps_of_a_gateway),
		cmocka_unit_test(repetitions_are_free),
		cmocka_unit_test(strays_are_charged),
		cmocka_unit_test(strays_of_strangers_are_bounded),
		cmocka_unit_test(cancels_for_nothing_are_charged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
