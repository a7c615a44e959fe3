/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: gateways that refuse calls with Retry-After (RFC 3261 20.33, 21.5.4), and what that does by the
 * config of their pool. Taken literally it is a switch that turns whole platforms off and on (RFC 5390 5.3).
 * So one such answer means nothing, what is heeded has a bound, a trickle of new calls goes on to show when
 * the gateway can take them again, more than half of a pool is stopped only if all of it asks, and who has no
 * learned limit, which a stop lowers (limit.c), comes back by steps. Requests in dialogs are never held back.
 * Control.
 */
#include "lb/govern/governor.h"

#define SECOND    1000000000ull
#define ANSWERS   20            /* of which more than SHARE must be such 503s: two of them */
#define SHARE     5             /* per cent */
#define LATELY_NS (60 * SECOND) /* the second one must come within so long */
#define TRICKLE   64            /* one of so many new calls that it got goes on, and one a second at least */
#define WELL      3             /* of them answered in a row end the stop */
#define BACK      10            /* new calls per s that it gets at least in the first second after it */

const char *lb_retry_name(enum lb_retry effect)
{
	static const char *const names[LB_RETRIES] = {
		[LB_RETRY_NONE] = "none",     [LB_RETRY_STOP] = "stop",     [LB_RETRY_SPARE] = "spare",
		[LB_RETRY_SHRINK] = "shrink", [LB_RETRY_RETURN] = "return",
	};

	return names[effect];
}

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

void retry_after_start(struct retry_after *ra)
{
	*ra = (struct retry_after){ .rate = LB_UNLIMITED };
}

void retry_after_sight(const struct retry_after *ra, uint64_t now, struct lb_congestion *out)
{
	out->retry = (enum lb_retry)ra->effect;
	out->retry_left_ns = ra->until > now ? ra->until - now : 0;
}

/* ---- What it says -------------------------------------------------------------------------------------- */

/* n answers, k of them such 503s; their order is not known. Of many the share counts, rounded up. */
static void remember(struct retry_after *ra, uint32_t n, uint32_t k)
{
	if (n > ANSWERS) {
		k = (uint32_t)(((uint64_t)k * ANSWERS + n - 1) / n);
		n = ANSWERS;
	}
	ra->last = (ra->last << n | ((1u << k) - 1)) & ((1u << ANSWERS) - 1);
}

static bool says_so(const struct retry_after *ra)
{
	return __builtin_popcount(ra->last) * 100 > ANSWERS * SHARE;
}

static void hear(struct retry_after *ra, const struct reading *r, uint64_t max_ns, uint64_t now)
{
	uint64_t ns = r->retry_after_s * SECOND, until = now + (ns < max_ns ? ns : max_ns);

	if (now - ra->lately > LATELY_NS)
		ra->last = 0;
	remember(ra, most(r->finished, r->retry_after), r->retry_after);
	if (r->retry_after == 0)
		return;
	ra->lately = now;
	if (says_so(ra) && until > ra->until)
		ra->until = until;
}

/* Calls that left before the stop say nothing of it. */
static void watch_trickle(struct retry_after *ra, const struct reading *r)
{
	uint32_t old = r->finished < ra->open ? r->finished : ra->open, n = r->finished - old;

	ra->open -= old;
	ra->well = r->retry_after ? 0 : ra->well + n;
	for (unsigned i = 0; i < ORIGINS && ra->well; i++) {
		if (r->refused[0][i])
			ra->well = 0;
	}
	if (ra->well >= WELL)
		ra->until = 0;
}

/* ---- What that does ------------------------------------------------------------------------------------ */

static void tell(struct lb_governor *g, uint16_t slot, const struct gateway *gw, uint8_t before)
{
	const struct retry_after *ra = &g->at[slot].ra;
	bool was = before != LB_RETRY_NONE && before != LB_RETRY_RETURN;
	bool asks = ra->effect != LB_RETRY_NONE && ra->effect != LB_RETRY_RETURN;
	struct lb_notice n = { .slot = slot, .pool = gw->pool, .peer = LB_NONE };

	if (asks) {
		n.kind = LB_NOTICE_RETRY_AFTER;
		n.a = ra->effect;
		n.b = (uint32_t)((ra->until - g->now + SECOND - 1) / SECOND);
	} else if (was) {
		n.kind = LB_NOTICE_RETRY_AFTER_OVER;
		n.a = ra->well >= WELL;
	} else {
		return;
	}
	governor_notice(g, n);
}

static void set(struct lb_governor *g, uint16_t slot, const struct gateway *gw, enum lb_retry effect)
{
	struct governed *at = &g->at[slot];
	struct retry_after *ra = &at->ra;
	uint8_t before = ra->effect;

	if (before == effect)
		return;
	ra->effect = (uint8_t)effect;
	ra->rate = LB_UNLIMITED;
	if (effect == LB_RETRY_STOP) {
		ra->open = at->r.open;
		ra->usual = most(before == LB_RETRY_RETURN ? ra->usual : 0,
				 most(at->h.usual, most(at->h.carried, at->h.sent)));
		ra->rate = most(ra->usual / TRICKLE, 1);
	} else if (effect == LB_RETRY_RETURN) {
		ra->rate = most(ra->usual / 4, BACK);
		ra->second = g->now;
	}
	tell(g, slot, gw, before);
	ra->well = 0;
}

