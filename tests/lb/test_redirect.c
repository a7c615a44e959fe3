/* SPDX-License-Identifier: BSD-3-Clause */
/* Calls that a rule or a Contact sends elsewhere. */
#include "tests/lb/scene.h"

/* A second pool with one gateway, and a rule of pool 0 that leads there. */
static void with_rule(struct scene *s, struct lb_reroute_spec rule)
{
	static struct lb_reroute_spec list[1];

	scene_start(s, 1);
	world_gateway(&s->w, 1, 1, 0);
	rule.pool = 1;
	list[0] = rule;
	s->w.pool[0].reroutes = list;
	s->w.pool[0].n_reroutes = 1;
	world_build(&s->w);
}

static void forward_on_busy(void **state)
{
	struct lb_reroute_spec rule = { .notify = 1 };
	struct scene s;

	lb_codes_add(&rule.on, 486);
	lb_codes_add(&rule.on, 600);
	for (unsigned i = 0; i < 2; i++) {
		with_rule(&s, rule);
		scene_caller(&s, METHOD_INVITE);
		scene_gateway(&s, 0, 180);
		scene_gateway(&s, 0, i ? 600 : 486);
		scene_expect(&s, "100 INVITE0 180 ACK0 answer181 INVITE1 best -");
		assert_int_equal(s.branch[1].gateway, 1);
		scene_gateway(&s, 1, 180);
		scene_gateway(&s, 1, 200);
		scene_expect(&s, "180 200");
		scene_end(&s);
	}
	with_rule(&s, rule); /* RFC 3262 3 */
	s.invite.reliable = 1;
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 486);
	scene_expect(&s, "100 INVITE0 ACK0 INVITE1 best -");
	scene_end(&s);

	with_rule(&s, rule); /* nobody there: busy is busy */
	lb_set_health(s.w.words, 1, LB_DOWN);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 486);
	scene_expect(&s, "100 INVITE0 ACK0 486");
	scene_end(&s);
}

static void forward_on_no_answer(void **state)
{
	struct lb_reroute_spec rule = { .no_answer_ns = 15 * SECOND, .notify = 1 };
	struct scene s;

	with_rule(&s, rule);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_until(&s, 15.1);
	scene_expect(&s, "100 INVITE0 180 15:answer181 15:INVITE1 15:CANCEL0");
	scene_gateway(&s, 1, 180);
	scene_gateway(&s, 0, 200); /* crosses the CANCEL */
	scene_expect(&s, "180 CANCEL1 200");
	scene_end(&s);

	with_rule(&s, rule); /* from one that says nothing at all, not before its time either */
	scene_caller(&s, METHOD_INVITE);
	scene_until(&s, 14.9);
	scene_expect(&s, "100 INVITE0 0.5:repeat0 1.5:repeat0 3.5:repeat0 7.5:repeat0");
	scene_until(&s, 15.1);
	scene_expect(&s, "15:answer181 15:INVITE1");
	scene_end(&s);

	rule.number = STR("+49");
	with_rule(&s, rule);
	scene_caller(&s, METHOD_INVITE);
	scene_gateway(&s, 0, 180);
	scene_until(&s, 20);
	scene_expect(&s, "100 INVITE0 180");
	scene_end(&s);
}

static void forward_always(void **state)
{
	struct lb_reroute_spec rule = { .always = 1, .notify = 1, .number = STR("+82") };
	struct scene s;

	with_rule(&s, rule);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 answer181 INVITE0");
	assert_int_equal(s.branch[0].gateway, 1);
	scene_gateway(&s, 0, 200);
	scene_expect(&s, "200");
	scene_end(&s);
}

/* Rules that send calls in a circle: they end somewhere. */
static void forward_in_a_circle(void **state)
{
	struct lb_reroute_spec rule = { .always = 1 }, back = { .pool = 0, .always = 1 };
	struct scene s;

	with_rule(&s, rule);
	s.w.pool[1].reroutes = &back;
	s.w.pool[1].n_reroutes = 1;
	world_build(&s.w);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "100 INVITE0");
	scene_end(&s);
}

