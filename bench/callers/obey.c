/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What peers are told about load and what they make of it. A held target gets nothing new; emergency calls
 * are not exempt here: a peer that goes silent goes silent for them too, which is what the measurement shall
 * show.
 */
#include "bench/callers/callers.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_VALIDITY (500 * MS) /* RFC 7339 4.3 */
#define BURST            5          /* requests; TAU = 4 T (RFC 7415 3.5.1) */

static void refill(struct world *w, struct told *t)
{
	t->tokens += (double)(w->now - t->counted) / 1e9 * t->oc_value;
	t->tokens = t->tokens > BURST ? BURST : t->tokens;
	t->counted = w->now;
}

void obey_charge(struct world *w, struct peer *p, uint32_t target)
{
	struct told *t = &p->told[target];

	if (t->oc_until <= w->now || !t->oc_is_rate)
		return;
	refill(w, t);
	t->tokens -= 1; /* it goes whatever was told; new calls wait for it */
}

/* May one more call go to this target? */
static bool oc_allows(struct world *w, struct told *t)
{
	if (t->oc_until <= w->now)
		return true;
	if (!t->oc_is_rate)
		return kit_unit(&w->draw) * 100 > t->oc_value;
	refill(w, t);
	return t->tokens >= 1; /* charged when it is sent */
}

uint32_t obey_target(struct world *w, struct peer *p)
{
	uint32_t first = (uint32_t)(kit_bits(&w->draw) % w->n_targets);

	for (uint32_t i = 0; i < w->n_targets; i++) {
		uint32_t target = (first + i) % w->n_targets;

		if (p->told[target].hold_until > w->now)
			continue;
		return oc_allows(w, &p->told[target]) ? target : w->n_targets;
	}
	return w->n_targets;
}

static double decimal(struct kit_text text)
{
	char copy[32] = "";

	memcpy(copy, text.p, text.n < sizeof(copy) - 1 ? text.n : sizeof(copy) - 1);
	return strtod(copy, NULL);
}

/* RFC 7339 4.1 .. 4.4, 5.7: a newer sequence number replaces what was told before. */
static void obey_oc(struct world *w, struct peer *p, struct told *t, const struct kit_sip *m)
{
	struct kit_text oc = kit_param(m->via, "oc"), seq = kit_param(m->via, "oc-seq"),
			validity = kit_param(m->via, "oc-validity"), algo = kit_param(m->via, "oc-algo");

	if (!p->plan.oc || oc.n == 0 || seq.n == 0)
		return;
	p->oc_heard++;
	if (decimal(oc) > p->oc_max)
		p->oc_max = decimal(oc);
	if (decimal(seq) <= t->oc_seq)
		return;
	t->oc_seq = decimal(seq);
	t->oc_value = decimal(oc);
	t->oc_is_rate = algo.n >= 4 && memmem(algo.p, algo.n, "rate", 4);
	t->oc_until = w->now + (validity.n ? kit_number(validity) * MS : DEFAULT_VALIDITY);
}

void obey_response(struct world *w, struct peer *p, uint32_t target, const struct kit_sip *m)
{
	struct told *t = &p->told[target];
	uint32_t seconds = kit_number(m->retry_after);

	obey_oc(w, p, t, m);
	if (m->retry_after.n == 0)
		return;
	if (p->retry_after_heard++ == 0 || seconds < p->retry_after_min)
		p->retry_after_min = seconds;
	if (seconds > p->retry_after_max)
		p->retry_after_max = seconds;
	if (m->status == 503 && p->plan.obeys == OBEYS_HOLD)
		t->hold_until = w->now + seconds * S;
}
