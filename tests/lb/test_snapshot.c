/* SPDX-License-Identifier: BSD-3-Clause */
/* What a specification may not say, collisions of identities, and the routes of a snapshot. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/lb/check.h"
#include "lb/choose/routes.h"

static void refuse(struct world *w)
{
	void *mem = aligned_alloc(64, lb_snapshot_size(&w->spec));

	errno = 0;
	assert_null(lb_snapshot_init(mem, &w->spec));
	assert_int_equal(errno, EINVAL);
	free(mem);
}

static void start(struct world *w)
{
	world_init(w);
	world_gateway(w, 0, 1, 0);
	world_gateway(w, 0, 1, 0);
}

/* Calls to pool 1 go to `pool`, 600 of them and all to one number. */
static void reroute(struct world *w, uint16_t pool)
{
	static struct lb_reroute_spec rules[2];

	rules[0] = (struct lb_reroute_spec){ .no_answer_ns = 7, .pool = pool, .notify = 1 };
	rules[1] = (struct lb_reroute_spec){ .always = 1, .number = STR("+8210"), .pool = pool };
	lb_codes_add(&rules[0].on, 600);
	w->pool[1].reroutes = rules;
	w->pool[1].n_reroutes = 2;
}

static void reroutes_are_copied(void **state)
{
	const struct pool *p;
	struct world w;

	start(&w);
	reroute(&w, 0);
	w.pool[1].attempts = 3;
	lb_codes_add(&w.pool[1].on, 300);
	lb_codes_add(&w.pool[1].on, 699);
	world_build(&w);
	w.pool[1].reroutes = NULL;
	p = &w.snap->pools[1];
	assert_int_equal(w.snap->pools[0].attempts, 1);
	assert_int_equal(w.snap->pools[0].n_reroutes, 0);
	assert_int_equal(p->attempts, 3);
	assert_true(lb_codes_has(&p->on, 300) && lb_codes_has(&p->on, 699));
	assert_false(lb_codes_has(&p->on, 299) || lb_codes_has(&p->on, 700) || lb_codes_has(&p->on, 364));
	assert_int_equal(p->n_reroutes, 2);
	assert_true(lb_codes_has(&p->reroutes[0].on, 600));
	assert_int_equal(p->reroutes[0].no_answer_ns, 7);
	assert_true(p->reroutes[1].always);
	assert_memory_equal(p->reroutes[1].number.p, "+8210", 5);
	world_free(&w);
}

/* One thing wrong at a time. */
#define REFUSED(statement)                                                                                   \
	do {                                                                                                 \
		struct world w;                                                                              \
		start(&w);                                                                                   \
		statement;                                                                                   \
		refuse(&w);                                                                                  \
		world_free(&w);                                                                              \
	} while (0)

static void wrong_specifications(void **state)
{
	static const struct str plus = STR("+");

	REFUSED(w.gateway[1].slot = LIMIT_GATEWAYS);
	REFUSED(w.gateway[1].pool = 2);
	REFUSED(w.gateway[1].tier = LIMIT_TIERS);
	REFUSED(w.gateway[1].listener = LIMIT_LISTENERS);
	REFUSED(w.gateway[1].addr.port = 0);
	REFUSED(w.gateway[1].name = STR(""));
	REFUSED(w.gateway[1].name = w.gateway[0].name);
	REFUSED(w.pool[1].retry_after_s = 0);
	REFUSED(w.pool[1].attempts = LIMIT_ATTEMPTS + 1);
	REFUSED(reroute(&w, 2));
	REFUSED(reroute(&w, 1));
	REFUSED(w.peer[0].slot = LIMIT_PEERS);
	REFUSED(w.prefix[0].peer = 1);
	REFUSED(w.prefix[0].len = 129);
	REFUSED(w.route[0].pool = 2);
	REFUSED(w.route[0].pool = LB_NONE);
	REFUSED(world_route(&w, LB_NONE)->answer = 200);
	REFUSED(w.route[0].from_peer = 1);
	REFUSED(w.route[0].from_pool = 2);
	REFUSED(w.route[0].method = METHOD_COUNT + 1);
	REFUSED(w.spec.key.k[0] = w.spec.key.k[1] = 0);
	REFUSED(w.spec.hash_key.k[0] = w.spec.hash_key.k[1] = 0);
	REFUSED(w.spec.old_key.k[0]++);
	REFUSED((w.spec.emergency = &plus, w.spec.n_emergency = 1));
}

/* Two names with the same identity, found by search. */
static void collisions_are_found(void **state)
{
	uint32_t a = 9, b = 9;
	struct world w;

	start(&w);
	assert_int_equal(lb_spec_collision(&w.spec, &a, &b), 0);
	w.gateway[0].name = STR("gw12814");
	w.gateway[1].name = STR("gw12973");
	assert_int_equal(lb_gateway_id(w.gateway[0].name), lb_gateway_id(w.gateway[1].name));
	assert_int_equal(lb_spec_collision(&w.spec, &a, &b), -EEXIST);
	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	refuse(&w);
	world_free(&w);
}

