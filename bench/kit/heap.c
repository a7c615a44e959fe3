/* SPDX-License-Identifier: BSD-3-Clause */
/* See heap.h. Every timer knows its place, so that taking one out of the middle costs log n. */
#include "bench/kit/heap.h"

#include <stdlib.h>

static void put(struct kit_heap *h, uint32_t i, struct kit_timer *t)
{
	h->of[i] = t;
	t->pos = i + 1;
}

static void rise(struct kit_heap *h, uint32_t i, struct kit_timer *t)
{
	while (i > 0 && t->at < h->of[(i - 1) / 2]->at) {
		put(h, i, h->of[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put(h, i, t);
}

static void sink(struct kit_heap *h, uint32_t i, struct kit_timer *t)
{
	for (uint32_t child; (child = 2 * i + 1) < h->n; i = child) {
		if (child + 1 < h->n && h->of[child + 1]->at < h->of[child]->at)
			child++;
		if (t->at <= h->of[child]->at)
			break;
		put(h, i, h->of[child]);
	}
	put(h, i, t);
}

void kit_disarm(struct kit_heap *h, struct kit_timer *t)
{
	uint32_t i = t->pos - 1;
	struct kit_timer *last;

	if (t->pos == 0)
		return;
	t->pos = 0;
	last = h->of[--h->n];
	if (last == t)
		return;
	if (i > 0 && last->at < h->of[(i - 1) / 2]->at)
		rise(h, i, last);
	else
		sink(h, i, last);
}

void kit_arm(struct kit_heap *h, struct kit_timer *t, uint64_t at)
{
	kit_disarm(h, t);
	if (h->n == h->room) {
		h->room = h->room ? 2 * h->room : 1024;
		h->of = realloc(h->of, h->room * sizeof(*h->of));
		if (!h->of)
			abort();
	}
	t->at = at;
	rise(h, h->n++, t);
}

struct kit_timer *kit_due(struct kit_heap *h, uint64_t now)
{
	struct kit_timer *t = h->n ? h->of[0] : NULL;

	if (!t || t->at > now)
		return NULL;
	kit_disarm(h, t);
	return t;
}

uint64_t kit_next(const struct kit_heap *h)
{
	return h->n ? h->of[0]->at : UINT64_MAX;
}

void kit_heap_free(struct kit_heap *h)
{
	free(h->of);
	*h = (struct kit_heap){ 0 };
}
