/* SPDX-License-Identifier: BSD-3-Clause */
/* Config to policy: see apply.h. */
#include "control/apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECOND  1000000000ull
#define V4_BITS 96 /* an IPv4 prefix is one of its mapped addresses */

static struct str text(const char *s)
{
	return (struct str){ s, s ? (uint32_t)strlen(s) : 0 };
}

static bool is_set(const struct addr *a)
{
	static const struct addr none;

	return memcmp(a->ip, none.ip, sizeof(none.ip)) != 0;
}

/* True if `prefix`, an address with its network length, has `ip` on its network. */
static bool on_link(const struct conf_prefix *prefix, const struct addr *ip)
{
	unsigned bits = prefix->bits + (prefix->addr.v6 ? 0u : (unsigned)V4_BITS);
	unsigned rest = bits % 8;

	if (prefix->addr.v6 != ip->v6 || memcmp(prefix->addr.ip, ip->ip, bits / 8) != 0)
		return false;
	return rest == 0 || (uint8_t)((prefix->addr.ip[bits / 8] ^ ip->ip[bits / 8]) >> (8 - rest)) == 0;
}

static bool port_has(const struct conf_port *port, const struct addr *ip)
{
	for (uint32_t i = 0; i < port->n_addresses; i++)
		if (on_link(&port->addresses[i], ip))
			return true;
	return false;
}

/*
 * Where messages to a gateway leave: `via` of its pool; else the listener of its family on the port whose
 * network it is in; else on a port with a router; else the first of its family.
 */
static uint8_t choose_listener(const struct conf *conf, const struct conf_pool *pool, const struct addr *gw)
{
	uint32_t routed = CONF_NONE, any = 0;

	if (pool->via.index != CONF_NONE && conf->listeners[pool->via.index].address.v6 == gw->v6)
		return (uint8_t)pool->via.index;
	for (uint32_t i = conf->n_listeners; i-- > 0;) {
		const struct conf_port *port = &conf->ports[conf->listeners[i].port];

		if (conf->listeners[i].address.v6 != gw->v6)
			continue;
		any = i;
		if (is_set(gw->v6 ? &port->gateway6 : &port->gateway))
			routed = i;
	}
	for (uint32_t i = 0; i < conf->n_listeners; i++)
		if (conf->listeners[i].address.v6 == gw->v6 &&
		    port_has(&conf->ports[conf->listeners[i].port], gw))
			return (uint8_t)i;
	return (uint8_t)(routed != CONF_NONE ? routed : any);
}

static struct lb_codes codes(const uint32_t *list, uint32_t n)
{
	struct lb_codes set = { 0 };

	for (uint32_t i = 0; i < n; i++)
		lb_codes_add(&set, list[i]);
	return set;
}

/* Writes a pool's rules to out and returns their number. */
static uint32_t make_reroutes(const struct conf_pool *pool, struct lb_reroute_spec *out)
{
	for (uint32_t i = 0; i < pool->n_reroute; i++) {
		const struct conf_reroute *r = &pool->reroute[i];

		out[i] = (struct lb_reroute_spec){
			.on = codes(r->on, r->n_on),
			.no_answer_ns = r->no_answer_ns,
			.always = r->always == CONF_ON,
			.notify = r->notify == CONF_NOTIFY_181,
			.number = text(r->number),
			.pool = (uint16_t)r->to.index,
		};
	}
	return pool->n_reroute;
}

static const uint8_t balances[] = { [CONF_BALANCE_CALL_ID] = LB_BALANCE_HASH,
				    [CONF_BALANCE_LEAST_WORK] = LB_BALANCE_LEAST_WORK,
				    [CONF_BALANCE_WEIGHTED] = LB_BALANCE_WEIGHTED };
static const uint8_t hashes[] = { [CONF_HASH_CALL_ID] = LB_HASH_CALL_ID,
				  [CONF_HASH_TO] = LB_HASH_TO,
				  [CONF_HASH_SOURCE] = LB_HASH_SOURCE };

