/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a caller that asks for overload control is told: with one that does as it is told (RFC 7339 7.2), the
 * gateways stay full, hardly anything is refused, and when the load falls it soon hears that all is well.
 */
#include <math.h>
#include "lb/govern/governor.h"
#include "tests/lb/check.h"
#include "tests/lb/world.h"

#define CAPACITY 400 /* calls per second of the two gateways */
#define START_MS 1282321615781u

struct bed {
	struct world w;
	struct lb_governor *g;
	uint64_t random;
	uint32_t n;      /* calls so far */
	struct lb_oc oc; /* the newest that the caller was told */
	uint64_t until;  /* ns; when it is over for him */
	uint32_t sent, refused;
	bool asks;
};

static void start(struct bed *b)
{
	memset(b, 0, sizeof(*b));
	b->asks = true;
	b->random = 11;
	world_start(&b->w, 2);
	lb_set_oc_start(b->w.words, START_MS);
	for (uint16_t i = 0; i < 2; i++)
		lb_set_gateway_cps(b->w.words, i, CAPACITY / 2);
	b->g = world_governor(&b->w);
}

static void stop(struct bed *b)
{
	world_free(&b->w);
}

/* The caller takes what he is told as RFC 7339 4.4 wants it. */
static void hear(struct bed *b, const struct lb_oc *oc)
{
	if (oc->seq <= b->oc.seq)
		return;
	b->oc = *oc;
	b->until = b->w.now + oc->validity_ms * UINT64_C(1000000);
}

static bool withholds(struct bed *b)
{
	return b->w.now < b->until && next_random(&b->random) % 100 < b->oc.value;
}

/* One new call, if he sends it. */
static void call(struct bed *b)
{
	struct lb_query q = world_request(&b->w, METHOD_INVITE, b->n, b->n);
	const struct lb_act *act;

	b->n++;
	if (withholds(b))
		return;
	q.oc_ask = b->asks ? LB_OC_LOSS : 0;
	b->sent++;
	act = world_input(&b->w, &q);
	if (act->op == LB_FORWARD) { /* its 200 */
		q = world_response(&b->w, &q, 200);
		act = world_input(&b->w, &q);
		assert_int_equal(act->op, LB_FORWARD);
	} else {
		assert_int_equal(act->status, 503);
		assert_int_equal(act->retry_after_s != 0, !b->asks);
		b->refused++;
	}
	assert_int_equal(act->oc.algo, b->asks ? LB_OC_LOSS : 0);
	if (b->asks)
		hear(b, &act->oc);
}

/* So many seconds at so many calls a second, as they come. */
static void run(struct bed *b, double seconds, double per_s)
{
	uint64_t end = b->w.now + (uint64_t)(seconds * SECOND), next = b->w.now, step = b->w.now;

	b->sent = b->refused = 0;
	while (b->w.now < end) {
		double u = (double)(next_random(&b->random) >> 11) / (double)(1ull << 53);

		b->w.now = next;
		for (; step <= next; step += LB_STEP_NS)
			lb_govern(b->g, b->w.snap, step, NULL, 0);
		call(b);
		next += (uint64_t)(-log(1 - u) / per_s * SECOND);
	}
}

static void who_obeys_is_hardly_refused(void **state)
{
	static const double loads[] = { 1.5, 2, 5, 10 };

	(void)state;
	for (unsigned i = 0; i < sizeof(loads) / sizeof(loads[0]); i++) {
		struct bed b;
		double took;

		start(&b);
		run(&b, 3, loads[i] * CAPACITY);
		run(&b, 20, loads[i] * CAPACITY);
		took = (b.sent - b.refused) / 20.0;
		if (took < 0.95 * CAPACITY || b.refused > 0.12 * b.sent)
			fail_msg("%.1f x: %.0f of %d calls/s, %u of %u refused", loads[i], took, CAPACITY,
				 b.refused, b.sent);
		run(&b, 5, 0.8 * CAPACITY); /* and back */
		run(&b, 5, 0.8 * CAPACITY);
		assert_true(b.refused <= 3); /* max-cps lets 10 come at once, and arrivals are random */
		assert_int_equal(b.oc.value, 0);
		assert_int_equal(b.oc.validity_ms, 0);
		stop(&b);
	}
}

static void who_is_never_refused_hears_nothing(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	run(&b, 10, 0.5 * CAPACITY);
	assert_int_equal(b.refused, 0);
	assert_int_equal(b.oc.value, 0);
	assert_int_equal(b.oc.validity_ms, 0);
	assert_int_equal(b.oc.seq, (uint64_t)START_MS * 100);
	stop(&b);
}

/* Somebody who asks and does not obey is refused like others, and told more and more. */
static void who_does_not_obey(void **state)
{
	struct bed b;
	uint64_t seq = 0;

	(void)state;
	start(&b);
	for (unsigned s = 0; s < 100; s++) {
		run(&b, 0.1, 4 * CAPACITY);
		b.until = 0;
		assert_true(s < 2 || b.oc.seq > seq); /* renewed with each step */
		seq = b.oc.seq;
	}
	assert_in_range(b.oc.value, 90, 99);
	assert_int_equal(b.oc.validity_ms, 500);
	stop(&b);
}

static void who_does_not_ask(void **state)
{
	struct bed b;

	(void)state;
	start(&b);
	b.asks = false;
	run(&b, 3, 4 * CAPACITY);
	assert_true(b.refused > 2 * b.sent / 3);
	assert_false(lb_peer_asks(b.w.words, 0));
	stop(&b);
}

/* CANCEL and ACK have the branch of the INVITE, also where only that asked (RFC 3261 9.1, 17.1.1.3). */
static void cancel_of_one_that_asked(void **state)
{
	static const enum method methods[] = { METHOD_CANCEL, METHOD_ACK };
	struct bed b;
	struct lb_query q;
	struct lb_act invite;

	(void)state;
	start(&b);
	q = world_request(&b.w, METHOD_INVITE, 1, 1);
	q.oc_ask = LB_OC_LOSS;
	invite = *world_input(&b.w, &q);
	assert_int_equal(invite.op, LB_FORWARD);
	for (unsigned i = 0; i < 2; i++) {
		const struct lb_act *act;

		q = world_request(&b.w, methods[i], 1, 1);
		act = world_input(&b.w, &q);
		assert_int_equal(act->op, LB_FORWARD);
		assert_int_equal(act->branch_n, invite.branch_n);
		assert_memory_equal(act->branch, invite.branch, invite.branch_n);
	}
	stop(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_obeys_is_hardly_refused),
		cmocka_unit_test(who_is_never_refused_hears_nothing),
		cmocka_unit_test(who_does_not_obey),
		cmocka_unit_test(who_does_not_ask),
		cmocka_unit_test(cancel_of_one_that_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
