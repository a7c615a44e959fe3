/* SPDX-License-Identifier: BSD-3-Clause */
/* Counted calls against a plain model: calls as one would write them down, over random histories. */
#include "tests/lb/check.h"
#include "tests/lb/tally.h"

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
	struct tally b;
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
		call_fail(&m->b.c, call_of(&m->b.c, &key), LB_END_FAILED, 486, false, m->b.now);
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

		tally_make(&m.b, 30);
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
		tally_free(&m.b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(as_written_down) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
