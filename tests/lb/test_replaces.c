/* SPDX-License-Identifier: BSD-3-Clause */
/* INVITEs with Replaces (RFC 3891): they go to the gateway of the call that they replace, if it can take
 * them. */
#include "tests/lb/check.h"
#include "tests/lb/room.h"

#define CALLS 16

/* An INVITE in t that replaces the call of `old`; returns the slot of its gateway, or LB_NONE. */
static uint16_t replace(struct room *r, struct talk *t, const struct lb_query *old)
{
	*t = (struct talk){ .invite = world_request(&r->w, METHOD_INVITE, ++r->next, 1) };
	t->invite.room = 1;
	t->invite.replaces = old->call_hash;
	talk_send(r, t);
	room_audit(r);
	return t->legs ? t->leg[0].gateway : LB_NONE;
}

/* Wherever the call is, and however many others share its place in the table. */
static void to_the_gateway_of_the_call(void **state)
{
	struct room r;

	(void)state;
	room_start(&r, 1, 4);
	world_calls(&r.w, CALLS + 1);
	for (unsigned i = 0; i < CALLS; i++) {
		struct talk *t = &r.talk[i];

		for (uint16_t slot = 0; slot < 4; slot++)
			lb_set_admin(r.w.words, slot, slot == i % 4 ? LB_READY : LB_DRAIN);
		talk_invite(&r, t, LB_NONE);
		talk_respond(&r, t, &t->leg[0], 200, 5, 0);
	}
	for (uint16_t slot = 0; slot < 4; slot++)
		lb_set_admin(r.w.words, slot, LB_READY);
	for (unsigned i = 0; i < CALLS; i++) {
		struct talk *t = &r.talk[CALLS];

		assert_int_equal(replace(&r, t, &r.talk[i].invite), i % 4);
		talk_respond(&r, t, &t->leg[0], 486, 5, 0);
	}
	lb_set_admin(r.w.words, 1, LB_DRAIN); /* it cannot: somebody else */
	assert_int_not_equal(replace(&r, &r.talk[CALLS], &r.talk[1].invite), 1);
	room_stop(&r);
}

/* Of a call from before a restart, or one that rings, the hash tells where it is if all was well. */
static void to_where_an_unknown_call_should_be(void **state)
{
	unsigned elsewhere = 0;
	struct room r;

	(void)state;
	room_start(&r, 1, 4);
	for (uint32_t n = 100; n < 140; n++) {
		const struct lb_query old = world_request(&r.w, METHOD_INVITE, n, 1);
		struct talk *t = &r.talk[0];

		assert_int_equal(replace(&r, t, &old), lb_pick_ideal(r.w.snap, 0, old.call_hash));
		elsewhere += t->leg[0].gateway != lb_pick_ideal(r.w.snap, 0, t->invite.call_hash);
	}
	assert_true(elsewhere > 10); /* than its own hash says */
	room_stop(&r);
}

/* Who asked for credentials comes first: nobody else knows its nonce. */
static void credentials_come_first(void **state)
{
	struct room r;
	struct talk *t = &r.talk[1];
	uint16_t there, asked;

	(void)state;
	room_start(&r, 1, 2);
	talk_invite(&r, &r.talk[0], LB_NONE);
	talk_respond(&r, &r.talk[0], &r.talk[0].leg[0], 200, 5, 0);
	there = r.talk[0].leg[0].gateway;
	lb_set_admin(r.w.words, there, LB_DRAIN);
	asked = replace(&r, t, &r.talk[0].invite);
	assert_int_equal(asked, !there);
	talk_respond(&r, t, &t->leg[0], 407, 9, 0);
	lb_set_admin(r.w.words, there, LB_READY);
	t->invite.via_hash++;
	t->invite.cseq++;
	talk_send(&r, t);
	assert_int_equal(t->leg[t->legs - 1].gateway, asked);
	room_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(to_the_gateway_of_the_call),
		cmocka_unit_test(to_where_an_unknown_call_should_be),
		cmocka_unit_test(credentials_come_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
