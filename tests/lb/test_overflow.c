/* SPDX-License-Identifier: BSD-3-Clause */
/* Where calls go for which a pool has no room. */
#include "lb/govern/governor.h"
#include "lb/words.h"
#include "tests/lb/newcomer.h"
#include "tests/lb/scene.h"

/* Two gateways in pool 0, two in pool 1, which gets what is too much there. */
static void start_overflow(struct world *w)
{
	world_init(w);
	for (unsigned i = 0; i < 4; i++) {
		world_gateway(w, i / 2, 1, 0);
		lb_set_gateway_calls(w->words, i, 50);
	}
	w->pool[0].overflow = 2;
	w->pool[0].spill = 20;
	w->pool[1].overflow = 1; /* each names the other: nothing goes round */
	w->pool[1].spill = 20;
	world_build(w);
	world_calls(w, 60000);
}

static void full_pool_spills(void **state)
{
	struct world w;

	start_overflow(&w);
	assert_int_equal(admitted(&w, new_call, 100), 100);
	assert_int_equal(lb_gateway_calls(w.words, 2) + lb_gateway_calls(w.words, 3), 0);
	assert_int_equal(admitted(&w, new_call, 200), 100);
	assert_int_equal(lb_gateway_calls(w.words, 2) + lb_gateway_calls(w.words, 3), 100);
	assert_int_equal(w.lane->count[ST_SPILLED], 100);
	word_release(w.words, 1);
	assert_int_equal(placed(&w, new_call(&w)), 1); /* home as soon as there is room */
	world_free(&w);
}

/* The budget is exact, and an emergency call asks for none. */
static void spill_has_a_budget(void **state)
{
	unsigned n = 0;
	struct world w;

	start_overflow(&w);
	for (uint16_t i = 0; i < 2; i++)
		lb_set_health(w.words, i, LB_DOWN);
	for (uint16_t i = 2; i < 4; i++)
		lb_set_gateway_calls(w.words, i, LB_UNLIMITED);
	lb_set_spill(w.words, 0, 40);
	for (unsigned ms = 0; ms < 10000; ms++) {
		w.now += MS;
		n += admitted(&w, new_call, 1);
	}
	assert_in_range(n, 400, 402);
	assert_int_equal(w.lane->count[ST_SPILL_SPENT], 10000 - n);
	lb_set_peer_urgent(w.words, 0, LB_UNLIMITED);
	assert_int_equal(admitted(&w, emergency_call, 100), 100);
	lb_set_spill(w.words, 0, 0);
	assert_int_equal(admitted(&w, new_call, 10), 0);
	world_free(&w);
}

/* What the overflow pool could not take has not spilled: the budget is there when it can. */
static void budget_is_of_what_spilled(void **state)
{
	struct world w;

	(void)state;
	start_overflow(&w);
	for (uint16_t i = 0; i < 4; i++)
		lb_set_gateway_calls(w.words, i, 0);
	lb_set_spill(w.words, 0, 1);
	for (unsigned i = 0; i < 50; i++) { /* longer than it is noted that both are full */
		w.now += 150 * MS;
		assert_int_equal(admitted(&w, new_call, 1), 0);
	}
	lb_set_gateway_calls(w.words, 3, 50);
	assert_int_equal(placed(&w, new_call(&w)), 3);
	assert_int_equal(placed(&w, new_call(&w)), LB_NONE);
	assert_int_equal(w.lane->count[ST_SPILLED], 1);
	assert_int_equal(w.lane->count[ST_SPILL_SPENT], 1);
	world_free(&w);
}

static void govern(struct lb_governor *g, struct world *w)
{
	for (unsigned step = 0; step < 20; step++)
		lb_govern(g, w->snap, w->now += LB_STEP_NS, NULL, 0);
}

/* The governor knows the budget: a share of what the target can take, as the limits in force say. */
static void governor_sets_the_budget(void **state)
{
	struct lb_governor *g;
	struct world w;

	start_overflow(&w);
	lb_set_gateway_cps(w.words, 2, 100);
	lb_set_gateway_cps(w.words, 3, 400);
	g = world_governor(&w);
	govern(g, &w);
	assert_int_equal(w.words->pool[0].spill.interval, 10000000); /* 100 a second */
	assert_int_equal(w.words->pool[1].spill.interval,
			 BUCKET_FREE); /* nobody knows what pool 0 can take */
	assert_int_equal(w.words->pool[1].able[0], 2);
	lb_set_admin(w.words, 3, LB_DRAIN);
	govern(g, &w);
	assert_int_equal(w.words->pool[0].spill.interval, 50000000);
	assert_int_equal(w.words->pool[1].able[0], 1);
	lb_set_admin(w.words, 2, LB_DRAIN);
	govern(g, &w);
	assert_int_equal(w.words->pool[0].spill.interval, BUCKET_SHUT);
	world_free(&w);
}

