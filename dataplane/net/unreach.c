/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP and ICMPv6 messages about a datagram that did not arrive: what they quote of it (RFC 792, RFC
 * 4443 3.1). Pure: works on bytes. Every read is checked against the end of the frame first. Workers.
 */
#include "dataplane/net/net.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>

#define IP4_LEN   20
#define IP6_LEN   40
#define UDP_LEN   8
#define ICMP_LEN  8
#define TOO_LARGE 4 /* code of ICMP type 3: a question of size, not of who is there */

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* As it lies there, in network order. */
static inline uint32_t get32_raw(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

/* The quoted IPv4 packet at p, n bytes of it there. */
static bool quote4(const uint8_t *p, uint32_t n, struct net_quote *out)
{
	uint32_t ihl;

	if (n < IP4_LEN)
		return false;
	ihl = (p[0] & 15) * 4u;
	if (p[0] >> 4 != 4 || ihl < IP4_LEN || n < ihl + UDP_LEN || p[9] != IPPROTO_UDP ||
	    get16(p + 6) & 0x1fff)
		return false;
	out->src = addr_v4(get32_raw(p + 12), get16(p + ihl));
	out->dst = addr_v4(get32_raw(p + 16), get16(p + ihl + 2));
	out->payload = p + ihl + UDP_LEN;
	out->n = n - ihl - UDP_LEN;
	return true;
}

static bool quote6(const uint8_t *p, uint32_t n, struct net_quote *out)
{
	if (n < IP6_LEN + UDP_LEN || p[0] >> 4 != 6 || p[6] != IPPROTO_UDP)
		return false;
	out->src = (struct addr){ .port = get16(p + IP6_LEN), .v6 = 1 };
	out->dst = (struct addr){ .port = get16(p + IP6_LEN + 2), .v6 = 1 };
	memcpy(out->src.ip, p + 8, 16);
	memcpy(out->dst.ip, p + 24, 16);
	out->payload = p + IP6_LEN + UDP_LEN;
	out->n = n - IP6_LEN - UDP_LEN;
	return true;
}

bool net_unreachable(const uint8_t *frame, uint32_t len, const struct net_pkt *pkt, struct net_quote *out)
{
	const uint8_t *ip = frame + pkt->l3;
	uint32_t n = len > pkt->l3 ? len - pkt->l3 : 0, total, ihl;
	uint16_t type = pkt->l3 >= 2 && len >= pkt->l3 ? get16(ip - 2) : 0;

	if (type == ETHERTYPE_IP && n >= IP4_LEN) {
		ihl = (ip[0] & 15) * 4u;
		total = get16(ip + 2);
		if (ip[9] != IPPROTO_ICMP || get16(ip + 6) & 0x3fff || total > n || ihl < IP4_LEN ||
		    total < ihl + ICMP_LEN || ip[ihl] != 3 || ip[ihl + 1] == TOO_LARGE)
			return false;
		return quote4(ip + ihl + ICMP_LEN, total - ihl - ICMP_LEN, out);
	}
	if (type == ETHERTYPE_IPV6 && n >= IP6_LEN) {
		total = get16(ip + 4);
		if (ip[6] != IPPROTO_ICMPV6 || total > n - IP6_LEN || total < ICMP_LEN || ip[IP6_LEN] != 1)
			return false;
		return quote6(ip + IP6_LEN + ICMP_LEN, total - ICMP_LEN, out);
	}
	return false;
}
