/* SPDX-License-Identifier: BSD-3-Clause */
/* What ICMP quotes of a datagram; cut anywhere, it is never read past its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "conf/conf.h"
#include "dataplane/net/net.h"

#define TEXT "INVITE sip:a@b SIP/2.0\r\n"

/* Ethernet, IPv4, ICMP 3/3, and the quoted IPv4, UDP, text. */
static const uint8_t v4[] = { 2,    0,    0,    0,
			      0,    1,    2,    0,
			      0,    0,    0,    2,
			      8,    0, /* Ethernet */
			      0x45, 0,    0,    20 + 8 + 28 + 24,
			      0,    0,    0,    0,
			      64,   1,    0,    0,
			      192,  0,    2,    21,
			      192,  0,    2,    10, /* IPv4 */
			      3,    3,    0,    0,
			      0,    0,    0,    0, /* ICMP: port unreachable */
			      0x45, 0,    4,    0,
			      0,    0,    0x40, 0,
			      64,   17,   0,    0,
			      192,  0,    2,    10,
			      192,  0,    2,    21, /* quoted */
			      0x13, 0xc4, 0x13, 0xce,
			      3,    0,    0,    0, /* from 5060 to 5070 */
			      'I',  'N',  'V',  'I',
			      'T',  'E',  ' ',  's',
			      'i',  'p',  ':',  'a',
			      '@',  'b',  ' ',  'S',
			      'I',  'P',  '/',  '2',
			      '.',  '0',  '\r', '\n' };

static const uint8_t v6[] = { 2,    0,    0,    0,    0,   1,           2,   0,   0,   0,   0,    2,
			      0x86, 0xdd,                                        /* Ethernet */
			      0x60, 0,    0,    0,    0,   8 + 48 + 24, 58,  64, /* IPv6 */
			      0x20, 1,    0xd,  0xb8, 0,   0,           0,   0,   0,   0,   0,    0,
			      0,    0,    0,    0x21, /* from */
			      0x20, 1,    0xd,  0xb8, 0,   0,           0,   0,   0,   0,   0,    0,
			      0,    0,    0,    0x10,                           /* to */
			      1,    4,    0,    0,    0,   0,           0,   0, /* ICMPv6: port unreachable */
			      0x60, 0,    0,    0,    4,   0,           17,  64, /* quoted */
			      0x20, 1,    0xd,  0xb8, 0,   0,           0,   0,   0,   0,   0,    0,
			      0,    0,    0,    0x10, /* from */
			      0x20, 1,    0xd,  0xb8, 0,   0,           0,   0,   0,   0,   0,    0,
			      0,    0,    0,    0x21,                           /* to */
			      0x13, 0xc4, 0x13, 0xce, 4,   0,           0,   0, /* from 5060 to 5070 */
			      'I',  'N',  'V',  'I',  'T', 'E',         ' ', 's', 'i', 'p', ':',  'a',
			      '@',  'b',  ' ',  'S',  'I', 'P',         '/', '2', '.', '0', '\r', '\n' };

static const struct net_pkt at = { .l3 = 14, .class = NET_OTHER };

/* A copy that ends where its memory ends, so that the sanitizer sees a read past it. */
static bool unreachable(const uint8_t *frame, uint32_t n, struct net_quote *quote, uint8_t **copy)
{
	*copy = malloc(n ? n : 1);
	memcpy(*copy, frame, n);
	return net_unreachable(*copy, n, &at, quote);
}

static void check(const uint8_t *frame, uint32_t n, const char *src, const char *dst)
{
	char text[CONF_ADDR_TEXT];
	struct net_quote quote;
	uint8_t *copy;

	assert_true(unreachable(frame, n, &quote, &copy));
	conf_addr_text(&quote.src, text);
	assert_string_equal(text, src);
	conf_addr_text(&quote.dst, text);
	assert_string_equal(text, dst);
	assert_int_equal(quote.n, strlen(TEXT));
	assert_memory_equal(quote.payload, TEXT, quote.n);
	free(copy);
}

static void quotes_are_read(void **state)
{
	check(v4, sizeof(v4), "192.0.2.10:5060", "192.0.2.21:5070");
	check(v6, sizeof(v6), "[2001:db8::10]:5060", "[2001:db8::21]:5070");
}

static void frames_that_are_cut_say_nothing(void **state)
{
	struct net_quote quote;
	uint8_t *copy;

	for (uint32_t n = 0; n < sizeof(v4); n++) {
		assert_false(unreachable(v4, n, &quote, &copy));
		free(copy);
	}
	for (uint32_t n = 0; n < sizeof(v6); n++) {
		assert_false(unreachable(v6, n, &quote, &copy));
		free(copy);
	}
}

/* One byte other than it was. */
static void refuse(const uint8_t *frame, uint32_t n, uint32_t where, uint8_t value)
{
	struct net_quote quote;
	uint8_t *copy, other[sizeof(v6)];

	memcpy(other, frame, n);
	other[where] = value;
	if (unreachable(other, n, &quote, &copy))
		fail_msg("taken with %u at %u", value, where);
	free(copy);
}

static void other_messages_say_nothing(void **state)
{
	refuse(v4, sizeof(v4), 13, 6);       /* ARP */
	refuse(v4, sizeof(v4), 14, 0x4f);    /* header longer than the packet has room for a quote */
	refuse(v4, sizeof(v4), 14, 0x44);    /* header too short */
	refuse(v4, sizeof(v4), 17, 27);      /* no ICMP header */
	refuse(v4, sizeof(v4), 17, 55);      /* quote without UDP header */
	refuse(v4, sizeof(v4), 20, 0x20);    /* a fragment */
	refuse(v4, sizeof(v4), 23, 6);       /* TCP */
	refuse(v4, sizeof(v4), 34, 8);       /* echo request */
	refuse(v4, sizeof(v4), 35, 4);       /* too large */
	refuse(v4, sizeof(v4), 42, 0x65);    /* quotes no IPv4 */
	refuse(v4, sizeof(v4), 42, 0x4f);    /* with more header than is there */
	refuse(v4, sizeof(v4), 49, 1);       /* quotes a later fragment */
	refuse(v4, sizeof(v4), 51, 6);       /* quotes TCP */
	refuse(v6, sizeof(v6), 14 + 5, 7);   /* no ICMP header */
	refuse(v6, sizeof(v6), 14 + 6, 17);  /* UDP */
	refuse(v6, sizeof(v6), 14 + 40, 2);  /* packet too big */
	refuse(v6, sizeof(v6), 14 + 48, 64); /* quotes no IPv6 */
	refuse(v6, sizeof(v6), 14 + 54, 6);  /* quotes TCP */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quotes_are_read),
		cmocka_unit_test(frames_that_are_cut_say_nothing),
		cmocka_unit_test(other_messages_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
