/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Texts of addresses and prefixes, and the kinds of scalars made of them. Strict: no names, no zones, no
 * leading zeros, no IPv4 inside IPv6 (that form is how struct addr keeps IPv4). Pure, any thread.
 */
#include <arpa/inet.h>
#include <errno.h>

#include "conf/conf.h"
#include "conf/value.h"

static bool v4_mapped(const uint8_t ip[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip, prefix, sizeof(prefix)) == 0;
}

/* Reads an address without port from n bytes. */
static int read_ip(const char *p, size_t n, struct addr *addr)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[16];

	if (n == 0 || n >= sizeof(text))
		return -EINVAL;
	memcpy(text, p, n);
	text[n] = '\0';
	if (inet_pton(AF_INET, text, ip) == 1) {
		uint32_t ip4;

		memcpy(&ip4, ip, 4);
		*addr = addr_v4(ip4, 0);
		return 0;
	}
	if (inet_pton(AF_INET6, text, ip) != 1 || v4_mapped(ip))
		return -EINVAL;
	*addr = addr_v6(ip, 0);
	return 0;
}

int conf_number(const char *p, size_t n, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0 || (n > 1 && p[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -EINVAL;
		if (v > (UINT64_MAX - 9) / 10)
			return -ERANGE;
		v = v * 10 + (uint64_t)(p[i] - '0');
	}
	*out = v;
	return v > max ? -ERANGE : 0;
}

int conf_addr_parse(const char *text, struct addr *addr)
{
	size_t n = strlen(text);
	const char *host = text, *end = text + n, *port = NULL;
	uint64_t number = 0;

	if (text[0] == '[') {
		host = text + 1;
		end = strchr(text, ']');
		if (end == NULL || end[1] != ':' || memchr(host, ':', (size_t)(end - host)) == NULL)
			return -EINVAL;
		port = end + 2;
	} else if (strchr(text, ':') == strrchr(text, ':') && strchr(text, ':') != NULL) {
		end = strchr(text, ':');
		port = end + 1;
	}
	if (port != NULL && (conf_number(port, strlen(port), UINT16_MAX, &number) != 0 || number == 0))
		return -EINVAL;
	if (read_ip(host, (size_t)(end - host), addr) != 0)
		return -EINVAL;
	addr->port = (uint16_t)number;
	return 0;
}

unsigned int conf_addr_text(const struct addr *addr, char text[CONF_ADDR_TEXT])
{
	char ip[INET6_ADDRSTRLEN];
	int n;

	inet_ntop(addr->v6 ? AF_INET6 : AF_INET, addr->v6 ? addr->ip : addr->ip + 12, ip, sizeof(ip));
	if (addr->port == 0)
		n = snprintf(text, CONF_ADDR_TEXT, "%s", ip);
	else
		n = snprintf(text, CONF_ADDR_TEXT, addr->v6 ? "[%s]:%u" : "%s:%u", ip, addr->port);
	return (unsigned int)n;
}

int conf_prefix_parse(const char *text, struct conf_prefix *prefix)
{
	const char *slash = strchr(text, '/');
	size_t n = slash != NULL ? (size_t)(slash - text) : strlen(text);
	uint64_t bits;
	int rc = read_ip(text, n, &prefix->addr);

	if (rc != 0)
		return rc;
	bits = prefix->addr.v6 ? 128 : 32;
	if (slash != NULL)
		rc = conf_number(slash + 1, strlen(slash + 1), bits, &bits);
	prefix->bits = (uint8_t)bits;
	return rc != 0 ? -EINVAL : 0;
}

/* Bits of the address that the prefix length counts, in the 128-bit form. */
static unsigned int mapped_bits(const struct conf_prefix *prefix)
{
	return prefix->addr.v6 ? prefix->bits : prefix->bits + 96u;
}

bool conf_prefix_is_net(const struct conf_prefix *prefix)
{
	for (unsigned int bit = mapped_bits(prefix); bit < 128; bit++)
		if (prefix->addr.ip[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

bool conf_prefix_holds(const struct conf_prefix *prefix, const struct addr *addr)
{
	if (prefix->addr.v6 != addr->v6)
		return false;
	for (unsigned int bit = 0; bit < mapped_bits(prefix); bit++)
		if ((prefix->addr.ip[bit / 8] ^ addr->ip[bit / 8]) & (0x80 >> bit % 8))
			return false;
	return true;
}

bool conf_addr_unicast(const struct addr *addr)
{
	static const uint8_t none[16];

	if (addr->v6)
		return addr->ip[0] != 0xff && memcmp(addr->ip, none, 16) != 0;
	return addr->ip[12] != 0 && addr->ip[12] < 224;
}

int conf_read_endpoint(const struct field *f, const char *text, void *out, struct arena *arena)
{
	struct addr addr;

	if (conf_addr_parse(text, &addr) != 0 || addr.port == 0 || !conf_addr_unicast(&addr))
		return -EINVAL;
	*(struct addr *)out = addr;
	return 0;
}

int conf_read_ip(const struct field *f, const char *text, void *out, struct arena *arena)
{
	struct addr addr;

	if (conf_addr_parse(text, &addr) != 0 || addr.port != 0 || !conf_addr_unicast(&addr))
		return -EINVAL;
	*(struct addr *)out = addr;
	return 0;
}

int conf_read_ifaddr(const struct field *f, const char *text, void *out, struct arena *arena)
{
	struct conf_prefix p;

	if (strchr(text, '/') == NULL || conf_prefix_parse(text, &p) != 0 || !conf_addr_unicast(&p.addr))
		return -EINVAL;
	if (conf_prefix_is_net(&p) && p.bits < (p.addr.v6 ? 127 : 31))
		return -EINVAL;
	*(struct conf_prefix *)out = p;
	return 0;
}

int conf_read_prefix(const struct field *f, const char *text, void *out, struct arena *arena)
{
	struct conf_prefix p;

	if (conf_prefix_parse(text, &p) != 0 || !conf_prefix_is_net(&p))
		return -EINVAL;
	*(struct conf_prefix *)out = p;
	return 0;
}

void conf_print_addr(const struct field *f, const void *in, char *text, size_t n)
{
	char addr[CONF_ADDR_TEXT];

	conf_addr_text(in, addr);
	snprintf(text, n, "%s", addr);
}

void conf_print_prefix(const struct field *f, const void *in, char *text, size_t n)
{
	const struct conf_prefix *p = in;
	char addr[CONF_ADDR_TEXT];

	conf_addr_text(&p->addr, addr);
	snprintf(text, n, "%s/%u", addr, p->bits);
}