static struct lb_pool_spec pool_spec(const struct conf_pool *pool, struct lb_reroute_spec *reroutes)
{
	static const uint8_t learns[] = { [CONF_LEARN_ON] = LB_LEARN_ON,
					  [CONF_LEARN_OBSERVE] = LB_LEARN_OBSERVE,
					  [CONF_LEARN_OFF] = LB_LEARN_OFF };
	static const uint8_t laws[] = { [CONF_LAW_GRADIENT] = LB_LAW_GRADIENT,
					[CONF_LAW_AIMD] = LB_LAW_AIMD,
					[CONF_LAW_STATIC] = LB_LAW_STATIC };
	static const uint8_t retries[] = { [CONF_GATEWAY_RETRY_STOP] = LB_GATEWAY_RETRY_STOP,
					   [CONF_GATEWAY_RETRY_SHRINK] = LB_GATEWAY_RETRY_SHRINK,
					   [CONF_GATEWAY_RETRY_IGNORE] = LB_GATEWAY_RETRY_IGNORE };
	const struct conf_failover *f = &pool->failover;

	return (struct lb_pool_spec){
		.name = text(pool->name),
		.retry_after_s = (uint32_t)(pool->overload.retry_after_ns / SECOND),
		.attempts = (uint8_t)f->attempts,
		.balance = balances[pool->balance],
		.hash = hashes[pool->hash],
		.follow = pool->redirects == CONF_REDIRECTS_FOLLOW,
		.redirect = pool->mode == CONF_MODE_REDIRECT,
		.learn = learns[pool->overload.learn],
		.law = laws[pool->overload.law],
		.gateway_retry = retries[pool->overload.gateway_retry],
		.gateway_retry_max_ns = pool->overload.gateway_retry_max_ns,
		.overflow = pool->overload.overflow.index == CONF_NONE
				    ? 0
				    : (uint16_t)(pool->overload.overflow.index + 1),
		.spill = (uint8_t)pool->overload.spill,
		.budget_permille = (uint16_t)(f->retry_budget * 10),
		.after_ns = f->after_ns,
		.after_max_ns = f->after_max_ns,
		.progress_ns = f->progress_ns,
		.down_after = pool->health.method == CONF_PROBE_OFF ? 0 : (uint8_t)pool->health.down_after,
		.up_after = (uint8_t)pool->health.up_after,
		.on = codes(f->on, f->n_on),
		.reroutes = reroutes,
		.n_reroutes = make_reroutes(pool, reroutes),
	};
}

static int make_pools(struct ctl_policy *p, const struct conf *conf)
{
	uint32_t g = 0, r = 0;

	for (uint32_t i = 0; i < conf->n_pools; r += conf->pools[i].n_reroute, i++) {
		const struct conf_pool *pool = &conf->pools[i];

		p->pools[i] = pool_spec(pool, p->reroutes + r);
		p->first[i] = g;
		for (uint32_t k = 0; k < pool->n_gateways; k++, g++) {
			const struct conf_gateway *gw = &pool->gateways[k];
			int slot = slots_take(&p->slots, gw->name);
			uint8_t listener = choose_listener(conf, pool, &gw->address);

			if (slot < 0)
				return slot;
			p->by_slot[slot] = (uint16_t)g;
			p->gateways[g] = (struct lb_gateway_spec){
				.name = text(gw->name),
				.addr = gw->address,
				.slot = (uint16_t)slot,
				.pool = (uint16_t)i,
				.weight = (uint16_t)gw->weight,
				.tier = (uint8_t)(gw->tier - 1),
				.listener = listener,
				.port = (uint8_t)conf->listeners[listener].port,
				.count_in = gw->count == CONF_COUNT_BOTH,
				.oc = pool->overload.oc == CONF_ON,
				.observe = pool->overload.learn == CONF_LEARN_OBSERVE,
			};
		}
	}
	p->first[conf->n_pools] = g;
	return 0;
}

