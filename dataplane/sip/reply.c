/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Turn a request into its own reply (RFC 3261 8.2.6), keeping no state. Also for requests that the scan or
 * the check found faulty: rows are copied as they are, so what was missing stays missing. Must stay true:
 * nothing of the request can end a line of the reply, or begin a new one.
 */
#include "dataplane/sip/chars.h"
#include "dataplane/sip/edit.h"

static void put_vias(struct sip_out *out, const struct sip_msg *m, const struct sip_reply *reply)
{
	char text[SIP_RECEIVED_TEXT];
	struct sip_edits edits;
	struct sip_via top;

	edits.n = edits.failed = 0;
	if (reply->fields || sip_via_top(m, &top)) {
		const struct sip_via *via = reply->fields ? &reply->fields->via : &top;

		sip_edits_received(m, via, &reply->src, text, &edits);
		if (reply->oc.n)
			sip_edits_oc(m, via, reply->oc, &edits);
	}
	sip_put_row(out, m, &m->row[m->first[SIP_HDR_VIA]], &edits);
	for (uint8_t i = m->row[m->first[SIP_HDR_VIA]].next; i != SIP_NO_ROW; i = m->row[i].next)
		sip_put_row(out, m, &m->row[i], NULL);
}

/* To, with the tag of the reply if it has none. A To that cannot be read stays as it is. */
static void put_to(struct sip_out *out, const struct sip_msg *m, const struct sip_reply *reply)
{
	const struct sip_row *row = sip_row_first(m, SIP_HDR_TO);
	const struct sip_party *to = reply->fields ? &reply->fields->to : NULL;
	uint32_t begin = out->n;
	struct sip_party found;

	if (!row)
		return;
	if (reply->to_tag.n && !to && sip_party_first(m, SIP_HDR_TO, &found))
		to = &found;
	if (!reply->to_tag.n || !to || to->tag.off) {
		sip_put_row(out, m, row, NULL);
		return;
	}
	sip_put(out, m->base + row->off, (uint32_t)to->end - row->off);
	sip_put_str(out, STR(";tag="));
	sip_put_str(out, reply->to_tag);
	sip_put(out, m->base + to->end, (uint32_t)row->end - to->end);
	sip_end_row(out, m, begin);
}

static void put_first(struct sip_out *out, const struct sip_msg *m, enum sip_hdr id)
{
	const struct sip_row *row = sip_row_first(m, id);

	if (row)
		sip_put_row(out, m, row, NULL);
}

static uint32_t put_reply(const struct sip_msg *m, const struct sip_reply *reply, bool brief, char *out,
			  uint32_t cap)
{
	struct sip_out o = { .p = out, .cap = cap };

	sip_put(&o, "SIP/2.0 ", 8);
	sip_put_number(&o, reply->status);
	sip_put(&o, " ", 1);
	if (!brief)
		sip_put_str(&o, reply->reason);
	sip_put(&o, "\r\n", 2);
	put_vias(&o, m, reply);
	put_first(&o, m, SIP_HDR_FROM);
	put_to(&o, m, reply);
	put_first(&o, m, SIP_HDR_CALL_ID);
	put_first(&o, m, SIP_HDR_CSEQ);
	if (reply->status == 100) /* RFC 3261 8.2.6.1 */
		put_first(&o, m, SIP_HDR_TIMESTAMP);
	sip_put_str(&o, reply->extra);
	if (!brief) {
		sip_put_str(&o, reply->nice);
		sip_put_str(&o, STR("Content-Length: 0\r\n"));
	}
	sip_put(&o, "\r\n", 2);
	return o.full ? 0 : o.n;
}

uint32_t sip_reply_write(const struct sip_msg *m, const struct sip_reply *reply, char *out, uint32_t cap)
{
	uint32_t n;

	if (!m->is_request || m->method == METHOD_ACK || m->count[SIP_HDR_VIA] == 0)
		return 0;
	n = put_reply(m, reply, false, out, cap);
	return reply->brief && (!n || n > m->len) ? put_reply(m, reply, true, out, cap) : n;
}
