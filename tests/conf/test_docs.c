/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema is sound, and the generated pages are those that the tables give today. */
#include "tests/conf/conf_test.h"

#include "conf/value.h"
#include "stats/stats.h"

#define KEYS_MAX 32 /* keys of one section that conf/load.c has room for */

static void check_field(const struct field *f)
{
	struct arena arena = { 0 };
	char member[64];

	assert_non_null(f->help);
	assert_int_not_equal(f->help[strlen(f->help) - 1], '.');
	assert_false(f->required && f->def != NULL);
	assert_false(f->kind == KIND_ENUM && f->words == NULL);
	if (f->kind < KIND_SCALARS && !f->required && f->def == NULL)
		assert_non_null(f->absent);
	if (f->def != NULL && conf_value_read(f, f->def, member, &arena) != 0)
		fail_msg("default of \"%s\" is no value of it: %s", f->name, f->def);
	arena_free(&arena);
}

static void check_section(const struct section *s)
{
	assert_in_range(s->n, 1, KEYS_MAX);
	for (unsigned int i = 0; i < s->n; i++) {
		const struct field *f = &s->fields[i];

		for (unsigned int k = 0; k < i; k++)
			assert_string_not_equal(f->name, s->fields[k].name);
		for (unsigned int k = 0; s->later != NULL && s->later[k] != NULL; k++)
			assert_string_not_equal(f->name, s->later[k]);
		if (f->kind >= KIND_SECTION)
			check_section(f->section);
		else
			check_field(f);
	}
}

static void test_schema(void **state)
{
	check_section(&conf_root);
}

static char *read_page(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(in);
	assert_in_range(fread(text, 1, (1 << 20) - 1, in), 1, (1 << 20) - 2);
	fclose(in);
	return text;
}

static void check_page(const char *path, int (*write_page)(FILE *out))
{
	char *page = read_page(path), *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_int_equal(write_page(out), 0);
	fclose(out);
	if (strcmp(page, text) != 0)
		fail_msg("%s is stale: ninja -C build docs", path);
	free(page);
	free(text);
}

static void test_config_page(void **state)
{
	check_page(SOURCE_ROOT "/docs/config.md", conf_schema_markdown);
}

static void test_metrics_page(void **state)
{
	check_page(SOURCE_ROOT "/docs/metrics.md", st_metrics_markdown);
}

/* The unit makes the folders that the defaults and the sample write to: all others are read-only to it. */
static void test_service_folders(void **state)
{
	char *unit = read_page(SOURCE_ROOT "/contrib/weir.service");
	struct conf_report report;
	struct conf *conf;

	assert_int_equal(conf_load(SOURCE_ROOT "/conf/samples/carrier.yaml", &conf, &report), 0);
	assert_string_equal(conf->state_dir, "/var/lib/weir");
	assert_non_null(strstr(unit, "\nStateDirectory=weir\n"));
	assert_string_equal(conf->control.socket, "/run/weir/weir.sock");
	assert_non_null(strstr(unit, "\nRuntimeDirectory=weir\n"));
	assert_string_equal(conf->control.records, "/var/log/weir/calls.jsonl");
	assert_non_null(strstr(unit, "\nLogsDirectory=weir\n"));
	conf_report_free(&report);
	conf_free(conf);
	free(unit);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_config_page),
		cmocka_unit_test(test_metrics_page),
		cmocka_unit_test(test_service_folders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
