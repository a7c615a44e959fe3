/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counted calls of one worker: which gateways and which peer an INVITE holds a place at, and until when. An
 * entry is opened when the INVITE is admitted and owns those places from then on; it gives each back exactly
 * once, when the set-up fails or the last confirmed dialog ends. Every state has a deadline, so nothing that
 * two sides forget stays counted. Worker; one writer, the owner of the Call-ID. Control reads entries at any
 * time (call_read()).
 */
#ifndef WEIR_LB_CALLS_H
#define WEIR_LB_CALLS_H

#include "lb/call/records.h"
#include "lb/words.h"

#define CALL_NONE    UINT32_MAX
#define CALL_DIALOGS 4

enum call_state {
	CALL_FREE,
	CALL_SETUP,    /* no 2xx yet */
	CALL_ANSWERED, /* one confirmed dialog or more */
	CALL_HOLD,     /* place of a branch that the search has left, at one gateway */
};

/* Hashes are of lb_query; all fields: worker wo, control ro inside seq. */
struct call {
	uint16_t seq;           /* odd: being written; wraps, but not while somebody reads */
	uint16_t share;         /* pair of lb/admit/shares.h that it counts in, or SHARE_NONE */
	uint32_t next;          /* in the chain of its hash, or of the free list; CALL_NONE: last */
	uint32_t tag;           /* Call-ID, hashed again; its low bits name the chain */
	uint32_t caller;        /* From tag of the INVITE */
	uint32_t branch;        /* top Via and CSeq of the INVITE */
	uint16_t in;            /* slot of the gateway that it comes from, or LB_NONE */
	uint16_t out;           /* slot of the gateway that it goes to, or LB_NONE */
	uint16_t peer;          /* slot of the peer that it comes from, or LB_NONE */
	uint8_t state : 2;      /* enum call_state */
	uint8_t counts_in : 1;  /* it has a place at `in` */
	uint8_t bye_caller : 1; /* the last BYE came from the caller */
	uint8_t again : 1;      /* its end is neither counted nor recorded: the call goes on at its twin */
	uint8_t acked : 1;      /* an ACK or a 2xx has been seen in dialog */
	uint8_t unwanted : 1;   /* ANSWERED, and CANCELled all the same: `end` says until when it counts */
	uint8_t twin : 1;  /* its INVITE has, or had, another entry, at a gateway that answered as well */
	uint8_t alive : 4; /* bit per dialog: confirmed, not ended */
	uint8_t more : 4; /* confirmed dialogs past the first CALL_DIALOGS: bit per last bits of their To tags
			   */
	uint32_t to[CALL_DIALOGS];  /* To tags of 2xx; 0: none yet */
	uint16_t bye[CALL_DIALOGS]; /* when the dialog ends if its BYE stays unanswered, 64 ms; 0: no BYE */
	uint32_t created;           /* ms, wraps */
	uint32_t answered;          /* ms, wraps; ANSWERED */
	uint32_t end; /* ms, wraps; SETUP, HOLD, unwanted: last moment; ANSWERED: of the session, 0: none */
};
_Static_assert(sizeof(struct call) == 64, "one line, and half of what a call may take");

/* Where the INVITE of an entry came from; kept apart, as few messages ask for it. All fields: worker. */
struct call_flow {
	uint8_t ip[16]; /* as struct addr, and the next two */
	uint16_t port;
	uint8_t v6;
	uint8_t listener; /* where it arrived */
};

#define CALL_PAGE_BYTES 4096
#define CALL_PAGE       44

/*
 * All of an entry lies in one page of memory: in a large table nearly every message comes to another page,
 * and finding that costs more than one line more or less of it.
 */
struct call_page {
	struct call at[CALL_PAGE];
	uint64_t
		due[CALL_PAGE]; /* ns; deadline of the entry, or earlier; CALL_NEVER: none. See deadlines.c */
	struct call_flow flow[CALL_PAGE];
} __attribute__((aligned(CALL_PAGE_BYTES)));
_Static_assert(sizeof(struct call_page) == CALL_PAGE_BYTES, "with the chains 110 bytes a call at most");

struct calls_spec {
	struct lb_words *words;
	struct st_lane *lane;
	struct records *records;
	struct share_cell *shares; /* of this worker, by pair */
	uint32_t n;                /* entries */
	uint64_t setup_ns;         /* without any news a set-up is over (Timer C + 32 s) */
	uint64_t hold_ns;          /* a left branch keeps its place (32 s) */
	uint64_t release_ns;       /* see struct lb_timers */
	uint64_t max_call_ns;
	uint64_t session_min_ns;
	uint64_t grace_ns; /* after a session has lapsed, at least (64 * T1) */
};

