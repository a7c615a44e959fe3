/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Deadlines of counted calls. They are far away, they may be met late, and nearly all calls end before: so
 * those of a page of entries stand side by side and are read, page after page, when the soonest of all has
 * come, and a call that moves its own touches nothing else. Eight bytes a call, a fraction of a nanosecond
 * each time. Worker. What must stay true: calls->soonest is no later than any deadline, but for those that a
 * reading under way has still to come to.
 */
#include "lb/call/call.h"

#define PACE_NS 200u /* a reading of n entries begins n times that after the one before, or later */
#define AT_ONCE 96   /* pages that one call reads */
#define EXPIRES 64   /* entries that it handles */

/* ms from t until a dialog ends by its unanswered BYE. */
static int32_t bye_left(const struct call *e, unsigned d, uint32_t t)
{
	int16_t steps = (int16_t)(e->bye[d] - (uint16_t)(t >> CALL_BYE_BITS));

	return steps * (1 << CALL_BYE_BITS) - (int32_t)(t & ((1 << CALL_BYE_BITS) - 1));
}

static int32_t duration_left(const struct calls *c, const struct call *e, uint32_t t)
{
	return (int32_t)(e->answered + (uint32_t)(c->spec.max_call_ns / CALL_MS) - t);
}

uint64_t call_due(const struct calls *c, const struct call *e, uint64_t now)
{
	uint32_t t = call_ms(now);
	int32_t left;

	if (e->state != CALL_ANSWERED) {
		left = call_end_left(e, t);
	} else {
		left = duration_left(c, e, t);
		if (e->end != 0 && call_end_left(e, t) < left)
			left = call_end_left(e, t);
		for (unsigned d = 0; d < CALL_DIALOGS; d++) {
			if (e->bye[d] != 0 && bye_left(e, d, t) < left)
				left = bye_left(e, d, t);
		}
	}
	return left > 0 ? now + (uint64_t)left * CALL_MS : now;
}

void call_wake(struct calls *c, uint32_t i, uint64_t at)
{
	if (at >= *call_deadline(c, i))
		return;
	*call_deadline(c, i) = at;
	if (at < c->soonest)
		c->soonest = at;
}

/* Ends what is due of an answered call; false if that was the call. */
static bool outlives(struct calls *c, uint32_t i, uint64_t now)
{
	const struct call *e = call_entry(c, i);
	uint32_t t = call_ms(now);

	if (duration_left(c, e, t) <= 0) {
		call_end(c, i, LB_END_DURATION, 200, now);
		return false;
	}
	if (e->end != 0 && call_end_left(e, t) <= 0) {
		call_end(c, i, e->unwanted ? LB_END_CANCELLED : LB_END_SESSION, 200, now);
		return false;
	}
	for (unsigned d = 0; d < CALL_DIALOGS && e->state == CALL_ANSWERED; d++) {
		if (e->bye[d] != 0 && bye_left(e, d, t) <= 0)
			call_end_dialog(c, i, d, LB_END_BYE_UNANSWERED, now);
	}
	return e->state == CALL_ANSWERED;
}

/* Its time has come, or may have. */
static void expire(struct calls *c, uint32_t i, uint64_t now)
{
	const struct call *e = call_entry(c, i);
	uint32_t t = call_ms(now);

	if (e->state == CALL_ANSWERED && !outlives(c, i, now))
		return;
	if (e->state == CALL_SETUP && call_end_left(e, t) <= 0)
		call_end(c, i, LB_END_SILENT, 0, now);
	else if (e->state == CALL_HOLD && call_end_left(e, t) <= 0)
		call_close(c, i);
	else if (e->state != CALL_FREE)
		call_wake(c, i, call_due(c, e, now));
}

static uint64_t soonest_of(const struct call_page *page)
{
	uint64_t least = CALL_NEVER;

	for (uint32_t i = 0; i < CALL_PAGE; i++)
		least = page->due[i] < least ? page->due[i] : least;
	return least;
}

/* Reads on from c->reading; false: up to the end. */
static bool read_on(struct calls *c, uint64_t now)
{
	uint32_t stop = c->reading + AT_ONCE, handled = 0;

	for (; c->reading < c->ever && c->reading < stop; c->reading++) {
		struct call_page *page = &c->page[c->reading];
		uint64_t least = soonest_of(page);

		for (uint32_t i = 0; least <= now && i < CALL_PAGE; i++) {
			if (page->due[i] > now)
				continue;
			if (handled++ == EXPIRES)
				return true;
			page->due[i] = CALL_NEVER;
			expire(c, c->reading * CALL_PAGE + i, now);
		}
		if (least <= now)
			least = soonest_of(page);
		c->soonest = least < c->soonest ? least : c->soonest;
	}
	return c->reading < c->ever;
}

void calls_expire(struct calls *c, uint64_t now)
{
	if (!c->is_reading) {
		if (now < c->soonest || now < c->read_again)
			return;
		c->read_again = now + (uint64_t)c->ever * CALL_PAGE * PACE_NS;
		c->soonest = CALL_NEVER;
		c->reading = 0;
	}
	c->is_reading = read_on(c, now);
}
