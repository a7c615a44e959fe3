/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters and series of all gateways as one line of JSON; starting them anew. */
#include "bench/gwsim/gwsim.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	bool series;
} counters[] = {
#define X(name, series, what) { #name, series },
#include "bench/gwsim/counters.def"
#undef X
};

static json_t *series(const struct gw *g, uint64_t seconds)
{
	json_t *all = json_object(), *queue = json_array();

	for (uint32_t c = 0; c < GW_COUNTERS; c++) {
		json_t *one;

		if (!counters[c].series)
			continue;
		one = json_array();
		for (uint64_t s = 0; s < seconds; s++)
			json_array_append_new(one, json_integer(g->second[s][c]));
		json_object_set_new(all, counters[c].name, one);
	}
	for (uint64_t s = 0; s < seconds; s++)
		json_array_append_new(queue, json_integer(g->second_queue[s]));
	json_object_set_new(all, "queue", queue);
	return all;
}

static json_t *report_one(const struct gw *g, uint64_t seconds)
{
	json_t *all = json_pack("{s:s, s:f, s:i, s:i, s:i, s:i, s:i, s:f, s:f, s:I}", "address", g->udp.text,
				"capacity", g->set.servers * 1e9 / (double)g->set.service, "waiting",
				(int)g->waiting, "max_queue", (int)g->waiting_max, "max_backlog",
				(int)g->backlog_max, "oc_value", (int)g->oc.want.value, "oc_clients",
				(int)gw_oc_clients(g), "busy_serving_s", (double)g->busy_serving / 1e9,
				"busy_overhead_s", (double)g->busy_overhead / 1e9, "lost_by_kernel",
				(json_int_t)(kit_udp_dropped(&g->udp) + g->udp.unsent));

	for (uint32_t c = 0; c < GW_COUNTERS; c++)
		json_object_set_new(all, counters[c].name, json_integer((json_int_t)g->count[c]));
	json_object_set_new(all, "series", series(g, seconds));
	return all;
}

void gw_report(struct sim *sim)
{
	json_t *all = json_object(), *gateways = json_object();
	uint64_t seconds = (sim->now - sim->started) / S + 1;

	if (seconds > MAX_SECONDS)
		seconds = MAX_SECONDS;
	for (uint32_t i = 0; i < sim->n_gw; i++)
		json_object_set_new(gateways, sim->gw[i]->name, report_one(sim->gw[i], seconds));
	json_object_set_new(all, "seconds", json_real((double)(sim->now - sim->started) / 1e9));
	json_object_set_new(all, "started", json_real((double)sim->started / 1e9));
	json_object_set_new(all, "gateways", gateways);
	json_dumpf(all, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
	putchar('\n');
	fflush(stdout);
	json_decref(all);
}

void gw_reset(struct sim *sim)
{
	sim->started = sim->now;
	for (uint32_t i = 0; i < sim->n_gw; i++) {
		struct gw *g = sim->gw[i];

		memset(g->count, 0, sizeof(g->count));
		memset(g->second, 0, sizeof(g->second));
		memset(g->second_queue, 0, sizeof(g->second_queue));
		g->waiting_max = g->backlog_max = 0;
		g->busy_serving = g->busy_overhead = 0;
		g->oc.seen = g->oc.seen_requests = 0;
	}
}
