/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The node for people: status, workers, ports, drops, config, health. Reads what control/sight.c writes.
 */
#include <string.h>

#include "control/cli/cli.h"
#include "control/cli/table.h"
#include "control/cli/value.h"

int cli_show_status(struct cli *cli, const json_t *s)
{
	const json_t *ends = json_object_get(s, "ends"), *l;
	bool serving = json_is_true(json_object_get(s, "serving"));
	char age[FIGURE];
	size_t i;

	fprintf(cli->out, "node       %s, ", text_of(s, "node"));
	tinted(cli->out, cli->color, serving ? TINT_GOOD : TINT_BAD, serving ? "serving" : "not serving");
	if (json_is_true(json_object_get(s, "draining")))
		tinted(cli->out, cli->color, TINT_WARN, ", drained by the operator");
	fprintf(cli->out, ", up %s since %s\n", figure_age(age, number_of(s, "uptime_s")),
		text_of(s, "started"));
	fprintf(cli->out, "version    %s with DPDK %s, pid %.0f\n", text_of(s, "version"), text_of(s, "dpdk"),
		number_of(s, "pid"));
	fprintf(cli->out, "config     %s\n", text_of(s, "config"));
	fprintf(cli->out, "gateways   %.0f of %.0f up, %.0f for new calls; pools: %.0f\n",
		number_of(s, "gateways_up"), number_of(s, "gateways"), number_of(s, "gateways_ready"),
		number_of(s, "pools"));
	fprintf(cli->out, "workers    %.0f; ports: %.0f\n", number_of(s, "workers"), number_of(s, "ports"));
	json_array_foreach(json_object_get(s, "listeners"), i, l)
	{
		fprintf(cli->out, "listener   %s %s on port %s", text_of(l, "name"), text_of(l, "address"),
			text_of(l, "port"));
		if (*text_of(l, "advertise"))
			fprintf(cli->out, ", known as %s", text_of(l, "advertise"));
		fputc('\n', cli->out);
	}
	fprintf(cli->out,
		"messages   %.0f received; %.0f forwarded, %.0f answered, %.0f absorbed, %.0f dropped\n",
		number_of(s, "sip_datagrams"), number_of(ends, "forward"), number_of(ends, "reply"),
		number_of(ends, "absorb"), number_of(ends, "drop"));
	return CLI_DONE;
}

int cli_show_node_change(struct cli *cli, const json_t *s)
{
	bool drained = json_is_true(json_object_get(s, "draining"));

	fprintf(cli->out, "node %s: %s\n", text_of(s, "node"),
		drained ? "drained: 503 to new calls, emergency calls excepted" : "ready for new calls");
	return CLI_DONE;
}

/* Time that forwarded messages spent in Weir, if there were any. */
static void show_held(struct table *t, double us)
{
	char text[FIGURE];

	table_cell(t, TINT_NONE, "%s", us > 0 ? figure_ms(text, us / 1000) : "-");
}

int cli_show_workers(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = { { "WORKER", true },
						 { "CORE", true },
						 { "NUMA", true },
						 { "STATE" },
						 { "BUSY", true },
						 { "MSG/s", true },
						 { "MESSAGES", true },
						 { "RX-FRAMES", true },
						 { "TX-FRAMES", true },
						 { "HANDED-OUT", true },
						 { "HANDED-IN", true },
						 { "INBOX", true },
						 { "BUFFERS-FREE", true },
						 { "CALLS", true },
						 { "SET-UPS", true },
						 { "KEPT", true },
						 { "HELD-P50", true },
						 { "HELD-P99", true },
						 { 0 } };
	struct table *t = table_new(columns);
	char text[FIGURE];
	const json_t *w;
	size_t i;

	json_array_foreach(json_object_get(result, "workers"), i, w)
	{
		show_integer(t, w, "worker");
		show_integer(t, w, "core");
		show_integer(t, w, "numa");
		show_state(t, text_of(w, "state"));
		table_cell(t, TINT_NONE, "%s", figure_percent(text, number_of(w, "busy")));
		table_cell(t, TINT_NONE, "%s", figure_rate(text, number_of(w, "messages_per_s")));
		show_integer(t, w, "messages");
		show_integer(t, w, "rx_frames");
		show_integer(t, w, "tx_frames");
		show_integer(t, w, "handed_out");
		show_integer(t, w, "handed_in");
		show_integer(t, w, "inbox");
		show_integer(t, w, "buffers_free");
		show_integer(t, w, "calls");
		show_integer(t, w, "setups");
		show_integer(t, w, "kept");
		show_held(t, number_of(w, "forward_p50_us"));
		show_held(t, number_of(w, "forward_p99_us"));
	}
	table_print(t, cli->out, cli->color);
	table_free(t);
	return CLI_DONE;
}

