/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the way of a call through Weir does to its entry among the counted calls. Runs on the worker that owns
 * the call. What must stay true: after every event the entry's place is at the gateway of the last branch, or
 * of the one that brought the call.
 */
#include "lb/call/invite.h"
#include "lb/choose/peers.h"
#include "lb/worker.h"

/* How long it is remembered that the BYE of a dialog was met: as long as it or its answer may be repeated,
 * twice. */
#define BYE_MEMORY_PINS 2

static struct call_key key_of(const struct setup *u)
{
	return call_key_of(u->call_hash, u->from_hash, u->via_hash, u->cseq);
}

/* The entry of the setup's call, or CALL_NONE. */
static uint32_t entry_of(const struct event *e, const struct setup *u)
{
	const struct call_key key = key_of(u);

	return call_still(&e->w->calls, u->call, &key);
}

/* ---- Set-up ---------------------------------------------------------------------------------------- */

bool count_known(const struct event *e)
{
	const struct call_key key = call_key(e->q);
	uint32_t i = call_of(&e->w->calls, &key);

	return i != CALL_NONE && call_entry(&e->w->calls, i)->state == CALL_SETUP;
}

bool count_owns(const struct event *e, const struct setup *u)
{
	return entry_of(e, u) != CALL_NONE;
}

bool count_peer(struct event *e, uint16_t slot, uint32_t headroom)
{
	return slot == LB_NONE || count_known(e) ||
	       peer_reserve_within(&e->w->words->peer[slot], calls_room(&e->w->calls), headroom);
}

void count_no_call(struct event *e, uint16_t peer)
{
	if (peer != LB_NONE && !count_known(e) && calls_room(&e->w->calls))
		peer_release(&e->w->words->peer[peer]);
}

uint32_t count_call(struct event *e, const struct gateway *from, uint16_t peer, uint16_t share,
		    const struct gateway *to)
{
	const struct call_key key = call_key(e->q);
	const struct call_sides sides = {
		.in = from ? from->slot : LB_NONE,
		.out = to->slot,
		.peer = peer,
		.share = share,
		.counts_in = from && from->count_in,
		.listener = e->q->listener,
		.flow = e->q->src,
		.began = e->now,
	};
	uint32_t i;

	if (count_known(e)) { /* once more, away from a gateway that is down */
		i = call_of(&e->w->calls, &key);
		call_move(&e->w->calls, i, to->slot, true, e->now);
		return i;
	}
	i = call_open(&e->w->calls, &key, &sides, e->now);
	if (i != CALL_NONE)
		record_start(&e->w->records, i, e->q, false);
	return i;
}

static uint16_t left_by(const struct event *e, const struct client *c)
{
	if (c->flags & CLIENT_BOUNCED)
		return LB_LEFT_ICMP;
	return word_down(&e->w->words->gateway[c->gateway]) ? LB_LEFT_DOWN : LB_LEFT_SILENT;
}

/* Branch i has not brought call entry `call`: notes why, once. status: see struct lb_try. */
static void tell(struct event *e, struct setup *u, unsigned i, uint32_t call, uint16_t status)
{
	struct client *c = &u->client[i];

	if (c->flags & CLIENT_TOLD)
		return;
	c->flags |= CLIENT_TOLD;
	record_try(&e->w->records, call, c->gateway, status);
}

/* The call of entry i goes on in another pool: it counts there from now on. */
static void move_share(struct event *e, uint32_t i, uint16_t to)
{
	struct shares *t = &e->w->words->shares;
	const struct gateway *g = gateway_by_slot(e->s, to);
	uint16_t share = call_entry(&e->w->calls, i)->share;
	uint64_t key = share != SHARE_NONE && g
			       ? share_key(e->s->pools[g->pool].id, share_key_who(t->key[share]))
			       : 0;

	if (key && key != t->key[share])
		call_share(&e->w->calls, i, share_enter(t, key));
}

void count_move(struct event *e, struct setup *u, uint16_t to)
{
	const struct client *last = &u->client[u->n - 1];
	uint32_t i = entry_of(e, u);

	if (i == CALL_NONE)
		return;
	tell(e, u, u->n - 1, i, left_by(e, last));
	call_move(&e->w->calls, i, to, client_is_open(last), e->now);
	move_share(e, i, to);
}

