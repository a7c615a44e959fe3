/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Door of the policy room: whose message it is, where it goes, and when the answer is no.
 *
 * lb_input() takes one message as numbers and slices (struct lb_query) and the time, and gives actions
 * (struct lb_act). It parses no SIP, reads no clock, allocates nothing and takes no lock, so the same code
 * runs on a worker, in a unit test and in a simulator. Three kinds of data and no other:
 *   snapshot  immutable, built by control from a struct lb_spec, swapped by pointer;
 *   words     two cache lines per gateway, one per peer and per pool, indexed by a stable slot, atomic,
 *             surviving reloads;
 *   worker    tables of one worker (pins, refusal memo): one writer, its own thread.
 *
 * decide.c is the order of admission; what its steps are made of lies in
 *   admit/    who goes first, fair shares, what a refusal says, overload control in Vias
 *   choose/   routes, peers, the laws of balancing, the gateway of a request
 *   call/     transactions, fail-over, redirects, counted calls, their records
 *   govern/   what control runs ten times a second: limits and health of gateways (a door of its own)
 *   base/     hashing, base32, rate buckets, timers
 *
 * Thread rule of every function here: "worker" = the worker that owns `w`; "control" = the control thread;
 * "any" = no shared state is touched.
 */
#ifndef WEIR_LB_H
#define WEIR_LB_H

#include <stddef.h>
#include "conf/limits.h"
#include "conf/types.h"
#include "lb/spec.h"
#include "lb/trail.h"
#include "stats/stats.h"

/* ---- Hashes ------------------------------------------------------------------------------------------ */

/*
 * SipHash-1-3 of n bytes (Aumasson, Bernstein: "SipHash: a fast short-input PRF", with 1 and 3 rounds).
 * Any thread.
 */
uint64_t lb_hash(const struct lb_key *key, const void *p, size_t n);

/*
 * Hash that continues from `seed`, for identities made of several slices: lb_hash() of the 8 bytes of seed,
 * least significant first, and then p. Any thread.
 */
uint64_t lb_hash_more(const struct lb_key *key, uint64_t seed, const void *p, size_t n);

/* The 32-bit identity of a gateway: an unkeyed hash of its name, the same on every node. Any thread. */
uint32_t lb_gateway_id(struct str name);

/* ---- Words: what workers and control share about a gateway or a peer -------------------------------- */

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

/* What the operator and the health machine say of gateway `slot`; holds from the next message on. Control. */
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
 * that; everything else goes on. Emergency calls are taken all the same. Control.
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
 * priority go by none of them. Control.
 */
void lb_set_gateway_rate(struct lb_words *words, uint16_t slot, uint32_t per_s);

/*
 * The same by RFC 7415 3.5: per_s of all requests, new or in a dialog. Those in dialogs, urgent ones and
 * repeats pass, and are paid for by new ones. Until lb_set_gateway_rate() sets another. Control.
 */
void lb_set_gateway_pace(struct lb_words *words, uint16_t slot, uint32_t per_s);
void lb_set_open_cap(struct lb_words *words, uint16_t slot, uint32_t max);
void lb_set_shed(struct lb_words *words, uint16_t slot, uint16_t part);

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

/* ---- Worker state ---------------------------------------------------------------------------------- */

/* Timers of RFC 3261 table 4 and what Weir adds, ns. */
struct lb_timers {
	uint64_t t1, t2, t4;
	uint64_t b;           /* INVITE without any answer: 64 * t1 */
	uint64_t c;           /* ringing: > 3 min (16.6, step 11) */
	uint64_t d;           /* a final and its ACK are repeated this long: 32 s; also H, L, M */
	uint64_t release;     /* after a BYE that nobody has answered yet: 32 s */
	uint64_t max_call;    /* a call longer than this is taken for lost */
	uint64_t session_min; /* shorter session intervals count as this (RFC 4028 5: 90 s) */
};

