/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Responses as text (RFC 3261 8.2.6): the rows of the request that they repeat are cut out once; what
 * overload control says goes into the top Via anew each time. They go back to where the request came from.
 */
#include "bench/gwsim/gwsim.h"

#include <string.h>

static const struct {
	uint16_t status;
	const char *reason;
} reasons[] = {
	{ 100, "Trying" },
	{ 180, "Ringing" },
	{ 200, "OK" },
	{ 404, "Not Found" },
	{ 480, "Temporarily Unavailable" },
	{ 481, "Call/Transaction Does Not Exist" },
	{ 486, "Busy Here" },
	{ 487, "Request Terminated" },
	{ 500, "Server Internal Error" },
	{ 503, "Service Unavailable" },
};

static const char *reason_of(uint16_t status)
{
	for (uint32_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "No";
}

/* The top Via without oc and oc-algo, which the response says itself. */
static void put_top_via(struct kit_writer *w, struct gw_head *h, const struct kit_sip *m, struct kit_text row)
{
	struct kit_text oc = kit_param(m->via, "oc"), algo = kit_param(m->via, "oc-algo");
	const char *p = m->via.p, *end = m->via.p + m->via.n;
	bool quoted = false;

	h->oc = oc.p && oc.n == 0;
	h->rate = algo.n >= 4 && memmem(algo.p, algo.n, "rate", 4);
	kit_put(w, "Via: ", 5);
	while (p < end) {
		const char *next = p + 1;

		for (; next < end && (*next != ';' || quoted); next++)
			quoted ^= *next == '"';
		if (!(h->oc && next - p >= 3 && strncmp(p, ";oc", 3) == 0))
			kit_put(w, p, (uint32_t)(next - p));
		p = next;
	}
	h->via = (uint16_t)w->n;
	kit_put(w, end, (uint32_t)(row.p + row.n - end)); /* further values of the same row */
	kit_put(w, "\r\n", 2);
}

bool gw_head(struct gw *g, struct gw_head *h, const struct kit_sip *m)
{
	struct kit_writer w = { .p = h->p, .room = sizeof(h->p) };
	bool top = true;

	for (uint32_t i = 0; i < m->n_rows; i++) {
		const struct kit_row *r = &m->row[i];

		if (r->header == KIT_VIA && top) {
			put_top_via(&w, h, m, r->line);
			top = false;
		} else if (r->header == KIT_VIA || r->header == KIT_RECORD_ROUTE || r->header == KIT_FROM ||
			   r->header == KIT_CALL_ID || r->header == KIT_CSEQ) {
			kit_put(&w, r->line.p, r->line.n);
			kit_put(&w, "\r\n", 2);
		}
	}
	kit_put(&w, "To: ", 4);
	kit_put(&w, m->to.p, m->to.n);
	h->tagged = m->to_tag.n > 0;
	if (!h->tagged)
		kit_say(&w, ";tag=%s-%llx", g->name, (unsigned long long)kit_hash(m->branch) >> 24);
	kit_put(&w, "\r\n", 2);
	h->n = (uint16_t)w.n;
	return !w.full;
}

void gw_reply(struct gw *g, const struct gw_head *h, const union kit_addr *to, uint16_t status,
	      uint32_t cause)
{
	struct kit_writer w = { .p = kit_udp_room(&g->udp), .room = KIT_DATAGRAM };

	kit_say(&w, "SIP/2.0 %u %s\r\n", status, reason_of(status));
	kit_put(&w, h->p, h->via);
	if (h->oc)
		gw_oc_say(g, h, &w);
	kit_put(&w, h->p + h->via, h->n - h->via);
	if (status < 300)
		kit_say(&w, "Contact: <sip:%s>\r\n", g->udp.text);
	else if (cause)
		kit_say(&w, "Reason: Q.850;cause=%u\r\n", cause);
	else if (status == 503 && g->set.retry_after)
		kit_say(&w, "Retry-After: %u\r\n", g->set.retry_after);
	kit_say(&w, "Content-Length: 0\r\n\r\n");
	if (!w.full)
		kit_udp_put(&g->udp, to, w.n);
}

void gw_say(struct gw *g, struct gw_txn *t, uint16_t status)
{
	t->status = status;
	gw_reply(g, &t->head, &t->from, status, status == t->fail ? t->cause : 0);
}
