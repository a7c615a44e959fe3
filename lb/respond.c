/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Responses, and the texts that let Weir know its own again. A response goes where its Via says, if the
 * branch is ours and was made for just that (RFC 3261 16.11); what it tells of its gateway goes into the
 * gateway's cells and the pin of its request. Runs on the worker that owns the Call-ID.
 */
#include "lb/act.h"
#include "lb/peers.h"

/* Counts a gateway's response, and tells the pin what became of its request. */
static void note(struct lb_worker *w, const struct lb_query *q, const struct gateway *g,
		 const struct branch *b, uint64_t now)
{
	struct pin pin;
	uint8_t *flags;

	st_gateway_inc(w->lane, g->slot, ST_GW_RESPONSES_1XX + q->status / 100 - 1);
	if (b->kind != BRANCH_PINNED || q->method == METHOD_CANCEL)
		return;
	pin = pin_find(&w->pins, pin_key(q->call_hash, q->from_hash), b->identity, now);
	if (!pin.b || !pin.same || pin.b->gateway[pin.i] != g->slot)
		return;
	flags = &pin.b->flags[pin.i];
	if (!(*flags & PIN_ANSWERED))
		st_hist_add(&w->lane->gateways[g->slot].response, pin_age(pin, now));
	*flags |= q->status >= 200 ? PIN_ANSWERED | PIN_FINAL : PIN_ANSWERED;
	pin_extend(pin, now, q->method == METHOD_INVITE && !(*flags & PIN_FINAL) ? w->ringing_ns : w->pin_ns);
}

void respond(struct lb_worker *w, const struct lb_snapshot *s, const struct lb_query *q, uint64_t now,
	     struct lb_act *act)
{
	const struct gateway *g;
	struct branch b;

	switch (branch_read(&s->keys, q->branch, q->call_hash, &q->via_to, &b)) {
	case BRANCH_NONE:
		act_set(act, LB_DROP, ST_DROP_RESPONSE_NOT_OURS);
		return;
	case BRANCH_FORGED:
		act_set(act, LB_DROP, ST_DROP_RESPONSE_BAD_MAC);
		return;
	case BRANCH_OK:
		break;
	}
	g = gateway_by_id(s, b.gateway);
	if (b.kind == BRANCH_PROBE)
		act_set(act, LB_TO_CONTROL, ST_TO_CONTROL);
	else if (q->via_to.port == 0)
		act_set(act, LB_DROP, ST_DROP_RESPONSE_NO_VIA);
	else
		act_set(act, LB_FORWARD, ST_FWD_RESPONSE);
	act->gateway = g ? g->slot : LB_NONE;
	if (act->op != LB_FORWARD)
		return;
	act->dst = q->via_to;
	act->listener = b.listener;
	if (g)
		note(w, q, g, &b, now);
}

int lb_branch_loop(struct str branch, uint32_t *loop)
{
	struct branch b;

	if (!branch_parse(branch, &b))
		return 0;
	*loop = b.loop;
	return 1;
}

unsigned lb_probe_branch(const struct lb_snapshot *s, uint32_t gateway_id, uint8_t listener,
			 uint64_t call_hash, char out[LIMIT_BRANCH])
{
	struct branch b = {
		.kind = BRANCH_PROBE,
		.listener = listener,
		.gateway = gateway_id,
		.identity = call_hash,
	};

	return branch_write(&s->keys, &b, call_hash, NULL, out);
}

void lb_reply_tag(const struct lb_snapshot *s, const struct lb_query *q, struct lb_act *act)
{
	act->to_tag_n = q->has_to_tag ? 0 : tag_write(&s->keys, q, act->to_tag);
}
