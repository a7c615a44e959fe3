/* SPDX-License-Identifier: BSD-3-Clause */
/* The network of the overload laboratory: a fifth of a millisecond each way, a little jitter, some loss. */
#include "bench/sim_overload/lab.h"

#define DELAY  (150 * US)
#define JITTER (100 * US)

void lab_send(struct lab *l, const struct lab_msg *m)
{
	bool gateway = m->to == TO_GATEWAY || m->to == TO_WEIR_GATEWAY;
	uint32_t i;

	if (gateway && lab_now(l) < l->cut)
		return;
	if (gateway && l->scene->loss > 0 && chance(&l->base, l->scene->loss))
		return;
	i = pool_take(&l->msgs);
	*(struct lab_msg *)pool_at(&l->msgs, i) = *m;
	event_add(&l->base, lab_now(l) + DELAY + chance_span(&l->base, 0, JITTER), (enum event_kind)LAB_MSG,
		  i);
}

void lab_arrive(struct lab *l, uint32_t i)
{
	struct lab_msg m = *(struct lab_msg *)pool_at(&l->msgs, i);

	pool_give(&l->msgs, i);
	switch ((enum lab_to)m.to) {
	case TO_WEIR_CALLER:
	case TO_WEIR_GATEWAY:
		if (l->scene->direct)
			lab_direct(l, &m);
		else
			lab_weir_input(l, &m);
		break;
	case TO_GATEWAY:
		lab_gateway_request(l, &m);
		break;
	case TO_CALLER:
		lab_caller_response(l, &m);
		break;
	}
}
