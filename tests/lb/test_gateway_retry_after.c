/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gateways that answer calls with 503 and Retry-After (RFC 3261 21.5.4): from the response to what the pool
 * gives them, for each value of the key; and what they must not be able to do with it. Calls are given out
 * by pick() and answered at once, in steps of a millisecond.
 */
#include <stdlib.h>
#include "lb/choose/pick.h"
#include "lb/govern/governor.h"
#include "tests/lb/check.h"
#include "tests/lb/scene.h"
#include "tests/lb/world.h"

#define MS       UINT64_C(1000000)
#define GATEWAYS 4

struct bed {
	struct world w;
	uint64_t stepped;
	uint32_t calls;
	double offered, due;     /* calls per s, to the pool */
	uint32_t asks[GATEWAYS]; /* Retry-After that the gateway refuses calls with, s; 0: it takes them */
	uint32_t got[GATEWAYS], none; /* calls, and those that nobody could be given */
	struct lb_notice last;        /* about Retry-After */
	unsigned notices;
};

/* Nothing is learned, but where learns() says so. */
static void start(struct bed *b, unsigned gateways, enum lb_gateway_retry what, uint64_t most_s)
{
	memset(b, 0, sizeof(*b));
	world_init(&b->w);
	for (unsigned i = 0; i < gateways; i++)
		world_gateway(&b->w, 0, 10, 0);
	b->w.pool[0].law = LB_LAW_STATIC;
	b->w.pool[0].gateway_retry = what;
	b->w.pool[0].gateway_retry_max_ns = most_s * SECOND;
	world_build(&b->w);
	world_governor(&b->w);
	b->stepped = b->w.now;
}

static void learns(struct bed *b)
{
	b->w.pool[0].law = LB_LAW_GRADIENT;
	world_build(&b->w);
}

static void stop(struct bed *b)
{
	world_free(&b->w);
}

static void step(struct bed *b)
{
	struct lb_notice notices[16];
	unsigned n = lb_govern(b->w.governor, b->w.snap, b->w.now, notices, 16);

	b->stepped = b->w.now;
	for (unsigned i = 0; i < n; i++) {
		if (notices[i].kind != LB_NOTICE_RETRY_AFTER && notices[i].kind != LB_NOTICE_RETRY_AFTER_OVER)
			continue;
		b->last = notices[i];
		b->notices++;
	}
}

/* Lets the next step be due, and makes it. */
static void next(struct bed *b)
{
	b->w.now += LB_STEP_NS;
	step(b);
}

static void answer(struct bed *b, uint16_t slot, uint32_t retry_after_s)
{
	struct signals *s = signal_of(b->w.worker->signals, slot, b->w.now);

	signal_add(s->sent, 1);
	signal_add(s->finished, 1);
	signal_delay(&s->response, 10 * MS);
	signal_outcome(s, (uint8_t)((b->calls % 8) | (b->calls / 8 % 8) << 4), retry_after_s > 0);
	if (retry_after_s)
		signal_retry_after(s, retry_after_s);
	else
		signal_delay(&s->progress, 20 * MS);
	word_hear(&b->w.words->gateway[slot], b->w.now);
}

/* So many answers of a gateway, of which some are such 503s, within one step. */
static void answers(struct bed *b, uint16_t slot, unsigned well, unsigned refused, uint32_t retry_after_s)
{
	for (unsigned i = 0; i < well; i++)
		answer(b, slot, 0);
	for (unsigned i = 0; i < refused; i++)
		answer(b, slot, retry_after_s);
	next(b);
}

static void offer(struct bed *b)
{
	const struct pick p = {
		.words = b->w.words,
		.lane = b->w.lane,
		.call_hash = ++b->calls * UINT64_C(0x9e3779b97f4a7c15),
		.ask = { .now = b->w.now, .what = ASK_CALL, .opens = true, .governed = true },
	};
	const struct gateway *g = pick(&p, b->w.snap, 0);

	if (!g) {
		b->none++;
		return;
	}
	b->got[g->slot]++;
	answer(b, g->slot, b->asks[g->slot]);
	word_close(b->w.words, g->slot, g->pool, g->tier, b->w.words->gateway[g->slot].life);
}

static void run(struct bed *b, double seconds)
{
	uint64_t end = b->w.now + (uint64_t)(seconds * 1e9);

	memset(b->got, 0, sizeof(b->got));
	b->none = 0;
	while (b->w.now < end) {
		b->w.now += MS;
		for (b->due += b->offered / 1000; b->due >= 1; b->due -= 1)
			offer(b);
		if (b->w.now - b->stepped >= LB_STEP_NS)
			step(b);
	}
}

