/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Both sides of an established call, alike: who hangs up and when, session refreshes (RFC 4028), re-INVITEs
 * with their glare (RFC 3261 14.1), 2xx repeated until the ACK; and what answers the other side's requests.
 */
#include "bench/sim/sim.h"

#define HOLD_MEAN  (180.0 * S)
#define NOTICE     (60.0 * S) /* until a side notes that the other one is gone */
#define MODIFIED   0.2
#define BOTH_HANG  0.02
#define GLARING    0.1  /* of re-INVITEs meet one of the other side */
#define CHALLENGED 0.01 /* of BYEs are asked for credentials */

/* ---- Timers -------------------------------------------------------------------------------------------- */

static struct side *side_of(const struct where *at)
{
	return &at->d->side[at->side];
}

static struct side *other_of(const struct where *at)
{
	return &at->d->side[!at->side];
}

void dialog_arm(struct sim *s, const struct where *at, enum side_timer timer, uint64_t when)
{
	side_of(at)->due[timer] = when;
	event_add_sub(s, when, EV_SIDE, at->leg, at->fork | at->side << 4, (uint16_t)timer);
}

/* ---- Requests of a side -------------------------------------------------------------------------------- */

static struct msg request(struct sim *s, const struct where *at, enum method method)
{
	const struct leg *l = at->l;
	struct msg m = {
		.src = at->side ? s->gw[l->gw].addr : at->c->addr,
		.dst = at->side ? l->inv.src : at->c->weir,
		.target = at->side ? at->c->addr : s->gw[l->gw].addr,
		.call_id = at->c->id,
		.cseq = ++side_of(at)->cseq,
		.request = 1,
		.method = method,
		.from = at->side ? at->d->to : at->c->tag,
		.to = at->side ? at->c->tag : at->d->to,
		.token_n = l->inv.token_n,
	};

	if (at->side && at->c->id >> 24 & 7) /* one caller in eight has a Contact that is a name */
		m.target.port = 0;
	m.via_addr = m.src;
	memcpy(m.token, l->inv.token, m.token_n);
	return m;
}

static void start(struct sim *s, const struct where *at, const struct msg *m)
{
	uint32_t i = txn_start(s, at->c, m);
	struct txn *t = txn_at(s, i);

	t->leg = at->leg;
	t->fork = at->fork;
	t->side = at->side;
	side_of(at)->txn = i;
}

static void send_bye(struct sim *s, const struct where *at, bool credentials)
{
	struct msg m = request(s, at, METHOD_BYE);

	m.credentials = credentials;
	start(s, at, &m);
}

void dialog_bye(struct sim *s, const struct where *at)
{
	if (side_of(at)->state == SIDE_ENDED || side_of(at)->state == SIDE_NONE)
		return;
	dialog_end(s, at);
	send_bye(s, at, false);
}

static void refresh(struct sim *s, const struct where *at, bool session)
{
	struct msg m = request(s, at, session && at->c->id >> 24 & 1 ? METHOD_UPDATE : METHOD_INVITE);

	s->f.refreshes += session;
	s->f.reinvites += m.method == METHOD_INVITE;
	m.session_s = at->d->session_s;
	start(s, at, &m);
}

/* ---- Session timers ------------------------------------------------------------------------------------ */

static void session_anew(struct sim *s, const struct where *at)
{
	uint64_t interval = at->d->session_s * S, margin = interval / 3 < 32 * S ? interval / 3 : 32 * S;

	if (!at->d->session_s || side_of(at)->state != SIDE_UP)
		return;
	if (at->d->refresher == at->side)
		dialog_arm(s, at, DUE_REFRESH, s->now + interval / 2);
	dialog_arm(s, at, DUE_EXPIRE, s->now + interval - margin);
}

/* ---- Birth and end of a side ----------------------------------------------------------------------------
 */

/* The gateway's side draws for both who hangs up. */
static void draw_end(struct sim *s, const struct where *at)
{
	uint64_t hold = chance_lognormal(s, HOLD_MEAN, 1.0);
	double who = chance_real(s);

	hold = s->now + (hold < longest(s) * 0.9 ? hold : (uint64_t)(longest(s) * 0.9));
	if (who < BOTH_HANG)
		s->f.both_byes++;
	if (who < 0.5)
		dialog_arm(s, at, DUE_HANGUP, hold);
	if (who < BOTH_HANG || who >= 0.5) {
		struct where other = *at;

		other.side = !at->side;
		dialog_arm(s, &other, DUE_HANGUP, hold);
	}
}

/* When a side notes that the other one is gone; the longest call is shorter than max-duration all the same.
 */
static uint64_t notice(struct sim *s, const struct dialog *d)
{
	uint64_t after = 33 * S + chance_exp(s, chance(s, 0.9) ? NOTICE : 40 * NOTICE);
	uint64_t last = d->began + (uint64_t)(longest(s) * 0.95);

	if (s->now + after < last)
		return s->now + after;
	return last > s->now ? last : s->now + S;
}

