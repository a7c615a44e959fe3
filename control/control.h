/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private header of the control room: the parts of the program and what control's own servers (api, http)
 * may ask of them. Everything here runs on the control thread; nothing blocks.
 *
 * Who owns what: main.c makes and frees every part in the order of its list; a part is written by the file
 * named beside it and read by all. The views below are copies, valid until the caller drops them; texts in
 * them belong to the config or the plan and live as long as `struct app`.
 */
#ifndef WEIR_CONTROL_H
#define WEIR_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "conf/limits.h"
#include "conf/types.h"
#include "dataplane/dataplane.h"
#include "lb/lb.h"
#include "stats/stats.h"

struct conf;
struct event;
struct event_base;
struct lb_congestion;
struct ctl_plan;
struct ctl_policy;
struct ctl_events;
struct ctl_governor;
struct ctl_health;
struct ctl_ledger;
struct ctl_loop;
struct ctl_operate;
struct ctl_rates;
struct ctl_records;
struct ctl_watch;
struct ctl_api;
struct ctl_http;

#define CTL_SIGNALS 3 /* signals that the daemon hears */

struct app {
	const char *file;                   /* config as named on the command line */
	struct conf *conf;                  /* main.c; as loaded, immutable */
	struct event_base *base;            /* main.c; the one loop, libevent */
	struct ctl_plan *plan;              /* plan.c; what the dataplane was started with */
	struct lb_words *words;             /* main.c */
	struct st_table *stats;             /* main.c; lanes 0..workers-1 are the workers' */
	struct st_lane *lane;               /* main.c; the last lane of the table, written by control */
	struct dp *dp;                      /* main.c */
	struct ctl_policy *policy;          /* apply.c; keys, slots, the published specification */
	struct ctl_events *events;          /* events.c; what happened */
	struct ctl_governor *governor;      /* governor.c; limits as learned */
	struct ctl_health *health;          /* health.c; probes */
	struct ctl_ledger *ledger;          /* ledger.c; calls in use: survivors, full pools, audit */
	struct ctl_loop *loop;              /* loop.c; twins, rtnetlink, raw socket, timers */
	struct ctl_operate *operate;        /* operate.c; what the file said before the operator changed it */
	struct ctl_records *records;        /* records.c; call records, NULL: none are written */
	struct ctl_rates *rates;            /* rates.c; samples for `show` and /metrics */
	struct ctl_watch *watch;            /* watch.c; heartbeats, systemd */
	struct ctl_api *api;                /* api.c; control socket */
	struct ctl_http *http;              /* http.c; /metrics */
	struct event *signals[CTL_SIGNALS]; /* main.c */
	uint64_t started;                   /* dp_now() at start */
	time_t started_at;                  /* wall clock at start, s */
	bool stopping;                      /* main.c; a stop signal came */
};

/* ---- Servers: api.c and http.c; called by main.c -------------------------------------------------- */

/*
 * Open the control socket / the metrics listener named in the config and serve on app->base; sets app->api /
 * app->http. A config that leaves the endpoint out is no error: nothing is opened. Returns 0, or -errno after
 * logging one line.
 */
int ctl_api_start(struct app *app);
int ctl_http_start(struct app *app);

/* Close, remove the socket file and free; NULL parts are allowed. */
void ctl_api_stop(struct app *app);
void ctl_http_stop(struct app *app);

/* ---- Rates: rates.c; started by main.c before the servers --------------------------------------------- */

/* Starts to sample, once a second, what the functions below tell; sets app->rates. Returns 0 or -ENOMEM. */
int ctl_rates_start(struct app *app);
void ctl_rates_stop(struct app *app);

/* Over the last few seconds: new calls per second of a gateway (index of ctl_gateway()); ... */
double ctl_rates_cps(const struct ctl_rates *rates, uint32_t gateway);
/* ... messages per second that a worker decided about; part of its time that it worked, 0..1. */
double ctl_rates_messages(const struct ctl_rates *rates, uint32_t worker);
double ctl_rates_busy(const struct ctl_rates *rates, uint32_t worker);

/* True if nothing came to the workers for a second or more: their counters stand still and are exact. */
bool ctl_rates_quiet(const struct ctl_rates *rates);

/* Number of the DPDK version that is linked: "22.11.11". (sight.c) */
const char *ctl_dpdk_version(void);

/* ---- Node ------------------------------------------------------------------------------------------- */

struct ctl_node {
	const char *name;    /* `node:` */
	const char *version; /* WEIR_VERSION */
	const char *file;    /* config file */
	uint16_t number;     /* node number inside tokens */
	int pid;
	uint64_t uptime_ns;
	time_t started_at; /* wall clock, s */
	bool serving;      /* all workers alive, a policy published, not stopping: /readyz */
	bool draining; /* by the operator: no new calls; /readyz says no, so that traffic goes elsewhere */
	uint32_t workers, ports, listeners, pools, gateways;
	uint32_t gateways_up;    /* not DOWN, whatever the operator says */
	uint32_t gateways_ready; /* as ctl_takes_work() */
};

void ctl_node(const struct app *app, struct ctl_node *out);

/* ---- Pools and gateways ------------------------------------------------------------------------------ */

