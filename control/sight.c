/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What `weirctl show` shows, as JSON: raw numbers, the unit in the key (`_s`, `_ms`, `cps`), names and never
 * indexes. Control thread; reads words and counters that the workers go on writing, changes nothing.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_version.h>

#include "conf/conf.h"
#include "control/api.h"
#include "control/apply.h"
#include "control/control.h"
#include "control/operate.h"

const char *ctl_dpdk_version(void)
{
	const char *text = rte_version(), *number = strchr(text, ' '); /* "DPDK 22.11.11" */

	return number ? number + 1 : text;
}

static json_t *address(const struct addr *addr)
{
	char text[CONF_ADDR_TEXT];

	conf_addr_text(addr, text);
	return json_string(text);
}

static json_t *prefix(const struct conf_prefix *p)
{
	char text[CONF_ADDR_TEXT + 8], addr[CONF_ADDR_TEXT];

	conf_addr_text(&p->addr, addr);
	snprintf(text, sizeof(text), "%s/%u", addr, p->bits);
	return json_string(text);
}

static json_t *limit(uint32_t most)
{
	return most == LB_UNLIMITED ? json_null() : json_integer(most);
}

static double seconds(uint64_t ns)
{
	return (double)ns / 1e9;
}

static double since(uint64_t then)
{
	uint64_t now = dp_now();

	return now > then ? seconds(now - then) : 0;
}

/* ---- Gateways and pools ---------------------------------------------------------------------------------
 */

static const char *const probe_end[] = {
	[CTL_PROBE_WAITING] = "waiting",
	[CTL_PROBE_ANSWERED] = "answered",
	[CTL_PROBE_TIMEOUT] = "timeout",
	[CTL_PROBE_UNSENT] = "unsent",
};

static json_t *probe(const struct ctl_probe *p)
{
	json_t *o = json_pack("{s:s, s:f}", "result", probe_end[p->end], "age_s", since(p->sent));

	if (p->end == CTL_PROBE_ANSWERED) {
		json_object_set_new(o, "status", json_integer(p->status));
		json_object_set_new(o, "rtt_ms", json_real((double)p->rtt_ns / 1e6));
	}
	return o;
}

/* The newest probe that has ended, or null. */
static json_t *last_probe(const struct ctl_gateway *g)
{
	for (uint32_t i = 0; i < g->n_probes; i++)
		if (g->probes[i].end != CTL_PROBE_WAITING)
			return probe(&g->probes[i]);
	return json_null();
}

/* Brings `share` up to date for this pool. */
static void share_of_pool(const struct app *app, uint32_t pool, struct ctl_share *share)
{
	struct ctl_pool p;
	struct ctl_gateway g;

	if (share->pool == pool)
		return;
	*share = (struct ctl_share){ .pool = pool, .tier = UINT8_MAX };
	ctl_pool(app, pool, &p);
	for (uint32_t i = p.first; i < p.first + p.n; i++) {
		ctl_gateway(app, i, &g);
		if (!ctl_takes_work(&g) || g.tier > share->tier)
			continue;
		if (g.tier < share->tier)
			share->weight = 0;
		share->tier = g.tier;
		share->weight += g.weight;
	}
}

static json_t *responses(const struct st_gateway *sum)
{
	const uint64_t *c = sum->count + ST_GW_RESPONSES_1XX;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "1xx", (json_int_t)c[0], "2xx", (json_int_t)c[1],
			 "3xx", (json_int_t)c[2], "4xx", (json_int_t)c[3], "5xx", (json_int_t)c[4], "6xx",
			 (json_int_t)c[5]);
}

/* Keys that the operator has set, with what the file says of them; NULL if there is none. */
static json_t *set_keys(const struct app *app, uint32_t index,
			bool (*changed)(const struct app *, uint32_t, enum operate_key, uint32_t *))
{
	json_t *o = json_object();
	uint32_t file;

	for (enum operate_key k = 0; k < OPERATE_KEYS; k++)
		if (changed(app, index, k, &file))
			json_object_set_new(o, operate_key_name(k), limit(file));
	if (json_object_size(o))
		return o;
	json_decref(o);
	return NULL;
}

