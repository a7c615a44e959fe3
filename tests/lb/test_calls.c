/* SPDX-License-Identifier: BSD-3-Clause */
/* Counted calls: every way in and every way out. */
#include "tests/lb/check.h"
#include "tests/lb/tally.h"

static void an_answered_bye_ends_it(void **state)
{
	static const uint16_t ends[] = { 200, 202, 481, 408 };
	struct tally b;

	tally_make(&b, ENTRIES);
	for (unsigned i = 0; i < 4; i++) {
		answered_call(&b, i, 0, 0);
		expect(&b, 1, 0, 1, 1);
		assert_true(i % 2 ? bye(&b, i, 7) : bye_from_callee(&b, i, 7));
		expect(&b, 1, 0, 1, 1);
		bye_answered(&b, i, 7, ends[i]);
		expect_none(&b);
		bye_answered(&b, i, 7, ends[i]); /* repeated */
		assert_false(bye(&b, i, 7));
		expect_none(&b);
	}
	assert_int_equal(b.lane->count[ST_CALL_BYE], 4);
	tally_free(&b);
}

static void an_unanswered_bye_ends_it(void **state)
{
	struct tally b;

	tally_make(&b, ENTRIES);
	answered_call(&b, 1, 0, 0);
	wait_for(&b, 10 * S);
	assert_true(bye(&b, 1, 7));
	wait_for(&b, 16 * S);
	assert_true(bye(&b, 1, 7));
	assert_true(bye_from_callee(&b, 1, 7)); /* both at once: the first counts */
	wait_for(&b, 16 * S - MS);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, 66 * MS);
	expect_none(&b);
	assert_int_equal(b.lane->count[ST_CALL_BYE_UNANSWERED], 1);
	tally_free(&b);
}

static void a_challenged_bye_does_not(void **state)
{
	static const uint16_t not [] = { 401, 407 };
	struct tally b;

	tally_make(&b, ENTRIES);
	answered_call(&b, 1, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(bye(&b, 1, 7));
		bye_answered(&b, 1, 7, 100);
		bye_answered(&b, 1, 7, not [i]);
		wait_for(&b, 100 * S);
		expect(&b, 1, 0, 1, 1);
	}
	assert_true(bye(&b, 1, 7));
	bye_answered(&b, 1, 7, 500); /* says nothing about the dialog */
	wait_for(&b, 31 * S);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, 2 * S);
	expect_none(&b);
	tally_free(&b);
}

/* More than one reading handles, and more than it reads at once. */
static void a_crowd_expires(void **state)
{
	enum {
		CROWD = 10000
	};
	unsigned readings = 0;
	struct tally b;

	tally_make(&b, CROWD);
	for (unsigned i = 0; i < CROWD; i++)
		open_call(&b, i, 0);
	b.now += SETUP - MS;
	calls_expire(&b.c, b.now);
	expect(&b, CROWD, 0, CROWD, CROWD);
	b.now += 2 * MS;
	do
		calls_expire(&b.c, b.now);
	while (++readings < CROWD && b.c.is_reading);
	assert_true(readings >= CROWD / 64);
	expect_none(&b);
	assert_int_equal(b.lane->count[ST_CALL_SILENT], CROWD);
	tally_free(&b);
}

/* The last of many is found, though one reading does not come as far. */
static void one_in_a_crowd_expires(void **state)
{
	enum {
		CROWD = 10000
	};
	struct tally b;

	tally_make(&b, CROWD);
	for (unsigned i = 0; i + 1 < CROWD; i++)
		answered_call(&b, i, 0, 0);
	wait_for(&b, HOUR); /* their deadlines are those of answered calls now */
	open_call(&b, CROWD, 0);
	wait_for(&b, SETUP - MS);
	expect(&b, CROWD, 0, CROWD, CROWD);
	wait_for(&b, 2 * MS);
	expect(&b, CROWD - 1, 0, CROWD - 1, CROWD - 1);
	assert_int_equal(b.lane->count[ST_CALL_SILENT], 1);
	tally_free(&b);
}

static void wrong_tags_do_nothing(void **state)
{
	struct call_key key = key_of(1);
	struct tally b;

	tally_make(&b, ENTRIES);
	open_call(&b, 1, 0);
	assert_false(bye(&b, 1, 7)); /* an early one: the INVITE's final response will tell */
	call_confirm(&b.c, call_of(&b.c, &key), 7, 0, b.now);
	assert_false(bye(&b, 1, 8));
	assert_false(bye(&b, 2, 7));
	assert_false(call_bye(&b.c, key.call_hash, 7, 8, b.now));
	assert_false(call_bye(&b.c, key.call_hash, key.caller, key.caller, b.now));
	bye_answered(&b, 1, 8, 200);
	bye_answered(&b, 1, 0, 481);
	wait_for(&b, 60 * S);
	expect(&b, 1, 0, 1, 1);
	tally_free(&b);
}

