/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries out actions about kept messages: keeping and letting go, and every message that Weir makes itself out
 * of a kept INVITE or its final: 100, repeats, retries, answers, CANCEL, ACK. Runs on the worker that owns the call.
 * Must stay true: each message made counts once in ST_MADE and in one end; a kept INVITE is sent on byte by byte
 * as it would be if it came now (RFC 3261 16.11).
 */
#include "dataplane/worker.h"

/* The INVITE kept as act->kept, scanned and decoded again in c. False: it is not there any more. */
static bool load_invite(struct dp_worker *w, const struct lb_act *act, struct dp_ctx *c)
{
	struct kept what;
	const char *bytes = keep_get(w->keep, act->kept & ~1u, &what);
	enum st_end end;

	if (!bytes || sip_scan(w->simd, bytes, what.n, &w->kept.sip) != SIP_GOOD)
		return false;
	w->kept.pkt.src = what.src;
	w->kept.call_hash = what.call_hash;
	w->kept.listener = what.listener;
	w->kept.faulty = 0;
	c->m = NULL;
	c->msg = &w->kept;
	return dp_query(w->dp, w->policy, c, &end);
}

static void keep_invite(struct dp_worker *w, const struct dp_ctx *c, const struct lb_act *act, struct str bytes)
{
	const struct kept what = {
		.src = c->q.src,
		.call_hash = c->q.call_hash,
		.n = (uint16_t)bytes.n,
		.listener = c->q.listener,
	};

	keep_put(w->keep, act->kept & ~1u, &what, bytes.p);
}

void dp_keep_final(struct dp_worker *w, const struct lb_act *act, const char *bytes, uint32_t n)
{
	const struct kept what = { .n = (uint16_t)n };

	keep_put(w->keep, act->kept | 1u, &what, bytes);
}

static void keep_response(struct dp_worker *w, const struct dp_ctx *c, const struct lb_act *act)
{
	char text[LIMIT_MBUF_OBJ];
	uint32_t n = dp_write_response(c, text, sizeof(text));

	if (n)
		dp_keep_final(w, act, text, n);
}

/* A followed redirect changes the Request-URI for good: CANCEL and ACK carry it, too (RFC 3261 8.1.3.4). */
static bool retarget(struct dp_worker *w, const struct lb_act *act, struct dp_ctx *c)
{
	char text[LIMIT_MBUF_OBJ];
	struct sip_edits edits = { 0 };
	uint32_t n;

	sip_edits_add(&edits, c->msg->sip.uri.off, c->msg->sip.uri.len, act->uri);
	n = sip_apply(&c->msg->sip, &edits, text, sizeof(text));
	if (!n)
		return false;
	keep_invite(w, c, act, (struct str){ text, n });
	return load_invite(w, act, c);
}

/* Writes the message that act makes. invite: the kept INVITE (for TRYING the one in hand). 0: cannot be. */
static uint32_t write_made(struct dp_worker *w, const struct dp_ctx *c, const struct dp_ctx *invite,
			   const struct lb_act *act, char *p, uint32_t cap)
{
	switch (act->op) {
	case LB_TRYING:
	case LB_ANSWER:
		return dp_write_reply(invite, act, p, cap);
	case LB_RESEND:
		return dp_write_request(w->dp, invite, act, p, cap);
	case LB_CANCEL:
		return dp_write_hop(w->dp, invite, act, NULL, p, cap);
	case LB_ACK:
		return dp_write_hop(w->dp, invite, act, &c->msg->sip, p, cap);
	default:
		return 0;
	}
}

static uint32_t copy_final(struct dp_worker *w, const struct lb_act *act, char *p, uint32_t cap)
{
	struct kept what;
	const char *bytes = keep_get(w->keep, act->kept | 1u, &what);

	if (!bytes || what.n > cap)
		return 0;
	memcpy(p, bytes, what.n);
	return what.n;
}

static uint32_t make_text(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act, char *p, uint32_t cap)
{
	struct dp_ctx kept;

	if (act->op == LB_RESEND_FINAL)
		return copy_final(w, act, p, cap);
	if (act->op == LB_TRYING)
		return write_made(w, c, c, act, p, cap);
	if (!load_invite(w, act, &kept) || (act->uri.n && !retarget(w, act, &kept)))
		return 0;
	return write_made(w, c, &kept, act, p, cap);
}

static void make(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act)
{
	struct rte_mbuf *out = rte_pktmbuf_alloc(w->pool);
	uint32_t n;
	char *p;

	st_inc(w->lane, ST_MADE);
	if (!out) {
		st_inc(w->lane, ST_DROP_NO_MBUF);
		return;
	}
	p = rte_pktmbuf_mtod(out, char *);
	n = make_text(w, c, act, p, dp_room(w, out, &w->dp->listeners[act->listener]));
	if (!n) {
		dp_end(w, out, ST_DROP_NOT_KEPT);
		return;
	}
	if (act->keep_final)
		dp_keep_final(w, act, p, n);
	out->data_len = (uint16_t)n;
	out->pkt_len = n;
	dp_send(w, out, act->listener, &act->dst, act->towards ? act->gateway : LB_NONE, act->end);
}

void dp_act_kept(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act)
{
	switch (act->op) {
	case LB_KEEP:
		keep_invite(w, c, act, (struct str){ c->msg->sip.base, c->msg->sip.len });
		break;
	case LB_KEEP_FINAL:
		keep_response(w, c, act);
		break;
	case LB_FORGET:
		keep_drop(w->keep, act->kept);
		break;
	default:
		make(w, c, act);
		break;
	}
}