json_t *ctl_show_gateway(const struct ctl_call *call, uint32_t index, struct ctl_share *share)
{
	struct st_gateway sum;
	struct ctl_gateway g;
	json_t *o;

	ctl_gateway(call->app, index, &g);
	st_sum_gateway(call->app->stats, g.slot, &sum);
	share_of_pool(call->app, g.pool_index, share);
	o = json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:f, s:s, s:i, s:i}", "name", g.name, "pool", g.pool,
		      "address", address(&g.addr), "state", ctl_gateway_state(&g), "health",
		      ctl_health_name(g.health), "admin", ctl_admin_name(g.admin), "since_s", since(g.since),
		      "why", g.why, "tier", g.tier + 1, "weight", g.weight);
	json_object_set_new(o, "share",
			    json_real(ctl_takes_work(&g) && g.tier == share->tier
					      ? (double)g.weight / share->weight
					      : 0.0));
	json_object_set_new(o, "cps", json_real(ctl_rates_cps(call->app->rates, index)));
	json_object_set_new(o, "max_cps", limit(g.max_cps));
	json_object_set_new(o, "calls", json_integer(g.calls));
	json_object_set_new(o, "survivors", json_integer(g.survivors));
	json_object_set_new(o, "max_calls", limit(g.max_calls));
	json_object_set_new(o, "new_calls", json_integer((json_int_t)sum.count[ST_GW_CALLS]));
	json_object_set_new(o, "requests", json_integer((json_int_t)sum.count[ST_GW_REQUESTS]));
	json_object_set_new(o, "requests_from", json_integer((json_int_t)sum.count[ST_GW_REQUESTS_FROM]));
	json_object_set_new(o, "responses", responses(&sum));
	json_object_set_new(o, "skipped",
			    json_pack("{s:I, s:I, s:I}", "max_cps", (json_int_t)sum.count[ST_GW_SKIPPED_CPS],
				      "max_calls", (json_int_t)sum.count[ST_GW_SKIPPED_CALLS], "state",
				      (json_int_t)sum.count[ST_GW_SKIPPED_STATE]));
	json_object_set_new(o, "probed", json_boolean(g.probed));
	json_object_set_new(o, "probe", last_probe(&g));
	json_object_set_new(o, "config", set_keys(call->app, index, operate_gateway_changed));
	return o;
}

json_t *ctl_show_gateway_more(const struct ctl_call *call, uint32_t index)
{
	struct ctl_share share = { .pool = UINT32_MAX };
	json_t *o = ctl_show_gateway(call, index, &share), *list = json_array();
	struct ctl_listener listener;
	struct st_gateway sum;
	struct ctl_gateway g;

	ctl_gateway(call->app, index, &g);
	ctl_listener(call->app, g.listener, &listener);
	st_sum_gateway(call->app->stats, g.slot, &sum);
	json_object_set_new(o, "listener", json_string(listener.name));
	json_object_set_new(o, "response_time",
			    json_pack("{s:I, s:f, s:f}", "count", (json_int_t)st_hist_count(&sum.response),
				      "p50_ms", (double)st_hist_quantile(&sum.response, 0.5) / 1e6, "p99_ms",
				      (double)st_hist_quantile(&sum.response, 0.99) / 1e6));
	json_object_set_new(o, "failures", json_integer(g.failures));
	json_object_set_new(o, "successes", json_integer(g.successes));
	for (uint32_t i = 0; i < g.n_probes; i++)
		json_array_append_new(list, probe(&g.probes[i]));
	json_object_set_new(o, "probes", list);
	return o;
}

