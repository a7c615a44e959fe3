/* SPDX-License-Identifier: BSD-3-Clause */
/* The decoders: lists, Via, address headers, URIs, numbers, addresses as text. */
#include "tests/sip/support.h"
#include "dataplane/sip/chars.h"

#include <ctype.h>
#include <stdio.h>

/* The message "X sip:x SIP/2.0" with one header line. */
static struct sip_msg *one(const char *line)
{
	static char text[8192];
	static struct sip_msg m;

	snprintf(text, sizeof(text), "X sip:x SIP/2.0\r\n%s\r\n\r\n", line);
	assert_int_equal(scan(text, &m), SIP_GOOD);
	return &m;
}

/* Character sets, against RFC 3261 25.1. */
static void sets(void **state)
{
	for (int c = 0; c < 256; c++) {
		bool alnum = c < 128 && isalnum(c), high = c >= 128, graph = c > 32 && c < 127;

		assert_int_equal(sip_in(&sip_token, (char)c), alnum || (c && strchr("-.!%*_+`'~", c)));
		assert_int_equal(sip_in(&sip_ip6, (char)c), (c < 128 && isxdigit(c)) || c == ':' || c == '.');
		assert_int_equal(sip_in(&sip_value, (char)c), high || (graph && !strchr("\",;<>", c)));
		assert_int_equal(sip_in(&sip_plain, (char)c), high || (graph && !strchr("\"<>", c)));
	}
}

static void lists(void **state)
{
	static const struct {
		const char *lines;
		const char *values; /* joined by '|'; '!' at the end: BAD */
	} table[] = {
		{ "Route: <a>", "<a>" },
		{ "Route: <a>,<b>", "<a>|<b>" },
		{ "Route: <a> ,\r\n <b>\r\nRoute:<c>", "<a>|<b>|<c>" },
		{ "Route: \"x,\\\",y\" <a,b>;p=\"1,2\", <c>", "\"x,\\\",y\" <a,b>;p=\"1,2\"|<c>" },
		{ "Route: <a>,", "<a>!" },
		{ "Route: ,<a>", "!" },
		{ "Route:", "!" },
		{ "Route: \"a, <b>", "!" },
		{ "Route: <a, <b", "!" },
		{ "X: y", "" },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_msg *m = one(table[i].lines);
		struct sip_list it = sip_list_start(m, SIP_HDR_ROUTE);
		struct sip_span value;
		enum sip_next next;
		char got[256] = "";

		while ((next = sip_list_next(m, &it, &value)) == SIP_NEXT_VALUE) {
			if (got[0])
				strcat(got, "|");
			strcat(got, text_of(m, value));
		}
		if (next == SIP_NEXT_BAD)
			strcat(got, "!");
		assert_string_equal(got, table[i].values);
		assert_int_equal(sip_list_next(m, &it, &value), SIP_NEXT_END);
	}
}

