/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that a gateway challenges (401, 407): the INVITE with credentials is a new transaction with the same
 * Call-ID and From tag (RFC 3261 22.2, 22.3), and only the gateway that has made the nonce knows it.
 */
#include "lb/worker.h"
#include "tests/lb/check.h"
#include "tests/lb/room.h"

/* Gateway 0 in pool 0, 1 to 3 in pool 1, which gets what is too much there and spills back. */
static struct talk *start(struct room *r)
{
	room_start(r, 1, 1);
	for (unsigned i = 0; i < 3; i++)
		world_gateway(&r->w, 1, 1, 0);
	for (unsigned i = 0; i < 2; i++) {
		r->w.pool[i] = r->w.pool[0];
		r->w.pool[i].name = i ? STR("pool1") : STR("pool0");
		r->w.pool[i].overflow = (uint16_t)(2 - i);
		r->w.pool[i].spill = 100;
	}
	world_build(&r->w);
	return &r->talk[0];
}

static const struct leg *last_leg(const struct talk *t)
{
	return &t->leg[t->legs - 1];
}

/* The gateway that was asked last answers so, and the caller acknowledges; returns its slot. */
static uint16_t refused(struct room *r, struct talk *t, uint16_t status)
{
	struct lb_query ack = t->invite;
	uint16_t slot = last_leg(t)->gateway;

	talk_respond(r, t, last_leg(t), status, 9, 0);
	ack.method = METHOD_ACK;
	ack.has_to_tag = 1;
	lb_input(r->w.worker, r->w.snap, &ack, r->w.now, r->w.act);
	return slot;
}

/* The INVITE once more, in a new transaction; returns the slot of the gateway that gets it, or LB_NONE. */
static uint16_t call_again(struct room *r, struct talk *t)
{
	unsigned legs = t->legs;

	t->invite.via_hash++;
	t->invite.cseq++;
	talk_send(r, t);
	room_audit(r);
	return t->legs == legs ? LB_NONE : last_leg(t)->gateway;
}

static void spilled_call(void **state)
{
	struct room r;
	struct talk *t = start(&r);
	uint16_t where;

	(void)state;
	for (uint16_t at = 1; at <= 3; at++) { /* not only the one of the three that the hash draws */
		for (uint16_t i = 0; i < 4; i++)
			lb_set_gateway_calls(r.w.words, i, i == at ? LB_UNLIMITED : 0);
		talk_invite(&r, t, LB_NONE);
		where = refused(&r, t, at == 2 ? 401 : 407);
		assert_int_equal(where, at);
		for (uint16_t i = 0; i < 4; i++)
			lb_set_gateway_calls(r.w.words, i, LB_UNLIMITED);
		lb_set_spill(r.w.words, 0, 0); /* and it spills once, not twice */
		assert_int_equal(call_again(&r, t), where);
		assert_int_equal(r.w.lane->count[ST_SPILLED], at);
		assert_int_equal(refused(&r, t, 407), where); /* a stale nonce */
		room_pass(&r, 20 * S);
		assert_int_equal(call_again(&r, t), where);
		talk_respond(&r, t, last_leg(t), 200, 5, 0);
		assert_int_equal(lb_gateway_calls(r.w.words, where), 1);
		assert_true(talk_in_dialog(&r, t, METHOD_BYE, 5, false));
		talk_answer(&r, t, 200, 0);
		assert_int_equal(room_calls(&r, where), 0);
		lb_set_spill(r.w.words, 0, LB_UNLIMITED);
	}
	room_stop(&r);
}

/* The same where the INVITE cannot be kept: the pin knows. */
static void spilled_call_without_transaction(void **state)
{
	struct room r;
	struct talk *t = start(&r);

	(void)state;
	for (uint16_t at = 1; at <= 3; at++) {
		for (uint16_t i = 0; i < 4; i++)
			lb_set_gateway_calls(r.w.words, i, i == at ? LB_UNLIMITED : 0);
		*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, at, 1) };
		t->invite.oc_ask = LB_OC_LOSS | LB_OC_RATE; /* which its pin notes, too */
		talk_send(&r, t);
		assert_int_equal(refused(&r, t, 401), at);
		for (uint16_t i = 0; i < 4; i++)
			lb_set_gateway_calls(r.w.words, i, LB_UNLIMITED);
		assert_int_equal(call_again(&r, t), at);
		assert_int_equal(refused(&r, t, 404), at);
		assert_int_equal(call_again(&r, t), 0); /* no challenge: where the route leads */
	}
	room_stop(&r);
}

