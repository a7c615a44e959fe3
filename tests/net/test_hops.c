/* SPDX-License-Identifier: BSD-3-Clause */
/* Next-hop table: longest prefix, metrics, sharing, gateways of the config, neighbours, slots, and scale. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "dataplane/net/net.h"

static struct addr ip(const char *text)
{
	uint8_t raw[16];
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return addr_v4(v4, 0);
	assert_int_equal(inet_pton(AF_INET6, text, raw), 1);
	return addr_v6(raw, 0);
}

static struct net_route route(const char *prefix, uint8_t len, uint8_t port, const char *gateway,
			      uint32_t metric)
{
	struct net_route r = { .prefix = ip(prefix), .len = len, .port = port, .metric = metric };

	if (gateway)
		r.gateway = ip(gateway);
	return r;
}

static struct net_neigh neigh(const char *addr, uint8_t port, uint8_t last)
{
	return (struct net_neigh){ .ip = ip(addr), .port = port, .mac = { 2, 0, 0, 0, 0, last } };
}

static void assert_hop(const struct net_hops *h, const char *dst, enum net_hop_state state, uint8_t port,
		       uint8_t last)
{
	struct addr d = ip(dst);
	struct net_hop hop;

	assert_int_equal(net_hop_find(h, &d, 0, &hop), state);
	assert_int_equal(hop.state, state);
	if (state == NET_HOP_NONE)
		return;
	assert_int_equal(hop.port, port);
	assert_int_equal(hop.smac[5], 0xa0 + port);
	assert_int_equal(hop.dmac[5], last);
}

static struct net_hops_port ports[3] = { { .mac = { 2, 0, 0, 0, 0, 0xa0 } },
					 { .mac = { 2, 0, 0, 0, 0, 0xa1 } },
					 { .mac = { 2, 0, 0, 0, 0, 0xa2 } } };

static void longest_prefix_wins(void **state)
{
	struct net_route routes[] = {
		route("0.0.0.0", 0, 0, "10.0.0.1", 100), route("10.0.0.0", 24, 0, NULL, 0),
		route("10.1.0.0", 16, 1, "10.2.0.9", 0), route("10.1.7.0", 25, 0, "10.0.0.7", 0),
		route("10.2.0.0", 24, 1, NULL, 0),       route("2001:db8::", 32, 1, "fe80::1", 1024),
		route("2001:db8:1::", 64, 0, NULL, 256), route("10.1.7.9", 32, 1, NULL, 0),
	};
	struct net_neigh neighs[] = { neigh("10.0.0.1", 0, 1),      neigh("10.0.0.7", 0, 7),
				      neigh("10.2.0.9", 1, 9),      neigh("fe80::1", 1, 11),
				      neigh("2001:db8:1::5", 0, 5), neigh("10.0.0.1", 1, 99) };
	struct net_hops_plan plan = {
		.n_ports = 2, .ports = ports, .n_routes = 8, .routes = routes, .n_neighs = 6, .neighs = neighs
	};
	struct net_hops *h = net_hops_build(&plan);

	assert_hop(h, "8.8.8.8", NET_HOP_READY, 0, 1);
	assert_hop(h, "10.0.0.7", NET_HOP_READY, 0, 7);
	assert_hop(h, "10.0.0.8", NET_HOP_UNRESOLVED, 0, 0);
	assert_hop(h, "10.1.8.1", NET_HOP_READY, 1, 9);
	assert_hop(h, "10.1.7.127", NET_HOP_READY, 0, 7);
	assert_hop(h, "10.1.7.128", NET_HOP_READY, 1, 9);
	assert_hop(h, "10.1.7.9", NET_HOP_UNRESOLVED, 1, 0);
	assert_hop(h, "2001:db8:2::1", NET_HOP_READY, 1, 11);
	assert_hop(h, "2001:db8:1::5", NET_HOP_READY, 0, 5);
	assert_hop(h, "2001:db9::1", NET_HOP_NONE, 0, 0); /* the IPv4 default does not hold for IPv6 */
	net_hops_free(h);
}

static void an_ipv6_default_is_not_ipv4s(void **state)
{
	struct net_route r = route("::", 0, 0, "fe80::1", 0);
	struct net_hops_plan plan = { .n_ports = 1, .ports = ports, .n_routes = 1, .routes = &r };
	struct net_hops *h = net_hops_build(&plan);

	assert_hop(h, "10.0.0.1", NET_HOP_NONE, 0, 0);
	assert_hop(h, "2001:db8::1", NET_HOP_UNRESOLVED, 0, 0);
	net_hops_free(h);
}

