/* SPDX-License-Identifier: BSD-3-Clause */
/* Health of one gateway, step by step: every transition, and what must not be one. */
#include "tests/lb/check.h"
#include "lb/govern/health.h"

#define STEP 100000000ull

/* A gateway and how it behaves; probes and calls are those of a step. */
struct gateway_play {
	struct health h;
	struct health_seen s;
	uint64_t heard;
};

static void begin(struct gateway_play *g)
{
	*g = (struct gateway_play){
		.s = { .now = 1000 * SECOND,
		       .limit = LB_UNLIMITED,
		       .limit_open = LB_UNLIMITED,
		       .down_after = 3,
		       .up_after = 2,
		       .admin = LB_READY },
	};
	health_init(&g->h, LB_UP, g->s.now);
}

/* One step with so many INVITEs sent, answered and, of those, refused. True if the state changed. */
static bool step(struct gateway_play *g, uint32_t sent, uint32_t answered, uint32_t refused)
{
	g->s.now += STEP;
	if (answered)
		g->heard = g->s.now;
	g->s.heard = g->heard;
	g->s.sent = sent;
	g->s.answered = answered;
	g->s.refused = refused;
	health_note(&g->h, &g->s);
	g->s.bounced = 0;
	return health_step(&g->h, &g->s);
}

/* Steps until the state changes; fails after `most`. Returns how long it took, ns. */
static uint64_t until_change(struct gateway_play *g, uint32_t sent, uint32_t answered, uint32_t refused,
			     uint64_t most)
{
	uint64_t from = g->s.now;

	while (!step(g, sent, answered, refused))
		assert_true(g->s.now - from < most);
	return g->s.now - from;
}

/* Steps of which none changes the state. */
static void steady(struct gateway_play *g, uint32_t sent, uint32_t answered, uint32_t refused, uint64_t ns)
{
	for (uint64_t end = g->s.now + ns; g->s.now < end;)
		assert_false(step(g, sent, answered, refused));
}

static void probe(struct gateway_play *g, enum lb_probe_result result)
{
	health_probe(&g->h, result, g->s.now - SECOND, g->heard);
}

static void expect(const struct gateway_play *g, enum lb_health state, enum lb_health_why why)
{
	assert_int_equal(g->h.state, state);
	assert_int_equal(g->h.why, why);
	assert_int_equal(g->h.since, g->s.now);
}

/* Silent to 40 INVITEs a second; DOWN. */
static void go_down(struct gateway_play *g)
{
	steady(g, 4, 4, 0, 2 * SECOND);
	until_change(g, 4, 0, 0, 3 * SECOND);
	expect(g, LB_DOWN, LB_WHY_MUTE);
}

/* And back, with probes answered from now on. */
static void go_probing(struct gateway_play *g)
{
	probe(g, LB_PROBE_OK);
	probe(g, LB_PROBE_OK);
	until_change(g, 0, 0, 0, 31 * SECOND);
	expect(g, LB_PROBING, LB_WHY_ALIVE);
}

static void go_slow(struct gateway_play *g)
{
	for (int i = 0; i < HEALTH_TAKEN - 1; i++)
		assert_false(step(g, 1, 1, 0));
	assert_true(step(g, 1, 1, 0));
	expect(g, LB_SLOWSTART, LB_WHY_PROVEN);
}

/* ---- To DOWN ----------------------------------------------------------------------------------------- */

static void probes_alone(void **state)
{
	struct gateway_play g;

	begin(&g);
	probe(&g, LB_PROBE_SILENT);
	probe(&g, LB_PROBE_SILENT);
	steady(&g, 0, 0, 0, SECOND);
	probe(&g, LB_PROBE_OK); /* the row begins anew */
	for (int i = 0; i < 2; i++)
		probe(&g, LB_PROBE_SILENT);
	steady(&g, 0, 0, 0, SECOND);
	probe(&g, LB_PROBE_SILENT);
	assert_true(step(&g, 0, 0, 0));
	expect(&g, LB_DOWN, LB_WHY_PROBES);
	assert_int_equal(g.h.figure, 3);
}

