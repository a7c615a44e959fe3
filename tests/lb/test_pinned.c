/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pins of INVITEs and of survivors' BYEs are not looked for when it is known that there is none: that is
 * never said too early, to the last moment of each pin, and is said when all are over.
 */
#include "lb/worker.h"
#include "tests/lb/check.h"

#define PIN     (32 * SECOND)       /* of struct world */
#define RINGING (212 * SECOND)      /* the same */
#define COARSE  (UINT64_C(2) << 26) /* a pin may last so much longer, ns */
#define MEMORY  (2 * PIN)           /* of a BYE */

static void until(struct world *w, uint64_t at)
{
	while (w->now < at) {
		w->now = at - w->now > SECOND ? w->now + SECOND : at;
		lb_tick(w->worker, w->snap, w->now, w->act, LIMIT_ACTS);
	}
}

/* An INVITE that cannot be kept; returns the gateway that gets it, which gets nothing new from then on. */
static uint16_t pin(struct world *w, const struct lb_query *invite)
{
	uint16_t gateway = world_input(w, invite)->gateway;

	lb_set_admin(w->words, gateway, LB_DRAIN);
	return gateway;
}

/* The INVITE again: follows its pin to `gateway`, or is new. */
static void again(struct world *w, const struct lb_query *invite, uint16_t gateway, bool pinned)
{
	uint64_t before = w->lane->count[ST_PINNED];

	assert_int_equal(world_input(w, invite)->op, LB_FORWARD);
	assert_int_equal(w->lane->count[ST_PINNED] - before, pinned);
	assert_int_equal(w->act[0].gateway == gateway, pinned);
}

static void an_invite_finds_its_pin_to_the_end(void **state)
{
	static const struct {
		uint64_t at; /* of the response; 0: none comes */
		uint16_t status;
		uint64_t lasts;
	} cases[] = {
		{ 0, 0, RINGING },
		{ 100 * SECOND, 180, 100 * SECOND + RINGING },
		{ RINGING - 1, 183, RINGING - 1 + RINGING },
		{ 100 * SECOND, 486, 100 * SECOND + PIN },
		{ RINGING - 1, 486, RINGING - 1 + PIN },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lb_query invite, response;
		uint64_t began;
		uint16_t gateway;
		struct world w;

		world_start(&w, 2);
		w.now += i * 12345678901; /* somewhere between the steps of its clock */
		began = w.now;
		invite = world_request(&w, METHOD_INVITE, 1, 1);
		assert_int_equal(w.worker->invites_pinned, 0);
		gateway = pin(&w, &invite);
		response = world_response(&w, &invite, cases[i].status);
		if (cases[i].at) {
			char branch[LIMIT_BRANCH];

			memcpy(branch, w.act[0].branch, sizeof(branch));
			response.branch.p = branch;
			until(&w, began + cases[i].at);
			again(&w, &invite, gateway, true);
			world_input(&w, &response);
		}
		until(&w, began + cases[i].lasts - 1);
		again(&w, &invite, gateway, true);
		until(&w, began + cases[i].lasts + COARSE);
		again(&w, &invite, gateway, false);
		world_free(&w);
	}
}

/* The first is over while others last; when the last is, nothing is looked for any more. */
static void one_after_the_other(void **state)
{
	enum {
		CALLS = 50
	};
	struct lb_query invite[CALLS];
	uint16_t gateway[CALLS];
	uint64_t began;
	struct world w;

	world_start(&w, 2);
	began = w.now;
	for (unsigned i = 0; i < CALLS; i++) {
		until(&w, began + i * SECOND);
		invite[i] = world_request(&w, METHOD_INVITE, i, 1);
		gateway[i] = pin(&w, &invite[i]);
		lb_set_admin(w.words, gateway[i], LB_READY);
	}
	for (unsigned i = 0; i < CALLS; i++) {
		until(&w, began + i * SECOND + RINGING - 1);
		for (unsigned k = i; k < CALLS; k++)
			again(&w, &invite[k], gateway[k], true);
	}
	assert_int_not_equal(w.worker->invites_pinned, 0);
	until(&w, w.now + COARSE);
	assert_int_equal(w.worker->invites_pinned, 0);
	world_free(&w);
}

/* A BYE of a call of the process before this one, and its answer so much later. */
static uint32_t survivors_after(uint64_t later, uint16_t status)
{
	struct world_call call;
	struct lb_query bye, answer;
	struct world w, before;
	char branch[LIMIT_BRANCH];
	uint32_t left;

	world_start(&before, 1);
	world_start(&w, 1);
	call = world_call(&before, 1);
	lb_set_survivors(w.words, 0, 5);
	bye = world_in_dialog(&call, METHOD_BYE);
	bye.to_hash = 9;
	assert_int_equal(w.worker->byes_pinned, 0);
	world_input(&w, &bye);
	answer = world_response(&w, &bye, status);
	memcpy(branch, w.act[0].branch, sizeof(branch));
	answer.branch.p = branch;
	answer.to_hash = 9;
	assert_int_equal(lb_get_survivors(w.words, 0), 4);
	until(&w, w.now + later);
	world_input(&w, &answer);
	left = lb_get_survivors(w.words, 0);
	until(&w, w.now + MEMORY + COARSE);
	assert_int_equal(w.worker->byes_pinned, 0);
	world_free(&before);
	world_free(&w);
	return left;
}

static void a_bye_is_remembered_to_the_end(void **state)
{
	assert_int_equal(survivors_after(0, 407), 5);
	assert_int_equal(survivors_after(PIN + SECOND, 407), 5);
	assert_int_equal(survivors_after(MEMORY - 1, 407), 5);
	assert_int_equal(survivors_after(MEMORY + COARSE, 407), 4);
	assert_int_equal(survivors_after(MEMORY - 1, 200), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invite_finds_its_pin_to_the_end),
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(a_bye_is_remembered_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
