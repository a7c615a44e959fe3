/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weirctl(1) in scdoc's language, from the tables: what the page says is what the program does.
 */
#include "control/cli/cli.h"

/* Text with scdoc's own characters made plain. */
static void plain(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '_' || *text == '*' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
}

/* A help text as a sentence: capital letter, full stop. */
static void sentence(FILE *out, const char *text)
{
	fputc(text[0] >= 'a' && text[0] <= 'z' ? text[0] - 'a' + 'A' : text[0], out);
	plain(out, text + 1);
	fputc('.', out);
}

static void man_commands(FILE *out)
{
	fputs("# COMMANDS\n\n", out);
	for (const struct cli_command *c = cli_commands; c->words[0]; c++) {
		fprintf(out, "*%s%s%s*", c->words[0], c->words[1] ? " " : "", c->words[1] ? c->words[1] : "");
		for (int i = 0; i < CLI_OPERANDS && c->operands[i].name; i++)
			fprintf(out, c->operands[i].optional ? " [_%s_]" : " _%s_", c->operands[i].name);
		fputs(c->waits ? " [--wait]" : "", out);
		fputs("\n\t", out);
		sentence(out, c->help);
		if (c->method)
			fprintf(out, " Method *%s*", c->method);
		for (int i = 0; c->method && i < CLI_OPERANDS && c->operands[i].param; i++) {
			fputs(i ? ", *" : c->operands[1].param ? ", parameters *" : ", parameter *", out);
			plain(out, c->operands[i].param);
			fputs("*", out);
		}
		fputs(c->method ? "." : "", out);
		if (c->more) {
			fputs("\n\n\t", out);
			plain(out, c->more);
		}
		fputs("\n\n", out);
	}
}

static void man_options(FILE *out)
{
	fputs("# OPTIONS\n\nOptions may stand before and after the command.\n\n", out);
	for (const struct cli_option *o = cli_options; o->name; o++) {
		if (o->letter)
			fprintf(out, "*-%c*, ", o->letter);
		fprintf(out, "*--%s*", o->name);
		if (o->arg)
			fprintf(out, " _%s_", o->arg);
		fputs("\n\t", out);
		sentence(out, o->help);
		fputs("\n\n", out);
	}
}

void cli_man(FILE *out)
{
	fputs("weirctl(1)\n\n"
	      "; SPDX-License-Identifier: BSD-3-Clause\n"
	      "; Generated from control/cli/commands.c by `ninja -C build docs`. Do not edit.\n\n"
	      "# NAME\n\nweirctl - ask and steer a running Weir\n\n"
	      "# SYNOPSIS\n\n*weirctl* [_OPTION_]... [_COMMAND_]\n\n"
	      "# DESCRIPTION\n\n"
	      "Speaks with *weir*(8) over its control socket. Without a command it opens a prompt with "
	      "history and\n"
	      "completion, or, if stdin is no terminal, runs one command a line until one fails; lines that "
	      "begin\n"
	      "with # are skipped. Things are called by the names of the configuration.\n\n"
	      "Tables are for people and may change; programs use *--json*, where figures are raw and errors "
	      "are\n"
	      "objects {\"error\": {\"code\", \"message\", \"data\"}}, too. Every change is logged by the "
	      "daemon with\n"
	      "user and process id of the caller.\n\n",
	      out);
	man_commands(out);
	man_options(out);
	fputs("# EXIT STATUS\n\n"
	      "|[ 0\n:< done\n"
	      "|  1\n:  refused by the daemon, or the file has errors\n"
	      "|  2\n:  wrong usage\n"
	      "|  3\n:  no daemon, or no answer in time\n"
	      "|  4\n:  waited in vain\n\n"
	      "*health* has the codes of a monitoring check instead: 0 ok, 1 warning, 2 critical, 3 "
	      "unknown.\n\n"
	      "# ENVIRONMENT\n\n"
	      "*WEIR\\_SOCKET*\n\tControl socket, unless *--socket* is given.\n\n"
	      "*NO\\_COLOR*\n\tNo colours, if it is set and not empty.\n\n"
	      "# COMPLETION\n\n"
	      "bash asks *weirctl --bash-complete*; the file is installed with the program. Names of "
	      "gateways and\n"
	      "pools come from the daemon.\n\n"
	      "# SEE ALSO\n\n*weir*(8), *weir.yaml*(5)\n",
	      out);
}
