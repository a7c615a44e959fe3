/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a gateway wants to be left alone: the part of struct governed that retry_after.c writes. */
#ifndef WEIR_LB_RETRY_AFTER_H
#define WEIR_LB_RETRY_AFTER_H

#include "lb/govern/govern.h"

/* All fields: control. Times are monotonic ns. */
struct retry_after {
	uint64_t until;  /* what it asked for lasts until then; 0: nothing */
	uint64_t lately; /* last 503 with Retry-After; 0: none */
	uint64_t second; /* RETURN: start of the second in hand */
	uint32_t last;   /* its last answers, a bit each: 1: 503 with Retry-After */
	uint32_t open;   /* STOP: INVITEs that were open when it began and have no answer yet */
	uint32_t well;   /* STOP: calls since then that it answered, in a row, with something else */
	uint32_t usual;  /* new calls per s that it got before */
	uint32_t rate;   /* that it may get, or LB_UNLIMITED */
	uint8_t effect;  /* enum lb_retry */
};

/* A gateway that has asked for nothing. */
void retry_after_start(struct retry_after *ra);

/* Sight. */
void retry_after_sight(const struct retry_after *ra, uint64_t now, struct lb_congestion *out);

#endif
