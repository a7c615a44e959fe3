/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The overload laboratory in virtual time: callers that offer more than the gateways can take, gateways with
 * a queue before their servers, and between them the real lb/ with its governor stepped ten times a second.
 *   main.c     options, one run, the list of runs
 *   scenes.c   the scenarios about the law, and what each must show
 *   rights.c   those about who gets what, and about gateways and clocks that cannot be trusted
 *   slow.c     those with the slow gateways of bench/overlab
 *   check.c    what several of them must show
 *   net.c      messages under way
 *   weir.c     Weir: message -> query -> lb_input() -> actions -> messages; its clock
 *   direct.c   callers and gateways without Weir, for comparison
 *   gateway.c  gateways: queue, servers, 100, refusals
 *   oc.c       what gateways ask for by overload control
 *   caller.c   callers: arrivals, Timer A, patience, ACK, BYE
 *   report.c   table and JSON
 * Heap, pools of objects and chance are those of bench/sim. One thread; the same seed gives the same run.
 */
#ifndef WEIR_BENCH_SIM_OVERLOAD_LAB_H
#define WEIR_BENCH_SIM_OVERLOAD_LAB_H

#include "bench/kit/oc.h"
#include "bench/sim/sim.h"
#include "lb/govern/govern.h"

#define MAX_PHASES   16
#define LAB_PEERS    4
#define LAB_BRANCHES 4          /* gateways that one call is tried at */
#define LAB_DIGITS   20         /* classes of called numbers */
#define PATIENCE     (10 * S)   /* of a caller; also what a good call must be answered and ACKed in */
#define TICK         (100 * MS) /* of the figures over time */

enum trying { /* when a gateway says 100 */
	TRYING_ON_RECEIPT,
	TRYING_ON_DEQUEUE,
	TRYING_NEVER,
	TRYING_MODES
};

struct phase {
	double seconds, load; /* offered, of what all gateways can take in sum */
};

/* What may go wrong with calls or gateways beside the load. */
enum trouble {
	TROUBLE_NONE,
	/* From the second phase on: */
	TROUBLE_DEAD_PREFIX, /* a fifth of the first peer's calls: 503 at once */
	TROUBLE_LATE_PREFIX, /* the same: 503 after 2 s */
	TROUBLE_SLOW_PREFIX, /* the same: progress 5 s later */
	TROUBLE_HALF_SPEED,  /* the first gateway takes twice the time */
	TROUBLE_SLOW_FAR,    /* all calls make progress 3 s later */
	TROUBLE_MUTE,        /* the first gateway does nothing at all, for 10 s */
	TROUBLE_REFUSING,    /* the first gateway says 503 to every call */
	TROUBLE_OC_FULL, /* the first gateway asks for nothing at all, for an hour, and means nothing by it */
	TROUBLE_OC_IDLE, /* the first gateway never asks for less */
	TROUBLE_FLAPPING,   /* of every 10 s, nothing passes between Weir and the gateways for 3 s */
	TROUBLE_CLOCK,      /* Weir's clock jumps ahead by a minute */
	TROUBLE_STANDSTILL, /* the governor does not step for 5 s */
	TROUBLE_CRYING,     /* the first peer says of all its calls that they are emergency calls */
};

struct scene;
struct lab;

/* What a check has to say. */
struct lab_text {
	char p[300];
};

/* A model and a load. */
struct scene {
	const char *name;
	const char *shows; /* what it must show, for the table */
	uint32_t gateways, servers;
	double service_s; /* mean, of one INVITE by one server */
	bool exponential; /* else constant */
	enum trying trying;
	uint32_t queue;   /* requests that wait; more are refused; 0: any number */
	bool silent;      /* refused without an answer */
	bool reads_first; /* refusals, repeats and CANCELs do not wait behind calls, which a CANCEL ends at
			     once */
	bool options;     /* Weir's probes, one a second, wait like calls */
	double reject;    /* cost of a refusal or of OPTIONS, of that of an INVITE */
	double absorb;    /* the same of a repeat or a CANCEL; 0: as a refusal */
	double far_s;     /* median of the far end's delay after service, log-normal with sigma 1; 0: none */
	double loss;      /* of datagrams between Weir and gateways */
	enum trouble trouble;
	bool direct;       /* nothing stands between callers and gateways, not even Weir */
	double hold_off_s; /* Retry-After of the gateways' refusals, whole; callers on their own obey it; 0:
			      none */
	enum lb_gateway_retry retry; /* what Weir does with it, up to 5 s */
	bool probed;                 /* gateways are probed every second; nothing waits */
	enum kit_oc_algo oc;         /* what gateways tell Weir */
	enum lb_learn learn;
	enum lb_law law;
	double greedy;       /* calls of the first peer, of those of each other one; 0: the same */
	double hold_s;       /* from a call's answer to its BYE; 0: it has none */
	double long_s;       /* the same of the first peer's calls; 0: as the others' */
	double max_cps;      /* of each gateway, of what it can take; 0: none */
	uint32_t max_calls;  /* of each gateway; 0: any number */
	double emergency;    /* part of the calls that are emergency calls */
	uint32_t max_urgent; /* of each peer, per s; 0: what Weir sets */
	struct phase phases[MAX_PHASES];
	/* Says by the figures whether it was shown; writes why into text. */
	bool (*check)(struct lab *l, struct lab_text *text);
};

