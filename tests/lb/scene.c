/* SPDX-License-Identifier: BSD-3-Clause */
/* See scene.h. */
#include "tests/lb/scene.h"

#include <stdio.h>

#define MS UINT64_C(1000000)

static void put(struct scene *s, bool timed, const char *word, int number)
{
	char time[24] = "";

	if (timed)
		snprintf(time, sizeof(time), "%.3g:", (double)(s->w.now - s->began) / SECOND);
	s->n_log +=
		snprintf(s->log + s->n_log, SCENE_LOG - s->n_log, "%s%s%s", s->n_log ? " " : "", time, word);
	if (number >= 0)
		s->n_log += snprintf(s->log + s->n_log, SCENE_LOG - s->n_log, "%d", number);
	assert_true(s->n_log < SCENE_LOG);
}

/* The branch that act names; a new one is entered. */
static int branch_of(struct scene *s, const struct lb_act *act)
{
	for (unsigned i = 0; i < s->n; i++) {
		if (s->branch[i].len == act->branch_n &&
		    !memcmp(s->branch[i].text, act->branch, act->branch_n))
			return i;
	}
	assert_true(s->n < LIMIT_BRANCHES);
	memcpy(s->branch[s->n].text, act->branch, act->branch_n);
	s->branch[s->n].len = act->branch_n;
	s->branch[s->n].gateway = act->gateway;
	return s->n++;
}

static void note_keeping(struct scene *s, const struct lb_act *act)
{
	switch (act->op) {
	case LB_KEEP:
		assert_false(s->kept);
		s->kept = true;
		break;
	case LB_KEEP_FINAL:
		s->final_kept = true;
		break;
	case LB_FORGET:
		assert_true(act->kept & 1 ? s->final_kept : s->kept);
		*(act->kept & 1 ? &s->final_kept : &s->kept) = false;
		break;
	case LB_RESEND:
	case LB_CANCEL:
	case LB_ACK:
	case LB_ANSWER:
		assert_true(s->kept);
		break;
	case LB_RESEND_FINAL:
		assert_true(s->final_kept);
		break;
	default:
		break;
	}
	if (act->keep_final)
		s->final_kept = true;
}

static const char *method_word(uint8_t method)
{
	static const char *const words[METHOD_COUNT] = { [METHOD_INVITE] = "INVITE",
							 [METHOD_ACK] = "ack",
							 [METHOD_CANCEL] = "cancel",
							 [METHOD_BYE] = "bye" };

	return words[method] ? words[method] : "other";
}

/* Whatever goes to the caller goes where his INVITE came from, what goes to a gateway to its address. */
static void check_way(const struct scene *s, const struct lb_act *act, const struct lb_query *q)
{
	switch (act->op) {
	case LB_RESEND:
	case LB_CANCEL:
	case LB_ACK:
		break;
	case LB_FORWARD:
		if (q->request)
			break;
		/* fall through */
	case LB_TRYING:
	case LB_ANSWER:
	case LB_RESEND_FINAL:
	case LB_REPLY:
		assert_int_equal(act->listener, s->invite.listener);
		assert_true(addr_eq(&act->dst, &s->invite.reply_to));
		return;
	default:
		return;
	}
	assert_int_equal(act->listener, s->w.gateway[act->gateway].listener);
	assert_true(addr_eq(&act->dst, &s->w.gateway[act->gateway].addr));
}

static void write_down(struct scene *s, const struct lb_act *act, bool timed, const struct lb_query *q)
{
	note_keeping(s, act);
	check_way(s, act, q);
	switch (act->op) {
	case LB_FORWARD:
		put(s, timed, q->request ? method_word(q->method) : "",
		    q->request ? branch_of(s, act) : q->status);
		break;
	case LB_RESEND:
		s->retargeted = act->uri.n > 0;
		s->target = act->target;
		put(s, timed, act->end == ST_SENT_REPEAT ? "repeat" : "INVITE", branch_of(s, act));
		break;
	case LB_CANCEL:
		put(s, timed, "CANCEL", branch_of(s, act));
		break;
	case LB_ACK:
		put(s, timed, "ACK", branch_of(s, act));
		break;
	case LB_TRYING:
		put(s, timed, "100", -1);
		break;
	case LB_ANSWER:
		s->retry_after_s = act->retry_after_s;
		put(s, timed, "answer", act->status);
		break;
	case LB_REPLY:
		s->contact = act->contact;
		s->retry_after_s = act->retry_after_s;
		put(s, timed, act->end == ST_REPLY_CANCEL ? "ok" : "reply",
		    act->end == ST_REPLY_CANCEL ? -1 : act->status);
		break;
	case LB_RESEND_FINAL:
		put(s, timed, "final", -1);
		break;
	case LB_KEEP_FINAL:
		put(s, timed, "best", -1);
		break;
	case LB_ABSORB:
		put(s, timed, "-", -1);
		break;
	case LB_DROP:
		put(s, timed, "drop", -1);
		break;
	default:
		break;
	}
}

