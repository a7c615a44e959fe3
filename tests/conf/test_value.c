/* SPDX-License-Identifier: BSD-3-Clause */
/* Scalars: what each kind takes, to the unit, and what it refuses; printing reads back. */
#include "tests/conf/conf_test.h"

#include "conf/value.h"

static const struct word words[] = { { "auto", 0 }, { "off", 1 }, { "no", 1 }, { "on", 2 }, { NULL, 0 } };

static const struct field fields[KIND_SCALARS] = {
	[KIND_TEXT] = { .kind = KIND_TEXT, .min = 1, .max = 5 },
	[KIND_NAME] = { .kind = KIND_NAME },
	[KIND_PATH] = { .kind = KIND_PATH, .min = 2, .max = 20 },
	[KIND_IFNAME] = { .kind = KIND_IFNAME },
	[KIND_HOST] = { .kind = KIND_HOST, .max = 30 },
	[KIND_HOSTPORT] = { .kind = KIND_HOSTPORT, .max = 30 },
	[KIND_DIGITS] = { .kind = KIND_DIGITS, .max = 12 },
	[KIND_REF] = { .kind = KIND_REF },
	[KIND_ENUM] = { .kind = KIND_ENUM, .words = words },
	[KIND_NUMBER] = { .kind = KIND_NUMBER, .min = 1, .max = 65535 },
	[KIND_COUNT] = { .kind = KIND_COUNT, .min = 1, .max = 16000000 },
	[KIND_PERCENT] = { .kind = KIND_PERCENT, .min = 0, .max = 100 },
	[KIND_RATE] = { .kind = KIND_RATE, .min = 1, .max = 10000000 },
	[KIND_SIZE] = { .kind = KIND_SIZE, .min = 1024, .max = UINT64_MAX },
	[KIND_DURATION] = { .kind = KIND_DURATION, .min = 0, .max = UINT64_MAX },
	[KIND_ENDPOINT] = { .kind = KIND_ENDPOINT },
	[KIND_IP] = { .kind = KIND_IP },
	[KIND_IFADDR] = { .kind = KIND_IFADDR },
	[KIND_PREFIX] = { .kind = KIND_PREFIX },
	[KIND_CORES] = { .kind = KIND_CORES, .max = 1023 },
};

union member {
	uint32_t number;
	uint64_t big;
	const char *text;
	struct conf_prefix prefix;
	struct conf_ref ref;
	struct conf_cores cores;
};

/* Prints as printed, or as itself where printed is NULL. */
static const struct {
	enum kind kind;
	const char *text, *printed;
} good[] = {
	{ KIND_TEXT, "a b", NULL },
	{ KIND_TEXT, "12345", NULL },
	{ KIND_NAME, "gw-1.east_2", NULL },
	{ KIND_NAME, "1", NULL },
	{ KIND_PATH, "/run/weir", NULL },
	{ KIND_IFNAME, "eth0.100", NULL },
	{ KIND_HOST, "SIP.Example.NET", "sip.example.net" },
	{ KIND_HOST, "192.0.2.1", NULL },
	{ KIND_HOST, "[2001:db8::1]", NULL },
	{ KIND_HOSTPORT, "lb.example.net", NULL },
	{ KIND_HOSTPORT, "lb.example.net:5062", NULL },
	{ KIND_HOSTPORT, "[2001:db8::1]:5060", NULL },
	{ KIND_DIGITS, "+82(2)12-34", "+8221234" },
	{ KIND_DIGITS, "0800", NULL },
	{ KIND_DIGITS, "*98#", NULL },
	{ KIND_ENUM, "on", NULL },
	{ KIND_ENUM, "no", "off" },
	{ KIND_NUMBER, "1", NULL },
	{ KIND_NUMBER, "65535", NULL },
	{ KIND_COUNT, "5000", "5k" },
	{ KIND_COUNT, "5001", NULL },
	{ KIND_COUNT, "200k", NULL },
	{ KIND_COUNT, "2M", NULL },
	{ KIND_PERCENT, "0%", NULL },
	{ KIND_PERCENT, "100%", NULL },
	{ KIND_RATE, "100/s", NULL },
	{ KIND_RATE, "2k/s", NULL },
	{ KIND_RATE, "2000/s", "2k/s" },
	{ KIND_RATE, "10M/s", NULL },
	{ KIND_SIZE, "1024K", "1M" },
	{ KIND_SIZE, "3G", NULL },
	{ KIND_DURATION, "0s", "0h" },
	{ KIND_DURATION, "10ms", NULL },
	{ KIND_DURATION, "1500ms", NULL },
	{ KIND_DURATION, "60s", "1m" },
	{ KIND_DURATION, "4h", NULL },
	{ KIND_DURATION, "5124095h", NULL },
	{ KIND_ENDPOINT, "192.0.2.10:5060", NULL },
	{ KIND_ENDPOINT, "[2001:db8::10]:65535", NULL },
	{ KIND_IP, "192.0.2.1", NULL },
	{ KIND_IP, "2001:DB8:0::1", "2001:db8::1" },
	{ KIND_IFADDR, "192.0.2.10/24", NULL },
	{ KIND_IFADDR, "192.0.2.0/31", NULL },
	{ KIND_IFADDR, "192.0.2.0/32", NULL },
	{ KIND_IFADDR, "2001:db8::10/64", NULL },
	{ KIND_PREFIX, "192.0.2.0/28", NULL },
	{ KIND_PREFIX, "192.0.2.1", "192.0.2.1/32" },
	{ KIND_PREFIX, "0.0.0.0/0", NULL },
	{ KIND_PREFIX, "2001:db8::/127", NULL },
	{ KIND_CORES, "2-5,8", NULL },
	{ KIND_CORES, "8,3,2", "2-3,8" },
	{ KIND_CORES, "1023", NULL },
};

