/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls on their way through the policy room, counted: after every event the words say what the entries hold,
 * no limit is passed, and when all is over nothing is left. First by hand, then at random: fail-over, forks,
 * CANCELs, BYEs of both sides, gateways that die, tables that are full.
 */
#include <stdio.h>
#include <stdlib.h>
#include "tests/lb/check.h"

#define S UINT64_C(1000000000)

struct leg {
	char branch[LIMIT_BRANCH];
	unsigned n;
	struct addr dst;
	uint16_t gateway;
};

/* A call number in use: its INVITE, and every branch that was sent for it. */
struct talk {
	struct lb_query invite;
	char token[LIMIT_TOKEN];
	unsigned token_n;
	struct leg leg[16];
	unsigned legs;
	uint32_t to;         /* tag of the last 2xx */
	struct lb_query bye; /* the last one, and the branch it got */
	char bye_branch[LIMIT_BRANCH];
	unsigned bye_n;
};

struct room {
	struct world w;
	uint64_t random;
	uint32_t next; /* call number */
	struct talk talk[24];
	uint32_t *gateways, *peers; /* for audits */
};

static uint64_t draw(struct room *r, uint64_t below)
{
	return next_random(&r->random) % below;
}

static void audit(struct room *r)
{
	memset(r->gateways, 0, 8 * sizeof(uint32_t)); /* no more of them are in use */
	memset(r->peers, 0, 4 * sizeof(uint32_t));
	lb_audit(r->w.worker, r->gateways, r->peers);
	for (uint16_t slot = 0; slot < 8; slot++)
		assert_int_equal(r->gateways[slot], lb_gateway_calls(r->w.words, slot));
	assert_int_equal(r->peers[0], lb_peer_calls(r->w.words, 0));
	assert_int_equal(r->w.lane->count[ST_CALL_DRIFT], 0);
}

static void start(struct room *r, uint64_t seed, unsigned gateways)
{
	memset(r, 0, sizeof(*r));
	r->random = seed;
	r->gateways = calloc(LIMIT_GATEWAYS, sizeof(uint32_t));
	r->peers = calloc(LIMIT_PEERS, sizeof(uint32_t));
	world_init(&r->w);
	for (unsigned i = 0; i < gateways; i++) {
		world_gateway(&r->w, 0, 1, 0);
		r->w.gateway[i].count_in = 1;
	}
	r->w.pool[0].attempts = 3;
	r->w.pool[0].budget_permille = 1000;
	r->w.pool[0].after_ns = S;
	r->w.pool[0].after_max_ns = 4 * S;
	world_build(&r->w);
}

static void stop(struct room *r)
{
	world_free(&r->w);
	free(r->gateways);
	free(r->peers);
}

/* Notes every branch that leaves. */
static void note_acts(struct room *r, struct talk *t, unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		const struct lb_act *act = &r->w.act[k];

		if ((act->op != LB_FORWARD && act->op != LB_RESEND) || act->branch_n == 0 || t->legs == 16)
			continue;
		memcpy(t->leg[t->legs].branch, act->branch, act->branch_n);
		t->leg[t->legs].n = act->branch_n;
		t->leg[t->legs].dst = act->dst;
		t->leg[t->legs++].gateway = act->gateway;
		memcpy(t->token, act->token, act->token_n);
		t->token_n = act->token_n;
	}
}

/* What time brings is not known to belong to a call; its branches are told by their number of the kept
 * INVITE. */
static void tick(struct room *r)
{
	unsigned n;

	do {
		n = lb_tick(r->w.worker, r->w.snap, r->w.now, r->w.act, LIMIT_ACTS);
		for (unsigned k = 0; k < n; k++) {
			struct lb_act act = r->w.act[k];

			for (unsigned i = 0; i < 24; i++) {
				if (act.op == LB_RESEND && r->talk[i].invite.cseq == act.kept + 1) {
					r->w.act[0] = act;
					note_acts(r, &r->talk[i], 1);
				}
			}
		}
	} while (n > 0);
}

static void pass(struct room *r, uint64_t ns)
{
	r->w.now += ns;
	tick(r);
}

