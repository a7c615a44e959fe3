/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The next-hop table: control builds it in one block of memory, workers only read it. A lookup tries the
 * prefix lengths that occur in the destination's family, longest first, one hash probe each, and then, on
 * link, the neighbours. Must stay true: nothing in a built table ever changes; indexes stay inside the block.
 */
#include "dataplane/net/net.h"

#include <errno.h>
#include <stdlib.h>

/* One way out, shared by all destinations behind it. */
struct via {
	struct net_hop hop; /* READY once the router's MAC is known; on link UNRESOLVED, the neighbour decides */
	struct addr router; /* all zero: on link */
};

/* A prefix in 128-bit space (IPv4 mapped, so /24 is 120 bits) and its equally good ways. */
struct prefix {
	uint8_t ip[16];
	uint32_t via;  /* first of `ways` in vias[] */
	uint16_t ways; /* 0: empty slot of the hash */
	uint8_t bits;
	uint8_t v6;
};

struct neigh {
	uint8_t ip[16];
	uint8_t mac[NET_MAC];
	uint8_t port;
	uint8_t used;
};

struct net_hops {
	uint8_t bits[2][130];   /* by v6: prefix lengths that occur, longest first */
	uint16_t n_bits[2];
	uint32_t prefix_mask;   /* slots of the hashes minus one */
	uint32_t neigh_mask;
	uint32_t n_gateways;
	uint32_t n_vias;        /* grows while the table is built */
	struct net_hop none;
	struct via *vias;
	struct prefix *prefixes;
	struct neigh *neighs;
	struct net_hop *gateways;
};

/* A route while the table is built. */
struct draft {
	uint8_t ip[16];
	struct addr router;
	uint32_t metric;
	uint8_t bits, v6, port;
};

static uint64_t hash_ip(const uint8_t *ip, uint64_t salt)
{
	uint64_t a, b;

	memcpy(&a, ip, 8);
	memcpy(&b, ip + 8, 8);
	a = (a ^ salt) * 0x9e3779b97f4a7c15u;
	b = (b ^ (a >> 29)) * 0xbf58476d1ce4e5b9u;
	b = (b ^ (a >> 32) ^ (b >> 30)) * 0x94d049bb133111ebu;
	return b ^ (b >> 31);
}

/* Copy ip with everything after the first `bits` bits cleared. */
static void mask_ip(uint8_t *out, const uint8_t *ip, unsigned bits)
{
	unsigned whole = bits / 8;

	memset(out, 0, 16);
	memcpy(out, ip, whole);
	if (bits % 8)
		out[whole] = ip[whole] & (uint8_t)(0xff00 >> (bits % 8));
}

static bool is_zero(const struct addr *a)
{
	static const struct addr zero;
	static const uint8_t any4[16] = { [10] = 0xff, [11] = 0xff };

	return memcmp(a->ip, zero.ip, 16) == 0 || (!a->v6 && memcmp(a->ip, any4, 16) == 0);
}

static const struct prefix *find_prefix(const struct net_hops *h, const uint8_t *ip, uint8_t v6)
{
	for (unsigned i = 0; i < h->n_bits[v6]; i++) {
		uint8_t bits = h->bits[v6][i], key[16];

		mask_ip(key, ip, bits);
		for (uint64_t s = hash_ip(key, bits);; s++) {
			const struct prefix *p = &h->prefixes[s & h->prefix_mask];

			if (p->ways == 0)
				break;
			if (p->bits == bits && p->v6 == v6 && memcmp(p->ip, key, 16) == 0)
				return p;
		}
	}
	return NULL;
}

static const struct via *find_via(const struct net_hops *h, const struct addr *dst)
{
	const struct prefix *p = find_prefix(h, dst->ip, dst->v6);

	if (p == NULL)
		return NULL;
	if (p->ways == 1)
		return &h->vias[p->via];
	return &h->vias[p->via + hash_ip(dst->ip, 0) % p->ways];
}

static struct neigh *neigh_slot(const struct net_hops *h, const uint8_t *ip, uint8_t port)
{
	for (uint64_t s = hash_ip(ip, port);; s++) {
		struct neigh *n = &h->neighs[s & h->neigh_mask];

		if (!n->used || (n->port == port && memcmp(n->ip, ip, 16) == 0))
			return n;
	}
}

/* Complete a hop with the MAC of ip, if the kernel knows it. */
static void resolve(const struct net_hops *h, const uint8_t *ip, struct net_hop *hop)
{
	const struct neigh *n = neigh_slot(h, ip, hop->port);

	if (n->used) {
		memcpy(hop->dmac, n->mac, NET_MAC);
		hop->state = NET_HOP_READY;
	}
}

enum net_hop_state net_hop_find(const struct net_hops *hops, const struct addr *dst, struct net_hop *out)
{
	const struct via *via = find_via(hops, dst);

	*out = via ? via->hop : hops->none;
	if (via && is_zero(&via->router))
		resolve(hops, dst->ip, out);
	return out->state;
}

