/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * First step: who is awake, and what the workers have noticed about it since the step before. A gateway whose
 * stamps have not moved and that no step keeps awake costs nothing. Control.
 */
#include "lb/govern/governor.h"

#define read(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)

/* ---- Who is awake -------------------------------------------------------------------------------------- */

/* True if a gateway of the group has been written since the last step. A stamp is 17 ms wide: what came after
 * the last look within the same 17 ms is seen because a group stays awake for one step more. */
static bool group_moved(struct lb_governor *g, uint32_t group)
{
	uint32_t groups = (g->n_slots + SIGNAL_GROUP - 1) / SIGNAL_GROUP;
	bool moved = false;

	for (uint32_t i = 0; i < g->n_workers; i++) {
		uint32_t *seen = &g->stamps[2 * (i * groups + group)];
		uint32_t stamp = read(g->workers[i]->signals->stamp[group]);

		moved |= stamp != seen[0] || stamp != seen[1];
		seen[1] = seen[0];
		seen[0] = stamp;
	}
	return moved;
}

/* Whose slot it is now; a new name starts anew. False: nobody's. */
static bool is_taken(struct lb_governor *g, uint32_t slot)
{
	const struct gateway *gw = gateway_by_slot(g->s, (uint16_t)slot);
	struct governed *at = &g->at[slot];

	if (!gw)
		return false;
	if (at->id != gw->id) {
		if (at->id) /* what the words say is of another gateway */
			lb_set_health(g->words, (uint16_t)slot, LB_UP);
		*at = (struct governed){ .id = gw->id };
		governed_start(g, at, gw);
	}
	return true;
}

static void wake(struct lb_governor *g)
{
	g->n_awake = 0;
	for (uint32_t first = 0; first < g->n_slots; first += SIGNAL_GROUP) {
		uint32_t end = first + SIGNAL_GROUP < g->n_slots ? first + SIGNAL_GROUP : g->n_slots;
		bool moved = group_moved(g, first / SIGNAL_GROUP);

		for (uint32_t slot = first; slot < end; slot++) {
			if (is_taken(g, slot) && (moved || !g->at[slot].asleep))
				g->awake[g->n_awake++] = (uint16_t)slot;
		}
	}
}

/* ---- What there is to know ----------------------------------------------------------------------------- */

static void add_delay(struct delay_signal *sum, const struct delay_signal *d)
{
	sum->sum_us += read(d->sum_us);
	sum->low_sum_us += read(d->low_sum_us);
	sum->low_sq_us2 += read(d->low_sq_us2);
	sum->n += read(d->n);
	sum->lows += read(d->lows);
}

static void add_counts(uint16_t (*sum)[ORIGINS], const uint16_t (*from)[ORIGINS])
{
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned i = 0; i < ORIGINS; i++)
			sum[side][i] = (uint16_t)(sum[side][i] + read(from[side][i]));
	}
}

/* Adds what one worker knows. */
static void add(struct totals *t, struct reading *r, const struct signals *s, uint64_t *oldest)
{
	uint64_t sent = read(s->oldest);

	add_delay(&t->response, &s->response);
	add_delay(&t->progress, &s->progress);
	t->sent += read(s->sent);
	t->repeated += read(s->repeated);
	t->answered += read(s->answered);
	t->finished += read(s->finished);
	t->bounced += read(s->bounced);
	t->retry_after += read(s->retry_after);
	t->retry_after_s += read(s->retry_after_s);
	add_counts(t->taken, s->taken);
	add_counts(t->refused, s->refused);
	r->unanswered += read(s->unanswered);
	if (sent && (*oldest == 0 || sent < *oldest))
		*oldest = sent;
}

static struct delay delay_between(const struct delay_signal *from, const struct delay_signal *to)
{
	return (struct delay){
		.n = (uint32_t)(to->n - from->n),
		.sum = (double)(to->sum_us - from->sum_us) * 1e-6,
		.lows = (uint32_t)(to->lows - from->lows),
		.low_sum = (double)(to->low_sum_us - from->low_sum_us) * 1e-6,
		.low_sq = (double)(to->low_sq_us2 - from->low_sq_us2) * 1e-12,
	};
}

static void counts_between(uint16_t (*out)[ORIGINS], const uint16_t (*from)[ORIGINS],
			   const uint16_t (*to)[ORIGINS])
{
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned i = 0; i < ORIGINS; i++)
			out[side][i] = (uint16_t)(to[side][i] - from[side][i]);
	}
}

/* How often a limit of the governor's has made a worker pass the gateway by. */
static uint32_t passed(const struct st_gateway *cells)
{
	return (uint32_t)(read(cells->count[ST_GW_SKIPPED_RATE]) + read(cells->count[ST_GW_SKIPPED_OPEN]) +
			  read(cells->count[ST_GW_SKIPPED_SHED]));
}

/* The same for open_cap, or what would have been if limits were more than observed. */
static uint32_t capped(const struct st_gateway *cells)
{
	return (uint32_t)(read(cells->count[ST_GW_SKIPPED_OPEN]) + read(cells->count[ST_GW_OBSERVED]));
}

/* A worker adds the seconds first: those whose 503 is not counted yet are left for the next step. */
static uint32_t mean_retry_after(const struct totals *before, struct totals *t)
{
	uint32_t n = t->retry_after - before->retry_after;

	if (n == 0) {
		t->retry_after_s = before->retry_after_s;
		return 0;
	}
	return (uint32_t)(((uint64_t)(t->retry_after_s - before->retry_after_s) + n - 1) / n);
}

static void read_one(struct lb_governor *g, uint16_t slot)
{
	struct reading *r = &g->at[slot].r;
	struct totals t = { 0 };
	uint64_t oldest = 0;

	r->unanswered = 0;
	for (uint32_t i = 0; i < g->n_workers; i++) {
		add(&t, r, &g->workers[i]->signals->at[slot], &oldest);
		t.passed += passed(&g->workers[i]->lane->gateways[slot]);
		t.capped += capped(&g->workers[i]->lane->gateways[slot]);
	}
	r->response = delay_between(&r->totals.response, &t.response);
	r->progress = delay_between(&r->totals.progress, &t.progress);
	r->sent = t.sent - r->totals.sent;
	r->repeated = t.repeated - r->totals.repeated;
	r->answered = t.answered - r->totals.answered;
	r->finished = t.finished - r->totals.finished;
	r->passed = t.passed - r->totals.passed;
	r->capped = t.capped - r->totals.capped;
	r->bounced = t.bounced - r->totals.bounced;
	r->retry_after = t.retry_after - r->totals.retry_after;
	r->retry_after_s = mean_retry_after(&r->totals, &t);
	counts_between(r->taken, r->totals.taken, t.taken);
	counts_between(r->refused, r->totals.refused, t.refused);
	r->open = read(g->words->gateway[slot].open);
	r->oldest_ns = oldest && oldest < g->now ? g->now - oldest : 0;
	r->totals = t;
}

void govern_read(struct lb_governor *g)
{
	wake(g);
	for (uint32_t i = 0; i < g->n_awake; i++) {
		read_one(g, g->awake[i]);
		g->at[g->awake[i]].asleep = true;
	}
}
