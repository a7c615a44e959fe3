/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a message says about load and about its own importance: overload control in a Via (RFC 7339 4, RFC
 * 7415), Retry-After, Reason, Resource-Priority. Must stay true: a value that breaks its grammar says
 * nothing, it is never taken for a smaller or larger one; and no message is refused for any of it.
 */
#include "dataplane/sip/chars.h"

#define SEQ_WHOLE    12 /* digits before the point, at most (RFC 7339 9) */
#define SEQ_FRACTION 5  /* and behind it */
#define Q850_MOST    127
#define OC_PLACES    4 /* in one Via that are taken out */

/* The digits of `value` and nothing else. */
static bool number(const struct sip_msg *m, struct sip_span value, uint32_t *out)
{
	uint32_t end = (uint32_t)value.off + value.len;

	return value.len && sip_digits(m, value.off, end, out) == end;
}

/* 1*12DIGIT "." 1*5DIGIT. */
static bool sequence(const struct sip_msg *m, struct sip_span value, uint64_t *out)
{
	uint32_t p = value.off, end = p + value.len;
	uint32_t point = sip_skip_digits(m, p, end), whole = point - p, n = 0;
	uint64_t seq = 0;

	if (whole == 0 || whole > SEQ_WHOLE || point == end || m->base[point] != '.' ||
	    end - point - 1 > SEQ_FRACTION || end - point == 1)
		return false;
	for (; p < point; p++)
		seq = seq * 10 + (uint64_t)(m->base[p] - '0');
	for (p++; n < SEQ_FRACTION; p++, n++) {
		if (p < end && !sip_is_digit(m->base[p]))
			return false;
		seq = seq * 10 + (p < end ? (uint64_t)(m->base[p] - '0') : 0);
	}
	*out = seq;
	return true;
}

/* "loss,rate" with its quotes; without them, as some write a single one. */
static bool algorithms(const struct sip_msg *m, struct sip_span value, struct sip_oc *oc)
{
	uint32_t p = value.off, end = p + value.len;

	if (value.len >= 2 && m->base[p] == '"') {
		p++;
		end--;
	}
	while (true) {
		uint32_t from = sip_skip_ws(m, p, end), past = sip_skip(m, from, end, &sip_token);
		uint64_t word = sip_word(m, from, past);

		if (past == from || oc->n_algos == UINT8_MAX)
			return false;
		oc->n_algos++;
		oc->algos |= word == SIP_WORD("loss")   ? SIP_OC_LOSS
			     : word == SIP_WORD("rate") ? SIP_OC_RATE
							: SIP_OC_OTHER;
		p = sip_skip_ws(m, past, end);
		if (p == end)
			return true;
		if (m->base[p++] != ',')
			return false;
	}
}

/* One parameter whose name begins with "oc". Those of extensions are nobody's business. */
static bool take(const struct sip_msg *m, const struct sip_param *param, struct sip_oc *oc)
{
	struct str name = sip_str(m, sip_param_name(param));
	struct sip_span value = sip_param_value(param);

	if (name.n == 2) {
		bool again = oc->present;

		oc->present = 1;
		oc->has_value = value.off != 0;
		return !again && (!oc->has_value || number(m, value, &oc->value));
	}
	if (str_eq_nocase(name, STR("oc-algo")))
		return !oc->n_algos && algorithms(m, value, oc);
	if (str_eq_nocase(name, STR("oc-validity"))) {
		bool again = oc->has_validity;

		oc->has_validity = value.off != 0; /* the grammar allows it without a value */
		return !again && (!oc->has_validity || number(m, value, &oc->validity_ms));
	}
	if (str_eq_nocase(name, STR("oc-seq"))) {
		bool again = oc->has_seq;

		oc->has_seq = 1;
		return !again && sequence(m, value, &oc->seq);
	}
	return true;
}

/* Next parameter of a Via from *p on whose name begins with "oc". */
static bool next_oc(const struct sip_msg *m, struct sip_window *w, uint32_t *p, uint32_t end,
		    struct sip_param *param)
{
	while (sip_param_next(m, w, p, end, true, param) == SIP_NEXT_VALUE) {
		if (param->name_end - param->name >= 2 && sip_same(m->base + param->name, "oc", 2))
			return true;
	}
	return false;
}

/* Where the parameters of a Via begin: at the first ';', since nothing before may hold one. */
static uint32_t via_params(const struct sip_msg *m, const struct sip_via *via)
{
	return sip_find(m, via->value.off, (uint32_t)via->value.off + via->value.len, ';', ';');
}

bool sip_oc_parse(const struct sip_msg *m, const struct sip_via *via, struct sip_oc *oc)
{
	uint32_t end = (uint32_t)via->value.off + via->value.len, p = via_params(m, via);
	struct sip_window w = SIP_WINDOW;
	struct sip_param param;

	memset(oc, 0, sizeof(*oc));
	while (next_oc(m, &w, &p, end, &param)) {
		if (!take(m, &param, oc))
			return false;
	}
	return true;
}