/* Asks for a re-INVITE, or for one of both sides at the same time. */
static void modify(struct sim *s, const struct where *at, uint64_t after, bool both)
{
	struct where other = *at;

	dialog_arm(s, at, DUE_MODIFY, s->now + after);
	other.side = !at->side;
	if (both && other_of(at)->state == SIDE_UP)
		dialog_arm(s, &other, DUE_MODIFY, s->now + after);
}

void dialog_start(struct sim *s, const struct where *at)
{
	struct side *side = side_of(at);

	side->state = SIDE_UP;
	at->d->began = at->d->began ? at->d->began : s->now;
	side->cseq = at->side ? 0 : at->c->cseq;
	at->d->talks |= at->side && other_of(at)->state == SIDE_UP;
	if (at->side)
		oracle_leg(s, at->l);
	else
		oracle_in(s, at->c);
	session_anew(s, at);
	if (at->side && other_of(at)->state == SIDE_UP)
		draw_end(s, at);
	else if (at->side || other_of(at)->state == SIDE_ENDED)
		dialog_arm(s, at, DUE_HANGUP, notice(s, at->d));
	if (chance(s, MODIFIED))
		modify(s, at, chance_exp(s, 60.0 * S), chance(s, GLARING));
}

void dialog_end(struct sim *s, const struct where *at)
{
	struct side *side = side_of(at);

	memset(side->due, 0, sizeof(side->due));
	if (side->answer != NONE) {
		pool_give(&s->msgs, side->answer);
		side->answer = NONE;
	}
	if (side->state == SIDE_ENDED || side->state == SIDE_NONE) {
		side->state = SIDE_ENDED;
		return;
	}
	side->state = SIDE_ENDED;
	if (at->side)
		oracle_leg(s, at->l);
	else
		oracle_in(s, at->c);
	if (other_of(at)->state == SIDE_UP) { /* silence on the line */
		struct where other = *at;

		other.side = !at->side;
		dialog_arm(s, &other, DUE_HANGUP, notice(s, at->d));
	}
	call_maybe_over(s, at->c);
}

bool dialog_is_dead(const struct sim *s, const struct where *at)
{
	if (at->side)
		return at->l->epoch != s->gw[at->l->gw].epoch;
	return at->c->flags & SIM_VANISHED ||
	       (at->c->gw != LB_NONE && at->c->epoch != s->gw[at->c->gw].epoch);
}

/* ---- 2xx until its ACK ----------------------------------------------------------------------------------
 */

void dialog_answer(struct sim *s, const struct where *at, const struct msg *answer)
{
	struct side *side = side_of(at);

	if (side->answer == NONE)
		side->answer = pool_take(&s->msgs);
	*msg_at(s, side->answer) = *answer;
	side->interval = T1;
	side->give_up = s->now + TIMEOUT;
	dialog_arm(s, at, DUE_REPEAT, s->now + T1);
	net_send(s, answer);
}

static void repeat(struct sim *s, const struct where *at)
{
	struct side *side = side_of(at);

	if (side->answer == NONE)
		return;
	if (s->now >= side->give_up) { /* RFC 3261 13.3.1.4 */
		dialog_bye(s, at);
		return;
	}
	net_send(s, msg_at(s, side->answer));
	side->interval = 2 * side->interval < T2 ? 2 * side->interval : T2;
	dialog_arm(s, at, DUE_REPEAT, s->now + side->interval);
}

static void acknowledged(struct sim *s, const struct where *at, const struct msg *m)
{
	struct side *side = side_of(at);

	if (side->answer == NONE || msg_at(s, side->answer)->cseq != m->cseq)
		return;
	pool_give(&s->msgs, side->answer);
	side->answer = NONE;
	side->due[DUE_REPEAT] = 0;
	if (side->state == SIDE_ANSWERED)
		dialog_start(s, at);
}

/* ---- Requests of the other side -------------------------------------------------------------------------
 */

static void reply(struct sim *s, const struct msg *m, uint16_t status, uint32_t session_s)
{
	struct msg r = net_response(m, status, NULL);

	if (status / 100 == 2)
		r.session_s = session_s;
	net_send(s, &r);
}

static void told_bye(struct sim *s, const struct where *at, const struct msg *m)
{
	struct side *side = side_of(at);

	if (side->state == SIDE_ENDED) {
		reply(s, m, at->c->id >> 24 & 2 ? 481 : 200, 0); /* crossed, or again: both are seen */
		return;
	}
	if (at->side && !m->credentials && (side->challenged || chance(s, CHALLENGED))) {
		side->challenged = 1;
		reply(s, m, 401, 0);
		return;
	}
	dialog_end(s, at);
	reply(s, m, 200, 0);
}