struct lb_worker_spec {
	struct lb_timers timers;
	uint32_t setups;  /* INVITE transactions at once; kept messages are named 0 .. 2 * setups - 1 */
	uint32_t calls;   /* calls at once */
	bool trail;       /* decisions are kept for lb_trail_find(): 4 MB */
	uint32_t records; /* records of ended calls that wait for control; 0: none are made */
	uint32_t pins;    /* pins to have room for; 32 to 64 bytes each, in a power of two of cache lines */
	uint64_t pin_ns;  /* how long a transaction keeps its gateway after its last news (32 s) */
	uint64_t ringing_ns; /* how long an INVITE without a final keeps it (Timer C + 32 s) */
	struct lb_words *words;
	struct st_lane *lane; /* this worker's counters */
};

struct lb_worker;

/* Bytes that a worker's tables take. Control. */
size_t lb_worker_size(const struct lb_worker_spec *spec);

/*
 * Makes a worker's empty tables in `mem` (lb_worker_size() bytes, 64-byte aligned). now: monotonic ns, not
 * later than that of any event to come. Control, before start.
 */
struct lb_worker *lb_worker_init(void *mem, const struct lb_worker_spec *spec, uint64_t now);

/* Steps from the Call-ID's hash to all that a message touches; each reads the lines that the one before
 * fetched. */
enum lb_fetch {
	LB_FETCH_HEADS,   /* pins, heads of chains */
	LB_FETCH_ENTRIES, /* the first of each chain, their timers */
	LB_FETCH_NEXT,    /* the entry behind, the timers' neighbours */
};

/*
 * Brings the lines of this step for this Call-ID into the cache. Everything is placed by call_hash alone, so
 * that this can be done before the message is decoded. Worker.
 */
void lb_prefetch(const struct lb_worker *w, uint64_t call_hash, enum lb_fetch step);

/* ---- One message in -------------------------------------------------------------------------------- */

/* A target of a redirect that may be called: a Contact with a literal address that has not expired. */
struct lb_contact {
	struct addr addr;
	struct str uri;
};

/* Algorithms of overload control: what a message names (RFC 7339 4.2, RFC 7415 3.1). */
enum {
	LB_OC_LOSS = 1,
	LB_OC_RATE = 2,
	LB_OC_BROKEN = 4 /* a response's parameters cannot be believed */
};

#define LB_OC_SEQ_UNIT 100000 /* of lb_oc.seq: "1.5" is 150000 */

/* What a server says about its own load to the client whose Via carries it. */
struct lb_oc {
	uint8_t algo;         /* LB_OC_LOSS, LB_OC_RATE; 0: it says nothing; a query's also LB_OC_BROKEN */
	uint32_t value;       /* LOSS: per cent to withhold, 0..100; RATE: most requests per second */
	uint32_t validity_ms; /* 500 where it says none (RFC 7339 4.3); 0: it controls nothing now */
	uint64_t seq;         /* larger: newer; in 1/LB_OC_SEQ_UNIT (RFC 7339 4.4); 0: it says none */
};

