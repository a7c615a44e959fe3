/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Retry-After of gateways, from the response to what their pool gives them: what counts as one, what `shrink`
 * and `ignore` do, and what it must not be able to do.
 */
#include "tests/lb/retry_bed.h"

/* ---- When it counts ------------------------------------------------------------------------------------ */

static void one_is_none(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 3, 1, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	answers(&b, 0, 19, 0, 0);
	answers(&b, 0, 0, 1, 5); /* 20 answers after the first */
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	answers(&b, 0, 18, 0, 0);
	answers(&b, 0, 0, 1, 5); /* 19 answers after the second */
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	assert_int_equal(b.notices, 1);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER);
	assert_int_equal(b.last.a, LB_RETRY_STOP);
	assert_int_equal(b.last.b, 5);
	assert_int_equal(effect(&b, 1), LB_RETRY_NONE);
	stop(&b);
}

/* Two of a crowd, or two in two minutes, are no more than one. */
static void few_are_none(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 95, 5, 5); /* not more than 5 % */
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	answers(&b, 0, 94, 6, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 1, 0, 1, 5);
	for (unsigned i = 0; i < 61; i++) {
		b.w.now += SECOND;
		step(&b);
	}
	answers(&b, 1, 0, 1, 5);
	assert_int_equal(effect(&b, 1), LB_RETRY_NONE);
	answers(&b, 1, 0, 1, 5);
	assert_int_equal(effect(&b, 1), LB_RETRY_STOP);
	stop(&b);
}

static void what_is_asked_has_a_bound(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 0, 2, 1);
	assert_true(left_s(&b, 0) > 0.99 && left_s(&b, 0) <= 1);
	answers(&b, 1, 0, 2, INT32_MAX);
	assert_true(left_s(&b, 1) > 4.99 && left_s(&b, 1) <= 5);
	run(&b, 1);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER_OVER);
	assert_int_equal(b.last.slot, 0);
	assert_int_equal(b.last.a, 0);
	run(&b, 4);
	assert_int_equal(effect(&b, 1), LB_RETRY_RETURN);
	answers(&b, 1, 0, 1, 1); /* two more are needed */
	assert_int_equal(effect(&b, 1), LB_RETRY_RETURN);
	run(&b, 4);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	stop(&b);
}

/* The last of two workers in a row has nothing to say: what another one has heard before counts. */
static void workers_hear_for_all(void **state)
{
	struct lb_worker second;
	struct signal_board *other = calloc(1, sizeof(*other));
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	second = *b.w.worker;
	second.signals = other;
	b.w.governor->workers[b.w.governor->n_workers++] = &second;
	signal_retry_after(signal_of(other, 0, b.w.now), 50);
	next(&b);
	answers(&b, 0, 0, 2, 7);
	assert_true(left_s(&b, 0) > 6.9 && left_s(&b, 0) <= 7);
	b.w.governor->n_workers--;
	free(other);
	stop(&b);
}

/* ---- shrink and ignore --------------------------------------------------------------------------------- */

static void shrink_lowers_the_limit(void **state)
{
	struct lb_congestion c;
	struct bed b;
	uint32_t cap;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_SHRINK, 5);
	learns(&b);
	b.offered = 400;
	run(&b, 2);
	lb_congestion(b.w.governor, 0, &c);
	cap = c.open_cap;
	answers(&b, 0, 10, 2, 5);
	lb_congestion(b.w.governor, 0, &c);
	assert_int_equal(c.retry, LB_RETRY_SHRINK);
	assert_int_equal(c.why, LB_MOVED_ASKED);
	assert_string_equal(lb_moved_name(c.why), "asked");
	assert_true(c.open_cap < cap / 2);
	assert_int_equal(b.last.a, LB_RETRY_SHRINK);
	cap = c.open_cap;
	run_into_limit(&b, 4.5); /* nothing else speaks against more */
	lb_congestion(b.w.governor, 0, &c);
	assert_int_equal(c.open_cap, cap);
	assert_int_equal(effect(&b, 0), LB_RETRY_SHRINK);
	run_into_limit(&b, 3);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	lb_congestion(b.w.governor, 0, &c);
	assert_true(c.open_cap > cap);
	stop(&b);
}

