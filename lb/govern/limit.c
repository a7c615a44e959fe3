/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: what each gateway may be given, as learned from how it answers. Signals are collected until
 * they tell something, and only those about calls that were sent under the limits in force; then the law
 * decides. Control. Must stay true: a floor is learned only while the gateway is below half of its limits or
 * by measuring it; what is not in use does not grow.
 */
#include "lb/govern/governor.h"

#define TARGET_PART 0.6   /* of the unloaded delay that calls may wait in the gateway */
#define TARGET_MIN  0.008 /* s; less is the noise of a machine that does other things, and nobody hears it */
#define TARGET_MAX  0.2   /* s; a long delay of far ends is no reason for a long queue; T1 is 0.5 s */
#define SURE        2.0   /* standard errors */
#define ENOUGH      2     /* blocks that a decision needs */
#define BEST_S      60.0  /* the best throughput fades in this time */
#define REPEATED_ANYWAY                                                                                      \
	0.3 /* s; far ends that take so long are later than T1 now and then: repeats without load */
#define PEAK_S     600.0          /* the same of the most calls at once */
#define FEW        2.0            /* open INVITEs that cannot wait for each other for long */
#define STOPPED_NS 30000000000ull /* a limit that led to a stop does not grow for so long */
#define PACE_S     0.5            /* least that throughput is told over */
#define JUDGED_NS  1000000000ull  /* under a new cap, until it is clear whether it did help */
#define LONGEST_S  2.0            /* a decision is made after this long with what there is */

const char *lb_moved_name(enum lb_moved why)
{
	static const char *const names[LB_MOVED_REASONS] = {
		[LB_MOVED_NEVER] = "never",     [LB_MOVED_START] = "start",
		[LB_MOVED_GREW] = "grew",       [LB_MOVED_DELAY] = "delay",
		[LB_MOVED_REFUSED] = "refused", [LB_MOVED_REPEATED] = "repeated",
		[LB_MOVED_SILENT] = "silent",   [LB_MOVED_MEASURE] = "measure",
		[LB_MOVED_ASKED] = "asked",
	};

	return names[why];
}

void limit_start(struct limit *l, const struct law *law)
{
	*l = (struct limit){ .law = law, .target = TARGET_MIN };
	law->start(l);
}

static void window_clear(struct limit *l)
{
	l->w = (struct window){ 0 };
}

/* ---- Throughput -----------------------------------------------------------------------------------------
 *
 * A burst fills all servers at once and they finish at once, one service time later: what finishes is told
 * over whole service times. And from calls that were there before the cap came into use only what was asked
 * for can be told, not what the gateway can do.
 */

static void pace_add(struct pace *p, double finished, double dt)
{
	p->finished[p->n % PACE_STEPS] = (uint16_t)fmin(finished, UINT16_MAX);
	p->ms[p->n % PACE_STEPS] = (uint16_t)fmin(dt * 1e3 + 0.5, UINT16_MAX);
	p->n++;
}

/* Per second, over the last `seconds`, if it is remembered for so long. */
static double pace_of(const struct pace *p, double seconds)
{
	double finished = 0, ms = 0;

	for (uint32_t i = 1; i <= PACE_STEPS && i <= p->n && ms < seconds * 1e3 - 1; i++) {
		finished += p->finished[(p->n - i) % PACE_STEPS];
		ms += p->ms[(p->n - i) % PACE_STEPS];
	}
	return ms > 0 ? finished / ms * 1e3 : 0;
}

static void conclude_pace(struct limit *l, uint64_t now)
{
	double whole = fmax(l->unloaded, 0.01) * ceil(PACE_S / fmax(l->unloaded, 0.01));
	double used = l->used ? (double)(now - l->used) * 1e-9 - l->unloaded : 0;

	l->paced = used >= fmin(l->unloaded, PACE_S) && used > 0;
	if (l->paced && used < whole)
		whole = used >= l->unloaded ? l->unloaded * floor(used / l->unloaded) : used;
	l->finished_s = pace_of(&l->pace, whole);
}

double limit_delay(const struct limit *l)
{
	double low = fmax(l->progress.low, l->response.low);

	return fmin(low + fmax(l->queue_mid, 0), LIMIT_WAIT_S);
}

void limit_move(struct limit *l, double cap, enum lb_moved why, uint64_t now)
{
	double wait = limit_delay(l);

	if (cap == l->cap)
		return;
	/* Those that are there must go first: first in, first out. */
	l->ahead = cap < l->cap ? l->w.open_max : 0;
	if (cap > l->cap && why == LB_MOVED_MEASURE && l->best_s > 0) /* and the queue must be there again */
		wait = fmax(wait, cap / l->best_s);
	if (cap < l->cap && why != LB_MOVED_MEASURE)
		l->lowered = now;
	l->moved_from = l->cap;
	l->cap = cap;
	l->why = why;
	l->moved = now;
	l->hold = now + 1 + (uint64_t)(fmin(wait, LIMIT_WAIT_S) * 1e9);
}

