/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: who is there. Each gateway's health is a machine of its own (health.c); here it is shown what
 * it goes by, and what only several gateways together can tell is judged: whether anybody of a pool is well,
 * and whether a silence is our own (panic). Control. Must stay true: a change is in the words before the step
 * ends, and every change is told.
 */
#include <stdio.h>
#include "lb/govern/governor.h"

#define ABLE_NS     1000000000ull
#define PANIC_NS    10000000000ull /* how long silence is borne */
#define PANIC_LEAST 3 /* gateways that fall silent together, and more than half of those of a port */
#define PANIC_MUTE  500000000ull  /* of each; a probe's time-out counts as well */
#define PANIC_SPAN  1000000000ull /* within which it must have begun */

static uint32_t rate_of(double rate, const struct bucket *cps)
{
	uint64_t interval = __atomic_load_n(&cps->interval, __ATOMIC_RELAXED);
	uint32_t own = interval == BUCKET_FREE || interval == BUCKET_SHUT
			       ? LB_UNLIMITED
			       : (uint32_t)(1000000000u / interval);

	return rate < own ? (uint32_t)rate : own;
}

/* ---- What each of them goes by ------------------------------------------------------------------------- */

static uint32_t refusals(const struct reading *r)
{
	uint32_t n = 0;

	for (unsigned i = 0; i < ORIGINS; i++)
		n += r->refused[0][i];
	return n;
}

/* Weights of the gateways of a tier that are well and READY. */
static uint32_t weight_of_well(const struct lb_governor *g, const struct tier *t)
{
	const struct gateway *gw = &g->s->gateways[t->first];
	uint32_t sum = 0;

	for (uint32_t i = 0; i < t->n; i++)
		if (gw[i].slot < g->n_slots && health_is_well(&g->at[gw[i].slot].h) &&
		    lb_get_admin(g->words, gw[i].slot) == LB_READY)
			sum += gw[i].weight;
	return sum;
}

/* True if some gateway of the pool is well. */
static bool any_well(struct lb_governor *g, uint16_t pool)
{
	const struct pool *p = &g->s->pools[pool];

	if (g->well_pool == pool)
		return g->well;
	g->well_pool = pool;
	g->well = false;
	for (uint32_t t = p->first; t < (uint32_t)p->first + p->n && !g->well; t++)
		g->well = weight_of_well(g, &g->s->tiers[t]) > 0;
	return g->well;
}

/* Shares are of those that are well: what tries the others is little. */
static void set_able(struct lb_governor *g, uint16_t pool)
{
	const struct pool *p = &g->s->pools[pool];

	for (uint32_t i = 0; i < p->n; i++) {
		const struct tier *t = &g->s->tiers[p->first + i];

		lb_set_able(g->words, pool, g->s->gateways[t->first].tier, weight_of_well(g, t));
	}
}

static struct health_seen see(struct lb_governor *g, uint16_t slot)
{
	const struct gateway *gw = gateway_by_slot(g->s, slot);
	const struct pool *p = &g->s->pools[gw->pool];
	const struct governed *at = &g->at[slot];
	const struct word *word = &g->words->gateway[slot];

	return (struct health_seen){
		.now = g->now,
		.heard = __atomic_load_n(&word->heard, __ATOMIC_RELAXED),
		.hearing = g->hearing,
		.sent = at->r.sent,
		.answered = at->r.answered,
		.refused = refusals(&at->r),
		.bounced = at->r.bounced,
		.limit = rate_of(at->l.rate, &word->cps),
		.limit_open = at->l.cap < LB_UNLIMITED ? (uint32_t)at->l.cap : LB_UNLIMITED,
		.passed = at->r.passed,
		.lowered = at->l.lowered,
		.admin = (uint8_t)lb_get_admin(g->words, slot),
		.down_after = p->down_after,
		.up_after = p->up_after,
		.alone = at->h.state == LB_PROBING && !any_well(g, gw->pool),
		.panic = g->panic[gw->port].on,
		.oc = at->x.algo != 0, /* as of the step before */
	};
}

