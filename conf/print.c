/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema as text: a loaded config as YAML that loads again, and docs/config.md. Reads only. */
#include <ctype.h>
#include <errno.h>
#include <strings.h>

#include "conf/value.h"

static void print_section(FILE *out, const struct section *s, const char *in, unsigned int indent);

/* Whether YAML reads the plain text as that text, and not as signs of its own. */
static bool is_plain(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/+-:";
	size_t n = strlen(text);

	return n > 0 && strspn(text, plain) == n && text[0] != '-' && text[0] != ':' && text[n - 1] != ':' &&
	       strcmp(text, "null") != 0;
}

/* The same, and not as a number or a truth value either: "+82" is no 82, "0800" no 800. */
static bool is_plain_text(const char *text)
{
	static const char *const words[] = { "true", "false", "yes", "no", "on", "off", "y", "n" };

	for (size_t i = 0; i < COUNT_OF(words); i++)
		if (strcasecmp(text, words[i]) == 0)
			return false;
	return is_plain(text) && (isalpha((unsigned char)text[0]) || text[0] == '/');
}

static void print_quoted(FILE *out, const char *text, bool plain)
{
	if (plain) {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static void print_value(FILE *out, const struct field *f, const void *in)
{
	char text[VALUE_TEXT];

	if (f->kind == KIND_TEXT || f->kind == KIND_PATH) { /* may be longer than any other */
		print_quoted(out, *(const char *const *)in, is_plain_text(*(const char *const *)in));
		return;
	}
	conf_value_print(f, in, text, sizeof(text));
	print_quoted(out, text, conf_is_text(f->kind) ? is_plain_text(text) : is_plain(text));
}

static void print_scalars(FILE *out, const struct field *f, const char *in)
{
	const char *items = *(const char *const *)(in + f->offset);
	uint32_t n = *(const uint32_t *)(in + f->count_offset);

	fputc('[', out);
	for (uint32_t i = 0; i < n; i++) {
		fputs(i > 0 ? ", " : "", out);
		print_value(out, f, items + i * conf_value_size(f->kind));
	}
	fputs("]\n", out);
}

static void print_items(FILE *out, const struct field *f, const char *in, unsigned int indent)
{
	const char *items = *(const char *const *)(in + f->offset);
	uint32_t n = *(const uint32_t *)(in + f->count_offset);

	if (n == 0) {
		fputs(f->kind == KIND_MAP ? " {}\n" : " []\n", out);
		return;
	}
	fputc('\n', out);
	for (uint32_t i = 0; i < n; i++) {
		const char *item = items + i * f->section->size;

		fprintf(out, "%*s", indent, "");
		if (f->kind == KIND_MAP) {
			print_quoted(out, *(const char *const *)item,
				     is_plain_text(*(const char *const *)item));
			fputs(":\n", out);
		} else {
			fputs("-\n", out);
		}
		print_section(out, f->section, item, indent + 2);
	}
}

/* A field that says nothing: no value and no default, or a section of which that is true throughout. */
static bool is_empty(const struct field *f, const char *in)
{
	if (f->kind == KIND_SECTION) {
		for (unsigned int i = 0; i < f->section->n; i++)
			if (!is_empty(&f->section->fields[i], in + f->offset))
				return false;
		return true;
	}
	if (f->many || f->kind > KIND_SECTION)
		return *(const uint32_t *)(in + f->count_offset) == 0;
	return !conf_value_given(f, in + f->offset);
}

static void print_section(FILE *out, const struct section *s, const char *in, unsigned int indent)
{
	for (unsigned int i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];

		if (is_empty(f, in))
			continue;
		fprintf(out, "%*s%s:%s", indent, "", f->name, f->kind < KIND_SCALARS ? " " : "");
		if (f->kind == KIND_SECTION) {
			fputc('\n', out);
			print_section(out, f->section, in + f->offset, indent + 2);
		} else if (f->kind > KIND_SECTION) {
			print_items(out, f, in, indent + 2);
		} else if (f->many) {
			print_scalars(out, f, in);
		} else {
			print_value(out, f, in + f->offset);
			fputc('\n', out);
		}
	}
}

int conf_print(const struct conf *conf, FILE *out)
{
	print_section(out, &conf_root, (const char *)conf, 0);
	return ferror(out) ? -EIO : 0;
}

static void doc_row(FILE *out, const struct field *f)
{
	char type[VALUE_TEXT] = "", range[VALUE_TEXT] = "";

	if (f->kind < KIND_SCALARS)
		conf_value_doc(f, type, range, sizeof(type));
	else
		snprintf(type, sizeof(type), "%s",
			 f->kind == KIND_MAP    ? "map by name"
			 : f->kind == KIND_LIST ? "list"
						: "map");
	fprintf(out, "| `%s` | %s | ", f->name, type);
	if (f->required)
		fputs("required", out);
	else if (f->def != NULL)
		fprintf(out, "`%s`", f->def);
	else if (f->absent != NULL)
		fputs(f->absent, out);
	else
		fputs("its own defaults", out);
	fprintf(out, " | %s | %s | %s |\n", range, f->change == CHANGE_RELOAD ? "reload" : "restart",
		f->help);
}

static void doc_section(FILE *out, const struct section *s, const char *path)
{
	fprintf(out, "## %s\n\n", path[0] != '\0' ? path : "The file");
	fputs("| key | type | default | range | change | meaning |\n|---|---|---|---|---|---|\n", out);
	for (unsigned int i = 0; i < s->n; i++)
		doc_row(out, &s->fields[i]);
	fputc('\n', out);
	for (unsigned int i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];
		char below[128];

		if (f->kind < KIND_SCALARS)
			continue;
		snprintf(below, sizeof(below), "%s%s%s%s", path, path[0] != '\0' ? "." : "", f->name,
			 f->kind == KIND_MAP    ? ".NAME"
			 : f->kind == KIND_LIST ? "[]"
						: "");
		doc_section(out, f->section, below);
	}
}

