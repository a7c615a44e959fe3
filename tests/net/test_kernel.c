/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control thread's view of the kernel, in a network namespace of its own that dies with the process: a
 * twin answers ping, an unresolved next hop resolves through the raw socket and reaches the next-hop table,
 * gateways are kept, routes and neighbours follow the kernel's, and the rate cap holds. Skipped (77) without
 * the right to make a namespace.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>

#include <cmocka.h>

#include "control/rtnl.h"
#include "control/twin.h"
#include "dataplane/net/csum.h"

#define SECOND 1000000000ull

static const uint8_t our_mac[NET_MAC] = { 2, 0, 0, 0, 0, 1 }, far_mac[NET_MAC] = { 2, 0, 0, 0, 0, 9 };
static struct net_port port = { .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 1 } };
static struct net_hops_port hops_port = { .mac = { 2, 0, 0, 0, 0, 1 } };
static struct ctl_twin twin;
static struct ctl_raw raw;
static struct ctl_rtnl *rtnl;
static struct net_hops *hops;

static struct addr ip(const char *text)
{
	uint8_t bytes[16];
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return addr_v4(v4, 5060);
	assert_int_equal(inet_pton(AF_INET6, text, bytes), 1);
	return addr_v6(bytes, 5060);
}

static void run(const char *cmd)
{
	assert_int_equal(system(cmd), 0);
}

/* Rebuild the table if the kernel said something. */
static void follow(void)
{
	struct net_hops_plan plan = { .n_ports = 1, .ports = &hops_port };
	int rc = ctl_rtnl_read(rtnl);

	assert_true(rc >= 0);
	if (rc == 0 && hops)
		return;
	ctl_rtnl_plan(rtnl, &plan);
	net_hops_free(hops);
	hops = net_hops_build(&plan);
	assert_non_null(hops);
}

/* Wait until the table says `state` for dst. */
static struct net_hop await(const char *dst, enum net_hop_state state)
{
	struct addr d = ip(dst);
	struct net_hop hop;

	follow();
	for (unsigned i = 0; net_hop_find(hops, &d, 0, &hop) != state; i++) {
		struct pollfd p = { .fd = ctl_rtnl_fd(rtnl), .events = POLLIN };

		if (i == 50)
			fail_msg("%s: state %u, want %u", dst, hop.state, state);
		poll(&p, 1, 100);
		follow();
	}
	return hop;
}

/* The next frame the kernel sends for which match() is true. Returns its length. */
static int expect(bool (*match)(const uint8_t *, int), uint8_t *frame)
{
	for (unsigned i = 0; i < 100; i++) {
		struct pollfd p = { .fd = twin.fd, .events = POLLIN };
		int n;

		poll(&p, 1, 50);
		while ((n = ctl_twin_read(&twin, frame, CTL_FRAME_MAX)) > 0)
			if (match(frame, n))
				return n;
		assert_int_equal(n, 0);
	}
	fail_msg("the kernel did not send what was expected");
	return 0;
}

static bool is_arp_request(const uint8_t *f, int n)
{
	return n >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 1;
}

static bool is_solicitation(const uint8_t *f, int n)
{
	return n >= 86 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 58 && f[54] == 135 && f[22] == 0xfd;
}

static bool is_udp4(const uint8_t *f, int n)
{
	return n > 42 && f[12] == 8 && f[13] == 0 && f[23] == 17;
}

static bool is_udp6(const uint8_t *f, int n)
{
	return n > 62 && f[12] == 0x86 && f[13] == 0xdd && f[20] == 17;
}

static bool is_echo_reply(const uint8_t *f, int n)
{
	return n >= 42 && f[12] == 8 && f[13] == 0 && f[23] == 1 && f[34] == 0;
}

static void put_sum(uint8_t *at, uint64_t sum)
{
	uint16_t s = (uint16_t)~net_fold(sum);

	memcpy(at, &s, 2);
}

