/* SPDX-License-Identifier: BSD-3-Clause */
/* Counted calls: every way in and every way out, and a random walk against a plain model. */
#include <stdlib.h>
#include "tests/lb/check.h"
#include "lb/calls.h"
#include "lb/worker.h"

#define MS      UINT64_C(1000000)
#define S       (1000 * MS)
#define START   (UINT64_C(4294900000) * MS) /* the low half of the ms wraps in a minute and a half */
#define SETUP   (212 * S)
#define HOUR    (3600 * S)
#define GWS     4
#define ENTRIES 64

struct bench {
	struct calls c;
	struct wheel wheel;
	struct records records; /* none are made */
	struct lb_words *words;
	struct st_lane *lane;
	uint64_t now;
};

static void *memory(size_t n)
{
	return aligned_alloc(64, (n + 63) / 64 * 64);
}

static void make(struct bench *b, uint32_t n)
{
	struct calls_spec spec = {
		.first_timer = 3,
		.n = n,
		.setup_ns = SETUP,
		.hold_ns = 32 * S,
		.release_ns = 32 * S,
		.max_call_ns = 4 * HOUR,
		.session_min_ns = 90 * S,
	};

	b->now = START;
	b->words = lb_words_init(memory(lb_words_size()));
	b->lane = st_lane_init(memory(st_lane_size(GWS, 1)), "0", GWS, 1);
	wheel_init(&b->wheel, memory(wheel_size(n + 3)), n + 3, b->now);
	spec.words = b->words;
	spec.lane = b->lane;
	spec.wheel = &b->wheel;
	spec.records = &b->records;
	b->records.note = NULL;
	calls_init(&b->c, memory(calls_size(n)), &spec);
}

static void unmake(struct bench *b)
{
	free(b->c.at);
	free(b->wheel.node);
	free(b->lane);
	free(b->words);
}

/* Lets time pass in one jump. */
static void wait_until(struct bench *b, uint64_t now)
{
	uint32_t i;

	b->now = now;
	while ((i = wheel_expired(&b->wheel, now)) != WHEEL_NONE || b->wheel.lower != WHEEL_NONE) {
		if (i != WHEEL_NONE)
			call_expired(&b->c, i - 3, now);
	}
}

static void wait_for(struct bench *b, uint64_t ns)
{
	wait_until(b, b->now + ns);
}

static struct call_key key_of(uint64_t n)
{
	return (struct call_key){ n * 0x9e3779b97f4a7c15, 1000 + n, 2000 + n };
}

/* As pick does: call n from gateway 3 to gateway `out`, of peer 0. */
static uint32_t open_call(struct bench *b, uint64_t n, uint16_t out)
{
	struct call_key key = key_of(n);
	struct call_sides sides = { .in = 3, .out = out, .peer = 0, .counts_in = true };

	assert_true(word_reserve(&b->words->gateway[out], calls_room(&b->c)));
	assert_true(word_reserve(&b->words->peer[0], calls_room(&b->c)));
	return call_open(&b->c, &key, &sides, b->now);
}

static uint32_t answered_call(struct bench *b, uint64_t n, uint16_t out, uint32_t session_s)
{
	uint32_t i = open_call(b, n, out);

	call_confirm(&b->c, i, 7, session_s, b->now);
	return i;
}

static bool bye(struct bench *b, uint64_t n, uint32_t to)
{
	struct call_key key = key_of(n);

	return call_bye(&b->c, key.call_hash, key.caller, to, b->now);
}

static bool bye_from_callee(struct bench *b, uint64_t n, uint32_t to)
{
	struct call_key key = key_of(n);

	return call_bye(&b->c, key.call_hash, to, key.caller, b->now);
}

static void bye_answered(struct bench *b, uint64_t n, uint32_t to, uint16_t status)
{
	struct call_key key = key_of(n);

	call_bye_answered(&b->c, key.call_hash, key.caller, to, status, b->now);
}

static void refreshed(struct bench *b, uint64_t n, uint32_t to, uint32_t session_s)
{
	struct call_key key = key_of(n);

	call_refreshed(&b->c, key.call_hash, key.caller, to, session_s, b->now);
}

