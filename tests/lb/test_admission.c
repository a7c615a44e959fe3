/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who comes before others, who is limited, and where calls go for which a pool has no room: through the door
 * only.
 */
#include <stdlib.h>
#include "lb/govern/govern.h"
#include "lb/words.h"
#include "tests/lb/check.h"
#include "tests/lb/scene.h"

#define MS UINT64_C(1000000)

static uint32_t next_call; /* no call is met again */

static struct lb_query new_call(const struct world *w)
{
	struct lb_query q = world_request(w, METHOD_INVITE, ++next_call, 1);

	q.room = 1;
	return q;
}

static struct lb_query emergency_call(const struct world *w)
{
	struct lb_query q = new_call(w);

	q.sos = 1;
	return q;
}

/* The slot that the request goes to, or LB_NONE: it is refused. */
static uint16_t placed(struct world *w, struct lb_query q)
{
	unsigned n = lb_input(w->worker, w->snap, &q, w->now, w->act);

	return w->act[n - 1].op == LB_FORWARD ? w->act[n - 1].gateway : LB_NONE;
}

/* How many of n new calls are admitted. */
static unsigned admitted(struct world *w, struct lb_query (*make)(const struct world *), unsigned n)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += placed(w, make(w)) != LB_NONE;
	return sum;
}

/* ---- Emergency and priority -----------------------------------------------------------------------------
 */

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
	lb_set_gateway_rate(w.words, 0, 0);
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
	lb_set_gateway_rate(w.words, 0, 0);
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
	lb_set_gateway_rate(w.words, 0, 0);
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
	const struct lb_worker *workers[1];
	struct lb_governor *g;
	uint32_t calls = 0;
	struct world w;

	world_start(&w, 1);
	lb_set_peer_urgent(w.words, 0, 100);
	lb_set_gateway_rate(w.words, 0, 0);
	assert_int_equal(admitted(&w, emergency_call, 1000), 100); /* a second's worth at once */
	w.now += SECOND / 10;
	assert_int_equal(admitted(&w, emergency_call, 1000), 10);
	assert_int_equal(w.lane->count[ST_URGENT_OVER], 1890);
	workers[0] = w.worker;
	g = aligned_alloc(64, (lb_governor_size(64, 1) + 63) / 64 * 64);
	g = lb_governor_init(g, 64, w.words, workers, 1, w.now);
	assert_int_equal(notices_of(g, &w, &calls), 1);
	assert_int_equal(calls, 1890);
	lb_set_gateway_rate(w.words, 0, 0);
	admitted(&w, emergency_call, 195);
	assert_int_equal(notices_of(g, &w, &calls), 0); /* not again so soon */
	for (unsigned i = 0; i < 5; i++)
		notices_of(g, &w, &calls);
	assert_int_equal(calls, 1890 + 95);
	free(g);
	world_free(&w);
}

/* ---- Overflow --------------------------------------------------------------------------------------------
 */

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

