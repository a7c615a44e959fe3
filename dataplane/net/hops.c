/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The next-hop table: control builds it, workers only read it. A lookup takes one hash probe for a resolved
 * neighbour; for all others it tries the prefix lengths that occur in the destination's family, longest
 * first, one probe each. Must stay true: nothing in a built table ever changes; every hash has a free slot.
 */
#include "dataplane/net/net.h"

#include <errno.h>
#include <stdlib.h>

/* One way out, shared by all destinations behind it. */
struct via {
	struct net_hop hop; /* READY if the router's MAC is known; on link UNRESOLVED */
	struct addr router; /* all zero: on link */
};

/* An IP address as two words, for masking and comparing; bytes stay in network order. */
struct key {
	uint64_t w[2];
};

/* A prefix in 128-bit space (IPv4 mapped, so /24 is 120 bits) and its equally good ways. */
struct prefix {
	struct key ip;
	uint32_t via;  /* first of `ways` in vias[] */
	uint16_t ways; /* 0: empty slot of the hash */
	uint8_t bits;
	uint8_t v6;
};

/* Hashed by address alone; the same address may be on several ports. */
struct neigh {
	struct key ip;
	uint8_t mac[NET_MAC];
	uint8_t port;
	uint8_t state; /* enum neigh_state */
};

enum neigh_state {
	FREE,
	KNOWN,  /* a route may lead to it */
	DIRECT, /* packets to it do go to it, over this port: no need to look at routes */
};

/* A prefix length that occurs. */
struct length {
	struct key mask;
	uint8_t bits;
};

struct net_hops {
	struct length lengths[2][129]; /* by v6: longest first */
	uint16_t n_lengths[2];
	uint32_t prefix_mask; /* slots of the hashes minus one */
	uint32_t neigh_mask;
	uint32_t n_gateways;
	uint32_t n_vias; /* grows while the table is built */
	struct net_hop none;
	struct via *vias;
	struct prefix *prefixes;
	struct neigh *neighs;
	struct net_hop *gateways;
	struct via fallback[LIMIT_PORTS]
			   [2]; /* by port and v6: its own gateway, of hop NET_HOP_NONE without one */
	const struct via *any_fallback[2]; /* by v6: that of the first port that has one, or NULL */
	uint8_t macs[LIMIT_PORTS][NET_MAC];
};

/* A route while the table is built. */
struct draft {
	struct key ip;
	struct addr router;
	uint32_t metric;
	uint8_t bits, v6, port;
};

static uint64_t hash_key(struct key k, uint64_t salt)
{
	uint64_t a = (k.w[0] ^ salt) * 0x9e3779b97f4a7c15u;
	uint64_t b = (k.w[1] ^ (a >> 29)) * 0xbf58476d1ce4e5b9u;

	b = (b ^ (a >> 32) ^ (b >> 30)) * 0x94d049bb133111ebu;
	return b ^ (b >> 31);
}

static struct key key_of(const struct addr *a)
{
	struct key k;

	memcpy(&k, a->ip, sizeof(k));
	return k;
}

static struct key and_key(struct key a, struct key b)
{
	return (struct key){ { a.w[0] & b.w[0], a.w[1] & b.w[1] } };
}

static bool same_key(struct key a, struct key b)
{
	return ((a.w[0] ^ b.w[0]) | (a.w[1] ^ b.w[1])) == 0;
}

/* The first `bits` bits set. */
static struct key mask_of(unsigned bits)
{
	uint8_t m[16] = { 0 };
	struct key k;

	memset(m, 0xff, bits / 8);
	if (bits % 8)
		m[bits / 8] = (uint8_t)(0xff00 >> (bits % 8));
	memcpy(&k, m, sizeof(k));
	return k;
}

static bool is_zero(const struct addr *a)
{
	static const struct addr zero;
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->ip, zero.ip, 16) == 0 || (!a->v6 && memcmp(a->ip, any4, 16) == 0);
}

