/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls on their way through the policy room, several at once, each with its branches: who sends what, and
 * after every event an audit of words and entries. Gateways 0 .. 7, peer 0.
 */
#ifndef WEIR_TESTS_LB_ROOM_H
#define WEIR_TESTS_LB_ROOM_H

#include "tests/lb/world.h"

#define S SECOND

struct leg {
	char branch[LIMIT_BRANCH];
	unsigned n;
	struct addr dst;
	uint16_t gateway;
};

/* A call number in use: its INVITE, and every branch that was sent for it. */
struct talk {
	struct lb_query invite;
	char token[LIMIT_TOKEN];
	unsigned token_n;
	struct leg leg[16];
	unsigned legs;
	uint32_t to;         /* tag of the last 2xx */
	struct lb_query bye; /* the last one, and the branch it got */
	char bye_branch[LIMIT_BRANCH];
	unsigned bye_n;
};

struct room {
	struct world w;
	uint64_t random;
	uint64_t guesses; /* not 0: lines are fetched before each message for others, drawn from this */
	uint64_t acts;    /* all actions so far, as a hash */
	uint32_t next;    /* call number */
	struct talk talk[24];
	uint32_t *gateways, *peers; /* for audits */
};

/* A world with so many equal gateways in pool 0, three attempts, after 1 s and after-max 4 s. */
void room_start(struct room *r, uint64_t seed, unsigned gateways);

/* The end; the pairs of pool and caller must hold what is left of their calls. */
void room_stop(struct room *r);

/* A number below `below`; the same ones for the same seed. */
uint64_t room_draw(struct room *r, uint64_t below);

/* Lets time pass in one jump. */
void room_pass(struct room *r, uint64_t ns);

/* The words must say what the entries hold. */
void room_audit(struct room *r);

/* The same; returns the calls in use at gateway `slot`. */
uint32_t room_calls(struct room *r, uint16_t slot);

/*
 * A new call in t. from: slot of the gateway that calls, or LB_NONE: the peer does. Returns the number of
 * actions.
 */
unsigned talk_invite(struct room *r, struct talk *t, uint16_t from);

/* Sends t->invite as it is. */
unsigned talk_send(struct room *r, struct talk *t);

/* The gateway of that branch answers the INVITE, with this hash of its To tag; session_s: Session-Expires. */
void talk_respond(struct room *r, struct talk *t, const struct leg *leg, uint16_t status, uint32_t to,
		  uint32_t session_s);

/* The INVITE of that branch comes back by ICMP. */
void talk_bounce(struct room *r, struct talk *t, const struct leg *leg);

/* room_pass(), while t is the only call that is set up: what time sends for it is noted. */
void talk_pass(struct room *r, struct talk *t, uint64_t ns);

/* The caller CANCELs. */
void talk_cancel(struct room *r, struct talk *t);

/* A request of either side in the dialog with this To tag; 1 if it was forwarded. */
int talk_in_dialog(struct room *r, struct talk *t, enum method method, uint32_t to, bool from_callee);

/* The answer to the last request in dialog. */
void talk_answer(struct room *r, struct talk *t, uint16_t status, uint32_t session_s);

#endif
