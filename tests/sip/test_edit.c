/* SPDX-License-Identifier: BSD-3-Clause */
/* Edits and replies: what leaves is what came, plus exactly the changes. */
#include "tests/sip/support.h"

#include <stdio.h>

static char out[70000];

/* Apply and give the result as a NUL-terminated text. */
static const char *applied(const struct sip_msg *m, const struct sip_edits *edits)
{
	uint32_t n = sip_apply(m, edits, out, sizeof(out) - 1);

	assert_true(n > 0);
	out[n] = '\0';
	/* one byte less room is too small, and nothing is written past it */
	assert_int_equal(sip_apply(m, edits, guarded(out, n - 1), n - 1), 0);
	assert_int_equal(sip_apply(m, edits, guarded(out, n), n), n);
	return out;
}

static struct addr v4(const char *ip, uint16_t port)
{
	struct addr a;

	assert_true(sip_host_addr((struct str){ ip, (uint32_t)strlen(ip) }, port, &a));
	return a;
}

static void no_edits_is_a_copy(void **state)
{
	struct file *files = files_load();

	for (struct file *f = files; f->bytes; f++) {
		struct sip_edits none = { 0 };
		struct sip_msg m;

		if (sip_scan(sip_simd_best(), f->bytes, f->n, &m) != SIP_GOOD)
			continue;
		assert_int_equal(sip_apply(&m, &none, out, sizeof(out)), m.len);
		assert_memory_equal(out, m.base, m.len);
	}
	files_free(files);
}

static void order_and_overlap(void **state)
{
	static const char text[] = "X sip:x SIP/2.0\r\nA: 123456\r\n\r\n";
	struct sip_edits e = { 0 };
	struct sip_msg m;

	assert_int_equal(scan(text, &m), SIP_GOOD);
	sip_edits_add(&e, 20, 2, STR("d"));
	sip_edits_add(&e, 17, 0, STR("p"));
	sip_edits_add(&e, 20, 0, STR("i")); /* before the deletion at the same place */
	sip_edits_add(&e, 20, 0, STR("j"));
	sip_edits_add(&e, 22, 0, STR("k"));
	sip_edits_add(&e, 22, 1, (struct str){ 0 });
	assert_false(e.failed);
	assert_string_equal(applied(&m, &e), "X sip:x SIP/2.0\r\npA: ijdk456\r\n\r\n");
	sip_edits_add(&e, 21, 0, STR("x"));
	assert_true(e.failed);
	assert_int_equal(sip_apply(&m, &e, out, sizeof(out)), 0);

	e = (struct sip_edits){ 0 };
	sip_edits_add(&e, 5, 2, STR(""));
	sip_edits_add(&e, 4, 2, STR(""));
	assert_true(e.failed);
	e = (struct sip_edits){ 0 };
	sip_edits_add(&e, 5, 2, STR(""));
	sip_edits_add(&e, 5, 1, STR(""));
	assert_true(e.failed);
	e = (struct sip_edits){ 0 };
	sip_edits_add(&e, sizeof(text) - 2, 2, STR("")); /* past the message */
	assert_false(e.failed);
	assert_int_equal(sip_apply(&m, &e, out, sizeof(out)), 0);
	e = (struct sip_edits){ 0 };
	for (unsigned i = 0; i < LIMIT_EDITS; i++)
		sip_edits_add(&e, 10, 0, STR("x"));
	assert_false(e.failed);
	sip_edits_add(&e, 10, 0, STR("x"));
	assert_true(e.failed);
}

