/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One branch of a call: the INVITE client transaction of RFC 3261 17.1.1 (figure 5) with the accepted state
 * of RFC 6026 7.2, Timer C of 16.8, and the CANCEL of 9.1 with the repeats of 17.1.2. The table below is the
 * machine; what is not in it is ignored. Runs on the worker that owns the call.
 * Must stay true: every final response other than 2xx is acknowledged, each time it comes.
 */
#include "lb/call/invite.h"
#include "lb/admit/oc.h"
#include "lb/worker.h"

enum client_event {
	EV_1XX,
	EV_2XX,
	EV_FINAL, /* 300 to 699 */
	EV_TIMER_A,
	EV_TIMER_B,
	EV_TIMER_C,
	EV_TIMER_D, /* D, or M of RFC 6026 */
	EV_TIMER_E, /* of the CANCEL */
	EV_TIMER_F, /* the CANCEL has brought no final response: RFC 3261 9.1 */
	EV_COUNT
};

/* ---- Texts ------------------------------------------------------------------------------------------- */

/* The keys with which everything of this setup is minted: a key that changes meanwhile changes nothing. */
static struct keys keys_of(const struct event *e, const struct setup *u)
{
	struct keys keys = e->s->keys;

	if (u->key_id == keys.old.id)
		keys.now = keys.old;
	return keys;
}

/* Where act goes, and the Via branch that the INVITE, its CANCEL and its ACK have in common (RFC 3261 9.1).
 */
static void name_branch(struct event *e, const struct setup *u, unsigned i, struct lb_act *act)
{
	const struct client *c = &u->client[i];
	const struct gateway *g = gateway_by_slot(e->s, c->gateway);
	const struct keys keys = keys_of(e, u);
	struct branch b = {
		.kind = BRANCH_SETUP,
		.attempt = i,
		.oc = u->oc_ask,
		.listener = e->s->listener_id[u->listener],
		.gateway = g ? g->id : 0,
		.loop = u->loop_hash,
		.identity = u->via_hash,
	};
	struct addr to;

	setup_reply_to(u, &to);
	act->dst = c->dst;
	act->listener = c->listener;
	act->gateway = c->gateway;
	act->towards = 1;
	act->oc_ask = oc_ask(g);
	act->kept = 2 * setup_index(&e->w->setups, u);
	act->branch_n = branch_write(&keys, &b, u->call_hash, &to, act->branch);
}

void client_request(struct event *e, const struct setup *u, unsigned i, struct lb_act *act)
{
	const struct gateway *g = gateway_by_slot(e->s, u->client[i].gateway);
	const struct keys keys = keys_of(e, u);
	struct token t = {
		.gateway = g ? g->id : 0,
		.caller = (uint32_t)u->from_hash,
		.node = e->s->node,
		.listener = e->s->listener_id[u->listener],
		.flow = u->src,
	};

	name_branch(e, u, i, act);
	act->token_n = token_write(&keys, &t, u->call_hash, act->token);
	st_gateway_inc(e->w->lane, u->client[i].gateway, ST_GW_REQUESTS);
}

/* ---- What the transitions do ------------------------------------------------------------------------- */

static void stop(struct client *c)
{
	c->repeat = c->end = c->watch = SETUP_NEVER;
}

uint64_t next_repeat(uint64_t at, uint64_t interval, uint64_t now)
{
	return at + interval > now ? at + interval : now + interval;
}

uint64_t repeat_interval(const struct lb_timers *t, unsigned repeats)
{
	uint64_t interval = repeats < 16 ? t->t1 << repeats : t->t2;

	return interval < t->t2 ? interval : t->t2;
}

/* ---- What the governor is told ------------------------------------------------------------------------ */

static struct signals *signals_of(const struct event *e, const struct client *c)
{
	return signal_of(e->w->signals, c->gateway, e->now);
}

/* Branch i is not waited for any longer. */
static void unlist(struct event *e, struct setup *u, unsigned i)
{
	struct signals *s;

	if (!(u->client[i].flags & CLIENT_LISTED))
		return;
	setup_unlist(&e->w->setups, u, i);
	s = signals_of(e, &u->client[i]);
	signal_add(s->unanswered, -1);
	if (s->unanswered == 0)
		__atomic_store_n(&s->oldest, 0, __ATOMIC_RELAXED);
}

