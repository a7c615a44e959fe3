/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers of Weir's own, made without state: how often one source gets them, and which of them are
 * remembered. Runs on the worker that owns the Call-ID. What must stay true: an ACK is never answered, and a
 * request that is remembered gets the same answer again.
 */
#include "lb/decide.h"
#include "lb/admit/oc.h"
#include "lb/choose/routes.h"

bool decision_reply(struct decision *d, uint16_t status, const char *reason, enum st_end end,
		    enum st_end ack_end)
{
	const struct lb_query *q = d->q;

	if (q->method == METHOD_ACK) {
		act_set(d->act, ack_end == ST_ABSORB_ACK ? LB_ABSORB : LB_DROP, ack_end);
		return true;
	}
	if (!source_may(d->w->sources, &d->s->hash_key, &q->src, decision_known(d), d->now)) {
		act_set(d->act, LB_DROP, ST_DROP_SOURCE_CAPPED);
		return true;
	}
	act_set(d->act, LB_REPLY, end);
	d->act->status = status;
	d->act->reason = reason;
	d->act->listener = q->listener;
	d->act->dst = q->reply_to;
	d->act->brief = !decision_known(d);
	if (!q->has_to_tag)
		d->act->to_tag_n = tag_write(&d->s->keys, q, d->act->to_tag);
	if (q->oc_ask)
		oc_tell_peer(d->act, d->w->words, d->s, d->peer);
	return true;
}

bool decision_answer(struct decision *d, uint16_t status, enum st_end end)
{
	if (d->q->method != METHOD_CANCEL)
		return decision_reply(d, status, route_reason(status), end, ST_DROP_ACK_NOWHERE);
	act_set(d->act, LB_ABSORB, ST_ABSORB_CANCEL);
	return true;
}

/* The answer is remembered, if there is one. detail: of struct refusal. */
static void remember(struct decision *d, uint32_t detail)
{
	if (d->act->op == LB_REPLY &&
	    memo_add(d->w->memo, memo_key(d->q), d->act->status, detail, !decision_known(d), d->now))
		st_inc(d->w->lane, ST_REFUSAL_LOST);
}

static void refuse(struct decision *d, uint16_t status, uint32_t retry_after_s, enum st_end end)
{
	decision_answer(d, status, end);
	if (d->act->op == LB_REPLY)
		d->act->retry_after_s = retry_after_s;
}

bool decision_refuse(struct decision *d, uint16_t status, uint32_t retry_after_s, enum st_end end)
{
	refuse(d, status, retry_after_s, end);
	remember(d, retry_after_s);
	return true;
}

static void redirect(struct decision *d, const struct gateway *g)
{
	decision_answer(d, 302, ST_REPLY_REDIRECT);
	d->act->contact = g->addr;
}

bool decision_redirect(struct decision *d, const struct gateway *g)
{
	redirect(d, g);
	remember(d, 1u + g->slot);
	return true;
}

bool answer_again(struct decision *d)
{
	const struct lb_query *q = d->q;
	const struct gateway *g;
	struct memory before;

	if (q->has_to_tag || q->method == METHOD_ACK)
		return false;
	before = memo_find(d->w->memo, memo_key(q), d->now);
	d->refused_before = before.r && !before.same;
	if (!before.same)
		return false;
	if (before.r->status != 302) {
		refuse(d, before.r->status, before.r->detail, ST_REPLY_REFUSED_AGAIN);
		return true;
	}
	g = gateway_by_slot(d->s, (uint16_t)(before.r->detail - 1));
	if (g)
		redirect(d, g);
	return g;
}
