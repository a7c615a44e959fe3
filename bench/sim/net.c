/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network between callers, Weir and gateways: every datagram may be lost, come twice, or overtake
 * another. Callers are 10.p.x.y (p: their peer), gateways 172.16.x.y, Weir's two listeners 203.0.113.1 and
 * .2.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include "bench/sim/sim.h"

#define DUPLICATED 0.005
#define LATE       0.01 /* of messages are up to half a second late */

struct addr net_gateway_addr(uint32_t i)
{
	return addr_v4(htonl(0xac100000u + i), 5060);
}

struct addr net_listener_addr(uint32_t i)
{
	return addr_v4(htonl(0xcb007101u + i), 5060);
}

int net_gateway(const struct sim *s, const struct addr *a)
{
	uint32_t i = ntohl(addr_ip4_be(a)) - 0xac100000u;

	return i < s->n_gw ? (int)i : -1;
}

int net_listener(const struct addr *a)
{
	uint32_t i = ntohl(addr_ip4_be(a)) - 0xcb007101u;

	return i < 2 ? (int)i : -1;
}

struct tag net_tag(struct sim *s)
{
	struct tag t = { .n = 9, .p = "t" };
	uint64_t id = ++s->ids;

	memcpy(t.p + 1, &id, 8);
	return t;
}