struct lb_query {
	uint8_t request;  /* 1 request, 0 response */
	uint8_t method;   /* enum method; for a response that of its CSeq */
	uint8_t listener; /* where it arrived */
	uint8_t has_to_tag;
	uint8_t to_us; /* request for Weir itself: Request-URI is a listener without a user part, no Route
			  left */
	uint8_t lost;  /* an INVITE of ours came back by ICMP: branch and via_to are its, src is where it went
			*/
	uint8_t room;  /* request: an INVITE can be kept; response: a final can */
	uint8_t reliable;         /* INVITE: Require names 100rel (RFC 3262) */
	uint8_t n_contacts;       /* 3xx to an INVITE */
	uint8_t looped;           /* a lower Via is ours with the same loop part: RFC 5393 4.2.2 */
	uint8_t sos;              /* request: its URI is urn:service:sos or below (RFC 5031) */
	uint8_t n_resources;      /* request: entries of resource[] */
	uint8_t oc_ask;           /* request: LB_OC_*, the algorithms that its sender would follow; 0: none */
	uint16_t q850;            /* final other than 2xx: Q.850 cause of its Reason, or 0 */
	uint16_t status;          /* response: its status code */
	uint16_t fault;           /* request: the status its syntax earns, or 0 */
	const char *fault_reason; /* static reason phrase of `fault` */
	struct addr src;          /* where it came from */
	struct addr reply_to;     /* request: where its responses go (RFC 3261 18.2.2, RFC 3581 4) */
	struct addr via_to;       /* response: where the Via below ours says it goes; port 0: nowhere */
	struct addr next;   /* request: literal next hop (next Route, else Request-URI host); port 0: none */
	uint64_t call_hash; /* lb_hash of the Call-ID */
	uint64_t from_hash; /* lb_hash of the From tag, 0 if none */
	uint64_t via_hash;  /* request: identity of the received top Via, without the method */
	uint32_t cseq;      /* CSeq number */
	uint32_t to_hash; /* BYE, request without token, final response: low half of lb_hash of the To tag, or
			     0; else 0 */
	uint32_t session_s;     /* 2xx: Session-Expires (RFC 4028), 0 if none */
	uint32_t retry_after_s; /* final other than 2xx: Retry-After, < 2^31; 0: none that can be believed */
	uint64_t replaces;      /* INVITE: lb_hash of the Call-ID in Replaces (RFC 3891), 0 if none */
	uint32_t loop_hash;     /* request: Request-URI, From tag, Call-ID, CSeq number, Route set */
	struct str number;      /* Request-URI user part */
	struct str to_user;     /* request without To tag, without a number: user part of To */
	struct str host;        /* Request-URI host */
	struct str call_id;     /* initial INVITE, where records are made */
	struct str caller;      /* the same: From user part */
	struct str token;       /* user part of our own Route (or strict-routed Request-URI); n == 0: none */
	struct str branch; /* response: branch of the top Via, if that names a listener; n == 0: not ours */
	struct str to_tag;
	const struct str *resource;        /* "namespace.value" of Resource-Priority (RFC 4412), as written;
					      n_resources <= LIMIT_RESOURCES */
	struct lb_oc oc;                   /* response: what its gateway says in our Via */
	const struct lb_contact *contacts; /* 3xx: n_contacts <= LIMIT_CONTACTS targets, the best q first */
};

enum lb_op {
	LB_FORWARD,    /* send on to `dst` through `listener`: request with a Via of ours, response without */
	LB_REPLY,      /* answer the request with `status` */
	LB_ABSORB,     /* done, nothing leaves */
	LB_DROP,       /* refused without an answer */
	LB_TO_CONTROL, /* answer to a probe of control's */

	/* More of what one message or a timer can cause; they come before the one that
	 * ends the message; `end` counts the message that they make. */
	LB_TRYING,     /* 100 to the current INVITE */
	LB_KEEP,       /* keep the current INVITE as `kept` */
	LB_KEEP_FINAL, /* keep the current response as `kept`, as it would be forwarded; in place of an older
			  one */
	LB_RESEND,     /* forward the INVITE kept as `kept` as if it came now, with this action's texts */
	LB_RESEND_FINAL, /* send the final kept as `kept` to `dst` through `listener`, again or at last */
	LB_ANSWER, /* answer the INVITE kept as `kept` with `status`; keep_final: and keep that answer */
	LB_CANCEL, /* CANCEL the branch `branch` of the INVITE kept as `kept` at `dst` (RFC 3261 9.1) */
	LB_ACK,    /* ACK the current response at `dst`, from the INVITE kept as `kept` (RFC 3261 17.1.1.3) */
	LB_FORGET, /* `kept` is not needed any more */
};

#define LB_NO_KEPT UINT32_MAX

