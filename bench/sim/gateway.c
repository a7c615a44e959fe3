/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The called side: what a gateway makes of an INVITE (INVITE server transaction of RFC 3261 17.2.1, RFC
 * 6026), by a plan drawn when the INVITE comes; and the crashes of gateways, with what control notes of them.
 */
#include "bench/sim/sim.h"

#define ANSWER_MEAN (9.0 * S)
#define DIES_EVERY  (6 * 3600.0 * S) /* mean time between two crashes of one gateway */

enum {
	LEG_NEW,
	LEG_TRYING,
	LEG_RINGING
};

/* What becomes of an INVITE, in permille. */
static const struct {
	uint16_t permille, status;
} plans[] = {
	{ 700, 200 }, { 80, 486 }, { 40, 404 }, { 40, 480 }, { 30, 503 }, { 15, 500 },
	{ 12, 603 },  { 10, 302 }, { 10, 408 }, { 8, 482 },  { 5, 600 },  { 5, 410 },
	{ 5, 301 },   { 5, 1 },    { 5, 0 },    { 30, 401 },
};
#define PLAN_SILENT   1 /* nothing at all, not even 100 */
#define PLAN_FOR_EVER 0 /* 100 and nothing more */

static uint16_t draw_plan(struct sim *s, const struct leg *l)
{
	uint32_t draw = (uint32_t)chance_span(s, 0, 1000);
	uint16_t status = 200;

	for (unsigned i = 0; i < sizeof(plans) / sizeof(plans[0]); i++) {
		status = plans[i].status;
		if (draw < plans[i].permille)
			break;
		draw -= plans[i].permille;
	}
	if ((status == 401 && l->inv.credentials) || s->gw[l->gw].pool != 0)
		status = status >= 300 ? 200 : status;
	return status;
}

static bool is_quick(uint16_t status)
{
	return status == 503 || status == 500 || status == 404 || status == 401 || status == 482 ||
	       status / 100 == 3;
}

static void due_at(struct sim *s, uint32_t leg, uint64_t *due, uint64_t at)
{
	*due = at;
	event_add(s, at, EV_LEG, leg);
}

static void respond(struct sim *s, struct leg *l, uint16_t status, unsigned fork)
{
	struct msg r = net_response(&l->inv, status, &l->d[fork].to);

	if (status / 100 == 3) /* to another gateway of the pool */
		r.target = s->gw[(l->gw + 1u) % s->o.gateways].addr;
	if (status / 100 == 2)
		r.session_s = l->d[fork].session_s;
	l->last = status;
	net_send(s, &r);
}

static void draw_forks(struct sim *s, struct leg *l)
{
	l->forks = chance(s, 0.03) ? 2 + chance(s, 0.3) : 1;
	for (unsigned i = 0; i < l->forks; i++) {
		struct dialog *d = &l->d[i];

		d->to = net_tag(s);
		d->ack = d->side[0].answer = d->side[1].answer = NONE;
		d->side[0].txn = d->side[1].txn = NONE;
		d->wants = i == 0 || chance(s, 0.4);
		if (chance(s, 0.3)) {
			d->session_s = (uint32_t)chance_span(s, 90, 1800);
			d->refresher = chance(s, 0.5);
		}
	}
}

static void new_leg(struct sim *s, struct sim_call *c, const struct msg *m, uint32_t gw)
{
	uint32_t i = pool_take(&s->legs);
	struct leg *l = leg_at(s, i);

	l->call = call_index(c);
	l->next = c->leg;
	c->leg = i;
	c->linger = 0;
	l->gw = (uint16_t)gw;
	l->epoch = s->gw[gw].epoch;
	l->inv = *m;
	draw_forks(s, l);
	l->plan = draw_plan(s, l);
	if (l->plan == PLAN_SILENT)
		return;
	if (!is_quick(l->plan) || chance(s, 0.5))
		respond(s, l, 100, 0);
	l->answer_at = s->now + chance_lognormal(s, ANSWER_MEAN, 0.9);
	if (l->plan != PLAN_FOR_EVER)
		due_at(s, i, &l->behave,
		       s->now + (is_quick(l->plan) ? chance_exp(s, 40.0 * MS) : chance_exp(s, 800.0 * MS)));
}

