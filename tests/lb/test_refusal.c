/* SPDX-License-Identifier: BSD-3-Clause */
/* Saying no without state: what is remembered of it, how often one address hears it, the draining node. */
#include <arpa/inet.h>
#include <stdlib.h>
#include "lb/admit/memo.h"
#include "lb/admit/sources.h"
#include "lb/worker.h"
#include "tests/lb/check.h"

#define TICK (UINT64_C(1) << 26)

/* The same bucket for all. */
static struct memo_key key(uint32_t call, uint32_t branch)
{
	return (struct memo_key){ .call = call, .branch = branch };
}

static struct memo *make_memo(void)
{
	struct memo *m = aligned_alloc(64, sizeof(*m));

	memset(m, 0, sizeof(*m));
	return m;
}

static void remembered_for_32_s(void **state)
{
	struct memo *m = make_memo();
	uint64_t now = 77 * SECOND;
	struct memory met;

	assert_null(memo_find(m, key(5, 1), now).r);
	assert_false(memo_add(m, key(5, 1), 503, 17, false, now));
	met = memo_find(m, key(5, 1), now + MEMO_NS);
	assert_true(met.same);
	assert_int_equal(met.r->status, 503);
	assert_int_equal(met.r->detail, 17);
	met = memo_find(m, key(5, 2), now);
	assert_true(met.r && !met.same);
	assert_null(memo_find(m, key(6, 1), now).r);
	assert_null(memo_find(m, key(5, 1), now + MEMO_NS + 2 * TICK).r);
	free(m);
}

static void who_gives_way(void **state)
{
	struct memo *m = make_memo();
	uint64_t now = 77 * SECOND;

	for (uint32_t i = 0; i < 4; i++)
		assert_false(memo_add(m, key(i, 0), 503, 0, false, now + i * TICK));
	assert_true(memo_acked(m, key(2, 0), now + 4 * TICK));
	assert_false(memo_acked(m, key(2, 0), now + 4 * TICK));              /* repeated */
	assert_false(memo_acked(m, key(9, 0), now + 4 * TICK));              /* made up */
	assert_false(memo_add(m, key(4, 0), 503, 0, false, now + 4 * TICK)); /* 2 is told and forgotten */
	assert_null(memo_find(m, key(2, 0), now + 5 * TICK).r);
	assert_true(memo_add(m, key(5, 0), 503, 0, false, now + 5 * TICK)); /* 0: the oldest, and young */
	assert_null(memo_find(m, key(0, 0), now + 5 * TICK).r);
	assert_false(memo_add(m, key(6, 0), 503, 0, false, now + 3 * SECOND)); /* 1: not young any more */
	assert_null(memo_find(m, key(1, 0), now + 3 * SECOND).r);
	for (uint32_t i = 3; i < 7; i++)
		assert_true(memo_find(m, key(i, 0), now + 3 * SECOND).same);
	assert_true(memo_acked(m, key(6, 0), now + 3 * SECOND));
	assert_false(memo_add(m, key(7, 0), 503, 0, false, now + 34 * SECOND)); /* 3 to 5 are over */
	assert_true(memo_find(m, key(6, 0), now + 34 * SECOND).same);
	free(m);
}

/* A flood of strangers never makes Weir forget more than half of what it told peers. */
static void strangers_have_half(void **state)
{
	struct memo *m = make_memo();
	uint64_t now = 77 * SECOND;
	unsigned left = 0;

	for (uint32_t i = 0; i < 4; i++)
		memo_add(m, key(i, 0), 503, 0, false, now);
	for (uint32_t i = 0; i < 1000; i++)
		memo_add(m, key(1000 + i, 0), 503, 0, true, now + TICK);
	for (uint32_t i = 0; i < 4; i++)
		left += memo_find(m, key(i, 0), now + TICK).same;
	assert_int_equal(left, 2);
	free(m);
}

/* ---- One address ------------------------------------------------------------------------------------- */

static struct lb_query ack_of(const struct world *w, const struct lb_query *invite, char tag[LIMIT_TAG])
{
	struct lb_query ack = *invite;

	memcpy(tag, w->act[0].to_tag, LIMIT_TAG);
	ack.method = METHOD_ACK;
	ack.has_to_tag = 1;
	ack.to_tag = text_of(tag, w->act[0].to_tag_n);
	return ack;
}

static struct lb_query from(const char *ip, uint16_t port, struct lb_query q)
{
	q.src = q.reply_to = world_ip4(ip, port);
	return q;
}

static void full_world(struct world *w)
{
	world_start(w, 1);
	w->spec.unknown = LB_UNKNOWN_ALLOW;
	world_build(w);
	lb_set_gateway_cps(w->words, 0, 0);
}

