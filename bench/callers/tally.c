/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is measured. A tally belongs to the step in which its call began; a series counts when something
 * happens, so that goodput read from it is calls a second at that time, whenever they began.
 */
#include "bench/callers/callers.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	bool series;
} counters[] = {
#define X(name, series, what) { #name, series },
#include "bench/callers/counters.def"
#undef X
};

static const char *const kinds[KINDS] = { "calls", "emergency", "prefixed" };

int tally_make(struct world *w)
{
	for (uint32_t i = 0; i < w->n_peers; i++)
		for (uint32_t n = 0; n < COUNTERS; n++) {
			w->peer[i].series[n] = calloc(MAX_BINS, sizeof(uint32_t));
			if (!w->peer[i].series[n])
				return -ENOMEM;
		}
	return 0;
}

void tally_free(struct world *w)
{
	for (uint32_t i = 0; i < w->n_peers; i++)
		for (uint32_t n = 0; n < COUNTERS; n++)
			free(w->peer[i].series[n]);
}

void tally_count(struct world *w, const struct call *c, enum counter n)
{
	uint64_t bin = (w->now - w->started) / w->bin;

	w->tally[c->step][c->peer][c->kind].n[n]++;
	if (bin < MAX_BINS)
		w->peer[c->peer].series[n][bin]++;
}

static json_t *counts(const struct tally *t)
{
	json_t *all = json_object();

	for (uint32_t n = 0; n < COUNTERS; n++)
		json_object_set_new(all, counters[n].name, json_integer((json_int_t)t->n[n]));
	return all;
}

static void add(struct tally *into, const struct tally *t)
{
	for (uint32_t n = 0; n < COUNTERS; n++)
		into->n[n] += t->n[n];
}

static json_t *percentiles(const struct kit_hist *h)
{
	return json_pack("{s:I, s:f, s:f, s:f}", "n", (json_int_t)h->n, "p50_ms", kit_hist_ms(h, 0.5),
			 "p99_ms", kit_hist_ms(h, 0.99), "max_ms", kit_hist_ms(h, 1));
}

static json_t *codes(const uint32_t *n)
{
	json_t *all = json_object();
	char name[8];

	for (uint32_t code = 300; code < 700; code++) {
		if (n[code] == 0)
			continue;
		snprintf(name, sizeof(name), "%u", code);
		json_object_set_new(all, name, json_integer(n[code]));
	}
	return all;
}

static json_t *report_step(struct world *w, uint32_t s)
{
	json_t *one = json_pack("{s:s, s:f, s:f}", "name", w->steps[s].name, "rate", w->steps[s].rate,
				"seconds", w->steps[s].seconds);
	json_t *peers = json_object();
	struct tally all = { 0 }, of_kind[KINDS] = { 0 };

	for (uint32_t i = 0; i < w->n_peers; i++) {
		struct tally of_peer = { 0 };
		json_t *one_peer;

		for (uint32_t k = 0; k < KINDS; k++) {
			add(&of_peer, &w->tally[s][i][k]);
			add(&of_kind[k], &w->tally[s][i][k]);
		}
		add(&all, &of_peer);
		one_peer = counts(&of_peer);
		json_object_set_new(one_peer, kinds[TO_EMERGENCY], counts(&w->tally[s][i][TO_EMERGENCY]));
		json_object_set_new(peers, w->peer[i].plan.name, one_peer);
	}
	json_object_set_new(one, "all", counts(&all));
	for (uint32_t k = 0; k < KINDS; k++)
		json_object_set_new(one, kinds[k], counts(&of_kind[k]));
	json_object_set_new(one, "peers", peers);
	json_object_set_new(one, "codes", codes(w->codes[s]));
	json_object_set_new(one, "first_response", percentiles(&w->admitted[s]));
	json_object_set_new(one, "refusal", percentiles(&w->refusal[s]));
	return one;
}

static json_t *report_series(struct world *w, const struct peer *only, uint64_t bins)
{
	json_t *all = json_object();

	for (uint32_t n = 0; n < COUNTERS; n++) {
		json_t *one;

		if (!counters[n].series)
			continue;
		one = json_array();
		for (uint64_t b = 0; b < bins; b++) {
			json_int_t sum = 0;

			for (uint32_t i = 0; i < w->n_peers; i++)
				if (!only || only == &w->peer[i])
					sum += w->peer[i].series[n][b];
			json_array_append_new(one, json_integer(sum));
		}
		json_object_set_new(all, counters[n].name, one);
	}
	return all;
}

static json_t *report_peer(struct world *w, const struct peer *p, uint64_t bins)
{
	uint64_t lost = 0;
	json_t *one;

	for (uint32_t i = 0; i < p->plan.n_ports; i++)
		lost += kit_udp_dropped(&p->port[i]) + p->port[i].unsent;
	one = json_pack("{s:I, s:i, s:i, s:I, s:f, s:I}", "retry_after_heard",
			(json_int_t)p->retry_after_heard, "retry_after_min", (int)p->retry_after_min,
			"retry_after_max", (int)p->retry_after_max, "oc_heard", (json_int_t)p->oc_heard,
			"oc_max", p->oc_max, "lost_by_kernel", (json_int_t)lost);
	json_object_set_new(one, "series", report_series(w, p, bins));
	return one;
}

void tally_report(struct world *w)
{
	json_t *all =
		json_pack("{s:f, s:f, s:f, s:i, s:I, s:I}", "started", (double)w->started / 1e9, "bin_s",
			  (double)w->bin / 1e9, "worst_lag_ms", (double)w->worst_lag / 1e6, "unfinished",
			  (int)w->n_up, "no_call", (json_int_t)w->no_call, "odd", (json_int_t)w->odd);
	json_t *steps = json_array(), *peers = json_object(), *result;
	uint64_t bins = (w->now - w->started) / w->bin + 1;

	if (bins > MAX_BINS)
		bins = MAX_BINS;
	for (uint32_t s = 0; s < w->n_steps; s++)
		json_array_append_new(steps, report_step(w, s));
	for (uint32_t i = 0; i < w->n_peers; i++)
		json_object_set_new(peers, w->peer[i].plan.name, report_peer(w, &w->peer[i], bins));
	json_object_set_new(all, "steps", steps);
	json_object_set_new(all, "peers", peers);
	json_object_set_new(all, "series", report_series(w, NULL, bins));
	result = json_pack("{s:o}", "result", all);
	json_dumpf(result, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	fflush(stdout);
	json_decref(result);
}
