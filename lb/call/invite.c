/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way of a message, or of a moment, through the transactions of a call: find out what it means for the
 * branch or the caller's side, let failover.c decide what follows, then put everything in order: kept
 * messages, the timer, and last the action that ends the message in hand. Runs on the worker that owns the
 * call.
 */
#include "lb/call/invite.h"
#include "lb/admit/oc.h"
#include "lb/worker.h"

/* As much of it as a setup keeps, so that all branches of a call are chosen alike. */
static struct str called(struct str user)
{
	user.n = user.n < SETUP_NUMBER ? user.n : SETUP_NUMBER;
	return user;
}

struct pick pick_for_request(const struct event *e, enum ask_what what, bool urgent)
{
	const struct lb_query *q = e->q;
	bool call = what >= ASK_CALL;

	return (struct pick){
		.words = e->w->words,
		.lane = e->w->lane,
		.turns = e->w->turns,
		.call_hash = q->call_hash,
		.called = called(q->number.n ? q->number : q->to_user),
		.src = q->src,
		.ask = {
			.now = e->now,
			.branch = q->via_hash,
			.what = what,
			.room = call && (calls_room(&e->w->calls) || count_known(e)),
			.opens = call && q->room && setups_room(&e->w->setups),
			.governed = !urgent,
			.headroom = urgent ? 0 : e->s->headroom,
		},
	};
}

struct pick pick_for_branch(const struct event *e, const struct setup *u)
{
	bool urgent = u->flags & SETUP_URGENT;

	return (struct pick){
		.words = e->w->words,
		.lane = e->w->lane,
		.turns = e->w->turns,
		.call_hash = u->call_hash,
		.called = { u->number, u->number_n },
		.src = u->src,
		.ask = {
			.now = e->now,
			.branch = u->via_hash,
			.what = ASK_CALL,
			.room = count_owns(e, u),
			.opens = true,
			.governed = !urgent,
			.headroom = urgent ? 0 : e->s->headroom,
		},
	};
}

const struct gateway *pick_branch(const struct event *e, struct setup *u, uint16_t pool, uint32_t yields)
{
	struct pick how = pick_for_branch(e, u);
	uint16_t tried[LIMIT_BRANCHES];
	const struct gateway *g;

	how.ask.yields = yields;
	how.tried = tried;
	how.n_tried = setup_tried(u, tried);
	g = u->flags & SETUP_SPILLED ? pick(&how, e->s, pool) : pick_or_spill(&how, e->s, pool);
	if (g && g->pool != pool)
		u->flags |= SETUP_SPILLED;
	return g;
}

/* ---- The end of every event -------------------------------------------------------------------------- */

/* True if a message may still be made out of the kept INVITE. */
static bool needs_invite(const struct setup *u)
{
	if (u->state == SERVER_PROCEEDING)
		return true;
	for (unsigned i = 0; i < u->n; i++) {
		if (client_is_open(&u->client[i]) || u->client[i].state == CLIENT_COMPLETED)
			return true;
	}
	return false;
}

void invite_forget(struct event *e, struct setup *u, enum setup_flags what)
{
	uint32_t kept = 2 * setup_index(&e->w->setups, u);

	if (!(u->flags & what))
		return;
	u->flags &= ~what;
	act_add(e, LB_FORGET, ST_ABSORB_FINAL)->kept = what == SETUP_KEPT ? kept : kept + 1;
}

