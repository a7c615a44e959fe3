/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One call, from the INVITE to the 200 of its BYE: the client transactions of RFC 3261 17.1 with the caller's
 * patience on top. Who hangs up before any response may not CANCEL yet (9.1): the INVITE is repeated until
 * something comes or Timer B ends it. Every call ends in exactly one count, once.
 */
#include "bench/callers/callers.h"

#include <stddef.h>
#include <string.h>

#define FROM(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static void wake(struct world *w, struct call *c, uint64_t after)
{
	c->timer.kind = TIMER_CALL;
	kit_arm(&w->heap, &c->timer, w->now + after);
}

static void release(struct world *w, struct call *c)
{
	kit_disarm(&w->heap, &c->timer);
	kit_disarm(&w->heap, &c->patience);
	c->state = CALL_FREE;
	c->next_free = w->free_calls;
	w->free_calls = c;
	w->n_up--;
}

/* A new transaction: its interval, its Timer B or F, its state. */
static void begin(struct world *w, struct call *c, enum state state)
{
	c->state = (uint8_t)state;
	c->interval = w->t1;
	c->give_up = w->now + 64 * w->t1;
	wake(w, c, c->interval);
}

static void invite(struct world *w, struct call *c)
{
	c->began = w->now;
	tally_count(w, c, N_invites);
	write_invite(w, c);
	begin(w, c, CALL_INVITING);
	c->patience.kind = TIMER_PATIENCE;
	kit_arm(&w->heap, &c->patience, w->now + w->patience);
}

static enum kind draw_kind(struct world *w, const struct peer_plan *p)
{
	double x = kit_unit(&w->draw);

	if (x <= p->emergency)
		return TO_EMERGENCY;
	return x <= p->emergency + p->prefixed ? TO_PREFIX : TO_ANYBODY;
}

static struct call *new_call(struct world *w, struct peer *p)
{
	struct call *c = w->free_calls;
	uint32_t generation;

	if (!c) {
		w->no_call++;
		return NULL;
	}
	w->free_calls = c->next_free;
	generation = c->generation + 1;
	memset(c, 0, offsetof(struct call, to));
	c->generation = generation;
	c->peer = (uint8_t)(p - w->peer);
	c->step = (uint8_t)w->step;
	c->port = (uint8_t)(p->next_port++ % p->plan.n_ports);
	c->kind = (uint8_t)draw_kind(w, &p->plan);
	c->number = (uint32_t)kit_bits(&w->draw);
	w->n_up++;
	return c;
}

void call_arrive(struct world *w, struct peer *p)
{
	struct call *c = new_call(w, p);

	if (!c)
		return;
	tally_count(w, c, N_offered);
	c->target = (uint8_t)obey_target(w, p);
	if (c->target < w->n_targets) {
		invite(w, c);
		return;
	}
	tally_count(w, c, N_held);
	release(w, c);
}

static void redial(struct world *w, struct call *c)
{
	c->generation++;
	c->redial = true;
	c->heard = c->gone = false;
	c->step = (uint8_t)(w->step < w->n_steps ? w->step : w->n_steps - 1);
	tally_count(w, c, N_redialled);
	tally_count(w, c, N_offered);
	invite(w, c);
}

static void repeat(struct world *w, struct call *c)
{
	bool invite = c->state == CALL_INVITING;

	if (w->now >= c->give_up) {
		if (c->state == CALL_ENDING)
			tally_count(w, c, N_byes_unanswered);
		else if (!c->gone)
			tally_count(w, c, N_abandoned);
		release(w, c);
		return;
	}
	if (invite) {
		tally_count(w, c, N_repeats);
		tally_count(w, c, N_invites);
		write_invite(w, c);
	} else if (c->state == CALL_CANCELLING) {
		write_cancel(w, c);
	} else {
		write_bye(w, c);
	}
	c->interval = !invite && 2 * c->interval > T2 ? T2 : 2 * c->interval;
	wake(w, c, c->interval);
}

