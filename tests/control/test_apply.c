/* SPDX-License-Identifier: BSD-3-Clause */
/* A config becomes the policy it says: slots, listeners, prefixes, routes, limits, publication. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/apply.h"

/* The dataplane's part: plain memory, and what was published where. */
static struct {
	int numa[4];
	struct lb_snapshot *snap[4];
	unsigned n;
} published;

void *dp_alloc(int numa, size_t bytes)
{
	return aligned_alloc(64, (bytes + 63) & ~(size_t)63);
}

void dp_free(void *mem)
{
	free(mem);
}

void dp_publish_policy(struct dp *dp, int numa, struct lb_snapshot *snap)
{
	published.numa[published.n] = numa;
	published.snap[published.n++] = snap;
}

static const char text[] =
	"state-dir: /tmp/none\n"
	"ports:\n"
	"  access: { device: \"net_ring\", addresses: [192.0.2.10/24], gateway: 192.0.2.1 }\n"
	"  core: { device: \"net_ring\", addresses: [\"198.51.100.10/24\", \"2001:db8::10/64\"] }\n"
	"listeners:\n"
	"  access: { address: \"192.0.2.10:5060\" }\n"
	"  core4: { address: \"198.51.100.10:5060\" }\n"
	"  core6: { address: \"[2001:db8::10]:5060\" }\n"
	"peers:\n"
	"  carrier-a: { from: [203.0.113.0/28], answer-when-full: 503, max-cps: 500/s }\n"
	"  carrier-b: { from: [\"2001:db8:1::/48\"], answer-when-full: 503+retry-after }\n"
	"unknown: 403\n"
	"pools:\n"
	"  east:\n"
	"    gateways:\n"
	"      gw1: { address: \"198.51.100.21:5060\", weight: 10, max-cps: 100/s }\n"
	"      gw2: { address: \"[2001:db8::22]:5060\", weight: 20, tier: 2, count: out }\n"
	"      far: { address: \"203.0.113.99:5070\" }\n"
	"    hash: source\n"
	"    overload: { retry-after: 40s, gateway-retry-after: ignore, gateway-retry-after-max: 9s }\n"
	"    failover: { attempts: 3, on: [500], progress: 9s, retry-budget: 25% }\n"
	"    redirects: follow\n"
	"    reroute:\n"
	"      - { on: [486, 600], no-answer: 20s, number: \"+82\", to: west, notify: off }\n"
	"      - { always: on, to: west }\n"
	"  west:\n"
	"    via: access\n"
	"    balance: weighted\n"
	"    gateways:\n"
	"      gw3: { address: \"198.51.100.23:5060\" }\n"
	"routes:\n"
	"  - { match: { from: carrier-a, number: \"+82\" }, pool: east }\n"
	"  - { match: { from: east }, pool: west }\n"
	"  - { match: { method: REGISTER }, answer: 405 }\n"
	"  - { match: { host: example.net }, pool: west }\n"
	"  - { answer: 404 }\n";

static const struct state_keys keys = { .hash.k = { 1, 2 }, .token = { .k = { 3, 4 }, .id = 7 } };

static struct conf *load(const char *yaml)
{
	struct conf_report report;
	struct conf *conf = NULL;

	if (conf_load_text("test.yaml", yaml, strlen(yaml), &conf, &report))
		conf_report_print(&report, stderr);
	conf_report_free(&report);
	assert_non_null(conf);
	return conf;
}

static struct ctl_policy *make(const struct conf *conf)
{
	struct ctl_policy *p = NULL;
	char err[200];

	assert_int_equal(policy_make(conf, &keys, 77, &p, err, sizeof(err)), 0);
	return p;
}

