/* SPDX-License-Identifier: BSD-3-Clause */
/* Every way of net_sum() against DPDK's scalar checksum, over lengths up to 2000 and alignments of a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <rte_ip.h>

#include "dataplane/net/csum.h"

static void fill(uint8_t *p, size_t n, unsigned seed)
{
	for (size_t i = 0; i < n; i++) {
		seed = seed * 1103515245 + 12345;
		p[i] = (uint8_t)(seed >> 16);
	}
}

/* 0 and 0xffff are the same number in one's complement. */
static uint16_t canon(uint16_t v)
{
	return v == 0xffff ? 0 : v;
}

/* What this processor can run. */
static unsigned ways(uint64_t (*way[3])(const void *, uint32_t))
{
	unsigned n = 0;

	way[n++] = net_sum_plain;
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		way[n++] = net_sum_avx2;
	if (__builtin_cpu_supports("avx512bw"))
		way[n++] = net_sum_avx512;
#endif
	return n;
}

static void every_length(void **state)
{
	uint64_t (*way[3])(const void *, uint32_t);
	uint8_t buf[2048 + 8];

	fill(buf, sizeof(buf), 7);
	for (unsigned w = 0, n_ways = ways(way); w < n_ways; w++)
		for (uint32_t n = 0; n <= 2000; n++)
			for (uint32_t off = 0; off < 8; off++)
				assert_int_equal(canon(net_fold(way[w](buf + off, n))),
						 canon(rte_raw_cksum(buf + off, n)));
}

/* All ones carries in every lane at once. */
static void no_carry_is_lost(void **state)
{
	uint64_t (*way[3])(const void *, uint32_t);
	static uint8_t buf[65536];

	memset(buf, 0xff, sizeof(buf));
	for (unsigned w = 0, n_ways = ways(way); w < n_ways; w++)
		for (uint32_t n = 65000; n <= 65535; n++)
			assert_int_equal(canon(net_fold(way[w](buf, n))), canon(rte_raw_cksum(buf, n)));
}

static void whole_datagrams(void **state)
{
	for (unsigned i = 0; i < 20000; i++) {
		struct {
			struct rte_ipv4_hdr ip;
			uint8_t l4[1500];
		} __attribute__((packed)) p;
		uint16_t n = (uint16_t)(8 + rand() % 1472);
		uint64_t sum;

		fill((uint8_t *)&p, sizeof(p), i);
		p.ip.version_ihl = 0x45;
		p.ip.next_proto_id = 17;
		p.ip.total_length = rte_cpu_to_be_16((uint16_t)(20 + n));
		sum = net_sum(&p.ip.src_addr, 8) + rte_cpu_to_be_16(n) + rte_cpu_to_be_16(17) +
		      net_sum(p.l4, n);
		assert_int_equal(canon((uint16_t)~net_fold(sum)), canon(rte_ipv4_udptcp_cksum(&p.ip, p.l4)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_length),
		cmocka_unit_test(no_carry_is_lost),
		cmocka_unit_test(whole_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
