/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a received frame is, and the headers of a frame to send. Pure: works on bytes, knows no mbuf. Workers.
 * A frame is NET_UDP only if every length in it fits inside the next outer one and its checksums hold; every
 * read is checked against the end of the packet first.
 */
#include "dataplane/net/net.h"

#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>

#include "dataplane/net/csum.h"

#define ETH_LEN     14
#define VLAN_LEN    4
#define IP4_LEN     20
#define IP6_LEN     40
#define UDP_LEN     8
#define IP6_MAX_EXT 8 /* extension headers that are walked; more have no use before UDP */
#define TTL         64

static inline uint16_t get16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return ntohs(v);
}

static inline void put16(uint8_t *p, uint16_t v)
{
	v = htons(v);
	memcpy(p, &v, 2);
}

/* v is already in network order, or a checksum. */
static inline void put16_raw(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, 2);
}

/* net_sum() of the few bytes of a header, a multiple of four. */
static inline uint64_t header_sum(const uint8_t *p, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < n; i += 4) {
		uint32_t word;

		memcpy(&word, p + i, 4);
		sum += word;
	}
	return sum;
}

/* Sum of an IPv4 or IPv6 pseudo header (RFC 768, RFC 8200 8.1): both addresses, length, protocol. */
static inline uint64_t pseudo_sum(const uint8_t *addresses, uint32_t n, uint16_t udp_len)
{
	return header_sum(addresses, n) + htons(udp_len) + htons(IPPROTO_UDP);
}

/* Sources no host may have: this network, loopback, multicast and reserved (RFC 1122 3.2.1.3). */
static bool martian4(const uint8_t *src)
{
	return src[0] == 0 || src[0] == 127 || src[0] >= 224;
}

static bool mapped6(const uint8_t *ip)
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip, prefix, 12) == 0;
}

/*
 * Multicast, unspecified and loopback sources; IPv4-mapped addresses at either end, which would pass for IPv4
 * ones in struct addr.
 */
static bool martian6(const uint8_t *src, const uint8_t *dst)
{
	static const uint8_t zero[15];

	return src[0] == 0xff || (memcmp(src, zero, 15) == 0 && src[15] <= 1) || mapped6(src) || mapped6(dst);
}

/* Into a zeroed address, in place: a copy made of pieces would be read before its pieces have landed. */
static void set_ip4(struct addr *a, const uint8_t *ip)
{
	a->ip[10] = a->ip[11] = 0xff;
	memcpy(a->ip + 12, ip, 4);
}

static void set_ip6(struct addr *a, const uint8_t *ip)
{
	memcpy(a->ip, ip, 16);
	a->v6 = 1;
}

/* A UDP datagram of at most n bytes at frame + pkt->l4; pseudo: its addresses, alen bytes. */
static enum net_class parse_udp(const uint8_t *frame, uint32_t n, const uint8_t *pseudo, uint32_t alen,
				bool check, struct net_pkt *pkt)
{
	const uint8_t *udp = frame + pkt->l4;
	uint16_t len, sum;

	if (n < UDP_LEN)
		return NET_MALFORMED;
	len = get16(udp + 4);
	if (len < UDP_LEN || len > n)
		return NET_MALFORMED;
	memcpy(&sum, udp + 6, 2);
	if (sum == 0 && alen == 32)
		return NET_BAD_CSUM;
	if (check && sum != 0 && net_fold(net_sum(udp, len) + pseudo_sum(pseudo, alen, len)) != 0xffff)
		return NET_BAD_CSUM;
	pkt->src.port = get16(udp);
	pkt->dst.port = get16(udp + 2);
	pkt->payload = (uint16_t)(pkt->l4 + UDP_LEN);
	pkt->payload_len = (uint16_t)(len - UDP_LEN);
	return NET_UDP;
}

static enum net_class parse_ip4(const uint8_t *frame, uint32_t len, enum net_verdict ip_ok, bool check_udp,
				struct net_pkt *pkt)
{
	const uint8_t *ip = frame + pkt->l3;
	uint32_t n = len - pkt->l3, ihl, total;