/* As many listeners as there may be: each has an identity of its own, the same in any order. */
static void listeners_by_name(void **state)
{
	static char text[LIMIT_LISTENERS][8];
	struct str names[LIMIT_LISTENERS];
	uint8_t ids[LIMIT_LISTENERS];
	struct world w;

	(void)state;
	start(&w);
	for (unsigned i = 0; i < LIMIT_LISTENERS; i++)
		names[i] = (struct str){ text[i], (uint32_t)snprintf(text[i], sizeof(text[i]), "core%u", i) };
	w.spec.listeners = names;
	w.spec.n_listeners = LIMIT_LISTENERS;
	world_build(&w);
	for (unsigned i = 0; i < LIMIT_LISTENERS; i++) {
		ids[i] = w.snap->listener_id[i];
		assert_int_equal(w.snap->listener_of[ids[i]], i);
	}
	for (unsigned i = 0, k = LIMIT_LISTENERS; i < LIMIT_LISTENERS; i++) {
		k--;
		names[i] = (struct str){ text[k], (uint32_t)strlen(text[k]) };
	}
	world_build(&w);
	for (unsigned i = 0; i < LIMIT_LISTENERS; i++)
		assert_int_equal(w.snap->listener_id[LIMIT_LISTENERS - 1 - i], ids[i]);
	w.spec.n_listeners = LIMIT_LISTENERS + 1;
	refuse(&w);
	world_free(&w);
}

static uint16_t routed(const struct world *w, const struct lb_query *q, uint16_t peer,
		       const struct gateway *from)
{
	const struct route *r = route_find(w->snap, q, peer, from);

	return r ? (uint16_t)(r - w->snap->routes) : LB_NONE;
}

static void first_match_decides(void **state)
{
	struct lb_query q;
	struct world w;

	start(&w);
	w.spec.n_routes = 0;
	world_route(&w, 0)->number = STR("+8210");
	world_route(&w, 0)->number = STR("+82101234567");
	world_route(&w, 1)->number = STR("+82");
	world_route(&w, 1)->host = STR("Example.COM");
	world_route(&w, 0)->method = METHOD_REGISTER;
	world_route(&w, 1)->from_pool = 0;
	world_route(&w, 1)->from_peer = 0;
	world_build(&w);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	q.number = STR("+82101234567890");
	assert_int_equal(routed(&w, &q, 0, NULL), 0);
	q.number = STR("+8210");
	assert_int_equal(routed(&w, &q, 0, NULL), 0);
	q.number = STR("+821");
	assert_int_equal(routed(&w, &q, 0, NULL), 2);
	q.number = STR("+8");
	q.host = STR("eXAMPLE.com");
	assert_int_equal(routed(&w, &q, LB_NONE, NULL), 3);
	q.host = STR("example.org");
	q.method = METHOD_REGISTER;
	assert_int_equal(routed(&w, &q, LB_NONE, NULL), 4);
	q.method = METHOD_INVITE;
	assert_int_equal(routed(&w, &q, 0, &w.snap->gateways[0]), 5);
	assert_int_equal(routed(&w, &q, 0, NULL), 6);
	assert_int_equal(routed(&w, &q, LB_NONE, NULL), LB_NONE);
	q.number = (struct str){ 0 };
	assert_int_equal(routed(&w, &q, 0, NULL), 6);
	world_free(&w);
}

static void long_prefixes_count_to_the_end(void **state)
{
	struct lb_query q;
	struct world w;

	start(&w);
	w.spec.n_routes = 0;
	world_route(&w, 0)->number = STR("12345678");
	world_route(&w, 0)->number = STR("1234567");
	world_build(&w);
	q = world_request(&w, METHOD_INVITE, 1, 1);
	q.number = STR("123456789");
	assert_int_equal(routed(&w, &q, 0, NULL), 0);
	q.number = STR("12345679");
	assert_int_equal(routed(&w, &q, 0, NULL), 1);
	q.number = STR("123456");
	assert_int_equal(routed(&w, &q, 0, NULL), LB_NONE);
	w.route[0].number = STR("123456789a");
	world_build(&w);
	q.number = STR("123456789b");
	assert_int_equal(routed(&w, &q, 0, NULL), 1);
	q.number = STR("123456789a");
	assert_int_equal(routed(&w, &q, 0, NULL), 0);
	world_free(&w);
}

static void reasons(void **state)
{
	assert_string_equal(route_reason(404), "Not Found");
	assert_string_equal(route_reason(486), "Busy Here");
	assert_string_equal(route_reason(603), "Decline");
	assert_string_equal(route_reason(499), "Request Failure");
	assert_string_equal(route_reason(399), "Redirect");
	assert_string_equal(route_reason(699), "Global Failure");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_specifications),
		cmocka_unit_test(reroutes_are_copied),
		cmocka_unit_test(collisions_are_found),
		cmocka_unit_test(first_match_decides),
		cmocka_unit_test(long_prefixes_count_to_the_end),
		cmocka_unit_test(reasons),
		cmocka_unit_test(listeners_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