/* Answer an ARP request as the far end. */
static void answer_arp(uint8_t *f)
{
	uint8_t asked[4], asker[4];

	memcpy(asker, f + 28, 4);
	memcpy(asked, f + 38, 4);
	memcpy(f + 32, f + 22, 6);
	memcpy(f, f + 6, 6);
	memcpy(f + 6, far_mac, 6);
	memcpy(f + 22, far_mac, 6);
	memcpy(f + 28, asked, 4);
	memcpy(f + 38, asker, 4);
	f[21] = 2;
	ctl_twin_write(&twin, f, 42);
}

/* Answer a neighbour solicitation as the far end (RFC 4861 4.4). */
static void answer_nd(const uint8_t *ask)
{
	uint8_t f[86] = { [12] = 0x86, 0xdd, 0x60, [19] = 32, 58, 255, [54] = 136, [58] = 0x60, [78] = 2, 1 };
	uint64_t pseudo;

	memcpy(f, ask + 6, 6);
	memcpy(f + 6, far_mac, 6);
	memcpy(f + 22, ask + 62, 16);
	memcpy(f + 38, ask + 22, 16);
	memcpy(f + 62, ask + 62, 16);
	memcpy(f + 80, far_mac, 6);
	pseudo = net_sum(f + 22, 32) + htons(32) + htons(58);
	put_sum(f + 56, pseudo + net_sum(f + 54, 32));
	ctl_twin_write(&twin, f, sizeof(f));
}

/* A frame with a UDP datagram as a worker makes it for an unresolved hop. */
static uint32_t datagram(uint8_t *room, uint8_t **frame, const char *src, const char *dst)
{
	struct net_hop hop = { .state = NET_HOP_UNRESOLVED };
	struct addr s = ip(src), d = ip(dst);
	uint32_t head;

	memcpy(room + NET_HEADERS, "hello", 5);
	head = net_write_headers(&port, &hop, &s, &d, false, room + NET_HEADERS, 5);
	*frame = room + NET_HEADERS - head;
	return head + 5;
}

static int set_up(void **state)
{
	struct addr a4 = ip("10.9.0.1"), a6 = ip("fd09::1");

	if (ctl_twin_open(&twin, "weir-t0", our_mac, 1400) != 0)
		return -1;
	if (ctl_rtnl_add_addr(twin.ifindex, &a4, 24) != 0 || ctl_rtnl_add_addr(twin.ifindex, &a6, 64) != 0 ||
	    ctl_rtnl_add_addr(twin.ifindex, &a4, 24) != 0)
		return -1;
	if (ctl_rtnl_open(&twin.ifindex, 1, &rtnl) != 0)
		return -1;
	return ctl_raw_open(&raw, 1000, SECOND);
}

static int tear_down(void **state)
{
	net_hops_free(hops);
	ctl_rtnl_close(rtnl);
	ctl_raw_close(&raw);
	ctl_twin_close(&twin);
	return 0;
}

static void the_twin_is_set_up(void **state)
{
	run("ip -o link show weir-t0 | grep -q 'LOWER_UP.*mtu 1400.*02:00:00:00:00:01'");
	run("ip -o addr show weir-t0 | grep -q '10.9.0.1/24'");
	run("ip -o addr show weir-t0 | grep 'fd09::1/64' | grep -vq tentative");
}

/* What somebody does who wants to see whether it helps. */
static void addresses_outlive_a_link_that_was_down(void **state)
{
	run("ip link set weir-t0 down");
	run("ip link set weir-t0 up");
	the_twin_is_set_up(state);
}

