/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What Weir writes into messages so that it need not remember: the token in Record-Route, the branch of our
 * Via, the tag of our own replies. Each is key id and fields in the clear, then a 64-bit SipHash-1-3 MAC over
 * them and over what they belong to, all in base32. Reading believes nothing before the MAC agrees.
 * Any thread; no state but the keys.
 */
#ifndef WEIR_LB_TOKEN_H
#define WEIR_LB_TOKEN_H

#include "lb/lb.h"

/* The two MAC keys in force. */
struct keys {
	struct lb_key now; /* mints and verifies */
	struct lb_key old; /* verifies only */
};

/* Where a dialog's messages go, from both sides. */
struct token {
	uint32_t gateway; /* lb_gateway_id() */
	uint32_t caller;  /* low half of the hash of the caller's From tag */
	uint16_t node;    /* who minted it */
	uint8_t listener; /* where the caller's side is reached; lb_snapshot.listener_id of it */
	struct addr flow; /* the caller's address as seen */
};

enum branch_kind {
	BRANCH_STATELESS, /* its responses go straight on */
	BRANCH_PINNED,    /* the same, and the request has a pin */
	BRANCH_PROBE,     /* of control's own */
	BRANCH_SETUP,     /* of an INVITE whose transactions Weir keeps (setup.h) */
	BRANCH_KINDS
};

struct branch {
	uint8_t kind;      /* enum branch_kind */
	uint8_t attempt;   /* which branch of its setup, from 0, < 16 */
	uint8_t oc;        /* LB_OC_LOSS, LB_OC_RATE: lb_query.oc_ask of the request; its responses tell */
	uint8_t listener;  /* where the request came in; of a probe where it went out; as that of a token */
	uint32_t gateway;  /* lb_gateway_id() of the gateway it went to; 0: went to a caller */
	uint32_t loop;     /* lb_query.loop_hash */
	uint64_t identity; /* tells transactions apart; the same for INVITE, CANCEL and ACK */
};

#define LISTENER_NONE UINT8_MAX

/*
 * Gives each listener one of 256 identities by its name, so that calls find theirs again after a restart with
 * others beside it, or in another order. Where names meet in one, the order of their hashes decides who has
 * it. n <= LIMIT_LISTENERS; 0: each is its own number. id: by number; of: the reverse, or LISTENER_NONE.
 * Control.
 */
void listener_names(const struct str *names, uint32_t n, uint8_t id[256], uint8_t of[256]);

/* Writes a token bound to a Call-ID; returns its length. */
unsigned token_write(const struct keys *keys, const struct token *t, uint64_t call_hash,
		     char out[LIMIT_TOKEN]);

/* Reads a token; false if it is none, or not ours, or of another Call-ID. *t is written in any case. */
bool token_read(const struct keys *keys, struct str text, uint64_t call_hash, struct token *t);

/*
 * Writes a branch, cookie included (RFC 3261 8.1.1.7), bound to a Call-ID and to the address that its
 * responses go to: a stolen branch sends nothing anywhere else. `to` is not used for a probe. Returns its
 * length.
 */
unsigned branch_write(const struct keys *keys, const struct branch *b, uint64_t call_hash,
		      const struct addr *to, char out[LIMIT_BRANCH]);

enum branch_verdict {
	BRANCH_OK,
	BRANCH_NONE,  /* not a text that branch_write() makes */
	BRANCH_FORGED /* the MAC is wrong, or its key gone */
};

/* Takes a branch apart; the MAC is not looked at. */
bool branch_parse(struct str text, struct branch *b);

/* Reads a branch of a response that goes to `to`. *b is valid for BRANCH_OK only. */
enum branch_verdict branch_read(const struct keys *keys, struct str text, uint64_t call_hash,
				const struct addr *to, struct branch *b);

/*
 * Writes the To tag of a reply that Weir makes without state (RFC 3261 8.2.7): the same for each repetition
 * of the request, and recomputable from its ACK. Returns its length.
 */
unsigned tag_write(const struct keys *keys, const struct lb_query *q, char out[LIMIT_TAG]);

/* True if the To tag of q is the one that tag_write() gave to the request that q acknowledges. */
bool tag_is_ours(const struct keys *keys, const struct lb_query *q);

#endif
