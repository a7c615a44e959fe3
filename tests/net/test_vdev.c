/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A real device, without huge pages, for many more packets than its pool holds: the far end, a plain socket
 * in a network namespace of its own, sends datagrams of many sizes and gets each one back through
 * net_decode() and net_encode(). Kinds: tap (kernel side moved to the far namespace) and af_xdp (veth). Both
 * namespaces are nameless and die with the two processes. With "_huge" behind the kind huge pages are used.
 * Exit 77 (skipped) without the right to make namespaces, or without huge pages.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "dataplane/net/net.h"

#define POOL        4095  /* mbufs; AF_XDP keeps 2048 of them in its fill ring */
#define ROUNDS      40000 /* datagrams per address family, about ten pools */
#define WINDOW      16    /* datagrams in flight */
#define SECONDS     60    /* before the test gives up */
#define SKIP        77
#define PORT        5060
#define MAX_PAYLOAD 1452

static int run(const char *fmt, ...)
{
	char cmd[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return system(cmd) == 0 ? 0 : -1;
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static uint32_t size_of(uint32_t i)
{
	return 8 + i * 37 % (MAX_PAYLOAD - 8);
}

static void fill(uint8_t *p, uint32_t i)
{
	for (uint32_t k = 0; k < size_of(i); k++)
		p[k] = (uint8_t)(i * 31 + k);
	memcpy(p, &i, sizeof(i));
}

/* Send datagram i and count the answers that came meanwhile. Returns 0, or -1 if an answer is wrong. */
static int take_answers(int fd, int wait_ms, uint32_t *answered)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t got[2048], want[2048];
	uint32_t i;

	while (poll(&p, 1, wait_ms) > 0) {
		ssize_t n = recv(fd, got, sizeof(got), 0);

		if (n < (ssize_t)sizeof(i))
			return -1;
		memcpy(&i, got, sizeof(i));
		fill(want, i);
		if (n != (ssize_t)size_of(i) || memcmp(got, want, (size_t)n) != 0)
			return -1;
		(*answered)++;
		wait_ms = 0;
	}
	return 0;
}

static int talk(int family)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	struct sockaddr *to = family == AF_INET ? (void *)&to4 : (void *)&to6;
	uint32_t sent = 0, answered = 0;
	uint8_t out[2048];
	int fd = socket(family, SOCK_DGRAM, 0);

	inet_pton(AF_INET, "10.9.0.1", &to4.sin_addr);
	inet_pton(AF_INET6, "fd09::1", &to6.sin6_addr);
	if (fd < 0 || connect(fd, to, family == AF_INET ? sizeof(to4) : sizeof(to6)) != 0)
		return -1;
	while (answered < ROUNDS) {
		bool full = sent == ROUNDS || sent - answered >= WINDOW;
		uint32_t before = answered;

		if (!full) {
			fill(out, sent);
			if (send(fd, out, size_of(sent), 0) < 0)
				return -1;
			sent++;
		}
		if (take_answers(fd, full ? 2000 : 0, &answered) != 0)
			return -1;
		if (full && answered == before) {
			fprintf(stderr, "family %d: stopped after %u of %u\n", family, answered, ROUNDS);
			return -1;
		}
	}
	close(fd);
	return 0;
}

/* The far end: waits for its interface and Weir's MAC as text, then talks. Returns the exit code. */
static int far_end(int from_near)
{
	char iface[16], mac[18], line[64];
	ssize_t n = read(from_near, line, sizeof(line) - 1);

	if (n <= 0)
		return 1;
	line[n] = 0;
	if (sscanf(line, "%15s %17s", iface, mac) != 2)
		return 1;
	run("ethtool -K %s tx off >/dev/null 2>&1", iface);
	if (run("ip link set lo up && ip addr add 10.9.0.2/24 dev %s && ip -6 addr add fd09::2/64 dev %s "
		"nodad && "
		"ip link set %s up",
		iface, iface, iface) != 0 ||
	    run("ip neigh replace 10.9.0.1 lladdr %s dev %s nud permanent && "
		"ip -6 neigh replace fd09::1 lladdr %s dev %s nud permanent",
		mac, iface, mac, iface) != 0)
		return 1;
	return talk(AF_INET) == 0 && talk(AF_INET6) == 0 ? 0 : 1;
}

/* Answer every UDP datagram in a burst. Returns how many there were. */
static uint32_t echo(const struct net_port *port, struct rte_mempool *pool, uint32_t classes[NET_CLASSES])
{
	struct rte_mbuf *in[32], *out[32];
	struct net_pkt pkts[32];
	uint16_t n = rte_eth_rx_burst(port->id, 0, in, 32), k = 0, done;

	net_decode(port, in, n, pkts);
	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(in[i], uint8_t *);
		struct net_hop hop = { .state = NET_HOP_READY };
		struct rte_mbuf *m;

		classes[pkts[i].class]++;
		if (pkts[i].class == NET_UDP && pkts[i].dst.port == PORT &&
		    (m = rte_pktmbuf_alloc(pool)) != NULL) {
			memcpy(hop.dmac, frame + 6, NET_MAC);
			memcpy(hop.smac, port->mac, NET_MAC);
			memcpy(rte_pktmbuf_append(m, pkts[i].payload_len), frame + pkts[i].payload,
			       pkts[i].payload_len);
			if (net_encode(port, &hop, &pkts[i].dst, &pkts[i].src, m) == NET_TX_OK)
				out[k++] = m;
			else
				rte_pktmbuf_free(m);
		}
		rte_pktmbuf_free(in[i]);
	}
	done = rte_eth_tx_burst(port->id, 0, out, k);
	rte_pktmbuf_free_bulk(out + done, k - done);
	/* the cache would go round and round among a few mbufs: make all of the pool's take their turn */
	rte_mempool_cache_flush(rte_mempool_default_cache(pool, rte_lcore_id()), pool);
	return n;
}

