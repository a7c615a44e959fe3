/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What to do when a branch brings no call: ask another gateway, wait for the other branches, or answer the
 * caller, and with what (RFC 3261 16.7, steps 4 to 6; RFC 3263 4.3). Runs on the worker that owns the call.
 * Must stay true: the caller gets one final response other than 2xx at most; no 503 of a gateway reaches him;
 * who has answered 6xx ends the search; and the last branch is given up only for a better one.
 */
#include "lb/call/invite.h"
#include "lb/admit/oc.h"
#include "lb/admit/refusal.h"
#include "lb/worker.h"

static const struct verdict absorbed = { LB_ABSORB, ST_ABSORB_FINAL, false };

/* Why a branch is left for another one. */
enum why {
	WHY_ANSWER,
	WHY_SILENT,
	WHY_DOWN
};

/* The pool of branch i, or NULL if its gateway is no more. */
static const struct pool *pool_of(const struct event *e, const struct setup *u, unsigned i)
{
	const struct gateway *g = gateway_by_slot(e->s, u->client[i].gateway);

	return g ? &e->s->pools[g->pool] : NULL;
}

/* True while the search may still ask somebody. */
static bool searching(const struct setup *u)
{
	return u->state == SERVER_PROCEEDING && !(u->flags & SETUP_CANCELLED) && u->n < LIMIT_BRANCHES;
}

/* True if a branch is open whose answer the caller should wait for. */
static bool waiting(const struct setup *u)
{
	for (unsigned i = 0; i < u->n; i++) {
		if (client_is_open(&u->client[i]) && !(u->client[i].flags & CLIENT_GIVEN_UP))
			return true;
	}
	return false;
}

void failover_cancel_others(struct event *e, struct setup *u, unsigned i)
{
	for (unsigned k = 0; k < u->n; k++) {
		if (k != i)
			client_cancel(e, u, k);
	}
}

/* ---- Another gateway --------------------------------------------------------------------------------- */

static void count_left(const struct event *e, const struct setup *u, unsigned i, enum why why)
{
	static const enum st_gateway_counter cells[] = { [WHY_ANSWER] = ST_GW_LEFT_ANSWER,
							 [WHY_SILENT] = ST_GW_LEFT_SILENT,
							 [WHY_DOWN] = ST_GW_LEFT_DOWN };

	st_gateway_inc(e->w->lane, u->client[i].gateway, cells[why]);
}

/* Gateways that the call may be tried at. An emergency call is not lost while there is one that has not
 * refused it. */
static unsigned attempts_of(const struct setup *u, const struct pool *p)
{
	return u->flags & SETUP_URGENT && p->attempts > 1 ? LIMIT_ATTEMPTS : p->attempts;
}

/*
 * Asks another gateway of branch i's pool, or of its overflow pool. Retries after an answer are bounded by
 * the pool's budget (those of urgent calls are not: they are few, max-emergency), those away from a mute
 * gateway only by the next one's limits. Where most gateways are mute there is no next one. yields: of
 * struct ask.
 */
static bool try_another(struct event *e, struct setup *u, unsigned i, enum why why, uint32_t yields)
{
	const struct pool *p = pool_of(e, u, i);
	bool free = u->flags & SETUP_URGENT || why != WHY_ANSWER;
	const struct gateway *g;
	struct pool_word *budget;

	if (!p || !searching(u) || u->attempts >= attempts_of(u, p) ||
	    word_panic(&e->w->words->gateway[u->client[i].gateway]))
		return false;
	budget = &e->w->words->pool[p - e->s->pools];
	if (!free && !budget_spend(budget))
		return false;
	g = pick_branch(e, u, p - e->s->pools, yields);
	if (!g) {
		if (!free)
			budget_earn(budget, BUDGET_RETRY);
		if (why != WHY_SILENT)
			u->flags |= SETUP_NO_ROOM;
		return false;
	}
	u->attempts++;
	count_left(e, u, i, why);
	client_request(e, u, client_add(e, u, g), act_add(e, LB_RESEND, ST_SENT_RETRY));
	return true;
}

/* Asks the next Contact of a redirect that was followed; the last branch, i, has brought no call. */
static bool try_next(struct event *e, struct setup *u, unsigned i, enum why why)
{
	if (!searching(u) || !redirect_next(e, u))
		return false;
	count_left(e, u, i, why);
	return true;
}

