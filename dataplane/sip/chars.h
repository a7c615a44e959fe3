/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to the SIP room: character classes of RFC 3261 25.1 and the cursor steps all decoders share.
 * CR and LF count as white space: past the scan they only occur where a row is folded.
 */
#ifndef WEIR_DATAPLANE_SIP_CHARS_H
#define WEIR_DATAPLANE_SIP_CHARS_H

#include "dataplane/sip/sip.h"

enum sip_class {
	SIP_C_TOKEN = 1, /* token */
	SIP_C_VALUE = 2, /* parameter value without quotes; lenient: all but separators and controls */
	SIP_C_HOST = 4,  /* hostname or IPv4; lenient: '_' too */
	SIP_C_WS = 8,    /* SP HT CR LF */
	SIP_C_DIGIT = 16,
	SIP_C_IP6 = 32, /* inside [ ]: hex digits, ':', '.' */
};

extern const uint8_t sip_class[256];

static inline bool sip_is(char c, unsigned classes)
{
	return (sip_class[(uint8_t)c] & classes) != 0;
}

/* First position in [p, end) whose byte is not of the classes; end if there is none. */
static inline uint32_t sip_skip(const char *b, uint32_t p, uint32_t end, unsigned classes)
{
	while (p < end && sip_is(b[p], classes))
		p++;
	return p;
}

/* New end of [p, end) without the white space before it. */
static inline uint32_t sip_rtrim(const char *b, uint32_t p, uint32_t end)
{
	while (end > p && sip_is(b[end - 1], SIP_C_WS))
		end--;
	return end;
}

static inline struct sip_span sip_span(uint32_t from, uint32_t to)
{
	return (struct sip_span){ (uint16_t)from, (uint16_t)(to - from) };
}

/* [p, end) without the white space at both ends. */
static inline struct sip_span sip_trim(const char *b, uint32_t p, uint32_t end)
{
	p = sip_skip(b, p, end, SIP_C_WS);
	return sip_span(p, sip_rtrim(b, p, end));
}

/* ASCII case-insensitive comparison of n bytes with lower-case letters, digits and '-'. */
static inline bool sip_same(const char *p, const char *lower, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)lower[i])
			return false;
	}
	return true;
}

/* Span s of b is the lower-case text, in any case. */
#define SIP_IS_WORD(b, s, text)                                                                              \
	((s).len == sizeof(text) - 1 && sip_same((b) + (s).off, text, sizeof(text) - 1))

/*
 * A quoted string begins at p. Returns the position after its closing quote, 0 if there is none.
 * A backslash takes the next byte along, whatever it is (RFC 3261 25.1 quoted-pair).
 */
uint32_t sip_quoted_end(const char *b, uint32_t p, uint32_t end);

/* One ";name[=value]" (RFC 3261 25.1 generic-param). */
struct sip_param {
	struct sip_span whole; /* from the ';' to the end of the value */
	struct sip_span name;
	struct sip_span value; /* with its quotes, if quoted; off 0 = no '=' */
};

/*
 * Next parameter at *p, which is moved past it and the white space behind. SIP_NEXT_END: *p is end.
 * SIP_NEXT_BAD: anything that is no parameter. Empty parameters (";;") are BAD if strict, else skipped.
 */
enum sip_next sip_param_next(const char *b, uint32_t *p, uint32_t end, bool strict, struct sip_param *param);

/*
 * Host and optional port at *p, which is moved past them: "name", "192.0.2.1", "[2001:db8::1]", each with
 * ":5060". port is 0 if not given. ws: white space may surround the colon (Via, not in URIs).
 * False: empty or malformed host, or a port that is no number in 1..65535.
 */
bool sip_hostport(const char *b, uint32_t *p, uint32_t end, bool ws, struct sip_span *host, uint16_t *port);

/* s without the brackets of an IPv6 reference, if it has them. */
static inline struct sip_span sip_unbracket(const char *b, struct sip_span s)
{
	if (s.len >= 2 && b[s.off] == '[' && b[s.off + s.len - 1] == ']')
		return (struct sip_span){ (uint16_t)(s.off + 1), (uint16_t)(s.len - 2) };
	return s;
}

/* Decimal number that fills s wholly; saturates at UINT32_MAX. False: empty or another byte. */
bool sip_decimal(const char *b, struct sip_span s, uint32_t *out);

#endif
