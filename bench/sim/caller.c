/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calling side of a call, phone or gateway: INVITE client transaction (RFC 3261 17.1.1, RFC 6026), CANCEL
 * at a random moment, credentials when asked for, ACK to every final response, BYE to every answer but the
 * first.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include "bench/sim/sim.h"

#define INCOMING  0.15 /* of calls are made by gateways */
#define NAMELESS  0.1  /* of callers have a Contact that is a name */
#define CANCELLED 0.08 /* of calls are CANCELled at a random moment */
#define VANISHED  0.01 /* of callers go without a word */
#define RELIABLE  0.05
#define NO_ROOM   0.002
#define PATIENCE  (120 * S)

static void invite(struct sim *s, struct sim_call *c, bool credentials)
{
	struct msg m = {
		.src = c->addr,
		.dst = c->weir,
		.via_addr = c->addr,
		.call_id = c->id,
		.cseq = ++c->cseq,
		.request = 1,
		.method = METHOD_INVITE,
		.credentials = credentials,
		.reliable = chance(s, RELIABLE),
		.from = c->tag,
	};

	c->invite = txn_start(s, c, &m);
	c->final = 0;
	s->f.challenges += credentials;
}

static void place_caller(struct sim *s, struct sim_call *c)
{
	uint32_t n = (uint32_t)chance_span(s, 0, s->o.callers), gw = n % s->o.gateways;

	c->gw = LB_NONE;
	c->addr = addr_v4(htonl(0x0a000000u + (n % MAX_PEERS << 16) + n / MAX_PEERS % 65536), 5060);
	c->weir = net_listener_addr(0);
	if (chance(s, INCOMING) && !s->gw[gw].down) {
		c->gw = (uint16_t)gw;
		c->epoch = s->gw[gw].epoch;
		c->addr = s->gw[gw].addr;
		c->weir = net_listener_addr(1);
		s->f.incoming++;
	}
}

void caller_new(struct sim *s)
{
	uint32_t i = pool_take(&s->calls);
	struct sim_call *c = call_at(s, i);

	c->id = ++s->n_calls << 24 | i;
	c->tag = net_tag(s);
	c->leg = c->invite = c->cancel = NONE;
	s->f.calls++;
	weir_hashes(s, c);
	place_caller(s, c);
	if (chance(s, NO_ROOM)) {
		c->flags |= SIM_NO_ROOM;
		s->f.no_room++;
	}
	c->cancel_at = s->now + (chance(s, CANCELLED) ? chance_span(s, 0, 20 * S) : PATIENCE);
	event_add(s, c->cancel_at, EV_CANCEL, i);
	if (chance(s, VANISHED)) {
		c->vanish_at = s->now + chance_exp(s, 60.0 * S);
		event_add(s, c->vanish_at, EV_VANISH, i);
	}
	invite(s, c, false);
}

/* ---- CANCEL -------------------------------------------------------------------------------------------- */

void caller_cancel(struct sim *s, struct sim_call *c)
{
	const struct txn *t;
	struct msg m;

	if (c->invite == NONE || c->final || c->flags & (SIM_ANSWERED | SIM_CANCELLED))
		return;
	t = txn_at(s, c->invite);
	c->flags |= SIM_CANCEL;
	if (t->state != TXN_PROCEEDING) /* RFC 3261 9.1 */
		return;
	m = t->m;
	m.method = METHOD_CANCEL;
	c->flags |= SIM_CANCELLED;
	c->cancel = txn_start(s, c, &m);
}

/* ---- The end of an INVITE ------------------------------------------------------------------------------ */

static void count(struct sim *s, const struct sim_call *c, uint16_t status)
{
	if (c->flags & SIM_ANSWERED)
		s->f.answered++;
	else if (status == 0)
		s->f.lost++;
	else if (status == 487)
		s->f.cancelled++;
	else if (status < 400)
		s->f.redirected++;
	else if (status < 500)
		s->f.failed_4xx++;
	else if (status == 503 || status == 500)
		s->f.refused++;
	else if (status < 600)
		s->f.failed_5xx++;
	else
		s->f.failed_6xx++;
}

void caller_over(struct sim *s, struct sim_call *c, uint16_t status)
{
	c->final = status;
	if (c->flags & SIM_DONE)
		return;
	c->flags |= SIM_DONE;
	c->cancel_at = 0;
	count(s, c, status);
}

/* RFC 3261 17.1.1.3: the same branch. */
static void acknowledge(struct sim *s, const struct txn *t, const struct msg *r)
{
	struct msg m = t->m;

	m.method = METHOD_ACK;
	m.to = r->to;
	m.credentials = 0;
	net_send(s, &m);
}

