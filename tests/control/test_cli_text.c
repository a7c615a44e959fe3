/* SPDX-License-Identifier: BSD-3-Clause */
/* weirctl without a daemon: words, options, figures, tables, completion of words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/table.h"
#include "control/cli/value.h"

static void split_words(void **state)
{
	char plain[] = "  show \t gateways\n", quoted[] = "drain \"gw 1\" 'a\"b' x''y", open[] = "drain \"gw",
	     empty[] = " \n";
	char *argv[8];

	assert_int_equal(cli_split(plain, argv, 8), 2);
	assert_string_equal(argv[1], "gateways");
	assert_int_equal(cli_split(quoted, argv, 8), 4);
	assert_string_equal(argv[1], "gw 1");
	assert_string_equal(argv[2], "a\"b");
	assert_string_equal(argv[3], "xy");
	assert_int_equal(cli_split(open, argv, 8), -1);
	assert_int_equal(cli_split(empty, argv, 8), 0);
}

/* Parses words; on success they must be `expect` joined by blanks. Returns the result of cli_parse(). */
static int parse(struct cli *cli, const char *line, bool lenient, const char *expect)
{
	char copy[256], got[256] = "", *argv[32];
	const char *words[CLI_WORDS];
	int argc, n;

	strcpy(copy, line);
	argc = cli_split(copy, argv, 32);
	n = cli_parse(cli, argc, argv, words, lenient);
	for (int i = 0; i < n; i++) {
		strcat(got, i ? " " : "");
		strcat(got, words[i]);
	}
	if (expect)
		assert_string_equal(got, expect);
	if (cli->socket)
		assert_true(strlen(cli->socket) < 32);
	return n;
}

static void options_anywhere(void **state)
{
	struct cli cli = { 0 };

	assert_int_equal(parse(&cli, "show -j gateways --timeout=2.5 east", false, "show gateways east"), 3);
	assert_true(cli.json);
	assert_true(cli.timeout_s == 2.5);
	assert_int_equal(parse(&cli, "-jV --watch 2 -- health --json", false, "health --json"), 2);
	assert_true(cli.version && cli.watch_s == 2);
	assert_null(cli.error);
}

static void options_refused(void **state)
{
	static const char *const bad[] = { "--nothing",   "-x",           "show --timeout",
					   "--timeout=0", "--timeout=1x", "--json=1",
					   "-jx",         "--watch=-1",   "--watch=",
					   "-s",          "--socket=",    "a b c d e f g h i" };

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cli cli = { 0 };

		assert_int_equal(parse(&cli, bad[i], false, NULL), -1);
		assert_non_null(cli.error);
		json_decref(cli.error);
	}
}

static void commands_found(void **state)
{
	static const struct {
		const char *line, *method, *args[CLI_OPERANDS];
	} good[] = { { "show gateways", "show.gateways", {} },
		     { "show gateways east", "show.gateways", { "east" } },
		     { "drain gw1", "gateway.drain", { "gw1" } },
		     { "set gw1 max-cps 5/s", "set", { "gw1", "max-cps", "5/s" } },
		     { "health", "health", {} } };
	static const char *const bad[] = { "show",      "show nothing",    "drain",
					   "drain a b", "set gw1 weight",  "set gw1 weight 1 2",
					   "nothing",   "show status now", "gateways" };
	char copy[64], *argv[8];
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		const char *args[CLI_OPERANDS] = { NULL };
		struct cli cli = { 0 };
		const struct cli_command *c;

		strcpy(copy, good[i].line);
		c = cli_find(&cli, cli_split(copy, argv, 8), (const char *const *)argv, args);
		assert_non_null(c);
		assert_string_equal(c->method, good[i].method);
		for (int k = 0; k < CLI_OPERANDS; k++) {
			if (good[i].args[k])
				assert_string_equal(args[k], good[i].args[k]);
			else
				assert_null(args[k]);
		}
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const char *args[CLI_OPERANDS];
		struct cli cli = { 0 };

		strcpy(copy, bad[i]);
		assert_null(cli_find(&cli, cli_split(copy, argv, 8), (const char *const *)argv, args));
		assert_non_null(cli.error);
		json_decref(cli.error);
	}
}

