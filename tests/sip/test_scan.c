/* SPDX-License-Identifier: BSD-3-Clause */
/* The scan: verdicts, rows, body, bounds; all variants the same; no byte read past the datagram. */
#include "tests/sip/support.h"

#include <stdio.h>

static void verdicts(void **state)
{
	static const struct {
		const char *text;
		enum sip_verdict verdict;
		enum sip_fault fault;
	} table[] = {
		{ "", SIP_KEEPALIVE, 0 },
		{ "\r\n\r\n", SIP_KEEPALIVE, 0 },
		{ "\r\n\r\n\r\n\r\n", SIP_KEEPALIVE, 0 },
		{ "jaK", SIP_KEEPALIVE, 0 },
		{ "hello world", SIP_GARBAGE, 0 },
		{ "GET / HTTP/1.1\r\n\r\n", SIP_GARBAGE, 0 },
		{ "INVITE sip:a\r\n\r\n", SIP_GARBAGE, 0 },
		{ "INVITE sip:a SIP/x.0\r\n\r\n", SIP_GARBAGE, 0 },
		{ "INV(ITE sip:a SIP/2.0\r\n\r\n", SIP_GARBAGE, 0 },
		{ " INVITE sip:a SIP/2.0\r\n\r\n", SIP_GARBAGE, 0 },
		{ "INVITE sip:a SIP/2.0", SIP_GARBAGE, 0 },
		{ "SIP/2.0 200 OK\r\n\r\n", SIP_GOOD, 0 },
		{ "SIP/2.0 200 \r\n\r\n", SIP_GOOD, 0 },
		{ "SIP/2.0 200\r\n\r\n", SIP_GOOD, 0 },
		{ "sip/2.0 200 OK\r\n\r\n", SIP_GOOD, 0 },
		{ "SIP/2.0 2000 OK\r\n\r\n", SIP_GARBAGE, 0 },
		{ "SIP/2.0 099 OK\r\n\r\n", SIP_GARBAGE, 0 },
		{ "SIP/2.0 700 OK\r\n\r\n", SIP_GARBAGE, 0 },
		{ "SIP/2.0 2x0 OK\r\n\r\n", SIP_GARBAGE, 0 },
		{ "SIP/3.0 200 OK\r\n\r\n", SIP_GARBAGE, 0 },
		{ "SIPPING sip:a SIP/2.0\r\n\r\n", SIP_GOOD, 0 },
		{ "INVITE sip:a sip/2.0\r\nV: x\r\n\r\n", SIP_GOOD, 0 },
		{ "\r\n\r\nINVITE sip:a SIP/2.0\r\nV: x\r\n\r\n", SIP_GOOD, 0 },
		{ "INVITE sip:a SIP/2.1\r\n\r\n", SIP_FAULTY, SIP_FAULT_VERSION },
		{ "INVITE sip:a SIP/2.00\r\n\r\n", SIP_FAULTY, SIP_FAULT_VERSION },
		{ "INVITE sip:a SIP/2.0 \r\n\r\n", SIP_FAULTY, SIP_FAULT_START_LINE },
		{ "INVITE SIP/2.0\r\n\r\n", SIP_FAULTY, SIP_FAULT_START_LINE },
		{ "INVITE  SIP/2.0\r\n\r\n", SIP_FAULTY, SIP_FAULT_START_LINE },
		{ "INVITE sip:a SIP/2.0\r\nV: x\r\n", SIP_FAULTY, SIP_FAULT_NO_BLANK_LINE },
		{ "INVITE sip:a SIP/2.0\r\nV: x", SIP_FAULTY, SIP_FAULT_NO_BLANK_LINE },
		{ "INVITE sip:a SIP/2.0\nV: x\n\n", SIP_FAULTY, SIP_FAULT_BARE_NEWLINE },
		{ "INVITE sip:a SIP/2.0\r\nV: x\n\r\n", SIP_FAULTY, SIP_FAULT_BARE_NEWLINE },
		{ "INVITE sip:a SIP/2.0\r\nV: x\r\n\n", SIP_FAULTY, SIP_FAULT_BARE_NEWLINE },
		{ "INVITE sip:a SIP/2.0\r\nV: x\ry\r\n\r\n", SIP_FAULTY, SIP_FAULT_BARE_NEWLINE },
		{ "INVITE sip:a SIP/2.0\r\nV: x\r\r\n\r\n", SIP_FAULTY, SIP_FAULT_BARE_NEWLINE },
		{ "INVITE sip:a SIP/2.0\r\nV: x\n\r\r\n\r\n", SIP_FAULTY, SIP_FAULT_HEADER_LINE },
		{ "INVITE sip:a SIP/2.0\r\nVia x\r\n\r\n", SIP_FAULTY, SIP_FAULT_HEADER_LINE },
		{ "INVITE sip:a SIP/2.0\r\n: x\r\n\r\n", SIP_FAULTY, SIP_FAULT_HEADER_LINE },
		{ "INVITE sip:a SIP/2.0\r\n folded: x\r\n\r\n", SIP_FAULTY, SIP_FAULT_HEADER_LINE },
		{ "INVITE sip:a SIP/2.0\r\nX: x\r\nno colon\r\n\r\n", SIP_FAULTY, SIP_FAULT_HEADER_LINE },
		{ "INVITE sip:a SIP/2.0\r\nX: x\r\n no colon\r\n\r\n", SIP_GOOD, 0 },
		{ "INVITE sip:a SIP/2.0\r\nX: \t\x0b\x01\r\n\r\nbare\nand \r", SIP_GOOD, 0 },
		{ "INVITE sip:a SIP/2.0\r\nl: 3\r\n\r\nabc", SIP_GOOD, 0 },
		{ "INVITE sip:a SIP/2.0\r\nl: 4\r\n\r\nabc", SIP_FAULTY, SIP_FAULT_SHORT_BODY },
		{ "INVITE sip:a SIP/2.0\r\nl: 99999999999999999999\r\n\r\nabc", SIP_FAULTY,
		  SIP_FAULT_SHORT_BODY },
		{ "INVITE sip:a SIP/2.0\r\nl: -1\r\n\r\nabc", SIP_FAULTY, SIP_FAULT_CONTENT_LENGTH },
		{ "INVITE sip:a SIP/2.0\r\nl:\r\n\r\nabc", SIP_FAULTY, SIP_FAULT_CONTENT_LENGTH },
		{ "INVITE sip:a SIP/2.0\r\nl: 1 2\r\n\r\nabc", SIP_FAULTY, SIP_FAULT_CONTENT_LENGTH },
		{ "INVITE sip:a SIP/2.0\r\nl: 3\r\nContent-Length: 3\r\n\r\nabc", SIP_FAULTY,
		  SIP_FAULT_CONTENT_LENGTH },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_msg m;
		enum sip_verdict verdict = scan(table[i].text, &m);

		if (verdict != table[i].verdict || (verdict == SIP_FAULTY && m.fault != table[i].fault))
			fail_msg("row %u: verdict %d fault %d: %s", i, verdict, m.fault, table[i].text);
	}
}