void scene_input(struct scene *s, const struct lb_query *q)
{
	unsigned n = lb_input(s->w.worker, s->w.snap, q, s->w.now, s->w.act);

	assert_in_range(n, 1, LIMIT_ACTS);
	for (unsigned i = 0; i < n; i++) {
		bool ends = s->w.act[i].op <= LB_TO_CONTROL;

		assert_true(ends == (i == n - 1)); /* the one that ends the message is the last */
		write_down(s, &s->w.act[i], false, q);
	}
}

void scene_start(struct scene *s, unsigned gateways)
{
	memset(s, 0, sizeof(*s));
	world_start(&s->w, gateways);
	for (unsigned i = 0; i < 4; i++) {
		s->w.pool[i].attempts = 2;
		s->w.pool[i].after_ns = SECOND;
		s->w.pool[i].after_max_ns = 4 * SECOND;
		s->w.pool[i].budget_permille = 100;
	}
	world_build(&s->w);
	s->invite = world_request(&s->w, METHOD_INVITE, 1, 1);
	s->invite.room = 1;
	s->invite.cseq = 7;
	s->invite.listener = 2;
	s->invite.reply_to.port++; /* RFC 3261 18.2.2: not to where it came from, but to its Via's port */
	s->began = s->w.now;
}

void scene_ring(struct scene *s, unsigned gateways)
{
	scene_start(s, gateways);
	scene_caller(s, METHOD_INVITE);
	scene_expect(s, "100 INVITE0");
}

void scene_end(struct scene *s)
{
	s->n_log = 0;
	s->w.now += 300 * SECOND;
	for (unsigned i = 0; i < 1000; i++) {
		unsigned n = lb_tick(s->w.worker, s->w.snap, s->w.now, s->w.act, LIMIT_ACTS);

		for (unsigned a = 0; a < n; a++)
			write_down(s, &s->w.act[a], true, NULL);
		s->w.now += SECOND;
	}
	assert_int_equal(s->w.worker->setups.in_use, 0);
	assert_int_equal(s->w.worker->setups.n_busy, 0);
	for (uint16_t i = 0; i < s->w.spec.n_gateways; i++)
		assert_int_equal(lb_gateway_open(s->w.words, i), 0);
	assert_false(s->kept);
	assert_false(s->final_kept);
	world_free(&s->w);
}

void scene_caller(struct scene *s, enum method method)
{
	struct lb_query q = s->invite;

	q.method = method;
	if (method == METHOD_ACK) {
		q.has_to_tag = 1;
		q.to_tag = STR("their-tag");
	}
	scene_input(s, &q);
}

struct lb_query scene_response(const struct scene *s, unsigned i, enum method method, uint16_t status)
{
	assert_true(i < s->n);
	return (struct lb_query){
		.method = method,
		.listener = 1,
		.has_to_tag = 1,
		.room = 1,
		.status = status,
		.src = s->w.gateway[s->branch[i].gateway].addr,
		.via_to = s->invite.reply_to,
		.call_hash = s->invite.call_hash,
		.from_hash = s->invite.from_hash,
		.cseq = s->invite.cseq,
		.to_hash = 100 + i,
		.branch = { s->branch[i].text, s->branch[i].len },
	};
}

void scene_gateway(struct scene *s, unsigned i, uint16_t status)
{
	struct lb_query q = scene_response(s, i, METHOD_INVITE, status);

	scene_input(s, &q);
}

void scene_cancel_ok(struct scene *s, unsigned i)
{
	struct lb_query q = scene_response(s, i, METHOD_CANCEL, 200);

	scene_input(s, &q);
}

struct lb_query scene_bounced(const struct scene *s, unsigned i)
{
	struct lb_query q = scene_response(s, i, METHOD_INVITE, 0);

	q.lost = 1;
	return q;
}

void scene_bounce(struct scene *s, unsigned i, const struct addr *from)
{
	struct lb_query q = scene_bounced(s, i);

	if (from)
		q.src = *from;
	scene_input(s, &q);
}

void scene_until(struct scene *s, double seconds)
{
	uint64_t end = s->began + (uint64_t)(seconds * SECOND);

	for (; s->w.now < end; s->w.now += MS) {
		unsigned n;

		while ((n = lb_tick(s->w.worker, s->w.snap, s->w.now, s->w.act, LIMIT_ACTS)) > 0) {
			for (unsigned i = 0; i < n; i++)
				write_down(s, &s->w.act[i], true, NULL);
		}
	}
}

void scene_expect_at(struct scene *s, const char *words, const char *file, int line)
{
	if (strcmp(s->log, words) != 0 && (s->n_log || words[0])) {
		fprintf(stderr, "%s:%d\n  is       %s\n  expected %s\n", file, line, s->n_log ? s->log : "",
			words);
		_fail(file, line);
	}
	s->n_log = 0;
	s->log[0] = 0;
}
