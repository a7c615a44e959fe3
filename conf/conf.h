/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Configuration: a YAML file in, one immutable typed struct conf out, or every error of the file in one
 * list. One schema (conf/schema.c) drives loading, defaults, ranges, messages, printing and docs/config.md.
 * A struct conf that was loaded can carry calls: names are unique, references are indexes that exist, and
 * what conf_load() promises below holds. Any thread may read it; nobody changes it.
 */
#ifndef WEIR_CONF_H
#define WEIR_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/limits.h"
#include "conf/types.h"

#define CONF_NONE UINT32_MAX /* an index or number that the file does not give */

enum conf_poll {
	CONF_POLL_ADAPTIVE,
	CONF_POLL_BUSY
};
enum conf_auto {
	CONF_AUTO,
	CONF_OFF,
	CONF_ON
};
enum conf_checksum {
	CONF_CHECKSUM_VERIFY,
	CONF_CHECKSUM_TRUST
};
enum conf_when_full {
	CONF_FULL_503_RETRY_AFTER,
	CONF_FULL_503,
	CONF_FULL_500
};
enum conf_unknown {
	CONF_UNKNOWN_DROP,
	CONF_UNKNOWN_403,
	CONF_UNKNOWN_ALLOW
};
enum conf_balance {
	CONF_BALANCE_CALL_ID,
	CONF_BALANCE_LEAST_WORK,
	CONF_BALANCE_WEIGHTED
};
enum conf_hash {
	CONF_HASH_CALL_ID,
	CONF_HASH_TO,
	CONF_HASH_SOURCE
};
enum conf_count {
	CONF_COUNT_BOTH,
	CONF_COUNT_OUT
};
enum conf_learn {
	CONF_LEARN_ON,
	CONF_LEARN_OBSERVE,
	CONF_LEARN_OFF
};
enum conf_law {
	CONF_LAW_GRADIENT,
	CONF_LAW_AIMD,
	CONF_LAW_STATIC
};
/* What a gateway's Retry-After does. */
enum conf_gateway_retry {
	CONF_GATEWAY_RETRY_STOP,
	CONF_GATEWAY_RETRY_SHRINK,
	CONF_GATEWAY_RETRY_IGNORE
};

enum conf_redirects {
	CONF_REDIRECTS_RELAY,
	CONF_REDIRECTS_FOLLOW
};
enum conf_mode {
	CONF_MODE_PROXY,
	CONF_MODE_REDIRECT
};
enum conf_notify {
	CONF_NOTIFY_OFF,
	CONF_NOTIFY_181
};
enum conf_probe {
	CONF_PROBE_OPTIONS,
	CONF_PROBE_OFF
};

/* An address with a prefix length. For sources the host bits are zero, for a port's addresses they are its
 * own. */
struct conf_prefix {
	struct addr addr; /* port 0 */
	uint8_t bits;     /* 0..32 for IPv4, 0..128 for IPv6 */
};

/* A name that refers to a named thing of the file. */
struct conf_ref {
	const char *name; /* NULL: not given */
	uint32_t index;   /* of the thing, CONF_NONE if name is NULL */
};

struct conf_cores {
	uint32_t n;    /* 0: control chooses */
	uint16_t *cpu; /* CPU numbers, ascending, each once */
};

struct conf_workers {
	uint32_t count; /* 1..LIMIT_WORKERS; with poll busy and cores given, no more than cores.n */
	struct conf_cores cores;
	enum conf_poll poll;
};

struct conf_eal {
	uint32_t n_extra;
	const char **extra; /* words for the end of the EAL arguments */
	enum conf_auto hugepages;
	uint64_t memory; /* bytes, a multiple of 1 MiB; used without huge pages */
};

struct conf_port {
	const char *name;
	const char *device;   /* "net_tap,iface=dt0", "0000:3b:00.0" */
	uint32_t n_addresses; /* >= 1 */
	struct conf_prefix *addresses;
	struct addr gateway;  /* IPv4, port 0; all zero: none */
	struct addr gateway6; /* IPv6, port 0; all zero: none */
	uint32_t mtu;         /* bytes of IP */
	uint32_t vlan;        /* tag of its frames, 0: untagged */
	enum conf_checksum checksum;
	const char *twin; /* kernel interface; the port's name if the file gives none; <= 15 bytes */
};

struct conf_listener {
	const char *name;
	struct addr address;
	const char *advertise; /* "host" or "host:port" for Via and Record-Route; NULL: the address */
	uint32_t port;         /* index of the port that has the address */
};

