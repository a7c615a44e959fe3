/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The configuration reference as a manual page: takes the Markdown that conf_schema_markdown() writes and
 * turns it into scdoc's language, so that both say the same. Knows what that text uses and no more: headings,
 * tables with six columns, lists, paragraphs, `code`, **bold**, *emphasis*.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "docs/scdoc.h"

#define CELLS 6

/* Inline marks; what scdoc would take for its own is escaped. */
static void print_inline(FILE *out, const char *text, size_t n)
{
	bool code = false;

	for (size_t i = 0; i < n; i++) {
		if (text[i] == '`') {
			code = !code;
			fputc('*', out);
		} else if (!code && text[i] == '*') {
			/* **bold** is *bold*, *emphasis* is _emphasis_. */
			bool bold = i + 1 < n && text[i + 1] == '*';

			fputc(bold ? '*' : '_', out);
			i += bold;
		} else {
			if (strchr("*_\\", text[i]))
				fputc('\\', out);
			fputc(text[i], out);
		}
	}
}

/* Cuts "| a | b |" into cells. Returns their number, at most CELLS. */
static int split_row(const char *line, size_t n, const char *cell[CELLS], size_t len[CELLS])
{
	int cells = 0;
	size_t i = 1, start;

	while (i < n && cells < CELLS) {
		while (i < n && line[i] == ' ')
			i++;
		start = i;
		while (i < n && line[i] != '|')
			i++;
		cell[cells] = line + start;
		len[cells] = i - start;
		while (len[cells] && cell[cells][len[cells] - 1] == ' ')
			len[cells]--;
		cells++;
		i++;
	}
	return cells;
}

/* key | type | default | range | change | meaning */
static void print_row(FILE *out, const char *line, size_t n)
{
	const char *cell[CELLS];
	size_t len[CELLS];

	if (line[1] == '-' || split_row(line, n, cell, len) < CELLS || !strncmp(cell[0], "key", 3))
		return;
	print_inline(out, cell[0], len[0]);
	fputs(" (", out);
	print_inline(out, cell[1], len[1]);
	if (len[3]) {
		fputs(", ", out);
		print_inline(out, cell[3], len[3]);
	}
	fputs(cell[2][0] == '`' ? "; default " : "; ", out);
	print_inline(out, cell[2], len[2]);
	fputs("; ", out);
	print_inline(out, cell[4], len[4]);
	fputs(")\n\t", out);
	print_inline(out, cell[5], len[5]);
	fputs(".\n\n", out);
}

static void print_line(FILE *out, const char *line, size_t n)
{
	if (n > 3 && !memcmp(line, "## ", 3)) {
		fputs("# ", out);
		for (size_t i = 3; i < n; i++)
			fputc(line[i] >= 'a' && line[i] <= 'z' ? line[i] - 'a' + 'A' : line[i], out);
		fputc('\n', out);
	} else if (n && line[0] == '|') {
		print_row(out, line, n);
	} else if (!(n && (line[0] == '#' || line[0] == '<'))) {
		print_inline(out, line, n);
		fputc('\n', out);
	}
}

int docs_config_scdoc(FILE *out)
{
	char *text = NULL, *end;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);
	int rc = f ? conf_schema_markdown(f) : -ENOMEM;

	if (f && fclose(f))
		rc = -ENOMEM;
	fputs("weir.yaml(5)\n\n"
	      "; SPDX-License-Identifier: BSD-3-Clause\n"
	      "; Generated from conf/schema.c by `ninja -C build docs`. Do not edit.\n\n"
	      "# NAME\n\nweir.yaml - configuration of weir\n\n# DESCRIPTION\n",
	      out);
	for (char *line = text; !rc && line && *line; line = end + 1) {
		end = strchr(line, '\n');
		if (!end)
			break;
		print_line(out, line, (size_t)(end - line));
	}
	fputs("# SEE ALSO\n\n*weir*(8), *weirctl*(1)\n", out);
	free(text);
	return rc ? rc : ferror(out) ? -EIO : 0;
}
