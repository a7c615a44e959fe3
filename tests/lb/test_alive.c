/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health as a step of the governor: what it takes from words and workers, what it puts into the words, what
 * only several gateways together can tell, and whom it tells. The machine itself: test_health.c.
 */
#include "lb/govern/governor.h"
#include "tests/lb/check.h"

#define STEP    LB_STEP_NS
#define NOTICES 64

struct bed {
	struct world w;
	struct lb_governor *g;
	struct lb_notice notice[NOTICES];
	unsigned n; /* notices of the last step */
	bool mute[64];
	uint32_t load; /* INVITEs to each gateway in a step; those that are not DOWN get them */
};

static void start(struct bed *b, unsigned gateways)
{
	*b = (struct bed){ .load = 4 };
	world_start(&b->w, gateways);
	b->w.pool[0].learn = LB_LEARN_OFF; /* health alone */
	b->w.pool[0].down_after = 3;
	b->w.pool[0].up_after = 2;
	world_build(&b->w);
	b->g = world_governor(&b->w);
}

static void stop(struct bed *b)
{
	world_free(&b->w);
}

static enum lb_health health(const struct bed *b, uint16_t slot)
{
	return lb_get_health(b->w.words, slot);
}

/* One step in which each gateway that may gets its calls and answers them if it can. */
static void step_after(struct bed *b, uint64_t ns)
{
	b->w.now += ns;
	for (uint16_t i = 0; i < b->w.spec.n_gateways; i++) {
		uint32_t n = health(b, i) == LB_PROBING && b->load ? 1 : b->load;
		struct signals *s;

		if (health(b, i) == LB_DOWN || n == 0)
			continue;
		s = signal_of(b->w.worker->signals, i, b->w.now);
		signal_add(s->sent, n);
		if (b->mute[i])
			continue;
		signal_add(s->answered, n);
		word_hear(&b->w.words->gateway[i], b->w.now);
	}
	b->n = lb_govern(b->g, b->w.snap, b->w.now, b->notice, NOTICES);
}

static void steps(struct bed *b, uint64_t ns)
{
	for (uint64_t end = b->w.now + ns; b->w.now < end;)
		step_after(b, STEP);
}

static void probe_all(struct bed *b)
{
	for (uint16_t i = 0; i < b->w.spec.n_gateways; i++)
		lb_govern_probe(b->g, i, b->mute[i] ? LB_PROBE_SILENT : LB_PROBE_OK, b->w.now);
}

static unsigned count(const struct bed *b, enum lb_health state)
{
	unsigned n = 0;

	for (uint16_t i = 0; i < b->w.spec.n_gateways; i++)
		n += health(b, i) == state;
	return n;
}

/* The notice of a kind in the last step, or NULL. */
static const struct lb_notice *told(const struct bed *b, enum lb_notice_kind kind)
{
	for (unsigned i = 0; i < b->n; i++) {
		if (b->notice[i].kind == kind)
			return &b->notice[i];
	}
	return NULL;
}

static const struct lb_notice *until_told(struct bed *b, enum lb_notice_kind kind, uint64_t most)
{
	for (uint64_t end = b->w.now + most; b->w.now < end;) {
		step_after(b, STEP);
		if (told(b, kind))
			return told(b, kind);
	}
	fail_msg("nothing told");
	return NULL;
}

/* ---- One -------------------------------------------------------------------------------------------------
 */

