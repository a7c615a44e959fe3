/* SPDX-License-Identifier: BSD-3-Clause */
/* Sources to peers and gateways: longest prefix, exact port first; checked against a plain search. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/lb/check.h"
#include "lb/choose/peers.h"

static struct addr ip(const char *text, uint16_t port)
{
	uint8_t v6[16];

	if (inet_pton(AF_INET6, text, v6) == 1)
		return addr_v6(v6, port);
	return world_ip4(text, port);
}

static struct lb_prefix net(const char *text, uint8_t len, uint16_t peer)
{
	struct addr a = ip(text, 0);
	struct lb_prefix p = { .len = a.v6 ? len : 96 + len, .peer = peer };

	memcpy(p.ip, a.ip, 16);
	return p;
}

static struct lb_snapshot *snapshot(const struct lb_spec *spec)
{
	struct lb_snapshot *s = lb_snapshot_init(aligned_alloc(64, lb_snapshot_size(spec)), spec);

	assert_non_null(s);
	return s;
}

static void longest_prefix_wins(void **state)
{
	const struct lb_prefix prefixes[] = {
		net("192.0.2.0", 24, 0),    net("192.0.2.128", 25, 1), net("192.0.2.200", 32, 2),
		net("10.0.0.0", 8, 3),      net("2001:db8::", 32, 4),  net("2001:db8:1::", 48, 5),
		net("2001:db8::7", 128, 6),
	};
	static const struct {
		const char *ip;
		uint16_t peer;
	} cases[] = {
		{ "192.0.2.1", 0 },        { "192.0.2.129", 1 },      { "192.0.2.200", 2 },
		{ "10.255.255.255", 3 },   { "11.0.0.0", LB_NONE },   { "192.0.3.0", LB_NONE },
		{ "2001:db8::8", 4 },      { "2001:db8:1::8", 5 },    { "2001:db8::7", 6 },
		{ "2001:db9::", LB_NONE }, { "::ffff:0:1", LB_NONE },
	};
	struct world w;

	world_init(&w);
	struct lb_peer_spec peers[7] = { { .slot = 0 } };

	w.spec.peers = peers;
	w.spec.n_peers = 7;
	w.spec.prefixes = prefixes;
	w.spec.n_prefixes = 7;
	w.spec.n_routes = 0;
	world_build(&w);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct addr a = ip(cases[i].ip, 5060);

		assert_int_equal(peer_at(w.snap, &a), cases[i].peer);
	}
	world_free(&w);
}

/* "Everything" of one family is not everything of the other. */
static void families_are_apart(void **state)
{
	const struct lb_prefix prefixes[] = { net("::", 0, 0), net("0.0.0.0", 0, 1) };
	struct addr four = ip("203.0.113.1", 1), six = ip("2001:db8::1", 1);
	struct world w;

	for (unsigned n = 1; n <= 2; n++) {
		world_init(&w);
		w.spec.n_peers = 2;
		w.spec.prefixes = prefixes;
		w.spec.n_prefixes = n;
		world_build(&w);
		assert_int_equal(peer_at(w.snap, &four), n == 2 ? 1 : LB_NONE);
		assert_int_equal(peer_at(w.snap, &six), 0);
		world_free(&w);
	}
}

static bool holds(const struct lb_prefix *p, const struct addr *a)
{
	for (unsigned bit = 0; bit < p->len; bit++) {
		if ((p->ip[bit / 8] ^ a->ip[bit / 8]) >> (7 - bit % 8) & 1)
			return false;
	}
	return true;
}

static void thousands_agree_with_plain_search(void **state)
{
	enum {
		N = 5000,
		PEERS = 100
	};
	static struct lb_prefix prefixes[N];
	static struct lb_peer_spec peers[PEERS];
	uint64_t random = 3;
	struct world w;

	for (unsigned i = 0; i < N; i++) {
		struct addr a = addr_v4(htonl(0x0a000000 | (uint32_t)next_random(&random) >> 12), 0);
		uint8_t len = 12 + next_random(&random) % 21;

		prefixes[i] = (struct lb_prefix){ .len = 96 + len, .peer = next_random(&random) % PEERS };
		for (unsigned bit = 0; bit < prefixes[i].len; bit++)
			prefixes[i].ip[bit / 8] |= a.ip[bit / 8] & 0x80 >> bit % 8;
	}
	world_init(&w);
	w.spec.peers = peers;
	w.spec.n_peers = PEERS;
	w.spec.prefixes = prefixes;
	w.spec.n_prefixes = N;
	world_build(&w);
	for (unsigned round = 0; round < 1000; round++) {
		struct addr a = addr_v4(htonl(0x0a000000 | (uint32_t)next_random(&random) >> 12), 9);
		const struct lb_prefix *best = NULL;

		for (unsigned i = 0; i < N; i++) {
			if ((!best || prefixes[i].len > best->len) && holds(&prefixes[i], &a))
				best = &prefixes[i];
		}
		assert_int_equal(peer_at(w.snap, &a), best ? best->peer : LB_NONE);
	}
	world_free(&w);
}

static void gateways_by_port_then_address(void **state)
{
	struct addr a, b, c, other;
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < 3; i++)
		world_gateway(&w, 0, 1, 0);
	a = w.gateway[0].addr;
	w.gateway[1].addr = w.gateway[0].addr;
	w.gateway[1].addr.port = 5070;
	b = w.gateway[1].addr;
	c = w.gateway[2].addr;
	world_build(&w);
	assert_int_equal(gateway_at(w.snap, &a)->slot, 0);
	assert_int_equal(gateway_at(w.snap, &b)->slot, 1);
	assert_int_equal(gateway_at(w.snap, &c)->slot, 2);
	c.port = 33333;
	assert_int_equal(gateway_at(w.snap, &c)->slot, 2);
	other = ip("198.51.100.77", 5060);
	assert_null(gateway_at(w.snap, &other));
	world_free(&w);
}

static void every_gateway_by_identity(void **state)
{
	enum {
		N = 4000
	};
	static struct lb_gateway_spec gateways[N];
	static char names[N][8];
	struct lb_snapshot *s;
	struct world w;

	world_init(&w);
	for (unsigned i = 0; i < N; i++) {
		int n = snprintf(names[i], sizeof(names[i]), "g%u", i);

		gateways[i] = (struct lb_gateway_spec){ .name = { names[i], n },
							.slot = N - 1 - i,
							.pool = i % 2,
							.weight = 1,
							.addr = addr_v4(htonl(0x0b000000 + i), 5060) };
	}
	w.spec.gateways = gateways;
	w.spec.n_gateways = N;
	s = snapshot(&w.spec);
	for (unsigned i = 0; i < N; i++) {
		const struct gateway *g = gateway_by_id(s, lb_gateway_id(gateways[i].name));

		assert_int_equal(g->slot, gateways[i].slot);
		assert_ptr_equal(gateway_by_slot(s, g->slot), g);
		assert_ptr_equal(gateway_at(s, &gateways[i].addr), g);
	}
	assert_null(gateway_by_id(s, lb_gateway_id(STR("no such"))));
	assert_null(gateway_by_slot(s, N));
	assert_null(gateway_by_slot(s, LB_NONE));
	free(s);
	world_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_wins),
		cmocka_unit_test(families_are_apart),
		cmocka_unit_test(thousands_agree_with_plain_search),
		cmocka_unit_test(gateways_by_port_then_address),
		cmocka_unit_test(every_gateway_by_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
