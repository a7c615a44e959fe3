/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control laws: how the limits follow the signals. What they have in common: nothing grows that is not in
 * use; a cap that no congestion has met yet is doubled when it is, later it grows step by step. Control.
 */
#include "lb/govern/limit.h"

#define START_CAP    200.0 /* open INVITEs, before anything is known */
#define SPARE        16.0
#define SHRINK_S     5.0
#define GENTLE_NS    30000000000ull
#define REFUSED_MOST 0.2  /* share of refusals that bars growth, whoever they hit */
#define USELESS      0.5  /* share of refusals */
#define TRICKLE      10.0 /* calls per second that show when it is of use again */
#define LEAST_RATE                                                                                           \
	100.0 /* per second; with less, the bucket's burst would stop calls that come by chance              \
	       */

/* ---- What all have ------------------------------------------------------------------------------------- */

static void start(struct limit *l)
{
	l->cap = START_CAP;
	l->rate = INFINITY;
}

/*
 * The first congestion ends the doubling. From then on the rate is twice the best throughput: a guard against
 * bursts, for a cap that calls hold which wait for their far ends lets too many in at once.
 * Who refuses most calls, of all numbers and callers, gives places back so fast that a cap does not hold
 * calls off: others can take them. What is left doubles as soon as it is answered.
 */
static void guard(struct limit *l)
{
	const struct evidence *e = &l->evidence;

	l->rate = l->met ? fmax(2 * l->best_s, LEAST_RATE) : INFINITY;
	l->useless = e->refused_of_all > USELESS && (l->useless || e->refused_widely);
	if (l->useless)
		l->rate = fmax(2 * l->finished_s, TRICKLE);
}

/*
 * Before it: what is in use is doubled as long as no queue grows; what is not comes down to twice what has
 * been seen at once, so that a step of the load meets a limit before it has filled the gateway.
 */
static void double_cap(struct limit *l, uint64_t now)
{
	double enough = 2 * l->peak + SPARE;

	if (l->shown && l->known && l->queue_mid < l->target / 4)
		limit_move(l, 2 * l->cap, LB_MOVED_GREW, now);
	else if (!l->in_use && l->cap > enough)
		l->cap = fmax(enough, l->cap * (1 - l->w.seconds / SHRINK_S));
}

/*
 * ---- Gradient: the cap on open INVITEs is moved by the length of the queue that the delay tells of.
 * Throughput x (delay - floor) calls wait, throughput x target may. A window clocks itself, so that the
 * number of servers and their speed need not be known; and it closes by itself when a gateway goes mute.
 */

/*
 * Little's law: so many open INVITEs go with this throughput when the queue is as it should be. It tells of
 * now, where delays tell of the queue that calls met when they came; but only if the throughput is what the
 * gateway can do, and the delay without a queue is known.
 */
static double wanted(const struct limit *l, double finished_s)
{
	return finished_s * (l->unloaded + l->target);
}

/* Open INVITEs that a queue of that delay leaves room for. */
static double less_for_delay(const struct limit *l, double from)
{
	double cap = from - l->finished_s * (l->queue_lo - l->target), least = wanted(l, l->finished_s);

	if (floor_learned(&l->progress))
		cap = l->met ? fmax(cap, fmin(least, 0.9 * from)) : fmin(cap, least);
	return fmax(cap, from / 2);
}

/*
 * Who refuses has no room for what is there: less at any rate, and no longer a queue than is wanted, as far
 * as that is known.
 */
static double less_for_refusals(const struct limit *l)
{
	double from = fmin(l->cap, l->open_mean);

	return fmin(0.9 * from, fmax(wanted(l, l->finished_s), from / 2));
}

static void gradient_less(struct limit *l, enum lb_moved why, uint64_t now)
{
	double from = fmin(l->cap, fmax(l->w.open_max, LIMIT_LEAST));

	switch (why) {
	case LB_MOVED_DELAY:
		limit_move(l, fmax(less_for_delay(l, from), LIMIT_LEAST), why, now);
		break;
	case LB_MOVED_REFUSED:
	case LB_MOVED_ASKED:
	case LB_MOVED_REPEATED:
		l->gentle = now + GENTLE_NS;
		l->most = 0.9 * fmin(l->cap, l->open_mean);
		limit_move(l, fmax(less_for_refusals(l), LIMIT_LEAST), why, now);
		break;
	default:
		break;
	}
	l->met = true;
}

static void gradient_more(struct limit *l, uint64_t now)
{
	double room = l->target - l->queue_mid, more;

	if (!l->met) {
		double_cap(l, now);
		return;
	}
	if (!l->shown || room <= 0)
		return;
	more = 0.5 * l->finished_s * room;
	if (l->queue_mid < l->target / 4)
		more = fmax(more, fmin(wanted(l, l->best_s) - l->cap, l->cap / 4));
	if (now < l->gentle)
		more = fmin(more, fmax(l->most - l->cap, 0.01 * l->cap));
	limit_move(l, l->cap + fmin(fmax(more, 0.5), l->cap / 2), LB_MOVED_GREW, now);
}

static void gradient_step(struct limit *l, enum lb_moved congested, uint64_t now)
{
	guard(l);
	if (congested != LB_MOVED_NEVER) {
		gradient_less(l, congested, now);
		return;
	}
	if (l->told && l->evidence.refused_of_all < REFUSED_MOST)
		gradient_more(l, now);
}

/* ---- AIMD: the cap grows by 2 %, and is cut to 80 % when anything speaks for congestion. ---- */

static void aimd_step(struct limit *l, enum lb_moved congested, uint64_t now)
{
	guard(l);
	if (congested != LB_MOVED_NEVER) {
		l->met = true;
		if (congested != LB_MOVED_SILENT)
			limit_move(l, fmax(0.8 * fmin(l->cap, fmax(l->w.open_max, LIMIT_LEAST)), LIMIT_LEAST),
				   congested, now);
		return;
	}
	if (!l->told || l->evidence.refused_of_all >= REFUSED_MOST)
		return;
	if (!l->met)
		double_cap(l, now);
	else if (l->shown)
		limit_move(l, l->cap + fmax(0.02 * l->cap, 1), LB_MOVED_GREW, now);
}

/* ---- Static: no learning; the operator's max-cps and max-calls alone. ---- */

static void static_start(struct limit *l)
{
	l->cap = l->rate = INFINITY;
}

static void static_step(struct limit *l, enum lb_moved congested, uint64_t now)
{
	(void)l;
	(void)congested;
	(void)now;
}

const struct law *law_of(uint8_t law)
{
	static const struct law laws[LB_LAWS] = {
		[LB_LAW_GRADIENT] = { "gradient", start, gradient_step, true },
		[LB_LAW_AIMD] = { "aimd", start, aimd_step, true },
		[LB_LAW_STATIC] = { "static", static_start, static_step, false },
	};

	return &laws[law < LB_LAWS ? law : LB_LAW_STATIC];
}
