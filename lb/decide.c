/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The decision about one message. A request goes down the list `steps` below until one of them decides; the
 * list is the order of admission, so read it first. The last steps, for what is new, are in place.c;
 * responses are in respond.c. Four things tell where a request belongs, the surest first:
 *   token   in the message itself: gateway and caller of its dialog (token.c)
 *   setup   an INVITE with its transactions, until it has its final and ACK (call/setup.h)
 *   pin     which gateway a Call-ID and From tag got, for a while (choose/pin.h); the memo is the same for
 *           refusals (admit/memo.h)
 *   call    a counted call, with the flow that it came from (call/calls.h)
 * Runs on the worker that owns the Call-ID. What must stay true: nobody unknown is ever answered unless the
 * operator wants it, an ACK never is, and a repeated request gets what the first one got.
 */
#include "lb/decide.h"
#include "lb/admit/oc.h"
#include "lb/choose/peers.h"
#include "lb/choose/pick.h"
#include "lb/choose/routes.h"

#define METHOD_BIT(method) (1u << (method))

/* Requests that make a dialog, which then needs our Record-Route. */
#define DIALOG_FORMING                                                                                       \
	(METHOD_BIT(METHOD_INVITE) | METHOD_BIT(METHOD_SUBSCRIBE) | METHOD_BIT(METHOD_REFER) |               \
	 METHOD_BIT(METHOD_NOTIFY) | METHOD_BIT(METHOD_UPDATE))

/* Requests that change what is known of a counted call. */
#define CALL_CHANGING (METHOD_BIT(METHOD_BYE) | METHOD_BIT(METHOD_ACK) | METHOD_BIT(METHOD_CANCEL))

static bool finish(struct decision *d, enum lb_op op, enum st_end end)
{
	act_set(d->act, op, end);
	return true;
}

/* True for what must have the branch that its INVITE had (RFC 3261 9.1, 17.1.1.3). */
static bool is_of_invite(const struct lb_query *q)
{
	return q->method == METHOD_ACK || q->method == METHOD_CANCEL;
}

/* Sends the request on. to: the gateway it goes to, or NULL; dst and listener: how it gets there. */
static bool forward(struct decision *d, enum branch_kind kind, const struct gateway *to,
		    const struct addr *dst, uint8_t listener)
{
	const struct lb_query *q = d->q;
	struct branch b = {
		.kind = kind,
		.oc = d->oc_ask,
		.listener = d->s->listener_id[q->listener],
		.gateway = to ? to->id : 0,
		.loop = q->loop_hash,
		.identity = q->via_hash,
	};

	act_set(d->act, LB_FORWARD, ST_FWD_REQUEST);
	d->act->dst = *dst;
	d->act->listener = listener;
	d->act->branch_n = branch_write(&d->s->keys, &b, q->call_hash, &q->reply_to, d->act->branch);
	d->act->oc_ask = oc_ask(to);
	if (to && q->has_to_tag)
		word_charge(d->w->words, to->slot, d->now);
	if (to) {
		d->act->gateway = to->slot;
		st_gateway_inc(d->w->lane, to->slot, ST_GW_REQUESTS);
	}
	return true;
}

bool decision_forward(struct decision *d, enum branch_kind kind, const struct gateway *to)
{
	const struct lb_query *q = d->q;

	forward(d, kind, to, &to->addr, to->listener);
	d->act->towards = 1;
	if (!q->has_to_tag && (METHOD_BIT(q->method) & DIALOG_FORMING)) {
		struct token t = {
			.gateway = to->id,
			.caller = (uint32_t)q->from_hash,
			.node = d->s->node,
			.listener = d->s->listener_id[q->listener],
			.flow = q->src,
		};

		d->act->token_n = token_write(&d->s->keys, &t, q->call_hash, d->act->token);
	}
	return true;
}

/*
 * A literal next hop counts only where we may send to anyway, and can from the listener that the caller uses;
 * else the flow on which the caller called.
 */
