/* SPDX-License-Identifier: BSD-3-Clause */
/* The packet path without wires: what leaves, byte by byte, for what comes in. Laws hold after every frame.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

static struct harness *h;

#define SDP  "v=0\r\no=- 1 1 IN IP4 192.0.2.99\r\ns=-\r\n"
#define BODY "Content-Type: application/sdp\r\nContent-Length: 37\r\n\r\n" SDP

static const char *request(const char *method, const char *uri, const char *call, const char *branch,
			   const char *to_tag, const char *more)
{
	static char text[H_FRAME];

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99:5060;branch=%s\r\n%sMax-Forwards: 70\r\n"
		 "From: <sip:a@x>;tag=from1\r\nTo: <sip:b@y>%s%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n" BODY,
		 method, uri, branch, more, to_tag[0] ? ";tag=" : "", to_tag, call, method);
	return text;
}

static const char *invite(const char *call, const char *branch)
{
	return request("INVITE", "sip:+8221234@192.0.2.10", call, branch, "", "");
}

/* The answer that a gateway gives to `req`: its Vias and dialog headers, with Record-Route. */
static const char *answer(const struct h_out *req, int status, const char *to_tag)
{
	static char text[H_FRAME];
	size_t n = (size_t)snprintf(text, sizeof(text), "SIP/2.0 %d Whatever\r\n", status);
	static const char *const copied[] = { "Via:", "Record-Route:", "From:", "Call-ID:", "CSeq:" };
	const char *to;

	for (size_t i = 0; i < sizeof(copied) / sizeof(*copied); i++) {
		const char *row;

		for (unsigned k = 0; (row = h_row(req, copied[i], k)); k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s\r\n", row);
	}
	to = h_row(req, "To:", 0);
	snprintf(text + n, sizeof(text) - n, "%s%s%s\r\nContent-Length: 0\r\n\r\n", to,
		 strstr(to, ";tag=") ? "" : ";tag=", strstr(to, ";tag=") ? "" : to_tag);
	return text;
}

static enum h_who gateway_of(const struct h_out *o)
{
	struct addr gw1 = h_addr(H_GW1, 5060);

	return addr_eq(&o->dst, &gw1) ? H_GW1 : H_GW2;
}

static void one_out(void)
{
	assert_int_equal(h->n_out, 1);
}

/* Sends an INVITE for a new call; returns it as it left. The caller gets Weir's own 100. */
static struct h_out call_from(uint16_t port, const char *text)
{
	struct addr caller = h_addr(H_CALLER, port);

	h_send(h, H_CALLER, port, text);
	assert_int_equal(h->n_out, 2);
	assert_memory_equal(h->out[0].text, "SIP/2.0 100 Trying\r\n", 20);
	assert_true(addr_same_ip(&h->out[0].dst, &caller));
	assert_int_equal(h->out[1].port, 1);
	return h->out[1];
}

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
	struct h_out req = call_from(5060, invite("c1@x", "z9hG4bKa"));
	const char *via = h_row(&req, "Via:", 0);

	assert_true(addr_eq(&req.src, &from));
	assert_non_null(strstr(via, "Via: SIP/2.0/UDP core.example.net;branch=z9hG4bK"));
	assert_string_equal(h_row(&req, "Via:", 1), "Via: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKa");
	assert_string_equal(h_row(&req, "Max-Forwards:", 0), "Max-Forwards: 69");
	assert_string_equal(h_row(&req, "Max-Breadth:", 0), "Max-Breadth: 60");
	assert_non_null(strstr(h_row(&req, "Record-Route:", 0), "@core.example.net;lr>"));
	assert_string_equal(h_row(&req, "Record-Route:", 1), "Record-Route: <sip:192.0.2.10:5060;lr>");
	assert_memory_equal(req.text + req.n - strlen(SDP), SDP, strlen(SDP));
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
	first = call_from(5060, invite("c2@x", "z9hG4bKb"));
	snprintf(via, sizeof(via), "%s", h_row(&first, "Via:", 0));
	h_send(h, H_CALLER, 5060, invite("c2@x", "z9hG4bKb"));
	one_out();
	assert_memory_equal(h->out[0].text, "SIP/2.0 100 ", 12);
	h->now += 501000000;
	h_tick(h);
	one_out();
	assert_int_equal(h->out[0].n, first.n);
	assert_memory_equal(h->out[0].text, first.text, first.n);
	h_send(h, gateway_of(&first), 5060, answer(&first, 100, "gwtag"));
	assert_int_equal(h->n_out, 0);
	h_send(h, gateway_of(&first), 5060, answer(&first, 180, "gwtag"));
	one_out();
	assert_memory_equal(h->out[0].text, "SIP/2.0 180 ", 12);

	h_send(h, H_CALLER, 5060, request("CANCEL", "sip:+8221234@192.0.2.10", "c2@x", "z9hG4bKb", "", ""));
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
	h_send(h, gateway_of(&first), 5060, answer(&h->out[1], 200, "gwtag"));
	assert_int_equal(h->n_out, 0);

	h_send(h, gateway_of(&first), 5060, answer(&first, 487, "gwtag"));
	assert_int_equal(h->n_out, 2);
	assert_memory_equal(h->out[0].text, "SIP/2.0 487 ", 12);
	snprintf(to, sizeof(to), "%s", h_row(&h->out[0], "To:", 0));
	assert_memory_equal(h->out[1].text, "ACK sip:+8221234@192.0.2.10 SIP/2.0\r\n", 37);
	assert_string_equal(h_row(&h->out[1], "Via:", 0), via);
	assert_string_equal(h_row(&h->out[1], "To:", 0), to);
	h->now += 501000000;
	h_tick(h);
	one_out();
	assert_memory_equal(h->out[0].text, "SIP/2.0 487 ", 12);
	h_send(h, H_CALLER, 5060, request("ACK", "sip:+8221234@192.0.2.10", "c2@x", "z9hG4bKb", "gwtag", ""));
	assert_int_equal(h->n_out, 0);
	h->now += 40000000000;
	h_tick(h);
	assert_int_equal(h->n_out, 0);
}

