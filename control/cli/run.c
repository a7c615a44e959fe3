/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs one command line from parsing to exit code, once or again and again (--watch), and the commands that
 * need no daemon.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/conf.h"
#include "control/cli/cli.h"
#include "control/cli/table.h"

void cli_print_json(struct cli *cli, const json_t *value)
{
	/* Ten digits say what a figure knows; a watched command prints one object a line. */
	json_dumpf(value, cli->out,
		   JSON_REAL_PRECISION(10) | (cli->watch_s > 0 ? JSON_COMPACT : JSON_INDENT(2)));
	fputc('\n', cli->out);
}

void cli_usage_text(const struct cli_command *c, char *text, size_t n)
{
	size_t at = (size_t)snprintf(text, n, "%s%s%s", c->words[0], c->words[1] ? " " : "",
				     c->words[1] ? c->words[1] : "");

	for (int i = 0; i < CLI_OPERANDS && c->operands[i].name && at < n; i++)
		at += (size_t)snprintf(text + at, n - at, c->operands[i].optional ? " [%s]" : " %s",
				       c->operands[i].name);
	if (c->waits && at < n)
		snprintf(text + at, n - at, " [--wait]");
}

/* True if a command begins with this word. */
static bool is_command(const char *word)
{
	const struct cli_command *c = cli_commands;

	while (c->words[0] && strcmp(word, c->words[0]))
		c++;
	return c->words[0];
}

