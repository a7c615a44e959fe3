/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What control tells the policy room: plain arrays, made from the config, of which a snapshot is built. Part
 * of the door lb.h. Nothing here is read per message.
 */
#ifndef WEIR_LB_SPEC_H
#define WEIR_LB_SPEC_H

#include <stddef.h>
#include "conf/limits.h"
#include "conf/types.h"

#define LB_NONE      UINT16_MAX /* no slot, no index */
#define LB_UNLIMITED UINT32_MAX /* a rate or a number of calls without limit */

/* A SipHash key. id is written into every token and branch, so that keys can be rotated. */
struct lb_key {
	uint64_t k[2];
	uint8_t id;
};

enum lb_when_full {
	LB_FULL_503_RETRY,
	LB_FULL_503,
	LB_FULL_500
};
enum lb_unknown {
	LB_UNKNOWN_DROP,
	LB_UNKNOWN_403,
	LB_UNKNOWN_ALLOW
};

struct lb_gateway_spec {
	struct str name;
	struct addr addr;
	uint16_t slot;    /* index of its word and of its cells in a lane; stable for its name over reloads */
	uint16_t pool;    /* index into lb_spec.pools */
	uint16_t weight;  /* share of new work inside its tier; 0: none */
	uint8_t tier;     /* 0 is tried first */
	uint8_t listener; /* where messages to it leave */
	uint8_t port;     /* and the port of that: gateways with one number share a fate */
	uint8_t count_in; /* 1: calls that it makes count, too, though they are never refused for its limit */
	uint8_t oc;       /* 1: it is asked for overload control (RFC 7339), and obeyed */
	uint8_t observe;  /* 1: what the governor's limits would stop is counted and not stopped */
};

/* How the gateways of a tier share its work. */
enum lb_balance {
	LB_BALANCE_HASH,       /* by a hash, no one far above its share of unanswered INVITEs */
	LB_BALANCE_LEAST_WORK, /* who has fewest unanswered INVITEs for its weight */
	LB_BALANCE_WEIGHTED,   /* by turns */
};

/* Of what, under LB_BALANCE_HASH. */
enum lb_hash_of {
	LB_HASH_CALL_ID,
	LB_HASH_TO,     /* who is called: user part of the Request-URI, else of To */
	LB_HASH_SOURCE, /* address that the request comes from, without the port */
};

/* A set of final status codes, 300..699. */
struct lb_codes {
	uint64_t bits[7];
};

static inline void lb_codes_add(struct lb_codes *set, uint32_t code)
{
	set->bits[(code - 300) / 64] |= 1ull << (code - 300) % 64;
}

/* Any code may be asked for. */
static inline int lb_codes_has(const struct lb_codes *set, uint32_t code)
{
	return code - 300 < 400 && (set->bits[(code - 300) / 64] >> (code - 300) % 64 & 1);
}

/* When a call to a pool goes to another pool instead: at once, after a final, or after a time without one. */
struct lb_reroute_spec {
	struct lb_codes on;    /* finals that cause it; only so does a search go on after a 6xx */
	uint64_t no_answer_ns; /* time without a final that causes it; 0: none does */
	uint8_t always;        /* 1: before any gateway is tried */
	uint8_t notify;        /* 1: the caller is told with 181, unless it requires 100rel */
	struct str number;     /* what lb_query.number starts with; n == 0: anything */
	uint16_t pool;         /* index into pools: where the call goes */
};

/* What the governor does for a pool. */
enum lb_learn {
	LB_LEARN_ON,
	LB_LEARN_OBSERVE, /* limits are found and counted, and stop nothing */
	LB_LEARN_OFF
};

/* How its limits follow the signals: lb/govern/laws.c. */
enum lb_law {
	LB_LAW_GRADIENT,
	LB_LAW_AIMD,
	LB_LAW_STATIC,
	LB_LAWS
};

/* What a gateway's Retry-After does: lb/govern/retry_after.c. */
enum lb_gateway_retry {
	LB_GATEWAY_RETRY_STOP,
	LB_GATEWAY_RETRY_SHRINK,
	LB_GATEWAY_RETRY_IGNORE
};

