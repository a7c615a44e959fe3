/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet path without wires: what ends in Weir, its own answers, what is broken, and that the load is
 * spread. Laws hold after every frame.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

static struct harness *h;

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
		{ "OPTIONS for us that may go no further",
		  "OPTIONS sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "192.0.2.99;branch=z9hG4bKo2\r\nMax-Forwards: 0\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:192.0.2.10>\r\nCall-ID: o8\r\nCSeq: 1 OPTIONS\r\n\r\n",
		  200, "Allow:", "Allow: INVITE" },
		{ "OPTIONS for us with what a proxy does not know",
		  "OPTIONS sip:192.0.2.10;lr SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "192.0.2.99;branch=z9hG4bKo3\r\nProxy-Require: foo\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:192.0.2.10>\r\nCall-ID: o9\r\nCSeq: 1 OPTIONS\r\n\r\n",
		  200, "Supported:", "Supported: " },
		{ "OPTIONS for another that may go no further",
		  "OPTIONS sip:1@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP "
		  "192.0.2.99;branch=z9hG4bKo4\r\nMax-Forwards: 0\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:1@192.0.2.10>\r\nCall-ID: o10\r\nCSeq: 1 "
		  "OPTIONS\r\n\r\n",
		  483, "To:", "To: <sip:1@192.0.2.10>;tag=" },
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
		  400, "Via:", "Via: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKs;rport=5070;received=192.0.2.99" },
		{ "version",
		  "INVITE sip:1@192.0.2.10 SIP/7.0\r\nVia: SIP/2.0/UDP 192.0.2.99;branch=z9hG4bKt\r\n"
		  "From: <sip:a@x>;tag=1\r\nTo: <sip:b@y>\r\nCall-ID: o7\r\nCSeq: 1 INVITE\r\n\r\n",
		  505, "CSeq:", "CSeq: 1 INVITE" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *row;
		struct addr to;
		int status = 0;

		h_send(h, H_CALLER, 5070, cases[i].text);
		if (h->n_out != 1)
			fail_msg("%s: %u messages left", cases[i].name, h->n_out);
		sscanf(h->out[0].text, "SIP/2.0 %d", &status);
		row = h_row(&h->out[0], cases[i].row, 0);
		if (status != cases[i].status || !row ||
		    strncmp(row, cases[i].begins, strlen(cases[i].begins)))
			fail_msg("%s: %d %s", cases[i].name, status, row ? row : "(no row)");
		/* RFC 3261 18.2.2, RFC 3581 4 */
		to = h_addr(H_CALLER, strstr(cases[i].text, ";rport") ? 5070 : 5060);
		assert_true(addr_eq(&h->out[0].dst, &to));
		assert_null(h_row(&h->out[0], "Contact:", 0));
		assert_true(status == 420 || !h_row(&h->out[0], "Unsupported:", 0));
		/* the same from an unknown source is not answered */
		h_send(h, H_STRANGER, 5060, cases[i].text);
		assert_int_equal(h->n_out, 0);
	}
}

/* The refusal of a peer that is to come back later says when. */
static void test_a_refusal_says_when(void **state)
{
	unsigned seconds = 0;
	const char *row;

	for (uint16_t slot = 0; slot < 2; slot++)
		lb_set_health(h->words, slot, LB_DOWN);
	h_send(h, H_CALLER, 5060, h_invite("refused@x", "z9hG4bKrefused"));
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 503 Service Unavailable\r\n", 33);
	row = h_row(&h->out[0], "Retry-After:", 0);
	assert_non_null(row);
	assert_int_equal(sscanf(row, "Retry-After: %u", &seconds), 1);
	assert_in_range(seconds, 1, 5);
	for (uint16_t slot = 0; slot < 2; slot++)
		lb_set_health(h->words, slot, LB_UP);
}

