/* SPDX-License-Identifier: BSD-3-Clause */
/* See text.h. */
#include "bench/kit/text.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct {
	const char *name;
	enum kit_header header;
} names[] = {
	{ "via", KIT_VIA },
	{ "v", KIT_VIA },
	{ "from", KIT_FROM },
	{ "f", KIT_FROM },
	{ "to", KIT_TO },
	{ "t", KIT_TO },
	{ "call-id", KIT_CALL_ID },
	{ "i", KIT_CALL_ID },
	{ "cseq", KIT_CSEQ },
	{ "record-route", KIT_RECORD_ROUTE },
	{ "contact", KIT_CONTACT },
	{ "m", KIT_CONTACT },
	{ "retry-after", KIT_RETRY_AFTER },
};

bool kit_is(struct kit_text text, const char *word)
{
	return text.n == strlen(word) && strncasecmp(text.p, word, text.n) == 0;
}

static struct kit_text between(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	while (p < end && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return (struct kit_text){ p, (uint32_t)(end - p) };
}

/* Everything in front of the first `c` that is not in quotes or <>; the rest, without it, stays in *text. */
static struct kit_text cut(struct kit_text *text, char c)
{
	bool quoted = false, angled = false;
	struct kit_text head = *text;
	uint32_t i;

	for (i = 0; i < text->n; i++) {
		char here = text->p[i];

		if (here == '"')
			quoted = !quoted;
		else if (!quoted && (here == '<' || here == '>'))
			angled = here == '<';
		else if (!quoted && !angled && here == c)
			break;
	}
	head.n = i;
	i += i < text->n;
	text->p += i;
	text->n -= i;
	return between(head.p, head.p + head.n);
}

struct kit_text kit_param(struct kit_text text, const char *name)
{
	struct kit_text rest = text;

	cut(&rest, ';');
	while (rest.n) {
		struct kit_text value = cut(&rest, ';'), key = cut(&value, '=');

		if (kit_is(key, name))
			return between(value.p, value.p + value.n);
	}
	return (struct kit_text){ NULL, 0 };
}

struct kit_text kit_uri(struct kit_text value)
{
	const char *open = memchr(value.p, '<', value.n), *close;

	if (!open)
		return cut(&value, ';');
	close = memchr(open, '>', value.n - (uint32_t)(open - value.p));
	return close ? between(open + 1, close) : (struct kit_text){ value.p, 0 };
}

struct kit_text kit_user(struct kit_text uri)
{
	const char *colon = memchr(uri.p, ':', uri.n), *at = memchr(uri.p, '@', uri.n);

	if (!colon || strncasecmp(uri.p, "sip", 3) != 0)
		return uri;
	if (!at)
		return (struct kit_text){ uri.p, 0 };
	return (struct kit_text){ colon + 1, (uint32_t)(at - colon - 1) };
}

uint32_t kit_number(struct kit_text text)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < text.n && text.p[i] >= '0' && text.p[i] <= '9'; i++) {
		n = 10 * n + (uint64_t)(text.p[i] - '0');
		if (n > UINT32_MAX)
			n = UINT32_MAX;
	}
	return (uint32_t)n;
}

uint64_t kit_hash(struct kit_text text)
{
	uint64_t h = 0xcbf29ce484222325;

	for (uint32_t i = 0; i < text.n; i++)
		h = (h ^ (uint8_t)text.p[i]) * 0x100000001b3;
	h ^= h >> 32;
	return h * 0x9e3779b97f4a7c15;
}

static bool read_start(struct kit_sip *m, struct kit_text line)
{
	struct kit_text first = cut(&line, ' ');

	if (kit_is(first, "SIP/2.0")) {
		m->status = (uint16_t)kit_number(cut(&line, ' '));
		return m->status >= 100 && m->status <= 699;
	}
	m->method = first;
	m->uri = cut(&line, ' ');
	return kit_is(line, "SIP/2.0") && m->method.n && m->uri.n;
}

/* The first row of a kind fills the field; Via values after the first, and rows of no interest, stay rows. */
static void fill(struct kit_sip *m, const struct kit_row *row)
{
	struct kit_text v = row->value;

	switch (row->header) {
	case KIT_VIA:
		if (!m->via.p) {
			m->via = cut(&v, ',');
			m->branch = kit_param(m->via, "branch");
		}
		break;
	case KIT_FROM:
		m->from = v;
		break;
	case KIT_TO:
		m->to = v;
		m->to_tag = kit_param(v, "tag");
		break;
	case KIT_CALL_ID:
		m->call_id = v;
		break;
	case KIT_CSEQ:
		m->cseq = kit_number(cut(&v, ' '));
		m->method = m->status ? between(v.p, v.p + v.n) : m->method;
		break;
	case KIT_CONTACT:
		m->contact = v;
		break;
	case KIT_RETRY_AFTER:
		m->retry_after = v;
		break;
	default:
		break;
	}
}

static bool read_row(struct kit_sip *m, struct kit_text line)
{
	struct kit_row *row = &m->row[m->n_rows++];
	struct kit_text value = line, name = cut(&value, ':');

	*row = (struct kit_row){ KIT_OTHER, line, between(value.p, value.p + value.n) };
	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (kit_is(name, names[i].name))
			row->header = names[i].header;
	fill(m, row);
	return name.n < line.n;
}

bool kit_sip_read(struct kit_sip *m, const char *data, uint32_t bytes)
{
	const char *p = data, *end = data + bytes, *eol;
	bool first = true, whole = false;

	memset(m, 0, offsetof(struct kit_sip, row));
	for (; (eol = memchr(p, '\r', (size_t)(end - p))) && eol + 1 < end && eol[1] == '\n'; p = eol + 2) {
		struct kit_text line = { p, (uint32_t)(eol - p) };

		whole = line.n == 0;
		if (whole)
			break;
		if (first ? !read_start(m, line) : m->n_rows == KIT_ROWS || !read_row(m, line))
			return false;
		first = false;
	}
	return whole && m->branch.n && m->from.n && m->to.n && m->call_id.n && m->method.n;
}

void kit_put(struct kit_writer *w, const char *p, uint32_t n)
{
	if (w->full || n >= w->room - w->n) {
		w->full = true;
		return;
	}
	memcpy(w->p + w->n, p, n);
	w->n += n;
}

void kit_say(struct kit_writer *w, const char *format, ...)
{
	va_list args;
	int n;

	if (w->full)
		return;
	va_start(args, format);
	n = vsnprintf(w->p + w->n, w->room - w->n, format, args);
	va_end(args);
	if (n < 0 || (uint32_t)n >= w->room - w->n)
		w->full = true;
	else
		w->n += (uint32_t)n;
}