/* How one probe ended. */
enum ctl_probe_end {
	CTL_PROBE_WAITING,  /* sent, neither answered nor given up */
	CTL_PROBE_ANSWERED, /* any response: alive */
	CTL_PROBE_TIMEOUT,  /* silence until `timeout` */
	CTL_PROBE_UNSENT, /* not handed to a worker, or held up inside Weir; says nothing about the gateway */
};

struct ctl_probe {
	uint64_t sent;   /* dp_now() */
	uint64_t rtt_ns; /* ANSWERED */
	uint16_t status; /* ANSWERED: the response's status code */
	uint8_t end;     /* enum ctl_probe_end */
};

#define CTL_PROBES 16 /* results kept for each gateway */

struct ctl_gateway {
	const char *name, *pool;
	struct addr addr;
	uint32_t id;   /* lb_gateway_id() */
	uint16_t slot; /* its word, and its row of the statistics */
	uint16_t pool_index;
	uint16_t weight;
	uint8_t tier;       /* as the policy counts: 0 is tried first */
	uint8_t listener;   /* index of the listener its messages leave by */
	uint32_t max_cps;   /* per s, LB_UNLIMITED */
	uint32_t max_calls; /* at once, LB_UNLIMITED */
	uint32_t calls;     /* in use: places taken in the words */
	uint32_t survivors; /* calls of the process before this one that may still go on */
	enum lb_health health;
	enum lb_admin admin;
	uint64_t since;      /* dp_now() of the last change of health; of the start if there was none */
	char why[96];        /* what changed it, for people */
	bool probed;         /* health probes are on for its pool */
	uint64_t next_probe; /* dp_now() of the next probe, 0 if none */
	uint32_t failures;   /* in a row */
	uint32_t successes;  /* in a row */
	uint32_t n_probes;   /* results in probes[] */
	struct ctl_probe probes[CTL_PROBES]; /* newest first */
};

struct ctl_pool {
	const char *name;
	uint32_t first, n;  /* its gateways are indexes first..first+n-1 of ctl_gateway() */
	uint32_t up, ready; /* gateways not DOWN; as ctl_takes_work() */
	bool full;          /* some could be given calls by their state, and each is at its max-calls */
};

/* Pools and gateways keep the order of the config file; index 0..count-1. */
uint32_t ctl_pool_count(const struct app *app);
void ctl_pool(const struct app *app, uint32_t index, struct ctl_pool *out);
uint32_t ctl_gateway_count(const struct app *app);
void ctl_gateway(const struct app *app, uint32_t index, struct ctl_gateway *out);

/* Index of the gateway / pool with this name, or -ENOENT. */
int ctl_gateway_find(const struct app *app, struct str name);
int ctl_pool_find(const struct app *app, struct str name);

/* What the governor thinks of a gateway (index of ctl_gateway()). app->governor is there. (governor.c) */
void ctl_congestion(const struct app *app, uint32_t index, struct lb_congestion *out);

/* True from the event pool-short of the pool to its pool-enough. The same. */
bool ctl_pool_short(const struct app *app, uint32_t index);

/* "up", "saturated", "probing", ...; "ready", "drain", "maint". */
const char *ctl_health_name(enum lb_health health);
const char *ctl_admin_name(enum lb_admin admin);

/* One word for both: "maint", else "down", which needs somebody, else "drain", else the health. */
const char *ctl_gateway_state(const struct ctl_gateway *g);

/* True if it may be given new calls by its health, the operator and its weight. */
bool ctl_takes_work(const struct ctl_gateway *g);

/*
 * What the operator says of a gateway: with DRAIN it gets no new work, what it has goes on; with MAINT it is
 * not probed either, and calls that it has not answered go elsewhere at once. `who` is the caller for the log
 * line ("uid 0 pid 4711"). Returns 0, or -EALREADY if nothing changed.
 */
int ctl_gateway_admin(struct app *app, uint32_t index, enum lb_admin admin, const char *who);

/*
 * Drains the node: new calls but urgent ones (lb_set_draining()), and OPTIONS, get 503 with Retry-After from
 * retry_after_s (>= 1, s) on, calls in progress go on. Again with another time: that is told from now on.
 * Returns 0.
 */
int ctl_node_drain(struct app *app, uint32_t retry_after_s, const char *who);

/* Takes it back. Returns 0, or -EALREADY. */
int ctl_node_ready(struct app *app, const char *who);

/* ---- Workers, ports, listeners ------------------------------------------------------------------------- */

struct ctl_worker {
	struct dp_worker_info info;
	uint64_t silent_ns; /* since its last heartbeat */
	bool stuck;         /* silent for a second or more */
};

uint32_t ctl_worker_count(const struct app *app);
void ctl_worker(const struct app *app, uint32_t index, struct ctl_worker *out);

struct ctl_port {
	const char *name; /* of the config */
	const char *device;
	const char *twin; /* kernel interface, "" if there is none */
	uint16_t mtu;     /* bytes of IP */
};

uint32_t ctl_port_count(const struct app *app);
void ctl_port(const struct app *app, uint32_t index, struct ctl_port *out);

struct ctl_listener {
	const char *name;
	struct addr addr;
	uint16_t port;         /* index of its port */
	const char *advertise; /* NULL: the address */
};

uint32_t ctl_listener_count(const struct app *app);
void ctl_listener(const struct app *app, uint32_t index, struct ctl_listener *out);

/* What the driver says of a port: dp_port(app->dp, index) with net_port_stats() and net_port_xstats(). */

#endif
