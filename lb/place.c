/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The last steps of admission: what is new goes to a gateway that can take it, or is told no. Runs on the
 * worker that owns the Call-ID. What must stay true: whatever a new call has reserved belongs to its entry or
 * is given back before the message ends.
 */
#include "lb/decide.h"
#include "lb/choose/pick.h"
#include "lb/admit/refusal.h"

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

/* Notes where all workers see it that the pool is short of `what`: bits of enum shortage. */
static void note_short(const struct decision *d, unsigned what)
{
	uint8_t *shortage = &d->w->words->pool[d->pool].shortage;

	if ((__atomic_load_n(shortage, __ATOMIC_RELAXED) & what) != what)
		__atomic_fetch_or(shortage, (uint8_t)what, __ATOMIC_RELAXED);
}

/* Says no, in the way the source wants it, and remembers that. */
static bool refuse(struct decision *d, enum st_end end)
{
	struct told_cell *told = &d->w->told[d->pool];
	bool lacks = end != ST_REPLY_PEER_LIMIT;
	const struct no no =
		no_room(&d->s->pools[d->pool], &d->w->words->pool[d->pool], when_full(d), d->q->via_hash);

	decision_refuse(d, no.status, no.retry_after_s, end);
	note_short(d, lacks ? SHORT_FOR_SOME | SHORT_REFUSES : SHORT_FOR_SOME);
	share_add(told->refused, 1);
	share_add(told->lacked, lacks);
	share_add(told->told, d->act->op == LB_REPLY && no.retry_after_s);
	return true;
}

bool place_drain(struct decision *d)
{
	uint32_t seconds = __atomic_load_n(&d->w->words->node.drain_retry_s, __ATOMIC_RELAXED);

	if (!seconds || d->urgent ||
	    (d->q->method != METHOD_INVITE && (d->q->method != METHOD_OPTIONS || !d->q->to_us)))
		return false;
	return decision_refuse(d, 503, retry_after(seconds, 2 * seconds, d->q->via_hash), ST_REPLY_DRAINING);
}

/*
 * True if the gateway that had the call before asked for credentials, and here they are: a new transaction
 * with the next CSeq (RFC 3261 22.2), which the branch of another fork has not. A pin knows no CSeq.
 */
static bool has_credentials(const struct decision *d)
{
	const struct setup *u = d->setup;

	if (u)
		return u->state != SERVER_PROCEEDING && u->cseq != d->q->cseq &&
		       setup_again(u)->flags & CLIENT_CHALLENGED;
	return d->pin.b && !d->pin.same && d->pin.b->flags[d->pin.i] & PIN_CHALLENGED;
}

bool place_came_before(const struct decision *d)
{
	if (d->pin.b && d->pin.same)
		return true;
	return has_credentials(d) &&
	       !(d->setup ? d->setup->flags & SETUP_AGAIN : d->pin.b->flags[d->pin.i] & PIN_AGAIN);
}

bool place_limit_peer(struct decision *d)
{
	uint16_t slot = d->peer == LB_NONE ? LB_NONE : d->s->peers[d->peer].slot;
	bool invite = d->q->method == METHOD_INVITE;
	struct peer_word *word;

	if (slot == LB_NONE || (invite ? place_came_before(d) : d->pin.b && d->pin.same))
		return false;
	word = &d->w->words->peer[slot];
	if (invite ? bucket_take_within(&word->cps, d->now, headroom(d)) : bucket_take(&word->rps, d->now))
		return false;
	st_peer_inc(d->w->lane, slot, ST_PEER_LIMITED);
	return refuse(d, ST_REPLY_PEER_LIMIT);
}

/* ---- Shares ------------------------------------------------------------------------------------------ */

/* The pair of the pool and the caller. */
static uint64_t pair(const struct decision *d, uint16_t pool)
{
	uint16_t who = d->from ? SHARE_GATEWAYS : SHARE_STRANGERS;

	if (d->peer != LB_NONE)
		who = d->s->peers[d->peer].slot;
	return share_key(d->s->pools[pool].id, who);
}

/*
 * What the caller may have of the pool. *share: the pair that the call counts in, or SHARE_NONE. take: it is
 * taken; else nobody can have anything, and this is only counted.
 */
static enum share_grant ask_share(struct decision *d, bool take, uint16_t *share)
{
	uint8_t shortage = __atomic_load_n(&d->w->words->pool[d->pool].shortage, __ATOMIC_RELAXED);
	struct shares *t = &d->w->words->shares;
	bool anyway = d->urgent || place_came_before(d);

	*share = SHARE_NONE;
	if (take && count_known(d->e)) /* it has its place */
		return SHARE_PLACE;
	*share = anyway && take ? share_enter(t, pair(d, d->pool)) : share_of(t, pair(d, d->pool));
	if (*share == SHARE_NONE)
		st_inc(d->w->lane, ST_SHARE_LOST);
	if (*share == SHARE_NONE || anyway)
		return SHARE_PLACE;
	if (!d->refused_before)
		share_add(d->w->shares[*share].demand, 1);
	if (!take)
		return share_look(&t->at[*share], &d->w->shares[*share], shortage, d->now);
	return share_take(&t->at[*share], &d->w->shares[*share], shortage, d->now);
}

