/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of tiers. Control builds them; see balance.c for their use. */
#ifndef WEIR_LB_MAGLEV_H
#define WEIR_LB_MAGLEV_H

#include "lb/snapshot.h"

/* Working memory of the build for one gateway. */
struct maglev_turn {
	uint32_t next; /* slot it tries next */
	uint32_t skip; /* distance to the one after */
	uint32_t due;  /* weight saved up; a turn costs the greatest weight */
};

/*
 * Fills table[LIMIT_MAGLEV] with indexes first..first+n-1 of gateways, each as often as its weight says, to
 * one slot. Depends on identities and weights only. turns: n of them. At least one weight is not 0. Control.
 */
void maglev_fill(uint16_t *table, const struct lb_key *key, const struct gateway *gateways, uint16_t first,
		 uint16_t n, struct maglev_turn *turns);

/* The same shares, but each gateway's slots side by side: for who walks the table in even steps. Control. */
void runs_fill(uint16_t *table, const struct gateway *gateways, uint16_t first, uint16_t n);

#endif
