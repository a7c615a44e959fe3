/* SPDX-License-Identifier: BSD-3-Clause */
/* Base32 against RFC 4648 section 10 and Python's base64, and against a plain reading of the alphabet. */
#include <ctype.h>
#include "tests/lb/check.h"
#include "lb/base/base32.h"

#define ROOM 64

/* Bytes as groups, in their order, and back. */
static void to_groups(uint64_t *group, const uint8_t *bytes, unsigned n)
{
	memset(group, 0, ROOM / 5 * sizeof(*group));
	for (unsigned i = 0; i < n; i++)
		group[i / 5] |= (uint64_t)bytes[i] << (32 - 8 * (i % 5));
}

static void to_bytes(uint8_t *bytes, const uint64_t *group, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		bytes[i] = group[i / 5] >> (32 - 8 * (i % 5));
}

static unsigned write_bytes(char *out, const uint8_t *bytes, unsigned n)
{
	uint64_t group[ROOM / 5];

	to_groups(group, bytes, n);
	return base32_write(out, group, 8 * n);
}

static bool read_bytes(uint8_t *bytes, unsigned n, struct str text)
{
	uint64_t group[ROOM / 5];

	if (!base32_read(group, 8 * n, text))
		return false;
	to_bytes(bytes, group, n);
	return true;
}

static const struct {
	const char *bytes, *text;
} vectors[] = {
	{ "f", "my" },
	{ "fo", "mzxq" },
	{ "foo", "mzxw6" },
	{ "foob", "mzxw6yq" },
	{ "fooba", "mzxw6ytb" },
	{ "foobar", "mzxw6ytboi" },
	{ "\xfa\xfb\xfc\xfd\xfe\xff", "7l57z7p674" },
};

static void vectors_agree(void **state)
{
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		uint8_t in[ROOM] = { 0 }, back[ROOM];
		unsigned n = strlen(vectors[i].bytes);
		char out[ROOM];

		memcpy(in, vectors[i].bytes, n);
		assert_int_equal(write_bytes(out, in, n), strlen(vectors[i].text));
		assert_memory_equal(out, vectors[i].text, strlen(vectors[i].text));
		assert_true(read_bytes(back, n, text_of(out, BASE32_CHARS(8 * n))));
		assert_memory_equal(back, in, n);
	}
}

static void round_trips(void **state)
{
	uint64_t random = 1;

	for (unsigned round = 0; round < 20000; round++) {
		unsigned n = 1 + round % 40;
		uint8_t in[ROOM] = { 0 }, back[ROOM];
		char out[ROOM * 2];

		for (unsigned i = 0; i < n; i++)
			in[i] = next_random(&random) >> 56;
		write_bytes(out, in, n);
		assert_true(read_bytes(back, n, text_of(out, BASE32_CHARS(8 * n))));
		assert_memory_equal(back, in, n);
		for (unsigned i = 0; i < BASE32_CHARS(8 * n); i++)
			out[i] = toupper(out[i]);
		assert_true(read_bytes(back, n, text_of(out, BASE32_CHARS(8 * n))));
		assert_memory_equal(back, in, n);
	}
}

/* Every byte at every place: accepted if and only if the alphabet has it, with the value it has there. */
static void alphabet_is_exact(void **state)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";

	for (unsigned place = 0; place < 8; place++) {
		for (unsigned c = 0; c < 256; c++) {
			char text[8] = "aaaaaaaa";
			const char *found = c ? strchr(alphabet, tolower(c)) : NULL;
			uint64_t value = 0;
			uint8_t out[5];

			text[place] = c;
			assert_int_equal(read_bytes(out, 5, text_of(text, 8)), found != NULL);
			if (!found)
				continue;
			for (unsigned i = 0; i < 5; i++)
				value = value << 8 | out[i];
			assert_int_equal(value, (uint64_t)(found - alphabet) << (35 - 5 * place));
		}
	}
}

/* The bits of the last character that carry nothing must be zero, so that no two texts mean the same. */
static void one_text_per_meaning(void **state)
{
	uint8_t out[10];

	assert_true(read_bytes(out, 1, STR("ae")));
	assert_false(read_bytes(out, 1, STR("af")));
	assert_false(read_bytes(out, 1, STR("a")));
	assert_false(read_bytes(out, 1, STR("aea")));
	assert_true(read_bytes(out, 6, STR("aaaaaaaaae")));
	assert_false(read_bytes(out, 6, STR("aaaaaaaaab")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_agree),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(alphabet_is_exact),
		cmocka_unit_test(one_text_per_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
