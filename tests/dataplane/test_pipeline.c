/* SPDX-License-Identifier: BSD-3-Clause */
/* The packet path without wires: what leaves, byte by byte, for the messages of a call. Laws hold after every
 * frame. */
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

static void test_invite_reaches_a_gateway(void **state)
{
	struct addr from = h->dp->listeners[1].addr;
	struct h_out req = h_call(h, 5060, h_invite("c1@x", "z9hG4bKa"));
	const char *via = h_row(&req, "Via:", 0);

	assert_true(addr_eq(&req.src, &from));
	assert_non_null(strstr(via, "Via: SIP/2.0/UDP core.example.net;branch=z9hG4bK"));
	assert_string_equal(h_row(&req, "Via:", 1), "Via: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKa");
	assert_string_equal(h_row(&req, "Max-Forwards:", 0), "Max-Forwards: 69");
	assert_string_equal(h_row(&req, "Max-Breadth:", 0), "Max-Breadth: 60");
	assert_non_null(strstr(h_row(&req, "Record-Route:", 0), "@core.example.net;lr>"));
	assert_string_equal(h_row(&req, "Record-Route:", 1), "Record-Route: <sip:192.0.2.10:5060;lr>");
	assert_memory_equal(req.text + req.n - strlen(H_SDP), H_SDP, strlen(H_SDP));
}

/* A Record-Route of a proxy before us stays below ours; else ours leaves room for what ICMP should quote. */
static void test_where_record_route_goes(void **state)
{
	struct h_out req = h_call(h, 5060, h_invite("rr1@x", "z9hG4bKrr1"));

	assert_true(strstr(req.text, "Call-ID: rr1@x") < strstr(req.text, "Record-Route:"));
	assert_true(strstr(req.text, "Call-ID: rr1@x") - req.text < 500);
	req = h_call(h, 5060,
		     h_request("INVITE", "sip:+8221234@192.0.2.10", "rr2@x", "z9hG4bKrr2", "",
			       "Record-Route: <sip:p1;lr>\r\nSubject: x\r\nRecord-Route: <sip:p2;lr>\r\n"));
	assert_non_null(strstr(h_row(&req, "Record-Route:", 0), "@core.example.net;lr>"));
	assert_string_equal(h_row(&req, "Record-Route:", 1), "Record-Route: <sip:192.0.2.10:5060;lr>");
	assert_string_equal(h_row(&req, "Record-Route:", 2), "Record-Route: <sip:p1;lr>");
	assert_string_equal(h_row(&req, "Record-Route:", 3), "Record-Route: <sip:p2;lr>");
}

/* Lets every transaction of earlier tests come to its end. */
static void until_quiet(void)
{
	for (unsigned s = 0; s < 300; s++) {
		h->now += 1000000000;
		h_tick(h);
	}
	assert_int_equal(h->n_out, 0);
}

