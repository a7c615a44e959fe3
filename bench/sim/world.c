/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network that Weir serves: a pool of PSTN gateways with limits around what they are given, voicemail for
 * calls that nobody takes, proxies for the calls that gateways make; and looks into Weir for the oracle.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include "bench/sim/world.h"
#include "lb/worker.h"

#define PLACE_S 130.0 /* mean time that a call has a place, s: those that nobody answers included */

static void gateway_spec(struct sim *s, struct weir *w, uint32_t i)
{
	struct lb_gateway_spec *g = &w->gateways[i];

	snprintf(w->names[i], sizeof(w->names[i]), "gw%u", i);
	*g = (struct lb_gateway_spec){
		.name = { w->names[i], (uint32_t)strlen(w->names[i]) },
		.addr = net_gateway_addr(i),
		.slot = (uint16_t)i,
		.pool = s->gw[i].pool,
		.weight = 10,
		.listener = 1,
		.count_in = 1,
	};
}

/* Limits from somewhat below to well above what each gateway gets, so that some are always full. */
static uint32_t limit(const struct sim *s, uint32_t i)
{
	double each = PLACE_S * S / s->rate_ns / s->o.gateways;

	if (s->gw[i].pool != POOL_PSTN)
		return LB_UNLIMITED;
	return (uint32_t)(each * (i % 3 == 0 ? 0.9 : i % 3 == 1 ? 1.2 : 1.8)) + 3;
}

static void gateways(struct sim *s, struct weir *w)
{
	for (uint32_t i = 0; i < s->n_gw; i++) {
		s->gw[i].addr = net_gateway_addr(i);
		s->gw[i].pool = i < s->o.gateways       ? POOL_PSTN
				: i < s->o.gateways + 2 ? POOL_VOICEMAIL
							: POOL_CORE;
		s->gw[i].max_calls = limit(s, i);
		gateway_spec(s, w, i);
	}
}

static void reroutes(struct weir *w)
{
	struct lb_reroute_spec *busy = &w->reroutes[0], *no_answer = &w->reroutes[1];

	*busy = *no_answer = (struct lb_reroute_spec){ .notify = 1, .pool = POOL_VOICEMAIL };
	lb_codes_add(&busy->on, 480);
	lb_codes_add(&busy->on, 600);
	no_answer->no_answer_ns = 45 * S;
	w->pools[POOL_PSTN].reroutes = w->reroutes;
	w->pools[POOL_PSTN].n_reroutes = 2;
}

static void pools(struct weir *w)
{
	static const char *const names[POOLS] = { "pstn", "voicemail", "core" };

	for (unsigned i = 0; i < POOLS; i++) {
		struct lb_pool_spec *p = &w->pools[i];

		*p = (struct lb_pool_spec){
			.name = { names[i], (uint32_t)strlen(names[i]) },
			.retry_after_s = 10,
			.attempts = i == POOL_PSTN ? 3 : 2,
			.follow = 1,
			.budget_permille = 100,
			.after_ns = 1 * S,
			.after_max_ns = 4 * S,
			.progress_ns = i == POOL_PSTN ? 12 * S : 0,
		};
		lb_codes_add(&p->on, 500);
	}
	reroutes(w);
}

static void peers(struct weir *w)
{
	static const char *const names[MAX_PEERS] = { "trunk0", "trunk1", "trunk2", "trunk3" };

	for (unsigned i = 0; i < MAX_PEERS; i++) {
		const struct addr net = addr_v4(htonl(0x0a000000u + (i << 16)), 0);

		w->peers[i] = (struct lb_peer_spec){ .name = { names[i], 6 },
						     .slot = (uint16_t)i,
						     .when_full = (enum lb_when_full)(i % 3) };
		w->prefixes[i] = (struct lb_prefix){ .len = 96 + 16, .peer = (uint16_t)i };
		memcpy(w->prefixes[i].ip, net.ip, 16);
	}
}

static void worker_spec(const struct sim *s, struct weir *w)
{
	double per_s = 1e9 / (double)s->rate_ns / s->o.workers;

	w->spec = (struct lb_worker_spec){
		.timers = { .t1 = T1,
			    .t2 = T2,
			    .t4 = 5 * S,
			    .b = TIMEOUT,
			    .c = 181 * S,
			    .d = 32 * S,
			    .release = 32 * S,
			    .max_call = longest(s),
			    .session_min = 90 * S },
		.setups = (uint32_t)(per_s * 150) + 1024,
		.calls = (uint32_t)(per_s * 600) + 4096,
		.pins = (uint32_t)(per_s * 100) + 1024,
		.pin_ns = 32 * S,
		.ringing_ns = 213 * S,
	};
}

