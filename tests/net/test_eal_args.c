/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL's argument vector, device names and device arguments. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/net/net.h"

static void assert_args(const struct net_eal_args *a, const char *want)
{
	char got[4096] = "";

	for (int i = 0; i < a->argc; i++) {
		strcat(got, i ? " " : "");
		strcat(got, a->argv[i]);
	}
	assert_null(a->argv[a->argc]);
	assert_string_equal(got, want);
}

static void no_huge_pages(void **state)
{
	static const uint16_t cpus[] = { 1, 1 };
	struct net_device devs[] = { { .text = "net_tap,iface=dt0" },
				     { .text = "net_af_xdp0,iface=veth-core", .veth = true } };
	struct net_eal_plan plan = { .program = "weir",
				     .node = "lb/1",
				     .pid = 42,
				     .main_cpu = 0,
				     .n_workers = 2,
				     .worker_cpus = cpus,
				     .huge = NET_HUGE_OFF,
				     .memory_mb = 256,
				     .n_devices = 2,
				     .devices = devs };
	struct net_eal_args *a = malloc(sizeof(*a));

	assert_int_equal(net_eal_args(&plan, a), 0);
	assert_args(a, "weir --lcores 0@0,1@1,2@1 --main-lcore 0 --file-prefix weir-lb_1-42 --no-telemetry "
		       "--log-level warning --no-huge --no-shconf -m 256 --vdev net_tap0,iface=dt0 "
		       "--vdev net_af_xdp1,iface=veth-core,busy_budget=0 --no-pci --iova-mode va");
	free(a);
}

static void huge_pages_and_pci(void **state)
{
	static const uint16_t cpus[] = { 3 };
	static const char *const extra[] = { "-n", "4" };
	struct net_device devs[] = { { .text = "3b:00.0,txq_inline_max=0" }, { .text = "0000:3b:00.1" } };
	struct net_eal_plan plan = { .program = "weir",
				     .node = "lb1",
				     .pid = 7,
				     .main_cpu = 2,
				     .n_workers = 1,
				     .worker_cpus = cpus,
				     .huge = NET_HUGE_ON,
				     .n_devices = 2,
				     .devices = devs,
				     .n_extra = 2,
				     .extra = extra };
	struct net_eal_args *a = malloc(sizeof(*a));

	assert_int_equal(net_eal_args(&plan, a), 0);
	assert_args(a,
		    "weir --lcores 0@2,1@3 --main-lcore 0 --file-prefix weir-lb1-7 --no-telemetry "
		    "--log-level warning --in-memory -a 0000:3b:00.0,txq_inline_max=0 -a 0000:3b:00.1 -n 4");
	free(a);
}

static void what_does_not_fit_is_refused(void **state)
{
	static char text[600];
	struct net_device devs[LIMIT_PORTS] = { 0 };
	struct net_eal_plan plan = {
		.program = "weir", .node = "n", .n_devices = LIMIT_PORTS, .devices = devs
	};
	struct net_eal_args *a = malloc(sizeof(*a));

	memset(text, 'x', sizeof(text) - 1);
	memcpy(text, "net_ring,", 9);
	for (unsigned i = 0; i < LIMIT_PORTS; i++)
		devs[i].text = text;
	assert_int_equal(net_eal_args(&plan, a), -ENOSPC);
	devs[1].text = "eth0";
	assert_int_equal(net_eal_args(&plan, a), -EINVAL);
	plan.n_devices = LIMIT_PORTS + 1;
	assert_int_equal(net_eal_args(&plan, a), -ENOSPC);
	free(a);
}

static void every_port_and_worker_fits(void **state)
{
	static uint16_t cpus[LIMIT_WORKERS];
	static const char *const extra[NET_EAL_EXTRA] = { "a", [1 ... NET_EAL_EXTRA - 1] = "b" };
	struct net_device devs[LIMIT_PORTS] = { 0 };
	struct net_eal_plan plan = { .program = "weir",
				     .node = "n",
				     .n_workers = LIMIT_WORKERS,
				     .worker_cpus = cpus,
				     .n_devices = LIMIT_PORTS,
				     .devices = devs,
				     .n_extra = NET_EAL_EXTRA,
				     .extra = extra };
	struct net_eal_args *a = malloc(sizeof(*a));

	for (unsigned i = 0; i < LIMIT_WORKERS; i++)
		cpus[i] = (uint16_t)(1000 + i);
	for (unsigned i = 0; i < LIMIT_PORTS; i++)
		devs[i].text = "net_ring";
	assert_int_equal(net_eal_args(&plan, a), 0);
	free(a);
}

static void device_names(void **state)
{
	static const struct {
		const char *text, *name;
		int rc;
	} rows[] = {
		{ "net_tap", "net_tap3", 0 },
		{ "net_tap0,iface=a", "net_tap3", 0 },
		{ "net_af_xdp,iface=a", "net_af_xdp3", 0 },
		{ "0000:3b:00.0", "0000:3b:00.0", 0 },
		{ "3b:00.1,x=y", "0000:3b:00.1", 0 },
		{ "3b:0.1", NULL, -EINVAL },
		{ "xx:xx.x", NULL, -EINVAL },
		{ "net_", NULL, -EINVAL },
		{ "net_9", NULL, -EINVAL },
		{ "net_tap x", NULL, -EINVAL },
		{ "", NULL, -EINVAL },
		{ "net_af_packet0,iface=a", NULL, -ENOTSUP },
	};
	char name[NET_DEVICE];

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(net_device_name(rows[i].text, 3, name), rows[i].rc);
		if (rows[i].rc == 0)
			assert_string_equal(name, rows[i].name);
	}
}

static void device_arguments(void **state)
{
	assert_true(str_eq(net_device_arg("net_tap,xiface=b,iface=dt0,mac=fixed", "iface"), STR("dt0")));
	assert_true(str_eq(net_device_arg("net_tap,iface=dt0,mac=fixed", "mac"), STR("fixed")));
	assert_null(net_device_arg("net_tap,iface=dt0", "mac").p);
	assert_null(net_device_arg("iface=dt0", "iface").p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_huge_pages),
		cmocka_unit_test(huge_pages_and_pci),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(every_port_and_worker_fits),
		cmocka_unit_test(device_names),
		cmocka_unit_test(device_arguments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
