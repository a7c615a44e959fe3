/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of a snapshot: arrays and small hash tables in one block of memory, built once by control, then
 * read only. Any thread may read. Gateways lie sorted by pool, tier and id, so that a tier is a range and
 * nothing depends on the order of the config.
 */
#ifndef WEIR_LB_SNAPSHOT_H
#define WEIR_LB_SNAPSHOT_H

#include "lb/lb.h"
#include "lb/token.h"

struct gateway {
	struct addr addr;
	uint32_t id;     /* lb_gateway_id() */
	uint16_t slot;   /* index of its word */
	uint16_t pool;   /* index into pools */
	uint16_t weight; /* share of new work inside its tier */
	uint8_t tier;
	uint8_t listener; /* where messages to it leave */
	uint8_t port;     /* of that */
	uint8_t count_in; /* calls that it makes count, too */
	uint8_t oc;       /* it is asked for overload control (RFC 7339) */
	uint8_t observe;  /* the governor's limits are only counted */
};

/* Gateways of one pool that are tried together; some of their weights are not 0. */
struct tier {
	const uint16_t *table; /* LIMIT_MAGLEV indexes into gateways; NULL: only one of them has weight */
	uint16_t first, n;     /* range of gateways */
	uint16_t only;         /* index of the one with weight if table is NULL */
	uint16_t n_weighty;    /* of them with weight */
	uint32_t weight;       /* sum */
};

/* As struct lb_reroute_spec, its text in the snapshot. */
struct reroute {
	struct lb_codes on;
	uint64_t no_answer_ns; /* 0: no answer is no reason */
	struct str number;     /* prefix */
	uint16_t pool;         /* index into pools */
	uint8_t always, notify;
};

/* What fail-over goes by is as in struct lb_pool_spec. */
struct pool {
	uint32_t id;            /* lb_gateway_id() of its name: outlives reloads */
	uint32_t retry_after_s; /* most that is told */
	uint16_t first, n;      /* range of tiers, in the order they are tried */
	uint16_t overflow;      /* index into pools, or LB_NONE */
	uint8_t spill;          /* percent, see struct lb_pool_spec */
	uint16_t start, end;    /* range of gateways, from start to before end */
	uint8_t balance;        /* enum lb_balance */
	uint8_t hash;           /* enum lb_hash_of */
	uint16_t budget_permille;
	uint8_t attempts; /* >= 1 */
	uint8_t down_after, up_after;
	uint8_t follow, redirect;
	uint8_t learn, law;    /* enum lb_learn, enum lb_law */
	uint8_t gateway_retry; /* enum lb_gateway_retry */
	uint8_t n_reroutes;
	const struct reroute *reroutes;
	uint64_t after_ns, after_max_ns, progress_ns;
	uint64_t gateway_retry_max_ns;
	struct lb_codes on;
};

/* A telephone number without its "+". */
struct number {
	char text[LIMIT_NUMBER];
	uint8_t n;
};

struct peer {
	const struct str *resources; /* see struct lb_peer_spec */
	uint8_t n_resources;
	uint16_t slot;     /* index of its word and cells */
	uint16_t share;    /* weight, >= 1 */
	uint8_t when_full; /* enum lb_when_full */
};

struct prefix {
	uint64_t hi, lo; /* address in host order, host bits zero */
	uint16_t peer;   /* index into peers */
	uint8_t len;     /* bits */
};

struct route {
	uint64_t head;      /* first eight bytes of number, the rest 0 */
	uint64_t head_mask; /* which of them count */
	struct str number, host;
	uint16_t from_peer, from_pool; /* or LB_NONE */
	uint16_t pool;                 /* or LB_NONE: answer */
	uint16_t answer;               /* status code */
	uint8_t method;                /* or METHOD_COUNT */
};

/* Open addressing over an array of the snapshot. */
struct index {
	uint32_t *cell; /* 0: empty, else position in the array + 1 */
	uint32_t mask;  /* cells - 1; at least half of them are empty */
};

struct lb_snapshot {
	struct lb_key hash_key;
	struct keys keys;
	uint16_t node;
	uint8_t unknown;   /* enum lb_unknown */
	uint16_t headroom; /* of 65536 */
	uint8_t n_emergency;
	struct number emergency[LIMIT_EMERGENCY];
	uint8_t listener_id[256]; /* by number of a listener: what tokens and branches call it */
	uint8_t listener_of[256]; /* the reverse, or LISTENER_NONE */
	uint16_t shape;           /* hash of what pools there are and of whom they consist */
	uint32_t n_gateways, n_pools, n_tiers, n_peers, n_prefixes, n_routes;
	struct gateway *gateways;
	struct pool *pools;
	struct tier *tiers;
	struct peer *peers;
	struct prefix *prefixes;
	struct route *routes;
	uint16_t *by_slot;           /* gateway of each word, or LB_NONE */
	struct index by_id;          /* gateways */
	struct index by_addr, by_ip; /* gateways; by_ip: the first of each address */
	struct index by_prefix;
	uint8_t len4[33], len6[129]; /* prefix lengths in use, longest first */
	uint8_t n_len4, n_len6;
};

/* A number as it is compared: "+112" and "112" are one. */
static inline struct str number_without_plus(struct str number)
{
	if (number.n > 0 && number.p[0] == '+')
		return (struct str){ number.p + 1, number.n - 1 };
	return number;
}

/* The gateway with an identity, or NULL. */
const struct gateway *gateway_by_id(const struct lb_snapshot *s, uint32_t id);

/* The gateway that has a word, or NULL. */
static inline const struct gateway *gateway_by_slot(const struct lb_snapshot *s, uint16_t slot)
{
	uint16_t i = slot < LIMIT_GATEWAYS ? s->by_slot[slot] : LB_NONE;

	return i == LB_NONE ? NULL : &s->gateways[i];
}

#endif