/* A new INVITE leaves. */
static void note_sent(const struct event *e, const struct client *c)
{
	struct signals *s = signals_of(e, c);

	signal_add(s->sent, 1);
	signal_add(s->unanswered, 1);
	if (s->oldest == 0)
		__atomic_store_n(&s->oldest, e->now, __ATOMIC_RELAXED);
}

/* Tells of the response in hand if it is the first other than 100. What comes after a CANCEL says little. */
static void note_progress(const struct event *e, const struct setup *u, const struct client *c)
{
	uint16_t status = e->q->status;
	struct signals *s;

	if (status == 100 || !client_is_open(c) || c->flags & CLIENT_RANG)
		return;
	s = signals_of(e, c);
	signal_add(s->finished, 1);
	if (c->flags & (CLIENT_GIVEN_UP | CLIENT_CANCEL | CLIENT_CANCELLED))
		return;
	signal_outcome(s, u->origin, signal_is_refusal(status, e->q->q850));
	if (status < 300)
		signal_delay(&s->progress, e->now - c->sent);
}

/* A 503 wants no calls for a while (RFC 3261 21.5.4), unless its cause lies elsewhere. */
static void note_retry_after(const struct event *e, const struct client *c)
{
	const struct lb_query *q = e->q;

	if (q->status != 503 || !q->retry_after_s || !client_is_open(c) ||
	    !signal_is_refusal(q->status, q->q850))
		return;
	signal_retry_after(signals_of(e, c), q->retry_after_s);
	st_gateway_inc(e->w->lane, c->gateway, ST_GW_RETRY_AFTER);
}

/* T1 of INVITEs to this gateway: the node's, or a longer one that the governor has found (RFC 3261 17.1.1.1).
 */
static uint64_t t1_of(const struct event *e, uint16_t gateway)
{
	uint16_t ms = word_t1(&e->w->words->gateway[gateway]);

	return ms ? ms * UINT64_C(1000000) : e->w->timers.t1;
}

static void repeat_invite(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];
	uint64_t interval = t1_of(e, c->gateway) << ++c->repeats;

	client_request(e, u, i, act_add(e, LB_RESEND, ST_SENT_REPEAT));
	signal_add(signals_of(e, c)->repeated, 1);
	c->repeat = next_repeat(c->repeat, interval, e->now);
	if (c->repeat >= c->end)
		c->repeat = SETUP_NEVER;
}

static void send_cancel(struct event *e, struct setup *u, unsigned i)
{
	name_branch(e, u, i, act_add(e, LB_CANCEL, ST_SENT_CANCEL));
}

static void repeat_cancel(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	send_cancel(e, u, i);
	c->repeat = next_repeat(c->repeat, repeat_interval(&e->w->timers, ++c->repeats), e->now);
}

/* RFC 3261 9.1: from now on 64 * T1 for a final response to the INVITE. */
static void start_cancel(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	send_cancel(e, u, i);
	c->flags |= CLIENT_CANCELLED;
	c->repeats = 0;
	c->repeat = e->now + e->w->timers.t1;
	c->end = e->now + 64 * e->w->timers.t1;
	c->watch = SETUP_NEVER;
}

static void first_response(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];
	struct signals *s;

	if (c->state != CLIENT_CALLING)
		return;
	unlist(e, u, i);
	st_hist_add(&e->w->lane->gateways[c->gateway].response, e->now - c->sent);
	s = signals_of(e, c);
	signal_add(s->answered, 1);
	if (!signal_is_refusal(e->q->status, e->q->q850))
		signal_delay(&s->response, e->now - c->sent);
	c->repeat = SETUP_NEVER;
}

/* RFC 3261 16.7, step 2: Timer C starts again with each of 101 to 199; with 100 only if it is the first. */
static void proceed(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	first_response(e, u, i);
	if (e->q->status > 100)
		c->flags |= CLIENT_RANG;
	if (c->flags & CLIENT_CANCELLED)
		return;
	if (c->flags & CLIENT_CANCEL) {
		start_cancel(e, u, i);
		return;
	}
	if (e->q->status > 100 || c->state == CLIENT_CALLING)
		c->end = e->now + e->w->timers.c;
}

