/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One call on its way up: the INVITE server transaction towards the caller and the client transactions of its
 * branches, one for each gateway that was asked. Lives from the INVITE until nothing of it can come again,
 * 64 * T1 after its final response. Found by Call-ID and top branch; times are kept in one wheel node each.
 * Worker; one writer, the owner of the Call-ID. The states are those of RFC 3261 17.1.1, 17.2.1 and RFC 6026.
 */
#ifndef WEIR_LB_SETUP_H
#define WEIR_LB_SETUP_H

#include "lb/event.h"
#include "lb/base/wheel.h"

#define SETUP_NONE    UINT32_MAX
#define SETUP_NUMBER  32         /* bytes of a number that are known to rules; E.164 has 15 digits */
#define SETUP_ANSWERS 2          /* 2xx whose To tags are remembered */
#define SETUP_NEVER   UINT64_MAX /* a time that does not come */

enum client_state {
	CLIENT_NONE,       /* no state: no transition leads here */
	CLIENT_CALLING,    /* no response yet */
	CLIENT_PROCEEDING, /* a provisional response */
	CLIENT_COMPLETED,  /* a final response other than 2xx: acknowledged, its repeats too */
	CLIENT_ACCEPTED,   /* 2xx (RFC 6026 7.2): its repeats go through */
	CLIENT_TERMINATED,
	CLIENT_STATES
};

enum client_flags {
	CLIENT_GIVEN_UP = 1,      /* the search has gone on without it: CANCELled as soon as that may be */
	CLIENT_CANCEL = 2,        /* to be CANCELled with its first provisional response (RFC 3261 9.1) */
	CLIENT_CANCELLED = 4,     /* the CANCEL has left */
	CLIENT_CANCEL_OK = 8,     /* and was answered: no more repeats of it */
	CLIENT_RANG = 16,         /* a provisional response other than 100 */
	CLIENT_LISTED = 32,       /* in the list of its gateway's unanswered branches */
	CLIENT_OVERDUE = 64,      /* CANCELled because Timer C fired; its final response is waited for */
	CLIENT_BOUNCED = 128,     /* the INVITE came back by ICMP */
	CLIENT_TOLD = 256,        /* the call's record tells of it */
	CLIENT_OPEN = 512,        /* it has one of its gateway's `open`, see struct word */
	CLIENT_CHALLENGED = 1024, /* its final response asks for credentials */
	CLIENT_REDIRECTED = 2048, /* it has the Request-URI of a Contact */
	CLIENT_BROUGHT = 4096,    /* it has answered 2xx, in time or late */
};

/* One branch. All fields: worker. */
struct client {
	struct addr dst;     /* where it went; its CANCEL and ACK go there, too */
	uint16_t pool;       /* of the gateway, as it was chosen: index into the pools' words */
	uint8_t tier;        /* the same */
	uint8_t life;        /* word.life when it left */
	uint64_t sent;       /* ns; when the INVITE first left */
	uint64_t repeat;     /* ns; Timer A, or E of its CANCEL; SETUP_NEVER: no repeats */
	uint64_t end;        /* ns; Timer B, C, D or M (L), or the end of waiting for its CANCEL */
	uint64_t watch;      /* ns; when to look whether another one should be asked */
	uint32_t prev, next; /* branches (LIMIT_BRANCHES * setup + index) in the list of the gateway; the
				first's prev is the last, the last's next SETUP_NONE */
	uint16_t gateway;    /* slot */
	uint16_t flags;      /* enum client_flags */
	uint8_t listener;    /* where it left */
	uint8_t state;       /* enum client_state */
	uint8_t repeats;     /* of the INVITE, then of its CANCEL */
};

enum server_state {
	SERVER_NONE, /* no state: no transition leads here */
	SERVER_PROCEEDING,
	SERVER_COMPLETED, /* a final response other than 2xx has left, its ACK has not come */
	SERVER_CONFIRMED, /* the ACK has come */
	SERVER_ACCEPTED,  /* a 2xx has left (RFC 6026 7.1) */
	SERVER_TERMINATED,
	SERVER_STATES
};