/* As run(), while its limit makes calls pass gateway 0 by. */
static void run_into_limit(struct bed *b, double seconds)
{
	for (unsigned i = 0; i < seconds * 10; i++) {
		st_gateway_inc(b->w.lane, 0, ST_GW_SKIPPED_OPEN);
		run(b, 0.1);
	}
}

static enum lb_retry effect(const struct bed *b, uint16_t slot)
{
	struct lb_congestion c;

	lb_congestion(b->w.governor, slot, &c);
	return c.retry;
}

static double left_s(const struct bed *b, uint16_t slot)
{
	struct lb_congestion c;

	lb_congestion(b->w.governor, slot, &c);
	return (double)c.retry_left_ns / 1e9;
}

/* ---- When it counts ------------------------------------------------------------------------------------ */

static void one_is_none(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 3, 1, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	answers(&b, 0, 19, 0, 0);
	answers(&b, 0, 0, 1, 5); /* 20 answers after the first */
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	answers(&b, 0, 18, 0, 0);
	answers(&b, 0, 0, 1, 5); /* 19 answers after the second */
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	assert_int_equal(b.notices, 1);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER);
	assert_int_equal(b.last.a, LB_RETRY_STOP);
	assert_int_equal(b.last.b, 5);
	assert_int_equal(effect(&b, 1), LB_RETRY_NONE);
	stop(&b);
}

/* Two of a crowd, or two in two minutes, are no more than one. */
static void few_are_none(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 95, 5, 5); /* not more than 5 % */
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	answers(&b, 0, 94, 6, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 1, 0, 1, 5);
	for (unsigned i = 0; i < 61; i++) {
		b.w.now += SECOND;
		step(&b);
	}
	answers(&b, 1, 0, 1, 5);
	assert_int_equal(effect(&b, 1), LB_RETRY_NONE);
	answers(&b, 1, 0, 1, 5);
	assert_int_equal(effect(&b, 1), LB_RETRY_STOP);
	stop(&b);
}

static void what_is_asked_has_a_bound(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 0, 2, 1);
	assert_true(left_s(&b, 0) > 0.99 && left_s(&b, 0) <= 1);
	answers(&b, 1, 0, 2, INT32_MAX);
	assert_true(left_s(&b, 1) > 4.99 && left_s(&b, 1) <= 5);
	run(&b, 1);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER_OVER);
	assert_int_equal(b.last.slot, 0);
	assert_int_equal(b.last.a, 0);
	run(&b, 4);
	assert_int_equal(effect(&b, 1), LB_RETRY_RETURN);
	answers(&b, 1, 0, 1, 1); /* two more are needed */
	assert_int_equal(effect(&b, 1), LB_RETRY_RETURN);
	run(&b, 4);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	stop(&b);
}

/* The last of two workers in a row has nothing to say: what another one has heard before counts. */
static void workers_hear_for_all(void **state)
{
	struct lb_worker second;
	struct signal_board *other = calloc(1, sizeof(*other));
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	second = *b.w.worker;
	second.signals = other;
	b.w.governor->workers[b.w.governor->n_workers++] = &second;
	signal_retry_after(signal_of(other, 0, b.w.now), 50);
	next(&b);
	answers(&b, 0, 0, 2, 7);
	assert_true(left_s(&b, 0) > 6.9 && left_s(&b, 0) <= 7);
	b.w.governor->n_workers--;
	free(other);
	stop(&b);
}

/* ---- stop ---------------------------------------------------------------------------------------------- */

