/* SPDX-License-Identifier: BSD-3-Clause */
/* See harness.h. */
#include "tests/dataplane/harness.h"
#include "dataplane/keep.h"
#include "lb/worker.h"
#include "tests/lb/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>
#include <rte_launch.h>
#include <unistd.h>

#define WORKERS 2

static struct addr v4(const char *ip, uint16_t port)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, ip, &a), 1);
	return addr_v4(a.s_addr, port);
}

struct addr h_addr(enum h_who who, uint16_t port)
{
	static const char *const ip[] = {
		[H_CALLER] = "192.0.2.99", [H_CALLER2] = "192.0.2.98",   [H_GW1] = "198.51.100.21",
		[H_GW2] = "198.51.100.22", [H_STRANGER] = "203.0.113.7",
	};

	return v4(ip[who], port);
}

static uint32_t side(enum h_who who)
{
	return who == H_GW1 || who == H_GW2;
}

static struct lb_snapshot *make_policy(void)
{
	static const struct lb_pool_spec pools[] = {
		{ .name = { "pstn", 4 }, .retry_after_s = 5, .attempts = 3, .follow = true }
	};
	static const struct str believed[] = { { "wps.0", 5 } };
	static const struct lb_peer_spec peers[] = {
		{ .name = { "carrier", 7 }, .slot = 0, .resources = believed, .n_resources = 1 }
	};
	struct lb_gateway_spec gws[] = {
		{ .name = { "gw1", 3 },
		  .addr = h_addr(H_GW1, 5060),
		  .slot = 0,
		  .weight = 10,
		  .listener = 1,
		  .oc = 1 },
		{ .name = { "gw2", 3 },
		  .addr = h_addr(H_GW2, 5060),
		  .slot = 1,
		  .weight = 10,
		  .listener = 1,
		  .oc = 1 },
	};
	struct lb_prefix prefix = { .len = 96 + 24, .peer = 0 };
	struct lb_route_spec routes[] = {
		{ .from_peer = 0, .from_pool = LB_NONE, .method = METHOD_COUNT, .pool = 0 },
		{ .from_peer = LB_NONE, .from_pool = 0, .method = METHOD_COUNT, .pool = 0 },
	};
	struct lb_spec spec = {
		.hash_key = { { 1, 2 }, 0 },
		.key = { { 3, 4 }, 1 },
		.old_key = { { 3, 4 }, 1 },
		.node = 7,
		.gateways = gws,
		.n_gateways = 2,
		.pools = pools,
		.n_pools = 1,
		.peers = peers,
		.n_peers = 1,
		.prefixes = &prefix,
		.n_prefixes = 1,
		.routes = routes,
		.n_routes = 2,
	};
	struct addr net = v4("192.0.2.0", 0);
	void *mem;

	memcpy(prefix.ip, net.ip, 16);
	mem = dp_alloc(-1, lb_snapshot_size(&spec));
	assert_non_null(mem);
	return lb_snapshot_init(mem, &spec);
}

static struct net_hops *make_hops(const struct dp *dp)
{
	static struct net_hops_port ports[2];
	struct net_neigh neighs[] = {
		{ .ip = h_addr(H_CALLER, 0), .mac = { 2, 0, 0, 0, 0, 1 }, .port = 0 },
		{ .ip = h_addr(H_CALLER2, 0), .mac = { 2, 0, 0, 0, 0, 2 }, .port = 0 },
		{ .ip = h_addr(H_GW1, 0), .mac = { 2, 0, 0, 0, 1, 1 }, .port = 1 },
		{ .ip = h_addr(H_GW2, 0), .mac = { 2, 0, 0, 0, 1, 2 }, .port = 1 },
	};
	struct addr gateways[] = { h_addr(H_GW1, 5060), h_addr(H_GW2, 5060) };
	struct net_hops_plan plan = {
		.n_ports = 2,
		.ports = ports,
		.n_neighs = 4,
		.neighs = neighs,
		.n_gateways = 2,
		.gateways = gateways,
		.gateway_ports = (const uint8_t[]){ 1, 1 },
	};

	for (uint32_t i = 0; i < 2; i++) {
		memcpy(ports[i].mac, dp->ports[i].mac, NET_MAC);
		ports[i].n_prefixes = 1;
		ports[i].prefixes[0].addr = dp->listeners[i].addr;
		ports[i].prefixes[0].addr.port = 0;
		ports[i].prefixes[0].len = 24;
	}
	return net_hops_build(&plan);
}

static void *mem64(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) & ~(size_t)63);

	assert_non_null(p);
	memset(p, 0, n);
	return p;
}

struct harness *h_start(void)
{
	return h_start_mtu(1500);
}

struct harness *h_start_mtu(uint16_t core_mtu)
{
	static struct dp_plan plan;
	static uint16_t cpus[WORKERS];
	static struct net_device devices[2] = { { .text = "net_null,no-rx=1" },
						{ .text = "net_null,no-rx=1" } };
	struct harness *h = mem64(sizeof(*h));
	char err[256];

