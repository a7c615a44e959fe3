/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Call records: see records.h. Must stay true: a turn takes a bounded number of records, so that the loop
 * keeps its time; the workers' rings hold what comes meanwhile.
 */
#include "control/records.h"

#include <event2/event.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/log.h"
#include "control/record_file.h"
#include "control/record_line.h"

#define SECOND    1000000000ull
#define TURN_US   10000 /* between two looks at the workers' rings */
#define BUDGET    1024  /* records of one turn: 100,000 a second */
#define LOG_EVERY (60 * SECOND)

struct ctl_records {
	struct app *app;
	struct event *timer;
	struct record_file file;
	struct ctl_gate gate; /* of the file's errors */
	uint64_t flush_at;    /* dp_now() when what has gathered is written at the latest */
	bool failing;         /* the last write did not succeed: the next one has time */
	uint32_t worker;      /* whose ring is looked at first */
};

static struct timespec wall_of(uint64_t at)
{
	struct timespec ts;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &ts);
	ns = (uint64_t)ts.tv_sec * SECOND + (uint64_t)ts.tv_nsec - (dp_now() - at);
	return (struct timespec){ (time_t)(ns / SECOND), (long)(ns % SECOND) };
}

static void flush(struct ctl_records *r)
{
	uint64_t held;
	int rc = record_file_flush(&r->file);

	r->flush_at = dp_now() + SECOND;
	r->failing = rc != 0;
	if (rc == 0)
		return;
	st_inc(r->app->lane, ST_RECORD_WRITE_ERRORS);
	if (ctl_gate(&r->gate, dp_now(), LOG_EVERY, &held))
		ctl_err("call records: %s: %s (%lu more before)", r->file.path, strerror(-rc),
			(unsigned long)held);
}

static void add(struct ctl_records *r, const struct lb_record *record)
{
	const struct timespec ended = wall_of(record->ended);
	char line[RECORD_LINE];
	size_t n = record_line(record, r->app->conf->node, r->app->policy, &ended, line);

	if (!record_file_add(&r->file, line, n))
		st_inc(r->app->lane, ST_RECORDS_DISCARDED);
	if (r->file.n >= RECORD_FILE_FULL && !r->failing)
		flush(r);
}

/* Takes at most `budget` records, the workers' turn by turn. */
static void take(struct ctl_records *r, uint32_t budget)
{
	uint32_t n = ctl_worker_count(r->app), empty = 0;
	struct lb_record record;

	while (budget > 0 && empty < n) {
		if (dp_next_record(r->app->dp, r->worker, &record)) {
			add(r, &record);
			budget--;
			empty = 0;
		} else {
			empty++;
		}
		r->worker = (r->worker + 1) % n;
	}
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_records *r = arg;

	take(r, BUDGET);
	if (dp_now() >= r->flush_at)
		flush(r);
}

int records_start(struct app *app)
{
	const struct timeval turn = { .tv_usec = TURN_US };
	const char *path = app->conf->control.records;
	struct ctl_records *r;
	int rc;

	if (!path)
		return 0;
	app->records = r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->app = app;
	rc = record_file_open(&r->file, path);
	if (rc) {
		ctl_err("call records: %s: %s", path, strerror(-rc));
		return rc;
	}
	r->timer = event_new(app->base, -1, EV_PERSIST, on_timer, r);
	return r->timer && event_add(r->timer, &turn) == 0 ? 0 : -ENOMEM;
}

void records_reopen(struct app *app)
{
	uint64_t torn;
	int rc;

	if (!app->records)
		return;
	torn = app->records->file.torn;
	rc = record_file_reopen(&app->records->file);
	st_add(app->lane, ST_RECORDS_DISCARDED, app->records->file.torn - torn);
	if (rc)
		ctl_err("call records: %s: %s; they go on in the file of before", app->records->file.path,
			strerror(-rc));
	else
		ctl_notice("call records: %s opened again", app->records->file.path);
}

void records_stop(struct app *app)
{
	struct ctl_records *r = app->records;
	int rc;

	if (!r)
		return;
	if (r->timer) {
		event_free(r->timer);
		take(r, LIMIT_RECORDS * ctl_worker_count(app));
	}
	rc = record_file_close(&r->file);
	if (rc)
		ctl_err("call records: %s: %s; the last ones are lost", app->conf->control.records,
			strerror(-rc));
	free(r);
	app->records = NULL;
}
