/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Probes of one gateway: when the next one is due, when the open one has failed, how the last ones ended. It
 * sends nothing and reads no clock, so it is tested without a network; health.c drives it, and what the
 * results mean is the governor's business. Times are ns of dp_now().
 *
 * Any response is an answer, whatever its status. A probe that could not be sent says nothing. At most one
 * probe is open at a time.
 */
#ifndef WEIR_CONTROL_PROBE_H
#define WEIR_CONTROL_PROBE_H

#include "control/control.h"

struct probe_rules {
	uint64_t interval; /* ns between probes, > 0 */
	uint64_t timeout;  /* ns until silence is a failure */
};

struct probe {
	bool open;          /* a probe waits for its answer */
	uint64_t grid;      /* the regular time of the next probe, without jitter */
	uint64_t next;      /* the next probe, with jitter */
	uint64_t deadline;  /* of the open probe */
	uint32_t failures;  /* in a row */
	uint32_t successes; /* in a row */
	uint32_t total;     /* probes recorded; the newest is ring[(total - 1) % CTL_PROBES] */
	struct ctl_probe ring[CTL_PROBES];
};

/* No probe yet; they lie at `phase` (ns, any value) modulo the interval, so that gateways spread evenly.
 */
void probe_init(struct probe *p, const struct probe_rules *rules, uint64_t phase, uint64_t now);

/* When probe_expired() or a new probe is due, whichever comes next. */
uint64_t probe_wake(const struct probe *p);

/* True if a probe should be sent now. */
bool probe_due(const struct probe *p, uint64_t now);

/* A probe went out. `random` spreads the next one over 10 % of the interval. */
void probe_sent(struct probe *p, const struct probe_rules *rules, uint64_t now, uint32_t random);

/* A probe was due but could not be handed on. */
void probe_unsent(struct probe *p, const struct probe_rules *rules, uint64_t now, uint32_t random);

/* The open probe was answered at `at`. False: none is open, or its deadline has passed. */
bool probe_answered(struct probe *p, uint64_t at, uint16_t status);

/* Gives the open probe up if its deadline has passed; tells if it did. */
bool probe_expired(struct probe *p, uint64_t now);

/* When the last probe was sent; 0: there was none. */
uint64_t probe_last(const struct probe *p);

/* The open probe, if there is one, says nothing: Weir's own packet path stood still, or it is not wanted. */
void probe_void(struct probe *p);

/* Copies the results, newest first, to out; returns how many. */
uint32_t probe_history(const struct probe *p, struct ctl_probe out[CTL_PROBES]);

#endif
