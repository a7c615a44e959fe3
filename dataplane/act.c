/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Carries out actions: text (write.c), next hop, headers, port; or up to control. Runs on the worker that
 * owns the message. Must stay true: an action ends its message exactly once, whatever fails on the way.
 */
#include "dataplane/worker.h"

static void send_unresolved(struct dp_worker *w, struct rte_mbuf *m, uint32_t port)
{
	dp_msg(m)->note.port = (uint16_t)port;
	if (dp_up(w, m, DP_UP_UNRESOLVED))
		st_inc(w->lane, ST_UNRESOLVED);
	else
		dp_end(w, m, ST_DROP_UNRESOLVED);
}

void dp_send(struct dp_worker *w, struct rte_mbuf *m, uint8_t listener, const struct addr *dst,
	     uint16_t gateway, enum st_end end)
{
	const struct addr *src = &w->dp->listeners[listener].addr;
	const struct net_hop *hop;
	struct net_hop found;

	if (gateway != LB_NONE) {
		hop = net_hop_gateway(w->hops, gateway);
	} else {
		net_hop_find(w->hops, dst, w->dp->listeners[listener].port, &found);
		hop = &found;
	}
	if (hop->state == NET_HOP_NONE || src->v6 != dst->v6) {
		dp_end(w, m, ST_DROP_NO_ROUTE);
		return;
	}
	if (net_encode(&w->dp->ports[hop->port], hop, src, dst, m) != NET_TX_OK) {
		dp_end(w, m, ST_DROP_TOO_LONG);
		return;
	}
	if (hop->state == NET_HOP_UNRESOLVED)
		send_unresolved(w, m, hop->port);
	else
		dp_transmit(w, m, hop->port, end);
}

void dp_send_text(struct dp_worker *w, struct rte_mbuf *m, uint32_t n, const struct lb_act *act)
{
	if (act->keep_final)
		dp_keep_final(w, act, rte_pktmbuf_mtod(m, char *), n);
	m->data_len = (uint16_t)n;
	m->pkt_len = n;
	dp_send(w, m, act->listener, &act->dst, act->towards ? act->gateway : LB_NONE, act->end);
}

uint32_t dp_room(const struct dp_worker *w, const struct rte_mbuf *m, const struct dp_listener *l)
{
	uint32_t frame = dp_frame(w->dp, l), tail = rte_pktmbuf_tailroom(m);

	return frame < tail ? frame : tail;
}

/* RFC 3261 21.5.14: what does not fit a frame once our rows are in it. */
static void too_long(struct dp_worker *w, struct dp_ctx *c, struct rte_mbuf *out)
{
	struct lb_act act = {
		.op = LB_REPLY,
		.end = ST_REPLY_TOO_LONG,
		.gateway = LB_NONE,
		.status = 513,
		.reason = "Message Too Large",
		.listener = c->q.listener,
		.dst = c->q.reply_to,
	};
	uint32_t n = 0;

	if (c->q.request && c->q.method != METHOD_ACK) {
		lb_reply_own(w->lb, w->policy, &c->q, w->now, &act);
		n = dp_write_reply(c, &act, rte_pktmbuf_mtod(out, char *),
				   dp_room(w, out, &w->dp->listeners[act.listener]));
	}
	if (!n) {
		dp_end(w, out, ST_DROP_TOO_LONG);
		return;
	}
	dp_send_text(w, out, n, &act);
}

static void act_message(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act)
{
	const struct dp_listener *l = &w->dp->listeners[act->listener];
	struct rte_mbuf *out = rte_pktmbuf_alloc(w->pool);
	char *p;
	uint32_t cap, n;

	if (!out) {
		st_inc(w->lane, ST_DROP_NO_MBUF);
		return;
	}
	p = rte_pktmbuf_mtod(out, char *);
	cap = dp_room(w, out, l);
	if (act->op == LB_REPLY)
		n = dp_write_reply(c, act, p, cap);
	else if (c->q.request)
		n = dp_write_request(w->dp, c, act, p, cap);
	else
		n = dp_write_response(c, act, p, cap);
	if (!n && act->op == LB_REPLY) {
		dp_end(w, out, ST_DROP_NO_REPLY);
		return;
	}
	if (!n) {
		too_long(w, c, out);
		return;
	}
	dp_send_text(w, out, n, act);
}

static void act_to_control(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act)
{
	struct dp_note *note = &c->msg->note;

	note->gateway = act->gateway;
	note->status = c->q.status;
	note->at = w->now;
	if (dp_up(w, c->m, DP_UP_PROBE))
		st_inc(w->lane, act->end);
	else
		dp_end(w, c->m, ST_DROP_CONTROL_FULL);
}

void dp_act(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act)
{
	switch (act->op) {
	case LB_FORWARD:
	case LB_REPLY:
		act_message(w, c, act);
		rte_pktmbuf_free(c->m);
		break;
	case LB_ABSORB:
	case LB_DROP:
		dp_end(w, c->m, act->end);
		break;
	case LB_TO_CONTROL:
		act_to_control(w, c, act);
		break;
	case LB_TRYING:
	case LB_KEEP:
	case LB_KEEP_FINAL:
	case LB_RESEND:
	case LB_RESEND_FINAL:
	case LB_ANSWER:
	case LB_CANCEL:
	case LB_ACK:
	case LB_FORGET:
		dp_act_kept(w, c, act);
		break;
	}
}
