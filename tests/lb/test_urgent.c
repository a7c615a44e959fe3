/* SPDX-License-Identifier: BSD-3-Clause */
/* Who comes before others: emergency calls and trusted priority, and how many of them. */
#include "tests/lb/newcomer.h"
#include "tests/lb/scene.h"

/* 5 % of 100 places at each of two gateways, and of the peer's 250, are for emergency calls alone. */
static void headroom_of_places(void **state)
{
	struct world w;

	world_start(&w, 2);
	w.spec.headroom = 65536 / 20;
	world_build(&w);
	world_calls(&w, 1000);
	for (uint16_t i = 0; i < 2; i++)
		lb_set_gateway_calls(w.words, i, 100);
	lb_set_peer_urgent(w.words, 0, LB_UNLIMITED);
	assert_int_equal(admitted(&w, new_call, 300), 190);
	assert_int_equal(admitted(&w, emergency_call, 300), 10);
	for (uint16_t i = 0; i < 2; i++)
		assert_int_equal(lb_gateway_calls(w.words, i), 100); /* the operator's limit is one */
	lb_set_gateway_calls(w.words, 0, LB_UNLIMITED);
	lb_set_peer_calls(w.words, 0, 250);
	assert_int_equal(admitted(&w, new_call, 300), 37); /* 250 less 13 */
	assert_int_equal(admitted(&w, emergency_call, 300), 13);
	world_free(&w);
}

/* Nobody is there whose last place is headroom: one of one is for all. */
static void headroom_leaves_one(void **state)
{
	struct world w;

	world_start(&w, 1);
	w.spec.headroom = 65536 / 2;
	world_build(&w);
	lb_set_gateway_calls(w.words, 0, 1);
	assert_int_equal(admitted(&w, new_call, 3), 1);
	assert_int_equal(admitted(&w, emergency_call, 3), 0);
	world_free(&w);
}

/*
 * At ten times max-cps every emergency call gets through as long as they are less than that; all together are
 * never more than max-cps allows; and without emergency calls nothing of the rate is lost.
 */
static void headroom_of_rates(void **state)
{
	static const uint32_t rates[] = { 100, 1000 };

	for (unsigned k = 0; k < 2; k++) {
		uint32_t ordinary = 0, urgent = 0, asked = 0, alone = 0;
		double credit = 0.05 * rates[k];
		struct world w;

		world_start(&w, 1);
		w.spec.headroom = 65536 / 20;
		world_build(&w);
		world_calls(&w, 60000);
		lb_set_gateway_cps(w.words, 0, rates[k]);
		lb_set_peer_urgent(w.words, 0, LB_UNLIMITED);
		for (uint32_t ms = 0; ms < 20000; ms++) {
			unsigned n, one;

			w.now += MS;
			credit += rates[k] / 1000.0;
			credit = credit > 0.05 * rates[k] ? 0.05 * rates[k] : credit;
			n = admitted(&w, new_call, rates[k] / 100);
			one = ms % 100 == 7 && ms >= 10000 ? admitted(&w, emergency_call, 1) : 0;
			asked += ms % 100 == 7 && ms >= 10000;
			if (ms < 10000)
				alone += n;
			ordinary += n;
			urgent += one;
			credit -= n + one;
			assert_true(credit > -1e-6); /* r t + b in any window */
		}
		assert_int_equal(asked, 100);
		assert_int_equal(urgent, asked);
		assert_true(alone >= rates[k] * 10);
		assert_true(ordinary + urgent >= rates[k] * 20);
		world_free(&w);
	}
}

/* A slow gateway has no room for two at once: ordinary calls still get their 95 % of its rate. */
static void headroom_of_a_slow_rate(void **state)
{
	uint32_t n = 0;
	struct world w;

	world_start(&w, 1);
	w.spec.headroom = 65536 / 20;
	world_build(&w);
	lb_set_gateway_cps(w.words, 0, 10);
	for (uint32_t ms = 0; ms < 100000; ms++) {
		w.now += MS;
		n += admitted(&w, new_call, 1);
	}
	assert_in_range(n, 950, 1000);
	world_free(&w);
}

/* No limit that was learned, no share and no bound stops an emergency call; DOWN, DRAIN and MAINT do. */
static void learned_limits_stop_no_emergency(void **state)
{
	struct world w;

	world_start(&w, 1);
	lb_set_gateway_rate(w.words, 0, 0, w.now);
	lb_set_open_cap(w.words, 0, 0);
	lb_set_shed(w.words, 0, 65535);
	assert_int_equal(admitted(&w, new_call, 10), 0);
	lb_set_peer_urgent(w.words, 0, LB_UNLIMITED);
	assert_int_equal(admitted(&w, emergency_call, 10), 10);
	assert_int_equal(lb_gateway_open(w.words, 0), 10);
	lb_set_health(w.words, 0, LB_SATURATED);
	assert_int_equal(admitted(&w, emergency_call, 10), 10);
	lb_set_health(w.words, 0, LB_DOWN);
	assert_int_equal(admitted(&w, emergency_call, 10), 0);
	lb_set_health(w.words, 0, LB_UP);
	lb_set_admin(w.words, 0, LB_MAINT);
	assert_int_equal(admitted(&w, emergency_call, 10), 0);
	assert_int_equal(w.lane->count[ST_URGENT_EMERGENCY], 40);
	assert_int_equal(w.lane->peers[0].count[ST_PEER_URGENT], 40);
	world_free(&w);
}