/* Slot of the peer that the call comes from, or LB_NONE. */
static uint16_t peer_of(const struct event *e, const struct setup *u)
{
	uint16_t peer = peer_at(e->s, &u->src);

	return peer == LB_NONE ? LB_NONE : e->s->peers[peer].slot;
}

/* Entry i has a record of its own; another one has told of the call if its caller has had a final response.
 */
static void record_anew(struct event *e, const struct setup *u, uint32_t i)
{
	const struct lb_query about = { .caller = e->q->caller,
					.number = { u->number, u->number_n },
					.call_id = e->q->call_id };

	record_start(&e->w->records, i, &about, u->state != SERVER_PROCEEDING);
}

/*
 * The call has a first or another entry by a 2xx that comes after the caller was told no (RFC 3261 16.7, step
 * 10), of another fork after the call of the first one has ended, or of another gateway while that goes on;
 * or because there was no room for one before. Where no other entry is left it has all that a call holds,
 * whatever the limits: it is up.
 */
static uint32_t count_late(struct event *e, const struct setup *u, uint16_t gateway)
{
	const struct gateway *from = gateway_at(e->s, &u->src);
	const struct call_key key = key_of(u);
	struct calls *c = &e->w->calls;
	bool alone = call_of(c, &key) == CALL_NONE;
	const struct call_sides sides = {
		.in = from ? from->slot : LB_NONE,
		.out = LB_NONE, /* as yet */
		.peer = alone ? peer_of(e, u) : LB_NONE,
		.share = SHARE_NONE,
		.counts_in = from && from->count_in && alone,
		.listener = u->listener,
		.flow = u->src,
		.began = u->client[0].sent,
	};
	uint32_t i;

	if (!calls_room(c))
		call_let_go(c, &key, gateway); /* its entry is the room */
	if (u->state == SERVER_PROCEEDING && !calls_room(c))
		return CALL_NONE; /* as when its INVITE came */
	if (calls_room(c) && sides.peer != LB_NONE)
		peer_take(&e->w->words->peer[sides.peer]);
	i = call_open(c, &key, &sides, e->now);
	if (i == CALL_NONE)
		return CALL_NONE;
	call_swap(c, i, &key, gateway, e->now); /* what is held changes hands: nobody takes it between */
	call_let_go(c, &key, LB_NONE);
	if (alone)
		record_anew(e, u, i);
	else
		call_is_again(c, i, &key);
	return i;
}

enum answer {
	ANSWER_NEW,
	ANSWER_REPEATED,
	ANSWER_UNKNOWN /* one or the other, past those that are remembered */
};

/* Whether the 2xx in hand has come before; notes its To tag. */
static enum answer note_answer(const struct event *e, struct setup *u)
{
	uint32_t to = e->q->to_hash ? e->q->to_hash : 1;

	for (unsigned k = 0; k < SETUP_ANSWERS; k++) {
		if (u->to[k] == to)
			return ANSWER_REPEATED;
		if (u->to[k] == 0) {
			u->to[k] = to;
			return ANSWER_NEW;
		}
	}
	return ANSWER_UNKNOWN;
}

/* first: of its branch. A repeated one says nothing new: its dialog may have ended, and its entry with it. */
static void count_accepted(struct event *e, struct setup *u, unsigned i, bool first)
{
	const struct call_key key = key_of(u);
	uint16_t gateway = u->client[i].gateway;
	struct calls *c = &e->w->calls;
	uint32_t call = entry_of(e, u);
	enum answer answer = note_answer(e, u);

	if (answer == ANSWER_REPEATED && !first)
		return;
	if (call != CALL_NONE && call_entry(c, call)->state == CALL_SETUP)
		call_swap(c, call, &key, gateway, e->now);
	else
		call = call_answered_at(c, &key, gateway);
	if (call == CALL_NONE && (first || answer == ANSWER_NEW))
		call = count_late(e, u, gateway);
	if (call != CALL_NONE)
		call_confirm(c, call, e->q->to_hash, e->q->session_s, e->now);
}

