/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The few words that every room speaks: text slice, transport address, SIP method.
 * No functions that allocate, no dependency but the C library.
 */
#ifndef WEIR_CONF_TYPES_H
#define WEIR_CONF_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A piece of text inside somebody else's bytes. Not NUL-terminated. p may be NULL only if n is 0. */
struct str {
	const char *p;
	uint32_t n; /* bytes */
};

#define STR(literal) ((struct str){ (literal), sizeof(literal) - 1 })

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case-insensitive equality, for names of headers, parameters and hosts (RFC 3261 7.3.1). */
static inline bool str_eq_nocase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (uint32_t i = 0; i < a.n; i++) {
		unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];

		if (x == y)
			continue;
		if ((x ^ y) != 0x20 || (x | 0x20) < 'a' || (x | 0x20) > 'z')
			return false;
	}
	return true;
}

/* memcpy() for pieces of messages, most of which are shorter than a call is worth: two moves that may
 * overlap. */
static inline void bytes_copy(void *to, const void *from, uint32_t n)
{
	char *t = (char *)to;
	const char *f = (const char *)from;

	if (n > 32) {
		memcpy(to, from, n);
	} else if (n >= 16) {
		char first[16], last[16];

		memcpy(first, f, 16);
		memcpy(last, f + n - 16, 16);
		memcpy(t, first, 16);
		memcpy(t + n - 16, last, 16);
	} else if (n >= 8) {
		uint64_t first, last;

		memcpy(&first, f, 8);
		memcpy(&last, f + n - 8, 8);
		memcpy(t, &first, 8);
		memcpy(t + n - 8, &last, 8);
	} else {
		for (uint32_t i = 0; i < n; i++)
			t[i] = f[i];
	}
}

/*
 * An IP address with a port. IPv4 is kept v4-mapped (::ffff:a.b.c.d), so that one comparison serves
 * both families. All padding is named, so that two addresses can be compared and hashed as bytes.
 */
struct addr {
	uint8_t ip[16]; /* network byte order */
	uint16_t port;  /* host byte order; 0 where the port does not matter */
	uint8_t v6;     /* 1: IPv6, 0: IPv4 (ip is v4-mapped) */
	uint8_t pad[5]; /* zero */
};
_Static_assert(sizeof(struct addr) == 24, "struct addr is compared and hashed as bytes");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "addr_v4() writes its bytes as words");

static inline bool addr_eq(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline bool addr_same_ip(const struct addr *a, const struct addr *b)
{
	return memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* ip_be: IPv4 address in network byte order; port in host byte order. */
static inline struct addr addr_v4(uint32_t ip_be, uint16_t port)
{
	/* whole words: a copy of what was written in pieces would wait for them */
	const uint64_t words[3] = { 0, (uint64_t)ip_be << 32 | 0xffff0000, port };
	struct addr a;

	memcpy(&a, words, sizeof(a));
	return a;
}

/* ip: 16 bytes in network byte order; port in host byte order. */
static inline struct addr addr_v6(const void *ip, uint16_t port)
{
	struct addr a = { .port = port, .v6 = 1 };

	memcpy(a.ip, ip, 16);
	return a;
}

/* IPv4 address in network byte order; only for a->v6 == 0. */
static inline uint32_t addr_ip4_be(const struct addr *a)
{
	uint32_t ip;

	memcpy(&ip, a->ip + 12, 4);
	return ip;
}

enum method {
	METHOD_OTHER,
#define METHOD(name, text) METHOD_##name,
#include "conf/methods.def"
#undef METHOD
	METHOD_COUNT
};

#endif
