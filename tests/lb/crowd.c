/* SPDX-License-Identifier: BSD-3-Clause */
/* See crowd.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/lb/check.h"
#include "tests/lb/crowd.h"

enum kind {
	ARRIVES, /* the next Poisson call */
	BURSTS,
	CALLS, /* one call, returned or of a flash crowd */
	ENDS,
	GOVERNS
};

/* ---- Events -------------------------------------------------------------------------------------------- */

static void push(struct crowd *c, uint64_t at, enum kind kind, uint32_t who, uint32_t n)
{
	uint32_t i = c->n_heap++;

	if (i == c->room_heap) {
		c->room_heap = c->room_heap ? 2 * c->room_heap : 1024;
		c->heap = realloc(c->heap, c->room_heap * sizeof(*c->heap));
	}
	for (; i > 0 && c->heap[(i - 1) / 2].at > at; i = (i - 1) / 2)
		c->heap[i] = c->heap[(i - 1) / 2];
	c->heap[i] = (struct crowd_event){ at, kind, who, n };
}

static struct crowd_event pop(struct crowd *c)
{
	struct crowd_event first = c->heap[0], last = c->heap[--c->n_heap];
	uint32_t i = 0;

	for (;;) {
		uint32_t k = 2 * i + 1;

		if (k + 1 < c->n_heap && c->heap[k + 1].at < c->heap[k].at)
			k++;
		if (k >= c->n_heap || c->heap[k].at >= last.at)
			break;
		c->heap[i] = c->heap[k];
		i = k;
	}
	c->heap[i] = last;
	return first;
}

static uint64_t exponential(struct crowd *c, double per_s)
{
	double u = (double)((next_random(&c->random) >> 11) + 1) / 9007199254740993.0;

	return (uint64_t)(-log(u) / per_s * 1e9);
}

/* ---- Calls --------------------------------------------------------------------------------------------- */

static struct lb_query invite(struct crowd *c, unsigned who, uint32_t n, uint32_t t)
{
	struct lb_query q = world_request(&c->w, METHOD_INVITE, n, t);
	char ip[16];

	snprintf(ip, sizeof(ip), "10.0.%u.%u", who, n % 250 + 1);
	q.src = q.reply_to = world_ip4(ip, 5060);
	return q;
}

/* The refused caller's stack acknowledges. */
static void acknowledge(struct crowd *c, const struct lb_query *q)
{
	struct lb_query ack = *q;
	char tag[LIMIT_TAG];

	memcpy(tag, c->w.act[0].to_tag, LIMIT_TAG);
	ack.method = METHOD_ACK;
	ack.has_to_tag = 1;
	ack.to_tag = text_of(tag, c->w.act[0].to_tag_n);
	expect_act(world_input(&c->w, &ack), LB_ABSORB, ST_ABSORB_ACK);
}

static void admitted(struct crowd *c, unsigned who, uint32_t n, const struct lb_query *q,
		     const struct lb_act *act)
{
	struct caller *p = &c->caller[who];

	p->admitted++;
	p->calls++;
	if (n >= c->room_calls) {
		c->room_calls = 2 * n + 1024;
		c->call = realloc(c->call, c->room_calls * sizeof(*c->call));
	}
	c->call[n].invite = *q;
	c->call[n].gateway = act->gateway;
	c->call[n].branch_n = act->branch_n;
	memcpy(c->call[n].branch, act->branch, act->branch_n);
	if (p->hold_s > 0)
		push(c, c->w.now + exponential(c, 1 / p->hold_s), ENDS, who, n);
}

static void make_call(struct crowd *c, unsigned who)
{
	struct caller *p = &c->caller[who];
	uint32_t n = c->calls++;

	p->asked++;
	for (uint32_t t = 0; t <= p->again; t++) {
		struct lb_query q = invite(c, who, n, t);
		unsigned k = lb_input(c->w.worker, c->w.snap, &q, c->w.now, c->w.act);
		const struct lb_act *act = &c->w.act[k - 1];

		if (act->op == LB_FORWARD) {
			admitted(c, who, n, &q, act);
			return;
		}
		assert_int_equal(act->op, LB_REPLY);
		assert_int_equal(act->status, 503);
		p->refused++;
		p->told_s += act->retry_after_s;
		p->most_told_s = act->retry_after_s > p->most_told_s ? act->retry_after_s : p->most_told_s;
		if (p->returns)
			push(c, c->w.now + act->retry_after_s * SECOND + next_random(&c->random) % SECOND,
			     CALLS, who, 0);
		acknowledge(c, &q);
	}
}

