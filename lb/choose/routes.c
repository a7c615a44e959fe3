/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * First match over the routes in their order. One cache line per route; the first eight bytes of the number
 * are one masked comparison, which settles almost every route of a numbering plan. Any thread reads.
 */
#include "lb/choose/routes.h"

/* The first eight bytes of a slice, zero where it is shorter. */
static inline uint64_t head_of(struct str t)
{
	uint64_t head = 0;

	memcpy(&head, t.p ? t.p : "", t.n < 8 ? t.n : 8);
	return head;
}

static inline bool starts_with(struct str text, struct str start)
{
	return text.n >= start.n && memcmp(text.p, start.p, start.n) == 0;
}

static bool matches(const struct route *r, const struct lb_query *q, uint16_t peer, uint16_t pool)
{
	if (r->method != METHOD_COUNT && r->method != q->method)
		return false;
	if (r->from_peer != LB_NONE && r->from_peer != peer)
		return false;
	if (r->from_pool != LB_NONE && r->from_pool != pool)
		return false;
	if (r->number.n > 8 && !starts_with(q->number, r->number))
		return false;
	return r->host.n == 0 || str_eq_nocase(r->host, q->host);
}

const struct route *route_find(const struct lb_snapshot *s, const struct lb_query *q, uint16_t peer,
			       const struct gateway *from)
{
	uint64_t head = head_of(q->number);
	uint16_t pool = from ? from->pool : LB_NONE;

	for (const struct route *r = s->routes, *end = r + s->n_routes; r < end; r++) {
		if ((head & r->head_mask) == r->head && matches(r, q, peer, pool))
			return r;
	}
	return NULL;
}

void route_make(struct route *r, const struct lb_route_spec *spec, struct str number, struct str host)
{
	*r = (struct route){
		.head = head_of(number),
		.head_mask = number.n >= 8 ? UINT64_MAX : (UINT64_C(1) << number.n * 8) - 1,
		.number = number,
		.host = host,
		.from_peer = spec->from_peer,
		.from_pool = spec->from_pool,
		.pool = spec->pool,
		.answer = spec->answer,
		.method = spec->method,
	};
}

static const char *const reasons[700] = {
	[181] = "Call Is Being Forwarded",
	[300] = "Multiple Choices",
	[301] = "Moved Permanently",
	[302] = "Moved Temporarily",
	[305] = "Use Proxy",
	[380] = "Alternative Service",
	[400] = "Bad Request",
	[401] = "Unauthorized",
	[402] = "Payment Required",
	[403] = "Forbidden",
	[404] = "Not Found",
	[405] = "Method Not Allowed",
	[406] = "Not Acceptable",
	[407] = "Proxy Authentication Required",
	[408] = "Request Timeout",
	[410] = "Gone",
	[413] = "Request Entity Too Large",
	[414] = "Request-URI Too Long",
	[415] = "Unsupported Media Type",
	[416] = "Unsupported URI Scheme",
	[420] = "Bad Extension",
	[421] = "Extension Required",
	[423] = "Interval Too Brief",
	[433] = "Anonymity Disallowed",
	[480] = "Temporarily Unavailable",
	[481] = "Call/Transaction Does Not Exist",
	[482] = "Loop Detected",
	[483] = "Too Many Hops",
	[484] = "Address Incomplete",
	[485] = "Ambiguous",
	[486] = "Busy Here",
	[487] = "Request Terminated",
	[488] = "Not Acceptable Here",
	[491] = "Request Pending",
	[493] = "Undecipherable",
	[500] = "Server Internal Error",
	[501] = "Not Implemented",
	[502] = "Bad Gateway",
	[503] = "Service Unavailable",
	[504] = "Server Time-out",
	[505] = "Version Not Supported",
	[513] = "Message Too Large",
	[600] = "Busy Everywhere",
	[603] = "Decline",
	[604] = "Does Not Exist Anywhere",
	[606] = "Not Acceptable",
	[607] = "Unwanted",
	[608] = "Rejected",
};

const char *route_reason(uint16_t status)
{
	static const char *const classes[] = { "",
					       "Information",
					       "Success",
					       "Redirect",
					       "Request Failure",
					       "Server Failure",
					       "Global Failure" };

	return reasons[status] ? reasons[status] : classes[status / 100];
}
