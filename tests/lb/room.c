/* SPDX-License-Identifier: BSD-3-Clause */
/* See room.h. */
#include <stdlib.h>
#include "lb/worker.h"
#include "tests/lb/check.h"
#include "tests/lb/room.h"

uint64_t room_draw(struct room *r, uint64_t below)
{
	return next_random(&r->random) % below;
}

void room_audit(struct room *r)
{
	memset(r->gateways, 0, 8 * sizeof(uint32_t)); /* no more of them are in use */
	memset(r->peers, 0, 4 * sizeof(uint32_t));
	lb_audit(r->w.worker, r->gateways, r->peers);
	for (uint16_t slot = 0; slot < 8; slot++)
		assert_int_equal(r->gateways[slot], lb_gateway_calls(r->w.words, slot));
	assert_int_equal(r->peers[0], lb_peer_calls(r->w.words, 0));
	memset(r->gateways, 0, 8 * sizeof(uint32_t));
	lb_audit_open(r->w.worker, r->gateways);
	for (uint16_t slot = 0; slot < 8; slot++)
		assert_int_equal(r->gateways[slot], lb_gateway_open(r->w.words, slot));
	for (uint16_t slot = 0; slot < 8; slot++) {
		const uint64_t *count = r->w.lane->gateways[slot].count;

		assert_int_equal(count[ST_GW_PLACES_TAKEN] - count[ST_GW_PLACES_GIVEN],
				 lb_gateway_calls(r->w.words, slot));
		assert_int_equal(count[ST_GW_OPEN_TAKEN] - count[ST_GW_OPEN_GIVEN],
				 lb_gateway_open(r->w.words, slot));
	}
	assert_int_equal(r->w.lane->count[ST_CALL_DRIFT], 0);
}

void room_start(struct room *r, uint64_t seed, unsigned gateways)
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

/* What each pair has taken of its places (nobody limits them here) is what its calls hold. */
static void audit_shares(const struct room *r)
{
	const struct shares *t = &r->w.words->shares;

	for (uint32_t i = 0; i < LIMIT_SHARES; i++) {
		if (t->key[i])
			assert_int_equal(SHARE_ANY - t->at[i].places, r->w.worker->shares[i].calls);
	}
}

void room_stop(struct room *r)
{
	audit_shares(r);
	world_free(&r->w);
	free(r->gateways);
	free(r->peers);
}

/* Adds n actions to the hash of all. */
static void digest(struct room *r, unsigned n)
{
	static const struct lb_key key = { .k = { 5, 6 } };

	for (unsigned k = 0; k < n; k++) {
		const struct lb_act *act = &r->w.act[k];
		const uint32_t numbers[] = { act->op,   act->end,      act->gateway,  act->status,
					     act->kept, act->listener, act->dst.port, act->retry_after_s };

		r->acts = lb_hash_more(&key, r->acts, numbers, sizeof(numbers));
		r->acts = lb_hash_more(&key, r->acts, act->branch, act->branch_n);
		r->acts = lb_hash_more(&key, r->acts, act->token, act->token_n);
	}
}

/* As before a message of the call of `of`, for another kind of message nearly always. */
static void fetch(struct room *r, const struct lb_query *of)
{
	struct lb_query q = *of;

	q.request = next_random(&r->guesses) % 2;
	q.method = next_random(&r->guesses) % (METHOD_OTHER + 1);
	q.status = 100 * (1 + next_random(&r->guesses) % 6);
	q.token.n = next_random(&r->guesses) % 2;
	for (enum lb_fetch step = LB_FETCH_HEADS; step <= LB_FETCH_NEXT; step++)
		lb_prefetch(r->w.worker, &q, step);
}

/* The message in a burst with others: of its own call and of calls that are known or not. */
static unsigned input(struct room *r, const struct lb_query *q)
{
	unsigned n;

	for (unsigned i = 0; r->guesses && i < 24; i++)
		fetch(r, &r->talk[i].invite);
	if (r->guesses)
		fetch(r, q);
	n = lb_input(r->w.worker, r->w.snap, q, r->w.now, r->w.act);
	digest(r, n);
	return n;
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
		digest(r, n);
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

void room_pass(struct room *r, uint64_t ns)
{
	r->w.now += ns;
	tick(r);
}

unsigned talk_send(struct room *r, struct talk *t)
{
	unsigned n = input(r, &t->invite);

	note_acts(r, t, n);
	return n;
}

unsigned talk_invite(struct room *r, struct talk *t, uint16_t from)
{
	*t = (struct talk){ .invite = world_request(&r->w, METHOD_INVITE, ++r->next, 1) };
	t->invite.room = 1;
	t->invite.call_id = STR("a@b.example");
	t->invite.caller = STR("1234");
	if (from != LB_NONE)
		t->invite.src = t->invite.reply_to = r->w.gateway[from].addr;
	return talk_send(r, t);
}

void talk_respond(struct room *r, struct talk *t, const struct leg *leg, uint16_t status, uint32_t to,
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
	note_acts(r, t, input(r, &q));
}

void talk_bounce(struct room *r, struct talk *t, const struct leg *leg)
{
	struct lb_query q = t->invite;

	q.lost = 1;
	q.src = leg->dst;
	q.via_to = t->invite.reply_to;
	q.branch = text_of(leg->branch, leg->n);
	note_acts(r, t, input(r, &q));
}

void talk_pass(struct room *r, struct talk *t, uint64_t ns)
{
	t->invite.cseq = 1; /* its INVITE is kept as 0 */
	room_pass(r, ns);
	t->invite.cseq = 0;
}

void talk_cancel(struct room *r, struct talk *t)
{
	struct lb_query q = t->invite;

	q.method = METHOD_CANCEL;
	input(r, &q);
}

int talk_in_dialog(struct room *r, struct talk *t, enum method method, uint32_t to, bool from_callee)
{
	struct lb_query q = t->invite;
	unsigned n;

	q.method = method;
	q.has_to_tag = 1;
	q.to_hash = to;
	q.to_tag = STR("their-tag");
	q.token = text_of(t->token, t->token_n);
	q.via_hash += 1 + room_draw(r, 3);
	if (from_callee) {
		q.from_hash = to;
		q.to_hash = (uint32_t)t->invite.from_hash;
		q.src = q.reply_to = t->leg[0].dst;
	}
	n = input(r, &q);
	if (r->w.act[n - 1].op != LB_FORWARD)
		return 0;
	t->bye = q;
	t->bye_n = r->w.act[n - 1].branch_n;
	memcpy(t->bye_branch, r->w.act[n - 1].branch, t->bye_n);
	return 1;
}

void talk_answer(struct room *r, struct talk *t, uint16_t status, uint32_t session_s)
{
	struct lb_query q = t->bye;

	q.request = 0;
	q.status = status;
	q.session_s = session_s;
	q.via_to = t->bye.reply_to;
	q.branch = text_of(t->bye_branch, t->bye_n);
	input(r, &q);
}

uint32_t room_calls(struct room *r, uint16_t slot)
{
	room_audit(r);
	return lb_gateway_calls(r->w.words, slot);
}
