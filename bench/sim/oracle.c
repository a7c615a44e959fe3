/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The truth, kept by the gateways themselves, against what Weir believes. A call is up at a gateway from the
 * ACK that reaches it until it sends or gets a BYE, or crashes; as the calling side from the 2xx. An answer
 * too many, which the caller acknowledges and ends in one breath (RFC 3261 13.2.2.4), is no call. As long as
 * it is up, Weir must have a place there for just this call; so this is looked at when it begins and when it
 * ends, for what was given back in between is given back for ever. What Weir's own crash took from it is for
 * the survivors.
 */
#include "bench/sim/sim.h"

#define SHOWN 40 /* faults that are printed */

void oracle_fault(struct sim *s, uint64_t *count, uint64_t call_id, const char *what, int64_t n)
{
	(*count)++;
	if (report_faults(s) <= SHOWN)
		fprintf(stderr, "sim: %.6f s, call %llu: %s %lld\n", (double)s->now / 1e9,
			(unsigned long long)call_id >> 24, what, (long long)n);
}

/* ---- Counts against the truth -------------------------------------------------------------------------- */

static void compare(struct sim *s, uint32_t g)
{
	int64_t below = s->gw[g].up - (int64_t)weir_calls(s, g);
	int64_t old = s->gw[g].up_old - (int64_t)weir_survivors(s, g);

	s->worst = below > s->worst ? below : s->worst;
	s->worst_crash = old > s->worst_crash ? old : s->worst_crash;
	if (below > 0 && below > s->gw[g].below)
		oracle_fault(s, &s->bad.undercount, 0, "count below the truth at gateway", g);
	s->gw[g].below = below;
}

void oracle_counts(struct sim *s)
{
	for (uint32_t g = 0; g < s->n_gw; g++)
		compare(s, g);
}

static void add(struct sim *s, uint32_t g, bool old, int n)
{
	if (old)
		s->gw[g].up_old += n;
	else
		s->gw[g].up += n;
	compare(s, g);
}

static void must_hold(struct sim *s, const struct sim_call *c, const struct leg *l, uint16_t gw,
		      const char *when)
{
	if (!(c->flags & SIM_HIT) && !weir_holds(s, c, &l->inv, gw))
		oracle_fault(s, &s->bad.released_alive, c->id, when, gw);
}

void oracle_leg(struct sim *s, struct leg *l)
{
	const struct sim_call *c = call_at(s, l->call);
	uint8_t up = 0;

	for (unsigned i = 0; i < l->forks; i++)
		up |= l->d[i].side[1].state == SIDE_UP && l->d[i].talks && !l->d[i].cut;
	if (up == l->up)
		return;
	l->up = up;
	if (up)
		l->was_old = (c->flags & SIM_HIT) != 0;
	must_hold(s, c, l, l->gw,
		  up ? "no place for a call that is up at gateway"
		     : "place given back before the end at gateway");
	add(s, l->gw, l->was_old, up ? 1 : -1);
}

void oracle_in(struct sim *s, struct sim_call *c)
{
	const struct leg *which = NULL;
	uint8_t up = 0;

	if (c->gw == LB_NONE)
		return;
	for (uint32_t i = c->leg; i != NONE; i = leg_at(s, i)->next) {
		const struct leg *l = leg_at(s, i);

		which = which ? which : l;
		for (unsigned k = 0; k < l->forks; k++) {
			which = l->d[k].side[0].state == SIDE_UP ? l : which;
			up |= l->d[k].side[0].state == SIDE_UP && !l->d[k].cut;
		}
	}
	if (up == c->in_up || !which)
		return;
	c->in_up = up;
	if (up) {
		c->in_old = (c->flags & SIM_HIT) != 0;
		must_hold(s, c, which, c->gw, "no place for a call that is up at calling gateway");
	}
	add(s, c->gw, c->in_old, up ? 1 : -1);
}

/* Weir gives the place back some time after the BYE, and the other side hears of nothing. */
void oracle_cut(struct sim *s, const struct where *at)
{
	const struct side *side = &at->d->side[at->side], *other = &at->d->side[!at->side];
	const struct txn *t = side->txn == NONE ? NULL : txn_at(s, side->txn);

	if (!t || t->m.method != METHOD_BYE || t->state == TXN_DONE || other->state != SIDE_UP || at->d->cut)
		return;
	at->d->cut = 1;
	s->f.cut_byes++;
	oracle_leg(s, at->l);
	oracle_in(s, at->c);
}

