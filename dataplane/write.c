/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text of what leaves: a request or response as it is forwarded, a reply.
 * Changes Via, Record-Route, Route, Max-Forwards, Max-Breadth, received and rport, for a strict router the
 * Request-URI, and nothing else; the body never (RFC 3261 16.6). Pure. Runs on the worker that owns the
 * message. Must stay true: the same request gives the same bytes every time (RFC 3261 16.11).
 */
#include "dataplane/worker.h"

#define MAX_BREADTH  60  /* RFC 5393 5.3.3.1 */
#define CONTACT_USER 256 /* bytes of the user part in a Contact of ours */
#define MAX_FORWARDS 70  /* RFC 3261 16.6, step 3 */

/* What our Via offers to follow (RFC 7339 5.1): whoever can, gets the choice. */
#define OC_ASK ";oc;oc-algo=\"loss,rate\""

/* All that one request gets on top: Via, two numbers; and its two Record-Routes. */
#define TOP_TEXT   (DP_SHOW + LIMIT_BRANCH + 32 + 48 + sizeof(OC_ASK))
#define ROUTE_TEXT (2 * (DP_SHOW + LIMIT_TOKEN + 32))

/* A Route row for the URI that was displaced. */
#define STRICT_ROW (DP_STRICT_URI + 16)

/* Text that grows at the end; the caller has made room for the worst case. */
struct text {
	char *p;
	uint32_t n;
};

