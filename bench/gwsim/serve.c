/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Queue and servers of one gateway. Servers that become free first take what must be refused or read and
 * thrown away (the backlog), then the request that has waited longest. So the goodput at x times the capacity
 * C, when a refusal costs a part r of a call, is C (1 - r x) / (1 - r): nothing here says so, it follows.
 */
#include "bench/gwsim/gwsim.h"

#include <stddef.h>

#define FROM(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

void gw_count(struct gw *g, enum gw_counter counter)
{
	uint64_t second = (g->sim->now - g->sim->started) / S;

	g->count[counter]++;
	if (second < MAX_SECONDS)
		g->second[second][counter]++;
}

static void note_queue(struct gw *g)
{
	uint64_t second = (g->sim->now - g->sim->started) / S;

	if (g->waiting > g->waiting_max)
		g->waiting_max = g->waiting;
	if (second < MAX_SECONDS && g->waiting > g->second_queue[second])
		g->second_queue[second] = (uint16_t)g->waiting;
}

static void unqueue(struct gw *g, struct gw_txn *t)
{
	*(t->prev ? &t->prev->next : &g->first) = t->next;
	*(t->next ? &t->next->prev : &g->last) = t->prev;
	t->next = t->prev = NULL;
	g->waiting--;
}

static void enqueue(struct gw *g, struct gw_txn *t)
{
	t->state = TXN_WAITING;
	t->next = NULL;
	t->prev = g->last;
	*(g->last ? &g->last->next : &g->first) = t;
	g->last = t;
	g->waiting++;
	note_queue(g);
}

static uint64_t service_time(struct gw *g)
{
	double mean = (double)g->set.service;

	return g->set.exponential ? (uint64_t)kit_exponential(&g->sim->draw, mean) : g->set.service;
}

static void begin(struct gw *g, struct gw_server *s, struct gw_txn *t, uint64_t time, bool overhead)
{
	g->idle = s->idle;
	s->txn = t;
	s->began = g->sim->now;
	s->overhead = overhead;
	kit_arm(&g->sim->heap, &s->timer, g->sim->now + time);
}

static void serve(struct gw *g, struct gw_server *s, struct gw_txn *t)
{
	t->state = TXN_SERVING;
	t->server = s;
	if (t->is_options) {
		begin(g, s, t, (uint64_t)(g->set.reject * (double)g->set.service), true);
		return;
	}
	if (g->set.trying == TRYING_ON_DEQUEUE)
		gw_say(g, t, 100);
	begin(g, s, t, service_time(g), false);
}

/* Gives idle servers something to do. */
static void employ(struct gw *g)
{
	while (g->idle && g->backlog_n) {
		struct gw_txn *t = g->backlog[g->backlog_first];
		double part = t ? g->set.reject : g->set.absorb;

		g->backlog_first = (g->backlog_first + 1) % MAX_BACKLOG;
		g->backlog_n--;
		begin(g, g->idle, t, (uint64_t)(part * (double)g->set.service), true);
	}
	while (g->idle && g->first) {
		struct gw_txn *t = g->first;

		unqueue(g, t);
		serve(g, g->idle, t);
	}
}

static bool push_backlog(struct gw *g, struct gw_txn *t)
{
	if (g->backlog_n == MAX_BACKLOG)
		return false;
	g->backlog[(g->backlog_first + g->backlog_n++) % MAX_BACKLOG] = t;
	if (g->backlog_n > g->backlog_max)
		g->backlog_max = g->backlog_n;
	employ(g);
	return true;
}

void gw_absorb(struct gw *g)
{
	if (g->set.absorb > 0)
		push_backlog(g, NULL);
}

static void forget_at(struct gw *g, struct gw_txn *t, uint64_t after)
{
	t->timer.kind = TIMER_FORGET;
	kit_arm(&g->sim->heap, &t->timer, g->sim->now + after);
}

/* A final response, sent until its ACK comes. */
static void finish(struct gw *g, struct gw_txn *t, uint16_t status)
{
	t->state = status < 300 ? TXN_ANSWERED : TXN_REFUSED;
	t->finished = g->sim->now;
	t->interval = T1;
	gw_say(g, t, status);
	t->timer.kind = TIMER_AGAIN;
	kit_arm(&g->sim->heap, &t->timer, g->sim->now + t->interval);
}

static void refuse(struct gw *g, struct gw_txn *t)
{
	if (t->is_options) {
		gw_say(g, t, 503);
		gw_txn_free(g, t);
		return;
	}
	gw_count(g, GW_refused);
	finish(g, t, 503);
}