static const struct prefix *find_prefix(const struct net_hops *h, struct key ip, uint8_t v6)
{
	for (unsigned i = 0; i < h->n_lengths[v6]; i++) {
		const struct length *len = &h->lengths[v6][i];
		struct key masked = and_key(ip, len->mask);

		for (uint64_t s = hash_key(masked, len->bits);; s++) {
			const struct prefix *p = &h->prefixes[s & h->prefix_mask];

			if (p->ways == 0)
				break;
			if (p->bits == len->bits && p->v6 == v6 && same_key(p->ip, masked))
				return p;
		}
	}
	return NULL;
}

/* Where no route leads: the gateway of the port that the sender is on, else of any port. */
static const struct via *find_fallback(const struct net_hops *h, uint8_t v6, uint8_t from)
{
	const struct via *own = &h->fallback[from][v6];

	return own->hop.state != NET_HOP_NONE ? own : h->any_fallback[v6];
}

static const struct via *find_via(const struct net_hops *h, const struct addr *dst, uint8_t from)
{
	struct key ip = key_of(dst);
	const struct prefix *p = find_prefix(h, ip, dst->v6);

	if (p == NULL)
		return find_fallback(h, dst->v6, from);
	if (p->ways == 1)
		return &h->vias[p->via];
	return &h->vias[p->via + hash_key(ip, 0) % p->ways];
}

/* The neighbour with this address on this port, else the free slot where it would be. */
static struct neigh *find_neigh(const struct net_hops *h, struct key ip, uint8_t port)
{
	for (uint64_t s = hash_key(ip, 0);; s++) {
		struct neigh *n = &h->neighs[s & h->neigh_mask];

		if (n->state == FREE || (n->port == port && same_key(n->ip, ip)))
			return n;
	}
}

static const struct neigh *find_direct(const struct net_hops *h, struct key ip)
{
	for (uint64_t s = hash_key(ip, 0);; s++) {
		const struct neigh *n = &h->neighs[s & h->neigh_mask];

		if (n->state == FREE)
			return NULL;
		if (n->state == DIRECT && same_key(n->ip, ip))
			return n;
	}
}

/* Complete a hop with the MAC of ip, if the kernel knows it. */
static void resolve(const struct net_hops *h, const struct addr *ip, struct net_hop *hop)
{
	const struct neigh *n = find_neigh(h, key_of(ip), hop->port);

	if (n->state != FREE) {
		memcpy(hop->dmac, n->mac, NET_MAC);
		hop->state = NET_HOP_READY;
	}
}

enum net_hop_state net_hop_find(const struct net_hops *hops, const struct addr *dst, uint8_t from,
				struct net_hop *out)
{
	const struct neigh *n = find_direct(hops, key_of(dst));
	const struct via *via;

	if (n) {
		*out = (struct net_hop){ .port = n->port, .state = NET_HOP_READY };
		memcpy(out->dmac, n->mac, NET_MAC);
		memcpy(out->smac, hops->macs[n->port], NET_MAC);
		return NET_HOP_READY;
	}
	via = find_via(hops, dst, from);
	*out = via ? via->hop : hops->none;
	return out->state;
}

const struct net_hop *net_hop_gateway(const struct net_hops *hops, uint32_t slot)
{
	return slot < hops->n_gateways ? &hops->gateways[slot] : &hops->none;
}

bool net_hop_via(const struct net_hops *hops, const struct addr *dst, uint8_t from, struct addr *via,
		 uint8_t *port)
{
	const struct via *v = find_via(hops, dst, from);

	if (v == NULL)
		return false;
	*via = is_zero(&v->router) ? *dst : v->router;
	via->port = 0;
	*port = v->hop.port;
	return true;
}

/* ---- Building: control thread ---- */

/* Family, length (longest first), prefix, metric: equal prefixes come together, their best way first. */
static int cmp_draft(const void *x, const void *y)
{
	const struct draft *a = x, *b = y;
	int d = a->v6 != b->v6 ? a->v6 - b->v6 : b->bits - a->bits;

	if (d == 0)
		d = memcmp(&a->ip, &b->ip, sizeof(a->ip));
	if (d == 0)
		d = (a->metric > b->metric) - (a->metric < b->metric);
	if (d == 0)
		d = a->port - b->port;
	return d ? d : memcmp(&a->router, &b->router, sizeof(a->router));
}

