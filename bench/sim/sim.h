/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A day of calls in virtual time over the real lb/ code: callers, gateways, a network that loses, repeats and
 * reorders, and an oracle that knows which calls are really up.
 *   main.c     options, the run, the end of it
 *   event.c    what happens next: the heap, pools of objects, chance
 *   net.c      messages under way, and whom they reach
 *   world.c    what Weir is configured for; looks into it
 *   weir.c     Weir: message -> query -> lb_input() -> actions -> messages; its clock; its crashes
 *   caller.c   INVITE and CANCEL of the calling side
 *   gateway.c  INVITE of the called side; crashes and health of gateways
 *   txn.c      client transactions; when a call is over
 *   dialog.c   both sides of an established call: BYE, UPDATE, re-INVITE
 *   oracle.c   the truth, and what must hold
 *   report.c   the table
 * One thread. Messages are numbers and opaque texts: what sip/ would read and write is taken for granted.
 */
#ifndef WEIR_BENCH_SIM_H
#define WEIR_BENCH_SIM_H

#include <stdio.h>
#include "lb/lb.h"

#define NONE        UINT32_MAX
#define US          UINT64_C(1000)
#define MS          UINT64_C(1000000)
#define S           UINT64_C(1000000000)
#define T1          (500 * MS)
#define T2          (4 * S)
#define TIMEOUT     (64 * T1)
#define MAX_FORKS   3 /* answers of one INVITE at one gateway */
#define MAX_PEERS   4
#define MAX_WORKERS 8

/* ---- Objects: named by number, never moved ------------------------------------------------------------ */

struct sim_pool {
	char **chunk;
	size_t size; /* bytes of one object */
	uint32_t *free_list;
	uint32_t n_free, n_chunks, in_use, peak;
};

struct tag {
	uint8_t n;
	char p[LIMIT_TAG];
};

/* A SIP message as far as it matters. */
struct msg {
	struct addr src, dst; /* of the datagram */
	struct addr via_addr; /* the Via of the side that sent the request */
	struct addr target;   /* request: host of the Request-URI, port 0: a name; 3xx: Contact */
	uint64_t call_id;
	uint64_t via; /* branch of that Via */
	uint32_t cseq;
	uint32_t session_s; /* Session-Expires */
	uint16_t status;
	uint8_t request;
	uint8_t method;
	uint8_t credentials;
	uint8_t reliable;
	uint8_t lost; /* an INVITE of Weir's that comes back by ICMP: src is where it went */
	uint8_t branch_n, token_n;
	char branch[LIMIT_BRANCH]; /* Weir's Via above it */
	char token[LIMIT_TOKEN];   /* Route of a request in dialog, else Record-Route */
	struct tag from, to;       /* tags; n == 0: none */
};

enum side_state {
	SIDE_NONE,
	SIDE_ANSWERED, /* gateway: 2xx sent, no ACK yet */
	SIDE_UP,
	SIDE_ENDED
};

enum side_timer {
	DUE_HANGUP,  /* BYE */
	DUE_REFRESH, /* UPDATE or re-INVITE for the session */
	DUE_EXPIRE,  /* the session has lapsed */
	DUE_MODIFY,  /* re-INVITE for another reason */
	DUE_REPEAT,  /* of a 2xx that waits for its ACK */
	SIDE_TIMERS
};

/* One side of a dialog. Times in ns; a due time of 0 never comes. */
struct side {
	uint64_t due[SIDE_TIMERS];
	uint64_t interval, give_up; /* of the 2xx that waits for its ACK */
	uint32_t answer;            /* that 2xx, a message, or NONE */
	uint32_t txn;               /* request under way, or NONE */
	uint32_t cseq;              /* of the last request sent */
	uint32_t seen_cseq;         /* of the last INVITE of the other side */
	uint16_t seen_status;       /* and what it was told */
	uint8_t state;              /* enum side_state */
	uint8_t challenged;         /* has asked for credentials once */
};

struct dialog {
	struct tag to;
	uint64_t began;      /* ns; when a side was first up */
	struct side side[2]; /* 0 the caller's, 1 the gateway's */
	uint32_t ack;        /* the caller's ACK, for each 2xx again, a message; NONE: none yet */
	uint32_t session_s;
	uint8_t refresher; /* side */
	uint8_t wants;     /* this fork answers */
	uint8_t talks;     /* the caller had not ended it when the gateway got his ACK */
	uint8_t cut;       /* who ended it died before the other side could know */
};

