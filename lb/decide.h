/* SPDX-License-Identifier: BSD-3-Clause */
/* One request on its way down the list of decide.c, for the files that hold its steps. Worker. */
#ifndef WEIR_LB_DECIDE_H
#define WEIR_LB_DECIDE_H

#include "lb/call/invite.h"
#include "lb/worker.h"

struct decision {
	struct lb_worker *w;
	const struct lb_snapshot *s;
	const struct lb_query *q;
	uint64_t now;
	struct event *e;            /* the same for the transactions */
	struct lb_act *act;         /* the one that ends the message */
	const struct gateway *from; /* the source, if it is a gateway */
	uint8_t oc_ask;             /* what the branch of this request notes of lb_query.oc_ask */
	uint16_t peer;              /* the source, if it is a peer, else LB_NONE */
	uint16_t pool;              /* where the route leads */
	struct pin_key key;
	struct pin pin;            /* of an earlier request with this Call-ID and From tag */
	const struct setup *setup; /* of an earlier INVITE with them */
	bool refused_before;       /* this call, on another branch */
	struct lb_trail trail;     /* what `why` will tell of it, if it is new */
	bool is_new;               /* outside dialogs, and met for the first time */
	bool elsewhere;            /* in another pool than its route's, where it was challenged */
	bool urgent;               /* it goes by the operator's limits alone, headroom included */
	struct token token;        /* of the call, if has_token */
	bool has_token;
};

/* True if the source is a peer or a gateway. */
static inline bool decision_known(const struct decision *d)
{
	return d->from || d->peer != LB_NONE;
}

/*
 * Answers the request, unless its source has had too many answers; an ACK ends as `ack_end` instead
 * (RFC 3261 17.1.1.3 knows no response to it). Always true.
 */
bool decision_reply(struct decision *d, uint16_t status, const char *reason, enum st_end end,
		    enum st_end ack_end);

/* Answers by policy, without state, so its CANCEL is ignored (RFC 3261 8.2.7). Always true. */
bool decision_answer(struct decision *d, uint16_t status, enum st_end end);

/* The same, and remembers it: retry_after_s (0: none) and all. Always true. */
bool decision_refuse(struct decision *d, uint16_t status, uint32_t retry_after_s, enum st_end end);

/* Tells the caller of a new INVITE to go to g himself (RFC 3261 8.3), and remembers that. Always true. */
bool decision_redirect(struct decision *d, const struct gateway *g);

/* Step: what is remembered never flips. */
bool answer_again(struct decision *d);

/* Sends an out-of-dialog request to a gateway, with a token if a dialog may come of it. Always true. */
bool decision_forward(struct decision *d, enum branch_kind kind, const struct gateway *to);

/*
 * True for a call that was counted when it came first: it comes with credentials, for the first time, or away
 * from a gateway that is down. Who is refused, and challenged again, pays like anybody.
 */
bool place_came_before(const struct decision *d);

/* Step: no new call while the node drains, unless place_urgent() let it go before others. */
bool place_drain(struct decision *d);

/* Step: does this new call come before others? */
bool place_urgent(struct decision *d);

/*
 * Step: max-cps of a peer for new calls, of which one repeated with credentials for the first time was
 * counted before, and its max-rps for all else, repetitions excepted.
 */
bool place_limit_peer(struct decision *d);

/* Step, the last: to a gateway that can take it, else no. */
bool place_new(struct decision *d);

#endif
