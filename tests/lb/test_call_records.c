/* SPDX-License-Identifier: BSD-3-Clause */
/* What the records of ended calls tell. */
#include "tests/lb/check.h"
#include "tests/lb/room.h"

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

/* One caller, so many gateways, and place for so many records. */
static void start(struct room *r, unsigned gateways, uint32_t records)
{
	room_start(r, 1, gateways);
	r->w.records = records;
	world_calls(&r->w, 100);
}

static void calls_are_recorded(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];
	char long_id[300];

	start(&r, 3, 2);
	memset(long_id, 'x', sizeof(long_id));
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 503, 5, 0);
	room_pass(&r, S / 2);
	talk_respond(&r, t, &t->leg[1], 200, 6, 0);
	assert_false(lb_record_next(r.w.worker, &record));
	room_pass(&r, 60 * S);
	talk_in_dialog(&r, t, METHOD_BYE, 6, false);
	talk_answer(&r, t, 200, 0);
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
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 486, 5, 0);
	take_record(&r, &record, LB_END_FAILED, 486, t->leg[0].gateway);
	assert_int_equal(record.answered_ms, 0);
	assert_int_equal(record.n_tries, 1);
	for (unsigned i = 0; i < 3; i++) { /* one more than there is room for */
		talk_invite(&r, t, LB_NONE);
		talk_respond(&r, t, &t->leg[0], 404, 5, 0);
	}
	assert_int_equal(r.w.lane->count[ST_RECORDS], 4);
	assert_int_equal(r.w.lane->count[ST_RECORDS_LOST], 1);
	assert_true(lb_record_next(r.w.worker, &record) && lb_record_next(r.w.worker, &record));
	assert_false(lb_record_next(r.w.worker, &record));
	*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, 99, 1) };
	t->invite.call_id = text_of(long_id, sizeof(long_id));
	talk_send(&r, t);
	talk_respond(&r, t, &t->leg[0], 404, 5, 0);
	take_record(&r, &record, LB_END_FAILED, 404, t->leg[0].gateway);
	assert_int_equal(record.number_n + record.call_id_n, LIMIT_RECORD_TEXT);
	*t = (struct talk){ .invite = world_request(&r.w, METHOD_INVITE, 98, 1) };
	t->invite.call_id = t->invite.caller = t->invite.number = text_of(long_id, sizeof(long_id));
	talk_send(&r, t);
	talk_respond(&r, t, &t->leg[0], 404, 5, 0);
	take_record(&r, &record, LB_END_FAILED, 404, t->leg[0].gateway);
	assert_int_equal(record.caller_n, 64); /* a third for each, if all are long */
	assert_int_equal(record.number_n, 64);
	assert_int_equal(record.call_id_n, 64);
	room_stop(&r);
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

	start(&r, 3, 4);
	talk_invite(&r, t, LB_NONE);
	talk_pass(&r, t, S + S / 10);
	second = t->legs - 1;
	talk_respond(&r, t, &t->leg[0], 100, 0, 0);
	talk_respond(&r, t, &t->leg[0], 487, 5, 0);
	talk_bounce(&r, t, &t->leg[second]);
	assert_int_equal(t->legs, second + 2);
	talk_respond(&r, t, &t->leg[second + 1], 486, 6, 0);
	take_record(&r, &record, LB_END_FAILED, 486, t->leg[second + 1].gateway);
	assert_int_equal(record.n_tries, 3);
	tried(&record, 0, &t->leg[0], LB_LEFT_SILENT);
	tried(&record, 1, &t->leg[second], LB_LEFT_ICMP);
	tried(&record, 2, &t->leg[second + 1], 486);

	room_pass(&r, 60 * S);
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 180, 5, 0);
	talk_cancel(&r, t);
	assert_false(lb_record_next(r.w.worker, &record));
	talk_respond(&r, t, &t->leg[0], 487, 5, 0);
	take_record(&r, &record, LB_END_CANCELLED, 487, t->leg[0].gateway);
	assert_int_equal(record.n_tries, 1);
	tried(&record, 0, &t->leg[0], 487);

	room_pass(&r, 60 * S);
	lb_set_admin(r.w.words, 1, LB_DRAIN);
	lb_set_admin(r.w.words, 2, LB_DRAIN);
	talk_invite(&r, t, LB_NONE);
	for (unsigned i = 0; i < 400; i++)
		room_pass(&r, S / 10);
	assert_true(lb_record_next(r.w.worker, &record));
	assert_int_equal(record.how, LB_END_FAILED);
	assert_int_equal(record.status, 408);
	assert_int_equal(record.n_tries, 1);
	tried(&record, 0, &t->leg[0], LB_LEFT_SILENT);
	assert_false(lb_record_next(r.w.worker, &record));
	room_stop(&r);
}