/* An INVITE as one gateway has it. */
struct leg {
	uint32_t call, next;
	uint16_t gw;
	uint16_t plan; /* final status it will give; 0: none ever */
	uint16_t last; /* status of the last response, 0: none */
	uint8_t forks;
	uint8_t up; /* a fork is up: counted in the truth */
	uint8_t acked;
	uint8_t was_old; /* the truth counts it as from before a crash of Weir */
	uint32_t epoch;  /* of the gateway */
	uint64_t answer_at;
	uint64_t behave, repeat; /* due */
	uint64_t interval, give_up;
	struct msg inv;
	struct dialog d[MAX_FORKS];
};

enum sim_flags {
	SIM_VANISHED = 1,  /* the caller is gone without a word */
	SIM_CANCEL = 2,    /* the caller wants no more */
	SIM_CANCELLED = 4, /* has said so */
	SIM_ANSWERED = 8,  /* has a dialog */
	SIM_HIT = 16,      /* was there when Weir crashed */
	SIM_DONE = 32,     /* counted in the table */
	SIM_NO_ROOM = 64,  /* Weir has no room to keep its INVITE */
	SIM_ORPHAN = 128,  /* a gateway crashed before the caller had its 2xx */
};

struct sim_call {
	uint64_t id; /* number << 24 | index */
	struct addr addr;
	struct addr weir; /* where the caller's side reaches Weir */
	struct tag tag;
	uint64_t cancel_at, linger, vanish_at; /* due */
	uint64_t call_hash, from_hash;
	uint32_t leg;    /* first, or NONE */
	uint32_t invite; /* INVITE in hand, a transaction, or NONE */
	uint32_t cancel; /* its CANCEL, or NONE */
	uint32_t cseq;
	uint32_t epoch; /* of the gateway that calls */
	uint32_t txns;  /* open */
	uint16_t gw;    /* gateway that calls, or LB_NONE */
	uint16_t flags;
	uint16_t final; /* status of the last INVITE */
	uint8_t in_up;  /* counted in the truth of the gateway that calls */
	uint8_t in_old;
};

enum txn_state {
	TXN_FREE,
	TXN_CALLING,
	TXN_PROCEEDING,
	TXN_DONE
};

/* A request of one side, until nothing of it can come any more. */
struct txn {
	struct msg m;
	uint64_t due, interval, give_up;
	uint64_t forget; /* when; while DONE */
	uint32_t call, leg;
	uint8_t fork, side;
	uint8_t state;
	uint8_t accepted;     /* Weir has passed a 2xx to it on */
	uint8_t answered;     /* a 2xx has come */
	uint16_t answered_by; /* gateway */
	uint16_t final;       /* first final response other than 2xx */
	struct tag final_to;
};

struct gateway_model {
	struct addr addr;
	uint32_t epoch;
	uint32_t max_calls;
	uint16_t pool;
	uint8_t down;                /* silent */
	uint8_t unreachable;         /* while down: its host says so by ICMP */
	uint64_t heals;              /* ns; when it comes back */
	uint64_t unhealthy, healthy; /* ns; when control finds out */
	int64_t up, up_old;          /* calls really up since Weir's last crash, and from before it */
	int64_t below;               /* what Weir's count lacked when last looked at */
};

/* ---- Options and figures ------------------------------------------------------------------------------- */

struct options {
	uint64_t seed, calls, trace;
	double hours, loss;
	double longest; /* max-duration of a call, hours */
	uint32_t gateways, callers, workers, weir_crashes;
	const char *json;
	bool quiet;
};