static void redirect_to(struct scene *s, const struct lb_contact *contacts, unsigned n)
{
	struct lb_query q = {
		.method = METHOD_INVITE,
		.listener = 1,
		.has_to_tag = 1,
		.room = 1,
		.status = 302,
		.src = s->w.gateway[s->branch[s->n - 1].gateway].addr,
		.via_to = s->invite.reply_to,
		.call_hash = s->invite.call_hash,
		.from_hash = s->invite.from_hash,
		.cseq = s->invite.cseq,
		.branch = { s->branch[s->n - 1].text, s->branch[s->n - 1].len },
		.contacts = contacts,
		.n_contacts = n,
	};

	scene_input(s, &q);
}

static void redirect(struct scene *s, struct addr to)
{
	const struct lb_contact contact = { to, STR("sip:+8299@198.51.100.2") };

	redirect_to(s, &contact, 1);
}

static void redirects(void **state)
{
	struct scene s;

	scene_ring(&s, 2); /* relayed unless the pool says otherwise */
	redirect(&s, s.w.gateway[1].addr);
	scene_expect(&s, "ACK0 302");
	scene_end(&s);

	scene_start(&s, 2);
	SCENE_POOL(&s, follow, 1);
	scene_caller(&s, METHOD_INVITE);
	redirect(&s, world_ip4("203.0.113.1", 5060)); /* nobody of ours */
	scene_expect(&s, "100 INVITE0 ACK0 302");
	scene_end(&s);

	scene_start(&s, 2);
	SCENE_POOL(&s, follow, 1);
	scene_caller(&s, METHOD_INVITE);
	s.w.gateway[1].addr.port++; /* another program on the machine of one of ours */
	redirect(&s, s.w.gateway[1].addr);
	scene_expect(&s, "100 INVITE0 ACK0 302");
	s.w.gateway[1].addr.port--;
	scene_end(&s);

	scene_start(&s, 2);
	SCENE_POOL(&s, follow, 1);
	scene_caller(&s, METHOD_INVITE);
	for (unsigned i = 0; i < 3; i++) { /* a loop of redirects ends */
		s.retargeted = false;
		redirect(&s, s.w.gateway[i & 1].addr);
		assert_true(s.retargeted);
	}
	redirect(&s, s.w.gateway[0].addr);
	scene_expect(&s, "100 INVITE0 ACK0 INVITE1 - ACK1 INVITE2 - ACK2 INVITE3 - ACK3 302");
	scene_end(&s);
}

/* Gateway 0 alone in pool 0, redirected to three of pool 1 and a stranger among them. */
static void redirect_to_three(struct scene *s, unsigned attempts)
{
	struct lb_contact contacts[4];

	scene_start(s, 1);
	for (unsigned i = 0; i < 3; i++)
		world_gateway(&s->w, 1, 1, 0);
	s->w.pool[0].follow = 1;
	s->w.pool[0].attempts = attempts;
	s->w.pool[1].attempts = 1;
	world_build(&s->w);
	contacts[0] = (struct lb_contact){ s->w.gateway[3].addr, STR("sip:best@198.51.100.4") };
	contacts[1] = (struct lb_contact){ world_ip4("203.0.113.1", 5060), STR("sip:x@203.0.113.1") };
	contacts[2] = (struct lb_contact){ s->w.gateway[2].addr, STR("sip:good@198.51.100.3") };
	contacts[3] = (struct lb_contact){ s->w.gateway[1].addr, STR("sip:low@198.51.100.2") };
	scene_caller(s, METHOD_INVITE);
	redirect_to(s, contacts, 4);
	scene_expect(s, "100 INVITE0 ACK0 INVITE1 -");
	assert_int_equal(s->branch[1].gateway, 3);
	assert_true(s->retargeted && s->target == 0);
}

