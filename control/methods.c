/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Everything that the control socket can be asked: one table at the end, its handlers above. Handlers find
 * their parameters checked (rpc.c) and return at once. Control thread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/api.h"
#include "control/apply.h"
#include "control/control.h"

/* ---- Names -----------------------------------------------------------------------------------------------
 */

int ctl_gateway_param(struct ctl_call *call)
{
	json_t *v = json_object_get(call->params, "gateway");
	const struct str name = { json_string_value(v), (uint32_t)json_string_length(v) };
	int index = ctl_gateway_find(call->app, name);

	if (index < 0)
		ctl_fail(call, CTL_ERR_NO_SUCH, json_pack("{s:O}", "gateway", v), "no gateway \"%.*s\"",
			 (int)(name.n < LIMIT_NAME ? name.n : LIMIT_NAME), name.p);
	return index < 0 ? -1 : index;
}

/* The same for parameter "pool"; -2 if it is not given. */
static int pool_param(struct ctl_call *call)
{
	json_t *v = json_object_get(call->params, "pool");
	const struct str name = { json_string_value(v), (uint32_t)json_string_length(v) };
	int index;

	if (!v)
		return -2;
	index = ctl_pool_find(call->app, name);
	if (index < 0)
		ctl_fail(call, CTL_ERR_NO_SUCH, json_pack("{s:O}", "pool", v), "no pool \"%.*s\"",
			 (int)(name.n < LIMIT_NAME ? name.n : LIMIT_NAME), name.p);
	return index < 0 ? -1 : index;
}

/* ---- Show ------------------------------------------------------------------------------------------------
 */

static int show_status(struct ctl_call *call)
{
	call->result = ctl_show_status(call);
	return 0;
}

/* {key: [one object for each index below n]} */
static int show_list(struct ctl_call *call, const char *key, uint32_t n,
		     json_t *(*show)(const struct ctl_call *call, uint32_t index))
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < n; i++)
		json_array_append_new(list, show(call, i));
	call->result = json_pack("{s:o}", key, list);
	return 0;
}

static int show_pools(struct ctl_call *call)
{
	return show_list(call, "pools", ctl_pool_count(call->app), ctl_show_pool);
}

static int show_peers(struct ctl_call *call)
{
	return show_list(call, "peers", call->app->conf->n_peers, ctl_show_peer);
}

static int show_workers(struct ctl_call *call)
{
	return show_list(call, "workers", ctl_worker_count(call->app), ctl_show_worker);
}

static int show_ports(struct ctl_call *call)
{
	return show_list(call, "ports", ctl_port_count(call->app), ctl_show_port);
}

static int show_drops(struct ctl_call *call)
{
	call->result = ctl_show_drops(call);
	return 0;
}

typedef json_t *gateway_picture(const struct ctl_call *call, uint32_t index, struct ctl_share *share);

/* At most LIMIT_API_PAGE gateways, so that no answer holds up the loop; `next` asks for the rest. */
static int show_part(struct ctl_call *call, gateway_picture *show)
{
	struct ctl_share share = { .pool = UINT32_MAX };
	uint32_t from = 0, end = ctl_gateway_count(call->app);
	json_int_t skip = json_integer_value(json_object_get(call->params, "from"));
	int pool = pool_param(call);
	struct ctl_pool p;
	json_t *list;

	if (pool == -1)
		return -1;
	if (pool >= 0) {
		ctl_pool(call->app, (uint32_t)pool, &p);
		from = p.first;
		end = p.first + p.n;
	}
	if (skip < 0 || skip > end - from)
		return ctl_fail(call, CTL_ERR_PARAMS, NULL, "\"from\" must be in 0..%u", end - from);
	list = json_array();
	from += (uint32_t)skip;
	for (uint32_t i = from; i < end && i < from + LIMIT_API_PAGE; i++)
		json_array_append_new(list, show(call, i, &share));
	call->result = json_pack("{s:o}", "gateways", list);
	if (end - from > LIMIT_API_PAGE)
		json_object_set_new(call->result, "next", json_integer(skip + LIMIT_API_PAGE));
	return 0;
}