static void nul_only_as_quoted_pair(void **state)
{
	static const char good[] = "INVITE sip:a SIP/2.0\r\nX: \"\\\0\"\r\n\r\n\0";
	static const char bad[] = "INVITE sip:a SIP/2.0\r\nX: \"\0\"\r\n\r\n";
	struct sip_msg m;

	assert_int_equal(sip_scan(SIP_PLAIN, good, sizeof(good) - 1, &m), SIP_GOOD);
	assert_int_equal(sip_scan(SIP_PLAIN, bad, sizeof(bad) - 1, &m), SIP_FAULTY);
	assert_int_equal(m.fault, SIP_FAULT_NUL);
}

static void rows_in_any_spelling(void **state)
{
	static const struct {
		const char *line;
		enum sip_hdr id;
		const char *row;
	} table[] = {
		{ "Via: x", SIP_HDR_VIA, "Via: x" },
		{ "vIA: x", SIP_HDR_VIA, "vIA: x" },
		{ "V:x", SIP_HDR_VIA, "V:x" },
		{ "v \t : x", SIP_HDR_VIA, "v \t : x" },
		{ "From: x", SIP_HDR_FROM, "From: x" },
		{ "f:x", SIP_HDR_FROM, "f:x" },
		{ "To:x", SIP_HDR_TO, "To:x" },
		{ "t:x", SIP_HDR_TO, "t:x" },
		{ "CALL-ID: x", SIP_HDR_CALL_ID, "CALL-ID: x" },
		{ "i: x", SIP_HDR_CALL_ID, "i: x" },
		{ "CSeq: x", SIP_HDR_CSEQ, "CSeq: x" },
		{ "Contact: x", SIP_HDR_CONTACT, "Contact: x" },
		{ "m: x", SIP_HDR_CONTACT, "m: x" },
		{ "Route: x", SIP_HDR_ROUTE, "Route: x" },
		{ "Record-Route: x", SIP_HDR_RECORD_ROUTE, "Record-Route: x" },
		{ "Max-Forwards: 1", SIP_HDR_MAX_FORWARDS, "Max-Forwards: 1" },
		{ "Max-Breadth: 1", SIP_HDR_MAX_BREADTH, "Max-Breadth: 1" },
		{ "Proxy-Require: x", SIP_HDR_PROXY_REQUIRE, "Proxy-Require: x" },
		{ "Content-Length: 0", SIP_HDR_CONTENT_LENGTH, "Content-Length: 0" },
		{ "Content-Length                                       : 0", SIP_HDR_CONTENT_LENGTH,
		  "Content-Length                                       : 0" },
		{ "Via: a,\r\n b\r\n\tc", SIP_HDR_VIA, "Via: a,\r\n b\r\n\tc" },
		{ "Vias: x", SIP_HDR_OTHER, NULL },
		{ "Va: x", SIP_HDR_OTHER, NULL },
		{ "z: x", SIP_HDR_OTHER, NULL },
		{ "Content-Lengthh: 7", SIP_HDR_OTHER, NULL },
		{ "C%6Fntact: x", SIP_HDR_OTHER, NULL },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char text[256];
		struct sip_msg m;

		/* unknown rows around, so that the row falls into different places of a block */
		snprintf(text, sizeof(text), "INVITE sip:a SIP/2.0\r\nY: %.*s\r\n%s\r\nSubject: y\r\n\r\n",
			 (int)i * 3,
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aa",
			 table[i].line);
		if (table[i].id == SIP_HDR_OTHER) {
			scan(text, &m);
			assert_int_equal(m.n_rows, 0);
			continue;
		}
		assert_int_equal(scan(text, &m), SIP_GOOD);
		assert_int_equal(m.n_rows, 1);
		assert_int_equal(m.row[0].id, table[i].id);
		assert_int_equal(m.first[table[i].id], 0);
		assert_int_equal(m.count[table[i].id], 1);
		assert_string_equal(text_of(&m, (struct sip_span){ m.row[0].off,
								   (uint16_t)(m.row[0].end - m.row[0].off) }),
				    table[i].row);
		assert_int_equal(m.base[m.row[0].value - 1], ':');
	}
}