static bool next_record(struct lb_record *record)
{
	return dp_next_record(h->dp, 0, record) || dp_next_record(h->dp, 1, record);
}

/* A call is counted from its INVITE on, found by its tags in its BYE and the answer to that, and recorded. */
static void test_a_call_is_counted_and_recorded(void **state)
{
	static const char texts[] = "a+8221234c9@x";
	char route[256], bye[H_FRAME];
	struct lb_record record;
	struct h_out req;
	uint16_t slot;

	until_quiet();
	while (next_record(&record))
		;
	req = call_from(5060, invite("c9@x", "z9hG4bKk"));
	slot = gateway_of(&req) == H_GW1 ? 0 : 1;
	assert_int_equal(lb_gateway_calls(h->words, slot), 1);
	h_send(h, gateway_of(&req), 5060, answer(&req, 200, "gwtag"));
	one_out();
	h->now += 90000000000;
	snprintf(route, sizeof(route), "Route:%s\r\n", strchr(h_row(&req, "Record-Route:", 0), ':') + 1);
	snprintf(bye, sizeof(bye), "%s",
		 request("BYE", "sip:b@198.51.100.21", "c9@x", "z9hG4bKl", "gwtag", route));
	h_send(h, H_CALLER, 5060, bye);
	one_out();
	assert_int_equal(lb_gateway_calls(h->words, slot), 1);
	assert_false(next_record(&record));
	req = h->out[0];
	h_send(h, gateway_of(&req), 5060, answer(&req, 200, ""));
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

static void test_response_goes_back(void **state)
{
	struct addr caller = h_addr(H_CALLER, 40000);
	struct h_out req;

	req = call_from(
		40000,
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
		h_send(h, gateway_of(&req), 5060, text);
	}
	one_out();
	assert_int_equal(h->out[0].port, 0);
	assert_true(addr_eq(&h->out[0].dst, &caller));
	assert_true(addr_eq(&h->out[0].src, &h->dp->listeners[0].addr));
	assert_non_null(strstr(h_row(&h->out[0], "Via:", 0), "10.9.9.9"));
	assert_null(h_row(&h->out[0], "Via:", 1));
}

static void test_forged_response_is_dropped(void **state)
{
	uint64_t before = h_count(h, ST_DROP_RESPONSE_BAD_MAC);
	struct h_out req;
	char text[H_FRAME], *p;

	req = call_from(5060, invite("forge@x", "z9hG4bKf"));
	/* a response may not be sent anywhere but where its request came from */
	snprintf(text, sizeof(text), "%s", answer(&req, 200, "t"));
	p = strstr(text, "192.0.2.99");
	p[9] = '8';
	h_send(h, gateway_of(&req), 5060, text);
	assert_int_equal(h->n_out, 0);
	/* nor may the branch be changed */
	snprintf(text, sizeof(text), "%s", answer(&req, 200, "t"));
	p = strstr(text, "z9hG4bK") + 20;
	*p = *p == 'a' ? 'b' : 'a';
	h_send(h, gateway_of(&req), 5060, text);
	assert_int_equal(h->n_out, 0);
	assert_true(h_count(h, ST_DROP_RESPONSE_BAD_MAC) > before);
}

static void test_dialog_requests_find_their_side(void **state)
{
	struct addr caller = h_addr(H_CALLER, 5062);
	struct h_out req;

	req = call_from(5062, invite("dlg@x", "z9hG4bKd"));
	h_send(h, H_CALLER, 5062,
	       request("BYE", "sip:b@198.51.100.21", "dlg@x", "z9hG4bKd2", "gwtag", routes(&req, true)));
	one_out();
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
		h_send(h, gateway_of(&req), 5060, text);
	}
	one_out();
	assert_int_equal(h->out[0].port, 0);
	assert_true(addr_eq(&h->out[0].dst, &caller));
	assert_null(h_row(&h->out[0], "Route:", 0));
	assert_non_null(strstr(h_row(&h->out[0], "Via:", 0), "SIP/2.0/UDP 192.0.2.10:5060;branch="));
}

