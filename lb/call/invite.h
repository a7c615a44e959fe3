/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The parts of an INVITE's way through Weir:
 *   invite_client.c  a branch: RFC 3261 figure 5 with RFC 6026, CANCEL, Timer C
 *   invite_server.c  the caller's side: RFC 3261 figure 7 with RFC 6026
 *   failover.c       what to do when a branch brings no call: another gateway, or which answer
 *   redirect.c       calls that a rule or a Contact sends elsewhere
 *   count.c          what all that means for the counted call
 *   invite.c         a message or a timer goes through these, in that order
 * Worker. Every function may add actions to the event; only those of invite.c add the one that ends the
 * message in hand.
 */
#ifndef WEIR_LB_INVITE_H
#define WEIR_LB_INVITE_H

#include "lb/choose/pick.h"
#include "lb/call/setup.h"
#include "lb/token.h"

/* What pick() is to choose for: the request in hand, or one more branch of u. */
struct pick pick_for_request(const struct event *e, enum ask_what what, bool urgent);
struct pick pick_for_branch(const struct event *e, const struct setup *u);

/*
 * A gateway of `pool`, or of its overflow pool if u has not spilled before, for one more branch; NULL: none.
 * yields: of struct ask.
 */
const struct gateway *pick_branch(const struct event *e, struct setup *u, uint16_t pool, uint32_t yields);

/* ---- invite.c ---- */

/*
 * Keeps the INVITE in hand and answers 100. flags: enum setup_flags that it begins with. NULL: no room for
 * it; then it goes without a transaction of ours. The first branch is still to be added with client_add() and
 * its message with client_request().
 */
struct setup *invite_admit(struct event *e, enum lb_when_full when_full, unsigned flags);

/* A request that setup_find() found a setup for. False: it is no business of the transaction's. */
bool invite_request(struct event *e, struct setup *u);

/* A response to branch i of u. */
void invite_response(struct event *e, struct setup *u, unsigned i);

/* The timer of u has fired: does what was due first, and arms it again. At most INVITE_DUE_ACTS actions. */
void invite_due(struct event *e, struct setup *u);
#define INVITE_DUE_ACTS (LIMIT_BRANCHES + 4)

/* The gateway of branch i, which has not answered, is down. The same number of actions. */
void invite_down(struct event *e, struct setup *u, unsigned i);

/* Lets go of the kept INVITE (SETUP_KEPT) or of the kept final (SETUP_FINAL_KEPT), if it is there. */
void invite_forget(struct event *e, struct setup *u, enum setup_flags what);

/* Ends an event: lets go of kept messages that nothing needs, arms the timer, frees u if all is over. */
void invite_close(struct event *e, struct setup *u);

/* ---- invite_client.c ---- */

/* What a branch has to tell. */
enum news {
	NEWS_NONE,
	NEWS_PROVISIONAL,
	NEWS_ACCEPTED, /* a 2xx, the first or a repeated one */
	NEWS_FINAL,    /* any other final response, for the first time */
	NEWS_SILENT,   /* Timer B: no response at all */
	NEWS_OVERDUE,  /* Timer C: no final response */
	NEWS_LOST      /* no final response to the INVITE after its CANCEL */
};

/* A new branch of u, to gateway g, which pick() has taken; LIMIT_BRANCHES must not be reached. Returns its
 * index. */
unsigned client_add(struct event *e, struct setup *u, const struct gateway *g);

/* Makes act the INVITE of branch i: FORWARD of the one in hand, or RESEND of the kept one. */
void client_request(struct event *e, const struct setup *u, unsigned i, struct lb_act *act);

/* The response in hand belongs to branch i: RFC 3261 figure 5. */
enum news client_response(struct event *e, struct setup *u, unsigned i);

/* client.repeat or client.end of branch i has passed: RFC 3261 figure 5. */
enum news client_timer(struct event *e, struct setup *u, unsigned i);

/* CANCELs branch i now, or with its first provisional response (RFC 3261 9.1); nothing if it is over. */
void client_cancel(struct event *e, struct setup *u, unsigned i);

/* The answer to the CANCEL of branch i. */
void client_cancel_answered(struct setup *u, unsigned i);

/* The search goes on without branch i: it repeats nothing, and is CANCELled as soon as that may be. */
void client_give_up(struct event *e, struct setup *u, unsigned i);

/* Branch i stays, but its gateway is no longer held to account for it; failover_watch() looks at it at `at`,
 * ns. */
void client_wait(struct event *e, struct setup *u, unsigned i, uint64_t at);

/* The repeat after `at`, `interval` later; never in the past. */
uint64_t next_repeat(uint64_t at, uint64_t interval, uint64_t now);

/* T1, 2 T1, 4 T1 ... up to T2: RFC 3261 17.1.2.2 (Timer E), 17.2.1 (Timer G). */
uint64_t repeat_interval(const struct lb_timers *t, unsigned repeats);

