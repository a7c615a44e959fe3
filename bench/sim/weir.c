/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Weir in the simulator: real words, snapshot, workers and lanes, and in place of dataplane/ a few lines that
 * make queries out of messages and messages out of actions. The worker that owns a Call-ID handles it, the
 * clock ticks every millisecond, and control's part is a list of figures published each second.
 */
#include <stdlib.h>
#include "bench/sim/sim.h"
#include "bench/sim/world.h"
#include "lb/worker.h"

static void *memory(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) / 64 * 64);

	if (!p) {
		fprintf(stderr, "sim: out of memory\n");
		exit(1);
	}
	return p;
}

static uint32_t owner(const struct weir *w, uint64_t call_hash)
{
	return (uint32_t)(((__uint128_t)call_hash * w->n_workers) >> 64);
}

/* ---- Message -> query ---------------------------------------------------------------------------------- */

static uint64_t hash64(const struct weir *w, uint64_t n)
{
	return lb_hash(&w->key, &n, sizeof(n));
}

static void query_request(const struct sim *s, const struct msg *m, struct lb_query *q)
{
	const struct weir *w = s->weir;
	const struct sim_call *c = net_call((struct sim *)s, m);

	q->reply_to = m->src;
	q->next = m->target;
	q->via_hash = hash64(w, m->via);
	q->loop_hash = (uint32_t)(q->call_hash ^ q->from_hash) + m->cseq * 31 + m->token_n;
	q->token = (struct str){ m->token, m->token_n };
	q->number = STR("+8212345678");
	q->host = STR("example.net");
	q->reliable = m->reliable;
	q->room = m->method == METHOD_INVITE && !(c && c->flags & SIM_NO_ROOM);
}

static void query_response(const struct sim *s, const struct msg *m, struct lb_query *q,
			   struct lb_contact *contact)
{
	q->status = m->status;
	q->via_to = m->via_addr;
	q->branch = (struct str){ m->branch, m->branch_n };
	q->session_s = m->session_s;
	q->room = m->method == METHOD_INVITE;
	if (m->status / 100 == 3 && m->target.port) {
		*contact = (struct lb_contact){ m->target, STR("sip:elsewhere@example.net") };
		q->contacts = contact;
		q->n_contacts = 1;
	}
}

static struct lb_query query(const struct sim *s, const struct msg *m, struct lb_contact *contact)
{
	const struct weir *w = s->weir;
	struct lb_query q = {
		.request = m->request,
		.method = m->method,
		.listener = (uint8_t)net_listener(&m->dst),
		.has_to_tag = m->to.n != 0,
		.src = m->src,
		.call_hash = hash64(w, m->call_id),
		.from_hash = lb_hash(&w->key, m->from.p, m->from.n),
		.cseq = m->cseq,
		.to_tag = { m->to.p, m->to.n },
	};

	if (m->lost) {
		q.lost = 1;
		q.via_to = m->via_addr;
		q.branch = (struct str){ m->branch, m->branch_n };
		return q;
	}
	if (m->to.n)
		q.to_hash = (uint32_t)lb_hash(&w->key, m->to.p, m->to.n);
	if (m->request)
		query_request(s, m, &q);
	else
		query_response(s, m, &q, contact);
	return q;
}

/* ---- Action -> message --------------------------------------------------------------------------------- */

static void set_tag(struct tag *t, const char *p, uint8_t n)
{
	t->n = n;
	memcpy(t->p, p, n);
}

static void leave(struct sim *s, struct msg *m, const struct lb_act *act)
{
	m->src = net_listener_addr(act->listener);
	m->dst = act->dst;
	net_send(s, m);
}

static void set_branch(struct msg *m, const struct lb_act *act)
{
	m->branch_n = act->branch_n;
	memcpy(m->branch, act->branch, act->branch_n);
}

/* A request on its way: our Via on top, our Route gone, our Record-Route in. */
static struct msg forwarded(const struct msg *m, const struct lb_act *act)
{
	struct msg out = *m;

	set_branch(&out, act);
	out.via_addr = m->src;
	out.token_n = act->token_n;
	memcpy(out.token, act->token, act->token_n);
	return out;
}

