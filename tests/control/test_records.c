/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines of call records, whatever bytes are in them, and the file that they are appended to. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/record_file.h"
#include "control/record_line.h"
#include "tests/control/small.h"

static char file[96], moved[112];
static struct small small;

static int set_up(void **state)
{
	if (small_make(&small, "records"))
		return -1;
	snprintf(file, sizeof(file), "%s/calls.jsonl", small.dir);
	snprintf(moved, sizeof(moved), "%s.1", file);
	return 0;
}

static int tear_down(void **state)
{
	unlink(file);
	unlink(moved);
	return small_free(&small);
}

/* ---- Lines ----------------------------------------------------------------------------------------- */

static const struct timespec t0 = { .tv_sec = 1800000000, .tv_nsec = 42999999 };

static void set_texts(struct lb_record *r, const char *caller, const char *number, const char *call_id)
{
	r->caller_n = (uint8_t)strlen(caller);
	r->number_n = (uint8_t)strlen(number);
	r->call_id_n = (uint8_t)strlen(call_id);
	snprintf(r->text, sizeof(r->text), "%s%s%s", caller, number, call_id);
}

static void is_line(const struct lb_record *r, const char *want)
{
	char line[RECORD_LINE];
	size_t n = record_line(r, "lb1", small.policy, &t0, line);

	assert_int_equal(n, strlen(want));
	assert_memory_equal(line, want, n);
}

static void answered_after_failover(void **state)
{
	struct lb_record r = {
		.age_ms = 62105,
		.answered_ms = 60007,
		.in = LB_NONE,
		.out = small.policy->gateways[1].slot,
		.peer = small.policy->peer_specs[0].slot,
		.status = 200,
		.how = LB_END_BYE,
		.bye_caller = 1,
		.n_tries = 1,
		.tries = { { small.policy->gateways[0].slot, LB_LEFT_ICMP } },
	};

	set_texts(&r, "alice", "+8221234", "c9@x");
	is_line(&r, "{\"time\":\"2027-01-15T08:00:00.042Z\",\"node\":\"lb1\",\"peer\":\"c\",\"from_gateway\":"
		    "null,"
		    "\"from\":\"alice\",\"to\":\"+8221234\",\"call_id\":\"c9@x\",\"pool\":\"p\",\"gateway\":"
		    "\"h\","
		    "\"tried\":[{\"gateway\":\"g\",\"left\":\"icmp\"},{\"gateway\":\"h\",\"status\":200}],"
		    "\"code\":200,\"end\":\"bye\",\"bye_from\":\"caller\",\"setup_ms\":2098,\"hold_s\":60."
		    "007}\n");
}

/* The gateway is gone from the config, or was never known; numbers are empty. */
static void nothing_is_known(void **state)
{
	const struct lb_record r = { .in = LB_NONE, .out = LB_NONE, .peer = LB_NONE, .how = LB_END_SILENT };

	is_line(&r,
		"{\"time\":\"2027-01-15T08:00:00.042Z\",\"node\":\"lb1\",\"peer\":null,\"from_gateway\":null,"
		"\"from\":\"\",\"to\":\"\",\"call_id\":\"\",\"pool\":null,\"gateway\":null,\"tried\":[],"
		"\"code\":0,\"end\":\"no-final\",\"setup_ms\":0,\"hold_s\":0.000}\n");
}

/* Answered after another record had told of its end. */
static void answered_late(void **state)
{
	const struct lb_record r = { .age_ms = 95000,
				     .answered_ms = 60000,
				     .in = LB_NONE,
				     .out = LB_NONE,
				     .peer = LB_NONE,
				     .status = 200,
				     .how = LB_END_BYE,
				     .late = 1 };

	is_line(&r, "{\"time\":\"2027-01-15T08:00:00.042Z\",\"node\":\"lb1\",\"peer\":null,"
		    "\"from_gateway\":null,\"from\":\"\",\"to\":\"\",\"call_id\":\"\",\"pool\":null,"
		    "\"gateway\":null,\"tried\":[{\"gateway\":null,\"status\":200}],\"code\":200,"
		    "\"end\":\"bye\",\"bye_from\":\"callee\",\"late\":true,\"setup_ms\":35000,"
		    "\"hold_s\":60.000}\n");
}

static void is_text(const char *bytes, const char *want)
{
	struct lb_record r = { .in = LB_NONE, .out = LB_NONE, .peer = LB_NONE };
	char line[RECORD_LINE + 1], expect[128];

	set_texts(&r, bytes, "", "");
	line[record_line(&r, "lb1", small.policy, &t0, line)] = '\0';
	snprintf(expect, sizeof(expect), "\"from\":\"%s\",\"to\":\"\"", want);
	assert_non_null(strstr(line, expect));
}

