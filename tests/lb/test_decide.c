/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of admission, message by message, through the door only. */
#include <ctype.h>
#include <stdlib.h>
#include "tests/lb/check.h"
#include "tests/lb/world.h"

static void start(struct world *w, unsigned gateways)
{
	world_init(w);
	for (unsigned i = 0; i < gateways; i++)
		world_gateway(w, 0, 1, 0);
	world_build(w);
}

static void expect(const struct lb_act *act, enum lb_op op, enum st_end end)
{
	assert_int_equal(act->end, end);
	assert_int_equal(act->op, op);
}

static uint64_t cell(const struct world *w, uint16_t slot, enum st_gateway_counter id)
{
	return w->lane->gateways[slot].count[id];
}

/* Forwards a new INVITE and keeps its token. */
struct call {
	struct lb_query invite;
	uint16_t gateway;
	char token[LIMIT_TOKEN];
	unsigned token_n;
};

static struct call call_up(struct world *w, uint32_t n)
{
	struct call c = { .invite = world_request(w, METHOD_INVITE, n, 1) };
	const struct lb_act *act = world_input(w, &c.invite);

	expect(act, LB_FORWARD, ST_FWD_REQUEST);
	c.gateway = act->gateway;
	c.token_n = act->token_n;
	memcpy(c.token, act->token, act->token_n);
	return c;
}

static struct lb_query in_dialog(const struct world *w, const struct call *c, enum method method)
{
	struct lb_query q = c->invite;

	q.method = method;
	q.has_to_tag = 1;
	q.to_tag = STR("their-tag");
	q.via_hash++;
	q.token = text_of(c->token, c->token_n);
	return q;
}

static struct lb_query from_callee(const struct world *w, const struct call *c, enum method method)
{
	struct lb_query q = in_dialog(w, c, method);

	q.from_hash ^= 0x55;
	q.src = w->gateway[c->gateway].addr;
	q.reply_to = q.src;
	q.listener = 1;
	return q;
}

