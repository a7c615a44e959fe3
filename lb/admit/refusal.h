/* SPDX-License-Identifier: BSD-3-Clause */
/* How Weir says no to a call that nobody can take. Any thread. */
#ifndef WEIR_LB_REFUSAL_H
#define WEIR_LB_REFUSAL_H

#include "lb/base/hash.h"
#include "lb/snapshot.h"
#include "lb/words.h"

/* What a worker has seen of the requests for one pool that were not repetitions. Worker wo, control ro; all
 * only grow and wrap. */
struct told_cell {
	uint32_t arrived;
	uint32_t admitted;
	uint32_t refused;
	uint32_t told;   /* of those refused: with a Retry-After */
	uint32_t lacked; /* of those refused: because nobody could take them */
};

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
static inline struct no no_room(const struct pool *pool, const struct pool_word *word, enum lb_when_full when,
				uint64_t via_hash)
{
	uint32_t told = __atomic_load_n(&word->told, __ATOMIC_RELAXED), least = told ? told : 1;
	uint32_t most = 2 * least < pool->retry_after_s ? 2 * least : pool->retry_after_s;

	switch (when) {
	case LB_FULL_503_RETRY:
		return (struct no){ 503, retry_after(least < most ? least : most, most, via_hash) };
	case LB_FULL_503:
		return (struct no){ 503, 0 };
	case LB_FULL_500:
		break;
	}
	return (struct no){ 500, 0 };
}

#endif
