/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words and options of a command line, by the tables in commands.c. The same for the shell's argv and for a
 * line typed at weirctl's own prompt.
 */
#include <string.h>

#include "control/cli/cli.h"

static const struct cli_option *option_by_letter(char letter)
{
	for (const struct cli_option *o = cli_options; o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static const struct cli_option *option_by_name(const char *name, size_t n)
{
	for (const struct cli_option *o = cli_options; o->name; o++)
		if (strlen(o->name) == n && !memcmp(o->name, name, n))
			return o;
	return NULL;
}

static int apply(struct cli *cli, const struct cli_option *o, const char *value, bool lenient)
{
	if (o->set(cli, value) || lenient)
		return 0;
	cli_error(cli, CLI_USAGE, NULL, "--%s: \"%s\" is no %s", o->name, value ? value : "", o->arg);
	return -1;
}

/* One argument that begins with a dash; *i is moved past its value. Returns 0, or -1 after cli_error(). */
static int take_option(struct cli *cli, int argc, char *const *argv, int *i, bool lenient)
{
	const char *word = argv[*i], *value = NULL;
	const struct cli_option *o;

	if (word[1] == '-') {
		value = strchr(word, '=');
		o = option_by_name(word + 2, value ? (size_t)(value - word - 2) : strlen(word + 2));
		value = value ? value + 1 : NULL;
		if (o && value && !o->arg)
			o = NULL;
	} else {
		/* -jV are two; -sPATH has its value in the same word. */
		for (word++; (o = option_by_letter(*word)) && !o->arg && word[1]; word++)
			apply(cli, o, NULL, lenient);
		if (o && o->arg && word[1])
			value = word + 1;
	}
	if (!o && lenient)
		return 0;
	if (!o) {
		cli_error(cli, CLI_USAGE, NULL, "no option \"%s\"; weirctl --help lists them", argv[*i]);
		return -1;
	}
	if (o->arg && !value) {
		if (*i + 1 >= argc && lenient)
			return 0;
		if (*i + 1 >= argc) {
			cli_error(cli, CLI_USAGE, NULL, "--%s needs %s", o->name, o->arg);
			return -1;
		}
		value = argv[++*i];
	}
	return apply(cli, o, value, lenient);
}

int cli_parse(struct cli *cli, int argc, char *const *argv, const char *words[CLI_WORDS], bool lenient)
{
	bool options = true;
	int n = 0;

	for (int i = 0; i < argc; i++) {
		if (options && !strcmp(argv[i], "--")) {
			options = false;
		} else if (options && argv[i][0] == '-' && argv[i][1]) {
			if (take_option(cli, argc, argv, &i, lenient))
				return -1;
		} else if (n < CLI_WORDS) {
			words[n++] = argv[i];
		} else if (!lenient) {
			cli_error(cli, CLI_USAGE, NULL, "too many words");
			return -1;
		}
	}
	return n;
}

static int words_of(const struct cli_command *c)
{
	return c->words[1] ? 2 : 1;
}

static bool begins_with(const struct cli_command *c, int n, const char *const *words)
{
	if (n < words_of(c))
		return false;
	return !strcmp(c->words[0], words[0]) && (!c->words[1] || !strcmp(c->words[1], words[1]));
}

/* Says what could follow, or that the first word is unknown. */
static void no_command(struct cli *cli, int n, const char *const *words)
{
	char list[256] = "";

	for (const struct cli_command *c = cli_commands; c->words[0]; c++)
		if (!strcmp(c->words[0], words[0]) && strlen(list) + strlen(c->words[1]) + 3 < sizeof(list)) {
			strcat(list, *list ? ", " : "");
			strcat(list, c->words[1]);
		}
	if (*list && n > 1)
		cli_error(cli, CLI_USAGE, NULL, "%s: no \"%s\"; there are %s", words[0], words[1], list);
	else if (*list)
		cli_error(cli, CLI_USAGE, NULL, "%s what? There are %s", words[0], list);
	else
		cli_error(cli, CLI_USAGE, NULL, "no command \"%s\"; weirctl --help lists them", words[0]);
}

const struct cli_command *cli_find(struct cli *cli, int n, const char *const *words,
				   const char *args[CLI_OPERANDS])
{
	char usage[64];

	for (const struct cli_command *c = cli_commands; c->words[0]; c++) {
		int own = words_of(c), left = n - own, least = 0, most = 0;

		if (!begins_with(c, n, words))
			continue;
		for (; most < CLI_OPERANDS && c->operands[most].arg != CLI_ARG_NONE; most++) {
			least += !c->operands[most].optional;
			args[most] = most < left ? words[own + most] : NULL;
		}
		if (left >= least && left <= most)
			return c;
		cli_usage_text(c, usage, sizeof(usage));
		cli_error(cli, CLI_USAGE, NULL, "usage: weirctl %s", usage);
		return NULL;
	}
	no_command(cli, n, words);
	return NULL;
}

int cli_split(char *line, char *argv[], int max)
{
	char quote = 0, *to;
	int n = 0;

	for (;;) {
		while (*line == ' ' || *line == '\t' || *line == '\n' || *line == '\r')
			line++;
		if (!*line || n == max)
			return n;
		argv[n++] = to = line;
		for (; *line && (quote || !strchr(" \t\r\n", *line)); line++) {
			if (quote && *line == quote)
				quote = 0;
			else if (!quote && (*line == '"' || *line == '\''))
				quote = *line;
			else
				*to++ = *line;
		}
		if (quote)
			return -1;
		if (*line)
			line++;
		*to = '\0';
	}
}
