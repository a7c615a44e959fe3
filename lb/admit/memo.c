/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Refusal memo: buckets of four in one cache line. Who gives way: one that is over, else one whose source has
 * got it, else the oldest. Worker.
 */
#include "lb/base/hash.h"
#include "lb/admit/memo.h"

#define WAYS          4
#define STRANGER_WAYS 2

static inline uint32_t coarse(uint64_t ns)
{
	return ns >> 26;
}

/* The owner of a Call-ID is drawn from bits of its hash, so all of one worker's have some bits in common. */
static inline uint32_t bucket(uint64_t call_hash)
{
	return hash_scale(hash_again(call_hash), LIMIT_MEMO / WAYS) * WAYS;
}

void memo_prefetch(const struct memo *m, uint64_t call_hash)
{
	if (m->last)
		__builtin_prefetch(&m->at[bucket(call_hash)], 1);
}

struct memory memo_find(struct memo *m, struct memo_key key, uint64_t now)
{
	struct refusal *r = &m->at[bucket(key.place)];
	struct memory found = { 0 };

	if (m->last <= coarse(now))
		return found;
	for (unsigned i = 0; i < WAYS; i++) {
		if (r[i].call != key.call || r[i].until <= coarse(now))
			continue;
		found.r = &r[i];
		found.same = r[i].branch == key.branch;
		if (found.same)
			break;
	}
	return found;
}

/* What it costs to forget it. */
static inline uint32_t worth(const struct refusal *r, uint64_t now)
{
	if (r->until <= coarse(now))
		return 0;
	return r->until | (r->acked ? 0 : UINT32_C(1) << 31);
}

bool memo_add(struct memo *m, struct memo_key key, uint16_t status, uint32_t detail, bool stranger,
	      uint64_t now)
{
	struct refusal *r = &m->at[bucket(key.place)], *least = r;
	bool lost;

	for (unsigned i = 1; i < (stranger ? STRANGER_WAYS : WAYS); i++)
		least = worth(&r[i], now) < worth(least, now) ? &r[i] : least;
	lost = !least->acked && least->until > coarse(now + MEMO_NS - MEMO_YOUNG_NS) + 1;
	m->last = coarse(now + MEMO_NS) + 1;
	*least = (struct refusal){
		.call = key.call,
		.branch = key.branch,
		.until = m->last,
		.detail = detail < MEMO_DETAIL_MOST ? detail : MEMO_DETAIL_MOST,
		.status = status,
	};
	return lost;
}

bool memo_acked(struct memo *m, struct memo_key key, uint64_t now)
{
	struct memory found = memo_find(m, key, now);

	if (!found.same || found.r->acked)
		return false;
	found.r->acked = 1;
	return true;
}
