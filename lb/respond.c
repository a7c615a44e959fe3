/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Responses, and the texts that let Weir know its own again. A response goes where its Via says, if the
 * branch is ours and was made for just that (RFC 3261 16.11); what it tells of its gateway goes into the
 * gateway's cells and the pin of its request. Runs on the worker that owns the Call-ID.
 */
#include "lb/call/invite.h"
#include "lb/admit/oc.h"
#include "lb/choose/peers.h"
#include "lb/worker.h"

/* Tells the pin what became of its request. */
static void note_pin(struct lb_worker *w, const struct lb_query *q, const struct gateway *g,
		     const struct branch *b, uint64_t now)
{
	struct pin pin = pin_find(&w->pins, pin_key(q->call_hash, q->from_hash), b->identity, now);
	uint8_t *flags;

	if (!pin.b || !pin.same || pin.b->gateway[pin.i] != g->slot)
		return;
	flags = &pin.b->flags[pin.i];
	if (!(*flags & PIN_ANSWERED))
		st_hist_add(&w->lane->gateways[g->slot].response, pin_age(pin, now));
	*flags |= q->status >= 200 ? PIN_ANSWERED | PIN_FINAL : PIN_ANSWERED;
	*flags |= is_challenge(q->status) ? PIN_CHALLENGED : 0;
	pin_extend(pin, now, q->method == METHOD_INVITE && !(*flags & PIN_FINAL) ? w->ringing_ns : w->pin_ns);
	if (q->method == METHOD_INVITE)
		note_invite_pin(w, now);
}

/* What a gateway's message says about the gateway. */
static void note_gateway(struct event *e, const struct gateway *g)
{
	st_gateway_inc(e->w->lane, g->slot, ST_GW_RESPONSES_1XX + e->q->status / 100 - 1);
	word_hear(&e->w->words->gateway[g->slot], e->now);
}

/* On by its Via; b is its branch, g the gateway that sent it, or NULL. */
static void pass_on(struct event *e, const struct branch *b, const struct gateway *g)
{
	struct lb_act *act = act_add(e, LB_FORWARD, ST_FWD_RESPONSE);

	act->gateway = g ? g->slot : LB_NONE;
	act->dst = e->q->via_to;
	act->listener = b->listener;
	oc_tell(act, b->oc, e->w->words, e->s, &act->dst);
}

/* True for a refusal of a branch that was left, when another one has brought the call meanwhile. */
static bool is_overtaken(const struct event *e, const struct branch *b)
{
	const struct call_key key = call_key_of(e->q->call_hash, e->q->from_hash, b->identity, e->q->cseq);
	const struct calls *c = &e->w->calls;
	uint32_t i = e->q->status >= 300 ? call_of(c, &key) : CALL_NONE;

	return i != CALL_NONE && call_entry(c, i)->state == CALL_ANSWERED;
}

/*
 * To a transaction of ours. A final response whose transaction is gone goes on by its Via: a deviation from
 * RFC 6026 8.6, whose reason the MAC in the branch takes away; but the caller of an answered call hears of no
 * refusal.
 */
static void respond_to_setup(struct event *e, const struct branch *b, const struct gateway *g)
{
	struct setup *u;

	switch (setup_of_response(&e->w->setups, e->q, b->identity, &u)) {
	case SETUP_FITS:
		if (b->attempt < u->n && (e->q->method == METHOD_INVITE || e->q->method == METHOD_CANCEL)) {
			invite_response(e, u, b->attempt);
			return;
		}
		break;
	case SETUP_OTHER_CSEQ:
		break;
	case SETUP_UNKNOWN:
		if (e->q->status >= 200 && !is_overtaken(e, b))
			pass_on(e, b, g);
		else
			act_add(e, LB_DROP, ST_DROP_RESPONSE_LATE);
		return;
	}
	act_add(e, LB_DROP, ST_DROP_RESPONSE_CSEQ);
}

/*
 * Where the branch says that responses go: to the next Via. Under the answer to a CANCEL of ours there is
 * none; its branch is that of the INVITE, made for the caller.
 */
static struct addr responses_to(const struct event *e)
{
	const struct lb_query *q = e->q;
	struct addr to = q->via_to;
	struct setup *u;
	struct branch b;

	if (q->via_to.port == 0 && q->method == METHOD_CANCEL && branch_parse(q->branch, &b) &&
	    setup_of_response(&e->w->setups, q, b.identity, &u) == SETUP_FITS)
		setup_reply_to(u, &to);
	return to;
}

