/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes the reference pages that come from tables: generate config|metrics FILE. */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "stats/stats.h"

int main(int argc, char **argv)
{
	FILE *out;
	int rc;

	if (argc != 3 || (strcmp(argv[1], "config") != 0 && strcmp(argv[1], "metrics") != 0)) {
		fprintf(stderr, "usage: generate config|metrics FILE\n");
		return 2;
	}
	out = fopen(argv[2], "we");
	if (out == NULL) {
		perror(argv[2]);
		return 1;
	}
	rc = strcmp(argv[1], "config") == 0 ? conf_schema_markdown(out) : st_metrics_markdown(out);
	if (fclose(out) != 0 || rc != 0) {
		perror(argv[2]);
		return 1;
	}
	return 0;
}