static void same_name_rows_are_linked(void **state)
{
	struct sip_msg m;

	assert_int_equal(scan("SIP/2.0 200 OK\r\nVia: 1\r\nTo: x\r\nv: 2\r\nVIA: 3\r\n\r\n", &m), SIP_GOOD);
	assert_int_equal(m.count[SIP_HDR_VIA], 3);
	assert_int_equal(m.first[SIP_HDR_VIA], 0);
	assert_int_equal(m.row[0].next, 2);
	assert_int_equal(m.row[2].next, 3);
	assert_int_equal(m.row[3].next, SIP_NO_ROW);
	assert_int_equal(m.first[SIP_HDR_FROM], SIP_NO_ROW);
	assert_int_equal(m.status, 200);
	assert_false(m.is_request);
}

static void start_line_parts(void **state)
{
	struct sip_msg m;

	assert_int_equal(scan("\r\nBYE sip:a@b;x SIP/2.0\r\nl: 2\r\n\r\nabcd", &m), SIP_GOOD);
	assert_true(m.is_request);
	assert_int_equal(m.method, METHOD_BYE);
	assert_string_equal(text_of(&m, m.uri), "sip:a@b;x");
	assert_string_equal(text_of(&m, m.method_text), "BYE");
	assert_int_equal(m.base[0], 'B');
	assert_memory_equal(m.base + m.body, "ab", 2);
	assert_int_equal(m.len, m.body + 2); /* what Content-Length leaves out is cut */
	assert_memory_equal(m.base + m.headers, "l: 2", 4);
	assert_int_equal(scan("SIP/2.0 183 x\r\n\r\nabcd", &m), SIP_GOOD);
	assert_int_equal(m.len, m.body + 4); /* none: to the end of the datagram */
}

static void methods(void **state)
{
	for (unsigned i = METHOD_OTHER + 1; i < METHOD_COUNT; i++)
		assert_int_equal(sip_method(sip_method_text((enum method)i)), i);
	assert_int_equal(sip_method(STR("invite")), METHOD_OTHER);
	assert_int_equal(sip_method(STR("INVITES")), METHOD_OTHER);
	assert_int_equal(sip_method_text(METHOD_OTHER).n, 0);
}

static enum sip_verdict repeated(const char *line, unsigned times, struct sip_msg *m)
{
	static char text[65536];
	size_t n = (size_t)snprintf(text, sizeof(text), "INVITE sip:a SIP/2.0\r\n");

