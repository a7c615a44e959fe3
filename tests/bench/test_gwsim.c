/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The queue and the servers of the emulated gateway in virtual time: what it completes under load must be
 * what the arithmetic of overload says, or nothing measured with it means anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "bench/gwsim/gwsim.h"

/* What the gateway said last, how often, and the finals that have no ACK yet. */
static struct {
	uint16_t status;
	uint64_t n[700];
	uint32_t n_finals;
	struct gw_txn *final[16];
} said;

void gw_say(struct gw *g, struct gw_txn *t, uint16_t status)
{
	t->status = status;
	said.status = status;
	said.n[status]++;
	if (status >= 200 && !t->is_options)
		said.final[said.n_finals++] = t;
}

void gw_txn_free(struct gw *g, struct gw_txn *t)
{
	kit_disarm(&g->sim->heap, &t->timer);
	free(t);
}

void gw_oc_timer(struct gw *g)
{
}

static struct gw *make(const char *text)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	struct gw *g = calloc(1, sizeof(*g));
	char copy[256], *word[16];
	uint32_t n = 0;

	memset(&said, 0, sizeof(said));
	strcpy(copy, text);
	for (char *p = strtok(copy, " "); p; p = strtok(NULL, " "))
		word[n++] = p;
	sim->draw.state = 1;
	g->sim = sim;
	gw_defaults(&g->set);
	assert_null(gw_set(&g->set, word, n, false));
	gw_start(g);
	return g;
}

/* ACKs come at once. */
static void acknowledge(struct gw *g)
{
	while (said.n_finals)
		gw_acked(g, said.final[--said.n_finals]);
}

static void pass(struct gw *g, uint64_t at)
{
	acknowledge(g);
	for (struct kit_timer *t; (t = kit_due(&g->sim->heap, at));) {
		g->sim->now = t->at;
		gw_timer(g->sim, t);
		acknowledge(g);
	}
	g->sim->now = at;
}

static void drop(struct gw *g)
{
	pass(g, UINT64_MAX / 2);
	free(g->sim->heap.of);
	free(g->sim);
	free(g);
}

static struct gw_txn *invite(struct gw *g)
{
	struct gw_txn *t = calloc(1, sizeof(*t));

	t->gw = g;
	t->came = g->sim->now;
	gw_arrive(g, t);
	return t;
}

/* Calls answered a second at x times the capacity over `seconds`, divided by the capacity. */
static double goodput(struct gw *g, double x, double seconds)
{
	double capacity = g->set.servers * 1e9 / (double)g->set.service;
	uint64_t at = 0, before = 0;

	while ((double)at < (5 + seconds) * 1e9) {
		at += (uint64_t)kit_exponential(&g->sim->draw, 1e9 / (x * capacity));
		pass(g, at);
		if (at < 5 * S)
			before = g->count[GW_answered];
		invite(g);
	}
	return (double)(g->count[GW_answered] - before) / seconds / capacity;
}

static void test_formula(void **state)
{
	static const struct {
		const char *set;
		double r, x;
	} row[] = {
		{ "servers=32 service=400ms", 0.1, 2 },
		{ "servers=32 service=400ms", 0.1, 5 },
		{ "servers=32 service=400ms", 0.1, 8 },
		{ "servers=1 service=12.5ms", 0.1, 5 },
		{ "servers=32 service=400ms", 0.02, 5 },
		{ "servers=32 service=400ms distribution=exponential", 0.2, 3 },
		{ "servers=32 service=400ms", 0, 10 },
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		char text[128];
		struct gw *g;
		double got, want = (1 - row[i].r * row[i].x) / (1 - row[i].r);

		snprintf(text, sizeof(text), "%s reject=%g", row[i].set, row[i].r);
		g = make(text);
		got = goodput(g, row[i].x, 400);
		if (fabs(got - want) > 0.015)
			fail_msg("%s x=%g: goodput %.3f, formula %.3f", text, row[i].x, got, want);
		drop(g);
	}
}

static void test_drop_is_free_unless_reading_costs(void **state)
{
	struct gw *g = make("full=drop");
	double free_of_cost = goodput(g, 5, 200), costly;

	assert_true(free_of_cost > 0.99);
	assert_int_equal(g->count[GW_refused], 0);
	drop(g);
	g = make("full=drop absorb=0.1");
	costly = goodput(g, 5, 200);
	assert_true(fabs(costly - (1 - 0.1 * 5) / (1 - 0.1)) < 0.02); /* as if it were refused */
	drop(g);
}