static void nothing_is_shrunk_that_is_not_learned(void **state)
{
	struct lb_congestion c;
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_SHRINK, 5);
	b.offered = 200;
	b.asks[0] = 5;
	run(&b, 5);
	lb_congestion(b.w.governor, 0, &c);
	assert_int_equal(c.open_cap, LB_UNLIMITED);
	assert_int_equal(c.rate, LB_UNLIMITED);
	stop(&b);
}

static void ignore_does_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_IGNORE, 5);
	b.offered = 200;
	b.asks[0] = 5;
	run(&b, 10);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	assert_int_equal(b.notices, 0);
	assert_true(b.got[0] > 900);
	stop(&b);
}

static void reloads_are_followed(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	answers(&b, 0, 0, 2, 60);
	assert_true(left_s(&b, 0) > 59);
	b.w.pool[0].gateway_retry_max_ns = 3 * SECOND;
	world_build(&b.w);
	next(&b);
	assert_true(left_s(&b, 0) <= 3);
	b.w.pool[0].gateway_retry = LB_GATEWAY_RETRY_SHRINK;
	world_build(&b.w);
	next(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_SHRINK);
	assert_int_equal(b.w.words->gateway[0].rate.interval, BUCKET_FREE);
	b.w.pool[0].gateway_retry = LB_GATEWAY_RETRY_STOP;
	world_build(&b.w);
	next(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	assert_int_equal(b.w.words->gateway[0].rate.interval, SECOND);
	b.w.pool[0].gateway_retry = LB_GATEWAY_RETRY_IGNORE;
	world_build(&b.w);
	next(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	assert_int_equal(b.w.words->gateway[0].rate.interval, BUCKET_FREE);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER_OVER);
	stop(&b);
}

static void clocks_that_jump(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 0, 2, 5);
	b.w.now -= 500 * SECOND;
	step(&b);
	assert_true(left_s(&b, 0) <= 5);
	run(&b, 5.2);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	answers(&b, 0, 0, 2, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answer(&b, 1, 5);
	answer(&b, 1, 5);
	b.w.now += 3600 * SECOND; /* who knows when it said so */
	step(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	assert_int_equal(effect(&b, 1), LB_RETRY_NONE);
	stop(&b);
}

/* ---- The worker ---------------------------------------------------------------------------------------- */

/* A response of branch 0; what has been counted after it. */
static unsigned counted(struct scene *s, uint16_t status, uint32_t retry_after_s, uint16_t q850)
{
	struct lb_query q = scene_response(s, 0, METHOD_INVITE, status);

	q.retry_after_s = retry_after_s;
	q.q850 = q850;
	scene_input(s, &q);
	assert_int_equal(s->w.lane->gateways[0].count[ST_GW_RETRY_AFTER],
			 s->w.worker->signals->at[0].retry_after);
	return s->w.worker->signals->at[0].retry_after;
}

static void what_workers_count(void **state)
{
	static const struct {
		uint16_t status, q850;
		uint32_t retry_after_s;
		unsigned counts;
	} table[] = {
		{ 503, 0, 5, 1 },         { 503, 34, 5, 1 }, /* no circuit */
		{ 503, 1, 5, 0 },                            /* unallocated number: not for want of room */
		{ 503, 0, 0, 0 },                            /* none, or none that can be believed */
		{ 503, 0, INT32_MAX, 1 }, { 500, 0, 5, 0 }, /* RFC 3261 21.5.1: only of interest to the caller
							     */
		{ 486, 0, 5, 0 },         { 404, 0, 5, 0 },  { 600, 0, 5, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct scene s;

		scene_ring(&s, 1);
		assert_int_equal(counted(&s, table[i].status, table[i].retry_after_s, table[i].q850),
				 table[i].counts);
		counted(&s, table[i].status, table[i].retry_after_s, table[i].q850); /* repeated */
		assert_int_equal(s.w.worker->signals->at[0].retry_after, table[i].counts);
		assert_true(s.w.worker->signals->at[0].retry_after_s <= RETRY_AFTER_MOST_S);
		world_free(&s.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_none),
		cmocka_unit_test(few_are_none),
		cmocka_unit_test(what_is_asked_has_a_bound),
		cmocka_unit_test(workers_hear_for_all),
		cmocka_unit_test(shrink_lowers_the_limit),
		cmocka_unit_test(nothing_is_shrunk_that_is_not_learned),
		cmocka_unit_test(ignore_does_nothing),
		cmocka_unit_test(reloads_are_followed),
		cmocka_unit_test(clocks_that_jump),
		cmocka_unit_test(what_workers_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