/* A cancelled call, hop by hop: what Weir makes itself names the transaction of the INVITE. */
static void test_repeats_cancel_and_ack_hop_by_hop(void **state)
{
	char via[512], to[512];
	struct h_out first;

	until_quiet();
	first = h_call(h, 5060, h_invite("c2@x", "z9hG4bKb"));
	snprintf(via, sizeof(via), "%s", h_row(&first, "Via:", 0));
	h_send(h, H_CALLER, 5060, h_invite("c2@x", "z9hG4bKb"));
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 100 ", 12);
	h->now += 501000000;
	h_tick(h);
	h_one_out(h);
	assert_int_equal(h->out[0].n, first.n);
	assert_memory_equal(h->out[0].text, first.text, first.n);
	h_send(h, h_gateway(&first), 5060, h_answer(&first, 100, "gwtag"));
	assert_int_equal(h->n_out, 0);
	h_send(h, h_gateway(&first), 5060, h_answer(&first, 180, "gwtag"));
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 180 ", 12);

	h_send(h, H_CALLER, 5060, h_request("CANCEL", "sip:+8221234@192.0.2.10", "c2@x", "z9hG4bKb", "", ""));
	assert_int_equal(h->n_out, 2);
	assert_memory_equal(h->out[0].text, "SIP/2.0 200 ", 12);
	assert_string_equal(h_row(&h->out[0], "CSeq:", 0), "CSeq: 1 CANCEL");
	assert_true(addr_eq(&h->out[1].dst, &first.dst));
	assert_memory_equal(h->out[1].text, "CANCEL sip:+8221234@192.0.2.10 SIP/2.0\r\n", 40);
	assert_string_equal(h_row(&h->out[1], "Via:", 0), via);
	assert_null(h_row(&h->out[1], "Via:", 1));
	assert_string_equal(h_row(&h->out[1], "CSeq:", 0), "CSeq: 1 CANCEL");
	assert_null(h_row(&h->out[1], "Max-Breadth:", 0));
	assert_null(h_row(&h->out[1], "Record-Route:", 0));
	h_send(h, h_gateway(&first), 5060, h_answer(&h->out[1], 200, "gwtag"));
	assert_int_equal(h->n_out, 0);

	h_send(h, h_gateway(&first), 5060, h_answer(&first, 487, "gwtag"));
	assert_int_equal(h->n_out, 2);
	assert_memory_equal(h->out[0].text, "SIP/2.0 487 ", 12);
	snprintf(to, sizeof(to), "%s", h_row(&h->out[0], "To:", 0));
	assert_memory_equal(h->out[1].text, "ACK sip:+8221234@192.0.2.10 SIP/2.0\r\n", 37);
	assert_string_equal(h_row(&h->out[1], "Via:", 0), via);
	assert_string_equal(h_row(&h->out[1], "To:", 0), to);
	h->now += 501000000;
	h_tick(h);
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 487 ", 12);
	h_send(h, H_CALLER, 5060,
	       h_request("ACK", "sip:+8221234@192.0.2.10", "c2@x", "z9hG4bKb", "gwtag", ""));
	assert_int_equal(h->n_out, 0);
	h->now += 40000000000;
	h_tick(h);
	assert_int_equal(h->n_out, 0);
}

static bool next_record(struct lb_record *record)
{
	return dp_next_record(h->dp, 0, record) || dp_next_record(h->dp, 1, record);
}

/* The answer with its CSeq written like this, as far as there is a method to come: before and behind it. */
static const char *respelt(const char *answer, const char *before, const char *behind)
{
	static char text[H_FRAME];
	const char *row = strstr(answer, "CSeq: "), *method = strchr(row + 6, ' ') + 1;
	size_t n = strcspn(method, "\r");

	snprintf(text, sizeof(text), "%.*s%s%.*s%s%s", (int)(row - answer), answer, before, (int)n, method,
		 behind, method + n);
	return text;
}

/*
 * A call is counted from its INVITE on, found by its tags in its BYE and the answer to that, and recorded;
 * however its gateway writes the CSeq.
 */
static void one_call(const char *before, const char *behind)
{
	static const char texts[] = "a+8221234c9@x";
	char route[256], bye[H_FRAME];
	struct lb_record record;
	struct h_out req;
	uint16_t slot;

	until_quiet();
	while (next_record(&record))
		;
	req = h_call(h, 5060, h_invite("c9@x", "z9hG4bKk"));
	slot = h_gateway(&req) == H_GW1 ? 0 : 1;
	assert_int_equal(lb_gateway_calls(h->words, slot), 1);
	h_send(h, h_gateway(&req), 5060, respelt(h_answer(&req, 200, "gwtag"), before, behind));
	h_one_out(h);
	h->now += 90000000000;
	snprintf(route, sizeof(route), "Route:%s\r\n", strchr(h_row(&req, "Record-Route:", 0), ':') + 1);
	snprintf(bye, sizeof(bye), "%s",
		 h_request("BYE", "sip:b@198.51.100.21", "c9@x", "z9hG4bKl", "gwtag", route));
	h_send(h, H_CALLER, 5060, bye);
	h_one_out(h);
	assert_int_equal(lb_gateway_calls(h->words, slot), 1);
	assert_false(next_record(&record));
	req = h->out[0];
	h_send(h, h_gateway(&req), 5060, respelt(h_answer(&req, 200, ""), before, behind));
	assert_int_equal(lb_gateway_calls(h->words, slot), 0);
	assert_true(next_record(&record));
	assert_int_equal(record.how, LB_END_BYE);
	assert_int_equal(record.out, slot);
	assert_int_equal(record.status, 200);
	assert_int_equal(record.answered_ms, 90000);
	assert_int_equal(record.caller_n + record.number_n + record.call_id_n, sizeof(texts) - 1);
	assert_memory_equal(record.text, texts, sizeof(texts) - 1);
	assert_false(next_record(&record));
}