static void test_first_come_first_served(void **state)
{
	struct gw *g = make("servers=1 service=100ms queue=2 reject=0.5 180=off 100=on-dequeue");

	for (int i = 0; i < 4; i++)
		invite(g);
	assert_int_equal(g->waiting, 2);
	assert_int_equal(said.n[100], 1);
	pass(g, 100 * MS - 1);
	assert_int_equal(said.n[200], 0);
	pass(g, 100 * MS);
	assert_int_equal(said.n[200], 1);
	assert_int_equal(said.n[503], 0);
	pass(g, 150 * MS); /* the refusal took the server before the second call did */
	assert_int_equal(said.n[503], 1);
	pass(g, 250 * MS);
	assert_int_equal(said.n[200], 2);
	pass(g, 350 * MS);
	assert_int_equal(said.n[200], 3);
	assert_true(g->count[GW_acked] == 3 && g->busy_serving == 300 * MS && g->busy_overhead == 50 * MS);
	drop(g);
}

static void test_trying_modes(void **state)
{
	static const struct {
		const char *set;
		uint64_t at_once, later;
	} row[] = { { "100=on-receipt", 3, 3 }, { "100=on-dequeue", 1, 3 }, { "100=never", 0, 0 } };

	for (size_t i = 0; i < 3; i++) {
		char text[64];
		struct gw *g;

		snprintf(text, sizeof(text), "servers=1 service=100ms %s", row[i].set);
		g = make(text);
		for (int n = 0; n < 3; n++)
			invite(g);
		assert_int_equal(said.n[100], row[i].at_once);
		pass(g, S);
		assert_int_equal(said.n[100], row[i].later);
		assert_int_equal(said.n[180], 3);
		drop(g);
	}
}

static void test_cancel_frees_the_place(void **state)
{
	struct gw *g = make("servers=1 service=100ms queue=8");
	struct gw_txn *first = invite(g), *second = invite(g), *third = invite(g);

	gw_cancel(g, second);
	assert_true(said.status == 487 && g->waiting == 1 && g->first == third && g->last == third);
	gw_cancel(g, first); /* the work goes on, the answer does not */
	pass(g, 100 * MS);
	assert_int_equal(said.n[200], 0);
	pass(g, 200 * MS);
	assert_int_equal(said.n[200], 1);
	assert_int_equal(g->count[GW_cancelled], 2);
	drop(g);
}

static void test_finals_repeat_until_acked(void **state)
{
	struct gw *g = make("servers=1 service=100ms 180=off");
	struct gw_txn *t = invite(g);

	for (struct kit_timer *due; (due = kit_due(&g->sim->heap, 20 * S));) {
		g->sim->now = due->at;
		gw_timer(g->sim, due);
	}
	/* 0.1 s, then after 0.5, 1, 2, 4, 4, 4, 4 s */
	assert_int_equal(said.n[200], 8);
	g->sim->now = 20 * S;
	gw_acked(g, t);
	assert_int_equal(g->count[GW_acked], 0);
	assert_int_equal(g->count[GW_acked_late], 1);
	drop(g);
}

static void test_settings(void **state)
{
	static char *const bad[] = { "servers=0", "servers=257", "service=5",        "service=0ms",
				     "queue=x",   "queue",       "colour=red",       "100=sometimes",
				     "fail=+99",  "fail=+99:42", "fail=+99:503:200", "reject=-1" };
	struct gw_settings set, before;
	char *good[] = { "fail=+99:503:34,+98:404", "queue=7", "oc=rate", "service=1.5s" };
	char *mixed[] = { "queue=9", "nonsense=1" }, *late[] = { "servers=2" };

	gw_defaults(&set);
	assert_null(gw_set(&set, good, 4, true));
	assert_true(set.n_fails == 2 && set.fail[0].cause == 34 && set.fail[1].code == 404 && set.queue == 7);
	assert_true(set.oc == KIT_OC_RATE && set.service == 1500 * MS);
	before = set;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!gw_set(&set, &bad[i], 1, false))
			fail_msg("%s was taken", bad[i]);
	assert_non_null(gw_set(&set, mixed, 2, true));
	assert_non_null(gw_set(&set, late, 1, true));
	assert_memory_equal(&before, &set, sizeof(set));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formula),
		cmocka_unit_test(test_drop_is_free_unless_reading_costs),
		cmocka_unit_test(test_first_come_first_served),
		cmocka_unit_test(test_trying_modes),
		cmocka_unit_test(test_cancel_frees_the_place),
		cmocka_unit_test(test_finals_repeat_until_acked),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