json_t *ctl_show_pool(const struct ctl_call *call, uint32_t index)
{
	struct ctl_share share = { .pool = UINT32_MAX };
	struct ctl_gateway g;
	struct ctl_pool p;
	double cps = 0;
	uint64_t max = 0, max_calls = 0, calls = 0;
	bool limited = true, calls_limited = true;

	ctl_pool(call->app, index, &p);
	share_of_pool(call->app, index, &share);
	for (uint32_t i = p.first; i < p.first + p.n; i++) {
		ctl_gateway(call->app, i, &g);
		cps += ctl_rates_cps(call->app->rates, i);
		limited = limited && g.max_cps != LB_UNLIMITED;
		calls_limited = calls_limited && g.max_calls != LB_UNLIMITED;
		calls += (uint64_t)g.calls + g.survivors;
		max_calls += g.max_calls;
		if (ctl_takes_work(&g))
			max += g.max_cps;
	}
	return json_pack("{s:s, s:s, s:i, s:i, s:i, s:o, s:f, s:o, s:I, s:o}", "name", p.name, "state",
			 !p.ready     ? "down"
			 : p.full     ? "full"
			 : p.up < p.n ? "partial"
				      : "up",
			 "gateways", p.n, "up", p.up, "ready", p.ready, "tier",
			 share.weight ? json_integer(share.tier + 1) : json_null(), "cps", cps, "max_cps",
			 limited ? json_integer((json_int_t)max) : json_null(), "calls", (json_int_t)calls,
			 "max_calls", calls_limited ? json_integer((json_int_t)max_calls) : json_null());
}

/* ---- Peers, workers, ports --------------------------------------------------------------------------------
 */

json_t *ctl_show_peer(const struct ctl_call *call, uint32_t index)
{
	static const char *const when_full[] = {
		[CONF_FULL_503_RETRY_AFTER] = "503+retry-after",
		[CONF_FULL_503] = "503",
		[CONF_FULL_500] = "500",
	};
	const struct conf_peer *p = &call->app->conf->peers[index];
	json_t *from = json_array();
	struct st_peer sum;

	st_sum_peer(call->app->stats, index, &sum);
	for (uint32_t i = 0; i < p->n_from; i++)
		json_array_append_new(from, prefix(&p->from[i]));
	return json_pack(
		"{s:s, s:o, s:i, s:o, s:i, s:o, s:s, s:I, s:I, s:I, s:I, s:o*}", "name", p->name, "from",
		from, "share", p->share, "max_cps",
		limit(p->max_cps == CONF_NONE ? LB_UNLIMITED : p->max_cps), "calls",
		lb_peer_calls(call->app->words, call->app->policy->peer_specs[index].slot), "max_calls",
		limit(p->max_calls == CONF_NONE ? LB_UNLIMITED : p->max_calls), "answer_when_full",
		when_full[p->answer_when_full], "requests", (json_int_t)sum.count[ST_PEER_REQUESTS],
		"refused", (json_int_t)sum.count[ST_PEER_REFUSED], "over_share",
		(json_int_t)sum.count[ST_PEER_OVER_SHARE], "limited", (json_int_t)sum.count[ST_PEER_LIMITED],
		"config", set_keys(call->app, index, operate_peer_changed));
}

static json_int_t count_of(const struct st_lane *lane, unsigned int id)
{
	return (json_int_t)st_cell_read(&lane->count[id]);
}

