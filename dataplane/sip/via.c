/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One Via value: protocol, sent-by and the parameters a proxy uses (RFC 3261 20.42, 18.2.1; RFC 3581).
 * Transport and unknown parameters may be anything; a parameter that is used may occur once.
 */
#include "dataplane/sip/chars.h"

/* "SIP / 2.0 / transport" at *p, white space around the slashes allowed. */
static bool protocol(const char *b, uint32_t *pos, uint32_t end, struct sip_span *transport)
{
	uint32_t p = *pos, from = p;

	if (end - p > 8 && memcmp(b + p, "SIP/2.0/", 8) == 0) {
		p += 8;
	} else {
		for (int part = 0; part < 2; part++) {
			from = p;
			p = sip_skip(b, p, end, SIP_C_TOKEN);
			if (p == from)
				return false;
			p = sip_skip(b, p, end, SIP_C_WS);
			if (p == end || b[p] != '/')
				return false;
			p++;
			p = sip_skip(b, p, end, SIP_C_WS);
		}
	}
	from = p;
	p = sip_skip(b, p, end, SIP_C_TOKEN);
	*transport = sip_span(from, p);
	*pos = sip_skip(b, p, end, SIP_C_WS);
	return p > from && *pos > p;
}

static bool take_rport(const char *b, const struct sip_param *param, struct sip_via *via)
{
	uint32_t value;

	if (via->has_rport)
		return false;
	via->has_rport = 1;
	via->rport = param->whole;
	if (param->value.len && sip_decimal(b, param->value, &value) && value <= UINT16_MAX)
		via->rport_port = (uint16_t)value;
	return true;
}

static bool take_once(struct sip_span *slot, struct sip_span value)
{
	if (slot->off || value.off == 0)
		return false;
	*slot = value;
	return true;
}

/* False: a parameter that is used comes twice, or has no value where it needs one. */
static bool take(const char *b, const struct sip_param *param, struct sip_via *via)
{
	switch (param->name.len) {
	case 5:
		if (SIP_IS_WORD(b, param->name, "rport"))
			return take_rport(b, param, via);
		if (SIP_IS_WORD(b, param->name, "maddr"))
			return take_once(&via->maddr, sip_unbracket(b, param->value));
		return true;
	case 6:
		if (SIP_IS_WORD(b, param->name, "branch"))
			return take_once(&via->branch, param->value);
		return true;
	case 8:
		if (!SIP_IS_WORD(b, param->name, "received"))
			return true;
		via->received_param = param->whole;
		return take_once(&via->received, sip_unbracket(b, param->value));
	default:
		return true;
	}
}

bool sip_via_parse(const struct sip_msg *m, struct sip_span value, struct sip_via *via)
{
	const char *b = m->base;
	uint32_t p = value.off, end = p + value.len;
	struct sip_param param;
	enum sip_next next;

	memset(via, 0, sizeof(*via));
	via->value = value;
	if (!protocol(b, &p, end, &via->transport) || !sip_hostport(b, &p, end, true, &via->host, &via->port))
		return false;
	while ((next = sip_param_next(b, &p, end, true, &param)) == SIP_NEXT_VALUE)
		if (!take(b, &param, via))
			return false;
	return next == SIP_NEXT_END;
}

bool sip_via_top(const struct sip_msg *m, struct sip_via *via)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_VIA);
	struct sip_span value;

	return sip_list_next(m, &it, &value) == SIP_NEXT_VALUE && sip_via_parse(m, value, via);
}