static int make_peers(struct ctl_policy *p, const struct conf *conf)
{
	static const enum lb_when_full when_full[] = { [CONF_FULL_503_RETRY_AFTER] = LB_FULL_503_RETRY,
						       [CONF_FULL_503] = LB_FULL_503,
						       [CONF_FULL_500] = LB_FULL_500 };
	uint32_t n = 0, r = 0;

	for (uint32_t i = 0; i < conf->n_peers; i++) {
		const struct conf_peer *peer = &conf->peers[i];
		int slot = slots_take(&p->peers, peer->name);

		if (slot < 0)
			return slot;
		p->peer_specs[i] = (struct lb_peer_spec){
			.name = text(peer->name),
			.slot = (uint16_t)slot,
			.when_full = when_full[peer->answer_when_full],
			.resources = p->resources + r,
			.n_resources = peer->n_resource_priority,
			.share = (uint16_t)peer->share,
		};
		for (uint32_t k = 0; k < peer->n_resource_priority; k++, r++)
			p->resources[r] = text(peer->resource_priority[k]);
		for (uint32_t k = 0; k < peer->n_from; k++, n++) {
			memcpy(p->prefixes[n].ip, peer->from[k].addr.ip, 16);
			p->prefixes[n].len =
				(uint8_t)(peer->from[k].bits + (peer->from[k].addr.v6 ? 0 : V4_BITS));
			p->prefixes[n].peer = (uint16_t)i;
		}
	}
	return 0;
}

static uint16_t index16(uint32_t index)
{
	return index == CONF_NONE ? LB_NONE : (uint16_t)index;
}

static void make_routes(struct ctl_policy *p, const struct conf *conf)
{
	for (uint32_t i = 0; i < conf->n_routes; i++) {
		const struct conf_route *r = &conf->routes[i];

		p->routes[i] = (struct lb_route_spec){
			.from_peer = index16(r->match.from_peer),
			.from_pool = index16(r->match.from_pool),
			.method = (uint8_t)r->match.method,
			.number = text(r->match.number),
			.host = text(r->match.host),
			.pool = index16(r->pool.index),
			.answer = r->pool.index == CONF_NONE ? (uint16_t)r->answer : 0,
		};
	}
}

static void make_spec(struct ctl_policy *p, const struct conf *conf, uint32_t n_prefixes)
{
	static const enum lb_unknown unknown[] = { [CONF_UNKNOWN_DROP] = LB_UNKNOWN_DROP,
						   [CONF_UNKNOWN_403] = LB_UNKNOWN_403,
						   [CONF_UNKNOWN_ALLOW] = LB_UNKNOWN_ALLOW };

	for (uint32_t i = 0; i < conf->n_listeners; i++)
		p->listeners[i] = text(conf->listeners[i].name);
	for (uint32_t i = 0; i < conf->emergency.n_numbers; i++)
		p->emergency[i] = text(conf->emergency.numbers[i]);
	p->spec = (struct lb_spec){
		.hash_key = p->keys.hash,
		.key = p->keys.token,
		.old_key = p->keys.token,
		.node = p->node,
		.unknown = unknown[conf->unknown],
		.headroom = (uint16_t)(conf->emergency.headroom * 65536 / 100),
		.emergency = p->emergency,
		.n_emergency = conf->emergency.n_numbers,
		.listeners = p->listeners,
		.n_listeners = conf->n_listeners,
		.gateways = p->gateways,
		.pools = p->pools,
		.peers = p->peer_specs,
		.prefixes = p->prefixes,
		.routes = p->routes,
		.n_gateways = p->first[conf->n_pools],
		.n_pools = conf->n_pools,
		.n_peers = conf->n_peers,
		.n_prefixes = n_prefixes,
		.n_routes = conf->n_routes,
	};
}

/* How long the arrays of a policy are. */
struct sizes {
	uint32_t gateways, prefixes, reroutes, resources;
};

static struct sizes measure(const struct conf *conf)
{
	struct sizes n = { 0 };

	for (uint32_t i = 0; i < conf->n_pools; i++) {
		n.gateways += conf->pools[i].n_gateways;
		n.reroutes += conf->pools[i].n_reroute;
	}
	for (uint32_t i = 0; i < conf->n_peers; i++) {
		n.prefixes += conf->peers[i].n_from;
		n.resources += conf->peers[i].n_resource_priority;
	}
	return n;
}