/* True for the four parameters of RFC 7339 4. */
static bool is_oc(const struct sip_msg *m, struct sip_span name)
{
	struct str s = sip_str(m, name);

	return s.n == 2 || str_eq_nocase(s, STR("oc-algo")) || str_eq_nocase(s, STR("oc-validity")) ||
	       str_eq_nocase(s, STR("oc-seq"));
}

void sip_edits_oc(const struct sip_msg *m, const struct sip_via *via, struct str text, struct sip_edits *list)
{
	uint32_t end = (uint32_t)via->value.off + via->value.len, p = via_params(m, via);
	uint32_t from = 0, past = 0, places = 0; /* of parameters one behind the other */
	struct sip_window w = SIP_WINDOW;
	struct sip_param param;

	while (places < OC_PLACES && via->has_oc && next_oc(m, &w, &p, end, &param)) {
		if (!is_oc(m, sip_param_name(&param)))
			continue;
		if (past && past != param.from) {
			sip_edits_add(list, from, past - from, (struct str){ 0 });
			places++;
			past = 0;
		}
		from = past ? from : param.from;
		past = param.end;
	}
	if (past && places < OC_PLACES)
		sip_edits_add(list, from, past - from, (struct str){ 0 });
	if (text.n)
		sip_edits_add(list, end, 0, text);
}

void sip_edits_oc_below(const struct sip_msg *m, const struct sip_via *first, struct str text,
			struct sip_edits *list)
{
	struct sip_list it = sip_list_behind(m, SIP_HDR_VIA, first->value);
	struct sip_via via;

	while (list->n + OC_PLACES + 1u < LIMIT_EDITS && sip_via_next(m, &it, &via) == SIP_NEXT_VALUE) {
		sip_edits_oc(m, &via, text, list);
		text.n = 0;
	}
}

/* Past a comment in parentheses at p, which may hold others (RFC 3261 25.1); 0: it does not end. */
static uint32_t comment_end(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	uint32_t depth = 0;

	for (; p < end; p++) {
		char c = m->base[p];

		if (c == '\\')
			p++;
		else if (c == '(')
			depth++;
		else if (c == ')' && --depth == 0)
			return p + 1;
	}
	return 0;
}

uint32_t sip_retry_after(const struct sip_msg *m)
{
	const struct sip_row *row = sip_row_first(m, SIP_HDR_RETRY_AFTER);
	uint32_t from, p, seconds;

	if (!row || row->next != SIP_NO_ROW)
		return 0;
	from = sip_skip_ws(m, row->value, row->end);
	p = sip_digits(m, from, row->end, &seconds);
	if (p == from || seconds > INT32_MAX)
		return 0;
	p = sip_skip_ws(m, p, row->end);
	if (p < row->end && m->base[p] == '(') {
		p = comment_end(m, p, row->end);
		if (!p)
			return 0;
		p = sip_skip_ws(m, p, row->end);
	}
	return p == row->end || m->base[p] == ';' ? seconds : 0;
}

/* Cause of one Reason value, if its protocol is Q.850. */
static uint16_t cause_of(const struct sip_msg *m, struct sip_span value)
{
	uint32_t end = (uint32_t)value.off + value.len, cause;
	uint32_t p = sip_skip(m, value.off, end, &sip_token);
	struct sip_window w = SIP_WINDOW;
	struct sip_param param;

	if (!str_eq_nocase((struct str){ m->base + value.off, p - value.off }, STR("Q.850")))
		return 0;
	while (sip_param_next(m, &w, &p, end, false, &param) == SIP_NEXT_VALUE) {
		if (sip_word(m, param.name, param.name_end) == SIP_WORD("cause"))
			return number(m, sip_param_value(&param), &cause) && cause <= Q850_MOST
				       ? (uint16_t)cause
				       : 0;
	}
	return 0;
}

uint16_t sip_q850(const struct sip_msg *m)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_REASON);
	struct sip_span value;
	uint16_t cause = 0;

	while (!cause && sip_list_next(m, &it, &value) == SIP_NEXT_VALUE)
		cause = cause_of(m, value);
	return cause;
}

/* Both halves are tokens without a point (RFC 4412 3.1). */
static bool is_resource(const struct sip_msg *m, struct sip_span value)
{
	const char *b = m->base + value.off, *point = memchr(b, '.', value.len);

	return point && point > b && point + 1 < b + value.len &&
	       !memchr(point + 1, '.', (size_t)(b + value.len - point - 1)) &&
	       sip_skip(m, value.off, (uint32_t)value.off + value.len, &sip_token) ==
		       (uint32_t)value.off + value.len;
}

unsigned sip_resources(const struct sip_msg *m, struct str *out, unsigned max)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_RESOURCE_PRIORITY);
	struct sip_span value;
	unsigned n = 0;

	while (n < max && sip_list_next(m, &it, &value) == SIP_NEXT_VALUE) {
		if (is_resource(m, value))
			out[n++] = sip_str(m, value);
	}
	return n;
}
