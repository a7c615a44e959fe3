/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Refusals and repeats that the load may have caused. Control.
 *
 * What a gateway refuses for want of capacity hits all numbers and all callers alike: the share that counts
 * is the one that half of the calls see, by class of number and by caller. A dead prefix or a caller that is
 * barred fills some classes and leaves that share at 0. Both shares are held against what they are without
 * load.
 */
#ifndef WEIR_LB_EVIDENCE_H
#define WEIR_LB_EVIDENCE_H

#include "lb/govern/govern.h"
#include "lb/govern/reading.h"

struct evidence {
	double taken[2][ORIGINS], refused[2][ORIGINS]; /* lately */
	double refused_share, refused_floor;
	double refused_of_all; /* whatever the classes */
	bool refused_widely;   /* by classes of numbers and of callers alike: each bears the other out */
	double sent, repeated; /* lately */
	double repeated_share, repeated_floor;

	/* The last cut that was made for it: was it to blame? */
	enum lb_moved blamed;
	double blamed_share, blamed_cap;
	bool blamed_met; /* of struct limit, before it */
	uint64_t judged; /* ns; when that is asked; 0: the first answers since are still to come */
};

/* Takes in a step of dt seconds. idle: the gateway had so little to do that the load cannot be the cause. */
void evidence_add(struct evidence *e, const struct reading *r, double dt, bool idle);

/* Forgets what was seen lately; floors stay. */
void evidence_clear(struct evidence *e);

/* What speaks for congestion; LB_MOVED_NEVER: nothing. */
enum lb_moved evidence_of(const struct evidence *e);

#define EVIDENCE_SHARE 0.05 /* more than this above the floor */

#endif