/* One that answers calls but no probes is alive, as long as it is heard at least once between two probes. */
static void answers_calls_but_no_probes(void **state)
{
	struct gateway_play g;

	begin(&g);
	for (int i = 0; i < 20; i++) {
		steady(&g, 1, 1, 0, 5 * SECOND);
		probe(&g, LB_PROBE_SILENT);
	}
	assert_int_equal(g.h.lost, 0);
	for (int i = 0; i < 20;
	     i++) { /* one call in a while: heard before this probe was sent, but after the last */
		step(&g, 1, 1, 0);
		steady(&g, 0, 0, 0, 5 * SECOND);
		probe(&g, LB_PROBE_SILENT);
		assert_int_equal(g.h.lost, 1);
	}
	for (int i = 0; i < 2; i++) {
		steady(&g, 0, 0, 0, 5 * SECOND);
		probe(&g, LB_PROBE_SILENT);
	}
	assert_true(step(&g, 0, 0, 0));
	expect(&g, LB_DOWN, LB_WHY_PROBES);
	/* What it sends brings it back though its probes are still lost. */
	g.heard = g.s.now + STEP;
	until_change(&g, 0, 0, 0, 2 * SECOND);
	expect(&g, LB_PROBING, LB_WHY_ALIVE);
	steady(&g, 0, 0, 0, SECOND);
	go_slow(&g);
}

static void pending_calls(void **state)
{
	struct gateway_play g;
	uint64_t took;

	begin(&g);
	steady(&g, 2, 2, 0, 2 * SECOND);
	took = until_change(&g, 2, 0, 0, 3 * SECOND); /* 20 calls/s: 20 are reached before the time is over */
	expect(&g, LB_DOWN, LB_WHY_MUTE);
	assert_in_range(took, 15 * STEP, 17 * STEP);

	begin(&g);
	took = until_change(&g, 1, 0, 0, 3 * SECOND); /* 10 calls/s, from the first message on: 20 take 2 s */
	assert_in_range(took, 19 * STEP, 21 * STEP);

	begin(&g);
	assert_false(step(&g, 30, 0, 0)); /* a burst after a long rest is no silence */
	steady(&g, 0, 0, 0, 14 * STEP);
	g.heard = g.s.now;
	steady(&g, 0, 0, 0, 10 * SECOND);

	begin(&g);
	assert_false(step(&g, HEALTH_PENDING - 1, 0, 0)); /* 19 that wait say nothing */
	steady(&g, 0, 0, 0, 30 * SECOND);
}

static void heard_once_in_a_while(void **state)
{
	struct gateway_play g;

	begin(&g);
	for (int i = 0; i < 20; i++) {
		steady(&g, 5, 0, 0, 14 * STEP);
		g.heard = g.s.now;
	}
	assert_int_equal(g.h.state, LB_UP);
}

/* The fast path of a gateway answers OPTIONS, and nobody behind it takes calls. */
static void answers_probes_but_no_calls(void **state)
{
	struct gateway_play g;
	uint64_t hold = HEALTH_HOLD_NS;

	begin(&g);
	for (int i = 0; i < 15; i++) {
		probe(&g, LB_PROBE_OK);
		if (step(&g, 4, 0, 0))
			break;
	}
	if (g.h.state == LB_UP)
		until_change(&g, 4, 0, 0, SECOND);
	expect(&g, LB_DOWN, LB_WHY_MUTE);
	for (int i = 0; i < 8; i++) {
		uint64_t down = g.s.now;

		go_probing(&g);
		assert_in_range(g.s.now - down, hold, hold + STEP);
		assert_int_equal(g.h.rate, HEALTH_TRICKLE);
		assert_false(step(&g, 1, 0, 0));
		probe(&g, LB_PROBE_OK);
		until_change(&g, 0, 0, 0, 2 * SECOND);
		expect(&g, LB_DOWN, LB_WHY_MUTE);
		hold = hold * 2 < HEALTH_HOLD_MAX_NS ? hold * 2 : HEALTH_HOLD_MAX_NS;
	}
}

