/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writing and reading the trail: a ring with one writer. Each line says whose turn it holds, and 0 while it
 * is written, so a reader knows a whole one. Worker writes; control reads.
 */
#include "lb/worker.h"

void trail_add(struct lb_worker *w, const struct lb_trail *note)
{
	struct lb_trail *to = &w->trail[w->trail_turn % LIMIT_TRAIL];
	uint32_t turn = ++w->trail_turn;

	__atomic_store_n(&to->turn, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	/* field by field: a copy of the whole would wait for the pieces that it was written in */
	to->when = note->when;
	to->tag = note->tag;
	to->pool = note->pool;
	to->gateway = note->gateway;
	to->end = note->end;
	to->urgent = note->urgent;
	to->n = note->n;
	for (unsigned i = 0; i < note->n; i++) {
		to->asked[i] = note->asked[i];
		to->stop[i] = note->stop[i];
	}
	__atomic_store_n(&to->turn, turn, __ATOMIC_RELEASE);
}

/* Copies a line as it was at one moment; false: it is empty, of another call, or being written. */
static bool copy(const struct lb_trail *from, uint32_t tag, struct lb_trail *out)
{
	uint32_t turn = __atomic_load_n(&from->turn, __ATOMIC_ACQUIRE);

	if (turn == 0 || __atomic_load_n(&from->tag, __ATOMIC_RELAXED) != tag)
		return false;
	*out = *from;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return out->tag == tag && __atomic_load_n(&from->turn, __ATOMIC_RELAXED) == turn;
}

unsigned lb_trail_find(const struct lb_worker *w, uint32_t tag, struct lb_trail *out, unsigned max)
{
	uint32_t newest = __atomic_load_n(&w->trail_turn, __ATOMIC_RELAXED);
	unsigned n = 0;

	for (uint32_t i = 1; w->trail && i <= LIMIT_TRAIL && n < max; i++)
		n += copy(&w->trail[(newest - i) % LIMIT_TRAIL], tag, &out[n]);
	return n;
}