	if (n < IP4_LEN || ip[0] >> 4 != 4)
		return NET_MALFORMED;
	ihl = (ip[0] & 15) * 4u;
	total = get16(ip + 2);
	if (ihl < IP4_LEN || total < ihl || total > n)
		return NET_MALFORMED;
	if (ip[9] != IPPROTO_UDP)
		return NET_OTHER;
	if (ip_ok == NET_BAD || (ip_ok == NET_UNKNOWN && net_fold(header_sum(ip, ihl)) != 0xffff))
		return NET_BAD_CSUM;
	if (martian4(ip + 12))
		return NET_MARTIAN;
	set_ip4(&pkt->src, ip + 12);
	set_ip4(&pkt->dst, ip + 16);
	pkt->l4 = (uint16_t)(pkt->l3 + ihl);
	if (get16(ip + 6) & 0x3fff) /* more fragments, or an offset */
		return NET_FRAGMENT;
	return parse_udp(frame, total - ihl, ip + 12, 8, check_udp, pkt);
}

/*
 * Walk IPv6 extension headers (RFC 8200 4) to the UDP header. ip: the IPv6 header, end: bytes of the packet.
 * Sets *at to the offset from ip of what follows. NET_UDP stands for "UDP follows".
 */
static enum net_class walk_ip6(const uint8_t *ip, uint32_t end, uint32_t *at)
{
	uint8_t next = ip[6];
	bool fragment = false;

	*at = IP6_LEN;
	for (unsigned i = 0; i <= IP6_MAX_EXT; i++) {
		uint32_t n;

		if (next == IPPROTO_UDP)
			return fragment ? NET_FRAGMENT : NET_UDP;
		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_AH)
			return NET_OTHER;
		if (end - *at < 8)
			return NET_MALFORMED;
		if (next == IPPROTO_FRAGMENT) {
			uint16_t off = get16(ip + *at + 2);

			fragment = (off & 0xfff9) != 0; /* an atomic fragment is a whole packet (RFC 6946) */
			n = 8;
		} else if (next == IPPROTO_AH) {
			n = (ip[*at + 1] + 2u) * 4;
		} else {
			if (next == IPPROTO_ROUTING && ip[*at + 3] != 0)
				return NET_OTHER; /* segments left: not at its last destination */
			n = (ip[*at + 1] + 1u) * 8;
		}
		next = ip[*at];
		if (n > end - *at)
			return NET_MALFORMED;
		*at += n;
		if (fragment)
			return next == IPPROTO_UDP ? NET_FRAGMENT : NET_OTHER;
	}
	return NET_MALFORMED;
}

/* Solicitations, advertisements and redirects from this very link: only there the hop limit is whole (RFC
 * 4861). */
static bool is_nd(const uint8_t *ip, uint32_t end)
{
	const uint8_t *icmp = ip + IP6_LEN;

	return ip[6] == IPPROTO_ICMPV6 && ip[7] == 255 && end > IP6_LEN && icmp[0] >= ND_ROUTER_SOLICIT &&
	       icmp[0] <= ND_REDIRECT;
}

static enum net_class parse_ip6(const uint8_t *frame, uint32_t len, bool check_udp, struct net_pkt *pkt)
{
	const uint8_t *ip = frame + pkt->l3;
	uint32_t n = len - pkt->l3, end, at;
	enum net_class class;

	if (n < IP6_LEN || ip[0] >> 4 != 6)
		return NET_MALFORMED;
	end = IP6_LEN + get16(ip + 4);
	if (end > n)
		return NET_MALFORMED;
	class = walk_ip6(ip, end, &at);
	if (class == NET_OTHER && is_nd(ip, end))
		return NET_NEIGHBOUR;
	if (class != NET_UDP && class != NET_FRAGMENT)
		return class;
	if (martian6(ip + 8, ip + 24))
		return NET_MARTIAN;
	set_ip6(&pkt->src, ip + 8);
	set_ip6(&pkt->dst, ip + 24);
	pkt->l4 = (uint16_t)(pkt->l3 + at);
	if (class == NET_FRAGMENT)
		return class;
	return parse_udp(frame, end - at, ip + 8, 32, check_udp, pkt);
}

/* Group addresses go on: ND and VRRP live there. */
static bool for_us(const struct net_port *port, const uint8_t *mac)
{
	return (mac[0] & 1) || memcmp(mac, port->mac, NET_MAC) == 0;
}

enum net_class net_parse(const struct net_port *port, const uint8_t *frame, uint32_t len, enum net_verdict ip,
			 enum net_verdict l4, struct net_pkt *out)
{
	enum net_class class;
	uint16_t type, vlan = 0;

