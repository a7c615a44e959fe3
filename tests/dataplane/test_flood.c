/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flood of new calls that nobody can take, at rings of the size that Weir has: whatever belongs to calls
 * that go on arrives, also where the owner is a whole ring behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

#define CALLS 100
#define FLOOD 6000 /* new calls, half of them of the worker that is behind: three rings full */

static struct harness *h;

/* A BYE in a call that is up, as the caller sends it. */
static void set_up(unsigned i, char bye[H_FRAME])
{
	char call[32], branch[32], route[512];
	struct h_out req;

	snprintf(call, sizeof(call), "up%u@x", i);
	snprintf(branch, sizeof(branch), "z9hG4bKup%u", i);
	req = h_call(h, 5060, h_invite(call, branch));
	snprintf(route, sizeof(route), "Route: %s",
		 h_row(&req, "Record-Route:", 1) + strlen("Record-Route: "));
	snprintf(route + strlen(route), sizeof(route) - strlen(route), ", %s\r\n",
		 h_row(&req, "Record-Route:", 0) + strlen("Record-Route: "));
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, "g1"));
	h_one_out(h);
	snprintf(branch, sizeof(branch), "z9hG4bKbye%u", i);
	snprintf(bye, H_FRAME, "%s", h_request("BYE", "sip:gw@198.51.100.21", call, branch, "g1", route));
}

static void nobody_takes_calls(void)
{
	for (uint16_t slot = 0; slot < 2; slot++)
		lb_set_gateway_cps(h->words, slot, 0);
}

static void calls_go_on_in_a_flood(void **state)
{
	static char bye[CALLS][H_FRAME];
	uint64_t forwarded, refused, lost;

	for (unsigned i = 0; i < CALLS; i++)
		set_up(i, bye[i]);
	nobody_takes_calls();
	forwarded = h_count(h, ST_FWD_REQUEST);
	refused = h_count(h, ST_REPLY_REFUSED);
	lost = h_count(h, ST_DROP_RING_FULL);
	for (unsigned i = 0; i < FLOOD; i++) {
		char call[32], branch[32];

		snprintf(call, sizeof(call), "flood%u@x", i);
		snprintf(branch, sizeof(branch), "z9hG4bKf%u", i);
		h_receive(h, H_CALLER, 5060, h_invite(call, branch));
		if (i % (FLOOD / CALLS) == 0)
			h_receive(h, H_CALLER, 5060, bye[i / (FLOOD / CALLS)]);
	}
	lost = h_count(h, ST_DROP_RING_FULL) - lost;
	assert_true(lost > DP_RING); /* that was a flood */
	h_catch_up(h);
	assert_int_equal(h_count(h, ST_FWD_REQUEST) - forwarded, CALLS);
	assert_int_equal(h_count(h, ST_REPLY_REFUSED) - refused, FLOOD - lost);
}

/* The ring has room again: so have new calls. */
static void new_calls_after_a_flood(void **state)
{
	uint64_t refused = h_count(h, ST_REPLY_REFUSED);
	char call[32], branch[32];

	for (unsigned i = 0; i < 64; i++) {
		snprintf(call, sizeof(call), "after%u@x", i);
		snprintf(branch, sizeof(branch), "z9hG4bKa%u", i);
		h_receive(h, H_CALLER, 5060, h_invite(call, branch));
	}
	h_catch_up(h);
	assert_in_range(h_count(h, ST_REPLY_REFUSED) - refused, 63, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_go_on_in_a_flood),
		cmocka_unit_test(new_calls_after_a_flood),
	};
	int failed;

	h = h_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	h_stop(h);
	return failed;
}
