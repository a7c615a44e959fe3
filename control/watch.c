/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heartbeats: a worker that has not finished a turn for a second is stuck, which is logged and counted once
 * until it moves again. systemd's watchdog is petted only if no worker is stuck, so that a hung packet path
 * is restarted although this thread is well.
 */
#include "control/watch.h"

#include <event2/event.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

#include "control/events.h"

#define LOOK_MS 250

struct ctl_watch {
	struct app *app;
	struct event *timer;
	uint64_t pet_every, pet_at; /* ns; 0: systemd asks for no sign of life */
	bool stuck[LIMIT_WORKERS];
};

static bool look(struct ctl_watch *w, uint32_t i)
{
	struct ctl_worker worker;
	char name[12];

	snprintf(name, sizeof(name), "%u", i);
	ctl_worker(w->app, i, &worker);
	if (worker.stuck && !w->stuck[i]) {
		ctl_event(w->app, CTL_WORKER_STUCK, name, "worker %u on core %d has not moved for %lu ms", i,
			  worker.info.core, (unsigned long)(worker.silent_ns / 1000000));
		st_inc(w->app->lane, ST_WORKER_STALLS);
	} else if (!worker.stuck && w->stuck[i]) {
		ctl_event(w->app, CTL_WORKER_MOVES, name, "worker %u on core %d moves again", i,
			  worker.info.core);
	}
	w->stuck[i] = worker.stuck;
	return !worker.stuck;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_watch *w = arg;
	uint64_t now = dp_now();
	bool alive = true;

	for (uint32_t i = 0; i < ctl_worker_count(w->app); i++)
		alive = look(w, i) && alive;
	if (alive && w->pet_every && now >= w->pet_at) {
		sd_notify(0, "WATCHDOG=1");
		w->pet_at = now + w->pet_every;
	}
}

int watch_start(struct app *app)
{
	const struct timeval every = { .tv_usec = LOOK_MS * 1000 };
	struct ctl_watch *w = calloc(1, sizeof(*w));
	uint64_t usec = 0;

	if (!w)
		return -ENOMEM;
	app->watch = w;
	w->app = app;
	w->timer = event_new(app->base, -1, EV_PERSIST, on_timer, w);
	if (!w->timer || event_add(w->timer, &every) < 0)
		return -ENOMEM;
	if (sd_watchdog_enabled(0, &usec) > 0)
		w->pet_every = usec * 1000 / 3;
	sd_notifyf(0, "READY=1\nSTATUS=serving %u gateways with %u workers", ctl_gateway_count(app),
		   ctl_worker_count(app));
	return 0;
}

void watch_stop(struct app *app)
{
	struct ctl_watch *w = app->watch;

	if (!w)
		return;
	sd_notify(0, "STOPPING=1");
	if (w->timer)
		event_free(w->timer);
	free(w);
	app->watch = NULL;
}
