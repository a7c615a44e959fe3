/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What gateways ask for by overload control is done: the figures of RFC 7339 7.2 and RFC 7415 3.5, from the
 * response that says it to the request that is withheld; and what they cannot mean is not.
 */
#include <stdlib.h>
#include "lb/govern/governor.h"
#include "lb/choose/pick.h"
#include "tests/lb/check.h"
#include "tests/lb/world.h"

#define STEP LB_STEP_NS
#define SEQ  UINT64_C(128232161578200) /* 1282321615.782 */

struct bed {
	struct world w;
	struct lb_governor *g;
	uint32_t n; /* calls so far */
	unsigned told[LB_NOTICE_COUNT];
};

static void step(struct bed *b, uint64_t ns)
{
	struct lb_notice notice[8];
	unsigned n;

	b->w.now += ns;
	n = lb_govern(b->g, b->w.snap, b->w.now, notice, 8);
	for (unsigned i = 0; i < n; i++)
		b->told[notice[i].kind]++;
}

static void steps(struct bed *b, unsigned n)
{
	for (; n > 0; n--)
		step(b, STEP);
}

static void start(struct bed *b)
{
	memset(b, 0, sizeof(*b));
	world_init(&b->w);
	world_gateway(&b->w, 0, 10, 0);
	b->w.gateway[0].oc = 1;
	world_build(&b->w);
	b->g = world_governor(&b->w);
	step(b, STEP);
}

static void stop(struct bed *b)
{
	world_free(&b->w);
}

/* A new request; true if it was forwarded. */
static bool offer(struct bed *b, enum method method)
{
	struct lb_query q = world_request(&b->w, method, b->n, b->n);

	b->n++;
	return world_input(&b->w, &q)->op == LB_FORWARD;
}

/* How many of n new calls at this moment were forwarded. */
static unsigned offer_n(struct bed *b, unsigned n)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < n; i++)
		taken += offer(b, METHOD_INVITE);
	return taken;
}

/* The gateway answers something with overload control, and the next step has taken it in. */
static void say(struct bed *b, uint8_t algo, uint32_t value, uint32_t validity_ms, uint64_t seq)
{
	char text[LIMIT_BRANCH];
	struct lb_query q = { .method = METHOD_OPTIONS,
			      .status = 200,
			      .src = b->w.gateway[0].addr,
			      .call_hash = 77,
			      .oc = { algo, value, validity_ms, seq } };

	q.branch = text_of(text, lb_probe_branch(b->w.snap, lb_gateway_id(STR("gw0")), 0, 77, text));
	assert_int_equal(world_input(&b->w, &q)->op, LB_TO_CONTROL);
	step(b, 1000000);
}

static uint64_t count(const struct bed *b, enum st_gateway_counter id)
{
	return b->w.lane->gateways[0].count[id];
}

/* Reference figure: oc=20 with 80 % of requests that can be withheld means a quarter of those. */
static void loss_takes_its_share(void **state)
{
	static const struct {
		uint32_t oc;
		double withheld, within;
	} table[] = { { 10, 0.125, 0.01 }, { 20, 0.25, 0.015 }, { 40, 0.5, 0.015 }, { 80, 1, 0 },
		      { 90, 1, 0 },        { 100, 1, 0 },       { 0, 0, 0 } };
	struct world_call in_dialog;
	struct bed b;

	(void)state;
	start(&b);
	in_dialog = world_call(&b.w, 1000000);
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		unsigned taken;

		say(&b, LB_OC_LOSS, table[i].oc, 500, SEQ + i + 1);
		taken = offer_n(&b, 8000);
		assert_true(fabs(1 - taken / 8000.0 - table[i].withheld) <= table[i].within);
		for (unsigned k = 0; k < 2000; k++) {
			struct lb_query q = world_in_dialog(&in_dialog, METHOD_INFO);

			assert_int_equal(world_input(&b.w, &q)->op, LB_FORWARD);
		}
	}
	stop(&b);
}

/* Other new requests are withheld like calls; which ones does not change with a repetition. */
static void loss_is_for_all_that_is_new(void **state)
{
	struct bed b;
	unsigned taken = 0;

	(void)state;
	start(&b);
	say(&b, LB_OC_LOSS, 40, 500, SEQ);
	for (unsigned i = 0; i < 4000; i++) {
		struct lb_query q = world_request(&b.w, METHOD_MESSAGE, i, i);
		bool went = world_input(&b.w, &q)->op == LB_FORWARD;

		assert_int_equal(world_input(&b.w, &q)->op == LB_FORWARD, went);
		taken += went;
	}
	assert_in_range(taken, 1900, 2100);
	assert_true(count(&b, ST_GW_SKIPPED_SHED) > 1800);
	stop(&b);
}