static void no_room(struct gw *g, struct gw_txn *t)
{
	if (g->set.full == FULL_503) {
		if (g->set.trying == TRYING_ON_RECEIPT && !t->is_options)
			gw_say(g, t, 100);
		t->state = TXN_REFUSING;
		if (g->set.reject <= 0) {
			refuse(g, t);
			return;
		}
		if (push_backlog(g, t))
			return;
	}
	gw_count(g, GW_dropped);
	gw_txn_free(g, t);
	gw_absorb(g);
}

void gw_arrive(struct gw *g, struct gw_txn *t)
{
	if (g->set.refuse || (!g->idle && g->waiting >= g->set.queue)) {
		no_room(g, t);
		return;
	}
	if (g->set.trying == TRYING_ON_RECEIPT && !t->is_options)
		gw_say(g, t, 100);
	if (g->idle)
		serve(g, g->idle, t);
	else
		enqueue(g, t);
}

static void answer(struct gw *g, struct gw_txn *t)
{
	gw_count(g, GW_answered);
	finish(g, t, 200);
}

/* A server has done its work for a call. */
static void served(struct gw *g, struct gw_txn *t)
{
	if (t->fail) {
		gw_count(g, GW_failed);
		finish(g, t, t->fail);
		return;
	}
	if (g->set.ringing)
		gw_say(g, t, 180);
	if (g->set.ring == 0) {
		answer(g, t);
		return;
	}
	t->state = TXN_RINGING;
	t->timer.kind = TIMER_ANSWER;
	kit_arm(&g->sim->heap, &t->timer,
		g->sim->now + (uint64_t)kit_lognormal(&g->sim->draw, (double)g->set.ring, g->set.ring_sigma));
}

static void server_done(struct gw *g, struct gw_server *s)
{
	struct gw_txn *t = s->txn;

	*(s->overhead ? &g->busy_overhead : &g->busy_serving) += g->sim->now - s->began;
	s->txn = NULL;
	s->idle = g->idle;
	g->idle = s;
	if (t && t->is_options && t->state == TXN_SERVING) {
		gw_count(g, GW_options_answered);
		gw_say(g, t, 200);
		gw_txn_free(g, t);
	} else if (t) {
		t->server = NULL;
		if (t->state == TXN_REFUSING)
			refuse(g, t);
		else
			served(g, t);
	}
	employ(g);
}

void gw_cancel(struct gw *g, struct gw_txn *t)
{
	if (t->state == TXN_WAITING)
		unqueue(g, t);
	else if (t->state == TXN_SERVING)
		t->server->txn = NULL; /* its work goes on for nobody */
	else if (t->state != TXN_RINGING)
		return;
	t->server = NULL;
	gw_count(g, GW_cancelled);
	finish(g, t, 487);
}

void gw_acked(struct gw *g, struct gw_txn *t)
{
	if (t->state == TXN_ANSWERED)
		gw_count(g, g->sim->now - t->came <= PATIENCE ? GW_acked : GW_acked_late);
	else if (t->state != TXN_REFUSED)
		return;
	t->state = TXN_ENDED;
	forget_at(g, t, T4);
}

static void send_again(struct gw *g, struct gw_txn *t)
{
	if (g->sim->now - t->finished > 64 * T1) {
		if (t->state == TXN_ANSWERED)
			gw_count(g, GW_unacked);
		gw_txn_free(g, t);
		return;
	}
	gw_count(g, GW_final_repeats);
	gw_say(g, t, t->status);
	t->interval = 2 * t->interval < T2 ? 2 * t->interval : T2;
	kit_arm(&g->sim->heap, &t->timer, g->sim->now + t->interval);
}

void gw_timer(struct sim *sim, struct kit_timer *timer)
{
	struct gw_txn *t = FROM(timer, struct gw_txn, timer);

	switch ((enum gw_timer_kind)timer->kind) {
	case TIMER_SERVER: {
		struct gw_server *s = FROM(timer, struct gw_server, timer);

		server_done(s->gw, s);
		break;
	}
	case TIMER_AGAIN:
		send_again(t->gw, t);
		break;
	case TIMER_ANSWER:
		answer(t->gw, t);
		break;
	case TIMER_FORGET:
		gw_txn_free(t->gw, t);
		break;
	case TIMER_OC:
		gw_oc_timer(FROM(timer, struct gw, oc.timer));
		break;
	}
}

void gw_start(struct gw *g)
{
	for (uint32_t i = g->set.servers; i-- > 0;) {
		g->server[i] = (struct gw_server){ .gw = g, .idle = g->idle, .timer.kind = TIMER_SERVER };
		g->idle = &g->server[i];
	}
}
