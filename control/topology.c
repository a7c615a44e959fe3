/* SPDX-License-Identifier: BSD-3-Clause */
/* What the machine has: CPUs of this process, their NUMA nodes, the nodes of the ports' devices, huge pages.
 */
#include "control/plan.h"

#include <errno.h>
#include <numa.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define WORKER_MB 72 /* packet buffers of one worker */
#define COMMON_MB 48 /* next hops, rings, EAL itself */

static int read_node(const char *path)
{
	FILE *f = fopen(path, "re");
	int node = -1;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &node) != 1)
		node = -1;
	fclose(f);
	return node;
}

/* A PCI address, or the kernel interface of an AF_XDP or tap device; a virtual one has no node. */
static int device_node(const char *device)
{
	struct str iface = net_device_arg(device, "iface");
	char name[NET_DEVICE], path[NET_DEVICE + 64];

	if (net_device_name(device, 0, name) < 0)
		return -1;
	if (strncmp(name, "net_", 4) != 0)
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", name);
	else if (iface.n)
		snprintf(path, sizeof(path), "/sys/class/net/%.*s/device/numa_node", (int)iface.n, iface.p);
	else
		return -1;
	return read_node(path);
}

/*
 * The CPUs that threads of ours can be bound to. The mask we were started with leaves out isolated ones
 * (isolcpus), so the kernel is asked for all there are and says which it grants.
 */
static int bindable(const cpu_set_t *mine, cpu_set_t *granted)
{
	memset(granted, 0xff, sizeof(*granted));
	if (sched_setaffinity(0, sizeof(*granted), granted) < 0 ||
	    sched_getaffinity(0, sizeof(*granted), granted) < 0 ||
	    sched_setaffinity(0, sizeof(*mine), mine) < 0)
		return -errno;
	return 0;
}

int plan_topology(const struct conf *conf, struct ctl_topology *topo)
{
	bool numa = numa_available() >= 0 && numa_max_node() > 0;
	cpu_set_t mine, all;
	int rc;

	*topo = (struct ctl_topology){ 0 };
	if (sched_getaffinity(0, sizeof(mine), &mine) < 0)
		return -errno;
	rc = bindable(&mine, &all);
	if (rc)
		return rc;
	for (uint16_t cpu = 0; cpu < PLAN_CPUS; cpu++) {
		if (!CPU_ISSET(cpu, &all))
			continue;
		topo->cpu[topo->n] = cpu;
		topo->isolated[topo->n] = !CPU_ISSET(cpu, &mine);
		topo->node[topo->n++] = (int16_t)(numa ? numa_node_of_cpu(cpu) : -1);
	}
	for (uint32_t i = 0; i < conf->n_ports; i++)
		topo->port_node[i] = (int16_t)(numa ? device_node(conf->ports[i].device) : -1);
	return 0;
}

void plan_detect(struct ctl_plan *plan)
{
	uint32_t need = plan->dp.n_workers * WORKER_MB + COMMON_MB;

	net_eal_detect(&plan->dp.eal);
	if (plan->dp.eal.huge != NET_HUGE_ON && plan->dp.eal.memory_mb < need)
		plan_warn(plan, "eal: memory: %u workers without huge pages want about %u MB, not %u",
			  plan->dp.n_workers, need, plan->dp.eal.memory_mb);
}