static void metric_decides_then_ways_share(void **state)
{
	struct net_route routes[] = { route("0.0.0.0", 0, 0, "10.0.0.1", 200),
				      route("0.0.0.0", 0, 0, "10.0.0.2", 100),
				      route("0.0.0.0", 0, 1, "10.0.0.3", 100) };
	struct net_neigh neighs[] = { neigh("10.0.0.1", 0, 1), neigh("10.0.0.2", 0, 2),
				      neigh("10.0.0.3", 1, 3) };
	struct net_hops_plan plan = {
		.n_ports = 2, .ports = ports, .n_routes = 3, .routes = routes, .n_neighs = 3, .neighs = neighs
	};
	struct net_hops *h = net_hops_build(&plan);
	unsigned share[4] = { 0 };

	for (uint32_t i = 0; i < 10000; i++) {
		struct addr d = addr_v4(htonl(0xc0000000 + i), 0);
		struct net_hop hop;

		net_hop_find(h, &d, 0, &hop);
		share[hop.dmac[5]]++;
	}
	assert_int_equal(share[1], 0);
	assert_in_range(share[2], 4700, 5300);
	assert_int_equal(share[2] + share[3], 10000);
	net_hops_free(h);
}

static void ports_own_gateway_is_the_last_resort(void **state)
{
	struct net_hops_port own[2] = { ports[0], ports[1] };
	struct net_neigh neighs[] = { neigh("10.0.0.1", 0, 1), neigh("10.1.0.1", 1, 2),
				      neigh("10.1.0.5", 1, 5) };
	struct net_route r = route("10.7.0.0", 16, 1, "10.1.0.1", 0);
	struct net_hops_plan plan = {
		.n_ports = 2, .ports = own, .n_routes = 1, .routes = &r, .n_neighs = 3, .neighs = neighs
	};
	struct addr dst = ip("8.8.8.8"), via;
	struct net_hops *h;
	struct net_hop hop;
	uint8_t port;

	own[0].gateway4 = ip("10.0.0.1");
	own[1].gateway4 = ip("10.1.0.1");
	own[1].n_prefixes = 1;
	own[1].prefixes[0].addr = ip("10.1.0.2");
	own[1].prefixes[0].len = 24;
	h = net_hops_build(&plan);
	assert_hop(h, "8.8.8.8", NET_HOP_READY, 0, 1);
	/* what the other port sends leaves by its own gateway */
	assert_int_equal(net_hop_find(h, &dst, 1, &hop), NET_HOP_READY);
	assert_int_equal(hop.port, 1);
	assert_int_equal(hop.dmac[5], 2);
	assert_hop(h, "10.7.1.1", NET_HOP_READY, 1, 2);
	assert_hop(h, "10.1.0.5", NET_HOP_READY, 1, 5);
	assert_hop(h, "2001:db8::1", NET_HOP_NONE, 0, 0);
	assert_true(net_hop_via(h, &dst, 0, &via, &port));
	dst = ip("10.0.0.1");
	assert_true(addr_eq(&via, &dst));
	assert_int_equal(port, 0);
	dst = via = ip("10.1.0.77");
	assert_true(net_hop_via(h, &dst, 0, &via, &port));
	assert_true(addr_eq(&via, &dst));
	assert_int_equal(port, 1);
	dst = ip("2001:db8::1");
	assert_false(net_hop_via(h, &dst, 0, &via, &port));
	net_hops_free(h);
}

static void gateways_are_resolved_by_slot(void **state)
{
	struct net_route r = route("10.0.0.0", 24, 2, NULL, 0);
	struct net_neigh n = neigh("10.0.0.9", 2, 9);
	struct addr gws[3] = { [1] = ip("10.0.0.9"), [2] = ip("10.0.0.10") };
	uint8_t from[3] = { 0 };
	struct net_hops_plan plan = { .n_ports = 3,
				      .ports = ports,
				      .n_routes = 1,
				      .routes = &r,
				      .n_neighs = 1,
				      .neighs = &n,
				      .n_gateways = 3,
				      .gateways = gws,
				      .gateway_ports = from };
	struct net_hops *h;

	gws[1].port = gws[2].port = 5060;
	h = net_hops_build(&plan);
	assert_int_equal(net_hop_gateway(h, 0)->state, NET_HOP_NONE);
	assert_int_equal(net_hop_gateway(h, 1)->state, NET_HOP_READY);
	assert_int_equal(net_hop_gateway(h, 1)->dmac[5], 9);
	assert_int_equal(net_hop_gateway(h, 1)->port, 2);
	assert_int_equal(net_hop_gateway(h, 2)->state, NET_HOP_UNRESOLVED);
	assert_int_equal(net_hop_gateway(h, 3)->state, NET_HOP_NONE);
	net_hops_free(h);
}

