/* SPDX-License-Identifier: BSD-3-Clause */
/* Probes of one gateway: schedule, deadline, results. Pure; see probe.h. */
#include "control/probe.h"

void probe_init(struct probe *p, const struct probe_rules *rules, uint64_t phase, uint64_t now)
{
	*p = (struct probe){ 0 };
	p->grid = now - now % rules->interval + phase % rules->interval;
	if (p->grid < now)
		p->grid += rules->interval;
	p->next = p->grid;
}

uint64_t probe_wake(const struct probe *p)
{
	return p->open ? p->deadline : p->next;
}

bool probe_due(const struct probe *p, uint64_t now)
{
	return !p->open && now >= p->next;
}

static struct ctl_probe *newest(struct probe *p)
{
	return &p->ring[(p->total - 1) % CTL_PROBES];
}

/* Records a probe and moves the grid past `now`; the jitter does not add up, because the grid carries none.
 */
static struct ctl_probe *record(struct probe *p, const struct probe_rules *rules, uint64_t now,
				uint32_t random)
{
	p->total++;
	*newest(p) = (struct ctl_probe){ .sent = now };
	p->grid += (now - p->grid) / rules->interval * rules->interval + rules->interval;
	p->next = p->grid + (uint64_t)random * (rules->interval / 10) / UINT32_MAX;
	return newest(p);
}

void probe_sent(struct probe *p, const struct probe_rules *rules, uint64_t now, uint32_t random)
{
	record(p, rules, now, random)->end = CTL_PROBE_WAITING;
	p->open = true;
	p->deadline = now + rules->timeout;
}

void probe_unsent(struct probe *p, const struct probe_rules *rules, uint64_t now, uint32_t random)
{
	record(p, rules, now, random)->end = CTL_PROBE_UNSENT;
}

bool probe_answered(struct probe *p, uint64_t at, uint16_t status)
{
	struct ctl_probe *last = newest(p);

	if (!p->open || at > p->deadline)
		return false;
	p->open = false;
	last->end = CTL_PROBE_ANSWERED;
	last->status = status;
	last->rtt_ns = at > last->sent ? at - last->sent : 0;
	p->failures = 0;
	p->successes++;
	return true;
}

bool probe_expired(struct probe *p, uint64_t now)
{
	if (!p->open || now < p->deadline)
		return false;
	p->open = false;
	newest(p)->end = CTL_PROBE_TIMEOUT;
	p->successes = 0;
	p->failures++;
	return true;
}

uint64_t probe_last(const struct probe *p)
{
	return p->total ? p->ring[(p->total - 1) % CTL_PROBES].sent : 0;
}

void probe_void(struct probe *p)
{
	if (!p->open)
		return;
	p->open = false;
	newest(p)->end = CTL_PROBE_UNSENT;
}

uint32_t probe_history(const struct probe *p, struct ctl_probe out[CTL_PROBES])
{
	uint32_t n = p->total < CTL_PROBES ? p->total : CTL_PROBES;

	for (uint32_t i = 0; i < n; i++)
		out[i] = p->ring[(p->total - 1 - i) % CTL_PROBES];
	return n;
}
