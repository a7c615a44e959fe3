/* SPDX-License-Identifier: BSD-3-Clause */
/* What control tells of by itself: all of it, once, whole, and whatever the wall clock does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/control.h"
#include "control/events.h"
#include "control/governor.h"
#include "control/ledger.h"
#include "control/survivors.h"
#include "tests/control/fake.h"

#define MANY   200 /* gateways of pool west */
#define BEFORE 100 /* calls that gw1 had before the start */
#define HOUR   3600

static struct app app;
static char dir[] = "/tmp/weir-events-XXXXXX", file[64];
static int64_t set_by; /* s that the wall clock was set forward by */

/* The C library's, for all that is linked here. */
time_t time(time_t *at)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec + set_by;
}

static unsigned told(enum ctl_event_kind kind)
{
	const struct ctl_event *e;
	unsigned n = 0;

	for (uint64_t id = 0; (e = ctl_event_after(&app, id)); id = e->id)
		n += e->kind == kind;
	return n;
}

static void turns(unsigned n)
{
	for (; n > 0; n--)
		ledger_turn(&app);
}

static uint64_t counted(unsigned id)
{
	return st_cell_read(&app.lane->count[id]);
}

/* Waits for two steps of the governor. */
static void steps(void)
{
	uint64_t until = counted(ST_GOVERNOR_STEPS) + counted(ST_GOVERNOR_LATE) + 2;

	while (counted(ST_GOVERNOR_STEPS) + counted(ST_GOVERNOR_LATE) < until)
		assert_int_equal(event_base_loop(app.base, EVLOOP_ONCE), 0);
}

/* A pool that gets and loses its last place each second is full, and one event. */
static void a_full_pool_is_told_once(void **state)
{
	uint32_t *max = &app.conf->pools[0].gateways[0].max_calls;
	const uint32_t full = BEFORE + 1; /* gw1 has a call, too */

	for (unsigned i = 0; i < 20; i++) {
		*max = full + i % 2;
		turns(1);
	}
	assert_true(told(CTL_POOL_FULL) == 1 && told(CTL_POOL_FREE) == 0);
	*max = full;
	turns(1);
	*max = full + 1;
	turns(9);
	assert_int_equal(told(CTL_POOL_FREE), 0);
	turns(1);
	assert_int_equal(told(CTL_POOL_FREE), 1);
	*max = full;
	turns(1);
	assert_int_equal(told(CTL_POOL_FULL), 2);
	*max = CONF_NONE;
}

/* Survivors grow old by the time that passes, not by the hour that somebody sets. */
static void the_wall_clock_changes_no_count(void **state)
{
	static const int64_t set[] = { 5 * HOUR, -9 * HOUR, 40000 * HOUR, 0 };
	uint16_t slot = app.policy->gateways[0].slot;
	struct survivors s;
	char err[300];

	assert_int_equal(lb_get_survivors(app.words, slot), BEFORE);
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++) {
		set_by = set[i];
		turns(1);
		assert_int_equal(lb_get_survivors(app.words, slot), BEFORE);
		assert_int_equal(survivors_load(&s, app.policy, dir, 4 * HOUR, time(NULL), err, sizeof(err)),
				 0);
		assert_int_equal(survivors_most(&s, 0, time(NULL)), BEFORE + 1); /* and the one that runs */
		survivors_free(&s);
	}
}

/* However many change in one step. */
static void every_change_of_health_is_told(void **state)
{
	steps();
	for (uint32_t i = 0; i < MANY; i++)
		for (unsigned k = 0; k < 3; k++)
			governor_probe(&app, app.policy->gateways[app.policy->first[1] + i].slot,
				       LB_PROBE_SILENT, dp_now());
	steps();
	assert_int_equal(counted(ST_HEALTH_DOWN), MANY);
	assert_int_equal(told(CTL_GATEWAY_DOWN), MANY);
}

/* The end of a sentence is why something happened. */
static void texts_are_whole(void **state)
{
	static const char addr[] = "[2001:db8:1111:2222:3333:4444:5555:6666]:65535";
	char name[LIMIT_NAME + 1] = "", why[96], want[400];
	uint64_t last = ctl_events_last(&app);

	memset(name, 'g', LIMIT_NAME);
	lb_health_text(LB_WHY_EASED, UINT32_MAX, why, sizeof(why));
	snprintf(want, sizeof(want), "gateway %s (%s): SLOWSTART, %s", name, addr, why);
	ctl_event(&app, CTL_GATEWAY_SLOWSTART, name, "%s", want);
	assert_string_equal(ctl_event_after(&app, last)->text, want);
	assert_string_equal(ctl_event_after(&app, last)->subject, name);
}

static int set_up(void **state)
{
	struct fake fake = { .socket = "/tmp/none.sock", .metrics = 9105 };
	FILE *f;

	fake_app(&app, &fake, MANY);
	app.conf->state_dir = mkdtemp(dir);
	snprintf(file, sizeof(file), "%s/" SURVIVORS_FILE, dir);
	f = fopen(file, "w");
	if (!f)
		return -1;
	fprintf(f, "weir-calls 1\nruns %ld\ngateway gw1 %d\nend 1\n", (long)time(NULL), BEFORE);
	fclose(f);
	return ledger_start(&app);
}

static int tear_down(void **state)
{
	ledger_stop(&app);
	ctl_rates_stop(&app);
	governor_stop(&app);
	unlink(file);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wall_clock_changes_no_count),
		cmocka_unit_test(a_full_pool_is_told_once),
		cmocka_unit_test(every_change_of_health_is_told),
		cmocka_unit_test(texts_are_whole),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
