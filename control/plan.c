/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Config and topology to struct dp_plan. Workers take the cores of the config, else the available ones with
 * those on the ports' NUMA node first; the control thread takes an available core that no worker has. Only
 * adaptive workers may share a core: a busy one would starve its neighbour. Isolated cores (isolcpus) are
 * taken only where the config names them.
 */
#include "control/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_BYTES 2048 /* a chunk of the store of kept messages, as struct dp_plan says */

void plan_warn(struct ctl_plan *plan, const char *fmt, ...)
{
	va_list ap;

	if (plan->n_warnings < PLAN_WARNINGS) {
		va_start(ap, fmt);
		vsnprintf(plan->warning[plan->n_warnings], PLAN_WARNING, fmt, ap);
		va_end(ap);
	}
	plan->n_warnings++;
}

static int node_of(const struct ctl_topology *topo, uint16_t cpu)
{
	for (uint32_t i = 0; i < topo->n; i++)
		if (topo->cpu[i] == cpu)
			return topo->node[i];
	return -1;
}

static bool available(const struct ctl_topology *topo, uint16_t cpu)
{
	for (uint32_t i = 0; i < topo->n; i++)
		if (topo->cpu[i] == cpu)
			return true;
	return false;
}

/* The node of the first port that has one: workers that choose for themselves go there. */
static int ports_node(const struct conf *conf, const struct ctl_topology *topo)
{
	for (uint32_t i = 0; i < conf->n_ports; i++)
		if (topo->port_node[i] >= 0)
			return topo->port_node[i];
	return -1;
}

/* Adds the cores that need not be named, of node `near` or of the others. */
static uint32_t add_cores(const struct ctl_topology *topo, int near, bool others, uint32_t skip,
			  uint16_t *cores, uint32_t n)
{
	for (uint32_t i = 0; i < topo->n; i++) {
		if (topo->isolated[i])
			continue;
		if (skip > 0)
			skip--;
		else if ((near >= 0 && topo->node[i] != near) == others)
			cores[n++] = topo->cpu[i];
	}
	return n;
}

/* The cores workers may have: those of the config, or all but one left to control where there are enough. */
static uint32_t choose_cores(const struct conf *conf, const struct ctl_topology *topo, uint16_t *cores)
{
	uint32_t usual = 0, skip, n;
	int near = ports_node(conf, topo);

	if (conf->workers.cores.n) {
		n = conf->workers.cores.n < PLAN_CPUS ? conf->workers.cores.n : PLAN_CPUS;
		memcpy(cores, conf->workers.cores.cpu, n * sizeof(*cores));
		return n;
	}
	for (uint32_t i = 0; i < topo->n; i++)
		usual += !topo->isolated[i];
	skip = usual > conf->workers.count;
	n = add_cores(topo, near, false, skip, cores, 0);
	return add_cores(topo, near, true, skip, cores, n);
}

/* What this machine lacks for the workers, into text[n]; false: nothing. */
static bool lacks_cores(const struct conf *conf, const struct ctl_topology *topo, const uint16_t *cores,
			uint32_t have, char *text, size_t n)
{
	uint32_t count = conf->workers.count, missing = 0, first = 0;

	for (uint32_t i = have; i-- > 0;) {
		if (available(topo, cores[i]))
			continue;
		first = cores[i];
		missing++;
	}
	if (missing)
		snprintf(text, n, "workers: core %u is not available to this process%s", first,
			 missing > 1 ? ", nor are others that are named" : "");
	else if (have < count && conf->workers.poll == CONF_POLL_BUSY)
		snprintf(text, n,
			 "workers: %u busy workers need %u cores, %u there; fewer workers or poll: adaptive",
			 count, count, have);
	else
		return false;
	return true;
}

static int place_workers(const struct conf *conf, const struct ctl_topology *topo, struct ctl_plan *plan,
			 char *err, size_t n)
{
	uint16_t cores[PLAN_CPUS];
	uint32_t count = conf->workers.count, have = choose_cores(conf, topo, cores);

	if (have == 0) {
		snprintf(err, n, "workers: all cores are isolated; name some in cores");
		return -EINVAL;
	}
	if (lacks_cores(conf, topo, cores, have, err, n)) {
		if (!topo->elsewhere)
			return -EINVAL;
		plan_warn(plan, "%s; weir would not start here", err);
	}
	if (conf->workers.cores.n > count)
		plan_warn(plan, "workers: cores names %u cores for %u workers; the last ones stay idle", have,
			  count);
	for (uint32_t i = 0; i < count; i++) {
		plan->cpus[i] = cores[i % have];
		plan->dp.workers[i] = (struct dp_worker_plan){ .core = plan->cpus[i],
							       .numa = node_of(topo, plan->cpus[i]) };
	}
	return 0;
}