/* Fail-over of an emergency call goes by the same limits. */
static void emergency_fails_over(void **state)
{
	struct scene s;
	unsigned other;

	scene_start(&s, 2);
	lb_set_open_cap(s.w.words, 0, 0);
	lb_set_open_cap(s.w.words, 1, 0);
	s.invite.sos = 1;
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	other = !s.branch[0].gateway;
	scene_gateway(&s, 0, 503);
	scene_expect(&s, "ACK0 INVITE1 -");
	assert_int_equal(s.branch[1].gateway, other);
	scene_gateway(&s, 1, 486);
	scene_caller(&s, METHOD_ACK);
	scene_end(&s);
}

/* Gateways that refuse of their own accord: an emergency call goes on to four, others to their two. */
static void emergency_tries_on(void **state)
{
	for (unsigned sos = 0; sos < 2; sos++) {
		struct scene s;

		scene_start(&s, 6);
		SCENE_POOL(&s, budget_permille, 0); /* nothing is earned, and ten retries are there */
		s.invite.sos = (uint8_t)sos;
		scene_caller(&s, METHOD_INVITE);
		scene_gateway(&s, 0, 503);
		scene_expect(&s, "100 INVITE0 ACK0 INVITE1 -");
		scene_gateway(&s, 1, 503);
		if (sos) {
			scene_expect(&s, "ACK1 INVITE2 -");
			scene_gateway(&s, 2, 503);
			scene_expect(&s, "ACK2 INVITE3 -");
			scene_gateway(&s, 3, 503);
			scene_expect(&s, "ACK3 answer500 -");
		} else {
			scene_expect(&s, "ACK1 answer500 -");
		}
		scene_caller(&s, METHOD_ACK);
		scene_end(&s);
	}
}

/* Retries of emergency calls take nothing of the pool's budget, and need nothing of it. */
static void emergency_needs_no_budget(void **state)
{
	struct world w;
	unsigned retries[2] = { 0 };

	world_start(&w, 2);
	w.pool[0].attempts = 2;
	world_build(&w);
	world_calls(&w, 1000);
	lb_set_peer_urgent(w.words, 0, LB_UNLIMITED);
	for (unsigned i = 0; i < 200; i++) {
		bool sos = i < 100;
		struct lb_query q = sos ? emergency_call(&w) : new_call(&w), r;
		unsigned n = lb_input(w.worker, w.snap, &q, w.now, w.act);

		w.act[0] = w.act[n - 1];
		r = world_response(&w, &q, 503);
		r.cseq = q.cseq;
		r.room = 1;
		lb_input(w.worker, w.snap, &r, w.now, w.act);
		retries[sos] += w.act[1].op == LB_RESEND;
	}
	assert_int_equal(retries[1], 100);
	assert_int_equal(retries[0], 10); /* BUDGET_FULL, and nothing is earned */
	world_free(&w);
}

/* Numbers are whole, and a plus in front makes no difference. */
static void emergency_numbers(void **state)
{
	static const struct str numbers[] = { STR("112"), STR("+82119") };
	static const struct {
		struct str number;
		bool urgent;
	} cases[] = { { STR("112"), true },    { STR("+112"), true },  { STR("1123"), false },
		      { STR("11"), false },    { STR("82119"), true }, { STR("+82119"), true },
		      { STR("++112"), false }, { STR("+"), false },    { { NULL, 0 }, false } };
	struct world w;

	world_start(&w, 1);
	w.spec.emergency = numbers;
	w.spec.n_emergency = 2;
	world_build(&w);
	lb_set_peer_urgent(w.words, 0, LB_UNLIMITED);
	lb_set_gateway_rate(w.words, 0, 0, w.now);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lb_query q = new_call(&w);

		q.number = cases[i].number;
		assert_int_equal(placed(&w, q) != LB_NONE, cases[i].urgent);
	}
	world_free(&w);
}

