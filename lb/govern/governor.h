/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of the governor: what it keeps of each gateway, and the steps of its table. Each part of struct
 * governed is defined in the header of the file that writes it. Control.
 */
#ifndef WEIR_LB_GOVERNOR_H
#define WEIR_LB_GOVERNOR_H

#include "lb/govern/clients.h"
#include "lb/govern/explicit.h"
#include "lb/govern/govern.h"
#include "lb/govern/health.h"
#include "lb/govern/limit.h"
#include "lb/govern/reading.h"
#include "lb/govern/retry_after.h"
#include "lb/govern/sharing.h"
#include "lb/snapshot.h"
#include "lb/worker.h"

/* One gateway. */
struct governed {
	uint32_t id; /* lb_gateway_id() of whose slot it is; 0: nobody's yet */
	bool asleep; /* set by the first step, cleared by any that wants to look at it again next time */
	bool set;    /* cap and rate are those of the words */
	uint32_t cap, rate;
	uint16_t shed;
	bool paced;            /* rate is of all requests, see lb_set_gateway_pace() */
	struct reading r;      /* reading.h: what the workers noticed */
	struct health h;       /* health.h: whether it is there */
	struct limit l;        /* limit.h: what it may be given, as learned */
	struct explicit x;     /* explicit.h: what it asks for itself */
	struct retry_after ra; /* retry_after.h: how long it wants to be left alone */
};

/* Many gateways of a port fell silent together: until then it is not held against them. */
struct panic {
	uint64_t since, until; /* ns; of the last one, 0: there was none */
	bool on;
};

struct lb_governor {
	struct lb_words *words;
	const struct lb_worker *workers[LIMIT_WORKERS];
	uint32_t n_workers, n_slots;

	/* Of the step in hand. */
	const struct lb_snapshot *s;
	uint64_t now; /* ns */
	double dt;    /* s since the step before; 0: the clock has jumped, measure nothing */
	struct lb_notice *notices;
	unsigned n_notices, max_notices;

	uint16_t measuring[LIMIT_POOLS]; /* gateways of each pool whose floor is being measured */
	uint32_t n_awake;
	uint16_t *awake;     /* slots that the steps look at, ascending; n_slots */
	uint32_t *stamps;    /* [worker][group of SIGNAL_GROUP slots]: as last seen */
	struct governed *at; /* by slot */
	uint64_t born;       /* ns */

	uint32_t next_pool; /* of pools.c: whose turn it is */

	uint64_t hearing;                /* ns; silence before this may be our own */
	struct panic panic[LIMIT_PORTS]; /* by port */
	uint64_t able_next;              /* ns; when to tell all pools who is well */
	uint16_t well_pool;              /* pool of the last look, or LB_NONE, */
	bool well;                       /* and whether anybody was well there */

	struct oc_client client[LIMIT_PEERS]; /* clients.h: by slot of the peer */
	struct sharing sharing;               /* sharing.h: who shares which pool */
	struct telling telling;               /* sharing.h: what refused callers are told */
	struct lack lack[LIMIT_POOLS];        /* sharing.h: what the operator is told of them */
};

/* Tells the operator; what does not fit is lost. */
static inline void governor_notice(struct lb_governor *g, struct lb_notice n)
{
	if (g->n_notices < g->max_notices)
		g->notices[g->n_notices++] = n;
}

/* What all workers have seen of the requests for a pool; modulo 2^32. */
struct told_cell told_sum(const struct lb_governor *g, uint32_t pool);

/* A gateway that is new, or in the slot of another one. */
void governed_start(struct lb_governor *g, struct governed *at, const struct gateway *gw);

/* The steps, in the order of the table in govern.c; each looks at the gateways that are awake. */
void govern_read(struct lb_governor *g);        /* read.c */
void govern_health(struct lb_governor *g);      /* alive.c: who is there; DOWN goes into the words at once */
void govern_retry_after(struct lb_governor *g); /* retry_after.c: who wants to be left alone */
void govern_limits(struct lb_governor *g);      /* limit.c */
void govern_t1(struct lb_governor *g);          /* t1.c: into the words at once */
void govern_explicit(struct lb_governor *g);    /* explicit.c */
void govern_apply(struct lb_governor *g);       /* apply.c: what the steps before allow goes into the words */
void govern_pools(struct lb_governor *g);       /* pools.c: spill budgets, urgent calls */
void govern_shares(struct lb_governor *g);  /* shares.c: pools that are short, between those who call them */
void govern_short(struct lb_governor *g);   /* short.c: the operator is told of pools that are short */
void govern_told(struct lb_governor *g);    /* told.c: when refused callers are to come again */
void govern_clients(struct lb_governor *g); /* clients.c: what callers are told about our load */

#endif
