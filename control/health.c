/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probes on the event loop: sends them through the data path, takes their answers, and tells the governor how
 * they ended. All probes together are capped, so that ten thousand gateways that
 * come due at once are spread over time and never a burst on the wire.
 */
#include "control/health.h"

#include <event2/event.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/governor.h"
#include "control/options.h"
#include "control/plan.h"
#include "control/probe.h"

#define MS           1000000ull
#define SECOND       1000000000ull
#define GRACE_NS     (5 * MS) /* an answer may still wait in the ring when its deadline passes */
#define CAP_BURST    8        /* probes at once */
#define CAP_RETRY_NS (5 * MS)

struct target {
	struct ctl_health *health;
	struct event *timer; /* NULL: not probed */
	uint32_t gateway;    /* index into the policy's gateways */
	uint32_t cseq;       /* of the last probe */
	struct probe probe;
	struct probe_rules rules;
	char call_id[OPTIONS_CALL_ID + 1]; /* of the last probe */
};

struct ctl_health {
	struct app *app;
	uint64_t paced; /* dp_now() up to which the cap is used up */
	uint32_t n;
	struct target target[]; /* by gateway index */
};

static const struct lb_gateway_spec *spec_of(const struct target *t)
{
	return &t->health->app->policy->gateways[t->gateway];
}

static uint32_t random32(void)
{
	uint32_t r = 0;

	/* Only spreads things out: a failure, which the kernel rules out for so few bytes, costs nothing. */
	return getrandom(&r, sizeof(r), 0) == sizeof(r) ? r : 0;
}

/* At most LIMIT_PROBE_RATE per second with CAP_BURST at once: a virtual schedule (GCRA). */
static bool within_cap(struct ctl_health *h, uint64_t now)
{
	const uint64_t step = SECOND / LIMIT_PROBE_RATE;

	if (h->paced > now + (CAP_BURST - 1) * step)
		return false;
	h->paced = (h->paced > now ? h->paced : now) + step;
	return true;
}

/* The last probe has ended so. */
static void tell(const struct target *t, enum lb_probe_result result)
{
	governor_probe(t->health->app, spec_of(t)->slot, result, probe_last(&t->probe));
}

static const char *local_text(const struct dp_listener_plan *l, char buf[CONF_ADDR_TEXT])
{
	if (l->advertise)
		return l->advertise;
	conf_addr_text(&l->addr, buf);
	return buf;
}

/* Builds the next probe and hands it to a worker. Returns 0 or -errno. */
static int send_probe(struct target *t)
{
	struct app *app = t->health->app;
	const struct lb_gateway_spec *gw = spec_of(t);
	const struct lb_snapshot *snap = app->policy->current;
	char branch[LIMIT_BRANCH + 1], tag[OPTIONS_TAG + 1], local[CONF_ADDR_TEXT], msg[OPTIONS_MAX];
	uint64_t id[3];
	uint32_t len;
	int n;

	if (getrandom(id, sizeof(id), 0) != sizeof(id))
		return -EIO;
	snprintf(t->call_id, sizeof(t->call_id), "%016" PRIx64 "%016" PRIx64, id[0], id[1]);
	snprintf(tag, sizeof(tag), "%016" PRIx64, id[2]);
	t->cseq = t->cseq % INT32_MAX + 1; /* RFC 3261 8.1.1.5: below 2^31 */
	len = lb_probe_branch(snap, lb_gateway_id(gw->name), gw->listener,
			      lb_hash(lb_snapshot_key(snap), t->call_id, OPTIONS_CALL_ID), branch);
	branch[len] = 0;
	n = options_build(
		&(struct options){ .gateway = &gw->addr,
				   .local = local_text(&app->plan->dp.listeners[gw->listener], local),
				   .branch = branch,
				   .call_id = t->call_id,
				   .tag = tag,
				   .cseq = t->cseq,
				   .oc = gw->oc },
		msg);
	return n < 0 ? n : dp_send_message(app->dp, gw->listener, &gw->addr, msg, (uint32_t)n);
}

static void arm(struct target *t, uint64_t at, uint64_t now)
{
	uint64_t ns = at > now ? at - now : 0;
	struct timeval tv = { .tv_sec = (time_t)(ns / SECOND),
			      .tv_usec = (suseconds_t)(ns % SECOND / 1000 + 1) };

	evtimer_add(t->timer, &tv);
}

/* True if a worker has not ended a turn since the probe was sent: then silence is our own. */
static bool stood_still(const struct app *app, uint64_t since)
{
	struct ctl_worker w;

	for (uint32_t i = 0; i < ctl_worker_count(app); i++) {
		ctl_worker(app, i, &w);
		if (w.info.heartbeat < since)
			return true;
	}
	return false;
}

