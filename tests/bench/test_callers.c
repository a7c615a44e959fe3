/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The accounting of the callers in virtual time, with a far side played by the test: what counts as goodput,
 * that each call has one end, the timers of the client transaction, what Retry-After and oc do to a peer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bench/callers/callers.h"

static struct world *w;
static struct {
	uint32_t invites, cancels, byes, acks;
} sent;
static struct call *call; /* the one that the next response is for */

void write_invite(struct world *world, const struct call *c)
{
	sent.invites++;
	call = (struct call *)c;
}

void write_cancel(struct world *world, const struct call *c)
{
	sent.cancels++;
}

void write_bye(struct world *world, const struct call *c)
{
	sent.byes++;
}

void write_ack(struct world *world, struct peer *p, uint32_t port, uint32_t target, const struct kit_sip *m)
{
	sent.acks++;
}

void write_keep_dialog(struct call *c, const struct kit_sip *m)
{
}

int write_find(struct world *world, struct kit_text call_id, uint32_t *target, struct call **found)
{
	*target = call->target;
	*found = call->state == CALL_FREE ? NULL : call;
	return 0;
}

static int setup(void **state)
{
	w = calloc(1, sizeof(*w));
	memset(&sent, 0, sizeof(sent));
	*w = (struct world){ .t1 = 500 * MS,
			     .patience = 10 * S,
			     .bin = S,
			     .n_targets = 1,
			     .n_peers = 1,
			     .n_steps = 1,
			     .n_calls = 8 };
	w->calls = calloc(w->n_calls, sizeof(*w->calls));
	for (uint32_t i = 0; i < w->n_calls; i++) {
		w->calls[i].next_free = w->free_calls;
		w->free_calls = &w->calls[i];
	}
	w->peer[0].plan = (struct peer_plan){ .name = "a", .hold = 0.1, .n_ports = 1 };
	w->now = w->started = 1000 * S;
	return tally_make(w);
}

static int teardown(void **state)
{
	for (uint32_t n = 0; n < COUNTERS; n++)
		free(w->peer[0].series[n]);
	free(w->heap.of);
	free(w->calls);
	free(w);
	return 0;
}

static void pass(uint64_t ns)
{
	uint64_t until = w->now + ns;

	for (struct kit_timer *t; (t = kit_due(&w->heap, until));) {
		w->now = t->at;
		call_timer(w, t);
	}
	w->now = until;
}

static struct kit_text text(const char *p)
{
	return (struct kit_text){ p, (uint32_t)strlen(p) };
}

static void respond(uint16_t status, const char *method, const char *retry_after, const char *via)
{
	struct kit_sip m = {
		.status = status, .method = text(method), .retry_after = text(retry_after), .via = text(via)
	};

	call_response(w, &w->peer[0], 0, &m);
}

static uint64_t n(enum counter counter)
{
	return w->tally[0][0][TO_ANYBODY].n[counter];
}

static void one_end(void)
{
	assert_int_equal(n(N_offered), n(N_good) + n(N_refused) + n(N_abandoned) + n(N_held));
	assert_int_equal(w->n_up, 0);
}

static void test_good(void **state)
{
	call_arrive(w, &w->peer[0]);
	respond(100, "INVITE", "", "");
	pass(9999 * MS);
	respond(200, "INVITE", "", "");
	respond(200, "INVITE", "", "");
	assert_true(sent.invites == 1 && sent.acks == 2 && n(N_good) == 1 && n(N_repeats) == 0);
	assert_int_equal(w->peer[0].series[N_good][9], 1);
	pass(2 * S);
	assert_true(sent.byes > 0);
	respond(200, "BYE", "", "");
	one_end();
	assert_true(kit_hist_ms(&w->admitted[0], 1) > 9990);
}

static void test_late_is_not_good(void **state)
{
	call_arrive(w, &w->peer[0]);
	respond(180, "INVITE", "", "");
	pass(10001 * MS);
	assert_int_equal(sent.cancels, 1);
	respond(200, "INVITE", "", ""); /* it crossed the CANCEL */
	pass(1);
	assert_true(sent.acks == 1 && sent.byes == 1 && n(N_good) == 0 && n(N_late) == 1 &&
		    n(N_abandoned) == 1);
	respond(200, "BYE", "", "");
	one_end();
}

