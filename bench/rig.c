/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets Weir's dataplane up for the pipeline bench; see rig.h. Control thread.
 * Must stay true: every message takes the way of real traffic (peer found by prefix, route found behind
 * others, gateway with its limits), so that no part of the path is spared.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_ethdev.h>

#include "bench/rig.h"
#include "lb/choose/peers.h"
#include "lb/token.h"
#include "lb/worker.h"

#define MEMORY_MB  256 /* without huge pages: packets */
#define SIP_PORT   5060
#define PIN_NS     32000000000u
#define RINGING_NS (212 * UINT64_C(1000000000)) /* Timer C of 180 s and 32 s */
#define MTU        2000                         /* the trunk INVITE outgrows 1500 with our rows on top */
#define PLENTY     1000000                      /* max-cps of a gateway that is never reached */
#define MANY       100000000                    /* max-calls of a gateway that is never reached */

/*
 * Calls in transactions: between two messages of a set-up so many others begin, and so many transactions
 * there is room for. The bench stands still between its measurements, so timers wait for ever; but for those
 * that end a transaction once its call is answered, or there would be no end to them.
 */
#define SETUP_LAG 10000
#define SETUPS    (1 << 17)
#define LINGER_NS 50000000u
#define MIXING    2654435761u /* a prime: steps through calls in no order of theirs, each once */
#define NEVER_NS  (3600 * UINT64_C(1000000000))
#define BYE_NS    (1000 * UINT64_C(1000000000)) /* about as long as struct call's bye can tell */

static const struct lb_timers timers = {
	.t1 = NEVER_NS,
	.t2 = NEVER_NS,
	.t4 = NEVER_NS,
	.b = NEVER_NS,
	.c = NEVER_NS,
	.d = LINGER_NS,
	.release = BYE_NS,
	.max_call = 4 * NEVER_NS,
	.session_min = 90 * UINT64_C(1000000000),
};

static struct addr v4(const char *text)
{
	uint32_t ip = 0;

	inet_pton(AF_INET, text, &ip);
	return addr_v4(ip, SIP_PORT);
}

static struct addr gateway_addr(const struct mint *mint, uint32_t slot)
{
	struct addr a = mint->gateway;

	a.ip[15] = (uint8_t)(a.ip[15] + slot);
	return a;
}

static struct addr caller_addr(const struct mint *mint, uint32_t i)
{
	struct addr a = mint->caller;

	a.ip[15] = (uint8_t)(a.ip[15] + i);
	return a;
}

static struct lb_snapshot *make_policy(struct mint *mint)
{
	static char names[RIG_GATEWAYS][8];
	struct lb_gateway_spec gateways[RIG_GATEWAYS];
	const struct lb_pool_spec pool = {
		.name = STR("pstn"),
		.retry_after_s = 5,
		.attempts = 3,
		.budget_permille = 200,
		.after_ns = NEVER_NS,
		.after_max_ns = NEVER_NS,
	};
	const struct lb_peer_spec peer = { .name = STR("carrier") };
	struct lb_prefix prefix = { .len = 96 + 24 };
	const struct lb_route_spec routes[] = {
		{ LB_NONE, LB_NONE, METHOD_REGISTER, { 0 }, { 0 }, LB_NONE, 404 },
		{ 0, LB_NONE, METHOD_COUNT, STR("+81"), { 0 }, LB_NONE, 404 },
		{ 0, LB_NONE, METHOD_COUNT, STR("+82"), { 0 }, 0, 0 },
	};
	struct lb_spec spec = {
		.hash_key = { { 0x0706050403020100, 0x0f0e0d0c0b0a0908 }, 1 },
		.key = { { 0x1716151413121110, 0x1f1e1d1c1b1a1918 }, 1 },
		.gateways = gateways,
		.pools = &pool,
		.peers = &peer,
		.prefixes = &prefix,
		.routes = routes,
		.n_gateways = RIG_GATEWAYS,
		.n_pools = 1,
		.n_peers = 1,
		.n_prefixes = 1,
		.n_routes = 3,
	};
	struct lb_snapshot *policy;
	void *mem;

	spec.old_key = spec.key;
	memcpy(prefix.ip, mint->caller.ip, 15);
	for (uint16_t i = 0; i < RIG_GATEWAYS; i++) {
		snprintf(names[i], sizeof(names[i]), "gw%u", i);
		gateways[i] = (struct lb_gateway_spec){
			.name = { names[i], (uint32_t)strlen(names[i]) },
			.addr = gateway_addr(mint, i),
			.slot = i,
			.weight = 10,
		};
	}
	mem = dp_alloc(-1, lb_snapshot_size(&spec));
	policy = mem ? lb_snapshot_init(mem, &spec) : NULL;
	if (!policy)
		perror("snapshot");
	return policy;
}

