/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools, ports and mbufs on devices that need no kernel: net_ring, which gives back what was sent, and
 * net_pcap, from file to file. Two workers on one core, as `poll: adaptive` has them, share the pool.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_launch.h>
#include <rte_mbuf.h>

#include "dataplane/net/net.h"

#define FRAMES 100 /* in the pcap file */
#define PRIV   1024

static struct rte_mempool *pool;
static struct net_port ring, pcap;
static char dir[] = "/tmp/weir-test-net-XXXXXX";
static char in_file[64], out_file[64];
static const struct addr src = { .ip = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .port = 5060 };
static const struct addr dst = { .ip = { [10] = 0xff, 0xff, 192, 0, 2, 2 }, .port = 5061 };

static struct net_hop hop_to(const struct net_port *port)
{
	struct net_hop hop = { .smac = { 2, 0, 0, 0, 0, 9 }, .port = port->index, .state = NET_HOP_READY };

	memcpy(hop.dmac, port->mac, NET_MAC);
	return hop;
}

static struct rte_mbuf *payload(uint16_t n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	char *p;

	assert_non_null(m);
	p = rte_pktmbuf_append(m, n);
	assert_non_null(p);
	for (uint16_t i = 0; i < n; i++)
		p[i] = (char)(i + n);
	return m;
}

/* A pcap file of frames to everybody, header by hand. */
static void write_pcap(void)
{
	uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };
	struct net_port any = { .mtu = 1500 };
	struct net_hop all = { .dmac = { 255, 255, 255, 255, 255, 255 }, .state = NET_HOP_READY };
	FILE *f = fopen(in_file, "w");

	assert_non_null(f);
	fwrite(head, sizeof(head), 1, f);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint8_t room[NET_HEADERS + 1400];
		uint16_t n = (uint16_t)(i * 13);
		uint32_t h, record[4] = { i, 0 };

		memset(room, (int)i, sizeof(room));
		h = net_write_headers(&any, &all, &src, &dst, false, room + NET_HEADERS, n);
		record[2] = record[3] = h + n;
		fwrite(record, sizeof(record), 1, f);
		fwrite(room + NET_HEADERS - h, h + n, 1, f);
	}
	assert_int_equal(fclose(f), 0);
}

static int open_port(const char *device, uint32_t index, uint16_t vlan, struct net_port *port)
{
	struct net_port_plan plan = { .device = device,
				      .index = index,
				      .queues = 2,
				      .mtu = 1500,
				      .vlan = vlan,
				      .pools = (struct rte_mempool *[]){ pool, pool } };

	return net_port_open(&plan, port);
}

static int set_up(void **state)
{
	static struct net_eal_args args;
	static char pcap_device[160];
	static const uint16_t cpus[] = { 0, 0 };
	struct net_device devs[2] = { { .text = "net_ring" }, { .text = pcap_device } };
	struct net_eal_plan plan = { .program = "test_mbuf",
				     .node = "test",
				     .pid = (uint32_t)getpid(),
				     .n_workers = 2,
				     .worker_cpus = cpus,
				     .huge = NET_HUGE_OFF,
				     .memory_mb = 128,
				     .n_devices = 2,
				     .devices = devs };

	assert_non_null(mkdtemp(dir));
	snprintf(in_file, sizeof(in_file), "%s/in.pcap", dir);
	snprintf(out_file, sizeof(out_file), "%s/out.pcap", dir);
	snprintf(pcap_device, sizeof(pcap_device), "net_pcap,rx_pcap=%s,tx_pcap=%s", in_file, out_file);
	write_pcap();
	net_eal_detect(&plan);
	if (net_eal_args(&plan, &args) != 0 || net_eal_start(&args) != 0)
		return -1;
	if (net_pool_create("test", 4095, PRIV, -1, &pool) != 0)
		return -1;
	return open_port("net_ring", 0, 12, &ring) || open_port(pcap_device, 1, 0, &pcap);
}

static int tear_down(void **state)
{
	net_port_close(&ring);
	net_port_close(&pcap);
	net_pool_free(pool);
	net_eal_stop();
	unlink(in_file);
	unlink(out_file);
	return rmdir(dir);
}

