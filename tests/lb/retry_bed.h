/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gateways that answer calls with 503 and Retry-After (RFC 3261 21.5.4). Calls are given out by pick() and
 * answered at once, in steps of a millisecond.
 */
#ifndef WEIR_TESTS_LB_RETRY_BED_H
#define WEIR_TESTS_LB_RETRY_BED_H

#include <stdlib.h>
#include "lb/choose/pick.h"
#include "lb/govern/governor.h"
#include "tests/lb/check.h"
#include "tests/lb/scene.h"
#include "tests/lb/world.h"

#define MS       UINT64_C(1000000)
#define GATEWAYS 4

struct bed {
	struct world w;
	uint64_t stepped;
	uint32_t calls;
	double offered, due;     /* calls per s, to the pool */
	uint32_t asks[GATEWAYS]; /* Retry-After that the gateway refuses calls with, s; 0: it takes them */
	uint32_t got[GATEWAYS], none; /* calls, and those that nobody could be given */
	struct lb_notice last;        /* about Retry-After */
	unsigned notices;
};

/* Nothing is learned, but where learns() says so. */
static inline void start(struct bed *b, unsigned gateways, enum lb_gateway_retry what, uint64_t most_s)
{
	memset(b, 0, sizeof(*b));
	world_init(&b->w);
	for (unsigned i = 0; i < gateways; i++)
		world_gateway(&b->w, 0, 10, 0);
	b->w.pool[0].law = LB_LAW_STATIC;
	b->w.pool[0].gateway_retry = what;
	b->w.pool[0].gateway_retry_max_ns = most_s * SECOND;
	world_build(&b->w);
	world_governor(&b->w);
	b->stepped = b->w.now;
}

static inline void learns(struct bed *b)
{
	b->w.pool[0].law = LB_LAW_GRADIENT;
	world_build(&b->w);
}

static inline void stop(struct bed *b)
{
	world_free(&b->w);
}

static inline void step(struct bed *b)
{
	struct lb_notice notices[16];
	unsigned n = lb_govern(b->w.governor, b->w.snap, b->w.now, notices, 16);

	b->stepped = b->w.now;
	for (unsigned i = 0; i < n; i++) {
		if (notices[i].kind != LB_NOTICE_RETRY_AFTER && notices[i].kind != LB_NOTICE_RETRY_AFTER_OVER)
			continue;
		b->last = notices[i];
		b->notices++;
	}
}

/* Lets the next step be due, and makes it. */
static inline void next(struct bed *b)
{
	b->w.now += LB_STEP_NS;
	step(b);
}

static inline void answer(struct bed *b, uint16_t slot, uint32_t retry_after_s)
{
	struct signals *s = signal_of(b->w.worker->signals, slot, b->w.now);

	signal_add(s->sent, 1);
	signal_add(s->finished, 1);
	signal_delay(&s->response, 10 * MS);
	signal_outcome(s, (uint8_t)((b->calls % 8) | (b->calls / 8 % 8) << 4), retry_after_s > 0);
	if (retry_after_s)
		signal_retry_after(s, retry_after_s);
	else
		signal_delay(&s->progress, 20 * MS);
	word_hear(&b->w.words->gateway[slot], b->w.now);
}

/* So many answers of a gateway, of which some are such 503s, within one step. */
static inline void answers(struct bed *b, uint16_t slot, unsigned well, unsigned refused,
			   uint32_t retry_after_s)
{
	for (unsigned i = 0; i < well; i++)
		answer(b, slot, 0);
	for (unsigned i = 0; i < refused; i++)
		answer(b, slot, retry_after_s);
	next(b);
}

static inline void offer(struct bed *b)
{
	const struct pick p = {
		.words = b->w.words,
		.lane = b->w.lane,
		.call_hash = ++b->calls * UINT64_C(0x9e3779b97f4a7c15),
		.ask = { .now = b->w.now, .what = ASK_CALL, .opens = true, .governed = true },
	};
	const struct gateway *g = pick(&p, b->w.snap, 0);

	if (!g) {
		b->none++;
		return;
	}
	b->got[g->slot]++;
	answer(b, g->slot, b->asks[g->slot]);
	word_close(b->w.words, g->slot, g->pool, g->tier, b->w.words->gateway[g->slot].life);
}

static inline void run(struct bed *b, double seconds)
{
	uint64_t end = b->w.now + (uint64_t)(seconds * 1e9);

	memset(b->got, 0, sizeof(b->got));
	b->none = 0;
	while (b->w.now < end) {
		b->w.now += MS;
		for (b->due += b->offered / 1000; b->due >= 1; b->due -= 1)
			offer(b);
		if (b->w.now - b->stepped >= LB_STEP_NS)
			step(b);
	}
}

/* As run(), while its limit makes calls pass gateway 0 by. */
static inline void run_into_limit(struct bed *b, double seconds)
{
	for (unsigned i = 0; i < seconds * 10; i++) {
		st_gateway_inc(b->w.lane, 0, ST_GW_SKIPPED_OPEN);
		run(b, 0.1);
	}
}

static inline enum lb_retry effect(const struct bed *b, uint16_t slot)
{
	struct lb_congestion c;

	lb_congestion(b->w.governor, slot, &c);
	return c.retry;
}

static inline double left_s(const struct bed *b, uint16_t slot)
{
	struct lb_congestion c;

	lb_congestion(b->w.governor, slot, &c);
	return (double)c.retry_left_ns / 1e9;
}

#endif