/* One TICK. */
struct tick {
	uint32_t offered, admitted, good, late,
		refused; /* calls: arrived, reached a gateway, answered in time, too late, refused */
	uint32_t repeats, received; /* INVITEs that gateways got again, and that they got */
	float cap, open;            /* sums over the gateways; a gateway without cap counts with open */
	float cap0;                 /* of the first gateway */
};

/* Delays to the first response but 100 of calls that got through, ms, of one phase. */
struct delays {
	float *ms;
	uint32_t n, room;
};

enum lab_call_state {
	LAB_CALLING,
	LAB_PROCEEDING,
	LAB_TALKING,
	LAB_CANCELLED,
	LAB_OVER
};

struct lab_call {
	uint64_t id; /* number << 24 | index; 0: free */
	uint64_t began, due, interval;
	uint32_t job[LAB_BRANCHES]; /* at gateways, or NONE */
	uint8_t jobs, state, peer, digits, dead, phase, progressed, acked, emergency, sent;
	uint8_t counts;  /* enum lab_counts */
	uint16_t status; /* of the final response */
	uint16_t gw;     /* direct: where it goes, or LB_NONE: nowhere */
	uint8_t token_n, to_n;
	char token[LIMIT_TOKEN], tag[LIMIT_TAG]; /* of that answer */
};

enum job_state {
	JOB_QUEUED,
	JOB_SERVING,
	JOB_SERVED, /* waits for the far end */
	JOB_ANSWERED,
	JOB_REFUSED,
	JOB_OVER
};

/* An INVITE as a gateway has it. */
struct lab_job {
	uint64_t call; /* id */
	uint64_t due, interval, give_up;
	uint32_t index; /* of the call */
	uint16_t gw;
	uint16_t status; /* last one sent; 0: none */
	uint8_t state;
	uint8_t cancelled;
	uint8_t oc_ask; /* as its Via offers */
	uint8_t branch_n, token_n;
	char branch[LIMIT_BRANCH];
	char token[LIMIT_TOKEN]; /* Record-Route */
};

enum item_kind {
	ITEM_INVITE,
	ITEM_REPEAT,
	ITEM_REJECT,
	ITEM_CANCEL,
	ITEM_OPTIONS
};

struct item {
	uint64_t call; /* of the job, which may be forgotten before its turn comes; 0: work for nobody */
	uint32_t job;  /* OPTIONS: number of the probe */
	uint16_t gw;
	uint8_t kind;
};

struct lab_queue {
	struct item *at; /* ring of a power of two */
	uint32_t head, n, room;
};

struct lab_gateway {
	struct lab_queue calls, overhead; /* overhead: what goes before calls, if it does */
	uint32_t waiting;                 /* calls, and OPTIONS, that are not served yet */
	uint32_t busy;                    /* servers */
	uint64_t mute;                    /* ns; until then it serves nobody */
	double slow;                      /* factor on its times */
	uint64_t probed;                  /* ns; when the open probe left; 0: there is none */
	uint32_t probe;                   /* number of it */
	/* Overload control. */
	struct kit_oc oc;
	bool oc_on;
	uint64_t oc_at;          /* ns; of the last step */
	uint32_t news, requests; /* since then: new INVITEs, and all */
};

enum lab_to {
	TO_WEIR_CALLER, /* from a caller */
	TO_WEIR_GATEWAY,
	TO_GATEWAY,
	TO_CALLER
};

struct lab_msg {
	uint64_t call; /* id */
	uint8_t to;    /* enum lab_to */
	uint8_t request, method;
	uint16_t status, gw;
	uint8_t branch_n, token_n, to_n;
	uint8_t oc_ask;  /* of our Via, in a request to a gateway */
	struct lb_oc oc; /* of our Via, in a gateway's response */
	char branch[LIMIT_BRANCH];
	char token[LIMIT_TOKEN];
	char tag[LIMIT_TAG]; /* To */
};

enum lab_event {
	LAB_MSG,
	LAB_ARRIVAL,
	LAB_CALL,   /* Timer A, patience, the end of a call's memory */
	LAB_SERVER, /* a server of gateway `index` is free; sub2: job's low bits are not needed: see item */
	LAB_JOB,    /* far end, repeats of finals */
	LAB_PHASE,  /* the next one begins */
	LAB_OC,     /* a step of gateways' overload control */
	LAB_PROBE,  /* a gateway's next OPTIONS is due */
};

enum lab_counts { /* calls in the sums of their peers: made after the first phase, early enough to be answered
		   */
	COUNTS_NOT,
	COUNTS,
	COUNTS_SETTLED, /* and when limits had settled */
};

