/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health of one gateway as a state machine: events and time in, a verdict out. It sends nothing and reads no
 * clock, so it is tested without a network; health.c drives it. Times are ns of dp_now().
 *
 * Any response means alive, whatever its status: only silence counts against a gateway. A probe that could
 * not be sent says nothing. At most one probe is open at a time.
 */
#ifndef WEIR_CONTROL_PROBE_H
#define WEIR_CONTROL_PROBE_H

#include "control/control.h"

struct probe_rules {
	uint64_t interval;   /* ns between probes, > 0 */
	uint64_t timeout;    /* ns until silence is a failure */
	uint32_t down_after; /* failures in a row until DOWN, >= 1 */
	uint32_t up_after;   /* answers in a row until UP, >= 1 */
};

struct probe {
	enum lb_health health;
	bool open;          /* a probe waits for its answer */
	uint64_t since;     /* last change of health, or start */
	uint64_t grid;      /* the regular time of the next probe, without jitter */
	uint64_t next;      /* the next probe, with jitter */
	uint64_t deadline;  /* of the open probe */
	uint32_t failures;  /* in a row */
	uint32_t successes; /* in a row */
	uint32_t total;     /* probes recorded; the newest is ring[(total - 1) % CTL_PROBES] */
	struct ctl_probe ring[CTL_PROBES];
};

/* UP at `now`; its probes lie at `phase` (ns, any value) modulo the interval, so that gateways spread evenly.
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

/*
 * The open probe was answered at `at`. Returns true if that changed p->health. An answer that came after the
 * deadline, or when none is open, is left to the caller by returning false with *stray set.
 */
bool probe_answered(struct probe *p, const struct probe_rules *rules, uint64_t at, uint16_t status,
		    bool *stray);

/* Gives the open probe up if its deadline has passed; *lost tells. Returns true if that changed p->health. */
bool probe_expired(struct probe *p, const struct probe_rules *rules, uint64_t now, bool *lost);

/* The open probe, if there is one, says nothing: Weir's own packet path stood still, or it is not wanted. */
void probe_void(struct probe *p);

/* Copies the results, newest first, to out; returns how many. */
uint32_t probe_history(const struct probe *p, struct ctl_probe out[CTL_PROBES]);

#endif
