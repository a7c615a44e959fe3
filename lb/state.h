/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words: what workers and control share about gateways, peers, pools and the node. Part of the door lb.h,
 * which has the thread rule. Whatever control sets here holds from the next message on and survives reloads.
 */
#ifndef WEIR_LB_STATE_H
#define WEIR_LB_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the governor finds; all but DOWN may get new calls, within the rate and open_cap of their word. */
enum lb_health {
	LB_DOWN,      /* silent */
	LB_UP,        /* well */
	LB_SATURATED, /* alive and full */
	LB_PROBING,   /* back from DOWN: a trickle of calls must be answered first */
	LB_SLOWSTART  /* and then ever more */
};

/* What the operator says of it. */
enum lb_admin {
	LB_READY,
	LB_DRAIN, /* no new calls; those it has go on */
	LB_MAINT  /* also no probes, and calls that it has not answered go elsewhere at once */
};

/* What stops a gateway from getting a new request. */
enum lb_stop {
	LB_STOP_NONE,
	/* In the order of the cells ST_GW_SKIPPED_STATE and following. */
	LB_STOP_STATE, /* down, drained or in maintenance */
	LB_STOP_CALLS, /* max-calls */
	LB_STOP_CPS,   /* max-cps */
	LB_STOP_RPS,   /* max-rps */
	LB_STOP_RATE,  /* the governor: calls per second */
	LB_STOP_OPEN,  /* the governor: unanswered INVITEs at once */
	LB_STOP_SHED,  /* the governor: the part of calls that it asked to be spared (RFC 7339) */
	LB_STOP_BOUND, /* more unanswered INVITEs than its share of the tier's */
	/* Not counted in a cell. */
	LB_STOP_TRIED, /* it had the call before */
	LB_STOP_COUNT
};

#define LB_URGENT_CPS 10 /* max-emergency before anybody sets it */

struct lb_words;

/* Bytes for the words of LIMIT_GATEWAYS gateways, LIMIT_PEERS peers and LIMIT_POOLS pools. Control. */
size_t lb_words_size(void);

/* Makes words in `mem` (lb_words_size() bytes, 64-byte aligned): all UP, READY, without limit. Control. */
struct lb_words *lb_words_init(void *mem);

/* What the operator and the health machine say of gateway `slot`. Control. */
void lb_set_health(struct lb_words *words, uint16_t slot, enum lb_health health);
void lb_set_admin(struct lb_words *words, uint16_t slot, enum lb_admin admin);

/*
 * The gateway, of this pool and tier, is down: what is open there will not be answered, and must not stand in
 * the way of the calls that try it later. Who gives back what was taken before gives back nothing. Control.
 */
void lb_forget_open(struct lb_words *words, uint16_t slot, uint16_t pool, uint8_t tier);

/* While `on`, a call that the gateway does not take is not tried elsewhere. Control. */
void lb_set_panic(struct lb_words *words, uint16_t slot, bool on);
enum lb_health lb_get_health(const struct lb_words *words, uint16_t slot);
enum lb_admin lb_get_admin(const struct lb_words *words, uint16_t slot);

/*
 * The least sequence number that clients are told with overload control (RFC 7339 4.4), ms; 0: none. To be
 * larger than what any process before this one has told. Control, before start.
 */
void lb_set_oc_start(struct lb_words *words, uint64_t ms);
uint64_t lb_get_oc_start(const struct lb_words *words);

/*
 * What the peer at `slot` is told if it asks: to withhold `percent` (0..100) of its requests. `ms` is the
 * sequence number, larger than any before. Control.
 */
void lb_set_told(struct lb_words *words, uint16_t slot, uint32_t percent, uint64_t ms);

/* True if the peer has ever asked. Any. */
bool lb_peer_asks(const struct lb_words *words, uint16_t slot);

/*
 * The node drains: new calls and OPTIONS to Weir get 503 with Retry-After, retry_after_s (>= 1) to twice
 * that; everything else goes on. Emergency calls and calls of trusted priority are taken all the same, as
 * long as they are within max-emergency and a gateway can take them. Control.
 */
void lb_set_draining(struct lb_words *words, bool on, uint32_t retry_after_s);
bool lb_is_draining(const struct lb_words *words);

