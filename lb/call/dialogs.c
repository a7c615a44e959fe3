/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counted calls in dialog: what confirms dialogs and what ends them. Worker. What must stay true: an answered
 * call always has a deadline, and it ends when none of its dialogs is left.
 */
#include "lb/call/call.h"

#define LONGEST_MS 900000000 /* of a session, ten days: differences of times must keep their sign */
#define ALL_ALIVE  ((1u << CALL_DIALOGS) - 1)

/* Value of `bye` for a BYE that came now. */
static uint16_t bye_end(const struct calls *c, uint64_t now)
{
	uint16_t at = (uint16_t)(((now + c->spec.release_ns) / CALL_MS >> CALL_BYE_BITS) + 1);

	return at ? at : 1;
}

/* Value of `end` for a session interval told now; a session is taken for lost after a third more of it,
 * and not before its refresh could have been repeated for the last time. */
static uint32_t session_end(const struct calls *c, uint32_t session_s, uint64_t now)
{
	uint64_t interval = (uint64_t)session_s * 1000, least = c->spec.session_min_ns / CALL_MS;
	uint64_t grace = c->spec.grace_ns / CALL_MS;
	uint32_t at;

	if (session_s == 0)
		return 0;
	if (interval < least)
		interval = least;
	interval += interval / 3 > grace ? interval / 3 : grace;
	at = call_ms(now) + (uint32_t)(interval < LONGEST_MS ? interval : LONGEST_MS);
	return at ? at : 1;
}

/*
 * A dialog tells its session interval. There is one deadline for all dialogs of a call: that of the one that
 * lasts longest, and none if one of them has none; a call is never given up while a dialog of it may be up.
 */
static void set_session(const struct calls *c, struct call *e, bool alone, uint32_t session_s, uint64_t now)
{
	uint32_t end = session_end(c, session_s, now);

	if (e->unwanted)
		return;
	if (alone || (e->end != 0 && (end == 0 || (int32_t)(end - e->end) > 0)))
		e->end = end;
}

/* To tags as they are kept: 0 says that there is none, as in a dialog with a side from before RFC 3261. */
static inline uint32_t kept_tag(uint32_t to_hash)
{
	return to_hash ? to_hash : 1;
}

static unsigned dialog_of(const struct call *e, uint32_t to)
{
	unsigned d = 0;

	while (d < CALL_DIALOGS && e->to[d] != to)
		d++;
	return d;
}

/* The other tag than the caller's. */
static inline uint32_t other_tag(const struct call *e, uint32_t a, uint32_t b)
{
	return kept_tag(e->caller == a ? b : a);
}

/* The bit of a dialog past the first four: repeated, its 2xx says nothing new. Two may share one. */
static inline uint8_t more_bit(uint32_t to)
{
	return (uint8_t)(1u << (to & 3));
}

static inline bool is_alive(const struct call *e, unsigned d)
{
	return e->alive >> d & 1;
}

/* Something about answered entry i has changed that moves its end. */
static void wake(struct calls *c, uint32_t i, uint64_t now)
{
	call_wake(c, i, call_due(c, call_entry(c, i), now));
}

void call_confirm(struct calls *c, uint32_t i, uint32_t to_hash, uint32_t session_s, uint64_t now)
{
	struct call *e = call_entry(c, i);
	unsigned d;

	if (dialog_of(e, kept_tag(to_hash)) < CALL_DIALOGS)
		return;
	d = dialog_of(e, 0);
	call_begin(e);
	set_session(c, e, e->state == CALL_SETUP, session_s, now);
	if (e->state == CALL_SETUP) {
		e->state = CALL_ANSWERED;
		e->answered = call_ms(now);
	}
	if (d < CALL_DIALOGS) {
		e->to[d] = kept_tag(to_hash);
		e->alive |= 1u << d;
	} else if (!(e->more & more_bit(kept_tag(to_hash)))) {
		st_inc(c->spec.lane, ST_CALL_DIALOGS);
		e->more |= more_bit(kept_tag(to_hash));
	}
	call_done(e);
	wake(c, i, now);
}

/* The answered call with this dialog, either way round, in *d its dialog; CALL_NONE: there is none. */
static uint32_t find_dialog(const struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, unsigned *d)
{
	uint32_t tag = call_tag(call_hash), i;

	for (i = c->chain[tag & c->mask]; i != CALL_NONE; i = call_entry(c, i)->next) {
		const struct call *e = call_entry(c, i);

		if (e->tag != tag || e->state != CALL_ANSWERED || (e->caller != a && e->caller != b))
			continue;
		*d = dialog_of(e, other_tag(e, a, b));
		if (*d < CALL_DIALOGS)
			break;
	}
	return i;
}

/* A dialog past the first four shows itself with its BYE: it takes the place of one that has ended. */
static uint32_t adopt_dialog(struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, unsigned *d)
{
	uint32_t tag = call_tag(call_hash), i = c->chain[tag & c->mask];
	struct call *e;

	while (i != CALL_NONE && (call_entry(c, i)->tag != tag || call_entry(c, i)->alive == ALL_ALIVE ||
				  !(call_entry(c, i)->more & more_bit(other_tag(call_entry(c, i), a, b))) ||
				  (call_entry(c, i)->caller != a && call_entry(c, i)->caller != b)))
		i = call_entry(c, i)->next;
	if (i == CALL_NONE)
		return CALL_NONE;
	e = call_entry(c, i);
	*d = __builtin_ctz(~(unsigned)e->alive);
	call_begin(e);
	e->to[*d] = other_tag(e, a, b);
	e->bye[*d] = 0;
	e->alive |= 1u << *d;
	e->more &= ~more_bit(e->to[*d]);
	call_done(e);
	return i;
}

