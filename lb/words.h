/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The words: one cache line per gateway and per peer, shared by all workers and control, in place for the
 * life of the process. Field comments say who writes; every field is atomic.
 */
#ifndef WEIR_LB_WORDS_H
#define WEIR_LB_WORDS_H

#include "lb/bucket.h"
#include "lb/lb.h"

struct word {
	struct bucket cps; /* control: interval; workers: next */
	uint8_t health;    /* enum lb_health; control */
	uint8_t admin;     /* enum lb_admin; control */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct word) == 64, "one cache line each");

struct lb_words {
	struct word gateway[LIMIT_GATEWAYS]; /* by slot */
	struct word peer[LIMIT_PEERS];       /* by slot */
};

/* True if the gateway may be given new work, its limits aside. Workers. */
static inline bool word_ready(const struct word *g)
{
	return __atomic_load_n(&g->health, __ATOMIC_RELAXED) == LB_UP &&
	       __atomic_load_n(&g->admin, __ATOMIC_RELAXED) == LB_READY;
}

static inline bool word_down(const struct word *g)
{
	return __atomic_load_n(&g->health, __ATOMIC_RELAXED) == LB_DOWN;
}

#endif