	h->words = lb_words_init(mem64(lb_words_size()));
	h->stats.n = WORKERS;
	for (uint32_t i = 0; i < WORKERS; i++)
		h->stats.lane[i] = st_lane_init(mem64(st_lane_size(2, 1)), "t", 2, 1);
	plan = (struct dp_plan){
		.eal = { .program = "test",
			 .node = "test",
			 .pid = (uint32_t)getpid(),
			 .n_workers = WORKERS,
			 .worker_cpus = cpus,
			 .huge = NET_HUGE_OFF,
			 .memory_mb = 128,
			 .n_devices = 2,
			 .devices = devices },
		.workers = { { .numa = -1 }, { .numa = -1 } },
		.ports = { { "access", devices[0].text, 1500, 0, false },
			   { "core", devices[1].text, core_mtu, 0, false } },
		.listeners = { { "access", v4("192.0.2.10", 5060), 0, NULL },
			       { "core", v4("198.51.100.10", 5060), 1, "core.example.net" } },
		.n_workers = WORKERS,
		.n_ports = 2,
		.n_listeners = 2,
		.adaptive = true,
		.mbufs = 4095,
		.kept = 256,
		.tables = { .pins = 4096,
			    .pin_ns = 32000000000ull,
			    .ringing_ns = 212000000000ull,
			    .setups = 128,
			    .timers = default_timers,
			    .calls = 4096,
			    .records = 256,
			    .words = h->words },
		.stats = &h->stats,
	};
	h->dp = dp_start(&plan, err, sizeof(err));
	if (!h->dp)
		fail_msg("%s", err);
	h->dp->stop = true;
	rte_eal_mp_wait_lcore();
	dp_publish_policy(h->dp, -1, make_policy());
	dp_publish_hops(h->dp, make_hops(h->dp));
	h->now = dp_now();
	return h;
}

void h_stop(struct harness *h)
{
	dp_stop(h->dp);
	for (uint32_t i = 0; i < WORKERS; i++)
		free(h->stats.lane[i]);
	free(h->words);
	free(h);
}

uint64_t h_count(const struct harness *h, unsigned counter)
{
	uint64_t sums[ST_COUNT];

	st_sum(&h->stats, sums);
	return sums[counter];
}

static void collect(struct harness *h, struct dp_worker *w)
{
	for (uint32_t p = 0; p < h->dp->n_ports; p++) {
		struct dp_tx *tx = &w->tx[p];

		for (uint32_t i = 0; i < tx->n; i++) {
			struct rte_mbuf *m = tx->frames[i];
			struct h_out *o = &h->out[h->n_out++ % H_OUT];
			struct net_port any = h->dp->ports[p];
			struct net_pkt pkt;

			/* as the far side sees it */
			memcpy(any.mac, rte_pktmbuf_mtod(m, uint8_t *), NET_MAC);
			any.trust = false;
			assert_int_equal(net_parse(&any, rte_pktmbuf_mtod(m, uint8_t *), m->data_len,
						   NET_UNKNOWN, NET_UNKNOWN, &pkt),
					 NET_UDP);
			*o = (struct h_out){
				.src = pkt.src, .dst = pkt.dst, .port = p, .n = pkt.payload_len
			};
			memcpy(o->text, rte_pktmbuf_mtod_offset(m, char *, pkt.payload), o->n);
			st_inc(w->lane, tx->end[i]);
			st_inc(w->lane, ST_TX_FRAMES);
			rte_pktmbuf_free(m);
		}
		tx->n = 0;
	}
}

/* Starts a turn of all workers. */
static void begin(struct harness *h)
{
	h->n_out = 0;
	for (uint32_t i = 0; i < h->dp->n_workers; i++) {
		struct dp_worker *w = h->dp->workers[i];

		w->now = h->now;
		w->policy = w->published;
		w->hops = h->dp->hops;
		w->n_forwarded = 0;
	}
}

static void check_laws(const struct harness *h)
{
	uint64_t sums[ST_COUNT];
	char why[256];

	st_sum(&h->stats, sums);
	if (st_conserved(sums, why, sizeof(why)))
		fail_msg("%s", why);
}

static struct rte_mbuf *to_mbuf(struct dp_worker *w, const uint8_t *frame, uint32_t n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)n), frame, n);
	return m;
}

static struct dp_worker *holder(const struct harness *h, uint32_t port)
{
	return h->dp->workers[h->dp->holder[port]];
}

/* Gives frames to the worker that holds their port, which does what it owns of them. */
static void receive(struct harness *h, uint32_t port, struct rte_mbuf **frames, uint32_t n)
{
	struct dp_worker *w = holder(h, port);
	struct rte_mbuf *own[LIMIT_BURST];

	begin(h);
	dp_process(w, own, dp_receive(w, &h->dp->ports[port], frames, n, own));
	collect(h, w);
}

