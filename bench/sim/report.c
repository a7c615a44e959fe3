/* SPDX-License-Identifier: BSD-3-Clause */
/* What the day was like, for people and as JSON. */
#include "bench/sim/sim.h"

uint64_t report_faults(const struct sim *s)
{
	uint64_t n = 0;

#define X(name, text) n += s->bad.name;
	SIM_FAULTS(X)
#undef X
	return n;
}

static void line(const char *text, uint64_t n)
{
	printf("%-52s %12llu\n", text, (unsigned long long)n);
}

void report_table(const struct sim *s)
{
	printf("seed %llu, %.1f hours, %u + 4 gateways, %u callers, %u workers, %.0f %% loss each way\n",
	       (unsigned long long)s->o.seed, s->o.hours, s->o.gateways, s->o.callers, s->o.workers,
	       s->o.loss * 100);
#define X(name, text) line(text, s->f.name);
	SIM_FIGURES(X)
#undef X
	line("most set-ups at once", s->peak_setups);
	line("most counted calls at once", s->peak_calls);
	printf("%-52s %12lld\n", "truth - count at worst", (long long)s->worst);
	printf("%-52s %12lld\n", "calls from before a crash - survivors at worst", (long long)s->worst_crash);
	printf("%-52s %10.1f s\n", "wall time", s->wall);
	printf("%-52s %10.1f s\n", "CPU time", s->cpu);
	printf("%-52s %9.0f ns\n", "CPU time per event", s->cpu * 1e9 / (double)s->f.events);
	printf("\nmust be 0\n");
#define X(name, text) line(text, s->bad.name);
	SIM_FAULTS(X)
#undef X
}

int report_json(const struct sim *s)
{
	FILE *f = fopen(s->o.json, "w");

	if (!f) {
		perror(s->o.json);
		return 1;
	}
	fprintf(f,
		"{\"seed\": %llu, \"hours\": %g, \"gateways\": %u, \"callers\": %u, \"workers\": %u, "
		"\"loss\": %g",
		(unsigned long long)s->o.seed, s->o.hours, s->o.gateways, s->o.callers, s->o.workers,
		s->o.loss);
#define X(name, text) fprintf(f, ",\n \"" #name "\": %llu", (unsigned long long)s->f.name);
	SIM_FIGURES(X)
#undef X
	fprintf(f,
		",\n \"peak_setups\": %u,\n \"peak_calls\": %u,\n \"worst\": %lld,\n \"worst_after_crash\": "
		"%lld",
		s->peak_setups, s->peak_calls, (long long)s->worst, (long long)s->worst_crash);
	fprintf(f, ",\n \"wall_s\": %.2f,\n \"cpu_s\": %.2f,\n \"faults\": {", s->wall, s->cpu);
#define X(name, text) fprintf(f, "\"" #name "\": %llu, ", (unsigned long long)s->bad.name);
	SIM_FAULTS(X)
#undef X
	fprintf(f, "\"all\": %llu}}\n", (unsigned long long)report_faults(s));
	return fclose(f) ? 1 : 0;
}
