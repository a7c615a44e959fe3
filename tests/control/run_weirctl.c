/* SPDX-License-Identifier: BSD-3-Clause */
/* See run_weirctl.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/cli/cli.h"
#include "tests/control/run_weirctl.h"

int run_weirctl(const struct fake *fake, const char *line, char **out, char **err)
{
	char copy[512], *argv[32];
	size_t n_out, n_err;
	struct cli cli = { .socket = fake->socket, .timeout_s = 5 };
	int rc;

	free(*out);
	free(*err);
	cli.out = open_memstream(out, &n_out);
	cli.err = open_memstream(err, &n_err);
	snprintf(copy, sizeof(copy), "%s", line);
	rc = cli_run(&cli, cli_split(copy, argv, 32), argv);
	fclose(cli.out);
	fclose(cli.err);
	return rc;
}