static void test_strict_routers_are_served(void **state)
{
	struct h_out req;
	char uri[512], *p;

	req = call_from(5060, invite("strict@x", "z9hG4bKs"));
	/* a strict router put our Record-Route URI into the Request-URI and the target at the end of Route */
	p = strchr(h_row(&req, "Record-Route:", 0), '<');
	snprintf(uri, sizeof(uri), "%s", p + 1);
	*strchr(uri, '>') = 0;
	h_send(h, H_CALLER, 5060,
	       request("BYE", uri, "strict@x", "z9hG4bKs2", "t", "Route: <sip:b@198.51.100.21:5060>\r\n"));
	one_out();
	assert_true(addr_eq(&h->out[0].dst, &req.dst));
	assert_memory_equal(h->out[0].text, "BYE sip:b@198.51.100.21:5060 SIP/2.0\r\n", 38);
	assert_null(h_row(&h->out[0], "Route:", 0));
	/* the next hop is a strict router: it gets its own URI, and the target goes to the end */
	h_send(h, H_CALLER, 5060,
	       request("BYE", "sip:b@z", "strict@x", "z9hG4bKs3", "t",
		       "Route: <sip:p@198.51.100.21>,<sip:q@w;lr>\r\n"));
	one_out();
	assert_memory_equal(h->out[0].text, "BYE sip:p@198.51.100.21 SIP/2.0\r\n", 33);
	assert_string_equal(h_row(&h->out[0], "Route:", 0), "Route:<sip:q@w;lr>");
	assert_string_equal(h_row(&h->out[0], "Route:", 1), "Route: <sip:b@z>");
}

