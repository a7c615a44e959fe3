/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Request-Line and Status-Line (RFC 3261 7.1, 7.2). A line that ends in SIP/digits.digits is a request,
 * right or wrong; one that begins with SIP/ is a response, and a wrong response is garbage.
 */
#include "dataplane/sip/start.h"
#include "dataplane/sip/chars.h"

static const struct str methods[METHOD_COUNT] = {
#define METHOD(name, text) [METHOD_##name] = { text, sizeof(text) - 1 },
#include "conf/methods.def"
#undef METHOD
};

enum method sip_method(struct str token)
{
	for (unsigned i = METHOD_OTHER + 1; i < METHOD_COUNT; i++)
		if (methods[i].n == token.n && memcmp(methods[i].p, token.p, token.n) == 0)
			return (enum method)i;
	return METHOD_OTHER;
}

struct str sip_method_text(enum method method)
{
	return methods[method];
}

static bool status_line(struct sip_msg *m, uint32_t end)
{
	const char *b = m->base;
	unsigned status;

	/* "SIP/2.0 100", then the end or a space and a reason phrase that may be empty */
	if (end < 11 || !sip_same(b, "sip/2.0 ", 8) || (end > 11 && b[11] != ' '))
		return false;
	for (uint32_t p = 8; p < 11; p++)
		if (!sip_is_digit(b[p]))
			return false;
	status = (unsigned)((b[8] - '0') * 100 + (b[9] - '0') * 10 + (b[10] - '0'));
	if (status < 100 || status >= 700)
		return false;
	m->status = (uint16_t)status;
	return true;
}

/* Is [p, end) a SIP-Version (RFC 3261 7.1)? */
static bool is_version(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	uint32_t dot;

	if (end - p < 7 || !sip_same(m->base + p, "sip/", 4))
		return false;
	dot = sip_skip_digits(m, p + 4, end);
	return dot > p + 4 && dot + 1 < end && m->base[dot] == '.' && sip_skip_digits(m, dot + 1, end) == end;
}

/* Where the version of a Request-Line begins. 0: it has none. Sets m->fault for a wrong one. */
static uint32_t version_start(struct sip_msg *m, uint32_t end)
{
	const char *b = m->base;
	uint32_t clean, p;

	if (end > 8 && memcmp(b + end - 8, " SIP/2.0", 8) == 0)
		return end - 7;
	clean = sip_trim(m, 0, end).len;
	for (p = clean; p > 0 && b[p - 1] != ' ';)
		p--;
	if (!is_version(m, p, clean))
		return 0;
	if (clean != end)
		m->fault = SIP_FAULT_START_LINE;
	else if (clean - p != 7 || !sip_same(b + p, "sip/2.0", 7))
		m->fault = SIP_FAULT_VERSION;
	return p;
}

bool sip_start_line(struct sip_msg *m, uint32_t end)
{
	const char *b = m->base;
	uint32_t method, version;

	if ((b[0] | 0x20) == 's' && end >= 4 && sip_same(b, "sip/", 4))
		return status_line(m, end);
	method = sip_skip(m, 0, end, &sip_token);
	if (method == 0 || method == end || b[method] != ' ')
		return false;
	version = version_start(m, end);
	if (version == 0)
		return false;
	m->is_request = 1;
	m->method_text = sip_span(0, method);
	m->method = (uint8_t)sip_method((struct str){ b, method });
	if (version > method + 2)
		m->uri = sip_span(method + 1, version - 1);
	else
		m->fault = SIP_FAULT_START_LINE;
	return true;
}
