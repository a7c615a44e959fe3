/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Action -> bytes: edits for what is forwarded, text for what is answered, headers for both.
 * Changes Via, Record-Route, Route, Max-Forwards, Max-Breadth, received and rport, for a strict router the
 * Request-URI, and nothing else; the body never (RFC 3261 16.6). Runs on the worker that owns the message.
 * Must stay true: the same request gives the same bytes every time (RFC 3261 16.11).
 */
#include "dataplane/worker.h"

#define MAX_BREADTH  60 /* RFC 5393 5.3.3.1 */
#define STRICT_URI   512 /* bytes of a Request-URI that is moved for a strict router; a longer one stays */
#define MAX_FORWARDS 70 /* RFC 3261 16.6, step 3 */

/* All that one request gets on top: Via, two Record-Routes, two numbers. */
#define TOP_TEXT (3 * (DP_SHOW + LIMIT_BRANCH + 32) + 48)

/* Text that grows at the end; the caller has made room for the worst case. */
struct text {
	char *p;
	uint32_t n;
};

static inline void put(struct text *t, const char *p, uint32_t n)
{
	memcpy(t->p + t->n, p, n);
	t->n += n;
}

#define PUT(t, literal) put((t), (literal), sizeof(literal) - 1)

static void put_record_route(struct text *t, const struct dp_listener *l, const char *token, uint32_t token_n)
{
	PUT(t, "Record-Route: <sip:");
	if (token_n) {
		put(t, token, token_n);
		PUT(t, "@");
	}
	put(t, l->show, l->show_n);
	PUT(t, ";lr>\r\n");
}

/*
 * RFC 3261 16.6, steps 3, 4 and 8, and RFC 5393 5.3.3.1: what is put above the first header row. Of two
 * Record-Route values (RFC 5658) the one on the side that the request leaves by is on top.
 */
static void add_top_rows(const struct dp *dp, const struct dp_ctx *c, const struct lb_act *act, struct text *t)
{
	const struct dp_listener *out = &dp->listeners[act->listener];
	const struct dp_listener *in = &dp->listeners[c->q.listener];

	PUT(t, "Via: SIP/2.0/UDP ");
	put(t, out->show, out->show_n);
	PUT(t, ";branch=");
	put(t, act->branch, act->branch_n);
	PUT(t, "\r\n");
	if (act->token_n) {
		put_record_route(t, out, act->token, act->token_n);
		if (in != out)
			put_record_route(t, in, NULL, 0);
	}
	if (!c->f.max_forwards.present)
		PUT(t, "Max-Forwards: 70\r\n");
	if (!c->f.max_breadth.present && c->q.method != METHOD_ACK && c->q.method != METHOD_CANCEL)
		PUT(t, "Max-Breadth: 60\r\n");
}

/* Texts that the edits of one request point to until they are applied. */
struct request_texts {
	char top[TOP_TEXT];
	char received[SIP_RECEIVED_TEXT];
	char hops[10];
	char breadth[10];
	char route[STRICT_URI + 16];
};

static void edit_numbers(const struct dp_ctx *c, struct request_texts *texts, struct sip_edits *edits)
{
	const struct sip_number *hops = &c->f.max_forwards;
	const struct sip_number *breadth = &c->f.max_breadth;

	if (hops->present) {
		uint32_t left = hops->value > 255 ? MAX_FORWARDS : hops->value - 1;

		sip_edits_add(edits, hops->text.off, hops->text.len,
			      (struct str){ texts->hops, sip_number_text(left, texts->hops) });
	}
	if (breadth->present && breadth->value > MAX_BREADTH)
		sip_edits_add(edits, breadth->text.off, breadth->text.len,
			      (struct str){ texts->breadth, sip_number_text(MAX_BREADTH, texts->breadth) });
}

/*
 * Pops our Route values (RFC 3261 16.4), gives a Request-URI back that a strict router displaced, and hands
 * the next strict router its own URI (16.6, step 6).
 */
static void edit_routes(const struct dp_ctx *c, struct request_texts *texts, struct sip_edits *edits)
{
	const struct sip_msg *m = &c->msg->sip;
	struct text row = { .p = texts->route };

	if (c->strict) {
		sip_edits_add(edits, m->uri.off, m->uri.len, sip_str(m, c->last));
		sip_edits_pop_last(m, SIP_HDR_ROUTE, edits);
	} else if (c->route.off && !c->route_lr && m->uri.len <= STRICT_URI) {
		sip_edits_add(edits, m->uri.off, m->uri.len, sip_str(m, c->route));
		sip_edits_pop(m, SIP_HDR_ROUTE, c->pop + 1u, edits);
		PUT(&row, "Route: <");
		put(&row, m->base + m->uri.off, m->uri.len);
		PUT(&row, ">\r\n");
		sip_edits_add(edits, m->row[m->last[SIP_HDR_ROUTE]].end + 2u, 0, (struct str){ row.p, row.n });
	} else if (c->pop) {
		sip_edits_pop(m, SIP_HDR_ROUTE, c->pop, edits);
	}
}

