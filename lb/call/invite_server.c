/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller's side of a call: the INVITE server transaction of RFC 3261 17.2.1 (figure 7) with the accepted
 * state of RFC 6026 7.1. The table below is the machine. Runs on the worker that owns the call.
 * Two stated deviations: a repeated INVITE gets 100 again, not the last 18x (who has had one repeats no
 * more); and Timer I lasts as long as H, so that late copies of the INVITE meet their transaction and make no
 * call.
 */
#include "lb/call/invite.h"
#include "lb/admit/oc.h"
#include "lb/choose/routes.h"
#include "lb/worker.h"

static void address(const struct event *e, const struct setup *u, struct lb_act *act)
{
	setup_reply_to(u, &act->dst);
	act->listener = u->listener;
	act->kept = 2 * setup_index(&e->w->setups, u);
	oc_tell(act, u->oc_ask, e->w->words, e->s, &act->dst);
}

static void send_trying(struct event *e, struct setup *u)
{
	struct lb_act *act = act_add(e, LB_TRYING, ST_SENT_TRYING);

	address(e, u, act);
	act->status = 100;
	act->reason = "Trying";
}

static void send_final(struct event *e, struct setup *u)
{
	if (u->flags & SETUP_FINAL_KEPT)
		address(e, u, act_add(e, LB_RESEND_FINAL, ST_SENT_FINAL));
}

struct lb_act *server_answer(struct event *e, struct setup *u, uint16_t status, uint32_t retry_after_s)
{
	const struct lb_query q = { .call_hash = u->call_hash,
				    .from_hash = u->from_hash,
				    .via_hash = u->via_hash };
	struct lb_act *act = act_add(e, LB_ANSWER, ST_SENT_ANSWER);

	address(e, u, act);
	act->status = status;
	act->reason = route_reason(status);
	act->retry_after_s = retry_after_s;
	act->to_tag_n = tag_write(&e->s->keys, &q, act->to_tag);
	if (status >= 200) {
		act->keep_final = 1;
		u->flags |= SETUP_FINAL_KEPT;
	}
	return act;
}

static void repeat_final(struct event *e, struct setup *u)
{
	send_final(e, u);
	u->repeat = next_repeat(u->repeat, repeat_interval(&e->w->timers, ++u->repeats), e->now);
}

static void complete(struct event *e, struct setup *u)
{
	u->repeat = u->flags & SETUP_FINAL_KEPT ? e->now + e->w->timers.t1 : SETUP_NEVER;
	u->end = e->now + e->w->timers.d;
}

static void accept_call(struct event *e, struct setup *u)
{
	u->repeat = SETUP_NEVER;
	u->end = e->now + e->w->timers.d;
}

static void quiet(struct event *e, struct setup *u)
{
	u->repeat = SETUP_NEVER;
}

static void over(struct event *e, struct setup *u)
{
	u->repeat = u->end = SETUP_NEVER;
}

/* RFC 3261 16.10: every branch that is open. */
static void cancel_all(struct event *e, struct setup *u)
{
	u->flags |= SETUP_CANCELLED;
	failover_cancel_others(e, u, LIMIT_BRANCHES);
	failover_cancelled(e, u);
}

static const struct {
	uint8_t next; /* enum server_state; SERVER_NONE: not known here */
	void (*does)(struct event *, struct setup *);
} machine[SERVER_STATES][SERVER_EVENTS] = {
	[SERVER_PROCEEDING] = {
		[SERVER_INVITE] = { SERVER_PROCEEDING, send_trying }, /* 17.2.1 */
		[SERVER_CANCEL] = { SERVER_PROCEEDING, cancel_all },  /* 9.2, 16.10 */
		[SERVER_2XX] = { SERVER_ACCEPTED, accept_call },      /* RFC 6026 7.1: Timer L */
		[SERVER_FINAL] = { SERVER_COMPLETED, complete },      /* 17.2.1: Timers G, H */
	},
	[SERVER_COMPLETED] = {
		[SERVER_INVITE] = { SERVER_COMPLETED, send_final },   /* 17.2.1 */
		[SERVER_ACK] = { SERVER_CONFIRMED, quiet },           /* 17.2.1 */
		[SERVER_CANCEL] = { SERVER_COMPLETED, NULL },         /* 9.2: no effect */
		[SERVER_2XX] = { SERVER_CONFIRMED, quiet },           /* 16.7, step 10: passes; no more finals after it */
		[SERVER_REPEAT] = { SERVER_COMPLETED, repeat_final }, /* 17.2.1: Timer G */
		[SERVER_END] = { SERVER_TERMINATED, over },           /* 17.2.1: Timer H */
	},
	[SERVER_CONFIRMED] = {
		[SERVER_INVITE] = { SERVER_CONFIRMED, NULL },         /* a late copy */
		[SERVER_ACK] = { SERVER_CONFIRMED, NULL },            /* 17.2.1 */
		[SERVER_CANCEL] = { SERVER_CONFIRMED, NULL },         /* 9.2 */
		[SERVER_END] = { SERVER_TERMINATED, over },           /* 17.2.1: Timer I */
	},
	[SERVER_ACCEPTED] = {
		[SERVER_INVITE] = { SERVER_ACCEPTED, NULL },          /* RFC 6026 7.1: absorbed */
		[SERVER_CANCEL] = { SERVER_ACCEPTED, NULL },          /* 9.2 */
		[SERVER_2XX] = { SERVER_ACCEPTED, NULL },             /* RFC 6026 7.1: passes */
		[SERVER_END] = { SERVER_TERMINATED, over },           /* RFC 6026 7.1: Timer L */
	},
	[SERVER_TERMINATED] = {
		[SERVER_INVITE] = { SERVER_TERMINATED, NULL },        /* a late copy, while branches last */
		[SERVER_ACK] = { SERVER_TERMINATED, NULL },
		[SERVER_CANCEL] = { SERVER_TERMINATED, NULL },
	},
};

bool server_event(struct event *e, struct setup *u, enum server_event event)
{
	uint8_t state = u->state, next = machine[state][event].next;

	if (next == SERVER_NONE)
		return false;
	u->state = next;
	if (machine[state][event].does)
		machine[state][event].does(e, u);
	return true;
}
