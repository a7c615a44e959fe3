/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Overload control as a server: tells its clients what part of their requests to keep (loss, RFC 7339) or how
 * many a second it wants of them (rate, RFC 7415: of all requests, so a call counts with its ACK and BYE).
 * Ten times a second: it wants its capacity, more while the queue is shorter than oc-delay, less while it is
 * longer. Only clients that say a bare `oc` are told.
 */
#include "bench/gwsim/gwsim.h"

#include <string.h>

#define EVERY    (100 * MS)
#define GAIN     0.3        /* of one update in what is smoothed */
#define SLOW     0.98       /* what an update leaves of slow sums */
#define HORIZON  (500 * MS) /* a queue that is too long shall be worked off within this */
#define HOLD     (2 * S)    /* control goes on so long after it was last needed */
#define VALIDITY 1000       /* ms */
#define KNOWN    (10 * S)   /* a client that has said nothing for so long shares no more */

void gw_oc_start(struct gw *g)
{
	g->oc.timer.kind = TIMER_OC;
	g->oc.let = 1;
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

/* What has come since the last update, smoothed; and what part of it clients were let send meanwhile, alike.
 */
static void measure(struct gw *g)
{
	struct gw_oc *o = &g->oc;
	double invites = (double)(g->count[GW_arrivals] - o->seen),
	       requests = (double)(g->count[GW_requests] - o->seen_requests);

	o->arrivals += GAIN * (invites * ((double)S / EVERY) - o->arrivals);
	o->invites = SLOW * o->invites + invites;
	o->requests = SLOW * o->requests + requests;
	o->let += GAIN * (1 - o->loss - o->let);
	o->seen = g->count[GW_arrivals];
	o->seen_requests = g->count[GW_requests];
}

void gw_oc_timer(struct gw *g)
{
	struct gw_oc *o = &g->oc;
	double capacity = g->set.servers * 1e9 / (double)g->set.service;
	double delay = g->waiting * 1e9 / capacity; /* ns */
	double wanted = 1 + ((double)g->set.oc_delay - delay) / (double)HORIZON;
	double offered, each;

	measure(g);
	wanted = capacity * (wanted < 0.1 ? 0.1 : wanted);
	offered = o->arrivals / o->let;
	if (offered > 0.9 * wanted)
		o->active = g->sim->now + HOLD;
	if (g->set.oc == OC_LOSS) {
		o->loss = offered > wanted ? 1 - wanted / offered : 0;
		o->value = (uint32_t)(100 * o->loss + 0.5);
		o->value = o->value > 99 ? 99 : o->value;
		o->loss = o->value / 100.0; /* what clients are told */
	} else {
		o->loss = 0;
		each = o->invites >= 1 ? o->requests / o->invites : 3;
		o->value = (uint32_t)(wanted * (each > 1 ? each : 1) / gw_oc_clients(g) + 0.5);
	}
	o->seq = g->sim->now;
	kit_arm(&g->sim->heap, &o->timer, g->sim->now + EVERY);
}

void gw_oc_say(struct gw *g, const struct gw_head *h, struct kit_writer *w)
{
	const struct gw_oc *o = &g->oc;
	bool active = o->active > g->sim->now && (g->set.oc == OC_LOSS || h->rate);

	if (g->set.oc == OC_OFF) {
		kit_say(w, ";oc"); /* as it came: no support */
		return;
	}
	kit_say(w, ";oc=%u;oc-algo=\"%s\";oc-validity=%u;oc-seq=%llu.%05llu", active ? o->value : 0,
		g->set.oc == OC_RATE && h->rate ? "rate" : "loss", active ? VALIDITY : 0,
		(unsigned long long)(o->seq / S), (unsigned long long)(o->seq % S / 10000));
}