static int start_eal(const char *device, bool huge)
{
	static struct net_eal_args args;
	struct net_device dev = { .text = device };
	uint16_t cpu = 0;
	struct net_eal_plan plan = { .program = "test_vdev",
				     .node = "test",
				     .pid = (uint32_t)getpid(),
				     .n_workers = 0,
				     .worker_cpus = &cpu,
				     .huge = huge ? NET_HUGE_AUTO : NET_HUGE_OFF,
				     .memory_mb = 48,
				     .n_devices = 1,
				     .devices = &dev };
	int rc;

	net_eal_detect(&plan);
	if (huge && plan.huge != NET_HUGE_ON)
		exit(SKIP);
	rc = net_eal_args(&plan, &args);
	for (int i = 0; rc == 0 && i < args.argc; i++)
		printf("%s%c", args.argv[i], i + 1 < args.argc ? ' ' : '\n');
	fflush(stdout);
	return rc ? rc : net_eal_start(&args);
}

/* Tell the far end its interface, then echo until it exits. Returns its exit code, or 1. */
static int near_end(bool tap, pid_t far, int to_far, const struct net_port *port, struct rte_mempool *pool)
{
	uint32_t classes[NET_CLASSES] = { 0 };
	uint64_t start = now_ms(), n = 0;
	const uint8_t *m = port->mac;
	int status = -1;

	if (tap && run("ip link set dt0 netns %d", far) != 0)
		return 1;
	dprintf(to_far, "%s %02x:%02x:%02x:%02x:%02x:%02x", tap ? "dt0" : "far0", m[0], m[1], m[2], m[3],
		m[4], m[5]);
	while (now_ms() - start < SECONDS * 1000) {
		for (unsigned i = 0; i < 1000; i++)
			n += echo(port, pool, classes);
		if (waitpid(far, &status, WNOHANG) == far)
			break;
	}
	printf("frames %lu in %lu ms:", n, now_ms() - start);
	for (unsigned i = 0; i < NET_CLASSES; i++)
		printf(" %u", classes[i]);
	printf("\n");
	if (classes[NET_BAD_CSUM] || classes[NET_MALFORMED] || classes[NET_MARTIAN])
		return 1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int test(bool tap, bool huge, pid_t far, int to_far)
{
	struct net_port_plan plan = { .device = tap ? "net_tap,iface=dt0" : "net_af_xdp,iface=near0",
				      .queues = 1,
				      .mtu = 1500,
				      .rx_csum = NET_CSUM_VERIFY };
	struct rte_mempool *pool = NULL;
	struct net_port_info info;
	struct net_port port;
	int rc;

	if (!tap && run("ip link add near0 type veth peer name far0 && ip link set near0 up && "
			"ip link set far0 netns %d",
			far) != 0)
		return SKIP;
	if (start_eal(plan.device, huge) != 0)
		return 1;
	rc = net_pool_create("test", POOL, 1024, -1, &pool);
	plan.pools = &pool;
	if (rc == 0)
		rc = net_port_open(&plan, &port);
	if (rc) {
		fprintf(stderr, "port: %s\n", strerror(-rc));
		return 1;
	}
	rc = strcmp(port.iface, tap ? "dt0" : "near0") == 0 ? near_end(tap, far, to_far, &port, pool) : 1;
	if (net_port_info(&port, &info) == 0)
		printf("%s %s: rx %lu tx %lu missed %lu rx errors %lu tx errors %lu nombuf %lu\n",
		       info.device, info.driver, info.rx_packets, info.tx_packets, info.rx_missed,
		       info.rx_errors, info.tx_errors, info.rx_nombuf);
	net_port_close(&port);
	net_pool_free(pool);
	net_eal_stop();
	return rc;
}

int main(int argc, char **argv)
{
	bool tap = argc > 1 && strncmp(argv[1], "tap", 3) == 0;
	int to_far[2], ready[2], rc;
	char c = 0;
	pid_t far;

	if (pipe(to_far) != 0 || pipe(ready) != 0)
		return 1;
	if (unshare(CLONE_NEWNET) != 0)
		return SKIP;
	far = fork();
	if (far == 0) {
		close(to_far[1]);
		if (unshare(CLONE_NEWNET) != 0 || write(ready[1], &c, 1) != 1)
			_exit(SKIP);
		_exit(far_end(to_far[0]));
	}
	close(ready[1]);
	if (far < 0 || read(ready[0], &c, 1) != 1)
		return SKIP;
	rc = test(tap, argc > 1 && strstr(argv[1], "_huge"), far, to_far[1]);
	close(to_far[1]);
	waitpid(far, NULL, 0);
	return rc;
}