static void via_values(void **state)
{
	static const struct {
		const char *line, *transport, *host;
		int port, rport; /* rport: -1 not there, 0 without value */
		const char *branch, *received, *maddr, *value;
	} table[] = {
		{ "Via: SIP/2.0/UDP h", "UDP", "h", 0, -1, "", "", "", "SIP/2.0/UDP h" },
		{ "Via: SIP/2.0/ UDP h", "UDP", "h", 0, -1, "", "", "", "SIP/2.0/ UDP h" },
		{ "Via: SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bKa", "UDP", "192.0.2.1", 5070, 0,
		  "z9hG4bKa", "", "", "SIP/2.0/UDP 192.0.2.1:5070;rport;branch=z9hG4bKa" },
		{ "v:sip / 2.0 /\r\n tcp  h : 1 ; Branch = b1 ;RPORT=17; Received=192.0.2.4 , next", "tcp",
		  "h", 1, 17, "b1", "192.0.2.4", "",
		  "sip / 2.0 /\r\n tcp  h : 1 ; Branch = b1 ;RPORT=17; Received=192.0.2.4" },
		{ "Via: SIP/2.0/UDP [2001:db8::1]:5062;maddr=[2001:db8::2];received=[2001:db8::3];x", "UDP",
		  "2001:db8::1", 5062, -1, "", "2001:db8::3", "2001:db8::2",
		  "SIP/2.0/UDP [2001:db8::1]:5062;maddr=[2001:db8::2];received=[2001:db8::3];x" },
		{ "Via: SIP/2.0/UNKNOWN h;received=2001:db8::3;y=\"a,;b\";ttl=1", "UNKNOWN", "h", 0, -1, "",
		  "2001:db8::3", "", "SIP/2.0/UNKNOWN h;received=2001:db8::3;y=\"a,;b\";ttl=1" },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_msg *m = one(table[i].line);
		struct sip_list it = sip_list_start(m, SIP_HDR_VIA);
		struct sip_span value;
		struct sip_via top, via;

		assert_true(sip_via_top(m, &top));
		assert_string_equal(text_of(m, top.transport), table[i].transport);
		assert_string_equal(text_of(m, top.host), table[i].host);
		assert_int_equal(top.port, table[i].port);
		assert_int_equal(top.has_rport, table[i].rport >= 0);
		assert_int_equal(top.rport_port, table[i].rport > 0 ? table[i].rport : 0);
		assert_string_equal(text_of(m, top.branch), top.branch.off ? table[i].branch : "");
		assert_int_equal(top.branch.off != 0, table[i].branch[0] != '\0');
		assert_string_equal(top.received.off ? text_of(m, top.received) : "", table[i].received);
		assert_string_equal(top.maddr.off ? text_of(m, top.maddr) : "", table[i].maddr);
		assert_string_equal(text_of(m, top.value), table[i].value);
		assert_int_equal(sip_list_next(m, &it, &value), SIP_NEXT_VALUE);
		assert_true(sip_via_parse(m, value, &via));
		assert_memory_equal(&via, &top, sizeof(via));
	}
}

/* From row to row and from comma to comma, to the first that is none. */
static void via_walk(void **state)
{
	struct sip_msg *m = one("Via: SIP/2.0/UDP a;branch=\"x,y\" , SIP/2.0/UDP b\r\n"
				"Via: SIP/2.0/UDP c;branch=z\r\nVia: SIP/2.0/UDP d,\r\nVia: SIP/2.0/UDP e");
	struct sip_list it = sip_list_start(m, SIP_HDR_VIA);
	struct sip_via via;

	for (const char *host = "abcd"; *host; host++) {
		assert_int_equal(sip_via_next(m, &it, &via), SIP_NEXT_VALUE);
		assert_int_equal(via.host.len, 1);
		assert_int_equal(m->base[via.host.off], *host);
	}
	assert_int_equal(sip_via_next(m, &it, &via), SIP_NEXT_BAD);
	assert_int_equal(sip_via_next(m, &it, &via), SIP_NEXT_END);
}

static void via_faults(void **state)
{
	static const char *const bad[] = {
		"Via:",
		"Via: SIP/2.0",
		"Via: SIP/2.0/UDP",
		"Via: SIP/2.0/UDP ",
		"Via: SIP/2.0/UDP [::1",
		"Via: SIP/2.0/UDP []",
		"Via: SIP/2.0/UDP h:",
		"Via: SIP/2.0/UDP h:0",
		"Via: SIP/2.0/UDP h:65536",
		"Via: SIP/2.0/UDP h:5x",
		"Via: SIP/2.0/UDP h;;",
		"Via: SIP/2.0/UDP h;",
		"Via: SIP/2.0/UDP h;a=\"",
		"Via: SIP/2.0/UDP h;branch=\"",
		"Via: SIP/2.0/UDP h;branch=a;branch=b",
		"Via: SIP/2.0/UDP h;rport;rport",
		"Via: SIP/2.0/UDP h;branch",
		"Via: SIP/2.0/UDP h x",
		"Via: SIP/2.0UDP h",
		"Via: /2.0/UDP h",
		"Via: SIP/2.0/UDP h;received",
		"Via: SIP/2.0/UDP h;received=1;received=2",
		"Via: SIP/2.0/UDP 192.0.2.15;;,;,,",
		"X: y",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sip_msg *m = one(bad[i]);
		struct sip_via via;

		if (sip_via_top(m, &via))
			fail_msg("accepted: %s", bad[i]);
	}
}

