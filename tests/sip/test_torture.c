/* SPDX-License-Identifier: BSD-3-Clause */
/* Verdicts on the messages of RFC 4475 and RFC 5118 as a proxy sees them, and single faults of sip_check. */
#include "tests/sip/support.h"

#include <stdio.h>

enum {
	FORWARD = 0,
	DROP = -1
};

/* Status of the reply to a request; FORWARD; DROP: garbage, or a response with a fault. */
static int verdict_of(const char *bytes, uint32_t n, struct sip_msg *m, struct sip_fields *f)
{
	enum sip_verdict verdict = sip_scan(sip_simd_best(), bytes, n, m);
	enum sip_fault fault;

	if (verdict >= SIP_KEEPALIVE)
		return DROP;
	fault = verdict == SIP_FAULTY ? (enum sip_fault)m->fault : sip_check(m, f);
	if (fault && !m->is_request)
		return DROP;
	return sip_fault_status(fault);
}

static const struct {
	const char *name;
	int verdict;
} table[] = {
	/* RFC 4475, section 3.1.1 */
	{ "wsinv.dat", FORWARD },
	{ "intmeth.dat", FORWARD },
	{ "esc01.dat", FORWARD },
	{ "escnull.dat", FORWARD },
	{ "esc02.dat", FORWARD },
	{ "lwsdisp.dat", FORWARD },
	{ "longreq.dat", FORWARD },
	{ "dblreq.dat", FORWARD },
	{ "semiuri.dat", FORWARD },
	{ "transports.dat", FORWARD },
	{ "mpart01.dat", FORWARD },
	{ "unreason.dat", FORWARD },
	{ "noreason.dat", FORWARD },
	/* 3.1.2 */
	{ "badinv01.dat", 400 },
	{ "clerr.dat", 400 },
	{ "ncl.dat", 400 },
	{ "scalar02.dat", 400 },
	{ "scalarlg.dat", DROP },
	{ "quotbal.dat", 400 },
	{ "ltgtruri.dat", 400 },
	{ "lwsruri.dat", 400 },
	{ "lwsstart.dat", 400 },
	{ "trws.dat", 400 },
	{ "escruri.dat", 400 },
	{ "baddate.dat", FORWARD },
	{ "regbadct.dat", FORWARD },
	{ "badaspec.dat", FORWARD },
	{ "baddn.dat", 400 },
	{ "badvers.dat", 505 },
	{ "mismatch01.dat", 400 },
	{ "mismatch02.dat", 501 },
	{ "bigcode.dat", DROP },
	/* 3.2, 3.3, 3.4 */
	{ "badbranch.dat", 400 },
	{ "insuf.dat", 400 },
	{ "unkscm.dat", 416 },
	{ "novelsc.dat", 416 },
	{ "unksm2.dat", FORWARD },
	{ "bext01.dat", 420 },
	{ "invut.dat", FORWARD },
	{ "regaut01.dat", FORWARD },
	{ "multi01.dat", 400 },
	{ "mcl01.dat", 400 },
	{ "bcast.dat", FORWARD }, /* its second Via is for the path to refuse */
	{ "zeromf.dat", 483 },
	{ "cparam01.dat", FORWARD },
	{ "cparam02.dat", FORWARD },
	{ "regescrt.dat", FORWARD },
	{ "sdp01.dat", FORWARD },
	{ "inv2543.dat", FORWARD },
	/* RFC 5118, section 4 */
	{ "ipv6-good.dat", FORWARD },
	{ "ipv6-bad.dat", 400 },
	{ "port-ambiguous.dat", FORWARD },
	{ "port-unambiguous.dat", FORWARD },
	{ "via-received-param-with-delim.dat", FORWARD },
	{ "via-received-param-no-delim.dat", FORWARD },
	{ "ipv6-in-sdp.dat", FORWARD },
	{ "mult-ip-in-header.dat", FORWARD },
	{ "mult-ip-in-sdp.dat", FORWARD },
	{ "ipv4-mapped-ipv6.dat", FORWARD },
	{ "ipv6-bug-abnf-3-colons.dat", FORWARD },
	{ "ipv6-correct-abnf-2-colons.dat", FORWARD },
};

