/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened, for people who come later: the last LIMIT_EVENTS things that an operator wants to know of,
 * in memory, each also a line of the log. Control thread.
 */
#ifndef WEIR_CONTROL_EVENTS_H
#define WEIR_CONTROL_EVENTS_H

#include <stdint.h>
#include <time.h>

#include "conf/limits.h"

struct app;

enum ctl_event_kind {
	CTL_GATEWAY_UP,
	CTL_GATEWAY_DOWN,
	CTL_GATEWAY_SATURATED,
	CTL_GATEWAY_PROBING,
	CTL_GATEWAY_SLOWSTART,
	CTL_GATEWAY_READY,            /* by the operator */
	CTL_GATEWAY_DRAIN,            /* by the operator */
	CTL_GATEWAY_MAINT,            /* by the operator */
	CTL_GATEWAY_CONGESTED,        /* its limit was lowered */
	CTL_GATEWAY_CLEAR,            /* and is not met any more */
	CTL_GATEWAY_OC,               /* it asks for less by overload control (RFC 7339, RFC 7415) */
	CTL_GATEWAY_OC_OVER,          /* and has not for 10 s */
	CTL_GATEWAY_RETRY_AFTER,      /* it wants no calls for a while (RFC 3261 21.5.4) */
	CTL_GATEWAY_RETRY_AFTER_OVER, /* and that is over */
	CTL_PEER_URGENT,              /* more emergency or priority calls than max-emergency */
	CTL_NODE_READY,               /* by the operator */
	CTL_NODE_DRAIN,               /* by the operator */
	CTL_SET,                      /* a limit or weight, by the operator */
	CTL_POOL_FULL,                /* every gateway that could take a call is at its max-calls */
	CTL_POOL_FREE,                /* and none was for 10 s */
	CTL_POOL_SHORT,               /* new requests are refused because no gateway can take them */
	CTL_POOL_ENOUGH,              /* and have not been for a while */
	CTL_AUDIT_DRIFT,              /* calls counted at a gateway or peer are not those that are known */
	CTL_AUDIT_GOOD,               /* and they are again */
	CTL_PORT_PANIC,               /* most gateways of a port fell silent together */
	CTL_PORT_CALM,                /* and their silence counts again */
	CTL_WORKER_STUCK,
	CTL_WORKER_MOVES,
	CTL_EVENT_KINDS
};

struct ctl_event {
	uint64_t id;                  /* counts from 1 */
	struct timespec at;           /* wall clock */
	uint8_t kind;                 /* enum ctl_event_kind */
	char subject[LIMIT_NAME + 1]; /* name of the gateway, pool, peer or worker */
	char text[256];               /* for people: the longest sentence with the longest names */
};

struct ctl_events;

/* Makes the empty ring: app->events. Returns 0 or -ENOMEM. */
int events_start(struct app *app);
void events_stop(struct app *app);

/* Logs a line and keeps it as an event. */
__attribute__((format(printf, 4, 5))) void ctl_event(struct app *app, enum ctl_event_kind kind,
						     const char *subject, const char *fmt, ...);

/* Number of the newest event, 0: there was none. */
uint64_t ctl_events_last(const struct app *app);

/* The first event after number `id` that is still kept; NULL: there is none. Valid until the next event. */
const struct ctl_event *ctl_event_after(const struct app *app, uint64_t id);

/* "gateway-up", "pool-full". */
const char *ctl_event_name(uint8_t kind);

#endif
