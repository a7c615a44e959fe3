/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench-sim: see sim.h. Ends with 1 if anything was found that must not be.
 *
 * Usage: bench-sim [--calls N] [--hours H] [--gateways N] [--callers N] [--workers N] [--loss PERCENT]
 *                  [--crashes N] [--longest HOURS] [--seed N] [--seeds N] [--json FILE] [--trace CALL]
 *                  [--quiet]
 */
#include <getopt.h>
#include <stdlib.h>
#include <time.h>
#include "bench/sim/sim.h"

static double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void arrival(struct sim *s)
{
	caller_new(s);
	if (s->n_calls < s->o.calls)
		event_add(s, s->now + chance_exp(s, (double)s->rate_ns) + 1, EV_CALL, 0);
	else
		s->end = s->now;
}

/* Nobody has a call any more; or the longest that Weir may take one for has passed. */
static bool is_over(const struct sim *s)
{
	if (s->now < s->end)
		return false;
	return (s->calls.in_use == 0 && weir_idle(s)) || s->now > s->end + longest(s) + 900 * S;
}

static void second(struct sim *s)
{
	uint64_t n = s->now / S;

	weir_second(s);
	oracle_counts(s);
	s->over = is_over(s);
	if (n % 60 == 0) {
		uint64_t difference = weir_audit(s);

		if (difference)
			oracle_fault(s, &s->bad.audit, 0,
				     "words and entries differ at gateways or peers:", (int64_t)difference);
	}
	event_add(s, s->now + S, EV_SECOND, 0);
}

static void vanish(struct sim *s, struct sim_call *c, uint64_t at)
{
	if (!c->id || c->vanish_at != at || c->gw != LB_NONE)
		return;
	c->flags |= SIM_VANISHED;
	s->f.vanished++;
	call_vanish(s, c);
}

static void cancel(struct sim *s, struct sim_call *c, uint64_t at)
{
	if (c->id && c->cancel_at == at && !(c->flags & SIM_VANISHED))
		caller_cancel(s, c);
}

static void handle(struct sim *s, const struct sim_event *e)
{
	switch ((enum event_kind)e->kind) {
	case EV_MSG:
		net_arrive(s, e->index);
		break;
	case EV_CALL:
		arrival(s);
		break;
	case EV_TXN:
		txn_due(s, e->index, e->at);
		break;
	case EV_LEG:
		gateway_step(s, e->index, e->at);
		break;
	case EV_SIDE:
		dialog_due(s, e);
		break;
	case EV_CANCEL:
		cancel(s, call_at(s, e->index), e->at);
		break;
	case EV_VANISH:
		vanish(s, call_at(s, e->index), e->at);
		break;
	case EV_LINGER:
		call_linger(s, e->index, e->at);
		break;
	case EV_GATEWAY:
		gateway_event(s, e->index, e->at);
		break;
	case EV_SECOND:
		second(s);
		break;
	case EV_CRASH:
		weir_crash(s);
		break;
	}
}

static void run(struct sim *s)
{
	double from = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);

	event_add(s, s->now, EV_CALL, 0);
	event_add(s, s->now + S, EV_SECOND, 0);
	for (uint32_t g = 0; g < s->n_gw; g++)
		gateway_plan(s, g);
	for (uint32_t i = 0; i < s->o.weir_crashes; i++)
		event_add(s, s->now + chance_span(s, 0, (uint64_t)(s->o.hours * 3600e9)), EV_CRASH, 0);
	while (!s->over) {
		struct sim_event e = event_take(s);

		weir_ticks(s, e.at);
		s->f.events++;
		handle(s, &e);
	}
	oracle_end(s);
	s->wall = clock_s(CLOCK_MONOTONIC) - from;
	s->cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
}