static void a_trickle_goes_on(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	b.offered = 200;
	run(&b, 5);
	assert_true(b.got[0] > 400);
	b.asks[0] = 5;
	run(&b, 0.5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	run(&b, 60);
	assert_in_range(b.got[0], 55, 61); /* one a second, each of which says so again */
	assert_in_range(b.got[1], 200 * 60 - 62, 200 * 60 - 50);
	assert_int_equal(b.none, 0);
	stop(&b);
}

/* What is refused then, and how little is open, is no measure of what it can take. */
static void a_trickle_teaches_nothing(void **state)
{
	struct bed b;
	double cap;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	learns(&b);
	b.offered = 4000;
	run(&b, 5);
	b.w.words->gateway[0].open = 40; /* that it is busy with */
	run(&b, 1);
	b.asks[0] = 5;
	while (effect(&b, 0) != LB_RETRY_STOP)
		run(&b, 0.01);
	b.w.words->gateway[0].open = 0;
	cap = b.w.governor->at[0].l.cap;
	run(&b, 4);
	assert_true(b.w.governor->at[0].l.cap == cap);
	stop(&b);
}

/* Who has a learned limit is given less of it, and comes back to that at once. */
static void a_limit_takes_the_steps_place(void **state)
{
	struct bed b;
	double cap;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	learns(&b);
	b.w.words->gateway[0].open = 100; /* that it is busy with */
	b.offered = 4000;
	run(&b, 2);
	answers(&b, 0, 10, 2, 5);
	cap = b.w.governor->at[0].l.cap;
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	assert_true(cap > 80 && cap < 95);
	b.w.words->gateway[0].open = 0;
	answers(&b, 0, 100, 0, 0);
	run(&b, 0.5); /* one of 64 is 30 a second: three are soon answered */
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	assert_int_equal(b.w.words->gateway[0].rate.interval == BUCKET_FREE ||
				 bucket_rate(&b.w.words->gateway[0].rate) >= 1000,
			 1);
	run_into_limit(&b, 20);
	assert_true(b.w.governor->at[0].l.cap <= cap); /* that it is not tried again so soon */
	run_into_limit(&b, 15);
	assert_true(b.w.governor->at[0].l.cap > cap);
	stop(&b);
}

/* It takes calls again long before the time is over, and gets more of them every second. */
static void who_comes_back_early(void **state)
{
	struct bed b;
	uint32_t before = 0;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 3600);
	b.offered = 100;
	run(&b, 5);
	b.asks[0] = 3600;
	run(&b, 0.5);
	b.asks[0] = 0;
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	run(&b, 1.5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	run(&b, 2);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER_OVER);
	assert_int_equal(b.last.a, 1);
	assert_true(b.got[0] < 30);
	for (unsigned i = 0; i < 2; i++) {
		run(&b, 1);
		assert_true(b.got[0] > before && b.got[0] < 45);
		before = b.got[0];
	}
	run(&b, 3);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	run(&b, 1);
	assert_true(b.got[0] > 40);
	stop(&b);
}

static void a_refusal_of_any_kind_is_no_return(void **state)
{
	struct bed b;
	struct signals *s;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	answers(&b, 0, 0, 2, 60);
	for (unsigned i = 0; i < 20; i++) {
		s = signal_of(b.w.worker->signals, 0, b.w.now);
		signal_add(s->finished, 1);
		signal_outcome(s, 0, i % 2); /* every second one: 503 without Retry-After */
		next(&b);
	}
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 0, 3, 0, 0);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	stop(&b);
}

/* Answers to calls that left before the stop do not show what it can take now. */
static void what_was_there_before_proves_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	b.w.words->gateway[0].open = 50;
	answers(&b, 0, 0, 2, 60);
	answers(&b, 0, 50, 0, 0);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 0, 3, 0, 0);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	stop(&b);
}

/* ---- The pool ------------------------------------------------------------------------------------------ */

static unsigned stopped(const struct bed *b, unsigned n)
{
	unsigned sum = 0;

	for (uint16_t i = 0; i < n; i++)
		sum += effect(b, i) == LB_RETRY_STOP;
	return sum;
}

static void half_of_a_pool_goes_on(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 2, 0, 2, 5);
	answers(&b, 1, 0, 2, 5);
	answers(&b, 0, 0, 2, 5);
	assert_int_equal(stopped(&b, 4), 2);
	assert_int_equal(effect(&b, 0), LB_RETRY_SPARE); /* the last to ask */
	assert_int_equal(b.last.a, LB_RETRY_SPARE);
	answers(&b, 3, 0, 2, 5);
	assert_int_equal(stopped(&b, 4), 4);
	run(&b, 4.75); /* that of the first is over */
	assert_int_equal(effect(&b, 2), LB_RETRY_RETURN);
	assert_int_equal(stopped(&b, 4), 2);
	run(&b, 5);
	assert_int_equal(stopped(&b, 4), 0);
	stop(&b);
}

