/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames in mbufs: the thin layer between DPDK and frame.c. Workers. Mbufs inside Weir have one segment:
 * AF_XDP mis-sends chained and indirect ones.
 */
#include "dataplane/net/net.h"

#include <errno.h>

#include <rte_ip.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>
#include <rte_udp.h>

#define VLAN_LEN 4
#define AHEAD    4 /* frames whose headers are fetched in advance */

static enum net_verdict ip_verdict(uint64_t flags)
{
	flags &= RTE_MBUF_F_RX_IP_CKSUM_MASK;
	if (flags == RTE_MBUF_F_RX_IP_CKSUM_UNKNOWN)
		return NET_UNKNOWN;
	return flags == RTE_MBUF_F_RX_IP_CKSUM_BAD ? NET_BAD : NET_GOOD;
}

/* NONE: the sender is this machine and left the checksum to nobody; the data is right. */
static enum net_verdict l4_verdict(uint64_t flags)
{
	flags &= RTE_MBUF_F_RX_L4_CKSUM_MASK;
	if (flags == RTE_MBUF_F_RX_L4_CKSUM_UNKNOWN)
		return NET_UNKNOWN;
	return flags == RTE_MBUF_F_RX_L4_CKSUM_BAD ? NET_BAD : NET_GOOD;
}

void net_decode(const struct net_port *port, struct rte_mbuf **mbufs, uint32_t n, struct net_pkt *out)
{
	for (uint32_t i = 0; i < n && i < AHEAD; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], void *));
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m = mbufs[i];

		if (i + AHEAD < n)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + AHEAD], void *));
		if (unlikely(m->nb_segs > 1) && rte_pktmbuf_linearize(m) != 0) {
			out[i] = (struct net_pkt){ .port = port->index, .class = NET_MALFORMED };
			continue;
		}
		net_parse(port, rte_pktmbuf_mtod(m, uint8_t *), m->data_len, ip_verdict(m->ol_flags),
			  l4_verdict(m->ol_flags), &out[i]);
	}
}

void net_vlan_pop(struct rte_mbuf *m)
{
	uint8_t *p = rte_pktmbuf_mtod(m, uint8_t *);

	memmove(p + VLAN_LEN, p, 2 * NET_MAC);
	rte_pktmbuf_adj(m, VLAN_LEN);
}

int net_vlan_push(const struct net_port *port, struct rte_mbuf *m)
{
	uint8_t *p;

	if (port->vlan == 0)
		return 0;
	p = (uint8_t *)rte_pktmbuf_prepend(m, VLAN_LEN);
	if (p == NULL)
		return -ENOBUFS;
	memmove(p, p + VLAN_LEN, 2 * NET_MAC);
	memcpy(p + 2 * NET_MAC, (uint8_t[4]){ 0x81, 0x00, (uint8_t)(port->vlan >> 8), (uint8_t)port->vlan },
	       4);
	return 0;
}

enum net_tx net_encode(const struct net_port *port, const struct net_hop *hop, const struct addr *src,
		       const struct addr *dst, struct rte_mbuf *m)
{
	uint32_t ip_len = dst->v6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint32_t n = m->data_len + ip_len + sizeof(struct rte_udp_hdr), written;
	bool hw = port->hw_tx_csum && hop->state == NET_HOP_READY;

	if (n > port->mtu)
		return NET_TX_TOO_LONG;
	if (rte_pktmbuf_headroom(m) < NET_HEADERS)
		return NET_TX_NO_ROOM;
	written = net_write_headers(port, hop, src, dst, hw, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	rte_pktmbuf_prepend(m, (uint16_t)written);
	if (hw) {
		m->ol_flags |=
			dst->v6 ? RTE_MBUF_F_TX_IPV6 | RTE_MBUF_F_TX_UDP_CKSUM
				: RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_UDP_CKSUM;
		m->l2_len = written - ip_len - sizeof(struct rte_udp_hdr);
		m->l3_len = ip_len;
		m->l4_len = sizeof(struct rte_udp_hdr);
	}
	return NET_TX_OK;
}
