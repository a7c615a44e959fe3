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
		if (!sip_is(b[p], SIP_C_DIGIT))
			return false;
	status = (unsigned)((b[8] - '0') * 100 + (b[9] - '0') * 10 + (b[10] - '0'));
	if (status < 100 || status >= 700)
		return false;
	m->status = (uint16_t)status;
	return true;
}

/* SIP-Version (RFC 3261 7.1) at [p, end)? */
static bool is_version(const char *b, uint32_t p, uint32_t end)
{
	if (end - p < 7 || !sip_same(b + p, "sip/", 4))
		return false;
	p += 4;
	for (int part = 0; part < 2; part++) {
		uint32_t past = sip_skip(b, p, end, SIP_C_DIGIT);

		if (past == p)
			return false;
		if (part == 1)
			return past == end;
		if (past == end || b[past] != '.')
			return false;
		p = past + 1;
	}
	return false;
}

bool sip_start_line(struct sip_msg *m, uint32_t end)
{
	const char *b = m->base;
	uint32_t method_end, uri_end;

	if (end >= 4 && sip_same(b, "sip/", 4))
		return status_line(m, end);
	method_end = sip_skip(b, 0, end, SIP_C_TOKEN);
	if (method_end == 0 || method_end == end || b[method_end] != ' ')
		return false;
	if (sip_rtrim(b, 0, end) != end) {
		end = sip_rtrim(b, 0, end);
		m->fault = SIP_FAULT_START_LINE;
	}
	for (uri_end = end; uri_end > method_end && b[uri_end - 1] != ' ';)
		uri_end--;
	if (!is_version(b, uri_end, end))
		return false;
	if (!sip_same(b + uri_end, "sip/2.0", end - uri_end > 7 ? 8 : 7))
		m->fault = SIP_FAULT_VERSION;
	m->is_request = 1;
	m->method_text = sip_span(0, method_end);
	m->method = (uint8_t)sip_method((struct str){ b, method_end });
	if (uri_end - 1 > method_end + 1u)
		m->uri = sip_span(method_end + 1, uri_end - 1);
	else
		m->fault = SIP_FAULT_START_LINE;
	return true;
}
