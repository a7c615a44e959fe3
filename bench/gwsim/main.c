/* SPDX-License-Identifier: BSD-3-Clause */
/* gwsim: start, the loop, commands on stdin. It ends when stdin does, so that no test leaves one behind. */
#include "bench/gwsim/gwsim.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define WORDS 64

static volatile sig_atomic_t stop;

static const char usage[] =
	"usage: gwsim [-t TRANSACTIONS] [-s SEED] NAME ADDRESS:PORT [KEY=VALUE]... [, NAME ADDRESS:PORT "
	"...]...\n"
	"  Plays SIP gateways over UDP. Words after the address (capacity is servers / service):\n"
	"    servers=32 service=400ms distribution=constant|exponential queue=32\n"
	"    full=503|drop retry-after=0 reject=0.1 absorb=0 refuse=off|on mute=off|on\n"
	"    100=on-receipt|on-dequeue|never 180=on|off ring=0ms ring-sigma=0.6 options=queue|past\n"
	"    oc=off|loss|rate oc-delay=100ms fail=PREFIX:CODE[:Q.850-CAUSE],...|none\n"
	"  Commands on stdin, one line of JSON each in return: set NAME|all KEY=VALUE..., show, reset, "
	"quit.\n"
	"  Prints a line when all are ready, and the counters at the end.\n";

static void on_signal(int number)
{
	stop = 1;
}

static uint32_t split(char *line, char **word)
{
	uint32_t n = 0;

	for (char *p = strtok(line, " \t\n"); p && n < WORDS; p = strtok(NULL, " \t\n"))
		word[n++] = p;
	return n;
}

static const char *set_running(struct sim *sim, char **word, uint32_t n)
{
	bool known = false;

	for (uint32_t i = 0; i < sim->n_gw; i++) {
		struct gw *g = sim->gw[i];
		const char *wrong;

		if (strcmp(word[0], "all") != 0 && strcmp(word[0], g->name) != 0)
			continue;
		known = true;
		wrong = gw_set(&g->set, word + 1, n - 1, true);
		if (wrong)
			return wrong;
	}
	return known ? NULL : "no such gateway";
}

static void command(struct sim *sim, char *line)
{
	char *word[WORDS];
	uint32_t n = split(line, word);
	const char *wrong = NULL;

	if (n == 1 && strcmp(word[0], "show") == 0) {
		gw_report(sim);
		return;
	}
	if (n == 1 && strcmp(word[0], "reset") == 0)
		gw_reset(sim);
	else if (n == 1 && strcmp(word[0], "quit") == 0)
		stop = 1;
	else if (n > 2 && strcmp(word[0], "set") == 0)
		wrong = set_running(sim, word + 1, n - 1);
	else
		wrong = "expected set NAME|all KEY=VALUE..., show, reset or quit";
	if (wrong)
		printf("{\"error\":\"%s\"}\n", wrong);
	else
		printf("{\"ok\":true}\n");
	fflush(stdout);
}

/* Whole lines of stdin are commands. */
static void read_commands(struct sim *sim)
{
	ssize_t n = read(STDIN_FILENO, sim->text + sim->n_text, sizeof(sim->text) - 1 - sim->n_text);
	char *line = sim->text, *eol;

	if (n <= 0) {
		stop = n == 0 || errno != EINTR;
		return;
	}
	sim->text[sim->n_text + (size_t)n] = 0;
	for (; (eol = strchr(line, '\n')); line = eol + 1) {
		*eol = 0;
		command(sim, line);
	}
	sim->n_text = strlen(line);
	memmove(sim->text, line, sim->n_text);
	if (sim->n_text == sizeof(sim->text) - 1)
		sim->n_text = 0;
}

static void receive(struct sim *sim, struct gw *g)
{
	for (int turn = 0; turn < 8; turn++) {
		uint32_t n = kit_udp_receive(&g->udp, &sim->in);

		for (uint32_t i = 0; i < n; i++)
			gw_receive(g, sim->in.data[i], sim->in.head[i].msg_len, &sim->in.addr[i]);
		if (n < KIT_BURST)
			break;
	}
}

