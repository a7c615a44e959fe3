/* SPDX-License-Identifier: BSD-3-Clause */
/* Fail-over: when another gateway is asked, and which answer the caller gets. */
#include "tests/lb/scene.h"

/* ---- An answer --------------------------------------------------------------------------------------- */

static void a_503_moves_the_call(void **state)
{
	struct scene s;

	scene_ring(&s, 3);
	scene_gateway(&s, 0, 100);
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "- ACK0 INVITE1 -");
	assert_int_not_equal(s.branch[0].gateway, s.branch[1].gateway);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(s.w.lane->gateways[s.branch[i].gateway].count[ST_GW_CALLS], 1);
	scene_gateway(&s, 0, 503);
	scene_gateway(&s, 1, 180);
	scene_gateway(&s, 1, 200);
	scene_expect(&s, "ACK0 - 180 200");
	scene_end(&s);
}

/* The caller sees no 503 of a gateway: 500 if all tried refuse, the pool's own refusal if nobody is left. */
static void a_503_is_never_relayed(void **state)
{
	struct scene s;

	scene_ring(&s, 3);
	scene_gateway(&s, 0, 503);
	scene_gateway(&s, 1, 503);
	scene_expect(&s, "ACK0 INVITE1 - ACK1 answer500 -");
	scene_end(&s);

	scene_ring(&s, 1);
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "ACK0 answer503 -");
	assert_in_range(s.retry_after_s, 1, 2); /* the governor has told nothing else */
	scene_end(&s);
}

static void codes_of_the_pool(void **state)
{
	struct scene s;

	scene_start(&s, 2);
	lb_codes_add(&s.w.pool[0].on, 500);
	world_build(&s.w);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 500);
	scene_expect(&s, "100 INVITE0 ACK0 INVITE1 best -");
	scene_gateway(&s, 1, 503); /* the 500 is the better one */
	scene_expect(&s, "ACK1 final -");
	scene_until(&s, 0.6);
	scene_expect(&s, "0.5:final");
	scene_caller(&s, METHOD_ACK);
	scene_end(&s);
}

static void best_answer(void **state)
{
	static const struct {
		uint16_t first, second;
		const char *words;
	} table[] = {
		{ 500, 404, "ACK1 404" },     { 500, 600, "ACK1 600" },     { 500, 503, "ACK1 final -" },
		{ 480, 500, "ACK1 final -" }, { 480, 401, "ACK1 401" },     { 480, 486, "ACK1 486" },
		{ 500, 501, "ACK1 501" },     { 401, 404, "ACK1 final -" }, { 404, 302, "ACK1 302" },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct scene s;

		scene_start(&s, 2);
		lb_codes_add(&s.w.pool[0].on, table[i].first);
		world_build(&s.w);
		scene_caller(&s, METHOD_INVITE);
		scene_gateway(&s, 0, table[i].first);
		scene_expect(&s, "100 INVITE0 ACK0 INVITE1 best -");
		scene_gateway(&s, 1, table[i].second);
		scene_expect(&s, table[i].words);
		scene_end(&s);
	}
}

/* A better answer that cannot be kept: it goes on once, and the worse one is not sent after it. */
static void best_answer_without_room(void **state)
{
	struct lb_query q;
	struct scene s;

	scene_start(&s, 2);
	lb_codes_add(&s.w.pool[0].on, 500);
	world_build(&s.w);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 500);
	q = scene_response(&s, 1, METHOD_INVITE, 404);
	q.room = 0;
	scene_input(&s, &q);
	scene_expect(&s, "100 INVITE0 ACK0 INVITE1 best - ACK1 404");
	scene_until(&s, 5);
	scene_expect(&s, "");
	scene_end(&s);
}

static void what_ends_the_search(void **state)
{
	static const uint16_t finals[] = { 300, 401, 404, 408, 480, 486, 487, 488, 500, 504, 600, 603, 699 };

	for (unsigned i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
		struct scene s;
		char words[32];

		scene_ring(&s, 3);
		scene_gateway(&s, 0, finals[i]);
		snprintf(words, sizeof(words), "ACK0 %u", finals[i]);
		scene_expect(&s, words);
		scene_end(&s);
	}
}

