/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes through the whole SIP room: scan in every variant, all decoders, check, edits, reply. Besides
 * what the sanitizers see, it aborts if variants differ, a span leaves the message, a change does more than
 * it says, or a reply is no clean message. A libFuzzer target; test_fuzz.c replays a corpus through it.
 */
#include "tests/sip/fuzz_sip.h"
#include "dataplane/sip/sip.h"

#include <stddef.h>
#include <stdlib.h>

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void inside(const struct sip_msg *m, struct sip_span s)
{
	must((uint32_t)s.off + s.len <= m->len);
}

static void same(const struct sip_msg *a, const struct sip_msg *b)
{
	must(memcmp(a, b, offsetof(struct sip_msg, last)) == 0);
	must(memcmp(a->count, b->count, sizeof(a->count)) == 0);
	must(memcmp(a->row, b->row, a->n_rows * sizeof(a->row[0])) == 0);
}

static void check_rows(const struct sip_msg *m)
{
	uint32_t past = m->headers;

	must(m->headers <= m->body && m->body <= m->len && m->n_rows <= LIMIT_ROWS);
	for (unsigned i = 0; i < m->n_rows; i++) {
		const struct sip_row *row = &m->row[i];

		must(row->off >= past && row->off < row->value && row->value <= row->end &&
		     row->end <= m->body);
		must(m->base[row->value - 1] == ':');
		must(row->next == SIP_NO_ROW || (row->next > i && m->row[row->next].id == row->id));
		past = row->end;
	}
	for (unsigned id = 1; id < SIP_HDR_COUNT; id++) {
		unsigned n = 0;

		for (uint8_t i = m->first[id]; i != SIP_NO_ROW; i = m->row[i].next)
			n++;
		must(n == m->count[id]);
	}
}

/* Every decoder on every value, whatever it is a value of. */
static void decode(const struct sip_msg *m)
{
	struct str resource[LIMIT_RESOURCES];

	for (unsigned id = 1; id < SIP_HDR_COUNT; id++) {
		struct sip_list it = sip_list_start(m, (enum sip_hdr)id);
		struct sip_number number;
		struct sip_party party;
		struct sip_span value;
		struct addr addr;
		struct sip_uri uri;
		struct sip_via via;
		struct sip_oc oc;

		while (sip_list_next(m, &it, &value) == SIP_NEXT_VALUE) {
			inside(m, value);
			must(value.len > 0);
			if (sip_party_parse(m, value, &party)) {
				inside(m, party.uri);
				inside(m, party.tag);
			}
			if (sip_uri_parse(m, value, &uri)) {
				inside(m, uri.user);
				inside(m, uri.host);
				inside(m, uri.params);
				inside(m, uri.maddr);
			}
			if (sip_via_parse(m, value, &via)) {
				inside(m, via.host);
				inside(m, via.branch);
				inside(m, via.rport);
				inside(m, via.received_param);
				must(via.value.off == value.off && via.value.len == value.len);
				sip_host_addr(sip_str(m, via.host), via.port, &addr);
				must(!sip_oc_parse(m, &via, &oc) || via.has_oc || !oc.present);
			}
		}
		sip_party_first(m, (enum sip_hdr)id, &party);
		if (sip_number_parse(m, (enum sip_hdr)id, &number))
			inside(m, number.text);
	}
	inside(m, sip_call_id(m));
	must(sip_retry_after(m) <= INT32_MAX && sip_q850(m) <= 127);
	for (unsigned i = sip_resources(m, resource, LIMIT_RESOURCES); i-- > 0;)
		must(resource[i].n > 2 && resource[i].p > m->base &&
		     resource[i].p + resource[i].n <= m->base + m->len);
}

/* Vias decoded on the way are those of a walk that looks for the end of each value first. */
static void walk_vias(const struct sip_msg *m)
{
	struct sip_list list = sip_list_start(m, SIP_HDR_VIA), it = list;
	struct sip_via want, via;
	struct sip_span value;
	enum sip_next next;

	do {
		next = sip_list_next(m, &list, &value);
		if (next == SIP_NEXT_VALUE && !sip_via_parse(m, value, &want))
			next = SIP_NEXT_BAD;
		must(sip_via_next(m, &it, &via) == next);
		if (next == SIP_NEXT_VALUE)
			must(it.row == list.row && it.pos == list.pos && via.has_oc == want.has_oc &&
			     via.port == want.port && via.rport_port == want.rport_port &&
			     str_eq(sip_str(m, via.host), sip_str(m, want.host)) &&
			     str_eq(sip_str(m, via.branch), sip_str(m, want.branch)) &&
			     str_eq(sip_str(m, via.received), sip_str(m, want.received)));
	} while (next == SIP_NEXT_VALUE);
}

static char out[80000], back[80000];

