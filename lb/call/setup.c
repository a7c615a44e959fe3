/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Table of setups: chained by the hash of the Call-ID alone, so that the chain can be fetched before the
 * message is decoded; and for each gateway the list of branches that it has not answered. Worker.
 */
#include "lb/base/hash.h"
#include "lb/call/setup.h"
#include "lb/worker.h"

/* Cache lines of a setup with one branch. */
#define FIRST_LINES ((offsetof(struct setup, client[1]) + 63) / 64)

static size_t align64(size_t n)
{
	return (n + 63) / 64 * 64;
}

/* Heads of chains: two for each setup. */
static uint32_t heads(uint32_t n)
{
	uint32_t h = 2;

	while (h < 2 * n && h < UINT32_C(1) << 31)
		h *= 2;
	return h;
}

size_t setups_size(uint32_t n)
{
	return n * sizeof(struct setup) + align64(heads(n) * sizeof(uint32_t)) +
	       LIMIT_GATEWAYS * (sizeof(uint32_t) + 2 * sizeof(uint16_t));
}

void setups_init(struct setups *t, void *mem, uint32_t n)
{
	*t = (struct setups){ .at = mem, .n = n, .mask = heads(n) - 1, .free_list = SETUP_NONE };
	t->chain = (uint32_t *)(t->at + n);
	t->unanswered = (uint32_t *)((char *)t->chain + align64(heads(n) * sizeof(uint32_t)));
	t->busy = (uint16_t *)(t->unanswered + LIMIT_GATEWAYS);
	t->place = t->busy + LIMIT_GATEWAYS;
	for (uint32_t i = 0; i <= t->mask; i++)
		t->chain[i] = SETUP_NONE;
	for (uint32_t i = 0; i < LIMIT_GATEWAYS; i++)
		t->unanswered[i] = SETUP_NONE;
	for (uint32_t i = n; i-- > 0;) {
		t->at[i].next = t->free_list;
		t->free_list = i;
	}
}

static uint32_t *head(const struct setups *t, uint64_t call_hash)
{
	return &t->chain[hash_again(call_hash) & t->mask];
}

/* The lines of a setup that an event touches while there is one branch. */
static void fetch_setup(const struct setups *t, uint32_t i)
{
	for (unsigned line = 0; line < FIRST_LINES; line++)
		__builtin_prefetch((char *)&t->at[i] + 64 * line, 1);
}

uint32_t setup_call(const struct setups *t, uint64_t call_hash)
{
	uint32_t first = *head(t, call_hash);

	return first == SETUP_NONE ? CALL_NONE : t->at[first].call;
}

void setup_fetch(const struct setups *t, uint32_t i, bool chain)
{
	if (chain)
		__builtin_prefetch(head(t, t->at[i].call_hash), 1);
	else
		fetch_setup(t, i);
}

void setup_prefetch(const struct setups *t, const struct wheel *wheel, uint64_t call_hash, bool moves,
		    enum lb_fetch step)
{
	uint32_t *first = head(t, call_hash);

	if (step == LB_FETCH_HEADS) {
		__builtin_prefetch(first, 1);
	} else if (*first != SETUP_NONE && step == LB_FETCH_ENTRIES) {
		wheel_prefetch(wheel, *first, false);
		fetch_setup(t, *first);
	} else if (*first != SETUP_NONE && moves) {
		wheel_prefetch(wheel, *first, true);
	}
}

struct setup *setup_find(const struct setups *t, const struct lb_query *q)
{
	for (uint32_t i = *head(t, q->call_hash); i != SETUP_NONE; i = t->at[i].next) {
		struct setup *u = &t->at[i];

		if (u->via_hash == q->via_hash && u->call_hash == q->call_hash && u->cseq == q->cseq &&
		    u->from_hash == q->from_hash)
			return u;
	}
	return NULL;
}

enum setup_fit setup_of_response(const struct setups *t, const struct lb_query *q, uint64_t identity,
				 struct setup **u)
{
	enum setup_fit fit = SETUP_UNKNOWN;

	for (uint32_t i = *head(t, q->call_hash); i != SETUP_NONE; i = t->at[i].next) {
		struct setup *at = &t->at[i];

		if (at->via_hash != identity || at->call_hash != q->call_hash)
			continue;
		*u = at;
		if (at->cseq == q->cseq && at->from_hash == q->from_hash)
			return SETUP_FITS;
		fit = SETUP_OTHER_CSEQ;
	}
	return fit;
}