void count_response(struct event *e, struct setup *u, unsigned i, bool was_open)
{
	const struct call_key key = key_of(u);
	uint16_t status = e->q->status;
	uint32_t call;

	if (status == 100)
		return;
	call = entry_of(e, u);
	if (status >= 300 && was_open && call != CALL_NONE)
		tell(e, u, i, call, status);
	if (status >= 300)
		call_let_go(&e->w->calls, &key, u->client[i].gateway);
	else if (status >= 200)
		count_accepted(e, u, i, was_open);
	else if (call != CALL_NONE)
		call_news(&e->w->calls, call, e->now);
}

void count_failed(struct event *e, struct setup *u, uint16_t status)
{
	uint32_t i = entry_of(e, u);
	bool cancelled = u->flags & SETUP_CANCELLED && status == 487;

	if (i == CALL_NONE)
		return;
	for (unsigned k = 0; k < u->n; k++)
		tell(e, u, k, i, left_by(e, &u->client[k]));
	call_fail(&e->w->calls, i, cancelled ? LB_END_CANCELLED : LB_END_FAILED, status,
		  client_is_open(&u->client[u->n - 1]), e->now);
}

void count_refused(struct event *e, const struct setup *u)
{
	uint16_t peer = peer_of(e, u);

	if (peer != LB_NONE)
		st_peer_inc(e->w->lane, peer, ST_PEER_REFUSED);
}

/* ---- In dialog, and without a transaction of ours ---------------------------------------------------- */

/* The response in hand to an INVITE that went by its pin. False: not to one that began a call. */
static bool count_pinned_invite(struct event *e, uint64_t identity)
{
	const struct lb_query *q = e->q;
	const struct call_key key = call_key_of(q->call_hash, q->from_hash, identity, q->cseq);
	struct calls *c = &e->w->calls;
	uint32_t i = call_of(c, &key);

	if (i == CALL_NONE)
		return false;
	if (q->status < 200) {
		call_news(c, i, e->now);
	} else if (q->status < 300) {
		call_confirm(c, i, q->to_hash, q->session_s, e->now);
	} else {
		record_try(&e->w->records, i, call_entry(c, i)->out, q->status);
		call_fail(c, i, q->status == 487 ? LB_END_CANCELLED : LB_END_FAILED, q->status, false,
			  e->now);
	}
	return true;
}

/* ---- Survivors: calls of an earlier process, without entry -------------------------------------------- */

/*
 * What remembers the BYEs of a call, one pin for each gateway that a survivor may be taken off at; its
 * gateway is where one was, or LB_NONE. Of a call and not of a dialog: it had one place for all of them, and
 * To tags can be made up.
 */
enum bye_side {
	BYE_OUT = METHOD_BYE,
	BYE_IN = METHOD_BYE | 1 << 8
};

static struct pin_key bye_key(const struct lb_query *q, uint32_t caller)
{
	return pin_key(q->call_hash, (uint64_t)METHOD_BYE << 32 | caller);
}

/* The pin of the call with this tag of its caller; b == NULL: there is none. */
static struct pin find_bye(const struct event *e, enum bye_side side, uint32_t caller)
{
	struct pin pin = pin_find(&e->w->pins, bye_key(e->q, caller), side, e->now);

	return pin.b && pin.same ? pin : (struct pin){ 0 };
}

static void remember_bye(struct event *e, enum bye_side side, uint32_t caller, uint16_t slot)
{
	if (pin_add(&e->w->pins, bye_key(e->q, caller), side, (struct pin){ 0 }, slot, e->now,
		    BYE_MEMORY_PINS * e->w->pin_ns, 0))
		st_inc(e->w->lane, ST_PIN_LOST);
	e->w->byes_pinned = e->now + BYE_MEMORY_PINS * e->w->pin_ns;
}

static uint32_t *survivors_at(struct event *e, uint16_t slot)
{
	return &e->w->words->gateway[slot].survivors;
}

