/* SPDX-License-Identifier: BSD-3-Clause */
/* Pin table. */
#include <stdlib.h>
#include "tests/lb/check.h"
#include "lb/choose/pin.h"

#define LIFE (32 * SECOND)
#define TICK (UINT64_C(1) << 26) /* of expiry */

static struct pins make(uint32_t pins)
{
	uint32_t n = pin_buckets(pins);
	struct pins p = { .bucket = aligned_alloc(64, n * sizeof(struct pin_bucket)), .mask = n - 1 };

	memset(p.bucket, 0, n * sizeof(struct pin_bucket));
	return p;
}

static void found_until_it_ends(void **state)
{
	struct pins p = make(64);
	struct pin_key key = pin_key(1, 2);
	uint64_t now = 5 * SECOND;
	struct pin pin = pin_find(&p, key, 3, now);

	assert_null(pin.b);
	assert_false(pin_add(&p, key, 3, pin, 40, now, LIFE, 0));
	pin = pin_find(&p, key, 3, now + LIFE - 1);
	assert_non_null(pin.b);
	assert_true(pin.same);
	assert_int_equal(pin.b->gateway[pin.i], 40);
	assert_in_range(pin_age(pin, now + 1500000), 1498000, 1502000);
	assert_null(pin_find(&p, key, 3, now + LIFE + 2 * TICK).b);
	assert_null(pin_find(&p, pin_key(1, 3), 3, now).b);
	assert_null(pin_find(&p, pin_key(2, 2), 3, now).b);
	pin_extend(pin, now + LIFE, LIFE);
	assert_non_null(pin_find(&p, key, 3, now + LIFE + LIFE / 2).b);
	free(p.bucket);
}

/* Branches of one Call-ID and From tag, as from a proxy that forks, are kept apart. */
static void branches_live_side_by_side(void **state)
{
	struct pins p = make(64);
	struct pin_key key = pin_key(1, 2);
	uint64_t now = SECOND;

	for (uint64_t branch = 10; branch < 14; branch++)
		pin_add(&p, key, branch, pin_find(&p, key, branch, now), branch, now, LIFE, 0);
	for (uint64_t branch = 10; branch < 14; branch++) {
		struct pin pin = pin_find(&p, key, branch, now);

		assert_true(pin.same);
		assert_int_equal(pin.b->gateway[pin.i], branch);
	}
	assert_false(pin_find(&p, key, 99, now).same);
	assert_non_null(pin_find(&p, key, 99, now).b);
	free(p.bucket);
}

/* A call repeated with credentials takes the place of the refused one. */
static void a_finished_pin_is_reused(void **state)
{
	struct pins p = make(2);
	struct pin_key key = pin_key(1, 2);

	for (uint64_t branch = 1; branch < 100; branch++) {
		struct pin old = pin_find(&p, key, branch, SECOND), pin;

		assert_false(pin_add(&p, key, branch, old, 1, SECOND, LIFE, 0));
		pin = pin_find(&p, key, branch, SECOND);
		assert_true(pin.same);
		pin.b->flags[pin.i] |= PIN_FINAL;
	}
	free(p.bucket);
}

static void room_for_what_was_asked(void **state)
{
	const uint32_t n = 100000;
	struct pins p = make(n);
	uint64_t random = 9, lost = 0, missing = 0, now;
	uint64_t *call = test_malloc(n * sizeof(*call));

	for (uint32_t i = 0; i < n; i++) {
		struct pin_key key;

		call[i] = next_random(&random);
		key = pin_key(call[i], i);
		lost += pin_add(&p, key, i, pin_find(&p, key, i, SECOND), i % 100, SECOND, LIFE, 0);
	}
	for (uint32_t i = 0; i < n; i++)
		missing += !pin_find(&p, pin_key(call[i], i), i, SECOND).same;
	assert_true(lost < n / 1000);
	assert_true(missing <= lost);
	lost = 0;
	now = 100 * SECOND; /* all have ended: their places are free without a sweep */
	for (uint32_t i = 0; i < n; i++) {
		struct pin_key key = pin_key(call[i] ^ 1, i);

		lost += pin_add(&p, key, i, pin_find(&p, key, i, now), 1, now, LIFE, 0);
	}
	assert_true(lost < n / 1000);
	test_free(call);
	free(p.bucket);
}

/* Owners are drawn from the same hash: the pins of one of 64 workers still spread over its whole table. */
static void one_owners_calls_spread(void **state)
{
	const uint32_t n = 50000;
	uint64_t random = 11, lost_low = 0, lost_high = 0;
	struct pins low = make(n), high = make(n);

	for (uint32_t i = 0; i < n; i++) {
		uint64_t h = next_random(&random);
		struct pin_key key = pin_key(h & ~UINT64_C(63), i);

		lost_low += pin_add(&low, key, i, pin_find(&low, key, i, SECOND), 1, SECOND, LIFE, 0);
		key = pin_key(h >> 6, i);
		lost_high += pin_add(&high, key, i, pin_find(&high, key, i, SECOND), 1, SECOND, LIFE, 0);
	}
	assert_true(lost_low < n / 1000);
	assert_true(lost_high < n / 1000);
	free(low.bucket);
	free(high.bucket);
}

static void a_full_table_loses_the_oldest(void **state)
{
	struct pins p = make(1);
	unsigned lost = 0;

	for (uint64_t i = 0; i < 20; i++)
		lost += pin_add(&p, pin_key(i, i), i, (struct pin){ 0 }, i, SECOND + i * TICK, LIFE, 0);
	assert_int_equal(lost, 17);
	for (uint64_t i = 17; i < 20; i++)
		assert_true(pin_find(&p, pin_key(i, i), i, SECOND + 20 * TICK).same);
	free(p.bucket);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(found_until_it_ends),      cmocka_unit_test(branches_live_side_by_side),
		cmocka_unit_test(a_finished_pin_is_reused), cmocka_unit_test(room_for_what_was_asked),
		cmocka_unit_test(one_owners_calls_spread),  cmocka_unit_test(a_full_table_loses_the_oldest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