static bool is_over(const struct setup *u)
{
	for (unsigned i = 0; i < u->n; i++) {
		if (u->client[i].state != CLIENT_TERMINATED)
			return false;
	}
	return u->state == SERVER_TERMINATED;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_due(const struct setup *u)
{
	uint64_t due = earliest(u->repeat, u->end);

	for (unsigned i = 0; i < u->n; i++) {
		const struct client *c = &u->client[i];

		due = earliest(due, earliest(c->repeat, earliest(c->end, c->watch)));
	}
	return due;
}

void invite_close(struct event *e, struct setup *u)
{
	struct setups *t = &e->w->setups;
	uint32_t i = setup_index(t, u);

	if (!needs_invite(u))
		invite_forget(e, u, SETUP_KEPT);
	if (u->state != SERVER_PROCEEDING && u->state != SERVER_COMPLETED)
		invite_forget(e, u, SETUP_FINAL_KEPT);
	if (is_over(u)) {
		wheel_cancel(&e->w->wheel, i);
		setup_free(t, u);
	} else {
		wheel_sooner(&e->w->wheel, i, next_due(u)); /* one that comes too early arms it again */
	}
}

/* ---- Requests ---------------------------------------------------------------------------------------- */

struct setup *invite_admit(struct event *e, enum lb_when_full when_full, unsigned flags)
{
	struct setup *u = e->q->room ? setup_new(&e->w->setups, e->q, flags | SETUP_KEPT) : NULL;

	if (!u) {
		st_inc(e->w->lane, ST_SETUP_FULL);
		return NULL;
	}
	u->when_full = when_full;
	u->key_id = e->s->keys.now.id;
	u->attempts = 1;
	act_add(e, LB_KEEP, ST_FWD_REQUEST)->kept = 2 * setup_index(&e->w->setups, u);
	server_event(e, u, SERVER_INVITE);
	return u;
}

/* RFC 3261 9.2: whatever becomes of the INVITE. */
static void answer_cancel(struct event *e)
{
	struct lb_act *act = act_add(e, LB_REPLY, ST_REPLY_CANCEL);

	act->status = 200;
	act->reason = "OK";
	act->listener = e->q->listener;
	act->dst = e->q->reply_to;
	act->to_tag_n = tag_write(&e->s->keys, e->q, act->to_tag);
	oc_tell(act, e->q->oc_ask, e->w->words, e->s, &e->q->src);
}

bool invite_request(struct event *e, struct setup *u)
{
	static const struct {
		bool known;
		uint8_t event; /* enum server_event */
		enum st_end end;
	} requests[METHOD_COUNT] = {
		[METHOD_INVITE] = { true, SERVER_INVITE, ST_ABSORB_REPEAT },
		[METHOD_ACK] = { true, SERVER_ACK, ST_ABSORB_ACK },
		[METHOD_CANCEL] = { true, SERVER_CANCEL, ST_REPLY_CANCEL },
	};
	uint8_t method = e->q->method;

	if (!requests[method].known || !server_event(e, u, requests[method].event))
		return false;
	invite_close(e, u);
	if (method == METHOD_CANCEL)
		answer_cancel(e);
	else
		act_add(e, LB_ABSORB, requests[method].end);
	return true;
}

/* ---- Responses --------------------------------------------------------------------------------------- */

static struct verdict on_provisional(const struct event *e, const struct setup *u, unsigned i)
{
	if (e->q->status == 100) /* RFC 3261 16.7, step 5 */
		return (struct verdict){ LB_ABSORB, ST_ABSORB_TRYING, false };
	if (u->client[i].flags & CLIENT_GIVEN_UP || u->state != SERVER_PROCEEDING)
		return (struct verdict){ LB_ABSORB, ST_ABSORB_PROVISIONAL, false };
	return (struct verdict){ LB_FORWARD, ST_FWD_RESPONSE, false };
}

/* RFC 3261 16.7, steps 5 and 10: every 2xx goes on at once, even after another final; the others are
 * CANCELled. */
static struct verdict on_accepted(struct event *e, struct setup *u, unsigned i)
{
	failover_cancel_others(e, u, i);
	server_event(e, u, SERVER_2XX);
	return (struct verdict){ LB_FORWARD, ST_FWD_RESPONSE, false };
}

static struct verdict verdict_on(struct event *e, struct setup *u, unsigned i)
{
	enum news news;
	bool was_open;

	if (e->q->method == METHOD_CANCEL) {
		if (e->q->status >= 200)
			client_cancel_answered(u, i);
		return (struct verdict){ LB_ABSORB, ST_ABSORB_OWN_CANCEL, false };
	}
	was_open = client_is_open(&u->client[i]);
	news = client_response(e, u, i);
	count_response(e, u, i, was_open);
	switch (news) {
	case NEWS_PROVISIONAL:
		return on_provisional(e, u, i);
	case NEWS_ACCEPTED:
		return on_accepted(e, u, i);
	case NEWS_FINAL:
		return failover_over(e, u, i, news);
	default:
		return (struct verdict){ LB_ABSORB,
					 e->q->status < 200 ? ST_ABSORB_PROVISIONAL : ST_ABSORB_FINAL,
					 false };
	}
}

void invite_response(struct event *e, struct setup *u, unsigned i)
{
	struct verdict v = verdict_on(e, u, i);
	uint32_t kept = 2 * setup_index(&e->w->setups, u);
	uint16_t gateway = u->client[i].gateway;
	uint8_t listener = u->listener, oc = u->oc_ask;
	struct addr src = u->src;
	uint16_t port = u->reply_port;
	struct lb_act *act;

	invite_close(e, u);
	act = act_add(e, v.op, v.end);
	act->gateway = gateway;
	if (v.op != LB_FORWARD)
		return;
	act->dst = src;
	act->dst.port = port;
	act->listener = listener;
	act->kept = kept;
	act->keep_final = v.keep;
	oc_tell(act, oc, e->w->words, e->s, &act->dst);
}

/* ---- Time -------------------------------------------------------------------------------------------- */

static void client_due(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];
	enum news news;

	if (c->repeat > e->now && c->end > e->now) {
		failover_watch(e, u, i);
		return;
	}
	news = client_timer(e, u, i);
	if (news != NEWS_NONE)
		failover_over(e, u, i, news);
}

void invite_due(struct event *e, struct setup *u)
{
	if (u->end <= e->now) {
		server_event(e, u, SERVER_END);
	} else if (u->repeat <= e->now) {
		server_event(e, u, SERVER_REPEAT);
	} else {
		for (unsigned i = 0; i < u->n; i++) {
			const struct client *c = &u->client[i];

			if (earliest(c->watch, earliest(c->repeat, c->end)) <= e->now) {
				client_due(e, u, i);
				break;
			}
		}
	}
	invite_close(e, u);
}

void invite_down(struct event *e, struct setup *u, unsigned i)
{
	failover_down(e, u, i);
	invite_close(e, u);
}
