/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plan, a JSON file:
 *   { "targets": ["192.0.2.10:5060"], "seed": 1, "patience": 10, "t1": 0.5, "bin": 0.5, "drain": 3,
 * "max_calls": 200000, "peers": [ { "name": "a", "from": "192.0.2.11:7000", "ports": 4, "share": 1, "hold":
 * 0.2, "emergency": 0.01, "prefix": "+99", "prefixed": 0.2, "retry_after": "ignore|hold|redial", "oc": true }
 * ], "steps": [ { "name": "2x", "rate": 640, "seconds": 8, "peers": { "a": 500 } } ] } Times in s, rates in
 * calls/s. A step's rate is divided by the shares of those peers for which it names no rate.
 */
#include "bench/callers/callers.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static int wrong(const char *what, const char *found)
{
	fprintf(stderr, "callers: plan: %s: %s\n", what, found);
	return -EINVAL;
}

static double number(const json_t *of, const char *key, double otherwise)
{
	const json_t *value = json_object_get(of, key);

	return json_is_number(value) ? json_number_value(value) : otherwise;
}

static const char *text(const json_t *of, const char *key, const char *otherwise)
{
	const char *value = json_string_value(json_object_get(of, key));

	return value ? value : otherwise;
}

static int read_peer(struct peer_plan *p, const json_t *j)
{
	static const char *const obeys[] = { "ignore", "hold", "redial" };
	const char *obey = text(j, "retry_after", "ignore");

	snprintf(p->name, sizeof(p->name), "%s", text(j, "name", "callers"));
	snprintf(p->prefix, sizeof(p->prefix), "%s", text(j, "prefix", ""));
	p->share = number(j, "share", 1);
	p->hold = number(j, "hold", 0.2);
	p->emergency = number(j, "emergency", 0);
	p->prefixed = number(j, "prefixed", 0);
	p->oc = json_is_true(json_object_get(j, "oc"));
	p->n_ports = (uint32_t)number(j, "ports", 1);
	while (p->obeys <= OBEYS_REDIAL && strcmp(obey, obeys[p->obeys]) != 0)
		p->obeys++;
	if (p->obeys > OBEYS_REDIAL)
		return wrong("retry_after", obey);
	if (p->n_ports < 1 || p->n_ports > MAX_PORTS)
		return wrong(p->name, "ports: expected 1 .. 16");
	if (kit_addr_read(text(j, "from", ""), &p->from))
		return wrong(p->name, "from: not an ADDRESS:PORT");
	return 0;
}

static int read_step(struct world *w, struct step *s, const json_t *j)
{
	const json_t *peers = json_object_get(j, "peers");

	snprintf(s->name, sizeof(s->name), "%s", text(j, "name", ""));
	s->rate = number(j, "rate", 0);
	s->seconds = number(j, "seconds", 1);
	for (uint32_t i = 0; i < w->n_peers; i++)
		s->peer_rate[i] = number(peers, w->peer[i].plan.name, -1);
	return s->rate >= 0 && s->seconds > 0 ? 0 : wrong("steps", s->name);
}

static int read_lists(struct world *w, const json_t *j)
{
	const json_t *targets = json_object_get(j, "targets"), *peers = json_object_get(j, "peers"),
		     *steps = json_object_get(j, "steps");

	w->n_targets = (uint32_t)json_array_size(targets);
	w->n_peers = (uint32_t)json_array_size(peers);
	w->n_steps = (uint32_t)json_array_size(steps);
	if (w->n_targets < 1 || w->n_targets > MAX_TARGETS || w->n_peers < 1 || w->n_peers > MAX_PEERS ||
	    w->n_steps < 1 || w->n_steps > MAX_STEPS)
		return wrong("lists", "expected 1 .. 16 targets, 1 .. 32 peers, 1 .. 64 steps");
	for (uint32_t i = 0; i < w->n_targets; i++) {
		const char *address = json_string_value(json_array_get(targets, i));

		if (!address || kit_addr_read(address, &w->target[i]))
			return wrong("targets", "expected texts ADDRESS:PORT");
	}
	for (uint32_t i = 0; i < w->n_peers; i++)
		if (read_peer(&w->peer[i].plan, json_array_get(peers, i)))
			return -EINVAL;
	for (uint32_t i = 0; i < w->n_steps; i++)
		if (read_step(w, &w->steps[i], json_array_get(steps, i)))
			return -EINVAL;
	return 0;
}

int plan_read(struct world *w, const char *path)
{
	json_error_t error;
	json_t *j = json_load_file(path, 0, &error);
	int err;

	if (!j)
		return wrong(path, error.text);
	w->seed = (uint64_t)number(j, "seed", 1);
	w->t1 = (uint64_t)(number(j, "t1", 0.5) * 1e9);
	w->patience = (uint64_t)(number(j, "patience", 10) * 1e9);
	w->bin = (uint64_t)(number(j, "bin", 1) * 1e9);
	w->drain = number(j, "drain", 3);
	w->n_calls = (uint32_t)number(j, "max_calls", 200000);
	err = w->t1 && w->bin && w->n_calls ? read_lists(w, j)
					    : wrong(path, "t1, bin, max_calls must not be 0");
	json_decref(j);
	return err;
}