bool limit_waits(const struct limit *l, uint64_t now)
{
	return now < l->hold || (l->ahead > 0 && now < l->moved + (uint64_t)(LIMIT_WAIT_S * 1e9));
}

/* ---- What the window shows ------------------------------------------------------------------------------
 */

static double refusals(const struct reading *r)
{
	double n = 0;

	for (unsigned i = 0; i < ORIGINS; i++)
		n += r->refused[0][i];
	return n;
}

/* A refusal is nothing done. */
static double done(const struct reading *r)
{
	return r->finished - fmin(r->finished, refusals(r));
}

/* What every step notes, whether or not answers are waited for. */
static void note_use(struct limit *l, const struct reading *r, uint64_t now, double dt)
{
	pace_add(&l->pace, done(r), dt);
	l->ahead = fmax(l->ahead - r->finished, 0);
	if (!l->used && (r->open > l->cap / 2 || r->capped > 0))
		l->used = now;
}

static void collect(struct limit *l, const struct reading *r, double dt)
{
	struct window *w = &l->w;

	delay_add(&w->response, &r->response);
	delay_add(&w->progress, &r->progress);
	w->seconds += dt;
	w->sent += r->sent;
	w->answered += r->answered;
	w->finished += done(r);
	w->capped += r->capped;
	w->open += r->open * dt;
	w->open_max = fmax(w->open_max, r->open);
	w->steps++;
}

/* Time for a decision: every signal that has a floor has something to say, or will not have it soon. */
static bool is_full(const struct limit *l)
{
	const struct window *w = &l->w;
	bool response = !floor_known(&l->response) || w->response.lows >= ENOUGH;
	bool progress = !floor_known(&l->progress) || w->progress.lows >= ENOUGH;
	bool either = w->response.lows >= ENOUGH || w->progress.lows >= ENOUGH;

	return w->steps > 0 &&
	       ((response && progress && either) || w->seconds > LONGEST_S + 2 * limit_delay(l));
}

static void look_at(struct limit *l, const struct floor *f, const struct delay *d)
{
	struct excess x;

	if (!floor_known(f) || d->lows == 0)
		return;
	x = floor_excess(f, d);
	l->queue_lo = fmax(l->queue_lo, x.value - x.spread - SURE * x.error);
	l->queue_mid = fmax(l->queue_mid, x.value - x.spread);
	l->known = true;
}

/* Since when the cap is in use, as the window shows. */
static void conclude_use(struct limit *l, uint64_t now)
{
	uint64_t began = now - (uint64_t)(l->w.seconds * 1e9);

	l->in_use = (isfinite(l->cap) && l->w.open_max > l->cap / 2) || l->w.capped > 0;
	if (!l->in_use)
		l->used = 0;
	l->shown = l->used && began >= l->used + (uint64_t)(l->unloaded * 1e9);
}

/* Puts the window into figures. */
void limit_conclude(struct limit *l, uint64_t now)
{
	const struct window *w = &l->w;

	l->unloaded = floor_known(&l->progress) ? l->progress.mean : l->response.mean;
	conclude_use(l, now);
	conclude_pace(l, now);
	l->sent_s = w->sent / w->seconds;
	l->open_mean = w->open / w->seconds;
	l->peak = fmax(l->peak * exp(-w->seconds / PEAK_S), w->open_max);
	l->best_s = fmax(l->best_s * exp(-w->seconds / BEST_S), l->finished_s);
	l->target = fmin(fmax(TARGET_PART * l->unloaded, TARGET_MIN), TARGET_MAX);
	l->queue_was = l->queue_mid;
	l->queue_lo = l->queue_mid = -INFINITY;
	l->known = false;
	look_at(l, &l->response, &w->response);
	look_at(l, &l->progress, &w->progress);
	l->told = floor_known(&l->progress) && w->progress.lows > 0;
	l->response_low = w->response.lows > 0 ? delay_low(&w->response) : l->response_low;
	l->progress_low = w->progress.lows > 0 ? delay_low(&w->progress) : l->progress_low;
	if (!l->known)
		l->queue_lo = l->queue_mid = 0;
}

/* So little is asked of the gateway that no queue can stand there. */
static bool is_idle(const struct limit *l)
{
	return l->w.capped == 0 && l->w.open_max <= l->cap / 2 && l->sent_s <= l->rate / 2 &&
	       l->w.finished >= 0.8 * l->w.sent;
}

