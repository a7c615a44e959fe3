/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Read this first. The way of a message through a worker, and nothing but the order:
 *
 *   1  receive   frame -> packet -> scanned message -> its owner       (any worker)
 *   2  read      message -> query, and what it will touch is fetched   (owner)
 *   3  decide    query -> actions                                      (owner)
 *   4  act       action -> edits or reply -> frame -> port             (owner)
 *
 * Each stage takes a whole burst before the next begins: all four together are more code than the first-level
 * cache holds, and run through it once a burst rather than once a message.
 *
 * What is no datagram for a listener goes to the kernel through the port's twin, a tap with the port's
 * addresses, or is dropped. An ICMP error may be both: it goes to the kernel, and what it quotes of a request
 * of ours becomes a message of its own (quote.c). So quotes are looked for first, while the frame is ours.
 *
 * Runs on workers only. Every frame that comes in ends in exactly one enum st_end.
 */
#include "dataplane/worker.h"

/* What the kernel gets of frames that are not SIP: at most this many a second, and this many at once. */
#define TWIN_PER_S 20000
#define TWIN_BURST 512

/* The same of ARP and ND: no flood of anything else from afar may cut Weir off its neighbours. */
#define LINK_PER_S 5000
#define LINK_BURST 256

/* Room for the actions of a burst: most messages have one to three. */
#define BURST_ACTS (4 * LIMIT_BURST)

/* A turn does so much of what time alone brings; messages come first. */
#define TICK_ROUNDS LIMIT_BURST

static bool twin_may(struct dp_worker *w, enum net_class class)
{
	return class == NET_NEIGHBOUR ? dp_within_rate(&w->link_tat, w->now, LINK_PER_S, LINK_BURST)
				      : dp_within_rate(&w->twin_tat, w->now, TWIN_PER_S, TWIN_BURST);
}

static void to_twin(struct dp_worker *w, const struct net_port *port, struct rte_mbuf *m)
{
	if (!twin_may(w, (enum net_class)dp_msg(m)->pkt.class)) {
		dp_end(w, m, ST_DROP_TWIN_FULL);
		return;
	}
	if (dp_msg(m)->pkt.tagged)
		net_vlan_pop(m);
	dp_msg(m)->note.port = port->index;
	if (dp_up(w, m, DP_UP_TWIN))
		st_inc(w->lane, ST_TWIN);
	else
		dp_end(w, m, ST_DROP_TWIN_FULL);
}

static int listener_at(const struct dp *dp, const struct addr *dst)
{
	for (uint32_t i = 0; i < dp->n_listeners; i++) {
		if (addr_eq(&dp->listeners[i].addr, dst))
			return (int)i;
	}
	return -1;
}

static bool is_listener_ip(const struct dp *dp, const struct addr *dst)
{
	for (uint32_t i = 0; i < dp->n_listeners; i++) {
		if (addr_same_ip(&dp->listeners[i].addr, dst))
			return true;
	}
	return false;
}

/* True: m is a datagram for a listener. Everything else has met its end. */
static bool admit_frame(struct dp_worker *w, const struct net_port *port, struct rte_mbuf *m)
{
	struct dp_msg *msg = dp_msg(m);
	int listener;

	switch ((enum net_class)msg->pkt.class) {
	case NET_UDP:
		listener = listener_at(w->dp, &msg->pkt.dst);
		if (listener < 0)
			break;
		msg->listener = (uint8_t)listener;
		return true;
	case NET_FRAGMENT:
		if (!is_listener_ip(w->dp, &msg->pkt.dst))
			break;
		dp_end(w, m, ST_DROP_FRAGMENT);
		return false;
	case NET_BAD_CSUM:
		dp_end(w, m, ST_DROP_CHECKSUM);
		return false;
	case NET_MALFORMED:
		dp_end(w, m, ST_DROP_SHORT);
		return false;
	case NET_MARTIAN:
		dp_end(w, m, ST_DROP_MARTIAN);
		return false;
	case NET_FOREIGN:
		dp_end(w, m, ST_DROP_FOREIGN);
		return false;
	case NET_OTHER:
	case NET_NEIGHBOUR:
	case NET_CLASSES:
		break;
	}
	to_twin(w, port, m);
	return false;
}

