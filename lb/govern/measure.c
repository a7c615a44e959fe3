/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Re-measuring a floor: the cap is halved for a moment, and again as long as the delay follows it. What falls
 * with the cap was a queue, what stays is the floor, be it lower than was thought (the first samples met a
 * queue already) or higher (the gateway has become slower, or its far ends have). Then the cap is what it
 * was. Control.
 */
#include "lb/govern/limit.h"

#define STAGES     6
#define STAGE_NS   300000000ull
#define LONGEST_NS 5000000000ull  /* without answers a stage ends */
#define STALE_NS   60000000000ull /* a floor this old is measured again */
#define AGAIN_NS   5000000000ull  /* not sooner after the last time */
#define SUSPECT    10             /* cuts in a row that did not help */
#define FOLLOWS    0.3            /* of the fall that a queue would show */

/* The delay that tells most: the one whose samples are there. */
static const struct delay *delay_in_hand(const struct limit *l)
{
	return l->w.progress.lows > 0 ? &l->w.progress : &l->w.response;
}

static bool is_due(const struct limit *l, uint64_t now)
{
	const struct floor *f = floor_known(&l->progress) ? &l->progress : &l->response;

	if (!l->met || isinf(l->cap) || !l->in_use || !l->known || now < l->measure.next)
		return false;
	return now - f->at > STALE_NS || l->suspect >= SUSPECT;
}

/* Halves the cap below what is open now. */
static void stage(struct limit *l, uint64_t now)
{
	struct measure *m = &l->measure;

	m->stage++;
	m->open = l->open_mean;
	m->low = delay_low(delay_in_hand(l));
	m->began = now;
	limit_move(l, fmax(fmin(l->cap, m->open) / 2, 1), LB_MOVED_MEASURE, now);
}

static void end(struct limit *l, uint64_t now)
{
	struct measure *m = &l->measure;

	limit_move(l, m->saved, LB_MOVED_MEASURE, now);
	l->suspect = 0;
	m->stage = 0;
	m->next = now + AGAIN_NS;
}

static void set(struct floor *f, const struct delay *d, uint64_t now)
{
	if (d->lows >= 2)
		floor_set(f, d, now);
}

/* The stage has been seen: on, or is this the floor? */
static void judge(struct limit *l, uint64_t now)
{
	struct measure *m = &l->measure;
	double low = delay_low(delay_in_hand(l)), open = l->w.open / l->w.seconds;
	double queue =
		l->finished_s > 0 ? (m->open - open) / l->finished_s : 0; /* the fall of a mere queue */
	bool follows = m->low - low > FOLLOWS * queue;

	if (follows && m->stage < STAGES && open > 1) {
		l->open_mean = open;
		stage(l, now);
		return;
	}
	set(&l->progress, &l->w.progress, now);
	set(&l->response, &l->w.response, now);
	end(l, now);
}

bool limit_measure(struct limit *l, bool may, uint64_t now)
{
	struct measure *m = &l->measure;

	if (!m->stage) {
		if (!may || !is_due(l, now) || delay_in_hand(l)->lows == 0)
			return false;
		m->saved = l->cap;
		stage(l, now);
		return true;
	}
	if (now - m->began > LONGEST_NS) {
		end(l, now);
		return true;
	}
	if (now < l->hold || l->w.seconds * 1e9 < STAGE_NS || delay_in_hand(l)->lows < FLOOR_BLOCKS)
		return true;
	judge(l, now);
	return true;
}
