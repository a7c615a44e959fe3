/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-1-3 against vectors of another implementation: CPython 3.11's hash() of bytes, whose key for
 * PYTHONHASHSEED=0 is zero and for other seeds comes from its documented LCG.
 */
#include "tests/lb/check.h"
#include "lb/base/hash.h"

static const struct {
	uint64_t k[2];
	const char *text;
	uint64_t hash;
} vectors[] = {
	{ { 0x0000000000000000, 0x0000000000000000 }, "a", 0x407448d2b89b1813 },
	{ { 0x0000000000000000, 0x0000000000000000 }, "ab", 0x555508cbc6add439 },
	{ { 0x0000000000000000, 0x0000000000000000 }, "abc", 0xc03bc3a0042630f2 },
	{ { 0x0000000000000000, 0x0000000000000000 }, "abcd", 0xe3d1d5fdd52aae89 },
	{ { 0x0000000000000000, 0x0000000000000000 }, "abcdefg", 0x6db12aae9070f506 },
	{ { 0x0000000000000000, 0x0000000000000000 }, "abcdefgh", 0x3f7b849c0b8e35ea },
	{ { 0x0000000000000000, 0x0000000000000000 }, "abcdefghi", 0xf89b34a3d11eb6e5 },
	{ { 0x0000000000000000, 0x0000000000000000 }, "z9hG4bK776asdhds", 0x539004977bff3040 },
	{ { 0x0000000000000000, 0x0000000000000000 },
	  "a84b4c76e66710@pc33.atlanta.example.com",
	  0xe249b5027b55af40 },
	{ { 0xaed66ce184be2329, 0xebe9bbf1f1499052 }, "a", 0xd6300bc9f7cc0e73 },
	{ { 0xaed66ce184be2329, 0xebe9bbf1f1499052 }, "ab", 0xb8561ee67cd5b166 },
	{ { 0xaed66ce184be2329, 0xebe9bbf1f1499052 }, "abc", 0xbf3a636edf177675 },
	{ { 0xaed66ce184be2329, 0xebe9bbf1f1499052 }, "abcd", 0xf840209c1638e72d },
	{ { 0xaed66ce184be2329, 0xebe9bbf1f1499052 }, "abcdefg", 0x2cc75771f0205010 },
	{ { 0xaed66ce184be2329, 0xebe9bbf1f1499052 }, "abcdefgh", 0xfd3011ff3947e7f4 },
	{ { 0x41f6394f25dd9b43, 0xc64ae48da2032d08 }, "abcdefghi", 0xe1a59fd464542c6d },
	{ { 0x41f6394f25dd9b43, 0xc64ae48da2032d08 }, "z9hG4bK776asdhds", 0x0c3d823d8585c438 },
	{ { 0x41f6394f25dd9b43, 0xc64ae48da2032d08 },
	  "a84b4c76e66710@pc33.atlanta.example.com",
	  0xb4ecca056315be38 },
	{ { 0x41f6394f25dd9b43, 0xc64ae48da2032d08 },
	  "3848276298220188511@biloxi.example.com;0123456789abcdef0123456789abcdef",
	  0x679dde766c0c3805 },
};

static void vectors_agree(void **state)
{
	for (unsigned i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct lb_key key = { .k = { vectors[i].k[0], vectors[i].k[1] } };

		assert_int_equal(lb_hash(&key, vectors[i].text, strlen(vectors[i].text)), vectors[i].hash);
	}
}

static void forms_agree(void **state)
{
	struct lb_key key = { .k = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 } };
	uint8_t bytes[72];
	uint64_t words[9];

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = i * 37 + 1;
	memcpy(words, bytes, sizeof(words));
	for (unsigned n = 0; n <= 9; n++)
		assert_int_equal(hash_words(&key, words, n), lb_hash(&key, bytes, n * 8));
	for (unsigned n = 8; n <= sizeof(bytes); n++)
		assert_int_equal(lb_hash_more(&key, words[0], bytes + 8, n - 8), lb_hash(&key, bytes, n));
}

/* Every length reads exactly its bytes: under a sanitizer or memcheck, reading more fails. */
static void reads_only_its_bytes(void **state)
{
	struct lb_key key = { .k = { 1, 2 } };
	uint64_t seen[65];

	for (unsigned n = 0; n <= 64; n++) {
		uint8_t *exact = test_malloc(n ? n : 1);

		memset(exact, 0x5a, n);
		seen[n] = lb_hash(&key, exact, n);
		for (unsigned i = 0; i < n; i++)
			assert_int_not_equal(seen[i], seen[n]);
		test_free(exact);
	}
}

static void gateway_ids(void **state)
{
	assert_int_equal(lb_gateway_id(STR("abc")), 0x042630f2); /* low half of the vector with key 0 */
	assert_int_not_equal(lb_gateway_id(STR("gw1")), lb_gateway_id(STR("gw2")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_agree),
		cmocka_unit_test(forms_agree),
		cmocka_unit_test(reads_only_its_bytes),
		cmocka_unit_test(gateway_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
