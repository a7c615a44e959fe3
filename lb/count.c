/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the way of a call through Weir does to its entry among the counted calls. Runs on the worker that owns
 * the call. What must stay true: after every event the entry's place is at the gateway of the last branch, or
 * of the one that brought the call.
 */
#include "lb/invite.h"
#include "lb/peers.h"
#include "lb/worker.h"

/* How long it is remembered that the BYE of a dialog was met: as long as it or its answer may be repeated,
 * twice. */
#define BYE_MEMORY_PINS 2

static struct call_key key_of(const struct setup *u)
{
	return (struct call_key){ u->call_hash, (uint32_t)u->from_hash, (uint32_t)u->via_hash };
}

/* ---- Set-up ---------------------------------------------------------------------------------------- */

bool count_known(const struct event *e)
{
	const struct call_key key = call_key(e->q);
	uint32_t i = call_of(&e->w->calls, &key);

	return i != CALL_NONE && e->w->calls.at[i].state == CALL_SETUP;
}

bool count_owns(const struct event *e, const struct setup *u)
{
	const struct call_key key = key_of(u);

	return call_of(&e->w->calls, &key) != CALL_NONE;
}

bool count_peer(struct event *e, uint16_t slot)
{
	return slot == LB_NONE || count_known(e) ||
	       peer_reserve(&e->w->words->peer[slot], calls_room(&e->w->calls));
}

void count_no_call(struct event *e, uint16_t peer)
{
	if (peer != LB_NONE && !count_known(e) && calls_room(&e->w->calls))
		peer_release(&e->w->words->peer[peer]);
}

