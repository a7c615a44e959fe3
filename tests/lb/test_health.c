/* SPDX-License-Identifier: BSD-3-Clause */
/* Health of one gateway: what makes it DOWN, and what must not. */
#include "tests/lb/play.h"

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
		cmocka_unit_test(clock_jumps),
		cmocka_unit_test(panic_holds_it),
		cmocka_unit_test(maintenance),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
