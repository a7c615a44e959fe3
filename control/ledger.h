/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls in use, once a second: survivors grow old, the figures go to the state folder, and a pool that is
 * full is told of. Control thread.
 */
#ifndef WEIR_CONTROL_LEDGER_H
#define WEIR_CONTROL_LEDGER_H

#include "control/control.h"

/*
 * Sets the survivors of the process before this one in the words, before any worker runs, and starts the
 * timer on app->base. Returns 0 or -ENOMEM; figures that cannot be read are logged and count as none.
 */
int ledger_start(struct app *app);

/* What the timer does, once a second. */
void ledger_turn(struct app *app);

/* Writes the last figures, also when the workers have stopped. */
void ledger_stop(struct app *app);

#endif