static bool forward_to_caller(struct decision *d, const struct token *t)
{
	const struct lb_query *q = d->q;
	bool literal = q->next.port && q->next.v6 == t->flow.v6;
	const struct gateway *to = literal ? gateway_at(d->s, &q->next) : NULL;
	uint8_t listener = d->s->listener_of[t->listener];

	if (listener == LISTENER_NONE)
		return decision_reply(d, 481, route_reason(481), ST_REPLY_GONE, ST_ABSORB_ACK);
	if (to || (literal && peer_at(d->s, &q->next) != LB_NONE))
		return forward(d, BRANCH_STATELESS, to, &q->next, listener);
	if (t->flow.port == 0)
		return finish(d, LB_DROP, ST_DROP_NO_TARGET);
	return forward(d, BRANCH_STATELESS, gateway_at(d->s, &t->flow), &t->flow, listener);
}

/* Fills *status with 0, or with what is wrong with the request as such, and *end with how that is counted. */
static uint16_t what_is_wrong(const struct lb_query *q, enum st_end *end, const char **reason)
{
	if (q->fault) {
		*end = q->fault == 483 ? ST_REPLY_HOPS : q->fault == 440 ? ST_REPLY_BREADTH : ST_REPLY_ERROR;
		*reason = q->fault_reason;
		return q->fault;
	}
	if (!q->looped)
		return 0;
	*end = ST_REPLY_LOOP;
	*reason = route_reason(482);
	return 482;
}

/* ---- The steps: each true if it has decided ---------------------------------------------------------- */

static bool note_source(struct decision *d)
{
	d->from = gateway_at(d->s, &d->q->src);
	d->peer = peer_at(d->s, &d->q->src);
	if (d->from) {
		st_gateway_inc(d->w->lane, d->from->slot, ST_GW_REQUESTS_FROM);
		word_hear(&d->w->words->gateway[d->from->slot], d->now);
	}
	if (d->peer != LB_NONE)
		st_peer_inc(d->w->lane, d->s->peers[d->peer].slot, ST_PEER_REQUESTS);
	return false;
}

/*
 * True if the request cannot be in the dialogs of its token: every such request names the caller's tag, in
 * From or in To (RFC 3261 12.2.1.1). A caller from before RFC 3261 has none, and then nothing is sure.
 */
static bool names_neither_side(const struct decision *d)
{
	const struct lb_query *q = d->q;
	uint32_t to = q->to_hash;

	if ((uint32_t)q->from_hash == d->token.caller || d->token.caller == 0)
		return false;
	if (to == 0)
		to = (uint32_t)lb_hash(lb_snapshot_key(d->s), q->to_tag.p, q->to_tag.n);
	return to != d->token.caller;
}

/* A call that has a token: no source check, no route, no limit. */
static bool follow_token(struct decision *d)
{
	const struct lb_query *q = d->q;
	const struct gateway *g;
	const char *reason;
	enum st_end end;
	const struct token *t = &d->token;
	uint16_t wrong;

	if (!q->has_to_tag || q->token.n == 0)
		return false;
	if (!token_read(&d->s->keys, q->token, q->call_hash, &d->token)) {
		st_inc(d->w->lane, ST_TOKEN_BAD);
		return false;
	}
	st_inc(d->w->lane, ST_TOKENED);
	d->has_token = true;
	wrong = what_is_wrong(q, &end, &reason);
	if (wrong)
		return decision_reply(d, wrong, reason, end, ST_DROP_ACK_FAULTY);
	if (names_neither_side(d))
		return decision_reply(d, 481, route_reason(481), ST_REPLY_GONE, ST_DROP_ACK_NOWHERE);
	if ((uint32_t)q->from_hash != t->caller)
		return forward_to_caller(d, t);
	g = gateway_by_id(d->s, t->gateway);
	if (!g)
		return decision_reply(d, 481, route_reason(481), ST_REPLY_GONE, ST_ABSORB_ACK);
	forward(d, BRANCH_STATELESS, g, &g->addr, g->listener);
	d->act->towards = 1;
	return true;
}