struct lb_pool_spec {
	struct str name;
	uint32_t retry_after_s; /* most that is told as Retry-After when the pool is full, s, >= 1 */
	uint8_t attempts;       /* gateways that a call is tried at, <= LIMIT_ATTEMPTS; 0 counts as 1 */
	uint8_t balance;        /* enum lb_balance */
	uint8_t hash;           /* enum lb_hash_of */
	uint8_t follow;         /* 1: a 3xx to a gateway of ours is followed; 0: relayed */
	uint8_t redirect;       /* 1: an INVITE is answered 302 with the gateway as Contact */
	uint8_t learn;          /* enum lb_learn */
	uint8_t law;            /* enum lb_law */
	uint8_t gateway_retry;  /* enum lb_gateway_retry */
	uint64_t gateway_retry_max_ns; /* most of a Retry-After that is heeded */
	uint16_t overflow;        /* 1 + index of the pool that gets what this one has no room for; 0: none */
	uint8_t spill;            /* percent of what that one can take that may come from here, > 0 */
	uint16_t budget_permille; /* tries after an answer, per 1000 new calls of the pool */
	uint64_t after_ns;        /* silence that ends a try if the gateway has sent nothing since it began */
	uint64_t after_max_ns;    /* silence that ends it in any case */
	uint64_t progress_ns;     /* 100 and nothing more for this long ends it; 0: never */
	uint8_t down_after;       /* probes in a row without answer that make a gateway DOWN; 0: no probes */
	uint8_t up_after;         /* probes in a row with answer that let it come back */
	struct lb_codes on;       /* finals beside 503 after which the next gateway is tried */
	const struct lb_reroute_spec *reroutes; /* in order; the first that fits decides */
	uint32_t n_reroutes;                    /* <= LIMIT_REROUTES */
};

struct lb_prefix {
	uint8_t ip[16]; /* as struct addr; host bits zero */
	uint8_t len;    /* bits, 0..128; IPv4 prefixes count from 96 */
	uint16_t peer;  /* index into lb_spec.peers */
};

struct lb_peer_spec {
	struct str name;
	uint16_t slot; /* index of its word and of its cells in a lane; stable for its name over reloads */
	enum lb_when_full when_full;
	const struct str *resources; /* values of Resource-Priority that it is believed, "namespace.value" */
	uint32_t n_resources;        /* <= LIMIT_PEER_RESOURCES */
	uint16_t share;              /* weight among those who call a pool that is short; 0 counts as 1 */
};

/* A routing rule; the first that matches decides. LB_NONE, METHOD_COUNT and n == 0 match everything. */
struct lb_route_spec {
	uint16_t from_peer; /* index into peers, or LB_NONE */
	uint16_t from_pool; /* index into pools: the source is a gateway of it; or LB_NONE */
	uint8_t method;     /* enum method, or METHOD_COUNT */
	struct str number;  /* what lb_query.number starts with */
	struct str host;    /* lb_query.host, case-insensitive */
	uint16_t pool;      /* index into pools, or LB_NONE: answer */
	uint16_t answer;    /* status code, if pool is LB_NONE */
};

struct lb_spec {
	struct lb_key hash_key; /* hashes, owners, choices: never rotated, the same on every node */
	struct lb_key key;      /* mints and verifies tokens, branches and tags; rotated */
	struct lb_key old_key;  /* verifies only; equal to key if there is none */
	uint16_t node;          /* this node's number, part of tokens */
	uint16_t headroom;      /* part of max-calls and max-cps, of 65536, that is for urgent calls alone */
	const struct str *emergency; /* numbers, with or without a leading "+": LIMIT_NUMBER bytes at most */
	uint32_t n_emergency;        /* <= LIMIT_EMERGENCY */
	enum lb_unknown unknown;
	const struct str *listeners; /* names, by number; tokens and branches know listeners by these */
	uint32_t n_listeners;        /* <= LIMIT_LISTENERS; 0: they are known by number */
	const struct lb_gateway_spec *gateways;
	const struct lb_pool_spec *pools;
	const struct lb_peer_spec *peers;
	const struct lb_prefix *prefixes;
	const struct lb_route_spec *routes;
	uint32_t n_gateways, n_pools, n_peers, n_prefixes, n_routes;
};

struct lb_snapshot;

/*
 * Finds two gateways of `spec` whose names have the same lb_gateway_id().
 * Returns 0, or -EEXIST with their indexes in a and b. Control.
 */
int lb_spec_collision(const struct lb_spec *spec, uint32_t *a, uint32_t *b);

/* Bytes that a snapshot of `spec` takes. Control. */
size_t lb_snapshot_size(const struct lb_spec *spec);

/*
 * Builds a snapshot of `spec` in `mem` (lb_snapshot_size() bytes, 64-byte aligned); copies everything it
 * needs. Builds the weighted Maglev tables, so it takes milliseconds per tier. Returns the snapshot, or
 * NULL with errno EINVAL if the spec breaks a bound of conf/limits.h or refers to something that is not
 * there. Control.
 */
struct lb_snapshot *lb_snapshot_init(void *mem, const struct lb_spec *spec);

#endif