static void run(struct sim *sim, int epoll)
{
	struct epoll_event event[MAX_GATEWAYS + 1];

	while (!stop) {
		uint64_t next = kit_next(&sim->heap), wait = next > sim->now ? next - sim->now : 0;
		struct timespec t = { .tv_sec = (time_t)(wait / S % 60), .tv_nsec = (long)(wait % S) };
		int n = epoll_pwait2(epoll, event, MAX_GATEWAYS + 1, &t, NULL);

		sim->now = kit_now();
		for (struct kit_timer *due; (due = kit_due(&sim->heap, sim->now));)
			gw_timer(sim, due);
		for (int i = 0; i < n; i++) {
			if (event[i].data.ptr)
				receive(sim, event[i].data.ptr);
			else
				read_commands(sim);
		}
		for (uint32_t i = 0; i < sim->n_gw; i++)
			kit_udp_flush(&sim->gw[i]->udp);
	}
	gw_report(sim);
}

static void watch(int epoll, int fd, void *what)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) && what) {
		perror("gwsim: epoll_ctl");
		exit(1);
	}
}

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "gwsim: %s: %s\n", what, why);
	exit(2);
}

/* Makes one gateway of NAME ADDRESS:PORT KEY=VALUE... */
static void add(struct sim *sim, int epoll, char **word, uint32_t n)
{
	struct gw *g = calloc(1, sizeof(*g));
	union kit_addr addr;
	const char *wrong;
	int err;

	if (n < 2 || sim->n_gw == MAX_GATEWAYS || !g)
		fail("gateways", "expected NAME ADDRESS:PORT, at most 64 times");
	snprintf(g->name, sizeof(g->name), "%s", word[0]);
	g->sim = sim;
	gw_defaults(&g->set);
	wrong = gw_set(&g->set, word + 2, n - 2, false);
	if (wrong)
		fail(word[0], wrong);
	if (kit_addr_read(word[1], &addr))
		fail(word[1], "not an ADDRESS:PORT");
	err = kit_udp_open(&g->udp, &addr);
	if (err)
		fail(word[1], strerror(-err));
	watch(epoll, g->udp.fd, g);
	gw_start(g);
	gw_oc_start(g);
	sim->gw[sim->n_gw++] = g;
}

static void make_room(struct sim *sim)
{
	sim->txns = calloc(sim->n_txns, sizeof(*sim->txns));
	for (sim->n_hash = 1024; sim->n_hash < sim->n_txns;)
		sim->n_hash *= 2;
	sim->hash = calloc(sim->n_hash, sizeof(struct gw_txn *));
	if (!sim->txns || !sim->hash)
		fail("memory", strerror(ENOMEM));
	for (uint32_t i = sim->n_txns; i-- > 0;) {
		sim->txns[i].chain = sim->free_txns;
		sim->free_txns = &sim->txns[i];
	}
}

static void forget(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->n_gw; i++) {
		kit_udp_close(&sim->gw[i]->udp);
		free(sim->gw[i]);
	}
	kit_heap_free(&sim->heap);
	free(sim->hash);
	free(sim->txns);
	free(sim);
}

int main(int argc, char **argv)
{
	struct sim *sim = calloc(1, sizeof(*sim));
	int epoll = epoll_create1(EPOLL_CLOEXEC), option, first;

	if (!sim || epoll < 0)
		fail("start", strerror(errno));
	sim->n_txns = 100000;
	while ((option = getopt(argc, argv, "+t:s:h")) != -1) {
		if (option == 't' && atoi(optarg) > 0)
			sim->n_txns = (uint32_t)atoi(optarg);
		else if (option == 's')
			sim->draw.state = strtoull(optarg, NULL, 10);
		else
			return fputs(usage, stderr), 2;
	}
	if (optind == argc)
		return fputs(usage, stderr), 2;
	sim->now = sim->started = kit_now();
	make_room(sim);
	for (int i = first = optind; i <= argc; i++)
		if (i == argc || strcmp(argv[i], ",") == 0) {
			add(sim, epoll, argv + first, (uint32_t)(i - first));
			first = i + 1;
		}
	watch(epoll, STDIN_FILENO, NULL);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	printf("{\"ready\":%u}\n", sim->n_gw);
	fflush(stdout);
	run(sim, epoll);
	forget(sim);
	close(epoll);
	return 0;
}
