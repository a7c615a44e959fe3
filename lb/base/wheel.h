/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers of one worker: a hierarchical timing wheel (Varghese, Lauck: "Hashed and hierarchical timing
 * wheels", scheme 7) of four levels of 256 slots, one tick a millisecond. Nodes are named by number, one
 * timer each; who owns which numbers is the owners' agreement. Arming, moving and cancelling touch two
 * neighbours at most; nothing is allocated. A timer never fires early, and in the tick in which it is due
 * unless the wheel is behind with moving nodes down (WHEEL_MOVES per call, so that no call stalls).
 */
#ifndef WEIR_LB_WHEEL_H
#define WEIR_LB_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHEEL_NONE    UINT32_MAX
#define WHEEL_TICK_NS 1000000u
#define WHEEL_FAR     (UINT32_C(1) << 31) /* ticks, 24 days: who waits longer is woken then and arms again */
#define WHEEL_MOVES   128                 /* nodes that one call moves to a lower level at most */
#define WHEEL_LEVELS  4
#define WHEEL_SLOTS   256 /* of a level */

/* A timer, or the head of a slot's ring. */
struct wheel_node {
	uint32_t prev, next; /* in the ring of the slot; next == WHEEL_NONE: not armed */
	uint32_t tick;       /* when it is due, low half of its tick */
};
_Static_assert(sizeof(struct wheel_node) == 12, "there are a million of them");

struct wheel {
	struct wheel_node *node; /* heads of all slots, then the timers */
	uint64_t tick;           /* everything due before it has fired; ms since the clock's zero */
	uint32_t lower;          /* slot whose nodes are being moved to lower levels, or WHEEL_NONE */
	uint64_t used[WHEEL_LEVELS][WHEEL_SLOTS / 64]; /* bit set: the slot's ring is not empty */
};

/* Bytes of the nodes of a wheel of n timers. */
size_t wheel_size(uint32_t n);

/* Makes a wheel of timers 0 .. n - 1, none armed, in `mem` (wheel_size() bytes, 8-byte aligned). now: ns. */
void wheel_init(struct wheel *w, void *mem, uint32_t n, uint64_t now);

/* Arms timer i, or moves it, to fire at `at` (ns), at once if that has passed. */
void wheel_arm(struct wheel *w, uint32_t i, uint64_t at);

/* The same if timer i is not armed or would fire later; else nothing, and only its own node is touched. */
void wheel_sooner(struct wheel *w, uint32_t i, uint64_t at);

/* Cancels timer i; nothing happens if it is not armed. */
void wheel_cancel(struct wheel *w, uint32_t i);

/* True while timer i waits. */
bool wheel_armed(const struct wheel *w, uint32_t i);

/* Brings the node of timer i into the cache, or, when that has come, its neighbours, which move with it. */
void wheel_prefetch(const struct wheel *w, uint32_t i, bool neighbours);

/*
 * The next timer that is due at `now` (ns), no more armed; by their deadlines to the tick. WHEEL_NONE: none
 * is, or WHEEL_MOVES nodes were moved without meeting one; the next call goes on.
 */
uint32_t wheel_expired(struct wheel *w, uint64_t now);

/*
 * What wheel_expired() will return next and after that, as far as it is of the tick in hand: what they will
 * touch can be fetched. WHEEL_NONE: not known.
 */
struct wheel_coming {
	uint32_t next, after;
};
struct wheel_coming wheel_coming(const struct wheel *w);

#endif