static void start(struct sim *s, const struct options *o)
{
	*s = (struct sim){
		.o = *o, .rng = o->seed * UINT64_C(0x2545f4914f6cdd1d), .now = 1000 * S, .end = UINT64_MAX / 2
	};
	s->rate_ns = (uint64_t)(o->hours * 3600e9 / (double)o->calls);
	s->n_gw = o->gateways + 4;
	s->gw = calloc(s->n_gw, sizeof(*s->gw));
	pool_init(&s->msgs, sizeof(struct msg));
	pool_init(&s->calls, sizeof(struct sim_call));
	pool_init(&s->legs, sizeof(struct leg));
	pool_init(&s->txns, sizeof(struct txn));
	weir_new(s);
}

static void end(struct sim *s)
{
	weir_free(s->weir);
	pool_free(&s->msgs);
	pool_free(&s->calls);
	pool_free(&s->legs);
	pool_free(&s->txns);
	free(s->heap);
	free(s->gw);
}

static int one(const struct options *o)
{
	struct sim s;
	int failed;

	start(&s, o);
	run(&s);
	if (!o->quiet)
		report_table(&s);
	failed = report_faults(&s) != 0;
	if (o->quiet)
		printf("seed %llu: %llu calls, %llu answered, %llu faults, %.1f s\n",
		       (unsigned long long)o->seed, (unsigned long long)s.f.calls,
		       (unsigned long long)s.f.answered, (unsigned long long)report_faults(&s), s.wall);
	if (o->json && report_json(&s))
		failed = 1;
	end(&s);
	return failed;
}

/* Sets one option; false if it is out of range. */
static bool set(struct options *o, int name, const char *value, uint64_t *seeds)
{
	switch (name) {
	case 'c':
		return (o->calls = strtoull(value, NULL, 10)) > 0;
	case 'h':
		return (o->hours = strtod(value, NULL)) > 0;
	case 'g':
		o->gateways = (uint32_t)strtoul(value, NULL, 10);
		return o->gateways >= 2 && o->gateways <= 200;
	case 'm':
		return (o->callers = (uint32_t)strtoul(value, NULL, 10)) > 0;
	case 'w':
		o->workers = (uint32_t)strtoul(value, NULL, 10);
		return o->workers >= 1 && o->workers <= MAX_WORKERS;
	case 'l':
		o->loss = strtod(value, NULL) / 100;
		return o->loss >= 0 && o->loss < 1;
	case 'd':
		return (o->longest = strtod(value, NULL)) > 0;
	case 'x':
		o->weir_crashes = (uint32_t)strtoul(value, NULL, 10);
		return true;
	case 's':
		o->seed = strtoull(value, NULL, 10);
		return true;
	case 'n':
		return (*seeds = strtoull(value, NULL, 10)) > 0;
	case 'j':
		o->json = value;
		return true;
	case 't':
		o->trace = strtoull(value, NULL, 10);
		return true;
	case 'q':
		o->quiet = true;
		return true;
	default:
		return false;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "calls", required_argument, NULL, 'c' },    { "hours", required_argument, NULL, 'h' },
		{ "gateways", required_argument, NULL, 'g' }, { "callers", required_argument, NULL, 'm' },
		{ "workers", required_argument, NULL, 'w' },  { "loss", required_argument, NULL, 'l' },
		{ "crashes", required_argument, NULL, 'x' },  { "longest", required_argument, NULL, 'd' },
		{ "seed", required_argument, NULL, 's' },     { "seeds", required_argument, NULL, 'n' },
		{ "json", required_argument, NULL, 'j' },     { "trace", required_argument, NULL, 't' },
		{ "quiet", no_argument, NULL, 'q' },          { 0 },
	};
	struct options o = { .seed = 1,
			     .calls = 10000000,
			     .hours = 24,
			     .longest = 4,
			     .loss = 0.05,
			     .gateways = 20,
			     .callers = 4000,
			     .workers = 2,
			     .weir_crashes = 3 };
	uint64_t seeds = 1;
	int c, failed = 0;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (!set(&o, c, optarg, &seeds)) {
			fprintf(stderr, "bench-sim: see the head of bench/sim/main.c\n");
			return 2;
		}
	}
	for (; seeds > 0; seeds--, o.seed++)
		failed |= one(&o);
	return failed;
}
