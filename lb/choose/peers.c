/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses to gateways and peers. Gateways: one probe by address, one more where several share it. Peers:
 * one probe per prefix length in use, longest first, so thousands of prefixes cost no more than their few
 * lengths. The tables hold what the operator configured, so their hash needs no key. Any thread reads.
 */
#include <errno.h>
#include "lb/base/hash.h"
#include "lb/choose/peers.h"

#define V4_BITS 96 /* length of ::ffff:0:0, under which IPv4 lives */

static inline uint32_t mix(uint64_t hi, uint64_t lo, uint32_t n)
{
	uint64_t h = (hi ^ 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9 + lo;

	return ((h ^ h >> 32 ^ n) * 0x94d049bb133111eb) >> 32;
}

static inline uint32_t mix_ip(const struct addr *a, uint32_t n)
{
	uint64_t w[2];

	memcpy(w, a->ip, 16);
	return mix(w[0], w[1], n);
}

/* The first empty cell of the chain that starts at h. */
static uint32_t *empty_cell(struct index *x, uint32_t h)
{
	uint32_t i = h & x->mask;

	while (x->cell[i])
		i = (i + 1) & x->mask;
	return &x->cell[i];
}

const struct gateway *gateway_by_id(const struct lb_snapshot *s, uint32_t id)
{
	for (uint32_t i = id & s->by_id.mask; s->by_id.cell[i]; i = (i + 1) & s->by_id.mask) {
		const struct gateway *g = &s->gateways[s->by_id.cell[i] - 1];

		if (g->id == id)
			return g;
	}
	return NULL;
}

static const struct gateway *find_addr(const struct lb_snapshot *s, const struct addr *a)
{
	const struct index *x = &s->by_addr;

	for (uint32_t i = mix_ip(a, a->port) & x->mask; x->cell[i]; i = (i + 1) & x->mask) {
		const struct gateway *g = &s->gateways[x->cell[i] - 1];

		if (addr_eq(&g->addr, a))
			return g;
	}
	return NULL;
}

static const struct gateway *find_ip(const struct lb_snapshot *s, const struct addr *a)
{
	const struct index *x = &s->by_ip;

	for (uint32_t i = mix_ip(a, 0) & x->mask; x->cell[i]; i = (i + 1) & x->mask) {
		const struct gateway *g = &s->gateways[x->cell[i] - 1];

		if (addr_same_ip(&g->addr, a))
			return g;
	}
	return NULL;
}

const struct gateway *gateway_at(const struct lb_snapshot *s, const struct addr *a)
{
	const struct gateway *one = find_ip(s, a), *exact;

	if (!one || one->addr.port == a->port)
		return one;
	exact = find_addr(s, a);
	return exact ? exact : one;
}

int peers_index_gateways(struct lb_snapshot *s)
{
	for (uint32_t i = 0; i < s->n_gateways; i++) {
		const struct gateway *g = &s->gateways[i];

		if (gateway_by_id(s, g->id))
			return -EEXIST;
		*empty_cell(&s->by_id, g->id) = i + 1;
		*empty_cell(&s->by_addr, mix_ip(&g->addr, g->addr.port)) = i + 1;
		if (!find_ip(s, &g->addr))
			*empty_cell(&s->by_ip, mix_ip(&g->addr, 0)) = i + 1;
	}
	return 0;
}

/* The first n bits of a 64-bit word; n may be anything. */
static inline uint64_t first_bits(int n)
{
	return n <= 0 ? 0 : n >= 64 ? UINT64_MAX : ~(UINT64_MAX >> n);
}

static inline struct prefix cut(uint64_t hi, uint64_t lo, uint8_t len)
{
	return (struct prefix){ .hi = hi & first_bits(len), .lo = lo & first_bits(len - 64), .len = len };
}

struct prefix prefix_of(const uint8_t ip[16], uint8_t len)
{
	uint64_t w[2];

	memcpy(w, ip, 16);
	return cut(__builtin_bswap64(w[0]), __builtin_bswap64(w[1]), len);
}

static const struct prefix *find_prefix(const struct lb_snapshot *s, const struct prefix *p)
{
	const struct index *x = &s->by_prefix;

	for (uint32_t i = mix(p->hi, p->lo, p->len) & x->mask; x->cell[i]; i = (i + 1) & x->mask) {
		const struct prefix *have = &s->prefixes[x->cell[i] - 1];

		if (have->hi == p->hi && have->lo == p->lo && have->len == p->len)
			return have;
	}
	return NULL;
}

uint16_t peer_at(const struct lb_snapshot *s, const struct addr *a)
{
	const uint8_t *len = a->v6 ? s->len6 : s->len4;
	unsigned n = a->v6 ? s->n_len6 : s->n_len4;
	struct prefix all = prefix_of(a->ip, 128);

	for (unsigned i = 0; i < n; i++) {
		struct prefix p = cut(all.hi, all.lo, len[i]);
		const struct prefix *found = find_prefix(s, &p);

		if (found)
			return found->peer;
	}
	return LB_NONE;
}

static bool is_v4(const struct prefix *p)
{
	return p->len >= V4_BITS && p->hi == 0 && p->lo >> 32 == 0xffff;
}

void peers_index_prefixes(struct lb_snapshot *s)
{
	bool v4[129] = { false }, v6[129] = { false };

	for (uint32_t i = 0; i < s->n_prefixes; i++) {
		const struct prefix *p = &s->prefixes[i];

		*(is_v4(p) ? &v4[p->len] : &v6[p->len]) = true;
		if (!find_prefix(s, p))
			*empty_cell(&s->by_prefix, mix(p->hi, p->lo, p->len)) = i + 1;
	}
	for (int len = 128; len >= 0; len--) {
		if (v4[len])
			s->len4[s->n_len4++] = len;
		if (v6[len])
			s->len6[s->n_len6++] = len;
	}
}
