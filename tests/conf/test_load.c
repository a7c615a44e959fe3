/* SPDX-License-Identifier: BSD-3-Clause */
/* Good files: every member gets what the file says or its default; samples load; print and load agree. */
#include <glob.h>

#include "tests/conf/conf_test.h"

static const char full[] =
	"node: lb7\n"
	"state-dir: /srv/weir\n"
	"workers: { count: 2, cores: \"3,5\", poll: busy }\n"
	"eal: { extra: [--log-level, \"8\"], hugepages: no, memory: 128M }\n"
	"ports:\n"
	"  access: { device: 0000:3b:00.0, addresses: [192.0.2.10/24], gateway: 192.0.2.1, twin: w0, mtu: "
	"1400 }\n"
	"  core:\n"
	"    device: \"net_af_xdp,iface=veth-core\"\n"
	"    addresses: [198.51.100.10/24, \"2001:db8::10/64\"]\n"
	"    gateway6: 2001:db8::1\n"
	"    vlan: 100\n"
	"    checksum: trust\n"
	"listeners:\n"
	"  access: { address: 192.0.2.10:5060, advertise: lb.example.net }\n"
	"  core4: { address: 198.51.100.10:5060 }\n"
	"  core6: { address: \"[2001:db8::10]:5060\" }\n"
	"peers:\n"
	"  trunk: { from: [203.0.113.0/28, 203.0.113.99], max-cps: 2k/s, max-calls: 5k, max-rps: 300/s, "
	"resource-priority: [wps.0], max-emergency: 5/s, share: 7 }\n"
	"  phones: { from: [\"2001:db8:5::/48\"], answer-when-full: 503+retry-after }\n"
	"unknown: 403\n"
	"pools:\n"
	"  east:\n"
	"    via: core4\n"
	"    balance: call-id\n"
	"    hash: to\n"
	"    overload: { overflow: west, spill: 30%, retry-after: 40s, gateway-retry-after: shrink, "
	"gateway-retry-after-max: 9s }\n"
	"    gateways:\n"
	"      gw1: { address: 198.51.100.21:5060, weight: 10, max-cps: 100/s, max-calls: 2k, count: out }\n"
	"      gw2: { address: 198.51.100.22:5061, weight: 0, tier: 2 }\n"
	"    health: { interval: 2s, timeout: 200ms, down-after: 1, up-after: 4 }\n"
	"    failover: { attempts: 3, after: 500ms, after-max: 2s, progress: 10s, on: [500, 408], "
	"retry-budget: "
	"25% }\n"
	"    redirects: follow\n"
	"    reroute:\n"
	"      - { on: [486, 600], no-answer: 20s, number: \"+82(10)\", to: west, notify: off }\n"
	"      - { always: on, to: west }\n"
	"  west: { balance: least-work, gateways: { gw3: { address: \"[2001:db8::21]:5060\" } }, health: { "
	"method: off } }\n"
	"routes:\n"
	"  - { match: { from: trunk, method: INVITE, number: +82-(2), host: East.Example }, pool: east }\n"
	"  - { match: { from: east }, pool: west }\n"
	"  - { match: {}, answer: 404 }\n"
	"emergency: { numbers: [\"112\", \"+82-119\"], headroom: 5% }\n"
	"control: { socket: /tmp/s, metrics: \"[::1]:9105\", records: /tmp/r.jsonl }\n"
	"calls: { max: 2M, ringing: 200k, max-duration: 2h }\n"
	"timers: { t1: 500ms, pin: 1m, t2: 5s, t4: 6s, b: 40s, c: 4m, d: 40s, release: 50s, session-min: "
	"100s "
	"}\n";

static void assert_addr(const struct addr *addr, const char *text)
{
	char got[CONF_ADDR_TEXT];

	conf_addr_text(addr, got);
	assert_string_equal(got, text);
}

