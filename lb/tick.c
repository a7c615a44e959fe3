/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What time alone brings: timers that are due, and calls at gateways that are down. Runs on the worker
 * between bursts. Must stay true: one call does a bounded part of what is due, so that messages never wait
 * for long.
 */
#include "lb/call/invite.h"
#include "lb/worker.h"

#define TICK_TIMERS  64       /* of setups, that one call handles */
#define LOOK_NS      1000000u /* how often a share of the gateways with unanswered calls is looked at */
#define LOOK_AT_ONCE 64       /* the share */

/* Moves what waits for gateway `slot`. False: more than there is room for. */
static bool leave(struct event *e, struct setups *t, uint16_t slot, unsigned max)
{
	while (t->unanswered[slot] != SETUP_NONE) {
		uint32_t branch = t->unanswered[slot];

		if (e->n + INVITE_DUE_ACTS > max)
			return false;
		invite_down(e, &t->at[branch / LIMIT_BRANCHES], branch % LIMIT_BRANCHES);
	}
	return true;
}

/* Looks at the gateways with unanswered calls, some each time: who is down loses them at once. */
static void look_for_dead(struct event *e, unsigned max)
{
	struct setups *t = &e->w->setups;

	if (e->now < t->look_at)
		return;
	for (unsigned i = 0; i < LOOK_AT_ONCE && t->n_busy; i++, t->look++) {
		uint16_t slot;

		if (t->look >= t->n_busy)
			t->look = 0;
		slot = t->busy[t->look];
		__atomic_store_n(&signal_of(e->w->signals, slot, e->now)->oldest, setup_oldest(t, slot),
				 __ATOMIC_RELAXED);
		if (word_down(&e->w->words->gateway[slot]) && !leave(e, t, slot, max))
			return;
		if (i + 1u >= t->n_busy)
			break;
	}
	t->look_at = e->now + LOOK_NS;
}

/* Timers fire long after their calls were last touched: while one is handled, the lines of the next come. */
static void fetch_coming(const struct lb_worker *w)
{
	const struct wheel_coming coming = wheel_coming(&w->wheel);

	if (coming.next != WHEEL_NONE)
		setup_fetch(&w->setups, coming.next, true);
	if (coming.after != WHEEL_NONE)
		setup_fetch(&w->setups, coming.after, false);
}

unsigned lb_tick(struct lb_worker *w, const struct lb_snapshot *s, uint64_t now, struct lb_act *acts,
		 unsigned max)
{
	struct event e = { .w = w, .s = s, .now = now, .acts = acts };

	if (now >= w->invites_pinned)
		w->invites_pinned = 0;
	if (now >= w->byes_pinned)
		w->byes_pinned = 0;
	look_for_dead(&e, max);
	for (unsigned i = 0; i < TICK_TIMERS && e.n + INVITE_DUE_ACTS <= max; i++) {
		uint32_t node = wheel_expired(&w->wheel, now);

		if (node == WHEEL_NONE)
			break;
		fetch_coming(w);
		invite_due(&e, &w->setups.at[node]);
	}
	calls_expire(&w->calls, now);
	return e.n;
}