/* What the words say, and that the entries say the same. */
static void expect(struct bench *b, uint32_t gw0, uint32_t gw1, uint32_t gw3, uint32_t peer)
{
	uint32_t *gateways = calloc(LIMIT_GATEWAYS, sizeof(*gateways));
	uint32_t *peers = calloc(LIMIT_PEERS, sizeof(*peers));

	assert_int_equal(lb_gateway_calls(b->words, 0), gw0);
	assert_int_equal(lb_gateway_calls(b->words, 1), gw1);
	assert_int_equal(lb_gateway_calls(b->words, 3), gw3);
	assert_int_equal(lb_peer_calls(b->words, 0), peer);
	lb_audit(&(struct lb_worker){ .calls = b->c }, gateways, peers);
	assert_int_equal(gateways[0], gw0);
	assert_int_equal(gateways[1], gw1);
	assert_int_equal(gateways[3], gw3);
	assert_int_equal(peers[0], peer);
	for (uint16_t slot = 0; slot < GWS; slot++)
		assert_int_equal(b->lane->gateways[slot].count[ST_GW_PLACES_TAKEN] -
					 b->lane->gateways[slot].count[ST_GW_PLACES_GIVEN],
				 lb_gateway_calls(b->words, slot));
	assert_int_equal(b->lane->count[ST_CALL_DRIFT], 0);
	free(gateways);
	free(peers);
}

static void expect_none(struct bench *b)
{
	expect(b, 0, 0, 0, 0);
	assert_int_equal(b->c.in_use, 0);
}

static void an_answered_bye_ends_it(void **state)
{
	static const uint16_t ends[] = { 200, 202, 481, 408 };
	struct bench b;

	make(&b, ENTRIES);
	for (unsigned i = 0; i < 4; i++) {
		answered_call(&b, i, 0, 0);
		expect(&b, 1, 0, 1, 1);
		assert_true(i % 2 ? bye(&b, i, 7) : bye_from_callee(&b, i, 7));
		expect(&b, 1, 0, 1, 1);
		bye_answered(&b, i, 7, ends[i]);
		expect_none(&b);
		bye_answered(&b, i, 7, ends[i]); /* repeated */
		assert_false(bye(&b, i, 7));
		expect_none(&b);
	}
	assert_int_equal(b.lane->count[ST_CALL_BYE], 4);
	unmake(&b);
}

static void an_unanswered_bye_ends_it(void **state)
{
	struct bench b;

	make(&b, ENTRIES);
	answered_call(&b, 1, 0, 0);
	wait_for(&b, 10 * S);
	assert_true(bye(&b, 1, 7));
	wait_for(&b, 16 * S);
	assert_true(bye(&b, 1, 7));
	assert_true(bye_from_callee(&b, 1, 7)); /* both at once: the first counts */
	wait_for(&b, 16 * S - MS);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, 66 * MS);
	expect_none(&b);
	assert_int_equal(b.lane->count[ST_CALL_BYE_UNANSWERED], 1);
	unmake(&b);
}

static void a_challenged_bye_does_not(void **state)
{
	static const uint16_t not [] = { 401, 407 };
	struct bench b;

	make(&b, ENTRIES);
	answered_call(&b, 1, 0, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(bye(&b, 1, 7));
		bye_answered(&b, 1, 7, 100);
		bye_answered(&b, 1, 7, not [i]);
		wait_for(&b, 100 * S);
		expect(&b, 1, 0, 1, 1);
	}
	assert_true(bye(&b, 1, 7));
	bye_answered(&b, 1, 7, 500); /* says nothing about the dialog */
	wait_for(&b, 31 * S);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, 2 * S);
	expect_none(&b);
	unmake(&b);
}

static void wrong_tags_do_nothing(void **state)
{
	struct call_key key = key_of(1);
	struct bench b;

	make(&b, ENTRIES);
	open_call(&b, 1, 0);
	assert_false(bye(&b, 1, 7)); /* an early one: the INVITE's final response will tell */
	call_confirm(&b.c, call_of(&b.c, &key), 7, 0, b.now);
	assert_false(bye(&b, 1, 8));
	assert_false(bye(&b, 2, 7));
	assert_false(call_bye(&b.c, key.call_hash, 7, 8, b.now));
	assert_false(call_bye(&b.c, key.call_hash, key.caller, key.caller, b.now));
	bye_answered(&b, 1, 8, 200);
	bye_answered(&b, 1, 0, 481);
	wait_for(&b, 60 * S);
	expect(&b, 1, 0, 1, 1);
	unmake(&b);
}

