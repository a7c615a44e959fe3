/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIP, SIPS and tel URIs taken apart (RFC 3261 19.1, RFC 3966), without unescaping: escaped and plain
 * text are different users to a proxy that only compares bytes. Of URNs the emergency service is known.
 */
#include "dataplane/sip/chars.h"

/* True if [p, end), which follows "urn:", is "service:sos" or "service:sos.police" (RFC 5031 4.2). */
static bool is_sos(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	static const char sos[] = "service:sos";
	const char *b = m->base;

	if (end - p < sizeof(sos) - 1 || !sip_same(b + p, sos, sizeof(sos) - 1))
		return false;
	p += sizeof(sos) - 1;
	while (p < end && b[p] == '.') { /* labels: letters, digits, '-' */
		uint32_t label = ++p;

		while (p < end &&
		       (sip_is_digit(b[p]) || b[p] == '-' || ((b[p] | 0x20) >= 'a' && (b[p] | 0x20) <= 'z')))
			p++;
		if (p == label)
			return false;
	}
	return p == end;
}

/* Position after "scheme:"; 0 if the URI does not begin with one. */
static uint32_t scheme(const struct sip_msg *m, uint32_t p, uint32_t end, uint8_t *out)
{
	const char *b = m->base;
	uint32_t from = p;

	if (end - p >= 4 && (b[p] | 0x20) == 's' && (b[p + 1] | 0x20) == 'i' && (b[p + 2] | 0x20) == 'p' &&
	    b[p + 3] == ':') {
		*out = SIP_SCHEME_SIP;
		return p + 4;
	}
	while (p < end && (sip_is_digit(b[p]) || b[p] == '+' || b[p] == '-' || b[p] == '.' ||
			   ((b[p] | 0x20) >= 'a' && (b[p] | 0x20) <= 'z')))
		p++;
	if (p == from || p == end || b[p] != ':' || sip_is_digit(b[from]))
		return 0;
	if (p - from == 4 && sip_same(b + from, "sips", 4))
		*out = SIP_SCHEME_SIPS;
	else if (p - from == 3 && sip_same(b + from, "tel", 3))
		*out = SIP_SCHEME_TEL;
	else if (p - from == 3 && sip_same(b + from, "urn", 3) && is_sos(m, p + 1, end))
		*out = SIP_SCHEME_SOS;
	else
		*out = SIP_SCHEME_OTHER;
	return p + 1;
}

static bool is_transport(const struct sip_msg *m, struct sip_span name)
{
	return str_eq_nocase(sip_str(m, name), STR("transport"));
}

/* ";name=value" list of a URI at [p, end), up to a '?'. False: something else. */
static bool uri_params(const struct sip_msg *m, uint32_t p, uint32_t end, struct sip_uri *uri)
{
	uint32_t stop = sip_find(m, p, end, '?', '?');
	const char *b = m->base;

	uri->has_headers = stop < end;
	if (p == stop)
		return true;
	if (b[p] != ';')
		return false;
	uri->params = sip_span(p, stop);
	while (p < stop) {
		uint32_t name = p + 1, value = sip_find(m, name, stop, '=', ';');
		uint32_t past = sip_find(m, value, stop, ';', ';');
		uint64_t word = sip_word(m, name, value);

		if (word == SIP_WORD("lr"))
			uri->lr = 1;
		else if (word == SIP_WORD("maddr") && value < past)
			uri->maddr = sip_unbracket(b, sip_span(value + 1, past));
		else if (word == 0 && is_transport(m, sip_span(name, value)))
			uri->other_transport =
				value == past ||
				!str_eq_nocase(sip_str(m, sip_span(value + 1, past)), STR("udp"));
		p = past;
	}
	return true;
}

static bool tel_uri(const struct sip_msg *m, uint32_t p, uint32_t end, struct sip_uri *uri)
{
	uint32_t past = sip_find(m, p, end, ';', '?');

	uri->user = sip_span(p, past);
	return past > p && sip_find(m, p, past, '@', '@') == past && uri_params(m, past, end, uri) &&
	       !uri->has_headers;
}

static bool sip_uri(const struct sip_msg *m, uint32_t p, uint32_t end, struct sip_uri *uri)
{
	uint32_t at = sip_find(m, p, end, '@', '@');
	struct sip_window w = SIP_WINDOW;

	if (at < end) {
		uri->user = sip_span(p, sip_find(m, p, at, ':', ':'));
		if (uri->user.len == 0)
			return false;
		p = at + 1;
	}
	return sip_hostport(m, &w, &p, end, false, &uri->host, &uri->port) && uri_params(m, p, end, uri);
}

bool sip_uri_parse(const struct sip_msg *m, struct sip_span span, struct sip_uri *restrict uri)
{
	uint32_t end = (uint32_t)span.off + span.len, p;

	memset(uri, 0, sizeof(*uri));
	if (sip_skip(m, span.off, end, &sip_plain) != end)
		return false;
	p = scheme(m, span.off, end, &uri->scheme);
	if (p == 0)
		return false;
	switch (uri->scheme) {
	case SIP_SCHEME_SIP:
	case SIP_SCHEME_SIPS:
		return sip_uri(m, p, end, uri);
	case SIP_SCHEME_TEL:
		return tel_uri(m, p, end, uri);
	default:
		return true;
	}
}
