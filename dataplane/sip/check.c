/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * May this message be forwarded? The checks of RFC 3261 16.3 in order of cost, decoding on the way what the
 * path needs. Runs at the owner. Must stay true: a part that a proxy does not use is never a reason to
 * refuse.
 */
#include "dataplane/sip/chars.h"

#define MAX_FORWARDS_MAX 255u /* RFC 3261 20.22 */
#define SHORTEST_VIA     14u  /* bytes of "SIP/2.0/UDP a," */

static const struct {
	uint16_t status;
	struct str reason;
} faults[SIP_FAULT_COUNT] = {
#define FAULT(name, code, phrase) [SIP_FAULT_##name] = { code, { phrase, sizeof(phrase) - 1 } },
#include "dataplane/sip/faults.def"
#undef FAULT
};

uint16_t sip_fault_status(enum sip_fault fault)
{
	return faults[fault].status;
}

struct str sip_fault_reason(enum sip_fault fault)
{
	return faults[fault].reason;
}

/* Which headers a message must have, and which it may have once (RFC 3261 8.1.1, 20). */
static enum sip_fault check_rows(const struct sip_msg *m)
{
	const uint8_t *n = m->count;

	if (!n[SIP_HDR_VIA] || !n[SIP_HDR_FROM] || !n[SIP_HDR_TO] || !n[SIP_HDR_CALL_ID] || !n[SIP_HDR_CSEQ])
		return SIP_FAULT_MISSING_HEADER;
	if (n[SIP_HDR_FROM] > 1 || n[SIP_HDR_TO] > 1 || n[SIP_HDR_CALL_ID] > 1 || n[SIP_HDR_CSEQ] > 1 ||
	    n[SIP_HDR_MAX_FORWARDS] > 1 || n[SIP_HDR_MAX_BREADTH] > 1)
		return SIP_FAULT_DUPLICATE_HEADER;
	return SIP_FAULT_NONE;
}

/* More Via values than LIMIT_VIAS, a response's ours aside? Counted only where the rows are long enough. */
static bool too_many_vias(const struct sip_msg *m)
{
	const uint32_t most = m->is_request ? LIMIT_VIAS : LIMIT_VIAS + 1;
	struct sip_list it = sip_list_start(m, SIP_HDR_VIA);
	struct sip_span value;
	uint32_t bytes = 0, n = 0;

	for (uint8_t i = m->first[SIP_HDR_VIA]; i != SIP_NO_ROW; i = m->row[i].next)
		bytes += (uint32_t)(m->row[i].end - m->row[i].value) + 1;
	if (bytes < LIMIT_VIAS * SHORTEST_VIA)
		return false;
	while (n <= most && sip_list_next(m, &it, &value) == SIP_NEXT_VALUE)
		n++;
	return n > most;
}

/* Top Via; a branch must be more than the cookie (RFC 3261 8.1.1.7), but may be missing (RFC 2543). */
static bool check_via(const struct sip_msg *m, struct sip_via *via)
{
	static const char cookie[] = "z9hg4bk";

	if (!sip_via_top(m, via))
		return false;
	if (via->branch.off == 0)
		return true;
	return via->branch.len > 0 && !(via->branch.len == sizeof(cookie) - 1 &&
					sip_same(m->base + via->branch.off, cookie, sizeof(cookie) - 1));
}

/*
 * From and To. Of a response, and of a request in a dialog, no more is used than their tags: as a rule they
 * stand last, and then what is before them is not looked at.
 */
static enum sip_fault check_parties(const struct sip_msg *m, struct sip_fields *f)
{
	bool dialog = sip_tag_last(m, SIP_HDR_TO, &f->to), tags = dialog || !m->is_request;

	if (!(tags && sip_tag_last(m, SIP_HDR_FROM, &f->from)) && !sip_party_first(m, SIP_HDR_FROM, &f->from))
		return SIP_FAULT_FROM;
	if (!dialog && !sip_party_first(m, SIP_HDR_TO, &f->to))
		return SIP_FAULT_TO;
	return SIP_FAULT_NONE;
}

/* Call-ID in one piece (RFC 3261 25.1): with a fold in it, it is another one for whoever unfolds it. */
static bool check_call_id(const struct sip_msg *m, struct sip_span id)
{
	uint32_t end = (uint32_t)id.off + id.len;

	return id.len > 0 && (!m->folded || sip_find(m, id.off, end, '\r', '\n') == end);
}