/* from: slot of the gateway that calls, or LB_NONE: the peer does. */
static unsigned invite(struct room *r, struct talk *t, uint16_t from)
{
	unsigned n;

	*t = (struct talk){ .invite = world_request(&r->w, METHOD_INVITE, ++r->next, 1) };
	t->invite.room = 1;
	t->invite.call_id = STR("a@b.example");
	t->invite.caller = STR("1234");
	if (from != LB_NONE)
		t->invite.src = t->invite.reply_to = r->w.gateway[from].addr;
	n = lb_input(r->w.worker, r->w.snap, &t->invite, r->w.now, r->w.act);
	note_acts(r, t, n);
	return n;
}

static void respond(struct room *r, struct talk *t, const struct leg *leg, uint16_t status, uint32_t to,
		    uint32_t session_s)
{
	struct lb_query q = t->invite;

	q.request = 0;
	q.status = status;
	q.listener = 1;
	q.has_to_tag = 1;
	q.to_hash = to;
	q.session_s = session_s;
	t->to = status == 200 ? to : t->to;
	q.src = leg->dst;
	q.via_to = t->invite.reply_to;
	q.branch = text_of(leg->branch, leg->n);
	note_acts(r, t, lb_input(r->w.worker, r->w.snap, &q, r->w.now, r->w.act));
}

/* The INVITE of that branch comes back by ICMP. */
static void bounce(struct room *r, struct talk *t, const struct leg *leg)
{
	struct lb_query q = t->invite;

	q.lost = 1;
	q.src = leg->dst;
	q.via_to = t->invite.reply_to;
	q.branch = text_of(leg->branch, leg->n);
	note_acts(r, t, lb_input(r->w.worker, r->w.snap, &q, r->w.now, r->w.act));
}

static void cancel(struct room *r, struct talk *t)
{
	struct lb_query q = t->invite;

	q.method = METHOD_CANCEL;
	lb_input(r->w.worker, r->w.snap, &q, r->w.now, r->w.act);
}

/* A request in dialog of either side; 1 if it was forwarded. */
static int in_dialog(struct room *r, struct talk *t, enum method method, uint32_t to, bool from_callee)
{
	struct lb_query q = t->invite;
	unsigned n;

	q.method = method;
	q.has_to_tag = 1;
	q.to_hash = to;
	q.to_tag = STR("their-tag");
	q.token = text_of(t->token, t->token_n);
	q.via_hash += 1 + draw(r, 3);
	if (from_callee) {
		q.from_hash = to;
		q.to_hash = (uint32_t)t->invite.from_hash;
		q.src = q.reply_to = t->leg[0].dst;
	}
	n = lb_input(r->w.worker, r->w.snap, &q, r->w.now, r->w.act);
	if (r->w.act[n - 1].op != LB_FORWARD)
		return 0;
	t->bye = q;
	t->bye_n = r->w.act[n - 1].branch_n;
	memcpy(t->bye_branch, r->w.act[n - 1].branch, t->bye_n);
	return 1;
}

/* The answer to the last request in dialog. */
static void answer(struct room *r, struct talk *t, uint16_t status, uint32_t session_s)
{
	struct lb_query q = t->bye;

	q.request = 0;
	q.status = status;
	q.session_s = session_s;
	q.via_to = t->bye.reply_to;
	q.branch = text_of(t->bye_branch, t->bye_n);
	lb_input(r->w.worker, r->w.snap, &q, r->w.now, r->w.act);
}

static uint32_t calls_at(struct room *r, uint16_t slot)
{
	audit(r);
	return lb_gateway_calls(r->w.words, slot);
}

/* ---- By hand --------------------------------------------------------------------------------------- */

static void from_invite_to_bye(void **state)
{
	struct lb_call view;
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1, 1);
	invite(&r, t, LB_NONE);
	assert_int_equal(calls_at(&r, 0), 1);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 1);
	respond(&r, t, &t->leg[0], 180, 5, 0);
	pass(&r, 9 * S);
	respond(&r, t, &t->leg[0], 200, 5, 1800);
	pass(&r, 100 * S);
	assert_int_equal(lb_call_count(r.w.worker), 1);
	assert_true(lb_call_read(r.w.worker, 0, r.w.now, &view));
	assert_int_equal(view.state, LB_CALL_ANSWERED);
	assert_int_equal(view.tag, lb_call_tag(t->invite.call_hash));
	assert_int_equal(view.out, 0);
	assert_int_equal(view.in, LB_NONE);
	assert_int_equal(view.dialogs, 1);
	assert_int_equal(view.age_ms, 109000);
	assert_int_equal(view.answered_ms, 100000);
	assert_int_equal(view.session_ms, 2300000);
	assert_true(in_dialog(&r, t, METHOD_BYE, 5, false));
	assert_int_equal(calls_at(&r, 0), 1);
	answer(&r, t, 200, 0);
	assert_int_equal(calls_at(&r, 0), 0);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
	stop(&r);
}

