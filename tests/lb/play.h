/* SPDX-License-Identifier: BSD-3-Clause */
/* One gateway as lb/govern/health.h sees it, played step by step. */
#ifndef WEIR_TESTS_LB_PLAY_H
#define WEIR_TESTS_LB_PLAY_H

#include "lb/govern/health.h"
#include "tests/lb/check.h"

#define STEP 100000000ull

/* A gateway and how it behaves; probes and calls are those of a step. */
struct gateway_play {
	struct health h;
	struct health_seen s;
	uint64_t heard;
};

static inline void begin(struct gateway_play *g)
{
	*g = (struct gateway_play){
		.s = { .now = 1000 * SECOND,
		       .limit = LB_UNLIMITED,
		       .limit_open = LB_UNLIMITED,
		       .down_after = 3,
		       .up_after = 2,
		       .admin = LB_READY },
	};
	health_init(&g->h, LB_UP, g->s.now);
}

/* One step with so many INVITEs sent, answered and, of those, refused. True if the state changed. */
static inline bool step(struct gateway_play *g, uint32_t sent, uint32_t answered, uint32_t refused)
{
	g->s.now += STEP;
	if (answered)
		g->heard = g->s.now;
	g->s.heard = g->heard;
	g->s.sent = sent;
	g->s.answered = answered;
	g->s.refused = refused;
	health_note(&g->h, &g->s);
	g->s.bounced = 0;
	return health_step(&g->h, &g->s);
}

/* Steps until the state changes; fails after `most`. Returns how long it took, ns. */
static inline uint64_t until_change(struct gateway_play *g, uint32_t sent, uint32_t answered,
				    uint32_t refused, uint64_t most)
{
	uint64_t from = g->s.now;

	while (!step(g, sent, answered, refused))
		assert_true(g->s.now - from < most);
	return g->s.now - from;
}

/* Steps of which none changes the state. */
static inline void steady(struct gateway_play *g, uint32_t sent, uint32_t answered, uint32_t refused,
			  uint64_t ns)
{
	for (uint64_t end = g->s.now + ns; g->s.now < end;)
		assert_false(step(g, sent, answered, refused));
}

static inline void probe(struct gateway_play *g, enum lb_probe_result result)
{
	health_probe(&g->h, result, g->s.now - SECOND, g->heard);
}

static inline void expect(const struct gateway_play *g, enum lb_health state, enum lb_health_why why)
{
	assert_int_equal(g->h.state, state);
	assert_int_equal(g->h.why, why);
	assert_int_equal(g->h.since, g->s.now);
}

/* Silent to 40 INVITEs a second; DOWN. */
static inline void go_down(struct gateway_play *g)
{
	steady(g, 4, 4, 0, 2 * SECOND);
	until_change(g, 4, 0, 0, 3 * SECOND);
	expect(g, LB_DOWN, LB_WHY_MUTE);
}

/* And back, with probes answered from now on. */
static inline void go_probing(struct gateway_play *g)
{
	probe(g, LB_PROBE_OK);
	probe(g, LB_PROBE_OK);
	until_change(g, 0, 0, 0, 31 * SECOND);
	expect(g, LB_PROBING, LB_WHY_ALIVE);
}

static inline void go_slow(struct gateway_play *g)
{
	for (int i = 0; i < HEALTH_TAKEN - 1; i++)
		assert_false(step(g, 1, 1, 0));
	assert_true(step(g, 1, 1, 0));
	expect(g, LB_SLOWSTART, LB_WHY_PROVEN);
}

#endif
