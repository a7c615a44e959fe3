/* SPDX-License-Identifier: BSD-3-Clause */
/* Peers, pools and routes: who may call, what can take calls, and whether each route can ever decide. */
#include <stdlib.h>

#include "conf/check.h"

/* RFC 4412 3.1: a namespace, a dot, a value. */
static void check_resources(struct loader *l, const struct conf_peer *peer)
{
	for (uint32_t i = 0; i < peer->n_resource_priority; i++) {
		const char *value = peer->resource_priority[i], *dot = value ? strchr(value, '.') : NULL;

		if (value && (!dot || dot[1] == '\0'))
			conf_fail_at(
				l, &peer->resource_priority[i],
				"peers.%s.resource-priority[%u]: found \"%s\", expected a namespace and a "
				"value such as wps.0",
				peer->name, i, value);
	}
}

static void check_peers(struct loader *l, const struct check_names *names)
{
	struct conf *c = l->conf;
	struct claim *claims;
	size_t total = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_peers; i++) {
		check_resources(l, &c->peers[i]);
		total += c->peers[i].n_from;
		if (c->peers[i].name != NULL && conf_names_find(&names->pools, c->peers[i].name) != NULL)
			conf_fail_item(
				l, &c->peers[i],
				"peer \"%s\": found a pool of the same name, expected another, because "
				"a route's \"from\" means either",
				c->peers[i].name);
	}
	if (total > LIMIT_PREFIXES) {
		conf_fail_item(l, &c->peers[0], "peers: found %zu prefixes, expected at most %u in all",
			       total, LIMIT_PREFIXES);
		return;
	}
	claims = calloc(total + 1, sizeof(*claims));
	if (claims == NULL) {
		l->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < c->n_peers; i++)
		for (uint32_t k = 0; k < c->peers[i].n_from; k++, n++)
			claims[n] = (struct claim){ c->peers[i].from[k].addr, c->peers[i].from[k].bits, n,
						    &c->peers[i].from[k], c->peers[i].name };
	conf_check_claims(l, "peer", claims, n);
	free(claims);
}

/* The listener that a pool names, or any, speaks the gateway's address family. */
static bool can_reach(const struct conf *c, const struct conf_pool *pool, const struct conf_gateway *gw)
{
	if (pool->via.index != CONF_NONE)
		return c->listeners[pool->via.index].address.v6 == gw->address.v6;
	for (uint32_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].address.v6 == gw->address.v6)
			return true;
	return false;
}

static void check_gateway(struct loader *l, const struct conf_pool *pool, const struct conf_gateway *gw)
{
	const struct conf *c = l->conf;
	char text[CONF_ADDR_TEXT];

	if (gw->address.port == 0)
		return;
	conf_addr_text(&gw->address, text);
	for (uint32_t i = 0; i < c->n_listeners; i++)
		if (addr_eq(&c->listeners[i].address, &gw->address))
			conf_fail_at(l, &gw->address,
				     "gateway \"%s\": found %s, which is Weir's own listener \"%s\", "
				     "expected the address of another host",
				     gw->name, text, c->listeners[i].name);
	if (l->bad[KIND_ENDPOINT] > 0 || l->bad[KIND_REF] > 0 || can_reach(c, pool, gw))
		return;
	if (pool->via.index != CONF_NONE)
		conf_fail_at(l, &pool->via,
			     "pools.%s.via: found \"%s\", expected a listener of the same address family as "
			     "gateway \"%s\" (%s)",
			     pool->name, pool->via.name, gw->name, text);
	else
		conf_fail_at(l, &gw->address,
			     "gateway \"%s\": found %s but no IPv%d listener, expected one to reach it by",
			     gw->name, text, gw->address.v6 ? 6 : 4);
}

