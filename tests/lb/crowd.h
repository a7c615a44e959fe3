/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Peers that call a pool in virtual time, through lb_input() and with the governor at 10 Hz: who gets how
 * much of a pool that cannot serve all. Everything is drawn from one seed.
 */
#ifndef WEIR_TESTS_LB_CROWD_H
#define WEIR_TESTS_LB_CROWD_H

#include "lb/govern/governor.h"
#include "tests/lb/world.h"

#define CROWD_PEERS 12

/* One peer, at 10.0.N.0/24. */
struct caller {
	double rate;          /* new calls per second, Poisson */
	double hold_s;        /* length of its calls; 0: they never end */
	unsigned burst;       /* more than 0: no Poisson, but so many at once at the start of each step */
	unsigned again;       /* times that it tries a refused call again, at once, on a new branch */
	bool returns;         /* comes back with a new call when Retry-After says so */
	uint64_t asked;       /* new calls, at their first attempt */
	uint64_t admitted;    /* calls that went to a gateway */
	uint64_t refused;     /* attempts */
	uint64_t told_s;      /* sum of Retry-After */
	uint32_t most_told_s; /* the greatest */
	uint32_t calls;       /* in progress */
};

struct crowd_event {
	uint64_t at;
	uint32_t kind, who, n; /* n: call that ends */
};

struct crowd {
	struct world w;
	struct lb_governor *g; /* NULL: there is none */
	struct caller caller[CROWD_PEERS];
	unsigned n;
	uint64_t random;
	uint32_t calls; /* made so far: their numbers */
	struct crowd_event *heap;
	uint32_t n_heap, room_heap;
	struct crowd_call {
		struct lb_query invite;
		char branch[LIMIT_BRANCH];
		uint8_t branch_n;
		uint16_t gateway;
	} * call; /* by number */
	uint32_t room_calls;
};

/* n peers, `gateways` equal gateways in pool 0; the caller fills in caller[] and limits. */
void crowd_start(struct crowd *c, unsigned n, unsigned gateways, uint64_t seed);
void crowd_stop(struct crowd *c);

/* Makes the snapshot again, after changes to c->w. */
void crowd_build(struct crowd *c);

/* Lets time pass. Rates that have changed since hold from now on. */
void crowd_run(struct crowd *c, double seconds);

/* Forgets what was counted. */
void crowd_count(struct crowd *c);

/* Now `n` calls of peer `who` come within `seconds`, evenly. */
void crowd_flash(struct crowd *c, unsigned who, unsigned n, double seconds);

/* Jain's index of what the first n peers were admitted, or have in progress. */
double crowd_jain(const struct crowd *c, unsigned n, bool calls);

/* What all were admitted. */
uint64_t crowd_admitted(const struct crowd *c);

#endif
