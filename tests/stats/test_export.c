/* SPDX-License-Identifier: BSD-3-Clause */
/* Exposition: chunking does not change the text, names are escaped, promtool (if installed) accepts it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "stats/stats.h"

static bool gauge(void *arg, enum st_family family, uint32_t i, struct st_gauge *g)
{
	if (family == ST_FAM_UP && i == 0) {
		g->value = 1;
		return true;
	}
	if (family == ST_FAM_BUILD_INFO && i == 0) {
		g->value = 1;
		st_label(g, "version", "0.1.0");
		st_label(g, "dpdk", "a \"quoted\\\n");
		return true;
	}
	return false;
}

struct fixture {
	struct st_table table;
	struct st_gateway_name gateways[3];
	const char *peers[1];
	struct st_source source;
};

static int setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){
		.table = { .n = 3 },
		.gateways = { { "east", "gw1" }, { NULL, NULL }, { "w\"est", "gw\\2" } },
		.peers = { "carrier-a" },
	};
	for (int i = 0; i < 2; i++)
		f.table.lane[i] = st_lane_init(aligned_alloc(64, st_lane_size(3, 1)), i ? "1" : "0", 3, 1);
	f.table.lane[2] = st_lane_init(aligned_alloc(64, st_lane_size(0, 0)), "control", 0, 0);
	f.source = (struct st_source){ &f.table, f.gateways, 3, f.peers, 1, gauge, NULL };
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->table.lane[0]);
	free(f->table.lane[1]);
	free(f->table.lane[2]);
	return 0;
}

/* The whole text, rendered in chunks of the given size; the caller frees it. */
static char *render(const struct fixture *f, size_t chunk)
{
	struct st_export e;
	char *text = NULL, *buf = malloc(chunk);
	size_t total = 0, n;

	st_export_start(&e, &f->source);
	while ((n = st_export_next(&e, buf, chunk)) > 0) {
		assert_in_range(n, 1, chunk);
		assert_int_equal(buf[n - 1], '\n');
		text = realloc(text, total + n + 1);
		memcpy(text + total, buf, n);
		total += n;
		text[total] = '\0';
	}
	free(buf);
	return text;
}

static void test_lines(void **state)
{
	static const char *const expected[] = {
		"# TYPE weir_message_ends_total counter\n",
		"\nweir_message_ends_total{outcome=\"forward\",reason=\"request\"} 7\n",
		"\nweir_worker_messages_total{worker=\"0\"} 3\n",
		"\nweir_worker_messages_total{worker=\"1\"} 4\n",
		"\nweir_sip_requests_total{method=\"INVITE\"} 2\n",
		"\nweir_sip_datagrams_total 0\n",
		"\nweir_gateway_requests_total{pool=\"w\\\"est\",gateway=\"gw\\\\2\",direction=\"out\"} 5\n",
		"\nweir_gateway_requests_total{pool=\"east\",gateway=\"gw1\",direction=\"out\"} 0\n",
		"\nweir_gateway_response_seconds_bucket{pool=\"east\",gateway=\"gw1\",le=\"0.5\"} 1\n",
		"\nweir_gateway_response_seconds_bucket{pool=\"east\",gateway=\"gw1\",le=\"0.25\"} 0\n",
		"\nweir_gateway_response_seconds_bucket{pool=\"east\",gateway=\"gw1\",le=\"32\"} 1\n",
		"\nweir_gateway_response_seconds_bucket{pool=\"east\",gateway=\"gw1\",le=\"+Inf\"} 2\n",
		"\nweir_gateway_response_seconds_sum{pool=\"east\",gateway=\"gw1\"} 40.500000000\n",
		"\nweir_gateway_response_seconds_count{pool=\"east\",gateway=\"gw1\"} 2\n",
		"\nweir_peer_requests_total{peer=\"carrier-a\"} 1\n",
		"\nweir_up 1\n",
		"\nweir_build_info{version=\"0.1.0\",dpdk=\"a \\\"quoted\\\\\\n\"} 1\n",
	};
	struct fixture *f = *state;
	char *text;

	st_add(f->table.lane[0], ST_FWD_REQUEST, 3);
	st_add(f->table.lane[1], ST_FWD_REQUEST, 3);
	st_inc(f->table.lane[2], ST_FWD_REQUEST);
	st_add(f->table.lane[0], ST_HANDLED, 3);
	st_add(f->table.lane[1], ST_HANDLED, 4);
	st_add(f->table.lane[0], ST_REQUEST_INVITE, 2);
	for (int i = 0; i < 5; i++)
		st_gateway_inc(f->table.lane[1], 2, ST_GW_REQUESTS);
	st_hist_add(&f->table.lane[0]->gateways[0].response, 500000000);
	st_hist_add(&f->table.lane[1]->gateways[0].response, 40000000000);
	st_peer_inc(f->table.lane[0], 0, ST_PEER_REQUESTS);
	text = render(f, 1 << 16);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
		if (strstr(text, expected[i]) == NULL)
			fail_msg("missing: %s", expected[i]);
	assert_null(strstr(text, "worker=\"control\""));
	assert_null(strstr(text, "weir_gateway_state")); /* a gauge family without series */
	free(text);
}

static void test_chunks_do_not_matter(void **state)
{
	static const size_t chunks[] = { ST_CHUNK_MIN, ST_CHUNK_MIN + 1, 3000, 5000 };
	char *whole = render(*state, 1 << 17);

	for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
		char *text = render(*state, chunks[i]);

		assert_string_equal(text, whole);
		free(text);
	}
	free(whole);
}

static void test_labels_that_do_not_fit(void **state)
{
	struct st_gauge g = { .labels = "" };
	char value[300];

	memset(value, '"', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	st_label(&g, "long", value);
	assert_string_equal(g.labels, "long=\"\""); /* too long for a label: empty */
	value[240] = '\0';
	st_label(&g, "fits", value);
	st_label(&g, "not", value);
	assert_true(strlen(g.labels) < ST_LABELS);
	assert_null(strstr(g.labels, "not="));
	st_label(&g, "a", "b");
	assert_string_equal(g.labels + strlen(g.labels) - 6, ",a=\"b\"");
}

static void test_promtool(void **state)
{
	char *text;
	FILE *tool;
	int rc;

	if (system("command -v promtool >/dev/null") != 0)
		skip();
	text = render(*state, 4096);
	tool = popen("promtool check metrics >&2", "w");
	assert_non_null(tool);
	fputs(text, tool);
	rc = pclose(tool);
	free(text);
	assert_true(WIFEXITED(rc));
	assert_int_equal(WEXITSTATUS(rc), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chunks_do_not_matter, setup, teardown),
		cmocka_unit_test(test_labels_that_do_not_fit),
		cmocka_unit_test_setup_teardown(test_promtool, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
