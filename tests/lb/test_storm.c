/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random histories of many calls at once: requests, responses of any branch in any order, repeats, CANCELs,
 * ACKs, gateways that die and come back, time that jumps. Whatever happens: the caller gets one final other
 * than 2xx at most and no 503 of a gateway's; every final of a gateway is acknowledged, each time; who was
 * accepted has every other branch CANCELled; the list of actions is bounded and well formed; and in the end
 * nothing is left.
 */
#include "lb/worker.h"
#include "tests/lb/check.h"
#include "tests/lb/world.h"

#define CALLS  64
#define STEPS  200000
#define SETUPS 256 /* of world_init() */

/* What the two sides of one call have seen. */
struct life {
	struct lb_query invite;
	unsigned n;      /* branches */
	unsigned finals; /* different finals other than 2xx that the caller was sent */
	uint16_t status; /* the last one */
	bool accepted;   /* a 2xx was */
	bool kept, final_kept;
	uint32_t setup; /* handle / 2 */
	struct {
		char text[LIMIT_BRANCH];
		unsigned len;
		uint16_t gateway;
	} branch[LIMIT_BRANCHES];
};

static struct world w;
static struct life calls[CALLS];
static uint32_t owner[SETUPS]; /* call + 1 that a setup's messages belong to */
static bool held; /* the call of the message in hand has transactions; without them everything passes */
static uint64_t seed;

static uint32_t roll(uint32_t n)
{
	return (uint32_t)((next_random(&seed) >> 33) % n);
}

static unsigned enter_branch(struct life *c, const struct lb_act *act)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (c->branch[i].len == act->branch_n &&
		    !memcmp(c->branch[i].text, act->branch, act->branch_n))
			return i;
	}
	assert_true(c->n < LIMIT_BRANCHES);
	memcpy(c->branch[c->n].text, act->branch, act->branch_n);
	c->branch[c->n].len = act->branch_n;
	c->branch[c->n].gateway = act->gateway;
	return c->n++;
}

static void see_final(struct life *c, uint16_t status)
{
	assert_true(status == 503 || status != 0);
	if (c->status != status)
		c->finals++;
	c->status = status;
	assert_int_equal(c->finals, 1);
}

/* One action; c: whose message or whose setup. */
static void see(struct life *c, const struct lb_act *act, const struct lb_query *q)
{
	switch (act->op) {
	case LB_KEEP:
		assert_int_equal(act->kept % 2, 0);
		assert_false(c->kept);
		c->kept = true; /* a new transaction, or the INVITE long after its end: that is new, too */
		c->n = c->finals = c->status = 0;
		c->accepted = false;
		c->setup = act->kept / 2;
		owner[c->setup] = (uint32_t)(c - calls) + 1;
		break;
	case LB_FORGET:
		assert_true(act->kept & 1 ? c->final_kept : c->kept);
		*(act->kept & 1 ? &c->final_kept : &c->kept) = false;
		break;
	case LB_KEEP_FINAL:
		c->final_kept = true;
		break;
	case LB_RESEND:
	case LB_CANCEL:
	case LB_ACK:
		assert_true(c->kept);
		enter_branch(c, act);
		break;
	case LB_ANSWER:
		assert_true(c->kept);
		if (act->status >= 200)
			see_final(c, act->status);
		break;
	case LB_RESEND_FINAL:
		assert_true(c->final_kept);
		break;
	case LB_FORWARD:
		if (q->request) {
			if (q->method == METHOD_INVITE)
				enter_branch(c, act);
		} else if (q->status >= 300 && held) {
			assert_int_not_equal(q->status, 503);
			see_final(c, q->status);
		} else if (q->status >= 200) {
			c->accepted = true;
		}
		break;
	default:
		break;
	}
	if (act->keep_final)
		c->final_kept = true;
}

static void input(struct life *c, const struct lb_query *q)
{
	bool acknowledged = false;
	unsigned n;

	held = setup_find(&w.worker->setups, &c->invite) != NULL;
	n = lb_input(w.worker, w.snap, q, w.now, w.act);
	assert_in_range(n, 1, LIMIT_ACTS);
	for (unsigned i = 0; i < n; i++) {
		assert_true((w.act[i].op <= LB_TO_CONTROL) == (i == n - 1));
		acknowledged |= w.act[i].op == LB_ACK;
		see(c, &w.act[i], q);
	}
	/* RFC 3261 17.1.1.3, while there is a transaction that is not accepted */
	if (!q->request && q->method == METHOD_INVITE && q->status >= 300 && q->cseq == c->invite.cseq &&
	    c->kept && !c->accepted)
		assert_true(acknowledged);
}

static void tick(void)
{
	unsigned n;

	while ((n = lb_tick(w.worker, w.snap, w.now, w.act, LIMIT_ACTS)) > 0) {
		assert_in_range(n, 1, LIMIT_ACTS);
		for (unsigned i = 0; i < n; i++) {
			assert_in_range(w.act[i].kept / 2, 0, SETUPS - 1);
			assert_int_not_equal(owner[w.act[i].kept / 2], 0);
			see(&calls[owner[w.act[i].kept / 2] - 1], &w.act[i], NULL);
		}
	}
}

/* Starts call i anew, when nothing of its last life can come any more. */
static void begin(unsigned i, uint32_t number)
{
	struct life *c = &calls[i];

	*c = (struct life){ .invite = world_request(&w, METHOD_INVITE, number, 1) };
	c->invite.room = roll(20) > 0;
	c->invite.cseq = 1;
	c->invite.reliable = roll(4) == 0;
	input(c, &c->invite);
}

