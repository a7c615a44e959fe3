/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Specification to snapshot: check it, lay everything out in one block, sort, index, build the tables of the
 * tiers. The same layout code measures and places, so size and content cannot drift apart. Control thread.
 */
#include <errno.h>
#include <stdlib.h>
#include "lb/base/hash.h"
#include "lb/choose/maglev.h"
#include "lb/choose/peers.h"
#include "lb/choose/routes.h"
#include "lb/snapshot.h"

#define LINE 64

/* Gateways with weight in each tier of each pool. */
struct census {
	uint16_t n[LIMIT_POOLS][LIMIT_TIERS];
};

struct arena {
	char *base; /* NULL: only measured */
	size_t used;
};

static void *take(struct arena *a, size_t bytes)
{
	size_t at = a->used;

	a->used = (at + bytes + LINE - 1) / LINE * LINE;
	return a->base ? a->base + at : NULL;
}

static bool fits(const struct lb_spec *spec)
{
	return spec->n_listeners <= LIMIT_LISTENERS && spec->n_gateways <= LIMIT_GATEWAYS &&
	       spec->n_pools <= LIMIT_POOLS && spec->n_peers <= LIMIT_PEERS &&
	       spec->n_prefixes <= LIMIT_PREFIXES && spec->n_routes <= LIMIT_ROUTES;
}

static bool gateways_valid(const struct lb_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_gateways; i++) {
		const struct lb_gateway_spec *g = &spec->gateways[i];

		if (g->slot >= LIMIT_GATEWAYS || g->pool >= spec->n_pools || g->tier >= LIMIT_TIERS ||
		    g->listener >= LIMIT_LISTENERS || g->port >= LIMIT_PORTS || g->name.n == 0 ||
		    g->addr.port == 0)
			return false;
	}
	return true;
}

static bool pools_valid(const struct lb_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_pools; i++) {
		const struct lb_pool_spec *p = &spec->pools[i];

		/* struct pool_word has 16 bits for the Retry-After */
		if (p->retry_after_s == 0 || p->retry_after_s > UINT16_MAX || p->overflow > spec->n_pools ||
		    p->overflow == i + 1 || p->spill > 100 || p->balance > LB_BALANCE_WEIGHTED ||
		    p->hash > LB_HASH_SOURCE || p->attempts > LIMIT_ATTEMPTS ||
		    p->n_reroutes > LIMIT_REROUTES)
			return false;
		for (uint32_t k = 0; k < p->n_reroutes; k++) {
			if (p->reroutes[k].pool >= spec->n_pools || p->reroutes[k].pool == i)
				return false;
		}
	}
	return true;
}

static bool peers_valid(const struct lb_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_peers; i++) {
		if (spec->peers[i].slot >= LIMIT_PEERS || spec->peers[i].n_resources > LIMIT_PEER_RESOURCES)
			return false;
	}
	for (uint32_t i = 0; i < spec->n_prefixes; i++) {
		if (spec->prefixes[i].peer >= spec->n_peers || spec->prefixes[i].len > 128)
			return false;
	}
	return true;
}

static bool emergency_valid(const struct lb_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_emergency; i++) {
		if (number_without_plus(spec->emergency[i]).n == 0 || spec->emergency[i].n > LIMIT_NUMBER)
			return false;
	}
	return spec->n_emergency <= LIMIT_EMERGENCY;
}

static bool index_or_none(uint16_t i, uint32_t n)
{
	return i == LB_NONE || i < n;
}

static bool routes_valid(const struct lb_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_routes; i++) {
		const struct lb_route_spec *r = &spec->routes[i];

		if (!index_or_none(r->from_peer, spec->n_peers) ||
		    !index_or_none(r->from_pool, spec->n_pools) || !index_or_none(r->pool, spec->n_pools) ||
		    r->method > METHOD_COUNT || (r->pool == LB_NONE && (r->answer < 300 || r->answer > 699)))
			return false;
	}
	return true;
}

/* Two keys with one id could not be told apart; a key of zeros was forgotten. */
static bool keys_valid(const struct lb_spec *spec)
{
	const struct lb_key *key = &spec->key, *old = &spec->old_key, *hash = &spec->hash_key;

	if (key->id == old->id && (key->k[0] != old->k[0] || key->k[1] != old->k[1]))
		return false;
	return (key->k[0] | key->k[1]) && (hash->k[0] | hash->k[1]);
}