/* What is in a dialog goes with its call: in the long run the loss is that of new requests. */
static void the_share_is_measured(void **state)
{
	struct world_call in_dialog;
	struct bed b;

	(void)state;
	start(&b);
	in_dialog = world_call(&b.w, 1000000);
	for (unsigned s = 0; s < 130; s++) {
		if (s >= 60)
			say(&b, LB_OC_LOSS, 20, 500, SEQ + s);
		for (unsigned i = 0; i < 50; i++) { /* one new request in two */
			struct lb_query q = world_in_dialog(&in_dialog, METHOD_INFO);

			world_input(&b.w, &q);
			offer(&b, METHOD_INVITE);
		}
		step(&b, STEP);
		if (s > 110)
			assert_true(b.g->at[0].x.sheddable == 1);
	}
	say(&b, LB_OC_LOSS, 20, 500, SEQ + 1000);
	assert_in_range(offer_n(&b, 8000), 6250, 6550);
	say(&b, LB_OC_LOSS, 90, 500, SEQ + 1001); /* not all, so that the gateway sees what there is */
	assert_in_range(offer_n(&b, 8000), 700, 900);
	stop(&b);
}

static void what_is_over_is_over(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	say(&b, LB_OC_LOSS, 100, 500, SEQ);
	assert_int_equal(offer_n(&b, 100), 0);
	step(&b, 480000000);
	assert_int_equal(lb_get_health(b.w.words, 0), LB_SATURATED);
	assert_int_equal(offer_n(&b, 100), 0);
	step(&b, 20000000);
	assert_int_equal(offer_n(&b, 100), 100);
	step(&b, 4 * SECOND);
	assert_int_equal(lb_get_health(b.w.words, 0), LB_UP);
	say(&b, LB_OC_LOSS, 100, 5000, SEQ + 1);
	assert_int_equal(offer_n(&b, 100), 0);
	say(&b, LB_OC_LOSS, 0, 0, SEQ + 2); /* it says so itself */
	assert_int_equal(offer_n(&b, 100), 100);
	say(&b, LB_OC_LOSS, 100, UINT32_MAX, SEQ + 3); /* nobody is left alone for 49 days */
	for (unsigned s = 0; s < 61; s++)
		step(&b, SECOND);
	assert_int_equal(offer_n(&b, 100), 100);
	stop(&b);
}

static void what_is_old_changes_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	say(&b, LB_OC_LOSS, 100, 500, SEQ + 5);
	say(&b, LB_OC_LOSS, 0, 0, SEQ + 4); /* overtaken */
	say(&b, LB_OC_LOSS, 0, 0, SEQ + 5); /* the same again */
	assert_int_equal(offer_n(&b, 100), 0);
	assert_int_equal(count(&b, ST_GW_OC_STALE), 1);
	assert_int_equal(count(&b, ST_GW_OC_HEARD), 1);
	step(&b, 450000000);
	say(&b, LB_OC_LOSS, 100, 500, SEQ + 5); /* repeated, it does not last longer */
	step(&b, 60000000);
	assert_int_equal(offer_n(&b, 100), 100);
	say(&b, LB_OC_LOSS, 100, 500, SEQ + 4); /* a replay */
	assert_int_equal(offer_n(&b, 100), 100);
	say(&b, LB_OC_LOSS, 100, 500, 150000); /* it has begun anew */
	assert_int_equal(offer_n(&b, 100), 0);
	stop(&b);
}

static void lies_and_what_was_not_asked_for(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	say(&b, LB_OC_BROKEN, 100, 500, SEQ);
	assert_int_equal(offer_n(&b, 100), 100);
	assert_int_equal(count(&b, ST_GW_OC_IGNORED), 1);
	say(&b, LB_OC_LOSS, 100, 5000, SEQ);
	assert_int_equal(offer_n(&b, 100), 0);
	b.w.gateway[0].oc = 0;
	world_build(&b.w);
	step(&b, STEP);
	assert_int_equal(offer_n(&b, 100), 100);
	say(&b, LB_OC_LOSS, 100, 5000, SEQ + 1);
	assert_int_equal(offer_n(&b, 100), 100);
	assert_int_equal(count(&b, ST_GW_OC_IGNORED), 2);
	stop(&b);
}

