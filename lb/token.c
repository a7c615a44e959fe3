/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layout of token, branch and tag, in groups of 40 bits (see base32.h), as the functions below write it out.
 * The first word of each MAC names the kind of text, so that none can stand in for another. Any thread.
 */
#include "lb/token.h"
#include "lb/base/base32.h"
#include "lb/base/hash.h"

#define COOKIE      "z9hG4bK"
#define COOKIE_N    7
#define TOKEN4_BITS (144 + 64)
#define TOKEN6_BITS (240 + 64)
#define BRANCH_BITS (156 + 64)
#define TAG_BITS    (16 + 64)

_Static_assert(BASE32_ROOM(TOKEN6_BITS) <= LIMIT_TOKEN, "whole groups are written");
_Static_assert(COOKIE_N + BASE32_ROOM(BRANCH_BITS) <= LIMIT_BRANCH, "whole groups are written");
_Static_assert(BASE32_ROOM(TAG_BITS) <= LIMIT_TAG, "whole groups are written");
_Static_assert(LIMIT_LISTENERS <= 256, "a listener is one byte");

enum domain {
	DOMAIN_TOKEN = 1,
	DOMAIN_BRANCH,
	DOMAIN_TAG
};

enum tag_kind {
	TAG_STATELESS = 1
};

/* First word of a MAC: what text it is, and the small fields. */
static inline uint64_t first_word(enum domain domain, uint8_t key_id, uint8_t a, uint8_t b, uint32_t c)
{
	return (uint64_t)domain | (uint64_t)key_id << 8 | (uint64_t)a << 16 | (uint64_t)b << 24 |
	       (uint64_t)c << 32;
}

static const struct lb_key *key_of(const struct keys *keys, uint8_t id)
{
	if (id == keys->now.id)
		return &keys->now;
	return id == keys->old.id ? &keys->old : NULL;
}

/* ---- Token ------------------------------------------------------------------------------------------- */

/* An address as two numbers, and back. */
static inline void ip_words(const uint8_t ip[16], uint64_t *hi, uint64_t *lo)
{
	memcpy(hi, ip, 8);
	memcpy(lo, ip + 8, 8);
	*hi = __builtin_bswap64(*hi);
	*lo = __builtin_bswap64(*lo);
}

static inline struct addr ip_addr(uint64_t hi, uint64_t lo, uint16_t port)
{
	uint64_t w[2] = { __builtin_bswap64(hi), __builtin_bswap64(lo) };

	return addr_v6(w, port);
}

static uint64_t token_mac(const struct lb_key *key, const struct token *t, uint64_t call_hash)
{
	uint64_t w[5];

	w[0] = first_word(DOMAIN_TOKEN, key->id, t->listener, t->flow.v6, t->gateway);
	w[1] = t->caller | (uint64_t)t->node << 32 | (uint64_t)t->flow.port << 48;
	memcpy(&w[2], t->flow.ip, 16);
	w[4] = call_hash;
	return hash_words(key, w, 5);
}

unsigned token_write(const struct keys *keys, const struct token *t, uint64_t call_hash,
		     char out[LIMIT_TOKEN])
{
	uint64_t mac = token_mac(&keys->now, t, call_hash), hi, lo, g[8];

	ip_words(t->flow.ip, &hi, &lo);
	g[0] = (uint64_t)keys->now.id << 32 | t->gateway;
	g[1] = (uint64_t)t->listener << 32 | t->caller;
	g[2] = (uint64_t)t->node << 24 | (uint64_t)t->flow.port << 8 | mac >> 56;
	g[3] = mac >> 16 & BASE32_GROUP;
	if (!t->flow.v6) {
		g[4] = (mac & 0xffff) << 24 | (lo >> 8 & 0xffffff);
		g[5] = (lo & 0xff) << 32;
		return base32_write(out, g, TOKEN4_BITS);
	}
	g[4] = (mac & 0xffff) << 24 | hi >> 40;
	g[5] = hi & BASE32_GROUP;
	g[6] = lo >> 24;
	g[7] = (lo & 0xffffff) << 16;
	return base32_write(out, g, TOKEN6_BITS);
}

bool token_read(const struct keys *keys, struct str text, uint64_t call_hash, struct token *t)
{
	bool v6 = text.n == BASE32_CHARS(TOKEN6_BITS);
	const struct lb_key *key;
	uint64_t g[8], mac;

	if (!base32_read(g, v6 ? TOKEN6_BITS : TOKEN4_BITS, text))
		return false;
	key = key_of(keys, g[0] >> 32);
	if (!key)
		return false;
	t->gateway = g[0];
	t->listener = g[1] >> 32;
	t->caller = g[1];
	t->node = g[2] >> 24;
	if (v6)
		t->flow = ip_addr((g[4] & 0xffffff) << 40 | g[5], g[6] << 24 | g[7] >> 16, g[2] >> 8);
	else
		t->flow = addr_v4(__builtin_bswap32((uint32_t)(g[4] << 8 | g[5] >> 32)), g[2] >> 8);
	mac = g[2] << 56 | g[3] << 16 | g[4] >> 24;
	return token_mac(key, t, call_hash) == mac;
}

/* ---- Branch ------------------------------------------------------------------------------------------ */

static inline uint8_t kind_byte(const struct branch *b)
{
	return b->kind | b->attempt << 4;
}

