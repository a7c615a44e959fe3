/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-1-3 over bytes, tuned for the 8..64 bytes of Call-IDs, tags and branches: whole words first, the
 * rest with at most two loads that never leave the input. Any thread; no state.
 */
#include "lb/base/hash.h"

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, 8);
	return x;
}

static inline uint64_t load32(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, 4);
	return x;
}

/* The last n = 0..7 bytes as a little-endian number. Loads may overlap: they agree where they do. */
static inline uint64_t load_tail(const uint8_t *p, size_t n)
{
	if (n >= 4)
		return load32(p) | load32(p + n - 4) << 8 * (n - 4);
	if (n == 0)
		return 0;
	return p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
}

/* `total` counts all bytes hashed, those before p included; its low byte ends the message. */
static uint64_t hash_rest(struct sip_state v, const uint8_t *p, size_t n, size_t total)
{
	for (; n >= 8; p += 8, n -= 8)
		hash_word(&v, load64(p));
	hash_word(&v, load_tail(p, n) | (uint64_t)total << 56);
	return hash_end(&v);
}

uint64_t lb_hash(const struct lb_key *key, const void *p, size_t n)
{
	return hash_rest(hash_start(key), p, n, n);
}

uint64_t lb_hash_more(const struct lb_key *key, uint64_t seed, const void *p, size_t n)
{
	struct sip_state v = hash_start(key);

	hash_word(&v, seed);
	return hash_rest(v, p, n, n + 8);
}

uint32_t lb_gateway_id(struct str name)
{
	static const struct lb_key unkeyed;
	uint32_t id = (uint32_t)lb_hash(&unkeyed, name.p, name.n);

	return id ? id : 1;
}