struct conf_peer {
	const char *name;
	uint32_t n_from; /* >= 1 */
	struct conf_prefix *from;
	enum conf_when_full answer_when_full;
	uint32_t max_cps;   /* per second; CONF_NONE: no limit */
	uint32_t max_calls; /* at once; CONF_NONE: no limit */
	uint32_t max_rps;   /* requests other than INVITE per second; CONF_NONE: no limit */
	uint32_t n_resource_priority;
	const char **resource_priority; /* "namespace.value", <= LIMIT_PEER_RESOURCES */
	uint32_t max_emergency;         /* per second */
	uint32_t share;                 /* 1..LIMIT_SHARE: weight among those who call a pool that is short */
};

struct conf_gateway {
	const char *name;
	struct addr address;
	uint32_t weight;       /* 0..LIMIT_WEIGHT; 0: no new work */
	uint32_t tier;         /* 1..LIMIT_TIERS; 1 is tried first */
	uint32_t max_cps;      /* per second; CONF_NONE: no limit */
	uint32_t max_calls;    /* at once; CONF_NONE: no limit */
	uint32_t max_rps;      /* requests other than INVITE per second; CONF_NONE: no limit */
	enum conf_count count; /* which calls max_calls is about */
};

struct conf_failover {
	uint32_t attempts; /* 1..LIMIT_ATTEMPTS gateways for one call */
	uint64_t after_ns;
	uint64_t after_max_ns; /* >= after_ns */
	uint64_t progress_ns;  /* 0: off */
	uint32_t n_on;
	uint32_t *on;          /* status codes 400..599 beside 503 */
	uint32_t retry_budget; /* percent of the pool's new calls */
};

struct conf_overload {
	enum conf_learn learn;
	enum conf_law law;
	uint32_t oc;              /* CONF_ON, CONF_OFF */
	struct conf_ref overflow; /* another pool that takes calls; not given: none */
	uint32_t spill;           /* percent */
	uint64_t retry_after_ns;  /* whole seconds, >= 1 s */
	enum conf_gateway_retry gateway_retry;
	uint64_t gateway_retry_max_ns; /* >= 1 s */
};

/* One of always, n_on > 0, no_answer_ns > 0, or both of the latter. */
struct conf_reroute {
	uint32_t n_on;
	uint32_t *on;          /* status codes 300..699 */
	uint64_t no_answer_ns; /* 0: not given */
	enum conf_auto always; /* CONF_ON or CONF_OFF */
	const char *number;    /* prefix of the number, without visual separators; NULL: any */
	struct conf_ref to;    /* another pool, from which no reroute leads back */
	enum conf_notify notify;
};

struct conf_health {
	enum conf_probe method;
	uint64_t interval_ns;
	uint64_t timeout_ns; /* <= interval_ns */
	uint32_t down_after; /* probes in a row */
	uint32_t up_after;   /* probes in a row */
};

struct conf_pool {
	const char *name;
	enum conf_balance balance;
	enum conf_hash hash; /* other than call-id only with balance call-id */
	struct conf_ref via; /* listener; not given: one of the gateway's family is there */
	uint32_t n_gateways; /* >= 1 */
	struct conf_gateway *gateways;
	struct conf_health health;
	struct conf_failover failover;
	struct conf_overload overload;
	enum conf_redirects redirects;
	enum conf_mode mode;
	uint32_t n_reroute;
	struct conf_reroute *reroute;
};

struct conf_match {
	const char *from;   /* name of a peer or a pool; NULL: any source */
	uint32_t from_peer; /* index, or CONF_NONE */
	uint32_t from_pool; /* index, or CONF_NONE */
	uint32_t method;    /* enum method; METHOD_COUNT: any */
	const char *number; /* prefix of the number, without visual separators; NULL: any */
	const char *host;   /* Request-URI host, lower case; NULL: any */
};

struct conf_route {
	struct conf_match match;
	struct conf_ref pool; /* not given: answer is */
	uint32_t answer;      /* status code 400..699; CONF_NONE: pool is given */
};

struct conf_emergency {
	uint32_t n_numbers; /* <= LIMIT_EMERGENCY */
	const char **numbers;
	uint32_t headroom; /* percent of max-calls and max-cps */
};

struct conf_control {
	const char *socket;  /* path of the control socket */
	struct addr metrics; /* where /metrics is served; port 0: nowhere */
	const char *records; /* file of call records; NULL: none are written */
};