/* An INVITE that Weir has in hand already, its CANCEL, or the ACK to its final: outside all limits. */
static bool join_setup(struct decision *d)
{
	const struct lb_query *q = d->q;
	struct setup *u;

	if (q->method != METHOD_INVITE && !is_of_invite(q))
		return false;
	if (q->has_to_tag != (q->method == METHOD_ACK) || q->fault)
		return false;
	u = setup_find(&d->w->setups, q);
	return u && invite_request(d->e, u);
}

/*
 * ACK to a reply of our own: it goes no further (RFC 3261 8.2.7). One with our tag is known at any age, and
 * the first of them to a refusal shows that its source is real; one with another tag by its branch (17.2.3),
 * as long as the refusal is remembered.
 */
static bool absorb_own_ack(struct decision *d)
{
	const struct memo_key key = memo_key(d->q);
	struct memory before;

	if (d->q->method != METHOD_ACK || !d->q->has_to_tag)
		return false;
	if (tag_is_ours(&d->s->keys, d->q)) {
		if (memo_acked(d->w->memo, key, d->now))
			source_proved(d->w->sources, &d->s->hash_key, &d->q->src, decision_known(d), d->now);
		return finish(d, LB_ABSORB, ST_ABSORB_ACK);
	}
	before = memo_find(d->w->memo, key, d->now);
	d->refused_before = before.r && !before.same;
	return before.same && finish(d, LB_ABSORB, ST_ABSORB_ACK);
}

static bool require_known_source(struct decision *d)
{
	if (decision_known(d) || d->s->unknown == LB_UNKNOWN_ALLOW)
		return false;
	if (d->s->unknown == LB_UNKNOWN_DROP || d->q->method == METHOD_ACK)
		return finish(d, LB_DROP, ST_DROP_UNKNOWN_SOURCE);
	return decision_answer(d, 403, ST_REPLY_UNKNOWN);
}

/*
 * OPTIONS to Weir goes no further, so it does not matter how much further it could have gone. Other methods
 * to our address are routed: the Request-URI of a REGISTER is a domain, often the one that points at us.
 */
static bool answer_for_ourselves(struct decision *d)
{
	const struct lb_query *q = d->q;

	if (!q->to_us || q->method != METHOD_OPTIONS || (q->fault && q->fault != 483 && q->fault != 420))
		return false;
	if (lb_is_draining(d->w->words))
		return place_drain(d);
	return decision_reply(d, 200, "OK", ST_REPLY_OPTIONS, ST_DROP_ACK_NOWHERE);
}

static bool refuse_faulty(struct decision *d)
{
	const char *reason;
	enum st_end end;
	uint16_t wrong = what_is_wrong(d->q, &end, &reason);

	return wrong && decision_reply(d, wrong, reason, end, ST_DROP_ACK_FAULTY);
}

/*
 * Repetitions, CANCEL, ACK and whatever comes with a To tag but without token follow the pin, outside all
 * limits. Only from a gateway that is down and has never answered a repetition may move on. INVITEs have pins
 * only where they found no room for transactions.
 */
static bool follow_pin(struct decision *d)
{
	const struct lb_query *q = d->q;
	const struct gateway *g;

	d->key = pin_key(q->call_hash, q->from_hash);
	if (q->method != METHOD_INVITE || d->w->invites_pinned)
		d->pin = pin_find(&d->w->pins, d->key, q->via_hash, d->now);
	if (!d->pin.b || q->method == METHOD_INVITE)
		d->setup = setup_of_call(&d->w->setups, q->call_hash, q->from_hash);
	if (!d->pin.b || (!d->pin.same && !q->has_to_tag && !is_of_invite(q)))
		return false;
	g = gateway_by_slot(d->s, d->pin.b->gateway[d->pin.i]);
	if (!g)
		return false;
	if (!q->has_to_tag && !is_of_invite(q) && !(d->pin.b->flags[d->pin.i] & PIN_ANSWERED) &&
	    word_down(&d->w->words->gateway[g->slot]))
		return false;
	st_inc(d->w->lane, ST_PINNED);
	if (is_of_invite(q)) /* the branch is that of the INVITE */
		d->oc_ask = d->pin.b->flags[d->pin.i] / PIN_OC;
	return decision_forward(d, BRANCH_PINNED, g);
}