static void a_call(void **state)
{
	struct lb_query q, r;
	const struct lb_act *act;
	struct call c;
	struct world w;

	start(&w, 3);
	c = call_up(&w, 1);
	act = &w.act[0];
	assert_true(addr_eq(&act->dst, &w.gateway[c.gateway].addr));
	assert_int_equal(act->listener, 1);
	assert_int_equal(act->towards, 1);
	assert_true(act->token_n > 0);
	assert_int_equal(lb_pick_ideal(w.snap, 0, c.invite.call_hash), c.gateway);
	w.now += 3000000;
	r = world_response(&w, &c.invite, 180);
	q = r;
	act = world_input(&w, &r);
	expect(act, LB_FORWARD, ST_FWD_RESPONSE);
	assert_true(addr_eq(&act->dst, &c.invite.reply_to));
	assert_int_equal(act->listener, c.invite.listener);
	assert_int_equal(act->gateway, c.gateway);
	q = in_dialog(&w, &c, METHOD_ACK);
	act = world_input(&w, &q);
	expect(act, LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(act->gateway, c.gateway);
	assert_int_equal(act->token_n, 0);
	q = from_callee(&w, &c, METHOD_BYE);
	act = world_input(&w, &q);
	expect(act, LB_FORWARD, ST_FWD_REQUEST);
	assert_true(addr_eq(&act->dst, &c.invite.src));
	assert_int_equal(act->listener, 0);
	assert_int_equal(act->towards, 0);
	assert_int_equal(act->gateway, LB_NONE);
	r = world_response(&w, &q, 200);
	act = world_input(&w, &r);
	expect(act, LB_FORWARD, ST_FWD_RESPONSE);
	assert_int_equal(act->listener, 1);
	assert_int_equal(act->gateway, LB_NONE);
	assert_int_equal(cell(&w, c.gateway, ST_GW_CALLS), 1);
	assert_int_equal(cell(&w, c.gateway, ST_GW_REQUESTS), 2);
	assert_int_equal(cell(&w, c.gateway, ST_GW_REQUESTS_FROM), 1);
	assert_int_equal(cell(&w, c.gateway, ST_GW_RESPONSES_1XX), 1);
	assert_int_equal(st_hist_count(&w.lane->gateways[c.gateway].response), 1);
	assert_in_range(w.lane->gateways[c.gateway].response.sum_ns, 2998000, 3002000);
	world_free(&w);
}

static void away_goes_only_where_allowed(void **state)
{
	static const struct {
		const char *next;
		bool there;
	} cases[] = { { "192.0.2.77", true }, { "198.51.100.1", true }, { "203.0.113.1", false } };
	const struct lb_act *act;
	struct lb_query q;
	struct call c;
	struct world w;

	start(&w, 1);
	c = call_up(&w, 1);
	for (unsigned i = 0; i < 3; i++) {
		q = from_callee(&w, &c, METHOD_BYE);
		q.next = world_ip4(cases[i].next, 5080);
		act = world_input(&w, &q);
		expect(act, LB_FORWARD, ST_FWD_REQUEST);
		assert_true(addr_eq(&act->dst, cases[i].there ? &q.next : &c.invite.src));
	}
	world_free(&w);
}

/* The token leads to its gateway whatever has happened to gateways, tables and limits since. */
static void tokens_outlive_everything(void **state)
{
	struct lb_query q, back;
	struct call c;
	struct world w, other;

	start(&w, 5);
	c = call_up(&w, 1);
	lb_set_health(w.words, c.gateway, LB_DOWN);
	lb_set_gateway_cps(w.words, c.gateway, 0);
	q = in_dialog(&w, &c, METHOD_INVITE);
	assert_int_equal(world_input(&w, &q)->gateway, c.gateway);
	lb_set_admin(w.words, c.gateway, LB_DRAIN);
	assert_int_equal(world_input(&w, &q)->gateway, c.gateway);

	world_init(&other); /* another process, pools and gateways in another order */
	for (unsigned i = 0; i < 7; i++)
		world_gateway(&other, 1, 1, 0);
	for (unsigned i = 0; i < 5; i++) {
		other.gateway[6 - i] = w.gateway[i];
		other.gateway[6 - i].slot = 6 - i;
		other.gateway[6 - i].pool = i % 2;
	}
	other.gateway[0].name = STR("new");
	other.gateway[1].name = STR("newer");
	world_build(&other);
	assert_int_equal(world_input(&other, &q)->gateway, 6 - c.gateway);
	assert_true(addr_eq(&other.act[0].dst, &w.gateway[c.gateway].addr));
	back = from_callee(&w, &c, METHOD_BYE);
	assert_true(addr_eq(&world_input(&other, &back)->dst, &c.invite.src));
	assert_int_equal(other.lane->count[ST_TOKENED], 2);

	other.gateway[6 - c.gateway].name = STR("gone");
	world_build(&other);
	expect(world_input(&other, &q), LB_REPLY, ST_REPLY_GONE);
	assert_int_equal(other.act[0].status, 481);
	assert_int_equal(other.act[0].to_tag_n, 0);
	q.method = METHOD_ACK;
	expect(world_input(&other, &q), LB_ABSORB, ST_ABSORB_ACK);
	world_free(&w);
	world_free(&other);
}

/* A token of another call, without To tag, changed or guessed, helps nobody past an unknown source. */
static void bad_tokens_count_for_nothing(void **state)
{
	struct call a, b;
	struct lb_query q;
	struct world w;

	start(&w, 2);
	a = call_up(&w, 1);
	b = call_up(&w, 2);
	q = in_dialog(&w, &a, METHOD_BYE);
	q.src = world_ip4("203.0.113.9", 5060);
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	q.token = text_of(b.token, b.token_n);
	expect(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	q.token = text_of(a.token, a.token_n);
	q.has_to_tag = 0;
	expect(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	q.has_to_tag = 1;
	for (unsigned i = 0; i < a.token_n; i++) {
		char kept = a.token[i];

		a.token[i] = kept == 'a' ? 'b' : 'a';
		expect(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
		a.token[i] = kept;
	}
	assert_int_equal(w.lane->count[ST_TOKEN_BAD], 1 + a.token_n);
	for (unsigned i = 0; i < a.token_n; i++)
		a.token[i] = toupper(a.token[i]);
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	world_free(&w);
}

static void same_branch_for_invite_cancel_and_ack(void **state)
{
	char branch[LIMIT_BRANCH];
	struct lb_query q, r;
	uint16_t gateway;
	unsigned n;
	struct world w;

	start(&w, 4);
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
		expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
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
	expect(world_input(&w, &r), LB_FORWARD, ST_FWD_RESPONSE);
	world_free(&w);
}

/* 401 round: the same gateway, even one that the hash would not choose; unless it cannot. */
static void credentials_return_to_their_gateway(void **state)
{
	struct lb_query q, r;
	uint16_t ideal, first;
	struct world w;

	start(&w, 3);
	lb_set_peer_cps(w.words, 0, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	ideal = lb_pick_ideal(w.snap, 0, q.call_hash);
	lb_set_health(w.words, ideal, LB_DOWN);
	first = world_input(&w, &q)->gateway;
	assert_int_not_equal(first, ideal);
	lb_set_health(w.words, ideal, LB_UP);
	r = world_response(&w, &q, 401);
	world_input(&w, &r);
	q = world_request(&w, METHOD_INVITE, 1, 2);
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST); /* not charged to the peer again */
	assert_int_equal(w.act[0].gateway, first);
	r = world_response(&w, &q, 401);
	world_input(&w, &r);
	lb_set_admin(w.words, first, LB_DRAIN);
	q = world_request(&w, METHOD_INVITE, 1, 3);
	assert_int_equal(world_input(&w, &q)->gateway, ideal);
	q = world_request(&w, METHOD_INVITE, 1, 4); /* no answer to the last one: a new call for the peer */
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_PEER_LIMIT);
	world_free(&w);
}

static void a_repetition_leaves_a_dead_gateway(void **state)
{
	struct lb_query answered, mute, r;
	uint16_t was;
	struct world w;

	start(&w, 2);
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

static void a_refusal_never_flips(void **state)
{
	struct lb_query q, ack, cancel;
	uint32_t retry_after;
	char tag[LIMIT_TAG];
	struct world w;

	start(&w, 2);
	w.peer[0].when_full = LB_FULL_503_RETRY;
	w.pool[0].retry_after_s = 20;
	world_build(&w);
	lb_set_gateway_cps(w.words, 0, 0);
	lb_set_health(w.words, 1, LB_DOWN);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
	assert_int_equal(w.act[0].status, 503);
	assert_string_equal(w.act[0].reason, "Service Unavailable");
	assert_true(addr_eq(&w.act[0].dst, &q.reply_to));
	retry_after = w.act[0].retry_after_s;
	assert_in_range(retry_after, 20, 40);
	memcpy(tag, w.act[0].to_tag, LIMIT_TAG);
	ack = q;
	ack.method = METHOD_ACK;
	ack.has_to_tag = 1;
	ack.to_tag = text_of(tag, w.act[0].to_tag_n);
	lb_set_gateway_cps(w.words, 0, LB_UNLIMITED); /* there would be room now */
	for (unsigned i = 0; i < 6; i++) {
		w.now += 5 * (uint64_t)SECOND;
		expect(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED_AGAIN);
		assert_int_equal(w.act[0].status, 503);
		assert_int_equal(w.act[0].retry_after_s, retry_after);
		assert_int_equal(w.act[0].to_tag_n, ack.to_tag.n);
		assert_memory_equal(w.act[0].to_tag, tag, ack.to_tag.n);
	}
	cancel = q;
	cancel.method = METHOD_CANCEL;
	expect(world_input(&w, &cancel), LB_ABSORB, ST_ABSORB_CANCEL);
	w.now += 3600 * (uint64_t)SECOND;
	expect(world_input(&w, &ack), LB_ABSORB, ST_ABSORB_ACK);
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(w.lane->peers[0].count[ST_PEER_REFUSED], 1);
	world_free(&w);
}

static void ways_to_say_no(void **state)
{
	static const struct {
		enum lb_when_full when;
		uint16_t status;
		bool retry_after;
	} cases[] = { { LB_FULL_503_RETRY, 503, true },
		      { LB_FULL_503, 503, false },
		      { LB_FULL_500, 500, false } };
	struct lb_query q;
	struct world w;

	for (unsigned i = 0; i < 3; i++) {
		uint32_t least = 1000, greatest = 0;

		start(&w, 1);
		w.peer[0].when_full = cases[i].when;
		world_build(&w);
		lb_set_health(w.words, 0, LB_DOWN);
		for (uint32_t n = 0; n < 1000; n++) {
			q = world_request(&w, METHOD_INVITE, n, 1);
			expect(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
			assert_int_equal(w.act[0].status, cases[i].status);
			assert_int_equal(w.act[0].retry_after_s > 0, cases[i].retry_after);
			least = w.act[0].retry_after_s < least ? w.act[0].retry_after_s : least;
			greatest = w.act[0].retry_after_s > greatest ? w.act[0].retry_after_s : greatest;
		}
		assert_int_equal(least, cases[i].retry_after ? 10 : 0);
		assert_int_equal(greatest, cases[i].retry_after ? 20 : 0);
		world_free(&w);
	}
}

static void unknown_sources(void **state)
{
	struct lb_query q, bad, ack;
	struct world w;

	start(&w, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	q.src = world_ip4("203.0.113.1", 5060);
	bad = q;
	bad.fault = 400;
	bad.fault_reason = "Bad Request";
	ack = q;
	ack.method = METHOD_ACK;
	expect(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	expect(world_input(&w, &bad), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	w.spec.unknown = LB_UNKNOWN_403;
	world_build(&w);
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_UNKNOWN);
	assert_int_equal(w.act[0].status, 403);
	assert_true(w.act[0].to_tag_n > 0);
	expect(world_input(&w, &bad), LB_REPLY, ST_REPLY_UNKNOWN);
	expect(world_input(&w, &ack), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	w.spec.unknown = LB_UNKNOWN_ALLOW;
	world_build(&w);
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	expect(world_input(&w, &bad), LB_REPLY, ST_REPLY_ERROR);
	w.now += 1000 * (uint64_t)SECOND;
	lb_set_health(w.words, 0, LB_DOWN);
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
	assert_true(w.act[0].retry_after_s > 0); /* phones come back one by one */
	world_free(&w);
}

static void faults_and_loops(void **state)
{
	static const struct {
		uint16_t status;
		enum st_end end;
	} cases[] = {
		{ 400, ST_REPLY_ERROR },   { 416, ST_REPLY_ERROR }, { 420, ST_REPLY_ERROR },
		{ 440, ST_REPLY_BREADTH }, { 483, ST_REPLY_HOPS },  { 505, ST_REPLY_ERROR },
	};
	struct lb_query q;
	struct call c;
	struct world w;

	start(&w, 1);
	c = call_up(&w, 9);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		q = world_request(&w, METHOD_INVITE, 1, 1);
		q.fault = cases[i].status;
		q.fault_reason = "why";
		expect(world_input(&w, &q), LB_REPLY, cases[i].end);
		assert_int_equal(w.act[0].status, cases[i].status);
		assert_string_equal(w.act[0].reason, "why");
		q.method = METHOD_ACK;
		expect(world_input(&w, &q), LB_DROP, ST_DROP_ACK_FAULTY);
		q = in_dialog(&w, &c, METHOD_BYE); /* a token does not make it well */
		q.fault = cases[i].status;
		q.fault_reason = "why";
		expect(world_input(&w, &q), LB_REPLY, cases[i].end);
		assert_int_equal(w.act[0].to_tag_n, 0);
	}
	q = world_request(&w, METHOD_INVITE, 1, 1);
	q.looped = 1;
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_LOOP);
	assert_int_equal(w.act[0].status, 482);
	world_free(&w);
}

static void options_to_ourselves(void **state)
{
	struct lb_query q;
	struct world w;

	start(&w, 1);
	q = world_request(&w, METHOD_OPTIONS, 1, 1);
	q.to_us = 1;
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_OPTIONS);
	assert_int_equal(w.act[0].status, 200);
	q.fault = 483; /* it goes no further anyway */
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_OPTIONS);
	q.fault = 400;
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_ERROR);
	q = world_request(&w, METHOD_REGISTER, 2, 1);
	q.to_us = 1;
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	world_free(&w);
}

static void strays(void **state)
{
	struct lb_query q;
	struct world w;

	start(&w, 3);
	q = world_request(&w, METHOD_BYE, 1, 1); /* from the peer: where the hash says, outside the limits */
	q.has_to_tag = 1;
	q.to_tag = STR("x");
	for (uint16_t slot = 0; slot < 3; slot++)
		lb_set_gateway_cps(w.words, slot, 0);
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(w.act[0].gateway, lb_pick_ideal(w.snap, 0, q.call_hash));
	assert_int_equal(w.act[0].token_n, 0);
	q.src = w.gateway[0].addr; /* from a gateway: whoever it means is not known */
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	q.method = METHOD_ACK;
	expect(world_input(&w, &q), LB_DROP, ST_DROP_ACK_NOWHERE);
	q = world_request(&w, METHOD_CANCEL, 2, 1);
	expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(w.act[0].gateway, lb_pick_ideal(w.snap, 0, q.call_hash));
	q = world_request(&w, METHOD_ACK, 3, 1);
	expect(world_input(&w, &q), LB_DROP, ST_DROP_ACK_NOWHERE);
	world_free(&w);
}

/* Without Record-Route the pin leads what follows of a ringing call to its gateway. */
static void strays_follow_the_pin(void **state)
{
	struct lb_query q, r;
	uint16_t ideal, was;
	struct world w;

	start(&w, 3);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	ideal = lb_pick_ideal(w.snap, 0, q.call_hash);
	lb_set_health(w.words, ideal, LB_DOWN);
	was = world_input(&w, &q)->gateway;
	lb_set_health(w.words, ideal, LB_UP);
	r = world_response(&w, &q, 183);
	world_input(&w, &r);
	w.now += 180 * (uint64_t)SECOND; /* still ringing */
	q.method = METHOD_PRACK;
	q.has_to_tag = 1;
	q.to_tag = STR("x");
	q.via_hash++;
	assert_int_equal(world_input(&w, &q)->gateway, was);
	r.status = 200;
	r.branch = text_of(w.act[0].branch, w.act[0].branch_n);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	world_input(&w, &q);
	r = world_response(&w, &q, 200);
	world_input(&w, &r);
	w.now += 31 * (uint64_t)SECOND;
	q.method = METHOD_ACK;
	q.has_to_tag = 1;
	q.via_hash += 2;
	assert_int_equal(world_input(&w, &q)->gateway, was);
	w.now += 3 * (uint64_t)SECOND;
	assert_int_equal(world_input(&w, &q)->gateway, ideal);
	world_free(&w);
}

static void routes_decide(void **state)
{
	struct lb_query q;
	struct world w;

	start(&w, 1);
	world_gateway(&w, 1, 1, 0);
	w.spec.n_routes = 0;
	world_route(&w, 1)->from_pool = 0;
	world_route(&w, LB_NONE)->number = STR("+99");
	w.route[1].answer = 484;
	world_route(&w, 0)->number = STR("+82");
	world_build(&w);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	assert_int_equal(world_input(&w, &q)->gateway, 0);
	q = world_request(&w, METHOD_INVITE, 2, 1);
	q.src = w.gateway[0].addr; /* a call from a gateway, by its pool's route */
	assert_int_equal(world_input(&w, &q)->gateway, 1);
	assert_true(w.act[0].token_n > 0);
	q = world_request(&w, METHOD_INVITE, 3, 1);
	q.number = STR("+991");
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_ROUTE);
	assert_int_equal(w.act[0].status, 484);
	assert_string_equal(w.act[0].reason, "Address Incomplete");
	q.method = METHOD_CANCEL;
	expect(world_input(&w, &q), LB_ABSORB, ST_ABSORB_CANCEL);
	q = world_request(&w, METHOD_INVITE, 4, 1);
	q.number = STR("+7");
	expect(world_input(&w, &q), LB_REPLY, ST_REPLY_NO_ROUTE);
	assert_int_equal(w.act[0].status, 404);
	world_free(&w);
}

static void limits_count_calls(void **state)
{
	unsigned forwarded = 0, limited = 0, refused = 0;
	struct lb_query q;
	struct world w;

	start(&w, 2);
	lb_set_peer_cps(w.words, 0, 300);
	lb_set_gateway_cps(w.words, 0, 100);
	lb_set_gateway_cps(w.words, 1, 100);
	for (uint32_t n = 0; n < 10000; n++) { /* 10 s at 1000 calls/s, and as many OPTIONS */
		w.now += SECOND / 1000;
		q = world_request(&w, METHOD_INVITE, n, 1);
		world_input(&w, &q);
		forwarded += w.act[0].end == ST_FWD_REQUEST;
		limited += w.act[0].end == ST_REPLY_PEER_LIMIT;
		refused += w.act[0].end == ST_REPLY_REFUSED;
		q = world_request(&w, METHOD_OPTIONS, n + 1000000, 1);
		expect(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	}
	assert_int_equal(forwarded + limited + refused, 10000);
	assert_in_range(forwarded, 1990, 2010);
	assert_in_range(forwarded + refused, 2990, 3015);
	assert_int_equal(w.lane->peers[0].count[ST_PEER_LIMITED], limited);
	assert_int_equal(cell(&w, 0, ST_GW_CALLS) + cell(&w, 1, ST_GW_CALLS), forwarded);
	world_free(&w);
}

static void responses_must_be_ours(void **state)
{
	struct lb_query q, r;
	struct world w;

	start(&w, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	world_input(&w, &q);
	char branch[LIMIT_BRANCH];
	unsigned n = w.act[0].branch_n;

	memcpy(branch, w.act[0].branch, n);
	r = world_response(&w, &q, 200);
	r.branch = text_of(branch, n);
	r.via_to = world_ip4("203.0.113.5", 5060);
	expect(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
	r.via_to = q.reply_to;
	r.call_hash++;
	expect(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
	r.call_hash--;
	r.branch = STR("z9hG4bK776asdhds");
	expect(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_NOT_OURS);
	r.branch = (struct str){ 0 };
	expect(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_NOT_OURS);
	r.branch = text_of(branch, n);
	expect(world_input(&w, &r), LB_FORWARD, ST_FWD_RESPONSE);
	world_free(&w);
}

static void probes_come_back_to_control(void **state)
{
	char branch[LIMIT_BRANCH];
	struct lb_query r = { .method = METHOD_OPTIONS, .status = 503, .has_to_tag = 1, .call_hash = 99 };
	struct world w;

	start(&w, 2);
	r.branch = text_of(branch, lb_probe_branch(w.snap, lb_gateway_id(STR("gw1")), 1, 99, branch));
	expect(world_input(&w, &r), LB_TO_CONTROL, ST_TO_CONTROL);
	assert_int_equal(w.act[0].gateway, 1);
	r.call_hash = 98;
	expect(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
	world_free(&w);
}

static void loop_parts_are_read(void **state)
{
	struct lb_query q;
	uint32_t loop = 0;
	struct world w;

	start(&w, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	world_input(&w, &q);
	assert_int_equal(lb_branch_loop(text_of(w.act[0].branch, w.act[0].branch_n), &loop), 1);
	assert_int_equal(loop, q.loop_hash);
	assert_int_equal(lb_branch_loop(STR("z9hG4bKnashds8"), &loop), 0);
	world_free(&w);
}

/* Messages of any content: always one action with an end, and no answer to an ACK or to the unknown. */
static void any_message_has_one_end(void **state)
{
	uint64_t random = 5;
	struct call c;
	struct world w;

	start(&w, 3);
	c = call_up(&w, 1);
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t r = next_random(&random);
		struct lb_query q = world_request(&w, r % METHOD_COUNT, i % 50, r >> 8 & 1);
		const struct lb_act *act;

		q.request = (r >> 9 & 7) > 0;
		q.has_to_tag = r >> 12 & 1;
		q.to_us = (r >> 13 & 7) == 0;
		q.looped = (r >> 16 & 15) == 0;
		q.fault = (r >> 20 & 15) == 0 ? 400 : 0;
		q.fault_reason = "x";
		q.status = 100 + (r >> 24) % 600;
		if ((r >> 34 & 3) == 0)
			q.src = w.gateway[(r >> 36) % 3].addr;
		if ((r >> 38 & 7) == 0)
			q.src = world_ip4("203.0.113.1", 1);
		if (r >> 41 & 1)
			q.token = text_of(c.token, c.token_n);
		if (r >> 42 & 1)
			q.branch = text_of(w.act[0].branch, w.act[0].branch_n);
		if (r >> 43 & 1)
			q.to_tag = text_of(w.act[0].to_tag, w.act[0].to_tag_n);
		if (r >> 44 & 1)
			q.via_to = q.reply_to;
		if ((r >> 45 & 255) == 0)
			lb_set_health(w.words, r % 3, r >> 60 & 1);
		w.now += r >> 46 & 0xffffff;
		act = world_input(&w, &q);
		assert_true(act->end < ST_END_COUNT);
		assert_true(act->op != LB_REPLY || q.request);
		assert_true(act->op != LB_REPLY || q.method != METHOD_ACK);
		assert_true(act->op != LB_REPLY || (act->status >= 200 && act->reason));
		assert_true(act->op != LB_FORWARD || act->dst.port);
		assert_true(act->op != LB_FORWARD || act->branch_n == (q.request ? 51 : 0));
	}
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call),
		cmocka_unit_test(away_goes_only_where_allowed),
		cmocka_unit_test(tokens_outlive_everything),
		cmocka_unit_test(bad_tokens_count_for_nothing),
		cmocka_unit_test(same_branch_for_invite_cancel_and_ack),
		cmocka_unit_test(credentials_return_to_their_gateway),
		cmocka_unit_test(a_repetition_leaves_a_dead_gateway),
		cmocka_unit_test(a_refusal_never_flips),
		cmocka_unit_test(ways_to_say_no),
		cmocka_unit_test(unknown_sources),
		cmocka_unit_test(faults_and_loops),
		cmocka_unit_test(options_to_ourselves),
		cmocka_unit_test(strays),
		cmocka_unit_test(strays_follow_the_pin),
		cmocka_unit_test(routes_decide),
		cmocka_unit_test(limits_count_calls),
		cmocka_unit_test(responses_must_be_ours),
		cmocka_unit_test(probes_come_back_to_control),
		cmocka_unit_test(loop_parts_are_read),
		cmocka_unit_test(any_message_has_one_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