int cli_run_help(struct cli *cli, const char *word)
{
	char usage[64];

	if (word && !is_command(word)) {
		cli_error(cli, CLI_USAGE, NULL, "no command \"%s\"; weirctl --help lists them", word);
		return CLI_USAGE;
	}
	if (cli->json) {
		json_t *list = json_array();

		for (const struct cli_command *c = cli_commands; c->words[0]; c++) {
			if (word && strcmp(word, c->words[0]))
				continue;
			cli_usage_text(c, usage, sizeof(usage));
			json_array_append_new(list,
					      json_pack("{s:s, s:s}", "command", usage, "help", c->help));
		}
		cli_print_json(cli, list);
		json_decref(list);
		return CLI_DONE;
	}
	if (!word)
		fputs("usage: weirctl [OPTION]... [COMMAND]\nWithout a command: a prompt, or commands from "
		      "stdin.\n\n",
		      cli->out);
	for (const struct cli_command *c = cli_commands; c->words[0]; c++) {
		cli_usage_text(c, usage, sizeof(usage));
		if (!word || !strcmp(word, c->words[0]))
			fprintf(cli->out, "  %-24s %s\n", usage, c->help);
	}
	for (const struct cli_option *o = cli_options; o->name && !word; o++) {
		snprintf(usage, sizeof(usage), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		fprintf(cli->out, "%s  %-24s %s\n", o == cli_options ? "\n" : "", usage, o->help);
	}
	return CLI_DONE;
}

static json_t *report_json(const struct conf_report *report, const char *file)
{
	json_t *list = json_array(), *name = json_string(file); /* NULL: it is no UTF-8 */

	for (uint32_t i = 0; i < report->n; i++)
		json_array_append_new(list,
				      json_pack("{s:i, s:i, s:s, s:s}", "line", report->messages[i].line,
						"column", report->messages[i].column, "level",
						report->messages[i].warning ? "warning" : "error", "text",
						report->messages[i].text));
	return json_pack("{s:o, s:b, s:i, s:i, s:o}", "file", name ? name : json_null(), "valid",
			 report->n_errors == 0, "errors", report->n_errors, "warnings", report->n_warnings,
			 "messages", list);
}

int cli_run_check(struct cli *cli, const char *file)
{
	struct conf_report report = { 0 };
	struct conf *conf = NULL;
	int rc = conf_load(file, &conf, &report);
	json_t *o;

	if (rc && !report.n_errors) {
		cli_error(cli, CLI_REFUSED, json_pack("{s:s}", "file", file), "%s: %s", file, strerror(-rc));
	} else if (cli->json) {
		o = report_json(&report, file);
		cli_print_json(cli, o);
		json_decref(o);
	} else {
		conf_report_print(&report, cli->out);
		if (!rc)
			fprintf(cli->out, "%s: good\n", file);
	}
	conf_report_free(&report);
	conf_free(conf);
	return rc ? CLI_REFUSED : CLI_DONE;
}

static int ask_and_show(struct cli *cli, const struct cli_command *c, const char *const *args)
{
	json_t *params = json_object(), *result = NULL;
	int rc;

	for (int i = 0; i < CLI_OPERANDS; i++) {
		if (args[i] && json_object_set_new(params, c->operands[i].param, json_string(args[i]))) {
			cli_error(cli, CLI_USAGE, NULL, "\"%s\" is no UTF-8 text", args[i]);
			json_decref(params);
			return CLI_USAGE;
		}
	}
	rc = cli_ask(cli, c->method, params, &result);
	if (rc != CLI_DONE)
		return rc;
	/* These say by their exit code how Weir is, in JSON, too. */
	if (!cli->json || c->show == cli_show_health || c->show == cli_show_audit)
		rc = c->show(cli, result);
	else
		cli_print_json(cli, result);
	json_decref(result);
	return rc;
}

/* The daemon said that nothing had to be changed: no reason not to wait. Then the error is forgotten. */
static bool is_so_already(struct cli *cli)
{
	if (!cli->error || json_integer_value(json_object_get(cli->error, "code")) != CLI_SO_ALREADY)
		return false;
	json_decref(cli->error);
	cli->error = NULL;
	return true;
}

static int run_once(struct cli *cli, const struct cli_command *c, const char *const *args)
{
	int rc = c->method ? ask_and_show(cli, c, args) : c->run(cli, args[0]);

	if (cli->wait && (rc == CLI_DONE || is_so_already(cli)))
		rc = cli_wait(cli, c->operands[0].arg == CLI_ARG_GATEWAY ? args[0] : NULL);

	if (c->show == cli_show_health && cli->error) {
		/* A monitoring check that learned nothing is UNKNOWN, on stdout like its other answers. */
		rc = CLI_NO_DAEMON;
		if (!cli->json) {
			fprintf(cli->out, "WEIR UNKNOWN - %s\n",
				json_string_value(json_object_get(cli->error, "message")));
			json_decref(cli->error);
			cli->error = NULL;
		}
	}
	cli_report(cli);
	fflush(cli->out);
	return rc;
}

static void sleep_s(double s)
{
	struct timespec ts = { .tv_sec = (time_t)s, .tv_nsec = (long)((s - (double)(time_t)s) * 1e9) };

	nanosleep(&ts, NULL);
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int sig)
{
	interrupted = 1;
}

int cli_repeat(struct cli *cli, double s, bool stop, int (*turn)(struct cli *cli, void *arg), void *arg)
{
	const struct sigaction act = { .sa_handler = on_interrupt };
	struct sigaction before;
	int rc;

	interrupted = 0;
	sigaction(SIGINT, &act, &before);
	do {
		rc = turn(cli, arg);
		if (!interrupted && !(stop && rc != CLI_DONE))
			sleep_s(s);
	} while (!interrupted && !ferror(cli->out) && !(stop && rc != CLI_DONE));
	sigaction(SIGINT, &before, NULL);
	return rc;
}

struct watched {
	const struct cli_command *command;
	const char *const *args;
};

static int watch_turn(struct cli *cli, void *arg)
{
	const struct watched *watched = arg;
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	if (!cli->json) {
		strftime(stamp, sizeof(stamp), "%H:%M:%S", localtime_r(&now, &tm));
		fprintf(cli->out, "%severy %gs  %s\n\n", cli->color ? "\033[H\033[2J" : "", cli->watch_s,
			stamp);
	}
	return run_once(cli, watched->command, watched->args);
}

/* False after cli_error(): an option that this command does not know. */
static bool options_fit(struct cli *cli, const struct cli_command *c)
{
	const char *wrong = NULL;

	if (cli->gateway && c->show != cli_show_calls)
		wrong = "--gateway is for show calls";
	else if (cli->watch_s > 0 && (!c->method || c->changes))
		wrong = "--watch is for show and health";
	else if ((cli->wait || cli->within_s > 0) && !c->waits)
		wrong = "--wait and --within are for drain and maint";
	else if (cli->within_s > 0 && !cli->wait)
		wrong = "--within is for --wait";
	if (wrong)
		cli_error(cli, CLI_USAGE, NULL, "%s", wrong);
	return !wrong;
}

int cli_run(const struct cli *defaults, int argc, char *const *argv)
{
	struct cli cli = *defaults;
	const char *words[CLI_WORDS] = { "" }, *args[CLI_OPERANDS] = { NULL };
	const struct cli_command *c = NULL;
	int n = cli_parse(&cli, argc, argv, words, false), rc;

	if (n >= 0 && cli.version) {
		fprintf(cli.out, "weirctl %s\n", WEIR_VERSION);
		return CLI_DONE;
	}
	if (n >= 0 && cli.help) {
		rc = cli_run_help(&cli, n > 0 ? words[0] : NULL);
		cli_report(&cli);
		return rc;
	}
	if (n == 0)
		return cli.prompt ? CLI_DONE : cli_shell(&cli);
	if (n > 0)
		c = cli_find(&cli, n, words, args);
	if (c && !args[0])
		args[0] = cli.gateway;
	if (c && !options_fit(&cli, c))
		c = NULL;
	if (!c) {
		cli_report(&cli);
		/* A check that is written wrongly has learned nothing: 2 would be critical. */
		return strcmp(words[0], "health") ? CLI_USAGE : CLI_NO_DAEMON;
	}
	return cli.watch_s > 0
		       ? cli_repeat(&cli, cli.watch_s, false, watch_turn, &(struct watched){ c, args })
		       : run_once(&cli, c, args);
}
