/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting and stopping EAL, and the two facts about the machine that its arguments depend on. Control
 * thread only; the caller of net_eal_start() becomes lcore 0.
 */
#include "dataplane/net/net.h"

#include <errno.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>

/* Free huge pages of the default size, in MB. */
static uint64_t free_huge_mb(void)
{
	unsigned long long pages = 0, kb = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		sscanf(line, "HugePages_Free: %llu", &pages);
		sscanf(line, "Hugepagesize: %llu kB", &kb);
	}
	fclose(f);
	return pages * kb / 1024;
}

/* True if the kernel says that an interface has no hardware behind it. */
static bool is_veth(struct str iface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq req = { .ifr_data = (char *)&info };
	bool veth;
	int fd;

	if (iface.n == 0 || iface.n >= IFNAMSIZ)
		return false;
	memcpy(req.ifr_name, iface.p, iface.n);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	veth = ioctl(fd, SIOCETHTOOL, &req) == 0 && strcmp(info.driver, "veth") == 0;
	close(fd);
	return veth;
}

void net_eal_detect(struct net_eal_plan *plan)
{
	if (plan->huge == NET_HUGE_AUTO) {
		uint64_t mb = free_huge_mb();

		plan->huge = mb > 0 && mb >= plan->memory_mb + plan->tables_mb ? NET_HUGE_ON : NET_HUGE_OFF;
	}
	for (uint32_t i = 0; i < plan->n_devices; i++)
		if (strncmp(plan->devices[i].text, "net_af_xdp", 10) == 0)
			plan->devices[i].veth = is_veth(net_device_arg(plan->devices[i].text, "iface"));
}

int net_eal_start(struct net_eal_args *args)
{
	if (rte_eal_init(args->argc, args->argv) < 0)
		return rte_errno ? -rte_errno : -EIO;
	return 0;
}

void net_eal_stop(void)
{
	char dir[PATH_MAX];

	snprintf(dir, sizeof(dir), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	rmdir(dir); /* EAL leaves one per process behind; nothing is in it */
}