static void gateways_keep_the_order_of_the_file(void **state)
{
	struct conf *conf = load(text);
	struct ctl_policy *p = make(conf);

	assert_int_equal(p->spec.n_gateways, 4);
	assert_int_equal(p->spec.n_pools, 2);
	assert_int_equal(p->first[1], 3);
	assert_int_equal(p->first[2], 4);
	assert_int_equal(p->spec.node, 77);
	assert_int_equal(p->spec.unknown, LB_UNKNOWN_403);
	assert_int_equal(p->spec.key.id, 7);
	assert_int_equal(p->spec.hash_key.k[0], 1);
	assert_int_equal(p->gateways[0].weight, 10);
	assert_int_equal(p->gateways[0].tier, 0);
	assert_int_equal(p->gateways[1].tier, 1);
	assert_int_equal(p->gateways[3].pool, 1);
	assert_int_equal(p->pools[0].retry_after_s, 40);
	assert_int_equal(p->pools[0].gateway_retry, LB_GATEWAY_RETRY_IGNORE);
	assert_int_equal(p->pools[0].gateway_retry_max_ns, 9000000000);
	assert_int_equal(p->pools[1].gateway_retry, LB_GATEWAY_RETRY_STOP);
	assert_int_equal(p->pools[0].hash, LB_HASH_SOURCE);
	assert_int_equal(p->pools[0].balance, LB_BALANCE_HASH);
	assert_int_equal(p->pools[1].balance, LB_BALANCE_WEIGHTED);
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(p->by_slot[p->gateways[i].slot], i);
	assert_int_equal(p->by_slot[4], LB_NONE);
	policy_free(p);
	conf_free(conf);
}

static void messages_leave_where_the_gateway_is(void **state)
{
	struct conf *conf = load(text);
	struct ctl_policy *p = make(conf);

	assert_int_equal(p->gateways[0].listener, 1); /* on core's network */
	assert_int_equal(p->gateways[1].listener, 2); /* IPv6 */
	assert_int_equal(p->gateways[2].listener, 0); /* behind access's router */
	assert_int_equal(p->gateways[3].listener, 0); /* via: access */
	policy_free(p);
	conf_free(conf);
}

static void peers_and_routes(void **state)
{
	struct conf *conf = load(text);
	struct ctl_policy *p = make(conf);

	assert_int_equal(p->spec.n_peers, 2);
	assert_int_equal(p->peer_specs[0].when_full, LB_FULL_503);
	assert_int_equal(p->peer_specs[1].when_full, LB_FULL_503_RETRY);
	assert_int_equal(p->spec.n_prefixes, 2);
	assert_int_equal(p->prefixes[0].len, 96 + 28);
	assert_int_equal(p->prefixes[1].len, 48);
	assert_int_equal(p->prefixes[1].peer, 1);
	assert_int_equal(p->spec.n_routes, 5);
	assert_int_equal(p->routes[0].from_peer, 0);
	assert_int_equal(p->routes[0].from_pool, LB_NONE);
	assert_true(str_eq(p->routes[0].number, STR("+82")));
	assert_int_equal(p->routes[1].from_pool, 0);
	assert_int_equal(p->routes[1].pool, 1);
	assert_int_equal(p->routes[2].method, METHOD_REGISTER);
	assert_int_equal(p->routes[2].pool, LB_NONE);
	assert_int_equal(p->routes[2].answer, 405);
	assert_true(str_eq(p->routes[3].host, STR("example.net")));
	assert_int_equal(p->routes[4].method, METHOD_COUNT);
	policy_free(p);
	conf_free(conf);
}

static void pools_say_how_calls_go_on(void **state)
{
	struct conf *conf = load(text);
	struct ctl_policy *p = make(conf);
	const struct lb_pool_spec *east = &p->spec.pools[0], *west = &p->spec.pools[1];

	assert_int_equal(p->gateways[0].count_in, 1);
	assert_int_equal(p->gateways[1].count_in, 0);
	assert_int_equal(east->attempts, 3);
	assert_int_equal(east->budget_permille, 250);
	assert_int_equal(east->after_ns, 1000000000);
	assert_int_equal(east->after_max_ns, 4000000000);
	assert_int_equal(east->progress_ns, 9000000000);
	assert_true(lb_codes_has(&east->on, 500) && !lb_codes_has(&east->on, 501));
	assert_int_equal(east->follow, 1);
	assert_int_equal(east->redirect, 0);
	assert_int_equal(east->n_reroutes, 2);
	assert_true(lb_codes_has(&east->reroutes[0].on, 600));
	assert_int_equal(east->reroutes[0].no_answer_ns, 20000000000);
	assert_int_equal(east->reroutes[0].pool, 1);
	assert_true(str_eq(east->reroutes[0].number, STR("+82")));
	assert_int_equal(east->reroutes[0].notify, 0);
	assert_int_equal(east->reroutes[1].always, 1);
	assert_int_equal(east->reroutes[1].notify, 1);
	assert_int_equal(west->attempts, 2);
	assert_int_equal(west->n_reroutes, 0);
	policy_free(p);
	conf_free(conf);
}