#define SIM_FIGURES(X)                                                                                       \
	X(calls, "calls")                                                                                    \
	X(answered, "  answered")                                                                            \
	X(cancelled, "  cancelled by the caller (487)")                                                      \
	X(redirected, "  3xx")                                                                               \
	X(failed_4xx, "  4xx")                                                                               \
	X(failed_5xx, "  5xx other than refusals")                                                           \
	X(refused, "  refused (503, 500: no room)")                                                          \
	X(failed_6xx, "  6xx")                                                                               \
	X(lost, "  no final response, caller or Weir crashed")                                               \
	X(challenges, "INVITEs with credentials (401 rounds)")                                               \
	X(incoming, "calls from gateways")                                                                   \
	X(came_back, "INVITEs that came back by ICMP")                                                       \
	X(failovers, "retries at another gateway")                                                           \
	X(repeats, "INVITEs repeated by Weir")                                                               \
	X(weir_cancels, "CANCELs made by Weir")                                                              \
	X(forked, "calls answered by several forks")                                                         \
	X(doubles, "calls answered by two gateways (crossing 200s)")                                         \
	X(late_2xx, "2xx after another final response")                                                      \
	X(vanished, "callers that vanished")                                                                 \
	X(gw_crashes, "gateway crashes")                                                                     \
	X(gw_dropped, "calls that these ended")                                                              \
	X(weir_crashes, "Weir crashes")                                                                      \
	X(hit, "calls under way then")                                                                       \
	X(cut_byes, "BYEs whose sender died before they arrived")                                            \
	X(both_byes, "BYE from both sides at once")                                                          \
	X(refreshes, "session refreshes")                                                                    \
	X(reinvites, "re-INVITEs")                                                                           \
	X(glares, "491 for glare")                                                                           \
	X(no_room, "INVITEs that could not be kept")                                                         \
	X(sent, "messages sent")                                                                             \
	X(dropped, "messages lost")                                                                          \
	X(doubled, "messages duplicated")                                                                    \
	X(decisions, "messages decided by Weir")                                                             \
	X(acts, "actions")                                                                                   \
	X(ticks, "ticks")                                                                                    \
	X(events, "events")

struct figures {
#define X(name, text) uint64_t name;
	SIM_FIGURES(X)
#undef X
};

/* What must stay 0. */
#define SIM_FAULTS(X)                                                                                        \
	X(released_alive, "released alive")                                                                  \
	X(undercount, "count below the truth")                                                               \
	X(over_limit, "admitted past max-calls")                                                             \
	X(audit, "audit: words differ from entries")                                                         \
	X(two_finals, "two final responses to one INVITE")                                                   \
	X(no_final, "no final response")                                                                     \
	X(after_2xx, "another gateway asked after a 2xx")                                                    \
	X(stray_ack, "ACK for another branch")                                                               \
	X(stuck, "left over at the end")                                                                     \
	X(drift, "places given back that nobody had")                                                        \
	X(misread, "messages of its own that Weir did not know")                                             \
	X(bad_act, "action that cannot be carried out")

struct faults {
#define X(name, text) uint64_t name;
	SIM_FAULTS(X)
#undef X
};

enum event_kind {
	EV_MSG,  /* message arrives */
	EV_CALL, /* a new call */
	EV_TXN,
	EV_LEG,    /* next step of a gateway with an INVITE; also its repeats */
	EV_SIDE,   /* index: leg, sub: fork, side, timer */
	EV_CANCEL, /* the caller wants no more */
	EV_VANISH,
	EV_LINGER,  /* a call that is over is forgotten */
	EV_GATEWAY, /* a gateway crashes, comes back, or control notes it */
	EV_SECOND,
	EV_CRASH, /* of Weir */
};

struct sim_event {
	uint64_t at;
	uint32_t index;
	uint8_t kind; /* enum event_kind */
	uint8_t sub;
	uint16_t sub2;
};

struct weir; /* weir.c */

struct sim {
	struct options o;
	uint64_t now, end; /* ns; end: no more new calls */
	bool over;
	uint64_t rng;
	struct sim_event *heap;
	uint32_t n_heap, heap_room;
	struct sim_pool msgs, calls, legs, txns;
	uint64_t n_calls; /* so far */
	uint64_t rate_ns; /* mean time between two calls */
	uint64_t ids;     /* branches and tags so far */
	struct gateway_model *gw;
	uint32_t n_gw;
	struct weir *weir;
	struct figures f;
	struct faults bad;
	int64_t worst, worst_crash; /* greatest truth - count, outside of and after a crash of Weir */
	uint64_t crashed_at;        /* of Weir, ns; 0: never */
	uint32_t peak_setups, peak_calls;
	double wall, cpu; /* s */
};

