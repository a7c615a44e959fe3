/* SPDX-License-Identifier: BSD-3-Clause */
/* What the governor knows of those who share pools, and what their refused callers were told: the parts of
 * struct lb_governor that shares.c, short.c and told.c write. */
#ifndef WEIR_LB_SHARING_H
#define WEIR_LB_SHARING_H

#include "lb/admit/refusal.h"
#include "lb/admit/shares.h"

/* One pair of pool and caller. */
struct pair {
	struct share_cell total; /* of all workers, as of the last step that read it; modulo 2^32 */
	uint32_t step;           /* number of that step */
	uint32_t idle_demand;    /* total.demand when last looked at for idleness */
	uint64_t hungry;         /* ns; until then it counts as wanting more places than it has */
	double demand;           /* new calls per second */
	double weight;
	uint16_t next; /* pair of the same pool in this step, or SHARE_NONE */
};

/* One pool. */
struct sharing_pool {
	uint8_t shortage;                  /* bits of enum shortage that this step goes by */
	uint8_t before;                    /* the step before */
	uint64_t rate_until, places_until; /* ns; when it is short no more if all stays quiet */
	double target;                     /* calls per second that the parts are made of */
	double idle;                       /* mean part of the gateways that could take more at once */
	uint32_t calm;                     /* steps in which nobody was refused who was within his part */
	uint32_t n_active;                 /* pairs that want or have something */
	double admitted;                   /* calls per second that gateways take */
	uint16_t first;                    /* pair, or SHARE_NONE */
	/* In the step. */
	uint32_t n, n_admitted, n_refused, n_full, n_held_off, n_put_off;
	int64_t calls;
};

struct sharing {
	struct pair at[LIMIT_SHARES];
	struct sharing_pool pool[LIMIT_POOLS];
	uint16_t by_id[2 * LIMIT_POOLS]; /* open addressing by pool.id: index + 1, 0: empty */
	uint16_t weight[LIMIT_PEERS];    /* by slot */
	uint32_t step;                   /* number of the step */
	uint32_t look;                   /* next pair to be looked at for idleness */
};

#define DUE_SLOTS 64 /* of a schedule: longer than twice what is told at least */
#define WINDOWS   15 /* of WINDOW_NS that the middle of is taken */
#define WINDOW_NS UINT64_C(1000000000)

/* One pool, and those who were told to return to it. */
struct telling_pool {
	struct told_cell window; /* of all workers, when the window in hand began; modulo 2^32 */
	uint64_t window_at;      /* ns; when it began; 0: none has */
	float fresh[WINDOWS];    /* requests per second that were not returns, of the last windows; a ring */
	uint32_t n_fresh;        /* windows so far */
	double usual;            /* the middle one of them */
	double capacity;         /* requests per second that gateways can take, as far as that was seen */

	bool active;             /* somebody was refused of late, or is to return: what follows counts */
	struct told_cell before; /* of all workers, as of the last step */
	uint64_t quiet;          /* ns; when there is nothing more to tell, if all stays so */
	uint64_t slot_end;       /* ns; of the slot in hand */
	double away;             /* callers told to return who have not yet: sum of due */
	double due[DUE_SLOTS];   /* those who are to return in each slot, a ring */
	uint32_t now_slot;
	double told; /* s */
};

struct telling {
	struct telling_pool pool[LIMIT_POOLS];
};

/* Whether a pool lacks gateways for what comes, and how far that was told. */
struct lack {
	enum {
		LACK_NOTHING,
		LACK_NEW,
		LACK_TOLD
	} state;
	uint64_t since, last;    /* ns; first and last refusal for want of one, to a step */
	struct told_cell before; /* of all workers, up to a second before the first */
};

#endif