static void parties(void **state)
{
	static const struct {
		const char *line, *uri, *tag; /* uri NULL: malformed */
	} table[] = {
		{ "From: <sip:a@b>;tag=1", "sip:a@b", "1" },
		{ "From: sip:a@b;tag=1;x", "sip:a@b", "1" },
		{ "From: sip:a@b", "sip:a@b", "" },
		{ "From:\r\n sip:a@b ;\r\n  tag  = 1", "sip:a@b", "1" },
		{ "From: \"x <sip:c> ; tag=9 \\\" \" <sip:a@b;u=1>;x=\"tag=7;\";TAG=aB", "sip:a@b;u=1",
		  "aB" },
		{ "From: Bob Smith <tel:+1>;;tag=2;", "tel:+1", "2" },
		{ "From: caller<sip:a@b>;tag=1", "sip:a@b", "1" },
		{ "From: < sip:a@b >", "sip:a@b", "" },
		{ "From: Bob", NULL, "" },
		{ "From:", NULL, "" },
		{ "From: <>", NULL, "" },
		{ "From: <sip:a@b", NULL, "" },
		{ "From: \"x <sip:a@b>", NULL, "" },
		{ "From: \"x\" sip:a@b", NULL, "" },
		{ "From: Bell, Alexander <sip:a@b>", NULL, "" },
		{ "From: <sip:a@b>;tag=1;tag=2", NULL, "" },
		{ "From: <sip:a@b>;tag", NULL, "" },
		{ "From: <sip:a@b>;tag=", NULL, "" },
		{ "From: <sip:a@b>;tag=1 2", NULL, "" },
		{ "From: <sip:a@b> x", NULL, "" },
		{ "From: <sip:a@b>, <sip:c@d>", NULL, "" },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_msg *m = one(table[i].line);
		struct sip_party party;
		bool good = sip_party_first(m, SIP_HDR_FROM, &party);

		if (good != (table[i].uri != NULL))
			fail_msg("%s: %d", table[i].line, good);
		if (!good)
			continue;
		assert_string_equal(text_of(m, party.uri), table[i].uri);
		assert_string_equal(party.tag.off ? text_of(m, party.tag) : "", table[i].tag);
		assert_int_equal(party.end, m->row[0].end);
	}
}