/* It is heard all the time, as its old calls go on, but it answers none of those that try it. */
static void sends_but_answers_no_calls(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	assert_false(step(&g, 1, 0, 0));
	for (int i = 0; i < 60 && g.h.state == LB_PROBING; i++) {
		g.heard = g.s.now;
		step(&g, i % 10 == 0, 0, 0);
	}
	expect(&g, LB_DOWN, LB_WHY_UNANSWERED);
}

static void came_back_by_icmp(void **state)
{
	struct gateway_play g;
	uint64_t took;

	begin(&g);
	g.s.bounced = 2;
	assert_false(step(&g, 2, 0, 0));
	steady(&g, 0, 0, 0, 5 * SECOND); /* two are not enough */
	g.s.bounced = 1;
	took = until_change(&g, 1, 0, 0, 2 * SECOND);
	expect(&g, LB_DOWN, LB_WHY_ICMP);
	assert_true(took <= STEP);

	begin(&g);
	g.s.bounced = 50; /* any number at once: evidence, but not without a silence */
	assert_false(step(&g, 50, 0, 0));
	steady(&g, 0, 0, 0, 9 * STEP);
	g.heard = g.s.now;
	steady(&g, 0, 0, 0, 5 * SECOND);
}

/* ---- And back ---------------------------------------------------------------------------------------- */

static void back_by_steps(void **state)
{
	struct gateway_play g;
	uint32_t rate = HEALTH_START;

	begin(&g);
	go_down(&g);
	steady(&g, 0, 0, 0, 60 * SECOND); /* without a sign of life it stays */
	probe(&g, LB_PROBE_OK);
	steady(&g, 0, 0, 0, 5 * SECOND); /* one is not enough */
	probe(&g, LB_PROBE_OK);
	assert_true(step(&g, 0, 0, 0));
	expect(&g, LB_PROBING, LB_WHY_ALIVE);
	steady(&g, 0, 0, 0, 300 * SECOND); /* nobody calls: it waits, ready for a trickle */
	assert_int_equal(g.h.rate, HEALTH_TRICKLE);
	steady(&g, 1, 1, 1, 5 * SECOND); /* 503 to each: alive, and no step further */
	go_slow(&g);
	assert_int_equal(g.h.rate, rate);
	for (uint64_t s = 0; s < 9; s++) {
		steady(&g, 1, 1, 0, SECOND);
		rate *= 2;
		assert_int_equal(g.h.rate, rate);
	}
	until_change(&g, 1, 1, 0, 2 * SECOND);
	expect(&g, LB_UP, LB_WHY_CLEAR);
	assert_int_equal(g.h.rate, LB_UNLIMITED);
	assert_int_equal(g.h.open_cap, LB_UNLIMITED);
}

/* An unknown cannot have been proven by answers that came to it before. */
static void hold_off_without_probes(void **state)
{
	struct gateway_play g;
	uint64_t took;

	begin(&g);
	g.s.down_after = g.s.up_after = 0;
	steady(&g, 0, 0, 0, 60 * SECOND);
	go_down(&g);
	took = until_change(&g, 0, 0, 0, 2 * SECOND);
	assert_int_equal(took, HEALTH_HOLD_NS);
	expect(&g, LB_PROBING, LB_WHY_HELD_OFF);
	steady(&g, 0, 0, 0, 60 * SECOND);
	assert_false(step(&g, 1, 0, 0));
	until_change(&g, 0, 0, 0, 2 * SECOND);
	expect(&g, LB_DOWN, LB_WHY_MUTE);
	took = until_change(&g, 0, 0, 0, 3 * SECOND);
	assert_int_equal(took, 2 * HEALTH_HOLD_NS);
	go_slow(&g);
}