static void learn(struct limit *l, uint64_t now)
{
	bool idle = l->known && is_idle(l) && l->queue_mid < l->target / 4;
	void (*how)(struct floor *, const struct delay *, uint64_t) = idle ? floor_learn : floor_lower;

	how(&l->response, &l->w.response, now);
	how(&l->progress, &l->w.progress, now);
}

/* ---- The decision -------------------------------------------------------------------------------------- */

/* INVITEs are answered later than T1 without load, or may be. */
static bool repeats_anyway(const struct limit *l)
{
	const struct floor *f = &l->response;

	return !floor_known(f) || (floor_learned(f) ? f->mean : f->seen_mean) > REPEATED_ANYWAY;
}

/* What speaks for less; LB_MOVED_NEVER: nothing. */
static enum lb_moved congestion(const struct limit *l)
{
	enum lb_moved evidence = evidence_of(&l->evidence);

	if (l->asked)
		return LB_MOVED_ASKED;
	if (l->known && l->queue_lo > l->target && (l->in_use || !l->met))
		return LB_MOVED_DELAY;
	if (evidence == LB_MOVED_REPEATED && repeats_anyway(l))
		evidence = LB_MOVED_NEVER;
	if (evidence == LB_MOVED_REFUSED && l->evidence.refused_widely)
		return evidence;
	if (evidence != LB_MOVED_NEVER && (l->in_use || l->queue_lo > l->target / 4))
		return evidence;
	if (l->w.sent > 0 && l->w.finished == 0 && l->w.answered == 0 && l->open_mean >= 4)
		return LB_MOVED_SILENT;
	return LB_MOVED_NEVER;
}

/* The last cut for refusals or repeats: if they go on as before, the load is not their cause. */
static bool judge(struct limit *l, uint64_t now)
{
	struct evidence *e = &l->evidence;
	bool refused = e->blamed == LB_MOVED_REFUSED;
	double share = refused ? e->refused_share : e->repeated_share;

	if (e->blamed == LB_MOVED_NEVER)
		return true;
	if (e->judged == 0) /* the first answers under the new cap */
		e->judged = now + JUDGED_NS;
	if (now < e->judged)
		return false;
	if (share > 0.8 * e->blamed_share) {
		*(refused ? &e->refused_floor : &e->repeated_floor) = share;
		limit_move(l, e->blamed_cap, LB_MOVED_MEASURE, now);
		l->met = e->blamed_met;
	}
	e->blamed = LB_MOVED_NEVER;
	return true;
}

static void blame(struct limit *l, enum lb_moved why, double cap, bool met)
{
	struct evidence *e = &l->evidence;

	if (why != LB_MOVED_REFUSED && why != LB_MOVED_REPEATED)
		return;
	e->blamed = why;
	e->blamed_share = why == LB_MOVED_REFUSED ? e->refused_share : e->repeated_share;
	e->blamed_cap = cap;
	e->blamed_met = met;
	e->judged = 0;
}

static void decide(struct limit *l, uint64_t now)
{
	enum lb_moved congested;
	double cap = l->cap;
	bool met = l->met;

	limit_tried(l, now);
	if (l->known && l->in_use && l->cap <= FEW && l->queue_lo > 2 * (l->target + l->progress.mean))
		limit_no_queue(l, now);
	congested = congestion(l);
	l->asked = false;
	if (congested != LB_MOVED_DELAY)
		l->trial = (struct trial){ 0 };
	l->suspect = congested == LB_MOVED_DELAY ? l->suspect + 1 : 0;
	if (!judge(l, now) && (congested == LB_MOVED_REFUSED || congested == LB_MOVED_REPEATED))
		return;
	if (congested == LB_MOVED_NEVER && now < l->shrunk)
		return;
	l->law->step(l, congested, now);
	if (congested == LB_MOVED_DELAY && l->cap < cap && !l->trial.on)
		limit_try(l, cap, met);
	blame(l, congested, cap, met);
}

static void tell(struct lb_governor *g, struct limit *l, uint16_t slot)
{
	const struct gateway *gw = gateway_by_slot(g->s, slot);
	bool less = l->moved == g->now && l->cap < l->moved_from && l->why != LB_MOVED_MEASURE;
	struct lb_notice n = {
		.slot = slot, .pool = gw->pool, .peer = LB_NONE, .a = (uint32_t)fmin(l->cap, 4e9)
	};

	if (less && !l->congested) {
		l->congested = true;
		n.kind = LB_NOTICE_CONGESTED;
		governor_notice(g, n);
	}
	if (less || l->in_use)
		l->busy = g->now;
	if (l->congested && g->now - l->busy > LB_CLEAR_NS) {
		l->congested = false;
		n.kind = LB_NOTICE_CLEAR;
		governor_notice(g, n);
	}
}

