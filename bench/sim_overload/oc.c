/* SPDX-License-Identifier: BSD-3-Clause */
/* What gateways of the overload laboratory ask for by overload control (RFC 7339, RFC 7415), or pretend to.
 */
#include "bench/sim_overload/lab.h"

#define EVERY     ((uint64_t)(KIT_OC_EVERY_S * S))
#define AN_HOUR   3600000 /* ms */
#define QUEUE_FOR 0.6     /* times of service that calls may wait */

void lab_oc_start(struct lab *l)
{
	event_add(&l->base, lab_now(l) + EVERY, (enum event_kind)LAB_OC, 0);
}

void lab_oc_step(struct lab *l)
{
	double capacity = l->capacity / l->scene->gateways;

	for (uint32_t i = 0; i < l->scene->gateways; i++) {
		struct lab_gateway *g = &l->gw[i];
		struct kit_oc_seen seen = {
			.invites = g->news,
			.requests = g->requests,
			.capacity = capacity,
			.delay = g->waiting / capacity,
			.target = QUEUE_FOR * l->scene->service_s,
			.clients = 1,
		};

		g->oc_on = kit_oc_step(&g->oc, l->scene->oc, &seen);
		g->oc_at = lab_now(l);
		g->news = g->requests = 0;
	}
	lab_oc_start(l);
}

struct lb_oc lab_oc_says(const struct lab *l, uint16_t gw, uint8_t asked)
{
	const struct lab_gateway *g = &l->gw[gw];
	bool lies = gw == 0 && l->phase >= 1, on = g->oc_on;
	struct lb_oc oc = { .algo = l->scene->oc == KIT_OC_RATE ? LB_OC_RATE : LB_OC_LOSS,
			    .seq = g->oc_at / (S / LB_OC_SEQ_UNIT) };

	if (!l->scene->oc || !(asked & oc.algo))
		return (struct lb_oc){ 0 };
	if (lies && l->scene->trouble == TROUBLE_OC_FULL) {
		oc.value = oc.algo == LB_OC_RATE ? 0 : 100;
		oc.validity_ms = AN_HOUR;
		return oc;
	}
	if (lies && l->scene->trouble == TROUBLE_OC_IDLE)
		on = false;
	oc.value = on ? g->oc.value : 0;
	oc.validity_ms = on ? KIT_OC_VALID_MS : 0;
	return oc;
}
