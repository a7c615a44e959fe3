/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Redirects that are followed while nothing more can be kept: the INVITE never goes out by a Request-URI that
 * its gateway was not to see, and its caller gets a final.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/dataplane/harness.h"

#define TARGETS 3
#define T1_NS   UINT64_C(500000000)
#define B_NS    (64 * T1_NS)

static struct harness *h;
static char uri[TARGETS][1200];

/* Makes target i a URI of about n bytes at gateway `who`. */
static void make_target(unsigned i, uint32_t n, enum h_who who)
{
	snprintf(uri[i], sizeof(uri[i]), "sip:+82%u%.*d@198.51.100.%d:5060", i, (int)n - 26, 0,
		 who == H_GW1 ? 21 : 22);
}

/* The 302 to `req` with the first n targets. */
static const char *redirect(const struct h_out *req, unsigned n)
{
	static char text[H_FRAME];
	const char *plain = h_answer(req, 302, "g1"), *end = strstr(plain, "Content-Length:");
	int used = snprintf(text, sizeof(text), "%.*s", (int)(end - plain), plain);

	for (unsigned i = 0; i < n; i++)
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%s<%s>", i ? "," : "m: ", uri[i]);
	snprintf(text + used, sizeof(text) - (size_t)used, "\r\n%s", end);
	return text;
}

/* The n-th message that left and begins so, or NULL. */
static const struct h_out *left(const char *begin)
{
	for (uint32_t i = 0; i < h->n_out; i++) {
		if (strncmp(h->out[i].text, begin, strlen(begin)) == 0)
			return &h->out[i];
	}
	return NULL;
}

/* The INVITE that left, by the Request-URI of target i. */
static struct h_out invite_to(unsigned i)
{
	const struct h_out *o = left("INVITE ");

	assert_non_null(o);
	assert_memory_equal(o->text + strlen("INVITE "), uri[i], strlen(uri[i]));
	return *o;
}

/* A Request-URI that neither fits what is kept nor a frame: nobody is called, and the caller hears of it. */
static void no_room_for_the_request_uri(void **state)
{
	uint64_t drops = h_count(h, ST_DROP_NOT_KEPT);
	struct h_out req;
	char row[1024];

	(void)state;
	snprintf(row, sizeof(row), "Subject: %.*d\r\n", 700, 0);
	req = h_call(h, 5060, h_request("INVITE", "sip:+8221234@192.0.2.10", "long-1", "long-1", "", row));
	make_target(0, 1080, H_GW1);
	h_fill_keep(h, 0);
	h_send(h, h_gateway(&req), 5060, redirect(&req, 1));
	assert_non_null(left("ACK "));
	assert_null(left("INVITE "));
	h->now += T1_NS + 2000000;
	h_tick(h);
	assert_null(left("INVITE ")); /* nor by the Request-URI before */
	assert_int_equal(h_count(h, ST_DROP_NOT_KEPT) - drops, 2);
	h->now += B_NS;
	h_tick(h);
	assert_null(left("INVITE "));
	assert_non_null(left("SIP/2.0 408"));
	h_empty_keep(h);
}

/* Each target is called by its own Request-URI, repeats as well, though a longer one follows a shorter one.
 */
static void targets_have_their_room(void **state)
{
	struct h_out req;
	char call[64], row[512];

	(void)state;
	make_target(0, 310, H_GW1);
	make_target(1, 370, H_GW2);
	make_target(2, 330, H_GW1);
	for (int more = 300; more < 480; more += 20) { /* a chunk ends with one of them */
		snprintf(call, sizeof(call), "targets-%d", more);
		snprintf(row, sizeof(row), "Subject: %.*d\r\n", more, 0);
		req = h_call(h, 5060, h_request("INVITE", "sip:+8221234@192.0.2.10", call, call, "", row));
		h_send(h, h_gateway(&req), 5060, redirect(&req, TARGETS));
		h_fill_keep(h, 0);
		for (unsigned i = 0; i < TARGETS; i++) {
			req = invite_to(i);
			h->now += T1_NS + 2000000;
			h_tick(h);
			invite_to(i);
			h_send(h, h_gateway(&req), 5060, h_answer(&req, 404, "g2"));
		}
		assert_null(left("INVITE "));
		assert_non_null(left("SIP/2.0 404"));
		h_empty_keep(h);
	}
}

/* A Contact that wants to be called otherwise than by UDP is the caller's business. */
static void no_contact_of_another_transport(void **state)
{
	static const char *const contacts[] = { "sips:+8299@198.51.100.22",
						"sip:+8299@198.51.100.22;transport=tcp",
						"sip:+8299@198.51.100.22;maddr=198.51.100.22",
						"sip:+8299@198.51.100.22?Subject=x", "tel:+8299" };

	(void)state;
	for (unsigned i = 0; i < sizeof(contacts) / sizeof(contacts[0]); i++) {
		char call[32], row[128];
		struct h_out req;

		snprintf(call, sizeof(call), "z9hG4bKother%u", i);
		snprintf(uri[0], sizeof(uri[0]), "%s", contacts[i]);
		snprintf(row, sizeof(row), "m: <%s>", contacts[i]);
		req = h_call(h, 5060, h_invite(call, call));
		h_send(h, h_gateway(&req), 5060, redirect(&req, 1));
		assert_null(left("INVITE "));
		assert_non_null(left("SIP/2.0 302"));
		assert_string_equal(h_row(left("SIP/2.0 302"), "m:", 0), row);
	}
}

/* The best of what the targets say is kept until the last has answered, and the caller gets it byte by byte.
 */
static void the_best_answer_is_kept(void **state)
{
	char text[H_FRAME], contact[64];
	struct h_out req;

	(void)state;
	make_target(0, 60, H_GW1);
	make_target(1, 60, H_GW2);
	make_target(2, 60, H_GW1);
	req = h_call(h, 5060, h_invite("best-answer", "z9hG4bKbest"));
	h_send(h, h_gateway(&req), 5060, redirect(&req, TARGETS));
	for (unsigned i = 0; i < TARGETS; i++) {
		static const int statuses[TARGETS] = { 500, 404, 503 };

		req = invite_to(i);
		snprintf(text, sizeof(text), "%s", h_answer(&req, statuses[i], i == 1 ? "best" : "g2"));
		snprintf(contact, sizeof(contact), "To: <sip:b@y>;tag=%s", i == 1 ? "best" : "g2");
		assert_non_null(strstr(text, contact));
		h_send(h, h_gateway(&req), 5060, text);
	}
	assert_null(left("SIP/2.0 503"));
	for (unsigned i = 0; i < 2; i++) { /* and once more, as it is not acknowledged */
		assert_non_null(left("SIP/2.0 404"));
		assert_string_equal(h_row(left("SIP/2.0 404"), "To:", 0), "To: <sip:b@y>;tag=best");
		assert_string_equal(h_row(left("SIP/2.0 404"), "Via:", 0),
				    "Via: SIP/2.0/UDP 192.0.2.99:5060;branch=z9hG4bKbest");
		h->now += T1_NS + 2000000;
		h_tick(h);
	}
	h_send(h, H_CALLER, 5060,
	       h_request("ACK", "sip:+8221234@192.0.2.10", "best-answer", "z9hG4bKbest", "best", ""));
	h->now += 10 * T1_NS;
	h_tick(h);
	assert_int_equal(h->n_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_have_their_room),
		cmocka_unit_test(no_room_for_the_request_uri),
		cmocka_unit_test(the_best_answer_is_kept),
		cmocka_unit_test(no_contact_of_another_transport),
	};
	int failed;

	h = h_start();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	h_stop(h);
	return failed;
}