static bool has_worker(const struct ctl_plan *plan, uint16_t cpu)
{
	for (uint32_t i = 0; i < plan->dp.n_workers; i++)
		if (plan->cpus[i] == cpu)
			return true;
	return false;
}

/* Never on an isolated core: those are for polling, and the kernel moves nothing off them. */
static void place_control(const struct ctl_topology *topo, struct ctl_plan *plan)
{
	int shared = -1;

	for (uint32_t i = 0; i < topo->n; i++) {
		if (topo->isolated[i])
			continue;
		if (!has_worker(plan, topo->cpu[i])) {
			plan->dp.eal.main_cpu = topo->cpu[i];
			return;
		}
		if (shared < 0)
			shared = topo->cpu[i];
	}
	plan->dp.eal.main_cpu = (uint16_t)shared;
	if (!plan->dp.adaptive)
		plan_warn(plan, "workers: the control thread shares core %d with a busy worker", shared);
}

static void note_nodes(const struct conf *conf, const struct ctl_topology *topo, struct ctl_plan *plan)
{
	for (uint32_t i = 0; i < plan->dp.n_workers; i++) {
		uint32_t k = 0;

		while (k < plan->n_nodes && plan->nodes[k] != plan->dp.workers[i].numa)
			k++;
		if (k == plan->n_nodes)
			plan->nodes[plan->n_nodes++] = plan->dp.workers[i].numa;
		for (uint32_t p = 0; p < conf->n_ports; p++) {
			int node = topo->port_node[p];

			if (node >= 0 && plan->dp.workers[i].numa >= 0 && node != plan->dp.workers[i].numa)
				plan_warn(plan, "worker %u: core %u is on NUMA node %d, port %s on node %d",
					  i, plan->cpus[i], plan->dp.workers[i].numa, conf->ports[p].name,
					  node);
		}
	}
}

static void copy_ports(const struct conf *conf, struct ctl_plan *plan)
{
	struct dp_plan *dp = &plan->dp;

	dp->n_ports = conf->n_ports;
	for (uint32_t i = 0; i < conf->n_ports; i++) {
		const struct conf_port *port = &conf->ports[i];

		dp->ports[i] = (struct dp_port_plan){
			.name = port->name,
			.device = port->device,
			.mtu = (uint16_t)port->mtu,
			.vlan = (uint16_t)port->vlan,
			.trust = port->checksum == CONF_CHECKSUM_TRUST,
		};
		plan->devices[i].text = port->device;
	}
	dp->n_listeners = conf->n_listeners;
	for (uint32_t i = 0; i < conf->n_listeners; i++) {
		const struct conf_listener *l = &conf->listeners[i];

		dp->listeners[i] = (struct dp_listener_plan){
			.name = l->name,
			.addr = l->address,
			.port = (uint16_t)l->port,
			.advertise = l->advertise,
		};
	}
}

static void fill_eal(const struct conf *conf, struct ctl_plan *plan)
{
	static const enum net_huge huge[] = {
		[CONF_AUTO] = NET_HUGE_AUTO, [CONF_OFF] = NET_HUGE_OFF, [CONF_ON] = NET_HUGE_ON
	};

	plan->dp.eal.program = "weir";
	plan->dp.eal.node = conf->node;
	plan->dp.eal.pid = (uint32_t)getpid();
	plan->dp.eal.n_workers = (uint16_t)conf->workers.count;
	plan->dp.eal.worker_cpus = plan->cpus;
	plan->dp.eal.huge = huge[conf->eal.hugepages];
	plan->dp.eal.n_devices = conf->n_ports;
	plan->dp.eal.devices = plan->devices;
	plan->dp.eal.n_extra = conf->eal.n_extra;
	plan->dp.eal.extra = conf->eal.extra;
}

