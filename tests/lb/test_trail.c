/* SPDX-License-Identifier: BSD-3-Clause */
/* What the trail tells of a decision. */
#include "tests/lb/newcomer.h"

/* Who was asked, what stopped each, and how it ended, the newest first; the oldest make room. */
static void trail_tells_why(void **state)
{
	struct lb_trail t[4];
	struct lb_query q;
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < 2; i++)
		world_gateway(&w, 0, 1, i);
	world_build(&w);
	w.trail = true;
	world_calls(&w, 1000);
	lb_set_gateway_calls(w.words, 0, 0);
	q = new_call(&w);
	assert_int_equal(placed(&w, q), 1);
	assert_int_equal(lb_trail_find(w.worker, lb_call_tag(q.call_hash), t, 4), 1);
	assert_int_equal(t[0].gateway, 1);
	assert_int_equal(t[0].end, ST_FWD_REQUEST);
	assert_int_equal(t[0].when, w.now);
	assert_int_equal(t[0].n, 1);
	assert_int_equal(t[0].asked[0], 0);
	assert_int_equal(t[0].stop[0], LB_STOP_CALLS);
	placed(&w, q); /* a repetition is no decision */
	q.via_hash++;
	q.from_hash++;
	lb_set_health(w.words, 1, LB_DOWN);
	assert_int_equal(placed(&w, q), LB_NONE);
	assert_int_equal(lb_trail_find(w.worker, lb_call_tag(q.call_hash), t, 4), 2);
	assert_int_equal(t[0].end, ST_REPLY_REFUSED);
	assert_int_equal(t[0].gateway, LB_NONE);
	assert_int_equal(t[0].n, 2);
	assert_int_equal(t[0].stop[1], LB_STOP_STATE);
	assert_int_equal(t[1].gateway, 1);
	for (unsigned i = 0; i < LIMIT_TRAIL; i++)
		placed(&w, new_message(&w));
	assert_int_equal(lb_trail_find(w.worker, lb_call_tag(q.call_hash), t, 4), 0);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trail_tells_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
