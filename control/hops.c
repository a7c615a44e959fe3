/* SPDX-License-Identifier: BSD-3-Clause */
/* Next-hop tables for the workers, and the neighbours that the kernel shall keep: see hops.h. */
#include "control/hops.h"

#include <event2/event.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/log.h"

#define SECOND      1000000000ull
#define BUILD_US    10000 /* between two tables */
#define ASK_BUDGET  64    /* neighbours asked for in one turn */
#define ASK_AGAIN_S 30    /* the kernel may have lost them with a link that went down */
#define LOG_EVERY   (60 * SECOND)
#define ETHER       14
#define ETHER_V4    0x0800
#define ETHER_V6    0x86dd
#define ETHER_VLAN  0x8100

/* What the kernel was asked to keep for one slot. */
struct kept {
	struct addr via;
	uint8_t port;
};

struct ctl_hops {
	struct app *app;
	struct ctl_rtnl *rtnl;
	struct event *timer;
	bool soon;                  /* the timer is set to BUILD_US, not to ASK_AGAIN_S */
	bool dirty;                 /* a table must be built at the next timer */
	const struct net_hops *now; /* published; the dataplane frees it after the next one */
	struct net_hops_port *ports;
	struct addr *gateways; /* by slot, then the fallback routers of the ports */
	uint8_t *from;         /* the same: the port that messages to it leave by */
	struct kept *kept;     /* the same */
	uint32_t n_gateways;   /* slots */
	uint32_t n_kept;       /* slots and routers */
	uint32_t asking;       /* next of `kept` to look at; n_kept: all done */
	uint64_t asked_at;     /* dp_now() of the last full round */
	struct ctl_gate gate;  /* of the line about refusals */
};

static bool is_set(const struct addr *a)
{
	static const struct addr none;

	return memcmp(a->ip, none.ip, sizeof(none.ip)) != 0;
}

static void wake(struct ctl_hops *h)
{
	const struct timeval soon = { .tv_usec = BUILD_US };

	if (h->soon)
		return;
	h->soon = true;
	evtimer_add(h->timer, &soon);
}

/* What is not kept is still resolved, when a packet goes through the kernel. */
static void refused(struct ctl_hops *h, uint8_t port, int rc)
{
	uint64_t held;

	if (ctl_gate(&h->gate, dp_now(), LOG_EVERY, &held))
		ctl_warn("port %s: the kernel keeps no more neighbours: %s%s", h->app->conf->ports[port].name,
			 strerror(-rc),
			 rc == -ENOBUFS ? " (sysctl net.ipv4.neigh.default.gc_thresh3, or ipv6)" : "");
}

/*
 * Asks the kernel for neighbours that changed since it was asked, a few per turn. After a refusal it waits
 * for the next table or round.
 */
static void ask(struct ctl_hops *h)
{
	unsigned budget = ASK_BUDGET;
	struct kept want;
	int rc;

	for (; h->asking < h->n_kept && budget; h->asking++) {
		struct kept *k = &h->kept[h->asking];

		want = (struct kept){ 0 };
		if (!is_set(&h->gateways[h->asking]) ||
		    !net_hop_via(h->now, &h->gateways[h->asking], h->from[h->asking], &want.via, &want.port))
			continue;
		if (addr_same_ip(&k->via, &want.via) && k->port == want.port)
			continue;
		budget--;
		rc = ctl_rtnl_keep_neigh(h->rtnl, want.port, &want.via);
		if (rc) {
			refused(h, want.port, rc);
			h->asking = h->n_kept;
			return;
		}
		*k = want;
	}
	if (h->asking < h->n_kept)
		wake(h);
}

static int build(struct ctl_hops *h)
{
	struct net_hops_plan plan = {
		.n_ports = h->app->conf->n_ports,
		.ports = h->ports,
		.n_gateways = h->n_gateways,
		.gateways = h->gateways,
		.gateway_ports = h->from,
	};
	struct net_hops *hops;

	ctl_rtnl_plan(h->rtnl, &plan);
	hops = net_hops_build(&plan);
	if (!hops) {
		st_inc(h->app->lane, ST_HOPS_FAILED);
		return -errno;
	}
	dp_publish_hops(h->app->dp, hops);
	st_inc(h->app->lane, ST_HOPS_BUILT);
	h->now = hops;
	h->asking = 0;
	return 0;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval later = { .tv_sec = ASK_AGAIN_S };
	struct ctl_hops *h = arg;
	uint64_t now = dp_now();
	int rc;

	h->soon = false;
	if (h->dirty) {
		h->dirty = false;
		rc = build(h);
		if (rc)
			ctl_err("next hops: %s; the workers keep the table they have", strerror(-rc));
	}
	if (now - h->asked_at > ASK_AGAIN_S * SECOND) {
		memset(h->kept, 0, h->n_kept * sizeof(*h->kept));
		h->asking = 0;
		h->asked_at = now;
	}
	ask(h);
	if (!h->soon)
		evtimer_add(h->timer, &later);
}

