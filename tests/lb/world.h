/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small world for tests and benches of the policy room: gateways at 198.51.100.x:5060, one peer
 * (192.0.2.0/24) and one route to pool 0, one worker. Tests change `spec` arrays and build again.
 */
#ifndef WEIR_TESTS_LB_WORLD_H
#define WEIR_TESTS_LB_WORLD_H

#include "lb/govern/govern.h"
#include "lb/lb.h"

#define SECOND UINT64_C(1000000000)

struct world {
	struct lb_spec spec;
	struct lb_gateway_spec gateway[64];
	struct lb_pool_spec pool[4];
	struct lb_peer_spec peer[16];
	struct lb_prefix prefix[16];
	struct lb_route_spec route[16];
	char name[64][8];
	struct lb_words *words;
	struct st_lane *lane;
	struct lb_worker *worker;
	struct lb_snapshot *snap;
	struct lb_governor *governor; /* of world_governor() */
	struct lb_act act[LIMIT_ACTS];
	uint64_t now;
	bool trail;       /* the same */
	uint32_t records; /* of struct lb_worker_spec; for the next world_pins() or world_calls() */
};

/* Starts a world without gateways; world_build() is still to be called. */
void world_init(struct world *w);

/* Adds gateway "gwN" with slot N, N = how many there were; returns N. */
uint16_t world_gateway(struct world *w, uint16_t pool, uint16_t weight, uint8_t tier);

/* Adds a route at the end that matches everything; the caller narrows it. */
struct lb_route_spec *world_route(struct world *w, uint16_t pool);

/* Gives the worker new tables with room for so many pins; world_init() gives it room for 65536. */
void world_pins(struct world *w, uint32_t pins);

/* The same with 65536 pins and room for so many calls. */
void world_calls(struct world *w, uint32_t calls);

/* Makes the snapshot of w->spec, in place of the one before. */
void world_build(struct world *w);

/* All at once: a world with so many equal gateways in pool 0, built. */
void world_start(struct world *w, unsigned gateways);

/* A governor of the world's one worker, from w->now on; world_free() frees it. */
struct lb_governor *world_governor(struct world *w);

void world_free(struct world *w);

struct addr world_ip4(const char *ip, uint16_t port);

/* A request without To tag from the peer: call number n, transaction t of it. */
struct lb_query world_request(const struct world *w, enum method method, uint32_t n, uint32_t t);

/* The response to a request that was just forwarded (w->act[0]). */
struct lb_query world_response(const struct world *w, const struct lb_query *request, uint16_t status);

/* An INVITE that was forwarded, with its token. */
struct world_call {
	struct lb_query invite;
	uint16_t gateway; /* slot */
	char token[LIMIT_TOKEN];
	unsigned token_n;
};

/* Forwards the INVITE of call number n. */
struct world_call world_call(struct world *w, uint32_t n);

/* A request of the caller in that call, with token; c must outlive it. */
struct lb_query world_in_dialog(const struct world_call *c, enum method method);

/* lb_input(), which must give one action; returns it. */
const struct lb_act *world_input(struct world *w, const struct lb_query *q);

static inline struct str text_of(const char *p, unsigned n)
{
	return (struct str){ p, n };
}

#endif
