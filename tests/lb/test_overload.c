/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The governor against what must not lead it astray: clocks that jump, gateways that refuse or swallow all,
 * that flap together, that answer at once; and each kind of evidence by itself. Gateways are models of one
 * queue, in steps of a millisecond; the telling scenarios, with real calls, are bench/sim_overload/scenes.c.
 */
#include <math.h>
#include "lb/govern/governor.h"
#include "tests/lb/check.h"
#include "tests/lb/world.h"

#define MS      UINT64_C(1000000)
#define WAITING 4096

/* A gateway: so many calls a second pass through it one after the other, each `far` ns longer under way. */
struct model {
	double per_s, work; /* work: part of the next call that is done */
	uint64_t far;
	bool mute, refuses;
	uint64_t queue[WAITING]; /* when each came */
	uint32_t head, n;
	struct {
		uint64_t came, due;
	} away[WAITING]; /* served, and waiting for the far end */
	uint32_t first, n_away;
};

struct bed {
	struct world w;
	struct lb_governor *g;
	struct model m[4];
	unsigned n;
	double offered; /* per s, to each */
	double due[4];
	uint32_t calls; /* so far */
	uint32_t done;  /* calls that gateways finished */
	uint64_t stepped;
};

static void start(struct bed *b, unsigned gateways)
{
	memset(b, 0, sizeof(*b));
	world_start(&b->w, gateways);
	b->n = gateways;
	b->g = world_governor(&b->w);
	b->stepped = b->w.now;
	for (unsigned i = 0; i < gateways; i++)
		b->m[i].per_s = 400;
}

static void stop(struct bed *b)
{
	world_free(&b->w);
}

static struct limit *limit_of(struct bed *b, unsigned i)
{
	return &b->g->at[i].l;
}

/* The call that came at `from` has its answer. */
static void finish(struct bed *b, unsigned i, uint64_t from, bool refused)
{
	struct signals *s = signal_of(b->w.worker->signals, (uint16_t)i, b->w.now);
	uint64_t ns = b->w.now - from;

	signal_add(s->unanswered, -1);
	signal_add(s->finished, 1);
	signal_add(s->answered, 1);
	/* eight classes of numbers and of callers */
	signal_outcome(s, (uint8_t)((b->done % 8) | (b->done / 8 % 8) << 4), refused);
	if (!refused) {
		signal_delay(&s->response, ns);
		signal_delay(&s->progress, ns);
	}
	__atomic_fetch_sub(&b->w.words->gateway[i].open, 1, __ATOMIC_RELAXED);
	b->done++;
}

/* A call for gateway i, unless the governor says no. */
static void offer(struct bed *b, unsigned i)
{
	struct model *m = &b->m[i];
	struct signals *s = signal_of(b->w.worker->signals, (uint16_t)i, b->w.now);
	const struct ask ask = { .now = b->w.now, .what = ASK_CALL, .opens = true, .governed = true };

	b->calls++;
	if (m->n == WAITING || word_admit(b->w.words, (uint16_t)i, 1, &ask) != LB_STOP_NONE) {
		st_gateway_inc(b->w.lane, i, ST_GW_SKIPPED_OPEN);
		return;
	}
	signal_add(s->sent, 1);
	signal_add(s->unanswered, 1);
	if (m->refuses)
		finish(b, i, b->w.now, true);
	else
		m->queue[(m->head + m->n++) % WAITING] = b->w.now;
}

static void serve(struct bed *b, unsigned i)
{
	struct model *m = &b->m[i];

	if (m->mute)
		return;
	word_hear(&b->w.words->gateway[i], b->w.now);
	m->work = m->n ? m->work + m->per_s / 1000 : 0;
	while (m->n && m->work >= 1) {
		m->work -= 1;
		m->n--;
		assert_true(m->n_away < WAITING);
		m->away[(m->first + m->n_away) % WAITING].came = m->queue[m->head++ % WAITING];
		m->away[(m->first + m->n_away++) % WAITING].due = b->w.now + m->far;
	}
	for (; m->n_away && m->away[m->first % WAITING].due <= b->w.now; m->first++, m->n_away--)
		finish(b, i, m->away[m->first % WAITING].came, false);
}

/* Lets time pass; the governor steps by the clock that `jump` ns are added to once. */
static void run(struct bed *b, double seconds)
{
	uint64_t end = b->w.now + (uint64_t)(seconds * 1e9);

	while (b->w.now < end) {
		b->w.now += MS;
		for (unsigned i = 0; i < b->n; i++) {
			for (b->due[i] += b->offered / 1000; b->due[i] >= 1; b->due[i] -= 1)
				offer(b, i);
			serve(b, i);
		}
		if (b->w.now - b->stepped >= LB_STEP_NS) {
			b->stepped = b->w.now;
			lb_govern(b->g, b->w.snap, b->w.now, NULL, 0);
		}
	}
}

/* Calls that gateway i finishes in so many seconds, per second. */
static double throughput(struct bed *b, double seconds)
{
	uint32_t before = b->done;

	run(b, seconds);
	return (b->done - before) / seconds;
}

