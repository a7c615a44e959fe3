/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Door of the policy room: whose message it is, where it goes, and when the answer is no.
 *
 * lb_input() takes one message as numbers and slices (struct lb_query) and the time, and gives actions
 * (struct lb_act). It parses no SIP, reads no clock, allocates nothing and takes no lock, so the same code
 * runs on a worker, in a unit test and in a simulator. Three kinds of data and no other:
 *   snapshot  immutable, built by control from a struct lb_spec, swapped by pointer;
 *   words     two cache lines per gateway, peer and pool, indexed by a stable slot, atomic, surviving
 *             reloads;
 *   worker    tables of one worker (pins, refusal memo): one writer, its own thread.
 *
 * decide.c is the order of admission; what its steps are made of lies in
 *   admit/    who goes first, fair shares, what a refusal says, overload control in Vias
 *   choose/   routes, peers, the laws of balancing, the gateway of a request
 *   call/     transactions, fail-over, redirects, counted calls, their records
 *   govern/   what control runs ten times a second: limits and health of gateways (a door of its own)
 *   base/     hashing, base32, rate buckets, timers
 *
 * The door has parts of its own, included here and never alone:
 *   spec.h    what a snapshot is made of
 *   state.h   words: health, limits and figures of gateways, peers and pools
 *   sight.h   calls in progress, records of those that ended, audits
 *   trail.h   how new requests were decided
 *
 * Thread rule of every function here: "worker" = the worker that owns `w`; "control" = the control thread;
 * "any" = no shared state is touched.
 */
#ifndef WEIR_LB_H
#define WEIR_LB_H

#include <stddef.h>
#include "conf/limits.h"
#include "conf/types.h"
#include "lb/sight.h"
#include "lb/spec.h"
#include "lb/state.h"
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
	struct str call_id;     /* initial INVITE, 2xx to an INVITE, where records are made */
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
	uint8_t brief;    /* REPLY: nobody knows the source, which gets no more bytes than it sent, if that is
			     possible */
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

/* Steps from the Call-ID's hash to all that a message touches; each reads the lines that the one before
 * fetched. */
enum lb_fetch {
	LB_FETCH_HEADS,   /* pins, heads of chains */
	LB_FETCH_ENTRIES, /* the first of each chain, its timer or deadline */
	LB_FETCH_NEXT,    /* the entry behind, the timers' neighbours */
};

/*
 * Brings the lines of this step that q will touch into the cache; whatever it is called for, nothing but time
 * comes of it. Each line is a page of its own as a rule, and pages are what large tables lack first: nothing
 * is fetched that a message of this kind does not need. q as for lb_input().
 * Worker.
 */
void lb_prefetch(const struct lb_worker *w, const struct lb_query *q, enum lb_fetch step);

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
 * Gives a reply of the caller's own making (one that lb_input() did not ask for, to what could not be sent
 * on) what every reply has: its To tag, in act->to_tag, so that the ACK to it is absorbed, and what a client
 * that asks is told. The call that q would have begun ends with it, and what it holds is given back. Worker.
 */
void lb_reply_own(struct lb_worker *w, const struct lb_snapshot *s, const struct lb_query *q, uint64_t now,
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

#endif