static void accept_call(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	first_response(e, u, i);
	stop(c);
	c->end = e->now + e->w->timers.d;
}

static void acknowledge(struct event *e, struct setup *u, unsigned i)
{
	if (u->flags & SETUP_KEPT)
		name_branch(e, u, i, act_add(e, LB_ACK, ST_SENT_ACK));
}

static void complete(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	first_response(e, u, i);
	acknowledge(e, u, i);
	stop(c);
	c->end = e->now + e->w->timers.d;
}

/* The gateway has done the part of its work that word.open stands for, or will not do it any more. */
static void close_branch(struct event *e, struct client *c)
{
	if (!(c->flags & CLIENT_OPEN))
		return;
	c->flags &= ~CLIENT_OPEN;
	word_close(e->w->words, c->gateway, c->pool, c->tier, c->life);
	st_gateway_inc(e->w->lane, c->gateway, ST_GW_OPEN_GIVEN);
}

static void terminate(struct event *e, struct setup *u, unsigned i)
{
	unlist(e, u, i);
	close_branch(e, &u->client[i]);
	stop(&u->client[i]);
}

/* RFC 3261 16.8: a provisional response has come, so the branch is CANCELled; its final response goes on. */
static void overdue(struct event *e, struct setup *u, unsigned i)
{
	u->client[i].flags |= CLIENT_OVERDUE;
	start_cancel(e, u, i);
}

/* ---- The machine ------------------------------------------------------------------------------------- */

static const struct {
	uint8_t next; /* enum client_state; CLIENT_NONE: the event is ignored */
	uint8_t news; /* enum news */
	void (*does)(struct event *, struct setup *, unsigned);
} machine[CLIENT_STATES][EV_COUNT] = {
	[CLIENT_CALLING] = {
		[EV_1XX] = { CLIENT_PROCEEDING, NEWS_PROVISIONAL, proceed }, /* 17.1.1.2; 16.7 step 2 */
		[EV_2XX] = { CLIENT_ACCEPTED, NEWS_ACCEPTED, accept_call },  /* RFC 6026 7.2: Timer M */
		[EV_FINAL] = { CLIENT_COMPLETED, NEWS_FINAL, complete },     /* 17.1.1.2, 17.1.1.3: ACK, Timer D */
		[EV_TIMER_A] = { CLIENT_CALLING, NEWS_NONE, repeat_invite }, /* 17.1.1.2: doubles */
		[EV_TIMER_B] = { CLIENT_TERMINATED, NEWS_SILENT, terminate }, /* 17.1.1.2; 16.7: as if 408 */
	},
	[CLIENT_PROCEEDING] = {
		[EV_1XX] = { CLIENT_PROCEEDING, NEWS_PROVISIONAL, proceed },  /* 17.1.1.2 */
		[EV_2XX] = { CLIENT_ACCEPTED, NEWS_ACCEPTED, accept_call },   /* RFC 6026 7.2 */
		[EV_FINAL] = { CLIENT_COMPLETED, NEWS_FINAL, complete },      /* 17.1.1.2 */
		[EV_TIMER_C] = { CLIENT_PROCEEDING, NEWS_OVERDUE, overdue },  /* 16.8 */
		[EV_TIMER_E] = { CLIENT_PROCEEDING, NEWS_NONE, repeat_cancel }, /* 17.1.2.2 */
		[EV_TIMER_F] = { CLIENT_TERMINATED, NEWS_LOST, terminate },   /* 9.1: 64 * T1 after the CANCEL */
	},
	[CLIENT_COMPLETED] = {
		[EV_2XX] = { CLIENT_COMPLETED, NEWS_ACCEPTED, NULL },          /* 16.7 step 5: of another fork */
		[EV_FINAL] = { CLIENT_COMPLETED, NEWS_NONE, acknowledge },     /* 17.1.1.2: ACK again */
		[EV_TIMER_D] = { CLIENT_TERMINATED, NEWS_NONE, terminate },    /* 17.1.1.2 */
	},
	[CLIENT_ACCEPTED] = {
		[EV_2XX] = { CLIENT_ACCEPTED, NEWS_ACCEPTED, NULL },           /* RFC 6026 7.2: passes */
		[EV_TIMER_D] = { CLIENT_TERMINATED, NEWS_NONE, terminate },    /* RFC 6026 7.2: Timer M */
	},
	[CLIENT_TERMINATED] = {
		[EV_2XX] = { CLIENT_TERMINATED, NEWS_ACCEPTED, NULL },         /* 16.7 step 5: always goes on */
		[EV_FINAL] = { CLIENT_TERMINATED, NEWS_NONE, acknowledge },    /* lets the gateway rest */
	},
};

