/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Twins, next hops and what the workers hand up, on the event loop. Must stay true: a turn is bounded by the
 * budgets below, so that timers keep their time under any load; nothing waits for a worker or the network.
 */
#include "control/loop.h"

#include <event2/event.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/health.h"
#include "control/hops.h"
#include "control/log.h"
#include "control/plan.h"
#include "control/rtnl.h"
#include "control/twin.h"

#define SECOND      1000000000ull
#define POLL_US     1000   /* between two looks at the workers' rings */
#define POLL_BUDGET 256    /* things taken off them at a time */
#define TWIN_BUDGET 64     /* frames of one twin at a time */
#define STUCK_NS    SECOND /* something published that old and still read: a worker is stuck */
#define LOG_EVERY   (10 * SECOND)

struct twin_port {
	struct ctl_loop *loop;
	uint16_t index; /* of the port */
	struct ctl_twin twin;
	struct event *readable;
};

struct ctl_loop {
	struct app *app;
	uint32_t n_ports;
	struct twin_port ports[LIMIT_PORTS];
	struct ctl_raw raw;
	struct ctl_rtnl *rtnl;
	struct ctl_hops *hops;
	struct event *poll, *kernel;
	struct ctl_gate twin_gate, raw_gate, reclaim_gate;
	uint8_t frame[CTL_FRAME_MAX];
};

/* ---- From the workers ------------------------------------------------------------------------------- */

static void take_frame(struct ctl_loop *l, const struct dp_up *up)
{
	struct ctl_twin *twin = &l->ports[up->port].twin;
	uint64_t dropped = twin->dropped, held;

	ctl_twin_write(twin, up->data, up->n);
	st_inc(l->app->lane, twin->dropped == dropped ? ST_TWIN_IN : ST_TWIN_IN_LOST);
	if (twin->dropped != dropped && ctl_gate(&l->twin_gate, dp_now(), LOG_EVERY, &held))
		ctl_warn("twin %s: the kernel did not take a frame (%lu more before)", twin->name,
			 (unsigned long)held);
}

static void take_unresolved(struct ctl_loop *l, const struct dp_up *up)
{
	uint64_t held;
	struct addr via;
	uint8_t port;
	int rc = -EHOSTUNREACH;

	if (hops_via(l->hops, up->data, up->n, (uint8_t)up->port, &via, &port))
		rc = ctl_raw_send(&l->raw, l->ports[port].twin.ifindex, &via, up->data, up->n, dp_now());
	st_inc(l->app->lane, rc ? ST_KERNEL_LOST : ST_KERNEL_SENT);
	if (rc && ctl_gate(&l->raw_gate, dp_now(), LOG_EVERY, &held))
		ctl_warn("port %s: a packet with an unresolved next hop was not sent: %s (%lu more before)",
			 l->app->conf->ports[up->port].name, strerror(-rc), (unsigned long)held);
}

static void on_up(void *arg, const struct dp_up *up)
{
	struct ctl_loop *l = arg;

	switch (up->kind) {
	case DP_UP_TWIN:
		take_frame(l, up);
		break;
	case DP_UP_UNRESOLVED:
		take_unresolved(l, up);
		break;
	case DP_UP_PROBE:
		health_answer(l->app, up);
		break;
	}
}

static void on_poll(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_loop *l = arg;
	uint64_t age, held;

	dp_poll_up(l->app->dp, POLL_BUDGET, on_up, l);
	age = dp_reclaim(l->app->dp);
	if (age > STUCK_NS && ctl_gate(&l->reclaim_gate, dp_now(), LOG_EVERY, &held))
		ctl_err("a worker has been reading an old policy for %lu ms", (unsigned long)(age / 1000000));
}

/* ---- From the kernel --------------------------------------------------------------------------------- */

static void on_twin(evutil_socket_t fd, short what, void *arg)
{
	struct twin_port *port = arg;
	struct ctl_loop *l = port->loop;

	for (int i = 0; i < TWIN_BUDGET; i++) {
		int n = ctl_twin_read(&port->twin, l->frame, sizeof(l->frame));

		if (n == 0)
			return;
		if (n < 0) {
			ctl_err("twin %s: %s; the kernel no longer sees this port", port->twin.name,
				strerror(-n));
			event_del(port->readable);
			return;
		}
		st_inc(l->app->lane, dp_send_frame(l->app->dp, port->index, l->frame, (uint32_t)n) == 0
					     ? ST_TWIN_OUT
					     : ST_TWIN_OUT_LOST);
	}
}