void hops_changed(struct ctl_hops *h)
{
	h->dirty = true;
	wake(h);
}

/* The destination of an untagged or once tagged frame; false if it has none. */
static bool frame_dst(const uint8_t *f, uint32_t n, struct addr *dst)
{
	uint32_t at = ETHER;
	unsigned type;

	if (n < ETHER + 4)
		return false;
	type = f[12] << 8 | f[13];
	if (type == ETHER_VLAN) {
		type = f[16] << 8 | f[17];
		at += 4;
	}
	if (type == ETHER_V4 && n >= at + 20) {
		uint32_t ip;

		memcpy(&ip, f + at + 16, 4);
		*dst = addr_v4(ip, 0);
		return true;
	}
	if (type == ETHER_V6 && n >= at + 40) {
		*dst = addr_v6(f + at + 24, 0);
		return true;
	}
	return false;
}

bool hops_via(const struct ctl_hops *h, const uint8_t *frame, uint32_t n, uint8_t from, struct addr *via,
	      uint8_t *port)
{
	struct addr dst;

	return frame_dst(frame, n, &dst) && net_hop_via(h->now, &dst, from, via, port);
}

static void fill_ports(struct ctl_hops *h)
{
	const struct conf *conf = h->app->conf;

	for (uint32_t i = 0; i < conf->n_ports; i++) {
		const struct conf_port *c = &conf->ports[i];
		struct net_hops_port *p = &h->ports[i];

		memcpy(p->mac, dp_port(h->app->dp, i)->mac, NET_MAC);
		p->gateway4 = c->gateway;
		p->gateway6 = c->gateway6;
		for (uint32_t k = 0; k < c->n_addresses; k++) {
			p->prefixes[p->n_prefixes].addr = c->addresses[k].addr;
			p->prefixes[p->n_prefixes++].len = c->addresses[k].bits;
		}
	}
}

static void fill_gateways(struct ctl_hops *h)
{
	const struct ctl_policy *policy = h->app->policy;
	const struct conf *conf = h->app->conf;

	for (uint32_t i = 0; i < policy->spec.n_gateways; i++) {
		struct addr *a = &h->gateways[policy->gateways[i].slot];

		*a = policy->gateways[i].addr;
		a->port = 0;
		h->from[policy->gateways[i].slot] =
			(uint8_t)conf->listeners[policy->gateways[i].listener].port;
	}
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		h->gateways[h->n_gateways + 2 * i] = conf->ports[i].gateway;
		h->gateways[h->n_gateways + 2 * i + 1] = conf->ports[i].gateway6;
		h->from[h->n_gateways + 2 * i] = h->from[h->n_gateways + 2 * i + 1] = (uint8_t)i;
	}
}

int hops_start(struct app *app, struct ctl_rtnl *rtnl, struct ctl_hops **out)
{
	struct ctl_hops *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	h->app = app;
	h->rtnl = rtnl;
	h->n_gateways = app->policy->slots.used;
	h->n_kept = h->n_gateways + 2 * app->conf->n_ports;
	h->asked_at = dp_now();
	h->ports = calloc(app->conf->n_ports, sizeof(*h->ports));
	h->gateways = calloc(h->n_kept, sizeof(*h->gateways));
	h->from = calloc(h->n_kept, sizeof(*h->from));
	h->kept = calloc(h->n_kept, sizeof(*h->kept));
	h->timer = evtimer_new(app->base, on_timer, h);
	rc = h->ports && h->gateways && h->from && h->kept && h->timer ? 0 : -ENOMEM;
	if (rc == 0) {
		fill_ports(h);
		fill_gateways(h);
		rc = build(h);
	}
	if (rc) {
		hops_stop(h);
		return rc;
	}
	wake(h);
	*out = h;
	return 0;
}

void hops_stop(struct ctl_hops *h)
{
	if (!h)
		return;
	if (h->timer)
		event_free(h->timer);
	free(h->ports);
	free(h->gateways);
	free(h->from);
	free(h->kept);
	free(h);
}
