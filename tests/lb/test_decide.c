/* SPDX-License-Identifier: BSD-3-Clause */
/* The order of admission: who may ask, what is refused and how, through the door only. */
#include "lb/words.h"
#include "tests/lb/check.h"

static uint64_t cell(const struct world *w, uint16_t slot, enum st_gateway_counter id)
{
	return w->lane->gateways[slot].count[id];
}

static void a_refusal_never_flips(void **state)
{
	struct lb_query q, ack, cancel;
	uint32_t retry_after;
	char tag[LIMIT_TAG];
	struct world w;

	world_start(&w, 2);
	w.peer[0].when_full = LB_FULL_503_RETRY;
	w.pool[0].retry_after_s = 60;
	world_build(&w);
	w.words->pool[0].told = 20;
	lb_set_gateway_cps(w.words, 0, 0);
	lb_set_health(w.words, 1, LB_DOWN);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
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
		w.now += 5 * SECOND;
		expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED_AGAIN);
		assert_int_equal(w.act[0].status, 503);
		assert_int_equal(w.act[0].retry_after_s, retry_after);
		assert_int_equal(w.act[0].to_tag_n, ack.to_tag.n);
		assert_memory_equal(w.act[0].to_tag, tag, ack.to_tag.n);
	}
	cancel = q;
	cancel.method = METHOD_CANCEL;
	expect_act(world_input(&w, &cancel), LB_ABSORB, ST_ABSORB_CANCEL);
	w.now += 3600 * SECOND;
	expect_act(world_input(&w, &ack), LB_ABSORB, ST_ABSORB_ACK);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
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

		world_start(&w, 1);
		w.peer[0].when_full = cases[i].when;
		world_build(&w);
		w.words->pool[0].told = 5; /* 10 at most */
		lb_set_health(w.words, 0, LB_DOWN);
		for (uint32_t n = 0; n < 1000; n++) {
			q = world_request(&w, METHOD_INVITE, n, 1);
			expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
			assert_int_equal(w.act[0].status, cases[i].status);
			assert_int_equal(w.act[0].retry_after_s > 0, cases[i].retry_after);
			least = w.act[0].retry_after_s < least ? w.act[0].retry_after_s : least;
			greatest = w.act[0].retry_after_s > greatest ? w.act[0].retry_after_s : greatest;
		}
		assert_int_equal(least, cases[i].retry_after ? 5 : 0);
		assert_int_equal(greatest, cases[i].retry_after ? 10 : 0);
		world_free(&w);
	}
}

static void unknown_sources(void **state)
{
	struct lb_query q, bad, ack;
	struct world w;

	world_start(&w, 1);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	q.src = world_ip4("203.0.113.1", 5060);
	bad = q;
	bad.fault = 400;
	bad.fault_reason = "Bad Request";
	ack = q;
	ack.method = METHOD_ACK;
	expect_act(world_input(&w, &q), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	expect_act(world_input(&w, &bad), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	w.spec.unknown = LB_UNKNOWN_403;
	world_build(&w);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_UNKNOWN);
	assert_int_equal(w.act[0].status, 403);
	assert_true(w.act[0].brief);
	assert_true(w.act[0].to_tag_n > 0);
	expect_act(world_input(&w, &bad), LB_REPLY, ST_REPLY_UNKNOWN);
	expect_act(world_input(&w, &ack), LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	w.spec.unknown = LB_UNKNOWN_ALLOW;
	world_build(&w);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	expect_act(world_input(&w, &bad), LB_REPLY, ST_REPLY_ERROR);
	w.now += 1000 * SECOND;
	lb_set_health(w.words, 0, LB_DOWN);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
	assert_true(w.act[0].retry_after_s > 0); /* phones come back one by one */
	assert_true(w.act[0].brief);
	q = world_request(&w, METHOD_INVITE, 2, 1);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
	assert_false(w.act[0].brief); /* a peer */
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
	struct world_call c;
	struct world w;

	world_start(&w, 1);
	c = world_call(&w, 9);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		q = world_request(&w, METHOD_INVITE, 1, 1);
		q.fault = cases[i].status;
		q.fault_reason = "why";
		expect_act(world_input(&w, &q), LB_REPLY, cases[i].end);
		assert_int_equal(w.act[0].status, cases[i].status);
		assert_string_equal(w.act[0].reason, "why");
		q.method = METHOD_ACK;
		expect_act(world_input(&w, &q), LB_DROP, ST_DROP_ACK_FAULTY);
		q = world_in_dialog(&c, METHOD_BYE); /* a token does not make it well */
		q.fault = cases[i].status;
		q.fault_reason = "why";
		expect_act(world_input(&w, &q), LB_REPLY, cases[i].end);
		assert_int_equal(w.act[0].to_tag_n, 0);
	}
	q = world_request(&w, METHOD_INVITE, 1, 1);
	q.looped = 1;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_LOOP);
	assert_int_equal(w.act[0].status, 482);
	world_free(&w);
}

