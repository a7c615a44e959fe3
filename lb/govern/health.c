/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health of one gateway: see health.h. The table `machine` is the whole of it, the functions above it say
 * when an event has come. Must stay true: only silence leads to DOWN, only answers to calls lead out of
 * PROBING, and no state but DOWN gives a gateway nothing.
 */
#include "lb/govern/health.h"

#define SECOND 1000000000ull

/* ns from `then` to `now`; none if the clock has jumped back. */
static uint64_t from(uint64_t then, uint64_t now)
{
	return now > then ? now - then : 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Twice a limit; what nobody can reach is none. */
static uint32_t twice(uint32_t limit)
{
	return limit >= 1u << 20 ? LB_UNLIMITED : 2 * limit;
}

static void unlimited(struct health *h)
{
	h->rate = LB_UNLIMITED;
	h->open_cap = LB_UNLIMITED;
}

void health_init(struct health *h, enum lb_health state, uint64_t now)
{
	*h = (struct health){ .state = (uint8_t)state, .since = now, .calm = now, .second = now };
	unlimited(h);
}

/* ---- What was seen ----------------------------------------------------------------------------------- */

void health_probe(struct health *h, enum lb_probe_result result, uint64_t sent, uint64_t heard)
{
	if (result != LB_PROBE_SILENT) {
		h->ok += h->ok < UINT8_MAX;
		h->lost = 0;
		h->probe_ok = sent;
		h->refusing = result == LB_PROBE_REFUSED;
		h->refusals += h->refusing && h->refusals < UINT8_MAX;
		return;
	}
	h->ok = 0;
	if (h->lost && heard >= h->probe_lost) /* a sign of life: those before it do not count */
		h->lost = 0;
	if (heard >= sent)
		return;
	if (h->lost == 0)
		h->probe_lost = sent;
	h->lost += h->lost < UINT8_MAX;
}

/* Counts begin anew: what passed it by while it was being tried says nothing about what it can take. */
static void start_second(struct health *h, uint64_t now)
{
	h->second = now;
	h->sent = h->answered = h->refused = h->passed = 0;
}

/* The second in hand is over. */
static void end_second(struct health *h, uint64_t now)
{
	h->carried = h->sent;
	h->offered = h->sent + h->passed;
	if (h->state == LB_UP)
		h->usual = h->carried > h->usual ? h->carried : h->usual - (h->usual - h->carried) / 8;
	start_second(h, now);
}

void health_note(struct health *h, const struct health_seen *s)
{
	if (s->heard > h->heard) {
		h->heard = s->heard;
		h->asked = 0;
		h->asked_n = h->bounced_n = 0;
	} else if (s->sent) {
		h->asked = h->asked ? h->asked : s->now;
		h->asked_n += s->sent;
	}
	h->bounced_n += s->bounced;
	if (s->answered)
		h->due = 0;
	else if (s->sent && !h->due)
		h->due = s->now;
	h->sent += s->sent;
	h->answered += s->answered;
	h->refused += s->refused;
	h->passed += s->passed;
	if (h->state == LB_PROBING && s->answered > s->refused)
		h->taken = (uint8_t)least(h->taken + s->answered - s->refused, UINT8_MAX);
}

/* True if `then` is set and at least `ns` ago, not counting when we could not hear. */
static bool is_past(uint64_t then, uint64_t ns, const struct health_seen *s)
{
	return then && s->now >= later(then, s->hearing) + ns;
}

enum lb_health_why health_silent(const struct health *h, const struct health_seen *s, uint32_t *figure)
{
	/* What has just come back has less credit. */
	static const struct {
		uint8_t pending, bounced;
	} most[] = { [LB_UP] = { HEALTH_PENDING, HEALTH_BOUNCED },
		     [LB_SATURATED] = { HEALTH_PENDING, HEALTH_BOUNCED },
		     [LB_PROBING] = { 1, 1 },
		     [LB_SLOWSTART] = { 3, 2 } };

	if (h->state == LB_DOWN)
		return LB_WHY_NONE;
	if (is_past(h->asked, HEALTH_BOUNCED_NS, s) && h->bounced_n >= most[h->state].bounced) {
		*figure = h->bounced_n;
		return LB_WHY_ICMP;
	}
	if (is_past(h->asked, HEALTH_MUTE_NS, s) && h->asked_n >= most[h->state].pending) {
		*figure = h->asked_n;
		return LB_WHY_MUTE;
	}
	if (h->state == LB_PROBING && is_past(h->due, HEALTH_ANSWER_NS, s)) {
		*figure = (uint32_t)((from(h->due, s->now)) / 1000000);
		return LB_WHY_UNANSWERED;
	}
	*figure = h->lost;
	return s->down_after && h->lost >= s->down_after ? LB_WHY_PROBES : LB_WHY_NONE;
}

bool health_mute(const struct health *h, const struct health_seen *s, uint64_t ns, uint64_t *heard,
		 uint64_t *asked)
{
	uint64_t first = h->lost ? h->probe_lost : UINT64_MAX;

	if (is_past(h->asked, ns, s) && h->asked < first)
		first = h->asked;
	*heard = later(h->heard, h->probe_ok);
	*asked = first;
	return first != UINT64_MAX && first >= *heard;
}

/* ---- Events: what each state waits for beside silence -------------------------------------------------- */

struct sign {
	enum health_event event;
	enum lb_health_why why;
	uint32_t figure;
};
static const struct sign nothing = { HEALTH_NOTHING, LB_WHY_NONE, 0 };

/* A sign that it is full: HEALTH_FULL, or nothing. */
static struct sign full(const struct health *h, const struct health_seen *s)
{
	if (h->refusing)
		return (struct sign){ HEALTH_FULL, LB_WHY_PROBE_503, h->carried };
	if (s->oc)
		return (struct sign){ HEALTH_FULL, LB_WHY_OC, h->carried };
	if (h->offered / 2 > h->carried)
		return (struct sign){ HEALTH_FULL, LB_WHY_OFFERED, h->offered };
	return nothing;
}

static struct sign when_saturated(struct health *h, const struct health_seen *s)
{
	if (full(h, s).event)
		h->full = s->now;
	if (from(h->full, s->now) < HEALTH_EASED_NS)
		return nothing;
	if (h->rate == LB_UNLIMITED)
		return (struct sign){ HEALTH_CLEAR, LB_WHY_CLEAR, 0 };
	return (struct sign){ HEALTH_EASED, LB_WHY_EASED, h->rate };
}

static struct sign when_down(struct health *h, const struct health_seen *s)
{
	bool alive = (s->down_after && h->ok >= s->up_after) || h->heard > h->since;

	if (s->now < h->hold || (s->down_after && !alive))
		return nothing;
	return (struct sign){ HEALTH_BACK, alive ? LB_WHY_ALIVE : LB_WHY_HELD_OFF, 0 };
}

static struct sign when_probing(struct health *h, const struct health_seen *s)
{
	return h->taken < HEALTH_TAKEN ? nothing : (struct sign){ HEALTH_PROVEN, LB_WHY_PROVEN, h->taken };
}

static struct sign when_slow(struct health *h, const struct health_seen *s)
{
	if (h->refusing)
		return full(h, s);
	if (h->rate >= s->limit || h->open_cap >= s->limit_open)
		return (struct sign){ HEALTH_CLEAR, LB_WHY_LIMIT, h->rate };
	if (from(h->clear, s->now) >= HEALTH_CLEAR_NS || from(h->since, s->now) >= HEALTH_SLOW_MAX_NS)
		return (struct sign){ HEALTH_CLEAR, LB_WHY_CLEAR, 0 };
	return nothing;
}

static struct sign when_up(struct health *h, const struct health_seen *s)
{
	return full(h, s);
}

/* ---- What a state does when it begins, and after that ----------------------------------------------------
 */

static void enter_up(struct health *h, const struct health_seen *s)
{
	unlimited(h);
	start_second(h, s->now);
	h->offered = 0;
	h->calm = s->now;
}

static void enter_saturated(struct health *h, const struct health_seen *s)
{
	h->full = s->now;
}

static void enter_down(struct health *h, const struct health_seen *s)
{
	uint64_t hold = HEALTH_HOLD_NS << h->flaps;

	h->hold = s->now + (hold < HEALTH_HOLD_MAX_NS ? hold : HEALTH_HOLD_MAX_NS);
	h->flaps += h->flaps < HEALTH_FLAPS;
	h->ok = 0;
	h->heard = later(h->heard, s->heard);
	unlimited(h);
}

static void enter_probing(struct health *h, const struct health_seen *s)
{
	h->taken = 0;
	h->lost = 0;
	h->asked = h->due = 0;
	h->asked_n = h->bounced_n = 0;
	h->rate = HEALTH_TRICKLE;
	h->open_cap = HEALTH_TAKEN;
}

static void enter_slow(struct health *h, const struct health_seen *s)
{
	uint32_t rate = h->usual / 4 > HEALTH_START ? h->usual / 4 : HEALTH_START;

	h->clear = s->now;
	start_second(h, s->now);
	if (h->why == LB_WHY_EASED && h->rate > rate)
		rate = h->rate;
	h->rate = rate;
	h->open_cap = twice(rate);
}

/* In a pool where nobody is well there is nobody to wait for: the trickle doubles with each answer. */
static void keep_probing(struct health *h, const struct health_seen *s)
{
	h->rate = HEALTH_TRICKLE;
	if (s->alone)
		h->rate = h->taken < 4 ? HEALTH_TRICKLE << h->taken : HEALTH_TRICKLE_MAX;
	h->open_cap = HEALTH_TAKEN * h->rate;
}

/* Each second twice as much, or half of it if more than a fifth was refused. */
static void keep_slow(struct health *h, const struct health_seen *s)
{
	if (from(h->second, s->now) < SECOND)
		return;
	if (h->refused * 5 > h->answered) {
		h->rate = h->rate > 1 ? h->rate / 2 : 1;
		h->clear = s->now;
	} else {
		h->rate = twice(h->rate);
	}
	h->open_cap = twice(h->rate);
}

/*
 * Each refused probe takes three tenths of what it gets; each second in which it took that without a refusal
 * gives a tenth back. So one that refuses probes out of habit keeps its calls.
 */
static void keep_saturated(struct health *h, const struct health_seen *s)
{
	bool answered = s->lowered >= h->probe_ok;

	if (from(h->second, s->now) < SECOND)
		return;
	if (h->refusals == 0 && h->rate != LB_UNLIMITED && h->answered && !h->refused &&
	    h->sent >= h->rate / 2)
		h->rate += h->rate / 10 + 1;
	for (; h->refusals; h->refusals--) {
		uint32_t now = least(h->rate, h->carried > h->sent ? h->carried : h->sent);

		if (h->carried && !answered) /* else there is no second to judge by */
			h->rate = now > 3 ? now - now * 3 / 10 : 1;
	}
}

/* Being well for a while takes flaps off. */
static void forgive(struct health *h, const struct health_seen *s)
{
	if (h->flaps && from(h->calm, s->now) >= HEALTH_CALM_NS) {
		h->flaps--;
		h->calm = s->now;
	}
}

/* ---- The machine --------------------------------------------------------------------------------------- */

static const struct {
	struct sign (*look)(struct health *, const struct health_seen *);
	void (*enter)(struct health *, const struct health_seen *);
	void (*keep)(struct health *, const struct health_seen *); /* each step after that */
} states[] = {
	[LB_UP] = { when_up, enter_up, forgive },
	[LB_SATURATED] = { when_saturated, enter_saturated, keep_saturated },
	[LB_DOWN] = { when_down, enter_down, NULL },
	[LB_PROBING] = { when_probing, enter_probing, keep_probing },
	[LB_SLOWSTART] = { when_slow, enter_slow, keep_slow },
};

/* Where an event leads; 0: it means nothing in that state. */
#define TO(state) (1 + (state))
static const uint8_t machine[][HEALTH_EVENTS] = {
	[LB_UP] = { [HEALTH_SILENT] = TO(LB_DOWN), [HEALTH_FULL] = TO(LB_SATURATED) },
	[LB_SATURATED] = { [HEALTH_SILENT] = TO(LB_DOWN),
			   [HEALTH_EASED] = TO(LB_SLOWSTART),
			   [HEALTH_CLEAR] = TO(LB_UP) },
	[LB_DOWN] = { [HEALTH_BACK] = TO(LB_PROBING) },
	[LB_PROBING] = { [HEALTH_SILENT] = TO(LB_DOWN), [HEALTH_PROVEN] = TO(LB_SLOWSTART) },
	[LB_SLOWSTART] = { [HEALTH_SILENT] = TO(LB_DOWN),
			   [HEALTH_FULL] = TO(LB_SATURATED),
			   [HEALTH_CLEAR] = TO(LB_UP) },
};

static bool change(struct health *h, const struct health_seen *s, enum lb_health to, const struct sign *sign)
{
	h->state = (uint8_t)to;
	h->since = s->now;
	h->why = (uint8_t)sign->why;
	h->figure = sign->figure;
	states[to].enter(h, s);
	return true;
}

/* Under maintenance nothing is known and nothing is asked; after it the gateway comes back like one that was
 * DOWN. */
static bool maintain(struct health *h, const struct health_seen *s)
{
	const struct sign ready = { HEALTH_BACK, LB_WHY_READY, 0 };
	bool over = h->maint && s->admin != LB_MAINT;

	h->maint = s->admin == LB_MAINT;
	if (over)
		h->flaps = 0;
	return over && change(h, s, LB_PROBING, &ready);
}

/* The clock went back: all that was to come is as far away as it can be, and nobody has been silent. */
static void set_back(struct health *h, const struct health_seen *s)
{
	h->since = h->clear = h->full = h->calm = h->second = s->now;
	h->heard = h->probe_ok = h->asked = h->due = 0;
	h->asked_n = h->bounced_n = h->lost = 0;
	if (h->hold > s->now + HEALTH_HOLD_MAX_NS)
		h->hold = s->now + HEALTH_HOLD_MAX_NS;
}

bool health_step(struct health *h, const struct health_seen *s)
{
	struct sign sign = { HEALTH_SILENT, LB_WHY_NONE, 0 };
	bool changed = false;

	if (s->now < h->second)
		set_back(h, s);
	if (h->maint || s->admin == LB_MAINT)
		return maintain(h, s);
	sign.why = health_silent(h, s, &sign.figure);
	if (sign.why == LB_WHY_NONE || s->panic)
		sign = states[h->state].look(h, s);
	if (sign.event && machine[h->state][sign.event])
		changed = change(h, s, (enum lb_health)(machine[h->state][sign.event] - 1), &sign);
	else if (states[h->state].keep)
		states[h->state].keep(h, s);
	if (from(h->second, s->now) >= SECOND)
		end_second(h, s->now);
	return changed;
}
