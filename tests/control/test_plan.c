/* SPDX-License-Identifier: BSD-3-Clause */
/* Which core every loop gets, on machines that are not this one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/plan.h"

struct fixture {
	struct conf conf;
	struct conf_port port;
	struct conf_listener listener;
	struct ctl_topology topo;
	struct ctl_plan plan;
	char err[200];
};

static struct fixture *make(uint32_t workers, enum conf_poll poll)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->port = (struct conf_port){ .name = "p", .device = "net_tap,iface=dt0", .mtu = 1500, .twin = "p" };
	f->listener = (struct conf_listener){ .name = "l", .address = addr_v4(0x0a00000a, 5060) };
	f->conf = (struct conf){
		.file = "test",
		.node = "lb1",
		.n_ports = 1,
		.ports = &f->port,
		.n_listeners = 1,
		.listeners = &f->listener,
		.workers = { .count = workers, .poll = poll },
		.eal.memory = 128u << 20,
		.timers = { .t1_ns = 500000000, .c_ns = 180000000000, .pin_ns = 32000000000 },
		.calls = { .max = 1000, .ringing = 100 },
	};
	f->topo.port_node[0] = -1;
	return f;
}

/* CPUs first..first+n-1; node: of all. */
static void add_cpus(struct fixture *f, uint16_t first, unsigned n, int16_t node)
{
	for (unsigned i = 0; i < n; i++) {
		f->topo.cpu[f->topo.n] = (uint16_t)(first + i);
		f->topo.node[f->topo.n++] = node;
	}
}

static int run(struct fixture *f)
{
	return plan_make(&f->conf, &f->topo, &f->plan, f->err, sizeof(f->err));
}

static void default_leaves_the_first_core_to_control(void **state)
{
	struct fixture *f = make(3, CONF_POLL_BUSY);

	add_cpus(f, 0, 8, -1);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.dp.eal.main_cpu, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f->plan.dp.workers[i].core, i + 1);
	assert_int_equal(f->plan.n_warnings, 0);
	assert_int_equal(f->plan.n_nodes, 1);
	assert_int_equal(f->plan.nodes[0], -1);
	assert_int_equal(f->plan.dp.tables.ringing_ns, 212000000000);
	free(f);
}

static void named_cores_are_taken_in_order(void **state)
{
	uint16_t cores[] = { 2, 3, 5 };
	struct fixture *f = make(3, CONF_POLL_BUSY);

	add_cpus(f, 0, 6, -1);
	f->conf.workers.cores = (struct conf_cores){ .n = 3, .cpu = cores };
	assert_int_equal(run(f), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f->plan.dp.workers[i].core, cores[i]);
	assert_int_equal(f->plan.dp.eal.main_cpu, 0);
	assert_ptr_equal(f->plan.dp.eal.worker_cpus, f->plan.cpus);
	free(f);
}

static void a_core_that_is_not_there_is_refused(void **state)
{
	uint16_t cores[] = { 2, 9 };
	struct fixture *f = make(2, CONF_POLL_ADAPTIVE);

	add_cpus(f, 0, 4, -1);
	f->conf.workers.cores = (struct conf_cores){ .n = 2, .cpu = cores };
	assert_int_equal(run(f), -EINVAL);
	assert_non_null(strstr(f->err, "core 9"));
	free(f);
}

static void busy_workers_share_no_core(void **state)
{
	struct fixture *f = make(3, CONF_POLL_BUSY);

	add_cpus(f, 0, 2, -1);
	assert_int_equal(run(f), -EINVAL);
	assert_non_null(strstr(f->err, "poll: adaptive"));
	free(f);
}

/* The file of another machine: what a start would refuse here is a warning, and its own cores are planned. */
static void missing_cores_are_warnings_elsewhere(void **state)
{
	uint16_t cores[] = { 2, 9 };
	struct fixture *f = make(2, CONF_POLL_BUSY);

	add_cpus(f, 0, 2, -1);
	f->topo.elsewhere = true;
	f->conf.workers.cores = (struct conf_cores){ .n = 2, .cpu = cores };
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.n_warnings, 1);
	assert_non_null(
		strstr(f->plan.warning[0], "core 2 is not available to this process, nor are others"));
	assert_int_equal(f->plan.dp.workers[1].core, 9);
	f->conf.workers.cores.n = 0;
	f->conf.workers.count = 3;
	assert_int_equal(run(f), 0);
	assert_non_null(strstr(f->plan.warning[0], "3 busy workers need 3 cores, 2 there"));
	f->topo.isolated[0] = f->topo.isolated[1] = true;
	assert_int_equal(run(f), -EINVAL); /* nobody knows which to take */
	assert_non_null(strstr(f->err, "name some"));
	free(f);
}

static void adaptive_workers_share_cores(void **state)
{
	struct fixture *f = make(4, CONF_POLL_ADAPTIVE);

	add_cpus(f, 4, 2, -1);
	assert_int_equal(run(f), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(f->plan.dp.workers[i].core, 4 + i % 2);
	assert_int_equal(f->plan.dp.eal.main_cpu, 4);
	assert_int_equal(f->plan.n_warnings, 0);
	free(f);
}

static void control_beside_a_busy_worker_warns(void **state)
{
	struct fixture *f = make(2, CONF_POLL_BUSY);

	add_cpus(f, 0, 2, -1);
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.n_warnings, 1);
	assert_non_null(strstr(f->plan.warning[0], "shares core 0"));
	free(f);
}

