/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * YAML text to a JSON tree, for those who read the running config by program. Takes what conf_print() writes:
 * one document, no anchors. Depth is bounded. Any thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "control/api.h"

#define DEPTH 16 /* collections inside each other; a config has 6 */

struct level {
	json_t *node; /* mapping or sequence that is being filled; borrowed from the level above */
	char *key;    /* mapping: key that waits for its value */
};

/* A plain scalar as what it looks like; a quoted one is always a string. */
static json_t *scalar(const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	char *end;
	long long v;

	if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return json_stringn(text, e->data.scalar.length);
	if (!strcmp(text, "true") || !strcmp(text, "false"))
		return json_boolean(text[0] == 't');
	errno = 0;
	v = strtoll(text, &end, 10);
	if (*text && !*end && !errno)
		return json_integer(v);
	return json_stringn(text, e->data.scalar.length);
}

/* Hangs `node` (taken over) under the innermost level. Returns 0, or -1. */
static int attach(struct level *top, json_t *node)
{
	int rc;

	if (json_is_array(top->node))
		return json_array_append_new(top->node, node);
	if (!top->key) {
		json_decref(node);
		return -1;
	}
	rc = json_object_set_new(top->node, top->key, node);
	free(top->key);
	top->key = NULL;
	return rc;
}

/* Takes one event; *depth is the number of open levels. Returns 0, 1 at the end, or -1. */
static int take(const yaml_event_t *e, struct level levels[DEPTH + 1], int *depth)
{
	struct level *top = &levels[*depth];
	json_t *node;

	switch (e->type) {
	case YAML_SCALAR_EVENT:
		if (json_is_object(top->node) && !top->key) {
			top->key = strdup((const char *)e->data.scalar.value);
			return top->key ? 0 : -1;
		}
		return attach(top, scalar(e));
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		if (*depth == DEPTH)
			return -1;
		node = e->type == YAML_MAPPING_START_EVENT ? json_object() : json_array();
		if (attach(top, node))
			return -1;
		levels[++*depth] = (struct level){ .node = node };
		return 0;
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		--*depth;
		return 0;
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_ALIAS_EVENT:
		return -1;
	default:
		return 0;
	}
}

json_t *ctl_yaml_to_json(const char *text, size_t n)
{
	struct level levels[DEPTH + 1] = { { .node = json_array() } };
	json_t *root = levels[0].node, *tree = NULL;
	yaml_parser_t parser;
	yaml_event_t event;
	int depth = 0, rc = 0;

	if (!yaml_parser_initialize(&parser)) {
		json_decref(root);
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, n);
	while (!rc) {
		if (!yaml_parser_parse(&parser, &event)) {
			rc = -1;
			break;
		}
		rc = take(&event, levels, &depth);
		yaml_event_delete(&event);
	}
	for (int i = 0; i <= depth; i++)
		free(levels[i].key);
	yaml_parser_delete(&parser);
	if (rc == 1)
		tree = json_incref(json_array_get(root, 0));
	json_decref(root);
	return tree;
}
