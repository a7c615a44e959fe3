/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Second door of the policy room, for control: the governor. Ten times a second it reads what the workers
 * have noticed about each gateway (lb/signals.h), and sets in the words what each may be given: the
 * congestion manager. Pure like the rest of lb/: no clock, no allocation; floats are allowed here. All
 * functions: control.
 */
#ifndef WEIR_LB_GOVERN_H
#define WEIR_LB_GOVERN_H

#include "lb/lb.h"

#define LB_STEP_NS 100000000u /* between two steps */

struct lb_governor;

/* What an operator should hear of. */
enum lb_notice_kind {
	LB_NOTICE_CONGESTED, /* gateway: its limit was lowered for the first time; a: open INVITEs allowed */
	LB_NOTICE_CLEAR,     /* gateway: nothing has met its limit for LB_CLEAR_NS; a: the same */
	LB_NOTICE_COUNT
};
#define LB_CLEAR_NS UINT64_C(10000000000)

struct lb_notice {
	enum lb_notice_kind kind;
	uint16_t slot; /* of the gateway, or LB_NONE */
	uint16_t pool; /* index, or LB_NONE */
	uint16_t peer; /* slot, or LB_NONE */
	uint32_t a, b; /* what the kind says */
};

/* Bytes for a governor of gateway slots 0 to n_slots - 1, and of so many workers. */
size_t lb_governor_size(uint32_t n_slots, uint32_t n_workers);

/*
 * Makes one in `mem` (64-byte aligned). `workers` are copied; they and `words` outlive it. now: monotonic ns.
 */
struct lb_governor *lb_governor_init(void *mem, uint32_t n_slots, struct lb_words *words,
				     const struct lb_worker *const *workers, uint32_t n_workers,
				     uint64_t now);

/*
 * One step, due every LB_STEP_NS. `s` is the snapshot in force; a gateway that it no longer has is forgotten.
 * A clock that stands still or jumps costs what was measured since the last step and nothing else. Writes
 * notices, at most `max`, and returns their number; what does not fit is lost.
 */
unsigned lb_govern(struct lb_governor *g, const struct lb_snapshot *s, uint64_t now,
		   struct lb_notice *notices, unsigned max);

/* ---- Sight -------------------------------------------------------------------------------------------- */

/* Why a limit was moved last. */
enum lb_moved {
	LB_MOVED_NEVER,
	LB_MOVED_START,    /* first figures */
	LB_MOVED_GREW,     /* it was in use, and nothing spoke against more */
	LB_MOVED_DELAY,    /* calls wait in the gateway */
	LB_MOVED_REFUSED,  /* 503, 500, 504 */
	LB_MOVED_REPEATED, /* INVITEs had to be sent again */
	LB_MOVED_SILENT,   /* no answers at all */
	LB_MOVED_MEASURE,  /* lowered for a moment to measure the delay without a queue, or raised again after
			    */
	LB_MOVED_REASONS
};

/* "grew", "delay" ...: what a limit's last move was for; static storage. Any thread. */
const char *lb_moved_name(enum lb_moved why);

/* A signal beside what it is held against. */
struct lb_signal_sight {
	double value, floor, threshold; /* threshold: where it begins to lower the limit */
	bool known;                     /* value and floor mean something */
};

/* What the governor thinks of one gateway. */
struct lb_congestion {
	uint32_t open;       /* INVITEs there now without response but 100 */
	uint32_t open_cap;   /* most of them, or LB_UNLIMITED */
	uint32_t rate;       /* most new calls per second, or LB_UNLIMITED */
	enum lb_moved why;   /* of the last change of open_cap */
	uint64_t moved;      /* ns; when; 0: never */
	uint32_t moved_from; /* and what it was before */
	double offered_s;    /* INVITEs sent there per second */
	double finished_s;   /* calls per second that made progress or failed */
	struct lb_signal_sight
		response; /* s; to the first response: least of DELAY_BLOCK in a row, mean of those */
	struct lb_signal_sight progress; /* s; the same to the first but 100 */
	struct lb_signal_sight refused;  /* share of calls refused in most classes of numbers and callers */
	struct lb_signal_sight repeated; /* share of INVITEs sent again */
	uint64_t oldest_ns;              /* age of the oldest unanswered INVITE; 0: there is none */
	bool measuring;                  /* the limit is lowered for a moment to measure the floor */
};

/* Fills in what is known of the gateway at `slot` as of the last step. Control. */
void lb_congestion(const struct lb_governor *g, uint16_t slot, struct lb_congestion *out);

#endif