int conf_schema_markdown(FILE *out)
{
	fputs("<!-- Generated from conf/schema.c by `ninja -C build docs`. Do not edit. -->\n"
	      "# Configuration\n\n"
	      "Weir reads one YAML file: `weir -c FILE`. `weir --check FILE` loads it without root and "
	      "without ports and\n"
	      "prints every error as `file:line:column: what, found VALUE, expected what`. Unknown and "
	      "repeated keys are\n"
	      "errors. Values are strict: a number has no rest and no leading zero.\n\n"
	      "- **duration**: `10ms`, `5s`, `1m`, `4h`; the unit is required.\n"
	      "- **count**: `5000`, `200k`, `2M` (k = 1000, M = 1000000); **percentage**: `10%`.\n"
	      "- **rate**: `100/s`, `2k/s`, `1M/s` (k = 1000, M = 1000000).\n"
	      "- **size**: `64K`, `512M`, `2G` (K = 1024, M = 1024 K, G = 1024 M); the unit is required.\n"
	      "- **on or off**: `on`, `true`, `yes`, `off`, `false`, `no` and nothing else.\n"
	      "- **address:port**: `192.0.2.10:5060`, `\"[2001:db8::10]:5060\"` (quoted, or YAML reads a "
	      "list).\n"
	      "- **prefix**: `192.0.2.0/28`; bits behind the length must be zero.\n"
	      "- **name**: at most 63 letters, digits, `.`, `_`, `-`.\n\n"
	      "Weir reads the file when it starts. *change* says which values only a start can take over\n"
	      "(restart) and which are fit to change while calls go on (reload; this version has no "
	      "reload).\n"
	      "Whole files to begin with: `conf/samples/`.\n\n",
	      out);
	doc_section(out, &conf_root, "");
	return ferror(out) ? -EIO : 0;
}