static void overload_is_held(void **state)
{
	struct bed b;
	struct lb_congestion c;

	(void)state;
	start(&b, 1);
	b.offered = 300;
	run(&b, 10);
	b.offered = 4000;
	run(&b, 3);
	assert_true(throughput(&b, 10) > 0.98 * 400);
	assert_true(b.m[0].n < 20); /* 50 ms at most wait */
	lb_congestion(b.g, 0, &c);
	assert_true(c.open_cap < 20);
	assert_true(c.progress.known);
	assert_true(c.progress.value < 0.05);
	b.offered = 300;
	run(&b, 5);
	assert_true(throughput(&b, 5) > 0.99 * 300);
	stop(&b);
}

static void what_is_off_stops_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1);
	b.w.pool[0].learn = LB_LEARN_OFF;
	world_build(&b.w);
	b.offered = 2000;
	run(&b, 1);
	assert_int_equal(b.w.words->gateway[0].open_cap, LB_UNLIMITED);
	assert_int_equal(b.w.words->gateway[0].rate.interval, BUCKET_FREE);
	stop(&b);
}

static void clocks_that_jump(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 2);
	b.offered = 2000;
	run(&b, 10);
	for (int i = 0; i < 20; i++) {
		const double cap = limit_of(&b, 0)->cap;

		lb_govern(b.g, b.w.snap, b.w.now + (i % 2 ? 3600 * SECOND : 0), NULL, 0); /* far ahead */
		lb_govern(b.g, b.w.snap, b.w.now - (i % 3 ? 5 * SECOND : 0), NULL, 0); /* back, or the same */
		assert_true(limit_of(&b, 0)->cap == cap);
		run(&b, 0.5);
	}
	run(&b, 5);
	assert_true(throughput(&b, 5) > 0.97 * 800);
	stop(&b);
}

static void one_that_refuses_all(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1);
	b.offered = 300;
	run(&b, 10);
	b.m[0].refuses = true;
	run(&b, 20);
	assert_true(isfinite(limit_of(&b, 0)->cap));
	assert_true(limit_of(&b, 0)->cap >= 2);
	b.m[0].refuses = false;
	run(&b, 20);
	assert_true(throughput(&b, 5) > 0.99 * 300);
	stop(&b);
}

static void all_flap_together(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 4);
	b.offered = 300;
	run(&b, 10);
	for (int i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 4; k++)
			b.m[k].mute = i % 2 == 0;
		run(&b, 1.2);
		for (unsigned k = 0; k < 4; k++) {
			assert_true(limit_of(&b, k)->cap >= 2);
			assert_true(b.m[k].n <= 400); /* a window closes by itself */
		}
	}
	for (unsigned k = 0; k < 4; k++)
		b.m[k].mute = false;
	run(&b, 70); /* health lets them back by steps */
	assert_true(throughput(&b, 5) > 0.97 * 1200);
	stop(&b);
}

static void delays_of_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1);
	b.m[0].per_s = 1e6; /* all within the millisecond that they come in */
	b.offered = 20000;
	run(&b, 20);
	assert_true(throughput(&b, 2) > 0.99 * 20000);
	stop(&b);
}

static void a_slower_far_end_is_no_queue(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1);
	b.offered = 300;
	run(&b, 20);
	b.m[0].far = SECOND / 2; /* all of a sudden, and not because of calls that wait */
	run(&b, 30);
	assert_true(throughput(&b, 10) > 0.99 * 300);
	assert_true(limit_of(&b, 0)->progress.low > 0.4);
	stop(&b);
}