/* A stop begins: there was too much of what was open, and each time that it is tried again costs a stop. */
static void stop(struct limit *l, double open, uint64_t now)
{
	double cap = fmax(0.9 * fmin(l->cap, open), LIMIT_LEAST);

	l->shrunk = now + STOPPED_NS;
	l->met = true;
	l->trial = (struct trial){ 0 }; /* no cut before is taken back */
	l->evidence.blamed = LB_MOVED_NEVER;
	if (l->measure.stage)
		l->measure.saved = fmin(l->measure.saved, cap);
	limit_move(l, cap, LB_MOVED_ASKED, now);
}

/* What it asks for by Retry-After. False: all that is seen of it comes from the trickle of a stop. */
static bool heed(struct limit *l, const struct governed *at, uint64_t now)
{
	uint8_t effect = at->ra.effect, before = l->heeded;

	l->heeded = effect;
	l->asked = effect == LB_RETRY_SHRINK && (l->asked || at->r.retry_after);
	if (effect == LB_RETRY_SHRINK)
		l->shrunk = at->ra.until;
	else if (before == LB_RETRY_SHRINK)
		l->shrunk = 0;
	if (effect != LB_RETRY_STOP)
		return true;
	if (before != LB_RETRY_STOP && isfinite(l->cap))
		stop(l, fmax(at->r.open, l->w.open_max), now);
	window_clear(l);              /* which says nothing of what it can take */
	evidence_clear(&l->evidence); /* nor does what brought the stop about say what comes after it */
	return false;
}

static void step(struct lb_governor *g, struct governed *at, uint16_t slot)
{
	struct limit *l = &at->l;
	uint16_t pool = gateway_by_slot(g->s, slot)->pool;
	bool measured = l->measure.stage > 0, urgent, may, waits;

	evidence_add(&l->evidence, &at->r, g->dt, is_idle(l));
	waits = limit_waits(l,
			    g->now - (uint64_t)(g->dt * 1e9)); /* some of what the step has seen is older */
	note_use(l, &at->r, g->now, g->dt);
	if (!heed(l, at, g->now))
		return;
	if (waits) {
		l->asked = false;
		return;
	}
	collect(l, &at->r, g->dt);
	urgent = l->asked || evidence_of(&l->evidence) == LB_MOVED_REFUSED;
	if (!is_full(l) && (measured || !urgent))
		return;
	if (!measured) {
		limit_conclude(l, g->now);
		learn(l, g->now);
	}
	may = l->law->measures && g->s->pools[pool].learn == LB_LEARN_ON && g->measuring[pool] == 0;
	if (!limit_measure(l, may, g->now))
		decide(l, g->now);
	else if (!limit_waits(l, g->now) && l->measure.stage)
		return; /* the stage goes on collecting */
	g->measuring[pool] += (l->measure.stage > 0) - measured;
	tell(g, l, slot);
	window_clear(l);
}

/* A pool whose config has changed, or a law that is off, starts anew. */
static void follow_config(struct lb_governor *g, struct governed *at, uint16_t slot)
{
	const struct pool *pool = &g->s->pools[gateway_by_slot(g->s, slot)->pool];
	const struct law *law = law_of(pool->learn == LB_LEARN_OFF ? LB_LAW_STATIC : pool->law);

	if (at->l.law != law)
		limit_start(&at->l, law);
}

void govern_limits(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->n_awake; i++) {
		struct governed *at = &g->at[g->awake[i]];

		follow_config(g, at, g->awake[i]);
		if (g->dt > 0)
			step(g, at, g->awake[i]);
		else
			window_clear(&at->l);
		if (at->r.open || at->r.sent || at->l.congested)
			at->asleep = false;
	}
}

/* ---- Sight --------------------------------------------------------------------------------------------- */

static struct lb_signal_sight delay_sight(const struct limit *l, const struct floor *f, double low)
{
	return (struct lb_signal_sight){ low, f->low, f->low + l->target, floor_known(f) };
}

void limit_sight(const struct limit *l, struct lb_congestion *out)
{
	const struct evidence *e = &l->evidence;

	out->why = l->why;
	out->moved = l->moved;
	out->moved_from = l->moved_from < LB_UNLIMITED ? (uint32_t)l->moved_from : LB_UNLIMITED;
	out->offered_s = l->sent_s;
	out->finished_s = l->finished_s;
	out->response = delay_sight(l, &l->response, l->response_low);
	out->progress = delay_sight(l, &l->progress, l->progress_low);
	out->refused = (struct lb_signal_sight){ e->refused_share, e->refused_floor,
						 e->refused_floor + EVIDENCE_SHARE, true };
	out->repeated = (struct lb_signal_sight){ e->repeated_share, e->repeated_floor,
						  e->repeated_floor + EVIDENCE_SHARE, true };
	out->measuring = l->measure.stage > 0;
}
