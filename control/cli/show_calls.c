/* SPDX-License-Identifier: BSD-3-Clause */
/* What happened, for people. Reads what control/sight_calls.c writes. */
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
		      { "pool-full", TINT_WARN },    { "gateway-down", TINT_BAD },
		      { "audit-drift", TINT_BAD },   { "worker-stuck", TINT_BAD } };

	for (size_t i = 0; i < sizeof(tints) / sizeof(tints[0]); i++)
		if (!strcmp(kind, tints[i].kind))
			return tints[i].tint;
	return TINT_NONE;
}

static void print_event(struct cli *cli, const json_t *e)
{
	char kind[16];

	snprintf(kind, sizeof(kind), "%-13s", text_of(e, "kind"));
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
