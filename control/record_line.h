/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A call record as one line of JSON. Texts of a record come from the network and are any bytes; the line is
 * valid UTF-8 and valid JSON whatever they are. Pure. Control thread.
 */
#ifndef WEIR_CONTROL_RECORD_LINE_H
#define WEIR_CONTROL_RECORD_LINE_H

#include <stddef.h>
#include <time.h>

#include "lb/lb.h"

#define RECORD_LINE 4096 /* bytes that hold every line */

struct ctl_policy;

/*
 * Writes the record with its '\n', without a terminating zero, into out[RECORD_LINE]. node: name of this
 * node; names of gateways and peers are the policy's; ended: wall clock. Returns the bytes written.
 */
size_t record_line(const struct lb_record *r, const char *node, const struct ctl_policy *policy,
		   const struct timespec *ended, char *out);

#endif
