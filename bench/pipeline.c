/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pipeline bench's engine: Weir's dataplane fed by net_pcap (rig.c). Reads lines "MIX UPTO MILLISECONDS"
 * and answers each with one line of JSON: messages, ns, how the messages ended. UPTO is "whole" for the loop
 * of the product, as it is, or a stage after which each message is freed; the difference of two neighbours is
 * the cost of a stage, so that the stages add up to the whole. pipeline.py drives it and makes the tables.
 * Nothing of the path is repeated here but the order of its steps.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_launch.h>

#include "bench/rig.h"

#define LEAST_CALLS     100000
#define END_MS          300                 /* for RIG_SETUPS answers, and for what they end to be over */
#define NEVER_FORWARDED (UINT64_C(1) << 40) /* numbers of calls that no gateway has ever had */

/* Where a message's way ends; each goes further than the one before. */
enum upto {
	UPTO_RX,
	UPTO_FEED,
	UPTO_DECODE,
	UPTO_SCAN,
	UPTO_OWNER,
	UPTO_QUERY,
	UPTO_POLICY,
	UPTO_EDITS,
	UPTO_ENCODE,
	UPTO_WHOLE,
	UPTOS
};

static const char *const upto_name[UPTOS] = {
	"rx", "feed", "decode", "scan", "owner", "query", "policy", "edits", "encode", "whole",
};

/* One run of a shortened path. */
struct run {
	struct rig *rig;
	struct dp_worker *w;
	const struct net_port *port;
	enum upto upto;
	uint64_t messages; /* worker */
	uint64_t ns;       /* of its thread on the CPU; worker */
};

/* ns that this thread has had the CPU: what others on it take does not count. */
static uint64_t thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void free_all(struct rte_mbuf **frames, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		rte_pktmbuf_free(frames[i]);
}

/* Stage 1 in parts, for the messages that go no further. */
static void receive_part(struct run *r, struct rte_mbuf **frames, uint32_t n)
{
	struct net_pkt pkts[LIMIT_BURST];

	net_decode(r->port, frames, n, pkts);
	for (uint32_t i = 0; i < n; i++) {
		struct dp_msg *msg = dp_msg(frames[i]);

		msg->pkt = pkts[i];
		if (r->upto == UPTO_SCAN)
			sip_scan(r->w->simd, rte_pktmbuf_mtod_offset(frames[i], char *, msg->pkt.payload),
				 msg->pkt.payload_len, &msg->sip);
	}
	free_all(frames, n);
}

/* The stages after the first, or some of them. */
static void process_part(struct run *r, struct rte_mbuf **msgs, uint32_t n)
{
	struct dp_worker *w = r->w;
	struct lb_act acts[LIMIT_ACTS];
	struct dp_ctx c[LIMIT_BURST];

	if (r->upto > UPTO_POLICY) {
		dp_process(w, msgs, n);
	} else {
		n = dp_read(w, msgs, n, c);
		for (uint32_t i = 0; i < n; i++) {
			if (r->upto == UPTO_POLICY)
				dp_decide(w, &c[i], acts);
			rte_pktmbuf_free(c[i].m);
		}
	}
	w->n_forwarded = 0;
	if (r->upto >= UPTO_POLICY)
		dp_tick(w);
	free_all(w->tx[0].frames, w->tx[0].n);
	w->tx[0].n = 0;
}

static void one_burst(struct run *r)
{
	struct rte_mbuf *frames[LIMIT_BURST], *own[LIMIT_BURST];
	uint32_t n = rte_eth_rx_burst(r->port->id, 0, frames, LIMIT_BURST);

	r->messages += n;
	r->w->now = dp_now();
	if (r->upto <= UPTO_FEED) {
		free_all(frames, n);
	} else if (r->upto <= UPTO_SCAN) {
		receive_part(r, frames, n);
	} else {
		uint32_t n_own = dp_receive(r->w, r->port, frames, n, own);

		if (r->upto == UPTO_OWNER)
			free_all(own, n_own);
		else
			process_part(r, own, n_own);
	}
}