static struct msg answered(const struct msg *m, const struct lb_act *act)
{
	struct msg out = net_response(m, act->status, NULL);

	out.via_addr = m->src;
	out.branch_n = out.token_n = 0;
	if (act->to_tag_n && !out.to.n)
		set_tag(&out.to, act->to_tag, act->to_tag_n);
	out.target = act->contact;
	return out;
}

static struct kept *kept_at(struct sim *s, uint32_t worker, uint32_t handle)
{
	return &s->weir->kept[worker][handle];
}

static void keep(struct sim *s, uint32_t worker, uint32_t handle, const struct msg *m)
{
	struct kept *k = kept_at(s, worker, handle);

	s->weir->n_kept += !k->used;
	k->used = true;
	k->m = *m;
}

static void forget(struct sim *s, uint32_t worker, uint32_t handle)
{
	struct kept *k = kept_at(s, worker, handle);

	s->weir->n_kept -= k->used;
	k->used = false;
}

/* CANCEL, or ACK to the response in hand, of a branch of the kept INVITE. */
static struct msg hop(const struct msg *invite, const struct lb_act *act, const struct msg *response)
{
	struct msg out = *invite;

	set_branch(&out, act);
	out.via = 0;
	out.via_addr = (struct addr){ 0 };
	out.token_n = 0;
	out.method = METHOD_CANCEL;
	if (response) {
		out.method = METHOD_ACK;
		out.to = response->to;
	}
	return out;
}

static void forward(struct sim *s, uint32_t worker, const struct msg *m, const struct lb_act *act)
{
	struct msg out = *m;

	if (m->request) {
		out = forwarded(m, act);
	} else {
		out.branch_n = 0;
		if (act->keep_final)
			keep(s, worker, act->kept | 1, &out);
		if (m->method == METHOD_INVITE && m->status / 100 == 2)
			oracle_accepted(s, m);
		oracle_refused(s, &out);
	}
	leave(s, &out, act);
}

/* Sends what an action makes out of the kept INVITE; m: the message in hand or NULL. */
static void make(struct sim *s, uint32_t worker, const struct msg *m, const struct lb_act *act)
{
	const struct kept *invite = kept_at(s, worker, act->kept & ~1u);
	struct msg out;

	if (!invite->used) {
		oracle_fault(s, &s->bad.bad_act, m ? m->call_id : 0, "INVITE is not kept, op", act->op);
		return;
	}
	switch (act->op) {
	case LB_RESEND:
		out = forwarded(&invite->m, act);
		if (act->end == ST_SENT_RETRY) {
			s->f.failovers++;
			oracle_retry(s, &out);
			oracle_admitted(s, out.call_id, act->gateway);
		} else {
			s->f.repeats++;
		}
		break;
	case LB_ANSWER:
		out = answered(&invite->m, act);
		if (act->keep_final)
			keep(s, worker, act->kept | 1, &out);
		oracle_refused(s, &out);
		break;
	default:
		out = hop(&invite->m, act, act->op == LB_ACK ? m : NULL);
		s->f.weir_cancels += act->op == LB_CANCEL;
		break;
	}
	leave(s, &out, act);
}

static void resend_final(struct sim *s, uint32_t worker, const struct msg *m, const struct lb_act *act)
{
	const struct kept *final = kept_at(s, worker, act->kept | 1);
	struct msg out = final->m;

	if (!final->used) {
		oracle_fault(s, &s->bad.bad_act, m ? m->call_id : 0, "final is not kept", act->kept);
		return;
	}
	oracle_refused(s, &out);
	leave(s, &out, act);
}

static void keep_response(struct sim *s, uint32_t worker, const struct msg *m, const struct lb_act *act)
{
	struct msg out = *m;

	out.branch_n = 0;
	keep(s, worker, act->kept | 1, &out);
}

/* Everything that arrives answers what Weir has sent, so these ends are mistakes, unless it has crashed
 * since. */
