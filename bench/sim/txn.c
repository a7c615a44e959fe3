/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Client transactions of callers and gateways (RFC 3261 17.1): repeats, time-outs, and how long a final
 * response may still come again; and when a call is over for good.
 */
#include "bench/sim/sim.h"

#define MEMORY (40 * S) /* longer than any response is repeated */
#define LINGER (5 * S)  /* longer than any message is under way */

uint32_t txn_start(struct sim *s, struct sim_call *c, const struct msg *m)
{
	uint32_t i = pool_take(&s->txns);
	struct txn *t = txn_at(s, i);

	*t = (struct txn){
		.m = *m,
		.call = call_index(c),
		.leg = NONE,
		.state = TXN_CALLING,
		.interval = T1,
		.due = s->now + T1,
		.give_up = s->now + TIMEOUT,
	};
	if (!m->via)
		t->m.via = ++s->ids << 24 | i;
	c->txns++;
	c->linger = 0;
	event_add(s, t->due, EV_TXN, i);
	net_send(s, &t->m);
	return i;
}

uint32_t txn_find(struct sim *s, const struct msg *m)
{
	uint32_t i = m->via & 0xffffff;
	const struct txn *t;

	if (i >= s->txns.n_chunks * POOL_CHUNK)
		return NONE;
	t = txn_at(s, i);
	return t->state != TXN_FREE && t->m.via == m->via && t->m.method == m->method ? i : NONE;
}

void txn_done(struct sim *s, uint32_t txn)
{
	struct txn *t = txn_at(s, txn);

	if (t->state == TXN_DONE)
		return;
	t->state = TXN_DONE;
	t->due = 0;
	t->forget = s->now + MEMORY;
	event_add(s, t->forget, EV_TXN, txn);
}

static void forget(struct sim *s, uint32_t txn, const struct txn *t)
{
	struct sim_call *c = call_at(s, t->call);

	if (c->invite == txn)
		c->invite = NONE;
	if (c->cancel == txn)
		c->cancel = NONE;
	if (t->leg != NONE && leg_at(s, t->leg)->d[t->fork].side[t->side].txn == txn)
		leg_at(s, t->leg)->d[t->fork].side[t->side].txn = NONE;
	pool_give(&s->txns, txn);
	c->txns--;
	call_maybe_over(s, c);
}

static bool is_orphan(const struct sim *s, const struct sim_call *c, const struct txn *t)
{
	struct where at = { .c = (struct sim_call *)c, .side = t->side };

	if (t->leg != NONE)
		at.l = leg_at((struct sim *)s, t->leg);
	return dialog_is_dead(s, &at);
}

static void timed_out(struct sim *s, uint32_t txn, struct txn *t)
{
	struct sim_call *c = call_at(s, t->call);
	struct where at = { .c = c, .leg = t->leg, .fork = t->fork, .side = t->side };

	if (t->leg == NONE && t->m.method == METHOD_INVITE) {
		caller_timeout(s, c, txn);
		return;
	}
	txn_done(s, txn);
	if (t->m.method == METHOD_CANCEL) {
		caller_wait(s, c);
	} else if (t->m.method != METHOD_BYE) {
		at.l = leg_at(s, t->leg);
		at.d = &at.l->d[t->fork];
		dialog_bye(s, &at); /* RFC 3261 12.2.1.2 */
	}
}

void txn_due(struct sim *s, uint32_t txn, uint64_t at)
{
	struct txn *t = txn_at(s, txn);

	if (t->state == TXN_DONE && t->forget == at) {
		forget(s, txn, t);
		return;
	}
	if (t->state == TXN_FREE || t->state == TXN_DONE || t->due != at)
		return;
	t->due = 0;
	if (is_orphan(s, call_at(s, t->call), t)) {
		txn_done(s, txn);
		return;
	}
	if (at >= t->give_up) {
		timed_out(s, txn, t);
		return;
	}
	net_send(s, &t->m);
	t->interval *= 2;
	if (t->m.method != METHOD_INVITE && t->interval > T2)
		t->interval = T2;
	t->due = at + t->interval < t->give_up ? at + t->interval : t->give_up;
	event_add(s, t->due, EV_TXN, txn);
}

/* ---- The end of a call ----------------------------------------------------------------------------------
 */

static bool leg_is_quiet(const struct sim *s, const struct leg *l)
{
	if (l->epoch == s->gw[l->gw].epoch && (l->behave || l->repeat))
		return false;
	for (unsigned i = 0; i < l->forks; i++) {
		for (unsigned k = 0; k < 2; k++) {
			uint8_t state = l->d[i].side[k].state;

			if (state == SIDE_ANSWERED || state == SIDE_UP)
				return false;
		}
	}
	return true;
}

static bool is_quiet(struct sim *s, const struct sim_call *c)
{
	if (c->txns || !(c->flags & SIM_DONE))
		return false;
	for (uint32_t i = c->leg; i != NONE; i = leg_at(s, i)->next) {
		if (!leg_is_quiet(s, leg_at(s, i)))
			return false;
	}
	return true;
}

void call_maybe_over(struct sim *s, struct sim_call *c)
{
	if (c->linger || !is_quiet(s, c))
		return;
	c->linger = s->now + LINGER;
	event_add(s, c->linger, EV_LINGER, call_index(c));
}

static void free_leg(struct sim *s, uint32_t i)
{
	struct leg *l = leg_at(s, i);

	for (unsigned k = 0; k < l->forks; k++) {
		struct dialog *d = &l->d[k];

		if (d->ack != NONE)
			pool_give(&s->msgs, d->ack);
		for (unsigned side = 0; side < 2; side++) {
			if (d->side[side].answer != NONE)
				pool_give(&s->msgs, d->side[side].answer);
		}
	}
	pool_give(&s->legs, i);
}

void call_linger(struct sim *s, uint32_t call, uint64_t at)
{
	struct sim_call *c = call_at(s, call);
	uint32_t i, next;

	if (c->linger != at || !c->id)
		return;
	c->linger = 0;
	if (!is_quiet(s, c))
		return;
	for (i = c->leg; i != NONE; i = next) {
		next = leg_at(s, i)->next;
		free_leg(s, i);
	}
	pool_give(&s->calls, call);
}

void call_vanish(struct sim *s, struct sim_call *c)
{
	struct where at = { .c = c };

	for (at.leg = c->leg; at.leg != NONE; at.leg = at.l->next) {
		at.l = leg_at(s, at.leg);
		for (at.fork = 0; at.fork < at.l->forks; at.fork++) {
			at.d = &at.l->d[at.fork];
			oracle_cut(s, &at);
			dialog_end(s, &at);
		}
	}
	if (c->invite != NONE)
		txn_done(s, c->invite);
	if (c->cancel != NONE)
		txn_done(s, c->cancel);
	caller_over(s, c, 0);
	call_maybe_over(s, c);
}
