/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a plan to the words EAL is started with. Pure, so that `weir --check` can print them without EAL.
 * Must stay true: two Weirs on one machine never share a file prefix, and two ports never a device name.
 */
#include "dataplane/net/net.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define MIN_MEMORY_MB 64

/* Append one formatted word; on overflow argc becomes negative and stays so. */
__attribute__((format(printf, 2, 3))) static void add(struct net_eal_args *a, const char *fmt, ...)
{
	size_t room = sizeof(a->text) - a->used;
	va_list ap;
	int n;

	if (a->argc < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(a->text + a->used, room, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= room || a->argc == NET_EAL_ARGV) {
		a->argc = -1;
		return;
	}
	a->argv[a->argc++] = a->text + a->used;
	a->argv[a->argc] = NULL;
	a->used += (uint32_t)n + 1;
}

static bool fits(char shape, char c)
{
	return shape == 'x' ? isxdigit((unsigned char)c) != 0 : c == shape;
}

/* "[dddd:]bb:dd.f" of n bytes. Sets *full when the domain is there. */
static bool is_pci(const char *s, size_t n, bool *full)
{
	static const char shapes[2][13] = { "xx:xx.x", "xxxx:xx:xx.x" };

	for (unsigned k = 0; k < 2; k++) {
		size_t i = 0;

		if (n != strlen(shapes[k]))
			continue;
		while (i < n && fits(shapes[k][i], s[i]))
			i++;
		*full = k == 1;
		return i == n;
	}
	return false;
}

/* What stands before the first comma. */
static struct str driver_of(const char *text)
{
	return (struct str){ text, (uint32_t)strcspn(text, ",") };
}

/* A driver's name without an instance number: "net_tap3" gives "net_tap". */
static struct str strip_number(struct str driver)
{
	while (driver.n && isdigit((unsigned char)driver.p[driver.n - 1]))
		driver.n--;
	return driver;
}

int net_device_name(const char *text, uint32_t index, char out[NET_DEVICE])
{
	struct str d = driver_of(text);
	bool full;
	int n;

	if (is_pci(d.p, d.n, &full)) {
		n = snprintf(out, NET_DEVICE, "%s%.*s", full ? "" : "0000:", (int)d.n, d.p);
	} else {
		d = strip_number(d);
		if (d.n <= 4 || memcmp(d.p, "net_", 4) != 0)
			return -EINVAL;
		for (uint32_t i = 0; i < d.n; i++)
			if (!isalnum((unsigned char)d.p[i]) && d.p[i] != '_')
				return -EINVAL;
		if (str_eq(d, STR("net_af_packet")))
			return -ENOTSUP;
		n = snprintf(out, NET_DEVICE, "%.*s%u", (int)d.n, d.p, index);
	}
	return n < NET_DEVICE ? 0 : -EINVAL;
}

struct str net_device_arg(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = strchr(text, ','); p; p = strchr(p, ',')) {
		p++;
		if (strncmp(p, key, n) == 0 && p[n] == '=')
			return (struct str){ p + n + 1, (uint32_t)strcspn(p + n + 1, ",") };
	}
	return (struct str){ NULL, 0 };
}

static void add_lcores(const struct net_eal_plan *plan, struct net_eal_args *out)
{
	char text[LIMIT_WORKERS * 12 + 16];
	int n = snprintf(text, sizeof(text), "0@%u", plan->main_cpu);

	for (uint32_t i = 0; i < plan->n_workers; i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, ",%u@%u", i + 1, plan->worker_cpus[i]);
	add(out, "--lcores");
	add(out, "%s", text);
}

/* Devices behind each other: `-a` for PCI, `--vdev` for the rest. */
static int add_devices(const struct net_eal_plan *plan, struct net_eal_args *out)
{
	uint32_t n_pci = 0;

	for (uint32_t i = 0; i < plan->n_devices; i++) {
		const struct net_device *dev = &plan->devices[i];
		char name[NET_DEVICE];
		bool pci, full, quiet;
		int rc = net_device_name(dev->text, i, name);

		if (rc)
			return rc;
		pci = is_pci(driver_of(dev->text).p, driver_of(dev->text).n, &full);
		/* busy polling on a veth only costs system calls; on a zero-copy NIC it is what drives it */
		quiet = dev->veth && net_device_arg(dev->text, "busy_budget").p == NULL;
		n_pci += pci;
		add(out, pci ? "-a" : "--vdev");
		add(out, "%s%s%s", name, dev->text + driver_of(dev->text).n, quiet ? ",busy_budget=0" : "");
	}
	if (n_pci == 0) {
		/* no device needs physical addresses, so pools can lie without gaps: see pool.c */
		add(out, "--no-pci");
		add(out, "--iova-mode");
		add(out, "va");
	}
	return 0;
}

/* EAL refuses '%' and makes a file name of the prefix. conf lets nothing stranger into a name. */
static void add_prefix(const struct net_eal_plan *plan, struct net_eal_args *out)
{
	char node[LIMIT_NAME + 1];
	size_t n = strnlen(plan->node, LIMIT_NAME);

	for (size_t i = 0; i < n; i++)
		node[i] = strchr("/% ", plan->node[i]) ? '_' : plan->node[i];
	node[n] = 0;
	add(out, "weir-%s-%u", node, plan->pid);
}

int net_eal_args(const struct net_eal_plan *plan, struct net_eal_args *out)
{
	uint32_t mb = plan->memory_mb > MIN_MEMORY_MB ? plan->memory_mb : MIN_MEMORY_MB;
	int rc;

	if (plan->n_workers > LIMIT_WORKERS || plan->n_devices > LIMIT_PORTS || plan->n_extra > NET_EAL_EXTRA)
		return -ENOSPC;
	out->argc = 0;
	out->used = 0;
	add(out, "%s", plan->program);
	add_lcores(plan, out);
	add(out, "--main-lcore");
	add(out, "0");
	add(out, "--file-prefix");
	add_prefix(plan, out);
	add(out, "--no-telemetry");
	add(out, "--log-level");
	add(out, "warning");
	if (plan->huge == NET_HUGE_ON) {
		add(out, "--in-memory");
	} else {
		add(out, "--no-huge"); /* EAL refuses it together with --in-memory; this is the same effect */
		add(out, "--no-shconf");
		add(out, "-m");
		add(out, "%u", mb);
	}
	rc = add_devices(plan, out);
	if (rc)
		return rc;
	for (uint32_t i = 0; i < plan->n_extra; i++)
		add(out, "%s", plan->extra[i]);
	return out->argc < 0 ? -ENOSPC : 0;
}
