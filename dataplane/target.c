/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Request-URI and Route -> whom a request is for: which Route values are ours and what token they hold, what
 * comes next, and what number is called. Looks only. Runs on the worker that owns the message.
 * Must stay true: what routes, limits and records ask for is what leaves as Request-URI.
 */
#include "dataplane/worker.h"

/* Value of a hexadecimal digit; 16: it is none. */
static uint32_t hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a') + 10 : 16;
}

/* The character at *i, which is moved to its last byte where it is escaped (RFC 3261 25.1). */
static char unescaped(struct str s, uint32_t *i)
{
	uint32_t high, low;

	if (s.p[*i] != '%' || s.n - *i < 3)
		return s.p[*i];
	high = hex_digit(s.p[*i + 1]);
	low = hex_digit(s.p[*i + 2]);
	if (high > 15 || low > 15)
		return '%';
	*i += 2;
	return (char)(high << 4 | low);
}

/*
 * RFC 3966 3: "-", ".", "(" and ")" are for the eye only, and who calls a digit by its code calls the digit
 * (RFC 3261 19.1.4). Anything but a telephone number stays as it is. Copied to out only where there is
 * something to take away.
 */
static struct str bare_number(const struct sip_msg *m, struct sip_span user, char out[64])
{
	struct str s = sip_str(m, user);
	uint32_t end = 0, n = 0;

	while (end < s.n && ((s.p[end] >= '0' && s.p[end] <= '9') || s.p[end] == '+'))
		end++;
	if (end == s.n || s.p[end] == ';')
		return (struct str){ s.p, end };
	for (uint32_t i = 0; i < s.n && s.p[i] != ';'; i++) {
		char ch = unescaped(s, &i);

		if (ch == '-' || ch == '.' || ch == '(' || ch == ')')
			continue;
		if (((ch < '0' || ch > '9') && ch != '+') || n == 64)
			return s;
		out[n++] = ch;
	}
	return (struct str){ out, n };
}

/* A URI of ours as Record-Route carries it: names a listener and has lr. */
static bool is_our_route(const struct dp *dp, const struct sip_msg *m, const struct sip_uri *uri)
{
	return uri->lr && dp_listener_named(dp, sip_str(m, uri->host), uri->port) >= 0;
}

/* One value of the Route set: ours, or what comes next, or one behind that. */
static bool take_route(const struct dp *dp, struct dp_ctx *c, struct sip_span route, struct sip_uri *next)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_uri uri;

	if (!sip_uri_parse(m, route, &uri))
		return false;
	c->values++;
	c->last = route;
	if (c->values == c->pop + 1 && c->strict + c->pop < 2 && is_our_route(dp, m, &uri) &&
	    !(c->q.token.n && uri.user.off)) {
		c->pop++;
		if (!c->q.token.n)
			c->q.token = sip_str(m, uri.user);
	} else if (c->values == c->pop + 1) {
		c->route = route;
		*next = uri;
	}
	return true;
}

/*
 * Walks the Route set: how many values in front are ours, the token in them, and what comes next.
 * At most two are ours, one for each side, and one of them has no token (RFC 5658): a second token is that of
 * another time that the call came by. The first values have been decoded by sip_check().
 */
static bool walk_routes(const struct dp *dp, struct dp_ctx *c, struct sip_uri *next)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_list it = sip_list_start(m, SIP_HDR_ROUTE);
	struct sip_party party;
	struct sip_span value;

	for (uint8_t i = 0; i < c->f.n_routes; i++) {
		if (!take_route(dp, c, c->f.route[i], next))
			return false;
	}
	if (c->f.n_routes < SIP_FIRST_ROUTES)
		return true;
	for (uint32_t i = 0; sip_list_next(m, &it, &value) == SIP_NEXT_VALUE; i++) {
		if (i >= SIP_FIRST_ROUTES &&
		    (!sip_party_parse(m, value, &party) || !take_route(dp, c, party.uri, next)))
			return false;
	}
	return true;
}

/*
 * RFC 3261 16.4: a strict router moved our topmost Record-Route URI into the Request-URI and the target to
 * the end, where it is the target even if it names us. Our second one (RFC 5658) may still lead the Route
 * set.
 */
static void undo_strict_route(struct dp_ctx *c, struct sip_uri *next)
{
	const struct sip_msg *m = &c->msg->sip;

	if (c->pop == c->values)
		c->pop--;
	if (!sip_uri_parse(m, c->last, &c->f.uri) || c->f.uri.has_headers ||
	    c->f.uri.scheme == SIP_SCHEME_OTHER) {
		c->fault = SIP_FAULT_ROUTE;
		return;
	}
	if (c->values == c->pop + 1) {
		c->route = (struct sip_span){ 0 };
		*next = c->f.uri;
	}
}

/* A Route value of ours that is left is no place to send to: it is for the next time that this comes by. */
static void find_next(const struct dp *dp, struct dp_ctx *c, const struct sip_uri *next)
{
	const struct sip_msg *m = &c->msg->sip;
	const struct sip_uri *uri = c->route.off ? next : &c->f.uri;
	struct sip_span host = uri->maddr.off ? uri->maddr : uri->host;

	if (!host.off || (c->route.off && is_our_route(dp, m, uri)) ||
	    !sip_host_addr(sip_str(m, host), uri->port ? uri->port : DP_SIP_PORT, &c->q.next))
		c->q.next.port = 0;
}

/*
 * What a strict router gets as Request-URI is what is called, and so what routes, limits and records ask for:
 * whoever takes it there may be no router at all.
 */
static void displace(struct dp_ctx *c, const struct sip_uri *next)
{
	if (c->strict || !c->route.off || next->lr || c->msg->sip.uri.len > DP_STRICT_URI)
		return;
	if ((next->scheme != SIP_SCHEME_SIP && next->scheme != SIP_SCHEME_SIPS) || next->has_headers)
		c->fault = SIP_FAULT_ROUTE;
	c->displaced = 1;
	c->f.uri = *next;
}

void dp_query_target(const struct dp *dp, struct dp_ctx *c)
{
	const struct sip_msg *m = &c->msg->sip;
	struct sip_uri next = { 0 }, to;

	if (c->f.n_routes && is_our_route(dp, m, &c->f.uri)) {
		c->strict = 1;
		c->q.token = sip_str(m, c->f.uri.user);
	}
	if (c->f.n_routes && !walk_routes(dp, c, &next)) {
		c->fault = SIP_FAULT_ROUTE;
		return;
	}
	if (c->strict)
		undo_strict_route(c, &next);
	find_next(dp, c, &next);
	displace(c, &next);
	c->q.number = bare_number(m, c->f.uri.user, c->number);
	if (!c->q.number.n && !c->q.has_to_tag && sip_uri_parse(m, c->f.to.uri, &to))
		c->q.to_user = sip_str(m, to.user);
	c->q.host = sip_str(m, c->f.uri.host);
	c->q.to_us = !c->route.off && !c->strict && !c->f.uri.user.off &&
		     dp_listener_named(dp, c->q.host, c->f.uri.port) >= 0;
}
