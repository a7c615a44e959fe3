/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walk over the values of a header: its rows in order, and the comma list inside each (RFC 3261 7.3.1).
 * Must stay true: a comma in a quoted string or in < > does not separate.
 */
#include "dataplane/sip/chars.h"

struct sip_list sip_list_behind(const struct sip_msg *m, enum sip_hdr id, struct sip_span first)
{
	const struct sip_row *row = &m->row[m->first[id]];
	uint32_t p = sip_skip_ws(m, (uint32_t)first.off + first.len, row->end);

	if (p < row->end)
		return (struct sip_list){ .row = m->first[id], .pos = p + 1 };
	return (struct sip_list){ .row = row->next };
}

/* The value at p ends here: a comma, or end. 0: unbalanced quote or bracket. */
static uint32_t value_end(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	const char *b = m->base;

	while (p < end) {
		if (b[p] == ',')
			return p;
		if (b[p] == '"') {
			p = sip_quoted_end(m, p, end);
			if (!p)
				return 0;
		} else if (b[p] == '<') {
			p = sip_find(m, p, end, '>', '>') + 1;
			if (p > end)
				return 0;
		} else {
			p++;
		}
	}
	return end;
}

enum sip_next sip_list_next(const struct sip_msg *m, struct sip_list *it, struct sip_span *value)
{
	const struct sip_row *row;
	struct sip_span span;
	uint32_t p, end;

	if (it->row == SIP_NO_ROW)
		return SIP_NEXT_END;
	row = &m->row[it->row];
	p = it->pos ? it->pos : row->value;
	end = row->end;
	if (sip_find(m, p, end, ',', ',') < end)
		end = value_end(m, p, end);
	span = end ? sip_trim(m, p, end) : (struct sip_span){ 0 };
	if (span.len == 0) {
		it->row = SIP_NO_ROW;
		return SIP_NEXT_BAD;
	}
	if (end < row->end) {
		it->pos = end + 1;
	} else {
		it->row = row->next;
		it->pos = 0;
	}
	*value = span;
	return SIP_NEXT_VALUE;
}
