/* SPDX-License-Identifier: BSD-3-Clause */
/* What messages say of load and importance: values as their RFCs write them, and everything else is none. */
#include "tests/sip/support.h"

#include <stdio.h>

/* A response with these rows between its first Via and its CSeq. */
static struct sip_msg *response(const char *rows)
{
	static char text[1024];
	static struct sip_msg m;

	snprintf(text, sizeof(text),
		 "SIP/2.0 503 Busy\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\n%sCSeq: 1 INVITE\r\n\r\n", rows);
	scan(text, &m);
	return &m;
}

static void retry_after(void **state)
{
	static const struct {
		const char *rows;
		uint32_t seconds;
	} table[] = {
		{ "Retry-After: 18000;duration=3600\r\n", 18000 }, /* RFC 3261 20.33 */
		{ "Retry-After: 120 (I'm in a meeting)\r\n", 120 },
		{ "retry-after:\t007\r\n", 7 },
		{ "RETRY-AFTER: 5 (a (b\\)) c) ; duration=1\r\n", 5 },
		{ "Retry-After: 5\r\n (folded)\r\n", 5 },
		{ "Retry-After: 2147483647\r\n", 2147483647 },
		{ "Retry-After: 2147483648\r\n", 0 },
		{ "Retry-After: 949302838503028349304023988\r\n", 0 }, /* RFC 4475 3.1.2.5 */
		{ "Retry-After: 4294967301\r\n", 0 },
		{ "Retry-After: 0\r\n", 0 },
		{ "Retry-After: -1\r\n", 0 },
		{ "Retry-After: 1.5\r\n", 0 },
		{ "Retry-After: 5 s\r\n", 0 },
		{ "Retry-After: 5, 6\r\n", 0 },
		{ "Retry-After: 5 (open\r\n", 0 },
		{ "Retry-After: 5 (\\\r\n", 0 },
		{ "Retry-After: soon\r\n", 0 },
		{ "Retry-After: Sat, 21 Nov 2026 05:00:00 GMT\r\n", 0 },
		{ "Retry-After:\r\n", 0 },
		{ "Retry-After: 5\r\nRetry-After: 6\r\n", 0 },
		{ "Retry-Afters: 5\r\n", 0 },
		{ "Subject: x\r\n", 0 },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (sip_retry_after(response(table[i].rows)) != table[i].seconds)
			fail_msg("%s", table[i].rows);
}

static void reason(void **state)
{
	static const struct {
		const char *rows;
		uint16_t cause;
	} table[] = {
		{ "Reason: Q.850;cause=16;text=\"Terminated\"\r\n", 16 }, /* RFC 3326 2 */
		{ "Reason: SIP ;cause=200 ;text=\"Call completed elsewhere\"\r\n", 0 },
		{ "Reason: SIP;cause=503,q.850;text=\"a,;cause=1\";CAUSE=42\r\n", 42 },
		{ "Reason: SIP;cause=503\r\nReason: Q.850;cause=34\r\n", 34 },
		{ "Reason: Q.850;cause=200, Q.850;cause=41\r\n", 41 },
		{ "Reason: Q.850 ; cause = 127\r\n", 127 },
		{ "Reason: Q.850;cause=128\r\n", 0 },
		{ "Reason: Q.850;cause=\"16\"\r\n", 0 },
		{ "Reason: Q.850;cause=4294967312\r\n", 0 },
		{ "Reason: Q.850;cause=\r\n", 0 },
		{ "Reason: Q.850;cause\r\n", 0 },
		{ "Reason: Q.850\r\n", 0 },
		{ "Reason: Q.8500;cause=16\r\n", 0 },
		{ "Reason: ,Q.850;cause=16\r\n", 0 },
		{ "Reason:\r\n", 0 },
		{ "Subject: x\r\n", 0 },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (sip_q850(response(table[i].rows)) != table[i].cause)
			fail_msg("%s: %u", table[i].rows, sip_q850(response(table[i].rows)));
}

static void resource_priority(void **state)
{
	static const struct {
		const char *rows;
		const char *values;
	} table[] = {
		{ "Resource-Priority: wps.3, dsn.flash\r\n", "wps.3|dsn.flash|" }, /* RFC 4412 3.1 */
		{ "RESOURCE-priority: ets.0\r\nResource-Priority: q735.2 ,  x-y.a!b\r\n",
		  "ets.0|q735.2|x-y.a!b|" },
		{ "Resource-Priority: a.1,b.2,c.3,d.4,e.5\r\n", "a.1|b.2|c.3|d.4|" },
		{ "Resource-Priority: wps, .1, wps., a.b.c, a.(b), drsn.1\r\n", "drsn.1|" },
		{ "Resource-Priority:\r\n", "" },
		{ "Resource-Prioriti: wps.0\r\n", "" },
		{ "Resource-Priorit9: wps.0\r\n", "" },
		{ "Cesource-Priority: wps.0\r\n", "" },
		{ "Resource-Priorityx: wps.0\r\n", "" },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct str value[LIMIT_RESOURCES];
		unsigned n = sip_resources(response(table[i].rows), value, LIMIT_RESOURCES);
		char got[256] = "";

		for (unsigned k = 0; k < n; k++)
			sprintf(got + strlen(got), "%.*s|", (int)value[k].n, value[k].p);
		assert_string_equal(got, table[i].values);
	}
}

/* Overload control of a response whose first Via ends in `params`; false: it breaks the grammar. */
static bool oc_of(const char *params, struct sip_oc *oc)
{
	static char text[1024];
	static struct sip_msg m;
	struct sip_via via;

	snprintf(text, sizeof(text),
		 "SIP/2.0 200 OK\r\nv: SIP/2.0/UDP h%s, SIP/2.0/UDP b;oc=9\r\nCSeq: 1 INVITE\r\n\r\n",
		 params);
	scan(text, &m);
	assert_true(sip_via_top(&m, &via));
	return sip_oc_parse(&m, &via, oc);
}

static void overload_control(void **state)
{
	static const struct {
		const char *params;
		struct sip_oc oc;
	} table[] = {
		/* RFC 7339 5.1 and 6 */
		{ ";branch=z9hG4bK2d4790.1;oc;oc-algo=\"loss,A\"",
		  { .present = 1, .algos = SIP_OC_LOSS | SIP_OC_OTHER, .n_algos = 2 } },
		{ ";received=192.0.2.111;oc=20;oc-algo=\"loss\";oc-validity=500;oc-seq=1282321615.782",
		  { 1, 1, 1, 1, SIP_OC_LOSS, 1, 20, 500, 128232161578200 } },
		{ ";oc=0;oc-algo=\"loss\";oc-validity=0",
		  { .present = 1, .has_value = 1, .has_validity = 1, .algos = SIP_OC_LOSS, .n_algos = 1 } },
		/* RFC 7415 3 */
		{ ";OC=150;Oc-Algo=\"rate\";OC-VALIDITY=1000;OC-SEQ=1.5",
		  { 1, 1, 1, 1, SIP_OC_RATE, 1, 150, 1000, 150000 } },
		{ ";oc-algo=\"  rate , LOSS\" ; oc",
		  { .present = 1, .algos = SIP_OC_LOSS | SIP_OC_RATE, .n_algos = 2 } },
		{ ";oc-algo=loss;oc=1", { 1, 1, .algos = SIP_OC_LOSS, .n_algos = 1, .value = 1 } },
		{ ";oc=4294967295", { 1, 1, .value = UINT32_MAX } },
		{ ";oc=18446744073709551617;oc-validity=99999999999",
		  { 1, 1, 1, .value = UINT32_MAX, .validity_ms = UINT32_MAX } },
		{ ";oc-seq=999999999999.99999", { .has_seq = 1, .seq = 99999999999999999 } },
		{ ";oc-validity=500", { .has_validity = 1, .validity_ms = 500 } },
		{ ";oc-validity", { 0 } },
		{ ";ocx=1;oct;oc-x=\"y\"", { 0 } },
		{ ";x=\";oc=5\"", { 0 } },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_oc oc;

		if (!oc_of(table[i].params, &oc))
			fail_msg("%s", table[i].params);
		assert_memory_equal(&oc, &table[i].oc, sizeof(oc));
	}
}

static void broken_overload_control(void **state)
{
	static const char *const bad[] = {
		";oc=",
		";oc=-1",
		";oc=1.5",
		";oc=\"1\"",
		";oc=1;oc=1",
		";oc;oc",
		";oc-algo",
		";oc-algo=\"\"",
		";oc-algo=\",\"",
		";oc-algo=\"loss,\"",
		";oc-algo=\"lo ss\"",
		";oc-algo=loss;oc-algo=loss",
		";oc-validity=x",
		";oc-validity=1;oc-validity",
		";oc-seq",
		";oc-seq=1",
		";oc-seq=.5",
		";oc-seq=1.",
		";oc-seq=1.123456",
		";oc-seq=1234567890123.1",
		";oc-seq=1.-1",
		";oc-seq=1.5;oc-seq=1.5",
		";oc-seq=1.5x",
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sip_oc oc;

		if (oc_of(bad[i], &oc))
			fail_msg("%s", bad[i]);
	}
}

/* Sequences are fractions, not pairs of numbers. */
static void sequence_order(void **state)
{
	static const char *const rising[] = {
		"0.0",     "0.00001", "0.10",           "0.5",           "0.50001",       "1.0", "1.9",
		"2.00000", "10.0",    "1282321615.781", "1282321615.79", "1282321892.439"
	};
	uint64_t last = 0;

	for (unsigned i = 0; i < sizeof(rising) / sizeof(rising[0]); i++) {
		struct sip_oc oc;
		char text[64];

		snprintf(text, sizeof(text), ";oc=1;oc-seq=%s", rising[i]);
		assert_true(oc_of(text, &oc));
		assert_true(i == 0 || oc.seq > last);
		last = oc.seq;
	}
}

/* The hint in a Via costs nothing and is never missing. */
static void hint(void **state)
{
	static const struct {
		const char *via;
		int has;
	} table[] = { { "SIP/2.0/UDP h;branch=b", 0 },   { "SIP/2.0/UDP oc;branch=oc", 0 },
		      { "SIP/2.0/UDP h;o=1", 0 },        { "SIP/2.0/UDP h ; OC", 1 },
		      { "SIP/2.0/UDP h;oc-seq=1.1", 1 }, { "SIP/2.0/UDP h;x=\";oc\"", 0 } };

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_via via;
		struct sip_msg m;
		char text[256];

		snprintf(text, sizeof(text), "SIP/2.0 200 OK\r\nVia: %s\r\n\r\n", table[i].via);
		scan(text, &m);
		assert_true(sip_via_top(&m, &via));
		assert_int_equal(via.has_oc, table[i].has);
	}
}

/* Emergency calls are addressed by service (RFC 5031); no other URN is. */
static void services(void **state)
{
	static const struct {
		const char *uri;
		enum sip_fault fault;
	} table[] = {
		{ "urn:service:sos", SIP_FAULT_NONE },          { "URN:Service:SOS.Police", SIP_FAULT_NONE },
		{ "urn:service:sos.fire.a-1", SIP_FAULT_NONE }, { "urn:service:sosx", SIP_FAULT_SCHEME },
		{ "urn:service:sos.", SIP_FAULT_SCHEME },       { "urn:service:sos..a", SIP_FAULT_SCHEME },
		{ "urn:service:sos;x", SIP_FAULT_SCHEME },      { "urn:service:so", SIP_FAULT_SCHEME },
		{ "urn:service:counseling", SIP_FAULT_SCHEME }, { "urn:", SIP_FAULT_SCHEME },
		{ "urns:service:sos", SIP_FAULT_SCHEME },       { "urn:service:sos.\"", SIP_FAULT_URI },
	};

	for (unsigned i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sip_fields f;
		struct sip_msg m;
		char text[512];

		snprintf(
			text, sizeof(text),
			"INVITE %s SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n"
			"To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n",
			table[i].uri);
		scan(text, &m);
		if (sip_check(&m, &f) != table[i].fault)
			fail_msg("%s", table[i].uri);
		assert_int_equal(f.uri.scheme == SIP_SCHEME_SOS, table[i].fault == SIP_FAULT_NONE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(retry_after),
		cmocka_unit_test(reason),
		cmocka_unit_test(resource_priority),
		cmocka_unit_test(overload_control),
		cmocka_unit_test(broken_overload_control),
		cmocka_unit_test(sequence_order),
		cmocka_unit_test(hint),
		cmocka_unit_test(services),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