static void the_pool_is_as_asked(void **state)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	assert_int_equal(rte_pktmbuf_priv_size(pool), PRIV);
	assert_int_equal(rte_pktmbuf_data_room_size(pool), net_pool_room(PRIV));
	assert_true(pool->header_size + pool->elt_size + pool->trailer_size <= LIMIT_MBUF_OBJ);
	/* what AF_XDP counts on when it hands the pool to the kernel as one row of frames */
	assert_int_equal(pool->nb_mem_chunks, 1);
	assert_int_equal(STAILQ_FIRST(&pool->mem_list)->len / pool->size,
			 pool->header_size + pool->elt_size + pool->trailer_size);
	assert_string_equal(rte_mempool_get_ops(pool->ops_index)->name, "ring_mt_rts");
	rte_pktmbuf_free(m);
	assert_int_equal(net_pool_room(4000), 0);
}

static void wishes_that_cannot_be(void **state)
{
	struct rte_mempool *p;
	struct net_port port;

	assert_int_equal(net_pool_create("x", 63, 4000, -1, &p), -EINVAL);
	assert_int_equal(net_pool_create("x", 63, 12, -1, &p), -EINVAL);
	assert_int_equal(open_port("net_ring", 7, 0, &port), -ENODEV);
	assert_int_equal(open_port("eth0", 0, 0, &port), -EINVAL);
}

static void a_burst_goes_around(void **state)
{
	struct net_hop hop = hop_to(&ring);
	struct rte_mbuf *m[LIMIT_BURST];
	struct net_pkt pkts[LIMIT_BURST];

	assert_int_equal(ring.queues, 1);
	for (unsigned round = 0; round < 1000; round++) { /* eight pools */
		for (uint16_t i = 0; i < LIMIT_BURST; i++) {
			m[i] = payload((uint16_t)(100 + i));
			assert_int_equal(net_encode(&ring, &hop, &src, &dst, m[i]), NET_TX_OK);
		}
		assert_int_equal(rte_eth_tx_burst(ring.id, 0, m, LIMIT_BURST), LIMIT_BURST);
		assert_int_equal(rte_eth_rx_burst(ring.id, 0, m, LIMIT_BURST), LIMIT_BURST);
		net_decode(&ring, m, LIMIT_BURST, pkts);
		for (uint16_t i = 0; i < LIMIT_BURST; i++) {
			assert_int_equal(pkts[i].class, NET_UDP);
			assert_int_equal(pkts[i].payload_len, 100 + i);
			assert_int_equal(pkts[i].tagged, 1);
			assert_true(addr_eq(&pkts[i].src, &src) && addr_eq(&pkts[i].dst, &dst));
		}
		rte_pktmbuf_free_bulk(m, LIMIT_BURST);
	}
}

static void what_cannot_be_sent(void **state)
{
	struct net_hop hop = hop_to(&ring);
	struct rte_mbuf *m = payload(1473);

	assert_int_equal(net_encode(&ring, &hop, &src, &dst, m), NET_TX_TOO_LONG);
	assert_int_equal(m->data_len, 1473);
	rte_pktmbuf_trim(m, 1);
	rte_pktmbuf_prepend(m, 100);
	rte_pktmbuf_trim(m, 100);
	assert_int_equal(net_encode(&ring, &hop, &src, &dst, m), NET_TX_NO_ROOM);
	rte_pktmbuf_free(m);
	m = payload(1472);
	assert_int_equal(net_encode(&ring, &hop, &src, &dst, m), NET_TX_OK);
	assert_int_equal(m->data_len, 1472 + 28 + 18);
	rte_pktmbuf_free(m);
}

/* The NIC gets what it needs, and the kernel never gets a frame with half a checksum. */
static void checksum_work_for_the_nic(void **state)
{
	struct net_hop hop = hop_to(&ring);
	struct net_port nic = ring;
	struct rte_mbuf *m = payload(100);

	nic.hw_tx_csum = true;
	assert_int_equal(net_encode(&nic, &hop, &src, &dst, m), NET_TX_OK);
	assert_true(m->ol_flags & RTE_MBUF_F_TX_UDP_CKSUM && m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM);
	assert_int_equal(m->l2_len, 18);
	assert_int_equal(m->l3_len, 20);
	rte_pktmbuf_free(m);
	m = payload(100);
	hop.state = NET_HOP_UNRESOLVED;
	assert_int_equal(net_encode(&nic, &hop, &src, &dst, m), NET_TX_OK);
	assert_int_equal(m->ol_flags & RTE_MBUF_F_TX_OFFLOAD_MASK, 0);
	rte_pktmbuf_free(m);
}

