/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can stand at the cursor: words of the command table, options, and names that the daemon knows. The
 * same answer for bash and for weirctl's own prompt. A daemon that is away just means no names.
 */
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"

#define NAMES_WAIT_S 0.5 /* a Tab must not feel stuck */

struct out {
	const char *prefix;
	cli_candidate_h *h;
	void *arg;
	char last[64]; /* the table is sorted by first words: one "show" is enough */
};

static void offer(struct out *out, const char *text)
{
	if (strncmp(text, out->prefix, strlen(out->prefix)) || !strcmp(text, out->last))
		return;
	snprintf(out->last, sizeof(out->last), "%s", text);
	out->h(out->arg, text);
}

static void offer_names(const struct cli *cli, enum cli_arg arg, struct out *out)
{
	struct cli own = *cli;
	json_t *result = NULL;
	const json_t *o;
	size_t i;

	if (arg == CLI_ARG_SETTING) {
		offer(out, "weight");
		offer(out, "max-cps");
		offer(out, "max-calls");
	}
	if (arg != CLI_ARG_GATEWAY && arg != CLI_ARG_POOL)
		return;
	own.timeout_s = NAMES_WAIT_S;
	own.error = NULL;
	if (cli_ask(&own, arg == CLI_ARG_POOL ? "show.pools" : "show.gateways", NULL, &result) == CLI_DONE)
		json_array_foreach(json_object_get(result, arg == CLI_ARG_POOL ? "pools" : "gateways"), i, o)
			offer(out, json_string_value(json_object_get(o, "name")));
	json_decref(result);
	json_decref(own.error);
}

static void offer_options(struct out *out)
{
	char text[64];

	for (const struct cli_option *o = cli_options; o->name; o++) {
		snprintf(text, sizeof(text), "--%s", o->name);
		offer(out, text);
	}
}

/* n whole words stand before the cursor. */
static void offer_words(const struct cli *cli, int n, const char *const *words, struct out *out)
{
	for (const struct cli_command *c = cli_commands; c->words[0]; c++) {
		int own = c->words[1] ? 2 : 1, same = 0;

		while (same < own && same < n && !strcmp(c->words[same], words[same]))
			same++;
		if (same == n && n < own)
			offer(out, c->words[n]);
		else if (same == own && n - own < CLI_OPERANDS)
			offer_names(cli, c->operands[n - own].arg, out);
	}
	if (n == 1 && !strcmp(words[0], "help"))
		for (const struct cli_command *c = cli_commands; c->words[0]; c++)
			offer(out, c->words[0]);
}

void cli_complete(const struct cli *cli, const char *line, size_t n, cli_candidate_h *h, void *arg)
{
	struct out out = { .prefix = "", .h = h, .arg = arg };
	char *copy = strndup(line, n), *argv[32];
	bool fresh = n == 0 || strchr(" \t", line[n - 1]);
	const char *words[CLI_WORDS];
	struct cli own = *cli;
	int argc;

	if (!copy)
		return;
	argc = cli_split(copy, argv, 32);
	if (argc >= 0 && !fresh && argc > 0)
		out.prefix = argv[--argc];
	if (argc >= 0) {
		int n_words = cli_parse(&own, argc, argv, words, true);

		if (out.prefix[0] == '-')
			offer_options(&out);
		else
			offer_words(&own, n_words, words, &out);
	}
	free(copy);
}
