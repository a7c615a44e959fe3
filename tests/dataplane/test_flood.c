/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flood of new calls that nobody can take, or of ACKs to their refusals, at rings of the size that Weir
 * has: whatever belongs to calls that go on arrives, also where the owner is a whole ring behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "lb/worker.h"
#include "tests/dataplane/harness.h"

#define CALLS 100
#define FLOOD 6000 /* new calls, half of them of the worker that is behind: three rings full */

static struct harness *h;

/* A call that is up, and how its caller goes on. */
struct up {
	char reinvite[H_FRAME], ack[H_FRAME], bye[H_FRAME];
};

static void set_up(unsigned i, struct up *up)
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
	snprintf(up->bye, H_FRAME, "%s", h_request("BYE", "sip:gw@198.51.100.21", call, branch, "g1", route));
	snprintf(branch, sizeof(branch), "z9hG4bKack%u", i);
	snprintf(up->ack, H_FRAME, "%s", h_request("ACK", "sip:gw@198.51.100.21", call, branch, "g1", route));
	snprintf(branch, sizeof(branch), "z9hG4bKre%u", i);
	snprintf(up->reinvite, H_FRAME, "%s",
		 h_request("INVITE", "sip:gw@198.51.100.21", call, branch, "g1", route));
}

static void nobody_takes_calls(void)
{
	for (uint16_t slot = 0; slot < 2; slot++)
		lb_set_gateway_cps(h->words, slot, 0);
}

static void calls_go_on_in_a_flood(void **state)
{
	static struct up up[CALLS];
	uint64_t forwarded, refused, lost;

	for (unsigned i = 0; i < CALLS; i++)
		set_up(i, &up[i]);
	nobody_takes_calls();
	forwarded = h_count(h, ST_FWD_REQUEST);
	refused = h_count(h, ST_REPLY_REFUSED);
	lost = h_count(h, ST_DROP_RING_FULL);
	for (unsigned i = 0; i < FLOOD; i++) {
		char call[32], branch[32];

		snprintf(call, sizeof(call), "flood%u@x", i);
		snprintf(branch, sizeof(branch), "z9hG4bKf%u", i);
		h_receive(h, H_CALLER, 5060, h_invite(call, branch));
		if (i % (FLOOD / CALLS) == 0) {
			h_receive(h, H_CALLER, 5060, up[i / (FLOOD / CALLS)].reinvite);
			h_receive(h, H_CALLER, 5060, up[i / (FLOOD / CALLS)].ack);
			h_receive(h, H_CALLER, 5060, up[i / (FLOOD / CALLS)].bye);
		}
	}
	lost = h_count(h, ST_DROP_RING_FULL) - lost;
	assert_true(lost > DP_RING); /* that was a flood */
	h_catch_up(h);
	assert_int_equal(h_count(h, ST_FWD_REQUEST) - forwarded, 3 * CALLS);
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

/* ---- ACKs ---------------------------------------------------------------------------------------------- */

#define REFUSED 16
#define STORM   8000

/* An ACK to the refusal of storm call i, whose To is `no`: k & 1: with a made-up tag, k & 2: branch. */
static const char *ack(unsigned i, unsigned k, const char *no)
{
	char call[32], branch[32], tag[64];

	snprintf(call, sizeof(call), "storm%u@x", i);
	snprintf(branch, sizeof(branch), k & 2 ? "z9hG4bKother%u" : "z9hG4bKstorm%u", i);
	snprintf(tag, sizeof(tag), "%s", k & 1 ? "made-up" : strstr(no, ";tag=") + strlen(";tag="));
	return h_request("ACK", "sip:+8221234@192.0.2.10", call, branch, tag, "");
}

/* What is there for calls. */
static uint64_t states(void)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < h->dp->n_workers; i++)
		n += h->dp->workers[i]->lb->setups.in_use + lb_call_count(h->dp->workers[i]->lb);
	return n;
}

static void an_ack_storm(void **state)
{
	static char no[REFUSED][H_FRAME];
	static struct up up[CALLS];
	uint64_t forwarded, absorbed, nowhere, lost, before;

	(void)state;
	for (uint16_t slot = 0; slot < 2; slot++)
		lb_set_gateway_cps(h->words, slot, LB_UNLIMITED);
	for (unsigned i = 0; i < CALLS; i++)
		set_up(CALLS + i, &up[i]);
	nobody_takes_calls();
	for (unsigned i = 0; i < REFUSED; i++) {
		char call[32], branch[32];

		snprintf(call, sizeof(call), "storm%u@x", i);
		snprintf(branch, sizeof(branch), "z9hG4bKstorm%u", i);
		h_send(h, H_CALLER, 5060, h_invite(call, branch));
		h_one_out(h);
		snprintf(no[i], H_FRAME, "%s", h_row(&h->out[0], "To:", 0));
	}
	before = states();
	forwarded = h_count(h, ST_FWD_REQUEST);
	absorbed = h_count(h, ST_ABSORB_ACK);
	nowhere = h_count(h, ST_DROP_ACK_NOWHERE);
	lost = h_count(h, ST_DROP_RING_FULL);
	for (unsigned i = 0; i < STORM; i++) {
		h_receive(h, H_CALLER, 5060, ack(i % REFUSED, i / REFUSED % 4, no[i % REFUSED]));
		if (i % (STORM / CALLS) == 0)
			h_receive(h, H_CALLER, 5060, up[i / (STORM / CALLS)].bye);
	}
	h_catch_up(h);
	lost = h_count(h, ST_DROP_RING_FULL) - lost;
	absorbed = h_count(h, ST_ABSORB_ACK) - absorbed;
	nowhere = h_count(h, ST_DROP_ACK_NOWHERE) - nowhere;
	assert_true(lost > DP_RING); /* that was a storm */
	assert_int_equal(h_count(h, ST_FWD_REQUEST) - forwarded, CALLS);
	assert_int_equal(absorbed + nowhere + lost, STORM);
	assert_in_range(absorbed, nowhere - REFUSED, nowhere + REFUSED); /* two kinds each */
	assert_int_equal(states(), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_go_on_in_a_flood),
		cmocka_unit_test(new_calls_after_a_flood),
		cmocka_unit_test(an_ack_storm),
	};
	int failed;

	h = h_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	h_stop(h);
	return failed;
}
