/* SPDX-License-Identifier: BSD-3-Clause */
/* Timing wheel, against a plain list of deadlines. */
#include <stdlib.h>
#include "tests/lb/check.h"
#include "lb/base/wheel.h"

#define MS    UINT64_C(1000000)
#define HOUR  (3600 * SECOND)
#define DAY   (86400 * SECOND)
#define START (UINT64_C(4294960000) * MS) /* seven seconds before the tick's low half wraps */

static struct wheel make(uint32_t n, uint64_t now)
{
	struct wheel w;

	wheel_init(&w, malloc(wheel_size(n)), n, now);
	return w;
}

static uint32_t expired(struct wheel *w, uint64_t now)
{
	uint32_t i = wheel_expired(w, now);

	while (i == WHEEL_NONE && w->lower != WHEEL_NONE) /* not done with moving */
		i = wheel_expired(w, now);
	return i;
}

static uint64_t tick_of(uint64_t at)
{
	return (at + MS - 1) / MS;
}

static void fires_once_and_never_early(void **state)
{
	const uint64_t far[] = { 0,        1,          MS,         MS + 1, 255 * MS,    256 * MS,
				 257 * MS, 65535 * MS, 65536 * MS, HOUR,   5 * DAY + 1, 20 * DAY };

	for (unsigned i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		uint64_t at = START + 12345 + far[i], due = tick_of(at) * MS;
		struct wheel w = make(1, START);

		assert_false(wheel_armed(&w, 0));
		wheel_arm(&w, 0, at);
		assert_true(wheel_armed(&w, 0));
		assert_int_equal(expired(&w, due - 1), WHEEL_NONE);
		assert_int_equal(expired(&w, due), 0);
		assert_false(wheel_armed(&w, 0));
		assert_int_equal(expired(&w, due + 30 * DAY), WHEEL_NONE);
		free(w.node);
	}
}

static void the_past_fires_at_once(void **state)
{
	struct wheel w = make(2, START);

	assert_int_equal(expired(&w, START + 9 * SECOND), WHEEL_NONE);
	wheel_arm(&w, 0, START);
	wheel_arm(&w, 1, START + 9 * SECOND);
	assert_int_equal(expired(&w, START + 9 * SECOND), 0);
	assert_int_equal(expired(&w, START + 8 * SECOND), 1); /* a clock that steps back does no harm */
	free(w.node);
}

static void too_far_wakes_in_24_days(void **state)
{
	struct wheel w = make(1, START);

	wheel_arm(&w, 0, UINT64_MAX);
	assert_int_equal(expired(&w, START + 24 * DAY), WHEEL_NONE);
	assert_int_equal(expired(&w, START + 25 * DAY), 0);
	free(w.node);
}

static void cancelled_and_moved(void **state)
{
	struct wheel w = make(3, START);

	for (uint32_t i = 0; i < 3; i++)
		wheel_arm(&w, i, START + 5 * MS);
	wheel_cancel(&w, 1);
	wheel_cancel(&w, 1);
	wheel_arm(&w, 0, START + 300 * MS);
	assert_int_equal(expired(&w, START + 5 * MS), 2);
	assert_int_equal(expired(&w, START + 299 * MS), WHEEL_NONE);
	assert_int_equal(expired(&w, START + 300 * MS), 0);
	assert_int_equal(expired(&w, START + DAY), WHEEL_NONE);
	free(w.node);
}

static void only_sooner(void **state)
{
	struct wheel w = make(1, START);

	wheel_sooner(&w, 0, START + 50 * MS);
	wheel_sooner(&w, 0, START + 60 * MS);
	assert_int_equal(expired(&w, START + 49 * MS), WHEEL_NONE);
	wheel_sooner(&w, 0, START);
	assert_int_equal(expired(&w, START + 49 * MS), 0);
	wheel_sooner(&w, 0, START + 60 * MS);
	assert_int_equal(expired(&w, START + 59 * MS), WHEEL_NONE);
	assert_int_equal(expired(&w, START + 60 * MS), 0);
	free(w.node);
}