static void a_failed_set_up_ends_it(void **state)
{
	struct call_key key = key_of(1);
	struct bench b;
	uint32_t i;

	make(&b, ENTRIES);
	i = open_call(&b, 1, 0);
	call_fail(&b.c, i, 486, false, b.now);
	expect_none(&b);
	assert_int_equal(call_of(&b.c, &key), CALL_NONE);
	call_fail(&b.c, i, 486, false, b.now);
	expect_none(&b);
	i = answered_call(&b, 1, 0, 0);
	call_fail(&b.c, i, 486, false, b.now); /* a final of another fork, after the 2xx */
	expect(&b, 1, 0, 1, 1);
	unmake(&b);
}

static void a_silent_set_up_ends(void **state)
{
	struct bench b;
	uint32_t i;

	make(&b, ENTRIES);
	i = open_call(&b, 1, 0);
	wait_for(&b, 200 * S);
	call_news(&b.c, i, b.now);
	wait_for(&b, 200 * S);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, 13 * S);
	expect_none(&b);
	assert_int_equal(b.lane->count[ST_CALL_SILENT], 1);
	unmake(&b);
}

static void no_call_is_longer_than_max_duration(void **state)
{
	struct bench b;

	make(&b, ENTRIES);
	open_call(&b, 1, 0);
	wait_for(&b, 60 * S);
	call_confirm(&b.c, 0, 7, 0, b.now);
	wait_for(&b, 4 * HOUR - MS);
	expect(&b, 1, 0, 1, 1);
	wait_for(&b, MS);
	expect_none(&b);
	assert_int_equal(b.lane->count[ST_CALL_DURATION], 1);
	unmake(&b);
}

static void a_session_lapses(void **state)
{
	static const struct {
		uint32_t interval, lives;
	} cases[] = { { 1800, 2400 }, { 90, 122 }, { 10, 122 }, { 96, 128 }, { 100, 133 } };
	struct bench b;

	make(&b, ENTRIES);
	for (unsigned i = 0; i < 5; i++) {
		answered_call(&b, i, 0, cases[i].interval);
		wait_for(&b, cases[i].lives * S - MS);
		expect(&b, 1, 0, 1, 1);
		wait_for(&b, 400 * MS);
		expect_none(&b);
	}
	assert_int_equal(b.lane->count[ST_CALL_SESSION], 5);
	answered_call(&b, 9, 0, UINT32_MAX); /* nonsense does no harm */
	wait_for(&b, 4 * HOUR - MS);
	expect(&b, 1, 0, 1, 1);
	unmake(&b);
}

static void a_refresh_moves_the_session(void **state)
{
	struct bench b;

	make(&b, ENTRIES);
	answered_call(&b, 1, 0, 300);
	wait_for(&b, 250 * S);
	refreshed(&b, 1, 8, 300); /* not this dialog */
	refreshed(&b, 1, 7, 300);
	call_confirm(&b.c, 0, 7, 90, b.now); /* a repeated 2xx of the first INVITE */
	wait_for(&b, 399 * S);
	expect(&b, 1, 0, 1, 1);
	refreshed(&b, 1, 7, 0); /* without the header it is off */
	wait_for(&b, 2 * HOUR);
	expect(&b, 1, 0, 1, 1);
	refreshed(&b, 1, 7, 90);
	wait_for(&b, 123 * S);
	expect_none(&b);
	unmake(&b);
}