	memset(out, 0, sizeof(*out));
	out->port = port->index;
	out->class = NET_MALFORMED;
	if (len < ETH_LEN || len > UINT16_MAX)
		return NET_MALFORMED;
	out->l3 = ETH_LEN;
	type = get16(frame + 12);
	if (type == ETHERTYPE_VLAN) {
		if (len < ETH_LEN + VLAN_LEN)
			return NET_MALFORMED;
		vlan = get16(frame + 14) & 0xfff; /* 0: only a priority, no VLAN (IEEE 802.1Q 9.6) */
		type = get16(frame + 16);
		out->l3 += VLAN_LEN;
		out->tagged = 1;
	}
	if (port->trust)
		ip = l4 = NET_GOOD;
	if (vlan != port->vlan || !for_us(port, frame))
		class = NET_FOREIGN;
	else if (type == ETHERTYPE_IP)
		class = parse_ip4(frame, len, ip, l4 != NET_GOOD, out);
	else if (type == ETHERTYPE_IPV6)
		class = parse_ip6(frame, len, l4 != NET_GOOD, out);
	else
		class = type == ETHERTYPE_ARP ? NET_NEIGHBOUR : NET_OTHER;
	out->class = class;
	return class;
}

/* Sum of an address as it goes on the wire. Read from struct addr, not from bytes written just before. */
static uint64_t addr_sum(const struct addr *a)
{
	return a->v6 ? header_sum(a->ip, 16) : addr_ip4_be(a);
}

/* IPv4 header at ip for a datagram of udp_len bytes. */
static void write_ip4(uint8_t *ip, const struct addr *src, const struct addr *dst, uint16_t udp_len, bool hw)
{
	uint32_t s = addr_ip4_be(src), d = addr_ip4_be(dst);
	uint16_t total = (uint16_t)(IP4_LEN + udp_len);
	uint64_t sum = (uint64_t)s + d + htons(total) + htons(0x4500) + htons(0x4000) +
		       htons(TTL << 8 | IPPROTO_UDP);

	memcpy(ip, (const uint8_t[12]){ 0x45, [6] = 0x40, [8] = TTL, [9] = IPPROTO_UDP }, 12);
	put16(ip + 2, total);
	if (!hw)
		put16_raw(ip + 10, (uint16_t)~net_fold(sum));
	memcpy(ip + 12, &s, 4);
	memcpy(ip + 16, &d, 4);
}

static void write_ip6(uint8_t *ip, const struct addr *src, const struct addr *dst, uint16_t udp_len)
{
	memcpy(ip, (const uint8_t[8]){ 0x60, [6] = IPPROTO_UDP, [7] = TTL }, 8);
	put16(ip + 4, udp_len);
	memcpy(ip + 8, src->ip, 16);
	memcpy(ip + 24, dst->ip, 16);
}

/* UDP header at udp for a datagram of len bytes, header included, whose payload follows it. */
static void write_udp(uint8_t *udp, const struct addr *src, const struct addr *dst, uint16_t len, bool hw)
{
	uint64_t sum = addr_sum(src) + addr_sum(dst) + htons(len) + htons(IPPROTO_UDP);
	uint16_t field = net_fold(sum);

	if (!hw) {
		sum += (uint64_t)htons(src->port) + htons(dst->port) + htons(len);
		field = (uint16_t)~net_fold(sum + net_sum(udp + UDP_LEN, len - UDP_LEN));
		field = field ? field : 0xffff; /* zero would mean "none" (RFC 768) */
	}
	put16(udp, src->port);
	put16(udp + 2, dst->port);
	put16(udp + 4, len);
	put16_raw(udp + 6, field);
}

uint32_t net_write_headers(const struct net_port *port, const struct net_hop *hop, const struct addr *src,
			   const struct addr *dst, bool hw, uint8_t *p, uint16_t len)
{
	uint16_t udp_len = (uint16_t)(len + UDP_LEN);
	uint32_t ip_len = dst->v6 ? IP6_LEN : IP4_LEN;
	uint32_t l2 = port->vlan ? ETH_LEN + VLAN_LEN : ETH_LEN;
	uint8_t *udp = p - UDP_LEN, *ip = udp - ip_len, *eth = ip - l2;

	write_udp(udp, src, dst, udp_len, hw);
	if (dst->v6)
		write_ip6(ip, src, dst, udp_len);
	else
		write_ip4(ip, src, dst, udp_len, hw);
	memcpy(eth, hop->dmac, NET_MAC);
	memcpy(eth + NET_MAC, hop->smac, NET_MAC);
	if (port->vlan) {
		put16(eth + 12, ETHERTYPE_VLAN);
		put16(eth + 14, port->vlan);
	}
	put16(ip - 2, dst->v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	return (uint32_t)(p - eth);
}
