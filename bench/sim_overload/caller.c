/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Callers: Poisson arrivals at the rate of the phase, RFC 3261 timers, ten seconds of patience and then
 * CANCEL, an ACK to every final, a BYE in the end. A refused caller does not call again.
 */
#include <stdlib.h>
#include "bench/sim_overload/lab.h"

#define FORGET (35 * S) /* an answered call is remembered: its 2xx may come again */

static struct lab_msg request(const struct lab_call *c, enum method method)
{
	return (struct lab_msg){
		.to = TO_WEIR_CALLER, .request = 1, .method = (uint8_t)method, .call = c->id
	};
}

static void due_at(struct lab *l, struct lab_call *c, uint64_t at)
{
	c->due = at;
	event_add(&l->base, at, (enum event_kind)LAB_CALL, c->id & 0xffffff);
}

static uint8_t draw_peer(struct lab *l)
{
	double others = LAB_PEERS - 1;

	if (l->scene->greedy <= 0)
		return (uint8_t)chance_span(&l->base, 0, LAB_PEERS);
	if (chance(&l->base, l->scene->greedy / (l->scene->greedy + others)))
		return 0;
	return (uint8_t)(1 + chance_span(&l->base, 0, LAB_PEERS - 1));
}

/* A call of the first peer that has trouble. */
static bool is_dead(struct lab *l, const struct lab_call *c)
{
	return l->scene->trouble >= TROUBLE_DEAD_PREFIX && l->scene->trouble <= TROUBLE_SLOW_PREFIX &&
	       l->phase >= 1 && c->peer == 0 && chance(&l->base, 0.2);
}

static bool is_emergency(struct lab *l, const struct lab_call *c)
{
	if (l->scene->trouble == TROUBLE_CRYING && l->phase >= 1 && c->peer == 0)
		return true;
	return l->scene->emergency > 0 && chance(&l->base, l->scene->emergency);
}

/* Calls that can be answered before the end; others than emergency calls when limits have settled. */
static void count_offered(struct lab *l, struct lab_call *c)
{
	struct lab_peer *p = &l->peer[c->peer];

	if (l->phase == 0 || c->began + PATIENCE >= l->end)
		return;
	c->counts = c->began >= l->settled ? COUNTS_SETTLED : COUNTS;
	p->offered += c->counts == COUNTS_SETTLED;
	p->emergency += c->emergency;
}

void lab_caller_new(struct lab *l)
{
	uint32_t i = pool_take(&l->calls);
	struct lab_call *c = lab_call_at(l, i);
	struct lab_msg m;

	c->id = ++l->number << 24 | i;
	c->began = lab_now(l);
	c->peer = draw_peer(l);
	c->digits = (uint8_t)chance_span(&l->base, 0, LAB_DIGITS);
	c->phase = (uint8_t)l->phase;
	if (is_dead(l, c)) {
		c->dead = 1;
		c->digits = 7;
	}
	c->emergency = is_emergency(l, c);
	count_offered(l, c);
	lab_tick(l)->offered++;
	m = request(c, METHOD_INVITE);
	lab_send(l, &m);
	c->interval = T1;
	due_at(l, c, lab_now(l) + T1);
}

static void over(struct lab *l, struct lab_call *c, uint16_t status)
{
	c->state = LAB_OVER;
	c->status = status;
	due_at(l, c, lab_now(l) + (status == 200 || c->jobs ? FORGET : 2 * S));
}

static void hang_up(struct lab *l, struct lab_call *c)
{
	struct lab_msg m = request(c, METHOD_BYE);

	m.to_n = c->to_n;
	m.token_n = c->token_n;
	memcpy(m.tag, c->tag, c->to_n);
	memcpy(m.token, c->token, c->token_n);
	lab_send(l, &m);
	over(l, c, c->status);
}

/* The call is answered: its end is due when its time is up. */
static void talk(struct lab *l, struct lab_call *c, const struct lab_msg *r)
{
	double hold = c->peer == 0 && l->scene->long_s > 0 ? l->scene->long_s : l->scene->hold_s;

	if (hold <= 0) {
		over(l, c, 200);
		return;
	}
	c->state = LAB_TALKING;
	c->status = 200;
	c->to_n = r->to_n;
	c->token_n = r->token_n;
	memcpy(c->tag, r->tag, r->to_n);
	memcpy(c->token, r->token, r->token_n);
	due_at(l, c, lab_now(l) + (uint64_t)(hold * 1e9));
}

void lab_caller_due(struct lab *l, uint32_t i)
{
	struct lab_call *c = lab_call_at(l, i);
	struct lab_msg m;

	if (!c->id || c->due != lab_now(l))
		return;
	if (c->state == LAB_OVER) {
		pool_give(&l->calls, i);
		return;
	}
	if (c->state == LAB_TALKING) {
		hang_up(l, c);
		return;
	}
	if (c->state == LAB_CANCELLED || lab_now(l) - c->began >= TIMEOUT) {
		over(l, c, 408);
		return;
	}
	if (lab_now(l) - c->began >= PATIENCE) {
		c->state = LAB_CANCELLED;
		m = request(c, METHOD_CANCEL);
		lab_send(l, &m);
		due_at(l, c, lab_now(l) + TIMEOUT);
		return;
	}
	if (c->state == LAB_CALLING) {
		m = request(c, METHOD_INVITE);
		lab_send(l, &m);
		c->interval *= 2;
	}
	due_at(l, c,
	       c->state == LAB_CALLING && lab_now(l) + c->interval < c->began + PATIENCE
		       ? lab_now(l) + c->interval
		       : c->began + PATIENCE);
}

static void ack(struct lab *l, const struct lab_call *c, const struct lab_msg *r)
{
	struct lab_msg m = request(c, METHOD_ACK);

	m.to_n = r->to_n;
	memcpy(m.tag, r->tag, r->to_n);
	if (r->status < 300) {
		m.token_n = r->token_n;
		memcpy(m.token, r->token, r->token_n);
	}
	lab_send(l, &m);
}

static void progressed(struct lab *l, struct lab_call *c)
{
	struct delays *d = &l->delays[c->phase];

	if (c->progressed)
		return;
	c->progressed = 1;
	if (c->began < l->settled || c->dead)
		return;
	if (d->n == d->room) {
		d->room = d->room ? 2 * d->room : 4096;
		d->ms = realloc(d->ms, d->room * sizeof(*d->ms));
		if (!d->ms)
			abort();
	}
	d->ms[d->n++] = (float)((double)(lab_now(l) - c->began) * 1e-6);
}

void lab_caller_response(struct lab *l, const struct lab_msg *m)
{
	struct lab_call *c = lab_call(l, m->call);

	if (!c || m->method != METHOD_INVITE)
		return;
	if (m->status > 100 && m->status < 300)
		progressed(l, c);
	if (m->status >= 200)
		ack(l, c, m);
	if (c->state == LAB_OVER || c->state == LAB_TALKING)
		return;
	if (m->status < 200) {
		if (c->state == LAB_CALLING)
			c->state = LAB_PROCEEDING;
		return;
	}
	if (m->status == 503 || m->status == 500)
		lab_tick(l)->refused++;
	if (m->status == 200)
		talk(l, c, m);
	else
		over(l, c, m->status);
}
