/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be seen of a worker from outside: calls in progress, records of those that ended, the places that
 * they hold. Part of the door lb.h, which has the thread rule. Reading disturbs no worker.
 */
#ifndef WEIR_LB_SIGHT_H
#define WEIR_LB_SIGHT_H

#include <stdbool.h>
#include <stdint.h>
#include "conf/limits.h"

struct lb_worker;

enum lb_call_state {
	LB_CALL_SETUP,    /* no final response yet */
	LB_CALL_ANSWERED, /* at least one confirmed dialog */
	LB_CALL_LEFT,     /* a gateway that a search has left, and that may still bring the call */
};

/* One entry as it was at one moment. */
struct lb_call {
	enum lb_call_state state;
	uint32_t tag;         /* lb_call_tag() of its Call-ID */
	uint16_t in, out;     /* slots of the gateways that it comes from and goes to, or LB_NONE */
	uint16_t peer;        /* slot of the peer that it comes from, or LB_NONE */
	uint8_t counts_in;    /* 1: it has a place at `in`; that at `out` it always has */
	uint8_t dialogs;      /* confirmed ones that have not ended */
	uint32_t age_ms;      /* since its INVITE */
	uint32_t answered_ms; /* since its first 2xx; 0 before */
	uint32_t session_ms;  /* until its session timer has lapsed; 0: it has none */
};

/* What ended a call. */
enum lb_call_end {
	LB_END_FAILED,         /* a final response other than 2xx */
	LB_END_BYE,            /* a BYE, answered */
	LB_END_BYE_UNANSWERED, /* a BYE that nobody answered */
	LB_END_SESSION,        /* the session timer lapsed (RFC 4028) */
	LB_END_DURATION,       /* longer than max-duration */
	LB_END_SILENT,         /* no final response */
	LB_END_CANCELLED,      /* by the caller, before it was answered or its answer had reached him */
};

/* Why the search has left a gateway that has not answered. */
enum lb_left {
	LB_LEFT_SILENT, /* no final response in time */
	LB_LEFT_DOWN,   /* it was found down */
	LB_LEFT_ICMP,   /* the INVITE came back: nobody listens there */
};

/* A gateway that did not take the call. */
struct lb_try {
	uint16_t gateway; /* slot */
	uint16_t status;  /* of its final response, or enum lb_left: less than 100 */
};

/* A call that ended. */
struct lb_record {
	uint64_t ended;       /* monotonic ns */
	uint32_t age_ms;      /* from its INVITE to its end */
	uint32_t answered_ms; /* from its first 2xx to its end; 0: there was none */
	uint16_t in, out;     /* as in struct lb_call; out: the last gateway, or the one that took it */
	uint16_t peer;
	uint16_t status;    /* what the caller got; 0: nothing */
	uint8_t how;        /* enum lb_call_end */
	uint8_t bye_caller; /* BYE, BYE_UNANSWERED: 1 if the caller sent it */
	uint8_t late;       /* 1: answered after an earlier record had told of the end of the call */
	uint8_t n_tries;
	struct lb_try tries[LIMIT_BRANCHES]; /* in the order in which they ended */
	uint8_t caller_n, number_n,
		call_id_n; /* bytes of each, one after the other in text, cut to what fits */
	char text[LIMIT_RECORD_TEXT];
};

/* Takes the next record of the worker; false: there is none. Control. */
bool lb_record_next(struct lb_worker *w, struct lb_record *record);

/* What names a Call-ID (its lb_hash() with lb_spec.hash_key) in an entry. Any. */
uint32_t lb_call_tag(uint64_t call_hash);

/* Entries of a worker: those in use, and how many there are, which never changes. Any. */
uint32_t lb_call_count(const struct lb_worker *w);
uint32_t lb_call_limit(const struct lb_worker *w);

/* INVITE transactions of a worker: those in use, and how many there are. Any. */
uint32_t lb_setup_count(const struct lb_worker *w);
uint32_t lb_setup_limit(const struct lb_worker *w);

/*
 * Reads entry i < lb_call_limit() while the worker goes on. now: monotonic ns. False: it is free, or was
 * written too often to be read. Any.
 */
bool lb_call_read(const struct lb_worker *w, uint32_t i, uint64_t now, struct lb_call *call);

/*
 * Adds up the places that the worker's entries hold, to gateways[] and peers[] by slot (LIMIT_GATEWAYS and
 * LIMIT_PEERS of them). The sums of all workers are what lb_gateway_calls() and lb_peer_calls() say; with
 * traffic they differ by what came and went meanwhile: at most by the growth of ST_GW_PLACES_TAKEN and
 * ST_GW_PLACES_GIVEN from before to after. Any.
 */
void lb_audit(const struct lb_worker *w, uint32_t *gateways, uint32_t *peers);

/*
 * The same for unanswered INVITEs, to open[] by slot, and lb_gateway_open(): they differ at most by the
 * growth of ST_GW_OPEN_TAKEN and ST_GW_OPEN_GIVEN. Any.
 */
void lb_audit_open(const struct lb_worker *w, uint32_t *open);

#endif
