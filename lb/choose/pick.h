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
	uint32_t *turns; /* of the worker, by pool: calls so far that were given by turns */
	uint64_t call_hash;
	struct str called; /* user part of the URI that is called, as far as struct setup keeps it */
	struct addr src;   /* of the request */
	struct ask ask;
	struct lb_trail *trail; /* where it is noted who could not take it; NULL: nowhere */
	const uint16_t *tried;  /* slots that it has been sent to before: not these */
	unsigned n_tried;
};

/*
 * Chooses in `pool` (index) by the law of the pool (lb/choose/balance.c), the next tier when a tier has none,
 * and takes what the request needs, see word_admit(). NULL: nobody can take it. Worker.
 */
const struct gateway *pick(const struct pick *p, const struct lb_snapshot *s, uint16_t pool);

/*
 * The same, and for a call that nobody in the pool can take, in its overflow pool, as far as its budget goes:
 * one step, never further. The gateway says by its pool which it was. Worker.
 */
const struct gateway *pick_or_spill(const struct pick *p, const struct lb_snapshot *s, uint16_t pool);

/*
 * True if it is known already that pick_or_spill() finds nobody for such a request. Changes and counts
 * nothing. Worker.
 */
bool pick_known_full(const struct lb_words *words, const struct ask *ask, const struct lb_snapshot *s,
		     uint16_t pool);

/* Brings into the cache what pick() will look a new request up in. Worker. */
void pick_prefetch(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash);

/*
 * True if the gateway may have this new request, see word_admit(): then all that it needs is taken. Else the
 * reason is counted in the gateway's cells. Worker.
 */
bool pick_take(const struct pick *p, const struct gateway *g);

/* ---- For the laws ----------------------------------------------------------------------------------------
 */

/* True if pick_take() would succeed now, other threads aside, and the gateway has a weight. Worker. */
bool pick_can(const struct pick *p, const struct gateway *g);

/* The gateway was passed by for this reason. Worker. */
void pick_passed(const struct pick *p, const struct gateway *g, enum lb_stop why);

/* What the pool chooses by: the hash of the Call-ID, of who is called, or of the source. Worker. */
uint64_t pick_hash(const struct pick *p, const struct lb_snapshot *s, const struct pool *in);

/*
 * The gateway that a request with this Call-ID would be given first, whatever its state; NULL: that goes by
 * something else than the Call-ID, or the pool has no weight. Any thread.
 */
const struct gateway *pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash);

#endif