/* One fork has a session timer, the other has not: the call outlives the first one's. */
static void forks_differ_in_their_sessions(void **state)
{
	static const uint32_t sessions[][2] = { { 0, 90 }, { 90, 0 }, { 90, 1800 }, { 1800, 90 } };
	struct bench b;

	make(&b, ENTRIES);
	for (unsigned i = 0; i < 4; i++) {
		call_confirm(&b.c, answered_call(&b, i, 0, sessions[i][0]), 8, sessions[i][1], b.now);
		bye(&b, i, sessions[i][0] == 90 ? 7 : 8);
		bye_answered(&b, i, sessions[i][0] == 90 ? 7 : 8, 200);
		wait_for(&b, 1800 * S);
		expect(&b, 1, 0, 1, 1);
		bye(&b, i, sessions[i][0] == 90 ? 8 : 7);
		bye_answered(&b, i, sessions[i][0] == 90 ? 8 : 7, 200);
		expect_none(&b);
	}
	unmake(&b);
}

/* A refresh in one of two dialogs does not bring the end of the other one nearer; alone, it counts. */
static void a_refresh_spares_the_other_fork(void **state)
{
	struct bench b;

	make(&b, ENTRIES);
	call_confirm(&b.c, answered_call(&b, 1, 0, 0), 8, 1800, b.now);
	refreshed(&b, 1, 8, 90);
	wait_for(&b, HOUR);
	expect(&b, 1, 0, 1, 1);
	bye(&b, 1, 7);
	bye_answered(&b, 1, 7, 200);
	refreshed(&b, 1, 8, 90);
	wait_for(&b, 123 * S);
	expect_none(&b);
	unmake(&b);
}

static void forks_are_one_call(void **state)
{
	struct bench b;
	uint32_t i;

	make(&b, ENTRIES);
	i = answered_call(&b, 1, 0, 0);
	for (uint32_t to = 8; to <= 10; to++)
		call_confirm(&b.c, i, to, 0, b.now);
	expect(&b, 1, 0, 1, 1);
	for (uint32_t to = 7; to <= 10; to++) {
		expect(&b, 1, 0, 1, 1);
		assert_true(bye(&b, 1, to));
		bye_answered(&b, 1, to, 200);
		call_confirm(&b.c, to < 10 ? i : 1, to, 0, b.now); /* repeated 2xx: does not bring it back */
	}
	expect_none(&b);
	unmake(&b);
}

static void more_forks_than_four(void **state)
{
	struct bench b;
	uint32_t i;

	make(&b, ENTRIES);
	i = answered_call(&b, 1, 0, 0);
	for (uint32_t to = 8; to <= 12; to++)
		call_confirm(&b.c, i, to, 0, b.now);
	assert_int_equal(b.lane->count[ST_CALL_DIALOGS], 2);
	assert_false(bye(&b, 1, 12)); /* too early to be known: it has to wait for one of the four */
	for (uint32_t to = 7; to <= 12; to++) {
		expect(&b, 1, 0, 1, 1);
		assert_true(bye(&b, 1, to));
		assert_true(bye(&b, 1, to));
		bye_answered(&b, 1, to, 200);
		bye_answered(&b, 1, to, 200);
	}
	expect_none(&b);
	unmake(&b);
}

/* A branch that was left keeps its place for 32 s, or until it says no; the entry goes on elsewhere. */
static void a_move_leaves_a_hold(void **state)
{
	struct call_key key = key_of(1);
	struct bench b;
	uint32_t i;

	make(&b, ENTRIES);
	i = open_call(&b, 1, 0);
	assert_true(word_reserve(&b.words->gateway[1], true));
	call_move(&b.c, i, 1, true, b.now);
	expect(&b, 1, 1, 1, 1);
	assert_int_equal(call_of(&b.c, &key), i);
	call_let_go(&b.c, &key, 1); /* no hold */
	call_let_go(&b.c, &key, 0);
	call_let_go(&b.c, &key, 0);
	expect(&b, 0, 1, 1, 1);
	assert_true(word_reserve(&b.words->gateway[0], true));
	call_move(&b.c, i, 0, true, b.now);
	call_confirm(&b.c, i, 7, 0, b.now);
	bye(&b, 1, 7);
	bye_answered(&b, 1, 7, 200);
	expect(&b, 0, 1, 0, 0);
	wait_for(&b, 32 * S - MS);
	expect(&b, 0, 1, 0, 0);
	wait_for(&b, MS);
	expect_none(&b);
	call_let_go(&b.c, &key, 1);
	i = open_call(&b, 1, 0);
	assert_true(word_reserve(&b.words->gateway[1], true));
	call_move(&b.c, i, 1, false, b.now); /* refused: nothing is left there */
	expect(&b, 0, 1, 1, 1);
	unmake(&b);
}