/* ---- Finals -------------------------------------------------------------------------------------------- */

static void refuse(struct sim *s, uint32_t leg, struct leg *l, uint16_t status)
{
	respond(s, l, status, 0);
	l->behave = 0;
	l->interval = T1;
	l->give_up = s->now + TIMEOUT;
	due_at(s, leg, &l->repeat, s->now + T1);
}

static void answer(struct sim *s, uint32_t leg, struct leg *l, unsigned fork)
{
	struct where at = { call_at(s, l->call), l, &l->d[fork], leg, (uint8_t)fork, 1 };
	struct msg r = net_response(&l->inv, 200, &at.d->to);

	r.session_s = at.d->session_s;
	l->last = 200;
	at.d->side[1].state = SIDE_ANSWERED;
	dialog_answer(s, &at, &r);
}

/* One fork after the other; later ones cross the CANCEL that the first answer causes. */
static void answer_next(struct sim *s, uint32_t leg, struct leg *l)
{
	unsigned i = 0, more;

	while (i < l->forks && (!l->d[i].wants || l->d[i].side[1].state != SIDE_NONE))
		i++;
	if (i == l->forks)
		return;
	answer(s, leg, l, i);
	for (more = i + 1; more < l->forks && !l->d[more].wants; more++)
		;
	if (more < l->forks) {
		s->f.forked += i == 0;
		due_at(s, leg, &l->behave, s->now + chance_exp(s, 300.0 * MS));
	}
}

static void behave(struct sim *s, uint32_t leg, struct leg *l)
{
	l->behave = 0;
	if (l->last < 180 && !is_quick(l->plan)) {
		for (unsigned i = 0; i < l->forks; i++)
			respond(s, l, chance(s, 0.8) ? 180 : 183, i);
		due_at(s, leg, &l->behave, l->answer_at > s->now ? l->answer_at : s->now + 100 * MS);
		return;
	}
	if (l->plan == 200)
		answer_next(s, leg, l);
	else
		refuse(s, leg, l, l->plan);
}

static void repeat(struct sim *s, uint32_t leg, struct leg *l)
{
	l->repeat = 0;
	if (s->now >= l->give_up) { /* Timer H */
		l->acked = 1;
		call_maybe_over(s, call_at(s, l->call));
		return;
	}
	respond(s, l, l->last, 0);
	l->interval = 2 * l->interval < T2 ? 2 * l->interval : T2;
	due_at(s, leg, &l->repeat, s->now + l->interval);
}

void gateway_step(struct sim *s, uint32_t leg, uint64_t at)
{
	struct leg *l = leg_at(s, leg);

	if (l->behave != at && l->repeat != at)
		return;
	if (l->epoch != s->gw[l->gw].epoch) {
		l->behave = l->repeat = 0;
		return;
	}
	if (l->behave == at)
		behave(s, leg, l);
	else
		repeat(s, leg, l);
}

/* ---- Requests ------------------------------------------------------------------------------------------ */

/* The INVITE with this branch, as RFC 3261 17.2.3 has it, at this gateway. */
static struct leg *find_leg(struct sim *s, const struct sim_call *c, const struct msg *m, uint32_t gw,
			    uint32_t *i)
{
	for (*i = c->leg; *i != NONE; *i = leg_at(s, *i)->next) {
		struct leg *l = leg_at(s, *i);

		if (l->gw == gw && l->epoch == s->gw[gw].epoch && l->inv.branch_n == m->branch_n &&
		    memcmp(l->inv.branch, m->branch, m->branch_n) == 0)
			return l;
	}
	return NULL;
}

static void invite_again(struct sim *s, struct leg *l)
{
	if (l->last && l->last / 100 != 2 && !l->acked)
		respond(s, l, l->last, 0);
}

static void cancelled(struct sim *s, struct leg *l, uint32_t leg, const struct msg *m)
{
	static const struct tag none;
	struct msg r = net_response(m, l ? 200 : 481, l ? &l->d[0].to : &none);

	net_send(s, &r);
	if (!l || l->last >= 200 || l->plan == PLAN_SILENT)
		return;
	refuse(s, leg, l, 487);
}