/* Each second twice as much, until nothing more is known to come. */
static void come_back(struct lb_governor *g, uint16_t slot, const struct gateway *gw)
{
	struct retry_after *ra = &g->at[slot].ra;

	if (g->now - ra->second < SECOND)
		return;
	ra->second = g->now;
	ra->rate *= 2;
	if (ra->rate >= 2 * ra->usual)
		set(g, slot, gw, LB_RETRY_NONE);
}

/* It asks for nothing, or for nothing more. Who has a learned limit needs no steps to come back. */
static void let_go(struct lb_governor *g, uint16_t slot, const struct gateway *gw, const struct pool *pool)
{
	struct governed *at = &g->at[slot];
	struct retry_after *ra = &at->ra;
	bool steps = pool->gateway_retry != LB_GATEWAY_RETRY_IGNORE && !at->l.met;

	ra->until = 0;
	if (ra->effect == LB_RETRY_NONE)
		return;
	if (ra->effect == LB_RETRY_RETURN && steps) {
		come_back(g, slot, gw);
		return;
	}
	ra->last = 0; /* two more are needed */
	set(g, slot, gw, ra->effect == LB_RETRY_STOP && steps ? LB_RETRY_RETURN : LB_RETRY_NONE);
}

/* What the gateway has said since the step before; true if its pool is to be judged for it. */
static bool listen(struct lb_governor *g, uint16_t slot, const struct gateway *gw, const struct pool *pool)
{
	struct retry_after *ra = &g->at[slot].ra;
	uint64_t latest = g->now + pool->gateway_retry_max_ns;

	if (ra->effect == LB_RETRY_STOP)
		watch_trickle(ra, &g->at[slot].r);
	if (g->dt > 0)
		hear(ra, &g->at[slot].r, pool->gateway_retry_max_ns, g->now);
	if (ra->until > latest) /* the clock was set back, or the config has changed */
		ra->until = latest;
	if (pool->gateway_retry == LB_GATEWAY_RETRY_IGNORE || ra->until <= g->now) {
		let_go(g, slot, gw, pool);
		return false;
	}
	if (pool->gateway_retry == LB_GATEWAY_RETRY_SHRINK)
		set(g, slot, gw, LB_RETRY_SHRINK);
	return pool->gateway_retry == LB_GATEWAY_RETRY_STOP;
}

/* ---- Pools --------------------------------------------------------------------------------------------- */

/* True if calls of its pool can go to the gateway, whatever it asks for. */
static bool is_there(const struct lb_governor *g, const struct gateway *gw)
{
	return gw->slot < g->n_slots && gw->weight > 0 && health_is_well(&g->at[gw->slot].h) &&
	       lb_get_admin(g->words, gw->slot) == LB_READY;
}

/* How many of the pool may be stopped: half, or all if all ask. */
static uint32_t most_stopped(const struct lb_governor *g, const struct pool *pool)
{
	uint32_t there = 0, asking = 0;

	for (uint32_t i = pool->start; i < pool->end; i++) {
		const struct gateway *gw = &g->s->gateways[i];

		if (!is_there(g, gw))
			continue;
		there++;
		asking += g->at[gw->slot].ra.until > 0;
	}
	return asking == there ? there : there / 2;
}

/* Who is stopped stays so before others are. */
static void judge(struct lb_governor *g, const struct pool *pool)
{
	uint32_t left = most_stopped(g, pool);

	for (unsigned others = 0; others < 2; others++) {
		for (uint32_t i = pool->start; i < pool->end; i++) {
			const struct gateway *gw = &g->s->gateways[i];
			const struct retry_after *ra = &g->at[gw->slot].ra;

			if (!is_there(g, gw) || ra->until == 0 || (ra->effect != LB_RETRY_STOP) != others)
				continue;
			set(g, gw->slot, gw, left > 0 ? LB_RETRY_STOP : LB_RETRY_SPARE);
			left -= left > 0;
		}
	}
}

void govern_retry_after(struct lb_governor *g)
{
	bool due[LIMIT_POOLS] = { false };

	for (uint32_t i = 0; i < g->n_awake; i++) {
		uint16_t slot = g->awake[i];
		const struct gateway *gw = gateway_by_slot(g->s, slot);

		if (listen(g, slot, gw, &g->s->pools[gw->pool]))
			due[gw->pool] = true;
		if (g->at[slot].ra.effect != LB_RETRY_NONE || g->at[slot].ra.until)
			g->at[slot].asleep = false;
	}
	for (uint32_t pool = 0; pool < g->s->n_pools; pool++) {
		if (due[pool])
			judge(g, &g->s->pools[pool]);
	}
}
