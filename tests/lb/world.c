/* SPDX-License-Identifier: BSD-3-Clause */
/* See world.h. Every failure to make the world ends the program. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/lb/timers.h"
#include "tests/lb/world.h"

static void must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "world: %s\n", what);
		abort();
	}
}

static void *memory(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) / 64 * 64);

	must(p != NULL, "memory");
	return p;
}

struct addr world_ip4(const char *ip, uint16_t port)
{
	struct in_addr in;

	must(inet_pton(AF_INET, ip, &in) == 1, ip);
	return addr_v4(in.s_addr, port);
}

void world_init(struct world *w)
{
	static const char *const pool_names[4] = { "pool0", "pool1", "pool2", "pool3" };
	struct addr net = world_ip4("192.0.2.0", 0);

	memset(w, 0, sizeof(*w));
	w->spec = (struct lb_spec){
		.hash_key = { .k = { 1, 2 }, .id = 1 },
		.key = { .k = { 3, 4 }, .id = 7 },
		.old_key = { .k = { 3, 4 }, .id = 7 },
		.node = 5,
		.gateways = w->gateway,
		.pools = w->pool,
		.peers = w->peer,
		.prefixes = w->prefix,
		.routes = w->route,
		.n_pools = 2,
		.n_peers = 1,
		.n_prefixes = 1,
	};
	for (unsigned i = 0; i < 4; i++) {
		w->pool[i].retry_after_s = 10;
		w->pool[i].name = (struct str){ pool_names[i], 5 };
	}
	w->peer[0].name = STR("trunk");
	w->prefix[0].len = 96 + 24;
	memcpy(w->prefix[0].ip, net.ip, 16);
	world_route(w, 0);
	w->words = lb_words_init(memory(lb_words_size()));
	w->lane = st_lane_init(memory(st_lane_size(64, 16)), "0", 64, 16);
	w->now = 1000 * SECOND;
	world_pins(w, 1 << 16);
}

static void tables(struct world *w, uint32_t pins, uint32_t calls)
{
	struct lb_worker_spec spec = {
		.timers = default_timers,
		.setups = 256,
		.calls = calls,
		.records = w->records,
		.trail = w->trail,
		.pins = pins,
		.pin_ns = 32 * SECOND,
		.ringing_ns = 212 * SECOND,
		.words = w->words,
		.lane = w->lane,
	};

	free(w->worker);
	w->worker = lb_worker_init(memory(lb_worker_size(&spec)), &spec, w->now);
}

void world_pins(struct world *w, uint32_t pins)
{
	tables(w, pins, 65536);
}

void world_calls(struct world *w, uint32_t calls)
{
	tables(w, 65536, calls);
}

uint16_t world_gateway(struct world *w, uint16_t pool, uint16_t weight, uint8_t tier)
{
	uint32_t n = w->spec.n_gateways++;
	struct lb_gateway_spec *g = &w->gateway[n];
	char ip[20];

	snprintf(ip, sizeof(ip), "198.51.100.%u", n + 1);
	snprintf(w->name[n], sizeof(w->name[n]), "gw%u", n);
	*g = (struct lb_gateway_spec){ .addr = world_ip4(ip, 5060),
				       .slot = n,
				       .pool = pool,
				       .weight = weight,
				       .tier = tier,
				       .listener = 1 };
	g->name = (struct str){ w->name[n], (uint32_t)strlen(w->name[n]) };
	return n;
}

struct lb_route_spec *world_route(struct world *w, uint16_t pool)
{
	struct lb_route_spec *r = &w->route[w->spec.n_routes++];

	*r = (struct lb_route_spec){
		.from_peer = LB_NONE, .from_pool = LB_NONE, .method = METHOD_COUNT, .pool = pool
	};
	return r;
}

void world_build(struct world *w)
{
	free(w->snap);
	w->snap = lb_snapshot_init(memory(lb_snapshot_size(&w->spec)), &w->spec);
	must(w->snap != NULL, "snapshot");
}

void world_start(struct world *w, unsigned gateways)
{
	world_init(w);
	for (unsigned i = 0; i < gateways; i++)
		world_gateway(w, 0, 1, 0);
	world_build(w);
}

struct lb_governor *world_governor(struct world *w)
{
	const struct lb_worker *workers[] = { w->worker };

	w->governor = lb_governor_init(memory(lb_governor_size(64, 1)), 64, w->words, workers, 1, w->now);
	return w->governor;
}

void world_free(struct world *w)
{
	free(w->governor);
	free(w->snap);
	free(w->worker);
	free(w->lane);
	free(w->words);
}

static uint64_t hash_of(const struct world *w, const char *what, uint32_t n, uint32_t t)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%s-%u-%u", what, n, t);

	return lb_hash(&w->spec.hash_key, text, len);
}

struct lb_query world_request(const struct world *w, enum method method, uint32_t n, uint32_t t)
{
	return (struct lb_query){
		.request = 1,
		.method = method,
		.listener = 0,
		.src = world_ip4("192.0.2.9", 5062),
		.reply_to = world_ip4("192.0.2.9", 5062),
		.call_hash = hash_of(w, "call", n, 0),
		.from_hash = hash_of(w, "from", n, 0),
		.via_hash = hash_of(w, "via", n, t),
		.loop_hash = (uint32_t)hash_of(w, "loop", n, t),
		.number = STR("+8212345678"),
		.host = STR("example.net"),
	};
}

struct lb_query world_response(const struct world *w, const struct lb_query *request, uint16_t status)
{
	return (struct lb_query){
		.method = request->method,
		.listener = 1,
		.has_to_tag = 1,
		.status = status,
		.src = w->act[0].dst,
		.via_to = request->reply_to,
		.call_hash = request->call_hash,
		.from_hash = request->from_hash,
		.branch = { w->act[0].branch, w->act[0].branch_n },
	};
}

const struct lb_act *world_input(struct world *w, const struct lb_query *q)
{
	must(lb_input(w->worker, w->snap, q, w->now, w->act) == 1, "one action");
	return &w->act[0];
}

struct world_call world_call(struct world *w, uint32_t n)
{
	struct world_call c = { .invite = world_request(w, METHOD_INVITE, n, 1) };
	const struct lb_act *act = world_input(w, &c.invite);

	must(act->op == LB_FORWARD, "forwarded INVITE");
	c.gateway = act->gateway;
	c.token_n = act->token_n;
	memcpy(c.token, act->token, act->token_n);
	return c;
}

struct lb_query world_in_dialog(const struct world_call *c, enum method method)
{
	struct lb_query q = c->invite;

	q.method = method;
	q.has_to_tag = 1;
	q.to_tag = STR("their-tag");
	q.via_hash++;
	q.token = text_of(c->token, c->token_n);
	return q;
}
