/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring of events: see events.h. */
#include "control/events.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/control.h"
#include "control/log.h"

struct ctl_events {
	uint64_t last; /* number of the newest; event i is in ring[i % LIMIT_EVENTS] */
	struct ctl_event ring[LIMIT_EVENTS];
};

static const struct {
	const char *name;
	void (*log)(const char *fmt, ...);
} kinds[CTL_EVENT_KINDS] = {
	[CTL_GATEWAY_UP] = { "gateway-up", ctl_notice },
	[CTL_GATEWAY_DOWN] = { "gateway-down", ctl_notice },
	[CTL_GATEWAY_SATURATED] = { "gateway-saturated", ctl_notice },
	[CTL_GATEWAY_PROBING] = { "gateway-probing", ctl_notice },
	[CTL_GATEWAY_SLOWSTART] = { "gateway-slowstart", ctl_notice },
	[CTL_GATEWAY_READY] = { "gateway-ready", ctl_notice },
	[CTL_GATEWAY_DRAIN] = { "gateway-drain", ctl_notice },
	[CTL_GATEWAY_MAINT] = { "gateway-maint", ctl_notice },
	[CTL_GATEWAY_CONGESTED] = { "gateway-congested", ctl_warn },
	[CTL_GATEWAY_CLEAR] = { "gateway-clear", ctl_notice },
	[CTL_GATEWAY_OC] = { "gateway-oc", ctl_notice },
	[CTL_GATEWAY_OC_OVER] = { "gateway-oc-over", ctl_notice },
	[CTL_GATEWAY_RETRY_AFTER] = { "gateway-retry-after", ctl_notice },
	[CTL_GATEWAY_RETRY_AFTER_OVER] = { "gateway-retry-after-over", ctl_notice },
	[CTL_PEER_URGENT] = { "peer-urgent", ctl_warn },
	[CTL_NODE_READY] = { "node-ready", ctl_notice },
	[CTL_NODE_DRAIN] = { "node-drain", ctl_notice },
	[CTL_SET] = { "set", ctl_notice },
	[CTL_POOL_FULL] = { "pool-full", ctl_warn },
	[CTL_POOL_FREE] = { "pool-free", ctl_notice },
	[CTL_POOL_SHORT] = { "pool-short", ctl_warn },
	[CTL_POOL_ENOUGH] = { "pool-enough", ctl_notice },
	[CTL_AUDIT_DRIFT] = { "audit-drift", ctl_err },
	[CTL_AUDIT_GOOD] = { "audit-good", ctl_notice },
	[CTL_PORT_PANIC] = { "port-panic", ctl_err },
	[CTL_PORT_CALM] = { "port-calm", ctl_notice },
	[CTL_WORKER_STUCK] = { "worker-stuck", ctl_err },
	[CTL_WORKER_MOVES] = { "worker-moves", ctl_notice },
};

int events_start(struct app *app)
{
	app->events = calloc(1, sizeof(*app->events));
	return app->events ? 0 : -ENOMEM;
}

void events_stop(struct app *app)
{
	free(app->events);
	app->events = NULL;
}

void ctl_event(struct app *app, enum ctl_event_kind kind, const char *subject, const char *fmt, ...)
{
	uint64_t id = ++app->events->last;
	struct ctl_event *e = &app->events->ring[id % LIMIT_EVENTS];
	va_list ap;

	*e = (struct ctl_event){ .id = id, .kind = (uint8_t)kind };
	clock_gettime(CLOCK_REALTIME, &e->at);
	snprintf(e->subject, sizeof(e->subject), "%s", subject);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	kinds[kind].log("%s", e->text);
}

uint64_t ctl_events_last(const struct app *app)
{
	return app->events->last;
}

const struct ctl_event *ctl_event_after(const struct app *app, uint64_t id)
{
	const struct ctl_events *events = app->events;

	if (id >= events->last)
		return NULL;
	if (events->last - id > LIMIT_EVENTS)
		id = events->last - LIMIT_EVENTS;
	return &events->ring[(id + 1) % LIMIT_EVENTS];
}

const char *ctl_event_name(uint8_t kind)
{
	return kinds[kind].name;
}