struct conf_calls {
	uint32_t max;     /* calls at once, >= the sum of all max_calls of gateways */
	uint32_t ringing; /* calls without a final response at once, <= max */
	uint64_t max_duration_ns;
};

/* Names and values of RFC 3261 table 4. */
struct conf_timers {
	uint64_t t1_ns, t2_ns, t4_ns;
	uint64_t b_ns;
	uint64_t c_ns;
	uint64_t d_ns;           /* and H, L, M */
	uint64_t release_ns;     /* a call whose BYE nobody answers goes on counting this long */
	uint64_t pin_ns;         /* how long a transaction keeps its gateway after its last message */
	uint64_t session_min_ns; /* whole seconds; shorter session intervals count as this */
};

struct conf {
	const char *file;      /* as named by the caller */
	const char *node;      /* name of this node */
	const char *state_dir; /* folder of the token key and of the calls in use */
	struct conf_workers workers;
	struct conf_eal eal;
	uint32_t n_ports, n_listeners, n_peers, n_pools, n_routes;
	struct conf_port *ports;         /* >= 1; index is the DPDK port's */
	struct conf_listener *listeners; /* >= 1 */
	struct conf_peer *peers;
	enum conf_unknown unknown;
	struct conf_pool *pools;   /* gateway names are unique over all pools */
	struct conf_route *routes; /* in order; the first that matches decides */
	struct conf_control control;
	struct conf_emergency emergency;
	struct conf_calls calls;
	struct conf_timers timers;
};

/* What a load found. Entries are sorted by line and column. */
struct conf_message {
	uint32_t line, column; /* from 1; 0: the file as a whole */
	bool warning;
	const char *text; /* "what, found VALUE, expected what" */
};

struct conf_report {
	const char *file;
	uint32_t n_errors, n_warnings;
	uint32_t n; /* = n_errors + n_warnings */
	struct conf_message *messages;
};

/*
 * Loads and checks a file. On success *out is set, to be freed with conf_free(). The report is filled in
 * either case, to be freed with conf_report_free(). Reads the file and nothing else: no network, no root.
 *
 * Beyond types, units and ranges it refuses what cannot carry a call: a pool without gateways, without any
 * weight or without a listener of a gateway's family; limits that the call table has no room for; reroutes
 * to nowhere or in a circle; a route that refers to nothing or that an earlier one hides; a pool that no
 * route leads to; a listener whose address is on no port; two listeners or gateways on one address; one
 * prefix at two peers; workers or names past conf/limits.h.
 *
 * Returns 0 (perhaps with warnings), -EINVAL if the report has errors, -ENOMEM, or the -errno of reading.
 */
int conf_load(const char *file, struct conf **out, struct conf_report *report);

/* The same from n bytes of text; file is only a name for messages. */
int conf_load_text(const char *file, const char *text, size_t n, struct conf **out,
		   struct conf_report *report);

/* Frees a config and everything it points to; NULL is allowed. */
void conf_free(struct conf *conf);

/* One line for each message: "file:line:column: text", warnings with "warning: " before the text. */
void conf_report_print(const struct conf_report *report, FILE *out);

/* Frees what a report holds, not the report itself. */
void conf_report_free(struct conf_report *report);

/*
 * Sets one number of a gateway or a peer from text as a file would hold it ("200/s", "5k"); "none" lifts a
 * limit. Nothing but the value itself is checked. Returns 0; -ENOENT: no such key, or not one of numbers;
 * -EINVAL: the value is no good; then one line in err[n] says what was found and expected.
 */
int conf_change_gateway(struct conf_gateway *gw, const char *key, const char *text, char *err, size_t n);
int conf_change_peer(struct conf_peer *peer, const char *key, const char *text, char *err, size_t n);

/* Writes a config as complete YAML, defaults included, that loads again to the same. Returns 0 or -EIO. */
int conf_print(const struct conf *conf, FILE *out);

/* Writes docs/config.md from the schema. Returns 0 or -EIO. */
int conf_schema_markdown(FILE *out);

/*
 * Text of an address: "192.0.2.1:5060", "[2001:db8::1]:5060", without port (and brackets) if that is 0.
 * Returns the length. Any thread.
 */
#define CONF_ADDR_TEXT 56
unsigned int conf_addr_text(const struct addr *addr, char text[CONF_ADDR_TEXT]);

/*
 * Reads such a text; the port is optional and 0 if absent. Returns 0 or -EINVAL. Any thread.
 */
int conf_addr_parse(const char *text, struct addr *addr);

#endif
