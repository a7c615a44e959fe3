/* SPDX-License-Identifier: BSD-3-Clause */
/* Gateways that are stopped because they asked for it: the trickle, how it ends, and how much of a pool. */
#include "tests/lb/retry_bed.h"

/* ---- stop ---------------------------------------------------------------------------------------------- */

static void a_trickle_goes_on(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	b.offered = 200;
	run(&b, 5);
	assert_true(b.got[0] > 400);
	b.asks[0] = 5;
	run(&b, 0.5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	run(&b, 60);
	assert_in_range(b.got[0], 55, 61); /* one a second, each of which says so again */
	assert_in_range(b.got[1], 200 * 60 - 62, 200 * 60 - 50);
	assert_int_equal(b.none, 0);
	stop(&b);
}

/* What is refused then, and how little is open, is no measure of what it can take. */
static void a_trickle_teaches_nothing(void **state)
{
	struct bed b;
	double cap;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	learns(&b);
	b.offered = 4000;
	run(&b, 5);
	b.w.words->gateway[0].open = 40; /* that it is busy with */
	run(&b, 1);
	b.asks[0] = 5;
	while (effect(&b, 0) != LB_RETRY_STOP)
		run(&b, 0.01);
	b.w.words->gateway[0].open = 0;
	cap = b.w.governor->at[0].l.cap;
	run(&b, 4);
	assert_true(b.w.governor->at[0].l.cap == cap);
	stop(&b);
}

/* Who has a learned limit is given less of it, and comes back to that at once. */
static void a_limit_takes_the_steps_place(void **state)
{
	struct bed b;
	double cap;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	learns(&b);
	b.w.words->gateway[0].open = 100; /* that it is busy with */
	b.offered = 4000;
	run(&b, 2);
	answers(&b, 0, 10, 2, 5);
	cap = b.w.governor->at[0].l.cap;
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	assert_true(cap > 80 && cap < 95);
	b.w.words->gateway[0].open = 0;
	answers(&b, 0, 100, 0, 0);
	run(&b, 0.5); /* one of 64 is 30 a second: three are soon answered */
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	assert_int_equal(b.w.words->gateway[0].rate.interval == BUCKET_FREE ||
				 bucket_rate(&b.w.words->gateway[0].rate) >= 1000,
			 1);
	run_into_limit(&b, 20);
	assert_true(b.w.governor->at[0].l.cap <= cap); /* that it is not tried again so soon */
	run_into_limit(&b, 15);
	assert_true(b.w.governor->at[0].l.cap > cap);
	stop(&b);
}

/* It takes calls again long before the time is over, and gets more of them every second. */
static void who_comes_back_early(void **state)
{
	struct bed b;
	uint32_t before = 0;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 3600);
	b.offered = 100;
	run(&b, 5);
	b.asks[0] = 3600;
	run(&b, 0.5);
	b.asks[0] = 0;
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	run(&b, 1.5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	run(&b, 2);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER_OVER);
	assert_int_equal(b.last.a, 1);
	assert_true(b.got[0] < 30);
	for (unsigned i = 0; i < 2; i++) {
		run(&b, 1);
		assert_true(b.got[0] > before && b.got[0] < 45);
		before = b.got[0];
	}
	run(&b, 3);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	run(&b, 1);
	assert_true(b.got[0] > 40);
	stop(&b);
}

static void a_refusal_of_any_kind_is_no_return(void **state)
{
	struct bed b;
	struct signals *s;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	answers(&b, 0, 0, 2, 60);
	for (unsigned i = 0; i < 20; i++) {
		s = signal_of(b.w.worker->signals, 0, b.w.now);
		signal_add(s->finished, 1);
		signal_outcome(s, 0, i % 2); /* every second one: 503 without Retry-After */
		next(&b);
	}
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 0, 3, 0, 0);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	stop(&b);
}

/* Answers to calls that left before the stop do not show what it can take now. */
static void what_was_there_before_proves_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	b.w.words->gateway[0].open = 50;
	answers(&b, 0, 0, 2, 60);
	answers(&b, 0, 50, 0, 0);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 0, 3, 0, 0);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	stop(&b);
}