/* ---- invite_server.c ---- */

enum server_event {
	SERVER_INVITE, /* the INVITE again */
	SERVER_ACK,
	SERVER_CANCEL,
	SERVER_2XX,    /* a 2xx is about to leave */
	SERVER_FINAL,  /* another final response is */
	SERVER_REPEAT, /* Timer G */
	SERVER_END,    /* Timer H, I or L */
	SERVER_EVENTS
};

/* RFC 3261 figure 7. False: the state knows no such event. */
bool server_event(struct event *e, struct setup *u, enum server_event event);

/* Answers the kept INVITE; a final answer is kept, too. Returns the action, whose end is ST_SENT_ANSWER. */
struct lb_act *server_answer(struct event *e, struct setup *u, uint16_t status, uint32_t retry_after_s);

/* ---- failover.c ---- */

/* What becomes of the response in hand. */
struct verdict {
	enum lb_op op; /* LB_FORWARD or LB_ABSORB */
	enum st_end end;
	bool keep; /* FORWARD: and is kept */
};

/* Branch i has ended without a call, as news tells (of NEWS_FINAL, with the response in hand). */
struct verdict failover_over(struct event *e, struct setup *u, unsigned i, enum news news);

/* client.watch of branch i has passed: has it been silent too long? */
void failover_watch(struct event *e, struct setup *u, unsigned i);

/* The gateway of branch i is down, and has not answered: another one is asked, or as soon as it has room. */
void failover_down(struct event *e, struct setup *u, unsigned i);

/* The caller has CANCELled: answers at once if no branch is worth waiting for. */
void failover_cancelled(struct event *e, struct setup *u);

/* When to look next whether branch i has been silent too long; SETUP_NEVER: no more. */
uint64_t failover_next_watch(const struct event *e, const struct setup *u, unsigned i);

/* CANCELs all branches but i that are open; LIMIT_BRANCHES: all. */
void failover_cancel_others(struct event *e, struct setup *u, unsigned i);

/* ---- count.c: see lb/call/calls.h; slots ---- */

/* True if the INVITE in hand has an entry already, and no final response yet. */
bool count_known(const struct event *e);

/* True if the call has an entry: only then may a place be reserved for it. */
bool count_owns(const struct event *e, const struct setup *u);

/*
 * Takes a place of the peer (LB_NONE: no peer) for the INVITE in hand; false: it has none left but those in
 * the headroom, a part of 65536.
 */
bool count_peer(struct event *e, uint16_t peer, uint32_t headroom);

/* Gives it back: the INVITE goes nowhere. */
void count_no_call(struct event *e, uint16_t peer);

/*
 * The INVITE in hand goes to a gateway; places there, of the peer and of the pair `share` (or SHARE_NONE) are
 * reserved. Returns its entry, or CALL_NONE.
 */
uint32_t count_call(struct event *e, const struct gateway *from, uint16_t peer, uint16_t share,
		    const struct gateway *to);

/* A branch at slot `to` is about to be added to u, where a place is reserved. */
void count_move(struct event *e, struct setup *u, uint16_t to);

/* The response in hand has come to branch i, which was or was not open. */
void count_response(struct event *e, struct setup *u, unsigned i, bool was_open);

/* The caller gets a final response other than 2xx: `status`. */
void count_failed(struct event *e, struct setup *u, uint16_t status);

/* The caller is told that nobody can take the call. */
void count_refused(struct event *e, const struct setup *u);

/* The response in hand passes; b is its branch. */
void count_passed(struct event *e, const struct branch *b);

/* The request in hand ends as `op` says; token: that of its call, or NULL. */
void count_request(struct event *e, enum lb_op op, const struct token *token);

/* ---- redirect.c ---- */

#define REDIRECT_MOVES 3 /* rules and Contacts that one call follows; a loop ends here */

/* Follows the rules that always move calls of *pool; returns how many, *notify: one of them wants a 181. */
unsigned redirect_always(const struct lb_snapshot *s, struct str number, uint16_t *pool, bool *notify);

/* The rule of `pool` for u after a final response, or after no answer; NULL: there is none. */
const struct reroute *redirect_rule(const struct event *e, const struct setup *u, uint16_t pool,
				    uint16_t status);
const struct reroute *redirect_no_answer(const struct event *e, const struct setup *u, uint16_t pool);

/* Moves the call of branch i by a rule. False: that cannot be, and nothing has changed. */
bool redirect_move(struct event *e, struct setup *u, unsigned i, const struct reroute *rule);

/* Follows the 3xx in hand: calls its best Contact and notes the others. False: not wanted, or none may be
 * called. */
bool redirect_follow(struct event *e, struct setup *u, unsigned i);

/*
 * Calls the next Contact of the 3xx that was followed last, by its q (RFC 3261 16.5): as many of them as the
 * pool that was redirected has attempts. False: there is none that may be called.
 */
bool redirect_next(struct event *e, struct setup *u);

#endif
