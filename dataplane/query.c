/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Message -> query: what the policy must know of a scanned message, as numbers and slices, and what act.c
 * needs beside it. Looks only; changes nothing. Runs on the worker that owns the message.
 * Must stay true: a query never depends on which worker or node makes it, so that retransmissions, CANCEL
 * and ACK get the same identity everywhere.
 */
#include "dataplane/worker.h"

static const struct str cookie = { "z9hG4bK", 7 }; /* RFC 3261 8.1.1.7 */

int dp_listener_named(const struct dp *dp, struct str host, uint16_t port)
{
	bool read = false;
	struct addr a;

	port = port ? port : DP_SIP_PORT;
	for (uint32_t i = 0; i < dp->n_listeners && host.n; i++) {
		const struct dp_listener *l = &dp->listeners[i];

		/* an IPv4 address has one text, an IPv6 address many */
		if (l->addr.port == port && !l->addr.v6 && str_eq(l->ip, host))
			return (int)i;
		if (l->addr.port == port && l->addr.v6) {
			if (!read && !sip_host_addr(host, port, &a))
				a = (struct addr){ 0 };
			read = true;
			if (addr_eq(&l->addr, &a))
				return (int)i;
		}
		if (l->show_port == port && str_eq_nocase(l->host, host))
			return (int)i;
	}
	return -1;
}

/* Where responses to a request with this top Via go: RFC 3261 18.2.2 and RFC 3581 4; maddr is not followed.
 */
static void reply_address(const struct sip_via *via, const struct addr *src, struct addr *to)
{
	*to = *src;
	if (!via->has_rport)
		to->port = via->port ? via->port : DP_SIP_PORT;
}

/* Where a response goes according to the Via that is on top once ours is gone. port 0: nowhere. Addresses are
 * filled in where they belong: a copy would wait for the pieces that they are made of. */
static void via_address(const struct sip_msg *m, const struct sip_via *via, struct addr *to)
{
	struct sip_span host = via->received.off ? via->received : via->host;
	uint16_t port = via->rport_port ? via->rport_port : via->port;

	if (!sip_host_addr(sip_str(m, host), port ? port : DP_SIP_PORT, to))
		to->port = 0;
}

/*
 * What makes a transaction the same one: the branch and who made it, or for a client of RFC 2543 the list of
 * RFC 3261 17.2.3 without the method, and without the To tag, which its ACK has and its INVITE has not.
 */
static uint64_t via_identity(const struct lb_key *key, const struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;
	const struct sip_via *via = &c->f.via;
	struct str branch = sip_str(m, via->branch);

	if (branch.n > cookie.n && str_eq_nocase((struct str){ branch.p, cookie.n }, cookie)) {
		uint64_t sent_by = dp_mix(m->base + via->host.off, via->host.len, via->port);

		return lb_hash_more(key, sent_by, branch.p, branch.n);
	}
	return lb_hash_more(key, c->q.call_hash ^ c->q.from_hash ^ c->f.cseq.number, m->base + via->value.off,
			    via->value.len) ^
	       lb_hash_more(key, c->q.call_hash, m->base + m->uri.off, m->uri.len);
}

/* RFC 5393 4.2.1: what must have changed when a request comes by again and is no loop. Needs no key. */
static uint32_t loop_part(const struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;
	uint32_t h = rte_hash_crc_8byte(c->q.call_hash ^ c->q.from_hash, c->f.cseq.number);

	h = dp_mix(m->base + m->uri.off, m->uri.len, h);
	for (uint8_t r = m->first[SIP_HDR_ROUTE]; r != SIP_NO_ROW; r = m->row[r].next)
		h = dp_mix(m->base + m->row[r].value, (uint32_t)(m->row[r].end - m->row[r].value), h);
	return h;
}

/* True if a Via of this request was put there by us when it looked exactly as it does now. */
static bool is_loop(const struct dp *dp, const struct lb_snapshot *policy, const struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_list it = sip_list_behind(m, SIP_HDR_VIA, c->f.via.value);
	struct sip_via via = c->f.via;
	bool readable = true;
	struct sip_span value;
	uint32_t loop;

	do {
		if (readable && dp_listener_named(dp, sip_str(m, via.host), via.port) >= 0 &&
		    lb_branch_loop(sip_str(m, via.branch), &loop) && loop == c->q.loop_hash)
			return true;
		if (sip_list_next(m, &it, &value) != SIP_NEXT_VALUE)
			return false;
		readable = sip_via_parse(m, value, &via);
	} while (true);
}

/* What a call record tells of an INVITE or the 2xx to it, beside the number that is called. */
static void query_texts(struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_party from = c->f.from;
	struct sip_uri uri;

	c->q.call_id = sip_str(m, c->f.call_id);
	if ((from.uri.off || sip_party_first(m, SIP_HDR_FROM, &from)) && sip_uri_parse(m, from.uri, &uri))
		c->q.caller = sip_str(m, uri.user);
}

