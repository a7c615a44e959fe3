/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls in use: see ledger.h. Must stay true: survivors only go down after the start, and what is on disk is
 * never more than two seconds old while there are calls.
 */
#include "control/ledger.h"

#include <event2/event.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/audit.h"
#include "control/events.h"
#include "control/log.h"
#include "control/survivors.h"

#define SECOND     1000000000ull
#define LOG_EVERY  (60 * SECOND)
#define AUDIT_S    10 /* between two audits */
/* Looks in a row at which a pool had room before that is told: one whose last place comes and goes is full.
 */
#define FREE_AFTER 10

struct ctl_ledger {
	struct app *app;
	struct event *timer;
	struct survivors survivors;
	struct ctl_gate gate; /* of the state folder's errors */
	bool written;         /* the file has figures, or was found there */
	uint8_t *full;        /* by pool: looks for which it still counts as full, 0: it is not */
	int64_t ahead;        /* s, of the wall clock before the one that nobody sets */
	struct ctl_audit audit;
	uint32_t turns; /* of the timer */
	bool drift;     /* the last audit found something wrong */
};

static bool any_calls(const struct app *app)
{
	const struct ctl_policy *p = app->policy;

	for (uint32_t i = 0; i < p->spec.n_gateways; i++)
		if (lb_gateway_calls(app->words, p->gateways[i].slot) ||
		    lb_get_survivors(app->words, p->gateways[i].slot))
			return true;
	return false;
}

/* s since a moment that stays the same, whoever sets the wall clock. */
static int64_t steady_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec;
}

/* The wall clock, s. When it was set, the moments of survivors go along. */
static int64_t wall_clock(struct ctl_ledger *l)
{
	int64_t now = time(NULL), set = now - steady_clock() - l->ahead;

	if (set < -1 || set > 1) { /* both are cut to whole seconds */
		survivors_clock_set(&l->survivors, set);
		l->ahead += set;
	}
	return now;
}

/* Without calls the file is written once more and then left alone. */
static void store(struct ctl_ledger *l, int64_t now, bool sync)
{
	bool any = any_calls(l->app);
	uint64_t held;
	int rc;

	if (!any && !l->written)
		return;
	rc = survivors_store(&l->survivors, l->app->words, l->app->conf->state_dir, now, sync);
	if (rc == 0)
		l->written = any;
	else if (ctl_gate(&l->gate, dp_now(), LOG_EVERY, &held))
		ctl_err("state-dir %s: calls in use are not written down: %s", l->app->conf->state_dir,
			strerror(-rc));
}

/* ---- Full pools -------------------------------------------------------------------------------------- */

static void look_at_pools(struct ctl_ledger *l)
{
	struct ctl_pool pool;

	for (uint32_t i = 0; i < ctl_pool_count(l->app); i++) {
		ctl_pool(l->app, i, &pool);
		if (pool.full && !l->full[i])
			ctl_event(l->app, CTL_POOL_FULL, pool.name,
				  "pool %s: full, all gateways that take calls are at max-calls", pool.name);
		if (pool.full)
			l->full[i] = FREE_AFTER;
		else if (l->full[i] && --l->full[i] == 0)
			ctl_event(l->app, CTL_POOL_FREE, pool.name, "pool %s: has room again", pool.name);
	}
}

/* The first difference in a list of n, or n. */
static uint32_t first_wrong(const int64_t *difference, uint32_t n)
{
	uint32_t i = 0;

	while (i < n && !difference[i])
		i++;
	return i;
}

static void tell_one(struct ctl_ledger *l, const char *what, const char *name, int64_t difference,
		     const char *counted)
{
	ctl_event(l->app, CTL_AUDIT_DRIFT, name, "audit: %s %s: %+ld %s; %u differences in all", what, name,
		  (long)difference, counted, l->audit.wrong);
}

