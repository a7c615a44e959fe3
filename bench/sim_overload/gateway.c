/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A gateway: one FIFO queue of all that arrives, and `servers` that take from it. An INVITE takes the service
 * time; a repeated INVITE, a CANCEL and a refusal take a part of it, since they must be read, too. They wait
 * behind calls, or go before them (reads_first), as in a program that reads before it serves.
 */
#include <stdlib.h>
#include "bench/sim_overload/lab.h"

static struct lab_msg response(const struct lab_job *j, uint8_t method, uint16_t status)
{
	struct lab_msg m = { .to = TO_WEIR_GATEWAY,
			     .call = j->call,
			     .method = method,
			     .status = status,
			     .gw = j->gw,
			     .branch_n = j->branch_n,
			     .to_n = status > 100 ? 4 : 0,
			     .tag = "gwt" };

	m.token_n = j->token_n;
	memcpy(m.branch, j->branch, j->branch_n);
	memcpy(m.token, j->token, j->token_n);
	m.tag[3] = (char)('0' + j->gw % 64);
	return m;
}

static void end_dialog(struct lab *l, const struct lab_msg *bye)
{
	struct lab_msg m = *bye;

	m.to = TO_WEIR_GATEWAY;
	m.request = 0;
	m.status = 200;
	lab_send(l, &m);
}

static void respond(struct lab *l, struct lab_job *j, uint16_t status)
{
	struct lab_msg m = response(j, METHOD_INVITE, status);

	if (j->oc_ask)
		m.oc = lab_oc_says(l, j->gw, j->oc_ask);
	j->status = status;
	lab_send(l, &m);
}

/* ---- The queue ----------------------------------------------------------------------------------------- */

static void push(struct lab_queue *q, struct item item)
{
	if (q->n == q->room) {
		struct item *bigger = calloc(q->room ? 2 * q->room : 64, sizeof(*bigger));

		if (!bigger)
			abort();
		for (uint32_t i = 0; i < q->n; i++)
			bigger[i] = q->at[(q->head + i) % q->room];
		free(q->at);
		q->at = bigger;
		q->head = 0;
		q->room = q->room ? 2 * q->room : 64;
	}
	q->at[(q->head + q->n++) % q->room] = item;
}

static struct item pop(struct lab_queue *q)
{
	struct item item = q->at[q->head];

	q->head = (q->head + 1) % q->room;
	q->n--;
	return item;
}

/* True if the item waits for a place of its own among the calls. */
static bool is_call(const struct item *item)
{
	return item->kind == ITEM_INVITE || item->kind == ITEM_OPTIONS;
}

static void enqueue(struct lab *l, struct item item)
{
	struct lab_gateway *g = &l->gw[item.gw];

	g->waiting += is_call(&item);
	push(l->scene->reads_first && !is_call(&item) ? &g->overhead : &g->calls, item);
}

/* Nobody else fits: who comes now is refused. */
static bool is_full(const struct lab *l, uint16_t gw)
{
	const struct lab_gateway *g = &l->gw[gw];

	if (l->scene->trouble == TROUBLE_REFUSING && l->phase >= 1 && gw == 0)
		return true;
	return l->scene->queue && g->waiting >= l->scene->queue && g->busy >= l->scene->servers;
}

static double cost(const struct scene *s, enum item_kind kind)
{
	switch (kind) {
	case ITEM_INVITE:
		return 1;
	case ITEM_REJECT:
	case ITEM_OPTIONS:
		return s->reject;
	case ITEM_REPEAT:
	case ITEM_CANCEL:
		break;
	}
	return s->absorb > 0 ? s->absorb : s->reject;
}

static uint64_t service(struct lab *l, const struct lab_gateway *g, const struct item *item)
{
	double s = l->scene->service_s * g->slow * cost(l->scene, (enum item_kind)item->kind);

	if (l->scene->exponential)
		return chance_exp(&l->base, s * 1e9) + 1;
	return (uint64_t)(s * 1e9) + 1;
}

/* The job of an item, or NULL if nobody waits for it any more. */
static struct lab_job *job_of(struct lab *l, const struct item *item)
{
	struct lab_job *j = item->call ? lab_job_at(l, item->job) : NULL;

	return j && j->call == item->call ? j : NULL;
}

static void begin(struct lab *l, struct item item)
{
	struct lab_gateway *g = &l->gw[item.gw];
	struct lab_job *j = job_of(l, &item);
	uint32_t i = pool_take(&l->items);

	if (item.kind == ITEM_INVITE && j) {
		j->state = JOB_SERVING;
		if (l->scene->trying == TRYING_ON_DEQUEUE)
			respond(l, j, 100);
	}
	*(struct item *)pool_at(&l->items, i) = item;
	g->busy++;
	event_add(&l->base, lab_now(l) + service(l, g, &item), (enum event_kind)LAB_SERVER, i);
}