static int show_gateways(struct ctl_call *call)
{
	return show_part(call, ctl_show_gateway);
}

static json_t *congestion_of(const struct ctl_call *call, uint32_t index, struct ctl_share *share)
{
	return ctl_show_congestion(call, index);
}

static int show_congestion(struct ctl_call *call)
{
	return show_part(call, congestion_of);
}

static int show_gateway(struct ctl_call *call)
{
	int index = ctl_gateway_param(call);

	if (index < 0)
		return -1;
	call->result = ctl_show_gateway_more(call, (uint32_t)index);
	return 0;
}

static int show_config(struct ctl_call *call)
{
	json_t *yaml = NULL, *tree;
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	int rc;

	if (!out)
		return ctl_fail(call, CTL_ERR_INTERNAL, NULL, "out of memory");
	rc = conf_print(call->app->conf, out);
	if (fclose(out) || rc) {
		free(text);
		return ctl_fail(call, CTL_ERR_INTERNAL, NULL, "out of memory");
	}
	yaml = json_stringn(text, n);
	tree = ctl_yaml_to_json(text, n);
	free(text);
	if (!yaml || !tree) {
		json_decref(yaml);
		json_decref(tree);
		return ctl_fail(call, CTL_ERR_INTERNAL, NULL, "config cannot be shown");
	}
	call->result = json_pack("{s:s, s:o, s:o}", "file", call->app->file, "yaml", yaml, "config", tree);
	return 0;
}

static int health(struct ctl_call *call)
{
	static const char *const words[] = {
		[CTL_OK] = "ok", [CTL_WARNING] = "warning", [CTL_CRITICAL] = "critical"
	};
	json_t *reasons = json_array();
	enum ctl_verdict v = ctl_verdict(call->app, reasons);
	struct ctl_node n;

	ctl_node(call->app, &n);
	call->result = json_pack("{s:s, s:o, s:s, s:i, s:i, s:i}", "health", words[v], "reasons", reasons,
				 "node", n.name, "gateways", n.gateways, "gateways_up", n.gateways_up,
				 "gateways_ready", n.gateways_ready);
	return 0;
}

/* Which gateway of each pool a new call with this Call-ID is meant for; who is down or full does not count.
 */
static int hash(struct ctl_call *call)
{
	const struct lb_snapshot *snapshot = call->app->policy->current;
	json_t *id = json_object_get(call->params, "call_id"), *list;
	struct ctl_gateway g;
	struct ctl_pool p;
	uint64_t call_hash;
	uint16_t slot;

	if (!snapshot)
		return ctl_fail(call, CTL_ERR_NOT_NOW, NULL, "no policy is published yet");
	call_hash = lb_hash(lb_snapshot_key(snapshot), json_string_value(id), json_string_length(id));
	list = json_array();
	for (uint32_t i = 0; i < ctl_pool_count(call->app); i++) {
		ctl_pool(call->app, i, &p);
		slot = lb_pick_ideal(snapshot, (uint16_t)i, call_hash);
		if (slot == LB_NONE) {
			json_array_append_new(list, json_pack("{s:s, s:n}", "pool", p.name, "gateway"));
			continue;
		}
		ctl_gateway(call->app, call->app->policy->by_slot[slot], &g);
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "pool", p.name, "gateway",
						      g.name, "health", ctl_health_name(g.health), "admin",
						      ctl_admin_name(g.admin)));
	}
	call->result = json_pack("{s:O, s:o}", "call_id", id, "pools", list);
	return 0;
}

#define GATEWAY_NAME                                                                                         \
	{                                                                                                    \
		"gateway", JSON_STRING, true, "name of the gateway"                                          \
	}

