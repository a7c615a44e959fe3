/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The governor's clock: a step every 100 ms by the event loop, and its notices as events. A step that comes
 * late is one step; what was missed is not made up for. Control thread.
 */
#include "control/governor.h"

#include <event2/event.h>
#include <errno.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/events.h"
#include "lb/govern/govern.h"

#define NOTICES 4  /* of each gateway in a step: health, limit, oc, Retry-After; others have one */
#define WHY     96 /* bytes of the reason for a change of health */
#define DEAF_NS (2 * LB_STEP_NS) /* a worker that has not ended a turn for so long hears nobody */
#define LATE_NS (LB_STEP_NS + LB_STEP_NS / 2)

struct ctl_governor {
	struct app *app;
	struct event *timer;
	uint64_t last; /* dp_now() of the last step */
	struct lb_governor *lb;
	struct lb_notice *notices; /* of one step: room for all that there can be */
	unsigned room;
};

static const char *gateway_name(const struct app *app, uint16_t slot)
{
	uint16_t index = slot < LIMIT_GATEWAYS ? app->policy->by_slot[slot] : LB_NONE;

	return index == LB_NONE ? "?" : app->policy->gateways[index].name.p;
}

static const char *peer_name(const struct app *app, uint16_t slot)
{
	const struct ctl_policy *p = app->policy;

	for (uint32_t i = 0; slot != LB_NONE && i < p->spec.n_peers; i++)
		if (p->peer_specs[i].slot == slot)
			return p->peer_specs[i].name.p;
	return "unknown";
}

static void tell_health(struct app *app, const struct lb_notice *n)
{
	static const struct {
		enum ctl_event_kind kind;
		const char *name;
	} states[] = { [LB_DOWN] = { CTL_GATEWAY_DOWN, "DOWN" },
		       [LB_UP] = { CTL_GATEWAY_UP, "UP" },
		       [LB_SATURATED] = { CTL_GATEWAY_SATURATED, "SATURATED" },
		       [LB_PROBING] = { CTL_GATEWAY_PROBING, "PROBING" },
		       [LB_SLOWSTART] = { CTL_GATEWAY_SLOWSTART, "SLOWSTART" } };
	const struct lb_gateway_spec *gw = &app->policy->gateways[app->policy->by_slot[n->slot]];
	char addr[CONF_ADDR_TEXT], why[WHY];

	st_inc(app->lane, ST_HEALTH_DOWN + n->a);
	conf_addr_text(&gw->addr, addr);
	ctl_event(app, states[n->a].kind, gw->name.p, "gateway %s (%s): %s, %s", gw->name.p, addr,
		  states[n->a].name, lb_health_text((enum lb_health_why)n->b, n->c, why, sizeof(why)));
}

static void tell_limit(struct app *app, const struct lb_notice *n)
{
	const char *gateway = gateway_name(app, n->slot);

	if (n->kind == LB_NOTICE_CONGESTED)
		ctl_event(app, CTL_GATEWAY_CONGESTED, gateway,
			  "gateway %s: congested, %u INVITEs at once from now on", gateway, n->a);
	else
		ctl_event(app, CTL_GATEWAY_CLEAR, gateway, "gateway %s: its limit of %u INVITEs is not met",
			  gateway, n->a);
}

static void tell_oc(struct app *app, const struct lb_notice *n)
{
	const char *gateway = gateway_name(app, n->slot);

	if (n->kind == LB_NOTICE_OC_OVER)
		ctl_event(app, CTL_GATEWAY_OC_OVER, gateway, "gateway %s: asks for less no more (oc)",
			  gateway);
	else
		ctl_event(app, CTL_GATEWAY_OC, gateway,
			  n->a == LB_OC_RATE ? "gateway %s: asks for %u requests per second at most (oc)"
					     : "gateway %s: asks for %u %% fewer requests (oc)",
			  gateway, n->b);
}

static void tell_retry_after(struct app *app, const struct lb_notice *n)
{
	static const char *const effects[LB_RETRIES] = {
		[LB_RETRY_STOP] = "a few try it",
		[LB_RETRY_SPARE] = "half of its pool is stopped for that already",
		[LB_RETRY_SHRINK] = "its limit is lowered",
	};
	const char *gateway = gateway_name(app, n->slot);

	if (n->kind == LB_NOTICE_RETRY_AFTER)
		ctl_event(app, CTL_GATEWAY_RETRY_AFTER, gateway,
			  "gateway %s: wants no calls for %u s (Retry-After); %s", gateway, n->b,
			  effects[n->a]);
	else
		ctl_event(app, CTL_GATEWAY_RETRY_AFTER_OVER, gateway,
			  n->a ? "gateway %s: takes calls again before its Retry-After is over"
			       : "gateway %s: its Retry-After is over",
			  gateway);
}

static void tell_port(struct app *app, const struct lb_notice *n)
{
	const char *port = n->a < app->conf->n_ports ? app->conf->ports[n->a].name : "?";

	if (n->kind == LB_NOTICE_PANIC)
		ctl_event(app, CTL_PORT_PANIC, port,
			  "port %s: %u of %u gateways fell silent together, as if the fault were ours; they "
			  "go on being used for 10 s",
			  port, n->b, n->c);
	else
		ctl_event(app, CTL_PORT_CALM, port,
			  "port %s: that is over; gateways that are still silent go DOWN", port);
}