/* True if the call was cancelled while it waited, and so waits no more. */
static bool has_left(struct lab *l, const struct item *item)
{
	const struct lab_job *j = job_of(l, item);

	return l->scene->reads_first && item->kind == ITEM_INVITE && (!j || j->state != JOB_QUEUED);
}

/* Servers that are free take what waits. */
static void serve(struct lab *l, uint16_t gw)
{
	struct lab_gateway *g = &l->gw[gw];

	while (g->busy < l->scene->servers && g->overhead.n + g->calls.n > 0 && lab_now(l) >= g->mute) {
		struct item item = pop(g->overhead.n ? &g->overhead : &g->calls);

		if (has_left(l, &item))
			continue;
		g->waiting -= is_call(&item);
		begin(l, item);
	}
}

/* ---- What becomes of an INVITE ------------------------------------------------------------------------- */

static void job_due(struct lab *l, uint32_t job, uint64_t at)
{
	lab_job_at(l, job)->due = at;
	event_add(&l->base, at, (enum event_kind)LAB_JOB, job);
}

/* A final response, repeated until its ACK. */
static void finish(struct lab *l, uint32_t job, uint16_t status)
{
	struct lab_job *j = lab_job_at(l, job);

	j->state = status < 300 ? JOB_ANSWERED : JOB_REFUSED;
	respond(l, j, status);
	j->interval = T1;
	j->give_up = lab_now(l) + TIMEOUT;
	job_due(l, job, lab_now(l) + T1);
}

static uint16_t final_of(struct lab *l, const struct lab_job *j)
{
	const struct lab_call *c = lab_call(l, j->call);

	if (j->cancelled)
		return 487;
	return c && c->dead && l->scene->trouble != TROUBLE_SLOW_PREFIX ? 503 : 200;
}

/* The far end takes its time. */
static void serve_done(struct lab *l, uint32_t job)
{
	struct lab_job *j = lab_job_at(l, job);
	const struct lab_call *c = lab_call(l, j->call);
	double far = l->scene->far_s;
	uint64_t wait = 0;

	if (far > 0) {
		wait = chance_lognormal(&l->base, far * 1e9 * 1.6487, 1);
		wait = wait < 100 * MS ? 100 * MS : wait > 9 * S ? 9 * S : wait;
	}
	if (c && c->dead && l->scene->trouble == TROUBLE_SLOW_PREFIX)
		wait += 5 * S;
	if (c && c->dead && l->scene->trouble == TROUBLE_LATE_PREFIX)
		wait += 2 * S;
	if (l->scene->trouble == TROUBLE_SLOW_FAR && l->phase >= 1)
		wait += 3 * S;
	j->state = JOB_SERVED;
	if (wait)
		job_due(l, job, lab_now(l) + wait);
	else
		finish(l, job, final_of(l, j));
}

static void cancel(struct lab *l, uint32_t job)
{
	struct lab_job *j = lab_job_at(l, job);
	struct lab_msg m = response(j, METHOD_CANCEL, 200);

	lab_send(l, &m);
	j->cancelled = 1;
	if (j->state == JOB_SERVED || (l->scene->reads_first && j->state <= JOB_SERVING)) {
		l->gw[j->gw].waiting -= j->state == JOB_QUEUED;
		finish(l, job, 487);
	}
}

static void again(struct lab *l, const struct lab_job *j)
{
	struct lab_msg m = response(j, METHOD_INVITE, j->status);

	if (j->status && j->state != JOB_OVER)
		lab_send(l, &m);
}

static void work_done(struct lab *l, const struct item *item, struct lab_job *j)
{
	switch ((enum item_kind)item->kind) {
	case ITEM_INVITE:
		if (j->state != JOB_SERVING)
			break;
		if (j->cancelled)
			finish(l, item->job, 487);
		else
			serve_done(l, item->job);
		break;
	case ITEM_REPEAT:
		again(l, j);
		break;
	case ITEM_REJECT:
		finish(l, item->job, 503);
		break;
	case ITEM_CANCEL:
		cancel(l, item->job);
		break;
	case ITEM_OPTIONS:
		break;
	}
}

void lab_gateway_served(struct lab *l, uint32_t i)
{
	struct item item = *(struct item *)pool_at(&l->items, i);
	struct lab_job *j = job_of(l, &item);

	pool_give(&l->items, i);
	l->gw[item.gw].busy--;
	if (item.kind == ITEM_OPTIONS)
		lab_weir_probed(l, item.gw, item.job, LB_PROBE_OK);
	else if (j)
		work_done(l, &item, j);
	serve(l, item.gw);
}