static void nonsense_is_refused(void **state)
{
	struct net_route r = route("10.0.0.0", 33, 0, NULL, 0);
	struct net_neigh n = neigh("10.0.0.9", 1, 9);
	struct net_hops_plan plan = { .n_ports = 1, .ports = ports, .n_routes = 1, .routes = &r };
	struct net_hops *h;

	assert_null(net_hops_build(&plan));
	assert_int_equal(errno, EINVAL);
	r.len = 32;
	plan.n_neighs = 1;
	plan.neighs = &n;
	assert_null(net_hops_build(&plan));
	plan = (struct net_hops_plan){ 0 };
	h = net_hops_build(&plan);
	assert_hop(h, "10.0.0.1", NET_HOP_NONE, 0, 0);
	net_hops_free(h);
	net_hops_free(NULL);
}

/* 10000 neighbours and 300 routes: every answer right, and the time of one. */
static void thousands(void **state)
{
	enum {
		N = 10000,
		R = 300,
		LOOKUPS = 2000000
	};
	struct net_neigh *neighs = calloc(N, sizeof(*neighs));
	struct net_route *routes = calloc(R + 2, sizeof(*routes));
	struct net_hops_plan plan = {
		.n_ports = 1, .ports = ports, .n_neighs = N, .neighs = neighs, .routes = routes
	};
	struct timespec a, b;
	uint64_t seen = 0;
	struct net_hops *h;
	struct net_hop hop;

	for (uint32_t i = 0; i < N; i++) {
		neighs[i] = (struct net_neigh){ .ip = addr_v4(htonl(0x0a000001 + i), 0) };
		memcpy(neighs[i].mac, &i, 4);
	}
	routes[plan.n_routes++] = route("10.0.0.0", 16, 0, NULL, 0);
	routes[plan.n_routes++] = route("0.0.0.0", 0, 0, "10.0.0.1", 0);
	for (uint32_t i = 0; i < R; i++) {
		struct net_route *r = &routes[plan.n_routes++];

		*r = (struct net_route){ .prefix = addr_v4(htonl(0xac000000 + (i << 12)), 0),
					 .len = (uint8_t)(20 + i % 9) };
		r->gateway = neighs[i].ip;
	}
	h = net_hops_build(&plan);
	assert_non_null(h);
	for (uint32_t i = 0; i < N; i++) {
		assert_int_equal(net_hop_find(h, &neighs[i].ip, 0, &hop), NET_HOP_READY);
		assert_memory_equal(hop.dmac, neighs[i].mac, NET_MAC);
	}
	for (uint32_t i = 0; i < R; i++) {
		assert_int_equal(net_hop_find(h, &routes[i + 2].prefix, 0, &hop), NET_HOP_READY);
		assert_memory_equal(hop.dmac, neighs[i].mac, NET_MAC);
	}
	clock_gettime(CLOCK_MONOTONIC, &a);
	for (uint32_t i = 0; i < LOOKUPS; i++) {
		net_hop_find(h, &neighs[i * 2654435761u % N].ip, 0, &hop);
		seen += hop.state;
	}
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_int_equal(seen, (uint64_t)LOOKUPS * NET_HOP_READY);
	print_message("lookup on link, %d neighbours, %d routes of 11 lengths: %.1f ns\n", N, R + 2,
		      ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / LOOKUPS);
	net_hops_free(h);
	free(neighs);
	free(routes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_wins),
		cmocka_unit_test(an_ipv6_default_is_not_ipv4s),
		cmocka_unit_test(metric_decides_then_ways_share),
		cmocka_unit_test(ports_own_gateway_is_the_last_resort),
		cmocka_unit_test(gateways_are_resolved_by_slot),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(thousands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