/* The governor knows the budget: a share of what the target can take, as the limits in force say. */
static void governor_sets_the_budget(void **state)
{
	const struct lb_worker *workers[1];
	struct lb_governor *g;
	uint32_t calls = 0;
	struct world w;

	start_overflow(&w);
	lb_set_gateway_cps(w.words, 2, 100);
	lb_set_gateway_cps(w.words, 3, 400);
	workers[0] = w.worker;
	g = aligned_alloc(64, (lb_governor_size(64, 1) + 63) / 64 * 64);
	g = lb_governor_init(g, 64, w.words, workers, 1, w.now);
	notices_of(g, &w, &calls);
	assert_int_equal(w.words->pool[0].spill.interval, 10000000); /* 100 a second */
	assert_int_equal(w.words->pool[1].spill.interval,
			 BUCKET_FREE); /* nobody knows what pool 0 can take */
	assert_int_equal(w.words->pool[1].able[0], 2);
	lb_set_admin(w.words, 3, LB_DRAIN);
	notices_of(g, &w, &calls);
	assert_int_equal(w.words->pool[0].spill.interval, 50000000);
	assert_int_equal(w.words->pool[1].able[0], 1);
	lb_set_admin(w.words, 2, LB_DRAIN);
	notices_of(g, &w, &calls);
	assert_int_equal(w.words->pool[0].spill.interval, BUCKET_SHUT);
	free(g);
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

/* ---- max-rps ----------------------------------------------------------------------------------------------
 */

static struct lb_query new_message(const struct world *w)
{
	return world_request(w, METHOD_MESSAGE, ++next_call, 1);
}

static struct lb_query stray(const struct world *w)
{
	struct lb_query q = world_request(w, METHOD_INFO, ++next_call, 1);

	q.has_to_tag = 1;
	q.to_tag = STR("lost");
	return q;
}

static void max_rps_of_a_gateway(void **state)
{
	struct lb_query q;
	struct world w;

	world_start(&w, 2);
	lb_set_gateway_rps(w.words, 0, 100);
	lb_set_gateway_rps(w.words, 1, 20);
	q = new_message(&w);
	assert_int_not_equal(placed(&w, q), LB_NONE);
	assert_int_equal(admitted(&w, new_message, 50), 5);
	for (unsigned i = 0; i < 10; i++)
		assert_int_not_equal(placed(&w, q), LB_NONE); /* a repetition asks for nothing */
	assert_int_equal(w.act[0].op, LB_FORWARD);
	assert_int_equal(admitted(&w, new_call, 50), 50);
	w.now += SECOND;
	assert_int_equal(admitted(&w, new_message, 50), 6);
	assert_true(w.lane->gateways[0].count[ST_GW_SKIPPED_RPS] > 0);
	world_free(&w);
}

/* A To tag is no way past all limits: what nobody knows is charged to the peer, 500 past it. */
static void strays_are_charged(void **state)
{
	struct lb_query ack;
	struct world w;

	world_start(&w, 2);
	lb_set_peer_rps(w.words, 0, 200);
	assert_int_equal(admitted(&w, stray, 6), 6);
	assert_int_equal(admitted(&w, new_message, 20), 4);
	assert_int_equal(admitted(&w, stray, 20), 0);
	assert_int_equal(w.act[0].op, LB_REPLY);
	assert_int_equal(w.act[0].status, 500);
	assert_int_equal(w.act[0].end, ST_REPLY_PEER_LIMIT);
	ack = stray(&w);
	ack.method = METHOD_ACK;
	expect_act(world_input(&w, &ack), LB_DROP, ST_DROP_ACK_NOWHERE);
	assert_int_equal(admitted(&w, new_call, 20), 20);
	assert_int_equal(w.lane->peers[0].count[ST_PEER_LIMITED], 16 + 20 + 1);
	world_free(&w);
}

/* ---- The trail
 * --------------------------------------------------------------------------------------------- */

/* Who was asked, what stopped each, and how it ended, the newest first; the oldest make room. */
static void trail_tells_why(void **state)
{
	struct lb_trail t[4];
	struct lb_query q;
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < 2; i++)
		world_gateway(&w, 0, 1, i);
	world_build(&w);
	w.trail = true;
	world_calls(&w, 1000);
	lb_set_gateway_calls(w.words, 0, 0);
	q = new_call(&w);
	assert_int_equal(placed(&w, q), 1);
	assert_int_equal(lb_trail_find(w.worker, lb_call_tag(q.call_hash), t, 4), 1);
	assert_int_equal(t[0].gateway, 1);
	assert_int_equal(t[0].end, ST_FWD_REQUEST);
	assert_int_equal(t[0].when, w.now);
	assert_int_equal(t[0].n, 1);
	assert_int_equal(t[0].asked[0], 0);
	assert_int_equal(t[0].stop[0], LB_STOP_CALLS);
	placed(&w, q); /* a repetition is no decision */
	q.via_hash++;
	q.from_hash++;
	lb_set_health(w.words, 1, LB_DOWN);
	assert_int_equal(placed(&w, q), LB_NONE);
	assert_int_equal(lb_trail_find(w.worker, lb_call_tag(q.call_hash), t, 4), 2);
	assert_int_equal(t[0].end, ST_REPLY_REFUSED);
	assert_int_equal(t[0].gateway, LB_NONE);
	assert_int_equal(t[0].n, 2);
	assert_int_equal(t[0].stop[1], LB_STOP_STATE);
	assert_int_equal(t[1].gateway, 1);
	for (unsigned i = 0; i < LIMIT_TRAIL; i++)
		placed(&w, new_message(&w));
	assert_int_equal(lb_trail_find(w.worker, lb_call_tag(q.call_hash), t, 4), 0);
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
		cmocka_unit_test(emergency_numbers),
		cmocka_unit_test(priority_is_believed_to_some),
		cmocka_unit_test(emergency_is_capped),
		cmocka_unit_test(full_pool_spills),
		cmocka_unit_test(spill_has_a_budget),
		cmocka_unit_test(governor_sets_the_budget),
		cmocka_unit_test(failover_spills),
		cmocka_unit_test(max_rps_of_a_gateway),
		cmocka_unit_test(strays_are_charged),
		cmocka_unit_test(trail_tells_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
