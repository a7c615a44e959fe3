/* SPDX-License-Identifier: BSD-3-Clause */
/* The governor's frame: who is looked at, what differences it takes, clocks that jump, slots that change
 * hands. */
#include "lb/govern/governor.h"
#include "lb/worker.h"
#include "tests/lb/check.h"
#include "tests/lb/world.h"

#define STEP LB_STEP_NS

struct bed {
	struct world w;
	struct lb_governor *g;
};

static void start(struct bed *b, unsigned gateways)
{
	world_start(&b->w, gateways);
	b->g = world_governor(&b->w);
}

static void stop(struct bed *b)
{
	world_free(&b->w);
}

static void step(struct bed *b, uint64_t ns)
{
	b->w.now += ns;
	lb_govern(b->g, b->w.snap, b->w.now, NULL, 0);
}

static void quiet_gateways_are_skipped(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 3);
	step(&b, STEP);
	assert_int_equal(b.g->n_awake, 3); /* all are new */
	step(&b, STEP);
	step(&b, STEP);
	assert_int_equal(b.g->n_awake, 0);
	signal_add(signal_of(b.w.worker->signals, 1, b.w.now)->sent, 5);
	step(&b, STEP);
	assert_int_equal(b.g->n_awake, 3); /* the whole group */
	assert_int_equal(b.g->at[1].r.sent, 5);
	assert_int_equal(b.g->at[0].r.sent, 0);
	step(&b, STEP);
	assert_int_equal(b.g->at[1].r.sent, 0);
	stop(&b);
}

static void differences_survive_overflow(void **state)
{
	struct bed b;
	struct signals *s;

	(void)state;
	start(&b, 1);
	s = signal_of(b.w.worker->signals, 0, b.w.now);
	s->sent = UINT32_MAX - 1;
	s->taken[0][3] = UINT16_MAX;
	step(&b, STEP);
	signal_add(s->sent, 4);
	signal_add(s->taken[0][3], 2);
	signal_of(b.w.worker->signals, 0, b.w.now);
	step(&b, STEP);
	assert_int_equal(b.g->at[0].r.sent, 4);
	assert_int_equal(b.g->at[0].r.taken[0][3], 2);
	stop(&b);
}

static void least_of_eight(void **state)
{
	struct delay_signal d = { 0 };

	(void)state;
	for (uint64_t i = 0; i < 24; i++)
		signal_delay(&d,
			     (5 + (i * 5) % 8) * 1000000 + (i / 8) * 1000000); /* 5..12 ms, 6..13, 7..14 */
	assert_int_equal(d.n, 24);
	assert_int_equal(d.lows, 3);
	assert_int_equal(d.low_sum_us, 5000 + 6000 + 7000);
	assert_int_equal(d.low_sq_us2, 25000000 + 36000000 + 49000000);
	signal_delay(&d, UINT64_MAX);
	assert_int_equal(d.least_us, DELAY_MOST_US);
}

static void clocks_that_jump_measure_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1);
	step(&b, STEP);
	assert_true(b.g->dt > 0.09 && b.g->dt < 0.11);
	step(&b, 0);
	assert_true(b.g->dt == 0);
	step(&b, 3600 * SECOND);
	assert_true(b.g->dt == 0);
	b.w.now -= 3600 * SECOND;
	step(&b, 0);
	assert_true(b.g->dt == 0);
	step(&b, STEP);
	assert_true(b.g->dt > 0.09);
	stop(&b);
}

static void a_new_name_in_a_slot_starts_anew(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2);
	signal_add(signal_of(b.w.worker->signals, 1, b.w.now)->sent, 5);
	step(&b, STEP);
	b.g->at[1].l.cap = 7;
	strcpy(b.w.name[1], "new");
	b.w.gateway[1].name = STR("new");
	world_build(&b.w);
	step(&b, STEP);
	assert_true(b.g->at[1].l.cap > 7);
	b.w.spec.n_gateways = 1;
	world_build(&b.w);
	step(&b, STEP);
	assert_true(b.g->n_awake <= 1);
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_gateways_are_skipped),
		cmocka_unit_test(differences_survive_overflow),
		cmocka_unit_test(least_of_eight),
		cmocka_unit_test(clocks_that_jump_measure_nothing),
		cmocka_unit_test(a_new_name_in_a_slot_starts_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