void call_end_dialog(struct calls *c, uint32_t i, unsigned d, enum lb_call_end how, uint64_t now)
{
	struct call *e = call_entry(c, i);

	call_begin(e);
	e->alive &= ~(1u << d);
	e->bye[d] = 0;
	call_done(e);
	if (e->alive == 0 && e->more == 0)
		call_end(c, i, how, 200, now);
}

bool call_bye(struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, uint64_t now)
{
	unsigned d;
	uint32_t i = find_dialog(c, call_hash, a, b, &d);
	struct call *e;

	if (i == CALL_NONE)
		i = adopt_dialog(c, call_hash, a, b, &d);
	if (i == CALL_NONE)
		return false;
	e = call_entry(c, i);
	if (!is_alive(e, d) || e->bye[d] != 0)
		return true;
	call_begin(e);
	e->bye[d] = bye_end(c, now);
	e->bye_caller = e->caller == a;
	call_done(e);
	wake(c, i, now);
	return true;
}

bool call_bye_answered(struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, uint16_t status,
		       uint64_t now)
{
	unsigned d;
	uint32_t i = find_dialog(c, call_hash, a, b, &d);

	if (i == CALL_NONE)
		return false;
	if (!is_alive(call_entry(c, i), d))
		return true;
	if (status / 100 == 2 || status == 481 || status == 408) {
		call_end_dialog(c, i, d, LB_END_BYE, now);
	} else if (is_challenge(status)) {
		call_begin(call_entry(c, i));
		call_entry(c, i)->bye[d] = 0;
		call_done(call_entry(c, i));
	}
	return true;
}

/* There is somebody on both sides after all; a session timer that ran before is not known any more. */
static void set_acked(struct call *e)
{
	e->acked = 1;
	if (e->unwanted)
		e->end = 0;
	e->unwanted = 0;
}

void call_acked(struct calls *c, uint64_t call_hash, uint32_t caller)
{
	uint32_t tag = call_tag(call_hash);

	for (uint32_t i = c->chain[tag & c->mask]; i != CALL_NONE; i = call_entry(c, i)->next) {
		struct call *e = call_entry(c, i);

		if (e->tag != tag || e->caller != caller || e->state != CALL_ANSWERED || e->acked)
			continue;
		call_begin(e);
		set_acked(e);
		call_done(e);
		if (!e->twin)
			return;
	}
}

void call_cancelled(struct calls *c, const struct call_key *key, uint64_t now)
{
	uint32_t i = call_of(c, key), end = call_ms(now + c->spec.release_ns);
	struct call *e = call_entry(c, i);

	if (i == CALL_NONE || e->state != CALL_ANSWERED || e->acked || e->unwanted)
		return;
	call_begin(e);
	e->unwanted = 1;
	e->end = end ? end : 1;
	call_done(e);
	wake(c, i, now);
}

void call_refreshed(struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, uint32_t session_s,
		    uint64_t now)
{
	unsigned d;
	uint32_t i = find_dialog(c, call_hash, a, b, &d);
	struct call *e = call_entry(c, i);

	if (i == CALL_NONE || !is_alive(e, d))
		return;
	call_begin(e);
	set_acked(e);
	set_session(c, e, e->alive == 1u << d && e->more == 0, session_s, now);
	call_done(e);
	wake(c, i, now);
}

uint16_t call_back(const struct calls *c, uint64_t call_hash, uint32_t caller, uint32_t callee,
		   struct addr *flow, uint8_t *listener)
{
	unsigned d;
	uint32_t i = find_dialog(c, call_hash, caller, callee, &d);

	if (i == CALL_NONE || call_entry(c, i)->caller != caller || !is_alive(call_entry(c, i), d))
		return LB_NONE;
	*flow = (struct addr){ .port = call_flow_at(c, i)->port, .v6 = call_flow_at(c, i)->v6 };
	memcpy(flow->ip, call_flow_at(c, i)->ip, sizeof(flow->ip));
	*listener = call_flow_at(c, i)->listener;
	return call_entry(c, i)->out;
}

bool call_is_known(const struct calls *c, uint64_t call_hash, uint32_t caller)
{
	uint32_t tag = call_tag(call_hash), i = c->chain[tag & c->mask];

	while (i != CALL_NONE && (call_entry(c, i)->tag != tag || call_entry(c, i)->caller != caller))
		i = call_entry(c, i)->next;
	return i != CALL_NONE;
}

uint16_t call_gateway(const struct calls *c, uint64_t call_hash)
{
	uint32_t tag = call_tag(call_hash), i = c->chain[tag & c->mask];

	while (i != CALL_NONE && (call_entry(c, i)->tag != tag || call_entry(c, i)->state != CALL_ANSWERED))
		i = call_entry(c, i)->next;
	return i == CALL_NONE ? LB_NONE : call_entry(c, i)->out;
}
