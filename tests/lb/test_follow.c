/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows an earlier request, by its pin or by the hash, through the door only. */
#include "tests/lb/check.h"

static uint64_t cell(const struct world *w, uint16_t slot, enum st_gateway_counter id)
{
	return w->lane->gateways[slot].count[id];
}

/* Sends a new call while its ideal gateway is down for a moment; returns the one that got it. */
static uint16_t elsewhere(struct world *w, const struct lb_query *q)
{
	uint16_t ideal = lb_pick_ideal(w->snap, 0, q->call_hash), gateway;

	lb_set_health(w->words, ideal, LB_DOWN);
	gateway = world_input(w, q)->gateway;
	lb_set_health(w->words, ideal, LB_UP);
	assert_int_not_equal(gateway, ideal);
	return gateway;
}

static void same_branch_for_invite_cancel_and_ack(void **state)
{
	char branch[LIMIT_BRANCH];
	struct lb_query q, r;
	uint16_t gateway;
	unsigned n;
	struct world w;

	world_start(&w, 4);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	gateway = world_input(&w, &q)->gateway;
	n = w.act[0].branch_n;
	memcpy(branch, w.act[0].branch, n);
	lb_set_gateway_cps(w.words, gateway, 0); /* outside the limits from now on */
	for (unsigned i = 0; i < 3; i++) {
		if (i == 1)
			q.method = METHOD_CANCEL;
		if (i == 2) {
			q.method = METHOD_ACK;
			q.has_to_tag = 1;
			q.to_tag = STR("gateways-tag");
		}
		w.now += SECOND / 2;
		expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
		assert_int_equal(w.act[0].gateway, gateway);
		assert_int_equal(w.act[0].branch_n, n);
		assert_memory_equal(w.act[0].branch, branch, n);
		assert_int_equal(w.act[0].token_n > 0, i == 0);
	}
	assert_int_equal(w.lane->count[ST_PINNED], 3);
	assert_int_equal(w.lane->count[ST_PICKED], 1);
	assert_int_equal(cell(&w, gateway, ST_GW_CALLS), 1);
	q = world_request(&w, METHOD_INVITE, 1, 2); /* another transaction is another branch */
	lb_set_gateway_cps(w.words, gateway, LB_UNLIMITED);
	world_input(&w, &q);
	assert_memory_not_equal(w.act[0].branch, branch, n);
	r = world_response(&w, &q, 200);
	expect_act(world_input(&w, &r), LB_FORWARD, ST_FWD_RESPONSE);
	world_free(&w);
}

/* 401 round: the same gateway, even one that the hash would not choose; unless it cannot. */
static void credentials_return_to_their_gateway(void **state)
{
	struct lb_query q, r;
	uint16_t ideal, first;
	struct world w;

	world_start(&w, 3);
	lb_set_peer_cps(w.words, 0, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	ideal = lb_pick_ideal(w.snap, 0, q.call_hash);
	first = elsewhere(&w, &q);
	r = world_response(&w, &q, 401);
	world_input(&w, &r);
	q = world_request(&w, METHOD_INVITE, 1, 2);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST); /* not charged to the peer again */
	assert_int_equal(w.act[0].gateway, first);
	r = world_response(&w, &q, 401);
	world_input(&w, &r);
	lb_set_admin(w.words, first, LB_DRAIN);
	q = world_request(&w, METHOD_INVITE, 1, 3);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_PEER_LIMIT); /* challenged again: charged again */
	w.now += SECOND;
	q = world_request(&w, METHOD_INVITE, 1, 4);
	assert_int_equal(world_input(&w, &q)->gateway, ideal);
	q = world_request(&w, METHOD_INVITE, 1, 5); /* no answer to the last one: a new call for the peer */
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_PEER_LIMIT);
	world_free(&w);
}

static void a_repetition_leaves_a_dead_gateway(void **state)
{
	struct lb_query answered, mute, r;
	uint16_t was;
	struct world w;

	world_start(&w, 2);
	mute = world_request(&w, METHOD_OPTIONS, 1, 1);
	was = world_input(&w, &mute)->gateway;
	for (uint32_t n = 2;; n++) {
		answered = world_request(&w, METHOD_OPTIONS, n, 1);
		if (world_input(&w, &answered)->gateway == was)
			break;
	}
	r = world_response(&w, &answered, 200);
	world_input(&w, &r);
	lb_set_health(w.words, was, LB_DOWN);
	assert_int_equal(world_input(&w, &answered)->gateway, was);
	assert_int_equal(world_input(&w, &mute)->gateway, 1 - was);
	assert_int_equal(world_input(&w, &mute)->gateway, 1 - was);
	lb_set_health(w.words, was, LB_UP);
	assert_int_equal(world_input(&w, &mute)->gateway, 1 - was);
	world_free(&w);
}

