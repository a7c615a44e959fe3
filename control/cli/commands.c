/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What weirctl understands: the table of commands and the table of options. Everything else follows from
 * them: parsing, help, completion, weirctl(1). A command is here only if it works.
 */
#include <stdlib.h>

#include "control/cli/cli.h"

static bool set_socket(struct cli *cli, const char *value)
{
	cli->socket = value;
	return *value != '\0';
}

static bool positive(const char *value, double max, double *out)
{
	char *end;

	*out = strtod(value, &end);
	return *value && !*end && *out > 0 && *out <= max;
}

static bool set_timeout(struct cli *cli, const char *value)
{
	return positive(value, 3600, &cli->timeout_s);
}

static bool set_watch(struct cli *cli, const char *value)
{
	return positive(value, 86400, &cli->watch_s);
}

static bool set_json(struct cli *cli, const char *value)
{
	cli->json = true;
	return true;
}

static bool set_all(struct cli *cli, const char *value)
{
	cli->all = true;
	return true;
}

static bool set_gateway(struct cli *cli, const char *value)
{
	cli->gateway = value;
	return *value != '\0';
}

static bool set_follow(struct cli *cli, const char *value)
{
	cli->follow = true;
	return true;
}

static bool set_wait(struct cli *cli, const char *value)
{
	cli->wait = true;
	return true;
}

static bool set_within(struct cli *cli, const char *value)
{
	return positive(value, 7 * 86400, &cli->within_s);
}

static bool set_no_color(struct cli *cli, const char *value)
{
	cli->color = false;
	return true;
}

static bool set_help(struct cli *cli, const char *value)
{
	cli->help = true;
	return true;
}

static bool set_version(struct cli *cli, const char *value)
{
	cli->version = true;
	return true;
}

const struct cli_option cli_options[] = {
	{ 's', "socket", "PATH", "control socket of the daemon; default " CLI_SOCKET " or $WEIR_SOCKET",
	  set_socket },
	{ 'j', "json", NULL, "print JSON: raw numbers, units in the keys, errors too", set_json },
	{ 'a', "all", NULL, "show drops: also what never happened", set_all },
	{ 'g', "gateway", "GATEWAY", "show calls: only those from or to it", set_gateway },
	{ 'f', "follow", NULL, "events: go on with those that come, until Ctrl-C", set_follow },
	{ 0, "wait", NULL, "drain, maint: return when the calls have ended", set_wait },
	{ 0, "within", "SECONDS", "with --wait: no longer than this; exit code 4 if calls are left",
	  set_within },
	{ 'w', "watch", "SECONDS", "repeat a show command or health this often", set_watch },
	{ 0, "timeout", "SECONDS", "how long to wait for the daemon; default 5", set_timeout },
	{ 0, "no-color", NULL, "no colours; they are off, too, with $NO_COLOR or when stdout is no terminal",
	  set_no_color },
	{ 'h', "help", NULL, "list commands and options", set_help },
	{ 'V', "version", NULL, "print the version", set_version },
	{ 0 },
};

