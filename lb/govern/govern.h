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
	LB_NOTICE_HEALTH,    /* gateway: a: its state, enum lb_health; b: enum lb_health_why; c: its figure */
	LB_NOTICE_PANIC,     /* so many gateways of a port fell silent at once that the fault may be ours, and
				they     go on being used for a while; a: port, b: how many, c: of how many */
	LB_NOTICE_CALM,      /* and that is over; a: port */
	LB_NOTICE_OC,        /* gateway: it asks for less by overload control; a: LB_OC_*, b: its value */
	LB_NOTICE_OC_OVER,   /* gateway: it has not for LB_CLEAR_NS */
	LB_NOTICE_RETRY_AFTER,      /* gateway: what its Retry-After does now; a: LB_RETRY_*, b: s left */
	LB_NOTICE_RETRY_AFTER_OVER, /* gateway: that is over; a: 1: it answered calls before its time */
	LB_NOTICE_URGENT,           /* peer (LB_NONE: who is none): a: calls past its max-emergency */
	LB_NOTICE_SHORT,  /* pool: new requests are refused because nobody can take them; a: how many
			     in the first seconds, b: of how many, c: gateways that may have new calls */
	LB_NOTICE_ENOUGH, /* pool: none was for LB_CLEAR_NS; a, b: as above, since then; c: s, how long */
	LB_NOTICE_COUNT
};
#define LB_CLEAR_NS UINT64_C(10000000000)

struct lb_notice {
	enum lb_notice_kind kind;
	uint16_t slot;    /* of the gateway, or LB_NONE */
	uint16_t pool;    /* index, or LB_NONE */
	uint16_t peer;    /* slot, or LB_NONE */
	uint32_t a, b, c; /* what the kind says */
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

/* ---- Health -------------------------------------------------------------------------------------------- */

/* How a probe of control's ended. */
enum lb_probe_result {
	LB_PROBE_OK,
	LB_PROBE_REFUSED, /* 503: alive and full */
	LB_PROBE_SILENT
};
/*
 * Control's probe of the gateway at `slot`, which left at `sent` (monotonic ns), has ended. A silent one
 * counts only if nothing else has been heard since it left. Taken in by the next step.
 */
void lb_govern_probe(struct lb_governor *g, uint16_t slot, enum lb_probe_result result, uint64_t sent);

/* Weir itself could not hear until `now`: a worker stood still. Silence counts anew from there. */
void lb_govern_deaf(struct lb_governor *g, uint64_t now);

/* Why the state of a gateway changed. */
enum lb_health_why {
	LB_WHY_NONE,
	LB_WHY_PROBES,     /* to DOWN: so many probes in a row were not answered; figure: how many */
	LB_WHY_MUTE,       /* to DOWN: so many INVITEs wait and nothing at all comes; figure: how many */
	LB_WHY_ICMP,       /* to DOWN: INVITEs came back, and nothing else; figure: how many */
	LB_WHY_UNANSWERED, /* to DOWN: it sends something, but no answers to the calls that try it; figure: ms
			    */
	LB_WHY_ALIVE,      /* to PROBING: it answers probes, or sends something, again */
	LB_WHY_HELD_OFF,  /* to PROBING: it has been DOWN long enough, and there are no probes that could tell
			   */
	LB_WHY_READY,     /* to PROBING: maintenance is over */
	LB_WHY_PROVEN,    /* to SLOWSTART: it answers the calls that try it; figure: how many */
	LB_WHY_EASED,     /* to SLOWSTART: it says no more that it is full; figure: new calls per s it gets */
	LB_WHY_LIMIT,     /* to UP: SLOWSTART has reached what it can take; figure: new calls per s */
	LB_WHY_CLEAR,     /* to UP: no trouble for long enough */
	LB_WHY_PROBE_503, /* to SATURATED: it answers probes with 503 */
	LB_WHY_OC,        /* to SATURATED: it asks for less by overload control */
	LB_WHY_OFFERED,   /* to SATURATED: more is meant for it than it can take; figure: new calls per s */
	LB_WHY_COUNT
};

/* What is known about the health of one gateway. Times are monotonic ns. */
struct lb_health_sight {
	enum lb_health state;
	enum lb_health_why why; /* of the last change */
	uint32_t figure;        /* that goes with it */
	uint64_t since;         /* of that */
	uint64_t hold;          /* DOWN: it lasts at least until then */
	uint32_t rate;          /* new calls per s that its health allows, or LB_UNLIMITED */
	uint32_t lost, ok;      /* probes in a row without an answer, with one */
};

/* Fills in what is known of the gateway at `slot` as of the last step. Control. */
void lb_health_look(const struct lb_governor *g, uint16_t slot, struct lb_health_sight *out);

/* What changed its health, for people: "3 probes in a row without an answer". Returns out. Any thread. */
const char *lb_health_text(enum lb_health_why why, uint32_t figure, char *out, size_t n);

/* ---- Sight -------------------------------------------------------------------------------------------- */

/* Why a limit was moved last. */
enum lb_moved {
	LB_MOVED_NEVER,
	LB_MOVED_START,    /* first figures */
	LB_MOVED_GREW,     /* it was in use, and nothing spoke against more */
	LB_MOVED_DELAY,    /* calls wait in the gateway */
	LB_MOVED_REFUSED,  /* 503, 500, 504 */
	LB_MOVED_ASKED,    /* 503 with Retry-After, where that shrinks the limit */
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

/* What a gateway's Retry-After does now. */
enum lb_retry {
	LB_RETRY_NONE,
	LB_RETRY_STOP,   /* new calls are a trickle */
	LB_RETRY_SPARE,  /* would be that, but half of its pool is stopped already, and not all of it asks */
	LB_RETRY_SHRINK, /* its limit was lowered and does not grow */
	LB_RETRY_RETURN, /* a stop is over; it gets more every second */
	LB_RETRIES
};

/* "stop", "shrink" ...; static storage. Any thread. */
const char *lb_retry_name(enum lb_retry effect);

/* What the governor thinks of one gateway. */
struct lb_congestion {
	uint32_t open;       /* INVITEs there now without response but 100 */
	uint32_t open_cap;   /* most of them, or LB_UNLIMITED */
	uint32_t rate;       /* most new calls per second, or LB_UNLIMITED */
	uint32_t t1_ms;      /* T1 of INVITEs to it where the node's is too short, else 0 */
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
	uint8_t oc_algo;                 /* LB_OC_* that it asks for now; 0: nothing */
	uint32_t oc_value;               /* as it said: per cent, or requests per second */
	uint64_t oc_left_ns;             /* how long that still holds */
	uint16_t shed;                   /* part of new requests, of 65536, that follows from it */
	double sheddable;                /* share of its requests that could be withheld, as measured */
	enum lb_retry retry;             /* what its Retry-After does now */
	uint64_t retry_left_ns;          /* how long its Retry-After, as far as it is heeded, still lasts */
	bool measuring;                  /* the limit is lowered for a moment to measure the floor */
};

/* Fills in what is known of the gateway at `slot` as of the last step. Control. */
void lb_congestion(const struct lb_governor *g, uint16_t slot, struct lb_congestion *out);

/* True from LB_NOTICE_SHORT of the pool (index) to its LB_NOTICE_ENOUGH. Control. */
bool lb_pool_short(const struct lb_governor *g, uint16_t pool);

#endif
