/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The governor's frame: its memory, and the order of what one step does. Control. Must stay true: nothing
 * here is needed to forward a message; a step that comes late or never leaves the words as they are.
 */
#include "lb/govern/governor.h"

#define LATE_NS (20 * (uint64_t)LB_STEP_NS) /* after such a gap nothing is measured */

/* The order of a step. */
static void (*const steps[])(struct lb_governor *) = {
	govern_read,        /* what the workers have noticed; who has to be looked at */
	govern_health,      /* who is there */
	govern_retry_after, /* who wants to be left alone for a while */
	govern_limits,      /* what each gateway may be given, as learned */
	govern_t1,          /* when INVITEs to it are sent again */
	govern_explicit,    /* what they ask for themselves */
	govern_apply,       /* all of that into the words */
	govern_pools,       /* what follows from that for pools as a whole */
	govern_shares,      /* who may have how much of a pool that is short */
	govern_short,       /* which pools lack gateways for what comes, for the operator */
	govern_told,        /* when those who were refused are to come again */
	govern_clients,     /* what callers that ask are told about our load */
};

/* ---- Memory -------------------------------------------------------------------------------------------- */

static size_t align64(size_t n)
{
	return (n + 63) / 64 * 64;
}

static size_t stamps_size(uint32_t n_slots, uint32_t n_workers)
{
	return align64((size_t)n_workers * ((n_slots + SIGNAL_GROUP - 1) / SIGNAL_GROUP) * 2 *
		       sizeof(uint32_t));
}

size_t lb_governor_size(uint32_t n_slots, uint32_t n_workers)
{
	return align64(sizeof(struct lb_governor)) + align64(n_slots * sizeof(struct governed)) +
	       stamps_size(n_slots, n_workers) + align64(n_slots * sizeof(uint16_t));
}

struct lb_governor *lb_governor_init(void *mem, uint32_t n_slots, struct lb_words *words,
				     const struct lb_worker *const *workers, uint32_t n_workers, uint64_t now)
{
	struct lb_governor *g = mem;
	char *at = (char *)mem + align64(sizeof(*g));

	memset(mem, 0, lb_governor_size(n_slots, n_workers));
	g->words = words;
	g->n_slots = n_slots;
	g->n_workers = n_workers;
	for (uint32_t i = 0; i < n_workers; i++)
		g->workers[i] = workers[i];
	g->now = g->hearing = g->born = now;
	g->at = (struct governed *)at;
	at += align64(n_slots * sizeof(struct governed));
	g->stamps = (uint32_t *)at;
	at += stamps_size(n_slots, n_workers);
	g->awake = (uint16_t *)at;
	return g;
}

/* ---- A step -------------------------------------------------------------------------------------------- */

void governed_start(struct lb_governor *g, struct governed *at, const struct gateway *gw)
{
	health_init(&at->h, lb_get_health(g->words, gw->slot), g->now);
	at->l.cap = at->l.rate = INFINITY; /* limit.c starts its law */
	explicit_start(&at->x, g->now);
	retry_after_start(&at->ra);
}

unsigned lb_govern(struct lb_governor *g, const struct lb_snapshot *s, uint64_t now,
		   struct lb_notice *notices, unsigned max)
{
	bool jumped = now <= g->now || now - g->now > LATE_NS;

	g->dt = jumped ? 0 : (double)(now - g->now) * 1e-9;
	g->now = now;
	g->s = s;
	g->notices = notices;
	g->n_notices = 0;
	g->max_notices = max;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		steps[i](g);
	return g->n_notices;
}
