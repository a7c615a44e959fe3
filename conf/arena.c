/* SPDX-License-Identifier: BSD-3-Clause */
/* Chunks of at least 16 kB, doubling with use; nothing is given back before the end. */
#include "conf/arena.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_MIN 16384u

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size; /* bytes behind this head */
	max_align_t data[];
};

static struct arena_chunk *add_chunk(struct arena *a, size_t need)
{
	size_t size = a->last != NULL ? 2 * a->last->size : CHUNK_MIN;
	struct arena_chunk *c;

	if (size < need)
		size = need;
	c = calloc(1, sizeof(*c) + size);
	if (c == NULL)
		return NULL;
	c->next = a->last;
	c->size = size;
	a->last = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_chunk *c = a->last;
	void *p;

	if (size == 0)
		return NULL;
	size = (size + 15) & ~(size_t)15;
	if (c == NULL || c->size - c->used < size)
		c = add_chunk(a, size);
	if (c == NULL) {
		a->failed = true;
		return NULL;
	}
	p = (char *)c->data + c->used;
	c->used += size;
	return p;
}

char *arena_text(struct arena *a, const char *p, size_t n)
{
	char *text = arena_alloc(a, n + 1);

	if (text != NULL)
		memcpy(text, p, n);
	return text;
}

void arena_free(struct arena *a)
{
	struct arena_chunk *c = a->last, *next;

	for (; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
}