void respond(struct event *e)
{
	const struct lb_query *q = e->q;
	const struct addr to = responses_to(e);
	const struct gateway *g;
	struct branch b;

	/* Without the address that its MAC covers, a branch cannot be verified; a probe's covers none. */
	if (to.port == 0 && branch_parse(q->branch, &b) && b.kind != BRANCH_PROBE) {
		act_add(e, LB_DROP, ST_DROP_RESPONSE_NO_VIA);
		return;
	}
	switch (branch_read(&e->s->keys, q->branch, q->call_hash, &to, &b)) {
	case BRANCH_NONE:
		act_add(e, LB_DROP, ST_DROP_RESPONSE_NOT_OURS);
		return;
	case BRANCH_FORGED:
		act_add(e, LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
		return;
	case BRANCH_OK:
		break;
	}
	b.listener = e->s->listener_of[b.listener];
	if (b.listener == LISTENER_NONE) {
		act_add(e, LB_DROP, ST_DROP_NO_ROUTE);
		return;
	}
	g = gateway_by_id(e->s, b.gateway);
	if (g && q->oc.algo)
		oc_hear(e->w, g, &q->oc, e->now);
	if (b.kind == BRANCH_PROBE) {
		act_add(e, LB_TO_CONTROL, ST_TO_CONTROL)->gateway = g ? g->slot : LB_NONE;
		return;
	}
	if (g)
		note_gateway(e, g);
	if (b.kind == BRANCH_SETUP) {
		respond_to_setup(e, &b, g);
		return;
	}
	pass_on(e, &b, g);
	count_passed(e, &b);
	if (g && b.kind == BRANCH_PINNED && q->method != METHOD_CANCEL)
		note_pin(e->w, q, g, &b, e->now);
}

/* The call of a branch that is waited for and went to the address that the INVITE came back from, or NULL. */
static struct setup *open_setup(const struct event *e, const struct branch *b)
{
	struct setup *u;

	if (b->kind != BRANCH_SETUP ||
	    setup_of_response(&e->w->setups, e->q, b->identity, &u) == SETUP_UNKNOWN || b->attempt >= u->n)
		return NULL;
	if (!(u->client[b->attempt].flags & CLIENT_LISTED) ||
	    !addr_eq(&u->client[b->attempt].dst, &e->q->src))
		return NULL;
	return u;
}

void came_back(struct event *e)
{
	const struct lb_query *q = e->q;
	struct setup *u = NULL;
	struct branch b;

	if (branch_read(&e->s->keys, q->branch, q->call_hash, &q->via_to, &b) == BRANCH_OK)
		u = open_setup(e, &b);
	e->q = NULL; /* it says nothing else */
	if (u) {
		struct client *c = &u->client[b.attempt];

		c->flags |= CLIENT_BOUNCED;
		signal_add(signal_of(e->w->signals, c->gateway, e->now)->bounced, 1);
		invite_down(e, u, b.attempt);
	}
	act_add(e, u ? LB_ABSORB : LB_DROP, u ? ST_ABSORB_ICMP : ST_DROP_ICMP);
}

int lb_branch_loop(struct str branch, uint32_t *loop)
{
	struct branch b;

	if (!branch_parse(branch, &b))
		return 0;
	*loop = b.loop;
	return 1;
}

unsigned lb_probe_branch(const struct lb_snapshot *s, uint32_t gateway_id, uint8_t listener,
			 uint64_t call_hash, char out[LIMIT_BRANCH])
{
	struct branch b = {
		.kind = BRANCH_PROBE,
		.listener = s->listener_id[listener],
		.gateway = gateway_id,
		.identity = call_hash,
	};

	return branch_write(&s->keys, &b, call_hash, NULL, out);
}

void lb_reply_own(struct lb_worker *w, const struct lb_snapshot *s, const struct lb_query *q, uint64_t now,
		  struct lb_act *act)
{
	const struct call_key key = call_key(q);
	uint32_t i = q->method == METHOD_INVITE && !q->has_to_tag ? call_of(&w->calls, &key) : CALL_NONE;

	if (i != CALL_NONE)
		call_fail(&w->calls, i, LB_END_FAILED, act->status, false, now);
	oc_tell(act, q->oc_ask, w->words, s, &q->src);
	act->to_tag_n = q->has_to_tag ? 0 : tag_write(&s->keys, q, act->to_tag);
}