static void test_silence(void **state)
{
	call_arrive(w, &w->peer[0]);
	pass(100 * S);
	assert_int_equal(sent.invites, 7); /* 0, .5, 1.5, 3.5, 7.5, 15.5, 31.5 s */
	assert_true(n(N_repeats) == 6 && sent.cancels == 0 && n(N_abandoned) == 1);
	one_end();
}

static void test_cancel_waits_for_a_provisional(void **state)
{
	call_arrive(w, &w->peer[0]);
	pass(12 * S);
	assert_int_equal(sent.cancels, 0);
	respond(100, "INVITE", "", "");
	assert_int_equal(sent.cancels, 1);
	pass(600 * MS);
	assert_int_equal(sent.cancels, 2);
	respond(200, "CANCEL", "", "");
	pass(10 * S);
	assert_int_equal(sent.cancels, 2);
	respond(487, "INVITE", "", "");
	assert_true(n(N_abandoned) == 1 && n(N_refused) == 0 && sent.acks == 1);
	one_end();
}

static void test_refused_once(void **state)
{
	call_arrive(w, &w->peer[0]);
	respond(503, "INVITE", "", "");
	respond(503, "INVITE", "", "");
	assert_true(n(N_refused) == 1 && sent.acks == 2 && w->codes[0][503] == 1 && w->refusal[0].n == 1 &&
		    w->admitted[0].n == 0);
	one_end();
}

static void test_hold(void **state)
{
	w->peer[0].plan.obeys = OBEYS_HOLD;
	call_arrive(w, &w->peer[0]);
	respond(503, "INVITE", "5", "");
	pass(4999 * MS);
	call_arrive(w, &w->peer[0]);
	assert_true(n(N_held) == 1 && sent.invites == 1);
	pass(2 * MS);
	call_arrive(w, &w->peer[0]);
	assert_int_equal(sent.invites, 2);
	respond(486, "INVITE", "", "");
	one_end();
}

static void test_redial(void **state)
{
	w->peer[0].plan.obeys = OBEYS_REDIAL;
	call_arrive(w, &w->peer[0]);
	respond(503, "INVITE", "3", "");
	pass(3 * S);
	assert_true(sent.invites == 2 && n(N_offered) == 2 && n(N_redialled) == 1);
	respond(503, "INVITE", "3", "");
	pass(10 * S);
	assert_true(sent.invites == 2 && n(N_refused) == 2);
	one_end();
}

static uint32_t allowed(uint32_t of, uint64_t apart)
{
	uint32_t yes = 0;

	for (uint32_t i = 0; i < of; i++) {
		if (obey_target(w, &w->peer[0]) == 0) {
			obey_charge(w, &w->peer[0], 0);
			yes++;
		}
		w->now += apart;
	}
	return yes;
}

static void test_oc(void **state)
{
	w->peer[0].plan.oc = true;
	call_arrive(w, &w->peer[0]);
	respond(100, "INVITE", "", "x;oc=30;oc-algo=\"loss\";oc-validity=1000;oc-seq=7.00002");
	respond(100, "INVITE", "", "x;oc=90;oc-algo=\"loss\";oc-validity=1000;oc-seq=7.00001"); /* stale */
	assert_in_range(allowed(10000, 0), 6850, 7150);
	w->now += 1001 * MS;
	assert_int_equal(allowed(100, 0), 100);
	respond(100, "INVITE", "", "x;oc=50;oc-algo=\"rate\";oc-validity=60000;oc-seq=7.00003");
	assert_in_range(allowed(10000, MS), 495, 510); /* ten seconds */
	respond(100, "INVITE", "", "x;oc=0;oc-algo=\"rate\";oc-validity=0;oc-seq=8.00003");
	assert_int_equal(allowed(100, 0), 100);
	assert_true(w->peer[0].oc_heard == 4 && w->peer[0].oc_max == 90);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_good),         TEST(test_late_is_not_good),
		TEST(test_silence),      TEST(test_cancel_waits_for_a_provisional),
		TEST(test_refused_once), TEST(test_hold),
		TEST(test_redial),       TEST(test_oc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
