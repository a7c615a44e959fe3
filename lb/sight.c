/* SPDX-License-Identifier: BSD-3-Clause */
/* What other threads see of a worker's counted calls, while it goes on. Any thread; writes nothing. */
#include "lb/call/call.h"
#include "lb/worker.h"

uint32_t lb_call_tag(uint64_t call_hash)
{
	return call_tag(call_hash);
}

uint32_t lb_call_count(const struct lb_worker *w)
{
	return __atomic_load_n(&w->calls.in_use, __ATOMIC_RELAXED);
}

uint32_t lb_setup_count(const struct lb_worker *w)
{
	return __atomic_load_n(&w->setups.in_use, __ATOMIC_RELAXED);
}

uint32_t lb_setup_limit(const struct lb_worker *w)
{
	return w->setups.n;
}

uint32_t lb_call_limit(const struct lb_worker *w)
{
	return w->calls.spec.n;
}

/* Milliseconds from `then` to `now`; the clocks of two threads may differ by some. */
static uint32_t since(uint32_t then, uint32_t now)
{
	return (int32_t)(now - then) > 0 ? now - then : 0;
}

bool lb_call_read(const struct lb_worker *w, uint32_t i, uint64_t now, struct lb_call *call)
{
	static const enum lb_call_state states[] = {
		[CALL_SETUP] = LB_CALL_SETUP, [CALL_ANSWERED] = LB_CALL_ANSWERED, [CALL_HOLD] = LB_CALL_LEFT
	};
	uint32_t t = call_ms(now);
	struct call e;

	if (!call_read(&w->calls, i, &e))
		return false;
	*call = (struct lb_call){
		.state = states[e.state],
		.tag = e.tag,
		.in = e.in,
		.out = e.out,
		.peer = e.peer,
		.counts_in = e.counts_in,
		.dialogs = (uint8_t)__builtin_popcount(e.alive | e.more << CALL_DIALOGS),
		.age_ms = since(e.created, t),
	};
	if (e.state == CALL_ANSWERED) {
		call->answered_ms = since(e.answered, t);
		call->session_ms = e.end ? since(t, e.end) : 0;
	}
	return true;
}

void lb_audit(const struct lb_worker *w, uint32_t *gateways, uint32_t *peers)
{
	for (uint32_t i = 0; i < w->calls.spec.n; i++) {
		struct call e;

		if (!call_read(&w->calls, i, &e))
			continue;
		if (e.counts_in)
			gateways[e.in]++;
		if (e.out != LB_NONE)
			gateways[e.out]++;
		if (e.peer != LB_NONE)
			peers[e.peer]++;
	}
}

/* True if the branch has one of its gateway's `open` that the gateway's going down has not forgotten. */
static bool is_open(const struct lb_worker *w, const struct client *c)
{
	return __atomic_load_n(&c->flags, __ATOMIC_RELAXED) & CLIENT_OPEN &&
	       c->life == __atomic_load_n(&w->words->gateway[c->gateway].life, __ATOMIC_RELAXED);
}

void lb_audit_open(const struct lb_worker *w, uint32_t *open)
{
	for (uint32_t i = 0; i < w->setups.n; i++) {
		const struct setup *u = &w->setups.at[i];

		unsigned n = __atomic_load_n(&u->n, __ATOMIC_RELAXED);

		/* those of free setups have given theirs back; most were never used, and cost one line */
		for (unsigned k = 0; k < n && k < LIMIT_BRANCHES; k++) {
			if (is_open(w, &u->client[k]))
				open[u->client[k].gateway]++;
		}
	}
}
