/* SPDX-License-Identifier: BSD-3-Clause */
/* How Weir says no to a call that nobody can take. Any thread. */
#ifndef WEIR_LB_REFUSAL_H
#define WEIR_LB_REFUSAL_H

#include "lb/hash.h"
#include "lb/snapshot.h"

struct no {
	uint16_t status;
	uint32_t retry_after_s; /* 0: none */
};

/* Seconds between least and most (>= least >= 1), different from branch to branch, the same for each. */
static inline uint32_t retry_after(uint32_t least, uint32_t most, uint64_t via_hash)
{
	return least + hash_scale(hash_again(via_hash), most - least + 1);
}

/* The answer of a full pool to a source that wants it so; the Retry-After differs from branch to branch. */
static inline struct no no_room(const struct pool *pool, enum lb_when_full when, uint64_t via_hash)
{
	uint32_t least = pool->retry_after_s;

	switch (when) {
	case LB_FULL_503_RETRY:
		return (struct no){ 503, retry_after(least, 2 * least, via_hash) };
	case LB_FULL_503:
		return (struct no){ 503, 0 };
	case LB_FULL_500:
		break;
	}
	return (struct no){ 500, 0 };
}

#endif
