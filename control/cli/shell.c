/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many commands in one run: a prompt with line editing, history and Tab on a terminal (libedit), else lines
 * from stdin up to the first that fails, for scripts.
 */
#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/cli.h"

#define WORDS_MAX 32
#define HISTORY   500 /* lines kept while the prompt is open */

/* Candidates at the cursor, for one Tab. */
struct matches {
	char common[128]; /* what all of them begin with */
	size_t n;
	FILE *list; /* where they are listed; NULL: only count */
};

static void match(void *arg, const char *text)
{
	struct matches *m = arg;
	size_t same = 0;

	if (m->list)
		fprintf(m->list, "%s  ", text);
	if (m->n++ == 0) {
		snprintf(m->common, sizeof(m->common), "%s", text);
		return;
	}
	while (m->common[same] && m->common[same] == text[same])
		same++;
	m->common[same] = '\0';
}

static unsigned char on_tab(EditLine *el, int ch)
{
	const LineInfo *li = el_line(el);
	size_t n = (size_t)(li->cursor - li->buffer),
	       typed = 0; /* bytes of the word that is being completed */
	struct matches m = { 0 };
	struct cli *cli;

	el_get(el, EL_CLIENTDATA, &cli);
	while (typed < n && !strchr(" \t", li->buffer[n - typed - 1]))
		typed++;
	cli_complete(cli, li->buffer, n, match, &m);
	if (m.n == 0)
		return CC_REFRESH_BEEP;
	if (strlen(m.common) > typed)
		el_insertstr(el, m.common + typed);
	if (m.n == 1) {
		el_insertstr(el, " ");
		return CC_REFRESH;
	}
	m.list = cli->out;
	fputc('\n', cli->out);
	cli_complete(cli, li->buffer, n, match, &m);
	fputc('\n', cli->out);
	fflush(cli->out);
	return CC_REDISPLAY;
}

static const char *prompt(EditLine *el)
{
	return "weir> ";
}

/* Runs one line; *end is set by exit and quit. Returns the command's exit code. */
static int run_line(const struct cli *cli, char *line, bool *end)
{
	char *argv[WORDS_MAX];
	int argc = cli_split(line, argv, WORDS_MAX);

	if (argc < 0) {
		fputs("weirctl: a quote stays open\n", cli->err);
		return CLI_USAGE;
	}
	if (argc == 0 || argv[0][0] == '#')
		return CLI_DONE;
	*end = argc == 1 && (!strcmp(argv[0], "exit") || !strcmp(argv[0], "quit"));
	return *end ? CLI_DONE : cli_run(cli, argc, argv);
}

static int at_terminal(struct cli *cli)
{
	EditLine *el = el_init("weirctl", stdin, cli->out, cli->err);
	History *lines = history_init();
	bool end = false;
	const char *line;
	HistEvent event;
	char *copy;
	int n;

	if (!el || !lines)
		return CLI_REFUSED;
	history(lines, &event, H_SETSIZE, HISTORY);
	history(lines, &event, H_SETUNIQUE, 1);
	el_set(el, EL_PROMPT, prompt);
	el_set(el, EL_EDITOR, "emacs");
	/* Ctrl-C throws the line away, as in a shell, instead of ending the program. */
	el_set(el, EL_SETTY, "-d", "-isig", NULL);
	el_set(el, EL_BIND, "^C", "ed-start-over", NULL);
	el_set(el, EL_HIST, history, lines);
	el_set(el, EL_CLIENTDATA, cli);
	el_set(el, EL_ADDFN, "weir-complete", "complete a word", on_tab);
	el_set(el, EL_BIND, "^I", "weir-complete", NULL);
	while (!end && (line = el_gets(el, &n)) && n > 0) {
		if (strspn(line, " \t\n") < strlen(line))
			history(lines, &event, H_ENTER, line);
		copy = strdup(line);
		if (copy)
			run_line(cli, copy, &end);
		free(copy);
	}
	if (!end)
		fputc('\n', cli->out);
	history_end(lines);
	el_end(el);
	return CLI_DONE;
}

int cli_shell(const struct cli *defaults)
{
	struct cli cli = *defaults;
	char *line = NULL;
	size_t room = 0;
	bool end = false;
	int rc = CLI_DONE;

	cli.prompt = true;
	if (isatty(STDIN_FILENO))
		return at_terminal(&cli);
	while (!end && rc == CLI_DONE && getline(&line, &room, stdin) >= 0)
		rc = run_line(&cli, line, &end);
	free(line);
	return rc;
}