static void pop(void **state)
{
	static const struct {
		const char *lines;
		unsigned n, taken;
		const char *left;
	} table[] = {
		{ "Route: <a>\r\n", 1, 1, "" },
		{ "Route: <a>, <b>\r\n", 1, 1, "Route: <b>\r\n" },
		{ "Route: <a>,<b>,\r\n <c>\r\n", 2, 2, "Route:\r\n <c>\r\n" },
		{ "Route: <a>, <b>\r\nX: y\r\nRoute: <c>\r\n", 2, 2, "X: y\r\nRoute: <c>\r\n" },
		{ "Route: <a>, <b>\r\nX: y\r\nRoute: <c>, <d>\r\n", 3, 3, "X: y\r\nRoute: <d>\r\n" },
		{ "Route: <a>\r\nX: y\r\n", 2, 1, "X: y\r\n" },
		{ "X: y\r\n", 1, 0, "X: y\r\n" },
		{ "Route: <a>,,<b>\r\n", 2, 0, "Route: <a>,,<b>\r\n" },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_edits e = { 0 };
		char text[256], want[256];
		struct sip_msg m;

		snprintf(text, sizeof(text), "X sip:x SIP/2.0\r\n%s\r\n", table[i].lines);
		snprintf(want, sizeof(want), "X sip:x SIP/2.0\r\n%s\r\n", table[i].left);
		assert_int_equal(scan(text, &m), SIP_GOOD);
		assert_int_equal(sip_edits_pop(&m, SIP_HDR_ROUTE, table[i].n, &e), table[i].taken);
		assert_string_equal(applied(&m, &e), want);
	}
}

static void received_and_rport(void **state)
{
	static const struct {
		const char *via, *src, *want;
	} table[] = {
		{ "SIP/2.0/UDP 192.0.2.1", "192.0.2.1", "SIP/2.0/UDP 192.0.2.1" },
		{ "SIP/2.0/UDP 192.0.2.1", "192.0.2.7", "SIP/2.0/UDP 192.0.2.1;received=192.0.2.7" },
		{ "SIP/2.0/UDP host;branch=a , b", "192.0.2.7",
		  "SIP/2.0/UDP host;branch=a;received=192.0.2.7 , b" },
		{ "SIP/2.0/UDP 192.0.2.1;rport", "192.0.2.1",
		  "SIP/2.0/UDP 192.0.2.1;rport=5099;received=192.0.2.1" },
		{ "SIP/2.0/UDP 192.0.2.1;rport;branch=a", "192.0.2.1",
		  "SIP/2.0/UDP 192.0.2.1;rport=5099;branch=a;received=192.0.2.1" },
		{ "SIP/2.0/UDP 192.0.2.1;received=6.6.6.6;rport=66;x", "192.0.2.1",
		  "SIP/2.0/UDP 192.0.2.1;received=192.0.2.1;rport=5099;x" },
		{ "SIP/2.0/UDP 192.0.2.1;received=6.6.6.6;x", "192.0.2.1", "SIP/2.0/UDP 192.0.2.1;x" },
		{ "SIP/2.0/UDP [2001:db8::1];received=[2001:db8::2]", "2001:db8::3",
		  "SIP/2.0/UDP [2001:db8::1];received=2001:db8::3" },
		{ "SIP/2.0/UDP [2001:DB8:0::1]", "2001:db8::1", "SIP/2.0/UDP [2001:DB8:0::1]" },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct addr src = v4(table[i].src, 5099);
		char text[512], want[512], room[SIP_RECEIVED_TEXT];
		struct sip_edits e = { 0 };
		struct sip_via via;
		struct sip_msg m;

		snprintf(text, sizeof(text), "X sip:x SIP/2.0\r\nVia: %s\r\nTo: x\r\n\r\n", table[i].via);
		snprintf(want, sizeof(want), "X sip:x SIP/2.0\r\nVia: %s\r\nTo: x\r\n\r\n", table[i].want);
		assert_int_equal(scan(text, &m), SIP_GOOD);
		assert_true(sip_via_top(&m, &via));
		sip_edits_received(&m, &via, &src, room, &e);
		assert_string_equal(applied(&m, &e), want);
	}
}

/* What a forwarded request gets, put on and taken off again. */
static void forward_and_back(void **state)
{
	static const char via[] = "Via: SIP/2.0/UDP 198.51.100.10;branch=z9hG4bKweir\r\n";
	static const char rr[] = "Record-Route: <sip:token@198.51.100.10;lr>\r\n";
	struct file *files = files_load();

	for (struct file *f = files; f->bytes; f++) {
		struct sip_edits on = { 0 }, off = { 0 };
		struct sip_msg m, forwarded;
		static char bytes[70000], back[70000];
		struct sip_via top;
		uint32_t n;

		if (sip_scan(sip_simd_best(), f->bytes, f->n, &m) != SIP_GOOD || m.count[SIP_HDR_VIA] == 0)
			continue;
		sip_edits_add(&on, m.headers, 0, STR(via));
		sip_edits_add(&on, m.headers, 0, STR(rr));
		n = sip_apply(&m, &on, bytes, sizeof(bytes));
		assert_int_equal(n, m.len + sizeof(via) - 1 + sizeof(rr) - 1);
		assert_int_equal(sip_scan(sip_simd_best(), bytes, n, &forwarded), SIP_GOOD);
		assert_true(sip_via_top(&forwarded, &top));
		assert_string_equal(text_of(&forwarded, top.branch), "z9hG4bKweir");
		assert_int_equal(sip_edits_pop(&forwarded, SIP_HDR_VIA, 1, &off), 1);
		assert_int_equal(sip_edits_pop(&forwarded, SIP_HDR_RECORD_ROUTE, 1, &off), 1);
		assert_int_equal(sip_apply(&forwarded, &off, back, sizeof(back)), m.len);
		assert_memory_equal(back, m.base, m.len);
	}
	files_free(files);
}