/* Retries after an answer are a tenth of the calls, and ten at once. */
static void retry_budget(void **state)
{
	struct world w;
	unsigned retries = 0;

	world_start(&w, 2);
	w.pool[0].attempts = 2;
	w.pool[0].budget_permille = 100;
	world_build(&w);
	world_pins(&w, 1 << 16);
	for (unsigned i = 0; i < 240; i++) {
		struct lb_query q = world_request(&w, METHOD_INVITE, i, 1), r;

		q.room = 1;
		assert_int_equal(lb_input(w.worker, w.snap, &q, w.now, w.act), 3);
		w.act[0] = w.act[2];
		r = world_response(&w, &q, 503);
		r.cseq = q.cseq;
		r.room = 1;
		lb_input(w.worker, w.snap, &r, w.now, w.act);
		retries += w.act[1].op == LB_RESEND;
	}
	assert_in_range(retries, 10 + 20, 10 + 24);
	world_free(&w);
}

/* A retry that nobody can take has cost nothing of that. */
static void budget_of_retries_that_were_none(void **state)
{
	unsigned retries = 0;
	struct world w;

	world_start(&w, 2);
	w.pool[0].attempts = 2;
	world_build(&w);
	for (unsigned i = 0; i < 40; i++) {
		struct lb_query q = world_request(&w, METHOD_INVITE, i, 1), r;

		q.room = 1;
		lb_set_admin(w.words, 1, LB_DRAIN);
		assert_int_equal(lb_input(w.worker, w.snap, &q, w.now, w.act), 3);
		if (i >= 30)
			lb_set_admin(w.words, 1, LB_READY);
		w.act[0] = w.act[2];
		r = world_response(&w, &q, 503);
		r.room = 1;
		lb_input(w.worker, w.snap, &r, w.now, w.act);
		retries += w.act[1].op == LB_RESEND;
	}
	assert_int_equal(retries, 10);
	world_free(&w);
}

/* ---- Silence ----------------------------------------------------------------------------------------- */

static void mute_gateway(void **state)
{
	struct scene s;

	scene_ring(&s, 3);
	scene_until(&s, 1.1);
	scene_expect(&s, "0.5:repeat0 1:INVITE1");
	scene_gateway(&s, 1, 180);
	scene_until(&s, 20); /* the abandoned branch repeats nothing */
	scene_expect(&s, "180");
	scene_gateway(&s, 0, 100); /* and is CANCELled as soon as that may be */
	scene_expect(&s, "CANCEL0 -");
	scene_gateway(&s, 0, 180);
	scene_cancel_ok(&s, 0);
	scene_gateway(&s, 0, 487);
	scene_gateway(&s, 1, 200);
	scene_expect(&s, "- - ACK0 - 200");
	scene_end(&s);
}

static void gateway_that_is_heard(void **state)
{
	struct lb_query options;
	struct scene s;

	scene_ring(&s, 3);
	scene_until(&s, 0.3);
	options = world_request(&s.w, METHOD_OPTIONS, 9, 1);
	options.src = s.w.gateway[s.branch[0].gateway].addr;
	lb_input(s.w.worker, s.w.snap, &options, s.w.now, s.w.act);
	scene_until(&s, 4.1);
	scene_expect(&s, "0.5:repeat0 1.5:repeat0 3.5:repeat0 4:INVITE1");
	scene_end(&s);
}

