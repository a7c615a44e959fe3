/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turns names into indexes and fills in values that follow from others. What cannot be resolved is
 * reported with a guess at what was meant.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "conf/check.h"

#define CALLS_MAX 100000 /* calls.max where the file says nothing: 13 MB */
#define GUESSES   100    /* wrong names that are compared with all that there are */

static void fail_ref(struct loader *l, const void *member, const char *what, const char *name,
		     const char *expected, const struct names *const *tables, unsigned int n_tables)
{
	struct suggestion s = { .wrong = name };
	char meant[LIMIT_NAME + 32];
	uint32_t known = 0;

	for (unsigned int t = 0; t < n_tables; t++) {
		for (uint32_t i = 0; i < tables[t]->n && l->bad[KIND_REF] < GUESSES; i++)
			conf_suggest(&s, tables[t]->rows[i].text);
		known += tables[t]->n;
	}
	l->bad[KIND_REF]++;
	if (known == 0 && l->report->n_errors > 0)
		return; /* what it refers to is missing as a whole, which was reported */
	conf_fail_at(l, member, "%s: found \"%s\", expected %s%s", what, name, expected,
		     conf_suggestion_text(&s, meant, sizeof(meant)));
}

static void resolve_ref(struct loader *l, struct conf_ref *ref, const struct names *names, const char *what,
			const char *expected)
{
	const struct name *found;

	if (ref->name == NULL)
		return;
	found = conf_names_find(names, ref->name);
	if (found != NULL)
		ref->index = found->index;
	else
		fail_ref(l, ref, what, ref->name, expected, &names, 1);
}

static void resolve_workers(struct conf_workers *w)
{
	if (w->count == 0)
		w->count = w->cores.n > 0 ? w->cores.n : 1;
}

/* All that gateways with a limit can have at once. */
static uint64_t sum_of_limits(const struct conf *c)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < c->n_pools; i++)
		for (uint32_t k = 0; k < c->pools[i].n_gateways; k++)
			if (c->pools[i].gateways[k].max_calls != CONF_NONE)
				sum += c->pools[i].gateways[k].max_calls;
	return sum;
}

static void resolve_calls(struct loader *l)
{
	struct conf_calls *calls = &l->conf->calls;
	uint64_t sum = sum_of_limits(l->conf);

	if (sum > LIMIT_CALLS) {
		conf_fail_at(l, calls->max > 0 ? &calls->max : NULL,
			     "calls.max: found %" PRIu64 " as the sum of all max-calls of gateways, expected "
			     "at most %u",
			     sum, LIMIT_CALLS);
	} else if (calls->max > 0 && calls->max < sum) {
		conf_fail_at(l, &calls->max,
			     "calls.max: found %u, expected at least the sum of all max-calls of gateways, "
			     "%" PRIu64,
			     calls->max, sum);
	}
	if (calls->max == 0)
		calls->max = sum > CALLS_MAX ? (uint32_t)sum : CALLS_MAX;
	if (calls->ringing == 0)
		calls->ringing = calls->max / 10 > 100 ? calls->max / 10 : 100;
}

static void resolve_twins(struct loader *l)
{
	for (uint32_t i = 0; i < l->conf->n_ports; i++) {
		struct conf_port *port = &l->conf->ports[i];

		if (port->twin != NULL || port->name == NULL)
			continue;
		port->twin = port->name;
		if (strlen(port->name) > 15)
			conf_fail_item(l, port,
				       "port \"%s\": its name has more than the 15 bytes of an interface "
				       "name, expected "
				       "a shorter one or a key \"twin\"",
				       port->name);
	}
}

static void resolve_from(struct loader *l, struct conf_match *match, const struct check_names *names,
			 const char *what)
{
	const struct names *const tables[] = { &names->peers, &names->pools };
	const struct name *peer, *pool;

	match->from_peer = CONF_NONE;
	match->from_pool = CONF_NONE;
	if (match->from == NULL)
		return;
	peer = conf_names_find(&names->peers, match->from);
	pool = conf_names_find(&names->pools, match->from);
	if (peer != NULL)
		match->from_peer = peer->index;
	else if (pool != NULL)
		match->from_pool = pool->index;
	else
		fail_ref(l, &match->from, what, match->from, "the name of a peer or a pool", tables, 2);
}

static void resolve_route(struct loader *l, uint32_t index, const struct check_names *names)
{
	struct conf_route *route = &l->conf->routes[index];
	char what[40];

	snprintf(what, sizeof(what), "routes[%u].pool", index);
	resolve_ref(l, &route->pool, &names->pools, what, "the name of a pool");
	snprintf(what, sizeof(what), "routes[%u].match.from", index);
	resolve_from(l, &route->match, names, what);
}

static void resolve_pool(struct loader *l, struct conf_pool *pool, const struct check_names *names)
{
	const char *name = pool->name != NULL ? pool->name : "?";
	char what[LIMIT_NAME + 32];

	snprintf(what, sizeof(what), "pools.%s.via", name);
	resolve_ref(l, &pool->via, &names->listeners, what, "the name of a listener");
	snprintf(what, sizeof(what), "pools.%s.overload.overflow", name);
	resolve_ref(l, &pool->overload.overflow, &names->pools, what, "the name of a pool");
	for (uint32_t i = 0; i < pool->n_reroute; i++) {
		snprintf(what, sizeof(what), "pools.%s.reroute[%u].to", name, i);
		resolve_ref(l, &pool->reroute[i].to, &names->pools, what, "the name of a pool");
	}
}

void conf_resolve(struct loader *l, const struct check_names *names)
{
	resolve_workers(&l->conf->workers);
	resolve_twins(l);
	resolve_calls(l);
	if (l->conf->timers.b_ns == 0)
		l->conf->timers.b_ns = 64 * l->conf->timers.t1_ns;
	for (uint32_t i = 0; i < l->conf->n_pools; i++)
		resolve_pool(l, &l->conf->pools[i], names);
	for (uint32_t i = 0; i < l->conf->n_routes; i++)
		resolve_route(l, i, names);
}