/* Two dialogs of one call are one record, made when the last has ended, and it knows whose BYE that was. */
static void forked_answers_are_one_record(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 1, 4);
	talk_invite(&r, t, LB_NONE);
	talk_respond(&r, t, &t->leg[0], 200, 5, 0);
	talk_respond(&r, t, &t->leg[0], 200, 6, 0);
	assert_true(talk_in_dialog(&r, t, METHOD_BYE, 5, false));
	talk_answer(&r, t, 200, 0);
	assert_false(lb_record_next(r.w.worker, &record));
	assert_true(talk_in_dialog(&r, t, METHOD_BYE, 6, true));
	talk_answer(&r, t, 200, 0);
	take_record(&r, &record, LB_END_BYE, 200, 0);
	assert_int_equal(record.bye_caller, 0);
	assert_int_equal(record.n_tries, 0);
	assert_false(lb_record_next(r.w.worker, &record));
	room_stop(&r);
}

/* Two gateways have answered: the record is that of the one which has the call last. */
static void two_gateways_are_one_record(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 2, 4);
	talk_invite(&r, t, LB_NONE);
	talk_pass(&r, t, S + S / 10);
	talk_respond(&r, t, &t->leg[t->legs - 1], 200, 6, 0);
	talk_respond(&r, t, &t->leg[0], 200, 5, 0);
	talk_in_dialog(&r, t, METHOD_BYE, 6, false);
	talk_answer(&r, t, 200, 0);
	assert_false(lb_record_next(r.w.worker, &record));
	room_pass(&r, 60 * S);
	talk_in_dialog(&r, t, METHOD_BYE, 5, true);
	talk_answer(&r, t, 200, 0);
	take_record(&r, &record, LB_END_BYE, 200, t->leg[0].gateway);
	assert_int_equal(record.age_ms, 61100);
	assert_int_equal(record.answered_ms, 60000);
	assert_true(str_eq(record_text(&record, 0, record.caller_n), STR("1234")));
	assert_false(lb_record_next(r.w.worker, &record));
	room_stop(&r);
}

/*
 * The caller was told no, and then a gateway that was left, or another fork, answers after all. The call is
 * up and is paid for: it counts where it should, and has a record of its own, which says that there is one
 * before.
 */
static void a_late_answer_is_recorded(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];
	struct leg *late;

	start(&r, 2, 4);
	lb_set_peer_calls(r.w.words, 0, 1);
	for (unsigned fork = 0; fork < 2; fork++) {
		talk_invite(&r, t, LB_NONE);
		talk_pass(&r, t, S + S / 10);
		late = &t->leg[fork ? t->legs - 1 : 0];
		talk_respond(&r, t, &t->leg[t->legs - 1], 486, 6, 0);
		take_record(&r, &record, LB_END_FAILED, 486, t->leg[t->legs - 1].gateway);
		assert_false(record.late);
		room_pass(&r, S);
		talk_respond(&r, t, late, 200, 5, 0);
		talk_respond(&r, t, late, 200, 5, 0); /* repeated */
		assert_int_equal(room_calls(&r, late->gateway), 1);
		assert_int_equal(lb_peer_calls(r.w.words, 0), 1);
		assert_false(lb_record_next(r.w.worker, &record));
		room_pass(&r, 60 * S);
		talk_in_dialog(&r, t, METHOD_BYE, 5, false);
		talk_answer(&r, t, 200, 0);
		assert_int_equal(room_calls(&r, late->gateway), 0);
		assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
		take_record(&r, &record, LB_END_BYE, 200, late->gateway);
		assert_true(record.late);
		assert_int_equal(record.age_ms, 62100);
		assert_int_equal(record.answered_ms, 60000);
		assert_int_equal(record.n_tries, 0);
		assert_true(str_eq(record_text(&record, 0, record.caller_n), STR("1234")));
		assert_true(
			str_eq(record_text(&record, record.caller_n, record.number_n), STR("+8212345678")));
		assert_true(str_eq(record_text(&record, record.caller_n + record.number_n, record.call_id_n),
				   STR("a@b.example")));
		assert_false(lb_record_next(r.w.worker, &record));
	}
	assert_int_equal(r.w.lane->count[ST_CALL_FAILED], 2);
	assert_int_equal(r.w.lane->count[ST_CALL_BYE], 2);
	room_stop(&r);
}