static bool any(struct event *e, const struct gateway *g)
{
	return g && __atomic_load_n(survivors_at(e, g->slot), __ATOMIC_RELAXED) > 0;
}

/* Takes a survivor off at g; returns its slot, or LB_NONE if there was none. */
static uint16_t take_off(struct event *e, const struct gateway *g)
{
	if (!g || !word_lower(survivors_at(e, g->slot)))
		return LB_NONE;
	word_changed(e->w->words, g->slot);
	return g->slot;
}

static void count_bye(struct event *e, const struct token *token)
{
	const struct lb_query *q = e->q;
	bool known = call_bye(&e->w->calls, q->call_hash, (uint32_t)q->from_hash, q->to_hash, e->now);
	const struct gateway *out, *in;

	if (!token)
		return;
	in = token->flow.port ? gateway_at(e->s, &token->flow) : NULL;
	in = in && in->count_in ? in : NULL;
	out = gateway_by_id(e->s, token->gateway);
	if ((!any(e, in) && !any(e, out)) || find_bye(e, BYE_OUT, token->caller).b)
		return;
	known |= call_is_known(&e->w->calls, q->call_hash, token->caller);
	remember_bye(e, BYE_OUT, token->caller, known ? LB_NONE : take_off(e, out));
	if (any(e, in) && !known)
		remember_bye(e, BYE_IN, token->caller, take_off(e, in));
}

/* A pin of find_bye() ends with a challenge: the call goes on, and the next BYE of its dialog is the first.
 */
static void give_back(struct event *e, struct pin pin)
{
	uint16_t slot = pin.b->gateway[pin.i];

	if (slot != LB_NONE)
		__atomic_fetch_add(survivors_at(e, slot), 1, __ATOMIC_RELAXED);
	pin_end(pin);
}

/* The final response to a BYE of a call without entry passes, whose caller's tag this may be. */
static void survivor_answered_of(struct event *e, uint32_t caller)
{
	struct pin out = find_bye(e, BYE_OUT, caller), in = find_bye(e, BYE_IN, caller);

	if (is_challenge(e->q->status)) {
		if (out.b)
			give_back(e, out);
		if (in.b)
			give_back(e, in);
	} else if (out.b && !(out.b->flags[out.i] & PIN_FINAL)) {
		out.b->flags[out.i] |= PIN_FINAL;
		if (out.b->gateway[out.i] != LB_NONE || in.b)
			st_inc(e->w->lane, ST_SURVIVOR_ENDED);
	}
}

/* The same; the BYE came from either side. */
static void survivor_answered(struct event *e)
{
	if (!e->w->byes_pinned)
		return;
	survivor_answered_of(e, (uint32_t)e->q->from_hash);
	survivor_answered_of(e, e->q->to_hash);
}

/* ---- What passes ------------------------------------------------------------------------------------- */

void count_passed(struct event *e, const struct branch *b)
{
	const struct lb_query *q = e->q;
	uint32_t from = (uint32_t)q->from_hash;

	if (q->method == METHOD_BYE && q->status >= 200 &&
	    !call_bye_answered(&e->w->calls, q->call_hash, from, q->to_hash, q->status, e->now))
		survivor_answered(e);
	if (q->method == METHOD_INVITE && b->kind == BRANCH_PINNED && count_pinned_invite(e, b->identity))
		return;
	if ((q->method == METHOD_INVITE || q->method == METHOD_UPDATE) && q->status / 100 == 2)
		call_refreshed(&e->w->calls, q->call_hash, from, q->to_hash, q->session_s, e->now);
}

void count_request(struct event *e, enum lb_op op, const struct token *token)
{
	const struct lb_query *q = e->q;
	const struct call_key key = call_key(q);

	if (q->method == METHOD_BYE && q->has_to_tag && op == LB_FORWARD)
		count_bye(e, token);
	else if (q->method == METHOD_ACK && q->has_to_tag && op == LB_FORWARD)
		call_acked(&e->w->calls, q->call_hash, (uint32_t)q->from_hash);
	else if (q->method == METHOD_CANCEL && op != LB_DROP)
		call_cancelled(&e->w->calls, &key, e->now);
}
