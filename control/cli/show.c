/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools, gateways and peers for people. Reads what control/sight.c writes; a key that is missing shows as
 * nothing, so that weirctl and daemon of different versions still talk.
 */
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/table.h"
#include "control/cli/value.h"

static enum tint state_tint(const char *state)
{
	static const struct {
		const char *state;
		enum tint tint;
	} tints[] = { { "up", TINT_GOOD },      { "running", TINT_GOOD },  { "drain", TINT_WARN },
		      { "partial", TINT_WARN }, { "full", TINT_WARN },     { "down", TINT_BAD },
		      { "stuck", TINT_BAD },    { "maint", TINT_WARN },    { "saturated", TINT_WARN },
		      { "probing", TINT_WARN }, { "slowstart", TINT_WARN } };

	for (size_t i = 0; i < sizeof(tints) / sizeof(tints[0]); i++)
		if (!strcmp(state, tints[i].state))
			return tints[i].tint;
	return TINT_NONE;
}

void show_state(struct table *t, const char *state)
{
	table_cell(t, state_tint(state), "%s", state);
}

/* "*" if the operator has set it since the start. */
static const char *mark(const json_t *o, const char *key)
{
	return json_object_get(json_object_get(o, "config"), key) ? "*" : "";
}

/* A limit, or that there is none; name: of the key in the config. */
static void show_limit(struct table *t, const json_t *o, const char *key, const char *name)
{
	const json_t *limit = json_object_get(o, key);

	if (json_is_integer(limit))
		table_cell(t, TINT_NONE, "%" JSON_INTEGER_FORMAT "%s", json_integer_value(limit),
			   mark(o, name));
	else
		table_cell(t, TINT_NONE, "none%s", mark(o, name));
}

static const char marks_mean[] = "* set since the start; show config and the file differ\n";

/* What the marks of a list mean, if there are any. */
static void explain_marks(struct cli *cli, const json_t *list)
{
	const json_t *o;
	size_t i;

	json_array_foreach(list, i, o) if (json_object_get(o, "config"))
	{
		fputs(marks_mean, cli->out);
		return;
	}
}

/* "1.24 ms 200", "timeout", or why there is nothing to say. */
static void show_probe(struct table *t, const json_t *probe, bool probed)
{
	const char *result = text_of(probe, "result");
	char ms[FIGURE];

	if (!probed)
		table_cell(t, TINT_NONE, "off");
	else if (!strcmp(result, "answered"))
		table_cell(t, TINT_NONE, "%s %d", figure_ms(ms, number_of(probe, "rtt_ms")),
			   (int)number_of(probe, "status"));
	else
		table_cell(t, *result && strcmp(result, "waiting") ? TINT_BAD : TINT_NONE, "%s",
			   *result ? result : "-");
}

/* Load in yellow from 95 % of the limit. */
static void show_cps(struct table *t, const json_t *o)
{
	const json_t *max = json_object_get(o, "max_cps");
	double cps = number_of(o, "cps");
	char rate[FIGURE];

	table_cell(t, json_is_integer(max) && cps > 0.95 * json_number_value(max) ? TINT_WARN : TINT_NONE,
		   "%s", figure_rate(rate, cps));
	show_limit(t, o, "max_cps", "max-cps");
}

/* Calls in use, those from before the start apart, and the limit: in yellow when that is reached. */
static void show_calls(struct table *t, const json_t *o)
{
	const json_t *max = json_object_get(o, "max_calls");
	json_int_t calls = json_integer_value(json_object_get(o, "calls"));
	json_int_t before = json_integer_value(json_object_get(o, "survivors"));
	bool full = json_is_integer(max) && calls + before >= json_integer_value(max);

	if (before)
		table_cell(t, full ? TINT_WARN : TINT_NONE, "%" JSON_INTEGER_FORMAT "+%" JSON_INTEGER_FORMAT,
			   calls, before);
	else
		table_cell(t, full ? TINT_WARN : TINT_NONE, "%" JSON_INTEGER_FORMAT, calls);
	show_limit(t, o, "max_calls", "max-calls");
}