static void from_a_gateway(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1, 2);
	lb_set_gateway_calls(r.w.words, 0, 0);
	invite(&r, t, 0); /* never refused for its own limit */
	respond(&r, t, &t->leg[0], 200, 5, 0);
	assert_int_equal(calls_at(&r, 0), 1);
	assert_int_equal(calls_at(&r, 1), 1);
	assert_true(in_dialog(&r, t, METHOD_BYE, 5, true));
	answer(&r, t, 200, 0);
	assert_int_equal(calls_at(&r, 0), 0);
	assert_int_equal(calls_at(&r, 1), 0);
	r.w.gateway[0].count_in = 0;
	world_build(&r.w);
	invite(&r, t, 0);
	assert_int_equal(calls_at(&r, 0), 0);
	assert_int_equal(calls_at(&r, 1), 1);
	stop(&r);
}

/* Both directions, with a session that is refreshed, then lapses. */
static void sessions(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1, 1);
	invite(&r, t, LB_NONE);
	respond(&r, t, &t->leg[0], 200, 5, 300);
	for (unsigned i = 0; i < 10; i++) {
		pass(&r, 250 * S);
		assert_true(in_dialog(&r, t, i % 2 ? METHOD_INVITE : METHOD_UPDATE, 5, i % 3));
		answer(&r, t, 200, 300);
		assert_int_equal(calls_at(&r, 0), 1);
	}
	pass(&r, 399 * S);
	assert_int_equal(calls_at(&r, 0), 1);
	pass(&r, 2 * S);
	assert_int_equal(calls_at(&r, 0), 0);
	assert_int_equal(r.w.lane->count[ST_CALL_SESSION], 1);
	stop(&r);
}

static void a_peer_has_its_limit(void **state)
{
	struct room r;

	start(&r, 1, 2);
	lb_set_peer_calls(r.w.words, 0, 3);
	for (unsigned i = 0; i < 5; i++) {
		unsigned n = invite(&r, &r.talk[i], LB_NONE);

		assert_int_equal(r.w.act[n - 1].op, i < 3 ? LB_FORWARD : LB_REPLY);
	}
	assert_int_equal(calls_at(&r, 0) + calls_at(&r, 1), 3);
	respond(&r, &r.talk[0], &r.talk[0].leg[0], 486, 5, 0);
	assert_int_equal(invite(&r, &r.talk[0], LB_NONE) > 1, 1);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 3);
	lb_set_gateway_calls(r.w.words, 0, 0); /* no gateway: the peer's place is given back */
	lb_set_gateway_calls(r.w.words, 1, 0);
	lb_set_peer_calls(r.w.words, 0, 10);
	invite(&r, &r.talk[4], LB_NONE);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 3);
	stop(&r);
}

/* 503 at the first, the second takes it: one place in all, at the second. */
static void fail_over_moves_it(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];
	uint16_t first, second;

	start(&r, 1, 2);
	invite(&r, t, LB_NONE);
	first = t->leg[0].gateway;
	respond(&r, t, &t->leg[0], 503, 5, 0);
	assert_int_equal(t->legs, 2);
	second = t->leg[1].gateway;
	assert_int_not_equal(first, second);
	assert_int_equal(calls_at(&r, first), 0);
	assert_int_equal(calls_at(&r, second), 1);
	respond(&r, t, &t->leg[1], 200, 6, 0);
	assert_int_equal(calls_at(&r, second), 1);
	stop(&r);
}

/* The first is mute and is left; then it brings the call after all, and the second is CANCELled. */
static void the_mute_one_wins(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1, 2);
	invite(&r, t, LB_NONE);
	t->invite.cseq = 1; /* kept as 0: see tick() */
	pass(&r, 2 * S);
	t->invite.cseq = 0;
	assert_true(t->legs >= 2);
	assert_int_equal(calls_at(&r, 0) + calls_at(&r, 1), 2);
	respond(&r, t, &t->leg[0], 200, 6, 0);
	assert_int_equal(calls_at(&r, 0) + calls_at(&r, 1), 2);
	respond(&r, t, &t->leg[t->legs - 1], 180, 7, 0);
	respond(&r, t, &t->leg[t->legs - 1], 487, 7, 0);
	assert_int_equal(calls_at(&r, t->leg[0].gateway), 1);
	assert_int_equal(calls_at(&r, !t->leg[0].gateway), 0);
	in_dialog(&r, t, METHOD_BYE, 6, false);
	answer(&r, t, 200, 0);
	assert_int_equal(calls_at(&r, 0) + calls_at(&r, 1), 0);
	stop(&r);
}

