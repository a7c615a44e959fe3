/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The commands of weirctl: the real weirctl and the real server, over a dataplane that only counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/conf.h"
#include "control/cli/cli.h"
#include "tests/control/run_weirctl.h"

#define MANY 2500 /* gateways of pool west: three pages */

static struct fake fake;

static char *out_text, *err_text;

static int weirctl(const char *line)
{
	return run_weirctl(&fake, line, &out_text, &err_text);
}

/* The JSON that it wrote; a new reference. */
static json_t *json_out(void)
{
	json_error_t error;
	json_t *o = json_loads(out_text, JSON_DECODE_ANY, &error);

	if (!o)
		fail_msg("no JSON: %s in %s", error.text, out_text);
	return o;
}

static const struct {
	const char *line, *text; /* part of what people see */
	int rc;
} cases[] = {
	{ "show status", "2502 of 2503 up", 0 },
	{ "show pools", "partial", 0 },
	{ "show gateways east", "3 gateways, 2 up, 1 down, 1 drained", 0 },
	{ "show gateways", "2503 gateways", 0 },
	{ "show gateway gw1", "gw1 of pool east at 192.0.2.21:5060 by access: up", 0 },
	{ "show congestion east", "PROGRESS", 0 },
	{ "why one@peer", "down, drained or under maintenance\n  => gw1\n", 0 },
	{ "why nobody@nowhere", "nothing is known of this Call-ID", 1 },
	{ "show congestion nowhere", "no pool \"nowhere\"", 1 },
	{ "show gateway gw2", "timeout", 0 },
	{ "show peers", "192.0.2.0/28, 192.0.2.16/28", 0 },
	{ "show workers", "running", 0 },
	{ "show ports", "192.0.2.10/24", 0 },
	{ "show drops", "conserved: every message and frame has its one end", 0 },
	{ "show config", "node: lb1", 0 },
	{ "events", "", 0 },
	{ "show calls", "1 of 1 calls", 0 },
	{ "show calls gw1", "setup", 0 },
	{ "show calls -g gw2", "0 of 0 calls", 0 },
	{ "show calls --gateway nobody", "no gateway \"nobody\"", 1 },
	{ "show pools -g gw1", "--gateway is for show calls", 2 },
	{ "audit", "calls counted are those that are known", 0 },
	{ "hash abc@example.com", "east", 0 },
	{ "health",
	  "WEIR WARNING - lb1: 2502 of 2503 gateways up; gateway gw2 of pool east is down | "
	  "gateways=2503",
	  1 },
	{ "help", "drain GATEWAY", 0 },
	{ "help drain", "drain node", 0 },
	{ "help drian", "no command \"drian\"", 2 },
	{ "--help drian", "no command \"drian\"", 2 },
	{ "health now", "usage: weirctl health", 3 },
	{ "health --within", "--within needs SECONDS", 3 },
	{ "show gateways nowhere", "no pool \"nowhere\"", 1 },
	{ "show gateway nobody", "no gateway \"nobody\"", 1 },
	{ "drain nobody", "no gateway \"nobody\"", 1 },
	{ "drain gw3", "gateway gw3 is drained already", 1 },
	{ "drain node 0", "expected a number from 1 to 86400", 1 },
	{ "ready node", "the node is ready already", 1 },
	{ "set nobody weight 1", "no gateway and no peer \"nobody\"", 1 },
	{ "set gw1 height 1", "no key \"height\"", 1 },
	{ "set gw1 weight 99999", "found \"99999\", expected a number from 0 to 65535", 1 },
	{ "set gw1 max-cps 100/s", "max-cps of gateway gw1 is so already", 1 },
	{ "set gw1 max-cps fast", "found \"fast\", expected", 1 },
	{ "set gw1 max-calls 9M", "the table of calls holds", 1 },
	{ "set carrier weight 5", "no key \"weight\" of a peer", 1 },
	{ "set gw1 weight", "usage: weirctl set NAME weight|max-cps|max-calls VALUE", 2 },
	{ "show pools --wait", "--wait and --within are for", 2 },
	{ "drain gw1 --within 5", "--within is for --wait", 2 },
	{ "show", "show what?", 2 },
	{ "show nothing", "there are status", 2 },
	{ "--nothing", "no option", 2 },
	{ "drain", "usage: weirctl drain GATEWAY", 2 },
	{ "drain gw1 --watch 1", "--watch is for show", 2 },
	{ "check /nonexistent.yaml", "/nonexistent.yaml", 1 },
	{ "show status -s /nonexistent", "no daemon answers at /nonexistent", 3 },
	{ "health -s /nonexistent", "WEIR UNKNOWN - no daemon answers", 3 },
};

