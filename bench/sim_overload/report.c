/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the overload laboratory, and JSON: one object a line. */
#include <stddef.h>
#include "bench/sim_overload/lab.h"

void lab_report_head(void)
{
	printf("%-22s %6s %8s %8s %8s %9s %9s %8s\n", "scenario", "load", "goodput", "refused", "p99 ms",
	       "x unload", "repeats", "cap/gw");
}

#define SUM(field) LAB_SUM(l, from, to, field)

static void report_phase(struct lab *l, unsigned phase, FILE *json)
{
	double from, to, span, p99 = lab_quantile(&l->delays[phase], 0.99);

	lab_span(l, phase, &from, &to);
	span = (to - from) * l->capacity;
	printf("%-22s %5.1fx %8.3f %8.3f %8.1f %9.2f %8.2f%% %8.1f\n", phase ? "" : l->scene->name,
	       l->scene->phases[phase].load, SUM(good) / span, SUM(refused) / span, p99,
	       p99 / l->unloaded_p99, 100 * SUM(repeats) / (SUM(received) + 1),
	       lab_cap(l, from, to) / l->scene->gateways);
	if (json)
		fprintf(json,
			"%s{\"load\":%.2f,\"goodput\":%.4f,\"refused\":%.4f,\"p99_ms\":%.2f,\"p99_ratio\":%."
			"3f,"
			"\"repeats\":%.4f,\"cap\":%.1f}",
			phase ? "," : "", l->scene->phases[phase].load, SUM(good) / span, SUM(refused) / span,
			p99, p99 / l->unloaded_p99, SUM(repeats) / (SUM(received) + 1),
			lab_cap(l, from, to) / l->scene->gateways);
}

static void series(const struct lab *l, FILE *json)
{
	fprintf(json, "],\"tick_ms\":100,\"series\":[");
	for (uint32_t i = 0; i + 2 < l->n_ticks; i++) {
		const struct tick *t = &l->ticks[i];

		fprintf(json, "%s[%u,%u,%u,%.0f,%.0f]", i ? "," : "", t->offered, t->good, t->refused,
			(double)t->cap, (double)t->open);
	}
	fprintf(json, "]}\n");
}

bool lab_report(struct lab *l, double cpu_s, FILE *json)
{
	struct lab_text text = { "" };
	bool good;

	if (json)
		fprintf(json, "{\"scenario\":\"%s\",\"capacity\":%.1f,\"phases\":[", l->scene->name,
			l->capacity);
	for (unsigned i = 0; i < MAX_PHASES && l->scene->phases[i].seconds > 0; i++)
		report_phase(l, i, json);
	good = !l->scene->check || l->scene->check(l, &text);
	printf("  %-20s %s: %s%s%s (%.1f s, %.1f M events)\n\n", "", good ? "ok" : "NOT OK", l->scene->shows,
	       text.p[0] ? ": " : "", text.p, cpu_s, (double)l->events * 1e-6);
	if (json)
		series(l, json);
	return good;
}
