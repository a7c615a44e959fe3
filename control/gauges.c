/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gauges of /metrics: what is not counted but looked at when somebody scrapes. Each function gives series i
 * of its family, false past the last. Control thread; reads only.
 */
#include "control/gauges.h"

#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "lb/govern/govern.h"

typedef bool(gauge_h)(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g);

static bool gauge_up(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_node n;

	ctl_node(s->app, &n);
	g->value = n.serving;
	return i == 0;
}

static bool gauge_build_info(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	st_label(g, "version", WEIR_VERSION);
	st_label(g, "dpdk", ctl_dpdk_version());
	g->value = 1;
	return i == 0;
}

static bool gauge_start_time(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	g->value = (double)s->app->started_at;
	return i == 0;
}

/* Gateway `i`, its labels set; false past the last. */
static bool gateway_at(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g, struct ctl_gateway *gw)
{
	if (i >= ctl_gateway_count(s->app))
		return false;
	ctl_gateway(s->app, i, gw);
	st_label(g, "pool", gw->pool);
	st_label(g, "gateway", gw->name);
	return true;
}

static bool gauge_gateway_state(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	static const char *const states[] = { "up",   "saturated", "probing", "slowstart",
					      "down", "drain",     "maint" };
	const uint32_t n = sizeof(states) / sizeof(states[0]);
	struct ctl_gateway gw;

	if (!gateway_at(s, i / n, g, &gw))
		return false;
	st_label(g, "state", states[i % n]);
	g->value = !strcmp(states[i % n], ctl_gateway_state(&gw));
	return true;
}

/* What the governor says of gateway `i`, its labels set; false past the last, and without a governor. */
static bool congestion_at(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g, struct lb_congestion *c)
{
	struct ctl_gateway gw;

	if (!s->app->governor || !gateway_at(s, i, g, &gw))
		return false;
	ctl_congestion(s->app, i, c);
	return true;
}

static bool gauge_gateway_open(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct lb_congestion c;

	if (!congestion_at(s, i, g, &c))
		return false;
	g->value = c.open;
	return true;
}

static bool gauge_gateway_open_cap(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct lb_congestion c;

	if (!congestion_at(s, i, g, &c))
		return false;
	g->value = c.open_cap == LB_UNLIMITED ? 0 : c.open_cap;
	return true;
}

static bool gauge_gateway_rate_cap(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct lb_congestion c;

	if (!congestion_at(s, i, g, &c))
		return false;
	g->value = c.rate == LB_UNLIMITED ? 0 : c.rate;
	return true;
}

static bool gauge_gateway_weight(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_gateway gw;

	if (!gateway_at(s, i, g, &gw))
		return false;
	g->value = gw.weight;
	return true;
}

static bool gauge_gateway_max_cps(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_gateway gw;

	if (!gateway_at(s, i, g, &gw))
		return false;
	g->value = gw.max_cps == LB_UNLIMITED ? 0 : gw.max_cps;
	return true;
}

static bool gauge_gateway_calls(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_gateway gw;

	if (!gateway_at(s, i, g, &gw))
		return false;
	g->value = gw.calls;
	return true;
}

static bool gauge_gateway_survivors(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_gateway gw;

	if (!gateway_at(s, i, g, &gw))
		return false;
	g->value = gw.survivors;
	return true;
}

static bool gauge_gateway_max_calls(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_gateway gw;

	if (!gateway_at(s, i, g, &gw))
		return false;
	g->value = gw.max_calls == LB_UNLIMITED ? 0 : gw.max_calls;
	return true;
}

static bool gauge_pool_short(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_pool pool;

	if (!s->app->governor || i >= ctl_pool_count(s->app))
		return false;
	ctl_pool(s->app, i, &pool);
	st_label(g, "pool", pool.name);
	g->value = ctl_pool_short(s->app, i);
	return true;
}

/* The peer of the config, with its label in g; NULL past the last one. */
static const struct conf_peer *peer_at(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	const struct conf *conf = s->app->conf;

	if (i >= conf->n_peers)
		return NULL;
	st_label(g, "peer", conf->peers[i].name);
	return &conf->peers[i];
}

static bool gauge_peer_calls(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	const struct app *app = s->app;

	if (!peer_at(s, i, g))
		return false;
	g->value = lb_peer_calls(app->words, app->policy->peer_specs[i].slot);
	return true;
}

static bool gauge_peer_max_calls(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	const struct conf_peer *peer = peer_at(s, i, g);

	if (!peer)
		return false;
	g->value = peer->max_calls == CONF_NONE ? 0 : peer->max_calls;
	return true;
}

static bool gauge_worker_busy(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	if (i >= ctl_worker_count(s->app))
		return false;
	st_label(g, "worker", s->app->stats->lane[i]->name);
	g->value = ctl_rates_busy(s->app->rates, i);
	return true;
}

static bool gauge_port_xstat(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_port port;

	if (i >= s->n_xstats)
		return false;
	ctl_port(s->app, s->xstats[i].port, &port);
	st_label(g, "port", port.name);
	st_label(g, "name", s->xstats[i].name);
	g->value = (double)s->xstats[i].value;
	return true;
}