static void check_machine(const struct conf *c)
{
	assert_string_equal(c->file, "f");
	assert_string_equal(c->node, "lb7");
	assert_string_equal(c->state_dir, "/srv/weir");
	assert_int_equal(c->workers.count, 2);
	assert_int_equal(c->workers.cores.n, 2);
	assert_int_equal(c->workers.cores.cpu[1], 5);
	assert_int_equal(c->workers.poll, CONF_POLL_BUSY);
	assert_int_equal(c->eal.n_extra, 2);
	assert_string_equal(c->eal.extra[1], "8");
	assert_int_equal(c->eal.hugepages, CONF_OFF);
	assert_int_equal(c->eal.memory, 128 << 20);
	assert_string_equal(c->control.socket, "/tmp/s");
	assert_addr(&c->control.metrics, "[::1]:9105");
	assert_int_equal(c->timers.t1_ns, 500000000);
	assert_int_equal(c->timers.pin_ns, 60000000000);
	assert_int_equal(c->timers.t2_ns, 5000000000);
	assert_int_equal(c->timers.t4_ns, 6000000000);
	assert_int_equal(c->timers.b_ns, 40000000000);
	assert_int_equal(c->timers.c_ns, 240000000000);
	assert_int_equal(c->timers.d_ns, 40000000000);
	assert_int_equal(c->timers.release_ns, 50000000000);
	assert_int_equal(c->timers.session_min_ns, 100000000000);
	assert_string_equal(c->control.records, "/tmp/r.jsonl");
	assert_int_equal(c->calls.max, 2000000);
	assert_int_equal(c->calls.ringing, 200000);
	assert_int_equal(c->calls.max_duration_ns, 7200000000000);
}

static void check_failover(const struct conf *c)
{
	const struct conf_pool *east = &c->pools[0], *west = &c->pools[1];

	assert_int_equal(c->peers[0].max_calls, 5000);
	assert_int_equal(c->peers[1].max_calls, CONF_NONE);
	assert_int_equal(east->gateways[0].max_calls, 2000);
	assert_int_equal(east->gateways[0].count, CONF_COUNT_OUT);
	assert_int_equal(east->gateways[1].max_calls, CONF_NONE);
	assert_int_equal(east->gateways[1].count, CONF_COUNT_BOTH);
	assert_int_equal(east->failover.attempts, 3);
	assert_int_equal(east->failover.after_ns, 500000000);
	assert_int_equal(east->failover.after_max_ns, 2000000000);
	assert_int_equal(east->failover.progress_ns, 10000000000);
	assert_int_equal(east->failover.n_on, 2);
	assert_int_equal(east->failover.on[1], 408);
	assert_int_equal(east->failover.retry_budget, 25);
	assert_int_equal(east->hash, CONF_HASH_TO);
	assert_int_equal(east->overload.overflow.index, 1);
	assert_int_equal(east->overload.spill, 30);
	assert_int_equal(west->overload.overflow.index, CONF_NONE);
	assert_int_equal(east->overload.gateway_retry, CONF_GATEWAY_RETRY_SHRINK);
	assert_int_equal(east->overload.gateway_retry_max_ns, 9000000000);
	assert_int_equal(west->overload.gateway_retry, CONF_GATEWAY_RETRY_STOP);
	assert_int_equal(west->overload.gateway_retry_max_ns, 5000000000);
	assert_int_equal(west->balance, CONF_BALANCE_LEAST_WORK);
	assert_int_equal(east->redirects, CONF_REDIRECTS_FOLLOW);
	assert_int_equal(east->mode, CONF_MODE_PROXY);
	assert_int_equal(east->n_reroute, 2);
	assert_int_equal(east->reroute[0].n_on, 2);
	assert_int_equal(east->reroute[0].on[1], 600);
	assert_int_equal(east->reroute[0].no_answer_ns, 20000000000);
	assert_int_equal(east->reroute[0].always, CONF_OFF);
	assert_string_equal(east->reroute[0].number, "+8210");
	assert_int_equal(east->reroute[0].to.index, 1);
	assert_int_equal(east->reroute[0].notify, CONF_NOTIFY_OFF);
	assert_int_equal(east->reroute[1].always, CONF_ON);
	assert_int_equal(east->reroute[1].notify, CONF_NOTIFY_181);
	assert_int_equal(west->failover.attempts, 2);
	assert_int_equal(west->failover.progress_ns, 0);
	assert_int_equal(west->failover.n_on, 0);
	assert_int_equal(west->failover.retry_budget, 10);
	assert_int_equal(west->redirects, CONF_REDIRECTS_RELAY);
	assert_int_equal(west->n_reroute, 0);
}

