/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables and figures for people. Widths are counted in characters, not bytes: UTF-8 continuation bytes take
 * no column. Running out of memory loses cells, never the program.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/table.h"

struct cell {
	char *text;
	enum tint tint;
};

struct table {
	const struct column *columns;
	size_t n_columns;
	struct cell *cells; /* row by row */
	size_t n, room;
};

struct table *table_new(const struct column *columns)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	while (columns[t->n_columns].title)
		t->n_columns++;
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i].text);
	free(t->cells);
	free(t);
}

/* What a terminal would act on becomes '?'. */
static void harmless(char *text)
{
	for (unsigned char *p = (unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
}

void table_cell(struct table *t, enum tint tint, const char *fmt, ...)
{
	struct cell *more;
	char *text;
	va_list ap;
	int n;

	if (!t)
		return;
	if (t->n == t->room) {
		more = realloc(t->cells, (t->room * 2 + 64) * sizeof(*more));
		if (!more)
			return;
		t->cells = more;
		t->room = t->room * 2 + 64;
	}
	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	harmless(text);
	t->cells[t->n++] = (struct cell){ .text = text, .tint = tint };
}

/* Characters of UTF-8 text. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

void tinted(FILE *out, bool color, enum tint tint, const char *text)
{
	static const char *const codes[] = {
		[TINT_GOOD] = "32", [TINT_WARN] = "33", [TINT_BAD] = "31;1", [TINT_TITLE] = "1"
	};

	if (color && tint != TINT_NONE)
		fprintf(out, "\033[%sm%s\033[0m", codes[tint], text);
	else
		fputs(text, out);
}

static void print_cell(FILE *out, bool color, enum tint tint, const char *text, size_t pad, bool right,
		       bool last)
{
	if (right)
		fprintf(out, "%*s", (int)pad, "");
	tinted(out, color, tint, text);
	if (!right && !last)
		fprintf(out, "%*s", (int)pad, "");
	fputs(last ? "\n" : "  ", out);
}

void table_print(const struct table *t, FILE *out, bool color)
{
	size_t width[32], w;

	if (!t || t->n_columns > 32)
		return;
	for (size_t c = 0; c < t->n_columns; c++) {
		width[c] = width_of(t->columns[c].title);
		for (size_t i = c; i < t->n; i += t->n_columns) {
			w = width_of(t->cells[i].text);
			if (w > width[c])
				width[c] = w;
		}
	}
	for (size_t c = 0; c < t->n_columns; c++)
		print_cell(out, color, TINT_TITLE, t->columns[c].title,
			   width[c] - width_of(t->columns[c].title), t->columns[c].right,
			   c + 1 == t->n_columns);
	for (size_t i = 0; i < t->n; i++)
		print_cell(out, color, t->cells[i].tint, t->cells[i].text,
			   width[i % t->n_columns] - width_of(t->cells[i].text),
			   t->columns[i % t->n_columns].right, i % t->n_columns + 1 == t->n_columns);
}

const char *figure_rate(char text[FIGURE], double per_s)
{
	snprintf(text, FIGURE, per_s > 0 && per_s < 99.95 ? "%.1f" : "%.0f", per_s);
	return text;
}

const char *figure_ms(char text[FIGURE], double ms)
{
	if (ms < 0.9995)
		snprintf(text, FIGURE, "%.0f us", ms * 1000);
	else if (ms < 999.5)
		snprintf(text, FIGURE, "%.*f ms", ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
	else
		snprintf(text, FIGURE, "%.2f s", ms / 1000);
	return text;
}

const char *figure_age(char text[FIGURE], double s)
{
	uint64_t n = s > 0 ? (uint64_t)s : 0;

	if (n < 60)
		snprintf(text, FIGURE, "%us", (unsigned int)n);
	else if (n < 3600)
		snprintf(text, FIGURE, "%um%02us", (unsigned int)(n / 60), (unsigned int)(n % 60));
	else if (n < 86400)
		snprintf(text, FIGURE, "%uh%02um", (unsigned int)(n / 3600), (unsigned int)(n / 60 % 60));
	else
		snprintf(text, FIGURE, "%ud%02uh", (unsigned int)(n / 86400), (unsigned int)(n / 3600 % 24));
	return text;
}

const char *figure_percent(char text[FIGURE], double part)
{
	snprintf(text, FIGURE, "%.1f%%", part * 100);
	return text;
}

const char *figure_bytes(char text[FIGURE], double bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	size_t u = 0;

	while (bytes >= 999.5 && u + 1 < sizeof(units) / sizeof(units[0])) {
		bytes /= 1000;
		u++;
	}
	snprintf(text, FIGURE, "%.*f %s", u && bytes < 99.95 ? 1 : 0, bytes, units[u]);
	return text;
}
