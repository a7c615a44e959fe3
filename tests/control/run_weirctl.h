/* SPDX-License-Identifier: BSD-3-Clause */
/* The real weirctl, in this process. */
#ifndef WEIR_TESTS_CONTROL_RUN_WEIRCTL_H
#define WEIR_TESTS_CONTROL_RUN_WEIRCTL_H

#include "tests/control/fake.h"

/*
 * Runs weirctl with this command line against the daemon of `fake`. *out and *err are freed, then hold what
 * it wrote. Returns its exit code.
 */
int run_weirctl(const struct fake *fake, const char *line, char **out, char **err);

#endif
