/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Callers and gateways without Weir, for comparison: every call goes to a gateway by chance. A peer that
 * obeys Retry-After sends a gateway that has refused nothing for so long, and calls another one meanwhile.
 */
#include "bench/sim_overload/lab.h"

static uint16_t choose(struct lab *l, const struct lab_call *c)
{
	uint32_t n = l->scene->gateways, first = (uint32_t)chance_span(&l->base, 0, n);

	for (uint32_t i = 0; i < n; i++) {
		uint16_t gw = (uint16_t)((first + i) % n);

		if (lab_now(l) >= l->held_off[gw][c->peer])
			return gw;
	}
	return LB_NONE;
}

static void request(struct lab *l, struct lab_call *c, struct lab_msg m)
{
	if (m.method == METHOD_INVITE && !c->sent) {
		c->gw = choose(l, c);
		c->sent = 1;
		if (c->gw != LB_NONE)
			lab_tick(l)->admitted++;
	}
	if (c->gw != LB_NONE) {
		m.to = TO_GATEWAY;
		m.gw = c->gw;
	} else if (m.method == METHOD_INVITE) {
		m = (struct lab_msg){
			.to = TO_CALLER, .method = METHOD_INVITE, .call = m.call, .status = 503
		};
	} else {
		return;
	}
	lab_send(l, &m);
}

void lab_direct(struct lab *l, const struct lab_msg *m)
{
	struct lab_call *c = lab_call(l, m->call);
	struct lab_msg out = *m;

	if (!c)
		return;
	if (m->request) {
		request(l, c, out);
		return;
	}
	if (m->status == 503)
		l->held_off[m->gw][c->peer] = lab_now(l) + (uint64_t)(l->scene->hold_off_s * 1e9);
	out.to = TO_CALLER;
	lab_send(l, &out);
}