static void change_is_in_the_words_and_told(void **state)
{
	struct lb_health_sight sight;
	const struct lb_notice *n;
	struct bed b;
	uint64_t from;

	start(&b, 2);
	steps(&b, SECOND);
	b.mute[1] = true;
	from = b.w.now;
	n = until_told(&b, LB_NOTICE_HEALTH, 3 * SECOND);
	assert_true(b.w.now - from < 2 * SECOND);
	assert_int_equal(n->slot, 1);
	assert_int_equal(n->a, LB_DOWN);
	assert_int_equal(n->b, LB_WHY_MUTE);
	assert_in_range(n->c, HEALTH_PENDING, 100);
	assert_int_equal(health(&b, 1), LB_DOWN);
	assert_int_equal(health(&b, 0), LB_UP);
	assert_int_equal(b.w.words->pool[0].able[0], b.w.gateway[0].weight);
	lb_health_look(b.g, 1, &sight);
	assert_int_equal(sight.state, LB_DOWN);
	assert_int_equal(sight.since, b.w.now);

	b.mute[1] = false;
	probe_all(&b);
	probe_all(&b);
	n = until_told(&b, LB_NOTICE_HEALTH, 2 * SECOND);
	assert_int_equal(n->a, LB_PROBING);
	assert_int_equal(b.w.words->gateway[1].rate.interval, SECOND / HEALTH_TRICKLE);
	assert_int_equal(b.w.words->gateway[1].open_cap, HEALTH_TAKEN);
	n = until_told(&b, LB_NOTICE_HEALTH, SECOND);
	assert_int_equal(n->a, LB_SLOWSTART);
	n = until_told(&b, LB_NOTICE_HEALTH, 11 * SECOND);
	assert_int_equal(n->a, LB_UP);
	assert_int_equal(b.w.words->gateway[1].open_cap,
			 LB_UNLIMITED); /* as for one that nothing is known of */
	stop(&b);
}

/* Nobody calls, so no worker has news: probes alone are reason enough to look. */
static void probes_wake(void **state)
{
	struct bed b;

	start(&b, 3);
	b.load = 0;
	steps(&b, SECOND);
	assert_int_equal(b.g->n_awake, 0);
	b.mute[2] = true;
	for (int i = 0; i < 3; i++) {
		steps(&b, 5 * SECOND);
		probe_all(&b);
	}
	step_after(&b, STEP);
	assert_int_equal(health(&b, 2), LB_DOWN);
	assert_int_equal(count(&b, LB_UP), 2);
	steps(&b, 2 * SECOND);
	b.mute[2] = false;
	probe_all(&b);
	probe_all(&b);
	steps(&b, SECOND);
	assert_int_equal(health(&b, 2), LB_PROBING);
	steps(&b, 60 * SECOND);
	assert_int_equal(health(&b, 2), LB_PROBING);
	stop(&b);
}

static void probes_of_nobody(void **state)
{
	struct bed b;

	start(&b, 1);
	steps(&b, SECOND);
	lb_govern_probe(b.g, 63, LB_PROBE_SILENT, b.w.now);
	lb_govern_probe(b.g, LB_NONE, LB_PROBE_SILENT, b.w.now);
	steps(&b, SECOND);
	stop(&b);
}

/* A worker that stood still has heard nobody. */
static void our_own_silence(void **state)
{
	struct bed b;

	start(&b, 1);
	b.w.pool[0].down_after = 0;
	world_build(&b.w);
	steps(&b, SECOND);
	b.mute[0] = true;
	for (int i = 0; i < 50; i++) {
		step_after(&b, STEP);
		lb_govern_deaf(b.g, b.w.now);
	}
	assert_int_equal(health(&b, 0), LB_UP);
	step_after(&b, 3600 * SECOND);
	assert_int_equal(health(&b, 0), LB_UP);
	steps(&b, 14 * STEP);
	assert_int_equal(health(&b, 0), LB_UP);
	steps(&b, 2 * STEP);
	assert_int_equal(health(&b, 0), LB_DOWN);
	b.w.now -= 3600 * SECOND; /* and back */
	steps(&b, 31 * SECOND);
	assert_int_equal(health(&b, 0), LB_PROBING);
	stop(&b);
}

/* ---- A pool
 * ------------------------------------------------------------------------------------------------ */