static void every_command_in_text_and_json(void **state)
{
	char line[512];
	json_t *o;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(weirctl(cases[i].line), cases[i].rc);
		if (!strstr(out_text, cases[i].text) && !strstr(err_text, cases[i].text))
			fail_msg("%s: no \"%s\" in\n%s%s", cases[i].line, cases[i].text, out_text, err_text);
		assert_null(strchr(out_text, '\033'));
		/* An error at parsing comes before --json is seen, unless that stands first. */
		snprintf(line, sizeof(line), "--json %s", cases[i].line);
		assert_int_equal(weirctl(line), cases[i].rc);
		assert_string_equal(err_text, "");
		o = json_out();
		if (cases[i].rc && strncmp(cases[i].line, "health", 6) && strncmp(cases[i].line, "check", 5))
			assert_true(json_is_string(json_object_get(json_object_get(o, "error"), "message")));
		json_decref(o);
	}
}

/* The name of a file is any bytes; what is wrong with it is told all the same. */
static void file_of_any_name(void **state)
{
	char line[128], name[96];
	FILE *f;
	json_t *o;

	snprintf(name, sizeof(name), "%s/\xff.yaml", fake.dir);
	f = fopen(name, "w");
	assert_non_null(f);
	fputs("node: a\n", f);
	fclose(f);
	snprintf(line, sizeof(line), "--json check %s", name);
	assert_int_equal(weirctl(line), 1);
	unlink(name);
	o = json_out();
	assert_true(json_is_null(json_object_get(o, "file")));
	assert_int_equal(json_array_size(json_object_get(o, "messages")), 3);
	json_decref(o);
}

static double number_at(json_t *o, const char *key)
{
	assert_true(json_is_number(json_object_get(o, key)));
	return json_number_value(json_object_get(o, key));
}

static void json_of_a_gateway(void **state)
{
	json_t *o, *g;

	assert_int_equal(weirctl("show gateways -j east"), 0);
	o = json_out();
	g = json_array_get(json_object_get(o, "gateways"), 0);
	assert_string_equal(json_string_value(json_object_get(g, "name")), "gw1");
	assert_true(number_at(g, "max_cps") == 100 && number_at(g, "new_calls") == 2 &&
		    number_at(g, "share") == 1);
	assert_true(number_at(json_object_get(g, "probe"), "rtt_ms") == 1.24);
	assert_true(number_at(json_object_get(g, "responses"), "2xx") == 1);
	g = json_array_get(json_object_get(o, "gateways"), 1);
	assert_true(json_is_null(json_object_get(g, "max_cps")));
	assert_true(number_at(g, "share") == 0);
	assert_true(json_is_null(json_object_get(g, "max_calls")) && number_at(g, "calls") == 0);
	json_decref(o);
	assert_int_equal(weirctl("show gateways -j west"), 0);
	o = json_out();
	assert_int_equal(json_array_size(json_object_get(o, "gateways")), MANY);
	assert_null(json_object_get(o, "next"));
	json_decref(o);
}

static void drain_and_ready(void **state)
{
	assert_int_equal(weirctl("drain gw1"), 0);
	assert_string_equal(out_text, "gw1 of pool east: up, drained: no new calls\n");
	assert_int_equal(weirctl("show gateway gw1"), 0);
	assert_non_null(strstr(out_text, "drained by the operator"));
	assert_int_equal(weirctl("health"), 2); /* gw2 down, gw1 and gw3 drained */
	assert_non_null(strstr(out_text, "pool east has no gateway for new calls"));
	assert_int_equal(weirctl("ready gw1"), 0);
	assert_int_equal(weirctl("ready gw1"), 1);
	assert_int_equal(weirctl("health"), 1);
}

