/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors of syntax and schema, to the character; many of them in one run. */
#include "tests/conf/conf_test.h"

static const struct {
	const char *yaml, *messages;
} cases[] = {
	/* Not YAML. */
	{ "", "f: found nothing in it, expected a map of keys\n" },
	{ "# only a comment\n", "f: found nothing in it, expected a map of keys\n" },
	{ "node: [a\n",
	  "f:2:1: not YAML: did not find expected ',' or ']' while parsing a flow sequence (line 1)\n" },
	{ "node: a\n  b: c\n", "f:2:4: not YAML: mapping values are not allowed in this context\n" },
	{ "a: b\nnode: \xff\n", "f:2:7: not YAML: invalid leading UTF-8 octet\n" },
	{ "node: a\n\tb: c\n",
	  "f:2:1: not YAML: found a tab character that violates indentation while scanning a plain "
	  "scalar (line 1)\n" },
	{ "a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\n",
	  "f:1:35: found maps and lists more than 32 deep, expected what the keys need\n" },
	/* The whole. */
	{ "hello\n", "f:1:1: found \"hello\", expected a map of keys\n" },
	{ "[a]\n", "f:1:1: found a list, expected a map of keys\n" },
	{ NET POOL "---\nnode: b\n", "f:7:1: found a second document, expected one\n" },
	{ "node: a\n", "f:1:1: key \"listeners\" is missing, expected a map of names\n"
		       "f:1:1: key \"ports\" is missing, expected a map of names\n"
		       "f:1:1: key \"routes\" is missing, expected a list of maps\n" },
	/* Keys. */
	{ NET POOL "nod: a\n", "f:6:1: unknown key \"nod\", did you mean \"node\"?\n" },
	{ NET POOL "timer: {}\n", "f:6:1: unknown key \"timer\", did you mean \"timers\"?\n" },
	{ NET POOL "eal: { xyz: 1 }\n",
	  "f:6:8: eal: unknown key \"xyz\", expected one of extra, hugepages, memory\n" },
	{ NET POOL "redis: { url: x }\n", "f:6:1: key \"redis\" is not available in this version\n" },
	{ NET POOL "redis: {}\nmax-message: 8k\n",
	  "f:6:1: key \"redis\" is not available in this version\n"
	  "f:7:1: key \"max-message\" is not available in this version\n" },
	{ NET POOL "node: a\nunknown: drop\nnode: b\n",
	  "f:8:1: found \"node\" again, first at line 6, expected each key once\n" },
	{ NET POOL "? [a]\n: b\n", "f:6:3: found a list, expected a key\n" },
	{ NET POOL "~: b\n", "f:6:1: found nothing, expected a key\n" },
	/* Values. */
	{ NET POOL "node: [a]\n",
	  "f:6:7: node: found a list, expected a name of at most 63 letters, digits, \".\", \"_\" or "
	  "\"-\"\n" },
	{ NET POOL "node:\n",
	  "f:6:6: node: found nothing, expected a name of at most 63 letters, digits, \".\", \"_\" or "
	  "\"-\"\n" },
	{ NET POOL "node: \"a\\0b\"\n",
	  "f:6:7: node: found control characters, expected a name of at most 63 letters, digits, "
	  "\".\", \"_\" or \"-\"\n" },
	{ NET POOL "workers: { count: 010 }\n",
	  "f:6:19: workers.count: found \"010\", expected a number from 1 to 64\n" },
	{ NET POOL "workers: { count: 65 }\n",
	  "f:6:19: workers.count: found \"65\", expected a number from 1 to 64\n" },
	{ NET POOL "workers: { poll: bussy }\n",
	  "f:6:18: workers.poll: found \"bussy\", expected one of adaptive, busy, did you mean \"busy\"?\n" },
	{ NET POOL "eal: { hugepages: flase }\n", "f:6:19: eal.hugepages: found \"flase\", expected one of "
						  "auto, off, on, did you mean \"false\"?\n" },
	{ NET POOL "eal: { memory: 512 }\n",
	  "f:6:16: eal.memory: found \"512\", expected a size such as 512M or 2G from 64M to 1024G\n" },
	{ NET POOL "eal: { extra: --x }\n", "f:6:15: eal.extra: found \"--x\", expected a list\n" },
	{ NET POOL "timers: { t1: 500 }\n",
	  "f:6:15: timers.t1: found \"500\", expected a duration such as 10ms, 5s, 1m or 4h "
	  "from 10ms to 10s\n" },
	{ NET POOL "timers: 5\n", "f:6:9: timers: found \"5\", expected a map of keys\n" },
	{ NET POOL "control: { socket: weir.sock, metrics: \"9105\" }\n",
	  "f:6:20: control.socket: found \"weir.sock\", expected an absolute path of 2 to 107 bytes\n"
	  "f:6:40: control.metrics: found \"9105\", expected a unicast address and port such as "
	  "192.0.2.10:5060 or "
	  "[2001:db8::10]:5060\n" },
	/* Maps and lists. */
	{ NET "pools: [a]\nroutes: [ { answer: 404 } ]\n",
	  "f:4:8: pools: found a list, expected a map of names\n" },
	{ NET "pools: {}\nroutes: {}\n", "f:5:9: routes: found a map, expected a list\n" },
	{ NET "routes: []\n", "f:4:9: routes: found 0 entries, expected 1 to 4096\n" },
	{ NET "routes: [ 7 ]\n",
	  "f:4:11: routes[0]: found \"7\", expected a map of keys\n"
	  "f:4:11: routes[0]: leads nowhere, expected a key \"pool\" or \"answer\"\n" },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 }, h: { address: 192.0.2.22:5060 }, "
	      "g: { address: "
	      "192.0.2.23:5060 } } } }\nroutes: [ { pool: p } ]\n",
	  "f:4:93: pools.p.gateways: found \"g\" again, first at line 4, expected each name once\n" },
	{ NET "pools: { p: {} }\nroutes: [ { pool: p } ]\n",
	  "f:4:13: pools.p: key \"gateways\" is missing, expected a map of names\n" },
	{ NET "pools: { p: { gateways: { g: { weight: 1 } } } }\nroutes: [ { pool: p } ]\n",
	  "f:4:30: pools.p.gateways.g: key \"address\" is missing, expected a unicast address and port such "
	  "as "
	  "192.0.2.10:5060 or [2001:db8::10]:5060\n" },
	{ NET
	  "pools: { p p: { gateways: { g: { address: 192.0.2.21:5060 } } } }\nroutes: [ { answer: 404 } ]\n",
	  "f:4:10: pools: found \"p p\", expected a name of at most 63 letters, digits, \".\", \"_\" or "
	  "\"-\"\n" },
	/* A long value is cut. */
	{ NET POOL "node: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
	  "f:6:7: node: found \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"..., expected "
	  "a name of at most "
	  "63 letters, digits, \".\", \"_\" or \"-\"\n" },
	/* Between characters. */
	{ NET POOL "node: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9\n",
	  "f:6:7: node: found \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"..., expected "
	  "a name of at most "
	  "63 letters, digits, \".\", \"_\" or \"-\"\n" },
};