static void must_know(struct sim *s, const struct msg *m, enum st_end end)
{
	const struct sim_call *c = net_call(s, m);

	if (!c || c->flags & SIM_HIT)
		return;
	switch (end) {
	case ST_DROP_RESPONSE_BAD_MAC:
	case ST_DROP_RESPONSE_NOT_OURS:
	case ST_DROP_RESPONSE_NO_VIA:
	case ST_DROP_RESPONSE_CSEQ:
		oracle_fault(s, &s->bad.misread, m->call_id, st_info(end)->name, m->status);
		break;
	default:
		break;
	}
}

static void act_on(struct sim *s, uint32_t worker, const struct msg *m, const struct lb_act *act)
{
	struct msg out;

	s->f.acts++;
	st_inc(s->weir->lane[worker], act->end);
	switch (act->op) {
	case LB_FORWARD:
		forward(s, worker, m, act);
		break;
	case LB_REPLY:
	case LB_TRYING:
		out = answered(m, act);
		leave(s, &out, act);
		break;
	case LB_KEEP:
		keep(s, worker, act->kept, m);
		break;
	case LB_KEEP_FINAL:
		keep_response(s, worker, m, act);
		break;
	case LB_FORGET:
		forget(s, worker, act->kept);
		break;
	case LB_RESEND_FINAL:
		resend_final(s, worker, m, act);
		break;
	case LB_RESEND:
	case LB_ANSWER:
	case LB_CANCEL:
	case LB_ACK:
		make(s, worker, m, act);
		break;
	case LB_DROP:
		must_know(s, m, act->end);
		break;
	case LB_ABSORB:
	case LB_TO_CONTROL:
		break;
	}
}

static void trace_acts(const struct sim *s, uint64_t call_id, const struct lb_act *acts, unsigned n)
{
	static const char *const ops[] = {
		"FORWARD",    "REPLY",  "ABSORB",       "DROP",   "TO_CONTROL", "TRYING", "KEEP",
		"KEEP_FINAL", "RESEND", "RESEND_FINAL", "ANSWER", "CANCEL",     "ACK",    "FORGET",
	};

	if (!net_traced(s, call_id))
		return;
	for (unsigned i = 0; i < n; i++)
		printf("%14.6f          %s %u gateway %d %s\n", (double)s->now / 1e9, ops[acts[i].op],
		       acts[i].status, acts[i].gateway == LB_NONE ? -1 : acts[i].gateway,
		       st_info(acts[i].end)->name);
}

void weir_input(struct sim *s, const struct msg *m)
{
	struct lb_act acts[LIMIT_ACTS];
	struct lb_contact contact;
	struct lb_query q = query(s, m, &contact);
	uint32_t worker = owner(s->weir, q.call_hash);
	const uint64_t *picked = &s->weir->lane[worker]->count[ST_PICKED], before = *picked;
	unsigned n;

	s->f.decisions++;
	net_trace(s, m, "arrives");
	n = lb_input(s->weir->worker[worker], s->weir->snap, &q, s->now, acts);
	trace_acts(s, m->call_id, acts, n);
	if (*picked != before && m->method == METHOD_INVITE && !m->to.n && acts[n - 1].gateway != LB_NONE)
		oracle_admitted(s, m->call_id, acts[n - 1].gateway);
	for (unsigned i = 0; i < n; i++)
		act_on(s, worker, m, &acts[i]);
}

/* ---- Time ---------------------------------------------------------------------------------------------- */

static uint64_t call_of_act(struct sim *s, uint32_t worker, const struct lb_act *act)
{
	return act->kept == LB_NO_KEPT ? 0 : kept_at(s, worker, act->kept & ~1u)->m.call_id;
}

static void tick(struct sim *s, uint32_t worker)
{
	struct lb_act acts[LIMIT_ACTS];
	unsigned n = 1;

	s->f.ticks++;
	while (n) {
		n = lb_tick(s->weir->worker[worker], s->weir->snap, s->now, acts, LIMIT_ACTS);
		for (unsigned i = 0; i < n; i++) {
			trace_acts(s, call_of_act(s, worker, &acts[i]), &acts[i], 1);
			act_on(s, worker, NULL, &acts[i]);
		}
	}
}

void weir_ticks(struct sim *s, uint64_t until)
{
	struct weir *w = s->weir;

	while (w->ticked + MS <= until) {
		w->ticked += MS;
		s->now = w->ticked;
		for (uint32_t i = 0; i < w->n_workers; i++)
			tick(s, i);
	}
	s->now = until;
}

