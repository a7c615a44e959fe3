/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One Via value: protocol, sent-by and the parameters a proxy uses (RFC 3261 20.42, 18.2.1; RFC 3581).
 * Transport and unknown parameters may be anything; a parameter that is used may occur once.
 */
#include "dataplane/sip/chars.h"

/* "SIP / 2.0 / transport" at *p, white space around the slashes allowed. */
static bool protocol(const struct sip_msg *m, struct sip_window *w, uint32_t *pos, uint32_t end,
		     struct sip_span *transport)
{
	static const char usual[] = "SIP/2.0/UDP ";
	const char *b = m->base;
	uint32_t p = *pos, from = p;

	if (end - p >= sizeof(usual) - 1 && memcmp(b + p, usual, sizeof(usual) - 1) == 0) {
		*transport = sip_span(p + 8, p + 11);
		*pos = sip_skip_ws(m, p + sizeof(usual) - 1, end);
		return true;
	}
	for (int part = 0; part < 2; part++) {
		from = p;
		p = sip_token_end(m, w, p, end);
		if (p == from)
			return false;
		p = sip_skip_ws(m, p, end);
		if (p == end || b[p] != '/')
			return false;
		p = sip_skip_ws(m, p + 1, end);
	}
	from = p;
	p = sip_token_end(m, w, p, end);
	*transport = sip_span(from, p);
	*pos = sip_skip_ws(m, p, end);
	return p > from && *pos > p;
}

static bool take_rport(const struct sip_msg *m, const struct sip_param *param, struct sip_via *via)
{
	uint32_t value;

	if (via->has_rport)
		return false;
	via->has_rport = 1;
	via->rport = sip_span(param->from, param->end);
	if (param->value && sip_digits(m, param->value, param->end, &value) == param->end &&
	    value <= UINT16_MAX)
		via->rport_port = (uint16_t)value;
	return true;
}

static bool take_once(struct sip_span *slot, const struct sip_param *param)
{
	if (slot->off || !param->value)
		return false;
	*slot = sip_span(param->value, param->end);
	return true;
}

static bool take_host(const struct sip_msg *m, struct sip_span *slot, const struct sip_param *param)
{
	if (!take_once(slot, param))
		return false;
	*slot = sip_unbracket(m->base, *slot);
	return true;
}

/* Overload control is read by overload.c, where it is wanted. */
static inline bool begins_oc(const struct sip_msg *m, const struct sip_param *param)
{
	const char *p = m->base + param->name;

	return param->name_end - param->name >= 2 && (p[0] | 0x20) == 'o' && (p[1] | 0x20) == 'c';
}

/* False: a parameter that is used comes twice, or has no value where it needs one. */
static bool take(const struct sip_msg *m, const struct sip_param *param, struct sip_via *via)
{
	uint64_t name = sip_word(m, param->name, param->name_end);

	if (name == SIP_WORD("branch"))
		return take_once(&via->branch, param);
	if (name == SIP_WORD("rport"))
		return take_rport(m, param, via);
	if (name == SIP_WORD("maddr"))
		return take_host(m, &via->maddr, param);
	if (name != SIP_WORD("received")) {
		via->has_oc |= begins_oc(m, param);
		return true;
	}
	via->received_param = sip_span(param->from, param->end);
	return take_host(m, &via->received, param);
}

/*
 * Decode the Via value that begins at p. Returns where it ends: at end, at the comma before the next value,
 * or at whatever is no part of it; 0 if it is malformed.
 */
static uint32_t via_at(const struct sip_msg *m, uint32_t p, uint32_t end, struct sip_via *restrict via)
{
	struct sip_window w = SIP_WINDOW;
	struct sip_param param;
	uint32_t from = p, to;

	memset(via, 0, sizeof(*via));
	if (!protocol(m, &w, &p, end, &via->transport) ||
	    !sip_hostport(m, &w, &p, end, true, &via->host, &via->port))
		return 0;
	to = p;
	if (end - p >= 8 && memcmp(m->base + p, ";branch=", 8) == 0) { /* where it stands as a rule */
		uint32_t value = p + 8, past = sip_param_end(m, &w, &value, end);

		if (past) {
			via->branch = sip_span(value, past);
			p = to = past;
		}
	}
	while (sip_param_next(m, &w, &p, end, true, &param) == SIP_NEXT_VALUE) {
		if (!take(m, &param, via))
			return 0;
		to = p;
	}
	via->value = sip_span(from, to);
	return sip_skip_ws(m, to, end);
}

bool sip_via_parse(const struct sip_msg *m, struct sip_span value, struct sip_via *via)
{
	uint32_t end = (uint32_t)value.off + value.len;

	return via_at(m, value.off, end, via) == end;
}

enum sip_next sip_via_next(const struct sip_msg *m, struct sip_list *it, struct sip_via *via)
{
	const struct sip_row *row;
	uint32_t stop;

	if (it->row == SIP_NO_ROW)
		return SIP_NEXT_END;
	row = &m->row[it->row];
	stop = via_at(m, sip_skip_ws(m, it->pos ? it->pos : row->value, row->end), row->end, via);
	if (stop == row->end) {
		*it = (struct sip_list){ .row = row->next };
		return SIP_NEXT_VALUE;
	}
	if (stop && m->base[stop] == ',') {
		it->pos = stop + 1;
		return SIP_NEXT_VALUE;
	}
	it->row = SIP_NO_ROW;
	return SIP_NEXT_BAD;
}

bool sip_via_top(const struct sip_msg *m, struct sip_via *via)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_VIA);

	return sip_via_next(m, &it, via) == SIP_NEXT_VALUE;
}