/* ---- The pool ------------------------------------------------------------------------------------------ */

static unsigned stopped(const struct bed *b, unsigned n)
{
	unsigned sum = 0;

	for (uint16_t i = 0; i < n; i++)
		sum += effect(b, i) == LB_RETRY_STOP;
	return sum;
}

static void half_of_a_pool_goes_on(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 2, 0, 2, 5);
	answers(&b, 1, 0, 2, 5);
	answers(&b, 0, 0, 2, 5);
	assert_int_equal(stopped(&b, 4), 2);
	assert_int_equal(effect(&b, 0), LB_RETRY_SPARE); /* the last to ask */
	assert_int_equal(b.last.a, LB_RETRY_SPARE);
	answers(&b, 3, 0, 2, 5);
	assert_int_equal(stopped(&b, 4), 4);
	run(&b, 4.75); /* that of the first is over */
	assert_int_equal(effect(&b, 2), LB_RETRY_RETURN);
	assert_int_equal(stopped(&b, 4), 2);
	run(&b, 5);
	assert_int_equal(stopped(&b, 4), 0);
	stop(&b);
}

/* Those who are down or drained are not those who go on. */
static void half_is_of_those_who_are_there(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	lb_set_admin(b.w.words, 2, LB_DRAIN);
	lb_set_admin(b.w.words, 3, LB_MAINT);
	answers(&b, 0, 0, 2, 5);
	answers(&b, 3, 0, 2, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 1, 0, 2, 5);
	assert_int_equal(stopped(&b, 2), 2); /* all who are there ask */
	lb_set_admin(b.w.words, 2, LB_READY);
	run(&b, 1);
	assert_int_equal(stopped(&b, 2), 1);
	stop(&b);
}

static void all_say_so(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	b.offered = 400;
	run(&b, 5);
	for (unsigned i = 0; i < 4; i++)
		b.asks[i] = 5;
	run(&b, 1);
	assert_int_equal(stopped(&b, 4), 4);
	run(&b, 30);
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(b.got[i], 28, 31);
	memset(b.asks, 0, sizeof(b.asks));
	run(&b, 10);
	run(&b, 5);
	assert_int_equal(stopped(&b, 4), 0);
	assert_int_equal(b.none, 0);
	stop(&b);
}

/* A gateway that is alone is all of its pool. */
static void one_alone(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1, LB_GATEWAY_RETRY_STOP, 5);
	b.offered = 100;
	b.asks[0] = 5;
	run(&b, 10);
	assert_true(b.got[0] <= 10 + 11);
	b.asks[0] = 0;
	run(&b, 10);
	run(&b, 2);
	assert_int_equal(b.none, 0);
	stop(&b);
}

/* ---- Requests in dialogs ------------------------------------------------------------------------------- */

static void running_calls_go_on(void **state)
{
	struct world_call call;
	struct bed b;

	(void)state;
	start(&b, 1, LB_GATEWAY_RETRY_STOP, 5);
	call = world_call(&b.w, 1);
	answers(&b, 0, 0, 2, 5);
	b.offered = 100;
	run(&b, 0.5);
	assert_true(b.none >= 45);
	for (unsigned i = 0; i < 100; i++) {
		struct lb_query q = world_in_dialog(&call, METHOD_INFO);
		const struct lb_act *act = world_input(&b.w, &q);

		assert_int_equal(act->op, LB_FORWARD);
		assert_int_equal(act->gateway, 0);
	}
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_trickle_goes_on),
		cmocka_unit_test(a_trickle_teaches_nothing),
		cmocka_unit_test(a_limit_takes_the_steps_place),
		cmocka_unit_test(who_comes_back_early),
		cmocka_unit_test(a_refusal_of_any_kind_is_no_return),
		cmocka_unit_test(what_was_there_before_proves_nothing),
		cmocka_unit_test(half_of_a_pool_goes_on),
		cmocka_unit_test(half_is_of_those_who_are_there),
		cmocka_unit_test(all_say_so),
		cmocka_unit_test(one_alone),
		cmocka_unit_test(running_calls_go_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