/* The caller has been told no, and a gateway that was left may still say yes. */
static void a_failure_leaves_a_hold(void **state)
{
	struct call_key key = key_of(1);
	struct bench b;

	make(&b, ENTRIES);
	call_fail(&b.c, open_call(&b, 1, 0), 486, true, b.now);
	expect(&b, 1, 0, 0, 0);
	assert_int_equal(call_of(&b.c, &key), CALL_NONE);
	wait_for(&b, 32 * S);
	expect_none(&b);
	unmake(&b);
}

static void the_branch_left_wins(void **state)
{
	struct call_key key = key_of(1);
	struct bench b;
	uint32_t i;

	make(&b, ENTRIES);
	i = open_call(&b, 1, 0);
	assert_true(word_reserve(&b.words->gateway[1], true));
	call_move(&b.c, i, 1, true, b.now);
	call_swap(&b.c, i, &key, 0, b.now);
	expect(&b, 1, 1, 1, 1);
	call_confirm(&b.c, i, 7, 0, b.now);
	call_let_go(&b.c, &key, 1);
	expect(&b, 1, 0, 1, 1);
	call_swap(&b.c, i, &key, 0, b.now);
	expect(&b, 1, 0, 1, 1);
	call_swap(&b.c, i, &key, 1, b.now); /* and once more, after its hold was over */
	expect(&b, 1, 1, 1, 1);
	wait_for(&b, 33 * S);
	expect(&b, 0, 1, 1, 1);
	unmake(&b);
}

static void a_full_table(void **state)
{
	struct call_key key = key_of(1);
	struct bench b;

	make(&b, 2);
	open_call(&b, 1, 0);
	assert_true(calls_room(&b.c));
	open_call(&b, 2, 0);
	assert_false(calls_room(&b.c));
	assert_int_equal(open_call(&b, 3, 0), CALL_NONE); /* uncounted: there is no limit */
	assert_int_equal(b.lane->count[ST_CALL_UNCOUNTED], 1);
	expect(&b, 2, 0, 2, 2);
	lb_set_gateway_calls(b.words, 0, 100);
	assert_false(word_reserve(&b.words->gateway[0], calls_room(&b.c)));
	call_move(&b.c, call_of(&b.c, &key), 1, true, b.now); /* no entry for a hold */
	word_take(&b.words->gateway[1]);
	expect(&b, 1, 1, 2, 2);
	call_fail(&b.c, call_of(&b.c, &key), 486, false, b.now);
	assert_true(calls_room(&b.c));
	open_call(&b, 3, 0);
	expect(&b, 2, 0, 2, 2);
	unmake(&b);
}

static void out_only(void **state)
{
	struct call_key key = key_of(1);
	struct call_sides sides = { .in = 3, .out = LB_NONE, .peer = LB_NONE };
	struct bench b;
	struct call e;

	make(&b, ENTRIES);
	call_open(&b.c, &key, &sides, b.now);
	expect(&b, 0, 0, 0, 0);
	assert_true(call_read(&b.c, 0, &e));
	assert_int_equal(e.in, 3);
	assert_false(call_read(&b.c, 1, &e));
	call_fail(&b.c, 0, 486, false, b.now);
	assert_false(call_read(&b.c, 0, &e));
	expect_none(&b);
	unmake(&b);
}

/* Two legs of one Call-ID, as from a proxy that forks before Weir: each is a call. */
static void same_call_id(void **state)
{
	struct call_key key = key_of(1);
	struct call_sides sides = { .in = LB_NONE, .out = 1, .peer = LB_NONE };
	struct bench b;
	uint32_t i, j;

	make(&b, ENTRIES);
	i = answered_call(&b, 1, 0, 0);
	key.branch++;
	word_take(&b.words->gateway[1]);
	j = call_open(&b.c, &key, &sides, b.now);
	assert_int_not_equal(i, j);
	call_confirm(&b.c, j, 9, 0, b.now);
	expect(&b, 1, 1, 1, 1);
	bye(&b, 1, 7);
	bye_answered(&b, 1, 7, 200);
	expect(&b, 0, 1, 0, 0);
	bye(&b, 1, 9);
	bye_answered(&b, 1, 9, 200);
	expect_none(&b);
	unmake(&b);
}