static struct net_hops *make_hops(const struct rig *rig, bool none)
{
	struct net_hops_port port = { .n_prefixes = 2 };
	struct net_neigh neighs[RIG_GATEWAYS + RIG_CALLERS];
	struct addr gateways[RIG_GATEWAYS];
	struct net_hops_plan plan = {
		.n_ports = 1,
		.ports = &port,
		.n_neighs = RIG_GATEWAYS + RIG_CALLERS,
		.neighs = neighs,
		.n_gateways = RIG_GATEWAYS,
		.gateways = gateways,
		.gateway_ports = (const uint8_t[RIG_GATEWAYS]){ 0 },
	};

	memcpy(port.mac, dp_port(rig->dp, 0)->mac, NET_MAC);
	port.prefixes[0].addr = rig->mint.caller;
	port.prefixes[1].addr = rig->mint.gateway;
	port.prefixes[0].len = port.prefixes[1].len = 24;
	for (uint32_t i = 0; i < RIG_GATEWAYS + RIG_CALLERS; i++) {
		struct addr a = i < RIG_GATEWAYS ? gateway_addr(&rig->mint, i)
						 : caller_addr(&rig->mint, i - RIG_GATEWAYS);

		if (i < RIG_GATEWAYS)
			gateways[i] = a;
		a.port = 0;
		neighs[i] = (struct net_neigh){ .ip = a, .mac = { 2, 0, 0, 0, 1, (uint8_t)i } };
	}
	if (none)
		plan.n_neighs = plan.n_gateways = port.n_prefixes = 0;
	return net_hops_build(&plan);
}

/* The INVITE of call number i, to the policy alone. */
static void begin_call(struct rig *rig, struct lb_worker *w, uint32_t i, struct lb_query *q)
{
	uint8_t *frame = rig->mint.templates[INVITE].frame;
	struct identity id = mint_identity(&rig->mint, i, frame);
	struct lb_act acts[LIMIT_ACTS];

	*q = (struct lb_query){
		.request = 1,
		.method = METHOD_INVITE,
		.src = rig->mint.caller,
		.reply_to = rig->mint.caller,
		.number = STR("+82315550100"),
		.host = STR("gw.example.net"),
		.room = rig->stateful && i >= rig->calls - 3 * SETUP_LAG,
		.call_hash = id.call_hash,
		.from_hash = id.from_hash,
		.via_hash = id.via_hash,
		.cseq = rig->cseq,
	};
	lb_input(w, rig->mint.policy, q, dp_now(), acts);
}

/* Its 200, with the To tag that its BYE will have. */
static void confirm_call(struct rig *rig, struct lb_worker *w, uint32_t i, const struct lb_query *invite)
{
	const struct lb_snapshot *policy = rig->mint.policy;
	uint16_t slot = lb_pick_ideal(policy, rig->mint.pool, invite->call_hash);
	struct branch b = {
		.kind = BRANCH_PINNED,
		.gateway = gateway_by_slot(policy, slot)->id,
		.identity = invite->via_hash,
	};
	struct lb_act acts[LIMIT_ACTS];
	char branch[LIMIT_BRANCH];
	struct lb_query q = {
		.method = METHOD_INVITE,
		.status = 200,
		.has_to_tag = 1,
		.src = gateway_addr(&rig->mint, slot),
		.via_to = rig->mint.caller,
		.call_hash = invite->call_hash,
		.from_hash = invite->from_hash,
		.cseq = invite->cseq,
		.to_hash = mint_to_hash(&rig->mint, i),
	};

	q.branch.p = branch;
	q.branch.n = branch_write(&policy->keys, &b, q.call_hash, &q.via_to, branch);
	lb_input(w, policy, &q, dp_now(), acts);
}

/*
 * The calls that were there before the bench came: number 0 and up, so mixed that neighbours in number are
 * none in the tables. The youngest are not answered yet.
 */
static void fill_tables(struct rig *rig, struct lb_worker *w)
{
	uint32_t answered = rig->stateful ? rig->calls - 3 * SETUP_LAG : 0;
	struct lb_query q;

	for (uint64_t i = 0, n = 0; n < answered; n++, i = (i + MIXING) % answered) {
		begin_call(rig, w, (uint32_t)i, &q);
		confirm_call(rig, w, (uint32_t)i, &q);
	}
	if (rig->stateful) /* they are pinned to be quick; in life nothing would be left of their transactions
			    */
		w->invites_pinned = 0;
	for (uint32_t i = answered; i < rig->calls; i++)
		begin_call(rig, w, i, &q);
}