static void a_failed_set_up_ends_it(void **state)
{
	struct call_key key = key_of(1);
	struct tally b;
	uint32_t i;

	tally_make(&b, ENTRIES);
	i = open_call(&b, 1, 0);
	call_fail(&b.c, i, LB_END_FAILED, 486, false, b.now);
	expect_none(&b);
	assert_int_equal(call_of(&b.c, &key), CALL_NONE);
	call_fail(&b.c, i, LB_END_FAILED, 486, false, b.now);
	expect_none(&b);
	i = answered_call(&b, 1, 0, 0);
	call_fail(&b.c, i, LB_END_FAILED, 486, false, b.now); /* a final of another fork, after the 2xx */
	expect(&b, 1, 0, 1, 1);
	tally_free(&b);
}

static void a_silent_set_up_ends(void **state)
{
	struct tally b;
	uint32_t i;

	tally_make(&b, ENTRIES);
	i = open_call(&b, 1, 0);
	wait_for(&b, 200 * S);
	call_news(&b.c, i, b.now);
	wait_for(&b, 200 * S);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, 13 * S);
	expect_none(&b);
	assert_int_equal(b.lane->count[ST_CALL_SILENT], 1);
	tally_free(&b);
}

static void no_call_is_longer_than_max_duration(void **state)
{
	struct tally b;

	tally_make(&b, ENTRIES);
	open_call(&b, 1, 0);
	wait_for(&b, 60 * S);
	call_confirm(&b.c, 0, 7, 0, b.now);
	wait_for(&b, 4 * HOUR - MS);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, MS);
	expect_none(&b);
	assert_int_equal(b.lane->count[ST_CALL_DURATION], 1);
	tally_free(&b);
}

static void a_session_lapses(void **state)
{
	static const struct {
		uint32_t interval, lives;
	} cases[] = { { 1800, 2400 }, { 90, 122 }, { 10, 122 }, { 96, 128 }, { 100, 133 } };
	struct tally b;

	tally_make(&b, ENTRIES);
	for (unsigned i = 0; i < 5; i++) {
		answered_call(&b, i, 0, cases[i].interval);
		wait_for(&b, cases[i].lives * S - MS);
		expect(&b, 1, 0, 1, 1);
		wait_for(&b, 400 * MS);
		expect_none(&b);
	}
	assert_int_equal(b.lane->count[ST_CALL_SESSION], 5);
	b.c.spec.grace_ns = 6400 * MS; /* T1 is 100 ms */
	answered_call(&b, 8, 0, 0);
	refreshed(&b, 8, 7, 1);
	wait_for(&b, 120 * S - MS); /* a third more of 90 s is longer */
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, 400 * MS);
	expect_none(&b);
	answered_call(&b, 9, 0, UINT32_MAX); /* nonsense does no harm */
	wait_for(&b, 4 * HOUR - MS);
	expect(&b, 1, 0, 1, 1);
	tally_free(&b);
}

static void a_refresh_moves_the_session(void **state)
{
	struct tally b;

	tally_make(&b, ENTRIES);
	answered_call(&b, 1, 0, 300);
	wait_for(&b, 250 * S);
	refreshed(&b, 1, 8, 300); /* not this dialog */
	refreshed(&b, 1, 7, 300);
	call_confirm(&b.c, 0, 7, 90, b.now); /* a repeated 2xx of the first INVITE */
	wait_for(&b, 399 * S);
	expect(&b, 1, 0, 1, 1);
	refreshed(&b, 1, 7, 0); /* without the header it is off */
	wait_for(&b, 2 * HOUR);
	expect(&b, 1, 0, 1, 1);
	refreshed(&b, 1, 7, 90);
	wait_for(&b, 123 * S);
	expect_none(&b);
	tally_free(&b);
}

/* One fork has a session timer, the other has not: the call outlives the first one's. */
static void forks_differ_in_their_sessions(void **state)
{
	static const uint32_t sessions[][2] = { { 0, 90 }, { 90, 0 }, { 90, 1800 }, { 1800, 90 } };
	struct tally b;

	tally_make(&b, ENTRIES);
	for (unsigned i = 0; i < 4; i++) {
		call_confirm(&b.c, answered_call(&b, i, 0, sessions[i][0]), 8, sessions[i][1], b.now);
		bye(&b, i, sessions[i][0] == 90 ? 7 : 8);
		bye_answered(&b, i, sessions[i][0] == 90 ? 7 : 8, 200);
		wait_for(&b, 1800 * S);
		expect(&b, 1, 0, 1, 1);
		bye(&b, i, sessions[i][0] == 90 ? 8 : 7);
		bye_answered(&b, i, sessions[i][0] == 90 ? 8 : 7, 200);
		expect_none(&b);
	}
	tally_free(&b);
}

