/* SPDX-License-Identifier: BSD-3-Clause */
/* INVITEs that come back by ICMP: what follows, and what nobody can bring about by it. */
#include "tests/lb/scene.h"

static void nobody_listens_there(void **state)
{
	struct scene s;

	scene_ring(&s, 2);
	scene_until(&s, 0.2);
	scene_bounce(&s, 0, NULL);
	scene_expect(&s, "INVITE1 -");
	assert_int_equal(s.w.lane->gateways[s.branch[0].gateway].count[ST_GW_LEFT_DOWN], 1);
	scene_bounce(&s, 0, NULL); /* and its repeats, too */
	scene_expect(&s, "drop");
	scene_bounce(&s, 1, NULL); /* nobody is left */
	scene_expect(&s, "answer503 -");
	scene_end(&s);

	scene_ring(&s, 2); /* the caller has CANCELled: no other gateway is asked */
	scene_caller(&s, METHOD_CANCEL);
	scene_bounce(&s, 0, NULL);
	scene_gateway(&s, 0, 487);
	scene_expect(&s, "ok drop ACK0 487");
	scene_end(&s);
}

/* Calls that come back are what the governor knows a closed port by, long before it would miss an answer. */
static void what_comes_back_is_told(void **state)
{
	struct lb_notice notice[8];
	struct scene s;
	unsigned n = 0;

	scene_start(&s, 1);
	world_governor(&s.w);
	for (unsigned i = 0; i < 14 && lb_get_health(s.w.words, 0) == LB_UP; i++) {
		s.invite = world_request(&s.w, METHOD_INVITE, i, 1);
		s.invite.room = 1;
		s.n = 0;
		s.kept = false;
		scene_caller(&s, METHOD_INVITE);
		scene_bounce(&s, 0, NULL);
		s.w.now += LB_STEP_NS;
		n = lb_govern(s.w.governor, s.w.snap, s.w.now, notice, 8);
	}
	assert_int_equal(lb_get_health(s.w.words, 0), LB_DOWN);
	assert_in_range(n, 1, 8);
	assert_int_equal(notice[0].kind, LB_NOTICE_HEALTH);
	assert_int_equal(notice[0].b, LB_WHY_ICMP);
	world_free(&s.w);
}

/* Who can write ICMP cannot end calls: the branch must be ours, and waited for at just that address. */
static void what_did_not_come_back(void **state)
{
	const struct addr nobody = world_ip4("203.0.113.1", 5060);
	struct lb_query q;
	struct scene s;

	scene_ring(&s, 2);
	scene_bounce(&s, 0, &nobody);
	q = scene_bounced(&s, 0);
	q.via_to = nobody; /* what the MAC covers */
	scene_input(&s, &q);
	q = scene_bounced(&s, 0);
	q.call_hash++;
	scene_input(&s, &q);
	q = scene_bounced(&s, 0);
	q.branch = STR("z9hG4bKnashds8");
	scene_input(&s, &q);
	scene_expect(&s, "drop drop drop drop");
	scene_gateway(&s, 0, 100); /* somebody is there after all */
	scene_bounce(&s, 0, NULL);
	scene_gateway(&s, 0, 200);
	scene_bounce(&s, 0, NULL);
	scene_expect(&s, "- drop 200 drop");
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_listens_there),
		cmocka_unit_test(what_comes_back_is_told),
		cmocka_unit_test(what_did_not_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