/* Of two that answer late, one record, of the one which has the call last. */
static void two_late_answers_are_one_record(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];

	start(&r, 2, 4);
	talk_invite(&r, t, LB_NONE);
	talk_pass(&r, t, S + S / 10);
	talk_respond(&r, t, &t->leg[t->legs - 1], 603, 6, 0);
	take_record(&r, &record, LB_END_FAILED, 603, t->leg[t->legs - 1].gateway);
	talk_respond(&r, t, &t->leg[0], 200, 5, 0);
	talk_respond(&r, t, &t->leg[t->legs - 1], 200, 7, 0);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 1);
	talk_in_dialog(&r, t, METHOD_BYE, 5, false);
	talk_answer(&r, t, 200, 0);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 1);
	assert_false(lb_record_next(r.w.worker, &record));
	talk_in_dialog(&r, t, METHOD_BYE, 7, false);
	talk_answer(&r, t, 200, 0);
	assert_int_equal(lb_peer_calls(r.w.words, 0), 0);
	take_record(&r, &record, LB_END_BYE, 200, t->leg[t->legs - 1].gateway);
	assert_true(record.late);
	assert_int_equal(record.call_id_n, 11);
	assert_false(lb_record_next(r.w.worker, &record));
	room_stop(&r);
}

/* The table was full when the INVITE came, and is not when it is answered: it counts, and its record is the
 * first. */
static void a_place_comes_with_the_answer(void **state)
{
	struct lb_record record;
	struct room r;
	struct talk *t = &r.talk[0];

	room_start(&r, 1, 1);
	r.w.records = 4;
	world_calls(&r.w, 1);
	talk_invite(&r, &r.talk[1], LB_NONE);
	talk_invite(&r, t, LB_NONE);
	assert_int_equal(room_calls(&r, 0), 1);
	talk_respond(&r, &r.talk[1], &r.talk[1].leg[0], 486, 5, 0);
	take_record(&r, &record, LB_END_FAILED, 486, 0);
	room_pass(&r, 2 * S);
	talk_respond(&r, t, &t->leg[0], 200, 5, 0);
	assert_int_equal(room_calls(&r, 0), 1);
	room_pass(&r, 60 * S);
	talk_in_dialog(&r, t, METHOD_BYE, 5, false);
	talk_answer(&r, t, 200, 0);
	assert_int_equal(room_calls(&r, 0), 0);
	take_record(&r, &record, LB_END_BYE, 200, 0);
	assert_false(record.late);
	assert_int_equal(record.age_ms, 62000);
	assert_int_equal(r.w.lane->count[ST_CALL_UNCOUNTED], 1);
	room_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_are_recorded),
		cmocka_unit_test(records_tell_why),
		cmocka_unit_test(forked_answers_are_one_record),
		cmocka_unit_test(two_gateways_are_one_record),
		cmocka_unit_test(a_late_answer_is_recorded),
		cmocka_unit_test(two_late_answers_are_one_record),
		cmocka_unit_test(a_place_comes_with_the_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