/* Both were down and answer again: no reason to wait for the other. */
static void nobody_is_well(void **state)
{
	uint64_t alone, beside;
	struct bed b;

	for (int together = 0; together < 2; together++) {
		start(&b, 2);
		steps(&b, SECOND);
		b.mute[1] = true;
		b.mute[0] = together;
		steps(&b, 2 * SECOND);
		assert_int_equal(count(&b, LB_DOWN), 1 + together);
		b.mute[0] = b.mute[1] = false;
		b.load = 0;
		probe_all(&b);
		probe_all(&b);
		steps(&b, 2 * SECOND);
		assert_int_equal(count(&b, LB_PROBING), 1 + together);
		signal_add(signal_of(b.w.worker->signals, 1, b.w.now)->sent, 1);
		signal_add(signal_of(b.w.worker->signals, 1, b.w.now)->answered, 1);
		steps(&b, 2 * STEP);
		*(together ? &alone : &beside) = b.w.words->gateway[1].rate.interval;
		stop(&b);
	}
	assert_int_equal(beside, SECOND);
	assert_int_equal(alone, SECOND / 2);
}

/* All fall and rise together, again and again: never stuck, and never back before anybody has answered. */
static void flap_together(void **state)
{
	struct bed b;

	start(&b, 2);
	steps(&b, SECOND);
	for (int i = 0; i < 12; i++) {
		uint64_t from;

		b.mute[0] = b.mute[1] = true;
		from = b.w.now;
		steps(&b, 2 * SECOND);
		assert_int_equal(count(&b, LB_DOWN), 2);
		b.mute[0] = b.mute[1] = false;
		while (count(&b, LB_UP) < 2) {
			probe_all(&b);
			steps(&b, SECOND);
			assert_true(b.w.now - from < 50 * SECOND);
		}
		steps(&b, SECOND);
	}
	stop(&b);
}

/* ---- A port
 * ------------------------------------------------------------------------------------------------ */

static void panic_keeps_sending(void **state)
{
	const struct lb_notice *n;
	struct bed b;

	start(&b, 5);
	b.w.gateway[4].port = 1;
	world_build(&b.w);
	steps(&b, SECOND);
	for (int i = 0; i < 4; i++)
		b.mute[i] = true;
	n = until_told(&b, LB_NOTICE_PANIC, 2 * SECOND);
	assert_int_equal(n->a, 0);
	assert_int_equal(n->b, 4);
	assert_int_equal(n->c, 4);
	steps(&b, 9 * SECOND);
	assert_int_equal(count(&b, LB_UP), 5);
	assert_true(word_panic(&b.w.words->gateway[0]));
	assert_false(word_panic(&b.w.words->gateway[4]));
	until_told(&b, LB_NOTICE_CALM, 2 * SECOND);
	steps(&b, STEP);
	assert_int_equal(count(&b, LB_DOWN), 4); /* it was not us; and not once more */
	assert_false(word_panic(&b.w.words->gateway[0]));
	steps(&b, 30 * SECOND);
	assert_int_equal(count(&b, LB_DOWN), 4);
	stop(&b);
}

/* Weir has only just begun: who has spoken once and falls silent is doubted to the second, whoever asks him.
 */
static void panic_at_the_start(void **state)
{
	for (int probed = 0; probed < 2; probed++) {
		struct bed b;
		uint64_t from;

		start(&b, 4);
		b.load = probed ? 0 : 4;
		step_after(&b, STEP);
		probe_all(&b);
		step_after(&b, STEP);
		for (int i = 0; i < 4; i++)
			b.mute[i] = true;
		for (from = b.w.now; b.w.now < from + 5 * SECOND && !told(&b, LB_NOTICE_PANIC);) {
			if (probed)
				probe_all(&b);
			step_after(&b, 3 * STEP);
		}
		assert_non_null(told(&b, LB_NOTICE_PANIC));
		from = b.w.now;
		until_told(&b, LB_NOTICE_CALM, 11 * SECOND);
		assert_in_range(b.w.now - from, 10 * SECOND, 10 * SECOND + STEP);
		assert_int_equal(count(&b, LB_DOWN), 4);
		stop(&b);
	}
}

