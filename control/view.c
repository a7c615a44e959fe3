/* SPDX-License-Identifier: BSD-3-Clause */
/* What the servers may ask of the parts: copies for `show` and /metrics, and the operator's drain and ready.
 */
#include <errno.h>
#include <unistd.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/control.h"
#include "control/events.h"
#include "control/governor.h"
#include "control/health.h"
#include "control/loop.h"
#include "control/plan.h"

#define STUCK_NS 1000000000ull

const char *ctl_health_name(enum lb_health health)
{
	static const char *const names[] = { [LB_DOWN] = "down",
					     [LB_UP] = "up",
					     [LB_SATURATED] = "saturated",
					     [LB_PROBING] = "probing",
					     [LB_SLOWSTART] = "slowstart" };

	return names[health];
}

const char *ctl_admin_name(enum lb_admin admin)
{
	static const char *const names[] = {
		[LB_READY] = "ready", [LB_DRAIN] = "drain", [LB_MAINT] = "maint"
	};

	return names[admin];
}

const char *ctl_gateway_state(const struct ctl_gateway *g)
{
	bool by_health = g->admin == LB_READY || (g->admin == LB_DRAIN && g->health == LB_DOWN);

	return by_health ? ctl_health_name(g->health) : ctl_admin_name(g->admin);
}

bool ctl_takes_work(const struct ctl_gateway *g)
{
	return g->health != LB_DOWN && g->admin == LB_READY && g->weight;
}

/* What is alive but not quite well gets some calls, too. */
static bool is_up(const struct app *app, uint32_t index)
{
	return lb_get_health(app->words, app->policy->gateways[index].slot) != LB_DOWN;
}

static bool is_ready(const struct app *app, uint32_t index)
{
	const struct lb_gateway_spec *gw = &app->policy->gateways[index];

	return is_up(app, index) && lb_get_admin(app->words, gw->slot) == LB_READY && gw->weight;
}

void ctl_node(const struct app *app, struct ctl_node *out)
{
	*out = (struct ctl_node){
		.name = app->conf->node,
		.version = WEIR_VERSION,
		.file = app->file,
		.number = app->policy->node,
		.pid = (int)getpid(),
		.uptime_ns = dp_now() - app->started,
		.started_at = app->started_at,
		.serving = !app->stopping && app->policy->current,
		.draining = lb_is_draining(app->words),
		.workers = app->plan->dp.n_workers,
		.ports = app->plan->dp.n_ports,
		.listeners = app->plan->dp.n_listeners,
		.pools = ctl_pool_count(app),
		.gateways = ctl_gateway_count(app),
	};
	for (uint32_t i = 0; i < out->workers; i++) {
		struct ctl_worker w;

		ctl_worker(app, i, &w);
		out->serving = out->serving && !w.stuck;
	}
	for (uint32_t i = 0; i < out->gateways; i++) {
		out->gateways_up += is_up(app, i);
		out->gateways_ready += is_ready(app, i);
	}
}

static bool is_full(const struct app *app, const struct ctl_pool *pool)
{
	const struct ctl_policy *p = app->policy;
	bool any = false;

	for (uint32_t i = pool->first; i < pool->first + pool->n; i++) {
		const struct lb_gateway_spec *gw = &p->gateways[i];
		uint32_t max = app->conf->pools[gw->pool].gateways[i - pool->first].max_calls;

		if (!is_ready(app, i))
			continue;
		if (max == CONF_NONE || (uint64_t)lb_gateway_calls(app->words, gw->slot) +
							lb_get_survivors(app->words, gw->slot) <
						max)
			return false;
		any = true;
	}
	return any;
}

uint32_t ctl_pool_count(const struct app *app)
{
	return app->policy->spec.n_pools;
}

void ctl_pool(const struct app *app, uint32_t index, struct ctl_pool *out)
{
	const struct ctl_policy *p = app->policy;

	*out = (struct ctl_pool){ .name = p->pools[index].name.p,
				  .first = p->first[index],
				  .n = p->first[index + 1] - p->first[index] };
	for (uint32_t i = out->first; i < out->first + out->n; i++) {
		out->up += is_up(app, i);
		out->ready += is_ready(app, i);
	}
	out->full = is_full(app, out);
}

uint32_t ctl_gateway_count(const struct app *app)
{
	return app->policy->spec.n_gateways;
}

