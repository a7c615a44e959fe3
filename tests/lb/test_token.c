/* SPDX-License-Identifier: BSD-3-Clause */
/* Tokens, branches and tags: what we wrote is read back, and nothing else is believed. */
#include <ctype.h>
#include <stdlib.h>
#include "tests/lb/check.h"
#include "lb/token.h"

#define CALL 0x1122334455667788u

static const struct keys keys = { { { 11, 12 }, 1 }, { { 21, 22 }, 2 } };
static const struct keys rotated = { { { 31, 32 }, 3 }, { { 11, 12 }, 1 } };
static const struct keys retired = { { { 41, 42 }, 4 }, { { 31, 32 }, 3 } };
static const struct keys forged = { { { 11, 13 }, 1 }, { { 11, 13 }, 1 } };

static struct token a_token(bool v6)
{
	struct token t = { .gateway = 0xdeadbeef, .caller = 0x01020304, .node = 300, .listener = 63 };

	t.flow = v6 ? addr_v6("\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 5061)
		    : world_ip4("203.0.113.7", 40000);
	return t;
}

static struct branch a_branch(void)
{
	return (struct branch){ .kind = BRANCH_PINNED,
				.listener = 2,
				.gateway = 0xdeadbeef,
				.loop = 77,
				.identity = 0x0123456789abcdef };
}

static void token_round_trip(void **state)
{
	for (int v6 = 0; v6 < 2; v6++) {
		struct token t = a_token(v6), back;
		char out[LIMIT_TOKEN];
		unsigned n = token_write(&keys, &t, CALL, out);

		assert_int_equal(n, v6 ? 61 : 42);
		assert_true(token_read(&keys, text_of(out, n), CALL, &back));
		assert_int_equal(back.gateway, t.gateway);
		assert_int_equal(back.caller, t.caller);
		assert_int_equal(back.node, t.node);
		assert_int_equal(back.listener, t.listener);
		assert_true(addr_eq(&back.flow, &t.flow));
		assert_true(token_read(&rotated, text_of(out, n), CALL, &back));
		assert_false(token_read(&retired, text_of(out, n), CALL, &back));
		assert_false(token_read(&forged, text_of(out, n), CALL, &back));
		assert_false(token_read(&keys, text_of(out, n), CALL ^ 1, &back));
		for (unsigned i = 0; i < n; i++)
			out[i] = toupper(out[i]);
		assert_true(token_read(&keys, text_of(out, n), CALL, &back));
		assert_true(addr_eq(&back.flow, &t.flow));
	}
}

/* Reads text with its one character at i replaced by all others, in a buffer of exactly its size. */
static unsigned believed_mutants(struct str text, bool (*believed)(struct str))
{
	char *copy = test_malloc(text.n);
	unsigned n = 0;

	memcpy(copy, text.p, text.n);
	for (unsigned i = 0; i < text.n; i++) {
		for (unsigned c = 0; c < 256; c++) {
			copy[i] = c;
			if (tolower(c) != tolower((unsigned char)text.p[i]))
				n += believed(text_of(copy, text.n));
		}
		copy[i] = text.p[i];
	}
	test_free(copy);
	for (unsigned len = 0; len < text.n; len++) {
		copy = test_malloc(len ? len : 1);
		memcpy(copy, text.p, len);
		n += believed(text_of(copy, len));
		test_free(copy);
	}
	return n;
}

static bool token_believed(struct str text)
{
	struct token t;

	return token_read(&keys, text, CALL, &t);
}

static const struct addr *reply_to(void)
{
	static struct addr a;

	a = world_ip4("192.0.2.9", 5062);
	return &a;
}

static bool branch_believed(struct str text)
{
	struct branch b;

	return branch_read(&keys, text, CALL, reply_to(), &b) == BRANCH_OK;
}

static struct lb_query a_query(void)
{
	return (struct lb_query){ .request = 1, .via_hash = 5, .call_hash = 6, .from_hash = 7 };
}

static bool tag_believed(struct str text)
{
	struct lb_query q = a_query();

	q.to_tag = text;
	return tag_is_ours(&keys, &q);
}

static void no_mutant_is_believed(void **state)
{
	struct token t4 = a_token(false), t6 = a_token(true);
	struct branch b = a_branch();
	struct lb_query q = a_query();
	char out[LIMIT_BRANCH];

	assert_int_equal(believed_mutants(text_of(out, token_write(&keys, &t4, CALL, out)), token_believed),
			 0);
	assert_int_equal(believed_mutants(text_of(out, token_write(&keys, &t6, CALL, out)), token_believed),
			 0);
	assert_int_equal(believed_mutants(text_of(out, branch_write(&keys, &b, CALL, reply_to(), out)),
					  branch_believed),
			 0);
	assert_int_equal(believed_mutants(text_of(out, tag_write(&keys, &q, out)), tag_believed), 0);
}

static void branch_is_bound(void **state)
{
	struct addr other = world_ip4("192.0.2.9", 5063);
	struct branch b = a_branch(), back;
	char out[LIMIT_BRANCH];
	unsigned n = branch_write(&keys, &b, CALL, reply_to(), out);
	struct str text = text_of(out, n);

	assert_int_equal(n, 51);
	assert_memory_equal(out, "z9hG4bK", 7);
	assert_int_equal(branch_read(&keys, text, CALL, reply_to(), &back), BRANCH_OK);
	assert_int_equal(back.kind, b.kind);
	assert_int_equal(back.listener, b.listener);
	assert_int_equal(back.gateway, b.gateway);
	assert_int_equal(back.loop, b.loop);
	assert_int_equal(back.identity, b.identity);
	assert_int_equal(back.oc, 0);
	b.oc = LB_OC_LOSS | LB_OC_RATE;
	assert_int_equal(branch_write(&keys, &b, CALL, reply_to(), out), n);
	assert_int_equal(branch_read(&keys, text, CALL, reply_to(), &back), BRANCH_OK);
	assert_int_equal(back.oc, b.oc);
	out[n - 1] = 'a'; /* the flags are believed no more than the rest */
	assert_int_equal(branch_read(&keys, text, CALL, reply_to(), &back), BRANCH_FORGED);
	b.oc = 0;
	branch_write(&keys, &b, CALL, reply_to(), out);
	assert_int_equal(branch_read(&keys, text, CALL, &other, &back), BRANCH_FORGED);
	assert_int_equal(branch_read(&keys, text, CALL + 1, reply_to(), &back), BRANCH_FORGED);
	assert_int_equal(branch_read(&rotated, text, CALL, reply_to(), &back), BRANCH_OK);
	assert_int_equal(branch_read(&retired, text, CALL, reply_to(), &back), BRANCH_FORGED);
	assert_int_equal(branch_read(&keys, STR("z9hG4bK776asdhds"), CALL, reply_to(), &back), BRANCH_NONE);
	for (unsigned i = 0; i < n; i++)
		out[i] = toupper(out[i]);
	assert_int_equal(branch_read(&keys, text, CALL, reply_to(), &back), BRANCH_OK);
}

static void tag_is_bound(void **state)
{
	struct lb_query q = a_query(), other;
	char out[LIMIT_TAG];

	q.to_tag = text_of(out, tag_write(&keys, &q, out));
	assert_int_equal(q.to_tag.n, 16);
	assert_true(tag_is_ours(&keys, &q));
	assert_true(tag_is_ours(&rotated, &q));
	assert_false(tag_is_ours(&retired, &q));
	other = q;
	other.via_hash++;
	assert_false(tag_is_ours(&keys, &other));
	other = q;
	other.call_hash++;
	assert_false(tag_is_ours(&keys, &other));
	other = q;
	other.from_hash++;
	assert_false(tag_is_ours(&keys, &other));
}

/* Texts of the right length and alphabet, and bytes of any kind: none is believed, none is read past its end.
 */
static void guesses_fail(void **state)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	uint64_t random = 42;
	unsigned believed = 0;

