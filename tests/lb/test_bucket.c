/* SPDX-License-Identifier: BSD-3-Clause */
/* max-cps is exact: in every window of every run at most r t + b admissions, b = max(1, 50 ms r). */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include "tests/lb/check.h"
#include "lb/base/bucket.h"

#define MANY 60000

/* Checks all windows that begin and end at an admission: the only ones that can be worst. */
static void check_windows(const uint64_t *at, unsigned n, double r)
{
	double b = fmax(1, 0.05 * r), credit = b;

	/* A leaky bucket of depth b, drained at r, never overflows if and only if no window admits more. */
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			credit = fmin(b, credit + r * (double)(at[i] - at[i - 1]) * 1e-9);
		credit -= 1;
		assert_true(credit > -1e-6);
	}
}

static void exact_in_any_window(void **state)
{
	static const uint32_t rates[] = { 1, 3, 10, 19, 20, 21, 100, 333, 1000, 7777, 100000 };
	uint64_t *at = test_malloc(MANY * sizeof(*at));
	uint64_t random = 7;

	for (unsigned k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
		for (unsigned pattern = 0; pattern < 4; pattern++) {
			struct bucket b = { 0 };
			uint64_t now = 12345, mean = SECOND / rates[k] / 3 + 1;
			unsigned n = 0;

			bucket_set(&b, rates[k]);
			for (unsigned i = 0; i < MANY; i++) {
				uint64_t r = next_random(&random);

				if (pattern == 0)
					now += r % (2 * mean); /* about three times the rate */
				else if (pattern == 1)
					now += r % 64 ? 0 : 200 * mean; /* bursts at one instant */
				else if (pattern == 2)
					now += mean / 100 + 1; /* flood */
				else
					now += r % 1000 ? r % mean : SECOND; /* pauses */
				if (bucket_take(&b, now))
					at[n++] = now;
			}
			check_windows(at, n, rates[k]);
			if (pattern == 2) { /* nothing is given away either */
				double t = (double)(now - 12345) * 1e-9;

				assert_true(n >= (1 - 1e-4) * rates[k] * t - 1);
			}
		}
	}
	test_free(at);
}

static void burst_is_b(void **state)
{
	static const struct {
		uint32_t rate;
		unsigned burst;
	} cases[] = {
		{ 1, 1 }, { 19, 1 }, { 20, 1 }, { 40, 2 }, { 100, 5 }, { 1000, 50 }, { 1000000, 50000 }
	};

	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		struct bucket b = { 0 };
		unsigned n = 0;

		bucket_set(&b, cases[k].rate);
		while (bucket_take(&b, SECOND))
			n++;
		assert_int_equal(n, cases[k].burst);
		assert_false(bucket_open(&b, SECOND));
		assert_true(bucket_open(&b, 2 * SECOND));
	}
}

static void limits_at_the_ends(void **state)
{
	struct bucket b = { 0 };

	for (unsigned i = 0; i < 1000; i++)
		assert_true(bucket_take(&b, 5));
	bucket_set(&b, 0);
	assert_false(bucket_take(&b, 5));
	assert_false(bucket_open(&b, 5));
	bucket_set(&b, LB_UNLIMITED);
	assert_true(bucket_take(&b, 5));
	assert_true(bucket_open(&b, 5));
}

/* Several threads, each with its own reading of the clock, on one bucket. */
#define THREADS 4
#define RATE    50000

struct hammer {
	struct bucket *bucket;
	uint64_t *at;
	unsigned n;
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + t.tv_nsec;
}

static void *hammer(void *arg)
{
	struct hammer *h = arg;
	uint64_t start = clock_ns(), now;

	while ((now = clock_ns()) < start + SECOND / 5 && h->n < MANY) {
		if (bucket_take(h->bucket, now))
			h->at[h->n++] = now;
	}
	return NULL;
}

static int by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void exact_under_threads(void **state)
{
	struct bucket b = { 0 };
	struct hammer h[THREADS] = { { 0 } };
	pthread_t thread[THREADS];
	uint64_t *all = test_malloc(THREADS * MANY * sizeof(*all));
	unsigned n = 0;

	bucket_set(&b, RATE);
	for (unsigned i = 0; i < THREADS; i++) {
		h[i] = (struct hammer){ .bucket = &b, .at = test_malloc(MANY * sizeof(*all)) };
		assert_int_equal(pthread_create(&thread[i], NULL, hammer, &h[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		memcpy(all + n, h[i].at, h[i].n * sizeof(*all));
		n += h[i].n;
		test_free(h[i].at);
	}
	qsort(all, n, sizeof(*all), by_time);
	assert_true(n > RATE / 10);
	check_windows(all, n, RATE);
	test_free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exact_in_any_window),
		cmocka_unit_test(burst_is_b),
		cmocka_unit_test(limits_at_the_ends),
		cmocka_unit_test(exact_under_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