static const struct {
	enum kind kind;
	const char *text;
} bad[] = {
	{ KIND_TEXT, "" },
	{ KIND_TEXT, "123456" },
	{ KIND_NAME, "" },
	{ KIND_NAME, "a b" },
	{ KIND_NAME, "-a" },
	{ KIND_NAME, "a/b" },
	{ KIND_NAME, "1234567890123456789012345678901234567890123456789012345678901234" },
	{ KIND_PATH, "run/weir" },
	{ KIND_PATH, "/" },
	{ KIND_IFNAME, "a-name-of-16-byt" },
	{ KIND_IFNAME, "a b" },
	{ KIND_IFNAME, ".." },
	{ KIND_HOST, "a host" },
	{ KIND_HOST, "2001:db8::1" },
	{ KIND_HOST, "[192.0.2.1]" },
	{ KIND_HOST, "host." },
	{ KIND_HOSTPORT, "host:" },
	{ KIND_HOSTPORT, "host:0" },
	{ KIND_HOSTPORT, "host:65536" },
	{ KIND_HOSTPORT, "host:05060" },
	{ KIND_HOSTPORT, ":5060" },
	{ KIND_DIGITS, "8+2" },
	{ KIND_DIGITS, "--" },
	{ KIND_DIGITS, "1234567890123" },
	{ KIND_DIGITS, "+82 2" },
	{ KIND_REF, "a b" },
	{ KIND_ENUM, "flase" },
	{ KIND_ENUM, "ON" },
	{ KIND_ENUM, "" },
	{ KIND_NUMBER, "0" },
	{ KIND_NUMBER, "65536" },
	{ KIND_NUMBER, "010" },
	{ KIND_NUMBER, "0x10" },
	{ KIND_NUMBER, "+1" },
	{ KIND_NUMBER, "-1" },
	{ KIND_NUMBER, "1_000" },
	{ KIND_NUMBER, "1e3" },
	{ KIND_NUMBER, "10 apples" },
	{ KIND_NUMBER, " 10" },
	{ KIND_NUMBER, "5060abc" },
	{ KIND_NUMBER, "18446744073709551617" },
	{ KIND_NUMBER, "99999999999999999999999" },
	{ KIND_COUNT, "0" },
	{ KIND_COUNT, "17M" },
	{ KIND_COUNT, "2m" },
	{ KIND_COUNT, "2K" },
	{ KIND_COUNT, "1.5k" },
	{ KIND_PERCENT, "10" },
	{ KIND_PERCENT, "101%" },
	{ KIND_PERCENT, "10 %" },
	{ KIND_RATE, "100" },
	{ KIND_RATE, "100/m" },
	{ KIND_RATE, "0/s" },
	{ KIND_RATE, "100 /s" },
	{ KIND_RATE, "11M/s" },
	{ KIND_RATE, "2K/s" },
	{ KIND_SIZE, "1024" },
	{ KIND_SIZE, "1023" },
	{ KIND_SIZE, "1.5G" },
	{ KIND_SIZE, "99999999999G" },
	{ KIND_DURATION, "5" },
	{ KIND_DURATION, "5 s" },
	{ KIND_DURATION, "1.5s" },
	{ KIND_DURATION, "1m30s" },
	{ KIND_DURATION, "05s" },
	{ KIND_DURATION, "s" },
	{ KIND_DURATION, "-5s" },
	{ KIND_DURATION, "5124096h" },
	{ KIND_ENDPOINT, "192.0.2.10" },
	{ KIND_ENDPOINT, "192.0.2.10:0" },
	{ KIND_ENDPOINT, "192.0.2.10:5060abc" },
	{ KIND_ENDPOINT, "192.0.2.10:" },
	{ KIND_ENDPOINT, "192.0.2.010:5060" },
	{ KIND_ENDPOINT, "192.0.2:5060" },
	{ KIND_ENDPOINT, "gw.example.net:5060" },
	{ KIND_ENDPOINT, "0.0.0.0:5060" },
	{ KIND_ENDPOINT, "224.0.1.75:5060" },
	{ KIND_ENDPOINT, "2001:db8::1:5060" },
	{ KIND_ENDPOINT, "[2001:db8::1]" },
	{ KIND_ENDPOINT, "[192.0.2.1]:5060" },
	{ KIND_ENDPOINT, "[fe80::1%eth0]:5060" },
	{ KIND_ENDPOINT, "[::ffff:192.0.2.1]:5060" },
	{ KIND_ENDPOINT, "[ff02::1]:5060" },
	{ KIND_IP, "192.0.2.1:5060" },
	{ KIND_IP, "::" },
	{ KIND_IFADDR, "192.0.2.10" },
	{ KIND_IFADDR, "192.0.2.0/24" },
	{ KIND_IFADDR, "192.0.2.10/33" },
	{ KIND_IFADDR, "192.0.2.10/024" },
	{ KIND_IFADDR, "192.0.2.10/" },
	{ KIND_IFADDR, "2001:db8::/64" },
	{ KIND_PREFIX, "192.0.2.1/28" },
	{ KIND_PREFIX, "2001:db8::1/64" },
	{ KIND_PREFIX, "192.0.2.0/28x" },
	{ KIND_PREFIX, "" },
	{ KIND_CORES, "" },
	{ KIND_CORES, "2-" },
	{ KIND_CORES, "5-2" },
	{ KIND_CORES, "2,2" },
	{ KIND_CORES, "1-3,2" },
	{ KIND_CORES, "1024" },
	{ KIND_CORES, "2,,3" },
	{ KIND_CORES, "a" },
};