/* Those who are down or drained are not those who go on. */
static void half_is_of_those_who_are_there(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	lb_set_admin(b.w.words, 2, LB_DRAIN);
	lb_set_admin(b.w.words, 3, LB_MAINT);
	answers(&b, 0, 0, 2, 5);
	answers(&b, 3, 0, 2, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answers(&b, 1, 0, 2, 5);
	assert_int_equal(stopped(&b, 2), 2); /* all who are there ask */
	lb_set_admin(b.w.words, 2, LB_READY);
	run(&b, 1);
	assert_int_equal(stopped(&b, 2), 1);
	stop(&b);
}

static void all_say_so(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4, LB_GATEWAY_RETRY_STOP, 5);
	b.offered = 400;
	run(&b, 5);
	for (unsigned i = 0; i < 4; i++)
		b.asks[i] = 5;
	run(&b, 1);
	assert_int_equal(stopped(&b, 4), 4);
	run(&b, 30);
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(b.got[i], 28, 31);
	memset(b.asks, 0, sizeof(b.asks));
	run(&b, 10);
	run(&b, 5);
	assert_int_equal(stopped(&b, 4), 0);
	assert_int_equal(b.none, 0);
	stop(&b);
}

/* A gateway that is alone is all of its pool. */
static void one_alone(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1, LB_GATEWAY_RETRY_STOP, 5);
	b.offered = 100;
	b.asks[0] = 5;
	run(&b, 10);
	assert_true(b.got[0] <= 10 + 11);
	b.asks[0] = 0;
	run(&b, 10);
	run(&b, 2);
	assert_int_equal(b.none, 0);
	stop(&b);
}

/* ---- Requests in dialogs ------------------------------------------------------------------------------- */

static void running_calls_go_on(void **state)
{
	struct world_call call;
	struct bed b;

	(void)state;
	start(&b, 1, LB_GATEWAY_RETRY_STOP, 5);
	call = world_call(&b.w, 1);
	answers(&b, 0, 0, 2, 5);
	b.offered = 100;
	run(&b, 0.5);
	assert_true(b.none >= 45);
	for (unsigned i = 0; i < 100; i++) {
		struct lb_query q = world_in_dialog(&call, METHOD_INFO);
		const struct lb_act *act = world_input(&b.w, &q);

		assert_int_equal(act->op, LB_FORWARD);
		assert_int_equal(act->gateway, 0);
	}
	stop(&b);
}

/* ---- shrink and ignore --------------------------------------------------------------------------------- */

static void shrink_lowers_the_limit(void **state)
{
	struct lb_congestion c;
	struct bed b;
	uint32_t cap;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_SHRINK, 5);
	learns(&b);
	b.offered = 400;
	run(&b, 2);
	lb_congestion(b.w.governor, 0, &c);
	cap = c.open_cap;
	answers(&b, 0, 10, 2, 5);
	lb_congestion(b.w.governor, 0, &c);
	assert_int_equal(c.retry, LB_RETRY_SHRINK);
	assert_int_equal(c.why, LB_MOVED_ASKED);
	assert_string_equal(lb_moved_name(c.why), "asked");
	assert_true(c.open_cap < cap / 2);
	assert_int_equal(b.last.a, LB_RETRY_SHRINK);
	cap = c.open_cap;
	run_into_limit(&b, 4.5); /* nothing else speaks against more */
	lb_congestion(b.w.governor, 0, &c);
	assert_int_equal(c.open_cap, cap);
	assert_int_equal(effect(&b, 0), LB_RETRY_SHRINK);
	run_into_limit(&b, 3);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	lb_congestion(b.w.governor, 0, &c);
	assert_true(c.open_cap > cap);
	stop(&b);
}

static void nothing_is_shrunk_that_is_not_learned(void **state)
{
	struct lb_congestion c;
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_SHRINK, 5);
	b.offered = 200;
	b.asks[0] = 5;
	run(&b, 5);
	lb_congestion(b.w.governor, 0, &c);
	assert_int_equal(c.open_cap, LB_UNLIMITED);
	assert_int_equal(c.rate, LB_UNLIMITED);
	stop(&b);
}

static void ignore_does_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_IGNORE, 5);
	b.offered = 200;
	b.asks[0] = 5;
	run(&b, 10);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	assert_int_equal(b.notices, 0);
	assert_true(b.got[0] > 900);
	stop(&b);
}