static void workers_go_to_the_node_of_the_port(void **state)
{
	struct fixture *f = make(2, CONF_POLL_BUSY);

	add_cpus(f, 0, 4, 0);
	add_cpus(f, 4, 4, 1);
	f->topo.port_node[0] = 1;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.dp.workers[0].core, 4);
	assert_int_equal(f->plan.dp.workers[1].core, 5);
	assert_int_equal(f->plan.dp.workers[1].numa, 1);
	assert_int_equal(f->plan.n_warnings, 0);
	free(f);
}

static void a_worker_on_the_wrong_node_warns(void **state)
{
	uint16_t cores[] = { 1, 4 };
	struct fixture *f = make(2, CONF_POLL_BUSY);

	add_cpus(f, 0, 4, 0);
	add_cpus(f, 4, 4, 1);
	f->topo.port_node[0] = 1;
	f->conf.workers.cores = (struct conf_cores){ .n = 2, .cpu = cores };
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.n_warnings, 1);
	assert_non_null(strstr(f->plan.warning[0], "worker 0: core 1 is on NUMA node 0, port p on node 1"));
	assert_int_equal(f->plan.n_nodes, 2);
	free(f);
}

static void isolated_cores_are_taken_only_by_name(void **state)
{
	uint16_t cores[] = { 2, 3 };
	struct fixture *f = make(2, CONF_POLL_BUSY);

	add_cpus(f, 0, 4, -1);
	f->topo.isolated[0] = f->topo.isolated[2] = f->topo.isolated[3] = true;
	f->conf.workers.cores = (struct conf_cores){ .n = 2, .cpu = cores };
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.dp.workers[1].core, 3);
	assert_int_equal(f->plan.dp.eal.main_cpu, 1);
	assert_int_equal(f->plan.n_warnings, 0);
	f->conf.workers.cores.n = 0;
	assert_int_equal(run(f), -EINVAL); /* one usual core is not enough for two */
	f->conf.workers.count = 1;
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.dp.workers[0].core, 1);
	assert_int_equal(f->plan.dp.eal.main_cpu, 1);
	assert_int_equal(f->plan.n_warnings, 1);
	free(f);
}

static void the_plan_says_what_eal_is_told(void **state)
{
	struct fixture *f = make(2, CONF_POLL_ADAPTIVE);
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	add_cpus(f, 0, 3, -1);
	assert_int_equal(run(f), 0);
	assert_int_equal(plan_print(&f->plan, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "control: core 0\n"));
	assert_non_null(strstr(text, "worker 1: core 2, memory node any, poll adaptive"));
	assert_non_null(strstr(text, "--lcores 0@0,1@1,2@2"));
	assert_non_null(strstr(text, "--vdev net_tap0,iface=dt0"));
	free(text);
	free(f);
}

static void tables_are_shared_among_the_workers(void **state)
{
	struct fixture *f = make(4, CONF_POLL_ADAPTIVE);

	add_cpus(f, 0, 4, -1);
	f->conf.calls = (struct conf_calls){ .max = 100001, .ringing = 10000, .max_duration_ns = 7 };
	f->conf.timers = (struct conf_timers){ .t1_ns = 1,
					       .t2_ns = 2,
					       .t4_ns = 3,
					       .b_ns = 4,
					       .c_ns = 5,
					       .d_ns = 6,
					       .release_ns = 8,
					       .pin_ns = 9,
					       .session_min_ns = 10 };
	assert_int_equal(run(f), 0);
	assert_int_equal(f->plan.dp.tables.calls, 31251); /* 25001 and a quarter */
	assert_int_equal(f->plan.dp.tables.setups, 6250);
	assert_int_equal(f->plan.dp.kept, 6250);
	assert_int_equal(f->plan.dp.tables.timers.t2, 2);
	assert_int_equal(f->plan.dp.tables.timers.c, 5);
	assert_int_equal(f->plan.dp.tables.timers.max_call, 7);
	assert_int_equal(f->plan.dp.tables.timers.release, 8);
	assert_int_equal(f->plan.dp.tables.timers.session_min, 10);
	assert_int_equal(f->plan.dp.tables.pin_ns, 9);
	assert_in_range(f->plan.dp.eal.tables_mb, 4 * 6250 * 2048ull >> 20, 200);
	assert_int_equal(f->plan.dp.eal.memory_mb, 128);
	free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_leaves_the_first_core_to_control),
		cmocka_unit_test(named_cores_are_taken_in_order),
		cmocka_unit_test(a_core_that_is_not_there_is_refused),
		cmocka_unit_test(busy_workers_share_no_core),
		cmocka_unit_test(missing_cores_are_warnings_elsewhere),
		cmocka_unit_test(adaptive_workers_share_cores),
		cmocka_unit_test(control_beside_a_busy_worker_warns),
		cmocka_unit_test(workers_go_to_the_node_of_the_port),
		cmocka_unit_test(a_worker_on_the_wrong_node_warns),
		cmocka_unit_test(isolated_cores_are_taken_only_by_name),
		cmocka_unit_test(the_plan_says_what_eal_is_told),
		cmocka_unit_test(tables_are_shared_among_the_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