static void test_a_call_is_counted_and_recorded(void **state)
{
	one_call("CSeq: 1 ", "");
	one_call("CSEQ:1\t", " \t ");
	one_call("cseq :\r\n 0000000001  ", "");
	one_call("CSeq: 1\r\n\t", "\r\n ");
}

/* The answer with a From so long that a 2xx need not decode more of it than its tag. */
static const char *with_name(const char *answer)
{
	static char text[H_FRAME];
	const char *from = strstr(answer, "From: ") + 6;

	snprintf(text, sizeof(text), "%.*s\"A Caller with a Name\" %s", (int)(from - answer), answer, from);
	return text;
}

/* A fork answers after the refusal: the record of its call is made of what the 2xx itself says. */
static void test_a_late_answer_is_recorded(void **state)
{
	static const char texts[] = "a+8221234c10@x";
	char route[256];
	struct lb_record record;
	struct h_out req;

	until_quiet();
	while (next_record(&record))
		;
	req = h_call(h, 5060, h_invite("c10@x", "z9hG4bKk10"));
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 486, "gwtag"));
	assert_true(next_record(&record));
	assert_int_equal(record.late, 0);
	h_send(h, H_CALLER, 5060,
	       h_request("ACK", "sip:+8221234@192.0.2.10", "c10@x", "z9hG4bKk10", "gwtag", ""));
	h_send(h, h_gateway(&req), 5060, with_name(h_answer(&req, 200, "fork2")));
	h_one_out(h);
	snprintf(route, sizeof(route), "Route:%s\r\n", strchr(h_row(&req, "Record-Route:", 0), ':') + 1);
	h_send(h, H_CALLER, 5060,
	       h_request("BYE", "sip:b@198.51.100.21", "c10@x", "z9hG4bKl10", "fork2", route));
	h_one_out(h);
	req = h->out[0];
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, ""));
	assert_true(next_record(&record));
	assert_int_equal(record.late, 1);
	assert_int_equal(record.caller_n + record.number_n + record.call_id_n, sizeof(texts) - 1);
	assert_memory_equal(record.text, texts, sizeof(texts) - 1);
	assert_false(next_record(&record));
}

static void test_response_goes_back(void **state)
{
	struct addr caller = h_addr(H_CALLER, 40000);
	struct h_out req;

	req = h_call(
		h, 40000,
		"INVITE sip:1@192.0.2.10 SIP/2.0\r\nv: SIP/2.0/UDP 10.9.9.9:5060;rport;branch=z9hG4bKnat\r\n"
		"f: <sip:a@x>;tag=1\r\nt: <sip:b@y>\r\ni: nat@x\r\nCSeq: 7 INVITE\r\nl: 0\r\n\r\n");
	assert_string_equal(h_row(&req, "v:", 0),
			    "v: SIP/2.0/UDP 10.9.9.9:5060;rport=40000;branch=z9hG4bKnat;received=192.0.2.99");
	assert_string_equal(h_row(&req, "Max-Forwards:", 0), "Max-Forwards: 70");
	{
		/* the gateway writes the lower Via in the long form */
		char text[H_FRAME];

		snprintf(
			text, sizeof(text),
			"SIP/2.0 180 Ringing\r\n%s\r\n"
			"Via: SIP/2.0/UDP 10.9.9.9:5060;rport=40000;branch=z9hG4bKnat;received=192.0.2.99\r\n"
			"From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>;tag=2\r\nCall-ID: nat@x\r\nCSeq: 7 INVITE\r\n"
			"Content-Length: 0\r\n\r\n",
			h_row(&req, "Via:", 0));
		h_send(h, h_gateway(&req), 5060, text);
	}
	h_one_out(h);
	assert_int_equal(h->out[0].port, 0);
	assert_true(addr_eq(&h->out[0].dst, &caller));
	assert_true(addr_eq(&h->out[0].src, &h->dp->listeners[0].addr));
	assert_non_null(strstr(h_row(&h->out[0], "Via:", 0), "10.9.9.9"));
	assert_null(h_row(&h->out[0], "Via:", 1));
}

