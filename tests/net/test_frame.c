/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames in and out: what net_write_headers() writes, net_parse() reads back; every broken variant gets the
 * class it deserves; no byte beyond the frame is read (the frame ends at a page that may not be touched).
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <cmocka.h>

#include "dataplane/net/csum.h"
#include "dataplane/net/net.h"

static struct net_port port = { .index = 3, .mtu = 1500, .mac = { 2, 0, 0, 0, 0, 1 } };
static const struct net_hop to_us = { .dmac = { 2, 0, 0, 0, 0, 1 },
				      .smac = { 2, 0, 0, 0, 0, 2 },
				      .state = NET_HOP_READY };

static struct addr ip(const char *text, uint16_t udp_port)
{
	uint8_t raw[16];
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		return addr_v4(v4, udp_port);
	assert_int_equal(inet_pton(AF_INET6, text, raw), 1);
	return addr_v6(raw, udp_port);
}

/* A frame at the end of a page before one that faults. */
struct frame {
	uint8_t *end;
	uint8_t *p;
	uint32_t n;
};

static struct frame new_frame(void)
{
	uint8_t *page = mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	assert_int_equal(mprotect(page + 8192, 4096, PROT_NONE), 0);
	return (struct frame){ .end = page + 8192 };
}

static void free_frame(struct frame *f)
{
	munmap(f->end - 8192, 12288);
}

/* Write a datagram of n payload bytes, its last byte the last of the page. */
static void build(struct frame *f, const struct addr *src, const struct addr *dst, uint16_t n)
{
	uint8_t *payload = f->end - n;
	uint32_t head;

	for (uint16_t i = 0; i < n; i++)
		payload[i] = (uint8_t)(i * 7 + n);
	head = net_write_headers(&port, &to_us, src, dst, false, payload, n);
	f->p = payload - head;
	f->n = head + n;
}

/* Make the frame longer by n bytes of Ethernet padding. */
static void pad(struct frame *f, uint32_t n)
{
	memmove(f->p - n, f->p, f->n);
	f->p -= n;
	memset(f->p + f->n, 0xee, n);
	f->n += n;
}

/* Put n bytes into the frame at an offset. */
static void insert(struct frame *f, uint32_t at, const void *bytes, uint32_t n)
{
	memmove(f->p - n, f->p, at);
	f->p -= n;
	memcpy(f->p + at, bytes, n);
	f->n += n;
}

static enum net_class parse(const struct frame *f, struct net_pkt *pkt)
{
	return net_parse(&port, f->p, f->n, NET_UNKNOWN, NET_UNKNOWN, pkt);
}

static void fix_ip4(struct frame *f)
{
	uint16_t sum;

	memset(f->p + 24, 0, 2);
	sum = (uint16_t)~net_fold(net_sum(f->p + 14, (f->p[14] & 15) * 4u));
	memcpy(f->p + 24, &sum, 2);
}

static void round_trip(void **state)
{
	static const char *const ends[2][2] = { { "192.0.2.1", "198.51.100.7" },
						{ "2001:db8::1", "2001:db8:1::9" } };
	struct frame f = new_frame();
	struct net_pkt pkt;

	for (unsigned v6 = 0; v6 < 2; v6++)
		for (unsigned vlan = 0; vlan < 2; vlan++)
			for (uint16_t n = 0; n < 1500; n++) {
				struct addr src = ip(ends[v6][0], (uint16_t)(1024 + n)),
					    dst = ip(ends[v6][1], 5060);

				port.vlan = vlan ? 77 : 0;
				build(&f, &src, &dst, n);
				pad(&f, n % 5);
				assert_int_equal(parse(&f, &pkt), NET_UDP);
				assert_true(addr_eq(&pkt.src, &src) && addr_eq(&pkt.dst, &dst));
				assert_int_equal(pkt.payload_len, n);
				assert_int_equal(pkt.payload, f.n - n % 5 - n);
				assert_int_equal(pkt.tagged, vlan);
				assert_int_equal(pkt.port, 3);
			}
	port.vlan = 0;
	free_frame(&f);
}