/* False: the datagram in m holds no message, and has met its end. */
static bool scan(struct dp_worker *w, const struct lb_key *key, struct rte_mbuf *m)
{
	struct dp_msg *msg = dp_msg(m);
	struct str call_id;

	st_inc(w->lane, ST_RX_SIP);
	switch (sip_scan(w->simd, rte_pktmbuf_mtod_offset(m, char *, msg->pkt.payload), msg->pkt.payload_len,
			 &msg->sip)) {
	case SIP_KEEPALIVE:
		dp_end(w, m, ST_ABSORB_KEEPALIVE);
		return false;
	case SIP_GARBAGE:
		dp_end(w, m, ST_DROP_NOT_SIP);
		return false;
	case SIP_FAULTY:
		msg->faulty = 1;
		break;
	case SIP_GOOD:
		msg->faulty = 0;
		break;
	}
	msg->quoted = 0;
	call_id = sip_str(&msg->sip, sip_call_id(&msg->sip));
	msg->call_hash = lb_hash(key, call_id.p, call_id.n);
	msg->at = w->now;
	return true;
}

/* The message that frame m brings: itself, or one that it quotes; NULL: none. Unless it is returned, m has
 * met its end. */
static struct rte_mbuf *message_of(struct dp_worker *w, const struct net_port *port, const struct lb_key *key,
				   struct rte_mbuf *m)
{
	struct rte_mbuf *quoted = dp_msg(m)->pkt.class == NET_OTHER ? dp_quote(w, key, m) : NULL;

	if (admit_frame(w, port, m))
		return scan(w, key, m) ? m : NULL;
	return quoted;
}

/*
 * What may be the beginning or the end of a call that is refused: without Route, and sent again if it is
 * needed (an ACK with the next 2xx).
 */
static bool is_repeated(const struct sip_msg *sip)
{
	return sip->is_request && sip->first[SIP_HDR_ROUTE] == SIP_NO_ROW &&
	       (sip->method == METHOD_INVITE || sip->method == METHOD_ACK);
}

/*
 * In line for its owner, unless that is so far behind that only what belongs to calls can still be taken: a
 * flood of new ones, or of ACKs to their refusals, ends none that goes on.
 */
static void hand_over(struct dp_worker *w, uint32_t owner, struct rte_mbuf *m)
{
	struct dp_out *out = &w->out[owner];

	if (out->waiting > DP_RING_NEW && is_repeated(&dp_msg(m)->sip))
		dp_end(w, m, ST_DROP_RING_FULL);
	else
		out->msgs[out->n++] = m;
}

uint32_t dp_receive(struct dp_worker *w, const struct net_port *port, struct rte_mbuf **frames, uint32_t n,
		    struct rte_mbuf **own)
{
	const struct lb_key *key = lb_snapshot_key(w->policy);
	struct net_pkt pkts[LIMIT_BURST];
	uint32_t n_own = 0;

	st_add(w->lane, ST_RX_FRAMES, n);
	net_decode(port, frames, n, pkts);
	for (uint32_t i = 0; i < n; i++) {
		struct rte_mbuf *m;
		uint32_t owner;

		dp_msg(frames[i])->pkt = pkts[i];
		m = message_of(w, port, key, frames[i]);
		if (!m)
			continue;
		owner = (uint32_t)(((__uint128_t)dp_msg(m)->call_hash * w->dp->n_workers) >> 64);
		if (owner == w->index)
			own[n_own++] = m;
		else
			hand_over(w, owner, m);
	}
	return n_own;
}

static void count_message(struct dp_worker *w, const struct sip_msg *sip)
{
	st_inc(w->lane, ST_HANDLED);
	if (sip->is_request)
		st_inc(w->lane, ST_REQUEST_OTHER + sip->method);
	else
		st_inc(w->lane, ST_RESPONSE_1XX + sip->status / 100 - 1);
}

