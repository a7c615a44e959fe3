/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages of the harness's callers and gateways; see harness.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

#define BODY "Content-Type: application/sdp\r\nContent-Length: 37\r\n\r\n" H_SDP

const char *h_request(const char *method, const char *uri, const char *call, const char *branch,
		      const char *to_tag, const char *more)
{
	static char text[H_FRAME];

	snprintf(text, sizeof(text),
		 "%s %s SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.99:5060;branch=%s\r\n%sMax-Forwards: 70\r\n"
		 "From: <sip:a@x>;tag=from1\r\nTo: <sip:b@y>%s%s\r\nCall-ID: %s\r\nCSeq: 1 %s\r\n" BODY,
		 method, uri, branch, more, to_tag[0] ? ";tag=" : "", to_tag, call, method);
	return text;
}

const char *h_invite(const char *call, const char *branch)
{
	return h_request("INVITE", "sip:+8221234@192.0.2.10", call, branch, "", "");
}

const char *h_answer(const struct h_out *req, int status, const char *to_tag)
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

enum h_who h_gateway(const struct h_out *o)
{
	struct addr gw1 = h_addr(H_GW1, 5060);

	return addr_eq(&o->dst, &gw1) ? H_GW1 : H_GW2;
}

void h_one_out(const struct harness *h)
{
	assert_int_equal(h->n_out, 1);
}

struct h_out h_call(struct harness *h, uint16_t port, const char *text)
{
	struct addr caller = h_addr(H_CALLER, port);

	h_send(h, H_CALLER, port, text);
	assert_int_equal(h->n_out, 2);
	assert_memory_equal(h->out[0].text, "SIP/2.0 100 Trying\r\n", 20);
	assert_true(addr_same_ip(&h->out[0].dst, &caller));
	assert_int_equal(h->out[1].port, 1);
	return h->out[1];
}
