/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A timer lies at the level of the highest digit (base 256) in which its tick differs from the wheel's, in
 * the slot of its own digit there. So a slot is met exactly when the wheel's digit comes to it: at level 0
 * its timers are due, above it they move down. Empty slots are passed by the bits of `used`, however far the
 * clock jumps. Worker; what must stay true: `tick` does not move on while a ring at it holds nodes.
 */
#include "lb/base/wheel.h"

#define HEADS      (WHEEL_LEVELS * WHEEL_SLOTS)
#define DIGIT_BITS 8

size_t wheel_size(uint32_t n)
{
	return ((size_t)HEADS + n) * sizeof(struct wheel_node);
}

void wheel_init(struct wheel *w, void *mem, uint32_t n, uint64_t now)
{
	*w = (struct wheel){ .node = mem, .tick = now / WHEEL_TICK_NS, .lower = WHEEL_NONE };
	for (uint32_t i = 0; i < HEADS; i++)
		w->node[i] = (struct wheel_node){ .prev = i, .next = i };
	for (uint32_t i = HEADS; i < HEADS + n; i++)
		w->node[i] = (struct wheel_node){ .prev = WHEEL_NONE, .next = WHEEL_NONE };
}

static inline uint32_t digit(uint64_t tick, unsigned level)
{
	return tick >> level * DIGIT_BITS & (WHEEL_SLOTS - 1);
}

static void mark(struct wheel *w, uint32_t slot, bool used)
{
	uint64_t *word = &w->used[slot / WHEEL_SLOTS][slot % WHEEL_SLOTS / 64];

	*word = used ? *word | UINT64_C(1) << slot % 64 : *word & ~(UINT64_C(1) << slot % 64);
}

/* Puts a node that is in no ring where its tick belongs, seen from the wheel's. */
static void put(struct wheel *w, uint32_t n)
{
	uint32_t tick = w->node[n].tick, differs = tick ^ (uint32_t)w->tick;
	unsigned level = differs ? (31 - __builtin_clz(differs)) / DIGIT_BITS : 0;
	uint32_t head = level * WHEEL_SLOTS + digit(tick, level), last = w->node[head].prev;

	w->node[n].prev = last;
	w->node[n].next = head;
	w->node[last].next = n;
	w->node[head].prev = n;
	mark(w, head, true);
}

static void take(struct wheel *w, uint32_t n)
{
	uint32_t prev = w->node[n].prev, next = w->node[n].next;

	w->node[prev].next = next;
	w->node[next].prev = prev;
	w->node[n].next = WHEEL_NONE;
	if (prev == next) /* the head is left alone */
		mark(w, prev, false);
}

/* The tick in which a timer for `at` fires. */
static uint64_t tick_for(const struct wheel *w, uint64_t at)
{
	uint64_t tick = at / WHEEL_TICK_NS + (at % WHEEL_TICK_NS != 0);

	if (tick < w->tick)
		tick = w->tick;
	return tick - w->tick < WHEEL_FAR ? tick : w->tick + WHEEL_FAR - 1;
}

void wheel_arm(struct wheel *w, uint32_t i, uint64_t at)
{
	uint32_t n = HEADS + i;

	if (wheel_armed(w, i))
		take(w, n);
	w->node[n].tick = (uint32_t)tick_for(w, at);
	put(w, n);
}

void wheel_sooner(struct wheel *w, uint32_t i, uint64_t at)
{
	uint32_t left = w->node[HEADS + i].tick - (uint32_t)w->tick;

	if (!wheel_armed(w, i) || tick_for(w, at) - w->tick < left)
		wheel_arm(w, i, at);
}

void wheel_cancel(struct wheel *w, uint32_t i)
{
	if (wheel_armed(w, i))
		take(w, HEADS + i);
}

bool wheel_armed(const struct wheel *w, uint32_t i)
{
	return w->node[HEADS + i].next != WHEEL_NONE;
}

void wheel_prefetch(const struct wheel *w, uint32_t i, bool neighbours)
{
	const struct wheel_node *n = &w->node[HEADS + i];

	if (!neighbours) {
		__builtin_prefetch(n, 1);
	} else if (n->next != WHEEL_NONE) {
		__builtin_prefetch(&w->node[n->prev], 1);
		__builtin_prefetch(&w->node[n->next], 1);
	}
}

/* The first used slot of a level from `from` on, or WHEEL_SLOTS. */
static uint32_t next_used(const uint64_t *used, uint32_t from)
{
	for (uint32_t i = from / 64; i < WHEEL_SLOTS / 64; i++) {
		uint64_t bits = used[i] & (i == from / 64 ? UINT64_MAX << from % 64 : UINT64_MAX);

		if (bits)
			return i * 64 + __builtin_ctzll(bits);
	}
	return WHEEL_SLOTS;
}

/*
 * The tick after the wheel's in which a slot comes up, and that slot in *head; UINT64_MAX: all are empty.
 * Below the top level a digit only grows; there it wraps.
 */
static uint64_t next_stop(const struct wheel *w, uint32_t *head)
{
	const unsigned top = WHEEL_LEVELS - 1;
	unsigned level = 0, above;
	uint32_t d;

	while ((d = next_used(w->used[level], digit(w->tick, level) + 1)) == WHEEL_SLOTS && level < top)
		level++;
	if (d == WHEEL_SLOTS)
		d += next_used(w->used[top], 0);
	if (d == 2 * WHEEL_SLOTS)
		return UINT64_MAX;
	above = (level + 1) * DIGIT_BITS;
	*head = level * WHEEL_SLOTS + d % WHEEL_SLOTS;
	return (w->tick >> above << above) + ((uint64_t)d << level * DIGIT_BITS);
}

/* Moves nodes of the slot `lower` down; false if *moves were not enough for all. */
static bool move_down(struct wheel *w, unsigned *moves)
{
	uint32_t n;

	while ((n = w->node[w->lower].next) != w->lower) {
		if ((*moves)-- == 0)
			return false;
		take(w, n);
		put(w, n);
	}
	w->lower = WHEEL_NONE;
	return true;
}

uint32_t wheel_expired(struct wheel *w, uint64_t now)
{
	uint64_t until = now / WHEEL_TICK_NS;
	unsigned moves = WHEEL_MOVES;

	for (;;) {
		uint32_t head = digit(w->tick, 0), n;
		uint64_t stop;

		if (w->lower != WHEEL_NONE && !move_down(w, &moves))
			return WHEEL_NONE;
		n = w->node[head].next;
		if (n != head) {
			take(w, n);
			return n - HEADS;
		}
		if (w->tick >= until)
			return WHEEL_NONE;
		stop = next_stop(w, &head);
		if (stop > until) {
			w->tick = until;
			return WHEEL_NONE;
		}
		w->tick = stop;
		if (head >= WHEEL_SLOTS)
			w->lower = head;
	}
}

struct wheel_coming wheel_coming(const struct wheel *w)
{
	uint32_t head = digit(w->tick, 0), n = w->node[head].next, after = w->node[n].next;

	if (n == head)
		return (struct wheel_coming){ WHEEL_NONE, WHEEL_NONE };
	__builtin_prefetch(&w->node[after], 1);
	return (struct wheel_coming){ n - HEADS, after == head ? WHEEL_NONE : after - HEADS };
}