/* What a proxy does to a request and takes back from the response. */
static void edit(enum sip_simd simd, const struct sip_msg *m, const struct addr *src)
{
	static const struct str via = { "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKq\r\n", 44 };
	struct sip_edits on = { 0 }, off = { 0 };
	char text[SIP_RECEIVED_TEXT];
	struct sip_fields f, g;
	struct sip_msg o;
	uint32_t n;

	sip_edits_add(&on, m->headers, 0, via);
	n = sip_apply(m, &on, out, sizeof(out));
	must(n == m->len + via.n);
	if (m->n_rows < LIMIT_ROWS && sip_scan(simd, out, n, &o) == SIP_GOOD) {
		must(sip_edits_pop(&o, SIP_HDR_VIA, 1, &off) == 1);
		must(sip_apply(&o, &off, back, sizeof(back)) == m->len);
		must(memcmp(back, m->base, m->len) == 0);
	}
	if (sip_check(m, &f) != SIP_FAULT_NONE)
		return;
	on = (struct sip_edits){ 0 };
	sip_edits_received(m, &f.via, src, text, &on);
	sip_edits_pop(m, SIP_HDR_ROUTE, 1, &on);
	must(!on.failed);
	n = sip_apply(m, &on, out, sizeof(out));
	must(n > 0 && sip_scan(simd, out, n, &o) == SIP_GOOD && sip_check(&o, &g) == SIP_FAULT_NONE);
	must(str_eq(sip_str(&o, g.call_id), sip_str(m, f.call_id)));
	must(str_eq(sip_str(&o, g.from.tag), sip_str(m, f.from.tag)));
	must(str_eq(sip_str(&o, g.via.branch), sip_str(m, f.via.branch)));
	must(!g.via.has_rport || g.via.rport_port == src->port);
}

/* What a client is told replaces what was there, and changes nothing else of the Via. */
static void tell(enum sip_simd simd, const struct sip_msg *m)
{
	static const struct str told = { ";oc=1;oc-seq=2.3", 16 };
	struct sip_edits edits = { 0 };
	struct sip_via via, after;
	struct sip_msg o;
	struct sip_oc oc;
	uint32_t n;

	if (!sip_via_top(m, &via))
		return;
	sip_edits_oc(m, &via, told, &edits);
	sip_edits_oc_below(m, &via, told, &edits);
	must(!edits.failed);
	n = sip_apply(m, &edits, out, sizeof(out));
	must(n > 0 && sip_scan(simd, out, n, &o) <= SIP_FAULTY && sip_via_top(&o, &after));
	must(str_eq(sip_str(&o, after.branch), sip_str(m, via.branch)) && after.port == via.port &&
	     str_eq(sip_str(&o, after.host), sip_str(m, via.host)) && after.has_rport == via.has_rport);
	if (edits.n < 5 && sip_oc_parse(&o, &after, &oc))
		must(oc.value == 1 && oc.seq == 230000 && !oc.has_validity);
}

static void reply(enum sip_simd simd, const struct sip_msg *m, const struct addr *src)
{
	struct sip_reply r = { 400, STR("No"), STR("tag"), { 0 }, *src };
	uint32_t n = sip_reply_write(m, &r, out, sizeof(out));
	struct sip_party to;
	struct sip_msg o;

	must(sip_unsupported(m, back, sizeof(back)) < sizeof(back));
	if (n == 0) {
		must(!m->is_request || m->method == METHOD_ACK || m->count[SIP_HDR_VIA] == 0);
		return;
	}
	must(sip_reply_write(m, &r, out, n - 1) == 0);
	must(sip_reply_write(m, &r, out, n) == n);
	if (sip_scan(simd, out, n, &o) != SIP_GOOD)
		must((o.fault == SIP_FAULT_NUL && m->fault != 0) || /* a reply adds Content-Length */
		     (o.fault == SIP_FAULT_TOO_MANY_HEADERS && m->n_rows == LIMIT_ROWS));
	must(o.status == 400 && o.count[SIP_HDR_VIA] == m->count[SIP_HDR_VIA]);
	if (sip_party_first(m, SIP_HDR_TO, &to))
		must(sip_party_first(&o, SIP_HDR_TO, &to) && to.tag.off);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct addr src = addr_v4(0x01020304, 5099);
	char *bytes = malloc(size ? size : 1);
	enum sip_verdict verdict;
	struct sip_msg m, other;

	if (size)
		memcpy(bytes, data, size);
	verdict = sip_scan(SIP_PLAIN, bytes, (uint32_t)size, &m);
	for (unsigned v = SIP_PLAIN + 1; v < SIP_SIMD_COUNT; v++) {
		if (!sip_simd_usable((enum sip_simd)v))
			continue;
		must(sip_scan((enum sip_simd)v, bytes, (uint32_t)size, &other) == verdict);
		if (verdict <= SIP_FAULTY)
			same(&m, &other);
	}
	if (verdict <= SIP_FAULTY) {
		check_rows(&m);
		decode(&m);
		walk_vias(&m);
		if (verdict == SIP_GOOD)
			edit(sip_simd_best(), &m, &src);
		reply(sip_simd_best(), &m, &src);
		if (verdict == SIP_GOOD)
			tell(sip_simd_best(), &m);
	}
	free(bytes);
	return 0;
}
