/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that go elsewhere because a rule says so (call forwarding: on busy, on no answer, always) or because
 * a gateway answered with a Contact that Weir may call itself (RFC 3261 16.5, 8.1.3.4). Worker. Must stay
 * true: only configured gateways are called, and REDIRECT_MOVES ends every loop.
 */
#include "lb/call/invite.h"
#include "lb/choose/peers.h"
#include "lb/worker.h"

static bool begins_with(struct str text, struct str prefix)
{
	return text.n >= prefix.n && (prefix.n == 0 || memcmp(text.p, prefix.p, prefix.n) == 0);
}

/* The first rule of the pool that always moves calls to this number, or NULL. */
static const struct reroute *always(const struct pool *p, struct str number)
{
	for (unsigned i = 0; i < p->n_reroutes; i++) {
		if (p->reroutes[i].always && begins_with(number, p->reroutes[i].number))
			return &p->reroutes[i];
	}
	return NULL;
}

unsigned redirect_always(const struct lb_snapshot *s, struct str number, uint16_t *pool, bool *notify)
{
	const struct reroute *r;
	unsigned moves = 0;

	while (moves < REDIRECT_MOVES && (r = always(&s->pools[*pool], number))) {
		moves++;
		*notify |= r->notify;
		*pool = r->pool;
	}
	return moves;
}

static struct str number_of(const struct setup *u)
{
	return (struct str){ u->number, u->number_n };
}

const struct reroute *redirect_rule(const struct event *e, const struct setup *u, uint16_t pool,
				    uint16_t status)
{
	const struct pool *p = &e->s->pools[pool];

	for (unsigned i = 0; i < p->n_reroutes; i++) {
		const struct reroute *r = &p->reroutes[i];

		if (lb_codes_has(&r->on, status) && begins_with(number_of(u), r->number))
			return r;
	}
	return NULL;
}

const struct reroute *redirect_no_answer(const struct event *e, const struct setup *u, uint16_t pool)
{
	const struct pool *p = &e->s->pools[pool];

	for (unsigned i = 0; i < p->n_reroutes; i++) {
		const struct reroute *r = &p->reroutes[i];

		if (r->no_answer_ns && begins_with(number_of(u), r->number))
			return r;
	}
	return NULL;
}

/* RFC 3262 3: who requires 100rel gets no provisional response that is not reliable. */
static void tell_caller(struct event *e, struct setup *u)
{
	if (!(u->flags & SETUP_RELIABLE))
		server_answer(e, u, 181, 0);
}

static bool may_move(const struct setup *u)
{
	return u->moves < REDIRECT_MOVES && u->n < LIMIT_BRANCHES;
}

bool redirect_move(struct event *e, struct setup *u, unsigned i, const struct reroute *rule)
{
	uint16_t pool = rule->pool;
	bool notify = rule->notify;
	const struct gateway *g;
	unsigned further;

	if (!may_move(u))
		return false;
	further = redirect_always(e->s, number_of(u), &pool, &notify);
	g = pick_branch(e, u, pool, 0);
	if (!g)
		return false;
	u->moves += 1 + further;
	u->attempts = 1;
	u->targets = 0;
	if (notify)
		tell_caller(e, u);
	st_gateway_inc(e->w->lane, u->client[i].gateway, ST_GW_LEFT_RULE);
	client_request(e, u, client_add(e, u, g), act_add(e, LB_RESEND, ST_SENT_RETRY));
	return true;
}

/* The gateway at exactly this address, or NULL. */
static const struct gateway *target_at(const struct event *e, const struct addr *addr)
{
	const struct gateway *g = gateway_at(e->s, addr);

	return g && addr_eq(&g->addr, addr) ? g : NULL;
}

/* True if g is a gateway that can take the call now: then a place is reserved. */
static bool take_target(const struct event *e, const struct setup *u, const struct gateway *g)
{
	const struct pick how = pick_for_branch(e, u);

	return g && pick_take(&how, g);
}

/* Calls g, where a place is reserved, by the Request-URI of a Contact; which one is still to be noted. */
static struct lb_act *call_target(struct event *e, struct setup *u, const struct gateway *g)
{
	struct lb_act *act = act_add(e, LB_RESEND, ST_SENT_RETRY);
	unsigned i = client_add(e, u, g);

	u->client[i].flags |= CLIENT_REDIRECTED;
	client_request(e, u, i, act);
	return act;
}

/* Notes the Contacts of the 3xx in hand from the k-th on, `most` gateways at most. */
static void note_targets(const struct event *e, struct setup *u, unsigned k, unsigned most)
{
	u->target_i = k;
	u->targets = k;
	for (; k < e->q->n_contacts && most > 0 && e->q->room; k++) {
		const struct gateway *g = target_at(e, &e->q->contacts[k].addr);

		u->target[k] = g ? g->slot : LB_NONE;
		u->targets = k + 1;
		most -= g != NULL;
	}
}

bool redirect_follow(struct event *e, struct setup *u, unsigned i)
{
	const struct gateway *from = gateway_by_slot(e->s, u->client[i].gateway), *g = NULL;
	const struct pool *p = from ? &e->s->pools[from->pool] : NULL;
	unsigned k = 0;

	if (!p || !p->follow || !may_move(u))
		return false;
	while (k < e->q->n_contacts && !take_target(e, u, (g = target_at(e, &e->q->contacts[k].addr))))
		k++;
	if (k == e->q->n_contacts)
		return false;
	u->moves++;
	u->attempts = 1;
	note_targets(e, u, k + 1, p->attempts - 1);
	st_gateway_inc(e->w->lane, from->slot, ST_GW_LEFT_RULE);
	call_target(e, u, g)->uri = e->q->contacts[k].uri;
	return true;
}

bool redirect_next(struct event *e, struct setup *u)
{
	while (u->target_i < u->targets) {
		unsigned k = u->target_i++;
		const struct gateway *g = gateway_by_slot(e->s, u->target[k]);

		if (!take_target(e, u, g))
			continue;
		u->attempts = 1;
		call_target(e, u, g)->target = k + 1;
		return true;
	}
	return false;
}
