/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker notices about each gateway for the governor (lb/govern/): how long answers take, what fails,
 * what is repeated. One struct per gateway slot in each worker's memory. Worker: the only writer; control
 * reads at any time, each field by itself. All counters only ever grow (modulo their width), so a reader
 * takes differences and nobody resets anything.
 *
 * Delays are kept as a mean and as the mean of the least of each DELAY_BLOCK samples in a row. A queue delays
 * every call alike and so moves the least ones, too; a slow destination, a lost packet or a dead prefix moves
 * only some and leaves them where they were.
 */
#ifndef WEIR_LB_SIGNALS_H
#define WEIR_LB_SIGNALS_H

#include <stdbool.h>
#include "conf/limits.h"
#include "conf/types.h"

#define DELAY_BLOCK        8
#define DELAY_MOST_US      100000000u /* a longer delay counts as this */
#define ORIGINS            8          /* classes of called numbers, and of callers */
#define ORIGIN_DIGITS      5          /* of a number that name its class: country and area, as a rule */
#define RETRY_AFTER_MOST_S 3600       /* a longer one counts as this */
#define SIGNAL_GROUP       64         /* gateways that share a stamp of struct signal_board */
#define SIGNAL_STAMP_BITS  24         /* a stamp is ns >> this: 17 ms */

/* One delay, from the INVITE to some response. All fields: worker. */
struct delay_signal {
	uint64_t sum_us;
	uint64_t low_sum_us; /* of the least of each block */
	uint64_t low_sq_us2; /* of their squares, modulo 2^64 */
	uint32_t n;          /* samples */
	uint32_t lows;       /* whole blocks */
	uint32_t least_us;   /* of the block in hand */
	uint32_t in_block;   /* its samples so far */
};

/* What the gateway says about its own load (RFC 7339, RFC 7415). Worker, inside `version`. */
struct oc_signal {
	uint32_t version; /* odd: being written; 0: never heard */
	uint32_t value;
	uint32_t validity_ms;
	uint8_t algo;   /* of struct lb_oc */
	uint64_t seq;   /* of struct lb_oc */
	uint64_t heard; /* monotonic ns */
};

struct signals {
	struct delay_signal
		response; /* to the first response; 100 counts, a refusal does not: it need not queue */
	struct delay_signal progress; /* to the first of 101 to 299, of calls that the search has not left */
	uint64_t oldest;        /* ns; when the oldest unanswered INVITE left, as of the last tick; 0: none */
	uint32_t unanswered;    /* INVITEs that are waited for and have had no response at all; a level */
	uint32_t sent;          /* INVITEs */
	uint32_t repeated;      /* of them sent again: Timer A */
	uint32_t answered;      /* INVITEs that had their first response, whichever */
	uint32_t finished;      /* branches that had their first response other than 100 */
	uint32_t bounced;       /* INVITEs that came back by ICMP */
	uint32_t retry_after;   /* 503s with Retry-After, without a Reason that lays them to something else */
	uint32_t retry_after_s; /* sum of theirs, each RETRY_AFTER_MOST_S at most */
	/* Calls by what number they go to, and by who makes them; both for each call. */
	uint16_t taken[2][ORIGINS];   /* the gateway did something with the call */
	uint16_t refused[2][ORIGINS]; /* 503, 500 or 504, without a Reason that lays it to something else */
	struct oc_signal oc;
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct signals) == 256, "four lines; 4 MB for LIMIT_GATEWAYS");

struct signal_board {
	struct signals at[LIMIT_GATEWAYS];             /* by slot */
	uint32_t stamp[LIMIT_GATEWAYS / SIGNAL_GROUP]; /* when one of the group has last been written */
} __attribute__((aligned(64)));

/* ---- Worker ------------------------------------------------------------------------------------------ */