/* ---- The model: calls as one would write them down -------------------------------------------------- */

#define CALLS 40 /* more than there are entries */
#define TAGS  6

struct plain {
	bool counted, answered;
	uint64_t setup_end, max_end, session_end; /* 0: none */
	bool alive[TAGS], was[TAGS];
	uint64_t bye_end[TAGS];
	uint16_t out;
};

struct model {
	struct bench b;
	struct plain plain[CALLS];
	uint64_t random;
	uint64_t turn; /* counts uses of a number, so that no call is met again */
	uint64_t name[CALLS];
};

static uint64_t draw(struct model *m, uint64_t below)
{
	return next_random(&m->random) % below;
}

static unsigned living(const struct plain *p)
{
	unsigned n = 0;

	for (unsigned t = 0; t < TAGS; t++)
		n += p->alive[t];
	return n;
}

/* Ends in the model what time has ended. BYEs are counted in steps of 64 ms, so the clock stays off edges. */
static void model_time(struct model *m)
{
	for (unsigned n = 0; n < CALLS; n++) {
		struct plain *p = &m->plain[n];
		uint64_t now = m->b.now;

		if (!p->counted)
			continue;
		if (!p->answered) {
			p->counted = now < p->setup_end;
			continue;
		}
		for (unsigned t = 0; t < TAGS; t++) {
			if (p->alive[t] && p->bye_end[t] && now >= p->bye_end[t])
				p->alive[t] = false;
		}
		if (now >= p->max_end || (p->session_end && now >= p->session_end) || living(p) == 0)
			p->counted = false;
	}
}

static uint64_t model_session(struct model *m, uint32_t s)
{
	uint32_t least = s < 90 ? 90 : s, grace = least / 3 > 32 ? least / 3 : 32;

	return s ? m->b.now + (least + grace) * S : 0;
}

/* Of several dialogs the longest session counts, and none if one has none. */
static void model_told(struct model *m, struct plain *p, bool alone, uint32_t session)
{
	uint64_t end = model_session(m, session);

	if (alone || (p->session_end && (!end || end > p->session_end)))
		p->session_end = end;
}

static void open_or_fail(struct model *m, unsigned n)
{
	struct plain *p = &m->plain[n];
	struct call_key key = key_of(m->name[n]);

	if (p->counted && !p->answered) {
		call_fail(&m->b.c, call_of(&m->b.c, &key), 486, false, m->b.now);
		p->counted = false;
	} else if (!p->counted) {
		m->name[n] = ++m->turn * CALLS + n;
		*p = (struct plain){ .out = draw(m, 3) };
		p->counted = calls_room(&m->b.c);
		p->setup_end = m->b.now + SETUP;
		open_call(&m->b, m->name[n], p->out);
	}
}

static void answer(struct model *m, unsigned n, unsigned t)
{
	static const uint32_t sessions[] = { 0, 0, 60, 300, 1800 };
	struct plain *p = &m->plain[n];
	struct call_key key = key_of(m->name[n]);
	uint32_t i = call_of(&m->b.c, &key), session = sessions[draw(m, 5)];
	unsigned known = 0;

	assert_true((i != CALL_NONE) == p->counted);
	for (unsigned k = 0; k < TAGS; k++)
		known += p->was[k];
	if (!p->counted || (known == CALL_DIALOGS && !p->was[t]))
		return;
	call_confirm(&m->b.c, i, 7 + t, session, m->b.now);
	if (p->was[t])
		return;
	p->was[t] = p->alive[t] = true;
	if (!p->answered)
		p->max_end = m->b.now + 4 * HOUR;
	model_told(m, p, !p->answered, session);
	p->answered = true;
}

