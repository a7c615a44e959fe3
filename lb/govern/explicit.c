/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: what gateways ask for by overload control (RFC 7339 5.5, RFC 7415 3.5), and what part of new
 * requests, or how many a second, follows from it. Control. Must stay true: nothing is obeyed longer than it
 * is valid, nothing old undoes what is newer, and only new requests are withheld (RFC 7339 7.2: all the rest
 * is of the second category, which Weir never sheds). That a gateway which does not answer at all gets
 * nothing but trials (RFC 7339 5.9) is health.c's.
 */
#include "lb/govern/governor.h"
#include "lb/admit/oc.h"

#define VALID_MS   60000 /* a longer validity counts as this: who is given nothing must be asked again */
#define AHEAD_NS   UINT64_C(1000000000) /* of the governor's clock; nothing is heard later than this */
#define SHEDDABLE  0.8                  /* until it is measured (RFC 7339 7.2) */
#define MEASURE_NS UINT64_C(5000000000) /* time that is measured over, 5 to 10 s there */
#define MEASURE_N  20                   /* requests that make a figure */

void explicit_start(struct explicit *x, uint64_t now)
{
	*x = (struct explicit){ .sheddable = SHEDDABLE, .measured = now, .rate = LB_UNLIMITED };
}

/* All that it said is forgotten; its notice still needs an end. */
static void forget(struct explicit *x, uint64_t now)
{
	bool told = x->told;

	explicit_start(x, now);
	x->told = told;
	x->asked = now;
}

void explicit_sight(const struct explicit *x, uint64_t now, struct lb_congestion *out)
{
	out->oc_algo = x->algo;
	out->oc_value = x->value;
	out->oc_left_ns = x->algo && x->until > now ? x->until - now : 0;
	out->shed = x->shed;
	out->sheddable = x->sheddable;
}

/* ---- What is heard ------------------------------------------------------------------------------------- */

/* The clock has been set back since then: how long ago it was is not known. Workers may be ahead a little. */
static bool is_ahead(uint64_t heard, uint64_t now)
{
	return heard > now + AHEAD_NS;
}

static void hear(struct explicit *x, const struct oc_signal *oc)
{
	uint64_t age = oc->heard > x->heard ? oc->heard - x->heard : 0;
	uint32_t ms = oc->validity_ms < VALID_MS ? oc->validity_ms : VALID_MS;

	if (x->heard && ((oc->seq && oc->seq == x->seq) || !oc_is_news(oc->seq, x->seq, age)))
		return;
	x->seq = oc->seq;
	x->value = oc->value;
	x->algo = ms ? oc->algo : 0; /* 0 ms: it controls nothing (RFC 7339 4.3) */
	x->until = oc->heard + ms * UINT64_C(1000000);
}

/* Every worker has heard something else last; what came since the step before is taken in. */
static void listen(const struct lb_governor *g, uint16_t slot, struct explicit *x)
{
	uint64_t since = x->heard, last = since;
	struct oc_signal oc;

	for (uint32_t i = 0; i < g->n_workers; i++) {
		if (!signal_read_oc(&g->workers[i]->signals->at[slot], &oc) || oc.heard <= since ||
		    is_ahead(oc.heard, g->now))
			continue;
		hear(x, &oc);
		if (oc.heard > last)
			last = oc.heard;
		x->heard = last;
	}
}

/* ---- What could be withheld ---------------------------------------------------------------------------- */

static uint64_t cell(const struct lb_governor *g, uint16_t slot, enum st_gateway_counter id)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < g->n_workers; i++)
		sum += st_cell_read(&g->workers[i]->lane->gateways[slot].count[id]);
	return sum;
}

/*
 * Share of requests that goes away when new ones are withheld. What is in a dialog goes with the call that
 * made it, so in the long run that is all as soon as anything new is meant for the gateway; taken for less,
 * as the share of new requests alone, short calls would all be withheld at a loss of a third, and then none.
 */
static void measure(const struct lb_governor *g, uint16_t slot, struct explicit *x)
{
	uint64_t shed, news, all;

	if (g->now < x->measured + MEASURE_NS)
		return;
	shed = cell(g, slot, ST_GW_SKIPPED_SHED);
	news = cell(g, slot, ST_GW_NEW) + shed;
	all = cell(g, slot, ST_GW_REQUESTS) + shed;
	if (x->all && all - x->all >= MEASURE_N) {
		x->sheddable = news > x->news ? 1 : SHEDDABLE;
	}
	x->measured = g->now;
	x->news = news;
	x->all = all;
}

/* ---- What follows -------------------------------------------------------------------------------------- */

/* RFC 7339 7.2: oc per cent of all requests, all of them taken from the share that can be withheld. */
static uint16_t part(const struct explicit *x)
{
	double p = x->value / 100.0;

	if (p >= x->sheddable)
		return x->value ? UINT16_MAX : 0;
	return (uint16_t)(p / x->sheddable * 65536);
}

static void follow(const struct lb_governor *g, uint16_t slot, const struct gateway *gw)
{
	struct governed *at = &g->at[slot];
	struct explicit *x = &at->x;

	if (!gw->oc) {
		forget(x, g->now);
		return;
	}
	if (is_ahead(x->heard, g->now))
		forget(x, g->now);
	listen(g, slot, x);
	measure(g, slot, x);
	if (x->algo && g->now >= x->until)
		x->algo = 0;
	x->shed = x->algo == LB_OC_LOSS ? part(x) : 0;
	x->rate = x->algo == LB_OC_RATE ? x->value : LB_UNLIMITED;
}

/* What it says is valid for half a second (RFC 7339 4.4): who says it once a second asks all the time. */
static void note(struct lb_governor *g, uint16_t slot, const struct gateway *gw)
{
	struct explicit *x = &g->at[slot].x;
	enum lb_notice_kind kind = x->algo ? LB_NOTICE_OC : LB_NOTICE_OC_OVER;
	bool was = x->told;

	x->asked = x->algo ? g->now : x->asked;
	x->told = x->algo || (x->told && g->now - x->asked <= LB_CLEAR_NS);
	if (x->told)
		g->at[slot].asleep = false;
	if (x->told == was)
		return;
	governor_notice(g, (struct lb_notice){ .kind = kind,
					       .slot = slot,
					       .pool = gw->pool,
					       .peer = LB_NONE,
					       .a = x->algo,
					       .b = x->value });
}

void govern_explicit(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->n_awake; i++) {
		const struct gateway *gw = gateway_by_slot(g->s, g->awake[i]);

		if (!gw)
			continue;
		follow(g, g->awake[i], gw);
		note(g, g->awake[i], gw);
	}
}