/* What was set is in force, marked, and can be taken back. */
static void set_and_take_back(void **state)
{
	json_t *o;

	assert_int_equal(weirctl("set gw1 weight 0"), 0);
	assert_string_equal(out_text, "gw1: weight 0 (file: 10) max-cps 100 max-calls none\n");
	assert_int_equal(weirctl("show gateways east"), 0);
	assert_non_null(strstr(out_text, " 0* "));
	assert_non_null(strstr(out_text, "* set since the start"));
	assert_int_equal(weirctl("hash abc"), 0); /* of the pool's tier 1 only gw2 has weight now */
	assert_non_null(strstr(out_text, "gw2"));
	assert_int_equal(weirctl("health"), 2); /* which is down, and gw3 is drained */
	assert_non_null(strstr(out_text, "pool east has no gateway for new calls"));
	assert_int_equal(weirctl("set gw1 max-cps none"), 0);
	assert_int_equal(weirctl("set gw1 max-calls 7"), 0);
	assert_string_equal(out_text, "gw1: weight 0 (file: 10) max-cps none (file: 100) max-calls 7 (file: "
				      "none)\n");
	assert_int_equal(weirctl("--json show gateway gw1"), 0);
	o = json_out();
	assert_true(number_at(json_object_get(o, "config"), "max-cps") == 100);
	json_decref(o);
	assert_int_equal(weirctl("show gateway gw1"), 0);
	assert_non_null(strstr(out_text, "weight 0*)"));
	assert_non_null(strstr(out_text, "new calls/s, no limit*\n"));
	assert_non_null(strstr(out_text, "in use, of 7*\n"));
	assert_non_null(strstr(out_text, "* set since the start"));
	assert_int_equal(weirctl("set gw2 weight 0"), 0);
	assert_int_equal(weirctl("set gw3 weight 0"), 1);
	assert_non_null(strstr(err_text, "pool east would have none left"));
	assert_int_equal(weirctl("set gw2 weight config"), 0);
	assert_int_equal(weirctl("set gw1 weight config"), 0);
	assert_int_equal(weirctl("set gw1 max-cps config"), 0);
	assert_int_equal(weirctl("set gw1 max-calls config"), 0);
	assert_string_equal(out_text, "gw1: weight 10 max-cps 100 max-calls none\n");
	assert_int_equal(weirctl("set carrier max-cps 9/s"), 0);
	assert_string_equal(out_text, "carrier: max-cps 9 (file: 50) max-calls none\n");
	assert_int_equal(weirctl("set carrier max-cps config"), 0);
	assert_int_equal(weirctl("events"), 0);
	assert_non_null(strstr(out_text, "gateway gw1: max-calls 7 by uid "));
}

static void node_drains(void **state)
{
	assert_int_equal(weirctl("drain node 30"), 0);
	assert_string_equal(out_text, "node lb1: drained: 503 to new calls, emergency calls excepted\n");
	assert_int_equal(weirctl("show status"), 0);
	assert_non_null(strstr(out_text, "serving, drained by the operator"));
	assert_int_equal(weirctl("drain node --wait --within 0.1"), 4);
	assert_non_null(strstr(err_text, "node: 1 calls left"));
	assert_int_equal(weirctl("events"), 0);
	assert_non_null(strstr(out_text, "Retry-After 30 s"));
	assert_int_equal(weirctl("ready node"), 0);
	assert_string_equal(out_text, "node lb1: ready for new calls\n");
}

static void waiting_ends(void **state)
{
	assert_int_equal(weirctl("maint gw3 --wait"), 0);
	assert_string_equal(out_text, "gw3 of pool east: up, under maintenance: no new calls, no probes\n"
				      "gw3: 0 calls left, about 0s\n");
	assert_int_equal(weirctl("drain gw3 --wait"), 0);
	assert_int_equal(weirctl("drain gw3 --wait"), 0); /* is drained already: no reason not to wait */
	assert_int_equal(weirctl("drain gw1 --wait --within 0.1"), 4);
	assert_non_null(
		strstr(out_text, "gw1: 1 calls left, about 1m00s\n")); /* as long as those before it */
	assert_non_null(strstr(err_text, "gw1: 1 calls left"));
	assert_int_equal(weirctl("ready gw1"), 0);
}

static void calls_are_seen(void **state)
{
	json_t *o, *c;

	assert_int_equal(weirctl("--json show calls gw1"), 0);
	o = json_out();
	c = json_array_get(json_object_get(o, "calls"), 0);
	assert_true(number_at(o, "total") == 1 && number_at(c, "dialogs") == 0 &&
		    number_at(c, "counted") == 1);
	assert_string_equal(json_string_value(json_object_get(c, "peer")), "carrier");
	assert_string_equal(json_string_value(json_object_get(c, "to")), "gw1");
	assert_string_equal(json_string_value(json_object_get(c, "state")), "setup");
	assert_true(json_is_null(json_object_get(c, "from")));
	json_decref(o);
	assert_int_equal(weirctl("--json audit"), 0);
	o = json_out();
	assert_true(json_is_true(json_object_get(o, "holds")));
	c = json_array_get(json_object_get(o, "gateways"), 0);
	assert_true(number_at(c, "counted") == 1 && number_at(c, "entries") == 1 &&
		    number_at(c, "difference") == 0);
	c = json_array_get(json_object_get(o, "peers"), 0);
	assert_string_equal(json_string_value(json_object_get(c, "name")), "carrier");
	c = json_array_get(json_object_get(o, "open"), 0);
	assert_string_equal(json_string_value(json_object_get(c, "name")), "gw1");
	assert_true(number_at(c, "counted") == 1 && number_at(c, "entries") == 1 &&
		    number_at(c, "difference") == 0);
	json_decref(o);
}

