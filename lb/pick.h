/* SPDX-License-Identifier: BSD-3-Clause */
/* Which gateway of a pool gets a request. Worker. */
#ifndef WEIR_LB_PICK_H
#define WEIR_LB_PICK_H

#include "lb/snapshot.h"
#include "lb/words.h"

/* For what a gateway is chosen. */
struct pick {
	struct lb_words *words;
	struct st_lane *lane;
	uint64_t call_hash;
	struct ask ask;
	const uint16_t *tried; /* slots that it has been sent to before: not these */
	unsigned n_tried;
};

/*
 * True if the gateway may have this new request, see word_admit(): then all that it needs is taken. Else the
 * reason is counted in the gateway's cells. Worker.
 */
bool pick_take(const struct pick *p, const struct gateway *g);

/*
 * Chooses in `pool` (index) for a Call-ID hash: its Maglev place, then further places drawn from the hash,
 * then by weight among all that can; the next tier when a tier has none. NULL: nobody can take it. Worker.
 */
const struct gateway *pick(const struct pick *p, const struct lb_snapshot *s, uint16_t pool);

/* The gateway that pick() tries first, whatever its state; NULL: the pool has no weight. Any thread. */
const struct gateway *pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash);

#endif