static void the_kernel_answers_ping(void **state)
{
	uint8_t f[98] = {
		[12] = 8, 0, 0x45, 0, 0, 84, [22] = 64, 1, [26] = 10, 9, 0, 2, 10, 9, 0, 1, [34] = 8
	};
	uint8_t got[CTL_FRAME_MAX];

	memcpy(f, our_mac, 6);
	memcpy(f + 6, far_mac, 6);
	put_sum(f + 24, net_sum(f + 14, 20));
	put_sum(f + 36, net_sum(f + 34, 64));
	ctl_twin_write(&twin, f, sizeof(f));
	expect(is_arp_request, got); /* the kernel asks who we are */
	answer_arp(got);
	expect(is_echo_reply, got);
	assert_memory_equal(got, far_mac, 6);
	assert_int_equal(await("10.9.0.2", NET_HOP_READY).dmac[5], 9);
}

/* The kernel asks for `via`, whatever its routes say of dst, then sends what the worker wrote. */
static void resolve_by_raw(const char *src, const char *dst, const char *via_text, uint64_t now)
{
	uint8_t room[256], got[CTL_FRAME_MAX], *f;
	uint32_t n = datagram(room, &f, src, dst), ip_at = 14;
	struct addr via = ip(via_text);

	assert_int_equal(ctl_raw_send(&raw, twin.ifindex, &via, f, n, now), 0);
	expect(via.v6 ? is_solicitation : is_arp_request, got);
	assert_memory_equal(got + (via.v6 ? 62 : 38), via.v6 ? via.ip : via.ip + 12, via.v6 ? 16 : 4);
	if (via.v6)
		answer_nd(got);
	else
		answer_arp(got);
	assert_int_equal(expect(via.v6 ? is_udp6 : is_udp4, got), n);
	assert_memory_equal(got, far_mac, 6);
	if (!via.v6) { /* the kernel fills the header sum itself */
		assert_int_equal(net_fold(net_sum(got + ip_at, 20)), 0xffff);
		ip_at += 12;
	}
	assert_memory_equal(got + ip_at, f + ip_at, n - ip_at);
}

static void unresolved_resolves(void **state)
{
	resolve_by_raw("10.9.0.1", "9.9.9.9", "10.9.0.253", 2 * SECOND);
	resolve_by_raw("fd09::1", "2001:db8::9", "fd09::fd", 2 * SECOND);
	run("ip route add default via 10.9.0.254 && ip route add default via fd09::fe");
	await("8.8.8.8", NET_HOP_UNRESOLVED);
	resolve_by_raw("10.9.0.1", "8.8.8.8", "10.9.0.254", 3 * SECOND);
	assert_int_equal(await("8.8.8.8", NET_HOP_READY).dmac[5], 9);
	await("2001:db8::1", NET_HOP_UNRESOLVED);
	resolve_by_raw("fd09::1", "2001:db8::1", "fd09::fe", 3 * SECOND);
	assert_int_equal(await("2001:db8::1", NET_HOP_READY).dmac[5], 9);
}

static void gateways_are_kept(void **state)
{
	uint8_t got[CTL_FRAME_MAX];
	struct addr gw = ip("10.9.0.7");

	assert_int_equal(ctl_rtnl_keep_neigh(rtnl, 0, &gw), 0);
	expect(is_arp_request, got);
	answer_arp(got);
	assert_int_equal(await("10.9.0.7", NET_HOP_READY).dmac[5], 9);
	run("ip neigh show dev weir-t0 | grep '10.9.0.7 ' | grep -q managed");
	assert_int_equal(ctl_rtnl_keep_neigh(rtnl, 0, &gw), 0);
	assert_int_equal(ctl_rtnl_keep_neigh(rtnl, 1, &gw), -ENODEV);
}

