/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that workers and control share: the words, and a lane of statistics for each, on its own node. */
#include <errno.h>
#include <numa.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "control/apply.h"
#include "control/lanes.h"
#include "control/plan.h"

static size_t lane_size(const struct app *app)
{
	return st_lane_size(app->policy->slots.used, app->policy->peers.used);
}

/* Page-aligned. A kernel without NUMA gives plain memory. */
static void *lane_memory(size_t size, int node)
{
	return node < 0 || numa_available() < 0 ? numa_alloc(size) : numa_alloc_onnode(size, node);
}

int lanes_make(struct app *app)
{
	struct dp_plan *dp = &app->plan->dp;
	size_t words = (lb_words_size() + 63) & ~(size_t)63, size = lane_size(app);
	void *mem = aligned_alloc(64, words);
	struct timespec wall;

	if (!mem)
		return -ENOMEM;
	app->words = lb_words_init(mem);
	clock_gettime(CLOCK_REALTIME, &wall); /* so that a process after this one says larger numbers */
	lb_set_oc_start(app->words, (uint64_t)wall.tv_sec * 1000 + (uint64_t)wall.tv_nsec / 1000000);
	app->stats = calloc(1, sizeof(*app->stats));
	if (!app->stats)
		return -ENOMEM;
	for (uint32_t i = 0; i <= dp->n_workers; i++) {
		bool control = i == dp->n_workers;
		char name[16] = "control";

		if (!control)
			snprintf(name, sizeof(name), "%u", i);
		mem = lane_memory(size, control ? -1 : dp->workers[i].numa);
		if (!mem)
			return -ENOMEM;
		app->stats->lane[app->stats->n++] =
			st_lane_init(mem, name, app->policy->slots.used, app->policy->peers.used);
	}
	app->lane = app->stats->lane[dp->n_workers];
	dp->tables.words = app->words;
	dp->stats = app->stats;
	return 0;
}

void lanes_free(struct app *app)
{
	for (uint32_t i = 0; app->stats && i < app->stats->n; i++)
		numa_free(app->stats->lane[i], lane_size(app));
	free(app->stats);
	free(app->words);
	app->stats = NULL;
	app->lane = NULL;
	app->words = NULL;
}