static void silence_with_nobody_else(void **state)
{
	struct scene s;

	scene_ring(&s, 1);
	scene_until(&s, 33);
	scene_expect(&s,
		     "0.5:repeat0 1.5:repeat0 3.5:repeat0 7.5:repeat0 15.5:repeat0 31.5:repeat0 32:answer408 "
		     "32.5:final");
	scene_end(&s);

	scene_ring(&s, 2); /* the other one comes back */
	lb_set_health(s.w.words, !s.branch[0].gateway, LB_DOWN);
	scene_until(&s, 6);
	lb_set_health(s.w.words, !s.branch[0].gateway, LB_UP);
	scene_until(&s, 7.1);
	scene_expect(&s, "0.5:repeat0 1.5:repeat0 3.5:repeat0 6:INVITE1 6.5:repeat1");
	scene_end(&s);
}

static void both_are_mute(void **state)
{
	struct scene s;

	scene_ring(&s, 3);
	scene_until(&s, 33.1);
	scene_expect(&s, "0.5:repeat0 1:INVITE1 1.5:repeat1 2.5:repeat1 4.5:repeat1 8.5:repeat1 16.5:repeat1 "
			 "32.5:repeat1 33:answer408");
	scene_end(&s);
}

/* 100 and nothing more: nothing happens unless the operator wants it. */
static void only_100(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_gateway(&s, 0, 100);
	scene_until(&s, 60);
	scene_expect(&s, "-");
	scene_end(&s);

	scene_start(&s, 2);
	SCENE_POOL(&s, progress_ns, 5 * SECOND);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 100);
	scene_until(&s, 5.1);
	scene_expect(&s, "100 INVITE0 - 5:INVITE1 5:CANCEL0");
	scene_end(&s);
}

static void abandoned_branch_wins(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_until(&s, 1.1);
	scene_gateway(&s, 1, 180);
	scene_expect(&s, "0.5:repeat0 1:INVITE1 180");
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "CANCEL1 200");
	scene_gateway(&s, 1, 200); /* crosses the CANCEL: the caller hears of it, too */
	scene_expect(&s, "200");
	scene_end(&s);
}

static void abandoned_branch_refuses(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_until(&s, 1.1);
	scene_gateway(&s, 0, 482); /* it saw our second INVITE as a loop */
	scene_expect(&s, "0.5:repeat0 1:INVITE1 ACK0 -");
	scene_gateway(&s, 1, 503);
	scene_expect(&s, "ACK1 answer500 -");
	scene_end(&s);

	scene_ring(&s, 2);
	scene_until(&s, 1.1);
	scene_gateway(&s, 0, 603);
	scene_expect(&s, "0.5:repeat0 1:INVITE1 ACK0 603");
	scene_gateway(&s, 1, 100); /* ends the search: the other is CANCELled when that may be */
	scene_expect(&s, "CANCEL1 -");
	scene_end(&s);

	scene_ring(&s, 2);
	scene_until(&s, 1.1);
	scene_gateway(&s, 0, 486);
	scene_gateway(&s, 1, 503);
	scene_expect(&s, "0.5:repeat0 1:INVITE1 ACK0 best - ACK1 final -");
	scene_end(&s);
}

static void cancel_reaches_every_branch(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_until(&s, 1.1);
	scene_gateway(&s, 1, 180);
	scene_caller(&s, METHOD_CANCEL);
	scene_expect(&s, "0.5:repeat0 1:INVITE1 180 CANCEL1 ok");
	scene_gateway(&s, 0, 180);
	scene_expect(&s, "CANCEL0 -");
	scene_gateway(&s, 1, 487);
	scene_gateway(&s, 0, 487);
	scene_expect(&s, "ACK1 487 ACK0 -");
	scene_end(&s);
}

/* ---- Down -------------------------------------------------------------------------------------------- */

static void down_moves_at_once(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_until(&s, 0.2);
	lb_set_health(s.w.words, s.branch[0].gateway, LB_DOWN);
	scene_until(&s, 0.21);
	scene_expect(&s, "0.2:INVITE1");
	lb_set_health(s.w.words, s.branch[1].gateway, LB_DOWN);
	scene_until(&s, 0.23);
	scene_expect(&s, "0.21:answer503");
	scene_end(&s);
}

