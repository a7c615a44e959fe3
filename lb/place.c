/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last steps of admission: what is new goes to a gateway that can take it, or is told no. Runs on the
 * worker that owns the Call-ID. What must stay true: whatever a new call has reserved belongs to its entry or
 * is given back before the message ends.
 */
#include "lb/decide.h"
#include "lb/pick.h"
#include "lb/refusal.h"

/* How the source wants to hear that there is no room. */
static enum lb_when_full when_full(const struct decision *d)
{
	if (d->q->oc_ask) /* RFC 7339 5.10: it slows itself */
		return LB_FULL_503;
	if (d->peer != LB_NONE)
		return d->s->peers[d->peer].when_full;
	return d->from ? LB_FULL_503 : LB_FULL_503_RETRY;
}

/* The part of the operator's limits, of 65536, that this request leaves to others. */
static uint32_t headroom(const struct decision *d)
{
	return d->urgent ? 0 : d->s->headroom;
}

/* Says no, in the way the source wants it, and remembers that. */
static bool refuse(struct decision *d, enum st_end end)
{
	const struct no no = no_room(&d->s->pools[d->pool], when_full(d), d->q->via_hash);

	return decision_refuse(d, no.status, no.retry_after_s, end);
}

bool place_drain(struct decision *d)
{
	uint32_t seconds = __atomic_load_n(&d->w->words->node.drain_retry_s, __ATOMIC_RELAXED);

	if (!seconds || (d->q->method != METHOD_INVITE && (d->q->method != METHOD_OPTIONS || !d->q->to_us)))
		return false;
	return decision_refuse(d, 503, retry_after(seconds, 2 * seconds, d->q->via_hash), ST_REPLY_DRAINING);
}

/* True for a call that comes again, with credentials or away from a gateway that is down. */
static bool came_before(const struct decision *d)
{
	if (d->pin.b && (d->pin.same || d->pin.b->flags[d->pin.i] & PIN_FINAL))
		return true;
	return d->setup && d->setup->state != SERVER_PROCEEDING;
}

bool place_limit_peer(struct decision *d)
{
	uint16_t slot = d->peer == LB_NONE ? LB_NONE : d->s->peers[d->peer].slot;
	bool invite = d->q->method == METHOD_INVITE;
	struct peer_word *word;

	if (slot == LB_NONE || (invite && came_before(d)))
		return false;
	word = &d->w->words->peer[slot];
	if (invite ? bucket_take_within(&word->cps, d->now, headroom(d)) : bucket_take(&word->rps, d->now))
		return false;
	st_peer_inc(d->w->lane, slot, ST_PEER_LIMITED);
	return refuse(d, ST_REPLY_PEER_LIMIT);
}

/* The gateway that had the call before, or NULL. */
static const struct gateway *had_before(const struct decision *d)
{
	if (d->setup)
		return setup_gateway(d->s, d->setup);
	return d->pin.b ? gateway_by_slot(d->s, d->pin.b->gateway[d->pin.i]) : NULL;
}

/* The gateway of the call that this one is to replace (RFC 3891), as far as that is known here, or NULL. */
static const struct gateway *replaced(const struct decision *d)
{
	uint16_t slot = call_gateway(&d->w->calls, d->q->replaces);

	return slot == LB_NONE ? pick_ideal(d->s, d->pool, d->q->replaces) : gateway_by_slot(d->s, slot);
}

/* The gateway for a new request: the one that had the call before, if it can, so that its nonce is good. */
static const struct gateway *choose(struct decision *d)
{
	struct pick p =
		pick_for_request(d->e, d->q->method == METHOD_INVITE ? ASK_CALL : ASK_REQUEST, d->urgent);
	const struct gateway *had = had_before(d);

	p.trail = d->w->trail ? &d->trail : NULL;
	if (!had && d->q->replaces)
		had = replaced(d);
	if (had && had->pool == d->pool && pick_take(&p, had))
		return had;
	return pick_or_spill(&p, d->s, d->pool);
}

/* RFC 3261 8.3: the caller is to go to g himself. Without state, so that he is told the same again. */
static bool send_to(struct decision *d, const struct gateway *g)
{
	decision_answer(d, 302, ST_REPLY_REDIRECT);
	d->act->contact = g->addr;
	return true;
}

/* A new call to g in transactions of ours. False: there is no room for them. */
static bool set_up(struct decision *d, const struct gateway *g, unsigned moves, bool notify)
{
	struct event *e = d->e;
	struct setup *u = invite_admit(e, when_full(d));

	if (!u)
		return false;
	u->moves = moves;
	u->flags |= d->urgent ? SETUP_URGENT : 0;
	u->flags |= g->pool != d->pool ? SETUP_SPILLED : 0;
	u->origin = signal_origin(d->q->number, d->peer);
	if (notify && !(u->flags & SETUP_RELIABLE))
		server_answer(e, u, 181, 0);
	client_add(e, u, g);
	invite_close(e, u);
	client_request(e, u, 0, act_add(e, LB_FORWARD, ST_FWD_REQUEST));
	budget_earn(&d->w->words->pool[g->pool], d->s->pools[g->pool].budget_permille);
	return true;
}

/* The same without them: the pin alone knows where the request went. */
static bool send_pinned(struct decision *d, const struct gateway *g)
{
	bool invite = d->q->method == METHOD_INVITE;
	struct lb_worker *w = d->w;

	if (invite)
		st_gateway_inc(w->lane, g->slot, ST_GW_CALLS);
	if (pin_add(&w->pins, d->key, d->q->via_hash, d->pin, g->slot, d->now,
		    invite ? w->ringing_ns : w->pin_ns, PIN_OC * d->q->oc_ask))
		st_inc(w->lane, ST_PIN_LOST);
	return decision_forward(d, BRANCH_PINNED, g);
}

bool place_new(struct decision *d)
{
	bool invite = d->q->method == METHOD_INVITE, notify = false;
	uint16_t peer = d->peer == LB_NONE ? LB_NONE : d->s->peers[d->peer].slot;
	unsigned moves = invite ? redirect_always(d->s, d->q->number, &d->pool, &notify) : 0;
	const struct gateway *g;

	if (invite && d->s->pools[d->pool].redirect) {
		const struct pick p = pick_for_request(d->e, ASK_STATE, false);

		g = pick(&p, d->s, d->pool);
		return g ? send_to(d, g) : refuse(d, ST_REPLY_REFUSED);
	}
	if (invite && !count_peer(d->e, peer, headroom(d))) {
		st_peer_inc(d->w->lane, peer, ST_PEER_LIMITED);
		return refuse(d, ST_REPLY_PEER_LIMIT);
	}
	g = choose(d);
	if (!g) {
		if (invite)
			count_no_call(d->e, peer);
		if (peer != LB_NONE)
			st_peer_inc(d->w->lane, peer, ST_PEER_REFUSED);
		return refuse(d, ST_REPLY_REFUSED);
	}
	st_inc(d->w->lane, ST_PICKED);
	if (!invite)
		return send_pinned(d, g);
	count_call(d->e, d->from, peer, g);
	return set_up(d, g, moves, notify) || send_pinned(d, g);
}
