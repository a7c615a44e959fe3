/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Brings the packet path up and down: EAL, pools, ports, rings, workers, in this order and back.
 * Runs on the control thread, which is EAL's main lcore; worker i is lcore i + 1.
 * Must stay true: every queue and every ring has one producer and one consumer; a worker's memory is on its
 * own NUMA node.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_launch.h>
#include <rte_malloc.h>

#include "dataplane/worker.h"

#define MBUFS 16384 /* of one worker: its queues' descriptors, its rings, and bursts on their way */

static void explain(char *err, size_t n, const char *what, const char *name, int rc)
{
	snprintf(err, n, "%s %s: %s", what, name, strerror(rc < 0 ? -rc : rc));
}

static struct rte_ring *new_ring(const char *kind, uint32_t a, uint32_t b, int numa)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s.%u.%u", kind, a, b);
	return rte_ring_create(name, DP_RING, numa, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int start_eal(struct dp *dp, const struct dp_plan *plan)
{
	struct net_eal_plan eal = plan->eal;
	int rc;

	dp->eal = calloc(1, sizeof(*dp->eal));
	if (!dp->eal)
		return -ENOMEM;
	net_eal_detect(&eal);
	rc = net_eal_args(&eal, dp->eal);
	if (!rc)
		rc = net_eal_start(dp->eal);
	if (rc) {
		free(dp->eal);
		dp->eal = NULL;
	}
	return rc;
}

static int make_pools(struct dp *dp, const struct dp_plan *plan)
{
	uint16_t priv = RTE_ALIGN_CEIL(sizeof(struct dp_msg), RTE_MBUF_PRIV_ALIGN);
	int rc = 0;

	for (uint32_t i = 0; i < plan->n_workers && !rc; i++) {
		char name[24];

		snprintf(name, sizeof(name), "packets.%u", i);
		rc = net_pool_create(name, plan->mbufs ? plan->mbufs : MBUFS, priv, plan->workers[i].numa,
				     &dp->pools[i]);
	}
	return rc;
}

/* Ports in turn go to workers in turn; of a port with several queues each goes to the next worker. */
static int open_ports(struct dp *dp, const struct dp_plan *plan, char *err, size_t n)
{
	for (uint32_t p = 0; p < plan->n_ports; p++) {
		const struct dp_port_plan *port = &plan->ports[p];
		struct rte_mempool *pools[LIMIT_WORKERS];
		struct net_port_plan net = {
			.device = port->device,
			.index = p,
			.queues = (uint16_t)plan->n_workers,
			.mtu = port->mtu,
			.vlan = port->vlan,
			.rx_csum = port->trust ? NET_CSUM_TRUST : NET_CSUM_VERIFY,
			.pools = pools,
		};
		int rc;

		dp->holder[p] = p % plan->n_workers;
		for (uint32_t q = 0; q < plan->n_workers; q++)
			pools[q] = dp->pools[(dp->holder[p] + q) % plan->n_workers];
		rc = net_port_open(&net, &dp->ports[p]);
		if (rc) {
			explain(err, n, "port", port->name, rc);
			return rc;
		}
		dp->n_ports++;
	}
	return 0;
}

/* Splits "host", "host:port" or "[v6]:port" as it is shown in Via and Record-Route. */
static void read_show(struct dp_listener *l)
{
	const char *host = l->show, *end = l->show + l->show_n, *colon;

	l->show_port = DP_SIP_PORT;
	if (*host == '[') {
		host++;
		end = memchr(host, ']', (size_t)(end - host));
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = memchr(host, ':', l->show_n);
		if (colon)
			end = colon;
	}
	if (colon)
		l->show_port = (uint16_t)atoi(colon + 1);
	l->host = (struct str){ host, (uint32_t)(end - host) };
}

/* All that is written around the texts of a request: names of Via, two Record-Routes and two numbers. */
#define ROW_NAMES 160

static void make_listeners(struct dp *dp, const struct dp_plan *plan)
{
	uint32_t longest = 0, least = UINT32_MAX;

	for (uint32_t i = 0; i < plan->n_listeners; i++) {
		const struct dp_listener_plan *from = &plan->listeners[i];
		struct dp_listener *l = &dp->listeners[i];

		l->addr = from->addr;
		l->port = (uint8_t)from->port;
		l->ip.p = l->ip_text;
		if (!l->addr.v6)
			l->ip.n = sip_ip_text(&l->addr, l->ip_text);
		if (from->advertise)
			l->show_n = (uint16_t)snprintf(l->show, sizeof(l->show) - 1, "%s", from->advertise);
		else
			l->show_n = (uint16_t)sip_hostport_text(&l->addr, l->show);
		read_show(l);
		longest = RTE_MAX(longest, l->show_n);
		least = RTE_MIN(least, dp_frame(dp, l));
	}
	dp->n_listeners = plan->n_listeners;
	dp->frame = least;
	dp->growth = 3 * longest + LIMIT_BRANCH + LIMIT_TOKEN + SIP_RECEIVED_TEXT + ROW_NAMES;
}

/* Which queue of port p worker w holds, or -1. */
static int queue_of(const struct dp *dp, uint32_t p, uint32_t w)
{
	uint32_t q = (w + dp->n_workers - dp->holder[p]) % dp->n_workers;

	return q < dp->ports[p].queues ? (int)q : -1;
}

static int make_worker(struct dp *dp, const struct dp_plan *plan, uint32_t i)
{
	const struct dp_worker_plan *wp = &plan->workers[i];
	struct lb_worker_spec spec = plan->tables;
	uint32_t handles = 2 * spec.setups;
	struct dp_worker *w = dp_alloc(wp->numa, sizeof(*w));
	void *tables, *keep = dp_alloc(wp->numa, keep_size(handles, plan->kept));

	spec.lane = plan->stats->lane[i];
	spec.trail = true;
	tables = dp_alloc(wp->numa, lb_worker_size(&spec));
	dp->workers[i] = w;
	if (!w || !tables || !keep) {
		dp_free(tables);
		dp_free(keep);
		return -ENOMEM;
	}
	memset(w, 0, sizeof(*w));
	w->dp = dp;
	w->index = i;
	w->core = wp->core;
	w->numa = wp->numa;
	w->lane = spec.lane;
	w->pool = dp->pools[i];
	w->simd = sip_simd_best();
	w->lb = lb_worker_init(tables, &spec, dp_now());
	w->keep = keep_init(keep, handles, plan->kept);
	w->up = new_ring("up", i, 0, wp->numa);
	w->down = new_ring("down", i, 0, wp->numa);
	return w->up && w->down ? 0 : -ENOMEM;
}

/* The rings from worker a to worker b: messages that b owns, frames that b sends. */
static int connect(struct dp *dp, uint32_t a, uint32_t b)
{
	struct dp_worker *from = dp->workers[a], *to = dp->workers[b];
	struct rte_ring *msgs = new_ring("own", a, b, to->numa);
	struct rte_ring *frames = new_ring("send", a, b, to->numa);

	if (!msgs || !frames)
		return -ENOMEM;
	from->out[b].ring = to->inbox[to->n_inbox] = msgs;
	to->relay[to->n_inbox++] = frames;
	for (uint32_t p = 0; p < dp->n_ports; p++) {
		if (queue_of(dp, p, a) < 0 && dp->holder[p] == b)
			from->tx[p].relay = frames;
	}
	return 0;
}

static int make_workers(struct dp *dp, const struct dp_plan *plan)
{
	int rc = 0;

	for (; dp->n_workers < plan->n_workers && !rc; dp->n_workers++)
		rc = make_worker(dp, plan, dp->n_workers);
	for (uint32_t a = 0; a < dp->n_workers && !rc; a++) {
		for (uint32_t b = 0; b < dp->n_workers && !rc; b++)
			rc = a == b ? 0 : connect(dp, a, b);
		for (uint32_t p = 0; p < dp->n_ports && !rc; p++) {
			int q = queue_of(dp, p, a);

			if (q < 0)
				continue;
			dp->workers[a]->rx[dp->workers[a]->n_rx++] =
				(struct dp_rx){ &dp->ports[p], (uint16_t)q };
			dp->workers[a]->tx[p].queue = (uint16_t)q;
		}
	}
	return rc;
}

static int make_qsbr(struct dp *dp)
{
	dp->qsbr = rte_zmalloc(NULL, rte_rcu_qsbr_get_memsize(LIMIT_WORKERS), RTE_CACHE_LINE_SIZE);
	if (!dp->qsbr)
		return -ENOMEM;
	return rte_rcu_qsbr_init(dp->qsbr, LIMIT_WORKERS);
}

struct dp *dp_start(const struct dp_plan *plan, char *err, size_t n)
{
	struct dp *dp = calloc(1, sizeof(*dp));
	int rc = dp ? start_eal(dp, plan) : -ENOMEM;

	if (rc) {
		explain(err, n, "start of", "DPDK", rc);
		free(dp);
		return NULL;
	}
	dp->adaptive = plan->adaptive;
	dp->records = plan->tables.records > 0;
	rc = make_pools(dp, plan);
	if (rc)
		explain(err, n, "memory for", "packets", rc);
	else
		rc = open_ports(dp, plan, err, n);
	if (rc)
		goto fail;
	make_listeners(dp, plan);
	rc = make_workers(dp, plan);
	if (!rc)
		rc = make_qsbr(dp);
	for (uint32_t i = 0; i < dp->n_workers && !rc; i++)
		rc = rte_eal_remote_launch(dp_worker_run, dp->workers[i], i + 1);
	if (rc) {
		explain(err, n, "start of", "workers", rc);
		goto fail;
	}
	return dp;
fail:
	dp_stop(dp);
	return NULL;
}

static void drain_ring(struct rte_ring *ring)
{
	void *m;

	while (ring && rte_ring_dequeue(ring, &m) == 0)
		rte_pktmbuf_free(m);
	rte_ring_free(ring);
}

static void free_worker(struct dp_worker *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; i < w->n_inbox; i++) {
		drain_ring(w->inbox[i]);
		drain_ring(w->relay[i]);
	}
	drain_ring(w->up);
	drain_ring(w->down);
	dp_free(w->published);
	dp_free(w->lb);
	dp_free(w->keep);
	dp_free(w);
}