/* What counts and nobody waits for is a difference, by name, and the exit code says so. */
static void audit_that_does_not_add_up(void **state)
{
	struct fake wrong = { .drift = true };
	json_t *o, *c;

	fake_start(&wrong, 1);
	assert_int_equal(run_weirctl(&wrong, "--json audit", &out_text, &err_text), 1);
	o = json_out();
	assert_true(json_is_false(json_object_get(o, "holds")) && number_at(o, "wrong") == 1);
	c = json_array_get(json_object_get(o, "open"), 0);
	assert_string_equal(json_string_value(json_object_get(c, "name")), "gw1");
	assert_true(number_at(c, "counted") == 2 && number_at(c, "entries") == 1 &&
		    number_at(c, "difference") == 1);
	json_decref(o);
	assert_int_equal(run_weirctl(&wrong, "audit", &out_text, &err_text), 1);
	assert_non_null(strstr(out_text, "NOT those that are known"));
	fake_stop(&wrong);
}

static void events_are_kept(void **state)
{
	const json_t *e;
	json_t *o, *list;
	size_t n;

	assert_int_equal(weirctl("drain gw1"), 0);
	assert_int_equal(weirctl("ready gw1"), 0);
	assert_int_equal(weirctl("events"), 0);
	assert_non_null(strstr(out_text, "gateway-drain             gateway gw1: DRAIN by uid "));
	assert_int_equal(weirctl("--json events"), 0);
	o = json_out();
	list = json_object_get(o, "events");
	n = json_array_size(list);
	assert_true(n >= 2 && number_at(o, "last") == (double)n);
	e = json_array_get(list, n - 1);
	assert_string_equal(json_string_value(json_object_get(e, "kind")), "gateway-ready");
	assert_string_equal(json_string_value(json_object_get(e, "subject")), "gw1");
	json_decref(o);
}

/* The number that a route matches, as JSON says it; fails unless it is a text. */
static const char *number_of_route(const json_t *routes, size_t i)
{
	const json_t *match = json_object_get(json_array_get(routes, i), "match");

	assert_true(json_is_string(json_object_get(match, "number")));
	return json_string_value(json_object_get(match, "number"));
}

/* What show config prints loads again, and says the same as JSON. */
static void config_loads_again(void **state)
{
	struct conf_report report = { 0 };
	struct conf *conf = NULL;
	json_t *o, *gw1, *routes;
	const char *yaml;

	assert_int_equal(weirctl("--json show config"), 0);
	o = json_out();
	yaml = json_string_value(json_object_get(o, "yaml"));
	assert_int_equal(conf_load_text("again.yaml", yaml, strlen(yaml), &conf, &report), 0);
	assert_int_equal(conf->n_pools, 2);
	gw1 = json_object_get(json_object_get(o, "config"), "pools");
	gw1 = json_object_get(json_object_get(json_object_get(gw1, "east"), "gateways"), "gw1");
	assert_string_equal(json_string_value(json_object_get(gw1, "address")), "192.0.2.21:5060");
	assert_true(number_at(gw1, "weight") == 10);
	routes = json_object_get(json_object_get(o, "config"), "routes");
	assert_string_equal(number_of_route(routes, 0), "+0");
	assert_string_equal(number_of_route(routes, 1), "0800");
	json_decref(o);
	conf_free(conf);
	conf_report_free(&report);
}

static void collect(void *arg, const char *text)
{
	strcat(arg, text);
	strcat(arg, " ");
}

static void names_complete(void **state)
{
	struct cli cli = { .socket = fake.socket };
	char got[512] = "";

	cli_complete(&cli, "drain gw", 8, collect, got);
	assert_string_equal(got, "gw1 gw2 gw3 ");
	got[0] = '\0';
	cli_complete(&cli, "show gateways e", 15, collect, got);
	assert_string_equal(got, "east ");
}

static int set_up(void **state)
{
	fake_start(&fake, MANY);
	return 0;
}

static int tear_down(void **state)
{
	bool alive = fake_stop(&fake);

	free(out_text);
	free(err_text);
	/* It ran until told to stop, and took its socket with it. */
	return alive && access(fake.socket, F_OK) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_in_text_and_json),
		cmocka_unit_test(file_of_any_name),
		cmocka_unit_test(json_of_a_gateway),
		cmocka_unit_test(drain_and_ready),
		cmocka_unit_test(set_and_take_back),
		cmocka_unit_test(waiting_ends),
		cmocka_unit_test(node_drains),
		cmocka_unit_test(calls_are_seen),
		cmocka_unit_test(audit_that_does_not_add_up),
		cmocka_unit_test(events_are_kept),
		cmocka_unit_test(config_loads_again),
		cmocka_unit_test(names_complete),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
