/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan: which core every loop runs on, which memory node feeds it, how large the tables are, and what EAL
 * is told. Made from the config and the machine's topology before anything is started, so that --check prints
 * exactly what a start would do.
 */
#ifndef WEIR_CONTROL_PLAN_H
#define WEIR_CONTROL_PLAN_H

#include <stdio.h>

#include "conf/conf.h"
#include "dataplane/dataplane.h"

#define PLAN_CPUS     1024 /* CPUs that topology looks at; a CPU set of the C library */
#define PLAN_WARNINGS 16   /* more are counted, not kept */
#define PLAN_WARNING  200  /* bytes of one */

/* The machine as this process may use it. Tests fill it by hand. */
struct ctl_topology {
	uint32_t n;               /* CPUs that a thread of ours can be bound to */
	uint16_t cpu[PLAN_CPUS];  /* their numbers, ascending */
	int16_t node[PLAN_CPUS];  /* NUMA node of cpu[i]; -1: not known or only one */
	bool isolated[PLAN_CPUS]; /* cpu[i] is outside the mask we were started with: only by its name */
	int16_t port_node[LIMIT_PORTS]; /* of each port's device; -1: none (vdev) */
	bool elsewhere;                 /* the plan need not hold here: cores that are missing are warnings */
};

struct ctl_plan {
	struct dp_plan dp;                      /* words and stats are filled in by main.c */
	uint16_t cpus[LIMIT_WORKERS];           /* for dp.eal.worker_cpus */
	struct net_device devices[LIMIT_PORTS]; /* for dp.eal.devices */
	int nodes[LIMIT_WORKERS];               /* distinct nodes of the workers */
	uint32_t n_nodes;
	uint32_t n_warnings; /* found, perhaps more than kept */
	char warning[PLAN_WARNINGS][PLAN_WARNING];
};

/* Reads affinity, NUMA nodes and the nodes of the ports' devices. Returns 0 or -errno. */
int plan_topology(const struct conf *conf, struct ctl_topology *topo);

/*
 * Fills the plan; texts in it belong to `conf`. Returns 0, or -EINVAL after writing one line of explanation
 * into err[n]: a core that is not available, or busy workers that would share one, unless the plan is for
 * elsewhere; no core at all. Pure.
 */
int plan_make(const struct conf *conf, const struct ctl_topology *topo, struct ctl_plan *plan, char *err,
	      size_t n);

/* Adds a warning to the plan; past PLAN_WARNINGS it is only counted. */
__attribute__((format(printf, 2, 3))) void plan_warn(struct ctl_plan *plan, const char *fmt, ...);

/* Fills in what depends on the machine's huge pages, and warns if memory will not suffice without them. */
void plan_detect(struct ctl_plan *plan);

/*
 * Writes the plan for people: workers, cores, nodes, tables, EAL arguments, warnings. Returns 0, or the
 * -errno of net_eal_args().
 */
int plan_print(const struct ctl_plan *plan, FILE *out);

#endif