/* On the worker's lcore until dp.stop: a shortened path in place of its loop. */
static int run_part(void *arg)
{
	struct run *r = arg;
	struct dp_worker *w = r->w;
	uint64_t start = thread_ns();

	w->policy = w->published;
	w->hops = r->upto == UPTO_EDITS ? r->rig->no_hops : r->rig->hops;
	while (!__atomic_load_n(&w->dp->stop, __ATOMIC_RELAXED))
		one_burst(r);
	r->ns = thread_ns() - start;
	return 0;
}

/* On the worker's lcore until dp.stop: the loop of the product. */
static int run_whole(void *arg)
{
	struct run *r = arg;
	uint64_t start = thread_ns();

	dp_worker_run(r->w);
	r->ns = thread_ns() - start;
	return 0;
}

static void print_ends(const uint64_t count[ST_COUNT])
{
	const char *comma = "";

	printf("\"ends\": {");
	for (unsigned i = 0; i < ST_END_COUNT; i++) {
		if (count[i]) {
			printf("%s\"%s\": %lu", comma, st_info(i)->name, count[i]);
			comma = ", ";
		}
	}
	printf("}");
}

/* Runs on all workers for a while; counts[] gets what their lanes counted meanwhile. */
static void run_for(struct rig *rig, struct run *run, unsigned ms, uint64_t counts[2][ST_COUNT])
{
	static uint64_t before[2][ST_COUNT];
	struct dp *dp = rig->dp;

	dp->stop = false;
	for (uint32_t i = 0; i < dp->n_workers; i++) {
		run[i].w = dp->workers[i];
		memcpy(before[i], dp->workers[i]->lane->count, sizeof(before[i]));
		rte_eal_remote_launch(run[i].upto == UPTO_WHOLE ? run_whole : run_part, &run[i], i + 1);
	}
	usleep(ms * 1000);
	__atomic_store_n(&dp->stop, true, __ATOMIC_RELAXED);
	rte_eal_mp_wait_lcore();
	for (uint32_t i = 0; i < dp->n_workers; i++) {
		for (unsigned k = 0; k < ST_COUNT; k++)
			counts[i][k] = dp->workers[i]->lane->count[k] - before[i][k];
	}
}

/*
 * The gateways are busy: ends the transactions of new calls number `from` on that were sent to them, so that
 * the next run finds the tables as this one did.
 */
static void end_calls(struct rig *rig, uint64_t from, uint64_t to)
{
	static uint64_t counts[2][ST_COUNT];
	struct run run[2] = { { .rig = rig, .upto = UPTO_WHOLE } };
	struct feed *f = &rig->feeds[MIX_BUSY];

	rig->dp->workers[0]->rx[0] = (struct dp_rx){ dp_port(rig->dp, MIX_BUSY), 0 };
	f->window = 0;
	f->next = from;
	f->end = to;
	run_for(rig, run, END_MS, counts);
	if (counts[0][ST_FWD_RESPONSE] != to - from)
		fprintf(stderr, "of %lu calls %lu ended\n", to - from, counts[0][ST_FWD_RESPONSE]);
}

/* One line of the protocol. mix "refuse": new calls, no gateway takes any; "again": the same few once more.
 */
