/* SPDX-License-Identifier: BSD-3-Clause */
/* An action from nothing. Worker. */
#ifndef WEIR_LB_ACT_H
#define WEIR_LB_ACT_H

#include "lb/snapshot.h"

/* An action with its end and nothing else in it; texts are left as they are, their lengths are 0. */
static inline void act_set(struct lb_act *act, enum lb_op op, enum st_end end)
{
	act->op = op;
	act->end = end;
	act->gateway = LB_NONE;
	act->status = 0;
	act->reason = NULL;
	act->retry_after_s = 0;
	act->oc_ask = 0;
	act->oc.algo = 0;
	act->listener = 0;
	act->towards = act->brief = 0;
	act->branch_n = act->token_n = act->to_tag_n = 0;
	act->dst = (struct addr){ 0 };
	act->kept = LB_NO_KEPT;
	act->keep_final = 0;
	act->uri.n = 0;
	act->target = 0;
	act->contact.port = 0;
}

#endif