static void every_message(void **state)
{
	struct file *files = files_load();
	unsigned n = 0;

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const struct file *f = file_named(files, table[i].name);
		struct sip_fields fields;
		struct sip_msg m;
		int got = verdict_of(guarded(f->bytes, f->n), f->n, &m, &fields);

		if (got != table[i].verdict)
			fail_msg("%s: %d, expected %d", table[i].name, got, table[i].verdict);
	}
	for (struct file *f = files; f->bytes; f++)
		n += strstr(f->name, ".dat") != NULL;
	assert_int_equal(n, sizeof(table) / sizeof(table[0]));
	files_free(files);
}

static void details(void **state)
{
	struct file *files = files_load();
	const struct file *f = file_named(files, "wsinv.dat");
	struct sip_fields fields;
	struct sip_span value;
	struct sip_list it;
	struct sip_msg m;
	struct addr addr;
	unsigned vias = 0;

	verdict_of(f->bytes, f->n, &m, &fields);
	assert_string_equal(text_of(&m, fields.via.branch), "390skdjuw");
	assert_int_equal(fields.max_forwards.value, 68);
	assert_int_equal(fields.cseq.number, 9);
	assert_string_equal(text_of(&m, fields.to.tag), "1918181833n");
	assert_string_equal(text_of(&m, fields.from.tag), "98asjd8");
	assert_string_equal(text_of(&m, fields.call_id), "wsinv.ndaksdj@192.0.2.1");
	for (it = sip_list_start(&m, SIP_HDR_VIA); sip_list_next(&m, &it, &value) == SIP_NEXT_VALUE;)
		vias++;
	assert_int_equal(vias, 3);

	f = file_named(files, "dblreq.dat");
	verdict_of(f->bytes, f->n, &m, &fields);
	assert_int_equal(f->n - m.len, 450); /* what follows the REGISTER must not leave */

	f = file_named(files, "intmeth.dat");
	verdict_of(f->bytes, f->n, &m, &fields);
	assert_string_equal(text_of(&m, fields.uri.host), "example.com");

	f = file_named(files, "semiuri.dat");
	verdict_of(f->bytes, f->n, &m, &fields);
	assert_string_equal(text_of(&m, fields.uri.user), "user;par=u%40example.net");

	f = file_named(files, "ipv6-bug-abnf-3-colons.dat");
	verdict_of(f->bytes, f->n, &m, &fields);
	assert_true(sip_host_addr(sip_str(&m, fields.uri.host), 0, &addr));

	f = file_named(files, "bext01.dat");
	verdict_of(f->bytes, f->n, &m, &fields);
	{
		static const char want[] =
			"Unsupported: noProxiesSupportThis, norDoAnyProxiesSupportThis\r\n";
		char line[128];

		assert_int_equal(sip_unsupported(&m, line, sizeof(line)), sizeof(want) - 1);
		assert_memory_equal(line, want, sizeof(want) - 1);
		for (uint32_t cap = 0; cap < sizeof(want) - 1; cap++)
			assert_int_equal(sip_unsupported(&m, guarded(line, cap), cap), 0);
	}
	files_free(files);
}

/* A response with these rows on top of the mandatory ones but Via. */
static const char *response_with(const char *rows)
{
	static char text[8192];

	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\r\n%sFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: c\r\n"
		 "CSeq: 1 BYE\r\n\r\n",
		 rows);
	return text;
}