static void refused(struct sim *s, struct sim_call *c, struct txn *t, const struct msg *m)
{
	bool first = t->state != TXN_DONE;

	oracle_final(s, c, t, m, LB_NONE);
	acknowledge(s, t, m);
	if (!first)
		return;
	txn_done(s, c->invite);
	if (m->status == 401 && !t->m.credentials && !(c->flags & (SIM_CANCEL | SIM_ANSWERED)))
		invite(s, c, true);
	else if (c->invite != NONE && txn_at(s, c->invite) == t)
		caller_over(s, c, m->status);
}

/* ---- 2xx ----------------------------------------------------------------------------------------------- */

static bool find_answer(struct sim *s, struct sim_call *c, const struct tag *to, struct where *at)
{
	*at = (struct where){ .c = c };
	for (at->leg = c->leg; at->leg != NONE; at->leg = at->l->next) {
		at->l = leg_at(s, at->leg);
		for (at->fork = 0; at->fork < at->l->forks; at->fork++) {
			at->d = &at->l->d[at->fork];
			if (tag_eq(&at->d->to, to))
				return true;
		}
	}
	return false;
}

static void make_ack(struct sim *s, const struct where *at, const struct txn *t)
{
	struct msg *ack;

	at->d->ack = pool_take(&s->msgs);
	ack = msg_at(s, at->d->ack);
	*ack = t->m;
	ack->method = METHOD_ACK;
	ack->via = ++s->ids << 24 | 0xffffff;
	ack->to = at->d->to;
	ack->target = s->gw[at->l->gw].addr;
	ack->token_n = at->l->inv.token_n;
	memcpy(ack->token, at->l->inv.token, ack->token_n);
}

static void answered(struct sim *s, struct sim_call *c, struct txn *t, const struct msg *m)
{
	struct where at;
	bool again;

	if (!find_answer(s, c, &m->to, &at))
		return;
	again = at.d->ack != NONE;
	if (!again)
		make_ack(s, &at, t);
	net_send(s, msg_at(s, at.d->ack));
	if (again)
		return;
	oracle_final(s, c, t, m, at.l->gw);
	if (t->state != TXN_DONE)
		txn_done(s, (uint32_t)(t->m.via & 0xffffff));
	if (c->flags & (SIM_ANSWERED | SIM_CANCEL) || (c->final && c->final != 487)) {
		at.d->side[0].state = SIDE_UP;
		at.d->side[0].cseq = c->cseq;
		c->flags |= SIM_ANSWERED;
		caller_over(s, c, 200);
		dialog_bye(s, &at); /* RFC 3261 13.2.2.4 */
		return;
	}
	c->flags |= SIM_ANSWERED;
	caller_over(s, c, 200);
	dialog_start(s, &at);
}

/* ---- Responses ----------------------------------------------------------------------------------------- */

static void provisional(struct sim *s, struct sim_call *c, struct txn *t)
{
	if (t->state == TXN_CALLING) {
		t->state = TXN_PROCEEDING;
		t->due = 0;
	}
	if (c->flags & SIM_CANCEL)
		caller_cancel(s, c);
}

static void cancel_answered(struct sim *s, struct sim_call *c, const struct msg *m)
{
	struct txn *t;

	if (m->status < 200 || c->cancel == NONE)
		return;
	t = txn_at(s, c->cancel);
	if (t->m.via != m->via || t->state == TXN_DONE)
		return;
	txn_done(s, c->cancel);
	caller_wait(s, c);
}

void caller_wait(struct sim *s, struct sim_call *c)
{
	struct txn *t = c->invite == NONE ? NULL : txn_at(s, c->invite);

	if (!t || t->state != TXN_PROCEEDING)
		return;
	t->give_up = t->due = s->now + TIMEOUT + 4 * S; /* Weir waits as long, and starts later */
	event_add(s, t->due, EV_TXN, c->invite);
}

void caller_response(struct sim *s, struct sim_call *c, const struct msg *m)
{
	uint32_t i = m->method == METHOD_CANCEL ? NONE : txn_find(s, m);
	struct txn *t;

	if (m->method == METHOD_CANCEL) {
		cancel_answered(s, c, m);
		return;
	}
	if (i == NONE)
		return;
	t = txn_at(s, i);
	if (m->status < 200)
		provisional(s, c, t);
	else if (m->status < 300)
		answered(s, c, t, m);
	else
		refused(s, c, t, m);
}

void caller_timeout(struct sim *s, struct sim_call *c, uint32_t txn)
{
	const struct txn *t = txn_at(s, txn);

	txn_done(s, txn);
	if (!(c->flags & (SIM_HIT | SIM_DONE | SIM_NO_ROOM | SIM_ORPHAN)))
		oracle_fault(s, &s->bad.no_final, c->id, "INVITE has no final response, CSeq", t->m.cseq);
	caller_over(s, c, 0);
}