static bool invite_under_way(struct sim *s, const struct side *side)
{
	const struct txn *t = side->txn == NONE ? NULL : txn_at(s, side->txn);

	return t && t->m.method == METHOD_INVITE && t->state != TXN_DONE;
}

static void told_invite(struct sim *s, const struct where *at, const struct msg *m)
{
	struct side *side = side_of(at);
	struct msg r;

	if (side->seen_status && m->cseq == side->seen_cseq) {
		if (side->answer != NONE && msg_at(s, side->answer)->cseq == m->cseq)
			net_send(s, msg_at(s, side->answer));
		else if (side->seen_status >= 300)
			reply(s, m, side->seen_status, 0);
		return;
	}
	if (side->state != SIDE_UP || side->answer != NONE)
		side->seen_status = side->state == SIDE_ENDED ? 481 : 500;
	else if (invite_under_way(s, side))
		side->seen_status = 491;
	else
		side->seen_status = m->session_s || chance(s, 0.95) ? 200 : 488;
	side->seen_cseq = m->cseq;
	if (side->seen_status != 200) {
		s->f.glares += side->seen_status == 491;
		reply(s, m, side->seen_status, 0);
		return;
	}
	r = net_response(m, 200, NULL);
	r.session_s = at->d->session_s;
	session_anew(s, at);
	dialog_answer(s, at, &r);
}

static void told_update(struct sim *s, const struct where *at, const struct msg *m)
{
	if (side_of(at)->state == SIDE_ENDED) {
		reply(s, m, 481, 0);
		return;
	}
	session_anew(s, at);
	reply(s, m, 200, at->d->session_s);
}

void dialog_request(struct sim *s, const struct where *at, const struct msg *m)
{
	if (m->method == METHOD_ACK) {
		if (at->d)
			acknowledged(s, at, m);
		return;
	}
	if (!at->d) {
		reply(s, m, 481, 0);
		return;
	}
	switch (m->method) {
	case METHOD_BYE:
		told_bye(s, at, m);
		break;
	case METHOD_INVITE:
		told_invite(s, at, m);
		break;
	default:
		told_update(s, at, m);
		break;
	}
}

/* ---- Responses ------------------------------------------------------------------------------------------
 */

/* RFC 3261 17.1.1.3 for a refusal, 13.2.2.4 for a 2xx: then it is a request of its own. */
static void ack_reinvite(struct sim *s, const struct txn *t, const struct msg *r)
{
	struct msg m = t->m;

	m.method = METHOD_ACK;
	m.session_s = 0;
	m.to = r->to;
	if (r->status / 100 == 2)
		m.via = t->m.via | 1ull << 63 | 0xffffff;
	net_send(s, &m);
}

void dialog_response(struct sim *s, uint32_t txn, const struct msg *m)
{
	struct txn *t = txn_at(s, txn);
	struct leg *l = leg_at(s, t->leg);
	struct where at = { call_at(s, t->call), l, &l->d[t->fork], t->leg, t->fork, t->side };
	bool bye = t->m.method == METHOD_BYE;

	if (m->status < 200) {
		t->state = t->state == TXN_CALLING ? TXN_PROCEEDING : t->state;
		return;
	}
	if (t->m.method == METHOD_INVITE)
		ack_reinvite(s, t, m);
	if (t->state == TXN_DONE)
		return;
	txn_done(s, txn);
	if (bye && m->status == 401 && !t->m.credentials)
		send_bye(s, &at, true);
	else if (!bye && (m->status == 481 || m->status == 408))
		dialog_bye(s, &at); /* RFC 3261 12.2.1.2 */
	else if (!bye && m->status / 100 == 2 && m->session_s)
		session_anew(s, &at);
	else if (m->status == 491)
		dialog_arm(s, &at, DUE_MODIFY, s->now + chance_span(s, 10 * MS, 4 * S));
}

void dialog_due(struct sim *s, const struct sim_event *e)
{
	struct leg *l = leg_at(s, e->index);
	struct where at = { call_at(s, l->call), l, &l->d[e->sub & 15], e->index, e->sub & 15, e->sub >> 4 };
	struct side *side = side_of(&at);

	if (side->due[e->sub2] != e->at || dialog_is_dead(s, &at))
		return;
	side->due[e->sub2] = 0;
	switch ((enum side_timer)e->sub2) {
	case DUE_HANGUP:
	case DUE_EXPIRE:
		dialog_bye(s, &at);
		break;
	case DUE_REFRESH:
	case DUE_MODIFY:
		if (side->state == SIDE_UP && (side->txn == NONE || txn_at(s, side->txn)->state == TXN_DONE))
			refresh(s, &at, e->sub2 == DUE_REFRESH);
		break;
	case DUE_REPEAT:
		repeat(s, &at);
		break;
	case SIDE_TIMERS:
		break;
	}
}
