/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a file or a text to a struct conf and a report: reading, YAML, schema, checks, in that order.
 * Everything but the report lives in the config's one arena. Any thread, no state between loads.
 */
#include <errno.h>
#include <stdlib.h>

#include "conf/load.h"

#define FILE_MAX  (64u << 20) /* bytes of a config file */
#define DEPTH_MAX 32          /* maps and lists inside each other; the schema has 6 */

/* A config together with its memory. The arena holds itself. */
struct root {
	struct arena arena;
	struct conf conf; /* what the caller sees */
};

static struct root *make_root(const char *file)
{
	struct arena arena = { 0 };
	struct root *root = arena_alloc(&arena, sizeof(*root));

	if (root == NULL)
		return NULL;
	root->arena = arena;
	root->conf.file = arena_text(&root->arena, file, strlen(file));
	return root;
}

void conf_free(struct conf *conf)
{
	struct arena arena;

	if (conf == NULL)
		return;
	arena = ((struct root *)((char *)conf - offsetof(struct root, conf)))->arena;
	arena_free(&arena);
}

/* Line and column (from 1) of a byte of the text. */
static void place_of(const char *text, size_t n, size_t offset, size_t *line, size_t *column)
{
	*line = 1;
	*column = 1;
	for (size_t i = 0; i < offset && i < n; i++) {
		*column = text[i] == '\n' ? 1 : *column + 1;
		*line += text[i] == '\n';
	}
}

static void fail_yaml(struct loader *l, const yaml_parser_t *p, const char *text, size_t n)
{
	size_t line = p->problem_mark.line + 1, column = p->problem_mark.column + 1;
	const char *problem = p->problem != NULL ? p->problem : "cannot be read";

	if (p->error == YAML_MEMORY_ERROR) {
		l->no_memory = true;
		return;
	}
	if (p->error == YAML_READER_ERROR)
		place_of(text, n, p->problem_offset, &line, &column);
	if (p->context != NULL && p->context_mark.line + 1 != line)
		conf_report_add(l, false, line, column, "not YAML: %s %s (line %zu)", problem, p->context,
				p->context_mark.line + 1);
	else
		conf_report_add(l, false, line, column, "not YAML: %s", problem);
}

/* A second document in the file would go unread. */
static void check_end(struct loader *l, yaml_parser_t *parser, const char *text, size_t n)
{
	yaml_document_t more;
	yaml_node_t *root;

	if (yaml_parser_load(parser, &more) == 0) {
		fail_yaml(l, parser, text, n);
		return;
	}
	root = yaml_document_get_root_node(&more);
	if (root != NULL)
		conf_report_add(l, false, root->start_mark.line + 1, root->start_mark.column + 1,
				"found a second document, expected one");
	yaml_document_delete(&more);
}

/* What begins minus what ends: the collections that are open behind the event. */
static int depth_change(yaml_event_type_t type)
{
	switch (type) {
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return 1;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return -1;
	default:
		return 0;
	}
}

/* False after a message: the parser's time grows with the square of the depth. What is no YAML is told later.
 */
static bool check_depth(struct loader *l, const char *text, size_t n)
{
	yaml_parser_t parser;
	yaml_event_t event;
	bool more = true;
	int depth = 0;

	if (!yaml_parser_initialize(&parser)) {
		l->no_memory = true;
		return false;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	while (more && depth <= DEPTH_MAX && yaml_parser_parse(&parser, &event)) {
		depth += depth_change(event.type);
		more = event.type != YAML_STREAM_END_EVENT;
		if (depth > DEPTH_MAX)
			conf_report_add(l, false, event.start_mark.line + 1, event.start_mark.column + 1,
					"found maps and lists more than %d deep, expected what the keys need",
					DEPTH_MAX);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return depth <= DEPTH_MAX;
}

static void load_yaml(struct loader *l, yaml_parser_t *parser, const char *text, size_t n)
{
	yaml_document_t doc;

	if (!check_depth(l, text, n))
		return;
	if (yaml_parser_load(parser, &doc) == 0) {
		fail_yaml(l, parser, text, n);
		return;
	}
	if (yaml_document_get_root_node(&doc) == NULL) {
		conf_report_add(l, false, 0, 0, "found nothing in it, expected a map of keys");
	} else {
		l->doc = &doc;
		conf_load_tree(l);
		check_end(l, parser, text, n);
		if (!l->no_memory && !l->arena->failed)
			conf_check(l);
	}
	yaml_document_delete(&doc);
	free(l->marks);
}

int conf_load_text(const char *file, const char *text, size_t n, struct conf **out,
		   struct conf_report *report)
{
	static const char mark[] = "\xef\xbb\xbf"; /* of UTF-8, as some editors write it */
	struct root *root = make_root(file);
	yaml_parser_t parser;
	int rc = -ENOMEM;

	if (n >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0) {
		text += strlen(mark);
		n -= strlen(mark);
	}

	*out = NULL;
	*report = (struct conf_report){ .file = strdup(file) };
	if (root != NULL && report->file != NULL && yaml_parser_initialize(&parser)) {
		struct loader l = { .arena = &root->arena, .conf = &root->conf, .report = report };

		yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
		yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
		load_yaml(&l, &parser, text, n);
		yaml_parser_delete(&parser);
		conf_report_sort(report);
		if (!l.no_memory && !root->arena.failed)
			rc = report->n_errors > 0 ? -EINVAL : 0;
	}
	if (rc == 0)
		*out = &root->conf;
	else if (root != NULL)
		conf_free(&root->conf);
	return rc;
}

/* The whole file in memory. Returns 0 and text[n] to be freed, or -errno. */
static int read_file(const char *file, char **text, size_t *n)
{
	FILE *in = fopen(file, "re");
	size_t cap = 0, used = 0;
	char *p = NULL, *more;
	int rc = 0;

	if (in == NULL)
		return -errno;
	do {
		cap = cap > 0 ? 2 * cap : 65536;
		more = cap <= FILE_MAX ? realloc(p, cap) : NULL;
		if (more == NULL) {
			rc = cap > FILE_MAX ? -EFBIG : -ENOMEM;
			break;
		}
		p = more;
		errno = 0;
		used += fread(p + used, 1, cap - used, in);
	} while (used == cap);
	if (rc == 0 && ferror(in))
		rc = errno != 0 ? -errno : -EIO;
	fclose(in);
	if (rc != 0) {
		free(p);
		return rc;
	}
	*text = p;
	*n = used;
	return 0;
}

int conf_load(const char *file, struct conf **out, struct conf_report *report)
{
	struct loader l = { .report = report };
	char *text = NULL;
	size_t n = 0;
	int rc = read_file(file, &text, &n);

	if (rc == 0) {
		rc = conf_load_text(file, text, n, out, report);
		free(text);
		return rc;
	}
	*out = NULL;
	*report = (struct conf_report){ .file = strdup(file) };
	if (report->file == NULL)
		return -ENOMEM;
	conf_report_add(&l, false, 0, 0, "cannot be read: %s", strerror(-rc));
	return l.no_memory ? -ENOMEM : rc;
}
