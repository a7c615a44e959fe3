/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The two requests that a proxy makes itself for one hop, out of the INVITE that it sent there: CANCEL
 * (RFC 3261 9.1) and the ACK to a non-2xx final (17.1.1.3). Both carry one Via, the INVITE's.
 */
#include "dataplane/sip/chars.h"
#include "dataplane/sip/edit.h"

/* The rows of header id without line folds. */
static void put_rows(struct sip_out *out, const struct sip_msg *m, enum sip_hdr id)
{
	for (uint8_t i = m->first[id]; i != SIP_NO_ROW; i = m->row[i].next)
		sip_put_row(out, m, &m->row[i], NULL);
}

static void put_routes(struct sip_out *out, const struct sip_msg *invite, const struct sip_edits *edits)
{
	for (uint8_t i = invite->first[SIP_HDR_ROUTE]; i != SIP_NO_ROW; i = invite->row[i].next) {
		const struct sip_row *row = &invite->row[i];

		sip_put_edited(out, invite->base, row->off, row->end + 2u, edits);
	}
}

uint32_t sip_hop_write(const struct sip_msg *invite, const struct sip_hop *hop, char *out, uint32_t cap)
{
	struct sip_out o = { .p = out, .cap = cap };
	struct str method = sip_method_text(hop->method);
	struct sip_span uri = invite->uri;
	struct sip_cseq cseq;

	if (hop->edits->failed || !sip_cseq_parse(invite, &cseq))
		return 0;
	sip_put_str(&o, method);
	sip_put(&o, " ", 1);
	sip_put_edited(&o, invite->base, uri.off, (uint32_t)uri.off + uri.len, hop->edits);
	sip_put_str(&o, STR(" SIP/2.0\r\nVia: "));
	sip_put_str(&o, hop->via);
	sip_put_str(&o, STR("\r\nMax-Forwards: 70\r\n"));
	put_routes(&o, invite, hop->edits);
	put_rows(&o, invite, SIP_HDR_FROM);
	put_rows(&o, hop->response ? hop->response : invite, SIP_HDR_TO);
	put_rows(&o, invite, SIP_HDR_CALL_ID);
	sip_put_str(&o, STR("CSeq: "));
	sip_put_number(&o, cseq.number);
	sip_put(&o, " ", 1);
	sip_put_str(&o, method);
	sip_put_str(&o, STR("\r\nContent-Length: 0\r\n\r\n"));
	return o.full ? 0 : o.n;
}
