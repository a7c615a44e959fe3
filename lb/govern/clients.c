/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Step: what callers that ask for overload control are told (RFC 7339 5.10): the part of what they would send
 * that Weir has to refuse, over all pools. A caller that does as it is told sends less, and so is refused
 * less; what it is told is therefore made of what it was told before and of what is still refused, and comes
 * down by itself when nothing is. Control. Must stay true: as long as somebody is to withhold something, the
 * sequence number grows with each step, so that the value is renewed (RFC 7339 4.4); nobody is told to send
 * nothing.
 */
#include "lb/govern/governor.h"
#include "lb/admit/oc.h"

#define FADE      0.8  /* of what was counted before that is left after a step */
#define ENOUGH    5    /* recent requests that tell something */
#define TOO_MUCH  0.08 /* share refused that is too much; with less, gateways stand idle between arrivals */
#define GAIN      0.25 /* part of the share refused that one step takes away */
#define GROW      0.01 /* growth after one calm step, and for each more, */
#define GROW_MOST 0.08 /* up to this: from a tenth back to all in 3 s */
#define LEAST     0.01 /* part that is always sent: else nobody would see that there is room again */

static uint64_t counted(const struct lb_governor *g, uint16_t slot, enum st_peer_counter id)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < g->n_workers; i++)
		sum += st_cell_read(&g->workers[i]->lane->peers[slot].count[id]);
	return sum;
}

/* Takes in what came since the step before; the first time there is nothing to compare it with. */
static void take_in(const struct lb_governor *g, uint16_t slot, struct oc_client *c)
{
	uint64_t requests = counted(g, slot, ST_PEER_REQUESTS);
	uint64_t refused = counted(g, slot, ST_PEER_REFUSED) + counted(g, slot, ST_PEER_LIMITED) +
			   counted(g, slot, ST_PEER_OVER_SHARE);

	if (!c->asks)
		*c = (struct oc_client){ .requests = requests, .refused = refused, .keep = 1, .asks = true };
	c->recent = c->recent * FADE + (double)(requests - c->requests);
	c->no = c->no * FADE + (double)(refused - c->refused);
	c->calm = refused == c->refused ? c->calm + 1 : 0;
	c->requests = requests;
	c->refused = refused;
}

static void move(struct oc_client *c)
{
	double share = c->recent >= ENOUGH ? c->no / c->recent : 0, grow = GROW * c->calm;

	if (share > 1)
		share = 1;
	if (share > TOO_MUCH)
		c->keep *= 1 - GAIN * share;
	else if (c->calm)
		c->keep *= 1 + (grow < GROW_MOST ? grow : GROW_MOST);
	c->keep = c->keep > 1 ? 1 : c->keep < LEAST ? LEAST : c->keep;
}

static void tell(struct lb_governor *g, uint16_t slot)
{
	struct oc_client *c = &g->client[slot];
	uint32_t percent;

	take_in(g, slot, c);
	if (g->dt > 0)
		move(c);
	percent = (uint32_t)(100 * (1 - c->keep) + 0.5);
	if (percent || c->told)
		lb_set_told(g->words, slot, percent,
			    lb_get_oc_start(g->words) + 1 + (g->now - g->born) / 1000000);
	c->told = percent;
}

void govern_clients(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->s->n_peers; i++) {
		if (lb_peer_asks(g->words, g->s->peers[i].slot))
			tell(g, g->s->peers[i].slot);
	}
}
