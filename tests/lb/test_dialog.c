/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls by their token, and responses by their branch, through the door only. */
#include "tests/lb/check.h"
#include <ctype.h>

static uint64_t cell(const struct world *w, uint16_t slot, enum st_gateway_counter id)
{
	return w->lane->gateways[slot].count[id];
}

static struct lb_query from_callee(const struct world *w, const struct world_call *c, enum method method)
{
	struct lb_query q = world_in_dialog(c, method);

	q.to_hash = (uint32_t)q.from_hash;
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
	struct world_call c;
	struct world w;

	world_start(&w, 3);
	c = world_call(&w, 1);
	act = &w.act[0];
	assert_true(addr_eq(&act->dst, &w.gateway[c.gateway].addr));
	assert_int_equal(act->listener, 1);
	assert_int_equal(act->towards, 1);
	assert_true(act->token_n > 0);
	assert_int_equal(lb_pick_ideal(w.snap, 0, c.invite.call_hash), c.gateway);
	w.now += 3000000;
	r = world_response(&w, &c.invite, 180);
	act = world_input(&w, &r);
	expect_act(act, LB_FORWARD, ST_FWD_RESPONSE);
	assert_true(addr_eq(&act->dst, &c.invite.reply_to));
	assert_int_equal(act->listener, c.invite.listener);
	assert_int_equal(act->gateway, c.gateway);
	q = world_in_dialog(&c, METHOD_ACK);
	act = world_input(&w, &q);
	expect_act(act, LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(act->gateway, c.gateway);
	assert_int_equal(act->token_n, 0);
	q = from_callee(&w, &c, METHOD_BYE);
	act = world_input(&w, &q);
	expect_act(act, LB_FORWARD, ST_FWD_REQUEST);
	assert_true(addr_eq(&act->dst, &c.invite.src));
	assert_int_equal(act->listener, 0);
	assert_int_equal(act->towards, 0);
	assert_int_equal(act->gateway, LB_NONE);
	r = world_response(&w, &q, 200);
	act = world_input(&w, &r);
	expect_act(act, LB_FORWARD, ST_FWD_RESPONSE);
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

/* The gateway ignores Record-Route: the counted call knows where its caller is. */
static void a_call_without_routes(void **state)
{
	static const enum method methods[] = { METHOD_INVITE, METHOD_ACK, METHOD_BYE };
	struct lb_query q, r;
	struct world_call c;
	struct world w;

	world_start(&w, 2);
	c = world_call(&w, 1);
	r = world_response(&w, &c.invite, 200);
	r.to_hash = 77;
	q = from_callee(&w, &c, METHOD_BYE);
	q.token.n = 0;
	q.from_hash = 77;
	q.to_hash = (uint32_t)c.invite.from_hash;
	q.next = world_ip4("192.0.2.77", 5060);                   /* the Contact of a caller behind a proxy */
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE); /* not confirmed yet */
	world_input(&w, &r);
	q.from_hash = 78;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	q.from_hash = 77;
	q.to_hash++;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	q.to_hash--;
	q.src = w.gateway[!c.gateway].addr;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	q.src = w.gateway[c.gateway].addr;
	for (unsigned i = 0; i < 3; i++) {
		const struct lb_act *act;

		q.method = methods[i];
		q.via_hash++;
		act = world_input(&w, &q);
		expect_act(act, LB_FORWARD, ST_FWD_REQUEST);
		assert_true(addr_eq(&act->dst, &c.invite.src));
		assert_int_equal(act->listener, c.invite.listener);
		assert_int_equal(act->towards, 0);
		assert_int_equal(act->token_n, 0);
	}
	assert_int_equal(lb_gateway_calls(w.words, c.gateway), 1);
	r = world_response(&w, &q, 200);
	r.to_hash = q.to_hash;
	expect_act(world_input(&w, &r), LB_FORWARD, ST_FWD_RESPONSE);
	assert_int_equal(lb_gateway_calls(w.words, c.gateway), 0);
	assert_int_equal(w.lane->count[ST_CALL_BYE], 1);
	world_free(&w);
}

/* A literal next hop is taken if it is a gateway or inside a peer's prefix; else the caller's flow. */
static void away_goes_only_where_allowed(void **state)
{
	static const struct {
		const char *next;
		bool there;
	} cases[] = { { "192.0.2.77", true }, { "198.51.100.1", true }, { "203.0.113.1", false } };
	const struct lb_act *act;
	struct lb_query q;
	struct world_call c;
	struct world w;

	world_start(&w, 1);
	c = world_call(&w, 1);
	for (unsigned i = 0; i < 3; i++) {
		q = from_callee(&w, &c, METHOD_BYE);
		q.next = world_ip4(cases[i].next, 5080);
		act = world_input(&w, &q);
		expect_act(act, LB_FORWARD, ST_FWD_REQUEST);
		assert_true(addr_eq(&act->dst, cases[i].there ? &q.next : &c.invite.src));
	}
	world_free(&w);
}

/* A caller of both families: his Contact is of the one that his listener does not speak. */
static void away_goes_by_the_listeners_family(void **state)
{
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 7 };
	const struct lb_act *act;
	struct lb_query q;
	struct world_call c;
	struct world w;