static void check_ports(const struct conf *c)
{
	assert_int_equal(c->n_ports, 2);
	assert_string_equal(c->ports[0].name, "access");
	assert_string_equal(c->ports[0].device, "0000:3b:00.0");
	assert_addr(&c->ports[0].gateway, "192.0.2.1");
	assert_string_equal(c->ports[0].twin, "w0");
	assert_int_equal(c->ports[0].mtu, 1400);
	assert_int_equal(c->ports[0].checksum, CONF_CHECKSUM_VERIFY);
	assert_int_equal(c->ports[0].vlan, 0);
	assert_int_equal(c->ports[1].vlan, 100);
	assert_int_equal(c->ports[1].n_addresses, 2);
	assert_addr(&c->ports[1].addresses[1].addr, "2001:db8::10");
	assert_int_equal(c->ports[1].addresses[1].bits, 64);
	assert_addr(&c->ports[1].gateway6, "2001:db8::1");
	assert_int_equal(c->ports[1].checksum, CONF_CHECKSUM_TRUST);
	assert_string_equal(c->ports[1].twin, "core");
	assert_int_equal(c->ports[1].mtu, 1500);
	assert_int_equal(c->n_listeners, 3);
	assert_string_equal(c->listeners[0].advertise, "lb.example.net");
	assert_null(c->listeners[1].advertise);
	assert_int_equal(c->listeners[0].port, 0);
	assert_int_equal(c->listeners[2].port, 1);
	assert_addr(&c->listeners[2].address, "[2001:db8::10]:5060");
}

static void check_peers(const struct conf *c)
{
	assert_int_equal(c->n_peers, 2);
	assert_int_equal(c->peers[0].n_from, 2);
	assert_int_equal(c->peers[0].from[0].bits, 28);
	assert_int_equal(c->peers[0].from[1].bits, 32);
	assert_int_equal(c->peers[0].max_cps, 2000);
	assert_int_equal(c->peers[0].share, 7);
	assert_int_equal(c->peers[1].share, 1);
	assert_int_equal(c->peers[0].answer_when_full, CONF_FULL_503);
	assert_int_equal(c->peers[1].max_cps, CONF_NONE);
	assert_int_equal(c->peers[1].answer_when_full, CONF_FULL_503_RETRY_AFTER);
	assert_int_equal(c->unknown, CONF_UNKNOWN_403);
}

static void check_priority(const struct conf *c)
{
	assert_int_equal(c->emergency.n_numbers, 2);
	assert_string_equal(c->emergency.numbers[1], "+82119");
	assert_int_equal(c->emergency.headroom, 5);
	assert_int_equal(c->peers[0].max_rps, 300);
	assert_int_equal(c->peers[0].max_emergency, 5);
	assert_string_equal(c->peers[0].resource_priority[0], "wps.0");
	assert_int_equal(c->peers[1].max_rps, CONF_NONE);
	assert_int_equal(c->peers[1].max_emergency, 10);
}

static void check_pools(const struct conf *c)
{
	const struct conf_pool *east = &c->pools[0], *west = &c->pools[1];

	assert_int_equal(c->n_pools, 2);
	assert_int_equal(east->via.index, 1);
	assert_int_equal(east->n_gateways, 2);
	assert_string_equal(east->gateways[1].name, "gw2");
	assert_addr(&east->gateways[1].address, "198.51.100.22:5061");
	assert_int_equal(east->gateways[0].weight, 10);
	assert_int_equal(east->gateways[0].tier, 1);
	assert_int_equal(east->gateways[0].max_cps, 100);
	assert_int_equal(east->gateways[1].weight, 0);
	assert_int_equal(east->gateways[1].tier, 2);
	assert_int_equal(east->gateways[1].max_cps, CONF_NONE);
	assert_int_equal(east->health.method, CONF_PROBE_OPTIONS);
	assert_int_equal(east->health.interval_ns, 2000000000);
	assert_int_equal(east->health.timeout_ns, 200000000);
	assert_int_equal(east->health.down_after, 1);
	assert_int_equal(east->health.up_after, 4);
	assert_int_equal(east->overload.retry_after_ns, 40000000000);
	assert_int_equal(west->via.index, CONF_NONE);
	assert_null(west->via.name);
	assert_int_equal(west->health.method, CONF_PROBE_OFF);
	assert_int_equal(west->health.interval_ns, 5000000000);
	assert_int_equal(west->gateways[0].weight, 1);
}

static void check_routes(const struct conf *c)
{
	assert_int_equal(c->n_routes, 3);
	assert_int_equal(c->routes[0].match.from_peer, 0);
	assert_int_equal(c->routes[0].match.from_pool, CONF_NONE);
	assert_int_equal(c->routes[0].match.method, METHOD_INVITE);
	assert_string_equal(c->routes[0].match.number, "+822");
	assert_string_equal(c->routes[0].match.host, "east.example");
	assert_int_equal(c->routes[0].pool.index, 0);
	assert_int_equal(c->routes[0].answer, CONF_NONE);
	assert_int_equal(c->routes[1].match.from_peer, CONF_NONE);
	assert_int_equal(c->routes[1].match.from_pool, 0);
	assert_int_equal(c->routes[1].match.method, METHOD_COUNT);
	assert_null(c->routes[1].match.number);
	assert_int_equal(c->routes[2].pool.index, CONF_NONE);
	assert_int_equal(c->routes[2].answer, 404);
}

