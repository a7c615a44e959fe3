/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Walks a YAML document along the schema and fills the structs. A wrong value is reported and replaced by
 * the default, so that one run finds all errors; a load with errors never gives out its config.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>

#include "conf/load.h"
#include "conf/value.h"

#define FIELDS_MAX 32 /* keys of one section; checked by the tests over the schema */
#define SHOWN      60 /* bytes of a wrong value that a message shows */

static void load_section(struct loader *l, const struct section *s, const yaml_node_t *node, char *out);

/* Appends ".text" (or "text") to the path and returns its length before. */
__attribute__((format(printf, 2, 3))) static size_t path_push(struct loader *l, const char *format, ...)
{
	size_t before = l->path_n, room = sizeof(l->path) - l->path_n;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->path + l->path_n, room, format, args);
	va_end(args);
	if (n > 0)
		l->path_n += (size_t)n < room ? (size_t)n : room - 1;
	return before;
}

static void path_pop(struct loader *l, size_t before)
{
	l->path_n = before;
	l->path[before] = '\0';
}

static size_t path_key(struct loader *l, const char *key)
{
	return path_push(l, "%s%.*s", l->path_n > 0 ? "." : "", SHOWN, key);
}

static void mark(struct loader *l, const void *at, bool item, const yaml_node_t *node)
{
	if (l->n_marks == l->cap_marks) {
		size_t cap = l->cap_marks > 0 ? 2 * l->cap_marks : 256;
		struct mark *marks = realloc(l->marks, cap * sizeof(*marks));

		if (marks == NULL) {
			l->no_memory = true;
			return;
		}
		l->marks = marks;
		l->cap_marks = cap;
	}
	l->marks[l->n_marks++] = (struct mark){ at, item, node };
}

