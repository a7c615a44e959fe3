/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Layout of token, branch and tag: fixed bytes, little-endian, MAC last.
 *   token   key id, listener, node 2, gateway 4, caller 4, port 2, IPv4 4 or IPv6 16, MAC 8
 *   branch  key id, kind, listener, gateway 4, loop 4, identity 8, MAC 8
 *   tag     key id, kind, MAC 8
 * The first word of each MAC names the kind of text, so that none can stand in for another. Any thread.
 */
#include "lb/token.h"
#include "lb/base32.h"
#include "lb/hash.h"

#define COOKIE   "z9hG4bK"
#define COOKIE_N 7
#define MAC_N    8
#define TOKEN4_N (14 + 4 + MAC_N)
#define TOKEN6_N (14 + 16 + MAC_N)
#define BRANCH_N (19 + MAC_N)
#define TAG_N    (2 + MAC_N)

_Static_assert(BASE32_ROUND(TOKEN6_N) / 5 * 8 <= LIMIT_TOKEN, "whole groups are written");
_Static_assert(COOKIE_N + BASE32_ROUND(BRANCH_N) / 5 * 8 <= LIMIT_BRANCH, "whole groups are written");
_Static_assert(BASE32_ROUND(TAG_N) / 5 * 8 <= LIMIT_TAG, "whole groups are written");
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

static inline uint64_t get_mac(const uint8_t *p)
{
	uint64_t mac;

	memcpy(&mac, p, MAC_N);
	return mac;
}

static const struct lb_key *key_of(const struct keys *keys, uint8_t id)
{
	if (id == keys->now.id)
		return &keys->now;
	return id == keys->old.id ? &keys->old : NULL;
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
	uint8_t b[BASE32_ROUND(TOKEN6_N)] = { keys->now.id, t->listener };
	unsigned ip_n = t->flow.v6 ? 16 : 4;
	uint64_t mac = token_mac(&keys->now, t, call_hash);

	memcpy(b + 2, &t->node, 2);
	memcpy(b + 4, &t->gateway, 4);
	memcpy(b + 8, &t->caller, 4);
	memcpy(b + 12, &t->flow.port, 2);
	memcpy(b + 14, t->flow.ip + 16 - ip_n, ip_n);
	memcpy(b + 14 + ip_n, &mac, MAC_N);
	return base32_write(out, b, 14 + ip_n + MAC_N);
}

bool token_read(const struct keys *keys, struct str text, uint64_t call_hash, struct token *t)
{
	uint8_t b[BASE32_ROUND(TOKEN6_N)];
	bool v6 = text.n == BASE32_CHARS(TOKEN6_N);
	const struct lb_key *key;
	uint32_t ip4;

	if (!base32_read(b, v6 ? TOKEN6_N : TOKEN4_N, text))
		return false;
	key = key_of(keys, b[0]);
	if (!key)
		return false;
	t->listener = b[1];
	memcpy(&t->node, b + 2, 2);
	memcpy(&t->gateway, b + 4, 4);
	memcpy(&t->caller, b + 8, 4);
	memcpy(&ip4, b + 14, 4);
	t->flow = v6 ? addr_v6(b + 14, 0) : addr_v4(ip4, 0);
	memcpy(&t->flow.port, b + 12, 2);
	return token_mac(key, t, call_hash) == get_mac(b + 14 + (v6 ? 16 : 4));
}

/* Answers to probes end here, wherever their Via points. */
static uint64_t branch_mac(const struct lb_key *key, const struct branch *b, uint64_t call_hash,
			   const struct addr *to)
{
	static const struct addr here;
	uint64_t w[6];

	if (b->kind == BRANCH_PROBE)
		to = &here;
	w[0] = first_word(DOMAIN_BRANCH, key->id, b->kind, b->listener, b->gateway);
	w[1] = b->identity;
	w[2] = b->loop | (uint64_t)to->port << 32 | (uint64_t)to->v6 << 48;
	memcpy(&w[3], to->ip, 16);
	w[5] = call_hash;
	return hash_words(key, w, 6);
}

unsigned branch_write(const struct keys *keys, const struct branch *b, uint64_t call_hash,
		      const struct addr *to, char out[LIMIT_BRANCH])
{
	uint8_t p[BASE32_ROUND(BRANCH_N)] = { keys->now.id, b->kind, b->listener };
	uint64_t mac = branch_mac(&keys->now, b, call_hash, to);

	memcpy(p + 3, &b->gateway, 4);
	memcpy(p + 7, &b->loop, 4);
	memcpy(p + 11, &b->identity, 8);
	memcpy(p + 19, &mac, MAC_N);
	memcpy(out, COOKIE, COOKIE_N);
	return COOKIE_N + base32_write(out + COOKIE_N, p, BRANCH_N);
}

/* The bytes of a branch text, MAC included. */
static bool branch_bytes(struct str text, uint8_t p[BASE32_ROUND(BRANCH_N)], struct branch *b)
{
	if (text.n != COOKIE_N + BASE32_CHARS(BRANCH_N) ||
	    !str_eq_nocase((struct str){ text.p, COOKIE_N }, STR(COOKIE)) ||
	    !base32_read(p, BRANCH_N, (struct str){ text.p + COOKIE_N, text.n - COOKIE_N }))
		return false;
	b->kind = p[1];
	b->listener = p[2];
	memcpy(&b->gateway, p + 3, 4);
	memcpy(&b->loop, p + 7, 4);
	memcpy(&b->identity, p + 11, 8);
	return b->kind < BRANCH_KINDS;
}

bool branch_parse(struct str text, struct branch *b)
{
	uint8_t p[BASE32_ROUND(BRANCH_N)];

	return branch_bytes(text, p, b);
}

enum branch_verdict branch_read(const struct keys *keys, struct str text, uint64_t call_hash,
				const struct addr *to, struct branch *b)
{
	uint8_t p[BASE32_ROUND(BRANCH_N)];
	const struct lb_key *key;

	if (!branch_bytes(text, p, b))
		return BRANCH_NONE;
	key = key_of(keys, p[0]);
	if (!key || branch_mac(key, b, call_hash, to) != get_mac(p + 19))
		return BRANCH_FORGED;
	return BRANCH_OK;
}

static uint64_t tag_mac(const struct lb_key *key, uint8_t kind, const struct lb_query *q)
{
	uint64_t w[4] = { first_word(DOMAIN_TAG, key->id, kind, 0, 0), q->via_hash, q->call_hash,
			  q->from_hash };

	return hash_words(key, w, 4);
}

unsigned tag_write(const struct keys *keys, const struct lb_query *q, char out[LIMIT_TAG])
{
	uint8_t p[BASE32_ROUND(TAG_N)] = { keys->now.id, TAG_STATELESS };
	uint64_t mac = tag_mac(&keys->now, TAG_STATELESS, q);

	memcpy(p + 2, &mac, MAC_N);
	return base32_write(out, p, TAG_N);
}

bool tag_is_ours(const struct keys *keys, const struct lb_query *q)
{
	uint8_t p[BASE32_ROUND(TAG_N)];
	const struct lb_key *key;

	if (!base32_read(p, TAG_N, q->to_tag) || p[1] != TAG_STATELESS)
		return false;
	key = key_of(keys, p[0]);
	return key && tag_mac(key, p[1], q) == get_mac(p + 2);
}