static void tags_come_off_and_on(void **state)
{
	struct net_hop hop = hop_to(&ring);
	struct rte_mbuf *m = payload(100);
	uint8_t want[200];
	struct net_pkt pkt;

	net_encode(&ring, &hop, &src, &dst, m);
	memcpy(want, rte_pktmbuf_mtod(m, void *), m->data_len);
	net_vlan_pop(m);
	assert_int_equal(m->data_len, 142);
	net_decode(&pcap, &m, 1, &pkt);
	assert_int_equal(pkt.class, NET_FOREIGN); /* another port's MAC */
	assert_int_equal(pkt.tagged, 0);
	assert_int_equal(net_vlan_push(&ring, m), 0);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), want, 146);
	assert_int_equal(net_vlan_push(&pcap, m), 0);
	assert_int_equal(m->data_len, 146);
	rte_pktmbuf_free(m);
}

/* A frame in pieces becomes one, unless the first mbuf is too small for it. */
static void pieces_become_one(void **state)
{
	struct net_hop hop = hop_to(&ring);
	struct rte_mbuf *m = payload(1000), *tail = rte_pktmbuf_alloc(pool);
	struct net_pkt pkt;

	net_encode(&ring, &hop, &src, &dst, m);
	memcpy(rte_pktmbuf_append(tail, 500), rte_pktmbuf_mtod_offset(m, void *, m->data_len - 500), 500);
	rte_pktmbuf_trim(m, 500);
	assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
	net_decode(&ring, &m, 1, &pkt);
	assert_int_equal(pkt.class, NET_UDP);
	assert_int_equal(m->nb_segs, 1);
	tail = rte_pktmbuf_alloc(pool);
	rte_pktmbuf_append(tail, rte_pktmbuf_tailroom(tail));
	assert_int_equal(rte_pktmbuf_chain(m, tail), 0);
	net_decode(&ring, &m, 1, &pkt);
	assert_int_equal(pkt.class, NET_MALFORMED);
	rte_pktmbuf_free(m);
}

static void a_capture_is_played(void **state)
{
	struct net_port_info info;
	struct rte_mbuf *m[LIMIT_BURST];
	struct net_pkt pkts[LIMIT_BURST];
	uint32_t seen = 0;
	uint16_t n;

	while ((n = rte_eth_rx_burst(pcap.id, 0, m, LIMIT_BURST)) > 0) {
		net_decode(&pcap, m, n, pkts);
		for (uint16_t i = 0; i < n; i++, seen++) {
			assert_int_equal(pkts[i].class, NET_UDP);
			assert_int_equal(pkts[i].payload_len, seen * 13);
		}
		assert_int_equal(rte_eth_tx_burst(pcap.id, 0, m, n), n);
	}
	assert_int_equal(seen, FRAMES);
	assert_int_equal(net_port_info(&pcap, &info), 0);
	assert_int_equal(info.rx_packets, FRAMES);
	assert_int_equal(info.tx_packets, FRAMES);
	assert_string_equal(info.device, "net_pcap1");
	assert_true(info.link_up);
}

static void sum_up(void *ctx, const char *name, uint64_t value)
{
	if (strcmp(name, "rx_good_packets") == 0)
		*(uint64_t *)ctx = value;
}

static void extended_counters(void **state)
{
	uint64_t n = 0;

	assert_int_equal(net_port_xstats(&ring, sum_up, &n), 0);
	assert_true(n >= LIMIT_BURST * 1000);
}

static int churn(void *arg)
{
	struct rte_mbuf *m[LIMIT_BURST];

	for (unsigned i = 0; i < 50000; i++) {
		if (rte_pktmbuf_alloc_bulk(pool, m, LIMIT_BURST) != 0)
			return 1;
		rte_pktmbuf_free_bulk(m, LIMIT_BURST);
	}
	return 0;
}

/* The pool as a whole comes back, with the cores of both workers the same. */
static void workers_share_a_core(void **state)
{
	unsigned before = rte_mempool_avail_count(pool), lcore;

	assert_int_equal(rte_lcore_count(), 3);
	for (lcore = 1; lcore <= 2; lcore++)
		assert_int_equal(rte_eal_remote_launch(churn, NULL, lcore), 0);
	for (lcore = 1; lcore <= 2; lcore++)
		assert_int_equal(rte_eal_wait_lcore(lcore), 0);
	assert_int_equal(rte_mempool_avail_count(pool), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pool_is_as_asked),      cmocka_unit_test(wishes_that_cannot_be),
		cmocka_unit_test(a_burst_goes_around),       cmocka_unit_test(what_cannot_be_sent),
		cmocka_unit_test(checksum_work_for_the_nic), cmocka_unit_test(tags_come_off_and_on),
		cmocka_unit_test(pieces_become_one),         cmocka_unit_test(a_capture_is_played),
		cmocka_unit_test(extended_counters),         cmocka_unit_test(workers_share_a_core),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
