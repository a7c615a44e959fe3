/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pins: which gateway has the request with this Call-ID, From tag and top branch, so that its repetitions,
 * its CANCEL and its ACK follow (RFC 3261 16.11). Worker; one writer, the owner of the Call-ID.
 * A full table loses the pin that would end first, never a request.
 */
#ifndef WEIR_LB_PIN_H
#define WEIR_LB_PIN_H

#include "lb/lb.h"

#define PINS_IN_BUCKET 3

enum pin_flags {
	PIN_ANSWERED = 1,   /* the gateway has sent a response */
	PIN_FINAL = 2,      /* and a final one */
	PIN_CHALLENGED = 4, /* which asks for credentials */
	PIN_AGAIN = 8,      /* it came with credentials that an earlier one was asked for */
	PIN_OC = 16,        /* times lb_query.oc_ask of the request */
};

/* One cache line. All fields: worker. */
struct pin_bucket {
	uint32_t tag[PINS_IN_BUCKET];     /* of Call-ID and From tag */
	uint32_t branch[PINS_IN_BUCKET];  /* of the top branch, method aside */
	uint32_t expiry[PINS_IN_BUCKET];  /* end, in 2^26 ns; over when it has passed, so zeros are free */
	uint32_t sent[PINS_IN_BUCKET];    /* when first forwarded, in 2^10 ns, the low half */
	uint16_t gateway[PINS_IN_BUCKET]; /* slot */
	uint8_t flags[PINS_IN_BUCKET];    /* enum pin_flags */
	uint8_t spare[7];
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct pin_bucket) == 64, "one cache line");

struct pins {
	struct pin_bucket *bucket;
	uint32_t mask; /* buckets - 1 */
};

/* A place in the table; b == NULL: none. Valid until the next pin_add(). */
struct pin {
	struct pin_bucket *b;
	uint8_t i;
	bool same; /* the top branch agrees too */
};

/* What pins are found by. */
struct pin_key {
	uint64_t place; /* picks the buckets; of the Call-ID alone, so that they can be fetched early */
	uint32_t tag;   /* of Call-ID and From tag */
};

struct pin_key pin_key(uint64_t call_hash, uint64_t from_hash);

/* Number of buckets for so many pins. */
uint32_t pin_buckets(uint32_t pins);

/* Brings the two lines where pins of the Call-ID can be into the cache. */
void pin_prefetch(const struct pins *p, uint64_t call_hash);

/* The pin of this request, else the youngest with the same Call-ID and From tag, else none. */
struct pin pin_find(const struct pins *p, struct pin_key key, uint64_t branch, uint64_t now);

/*
 * Pins a new request to `gateway` (slot) for `life` ns, with these flags. Takes the place of `old` if that is
 * over, a free one, or that of the pin that would end first; returns true if a living one was lost.
 */
bool pin_add(struct pins *p, struct pin_key key, uint64_t branch, struct pin old, uint16_t gateway,
	     uint64_t now, uint64_t life, uint8_t flags);

/* Moves the end of a pin to now + life. */
void pin_extend(struct pin pin, uint64_t now, uint64_t life);

/* Its place is free from now on. */
void pin_end(struct pin pin);

/* ns since the pinned request was first forwarded; up to an hour, to the microsecond. */
uint64_t pin_age(struct pin pin, uint64_t now);

#endif