int cli_show_pools(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = { { "POOL" },
						 { "STATE" },
						 { "UP", true },
						 { "READY", true },
						 { "OF", true },
						 { "TIER", true },
						 { "CPS", true },
						 { "MAX-CPS", true },
						 { "CALLS", true },
						 { "MAX-CALLS", true },
						 { 0 } };
	struct table *t = table_new(columns);
	const json_t *pool, *tier;
	size_t i;

	json_array_foreach(json_object_get(result, "pools"), i, pool)
	{
		tier = json_object_get(pool, "tier");
		table_cell(t, TINT_NONE, "%s", text_of(pool, "name"));
		show_state(t, text_of(pool, "state"));
		show_integer(t, pool, "up");
		show_integer(t, pool, "ready");
		show_integer(t, pool, "gateways");
		if (json_is_integer(tier))
			show_integer(t, pool, "tier");
		else
			table_cell(t, TINT_BAD, "-");
		show_cps(t, pool);
		show_calls(t, pool);
	}
	table_print(t, cli->out, cli->color);
	table_free(t);
	return CLI_DONE;
}

/* Out of work by the operator. */
static bool is_drained(const json_t *g)
{
	return !strcmp(text_of(g, "admin"), "drain") || !strcmp(text_of(g, "admin"), "maint");
}

/* What the operator's word means, for a sentence. */
static const char *admin_says(const json_t *g)
{
	const char *admin = text_of(g, "admin");

	return !strcmp(admin, "drain")   ? "drained: no new calls"
	       : !strcmp(admin, "maint") ? "under maintenance: no new calls, no probes"
					 : "ready for new calls";
}

static void gateway_row(struct table *t, const json_t *g)
{
	static const char *const classes[] = { "1xx", "2xx", "3xx", "4xx", "5xx", "6xx" };
	char share[FIGURE], age[FIGURE];

	table_cell(t, TINT_NONE, "%s", text_of(g, "name"));
	table_cell(t, TINT_NONE, "%s", text_of(g, "pool"));
	if (!strcmp(text_of(g, "state"), "down") && is_drained(g))
		table_cell(t, TINT_BAD, "down, drain");
	else
		show_state(t, text_of(g, "state"));
	table_cell(t, TINT_NONE, "%s", figure_age(age, number_of(g, "since_s")));
	show_integer(t, g, "tier");
	table_cell(t, TINT_NONE, "%d%s", (int)number_of(g, "weight"), mark(g, "weight"));
	table_cell(t, TINT_NONE, "%s", figure_percent(share, number_of(g, "share")));
	show_cps(t, g);
	show_calls(t, g);
	show_integer(t, g, "new_calls");
	for (size_t c = 0; c < sizeof(classes) / sizeof(classes[0]); c++)
		show_integer(t, json_object_get(g, "responses"), classes[c]);
	show_probe(t, json_object_get(g, "probe"), json_is_true(json_object_get(g, "probed")));
	table_cell(t, TINT_NONE, "%s", text_of(g, "address"));
}

int cli_show_gateways(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = { { "GATEWAY" },
						 { "POOL" },
						 { "STATE" },
						 { "FOR", true },
						 { "TIER", true },
						 { "WEIGHT", true },
						 { "SHARE", true },
						 { "CPS", true },
						 { "MAX-CPS", true },
						 { "CALLS", true },
						 { "MAX-CALLS", true },
						 { "NEW", true },
						 { "1XX", true },
						 { "2XX", true },
						 { "3XX", true },
						 { "4XX", true },
						 { "5XX", true },
						 { "6XX", true },
						 { "PROBE", true },
						 { "ADDRESS" },
						 { 0 } };
	const json_t *list = json_object_get(result, "gateways"), *g;
	struct table *t = table_new(columns);
	size_t i, down = 0, drained = 0;

	json_array_foreach(list, i, g)
	{
		gateway_row(t, g);
		down += !strcmp(text_of(g, "health"), "down");
		drained += is_drained(g);
	}
	table_print(t, cli->out, cli->color);
	fprintf(cli->out, "%zu gateways, %zu up, %zu down, %zu drained\n", json_array_size(list),
		json_array_size(list) - down, down, drained);
	explain_marks(cli, list);
	table_free(t);
	return CLI_DONE;
}