/* Survivors grow old: none is left when the longest call would be over. */
static void age_survivors(struct sim *s)
{
	struct weir *w = s->weir;
	uint64_t age = s->now - s->crashed_at, longest = w->spec.timers.max_call;

	for (uint32_t g = 0; s->crashed_at && g < s->n_gw; g++)
		lb_cap_survivors(w->words, g,
				 age < longest ? (uint32_t)(w->survived[g] * (1.0 - (double)age / longest))
					       : 0);
}

void weir_second(struct sim *s)
{
	struct weir *w = s->weir;
	uint32_t setups = 0, calls = 0;

	age_survivors(s);
	for (uint32_t g = 0; g < s->n_gw; g++)
		w->published[g] = weir_calls(s, g) + weir_survivors(s, g);
	for (uint32_t i = 0; i < w->n_workers; i++) {
		setups += w->worker[i]->setups.in_use;
		calls += lb_call_count(w->worker[i]);
	}
	s->peak_setups = setups > s->peak_setups ? setups : s->peak_setups;
	s->peak_calls = calls > s->peak_calls ? calls : s->peak_calls;
}

void weir_health(struct sim *s, uint32_t gw, bool up)
{
	s->weir->up[gw] = up;
	lb_set_health(s->weir->words, gw, up ? LB_UP : LB_DOWN);
}

/* ---- Birth, crash, end --------------------------------------------------------------------------------- */

static void set_words(struct sim *s)
{
	struct weir *w = s->weir;

	lb_words_init(w->words);
	for (uint32_t g = 0; g < s->n_gw; g++) {
		lb_set_gateway_calls(w->words, g, s->gw[g].max_calls);
		lb_set_survivors(w->words, g, w->survived[g]);
		lb_set_health(w->words, g, w->up[g] ? LB_UP : LB_DOWN);
	}
}

static void start_workers(struct sim *s)
{
	struct weir *w = s->weir;

	set_words(s);
	for (uint32_t i = 0; i < w->n_workers; i++) {
		w->spec.lane = w->lane[i];
		w->worker[i] = lb_worker_init(w->memory[i], &w->spec, s->now);
		for (uint32_t k = 0; k < 2 * w->spec.setups; k++)
			w->kept[i][k].used = false;
	}
	w->n_kept = 0;
}

void weir_crash(struct sim *s)
{
	struct weir *w = s->weir;

	memcpy(w->survived, w->published, s->n_gw * sizeof(*w->survived));
	s->f.weir_crashes++;
	s->crashed_at = s->now;
	start_workers(s);
	oracle_hit(s);
}

struct weir *weir_new(struct sim *s)
{
	struct weir *w = calloc(1, sizeof(*w));

	s->weir = w;
	world_spec(s, w);
	w->n_workers = s->o.workers;
	w->words = memory(lb_words_size());
	w->snap = lb_snapshot_init(memory(lb_snapshot_size(&w->lb)), &w->lb);
	if (!w->snap) {
		fprintf(stderr, "sim: the spec is wrong\n");
		exit(1);
	}
	w->key = *lb_snapshot_key(w->snap);
	w->spec.words = w->words;
	w->ticked = s->now;
	for (uint32_t i = 0; i < w->n_workers; i++) {
		w->lane[i] = st_lane_init(memory(st_lane_size(s->n_gw, MAX_PEERS)), "0", s->n_gw, MAX_PEERS);
		w->spec.lane = w->lane[i];
		w->memory[i] = memory(lb_worker_size(&w->spec));
		w->kept[i] = calloc(2 * w->spec.setups, sizeof(**w->kept));
	}
	for (uint32_t g = 0; g < s->n_gw; g++)
		w->up[g] = true;
	start_workers(s);
	return w;
}

void weir_free(struct weir *w)
{
	for (uint32_t i = 0; i < w->n_workers; i++) {
		free(w->kept[i]);
		free(w->memory[i]);
		free(w->lane[i]);
	}
	free(w->snap);
	free(w->words);
	free(w);
}