static void cancel(struct world *w, struct call *c)
{
	write_cancel(w, c);
	begin(w, c, CALL_CANCELLING);
}

/* The caller hangs up before an answer. */
static void lose_patience(struct world *w, struct call *c)
{
	c->gone = true;
	tally_count(w, c, N_abandoned);
	if (c->state == CALL_PROCEEDING)
		cancel(w, c);
}

void call_timer(struct world *w, struct kit_timer *timer)
{
	struct call *c;

	if (timer->kind == TIMER_PATIENCE) {
		lose_patience(w, FROM(timer, struct call, patience));
		return;
	}
	c = FROM(timer, struct call, timer);
	if (c->state == CALL_WAITING) {
		redial(w, c);
	} else if (c->state == CALL_UP) {
		write_bye(w, c);
		begin(w, c, CALL_ENDING);
	} else {
		repeat(w, c);
	}
}

static void note_first(struct world *w, struct call *c, uint16_t status)
{
	if (c->heard || status == 100)
		return;
	c->heard = true;
	kit_hist_add(status < 300 ? &w->admitted[c->step] : &w->refusal[c->step], w->now - c->began);
}

static void provisional(struct world *w, struct call *c)
{
	if (c->state != CALL_INVITING)
		return;
	if (c->gone) {
		cancel(w, c);
		return;
	}
	c->state = CALL_PROCEEDING;
	kit_disarm(&w->heap, &c->timer); /* nothing is repeated; patience ends it */
}

static void answered(struct world *w, struct call *c, const struct kit_sip *m)
{
	const struct peer_plan *p = &w->peer[c->peer].plan;

	if (c->state == CALL_UP || c->state == CALL_ENDING)
		return; /* again: it was only to be ACKed */
	kit_disarm(&w->heap, &c->patience);
	tally_count(w, c, c->gone ? N_late : N_good);
	write_keep_dialog(c, m);
	c->state = CALL_UP;
	wake(w, c, c->gone ? 0 : (uint64_t)kit_exponential(&w->draw, p->hold * 1e9));
}

static void refused(struct world *w, struct call *c, const struct kit_sip *m)
{
	uint32_t seconds = kit_number(m->retry_after);

	w->codes[c->step][m->status]++;
	if (!c->gone)
		tally_count(w, c, N_refused);
	if (!c->gone && !c->redial && seconds && w->peer[c->peer].plan.obeys == OBEYS_REDIAL) {
		kit_disarm(&w->heap, &c->patience);
		c->state = CALL_WAITING;
		wake(w, c, seconds * S);
		return;
	}
	release(w, c);
}

static void invite_response(struct world *w, struct call *c, const struct kit_sip *m)
{
	if (c->state == CALL_WAITING || (m->status >= 300 && c->state >= CALL_UP))
		return;
	note_first(w, c, m->status);
	if (m->status < 200)
		provisional(w, c);
	else if (m->status < 300)
		answered(w, c, m);
	else
		refused(w, c, m);
}

void call_response(struct world *w, struct peer *p, uint32_t port, const struct kit_sip *m)
{
	bool invite = kit_is(m->method, "INVITE");
	struct call *c;
	uint32_t target;

	if (write_find(w, m->call_id, &target, &c)) {
		w->odd++;
		return;
	}
	if (invite && m->status >= 200)
		write_ack(w, p, port, target, m);
	if (!c)
		return;
	if (invite) {
		obey_response(w, p, target, m);
		invite_response(w, c, m);
	} else if (c->state == CALL_ENDING && kit_is(m->method, "BYE") && m->status >= 200) {
		if (m->status >= 300)
			tally_count(w, c, N_byes_refused);
		release(w, c);
	} else if (c->state == CALL_CANCELLING && kit_is(m->method, "CANCEL") && m->status >= 200) {
		kit_arm(&w->heap, &c->timer, c->give_up); /* now the INVITE's final has to come */
	}
}