static void test_good(void **state)
{
	for (size_t i = 0; i < COUNT_OF(good); i++) {
		const struct field *f = &fields[good[i].kind];
		struct arena arena = { 0 };
		union member m;
		char text[VALUE_TEXT];

		if (conf_value_read(f, good[i].text, &m, &arena) != 0)
			fail_msg("refused: \"%s\"", good[i].text);
		conf_value_print(f, &m, text, sizeof(text));
		assert_string_equal(text, good[i].printed != NULL ? good[i].printed : good[i].text);
		assert_int_equal(conf_value_read(f, text, &m, &arena), 0);
		arena_free(&arena);
	}
}

static void test_bad(void **state)
{
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct arena arena = { 0 };
		union member m;

		if (conf_value_read(&fields[bad[i].kind], bad[i].text, &m, &arena) == 0)
			fail_msg("taken: \"%s\" as kind %d", bad[i].text, bad[i].kind);
		arena_free(&arena);
	}
}

static void test_units(void **state)
{
	union member m;

	assert_int_equal(conf_value_read(&fields[KIND_DURATION], "3m", &m, NULL), 0);
	assert_int_equal(m.big, 180000000000);
	assert_int_equal(conf_value_read(&fields[KIND_SIZE], "512M", &m, NULL), 0);
	assert_int_equal(m.big, 512u << 20);
	assert_int_equal(conf_value_read(&fields[KIND_RATE], "2k/s", &m, NULL), 0);
	assert_int_equal(m.number, 2000);
}

/* A duration that may also be a word. */
static void test_word_or_duration(void **state)
{
	static const struct word off[] = { { "off", 0 }, { NULL, 0 } };
	const struct field f = { .kind = KIND_DURATION, .words = off, .min = 1000000, .max = 2000000 };
	char text[VALUE_TEXT], range[VALUE_TEXT];
	union member m;

	assert_int_equal(conf_value_read(&f, "off", &m, NULL), 0);
	assert_int_equal(m.big, 0);
	conf_value_print(&f, &m, text, sizeof(text));
	assert_string_equal(text, "off");
	assert_int_equal(conf_value_read(&f, "2ms", &m, NULL), 0);
	conf_value_print(&f, &m, text, sizeof(text));
	assert_string_equal(text, "2ms");
	assert_int_not_equal(conf_value_read(&f, "no", &m, NULL), 0);
	conf_value_doc(&f, text, range, sizeof(text));
	assert_string_equal(range, "1ms .. 2ms, off");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool inside;
	} cases[] = {
		{ "192.0.2.0/28", "192.0.2.15", true },   { "192.0.2.0/28", "192.0.2.16", false },
		{ "0.0.0.0/0", "203.0.113.1", true },     { "0.0.0.0/0", "2001:db8::1", false },
		{ "2001:db8::/64", "2001:db8::1", true }, { "2001:db8::/64", "2001:db8:0:1::1", false },
		{ "::/0", "2001:db8::1", true },          { "192.0.2.1/32", "192.0.2.1", true },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct conf_prefix prefix;
		struct addr addr;

		assert_int_equal(conf_prefix_parse(cases[i].prefix, &prefix), 0);
		assert_int_equal(conf_addr_parse(cases[i].addr, &addr), 0);
		assert_int_equal(conf_prefix_holds(&prefix, &addr), cases[i].inside);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),      cmocka_unit_test(test_bad),
		cmocka_unit_test(test_units),     cmocka_unit_test(test_word_or_duration),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
