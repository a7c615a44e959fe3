/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries out actions about kept messages: keeping and letting go, and every message that Weir makes itself
 * out of a kept INVITE or its final: 100, repeats, retries, answers, CANCEL, ACK. Runs on the worker that
 * owns the call. Must stay true: each message made counts once in ST_MADE and in one end; a kept INVITE is
 * sent on byte by byte as it would be if it came now (RFC 3261 16.11).
 */
#include "dataplane/worker.h"

/* True if act gives the kept INVITE another Request-URI. */
static bool renames(const struct lb_act *act)
{
	return act->uri.n || act->target;
}

/*
 * The INVITE kept as act->kept, scanned and decoded again in c, and the targets kept with it. False: it is
 * not there any more, or must not be sent again.
 */
static bool load_invite(struct dp_worker *w, const struct lb_act *act, struct dp_ctx *c, struct str *targets)
{
	struct kept what;
	const char *bytes = keep_get(w->keep, act->kept & ~1u, &what);
	enum st_end end;

	if (!bytes || (what.stuck && act->op == LB_RESEND && !renames(act)) ||
	    sip_scan(w->simd, bytes, what.n - what.tail, &w->kept.sip) != SIP_GOOD)
		return false;
	*targets = (struct str){ bytes + what.n - what.tail, what.tail };
	w->kept.pkt.src = what.src;
	w->kept.call_hash = what.call_hash;
	w->kept.listener = what.listener;
	w->kept.faulty = 0;
	c->m = NULL;
	c->msg = &w->kept;
	return dp_query(w->dp, w->policy, c, &end);
}

/* Keeps the INVITE of c, whose n bytes begin at p, and the tail behind it. False: no room, see keep_put(). */
static bool keep_invite(struct dp_worker *w, const struct dp_ctx *c, const struct lb_act *act, const char *p,
			uint32_t n, uint32_t tail)
{
	const struct kept what = {
		.src = c->q.src,
		.call_hash = c->q.call_hash,
		.n = (uint16_t)(n + tail),
		.tail = (uint16_t)tail,
		.listener = c->q.listener,
	};

	return keep_put(w->keep, act->kept & ~1u, &what, p);
}

void dp_keep_final(struct dp_worker *w, const struct lb_act *act, const char *bytes, uint32_t n)
{
	const struct kept what = { .n = (uint16_t)n };

	if (!keep_put(w->keep, act->kept | 1u, &what, bytes))
		keep_drop(w->keep, act->kept | 1u); /* the one before is no longer the caller's */
}

static void keep_response(struct dp_worker *w, const struct dp_ctx *c, const struct lb_act *act)
{
	char text[LIMIT_MBUF_OBJ];
	uint32_t n = dp_write_response(c, act, text, sizeof(text));

	if (n)
		dp_keep_final(w, act, text, n);
}

/*
 * Writes the Contacts of the 3xx c to p, a line each, and as many empty lines as the longest is longer than
 * `uri`: whichever is called next, what is kept needs no more room than now. Returns the bytes; 0: they do
 * not fit, or one is all there is.
 */
static uint32_t write_targets(const struct dp_ctx *c, struct str uri, char *p, uint32_t cap)
{
	uint32_t n = 0, longest = uri.n;

	for (unsigned i = 0; i < c->q.n_contacts && c->q.n_contacts > 1; i++) {
		struct str line = c->q.contacts[i].uri;

		if (line.n >= cap - n)
			return 0;
		memcpy(p + n, line.p, line.n);
		p[n + line.n] = '\n';
		n += line.n + 1;
		longest = line.n > longest ? line.n : longest;
	}
	if (n == 0 || longest - uri.n > cap - n)
		return 0;
	memset(p + n, '\n', longest - uri.n);
	return n + longest - uri.n;
}

/* Line i of them, from 0; n == 0: there is none. */
static struct str target_line(struct str targets, unsigned i)
{
	const char *end = memchr(targets.p, '\n', targets.n);

	for (; end && i > 0; i--) {
		targets.n -= end + 1 - targets.p;
		targets.p = end + 1;
		end = memchr(targets.p, '\n', targets.n);
	}
	return (struct str){ targets.p, end ? end - targets.p : 0 };
}

/* Writes the lines again behind an INVITE of n bytes, so that both together stay `whole` bytes long. */
static uint32_t rewrite_targets(struct str targets, uint32_t whole, char *text, uint32_t n)
{
	uint32_t tail = n < whole ? whole - n : 0;
	uint32_t lines = targets.n < tail ? targets.n : tail;

	memcpy(text + n, targets.p, lines);
	memset(text + n + lines, '\n', tail - lines);
	return tail;
}

/*
 * A followed redirect changes the Request-URI for good: CANCEL and ACK carry it, too (RFC 3261 8.1.3.4). c:
 * the kept INVITE, targets: what is kept with it, redirect: the message in hand, a 3xx if act->uri is set.
 * False: there is no room for it; the INVITE is still there to be answered.
 */
static bool retarget(struct dp_worker *w, const struct dp_ctx *redirect, const struct lb_act *act,
		     struct dp_ctx *c, struct str targets)
{
	struct str uri = act->target ? target_line(targets, act->target - 1u) : act->uri;
	char text[LIMIT_MBUF_OBJ];
	struct sip_edits edits = { 0 };
	uint32_t n, tail = 0;

	sip_edits_add(&edits, c->msg->sip.uri.off, c->msg->sip.uri.len, uri);
	n = uri.n ? sip_apply(&c->msg->sip, &edits, text, sizeof(text)) : 0;
	if (n && act->target)
		tail = rewrite_targets(targets, c->msg->sip.len + targets.n, text, n);
	else if (n)
		tail = write_targets(redirect, uri, text + n, sizeof(text) - n);
	if (n && (keep_invite(w, c, act, text, n, tail) || keep_invite(w, c, act, text, n, 0)))
		return load_invite(w, act, c, &targets);
	keep_stick(w->keep, act->kept & ~1u);
	return false;
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

static uint32_t make_text(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act, char *p,
			  uint32_t cap)
{
	struct str targets;
	struct dp_ctx kept;

	if (act->op == LB_RESEND_FINAL)
		return copy_final(w, act, p, cap);
	if (act->op == LB_TRYING)
		return write_made(w, c, c, act, p, cap);
	if (!load_invite(w, act, &kept, &targets))
		return 0;
	if (renames(act) && !retarget(w, c, act, &kept, targets))
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
	dp_send_text(w, out, n, act);
}

void dp_act_kept(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act)
{
	switch (act->op) {
	case LB_KEEP:
		keep_invite(w, c, act, c->msg->sip.base, c->msg->sip.len, 0);
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
