/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Messages that come side by side, stage by stage, end as they do one at a time: calls from INVITE to BYE,
 * with repeats, CANCELs and strays between, every counter compared. And what finds room in a burst is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

#define CALLS 10

static struct harness *h;

/* What goes in, in the order of arrival, and what came out of it. */
static struct {
	char text[LIMIT_BURST][H_FRAME];
	struct h_in in[LIMIT_BURST];
	uint32_t n;
	struct h_out out[H_OUT];
	uint32_t n_out;
} turn;

static void add(enum h_who who, const char *text)
{
	assert_true(turn.n < LIMIT_BURST);
	snprintf(turn.text[turn.n], H_FRAME, "%s", text);
	turn.in[turn.n] = (struct h_in){ who, turn.text[turn.n] };
	turn.n++;
}

static void take_out(void)
{
	assert_true(turn.n_out + h->n_out <= H_OUT);
	memcpy(turn.out + turn.n_out, h->out, h->n_out * sizeof(h->out[0]));
	turn.n_out += h->n_out;
}

/* Sends what was added. */
static void send(bool burst)
{
	turn.n_out = 0;
	if (burst) {
		h_send_burst(h, turn.in, turn.n);
		take_out();
	}
	for (uint32_t i = 0; i < turn.n && !burst; i++) {
		h_send(h, turn.in[i].who, 5060, turn.in[i].text);
		take_out();
	}
	turn.n = 0;
}

static bool begins(const struct h_out *o, const char *text)
{
	return strncmp(o->text, text, strlen(text)) == 0;
}

/* The call `o` belongs to: the number in its Call-ID. */
static unsigned number_of(const struct h_out *o)
{
	return (unsigned)strtoul(strrchr(h_row(o, "Call-ID:", 0), '-') + 1, NULL, 10);
}

static const char *name(char buf[64], bool burst, const char *what, unsigned i)
{
	snprintf(buf, 64, "%s%s-%u", burst ? "z9hG4bKb" : "z9hG4bKs", what, i);
	return buf;
}

/* New calls, each sent twice, every third cancelled at once, between strays of all kinds. */
static void callers_begin(bool burst)
{
	char call[64], branch[64];

	for (unsigned i = 0; i < CALLS; i++) {
		name(call, burst, "call", i);
		name(branch, burst, "inv", i);
		add(H_CALLER, h_invite(call, branch));
		if (i % 3 == 0)
			add(H_CALLER, h_request("CANCEL", "sip:+8221234@192.0.2.10", call, branch, "", ""));
		add(H_CALLER, h_invite(call, branch));
		if (i % 4 == 1)
			add(H_CALLER, h_request("BYE", "sip:a@192.0.2.10", call, branch, "none", ""));
		if (i % 4 == 2)
			add(H_CALLER, h_request("ACK", "sip:a@192.0.2.10", "no-1", branch, "none", ""));
		if (i % 4 == 3)
			add(H_CALLER, "INVITE sip:+8221234@192.0.2.10 SIP/2.0\r\nCall-ID: x\r\n\r\n");
	}
	send(burst);
}

/* Calls ring and are answered, or busy; each answer comes twice, with requests of the gateway between. */
static void gateways_answer(bool burst)
{
	for (uint32_t i = 0; i < turn.n_out && turn.n + 4 <= LIMIT_BURST; i++) {
		const struct h_out *o = &turn.out[i];
		unsigned call = begins(o, "INVITE ") ? number_of(o) : 0;
		char branch[64];

		if (!begins(o, "INVITE ") || call % 3 == 0)
			continue;
		add(h_gateway(o), h_answer(o, 180, "g1"));
		if (call % 4 == 1)
			add(h_gateway(o), h_request("OPTIONS", "sip:198.51.100.10", "opt-1",
						    name(branch, burst, "opt", i), "", ""));
		add(h_gateway(o), h_answer(o, call % 5 ? 200 : 486, "g1"));
		add(h_gateway(o), h_answer(o, call % 5 ? 200 : 486, "g1"));
	}
	send(burst);
}