/* Who takes long to answer is given as long before INVITEs come again; who only observes changes nothing. */
static void slow_answers_are_waited_for(void **state)
{
	static const struct {
		uint64_t far_ms;
		enum lb_learn learn;
		enum lb_law law;
		uint64_t after_max_ms;
		unsigned least, most; /* of T1, ms */
	} table[] = {
		{ 400, LB_LEARN_ON, LB_LAW_GRADIENT, 4000, 780, 840 },
		{ 400, LB_LEARN_ON, LB_LAW_AIMD, 4000, 780, 840 },
		{ 240, LB_LEARN_ON, LB_LAW_GRADIENT, 4000, 0, 0 },        /* 500 ms will do */
		{ 1500, LB_LEARN_ON, LB_LAW_GRADIENT, 4000, 2000, 2000 }, /* once before another is asked */
		{ 1500, LB_LEARN_ON, LB_LAW_GRADIENT, 1000, 0, 0 },
		{ 400, LB_LEARN_ON, LB_LAW_STATIC, 4000, 0, 0 },
		{ 400, LB_LEARN_OBSERVE, LB_LAW_GRADIENT, 4000, 0, 0 },
		{ 400, LB_LEARN_OFF, LB_LAW_GRADIENT, 4000, 0, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct lb_congestion c;
		struct bed b;

		start(&b, 1);
		b.w.pool[0].learn = (uint8_t)table[i].learn;
		b.w.pool[0].law = (uint8_t)table[i].law;
		b.w.pool[0].after_max_ns = table[i].after_max_ms * MS;
		world_build(&b.w);
		b.m[0].far = table[i].far_ms * MS;
		b.offered = 40;
		run(&b, 10);
		lb_congestion(b.g, 0, &c);
		assert_in_range(c.t1_ms, table[i].least, table[i].most);
		stop(&b);
	}
}

/* Servers that take long tell late of a step of load: until they do, the limit stays; then it is right at
 * once. */
static void a_step_meets_slow_servers(void **state)
{
	struct bed b;
	double before;

	(void)state;
	start(&b, 1);
	b.m[0].per_s = 80;
	b.m[0].far = SECOND * 4 / 10;
	b.offered = 64;
	run(&b, 7);
	before = limit_of(&b, 0)->cap;
	b.offered = 400;
	run(&b, 0.7);
	assert_true(limit_of(&b, 0)->cap <= before);
	run(&b, 2.3);
	for (unsigned i = 0; i < 10; i++) {
		assert_true(throughput(&b, 1) > 0.97 * 80);
		assert_true(b.m[0].n < 80 * 0.25); /* calls that wait: a quarter of a second */
	}
	stop(&b);
}

static void slower_service_is_found_out(void **state)
{
	struct bed b;

	(void)state;
	start(&b, 1);
	b.offered = 2000;
	run(&b, 20);
	b.m[0].per_s = 100;
	run(&b, 10);
	assert_true(throughput(&b, 10) > 0.97 * 100);
	assert_true(b.m[0].n <= 20);
	b.m[0].per_s = 400;
	run(&b, 10);
	assert_true(throughput(&b, 10) > 0.97 * 400);
	stop(&b);
}

/* ---- Evidence ------------------------------------------------------------------------------------------ */

static enum lb_moved refusals(unsigned numbers, unsigned callers, unsigned percent)
{
	struct evidence e = { 0 };

	for (unsigned step = 0; step < 20; step++) {
		struct reading r = { .sent = 100 };

		for (unsigned i = 0; i < 100; i++) {
			unsigned number = i % 8, caller = i / 8 % 8;
			bool refused = number < numbers && caller < callers && i * 37 % 100 < percent;

			(refused ? r.refused : r.taken)[0][number]++;
			(refused ? r.refused : r.taken)[1][caller]++;
		}
		evidence_add(&e, &r, 0.1, false);
	}
	return evidence_of(&e);
}

static void refusals_must_be_widespread(void **state)
{
	(void)state;
	assert_int_equal(refusals(8, 8, 30), LB_MOVED_REFUSED);
	assert_int_equal(refusals(8, 8, 100), LB_MOVED_REFUSED);
	assert_int_equal(refusals(8, 8, 3), LB_MOVED_NEVER);
	assert_int_equal(refusals(2, 8, 100), LB_MOVED_NEVER); /* dead prefixes */
	assert_int_equal(refusals(8, 2, 100), LB_MOVED_NEVER); /* callers that are barred */
	assert_int_equal(refusals(1, 1, 100), LB_MOVED_NEVER);
}

static void repeats_are_held_against_what_they_were(void **state)
{
	struct evidence e = { 0 };
	struct reading lossy = { .sent = 100, .repeated = 10 }, drops = { .sent = 100, .repeated = 40 };

	(void)state;
	for (unsigned i = 0; i < 600; i++)
		evidence_add(&e, &lossy, 0.1, true); /* 5 % of datagrams are lost each way */
	assert_int_equal(evidence_of(&e), LB_MOVED_NEVER);
	for (unsigned i = 0; i < 10; i++)
		evidence_add(&e, &drops, 0.1, false);
	assert_int_equal(evidence_of(&e), LB_MOVED_REPEATED);
}

static void causes_that_exculpate(void **state)
{
	(void)state;
	assert_true(signal_is_refusal(503, 0));
	assert_true(signal_is_refusal(503, 34));
	assert_true(signal_is_refusal(500, 42));
	assert_false(signal_is_refusal(503, 1)); /* unallocated number */
	assert_false(signal_is_refusal(503, 27));
	assert_false(signal_is_refusal(486, 0));
	assert_false(signal_is_refusal(488, 0));
	assert_false(signal_is_refusal(408, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overload_is_held),
		cmocka_unit_test(what_is_off_stops_nothing),
		cmocka_unit_test(clocks_that_jump),
		cmocka_unit_test(one_that_refuses_all),
		cmocka_unit_test(all_flap_together),
		cmocka_unit_test(delays_of_nothing),
		cmocka_unit_test(a_slower_far_end_is_no_queue),
		cmocka_unit_test(slow_answers_are_waited_for),
		cmocka_unit_test(a_step_meets_slow_servers),
		cmocka_unit_test(slower_service_is_found_out),
		cmocka_unit_test(refusals_must_be_widespread),
		cmocka_unit_test(repeats_are_held_against_what_they_were),
		cmocka_unit_test(causes_that_exculpate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