static void test_ack_to_own_answer_is_absorbed(void **state)
{
	uint64_t before = h_count(h, ST_ABSORB_ACK);
	char tag[128], *p;

	h_send(h, H_CALLER, 5060,
	       "INVITE sip:1@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP "
	       "192.0.2.99:5060;branch=z9hG4bKack\r\nMax-Forwards: 0\r\n"
	       "From: <sip:a@x>;tag=from1\r\nTo: <sip:b@y>\r\nCall-ID: ack@x\r\nCSeq: 1 INVITE\r\n\r\n");
	h_one_out(h);
	p = strstr(h_row(&h->out[0], "To:", 0), "tag=") + 4;
	snprintf(tag, sizeof(tag), "%s", p);
	h->now += 600ull * 1000000000;
	h_send(h, H_CALLER, 5060, h_request("ACK", "sip:1@192.0.2.10", "ack@x", "z9hG4bKack", tag, ""));
	assert_int_equal(h->n_out, 0);
	assert_int_equal(h_count(h, ST_ABSORB_ACK), before + 1);
}

static void test_loop_is_told_from_spiral(void **state)
{
	struct h_out req;
	char text[H_FRAME], *p;

	req = h_call(h, 5060, h_invite("loop@x", "z9hG4bKl"));
	snprintf(text, sizeof(text), "%.*s", (int)req.n, req.text);
	h_send(h, H_CALLER2, 5060, text);
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 482", 11);
	/* with the Via of another proxy above ours, too */
	p = strstr(text, "\r\nVia: ") + 2;
	memmove(p + 48, p, strlen(p) + 1);
	memcpy(p, "Via: SIP/2.0/UDP 192.0.2.98;branch=z9hG4bKxyz1\r\n", 48);
	h_send(h, H_CALLER2, 5060, text);
	h_one_out(h);
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

/* Lets every transaction of earlier tests come to its end, and forgets their records. */
static void until_quiet(void)
{
	struct lb_record record;

	for (unsigned s = 0; s < 300; s++) {
		h->now += 1000000000;
		h_tick(h);
	}
	while (dp_next_record(h->dp, 0, &record) || dp_next_record(h->dp, 1, &record))
		;
}

/* An INVITE of so many bytes, at least 500. */
static const char *long_invite(const char *call, unsigned n)
{
	char row[2048];

	snprintf(row, sizeof(row), "Subject: %.*d\r\n",
		 (int)(n - strlen(h_request("INVITE", "sip:+8221234@192.0.2.10", call, call, "",
					    "Subject: \r\n"))),
		 0);
	return h_request("INVITE", "sip:+8221234@192.0.2.10", call, call, "", row);
}

/* What does not fit a frame has called nobody: its caller is told, and it holds no place. */
static void test_too_long_a_call_holds_nothing(void **state)
{
	struct lb_record record;

	until_quiet();
	assert_int_equal(lb_gateway_calls(h->words, 0) + lb_gateway_calls(h->words, 1), 0);
	for (unsigned again = 0; again < 2; again++) {
		h_send(h, H_CALLER, 5060, long_invite("long@x", 1400));
		h_one_out(h);
		assert_memory_equal(h->out[0].text, "SIP/2.0 513 ", 12);
		assert_int_equal(lb_gateway_calls(h->words, 0) + lb_gateway_calls(h->words, 1), 0);
	}
	assert_true(dp_next_record(h->dp, 0, &record) || dp_next_record(h->dp, 1, &record));
	assert_int_equal(record.status, 513);
	assert_int_equal(record.how, LB_END_FAILED);
	assert_false(dp_next_record(h->dp, 0, &record) || dp_next_record(h->dp, 1, &record));
}

/* The same where it is the port on the other side that takes less: nothing of it is left to be sent again. */
static void test_too_long_for_the_other_side(void **state)
{
	uint64_t made = h_count(h, ST_MADE);

	until_quiet();
	h_send(h, H_CALLER, 5060, long_invite("long2@x", 1000));
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 513 ", 12);
	assert_int_equal(lb_gateway_calls(h->words, 0) + lb_gateway_calls(h->words, 1), 0);
	for (unsigned s = 0; s < 40; s++) {
		h->now += 1000000000;
		h_tick(h);
		assert_int_equal(h->n_out, 0);
	}
	assert_int_equal(h_count(h, ST_MADE), made);
}

/* What gateway 1 says of a datagram from our listener that nobody took: ICMP port unreachable. */
static void bounce(const char *text, uint32_t n)
{
	uint8_t f[14 + 20 + 8 + 20 + 8 + H_FRAME] = { 0 }, *ip = f + 14, *quoted = ip + 28;
	uint32_t total = 56 + n;

	memcpy(f, h->dp->ports[1].mac, NET_MAC);
	f[12] = 8;
	ip[0] = quoted[0] = 0x45;
	ip[2] = (uint8_t)(total >> 8);
	ip[3] = (uint8_t)total;
	ip[9] = 1;
	memcpy(ip + 12, h_addr(H_GW1, 0).ip + 12, 4);
	memcpy(ip + 16, h->dp->listeners[1].addr.ip + 12, 4);
	ip[20] = ip[21] = 3;
	quoted[9] = 17;
	memcpy(quoted + 12, ip + 16, 4);
	memcpy(quoted + 16, ip + 12, 4);
	quoted[20] = quoted[22] = 5060 >> 8;
	quoted[21] = quoted[23] = 5060 & 255;
	memcpy(quoted + 28, text, n);
	h_frame(h, 1, f, 14 + total);
}

static void take_up(void *arg, const struct dp_up *up)
{
	(void)arg;
	(void)up;
}

/* The INVITE that comes back goes on at once, to the other gateway; one that was answered does not. */
static void test_a_quoted_invite_moves(void **state)
{
	char call[16];
	struct h_out req;

	for (unsigned i = 0; i < 8; i++) { /* at gateway 1, whoever has the call */
		snprintf(call, sizeof(call), "moves%u", i);
		req = h_call(h, 5060, h_invite(call, call));
		h->now += 1000000000 / 10;
		bounce(req.text, 500);
		if (h_gateway(&req) != H_GW1) {
			assert_int_equal(h->n_out, 0);
			continue;
		}
		h_one_out(h);
		assert_memory_equal(h->out[0].text, "INVITE ", 7);
		assert_int_equal(h_gateway(&h->out[0]), H_GW2);
		req = h->out[0];
		h_send(h, H_GW2, 5060, h_answer(&req, 180, "gwtag"));
		bounce(req.text, 500);
		assert_int_equal(h->n_out, 0);
	}
	while (dp_poll_up(h->dp, 100, take_up, NULL))
		;
}

/* What is too long is told to whoever sent it, from where he sent it to. */
static void test_too_long_from_a_gateway(void **state)
{
	struct addr gw = h_addr(H_GW1, 5060);

	until_quiet();
	h_send(h, H_GW1, 5060, long_invite("long3@x", 1200));
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 513 ", 12);
	assert_non_null(strstr(h_row(&h->out[0], "To:", 0), ";tag="));
	assert_true(addr_eq(&h->out[0].src, &h->dp->listeners[1].addr));
	assert_true(addr_same_ip(&h->out[0].dst, &gw));
}

/* What ICMP quotes may be anything: only a request becomes a message. */
static void test_quotes_that_are_no_request(void **state)
{
	static const char *const quotes[] = { "\r\n",  "\r\n\r\n", "\n\r\n",
					      "x\r\n", "",         "SIP/2.0 200 OK\r\nCall-ID: x\r\n" };
	const char *invite = h_invite("quoted@x", "z9hG4bKquoted");
	uint64_t made;

	while (dp_poll_up(h->dp, 100, take_up, NULL))
		;
	for (unsigned i = 0; i < sizeof(quotes) / sizeof(*quotes); i++) {
		made = h_count(h, ST_MADE);
		h->now += 1000000000;
		bounce(invite, 300);
		assert_int_equal(h_count(h, ST_MADE), made + 1);
		/* the buffers of that one are the next to be used */
		assert_int_equal(dp_poll_up(h->dp, 100, take_up, NULL), 1);
		bounce(quotes[i], (uint32_t)strlen(quotes[i]));
		assert_int_equal(h_count(h, ST_MADE), made + 1);
		dp_poll_up(h->dp, 100, take_up, NULL);
	}
}

/* The frame goes to the kernel; else it is one too many. */
static bool reaches_twin(const uint8_t *frame, uint32_t n)
{
	uint64_t twin = h_count(h, ST_TWIN), full = h_count(h, ST_DROP_TWIN_FULL);

	h_frame(h, 0, frame, n);
	assert_int_equal(h_count(h, ST_TWIN) + h_count(h, ST_DROP_TWIN_FULL), twin + full + 1);
	return h_count(h, ST_TWIN) > twin;
}

/* How many of them do at once, at most `most`. */
static unsigned reach_twin(const uint8_t *frame, uint32_t n, unsigned most)
{
	unsigned k = 0;

	while (k < most && reaches_twin(frame, n)) {
		k++;
		while (k % 256 == 0 && dp_poll_up(h->dp, 100, take_up, NULL))
			;
	}
	return k;
}

/* Whatever a stranger floods our addresses with: the neighbours on the link find us, and those too many are
 * bounded. */
static void test_neighbours_are_heard_in_a_flood(void **state)
{
	static const uint8_t arp[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 8, 6 };
	static const uint8_t all[NET_MAC] = { 0x33, 0x33, 0, 0, 0, 1 };
	uint8_t nd[14 + 40 + 24] = { [12] = 0x86, 0xdd, 0x60, [14 + 5] = 24, 58, 255, [54] = 135 };
	uint8_t room[NET_HEADERS + 8] = { 0 }, *udp;
	struct net_hop hop = { .state = NET_HOP_READY };
	struct addr src = h_addr(H_STRANGER, 9999), dst = h->dp->listeners[0].addr;
	uint32_t n;

	while (dp_poll_up(h->dp, 100, take_up, NULL))
		;
	h->now += 1000000000;
	memcpy(hop.dmac, h->dp->ports[0].mac, NET_MAC);
	memcpy(nd, all, NET_MAC);
	dst.port = 9999;
	n = net_write_headers(&h->dp->ports[0], &hop, &src, &dst, false, room + NET_HEADERS, 8) + 8;
	udp = room + sizeof(room) - n;
	assert_in_range(reach_twin(udp, n, 5000), 1, 4999);
	assert_true(reaches_twin(arp, sizeof(arp)));
	for (nd[54] = 133; nd[54] <= 137; nd[54]++)
		assert_true(reaches_twin(nd, sizeof(nd)));
	nd[54] = 128; /* an echo */
	assert_false(reaches_twin(nd, sizeof(nd)));
	nd[54] = 135;
	nd[14 + 7] = 254; /* not of this link (RFC 4861 7.1.1) */
	assert_false(reaches_twin(nd, sizeof(nd)));
	assert_in_range(reach_twin(arp, sizeof(arp), 5000), 1, 4999);
	while (dp_poll_up(h->dp, 100, take_up, NULL))
		;
}

/* Every truncation and every changed byte of a request meets one end; h_frame() asserts the laws. */
static void test_broken_messages(void **state)
{
	char text[H_FRAME];
	struct h_out req;
	uint32_t n;

	req = h_call(h, 5060, h_invite("broken@x", "z9hG4bKx"));
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

/* What a gateway answers that cannot be read answers nothing. */
static void test_broken_responses(void **state)
{
	uint64_t before = h_count(h, ST_DROP_BAD_RESPONSE);
	char text[H_FRAME];
	struct h_out req;
	uint32_t n;

	req = h_call(h, 5060, h_invite("badresponse@x", "z9hG4bKbr"));
	snprintf(text, sizeof(text), "%s", h_answer(&req, 200, "gwtag"));
	memcpy(strstr(text, "CSeq: 1"), "CSeq: x", 7);
	h_send(h, h_gateway(&req), 5060, text);
	assert_int_equal(h->n_out, 0);
	assert_int_equal(h_count(h, ST_DROP_BAD_RESPONSE), before + 1);
	snprintf(text, sizeof(text), "%s", h_answer(&req, 200, "gwtag"));
	memcpy(strstr(text, "\r\nVia: SIP/2.0/UDP 192"), "\r\nVia: SIP/2.0 UDP", 19); /* the one below ours */
	h_send(h, h_gateway(&req), 5060, text);
	assert_int_equal(h->n_out, 0);
	assert_int_equal(h_count(h, ST_DROP_BAD_RESPONSE), before + 2);
	snprintf(text, sizeof(text), "%s", h_answer(&req, 180, "gwtag"));
	n = (uint32_t)strlen(text);
	for (uint32_t i = 0; i < n; i++)
		h_send_n(h, h_gateway(&req), 5060, text, i);
	for (uint32_t i = 0; i < n; i++) {
		char was = text[i];

		text[i] = i & 1 ? 0 : ' ';
		h_send_n(h, h_gateway(&req), 5060, text, n);
		text[i] = was;
	}
	h_send(h, h_gateway(&req), 5060, h_answer(&req, 200, "gwtag"));
	h_one_out(h);
	assert_memory_equal(h->out[0].text, "SIP/2.0 200 ", 12);
}

static struct dp_up last_up;
static char up_text[H_FRAME];

static void note_up(void *arg, const struct dp_up *up)
{
	last_up = *up;
	memcpy(up_text, up->data, up->n);
	++*(unsigned *)arg;
}

/* The answer to a probe is control's, once, with the gateway that gave it. */
static void test_probes_come_back(void **state)
{
	const struct lb_snapshot *policy = h->dp->workers[0]->published;
	uint64_t before = h_count(h, ST_TO_CONTROL);
	char branch[LIMIT_BRANCH], text[H_FRAME];
	unsigned n;

	do {
		n = 0;
		dp_poll_up(h->dp, 64, note_up, &n);
	} while (n > 0);
	n = lb_probe_branch(policy, lb_gateway_id(STR("gw2")), 1,
			    lb_hash(lb_snapshot_key(policy), "probe@x", 7), branch);
	snprintf(text, sizeof(text),
		 "SIP/2.0 503 Full\r\nVia: SIP/2.0/UDP core.example.net;branch=%.*s\r\nFrom: "
		 "<sip:w@x>;tag=1\r\n"
		 "To: <sip:y>;tag=2\r\nCall-ID: probe@x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
		 (int)n, branch);
	h_send(h, H_GW2, 5060, text);
	assert_int_equal(h->n_out, 0);
	n = 0;
	assert_int_equal(dp_poll_up(h->dp, 64, note_up, &n), 1);
	assert_int_equal(n, 1);
	assert_int_equal(last_up.kind, DP_UP_PROBE);
	assert_int_equal(last_up.gateway, 1);
	assert_int_equal(last_up.status, 503);
	assert_int_equal(last_up.at, h->now);
	assert_int_equal(last_up.n, strlen(text));
	assert_memory_equal(up_text, text, last_up.n);
	assert_int_equal(h_count(h, ST_TO_CONTROL), before + 1);
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
		h_send(h, H_CALLER, 5060, h_invite(call, branch));
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
	h = h_start_mtu(1280);
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
		cmocka_unit_test(test_own_answers),
		cmocka_unit_test(test_a_refusal_says_when),
		cmocka_unit_test(test_ack_to_own_answer_is_absorbed),
		cmocka_unit_test(test_loop_is_told_from_spiral),
		cmocka_unit_test(test_everything_else_meets_its_end),
		cmocka_unit_test(test_too_long_a_call_holds_nothing),
		cmocka_unit_test(test_too_long_for_the_other_side),
		cmocka_unit_test(test_too_long_from_a_gateway),
		cmocka_unit_test(test_a_quoted_invite_moves),
		cmocka_unit_test(test_quotes_that_are_no_request),
		cmocka_unit_test(test_neighbours_are_heard_in_a_flood),
		cmocka_unit_test(test_broken_messages),
		cmocka_unit_test(test_broken_responses),
		cmocka_unit_test(test_probes_come_back),
		cmocka_unit_test(test_one_peer_loads_the_workers_alike),
		cmocka_unit_test(test_torture_messages),
		cmocka_unit_test(more_than_waits_for_a_port_is_sent),
	};

	return cmocka_run_group_tests_name("ends", tests, start, stop);
}
