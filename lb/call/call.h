/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of an entry, for calls.c, dialogs.c and deadlines.c. Times are milliseconds that wrap after 49 days,
 * so they are only ever compared by their difference, which stays below half of that. Worker.
 */
#ifndef WEIR_LB_CALL_H
#define WEIR_LB_CALL_H

#include "lb/call/calls.h"
#include "lb/base/hash.h"

#define CALL_MS       1000000u   /* ns */
#define CALL_BYE_BITS 6          /* struct call's bye counts 64 ms */
#define CALL_NEVER    UINT64_MAX /* a deadline that does not come */

/* All writes to an entry lie between these two, for the sake of call_read(). */
static inline void call_begin(struct call *e)
{
	__atomic_store_n(&e->seq, e->seq + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void call_done(struct call *e)
{
	__atomic_store_n(&e->seq, e->seq + 1, __ATOMIC_RELEASE);
}

static inline uint32_t call_tag(uint64_t call_hash)
{
	return (uint32_t)hash_again(call_hash);
}

static inline uint32_t call_ms(uint64_t now)
{
	return (uint32_t)(now / CALL_MS);
}

/* ms from t until the `end` of the entry. */
static inline int32_t call_end_left(const struct call *e, uint32_t t)
{
	return (int32_t)(e->end - t);
}

/* ns; when there is next something to do about the entry. */
uint64_t call_due(const struct calls *c, const struct call *e, uint64_t now);

/* There may be something to do about entry i at `at`, ns. */
void call_wake(struct calls *c, uint32_t i, uint64_t at);

/* Dialog d of entry i has ended, and with the last one the call. */
void call_end_dialog(struct calls *c, uint32_t i, unsigned d, enum lb_call_end how, uint64_t now);

/* The entry is over: gives back all that it holds. */
void call_close(struct calls *c, uint32_t i);

/* The same for a call, counted and recorded with what ended it and the status that the caller got. */
void call_end(struct calls *c, uint32_t i, enum lb_call_end how, uint16_t status, uint64_t now);

#endif
