/* SPDX-License-Identifier: BSD-3-Clause */
/* What decide.c and respond.c share: an action from nothing, and the way of a response. Worker. */
#ifndef WEIR_LB_ACT_H
#define WEIR_LB_ACT_H

#include "lb/snapshot.h"
#include "lb/worker.h"

/* An action with its end and nothing else in it; texts are left as they are, their lengths are 0. */
static inline void act_set(struct lb_act *act, enum lb_op op, enum st_end end)
{
	act->op = op;
	act->end = end;
	act->gateway = LB_NONE;
	act->status = 0;
	act->reason = NULL;
	act->retry_after_s = 0;
	act->listener = 0;
	act->towards = 0;
	act->branch_n = act->token_n = act->to_tag_n = 0;
	act->dst = (struct addr){ 0 };
}

/* Decides a response; see respond.c. */
void respond(struct lb_worker *w, const struct lb_snapshot *s, const struct lb_query *q, uint64_t now,
	     struct lb_act *act);

#endif