/* Nobody has ever heard of them: they are not there yet, and no reason to doubt ourselves. */
static void no_panic_about_strangers(void **state)
{
	struct bed b;

	start(&b, 4);
	for (int i = 0; i < 4; i++)
		b.mute[i] = true;
	while (count(&b, LB_DOWN) < 4) {
		probe_all(&b);
		step_after(&b, 3 * STEP);
		assert_null(told(&b, LB_NOTICE_PANIC));
		assert_true(b.w.now < 10 * SECOND + b.g->born);
	}
	stop(&b);
}

static void panic_passes(void **state)
{
	struct bed b;

	start(&b, 4);
	steps(&b, SECOND);
	for (int i = 0; i < 4; i++)
		b.mute[i] = true;
	until_told(&b, LB_NOTICE_PANIC, 2 * SECOND);
	steps(&b, 5 * SECOND);
	for (int i = 0; i < 4; i++)
		b.mute[i] = false;
	steps(&b, 30 * SECOND);
	assert_int_equal(count(&b, LB_UP), 4);
	assert_false(word_panic(&b.w.words->gateway[0]));
	assert_null(told(&b, LB_NOTICE_HEALTH));
	stop(&b);
}

/* Only probes, a few seconds apart: when each fell silent is known roughly, and roughly is together. */
static void panic_by_probes(void **state)
{
	struct bed b;

	start(&b, 6);
	b.load = 0;
	steps(&b, SECOND);
	for (int i = 0; i < 30 * 6 && !told(&b, LB_NOTICE_PANIC); i++) {
		uint64_t sent = b.w.now;

		steps(&b, SECOND - STEP);
		b.mute[i % 6] = i >= 9; /* falls silent between two probes of the first */
		lb_govern_probe(b.g, (uint16_t)(i % 6), i >= 9 ? LB_PROBE_SILENT : LB_PROBE_OK, sent);
		step_after(&b, STEP);
		assert_int_equal(count(&b, LB_UP), 6);
	}
	assert_non_null(told(&b, LB_NOTICE_PANIC));
	stop(&b);
}

/* Fell silent one after the other, or too few of them, or told by ICMP: no fault of ours. */
static void no_panic(void **state)
{
	static const struct {
		unsigned gateways, mute;
		uint64_t apart;
		bool icmp;
	} cases[] = {
		{ 2, 2, 0, false }, { 6, 3, 0, false }, { 3, 3, 2 * SECOND, false }, { 4, 4, 0, true }
	};

	for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct bed b;

		start(&b, cases[c].gateways);
		steps(&b, SECOND);
		for (unsigned i = 0; i < cases[c].mute; i++) {
			b.mute[i] = true;
			if (cases[c].icmp && i == 0)
				signal_add(signal_of(b.w.worker->signals, 0, b.w.now)->bounced, 2);
			for (uint64_t end = b.w.now + cases[c].apart; b.w.now < end;)
				step_after(&b, STEP);
		}
		for (int i = 0; i < 20; i++) {
			step_after(&b, STEP);
			assert_null(told(&b, LB_NOTICE_PANIC));
		}
		assert_int_equal(count(&b, LB_DOWN), cases[c].mute);
		stop(&b);
	}
}

static void texts(void **state)
{
	char out[128];

	for (unsigned why = 0; why < LB_WHY_COUNT; why++)
		assert_true(strlen(lb_health_text((enum lb_health_why)why, 42, out, sizeof(out))) > 8);
	assert_string_equal(lb_health_text(LB_WHY_PROBES, 3, out, sizeof(out)),
			    "3 probes in a row without an answer");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(change_is_in_the_words_and_told),
		cmocka_unit_test(probes_wake),
		cmocka_unit_test(probes_of_nobody),
		cmocka_unit_test(our_own_silence),
		cmocka_unit_test(nobody_is_well),
		cmocka_unit_test(flap_together),
		cmocka_unit_test(panic_keeps_sending),
		cmocka_unit_test(panic_at_the_start),
		cmocka_unit_test(no_panic_about_strangers),
		cmocka_unit_test(panic_passes),
		cmocka_unit_test(panic_by_probes),
		cmocka_unit_test(no_panic),
		cmocka_unit_test(texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
