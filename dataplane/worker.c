/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop of a worker: polls its ports and rings, runs the pipeline over each burst, sends, reports that it
 * holds no table any more. Runs on the worker's lcore.
 * Must stay true: at the end of every turn nothing waits in out[] or tx[], and no pointer into a snapshot is
 * kept; a full ring or queue costs messages, counted, never time.
 */
#include <time.h>

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_pause.h>

#include "dataplane/worker.h"

#define NAP_AFTER  64 /* idle turns before the first nap */
#define NAP_MIN_NS 20000
#define NAP_MAX_NS 200000 /* longest that a message waits for a napping worker */
#define TX_TRIES   4      /* times that a full queue is offered the rest of a burst */

bool dp_up(struct dp_worker *w, struct rte_mbuf *m, enum dp_up_kind kind)
{
	dp_msg(m)->note.kind = (uint8_t)kind;
	return rte_ring_sp_enqueue(w->up, m) == 0;
}

static void send_own(struct dp_worker *w, const struct net_port *port, struct dp_tx *tx)
{
	uint16_t sent = 0;

	for (unsigned i = 0; i < TX_TRIES && sent < tx->n; i++)
		sent += rte_eth_tx_burst(port->id, tx->queue, tx->frames + sent, tx->n - sent);
	for (uint16_t i = 0; i < sent; i++)
		st_inc(w->lane, tx->end[i]);
	st_add(w->lane, ST_TX_FRAMES, sent);
	for (uint16_t i = sent; i < tx->n; i++)
		dp_end(w, tx->frames[i], ST_DROP_TX_FULL);
}

static void send_by_holder(struct dp_worker *w, uint32_t port, struct dp_tx *tx)
{
	uint32_t sent;

	for (uint16_t i = 0; i < tx->n; i++) {
		dp_msg(tx->frames[i])->end = tx->end[i];
		dp_msg(tx->frames[i])->port = (uint8_t)port;
	}
	sent = rte_ring_sp_enqueue_burst(tx->relay, (void **)tx->frames, tx->n, NULL);
	st_add(w->lane, ST_TX_RING_OUT, sent);
	for (uint32_t i = sent; i < tx->n; i++)
		dp_end(w, tx->frames[i], ST_DROP_TX_RING_FULL);
}

static void flush_port(struct dp_worker *w, uint32_t port)
{
	struct dp_tx *tx = &w->tx[port];

	if (tx->relay)
		send_by_holder(w, port, tx);
	else
		send_own(w, &w->dp->ports[port], tx);
	tx->n = 0;
}

static void flush_tx(struct dp_worker *w)
{
	for (uint32_t p = 0; p < w->dp->n_ports; p++) {
		if (w->tx[p].n)
			flush_port(w, p);
	}
}

void dp_transmit(struct dp_worker *w, struct rte_mbuf *m, uint32_t port, enum st_end end)
{
	struct dp_tx *tx = &w->tx[port];

	/* time alone can cause more in one turn than waits here, as when a gateway goes down */
	if (tx->n == DP_TX_FRAMES)
		flush_port(w, port);
	tx->end[tx->n] = (uint16_t)end;
	tx->frames[tx->n++] = m;
}

static void flush_out(struct dp_worker *w)
{
	for (uint32_t i = 0; i < w->dp->n_workers; i++) {
		struct dp_out *out = &w->out[i];
		uint32_t sent, room;

		if (!out->n && out->waiting > DP_RING_NEW)
			out->waiting = rte_ring_count(out->ring);
		if (!out->n)
			continue;
		sent = rte_ring_sp_enqueue_burst(out->ring, (void **)out->msgs, out->n, &room);
		out->waiting = DP_RING - room;
		st_add(w->lane, ST_HANDOFF_OUT, sent);
		for (uint32_t k = sent; k < out->n; k++)
			dp_end(w, out->msgs[k], ST_DROP_RING_FULL);
		out->n = 0;
	}
}

void dp_flush(struct dp_worker *w) /* one clock read */
{
	flush_out(w);
	flush_tx(w);
	if (w->n_forwarded) {
		uint64_t now = dp_now();

		for (uint32_t i = 0; i < w->n_forwarded; i++)
			st_hist_add(&w->lane->forward, now - w->forwarded[i]);
		w->n_forwarded = 0;
	}
}

static uint32_t poll_ports(struct dp_worker *w)
{
	struct rte_mbuf *frames[LIMIT_BURST], *own[LIMIT_BURST];
	uint32_t total = 0;

	for (uint32_t i = 0; i < w->n_rx; i++) {
		uint32_t n = rte_eth_rx_burst(w->rx[i].port->id, w->rx[i].queue, frames, LIMIT_BURST);

		if (!n)
			continue;
		total += n;
		dp_process(w, own, dp_receive(w, w->rx[i].port, frames, n, own));
		dp_flush(w);
	}
	return total;
}

/* A burst of what one other worker has received for us. */
static uint32_t poll_inbox(struct dp_worker *w, struct rte_ring *inbox)
{
	struct rte_mbuf *msgs[LIMIT_BURST];
	uint32_t n = rte_ring_sc_dequeue_burst(inbox, (void **)msgs, LIMIT_BURST, NULL);

	if (!n)
		return 0;
	st_add(w->lane, ST_HANDOFF_IN, n);
	dp_process(w, msgs, n);
	dp_flush(w);
	return n;
}