	(void)state;
	world_start(&w, 1);
	memcpy(w.prefix[1].ip, ip, 4);
	w.prefix[1].len = 32; /* the same peer */
	w.spec.n_prefixes = 2;
	world_build(&w);
	c = world_call(&w, 1);
	q = from_callee(&w, &c, METHOD_BYE);
	q.next = addr_v6(ip, 5060);
	act = world_input(&w, &q);
	expect_act(act, LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(act->listener, c.invite.listener);
	assert_true(addr_eq(&act->dst, &c.invite.src));
	c.invite.src = addr_v6(ip, 5060); /* and the other way round */
	c.invite.reply_to = c.invite.src;
	c.invite.via_hash++;
	act = world_input(&w, &c.invite);
	expect_act(act, LB_FORWARD, ST_FWD_REQUEST);
	c.token_n = act->token_n;
	memcpy(c.token, act->token, act->token_n);
	q = from_callee(&w, &c, METHOD_BYE);
	q.next = world_ip4("192.0.2.77", 5060);
	assert_true(addr_eq(&world_input(&w, &q)->dst, &c.invite.src));
	q.next = addr_v6(ip, 5062);
	assert_true(addr_eq(&world_input(&w, &q)->dst, &q.next));
	world_free(&w);
}

/* The token leads to its gateway whatever has happened to gateways, tables and limits since. */
static void tokens_outlive_everything(void **state)
{
	struct lb_query q, back;
	struct world_call c;
	struct world w, other;

	world_start(&w, 5);
	c = world_call(&w, 1);
	lb_set_health(w.words, c.gateway, LB_DOWN);
	lb_set_gateway_cps(w.words, c.gateway, 0);
	q = world_in_dialog(&c, METHOD_INVITE);
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
	expect_act(world_input(&other, &q), LB_REPLY, ST_REPLY_GONE);
	assert_int_equal(other.act[0].status, 481);
	assert_int_equal(other.act[0].to_tag_n, 0);
	q.method = METHOD_ACK;
	expect_act(world_input(&other, &q), LB_ABSORB, ST_ABSORB_ACK);
	world_free(&w);
	world_free(&other);
}

/* Another process, whose config has a listener more, and in front: calls leave by theirs, not by its number.
 */
static void calls_find_their_listener(void **state)
{
	static const struct str before[] = { STR("access"), STR("core") };
	static const struct str after[] = { STR("new"), STR("core"), STR("access") };
	char branch[LIMIT_BRANCH];
	struct lb_query q, r;
	struct world_call c;
	struct world w;

	(void)state;
	world_start(&w, 1);
	w.spec.listeners = before;
	w.spec.n_listeners = 2;
	world_build(&w);
	c = world_call(&w, 1);
	assert_int_equal(c.invite.listener, 0);
	memcpy(branch, w.act[0].branch, LIMIT_BRANCH);
	r = world_response(&w, &c.invite, 180);
	r.branch.p = branch;
	q = from_callee(&w, &c, METHOD_BYE);
	assert_int_equal(world_input(&w, &q)->listener, 0);
	assert_int_equal(world_input(&w, &r)->listener, 0);
	w.spec.listeners = after;
	w.spec.n_listeners = 3;
	world_build(&w);
	assert_int_equal(world_input(&w, &r)->listener, 2);
	assert_int_equal(world_input(&w, &q)->listener, 2);
	assert_true(addr_eq(&w.act[0].dst, &c.invite.src));
	w.spec.n_listeners = 2; /* where he called is no more */
	world_build(&w);
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_NO_ROUTE);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	q = world_in_dialog(&c, METHOD_BYE);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	world_free(&w);
}

