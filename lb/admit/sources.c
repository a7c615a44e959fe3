/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Debts by address: buckets of four in one cache line. The smallest debt gives way, so an address that is
 * being flooded stays, whatever other addresses are made up beside it. Worker.
 */
#include "lb/base/hash.h"
#include "lb/admit/sources.h"

#define WAYS 4

/* Secret key and one multiplication to 128 bits: nobody can aim at a bucket, and it costs next to nothing. */
static inline uint64_t tag_of(const struct lb_key *key, const struct addr *a)
{
	uint64_t ip[2];
	unsigned __int128 wide;

	memcpy(ip, a->ip, 16);
	wide = (unsigned __int128)(ip[0] ^ key->k[0]) * (ip[1] ^ key->k[1]);
	return hash_again((uint64_t)wide ^ (uint64_t)(wide >> 64));
}

static inline uint64_t interval(bool known)
{
	return 1000000000u / (known ? SOURCE_KNOWN_PER_S : SOURCE_STRANGER_PER_S);
}

static struct source *find(struct sources *t, uint64_t tag)
{
	struct source *s = &t->at[hash_scale(tag, LIMIT_SOURCES / WAYS) * WAYS];

	for (unsigned i = 0; i < WAYS; i++) {
		if (s[i].tag == tag)
			return &s[i];
	}
	return NULL;
}

static struct source *replace(struct sources *t, uint64_t tag)
{
	struct source *s = &t->at[hash_scale(tag, LIMIT_SOURCES / WAYS) * WAYS], *least = s;

	for (unsigned i = 1; i < WAYS; i++)
		least = s[i].until < least->until ? &s[i] : least;
	*least = (struct source){ .tag = tag };
	return least;
}

bool source_may(struct sources *t, const struct lb_key *key, const struct addr *a, bool known, uint64_t now)
{
	uint64_t tag = tag_of(key, a), from;
	struct source *s = find(t, tag);

	if (!s)
		s = replace(t, tag);
	from = s->until > now ? s->until : now;
	if (from - now > SOURCE_AT_ONCE_NS)
		return false;
	s->until = from + interval(known);
	return true;
}

void source_proved(struct sources *t, const struct lb_key *key, const struct addr *a, bool known,
		   uint64_t now)
{
	struct source *s = find(t, tag_of(key, a));
	uint64_t pays = SOURCE_ACK_PAYS * interval(known);

	if (s && s->until > now)
		s->until = s->until - now > pays ? s->until - pays : now;
}
