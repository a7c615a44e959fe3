/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Weir in the overload laboratory: real words, snapshot, worker and governor. What dataplane/ would do is
 * taken for granted: a kept message is the number of its call.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include "bench/sim_overload/lab.h"
#include "lb/worker.h"

#define SETUPS      600000
#define MAX_NOTICES 64
#define NO_TAG      STR("")
#define HEADROOM    (65536 / 20)

struct kept {
	uint64_t call;
	struct lab_msg final;
};

struct lab_weir {
	struct lb_key key;
	struct lb_words *words;
	struct lb_snapshot *snap;
	struct lb_worker *worker;
	struct st_lane *lane;
	struct lb_governor *governor;
	struct kept *kept; /* by handle / 2 */
	uint64_t ticked, governed;
	uint64_t ahead;         /* ns; what its clock is before everybody's */
	uint64_t standstill;    /* ns; until then the governor does not step */
	uint64_t probed;        /* ns */
	uint64_t urgent_before; /* calls that had come before others when the trouble began */
	char (*names)[8];
};

/* What Weir takes the time for. */
static uint64_t clock_of(const struct lab *l)
{
	return lab_now(l) + l->weir->ahead;
}

static void *memory(size_t n)
{
	void *p = aligned_alloc(64, (n + 63) / 64 * 64);

	if (!p)
		abort();
	return p;
}

static struct addr ip4(uint32_t ip)
{
	return addr_v4(htonl(ip), 5060);
}

static struct addr caller_addr(uint8_t peer)
{
	return ip4(0x0a000001u + ((uint32_t)peer << 16));
}

static struct addr gateway_addr(uint32_t gw)
{
	return ip4(0xac100001u + gw);
}

/* ---- Message -> query ---------------------------------------------------------------------------------- */

static uint64_t hash64(const struct lab_weir *w, uint64_t n)
{
	return lb_hash(&w->key, &n, sizeof(n));
}

/* A number of the call's class: country and area, then the subscriber. */
static struct str number_of(const struct lab_call *c, char text[16])
{
	if (c->emergency)
		return STR("112");
	snprintf(text, 16, "+82%02u%07u", c->digits % 100u, (unsigned)(c->id >> 24) % 10000000u);
	return (struct str){ text, 12 };
}

static struct lb_query query(struct lab *l, const struct lab_msg *m, const struct lab_call *c, char text[16])
{
	const struct lab_weir *w = l->weir;
	struct lb_query q = {
		.request = m->request,
		.method = m->method,
		.listener = m->to == TO_WEIR_GATEWAY,
		.has_to_tag = m->to_n > 0,
		.src = m->to == TO_WEIR_GATEWAY ? gateway_addr(m->gw) : caller_addr(c->peer),
		.call_hash = hash64(w, m->call),
		.from_hash = hash64(w, m->call + 1),
		.cseq = 1,
		.to_tag = { m->tag, m->to_n },
		.status = m->status,
		.retry_after_s = m->status == 503 ? (uint32_t)l->scene->hold_off_s : 0,
	};

	if (m->to_n)
		q.to_hash = (uint32_t)lb_hash(&w->key, m->tag, m->to_n);
	if (m->request) {
		q.reply_to = q.src;
		q.via_hash = hash64(w, m->call + (m->method == METHOD_BYE ? 4 : m->token_n ? 3 : 2));
		q.loop_hash = (uint32_t)q.call_hash;
		q.token = (struct str){ m->token, m->token_n };
		q.number = number_of(c, text);
		q.host = STR("example.net");
		q.room = m->method == METHOD_INVITE;
	} else {
		q.via_to = caller_addr(c->peer);
		q.branch = (struct str){ m->branch, m->branch_n };
		q.room = 1;
		q.oc = m->oc;
	}
	return q;
}

/* ---- Action -> message --------------------------------------------------------------------------------- */

/* The call that an action is about; m: the message in hand or NULL. */
static uint64_t about(const struct lab_weir *w, const struct lab_msg *m, const struct lb_act *act)
{
	return m ? m->call : w->kept[act->kept / 2].call;
}

/* to: the To tag. */
static void to_gateway(struct lab *l, uint64_t call, enum method method, const struct lb_act *act,
		       struct str to)
{
	struct lab_msg m = { .to = TO_GATEWAY,
			     .request = 1,
			     .method = (uint8_t)method,
			     .call = call,
			     .gw = act->gateway,
			     .oc_ask = act->oc_ask,
			     .branch_n = act->branch_n,
			     .token_n = act->token_n,
			     .to_n = (uint8_t)to.n };