/* Nobody in the pool is well: the trickle doubles with each answer. */
static void trickle_grows_when_alone(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	g.s.alone = true;
	assert_false(step(&g, 0, 0, 0));
	assert_int_equal(g.h.rate, 1);
	assert_false(step(&g, 1, 1, 0));
	assert_int_equal(g.h.rate, 2);
	assert_false(step(&g, 1, 1, 0));
	assert_int_equal(g.h.rate, 4);
	g.s.alone = false;
	assert_false(step(&g, 0, 0, 0));
	assert_int_equal(g.h.rate, 1);
}

static void slow_start_ends_at_the_limit(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	go_slow(&g);
	g.s.limit = 35;
	assert_in_range(until_change(&g, 2, 2, 0, 4 * SECOND), 2 * SECOND, 2 * SECOND + 2 * STEP);
	expect(&g, LB_UP, LB_WHY_LIMIT);
}

/* What it carried before it fell says where it may begin. */
static void slow_start_begins_at_a_quarter(void **state)
{
	struct gateway_play g;

	begin(&g);
	steady(&g, 40, 40, 0, 10 * SECOND); /* 400 calls/s */
	until_change(&g, 40, 0, 0, 3 * SECOND);
	go_probing(&g);
	go_slow(&g);
	assert_in_range(g.h.rate, 80, 100);
}

static void slow_start_in_trouble(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	go_probing(&g);
	go_slow(&g);
	steady(&g, 2, 2, 0, SECOND);
	assert_int_equal(g.h.rate, 2 * HEALTH_START);
	steady(&g, 2, 2, 1, SECOND);
	assert_int_equal(g.h.rate, HEALTH_START);
	steady(&g, 2, 2, 0, SECOND);
	assert_int_equal(g.h.rate, 2 * HEALTH_START);
	until_change(&g, 1, 0, 0, 3 * SECOND); /* silent again, with three calls */
	expect(&g, LB_DOWN, LB_WHY_MUTE);

	begin(&g);
	go_down(&g);
	go_probing(&g);
	go_slow(&g);
	until_change(&g, 1, 1, 1, 40 * SECOND); /* refuses without end: not held for ever */
	expect(&g, LB_UP, LB_WHY_CLEAR);
}

static void flaps_are_forgiven(void **state)
{
	struct gateway_play g;
	uint64_t down;

	begin(&g);
	for (int i = 0; i < 4; i++) {
		go_down(&g);
		go_probing(&g);
		go_slow(&g);
		until_change(&g, 4, 4, 0, 11 * SECOND);
	}
	steady(&g, 4, 4, 0, 2 * HEALTH_CALM_NS + STEP);
	go_down(&g);
	down = g.s.now;
	go_probing(&g);
	assert_in_range(g.s.now - down, 4 * SECOND, 4 * SECOND + STEP); /* 16 s without the calm */
}

/* ---- Full --------------------------------------------------------------------------------------------- */

static void full_by_probes(void **state)
{
	struct gateway_play g;
	uint32_t rate;

	begin(&g);
	steady(&g, 10, 10, 0, 3 * SECOND); /* 100 calls/s */
	probe(&g, LB_PROBE_REFUSED);
	assert_true(step(&g, 10, 10, 0));
	expect(&g, LB_SATURATED, LB_WHY_PROBE_503);
	assert_false(step(&g, 10, 10, 10));
	assert_in_range(g.h.rate, 60, 80);
	for (int i = 0; i < 40; i++) { /* calls are refused, too: ever less, never nothing */
		uint32_t n = g.h.rate / 10 ? g.h.rate / 10 : 1;

		steady(&g, n, n, n, SECOND);
		probe(&g, LB_PROBE_REFUSED);
		assert_false(step(&g, 0, 0, 0));
		assert_true(g.h.rate >= 1);
	}
	assert_in_range(g.h.rate, 1, 3);
	rate = g.h.rate;
	probe(&g, LB_PROBE_OK);
	until_change(&g, 0, 0, 0, 4 * SECOND);
	expect(&g, LB_SLOWSTART, LB_WHY_EASED);
	assert_true(g.h.rate >= rate && g.h.rate < 100);
	until_change(&g, 1, 1, 0, 11 * SECOND);
	expect(&g, LB_UP, LB_WHY_CLEAR);
}