static const char *reply_to(const char *text, struct sip_reply *r)
{
	struct sip_msg m;
	uint32_t len;

	assert_true(scan(text, &m) <= SIP_FAULTY);
	len = sip_reply_write(&m, r, out, sizeof(out) - 1);
	out[len] = '\0';
	if (len && !r->brief) { /* a brief one has two lengths */
		assert_int_equal(sip_reply_write(&m, r, guarded(out, len - 1), len - 1), 0);
		assert_int_equal(sip_reply_write(&m, r, guarded(out, len), len), len);
	}
	return out;
}

static void replies(void **state)
{
	static const char invite[] = "INVITE sip:x SIP/2.0\r\n"
				     "Via: SIP/2.0/UDP 192.0.2.1;rport;branch=z9hG4bKa, SIP/2.0/UDP h2\r\n"
				     "Subject: hello\r\nf: \"A\"\r\n <sip:a>;tag=1\r\nTo: <sip:b>  \r\n"
				     "v: SIP/2.0/TCP h3\r\ni: c1\r\nCSeq: 7 INVITE\r\nl: 2\r\n\r\nxy";
	static const char stamped[] =
		"INVITE sip:x SIP/2.0\r\nv: SIP/2.0/UDP h\r\nTo: <a:b>\r\nTimeStamp : 54.5 0.1\r\n\r\n";
	struct sip_reply r = { 503, STR("Busy"), STR("zz"), STR("Retry-After: 5\r\n"),
			       v4("192.0.2.1", 5099) };

	assert_string_equal(
		reply_to(invite, &r),
		"SIP/2.0 503 Busy\r\n"
		"Via: SIP/2.0/UDP 192.0.2.1;rport=5099;branch=z9hG4bKa;received=192.0.2.1, SIP/2.0/UDP h2\r\n"
		"v: SIP/2.0/TCP h3\r\nf: \"A\"   <sip:a>;tag=1\r\nTo: <sip:b>;tag=zz  \r\ni: c1\r\n"
		"CSeq: 7 INVITE\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n");
	r = (struct sip_reply){ 100, STR("Trying"), { 0 }, { 0 }, v4("192.0.2.1", 5099) };
	assert_non_null(strstr(reply_to(invite, &r), "To: <sip:b>  \r\n"));
	/* which alone has the Timestamp, as it came (RFC 3261 8.2.6.1) */
	assert_non_null(strstr(reply_to(stamped, &r), "\r\nTimeStamp : 54.5 0.1\r\n"));
	r.status = 180;
	assert_null(strstr(reply_to(stamped, &r), "54.5"));
	/* a tag that is there stays; ACK and messages without Via get nothing */
	r.to_tag = STR("zz");
	assert_null(strstr(reply_to("BYE sip:x SIP/2.0\r\nv: SIP/2.0/UDP h\r\nTo: <a:b>;tag=q\r\n\r\n", &r),
			   "zz"));
	assert_string_equal(reply_to("ACK sip:x SIP/2.0\r\nv: SIP/2.0/UDP h\r\n\r\n", &r), "");
	assert_string_equal(reply_to("BYE sip:x SIP/2.0\r\nX: y\r\n\r\n", &r), "");
}