json_t *ctl_show_worker(const struct ctl_call *call, uint32_t index)
{
	const struct st_lane *lane = call->app->stats->lane[index];
	const struct lb_worker *tables = dp_worker_tables(call->app->dp, index);
	struct ctl_worker w;
	json_t *o;
	struct st_hist h = { 0 };

	ctl_worker(call->app, index, &w);
	st_hist_merge(&h, &lane->forward);
	o = json_pack(
		"{s:i, s:i, s:i, s:s, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:i, s:I, s:i, s:i, s:f, s:f, s:f}",
		"worker", index, "core", w.info.core, "numa", w.info.numa, "state",
		w.stuck ? "stuck" : "running", "silent_ms", (double)w.silent_ns / 1e6, "busy",
		ctl_rates_busy(call->app->rates, index), "messages", count_of(lane, ST_HANDLED), "rx_frames",
		count_of(lane, ST_RX_FRAMES), "tx_frames", count_of(lane, ST_TX_FRAMES), "handed_out",
		count_of(lane, ST_HANDOFF_OUT), "handed_in", count_of(lane, ST_HANDOFF_IN), "inbox",
		w.info.inbox, "naps", count_of(lane, ST_NAPS), "buffers_free", w.info.pool_free, "buffers",
		w.info.pool_size, "messages_per_s", ctl_rates_messages(call->app->rates, index),
		"forward_p50_us", (double)st_hist_quantile(&h, 0.5) / 1e3, "forward_p99_us",
		(double)st_hist_quantile(&h, 0.99) / 1e3);
	json_object_set_new(o, "calls", json_integer(lb_call_count(tables)));
	json_object_set_new(o, "calls_room", json_integer(lb_call_limit(tables)));
	json_object_set_new(o, "setups", json_integer(lb_setup_count(tables)));
	json_object_set_new(o, "setups_room", json_integer(lb_setup_limit(tables)));
	json_object_set_new(o, "kept", json_integer(w.info.kept_size - w.info.kept_free));
	json_object_set_new(o, "kept_room", json_integer(w.info.kept_size));
	return o;
}

/* What the driver counts, as keys of `o`. */
static void port_traffic(json_t *o, const struct net_port_info *net)
{
	const struct {
		const char *key;
		uint64_t value;
	} counts[] = {
		{ "rx_packets", net->rx_packets }, { "tx_packets", net->tx_packets },
		{ "rx_bytes", net->rx_bytes },     { "tx_bytes", net->tx_bytes },
		{ "rx_missed", net->rx_missed },   { "rx_errors", net->rx_errors },
		{ "tx_errors", net->tx_errors },   { "rx_nombuf", net->rx_nombuf },
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		json_object_set_new(o, counts[i].key, json_integer((json_int_t)counts[i].value));
}

/* A tap whose interface lives in another network namespace is beyond the driver's sight: it says down. */
static const char *link_state(const struct net_port *port, const struct net_port_info *net)
{
	if (net->link_up)
		return "up";
	return port->iface[0] && !if_nametoindex(port->iface) ? "unknown" : "down";
}

json_t *ctl_show_port(const struct ctl_call *call, uint32_t index)
{
	const struct conf_port *conf = &call->app->conf->ports[index];
	const struct net_port *port = dp_port(call->app->dp, index);
	json_t *addresses = json_array(), *o;
	struct net_port_info net = { 0 };
	struct ctl_port p;
	char mac[18];

	ctl_port(call->app, index, &p);
	net_port_info(port, &net);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", net.mac[0], net.mac[1], net.mac[2],
		 net.mac[3], net.mac[4], net.mac[5]);
	for (uint32_t i = 0; i < conf->n_addresses; i++)
		json_array_append_new(addresses, prefix(&conf->addresses[i]));
	o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:i, s:i, s:i, s:s, s:i, s:b, s:b}", "name", p.name,
		      "device", p.device, "driver", net.driver, "mac", mac, "twin", p.twin, "addresses",
		      addresses, "mtu", p.mtu, "queues", net.queues, "worker",
		      dp_port_worker(call->app->dp, index, 0), "link", link_state(port, &net), "link_mbps",
		      net.link_mbps, "hw_rx_checksum", net.hw_rx_csum, "hw_tx_checksum", net.hw_tx_csum);
	port_traffic(o, &net);
	return o;
}

/* ---- The whole --------------------------------------------------------------------------------------------
 */