/* A call at a gateway that goes down, and the other one has just had what its max-cps allows: 10/s. */
static void go_down_without_room(struct scene *s)
{
	uint16_t other;

	scene_ring(s, 2);
	other = !s->branch[0].gateway;
	lb_set_gateway_cps(s->w.words, other, 10);
	scene_until(s, 0.2);
	assert_true(bucket_take(&s->w.words->gateway[other].cps, s->w.now));
	lb_set_health(s->w.words, s->branch[0].gateway, LB_DOWN);
	scene_until(s, 0.25);
	scene_expect(s, "");
}

/* Who is down loses his calls, but no caller is refused for a moment's want of room. */
static void down_waits_for_room(void **state)
{
	struct scene s;

	go_down_without_room(&s);
	scene_until(&s, 0.4);
	scene_gateway(&s, 1, 200);
	scene_expect(&s, "0.36:INVITE1 200");
	assert_int_equal(s.w.lane->gateways[s.branch[0].gateway].count[ST_GW_LEFT_DOWN], 1);
	scene_end(&s);

	go_down_without_room(&s); /* it is there after all */
	scene_gateway(&s, 0, 180);
	scene_until(&s, 3);
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "180 200");
	scene_end(&s);

	go_down_without_room(&s); /* the other one is gone, too */
	lb_set_health(s.w.words, !s.branch[0].gateway, LB_DOWN);
	scene_until(&s, 0.3);
	scene_expect(&s, "0.26:answer503");
	scene_end(&s);
}

static void down_waits_no_longer_than_for_silence(void **state)
{
	struct scene s;

	go_down_without_room(&s);
	lb_set_gateway_calls(s.w.words, !s.branch[0].gateway, 0);
	scene_until(&s, 4.1);
	scene_expect(&s, "0.5:repeat0 1.5:repeat0 3.5:repeat0 4:answer503");
	scene_end(&s);
}

/* What is taken out for maintenance loses its unanswered calls like one that is down; a drained one keeps
 * them.
 */
static void maintenance_moves_at_once(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_until(&s, 0.2);
	lb_set_admin(s.w.words, s.branch[0].gateway, LB_DRAIN);
	scene_until(&s, 0.21);
	scene_expect(&s, "");
	lb_set_admin(s.w.words, s.branch[0].gateway, LB_MAINT);
	scene_until(&s, 0.22);
	scene_expect(&s, "0.21:INVITE1");
	scene_end(&s);
}

/* Without Record-Route, what follows in dialog goes to the gateway that brought the call, however late. */
static void the_call_is_where_its_2xx_came_from(void **state)
{
	struct lb_query ack;
	struct scene s;

	scene_start(&s, 2);
	scene_caller(&s, METHOD_INVITE);
	scene_until(&s, 1.1);
	scene_gateway(&s, 1, 180);
	scene_until(&s, 32.1); /* Timer B of the first branch */
	scene_gateway(&s, 0, 200);
	scene_gateway(&s, 1, 487);
	scene_expect(&s, "100 INVITE0 0.5:repeat0 1:INVITE1 180 CANCEL1 200 ACK1 -");
	ack = s.invite;
	ack.method = METHOD_ACK;
	ack.via_hash++;
	ack.has_to_tag = 1;
	ack.to_tag = STR("x");
	scene_input(&s, &ack);
	assert_int_equal(s.w.act[0].op, LB_FORWARD);
	assert_int_equal(s.w.act[0].gateway, s.branch[0].gateway);
	scene_end(&s);
}

/* What was open at a gateway that went down does not stand in the way of the calls that try it later. */
static void down_forgets_what_is_open(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_gateway(&s, 0, 100);
	assert_int_equal(lb_gateway_open(s.w.words, s.branch[0].gateway), 1);
	lb_set_health(s.w.words, s.branch[0].gateway, LB_DOWN);
	lb_forget_open(s.w.words, s.branch[0].gateway, 0, 0);
	assert_int_equal(lb_gateway_open(s.w.words, s.branch[0].gateway), 0);
	assert_int_equal(s.w.words->pool[0].open[0], 0);
	s.w.words->gateway[s.branch[0].gateway].open = s.w.words->pool[0].open[0] =
		1; /* one of another call */
	scene_gateway(&s, 0, 180);
	scene_expect(&s, "- 180");
	assert_int_equal(lb_gateway_open(s.w.words, s.branch[0].gateway), 1);
	assert_int_equal(s.w.words->pool[0].open[0], 1);
	s.w.words->gateway[s.branch[0].gateway].open = s.w.words->pool[0].open[0] = 0;
	scene_end(&s);
}

