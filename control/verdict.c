/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether Weir can do its work. Critical: calls fail now (not serving, a worker that stands still, a pool
 * with nobody to give work to). Warning: less is left than the operator configured. Gateways drained or
 * under maintenance are his own wish and no fault. Control thread; reads only.
 */
#include <stdarg.h>
#include <stdio.h>

#include "control/api.h"
#include "control/control.h"

__attribute__((format(printf, 2, 3))) static void say(json_t *reasons, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(reasons, json_string(text));
}

static enum ctl_verdict worse(enum ctl_verdict a, enum ctl_verdict b)
{
	return a > b ? a : b;
}

static enum ctl_verdict judge_workers(const struct app *app, json_t *reasons)
{
	enum ctl_verdict v = CTL_OK;
	struct ctl_worker w;

	for (uint32_t i = 0; i < ctl_worker_count(app); i++) {
		ctl_worker(app, i, &w);
		if (!w.stuck)
			continue;
		say(reasons, "worker %u is stuck for %.1f s", i, (double)w.silent_ns / 1e9);
		v = CTL_CRITICAL;
	}
	return v;
}

static enum ctl_verdict judge_pools(const struct app *app, json_t *reasons)
{
	enum ctl_verdict v = CTL_OK;
	struct ctl_gateway g;
	struct ctl_pool p;

	for (uint32_t i = 0; i < ctl_pool_count(app); i++) {
		ctl_pool(app, i, &p);
		if (!p.ready) {
			say(reasons, "pool %s has no gateway for new calls", p.name);
			v = CTL_CRITICAL;
			continue;
		}
		for (uint32_t j = p.first; p.up < p.n && j < p.first + p.n; j++) {
			ctl_gateway(app, j, &g);
			if (g.health != LB_DOWN || g.admin != LB_READY)
				continue;
			say(reasons, "gateway %s of pool %s is down", g.name, g.pool);
			v = worse(v, CTL_WARNING);
		}
	}
	return v;
}

enum ctl_verdict ctl_verdict(const struct app *app, json_t *reasons)
{
	enum ctl_verdict v = CTL_OK;
	struct ctl_node n;

	ctl_node(app, &n);
	if (!n.serving) {
		say(reasons, "not serving");
		v = CTL_CRITICAL;
	}
	v = worse(v, judge_workers(app, reasons));
	return worse(v, judge_pools(app, reasons));
}