/* A refresh in one of two dialogs does not bring the end of the other one nearer; alone, it counts. */
static void a_refresh_spares_the_other_fork(void **state)
{
	struct tally b;

	tally_make(&b, ENTRIES);
	call_confirm(&b.c, answered_call(&b, 1, 0, 0), 8, 1800, b.now);
	refreshed(&b, 1, 8, 90);
	wait_for(&b, HOUR);
	expect(&b, 1, 0, 1, 1);
	bye(&b, 1, 7);
	bye_answered(&b, 1, 7, 200);
	refreshed(&b, 1, 8, 90);
	wait_for(&b, 123 * S);
	expect_none(&b);
	tally_free(&b);
}

static void forks_are_one_call(void **state)
{
	struct tally b;
	uint32_t i;

	tally_make(&b, ENTRIES);
	i = answered_call(&b, 1, 0, 0);
	for (uint32_t to = 8; to <= 10; to++)
		call_confirm(&b.c, i, to, 0, b.now);
	expect(&b, 1, 0, 1, 1);
	for (uint32_t to = 7; to <= 10; to++) {
		expect(&b, 1, 0, 1, 1);
		assert_true(bye(&b, 1, to));
		bye_answered(&b, 1, to, 200);
		call_confirm(&b.c, to < 10 ? i : 1, to, 0, b.now); /* repeated 2xx: does not bring it back */
	}
	expect_none(&b);
	tally_free(&b);
}

static void more_forks_than_four(void **state)
{
	struct tally b;
	uint32_t i;

	tally_make(&b, ENTRIES);
	i = answered_call(&b, 1, 0, 0);
	for (uint32_t to = 8; to <= 12; to++)
		call_confirm(&b.c, i, to, 0, b.now);
	assert_int_equal(b.lane->count[ST_CALL_DIALOGS], 2);
	assert_false(bye(&b, 1, 12)); /* too early to be known: it has to wait for one of the four */
	for (uint32_t to = 7; to <= 12; to++) {
		expect(&b, 1, 0, 1, 1);
		assert_true(bye(&b, 1, to));
		assert_true(bye(&b, 1, to));
		bye_answered(&b, 1, to, 200);
		bye_answered(&b, 1, to, 200);
	}
	expect_none(&b);
	tally_free(&b);
}

/* Call 1, which has moved from gateway 0 to 1; the branch at 0 may still bring it. */
static uint32_t start_moved(struct tally *b)
{
	uint32_t i;

	tally_make(b, ENTRIES);
	i = open_call(b, 1, 0);
	move_call(b, i, 1, true);
	return i;
}

/* A branch that was left keeps its place for 32 s, or until it says no; the entry goes on elsewhere. */
static void a_move_leaves_a_hold(void **state)
{
	struct call_key key = key_of(1), other = key;
	struct tally b;
	uint32_t i = start_moved(&b);

	other.branch++;
	expect(&b, 1, 1, 1, 1);
	assert_int_equal(call_of(&b.c, &key), i);
	call_let_go(&b.c, &key, 1); /* no hold */
	call_let_go(&b.c, &other, 0);
	expect(&b, 1, 1, 1, 1);
	call_let_go(&b.c, &key, 0);
	call_let_go(&b.c, &key, 0);
	expect(&b, 0, 1, 1, 1);
	move_call(&b, i, 0, true);
	call_confirm(&b.c, i, 7, 0, b.now);
	bye(&b, 1, 7);
	bye_answered(&b, 1, 7, 200);
	expect(&b, 0, 1, 0, 0);
	wait_for(&b, 32 * S - MS);
	expect(&b, 0, 1, 0, 0);
	wait_for(&b, MS);
	expect_none(&b);
	call_let_go(&b.c, &key, 1);
	i = open_call(&b, 1, 0);
	move_call(&b, i, 1, false); /* refused: nothing is left there */
	expect(&b, 0, 1, 1, 1);
	tally_free(&b);
}

/* The caller has been told no, and a gateway that was left may still say yes. */
static void a_failure_leaves_a_hold(void **state)
{
	struct call_key key = key_of(1);
	struct tally b;

	tally_make(&b, ENTRIES);
	call_fail(&b.c, open_call(&b, 1, 0), LB_END_FAILED, 486, true, b.now);
	expect(&b, 1, 0, 0, 0);
	assert_int_equal(call_of(&b.c, &key), CALL_NONE);
	wait_for(&b, 32 * S);
	expect_none(&b);
	tally_free(&b);
}