	for (unsigned round = 0; round < 300000; round++) {
		static const unsigned usual[] = { 42, 61, 51, 16 };
		unsigned n = round & 1 ? usual[(round >> 1) % 4] : next_random(&random) % 80;
		char *text = malloc(n + 1);

		for (unsigned i = 0; i < n; i++)
			text[i] = round & 1 ? alphabet[next_random(&random) >> 59]
					    : (char)(next_random(&random) >> 56);
		if (n > 7 && (round & 2))
			memcpy(text, "z9hG4bK", 7);
		text = realloc(text, n ? n : 1);
		believed += token_believed(text_of(text, n));
		believed += branch_believed(text_of(text, n));
		believed += tag_believed(text_of(text, n));
		free(text);
	}
	assert_int_equal(believed, 0);
}

static void kinds_do_not_mix(void **state)
{
	struct token t = a_token(true), back;
	struct branch b = a_branch(), read;
	char out[LIMIT_BRANCH];
	unsigned n = branch_write(&keys, &b, CALL, reply_to(), out);

	assert_false(token_read(&keys, text_of(out, n), CALL, &back));
	assert_false(token_read(&keys, text_of(out + 7, n - 7), CALL, &back));
	n = token_write(&keys, &t, CALL, out);
	assert_int_equal(branch_read(&keys, text_of(out, n), CALL, reply_to(), &read), BRANCH_NONE);
}

/* As minted before branches noted who asks for overload control. */
static void old_branches_are_read(void **state)
{
	static const char text[] = "z9hG4bKamjdivtyappk3pxpcerdgrcvmz3yqrzampeegnh3jiqq";
	const struct keys then = { { { 1, 2 }, 3 }, { { 1, 2 }, 3 } };
	struct addr to = addr_v4(0x01020304, 5060);
	struct branch b;

	assert_int_equal(branch_read(&then, text_of(text, sizeof(text) - 1), 42, &to, &b), BRANCH_OK);
	assert_int_equal(b.oc, 0);
	assert_int_equal(b.identity, 0x1122334455667788);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(token_round_trip),      cmocka_unit_test(no_mutant_is_believed),
		cmocka_unit_test(branch_is_bound),       cmocka_unit_test(tag_is_bound),
		cmocka_unit_test(guesses_fail),          cmocka_unit_test(kinds_do_not_mix),
		cmocka_unit_test(old_branches_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