/* Every row of the table can be run, shown and explained. */
static void table_is_whole(void **state)
{
	for (const struct cli_command *c = cli_commands; c->words[0]; c++) {
		assert_true((c->method != NULL) != (c->run != NULL));
		assert_true(!c->method || c->show);
		for (int i = 0; i < CLI_OPERANDS; i++) {
			const struct cli_operand *o = &c->operands[i];

			assert_true((o->arg == CLI_ARG_NONE) == (o->name == NULL));
			assert_true(!c->method || o->arg == CLI_ARG_NONE || o->param);
			assert_true(!i || o->arg == CLI_ARG_NONE || !c->operands[i - 1].optional);
		}
		assert_true(strlen(c->help) > 0);
	}
}

static void figures(void **state)
{
	char t[FIGURE];

	assert_string_equal(figure_rate(t, 0), "0");
	assert_string_equal(figure_rate(t, 3.333), "3.3");
	assert_string_equal(figure_rate(t, 1234.5), "1234");
	assert_string_equal(figure_ms(t, 0.83), "830 us");
	assert_string_equal(figure_ms(t, 1.239), "1.24 ms");
	assert_string_equal(figure_ms(t, 999.9), "1.00 s");
	assert_string_equal(figure_age(t, -1), "0s");
	assert_string_equal(figure_age(t, 59.9), "59s");
	assert_string_equal(figure_age(t, 130), "2m10s");
	assert_string_equal(figure_age(t, 11040), "3h04m");
	assert_string_equal(figure_age(t, 86400.0 * 400), "400d00h");
	assert_string_equal(figure_percent(t, 1.0 / 3), "33.3%");
	assert_string_equal(figure_bytes(t, 999), "999 B");
	assert_string_equal(figure_bytes(t, 1234567), "1.2 MB");
	assert_string_equal(figure_bytes(t, 1.8e19), "18.0 EB");
}

static void table_aligned(void **state)
{
	static const struct column columns[] = { { "NAME" }, { "COUNT", true }, { "STATE" }, { 0 } };
	struct table *t = table_new(columns);
	char *text;
	size_t n;
	FILE *f;

	table_cell(t, TINT_NONE, "é");
	table_cell(t, TINT_NONE, "%d", 7);
	table_cell(t, TINT_GOOD, "up");
	table_cell(t, TINT_NONE, "a\033[2Jb");
	table_cell(t, TINT_NONE, "1234567");
	table_cell(t, TINT_BAD, "down");
	f = open_memstream(&text, &n);
	table_print(t, f, false);
	fclose(f);
	assert_string_equal(text, "NAME      COUNT  STATE\n"
				  "é             7  up\n"
				  "a?[2Jb  1234567  down\n");
	free(text);
	f = open_memstream(&text, &n);
	table_print(t, f, true);
	fclose(f);
	assert_non_null(strstr(text, "\033[32mup\033[0m\n"));
	free(text);
	table_free(t);
}

/* A prefix that is cut would be another prefix. */
static void lists_are_cut_between_texts(void **state)
{
	json_t *list = json_array();
	char text[64];

	for (int i = 0; i < 4; i++)
		json_array_append_new(list, json_string("192.0.2.128/28"));
	assert_string_equal(joined(list, text, sizeof(text)),
			    "192.0.2.128/28, 192.0.2.128/28, 192.0.2.128/28, ...");
	json_array_clear(list);
	assert_string_equal(joined(list, text, sizeof(text)), "");
	json_decref(list);
}

static void collect(void *arg, const char *text)
{
	strcat(arg, text);
	strcat(arg, " ");
}

static void completion(void **state)
{
	static const struct {
		const char *line, *expect;
	} cases[] = {
		{ "", "show audit events drain maint ready set hash why health check help " },
		{ "sh", "show " },
		{ "show gat", "gateways gateway " },
		{ "--json show p", "pools peers ports " },
		{ "show --so", "--socket " },
		{ "-s /nowhere drain ", "node " }, /* no daemon, no names */
		{ "-s /nowhere set gw1 ", "weight max-cps max-calls " },
		{ "help d", "drain " },
		{ "show status ", "" },
		{ "show \"ga", "" },
	};
	struct cli cli = { .socket = "/nonexistent/weir.sock" };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char got[512] = "";

		cli_complete(&cli, cases[i].line, strlen(cases[i].line), collect, got);
		assert_string_equal(got, cases[i].expect);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(split_words),     cmocka_unit_test(options_anywhere),
		cmocka_unit_test(options_refused), cmocka_unit_test(commands_found),
		cmocka_unit_test(table_is_whole),  cmocka_unit_test(figures),
		cmocka_unit_test(table_aligned),   cmocka_unit_test(lists_are_cut_between_texts),
		cmocka_unit_test(completion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