static bool same_prefix(const struct draft *a, const struct draft *b)
{
	return a->v6 == b->v6 && a->bits == b->bits && same_key(a->ip, b->ip);
}

static void add_draft(struct draft *d, uint32_t *n, const struct addr *prefix, uint8_t len, uint8_t port,
		      const struct addr *router, uint32_t metric)
{
	struct draft *x = &d[(*n)++];

	x->v6 = prefix->v6;
	x->bits = prefix->v6 ? len : len + 96;
	x->ip = and_key(key_of(prefix), mask_of(x->bits));
	x->port = port;
	x->router = router && !is_zero(router) ? *router : (struct addr){ 0 };
	x->metric = metric;
}

/* All routes there are: the kernel's, and the networks of own addresses with a metric that loses to every
 * other. */
static uint32_t collect(const struct net_hops_plan *plan, struct draft *d)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < plan->n_routes; i++) {
		const struct net_route *r = &plan->routes[i];

		add_draft(d, &n, &r->prefix, r->len, r->port, &r->gateway, r->metric);
	}
	for (uint32_t i = 0; i < plan->n_ports; i++) {
		const struct net_hops_port *p = &plan->ports[i];
		uint32_t last = UINT32_MAX - plan->n_ports + i;

		for (uint32_t k = 0; k < p->n_prefixes; k++)
			add_draft(d, &n, &p->prefixes[k].addr, p->prefixes[k].len, (uint8_t)i, NULL, last);
	}
	qsort(d, n, sizeof(*d), cmp_draft);
	return n;
}

static void insert_prefix(struct net_hops *h, const struct draft *d, uint32_t via, uint16_t ways)
{
	uint16_t *n = &h->n_lengths[d->v6];
	uint64_t s = hash_key(d->ip, d->bits);
	struct prefix *p;

	while ((p = &h->prefixes[s & h->prefix_mask])->ways)
		s++;
	*p = (struct prefix){ .ip = d->ip, .via = via, .ways = ways, .bits = d->bits, .v6 = d->v6 };
	if (*n == 0 || h->lengths[d->v6][*n - 1].bits != d->bits)
		h->lengths[d->v6][(*n)++] = (struct length){ .mask = mask_of(d->bits), .bits = d->bits };
}

static void fill_via(const struct net_hops *h, const struct net_hops_plan *plan, uint8_t port,
		     const struct addr *router, struct via *v)
{
	v->hop = (struct net_hop){ .port = port, .state = NET_HOP_UNRESOLVED };
	memcpy(v->hop.smac, plan->ports[port].mac, NET_MAC);
	v->router = *router;
	if (!is_zero(router))
		resolve(h, router, &v->hop);
}

static void fill_fallback(struct net_hops *h, const struct net_hops_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_ports; i++) {
		const struct addr *routers[2] = { &plan->ports[i].gateway4, &plan->ports[i].gateway6 };

		for (unsigned v6 = 0; v6 < 2; v6++) {
			if (is_zero(routers[v6]))
				continue;
			fill_via(h, plan, (uint8_t)i, routers[v6], &h->fallback[i][v6]);
			if (!h->any_fallback[v6])
				h->any_fallback[v6] = &h->fallback[i][v6];
		}
	}
}

/* Turn sorted drafts into prefixes, each with the ways of its lowest metric. */
static void fill_routes(struct net_hops *h, const struct net_hops_plan *plan, const struct draft *d,
			uint32_t n)
{
	for (uint32_t i = 0, next; i < n; i = next) {
		uint32_t first = h->n_vias;

		for (next = i; next < n && same_prefix(&d[i], &d[next]); next++) {
			struct via *v = &h->vias[h->n_vias];

			if (d[next].metric != d[i].metric || h->n_vias - first == UINT16_MAX)
				continue;
			fill_via(h, plan, d[next].port, &d[next].router, v);
			h->n_vias++;
		}
		insert_prefix(h, &d[i], first, (uint16_t)(h->n_vias - first));
	}
}