static void check_pool(struct loader *l, const struct conf_pool *pool)
{
	uint64_t weight = 0;

	for (uint32_t i = 0; i < pool->n_gateways; i++) {
		weight += pool->gateways[i].weight;
		check_gateway(l, pool, &pool->gateways[i]);
	}
	if (pool->n_gateways > 0 && weight == 0)
		conf_fail_item(l, pool,
			       "pool \"%s\": found no gateway with a weight, expected at least one above 0",
			       pool->name);
	if (pool->health.timeout_ns > pool->health.interval_ns)
		conf_fail_at(l, conf_given(l, &pool->health.timeout_ns, &pool->health.interval_ns),
			     "pools.%s.health.timeout: found more than the interval, expected "
			     "at most that",
			     pool->name);
	if (pool->hash != CONF_HASH_CALL_ID && pool->balance != CONF_BALANCE_CALL_ID)
		conf_fail_at(
			l, &pool->hash,
			"pools.%s.hash: found beside a \"balance\" that hashes nothing, expected it with "
			"\"balance: call-id\" only",
			pool->name);
	if (pool->overload.retry_after_ns % NS_S != 0)
		conf_fail_at(
			l, &pool->overload.retry_after_ns,
			"pools.%s.overload.retry-after: found a part of a second, expected whole seconds",
			pool->name);
	if (pool->overload.gateway_retry == CONF_GATEWAY_RETRY_SHRINK &&
	    (pool->overload.learn == CONF_LEARN_OFF || pool->overload.law == CONF_LAW_STATIC))
		conf_warn_at(
			l, &pool->overload.gateway_retry,
			"pools.%s.overload.gateway-retry-after: without a learned limit there is nothing "
			"to shrink",
			pool->name);
}

/* Two gateways of one pool: a name that both have was reported as a repeated key. */
static bool same_pool(const struct conf *c, const struct conf_gateway *a, const struct conf_gateway *b)
{
	for (uint32_t i = 0; i < c->n_pools; i++) {
		const struct conf_gateway *first = c->pools[i].gateways;
		uint32_t n = c->pools[i].n_gateways;

		if (n > 0 && a >= first && a < first + n)
			return b >= first && b < first + n;
	}
	return false;
}

static void check_gateway_names(struct loader *l, const struct names *names)
{
	for (uint32_t i = 1; i < names->n; i++) {
		const struct conf_gateway *gw = names->rows[i].item, *before = names->rows[i - 1].item;

		if (strcmp(gw->name, before->name) == 0 && !same_pool(l->conf, gw, before))
			conf_fail_item(
				l, gw,
				"gateway \"%s\": found the name again, first at line %zu, expected names "
				"that are unique over all pools",
				gw->name, conf_item_line(l, before));
	}
}

static void check_gateway_addresses(struct loader *l, const struct names *names)
{
	struct claim *claims = calloc(names->n + 1u, sizeof(*claims));
	uint32_t n = 0;

	if (claims == NULL) {
		l->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < names->n; i++) {
		const struct conf_gateway *gw = names->rows[i].item;

		if (gw->address.port != 0)
			claims[n++] = (struct claim){ .addr = gw->address,
						      .bits = -1,
						      .order = names->rows[i].index,
						      .member = &gw->address,
						      .owner = gw->name };
	}
	conf_check_claims(l, "gateway", claims, n);
	free(claims);
}

/* Gateways over all pools. */
static void check_gateways(struct loader *l)
{
	struct conf *c = l->conf;
	struct names names = { 0 };

	for (uint32_t i = 0; i < c->n_pools; i++)
		conf_names_add(l, &names, c->pools[i].gateways, sizeof(struct conf_gateway),
			       c->pools[i].n_gateways);
	if (names.n > LIMIT_GATEWAYS) {
		conf_fail_item(l, &c->pools[0], "pools: found %u gateways, expected at most %u in all",
			       names.n, LIMIT_GATEWAYS);
		free(names.rows);
		return;
	}
	for (uint32_t i = 0; i < names.n; i++)
		names.rows[i].index = i; /* order in the file, over all pools */
	conf_names_sort(&names);
	check_gateway_names(l, &names);
	check_gateway_addresses(l, &names);
	free(names.rows);
}