/* Those answered are acknowledged and ended in one breath. */
static void callers_end(bool burst)
{
	char branch[64], route[512], call[64], seen[CALLS] = "";

	for (uint32_t i = 0; i < turn.n_out; i++) {
		const struct h_out *o = &turn.out[i];

		if (!begins(o, "SIP/2.0 200") || !h_row(o, "Record-Route:", 1) || seen[number_of(o)]++)
			continue;
		snprintf(route, sizeof(route), "Route: %s",
			 h_row(o, "Record-Route:", 1) + strlen("Record-Route: "));
		snprintf(route + strlen(route), sizeof(route) - strlen(route), ", %s\r\n",
			 h_row(o, "Record-Route:", 0) + strlen("Record-Route: "));
		name(call, burst, "call", number_of(o));
		add(H_CALLER, h_request("ACK", "sip:gw@198.51.100.21", call,
					name(branch, burst, "ack", number_of(o)), "g1", route));
		add(H_CALLER, h_request("BYE", "sip:gw@198.51.100.21", call,
					name(branch, burst, "bye", number_of(o)), "g1", route));
	}
	assert_int_not_equal(turn.n, 0);
	send(burst);
}

static void gateways_end(bool burst)
{
	for (uint32_t i = 0; i < turn.n_out; i++) {
		if (begins(&turn.out[i], "BYE "))
			add(h_gateway(&turn.out[i]), h_answer(&turn.out[i], 200, ""));
	}
	assert_int_not_equal(turn.n, 0);
	send(burst);
}

static void history(bool burst, uint64_t counted[ST_COUNT])
{
	uint64_t before[ST_COUNT];

	st_sum(&h->stats, before);
	callers_begin(burst);
	gateways_answer(burst);
	callers_end(burst);
	gateways_end(burst);
	st_sum(&h->stats, counted);
	for (unsigned i = 0; i < ST_COUNT; i++)
		counted[i] -= before[i];
}

static void a_burst_ends_as_its_messages_do(void **state)
{
	uint64_t alone[ST_COUNT], side_by_side[ST_COUNT];

	history(false, alone);
	history(true, side_by_side);
	assert_int_not_equal(alone[ST_CALL_BYE], 0);
	for (unsigned i = 0; i < ST_COUNT; i++) {
		if (alone[i] != side_by_side[i])
			fail_msg("%s: %lu alone, %lu side by side", st_info(i)->name, alone[i],
				 side_by_side[i]);
	}
}

/* A call's last response and what its gateway asks next: the response leaves first, whichever came first. */
static void responses_leave_first(void **state)
{
	struct h_out req = h_call(h, 5060, h_invite("order-1", "z9hG4bKorder"));
	char ask[H_FRAME];

	snprintf(ask, sizeof(ask), "%s",
		 h_request("OPTIONS", "sip:198.51.100.10", "order-1", "z9hG4bKask", "", ""));
	add(h_gateway(&req), ask);
	add(h_gateway(&req), h_answer(&req, 180, "g1"));
	add(h_gateway(&req), h_answer(&req, 486, "g1"));
	send(true);
	assert_int_equal(turn.n_out, 4);
	assert_true(begins(&turn.out[0], "SIP/2.0 180")); /* what leaves by one port is in its order */
	assert_true(begins(&turn.out[1], "SIP/2.0 486"));
	assert_true(begins(&turn.out[2], "ACK "));
	assert_true(begins(&turn.out[3], "SIP/2.0 200")); /* to OPTIONS */
}

/* An INVITE that a burst finds room for can be sent again; for the others that is counted, and they are sent
 * on. */
static void a_burst_keeps_what_it_found_room_for(void **state)
{
	uint64_t full = h_count(h, ST_SETUP_FULL), lost = h_count(h, ST_DROP_NOT_KEPT);
	char call[64], branch[64];
	unsigned again = 0;

	h_fill_keep(h, 3);
	for (unsigned i = 0; i < LIMIT_BURST; i++)
		add(H_CALLER, h_invite(name(call, true, "keep", i), name(branch, true, "k", i)));
	send(true);
	assert_int_equal(h_count(h, ST_SETUP_FULL) - full, LIMIT_BURST - 3 * h->dp->n_workers);
	h->now += 500 * 1000000ull + 2000000; /* T1 */
	h_tick(h);
	for (uint32_t i = 0; i < h->n_out; i++)
		again += begins(&h->out[i], "INVITE ") && strstr(h->out[i].text, "keep-");
	assert_int_equal(again, 3 * h->dp->n_workers);
	assert_int_equal(h_count(h, ST_DROP_NOT_KEPT), lost);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_burst_ends_as_its_messages_do),
		cmocka_unit_test(responses_leave_first),
		cmocka_unit_test(a_burst_keeps_what_it_found_room_for),
	};
	int failed;

	h = h_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	h_stop(h);
	return failed;
}
