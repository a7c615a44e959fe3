/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the daemon's JSON without asking whether a key is there: what is missing is "" or 0.
 */
#ifndef WEIR_CONTROL_CLI_VALUE_H
#define WEIR_CONTROL_CLI_VALUE_H

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "control/cli/table.h"

static inline const char *text_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "";
}

static inline double number_of(const json_t *o, const char *key)
{
	return json_number_value(json_object_get(o, key));
}

static inline void show_integer(struct table *t, const json_t *o, const char *key)
{
	table_cell(t, TINT_NONE, "%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(o, key)));
}

/* A list of texts with commas between, at most n bytes: no text is cut, dots stand for those left out.
 * Returns `text`. */
static inline const char *joined(const json_t *list, char *text, size_t n)
{
	static const char dots[] = ", ...";
	const json_t *v;
	size_t i, used;

	text[0] = '\0';
	json_array_foreach(list, i, v)
	{
		used = strlen(text);
		if (used + strlen(", ") + json_string_length(v) + sizeof(dots) > n) {
			snprintf(text + used, n - used, "%s", dots);
			break;
		}
		snprintf(text + used, n - used, "%s%s", i ? ", " : "", json_string_value(v));
	}
	return text;
}

/* A state in its colour (show.c). */
void show_state(struct table *t, const char *state);

#endif