	memcpy(m.branch, act->branch, act->branch_n);
	memcpy(m.token, act->token, act->token_n);
	memcpy(m.tag, to.p, to.n);
	lab_send(l, &m);
}

static struct lab_msg to_caller(uint64_t call, enum method method, uint16_t status)
{
	return (struct lab_msg){ .to = TO_CALLER, .method = (uint8_t)method, .call = call, .status = status };
}

static void reply(struct lab *l, const struct lab_msg *m, const struct lb_act *act)
{
	struct lab_msg out = to_caller(m->call, m->method, act->status);

	out.to_n = act->to_tag_n;
	memcpy(out.tag, act->to_tag, act->to_tag_n);
	lab_send(l, &out);
}

static void forward(struct lab *l, const struct lab_msg *m, const struct lb_act *act)
{
	struct lab_weir *w = l->weir;
	struct lab_msg out = *m;

	if (m->request) {
		if (m->method == METHOD_INVITE)
			lab_tick(l)->admitted++;
		to_gateway(l, m->call, m->method, act, (struct str){ m->tag, m->to_n });
		return;
	}
	out.to = TO_CALLER;
	if (act->keep_final)
		w->kept[act->kept / 2].final = out;
	lab_send(l, &out);
}

static void answer(struct lab *l, uint64_t call, const struct lb_act *act)
{
	struct lab_msg out = to_caller(call, METHOD_INVITE, act->status);

	out.to_n = act->to_tag_n;
	memcpy(out.tag, act->to_tag, act->to_tag_n);
	if (act->keep_final)
		l->weir->kept[act->kept / 2].final = out;
	lab_send(l, &out);
}

static void act_on(struct lab *l, const struct lab_msg *m, const struct lb_act *act)
{
	struct lab_weir *w = l->weir;

	st_inc(w->lane, act->end);
	switch (act->op) {
	case LB_FORWARD:
		forward(l, m, act);
		break;
	case LB_REPLY:
	case LB_TRYING:
		reply(l, m, act);
		break;
	case LB_KEEP:
		w->kept[act->kept / 2].call = m->call;
		break;
	case LB_KEEP_FINAL:
		w->kept[act->kept / 2].final = *m;
		w->kept[act->kept / 2].final.to = TO_CALLER;
		break;
	case LB_RESEND:
		to_gateway(l, w->kept[act->kept / 2].call, METHOD_INVITE, act, NO_TAG);
		break;
	case LB_RESEND_FINAL:
		lab_send(l, &w->kept[act->kept / 2].final);
		break;
	case LB_ANSWER:
		answer(l, w->kept[act->kept / 2].call, act);
		break;
	case LB_CANCEL:
		to_gateway(l, about(w, m, act), METHOD_CANCEL, act, NO_TAG);
		break;
	case LB_ACK:
		to_gateway(l, about(w, m, act), METHOD_ACK, act, NO_TAG);
		break;
	case LB_FORGET:
	case LB_ABSORB:
	case LB_DROP:
	case LB_TO_CONTROL:
		break;
	}
}

void lab_weir_input(struct lab *l, const struct lab_msg *m)
{
	const struct lab_call *c = lab_call(l, m->call);
	struct lb_act acts[LIMIT_ACTS];
	struct lb_query q;
	char text[16];
	unsigned n;

	if (!c)
		return;
	q = query(l, m, c, text);
	l->inputs++;
	n = lb_input(l->weir->worker, l->weir->snap, &q, clock_of(l), acts);
	for (unsigned i = 0; i < n; i++)
		act_on(l, m, &acts[i]);
}

/* ---- Time ---------------------------------------------------------------------------------------------- */

static void tick(struct lab *l)
{
	struct lab_weir *w = l->weir;
	struct lb_act acts[LIMIT_ACTS];
	unsigned n;

	do {
		n = lb_tick(w->worker, w->snap, clock_of(l), acts, LIMIT_ACTS);
		for (unsigned i = 0; i < n; i++)
			act_on(l, NULL, &acts[i]);
	} while (n);
}

/* A probe of every gateway ends: it has passed both ways at once, or not at all. */
static void probe(struct lab *l)
{
	enum lb_probe_result result = lab_now(l) < l->cut ? LB_PROBE_SILENT : LB_PROBE_OK;

	for (uint32_t i = 0; i < l->scene->gateways; i++)
		lb_govern_probe(l->weir->governor, (uint16_t)i, result, clock_of(l));
	l->weir->probed = lab_now(l);
	if (l->scene->trouble == TROUBLE_FLAPPING && l->phase >= 1 && lab_now(l) >= l->cut + 7 * S)
		l->cut = lab_now(l) + 3 * S;
}