/* The same, and what others own is done by them. */
static void handle(struct harness *h, uint32_t port, struct rte_mbuf **frames, uint32_t n)
{
	struct dp_worker *w = holder(h, port);

	receive(h, port, frames, n);
	for (uint32_t i = 0; i < h->dp->n_workers; i++) {
		if (w->out[i].n) {
			dp_process(h->dp->workers[i], w->out[i].msgs, w->out[i].n);
			w->out[i].n = 0;
			collect(h, h->dp->workers[i]);
		}
	}
	check_laws(h);
}

void h_frame(struct harness *h, uint32_t port, const uint8_t *frame, uint32_t n)
{
	struct rte_mbuf *m = to_mbuf(holder(h, port), frame, n);

	handle(h, port, &m, 1);
}

void h_tick(struct harness *h)
{
	begin(h);
	for (uint32_t i = 0; i < h->dp->n_workers; i++) {
		dp_tick(h->dp->workers[i]);
		collect(h, h->dp->workers[i]);
	}
	check_laws(h);
}

void h_catch_up(struct harness *h)
{
	uint32_t done = 1;

	begin(h);
	while (done > 0) {
		done = 0;
		for (uint32_t i = 0; i < h->dp->n_workers; i++)
			done += dp_turn(h->dp->workers[i]);
	}
	check_laws(h);
}

void h_fill_keep(const struct harness *h, uint32_t left)
{
	static const char bytes[LIMIT_MBUF_OBJ];

	for (uint32_t i = 0; i < h->dp->n_workers; i++) {
		struct dp_worker *w = h->dp->workers[i];
		uint32_t handle = 2 * w->lb->setups.n;

		while (keep_free(w->keep) > left) {
			const struct kept what = { .n = keep_free(w->keep) > left + 2 ? sizeof(bytes) : 1 };

			assert_true(keep_put(w->keep, --handle, &what, bytes));
		}
	}
}

void h_empty_keep(const struct harness *h)
{
	for (uint32_t i = 0; i < h->dp->n_workers; i++) {
		struct dp_worker *w = h->dp->workers[i];

		for (uint32_t handle = 0; handle < 2 * w->lb->setups.n; handle++)
			keep_drop(w->keep, handle);
	}
}

/* The frame that brings the text, at most NET_HEADERS + H_FRAME bytes of it. Returns where it begins. */
static uint8_t *wrap(const struct harness *h, enum h_who who, uint16_t port, const char *text, uint32_t *n,
		     uint8_t *frame)
{
	uint32_t s = side(who);
	struct addr src = h_addr(who, port);
	struct net_hop hop = { .state = NET_HOP_READY, .smac = { 2, 9, 9, 9, 9, 9 } };
	uint32_t headers;

	assert_true(*n <= H_FRAME);
	memcpy(hop.dmac, h->dp->ports[s].mac, NET_MAC);
	memcpy(frame + NET_HEADERS, text, *n);
	headers = net_write_headers(&h->dp->ports[s], &hop, &src, &h->dp->listeners[s].addr, false,
				    frame + NET_HEADERS, (uint16_t)*n);
	*n += headers;
	return frame + NET_HEADERS - headers;
}

void h_send_n(struct harness *h, enum h_who who, uint16_t port, const char *text, uint32_t n)
{
	uint8_t room[NET_HEADERS + H_FRAME], *frame = wrap(h, who, port, text, &n, room);

	h_frame(h, side(who), frame, n);
}

void h_receive(struct harness *h, enum h_who who, uint16_t port, const char *text)
{
	uint32_t n = (uint32_t)strlen(text);
	uint8_t room[NET_HEADERS + H_FRAME], *frame = wrap(h, who, port, text, &n, room);
	struct rte_mbuf *m = to_mbuf(holder(h, side(who)), frame, n);

	receive(h, side(who), &m, 1);
	dp_flush(holder(h, side(who)));
}

void h_send_burst(struct harness *h, const struct h_in *in, uint32_t n_in)
{
	struct rte_mbuf *frames[LIMIT_BURST];
	uint32_t port = side(in[0].who);

	assert_true(n_in <= LIMIT_BURST);
	for (uint32_t i = 0; i < n_in; i++) {
		uint32_t n = (uint32_t)strlen(in[i].text);
		uint8_t room[NET_HEADERS + H_FRAME];
		const uint8_t *frame = wrap(h, in[i].who, 5060, in[i].text, &n, room);

		assert_int_equal(side(in[i].who), port);
		frames[i] = to_mbuf(holder(h, port), frame, n);
	}
	handle(h, port, frames, n_in);
}

void h_send(struct harness *h, enum h_who who, uint16_t port, const char *text)
{
	h_send_n(h, who, port, text, (uint32_t)strlen(text));
}

const char *h_row(const struct h_out *out, const char *name, unsigned nth)
{
	static char row[H_FRAME];
	const char *p = out->text, *end = out->text + out->n;
	size_t n = strlen(name);

	while (p < end) {
		const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);

		if (!eol || eol == p)
			return NULL;
		if ((size_t)(eol - p) >= n && !memcmp(p, name, n) && nth-- == 0) {
			memcpy(row, p, (size_t)(eol - p));
			row[eol - p] = 0;
			return row;
		}
		p = eol + 2;
	}
	return NULL;
}
