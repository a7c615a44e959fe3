/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Overload control on the wire (RFC 7339 5): what our Via asks of a gateway, what a client that asks is told
 * in every response, and that neither side ever sees what the other said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

#define START   1282321615781u
#define NONE    ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1282321615.781"
#define ASK     ";oc;oc-algo=\"loss,rate\""
#define ASKING  "192.0.2.99:5060;branch=z9hG4bKa" ASK
#define REFRESH 1000000000

static struct harness *h;

static const char *request(const char *method, const char *via, const char *call)
{
	static char text[H_FRAME];

	snprintf(text, sizeof(text),
		 "%s sip:+8221234@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP %s\r\nMax-Forwards: 70\r\n"
		 "From: <sip:a@x>;tag=from1\r\nTo: <sip:b@y>\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n"
		 "Content-Length: 0\r\n\r\n",
		 method, via, call, method);
	return text;
}

/* The answer of a gateway to `req`; more: parameters for our Via; below: a Via row under the caller's. */
static const char *answer(const struct h_out *req, const char *status, const char *more, const char *below)
{
	static char text[H_FRAME];
	int n = snprintf(text, sizeof(text), "SIP/2.0 %s\r\n%s%s\r\n", status, h_row(req, "Via:", 0), more);

	n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\r\n%s", h_row(req, "Via:", 1), below);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\r\n", h_row(req, "From:", 0));
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%s;tag=g\r\n", h_row(req, "To:", 0));
	n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\r\n", h_row(req, "Call-ID:", 0));
	snprintf(text + n, sizeof(text) - (size_t)n, "%s\r\nContent-Length: 0\r\n\r\n",
		 h_row(req, "CSeq:", 0));
	return text;
}

static void ends_with(const char *row, const char *end)
{
	assert_non_null(row);
	if (strlen(row) < strlen(end) || strcmp(row + strlen(row) - strlen(end), end) != 0)
		fail_msg("%s does not end with %s", row, end);
}

static uint64_t gateway_count(enum st_gateway_counter id)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < h->stats.n; i++)
		for (uint32_t slot = 0; slot < 2; slot++)
			sum += h->stats.lane[i]->gateways[slot].count[id];
	return sum;
}

/* An INVITE from a client that asks: his 100 tells, the gateway is asked, and sees nothing of his. */
static struct h_out call(const char *via, const char *id, const char *told)
{
	h_send(h, H_CALLER, 5060, request("INVITE", via, id));
	assert_int_equal(h->n_out, 2);
	ends_with(h_row(&h->out[0], "Via:", 0), told);
	ends_with(h_row(&h->out[1], "Via:", 0), ASK);
	assert_string_equal(h_row(&h->out[1], "Via:", 1), "Via: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKa");
	return h->out[1];
}

static void every_response_tells(void **state)
{
	struct h_out req = call(ASKING, "t1@x", NONE);
	enum h_who gw = h_gateway(&req);

	h_send(h, gw, 5060,
	       answer(&req, "180 Ringing", "", "Via: SIP/2.0/UDP c;oc=9;branch=z9hG4bKc;oc-seq=1.1\r\n"));
	assert_int_equal(h->n_out, 1);
	assert_string_equal(h_row(&h->out[0], "Via:", 0),
			    "Via: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKa" NONE);
	assert_string_equal(h_row(&h->out[0], "Via:", 1), "Via: SIP/2.0/UDP c;branch=z9hG4bKc");

	lb_set_told(h->words, 0, 20, START + 1);
	h_send(h, gw, 5060, answer(&req, "486 Busy", "", ""));
	assert_int_equal(h->n_out, 2);
	ends_with(h_row(&h->out[1], "Via:", 0), ASK); /* the ACK */
	ends_with(h_row(&h->out[0], "Via:", 0),
		  "branch=z9hG4bKa;oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782");
	h->now += REFRESH; /* Timer G: the same final again, from what was kept */
	h_tick(h);
	assert_int_equal(h->n_out, 1);
	ends_with(h_row(&h->out[0], "Via:", 0), ";oc-seq=1282321615.782");
	lb_set_told(h->words, 0, 0, START + 2);
	h_send(h, H_CALLER, 5060, request("OPTIONS", ASKING, "t2@x"));
	assert_int_equal(h->n_out, 1);
	req = h->out[0];
	ends_with(h_row(&req, "Via:", 0), ASK);
	h_send(h, h_gateway(&req), 5060, answer(&req, "200 OK", "", ""));
	ends_with(h_row(&h->out[0], "Via:", 0),
		  "branch=z9hG4bKa;oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=1282321615.783");
}

/* Replies of our own: for itself, for what cannot be read, and for one too large to go on. */
static void our_own_replies_tell(void **state)
{
	static const char told[] = "oc-seq=1282321615.783";
	static char text[H_FRAME];
	size_t n;

	snprintf(text, sizeof(text), "%s", request("OPTIONS", ASKING, "o1@x"));
	memmove(strstr(text, "+8221234@"), strstr(text, "192.0.2.10 "),
		strlen(strstr(text, "192.0.2.10 ")) + 1);
	h_send(h, H_CALLER, 5060, text);
	assert_int_equal(h->n_out, 1);
	assert_memory_equal(h->out[0].text, "SIP/2.0 200", 11);
	ends_with(h_row(&h->out[0], "Via:", 0), told);

	snprintf(text, sizeof(text), "%s", request("INVITE", ASKING, "o2@x"));
	memcpy(strstr(text, "Max-Forwards: 70"), "Max-Forwards:  0", 16);
	h_send(h, H_CALLER, 5060, text);
	assert_memory_equal(h->out[0].text, "SIP/2.0 483", 11);
	ends_with(h_row(&h->out[0], "Via:", 0), told);

	snprintf(text, sizeof(text), "%s", request("MESSAGE", ASKING, "o3@x"));
	n = strlen(text) - 2 - strlen("Content-Length: 0\r\n");
	snprintf(text + n, sizeof(text) - n, "Content-Length: 1200\r\n\r\n%1200s", "");
	h_send(h, H_CALLER, 5060, text);
	assert_memory_equal(h->out[0].text, "SIP/2.0 513", 11);
	ends_with(h_row(&h->out[0], "Via:", 0), told);
}