static void gateway_probes(struct cli *cli, const json_t *probes)
{
	static const struct column columns[] = {
		{ "  PROBE", true }, { "RESULT" }, { "STATUS", true }, { "RTT", true }, { 0 }
	};
	struct table *t = table_new(columns);
	char age[FIGURE], ms[FIGURE];
	const json_t *p;
	size_t i;

	json_array_foreach(probes, i, p)
	{
		bool answered = !strcmp(text_of(p, "result"), "answered");

		table_cell(t, TINT_NONE, "%s ago", figure_age(age, number_of(p, "age_s")));
		table_cell(t, answered ? TINT_GOOD : TINT_NONE, "%s", text_of(p, "result"));
		if (answered) {
			show_integer(t, p, "status");
			table_cell(t, TINT_NONE, "%s", figure_ms(ms, number_of(p, "rtt_ms")));
		} else {
			table_cell(t, TINT_NONE, "-");
			table_cell(t, TINT_NONE, "-");
		}
	}
	table_print(t, cli->out, cli->color);
	table_free(t);
}

static void show_calls_line(struct cli *cli, const json_t *g)
{
	const json_t *max = json_object_get(g, "max_calls");

	fprintf(cli->out, "  calls      %.0f in use", number_of(g, "calls"));
	if (number_of(g, "survivors") > 0)
		fprintf(cli->out, " and up to %.0f from before the start", number_of(g, "survivors"));
	if (json_is_integer(max))
		fprintf(cli->out, ", of %d%s\n", (int)json_integer_value(max), mark(g, "max-calls"));
	else
		fprintf(cli->out, ", no limit%s\n", mark(g, "max-calls"));
}

int cli_show_gateway(struct cli *cli, const json_t *g)
{
	const json_t *max = json_object_get(g, "max_cps"), *rt = json_object_get(g, "response_time");
	const json_t *r = json_object_get(g, "responses"), *skipped = json_object_get(g, "skipped");
	const char *state = text_of(g, "state");
	char a[FIGURE], b[FIGURE];

	fprintf(cli->out, "%s of pool %s at %s by %s: ", text_of(g, "name"), text_of(g, "pool"),
		text_of(g, "address"), text_of(g, "listener"));
	tinted(cli->out, cli->color, state_tint(state), state);
	fprintf(cli->out, " for %s%s\n", figure_age(a, number_of(g, "since_s")),
		!is_drained(g)                          ? ""
		: !strcmp(text_of(g, "admin"), "drain") ? ", drained by the operator"
							: ", under maintenance by the operator");
	fprintf(cli->out, "  health     %s: %s\n", text_of(g, "health"), text_of(g, "why"));
	fprintf(cli->out, "  share      %s of the pool's new calls (tier %d, weight %d%s)\n",
		figure_percent(a, number_of(g, "share")), (int)number_of(g, "tier"),
		(int)number_of(g, "weight"), mark(g, "weight"));
	if (json_is_integer(max))
		fprintf(cli->out, "  load       %s new calls/s of %d/s%s\n",
			figure_rate(a, number_of(g, "cps")), (int)json_integer_value(max),
			mark(g, "max-cps"));
	else
		fprintf(cli->out, "  load       %s new calls/s, no limit%s\n",
			figure_rate(a, number_of(g, "cps")), mark(g, "max-cps"));
	show_calls_line(cli, g);
	fprintf(cli->out, "  requests   %.0f to it (%.0f new calls), %.0f from it\n",
		number_of(g, "requests"), number_of(g, "new_calls"), number_of(g, "requests_from"));
	fprintf(cli->out, "  responses  1xx %.0f, 2xx %.0f, 3xx %.0f, 4xx %.0f, 5xx %.0f, 6xx %.0f\n",
		number_of(r, "1xx"), number_of(r, "2xx"), number_of(r, "3xx"), number_of(r, "4xx"),
		number_of(r, "5xx"), number_of(r, "6xx"));
	if (number_of(rt, "count") > 0)
		fprintf(cli->out, "  answers in %s median, %s 99th percentile\n",
			figure_ms(a, number_of(rt, "p50_ms")), figure_ms(b, number_of(rt, "p99_ms")));
	fprintf(cli->out,
		"  passed by  %.0f times at its max-cps, %.0f at its max-calls, %.0f down or drained\n",
		number_of(skipped, "max_cps"), number_of(skipped, "max_calls"), number_of(skipped, "state"));
	if (json_is_true(json_object_get(g, "probed")))
		gateway_probes(cli, json_object_get(g, "probes"));
	else
		fputs("  probes     off\n", cli->out);
	if (json_object_get(g, "config"))
		fputs(marks_mean, cli->out);
	return CLI_DONE;
}