const struct net_hop *net_hop_gateway(const struct net_hops *hops, uint32_t slot)
{
	return slot < hops->n_gateways ? &hops->gateways[slot] : &hops->none;
}

bool net_hop_via(const struct net_hops *hops, const struct addr *dst, struct addr *via, uint8_t *port)
{
	const struct via *v = find_via(hops, dst);

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
		d = memcmp(a->ip, b->ip, 16);
	if (d == 0)
		d = (a->metric > b->metric) - (a->metric < b->metric);
	if (d == 0)
		d = a->port - b->port;
	return d ? d : memcmp(&a->router, &b->router, sizeof(a->router));
}

static bool same_prefix(const struct draft *a, const struct draft *b)
{
	return a->v6 == b->v6 && a->bits == b->bits && memcmp(a->ip, b->ip, 16) == 0;
}

static void add_draft(struct draft *d, uint32_t *n, const struct addr *prefix, uint8_t len, uint8_t port,
		      const struct addr *router, uint32_t metric)
{
	struct draft *x = &d[(*n)++];

	x->v6 = prefix->v6;
	x->bits = prefix->v6 ? len : len + 96;
	mask_ip(x->ip, prefix->ip, x->bits);
	x->port = port;
	x->router = router && !is_zero(router) ? *router : (struct addr){ 0 };
	x->metric = metric;
}

/*
 * All routes there are: the kernel's, the networks of own addresses, and the ports' own gateways with a
 * metric that loses to every other, the first port's gateway winning among them.
 */
static uint32_t collect(const struct net_hops_plan *plan, struct draft *d)
{
	struct addr any4 = addr_v4(0, 0), any6 = { .v6 = 1 };
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
		if (!is_zero(&p->gateway4))
			add_draft(d, &n, &any4, 0, (uint8_t)i, &p->gateway4, last);
		if (!is_zero(&p->gateway6))
			add_draft(d, &n, &any6, 0, (uint8_t)i, &p->gateway6, last);
	}
	qsort(d, n, sizeof(*d), cmp_draft);
	return n;
}

static void insert_prefix(struct net_hops *h, const struct draft *d, uint32_t via, uint16_t ways)
{
	struct prefix *p;
	uint64_t s = hash_ip(d->ip, d->bits);

	while ((p = &h->prefixes[s & h->prefix_mask])->ways)
		s++;
	*p = (struct prefix){ .via = via, .ways = ways, .bits = d->bits, .v6 = d->v6 };
	memcpy(p->ip, d->ip, 16);
	if (h->n_bits[d->v6] == 0 || h->bits[d->v6][h->n_bits[d->v6] - 1] != d->bits)
		h->bits[d->v6][h->n_bits[d->v6]++] = d->bits;
}

/* Turn sorted drafts into prefixes, each with the ways of its lowest metric. */
static void fill_routes(struct net_hops *h, const struct net_hops_plan *plan, const struct draft *d, uint32_t n)
{
	for (uint32_t i = 0, next; i < n; i = next) {
		uint32_t first = h->n_vias;

		for (next = i; next < n && same_prefix(&d[i], &d[next]); next++) {
			struct via *v = &h->vias[h->n_vias];

			if (d[next].metric != d[i].metric || h->n_vias - first == UINT16_MAX)
				continue;
			v->hop = (struct net_hop){ .port = d[next].port, .state = NET_HOP_UNRESOLVED };
			memcpy(v->hop.smac, plan->ports[d[next].port].mac, NET_MAC);
			v->router = d[next].router;
			if (!is_zero(&v->router))
				resolve(h, v->router.ip, &v->hop);
			h->n_vias++;
		}
		insert_prefix(h, &d[i], first, (uint16_t)(h->n_vias - first));
	}
}

static void fill_neighs(struct net_hops *h, const struct net_hops_plan *plan)
{
	for (uint32_t i = 0; i < plan->n_neighs; i++) {
		const struct net_neigh *x = &plan->neighs[i];
		struct neigh *n = neigh_slot(h, x->ip.ip, x->port);

		memcpy(n->ip, x->ip.ip, 16);
		memcpy(n->mac, x->mac, NET_MAC);
		n->port = x->port;
		n->used = 1;
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

	for (uint32_t i = 0; i < plan->n_routes; i++) {
		const struct net_route *r = &plan->routes[i];

		if (r->port >= plan->n_ports || r->len > (r->prefix.v6 ? 128 : 32))
			return UINT32_MAX;
	}
	for (uint32_t i = 0; i < plan->n_neighs; i++)
		if (plan->neighs[i].port >= plan->n_ports)
			return UINT32_MAX;
	for (uint32_t i = 0; i < plan->n_ports; i++) {
		n += plan->ports[i].n_prefixes + 2;
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
	for (uint32_t i = 0; i < plan->n_gateways; i++)
		if (!is_zero(&plan->gateways[i]))
			net_hop_find(h, &plan->gateways[i], &h->gateways[i]);
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
