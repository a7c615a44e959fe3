/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which new calls come before others: emergency calls (RFC 5031, and the numbers that the operator names) and
 * calls of a priority that their peer is believed (RFC 4412). They go by the operator's limits alone,
 * headroom included. Runs on the worker that owns the Call-ID. What must stay true: nobody has more of this
 * than his max-emergency, whatever he writes into his requests.
 */
#include "lb/decide.h"

#define URGENT_BURST_NS 1000000000u /* an accident makes several people call at once */

static bool is_emergency(const struct decision *d)
{
	const struct str number = number_without_plus(d->q->number);

	if (d->q->sos)
		return true;
	for (unsigned i = 0; i < d->s->n_emergency; i++) {
		const struct number *n = &d->s->emergency[i];

		if (str_eq(number, (struct str){ n->text, n->n }))
			return true;
	}
	return false;
}

/* RFC 4412 3.1: namespaces and values are compared without regard to case. */
static bool has_priority(const struct decision *d)
{
	const struct peer *p = d->peer == LB_NONE ? NULL : &d->s->peers[d->peer];

	for (unsigned i = 0; p && i < d->q->n_resources; i++) {
		for (unsigned k = 0; k < p->n_resources; k++) {
			if (str_eq_nocase(d->q->resource[i], p->resources[k]))
				return true;
		}
	}
	return false;
}

bool place_urgent(struct decision *d)
{
	struct peer_word *word = &d->w->words->nobody;
	bool emergency;

	d->is_new = true;
	if (d->q->method != METHOD_INVITE)
		return false;
	d->urgent = d->setup && d->setup->flags & SETUP_URGENT && place_came_before(d);
	if (d->urgent) /* it was counted then */
		return false;
	emergency = is_emergency(d);
	if (!emergency && !has_priority(d))
		return false;
	if (d->peer != LB_NONE) {
		word = &d->w->words->peer[d->s->peers[d->peer].slot];
		st_peer_inc(d->w->lane, d->s->peers[d->peer].slot, ST_PEER_URGENT);
	}
	if (!bucket_take_burst(&word->urgent, d->now, URGENT_BURST_NS)) {
		st_inc(d->w->lane, ST_URGENT_OVER);
		__atomic_fetch_add(&word->over_urgent, 1, __ATOMIC_RELAXED);
		return false;
	}
	st_inc(d->w->lane, emergency ? ST_URGENT_EMERGENCY : ST_URGENT_PRIORITY);
	d->urgent = true;
	return false;
}