/* An emergency call is one with its credentials as well, and counts once; without them again it is another
 * one. */
static void urgent_call(void **state)
{
	struct room r;
	struct talk *t = start(&r);

	(void)state;
	lb_set_peer_urgent(r.w.words, 0, 1);
	for (uint16_t i = 0; i < 4; i++)
		lb_set_gateway_rate(r.w.words, i, 0, r.w.now); /* all that is learned forbids it */
	*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, 1, 1) };
	t->invite.sos = 1;
	t->invite.room = 1;
	t->invite.cseq = 1;
	talk_send(&r, t);
	assert_int_equal(refused(&r, t, 407), 0);
	assert_int_equal(call_again(&r, t), 0);
	assert_int_equal(r.w.lane->count[ST_URGENT_EMERGENCY], 1);
	assert_int_equal(refused(&r, t, 407), 0);
	assert_int_equal(call_again(&r, t), LB_NONE); /* challenged again, it is past the cap */
	assert_int_equal(r.w.lane->count[ST_URGENT_OVER], 1);
	room_stop(&r);
}

/* What has spilled does not spill any further when it comes again. */
static void no_call_goes_round(void **state)
{
	struct room r;
	struct talk *t = start(&r);
	uint16_t where;

	(void)state;
	lb_set_gateway_calls(r.w.words, 0, 0);
	talk_invite(&r, t, LB_NONE);
	where = refused(&r, t, 407);
	lb_set_gateway_calls(r.w.words, 0, LB_UNLIMITED);
	for (uint16_t i = 1; i < 4; i++)
		lb_set_gateway_calls(r.w.words, i, i == where ? LB_UNLIMITED : 0);
	assert_int_equal(call_again(&r, t), where);
	refused(&r, t, 503);
	assert_int_equal(last_leg(t)->gateway, where);
	room_stop(&r);
}

/* It goes home if the gateway cannot take it, and if that did not ask for credentials. */
static void unless_it_cannot(void **state)
{
	struct room r;
	struct talk *t = start(&r);
	uint16_t where;

	(void)state;
	for (unsigned round = 0; round < 2; round++) {
		lb_set_gateway_calls(r.w.words, 0, 0);
		talk_invite(&r, t, LB_NONE);
		where = refused(&r, t, round ? 480 : 407);
		assert_in_range(where, 1, 3);
		lb_set_gateway_calls(r.w.words, 0, LB_UNLIMITED);
		if (round == 0)
			lb_set_admin(r.w.words, where, LB_DRAIN);
		assert_int_equal(call_again(&r, t), 0);
		lb_set_admin(r.w.words, where, LB_READY);
	}
	room_stop(&r);
}

/* By a gateway of the pool that the route leads to: the call has not spilled, and may yet. */
static void challenged_at_home(void **state)
{
	struct room r;
	struct talk *t = start(&r);

	(void)state;
	talk_invite(&r, t, LB_NONE);
	assert_int_equal(refused(&r, t, 407), 0);
	assert_int_equal(call_again(&r, t), 0);
	assert_int_equal(refused(&r, t, 503), 0);
	assert_in_range(last_leg(t)->gateway, 1, 3);
	room_stop(&r);
}

/* Calls of the peer that count in its share of the pool. */
static uint32_t shared(struct room *r, uint16_t pool)
{
	uint16_t share = share_of(&r->w.words->shares, share_key(r->w.snap->pools[pool].id, 0));

	assert_int_not_equal(share, SHARE_NONE);
	return r->w.worker->shares[share].calls;
}

/* A call that failed over to another pool: there it counts, too. */
static void failed_over_call(void **state)
{
	struct room r;
	struct talk *t = start(&r);
	uint16_t where;

	(void)state;
	talk_invite(&r, t, LB_NONE);
	assert_int_equal(shared(&r, 0), 1);
	assert_int_equal(refused(&r, t, 503), 0);
	assert_int_equal(shared(&r, 0), 0);
	assert_int_equal(shared(&r, 1), 1);
	where = refused(&r, t, 407);
	assert_int_equal(shared(&r, 1), 0);
	assert_in_range(where, 1, 3);
	assert_int_equal(call_again(&r, t), where);
	room_stop(&r);
}