/* Answers to probes end here, wherever their Via points. */
static uint64_t branch_mac(const struct lb_key *key, const struct branch *b, uint64_t call_hash,
			   const struct addr *to)
{
	static const struct addr here;
	uint64_t w[6];

	if (b->kind == BRANCH_PROBE)
		to = &here;
	w[0] = first_word(DOMAIN_BRANCH, key->id, kind_byte(b), b->listener, b->gateway);
	w[1] = b->identity;
	w[2] = b->loop | (uint64_t)to->port << 32 | (uint64_t)to->v6 << 48 | (uint64_t)b->oc << 49;
	memcpy(&w[3], to->ip, 16);
	w[5] = call_hash;
	return hash_words(key, w, 6);
}

unsigned branch_write(const struct keys *keys, const struct branch *b, uint64_t call_hash,
		      const struct addr *to, char out[LIMIT_BRANCH])
{
	uint64_t mac = branch_mac(&keys->now, b, call_hash, to), g[6];

	g[0] = (uint64_t)keys->now.id << 32 | b->gateway;
	g[1] = (uint64_t)b->listener << 32 | b->loop;
	g[2] = b->identity >> 24;
	g[3] = (b->identity & 0xffffff) << 16 | mac >> 48;
	g[4] = mac >> 8 & BASE32_GROUP;
	g[5] = (mac & 0xff) << 32 | (uint64_t)kind_byte(b) << 24 | (uint64_t)b->oc << 20;
	memcpy(out, COOKIE, COOKIE_N);
	return COOKIE_N + base32_write(out + COOKIE_N, g, BRANCH_BITS);
}

/* The groups of a branch text, MAC included. */
static bool branch_groups(struct str text, uint64_t g[6], struct branch *b)
{
	if (text.n != COOKIE_N + BASE32_CHARS(BRANCH_BITS) ||
	    !str_eq_nocase((struct str){ text.p, COOKIE_N }, STR(COOKIE)) ||
	    !base32_read(g, BRANCH_BITS, (struct str){ text.p + COOKIE_N, text.n - COOKIE_N }))
		return false;
	b->gateway = g[0];
	b->listener = g[1] >> 32;
	b->loop = g[1];
	b->identity = g[2] << 24 | g[3] >> 16;
	b->kind = g[5] >> 24 & 15;
	b->attempt = g[5] >> 28 & 15;
	b->oc = g[5] >> 20 & 15;
	return b->kind < BRANCH_KINDS;
}

bool branch_parse(struct str text, struct branch *b)
{
	uint64_t g[6];

	return branch_groups(text, g, b);
}

enum branch_verdict branch_read(const struct keys *keys, struct str text, uint64_t call_hash,
				const struct addr *to, struct branch *b)
{
	const struct lb_key *key;
	uint64_t g[6], mac;

	if (!branch_groups(text, g, b))
		return BRANCH_NONE;
	key = key_of(keys, g[0] >> 32);
	mac = g[3] << 48 | g[4] << 8 | g[5] >> 32;
	if (!key || branch_mac(key, b, call_hash, to) != mac)
		return BRANCH_FORGED;
	return BRANCH_OK;
}

/* ---- Tag --------------------------------------------------------------------------------------------- */

static uint64_t tag_mac(const struct lb_key *key, uint8_t kind, const struct lb_query *q)
{
	uint64_t w[4] = { first_word(DOMAIN_TAG, key->id, kind, 0, 0), q->via_hash, q->call_hash,
			  q->from_hash };

	return hash_words(key, w, 4);
}

unsigned tag_write(const struct keys *keys, const struct lb_query *q, char out[LIMIT_TAG])
{
	uint64_t mac = tag_mac(&keys->now, TAG_STATELESS, q);
	uint64_t g[2] = { (uint64_t)keys->now.id << 32 | (uint64_t)TAG_STATELESS << 24 | mac >> 40,
			  mac & BASE32_GROUP };

	return base32_write(out, g, TAG_BITS);
}

bool tag_is_ours(const struct keys *keys, const struct lb_query *q)
{
	const struct lb_key *key;
	uint8_t kind;
	uint64_t g[2];

	if (!base32_read(g, TAG_BITS, q->to_tag))
		return false;
	kind = g[0] >> 24;
	key = key_of(keys, g[0] >> 32);
	return key && kind == TAG_STATELESS && tag_mac(key, kind, q) == (g[0] << 40 | g[1]);
}

/* ---- Listeners --------------------------------------------------------------------------------------- */

void listener_names(const struct str *names, uint32_t n, uint8_t id[256], uint8_t of[256])
{
	uint64_t done = 0;

	memset(of, LISTENER_NONE, 256);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t next = 0, least = UINT32_MAX;
		uint8_t is;

		for (uint32_t i = 0; i < n; i++) {
			uint32_t hash = lb_gateway_id(names[i]);

			if (!(done >> i & 1) && hash <= least) {
				next = i;
				least = hash;
			}
		}
		is = (uint8_t)least;
		while (of[is] != LISTENER_NONE)
			is++;
		done |= UINT64_C(1) << next;
		of[is] = (uint8_t)next;
		id[next] = is;
	}
	for (unsigned i = 0; n == 0 && i < 256; i++)
		id[i] = of[i] = (uint8_t)i;
}