/* Without room to keep it, or without a transaction, a call counts all the same. */
static void without_a_transaction(void **state)
{
	static const uint16_t ends[] = { 486, 200 };
	struct room r;

	start(&r, 1, 1);
	for (unsigned i = 0; i < 2; i++) {
		struct talk *t = &r.talk[i];

		*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, ++r.next, 1) };
		note_acts(&r, t, lb_input(r.w.worker, r.w.snap, &t->invite, r.w.now, r.w.act));
		assert_int_equal(calls_at(&r, 0), 1);
		respond(&r, t, &t->leg[0], 180, 5, 0);
		respond(&r, t, &t->leg[0], ends[i], 5, 300);
		respond(&r, t, &t->leg[0], ends[i], 5, 300);
		assert_int_equal(calls_at(&r, 0), i);
	}
	in_dialog(&r, &r.talk[1], METHOD_BYE, 5, true);
	answer(&r, &r.talk[1], 200, 0);
	assert_int_equal(calls_at(&r, 0), 0);
	stop(&r);
}

static void take_record(struct room *r, struct lb_record *record, uint8_t how, uint16_t status, uint16_t out)
{
	assert_true(lb_record_next(r->w.worker, record));
	assert_int_equal(record->how, how);
	assert_int_equal(record->status, status);
	assert_int_equal(record->out, out);
	assert_int_equal(record->in, LB_NONE);
	assert_int_equal(record->peer, 0);
	assert_int_equal(record->ended, r->w.now);
}

static struct str record_text(const struct lb_record *record, unsigned at, unsigned n)
{
	return (struct str){ record->text + at, n };
}

static void calls_are_recorded(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];
	char long_id[300];

	start(&r, 1, 3);
	r.w.records = 2;
	world_calls(&r.w, 100);
	memset(long_id, 'x', sizeof(long_id));
	invite(&r, t, LB_NONE);
	respond(&r, t, &t->leg[0], 503, 5, 0);
	pass(&r, S / 2);
	respond(&r, t, &t->leg[1], 200, 6, 0);
	assert_false(lb_record_next(r.w.worker, &record));
	pass(&r, 60 * S);
	in_dialog(&r, t, METHOD_BYE, 6, false);
	answer(&r, t, 200, 0);
	take_record(&r, &record, LB_END_BYE, 200, t->leg[1].gateway);
	assert_int_equal(record.age_ms, 60500);
	assert_int_equal(record.answered_ms, 60000);
	assert_int_equal(record.bye_caller, 1);
	assert_int_equal(record.n_tries, 1);
	assert_int_equal(record.tries[0].gateway, t->leg[0].gateway);
	assert_int_equal(record.tries[0].status, 503);
	assert_true(str_eq(record_text(&record, 0, record.caller_n), STR("1234")));
	assert_true(str_eq(record_text(&record, record.caller_n, record.number_n), STR("+8212345678")));
	assert_true(str_eq(record_text(&record, record.caller_n + record.number_n, record.call_id_n),
			   STR("a@b.example")));
	invite(&r, t, LB_NONE);
	respond(&r, t, &t->leg[0], 486, 5, 0);
	take_record(&r, &record, LB_END_FAILED, 486, t->leg[0].gateway);
	assert_int_equal(record.answered_ms, 0);
	assert_int_equal(record.n_tries, 1);
	for (unsigned i = 0; i < 3; i++) { /* one more than there is room for */
		invite(&r, t, LB_NONE);
		respond(&r, t, &t->leg[0], 404, 5, 0);
	}
	assert_int_equal(r.w.lane->count[ST_RECORDS], 4);
	assert_int_equal(r.w.lane->count[ST_RECORDS_LOST], 1);
	assert_true(lb_record_next(r.w.worker, &record) && lb_record_next(r.w.worker, &record));
	assert_false(lb_record_next(r.w.worker, &record));
	*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, 99, 1) };
	t->invite.call_id = text_of(long_id, sizeof(long_id));
	note_acts(&r, t, lb_input(r.w.worker, r.w.snap, &t->invite, r.w.now, r.w.act));
	respond(&r, t, &t->leg[0], 404, 5, 0);
	take_record(&r, &record, LB_END_FAILED, 404, t->leg[0].gateway);
	assert_int_equal(record.number_n + record.call_id_n, LIMIT_RECORD_TEXT);
	stop(&r);
}