/* The callee's BYE in the dialog of `req`, whose caller's Contact names port 5064 of a mapped address. */
static const char *mapped_bye(const struct h_out *req)
{
	static char text[H_FRAME];

	snprintf(text, sizeof(text),
		 "BYE sip:a@[::ffff:192.0.2.99]:5064 SIP/2.0\r\nVia: SIP/2.0/UDP "
		 "198.51.100.21;branch=z9hG4bKmb\r\n"
		 "%sMax-Forwards: 70\r\nFrom: <sip:b@y>;tag=t\r\nTo: <sip:a@x>;tag=1\r\nCall-ID: mapped@x\r\n"
		 "CSeq: 9 BYE\r\nContent-Length: 0\r\n\r\n",
		 routes(req, false));
	return text;
}

/* A sender with both families in one socket writes its IPv4 address as IPv6 does (RFC 5118 4.9). */
static void test_mapped_addresses_are_reached(void **state)
{
	struct addr caller = h_addr(H_CALLER, 5064);
	struct h_out req;

	req = h_call(h, 5064,
		     "INVITE sip:1@192.0.2.10 SIP/2.0\r\n"
		     "Via: SIP/2.0/UDP [::ffff:192.0.2.99]:5064;branch=z9hG4bKmapped\r\n"
		     "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: mapped@x\r\nCSeq: 7 INVITE\r\n"
		     "Content-Length: 0\r\n\r\n");
	assert_string_equal(h_row(&req, "Via:", 1),
			    "Via: SIP/2.0/UDP [::ffff:192.0.2.99]:5064;branch=z9hG4bKmapped");
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 180, "t"));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &caller));
	h_send(h, h_gateway(&req), 5060, mapped_bye(&req));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &caller));
	h_send(h, H_CALLER, 5064,
	       "MESSAGE sip:1@192.0.2.10 SIP/2.0\r\n"
	       "Via: SIP/2.0/UDP [::ffff:192.0.2.99]:5064;branch=z9hG4bKmapped2\r\n"
	       "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: mapped2@x\r\nCSeq: 7 MESSAGE\r\n"
	       "Content-Length: 0\r\n\r\n");
	h_one_out(h);
	req = h->out[0];
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, "t"));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &caller));
}

static void test_forged_response_is_dropped(void **state)
{
	uint64_t before = h_count(h, ST_DROP_RESPONSE_BAD_MAC);
	struct h_out req;
	char text[H_FRAME], *p;

	req = h_call(h, 5060, h_invite("forge@x", "z9hG4bKf"));
	/* a response may not be sent anywhere but where its request came from */
	snprintf(text, sizeof(text), "%s", h_answer(&req, 200, "t"));
	p = strstr(text, "192.0.2.99");
	p[9] = '8';
	h_send(h, h_gateway(&req), 5060, text);
	assert_int_equal(h->n_out, 0);
	/* nor may the branch be changed */
	snprintf(text, sizeof(text), "%s", h_answer(&req, 200, "t"));
	p = strstr(text, "z9hG4bK") + 20;
	*p = *p == 'a' ? 'b' : 'a';
	h_send(h, h_gateway(&req), 5060, text);
	assert_int_equal(h->n_out, 0);
	assert_true(h_count(h, ST_DROP_RESPONSE_BAD_MAC) > before);
}