/*
 * As many bursts of each other worker's as there are queues of our own, for it has about as many: at its
 * limit a worker loses no more of what was received already than of what waits in its queues.
 */
static uint32_t poll_inboxes(struct dp_worker *w)
{
	uint32_t total = 0, bursts = w->n_rx ? w->n_rx : 1;

	for (uint32_t i = 0; i < w->n_inbox; i++) {
		uint32_t n = LIMIT_BURST;

		for (uint32_t k = 0; k < bursts && n == LIMIT_BURST; k++) {
			n = poll_inbox(w, w->inbox[i]);
			total += n;
		}
	}
	return total;
}

/* Sends a burst of frames that another worker has made for our ports. */
static uint32_t poll_relay(struct dp_worker *w, struct rte_ring *relay)
{
	struct rte_mbuf *frames[LIMIT_BURST];
	uint32_t n = rte_ring_sc_dequeue_burst(relay, (void **)frames, LIMIT_BURST, NULL);

	st_add(w->lane, ST_TX_RING_IN, n);
	for (uint32_t k = 0; k < n; k++)
		dp_transmit(w, frames[k], dp_msg(frames[k])->port, (enum st_end)dp_msg(frames[k])->end);
	flush_tx(w);
	return n;
}

/* All that waits there: work is done on it, so that a worker at its limit should rather lose what has just
 * come. */
static uint32_t poll_relays(struct dp_worker *w)
{
	uint32_t total = 0;

	for (uint32_t i = 0; i < w->n_inbox; i++) {
		uint32_t waiting = rte_ring_count(w->relay[i]), n = 0;

		while (n < waiting)
			n += poll_relay(w, w->relay[i]);
		total += n;
	}
	return total;
}

static uint32_t poll_control(struct dp_worker *w)
{
	struct rte_mbuf *items[LIMIT_BURST];
	uint32_t n = rte_ring_sc_dequeue_burst(w->down, (void **)items, LIMIT_BURST, NULL);

	st_add(w->lane, ST_INJECTED, n);
	for (uint32_t i = 0; i < n; i++) {
		const struct dp_note note = dp_msg(items[i])->note;

		if (note.kind == DP_DOWN_MESSAGE)
			dp_send(w, items[i], note.listener, &note.dst, LB_NONE, ST_SENT_PROBE);
		else if (net_vlan_push(&w->dp->ports[note.port], items[i]))
			dp_end(w, items[i], ST_DROP_TOO_LONG);
		else
			dp_transmit(w, items[i], note.port, ST_SENT_TWIN);
	}
	if (n)
		flush_tx(w);
	return n;
}

uint32_t dp_turn(struct dp_worker *w)
{
	uint32_t n = poll_relays(w);

	if (w->hops)
		n += poll_control(w);
	if (w->hops && w->policy) {
		n += poll_ports(w) + poll_inboxes(w);
		dp_tick(w);
		flush_tx(w);
	}
	return n;
}

/* Sleeps with the tables let go, longer the longer nothing came. */
static void nap(struct dp_worker *w)
{
	uint32_t ns = NAP_MIN_NS * (w->idle_turns - NAP_AFTER);
	struct timespec t = { .tv_nsec = ns };

	rte_rcu_qsbr_thread_offline(w->dp->qsbr, w->index);
	nanosleep(&t, NULL);
	rte_rcu_qsbr_thread_online(w->dp->qsbr, w->index);
	st_inc(w->lane, ST_NAPS);
}

uint64_t dp_cycles_ns(uint64_t cycles)
{
	return (uint64_t)((__uint128_t)cycles * 1000000000u / rte_get_tsc_hz());
}

uint64_t dp_now(void)
{
	return dp_cycles_ns(rte_rdtsc());
}

/* Takes what control has published and the time, for the whole of a turn. */
static uint64_t begin_turn(struct dp_worker *w)
{
	uint64_t cycles = rte_rdtsc();

	w->now = dp_cycles_ns(cycles);
	w->policy = __atomic_load_n(&w->published, __ATOMIC_ACQUIRE);
	w->hops = __atomic_load_n(&w->dp->hops, __ATOMIC_ACQUIRE);
	__atomic_store_n(&w->heartbeat, w->now, __ATOMIC_RELAXED);
	return cycles;
}

int dp_worker_run(void *worker)
{
	struct dp_worker *w = worker;
	struct rte_rcu_qsbr *qsbr = w->dp->qsbr;
	uint64_t start, end;

	rte_rcu_qsbr_thread_register(qsbr, w->index);
	rte_rcu_qsbr_thread_online(qsbr, w->index);
	start = begin_turn(w);
	while (!__atomic_load_n(&w->dp->stop, __ATOMIC_RELAXED)) {
		uint32_t n = dp_turn(w);

		rte_rcu_qsbr_quiescent(qsbr, w->index);
		if (n)
			w->idle_turns = 0;
		else if (w->idle_turns < NAP_AFTER + NAP_MAX_NS / NAP_MIN_NS)
			w->idle_turns++;
		if (w->dp->adaptive && w->idle_turns > NAP_AFTER)
			nap(w);
		end = begin_turn(w);
		st_add(w->lane, n ? ST_CYCLES_BUSY : ST_CYCLES_IDLE, end - start);
		start = end;
	}
	rte_rcu_qsbr_thread_offline(qsbr, w->index);
	rte_rcu_qsbr_thread_unregister(qsbr, w->index);
	return 0;
}