void world_spec(struct sim *s, struct weir *w)
{
	gateways(s, w);
	pools(w);
	peers(w);
	worker_spec(s, w);
	w->routes[0] = (struct lb_route_spec){
		.from_peer = LB_NONE, .from_pool = POOL_PSTN, .method = METHOD_COUNT, .pool = POOL_CORE
	};
	w->routes[1] = (struct lb_route_spec){
		.from_peer = LB_NONE, .from_pool = LB_NONE, .method = METHOD_COUNT, .pool = POOL_PSTN
	};
	w->lb = (struct lb_spec){
		.hash_key = { .k = { 1, s->o.seed }, .id = 1 },
		.key = { .k = { 3, s->o.seed }, .id = 7 },
		.old_key = { .k = { 3, s->o.seed }, .id = 7 },
		.gateways = w->gateways,
		.pools = w->pools,
		.peers = w->peers,
		.prefixes = w->prefixes,
		.routes = w->routes,
		.n_gateways = s->n_gw,
		.n_pools = POOLS,
		.n_peers = MAX_PEERS,
		.n_prefixes = MAX_PEERS,
		.n_routes = 2,
	};
}

/* ---- Looks --------------------------------------------------------------------------------------------- */

uint32_t weir_calls(const struct sim *s, uint32_t gw)
{
	return lb_gateway_calls(s->weir->words, gw);
}

uint32_t weir_survivors(const struct sim *s, uint32_t gw)
{
	return lb_get_survivors(s->weir->words, gw);
}

void weir_hashes(struct sim *s, struct sim_call *c)
{
	c->call_hash = lb_hash(&s->weir->key, &c->id, sizeof(c->id));
	c->from_hash = lb_hash(&s->weir->key, c->tag.p, c->tag.n);
}

bool weir_holds(struct sim *s, const struct sim_call *c, const struct msg *invite, uint16_t gw)
{
	const struct weir *w = s->weir;
	uint32_t worker = (uint32_t)(((__uint128_t)c->call_hash * w->n_workers) >> 64), i;
	const struct calls *calls = &w->worker[worker]->calls;
	struct call_key key = call_key_of(c->call_hash, c->from_hash,
					  lb_hash(&w->key, &invite->via, sizeof(invite->via)), invite->cseq);

	i = call_answered_at(calls, &key, gw);
	if (i == CALL_NONE)
		i = call_of(calls, &key);
	if (i == CALL_NONE)
		return false;
	return call_entry(calls, i)->out == gw || call_entry(calls, i)->in == gw;
}

uint64_t weir_audit(const struct sim *s)
{
	static uint32_t at_gateways[LIMIT_GATEWAYS], at_peers[LIMIT_PEERS], open[LIMIT_GATEWAYS];
	const struct weir *w = s->weir;
	uint64_t difference = 0;

	memset(at_gateways, 0, s->n_gw * sizeof(*at_gateways));
	memset(at_peers, 0, MAX_PEERS * sizeof(*at_peers));
	memset(open, 0, s->n_gw * sizeof(*open));
	for (uint32_t i = 0; i < w->n_workers; i++) {
		lb_audit(w->worker[i], at_gateways, at_peers);
		lb_audit_open(w->worker[i], open);
	}
	for (uint32_t g = 0; g < s->n_gw; g++) {
		difference += at_gateways[g] != lb_gateway_calls(w->words, g);
		difference += open[g] != lb_gateway_open(w->words, g);
	}
	for (uint32_t p = 0; p < MAX_PEERS; p++)
		difference += at_peers[p] != lb_peer_calls(w->words, p);
	return difference;
}

bool weir_idle(const struct sim *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->weir->n_workers; i++)
		n += s->weir->worker[i]->setups.in_use + lb_call_count(s->weir->worker[i]);
	return n == 0;
}

uint64_t weir_left_over(struct sim *s)
{
	const struct weir *w = s->weir;
	uint64_t n = w->n_kept;

	for (uint32_t i = 0; i < w->n_workers; i++) {
		n += w->worker[i]->setups.in_use + lb_call_count(w->worker[i]);
		for (uint32_t k = 0; k < w->spec.setups; k++)
			n += wheel_armed(&w->worker[i]->wheel, k);
		for (uint32_t k = 0; k < w->spec.calls; k++)
			n += *call_deadline(&w->worker[i]->calls, k) != UINT64_MAX;
	}
	for (uint32_t g = 0; g < s->n_gw; g++)
		n += weir_calls(s, g) + lb_gateway_open(w->words, g);
	for (uint32_t p = 0; p < MAX_PEERS; p++)
		n += lb_peer_calls(w->words, p);
	return n;
}

uint64_t weir_count(const struct sim *s, unsigned id)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->weir->n_workers; i++)
		n += s->weir->lane[i]->count[id];
	return n;
}
