/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-sim-overload: see lab.h. Runs the scenarios whose name contains one of the words given, or
 * all; ends with 1 if one does not show what it must.
 *
 * Usage: bench-sim-overload [--list] [--seed N] [--seeds N] [--json FILE] [--law NAME] [--trace FILE]
 *                           [WORD...]
 */
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include "bench/sim_overload/lab.h"

/* ---- One run ------------------------------------------------------------------------------------------- */

static void arrival(struct lab *l)
{
	double load = l->scene->phases[l->phase].load;
	uint64_t at;

	lab_caller_new(l);
	at = lab_now(l) + chance_exp(&l->base, 1e9 / (load * l->capacity)) + 1;
	if (at < l->phase_end)
		event_add(&l->base, at, (enum event_kind)LAB_ARRIVAL, 0);
}

double lab_began(const struct lab *l, unsigned phase)
{
	double s = 0;

	for (unsigned i = 0; i < phase; i++)
		s += l->scene->phases[i].seconds;
	return s;
}

/* When limits have settled. */
static double settled_s(const struct lab *l, unsigned phase)
{
	double s = l->scene->phases[phase].seconds;

	return lab_began(l, phase) + (s > 8 ? 5 : s / 2);
}

void lab_span(const struct lab *l, unsigned phase, double *from_s, double *to_s)
{
	*from_s = settled_s(l, phase);
	*to_s = lab_began(l, phase + 1);
}

static void begin_phase(struct lab *l, unsigned phase)
{
	const struct phase *p = &l->scene->phases[phase];

	l->phase = phase;
	l->phase_end += (uint64_t)(p->seconds * 1e9);
	l->settled = l->start + (uint64_t)(settled_s(l, phase) * 1e9);
	if (phase == 1 && l->scene->trouble == TROUBLE_HALF_SPEED)
		l->gw[0].slow = 2;
	if (phase == 1 && l->scene->trouble == TROUBLE_MUTE)
		l->gw[0].mute = lab_now(l) + 10 * S;
	if (phase == 1)
		lab_weir_trouble(l, l->scene->trouble);
	event_add(&l->base, l->phase_end, (enum event_kind)LAB_PHASE, 0);
	event_add(&l->base, lab_now(l) + 1, (enum event_kind)LAB_ARRIVAL, 0);
}

static bool handle(struct lab *l, const struct sim_event *e)
{
	switch ((enum lab_event)e->kind) {
	case LAB_MSG:
		lab_arrive(l, e->index);
		break;
	case LAB_ARRIVAL:
		arrival(l);
		break;
	case LAB_CALL:
		lab_caller_due(l, e->index);
		break;
	case LAB_SERVER:
		lab_gateway_served(l, e->index);
		break;
	case LAB_JOB:
		lab_gateway_job(l, e->index);
		break;
	case LAB_OC:
		lab_oc_step(l);
		break;
	case LAB_PHASE:
		if (l->phase + 1 == MAX_PHASES || l->scene->phases[l->phase + 1].seconds <= 0)
			return false;
		begin_phase(l, l->phase + 1);
		break;
	case LAB_PROBE:
		lab_weir_probe(l, e->index);
		break;
	}
	return true;
}

static void *must(void *p)
{
	if (!p) {
		fprintf(stderr, "sim-overload: out of memory\n");
		exit(1);
	}
	return p;
}

struct lab *lab_run(const struct scene *scene, uint64_t seed, bool quiet)
{
	struct lab *l = must(calloc(1, sizeof(*l)));
	double seconds = 0;
	struct sim_event e;

	l->scene = scene;
	l->quiet = quiet;
	l->base.rng = seed * UINT64_C(0x2545f4914f6cdd1d);
	l->start = l->phase_end = l->base.now = 1000 * S;
	for (unsigned i = 0; i < MAX_PHASES; i++)
		seconds += scene->phases[i].seconds;
	l->end = l->start + (uint64_t)(seconds * 1e9);
	l->n_ticks = (uint32_t)((l->end - l->start) / TICK) + 2;
	l->ticks = must(calloc(l->n_ticks, sizeof(*l->ticks)));
	l->gw = must(calloc(scene->gateways, sizeof(*l->gw)));
	for (uint32_t i = 0; i < scene->gateways; i++) {
		l->gw[i].slow = 1;
		if (scene->options)
			event_add(&l->base, l->start + chance_span(&l->base, 0, S),
				  (enum event_kind)LAB_PROBE, i);
	}
	l->capacity = scene->gateways * scene->servers / scene->service_s;
	pool_init(&l->msgs, sizeof(struct lab_msg));
	pool_init(&l->calls, sizeof(struct lab_call));
	pool_init(&l->jobs, sizeof(struct lab_job));
	pool_init(&l->items, sizeof(struct item));
	l->held_off = must(calloc(scene->gateways, sizeof(*l->held_off)));
	l->weir = must(lab_weir_new(l));
	if (scene->oc)
		lab_oc_start(l);
	begin_phase(l, 0);
	do {
		e = event_take(&l->base);
		lab_weir_until(l, e.at);
		l->events++;
	} while (handle(l, &e));
	return l;
}