/* Any one flipped bit in addresses, ports, length or payload is found. */
static void flipped_bits(void **state)
{
	struct frame f = new_frame();
	struct net_pkt pkt;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct addr src = ip(v6 ? "2001:db8::1" : "192.0.2.1", 5060),
			    dst = ip(v6 ? "2001:db8::2" : "192.0.2.2", 5060);

		build(&f, &src, &dst, 301);
		for (uint32_t bit = (v6 ? 22 : 26) * 8; bit < f.n * 8; bit++) {
			enum net_class class;

			f.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
			class = parse(&f, &pkt);
			assert_true(class == NET_BAD_CSUM || class == NET_MALFORMED);
			f.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		port.trust = true;
		f.p[f.n - 1] ^= 1;
		assert_int_equal(parse(&f, &pkt), NET_UDP);
		port.trust = false;
		assert_int_equal(net_parse(&port, f.p, f.n, NET_GOOD, NET_GOOD, &pkt), NET_UDP);
		assert_int_equal(net_parse(&port, f.p, f.n, NET_GOOD, NET_BAD, &pkt), NET_BAD_CSUM);
	}
	free_frame(&f);
}

static void absent_checksum(void **state)
{
	struct addr a4 = ip("192.0.2.1", 5060), b4 = ip("192.0.2.2", 5060), a6 = ip("2001:db8::1", 5060),
		    b6 = ip("2001:db8::2", 5060);
	struct frame f = new_frame();
	struct net_pkt pkt;

	build(&f, &a4, &b4, 100);
	memset(f.p + 40, 0, 2);
	assert_int_equal(parse(&f, &pkt), NET_UDP);
	build(&f, &a6, &b6, 100);
	memset(f.p + 60, 0, 2);
	assert_int_equal(parse(&f, &pkt), NET_BAD_CSUM);
	free_frame(&f);
}

/* A frame cut anywhere is never UDP and never read past. */
static void cut_anywhere(void **state)
{
	struct frame f = new_frame();
	struct net_pkt pkt;

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct addr src = ip(v6 ? "2001:db8::1" : "192.0.2.1", 5060),
			    dst = ip(v6 ? "2001:db8::2" : "192.0.2.2", 5060);
		uint8_t whole[400];

		build(&f, &src, &dst, 200);
		memcpy(whole, f.p, f.n);
		for (uint32_t n = 0; n < f.n; n++) {
			struct frame cut = { .p = f.end - n, .n = n };

			memmove(cut.p, whole, n);
			assert_int_equal(parse(&cut, &pkt), NET_MALFORMED);
			memcpy(f.p, whole, f.n);
		}
	}
	free_frame(&f);
}

static void ip4_variants(void **state)
{
	static const uint8_t options[8] = { 7, 7, 4, 0, 0, 0, 0, 0 };
	struct addr src = ip("192.0.2.1", 5060), dst = ip("192.0.2.2", 5060);
	struct frame f = new_frame();
	struct net_pkt pkt;

	build(&f, &src, &dst, 100);
	insert(&f, 34, options, 8);
	f.p[14] = 0x47;
	f.p[17] += 8;
	fix_ip4(&f);
	assert_int_equal(parse(&f, &pkt), NET_UDP);
	assert_int_equal(pkt.payload, 50);
	f.p[14] = 0x44;
	assert_int_equal(parse(&f, &pkt), NET_MALFORMED);

	build(&f, &src, &dst, 100);
	f.p[20] = 0x20; /* more fragments */
	fix_ip4(&f);
	assert_int_equal(parse(&f, &pkt), NET_FRAGMENT);
	assert_int_equal(pkt.src.port, 0);
	build(&f, &src, &dst, 100);
	f.p[21] = 9; /* an offset */
	fix_ip4(&f);
	assert_int_equal(parse(&f, &pkt), NET_FRAGMENT);

	build(&f, &src, &dst, 100);
	f.p[23] = 6; /* TCP: the kernel's, whatever its sums */
	assert_int_equal(parse(&f, &pkt), NET_OTHER);
	build(&f, &src, &dst, 100);
	f.p[39]++; /* UDP length beyond the packet */
	assert_int_equal(parse(&f, &pkt), NET_MALFORMED);
	f.p[38] = 0;
	f.p[39] = 7;
	assert_int_equal(parse(&f, &pkt), NET_MALFORMED);
	free_frame(&f);
}

static void martians(void **state)
{
	static const char *const sources[] = { "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255",
					       "::",      "::1",       "ff02::1",   "::ffff:192.0.2.1" };
	struct frame f = new_frame();
	struct net_pkt pkt;

	for (unsigned i = 0; i < 8; i++) {
		struct addr src = ip(sources[i], 5060), dst = ip(i < 4 ? "192.0.2.2" : "2001:db8::2", 5060);

		build(&f, &src, &dst, 10);
		assert_int_equal(parse(&f, &pkt), NET_MARTIAN);
	}
	free_frame(&f);
}

