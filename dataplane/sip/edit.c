/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes to a message as a short sorted list, applied once by copy.
 * Must stay true: edits never overlap, and at one offset all insertions come before the deletion.
 */
#include "dataplane/sip/edit.h"
#include "dataplane/sip/chars.h"

void sip_edits_add(struct sip_edits *list, uint32_t off, uint32_t del, struct str text)
{
	uint32_t at = list->n;

	if (at == LIMIT_EDITS || off + del > UINT16_MAX) {
		list->failed = 1;
		return;
	}
	while (at > 0 &&
	       (list->e[at - 1].off > off || (del == 0 && list->e[at - 1].off == off && list->e[at - 1].del)))
		at--;
	if ((at > 0 && (uint32_t)list->e[at - 1].off + list->e[at - 1].del > off) ||
	    (at < list->n && off + del > list->e[at].off)) {
		list->failed = 1;
		return;
	}
	memmove(&list->e[at + 1], &list->e[at], (list->n - at) * sizeof(list->e[0]));
	list->e[at] = (struct sip_edit){ (uint16_t)off, (uint16_t)del, text };
	list->n++;
}

unsigned sip_edits_pop(const struct sip_msg *m, enum sip_hdr id, unsigned n, struct sip_edits *list)
{
	struct sip_list it = sip_list_start(m, id);
	unsigned taken = 0;

	while (taken < n && it.row != SIP_NO_ROW) {
		const struct sip_row *row = &m->row[it.row];
		uint32_t here = it.row;
		struct sip_span value;
		unsigned in_row = 0;

		while (taken + in_row < n && it.row == here) {
			if (sip_list_next(m, &it, &value) != SIP_NEXT_VALUE)
				return taken;
			in_row++;
		}
		if (it.row ==
		    here) /* values are left: keep the name, and the separator goes with the taken */
			sip_edits_add(list, row->value, it.pos - row->value, (struct str){ 0 });
		else
			sip_edits_add(list, row->off, (uint32_t)row->end + 2 - row->off, (struct str){ 0 });
		taken += in_row;
	}
	return taken;
}

bool sip_edits_pop_last(const struct sip_msg *m, enum sip_hdr id, struct sip_edits *list)
{
	struct sip_list it = { m->last[id], 0 };
	const struct sip_row *row;
	struct sip_span value;
	uint32_t keep = 0; /* end of the value before, 0: there is none in the row */

	if (m->first[id] == SIP_NO_ROW)
		return false;
	row = &m->row[it.row];
	while (sip_list_next(m, &it, &value) == SIP_NEXT_VALUE) {
		if (it.row == SIP_NO_ROW) {
			uint32_t from = keep ? keep : row->off;
			uint32_t to = keep ? row->end : row->end + 2u;

			sip_edits_add(list, from, to - from, (struct str){ 0 });
			return true;
		}
		keep = (uint32_t)value.off + value.len;
	}
	return false;
}

void sip_edits_received(const struct sip_msg *m, const struct sip_via *via, const struct addr *src,
			char text[SIP_RECEIVED_TEXT], struct sip_edits *list)
{
	static const struct str rport = { ";rport=", 7 }, received = { ";received=", 10 };
	struct addr sent_by;
	uint32_t end = (uint32_t)via->value.off + via->value.len, n = 0;
	uint32_t at = via->received_param.len ? via->received_param.off : end, del = via->received_param.len;
	bool note = via->has_rport;
	char *p = text;

	if (via->has_rport) {
		memcpy(text, rport.p, rport.n);
		n = rport.n + sip_number_text(src->port, text + rport.n);
		if (!del && (uint32_t)via->rport.off + via->rport.len == end) { /* one behind the other */
			at = via->rport.off;
			del = via->rport.len;
		} else {
			sip_edits_add(list, via->rport.off, via->rport.len, (struct str){ text, n });
			p += n;
			n = 0;
		}
	} else {
		note = !sip_host_addr(sip_str(m, via->host), 0, &sent_by) || !addr_same_ip(&sent_by, src);
	}
	if (note) {
		memcpy(p + n, received.p, received.n);
		n += received.n;
		n += sip_ip_text(src, p + n);
	}
	if (n || del)
		sip_edits_add(list, at, del, (struct str){ p, n });
}

void sip_put_number(struct sip_out *out, uint32_t n)
{
	/* where it does not fit into ten bytes, what always follows would not fit either */
	if (out->cap - out->n < 10)
		out->full = true;
	else
		out->n += sip_number_text(n, out->p + out->n);
}

void sip_put_edited(struct sip_out *out, const char *b, uint32_t from, uint32_t to,
		    const struct sip_edits *list)
{
	for (unsigned i = 0; i < list->n; i++) {
		const struct sip_edit *e = &list->e[i];

		if (e->off < from || e->off > to)
			continue;
		sip_put(out, b + from, e->off - from);
		sip_put_str(out, e->text);
		from = (uint32_t)e->off + e->del;
	}
	if (from < to)
		sip_put(out, b + from, to - from);
}

uint32_t sip_apply(const struct sip_msg *m, const struct sip_edits *list, char *out, uint32_t cap)
{
	struct sip_out o = { .p = out, .cap = cap };
	const struct sip_edit *last = list->n ? &list->e[list->n - 1] : NULL;

	if (list->failed || (last && (uint32_t)last->off + last->del > m->len))
		return 0;
	sip_put_edited(&o, m->base, 0, m->len, list);
	return o.full ? 0 : o.n;
}

void sip_end_row(struct sip_out *out, const struct sip_msg *m, uint32_t begin)
{
	for (uint32_t i = begin; m->folded && i < out->n; i++)
		if (out->p[i] == '\r' || out->p[i] == '\n')
			out->p[i] = ' ';
	sip_put(out, "\r\n", 2);
}

void sip_put_row(struct sip_out *out, const struct sip_msg *m, const struct sip_row *row,
		 const struct sip_edits *edits)
{
	uint32_t begin = out->n;

	if (edits)
		sip_put_edited(out, m->base, row->off, row->end, edits);
	else
		sip_put(out, m->base + row->off, (uint32_t)row->end - row->off);
	sip_end_row(out, m, begin);
}