/* INVITEs of `per_s` a second for `seconds`; `acked`: each answer is. Returns how many got one. */
static unsigned flood(struct world *w, const char *ip, uint32_t first, unsigned per_s, unsigned seconds,
		      bool acked)
{
	unsigned answered = 0;
	char tag[LIMIT_TAG];

	for (uint32_t i = 0; i < per_s * seconds; i++) {
		/* 2^16 ports are one source */
		struct lb_query q =
			from(ip, (uint16_t)(i * 7919), world_request(w, METHOD_INVITE, first + i, 1));
		struct lb_query ack;

		w->now += SECOND / per_s;
		if (world_input(w, &q)->op != LB_REPLY) {
			expect_act(&w->act[0], LB_DROP, ST_DROP_SOURCE_CAPPED);
			continue;
		}
		answered++;
		if (!acked)
			continue;
		ack = ack_of(w, &q, tag);
		expect_act(world_input(w, &ack), LB_ABSORB, ST_ABSORB_ACK);
	}
	return answered;
}

static void forged_sources_are_capped(void **state)
{
	struct world w;

	full_world(&w);
	/* 2 s worth at once, then the rate */
	assert_in_range(flood(&w, "203.0.113.1", 0, 10000, 10, false), SOURCE_STRANGER_PER_S * 11,
			SOURCE_STRANGER_PER_S * 13);
	assert_in_range(flood(&w, "192.0.2.1", 1000000, 20000, 10, false), SOURCE_KNOWN_PER_S * 11,
			SOURCE_KNOWN_PER_S * 13);
	world_free(&w);
}

/* 5,000 refused calls a second from a carrier's one address, and the same forged beside it. */
static void real_sources_are_not(void **state)
{
	struct world w;

	full_world(&w);
	assert_int_equal(flood(&w, "192.0.2.1", 0, 5000, 10, true), 50000);
	assert_int_equal(flood(&w, "203.0.113.1", 1000000, 5000, 10, true), 50000);
	world_free(&w);
}

/* Nor are those that are sent to another host, or that a route has an answer for. */
static void nor_other_answers(void **state)
{
	struct world w;

	(void)state;
	full_world(&w);
	w.pool[0].redirect = 1;
	world_build(&w);
	assert_int_equal(flood(&w, "192.0.2.1", 0, 5000, 10, true), 50000);
	assert_in_range(flood(&w, "192.0.2.2", 1000000, 5000, 10, false), SOURCE_KNOWN_PER_S * 11,
			SOURCE_KNOWN_PER_S * 13);
	w.route[0].pool = LB_NONE;
	w.route[0].answer = 404;
	world_build(&w);
	assert_int_equal(flood(&w, "192.0.2.3", 2000000, 5000, 10, true), 50000);
	w.spec.n_routes = 0;
	world_build(&w);
	assert_int_equal(flood(&w, "192.0.2.4", 3000000, 5000, 10, true), 50000);
	world_free(&w);
}

/* 900 a second, a third of them real: what these prove covers the forgeries; with none real it covers
 * nothing. */
static void a_real_source_beside_forgeries(void **state)
{
	unsigned real = 0, forged = 0;
	char tag[LIMIT_TAG];
	struct world w;

	full_world(&w);
	for (uint32_t i = 0; i < 900 * 60; i++) {
		struct lb_query q = from("203.0.113.1", 5060, world_request(&w, METHOD_INVITE, i, 1)), ack;

		w.now += SECOND / 900;
		if (world_input(&w, &q)->op != LB_REPLY)
			continue;
		if (i % 3) {
			forged++;
			continue;
		}
		real++;
		ack = ack_of(&w, &q, tag);
		world_input(&w, &ack);
	}
	assert_int_equal(real, 300 * 60);
	assert_int_equal(forged, 600 * 60);
	assert_in_range(flood(&w, "203.0.113.1", 1000000, 900, 60, false), SOURCE_STRANGER_PER_S * 60,
			SOURCE_STRANGER_PER_S * 63);
	world_free(&w);
}

/* An ACK proves its own refusal only: not another address, not twice, not one that never was. */
static void acks_prove_once(void **state)
{
	struct lb_query q, ack, other;
	char tag[LIMIT_TAG];
	unsigned answered;
	struct world w;

	full_world(&w);
	q = from("203.0.113.1", 5060, world_request(&w, METHOD_INVITE, 1, 1));
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
	ack = ack_of(&w, &q, tag);
	flood(&w, "203.0.113.2", 1000, 1000, 1, false); /* in debt */
	for (unsigned i = 0; i < 10000; i++) {          /* replayed under both names */
		other = from("203.0.113.2", 5060, ack);
		expect_act(world_input(&w, &other), LB_ABSORB, ST_ABSORB_ACK);
		expect_act(world_input(&w, &ack), LB_ABSORB, ST_ABSORB_ACK);
	}
	answered = flood(&w, "203.0.113.2", 5000, 1000, 1, false);
	assert_in_range(answered, SOURCE_STRANGER_PER_S - 1, SOURCE_STRANGER_PER_S + 1);
	world_free(&w);
}