/* Read from its end, a row has the tag that it has for who reads it all; what is before may be anything. */
static void last_tags(void **state)
{
	static const struct {
		const char *line, *tag; /* NULL: to be read from the start */
	} table[] = {
		{ "From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl", "9fxced76sl" },
		{ "From: <sip:alice@example.com;user=phone>;TaG=a", "a" },
		{ "From: <sip:alice@example.com>;tag=12345678901234567890123456",
		  "12345678901234567890123456" },
		{ "From: \"unbalanced <sip:alice@example.com>;tag=1", "1" },
		{ "From: <sip:alice@example.com>;tag=123456789012345678901234567", NULL },
		{ "From: <sip:alice@example.com>;x=1;tag=1", NULL },
		{ "From: <sip:alice@example.com>;tag=1;x=1", NULL },
		{ "From: <sip:alice@example.com>;tag=1 ", NULL },
		{ "From: <sip:alice@example.com>;tag=1 2", NULL },
		{ "From: <sip:alice@example.com>;tag=", NULL },
		{ "From: <sip:alice@example.com>;tag =1", NULL },
		{ "From: <sip:alice@example.com>;xag=1", NULL },
		{ "From: <sip:alice@example.com> ;tag=1", NULL },
		{ "From: sip:alice.and.bob@example.com;tag=1", NULL },
		{ "From: <sip:alice@example.com>;x=\"y>;tag=1\"", NULL },
		{ "From: <sip:alice@example.com;user=phone>", NULL },
		{ "From: <sip:a@b>;tag=1", NULL }, /* short */
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_msg *m = one(table[i].line);
		struct sip_party last, whole;

		if (sip_tag_last(m, SIP_HDR_FROM, &last) != (table[i].tag != NULL))
			fail_msg("%s: %s", table[i].line, table[i].tag ? "not read" : "read");
		if (!table[i].tag)
			continue;
		assert_string_equal(text_of(m, last.tag), table[i].tag);
		assert_int_equal(last.uri.off, 0);
		if (!sip_party_first(m, SIP_HDR_FROM, &whole))
			continue;
		assert_memory_equal(&last.tag, &whole.tag, sizeof(last.tag));
		assert_int_equal(last.end, whole.end);
	}
}

static void uris(void **state)
{
	static const struct {
		const char *uri;
		int scheme; /* -1: malformed */
		const char *user, *host;
		int port, lr;
		const char *params, *maddr;
	} table[] = {
		{ "sip:h", SIP_SCHEME_SIP, "", "h", 0, 0, "", "" },
		{ "SIP:u@h:5060;lr;maddr=[::1]", SIP_SCHEME_SIP, "u", "h", 5060, 1, ";lr;maddr=[::1]",
		  "::1" },
		{ "sips:u:pw@[2001:db8::1]:5061;LR=on", SIP_SCHEME_SIPS, "u", "2001:db8::1", 5061, 1,
		  ";LR=on", "" },
		{ "sip:u;p=1%402@h;lrx;xlr=lr", SIP_SCHEME_SIP, "u;p=1%402", "h", 0, 0, ";lrx;xlr=lr", "" },
		{ "sip:a?b;c@h", SIP_SCHEME_SIP, "a?b;c", "h", 0, 0, "", "" },
		{ "tel:+1-201;phone-context=x", SIP_SCHEME_TEL, "+1-201", "", 0, 0, ";phone-context=x", "" },
		{ "urn:service:sos", SIP_SCHEME_SOS, "", "", 0, 0, "", "" },
		{ "urn:isbn:0", SIP_SCHEME_OTHER, "", "", 0, 0, "", "" },
		{ "sip:@h", -1 },
		{ "sip::pw@h", -1 },
		{ "sip:", -1 },
		{ "sip:u@", -1 },
		{ "sip:a@b@c", -1 },
		{ "sip:h:", -1 },
		{ "sip:h:x", -1 },
		{ "sip:h:0", -1 },
		{ "sip:[::1", -1 },
		{ "sip:2001:db8::1", -1 },
		{ "sip:<h>", -1 },
		{ "sip:h\"", -1 },
		{ "h", -1 },
		{ ":h", -1 },
		{ "1x:h", -1 },
		{ "tel:", -1 },
		{ "tel:1@h", -1 },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char line[256];
		struct sip_msg *m;
		struct sip_uri uri;
		bool good;

		snprintf(line, sizeof(line), "X: %s", table[i].uri);
		m = one(line);
		good = sip_uri_parse(
			m, (struct sip_span){ (uint16_t)(m->headers + 3), (uint16_t)strlen(table[i].uri) },
			&uri);
		if (good != (table[i].scheme >= 0))
			fail_msg("%s: %d", table[i].uri, good);
		if (!good)
			continue;
		assert_int_equal(uri.scheme, table[i].scheme);
		assert_string_equal(uri.user.off ? text_of(m, uri.user) : "", table[i].user);
		assert_string_equal(uri.host.off ? text_of(m, uri.host) : "", table[i].host);
		assert_int_equal(uri.port, table[i].port);
		assert_int_equal(uri.lr, table[i].lr);
		assert_string_equal(uri.params.off ? text_of(m, uri.params) : "", table[i].params);
		assert_string_equal(uri.maddr.off ? text_of(m, uri.maddr) : "", table[i].maddr);
	}
}

