/* SPDX-License-Identifier: BSD-3-Clause */
/* How requests were decided, for people: the gateways that were asked, in order, and how it ended. */
#include "control/cli/cli.h"
#include "control/cli/table.h"
#include "control/cli/value.h"

static void show_decision(struct cli *cli, const json_t *d)
{
	const char *gateway = text_of(d, "gateway"), *pool = text_of(d, "pool");
	const json_t *a;
	char age[FIGURE];
	size_t i;

	fprintf(cli->out, "%s ago, worker %.0f", figure_age(age, number_of(d, "age_s")),
		number_of(d, "worker"));
	if (*pool)
		fprintf(cli->out, ", pool %s", pool);
	fputs(json_is_true(json_object_get(d, "urgent")) ? ", urgent\n" : "\n", cli->out);
	json_array_foreach(json_object_get(d, "asked"), i, a)
		fprintf(cli->out, "  %zu  %-20s %s\n", i + 1, text_of(a, "gateway"), text_of(a, "text"));
	if (*gateway)
		fprintf(cli->out, "  => %s\n", gateway);
	else
		fprintf(cli->out, "  => %s: %s\n", text_of(d, "outcome"), text_of(d, "text"));
}

int cli_show_why(struct cli *cli, const json_t *result)
{
	const json_t *list = json_object_get(result, "decisions"), *d;
	size_t i;

	json_array_foreach(list, i, d) show_decision(cli, d);
	return CLI_DONE;
}