/* ---- Panic --------------------------------------------------------------------------------------------- */

/*
 * True if gateways of the port fell silent together: then the fault may well be ours, and as nobody would be
 * left, calls go on being tried. When each fell silent is only known to lie between when it was last heard
 * and when it was first asked in vain. Who is told by ICMP that nobody listens there needs no panic.
 */
static bool is_ours(const struct lb_governor *g, uint8_t port, uint32_t *silent, uint32_t *all)
{
	const struct panic *before = &g->panic[port];
	uint64_t last_heard = 0, first_asked = UINT64_MAX, heard, asked;
	const struct health_seen seen = { .now = g->now, .hearing = g->hearing };

	*silent = *all = 0;
	for (uint32_t i = 0; i < g->s->n_gateways; i++) {
		const struct gateway *gw = &g->s->gateways[i];
		const struct health *h = &g->at[gw->slot].h;

		if (gw->port != port || gw->slot >= g->n_slots || h->maint)
			continue;
		++*all;
		if (h->bounced_n)
			return false;
		if (h->state == LB_DOWN || !health_mute(h, &seen, PANIC_MUTE, &heard, &asked) || heard == 0 ||
		    heard < before->since)
			continue; /* who never spoke has not fallen silent */
		++*silent;
		last_heard = heard > last_heard ? heard : last_heard;
		first_asked = asked < first_asked ? asked : first_asked;
	}
	return *silent >= PANIC_LEAST && *silent > *all / 2 && last_heard <= first_asked + PANIC_SPAN;
}

/* Somebody of the port is silent enough to be DOWN: looks whether he is the only one. */
static void judge_port(struct lb_governor *g, uint8_t port)
{
	uint32_t silent, all;

	if (g->panic[port].on || !is_ours(g, port, &silent, &all))
		return;
	g->panic[port] = (struct panic){ .on = true, .since = g->now, .until = g->now + PANIC_NS };
	governor_notice(g, (struct lb_notice){ .kind = LB_NOTICE_PANIC,
					       .slot = LB_NONE,
					       .pool = LB_NONE,
					       .peer = LB_NONE,
					       .a = port,
					       .b = silent,
					       .c = all });
}

static void calm_down(struct lb_governor *g)
{
	for (uint8_t port = 0; port < LIMIT_PORTS; port++) {
		if (!g->panic[port].on || g->panic[port].until > g->now)
			continue;
		g->panic[port].on = false;
		governor_notice(g, (struct lb_notice){ .kind = LB_NOTICE_CALM,
						       .slot = LB_NONE,
						       .pool = LB_NONE,
						       .peer = LB_NONE,
						       .a = port });
	}
}

/* ---- The step ------------------------------------------------------------------------------------------ */

/* Everybody's news first, so that who is judged is judged beside the others. */
static void note_all(struct lb_governor *g)
{
	bool judged[LIMIT_PORTS] = { false };
	uint32_t figure;

	for (uint32_t i = 0; i < g->n_awake; i++) {
		const struct health_seen seen = see(g, g->awake[i]);

		health_note(&g->at[g->awake[i]].h, &seen);
	}
	for (uint32_t i = 0; i < g->n_awake; i++) {
		const struct health_seen seen = see(g, g->awake[i]);
		uint8_t port = gateway_by_slot(g->s, g->awake[i])->port;

		if (judged[port] || !health_silent(&g->at[g->awake[i]].h, &seen, &figure))
			continue;
		judged[port] = true;
		judge_port(g, port);
	}
}

/* True if there is more to see of it without news from the workers. */
static bool is_interesting(const struct health *h)
{
	return h->state != LB_UP || h->asked || h->sent || h->lost || h->flaps;
}

