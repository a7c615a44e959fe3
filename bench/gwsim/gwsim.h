/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An emulated SIP gateway over UDP: a FIFO queue, parallel servers, and the many ways of being full.
 *   main.c      the loop, commands on stdin, the end
 *   settings.c  key=value: what a gateway is like; the same words at start and while it runs
 *   message.c   what comes: who it is for, repetitions, ACK, CANCEL, BYE, OPTIONS
 *   serve.c     queue and servers: no sockets, no clock
 *   reply.c     responses as text
 *   oc.c        overload control as a server (RFC 7339, RFC 7415)
 *   report.c    counters and series as JSON
 * One thread plays all gateways. Capacity is servers / service; all work takes servers' time, also the work
 * of saying no and of reading repetitions, and that work goes first, as in a receiver that handles interrupts
 * before it serves.
 */
#ifndef WEIR_BENCH_GWSIM_H
#define WEIR_BENCH_GWSIM_H

#include "bench/kit/draw.h"
#include "bench/kit/heap.h"
#include "bench/kit/oc.h"
#include "bench/kit/text.h"
#include "bench/kit/udp.h"

#define MS           UINT64_C(1000000)
#define S            UINT64_C(1000000000)
#define T1           (500 * MS)
#define T2           (4 * S)
#define T4           (5 * S)
#define PATIENCE     (10 * S) /* of callers: an ACK after it is late */
#define MAX_GATEWAYS 64
#define MAX_SERVERS  256
#define MAX_FAILS    8
#define MAX_BACKLOG  4096
#define MAX_SECONDS  3600
#define MAX_CLIENTS  16
#define HEAD_BYTES   1400

enum gw_trying {
	TRYING_ON_RECEIPT,
	TRYING_ON_DEQUEUE,
	TRYING_NEVER
};

enum gw_full {
	FULL_503,
	FULL_DROP
};

enum gw_options {
	OPTIONS_QUEUE,
	OPTIONS_PAST
};

struct gw_fail {
	char prefix[24];
	uint32_t code;
	uint32_t cause; /* of Reason: Q.850; 0: no Reason */
};

struct gw_settings {
	uint32_t servers;
	uint64_t service;     /* ns, mean */
	uint32_t exponential; /* else constant */
	double reject;        /* time of a server that a refusal takes, as a part of `service` */
	double absorb;        /* and a repetition, a CANCEL, or what is dropped */
	uint32_t queue;       /* requests that may wait */
	uint32_t full;        /* enum gw_full */
	uint32_t retry_after; /* s, in a 503; 0: none */
	uint32_t refuse;      /* as if always full */
	uint32_t trying;      /* enum gw_trying */
	uint32_t ringing;     /* 180 before 200 */
	uint64_t ring;        /* ns, median of the time from 180 to 200; 0: none */
	double ring_sigma;    /* of its logarithm */
	uint32_t options;     /* enum gw_options */
	uint32_t oc;          /* enum kit_oc_algo */
	uint64_t oc_delay;    /* ns that the queue may take */
	uint32_t mute;
	uint32_t n_fails;
	struct gw_fail fail[MAX_FAILS];
};

enum gw_counter {
#define X(name, series, what) GW_##name,
#include "bench/gwsim/counters.def"
#undef X
	GW_COUNTERS
};

enum gw_timer_kind {
	TIMER_SERVER, /* work of a server is done */
	TIMER_AGAIN,  /* a final response is sent again */
	TIMER_ANSWER, /* somebody picks up */
	TIMER_FORGET, /* a transaction ends */
	TIMER_OC      /* overload control is worked out anew */
};

enum gw_state {
	TXN_FREE,
	TXN_WAITING, /* in the queue */
	TXN_SERVING, /* has a server */
	TXN_RINGING,
	TXN_ANSWERED, /* 200 sent, no ACK yet */
	TXN_REFUSING, /* its refusal waits for a server */
	TXN_REFUSED,  /* other final sent, no ACK yet */
	TXN_ENDED     /* ACKed; stays for repetitions */
};

/* What every response to a request begins with. */
struct gw_head {
	uint16_t via;   /* bytes of the top Via row, without oc and oc-algo; the other rows follow */
	uint16_t n;     /* bytes of all */
	uint8_t oc;     /* the sender reads oc (RFC 7339 4.1) */
	uint8_t rate;   /* and knows "rate" (RFC 7415) */
	uint8_t tagged; /* To has its tag */
	char p[HEAD_BYTES];
};

