/* SPDX-License-Identifier: BSD-3-Clause */
/* Retry-After: what refused callers are told, and what becomes of it when they do as they are told. */
#include "tests/lb/check.h"
#include "tests/lb/crowd.h"

#define CAPACITY 400.0 /* calls per second */

/* Two peers of phones that return as told; most: of Retry-After. */
static void start(struct crowd *c, uint32_t most, uint64_t seed)
{
	crowd_start(c, 2, 4, seed);
	for (uint16_t i = 0; i < 4; i++)
		lb_set_gateway_cps(c->w.words, i, 100);
	c->w.pool[0].retry_after_s = most;
	for (unsigned i = 0; i < 2; i++) {
		c->w.peer[i].when_full = LB_FULL_503_RETRY;
		c->caller[i].returns = true;
	}
	crowd_build(c);
}

static uint32_t told(const struct crowd *c)
{
	return c->w.words->pool[0].told;
}

/*
 * 12000 callers within two seconds at a pool that is half busy: they are let in one after the other as fast
 * as there is room, in a minute and a half, and never again do more come than there is room for.
 */
static void a_crowd_comes_once(void **state)
{
	uint64_t served = 0, busiest = 0;
	struct crowd c;

	(void)state;
	start(&c, 600, 21);
	c.caller[0].rate = CAPACITY / 2;
	crowd_run(&c, 20);
	crowd_flash(&c, 1, 12000, 2);
	crowd_run(&c, 5);
	served = c.caller[1].admitted;
	for (unsigned k = 0; k < 18; k++) {
		uint64_t came;

		crowd_count(&c);
		crowd_run(&c, 5);
		came = c.caller[0].asked + c.caller[1].asked;
		busiest = came > busiest ? came : busiest;
		served += c.caller[1].admitted;
	}
	assert_true((double)busiest < 1.25 * CAPACITY * 5);
	assert_true(served > 11000);
	crowd_stop(&c);
}

/* With three times what the pool takes for good, nothing helps but the most that may be told. */
static void more_than_will_ever_fit(void **state)
{
	struct crowd c;

	(void)state;
	start(&c, 30, 22);
	c.caller[0].rate = 3 * CAPACITY;
	crowd_run(&c, 30);
	assert_int_equal(told(&c), 15);
	crowd_count(&c);
	crowd_run(&c, 5);
	assert_int_equal(c.caller[0].most_told_s, 30); /* 15 to 30 */
	assert_in_range(c.caller[0].told_s / c.caller[0].refused, 21, 24);
	c.caller[0].rate = 0.1 * CAPACITY;
	crowd_run(&c, 120);
	assert_int_equal(told(&c), 0); /* all are back, and none was refused */
	crowd_stop(&c);
}

/* A few calls that came at once to a pool with room come again soon. */
static void a_pool_with_room(void **state)
{
	struct crowd c;

	(void)state;
	start(&c, 30, 23);
	c.caller[0].rate = CAPACITY / 2;
	crowd_run(&c, 30);
	for (unsigned k = 0; k < 20; k++) {
		crowd_flash(&c, 1, 60, 0.01);
		crowd_count(&c);
		crowd_run(&c, 5);
		assert_in_range(c.caller[1].most_told_s, 1, 10);
	}
	crowd_stop(&c);
}

/* Nobody is ever told 0 or more than the most, whatever that is, nor without a governor. */
static void never_zero(void **state)
{
	static const uint32_t most[] = { 1, 2, 3, 3600 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned governed = 0; governed < 2; governed++) {
			struct crowd c;

			start(&c, most[i], 24 + i);
			for (uint16_t g = 0; g < 4; g++)
				lb_set_gateway_cps(c.w.words, g, governed ? 0 : 1);
			if (!governed)
				c.g = NULL;
			c.caller[0].rate = 200;
			crowd_run(&c, 20);
			assert_true(c.caller[0].told_s >= c.caller[0].refused && c.caller[0].refused > 1000);
			assert_in_range(c.caller[0].most_told_s, 1, most[i]);
			crowd_stop(&c);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_crowd_comes_once),
		cmocka_unit_test(more_than_will_ever_fit),
		cmocka_unit_test(a_pool_with_room),
		cmocka_unit_test(never_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