	for (unsigned i = 0; i < times; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", line);
	snprintf(text + n, sizeof(text) - n, "\r\n");
	return scan(text, m);
}

static void bounds(void **state)
{
	static char big[65537];
	struct sip_msg m;

	assert_int_equal(repeated("Y: y\r\n", LIMIT_HEADERS, &m), SIP_GOOD);
	assert_int_equal(repeated("Y: y\r\n", LIMIT_HEADERS + 1, &m), SIP_FAULTY);
	assert_int_equal(m.fault, SIP_FAULT_TOO_MANY_HEADERS);
	assert_int_equal(repeated("Y: y\r\n", 5000, &m), SIP_FAULTY);
	assert_int_equal(m.fault, SIP_FAULT_TOO_MANY_HEADERS);
	assert_int_equal(repeated("v: y\r\n", LIMIT_ROWS, &m), SIP_GOOD);
	assert_int_equal(m.count[SIP_HDR_VIA], LIMIT_ROWS);
	assert_int_equal(repeated("v: y\r\n", LIMIT_ROWS + 1, &m), SIP_FAULTY);
	assert_int_equal(m.fault, SIP_FAULT_TOO_MANY_HEADERS);
	assert_int_equal(m.n_rows, LIMIT_ROWS);

	memset(big, 'x', sizeof(big));
	memcpy(big, "INVITE sip:a SIP/2.0\r\n\r\n", 24);
	assert_int_equal(sip_scan(SIP_PLAIN, big, 65535, &m), SIP_GOOD);
	assert_int_equal(sip_scan(SIP_PLAIN, big, 65536, &m), SIP_GARBAGE);
	memset(big, 'x', sizeof(big)); /* a start line of many blocks */
	memcpy(big, "INVITE sip:", 11);
	memcpy(big + 3000, " SIP/2.0\r\nv: z\r\n\r\n", 18);
	assert_int_equal(sip_scan(sip_simd_best(), big, 3018, &m), SIP_GOOD);
	assert_int_equal(m.uri.len, 3000 - 7);
	assert_int_equal(m.n_rows, 1);
}

/* Every byte of one message but the padding that is never written. */
static void assert_same(const struct sip_msg *a, const struct sip_msg *b, const char *name, uint32_t n)
{
	if (memcmp(a, b, offsetof(struct sip_msg, last)) != 0 ||
	    memcmp(a->count, b->count, sizeof(a->count)) != 0 ||
	    memcmp(a->row, b->row, a->n_rows * sizeof(a->row[0])) != 0)
		fail_msg("%s cut to %u: variants differ", name, n);
}

/* At every length of every message, and at 64 places relative to the block grid. */
static void variants_are_equal_and_read_nothing_past(void **state)
{
	struct file *files = files_load();
	static char shifted[8192];

	for (struct file *f = files; f->bytes; f++) {
		for (uint32_t n = 0; n <= f->n; n++) {
			const char *bytes = guarded(f->bytes, n);
			struct sip_msg want, got;
			enum sip_verdict verdict = sip_scan(SIP_PLAIN, bytes, n, &want);

			for (unsigned v = SIP_PLAIN + 1; v < SIP_SIMD_COUNT; v++) {
				if (!sip_simd_usable((enum sip_simd)v))
					continue;
				assert_int_equal(sip_scan((enum sip_simd)v, bytes, n, &got), verdict);
				if (verdict <= SIP_FAULTY)
					assert_same(&want, &got, f->name, n);
			}
			if (verdict <= SIP_FAULTY) {
				struct sip_fields fields;

				sip_check(&want, &fields);
			}
		}
		for (uint32_t pad = 0; pad < 64; pad++) {
			const char *lf = memchr(f->bytes, '\n', f->n);
			uint32_t line = (uint32_t)(lf + 1 - f->bytes);
			struct sip_msg want, got;
			enum sip_verdict verdict;

			memcpy(shifted, f->bytes, line);
			memcpy(shifted + line, "X:", 2);
			memset(shifted + line + 2, ':', pad);
			memcpy(shifted + line + 2 + pad, "\r\n", 2);
			memcpy(shifted + line + 4 + pad, lf + 1, f->n - line);
			verdict = sip_scan(SIP_PLAIN, shifted, f->n + 4 + pad, &want);
			for (unsigned v = SIP_PLAIN + 1; v < SIP_SIMD_COUNT; v++) {
				if (!sip_simd_usable((enum sip_simd)v))
					continue;
				assert_int_equal(sip_scan((enum sip_simd)v, shifted, f->n + 4 + pad, &got),
						 verdict);
				if (verdict <= SIP_FAULTY)
					assert_same(&want, &got, f->name, pad);
			}
		}
	}
	files_free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts),
		cmocka_unit_test(nul_only_as_quoted_pair),
		cmocka_unit_test(rows_in_any_spelling),
		cmocka_unit_test(same_name_rows_are_linked),
		cmocka_unit_test(start_line_parts),
		cmocka_unit_test(methods),
		cmocka_unit_test(bounds),
		cmocka_unit_test(variants_are_equal_and_read_nothing_past),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
