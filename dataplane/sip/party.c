/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Address headers: From, To, Contact, Route, Record-Route as name-addr or addr-spec (RFC 3261 20.10, 25.1).
 * In the form without < > everything after the first ';' belongs to the header, not to the URI.
 */
#include "dataplane/sip/chars.h"

/* Where the '<' of a name-addr is; end for the form without; 0 for neither. */
static uint32_t find_bracket(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	const char *b = m->base;

	if (p < end && b[p] == '"') {
		p = sip_quoted_end(m, p, end);
		if (!p)
			return 0;
		p = sip_skip_ws(m, p, end);
		return p < end && b[p] == '<' ? p : 0;
	}
	for (; p < end; p++) {
		switch (b[p]) {
		case '<':
			return p;
		case ':':
			return end;
		case ',':
		case ';':
		case '"':
			return 0;
		default:
			break;
		}
	}
	return 0;
}

/* The URI of the value [*p, end); *p is moved to the parameters behind it. */
static bool find_uri(const struct sip_msg *m, uint32_t *pos, uint32_t end, struct sip_span *uri)
{
	uint32_t p = *pos, bracket = find_bracket(m, p, end), past;

	if (!bracket)
		return false;
	if (bracket < end) {
		past = sip_find(m, bracket, end, '>', '>');
		if (past == end)
			return false;
		*pos = past + 1;
		*uri = sip_trim(m, bracket + 1, past);
	} else {
		past = sip_skip(m, p, end, &sip_value);
		*pos = past;
		*uri = sip_span(p, past);
	}
	return uri->len > 0;
}

bool sip_party_parse(const struct sip_msg *m, struct sip_span value, struct sip_party *restrict party)
{
	uint32_t p = value.off, end = p + value.len;
	struct sip_window w = SIP_WINDOW;
	struct sip_param param;
	enum sip_next next;

	party->tag = (struct sip_span){ 0 };
	party->end = (uint16_t)end;
	if (!find_uri(m, &p, end, &party->uri))
		return false;
	while ((next = sip_param_next(m, &w, &p, end, false, &param)) == SIP_NEXT_VALUE) {
		if (sip_word(m, param.name, param.name_end) != SIP_WORD("tag"))
			continue;
		if (party->tag.off || !param.value || param.value == param.end)
			return false;
		party->tag = sip_span(param.value, param.end);
	}
	return next == SIP_NEXT_END;
}

bool sip_tag_last(const struct sip_msg *m, enum sip_hdr id, struct sip_party *party)
{
	const struct sip_row *row = sip_row_first(m, id);
	uint32_t end, equals, name = 0;
	uint32_t stops;

	if (!row || row->end - row->value < 32)
		return false;
	end = row->end; /* one look at the 32 bytes before it finds the last that is in no token */
	stops = sip_stops(m->base + end - 32);
	if (stops < 1u << 5 || stops >> 31)
		return false;
	equals = end - 1 - (uint32_t)__builtin_clz(stops);
	memcpy(&name, m->base + equals - 3, 3);
	if ((name | 0x202020) != ('t' | 'a' << 8 | 'g' << 16) || memcmp(m->base + equals - 5, ">;", 2) != 0 ||
	    m->base[equals] != '=')
		return false;
	*party = (struct sip_party){ .tag = sip_span(equals + 1, end), .end = (uint16_t)end };
	return true;
}

bool sip_party_first(const struct sip_msg *m, enum sip_hdr id, struct sip_party *party)
{
	struct sip_list it = sip_list_start(m, id);
	struct sip_span value;

	if (id == SIP_HDR_FROM || id == SIP_HDR_TO) {
		const struct sip_row *row = sip_row_first(m, id);

		if (!row)
			return false;
		value = sip_trim(m, row->value, row->end);
	} else if (sip_list_next(m, &it, &value) != SIP_NEXT_VALUE) {
		return false;
	}
	return sip_party_parse(m, value, party);
}

/* A qvalue in thousandths (RFC 3261 25.1): "0.7" is 700. What is none counts as 0. */
static uint16_t q_value(const struct sip_msg *m, struct sip_span s)
{
	const char *p = m->base + s.off;
	uint16_t q = 0, unit = 1000;

	for (uint32_t i = 0; i < s.len && unit; i++) {
		if (p[i] == '.' && i == 1)
			continue;
		if (!sip_is_digit(p[i]))
			return 0;
		q += (uint16_t)(p[i] - '0') * unit;
		unit /= 10;
	}
	return q > 1000 ? 1000 : q;
}

static bool contact_parse(const struct sip_msg *m, struct sip_span value, struct sip_contact *c)
{
	uint32_t p = value.off, end = p + value.len, seconds;
	struct sip_window w = SIP_WINDOW;
	struct sip_param param;
	enum sip_next next;

	*c = (struct sip_contact){ .q = 1000 };
	if (!find_uri(m, &p, end, &c->uri))
		return false;
	while ((next = sip_param_next(m, &w, &p, end, false, &param)) == SIP_NEXT_VALUE) {
		if (param.name_end - param.name == 1 && (m->base[param.name] | 0x20) == 'q')
			c->q = q_value(m, sip_param_value(&param));
		else if (sip_word(m, param.name, param.name_end) == SIP_WORD("expires") && param.value &&
			 param.value < param.end &&
			 sip_digits(m, param.value, param.end, &seconds) == param.end)
			c->expired = seconds == 0;
	}
	return next == SIP_NEXT_END;
}

unsigned sip_contacts(const struct sip_msg *m, struct sip_contact *out, unsigned max)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_CONTACT);
	struct sip_contact c;
	struct sip_span value;
	unsigned n = 0, at;

	while (n < max && sip_list_next(m, &it, &value) == SIP_NEXT_VALUE) {
		if (!contact_parse(m, value, &c) || c.expired)
			continue;
		for (at = n++; at > 0 && out[at - 1].q < c.q; at--)
			out[at] = out[at - 1];
		out[at] = c;
	}
	return n;
}

bool sip_requires(const struct sip_msg *m, struct str tag)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_REQUIRE);
	struct sip_span value;

	while (sip_list_next(m, &it, &value) == SIP_NEXT_VALUE) {
		if (str_eq_nocase(sip_str(m, value), tag))
			return true;
	}
	return false;
}