static uint64_t urgent(const struct lab_weir *w)
{
	return st_cell_read(&w->lane->count[ST_URGENT_EMERGENCY]);
}

static void look_at_peers(struct lab *l)
{
	for (uint16_t i = 0; i < LAB_PEERS && l->phase >= 1 && lab_now(l) >= l->settled; i++) {
		l->peer[i].places += lb_peer_calls(l->weir->words, i);
		l->peer[i].steps++;
	}
	l->urgent = urgent(l->weir) - l->weir->urgent_before;
}

static void govern(struct lab *l)
{
	struct lab_weir *w = l->weir;
	struct tick *t = lab_tick(l);
	struct lb_notice notices[MAX_NOTICES];
	unsigned n;

	if (l->scene->probed && lab_now(l) >= w->probed + S)
		probe(l);
	if (lab_now(l) >= w->standstill) {
		n = lb_govern(w->governor, w->snap, clock_of(l), notices, MAX_NOTICES);
		for (unsigned i = 0; i < n; i++) {
			if (notices[i].kind == LB_NOTICE_URGENT)
				l->peer[notices[i].peer].alarms++;
		}
	}
	look_at_peers(l);
	for (uint32_t i = 0; i < l->scene->gateways; i++) {
		struct lb_congestion c;

		lb_congestion(w->governor, (uint16_t)i, &c);
		t->open += (float)c.open;
		t->cap += (float)(c.open_cap == LB_UNLIMITED ? c.open : c.open_cap);
		if (i == 0)
			t->cap0 = (float)(c.open_cap == LB_UNLIMITED ? 0 : c.open_cap);
	}
}

void lab_weir_until(struct lab *l, uint64_t until)
{
	struct lab_weir *w = l->weir;

	while (w->ticked + MS <= until) {
		w->ticked += MS;
		l->base.now = w->ticked;
		tick(l);
		if (w->ticked >= w->governed + LB_STEP_NS && w->ticked < l->end) {
			w->governed = w->ticked;
			govern(l);
		}
	}
	l->base.now = until;
}

void lab_weir_trouble(struct lab *l, enum trouble trouble)
{
	l->weir->urgent_before = urgent(l->weir);
	if (trouble == TROUBLE_CLOCK)
		l->weir->ahead = 60 * S;
	if (trouble == TROUBLE_STANDSTILL)
		l->weir->standstill = lab_now(l) + 5 * S;
}

/* ---- Probes -------------------------------------------------------------------------------------------- */

void lab_weir_probed(struct lab *l, uint16_t gw, uint32_t probe, enum lb_probe_result result)
{
	struct lab_gateway *g = &l->gw[gw];

	if (g->probed && probe == g->probe)
		lb_govern_probe(l->weir->governor, gw, result, g->probed);
	g->probed = probe == g->probe ? 0 : g->probed;
}

/* One that was not answered until the next is due is lost. */
void lab_weir_probe(struct lab *l, uint32_t gw)
{
	lab_weir_probed(l, (uint16_t)gw, l->gw[gw].probe, LB_PROBE_SILENT);
	l->gw[gw].probed = clock_of(l);
	event_add(&l->base, lab_now(l) + S, (enum event_kind)LAB_PROBE, gw);
	lab_gateway_options(l, (uint16_t)gw, ++l->gw[gw].probe);
}

/* ---- Birth and end ------------------------------------------------------------------------------------- */

static void fill_peers(struct lb_peer_spec *peers, struct lb_prefix *prefixes)
{
	for (uint8_t i = 0; i < LAB_PEERS; i++) {
		struct addr a = caller_addr(i);

		peers[i] = (struct lb_peer_spec){ .name = STR("peer"), .slot = i, .when_full = LB_FULL_503 };
		prefixes[i] = (struct lb_prefix){ .len = 128, .peer = i };
		memcpy(prefixes[i].ip, a.ip, 16);
	}
}

