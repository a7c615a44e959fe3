/* SPDX-License-Identifier: BSD-3-Clause */
/* A pool of gateways with given weights under one law of balance, asked for a gateway call by call. */
#ifndef WEIR_TESTS_LB_CHOICE_H
#define WEIR_TESTS_LB_CHOICE_H

#include <math.h>
#include "lb/choose/balance.h"
#include "lb/worker.h"
#include "tests/lb/check.h"

static inline uint64_t call_id(uint64_t i)
{
	static const struct lb_key key = { .k = { 1, 2 } };

	return lb_hash(&key, &i, sizeof(i));
}

static inline void start(struct world *w, enum lb_balance law, const uint16_t *weights, unsigned n)
{
	world_init(w);
	w->pool[0].balance = law;
	for (unsigned i = 0; i < n; i++)
		world_gateway(w, 0, weights[i], 0);
	world_build(w);
}

static inline struct pick pick_at(struct world *w, uint64_t i)
{
	return (struct pick){ .words = w->words,
			      .lane = w->lane,
			      .turns = w->worker->turns,
			      .call_hash = call_id(i),
			      .ask = { .now = w->now,
				       .branch = call_id(i + 7),
				       .what = ASK_CALL,
				       .room = true,
				       .opens = true,
				       .governed = true } };
}

/* The slot that call i is given, or LB_NONE. */
static inline uint16_t give(struct world *w, uint64_t i)
{
	const struct pick p = pick_at(w, i);
	const struct gateway *g = pick(&p, w->snap, 0);

	return g ? g->slot : LB_NONE;
}

/* Its first response but 100 has come. */
static inline void answered(struct world *w, uint16_t slot)
{
	word_close(w->words, slot, 0, w->gateway[slot].tier, 0);
}

static inline uint64_t skipped(const struct world *w, uint16_t slot, enum lb_stop why)
{
	return w->lane->gateways[slot].count[ST_GW_SKIPPED_STATE + why - LB_STOP_STATE];
}

/* n of `of` at a share of `part`: within 1 % and four deviations of the sample. */
static inline void near(uint32_t n, double part, uint32_t of)
{
	double expected = part * of;

	if (fabs(n - expected) > 0.01 * expected + 4 * sqrt(expected * (1 - part)))
		fail_msg("%u, expected %.0f", n, expected);
}

#endif