static void the_branch_left_wins(void **state)
{
	struct call_key key = key_of(1);
	struct tally b;
	uint32_t i = start_moved(&b);

	call_swap(&b.c, i, &key, 0, b.now);
	expect(&b, 1, 1, 1, 1);
	call_confirm(&b.c, i, 7, 0, b.now);
	call_let_go(&b.c, &key, 1);
	expect(&b, 1, 0, 1, 1);
	call_swap(&b.c, i, &key, 0, b.now);
	expect(&b, 1, 0, 1, 1);
	call_swap(&b.c, i, &key, 1, b.now); /* and once more, after its hold was over */
	expect(&b, 1, 1, 1, 1);
	wait_for(&b, 33 * S);
	expect(&b, 0, 1, 1, 1);
	tally_free(&b);
}

static void a_full_table(void **state)
{
	struct call_key key = key_of(1);
	struct tally b;

	tally_make(&b, 2);
	open_call(&b, 1, 0);
	assert_true(calls_room(&b.c));
	open_call(&b, 2, 0);
	assert_false(calls_room(&b.c));
	assert_int_equal(open_call(&b, 3, 0), CALL_NONE); /* uncounted: there is no limit */
	assert_int_equal(b.lane->count[ST_CALL_UNCOUNTED], 1);
	expect(&b, 2, 0, 2, 2);
	lb_set_gateway_calls(b.words, 0, 100);
	assert_false(word_reserve(&b.words->gateway[0], calls_room(&b.c)));
	call_move(&b.c, call_of(&b.c, &key), 1, true, b.now); /* no entry for a hold */
	word_take(&b.words->gateway[1]);
	expect(&b, 1, 1, 2, 2);
	call_fail(&b.c, call_of(&b.c, &key), LB_END_FAILED, 486, false, b.now);
	assert_true(calls_room(&b.c));
	open_call(&b, 3, 0);
	expect(&b, 2, 0, 2, 2);
	tally_free(&b);
}

static void out_only(void **state)
{
	struct call_key key = key_of(1);
	struct call_sides sides = { .in = 3, .out = LB_NONE, .peer = LB_NONE, .share = SHARE_NONE };
	struct tally b;
	struct call e;

	tally_make(&b, ENTRIES);
	sides.began = b.now;
	call_open(&b.c, &key, &sides, b.now);
	expect(&b, 0, 0, 0, 0);
	assert_true(call_read(&b.c, 0, &e));
	assert_int_equal(e.in, 3);
	assert_false(call_read(&b.c, 1, &e));
	call_fail(&b.c, 0, LB_END_FAILED, 486, false, b.now);
	assert_false(call_read(&b.c, 0, &e));
	expect_none(&b);
	tally_free(&b);
}

/* Two legs of one Call-ID, as from a proxy that forks before Weir: each is a call. */
static void same_call_id(void **state)
{
	struct call_key key = key_of(1);
	struct call_sides sides = { .in = LB_NONE, .out = 1, .peer = LB_NONE, .share = SHARE_NONE };
	struct tally b;
	uint32_t i, j;

	tally_make(&b, ENTRIES);
	i = answered_call(&b, 1, 0, 0);
	key.branch++;
	sides.began = b.now;
	word_take(&b.words->gateway[1]);
	j = call_open(&b.c, &key, &sides, b.now);
	assert_int_not_equal(i, j);
	call_confirm(&b.c, j, 9, 0, b.now);
	expect(&b, 1, 1, 1, 1);
	bye(&b, 1, 7);
	bye_answered(&b, 1, 7, 200);
	expect(&b, 0, 1, 0, 0);
	bye(&b, 1, 9);
	bye_answered(&b, 1, 9, 200);
	expect_none(&b);
	tally_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answered_bye_ends_it),
		cmocka_unit_test(an_unanswered_bye_ends_it),
		cmocka_unit_test(a_challenged_bye_does_not),
		cmocka_unit_test(a_crowd_expires),
		cmocka_unit_test(one_in_a_crowd_expires),
		cmocka_unit_test(wrong_tags_do_nothing),
		cmocka_unit_test(a_failed_set_up_ends_it),
		cmocka_unit_test(a_silent_set_up_ends),
		cmocka_unit_test(no_call_is_longer_than_max_duration),
		cmocka_unit_test(a_session_lapses),
		cmocka_unit_test(a_refresh_moves_the_session),
		cmocka_unit_test(forks_differ_in_their_sessions),
		cmocka_unit_test(a_refresh_spares_the_other_fork),
		cmocka_unit_test(forks_are_one_call),
		cmocka_unit_test(more_forks_than_four),
		cmocka_unit_test(a_move_leaves_a_hold),
		cmocka_unit_test(a_failure_leaves_a_hold),
		cmocka_unit_test(the_branch_left_wins),
		cmocka_unit_test(a_full_table),
		cmocka_unit_test(out_only),
		cmocka_unit_test(same_call_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