/* The signals of a gateway, about to be written. */
static inline struct signals *signal_of(struct signal_board *b, uint16_t slot, uint64_t now)
{
	uint32_t stamp = (uint32_t)(now >> SIGNAL_STAMP_BITS) | 1, *old = &b->stamp[slot / SIGNAL_GROUP];

	if (*old != stamp)
		__atomic_store_n(old, stamp, __ATOMIC_RELAXED);
	return &b->at[slot];
}

/* Counters of one writer: readers see whole values. */
#define signal_add(field, n) __atomic_store_n(&(field), (__typeof__(field))((field) + (n)), __ATOMIC_RELAXED)

/* A response has come `ns` after the INVITE left. */
static inline void signal_delay(struct delay_signal *d, uint64_t ns)
{
	uint32_t us = ns / 1000 < DELAY_MOST_US ? (uint32_t)(ns / 1000) : DELAY_MOST_US;

	signal_add(d->sum_us, us);
	signal_add(d->n, 1);
	d->least_us = d->in_block && d->least_us < us ? d->least_us : us;
	if (++d->in_block < DELAY_BLOCK)
		return;
	d->in_block = 0;
	signal_add(d->low_sum_us, d->least_us);
	signal_add(d->low_sq_us2, (uint64_t)d->least_us * d->least_us);
	signal_add(d->lows, 1);
}

/* Where a call comes from and goes to, as an index into signals.taken and .refused: class of the number
 * called in the low half, of the caller (an index of a peer, or LB_NONE) in the high one. */
static inline uint8_t signal_origin(struct str number, uint16_t peer)
{
	uint32_t i = number.n && number.p[0] == '+', end = i + ORIGIN_DIGITS, h = 0;

	for (; i < end && i < number.n; i++)
		h = (h ^ (uint8_t)number.p[i]) * 0x01000193u; /* FNV-1a */
	return (uint8_t)(((h ^ h >> 15) * 0x2c1b3c6du) >> 29 | ((peer * 0x9e3779b1u) >> 29) << 4);
}

/* How a call at the gateway went. */
static inline void signal_outcome(struct signals *s, uint8_t origin, bool refused)
{
	uint16_t(*count)[ORIGINS] = refused ? s->refused : s->taken;

	signal_add(count[0][origin & 15], 1);
	signal_add(count[1][origin >> 4], 1);
}

/*
 * True if a final response with this status says that the gateway is short of something. A Reason with a
 * Q.850 cause (0: there is none) that is not about congestion clears it: ISUP causes are mapped to 503 and
 * 500 for many reasons (RFC 3398 7.2.4.1).
 */
bool signal_is_refusal(uint16_t status, uint16_t q850);

/* A 503 asks for no more calls for so many seconds (RFC 3261 21.5.4). */
static inline void signal_retry_after(struct signals *s, uint32_t seconds)
{
	signal_add(s->retry_after_s, seconds < RETRY_AFTER_MOST_S ? seconds : RETRY_AFTER_MOST_S);
	signal_add(s->retry_after, 1);
}

/* A response carries overload control of the gateway's. */
static inline void signal_oc(struct signals *s, uint8_t algo, uint32_t value, uint32_t validity_ms,
			     uint64_t seq, uint64_t now)
{
	struct oc_signal *oc = &s->oc;

	__atomic_store_n(&oc->version, oc->version + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	__atomic_store_n(&oc->algo, algo, __ATOMIC_RELAXED);
	__atomic_store_n(&oc->value, value, __ATOMIC_RELAXED);
	__atomic_store_n(&oc->validity_ms, validity_ms, __ATOMIC_RELAXED);
	__atomic_store_n(&oc->seq, seq, __ATOMIC_RELAXED);
	__atomic_store_n(&oc->heard, now, __ATOMIC_RELAXED);
	__atomic_store_n(&oc->version, oc->version + 1, __ATOMIC_RELEASE);
}

/* ---- Control ----------------------------------------------------------------------------------------- */

/* Reads what the gateway last said; false: nothing ever, or it was being written each time. Control. */
bool signal_read_oc(const struct signals *s, struct oc_signal *oc);

#endif