static void count_tiers(const struct lb_spec *spec, struct census *census)
{
	memset(census, 0, sizeof(*census));
	for (uint32_t i = 0; i < spec->n_gateways; i++) {
		const struct lb_gateway_spec *g = &spec->gateways[i];

		if (g->pool < LIMIT_POOLS && g->tier < LIMIT_TIERS)
			census->n[g->pool][g->tier] += g->weight > 0;
	}
}

static struct index index_for(struct arena *a, uint32_t n)
{
	uint32_t cells = 4;

	while (cells < 2 * n)
		cells *= 2;
	return (struct index){ .cell = take(a, cells * sizeof(uint32_t)), .mask = cells - 1 };
}

/* Where everything but the tables and texts lies. */
static struct lb_snapshot *lay_out(struct arena *a, const struct lb_spec *spec)
{
	struct lb_snapshot plan = { 0 }, *s = take(a, sizeof(*s));

	plan.gateways = take(a, spec->n_gateways * sizeof(struct gateway));
	plan.pools = take(a, spec->n_pools * sizeof(struct pool));
	plan.tiers = take(a, spec->n_gateways * sizeof(struct tier));
	plan.peers = take(a, spec->n_peers * sizeof(struct peer));
	plan.prefixes = take(a, spec->n_prefixes * sizeof(struct prefix));
	plan.routes = take(a, spec->n_routes * sizeof(struct route));
	plan.by_slot = take(a, LIMIT_GATEWAYS * sizeof(uint16_t));
	plan.by_id = index_for(a, spec->n_gateways);
	plan.by_addr = index_for(a, spec->n_gateways);
	plan.by_ip = index_for(a, spec->n_gateways);
	plan.by_prefix = index_for(a, spec->n_prefixes);
	if (s)
		*s = plan;
	return s;
}

/* A pool's reroutes and their texts behind them. */
static struct reroute *take_reroutes(struct arena *a, const struct lb_pool_spec *p)
{
	size_t texts = 0;

	for (uint32_t i = 0; i < p->n_reroutes; i++)
		texts += p->reroutes[i].number.n;
	return take(a, p->n_reroutes * sizeof(struct reroute) + texts);
}

/* The values of Resource-Priority that a peer is believed, and their texts behind them. */
static const struct str *take_resources(struct arena *a, const struct lb_peer_spec *p)
{
	size_t texts = 0;
	struct str *list;
	char *text;

	for (uint32_t i = 0; i < p->n_resources; i++)
		texts += p->resources[i].n;
	list = take(a, p->n_resources * sizeof(*list) + texts);
	text = list ? (char *)(list + p->n_resources) : NULL;
	for (uint32_t i = 0; list && i < p->n_resources; i++) {
		list[i] = (struct str){ text, p->resources[i].n };
		memcpy(text, p->resources[i].p, p->resources[i].n);
		text += p->resources[i].n;
	}
	return list;
}

size_t lb_snapshot_size(const struct lb_spec *spec)
{
	struct arena a = { 0 };
	struct census census;

	count_tiers(spec, &census);
	lay_out(&a, spec);
	for (uint32_t i = 0; i < LIMIT_POOLS * LIMIT_TIERS; i++) {
		if (census.n[i / LIMIT_TIERS][i % LIMIT_TIERS] > 1)
			take(&a, LIMIT_MAGLEV * sizeof(uint16_t));
	}
	take(&a, spec->n_gateways * sizeof(struct maglev_turn));
	for (uint32_t i = 0; i < spec->n_pools; i++)
		take_reroutes(&a, &spec->pools[i]);
	for (uint32_t i = 0; i < spec->n_peers; i++)
		take_resources(&a, &spec->peers[i]);
	for (uint32_t i = 0; i < spec->n_routes; i++)
		take(&a, spec->routes[i].number.n + spec->routes[i].host.n);
	return a.used;
}