static void test_dialog_requests_find_their_side(void **state)
{
	struct addr caller = h_addr(H_CALLER, 5062);
	struct h_out req;

	req = h_call(h, 5062, h_invite("dlg@x", "z9hG4bKd"));
	h_send(h, H_CALLER, 5062,
	       h_request("BYE", "sip:b@198.51.100.21", "dlg@x", "z9hG4bKd2", "gwtag", routes(&req, true)));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &req.dst));
	assert_null(h_row(&h->out[0], "Route:", 0));
	assert_null(h_row(&h->out[0], "Record-Route:", 0));
	{
		char text[H_FRAME];

		snprintf(text, sizeof(text),
			 "BYE sip:a@somewhere.invalid SIP/2.0\r\nVia: SIP/2.0/UDP "
			 "198.51.100.21;branch=z9hG4bKd3\r\n%s"
			 "Max-Forwards: 70\r\nFrom: <sip:b@y>;tag=gwtag\r\nTo: "
			 "<sip:a@x>;tag=from1\r\nCall-ID: dlg@x\r\n"
			 "CSeq: 9 BYE\r\nContent-Length: 0\r\n\r\n",
			 routes(&req, false));
		h_send(h, h_gateway(&req), 5060, text);
	}
	h_one_out(h);
	assert_int_equal(h->out[0].port, 0);
	assert_true(addr_eq(&h->out[0].dst, &caller));
	assert_null(h_row(&h->out[0], "Route:", 0));
	assert_non_null(strstr(h_row(&h->out[0], "Via:", 0), "SIP/2.0/UDP 192.0.2.10:5060;branch="));
}

static void test_strict_routers_are_served(void **state)
{
	struct h_out req;
	char uri[512], *p;

	req = h_call(h, 5060, h_invite("strict@x", "z9hG4bKs"));
	/* a strict router put our Record-Route URI into the Request-URI and the target at the end of Route */
	p = strchr(h_row(&req, "Record-Route:", 0), '<');
	snprintf(uri, sizeof(uri), "%s", p + 1);
	*strchr(uri, '>') = 0;
	h_send(h, H_CALLER, 5060,
	       h_request("BYE", uri, "strict@x", "z9hG4bKs2", "t", "Route: <sip:b@198.51.100.21:5060>\r\n"));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &req.dst));
	assert_memory_equal(h->out[0].text, "BYE sip:b@198.51.100.21:5060 SIP/2.0\r\n", 38);
	assert_null(h_row(&h->out[0], "Route:", 0));
	/* the next hop is a strict router: it gets its own URI, and the target goes to the end */
	h_send(h, H_CALLER, 5060,
	       h_request("BYE", "sip:b@z", "strict@x", "z9hG4bKs3", "t",
			 "Route: <sip:p@198.51.100.21>,<sip:q@w;lr>\r\n"));
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "BYE sip:p@198.51.100.21 SIP/2.0\r\n", 33);
	assert_string_equal(h_row(&h->out[0], "Route:", 0), "Route:<sip:q@w;lr>");
	assert_string_equal(h_row(&h->out[0], "Route:", 1), "Route: <sip:b@z>");
}

/* The value of the n-th Record-Route row. */
static const char *record_route(const struct h_out *o, unsigned n)
{
	static char value[2][512];

	snprintf(value[n], sizeof(value[n]), "%s", h_row(o, "Record-Route:", n) + strlen("Record-Route: "));
	return value[n];
}

/* A BYE of the callee in the dialog spiral@x by this Route. */
static const char *bye_of_callee(const char *branch, const char *route)
{
	static char text[H_FRAME];

	snprintf(text, sizeof(text),
		 "BYE sip:a@somewhere.invalid SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.21;branch=%s\r\n"
		 "Route: %s\r\nMax-Forwards: 70\r\nFrom: <sip:b@y>;tag=gwtag\r\n"
		 "To: <sip:a@x>;tag=from1\r\nCall-ID: spiral@x\r\nCSeq: 9 BYE\r\nContent-Length: 0\r\n\r\n",
		 branch, route);
	return text;
}