static void strays(void **state)
{
	struct lb_query q;
	struct world w;

	world_start(&w, 3);
	q = world_request(&w, METHOD_BYE, 1, 1); /* from the peer: where the hash says, outside the limits */
	q.has_to_tag = 1;
	q.to_tag = STR("x");
	for (uint16_t slot = 0; slot < 3; slot++)
		lb_set_gateway_cps(w.words, slot, 0);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(w.act[0].gateway, lb_pick_ideal(w.snap, 0, q.call_hash));
	assert_int_equal(w.act[0].token_n, 0);
	q.src = w.gateway[0].addr; /* from a gateway: whoever it means is not known */
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	q.method = METHOD_ACK;
	expect_act(world_input(&w, &q), LB_DROP, ST_DROP_ACK_NOWHERE);
	q = world_request(&w, METHOD_CANCEL, 2, 1);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(w.act[0].gateway, lb_pick_ideal(w.snap, 0, q.call_hash));
	q = world_request(&w, METHOD_ACK, 3, 1);
	expect_act(world_input(&w, &q), LB_DROP, ST_DROP_ACK_NOWHERE);
	world_free(&w);
}

/* Without Record-Route the pin leads what follows of a ringing call to its gateway. */
static void strays_follow_the_pin(void **state)
{
	struct lb_query q, r;
	uint16_t ideal, was;
	struct world w;

	world_start(&w, 3);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	ideal = lb_pick_ideal(w.snap, 0, q.call_hash);
	was = elsewhere(&w, &q);
	r = world_response(&w, &q, 183);
	world_input(&w, &r);
	w.now += 180 * SECOND; /* still ringing */
	q.method = METHOD_PRACK;
	q.has_to_tag = 1;
	q.to_tag = STR("x");
	q.via_hash++;
	assert_int_equal(world_input(&w, &q)->gateway, was);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	world_input(&w, &q);
	r = world_response(&w, &q, 200);
	world_input(&w, &r);
	w.now += 31 * SECOND;
	q.method = METHOD_ACK;
	q.has_to_tag = 1;
	q.via_hash += 2;
	assert_int_equal(world_input(&w, &q)->gateway, was);
	w.now += 3 * SECOND;
	assert_int_equal(world_input(&w, &q)->gateway, ideal);
	world_free(&w);
}

/* A proxy above forks one call to two pools: each branch stays with its own gateway. */
static void forks_are_kept_apart(void **state)
{
	struct lb_query a, b;
	struct world w;

	world_init(&w);
	world_gateway(&w, 0, 1, 0);
	world_gateway(&w, 1, 1, 0);
	w.spec.n_routes = 0;
	world_route(&w, 1)->number = STR("+99");
	world_route(&w, 0);
	world_build(&w);
	a = world_request(&w, METHOD_INVITE, 1, 1);
	b = world_request(&w, METHOD_INVITE, 1, 2);
	b.number = STR("+991");
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(world_input(&w, &a)->gateway, 0);
		assert_int_equal(world_input(&w, &b)->gateway, 1);
	}
	a.method = b.method = METHOD_CANCEL;
	b.number = (struct str){ 0 }; /* by the pin, not by the route */
	assert_int_equal(world_input(&w, &b)->gateway, 1);
	assert_int_equal(world_input(&w, &a)->gateway, 0);
	world_free(&w);
}

/* The 200 to a CANCEL says nothing about the INVITE, whose branch it has. */
static void answers_to_cancel_end_nothing(void **state)
{
	struct lb_query q, r;
	uint16_t was;
	struct world w;

	world_start(&w, 3);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	was = elsewhere(&w, &q);
	q.method = METHOD_CANCEL;
	world_input(&w, &q);
	r = world_response(&w, &q, 200);
	expect_act(world_input(&w, &r), LB_FORWARD, ST_FWD_RESPONSE);
	assert_int_equal(st_hist_count(&w.lane->gateways[was].response), 0);
	w.now += 100 * SECOND;
	assert_int_equal(world_input(&w, &q)->gateway, was);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_branch_for_invite_cancel_and_ack),
		cmocka_unit_test(credentials_return_to_their_gateway),
		cmocka_unit_test(a_repetition_leaves_a_dead_gateway),
		cmocka_unit_test(strays),
		cmocka_unit_test(strays_follow_the_pin),
		cmocka_unit_test(forks_are_kept_apart),
		cmocka_unit_test(answers_to_cancel_end_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