static bool same_or_any(const char *any, const char *text)
{
	return any == NULL || (text != NULL && strcmp(any, text) == 0);
}

/* Everything that b matches is matched by a. */
static bool covers(const struct conf_match *a, const struct conf_match *b)
{
	if (!same_or_any(a->from, b->from) || !same_or_any(a->host, b->host))
		return false;
	if (a->method != METHOD_COUNT && a->method != b->method)
		return false;
	return a->number == NULL ||
	       (b->number != NULL && strncmp(a->number, b->number, strlen(a->number)) == 0);
}

/* Whether an earlier route leaves nothing for this one. */
static bool is_hidden(struct loader *l, uint32_t index)
{
	const struct conf_route *routes = l->conf->routes;

	for (uint32_t i = 0; i < index; i++) {
		if (!covers(&routes[i].match, &routes[index].match))
			continue;
		conf_warn_item(
			l, &routes[index],
			"routes[%u]: never decides, because the route at line %zu matches all that it does",
			index, conf_item_line(l, &routes[i]));
		return true;
	}
	return false;
}

static void check_routes(struct loader *l)
{
	struct conf *c = l->conf;
	bool *used = calloc(c->n_pools + 1u, sizeof(*used));
	uint32_t errors = l->report->n_errors;

	if (used == NULL) {
		l->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < c->n_routes; i++) {
		const struct conf_route *r = &c->routes[i];

		if (r->pool.name == NULL && r->answer == CONF_NONE)
			conf_fail_item(l, r,
				       "routes[%u]: leads nowhere, expected a key \"pool\" or \"answer\"", i);
		if (r->pool.name != NULL && r->answer != CONF_NONE)
			conf_fail_item(l, r,
				       "routes[%u]: found both \"pool\" and \"answer\", expected one of them",
				       i);
		if (is_hidden(l, i))
			continue;
		if (r->pool.index != CONF_NONE)
			used[r->pool.index] = true;
		if (r->match.from_pool != CONF_NONE)
			used[r->match.from_pool] = true;
	}
	for (uint32_t i = 0; i < c->n_pools; i++)
		if (c->pools[i].overload.overflow.index != CONF_NONE &&
		    c->pools[i].overload.overflow.index != i)
			used[c->pools[i].overload.overflow.index] = true;
	for (uint32_t i = 0; i < c->n_pools; i++)
		for (uint32_t k = 0; k < c->pools[i].n_reroute; k++)
			if (c->pools[i].reroute[k].to.index != CONF_NONE)
				used[c->pools[i].reroute[k].to.index] = true;
	for (uint32_t i = 0; i < c->n_pools && c->n_routes > 0 && errors == 0; i++)
		if (!used[i])
			conf_fail_item(l, &c->pools[i],
				       "pool \"%s\": no route leads to it, expected one that can match",
				       c->pools[i].name);
	free(used);
}

/* A number is compared without its "+": what is left of it must be something. */
static void check_emergency(struct loader *l)
{
	const struct conf_emergency *e = &l->conf->emergency;

	for (uint32_t i = 0; i < e->n_numbers; i++)
		if (e->numbers[i] && !strcmp(e->numbers[i], "+"))
			conf_fail_at(
				l, &e->numbers[i],
				"emergency.numbers[%u]: found \"+\" alone, expected a whole number such as "
				"\"112\"",
				i);
}

void conf_check_calls(struct loader *l, const struct check_names *names)
{
	const struct conf *c = l->conf;

	check_peers(l, names);
	for (uint32_t i = 0; i < c->n_pools; i++)
		check_pool(l, &c->pools[i]);
	check_gateways(l);
	check_routes(l);
	check_emergency(l);
	if (c->unknown == CONF_UNKNOWN_ALLOW)
		conf_warn_at(l, &c->unknown,
			     "unknown: allow: anybody who can reach a listener can place calls");
	if (c->n_peers == 0 && c->unknown == CONF_UNKNOWN_DROP && l->report->n_errors == 0)
		conf_report_add(l, true, 0, 0, "no peers and unknown: drop: only gateways can send requests");
}