/* RFC 7415 3.5 with TAU = 4 T: five at once, then 150 a second. */
static void rate_is_a_bound(void **state)
{
	struct bed b;
	unsigned taken = 0;

	(void)state;
	start(&b);
	say(&b, LB_OC_RATE, 150, 5000, SEQ);
	assert_int_equal(offer_n(&b, 50), 5);
	for (unsigned s = 0; s < 40; s++) {
		for (unsigned i = 0; i < 100; i++) {
			b.w.now += 1000000;
			taken += offer(&b, METHOD_INVITE);
		}
	}
	assert_in_range(taken, 595, 600);
	say(&b, LB_OC_RATE, 0, 500, SEQ + 1); /* nothing at all */
	b.w.now += SECOND / 4;
	assert_int_equal(offer_n(&b, 50), 0);
	assert_false(offer(&b, METHOD_MESSAGE));
	say(&b, LB_OC_RATE, 0, 0, SEQ + 2); /* none */
	assert_int_equal(offer_n(&b, 50), 50);
	stop(&b);
}

/* That a pool is noted to be full for one kind of request says nothing about urgent ones, which are not
 * governed. */
static void urgent_requests_pass(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	say(&b, LB_OC_RATE, 20, 5000, SEQ);
	while (offer(&b, METHOD_MESSAGE))
		;
	for (unsigned i = 0; i < 3; i++) {
		struct pick p = {
			.words = b.w.words,
			.lane = b.w.lane,
			.call_hash = i,
			.ask = { .now = b.w.now, .branch = i, .what = ASK_REQUEST, .governed = i != 1 },
		};

		assert_int_equal(pick(&p, b.w.snap, 0) != NULL, i == 1);
	}
	stop(&b);
}

/* Requests in dialogs pass, and what is left of the rate is for new ones. */
static void rate_is_of_all_requests(void **state)
{
	struct world_call in_dialog;
	struct bed b;
	unsigned taken = 0;

	(void)state;
	start(&b);
	in_dialog = world_call(&b.w, 1000000);
	say(&b, LB_OC_RATE, 150, 60000, SEQ);
	for (unsigned ms = 0; ms < 10000; ms++) {
		b.w.now += 1000000;
		if (ms % 10 == 0) {
			struct lb_query q = world_in_dialog(&in_dialog, METHOD_INFO);

			assert_int_equal(world_input(&b.w, &q)->op, LB_FORWARD);
		}
		taken += offer(&b, ms % 2 ? METHOD_INVITE : METHOD_MESSAGE);
	}
	assert_in_range(taken, 490, 510); /* 50 a second */
	stop(&b);
}

/* What a crowd in dialogs owes is bounded: new ones go on half a second after it has passed at the latest. */
static void debts_are_bounded(void **state)
{
	struct world_call in_dialog;
	struct bed b;

	(void)state;
	start(&b);
	in_dialog = world_call(&b.w, 1000000);
	say(&b, LB_OC_RATE, 20, 60000, SEQ);
	for (unsigned i = 0; i < 10000; i++) {
		struct lb_query q = world_in_dialog(&in_dialog, METHOD_INFO);

		assert_int_equal(world_input(&b.w, &q)->op, LB_FORWARD);
	}
	assert_int_equal(offer_n(&b, 10), 0);
	b.w.now += 400000000;
	assert_in_range(offer_n(&b, 10), 1, 2);
	stop(&b);
}

/* Nor do they outlive the rate at which they were made: a faster one is one from its first moment on. */
static void debts_end_with_their_rate(void **state)
{
	struct world_call in_dialog;
	struct bed b;

	(void)state;
	start(&b);
	in_dialog = world_call(&b.w, 1000000);
	for (unsigned round = 0; round < 2; round++) {
		say(&b, LB_OC_RATE, 1, 500, SEQ + 2 * round);
		for (unsigned i = 0; i < 20; i++) {
			struct lb_query q = world_in_dialog(&in_dialog, METHOD_INFO);

			assert_int_equal(world_input(&b.w, &q)->op, LB_FORWARD);
		}
		assert_int_equal(offer_n(&b, 10), 0);
		if (round == 0) {
			say(&b, LB_OC_RATE, 100, 5000, SEQ + 1);
		} else { /* it asks for nothing more, and what was learned applies */
			b.g->at[0].l.rate = 100;
			say(&b, LB_OC_RATE, 0, 0, SEQ + 3);
		}
		b.w.now += 200000000;
		assert_in_range(offer_n(&b, 10), 5, 10);
	}
	stop(&b);
}

/* What another worker has heard later is what counts; an older one of his changes nothing. */
static void workers_hear_for_all(void **state)
{
	struct bed b;
	struct signal_board *other;
	struct lb_worker second;

	(void)state;
	start(&b);
	second = *b.w.worker;
	other = calloc(1, sizeof(*other));
	second.signals = other;
	b.g->workers[b.g->n_workers++] = &second;
	say(&b, LB_OC_LOSS, 100, 500, SEQ + 5);
	signal_oc(&other->at[0], LB_OC_LOSS, 0, 0, SEQ + 4, b.w.now + 1);
	step(&b, 1000);
	assert_int_equal(offer_n(&b, 100), 0);
	signal_oc(&other->at[0], LB_OC_LOSS, 0, 0, SEQ + 6, b.w.now + 1);
	step(&b, 1000);
	assert_int_equal(offer_n(&b, 100), 100);
	b.g->n_workers--;
	free(other);
	stop(&b);
}

