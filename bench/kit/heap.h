/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timers of one thread: a binary heap of timers that live inside what they wake. It grows by doubling and
 * then stays, so that arming takes no memory once a program is warm.
 */
#ifndef WEIR_BENCH_HEAP_H
#define WEIR_BENCH_HEAP_H

#include <stdint.h>

struct kit_timer {
	uint64_t at;   /* ns on the clock of the program */
	uint32_t pos;  /* place in the heap + 1; 0: not armed */
	uint32_t kind; /* the owner's: what is to be done */
};

struct kit_heap {
	struct kit_timer **of;
	uint32_t n, room;
};

/* Arms t for `at` (ns), also when it is armed already. Ends the program when there is no memory. */
void kit_arm(struct kit_heap *h, struct kit_timer *t, uint64_t at);
void kit_disarm(struct kit_heap *h, struct kit_timer *t);

/* Takes the earliest timer that is due at `now` out of the heap; NULL when none is. */
struct kit_timer *kit_due(struct kit_heap *h, uint64_t now);

/* When the earliest timer is due (ns); UINT64_MAX when none is armed. */
uint64_t kit_next(const struct kit_heap *h);

/* Gives the memory back; the timers belong to what they wake. */
void kit_heap_free(struct kit_heap *h);

#endif
