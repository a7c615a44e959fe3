/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of ours that come back by ICMP: what is quoted becomes a message of its own that goes to the owner
 * of its Call-ID, which alone can tell whether it was ours and is still open. The frame itself goes to the
 * kernel as any other. Runs on the worker that received the frame.
 * Must stay true: what strangers send costs a bounded number of copies a second.
 */
#include "dataplane/worker.h"

#define QUOTES_PER_S 2000
#define QUOTES_BURST 64

static bool from_listener(const struct dp *dp, const struct addr *src)
{
	for (uint32_t i = 0; i < dp->n_listeners; i++) {
		if (addr_eq(&dp->listeners[i].addr, src))
			return true;
	}
	return false;
}

/* Bytes of the quoted text up to the end of its last whole line. */
static uint32_t whole_lines(const uint8_t *p, uint32_t n)
{
	while (n >= 2 && !(p[n - 2] == '\r' && p[n - 1] == '\n'))
		n--;
	return n >= 2 ? n : 0;
}

struct rte_mbuf *dp_quote(struct dp_worker *w, const struct lb_key *key, const struct rte_mbuf *frame)
{
	const struct dp_msg *came = rte_mbuf_to_priv((struct rte_mbuf *)frame);
	struct net_quote quote;
	struct dp_msg *msg;
	struct rte_mbuf *m;
	struct str call_id;
	uint32_t n;
	char *p;

	if (!net_unreachable(rte_pktmbuf_mtod(frame, const uint8_t *), frame->data_len, &came->pkt, &quote) ||
	    !from_listener(w->dp, &quote.src))
		return NULL;
	n = whole_lines(quote.payload, quote.n);
	if (!n || !dp_within_rate(&w->quote_tat, w->now, QUOTES_PER_S, QUOTES_BURST))
		return NULL;
	m = rte_pktmbuf_alloc(w->pool);
	p = m ? rte_pktmbuf_append(m, (uint16_t)(n + 2)) : NULL;
	if (!p) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(p, quote.payload, n);
	memcpy(p + n, "\r\n", 2);
	msg = dp_msg(m);
	msg->pkt = (struct net_pkt){ .src = quote.dst, .dst = quote.src, .payload_len = (uint16_t)(n + 2) };
	if (sip_scan(w->simd, p, n + 2, &msg->sip) > SIP_FAULTY || !msg->sip.is_request ||
	    msg->sip.first[SIP_HDR_CALL_ID] == SIP_NO_ROW) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	call_id = sip_str(&msg->sip, sip_call_id(&msg->sip));
	msg->call_hash = lb_hash(key, call_id.p, call_id.n);
	msg->at = w->now;
	msg->quoted = 1;
	st_inc(w->lane, ST_MADE);
	return m;
}