static void texts_are_escaped(void **state)
{
	is_text("a\"b\\c", "a\\\"b\\\\c");
	is_text("\r\n\x01\x7f", "\\u000d\\u000a\\u0001\\u007f");
	is_text("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
	is_text("\xff", "\\ufffd");
	is_text("\xc3", "\\ufffd");            /* cut */
	is_text("\xc0\x80", "\\ufffd\\ufffd"); /* longer than need be */
	is_text("\xe0\x80\x80", "\\ufffd\\ufffd\\ufffd");
	is_text("\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"); /* a surrogate */
	is_text("\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd");
	is_text("\x80x", "\\ufffdx");
}

/* Any bytes and any field give a line that a JSON parser reads, and its room is never left. */
static void any_record_is_json(void **state)
{
	char line[RECORD_LINE + 8];
	struct lb_record r;
	json_error_t error;
	json_t *o;
	size_t n;

	srandom(7);
	for (unsigned k = 0; k < 20000; k++) {
		for (size_t i = 0; i < sizeof(r); i++)
			((unsigned char *)&r)[i] = (unsigned char)(random() >> 8);
		if (k % 3 == 0)
			memset(r.text, k % 2 ? 0x01 : 0xff, sizeof(r.text));
		r.how %= LB_END_CANCELLED + 1;
		r.n_tries %= LIMIT_BRANCHES + 1;
		r.caller_n %= 33;
		r.number_n %= 33;
		r.call_id_n = (uint8_t)(LIMIT_RECORD_TEXT - r.caller_n - r.number_n);
		memset(line, '#', sizeof(line));
		n = record_line(&r, "lb1", small.policy, &t0, line);
		assert_true(n < RECORD_LINE && line[n + 1] == '#' && line[n - 1] == '\n');
		assert_null(memchr(line, '\n', n - 1));
		o = json_loadb(line, n, JSON_ALLOW_NUL, &error);
		if (!o)
			print_error("%s\n%.*s", error.text, (int)n, line);
		assert_non_null(o);
		json_decref(o);
	}
}

/* ---- The file -------------------------------------------------------------------------------------- */

static void has(const char *path, const char *want)
{
	char text[256] = "";
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_true(fread(text, 1, sizeof(text) - 1, f) < sizeof(text));
	fclose(f);
	assert_string_equal(text, want);
}

static void lines_are_appended(void **state)
{
	struct record_file f;
	struct stat st;

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(record_file_open(&f, file), 0);
		assert_true(record_file_add(&f, "one\n", 4));
		has(file, i ? "one\ntwo\n" : "");
		assert_int_equal(record_file_flush(&f), 0);
		assert_true(record_file_add(&f, "two\n", 4));
		assert_int_equal(record_file_close(&f), 0);
	}
	has(file, "one\ntwo\none\ntwo\n");
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0137, 0);
}

static void rotation_loses_nothing(void **state)
{
	struct record_file f;

	assert_int_equal(record_file_open(&f, file), 0);
	record_file_add(&f, "one\n", 4);
	assert_int_equal(rename(file, moved), 0);
	assert_int_equal(record_file_reopen(&f), 0);
	record_file_add(&f, "two\n", 4);
	assert_int_equal(record_file_flush(&f), 0);
	has(moved, "one\n");
	has(file, "two\n");
	unlink(file);
	assert_int_equal(mkdir(file, 0700), 0); /* cannot be opened: goes on in the old one */
	assert_int_equal(record_file_reopen(&f), -EISDIR);
	assert_int_equal(rmdir(file), 0);
	assert_true(record_file_add(&f, "three\n", 6));
	assert_int_equal(record_file_close(&f), 0);
	assert_int_equal(record_file_open(&f, "/nowhere/at/all"), -ENOENT);
	assert_int_equal(record_file_close(&f), 0);
}

/* A file that takes only a part, then nothing: what waits is bounded, and goes on where it stopped. */
static void a_full_disk_tears_no_line(void **state)
{
	struct rlimit limit, tight;
	struct record_file f;
	unsigned n = 0;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	tight = (struct rlimit){ 6, limit.rlim_max };
	assert_int_equal(record_file_open(&f, file), 0);
	record_file_add(&f, "one\ntwo\n", 8);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(record_file_flush(&f), -EFBIG);
	assert_int_equal(record_file_flush(&f), -EFBIG);
	has(file, "one\ntw");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(record_file_flush(&f), 0);
	has(file, "one\ntwo\n");

	tight.rlim_cur = 10;
	record_file_add(&f, "three\nfour\n", 11);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	assert_int_equal(record_file_flush(&f), -EFBIG);
	while (record_file_add(&f, "12345678901234567890\n", 21))
		n++;
	assert_int_equal(n, (RECORD_FILE_ROOM - 9) / 21);
	assert_int_equal(record_file_reopen(&f), 0); /* it is the same file: the line can still be finished */
	assert_true(f.begun == 4 && f.torn == 0);
	assert_int_equal(rename(file, moved), 0); /* the torn line stays behind, the others go on */
	assert_int_equal(record_file_reopen(&f), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	f.n = 5;
	assert_int_equal(f.torn, 1);
	assert_int_equal(record_file_close(&f), 0);
	has(moved, "one\ntwo\nth");
	has(file, "four\n");
}

/* The process before had to stop while the disk was full. */
static void a_torn_line_stays_alone(void **state)
{
	struct record_file f;
	FILE *before = fopen(file, "w");

	fputs("one\ntw", before);
	fclose(before);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(record_file_open(&f, file), 0);
		record_file_add(&f, "four\n", 5);
		assert_int_equal(record_file_close(&f), 0);
	}
	has(file, "one\ntw\nfour\nfour\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answered_after_failover, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_known, set_up, tear_down),
		cmocka_unit_test_setup_teardown(answered_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(texts_are_escaped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(any_record_is_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lines_are_appended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(rotation_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_disk_tears_no_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_torn_line_stays_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