/* The fields that requests and responses have in common. */
static enum sip_fault check_common(const struct sip_msg *m, struct sip_fields *f)
{
	enum sip_fault fault = check_rows(m);

	if (fault)
		return fault;
	if (too_many_vias(m))
		return SIP_FAULT_TOO_MANY_VIAS;
	if (!check_via(m, &f->via))
		return SIP_FAULT_VIA;
	f->call_id = sip_call_id(m);
	if (!check_call_id(m, f->call_id))
		return SIP_FAULT_CALL_ID;
	if (!sip_cseq_parse(m, &f->cseq))
		return SIP_FAULT_CSEQ;
	return check_parties(m, f);
}

/* Every Route value must be readable: one of them may be the next hop. */
static bool check_routes(const struct sip_msg *m, struct sip_fields *f)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_ROUTE);
	struct sip_party route;
	struct sip_span value;
	enum sip_next next;

	while ((next = sip_list_next(m, &it, &value)) == SIP_NEXT_VALUE) {
		if (!sip_party_parse(m, value, &route))
			return false;
		if (f->n_routes < SIP_FIRST_ROUTES)
			f->route[f->n_routes++] = route.uri;
	}
	return next == SIP_NEXT_END;
}

static enum sip_fault check_request(const struct sip_msg *m, struct sip_fields *f)
{
	if (f->cseq.method != m->method ||
	    (m->method == METHOD_OTHER &&
	     !str_eq(sip_str(m, f->cseq.method_text), sip_str(m, m->method_text))))
		return m->method == METHOD_OTHER ? SIP_FAULT_METHOD_UNKNOWN : SIP_FAULT_METHOD_MISMATCH;
	if (!sip_uri_parse(m, m->uri, &f->uri) || f->uri.has_headers)
		return SIP_FAULT_URI;
	if (f->uri.scheme == SIP_SCHEME_OTHER)
		return SIP_FAULT_SCHEME;
	if (!sip_number_parse(m, SIP_HDR_MAX_FORWARDS, &f->max_forwards) ||
	    f->max_forwards.value > MAX_FORWARDS_MAX)
		return SIP_FAULT_MAX_FORWARDS;
	if (!sip_number_parse(m, SIP_HDR_MAX_BREADTH, &f->max_breadth))
		return SIP_FAULT_MAX_BREADTH;
	if (m->first[SIP_HDR_ROUTE] != SIP_NO_ROW && !check_routes(m, f))
		return SIP_FAULT_ROUTE;
	if (f->max_forwards.present && f->max_forwards.value == 0)
		return SIP_FAULT_TOO_MANY_HOPS;
	/* RFC 5393 5.3.3.1; in a CANCEL the header means nothing, an ACK goes where its INVITE went */
	if (f->max_breadth.present && f->max_breadth.value == 0 && m->method != METHOD_ACK &&
	    m->method != METHOD_CANCEL)
		return SIP_FAULT_BREADTH;
	/* ACK and CANCEL cannot be refused for an extension (RFC 3261 8.2.2.3) */
	if (m->count[SIP_HDR_PROXY_REQUIRE] && m->method != METHOD_ACK && m->method != METHOD_CANCEL)
		return SIP_FAULT_EXTENSION;
	return SIP_FAULT_NONE;
}

enum sip_fault sip_check(const struct sip_msg *m, struct sip_fields *f)
{
	enum sip_fault fault;

	memset(f, 0, sizeof(*f));
	fault = check_common(m, f);
	if (fault || !m->is_request)
		return fault;
	return check_request(m, f);
}

uint32_t sip_unsupported(const struct sip_msg *m, char *out, uint32_t cap)
{
	static const char name[] = "Unsupported: ";
	struct sip_list it = sip_list_start(m, SIP_HDR_PROXY_REQUIRE);
	struct sip_span tag;
	uint32_t n = 0;

	while (sip_list_next(m, &it, &tag) == SIP_NEXT_VALUE) {
		struct str lead = n ? STR(", ") : STR(name);

		/* an option tag is a token (RFC 3261 25.1); anything else would break our line */
		if (sip_skip(m, tag.off, (uint32_t)tag.off + tag.len, &sip_token) !=
		    (uint32_t)tag.off + tag.len)
			continue;
		if (cap - n < lead.n + tag.len + 2)
			return 0;
		memcpy(out + n, lead.p, lead.n);
		memcpy(out + n + lead.n, m->base + tag.off, tag.len);
		n += lead.n + tag.len;
	}
	if (n) {
		memcpy(out + n, "\r\n", 2);
		n += 2;
	}
	return n;
}