static void changes_are_followed(void **state)
{
	run("ip neigh replace 10.9.0.50 lladdr 02:00:00:00:00:50 dev weir-t0 nud permanent");
	assert_int_equal(await("10.9.0.50", NET_HOP_READY).dmac[5], 0x50);
	run("ip neigh replace 10.9.0.50 lladdr 02:00:00:00:00:51 dev weir-t0 nud permanent");
	while (await("10.9.0.50", NET_HOP_READY).dmac[5] != 0x51)
		;
	run("ip route add 192.0.2.0/24 nexthop via 10.9.0.50 weight 1 nexthop via 10.9.0.51 weight 1");
	run("ip neigh replace 10.9.0.51 lladdr 02:00:00:00:00:51 dev weir-t0 nud permanent");
	await("192.0.2.77", NET_HOP_READY);
	run("ip neigh del 10.9.0.50 dev weir-t0 && ip neigh del 10.9.0.51 dev weir-t0");
	await("192.0.2.77", NET_HOP_UNRESOLVED);
	run("ip route add 203.0.113.0/24 via inet6 fd09::fe dev weir-t0");
	assert_int_equal(await("203.0.113.5", NET_HOP_READY).dmac[5], 9);
	run("ip route del default via 10.9.0.254 && ip route del 203.0.113.0/24");
	await("203.0.113.5", NET_HOP_NONE);
	run("ip route add 203.0.113.0/24 dev lo && ip route add 203.0.113.0/24 via 10.9.0.7 table 9");
	await("203.0.113.5", NET_HOP_NONE); /* only the twins and the main table count */
}

/* More changes at once than the socket holds: nothing is missed. */
static void a_flood_is_survived(void **state)
{
	FILE *f = popen("ip -batch - ", "w");

	assert_non_null(f);
	for (unsigned i = 0; i < 30000; i++)
		fprintf(f, "neigh replace 10.9.0.60 lladdr 02:00:00:00:%02x:%02x dev weir-t0 nud permanent\n",
			i >> 8, i & 255);
	fprintf(f, "neigh replace 10.9.0.61 lladdr 02:00:00:00:00:61 dev weir-t0 nud permanent\n");
	assert_int_equal(pclose(f), 0);
	await("10.9.0.61", NET_HOP_READY);
	assert_int_equal(await("10.9.0.60", NET_HOP_READY).dmac[5], 29999 & 255);
}

static void the_budget_holds(void **state)
{
	uint8_t room[256], *f;
	uint32_t n = datagram(room, &f, "10.9.0.1", "10.9.0.200");
	struct addr via = ip("10.9.0.200");
	unsigned sent = 0;

	run("ip neigh replace 10.9.0.200 lladdr 02:00:00:00:00:09 dev weir-t0 nud permanent");
	raw.sent = raw.capped = raw.failed = 0;
	for (unsigned i = 0; i < 5000; i++)
		sent += ctl_raw_send(&raw, twin.ifindex, &via, f, n, 10 * SECOND) == 0;
	assert_int_equal(sent, 100); /* a tenth of a second's worth */
	for (unsigned i = 0; i < 5000; i++)
		sent += ctl_raw_send(&raw, twin.ifindex, &via, f, n, 10 * SECOND + i * 100000) == 0;
	assert_in_range(sent, 595, 605); /* and half a second's */
	assert_int_equal(raw.sent, sent);
	assert_int_equal(raw.capped, 10000 - sent);
	assert_int_equal(ctl_raw_send(&raw, twin.ifindex, &via, f, n - 1, 20 * SECOND), -EINVAL);
	assert_int_equal(ctl_raw_send(&raw, twin.ifindex, &via, f, 10, 20 * SECOND), -EINVAL);
	assert_int_equal(raw.failed, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_twin_is_set_up),
		cmocka_unit_test(addresses_outlive_a_link_that_was_down),
		cmocka_unit_test(the_kernel_answers_ping),
		cmocka_unit_test(unresolved_resolves),
		cmocka_unit_test(gateways_are_kept),
		cmocka_unit_test(changes_are_followed),
		cmocka_unit_test(a_flood_is_survived),
		cmocka_unit_test(the_budget_holds),
	};

	if (unshare(CLONE_NEWNET) != 0)
		return 77;
	run("ip link set lo up");
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