/* True if a gateway of the pool, drawn by the call's hash, has no place left. */
static bool lacks_places(const struct decision *d)
{
	const struct pool *p = &d->s->pools[d->pool];
	const struct word *word;

	if (p->end == p->start)
		return false;
	word = &d->w->words->gateway[d->s->gateways[p->start + hash_scale(d->q->call_hash, p->end - p->start)]
					     .slot];
	return word_ready(word) && !word_below(__atomic_load_n(&word->calls, __ATOMIC_RELAXED),
					       word_most(&word->max_calls, headroom(d)), &word->survivors);
}

/* No gateway of the pool takes the call. */
static void share_refused(struct decision *d, enum share_grant grant, uint16_t share)
{
	bool full = lacks_places(d);
	struct share_cell *cell;

	note_short(d, full ? SHORT_OF_PLACES : SHORT_OF_RATE);
	if (share == SHARE_NONE || grant > SHARE_PLACE)
		return;
	cell = &d->w->shares[share];
	share_add(*(full ? &cell->full : &cell->refused), 1);
}

/* The same, and what was taken of the caller's part is given back. */
static void note_refused(struct decision *d, enum share_grant grant, uint16_t share)
{
	share_refused(d, grant, share);
	if (share == SHARE_NONE || grant > SHARE_PLACE)
		return;
	if (grant == SHARE_PART)
		share_undo(&d->w->words->shares.at[share]);
	else
		share_give(&d->w->words->shares.at[share]);
}

/* Gateway g takes the call, perhaps one of the overflow pool; returns the pair that it counts in. */
static uint16_t note_admitted(struct decision *d, const struct gateway *g, enum share_grant grant,
			      uint16_t share)
{
	if (share == SHARE_NONE)
		return SHARE_NONE;
	if (g->pool != d->pool) {
		note_refused(d, grant, share);
		share = share_enter(&d->w->words->shares, pair(d, g->pool));
	} else if (grant == SHARE_SPARE) {
		share_charge(&d->w->words->shares.at[share], d->now);
	}
	if (share != SHARE_NONE)
		share_add(d->w->shares[share].admitted, 1);
	return share;
}

/* ---- What is new ------------------------------------------------------------------------------------- */

/* The gateway that had the call before, or NULL. */
static const struct gateway *had_before(const struct decision *d)
{
	if (d->setup)
		return gateway_by_slot(d->s, setup_again(d->setup)->gateway);
	return d->pin.b ? gateway_by_slot(d->s, d->pin.b->gateway[d->pin.i]) : NULL;
}

/*
 * A call that had spilled, failed over or been moved by a rule to another pool when it was challenged goes on
 * there while that gateway can take it: nobody else knows its nonce.
 */
static void return_to_challenger(struct decision *d)
{
	const struct gateway *had = had_before(d);
	struct pick p;

	if (!had || had->pool == d->pool || !has_credentials(d))
		return;
	if (!d->setup && d->s->pools[d->pool].overflow != had->pool)
		return; /* without transactions there is no way to another pool than to spill */
	p = pick_for_request(d->e, ASK_CALL, d->urgent);
	if (!pick_can(&p, had))
		return;
	d->elsewhere = true;
	d->pool = had->pool;
}

/* The gateway of the call that this one is to replace (RFC 3891), as far as that is known here, or NULL. */
static const struct gateway *replaced(const struct decision *d)
{
	uint16_t slot = call_gateway(&d->w->calls, d->q->replaces);

	return slot == LB_NONE ? pick_ideal(d->s, d->pool, d->q->replaces) : gateway_by_slot(d->s, slot);
}

/* The gateway for a new request: the one that had the call before, if it can. */
static const struct gateway *choose(struct decision *d, enum ask_what what)
{
	struct pick p = pick_for_request(d->e, what, d->urgent);
	const struct gateway *had = had_before(d);

	p.trail = d->w->trail ? &d->trail : NULL;
	if (!had && d->q->replaces)
		had = replaced(d);
	if (had && had->pool == d->pool && pick_take(&p, had))
		return had;
	return pick_or_spill(&p, d->s, d->pool);
}

/* A new call to g, counted in entry `call`, in transactions of ours. False: there is no room for them. */
static bool set_up(struct decision *d, const struct gateway *g, uint32_t call, unsigned moves, bool notify)
{
	struct event *e = d->e;
	unsigned flags = (d->urgent ? SETUP_URGENT : 0) | (has_credentials(d) ? SETUP_AGAIN : 0) |
			 (d->elsewhere || g->pool != d->pool ? SETUP_SPILLED : 0);
	struct setup *u = invite_admit(e, when_full(d), flags);

	if (!u)
		return false;
	u->call = call;
	u->moves = moves;
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

	if (invite) {
		st_gateway_inc(w->lane, g->slot, ST_GW_CALLS);
		note_invite_pin(w, d->now);
	}
	if (pin_add(&w->pins, d->key, d->q->via_hash, d->pin, g->slot, d->now,
		    invite ? w->ringing_ns : w->pin_ns,
		    PIN_OC * d->q->oc_ask + (has_credentials(d) ? PIN_AGAIN : 0)))
		st_inc(w->lane, ST_PIN_LOST);
	return decision_forward(d, BRANCH_PINNED, g);
}