static void reloads_are_followed(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 60);
	answers(&b, 0, 0, 2, 60);
	assert_true(left_s(&b, 0) > 59);
	b.w.pool[0].gateway_retry_max_ns = 3 * SECOND;
	world_build(&b.w);
	next(&b);
	assert_true(left_s(&b, 0) <= 3);
	b.w.pool[0].gateway_retry = LB_GATEWAY_RETRY_SHRINK;
	world_build(&b.w);
	next(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_SHRINK);
	assert_int_equal(b.w.words->gateway[0].rate.interval, BUCKET_FREE);
	b.w.pool[0].gateway_retry = LB_GATEWAY_RETRY_STOP;
	world_build(&b.w);
	next(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	assert_int_equal(b.w.words->gateway[0].rate.interval, SECOND);
	b.w.pool[0].gateway_retry = LB_GATEWAY_RETRY_IGNORE;
	world_build(&b.w);
	next(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_NONE);
	assert_int_equal(b.w.words->gateway[0].rate.interval, BUCKET_FREE);
	assert_int_equal(b.last.kind, LB_NOTICE_RETRY_AFTER_OVER);
	stop(&b);
}

static void clocks_that_jump(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2, LB_GATEWAY_RETRY_STOP, 5);
	answers(&b, 0, 0, 2, 5);
	b.w.now -= 500 * SECOND;
	step(&b);
	assert_true(left_s(&b, 0) <= 5);
	run(&b, 5.2);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	answers(&b, 0, 0, 2, 5);
	assert_int_equal(effect(&b, 0), LB_RETRY_STOP);
	answer(&b, 1, 5);
	answer(&b, 1, 5);
	b.w.now += 3600 * SECOND; /* who knows when it said so */
	step(&b);
	assert_int_equal(effect(&b, 0), LB_RETRY_RETURN);
	assert_int_equal(effect(&b, 1), LB_RETRY_NONE);
	stop(&b);
}

/* ---- The worker ---------------------------------------------------------------------------------------- */

/* A response of branch 0; what has been counted after it. */
static unsigned counted(struct scene *s, uint16_t status, uint32_t retry_after_s, uint16_t q850)
{
	struct lb_query q = scene_response(s, 0, METHOD_INVITE, status);

	q.retry_after_s = retry_after_s;
	q.q850 = q850;
	scene_input(s, &q);
	assert_int_equal(s->w.lane->gateways[0].count[ST_GW_RETRY_AFTER],
			 s->w.worker->signals->at[0].retry_after);
	return s->w.worker->signals->at[0].retry_after;
}

static void what_workers_count(void **state)
{
	static const struct {
		uint16_t status, q850;
		uint32_t retry_after_s;
		unsigned counts;
	} table[] = {
		{ 503, 0, 5, 1 },         { 503, 34, 5, 1 }, /* no circuit */
		{ 503, 1, 5, 0 },                            /* unallocated number: not for want of room */
		{ 503, 0, 0, 0 },                            /* none, or none that can be believed */
		{ 503, 0, INT32_MAX, 1 }, { 500, 0, 5, 0 }, /* RFC 3261 21.5.1: only of interest to the caller
							     */
		{ 486, 0, 5, 0 },         { 404, 0, 5, 0 },  { 600, 0, 5, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct scene s;

		scene_ring(&s, 1);
		assert_int_equal(counted(&s, table[i].status, table[i].retry_after_s, table[i].q850),
				 table[i].counts);
		counted(&s, table[i].status, table[i].retry_after_s, table[i].q850); /* repeated */
		assert_int_equal(s.w.worker->signals->at[0].retry_after, table[i].counts);
		assert_true(s.w.worker->signals->at[0].retry_after_s <= RETRY_AFTER_MOST_S);
		world_free(&s.w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_is_none),
		cmocka_unit_test(few_are_none),
		cmocka_unit_test(what_is_asked_has_a_bound),
		cmocka_unit_test(workers_hear_for_all),
		cmocka_unit_test(a_trickle_goes_on),
		cmocka_unit_test(a_trickle_teaches_nothing),
		cmocka_unit_test(a_limit_takes_the_steps_place),
		cmocka_unit_test(who_comes_back_early),
		cmocka_unit_test(a_refusal_of_any_kind_is_no_return),
		cmocka_unit_test(what_was_there_before_proves_nothing),
		cmocka_unit_test(half_of_a_pool_goes_on),
		cmocka_unit_test(half_is_of_those_who_are_there),
		cmocka_unit_test(all_say_so),
		cmocka_unit_test(one_alone),
		cmocka_unit_test(running_calls_go_on),
		cmocka_unit_test(shrink_lowers_the_limit),
		cmocka_unit_test(nothing_is_shrunk_that_is_not_learned),
		cmocka_unit_test(ignore_does_nothing),
		cmocka_unit_test(reloads_are_followed),
		cmocka_unit_test(clocks_that_jump),
		cmocka_unit_test(what_workers_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