/*
 * An ACK belongs to the branch that was refused, whatever its To tag (RFC 3261 17.2.3), and a refused call
 * has no dialog: none of its ACKs reaches a gateway, makes or changes anything, or proves a source.
 */
static void acks_with_made_up_tags(void **state)
{
	struct lb_query q, ack;
	struct memory met;
	char tag[LIMIT_TAG];
	struct world w;

	(void)state;
	full_world(&w);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED);
	ack = ack_of(&w, &q, tag);
	lb_set_gateway_cps(w.words, 0, LB_UNLIMITED);
	ack.to_tag = STR("made-up");
	expect_act(world_input(&w, &ack), LB_ABSORB, ST_ABSORB_ACK);
	ack.via_hash++;
	expect_act(world_input(&w, &ack), LB_DROP, ST_DROP_ACK_NOWHERE);
	ack.to_tag = text_of(tag, sizeof(tag)); /* too long for one of ours */
	expect_act(world_input(&w, &ack), LB_DROP, ST_DROP_ACK_NOWHERE);
	met = memo_find(w.worker->memo, memo_key(&q), w.now);
	assert_true(met.same && !met.r->acked);
	assert_null(pin_find(&w.worker->pins, pin_key(q.call_hash, q.from_hash), 0, w.now).b);
	q.via_hash += 7; /* the same call once more, and this time there is room: then it has a dialog */
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	expect_act(world_input(&w, &ack), LB_FORWARD, ST_FWD_REQUEST);
	world_free(&w);
}

/* However many addresses are made up, one that is flooded stays capped. */
static void a_victim_among_made_up_addresses(void **state)
{
	unsigned answered = 0;
	struct world w;

	full_world(&w);
	for (uint32_t i = 0; i < 400000; i++) {
		struct lb_query q = world_request(&w, METHOD_INVITE, i, 1);
		uint32_t made_up = htonl(0x0a000000 + i);

		w.now += SECOND / 100000;
		q.src = addr_v4(made_up, 5060);
		if (i % 8 == 0)
			q = from("203.0.113.1", 5060, q);
		answered += world_input(&w, &q)->op == LB_REPLY && i % 8 == 0;
	}
	assert_in_range(answered, 1, SOURCE_STRANGER_PER_S * (4 + 2) + 5);
	world_free(&w);
}

/* ---- The draining node ------------------------------------------------------------------------------- */

static void a_draining_node(void **state)
{
	struct lb_query q, options;
	struct world_call c;
	struct world w;

	world_start(&w, 1);
	c = world_call(&w, 1);
	assert_false(lb_is_draining(w.words));
	lb_set_draining(w.words, true, 60);
	assert_true(lb_is_draining(w.words));
	q = world_request(&w, METHOD_INVITE, 2, 1);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_DRAINING);
	assert_int_equal(w.act[0].status, 503);
	assert_in_range(w.act[0].retry_after_s, 60, 120); /* a trunk is told, too */
	options = world_request(&w, METHOD_OPTIONS, 3, 1);
	options.to_us = 1;
	expect_act(world_input(&w, &options), LB_REPLY, ST_REPLY_DRAINING);
	assert_true(w.act[0].retry_after_s >= 60);
	q = world_request(&w, METHOD_REGISTER, 4, 1);
	q.to_us = 1;
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	q = world_in_dialog(&c, METHOD_BYE);
	expect_act(world_input(&w, &q), LB_FORWARD, ST_FWD_REQUEST);
	lb_set_draining(w.words, true, 86400); /* a day: as long as the operator may say */
	for (uint32_t n = 100; n < 110; n++) {
		uint32_t told;

		q = world_request(&w, METHOD_INVITE, n, 1);
		expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_DRAINING);
		told = w.act[0].retry_after_s;
		assert_in_range(told, 86400, 2 * 86400);
		expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED_AGAIN);
		assert_int_equal(w.act[0].retry_after_s, told);
	}
	lb_set_draining(w.words, true, 0);
	q = world_request(&w, METHOD_INVITE, 5, 1);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_DRAINING);
	assert_in_range(w.act[0].retry_after_s, 1, 2); /* never 0 (RFC 3261 20.33) */
	lb_set_draining(w.words, false, 60);
	expect_act(world_input(&w, &q), LB_REPLY, ST_REPLY_REFUSED_AGAIN);
	options.via_hash++;
	expect_act(world_input(&w, &options), LB_REPLY, ST_REPLY_OPTIONS);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembered_for_32_s),    cmocka_unit_test(who_gives_way),
		cmocka_unit_test(strangers_have_half),    cmocka_unit_test(forged_sources_are_capped),
		cmocka_unit_test(real_sources_are_not),   cmocka_unit_test(a_real_source_beside_forgeries),
		cmocka_unit_test(acks_prove_once),        cmocka_unit_test(a_victim_among_made_up_addresses),
		cmocka_unit_test(a_draining_node),        cmocka_unit_test(nor_other_answers),
		cmocka_unit_test(acks_with_made_up_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