/* Without a bare oc nobody is told anything; what he wrote goes no further, and comes back as he sent it. */
static void who_does_not_ask(void **state)
{
	static const char *const vias[] = { "", ";oc=5", ";oc;oc-algo=\"rate\"", ";oc;oc", ";ocean;octet=1" };

	for (unsigned i = 0; i < sizeof(vias) / sizeof(vias[0]); i++) {
		char via[128], id[16], row[160], branch[64], text[H_FRAME], *p;
		struct h_out req;

		snprintf(via, sizeof(via), "192.0.2.99:5060;branch=z9hG4bKa%s", vias[i]);
		snprintf(id, sizeof(id), "n%u@x", i);
		snprintf(row, sizeof(row), "Via: SIP/2.0/UDP %s", via);
		h_send(h, H_CALLER, 5060, request("INVITE", via, id));
		assert_int_equal(h->n_out, 2);
		assert_string_equal(h_row(&h->out[0], "Via:", 0), row);
		req = h->out[1];
		ends_with(h_row(&req, "Via:", 1), i == 4 ? ";ocean;octet=1" : "branch=z9hG4bKa");
		h_send(h, h_gateway(&req), 5060, answer(&req, "486 Busy", ";oc=1;oc-seq=1.1", ""));
		snprintf(row, sizeof(row), "%s", h_row(&req, "Via:", 1));
		assert_string_equal(h_row(&h->out[0], "Via:", 0), row);
		/* nor does he hear what a gateway writes into his */
		snprintf(branch, sizeof(branch), "192.0.2.99:5060;branch=z9hG4bKo%u", i);
		h_send(h, H_CALLER, 5060, request("OPTIONS", branch, id));
		req = h->out[0];
		snprintf(row, sizeof(row), "%s", h_row(&req, "Via:", 1));
		snprintf(text, sizeof(text), "%s", answer(&req, "200 OK", "", ""));
		p = strstr(text, branch) + strlen(branch);
		memmove(p + 6, p, strlen(p) + 1);
		memcpy(p, ";oc=50", 6);
		h_send(h, h_gateway(&req), 5060, text);
		h_one_out(h);
		assert_string_equal(h_row(&h->out[0], "Via:", 0), row);
		/* nor anybody behind him */
		h_send(h, h_gateway(&req), 5060,
		       answer(&req, "200 OK", "", "Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKlow;oc=7\r\n"));
		h_one_out(h);
		assert_string_equal(h_row(&h->out[0], "Via:", 1),
				    "Via: SIP/2.0/UDP 10.1.1.1;branch=z9hG4bKlow");
	}
}

static void what_gateways_say(void **state)
{
	static const struct {
		const char *more;
		enum st_gateway_counter count;
	} table[] = {
		{ ";oc=20;oc-algo=\"loss\";oc-seq=1282321615.782", ST_GW_OC_HEARD },
		{ ";oc=30;oc-algo=\"loss\";oc-seq=1282321615.783", ST_GW_OC_HEARD },
		{ ";oc=0;oc-algo=\"loss\";oc-seq=1282321615.782", ST_GW_OC_STALE }, /* a replay */
		{ ";oc=101;oc-algo=\"loss\";oc-seq=1282321615.784", ST_GW_OC_IGNORED },
		{ ";oc=4294967295;oc-algo=\"rate\";oc-seq=1282321615.785", ST_GW_OC_IGNORED },
		{ ";oc=1;oc-algo=\"loss,rate\";oc-seq=1282321615.786", ST_GW_OC_IGNORED },
		{ ";oc=1;oc-algo=\"magic\";oc-seq=1282321615.787", ST_GW_OC_IGNORED },
		{ ";oc=1;oc=2", ST_GW_OC_IGNORED },
		{ ";oc=150;oc-algo=\"rate\";oc-seq=1282321615.79", ST_GW_OC_HEARD },
		{ ";oc=10;oc-algo=\"loss\";oc-seq=1.1", ST_GW_OC_HEARD }, /* it has begun anew */
		{ ";oc=10;oc-algo=\"loss\";oc-seq=1.1", ST_GW_COUNT },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct h_out req;
		uint64_t before[3], id = ST_GW_OC_HEARD;
		char *via;

		/* one call, so that one worker hears all */
		h_send(h, H_CALLER, 5060, request("OPTIONS", "192.0.2.99:5060;branch=z9hG4bKs", "s@x"));
		req = h->out[0];
		via = strstr(req.text, ASK);
		memmove(via, via + strlen(ASK), strlen(via + strlen(ASK)) + 1);
		for (unsigned k = 0; k < 3; k++)
			before[k] = gateway_count((enum st_gateway_counter)(id + k));
		h_send(h, h_gateway(&req), 5060, answer(&req, "200 OK", table[i].more, ""));
		for (unsigned k = 0; k < 3; k++)
			if (gateway_count((enum st_gateway_counter)(id + k)) - before[k] !=
			    (id + k == table[i].count))
				fail_msg("%s", table[i].more);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_response_tells),
		cmocka_unit_test(our_own_replies_tell),
		cmocka_unit_test(who_does_not_ask),
		cmocka_unit_test(what_gateways_say),
	};
	int failed;

	h = h_start();
	lb_set_oc_start(h->words, START);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	h_stop(h);
	return failed;
}