/* A worker's share of n, and a quarter more: Call-IDs do not spread evenly. */
static uint32_t share(uint32_t n, uint32_t workers)
{
	return (uint32_t)(((uint64_t)n + workers - 1) / workers * 5 / 4);
}

/*
 * An INVITE transaction lasts 64 * T1 longer than it rings, and a failed call keeps its INVITE and its final
 * response so long: twice what rings is there of both.
 */
static void fill_tables(const struct conf *conf, struct ctl_plan *plan)
{
	struct lb_worker_spec *t = &plan->dp.tables;
	const struct conf_timers *c = &conf->timers;
	uint64_t bytes;

	t->timers = (struct lb_timers){
		.t1 = c->t1_ns,
		.t2 = c->t2_ns,
		.t4 = c->t4_ns,
		.b = c->b_ns,
		.c = c->c_ns,
		.d = c->d_ns,
		.release = c->release_ns,
		.max_call = conf->calls.max_duration_ns,
		.session_min = c->session_min_ns,
	};
	t->pins = LIMIT_PINS;
	t->pin_ns = c->pin_ns;
	t->ringing_ns = c->c_ns + 64 * c->t1_ns;
	t->setups = share(2 * conf->calls.ringing, conf->workers.count);
	t->calls = share(conf->calls.max, conf->workers.count);
	t->records = conf->control.records ? LIMIT_RECORDS : 0;
	plan->dp.kept = t->setups;
	bytes = conf->workers.count * (lb_worker_size(t) + (uint64_t)plan->dp.kept * KEPT_BYTES);
	plan->dp.eal.tables_mb = (uint32_t)((bytes >> 20) + 1);
	plan->dp.eal.memory_mb = (uint32_t)(conf->eal.memory >> 20);
}

int plan_make(const struct conf *conf, const struct ctl_topology *topo, struct ctl_plan *plan, char *err,
	      size_t n)
{
	int rc;

	*plan = (struct ctl_plan){ 0 };
	plan->dp.n_workers = conf->workers.count;
	plan->dp.adaptive = conf->workers.poll == CONF_POLL_ADAPTIVE;
	fill_tables(conf, plan);
	rc = place_workers(conf, topo, plan, err, n);
	if (rc)
		return rc;
	place_control(topo, plan);
	note_nodes(conf, topo, plan);
	copy_ports(conf, plan);
	fill_eal(conf, plan);
	return 0;
}

static const char *node_text(int node, char buf[24])
{
	if (node < 0)
		return "any";
	snprintf(buf, 24, "%d", node);
	return buf;
}

int plan_print(const struct ctl_plan *plan, FILE *out)
{
	const struct dp_plan *dp = &plan->dp;
	struct net_eal_args *args = malloc(sizeof(*args));
	char buf[24];
	int rc = args ? net_eal_args(&dp->eal, args) : -ENOMEM;

	fprintf(out, "control: core %u\n", dp->eal.main_cpu);
	for (uint32_t i = 0; i < dp->n_workers; i++)
		fprintf(out, "worker %u: core %d, memory node %s, poll %s\n", i, dp->workers[i].core,
			node_text(dp->workers[i].numa, buf), dp->adaptive ? "adaptive" : "busy");
	fprintf(out, "tables of each worker: %u calls, %u set-ups, %u kept messages, %u pins; %u MB in all\n",
		dp->tables.calls, dp->tables.setups, dp->kept, dp->tables.pins, dp->eal.tables_mb);
	for (uint32_t i = 0; i < dp->n_ports; i++)
		fprintf(out, "port %s: %s, mtu %u\n", dp->ports[i].name, dp->ports[i].device,
			dp->ports[i].mtu);
	fprintf(out, "EAL arguments:");
	for (int i = 0; rc == 0 && i < args->argc; i++)
		fprintf(out, " %s", args->argv[i]);
	if (rc)
		fprintf(out, " none, %s", strerror(-rc));
	fputc('\n', out);
	for (uint32_t i = 0; i < plan->n_warnings && i < PLAN_WARNINGS; i++)
		fprintf(out, "warning: %s\n", plan->warning[i]);
	if (plan->n_warnings > PLAN_WARNINGS)
		fprintf(out, "warning: and %u more\n", plan->n_warnings - PLAN_WARNINGS);
	free(args);
	return rc;
}
