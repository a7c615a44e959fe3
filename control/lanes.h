/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that workers and control share: words and lanes. See lanes.c. */
#ifndef WEIR_CONTROL_LANES_H
#define WEIR_CONTROL_LANES_H

#include "control/control.h"

/*
 * Makes app->words, app->stats and app->lane, and names them in the plan. After the policy, which knows how
 * many slots there are; before the dataplane. Returns 0 or -ENOMEM; lanes_free() takes what was made.
 */
int lanes_make(struct app *app);
void lanes_free(struct app *app);

#endif