/* ---- event.c ------------------------------------------------------------------------------------------- */

void event_add(struct sim *s, uint64_t at, enum event_kind kind, uint32_t index);
void event_add_sub(struct sim *s, uint64_t at, enum event_kind kind, uint32_t index, uint8_t sub,
		   uint16_t sub2);
struct sim_event event_take(struct sim *s);

void pool_init(struct sim_pool *p, size_t size);
uint32_t pool_take(struct sim_pool *p); /* zeroed */
void pool_give(struct sim_pool *p, uint32_t i);
void pool_free(struct sim_pool *p);
#define POOL_CHUNK 1024

static inline void *pool_at(const struct sim_pool *p, uint32_t i)
{
	return p->chunk[i / POOL_CHUNK] + (i % POOL_CHUNK) * p->size;
}

uint64_t chance_bits(struct sim *s);
double chance_real(struct sim *s); /* [0, 1) */
bool chance(struct sim *s, double p);
uint64_t chance_span(struct sim *s, uint64_t from, uint64_t to);
uint64_t chance_exp(struct sim *s, double mean); /* ns, exponential */
uint64_t chance_lognormal(struct sim *s, double mean, double sigma);

/* Calls that last longer are taken for lost: max-duration, ns. */
static inline uint64_t longest(const struct sim *s)
{
	return (uint64_t)(s->o.longest * 3600e9);
}
static inline struct sim_call *call_at(struct sim *s, uint32_t i)
{
	return pool_at(&s->calls, i);
}
static inline struct leg *leg_at(struct sim *s, uint32_t i)
{
	return pool_at(&s->legs, i);
}
static inline struct txn *txn_at(struct sim *s, uint32_t i)
{
	return pool_at(&s->txns, i);
}
static inline struct msg *msg_at(struct sim *s, uint32_t i)
{
	return pool_at(&s->msgs, i);
}
static inline uint32_t call_index(const struct sim_call *c)
{
	return c->id & 0xffffff;
}

/* ---- net.c --------------------------------------------------------------------------------------------- */

/* Sends m from m->src to m->dst: it may be lost, come twice, or late. */
void net_send(struct sim *s, const struct msg *m);

/* A message has arrived. */
void net_arrive(struct sim *s, uint32_t msg);

/* The call of m if it still exists, else NULL. */
struct sim_call *net_call(struct sim *s, const struct msg *m);

/* The response to request q, from where that went; the Via of Weir and the Record-Route are copied. */
struct msg net_response(const struct msg *q, uint16_t status, const struct tag *to);

struct tag net_tag(struct sim *s);
bool tag_eq(const struct tag *a, const struct tag *b);
struct addr net_gateway_addr(uint32_t i);
struct addr net_listener_addr(uint32_t i);
int net_gateway(const struct sim *s, const struct addr *a); /* -1: none */
int net_listener(const struct addr *a);                     /* -1: none */
bool net_traced(const struct sim *s, uint64_t call_id);
void net_trace(const struct sim *s, const struct msg *m, const char *what);

/* ---- weir.c -------------------------------------------------------------------------------------------- */

struct weir *weir_new(struct sim *s);
void weir_free(struct weir *w);
void weir_input(struct sim *s, const struct msg *m);
void weir_ticks(struct sim *s, uint64_t until); /* every millisecond up to then */
void weir_second(struct sim *s);                /* publishes what is in use */
void weir_crash(struct sim *s);
void weir_health(struct sim *s, uint32_t gw, bool up);
uint32_t weir_calls(const struct sim *s, uint32_t gw); /* as it counts them */
uint32_t weir_survivors(const struct sim *s, uint32_t gw);
bool weir_holds(struct sim *s, const struct sim_call *c, const struct msg *invite,
		uint16_t gw);                          /* an entry has a place there */
uint64_t weir_audit(const struct sim *s);              /* difference of words and entries */
bool weir_idle(const struct sim *s);                   /* no set-up, no counted call */
uint64_t weir_left_over(struct sim *s);                /* setups, calls, timers, kept messages in use */
uint64_t weir_count(const struct sim *s, unsigned id); /* a counter of all lanes, all lives */
void weir_hashes(struct sim *s, struct sim_call *c);