static void single_faults(void **state)
{
	static const struct {
		const char *method, *lines;
		enum sip_fault fault;
	} rows[] = {
		{ "INVITE", "", SIP_FAULT_NONE },
		{ "INVITE", "Max-Forwards: 255\r\n", SIP_FAULT_NONE },
		{ "INVITE", "Max-Forwards: 256\r\n", SIP_FAULT_MAX_FORWARDS },
		{ "INVITE", "Max-Forwards: x\r\n", SIP_FAULT_MAX_FORWARDS },
		{ "INVITE", "Max-Forwards: 0\r\n", SIP_FAULT_TOO_MANY_HOPS },
		{ "INVITE", "Max-Breadth: x\r\n", SIP_FAULT_MAX_BREADTH },
		{ "INVITE", "Max-Breadth: 1\r\nMax-Breadth: 1\r\n", SIP_FAULT_DUPLICATE_HEADER },
		{ "INVITE", "To: <sip:b>\r\n", SIP_FAULT_DUPLICATE_HEADER },
		{ "INVITE", "Proxy-Require: a\r\n", SIP_FAULT_EXTENSION },
		{ "ACK", "Proxy-Require: a\r\n", SIP_FAULT_NONE },
		{ "CANCEL", "Proxy-Require: a\r\n", SIP_FAULT_NONE },
		{ "INVITE", "Route: <sip:h;lr>, <sip:i>\r\n", SIP_FAULT_NONE },
		{ "INVITE", "Route: <sip:h;lr>, <sip:i\r\n", SIP_FAULT_ROUTE },
		{ "INVITE", "Via: SIP/2.0/UDP h;branch=Z9HG4bk\r\n", SIP_FAULT_VIA },
		{ "INVITE", "Via: SIP/2.0/UDP h;branch=\r\n", SIP_FAULT_VIA },
		{ "INVITE", "Via: SIP/2.0/UDP h\r\nVia: what, ever;;\r\n", SIP_FAULT_NONE },
		{ "INVITE", "Contact: ;;;;\r\nRecord-Route: \"\r\n", SIP_FAULT_NONE },
		{ "FOO", "", SIP_FAULT_NONE },
	};
	/* one piece, around which a line may be folded (RFC 3261 25.1): who unfolds it inside has another one
	 */
	static const struct {
		const char *text;
		enum sip_fault fault;
	} call_ids[] = {
		{ " a@b", SIP_FAULT_NONE },        { "\r\n a@b\r\n\t", SIP_FAULT_NONE },
		{ " a\r\n b", SIP_FAULT_CALL_ID }, { " a@b\r\n : c", SIP_FAULT_CALL_ID },
		{ "\r\n ", SIP_FAULT_CALL_ID },
	};
	static char many[8192];
	struct sip_fields fields;
	struct sip_msg m;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(scan(request(rows[i].method, rows[i].lines), &m), SIP_GOOD);
		if (sip_check(&m, &fields) != rows[i].fault)
			fail_msg("%s: %d", rows[i].lines, sip_check(&m, &fields));
	}
	strcpy(many, "Via: SIP/2.0/UDP h");
	for (unsigned i = 1; i < LIMIT_VIAS; i++)
		strcat(many, ",SIP/2.0/UDP h");
	assert_int_equal(scan(request("BYE", strcat(many, "\r\n")), &m), SIP_GOOD);
	assert_int_equal(sip_check(&m, &fields), SIP_FAULT_NONE);
	many[strlen(many) - 2] = '\0';
	assert_int_equal(scan(request("BYE", strcat(many, ",SIP/2.0/UDP h\r\n")), &m), SIP_GOOD);
	assert_int_equal(sip_check(&m, &fields), SIP_FAULT_TOO_MANY_VIAS);
	/* which leaves with ours on top, and comes back so */
	assert_int_equal(scan(response_with(many), &m), SIP_GOOD);
	assert_int_equal(sip_check(&m, &fields), SIP_FAULT_NONE);
	many[strlen(many) - 2] = '\0';
	assert_int_equal(scan(response_with(strcat(many, ",SIP/2.0/UDP h\r\n")), &m), SIP_GOOD);
	assert_int_equal(sip_check(&m, &fields), SIP_FAULT_TOO_MANY_VIAS);
	assert_int_equal(scan("BYE sip:a SIP/2.0\r\nTo: <sip:a>\r\n\r\n", &m), SIP_GOOD);
	assert_int_equal(sip_check(&m, &fields), SIP_FAULT_MISSING_HEADER);
	for (unsigned i = 0; i < sizeof(call_ids) / sizeof(call_ids[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text),
			 "BYE sip:a SIP/2.0\r\nv: SIP/2.0/UDP h\r\nf: <sip:a>;tag=1\r\nt: <sip:b>;tag=2\r\n"
			 "i:%s\r\nCSeq: 1 BYE\r\n\r\n",
			 call_ids[i].text);
		assert_int_equal(scan(text, &m), SIP_GOOD);
		if (sip_check(&m, &fields) != call_ids[i].fault)
			fail_msg("%s: %d", call_ids[i].text, sip_check(&m, &fields));
	}
	for (unsigned i = 1; i < SIP_FAULT_COUNT; i++) {
		assert_in_range(sip_fault_status((enum sip_fault)i), 400, 505);
		assert_true(sip_fault_reason((enum sip_fault)i).n > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_message),
		cmocka_unit_test(details),
		cmocka_unit_test(single_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