/* True if this final response lets the call go on elsewhere in the pool. */
static bool is_trigger(const struct pool *p, uint16_t status)
{
	if (status == 503) /* RFC 3263 4.3 */
		return true;
	return p && lb_codes_has(&p->on, status);
}

/* ---- The answer to the caller ------------------------------------------------------------------------ */

/* Lower is better: RFC 3261 16.7, step 6. */
static unsigned rank(uint16_t status)
{
	switch (status) {
	case 401:
	case 407:
	case 415:
	case 420:
	case 484:
		return 35; /* tell the caller how to do better */
	default:
		return status >= 600 ? 0 : status / 100 * 10;
	}
}

/*
 * True if the caller may see this final response of branch i: no 503 (RFC 3261 16.7, step 6), no loop that
 * our own retry made, no answer to a CANCEL that was neither his nor Timer C's.
 */
static bool is_fit(const struct setup *u, unsigned i, uint16_t status)
{
	uint16_t flags = u->client[i].flags;

	if (status == 0 || status == 503)
		return false;
	if (flags & CLIENT_GIVEN_UP && (status == 482 || status == 408))
		return false;
	return status != 487 || u->flags & SETUP_CANCELLED || flags & CLIENT_OVERDUE ||
	       !(flags & CLIENT_CANCELLED);
}

/* Keeps the response in hand if it is the best so far. */
static void note_best(struct event *e, struct setup *u, unsigned i, uint16_t status)
{
	struct lb_act *act;

	if (!is_fit(u, i, status) || !e->q->room || (u->best && rank(status) >= rank(u->best)))
		return;
	act = act_add(e, LB_KEEP_FINAL, ST_ABSORB_FINAL);
	act->kept = 2 * setup_index(&e->w->setups, u);
	oc_tell(act, u->oc_ask, e->w->words, e->s, &u->src);
	u->flags |= SETUP_FINAL_KEPT;
	u->best = status;
}

/* Nobody has an answer, so Weir gives one; returns its status. */
static uint16_t answer_ourselves(struct event *e, struct setup *u, unsigned i)
{
	const struct pool *p = pool_of(e, u, i);
	struct no no = { u->own, 0 };
	bool full = false;
	struct lb_act *act;

	if (u->flags & SETUP_CANCELLED) {
		no.status = 487; /* RFC 3261 9.2 */
	} else if (u->flags & SETUP_NO_ROOM && p) {
		no = no_room(p, &e->w->words->pool[p - e->s->pools], u->when_full, u->via_hash);
		full = true;
	}
	act = server_answer(e, u, no.status, no.retry_after_s);
	if (full) {
		act->end = ST_SENT_REFUSED;
		count_refused(e, u);
	}
	return no.status;
}

/* Ends the search: the best of what there is goes to the caller. status: of the response in hand, or 0. */
static struct verdict conclude(struct event *e, struct setup *u, unsigned i, uint16_t status)
{
	bool in_hand = is_fit(u, i, status) && (!u->best || rank(status) <= rank(u->best));
	uint16_t final = in_hand ? status : u->best;
	struct lb_act *act;

	failover_cancel_others(e, u, i);
	if (in_hand) {
		if (!e->q->room)
			invite_forget(e, u, SETUP_FINAL_KEPT);
		else
			u->flags |= SETUP_FINAL_KEPT;
	} else if (u->best) {
		act = act_add(e, LB_RESEND_FINAL, ST_SENT_FINAL);
		setup_reply_to(u, &act->dst);
		act->listener = u->listener;
		act->kept = 2 * setup_index(&e->w->setups, u);
	} else {
		final = answer_ourselves(e, u, i);
	}
	server_event(e, u, SERVER_FINAL);
	count_failed(e, u, final);
	if (in_hand)
		return (struct verdict){ LB_FORWARD, ST_FWD_RESPONSE, e->q->room };
	return absorbed;
}

/* ---- When a branch ends ------------------------------------------------------------------------------ */