static void say_bye(struct model *m, unsigned n, unsigned t)
{
	struct plain *p = &m->plain[n];
	bool known = p->counted && p->answered && p->was[t];

	assert_int_equal(draw(m, 2) ? bye(&m->b, m->name[n], 7 + t)
				    : bye_from_callee(&m->b, m->name[n], 7 + t),
			 known);
	if (known && p->alive[t] && !p->bye_end[t])
		p->bye_end[t] = m->b.now + 32 * S + 64 * MS;
}

static void answer_bye(struct model *m, unsigned n, unsigned t)
{
	static const uint16_t codes[] = { 200, 481, 408, 401, 407, 500, 100 };
	uint16_t code = codes[draw(m, 7)];
	struct plain *p = &m->plain[n];

	bye_answered(&m->b, m->name[n], 7 + t, code);
	if (!p->counted || !p->alive[t])
		return;
	if (code == 401 || code == 407)
		p->bye_end[t] = 0;
	if (code == 200 || code == 481 || code == 408)
		p->alive[t] = false;
	if (living(p) == 0)
		p->counted = false;
}

static void refresh(struct model *m, unsigned n, unsigned t)
{
	static const uint32_t sessions[] = { 0, 60, 300, 1800 };
	struct plain *p = &m->plain[n];
	uint32_t session = sessions[draw(m, 4)];

	refreshed(&m->b, m->name[n], 7 + t, session);
	if (p->counted && p->alive[t])
		model_told(m, p, living(p) == 1, session);
}

static void compare(struct model *m)
{
	uint32_t out[GWS] = { 0 }, all = 0;

	for (unsigned n = 0; n < CALLS; n++) {
		if (m->plain[n].counted) {
			out[m->plain[n].out]++;
			all++;
		}
	}
	assert_int_equal(lb_gateway_calls(m->b.words, 2), out[2]);
	expect(&m->b, out[0], out[1], all, all);
	assert_int_equal(m->b.c.in_use, all);
}

static void as_written_down(void **state)
{
	for (uint64_t seed = 1; seed <= 30; seed++) {
		struct model m = { .random = seed };

		make(&m.b, 30);
		for (unsigned turn = 0; turn < 4000; turn++) {
			unsigned n = draw(&m, CALLS), t = draw(&m, TAGS);

			switch (draw(&m, 8)) {
			case 0:
			case 1:
				open_or_fail(&m, n);
				break;
			case 2:
			case 3:
				answer(&m, n, t);
				break;
			case 4:
				say_bye(&m, n, t);
				break;
			case 5:
				answer_bye(&m, n, t);
				break;
			case 6:
				refresh(&m, n, t);
				break;
			default: /* BYEs end up to 64 ms later: look only where that makes no difference */
				wait_for(&m.b, (draw(&m, 50) ? draw(&m, 20) : draw(&m, 1500)) * S);
				wait_for(&m.b, S / 2);
				model_time(&m);
				wait_for(&m.b, S / 2);
				model_time(&m);
				break;
			}
			if (turn % 16 == 0)
				compare(&m);
		}
		wait_for(&m.b, 5 * HOUR);
		model_time(&m);
		compare(&m);
		expect_none(&m.b);
		unmake(&m.b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answered_bye_ends_it),
		cmocka_unit_test(an_unanswered_bye_ends_it),
		cmocka_unit_test(a_challenged_bye_does_not),
		cmocka_unit_test(wrong_tags_do_nothing),
		cmocka_unit_test(a_failed_set_up_ends_it),
		cmocka_unit_test(a_silent_set_up_ends),
		cmocka_unit_test(no_call_is_longer_than_max_duration),
		cmocka_unit_test(a_session_lapses),
		cmocka_unit_test(a_refresh_moves_the_session),
		cmocka_unit_test(forks_differ_in_their_sessions),
		cmocka_unit_test(a_refresh_spares_the_other_fork),
		cmocka_unit_test(forks_are_one_call),
		cmocka_unit_test(more_forks_than_four),
		cmocka_unit_test(a_move_leaves_a_hold),
		cmocka_unit_test(a_failure_leaves_a_hold),
		cmocka_unit_test(the_branch_left_wins),
		cmocka_unit_test(a_full_table),
		cmocka_unit_test(out_only),
		cmocka_unit_test(same_call_id),
		cmocka_unit_test(as_written_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
