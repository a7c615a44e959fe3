/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small config and its policy without a dataplane, in a folder of its own: peer c, pool p with gateways g
 * and h.
 */
#ifndef WEIR_TESTS_CONTROL_SMALL_H
#define WEIR_TESTS_CONTROL_SMALL_H

#include "control/apply.h"

struct small {
	char dir[64];
	struct conf *conf;
	struct ctl_policy *policy;
};

/* Makes it, in /tmp/weir-NAME-XXXXXX. Returns 0, or another number. */
int small_make(struct small *s, const char *name);

/* Removes it; its folder must be empty. Returns 0, or another number. */
int small_free(struct small *s);

#endif
