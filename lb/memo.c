/* SPDX-License-Identifier: BSD-3-Clause */
/* Refusal memo: buckets of four in one cache line, the oldest gives way. Worker. */
#include "lb/hash.h"
#include "lb/memo.h"

#define WAYS 4

static inline uint32_t coarse(uint64_t ns)
{
	return ns >> 26;
}

static inline uint32_t bucket(uint64_t who)
{
	return hash_scale(who, LIMIT_MEMO / WAYS) * WAYS;
}

const struct refusal *memo_find(const struct memo *m, uint64_t who, uint64_t now)
{
	const struct refusal *r = &m->at[bucket(who)];

	if (m->last <= coarse(now))
		return NULL;
	for (unsigned i = 0; i < WAYS; i++) {
		if (r[i].who == who && r[i].until > coarse(now))
			return &r[i];
	}
	return NULL;
}

void memo_add(struct memo *m, uint64_t who, uint16_t status, uint16_t retry_after_s, uint64_t now)
{
	struct refusal *r = &m->at[bucket(who)], *oldest = r;

	for (unsigned i = 1; i < WAYS; i++)
		oldest = r[i].until < oldest->until ? &r[i] : oldest;
	m->last = coarse(now + MEMO_NS) + 1;
	*oldest = (struct refusal){
		.who = who,
		.until = m->last,
		.retry_after_s = retry_after_s,
		.status = status,
	};
}