static void tried(const struct lb_record *record, unsigned i, const struct leg *leg, uint16_t status)
{
	assert_true(i < record->n_tries);
	assert_int_equal(record->tries[i].gateway, leg->gateway);
	assert_int_equal(record->tries[i].status, status);
}

/* Every gateway is told of once, whatever it says when it was given up. */
static void records_tell_why(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];
	unsigned second;

	start(&r, 1, 3);
	r.w.records = 4;
	world_calls(&r.w, 100);
	invite(&r, t, LB_NONE);
	t->invite.cseq = 1; /* kept as 0: see tick() */
	pass(&r, S + S / 10);
	t->invite.cseq = 0;
	second = t->legs - 1;
	respond(&r, t, &t->leg[0], 100, 0, 0);
	respond(&r, t, &t->leg[0], 487, 5, 0);
	bounce(&r, t, &t->leg[second]);
	assert_int_equal(t->legs, second + 2);
	respond(&r, t, &t->leg[second + 1], 486, 6, 0);
	take_record(&r, &record, LB_END_FAILED, 486, t->leg[second + 1].gateway);
	assert_int_equal(record.n_tries, 3);
	tried(&record, 0, &t->leg[0], LB_LEFT_SILENT);
	tried(&record, 1, &t->leg[second], LB_LEFT_ICMP);
	tried(&record, 2, &t->leg[second + 1], 486);

	pass(&r, 60 * S);
	invite(&r, t, LB_NONE);
	respond(&r, t, &t->leg[0], 180, 5, 0);
	cancel(&r, t);
	assert_false(lb_record_next(r.w.worker, &record));
	respond(&r, t, &t->leg[0], 487, 5, 0);
	take_record(&r, &record, LB_END_CANCELLED, 487, t->leg[0].gateway);
	assert_int_equal(record.n_tries, 1);
	tried(&record, 0, &t->leg[0], 487);

	pass(&r, 60 * S);
	lb_set_admin(r.w.words, 1, LB_DRAIN);
	lb_set_admin(r.w.words, 2, LB_DRAIN);
	invite(&r, t, LB_NONE);
	for (unsigned i = 0; i < 400; i++)
		pass(&r, S / 10);
	assert_true(lb_record_next(r.w.worker, &record));
	assert_int_equal(record.how, LB_END_FAILED);
	assert_int_equal(record.status, 408);
	assert_int_equal(record.n_tries, 1);
	tried(&record, 0, &t->leg[0], LB_LEFT_SILENT);
	assert_false(lb_record_next(r.w.worker, &record));
	stop(&r);
}

/* Two dialogs of one call are one record, made when the last has ended, and it knows whose BYE that was. */
static void forked_answers_are_one_record(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1, 1);
	r.w.records = 4;
	world_calls(&r.w, 100);
	invite(&r, t, LB_NONE);
	respond(&r, t, &t->leg[0], 200, 5, 0);
	respond(&r, t, &t->leg[0], 200, 6, 0);
	assert_true(in_dialog(&r, t, METHOD_BYE, 5, false));
	answer(&r, t, 200, 0);
	assert_false(lb_record_next(r.w.worker, &record));
	assert_true(in_dialog(&r, t, METHOD_BYE, 6, true));
	answer(&r, t, 200, 0);
	take_record(&r, &record, LB_END_BYE, 200, 0);
	assert_int_equal(record.bye_caller, 0);
	assert_int_equal(record.n_tries, 0);
	assert_false(lb_record_next(r.w.worker, &record));
	stop(&r);
}