/* Gives up the open probe if its time is over. */
static void expire(struct target *t, uint64_t now)
{
	struct app *app = t->health->app;

	if (t->probe.open && now >= t->probe.deadline &&
	    stood_still(app, t->probe.deadline - t->rules.timeout)) {
		probe_void(&t->probe);
		st_inc(app->lane, ST_PROBES_UNSENT);
		return;
	}
	if (!probe_expired(&t->probe, now))
		return;
	st_inc(app->lane, ST_PROBES_TIMEOUT);
	tell(t, LB_PROBE_SILENT);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct target *t = arg;
	struct ctl_health *h = t->health;
	uint64_t now = dp_now();

	expire(t, now - GRACE_NS);
	if (probe_due(&t->probe, now)) {
		if (!within_cap(h, now)) {
			arm(t, now + CAP_RETRY_NS + random32() % CAP_RETRY_NS, now);
			return;
		}
		if (send_probe(t) == 0) {
			probe_sent(&t->probe, &t->rules, now, random32());
			st_inc(h->app->lane, ST_PROBES);
		} else {
			probe_unsent(&t->probe, &t->rules, now, random32());
			st_inc(h->app->lane, ST_PROBES_UNSENT);
		}
	}
	arm(t, probe_wake(&t->probe) + (t->probe.open ? GRACE_NS : 0), now);
}

void health_answer(struct app *app, const struct dp_up *up)
{
	uint16_t index = up->gateway < LIMIT_GATEWAYS ? app->policy->by_slot[up->gateway] : LB_NONE;
	struct target *t;

	if (!app->health || index == LB_NONE || index >= app->health->n)
		return;
	t = &app->health->target[index];
	if (!t->timer)
		return;
	if (!options_answers(up->data, up->n, t->call_id, t->cseq) ||
	    !probe_answered(&t->probe, up->at, up->status)) {
		st_inc(app->lane, ST_PROBES_STRAY);
		return;
	}
	st_inc(app->lane, ST_PROBES_ANSWERED);
	tell(t, up->status == 503 ? LB_PROBE_REFUSED : LB_PROBE_OK);
	arm(t, probe_wake(&t->probe), dp_now());
}

void health_admin(struct app *app, uint32_t index, enum lb_admin admin)
{
	struct target *t = app->health ? &app->health->target[index] : NULL;
	uint64_t now = dp_now();

	if (!t || !t->timer)
		return;
	if (admin == LB_MAINT) {
		probe_void(&t->probe);
		evtimer_del(t->timer);
	} else if (!evtimer_pending(t->timer, NULL)) {
		arm(t, probe_wake(&t->probe), now);
	}
}

static int start_target(struct target *t, const struct conf_health *conf, uint64_t now)
{
	struct app *app = t->health->app;
	uint64_t phase =
		((uint64_t)lb_gateway_id(spec_of(t)->name) * (conf->interval_ns / 1000) >> 32) * 1000;

	t->rules = (struct probe_rules){
		.interval = conf->interval_ns,
		.timeout = conf->timeout_ns,
	};
	probe_init(&t->probe, &t->rules, phase, now);
	if (conf->method == CONF_PROBE_OFF)
		return 0;
	t->timer = evtimer_new(app->base, on_timer, t);
	if (!t->timer)
		return -ENOMEM;
	arm(t, probe_wake(&t->probe), now);
	return 0;
}

int health_start(struct app *app)
{
	uint32_t n = ctl_gateway_count(app);
	struct ctl_health *h = calloc(1, sizeof(*h) + n * sizeof(h->target[0]));
	uint64_t now = dp_now();
	int rc = 0;

	if (!h)
		return -ENOMEM;
	options_init();
	h->app = app;
	h->n = n;
	app->health = h;
	for (uint32_t i = 0; i < n && rc == 0; i++) {
		h->target[i].health = h;
		h->target[i].gateway = i;
		rc = start_target(&h->target[i], &app->conf->pools[app->policy->gateways[i].pool].health,
				  now);
	}
	return rc;
}

void health_stop(struct app *app)
{
	struct ctl_health *h = app->health;

	if (!h)
		return;
	for (uint32_t i = 0; i < h->n; i++)
		if (h->target[i].timer)
			event_free(h->target[i].timer);
	free(h);
	app->health = NULL;
}

void health_view(const struct app *app, uint32_t index, struct ctl_gateway *out)
{
	const struct target *t;

	if (!app->health)
		return;
	t = &app->health->target[index];
	out->probed = t->timer != NULL;
	out->next_probe = t->timer ? t->probe.next : 0;
	out->failures = t->probe.failures;
	out->successes = t->probe.successes;
	out->n_probes = probe_history(&t->probe, out->probes);
}
