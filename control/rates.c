/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What goes on now, for people who look: a sample of a few counters every second, and the growth over the
 * last RATE_SPAN seconds. Control thread; decides nothing.
 */
#include <errno.h>
#include <stdlib.h>

#include <event2/event.h>

#include "control/control.h"

#define RATE_SPAN 3 /* s */
#define SAMPLES   (RATE_SPAN + 1)

struct ctl_rates {
	struct app *app;
	struct event *timer;
	uint32_t n_gateways, n_workers;
	uint32_t columns; /* counters of one sample: gateways, then WORKER_COUNT of each worker, then arrivals
			   */
	uint32_t taken;   /* samples since start; the newest is row (taken - 1) % SAMPLES */
	uint64_t at[SAMPLES]; /* dp_now() of each row */
	uint64_t *value;      /* [SAMPLES][columns] */
};

enum {
	WORKER_BUSY,
	WORKER_IDLE,
	WORKER_HANDLED,
	WORKER_COUNT
};

static const enum st_counter worker_counters[WORKER_COUNT] = {
	[WORKER_BUSY] = ST_CYCLES_BUSY,
	[WORKER_IDLE] = ST_CYCLES_IDLE,
	[WORKER_HANDLED] = ST_HANDLED,
};

static uint64_t calls_of(const struct st_table *table, uint32_t slot)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < table->n; w++)
		if (slot < table->lane[w]->n_gateways)
			sum += st_cell_read(&table->lane[w]->gateways[slot].count[ST_GW_CALLS]);
	return sum;
}

static uint64_t arrivals(const struct st_table *table)
{
	uint64_t sum = 0;

	for (uint32_t w = 0; w < table->n; w++)
		sum += st_cell_read(&table->lane[w]->count[ST_RX_FRAMES]) +
		       st_cell_read(&table->lane[w]->count[ST_INJECTED]);
	return sum;
}

static void sample(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_rates *r = arg;
	uint64_t *row = r->value + (size_t)(r->taken % SAMPLES) * r->columns;
	struct ctl_gateway g;

	r->at[r->taken % SAMPLES] = dp_now();
	for (uint32_t i = 0; i < r->n_gateways; i++) {
		ctl_gateway(r->app, i, &g);
		*row++ = calls_of(r->app->stats, g.slot);
	}
	for (uint32_t i = 0; i < r->n_workers; i++)
		for (unsigned int c = 0; c < WORKER_COUNT; c++)
			*row++ = st_cell_read(&r->app->stats->lane[i]->count[worker_counters[c]]);
	*row = arrivals(r->app->stats);
	r->taken++;
}

int ctl_rates_start(struct app *app)
{
	const struct timeval second = { .tv_sec = 1 };
	struct ctl_rates *r = calloc(1, sizeof(*r));

	app->rates = r;
	if (!r)
		return -ENOMEM;
	r->app = app;
	r->n_gateways = ctl_gateway_count(app);
	r->n_workers = ctl_worker_count(app);
	r->columns = r->n_gateways + r->n_workers * WORKER_COUNT + 1;
	r->value = calloc((size_t)SAMPLES * r->columns, sizeof(*r->value));
	r->timer = event_new(app->base, -1, EV_PERSIST, sample, r);
	if (!r->value || !r->timer || event_add(r->timer, &second)) {
		ctl_rates_stop(app);
		return -ENOMEM;
	}
	sample(-1, 0, r);
	return 0;
}

void ctl_rates_stop(struct app *app)
{
	struct ctl_rates *r = app->rates;

	if (!r)
		return;
	if (r->timer)
		event_free(r->timer);
	free(r->value);
	free(r);
	app->rates = NULL;
}

/* Row of the sample `back` before the newest, or of the oldest there is. */
static uint32_t row_of(const struct ctl_rates *r, uint32_t back)
{
	uint32_t kept = r->taken < SAMPLES ? r->taken : SAMPLES;

	if (back >= kept)
		back = kept - 1;
	return (r->taken - 1 - back) % SAMPLES;
}

static uint64_t growth(const struct ctl_rates *r, uint32_t column)
{
	return r->value[(size_t)row_of(r, 0) * r->columns + column] -
	       r->value[(size_t)row_of(r, RATE_SPAN) * r->columns + column];
}

static double per_second(const struct ctl_rates *r, uint32_t column)
{
	uint64_t ns = r->at[row_of(r, 0)] - r->at[row_of(r, RATE_SPAN)];

	return ns ? (double)growth(r, column) * 1e9 / (double)ns : 0;
}

double ctl_rates_cps(const struct ctl_rates *r, uint32_t gateway)
{
	return per_second(r, gateway);
}

double ctl_rates_messages(const struct ctl_rates *r, uint32_t worker)
{
	return per_second(r, r->n_gateways + worker * WORKER_COUNT + WORKER_HANDLED);
}

double ctl_rates_busy(const struct ctl_rates *r, uint32_t worker)
{
	uint32_t first = r->n_gateways + worker * WORKER_COUNT;
	uint64_t busy = growth(r, first + WORKER_BUSY), idle = growth(r, first + WORKER_IDLE);

	return busy + idle ? (double)busy / (double)(busy + idle) : 0;
}

bool ctl_rates_quiet(const struct ctl_rates *r)
{
	return r->taken > 1 &&
	       r->value[(size_t)row_of(r, 1) * r->columns + r->columns - 1] == arrivals(r->app->stats);
}