/* One that answers every OPTIONS with 503 and takes all calls keeps its calls. */
static void refuses_probes_out_of_habit(void **state)
{
	struct gateway_play g;
	uint32_t sum = 0;

	begin(&g);
	for (int i = 0; i < 600; i++) {
		uint32_t n = g.h.rate < 100 ? (g.h.rate + i % 10) / 10 : 10;

		if (i % 50 == 0)
			probe(&g, LB_PROBE_REFUSED);
		step(&g, n, n, 0);
		sum += i >= 300 ? n : 0;
	}
	assert_int_equal(g.h.state, LB_SATURATED);
	assert_true(sum > 300 * 10 * 6 / 10);
}

static void full_without_traffic(void **state)
{
	struct gateway_play g;

	begin(&g);
	probe(&g, LB_PROBE_REFUSED);
	assert_true(step(&g, 0, 0, 0));
	expect(&g, LB_SATURATED, LB_WHY_PROBE_503);
	steady(&g, 0, 0, 0, 20 * SECOND);
	assert_int_equal(g.h.rate, LB_UNLIMITED);
	probe(&g, LB_PROBE_OK);
	until_change(&g, 0, 0, 0, 4 * SECOND);
	expect(&g, LB_UP, LB_WHY_CLEAR);
}

static void full_by_oc_and_by_limit(void **state)
{
	struct gateway_play g;

	begin(&g);
	g.s.oc = true;
	assert_true(step(&g, 4, 4, 0));
	expect(&g, LB_SATURATED, LB_WHY_OC);
	assert_int_equal(g.h.rate, LB_UNLIMITED); /* oc itself is obeyed elsewhere */
	g.s.oc = false;
	assert_in_range(until_change(&g, 4, 4, 0, 4 * SECOND), HEALTH_EASED_NS, HEALTH_EASED_NS + STEP);
	expect(&g, LB_UP, LB_WHY_CLEAR);
	g.s.passed = 4;
	steady(&g, 4, 4, 0, 2 * SECOND);
	g.s.passed = 5; /* more pass it by than it gets: now it is called so, a second later */
	until_change(&g, 4, 4, 0, 2 * SECOND + STEP);
	expect(&g, LB_SATURATED, LB_WHY_OFFERED);
	until_change(&g, 4, 0, 0, 3 * SECOND);
	expect(&g, LB_DOWN, LB_WHY_MUTE);
}

/* ---- Whose silence it is ------------------------------------------------------------------------------- */

static void clock_jumps(void **state)
{
	struct gateway_play g;

	begin(&g);
	steady(&g, 4, 4, 0, SECOND);
	assert_false(step(&g, 30, 0, 0));
	g.s.now += 3600 * SECOND; /* an hour's sleep: nobody heard, nobody spoke */
	g.s.hearing = g.s.now + STEP;
	assert_false(step(&g, 0, 0, 0));
	steady(&g, 0, 0, 0, 14 * STEP);
	assert_true(step(&g, 0, 0, 0)); /* silent since it is awake */
	expect(&g, LB_DOWN, LB_WHY_MUTE);
}

static void panic_holds_it(void **state)
{
	struct gateway_play g;
	uint64_t heard, asked;

	begin(&g);
	steady(&g, 4, 4, 0, SECOND);
	assert_false(health_mute(&g.h, &g.s, SECOND, &heard, &asked));
	g.s.panic = true;
	steady(&g, 4, 0, 0, 10 * SECOND);
	assert_true(health_mute(&g.h, &g.s, SECOND, &heard, &asked));
	assert_in_range(asked - heard, 0, 2 * STEP);
	g.s.panic = false;
	assert_true(step(&g, 4, 0, 0));
	expect(&g, LB_DOWN, LB_WHY_MUTE);
}

