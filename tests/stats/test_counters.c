/* SPDX-License-Identifier: BSD-3-Clause */
/* Lanes and laws: cells add up over lanes, and each broken law is named. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/types.h"
#include "stats/stats.h"

static struct st_lane *new_lane(const char *name, uint32_t gateways, uint32_t peers)
{
	return st_lane_init(aligned_alloc(64, st_lane_size(gateways, peers)), name, gateways, peers);
}

static void test_lane_is_zero_and_aligned(void **state)
{
	struct st_lane *lane = new_lane("a name of more than 15 bytes", 3, 2);

	assert_int_equal((uintptr_t)lane->gateways % 64, 0);
	assert_int_equal(lane->n_gateways, 3);
	assert_int_equal(lane->n_peers, 2);
	assert_string_equal(lane->name, "a name of more ");
	for (unsigned int id = 0; id < ST_COUNT; id++)
		assert_int_equal(lane->count[id], 0);
	st_gateway_inc(lane, 2, ST_GW_RESPONSES_6XX);
	st_peer_inc(lane, 1, ST_PEER_LIMITED);
	assert_true((char *)&lane->peers[2] <= (char *)lane + st_lane_size(3, 2));
	free(lane);
}

static void test_sums_over_lanes(void **state)
{
	struct st_table t = { .n = 2, .lane = { new_lane("0", 2, 1), new_lane("control", 0, 0) } };
	uint64_t sums[ST_COUNT];
	struct st_gateway gw;
	struct st_peer peer;

	st_inc(t.lane[0], ST_FWD_REQUEST);
	st_add(t.lane[1], ST_FWD_REQUEST, 41);
	st_gateway_inc(t.lane[0], 1, ST_GW_REQUESTS);
	st_hist_add(&t.lane[0]->gateways[1].response, 2000000);
	st_peer_inc(t.lane[0], 0, ST_PEER_REFUSED);
	st_sum(&t, sums);
	assert_int_equal(sums[ST_FWD_REQUEST], 42);
	st_sum_gateway(&t, 1, &gw);
	assert_int_equal(gw.count[ST_GW_REQUESTS], 1);
	assert_int_equal(st_hist_count(&gw.response), 1);
	st_sum_gateway(&t, 0, &gw);
	assert_int_equal(gw.count[ST_GW_REQUESTS], 0);
	st_sum_peer(&t, 0, &peer);
	assert_int_equal(peer.count[ST_PEER_REFUSED], 1);
	free(t.lane[0]);
	free(t.lane[1]);
}

/* Every end has its own pair of outcome and reason, or two ends would share a series. */
static void test_ends_are_distinct(void **state)
{
	for (unsigned int a = 0; a < ST_END_COUNT; a++)
		for (unsigned int b = a + 1; b < ST_END_COUNT; b++)
			assert_false(st_info(a)->outcome == st_info(b)->outcome &&
				     strcmp(st_info(a)->reason, st_info(b)->reason) == 0);
}

static void test_methods_line_up(void **state)
{
	for (unsigned int m = METHOD_OTHER + 1; m < METHOD_COUNT; m++) {
		static const char *const texts[] = {
#define METHOD(name, text) [METHOD_##name] = "method=\"" text "\"",
#include "conf/methods.def"
#undef METHOD
		};

		assert_string_equal(st_info(ST_REQUEST_OTHER + m)->labels, texts[m]);
	}
}

/* One worker: 10 frames and 2 probes in, 5 forwarded, 2 replied, 2 probes sent, 1 dropped, 2 still in a ring.
 */
static void balanced(uint64_t sums[ST_COUNT])
{
	memset(sums, 0, ST_COUNT * sizeof(*sums));
	sums[ST_RX_FRAMES] = 10;
	sums[ST_INJECTED] = 2;
	sums[ST_FWD_REQUEST] = 5;
	sums[ST_REPLY_REFUSED] = 2;
	sums[ST_SENT_PROBE] = 2;
	sums[ST_DROP_NOT_SIP] = 1;
	sums[ST_HANDOFF_OUT] = 7;
	sums[ST_HANDOFF_IN] = 5;
	sums[ST_TX_FRAMES] = 9;
}

static void test_laws(void **state)
{
	static const struct {
		unsigned int id;
		int64_t change;
		const char *law, *text;
	} broken[] = {
		{ ST_RX_FRAMES, 1, "one-end", "one-end: received + injected + made 13, ends + in rings 12" },
		{ ST_DROP_NOT_SIP, 1, "one-end",
		  "one-end: received + injected + made 12, ends + in rings 13" },
		{ ST_HANDOFF_IN, 3, "owner-ring",
		  "owner-ring: messages handed to owners 7, messages taken over 8" },
		{ ST_TX_RING_IN, 1, "tx-ring",
		  "tx-ring: frames handed to port holders 0, frames taken over 1" },
		{ ST_TX_FRAMES, -1, "sent", "sent: frames transmitted 8, ends that transmit 9" },
	};
	uint64_t sums[ST_COUNT];
	char text[128];

	balanced(sums);
	assert_null(st_conserved(sums, text, sizeof(text)));
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		balanced(sums);
		sums[broken[i].id] += (uint64_t)broken[i].change;
		assert_string_equal(st_conserved(sums, text, sizeof(text)), broken[i].law);
		assert_string_equal(text, broken[i].text);
		assert_string_equal(st_conserved(sums, NULL, 0), broken[i].law);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lane_is_zero_and_aligned),
		cmocka_unit_test(test_sums_over_lanes),
		cmocka_unit_test(test_ends_are_distinct),
		cmocka_unit_test(test_methods_line_up),
		cmocka_unit_test(test_laws),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