void lab_gateway_job(struct lab *l, uint32_t i)
{
	struct lab_job *j = lab_job_at(l, i);

	if (j->due != lab_now(l))
		return;
	switch ((enum job_state)j->state) {
	case JOB_SERVED:
		finish(l, i, final_of(l, j));
		break;
	case JOB_ANSWERED:
	case JOB_REFUSED:
		if (lab_now(l) >= j->give_up) {
			pool_give(&l->jobs, i);
			return;
		}
		respond(l, j, j->status);
		j->interval = 2 * j->interval < T2 ? 2 * j->interval : T2;
		job_due(l, i, lab_now(l) + j->interval);
		break;
	case JOB_OVER:
		pool_give(&l->jobs, i);
		break;
	case JOB_QUEUED:
	case JOB_SERVING:
		break;
	}
}

/* ---- Requests ------------------------------------------------------------------------------------------ */

static uint32_t find(struct lab *l, const struct lab_call *c, const struct lab_msg *m)
{
	for (unsigned i = 0; i < c->jobs; i++) {
		const struct lab_job *j = lab_job_at(l, c->job[i]);

		if (j->call == c->id && j->gw == m->gw && j->branch_n == m->branch_n &&
		    memcmp(j->branch, m->branch, m->branch_n) == 0)
			return c->job[i];
	}
	return NONE;
}

static void invite(struct lab *l, struct lab_call *c, const struct lab_msg *m)
{
	struct lab_gateway *g = &l->gw[m->gw];
	bool full = is_full(l, m->gw);
	struct lab_job *j;
	uint32_t i;

	if ((full && l->scene->silent) || c->jobs == LAB_BRANCHES)
		return;
	i = pool_take(&l->jobs);
	j = lab_job_at(l, i);
	*j = (struct lab_job){ .call = c->id, .gw = m->gw, .branch_n = m->branch_n, .oc_ask = m->oc_ask };
	j->token_n = m->token_n;
	memcpy(j->branch, m->branch, m->branch_n);
	memcpy(j->token, m->token, m->token_n);
	c->job[c->jobs++] = i;
	lab_tick(l)->received++;
	g->news++;
	if (l->scene->trying == TRYING_ON_RECEIPT && (!full || l->scene->reads_first))
		respond(l, j, 100);
	enqueue(l, (struct item){ c->id, i, m->gw, full ? ITEM_REJECT : ITEM_INVITE });
	serve(l, m->gw);
}

static void count_answered(struct lab *l, const struct lab_call *c)
{
	if (lab_now(l) - c->began > PATIENCE) {
		lab_tick(l)->late++;
		return;
	}
	lab_tick(l)->good++;
	l->peer[c->peer].good += c->counts == COUNTS_SETTLED;
	l->peer[c->peer].emergency_good += c->counts && c->emergency;
}

/* The ACK: the gateway is done, and the call is good if it came in time. */
static void acked(struct lab *l, struct lab_call *c, const struct lab_msg *m)
{
	for (unsigned i = 0; i < c->jobs; i++) {
		struct lab_job *j = lab_job_at(l, c->job[i]);

		if (j->call != c->id || j->gw != m->gw || j->state < JOB_ANSWERED || j->state == JOB_OVER)
			continue;
		if (j->state == JOB_ANSWERED && !c->acked) {
			c->acked = 1;
			count_answered(l, c);
		}
		j->state = JOB_OVER;
		job_due(l, c->job[i], lab_now(l) + 5 * S);
	}
}

/* Something about a call that is there already: read and answered in its turn, or first of all. */
static void repeated(struct lab *l, uint32_t job, enum item_kind kind)
{
	const struct lab_job *j = lab_job_at(l, job);
	uint16_t gw = j->gw;

	enqueue(l, (struct item){ l->scene->reads_first ? 0 : j->call, job, gw, (uint8_t)kind });
	if (l->scene->reads_first && kind == ITEM_CANCEL)
		cancel(l, job);
	else if (l->scene->reads_first)
		again(l, j);
	serve(l, gw);
}

void lab_gateway_request(struct lab *l, const struct lab_msg *m)
{
	struct lab_call *c = lab_call(l, m->call);
	uint32_t job;

	if (!c)
		return;
	l->gw[m->gw].requests++;
	if (m->method == METHOD_ACK) {
		acked(l, c, m);
		return;
	}
	if (m->method == METHOD_BYE) {
		end_dialog(l, m);
		return;
	}
	job = find(l, c, m);
	if (job == NONE) {
		if (m->method == METHOD_INVITE)
			invite(l, c, m);
		return;
	}
	if (m->method == METHOD_INVITE)
		lab_tick(l)->repeats++;
	repeated(l, job, m->method == METHOD_CANCEL ? ITEM_CANCEL : ITEM_REPEAT);
}

void lab_gateway_options(struct lab *l, uint16_t gw, uint32_t probe)
{
	if (lab_now(l) < l->gw[gw].mute)
		return;
	if (is_full(l, gw)) {
		enqueue(l, (struct item){ 0, 0, gw, ITEM_REJECT });
		lab_weir_probed(l, gw, probe, LB_PROBE_REFUSED);
	} else {
		enqueue(l, (struct item){ 0, probe, gw, ITEM_OPTIONS });
	}
	serve(l, gw);
}