void dp_stop(struct dp *dp)
{
	__atomic_store_n(&dp->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	dp_reclaim_all(dp);
	for (uint32_t i = 0; i < dp->n_workers; i++)
		free_worker(dp->workers[i]);
	for (uint32_t p = 0; p < dp->n_ports; p++)
		net_port_close(&dp->ports[p]);
	for (uint32_t i = 0; i < LIMIT_WORKERS; i++)
		net_pool_free(dp->pools[i]);
	net_hops_free(dp->hops);
	rte_free(dp->qsbr);
	net_eal_stop();
	free(dp->eal);
	free(dp);
}

const struct net_port *dp_port(const struct dp *dp, uint32_t port)
{
	return &dp->ports[port];
}

uint32_t dp_port_worker(const struct dp *dp, uint32_t port, uint16_t queue)
{
	return (dp->holder[port] + queue) % dp->n_workers;
}

const struct lb_worker *dp_worker_tables(const struct dp *dp, uint32_t worker)
{
	return dp->workers[worker]->lb;
}

bool dp_next_record(struct dp *dp, uint32_t worker, struct lb_record *record)
{
	return lb_record_next(dp->workers[worker]->lb, record);
}

void dp_worker_info(const struct dp *dp, uint32_t worker, struct dp_worker_info *info)
{
	const struct dp_worker *w = dp->workers[worker];

	*info = (struct dp_worker_info){
		.core = w->core,
		.numa = w->numa,
		.heartbeat = __atomic_load_n(&w->heartbeat, __ATOMIC_RELAXED),
		.pool_free = rte_mempool_avail_count(w->pool),
		.pool_size = w->pool->size,
		.kept_free = keep_free(w->keep),
		.kept_size = keep_chunks(w->keep),
	};
	for (uint32_t i = 0; i < w->n_inbox; i++)
		info->inbox += rte_ring_count(w->inbox[i]);
}
