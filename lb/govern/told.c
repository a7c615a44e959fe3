/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: when refused callers are told to return, so that they find room and make no second wave: R callers
 * who were told to return need R / (C - F) seconds to be served beside F fresh requests per second, when
 * gateways take C. They are told that, up to twice that (RFC 3261 21.5.4), and so return spread over their
 * turn.
 *
 * F and C are measured. Who returns has a new Call-ID as a rule, so F is what comes less what was told to;
 * the middle of the last seconds, so that a crowd that comes at once is not taken for what will always come.
 * C is the most that was taken, and what is taken while many are refused. Control.
 */
#include <math.h>
#include "lb/govern/governor.h"

#define CROWDED  0.2 /* part of the requests that is refused when gateways take all they can */
#define FOLLOW   0.3 /* of a window, or of a step that is better, in the capacity then */
#define QUIET_NS UINT64_C(10000000000)
#define EASE     16 /* part by which what is told goes down in a step; up it goes at once */

struct told_cell told_sum(const struct lb_governor *g, uint32_t pool)
{
	struct told_cell sum = { 0 };

	for (uint32_t w = 0; w < g->n_workers; w++) {
		const struct told_cell *c = &g->workers[w]->told[pool];

		sum.arrived += __atomic_load_n(&c->arrived, __ATOMIC_RELAXED);
		sum.admitted += __atomic_load_n(&c->admitted, __ATOMIC_RELAXED);
		sum.refused += __atomic_load_n(&c->refused, __ATOMIC_RELAXED);
		sum.told += __atomic_load_n(&c->told, __ATOMIC_RELAXED);
		sum.lacked += __atomic_load_n(&c->lacked, __ATOMIC_RELAXED);
	}
	return sum;
}

/* The most that `least` may be, so that the jitter up to twice that stays below what may be told. */
static double most_of(const struct pool *p)
{
	return (p->retry_after_s + 1) / 2;
}

/* Seconds of one slot of the schedule. */
static double slot_s(const struct pool *p)
{
	return ceil((double)p->retry_after_s / (DUE_SLOTS - 2));
}

/* Slots that have passed: whoever was to return in them has. */
static void turn_schedule(struct telling_pool *t, const struct pool *p, uint64_t now)
{
	uint64_t width = (uint64_t)(slot_s(p) * 1e9);

	if (now - t->slot_end > DUE_SLOTS * width && now > t->slot_end) {
		memset(t->due, 0, sizeof(t->due));
		t->away = 0;
		t->slot_end = now + width;
	}
	for (; t->slot_end <= now; t->slot_end += width) {
		t->away = fmax(t->away - t->due[t->now_slot], 0);
		t->due[t->now_slot] = 0;
		t->now_slot = (t->now_slot + 1) % DUE_SLOTS;
	}
}

/* n callers were told to return between t->told seconds and twice that. */
static void schedule(struct telling_pool *t, const struct pool *p, uint32_t n)
{
	uint32_t first = (uint32_t)(t->told / slot_s(p)), last;

	last = (uint32_t)(fmin(2 * t->told, p->retry_after_s) / slot_s(p));
	last = last < DUE_SLOTS - 1 ? last : DUE_SLOTS - 1;
	for (uint32_t i = first; i <= last; i++)
		t->due[(t->now_slot + i) % DUE_SLOTS] += (double)n / (last - first + 1);
	t->away += n;
}

/* What they should be told, s. */
static double turn_of(const struct telling_pool *t, const struct pool *p)
{
	double room = t->capacity - t->usual;

	return room <= 0 ? most_of(p) : fmax(1, fmin(ceil(t->away / room), most_of(p)));
}

/* ---- What comes and what is taken ---------------------------------------------------------------------- */

static double middle(const float *all, uint32_t n)
{
	float sorted[WINDOWS];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t k = i;

		for (; k > 0 && sorted[k - 1] > all[i]; k--)
			sorted[k] = sorted[k - 1];
		sorted[k] = all[i];
	}
	return sorted[n / 2];
}

/* True if of what has come since so much was refused that the gateways must have taken all they can. */
static bool crowded(const struct told_cell *sum, const struct told_cell *since)
{
	return sum->refused - since->refused > CROWDED * (sum->arrived - since->arrived) + 1;
}

/* A crowd shows at once that gateways can take more than they were seen to. */
static void see_more(struct telling_pool *t, const struct told_cell *sum, double dt)
{
	double taken = (sum->admitted - t->before.admitted) / dt;

	if (taken > t->capacity && crowded(sum, &t->before))
		t->capacity += FOLLOW * (taken - t->capacity);
}

/* The window in hand is over; sum: as of now. */
static void close_window(struct telling_pool *t, const struct told_cell *sum, const struct pool *p,
			 uint64_t now)
{
	double s = (double)(now - t->window_at) * 1e-9, due = t->active ? t->due[t->now_slot] / slot_s(p) : 0;
	double arrived = (sum->arrived - t->window.arrived) / s;
	double taken = (sum->admitted - t->window.admitted) / s;

	if (t->window_at && s < 10) { /* else the clock has jumped */
		t->fresh[t->n_fresh++ % WINDOWS] = (float)fmax(arrived - due, 0);
		t->usual = middle(t->fresh, t->n_fresh < WINDOWS ? t->n_fresh : WINDOWS);
		if (crowded(sum, &t->window))
			t->capacity += FOLLOW * (taken - t->capacity);
		else
			t->capacity = fmax(t->capacity, taken);
	}
	t->window = *sum;
	t->window_at = now;
}

/* ---- The step ------------------------------------------------------------------------------------------ */

static void start(struct telling_pool *t, const struct told_cell *sum, const struct pool *p, uint64_t now)
{
	memset(t->due, 0, sizeof(t->due));
	t->active = true;
	t->before = *sum;
	t->slot_end = now + (uint64_t)(slot_s(p) * 1e9);
	t->away = 0;
	t->told = 1;
}

static void tell(struct lb_governor *g, uint32_t index, const struct told_cell *sum)
{
	struct telling_pool *t = &g->telling.pool[index];
	const struct pool *p = &g->s->pools[index];
	double turn;

	turn_schedule(t, p, g->now);
	schedule(t, p, sum->told - t->before.told);
	if (g->dt > 0)
		see_more(t, sum, g->dt);
	t->before = *sum;
	turn = turn_of(t, p);
	t->told = fmin(turn >= t->told ? turn : fmax(turn, t->told - t->told / EASE), most_of(p));
	t->active = g->now < t->quiet || t->away >= 1;
	__atomic_store_n(&g->words->pool[index].told, (uint16_t)(t->active ? ceil(t->told) : 0),
			 __ATOMIC_RELAXED);
}

void govern_told(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->s->n_pools; i++) {
		struct telling_pool *t = &g->telling.pool[i];
		uint8_t *shortage = &g->words->pool[i].shortage;
		bool refused = __atomic_load_n(shortage, __ATOMIC_RELAXED) & SHORT_FOR_SOME;
		bool over = g->now - t->window_at >= WINDOW_NS;
		struct told_cell sum;

		if (!refused && !over && !t->active)
			continue;
		sum = told_sum(g, i);
		if (refused) {
			__atomic_fetch_and(shortage, (uint8_t)~SHORT_FOR_SOME, __ATOMIC_RELAXED);
			t->quiet = g->now + QUIET_NS;
			if (!t->active)
				start(t, &sum, &g->s->pools[i], g->now);
		}
		if (over)
			close_window(t, &sum, &g->s->pools[i], g->now);
		if (t->active)
			tell(g, i, &sum);
	}
}