static void caller_does(struct life *c)
{
	static const enum method methods[] = { METHOD_INVITE, METHOD_CANCEL, METHOD_ACK };
	struct lb_query q = c->invite;

	q.method = methods[roll(3)];
	if (q.method == METHOD_ACK) {
		q.has_to_tag = 1;
		q.to_tag = STR("their-tag");
	}
	if (c->kept || q.method == METHOD_INVITE)
		input(c, &q);
}

static void gateway_does(struct life *c)
{
	static const uint16_t statuses[] = { 100, 100, 180, 183, 200, 302, 404, 408,
					     482, 486, 487, 500, 503, 503, 603 };
	unsigned i = roll(c->n);
	struct lb_query q = {
		.method = roll(10) ? METHOD_INVITE : METHOD_CANCEL,
		.listener = 1,
		.has_to_tag = 1,
		.room = roll(10) > 0,
		.status = statuses[roll(sizeof(statuses) / sizeof(statuses[0]))],
		.src = w.gateway[c->branch[i].gateway].addr,
		.via_to = c->invite.reply_to,
		.call_hash = c->invite.call_hash,
		.from_hash = c->invite.from_hash,
		.cseq = c->invite.cseq + (roll(50) == 0),
		.to_hash = 1 + roll(3),
		.branch = { c->branch[i].text, c->branch[i].len },
	};

	input(c, &q);
}

static void prepare(void)
{
	static struct lb_reroute_spec rules[2];

	world_init(&w);
	for (unsigned i = 0; i < 6; i++)
		world_gateway(&w, i / 3, 1, 0);
	rules[0] = (struct lb_reroute_spec){ .notify = 1, .pool = 1 };
	lb_codes_add(&rules[0].on, 486);
	rules[1] = (struct lb_reroute_spec){ .no_answer_ns = 20 * SECOND, .pool = 1 };
	for (unsigned i = 0; i < 2; i++) {
		w.pool[i].attempts = 3;
		w.pool[i].after_ns = SECOND;
		w.pool[i].after_max_ns = 4 * SECOND;
		w.pool[i].progress_ns = i ? 0 : 8 * SECOND;
		w.pool[i].budget_permille = 1000;
		lb_codes_add(&w.pool[i].on, 500);
	}
	w.pool[0].reroutes = rules;
	w.pool[0].n_reroutes = 2;
	world_build(&w);
}

/* The words hold what the entries own, no more and no less. */
static void audit(void)
{
	static uint32_t gateways[LIMIT_GATEWAYS], peers[LIMIT_PEERS], open[LIMIT_GATEWAYS];
	uint32_t sum[2] = { 0 };

	memset(gateways, 0, sizeof(gateways));
	memset(peers, 0, sizeof(peers));
	memset(open, 0, sizeof(open));
	lb_audit(w.worker, gateways, peers);
	lb_audit_open(w.worker, open);
	for (uint16_t i = 0; i < 6; i++) {
		assert_int_equal(gateways[i], lb_gateway_calls(w.words, i));
		assert_int_equal(open[i], lb_gateway_open(w.words, i));
		sum[i / 3] += open[i];
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(sum[i], w.words->pool[i].open[0]);
	assert_int_equal(peers[0], lb_peer_calls(w.words, 0));
}

/* RFC 3261 16.7, step 10: with a 2xx on its way nobody else may be left to ring. */
static void check_others_cancelled(const struct life *c)
{
	const struct setup *u = setup_find(&w.worker->setups, &c->invite);

	for (unsigned i = 0; u && u->state == SERVER_ACCEPTED && i < u->n; i++)
		assert_true(!client_is_open(&u->client[i]) || u->client[i].flags & CLIENT_CANCEL);
}

static void wait_for_the_end(void)
{
	for (unsigned i = 0; i < 700; i++) {
		w.now += SECOND;
		tick();
	}
	audit();
	assert_int_equal(w.worker->setups.in_use, 0);
	assert_int_equal(w.worker->setups.n_busy, 0);
	for (uint16_t i = 0; i < 6; i++)
		assert_int_equal(lb_gateway_open(w.words, i), 0);
	for (unsigned i = 0; i < CALLS; i++) {
		assert_false(calls[i].kept);
		assert_false(calls[i].final_kept);
	}
}

static void any_history(void **state)
{
	uint32_t number = 0;

	for (unsigned round = 0; round < 8; round++) {
		seed = 0x1234567 + round;
		prepare();
		for (unsigned k = 0; k < CALLS; k++)
			begin(k, number++);
		for (unsigned step = 0; step < STEPS / 8; step++) {
			struct life *c = &calls[roll(CALLS)];

			switch (roll(16)) {
			case 0:
				lb_set_health(w.words, roll(6), roll(3) ? LB_UP : LB_DOWN);
				break;
			case 1:
			case 2:
				caller_does(c);
				break;
			case 3:
				w.now += roll(2) ? SECOND * roll(40) / 10 : roll(1000) * 1000;
				break;
			default:
				if (c->n)
					gateway_does(c);
				else if (!c->kept && roll(8) == 0)
					begin((unsigned)(c - calls), number++);
				break;
			}
			tick();
			check_others_cancelled(c);
			if (step % 512 == 0)
				audit();
			if (!c->kept && !c->final_kept && roll(16) == 0 &&
			    !setup_find(&w.worker->setups, &c->invite))
				begin((unsigned)(c - calls), number++);
		}
		wait_for_the_end();
		world_free(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(any_history) };

	return cmocka_run_group_tests_name("storm", tests, NULL, NULL);
}
