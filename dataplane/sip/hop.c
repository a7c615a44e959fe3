/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two requests that a proxy makes itself for one hop, out of the INVITE that it sent there: CANCEL
 * (RFC 3261 9.1) and the ACK to a non-2xx final (17.1.1.3). Both carry one Via, the INVITE's.
 */
#include "dataplane/sip/chars.h"
#include "dataplane/sip/edit.h"

/* The rows of header id without line folds, as `edits` change them. */
static void put_rows(struct sip_out *out, const struct sip_msg *m, enum sip_hdr id,
		     const struct sip_edits *edits)
{
	for (uint8_t i = m->first[id]; i != SIP_NO_ROW; i = m->row[i].next)
		sip_put_row(out, m, &m->row[i], edits);
}

static void put_routes(struct sip_out *out, const struct sip_msg *invite, unsigned pop)
{
	struct sip_edits edits = { 0 };
	struct sip_span value;
	struct sip_list it = sip_list_start(invite, SIP_HDR_ROUTE);

	for (unsigned i = 0; i < pop; i++)
		if (sip_list_next(invite, &it, &value) != SIP_NEXT_VALUE)
			return;
	for (; it.row != SIP_NO_ROW; it = (struct sip_list){ .row = invite->row[it.row].next }) {
		const struct sip_row *row = &invite->row[it.row];

		edits.n = edits.failed = 0;
		if (it.pos)
			sip_edits_add(&edits, row->value, (uint32_t)it.pos - row->value, (struct str){ 0 });
		sip_put_row(out, invite, row, &edits);
	}
}

uint32_t sip_hop_write(const struct sip_msg *invite, const struct sip_hop *hop, char *out, uint32_t cap)
{
	struct sip_out o = { .p = out, .cap = cap };
	struct str method = sip_method_text(hop->method);
	struct sip_cseq cseq;

	if (!sip_cseq_parse(invite, &cseq))
		return 0;
	sip_put_str(&o, method);
	sip_put(&o, " ", 1);
	sip_put_str(&o, hop->uri.n ? hop->uri : sip_str(invite, invite->uri));
	sip_put_str(&o, STR(" SIP/2.0\r\nVia: "));
	sip_put_str(&o, hop->via);
	sip_put_str(&o, STR("\r\nMax-Forwards: 70\r\n"));
	put_routes(&o, invite, hop->pop);
	put_rows(&o, invite, SIP_HDR_FROM, NULL);
	put_rows(&o, hop->response ? hop->response : invite, SIP_HDR_TO, NULL);
	put_rows(&o, invite, SIP_HDR_CALL_ID, NULL);
	sip_put_str(&o, STR("CSeq: "));
	sip_put_number(&o, cseq.number);
	sip_put(&o, " ", 1);
	sip_put_str(&o, method);
	sip_put_str(&o, STR("\r\nContent-Length: 0\r\n\r\n"));
	return o.full ? 0 : o.n;
}
