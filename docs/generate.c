/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the reference pages that come from tables: generate config|metrics|config-man|weirctl-man FILE. */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "control/cli/cli.h"
#include "docs/scdoc.h"
#include "stats/stats.h"

static int weirctl_man(FILE *out)
{
	cli_man(out);
	return ferror(out);
}

static const struct {
	const char *name;
	int (*write)(FILE *out);
} pages[] = {
	{ "config", conf_schema_markdown },
	{ "metrics", st_metrics_markdown },
	{ "config-man", docs_config_scdoc },
	{ "weirctl-man", weirctl_man },
};

int main(int argc, char **argv)
{
	size_t i = 0, n = sizeof(pages) / sizeof(pages[0]);
	FILE *out;
	int rc;

	while (argc == 3 && i < n && strcmp(argv[1], pages[i].name))
		i++;
	if (argc != 3 || i == n) {
		fprintf(stderr, "usage: generate config|metrics|config-man|weirctl-man FILE\n");
		return 2;
	}
	out = fopen(argv[2], "we");
	if (out == NULL) {
		perror(argv[2]);
		return 1;
	}
	rc = pages[i].write(out);
	if (fclose(out) != 0 || rc != 0) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