/* What became of a peer's calls. */
struct lab_peer {
	double offered, good;             /* in settled time */
	double emergency, emergency_good; /* those that are said to be emergency calls, at any time */
	double places; /* sum over the governor's steps in settled time: calls in progress */
	uint32_t steps;
	uint32_t alarms; /* notices about its emergency calls */
};

struct lab_weir;

struct lab {
	struct sim base; /* time, heap, chance */
	const struct scene *scene;
	struct sim_pool msgs, calls, jobs, items;
	struct lab_gateway *gw;
	struct lab_weir *weir;
	uint64_t start, end; /* ns */
	double capacity;     /* calls per second of all gateways */
	uint64_t number;     /* calls so far */
	uint32_t phase;
	uint64_t phase_end;
	uint64_t settled; /* of the phase in hand, ns */
	struct tick *ticks;
	uint32_t n_ticks;
	struct lab_peer peer[LAB_PEERS];
	uint64_t urgent;                 /* calls that came before others, since the first phase */
	uint64_t cut;                    /* ns; until then nothing passes between Weir and gateways */
	uint64_t (*held_off)[LAB_PEERS]; /* ns; by gateway: until then the peer sends it nothing */
	struct delays delays[MAX_PHASES];
	double unloaded_p99; /* ms; of the same model at 0.3 of its load */
	uint64_t events, inputs;
	bool quiet;
};

static inline uint64_t lab_now(const struct lab *l)
{
	return l->base.now;
}

static inline struct tick *lab_tick(struct lab *l)
{
	return &l->ticks[(l->base.now - l->start) / TICK];
}

static inline struct lab_call *lab_call_at(struct lab *l, uint32_t i)
{
	return pool_at(&l->calls, i);
}

/* The call with this id, or NULL if it is no more. */
static inline struct lab_call *lab_call(struct lab *l, uint64_t id)
{
	struct lab_call *c = lab_call_at(l, id & 0xffffff);

	return c->id == id ? c : NULL;
}

static inline struct lab_job *lab_job_at(struct lab *l, uint32_t i)
{
	return pool_at(&l->jobs, i);
}

/* main.c */
struct lab *lab_run(const struct scene *scene, uint64_t seed, bool quiet);
void lab_free(struct lab *l);
/* Figures between two moments, s since the start. field: offset of a uint32_t of struct tick. */
double lab_sum(const struct lab *l, double from_s, double to_s, size_t field);
#define LAB_SUM(l, from, to, field) lab_sum(l, from, to, offsetof(struct tick, field))
double lab_goodput(const struct lab *l, double from_s, double to_s); /* of what the gateways can take */
double lab_cap(const struct lab *l, double from_s, double to_s);     /* mean sum of the caps */
double lab_began(const struct lab *l, unsigned phase);               /* s since the start */

/* The part of a phase that counts: limits have settled. */
void lab_span(const struct lab *l, unsigned phase, double *from_s, double *to_s);
double lab_quantile(struct delays *d, double q);

/* net.c */
void lab_send(struct lab *l, const struct lab_msg *m);
void lab_arrive(struct lab *l, uint32_t msg);

/* direct.c: what there is in place of Weir */
void lab_direct(struct lab *l, const struct lab_msg *m);

/* weir.c */
struct lab_weir *lab_weir_new(struct lab *l);
void lab_weir_free(struct lab_weir *w);
void lab_weir_input(struct lab *l, const struct lab_msg *m);
void lab_weir_until(struct lab *l, uint64_t until); /* its clock and its governor, up to then */
void lab_weir_trouble(struct lab *l, enum trouble trouble);
void lab_weir_probe(struct lab *l, uint32_t gw); /* the next one is due */
/* One has ended so. */
void lab_weir_probed(struct lab *l, uint16_t gw, uint32_t probe, enum lb_probe_result result);

/* gateway.c */
void lab_gateway_request(struct lab *l, const struct lab_msg *m);
void lab_gateway_served(struct lab *l, uint32_t item);
void lab_gateway_job(struct lab *l, uint32_t job);
void lab_gateway_options(struct lab *l, uint16_t gw, uint32_t probe);

/* oc.c */
void lab_oc_start(struct lab *l);
void lab_oc_step(struct lab *l);
struct lb_oc lab_oc_says(const struct lab *l, uint16_t gw, uint8_t asked); /* in a response */

/* caller.c */
void lab_caller_new(struct lab *l);
void lab_caller_response(struct lab *l, const struct lab_msg *m);
void lab_caller_due(struct lab *l, uint32_t call);

/* scenes.c */
struct lab_scenes {
	const struct scene *at;
	unsigned n;
};
extern const struct lab_scenes lab_law_scenes, lab_slow_scenes, lab_right_scenes;

/* report.c */
void lab_report_head(void);
bool lab_report(struct lab *l, double cpu_s, FILE *json); /* false: not as it must be */

#endif