/* A token of another call, without To tag, changed or guessed, helps nobody past an unknown source. */
static void bad_tokens_count_for_nothing(void **state)
{
	struct world_call a, b;
	struct lb_query q;
	struct world w;

	world_start(&w, 2);
	a = world_call(&w, 1);
	b = world_call(&w, 2);
	q = world_in_dialog(&a, METHOD_BYE);
	q.src = world_ip4("203.0.113.9", 5060);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	q.token = text_of(b.token, b.token_n);
	expect_act(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	q.token = text_of(a.token, a.token_n);
	q.has_to_tag = 0;
	expect_act(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	q.has_to_tag = 1;
	for (unsigned i = 0; i < a.token_n; i++) {
		char kept = a.token[i];

		a.token[i] = kept == 'a' ? 'b' : 'a';
		expect_act(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
		a.token[i] = kept;
	}
	assert_int_equal(w.lane->count[ST_TOKEN_BAD], 1 + a.token_n);
	for (unsigned i = 0; i < a.token_n; i++)
		a.token[i] = toupper(a.token[i]);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	world_free(&w);
}

/* A token with tags that are of neither side: no dialog of its call. */
static void tags_of_neither_side(void **state)
{
	struct world_call c;
	struct lb_query q;
	struct world w;

	world_start(&w, 1);
	c = world_call(&w, 1);
	q = from_callee(&w, &c, METHOD_BYE);
	q.to_hash++;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	assert_int_equal(w.act[0].status, 481);
	q.method = METHOD_ACK;
	expect_act(world_input(&w, &q), LB_DROP, ST_DROP_ACK_NOWHERE);
	q = from_callee(&w, &c, METHOD_UPDATE); /* the dataplane has not hashed the To tag */
	q.to_hash = 0;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_GONE);
	c.invite = world_request(&w, METHOD_INVITE, 2, 1);
	c.invite.from_hash = lb_hash(&w.spec.hash_key, "their-tag", 9);
	c.token_n = world_input(&w, &c.invite)->token_n;
	memcpy(c.token, w.act[0].token, c.token_n);
	q = from_callee(&w, &c, METHOD_UPDATE);
	q.to_hash = 0;
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	assert_int_equal(w.act[0].towards, 0);
	c.invite = world_request(&w, METHOD_INVITE, 3, 1);
	c.invite.from_hash = 0; /* a caller from before RFC 3261 */
	c.token_n = world_input(&w, &c.invite)->token_n;
	memcpy(c.token, w.act[0].token, c.token_n);
	q = from_callee(&w, &c, METHOD_BYE);
	q.to_hash = 1;
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	world_free(&w);
}

static void responses_must_be_ours(void **state)
{
	struct lb_query q, r;
	struct world w;

	world_start(&w, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	world_input(&w, &q);
	char branch[LIMIT_BRANCH];
	unsigned n = w.act[0].branch_n;

	memcpy(branch, w.act[0].branch, n);
	r = world_response(&w, &q, 200);
	r.branch = text_of(branch, n);
	r.via_to = world_ip4("203.0.113.5", 5060);
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
	r.via_to.port = 0; /* no Via below ours: there is nothing that its MAC could cover */
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_NO_VIA);
	r.method = METHOD_CANCEL; /* late: the transaction of our CANCEL is gone */
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_NO_VIA);
	r.method = METHOD_INVITE;
	r.via_to = q.reply_to;
	r.call_hash++;
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
	r.call_hash--;
	r.branch = STR("z9hG4bK776asdhds");
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_NOT_OURS);
	r.branch = (struct str){ 0 };
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_NOT_OURS);
	r.branch = text_of(branch, n);
	expect_act(world_input(&w, &r), LB_FORWARD, ST_FWD_RESPONSE);
	world_free(&w);
}

static void probes_come_back_to_control(void **state)
{
	char branch[LIMIT_BRANCH];
	struct lb_query r = { .method = METHOD_OPTIONS, .status = 503, .has_to_tag = 1, .call_hash = 99 };
	struct world w;

	world_start(&w, 2);
	r.branch = text_of(branch, lb_probe_branch(w.snap, lb_gateway_id(STR("gw1")), 1, 99, branch));
	expect_act(world_input(&w, &r), LB_TO_CONTROL, ST_TO_CONTROL);
	assert_int_equal(w.act[0].gateway, 1);
	r.call_hash = 98;
	expect_act(world_input(&w, &r), LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
	world_free(&w);
}

static void loop_parts_are_read(void **state)
{
	struct lb_query q;
	uint32_t loop = 0;
	struct world w;

	world_start(&w, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	world_input(&w, &q);
	assert_int_equal(lb_branch_loop(text_of(w.act[0].branch, w.act[0].branch_n), &loop), 1);
	assert_int_equal(loop, q.loop_hash);
	assert_int_equal(lb_branch_loop(STR("z9hG4bKnashds8"), &loop), 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call),
		cmocka_unit_test(a_call_without_routes),
		cmocka_unit_test(away_goes_only_where_allowed),
		cmocka_unit_test(away_goes_by_the_listeners_family),
		cmocka_unit_test(tokens_outlive_everything),
		cmocka_unit_test(calls_find_their_listener),
		cmocka_unit_test(bad_tokens_count_for_nothing),
		cmocka_unit_test(tags_of_neither_side),
		cmocka_unit_test(responses_must_be_ours),
		cmocka_unit_test(probes_come_back_to_control),
		cmocka_unit_test(loop_parts_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
