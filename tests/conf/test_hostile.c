/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Broken input and no memory: random changes to a good file and failing allocations never crash, leak or
 * give out half a config. Large files load in reasonable time.
 */
#include <errno.h>
#include <time.h>

#include "tests/conf/conf_test.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *text);

static long allocations_left = -1; /* of Weir's own code; negative: no limit */

static bool refuse(void)
{
	if (allocations_left < 0)
		return false;
	if (allocations_left == 0)
		return true;
	allocations_left--;
	return false;
}

void *__wrap_malloc(size_t n)
{
	return refuse() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return refuse() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *text)
{
	return refuse() ? NULL : __real_strdup(text);
}

static char *read_sample(size_t *n)
{
	FILE *in = fopen(SOURCE_ROOT "/conf/samples/carrier.yaml", "r");
	char *text = malloc(65536);

	assert_non_null(in);
	*n = fread(text, 1, 65536, in);
	fclose(in);
	return text;
}

/* Loads; with fail >= 0 the allocation after that many fails. Returns the load's result. */
static int load(const char *text, size_t n, long fail)
{
	struct conf *conf;
	struct conf_report report;
	int rc;

	allocations_left = fail;
	rc = conf_load_text("f", text, n, &conf, &report);
	allocations_left = -1;
	assert_int_equal(conf != NULL, rc == 0);
	assert_true(rc == 0 || rc == -EINVAL || rc == -ENOMEM);
	if (rc == -EINVAL)
		assert_true(report.n_errors > 0);
	conf_report_free(&report);
	conf_free(conf);
	return rc;
}

static void test_no_memory(void **state)
{
	size_t n;
	char *text = read_sample(&n);
	long fail = 0;

	while (load(text, n, fail) == -ENOMEM)
		assert_in_range(++fail, 1, 1000);
	assert_in_range(fail, 5, 1000);
	assert_int_equal(load(text, n, fail), 0);
	memcpy(strstr(text, "node: lb1"), "node: l b", 9);
	for (fail = 0; load(text, n, fail) == -ENOMEM; fail++)
		assert_in_range(fail, 0, 1000);
	assert_int_equal(load(text, n, fail), -EINVAL);
	free(text);
}

/* xorshift64*, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545F4914F6CDD1Dull;
}

/* One change: a byte, a deletion, a doubled piece, or a piece from elsewhere. */
static size_t mutate(char *text, size_t n, size_t room, uint64_t *seed)
{
	static const char bytes[] = "\0\n\t :-{}[],\"'#&*!|>%@`~?0123456789/x\xff\xc3";
	size_t at = next_random(seed) % n, from = next_random(seed) % n, length = 1 + next_random(seed) % 40;

	if (length > n - at)
		length = n - at;
	if (length > n - from)
		length = n - from;
	switch (next_random(seed) % 4) {
	case 0:
		text[at] = bytes[next_random(seed) % sizeof(bytes)];
		return n;
	case 1:
		memmove(text + at, text + at + length, n - at - length);
		return n - length > 0 ? n - length : n;
	case 2:
		if (n + length > room)
			return n;
		memmove(text + at + length, text + at, n - at);
		return n + length;
	default:
		memmove(text + at, text + from, length);
		return n;
	}
}

static void test_mutations(void **state)
{
	size_t n, room = 16384;
	char *sample = read_sample(&n), *text = malloc(room);
	uint64_t seed = 20240229;

	for (int i = 0; i < 4000; i++) {
		size_t m = n;

		memcpy(text, sample, n);
		for (uint64_t k = next_random(&seed) % 6; k < 6; k++)
			m = mutate(text, m, room, &seed);
		load(text, m, -1);
	}
	for (size_t m = 0; m <= n; m += 7) /* files cut short */
		load(sample, m, -1);
	free(text);
	free(sample);
}

/* As many gateways as fit, twice over in wrong ways: the checks must not be quadratic where it matters. */
static void test_many_gateways(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct timespec start, end;

	fputs(NET "routes: [ { pool: p } ]\npools:\n  p:\n    gateways:\n", out);
	for (unsigned int i = 0; i < LIMIT_GATEWAYS; i++)
		fprintf(out, "      gw%u: { address: 10.%u.%u.1:5060, max-cps: 10/s }\n", i, i / 256,
			i % 256);
	fclose(out);
	clock_gettime(CLOCK_MONOTONIC, &start);
	assert_int_equal(load(text, n, -1), 0);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_in_range(end.tv_sec - start.tv_sec, 0,
			20); /* well under one second without a memory checker */
	free(text);
}

/* A few lines that stand for millions of gateways: told, and soon. */
static void test_aliases(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct conf_report report;
	struct conf *conf;

	fputs(NET "routes: [ { pool: p0 } ]\npools:\n  p0:\n    gateways: &all\n", out);
	for (unsigned int i = 0; i < LIMIT_GATEWAYS; i++)
		fprintf(out, "      gw%u: { address: 10.%u.%u.1:5060 }\n", i, i / 256, i % 256);
	for (unsigned int i = 1; i < 300; i++)
		fprintf(out, "  p%u: { gateways: *all }\n", i);
	fclose(out);
	assert_int_equal(conf_load_text("f", text, n, &conf, &report), -EINVAL);
	assert_in_range(report.n, 1, 10);
	conf_report_free(&report);
	free(text);
}

/* What was meant by a wrong name takes a look at all names: the first hundred times, and not for every route.
 */
static void test_guesses(void **state)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	struct conf_report report;
	struct conf *conf;
	uint32_t guesses = 0;

	fputs(NET "pools: { east-gateways: { gateways: { g: { address: 192.0.2.21:5060 } } } }\nroutes:\n",
	      out);
	for (unsigned int i = 0; i < 300; i++)
		fprintf(out, "  - { match: { number: \"%u\" }, pool: east-gateway }\n", 1000 + i);
	fclose(out);
	assert_int_equal(conf_load_text("f", text, n, &conf, &report), -EINVAL);
	assert_int_equal(report.n_errors, 300);
	for (uint32_t i = 0; i < report.n; i++)
		guesses += strstr(report.messages[i].text, "did you mean \"east-gateways\"?") != NULL;
	assert_int_equal(guesses, 100);
	conf_report_free(&report);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_memory),     cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_many_gateways), cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_guesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