static int by_pool_tier_id(const void *x, const void *y)
{
	const struct gateway *a = x, *b = y;

	if (a->pool != b->pool)
		return a->pool < b->pool ? -1 : 1;
	if (a->tier != b->tier)
		return a->tier < b->tier ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static void fill_gateways(struct lb_snapshot *s, const struct lb_spec *spec)
{
	s->n_gateways = spec->n_gateways;
	for (uint32_t i = 0; i < spec->n_gateways; i++) {
		const struct lb_gateway_spec *g = &spec->gateways[i];

		s->gateways[i] = (struct gateway){
			.addr = g->addr,
			.id = lb_gateway_id(g->name),
			.slot = g->slot,
			.pool = g->pool,
			.weight = g->weight,
			.tier = g->tier,
			.listener = g->listener,
			.port = g->port,
			.count_in = g->count_in,
			.oc = g->oc,
			.observe = g->observe,
		};
	}
	if (spec->n_gateways)
		qsort(s->gateways, s->n_gateways, sizeof(struct gateway), by_pool_tier_id);
	for (uint32_t i = 0; i < LIMIT_GATEWAYS; i++)
		s->by_slot[i] = LB_NONE;
	for (uint32_t i = 0; i < s->n_gateways; i++)
		s->by_slot[s->gateways[i].slot] = i;
}

/* Any other set of gateways, or another way to ask them, should have another shape. */
static uint16_t shape_of(const struct lb_snapshot *s)
{
	uint64_t h = s->headroom;

	for (uint32_t i = 0; i < s->n_gateways; i++) {
		const struct gateway *g = &s->gateways[i];
		const uint32_t what[] = { g->id, g->slot, g->pool, g->weight, g->tier, g->observe };

		h = lb_hash_more(&s->hash_key, h, what, sizeof(what));
	}
	return (uint16_t)h;
}

/* Makes the tier that begins at gateway `first`; returns where the next one begins. */
static uint32_t fill_tier(struct lb_snapshot *s, struct arena *a, struct maglev_turn *turns, uint32_t first)
{
	const struct gateway *g = &s->gateways[first];
	struct tier t = { .first = first };

	for (; first + t.n < s->n_gateways && g[t.n].pool == g->pool && g[t.n].tier == g->tier; t.n++) {
		if (g[t.n].weight == 0)
			continue;
		t.n_weighty++;
		t.weight += g[t.n].weight;
		t.only = first + t.n;
	}
	if (t.n_weighty > 1) {
		uint16_t *table = take(a, LIMIT_MAGLEV * sizeof(uint16_t));

		if (s->pools[g->pool].balance == LB_BALANCE_WEIGHTED)
			runs_fill(table, s->gateways, t.first, t.n);
		else
			maglev_fill(table, &s->hash_key, s->gateways, t.first, t.n, turns);
		t.table = table;
	}
	if (t.n_weighty > 0) {
		struct pool *pool = &s->pools[g->pool];

		if (pool->n++ == 0)
			pool->first = s->n_tiers;
		s->tiers[s->n_tiers++] = t;
	}
	return first + t.n;
}

static const struct reroute *fill_reroutes(struct arena *a, const struct lb_pool_spec *p)
{
	struct reroute *list = take_reroutes(a, p);
	char *text = (char *)(list + p->n_reroutes);

	for (uint32_t i = 0; i < p->n_reroutes; i++) {
		const struct lb_reroute_spec *r = &p->reroutes[i];

		list[i] = (struct reroute){
			.on = r->on,
			.no_answer_ns = r->no_answer_ns,
			.number = { text, r->number.n },
			.pool = r->pool,
			.always = r->always,
			.notify = r->notify,
		};
		if (r->number.n)
			memcpy(text, r->number.p, r->number.n);
		text += r->number.n;
	}
	return list;
}

static struct pool pool_of(struct arena *a, const struct lb_pool_spec *p)
{
	return (struct pool){
		.id = lb_gateway_id(p->name),
		.retry_after_s = p->retry_after_s,
		.budget_permille = p->budget_permille,
		.attempts = p->attempts ? p->attempts : 1,
		.overflow = p->overflow ? p->overflow - 1 : LB_NONE,
		.spill = p->spill,
		.balance = p->balance,
		.hash = p->hash,
		.follow = p->follow,
		.redirect = p->redirect,
		.learn = p->learn,
		.law = p->law,
		.gateway_retry = p->gateway_retry,
		.gateway_retry_max_ns = p->gateway_retry_max_ns,
		.n_reroutes = (uint8_t)p->n_reroutes,
		.reroutes = fill_reroutes(a, p),
		.after_ns = p->after_ns,
		.after_max_ns = p->after_max_ns,
		.progress_ns = p->progress_ns,
		.down_after = p->down_after,
		.up_after = p->up_after,
		.on = p->on,
	};
}

static void fill_pools(struct lb_snapshot *s, const struct lb_spec *spec, struct arena *a)
{
	struct maglev_turn *turns = take(a, spec->n_gateways * sizeof(struct maglev_turn));

	s->n_pools = spec->n_pools;
	for (uint32_t i = 0; i < spec->n_pools; i++)
		s->pools[i] = pool_of(a, &spec->pools[i]);
	for (uint32_t i = 0; i < s->n_gateways;)
		i = fill_tier(s, a, turns, i);
	for (uint32_t i = s->n_gateways; i-- > 0;) {
		struct pool *pool = &s->pools[s->gateways[i].pool];

		pool->start = i;
		pool->end = pool->end ? pool->end : i + 1;
	}
}

static void fill_emergency(struct lb_snapshot *s, const struct lb_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_emergency; i++) {
		const struct str number = number_without_plus(spec->emergency[i]);

		s->emergency[s->n_emergency].n = number.n;
		memcpy(s->emergency[s->n_emergency++].text, number.p, number.n);
	}
}

