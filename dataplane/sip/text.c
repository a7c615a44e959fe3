/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses and numbers from and to text. Called per message, so nothing here uses stdio.
 */
#include "dataplane/sip/chars.h"

#include <arpa/inet.h>

/* A number of at most 255, as most are. */
static inline uint32_t byte_text(uint32_t v, char *out)
{
	uint32_t hundreds = v / 100, tens = v / 10, n = 0;

	if (hundreds)
		out[n++] = (char)('0' + hundreds);
	if (tens)
		out[n++] = (char)('0' + tens - 10 * hundreds);
	out[n++] = (char)('0' + v - 10 * tens);
	return n;
}

uint32_t sip_number_text(uint32_t v, char out[10])
{
	uint32_t n = 1;

	for (uint32_t rest = v; rest >= 10; rest /= 10)
		n++;
	for (uint32_t i = n; i-- > 0; v /= 10)
		out[i] = (char)('0' + v % 10);
	return n;
}

uint32_t sip_ip_text(const struct addr *a, char out[SIP_ADDR_TEXT])
{
	uint32_t n = 0;

	if (a->v6) {
		inet_ntop(AF_INET6, a->ip, out, SIP_ADDR_TEXT);
		return (uint32_t)strlen(out);
	}
	for (int i = 12; i < 16; i++) {
		n += byte_text(a->ip[i], out + n);
		if (i < 15)
			out[n++] = '.';
	}
	return n;
}

uint32_t sip_hostport_text(const struct addr *a, char out[SIP_ADDR_TEXT])
{
	uint32_t n = 0;

	if (a->v6)
		out[n++] = '[';
	n += sip_ip_text(a, out + n);
	if (a->v6)
		out[n++] = ']';
	if (a->port) {
		out[n++] = ':';
		n += sip_number_text(a->port, out + n);
	}
	return n;
}

/* Four decimal parts, each 0..255 without leading zeros: as inet_pton reads it. */
static bool ipv4(struct str host, uint32_t *ip_be)
{
	uint32_t p = 0, ip = 0;

	for (int part = 0; part < 4; part++) {
		uint32_t value = 0, from = p;

		for (; p < host.n && host.p[p] >= '0' && host.p[p] <= '9' && value <= 255; p++)
			value = value * 10 + (uint32_t)(host.p[p] - '0');
		if (p == from || value > 255 || (host.p[from] == '0' && p - from > 1))
			return false;
		ip |= value << 8 * part;
		if (part < 3 && (p == host.n || host.p[p++] != '.'))
			return false;
	}
	*ip_be = ip;
	return p == host.n;
}

static bool ipv6(struct str host, uint8_t ip[16])
{
	char text[INET6_ADDRSTRLEN + 1];
	uint32_t n = 0;

	for (uint32_t i = 0; i < host.n; i++) {
		if (i >= 2 && host.p[i] == ':' && host.p[i - 1] == ':' && host.p[i - 2] == ':')
			continue;
		if (host.p[i] == '\0' || n == sizeof(text) - 1)
			return false;
		text[n++] = host.p[i];
	}
	text[n] = '\0';
	return inet_pton(AF_INET6, text, ip) == 1;
}

bool sip_host_addr(struct str host, uint16_t port, struct addr *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	uint8_t ip[16];
	uint32_t ip_be;

	if (host.n >= 2 && host.p[0] == '[' && host.p[host.n - 1] == ']')
		host = (struct str){ host.p + 1, host.n - 2 };
	else if (ipv4(host, &ip_be)) {
		*out = addr_v4(ip_be, port);
		return true;
	}
	if (host.n == 0 || !memchr(host.p, ':', host.n) || !ipv6(host, ip))
		return false;
	*out = addr_v6(ip, port);
	out->v6 = memcmp(ip, mapped, sizeof(mapped)) != 0;
	return true;
}