static void test_own_answers(void **state)
{
	static const struct {
		const char *name, *text;
		int status;
		const char *row, *begins; /* a row that must be there */
	} cases[] = {
		{ "OPTIONS for us",
		  "OPTIONS sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "192.0.2.99;branch=z9hG4bKo\r\nMax-Forwards: 70\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:192.0.2.10>\r\nCall-ID: o1\r\nCSeq: 1 OPTIONS\r\n\r\n",
		  200, "Allow:", "Allow: INVITE" },
		{ "no hops left",
		  "INVITE sip:1@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "192.0.2.99;branch=z9hG4bKp\r\nMax-Forwards: 0\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: o2\r\nCSeq: 1 INVITE\r\n\r\n",
		  483, "To:", "To: <sip:b@y>;tag=" },
		{ "extension",
		  "INVITE sip:1@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "192.0.2.99;branch=z9hG4bKq\r\nProxy-Require: foo\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: o3\r\nCSeq: 1 INVITE\r\n\r\n",
		  420, "Unsupported:", "Unsupported: foo" },
		{ "scheme",
		  "INVITE mail:1@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKr\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: o4\r\nCSeq: 1 INVITE\r\n\r\n",
		  416, "Call-ID:", "Call-ID: o4" },
		{ "two Call-IDs",
		  "INVITE sip:1@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKs;rport\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: o5\r\nCall-ID: o6\r\nCSeq: 1 "
		  "INVITE\r\n\r\n",
		  400, "Via:", "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKs;rport=5060;received=192.0.2.99" },
		{ "version",
		  "INVITE sip:1@192.0.2.10 SIP/7.0\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKt\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: o7\r\nCSeq: 1 INVITE\r\n\r\n",
		  505, "CSeq:", "CSeq: 1 INVITE" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *row;
		int status = 0;

		h_send(h, H_CALLER, 5060, cases[i].text);
		if (h->n_out != 1)
			fail_msg("%s: %u messages left", cases[i].name, h->n_out);
		sscanf(h->out[0].text, "SIP/2.0 %d", &status);
		row = h_row(&h->out[0], cases[i].row, 0);
		if (status != cases[i].status || !row ||
		    strncmp(row, cases[i].begins, strlen(cases[i].begins)))
			fail_msg("%s: %d %s", cases[i].name, status, row ? row : "(no row)");
		/* the same from an unknown source is not answered */
		h_send(h, H_STRANGER, 5060, cases[i].text);
		assert_int_equal(h->n_out, 0);
	}
}

static void test_ack_to_own_answer_is_absorbed(void **state)
{
	uint64_t before = h_count(h, ST_ABSORB_ACK);
	char tag[128], *p;

	h_send(h, H_CALLER, 5060,
	       "INVITE sip:1@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP "
	       "192.0.2.99:5060;branch=z9hG4bKack\r\nMax-Forwards: 0\r\n"
	       "From: <sip:a@x>;tag=from1\r\nTo: <sip:b@y>\r\nCall-ID: ack@x\r\nCSeq: 1 INVITE\r\n\r\n");
	one_out();
	p = strstr(h_row(&h->out[0], "To:", 0), "tag=") + 4;
	snprintf(tag, sizeof(tag), "%s", p);
	h->now += 600ull * 1000000000;
	h_send(h, H_CALLER, 5060, request("ACK", "sip:1@192.0.2.10", "ack@x", "z9hG4bKack", tag, ""));
	assert_int_equal(h->n_out, 0);
	assert_int_equal(h_count(h, ST_ABSORB_ACK), before + 1);
}

static void test_loop_is_told_from_spiral(void **state)
{
	struct h_out req;
	char text[H_FRAME], *p;

	req = call_from(5060, invite("loop@x", "z9hG4bKl"));
	snprintf(text, sizeof(text), "%.*s", (int)req.n, req.text);
	h_send(h, H_CALLER2, 5060, text);
	one_out();
	assert_memory_equal(h->out[0].text, "SIP/2.0 482", 11);
	/* a changed Request-URI is a spiral */
	p = strstr(text, "8221234");
	*p = '9';
	h_send(h, H_CALLER2, 5060, text);
	assert_int_equal(h->n_out, 2);
	assert_memory_equal(h->out[1].text, "INVITE ", 7);
}

static void test_everything_else_meets_its_end(void **state)
{
	uint8_t arp[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6 };
	uint64_t twin = h_count(h, ST_TWIN), keep = h_count(h, ST_ABSORB_KEEPALIVE),
		 not_sip = h_count(h, ST_DROP_NOT_SIP);

	h_frame(h, 0, arp, sizeof(arp));
	assert_int_equal(h_count(h, ST_TWIN), twin + 1);
	h_send(h, H_CALLER, 5060, "\r\n\r\n");
	assert_int_equal(h_count(h, ST_ABSORB_KEEPALIVE), keep + 1);
	h_send(h, H_CALLER, 5060, "GET / HTTP/1.1\r\n\r\n");
	assert_int_equal(h_count(h, ST_DROP_NOT_SIP), not_sip + 1);
	h_frame(h, 0, arp, 13);
	assert_int_equal(h->n_out, 0);
}

/* Every truncation and every changed byte of a request meets one end; h_frame() asserts the laws. */
static void test_broken_messages(void **state)
{
	char text[H_FRAME];
	struct h_out req;
	uint32_t n;

	req = call_from(5060, invite("broken@x", "z9hG4bKx"));
	n = req.n;
	memcpy(text, req.text, n);
	for (uint32_t i = 0; i < n; i++)
		h_send_n(h, H_CALLER, 5060, text, i);
	srand(1);
	for (uint32_t i = 0; i < n; i++) {
		char was = text[i];

		for (unsigned k = 0; k < 4; k++) {
			text[i] = (char)(k ? rand() : 0);
			h_send_n(h, k & 1 ? H_CALLER : H_GW1, 5060, text, n);
		}
		text[i] = was;
	}
}

/* A carrier is one UDP flow: the keyed hash of the Call-ID alone must spread it. */
static void test_one_peer_loads_the_workers_alike(void **state)
{
	uint64_t before[2], did[2];
	char call[32], branch[32];

	for (unsigned i = 0; i < 2; i++)
		before[i] = h->stats.lane[i]->count[ST_HANDLED];
	for (unsigned i = 0; i < 20000; i++) {
		snprintf(call, sizeof(call), "%u@192.0.2.99", i);
		snprintf(branch, sizeof(branch), "z9hG4bK%u", i);
		h_send(h, H_CALLER, 5060, invite(call, branch));
	}
	for (unsigned i = 0; i < 2; i++)
		did[i] = h->stats.lane[i]->count[ST_HANDLED] - before[i];
	assert_int_equal(did[0] + did[1], 20000);
	assert_true(did[0] * 10 <= did[1] * 11 && did[1] * 10 <= did[0] * 11);
}

/* RFC 4475: whatever the verdict, an end, and nothing that leaves is broken for the next hop. */
static void test_torture_messages(void **state)
{
	const char *dir = getenv("WEIR_TEST_DATA");
	struct dirent *e;
	unsigned seen = 0;
	DIR *d;

	assert_non_null(dir);
	d = opendir(dir);
	assert_non_null(d);
	while ((e = readdir(d))) {
		char path[1024], text[H_FRAME];
		size_t n;
		FILE *f;

		if (!strstr(e->d_name, ".dat"))
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		f = fopen(path, "rb");
		n = fread(text, 1, sizeof(text), f);
		fclose(f);
		seen++;
		if (n > 1472) /* comes in fragments */
			continue;
		h_send_n(h, H_CALLER, 5060, text, (uint32_t)n);
		for (uint32_t i = 0; i < h->n_out; i++) {
			struct sip_msg m;
			struct sip_fields fields;

			assert_int_equal(sip_scan(SIP_PLAIN, h->out[i].text, h->out[i].n, &m), SIP_GOOD);
			if (m.is_request && sip_check(&m, &fields))
				fail_msg("%s: forwarded, but %u", e->d_name, sip_check(&m, &fields));
		}
	}
	closedir(d);
	assert_int_equal(seen, 49);
}

/* As when a gateway goes down and all its calls move: what one turn makes is sent, however much it is. */
static void more_than_waits_for_a_port_is_sent(void **state)
{
	struct dp_worker *w = h->dp->workers[0];
	uint64_t sent = h_count(h, ST_SENT_REPEAT), full = h_count(h, ST_DROP_TX_FULL);
	uint32_t port = h->dp->holder[0] == 0 ? 0 : 1;
	const uint32_t n = 3 * DP_TX_FRAMES;

	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

		assert_non_null(m);
		assert_non_null(rte_pktmbuf_append(m, 60));
		st_inc(w->lane, ST_MADE);
		dp_transmit(w, m, port, ST_SENT_REPEAT);
	}
	assert_int_equal(h_count(h, ST_DROP_TX_FULL), full);
	assert_int_equal(h_count(h, ST_SENT_REPEAT), sent + n - w->tx[port].n);
	while (w->tx[port].n) {
		rte_pktmbuf_free(w->tx[port].frames[--w->tx[port].n]);
		st_inc(w->lane, ST_SENT_REPEAT);
		st_inc(w->lane, ST_TX_FRAMES);
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
		cmocka_unit_test(test_repeats_cancel_and_ack_hop_by_hop),
		cmocka_unit_test(test_a_call_is_counted_and_recorded),
		cmocka_unit_test(test_response_goes_back),
		cmocka_unit_test(test_forged_response_is_dropped),
		cmocka_unit_test(test_dialog_requests_find_their_side),
		cmocka_unit_test(test_strict_routers_are_served),
		cmocka_unit_test(test_own_answers),
		cmocka_unit_test(test_ack_to_own_answer_is_absorbed),
		cmocka_unit_test(test_loop_is_told_from_spiral),
		cmocka_unit_test(test_everything_else_meets_its_end),
		cmocka_unit_test(test_broken_messages),
		cmocka_unit_test(test_one_peer_loads_the_workers_alike),
		cmocka_unit_test(test_torture_messages),
		cmocka_unit_test(more_than_waits_for_a_port_is_sent),
	};

	return cmocka_run_group_tests_name("pipeline", tests, start, stop);
}