static int allocate(struct ctl_policy *p, const struct conf *conf, const struct sizes *n)
{
	int rc = slots_init(&p->slots, LIMIT_GATEWAYS);

	if (rc == 0)
		rc = slots_init(&p->peers, LIMIT_PEERS);
	if (rc)
		return rc;
	/* One more than needed: an empty array is not a failed one. */
	p->gateways = calloc(n->gateways + 1, sizeof(*p->gateways));
	p->pools = calloc(conf->n_pools + 1, sizeof(*p->pools));
	p->first = calloc(conf->n_pools + 1, sizeof(*p->first));
	p->peer_specs = calloc(conf->n_peers + 1, sizeof(*p->peer_specs));
	p->prefixes = calloc(n->prefixes + 1, sizeof(*p->prefixes));
	p->routes = calloc(conf->n_routes + 1, sizeof(*p->routes));
	p->resources = calloc(n->resources + 1, sizeof(*p->resources));
	p->reroutes = calloc(n->reroutes + 1, sizeof(*p->reroutes));
	p->by_slot = malloc(LIMIT_GATEWAYS * sizeof(*p->by_slot));
	if (!p->gateways || !p->pools || !p->first || !p->peer_specs || !p->prefixes || !p->routes ||
	    !p->resources || !p->reroutes || !p->by_slot)
		return -ENOMEM;
	memset(p->by_slot, 0xff, LIMIT_GATEWAYS * sizeof(*p->by_slot)); /* LB_NONE */
	return 0;
}

int policy_make(const struct conf *conf, const struct state_keys *keys, uint16_t node,
		struct ctl_policy **out, char *err, size_t n)
{
	const struct sizes sizes = measure(conf);
	uint32_t a, b;
	struct ctl_policy *p = calloc(1, sizeof(*p));
	int rc = -ENOMEM;

	if (!p)
		goto fail;
	p->keys = *keys;
	p->node = node;
	rc = allocate(p, conf, &sizes);
	if (rc == 0)
		rc = make_pools(p, conf);
	if (rc == 0)
		rc = make_peers(p, conf);
	if (rc)
		goto fail;
	make_routes(p, conf);
	make_spec(p, conf, sizes.prefixes);
	if (lb_spec_collision(&p->spec, &a, &b) < 0) {
		snprintf(err, n, "gateways %s and %s have names with the same hash: rename one",
			 p->gateways[a].name.p, p->gateways[b].name.p);
		policy_free(p);
		return -EEXIST;
	}
	*out = p;
	return 0;
fail:
	snprintf(err, n, "policy: %s", strerror(-rc));
	policy_free(p);
	return rc;
}

void policy_free(struct ctl_policy *p)
{
	if (!p)
		return;
	slots_free(&p->slots);
	slots_free(&p->peers);
	free(p->gateways);
	free(p->pools);
	free(p->first);
	free(p->peer_specs);
	free(p->prefixes);
	free(p->routes);
	free(p->resources);
	free(p->reroutes);
	free(p->by_slot);
	explicit_bzero(p, sizeof(*p));
	free(p);
}

_Static_assert(CONF_NONE == LB_UNLIMITED, "no limit in the config is none in the words");

void policy_set_limits(const struct ctl_policy *p, const struct conf *conf, struct lb_words *words)
{
	for (uint32_t i = 0; i < conf->n_pools; i++) {
		for (uint32_t k = 0; k < conf->pools[i].n_gateways; k++) {
			const struct conf_gateway *gw = &conf->pools[i].gateways[k];
			uint16_t slot = p->gateways[p->first[i] + k].slot;

			lb_set_gateway_cps(words, slot, gw->max_cps);
			lb_set_gateway_calls(words, slot, gw->max_calls);
			lb_set_gateway_rps(words, slot, gw->max_rps);
		}
	}
	for (uint32_t i = 0; i < conf->n_peers; i++) {
		const struct conf_peer *peer = &conf->peers[i];
		uint16_t slot = p->peer_specs[i].slot;

		lb_set_peer_cps(words, slot, peer->max_cps);
		lb_set_peer_calls(words, slot, peer->max_calls);
		lb_set_peer_rps(words, slot, peer->max_rps);
		lb_set_peer_urgent(words, slot, peer->max_emergency);
	}
}

int policy_publish(struct ctl_policy *p, const struct ctl_plan *plan, struct dp *dp)
{
	size_t size = lb_snapshot_size(&p->spec);

	for (uint32_t i = 0; i < plan->n_nodes; i++) {
		void *mem = dp_alloc(plan->nodes[i], size);
		struct lb_snapshot *snap = mem ? lb_snapshot_init(mem, &p->spec) : NULL;

		if (!snap) {
			int rc = mem ? -errno : -ENOMEM;

			dp_free(mem);
			return rc;
		}
		dp_publish_policy(dp, plan->nodes[i], snap);
		if (i == 0)
			p->current = snap;
	}
	return 0;
}