/* True if Weir itself, reading an INVITE of ours, recognises it by what mint_identity() says. Notes its CSeq.
 */
static bool identity_agrees(struct rig *rig)
{
	struct template *t = &rig->mint.templates[INVITE];
	struct identity id = mint_identity(&rig->mint, 0, t->frame);
	struct dp_msg msg = { .call_hash = id.call_hash, .pkt.src = rig->mint.caller };
	struct dp_ctx c = { .msg = &msg };
	enum st_end end;

	return sip_scan(SIP_PLAIN, (char *)t->frame + t->payload, (uint32_t)(t->n - t->payload), &msg.sip) ==
		       SIP_GOOD &&
	       dp_query(rig->dp, rig->mint.policy, &c, &end) && c.q.via_hash == id.via_hash &&
	       c.q.from_hash == id.from_hash && (rig->cseq = c.q.cseq) > 0;
}

/*
 * The RX callback: turns templates into messages. Those of one turn through a mix belong to different calls,
 * so that the calls of a mix lie all over the table.
 */
static uint16_t patch_burst(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n, uint16_t max,
			    void *arg)
{
	struct feed *f = arg;
	const struct mix_info *mix = &mix_info[f->mix];

	if (f->end && f->next >= f->end) {
		rte_pktmbuf_free_bulk(frames, n);
		if (f->stop)
			__atomic_store_n(f->stop, true, __ATOMIC_RELAXED);
		return 0;
	}
	for (uint16_t i = 0; i < n && !f->off; i++) {
		uint8_t *frame = rte_pktmbuf_mtod(frames[i], uint8_t *);
		enum message message = frame_message(frame);
		uint64_t call = f->next;

		for (uint8_t k = 0; k < mix->n; k++)
			call -= mix->message[k] == message ? f->behind[k] : 0;
		if (f->window)
			call = f->base + call % f->window;
		mint_frame(f->mint, message, call, frame);
		f->next += message == mix->message[mix->n - 1];
	}
	return n;
}

static bool write_pcaps(struct rig *rig, const struct rig_spec *spec, char devices[MIXES][NET_DEVICE])
{
	for (uint32_t i = 0; i < rig->n_ports; i++) {
		uint8_t mac[NET_MAC] = { 2, 0x70, 0x63, 0x61, 0x70, (uint8_t)i }; /* net_pcap's, in turn */
		char path[NET_DEVICE - 48];

		snprintf(path, sizeof(path), "%s/%s.pcap", spec->dir, mix_info[i].name);
		snprintf(devices[i], NET_DEVICE, "net_pcap,rx_pcap=%s,infinite_rx=1", path);
		if (!pcap_write(&rig->mint, (enum mix)i, mac, path)) {
			perror(path);
			return false;
		}
	}
	return true;
}

static bool make_lanes(struct rig *rig, uint32_t n)
{
	for (; rig->stats.n < n; rig->stats.n++) {
		void *mem = aligned_alloc(64, st_lane_size(RIG_GATEWAYS, 1));

		if (!mem)
			return false;
		rig->stats.lane[rig->stats.n] = st_lane_init(mem, "", RIG_GATEWAYS, 1);
	}
	return true;
}

static struct dp *start_dp(struct rig *rig, const struct rig_spec *spec, char devices[MIXES][NET_DEVICE])
{
	static const uint16_t cpus[2] = { 1, 0 };
	struct net_device eal_devices[MIXES];
	struct dp_plan plan = {
		.eal = { .program = spec->program,
			 .node = "bench",
			 .pid = (uint32_t)getpid(),
			 .main_cpu = 0,
			 .n_workers = (uint16_t)spec->workers,
			 .worker_cpus = cpus,
			 .memory_mb = MEMORY_MB,
			 .n_devices = rig->n_ports,
			 .devices = eal_devices },
		.workers = { { 1, -1 }, { 0, -1 } },
		.listeners = { { .name = "core", .addr = v4("198.51.100.10") } },
		.n_workers = spec->workers,
		.n_ports = rig->n_ports,
		.n_listeners = 1,
		.tables.pins = spec->calls,
		.tables.pin_ns = PIN_NS,
		.tables.ringing_ns = RINGING_NS,
		.tables.words = rig->words,
		.stats = &rig->stats,
	};
	char err[256];
	struct dp *dp;

