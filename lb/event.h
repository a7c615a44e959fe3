/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One thing that happens to a worker, a message or a moment, and the list of actions that it causes. The
 * action that ends the message in hand is always the last. Worker.
 */
#ifndef WEIR_LB_EVENT_H
#define WEIR_LB_EVENT_H

#include "lb/act.h"

struct event {
	struct lb_worker *w;
	const struct lb_snapshot *s;
	const struct lb_query *q; /* the message in hand; NULL: time alone */
	uint64_t now;             /* ns */
	struct lb_act *acts;      /* LIMIT_ACTS of them */
	unsigned n;               /* of them in use */
};

/* The next action of the list, set as act_set() does. */
static inline struct lb_act *act_add(struct event *e, enum lb_op op, enum st_end end)
{
	struct lb_act *act = &e->acts[e->n++];

	act_set(act, op, end);
	return act;
}

/* Decides a response; see respond.c. */
void respond(struct event *e);

/* An INVITE has come back by ICMP: its branch is not waited for any longer. */
void came_back(struct event *e);

#endif
