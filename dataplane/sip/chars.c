/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lexical pieces that several fields have in common: character classes, quoted strings, parameters,
 * host and port, decimal numbers (RFC 3261 25.1). Pure functions over [p, end) of a message.
 */
#include "dataplane/sip/chars.h"

#define T SIP_C_TOKEN
#define V SIP_C_VALUE
#define H SIP_C_HOST
#define W SIP_C_WS
#define D SIP_C_DIGIT
#define X SIP_C_IP6

const uint8_t sip_class[256] = {
	['\t'] = W,
	['\n'] = W,
	['\r'] = W,
	[' '] = W,
	['0' ... '9'] = T | V | H | D | X,
	['a' ... 'f'] = T | V | H | X,
	['A' ... 'F'] = T | V | H | X,
	['g' ... 'z'] = T | V | H,
	['G' ... 'Z'] = T | V | H,
	['-'] = T | V | H,
	['.'] = T | V | H | X,
	['!'] = T | V,
	['%'] = T | V,
	['*'] = T | V,
	['_'] = T | V | H,
	['+'] = T | V,
	['`'] = T | V,
	['\''] = T | V,
	['~'] = T | V,
	[':'] = V | X,
	['#'] = V,
	['$'] = V,
	['&'] = V,
	['('] = V,
	[')'] = V,
	['/'] = V,
	['?'] = V,
	['@'] = V,
	['['] = V,
	[']'] = V,
	['^'] = V,
	['{'] = V,
	['|'] = V,
	['}'] = V,
	['='] = V,
	['\\'] = V,
	[0x80 ... 0xff] = V,
};

uint32_t sip_quoted_end(const char *b, uint32_t p, uint32_t end)
{
	for (p++; p < end; p++) {
		if (b[p] == '"')
			return p + 1;
		if (b[p] == '\\')
			p++;
	}
	return 0;
}

/* The value after '=' begins at p. Returns its end, 0 for an unbalanced quote. */
static uint32_t value_end(const char *b, uint32_t p, uint32_t end)
{
	if (p < end && b[p] == '"')
		return sip_quoted_end(b, p, end);
	return sip_skip(b, p, end, SIP_C_VALUE);
}

enum sip_next sip_param_next(const char *b, uint32_t *pos, uint32_t end, bool strict, struct sip_param *param)
{
	uint32_t p = *pos, semi, name, past;

	do {
		p = sip_skip(b, p, end, SIP_C_WS);
		if (p == end) {
			*pos = p;
			return SIP_NEXT_END;
		}
		if (b[p] != ';')
			return SIP_NEXT_BAD;
		semi = p;
		name = sip_skip(b, p + 1, end, SIP_C_WS);
		p = sip_skip(b, name, end, SIP_C_TOKEN);
		if (p == name && strict)
			return SIP_NEXT_BAD;
	} while (p == name);
	param->name = sip_span(name, p);
	param->value = (struct sip_span){ 0 };
	past = sip_skip(b, p, end, SIP_C_WS);
	if (past < end && b[past] == '=') {
		uint32_t value = sip_skip(b, past + 1, end, SIP_C_WS);

		p = value_end(b, value, end);
		if (!p)
			return SIP_NEXT_BAD;
		param->value = sip_span(value, p);
	}
	param->whole = sip_span(semi, p);
	*pos = p;
	return SIP_NEXT_VALUE;
}

static bool port_number(const char *b, uint32_t *pos, uint32_t end, uint16_t *port)
{
	uint32_t p = *pos, value = 0;

	for (; p < end && sip_is(b[p], SIP_C_DIGIT) && value <= UINT16_MAX; p++)
		value = value * 10 + (uint32_t)(b[p] - '0');
	if (p == *pos || value == 0 || value > UINT16_MAX)
		return false;
	*pos = p;
	*port = (uint16_t)value;
	return true;
}

bool sip_hostport(const char *b, uint32_t *pos, uint32_t end, bool ws, struct sip_span *host, uint16_t *port)
{
	uint32_t p = *pos, past;

	*port = 0;
	if (p < end && b[p] == '[') {
		past = sip_skip(b, p + 1, end, SIP_C_IP6);
		if (past == end || b[past] != ']')
			return false;
		*host = sip_span(p + 1, past);
		p = past + 1;
	} else {
		past = sip_skip(b, p, end, SIP_C_HOST);
		*host = sip_span(p, past);
		p = past;
	}
	if (host->len == 0)
		return false;
	past = ws ? sip_skip(b, p, end, SIP_C_WS) : p;
	if (past < end && b[past] == ':') {
		p = ws ? sip_skip(b, past + 1, end, SIP_C_WS) : past + 1;
		if (!port_number(b, &p, end, port))
			return false;
	}
	*pos = p;
	return true;
}

bool sip_decimal(const char *b, struct sip_span s, uint32_t *out)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (uint32_t p = s.off; p < (uint32_t)s.off + s.len; p++) {
		if (!sip_is(b[p], SIP_C_DIGIT))
			return false;
		value = value * 10 + (uint64_t)(b[p] - '0');
		if (value > UINT32_MAX)
			value = UINT32_MAX;
	}
	*out = (uint32_t)value;
	return true;
}