/* A priority counts only where its peer is believed it; others write what they like. */
static void priority_is_believed_to_some(void **state)
{
	static const struct str believed[] = { STR("wps.0"), STR("ets.1") };
	static const struct str written[] = { STR("dsn.flash"), STR("WPS.0") };
	struct addr other = world_ip4("203.0.113.1", 5060);
	struct lb_query q;
	struct world w;

	world_start(&w, 1);
	w.spec.unknown = LB_UNKNOWN_ALLOW;
	w.peer[0].resources = believed;
	w.peer[0].n_resources = 2;
	world_build(&w);
	lb_set_gateway_rate(w.words, 0, 0, w.now);
	q = new_call(&w);
	q.resource = written;
	q.n_resources = 1;
	assert_int_equal(placed(&w, q), LB_NONE);
	q = new_call(&w);
	q.resource = written;
	q.n_resources = 2;
	assert_int_equal(placed(&w, q), 0);
	q = new_call(&w);
	q.resource = written;
	q.n_resources = 2;
	q.src = q.reply_to = other;
	assert_int_equal(placed(&w, q), LB_NONE);
	assert_int_equal(w.lane->count[ST_URGENT_PRIORITY], 1);
	world_free(&w);
}

/* Two seconds of the governor: how often it tells of emergency calls past the cap, and of how many. */
static unsigned notices_of(struct lb_governor *g, struct world *w, uint32_t *calls)
{
	struct lb_notice notices[8];
	unsigned n = 0;

	for (unsigned step = 0; step < 20; step++) {
		w->now += LB_STEP_NS;
		for (unsigned k = lb_govern(g, w->snap, w->now, notices, 8); k-- > 0;) {
			if (notices[k].kind != LB_NOTICE_URGENT)
				continue;
			assert_int_equal(notices[k].peer, 0);
			*calls += notices[k].a;
			n++;
		}
	}
	return n;
}

/* Everything marked emergency: past the cap of its peer it is an ordinary call, and the operator hears of it.
 */
static void emergency_is_capped(void **state)
{
	struct lb_governor *g;
	uint32_t calls = 0;
	struct world w;

	world_start(&w, 1);
	lb_set_peer_urgent(w.words, 0, 100);
	lb_set_gateway_rate(w.words, 0, 0, w.now);
	assert_int_equal(admitted(&w, emergency_call, 1000), 100); /* a second's worth at once */
	w.now += SECOND / 10;
	assert_int_equal(admitted(&w, emergency_call, 1000), 10);
	assert_int_equal(w.lane->count[ST_URGENT_OVER], 1890);
	g = world_governor(&w);
	assert_int_equal(notices_of(g, &w, &calls), 1);
	assert_int_equal(calls, 1890);
	lb_set_gateway_rate(w.words, 0, 0, w.now);
	admitted(&w, emergency_call, 195);
	assert_int_equal(notices_of(g, &w, &calls), 0); /* not again so soon */
	for (unsigned i = 0; i < 5; i++)
		notices_of(g, &w, &calls);
	assert_int_equal(calls, 1890 + 95);
	world_free(&w);
}

/* A node that drains still takes what is urgent, up to the cap, where a gateway may have new calls. */
static void emergency_while_the_node_drains(void **state)
{
	static const struct str ets[] = { STR("ets.0") };
	struct lb_query q;
	struct world w;

	world_start(&w, 1);
	w.peer[0].resources = ets;
	w.peer[0].n_resources = 1;
	world_build(&w);
	lb_set_draining(w.words, true, 60);
	lb_set_peer_urgent(w.words, 0, 20);
	assert_int_equal(admitted(&w, new_call, 5), 0);
	assert_int_equal(w.act[0].end, ST_REPLY_DRAINING);
	q = new_call(&w);
	q.resource = ets;
	q.n_resources = 1;
	assert_int_equal(placed(&w, q), 0);
	assert_int_equal(admitted(&w, emergency_call, 100), 19); /* a second's worth of all that is urgent */
	assert_int_equal(w.act[0].end, ST_REPLY_DRAINING);
	assert_in_range(w.act[0].retry_after_s, 60, 120);
	w.now += SECOND;
	lb_set_admin(w.words, 0, LB_MAINT);
	assert_int_equal(admitted(&w, emergency_call, 1), 0);
	assert_int_equal(w.act[0].end, ST_REPLY_REFUSED);
	lb_set_admin(w.words, 0, LB_READY);
	assert_int_equal(admitted(&w, emergency_call, 1), 1);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headroom_of_places),
		cmocka_unit_test(headroom_leaves_one),
		cmocka_unit_test(headroom_of_rates),
		cmocka_unit_test(headroom_of_a_slow_rate),
		cmocka_unit_test(learned_limits_stop_no_emergency),
		cmocka_unit_test(emergency_fails_over),
		cmocka_unit_test(emergency_tries_on),
		cmocka_unit_test(emergency_needs_no_budget),
		cmocka_unit_test(emergency_numbers),
		cmocka_unit_test(priority_is_believed_to_some),
		cmocka_unit_test(emergency_is_capped),
		cmocka_unit_test(emergency_while_the_node_drains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