	if (spec->stateful) {
		plan.tables.timers = timers;
		plan.tables.ringing_ns = NEVER_NS;
		plan.tables.setups = plan.kept = SETUPS;
		plan.tables.calls = spec->calls + spec->calls / 4;
	}
	for (uint32_t i = 0; i < rig->n_ports; i++) {
		eal_devices[i] = (struct net_device){ .text = devices[i] };
		plan.ports[i] =
			(struct dp_port_plan){ .name = mix_info[i].name, .device = devices[i], .mtu = MTU };
	}
	dp = dp_start(&plan, err, sizeof(err));
	if (!dp)
		fprintf(stderr, "%s\n", err);
	return dp;
}

/* How far the messages of a call are apart: evenly, or with all the time between its ACK and its BYE. */
static void set_lags(const struct rig *rig, struct feed *f)
{
	for (uint32_t k = 0; k < MIX_FRAMES; k++)
		f->behind[k] = rig->stateful ? k * SETUP_LAG : k * (rig->calls / MIX_FRAMES);
	if (rig->stateful) {
		f->behind[MIX_FRAMES - 2] = rig->calls - SETUP_LAG;
		f->behind[MIX_FRAMES - 1] = rig->calls;
	}
}

static void make_feeds(struct rig *rig)
{
	for (uint32_t i = 0; i < rig->n_ports; i++) {
		rig->feeds[i] = (struct feed){
			.mint = &rig->mint,
			.mix = (enum mix)i,
			/* new calls of one mix are none of another's, which may have been refused */
			.next = rig->calls + ((uint64_t)i << 32),
			.window =
				mix_info[i].message[0] == INVITE ? 0 : rig->calls, /* others begin no calls */
		};
		set_lags(rig, &rig->feeds[i]);
		rte_eth_add_rx_callback(dp_port(rig->dp, i)->id, 0, patch_burst, &rig->feeds[i]);
	}
}

bool rig_start(struct rig *rig, const struct rig_spec *spec)
{
	const struct addr listener = v4("198.51.100.10");
	char devices[MIXES][NET_DEVICE];

	*rig = (struct rig){
		.calls = spec->calls,
		.stateful = spec->stateful,
		.n_ports = spec->workers > 1 ? 1 : MIXES,
		.mint.stateful = spec->stateful,
	};
	rig->mint.caller = v4("192.0.2.20");
	rig->mint.gateway = v4("198.51.100.21");
	rig->words = aligned_alloc(64, lb_words_size());
	if (!rig->words || !make_lanes(rig, spec->workers))
		return false;
	lb_words_init(rig->words);
	if (!templates_load(&rig->mint, spec->data, &listener) || !write_pcaps(rig, spec, devices))
		return false;
	rig->dp = start_dp(rig, spec, devices);
	if (!rig->dp)
		return false;
	rig->dp->stop = true;
	rte_eal_mp_wait_lcore();
	rig->mint.policy = make_policy(&rig->mint);
	rig->hops = make_hops(rig, false);
	rig->no_hops = make_hops(rig, true);
	if (!rig->mint.policy || !rig->hops || !rig->no_hops)
		return false;
	if (!identity_agrees(rig)) {
		fprintf(stderr, "frames.c and query.c do not agree on what a request is recognised by\n");
		return false;
	}
	for (uint16_t i = 0; i < RIG_GATEWAYS && rig->stateful; i++)
		lb_set_gateway_calls(rig->words, i, MANY);
	for (uint32_t i = 0; i < spec->workers; i++)
		fill_tables(rig, rig->dp->workers[i]->lb);
	rig_admit(rig, true);
	make_feeds(rig);
	dp_publish_policy(rig->dp, -1, (struct lb_snapshot *)rig->mint.policy);
	dp_publish_hops(rig->dp, rig->hops);
	return true;
}

void rig_admit(struct rig *rig, bool all)
{
	for (uint16_t i = 0; i < RIG_GATEWAYS; i++)
		lb_set_gateway_cps(rig->words, i, all ? PLENTY : 0);
}

size_t rig_calls_bytes(const struct rig *rig)
{
	return calls_size(rig->dp->workers[0]->lb->calls.spec.n);
}

size_t rig_setups_bytes(const struct rig *rig)
{
	return setups_size(rig->dp->workers[0]->lb->setups.n) +
	       (size_t)keep_chunks(rig->dp->workers[0]->keep) * KEEP_CHUNK;
}

void rig_stop(struct rig *rig)
{
	net_hops_free(rig->no_hops);
	dp_stop(rig->dp);
	for (uint32_t i = 0; i < rig->stats.n; i++)
		free(rig->stats.lane[i]);
	free(rig->words);
}