/* One call does a bounded piece of work, also when everything waits in one far slot. */
static void a_call_is_bounded(void **state)
{
	const uint32_t n = 100 * WHEEL_MOVES;
	struct wheel w = make(n, START);
	uint32_t calls = 0, fired = 0;

	for (uint32_t i = 0; i < n; i++)
		wheel_arm(&w, i, START + DAY + i);
	while (fired < n) {
		fired += wheel_expired(&w, START + 2 * DAY) != WHEEL_NONE;
		calls++;
	}
	assert_in_range(calls, n + 100, n + 400);
	free(w.node);
}

/* What should happen: deadlines in a plain array, 0: not armed. */
struct model {
	struct wheel w;
	uint64_t *tick;
	uint32_t n, armed;
	uint64_t random, now;
};

static uint64_t draw(struct model *m, uint64_t below)
{
	return next_random(&m->random) % below;
}

/* Times of all orders of magnitude: a few ms up to two days. */
static uint64_t some_time(struct model *m)
{
	return draw(m, UINT64_C(1) << (18 + draw(m, 30)));
}

static void change(struct model *m)
{
	uint32_t i = draw(m, m->n);

	m->armed -= m->tick[i] != 0;
	if (draw(m, 4) == 0) {
		wheel_cancel(&m->w, i);
		m->tick[i] = 0;
	} else {
		uint64_t at = m->now + some_time(m);

		wheel_arm(&m->w, i, at);
		m->tick[i] = tick_of(at);
		m->armed++;
	}
	assert_int_equal(wheel_armed(&m->w, i), m->tick[i] != 0);
}

/* Everything due fires in order, nothing else does. */
static void pass(struct model *m)
{
	uint64_t before = 0;
	uint32_t i;

	while ((i = expired(&m->w, m->now)) != WHEEL_NONE) {
		assert_in_range(m->tick[i], before, m->now / MS);
		before = m->tick[i];
		m->tick[i] = 0;
		m->armed--;
	}
	for (i = 0; i < m->n; i++)
		assert_true(m->tick[i] == 0 || m->tick[i] > m->now / MS);
}

static void as_a_plain_list(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct model m = { .n = 200, .random = seed, .now = START };

		m.w = make(m.n, m.now);
		m.tick = calloc(m.n, sizeof(*m.tick));
		for (unsigned turn = 0; turn < 3000; turn++) {
			for (uint64_t i = draw(&m, 20); i > 0; i--)
				change(&m);
			m.now += draw(&m, 3) ? draw(&m, 3 * MS) : some_time(&m);
			pass(&m);
		}
		m.now += 3 * DAY;
		pass(&m);
		assert_int_equal(m.armed, 0);
		free(m.tick);
		free(m.w.node);
	}
}

static void a_million(void **state)
{
	const uint32_t n = 1000000;
	struct wheel w = make(n, START);
	uint64_t random = 5;
	uint32_t fired = 0;

	for (unsigned round = 0; round < 2; round++) {
		for (uint32_t i = 0; i < n; i++)
			wheel_arm(&w, i, START + next_random(&random) % (4 * HOUR));
	}
	for (uint64_t now = START; now <= START + 4 * HOUR; now += 60 * SECOND) {
		while (expired(&w, now) != WHEEL_NONE)
			fired++;
	}
	assert_int_equal(fired, n);
	free(w.node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fires_once_and_never_early),
		cmocka_unit_test(the_past_fires_at_once),
		cmocka_unit_test(too_far_wakes_in_24_days),
		cmocka_unit_test(cancelled_and_moved),
		cmocka_unit_test(only_sooner),
		cmocka_unit_test(a_call_is_bounded),
		cmocka_unit_test(as_a_plain_list),
		cmocka_unit_test(a_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