/* Calls of another process: each BYE takes one off, once, however often and from whom it comes. */
static void survivors_end(void **state)
{
	struct room r;

	start(&r, 1, 1);
	lb_set_survivors(r.w.words, 0, 3);
	lb_set_gateway_calls(r.w.words, 0, 4);
	invite(&r, &r.talk[0], LB_NONE); /* one of its own */
	respond(&r, &r.talk[0], &r.talk[0].leg[0], 200, 5, 0);
	assert_int_equal(invite(&r, &r.talk[1], LB_NONE), 1); /* full */
	for (unsigned i = 0; i < 3; i++) {
		struct talk *t = &r.talk[2 + i];
		struct world other;

		world_start(&other, 1); /* where the call was set up: same keys */
		t->invite = world_request(&other, METHOD_INVITE, 100 + i, 1);
		lb_input(other.worker, other.snap, &t->invite, other.now, other.act);
		t->token_n = other.act[0].token_n;
		memcpy(t->token, other.act[0].token, t->token_n);
		t->leg[0].dst = other.act[0].dst;
		world_free(&other);
		for (unsigned k = 0; k < 4; k++) {
			assert_true(in_dialog(&r, t, METHOD_BYE, 9, k % 2));
			answer(&r, t, 200, 0);
		}
		assert_int_equal(lb_get_survivors(r.w.words, 0), 2 - i);
	}
	lb_set_survivors(r.w.words, 0, 1);
	in_dialog(&r, &r.talk[0], METHOD_BYE, 5, false); /* has an entry: no survivor */
	answer(&r, &r.talk[0], 200, 0);
	in_dialog(&r, &r.talk[0], METHOD_BYE, 5, true); /* both at once */
	assert_int_equal(lb_get_survivors(r.w.words, 0), 1);
	assert_int_equal(r.w.lane->count[ST_SURVIVOR_ENDED], 3);
	stop(&r);
}

/* ---- At random --------------------------------------------------------------------------------------- */

#define MAX_CALLS 5

static void random_event(struct room *r)
{
	static const uint16_t codes[] = { 100, 180, 183, 200, 200, 302, 404, 486, 503, 503, 603, 487 };
	static const uint16_t ends[] = { 200, 200, 481, 408, 401, 407, 500 };
	struct talk *t = &r->talk[draw(r, 24)];
	uint32_t to = 5 + draw(r, 6), known = draw(r, 4) ? t->to : to;

	switch (draw(r, 12)) {
	case 0:
		invite(r, t, draw(r, 3) ? LB_NONE : draw(r, 4));
		break;
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		if (t->legs)
			respond(r, t, &t->leg[draw(r, t->legs)], codes[draw(r, 12)], to, draw(r, 3) * 300);
		break;
	case 6:
		if (t->invite.request)
			cancel(r, t);
		break;
	case 7:
	case 8:
		if (t->token_n && in_dialog(r, t, METHOD_BYE, known, draw(r, 2)) && draw(r, 3))
			answer(r, t, ends[draw(r, 7)], 0);
		break;
	case 9:
		if (t->token_n &&
		    in_dialog(r, t, draw(r, 2) ? METHOD_INVITE : METHOD_UPDATE, known, draw(r, 2)))
			answer(r, t, draw(r, 3) ? 200 : 491, draw(r, 2) * 600);
		break;
	case 10:
		lb_set_health(r->w.words, draw(r, 4), draw(r, 4) ? LB_UP : LB_DOWN);
		break;
	default:
		pass(r, draw(r, 20) ? draw(r, S) : draw(r, 100 * S));
		break;
	}
}

static void nothing_is_left(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct room r;

		start(&r, seed, 4);
		r.w.records = seed % 2;
		world_calls(&r.w, seed % 4 ? 100 : 12);
		for (uint16_t slot = 0; slot < 3; slot++)
			lb_set_gateway_calls(r.w.words, slot, MAX_CALLS);
		lb_set_peer_calls(r.w.words, 0, 14);
		for (unsigned turn = 0; turn < 5000; turn++) {
			random_event(&r);
			audit(&r);
			assert_true(lb_peer_calls(r.w.words, 0) <= 14);
		}
		for (unsigned i = 0; i < 40; i++)
			pass(&r, 600 * S);
		audit(&r);
		for (uint16_t slot = 0; slot < 4; slot++)
			assert_int_equal(lb_gateway_calls(r.w.words, slot), 0);
		assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
		assert_int_equal(lb_call_count(r.w.worker), 0);
		stop(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(from_invite_to_bye),
		cmocka_unit_test(from_a_gateway),
		cmocka_unit_test(sessions),
		cmocka_unit_test(a_peer_has_its_limit),
		cmocka_unit_test(fail_over_moves_it),
		cmocka_unit_test(the_mute_one_wins),
		cmocka_unit_test(without_a_transaction),
		cmocka_unit_test(survivors_end),
		cmocka_unit_test(calls_are_recorded),
		cmocka_unit_test(records_tell_why),
		cmocka_unit_test(forked_answers_are_one_record),
		cmocka_unit_test(nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
