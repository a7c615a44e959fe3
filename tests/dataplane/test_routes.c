/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests in a dialog without wires: by their Routes, ours and others', to the right side. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

static struct harness *h;

/* Route rows made of the Record-Route rows of what left: as the callee sees them, or (reverse) the caller. */
static char *routes(const struct h_out *o, bool reverse)
{
	static char text[2048];
	char row[2][512];

	snprintf(row[0], sizeof(row[0]), "%s", h_row(o, "Record-Route:", 0) + strlen("Record-Route: "));
	snprintf(row[1], sizeof(row[1]), "%s", h_row(o, "Record-Route:", 1) + strlen("Record-Route: "));
	snprintf(text, sizeof(text), "Route: %s, %s\r\n", row[reverse], row[!reverse]);
	return text;
}

/* A Request-URI too long to be moved for a strict router stays where it is. */
static void test_too_long_a_target_stays(void **state)
{
	char uri[1024];

	for (unsigned i = 0; i < 2; i++) {
		const char *first = i ? uri : "sip:p@198.51.100.21";

		snprintf(uri, sizeof(uri), "sip:b@z;x=%.*d", i ? 800 : 500, 0);
		h_send(h, H_CALLER, 5060,
		       h_request("BYE", uri, "long@x", i ? "z9hG4bKl2" : "z9hG4bKl1", "t",
				 "Route: <sip:p@198.51.100.21>,<sip:q@w;lr>\r\n"));
		h_one_out(h);
		assert_memory_equal(h->out[0].text + strlen("BYE "), first, strlen(first));
		assert_int_equal(h_row(&h->out[0], "Route:", 1) != NULL, i == 0);
	}
}

/* Long after the call was set up nothing but its token tells where it is, also in the Request-URI (16.4). */
static void test_a_strict_router_carries_the_token(void **state)
{
	char uri[512], *end;
	struct h_out req;

	req = h_call(h, 5060, h_invite("alone@x", "z9hG4bKal"));
	snprintf(uri, sizeof(uri), "%s", h_row(&req, "Record-Route:", 0) + strlen("Record-Route: <"));
	end = strchr(uri, '>');
	*end = 0;
	for (unsigned i = 0; i < 300; i++) {
		h->now += 1000000000;
		h_tick(h);
	}
	h_send(h, H_CALLER, 5060,
	       h_request("BYE", uri, "alone@x", "z9hG4bKal2", "t", "Route: <sip:b@198.51.100.21:5060>\r\n"));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &req.dst));
	assert_memory_equal(h->out[0].text, "BYE sip:b@198.51.100.21:5060 SIP/2.0\r\n", 38);
}

/* A call that goes through Weir twice has two of our routes for each time: those of this time are taken. */
static void test_a_spiral_keeps_its_other_routes(void **state)
{
	char route[H_FRAME], behind[512];
	struct h_out req;

	req = h_call(h, 5060, h_invite("spiral@x", "z9hG4bKsp"));
	snprintf(behind, sizeof(behind), "%s", h_row(&req, "Record-Route:", 0) + strlen("Record-Route: "));
	snprintf(route, sizeof(route), "%.*s, %s, <sip:192.0.2.10:5060;lr>\r\n",
		 (int)strlen(routes(&req, true)) - 2, routes(&req, true), behind);
	h_send(h, H_CALLER, 5060,
	       h_request("BYE", "sip:b@198.51.100.21", "spiral@x", "z9hG4bKsp2", "gwtag", route));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &req.dst));
	snprintf(route, sizeof(route), "Route: %s, <sip:192.0.2.10:5060;lr>", behind);
	assert_string_equal(h_row(&h->out[0], "Route:", 0), route);
	assert_null(h_row(&h->out[0], "Route:", 1));
}

