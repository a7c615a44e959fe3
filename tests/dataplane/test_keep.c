/* SPDX-License-Identifier: BSD-3-Clause */
/* Kept messages against a plain model: what is kept is there as it was, and every chunk is found again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dataplane/keep.h"

#define HANDLES 24
#define CHUNKS  20
#define FIRST   (KEEP_CHUNK - sizeof(struct kept)) /* bytes that fit in one chunk */

static struct {
	bool there;
	struct kept what;
	char bytes[5 * KEEP_CHUNK];
} model[HANDLES];

static uint32_t chunks_of(uint32_t n)
{
	return n <= FIRST ? 1 : 1 + (n - (uint32_t)FIRST + KEEP_CHUNK - 1) / KEEP_CHUNK;
}

static void check(struct keep *k)
{
	uint32_t used = 0;

	for (uint32_t h = 0; h < HANDLES; h++) {
		struct kept what;
		const char *bytes = keep_get(k, h, &what);

		assert_int_equal(bytes != NULL, model[h].there);
		if (!bytes)
			continue;
		assert_memory_equal(&what, &model[h].what, sizeof(what));
		assert_memory_equal(bytes, model[h].bytes, what.n);
		used += chunks_of(what.n);
	}
	assert_int_equal(keep_free(k), CHUNKS - used);
	for (uint32_t n = 1; n < CHUNKS; n++)
		assert_int_equal(keep_room(k, (uint32_t)FIRST + (n - 1) * KEEP_CHUNK), n <= CHUNKS - used);
}

/* True if it was kept; if not, all is as it was. */
static bool put(struct keep *k, uint32_t h, uint32_t n)
{
	uint32_t room = keep_free(k) + (model[h].there ? chunks_of(model[h].what.n) : 0);
	static char bytes[sizeof(model[h].bytes)];
	struct kept what;

	memset(&what, 0, sizeof(what));
	what.n = (uint16_t)n;
	what.call_hash = (uint64_t)rand();
	for (uint32_t i = 0; i < n; i++)
		bytes[i] = (char)rand();
	assert_int_equal(keep_put(k, h, &what, bytes), chunks_of(n) <= room);
	if (chunks_of(n) > room)
		return false;
	model[h].there = true;
	model[h].what = what;
	memcpy(model[h].bytes, bytes, n);
	return true;
}

static void drop(struct keep *k, uint32_t h)
{
	keep_drop(k, h);
	model[h].there = false;
}

static void stick(struct keep *k, uint32_t h)
{
	keep_stick(k, h);
	model[h].what.stuck = model[h].there;
}

static struct keep *start(void)
{
	void *mem = aligned_alloc(64, (keep_size(HANDLES, CHUNKS) + 63) / 64 * 64);

	memset(model, 0, sizeof(model));
	assert_non_null(mem);
	srand(1);
	return keep_init(mem, HANDLES, CHUNKS);
}

/* One chunk from full, full, and past it: nobody else's message suffers, and what is let go of is room again.
 */
static void one_from_full_and_past_it(void **state)
{
	struct keep *k = start();

	(void)state;
	for (uint32_t h = 0; h < CHUNKS - 1; h++)
		assert_true(put(k, h, (uint32_t)FIRST));
	check(k);
	assert_false(put(k, 20, (uint32_t)FIRST + 1));
	check(k);
	assert_true(put(k, 20, 1));
	assert_false(put(k, 21, 1));
	check(k);
	assert_false(put(k, 3, (uint32_t)FIRST + 1)); /* in place of one that was shorter */
	check(k);
	drop(k, 3);
	assert_true(put(k, 22, 700));
	drop(k, 22);
	drop(k, 22);
	drop(k, 0);
	assert_true(put(k, 1, (uint32_t)FIRST + KEEP_CHUNK));
	check(k);
	free(k);
}

static void any_history(void **state)
{
	static const uint32_t edges[] = { 1,         FIRST - 1,          FIRST,
					  FIRST + 1, FIRST + KEEP_CHUNK, FIRST + KEEP_CHUNK + 1 };
	struct keep *k = start();

	(void)state;
	for (unsigned turn = 0; turn < 4000; turn++) {
		uint32_t h = (uint32_t)rand() % HANDLES;

		if (rand() % 3 == 0)
			drop(k, h);
		else if (rand() % 8 == 0)
			stick(k, h);
		else
			put(k, h, rand() % 2 ? edges[rand() % 6] : 1 + (uint32_t)rand() % (4 * KEEP_CHUNK));
		if (turn % 8 == 0)
			check(k);
	}
	for (uint32_t h = 0; h < HANDLES; h++)
		drop(k, h);
	check(k);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_from_full_and_past_it),
		cmocka_unit_test(any_history),
	};

	return cmocka_run_group_tests_name("keep", tests, NULL, NULL);
}
