/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What comes to a gateway. Transactions are found by Call-ID, then branch (RFC 3261 17.2.3); the ACK of a 200
 * has a branch of its own and goes to the transaction of its Call-ID that waits for one.
 */
#include "bench/gwsim/gwsim.h"

#include <stddef.h>
#include <string.h>

struct gw_txn *gw_txn_new(struct gw *g)
{
	struct sim *sim = g->sim;
	struct gw_txn *t = sim->free_txns;

	if (!t) {
		gw_count(g, GW_out_of_memory);
		return NULL;
	}
	sim->free_txns = t->chain;
	memset(t, 0, offsetof(struct gw_txn, head));
	t->gw = g;
	t->came = sim->now;
	return t;
}

static struct gw_txn **bucket(struct sim *sim, uint64_t call)
{
	return &sim->hash[(call >> 32) & (sim->n_hash - 1)];
}

void gw_txn_free(struct gw *g, struct gw_txn *t)
{
	kit_disarm(&g->sim->heap, &t->timer);
	if (!t->is_options) {
		struct gw_txn **p = bucket(g->sim, t->call);

		while (*p != t)
			p = &(*p)->chain;
		*p = t->chain;
	}
	t->state = TXN_FREE;
	t->chain = g->sim->free_txns;
	g->sim->free_txns = t;
}

/* The transaction of this Call-ID and branch; without a branch (0), one whose 200 has no ACK, or the first.
 */
static struct gw_txn *find(struct gw *g, uint64_t call, uint64_t branch)
{
	struct gw_txn *any = NULL;

	for (struct gw_txn *t = *bucket(g->sim, call); t; t = t->chain) {
		if (t->gw != g || t->call != call)
			continue;
		if (branch ? t->branch == branch : t->state == TXN_ANSWERED)
			return t;
		any = branch ? any : t;
	}
	return any;
}

static void note_prefix(struct gw *g, struct gw_txn *t, struct kit_text user)
{
	for (uint32_t i = 0; i < g->set.n_fails; i++) {
		const struct gw_fail *f = &g->set.fail[i];
		uint32_t n = (uint32_t)strlen(f->prefix);

		if (user.n < n || memcmp(user.p, f->prefix, n) != 0)
			continue;
		t->fail = (uint16_t)f->code;
		t->cause = (uint8_t)f->cause;
		return;
	}
}

static void new_txn(struct gw *g, const struct kit_sip *m, const union kit_addr *from)
{
	struct gw_txn *t = gw_txn_new(g);

	if (!t)
		return;
	if (!gw_head(g, &t->head, m)) {
		gw_count(g, GW_odd);
		t->is_options = true; /* not in the hash */
		gw_txn_free(g, t);
		return;
	}
	t->from = *from;
	t->is_options = kit_is(m->method, "OPTIONS");
	if (!t->is_options) {
		t->call = kit_hash(m->call_id);
		t->branch = kit_hash(m->branch);
		if (find(g, t->call, 0))
			gw_count(g, GW_again);
		t->chain = *bucket(g->sim, t->call);
		*bucket(g->sim, t->call) = t;
		note_prefix(g, t, kit_user(m->uri));
		gw_count(g, GW_arrivals);
	}
	gw_arrive(g, t);
}

static void repeated(struct gw *g, struct gw_txn *t)
{
	gw_count(g, GW_repeats);
	gw_absorb(g);
	if (t->status && t->state != TXN_ENDED)
		gw_say(g, t, t->status);
}

/* Answers a request of which nothing is kept. */
static void answer(struct gw *g, const struct kit_sip *m, const union kit_addr *from, uint16_t status)
{
	struct gw_head h;

	if (gw_head(g, &h, m))
		gw_reply(g, &h, from, status, 0);
}

static void cancel(struct gw *g, const struct kit_sip *m, const union kit_addr *from)
{
	struct gw_txn *t = find(g, kit_hash(m->call_id), kit_hash(m->branch));

	answer(g, m, from, t ? 200 : 481);
	gw_absorb(g);
	if (t)
		gw_cancel(g, t);
}

static void request(struct gw *g, const struct kit_sip *m, const union kit_addr *from)
{
	uint64_t call = kit_hash(m->call_id);
	struct gw_txn *t;

	if (kit_is(m->method, "INVITE")) {
		t = find(g, call, kit_hash(m->branch));
		if (t)
			repeated(g, t);
		else if (m->to_tag.n) /* a re-INVITE changes nothing here */
			answer(g, m, from, 200);
		else
			new_txn(g, m, from);
	} else if (kit_is(m->method, "ACK")) {
		gw_count(g, GW_acks);
		t = find(g, call, kit_hash(m->branch));
		if (!t || t->state != TXN_REFUSED)
			t = find(g, call, 0);
		if (t)
			gw_acked(g, t);
	} else if (kit_is(m->method, "CANCEL")) {
		cancel(g, m, from);
	} else if (kit_is(m->method, "OPTIONS")) {
		gw_count(g, GW_options);
		if (g->set.options == OPTIONS_QUEUE) {
			new_txn(g, m, from);
			return;
		}
		gw_count(g, GW_options_answered);
		answer(g, m, from, 200);
	} else {
		if (kit_is(m->method, "BYE"))
			gw_count(g, GW_byes);
		answer(g, m, from, 200);
	}
}

void gw_receive(struct gw *g, const char *data, uint32_t bytes, const union kit_addr *from)
{
	struct kit_sip m;

	if (g->set.mute) {
		gw_count(g, GW_muted);
		return;
	}
	if (!kit_sip_read(&m, data, bytes) || m.status) {
		gw_count(g, GW_odd);
		return;
	}
	gw_count(g, GW_requests);
	if (kit_param(m.via, "oc").p)
		gw_oc_client(g, from);
	request(g, &m, from);
}