/* No INVITE has the branch of this ACK, but the refusal of one has its To tag (RFC 3261 17.1.1.3). */
static void stray_ack(struct sim *s, const struct sim_call *c, const struct msg *m, uint32_t gw)
{
	if (c->flags & SIM_HIT)
		return;
	for (uint32_t i = c->leg; i != NONE; i = leg_at(s, i)->next) {
		const struct leg *l = leg_at(s, i);

		if (l->gw == gw && l->epoch == s->gw[gw].epoch && l->last >= 300 && l->inv.cseq == m->cseq &&
		    tag_eq(&l->d[0].to, &m->to))
			oracle_fault(s, &s->bad.stray_ack, c->id, "ACK for another branch at gateway", gw);
	}
}

void gateway_request(struct sim *s, struct sim_call *c, const struct msg *m, uint32_t gw)
{
	uint32_t i;
	struct leg *l = find_leg(s, c, m, gw, &i);

	switch (m->method) {
	case METHOD_INVITE:
		if (l)
			invite_again(s, l);
		else
			new_leg(s, c, m, gw);
		break;
	case METHOD_CANCEL:
		cancelled(s, l, i, m);
		break;
	case METHOD_ACK:
		if (!l)
			stray_ack(s, c, m, gw);
		if (l && l->last >= 300 && !l->acked) {
			l->acked = 1;
			l->repeat = 0;
			call_maybe_over(s, c);
		}
		break;
	}
}

/* ---- Crashes ------------------------------------------------------------------------------------------- */

void gateway_plan(struct sim *s, uint32_t gw)
{
	event_add(s, s->now + chance_exp(s, DIES_EVERY), EV_GATEWAY, gw);
}

/* What a crashed gateway had, it has no more: neither as the called nor as the calling side. */
static void lose_calls(struct sim *s, uint32_t gw)
{
	for (uint32_t i = 0; i < s->calls.n_chunks * POOL_CHUNK; i++) {
		struct sim_call *c = call_at(s, i);

		if (!c->id)
			continue;
		if (c->gw == gw)
			call_vanish(s, c);
		for (uint32_t k = c->leg; k != NONE; k = leg_at(s, k)->next) {
			struct where at = { .c = c, .l = leg_at(s, k), .leg = k, .side = 1 };

			if (at.l->gw != gw || at.l->epoch + 1 != s->gw[gw].epoch)
				continue;
			s->f.gw_dropped += at.l->up;
			at.l->behave = at.l->repeat = 0;
			for (at.fork = 0; at.fork < at.l->forks; at.fork++) {
				at.d = &at.l->d[at.fork];
				if (at.d->side[1].state == SIDE_ANSWERED)
					c->flags |= SIM_ORPHAN;
				oracle_cut(s, &at);
				dialog_end(s, &at);
			}
		}
		call_maybe_over(s, c);
	}
}

static void crash(struct sim *s, uint32_t gw)
{
	struct gateway_model *g = &s->gw[gw];

	s->f.gw_crashes++;
	g->down = 1;
	g->unreachable = chance(s, 0.3);
	g->epoch++;
	g->heals = s->now + chance_span(s, 1 * S, 90 * S);
	g->unhealthy = s->now + chance_span(s, 1500 * MS, 4 * S);
	g->healthy = g->heals + chance_span(s, 1 * S, 10 * S);
	event_add(s, g->heals, EV_GATEWAY, gw);
	event_add(s, g->unhealthy, EV_GATEWAY, gw);
	event_add(s, g->healthy, EV_GATEWAY, gw);
	lose_calls(s, gw);
}

void gateway_event(struct sim *s, uint32_t gw, uint64_t at)
{
	struct gateway_model *g = &s->gw[gw];

	if (at == g->unhealthy) {
		if (at < g->healthy)
			weir_health(s, gw, false);
	} else if (at == g->healthy) {
		weir_health(s, gw, true);
		if (s->now < s->end)
			gateway_plan(s, gw);
	} else if (at == g->heals) {
		g->down = 0;
	} else if (!g->down && s->now < s->end) {
		crash(s, gw);
	}
}
