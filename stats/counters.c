/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lanes: making them, summing them, and the laws that their sums obey.
 * Making is set-up; everything else only reads and may run on any thread.
 */
#include <inttypes.h>
#include <string.h>

#include "stats/stats.h"

static size_t round_up(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

size_t st_lane_size(uint32_t n_gateways, uint32_t n_peers)
{
	return round_up(sizeof(struct st_lane)) + round_up(n_gateways * sizeof(struct st_gateway)) +
	       round_up(n_peers * sizeof(struct st_peer));
}

struct st_lane *st_lane_init(void *mem, const char *name, uint32_t n_gateways, uint32_t n_peers)
{
	struct st_lane *lane = mem;
	char *p = mem;

	memset(mem, 0, st_lane_size(n_gateways, n_peers));
	p += round_up(sizeof(*lane));
	lane->gateways = (struct st_gateway *)p;
	p += round_up(n_gateways * sizeof(struct st_gateway));
	lane->peers = (struct st_peer *)p;
	lane->n_gateways = n_gateways;
	lane->n_peers = n_peers;
	snprintf(lane->name, sizeof(lane->name), "%s", name);
	return lane;
}

static void add_cells(uint64_t *sums, const uint64_t *cells, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		sums[i] += st_cell_read(&cells[i]);
}

void st_sum(const struct st_table *table, uint64_t sums[ST_COUNT])
{
	memset(sums, 0, ST_COUNT * sizeof(*sums));
	for (uint32_t i = 0; i < table->n; i++)
		add_cells(sums, table->lane[i]->count, ST_COUNT);
}

void st_sum_gateway(const struct st_table *table, uint32_t slot, struct st_gateway *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < table->n; i++) {
		const struct st_lane *lane = table->lane[i];

		if (slot >= lane->n_gateways)
			continue;
		add_cells(sum->count, lane->gateways[slot].count, ST_GW_COUNT);
		st_hist_merge(&sum->response, &lane->gateways[slot].response);
	}
}

void st_sum_peer(const struct st_table *table, uint32_t peer, struct st_peer *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < table->n; i++) {
		const struct st_lane *lane = table->lane[i];

		if (peer < lane->n_peers)
			add_cells(sum->count, lane->peers[peer].count, ST_PEER_COUNT);
	}
}

/* Sum of the ends whose outcome is in the set (bit per enum st_outcome). */
static uint64_t sum_ends(const uint64_t *sums, unsigned int outcomes)
{
	uint64_t n = 0;

	for (unsigned int id = 0; id < ST_END_COUNT; id++)
		if (outcomes & 1u << st_info(id)->outcome)
			n += sums[id];
	return n;
}

const char *st_conserved(const uint64_t sums[ST_COUNT], char *text, size_t n)
{
	const unsigned int all = (1u << ST_OUT_COUNT) - 1;
	const unsigned int sent = 1u << ST_OUT_FORWARD | 1u << ST_OUT_REPLY | 1u << ST_OUT_SENT;
	uint64_t in_rings =
		sums[ST_HANDOFF_OUT] - sums[ST_HANDOFF_IN] + sums[ST_TX_RING_OUT] - sums[ST_TX_RING_IN];
	const struct {
		const char *name, *left_text, *right_text;
		uint64_t left, right;
		bool may_exceed; /* left may be more than right */
	} laws[] = {
		{ "owner-ring", "messages handed to owners", "messages taken over", sums[ST_HANDOFF_OUT],
		  sums[ST_HANDOFF_IN], true },
		{ "tx-ring", "frames handed to port holders", "frames taken over", sums[ST_TX_RING_OUT],
		  sums[ST_TX_RING_IN], true },
		{ "one-end", "received + injected + made", "ends + in rings",
		  sums[ST_RX_FRAMES] + sums[ST_INJECTED] + sums[ST_MADE], sum_ends(sums, all) + in_rings,
		  false },
		{ "sent", "frames transmitted", "ends that transmit", sums[ST_TX_FRAMES],
		  sum_ends(sums, sent), false },
	};

	for (size_t i = 0; i < sizeof(laws) / sizeof(laws[0]); i++) {
		if (laws[i].left == laws[i].right || (laws[i].may_exceed && laws[i].left > laws[i].right))
			continue;
		if (n > 0)
			snprintf(text, n, "%s: %s %" PRIu64 ", %s %" PRIu64, laws[i].name, laws[i].left_text,
				 laws[i].left, laws[i].right_text, laws[i].right);
		return laws[i].name;
	}
	return NULL;
}