/* True if this INVITE, or this final to one, can be kept and sent again. */
static bool has_room(const struct dp_worker *w, const struct dp_ctx *c)
{
	uint32_t n = c->msg->sip.len;
	bool fits = c->q.request ? n + w->dp->growth <= w->dp->frame
				 : n <= dp_frame(w->dp, &w->dp->listeners[c->q.listener]);

	return c->q.method == METHOD_INVITE && fits && keep_room(w->keep, n);
}

/*
 * Responses first: what they run through is then in the cache for all of them, and the places that they free
 * are free for the requests. Among responses, and among requests, the order stays.
 */
static void responses_first(struct rte_mbuf **msgs, uint32_t n)
{
	struct rte_mbuf *requests[LIMIT_BURST];
	uint32_t n_requests = 0, n_responses = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (dp_msg(msgs[i])->sip.is_request)
			requests[n_requests++] = msgs[i];
		else
			msgs[n_responses++] = msgs[i];
	}
	memcpy(msgs + n_responses, requests, n_requests * sizeof(*msgs));
}

/* False: the message has met its end. */
static bool read_message(struct dp_worker *w, struct rte_mbuf *m, struct dp_ctx *c)
{
	enum st_end end;

	c->m = m;
	c->msg = dp_msg(m);
	if (!c->msg->quoted)
		count_message(w, &c->msg->sip);
	if (dp_query(w->dp, w->policy, c, &end))
		return true;
	dp_end(w, m, end);
	return false;
}

uint32_t dp_read(struct dp_worker *w, struct rte_mbuf **msgs, uint32_t n, struct dp_ctx *c)
{
	uint32_t n_read = 0;

	responses_first(msgs, n);
	for (uint32_t i = 0; i < n; i++)
		n_read += read_message(w, msgs[i], &c[n_read]);
	for (enum lb_fetch step = LB_FETCH_HEADS; step <= LB_FETCH_NEXT; step++) {
		for (uint32_t i = 0; i < n_read; i++)
			lb_prefetch(w->lb, &c[i].q, step);
	}
	return n_read;
}

unsigned dp_decide(struct dp_worker *w, struct dp_ctx *c, struct lb_act *acts)
{
	unsigned n;

	c->q.room = has_room(w, c);
	n = lb_input(w->lb, w->policy, &c->q, w->now, acts);
	if (acts[n - 1].op == LB_FORWARD)
		w->forwarded[w->n_forwarded++] = c->msg->at;
	return n;
}

/*
 * Stages 3 and 4 of the first messages of c, n at most: as many as there is room for what comes of them.
 * Returns their number. While so little can be kept that a burst might want more, one at a time: what a
 * decision finds room for is kept by its action.
 */
static uint32_t decide_and_act(struct dp_worker *w, struct dp_ctx *c, uint32_t n)
{
	struct lb_act acts[BURST_ACTS];
	uint8_t n_acts[LIMIT_BURST];
	uint32_t decided = 0, used = 0;
	const struct lb_act *act = acts;

	do {
		n_acts[decided] = (uint8_t)dp_decide(w, &c[decided], acts + used);
		used += n_acts[decided++];
	} while (decided < n && used + LIMIT_ACTS <= BURST_ACTS && keep_ample(w->keep));
	for (uint32_t i = 0; i < decided; i++) {
		for (unsigned a = 0; a < n_acts[i]; a++)
			dp_act(w, &c[i], act++);
	}
	return decided;
}

void dp_process(struct dp_worker *w, struct rte_mbuf **msgs, uint32_t n)
{
	struct dp_ctx c[LIMIT_BURST];

	n = dp_read(w, msgs, n, c);
	for (uint32_t i = 0; i < n;)
		i += decide_and_act(w, &c[i], n - i);
}

void dp_tick(struct dp_worker *w)
{
	struct lb_act acts[LIMIT_ACTS];
	unsigned n = 1;

	for (unsigned round = 0; round < TICK_ROUNDS && n; round++) {
		n = lb_tick(w->lb, w->policy, w->now, acts, LIMIT_ACTS);
		for (unsigned a = 0; a < n; a++)
			dp_act(w, NULL, &acts[a]);
	}
}