/*
 * A call that comes by twice, through a proxy that leaves the Record-Route to us, has a token of each time: a
 * request in its dialog comes by twice as well (RFC 3261 16.4), and goes to that proxy between.
 */
static void test_spiral_takes_one_token_at_a_time(void **state)
{
	struct h_out first, second;
	char text[H_FRAME], route[1200];

	until_quiet();
	h_send(h, H_GW1, 5060, h_invite("spiral@x", "z9hG4bKsp"));
	assert_int_equal(h->n_out, 2);
	first = h->out[1];
	assert_null(h_row(&first, "Record-Route:", 1));
	snprintf(text, sizeof(text), "%.*s", (int)first.n, first.text);
	*strstr(text, "8221234") = '9';
	h_send(h, h_gateway(&first), 5060, text);
	assert_int_equal(h->n_out, 2);
	second = h->out[1];
	assert_string_equal(record_route(&second, 1), record_route(&first, 0));

	snprintf(route, sizeof(route), "Route: %s, %s\r\n", record_route(&second, 1),
		 record_route(&second, 0));
	h_send(h, H_GW1, 5060,
	       h_request("BYE", "sip:b@198.51.100.21", "spiral@x", "z9hG4bKsp2", "gwtag", route));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &first.dst));
	assert_non_null(h_row(&h->out[0], "Route:", 0));
	assert_non_null(strstr(h_row(&h->out[0], "Route:", 0), record_route(&second, 0)));

	snprintf(route, sizeof(route), "%s, %s", record_route(&second, 0), record_route(&second, 1));
	h_send(h, h_gateway(&second), 5060, bye_of_callee("z9hG4bKsp3", route));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &first.dst));
	assert_non_null(h_row(&h->out[0], "Route:", 0));
	assert_non_null(strstr(h_row(&h->out[0], "Route:", 0), record_route(&second, 1)));
	/* our own address is nowhere to send to, though it is one of a peer's */
	snprintf(route, sizeof(route), "%s, <sip:%.*s@192.0.2.10:5060;lr>", record_route(&second, 0),
		 (int)strcspn(record_route(&second, 1) + 5, "@"), record_route(&second, 1) + 5);
	h_send(h, h_gateway(&second), 5060, bye_of_callee("z9hG4bKsp4", route));
	h_one_out(h);
	assert_true(addr_eq(&h->out[0].dst, &first.dst));
}

/* A strict router has left nothing but values of ours: the last of them is the target (RFC 3261 16.4). */
static void test_strict_route_to_ourselves(void **state)
{
	static const char *const rows[] = {
		"Route: <sip:192.0.2.10;lr>\r\n", "Route: <sip:core.example.net;lr>, <sip:192.0.2.10;lr>\r\n",
		"Route: <sip:core.example.net;lr>\r\nRoute: <sip:192.0.2.10;lr>\r\n"
	};

	for (unsigned i = 0; i < 3; i++) {
		char call[32];

		snprintf(call, sizeof(call), "selfroute-%u", i);
		h_send(h, H_CALLER, 5060,
		       h_request("MESSAGE", "sip:core.example.net;lr", call, call, "", rows[i]));
		h_one_out(h);
		assert_memory_equal(h->out[0].text, "MESSAGE sip:192.0.2.10;lr SIP/2.0\r\n", 35);
		assert_int_equal(h->out[0].port, 1);
	}
}