/* One that a rule sent to another pool: who rang for nothing does not ring again. */
static void moved_call(void **state)
{
	struct lb_reroute_spec rule = { .pool = 1 };
	struct room r;
	struct talk *t = start(&r);
	uint16_t where;

	(void)state;
	lb_codes_add(&rule.on, 486);
	r.w.pool[0].reroutes = &rule;
	r.w.pool[0].n_reroutes = 1;
	for (unsigned spills = 0; spills < 2; spills++) { /* whether it may spill there or not */
		r.w.pool[0].overflow = spills ? 2 : 0;
		world_build(&r.w);
		talk_invite(&r, t, LB_NONE);
		assert_int_equal(refused(&r, t, 486), 0);
		where = refused(&r, t, 407);
		assert_in_range(where, 1, 3);
		assert_int_equal(call_again(&r, t), where);
		refused(&r, t, 404);
	}
	room_stop(&r);
}

/* Who was given up asks for credentials at last, and the one that was asked after it has no better answer. */
static void late_challenge(void **state)
{
	struct room r;
	struct talk *t = &r.talk[0];
	uint16_t mute, other;

	(void)state;
	room_start(&r, 1, 4);
	talk_invite(&r, t, LB_NONE);
	mute = last_leg(t)->gateway;
	talk_pass(&r, t, 1100 * S / 1000);
	other = last_leg(t)->gateway;
	assert_int_not_equal(mute, other);
	talk_respond(&r, t, &t->leg[0], 407, 8, 0);
	refused(&r, t, 480);
	assert_int_equal(call_again(&r, t), mute);
	room_stop(&r);
}

/*
 * The target of a Contact was called by another Request-URI, which only the gateway that redirects the call
 * knows: it goes there first, as it did before.
 */
static void redirected_call(void **state)
{
	struct lb_contact contact = { .uri = STR("sip:+8299@198.51.100.2") };
	struct room r;
	struct talk *t = &r.talk[0];
	struct lb_query q;
	uint16_t first;

	(void)state;
	room_start(&r, 1, 4);
	r.w.pool[0].follow = 1;
	world_build(&r.w);
	talk_invite(&r, t, LB_NONE);
	first = last_leg(t)->gateway;
	contact.addr = r.w.gateway[(first + 1) % 4].addr;
	q = t->invite;
	q.request = 0;
	q.status = 302;
	q.has_to_tag = 1;
	q.src = last_leg(t)->dst;
	q.via_to = q.reply_to;
	q.branch = text_of(last_leg(t)->branch, last_leg(t)->n);
	q.contacts = &contact;
	q.n_contacts = 1;
	lb_input(r.w.worker, r.w.snap, &q, r.w.now, r.w.act);
	assert_int_equal(r.w.act[1].op, LB_RESEND);
	memcpy(t->leg[1].branch, r.w.act[1].branch, r.w.act[1].branch_n);
	t->leg[1].n = r.w.act[1].branch_n;
	t->leg[1].dst = r.w.act[1].dst;
	t->leg[1].gateway = r.w.act[1].gateway;
	t->legs = 2;
	assert_int_equal(refused(&r, t, 407), (first + 1) % 4);
	assert_int_equal(call_again(&r, t), first);
	room_stop(&r);
}

/* A proxy above tries another target of its own after the challenge: that goes where its route leads. */
static void another_fork(void **state)
{
	struct room r;
	struct talk *t = start(&r);

	(void)state;
	world_gateway(&r.w, 2, 1, 0);
	r.w.spec.n_pools = 3;
	r.w.spec.n_routes = 0;
	world_route(&r.w, 2)->number = STR("+99");
	world_route(&r.w, 0);
	world_build(&r.w);
	for (uint8_t room = 0; room < 2; room++) { /* for transactions */
		lb_set_gateway_calls(r.w.words, 0, 0);
		*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, room, 1) };
		t->invite.room = room;
		talk_send(&r, t);
		assert_in_range(refused(&r, t, 407), 1, 3);
		lb_set_gateway_calls(r.w.words, 0, LB_UNLIMITED);
		t->invite.cseq--; /* the same CSeq */
		t->invite.number = STR("+991");
		assert_int_equal(call_again(&r, t), 4);
	}
	room_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spilled_call),     cmocka_unit_test(spilled_call_without_transaction),
		cmocka_unit_test(urgent_call),      cmocka_unit_test(no_call_goes_round),
		cmocka_unit_test(unless_it_cannot), cmocka_unit_test(challenged_at_home),
		cmocka_unit_test(failed_over_call), cmocka_unit_test(moved_call),
		cmocka_unit_test(late_challenge),   cmocka_unit_test(redirected_call),
		cmocka_unit_test(another_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