static void options_to_ourselves(void **state)
{
	struct lb_query q;
	struct world w;

	world_start(&w, 1);
	q = world_request(&w, METHOD_OPTIONS, 1, 1);
	q.to_us = 1;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_OPTIONS);
	assert_int_equal(w.act[0].status, 200);
	q.fault = 483; /* it goes no further anyway */
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_OPTIONS);
	q.fault = 400;
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_ERROR);
	q = world_request(&w, METHOD_REGISTER, 2, 1);
	q.to_us = 1;
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	world_free(&w);
}

static void routes_decide(void **state)
{
	struct lb_query q;
	struct world w;

	world_start(&w, 1);
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
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_ROUTE);
	assert_int_equal(w.act[0].status, 484);
	assert_string_equal(w.act[0].reason, "Address Incomplete");
	q.method = METHOD_CANCEL;
	expect_act(world_input(&w, &q), LB_ABSORB, ST_ABSORB_CANCEL);
	q = world_request(&w, METHOD_INVITE, 4, 1);
	q.number = STR("+7");
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_NO_ROUTE);
	assert_int_equal(w.act[0].status, 404);
	world_free(&w);
}

static void limits_count_calls(void **state)
{
	unsigned forwarded = 0, limited = 0, refused = 0;
	struct lb_query q;
	struct world w;

	world_start(&w, 2);
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
		expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	}
	assert_int_equal(forwarded + limited + refused, 10000);
	assert_in_range(forwarded, 1990, 2010);
	assert_in_range(forwarded + refused, 2990, 3015);
	assert_int_equal(w.lane->peers[0].count[ST_PEER_LIMITED], limited);
	assert_int_equal(cell(&w, 0, ST_GW_CALLS) + cell(&w, 1, ST_GW_CALLS), forwarded);
	assert_int_equal(cell(&w, 0, ST_GW_NEW) + cell(&w, 1, ST_GW_NEW), forwarded + 10000);
	world_free(&w);
}

/* The linker sends every call of these from the policy room and the tests here (--wrap). */
static unsigned allocations;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t n);
void *__wrap_aligned_alloc(size_t align, size_t n);

void *__wrap_malloc(size_t n)
{
	allocations++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	allocations++;
	return __real_calloc(n, size);
}

void *__wrap_aligned_alloc(size_t align, size_t n)
{
	allocations++;
	return __real_aligned_alloc(align, n);
}

/* Messages of any content: always one action with an end, no answer to an ACK, and no memory taken. */
static void any_message_has_one_end(void **state)
{
	uint64_t random = 5;
	struct world_call c;
	struct world w;

	world_start(&w, 3);
	c = world_call(&w, 1);
	assert_true(allocations > 0); /* those of the world */
	allocations = 0;
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
	assert_int_equal(allocations, 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refusal_never_flips), cmocka_unit_test(ways_to_say_no),
		cmocka_unit_test(unknown_sources),       cmocka_unit_test(faults_and_loops),
		cmocka_unit_test(options_to_ourselves),  cmocka_unit_test(routes_decide),
		cmocka_unit_test(limits_count_calls),    cmocka_unit_test(any_message_has_one_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