struct lb_act {
	enum lb_op op;
	enum st_end end;        /* the one counter in which the message ends */
	uint16_t gateway;       /* slot that a request goes to, that a response comes from, or LB_NONE */
	uint16_t status;        /* REPLY */
	const char *reason;     /* REPLY: static reason phrase */
	uint32_t retry_after_s; /* REPLY: 0: no Retry-After */
	uint8_t oc_ask; /* FORWARD, RESEND, CANCEL, ACK: LB_OC_*, what our Via offers to follow; 0: nothing */
	struct lb_oc oc;  /* what the client's Via is told in a response or reply; algo 0: nothing */
	uint8_t listener; /* FORWARD: where it leaves; REPLY: where it arrived */
	uint8_t towards;  /* FORWARD request: 1 to a gateway, 0 away from it */
	uint8_t branch_n, token_n, to_tag_n;
	struct addr dst; /* FORWARD, REPLY, and all that sends */
	struct addr
		contact; /* REPLY 302: host and port of its Contact, under the user called; port 0: none */
	uint32_t kept;   /* handle of a kept message: 2 * setup for the INVITE, 2 * setup + 1 for its final */
	uint8_t keep_final; /* FORWARD, ANSWER: what leaves is kept, too, as `kept` | 1 */
	struct str uri; /* RESEND: Request-URI in place of the kept one; n == 0: as it is. A contact of the
			   query */
	uint8_t target; /* RESEND: the same, 1 + index into the contacts of the last query whose `uri` was
			   taken */
	char branch[LIMIT_BRANCH]; /* FORWARD request: our Via branch, cookie included */
	char token[LIMIT_TOKEN];   /* FORWARD request: user part of our Record-Route; token_n == 0: none */
	char to_tag[LIMIT_TAG];    /* REPLY: tag for a To that has none */
};

/*
 * Decides one message. `s` is the snapshot that the worker read once for the burst, `now` monotonic ns.
 * Writes at most LIMIT_ACTS actions and returns their number (>= 1). Every message has exactly one action
 * whose `end` is counted. Updates pins, memo, buckets and the lane's gateway cells; nothing else. Worker.
 */
unsigned lb_input(struct lb_worker *w, const struct lb_snapshot *s, const struct lb_query *q, uint64_t now,
		  struct lb_act *acts);

/*
 * What time alone brings: repeats, time-outs, fail-over, releases, each when it is due to the millisecond.
 * Does a bounded part of it and returns the number of actions, at most `max` (LIMIT_ACTS): the caller comes
 * again while it gets any, as long as messages can wait. Worker.
 */
unsigned lb_tick(struct lb_worker *w, const struct lb_snapshot *s, uint64_t now, struct lb_act *acts,
		 unsigned max);

/*
 * Reads the loop part of a branch that names one of our listeners: 0 if it is no branch of Weir's, else 1
 * with the loop part in *loop. Lets the caller tell a loop from a spiral (RFC 5393 4.2.2): a loop if it
 * equals the loop_hash of the query, which is keyed and covers the Call-ID, so that no other message's part
 * fits. Any.
 */
int lb_branch_loop(struct str branch, uint32_t *loop);

/*
 * Gives a reply of the caller's own making (one that lb_input() did not ask for) what every reply has: its To
 * tag, in act->to_tag, so that the ACK to it is absorbed, and what a client that asks is told. Worker.
 */
void lb_reply_own(struct lb_worker *w, const struct lb_snapshot *s, const struct lb_query *q,
		  struct lb_act *act);

/* The key (lb_spec.hash_key) with which call_hash, from_hash and the others of a query are made. Any. */
const struct lb_key *lb_snapshot_key(const struct lb_snapshot *s);

/*
 * Writes the Via branch of a probe that control sends to the gateway with identity `gateway_id`; its response
 * comes back as LB_TO_CONTROL. `call_hash` is that of the probe's Call-ID. Returns the length. Any.
 */
unsigned lb_probe_branch(const struct lb_snapshot *s, uint32_t gateway_id, uint8_t listener,
			 uint64_t call_hash, char out[LIMIT_BRANCH]);

/* The gateway that a new request with this Call-ID hash is meant for in `pool`, all being well; LB_NONE:
 * none. Any. */
uint16_t lb_pick_ideal(const struct lb_snapshot *s, uint16_t pool, uint64_t call_hash);

/* ---- Counted calls: sight ---------------------------------------------------------------------------- */

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
 * growth of ST_GW_OPENED and ST_GW_CLOSED. Any.
 */
void lb_audit_open(const struct lb_worker *w, uint32_t *open);

#endif