enum setup_flags {
	SETUP_CANCELLED = 1,  /* by the caller */
	SETUP_KEPT = 2,       /* the dataplane keeps the INVITE */
	SETUP_FINAL_KEPT = 4, /* and a final response */
	SETUP_NO_ROOM = 8,    /* a gateway was to be asked, and none could take it */
	SETUP_URGENT = 32,    /* goes by the operator's limits alone, see urgent.c */
	SETUP_SPILLED = 64,   /* has gone to an overflow pool, and to no further one */
	SETUP_AGAIN = 128,    /* came with credentials that an earlier one was asked for */
	SETUP_RELIABLE = 16,  /* Require: 100rel: no provisional response of ours (RFC 3262 3) */
};

/*
 * All fields: worker. In the order in which events touch them: what a message finds it by and timers ask for,
 * what a response needs, the branch that most calls have one of; what only fail-over needs comes last.
 */
struct setup {
	uint64_t call_hash; /* lb_query of the INVITE, as all that is named alike */
	uint64_t from_hash;
	uint64_t via_hash;
	uint32_t cseq;
	uint32_t next;   /* in the chain of its hash, or of the free list */
	uint64_t repeat; /* ns; Timer G; SETUP_NEVER: no repeats */
	uint64_t end;    /* ns; Timer H, I or L: the server side is over; SETUP_NEVER while proceeding */
	uint32_t loop_hash;
	uint16_t reply_port; /* src with this port is where responses go */
	uint16_t best;       /* status of the best final response so far that is kept; 0: none */
	uint16_t own;        /* status that Weir itself would answer, for want of a better one */
	uint8_t listener;
	uint8_t state;    /* enum server_state */
	uint8_t flags;    /* enum setup_flags */
	uint8_t n;        /* branches so far */
	uint8_t attempts; /* of them in the pool in hand */
	uint8_t moves;    /* redirects followed and rules applied */
	struct addr src;
	uint8_t when_full;          /* enum lb_when_full of the source */
	uint8_t repeats;            /* of the final response */
	uint8_t origin;             /* signal_origin() of the call */
	uint8_t key_id;             /* of the key that its branches and tokens are minted with */
	uint8_t number_n;           /* bytes of number */
	uint8_t oc_ask;             /* lb_query.oc_ask of the INVITE */
	uint8_t target_i, targets;  /* the next of `target`, and where they end */
	uint32_t to[SETUP_ANSWERS]; /* To tags of the first 2xx, as hashes; 0: none */
	uint32_t call;              /* entry that was opened for it, see call_still() */
	struct client client[LIMIT_BRANCHES];
	char number[SETUP_NUMBER]; /* the number called, as far as it fits: reroute rules may ask for it */
	uint16_t target[LIMIT_CONTACTS]; /* of the 3xx followed last: slots, or LB_NONE */
} __attribute__((aligned(64)));
_Static_assert(sizeof(struct setup) <= 640, "ten lines at most");
_Static_assert(offsetof(struct setup, client[1]) <= 192,
	       "the first three of them serve a call with one branch");

/* The setups of one worker. */
struct setups {
	struct setup *at;
	uint32_t *chain;      /* heads by hash of the Call-ID, or SETUP_NONE */
	uint32_t mask;        /* heads - 1 */
	uint32_t n;           /* there are */
	uint32_t free_list;   /* or SETUP_NONE */
	uint32_t in_use;      /* worker wo, control ro */
	uint32_t *unanswered; /* by gateway slot: youngest of its CALLING branches, or SETUP_NONE */
	uint16_t *busy;       /* slots with a list that is not empty */
	uint16_t *place;      /* by slot: where it stands in busy */
	uint16_t n_busy;
	uint16_t look;    /* next of busy to look at */
	uint64_t look_at; /* ns; when */
};

/* Bytes of the tables of n setups. Control. */
size_t setups_size(uint32_t n);