/* What has a To tag and no token goes where the call of the same Call-ID and From tag went, while that is
 * known. */
static bool follow_setup(struct decision *d)
{
	const struct gateway *g = d->setup ? setup_gateway(d->s, d->setup) : NULL;

	if (!g || !d->q->has_to_tag)
		return false;
	st_inc(d->w->lane, ST_PINNED);
	return decision_forward(d, BRANCH_STATELESS, g);
}

/*
 * A gateway that ignores Record-Route sends without token what belongs to a call that it took: back to where
 * that came from.
 */
static bool follow_call(struct decision *d)
{
	const struct lb_query *q = d->q;
	struct addr flow;
	uint8_t listener;

	if (!d->from || !q->has_to_tag || q->token.n ||
	    call_back(&d->w->calls, q->call_hash, q->to_hash, (uint32_t)q->from_hash, &flow, &listener) !=
		    d->from->slot)
		return false;
	st_inc(d->w->lane, ST_PINNED);
	return forward(d, BRANCH_STATELESS, gateway_at(d->s, &flow), &flow, listener);
}

/*
 * Inside a dialog, or a CANCEL, but nothing is known of it. A peer's max-rps bounds what may be guessed about
 * such requests and sent on, so that neither is a way past all limits.
 */
static bool limit_stray(struct decision *d)
{
	uint16_t slot = d->peer == LB_NONE ? LB_NONE : d->s->peers[d->peer].slot;

	if ((!d->q->has_to_tag && d->q->method != METHOD_CANCEL) || slot == LB_NONE ||
	    bucket_take(&d->w->words->peer[slot].rps, d->now))
		return false;
	st_peer_inc(d->w->lane, slot, ST_PEER_LIMITED);
	return decision_reply(d, 500, route_reason(500), ST_REPLY_PEER_LIMIT, ST_DROP_ACK_NOWHERE);
}

/*
 * Inside a dialog, but nothing is known of it: a gateway's other side cannot be guessed, a caller's can. A
 * call that was refused has none.
 */
static bool refuse_lost_dialog(struct decision *d)
{
	if (d->q->method == METHOD_ACK && (!d->q->has_to_tag || d->refused_before))
		return finish(d, LB_DROP, ST_DROP_ACK_NOWHERE);
	if (!d->q->has_to_tag || d->peer != LB_NONE || !d->from)
		return false;
	return decision_reply(d, 481, route_reason(481), ST_REPLY_GONE, ST_DROP_ACK_NOWHERE);
}

/* No pool is for the request. That of an INVITE is remembered: its ACK shows that the source is real. */
static bool answer_by_route(struct decision *d, uint16_t status, enum st_end end)
{
	return d->q->method == METHOD_INVITE && !d->q->has_to_tag ? decision_refuse(d, status, 0, end)
								  : decision_answer(d, status, end);
}

static bool take_route(struct decision *d)
{
	const struct route *r = route_find(d->s, d->q, d->peer, d->from);

	if (!r && d->q->has_to_tag) /* not the user is unknown, but the dialog (RFC 3261 12.2.1.2) */
		return decision_reply(d, 481, route_reason(481), ST_REPLY_GONE, ST_DROP_ACK_NOWHERE);
	if (!r)
		return answer_by_route(d, 404, ST_REPLY_NO_ROUTE);
	if (r->pool == LB_NONE)
		return answer_by_route(d, r->answer, ST_REPLY_ROUTE);
	d->pool = r->pool;
	return false;
}