#define OC_VALIDITY_MS 500 /* RFC 7339 4.3: where it is not told */
#define OC_ALGOS       (LB_OC_LOSS | LB_OC_RATE)
_Static_assert(LB_OC_LOSS == SIP_OC_LOSS && LB_OC_RATE == SIP_OC_RATE && LB_OC_SEQ_UNIT == SIP_OC_SEQ_UNIT,
	       "copied as they are");

/*
 * What the sender of a request would follow (RFC 7339 5.1): a bare oc, and loss among its algorithms, which
 * is the default and which every client must offer. Anything else, such as rate alone, is no support.
 */
static uint8_t oc_asked(const struct dp_ctx *c)
{
	struct sip_oc oc;

	if (!c->f.via.has_oc || !sip_oc_parse(&c->msg->sip, &c->f.via, &oc) || !oc.present || oc.has_value)
		return 0;
	if (oc.n_algos == 0)
		return LB_OC_LOSS;
	return oc.algos & SIP_OC_LOSS ? oc.algos & OC_ALGOS : 0;
}

/*
 * What the gateway tells in our Via. A validity without a value is discarded (RFC 7339 5.5), the oc that we
 * sent ourselves and that comes back says nothing.
 */
static struct lb_oc oc_told(const struct dp_ctx *c)
{
	struct lb_oc told = { .algo = LB_OC_BROKEN };
	struct sip_oc oc;

	if (!sip_oc_parse(&c->msg->sip, &c->f.via, &oc))
		return told;
	told.algo = oc.has_value ? (uint8_t)(oc.n_algos ? oc.algos : LB_OC_LOSS) : 0;
	if (oc.has_value && (oc.n_algos > 1 || !(told.algo & OC_ALGOS) ||
			     oc.value > (told.algo == LB_OC_LOSS ? 100 : UINT32_MAX - 1)))
		told.algo = LB_OC_BROKEN;
	told.value = oc.value;
	told.validity_ms = oc.has_validity ? oc.validity_ms : OC_VALIDITY_MS;
	told.seq = oc.seq;
	return told;
}

/* What a request says of its importance, and of how its sender can be slowed. */
static void query_priority(struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;

	c->q.sos = c->f.uri.scheme == SIP_SCHEME_SOS;
	c->q.oc_ask = oc_asked(c);
	if (m->first[SIP_HDR_RESOURCE_PRIORITY] == SIP_NO_ROW)
		return;
	c->q.resource = c->resource;
	c->q.n_resources = (uint8_t)sip_resources(m, c->resource, LIMIT_RESOURCES);
}

/* What a response says of its gateway's load. */
static void query_load(struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;

	if (c->f.via.has_oc)
		c->q.oc = oc_told(c);
	if (m->status < 300)
		return;
	if (m->first[SIP_HDR_RETRY_AFTER] != SIP_NO_ROW)
		c->q.retry_after_s = sip_retry_after(m);
	if (m->first[SIP_HDR_REASON] != SIP_NO_ROW)
		c->q.q850 = sip_q850(m);
}

/* True for what stops a request on its way only, and not one for Weir itself; its fields are complete, see
 * sip_check(). */
static bool may_be_ours(enum sip_fault fault)
{
	return fault == SIP_FAULT_TOO_MANY_HOPS || fault == SIP_FAULT_EXTENSION;
}

static void query_request(const struct dp *dp, const struct lb_snapshot *policy, struct dp_ctx *c)
{
	const struct lb_key *key = lb_snapshot_key(policy);
	struct lb_query *q = &c->q;

	q->method = c->msg->sip.method;
	reply_address(&c->f.via, &q->src, &q->reply_to);
	if (c->fault == SIP_FAULT_NONE || may_be_ours(c->fault))
		dp_query_target(dp, c);
	q->fault = sip_fault_status(c->fault);
	q->fault_reason = sip_fault_reason(c->fault).p;
	q->via_hash = via_identity(key, c);
	query_priority(c);
	if (q->fault)
		return;
	q->loop_hash = loop_part(c);
	if (q->method == METHOD_INVITE && c->msg->sip.first[SIP_HDR_REPLACES] != SIP_NO_ROW) {
		struct str call = sip_str(&c->msg->sip, sip_replaces(&c->msg->sip));

		q->replaces = lb_hash(key, call.p, call.n);
	}
	q->reliable = q->method == METHOD_INVITE && sip_requires(&c->msg->sip, STR("100rel"));
	q->looped = !q->has_to_tag && is_loop(dp, policy, c);
	if (dp->records && q->method == METHOD_INVITE && !q->has_to_tag)
		query_texts(c);
}

/* The literal address of a URI that a request can be sent to by UDP; port 0: none. */
static struct addr target_address(const struct sip_msg *m, struct sip_span span)
{
	struct addr to = { 0 };
	struct sip_uri uri;