/* Makes n free setups in mem (64-byte aligned). Control. */
void setups_init(struct setups *t, void *mem, uint32_t n);

/* See lb_prefetch(). moves: the setup's timer will move. */
void setup_prefetch(const struct setups *t, const struct wheel *wheel, uint64_t call_hash, bool moves,
		    enum lb_fetch step);

/* The entry of the call of the youngest setup with this hash, or CALL_NONE; for fetching, not to be trusted.
 */
uint32_t setup_call(const struct setups *t, uint64_t call_hash);

/*
 * Brings setup i into the cache; with `chain` its place in the table as well, for which its own lines must
 * have come.
 */
void setup_fetch(const struct setups *t, uint32_t i, bool chain);

/* The setup of this INVITE, or of the one that an ACK or a CANCEL names (RFC 3261 17.2.3, 9.2), or NULL. */
struct setup *setup_find(const struct setups *t, const struct lb_query *q);

enum setup_fit {
	SETUP_FITS,
	SETUP_OTHER_CSEQ,
	SETUP_UNKNOWN
};

/* The setup that a response to a branch with this identity belongs to (RFC 3261 17.1.3), in *u if there is
 * one. */
enum setup_fit setup_of_response(const struct setups *t, const struct lb_query *q, uint64_t identity,
				 struct setup **u);

/* The youngest setup of the Call-ID and From tag, or NULL. */
struct setup *setup_of_call(const struct setups *t, uint64_t call_hash, uint64_t from_hash);

/* True if the table has `most` setups of this Call-ID. */
bool setups_crowd(const struct setups *t, uint64_t call_hash, unsigned most);

/*
 * The branch whose gateway gets the INVITE if its caller sends it once more, with another CSeq: the one that
 * has accepted it, else that has asked for credentials, else that was asked last. None that is redirected:
 * only the gateway that has redirected it knows the Request-URI.
 */
const struct client *setup_again(const struct setup *u);

/* A setup for the INVITE q, without branches, with these enum setup_flags; NULL: all are taken. */
struct setup *setup_new(struct setups *t, const struct lb_query *q, unsigned flags);

/* True if setup_new() will find one. */
static inline bool setups_room(const struct setups *t)
{
	return t->free_list != SETUP_NONE;
}

/* Gives u back; no timer and no list may know it any more. */
void setup_free(struct setups *t, struct setup *u);

static inline uint32_t setup_index(const struct setups *t, const struct setup *u)
{
	return (uint32_t)(u - t->at);
}

/* When the oldest branch in the list of gateway `slot`, which is not empty, was sent, ns. */
uint64_t setup_oldest(const struct setups *t, uint16_t slot);

/* Enters branch i of u in the list of its gateway; takes it out, if it is in. */
void setup_list(struct setups *t, struct setup *u, unsigned i);
void setup_unlist(struct setups *t, struct setup *u, unsigned i);

static inline bool client_is_open(const struct client *c)
{
	return c->state == CLIENT_CALLING || c->state == CLIENT_PROCEEDING;
}

/* Fills in the slots of the gateways that have had the call; returns their number. */
static inline unsigned setup_tried(const struct setup *u, uint16_t slots[LIMIT_BRANCHES])
{
	for (unsigned i = 0; i < u->n; i++)
		slots[i] = u->client[i].gateway;
	return u->n;
}

/* The gateway that has the call: who accepted it, else who was asked last; NULL: it is no more. */
static inline const struct gateway *setup_gateway(const struct lb_snapshot *s, const struct setup *u)
{
	unsigned i = u->n - 1;

	for (unsigned k = 0; k < u->n; k++)
		i = u->client[k].flags & CLIENT_BROUGHT ? k : i;
	return gateway_by_slot(s, u->client[i].gateway);
}

/* Where responses to the INVITE go. */
static inline void setup_reply_to(const struct setup *u, struct addr *to)
{
	*to = u->src;
	to->port = u->reply_port;
}

#endif
