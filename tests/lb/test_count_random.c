/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls at random: fail-over, forks, CANCELs, BYEs of both sides, gateways that die, tables that are full. No
 * new call passes a limit, the words agree with the entries after every event, and when all is over nothing
 * is left.
 */
#include "tests/lb/check.h"
#include "tests/lb/room.h"

#define MAX_CALLS      5
#define MAX_PEER_CALLS 14

/* A new call: not past the peer's limit, which only a call that is up although it was refused may pass. */
static void new_call(struct room *r, struct talk *t)
{
	uint32_t before = lb_peer_calls(r->w.words, 0);

	*t = (struct talk){ .invite = world_request(&r->w, METHOD_INVITE, ++r->next, 1) };
	t->invite.room = room_draw(r, 5) > 0; /* else it goes without transactions */
	if (room_draw(r, 4) == 0) {           /* in the name of another one, and perhaps under its branch */
		const struct lb_query *like = &r->talk[room_draw(r, 24)].invite;

		t->invite.call_hash = like->call_hash;
		t->invite.from_hash = room_draw(r, 4) ? like->from_hash : t->invite.from_hash;
		t->invite.via_hash = room_draw(r, 2) ? like->via_hash : t->invite.via_hash;
		t->invite.cseq = like->cseq + room_draw(r, 2);
	}
	if (room_draw(r, 3) == 0)
		t->invite.src = t->invite.reply_to = r->w.gateway[room_draw(r, 4)].addr;
	talk_send(r, t);
	assert_true(lb_peer_calls(r->w.words, 0) <= (before > MAX_PEER_CALLS ? before : MAX_PEER_CALLS));
}

static void random_event(struct room *r)
{
	static const uint16_t codes[] = { 100, 180, 183, 200, 200, 302, 404, 486, 503, 503, 603, 487 };
	static const uint16_t ends[] = { 200, 200, 481, 408, 401, 407, 500 };
	struct talk *t = &r->talk[room_draw(r, 24)];
	uint32_t to = 5 + room_draw(r, 6), known = room_draw(r, 4) ? t->to : to;

	switch (room_draw(r, 14)) {
	case 0:
		new_call(r, t);
		break;
	case 1:
	case 2:
	case 3:
	case 4:
	case 5:
		if (t->legs)
			talk_respond(r, t, &t->leg[room_draw(r, t->legs)], codes[room_draw(r, 12)], to,
				     room_draw(r, 3) * 300);
		break;
	case 6:
		if (t->invite.request)
			talk_cancel(r, t);
		break;
	case 7:
	case 8:
		if (t->token_n && talk_in_dialog(r, t, METHOD_BYE, known, room_draw(r, 2)) && room_draw(r, 3))
			talk_answer(r, t, ends[room_draw(r, 7)], 0);
		break;
	case 9:
		if (t->token_n && talk_in_dialog(r, t, room_draw(r, 2) ? METHOD_INVITE : METHOD_UPDATE, known,
						 room_draw(r, 2)))
			talk_answer(r, t, room_draw(r, 3) ? 200 : 491, room_draw(r, 2) * 600);
		break;
	case 10:
		lb_set_health(r->w.words, room_draw(r, 4), room_draw(r, 4) ? LB_UP : LB_DOWN);
		break;
	case 11:
		if (t->token_n)
			talk_in_dialog(r, t, METHOD_ACK, known, false);
		break;
	case 12:
		if (t->invite.request)
			talk_send(r, t); /* repeated, or new, when all about it is forgotten */
		break;
	default:
		room_pass(r, room_draw(r, 20) ? room_draw(r, S) : room_draw(r, 100 * S));
		break;
	}
}

static void start(struct room *r, uint64_t seed)
{
	room_start(r, seed, 4);
	r->w.records = seed % 2;
	world_calls(&r->w, seed % 4 ? 100 : 12);
	for (uint16_t slot = 0; slot < 3; slot++)
		lb_set_gateway_calls(r->w.words, slot, MAX_CALLS);
	lb_set_peer_calls(r->w.words, 0, MAX_PEER_CALLS);
}

static void nothing_is_left(void **state)
{
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct room r;

		start(&r, seed);
		for (unsigned turn = 0; turn < 5000; turn++) {
			random_event(&r);
			room_audit(&r);
		}
		for (unsigned i = 0; i < 40; i++)
			room_pass(&r, 600 * S);
		room_audit(&r);
		for (uint16_t slot = 0; slot < 4; slot++)
			assert_int_equal(lb_gateway_calls(r.w.words, slot), 0);
		assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
		assert_int_equal(lb_call_count(r.w.worker), 0);
		assert_int_equal(lb_setup_count(r.w.worker), 0);
		room_stop(&r);
	}
}

/* The same history twice, once with lines fetched by guesses that are wrong: the same comes of it. */
static void guesses_change_nothing(void **state)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct room without, with;

		start(&without, seed);
		start(&with, seed);
		with.guesses = seed;
		for (unsigned turn = 0; turn < 5000; turn++) {
			random_event(&without);
			random_event(&with);
			assert_int_equal(without.acts, with.acts);
		}
		room_stop(&without);
		room_stop(&with);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_left),
		cmocka_unit_test(guesses_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
