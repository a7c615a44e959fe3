/* SPDX-License-Identifier: BSD-3-Clause */
/* See tally.h. */
#include <stdlib.h>
#include "tests/lb/check.h"
#include "tests/lb/tally.h"

static void *memory(size_t n)
{
	return aligned_alloc(64, (n + 63) / 64 * 64);
}

void tally_make(struct tally *b, uint32_t n)
{
	struct calls_spec spec = {
		.n = n,
		.setup_ns = SETUP,
		.hold_ns = 32 * S,
		.release_ns = 32 * S,
		.max_call_ns = 4 * HOUR,
		.session_min_ns = 90 * S,
		.grace_ns = 32 * S,
	};

	b->now = START;
	b->words = lb_words_init(memory(lb_words_size()));
	b->lane = st_lane_init(memory(st_lane_size(GWS, 1)), "0", GWS, 1);
	spec.words = b->words;
	spec.lane = b->lane;
	spec.records = &b->records;
	b->records.note = NULL;
	b->tables = memory(calls_size(n));
	calls_init(&b->c, b->tables, &spec);
}

void tally_free(struct tally *b)
{
	free(b->tables);
	free(b->lane);
	free(b->words);
}

void wait_until(struct tally *b, uint64_t now)
{
	b->now = now;
	do
		calls_expire(&b->c, now);
	while (b->c.is_reading);
}

void wait_for(struct tally *b, uint64_t ns)
{
	wait_until(b, b->now + ns);
}

struct call_key key_of(uint64_t n)
{
	return (struct call_key){ n * 0x9e3779b97f4a7c15, 1000 + n, 2000 + n };
}

uint32_t open_call(struct tally *b, uint64_t n, uint16_t out)
{
	struct call_key key = key_of(n);
	const struct call_sides sides = {
		.in = 3, .out = out, .peer = 0, .share = SHARE_NONE, .counts_in = true, .began = b->now
	};

	assert_true(word_reserve(&b->words->gateway[out], calls_room(&b->c)));
	assert_true(peer_reserve(&b->words->peer[0], calls_room(&b->c)));
	return call_open(&b->c, &key, &sides, b->now);
}

void move_call(struct tally *b, uint32_t i, uint16_t out, bool open)
{
	assert_true(word_reserve(&b->words->gateway[out], true));
	call_move(&b->c, i, out, open, b->now);
}

uint32_t answered_call(struct tally *b, uint64_t n, uint16_t out, uint32_t session_s)
{
	uint32_t i = open_call(b, n, out);

	call_confirm(&b->c, i, 7, session_s, b->now);
	return i;
}

bool bye(struct tally *b, uint64_t n, uint32_t to)
{
	struct call_key key = key_of(n);

	return call_bye(&b->c, key.call_hash, key.caller, to, b->now);
}

bool bye_from_callee(struct tally *b, uint64_t n, uint32_t to)
{
	struct call_key key = key_of(n);

	return call_bye(&b->c, key.call_hash, to, key.caller, b->now);
}

void bye_answered(struct tally *b, uint64_t n, uint32_t to, uint16_t status)
{
	struct call_key key = key_of(n);

	call_bye_answered(&b->c, key.call_hash, key.caller, to, status, b->now);
}

void refreshed(struct tally *b, uint64_t n, uint32_t to, uint32_t session_s)
{
	struct call_key key = key_of(n);

	call_refreshed(&b->c, key.call_hash, key.caller, to, session_s, b->now);
}

void expect(struct tally *b, uint32_t gw0, uint32_t gw1, uint32_t gw3, uint32_t peer)
{
	uint32_t *gateways = calloc(LIMIT_GATEWAYS, sizeof(*gateways));
	uint32_t *peers = calloc(LIMIT_PEERS, sizeof(*peers));

	assert_int_equal(lb_gateway_calls(b->words, 0), gw0);
	assert_int_equal(lb_gateway_calls(b->words, 1), gw1);
	assert_int_equal(lb_gateway_calls(b->words, 3), gw3);
	assert_int_equal(lb_peer_calls(b->words, 0), peer);
	lb_audit(&(struct lb_worker){ .calls = b->c }, gateways, peers);
	assert_int_equal(gateways[0], gw0);
	assert_int_equal(gateways[1], gw1);
	assert_int_equal(gateways[3], gw3);
	assert_int_equal(peers[0], peer);
	for (uint16_t slot = 0; slot < GWS; slot++)
		assert_int_equal(b->lane->gateways[slot].count[ST_GW_PLACES_TAKEN] -
					 b->lane->gateways[slot].count[ST_GW_PLACES_GIVEN],
				 lb_gateway_calls(b->words, slot));
	assert_int_equal(b->lane->count[ST_CALL_DRIFT], 0);
	free(gateways);
	free(peers);
}

void expect_none(struct tally *b)
{
	expect(b, 0, 0, 0, 0);
	assert_int_equal(b->c.in_use, 0);
}