/* Most of the gateways are mute together: each call is tried at one, which may be heard again. */
static void panic_tries_one(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	lb_set_panic(s.w.words, s.branch[0].gateway, true);
	scene_until(&s, 3);
	scene_expect(&s, "0.5:repeat0 1.5:repeat0");
	lb_set_panic(s.w.words, s.branch[0].gateway, false);
	scene_until(&s, 4.1);
	scene_expect(&s, "3.5:repeat0 4:INVITE1");
	scene_end(&s);
}

static void down_leaves_answered_calls_alone(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_gateway(&s, 0, 100);
	lb_set_health(s.w.words, s.branch[0].gateway, LB_DOWN);
	scene_until(&s, 10);
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "- 200");
	scene_end(&s);
}

/* Hundreds of calls at a gateway that dies: bounded work at a time, all moved, none twice. */
static void down_with_many_calls(void **state)
{
	unsigned at[2] = { 0 }, moved = 0, n;
	struct world w;
	uint16_t dead;

	world_start(&w, 2);
	w.pool[0].attempts = 2;
	world_build(&w);
	for (unsigned i = 0; i < 200; i++) {
		struct lb_query q = world_request(&w, METHOD_INVITE, i, 1);

		q.room = 1;
		assert_int_equal(lb_input(w.worker, w.snap, &q, w.now, w.act), 3);
		at[w.act[2].gateway]++;
	}
	dead = at[1] > at[0];
	lb_set_health(w.words, dead, LB_DOWN);
	w.now += SECOND / 10;
	while ((n = lb_tick(w.worker, w.snap, w.now, w.act, LIMIT_ACTS)) > 0) {
		assert_in_range(n, 1, LIMIT_ACTS);
		for (unsigned i = 0; i < n; i++) {
			assert_int_equal(w.act[i].op, LB_RESEND);
			assert_int_equal(w.act[i].gateway, !dead);
			moved++;
		}
	}
	assert_int_equal(moved, at[dead]);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_503_moves_the_call),
		cmocka_unit_test(a_503_is_never_relayed),
		cmocka_unit_test(codes_of_the_pool),
		cmocka_unit_test(best_answer),
		cmocka_unit_test(best_answer_without_room),
		cmocka_unit_test(what_ends_the_search),
		cmocka_unit_test(retry_budget),
		cmocka_unit_test(budget_of_retries_that_were_none),
		cmocka_unit_test(mute_gateway),
		cmocka_unit_test(gateway_that_is_heard),
		cmocka_unit_test(silence_with_nobody_else),
		cmocka_unit_test(both_are_mute),
		cmocka_unit_test(only_100),
		cmocka_unit_test(abandoned_branch_wins),
		cmocka_unit_test(the_call_is_where_its_2xx_came_from),
		cmocka_unit_test(abandoned_branch_refuses),
		cmocka_unit_test(cancel_reaches_every_branch),
		cmocka_unit_test(down_moves_at_once),
		cmocka_unit_test(down_waits_for_room),
		cmocka_unit_test(down_waits_no_longer_than_for_silence),
		cmocka_unit_test(maintenance_moves_at_once),
		cmocka_unit_test(panic_tries_one),
		cmocka_unit_test(down_forgets_what_is_open),
		cmocka_unit_test(down_leaves_answered_calls_alone),
		cmocka_unit_test(down_with_many_calls),
	};

	return cmocka_run_group_tests_name("failover", tests, NULL, NULL);
}