/* Who is only tried with a few calls has no share of his tier's work, at any moment. */
static void shares_are_of_those_that_are_well(void **state)
{
	struct lb_governor *g;
	struct world w;

	(void)state;
	start_overflow(&w);
	g = world_governor(&w);
	govern(g, &w);
	g->at[3].h.state = LB_PROBING;
	lb_set_health(w.words, 3, LB_PROBING);
	for (unsigned step = 0; step < 40; step++) {
		lb_govern(g, w.snap, w.now += LB_STEP_NS, NULL, 0);
		assert_int_equal(lb_get_health(w.words, 3), LB_PROBING);
		if (step >= 10) /* alive.c has looked */
			assert_int_equal(w.words->pool[1].able[0], 1);
	}
	world_free(&w);
}

/* A search that ends with no room goes on in the overflow pool, once. */
static void failover_spills(void **state)
{
	struct scene s;

	scene_start(&s, 1);
	world_gateway(&s.w, 1, 1, 0);
	world_gateway(&s.w, 2, 1, 0);
	s.w.spec.n_pools = 3;
	s.w.pool[0].overflow = 2;
	s.w.pool[1].overflow = 3; /* is not followed: one step, never two */
	for (unsigned i = 0; i < 3; i++) {
		s.w.pool[i].spill = 20;
		s.w.pool[i].attempts = 3;
	}
	world_build(&s.w);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "ACK0 INVITE1 -");
	assert_int_equal(s.branch[1].gateway, 1);
	scene_gateway(&s, 1, 503);
	scene_expect(&s, "ACK1 answer503 -");
	scene_caller(&s, METHOD_ACK);
	scene_end(&s);
}

/* Each is the other's overflow pool, and both are full: a call for either is refused, and asked for once. */
static void two_full_pools_refuse(void **state)
{
	struct world w;

	(void)state;
	start_overflow(&w);
	w.route[0].number = STR("1");
	world_route(&w, 1);
	world_build(&w);
	for (uint16_t i = 0; i < 4; i++)
		lb_set_gateway_calls(w.words, i, 0);
	for (unsigned i = 0; i < 10; i++) {
		struct lb_query q = new_call(&w);

		q.number = i % 2 ? STR("1") : STR("2");
		assert_int_equal(world_input(&w, &q)->op, LB_REPLY);
		assert_int_equal(w.act[0].status, 503);
	}
	assert_int_equal(w.lane->count[ST_SPILLED], 0);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(w.lane->gateways[i].count[ST_GW_NEW], 0);
	world_free(&w);
}

/* Gateways 0 and 2 in pool 0, 1 in pool 1; each pool is the other's overflow pool. */
static void start_circle(struct scene *s)
{
	scene_start(s, 1);
	world_gateway(&s->w, 1, 1, 0);
	world_gateway(&s->w, 0, 1, 0);
	s->w.spec.n_pools = 2;
	for (unsigned i = 0; i < 2; i++) {
		s->w.pool[i].overflow = (uint16_t)(2 - i);
		s->w.pool[i].spill = 100;
		s->w.pool[i].attempts = 4;
	}
	world_build(&s->w);
}

/* A call that spilled when it came is not spilled back, whoever has room meanwhile. */
static void no_call_goes_round(void **state)
{
	struct scene s;

	(void)state;
	start_circle(&s);
	lb_set_gateway_calls(s.w.words, 0, 0);
	lb_set_gateway_calls(s.w.words, 2, 0);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	assert_int_equal(s.branch[0].gateway, 1);
	lb_set_gateway_calls(s.w.words, 0, LB_UNLIMITED);
	lb_set_gateway_calls(s.w.words, 2, LB_UNLIMITED);
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "ACK0 answer503 -");
	scene_caller(&s, METHOD_ACK);
	scene_end(&s);
}

/* Nor is one that spilled because its first gateway refused it. */
static void no_retry_goes_round(void **state)
{
	struct scene s;

	(void)state;
	start_circle(&s);
	lb_set_gateway_calls(s.w.words, 2, 0);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "ACK0 INVITE1 -");
	assert_int_equal(s.branch[1].gateway, 1);
	lb_set_gateway_calls(s.w.words, 2, LB_UNLIMITED);
	scene_gateway(&s, 1, 503);
	scene_expect(&s, "ACK1 answer503 -");
	scene_caller(&s, METHOD_ACK);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_pool_spills),
		cmocka_unit_test(spill_has_a_budget),
		cmocka_unit_test(governor_sets_the_budget),
		cmocka_unit_test(failover_spills),
		cmocka_unit_test(two_full_pools_refuse),
		cmocka_unit_test(no_call_goes_round),
		cmocka_unit_test(no_retry_goes_round),
		cmocka_unit_test(budget_is_of_what_spilled),
		cmocka_unit_test(shares_are_of_those_that_are_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
