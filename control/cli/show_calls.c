/* SPDX-License-Identifier: BSD-3-Clause */
/* What happened and which calls there are, for people. Reads what control/sight_calls.c writes. */
#include "control/cli/cli.h"
#include "control/cli/table.h"
#include "control/cli/value.h"

#define FOLLOW_S 0.5 /* between two questions for new events */

static enum tint event_tint(const char *kind)
{
	static const struct {
		const char *kind;
		enum tint tint;
	} tints[] = { { "gateway-up", TINT_GOOD },   { "gateway-ready", TINT_GOOD },
		      { "pool-free", TINT_GOOD },    { "audit-good", TINT_GOOD },
		      { "worker-moves", TINT_GOOD }, { "gateway-drain", TINT_WARN },
		      { "pool-full", TINT_WARN },    { "pool-short", TINT_WARN },
		      { "pool-enough", TINT_GOOD },  { "gateway-down", TINT_BAD },
		      { "audit-drift", TINT_BAD },   { "worker-stuck", TINT_BAD } };

	for (size_t i = 0; i < sizeof(tints) / sizeof(tints[0]); i++)
		if (!strcmp(kind, tints[i].kind))
			return tints[i].tint;
	return TINT_NONE;
}

static void print_event(struct cli *cli, const json_t *e)
{
	char kind[48];

	snprintf(kind, sizeof(kind), "%-24s", text_of(e, "kind")); /* the longest that there is */
	fprintf(cli->out, "%s  ", text_of(e, "at"));
	tinted(cli->out, cli->color, event_tint(text_of(e, "kind")), kind);
	fprintf(cli->out, "  %s\n", text_of(e, "text"));
}

/* Events after number *since, which is brought up to date. */
static int events_turn(struct cli *cli, void *arg)
{
	json_int_t *since = arg;
	json_t *result = NULL, *e;
	size_t i;
	int rc = cli_ask(cli, "events", json_pack("{s:I}", "since", *since), &result);

	if (rc == CLI_DONE && cli->json && !cli->follow)
		cli_print_json(cli, result);
	if (rc == CLI_DONE && !(cli->json && !cli->follow))
		json_array_foreach(json_object_get(result, "events"), i, e)
		{
			if (!cli->json) {
				print_event(cli, e);
				continue;
			}
			json_dumpf(e, cli->out, JSON_COMPACT);
			fputc('\n', cli->out);
		}
	if (rc == CLI_DONE)
		*since = json_integer_value(json_object_get(result, "last"));
	json_decref(result);
	fflush(cli->out);
	return rc;
}

int cli_run_events(struct cli *cli, const char *arg)
{
	json_int_t since = 0;

	return cli->follow ? cli_repeat(cli, FOLLOW_S, true, events_turn, &since) : events_turn(cli, &since);
}

/* A name, or nothing. */
static void show_name(struct table *t, const json_t *o, const char *key)
{
	table_cell(t, TINT_NONE, "%s", *text_of(o, key) ? text_of(o, key) : "-");
}

int cli_show_calls(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = {
		{ "AGE", true },     { "STATE" },          { "PEER" },          { "FROM" },         { "TO" },
		{ "DIALOGS", true }, { "ANSWERED", true }, { "SESSION", true }, { "WORKER", true }, { 0 }
	};
	const json_t *list = json_object_get(result, "calls"), *c;
	struct table *t = table_new(columns);
	char age[FIGURE];
	size_t i;

	json_array_foreach(list, i, c)
	{
		table_cell(t, TINT_NONE, "%s", figure_age(age, number_of(c, "age_s")));
		table_cell(t, strcmp(text_of(c, "state"), "answered") ? TINT_WARN : TINT_GOOD, "%s",
			   text_of(c, "state"));
		show_name(t, c, "peer");
		show_name(t, c, "from");
		show_name(t, c, "to");
		show_integer(t, c, "dialogs");
		table_cell(t, TINT_NONE, "%s",
			   json_object_get(c, "answered_s") ? figure_age(age, number_of(c, "answered_s"))
							    : "-");
		table_cell(t, TINT_NONE, "%s",
			   json_object_get(c, "session_left_s")
				   ? figure_age(age, number_of(c, "session_left_s"))
				   : "-");
		show_integer(t, c, "worker");
	}
	table_print(t, cli->out, cli->color);
	fprintf(cli->out, "%zu of %.0f calls\n", json_array_size(list), number_of(result, "total"));
	table_free(t);
	return CLI_DONE;
}

static void audit_rows(struct table *t, const json_t *list, const char *kind)
{
	const json_t *row;
	size_t i;

	json_array_foreach(list, i, row)
	{
		double d = number_of(row, "difference");

		table_cell(t, TINT_NONE, "%s", kind);
		table_cell(t, TINT_NONE, "%s", text_of(row, "name"));
		show_integer(t, row, "counted");
		show_integer(t, row, "entries");
		show_integer(t, row, "survivors");
		table_cell(t, d != 0 ? TINT_BAD : TINT_GOOD, "%+.0f", d);
	}
}

int cli_show_audit(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = { { "WHAT" },
						 { "NAME" },
						 { "COUNTED", true },
						 { "ENTRIES", true },
						 { "SURVIVORS", true },
						 { "DIFFERENCE", true },
						 { 0 } };
	bool holds = json_is_true(json_object_get(result, "holds"));
	struct table *t;

	if (cli->json) {
		cli_print_json(cli, result);
		return holds ? CLI_DONE : CLI_REFUSED;
	}
	t = table_new(columns);
	audit_rows(t, json_object_get(result, "gateways"), "gateway");
	audit_rows(t, json_object_get(result, "open"), "open");
	audit_rows(t, json_object_get(result, "peers"), "peer");
	table_print(t, cli->out, cli->color);
	table_free(t);
	tinted(cli->out, cli->color, holds ? TINT_GOOD : TINT_BAD,
	       holds ? "calls counted are those that are known"
		     : "calls counted are NOT those that are known");
	fputc('\n', cli->out);
	return holds ? CLI_DONE : CLI_REFUSED;
}
