/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text as token, To tag and branch of messages from nobody in particular: none is ever believed. The
 * first byte says which it is, and whether a good text is taken and the bytes are laid over it. A libFuzzer
 * target.
 */
#include <stdlib.h>
#include "tests/lb/world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world world;
static struct world_call call;
static char branch[LIMIT_BRANCH];
static unsigned branch_n;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void once(void)
{
	if (world.snap)
		return;
	world_start(&world, 2);
	call = world_call(&world, 1);
	branch_n = world.act[0].branch_n;
	memcpy(branch, world.act[0].branch, branch_n);
}

/* The bytes as they are, or each added to one of a good text. Exactly allocated; the caller frees it. */
static struct str text_from(const uint8_t *data, size_t size, bool over, const char *good, unsigned good_n)
{
	unsigned n = over ? good_n : (unsigned)size;
	char *p = malloc(n ? n : 1);

	must(p != NULL);
	for (unsigned i = 0; i < n; i++)
		p[i] = over ? (char)(good[i] + (i < size ? data[i] : 0)) : (char)data[i];
	return text_of(p, n);
}

static bool same_but_case(struct str a, const char *good, unsigned n)
{
	return str_eq_nocase(a, text_of(good, n));
}

static void as_request(struct str text)
{
	struct lb_query q = world_in_dialog(&call, METHOD_ACK);
	bool good = same_but_case(text, call.token, call.token_n);

	q.src = world_ip4("203.0.113.1", 5060);
	q.token = text;
	q.to_tag = text;
	must((world_input(&world, &q)->end == ST_FWD_REQUEST) == good);
	must(good || world.act[0].end == ST_DROP_UNKNOWN_SOURCE);
}

static void as_response(struct str text)
{
	struct lb_query q = world_response(&world, &call.invite, 200);
	bool good = same_but_case(text, branch, branch_n);

	q.branch = text;
	must((world_input(&world, &q)->op == LB_FORWARD) == good);
	must(good || world.act[0].op == LB_DROP);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool response, over;
	struct str text;

	if (size == 0)
		return 0;
	once();
	response = data[0] & 1;
	over = data[0] & 2;
	text = text_from(data + 1, size - 1, over, response ? branch : call.token,
			 response ? branch_n : call.token_n);
	if (response)
		as_response(text);
	else
		as_request(text);
	free((char *)text.p);
	return 0;
}