/* The peer has as many calls as it may have. */
static bool refuse_peer(struct decision *d, uint16_t peer)
{
	st_peer_inc(d->w->lane, peer, ST_PEER_LIMITED);
	return refuse(d, ST_REPLY_PEER_LIMIT);
}

/* No gateway takes the request, or none that the caller may ask. */
static bool refuse_new(struct decision *d, uint16_t peer, enum share_grant grant)
{
	bool over = grant > SHARE_PLACE;

	if (peer != LB_NONE)
		st_peer_inc(d->w->lane, peer, over ? ST_PEER_OVER_SHARE : ST_PEER_REFUSED);
	return refuse(d, over ? ST_REPLY_SHARE : ST_REPLY_REFUSED);
}

/* True if it is known before anything is taken for the new call that no gateway can have it. */
static bool is_known_full(const struct decision *d)
{
	const struct ask ask = {
		.now = d->now,
		.what = ASK_CALL, /* who has to ask for what is spare gets less */
		.room = calls_room(&d->w->calls),
		.opens = d->q->room && setups_room(&d->w->setups),
		.governed = !d->urgent,
	};

	return !d->pin.b && !d->setup && !d->q->replaces && pick_known_full(d->w->words, &ask, d->s, d->pool);
}

/*
 * True if LIMIT_SAME_NAME calls have its Call-ID. All of them are in one chain, so each message of any would
 * read through all; and a call that comes back as often goes in circles through somebody who hides our Vias.
 * Not asked while the pool refuses: then the chains have not been fetched.
 */
static bool is_one_of_many(const struct decision *d)
{
	return calls_crowd(&d->w->calls, d->q->call_hash, LIMIT_SAME_NAME) ||
	       setups_crowd(&d->w->setups, d->q->call_hash, LIMIT_SAME_NAME);
}

/* The short way of a crowd at a pool that is full. */
static bool refuse_full(struct decision *d, uint16_t peer)
{
	enum share_grant grant;
	uint16_t share;

	if (peer != LB_NONE &&
	    !peer_room_within(&d->w->words->peer[peer], calls_room(&d->w->calls), headroom(d)))
		return refuse_peer(d, peer);
	grant = ask_share(d, false, &share);
	share_refused(d, grant, share);
	return refuse_new(d, peer, grant);
}

bool place_new(struct decision *d)
{
	static const enum ask_what asks[] = {
		[SHARE_PART] = ASK_CALL, [SHARE_PLACE] = ASK_CALL, [SHARE_SPARE] = ASK_SPARE
	};
	bool invite = d->q->method == METHOD_INVITE, notify = false;
	uint16_t peer = d->peer == LB_NONE ? LB_NONE : d->s->peers[d->peer].slot;
	unsigned moves = invite ? redirect_always(d->s, d->q->number, &d->pool, &notify) : 0;
	enum share_grant grant = SHARE_PLACE;
	uint16_t share = SHARE_NONE;
	const struct gateway *g;
	uint32_t call;

	if (invite && d->s->pools[d->pool].redirect) {
		const struct pick p = pick_for_request(d->e, ASK_REFERRAL, d->urgent);

		g = pick(&p, d->s, d->pool);
		return g ? decision_redirect(d, g) : refuse_new(d, peer, SHARE_PLACE);
	}
	if (invite)
		return_to_challenger(d);
	share_add(d->w->told[d->pool].arrived, 1);
	if (invite)
		d->w->refusing = is_known_full(d);
	if (invite && d->w->refusing)
		return refuse_full(d, peer);
	if (invite && is_one_of_many(d))
		return decision_refuse(d, 482, 0, ST_REPLY_LOOP); /* RFC 3261 8.2.2.2 */
	pick_prefetch(d->s, d->pool, d->q->call_hash);
	if (invite && !count_peer(d->e, peer, headroom(d)))
		return refuse_peer(d, peer);
	if (invite)
		grant = ask_share(d, true, &share);
	g = grant == SHARE_NOTHING ? NULL : choose(d, invite ? asks[grant] : ASK_REQUEST);
	if (!g && invite) {
		count_no_call(d->e, peer);
		note_refused(d, grant, share);
	}
	if (!g)
		return refuse_new(d, peer, grant);
	st_inc(d->w->lane, ST_PICKED);
	share_add(d->w->told[g->pool].admitted, 1);
	share_add(d->w->told[g->pool].arrived, g->pool != d->pool); /* it has come there now */
	if (!invite)
		return send_pinned(d, g);
	share = note_admitted(d, g, grant, share);
	call = count_call(d->e, d->from, peer, share, g);
	return set_up(d, g, call, moves, notify) || send_pinned(d, g);
}
