/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Call records: takes them from the workers and appends them to the file of the config, one JSON object a
 * line. A file that is slow or full costs records, counted, and nothing else. Control thread.
 */
#ifndef WEIR_CONTROL_RECORDS_H
#define WEIR_CONTROL_RECORDS_H

#include "control/control.h"

/*
 * Opens the file and starts the timer on app->base; does nothing if the config names no file. Returns 0, or
 * -errno after logging one line.
 */
int records_start(struct app *app);

/* Takes what there is from the workers, writes it and closes the file. */
void records_stop(struct app *app);

/* The file was moved away: goes on in a new one of the same name. */
void records_reopen(struct app *app);

#endif