/* RFC 3261 16.5: one after the other. */
static void next_contact(void **state)
{
	struct scene s;

	redirect_to_three(&s, 4);
	scene_gateway(&s, 1, 404);
	scene_expect(&s, "ACK1 INVITE2 best -");
	assert_int_equal(s.branch[2].gateway, 2);
	assert_true(!s.retargeted && s.target == 3);
	scene_gateway(&s, 2, 503);
	scene_expect(&s, "ACK2 INVITE3 -");
	assert_int_equal(s.branch[3].gateway, 1);
	assert_int_equal(s.target, 4);
	scene_gateway(&s, 3, 486); /* the best of what they said */
	scene_expect(&s, "ACK3 486");
	scene_end(&s);

	redirect_to_three(&s, 4); /* who is down is passed over */
	lb_set_health(s.w.words, 2, LB_DOWN);
	scene_gateway(&s, 1, 480);
	scene_expect(&s, "ACK1 INVITE2 best -");
	assert_int_equal(s.branch[2].gateway, 1);
	scene_gateway(&s, 2, 200);
	scene_expect(&s, "200");
	scene_end(&s);

	redirect_to_three(&s, 4); /* a mute target: the next Contact, not another of the target's pool */
	s.w.pool[1].attempts = 2;
	world_build(&s.w);
	scene_gateway(&s, 1, 503);
	assert_int_equal(s.branch[2].gateway, 2);
	s.n_log = 0;
	scene_until(&s, 1.1);
	scene_expect(&s, "0.5:repeat2 1:INVITE3");
	assert_int_equal(s.branch[3].gateway, 1);
	assert_int_equal(s.target, 4);
	scene_gateway(&s, 3, 200);
	scene_expect(&s, "200");
	scene_end(&s);

	redirect_to_three(&s, 4); /* Timer B */
	scene_until(&s, 32.1);
	s.n_log = 0;
	assert_int_equal(s.n, 3);
	assert_int_equal(s.branch[2].gateway, 2);
	scene_gateway(&s, 2, 200);
	scene_expect(&s, "200");
	scene_end(&s);
}

static void no_next_contact(void **state)
{
	struct lb_reroute_spec rule = { .pool = 2 };
	struct scene s;

	redirect_to_three(&s, 2); /* no more of them than attempts */
	scene_gateway(&s, 1, 404);
	scene_gateway(&s, 2, 404);
	scene_expect(&s, "ACK1 INVITE2 best - ACK2 404");
	scene_end(&s);

	redirect_to_three(&s, 4); /* RFC 3261 16.7, step 5 */
	scene_gateway(&s, 1, 603);
	scene_expect(&s, "ACK1 603");
	scene_end(&s);

	redirect_to_three(&s, 4);
	scene_gateway(&s, 1, 180);
	scene_caller(&s, METHOD_CANCEL);
	scene_gateway(&s, 1, 487);
	scene_expect(&s, "180 CANCEL1 ok ACK1 487");
	scene_end(&s);

	redirect_to_three(&s, 4); /* a rule of the target's pool has sent the call elsewhere */
	lb_codes_add(&rule.on, 486);
	s.w.pool[1].reroutes = &rule;
	s.w.pool[1].n_reroutes = 1;
	s.w.spec.n_pools = 3;
	world_gateway(&s.w, 2, 1, 0);
	world_build(&s.w);
	scene_gateway(&s, 1, 486);
	assert_int_equal(s.branch[2].gateway, 4);
	scene_gateway(&s, 2, 404);
	scene_expect(&s, "ACK1 INVITE2 best - ACK2 404");
	scene_end(&s);

	redirect_to_three(&s, 4); /* nor when nothing ever comes of the one that was called */
	scene_caller(&s, METHOD_CANCEL);
	scene_until(&s, 32.1);
	scene_expect(&s, "ok 0.5:repeat1 1.5:repeat1 3.5:repeat1 7.5:repeat1 15.5:repeat1 31.5:repeat1 "
			 "32:answer487");
	scene_end(&s);
}