struct calls {
	struct calls_spec spec;
	struct call_page *page; /* entry i is i % CALL_PAGE of page i / CALL_PAGE */
	uint32_t *chain;        /* heads by hash of the Call-ID, or CALL_NONE */
	uint32_t mask;          /* heads - 1 */
	uint32_t free_list;
	uint32_t in_use;     /* entries; worker wo, control ro */
	uint32_t ever;       /* pages from here on have never been used */
	uint64_t soonest;    /* ns; before that none is due */
	uint64_t read_again; /* ns; before that they are not read again */
	uint32_t reading;    /* page that is read next, while is_reading */
	bool is_reading;
};

static inline struct call *call_entry(const struct calls *c, uint32_t i)
{
	return &c->page[i / CALL_PAGE].at[i % CALL_PAGE];
}

static inline uint64_t *call_deadline(const struct calls *c, uint32_t i)
{
	return &c->page[i / CALL_PAGE].due[i % CALL_PAGE];
}

static inline struct call_flow *call_flow_at(const struct calls *c, uint32_t i)
{
	return &c->page[i / CALL_PAGE].flow[i % CALL_PAGE];
}

/* What a call is known by while it is set up: Call-ID, caller's From tag, top Via and CSeq of its INVITE. */
struct call_key {
	uint64_t call_hash;
	uint32_t caller, branch;
};

/* Who uses a branch again (RFC 3261 8.1.1.7) makes another call by another CSeq. */
static inline struct call_key call_key_of(uint64_t call_hash, uint64_t from_hash, uint64_t via_hash,
					  uint32_t cseq)
{
	return (struct call_key){ call_hash, (uint32_t)from_hash, (uint32_t)via_hash + cseq * 0x9e3779b1 };
}

/* Whom a call is between: slots, or LB_NONE. */
struct call_sides {
	uint16_t in, out, peer;
	uint16_t share;   /* pair whose place it takes over, or SHARE_NONE */
	bool counts_in;   /* `in` is there, and counts the calls that it makes */
	uint8_t listener; /* where the INVITE arrived */
	struct addr flow; /* and where it came from */
	uint64_t began;   /* ns; when */
};

static inline struct call_key call_key(const struct lb_query *q)
{
	return call_key_of(q->call_hash, q->from_hash, q->via_hash, q->cseq);
}

/* Bytes of the tables of n entries. Control. */
size_t calls_size(uint32_t n);

/* Makes free entries in `mem` (calls_size() bytes, 64-byte aligned). Control. */
void calls_init(struct calls *c, void *mem, const struct calls_spec *spec);

/* See lb_prefetch(). moves: and the deadline of the entry. */
void call_prefetch(const struct calls *c, uint64_t call_hash, bool moves, enum lb_fetch step);

/* Brings entry i into the cache, `moves` as above; CALL_NONE: nothing. */
void call_fetch(const struct calls *c, uint32_t i, bool moves);

/* True if call_open() will find an entry. Only then may a place be reserved for a new call. */
bool calls_room(const struct calls *c);

/* True if the table has `most` entries of this Call-ID. */
bool calls_crowd(const struct calls *c, uint64_t call_hash, unsigned most);

/* ---- Set-up ---------------------------------------------------------------------------------------- */

/*
 * Opens an entry for an admitted INVITE. It takes over the place reserved at `out` and that at `peer`, and
 * counts at `in` itself, whatever the limit there. Returns its number, or CALL_NONE if there is no room: then
 * nothing was reserved, see word_reserve(), and the call goes uncounted.
 */
uint32_t call_open(struct calls *c, const struct call_key *key, const struct call_sides *sides, uint64_t now);

/*
 * Entry i is the second one of a call that another gateway has as well: of both, only the end of the one that
 * lasts longer is counted and recorded.
 */
void call_is_again(struct calls *c, uint32_t i, const struct call_key *key);

/* The entry of an INVITE, set-up or answered, by its key; CALL_NONE: there is none (any more). */
uint32_t call_of(const struct calls *c, const struct call_key *key);

/* The same, where call_open() once returned `i`, which may long be another call's by now: no search, as a
 * rule. */
uint32_t call_still(const struct calls *c, uint32_t i, const struct call_key *key);

/*
 * The same, answered at gateway slot `gateway`. An INVITE that two gateways have answered has an entry for
 * each; what the call holds beside its gateway belongs to one of them, and goes over when that ends first.
 */
