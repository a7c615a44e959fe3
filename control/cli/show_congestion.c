/* SPDX-License-Identifier: BSD-3-Clause */
/* What the governor does, for people: a line for each gateway, limits first, then what moves them. */
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/table.h"
#include "control/cli/value.h"

static void show_limit(struct table *t, const json_t *o, const char *key)
{
	const json_t *limit = json_object_get(o, key);

	if (json_is_integer(limit))
		show_integer(t, o, key);
	else
		table_cell(t, TINT_NONE, "none");
}

/* "value/threshold", in yellow past that. */
static void show_delay(struct table *t, const json_t *s)
{
	char value[FIGURE], threshold[FIGURE];

	if (!json_is_object(s)) {
		table_cell(t, TINT_NONE, "-");
		return;
	}
	table_cell(t, number_of(s, "value") > number_of(s, "threshold") ? TINT_WARN : TINT_NONE, "%s/%s",
		   figure_ms(value, number_of(s, "value")), figure_ms(threshold, number_of(s, "threshold")));
}

static void show_share(struct table *t, const json_t *s)
{
	char value[FIGURE], threshold[FIGURE];

	if (!json_is_object(s)) {
		table_cell(t, TINT_NONE, "-");
		return;
	}
	table_cell(t, number_of(s, "value") > number_of(s, "threshold") ? TINT_WARN : TINT_NONE, "%s/%s",
		   figure_percent(value, number_of(s, "value")),
		   figure_percent(threshold, number_of(s, "threshold")));
}

/* "delay 3s ago, from 80" */
static void show_moved(struct table *t, const json_t *g)
{
	const json_t *ago = json_object_get(g, "moved_ago_s"), *from = json_object_get(g, "moved_from");
	char age[FIGURE];

	if (!ago)
		table_cell(t, TINT_NONE, "-");
	else if (json_is_integer(from))
		table_cell(t, TINT_NONE, "%s %s ago, from %d", text_of(g, "moved_for"),
			   figure_age(age, json_number_value(ago)), (int)json_integer_value(from));
	else
		table_cell(t, TINT_NONE, "%s %s ago", text_of(g, "moved_for"),
			   figure_age(age, json_number_value(ago)));
}

/* What it asks for itself, by overload control "20% less", "150/s", by Retry-After "stop 4s". */
static void show_asked(struct table *t, const json_t *oc, const json_t *retry_after)
{
	char left[FIGURE];

	if (json_is_object(retry_after) && number_of(retry_after, "left_ms") > 0)
		table_cell(t, TINT_WARN, "%s %s", text_of(retry_after, "effect"),
			   figure_age(left, number_of(retry_after, "left_ms") / 1e3));
	else if (json_is_object(retry_after))
		table_cell(t, TINT_WARN, "%s", text_of(retry_after, "effect"));
	else if (!json_is_object(oc))
		table_cell(t, TINT_NONE, "-");
	else
		table_cell(t, TINT_WARN, strcmp(text_of(oc, "algorithm"), "rate") ? "%d%% less" : "%d/s",
			   (int)number_of(oc, "value"));
}

int cli_show_congestion(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = {
		{ "GATEWAY" },        { "POOL" },          { "STATE" },
		{ "OPEN", true },     { "MOST", true },    { "RATE", true },
		{ "SENT/s", true },   { "DONE/s", true },  { "RESPONSE", true },
		{ "PROGRESS", true }, { "REFUSED", true }, { "REPEATED", true },
		{ "ASKS", true },     { "MOVED" },         { 0 }
	};
	struct table *t = table_new(columns);
	char rate[FIGURE];
	const json_t *g;
	size_t i;

	json_array_foreach(json_object_get(result, "gateways"), i, g)
	{
		table_cell(t, TINT_NONE, "%s", text_of(g, "name"));
		table_cell(t, TINT_NONE, "%s", text_of(g, "pool"));
		show_state(t, text_of(g, "state"));
		show_integer(t, g, "open");
		show_limit(t, g, "open_limit");
		show_limit(t, g, "rate_limit");
		table_cell(t, TINT_NONE, "%s", figure_rate(rate, number_of(g, "sent_per_s")));
		table_cell(t, TINT_NONE, "%s", figure_rate(rate, number_of(g, "done_per_s")));
		show_delay(t, json_object_get(g, "response_ms"));
		show_delay(t, json_object_get(g, "progress_ms"));
		show_share(t, json_object_get(g, "refused"));
		show_share(t, json_object_get(g, "repeated"));
		show_asked(t, json_object_get(g, "oc"), json_object_get(g, "retry_after"));
		show_moved(t, g);
	}
	table_print(t, cli->out, cli->color);
	table_free(t);
	return CLI_DONE;
}
