/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables of counters.def and families.def as data, and docs/metrics.md from them. Constant, any thread.
 */
#include <errno.h>
#include <string.h>

#include "stats/tables.h"

const struct family st_families[ST_FAM_COUNT] = {
#define FAMILY(id, kind, scope, name, labels, help)                                                          \
	[ST_FAM_##id] = { KIND_##kind, SCOPE_##scope, name, labels, help },
#include "stats/families.def"
#undef FAMILY
};

static const struct st_info lane_rows[ST_COUNT] = {
#define END(id, out, why, text)                                                                              \
	[ST_##id] = { .name = #id,                                                                           \
		      .family = ST_FAM_ENDS,                                                                 \
		      .outcome = ST_OUT_##out,                                                               \
		      .reason = why,                                                                         \
		      .labels = "",                                                                          \
		      .help = text },
#define COUNTER(id, fam, lab, text)                                                                          \
	[ST_##id] = { .name = #id, .family = ST_FAM_##fam, .labels = lab, .help = text },
#include "stats/counters.def"
};

static const struct st_info gateway_rows[ST_GW_COUNT] = {
#define GATEWAY(id, fam, lab, text)                                                                          \
	[ST_GW_##id] = { .name = #id, .family = ST_FAM_##fam, .labels = lab, .help = text },
#include "stats/counters.def"
};

static const struct st_info peer_rows[ST_PEER_COUNT] = {
#define PEER(id, fam, lab, text)                                                                             \
	[ST_PEER_##id] = { .name = #id, .family = ST_FAM_##fam, .labels = lab, .help = text },
#include "stats/counters.def"
};

static const char *const outcome_names[ST_OUT_COUNT] = {
	[ST_OUT_FORWARD] = "forward", [ST_OUT_REPLY] = "reply",     [ST_OUT_SENT] = "sent",
	[ST_OUT_ABSORB] = "absorb",   [ST_OUT_CONTROL] = "control", [ST_OUT_TWIN] = "twin",
	[ST_OUT_DROP] = "drop",
};

static const char *const outcome_help[ST_OUT_COUNT] = {
	[ST_OUT_FORWARD] = "went on to its next hop",
	[ST_OUT_REPLY] = "request answered by Weir",
	[ST_OUT_SENT] = "came from the control thread or the kernel and was sent",
	[ST_OUT_ABSORB] = "done, nothing had to leave",
	[ST_OUT_CONTROL] = "given to the control thread",
	[ST_OUT_TWIN] = "given to the kernel",
	[ST_OUT_DROP] = "lost",
};

const struct st_info *st_info(unsigned int id)
{
	return &lane_rows[id];
}

const struct st_info *st_gateway_info(enum st_gateway_counter id)
{
	return &gateway_rows[id];
}

const struct st_info *st_peer_info(enum st_peer_counter id)
{
	return &peer_rows[id];
}

const char *st_outcome_name(enum st_outcome outcome)
{
	return outcome_names[outcome];
}

struct edges st_family_edges(enum st_family family)
{
	switch (family) {
	case ST_FAM_FORWARD_LATENCY: /* 3.8 us .. 15.6 ms */
		return (struct edges){ ST_HIST_TICK_BITS - 18, ST_HIST_TICK_BITS - 6 };
	case ST_FAM_GATEWAY_RESPONSE: /* 0.98 ms .. 32 s */
		return (struct edges){ ST_HIST_TICK_BITS - 10, ST_HIST_TICK_BITS + 5 };
	default:
		return (struct edges){ 0, 0 };
	}
}

static void print_families(FILE *out)
{
	static const char *const kinds[] = {
		[KIND_COUNTER] = "counter", [KIND_GAUGE] = "gauge", [KIND_HISTOGRAM] = "histogram"
	};

	fputs("| metric | type | labels | meaning |\n|---|---|---|---|\n", out);
	for (unsigned int f = 0; f < ST_FAM_COUNT; f++)
		fprintf(out, "| `%s` | %s | %s | %s |\n", st_families[f].name, kinds[st_families[f].kind],
			st_families[f].labels, st_families[f].help);
}

static void print_ends(FILE *out)
{
	fputs("| outcome | reason | meaning |\n|---|---|---|\n", out);
	for (unsigned int id = 0; id < ST_END_COUNT; id++)
		fprintf(out, "| `%s` | `%s` | %s |\n", outcome_names[lane_rows[id].outcome],
			lane_rows[id].reason, lane_rows[id].help);
}

static void print_outcomes(FILE *out)
{
	for (unsigned int i = 0; i < ST_OUT_COUNT; i++)
		fprintf(out, "- `%s`: %s\n", outcome_names[i], outcome_help[i]);
}

int st_metrics_markdown(FILE *out)
{
	fputs("<!-- Generated from stats/counters.def and stats/families.def by `ninja -C build docs`. Do "
	      "not edit. -->\n"
	      "# Metrics\n\n"
	      "`GET /metrics` on the address of `control: metrics:`, Prometheus text format 0.0.4. Counters "
	      "start at\n"
	      "0 with the process and only grow. Every configured gateway and peer has its series from the "
	      "start.\n\n",
	      out);
	print_families(out);
	fputs("\n## How messages end\n\n"
	      "Every frame that a port receives and every message or frame that the control thread injects "
	      "has\n"
	      "exactly one end in `weir_message_ends_total`. The outcomes:\n\n",
	      out);
	print_outcomes(out);
	fputs("\n", out);
	print_ends(out);
	fputs("\n## Laws\n\n"
	      "When the workers are quiet these hold; Weir's end-to-end tests check them after every run:\n\n"
	      "- frames received + injected = sum of all ends + what waits in rings between workers;\n"
	      "- messages taken from rings never exceed those put in;\n"
	      "- frames transmitted = sum of the ends `forward`, `reply` and `sent`.\n",
	      out);
	return ferror(out) ? -EIO : 0;
}