/* The called side is busy after all: the call gives its place back. */
static void end_call(struct crowd *c, unsigned who, uint32_t n)
{
	const struct crowd_call *call = &c->call[n];
	struct lb_query busy = {
		.method = METHOD_INVITE,
		.listener = 1,
		.has_to_tag = 1,
		.status = 486,
		.src = c->w.gateway[call->gateway].addr,
		.via_to = call->invite.reply_to,
		.call_hash = call->invite.call_hash,
		.from_hash = call->invite.from_hash,
		.branch = { call->branch, call->branch_n },
	};

	lb_input(c->w.worker, c->w.snap, &busy, c->w.now, c->w.act);
	c->caller[who].calls--;
}

/* ---- The world ----------------------------------------------------------------------------------------- */

void crowd_build(struct crowd *c)
{
	world_build(&c->w);
}

void crowd_start(struct crowd *c, unsigned n, unsigned gateways, uint64_t seed)
{
	memset(c, 0, sizeof(*c));
	c->n = n;
	c->random = seed;
	world_init(&c->w);
	c->w.spec.n_peers = c->w.spec.n_prefixes = n;
	for (unsigned i = 0; i < n; i++) {
		char ip[sizeof("10.0.4294967295.0")];

		snprintf(ip, sizeof(ip), "10.0.%u.0", i);
		c->w.peer[i] = (struct lb_peer_spec){ .name = STR("p"), .slot = (uint16_t)i };
		c->w.prefix[i] = (struct lb_prefix){ .len = 96 + 24, .peer = (uint16_t)i };
		memcpy(c->w.prefix[i].ip, world_ip4(ip, 0).ip, 16);
	}
	for (unsigned i = 0; i < gateways; i++)
		world_gateway(&c->w, 0, 1, 0);
	crowd_build(c);
	c->g = world_governor(&c->w);
	push(c, c->w.now, GOVERNS, 0, 0);
}

void crowd_stop(struct crowd *c)
{
	free(c->heap);
	free(c->call);
	world_free(&c->w);
}

static void happen(struct crowd *c, const struct crowd_event *e)
{
	struct caller *p = &c->caller[e->who];

	switch (e->kind) {
	case ARRIVES:
		make_call(c, e->who);
		push(c, e->at + exponential(c, p->rate), ARRIVES, e->who, 0);
		break;
	case BURSTS:
		for (unsigned i = 0; i < p->burst; i++)
			make_call(c, e->who);
		push(c, e->at + LB_STEP_NS, BURSTS, e->who, 0);
		break;
	case CALLS:
		make_call(c, e->who);
		break;
	case ENDS:
		end_call(c, e->who, e->n);
		break;
	case GOVERNS:
		if (c->g)
			lb_govern(c->g, c->w.snap, c->w.now, NULL, 0);
		push(c, e->at + LB_STEP_NS, GOVERNS, 0, 0);
		break;
	}
}

void crowd_run(struct crowd *c, double seconds)
{
	uint64_t end = c->w.now + (uint64_t)(seconds * 1e9);
	uint32_t kept = 0;

	for (uint32_t i = 0, n = c->n_heap; i < n; i++) { /* arrivals anew, as rates may have changed */
		if (c->heap[i].kind != ARRIVES && c->heap[i].kind != BURSTS)
			c->heap[kept++] = c->heap[i];
	}
	c->n_heap = 0;
	for (uint32_t i = 0; i < kept; i++)
		push(c, c->heap[i].at, c->heap[i].kind, c->heap[i].who, c->heap[i].n);
	for (unsigned i = 0; i < c->n; i++) {
		if (c->caller[i].burst)
			push(c, c->w.now + SECOND / 1000, BURSTS, i, 0);
		else if (c->caller[i].rate > 0)
			push(c, c->w.now + exponential(c, c->caller[i].rate), ARRIVES, i, 0);
	}
	while (c->heap[0].at <= end) {
		struct crowd_event e = pop(c);

		c->w.now = e.at > c->w.now ? e.at : c->w.now;
		happen(c, &e);
	}
	c->w.now = end;
}

void crowd_flash(struct crowd *c, unsigned who, unsigned n, double seconds)
{
	for (unsigned i = 0; i < n; i++)
		push(c, c->w.now + (uint64_t)(seconds * 1e9 * i / n), CALLS, who, 0);
}

void crowd_count(struct crowd *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct caller *p = &c->caller[i];

		p->asked = p->admitted = p->refused = p->told_s = p->most_told_s = 0;
	}
}

double crowd_jain(const struct crowd *c, unsigned n, bool calls)
{
	double sum = 0, squares = 0;

	for (unsigned i = 0; i < n; i++) {
		double x = calls ? c->caller[i].calls : (double)c->caller[i].admitted;

		sum += x;
		squares += x * x;
	}
	return sum * sum / (n * squares);
}

uint64_t crowd_admitted(const struct crowd *c)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < c->n; i++)
		sum += c->caller[i].admitted;
	return sum;
}