static const char *scalar_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* A scalar without a value: "key:" or "key: ~". */
static bool is_null(const yaml_node_t *node)
{
	const char *text = scalar_text(node);

	return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* Printable UTF-8 without control characters, NUL inside included. */
static bool is_printable(const yaml_node_t *node)
{
	const char *text = scalar_text(node);

	if (strlen(text) != node->data.scalar.length)
		return false;
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

/* What a message says was found. */
static const char *found(const yaml_node_t *node, char *text, size_t n)
{
	switch (node->type) {
	case YAML_MAPPING_NODE:
		return "a map";
	case YAML_SEQUENCE_NODE:
		return "a list";
	default:
		break;
	}
	if (is_null(node))
		return "nothing";
	if (!is_printable(node))
		return "control characters";
	snprintf(text, n, "\"%.*s\"%s", SHOWN, scalar_text(node),
		 node->data.scalar.length > SHOWN ? "..." : "");
	return text;
}

static void fail_value(struct loader *l, const yaml_node_t *node, const char *expected,
		       const struct word *words)
{
	struct suggestion s = { .wrong = node->type == YAML_SCALAR_NODE ? scalar_text(node) : "" };
	char text[SHOWN + 8], meant[LIMIT_NAME + 32];

	for (; words != NULL && words->text != NULL; words++)
		conf_suggest(&s, words->text);
	conf_fail_node(l, node, "found %s, expected %s%s", found(node, text, sizeof(text)), expected,
		       conf_suggestion_text(&s, meant, sizeof(meant)));
}

/* Writes the value that a field has when the file does not say one. */
static void set_default(struct loader *l, const struct field *f, void *out)
{
	if (f->def == NULL)
		conf_value_none(f, out);
	else if (conf_value_read(f, f->def, out, l->arena) != 0)
		l->no_memory = true;
}

/* Reads one scalar; false and a message if it is no value of the field. */
static bool load_scalar(struct loader *l, const struct field *f, const yaml_node_t *node, void *out)
{
	char expected[VALUE_TEXT];
	int rc = -EINVAL;

	if (node->type == YAML_SCALAR_NODE && !is_null(node) && is_printable(node))
		rc = conf_value_read(f, scalar_text(node), out, l->arena);
	if (rc == 0) {
		mark(l, out, false, node);
		return true;
	}
	if (rc == -ENOMEM) {
		l->no_memory = true;
		return false;
	}
	l->bad[f->kind]++;
	conf_value_expected(f, expected, sizeof(expected));
	fail_value(l, node, expected, f->words);
	return false;
}

/*
 * Room for n items at the field's pointer; NULL if there is none or n is out of the field's range. A few
 * lines of aliases can stand for more items than any memory holds.
 */
static char *make_items(struct loader *l, const struct field *f, const yaml_node_t *node, size_t n,
			size_t size, char *base)
{
	uint64_t before = l->n_entries;
	char *items;

	if (n < f->min_items || n > f->max_items) {
		conf_fail_node(l, node, "found %zu entries, expected %u to %u", n, f->min_items,
			       f->max_items);
		return NULL;
	}
	l->n_entries += n;
	if (l->n_entries > LIMIT_ENTRIES) {
		if (before <= LIMIT_ENTRIES)
			conf_fail_node(l, node,
				       "found %" PRIu64 " entries up to here, expected at most %u in all",
				       l->n_entries, LIMIT_ENTRIES);
		return NULL;
	}
	items = arena_alloc(l->arena, n * size);
	*(char **)(base + f->offset) = items;
	return items;
}

static void load_scalars(struct loader *l, const struct field *f, const yaml_node_t *node, char *base)
{
	uint32_t *count = (uint32_t *)(base + f->count_offset);
	size_t size = conf_value_size(f->kind), n;
	char *items;

	if (node->type != YAML_SEQUENCE_NODE) {
		fail_value(l, node, "a list", NULL);
		l->bad[f->kind]++;
		return;
	}
	n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	items = make_items(l, f, node, n, size, base);
	if (items == NULL)
		return;
	for (size_t i = 0; i < n; i++) {
		size_t before = path_push(l, "[%zu]", i);

		if (load_scalar(l, f, yaml_document_get_node(l->doc, node->data.sequence.items.start[i]),
				items + *count * size))
			(*count)++;
		path_pop(l, before);
	}
}

/* A key of a map, or NULL and a message. */
static const char *key_text(struct loader *l, const yaml_node_t *key)
{
	if (key->type == YAML_SCALAR_NODE && !is_null(key) && is_printable(key))
		return scalar_text(key);
	fail_value(l, key, "a key", NULL);
	return NULL;
}

static void load_map_item(struct loader *l, const struct field *f, const yaml_node_pair_t *pair, char *item)
{
	const yaml_node_t *key = yaml_document_get_node(l->doc, pair->key);
	const char *name = key_text(l, key);
	size_t before;

	if (name == NULL)
		return;
	if (!conf_name_ok(name))
		fail_value(l, key, "a name of at most 63 letters, digits, \".\", \"_\" or \"-\"", NULL);
	*(const char **)item = arena_text(l->arena, name, strlen(name));
	mark(l, item, true, key);
	before = path_key(l, name);
	load_section(l, f->section, yaml_document_get_node(l->doc, pair->value), item);
	path_pop(l, before);
}

/* Reports every name that a map has more than once. Item i was made from pair i. */
static void check_duplicates(struct loader *l, const struct field *f, const yaml_node_pair_t *pairs,
			     const char *items, uint32_t n)
{
	struct names names = { 0 };

	conf_names_add(l, &names, items, f->section->size, n);
	conf_names_sort(&names);
	for (uint32_t i = 1, first = 0; i < names.n; i++) {
		const struct name *row = &names.rows[i];

		if (strcmp(row->text, names.rows[first].text) != 0) {
			first = i;
			continue;
		}
		conf_fail_node(
			l, yaml_document_get_node(l->doc, pairs[row->index].key),
			"found \"%s\" again, first at line %zu, expected each name once", row->text,
			yaml_document_get_node(l->doc, pairs[names.rows[first].index].key)->start_mark.line +
				1);
	}
	free(names.rows);
}

static void load_map(struct loader *l, const struct field *f, const yaml_node_t *node, char *base)
{
	const yaml_node_pair_t *pairs;
	char *items;
	size_t n;

	if (node->type != YAML_MAPPING_NODE) {
		fail_value(l, node, "a map of names", NULL);
		return;
	}
	pairs = node->data.mapping.pairs.start;
	n = (size_t)(node->data.mapping.pairs.top - pairs);
	items = make_items(l, f, node, n, f->section->size, base);
	if (items == NULL)
		return;
	*(uint32_t *)(base + f->count_offset) = (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		load_map_item(l, f, &pairs[i], items + i * f->section->size);
	check_duplicates(l, f, pairs, items, (uint32_t)n);
}

static void load_list(struct loader *l, const struct field *f, const yaml_node_t *node, char *base)
{
	char *items;
	size_t n;

	if (node->type != YAML_SEQUENCE_NODE) {
		fail_value(l, node, "a list", NULL);
		return;
	}
	n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	items = make_items(l, f, node, n, f->section->size, base);
	if (items == NULL)
		return;
	*(uint32_t *)(base + f->count_offset) = (uint32_t)n;
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *item = yaml_document_get_node(l->doc, node->data.sequence.items.start[i]);
		size_t before = path_push(l, "[%zu]", i);

		mark(l, items + i * f->section->size, true, item);
		load_section(l, f->section, item, items + i * f->section->size);
		path_pop(l, before);
	}
}

static void load_field(struct loader *l, const struct field *f, const yaml_node_t *node, char *base)
{
	size_t before = path_key(l, f->name);

	if (f->kind == KIND_SECTION)
		load_section(l, f->section, node, base + f->offset);
	else if (f->kind == KIND_MAP)
		load_map(l, f, node, base);
	else if (f->kind == KIND_LIST)
		load_list(l, f, node, base);
	else if (f->many)
		load_scalars(l, f, node, base);
	else if (!load_scalar(l, f, node, base + f->offset))
		set_default(l, f, base + f->offset);
	path_pop(l, before);
}

static void fail_missing(struct loader *l, const struct field *f, const yaml_node_t *parent)
{
	char expected[VALUE_TEXT];

	if (f->kind == KIND_MAP)
		snprintf(expected, sizeof(expected), "a map of names");
	else if (f->kind == KIND_LIST)
		snprintf(expected, sizeof(expected), "a list of maps");
	else
		conf_value_expected(f, expected, sizeof(expected));
	conf_fail_node(l, parent, "key \"%s\" is missing, expected %s%s", f->name,
		       f->many ? "a list with " : "", expected);
}

/* What the file leaves out. Items and lists stay empty: the arena gives zeroed memory. */
static void load_absent(struct loader *l, const struct field *f, const yaml_node_t *parent, char *base)
{
	if (f->required && parent != NULL && parent->type == YAML_MAPPING_NODE)
		fail_missing(l, f, parent);
	if (f->kind == KIND_SECTION)
		load_section(l, f->section, NULL, base + f->offset);
	else if (f->kind < KIND_SCALARS && !f->many)
		set_default(l, f, base + f->offset);
}

static void unknown_key(struct loader *l, const struct section *s, const yaml_node_t *key)
{
	struct suggestion meant = { .wrong = scalar_text(key) };
	char shown[SHOWN + 8], text[LIMIT_NAME + 32], keys[VALUE_TEXT] = "";
	size_t used = 0;

	for (unsigned int i = 0; s->later != NULL && s->later[i] != NULL; i++) {
		if (strcmp(meant.wrong, s->later[i]) == 0) {
			conf_fail_node(l, key, "key \"%s\" is not available in this version", meant.wrong);
			return;
		}
	}
	for (unsigned int i = 0; i < s->n && used < sizeof(keys); i++) {
		conf_suggest(&meant, s->fields[i].name);
		used += (size_t)snprintf(keys + used, sizeof(keys) - used, "%s%s", i > 0 ? ", " : "",
					 s->fields[i].name);
	}
	if (meant.best != NULL)
		conf_fail_node(l, key, "unknown key %s%s", found(key, shown, sizeof(shown)),
			       conf_suggestion_text(&meant, text, sizeof(text)));
	else
		conf_fail_node(l, key, "unknown key %s, expected one of %s", found(key, shown, sizeof(shown)),
			       keys);
}

/* Finds the value of each field in a map; unknown and repeated keys are reported. */
static void sort_keys(struct loader *l, const struct section *s, const yaml_node_t *node,
		      const yaml_node_t **values)
{
	const yaml_node_t *keys[FIELDS_MAX] = { NULL };

	for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
	     p++) {
		const yaml_node_t *key = yaml_document_get_node(l->doc, p->key);
		const char *text = key_text(l, key);
		unsigned int i = 0;

		if (text == NULL)
			continue;
		while (i < s->n && strcmp(s->fields[i].name, text) != 0)
			i++;
		if (i == s->n) {
			unknown_key(l, s, key);
		} else if (keys[i] != NULL) {
			conf_fail_node(l, key,
				       "found \"%s\" again, first at line %zu, expected each key once", text,
				       keys[i]->start_mark.line + 1);
		} else {
			keys[i] = key;
			values[i] = yaml_document_get_node(l->doc, p->value);
		}
	}
}

/* node NULL: everything by default. */
static void load_section(struct loader *l, const struct section *s, const yaml_node_t *node, char *out)
{
	const yaml_node_t *values[FIELDS_MAX] = { NULL };

	if (node != NULL && node->type == YAML_MAPPING_NODE)
		sort_keys(l, s, node, values);
	else if (node != NULL)
		fail_value(l, node, "a map of keys", NULL);
	for (unsigned int i = 0; i < s->n; i++) {
		if (values[i] != NULL)
			load_field(l, &s->fields[i], values[i], out);
		else
			load_absent(l, &s->fields[i], node, out);
	}
}

void conf_load_tree(struct loader *l)
{
	load_section(l, &conf_root, yaml_document_get_root_node(l->doc), (char *)l->conf);
	conf_marks_sort(l);
}