static void plain_fields(void **state)
{
	struct sip_number number;
	struct sip_cseq cseq;
	struct sip_msg *m = one("Call-ID:\t a b@c \r\n ");

	assert_string_equal(text_of(m, sip_call_id(m)), "a b@c");
	assert_int_equal(sip_call_id(one("Call-ID:   ")).off, 0);
	assert_int_equal(sip_call_id(one("X: y")).off, 0);

	m = one("CSeq: 0009\r\n  INVITE");
	assert_true(sip_cseq_parse(m, &cseq));
	assert_int_equal(cseq.number, 9);
	assert_int_equal(cseq.method, METHOD_INVITE);
	assert_string_equal(text_of(m, cseq.method_text), "INVITE");
	assert_true(sip_cseq_parse(one("CSeq: 2147483647 FOO"), &cseq));
	assert_int_equal(cseq.method, METHOD_OTHER);
	assert_false(sip_cseq_parse(one("CSeq: 2147483648 INVITE"), &cseq));
	assert_false(sip_cseq_parse(one("CSeq: 18446744073709551617 INVITE"), &cseq));
	assert_false(sip_cseq_parse(one("CSeq: INVITE"), &cseq));
	assert_false(sip_cseq_parse(one("CSeq: 1INVITE"), &cseq));
	assert_false(sip_cseq_parse(one("CSeq: 1"), &cseq));
	assert_false(sip_cseq_parse(one("CSeq: 1 INV ITE"), &cseq));
	assert_false(sip_cseq_parse(one("X: y"), &cseq));

	m = one("Max-Forwards: 0068 ");
	assert_true(sip_number_parse(m, SIP_HDR_MAX_FORWARDS, &number));
	assert_int_equal(number.value, 68);
	assert_string_equal(text_of(m, number.text), "0068");
	assert_true(sip_number_parse(m, SIP_HDR_MAX_BREADTH, &number));
	assert_false(number.present);
	assert_true(
		sip_number_parse(one("Max-Forwards: 99999999999999999999"), SIP_HDR_MAX_FORWARDS, &number));
	assert_int_equal(number.value, UINT32_MAX);
	assert_false(sip_number_parse(one("Max-Forwards: 1a"), SIP_HDR_MAX_FORWARDS, &number));
	assert_false(sip_number_parse(one("Max-Forwards:"), SIP_HDR_MAX_FORWARDS, &number));
}

static void addresses(void **state)
{
	static const struct {
		const char *host, *text, *hostport; /* text NULL: no literal */
	} table[] = {
		{ "192.0.2.1", "192.0.2.1", "192.0.2.1:5060" },
		{ "2001:db8::1", "2001:db8::1", "[2001:db8::1]:5060" },
		{ "[2001:DB8:0::1]", "2001:db8::1", "[2001:db8::1]:5060" },
		{ "::ffff:192.0.2.2", "192.0.2.2", "192.0.2.2:5060" },
		{ "2001:db8:::192.0.2.1", "2001:db8::c000:201", "[2001:db8::c000:201]:5060" },
		{ "", NULL, NULL },
		{ "host", NULL, NULL },
		{ "192.0.2", NULL, NULL },
		{ "192.0.2.1.", NULL, NULL },
		{ "192.0.2.256", NULL, NULL },
		{ "192.0.2.01", NULL, NULL },
		{ "[192.0.2.1]", NULL, NULL },
		{ "2001:db8::1::2", NULL, NULL },
		{ "1111:2222:3333:4444:5555:6666:255.255.255.2555555555555", NULL, NULL },
	};
	char text[SIP_ADDR_TEXT];

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct str host = { table[i].host, (uint32_t)strlen(table[i].host) };
		struct addr addr;
		uint32_t n;

		if (sip_host_addr(host, 5060, &addr) != (table[i].text != NULL))
			fail_msg("%s", table[i].host);
		if (!table[i].text)
			continue;
		assert_int_equal(addr.port, 5060);
		n = sip_ip_text(&addr, text);
		assert_int_equal(n, strlen(table[i].text));
		assert_memory_equal(text, table[i].text, n);
		n = sip_hostport_text(&addr, text);
		assert_int_equal(n, strlen(table[i].hostport));
		assert_memory_equal(text, table[i].hostport, n);
	}
	assert_int_equal(sip_number_text(0, text), 1);
	assert_int_equal(sip_number_text(UINT32_MAX, text), 10);
	assert_memory_equal(text, "4294967295", 10);
}