static void step(struct lb_governor *g, uint16_t slot)
{
	const struct health_seen seen = see(g, slot);
	struct governed *at = &g->at[slot];

	if (health_step(&at->h, &seen)) {
		const struct gateway *gw = gateway_by_slot(g->s, slot);

		lb_set_health(g->words, slot, (enum lb_health)at->h.state);
		set_able(g, gw->pool);
		if (at->h.state == LB_DOWN)
			lb_forget_open(g->words, slot, gw->pool, gw->tier);
		governor_notice(g, (struct lb_notice){ .kind = LB_NOTICE_HEALTH,
						       .slot = slot,
						       .pool = gw->pool,
						       .peer = LB_NONE,
						       .a = at->h.state,
						       .b = at->h.why,
						       .c = at->h.figure });
	}
	lb_set_panic(g->words, slot, seen.panic);
	at->asleep = at->asleep && !is_interesting(&at->h) && !seen.panic;
}

void govern_health(struct lb_governor *g)
{
	if (g->dt == 0)
		g->hearing = g->now;
	if (g->now >= g->able_next) { /* what the operator said meanwhile, and new pools */
		for (uint32_t pool = 0; pool < g->s->n_pools; pool++)
			set_able(g, (uint16_t)pool);
		g->able_next = g->now + ABLE_NS;
	}
	g->well_pool = LB_NONE;
	calm_down(g);
	note_all(g);
	g->well_pool = LB_NONE;
	for (uint32_t i = 0; i < g->n_awake; i++)
		step(g, g->awake[i]);
}

/* ---- For control --------------------------------------------------------------------------------------- */

void lb_govern_probe(struct lb_governor *g, uint16_t slot, enum lb_probe_result result, uint64_t sent)
{
	struct governed *at = &g->at[slot];

	if (slot >= g->n_slots || at->id == 0)
		return;
	health_probe(&at->h, result, sent, __atomic_load_n(&g->words->gateway[slot].heard, __ATOMIC_RELAXED));
	at->asleep = false;
}

void lb_govern_deaf(struct lb_governor *g, uint64_t now)
{
	g->hearing = now;
}

void lb_health_look(const struct lb_governor *g, uint16_t slot, struct lb_health_sight *out)
{
	const struct health *h = &g->at[slot].h;

	*out = (struct lb_health_sight){ .state = LB_UP, .rate = LB_UNLIMITED };
	if (slot >= g->n_slots || g->at[slot].id == 0)
		return;
	*out = (struct lb_health_sight){
		.state = (enum lb_health)h->state,
		.why = (enum lb_health_why)h->why,
		.figure = h->figure,
		.since = h->since,
		.hold = h->hold,
		.rate = h->rate,
		.lost = h->lost,
		.ok = h->ok,
	};
}

const char *lb_health_text(enum lb_health_why why, uint32_t figure, char *out, size_t n)
{
	static const struct {
		const char *before, *after; /* the figure stands between them; after NULL: there is none */
	} texts[LB_WHY_COUNT] = {
		[LB_WHY_NONE] = { "since the start", NULL },
		[LB_WHY_PROBES] = { "", " probes in a row without an answer" },
		[LB_WHY_MUTE] = { "", " calls wait and it sends nothing" },
		[LB_WHY_ICMP] = { "", " calls came back by ICMP and it sends nothing" },
		[LB_WHY_UNANSWERED] = { "no call answered for ", " ms" },
		[LB_WHY_ALIVE] = { "it answers again; a few calls try it", NULL },
		[LB_WHY_HELD_OFF] = { "a few calls try it, as there are no probes", NULL },
		[LB_WHY_READY] = { "maintenance is over; a few calls try it", NULL },
		[LB_WHY_PROVEN] = { "", " calls answered; it gets more every second" },
		[LB_WHY_EASED] = { "it has room again; it gets more every second, from ", "/s on" },
		[LB_WHY_LIMIT] = { "back at ", " new calls/s" },
		[LB_WHY_CLEAR] = { "all is well", NULL },
		[LB_WHY_PROBE_503] = { "it answers probes with 503", NULL },
		[LB_WHY_OC] = { "it asks for less (oc)", NULL },
		[LB_WHY_OFFERED] = { "twice what it can take is meant for it, ", " new calls/s" },
	};

	if (texts[why].after)
		snprintf(out, n, "%s%u%s", texts[why].before, figure, texts[why].after);
	else
		snprintf(out, n, "%s", texts[why].before);
	return out;
}
