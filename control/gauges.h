/* SPDX-License-Identifier: BSD-3-Clause */
/* Gauges of one answer to /metrics. Control thread. */
#ifndef WEIR_CONTROL_GAUGES_H
#define WEIR_CONTROL_GAUGES_H

#include "control/control.h"

struct xstat {
	uint32_t port;
	char name[64];
	uint64_t value;
};

struct ctl_gauges {
	const struct app *app;
	struct xstat *xstats; /* ports in order */
	uint32_t n_xstats, room;
	uint32_t reading; /* port whose xstats are being read */
};

/* Reads what cannot be read series by series: the ports' extended statistics. */
void gauges_read(struct ctl_gauges *gauges, const struct app *app);
void gauges_free(struct ctl_gauges *gauges);

/* Series i of a family with its labels, as struct st_source wants it; arg: struct ctl_gauges. */
bool gauges_series(void *arg, enum st_family family, uint32_t i, struct st_gauge *g);

#endif
