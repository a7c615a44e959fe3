/* SPDX-License-Identifier: BSD-3-Clause */
/* Probes of one gateway: schedule, deadline and results, played with a clock of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "control/probe.h"

#define MS     1000000ull
#define SECOND 1000000000ull

static const struct probe_rules rules = { .interval = 5 * SECOND, .timeout = SECOND };

/* Sends the next probe when it is due; returns when. */
static uint64_t send_next(struct probe *p)
{
	uint64_t now = p->next;

	assert_true(probe_due(p, now));
	assert_false(probe_due(p, now - 1));
	probe_sent(p, &rules, now, 0);
	return now;
}

static void answer(struct probe *p, uint64_t at, uint16_t status)
{
	assert_true(probe_answered(p, at, status));
}

static void silence(struct probe *p)
{
	assert_false(probe_expired(p, p->deadline - 1));
	assert_true(probe_expired(p, p->deadline));
}

static void starts_spread(void **state)
{
	struct probe p;

	for (uint64_t phase = 0; phase < 12 * SECOND; phase += 700 * MS) {
		probe_init(&p, &rules, phase, 1234567890123);
		assert_int_equal(probe_last(&p), 0);
		assert_true(p.next >= 1234567890123 && p.next < 1234567890123 + rules.interval);
		assert_int_equal(p.next % rules.interval, phase % rules.interval);
		assert_int_equal(probe_wake(&p), p.next);
	}
}

static void counts_in_a_row(void **state)
{
	struct probe p;
	uint64_t at;

	probe_init(&p, &rules, 0, 100 * SECOND);
	for (unsigned i = 1; i <= 3; i++) {
		at = send_next(&p);
		assert_int_equal(probe_last(&p), at);
		silence(&p);
		assert_int_equal(p.failures, i);
	}
	at = send_next(&p);
	answer(&p, at + 999 * MS, 503); /* any response is one */
	assert_int_equal(p.failures, 0);
	answer(&p, send_next(&p) + MS, 200);
	assert_int_equal(p.successes, 2);
	send_next(&p);
	silence(&p);
	assert_int_equal(p.successes, 0);
}

static void late_and_second_answers_do_not_count(void **state)
{
	struct probe p;
	uint64_t at;

	probe_init(&p, &rules, 0, 100 * SECOND);
	at = send_next(&p);
	assert_false(probe_answered(&p, at + rules.timeout + 1, 200));
	assert_true(probe_expired(&p, at + rules.timeout + 1));
	assert_false(probe_answered(&p, at + 2 * SECOND, 200));
	at = send_next(&p);
	answer(&p, at + MS, 200);
	assert_false(probe_answered(&p, at + 2 * MS, 200));
	assert_int_equal(p.successes, 1);
}

static void unsent_says_nothing(void **state)
{
	struct probe p;
	struct ctl_probe seen[CTL_PROBES];

	probe_init(&p, &rules, 0, 100 * SECOND);
	for (int i = 0; i < 5; i++)
		probe_unsent(&p, &rules, p.next, 0);
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
	silence(&p);
	assert_int_equal(p.failures, 3);
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
		cmocka_unit_test(starts_spread),
		cmocka_unit_test(counts_in_a_row),
		cmocka_unit_test(late_and_second_answers_do_not_count),
		cmocka_unit_test(unsent_says_nothing),
		cmocka_unit_test(our_own_stall_says_nothing),
		cmocka_unit_test(jitter_stays_within_a_tenth_and_does_not_add_up),
		cmocka_unit_test(a_late_loop_skips_probes_and_sends_no_burst),
		cmocka_unit_test(keeps_the_newest_results),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
