/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Poisson callers over UDP with the timers of RFC 3261 and human patience, for many peers at once.
 *   main.c   the loop, the steps of load
 *   plan.c   the plan: a JSON file
 *   call.c   one call: INVITE, patience, CANCEL, ACK, BYE
 *   write.c  requests as text
 *   obey.c   what a peer is told: Retry-After, oc (RFC 7339, RFC 7415)
 *   tally.c  what is measured, as JSON
 * One thread; all calls lie in one array that is made at start. Load is open: arrivals do not wait for
 * anything, and if the program is late it catches up and says by how much.
 */
#ifndef WEIR_BENCH_CALLERS_H
#define WEIR_BENCH_CALLERS_H

#include "bench/kit/draw.h"
#include "bench/kit/heap.h"
#include "bench/kit/hist.h"
#include "bench/kit/text.h"
#include "bench/kit/udp.h"

#define MS          UINT64_C(1000000)
#define S           UINT64_C(1000000000)
#define T2          (4 * S)
#define MAX_PEERS   32
#define MAX_PORTS   16
#define MAX_TARGETS 16
#define MAX_STEPS   64
#define MAX_BINS    16384

enum counter {
#define X(name, series, what) N_##name,
#include "bench/callers/counters.def"
#undef X
	COUNTERS
};

/* What a call is to; each has its own tally. */
enum kind {
	TO_ANYBODY,
	TO_EMERGENCY, /* half of them as 112, half as urn:service:sos */
	TO_PREFIX,    /* the peer's own number prefix */
	KINDS
};

enum obeys {
	OBEYS_NOTHING,
	OBEYS_HOLD,  /* Retry-After: nothing new to that target for so long (RFC 3261 21.5.4) */
	OBEYS_REDIAL /* Retry-After: the caller tries once more then */
};

enum state {
	CALL_FREE,
	CALL_INVITING,   /* INVITE sent, repeated until the first response */
	CALL_PROCEEDING, /* a provisional response has come */
	CALL_CANCELLING, /* CANCEL sent */
	CALL_UP,
	CALL_ENDING, /* BYE sent */
	CALL_WAITING /* for Retry-After to pass */
};

enum timer_kind {
	TIMER_CALL,
	TIMER_PATIENCE,
	TIMER_ARRIVAL
};

struct tally {
	uint64_t n[COUNTERS];
};

struct peer_plan {
	char name[32];
	double share;     /* of the rate of a step */
	double hold;      /* s, mean */
	double emergency; /* part of the calls */
	double prefixed;  /* part of the calls that go to `prefix` */
	char prefix[24];
	enum obeys obeys;
	bool oc; /* says `oc` in its Via and obeys what it is told */
	uint32_t n_ports;
	union kit_addr from;
};

struct step {
	char name[32];
	double rate; /* calls/s of all peers */
	double seconds;
	double peer_rate[MAX_PEERS]; /* instead of rate x share; negative: none */
};

/* What a peer was told by one target. */
struct told {
	uint64_t hold_until; /* ns; Retry-After */
	uint64_t oc_until;   /* ns */
	double oc_seq;
	double oc_value; /* % or requests/s */
	bool oc_is_rate;
	double tokens; /* of the rate, and when they were counted (ns) */
	uint64_t counted;
};

struct peer {
	struct peer_plan plan;
	struct kit_udp port[MAX_PORTS];
	uint32_t next_port;
	struct kit_timer arrival;
	double rate; /* calls/s now */
	struct told told[MAX_TARGETS];
	uint64_t oc_heard; /* responses with an oc value, and the largest of them */
	double oc_max;
	uint64_t retry_after_heard;
	uint32_t retry_after_min, retry_after_max; /* s */
	uint32_t *series[COUNTERS];                /* by bin */
};

struct call {
	struct kit_timer timer, patience;
	uint32_t generation;
	uint8_t peer, port, target;
	uint8_t state; /* enum state */
	uint8_t kind;  /* enum kind */
	uint8_t step;  /* in which it began */
	bool gone;     /* the caller has lost patience */
	bool redial;
	bool heard; /* a response other than 100 */
	uint32_t number;
	uint64_t began;    /* ns; first INVITE */
	uint64_t interval; /* ns until it is repeated */
	uint64_t give_up;  /* ns; 64 x T1 */
	uint16_t n_to, n_contact, n_routes;
	char to[160], contact[128], routes[480]; /* of the dialog */
	struct call *next_free;
};

struct world {
	uint64_t now, started; /* ns */
	uint64_t seed;
	uint64_t t1, patience; /* ns */
	uint64_t bin;          /* ns of one place in a series */
	double drain;          /* s for calls that are up when the steps end */
	uint32_t n_targets, n_peers, n_steps, n_calls, n_up;
	uint32_t step; /* n_steps: all are over */
	uint64_t step_ends;
	uint64_t worst_lag; /* ns that an arrival came late */
	union kit_addr target[MAX_TARGETS];
	struct peer peer[MAX_PEERS];
	struct step steps[MAX_STEPS];
	struct kit_heap heap;
	struct kit_draw draw;
	struct call *calls, *free_calls;
	uint64_t no_call; /* arrivals that were lost because all calls are in use */
	uint64_t odd;     /* datagrams that are no response of ours */
	struct tally tally[MAX_STEPS][MAX_PEERS][KINDS];
	uint32_t codes[MAX_STEPS][700];
	struct kit_hist admitted[MAX_STEPS]; /* first INVITE to the first response other than 100, of calls
						that got 18x or 2xx */
	struct kit_hist refusal[MAX_STEPS];  /* and of those refused */
	struct kit_burst in;
};

/* ---- plan.c: fills the world from a JSON file; what is wrong goes to stderr. 0 or -EINVAL. */
int plan_read(struct world *w, const char *path);

/* ---- call.c */
void call_arrive(struct world *w, struct peer *p);
void call_timer(struct world *w, struct kit_timer *timer);
void call_response(struct world *w, struct peer *p, uint32_t port, const struct kit_sip *m);

/* ---- write.c: requests into the burst of their port */
void write_invite(struct world *w, const struct call *c);
void write_cancel(struct world *w, const struct call *c);
void write_bye(struct world *w, const struct call *c);

/* The ACK to a final response, from its text alone: also when the call is long forgotten. */
void write_ack(struct world *w, struct peer *p, uint32_t port, uint32_t target, const struct kit_sip *m);

/* Keeps of a 200 what the BYE needs. */
void write_keep_dialog(struct call *c, const struct kit_sip *m);

/* The call that a Call-ID names; NULL if it is over. *target is set in any case; -EINVAL if it is none of
 * ours. */
int write_find(struct world *w, struct kit_text call_id, uint32_t *target, struct call **call);

/* ---- obey.c */

/* One more request goes to this target: a rate that was told is of all requests (RFC 7415 3.1). */
void obey_charge(struct world *w, struct peer *p, uint32_t target);

/* A target that may be asked now; n_targets when all are held. */
uint32_t obey_target(struct world *w, struct peer *p);
void obey_response(struct world *w, struct peer *p, uint32_t target, const struct kit_sip *m);

/* ---- tally.c */
void tally_count(struct world *w, const struct call *c, enum counter n);
int tally_make(struct world *w);
void tally_free(struct world *w);
void tally_report(struct world *w);

#endif