/* A Route that takes the place of the Request-URI is what is called: it counts for all that is decided. */
static void test_what_leaves_is_what_is_called(void **state)
{
	/* what cannot be a Request-URI */
	static const char *const bad[][2] = {
		{ "sip:+8221234@192.0.2.10", "Route: <tel:+9990>\r\n" },
		{ "sip:+8221234@192.0.2.10", "Route: <sip:+9990@h?Subject=x>\r\n" },
		{ "sip:192.0.2.10;lr", "Route: <sip:+9990@h?Subject=x>\r\n" },
		{ "sip:192.0.2.10;lr", "Route: <mailto:a@b>\r\n" },
	};
	static const char number[] = "a+9990num-1", route[] = "Route: <sip:+9990@198.51.100.21>\r\n";
	uint64_t urgent = h_count(h, ST_URGENT_EMERGENCY);
	struct lb_record record;
	struct h_out req;

	until_quiet();
	while (next_record(&record))
		;
	req = h_call(h, 5060,
		     h_request("INVITE", "sip:+8221234@192.0.2.10", "num-1", "z9hG4bKnum1", "", route));
	assert_memory_equal(req.text, "INVITE sip:+9990@198.51.100.21 SIP/2.0\r\n", 40);
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 486, "t"));
	assert_true(next_record(&record));
	assert_int_equal(record.caller_n + record.number_n + record.call_id_n, sizeof(number) - 1);
	assert_memory_equal(record.text, number, sizeof(number) - 1);
	h_call(h, 5060, h_request("INVITE", "urn:service:sos", "num-2", "z9hG4bKnum2", "", ""));
	assert_int_equal(h_count(h, ST_URGENT_EMERGENCY), urgent + 1);
	h_call(h, 5060, h_request("INVITE", "urn:service:sos", "num-3", "z9hG4bKnum3", "", route));
	assert_int_equal(h_count(h, ST_URGENT_EMERGENCY), urgent + 1);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		h_send(h, H_CALLER, 5060,
		       h_request("INVITE", bad[i][0], "num-4", "z9hG4bKnum4", "", bad[i][1]));
		h_one_out(h);
		assert_memory_equal(h->out[0].text, "SIP/2.0 400 ", 12);
	}
}

/* However a number is written, the same one is called, so routes and records see it so (RFC 3261 19.1.4). */
static void test_numbers_are_read_unescaped(void **state)
{
	static const char *const table[][2] = {
		{ "sip:+82%321234@pstn", "+8221234" },
		{ "sip:%2b82-(2)%2d12%29.34@pstn;user=phone", "+8221234" },
		{ "tel:+8%32%2D21;phone-context=x", "+8221" },
		{ "sip:9%311;x=%31@pstn", "911" },
		{ "sip:91%@pstn", "91%" },
		{ "sip:91%3@pstn", "91%3" },
		{ "sip:91%3g@pstn", "91%3g" },
		{ "sip:9%3b1@pstn", "9%3b1" },
		{ "sip:9%611@pstn", "9%611" },
	};

	until_quiet();
	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *number = table[i][1];
		struct lb_record record;
		struct h_out req;
		char call[32];

		while (next_record(&record))
			;
		snprintf(call, sizeof(call), "escaped-%u", i);
		req = h_call(h, 5060, h_request("INVITE", table[i][0], call, call, "", ""));
		assert_memory_equal(req.text + strlen("INVITE "), table[i][0], strlen(table[i][0]));
		h_send(h, h_gateway(&req), 5060, h_answer(&req, 486, "t"));
		assert_true(next_record(&record));
		if (record.number_n != strlen(number) ||
		    memcmp(record.text + record.caller_n, number, strlen(number)))
			fail_msg("%s: %.*s", table[i][0], record.number_n, record.text + record.caller_n);
	}
}

