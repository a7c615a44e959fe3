/* SPDX-License-Identifier: BSD-3-Clause */
/* The fuzz target without libFuzzer: the corpus, and the same few thousand damages of it on every run. */
#include "tests/sip/fuzz_sip.h"
#include "tests/sip/support.h"

#define ROUNDS 64 /* damaged copies of each message */

static uint32_t random_next(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*state >> 33);
}

static void corpus(void **state)
{
	struct file *files = files_load();

	for (struct file *f = files; f->bytes; f++)
		LLVMFuzzerTestOneInput((const uint8_t *)f->bytes, f->n);
	files_free(files);
}

/* Bytes overwritten with what means something in SIP, and stretches taken out or doubled. */
static void damaged(void **state)
{
	static const char odd[] = "\r\n\t \":;,<>@=?[]\\\0/SIPv";
	struct file *files = files_load();
	static uint8_t bytes[16384];
	uint64_t seed = 1;

	for (struct file *f = files; f->bytes; f++) {
		for (unsigned round = 0; round < ROUNDS; round++) {
			uint32_t n = f->n, from, len;

			memcpy(bytes, f->bytes, n);
			for (unsigned k = random_next(&seed) % 6; k > 0; k--)
				bytes[random_next(&seed) % n] =
					(uint8_t)odd[random_next(&seed) % sizeof(odd)];
			from = random_next(&seed) % n;
			len = random_next(&seed) % (n - from);
			if (round % 3 == 0) {
				memmove(bytes + from, bytes + from + len, n - from - len);
				n -= len;
			} else if (round % 3 == 1) {
				memmove(bytes + from + len, bytes + from, n - from);
				n += len;
			}
			LLVMFuzzerTestOneInput(bytes, n);
		}
	}
	files_free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus),
		cmocka_unit_test(damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