static void fill_neighs(struct net_hops *h, const struct net_hops_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_neighs; i++) {
		const struct net_neigh *x = &plan->neighs[i];
		struct neigh *n = find_neigh(h, key_of(&x->ip), x->port);

		*n = (struct neigh){ .ip = key_of(&x->ip), .port = x->port, .state = KNOWN };
		memcpy(n->mac, x->mac, NET_MAC);
	}
}

/* After the routes: find the neighbours that packets to them really reach on link. */
static void mark_direct(struct net_hops *h, const struct net_hops_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_neighs; i++) {
		const struct net_neigh *x = &plan->neighs[i];
		const struct via *v = find_via(h, &x->ip, x->port);

		if (v && is_zero(&v->router) && v->hop.port == x->port)
			find_neigh(h, key_of(&x->ip), x->port)->state = DIRECT;
	}
}

/* Slots of a hash for n entries: a power of two, at most half full. */
static uint32_t slots_for(uint32_t n)
{
	uint32_t slots = 16;

	while (slots < 2 * n)
		slots *= 2;
	return slots;
}

/* Count every way a table may need; UINT32_MAX if a port or prefix length is out of range. */
static uint32_t count_ways(const struct net_hops_plan *plan)
{
	uint32_t n = plan->n_routes;

	if (plan->n_ports > LIMIT_PORTS)
		return UINT32_MAX;
	for (uint32_t i = 0; i < plan->n_routes; i++) {
		const struct net_route *r = &plan->routes[i];

		if (r->port >= plan->n_ports || r->len > (r->prefix.v6 ? 128 : 32))
			return UINT32_MAX;
	}
	for (uint32_t i = 0; i < plan->n_neighs; i++)
		if (plan->neighs[i].port >= plan->n_ports)
			return UINT32_MAX;
	for (uint32_t i = 0; i < plan->n_ports; i++) {
		n += plan->ports[i].n_prefixes;
		for (uint32_t k = 0; k < plan->ports[i].n_prefixes; k++)
			if (plan->ports[i].prefixes[k].len > (plan->ports[i].prefixes[k].addr.v6 ? 128 : 32))
				return UINT32_MAX;
	}
	return n;
}

static struct net_hops *allocate(const struct net_hops_plan *plan, uint32_t ways)
{
	uint32_t prefixes = slots_for(ways), neighs = slots_for(plan->n_neighs);
	struct net_hops *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return NULL;
	h->vias = calloc(ways + 1u, sizeof(*h->vias));
	h->prefixes = calloc(prefixes, sizeof(*h->prefixes));
	h->neighs = calloc(neighs, sizeof(*h->neighs));
	h->gateways = calloc(plan->n_gateways + 1u, sizeof(*h->gateways));
	h->prefix_mask = prefixes - 1;
	h->neigh_mask = neighs - 1;
	h->n_gateways = plan->n_gateways;
	for (uint32_t i = 0; i < plan->n_ports; i++)
		memcpy(h->macs[i], plan->ports[i].mac, NET_MAC);
	if (h->vias == NULL || h->prefixes == NULL || h->neighs == NULL || h->gateways == NULL) {
		net_hops_free(h);
		return NULL;
	}
	return h;
}

struct net_hops *net_hops_build(const struct net_hops_plan *plan)
{
	uint32_t ways = count_ways(plan), n;
	struct net_hops *h = NULL;
	struct draft *d;

	if (ways == UINT32_MAX) {
		errno = EINVAL;
		return NULL;
	}
	d = calloc(ways + 1u, sizeof(*d));
	if (d == NULL)
		return NULL;
	h = allocate(plan, ways);
	if (h == NULL)
		goto out;
	n = collect(plan, d);
	fill_neighs(h, plan);
	fill_routes(h, plan, d, n);
	fill_fallback(h, plan);
	mark_direct(h, plan);
	for (uint32_t i = 0; i < plan->n_gateways; i++)
		if (!is_zero(&plan->gateways[i]))
			net_hop_find(h, &plan->gateways[i], plan->gateway_ports[i], &h->gateways[i]);
out:
	free(d);
	return h;
}

void net_hops_free(struct net_hops *hops)
{
	if (hops == NULL)
		return;
	free(hops->vias);
	free(hops->prefixes);
	free(hops->neighs);
	free(hops->gateways);
	free(hops);
}
