/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Overload control as a server (RFC 7339, RFC 7415): who its clients are, and what they are told in their
 * Via. What is wanted of them is kit/oc.c's. Only clients that say a bare `oc` are told.
 */
#include "bench/gwsim/gwsim.h"

#include <string.h>

#define EVERY ((uint64_t)(KIT_OC_EVERY_S * S))
#define KNOWN (10 * S) /* a client that has said nothing for so long shares no more */

void gw_oc_start(struct gw *g)
{
	g->oc.timer.kind = TIMER_OC;
	kit_arm(&g->sim->heap, &g->oc.timer, g->sim->now + EVERY);
}

void gw_oc_client(struct gw *g, const union kit_addr *from)
{
	struct kit_text address = { (const char *)&from->in.sin_addr, sizeof(from->in.sin_addr) };
	uint64_t who;
	uint32_t oldest = 0;

	if (from->sa.sa_family == AF_INET6)
		address =
			(struct kit_text){ (const char *)&from->in6.sin6_addr, sizeof(from->in6.sin6_addr) };
	who = kit_hash(address) | 1;

	for (uint32_t i = 0; i < MAX_CLIENTS; i++) {
		if (g->oc.client[i].who == who) {
			g->oc.client[i].last = g->sim->now;
			return;
		}
		if (g->oc.client[i].last < g->oc.client[oldest].last)
			oldest = i;
	}
	g->oc.client[oldest].who = who;
	g->oc.client[oldest].last = g->sim->now;
}

uint32_t gw_oc_clients(const struct gw *g)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < MAX_CLIENTS; i++)
		n += g->oc.client[i].who && g->sim->now - g->oc.client[i].last < KNOWN;
	return n ? n : 1;
}

void gw_oc_timer(struct gw *g)
{
	struct gw_oc *o = &g->oc;
	double capacity = g->set.servers * 1e9 / (double)g->set.service;
	struct kit_oc_seen seen = {
		.invites = (double)(g->count[GW_arrivals] - o->seen),
		.requests = (double)(g->count[GW_requests] - o->seen_requests),
		.capacity = capacity,
		.delay = g->waiting / capacity,
		.target = (double)g->set.oc_delay / S,
		.clients = gw_oc_clients(g),
	};

	o->seen = g->count[GW_arrivals];
	o->seen_requests = g->count[GW_requests];
	o->active = kit_oc_step(&o->want, g->set.oc, &seen);
	o->seq = g->sim->now;
	kit_arm(&g->sim->heap, &o->timer, g->sim->now + EVERY);
}

void gw_oc_say(struct gw *g, const struct gw_head *h, struct kit_writer *w)
{
	const struct gw_oc *o = &g->oc;
	bool active = o->active && (g->set.oc == KIT_OC_LOSS || h->rate);

	if (g->set.oc == KIT_OC_OFF) {
		kit_say(w, ";oc"); /* as it came: no support */
		return;
	}
	kit_say(w, ";oc=%u;oc-algo=\"%s\";oc-validity=%u;oc-seq=%llu.%05llu", active ? o->want.value : 0,
		g->set.oc == KIT_OC_RATE && h->rate ? "rate" : "loss", active ? KIT_OC_VALID_MS : 0,
		(unsigned long long)(o->seq / S), (unsigned long long)(o->seq % S / 10000));
}