/*
 * What belongs to an earlier request of which nothing is known goes where that went if all was well. There is
 * no max-rps of those who are no peer and no gateway, so theirs are bounded by that of the gateway.
 */
static bool follow_hash(struct decision *d)
{
	const struct gateway *g;

	if (!d->q->has_to_tag && d->q->method != METHOD_CANCEL)
		return false;
	g = pick_ideal(d->s, d->pool, d->q->call_hash);
	if (!g)
		return decision_reply(d, 481, route_reason(481), ST_REPLY_GONE, ST_DROP_ACK_NOWHERE);
	if (!decision_known(d) && !bucket_take(&d->w->words->gateway[g->slot].rps, d->now)) {
		st_gateway_inc(d->w->lane, g->slot, ST_GW_SKIPPED_RPS);
		return decision_reply(d, 500, route_reason(500), ST_REPLY_REFUSED, ST_DROP_ACK_NOWHERE);
	}
	st_inc(d->w->lane, ST_PICKED);
	return decision_forward(d, is_of_invite(d->q) ? BRANCH_SETUP : BRANCH_STATELESS, g);
}

/* The order of admission. The last step always decides. */
static bool (*const steps[])(struct decision *) = {
	note_source,          /* who asks */
	follow_token,         /* in a dialog that we know by its token */
	join_setup,           /* a call that we are setting up: once more, its end, its CANCEL */
	absorb_own_ack,       /* the end of a refusal */
	require_known_source, /* before any answer: nobody unknown gets reflections */
	answer_for_ourselves, /* OPTIONS to Weir */
	refuse_faulty,        /* syntax, hops, loops */
	answer_again,         /* answered before: the same again */
	follow_pin,           /* sent on before: there again */
	follow_setup,         /* in a dialog without token whose set-up is known */
	follow_call,          /* in a dialog without token, from the gateway that has its call */
	limit_stray,          /* of a dialog or an INVITE that nobody knows: may this peer ask so often? */
	refuse_lost_dialog,   /* in a dialog that nobody can place */
	take_route,           /* which pool, or which answer */
	follow_hash,          /* in a dialog, or a CANCEL, that the hash may still place */
	place_urgent,         /* new: an emergency, or a priority that is believed? */
	place_drain,          /* new: while the node drains, only what is urgent */
	place_limit_peer,     /* new: may this peer call now? */
	place_new,            /* which gateway can take it, else no */
};

/* Into the trail; `end` is the action that ended the message. */
static void note_decision(struct decision *d, const struct lb_act *end)
{
	d->trail.when = d->now;
	d->trail.tag = lb_call_tag(d->q->call_hash);
	d->trail.pool = d->pool;
	d->trail.gateway = end->gateway;
	d->trail.end = end->end;
	d->trail.urgent = d->urgent;
	trail_add(d->w, &d->trail);
}

unsigned lb_input(struct lb_worker *w, const struct lb_snapshot *s, const struct lb_query *q, uint64_t now,
		  struct lb_act *acts)
{
	struct event e = { .w = w, .s = s, .q = q, .now = now, .acts = acts };
	struct decision d = {
		.w = w, .s = s, .q = q, .now = now, .e = &e, .act = acts, .peer = LB_NONE, .oc_ask = q->oc_ask
	};

	if (q->lost) {
		came_back(&e);
		return e.n;
	}
	if (!q->request) {
		respond(&e);
		return e.n;
	}
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i](&d))
			break;
	}
	if (d.is_new && w->trail)
		note_decision(&d, &acts[e.n ? e.n - 1 : 0]);
	if (METHOD_BIT(q->method) & CALL_CHANGING)
		count_request(&e, d.act->op, d.has_token ? &d.token : NULL);
	return e.n ? e.n : 1;
}