static void every_node_gets_a_snapshot(void **state)
{
	struct conf *conf = load(text);
	struct ctl_policy *p = make(conf);
	struct lb_words *words = aligned_alloc(64, (lb_words_size() + 63) & ~(size_t)63);
	struct ctl_plan *plan = calloc(1, sizeof(*plan));

	plan->n_nodes = 2;
	plan->nodes[0] = 1;
	plan->nodes[1] = 0;
	policy_set_limits(p, conf, lb_words_init(words));
	published.n = 0;
	assert_int_equal(policy_publish(p, plan, NULL), 0);
	assert_int_equal(published.n, 2);
	assert_int_equal(published.numa[0], 1);
	assert_ptr_equal(p->current, published.snap[0]);
	assert_ptr_not_equal(published.snap[0], published.snap[1]);
	free(published.snap[0]);
	free(published.snap[1]);
	free(plan);
	free(words);
	policy_free(p);
	conf_free(conf);
}

struct name {
	uint32_t id, n;
};

static int by_id(const void *a, const void *b)
{
	const struct name *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct str gateway_name(uint32_t n, char buf[16])
{
	return (struct str){ buf, (uint32_t)snprintf(buf, 16, "g%u", n) };
}

/* Two names with the same identity. */
static void find_collision(char a[16], char b[16])
{
	const uint32_t n = 400000;
	struct name *names = malloc(n * sizeof(*names));

	assert_non_null(names);
	for (uint32_t i = 0; i < n; i++)
		names[i] = (struct name){ lb_gateway_id(gateway_name(i, a)), i };
	qsort(names, n, sizeof(*names), by_id);
	for (uint32_t i = 1; i < n; i++) {
		if (names[i].id != names[i - 1].id)
			continue;
		gateway_name(names[i].n, a);
		gateway_name(names[i - 1].n, b);
		free(names);
		return;
	}
	fail_msg("no collision among %u names", n);
}

static void names_with_one_hash_are_refused(void **state)
{
	char a[16], b[16], yaml[1024], err[200];
	struct ctl_policy *p = NULL;
	struct conf *conf;

	find_collision(a, b);
	snprintf(yaml, sizeof(yaml),
		 "state-dir: /tmp/none\n"
		 "ports:\n  p: { device: \"net_ring\", addresses: [192.0.2.10/24] }\n"
		 "listeners:\n  l: { address: \"192.0.2.10:5060\" }\n"
		 "unknown: allow\n"
		 "pools:\n  q:\n    gateways:\n"
		 "      %s: { address: \"192.0.2.21:5060\" }\n      %s: { address: \"192.0.2.22:5060\" }\n"
		 "routes:\n  - { pool: q }\n",
		 a, b);
	conf = load(yaml);
	assert_int_equal(policy_make(conf, &keys, 1, &p, err, sizeof(err)), -EEXIST);
	assert_non_null(strstr(err, a));
	assert_non_null(strstr(err, b));
	conf_free(conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gateways_keep_the_order_of_the_file),
		cmocka_unit_test(messages_leave_where_the_gateway_is),
		cmocka_unit_test(peers_and_routes),
		cmocka_unit_test(pools_say_how_calls_go_on),
		cmocka_unit_test(every_node_gets_a_snapshot),
		cmocka_unit_test(names_with_one_hash_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