static void check_full(const struct conf *c)
{
	check_machine(c);
	check_priority(c);
	check_ports(c);
	check_peers(c);
	check_pools(c);
	check_routes(c);
	check_failover(c);
}

static void test_every_key(void **state)
{
	struct conf *c = load_good(full);

	check_full(c);
	conf_free(c);
}

static char *printed(const struct conf *c)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_int_equal(conf_print(c, out), 0);
	fclose(out);
	return text;
}

static void test_print_loads_again(void **state)
{
	struct conf *c = load_good(full), *again;
	char *text = printed(c), *text_again;

	again = load_good(text);
	check_full(again);
	text_again = printed(again);
	assert_string_equal(text, text_again);
	free(text);
	free(text_again);
	conf_free(c);
	conf_free(again);
}

static void test_defaults(void **state)
{
	struct conf *c = load_good(NET POOL);

	assert_string_equal(c->node, "weir");
	assert_string_equal(c->state_dir, "/var/lib/weir");
	assert_string_equal(c->control.socket, "/run/weir/weir.sock");
	assert_int_equal(c->control.metrics.port, 0);
	assert_int_equal(c->workers.count, 1);
	assert_int_equal(c->workers.cores.n, 0);
	assert_int_equal(c->workers.poll, CONF_POLL_ADAPTIVE);
	assert_int_equal(c->eal.hugepages, CONF_AUTO);
	assert_int_equal(c->unknown, CONF_UNKNOWN_DROP);
	assert_int_equal(c->pools[0].overload.retry_after_ns, 30000000000);
	assert_int_equal(c->timers.pin_ns, 32000000000);
	assert_int_equal(c->timers.b_ns, 32000000000);
	assert_null(c->control.records);
	assert_int_equal(c->calls.max, 100000);
	assert_int_equal(c->calls.ringing, 10000);
	assert_int_equal(c->routes[0].match.method, METHOD_COUNT);
	assert_int_equal(c->routes[0].match.from_peer, CONF_NONE);
	conf_free(c);
}

static void test_cores_give_the_count(void **state)
{
	struct conf *c = load_good(NET POOL "workers: { cores: 2-5 }\n");

	assert_int_equal(c->workers.count, 4);
	conf_free(c);
}

static void test_anchors(void **state)
{
	struct conf *c = load_good(
		NET "pools:\n"
		    "  p: { gateways: { g: { address: 192.0.2.21:5060 } }, health: &h { interval: 7s } }\n"
		    "  q: { gateways: { k: { address: 192.0.2.22:5060 } }, health: *h }\n"
		    "routes: [ { match: { from: c }, pool: p }, { pool: q } ]\n");

	assert_int_equal(c->pools[1].health.interval_ns, 7000000000);
	conf_free(c);
}

/* As some editors begin a file. */
static void test_byte_order_mark(void **state)
{
	conf_free(load_good("\xef\xbb\xbf" NET POOL));
}

static void test_samples(void **state)
{
	glob_t found;

	assert_int_equal(glob(SOURCE_ROOT "/conf/samples/*.yaml", 0, NULL, &found), 0);
	assert_true(found.gl_pathc >= 2);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		struct conf *c;
		struct conf_report report;

		assert_int_equal(conf_load(found.gl_pathv[i], &c, &report), 0);
		assert_int_equal(report.n, 0);
		assert_string_equal(c->file, found.gl_pathv[i]);
		conf_report_free(&report);
		conf_free(c);
	}
	globfree(&found);
}

static void test_files_that_cannot_be_read(void **state)
{
	static const struct {
		const char *path, *text;
	} cases[] = {
		{ "/nonexistent/weir.yaml",
		  "/nonexistent/weir.yaml: cannot be read: No such file or directory\n" },
		{ "/", "/: cannot be read: Is a directory\n" },
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct conf *c;
		struct conf_report report;
		char *text;

		assert_true(conf_load(cases[i].path, &c, &report) < 0);
		assert_null(c);
		text = report_text(&report);
		assert_string_equal(text, cases[i].text);
		free(text);
		conf_report_free(&report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key), cmocka_unit_test(test_print_loads_again),
		cmocka_unit_test(test_defaults),  cmocka_unit_test(test_cores_give_the_count),
		cmocka_unit_test(test_anchors),   cmocka_unit_test(test_byte_order_mark),
		cmocka_unit_test(test_samples),   cmocka_unit_test(test_files_that_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
