/* SPDX-License-Identifier: BSD-3-Clause */
/* The list of what is wrong with a file: adding with a place, sorting, printing. */
#include <stdarg.h>
#include <stdlib.h>

#include "conf/load.h"

#define TEXT_MAX 1024 /* bytes of one message */

/* A value or a path that was cut may end inside a character: no JSON holds what is left of one. */
static void drop_parts_of_characters(char *text)
{
	const unsigned char *from = (const unsigned char *)text;
	char *to = text;

	while (*from != '\0') {
		size_t n = *from < 0x80 ? 1 : *from < 0xe0 ? 2 : *from < 0xf0 ? 3 : 4, have = 1;

		while (have < n && (from[have] & 0xc0) == 0x80)
			have++;
		if (have == n) {
			memmove(to, from, n);
			to += n;
		}
		from += have;
	}
	*to = '\0';
}

static void add(struct loader *l, bool warning, size_t line, size_t column, const char *path,
		const char *format, va_list args)
{
	struct conf_report *r = l->report;
	char text[TEXT_MAX];
	int n = snprintf(text, sizeof(text), "%s%s", path, path[0] != '\0' ? ": " : "");
	struct conf_message *messages;
	char *copy;

	vsnprintf(text + n, sizeof(text) - (size_t)n, format, args);
	drop_parts_of_characters(text);
	copy = strdup(text);
	if (copy != NULL && (r->n & (r->n - 1)) == 0) { /* grows at powers of two */
		messages = realloc(r->messages, (r->n > 0 ? 2 * r->n : 1) * sizeof(*messages));
		if (messages != NULL) {
			r->messages = messages;
		} else {
			free(copy);
			copy = NULL;
		}
	}
	if (copy == NULL) {
		l->no_memory = true;
		return;
	}
	r->messages[r->n++] = (struct conf_message){ (uint32_t)line, (uint32_t)column, warning, copy };
	if (warning)
		r->n_warnings++;
	else
		r->n_errors++;
}

void conf_report_add(struct loader *l, bool warning, size_t line, size_t column, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(l, warning, line, column, "", format, args);
	va_end(args);
}

void conf_fail_node(struct loader *l, const yaml_node_t *node, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add(l, false, node->start_mark.line + 1, node->start_mark.column + 1, l->path, format, args);
	va_end(args);
}

static int compare_marks(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	if (x->at != y->at)
		return (uintptr_t)x->at < (uintptr_t)y->at ? -1 : 1;
	return (int)x->item - (int)y->item;
}

void conf_marks_sort(struct loader *l)
{
	if (l->n_marks > 0)
		qsort(l->marks, l->n_marks, sizeof(*l->marks), compare_marks);
}

static const struct mark *find_mark(const struct loader *l, const void *at, bool item)
{
	const struct mark wanted = { .at = at, .item = item };

	if (l->n_marks == 0)
		return NULL;
	return bsearch(&wanted, l->marks, l->n_marks, sizeof(*l->marks), compare_marks);
}

const void *conf_given(const struct loader *l, const void *member, const void *other)
{
	return find_mark(l, member, false) != NULL ? member : other;
}

static void add_at(struct loader *l, bool warning, const void *at, bool item, const char *format,
		   va_list args)
{
	const struct mark *m = find_mark(l, at, item);
	size_t line = m != NULL ? m->node->start_mark.line + 1 : 0;
	size_t column = m != NULL ? m->node->start_mark.column + 1 : 0;

	add(l, warning, line, column, "", format, args);
}

void conf_fail_at(struct loader *l, const void *member, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_at(l, false, member, false, format, args);
	va_end(args);
}

void conf_fail_item(struct loader *l, const void *item, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_at(l, false, item, true, format, args);
	va_end(args);
}

void conf_warn_at(struct loader *l, const void *member, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_at(l, true, member, false, format, args);
	va_end(args);
}

void conf_warn_item(struct loader *l, const void *item, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_at(l, true, item, true, format, args);
	va_end(args);
}

size_t conf_item_line(const struct loader *l, const void *item)
{
	const struct mark *m = find_mark(l, item, true);

	return m != NULL ? m->node->start_mark.line + 1 : 0;
}

static int compare_messages(const void *a, const void *b)
{
	const struct conf_message *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	if (x->warning != y->warning)
		return (int)x->warning - (int)y->warning;
	return strcmp(x->text, y->text);
}

void conf_report_sort(struct conf_report *report)
{
	if (report->n > 0)
		qsort(report->messages, report->n, sizeof(*report->messages), compare_messages);
}

void conf_report_print(const struct conf_report *report, FILE *out)
{
	for (uint32_t i = 0; i < report->n; i++) {
		const struct conf_message *m = &report->messages[i];

		fputs(report->file, out);
		if (m->line > 0)
			fprintf(out, ":%u:%u", m->line, m->column);
		fprintf(out, ": %s%s\n", m->warning ? "warning: " : "", m->text);
	}
}

void conf_report_free(struct conf_report *report)
{
	for (uint32_t i = 0; i < report->n; i++)
		free((char *)report->messages[i].text);
	free(report->messages);
	free((char *)report->file);
	*report = (struct conf_report){ 0 };
}