/* The first thing that the audit found wrong, as an event. */
static void tell_drift(struct ctl_ledger *l)
{
	const struct ctl_policy *p = l->app->policy;
	const struct ctl_audit *a = &l->audit;
	uint32_t n = p->spec.n_gateways, i = first_wrong(a->difference, n);
	uint32_t k = first_wrong(a->open_difference, n);

	if (i < n) {
		tell_one(l, "gateway", p->gateways[i].name.p, a->difference[i],
			 "calls counted that no entry holds");
	} else if (k < n) {
		tell_one(l, "gateway", p->gateways[k].name.p, a->open_difference[k],
			 "INVITEs counted that nobody waits for");
	} else {
		i = first_wrong(a->peer_difference, p->spec.n_peers - 1);
		tell_one(l, "peer", p->peer_specs[i].name.p, a->peer_difference[i],
			 "calls counted that no entry holds");
	}
}

static void look_at_calls(struct ctl_ledger *l)
{
	audit_read(&l->audit, l->app);
	if (l->audit.wrong && !l->drift)
		tell_drift(l);
	else if (!l->audit.wrong && l->drift)
		ctl_event(l->app, CTL_AUDIT_GOOD, l->app->conf->node,
			  "audit: calls counted are those known again");
	l->drift = l->audit.wrong > 0;
}

void ledger_turn(struct app *app)
{
	struct ctl_ledger *l = app->ledger;
	const struct ctl_policy *p = app->policy;
	int64_t now = wall_clock(l);

	for (uint32_t i = 0; i < p->spec.n_gateways; i++)
		lb_cap_survivors(app->words, p->gateways[i].slot, survivors_most(&l->survivors, i, now));
	store(l, now, false);
	look_at_pools(l);
	if (l->turns++ % AUDIT_S == 0)
		look_at_calls(l);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	ledger_turn(arg);
}

/* ---- Start and stop ---------------------------------------------------------------------------------- */

static int load(struct ctl_ledger *l)
{
	const struct conf *conf = l->app->conf;
	const struct ctl_policy *p = l->app->policy;
	int64_t now = time(NULL);
	uint64_t sum = 0;
	char err[1400];
	int rc = survivors_load(&l->survivors, p, conf->state_dir,
				(int64_t)(conf->calls.max_duration_ns / SECOND), now, err, sizeof(err));

	l->ahead = now - steady_clock();
	if (rc)
		ctl_warn("%s", err);
	if (rc == -ENOMEM)
		return rc;
	for (uint32_t i = 0; i < p->spec.n_gateways; i++) {
		uint32_t n = survivors_most(&l->survivors, i, now);

		lb_set_survivors(l->app->words, p->gateways[i].slot, n);
		sum += n;
	}
	if (sum)
		ctl_notice("%lu calls of the process before this one may still go on", (unsigned long)sum);
	l->written = sum > 0;
	return 0;
}

int ledger_start(struct app *app)
{
	const struct timeval second = { .tv_sec = 1 };
	struct ctl_ledger *l = calloc(1, sizeof(*l));
	int rc;

	app->ledger = l;
	if (!l)
		return -ENOMEM;
	l->app = app;
	l->full = calloc(app->policy->spec.n_pools + 1, sizeof(*l->full));
	l->timer = event_new(app->base, -1, EV_PERSIST, on_timer, app);
	if (!l->full || !l->timer || audit_init(&l->audit, app))
		return -ENOMEM;
	rc = load(l);
	if (rc == 0 && event_add(l->timer, &second))
		rc = -ENOMEM;
	return rc;
}

void ledger_stop(struct app *app)
{
	struct ctl_ledger *l = app->ledger;

	if (!l)
		return;
	if (l->timer)
		event_free(l->timer);
	if (l->survivors.calls)
		store(l, wall_clock(l), true);
	survivors_free(&l->survivors);
	audit_free(&l->audit);
	free(l->full);
	free(l);
	app->ledger = NULL;
}