/* Extension headers between the IPv6 and the UDP header; the first is written as `first`. */
static void add_extensions(struct frame *f, uint8_t first, const uint8_t *bytes, uint32_t n)
{
	uint16_t len;

	insert(f, 54, bytes, n);
	f->p[20] = first;
	memcpy(&len, f->p + 18, 2);
	len = htons((uint16_t)(ntohs(len) + n));
	memcpy(f->p + 18, &len, 2);
}

static void ip6_variants(void **state)
{
	static const struct {
		uint8_t first;
		uint8_t bytes[40];
		uint32_t n;
		enum net_class class;
	} rows[] = {
		{ 0, { 60, 0, 1, 4, [8] = 17, 0, 1, 4 }, 16, NET_UDP }, /* hop-by-hop, destination */
		{ 43, { 17, 0, 4, 0 }, 8, NET_UDP },                    /* routing, nothing left */
		{ 43, { 17, 0, 4, 1 }, 8, NET_OTHER },                  /* one segment left */
		{ 51, { 17, 4 }, 24, NET_UDP },                         /* authentication */
		{ 44, { 17, 0, 0, 0, 1 }, 8, NET_UDP },                 /* atomic fragment */
		{ 44, { 17, 0, 0, 1, 1 }, 8, NET_FRAGMENT },            /* first of several */
		{ 44, { 6, 0, 0, 1, 1 }, 8, NET_OTHER },                /* of TCP */
		{ 44, { 17, 0, 1, 0, 1 }, 8, NET_FRAGMENT },            /* a later one */
		{ 59, { 0 }, 8, NET_OTHER },                            /* no next header */
		{ 50, { 0 }, 8, NET_OTHER },                            /* ESP */
		{ 60, { 17, 200 }, 8, NET_MALFORMED },                  /* longer than the packet */
		{ 58, { 128, 0 }, 8, NET_OTHER },                       /* ICMPv6 */
	};
	uint8_t many[72] = { 0 };
	struct addr src = ip("2001:db8::1", 5060), dst = ip("2001:db8::2", 5060);
	struct frame f = new_frame();
	struct net_pkt pkt;

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		build(&f, &src, &dst, 100);
		add_extensions(&f, rows[i].first, rows[i].bytes, rows[i].n);
		assert_int_equal(parse(&f, &pkt), rows[i].class);
		if (rows[i].class == NET_UDP)
			assert_int_equal(pkt.payload_len, 100);
	}
	for (unsigned i = 0; i < 9; i++)
		many[i * 8] = i == 8 ? 17 : 60;
	build(&f, &src, &dst, 100);
	add_extensions(&f, 60, many + 8, 64);
	assert_int_equal(parse(&f, &pkt), NET_UDP);
	build(&f, &src, &dst, 100);
	add_extensions(&f, 60, many, 72);
	assert_int_equal(parse(&f, &pkt), NET_MALFORMED);
	free_frame(&f);
}

static void not_ours(void **state)
{
	struct addr src = ip("192.0.2.1", 5060), dst = ip("192.0.2.2", 5060);
	struct frame f = new_frame();
	struct net_pkt pkt;

	build(&f, &src, &dst, 100);
	f.p[5] = 9;
	assert_int_equal(parse(&f, &pkt), NET_FOREIGN);
	f.p[0] = 0xff; /* a group address is heard */
	assert_int_equal(parse(&f, &pkt), NET_UDP);
	port.vlan = 5;
	assert_int_equal(parse(&f, &pkt), NET_FOREIGN);
	build(&f, &src, &dst, 100);
	port.vlan = 6;
	assert_int_equal(parse(&f, &pkt), NET_FOREIGN);
	f.p[14] = 0xe0; /* the priority is not looked at */
	f.p[15] = 6;
	assert_int_equal(parse(&f, &pkt), NET_UDP);
	port.vlan = 0;
	f.p[15] = 0; /* a priority without a VLAN is no tag */
	assert_int_equal(parse(&f, &pkt), NET_UDP);
	assert_int_equal(pkt.tagged, 1);
	build(&f, &src, &dst, 100);
	f.p[12] = 8;
	f.p[13] = 6;
	assert_int_equal(parse(&f, &pkt), NET_NEIGHBOUR); /* ARP */
	free_frame(&f);
}

