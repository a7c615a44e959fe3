/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a request was refused with, for 32 s, so that its repetition never flips and its CANCEL is known.
 * Lossy: a full bucket forgets its oldest. Worker; one writer, the owner of the Call-ID.
 */
#ifndef WEIR_LB_MEMO_H
#define WEIR_LB_MEMO_H

#include "lb/lb.h"

#define MEMO_NS 32000000000u /* 64 * T1: as long as a transaction can repeat itself (RFC 3261 17.1.1.2) */

struct refusal {
	uint64_t who;           /* memo_key() */
	uint32_t until;         /* in 2^26 ns; over when it has passed, so zeros are free */
	uint16_t retry_after_s; /* 0: none */
	uint16_t status;
};
_Static_assert(sizeof(struct refusal) == 16, "four to a cache line");

struct memo {
	uint32_t last; /* no refusal ends later, in 2^26 ns; while it is over, nothing is looked up */
	struct refusal at[LIMIT_MEMO] __attribute__((aligned(64)));
};

/* What a refusal is found by: the same for a request, its repetitions and its CANCEL. */
static inline uint64_t memo_key(const struct lb_query *q)
{
	return (q->via_hash ^ q->call_hash) * 0x9e3779b97f4a7c15 + q->from_hash;
}

/* The refusal of this request, or NULL. */
const struct refusal *memo_find(const struct memo *m, uint64_t who, uint64_t now);

/* Remembers a refusal. */
void memo_add(struct memo *m, uint64_t who, uint16_t status, uint16_t retry_after_s, uint64_t now);

#endif
