/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a request was refused with, or where its caller was sent, for 32 s: its repetition gets the same, its
 * CANCEL is known, its ACK shows that its source is real, and the same call on another branch is no new
 * demand. Lossy, but not at will: a refusal that is not acknowledged yet is forgotten last, and unknown
 * sources have half of the places. Worker; one writer, the owner of the Call-ID.
 */
#ifndef WEIR_LB_MEMO_H
#define WEIR_LB_MEMO_H

#include "lb/lb.h"

#define MEMO_NS 32000000000u /* 64 * T1: as long as a transaction can repeat itself (RFC 3261 17.1.1.2) */
#define MEMO_YOUNG_NS                                                                                        \
	1000000000u /* so long a refusal is likely to be asked for: T1 and 2 T1 fall into it                 \
		     */

#define MEMO_DETAIL_MOST ((1u << 20) - 1)

struct refusal {
	uint32_t call;        /* of memo_key.call */
	uint32_t branch;      /* of memo_key.branch */
	uint32_t until;       /* in 2^26 ns; over when it has passed, so zeros are free */
	uint32_t detail : 20; /* Retry-After, s, 0: none; of a 302 1 + slot of the gateway that it names */
	uint32_t status : 10;
	uint32_t acked : 1; /* its source has got it */
};
_Static_assert(sizeof(struct refusal) == 16, "four to a cache line");

struct memo {
	uint32_t last; /* no refusal ends later, in 2^26 ns; while it is over, nothing is looked up */
	struct refusal at[LIMIT_MEMO] __attribute__((aligned(64)));
};

/* What a refusal is found by: a call of one source, and a branch of it. */
struct memo_key {
	uint64_t place; /* picks the bucket; of the Call-ID alone, so that it can be fetched early */
	uint32_t call;
	uint32_t branch; /* the same for a request, its repetitions, its CANCEL and its ACK */
};

static inline struct memo_key memo_key(const struct lb_query *q)
{
	uint64_t ip[2], call;

	memcpy(ip, q->src.ip, 16);
	call = (q->call_hash ^ ip[1]) * 0x9e3779b97f4a7c15 + ip[0];
	return (struct memo_key){ .place = q->call_hash,
				  .call = (uint32_t)((call ^ call >> 32) * 0xbf58476d1ce4e5b9 + q->from_hash),
				  .branch = (uint32_t)q->via_hash };
}

/* Brings the line where refusals of the Call-ID can be into the cache. */
void memo_prefetch(const struct memo *m, uint64_t call_hash);

/* What is remembered of a request. */
struct memory {
	struct refusal *r; /* NULL: nothing */
	bool same;         /* of this very branch, else of another one of the call */
};

/* Finds the refusal of this branch, else one of this call. */
struct memory memo_find(struct memo *m, struct memo_key key, uint64_t now);

/*
 * Remembers a refusal; more detail than MEMO_DETAIL_MOST counts as that. stranger: of a source that is
 * neither peer nor gateway. True if one younger than MEMO_YOUNG_NS that was not acknowledged had to give way.
 */
bool memo_add(struct memo *m, struct memo_key key, uint16_t status, uint32_t detail, bool stranger,
	      uint64_t now);

/* The refusal of this branch is acknowledged. True if it is remembered, and for the first time. */
bool memo_acked(struct memo *m, struct memo_key key, uint64_t now);

#endif