static struct lb_snapshot *make_snapshot(const struct lab *l, char (*names)[8])
{
	const struct scene *sc = l->scene;
	struct lb_gateway_spec *gateways = calloc(sc->gateways, sizeof(*gateways));
	struct lb_pool_spec pool = { .name = STR("pool"),
				     .retry_after_s = 5,
				     .attempts = 2,
				     .learn = (uint8_t)sc->learn,
				     .law = (uint8_t)sc->law,
				     .gateway_retry = (uint8_t)sc->retry,
				     .gateway_retry_max_ns = 5 * S,
				     .budget_permille = 100,
				     .after_ns = S,
				     .after_max_ns = 4 * S,
				     .down_after = sc->probed || sc->options ? 3 : 0,
				     .up_after = 2 };
	static const struct str emergency[] = { STR("112") };
	struct lb_peer_spec peers[LAB_PEERS];
	struct lb_prefix prefixes[LAB_PEERS];
	struct lb_route_spec route = {
		.from_peer = LB_NONE, .from_pool = LB_NONE, .method = METHOD_COUNT, .pool = 0
	};
	struct lb_spec spec = {
		.hash_key = { .k = { l->base.rng, 2 }, .id = 1 },
		.key = { .k = { 3, 4 }, .id = 7 },
		.old_key = { .k = { 3, 4 }, .id = 7 },
		.gateways = gateways,
		.pools = &pool,
		.peers = peers,
		.prefixes = prefixes,
		.routes = &route,
		.emergency = emergency,
		.n_emergency = 1,
		.headroom = sc->emergency > 0 ? HEADROOM : 0,
		.n_gateways = sc->gateways,
		.n_pools = 1,
		.n_peers = LAB_PEERS,
		.n_prefixes = LAB_PEERS,
		.n_routes = 1,
	};
	struct lb_snapshot *snap;

	for (uint32_t i = 0; i < sc->gateways; i++) {
		snprintf(names[i], sizeof(names[i]), "gw%u", i % 100000);
		gateways[i] = (struct lb_gateway_spec){ .name = { names[i], (uint32_t)strlen(names[i]) },
							.addr = gateway_addr(i),
							.slot = (uint16_t)i,
							.weight = 10,
							.listener = 1,
							.oc = sc->oc != KIT_OC_OFF,
							.observe = sc->learn == LB_LEARN_OBSERVE };
	}
	fill_peers(peers, prefixes);
	snap = lb_snapshot_init(memory(lb_snapshot_size(&spec)), &spec);
	free(gateways);
	if (!snap)
		abort();
	return snap;
}

static void set_limits(const struct lab *l, struct lab_weir *w)
{
	const struct scene *sc = l->scene;

	for (uint32_t i = 0; i < sc->gateways; i++) {
		if (sc->max_cps > 0)
			lb_set_gateway_cps(w->words, (uint16_t)i,
					   (uint32_t)(sc->max_cps * l->capacity / sc->gateways));
		if (sc->max_calls)
			lb_set_gateway_calls(w->words, (uint16_t)i, sc->max_calls);
	}
	for (uint16_t i = 0; sc->max_urgent && i < LAB_PEERS; i++)
		lb_set_peer_urgent(w->words, i, sc->max_urgent);
}

struct lab_weir *lab_weir_new(struct lab *l)
{
	struct lab_weir *w = calloc(1, sizeof(*w));
	const struct lb_worker *workers[1];
	uint32_t n = l->scene->gateways;
	struct lb_worker_spec spec = {
		.timers = { .t1 = T1,
			    .t2 = T2,
			    .t4 = 5 * S,
			    .b = TIMEOUT,
			    .c = 180 * S,
			    .d = 32 * S,
			    .release = 32 * S,
			    .max_call = 14400 * S,
			    .session_min = 90 * S },
		.setups = SETUPS,
		/* The sum of all limits and a quarter more; without any limit calls go uncounted. */
		.calls = 16 + l->scene->max_calls * n * 5 / 4,
		.pins = 1024,
		.pin_ns = 32 * S,
		.ringing_ns = 212 * S,
	};

	w->names = calloc(n, sizeof(*w->names));
	w->words = lb_words_init(memory(lb_words_size()));
	w->snap = make_snapshot(l, w->names);
	w->key = *lb_snapshot_key(w->snap);
	w->lane = st_lane_init(memory(st_lane_size(n, LAB_PEERS)), "0", n, LAB_PEERS);
	w->kept = calloc(SETUPS, sizeof(*w->kept));
	w->ticked = w->governed = lab_now(l);
	spec.words = w->words;
	spec.lane = w->lane;
	w->worker = lb_worker_init(memory(lb_worker_size(&spec)), &spec, lab_now(l));
	workers[0] = w->worker;
	w->governor = lb_governor_init(memory(lb_governor_size(n, 1)), n, w->words, workers, 1, lab_now(l));
	set_limits(l, w);
	return w;
}

void lab_weir_free(struct lab_weir *w)
{
	free(w->governor);
	free(w->worker);
	free(w->lane);
	free(w->kept);
	free(w->snap);
	free(w->words);
	free(w->names);
	free(w);
}