static void on_kernel(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_loop *l = arg;
	int rc = ctl_rtnl_read(l->rtnl);

	if (rc < 0)
		ctl_err("rtnetlink: %s", strerror(-rc));
	else if (rc > 0)
		hops_changed(l->hops);
}

/* ---- Start and stop ---------------------------------------------------------------------------------- */

static int open_twin(struct ctl_loop *l, uint16_t index)
{
	const struct conf_port *conf = &l->app->conf->ports[index];
	const struct net_port *port = dp_port(l->app->dp, index);
	struct twin_port *t = &l->ports[index];
	char addr[CONF_ADDR_TEXT];
	int rc = ctl_twin_open(&t->twin, conf->twin, port->mac, port->mtu);

	if (rc) {
		ctl_err("port %s: twin %s: %s", conf->name, conf->twin, strerror(-rc));
		return rc;
	}
	for (uint32_t i = 0; i < conf->n_addresses; i++) {
		rc = ctl_rtnl_add_addr(t->twin.ifindex, &conf->addresses[i].addr, conf->addresses[i].bits);
		if (rc) {
			conf_addr_text(&conf->addresses[i].addr, addr);
			ctl_err("port %s: address %s on twin %s: %s", conf->name, addr, conf->twin,
				strerror(-rc));
			return rc;
		}
	}
	t->readable = event_new(l->app->base, t->twin.fd, EV_READ | EV_PERSIST, on_twin, t);
	return t->readable && event_add(t->readable, NULL) == 0 ? 0 : -ENOMEM;
}

static int open_kernel(struct ctl_loop *l)
{
	int ifindexes[LIMIT_PORTS], rc;

	for (uint32_t i = 0; i < l->n_ports; i++)
		ifindexes[i] = l->ports[i].twin.ifindex;
	rc = ctl_raw_open(&l->raw, LIMIT_KERNEL_RATE, dp_now());
	if (rc == 0)
		rc = ctl_rtnl_open(ifindexes, l->n_ports, &l->rtnl);
	if (rc == 0)
		rc = hops_start(l->app, l->rtnl, &l->hops);
	if (rc)
		ctl_err("routes and neighbours of the kernel: %s", strerror(-rc));
	return rc;
}

static int add_events(struct ctl_loop *l)
{
	const struct timeval every = { .tv_usec = POLL_US };

	l->kernel = event_new(l->app->base, ctl_rtnl_fd(l->rtnl), EV_READ | EV_PERSIST, on_kernel, l);
	l->poll = event_new(l->app->base, -1, EV_PERSIST, on_poll, l);
	if (!l->kernel || !l->poll || event_add(l->kernel, NULL) < 0 || event_add(l->poll, &every) < 0)
		return -ENOMEM;
	return 0;
}

int loop_start(struct app *app)
{
	struct ctl_loop *l = calloc(1, sizeof(*l));
	int rc = 0;

	if (!l)
		return -ENOMEM;
	app->loop = l;
	l->app = app;
	l->raw.fd4 = l->raw.fd6 = -1;
	l->n_ports = app->conf->n_ports;
	for (uint32_t i = 0; i < l->n_ports; i++)
		l->ports[i] = (struct twin_port){ .loop = l, .index = (uint16_t)i, .twin.fd = -1 };
	for (uint32_t i = 0; i < l->n_ports && rc == 0; i++)
		rc = open_twin(l, (uint16_t)i);
	if (rc == 0)
		rc = open_kernel(l);
	if (rc == 0)
		rc = add_events(l);
	return rc;
}

static void drop_event(struct event *event)
{
	if (event)
		event_free(event);
}

void loop_stop(struct app *app)
{
	struct ctl_loop *l = app->loop;

	if (!l)
		return;
	drop_event(l->poll);
	drop_event(l->kernel);
	hops_stop(l->hops);
	ctl_rtnl_close(l->rtnl);
	ctl_raw_close(&l->raw);
	for (uint32_t i = 0; i < l->n_ports; i++) {
		drop_event(l->ports[i].readable);
		ctl_twin_close(&l->ports[i].twin);
	}
	free(l);
	app->loop = NULL;
}

const char *loop_twin(const struct app *app, uint32_t port)
{
	return app->loop && app->loop->ports[port].twin.fd >= 0 ? app->loop->ports[port].twin.name : "";
}