static void test_messages(void **state)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		bool ok;
		char *text = messages_of(cases[i].yaml, &ok);

		assert_false(ok);
		assert_string_equal(text, cases[i].messages);
		free(text);
	}
}

/* What a tired operator writes at night: everything is found in one run, in the order of the file. */
static void test_all_in_one_run(void **state)
{
	static const char yaml[] =
		"node: my node\n"
		"workers: { count: 10 apples, coers: 3 }\n"
		"redis: { cluster: a }\n"
		"ports:\n"
		"  access: { device: \"net_tap,iface=x\", addresses: [192.0.2.10], checksum: flase }\n"
		"listeners:\n"
		"  a: { address: 192.0.2.10:5060abc }\n"
		"  b: 7\n"
		"peers:\n"
		"  c: { from: [192.0.2.1/28], max-cps: 100, share: 2000 }\n"
		"unknwon: drop\n"
		"pools:\n"
		"  p: { via: bb, gateways: {} }\n"
		"  q: { gateways: { g: { address: 10.0.0.1:5060, weight: -1 } }, hash: cal-id }\n"
		"routes:\n"
		"  - { match: { from: cc, method: INVIT }, pool: qq }\n"
		"  - {}\n"
		"timers:\n";
	static const char *const starts[] = {
		"f:1:7: node: found \"my node\"",
		"f:2:19: workers.count: found \"10 apples\"",
		"f:2:30: workers: unknown key \"coers\", did you mean \"cores\"?",
		"f:3:1: key \"redis\" is not available",
		"f:5:52: ports.access.addresses[0]: found \"192.0.2.10\"",
		"f:5:75: ports.access.checksum: found \"flase\"",
		"f:7:17: listeners.a.address: found \"192.0.2.10:5060abc\"",
		"f:8:6: listeners.b: found \"7\"",
		"f:10:15: peers.c.from[0]: found \"192.0.2.1/28\"",
		"f:10:39: peers.c.max-cps: found \"100\"",
		"f:10:51: peers.c.share: found \"2000\"",
		"f:11:1: unknown key \"unknwon\", did you mean \"unknown\"?",
		"f:13:13: pools.p.via: found \"bb\"",
		"f:13:27: pools.p.gateways: found 0 entries",
		"f:14:57: pools.q.gateways.g.weight: found \"-1\"",
		"f:14:71: pools.q.hash: found \"cal-id\"",
		"f:16:22: routes[0].match.from: found \"cc\"",
		"f:16:34: routes[0].match.method: found \"INVIT\"",
		"f:16:49: routes[0].pool: found \"qq\"",
		"f:17:5: routes[1]: leads nowhere",
		"f:18:8: timers: found nothing",
	};
	bool ok;
	char *text = messages_of(yaml, &ok), *line, *rest = text;

	for (size_t i = 0; i < COUNT_OF(starts); i++) {
		line = strsep(&rest, "\n");
		assert_non_null(line);
		if (strncmp(line, starts[i], strlen(starts[i])) != 0)
			fail_msg("found \"%s\", expected \"%s...\"", line, starts[i]);
	}
	assert_string_equal(rest, "");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_all_in_one_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