/* CANCEL and ACK name what the INVITE named when it left, Route and all (RFC 3261 9.1, 17.1.1.3). */
static void test_cancel_and_ack_name_what_was_sent(void **state)
{
	static const struct {
		const char *uri, *route, *line, *left[2];
	} table[] = {
		/* the next hop is a strict router */
		{ "sip:+8221234@192.0.2.10",
		  "Route: <sip:192.0.2.10;lr>, <sip:p@198.51.100.21>,<sip:q@w;lr>\r\n",
		  " sip:p@198.51.100.21 SIP/2.0\r\n",
		  { "Route:<sip:q@w;lr>", "Route: <sip:+8221234@192.0.2.10>" } },
		{ "sip:+8221234@192.0.2.10",
		  "Route: <sip:p@198.51.100.21>\r\n",
		  " sip:p@198.51.100.21 SIP/2.0\r\n",
		  { "Route: <sip:+8221234@192.0.2.10>" } },
		/* the one before was */
		{ "sip:192.0.2.10;lr",
		  "Route: <sip:x@w;lr>, <sip:+8229999@pstn>\r\n",
		  " sip:+8229999@pstn SIP/2.0\r\n",
		  { "Route: <sip:x@w;lr>" } },
		{ "sip:192.0.2.10;lr",
		  "Route: <sip:core.example.net;lr>\r\nRoute: <sip:+8229999@pstn>\r\n",
		  " sip:+8229999@pstn SIP/2.0\r\n",
		  { NULL } },
		/* neither */
		{ "sip:+8221234@192.0.2.10",
		  "Route: <sip:192.0.2.10;lr>, <sip:x@w;lr>\r\nRoute: <sip:y@w;lr>\r\n",
		  " sip:+8221234@192.0.2.10 SIP/2.0\r\n",
		  { "Route: <sip:x@w;lr>", "Route: <sip:y@w;lr>" } },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *names[] = { "INVITE", "CANCEL", "ACK" };
		struct h_out out[3];
		char call[32];

		snprintf(call, sizeof(call), "named-%u", i);
		out[0] = h_call(h, 5060, h_request("INVITE", table[i].uri, call, call, "", table[i].route));
		h_send(h, h_gateway(&out[0]), 5060, h_answer(&out[0], 180, "gwtag"));
		h_send(h, H_CALLER, 5060, h_request("CANCEL", table[i].uri, call, call, "", table[i].route));
		assert_int_equal(h->n_out, 2);
		out[1] = h->out[1];
		h_send(h, h_gateway(&out[0]), 5060, h_answer(&out[0], 487, "gwtag"));
		assert_int_equal(h->n_out, 2);
		out[2] = h->out[1];
		for (unsigned k = 0; k < 3; k++) {
			size_t n = strlen(names[k]);
			unsigned rows = 0;

			assert_memory_equal(out[k].text, names[k], n);
			if (strncmp(out[k].text + n, table[i].line, strlen(table[i].line)))
				fail_msg("%u: %.60s", i, out[k].text);
			for (; rows < 2 && table[i].left[rows]; rows++) {
				const char *row = h_row(&out[k], "Route:", rows);

				if (!row || strcmp(row, table[i].left[rows]))
					fail_msg("%u: %s %s", i, names[k], row ? row : "without it");
			}
			assert_null(h_row(&out[k], "Route:", rows));
		}
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
		cmocka_unit_test(test_invite_reaches_a_gateway),
		cmocka_unit_test(test_where_record_route_goes),
		cmocka_unit_test(test_repeats_cancel_and_ack_hop_by_hop),
		cmocka_unit_test(test_a_call_is_counted_and_recorded),
		cmocka_unit_test(test_a_late_answer_is_recorded),
		cmocka_unit_test(test_response_goes_back),
		cmocka_unit_test(test_mapped_addresses_are_reached),
		cmocka_unit_test(test_forged_response_is_dropped),
		cmocka_unit_test(test_dialog_requests_find_their_side),
		cmocka_unit_test(test_strict_routers_are_served),
		cmocka_unit_test(test_spiral_takes_one_token_at_a_time),
		cmocka_unit_test(test_strict_route_to_ourselves),
		cmocka_unit_test(test_what_leaves_is_what_is_called),
		cmocka_unit_test(test_numbers_are_read_unescaped),
		cmocka_unit_test(test_cancel_and_ack_name_what_was_sent),
	};

	return cmocka_run_group_tests_name("pipeline", tests, start, stop);
}
