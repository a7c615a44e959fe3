/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pin table: two candidate buckets of three per key, so that it fills to nine tenths before it loses one.
 * Pins end by the clock alone; their places are reused when met, nothing is ever swept.
 */
#include "lb/base/hash.h"
#include "lb/choose/pin.h"

static inline uint32_t coarse(uint64_t ns)
{
	return ns >> 26;
}

static inline uint32_t fine(uint64_t ns)
{
	return ns >> 10;
}

static inline struct pin_bucket *bucket(const struct pins *p, uint64_t place, unsigned which)
{
	return &p->bucket[(which ? place >> 32 : place) & p->mask];
}

/* The owner of a Call-ID is drawn from bits of its hash, so all of one worker's have some bits in common. */
static inline uint64_t place_of(uint64_t call_hash)
{
	return hash_again(call_hash);
}

struct pin_key pin_key(uint64_t call_hash, uint64_t from_hash)
{
	return (struct pin_key){
		.place = place_of(call_hash),
		.tag = hash_again(call_hash * 0x9e3779b97f4a7c15 + from_hash) >> 32,
	};
}

uint32_t pin_buckets(uint32_t pins)
{
	uint32_t n = 1;

	while (n < UINT32_C(1) << 30 && n < pins / 2)
		n *= 2;
	return n;
}

void pin_prefetch(const struct pins *p, uint64_t call_hash)
{
	uint64_t place = place_of(call_hash);

	__builtin_prefetch(bucket(p, place, 0), 1);
	__builtin_prefetch(bucket(p, place, 1), 1);
}

struct pin pin_find(const struct pins *p, struct pin_key key, uint64_t branch, uint64_t now)
{
	struct pin best = { 0 };

	for (unsigned which = 0; which < 2; which++) {
		struct pin_bucket *b = bucket(p, key.place, which);

		for (unsigned i = 0; i < PINS_IN_BUCKET; i++) {
			if (b->tag[i] != key.tag || b->expiry[i] <= coarse(now))
				continue;
			if (b->branch[i] == (uint32_t)branch)
				return (struct pin){ b, i, true };
			if (!best.b || b->expiry[i] > best.b->expiry[best.i])
				best = (struct pin){ b, i, false };
		}
	}
	return best;
}

/* Places of a bucket that are free: never used, or ended. */
static unsigned vacant(const struct pin_bucket *b, uint64_t now)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PINS_IN_BUCKET; i++)
		n += b->expiry[i] <= coarse(now);
	return n;
}

/* The place that ends first, of the emptier bucket; of both if both are full. Free ones have ended. */
static struct pin best_place(const struct pins *p, struct pin_key key, uint64_t now)
{
	struct pin_bucket *b[2] = { bucket(p, key.place, 0), bucket(p, key.place, 1) };
	unsigned free0 = vacant(b[0], now), free1 = vacant(b[1], now);
	struct pin best = { b[free1 > free0], 0, false };

	for (unsigned which = 0; which < 2; which++) {
		if (b[which] != best.b && (free0 || free1))
			continue;
		for (unsigned i = 0; i < PINS_IN_BUCKET; i++) {
			if (b[which]->expiry[i] < best.b->expiry[best.i])
				best = (struct pin){ b[which], i, false };
		}
	}
	return best;
}

bool pin_add(struct pins *p, struct pin_key key, uint64_t branch, struct pin old, uint16_t gateway,
	     uint64_t now, uint64_t life, uint8_t flags)
{
	bool reuse = old.b && (old.same || old.b->flags[old.i] & PIN_FINAL);
	struct pin at = reuse ? old : best_place(p, key, now);
	bool lost = !reuse && at.b->expiry[at.i] > coarse(now);

	at.b->tag[at.i] = key.tag;
	at.b->branch[at.i] = branch;
	at.b->sent[at.i] = fine(now);
	at.b->gateway[at.i] = gateway;
	at.b->flags[at.i] = flags;
	pin_extend(at, now, life);
	return lost;
}

void pin_extend(struct pin pin, uint64_t now, uint64_t life)
{
	pin.b->expiry[pin.i] = coarse(now + life) + 1;
}

void pin_end(struct pin pin)
{
	pin.b->expiry[pin.i] = 0;
}

uint64_t pin_age(struct pin pin, uint64_t now)
{
	return (uint64_t)(fine(now) - pin.b->sent[pin.i]) << 10;
}