static inline void put(struct text *t, const char *p, uint32_t n)
{
	bytes_copy(t->p + t->n, p, n);
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
 * RFC 3261 16.6, step 4: above the first Record-Route. If there is none, behind the Call-ID, which so stays
 * within the 500 bytes that an ICMP message quotes: without it nobody knows whose INVITE came back. Of two
 * values (RFC 5658) the one on the side that the request leaves by is on top.
 */
static void edit_record_route(const struct dp *dp, const struct dp_ctx *c, const struct lb_act *act,
			      struct text *t, struct sip_edits *edits)
{
	const struct dp_listener *out = &dp->listeners[act->listener];
	const struct dp_listener *in = &dp->listeners[c->q.listener];
	const struct sip_msg *m = &c->msg->sip;
	uint8_t first = m->first[SIP_HDR_RECORD_ROUTE];
	uint32_t at = first != SIP_NO_ROW ? m->row[first].off : m->row[m->first[SIP_HDR_CALL_ID]].end + 2u;

	put_record_route(t, out, act->token, act->token_n);
	if (in != out)
		put_record_route(t, in, NULL, 0);
	sip_edits_add(edits, at, 0, (struct str){ t->p, t->n });
}

/* RFC 3261 16.6, steps 3 and 8, and RFC 5393 5.3.3.1: what is put above the first header row. */
static void add_top_rows(const struct dp *dp, const struct dp_ctx *c, const struct lb_act *act,
			 struct text *t)
{
	const struct dp_listener *out = &dp->listeners[act->listener];

	PUT(t, "Via: SIP/2.0/UDP ");
	put(t, out->show, out->show_n);
	PUT(t, ";branch=");
	put(t, act->branch, act->branch_n);
	if (act->oc_ask)
		PUT(t, OC_ASK);
	PUT(t, "\r\n");
	if (!c->f.max_forwards.present)
		PUT(t, "Max-Forwards: 70\r\n");
	if (!c->f.max_breadth.present && c->q.method != METHOD_ACK && c->q.method != METHOD_CANCEL)
		PUT(t, "Max-Breadth: 60\r\n");
}

/* Texts that the edits of one request point to until they are applied. */
struct request_texts {
	char top[TOP_TEXT];
	char record[ROUTE_TEXT];
	char received[SIP_RECEIVED_TEXT];
	char hops[10];
	char breadth[10];
	char route[STRICT_ROW];
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
static void edit_routes(const struct dp_ctx *c, char route[STRICT_ROW], struct sip_edits *edits)
{
	const struct sip_msg *m = &c->msg->sip;
	struct text row = { .p = route };

	if (c->strict) {
		sip_edits_add(edits, m->uri.off, m->uri.len, sip_str(m, c->last));
		if (c->pop + 1 == c->values) {
			sip_edits_pop(m, SIP_HDR_ROUTE, c->values, edits);
		} else {
			sip_edits_pop(m, SIP_HDR_ROUTE, c->pop, edits);
			sip_edits_pop_last(m, SIP_HDR_ROUTE, edits);
		}
	} else if (c->displaced) {
		sip_edits_add(edits, m->uri.off, m->uri.len, sip_str(m, c->route));
		sip_edits_pop(m, SIP_HDR_ROUTE, c->pop + 1u, edits);
		PUT(&row, "Route: <");
		put(&row, m->base + m->uri.off, m->uri.len);
		PUT(&row, ">\r\n");
		sip_edits_add(edits, m->row[m->last[SIP_HDR_ROUTE]].end + 2u, 0,
			      (struct str){ row.p, row.n });
	} else if (c->pop) {
		sip_edits_pop(m, SIP_HDR_ROUTE, c->pop, edits);
	}
}

uint32_t dp_write_request(const struct dp *dp, const struct dp_ctx *c, const struct lb_act *act, char *out,
			  uint32_t cap)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_edits edits;
	struct request_texts texts;
	struct text top = { .p = texts.top }, record = { .p = texts.record };

	edits.n = edits.failed = 0;
	edit_routes(c, texts.route, &edits);
	add_top_rows(dp, c, act, &top);
	sip_edits_add(&edits, m->headers, 0, (struct str){ top.p, top.n });
	if (act->token_n)
		edit_record_route(dp, c, act, &record, &edits);
	sip_edits_received(m, &c->f.via, &c->q.src, texts.received, &edits);
	if (c->f.via.has_oc) /* between him and us only (RFC 7339 5.6) */
		sip_edits_oc(m, &c->f.via, (struct str){ 0 }, &edits);
	edit_numbers(c, &texts, &edits);
	return sip_apply(m, &edits, out, cap);
}

uint32_t dp_write_hop(const struct dp *dp, const struct dp_ctx *invite, const struct lb_act *act,
		      const struct sip_msg *response, char *out, uint32_t cap)
{
	const struct dp_listener *l = &dp->listeners[act->listener];
	char via[DP_SHOW + LIMIT_BRANCH + 32 + sizeof(OC_ASK)], route[STRICT_ROW];
	struct text t = { .p = via };
	struct sip_edits edits;
	struct sip_hop hop = {
		.method = response ? METHOD_ACK : METHOD_CANCEL,
		.edits = &edits,
		.response = response,
	};

	edits.n = edits.failed = 0;
	edit_routes(invite, route, &edits);
	PUT(&t, "SIP/2.0/UDP ");
	put(&t, l->show, l->show_n);
	PUT(&t, ";branch=");
	put(&t, act->branch, act->branch_n);
	if (act->oc_ask)
		PUT(&t, OC_ASK);
	hop.via = (struct str){ via, t.n };
	return sip_hop_write(&invite->msg->sip, &hop, out, cap);
}

/* Bytes of the text that put_oc() writes at most. */
#define OC_TEXT 96

/* What we tell a client in his Via (RFC 7339 4): a value, one algorithm, how long it holds, which is newer.
 */
static void put_oc(struct text *t, const struct lb_oc *oc)
{
	uint64_t ms = oc->seq / (LB_OC_SEQ_UNIT / 1000);
	char fraction[3] = { (char)('0' + ms / 100 % 10), (char)('0' + ms / 10 % 10), (char)('0' + ms % 10) };

	PUT(t, ";oc=");
	t->n += sip_number_text(oc->value, t->p + t->n);
	if (oc->algo == LB_OC_RATE)
		PUT(t, ";oc-algo=\"rate\"");
	else
		PUT(t, ";oc-algo=\"loss\"");
	PUT(t, ";oc-validity=");
	t->n += sip_number_text(oc->validity_ms, t->p + t->n);
	PUT(t, ";oc-seq=");
	t->n += sip_number_text((uint32_t)(ms / 1000), t->p + t->n);
	PUT(t, ".");
	put(t, fraction, sizeof(fraction));
}

/*
 * RFC 3261 16.7, step 3: our Via goes. The next one's sender is told about overload if it asks; nothing else
 * changes.
 */
uint32_t dp_write_response(const struct dp_ctx *c, const struct lb_act *act, char *out, uint32_t cap)
{
	char oc[OC_TEXT];
	struct text told = { .p = oc };
	struct sip_edits edits;

	edits.n = edits.failed = 0;
	if (sip_edits_pop(&c->msg->sip, SIP_HDR_VIA, 1, &edits) != 1)
		return 0;
	if (act->oc.algo)
		put_oc(&told, &act->oc);
	if (act->oc.algo || c->oc_below)
		sip_edits_oc_below(&c->msg->sip, &c->f.via, (struct str){ oc, told.n }, &edits);
	return sip_apply(&c->msg->sip, &edits, out, cap);
}

/* The user called, at the address `to` (RFC 3261 8.3). A user part too long to be one is left out. */
static void put_contact(struct text *t, const struct dp_ctx *c, const struct addr *to)
{
	const struct sip_span user = c->f.uri.user;
	char host[SIP_ADDR_TEXT];

	PUT(t, "Contact: <sip:");
	if (user.off && user.len <= CONTACT_USER) {
		put(t, c->msg->sip.base + user.off, user.len);
		PUT(t, "@");
	}
	put(t, host, sip_hostport_text(to, host));
	PUT(t, ">\r\n");
}

uint32_t dp_write_reply(const struct dp_ctx *c, const struct lb_act *act, char *out, uint32_t cap)
{
	char extra[512], oc[OC_TEXT];
	struct text t = { .p = extra }, told = { .p = oc };
	struct sip_reply reply = {
		.status = act->status,
		.reason = { act->reason, (uint32_t)strlen(act->reason) },
		.to_tag = { act->to_tag, act->to_tag_n },
		.src = c->q.src,
		.fields = c->fault == SIP_FAULT_NONE ? &c->f : NULL,
		.brief = act->brief,
	};

	if (act->oc.algo)
		put_oc(&told, &act->oc);
	reply.oc = (struct str){ oc, told.n };
	if (act->retry_after_s) {
		PUT(&t, "Retry-After: ");
		t.n += sip_number_text(act->retry_after_s, t.p + t.n);
		PUT(&t, "\r\n");
	}
	if (act->contact.port)
		put_contact(&t, c, &act->contact);
	if (c->fault == SIP_FAULT_EXTENSION && act->status == 420)
		t.n += sip_unsupported(&c->msg->sip, t.p + t.n, sizeof(extra) - t.n);
	if (act->end == ST_REPLY_OPTIONS)
		reply.nice = STR(
			"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, REGISTER, PRACK, UPDATE, INFO, MESSAGE, "
			"SUBSCRIBE, NOTIFY, PUBLISH, REFER\r\nSupported: \r\nAccept: \r\n");
	reply.extra = (struct str){ extra, t.n };
	return sip_reply_write(&c->msg->sip, &reply, out, cap);
}
