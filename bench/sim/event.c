/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens next in virtual time, objects by number, and chance. The same seed gives the same day. An
 * event that is no longer wanted is not taken out: its object knows when it is due, and ignores it.
 */
#include <math.h>
#include <stdlib.h>
#include "bench/sim/sim.h"

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "sim: out of memory\n");
		exit(1);
	}
	return p;
}

/* ---- The heap ------------------------------------------------------------------------------------------ */

/* Four children each: fewer lines of cache on the way down. */
static void sift_up(struct sim_event *h, uint32_t i, struct sim_event e)
{
	while (i > 0 && h[(i - 1) / 4].at > e.at) {
		h[i] = h[(i - 1) / 4];
		i = (i - 1) / 4;
	}
	h[i] = e;
}

static void sift_down(struct sim_event *h, uint32_t n, struct sim_event e)
{
	uint32_t i = 0, child, last, least;

	while ((child = 4 * i + 1) < n) {
		last = child + 4 < n ? child + 4 : n;
		for (least = child++; child < last; child++)
			least = h[child].at < h[least].at ? child : least;
		if (h[least].at >= e.at)
			break;
		h[i] = h[least];
		i = least;
	}
	h[i] = e;
}

void event_add_sub(struct sim *s, uint64_t at, enum event_kind kind, uint32_t index, uint8_t sub,
		   uint16_t sub2)
{
	struct sim_event e = { .at = at, .index = index, .kind = kind, .sub = sub, .sub2 = sub2 };

	if (s->n_heap == s->heap_room) {
		s->heap_room = s->heap_room ? 2 * s->heap_room : 1 << 16;
		s->heap = must(realloc(s->heap, s->heap_room * sizeof(*s->heap)));
	}
	sift_up(s->heap, s->n_heap++, e);
}

void event_add(struct sim *s, uint64_t at, enum event_kind kind, uint32_t index)
{
	event_add_sub(s, at, kind, index, 0, 0);
}

struct sim_event event_take(struct sim *s)
{
	struct sim_event first = s->heap[0];

	if (--s->n_heap)
		sift_down(s->heap, s->n_heap, s->heap[s->n_heap]);
	return first;
}

/* ---- Pools --------------------------------------------------------------------------------------------- */

void pool_init(struct sim_pool *p, size_t size)
{
	*p = (struct sim_pool){ .size = (size + 15) / 16 * 16 };
}

static void pool_grow(struct sim_pool *p)
{
	uint32_t first = p->n_chunks * POOL_CHUNK;

	p->chunk = must(realloc(p->chunk, (p->n_chunks + 1) * sizeof(*p->chunk)));
	p->chunk[p->n_chunks++] = must(calloc(POOL_CHUNK, p->size));
	p->free_list = must(realloc(p->free_list, p->n_chunks * POOL_CHUNK * sizeof(*p->free_list)));
	for (uint32_t i = POOL_CHUNK; i-- > 0;)
		p->free_list[p->n_free++] = first + i;
}

uint32_t pool_take(struct sim_pool *p)
{
	uint32_t i;

	if (p->n_free == 0)
		pool_grow(p);
	i = p->free_list[--p->n_free];
	memset(pool_at(p, i), 0, p->size);
	if (++p->in_use > p->peak)
		p->peak = p->in_use;
	return i;
}

void pool_give(struct sim_pool *p, uint32_t i)
{
	memset(pool_at(p, i), 0, p->size);
	p->free_list[p->n_free++] = i;
	p->in_use--;
}

void pool_free(struct sim_pool *p)
{
	for (uint32_t i = 0; i < p->n_chunks; i++)
		free(p->chunk[i]);
	free(p->chunk);
	free(p->free_list);
}

/* ---- Chance -------------------------------------------------------------------------------------------- */

uint64_t chance_bits(struct sim *s)
{
	uint64_t z = s->rng += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

double chance_real(struct sim *s)
{
	return (double)(chance_bits(s) >> 11) * 0x1p-53;
}

bool chance(struct sim *s, double p)
{
	return chance_real(s) < p;
}

uint64_t chance_span(struct sim *s, uint64_t from, uint64_t to)
{
	return from + (uint64_t)(chance_real(s) * (double)(to - from));
}

uint64_t chance_exp(struct sim *s, double mean)
{
	return (uint64_t)(-log(1.0 - chance_real(s)) * mean);
}

uint64_t chance_lognormal(struct sim *s, double mean, double sigma)
{
	double u = 1.0 - chance_real(s), v = chance_real(s);
	double normal = sqrt(-2.0 * log(u)) * cos(2.0 * M_PI * v);

	return (uint64_t)(mean * exp(sigma * normal - sigma * sigma / 2));
}
