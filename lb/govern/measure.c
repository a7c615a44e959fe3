/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Re-measuring a floor: the cap is halved for a moment, and again as long as the delay follows it. What falls
 * with the cap was a queue, what stays is the floor, be it lower than was thought (the first samples met a
 * queue already) or higher (the gateway has become slower, or its far ends have). Then the cap is what it
 * was. Control.
 */
#include "lb/govern/limit.h"

#define STAGES       6
#define STAGE_BLOCKS 4
#define STAGE_NS     300000000ull
#define LONGEST_NS   12000000000ull /* without answers a stage ends */
#define GUESS_NS     3000000000ull  /* one that was only guessed from the first samples, this old */
#define STALE_NS     60000000000ull /* a floor this old is measured again */
#define AGAIN_NS     5000000000ull  /* not sooner after the last time */
#define SUSPECT      10             /* cuts in a row that did not help */
#define TRIALS       2              /* cuts in a row that the delay does not follow: it is no queue */
#define SURE         2.8            /* standard errors of one window, for the difference of two */
#define STEADY       0.2            /* of a delay that does not grow any more */
#define FOLLOWS      0.3            /* of the fall that a queue would show */

/* The delay that tells most: the one whose samples are there. */
static const struct delay *delay_in_hand(const struct limit *l)
{
	return l->w.progress.lows > 0 ? &l->w.progress : &l->w.response;
}

/* And its floor. */
static const struct floor *delay_of(const struct limit *l)
{
	return l->w.progress.lows > 0 ? &l->progress : &l->response;
}

static bool is_due(const struct limit *l, uint64_t now)
{
	const struct floor *f = floor_known(&l->progress) ? &l->progress : &l->response;

	if (!l->met || isinf(l->cap) || !l->in_use || !l->known || now < l->measure.next)
		return false;
	return now - f->at > (floor_learned(f) ? STALE_NS : GUESS_NS) || l->suspect >= SUSPECT;
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

/* The delay is what it was without a queue: nothing can be below that. */
static bool is_at(const struct floor *f, const struct delay *d)
{
	struct excess x;

	if (!floor_learned(f) || d->lows < 2)
		return false;
	x = floor_excess(f, d);
	return fabs(x.value) < x.spread + SURE * x.error;
}

/* The stage has been seen: on, or is this the floor? */
static void judge(struct limit *l, uint64_t now)
{
	struct measure *m = &l->measure;
	double low = delay_low(delay_in_hand(l)), open = l->w.open / l->w.seconds;
	double queue =
		l->finished_s > 0 ? (m->open - open) / l->finished_s : 0; /* the fall of a mere queue */
	bool follows = m->low - low > FOLLOWS * queue && !is_at(delay_of(l), delay_in_hand(l));

	if (follows && m->stage < STAGES && open > 1) {
		l->open_mean = open;
		stage(l, now);
		return;
	}
	set(&l->progress, &l->w.progress, now);
	set(&l->response, &l->w.response, now);
	end(l, now);
}

/* ---- Cuts that were made for a queue --------------------------------------------------------------------
 */

static double spoke(const struct limit *l, const struct floor *f, const struct delay *d)
{
	if (!floor_known(f) || d->lows == 0 || delay_low(d) - f->low < l->target)
		return 0;
	return delay_low(d);
}

void limit_try(struct limit *l, double from, bool met)
{
	struct trial *t = &l->trial;
	double fall = (fmin(from, l->w.open_max) - l->cap) / fmax(l->finished_s, 1);

	if (fall < l->target / 2 || l->w.open_max > LIMIT_WAIT_S * l->finished_s)
		return; /* too small to be seen, or too long to wait for */
	if (t->cap == 0)
		*t = (struct trial){ .met = met, .cap = from };
	t->on = true;
	t->fall = fall;
	t->steady = fabs(l->queue_mid - l->queue_was) < STEADY * l->queue_mid;
	t->response = spoke(l, &l->response, &l->w.response);
	t->progress = spoke(l, &l->progress, &l->w.progress);
}

/* True if the cut has not moved a delay, chance aside. */
static bool stays(const struct trial *t, const struct floor *f, const struct delay *d, double before)
{
	if (before <= 0 || d->lows == 0)
		return false;
	return before - delay_low(d) + SURE * floor_excess(f, d).error < FOLLOWS * t->fall;
}

/* The cuts were wrong: all is as before the first of them. */
static void take_back(struct limit *l, uint64_t now)
{
	struct trial *t = &l->trial;

	limit_conclude(l, now);
	if (t->cap > l->cap) {
		l->met = t->met;
		limit_move(l, t->cap, LB_MOVED_MEASURE, now);
	}
	*t = (struct trial){ 0 };
}

void limit_no_queue(struct limit *l, uint64_t now)
{
	set(&l->progress, &l->w.progress, now);
	set(&l->response, &l->w.response, now);
	take_back(l, now);
}

void limit_tried(struct limit *l, uint64_t now)
{
	struct trial *t = &l->trial;
	bool response, progress;

	if (!t->on || (t->response > 0 && l->w.response.lows == 0) ||
	    (t->progress > 0 && l->w.progress.lows == 0))
		return; /* nothing to be seen yet */
	t->on = false;
	response = stays(t, &l->response, &l->w.response, t->response);
	progress = stays(t, &l->progress, &l->w.progress, t->progress);
	t->failed = !response && !progress ? 0 : t->failed + (t->steady ? TRIALS : 1);
	if (t->failed < TRIALS)
		return;
	if (response)
		floor_set(&l->response, &l->w.response, now);
	if (progress)
		floor_set(&l->progress, &l->w.progress, now);
	take_back(l, now);
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
	if (limit_waits(l, now) || l->w.seconds * 1e9 < STAGE_NS || delay_in_hand(l)->lows < STAGE_BLOCKS)
		return true;
	judge(l, now);
	return true;
}