const struct cli_command cli_commands[] = {
	{ .words = { "show", "status" },
	  .method = "show.status",
	  .help = "the node at a glance",
	  .show = cli_show_status },
	{ .words = { "show", "pools" },
	  .method = "show.pools",
	  .help = "pools, and how many of their gateways take calls",
	  .more = "TIER is the tier that new calls go to now. CPS is new calls per second over the last "
		  "three seconds, "
		  "MAX-CPS what the gateways that take calls may get together. CALLS is calls in use, "
		  "MAX-CALLS "
		  "what all gateways may have together.",
	  .show = cli_show_pools },
	{ .words = { "show", "gateways" },
	  .operands = { { CLI_ARG_POOL, "POOL", "pool", true } },
	  .method = "show.gateways",
	  .help = "gateways: state, share, load against limit, answers, probes",
	  .more = "SHARE is the part of the pool's new calls that the gateway gets now by its weight. CPS is "
		  "new calls per "
		  "second over the last three seconds. CALLS is calls in use; +N are those that may go on "
		  "from "
		  "before the start. NEW counts calls that were given to it. 1XX to 6XX count its responses "
		  "by class. PROBE is the "
		  "last health "
		  "probe: its round trip and status, or how it failed.",
	  .show = cli_show_gateways },
	{ .words = { "show", "gateway" },
	  .operands = { { CLI_ARG_GATEWAY, "GATEWAY", "gateway" } },
	  .method = "show.gateway",
	  .help = "one gateway with its last probes",
	  .show = cli_show_gateway },
	{ .words = { "show", "congestion" },
	  .operands = { { CLI_ARG_POOL, "POOL", "pool", true } },
	  .method = "show.congestion",
	  .help = "what each gateway may be given, why that moved last, and the signals behind it",
	  .more = "OPEN is INVITEs without a response other than 100, MOST how many of them the gateway may "
		  "have at once, RATE how many new calls per second; both are learned, or told by the "
		  "gateway. "
		  "SENT/s is INVITEs sent to it, DONE/s those that made progress or failed. RESPONSE is the "
		  "time to the first response, PROGRESS to the first other than 100, REFUSED the share of "
		  "calls refused with 503 and the like, REPEATED of INVITEs sent again: each with the "
		  "threshold from which it lowers the limit. ASKS is what the gateway asks for itself by "
		  "overload control. MOVED says what moved MOST last.",
	  .show = cli_show_congestion },
	{ .words = { "show", "peers" },
	  .method = "show.peers",
	  .help = "known sources of calls, and what was refused to them",
	  .show = cli_show_peers },
	{ .words = { "show", "calls" },
	  .operands = { { CLI_ARG_GATEWAY, "GATEWAY", "gateway", true } },
	  .method = "show.calls",
	  .help = "calls in use: age, state, between whom; the first 100, and how many there are",
	  .more = "FROM and TO are gateways, PEER is the peer that a call comes from. STATE setup has no "
		  "final "
		  "response yet; left is a place at a gateway that the search has left and that may still "
		  "bring "
		  "the call. SESSION is the time until a call without a refresh is taken for lost.",
	  .show = cli_show_calls },
	{ .words = { "show", "workers" },
	  .method = "show.workers",
	  .help = "poll-mode loops: load, messages, time in Weir",
	  .more = "BUSY is the part of the last three seconds in which the loop found work. HELD is the time "
		  "from the "
		  "burst that took a message to its transmission, median and 99th percentile. CALLS, SET-UPS "
		  "and KEPT "
		  "are entries in use of its tables.",
	  .show = cli_show_workers },
	{ .words = { "show", "ports" },
	  .method = "show.ports",
	  .help = "network ports: link, addresses, traffic, losses",
	  .show = cli_show_ports },
	{ .words = { "show", "drops" },
	  .method = "show.drops",
	  .help = "how messages ended, what was lost and why, and whether the sums fit",
	  .more = "Every message and frame ends in exactly one line. The last line says whether what came in "
		  "equals what "
		  "ended; while traffic flows a reading can be between two states and is then not judged.",
	  .show = cli_show_drops },
	{ .words = { "show", "config" },
	  .method = "show.config",
	  .help = "running configuration as YAML that loads again",
	  .show = cli_show_config },
	{ .words = { "audit" },
	  .method = "audit",
	  .help = "whether the calls that limits go by are those that are known; exit code 1 if not",
	  .more = "For each gateway and peer with calls: COUNTED is what its max-calls goes by, ENTRIES are "
		  "calls that are known, SURVIVORS those from before the start. Rows *open*: INVITEs without "
		  "a response but 100, as balance and learned limits count them, and as transactions wait "
		  "for one. What came and went during the reading is no difference.",
	  .show = cli_show_audit },
	{ .words = { "events" },
	  .help = "what happened: gateways up and down, drains, pools short and full, stuck workers, audits",
	  .more = "The last 1024 events since the start; --follow goes on with those that come. Method "
		  "*events*. "
		  "With --json --follow each line is one event.",
	  .run = cli_run_events },
	{ .words = { "drain", "node" },
	  .operands = { { CLI_ARG_TEXT, "SECONDS", "away_s", true } },
	  .method = "node.drain",
	  .help = "no new calls to this node: 503 with Retry-After; calls in progress go on",
	  .more = "OPTIONS of peers are answered 503, too, and /readyz says no, so that traffic goes "
		  "elsewhere. Emergency calls and calls of believed priority are still taken, up to "
		  "max-emergency; they stop when the gateways are drained or under maintenance. "
		  "SECONDS is how long the node will be away, told as Retry-After, 60 if left out. A gateway "
		  "that is called node cannot be drained by name.",
	  .waits = true,
	  .changes = true,
	  .show = cli_show_node_change },
	{ .words = { "drain" },
	  .operands = { { CLI_ARG_GATEWAY, "GATEWAY", "gateway" } },
	  .method = "gateway.drain",
	  .help = "give a gateway no new calls; the calls it has go on",
	  .more = "With --wait it returns when the last of them has ended, with --within after that time at "
		  "most. "
		  "The estimate shown comes from how long calls of this gateway have lasted so far.",
	  .waits = true,
	  .changes = true,
	  .show = cli_show_change },
	{ .words = { "maint" },
	  .operands = { { CLI_ARG_GATEWAY, "GATEWAY", "gateway" } },
	  .method = "gateway.maint",
	  .help = "the same for a gateway that is about to be switched off: no probes, and calls that it has "
		  "not answered go to another",
	  .waits = true,
	  .changes = true,
	  .show = cli_show_change },
	{ .words = { "ready", "node" },
	  .method = "node.ready",
	  .help = "new calls to this node again",
	  .changes = true,
	  .show = cli_show_node_change },
	{ .words = { "ready" },
	  .operands = { { CLI_ARG_GATEWAY, "GATEWAY", "gateway" } },
	  .method = "gateway.ready",
	  .help = "give a gateway new calls again",
	  .changes = true,
	  .show = cli_show_change },
	{ .words = { "set" },
	  .operands = { { CLI_ARG_GATEWAY, "NAME", "name" },
			{ CLI_ARG_SETTING, "weight|max-cps|max-calls", "key" },
			{ CLI_ARG_TEXT, "VALUE", "value" } },
	  .method = "set",
	  .help = "change a weight or a limit of a gateway, or a limit of a peer, until the next start",
	  .more = "VALUE is as in the config: 10, 200/s, 5k. none lifts a limit, config takes the change "
		  "back. "
		  "What "
		  "was set bears an asterisk in show gateways, show gateway and show peers.",
	  .changes = true,
	  .show = cli_show_set },
	{ .words = { "hash" },
	  .operands = { { CLI_ARG_TEXT, "CALL-ID", "call_id" } },
	  .method = "hash",
	  .help = "the gateway of each pool that a Call-ID is meant for",
	  .more = "The choice of the hash alone: a gateway that is down, drained or full is passed by when "
		  "the call comes.",
	  .show = cli_show_hash },
	{ .words = { "why" },
	  .operands = { { CLI_ARG_TEXT, "CALL-ID", "call_id" } },
	  .method = "why",
	  .help = "how a new request was decided: the gateways asked, what stopped each, who got it",
	  .more = "Each worker remembers its last 65536 new requests. Exit code 1 if nothing is known of the "
		  "Call-ID. A refusal without gateways: the pool was known to be full, or none had to be "
		  "asked.",
	  .show = cli_show_why },
	{ .words = { "health" },
	  .method = "health",
	  .help = "one line and exit code for monitoring (Nagios): 0 ok, 1 warning, 2 critical, 3 unknown",
	  .more = "Critical: Weir does not serve, a worker is stuck, or a pool has nobody for new calls. "
		  "Warning: a gateway "
		  "is down. Drained gateways are no fault.",
	  .show = cli_show_health },
	{ .words = { "check" },
	  .operands = { { CLI_ARG_FILE, "FILE", NULL } },
	  .help = "check a configuration file; needs no daemon and no privileges",
	  .more = "Prints every error of the file with line and column. Exit code 1 if there is one. weir "
		  "--check does the same "
		  "and prints the plan of cores, memory and ports.",
	  .run = cli_run_check },
	{ .words = { "help" },
	  .operands = { { CLI_ARG_TEXT, "COMMAND", NULL, true } },
	  .help = "list commands and options, or those that begin with COMMAND",
	  .run = cli_run_help },
	{ .words = { NULL } },
};