void lab_free(struct lab *l)
{
	lab_weir_free(l->weir);
	pool_free(&l->msgs);
	pool_free(&l->calls);
	pool_free(&l->jobs);
	pool_free(&l->items);
	for (uint32_t i = 0; i < l->scene->gateways; i++) {
		free(l->gw[i].calls.at);
		free(l->gw[i].overhead.at);
	}
	for (unsigned i = 0; i < MAX_PHASES; i++)
		free(l->delays[i].ms);
	free(l->gw);
	free(l->held_off);
	free(l->ticks);
	free(l->base.heap);
	free(l);
}

/* ---- Figures ------------------------------------------------------------------------------------------- */

double lab_sum(const struct lab *l, double from_s, double to_s, size_t field)
{
	uint64_t from = (uint64_t)(from_s * 1e9 + 0.5) / TICK, to = (uint64_t)(to_s * 1e9 + 0.5) / TICK;
	double sum = 0;

	for (uint64_t i = from; i < to && i < l->n_ticks; i++)
		sum += *(const uint32_t *)((const char *)&l->ticks[i] + field);
	return sum;
}

double lab_goodput(const struct lab *l, double from_s, double to_s)
{
	return LAB_SUM(l, from_s, to_s, good) / ((to_s - from_s) * l->capacity);
}

double lab_cap(const struct lab *l, double from_s, double to_s)
{
	uint64_t from = (uint64_t)(from_s * 10 + 0.5), to = (uint64_t)(to_s * 10 + 0.5);
	double sum = 0;

	for (uint64_t i = from; i < to; i++)
		sum += (double)l->ticks[i].cap;
	return sum / (double)(to - from);
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

double lab_quantile(struct delays *d, double q)
{
	if (d->n == 0)
		return 0;
	qsort(d->ms, d->n, sizeof(*d->ms), by_value);
	return d->ms[(uint32_t)(q * (d->n - 1))];
}

/* ---- All runs ------------------------------------------------------------------------------------------ */

static double cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The same model with little to do: what it is like unloaded. */
static double unloaded(const struct scene *scene, uint64_t seed)
{
	struct scene calm = *scene;
	struct lab *l;
	double p99;

	memset(calm.phases, 0, sizeof(calm.phases));
	calm.phases[0] = (struct phase){ 10, 0.3 };
	calm.trouble = TROUBLE_NONE;
	calm.learn = LB_LEARN_OFF;
	calm.max_calls = 0;
	l = lab_run(&calm, seed, true);
	p99 = lab_quantile(&l->delays[0], 0.99);
	lab_free(l);
	return p99;
}

static bool wanted(const struct scene *scene, char *const *words, int n)
{
	for (int i = 0; i < n; i++) {
		if (strstr(scene->name, words[i]))
			return true;
	}
	return n == 0;
}

static bool run_one(const struct scene *scene, uint64_t seed, FILE *json)
{
	double from = cpu_s(), p99 = unloaded(scene, seed);
	struct lab *l = lab_run(scene, seed, false);
	bool good;

	l->unloaded_p99 = p99;
	good = lab_report(l, cpu_s() - from, json);
	lab_free(l);
	return good;
}

struct choice {
	uint64_t seed, seeds;
	FILE *json;
	int law; /* of all scenarios; < 0: each its own */
	bool list;
};

static int law_named(const char *name)
{
	static const char *const laws[LB_LAWS] = { "gradient", "aimd", "static" };
	int law = LB_LAWS - 1;

	while (law >= 0 && strcmp(laws[law], name) != 0)
		law--;
	return law;
}

static bool read_options(struct choice *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "seed", required_argument, NULL, 's' }, { "seeds", required_argument, NULL, 'n' },
		{ "json", required_argument, NULL, 'j' }, { "law", required_argument, NULL, 'l' },
		{ "list", no_argument, NULL, 'i' },       { 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 's':
			o->seed = strtoull(optarg, NULL, 10);
			break;
		case 'n':
			o->seeds = strtoull(optarg, NULL, 10);
			break;
		case 'j':
			o->json = must(fopen(optarg, "w"));
			break;
		case 'l':
			o->law = law_named(optarg);
			break;
		case 'i':
			o->list = true;
			break;
		default:
			return false;
		}
	}
	return true;
}

/* The scenarios of a table that are wanted; false: one does not show what it must. */
static bool run_table(const struct lab_scenes *table, const struct choice *o, char *const *words, int n)
{
	bool good = true;

	for (unsigned i = 0; i < table->n; i++) {
		struct scene scene = table->at[i];

		if (!wanted(&scene, words, n))
			continue;
		if (o->law >= 0)
			scene.law = (enum lb_law)o->law;
		if (o->list)
			printf("%-24s %s\n", scene.name, scene.shows);
		for (uint64_t k = 0; !o->list && k < o->seeds; k++)
			good &= run_one(&scene, o->seed + k, o->json);
	}
	return good;
}

int main(int argc, char **argv)
{
	static const struct lab_scenes *const tables[] = { &lab_law_scenes, &lab_slow_scenes,
							   &lab_right_scenes };
	struct choice o = { .seed = 1, .seeds = 1, .law = -1 };
	bool good = true;

	if (!read_options(&o, argc, argv)) {
		fprintf(stderr, "see the head of bench/sim_overload/main.c\n");
		return 2;
	}
	if (!o.list)
		lab_report_head();
	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		good &= run_table(tables[i], &o, argv + optind, argc - optind);
	if (o.json)
		fclose(o.json);
	return !good;
}