static void tell_pool(struct app *app, const struct lb_notice *n)
{
	const char *pool =
		n->pool < app->policy->spec.n_pools ? app->policy->spec.pools[n->pool].name.p : "?";

	if (n->kind == LB_NOTICE_SHORT)
		ctl_event(app, CTL_POOL_SHORT, pool,
			  "pool %s: short, %u of %u new requests refused; %u gateways take calls", pool, n->a,
			  n->b, n->c);
	else
		ctl_event(app, CTL_POOL_ENOUGH, pool,
			  "pool %s: refuses none any more, after %u of %u new requests in %u s", pool, n->a,
			  n->b, n->c);
}

static void tell_peer(struct app *app, const struct lb_notice *n)
{
	const char *peer = peer_name(app, n->peer);

	ctl_event(
		app, CTL_PEER_URGENT, peer,
		"%s: %u emergency calls or calls of trusted priority past max-emergency were ordinary calls",
		peer, n->a);
}

static void tell(struct app *app, const struct lb_notice *n)
{
	static void (*const tellers[LB_NOTICE_COUNT])(struct app *, const struct lb_notice *) = {
		[LB_NOTICE_HEALTH] = tell_health,
		[LB_NOTICE_PANIC] = tell_port,
		[LB_NOTICE_CALM] = tell_port,
		[LB_NOTICE_CONGESTED] = tell_limit,
		[LB_NOTICE_CLEAR] = tell_limit,
		[LB_NOTICE_OC] = tell_oc,
		[LB_NOTICE_OC_OVER] = tell_oc,
		[LB_NOTICE_RETRY_AFTER] = tell_retry_after,
		[LB_NOTICE_RETRY_AFTER_OVER] = tell_retry_after,
		[LB_NOTICE_URGENT] = tell_peer,
		[LB_NOTICE_SHORT] = tell_pool,
		[LB_NOTICE_ENOUGH] = tell_pool,
	};
	_Static_assert(LB_NOTICE_COUNT == 12, "each has somebody who tells it");

	tellers[n->kind](app, n);
}

/* True if a worker stands still: then silence is our own. */
static bool is_deaf(const struct app *app)
{
	struct ctl_worker w;

	for (uint32_t i = 0; i < ctl_worker_count(app); i++) {
		ctl_worker(app, i, &w);
		if (w.silent_ns > DEAF_NS)
			return true;
	}
	return false;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_governor *g = arg;
	const struct lb_snapshot *s = g->app->policy->current;
	uint64_t now = dp_now();
	unsigned n;

	st_inc(g->app->lane, now - g->last > LATE_NS ? ST_GOVERNOR_LATE : ST_GOVERNOR_STEPS);
	g->last = now;
	if (is_deaf(g->app))
		lb_govern_deaf(g->lb, now);
	n = lb_govern(g->lb, s, now, g->notices, g->room);
	for (unsigned i = 0; i < n; i++)
		tell(g->app, &g->notices[i]);
}

int governor_start(struct app *app)
{
	const struct timeval every = { .tv_usec = LB_STEP_NS / 1000 };
	uint32_t slots = app->policy->slots.used, n = ctl_worker_count(app);
	struct ctl_governor *g = calloc(1, sizeof(*g));
	const struct lb_worker *workers[LIMIT_WORKERS];
	void *mem;

	if (!g)
		return -ENOMEM;
	app->governor = g;
	g->app = app;
	g->last = dp_now();
	g->room = NOTICES * slots + app->policy->spec.n_pools + app->policy->spec.n_peers + 1 +
		  app->conf->n_ports;
	g->notices = calloc(g->room, sizeof(*g->notices));
	if (!g->notices)
		return -ENOMEM;
	mem = aligned_alloc(64, (lb_governor_size(slots, n) + 63) & ~(size_t)63);
	if (!mem)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		workers[i] = dp_worker_tables(app->dp, i);
	g->lb = lb_governor_init(mem, slots, app->words, workers, n, g->last);
	g->timer = event_new(app->base, -1, EV_PERSIST, on_timer, g);
	if (!g->timer || event_add(g->timer, &every) < 0)
		return -ENOMEM;
	return 0;
}

void governor_stop(struct app *app)
{
	struct ctl_governor *g = app->governor;

	if (!g)
		return;
	if (g->timer)
		event_free(g->timer);
	free(g->lb);
	free(g->notices);
	free(g);
	app->governor = NULL;
}

void ctl_congestion(const struct app *app, uint32_t index, struct lb_congestion *out)
{
	lb_congestion(app->governor->lb, app->policy->gateways[index].slot, out);
}

bool ctl_pool_short(const struct app *app, uint32_t index)
{
	return lb_pool_short(app->governor->lb, (uint16_t)index);
}

void governor_probe(struct app *app, uint16_t slot, enum lb_probe_result result, uint64_t sent)
{
	lb_govern_probe(app->governor->lb, slot, result, sent);
}

void governor_view(const struct app *app, uint32_t index, struct ctl_gateway *out)
{
	struct lb_health_sight sight;

	if (!app->governor)
		return;
	lb_health_look(app->governor->lb, app->policy->gateways[index].slot, &sight);
	lb_health_text(sight.why, sight.figure, out->why, sizeof(out->why));
	if (sight.since)
		out->since = sight.since;
}