static enum news run(struct event *e, struct setup *u, unsigned i, enum client_event event)
{
	struct client *c = &u->client[i];
	uint8_t state = c->state, next = machine[state][event].next;

	if (next == CLIENT_NONE)
		return NEWS_NONE;
	if (machine[state][event].does)
		machine[state][event].does(e, u, i);
	c->state = next;
	return machine[state][event].news;
}

enum news client_response(struct event *e, struct setup *u, unsigned i)
{
	uint16_t status = e->q->status;
	enum news news;

	note_progress(e, u, &u->client[i]);
	note_retry_after(e, &u->client[i]);
	news = run(e, u, i, status < 200 ? EV_1XX : status < 300 ? EV_2XX : EV_FINAL);
	if (status > 100)
		close_branch(e, &u->client[i]);
	if (news == NEWS_ACCEPTED)
		u->client[i].flags |= CLIENT_BROUGHT;
	if (news == NEWS_PROVISIONAL)
		u->client[i].watch = failover_next_watch(e, u, i);
	return news;
}

enum news client_timer(struct event *e, struct setup *u, unsigned i)
{
	const struct client *c = &u->client[i];
	bool end = c->end <= e->now;

	switch (c->state) {
	case CLIENT_CALLING:
		return run(e, u, i, end ? EV_TIMER_B : EV_TIMER_A);
	case CLIENT_PROCEEDING:
		if (!end)
			return run(e, u, i, EV_TIMER_E);
		return run(e, u, i, c->flags & CLIENT_CANCELLED ? EV_TIMER_F : EV_TIMER_C);
	default:
		return run(e, u, i, EV_TIMER_D);
	}
}

unsigned client_add(struct event *e, struct setup *u, const struct gateway *g)
{
	struct client *c = &u->client[u->n];
	unsigned i;

	if (u->n > 0)
		count_move(e, u, g->slot);
	i = u->n++;
	*c = (struct client){
		.dst = g->addr,
		.pool = g->pool,
		.tier = g->tier,
		.life = __atomic_load_n(&e->w->words->gateway[g->slot].life, __ATOMIC_RELAXED),
		.sent = e->now,
		.repeat = e->now + t1_of(e, g->slot),
		.end = e->now + e->w->timers.b,
		.gateway = g->slot,
		.listener = g->listener,
		.state = CLIENT_CALLING,
		.flags = CLIENT_OPEN,
	};
	c->watch = failover_next_watch(e, u, i);
	setup_list(&e->w->setups, u, i);
	note_sent(e, c);
	st_gateway_inc(e->w->lane, g->slot, ST_GW_CALLS);
	return i;
}

void client_cancel(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	if (!client_is_open(c) || c->flags & CLIENT_CANCELLED)
		return;
	c->flags |= CLIENT_CANCEL;
	c->watch = SETUP_NEVER;
	unlist(e, u, i);
	if (c->state == CLIENT_PROCEEDING)
		start_cancel(e, u, i);
}

void client_cancel_answered(struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	if (c->state == CLIENT_PROCEEDING && c->flags & CLIENT_CANCELLED)
		c->repeat = SETUP_NEVER;
}

void client_give_up(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];

	c->flags |= CLIENT_GIVEN_UP;
	client_cancel(e, u, i);
	if (c->state == CLIENT_CALLING)
		c->repeat = SETUP_NEVER;
}

void client_wait(struct event *e, struct setup *u, unsigned i, uint64_t at)
{
	unlist(e, u, i);
	u->client[i].watch = at;
}
