/* SPDX-License-Identifier: BSD-3-Clause */
/* Health of one gateway: schedule, deadline and thresholds, played with a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/probe.h"

#define MS     1000000ull
#define SECOND 1000000000ull

static const struct probe_rules rules = {
	.interval = 5 * SECOND, .timeout = SECOND, .down_after = 3, .up_after = 2
};

/* Sends the next probe when it is due; returns when. */
static uint64_t send_next(struct probe *p)
{
	uint64_t now = p->next;

	assert_true(probe_due(p, now));
	assert_false(probe_due(p, now - 1));
	probe_sent(p, &rules, now, 0);
	return now;
}

static bool answer(struct probe *p, uint64_t at, uint16_t status)
{
	bool stray, changed = probe_answered(p, &rules, at, status, &stray);

	assert_false(stray);
	return changed;
}

static bool silence(struct probe *p)
{
	bool lost, changed;

	assert_false(probe_expired(p, &rules, p->deadline - 1, &lost));
	assert_false(lost);
	changed = probe_expired(p, &rules, p->deadline, &lost);
	assert_true(lost);
	return changed;
}

static void starts_up_and_spread(void **state)
{
	struct probe p;

	for (uint64_t phase = 0; phase < 12 * SECOND; phase += 700 * MS) {
		probe_init(&p, &rules, phase, 1234567890123);
		assert_int_equal(p.health, LB_UP);
		assert_true(p.next >= 1234567890123 && p.next < 1234567890123 + rules.interval);
		assert_int_equal(p.next % rules.interval, phase % rules.interval);
		assert_int_equal(probe_wake(&p), p.next);
	}
}

static void down_only_after_silences_in_a_row(void **state)
{
	struct probe p;
	uint64_t at;

	probe_init(&p, &rules, 0, 100 * SECOND);
	send_next(&p);
	assert_false(silence(&p));
	send_next(&p);
	assert_false(silence(&p));
	at = send_next(&p);
	assert_false(answer(&p, at + 999 * MS, 503)); /* any response is life */
	assert_int_equal(p.failures, 0);
	for (int i = 0; i < 2; i++) {
		send_next(&p);
		assert_false(silence(&p));
	}
	at = send_next(&p);
	assert_true(silence(&p));
	assert_int_equal(p.health, LB_DOWN);
	assert_int_equal(p.since, at + rules.timeout);
	send_next(&p);
	assert_false(silence(&p)); /* DOWN already */
}

static void up_only_after_answers_in_a_row(void **state)
{
	struct probe p;

	probe_init(&p, &rules, 0, 100 * SECOND);
	for (int i = 0; i < 3; i++) {
		send_next(&p);
		silence(&p);
	}
	assert_int_equal(p.health, LB_DOWN);
	assert_false(answer(&p, send_next(&p) + MS, 200));
	send_next(&p);
	assert_false(silence(&p));
	assert_false(answer(&p, send_next(&p) + MS, 200));
	assert_true(answer(&p, send_next(&p) + MS, 405));
	assert_int_equal(p.health, LB_UP);
	assert_int_equal(p.successes, 2);
}

static void late_and_second_answers_do_not_count(void **state)
{
	struct probe p;
	bool stray, lost;
	uint64_t at;

	probe_init(&p, &rules, 0, 100 * SECOND);
	at = send_next(&p);
	assert_false(probe_answered(&p, &rules, at + rules.timeout + 1, 200, &stray));
	assert_true(stray);
	assert_false(probe_expired(&p, &rules, at + rules.timeout + 1, &lost));
	assert_true(lost);
	assert_false(probe_answered(&p, &rules, at + 2 * SECOND, 200, &stray));
	assert_true(stray);
	at = send_next(&p);
	assert_false(answer(&p, at + MS, 200));
	probe_answered(&p, &rules, at + 2 * MS, 200, &stray);
	assert_true(stray);
	assert_int_equal(p.successes, 1);
}

static void unsent_says_nothing(void **state)
{
	struct probe p;
	struct ctl_probe seen[CTL_PROBES];

	probe_init(&p, &rules, 0, 100 * SECOND);
	for (int i = 0; i < 5; i++)
		probe_unsent(&p, &rules, p.next, 0);
	assert_int_equal(p.health, LB_UP);
	assert_int_equal(p.failures, 0);
	assert_int_equal(probe_history(&p, seen), 5);
	assert_int_equal(seen[0].end, CTL_PROBE_UNSENT);
}

static void our_own_stall_says_nothing(void **state)
{
	struct probe p;
	struct ctl_probe seen[CTL_PROBES];

	probe_init(&p, &rules, 0, 100 * SECOND);
	for (int i = 0; i < 2; i++) {
		send_next(&p);
		silence(&p);
	}
	send_next(&p);
	probe_void(&p);
	assert_false(p.open);
	assert_int_equal(p.failures, 2); /* neither better nor worse */
	assert_int_equal(probe_history(&p, seen), 3);
	assert_int_equal(seen[0].end, CTL_PROBE_UNSENT);
	send_next(&p);
	assert_true(silence(&p));
}

static void jitter_stays_within_a_tenth_and_does_not_add_up(void **state)
{
	struct probe p;
	uint32_t random = 1;

	probe_init(&p, &rules, SECOND, 0);
	for (uint64_t i = 0; i < 1000; i++) {
		random = random * 1664525 + 1013904223;
		assert_true(p.next >= SECOND + i * rules.interval);
		assert_true(p.next <= SECOND + i * rules.interval + rules.interval / 10);
		probe_sent(&p, &rules, p.next, random);
		answer(&p, p.ring[(p.total - 1) % CTL_PROBES].sent + MS, 200);
	}
}

static void a_late_loop_skips_probes_and_sends_no_burst(void **state)
{
	struct probe p;

	probe_init(&p, &rules, 0, 100 * SECOND);
	probe_sent(&p, &rules, 117 * SECOND, 0);
	assert_int_equal(p.next, 120 * SECOND);
	assert_false(probe_due(&p, 121 * SECOND)); /* one at a time */
}

static void keeps_the_newest_results(void **state)
{
	struct probe p;
	struct ctl_probe seen[CTL_PROBES];

	probe_init(&p, &rules, 0, 100 * SECOND);
	for (unsigned i = 0; i < 40; i++)
		answer(&p, send_next(&p) + i * MS, (uint16_t)(200 + i));
	assert_int_equal(probe_history(&p, seen), CTL_PROBES);
	for (unsigned i = 0; i < CTL_PROBES; i++) {
		assert_int_equal(seen[i].status, 239 - i);
		assert_int_equal(seen[i].rtt_ns, (39 - i) * MS);
		assert_int_equal(seen[i].end, CTL_PROBE_ANSWERED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(starts_up_and_spread),
		cmocka_unit_test(down_only_after_silences_in_a_row),
		cmocka_unit_test(up_only_after_answers_in_a_row),
		cmocka_unit_test(late_and_second_answers_do_not_count),
		cmocka_unit_test(unsent_says_nothing),
		cmocka_unit_test(our_own_stall_says_nothing),
		cmocka_unit_test(jitter_stays_within_a_tenth_and_does_not_add_up),
		cmocka_unit_test(a_late_loop_skips_probes_and_sends_no_burst),
		cmocka_unit_test(keeps_the_newest_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
