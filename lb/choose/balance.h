/* SPDX-License-Identifier: BSD-3-Clause */
/* The laws by which the gateways of one tier share its work. Worker. */
#ifndef WEIR_LB_BALANCE_H
#define WEIR_LB_BALANCE_H

#include "lb/choose/pick.h"

/*
 * Chooses a gateway of the tier by the law of its pool `in`, takes what the request needs from it and returns
 * it; NULL: none of the tier can take it.
 */
const struct gateway *balance(const struct pick *p, const struct lb_snapshot *s, const struct pool *in,
			      const struct tier *t);

/* The gateway whose turn it is for a hash, whatever its state. Any thread. */
const struct gateway *balance_at(const struct lb_snapshot *s, const struct tier *t, uint64_t hash);

/* Brings into the cache what balance_at() reads first. Worker. */
void balance_prefetch(const struct tier *t, uint64_t hash);

#endif