void ctl_gateway(const struct app *app, uint32_t index, struct ctl_gateway *out)
{
	const struct ctl_policy *p = app->policy;
	const struct lb_gateway_spec *gw = &p->gateways[index];
	const struct conf_gateway *conf = &app->conf->pools[gw->pool].gateways[index - p->first[gw->pool]];

	*out = (struct ctl_gateway){
		.name = gw->name.p,
		.pool = p->pools[gw->pool].name.p,
		.addr = gw->addr,
		.id = lb_gateway_id(gw->name),
		.slot = gw->slot,
		.pool_index = gw->pool,
		.weight = gw->weight,
		.tier = gw->tier,
		.listener = gw->listener,
		.max_cps = conf->max_cps,
		.max_calls = conf->max_calls,
		.calls = lb_gateway_calls(app->words, gw->slot),
		.survivors = lb_get_survivors(app->words, gw->slot),
		.health = lb_get_health(app->words, gw->slot),
		.admin = lb_get_admin(app->words, gw->slot),
		.since = app->started,
	};
	governor_view(app, index, out);
	health_view(app, index, out);
}

int ctl_gateway_find(const struct app *app, struct str name)
{
	int slot = slots_find(&app->policy->slots, name.p, name.n);

	if (slot < 0 || app->policy->by_slot[slot] == LB_NONE)
		return -ENOENT;
	return app->policy->by_slot[slot];
}

int ctl_pool_find(const struct app *app, struct str name)
{
	for (uint32_t i = 0; i < ctl_pool_count(app); i++)
		if (str_eq(app->policy->pools[i].name, name))
			return (int)i;
	return -ENOENT;
}

int ctl_gateway_admin(struct app *app, uint32_t index, enum lb_admin admin, const char *who)
{
	const struct lb_gateway_spec *gw = &app->policy->gateways[index];
	static const struct {
		enum ctl_event_kind kind;
		const char *text;
	} says[] = { [LB_READY] = { CTL_GATEWAY_READY, "READY" },
		     [LB_DRAIN] = { CTL_GATEWAY_DRAIN, "DRAIN" },
		     [LB_MAINT] = { CTL_GATEWAY_MAINT, "MAINT" } };

	if (lb_get_admin(app->words, gw->slot) == admin)
		return -EALREADY;
	lb_set_admin(app->words, gw->slot, admin);
	health_admin(app, index, admin);
	ctl_event(app, says[admin].kind, gw->name.p, "gateway %s: %s by %s", gw->name.p, says[admin].text,
		  who);
	return 0;
}

int ctl_node_drain(struct app *app, uint32_t retry_after_s, const char *who)
{
	lb_set_draining(app->words, true, retry_after_s);
	ctl_event(app, CTL_NODE_DRAIN, app->conf->node, "node %s: DRAIN by %s, Retry-After %u s",
		  app->conf->node, who, retry_after_s);
	return 0;
}

int ctl_node_ready(struct app *app, const char *who)
{
	if (!lb_is_draining(app->words))
		return -EALREADY;
	lb_set_draining(app->words, false, 0);
	ctl_event(app, CTL_NODE_READY, app->conf->node, "node %s: READY by %s", app->conf->node, who);
	return 0;
}

uint32_t ctl_worker_count(const struct app *app)
{
	return app->plan->dp.n_workers;
}

void ctl_worker(const struct app *app, uint32_t index, struct ctl_worker *out)
{
	uint64_t now;

	*out = (struct ctl_worker){ 0 };
	dp_worker_info(app->dp, index, &out->info);
	now = dp_now();
	out->silent_ns = now > out->info.heartbeat ? now - out->info.heartbeat : 0;
	out->stuck = out->silent_ns >= STUCK_NS;
}

uint32_t ctl_port_count(const struct app *app)
{
	return app->plan->dp.n_ports;
}

void ctl_port(const struct app *app, uint32_t index, struct ctl_port *out)
{
	const struct conf_port *port = &app->conf->ports[index];

	*out = (struct ctl_port){ .name = port->name,
				  .device = port->device,
				  .twin = loop_twin(app, index),
				  .mtu = (uint16_t)port->mtu };
}

uint32_t ctl_listener_count(const struct app *app)
{
	return app->plan->dp.n_listeners;
}

void ctl_listener(const struct app *app, uint32_t index, struct ctl_listener *out)
{
	const struct dp_listener_plan *l = &app->plan->dp.listeners[index];

	*out = (struct ctl_listener){
		.name = l->name, .addr = l->addr, .port = l->port, .advertise = l->advertise
	};
}
