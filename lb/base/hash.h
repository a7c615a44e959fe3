/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-1-3 for the inside of the room: over whole 64-bit words, whose number the compiler knows.
 * Any thread; no state. hash_words(k, w, n) equals lb_hash(k, w, 8 * n).
 */
#ifndef WEIR_LB_HASH_H
#define WEIR_LB_HASH_H

#include "lb/lb.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hashes and tokens read words as little-endian");

struct sip_state {
	uint64_t a, b, c, d;
};

static inline uint64_t rotl64(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void hash_round(struct sip_state *v)
{
	v->a += v->b;
	v->c += v->d;
	v->b = rotl64(v->b, 13) ^ v->a;
	v->d = rotl64(v->d, 16) ^ v->c;
	v->a = rotl64(v->a, 32) + v->d;
	v->c += v->b;
	v->d = rotl64(v->d, 21) ^ v->a;
	v->b = rotl64(v->b, 17) ^ v->c;
	v->c = rotl64(v->c, 32);
}

static inline struct sip_state hash_start(const struct lb_key *key)
{
	return (struct sip_state){
		.a = key->k[0] ^ 0x736f6d6570736575,
		.b = key->k[1] ^ 0x646f72616e646f6d,
		.c = key->k[0] ^ 0x6c7967656e657261,
		.d = key->k[1] ^ 0x7465646279746573,
	};
}

static inline void hash_word(struct sip_state *v, uint64_t m)
{
	v->d ^= m;
	hash_round(v);
	v->a ^= m;
}

static inline uint64_t hash_end(struct sip_state *v)
{
	v->c ^= 0xff;
	hash_round(v);
	hash_round(v);
	hash_round(v);
	return v->a ^ v->b ^ v->c ^ v->d;
}

static inline uint64_t hash_words(const struct lb_key *key, const uint64_t *w, unsigned n)
{
	struct sip_state v = hash_start(key);

	for (unsigned i = 0; i < n; i++)
		hash_word(&v, w[i]);
	hash_word(&v, (uint64_t)(n * 8) << 56);
	return hash_end(&v);
}

/* Spreads 64 bits that are already a keyed hash once more: a second, third … place for the same key. */
static inline uint64_t hash_again(uint64_t h)
{
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9;
	return h ^ h >> 32;
}

/* Maps 64 hash bits evenly onto 0..n-1 without a division. */
static inline uint32_t hash_scale(uint64_t h, uint32_t n)
{
	return (unsigned __int128)h * n >> 64;
}

#endif