uint32_t call_answered_at(const struct calls *c, const struct call_key *key, uint16_t gateway);

/* A provisional response, or another gateway: the set-up lives. */
void call_news(struct calls *c, uint32_t i, uint64_t now);

/*
 * The search goes on at gateway slot `out`, where a place was reserved. The place at the gateway before is
 * given back, or, if that one may still set the call up (`open`), held for hold_ns.
 */
void call_move(struct calls *c, uint32_t i, uint16_t out, bool open, uint64_t now);

/* The call counts in another pair from now on (SHARE_NONE: in none), whose place it takes over. */
void call_share(struct calls *c, uint32_t i, uint16_t share);

/* The branch at slot `gateway` that the search has left is over: gives back what is held for it, if it still
 * is. */
void call_let_go(struct calls *c, const struct call_key *key, uint16_t gateway);

/* A branch that the search has left, at slot `gateway`, brings the call: its place and the entry's change
 * hands. */
void call_swap(struct calls *c, uint32_t i, const struct call_key *key, uint16_t gateway, uint64_t now);

/*
 * A 2xx to the INVITE: the dialog with this To tag is confirmed. session_s: its Session-Expires, 0: none.
 * A repeated one changes nothing.
 */
void call_confirm(struct calls *c, uint32_t i, uint32_t to_hash, uint32_t session_s, uint64_t now);

/*
 * The set-up is over without a dialog, FAILED or CANCELLED as `how` says; the caller gets `status`. Gives all
 * places back, but for that at the last gateway if it may still bring the call (`open`), which is held for
 * hold_ns. Nothing happens to an answered call.
 */
void call_fail(struct calls *c, uint32_t i, enum lb_call_end how, uint16_t status, bool open, uint64_t now);

/* True for a response that asks for credentials: its call or request goes on in a new one (RFC 3261 22.2). */
static inline bool is_challenge(uint16_t status)
{
	return status == 401 || status == 407;
}

/* ---- In dialog: any direction, a and b are the hashes of From and To tag ----------------------------- */

/*
 * A BYE passes: what it ends, ends with its response, or without one after release_ns. False if no entry
 * knows the dialog; then nothing is changed.
 */
bool call_bye(struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, uint64_t now);

/*
 * A response to a BYE passes: 2xx, 481 and 408 end the dialog (RFC 3261 15.1.1), 401 and 407 do not. False if
 * no entry knows the dialog.
 */
bool call_bye_answered(struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, uint16_t status,
		       uint64_t now);

/* A 2xx to a re-INVITE or UPDATE passes: the session timer starts anew, or ends (RFC 4028 10). */
void call_refreshed(struct calls *c, uint64_t call_hash, uint32_t a, uint32_t b, uint32_t session_s,
		    uint64_t now);

/*
 * An ACK of the caller passes. The dialog is not asked for: an ACK too many keeps a call, one too few would
 * end it.
 */
void call_acked(struct calls *c, uint64_t call_hash, uint32_t caller);

/*
 * A CANCEL of the INVITE. It does nothing to a set-up, whose final response will tell. An answered call of
 * which no ACK has been seen has not reached its caller: he would have to end it at once (RFC 3261 15), so it
 * is given up after release_ns if nothing else is heard of it.
 */
void call_cancelled(struct calls *c, const struct call_key *key, uint64_t now);

/*
 * The caller's side of the dialog with these hashes of his and the callee's tag, as its call began: where his
 * INVITE came from and arrived. Returns the slot of the gateway that the call goes to, or LB_NONE: no entry
 * knows the dialog.
 */
uint16_t call_back(const struct calls *c, uint64_t call_hash, uint32_t caller, uint32_t callee,
		   struct addr *flow, uint8_t *listener);

/* True if a call with this tag of its caller's has not ended, answered or not. */
bool call_is_known(const struct calls *c, uint64_t call_hash, uint32_t caller);

/* The gateway slot that an answered call with this Call-ID goes to, or LB_NONE. */
uint16_t call_gateway(const struct calls *c, uint64_t call_hash);

/* ---- Time ------------------------------------------------------------------------------------------ */

/*
 * Ends what is due. One call does a bounded part of it; to be called often. In a table of n calls a deadline
 * is met up to n * 200 ns late.
 */
void calls_expire(struct calls *c, uint64_t now);

/* ---- Sight: any thread -------------------------------------------------------------------------------- */

/* Copies entry i as it was at one moment; false if it is free, or is written too often to be read. */
bool call_read(const struct calls *c, uint32_t i, struct call *copy);

#endif