/*
 * Sets max-cps of a gateway or a peer: in any window of t seconds at most `per_s` * t + b requests are
 * admitted, b = max(1, 50 ms * per_s). per_s == LB_UNLIMITED lifts the limit; 0 admits nothing. Control.
 */
void lb_set_gateway_cps(struct lb_words *words, uint16_t slot, uint32_t per_s);
void lb_set_peer_cps(struct lb_words *words, uint16_t slot, uint32_t per_s);

/*
 * Sets max-rps in the same way: requests outside dialogs other than INVITE, and of a peer also those inside
 * dialogs that nobody knows. Control.
 */
void lb_set_gateway_rps(struct lb_words *words, uint16_t slot, uint32_t per_s);
void lb_set_peer_rps(struct lb_words *words, uint16_t slot, uint32_t per_s);

/*
 * Sets max-emergency of a peer, or with slot LB_NONE of all who are no peer: so many emergency calls and
 * calls of trusted priority per second, a second's worth of them at once, come before others; more are
 * ordinary calls. Control.
 */
void lb_set_peer_urgent(struct lb_words *words, uint16_t slot, uint32_t per_s);

/*
 * Limits that the governor has found, beside the operator's: new calls per second, bounded as by max-cps;
 * INVITEs at once that have had no response but 100; the part of new calls, of 65536, that pass the gateway
 * by, the same ones each time. LB_UNLIMITED, LB_UNLIMITED and 0 lift them. Emergency calls and trusted
 * priority go by none of them. now: monotonic ns. Control.
 */
void lb_set_gateway_rate(struct lb_words *words, uint16_t slot, uint32_t per_s, uint64_t now);

/*
 * The same by RFC 7415 3.5: per_s of all requests, new or in a dialog. Those in dialogs, urgent ones and
 * repeats pass, and are paid for by new ones. Until lb_set_gateway_rate() sets another. Control.
 */
void lb_set_gateway_pace(struct lb_words *words, uint16_t slot, uint32_t per_s, uint64_t now);
void lb_set_open_cap(struct lb_words *words, uint16_t slot, uint32_t max);
void lb_set_shed(struct lb_words *words, uint16_t slot, uint16_t part);

/*
 * Sets T1 of the INVITEs that go to a gateway, ms, where it takes longer to answer than the node's T1 allows
 * for; 0: that one. Control.
 */
void lb_set_gateway_t1(struct lb_words *words, uint16_t slot, uint16_t ms);

/*
 * Sets the sum of the weights of a tier's gateways (pool: index of the specification) that may get new work
 * now; 0: all. What one of them may have to do at once is bounded by its share of it. Control.
 */
void lb_set_able(struct lb_words *words, uint16_t pool, uint8_t tier, uint32_t weight);

/*
 * Sets how many calls per second may go from a pool to its overflow pool, bounded as by max-cps;
 * LB_UNLIMITED: any number. Control.
 */
void lb_set_spill(struct lb_words *words, uint16_t pool, uint32_t per_s);

/* INVITEs sent to a gateway that have had no response but 100, at this moment. Any. */
uint32_t lb_gateway_open(const struct lb_words *words, uint16_t slot);

/*
 * Sets max-calls of a gateway or a peer: calls + survivors never exceed it through a choice of Weir's. Calls
 * that a gateway makes itself count, but are never refused. LB_UNLIMITED lifts the limit; 0 admits nothing. A
 * limit below what is in use ends no call. Control.
 */
void lb_set_gateway_calls(struct lb_words *words, uint16_t slot, uint32_t max);
void lb_set_peer_calls(struct lb_words *words, uint16_t slot, uint32_t max);

/* Calls in use at a gateway or of a peer: places that entries hold, survivors not included. Any. */
uint32_t lb_gateway_calls(const struct lb_words *words, uint16_t slot);
uint32_t lb_peer_calls(const struct lb_words *words, uint16_t slot);

/*
 * Survivors: calls that a process before this one set up at the gateway and that may still run. lb_set starts
 * from a published figure, before the workers start; lb_cap lowers them to `most` as they grow old. Workers
 * take one off with the BYE of a call that has a token but no entry. Control.
 */
void lb_set_survivors(struct lb_words *words, uint16_t slot, uint32_t n);
void lb_cap_survivors(struct lb_words *words, uint16_t slot, uint32_t most);

/* Survivors that are left. Any. */
uint32_t lb_get_survivors(const struct lb_words *words, uint16_t slot);

#endif