struct setup *setup_of_call(const struct setups *t, uint64_t call_hash, uint64_t from_hash)
{
	for (uint32_t i = *head(t, call_hash); i != SETUP_NONE; i = t->at[i].next) {
		struct setup *u = &t->at[i];

		if (u->call_hash == call_hash && u->from_hash == from_hash)
			return u; /* new ones come first in their chain */
	}
	return NULL;
}

bool setups_crowd(const struct setups *t, uint64_t call_hash, unsigned most)
{
	for (uint32_t i = *head(t, call_hash); i != SETUP_NONE && most > 0; i = t->at[i].next)
		most -= t->at[i].call_hash == call_hash;
	return most == 0;
}

static unsigned claim(const struct client *c)
{
	if (c->flags & CLIENT_REDIRECTED)
		return 0;
	if (c->flags & CLIENT_BROUGHT)
		return 3;
	return c->flags & CLIENT_CHALLENGED ? 2 : 1;
}

const struct client *setup_again(const struct setup *u)
{
	const struct client *best = &u->client[0];

	for (unsigned i = 1; i < u->n; i++)
		best = claim(&u->client[i]) >= claim(best) ? &u->client[i] : best;
	return best;
}

struct setup *setup_new(struct setups *t, const struct lb_query *q, unsigned flags)
{
	uint32_t i = t->free_list, *first = head(t, q->call_hash);
	struct setup *u;

	if (i == SETUP_NONE)
		return NULL;
	u = &t->at[i];
	t->free_list = u->next;
	if (t->free_list != SETUP_NONE)
		fetch_setup(t, t->free_list); /* that of the next new call */
	__atomic_store_n(&t->in_use, t->in_use + 1, __ATOMIC_RELAXED);
	memset(u, 0, offsetof(struct setup, client));
	u->call_hash = q->call_hash;
	u->from_hash = q->from_hash;
	u->via_hash = q->via_hash;
	u->src = q->src;
	u->reply_port = q->reply_to.port;
	u->oc_ask = q->oc_ask;
	u->cseq = q->cseq;
	u->loop_hash = q->loop_hash;
	u->listener = q->listener;
	u->number_n = q->number.n < SETUP_NUMBER ? q->number.n : SETUP_NUMBER;
	memcpy(u->number, q->number.p, u->number_n);
	u->repeat = u->end = SETUP_NEVER;
	u->state = SERVER_PROCEEDING;
	u->own = 500;
	u->flags = flags | (q->reliable ? SETUP_RELIABLE : 0);
	u->next = *first;
	*first = i;
	return u;
}

void setup_free(struct setups *t, struct setup *u)
{
	uint32_t i = setup_index(t, u), *link = head(t, u->call_hash);

	while (*link != i)
		link = &t->at[*link].next;
	*link = u->next;
	u->next = t->free_list;
	t->free_list = i;
	__atomic_store_n(&t->in_use, t->in_use - 1, __ATOMIC_RELAXED);
}

static struct client *client_at(const struct setups *t, uint32_t branch)
{
	return &t->at[branch / LIMIT_BRANCHES].client[branch % LIMIT_BRANCHES];
}

uint64_t setup_oldest(const struct setups *t, uint16_t slot)
{
	return client_at(t, client_at(t, t->unanswered[slot])->prev)->sent;
}

void setup_list(struct setups *t, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];
	uint32_t me = setup_index(t, u) * LIMIT_BRANCHES + i, *first = &t->unanswered[c->gateway];

	if (*first == SETUP_NONE) {
		t->place[c->gateway] = t->n_busy;
		t->busy[t->n_busy++] = c->gateway;
		c->prev = me;
	} else {
		c->prev = client_at(t, *first)->prev;
		client_at(t, *first)->prev = me;
	}
	c->next = *first;
	c->flags |= CLIENT_LISTED;
	*first = me;
}

void setup_unlist(struct setups *t, struct setup *u, unsigned i)
{
	struct client *c = &u->client[i];
	uint32_t me = setup_index(t, u) * LIMIT_BRANCHES + i, *first = &t->unanswered[c->gateway];
	uint16_t last;

	if (!(c->flags & CLIENT_LISTED))
		return;
	c->flags &= ~CLIENT_LISTED;
	if (c->next != SETUP_NONE)
		client_at(t, c->next)->prev = c->prev;
	else
		client_at(t, *first)->prev = c->prev;
	if (*first != me) {
		client_at(t, c->prev)->next = c->next;
		return;
	}
	*first = c->next;
	if (c->next != SETUP_NONE)
		return;
	last = t->busy[--t->n_busy];
	t->busy[t->place[c->gateway]] = last;
	t->place[last] = t->place[c->gateway];
}
