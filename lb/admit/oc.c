/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is told and heard of overload in Vias. Must stay true: every response to a client that asks tells a
 * value, an algorithm, its validity and a sequence that never falls; what a gateway says counts only if it
 * was asked and is newer than what it said before. Worker.
 */
#include "lb/admit/oc.h"

/* No response is on its way for longer than a transaction lasts: 64 * T1. */
#define OC_STALE_NS UINT64_C(32000000000)

void oc_tell_peer(struct lb_act *act, struct lb_words *words, const struct lb_snapshot *s, uint16_t peer)
{
	uint64_t told = 0, *word;

	if (peer != LB_NONE) {
		word = &words->peer[s->peers[peer].slot].told;
		told = __atomic_load_n(word, __ATOMIC_RELAXED);
		if (!(told & TOLD_ASKED))
			__atomic_fetch_or(word, TOLD_ASKED, __ATOMIC_RELAXED);
	}
	act->oc.algo = LB_OC_LOSS;
	act->oc.value = told & TOLD_VALUE;
	act->oc.validity_ms = act->oc.value ? OC_TOLD_MS : 0;
	act->oc.seq = told >> 8;
	if (act->oc.seq == 0)
		act->oc.seq = __atomic_load_n(&words->node.oc_start_ms, __ATOMIC_RELAXED);
	act->oc.seq *= OC_SEQ_MS;
}

bool oc_is_news(uint64_t seq, uint64_t last, uint64_t age)
{
	if (seq == 0 || last == 0 || seq > last) /* 0: it says none, as in an example of RFC 7339 */
		return true;
	return seq < last / 2 || (seq < last && age > OC_STALE_NS);
}

void oc_hear(struct lb_worker *w, const struct gateway *g, const struct lb_oc *oc, uint64_t now)
{
	const struct oc_signal *last = &w->signals->at[g->slot].oc;
	uint64_t age = now - last->heard;

	if (!g->oc || oc->algo & LB_OC_BROKEN) {
		st_gateway_inc(w->lane, g->slot, ST_GW_OC_IGNORED);
		return;
	}
	if (last->version && oc->seq && oc->seq == last->seq) /* RFC 7339 4.4: nothing new */
		return;
	if (last->version && !oc_is_news(oc->seq, last->seq, age)) {
		st_gateway_inc(w->lane, g->slot, ST_GW_OC_STALE);
		return;
	}
	st_gateway_inc(w->lane, g->slot, ST_GW_OC_HEARD);
	signal_oc(signal_of(w->signals, g->slot, now), oc->algo, oc->value, oc->validity_ms, oc->seq, now);
}