/* An INVITE, or an OPTIONS that waits. */
struct gw_txn {
	struct gw *gw;
	struct gw_txn *chain;       /* of its hash */
	struct gw_txn *next, *prev; /* in the queue */
	struct gw_server *server;
	struct kit_timer timer;
	uint64_t call, branch; /* hashes of Call-ID and branch */
	uint64_t came;         /* ns */
	uint64_t finished;     /* ns: first final response */
	uint64_t interval;     /* ns until the final is sent again */
	enum gw_state state;
	uint16_t status; /* last one sent */
	uint16_t fail;   /* code that it will end with; 0: it succeeds */
	uint8_t cause;   /* Q.850 of that */
	bool is_options;
	union kit_addr from;
	struct gw_head head;
};

struct gw_server {
	struct kit_timer timer;
	struct gw *gw;
	struct gw_txn *txn; /* NULL: its caller has gone, or it reads a repetition */
	struct gw_server *idle;
	uint64_t began; /* ns */
	bool overhead;
};

struct gw_oc {
	struct kit_timer timer;
	struct kit_oc want;
	bool active;                  /* control is told */
	uint64_t seq;                 /* ns of the last update */
	uint64_t seen, seen_requests; /* arrivals and requests at the last update */
	struct {
		uint64_t who, last; /* hash of the address; ns */
	} client[MAX_CLIENTS];
};

struct gw {
	char name[32];
	struct gw_settings set;
	struct kit_udp udp;
	struct sim *sim;
	struct gw_server server[MAX_SERVERS];
	struct gw_server *idle;
	struct gw_txn *first, *last;
	uint32_t waiting, waiting_max;
	struct gw_txn *backlog[MAX_BACKLOG]; /* ring of work that goes first: a refusal, or NULL */
	uint32_t backlog_first, backlog_n, backlog_max;
	uint64_t busy_serving, busy_overhead; /* ns of servers */
	struct gw_oc oc;
	uint64_t count[GW_COUNTERS];
	uint32_t second[MAX_SECONDS][GW_COUNTERS];
	uint16_t second_queue[MAX_SECONDS]; /* the longest */
};

struct sim {
	struct kit_heap heap;
	struct kit_draw draw;
	uint64_t started; /* ns; where the series begin */
	uint64_t now;     /* ns */
	uint32_t n_gw;
	struct gw *gw[MAX_GATEWAYS];
	uint32_t n_txns;
	struct gw_txn *txns, *free_txns;
	uint32_t n_hash; /* a power of two */
	struct gw_txn **hash;
	size_t n_text; /* bytes of a command that is not whole yet */
	char text[8192];
	struct kit_burst in;
};

/* ---- settings.c */

void gw_defaults(struct gw_settings *set);

/* Applies words like `service=20ms`; what is wrong, or NULL. Nothing is applied unless all are right. */
const char *gw_set(struct gw_settings *set, char *const word[], uint32_t n, bool running);

/* ---- serve.c */

void gw_start(struct gw *g);
void gw_count(struct gw *g, enum gw_counter counter);

/* A request that has just come: takes a server, waits, or is refused. */
void gw_arrive(struct gw *g, struct gw_txn *t);

/* Work that takes `absorb` of a server and has no other result. */
void gw_absorb(struct gw *g);

/* Its caller has cancelled: takes it out of queue or server. */
void gw_cancel(struct gw *g, struct gw_txn *t);

/* The ACK of its final response has come. */
void gw_acked(struct gw *g, struct gw_txn *t);

void gw_timer(struct sim *sim, struct kit_timer *timer);

/* ---- message.c */

void gw_receive(struct gw *g, const char *data, uint32_t bytes, const union kit_addr *from);

/* A transaction that no one else has, or NULL when all are in use; and back. */
struct gw_txn *gw_txn_new(struct gw *g);
void gw_txn_free(struct gw *g, struct gw_txn *t);

/* ---- reply.c */

bool gw_head(struct gw *g, struct gw_head *h, const struct kit_sip *m);

/* Sends a response; a 503 of its own without cause has the Retry-After of the settings. */
void gw_reply(struct gw *g, const struct gw_head *h, const union kit_addr *to, uint16_t status,
	      uint32_t cause);

/* Sends a response of the transaction and remembers it as its last. serve.c calls it; unit tests bring their
 * own. */
void gw_say(struct gw *g, struct gw_txn *t, uint16_t status);

/* ---- oc.c */

void gw_oc_start(struct gw *g);
void gw_oc_timer(struct gw *g);
void gw_oc_client(struct gw *g, const union kit_addr *from);
uint32_t gw_oc_clients(const struct gw *g);
void gw_oc_say(struct gw *g, const struct gw_head *h, struct kit_writer *w);

/* ---- report.c */

/* All gateways as one line of JSON on stdout. */
void gw_report(struct sim *sim);
void gw_reset(struct sim *sim);

#endif