/* The clock is set back: what was said before counts no longer than it would have, and what is
 * said now is heard. */
static void a_clock_that_is_set_back(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	say(&b, LB_OC_LOSS, 100, 60000, SEQ);
	assert_int_equal(offer_n(&b, 100), 0);
	b.w.now -= 500 * SECOND;
	step(&b, 0);
	step(&b, STEP);
	assert_int_equal(offer_n(&b, 100), 100);
	say(&b, LB_OC_LOSS, 100, 500, SEQ + 1);
	assert_int_equal(offer_n(&b, 100), 0);
	step(&b, SECOND);
	assert_int_equal(offer_n(&b, 100), 100);
	stop(&b);
}

/* A sequence that nothing can exceed makes nobody deaf: what is so much smaller has begun anew. */
static void the_last_sequence_is_not_the_last_word(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	say(&b, LB_OC_LOSS, 100, 60000, UINT64_C(99999999999999999));
	assert_int_equal(offer_n(&b, 100), 0);
	say(&b, LB_OC_LOSS, 0, 0, SEQ);
	assert_int_equal(offer_n(&b, 100), 100);
	stop(&b);
}

/* Whatever is said in whatever order: requests in dialogs pass, and a minute later all of it is over. */
static void no_lie_lasts(void **state)
{
	static const uint64_t seqs[] = { 0, 1, SEQ - 1, SEQ, SEQ + 1, SEQ << 4, UINT64_MAX };
	static const uint32_t values[] = { 0, 1, 50, 99, 100, 101, 1u << 31, UINT32_MAX - 1, UINT32_MAX };
	static const uint32_t times[] = { 0, 1, 500, 60000, 60001, UINT32_MAX };
	static const uint8_t algos[] = { 0, LB_OC_LOSS, LB_OC_RATE, LB_OC_BROKEN };
	struct world_call in_dialog;
	uint64_t random = 7;
	struct bed b;

	(void)state;
	start(&b);
	in_dialog = world_call(&b.w, 1000000);
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t r = next_random(&random);
		struct lb_query q = world_in_dialog(&in_dialog, METHOD_INFO);

		say(&b, algos[r % 4], values[(r >> 8) % 9], times[(r >> 16) % 6], seqs[(r >> 24) % 7]);
		assert_int_equal(world_input(&b.w, &q)->op, LB_FORWARD);
		offer(&b, METHOD_INVITE);
		if (r >> 60 == 0)
			step(&b, (r >> 32) % (5 * SECOND));
	}
	for (unsigned s = 0; s < 62; s++)
		step(&b, SECOND);
	assert_int_equal(offer_n(&b, 100), 100);
	stop(&b);
}

/* Who says it once a second, valid for half of one, is told of once, and once more when he has stopped. */
static void it_is_told_once(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	for (unsigned i = 0; i < 60; i++) {
		say(&b, LB_OC_LOSS, 20, 500, SEQ + 1000 * i);
		steps(&b, 10);
	}
	steps(&b, 80);
	assert_true(b.told[LB_NOTICE_OC] == 1 && b.told[LB_NOTICE_OC_OVER] == 0);
	steps(&b, 30);
	assert_true(b.told[LB_NOTICE_OC] == 1 && b.told[LB_NOTICE_OC_OVER] == 1);
	steps(&b, 300);
	assert_int_equal(b.told[LB_NOTICE_OC_OVER], 1);
	say(&b, LB_OC_LOSS, 20, 500, SEQ + 100000);
	assert_int_equal(b.told[LB_NOTICE_OC], 2);
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loss_takes_its_share),
		cmocka_unit_test(loss_is_for_all_that_is_new),
		cmocka_unit_test(the_share_is_measured),
		cmocka_unit_test(what_is_over_is_over),
		cmocka_unit_test(what_is_old_changes_nothing),
		cmocka_unit_test(lies_and_what_was_not_asked_for),
		cmocka_unit_test(rate_is_a_bound),
		cmocka_unit_test(urgent_requests_pass),
		cmocka_unit_test(rate_is_of_all_requests),
		cmocka_unit_test(debts_are_bounded),
		cmocka_unit_test(debts_end_with_their_rate),
		cmocka_unit_test(workers_hear_for_all),
		cmocka_unit_test(a_clock_that_is_set_back),
		cmocka_unit_test(the_last_sequence_is_not_the_last_word),
		cmocka_unit_test(no_lie_lasts),
		cmocka_unit_test(it_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