static bool gauge_ring_occupancy(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_worker w;

	if (i >= ctl_worker_count(s->app))
		return false;
	ctl_worker(s->app, i, &w);
	st_label(g, "ring", "owner");
	st_label(g, "worker", s->app->stats->lane[i]->name);
	g->value = w.info.inbox;
	return true;
}

/* Table i % 3 of worker i / 3: its name in g, entries in use and all there are. False past the last. */
static bool table_at(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g, uint32_t *used,
		     uint32_t *size)
{
	static const char *const names[] = { "calls", "setups", "kept" };
	const struct lb_worker *tables;
	struct dp_worker_info info;

	if (i / 3 >= ctl_worker_count(s->app))
		return false;
	tables = dp_worker_tables(s->app->dp, i / 3);
	dp_worker_info(s->app->dp, i / 3, &info);
	st_label(g, "table", names[i % 3]);
	st_label(g, "worker", s->app->stats->lane[i / 3]->name);
	*used = i % 3 == 0   ? lb_call_count(tables)
		: i % 3 == 1 ? lb_setup_count(tables)
			     : info.kept_size - info.kept_free;
	*size = i % 3 == 0 ? lb_call_limit(tables) : i % 3 == 1 ? lb_setup_limit(tables) : info.kept_size;
	return true;
}

static bool gauge_table_entries(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	uint32_t used, size;

	if (!table_at(s, i, g, &used, &size))
		return false;
	g->value = used;
	return true;
}

static bool gauge_table_size(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	uint32_t used, size;

	if (!table_at(s, i, g, &used, &size))
		return false;
	g->value = size;
	return true;
}

static bool gauge_mempool_free(const struct ctl_gauges *s, uint32_t i, struct st_gauge *g)
{
	struct ctl_worker w;

	if (i >= ctl_worker_count(s->app))
		return false;
	ctl_worker(s->app, i, &w);
	st_label(g, "worker", s->app->stats->lane[i]->name);
	g->value = w.info.pool_free;
	return true;
}

bool gauges_series(void *arg, enum st_family family, uint32_t i, struct st_gauge *g)
{
	static gauge_h *const families[ST_FAM_COUNT] = {
		[ST_FAM_UP] = gauge_up,
		[ST_FAM_BUILD_INFO] = gauge_build_info,
		[ST_FAM_START_TIME] = gauge_start_time,
		[ST_FAM_GATEWAY_STATE] = gauge_gateway_state,
		[ST_FAM_GATEWAY_WEIGHT] = gauge_gateway_weight,
		[ST_FAM_GATEWAY_MAX_CPS] = gauge_gateway_max_cps,
		[ST_FAM_GATEWAY_CALLS] = gauge_gateway_calls,
		[ST_FAM_GATEWAY_SURVIVORS] = gauge_gateway_survivors,
		[ST_FAM_GATEWAY_MAX_CALLS] = gauge_gateway_max_calls,
		[ST_FAM_GATEWAY_OPEN] = gauge_gateway_open,
		[ST_FAM_GATEWAY_OPEN_CAP] = gauge_gateway_open_cap,
		[ST_FAM_GATEWAY_RATE_CAP] = gauge_gateway_rate_cap,
		[ST_FAM_POOL_SHORT] = gauge_pool_short,
		[ST_FAM_PEER_CALLS] = gauge_peer_calls,
		[ST_FAM_PEER_MAX_CALLS] = gauge_peer_max_calls,
		[ST_FAM_WORKER_BUSY] = gauge_worker_busy,
		[ST_FAM_PORT_XSTAT] = gauge_port_xstat,
		[ST_FAM_TABLE_ENTRIES] = gauge_table_entries,
		[ST_FAM_TABLE_SIZE] = gauge_table_size,
		[ST_FAM_MEMPOOL_FREE] = gauge_mempool_free,
		[ST_FAM_RING_OCCUPANCY] = gauge_ring_occupancy,
	};

	g->labels[0] = '\0';
	return families[family] && families[family](arg, i, g);
}

static void add_xstat(void *ctx, const char *name, uint64_t value)
{
	struct ctl_gauges *s = ctx;
	struct xstat *more;

	if (s->n_xstats == s->room) {
		more = realloc(s->xstats, (s->room + 256) * sizeof(*more));
		if (!more)
			return;
		s->xstats = more;
		s->room += 256;
	}
	more = &s->xstats[s->n_xstats++];
	*more = (struct xstat){ .port = s->reading, .value = value };
	strncat(more->name, name, sizeof(more->name) - 1);
}

void gauges_read(struct ctl_gauges *s, const struct app *app)
{
	*s = (struct ctl_gauges){ .app = app };
	for (; s->reading < ctl_port_count(app); s->reading++)
		net_port_xstats(dp_port(app->dp, s->reading), add_xstat, s);
}

void gauges_free(struct ctl_gauges *s)
{
	free(s->xstats);
}