/* All that is up now is for the survivors. */
void oracle_hit(struct sim *s)
{
	for (uint32_t i = 0; i < s->calls.n_chunks * POOL_CHUNK; i++) {
		struct sim_call *c = call_at(s, i);

		if (!c->id)
			continue;
		c->flags |= SIM_HIT;
		s->f.hit++;
		if (c->in_up && !c->in_old) {
			c->in_old = 1;
			s->gw[c->gw].up--;
			s->gw[c->gw].up_old++;
		}
		for (uint32_t k = c->leg; k != NONE; k = leg_at(s, k)->next) {
			struct leg *l = leg_at(s, k);

			if (!l->up || l->was_old)
				continue;
			l->was_old = 1;
			s->gw[l->gw].up--;
			s->gw[l->gw].up_old++;
		}
	}
	oracle_counts(s);
}

/* ---- Decisions ------------------------------------------------------------------------------------------
 */

void oracle_admitted(struct sim *s, uint64_t call_id, uint16_t gw)
{
	uint64_t in_use = (uint64_t)weir_calls(s, gw) + weir_survivors(s, gw);

	if (s->gw[gw].max_calls != LB_UNLIMITED && in_use > s->gw[gw].max_calls)
		oracle_fault(s, &s->bad.over_limit, call_id, "admitted past max-calls at gateway", gw);
}

/* RFC 3261 17.1.1: one final response; 16.7 lets further 2xx pass. */
void oracle_final(struct sim *s, const struct sim_call *c, struct txn *t, const struct msg *m, uint16_t gw)
{
	if (c->flags & SIM_HIT)
		return;
	if (m->status < 300) {
		s->f.late_2xx += t->final != 0;
		s->f.doubles += t->answered && t->answered_by != gw;
		t->answered = 1;
		t->answered_by = gw;
		return;
	}
	if (t->final && (t->final != m->status || !tag_eq(&t->final_to, &m->to)))
		oracle_fault(s, &s->bad.two_finals, c->id, "another final response", m->status);
	t->final = m->status;
	t->final_to = m->to;
}

static struct txn *invite_of(struct sim *s, const struct msg *m)
{
	struct sim_call *c = net_call(s, m);
	uint32_t i = txn_find(s, m);

	return !c || c->flags & SIM_HIT || i == NONE ? NULL : txn_at(s, i);
}

/* In dialog Weir keeps no state (16.11): there a gateway that crashed after its 2xx may well say 481 then. */
void oracle_accepted(struct sim *s, const struct msg *m)
{
	struct txn *t = invite_of(s, m);

	if (t && t->m.to.n == 0)
		t->accepted = 1;
}

/* RFC 3261 16.7, step 5: after a 2xx no other final response; what the network reorders is its affair. */
void oracle_refused(struct sim *s, const struct msg *m)
{
	const struct txn *t = m->method == METHOD_INVITE && m->status >= 300 ? invite_of(s, m) : NULL;

	if (t && t->accepted)
		oracle_fault(s, &s->bad.two_finals, m->call_id, "refused after it was answered, with",
			     m->status);
}

void oracle_retry(struct sim *s, const struct msg *m)
{
	const struct txn *t = invite_of(s, m);

	if (t && t->accepted)
		oracle_fault(s, &s->bad.after_2xx, m->call_id,
			     "another gateway is asked though one has answered", 0);
}

/* ---- The end --------------------------------------------------------------------------------------------
 */

void oracle_end(struct sim *s)
{
	uint64_t left = weir_left_over(s);

	if (left)
		oracle_fault(s, &s->bad.stuck, 0, "Weir has left over", (int64_t)left);
	if (s->calls.in_use)
		oracle_fault(s, &s->bad.stuck, 0, "the simulator has calls left over", s->calls.in_use);
	for (uint32_t g = 0; g < s->n_gw; g++) {
		if (s->gw[g].up || s->gw[g].up_old)
			oracle_fault(s, &s->bad.stuck, 0, "calls are up at gateway", g);
	}
	s->bad.drift += weir_count(s, ST_CALL_DRIFT);
	s->bad.misread += weir_count(s, ST_TOKEN_BAD);
}
