/* SPDX-License-Identifier: BSD-3-Clause */
/* The less frequent part of lb/signals.h. */
#include "lb/signals.h"

#define READ_TRIES 8

/* ITU-T Q.850 causes that mean congestion of the switch or of what it has to give. */
static bool is_congestion(uint16_t q850)
{
	switch (q850) {
	case 34: /* no circuit or channel available */
	case 38: /* network out of order */
	case 41: /* temporary failure */
	case 42: /* switching equipment congestion */
	case 44: /* requested circuit or channel not available */
	case 47: /* resource unavailable, unspecified */
		return true;
	default:
		return false;
	}
}

bool signal_is_refusal(uint16_t status, uint16_t q850)
{
	if (status != 503 && status != 500 && status != 504)
		return false;
	return q850 == 0 || is_congestion(q850);
}

bool signal_read_oc(const struct signals *s, struct oc_signal *oc)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint32_t version = __atomic_load_n(&s->oc.version, __ATOMIC_ACQUIRE);

		if (version == 0)
			return false;
		*oc = (struct oc_signal){
			.version = version,
			.value = __atomic_load_n(&s->oc.value, __ATOMIC_RELAXED),
			.validity_ms = __atomic_load_n(&s->oc.validity_ms, __ATOMIC_RELAXED),
			.algo = __atomic_load_n(&s->oc.algo, __ATOMIC_RELAXED),
			.seq = __atomic_load_n(&s->oc.seq, __ATOMIC_RELAXED),
			.heard = __atomic_load_n(&s->oc.heard, __ATOMIC_RELAXED),
		};
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (version % 2 == 0 && __atomic_load_n(&s->oc.version, __ATOMIC_RELAXED) == version)
			return true;
	}
	return false;
}
