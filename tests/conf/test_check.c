/* SPDX-License-Identifier: BSD-3-Clause */
/* What cannot carry a call is refused with its place; what is only doubtful warns and loads. */
#include "tests/conf/conf_test.h"

/* A pool "p" on line 4, to be gone on with and closed twice. */
#define GATEWAY "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } }, "
#define ROUTE   "routes: [ { pool: p } ]\n"

/* Two ports, one with both families; lines 1-7. */
#define NET2                                                                                                 \
	"ports:\n"                                                                                           \
	"  a: { device: net_null, addresses: [192.0.2.10/24] }\n"                                            \
	"  b: { device: net_null, addresses: [198.51.100.10/24, \"2001:db8::10/64\"] }\n"                    \
	"listeners:\n"                                                                                       \
	"  l4: { address: 192.0.2.10:5060 }\n"                                                               \
	"  l6: { address: \"[2001:db8::10]:5060\" }\n"                                                       \
	"peers: { c: { from: [203.0.113.0/24] } }\n"

static const struct {
	const char *yaml, *messages;
	bool ok;
} cases[] = {
	/* References. */
	{ NET "pools: { pstn-east: { gateways: { g: { address: 192.0.2.21:5060 } } } }\nroutes: [ { pool: "
	      "pstn-eats } ]\n",
	  "f:5:19: routes[0].pool: found \"pstn-eats\", expected the name of a pool, did you mean "
	  "\"pstn-east\"?\n" },
	{ NET POOL "timers: {}\n"
		   "# later\n",
	  "", true },
	{ NET "pools: { p: { via: L, gateways: { g: { address: 192.0.2.21:5060 } } } }\n" ROUTE,
	  "f:4:20: pools.p.via: found \"L\", expected the name of a listener\n" },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } } }\nroutes: [ { match: { from: d "
	      "}, pool: p } ]\n",
	  "f:5:28: routes[0].match.from: found \"d\", expected the name of a peer or a pool\n" },
	/* Where the pools are missing as a whole, one message says so. */
	{ NET "pool: { p: {} }\n" ROUTE, "f:4:1: unknown key \"pool\", did you mean \"pools\"?\n" },

	/* Ports. */
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24], gateway: 198.51.100.1 } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\npeers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:1:70: ports.a.gateway: found 198.51.100.1, expected an address in a network of the port\n" },
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24], gateway6: 192.0.2.1 } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\npeers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:1:71: ports.a.gateway6: found 192.0.2.1, expected an IPv6 address\n" },
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24, \"2001:db8::1/64\"], mtu: 1279 } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\npeers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:1:84: ports.a.mtu: found 1279, expected at least 1280 for IPv6\n" },
	{ "ports:\n"
	  "  a: { device: 0000:3b:00.0, addresses: [192.0.2.10/24] }\n"
	  "  b: { device: 0000:3b:00.0, addresses: [192.0.2.10/25], twin: a }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\npeers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:3:3: port \"b\": found twin \"a\", which \"a\" has already, expected another\n"
	  "f:3:16: ports.b.device: found \"0000:3b:00.0\", which \"a\" has already, expected another\n"
	  "f:3:42: port \"b\": found 192.0.2.10, which \"a\" has already, expected another\n" },
	{ "ports: { a-port-with-a-long-name: { device: net_null, addresses: [192.0.2.10/24] } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\npeers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:1:10: port \"a-port-with-a-long-name\": its name has more than the 15 bytes of an interface "
	  "name, expected a "
	  "shorter one or a key \"twin\"\n" },
	{ "ports:\n"
	  "  w0: { device: \"net_tap,iface=w0\", addresses: [192.0.2.10/24] }\n"
	  "  b: { device: \"net_af_xdp,iface=w1,start_queue=1\", addresses: [192.0.3.10/24], twin: w1 }\n"
	  "  w: { device: \"net_af_xdp,iface=w2\", addresses: [192.0.4.10/24] }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\npeers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:2:3: port \"w0\": found twin \"w0\", which is the interface of \"w0\", expected another name by "
	  "key "
	  "\"twin\"\n"
	  "f:3:3: port \"b\": found twin \"w1\", which is the interface of \"b\", expected another name by "
	  "key "
	  "\"twin\"\n" },

	/* Listeners. */
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"
	  "listeners: { l: { address: 192.0.2.11:5060 } }\npeers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:2:28: listeners.l.address: found 192.0.2.11:5060, expected an address of a port\n" },
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 }, m: { address: 192.0.2.10:5060 } }\n"
	  "peers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "f:2:61: listener \"m\": found 192.0.2.10:5060, which \"l\" has already, expected another\n" },
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 }, m: { address: 192.0.2.10:5062 } }\n"
	  "peers: { c: { from: [203.0.113.0/24] } }\n" POOL,
	  "", true },

	/* Peers. */
	{ NET2 "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } }, c: { gateways: { h: { "
	       "address: 192.0.2.22:5060 } } } }\n"
	       "routes: [ { match: { from: c }, pool: p }, { pool: c } ]\n",
	  "f:7:10: peer \"c\": found a pool of the same name, expected another, because a route's \"from\" "
	  "means either\n" },
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\n"
	  "peers: { c: { from: [203.0.113.0/24, 203.0.113.7] }, d: { from: [203.0.113.0/25, 203.0.113.7/32] "
	  "} }\n" POOL,
	  "f:3:82: peer \"d\": found 203.0.113.7/32, which \"c\" has already, expected another\n" },

	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\n"
	  "peers: { c: { from: [0.0.0.0/0] }, d: { from: [0.0.0.0/0] } }\n" POOL,
	  "f:3:48: peer \"d\": found 0.0.0.0/0, which \"c\" has already, expected another\n" },

	/* Pools and gateways. */
	{ NET "pools: { p: { gateways: { g: { address: \"[2001:db8::21]:5060\" } } } }\n" ROUTE,
	  "f:4:41: gateway \"g\": found [2001:db8::21]:5060 but no IPv6 listener, expected one to reach it "
	  "by\n" },
	{ NET2 "pools: { p: { via: l4, gateways: { g: { address: \"[2001:db8::21]:5060\" } } } }\n" ROUTE,
	  "f:8:20: pools.p.via: found \"l4\", expected a listener of the same address family as gateway "
	  "\"g\" "
	  "([2001:db8::21]:5060)\n" },
	{ NET2 "pools: { p: { via: l6, gateways: { g: { address: \"[2001:db8::21]:5060\" } } } }\n" ROUTE, "",
	  true },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.10:5060 } } } }\n" ROUTE,
	  "f:4:41: gateway \"g\": found 192.0.2.10:5060, which is Weir's own listener \"l\", expected the "
	  "address of another "
	  "host\n" },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060, weight: 0 } } } }\n" ROUTE,
	  "f:4:10: pool \"p\": found no gateway with a weight, expected at least one above 0\n" },
	{ NET "pools:\n  p: { gateways: { g: { address: 192.0.2.21:5060 } } }\n  q: { gateways: { g: { "
	      "address: 192.0.2.22:5060 } } }\n"
	      "routes: [ { match: { from: c }, pool: p }, { pool: q } ]\n",
	  "f:6:20: gateway \"g\": found the name again, first at line 5, expected names that are unique over "
	  "all pools\n" },
	{ NET "pools:\n  p: { gateways: { g: { address: 192.0.2.21:5060 } } }\n  q: { gateways: { h: { "
	      "address: 192.0.2.21:5060 } } }\n"
	      "routes: [ { match: { from: c }, pool: p }, { pool: q } ]\n",
	  "f:6:34: gateway \"h\": found 192.0.2.21:5060, which \"g\" has already, expected another\n" },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } }, health: { interval: 1s, timeout: "
	      "2s }, overload: { "
	      "retry-after: 1500ms } } }\n" ROUTE,
	  "f:4:95: pools.p.health.timeout: found more than the interval, expected at most that\n"
	  "f:4:126: pools.p.overload.retry-after: found a part of a second, expected whole seconds\n" },

	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } }, health: { interval: 500ms } } "
	      "}\n" ROUTE,
	  "f:4:82: pools.p.health.timeout: found more than the interval, expected at most that\n" },

	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } }, q: { gateways: { g: { address: "
	      "192.0.2.22:5060 } } } }\n"
	      "routes: [ { match: { from: c }, pool: p }, { pool: q } ]\n",
	  "f:4:81: gateway \"g\": found the name again, first at line 4, expected names that are unique over "
	  "all pools\n" },

	/* Routes. */
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } } }\nroutes: [ { pool: p, answer: "
	      "404 } ]\n",
	  "f:5:11: routes[0]: found both \"pool\" and \"answer\", expected one of them\n" },
	{ NET
	  "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } } }\nroutes: [ { answer: 404 } ]\n",
	  "f:4:10: pool \"p\": no route leads to it, expected one that can match\n" },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } } }\nroutes: [ { answer: 404 }, { "
	      "pool: p } ]\n",
	  "f:4:10: pool \"p\": no route leads to it, expected one that can match\n"
	  "f:5:28: warning: routes[1]: never decides, because the route at line 5 matches all that it "
	  "does\n" },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060 } } } }\n"
	      "routes:\n"
	      "  - { match: { number: \"+82\" }, pool: p }\n"
	      "  - { match: { number: \"+821\", method: INVITE }, answer: 404 }\n"
	      "  - { match: { number: \"+8\" }, answer: 404 }\n",
	  "f:7:5: warning: routes[1]: never decides, because the route at line 6 matches all that it does\n",
	  true },

	/* Workers, timers, and what is only doubtful. */
	{ NET POOL "workers: { count: 3, cores: 2-3, poll: busy }\n",
	  "f:6:19: workers.count: found 3 on 2 cores, expected a core for each with poll: busy\n" },
	{ NET POOL "workers: { count: 3, cores: 2-3, poll: adaptive }\n", "", true },
	{ NET POOL "workers: { count: 1, cores: 2-3 }\n",
	  "f:6:29: warning: workers.cores: 2 cores for 1 workers, the last ones stay unused\n", true },
	{ NET POOL "workers: { cores: 0-64 }\n",
	  "f:6:19: workers.cores: found 65 cores, expected at most 64\n" },
	{ NET POOL "eal: { memory: 65537K }\n",
	  "f:6:16: eal.memory: found a part of a mebibyte, expected whole ones\n" },
	{ NET POOL "timers: { t1: 100ms, pin: 2s }\n",
	  "f:6:15: warning: timers.t1: below the 500ms of RFC 3261\n"
	  "f:6:27: warning: timers.pin: below 64 x t1, late repeats of a request may go to another gateway\n",
	  true },
	{ NET POOL "timers: { t1: 10s }\n",
	  "f:6:15: warning: timers.pin: below 64 x t1, late repeats of a request may go to another "
	  "gateway\n"
	  "f:6:15: warning: timers.release: below 64 x t1, a BYE may still be repeated then\n",
	  true },
	{ NET POOL "timers: { t2: 1s, t4: 1s, b: 10s, c: 3m, d: 10s, release: 10s, session-min: 60s }\n",
	  "f:6:15: warning: timers.t2: below the 4s of RFC 3261\n"
	  "f:6:23: warning: timers.t4: below the 5s of RFC 3261\n"
	  "f:6:30: warning: timers.b: below the 64 x t1 of RFC 3261\n"
	  "f:6:38: warning: timers.c: not above the 3m of RFC 3261\n"
	  "f:6:45: warning: timers.d: below the 32s of RFC 3261\n"
	  "f:6:59: warning: timers.release: below 64 x t1, a BYE may still be repeated then\n"
	  "f:6:77: warning: timers.session-min: below the 90s of RFC 4028\n",
	  true },
	{ NET POOL "timers: { session-min: 90500ms }\n",
	  "f:6:24: timers.session-min: found a part of a second, expected whole seconds\n" },

	/* Room for calls. */
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060, max-calls: 2k }, h: { address: "
	      "192.0.2.22:5060, max-calls: 3000 } } } }\n" ROUTE "calls: { max: 4k, ringing: 5k }\n",
	  "f:6:15: calls.max: found 4000, expected at least the sum of all max-calls of gateways, 5000\n"
	  "f:6:28: calls.ringing: found 5000, expected at most calls.max, 4000\n" },
	{ NET "pools: { p: { gateways: { g: { address: 192.0.2.21:5060, max-calls: 16M }, h: { address: "
	      "192.0.2.22:5060, max-calls: 1 } } } }\n" ROUTE,
	  "f: calls.max: found 16000001 as the sum of all max-calls of gateways, expected at most "
	  "16000000\n" },
	{ NET POOL "calls: { max: 2m }\n",
	  "f:6:15: calls.max: found \"2m\", expected a count such as 5000, 200k or 2M from 100 to 16M\n" },

	/* Balance, overflow, priority. */
	{ NET GATEWAY "overload: { overflow: p } } }\n" ROUTE,
	  "f:4:84: pools.p.overload.overflow: found the pool itself, expected another one\n" },
	{ NET GATEWAY "overload: { overflow: q, spill: 0% } } }\n" ROUTE,
	  "f:4:84: pools.p.overload.overflow: found \"q\", expected the name of a pool\n"
	  "f:4:94: pools.p.overload.spill: found \"0%\", expected a percentage such as 10% from 1% to "
	  "100%\n" },
	{ NET "pools:\n"
	      "  p: { gateways: { g: { address: 192.0.2.21:5060 } }, overload: { overflow: q } }\n"
	      "  q: { gateways: { h: { address: 192.0.2.22:5060 } }, overload: { overflow: p } }\n" ROUTE,
	  "", true },
	{ NET GATEWAY "overload: { gateway-retry-after: obey, gateway-retry-after-max: 500ms } } }\n" ROUTE,
	  "f:4:95: pools.p.overload.gateway-retry-after: found \"obey\", expected one of stop, shrink, "
	  "ignore\n"
	  "f:4:126: pools.p.overload.gateway-retry-after-max: found \"500ms\", expected a duration such as "
	  "10ms, 5s, 1m or 4h from 1s to 1h\n" },
	{ NET GATEWAY "overload: { law: static, gateway-retry-after: shrink } } }\n" ROUTE,
	  "f:4:108: warning: pools.p.overload.gateway-retry-after: without a learned limit there is nothing "
	  "to shrink\n",
	  true },
	{ NET GATEWAY "overload: { learn: off, gateway-retry-after: shrink } } }\n" ROUTE,
	  "f:4:107: warning: pools.p.overload.gateway-retry-after: without a learned limit there is nothing "
	  "to shrink\n",
	  true },
	{ NET GATEWAY "overload: { learn: off, gateway-retry-after: stop } } }\n" ROUTE, "", true },
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\n"
	  "listeners: { l: { address: 192.0.2.10:5060 } }\n"
	  "peers: { a: { from: [192.0.2.0/24], resource-priority: [wps.0, ets, dsn.] } }\n" POOL,
	  "f:3:64: peers.a.resource-priority[1]: found \"ets\", expected a namespace and a value such as "
	  "wps.0\n"
	  "f:3:69: peers.a.resource-priority[2]: found \"dsn.\", expected a namespace and a value such as "
	  "wps.0\n" },
	{ NET GATEWAY "} }\n" ROUTE
		      "emergency: { numbers: [\"112\", \"1234567890123456\"], headroom: 51% }\n",
	  "f:6:31: emergency.numbers[1]: found \"1234567890123456\", expected the start of a number such as "
	  "\"+82\" "
	  "or \"0800\"\n"
	  "f:6:62: emergency.headroom: found \"51%\", expected a percentage such as 10% from 0% to 50%\n" },
	{ NET GATEWAY "} }\n" ROUTE "emergency: { numbers: [\"112\", \"+\"] }\n",
	  "f:6:31: emergency.numbers[1]: found \"+\" alone, expected a whole number such as \"112\"\n" },
	{ NET GATEWAY "balance: weighted, hash: source } }\n" ROUTE,
	  "f:4:87: pools.p.hash: found beside a \"balance\" that hashes nothing, expected it with "
	  "\"balance: call-id\" only\n" },

	/* Fail-over, redirects, reroutes. */
	{ NET GATEWAY
	  "failover: { after: 5s, on: [500, 401, 487], progress: of, retry-budget: 10 } } }\n" ROUTE,
	  "f:4:81: pools.p.failover.after: found more than after-max, expected at most that\n"
	  "f:4:95: pools.p.failover.on[1]: found 401, which asks the caller for its credentials, expected "
	  "another code\n"
	  "f:4:100: pools.p.failover.on[2]: found 487, which ends a cancelled call, expected another code\n"
	  "f:4:116: pools.p.failover.progress: found \"of\", expected off, or a duration such as 10ms, 5s, "
	  "1m "
	  "or 4h from 100ms to 1h, did you mean \"off\"?\n"
	  "f:4:134: pools.p.failover.retry-budget: found \"10\", expected a percentage such as 10% from 0% "
	  "to "
	  "100%\n" },
	{ NET GATEWAY "failover: { after-max: 6s } } }\n" ROUTE "timers: { t1: 50ms }\n",
	  "f:4:85: warning: pools.p.failover.after-max: not below timers.b, which ends the call first\n"
	  "f:6:15: warning: timers.t1: below the 500ms of RFC 3261\n",
	  true },
	{ NET
	  "pools:\n"
	  "  p: { gateways: { g: { address: 192.0.2.21:5060, max-calls: 5 } }, mode: redirect, reroute: [ { "
	  "on: [486], to: q } ] }\n"
	  "  q: { gateways: { h: { address: 192.0.2.22:5060 } }, reroute: [ { always: on, to: p } ] "
	  "}\n" ROUTE,
	  "f:5:62: gateway \"g\": found max-calls in a pool with mode: redirect, where Weir does not see "
	  "calls "
	  "end, expected none\n"
	  "f:5:96: pools.p.reroute[0]: waits for an answer, which Weir does not see with mode: redirect, "
	  "expected "
	  "\"always: on\"\n"
	  "f:6:84: pools.q.reroute[0].to: found \"p\", from which calls come back here, expected a pool "
	  "outside "
	  "the circle\n"
	  "f:6:84: pools.q.reroute[0].to: found \"p\", which has mode: redirect, expected a pool that takes "
	  "calls\n" },
	{ NET GATEWAY "reroute: [ { to: p, on: [486] } ] } }\n" ROUTE,
	  "f:4:79: pools.p.reroute[0].to: found \"p\", from which calls come back here, expected a pool "
	  "outside "
	  "the circle\n" },
	{ NET "pools:\n"
	      "  p:\n"
	      "    gateways: { g: { address: 192.0.2.21:5060 } }\n"
	      "    reroute:\n"
	      "      - { to: q }\n"
	      "      - { to: q, on: [486], always: on }\n"
	      "      - { to: q, always: on }\n"
	      "      - { to: q, no-answer: 20s }\n"
	      "  q: { gateways: { h: { address: 192.0.2.22:5060 } } }\n" ROUTE,
	  "f:8:9: pools.p.reroute[0]: never applies, expected a key \"on\", \"no-answer\" or \"always\"\n"
	  "f:9:37: pools.p.reroute[1].always: found beside \"on\" or \"no-answer\", expected it alone\n"
	  "f:10:9: warning: pools.p.reroute[2]: never decides, because the rule at line 9 sends all on\n"
	  "f:11:9: warning: pools.p.reroute[3]: never decides, because the rule at line 9 sends all on\n" },
	{ NET GATEWAY "reroute: [ { to: r, on: [299] } ] } }\n" ROUTE,
	  "f:4:79: pools.p.reroute[0].to: found \"r\", expected the name of a pool\n"
	  "f:4:87: pools.p.reroute[0].on[0]: found \"299\", expected a number from 300 to 699\n" },
	/* A pool that only a reroute leads to is in use. */
	{ NET
	  "pools:\n"
	  "  p: { gateways: { g: { address: 192.0.2.21:5060 } }, reroute: [ { no-answer: 20s, to: q } ] }\n"
	  "  q: { gateways: { h: { address: 192.0.2.22:5060 } } }\n" ROUTE,
	  "", true },
	{ NET POOL "unknown: allow\n",
	  "f:6:10: warning: unknown: allow: anybody who can reach a listener can place calls\n", true },
	{ "ports: { a: { device: net_null, addresses: [192.0.2.10/24] } }\nlisteners: { l: { address: "
	  "192.0.2.10:5060 } }\n" POOL,
	  "f: warning: no peers and unknown: drop: only gateways can send requests\n", true },
};

static void test_messages(void **state)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		bool ok;
		char *text = messages_of(cases[i].yaml, &ok);

		assert_string_equal(text, cases[i].messages);
		assert_int_equal(ok, cases[i].ok);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
