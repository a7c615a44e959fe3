/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a schema row cannot say: references, things that exclude each other, and what could be loaded but
 * could not carry a call. Runs also after errors of the schema, so values may be missing: a check that
 * lacks its values says nothing.
 */
#include <stdlib.h>

#include "conf/check.h"

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int c = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	if (c == 0)
		c = (x->bits > y->bits) - (x->bits < y->bits);
	return c != 0 ? c : (x->order > y->order) - (x->order < y->order);
}

void conf_check_claims(struct loader *l, const char *what, struct claim *claims, uint32_t n)
{
	if (n > 0)
		qsort(claims, n, sizeof(*claims), compare_claims);
	for (uint32_t i = 1, first = 0; i < n; i++) {
		const struct claim *c = &claims[i];
		char text[CONF_ADDR_TEXT], bits[16] = "";

		if (!addr_eq(&c->addr, &claims[first].addr) || c->bits != claims[first].bits) {
			first = i;
			continue;
		}
		conf_addr_text(&c->addr, text);
		if (c->bits >= 0)
			snprintf(bits, sizeof(bits), "/%d", c->bits);
		conf_fail_at(l, c->member,
			     "%s \"%s\": found %s%s, which \"%s\" has already, expected another", what,
			     c->owner, text, bits, claims[first].owner);
	}
}

static void check_workers(struct loader *l)
{
	const struct conf_workers *w = &l->conf->workers;

	if (w->count > LIMIT_WORKERS)
		conf_fail_at(l, &w->cores, "workers.cores: found %u cores, expected at most %u", w->cores.n,
			     LIMIT_WORKERS);
	if (w->poll == CONF_POLL_BUSY && w->cores.n > 0 && w->count > w->cores.n)
		conf_fail_at(l, &w->count,
			     "workers.count: found %u on %u cores, expected a core for each with poll: busy",
			     w->count, w->cores.n);
	if (w->cores.n > w->count)
		conf_warn_at(l, &w->cores,
			     "workers.cores: %u cores for %u workers, the last ones stay unused", w->cores.n,
			     w->count);
	if (l->conf->eal.memory % (1 << 20) != 0)
		conf_fail_at(l, &l->conf->eal.memory,
			     "eal.memory: found a part of a mebibyte, expected whole ones");
}

static void check_calls_room(struct loader *l)
{
	const struct conf_calls *c = &l->conf->calls;

	if (c->ringing > c->max)
		conf_fail_at(l, conf_given(l, &c->ringing, &c->max),
			     "calls.ringing: found %u, expected at most calls.max, %u", c->ringing, c->max);
}

static void check_timers(struct loader *l)
{
	const struct conf_timers *t = &l->conf->timers;

	const struct {
		const char *name;
		const uint64_t *value;
		uint64_t least;
		const char *fault;
	} bounds[] = {
		{ "t1", &t->t1_ns, 500 * NS_MS, "below the 500ms of RFC 3261" },
		{ "t2", &t->t2_ns, 4 * NS_S, "below the 4s of RFC 3261" },
		{ "t4", &t->t4_ns, 5 * NS_S, "below the 5s of RFC 3261" },
		{ "b", &t->b_ns, 64 * t->t1_ns, "below the 64 x t1 of RFC 3261" },
		{ "c", &t->c_ns, 180 * NS_S + 1, "not above the 3m of RFC 3261" },
		{ "d", &t->d_ns, 32 * NS_S, "below the 32s of RFC 3261" },
		{ "session-min", &t->session_min_ns, 90 * NS_S, "below the 90s of RFC 4028" },
	};

	for (size_t i = 0; i < COUNT_OF(bounds); i++)
		if (*bounds[i].value < bounds[i].least)
			conf_warn_at(l, bounds[i].value, "timers.%s: %s", bounds[i].name, bounds[i].fault);
	if (t->session_min_ns % NS_S != 0)
		conf_fail_at(l, &t->session_min_ns,
			     "timers.session-min: found a part of a second, expected whole seconds");
	if (t->release_ns < 64 * t->t1_ns)
		conf_warn_at(l, conf_given(l, &t->release_ns, &t->t1_ns),
			     "timers.release: below 64 x t1, a BYE may still be repeated then");
	if (t->pin_ns < 64 * t->t1_ns)
		conf_warn_at(
			l, conf_given(l, &t->pin_ns, &t->t1_ns),
			"timers.pin: below 64 x t1, late repeats of a request may go to another gateway");
}

static void add_names(struct loader *l, struct check_names *names)
{
	const struct conf *c = l->conf;

	conf_names_add(l, &names->listeners, c->listeners, sizeof(*c->listeners), c->n_listeners);
	conf_names_add(l, &names->peers, c->peers, sizeof(*c->peers), c->n_peers);
	conf_names_add(l, &names->pools, c->pools, sizeof(*c->pools), c->n_pools);
	conf_names_sort(&names->listeners);
	conf_names_sort(&names->peers);
	conf_names_sort(&names->pools);
}

void conf_check(struct loader *l)
{
	struct check_names names = { 0 };

	add_names(l, &names);
	conf_resolve(l, &names);
	check_workers(l);
	conf_check_net(l);
	conf_check_calls(l, &names);
	conf_check_failover(l);
	check_calls_room(l);
	check_timers(l);
	free(names.listeners.rows);
	free(names.peers.rows);
	free(names.pools.rows);
}
