/* SPDX-License-Identifier: BSD-3-Clause */
/* Which gateway of a pool gets a request. Worker. */
#ifndef WEIR_LB_PICK_H
#define WEIR_LB_PICK_H

#include "lb/snapshot.h"
#include "lb/words.h"

/*
 * True if the gateway may have this new request: up, not drained and, if `charge`, below its max-cps, from
 * which one call is then taken. Else the reason is counted in the gateway's cells. now: monotonic ns. Worker.
 */
bool pick_take(struct lb_words *words, struct st_lane *lane, const struct gateway *g, uint64_t now,
	       bool charge);

/*
 * Chooses in `pool` (index) for a Call-ID hash: its Maglev place, then further places drawn from the hash,
 * then by weight among all that can; the next tier when a tier has none. NULL: nobody can take it. Worker.
 */
const struct gateway *pick(struct lb_words *words, struct st_lane *lane, const struct lb_snapshot *s,
			   uint16_t pool, uint64_t call_hash, uint64_t now, bool charge);

/* The gateway that pick() tries first, whatever its state; NULL: the pool has no weight. Any thread. */
const struct gateway *pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash);

#endif