static void maintenance(void **state)
{
	struct gateway_play g;

	begin(&g);
	go_down(&g);
	g.s.admin = LB_MAINT;
	probe(&g, LB_PROBE_OK);
	probe(&g, LB_PROBE_OK);
	steady(&g, 0, 0, 0, 60 * SECOND);
	assert_int_equal(g.h.state, LB_DOWN);
	g.s.admin = LB_DRAIN;
	assert_true(step(&g, 0, 0, 0));
	expect(&g, LB_PROBING, LB_WHY_READY);
	g.s.admin = LB_READY;
	go_slow(&g);
}

/* Whatever happens: the machine stays in its states, gives something in each but DOWN, and leaves DOWN only
 * with a sign of life. */
static void at_random(void **state)
{
	uint64_t seed = 0x5eed;

	for (int run = 0; run < 200; run++) {
		struct gateway_play g;

		begin(&g);
		for (int i = 0; i < 3000; i++) {
			uint64_t r = next_random(&seed);
			uint32_t sent = r % 7 ? 0 : r >> 8 & 31, answered = r >> 16 & 1 ? 0 : sent;
			uint8_t was = g.h.state;
			bool ok = g.h.ok >= 2 || g.h.heard > g.h.since;

			if (r % 50 == 0)
				probe(&g, (enum lb_probe_result)(r >> 24) % 3);
			g.s.oc = (r >> 28) % 100 == 0;
			g.s.alone = r >> 36 & 1;
			g.s.panic = (r >> 37) % 50 == 0;
			g.s.admin = (r >> 40) % 400 == 0 ? (uint8_t)((r >> 48) % 3) : g.s.admin;
			g.s.bounced = answered ? 0 : sent / 2;
			if ((r >> 50) % 500 == 0)
				g.s.hearing = g.s.now += r >> 54;
			step(&g, sent, answered, answered / 3);
			assert_true(g.h.rate >= 1 && g.h.open_cap >= 1);
			assert_true(g.h.state <= LB_SLOWSTART && g.h.why < LB_WHY_COUNT);
			if (was == LB_DOWN && g.h.state != LB_DOWN)
				assert_true(g.h.state == LB_PROBING &&
					    (ok || g.h.ok >= 2 || g.h.why != LB_WHY_HELD_OFF));
			if (was == LB_PROBING && g.h.state == LB_SLOWSTART)
				assert_true(g.h.taken >= HEALTH_TAKEN);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(probes_alone),
		cmocka_unit_test(answers_calls_but_no_probes),
		cmocka_unit_test(pending_calls),
		cmocka_unit_test(heard_once_in_a_while),
		cmocka_unit_test(answers_probes_but_no_calls),
		cmocka_unit_test(sends_but_answers_no_calls),
		cmocka_unit_test(came_back_by_icmp),
		cmocka_unit_test(back_by_steps),
		cmocka_unit_test(hold_off_without_probes),
		cmocka_unit_test(trickle_grows_when_alone),
		cmocka_unit_test(slow_start_ends_at_the_limit),
		cmocka_unit_test(slow_start_begins_at_a_quarter),
		cmocka_unit_test(slow_start_in_trouble),
		cmocka_unit_test(flaps_are_forgiven),
		cmocka_unit_test(full_by_probes),
		cmocka_unit_test(refuses_probes_out_of_habit),
		cmocka_unit_test(full_without_traffic),
		cmocka_unit_test(full_by_oc_and_by_limit),
		cmocka_unit_test(clock_jumps),
		cmocka_unit_test(panic_holds_it),
		cmocka_unit_test(maintenance),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