void count_call(struct event *e, const struct gateway *from, uint16_t peer, const struct gateway *to)
{
	const struct call_key key = call_key(e->q);
	const struct call_sides sides = {
		.in = from ? from->slot : LB_NONE,
		.out = to->slot,
		.peer = peer,
		.counts_in = from && from->count_in,
		.listener = e->q->listener,
		.flow = e->q->src,
	};

	uint32_t i;

	if (count_known(e)) { /* once more, away from a gateway that is down */
		call_move(&e->w->calls, call_of(&e->w->calls, &key), to->slot, true, e->now);
		return;
	}
	i = call_open(&e->w->calls, &key, &sides, e->now);
	if (i != CALL_NONE)
		record_start(&e->w->records, i, e->q);
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

void count_move(struct event *e, struct setup *u, uint16_t to)
{
	const struct call_key key = key_of(u);
	const struct client *last = &u->client[u->n - 1];
	uint32_t i = call_of(&e->w->calls, &key);

	if (i == CALL_NONE)
		return;
	tell(e, u, u->n - 1, i, left_by(e, last));
	call_move(&e->w->calls, i, to, client_is_open(last), e->now);
}

/* A 2xx that comes after the caller was told no makes a call all the same (RFC 3261 16.7, step 10). */
static uint32_t count_late(struct event *e, const struct setup *u, uint16_t gateway)
{
	const struct gateway *from = gateway_at(e->s, &u->src);
	const struct call_key key = key_of(u);
	const struct call_sides sides = {
		.in = from ? from->slot : LB_NONE,
		.out = gateway,
		.peer = LB_NONE,
		.counts_in = from && from->count_in,
		.listener = u->listener,
		.flow = u->src,
	};

	uint32_t i;

	call_let_go(&e->w->calls, &key, gateway);
	if (calls_room(&e->w->calls))
		word_take(&e->w->words->gateway[gateway]);
	i = call_open(&e->w->calls, &key, &sides, e->now);
	if (i != CALL_NONE)
		record_start(&e->w->records, i, NULL);
	return i;
}

static void count_accepted(struct event *e, const struct setup *u, unsigned i, bool first)
{
	const struct call_key key = key_of(u);
	uint16_t gateway = u->client[i].gateway;
	struct calls *c = &e->w->calls;
	uint32_t call = call_of(c, &key);

	if (call == CALL_NONE && first)
		call = count_late(e, u, gateway);
	if (call == CALL_NONE)
		return;
	if (c->at[call].state == CALL_SETUP)
		call_swap(c, call, &key, gateway, e->now);
	call_confirm(c, call, e->q->to_hash, e->q->session_s, e->now);
}

void count_response(struct event *e, struct setup *u, unsigned i, bool was_open)
{
	const struct call_key key = key_of(u);
	uint32_t call = call_of(&e->w->calls, &key);
	uint16_t status = e->q->status;

	if (status >= 300 && was_open && call != CALL_NONE)
		tell(e, u, i, call, status);
	if (status >= 300)
		call_let_go(&e->w->calls, &key, u->client[i].gateway);
	else if (status >= 200)
		count_accepted(e, u, i, was_open);
	else if (status > 100 && call != CALL_NONE)
		call_news(&e->w->calls, call, e->now);
}

void count_failed(struct event *e, struct setup *u, uint16_t status)
{
	const struct call_key key = key_of(u);
	uint32_t i = call_of(&e->w->calls, &key);
	bool cancelled = u->flags & SETUP_CANCELLED && status == 487;

	if (i == CALL_NONE)
		return;
	for (unsigned k = 0; k < u->n; k++)
		tell(e, u, k, i, left_by(e, &u->client[k]));
	call_fail(&e->w->calls, i, cancelled ? LB_END_CANCELLED : LB_END_FAILED, status,
		  client_is_open(&u->client[u->n - 1]), e->now);
}

/* ---- In dialog, and without a transaction of ours ---------------------------------------------------- */

static void count_pinned_invite(struct event *e, uint64_t identity)
{
	const struct lb_query *q = e->q;
	const struct call_key key = { q->call_hash, (uint32_t)q->from_hash, (uint32_t)identity };
	struct calls *c = &e->w->calls;
	uint32_t i = call_of(c, &key);

	if (i == CALL_NONE)
		return;
	if (q->status < 200) {
		call_news(c, i, e->now);
	} else if (q->status < 300) {
		call_confirm(c, i, q->to_hash, q->session_s, e->now);
	} else {
		record_try(&e->w->records, i, c->at[i].out, q->status);
		call_fail(c, i, q->status == 487 ? LB_END_CANCELLED : LB_END_FAILED, q->status, false,
			  e->now);
	}
}

void count_passed(struct event *e, const struct branch *b)
{
	const struct lb_query *q = e->q;
	uint32_t from = (uint32_t)q->from_hash;

	if (q->method == METHOD_BYE && q->status >= 200)
		call_bye_answered(&e->w->calls, q->call_hash, from, q->to_hash, q->status, e->now);
	if (q->method == METHOD_INVITE && b->kind == BRANCH_PINNED)
		count_pinned_invite(e, b->identity);
	if ((q->method == METHOD_INVITE || q->method == METHOD_UPDATE) && q->status / 100 == 2)
		call_refreshed(&e->w->calls, q->call_hash, from, q->to_hash, q->session_s, e->now);
}

/* True if the BYE of this dialog was met before; remembers it. */
static bool bye_was_met(struct event *e)
{
	const struct lb_query *q = e->q;
	const struct pin_key key = pin_key(q->call_hash, (uint32_t)q->from_hash ^ q->to_hash);
	struct pin pin = pin_find(&e->w->pins, key, METHOD_BYE, e->now);

	if (pin.b && pin.same)
		return true;
	if (pin_add(&e->w->pins, key, METHOD_BYE, (struct pin){ 0 }, LB_NONE, e->now,
		    BYE_MEMORY_PINS * e->w->pin_ns))
		st_inc(e->w->lane, ST_PIN_LOST);
	return false;
}

static uint32_t *survivors_at(struct event *e, const struct gateway *g)
{
	return g ? &e->w->words->gateway[g->slot].survivors : NULL;
}

static bool any(const uint32_t *survivors)
{
	return survivors && __atomic_load_n(survivors, __ATOMIC_RELAXED) > 0;
}

void count_bye(struct event *e, const struct token *token)
{
	const struct lb_query *q = e->q;
	bool known = call_bye(&e->w->calls, q->call_hash, (uint32_t)q->from_hash, q->to_hash, e->now);
	const struct gateway *from;
	uint32_t *out, *in;

	if (!token)
		return;
	from = token->flow.port ? gateway_at(e->s, &token->flow) : NULL;
	in = from && from->count_in ? survivors_at(e, from) : NULL;
	out = survivors_at(e, gateway_by_id(e->s, token->gateway));
	if ((!any(in) && !any(out)) || bye_was_met(e) || known)
		return;
	if (in)
		word_lower(in);
	if (out)
		word_lower(out);
	st_inc(e->w->lane, ST_SURVIVOR_ENDED);
}