static bool measure(struct rig *rig, const char *mix, enum upto upto, unsigned ms)
{
	static uint64_t counts[2][ST_COUNT];
	struct dp_worker *w = rig->dp->workers[0];
	uint64_t next;
	bool again = !strcmp(mix, "again"), refuse = again || !strcmp(mix, "refuse"), setups;
	struct run run[2] = { { .rig = rig, .upto = upto }, { .rig = rig, .upto = upto } };
	uint32_t i = 0;

	while (i < rig->n_ports && strcmp(mix_info[i].name, refuse ? "invite" : mix))
		i++;
	if (i == rig->n_ports)
		return false;
	run[0].port = dp_port(rig->dp, i);
	w->rx[0] = (struct dp_rx){ run[0].port, 0 };
	w->n_rx = 1;
	rig->feeds[i].off = upto == UPTO_RX;
	if (refuse) {
		rig_admit(rig, false);
		rig->feeds[i].window = again ? LIMIT_MEMO / 8 : 0;
		rig->feeds[i].base = NEVER_FORWARDED;
	}
	setups = rig->stateful && rig->feeds[i].mix == MIX_INVITE && !refuse;
	rig->feeds[i].end = setups ? rig->feeds[i].next + RIG_SETUPS : 0;
	rig->feeds[i].stop = &rig->dp->stop;
	rig->mint.callers = refuse || rig->feeds[i].mix == MIX_OPTIONS ? RIG_CALLERS : 1;
	next = rig->feeds[i].next;
	run_for(rig, run, ms, counts);
	if (upto < UPTO_POLICY)
		rig->feeds[i].next = next; /* the policy has not seen them: they come again */
	if (refuse) {
		rig_admit(rig, true);
		rig->feeds[i].window = 0;
	} else if (setups && upto >= UPTO_POLICY) {
		end_calls(rig, next, rig->feeds[i].next);
	}
	if (upto == UPTO_WHOLE)
		run[0].messages = counts[0][ST_RX_SIP];
	printf("{\"messages\": %lu, \"ns\": %.2f, \"handled\": [%lu, %lu], \"calls_ended\": %lu, "
	       "\"uncounted\": %lu, ",
	       run[0].messages, (double)run[0].ns / (double)(run[0].messages ? run[0].messages : 1),
	       counts[0][ST_HANDLED], counts[1][ST_HANDLED], counts[0][ST_CALL_BYE],
	       counts[0][ST_CALL_UNCOUNTED]);
	print_ends(counts[0]);
	printf("}\n");
	fflush(stdout);
	return true;
}

static void serve(struct rig *rig)
{
	char mix[16], upto[16];
	unsigned ms;

	while (scanf("%15s %15s %u", mix, upto, &ms) == 3) {
		int u = 0;

		while (u < UPTOS && strcmp(upto_name[u], upto))
			u++;
		if (u == UPTOS || !measure(rig, mix, (enum upto)u, ms)) {
			printf("{\"error\": \"%s %s: unknown\"}\n", mix, upto);
			fflush(stdout);
		}
	}
}

int main(int argc, char **argv)
{
	static struct rig rig;
	struct rig_spec spec = { .program = argv[0], .calls = 1000000, .workers = 1 };
	int opt;

	while ((opt = getopt(argc, argv, "d:t:c:w:s")) != -1) {
		switch (opt) {
		case 'd':
			spec.data = optarg;
			break;
		case 't':
			spec.dir = optarg;
			break;
		case 'c':
			spec.calls = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'w':
			spec.workers = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			spec.stateful = true;
			break;
		default:
			return 2;
		}
	}
	if (!spec.data || !spec.dir || spec.calls < LEAST_CALLS || spec.workers < 1 || spec.workers > 2) {
		fprintf(stderr, "usage: %s -d MESSAGES -t FOLDER [-c CALLS] [-w 1|2] [-s]\n", argv[0]);
		return 2;
	}
	if (!rig_start(&rig, &spec))
		return 1;
	printf("{\"ready\": true, \"simd\": \"%s\", \"huge\": %s, \"calls_bytes\": %zu, \"setups_bytes\": "
	       "%zu}\n",
	       sip_simd_name(rig.dp->workers[0]->simd), rte_eal_has_hugepages() ? "true" : "false",
	       rig_calls_bytes(&rig), rig_setups_bytes(&rig));
	fflush(stdout);
	serve(&rig);
	rig_stop(&rig);
	return 0;
}