static json_t *listeners(const struct app *app)
{
	json_t *list = json_array();
	struct ctl_listener l;
	struct ctl_port p;

	for (uint32_t i = 0; i < ctl_listener_count(app); i++) {
		ctl_listener(app, i, &l);
		ctl_port(app, l.port, &p);
		json_array_append_new(list,
				      json_pack("{s:s, s:o, s:s, s:s*}", "name", l.name, "address",
						address(&l.addr), "port", p.name, "advertise", l.advertise));
	}
	return list;
}

/* Ends summed by outcome. */
static json_t *outcomes(const uint64_t sums[ST_COUNT])
{
	uint64_t by[ST_OUT_COUNT] = { 0 };
	json_t *o = json_object();

	for (unsigned int id = 0; id < ST_END_COUNT; id++)
		by[st_info(id)->outcome] += sums[id];
	for (unsigned int out = 0; out < ST_OUT_COUNT; out++)
		json_object_set_new(o, st_outcome_name(out), json_integer((json_int_t)by[out]));
	return o;
}

json_t *ctl_show_status(const struct ctl_call *call)
{
	uint64_t sums[ST_COUNT];
	struct ctl_node n;
	char started[32];
	struct tm tm;
	json_t *o;

	ctl_node(call->app, &n);
	st_sum(call->app->stats, sums);
	strftime(started, sizeof(started), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&n.started_at, &tm));
	o = json_pack("{s:s, s:s, s:s, s:i, s:s, s:f, s:s, s:b, s:b, s:i, s:i, s:i, s:i, s:i, s:i}", "node",
		      n.name, "version", n.version, "dpdk", ctl_dpdk_version(), "pid", n.pid, "started",
		      started, "uptime_s", seconds(n.uptime_ns), "config", n.file, "serving", n.serving,
		      "draining", n.draining, "workers", n.workers, "ports", n.ports, "pools", n.pools,
		      "gateways", n.gateways, "gateways_up", n.gateways_up, "gateways_ready",
		      n.gateways_ready);
	json_object_set_new(o, "sip_datagrams", json_integer((json_int_t)sums[ST_RX_SIP]));
	json_object_set_new(o, "ends", outcomes(sums));
	json_object_set_new(o, "listeners", listeners(call->app));
	return o;
}

/*
 * true: the laws hold. false: they are broken and nothing moves, so that something was lost or counted twice.
 * null: they do not hold in this reading, but the workers are at work, and a reading of moving counters is
 * not exact.
 */
static json_t *conserved(const struct ctl_call *call, const uint64_t sums[ST_COUNT])
{
	char text[256] = "";
	const char *law = st_conserved(sums, text, sizeof(text));

	if (!law)
		return json_pack("{s:b}", "holds", true);
	return json_pack("{s:o, s:s, s:s}", "holds",
			 ctl_rates_quiet(call->app->rates) ? json_false() : json_null(), "law", law, "text",
			 text);
}

json_t *ctl_show_drops(const struct ctl_call *call)
{
	json_t *ends = json_array(), *counters = json_array();
	uint64_t sums[ST_COUNT];
	const struct st_info *info;

	st_sum(call->app->stats, sums);
	for (unsigned int id = 0; id < ST_COUNT; id++) {
		info = st_info(id);
		if (id < ST_END_COUNT)
			json_array_append_new(ends, json_pack("{s:s, s:s, s:I, s:s}", "outcome",
							      st_outcome_name(info->outcome), "reason",
							      info->reason, "count", (json_int_t)sums[id],
							      "help", info->help));
		else
			json_array_append_new(counters,
					      json_pack("{s:s, s:I, s:s}", "name", info->name, "count",
							(json_int_t)sums[id], "help", info->help));
	}
	return json_pack("{s:o, s:o, s:o}", "ends", ends, "counters", counters, "conserved",
			 conserved(call, sums));
}