/* Who answers the forged must not send more than was sent (RFC 3261 26.1.5): as short as scanners are. */
static void brief_replies(void **state)
{
	static const struct {
		const char *text;
		uint32_t more; /* bytes that the reply may be longer */
	} requests[] = {
		{ "OPTIONS sip:100@192.0.2.10 SIP/2.0\r\n"
		  "Via: SIP/2.0/UDP 203.0.113.77:5060;branch=z9hG4bK-1;rport\r\n"
		  "Max-Forwards: 70\r\nFrom: <sip:100@1.1.1.1>;tag=6\r\nTo: <sip:100@1.1.1.1>\r\n"
		  "Contact: <sip:100@203.0.113.77>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n"
		  "Content-Length: 0\r\n\r\n" },
		{ "INVITE sip:1@192.0.2.10 SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bK1;rport\r\n"
		  "Max-Forwards: 70\r\nf: <sip:a@h>;tag=1\r\nt: <sip:1@192.0.2.10>\r\n"
		  "m: <sip:a@203.0.113.77>\r\ni: 1\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n" },
		/* nothing that is not copied */
		{ "INVITE a:b SIP/2.0\r\nv:SIP/2.0/UDP h;rport\r\nf:a:b;tag=1\r\nt:a:b\r\ni:1\r\nCSeq:1 "
		  "INVITE\r\n\r\n",
		  SIP_REPLY_GROWS + sizeof("Retry-After: 100\r\n") - 1 },
	};
	static const struct sip_reply replies[] = {
		{ 503, STR("Service Unavailable"), STR("abcdefghijklmnop"), STR("Retry-After: 100\r\n") },
		{ 403, STR("Forbidden"), STR("abcdefghijklmnop"), { 0 } },
		{ 200,
		  STR("OK"),
		  STR("abcdefghijklmnop"),
		  { 0 },
		  .nice = STR("Allow: INVITE, ACK, CANCEL, BYE\r\n") },
	};

	unsigned longer = 0;

	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		for (size_t k = 0; k < sizeof(replies) / sizeof(*replies); k++) {
			const uint32_t most = (uint32_t)strlen(requests[i].text) + requests[i].more;
			struct sip_reply r = replies[k];
			struct sip_msg reply;

			r.src = v4("203.0.113.177", 65535);
			longer += strlen(reply_to(requests[i].text, &r)) > most;
			assert_non_null(strstr(out, "Content-Length: 0\r\n"));
			r.brief = true;
			assert_true(strlen(reply_to(requests[i].text, &r)) <= most);
			assert_true(!r.extra.n || strstr(out, r.extra.p));
			assert_int_equal(sip_scan(sip_simd_best(), out, (uint32_t)strlen(out), &reply),
					 SIP_GOOD);
			assert_int_equal(reply.status, r.status);
		}
	}
	assert_true(longer > 0); /* it is the brevity that keeps the bound */
}

/* Every torture request gets a reply that is itself clean and holds the same dialog identifiers. */
static void replies_to_torture(void **state)
{
	struct sip_reply r = { 400, STR("Bad Request"), STR("zz"), { 0 }, v4("192.0.2.1", 5099) };
	struct file *files = files_load();

	for (struct file *f = files; f->bytes; f++) {
		for (uint32_t n = f->n; n > f->n / 2; n -= 7) {
			struct sip_fields fields;
			struct sip_msg m, reply;
			uint32_t len;

			if (sip_scan(sip_simd_best(), f->bytes, n, &m) > SIP_FAULTY || !m.is_request ||
			    m.method == METHOD_ACK || m.count[SIP_HDR_VIA] == 0)
				continue;
			len = sip_reply_write(&m, &r, out, sizeof(out));
			assert_true(len > 0);
			if (sip_scan(sip_simd_best(), out, len, &reply) != SIP_GOOD)
				fail_msg("%s: reply has fault %d", f->name, reply.fault);
			assert_int_equal(reply.status, 400);
			assert_int_equal(reply.count[SIP_HDR_VIA], m.count[SIP_HDR_VIA]);
			if (m.fault || sip_check(&m, &fields) == SIP_FAULT_NONE)
				continue;
			assert_true(reply.len <= len);
		}
	}
	files_free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_edits_is_a_copy),
		cmocka_unit_test(order_and_overlap),
		cmocka_unit_test(pop),
		cmocka_unit_test(received_and_rport),
		cmocka_unit_test(forward_and_back),
		cmocka_unit_test(replies),
		cmocka_unit_test(brief_replies),
		cmocka_unit_test(replies_to_torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
