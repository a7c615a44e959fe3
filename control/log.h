/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines of the control thread to stderr, one function per level. Under systemd every line carries the
 * journal's priority prefix; on a terminal it reads "weir: warning: ...". What somebody outside can cause
 * goes through a gate, so that a flood of packets never becomes a flood of lines.
 */
#ifndef WEIR_CONTROL_LOG_H
#define WEIR_CONTROL_LOG_H

#include <stdbool.h>
#include <stdint.h>

#define CTL_PRINTF __attribute__((format(printf, 1, 2)))

/* Weir cannot do what it was told. */
CTL_PRINTF void ctl_err(const char *fmt, ...);
/* It works, but not as somebody would expect. */
CTL_PRINTF void ctl_warn(const char *fmt, ...);
/* Something an operator wants to see in the morning: start, stop, a gateway up or down, a drain. */
CTL_PRINTF void ctl_notice(const char *fmt, ...);
/* Details. */
CTL_PRINTF void ctl_info(const char *fmt, ...);

/* One line per `every` ns; counts what it held back. Zero-initialise. Control thread. */
struct ctl_gate {
	uint64_t next; /* dp_now() from which the next line may go out */
	uint64_t held; /* lines held back since the last one */
};

/* True if a line may be written at `now`; then *held is how many were not since the last one. */
bool ctl_gate(struct ctl_gate *gate, uint64_t now, uint64_t every, uint64_t *held);

#endif