static void fill_peers(struct lb_snapshot *s, const struct lb_spec *spec, struct arena *a)
{
	s->n_peers = spec->n_peers;
	for (uint32_t i = 0; i < spec->n_peers; i++)
		s->peers[i] = (struct peer){ .slot = spec->peers[i].slot,
					     .share = spec->peers[i].share ? spec->peers[i].share : 1,
					     .when_full = spec->peers[i].when_full,
					     .resources = take_resources(a, &spec->peers[i]),
					     .n_resources = (uint8_t)spec->peers[i].n_resources };
	s->n_prefixes = spec->n_prefixes;
	for (uint32_t i = 0; i < spec->n_prefixes; i++) {
		s->prefixes[i] = prefix_of(spec->prefixes[i].ip, spec->prefixes[i].len);
		s->prefixes[i].peer = spec->prefixes[i].peer;
	}
	peers_index_prefixes(s);
}

static void fill_routes(struct lb_snapshot *s, const struct lb_spec *spec, struct arena *a)
{
	s->n_routes = spec->n_routes;
	for (uint32_t i = 0; i < spec->n_routes; i++) {
		const struct lb_route_spec *r = &spec->routes[i];
		char *text = take(a, r->number.n + r->host.n);

		if (r->number.n)
			memcpy(text, r->number.p, r->number.n);
		if (r->host.n)
			memcpy(text + r->number.n, r->host.p, r->host.n);
		route_make(&s->routes[i], r, (struct str){ text, r->number.n },
			   (struct str){ text + r->number.n, r->host.n });
	}
}

struct lb_snapshot *lb_snapshot_init(void *mem, const struct lb_spec *spec)
{
	struct arena a = { .base = mem };
	struct lb_snapshot *s;

	errno = EINVAL;
	if (!fits(spec) || !keys_valid(spec) || !gateways_valid(spec) || !pools_valid(spec) ||
	    !emergency_valid(spec) || !peers_valid(spec) || !routes_valid(spec))
		return NULL;
	memset(mem, 0, lb_snapshot_size(spec));
	s = lay_out(&a, spec);
	s->hash_key = spec->hash_key;
	s->keys = (struct keys){ .now = spec->key, .old = spec->old_key };
	s->node = spec->node;
	s->unknown = spec->unknown;
	s->headroom = spec->headroom;
	listener_names(spec->listeners, spec->n_listeners, s->listener_id, s->listener_of);
	fill_gateways(s, spec);
	s->shape = shape_of(s);
	if (peers_index_gateways(s) < 0)
		return NULL;
	fill_pools(s, spec, &a);
	fill_emergency(s, spec);
	fill_peers(s, spec, &a);
	fill_routes(s, spec, &a);
	return s;
}

const struct lb_key *lb_snapshot_key(const struct lb_snapshot *s)
{
	return &s->hash_key;
}

struct named {
	uint32_t id, index;
};

static int by_id(const void *x, const void *y)
{
	const struct named *a = x, *b = y;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

int lb_spec_collision(const struct lb_spec *spec, uint32_t *a, uint32_t *b)
{
	struct named all[LIMIT_GATEWAYS];
	uint32_t n = spec->n_gateways < LIMIT_GATEWAYS ? spec->n_gateways : LIMIT_GATEWAYS;

	for (uint32_t i = 0; i < n; i++)
		all[i] = (struct named){ lb_gateway_id(spec->gateways[i].name), i };
	qsort(all, n, sizeof(all[0]), by_id);
	for (uint32_t i = 1; i < n; i++) {
		if (all[i].id == all[i - 1].id) {
			*a = all[i - 1].index;
			*b = all[i].index;
			return -EEXIST;
		}
	}
	return 0;
}