static void print_limit(struct cli *cli, const json_t *limit)
{
	if (json_is_integer(limit))
		fprintf(cli->out, "%" JSON_INTEGER_FORMAT, json_integer_value(limit));
	else
		fputs("none", cli->out);
}

int cli_show_change(struct cli *cli, const json_t *g)
{
	fprintf(cli->out, "%s of pool %s: %s, %s\n", text_of(g, "name"), text_of(g, "pool"),
		text_of(g, "health"), admin_says(g));
	return CLI_DONE;
}

/* What is in force now, and what the file says where that is something else. */
int cli_show_set(struct cli *cli, const json_t *o)
{
	static const char *const keys[][2] = { { "weight", "weight" },
					       { "max_cps", "max-cps" },
					       { "max_calls", "max-calls" } };
	const json_t *file = json_object_get(o, "config"), *v, *was;

	fprintf(cli->out, "%s:", text_of(o, "name"));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		v = json_object_get(o, keys[i][0]);
		was = json_object_get(file, keys[i][1]);
		if (!v)
			continue;
		fprintf(cli->out, " %s ", keys[i][1]);
		print_limit(cli, v);
		if (was) {
			fputs(" (file: ", cli->out);
			print_limit(cli, was);
			fputc(')', cli->out);
		}
	}
	fputc('\n', cli->out);
	return CLI_DONE;
}

int cli_show_hash(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = { { "POOL" }, { "GATEWAY" }, { "STATE" }, { 0 } };
	struct table *t = table_new(columns);
	const json_t *pool;
	size_t i;

	json_array_foreach(json_object_get(result, "pools"), i, pool)
	{

		table_cell(t, TINT_NONE, "%s", text_of(pool, "pool"));
		table_cell(t, TINT_NONE, "%s", *text_of(pool, "gateway") ? text_of(pool, "gateway") : "none");
		show_state(t, is_drained(pool) && strcmp(text_of(pool, "health"), "down")
				      ? text_of(pool, "admin")
				      : text_of(pool, "health"));
	}
	table_print(t, cli->out, cli->color);
	table_free(t);
	return CLI_DONE;
}

int cli_show_peers(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = { { "PEER" },
						 { "MAX-CPS", true },
						 { "CALLS", true },
						 { "MAX-CALLS", true },
						 { "REQUESTS", true },
						 { "REFUSED", true },
						 { "OVER-SHARE", true },
						 { "LIMITED", true },
						 { "SHARE", true },
						 { "WHEN-FULL" },
						 { "FROM" },
						 { 0 } };
	struct table *t = table_new(columns);
	char from[256];
	json_t *peer;
	size_t i;

	json_array_foreach(json_object_get(result, "peers"), i, peer)
	{
		table_cell(t, TINT_NONE, "%s", text_of(peer, "name"));
		show_limit(t, peer, "max_cps", "max-cps");
		show_calls(t, peer);
		show_integer(t, peer, "requests");
		show_integer(t, peer, "refused");
		show_integer(t, peer, "over_share");
		show_integer(t, peer, "limited");
		show_integer(t, peer, "share");
		table_cell(t, TINT_NONE, "%s", text_of(peer, "answer_when_full"));
		table_cell(t, TINT_NONE, "%s", joined(json_object_get(peer, "from"), from, sizeof(from)));
	}
	table_print(t, cli->out, cli->color);
	explain_marks(cli, json_object_get(result, "peers"));
	table_free(t);
	return CLI_DONE;
}
