/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to conf/: memory that is freed as a whole. One writer. A failed allocation is remembered, so that
 * a long fill can be checked once at its end as well as step by step.
 */
#ifndef WEIR_CONF_ARENA_H
#define WEIR_CONF_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_chunk;

struct arena {
	struct arena_chunk *last; /* the chunk with room; the others hang behind it */
	bool failed;              /* an allocation failed */
};

/* Zeroed memory, aligned to 16; NULL if there is none (or size is 0). */
void *arena_alloc(struct arena *a, size_t size);

/* Copy of n bytes with a NUL behind them; NULL if there is no memory. */
char *arena_text(struct arena *a, const char *p, size_t n);

/* Frees everything. The arena may live in itself. */
void arena_free(struct arena *a);

#endif