/* Contacts of a redirect in the order in which they are to be called (RFC 3261 20.10). */
static void contacts(void **state)
{
	static const struct {
		const char *rows;
		const char *uris[LIMIT_CONTACTS];
	} table[] = {
		{ "Contact: <sip:a@192.0.2.1>\r\n", { "sip:a@192.0.2.1" } },
		{ "m: sip:a@192.0.2.1;q=0.2, \"b, c\" <sip:b@192.0.2.2;x=1>;q=0.9\r\n",
		  { "sip:b@192.0.2.2;x=1", "sip:a@192.0.2.1" } },
		{ "Contact: <sip:a@x>;q=0.5\r\nContact: <sip:b@x>;Q=1.0,<sip:c@x>;q=.5\r\nContact: "
		  "<sip:d@x>\r\n",
		  { "sip:b@x", "sip:d@x", "sip:a@x", "sip:c@x" } },
		{ "Contact: <sip:a@x>;expires=0,<sip:b@x>;expires=60\r\n", { "sip:b@x" } },
		{ "Contact: *\r\n", { NULL } },
		{ "Contact: <sip:a@x\r\n", { NULL } },
		{ "Subject: x\r\n", { NULL } },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_contact c[LIMIT_CONTACTS];
		char text[512];
		struct sip_msg m;
		unsigned n;

		snprintf(text, sizeof(text), "SIP/2.0 302 Moved\r\n%sCSeq: 1 INVITE\r\n\r\n", table[i].rows);
		scan(text, &m);
		n = sip_contacts(&m, c, LIMIT_CONTACTS);
		for (unsigned k = 0; k < LIMIT_CONTACTS; k++) {
			const char *want = table[i].uris[k];

			if ((k < n) != (want != NULL))
				fail_msg("case %u: %u contacts", i, n);
			if (want &&
			    !str_eq(sip_str(&m, c[k].uri), (struct str){ want, (uint32_t)strlen(want) }))
				fail_msg("case %u: contact %u is %.*s", i, k, c[k].uri.len,
					 text + c[k].uri.off);
		}
	}
}

static void required(void **state)
{
	struct sip_msg m;

	scan("INVITE sip:a SIP/2.0\r\nRequire: timer\r\nRequire: foo, 100REL\r\n\r\n", &m);
	assert_true(sip_requires(&m, STR("100rel")));
	assert_false(sip_requires(&m, STR("100re")));
	scan("INVITE sip:a SIP/2.0\r\nSupported: 100rel\r\n\r\n", &m);
	assert_false(sip_requires(&m, STR("100rel")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets),      cmocka_unit_test(lists),      cmocka_unit_test(via_values),
		cmocka_unit_test(via_walk),  cmocka_unit_test(via_faults), cmocka_unit_test(parties),
		cmocka_unit_test(last_tags), cmocka_unit_test(uris),       cmocka_unit_test(plain_fields),
		cmocka_unit_test(addresses), cmocka_unit_test(contacts),   cmocka_unit_test(required),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
