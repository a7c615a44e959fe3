/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of a worker's tables. Control makes them; the rest is the worker's. */
#include "lb/worker.h"

static size_t align64(size_t n)
{
	return (n + 63) / 64 * 64;
}

size_t lb_worker_size(const struct lb_worker_spec *spec)
{
	return align64(sizeof(struct lb_worker)) + sizeof(struct memo) + sizeof(struct sources) +
	       LIMIT_SHARES * sizeof(struct share_cell) + LIMIT_POOLS * sizeof(struct told_cell) +
	       sizeof(struct signal_board) + (size_t)pin_buckets(spec->pins) * sizeof(struct pin_bucket) +
	       align64(setups_size(spec->setups)) + align64(calls_size(spec->calls)) +
	       records_size(spec->calls, spec->records) + align64(wheel_size(spec->setups)) +
	       (spec->trail ? LIMIT_TRAIL * sizeof(struct lb_trail) : 0);
}

struct lb_worker *lb_worker_init(void *mem, const struct lb_worker_spec *spec, uint64_t now)
{
	struct lb_worker *w = mem;
	struct calls_spec calls = {
		.words = spec->words,
		.lane = spec->lane,
		.records = &w->records,
		.n = spec->calls,
		.setup_ns = spec->ringing_ns + spec->timers.d,
		.hold_ns = spec->timers.d,
		.release_ns = spec->timers.release,
		.max_call_ns = spec->timers.max_call,
		.session_min_ns = spec->timers.session_min,
		.grace_ns = 64 * spec->timers.t1,
	};
	char *at = (char *)mem + align64(sizeof(*w));

	memset(mem, 0, lb_worker_size(spec));
	w->words = spec->words;
	w->lane = spec->lane;
	w->pin_ns = spec->pin_ns;
	w->ringing_ns = spec->ringing_ns;
	w->timers = spec->timers;
	w->memo = (struct memo *)at;
	at += sizeof(struct memo);
	w->sources = (struct sources *)at;
	at += sizeof(struct sources);
	w->shares = (struct share_cell *)at;
	at += LIMIT_SHARES * sizeof(struct share_cell);
	w->told = (struct told_cell *)at;
	at += LIMIT_POOLS * sizeof(struct told_cell);
	w->signals = (struct signal_board *)at;
	at += sizeof(struct signal_board);
	w->pins.bucket = (struct pin_bucket *)at;
	w->pins.mask = pin_buckets(spec->pins) - 1;
	at += (w->pins.mask + 1) * sizeof(struct pin_bucket);
	setups_init(&w->setups, at, spec->setups);
	at += align64(setups_size(spec->setups));
	calls.shares = w->shares;
	calls_init(&w->calls, at, &calls);
	at += align64(calls_size(spec->calls));
	records_init(&w->records, at, spec->calls, spec->records);
	at += records_size(spec->calls, spec->records);
	wheel_init(&w->wheel, at, spec->setups, now);
	at += align64(wheel_size(spec->setups));
	w->trail = spec->trail ? (struct lb_trail *)at : NULL;
	return w;
}

/* What a message is to the tables. */
enum kind {
	KIND_INVITE,   /* without token */
	KIND_NEW,      /* another request without token */
	KIND_ACK,      /* with token: its call */
	KIND_END,      /* a BYE with token, or an answer to one: its call, whose deadline moves */
	KIND_PASSED,   /* another request with token: nothing */
	KIND_TRYING,   /* its set-up */
	KIND_PROGRESS, /* its set-up and its call */
	KIND_ANSWER,   /* the same, and the set-up's timer moves */
	KIND_FAILURE,  /* the same; its call ends, and leaves its chain */
	KIND_OTHER     /* another response: its pin */
};

static enum kind kind_of(const struct lb_query *q)
{
	if (!q->request && q->method == METHOD_INVITE && q->status < 200)
		return q->status == 100 ? KIND_TRYING : KIND_PROGRESS;
	if (!q->request && q->method == METHOD_INVITE)
		return q->status < 300 ? KIND_ANSWER : KIND_FAILURE;
	if (!q->request)
		return q->method == METHOD_BYE ? KIND_END : KIND_OTHER;
	if (!q->token.n)
		return q->method == METHOD_INVITE ? KIND_INVITE : KIND_NEW;
	return q->method == METHOD_BYE ? KIND_END : q->method == METHOD_ACK ? KIND_ACK : KIND_PASSED;
}

void lb_prefetch(const struct lb_worker *w, const struct lb_query *q, enum lb_fetch step)
{
	static const struct {
		bool pin, memo, setup, its_call, call, moves;
	} needs[] = {
		[KIND_INVITE] = { .memo = true, .setup = true, .call = true },
		[KIND_NEW] = { .pin = true, .memo = true, .setup = true },
		[KIND_ACK] = { .call = true },
		[KIND_END] = { .call = true, .moves = true },
		[KIND_PASSED] = { .pin = false },
		[KIND_TRYING] = { .setup = true },
		[KIND_PROGRESS] = { .setup = true, .its_call = true },
		[KIND_ANSWER] = { .setup = true, .its_call = true, .moves = true },
		[KIND_FAILURE] = { .setup = true, .call = true, .moves = true },
		[KIND_OTHER] = { .pin = true },
	};
	enum kind kind = kind_of(q);
	uint64_t call_hash = q->call_hash;

	bool pin = needs[kind].pin || (needs[kind].setup && w->invites_pinned) ||
		   (kind == KIND_END && w->byes_pinned);

	if (step == LB_FETCH_HEADS && pin)
		pin_prefetch(&w->pins, call_hash);
	if (step == LB_FETCH_HEADS && needs[kind].memo)
		memo_prefetch(w->memo, call_hash);
	if (w->setups.n == 0)
		return;
	if (needs[kind].setup)
		setup_prefetch(&w->setups, &w->wheel, call_hash, needs[kind].moves, step);
	if (needs[kind].its_call && step == LB_FETCH_NEXT)
		call_fetch(&w->calls, setup_call(&w->setups, call_hash), needs[kind].moves);
	if (needs[kind].call && !(kind == KIND_INVITE && (w->refusing || step == LB_FETCH_NEXT)))
		call_prefetch(&w->calls, call_hash, needs[kind].moves, step);
}