/* A final response that sends the call elsewhere: by rule, by its Contact, or to another gateway. */
static bool goes_on(struct event *e, struct setup *u, unsigned i, uint16_t status)
{
	const struct gateway *g = gateway_by_slot(e->s, u->client[i].gateway);
	const struct reroute *rule = g ? redirect_rule(e, u, g->pool, status) : NULL;

	if (!searching(u) || u->client[i].flags & (CLIENT_GIVEN_UP | CLIENT_OVERDUE))
		return false;
	if (rule && redirect_move(e, u, i, rule))
		return true;
	if (status >= 600) /* RFC 3261 16.7, step 5 */
		return false;
	if (status < 400 && redirect_follow(e, u, i))
		return true;
	if (try_next(e, u, i, WHY_ANSWER)) {
		if (status < 400) /* one that is not followed is an answer */
			note_best(e, u, i, status);
		return true;
	}
	return status >= 400 && is_trigger(g ? &e->s->pools[g->pool] : NULL, status) &&
	       try_another(e, u, i, WHY_ANSWER, 0);
}

static struct verdict over_by_answer(struct event *e, struct setup *u, unsigned i)
{
	uint16_t status = e->q->status;

	if (is_challenge(status))
		u->client[i].flags |= CLIENT_CHALLENGED;
	if (goes_on(e, u, i, status)) {
		if (status >= 400) /* a redirect that is followed is no answer (RFC 3261 16.7, step 4) */
			note_best(e, u, i, status);
		return absorbed;
	}
	if (status >= 600)
		return conclude(e, u, i, status);
	if (waiting(u)) {
		note_best(e, u, i, status);
		return absorbed;
	}
	return conclude(e, u, i, status);
}

struct verdict failover_over(struct event *e, struct setup *u, unsigned i, enum news news)
{
	if (u->state != SERVER_PROCEEDING)
		return absorbed;
	if (news == NEWS_FINAL)
		return over_by_answer(e, u, i);
	if (news != NEWS_LOST)
		u->own = 408;     /* RFC 3261 16.7, step 6, and 8.1.3.1 */
	if (news == NEWS_OVERDUE) /* 16.8: its CANCEL has left, and brings a final response or NEWS_LOST */
		return absorbed;
	if (news == NEWS_SILENT && !(u->client[i].flags & CLIENT_GIVEN_UP) &&
	    (try_next(e, u, i, WHY_SILENT) || try_another(e, u, i, WHY_SILENT, 0)))
		return absorbed;
	return waiting(u) ? absorbed : conclude(e, u, i, 0);
}

void failover_cancelled(struct event *e, struct setup *u)
{
	if (u->state == SERVER_PROCEEDING && !waiting(u))
		conclude(e, u, u->n - 1, 0);
}

/* ---- Silence ----------------------------------------------------------------------------------------- */

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The next of these ages (ns) that is greater than `age`. */
static uint64_t next_age(uint64_t age, const uint64_t *ages, unsigned n)
{
	uint64_t next = SETUP_NEVER;

	for (unsigned k = 0; k < n; k++)
		next = ages[k] > age ? earliest(next, ages[k]) : next;
	return next;
}

uint64_t failover_next_watch(const struct event *e, const struct setup *u, unsigned i)
{
	const struct client *c = &u->client[i];
	const struct gateway *g = gateway_by_slot(e->s, c->gateway);
	const struct pool *p = g ? &e->s->pools[g->pool] : NULL;
	const struct reroute *rule = g ? redirect_no_answer(e, u, g->pool) : NULL;
	uint64_t ages[3] = { 0 }, age = e->now - c->sent, next; /* 0: never */

	if (!p || c->flags & (CLIENT_GIVEN_UP | CLIENT_CANCEL))
		return SETUP_NEVER;
	if (rule)
		ages[0] = rule->no_answer_ns;
	if (u->attempts < p->attempts && c->state == CLIENT_CALLING) {
		ages[1] = age >= p->after_max_ns ? age + p->after_ns : p->after_ns; /* others may come back */
		ages[2] = p->after_max_ns;
	} else if (u->attempts < p->attempts && !(c->flags & CLIENT_RANG)) {
		ages[1] = p->progress_ns;
	}
	next = next_age(age, ages, 3);
	return next == SETUP_NEVER ? SETUP_NEVER : c->sent + next;
}