const struct ctl_method ctl_methods[] = {
	{ "show.status", "the node at a glance", false, {}, show_status },
	{ "show.pools", "pools and what is left of them", false, {}, show_pools },
	{ "show.gateways",
	  "gateways, at most 1000 from the from-th; next is where the rest starts",
	  false,
	  { { "pool", JSON_STRING, false, "only those of this pool" },
	    { "from", JSON_INTEGER, false, "skip so many" } },
	  show_gateways },
	{ "show.congestion",
	  "limits in force, why they moved last, signals beside their thresholds; pages as show.gateways",
	  false,
	  { { "pool", JSON_STRING, false, "only those of this pool" },
	    { "from", JSON_INTEGER, false, "skip so many" } },
	  show_congestion },
	{ "show.gateway", "one gateway with its last probes", false, { GATEWAY_NAME }, show_gateway },
	{ "show.peers", "known sources of calls", false, {}, show_peers },
	{ "show.workers", "poll-mode loops", false, {}, show_workers },
	{ "show.ports", "DPDK ports", false, {}, show_ports },
	{ "show.drops", "how messages and frames ended, and whether the sums fit", false, {}, show_drops },
	{ "show.config",
	  "running config: YAML that loads again, and the same as JSON",
	  false,
	  {},
	  show_config },
	{ "show.calls",
	  "calls in use, the first 100 that are found; total is how many there are",
	  false,
	  { { "gateway", JSON_STRING, false, "only those from or to it" },
	    { "call_id", JSON_STRING, false, "only those with this Call-ID" },
	    { "limit", JSON_INTEGER, false, "so many, at most 1000" } },
	  ctl_method_calls },
	{ "audit",
	  "whether the calls that limits go by are those that are known",
	  false,
	  {},
	  ctl_method_audit },
	{ "events",
	  "what happened, the newest 1024 at most; last is the number of the newest",
	  false,
	  { { "since", JSON_INTEGER, false, "only those after this number" } },
	  ctl_method_events },
	{ "hash",
	  "the gateway of each pool that a Call-ID is meant for",
	  false,
	  { { "call_id", JSON_STRING, true, "Call-ID as in the message" } },
	  hash },
	{ "why",
	  "how the last requests with a Call-ID were decided: who was asked, what stopped each, the end",
	  false,
	  { { "call_id", JSON_STRING, true, "Call-ID as in the message" } },
	  ctl_method_why },
	{ "health", "whether Weir can do its work, and why not", false, {}, health },
	{ "gateway.drain",
	  "no new calls to a gateway; what it has goes on",
	  true,
	  { GATEWAY_NAME },
	  ctl_method_drain },
	{ "gateway.maint",
	  "the same, no probes, and calls that it has not answered go to another",
	  true,
	  { GATEWAY_NAME },
	  ctl_method_maint },
	{ "gateway.ready", "new calls to a gateway again", true, { GATEWAY_NAME }, ctl_method_ready },
	{ "node.drain",
	  "503 with Retry-After to OPTIONS and new calls of all peers, but for emergency calls; calls in "
	  "progress go on",
	  true,
	  { { "away_s", JSON_STRING, false, "seconds that the node will be away, told as Retry-After" } },
	  ctl_method_node_drain },
	{ "node.ready", "new calls to the node again", true, {}, ctl_method_node_ready },
	{ "calls.left",
	  "calls of a gateway, or of all, and about when the last of them will have ended",
	  false,
	  { { "gateway", JSON_STRING, false, "only those of this gateway" } },
	  ctl_method_calls_left },
	{ "set",
	  "changes weight, max-cps or max-calls of a gateway, max-cps or max-calls of a peer",
	  true,
	  { { "name", JSON_STRING, true, "gateway, or peer if no gateway has that name" },
	    { "key", JSON_STRING, true, "weight, max-cps, max-calls" },
	    { "value", JSON_STRING, true, "as in the config; none lifts a limit, config takes it back" } },
	  ctl_method_set },
	{ 0 },
};