int cli_show_ports(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = { { "PORT" },
						 { "LINK" },
						 { "TWIN" },
						 { "MAC" },
						 { "MTU", true },
						 { "RX", true },
						 { "RX-BYTES", true },
						 { "TX", true },
						 { "TX-BYTES", true },
						 { "MISSED", true },
						 { "ERRORS", true },
						 { "NO-BUFFER", true },
						 { "DEVICE" },
						 { "ADDRESSES" },
						 { 0 } };
	struct table *t = table_new(columns);
	char text[256];
	const json_t *p;
	size_t i;

	json_array_foreach(json_object_get(result, "ports"), i, p)
	{
		table_cell(t, TINT_NONE, "%s", text_of(p, "name"));
		show_state(t, text_of(p, "link"));
		table_cell(t, TINT_NONE, "%s", *text_of(p, "twin") ? text_of(p, "twin") : "none");
		table_cell(t, TINT_NONE, "%s", text_of(p, "mac"));
		show_integer(t, p, "mtu");
		show_integer(t, p, "rx_packets");
		table_cell(t, TINT_NONE, "%s", figure_bytes(text, number_of(p, "rx_bytes")));
		show_integer(t, p, "tx_packets");
		table_cell(t, TINT_NONE, "%s", figure_bytes(text, number_of(p, "tx_bytes")));
		show_integer(t, p, "rx_missed");
		table_cell(t, TINT_NONE, "%.0f", number_of(p, "rx_errors") + number_of(p, "tx_errors"));
		show_integer(t, p, "rx_nombuf");
		table_cell(t, TINT_NONE, "%s", text_of(p, "device"));
		table_cell(t, TINT_NONE, "%s", joined(json_object_get(p, "addresses"), text, sizeof(text)));
	}
	table_print(t, cli->out, cli->color);
	table_free(t);
	return CLI_DONE;
}

static void show_conserved(struct cli *cli, const json_t *verdict)
{
	const json_t *holds = json_object_get(verdict, "holds");

	if (json_is_true(holds))
		tinted(cli->out, cli->color, TINT_GOOD, "conserved: every message and frame has its one end");
	else if (json_is_false(holds))
		tinted(cli->out, cli->color, TINT_BAD, "NOT CONSERVED: ");
	else
		tinted(cli->out, cli->color, TINT_NONE, "not judged while traffic flows: ");
	fprintf(cli->out, "%s\n", text_of(verdict, "text"));
}

int cli_show_drops(struct cli *cli, const json_t *result)
{
	static const struct column columns[] = {
		{ "OUTCOME" }, { "REASON" }, { "COUNT", true }, { "WHAT" }, { 0 }
	};
	struct table *t = table_new(columns);
	size_t i, hidden = 0;
	const json_t *end;

	json_array_foreach(json_object_get(result, "ends"), i, end)
	{
		double count = number_of(end, "count");

		if (count == 0 && !cli->all) {
			hidden++;
			continue;
		}
		table_cell(t, TINT_NONE, "%s", text_of(end, "outcome"));
		table_cell(t, TINT_NONE, "%s", text_of(end, "reason"));
		table_cell(t, count > 0 && !strcmp(text_of(end, "outcome"), "drop") ? TINT_WARN : TINT_NONE,
			   "%.0f", count);
		table_cell(t, TINT_NONE, "%s", text_of(end, "help"));
	}
	table_print(t, cli->out, cli->color);
	table_free(t);
	if (hidden)
		fprintf(cli->out, "%zu more that never happened; --all shows them\n", hidden);
	show_conserved(cli, json_object_get(result, "conserved"));
	return CLI_DONE;
}

int cli_show_config(struct cli *cli, const json_t *result)
{
	fputs(text_of(result, "yaml"), cli->out);
	return CLI_DONE;
}

int cli_show_health(struct cli *cli, const json_t *result)
{
	static const struct {
		const char *health, *word;
	} words[] = { { "ok", "OK" }, { "warning", "WARNING" }, { "critical", "CRITICAL" } };
	const json_t *reason;
	size_t i, code = 0;

	while (code < 3 && strcmp(text_of(result, "health"), words[code].health))
		code++;
	if (cli->json) {
		cli_print_json(cli, result);
		return (int)code;
	}
	fprintf(cli->out, "WEIR %s - %s: %.0f of %.0f gateways up", code < 3 ? words[code].word : "UNKNOWN",
		text_of(result, "node"), number_of(result, "gateways_up"), number_of(result, "gateways"));
	json_array_foreach(json_object_get(result, "reasons"), i, reason)
	{
		/* One line is what a monitoring system shows. */
		if (i == 3) {
			fprintf(cli->out, "; and %zu more",
				json_array_size(json_object_get(result, "reasons")) - i);
			break;
		}
		fprintf(cli->out, "; %s", json_string_value(reason));
	}
	fprintf(cli->out, " | gateways=%.0f up=%.0f ready=%.0f\n", number_of(result, "gateways"),
		number_of(result, "gateways_up"), number_of(result, "gateways_ready"));
	return (int)code;
}