/* True if nothing has come of branch i for so long that another gateway should be asked. */
static bool is_silent(const struct event *e, const struct setup *u, unsigned i)
{
	const struct client *c = &u->client[i];
	const struct pool *p = pool_of(e, u, i);
	uint64_t age = e->now - c->sent;

	if (!p || c->flags & CLIENT_RANG)
		return false;
	if (c->state == CLIENT_PROCEEDING)
		return p->progress_ns && age >= p->progress_ns;
	if (!p->after_ns)
		return false;
	return age >= p->after_max_ns ||
	       (age >= p->after_ns && word_mute_since(&e->w->words->gateway[c->gateway], c->sent));
}

/* True if nothing is to be expected of the branch: its gateway is down, or nobody listens there. */
static bool is_gone(const struct event *e, const struct client *c)
{
	return c->state == CLIENT_CALLING &&
	       (c->flags & CLIENT_BOUNCED || word_down(&e->w->words->gateway[c->gateway]));
}

void failover_watch(struct event *e, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];
	const struct gateway *g = gateway_by_slot(e->s, c->gateway);
	const struct reroute *rule = g ? redirect_no_answer(e, u, g->pool) : NULL;
	bool left = false;

	c->watch = SETUP_NEVER;
	if (!searching(u) || !client_is_open(c) || c->flags & CLIENT_GIVEN_UP)
		return;
	if (rule && e->now - c->sent >= rule->no_answer_ns)
		left = redirect_move(e, u, i, rule);
	if (!left && is_gone(e, c)) {
		failover_down(e, u, i);
		return;
	}
	if (!left && is_silent(e, u, i))
		left = try_next(e, u, i, WHY_SILENT) || try_another(e, u, i, WHY_SILENT, 0);
	if (left)
		client_give_up(e, u, i);
	else
		c->watch = failover_next_watch(e, u, i);
}

/* ---- A gateway that is down -------------------------------------------------------------------------- */

/* ns; how often a call that found no room elsewhere asks again: more often than a bucket fills, 50 ms. */
#define ASK_AGAIN_NS 20000000u

/* Of 65536: what such a call leaves in the buckets for new calls, which are refused if they find nothing. */
#define LEFT_TO_NEW 32768

/* True if the pool has gateways that u was not sent to and that may get calls: what they lack is room. */
static bool others_are_there(const struct event *e, const struct setup *u, uint16_t pool)
{
	uint16_t tried[LIMIT_BRANCHES];
	unsigned n = setup_tried(u, tried);

	for (uint32_t i = e->s->pools[pool].start; i < e->s->pools[pool].end; i++) {
		const struct gateway *g = &e->s->gateways[i];
		unsigned k = 0;

		while (k < n && tried[k] != g->slot)
			k++;
		if (k == n && g->weight > 0 && word_ready(&e->w->words->gateway[g->slot]))
			return true;
	}
	return false;
}

/* True if the call of branch i, which nobody has room for, may find some: until it would have been given up
 * by a gateway that is heard. */
static bool may_find_room(const struct event *e, const struct setup *u, unsigned i)
{
	const struct pool *p = pool_of(e, u, i);

	if (!p || !searching(u) || u->attempts >= attempts_of(u, p) ||
	    e->now >= u->client[i].sent + p->after_max_ns)
		return false;
	return others_are_there(e, u, (uint16_t)(p - e->s->pools)) ||
	       (p->overflow != LB_NONE && !(u->flags & SETUP_SPILLED) && others_are_there(e, u, p->overflow));
}

void failover_down(struct event *e, struct setup *u, unsigned i)
{
	bool may_wait = may_find_room(e, u, i);
	uint32_t yields = may_wait && !(u->flags & SETUP_URGENT) ? LEFT_TO_NEW : 0;
	bool moved = try_next(e, u, i, WHY_DOWN) || try_another(e, u, i, WHY_DOWN, yields);

	if (!moved && may_wait) {
		client_wait(e, u, i, e->now + ASK_AGAIN_NS);
		return;
	}
	client_give_up(e, u, i);
	if (moved || waiting(u) || u->state != SERVER_PROCEEDING)
		return;
	u->flags |= SETUP_NO_ROOM;
	conclude(e, u, i, 0);
}
