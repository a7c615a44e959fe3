/* SPDX-License-Identifier: BSD-3-Clause */
/* What Weir consists of in the simulator: world.c makes it and looks into it, weir.c runs it. */
#ifndef WEIR_BENCH_SIM_WORLD_H
#define WEIR_BENCH_SIM_WORLD_H

#include "bench/sim/sim.h"

#define MAX_GATEWAYS 256

enum {
	POOL_PSTN,
	POOL_VOICEMAIL,
	POOL_CORE,
	POOLS
};

/* In place of dataplane/keep.c. */
struct kept {
	struct msg m;
	bool used;
};

struct weir {
	struct lb_key key;
	struct lb_spec lb;
	struct lb_gateway_spec gateways[MAX_GATEWAYS];
	struct lb_pool_spec pools[POOLS];
	struct lb_peer_spec peers[MAX_PEERS];
	struct lb_prefix prefixes[MAX_PEERS];
	struct lb_route_spec routes[2];
	struct lb_reroute_spec reroutes[2];
	char names[MAX_GATEWAYS][8];
	struct lb_words *words;
	struct lb_snapshot *snap;
	struct lb_worker_spec spec;
	struct lb_worker *worker[MAX_WORKERS];
	void *memory[MAX_WORKERS];
	struct st_lane *lane[MAX_WORKERS];
	struct kept *kept[MAX_WORKERS]; /* by handle */
	uint32_t n_workers;
	uint32_t n_kept;
	uint64_t ticked;                  /* ns */
	uint32_t published[MAX_GATEWAYS]; /* in use, each second: what the next life starts from */
	uint32_t survived[MAX_GATEWAYS];  /* what this life has started from */
	bool up[MAX_GATEWAYS];            /* as control sees it */
};

/* Fills w->lb, its arrays and w->spec, and the limits in s->gw. */
void world_spec(struct sim *s, struct weir *w);

#endif
