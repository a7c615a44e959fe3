/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIP, SIPS and tel URIs taken apart (RFC 3261 19.1, RFC 3966), without unescaping: escaped and plain
 * text are different users to a proxy that only compares bytes.
 */
#include "dataplane/sip/chars.h"

/* Position after "scheme:"; 0 if the URI does not begin with one. */
static uint32_t scheme(const char *b, uint32_t p, uint32_t end, uint8_t *out)
{
	uint32_t from = p;

	while (p < end && (sip_is(b[p], SIP_C_DIGIT) || b[p] == '+' || b[p] == '-' || b[p] == '.' ||
			   ((b[p] | 0x20) >= 'a' && (b[p] | 0x20) <= 'z')))
		p++;
	if (p == from || p == end || b[p] != ':' || sip_is(b[from], SIP_C_DIGIT))
		return 0;
	if (p - from == 3 && sip_same(b + from, "sip", 3))
		*out = SIP_SCHEME_SIP;
	else if (p - from == 4 && sip_same(b + from, "sips", 4))
		*out = SIP_SCHEME_SIPS;
	else if (p - from == 3 && sip_same(b + from, "tel", 3))
		*out = SIP_SCHEME_TEL;
	else
		*out = SIP_SCHEME_OTHER;
	return p + 1;
}

/* Bytes that no URI holds: controls, space, DEL, quotes and angle brackets. 8-bit bytes pass. */
static bool clean(const char *p, uint32_t n)
{
	unsigned bad = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];

		bad |= (c <= ' ') | (c == '<') | (c == '>') | (c == '"') | (c == 0x7f);
	}
	return !bad;
}

/* ";name=value" list of a URI at [p, end), up to a '?'. False: something else. */
static bool uri_params(const char *b, uint32_t p, uint32_t end, struct sip_uri *uri)
{
	const char *query = p < end ? memchr(b + p, '?', end - p) : NULL;
	uint32_t stop = query ? (uint32_t)(query - b) : end;

	uri->has_headers = query != NULL;
	if (p == stop)
		return true;
	if (b[p] != ';')
		return false;
	uri->params = sip_span(p, stop);
	while (p < stop) {
		uint32_t name = p + 1, past = name, value;

		while (past < stop && b[past] != ';' && b[past] != '=')
			past++;
		value = past;
		while (past < stop && b[past] != ';')
			past++;
		if (value - name == 2 && sip_same(b + name, "lr", 2))
			uri->lr = 1;
		else if (value - name == 5 && value < past && sip_same(b + name, "maddr", 5))
			uri->maddr = sip_unbracket(b, sip_span(value + 1, past));
		p = past;
	}
	return true;
}

static bool tel_uri(const char *b, uint32_t p, uint32_t end, struct sip_uri *uri)
{
	uint32_t past = p;

	while (past < end && b[past] != ';' && b[past] != '?' && b[past] != '@')
		past++;
	uri->user = sip_span(p, past);
	return past > p && (past == end || b[past] == ';') && uri_params(b, past, end, uri) &&
	       !uri->has_headers;
}

static bool sip_uri(const char *b, uint32_t p, uint32_t end, struct sip_uri *uri)
{
	const char *at = memchr(b + p, '@', end - p);

	if (at) {
		uint32_t stop = (uint32_t)(at - b);
		const char *colon = memchr(b + p, ':', stop - p);
		uint32_t user_end = colon ? (uint32_t)(colon - b) : stop;

		if (user_end == p)
			return false;
		uri->user = sip_span(p, user_end);
		p = stop + 1;
	}
	return sip_hostport(b, &p, end, false, &uri->host, &uri->port) && uri_params(b, p, end, uri);
}

bool sip_uri_parse(const struct sip_msg *m, struct sip_span span, struct sip_uri *uri)
{
	const char *b = m->base;
	uint32_t end = (uint32_t)span.off + span.len, p;

	memset(uri, 0, sizeof(*uri));
	if (!clean(b + span.off, span.len))
		return false;
	p = scheme(b, span.off, end, &uri->scheme);
	if (p == 0)
		return false;
	switch (uri->scheme) {
	case SIP_SCHEME_SIP:
	case SIP_SCHEME_SIPS:
		return sip_uri(b, p, end, uri);
	case SIP_SCHEME_TEL:
		return tel_uri(b, p, end, uri);
	default:
		return true;
	}
}
