/* SPDX-License-Identifier: BSD-3-Clause */
/* What single rows of a message do on the packet path, and what messages of Weir's own are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

static struct harness *h;

/* Lets every transaction of earlier tests come to its end. */
static void until_quiet(void)
{
	for (unsigned s = 0; s < 300; s++) {
		h->now += 1000000000;
		h_tick(h);
	}
	assert_int_equal(h->n_out, 0);
}

static bool next_record(struct lb_record *record)
{
	return dp_next_record(h->dp, 0, record) || dp_next_record(h->dp, 1, record);
}

/* RFC 5393 5.3.3.1: no more than we would give ourselves. */
static void test_max_breadth_is_bounded(void **state)
{
	static const char *const rows[][2] = { { "Max-Breadth: 1", "Max-Breadth: 1" },
					       { "Max-Breadth: 60", "Max-Breadth: 60" },
					       { "Max-Breadth: 61", "Max-Breadth: 60" } };

	for (unsigned i = 0; i < 3; i++) {
		char call[16], row[32];
		struct h_out req;

		snprintf(call, sizeof(call), "breadth%u", i);
		snprintf(row, sizeof(row), "%s\r\n", rows[i][0]);
		req = h_call(h, 5060, h_request("INVITE", "sip:+8221234@192.0.2.10", call, call, "", row));
		assert_string_equal(h_row(&req, "Max-Breadth:", 0), rows[i][1]);
		assert_null(h_row(&req, "Max-Breadth:", 1));
	}
}

/* The CANCEL and the ACK of one hop, whole: RFC 3261 9.1, 17.1.1.3; a Route that was ours is not in them. */
static void test_cancel_and_ack_byte_by_byte(void **state)
{
	static const char *const methods[] = { "CANCEL", "ACK" };
	char via[512], want[H_FRAME];
	struct h_out req;

	req = h_call(
		h, 5060,
		h_request("INVITE", "sip:+8221234@192.0.2.10", "hop@x", "z9hG4bKhop", "",
			  "Route: <sip:192.0.2.10;lr>, <sip:p.example;lr>\r\nRoute: <sip:q.example;lr>\r\n"));
	snprintf(via, sizeof(via), "%s", h_row(&req, "Via:", 0));
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 180, "gwtag"));
	h_send(h, H_CALLER, 5060,
	       h_request("CANCEL", "sip:+8221234@192.0.2.10", "hop@x", "z9hG4bKhop", "", ""));
	for (unsigned i = 0; i < 2; i++) {
		snprintf(want, sizeof(want),
			 "%s sip:+8221234@192.0.2.10 SIP/2.0\r\n%s\r\nMax-Forwards: 70\r\n"
			 "Route: <sip:p.example;lr>\r\nRoute: <sip:q.example;lr>\r\n"
			 "From: <sip:a@x>;tag=from1\r\nTo: <sip:b@y>%s\r\nCall-ID: hop@x\r\nCSeq: 1 %s\r\n"
			 "Content-Length: 0\r\n\r\n",
			 methods[i], via, i ? ";tag=gwtag" : "", methods[i]);
		assert_int_equal(h->n_out, 2);
		assert_int_equal(h->out[1].n, strlen(want));
		assert_memory_equal(h->out[1].text, want, strlen(want));
		h_send(h, h_gateway(&req), 5060, h_answer(&req, 487, "gwtag"));
	}
}

/* RFC 3966 3: what separates the digits of a number is for the eye, and what follows it is no part of it. */
static void test_numbers_without_separators(void **state)
{
	static const char *const users[] = { "+82(2)1-23.4", "+8221234", "+82.21234;phone-context=x",
					     "+8221234;npdi" };
	struct lb_record record;
	struct h_out req;

	until_quiet();
	for (unsigned i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		char uri[64], call[16];

		while (next_record(&record))
			;
		snprintf(uri, sizeof(uri), "sip:%s@192.0.2.10;user=phone", users[i]);
		snprintf(call, sizeof(call), "number%u", i);
		req = h_call(h, 5060, h_request("INVITE", uri, call, call, "", ""));
		assert_memory_equal(req.text + strlen("INVITE "), uri, strlen(uri));
		h_send(h, h_gateway(&req), 5060, h_answer(&req, 404, "gwtag"));
		assert_true(next_record(&record));
		assert_int_equal(record.number_n, strlen("+8221234"));
		assert_memory_equal(record.text + record.caller_n, "+8221234", record.number_n);
	}
}

