/* SPDX-License-Identifier: BSD-3-Clause */
/* What the operator is told of pools that are short: once when it begins, once when it is over. */
#include "tests/lb/newcomer.h"

struct bed {
	struct world w;
	struct lb_governor *g;
	struct lb_notice last; /* of the last step that told something of a pool */
	unsigned told;
};

static void start(struct bed *b)
{
	*b = (struct bed){ 0 };
	world_start(&b->w, 3);
	b->g = world_governor(&b->w);
	lb_set_admin(b->w.words, 2, LB_DRAIN);
}

/* One step, in which so many new requests come; not INVITEs, which somebody would have to answer. */
static void step(struct bed *b, unsigned requests)
{
	struct lb_notice notices[16];
	unsigned n;

	admitted(&b->w, new_message, requests);
	b->w.now += LB_STEP_NS;
	n = lb_govern(b->g, b->w.snap, b->w.now, notices, 16);
	for (unsigned i = 0; i < n; i++) {
		if (notices[i].kind != LB_NOTICE_SHORT && notices[i].kind != LB_NOTICE_ENOUGH)
			continue;
		b->last = notices[i];
		b->told++;
	}
}

static void steps(struct bed *b, unsigned n, unsigned requests)
{
	while (n--)
		step(b, requests);
}

/* 40 new requests per second, and the gateways take none for a while. */
static void told_once(void **state)
{
	struct bed b;

	start(&b);
	steps(&b, 30, 4);
	assert_int_equal(b.told, 0);
	for (uint16_t i = 0; i < 2; i++)
		lb_set_gateway_rps(b.w.words, i, 0);
	steps(&b, 10, 4);
	assert_int_equal(b.told, 0); /* not yet a second's figures */
	assert_false(lb_pool_short(b.g, 0));
	steps(&b, 50, 4);
	assert_int_equal(b.told, 1);
	assert_int_equal(b.last.kind, LB_NOTICE_SHORT);
	assert_int_equal(b.last.pool, 0);
	assert_in_range(b.last.a, 40, 44);
	assert_in_range(b.last.b, b.last.a, 84);
	assert_int_equal(b.last.c, 2);
	assert_true(lb_pool_short(b.g, 0));
	assert_false(lb_pool_short(b.g, 1));

	for (uint16_t i = 0; i < 2; i++)
		lb_set_gateway_rps(b.w.words, i, LB_UNLIMITED);
	steps(&b, 90, 4);
	lb_set_gateway_rps(b.w.words, 0, 0);
	lb_set_gateway_rps(b.w.words, 1, 0);
	steps(&b, 1, 1); /* one more keeps it short */
	for (uint16_t i = 0; i < 2; i++)
		lb_set_gateway_rps(b.w.words, i, LB_UNLIMITED);
	steps(&b, 99, 4);
	assert_int_equal(b.told, 1);
	assert_true(lb_pool_short(b.g, 0));
	steps(&b, 2, 4);
	assert_int_equal(b.told, 2);
	assert_int_equal(b.last.kind, LB_NOTICE_ENOUGH);
	assert_int_equal(b.last.a, 60 * 4 + 1);
	assert_in_range(b.last.b, (60 + 90 + 99) * 4, (60 + 90 + 102 + 10) * 4);
	assert_int_equal(b.last.c, 16);
	assert_false(lb_pool_short(b.g, 0));
	world_free(&b.w);
}

/* A caller's own limit, and the node that drains, are no want of gateways. */
static void others_refusals_are_none(void **state)
{
	struct bed b;

	start(&b);
	lb_set_peer_rps(b.w.words, 0, 0);
	steps(&b, 30, 4);
	lb_set_draining(b.w.words, true, 60);
	admitted(&b.w, new_call, 10);
	assert_int_equal(b.w.act[0].end, ST_REPLY_DRAINING);
	steps(&b, 30, 0);
	assert_int_equal(b.told, 0);
	world_free(&b.w);
}

/* A single refusal is told with what came beside it, and its end. */
static void one_refusal(void **state)
{
	struct bed b;

	start(&b);
	steps(&b, 20, 4);
	lb_set_gateway_rps(b.w.words, 0, 0);
	lb_set_gateway_rps(b.w.words, 1, 0);
	step(&b, 1);
	lb_set_gateway_rps(b.w.words, 0, LB_UNLIMITED);
	steps(&b, 11, 4);
	assert_int_equal(b.told, 1);
	assert_int_equal(b.last.a, 1);
	assert_in_range(b.last.b, 41, 81);
	steps(&b, 100, 0);
	assert_int_equal(b.told, 2);
	assert_int_equal(b.last.a, 1);
	assert_int_equal(b.last.c, 1);
	world_free(&b.w);
}

/* The same for calls. */
static void calls(void **state)
{
	struct bed b;

	start(&b);
	lb_set_gateway_calls(b.w.words, 0, 0);
	lb_set_gateway_cps(b.w.words, 1, 0);
	assert_int_equal(admitted(&b.w, new_call, 17), 0);
	steps(&b, 12, 0);
	assert_int_equal(b.told, 1);
	assert_int_equal(b.last.a, 17);
	assert_int_equal(b.last.b, 17);
	world_free(&b.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(told_once),
		cmocka_unit_test(others_refusals_are_none),
		cmocka_unit_test(one_refusal),
		cmocka_unit_test(calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