/* ---- caller.c ------------------------------------------------------------------------------------------ */

void caller_new(struct sim *s);
void caller_response(struct sim *s, struct sim_call *c, const struct msg *m);
void caller_cancel(struct sim *s, struct sim_call *c);
void caller_timeout(struct sim *s, struct sim_call *c, uint32_t txn);
void caller_wait(struct sim *s,
		 struct sim_call *c); /* CANCELled: only so long for the final response (RFC 3261 9.1) */
void caller_over(struct sim *s, struct sim_call *c, uint16_t status); /* the INVITE in hand has ended */

/* ---- gateway.c ----------------------------------------------------------------------------------------- */

void gateway_request(struct sim *s, struct sim_call *c, const struct msg *m, uint32_t gw);
void gateway_step(struct sim *s, uint32_t leg, uint64_t at);
void gateway_plan(struct sim *s, uint32_t gw); /* its first crash */
void gateway_event(struct sim *s, uint32_t gw, uint64_t at);

/* ---- dialog.c, txn.c ----------------------------------------------------------------------------------- */

struct where {
	struct sim_call *c;
	struct leg *l;
	struct dialog *d;
	uint32_t leg;
	uint8_t fork;
	uint8_t side;
};

/* A request in a dialog has reached the side that `at` names; d == NULL: it knows none such. */
void dialog_request(struct sim *s, const struct where *at, const struct msg *m);

/* A response to a transaction other than the initial INVITE or a CANCEL. */
void dialog_response(struct sim *s, uint32_t txn, const struct msg *m);

void dialog_due(struct sim *s, const struct sim_event *e);
void dialog_start(struct sim *s, const struct where *at); /* this side is up */
void dialog_end(struct sim *s, const struct where *at);   /* this side is over */
void dialog_bye(struct sim *s, const struct where *at);
void dialog_arm(struct sim *s, const struct where *at, enum side_timer timer, uint64_t when);
void dialog_answer(struct sim *s, const struct where *at, const struct msg *answer); /* 2xx, until its ACK */
bool dialog_is_dead(const struct sim *s, const struct where *at); /* the side has vanished or crashed */

uint32_t txn_start(struct sim *s, struct sim_call *c,
		   const struct msg *m); /* sends it; m->via is set here if 0 */
void txn_due(struct sim *s, uint32_t txn, uint64_t at);
void txn_done(struct sim *s, uint32_t txn);
uint32_t txn_find(struct sim *s, const struct msg *m); /* that a response belongs to, or NONE */
void call_vanish(struct sim *s, struct sim_call *c);   /* the caller's side is gone */
void call_maybe_over(struct sim *s, struct sim_call *c);
void call_linger(struct sim *s, uint32_t call, uint64_t at);

/* ---- oracle.c ------------------------------------------------------------------------------------------ */

void oracle_fault(struct sim *s, uint64_t *count, uint64_t call_id, const char *what, int64_t n);
void oracle_leg(struct sim *s, struct leg *l);          /* sets l->up by its dialogs */
void oracle_cut(struct sim *s, const struct where *at); /* this side dies: does its BYE die with it? */
void oracle_in(struct sim *s, struct sim_call *c);      /* the same for the gateway that calls */
void oracle_counts(struct sim *s);                      /* counts are not below the truth */
void oracle_admitted(struct sim *s, uint64_t call_id, uint16_t gw);
void oracle_final(struct sim *s, const struct sim_call *c, struct txn *t, const struct msg *m, uint16_t gw);
void oracle_accepted(struct sim *s, const struct msg *m); /* Weir passes a 2xx to an INVITE on */
void oracle_refused(struct sim *s, const struct msg *m);  /* Weir sends a response to the caller */
void oracle_retry(struct sim *s, const struct msg *m);    /* Weir asks another gateway */
void oracle_hit(struct sim *s);                           /* Weir has crashed */
void oracle_end(struct sim *s);

/* ---- report.c ------------------------------------------------------------------------------------------ */

void report_table(const struct sim *s);
int report_json(const struct sim *s);
uint64_t report_faults(const struct sim *s);

#endif