static void redirect_server(void **state)
{
	struct scene s;

	scene_start(&s, 2);
	SCENE_POOL(&s, redirect, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "reply302 reply302");
	assert_true(addr_eq(&s.contact, &s.w.gateway[0].addr) || addr_eq(&s.contact, &s.w.gateway[1].addr));
	scene_end(&s);
}

/* An INVITE that comes again is told the same, whatever the law; the CANCEL is for nobody (RFC 3261 8.2.7).
 */
static void redirect_server_remembers(void **state)
{
	(void)state;
	for (enum lb_balance law = LB_BALANCE_HASH; law <= LB_BALANCE_WEIGHTED; law++) {
		struct addr first;
		struct scene s;

		scene_start(&s, 3);
		s.w.pool[0].balance = law;
		SCENE_POOL(&s, redirect, 1);
		scene_caller(&s, METHOD_INVITE);
		scene_expect(&s, "reply302");
		first = s.contact;
		for (unsigned i = 0; i < 3; i++) {
			if (i == 2)
				lb_set_health(s.w.words, 0, LB_DOWN);
			scene_caller(&s, METHOD_INVITE);
			scene_expect(&s, "reply302");
			assert_true(addr_eq(&s.contact, &first));
		}
		scene_caller(&s, METHOD_CANCEL);
		scene_expect(&s, "-");
		scene_end(&s);
	}
}

/* No gateway is sent more callers than its max-cps admits; who was told hears the same all the while. */
static void redirect_server_has_limits(void **state)
{
	struct lb_query first;
	struct scene s;

	(void)state;
	scene_start(&s, 2);
	s.w.spec.headroom = 65536 / 4;
	SCENE_POOL(&s, redirect, 1);
	for (uint16_t i = 0; i < 2; i++) {
		lb_set_gateway_cps(s.w.words, i, 40); /* two at once, one of them for urgent calls */
		lb_set_gateway_rate(s.w.words, i, 0, s.w.now);
		lb_set_open_cap(s.w.words, i, 0);
	}
	first = s.invite;
	for (uint32_t i = 0; i < 5; i++) {
		s.invite = world_request(&s.w, METHOD_INVITE, i, 1);
		s.invite.sos = i >= 3;
		if (i == 0)
			first = s.invite;
		scene_caller(&s, METHOD_INVITE);
	}
	scene_expect(&s, "reply302 reply302 reply503 reply302 reply302");
	s.invite = first;
	scene_caller(&s, METHOD_INVITE);
	s.invite = world_request(&s.w, METHOD_INVITE, 9, 1);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "reply302 reply503");
	assert_int_equal(s.w.lane->gateways[0].count[ST_GW_NEW], 0); /* it may go elsewhere */
	scene_end(&s);
}

/* Nobody is there to be sent to: refused like any call, and counted so. */
static void redirect_server_refuses(void **state)
{
	struct scene s;

	(void)state;
	scene_start(&s, 1);
	SCENE_POOL(&s, redirect, 1);
	lb_set_health(s.w.words, 0, LB_DOWN);
	scene_caller(&s, METHOD_INVITE);
	scene_expect(&s, "reply503");
	assert_int_equal(s.w.lane->peers[0].count[ST_PEER_REFUSED], 1);
	scene_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forward_on_busy),
		cmocka_unit_test(forward_on_no_answer),
		cmocka_unit_test(forward_always),
		cmocka_unit_test(forward_in_a_circle),
		cmocka_unit_test(redirects),
		cmocka_unit_test(next_contact),
		cmocka_unit_test(no_next_contact),
		cmocka_unit_test(redirect_server),
		cmocka_unit_test(redirect_server_remembers),
		cmocka_unit_test(redirect_server_refuses),
		cmocka_unit_test(redirect_server_has_limits),
	};

	return cmocka_run_group_tests_name("redirect", tests, NULL, NULL);
}
