/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plain fields: Call-ID, CSeq, and headers that are one number (RFC 3261 20.8, 20.14, 20.16, 20.22).
 * Numbers saturate: a value too large to hold is too large, never small again.
 */
#include "dataplane/sip/chars.h"

/* The first row's value without white space around; absent if there is no such row or it is empty. */
static struct sip_span only_value(const struct sip_msg *m, enum sip_hdr id)
{
	const struct sip_row *row = sip_row_first(m, id);
	struct sip_span value;

	if (!row)
		return (struct sip_span){ 0 };
	value = sip_trim(m, row->value, row->end);
	return value.len ? value : (struct sip_span){ 0 };
}

struct sip_span sip_call_id(const struct sip_msg *m)
{
	return only_value(m, SIP_HDR_CALL_ID);
}

bool sip_cseq_parse(const struct sip_msg *m, struct sip_cseq *cseq)
{
	struct sip_span value = only_value(m, SIP_HDR_CSEQ);
	uint32_t end = (uint32_t)value.off + value.len, digits, method;
	struct str token;

	memset(cseq, 0, sizeof(*cseq));
	digits = sip_digits(m, value.off, end, &cseq->number);
	method = sip_skip_ws(m, digits, end);
	if (digits == value.off || method == digits || method == end || cseq->number > INT32_MAX)
		return false;
	cseq->method_text = sip_span(method, end);
	token = sip_str(m, cseq->method_text);
	if (m->is_request && str_eq(token, sip_str(m, m->method_text))) {
		cseq->method = m->method;
		return true;
	}
	cseq->method = (uint8_t)sip_method(token);
	return cseq->method != METHOD_OTHER || sip_skip(m, method, end, &sip_token) == end;
}

bool sip_number_parse(const struct sip_msg *m, enum sip_hdr id, struct sip_number *out)
{
	memset(out, 0, sizeof(*out));
	if (m->first[id] == SIP_NO_ROW)
		return true;
	out->present = 1;
	out->text = only_value(m, id);
	return sip_digits(m, out->text.off, (uint32_t)out->text.off + out->text.len, &out->value) ==
		       (uint32_t)out->text.off + out->text.len &&
	       out->text.len > 0;
}

uint32_t sip_session_expires(const struct sip_msg *m)
{
	struct sip_span value = only_value(m, SIP_HDR_SESSION_EXPIRES);
	uint32_t seconds;

	if (sip_digits(m, value.off, (uint32_t)value.off + value.len, &seconds) == value.off)
		return 0;
	return seconds;
}

struct sip_span sip_replaces(const struct sip_msg *m)
{
	struct sip_span value = only_value(m, SIP_HDR_REPLACES);
	const char *p = m->base + value.off;
	const char *semicolon = value.len ? memchr(p, ';', value.len) : NULL;

	return semicolon ? sip_trim(m, value.off, (uint32_t)(semicolon - m->base)) : value;
}