static uint32_t write_request(const struct dp *dp, const struct dp_ctx *c, const struct lb_act *act, char *out,
			      uint32_t cap)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_edits edits;
	struct request_texts texts;
	struct text top = { .p = texts.top };

	edits.n = edits.failed = 0;
	edit_routes(c, &texts, &edits);
	add_top_rows(dp, c, act, &top);
	sip_edits_add(&edits, m->headers, 0, (struct str){ top.p, top.n });
	sip_edits_received(m, &c->f.via, &c->q.src, texts.received, &edits);
	edit_numbers(c, &texts, &edits);
	return sip_apply(m, &edits, out, cap);
}

/* RFC 3261 16.7, step 3: our Via goes, nothing else changes. */
static uint32_t write_response(const struct dp_ctx *c, char *out, uint32_t cap)
{
	struct sip_edits edits;

	edits.n = edits.failed = 0;
	if (sip_edits_pop(&c->msg->sip, SIP_HDR_VIA, 1, &edits) != 1)
		return 0;
	return sip_apply(&c->msg->sip, &edits, out, cap);
}

static uint32_t write_reply(const struct dp_ctx *c, const struct lb_act *act, char *out, uint32_t cap)
{
	char extra[512];
	struct text t = { .p = extra };
	struct sip_reply reply = {
		.status = act->status,
		.reason = { act->reason, (uint32_t)strlen(act->reason) },
		.to_tag = { act->to_tag, act->to_tag_n },
		.src = c->q.src,
	};

	if (act->retry_after_s) {
		PUT(&t, "Retry-After: ");
		t.n += sip_number_text(act->retry_after_s, t.p + t.n);
		PUT(&t, "\r\n");
	}
	if (c->fault == SIP_FAULT_EXTENSION)
		t.n += sip_unsupported(&c->msg->sip, t.p + t.n, sizeof(extra) - t.n);
	if (act->end == ST_REPLY_OPTIONS)
		PUT(&t, "Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, PRACK, UPDATE, INFO, MESSAGE, "
			"SUBSCRIBE, NOTIFY, PUBLISH, REFER\r\nSupported: \r\nAccept: \r\n");
	reply.extra = (struct str){ extra, t.n };
	return sip_reply_write(&c->msg->sip, &reply, out, cap);
}

static void send_unresolved(struct dp_worker *w, struct rte_mbuf *m, uint32_t port)
{
	dp_msg(m)->note.port = (uint16_t)port;
	if (dp_up(w, m, DP_UP_UNRESOLVED))
		st_inc(w->lane, ST_UNRESOLVED);
	else
		dp_end(w, m, ST_DROP_UNRESOLVED);
}

void dp_send(struct dp_worker *w, struct rte_mbuf *m, uint8_t listener, const struct addr *dst, uint16_t gateway,
	     enum st_end end)
{
	const struct addr *src = &w->dp->listeners[listener].addr;
	const struct net_hop *hop;
	struct net_hop found;

	if (gateway != LB_NONE) {
		hop = net_hop_gateway(w->hops, gateway);
	} else {
		net_hop_find(w->hops, dst, &found);
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

/* Bytes of SIP that still fit a frame of the port that a message to dst leaves by. */
static uint32_t room(const struct dp_worker *w, const struct rte_mbuf *m, const struct dp_listener *l)
{
	uint32_t mtu = w->dp->ports[l->port].mtu - (l->addr.v6 ? 48u : 28u);
	uint32_t tail = rte_pktmbuf_tailroom(m);

	return mtu < tail ? mtu : tail;
}

/* RFC 3261 21.5.14: what does not fit a frame once our rows are in it. */
static void too_long(struct dp_worker *w, struct dp_ctx *c, struct rte_mbuf *out)
{
	struct lb_act act = {
		.op = LB_REPLY, .end = ST_REPLY_TOO_LONG, .gateway = LB_NONE, .status = 513,
		.reason = "Message Too Large", .listener = c->q.listener, .dst = c->q.reply_to,
	};
	uint32_t n = 0;

	if (c->q.request && c->q.method != METHOD_ACK) {
		lb_reply_tag(w->policy, &c->q, &act);
		n = write_reply(c, &act, rte_pktmbuf_mtod(out, char *), room(w, out, &w->dp->listeners[act.listener]));
	}
	if (!n) {
		dp_end(w, out, ST_DROP_TOO_LONG);
		return;
	}
	out->data_len = (uint16_t)n;
	out->pkt_len = n;
	dp_send(w, out, act.listener, &act.dst, LB_NONE, act.end);
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
	cap = room(w, out, l);
	if (act->op == LB_REPLY)
		n = write_reply(c, act, p, cap);
	else if (c->q.request)
		n = write_request(w->dp, c, act, p, cap);
	else
		n = write_response(c, p, cap);
	if (!n && act->op == LB_REPLY) {
		dp_end(w, out, ST_DROP_NO_REPLY);
		return;
	}
	if (!n) {
		too_long(w, c, out);
		return;
	}
	out->data_len = (uint16_t)n;
	out->pkt_len = n;
	dp_send(w, out, act->listener, &act->dst, act->towards ? act->gateway : LB_NONE, act->end);
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
	}
}