/* Random bytes behind valid beginnings: whatever comes out, UDP payloads lie inside the frame. */
static void random_bytes(void **state)
{
	struct frame f = new_frame();
	struct net_pkt pkt;

	srand(1);
	port.trust = true;
	for (unsigned i = 0; i < 300000; i++) {
		f.n = (uint32_t)(14 + rand() % 120);
		f.p = f.end - f.n;
		for (uint32_t k = 0; k < f.n; k++)
			f.p[k] = (uint8_t)(rand() % 3 ? rand() % 64 : rand());
		memcpy(f.p, i % 2 ? "\2\0\0\0\0\1\2\0\0\0\0\2\x86\xdd" : "\2\0\0\0\0\1\2\0\0\0\0\2\x08\x00",
		       14);
		if (f.n > 18) {
			f.p[14] = (uint8_t)(i % 2 ? 0x60 : 0x45 + rand() % 3);
			f.p[i % 2 ? 18 : 16] = 0;
		}
		if (parse(&f, &pkt) == NET_UDP)
			assert_true((uint32_t)pkt.payload + pkt.payload_len <= f.n);
	}
	port.trust = false;
	free_frame(&f);
}

/* With the NIC's help the UDP field holds the pseudo header's sum; completing it gives the same frame. */
static void hardware_checksums(void **state)
{
	struct frame f = new_frame();

	for (unsigned v6 = 0; v6 < 2; v6++) {
		struct addr src = ip(v6 ? "2001:db8::1" : "192.0.2.1", 5060),
			    dst = ip(v6 ? "2001:db8::2" : "192.0.2.2", 5060);
		uint8_t want[400];
		uint16_t sum;
		uint8_t *udp;

		build(&f, &src, &dst, 200);
		memcpy(want, f.p, f.n);
		net_write_headers(&port, &to_us, &src, &dst, true, f.end - 200, 200);
		udp = f.end - 208;
		sum = (uint16_t)~net_fold(net_sum(udp, 208));
		memcpy(udp + 6, &sum, 2);
		if (!v6)
			fix_ip4(&f);
		assert_memory_equal(f.p, want, f.n);
	}
	free_frame(&f);
}

/* A UDP sum that comes out as zero is sent as all ones (RFC 768). */
static void zero_sum(void **state)
{
	struct addr src = ip("192.0.2.1", 5060), dst = ip("192.0.2.2", 5060);
	struct frame f = new_frame();
	struct net_pkt pkt;
	uint16_t sum;

	memset(f.end - 2, 0, 2);
	net_write_headers(&port, &to_us, &src, &dst, false, f.end - 2, 2);
	memcpy(&sum, f.end - 4, 2);
	memcpy(f.end - 2, &sum, 2); /* the payload now completes the sum to all ones */
	net_write_headers(&port, &to_us, &src, &dst, false, f.end - 2, 2);
	memcpy(&sum, f.end - 4, 2);
	assert_int_equal(sum, 0xffff);
	f.p = f.end - 44;
	f.n = 44;
	assert_int_equal(parse(&f, &pkt), NET_UDP);
	free_frame(&f);
}

static void speed(void **state)
{
	struct addr src = ip("192.0.2.1", 5060), dst = ip("192.0.2.2", 5060);
	enum {
		ROUNDS = 1000000
	};
	static uint8_t room[2048]; /* not at a page's end: masked loads across it are slow */
	struct frame f = { .end = room + 1900 };
	struct timespec t[3];
	struct net_pkt pkt;
	unsigned good = 0;

	build(&f, &src, &dst, 1275);
	clock_gettime(CLOCK_MONOTONIC, &t[0]);
	for (unsigned i = 0; i < ROUNDS; i++)
		good += parse(&f, &pkt) == NET_UDP;
	clock_gettime(CLOCK_MONOTONIC, &t[1]);
	for (unsigned i = 0; i < ROUNDS; i++)
		good += net_write_headers(&port, &to_us, &src, &dst, false, f.end - 1275, 1275) == 42;
	clock_gettime(CLOCK_MONOTONIC, &t[2]);
	assert_int_equal(good, 2 * ROUNDS);
	for (unsigned i = 0; i < 2; i++)
		print_message("%s, 1275 bytes, checksums in software: %.1f ns\n", i ? "headers" : "parse",
			      ((double)(t[i + 1].tv_sec - t[i].tv_sec) * 1e9 +
			       (double)(t[i + 1].tv_nsec - t[i].tv_nsec)) /
				      ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),      cmocka_unit_test(flipped_bits),
		cmocka_unit_test(absent_checksum), cmocka_unit_test(cut_anywhere),
		cmocka_unit_test(ip4_variants),    cmocka_unit_test(martians),
		cmocka_unit_test(ip6_variants),    cmocka_unit_test(not_ours),
		cmocka_unit_test(random_bytes),    cmocka_unit_test(hardware_checksums),
		cmocka_unit_test(zero_sum),        cmocka_unit_test(speed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