/* OPTIONS with a Route to somebody else only passes; a Route that cannot be read is told. */
static void test_routes_of_others(void **state)
{
	static const struct {
		const char *route;
		int status;
	} cases[] = { { "Route: <sip:192.0.2.10;lr>\r\n", 200 },
		      { "Route: <sip:192.0.2.10;lr>, <sip:p@198.51.100.21;lr>\r\n", 0 },
		      { "Route: <sip:p@198.51.100.21;lr>\r\n", 0 },
		      { "Route: <sip:p@[::1;lr>\r\n", 400 },
		      { "Route: <sip:a;lr>, <sip:b;lr>, <sip:c;lr>, <sip:d;lr>, <sip:p@[::1;lr>\r\n", 400 } };

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char branch[32];
		int status = 0;

		snprintf(branch, sizeof(branch), "z9hG4bKro%u", i);
		h_send(h, H_CALLER, 5060,
		       h_request("OPTIONS", "sip:192.0.2.10", branch, branch, "", cases[i].route));
		h_one_out(h);
		sscanf(h->out[0].text, "SIP/2.0 %d", &status);
		assert_int_equal(status, cases[i].status);
		if (!status)
			assert_string_equal(h_row(&h->out[0], "Route:", 0),
					    "Route: <sip:p@198.51.100.21;lr>");
	}
}

/* A request of the callee to this URI, with these Route rows. */
static const char *from_callee(const char *method, const char *uri, const char *branch, const char *route)
{
	static char text[H_FRAME];

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.21;branch=%s\r\n%sMax-Forwards: 70\r\n"
		 "From: <sip:b@y>;tag=gwtag\r\nTo: <sip:a@x>;tag=from1\r\nCall-ID: back@x\r\nCSeq: 9 %s\r\n"
		 "Content-Length: 0\r\n\r\n",
		 method, uri, branch, route, method);
	return text;
}

/*
 * To the other side of a call: by the next Route or to the Contact, if that is an address of a peer's, else
 * where the call came from; there as well from a callee that has ignored our Record-Route.
 */
static void test_back_to_the_caller(void **state)
{
	struct addr flow = h_addr(H_CALLER, 5062), contact = h_addr(H_CALLER2, 5066);
	char ours[H_FRAME], more[H_FRAME + 64];
	struct h_out req;

	req = h_call(h, 5062, h_invite("back@x", "z9hG4bKback"));
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, "gwtag"));
	snprintf(ours, sizeof(ours), "%s", routes(&req, false));
	snprintf(more, sizeof(more), "%sRoute: <sip:192.0.2.98:5066;lr>\r\n", ours);
	const struct {
		const char *uri, *route;
		const struct addr *to;
	} cases[] = {
		{ "sip:a@192.0.2.98:5066", ours, &contact },
		{ "sip:a@203.0.113.7", ours, &flow },
		{ "sip:a@192.0.2.97", more, &contact },
		{ "sip:a@192.0.2.98:5066", "", &flow },
	};

	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		char branch[32];

		snprintf(branch, sizeof(branch), "z9hG4bKback%u", i);
		h_send(h, h_gateway(&req), 5060,
		       from_callee(i % 2 ? "BYE" : "INFO", cases[i / 2].uri, branch, cases[i / 2].route));
		h_one_out(h);
		assert_true(addr_eq(&h->out[0].dst, cases[i / 2].to));
	}
}

/* What leads nowhere ends here, and is no message sent. */
static void test_no_way_to_the_next_hop(void **state)
{
	uint64_t drops = h_count(h, ST_DROP_NO_ROUTE);
	struct h_out req = h_call(h, 5060, h_invite("noway@x", "z9hG4bKn"));

	h_send(h, H_STRANGER, 5060,
	       h_request("BYE", "sip:b@198.51.100.21", "noway@x", "z9hG4bKn2", "gwtag", routes(&req, true)));
	h_one_out(h);
	req = h->out[0];
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, ""));
	assert_int_equal(h->n_out, 0);
	assert_int_equal(h_count(h, ST_DROP_NO_ROUTE), drops + 1);
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
		cmocka_unit_test(test_too_long_a_target_stays),
		cmocka_unit_test(test_a_strict_router_carries_the_token),
		cmocka_unit_test(test_a_spiral_keeps_its_other_routes),
		cmocka_unit_test(test_routes_of_others),
		cmocka_unit_test(test_back_to_the_caller),
		cmocka_unit_test(test_no_way_to_the_next_hop),
	};

	return cmocka_run_group_tests_name("routes", tests, start, stop);
}
