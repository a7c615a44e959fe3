/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One turn of a worker with more to do than it can: what it takes of its rings beside its own queues. The
 * worker of the access side owns half of all calls and holds no queue of the core side.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

#define BURSTS 4

static struct harness *h;

/* Requests of a gateway that Weir itself answers, until so many wait for the worker of the access side. */
static struct dp_worker *hand_over(unsigned waiting)
{
	static unsigned calls;
	struct dp_worker *w = h->dp->workers[h->dp->holder[0]];
	uint64_t enough = h_count(h, ST_HANDOFF_OUT) + waiting;

	while (h_count(h, ST_HANDOFF_OUT) < enough) {
		char call[32], branch[32];

		snprintf(call, sizeof(call), "turn%u@x", calls);
		snprintf(branch, sizeof(branch), "z9hG4bKturn%u", calls++);
		h_receive(h, H_GW1, 5060, h_request("OPTIONS", "sip:198.51.100.10", call, branch, "", ""));
	}
	return w;
}

/* What others have finished goes out before anything new comes in, however much that is. */
static void all_that_is_finished_leaves(void **state)
{
	struct dp_worker *holder = h->dp->workers[h->dp->holder[1]];
	struct dp_worker *w = hand_over(BURSTS * LIMIT_BURST);
	uint64_t sent = h_count(h, ST_TX_RING_IN);

	(void)state;
	for (unsigned i = 0; i < BURSTS; i++)
		dp_turn(w);
	assert_int_equal(h_count(h, ST_TX_RING_OUT) - sent, BURSTS * LIMIT_BURST);
	assert_int_equal(dp_turn(holder), BURSTS * LIMIT_BURST);
	assert_int_equal(h_count(h, ST_TX_RING_IN) - sent, BURSTS * LIMIT_BURST);
	h_catch_up(h);
}

/* A worker with more queues of its own takes as much more from those of others. */
static void as_much_from_others_as_from_its_own(void **state)
{
	struct dp_worker *w = hand_over(2 * BURSTS * LIMIT_BURST);
	uint64_t before = h_count(h, ST_HANDOFF_IN);

	(void)state;
	assert_int_equal(w->n_rx, 1);
	dp_turn(w);
	assert_int_equal(h_count(h, ST_HANDOFF_IN) - before, LIMIT_BURST);
	w->rx[1] = w->rx[2] = w->rx[0];
	w->n_rx = 3;
	dp_turn(w);
	assert_int_equal(h_count(h, ST_HANDOFF_IN) - before, 4 * LIMIT_BURST);
	w->n_rx = 0; /* or without any */
	dp_turn(w);
	assert_int_equal(h_count(h, ST_HANDOFF_IN) - before, 5 * LIMIT_BURST);
	w->n_rx = 1;
	h_catch_up(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_that_is_finished_leaves),
		cmocka_unit_test(as_much_from_others_as_from_its_own),
	};
	int failed;

	h = h_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	h_stop(h);
	return failed;
}