bool tag_eq(const struct tag *a, const struct tag *b)
{
	return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

struct sim_call *net_call(struct sim *s, const struct msg *m)
{
	uint32_t i = m->call_id & 0xffffff;
	struct sim_call *c;

	if (i >= s->calls.n_chunks * POOL_CHUNK)
		return NULL;
	c = call_at(s, i);
	return c->id == m->call_id ? c : NULL;
}

struct msg net_response(const struct msg *q, uint16_t status, const struct tag *to)
{
	struct msg r = *q;

	r.request = 0;
	r.status = status;
	r.src = q->dst;
	r.dst = q->src;
	r.session_s = 0;
	r.target = (struct addr){ 0 };
	if (to && !r.to.n && status > 100)
		r.to = *to;
	return r;
}

/* ---- Sight --------------------------------------------------------------------------------------------- */

bool net_traced(const struct sim *s, uint64_t call_id)
{
	return s->o.trace && call_id >> 24 == s->o.trace;
}

static const char *host(const struct sim *s, const struct addr *a, char out[24])
{
	uint32_t ip = ntohl(addr_ip4_be(a));

	if (net_listener(a) >= 0)
		snprintf(out, 24, "weir%d", net_listener(a));
	else if (net_gateway(s, a) >= 0)
		snprintf(out, 24, "gw%d", net_gateway(s, a));
	else
		snprintf(out, 24, "%u.%u.%u.%u:%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255,
			 a->port);
	return out;
}

void net_trace(const struct sim *s, const struct msg *m, const char *what)
{
	static const char *const methods[METHOD_COUNT] = {
		"OTHER",
#define METHOD(name, text) text,
#include "conf/methods.def"
#undef METHOD
	};
	char a[24], b[24], start[40];

	if (!net_traced(s, m->call_id))
		return;
	if (m->request)
		snprintf(start, sizeof(start), "%s%s", m->lost ? "ICMP " : "", methods[m->method]);
	else
		snprintf(start, sizeof(start), "%u to %s", m->status, methods[m->method]);
	printf("%14.6f %-8s %16s -> %-16s %-16s cseq %u via %llx to %02x%02x branch %.12s%s\n",
	       (double)s->now / 1e9, what, host(s, &m->src, a), host(s, &m->dst, b), start, m->cseq,
	       (unsigned long long)m->via >> 24, m->to.n ? (unsigned)m->to.p[2] & 255 : 0,
	       m->to.n ? (unsigned)m->to.p[1] & 255 : 0, m->branch_n ? m->branch + m->branch_n - 12 : "-",
	       m->token_n ? " token" : "");
}

/* ---- Sending ------------------------------------------------------------------------------------------- */

static void deliver(struct sim *s, const struct msg *m)
{
	uint64_t delay = 2 * MS + chance_exp(s, 5.0 * MS);
	uint32_t i = pool_take(&s->msgs);

	if (chance(s, LATE))
		delay += chance_span(s, 0, 500 * MS);
	*msg_at(s, i) = *m;
	event_add(s, s->now + delay, EV_MSG, i);
}

void net_send(struct sim *s, const struct msg *m)
{
	s->f.sent++;
	if (chance(s, s->o.loss)) {
		s->f.dropped++;
		net_trace(s, m, "lost");
		return;
	}
	net_trace(s, m, "sent");
	deliver(s, m);
	if (s->o.loss > 0 && chance(s, DUPLICATED)) {
		s->f.doubled++;
		deliver(s, m);
	}
}

/* Finds the dialog that a request to this side of c belongs to. */
static struct where find_dialog(struct sim *s, struct sim_call *c, uint8_t side, const struct tag *to,
				uint32_t gw)
{
	struct where at = { .c = c, .side = side };

	for (at.leg = c->leg; at.leg != NONE; at.leg = at.l->next) {
		at.l = leg_at(s, at.leg);
		if (side == 1 && (at.l->gw != gw || at.l->epoch != s->gw[gw].epoch))
			continue;
		for (at.fork = 0; at.fork < at.l->forks; at.fork++) {
			at.d = &at.l->d[at.fork];
			if (tag_eq(&at.d->to, to))
				return at;
		}
	}
	at.d = NULL;
	at.l = NULL;
	return at;
}

static bool from_caller(const struct sim_call *c, const struct msg *m)
{
	return tag_eq(&m->from, &c->tag);
}

/* A request for a user agent: the caller's side if it comes from the other one. */
static void request_for_agent(struct sim *s, struct sim_call *c, const struct msg *m, int gw)
{
	struct where at;

	if (from_caller(c, m) && gw >= 0 && (!m->to.n || m->method == METHOD_CANCEL)) {
		gateway_request(s, c, m, (uint32_t)gw);
		return;
	}
	at = from_caller(c, m) ? find_dialog(s, c, 1, &m->to, (uint32_t)gw)
			       : find_dialog(s, c, 0, &m->from, 0);
	if (from_caller(c, m) && m->method == METHOD_ACK && (!at.d || m->branch_n)) {
		gateway_request(s, c, m, (uint32_t)gw); /* of a refused INVITE, or of a 2xx */
		if (!at.d)
			return;
	}
	if (at.side == 0 && c->flags & SIM_VANISHED)
		return;
	if (at.d && dialog_is_dead(s, &at))
		at.d = NULL;
	dialog_request(s, &at, m);
}

static void response_for_agent(struct sim *s, struct sim_call *c, const struct msg *m, int gw)
{
	const struct where at = { .c = c };
	uint32_t t;

	if (from_caller(c, m) && dialog_is_dead(s, &at))
		return;
	t = txn_find(s, m);
	if (m->method == METHOD_CANCEL || (t != NONE && txn_at(s, t)->leg == NONE))
		caller_response(s, c, m);
	else if (t != NONE)
		dialog_response(s, t, m);
}

/* Nobody listens at the gateway: the INVITE comes back, if ICMP comes through. */
static void come_back(struct sim *s, const struct msg *m)
{
	struct msg back = *m;

	if (m->method != METHOD_INVITE || !m->request || m->to.n || chance(s, 0.3))
		return;
	s->f.came_back++;
	back.src = m->dst;
	back.dst = m->src;
	back.lost = 1;
	net_send(s, &back);
}

void net_arrive(struct sim *s, uint32_t msg)
{
	struct msg m = *msg_at(s, msg);
	int gw = net_gateway(s, &m.dst);
	struct sim_call *c;

	pool_give(&s->msgs, msg);
	if (net_listener(&m.dst) >= 0) {
		weir_input(s, &m);
		return;
	}
	if (gw >= 0 && s->gw[gw].down) {
		if (s->gw[gw].unreachable)
			come_back(s, &m);
		return;
	}
	c = net_call(s, &m);
	if (!c)
		return;
	if (m.request)
		request_for_agent(s, c, &m, gw);
	else
		response_for_agent(s, c, &m, gw);
}