/* Two forks of a gateway answer: it is by its tags that a BYE ends one of them. */
static void test_a_bye_ends_its_own_fork(void **state)
{
	char route[256], branch[32];
	struct h_out req, bye;
	uint16_t slot;

	until_quiet();
	req = h_call(h, 5060, h_invite("forks@x", "z9hG4bKfk"));
	slot = h_gateway(&req) == H_GW1 ? 0 : 1;
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, "fork1"));
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, "fork2"));
	snprintf(route, sizeof(route), "Route:%s\r\n", strchr(h_row(&req, "Record-Route:", 0), ':') + 1);
	for (unsigned i = 0; i < 4; i++) { /* each BYE twice */
		snprintf(branch, sizeof(branch), "z9hG4bKfkbye%u", i);
		h_send(h, H_CALLER, 5060,
		       h_request("BYE", "sip:b@198.51.100.21", "forks@x", branch, i < 2 ? "fork1" : "fork2",
				 route));
		h_one_out(h);
		bye = h->out[0];
		h_send(h, h_gateway(&bye), 5060, h_answer(&bye, i % 2 ? 481 : 200, ""));
		assert_int_equal(lb_gateway_calls(h->words, slot), i < 2);
	}
}

/* A BYE that nobody answers ends its call all the same, from whichever side it comes. */
static void test_an_unanswered_bye_ends_its_call(void **state)
{
	for (unsigned from_callee = 0; from_callee < 2; from_callee++) {
		char call[32], text[H_FRAME], *from, *to;
		struct h_out req;
		uint16_t slot;

		until_quiet();
		snprintf(call, sizeof(call), "unanswered%u", from_callee);
		req = h_call(h, 5060, h_invite(call, call));
		slot = h_gateway(&req) == H_GW1 ? 0 : 1;
		h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, "call1"));
		snprintf(text, sizeof(text), "Route:%s\r\n",
			 strchr(h_row(&req, "Record-Route:", 0), ':') + 1);
		snprintf(text, sizeof(text), "%s",
			 h_request("BYE", "sip:x@192.0.2.99", call, "z9hG4bKunanswered", "call1", text));
		from = strstr(text, "tag=from1");
		to = strstr(text, "tag=call1");
		if (from_callee) {
			memcpy(from, "tag=call1", 9);
			memcpy(to, "tag=from1", 9);
		}
		h_send(h, from_callee ? h_gateway(&req) : H_CALLER, 5060, text);
		assert_int_equal(lb_gateway_calls(h->words, slot), 1);
		h->now += 31000000000;
		h_tick(h);
		assert_int_equal(lb_gateway_calls(h->words, slot), 1);
		h->now += 2000000000;
		h_tick(h);
		assert_int_equal(lb_gateway_calls(h->words, slot), 0);
	}
}

/* The call that an INVITE replaces (RFC 3891) tells its gateway. */
static void test_replaces_finds_its_call(void **state)
{
	unsigned of[2] = { 0 };

	for (unsigned i = 0; i < 16; i++) {
		char call[32], branch[32], row[128];
		struct h_out first, second;

		snprintf(call, sizeof(call), "old%u@x", i);
		snprintf(branch, sizeof(branch), "z9hG4bKold%u", i);
		first = h_call(h, 5060, h_invite(call, branch));
		snprintf(row, sizeof(row), "Replaces: %s;to-tag=1;from-tag=2\r\n", call);
		snprintf(call, sizeof(call), "new%u@x", i);
		snprintf(branch, sizeof(branch), "z9hG4bKnew%u", i);
		second = h_call(h, 5060,
				h_request("INVITE", "sip:+8221234@192.0.2.10", call, branch, "", row));
		assert_int_equal(h_gateway(&second), h_gateway(&first));
		of[h_gateway(&first) == H_GW1]++;
	}
	assert_true(of[0] && of[1]);
}

