/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weirctl: asks and steers a running Weir. Here only what the environment says; run.c does the rest.
 */
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli/cli.h"

static void print_line(void *arg, const char *text)
{
	fprintf(arg, "%s\n", text);
}

/* As `complete -C 'weirctl --bash-complete' weirctl` calls it: the line is in COMP_LINE, the cursor in
 * COMP_POINT. */
static int bash_complete(const struct cli *cli)
{
	const char *line = getenv("COMP_LINE"), *point = getenv("COMP_POINT");
	size_t n;

	if (!line)
		return CLI_USAGE;
	n = point ? (size_t)strtoul(point, NULL, 10) : strlen(line);
	if (n > strlen(line))
		n = strlen(line);
	/* Without the program's name. */
	while (n && *line && *line != ' ') {
		line++;
		n--;
	}
	cli_complete(cli, line, n, print_line, stdout);
	return CLI_DONE;
}

static bool wants_color(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb");
}

int main(int argc, char **argv)
{
	const char *socket = getenv("WEIR_SOCKET");
	struct cli cli = {
		.socket = socket && *socket ? socket : CLI_SOCKET,
		.timeout_s = 5,
		.color = wants_color(),
		.out = stdout,
		.err = stderr,
	};

	setlocale(LC_CTYPE, ""); /* line editing knows the width of characters */
	signal(SIGPIPE, SIG_IGN);
	if (argc > 1 && !strcmp(argv[1], "--bash-complete"))
		return bash_complete(&cli);
	if (argc == 2 && !strcmp(argv[1], "--dump-man")) {
		cli_man(stdout);
		return CLI_DONE;
	}
	return cli_run(&cli, argc - 1, argv + 1);
}
