/* SPDX-License-Identifier: BSD-3-Clause */
/* Fail-over, redirects and reroutes: what a pool says of a call that a gateway did not take. */
#include <stdlib.h>

#include "conf/check.h"

static void check_failover(struct loader *l, const struct conf_pool *pool)
{
	const struct conf_failover *f = &pool->failover;
	const struct conf_timers *t = &l->conf->timers;

	if (f->after_ns > f->after_max_ns)
		conf_fail_at(l, conf_given(l, &f->after_ns, &f->after_max_ns),
			     "pools.%s.failover.after: found more than after-max, expected at most that",
			     pool->name);
	if (f->attempts > 1 && f->after_max_ns >= t->b_ns)
		conf_warn_at(l, conf_given(l, &f->after_max_ns, conf_given(l, &t->b_ns, &t->t1_ns)),
			     "pools.%s.failover.after-max: not below timers.b, which ends the call first",
			     pool->name);
	for (uint32_t i = 0; i < f->n_on; i++) {
		if (f->on[i] == 401 || f->on[i] == 407)
			conf_fail_at(l, &f->on[i],
				     "pools.%s.failover.on[%u]: found %u, which asks the caller for its "
				     "credentials, expected another code",
				     pool->name, i, f->on[i]);
		if (f->on[i] == 487)
			conf_fail_at(l, &f->on[i],
				     "pools.%s.failover.on[%u]: found 487, which ends a cancelled call, "
				     "expected another code",
				     pool->name, i);
	}
}

/* A gateway that callers are only referred to is not seen again: nothing can be counted or done later. */
static void check_redirect(struct loader *l, const struct conf_pool *pool)
{
	if (pool->mode != CONF_MODE_REDIRECT)
		return;
	for (uint32_t i = 0; i < pool->n_gateways; i++)
		if (pool->gateways[i].max_calls != CONF_NONE)
			conf_fail_at(l, &pool->gateways[i].max_calls,
				     "gateway \"%s\": found max-calls in a pool with mode: redirect, where "
				     "Weir does not see calls end, expected none",
				     pool->gateways[i].name);
	for (uint32_t i = 0; i < pool->n_reroute; i++)
		if (pool->reroute[i].always != CONF_ON)
			conf_fail_item(
				l, &pool->reroute[i],
				"pools.%s.reroute[%u]: waits for an answer, which Weir does not see with "
				"mode: redirect, expected \"always: on\"",
				pool->name, i);
}

static void check_reroute(struct loader *l, const struct conf_pool *pool, uint32_t index)
{
	const struct conf_reroute *r = &pool->reroute[index];
	bool later = r->n_on > 0 || r->no_answer_ns > 0;

	if (!later && r->always != CONF_ON &&
	    l->bad[KIND_NUMBER] + l->bad[KIND_DURATION] + l->bad[KIND_ENUM] == 0)
		conf_fail_item(l, r,
			       "pools.%s.reroute[%u]: never applies, expected a key \"on\", \"no-answer\" or "
			       "\"always\"",
			       pool->name, index);
	if (later && r->always == CONF_ON)
		conf_fail_at(l, &r->always,
			     "pools.%s.reroute[%u].always: found beside \"on\" or \"no-answer\", expected it "
			     "alone",
			     pool->name, index);
	if (r->to.index != CONF_NONE && l->conf->pools[r->to.index].mode == CONF_MODE_REDIRECT)
		conf_fail_at(
			l, &r->to,
			"pools.%s.reroute[%u].to: found \"%s\", which has mode: redirect, expected a pool "
			"that takes calls",
			pool->name, index, r->to.name);
	for (uint32_t i = 0; i < index; i++) {
		if (pool->reroute[i].always != CONF_ON || pool->reroute[i].number != NULL)
			continue;
		conf_warn_item(
			l, r,
			"pools.%s.reroute[%u]: never decides, because the rule at line %zu sends all on",
			pool->name, index, conf_item_line(l, &pool->reroute[i]));
		return;
	}
}

static void check_overflow(struct loader *l, const struct conf_pool *pool)
{
	const struct conf_ref *to = &pool->overload.overflow;

	if (to->index == CONF_NONE)
		return;
	if (&l->conf->pools[to->index] == pool)
		conf_fail_at(l, to, "pools.%s.overload.overflow: found the pool itself, expected another one",
			     pool->name);
	else if (pool->mode == CONF_MODE_REDIRECT || l->conf->pools[to->index].mode == CONF_MODE_REDIRECT)
		conf_fail_at(
			l, to,
			"pools.%s.overload.overflow: found with mode: redirect here or at \"%s\", expected "
			"pools that take calls",
			pool->name, to->name);
}

enum colour {
	UNSEEN,
	OPEN, /* on the way from where the walk began */
	DONE
};

/* Walks reroutes depth first; `seen` by pool. Reports the rule that closes a circle. */
static void walk(struct loader *l, uint32_t index, uint8_t *seen)
{
	const struct conf_pool *pool = &l->conf->pools[index];

	seen[index] = OPEN;
	for (uint32_t i = 0; i < pool->n_reroute; i++) {
		const struct conf_ref *to = &pool->reroute[i].to;

		if (to->index == CONF_NONE)
			continue;
		if (seen[to->index] == OPEN)
			conf_fail_at(
				l, to,
				"pools.%s.reroute[%u].to: found \"%s\", from which calls come back here, "
				"expected a pool outside the circle",
				pool->name, i, to->name);
		else if (seen[to->index] == UNSEEN)
			walk(l, to->index, seen);
	}
	seen[index] = DONE;
}

void conf_check_failover(struct loader *l)
{
	const struct conf *c = l->conf;
	uint8_t *seen = calloc(c->n_pools + 1u, sizeof(*seen));

	if (seen == NULL) {
		l->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < c->n_pools; i++) {
		check_failover(l, &c->pools[i]);
		check_redirect(l, &c->pools[i]);
		check_overflow(l, &c->pools[i]);
		for (uint32_t k = 0; k < c->pools[i].n_reroute; k++)
			check_reroute(l, &c->pools[i], k);
		if (seen[i] == UNSEEN)
			walk(l, i, seen);
	}
	free(seen);
}
