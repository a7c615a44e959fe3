/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Maglev hashing (Eisenbud et al., NSDI 2016, 3.4) with weights: each gateway walks its own permutation of
 * the table and claims the next free slot when its turn comes; turns come as often as its weight says. So the
 * share of slots is exact, and another set of gateways moves few slots between those that stay. Beside it the
 * plain table for turns. Control.
 */
#include "lb/base/hash.h"
#include "lb/choose/maglev.h"

#define FREE LB_NONE

static uint32_t greatest_weight(const struct gateway *g, uint16_t n)
{
	uint32_t greatest = 0;

	for (uint16_t i = 0; i < n; i++)
		greatest = g[i].weight > greatest ? g[i].weight : greatest;
	return greatest;
}

static void claim(uint16_t *table, struct maglev_turn *t, uint16_t index)
{
	while (table[t->next] != FREE)
		t->next = (t->next + t->skip) % LIMIT_MAGLEV;
	table[t->next] = index;
}

void maglev_fill(uint16_t *table, const struct lb_key *key, const struct gateway *gateways, uint16_t first,
		 uint16_t n, struct maglev_turn *turns)
{
	const struct gateway *g = gateways + first;
	uint32_t greatest = greatest_weight(g, n);
	uint32_t left = LIMIT_MAGLEV;

	for (uint16_t i = 0; i < n; i++) {
		uint64_t h = lb_hash(key, &g[i].id, sizeof(g[i].id));

		turns[i] = (struct maglev_turn){ .next = (uint32_t)h % LIMIT_MAGLEV,
						 .skip = (h >> 32) % (LIMIT_MAGLEV - 1) + 1 };
	}
	for (uint32_t i = 0; i < LIMIT_MAGLEV; i++)
		table[i] = FREE;
	for (uint16_t i = 0; left > 0; i = i + 1u < n ? i + 1 : 0) {
		turns[i].due += g[i].weight;
		if (turns[i].due < greatest)
			continue;
		turns[i].due -= greatest;
		claim(table, &turns[i], first + i);
		left--;
	}
}

void runs_fill(uint16_t *table, const struct gateway *gateways, uint16_t first, uint16_t n)
{
	uint64_t sum = 0, before = 0;
	uint32_t slot = 0;

	for (uint16_t i = 0; i < n; i++)
		sum += gateways[first + i].weight;
	for (uint16_t i = 0; i < n; i++) {
		before += gateways[first + i].weight;
		while (slot < before * LIMIT_MAGLEV / sum)
			table[slot++] = first + i;
	}
}
