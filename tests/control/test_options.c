/* SPDX-License-Identifier: BSD-3-Clause */
/* The OPTIONS probe as it goes on the wire, and which responses are its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/conf.h"
#include "control/options.h"

#define CALL_ID "0123456789abcdef0123456789abcdef"

static char *build(const char *gateway)
{
	struct addr addr;
	char *out = calloc(1, OPTIONS_MAX + 1);
	int n;

	assert_int_equal(conf_addr_parse(gateway, &addr), 0);
	n = options_build(&(struct options){ .gateway = &addr,
					     .local = "lb.example.net:5070",
					     .branch = "z9hG4bKabc",
					     .call_id = CALL_ID,
					     .tag = "fedcba9876543210",
					     .cseq = 7 },
			  out);
	assert_int_equal(n, strlen(out));
	return out;
}

static void has(const char *msg, const char *line)
{
	if (!strstr(msg, line))
		fail_msg("no \"%s\" in\n%s", line, msg);
}

static void a_probe_has_what_rfc_3261_asks(void **state)
{
	char *m = build("198.51.100.21:5062");

	assert_memory_equal(m, "OPTIONS sip:198.51.100.21:5062 SIP/2.0\r\n", 40);
	has(m, "\r\nVia: SIP/2.0/UDP lb.example.net:5070;branch=z9hG4bKabc;rport\r\n");
	has(m, "\r\nFrom: <sip:weir@lb.example.net:5070>;tag=fedcba9876543210\r\n");
	has(m, "\r\nTo: <sip:198.51.100.21:5062>\r\n");
	has(m, "\r\nCall-ID: " CALL_ID "\r\n");
	has(m, "\r\nCSeq: 7 OPTIONS\r\n");
	has(m, "\r\nContact: <sip:lb.example.net:5070>\r\n");
	has(m, "\r\nMax-Forwards: 70\r\n");
	has(m, "\r\nUser-Agent: weir\r\n");
	has(m, "\r\nContent-Length: 0\r\n");
	assert_string_equal(m + strlen(m) - 4, "\r\n\r\n");
	free(m);
}

static void ipv6_gateways_are_written_in_brackets(void **state)
{
	char *m = build("[2001:db8::22]:5060");

	has(m, "OPTIONS sip:[2001:db8::22]:5060 SIP/2.0\r\n");
	has(m, "\r\nTo: <sip:[2001:db8::22]:5060>\r\n");
	free(m);
}

static bool answers(const char *line, const char *call_id, const char *cseq)
{
	char m[512];
	int n = snprintf(m, sizeof(m),
			 "%s\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKabc\r\nFrom: "
			 "<sip:weir@192.0.2.10>;tag=1\r\n"
			 "To: <sip:192.0.2.21>;tag=2\r\nCall-ID: %s\r\nCSeq: %s\r\nContent-Length: 0\r\n\r\n",
			 line, call_id, cseq);

	return options_answers(m, (size_t)n, CALL_ID, 7);
}

static void only_its_own_answer_counts(void **state)
{
	assert_true(answers("SIP/2.0 200 OK", CALL_ID, "7 OPTIONS"));
	assert_true(answers("SIP/2.0 503 Service Unavailable", CALL_ID, "7 OPTIONS"));
	assert_false(answers("SIP/2.0 200 OK", CALL_ID, "6 OPTIONS"));
	assert_false(answers("SIP/2.0 200 OK", CALL_ID "x", "7 OPTIONS"));
	assert_false(answers("SIP/2.0 200 OK", CALL_ID "@a", "7 OPTIONS"));
	assert_false(answers("OPTIONS sip:a SIP/2.0", CALL_ID, "7 OPTIONS"));
	assert_false(options_answers("SIP/2.0 200 OK\r\n\r\n", 18, CALL_ID, 7));
	assert_false(options_answers("", 0, CALL_ID, 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_probe_has_what_rfc_3261_asks),
		cmocka_unit_test(ipv6_gateways_are_written_in_brackets),
		cmocka_unit_test(only_its_own_answer_counts),
	};

	options_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