/* A Retry-After counts unless its Reason tells that others are to blame (Q.850), or it cannot be read. */
static void test_what_a_503_says(void **state)
{
	static const struct {
		const char *rows;
		bool counts;
	} cases[] = { { "", false },
		      { "Retry-After: 7\r\n", true },
		      { "Retry-After: soon\r\n", false },
		      { "Reason: Q.850;cause=1\r\nRetry-After: 7\r\n", false },
		      { "Reason: Q.850;cause=42\r\nRetry-After: 7 (full);duration=9\r\n", true } };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char call[32], text[H_FRAME], *end;
		uint64_t counted = 0;
		struct h_out req;

		snprintf(call, sizeof(call), "z9hG4bKsays%u", i);
		req = h_call(h, 5060, h_invite(call, call));
		snprintf(text, sizeof(text), "%s", h_answer(&req, 503, "gwtag"));
		end = strstr(text, "Content-Length");
		snprintf(end, sizeof(text) - (size_t)(end - text), "%sContent-Length: 0\r\n\r\n",
			 cases[i].rows);
		for (uint32_t k = 0; k < 2 * h->stats.n; k++)
			counted -= h->stats.lane[k / 2]->gateways[k % 2].count[ST_GW_RETRY_AFTER];
		h_send(h, h_gateway(&req), 5060, text);
		for (uint32_t k = 0; k < 2 * h->stats.n; k++)
			counted += h->stats.lane[k / 2]->gateways[k % 2].count[ST_GW_RETRY_AFTER];
		if (counted != cases[i].counts)
			fail_msg("%s: %u", cases[i].rows, (unsigned)counted);
	}
}

/* Which calls come before others: by their URI (RFC 5031), and by a priority that the peer is believed. */
static void test_what_makes_a_call_urgent(void **state)
{
	static const struct {
		const char *uri, *row;
		uint8_t emergency, priority;
	} cases[] = { { "sip:+8221234@192.0.2.10", "", 0, 0 },
		      { "urn:service:sos", "", 1, 0 },
		      { "urn:service:SOS.fire", "", 1, 0 },
		      { "sip:+8221234@192.0.2.10", "Resource-Priority: WPS.0\r\n", 0, 1 },
		      { "sip:+8221234@192.0.2.10", "Resource-Priority: dsn.flash, wps.0\r\n", 0, 1 },
		      { "sip:+8221234@192.0.2.10", "Resource-Priority: wps.1\r\n", 0, 0 } };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t emergency = h_count(h, ST_URGENT_EMERGENCY),
			 priority = h_count(h, ST_URGENT_PRIORITY);
		char call[32];

		h->now += 1000000000;
		snprintf(call, sizeof(call), "z9hG4bKurgent%u", i);
		h_call(h, 5060, h_request("INVITE", cases[i].uri, call, call, "", cases[i].row));
		assert_int_equal(h_count(h, ST_URGENT_EMERGENCY) - emergency, cases[i].emergency);
		assert_int_equal(h_count(h, ST_URGENT_PRIORITY) - priority, cases[i].priority);
	}
}

static int start(void **state)
{
	h = h_start();
	return 0;
}

static int stop(void **state)
{
	h_stop(h);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_max_breadth_is_bounded),
		cmocka_unit_test(test_cancel_and_ack_byte_by_byte),
		cmocka_unit_test(test_numbers_without_separators),
		cmocka_unit_test(test_a_bye_ends_its_own_fork),
		cmocka_unit_test(test_an_unanswered_bye_ends_its_call),
		cmocka_unit_test(test_replaces_finds_its_call),
		cmocka_unit_test(test_what_a_503_says),
		cmocka_unit_test(test_what_makes_a_call_urgent),
	};

	return cmocka_run_group_tests_name("rows", tests, start, stop);
}