	if (!sip_uri_parse(m, span, &uri) || uri.scheme != SIP_SCHEME_SIP || uri.has_headers ||
	    uri.maddr.off || uri.other_transport ||
	    !sip_host_addr(sip_str(m, uri.host), uri.port ? uri.port : DP_SIP_PORT, &to))
		to.port = 0;
	return to;
}

/* Where a 3xx sends the call: what of it Weir could reach. */
static void query_contacts(struct dp_ctx *c)
{
	struct sip_contact all[LIMIT_CONTACTS];
	const struct sip_msg *m = &c->msg->sip;
	unsigned n = sip_contacts(m, all, LIMIT_CONTACTS);

	c->q.contacts = c->contacts;
	for (unsigned i = 0; i < n; i++) {
		struct addr to = target_address(m, all[i].uri);

		if (to.port)
			c->contacts[c->q.n_contacts++] = (struct lb_contact){ to, sip_str(m, all[i].uri) };
	}
}

/* False: not a response that we can place; *end says why. */
static bool query_response(const struct dp *dp, struct dp_ctx *c, enum st_end *end)
{
	const struct sip_msg *m = &c->msg->sip;
	struct lb_query *q = &c->q;
	struct sip_via below;
	struct sip_list it;

	*end = ST_DROP_BAD_RESPONSE;
	if (c->fault != SIP_FAULT_NONE)
		return false;
	q->method = c->f.cseq.method;
	q->status = m->status;
	if (m->status / 100 == 3 && q->method == METHOD_INVITE)
		query_contacts(c);
	if (m->status / 100 == 2) {
		q->session_s = sip_session_expires(m);
		if (dp->records && q->method == METHOD_INVITE)
			query_texts(c);
	}
	query_load(c);
	if (dp_listener_named(dp, sip_str(m, c->f.via.host), c->f.via.port) >= 0)
		q->branch = sip_str(m, c->f.via.branch);
	it = sip_list_behind(m, SIP_HDR_VIA, c->f.via.value);
	switch (sip_via_next(m, &it, &below)) {
	case SIP_NEXT_VALUE:
		via_address(m, &below, &q->via_to);
		c->oc_below = below.has_oc || it.row != SIP_NO_ROW;
		break;
	case SIP_NEXT_END:
		break;
	case SIP_NEXT_BAD:
		return false;
	}
	return true;
}

/* A request of ours that came back: what a response to it would be known by. */
static bool query_lost(const struct dp *dp, struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_list it = sip_list_start(m, SIP_HDR_VIA);
	struct sip_via via;

	c->q.lost = 1;
	if (m->method != METHOD_INVITE || sip_via_next(m, &it, &via) != SIP_NEXT_VALUE ||
	    dp_listener_named(dp, sip_str(m, via.host), via.port) < 0)
		return false;
	c->q.branch = sip_str(m, via.branch);
	if (sip_via_next(m, &it, &via) != SIP_NEXT_VALUE)
		return false;
	via_address(m, &via, &c->q.via_to);
	return true;
}

/*
 * True for what confirms, renews or ends a dialog (a BYE, a final response), or has nothing but its dialog to
 * be known by. Nothing else is asked for it.
 */
static bool names_dialog(const struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;

	return m->is_request ? m->method == METHOD_BYE || !c->q.token.n : m->status >= 200;
}

bool dp_query(const struct dp *dp, const struct lb_snapshot *policy, struct dp_ctx *c, enum st_end *end)
{
	const struct lb_key *key = lb_snapshot_key(policy);
	const struct sip_msg *m = &c->msg->sip;
	struct lb_query *q = &c->q;

	*q = (struct lb_query){
		.request = m->is_request,
		.listener = c->msg->listener,
		.src = c->msg->pkt.src,
		.call_hash = c->msg->call_hash,
	};
	c->pop = c->strict = c->displaced = c->oc_below = 0;
	c->values = 0;
	c->route = c->last = (struct sip_span){ 0 };
	if (c->msg->quoted) {
		*end = ST_DROP_ICMP;
		return query_lost(dp, c);
	}
	if (c->msg->faulty) {
		c->fault = (enum sip_fault)m->fault;
		memset(&c->f, 0, sizeof(c->f));
		sip_via_top(m, &c->f.via);
	} else {
		c->fault = sip_check(m, &c->f);
		if (c->fault != SIP_FAULT_NONE && !c->f.via.value.off)
			sip_via_top(m, &c->f.via); /* the answer needs it */
	}
	if (c->f.from.tag.off) {
		struct str tag = sip_str(m, c->f.from.tag);

		q->from_hash = lb_hash(key, tag.p, tag.n);
	}
	q->cseq = c->f.cseq.number;
	q->has_to_tag = c->f.to.tag.off != 0;
	q->to_tag = sip_str(m, c->f.to.tag);
	if (m->is_request)
		query_request(dp, policy, c);
	if (q->has_to_tag && names_dialog(c))
		q->to_hash = (uint32_t)lb_hash(key, q->to_tag.p, q->to_tag.n);
	return m->is_request || query_response(dp, c, end);
}
