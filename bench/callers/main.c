/* SPDX-License-Identifier: BSD-3-Clause */
/* callers: start, the loop, the steps. Prints a line when a step begins and the result as the last one. */
#include "bench/callers/callers.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = 1;
}

static void arm_arrival(struct world *w, struct peer *p, uint64_t from)
{
	p->arrival.kind = TIMER_ARRIVAL;
	if (p->rate > 0)
		kit_arm(&w->heap, &p->arrival, from + (uint64_t)kit_exponential(&w->draw, 1e9 / p->rate));
	else
		kit_disarm(&w->heap, &p->arrival);
}

/* Rates of the peers in this step; arrivals have no memory, so they are drawn anew. */
static void begin_step(struct world *w, uint64_t at)
{
	const struct step *s = &w->steps[w->step];
	double shares = 0, rate = s->rate;

	for (uint32_t i = 0; i < w->n_peers; i++) {
		if (s->peer_rate[i] < 0)
			shares += w->peer[i].plan.share;
		else
			rate -= s->peer_rate[i];
	}
	for (uint32_t i = 0; i < w->n_peers; i++) {
		struct peer *p = &w->peer[i];

		p->rate = s->peer_rate[i];
		if (p->rate < 0)
			p->rate = rate > 0 && shares > 0 ? rate * p->plan.share / shares : 0;
		arm_arrival(w, p, at);
	}
	w->step_ends = at + (uint64_t)(s->seconds * 1e9);
	printf("{\"step\":%u,\"name\":\"%s\"}\n", w->step, s->name);
	fflush(stdout);
}

/* Every step that is over, then the time for the calls that are left. */
static void next_step(struct world *w)
{
	uint64_t at = w->step_ends;

	if (w->step == w->n_steps) {
		stop = 1;
		return;
	}
	if (++w->step < w->n_steps) {
		begin_step(w, at);
		return;
	}
	for (uint32_t i = 0; i < w->n_peers; i++)
		kit_disarm(&w->heap, &w->peer[i].arrival);
	w->step_ends = at + (uint64_t)(w->drain * 1e9);
	stop = w->n_up == 0;
}

static void fire(struct world *w, struct kit_timer *timer)
{
	struct peer *p;

	if (timer->kind != TIMER_ARRIVAL) {
		call_timer(w, timer);
		return;
	}
	p = (struct peer *)((char *)timer - offsetof(struct peer, arrival));
	if (w->now - timer->at > w->worst_lag)
		w->worst_lag = w->now - timer->at;
	call_arrive(w, p);
	arm_arrival(w, p, timer->at);
}

static void receive(struct world *w, struct peer *p, uint32_t port)
{
	struct kit_sip m;

	for (int turn = 0; turn < 8; turn++) {
		uint32_t n = kit_udp_receive(&p->port[port], &w->in);

		for (uint32_t i = 0; i < n; i++) {
			if (kit_sip_read(&m, w->in.data[i], w->in.head[i].msg_len) && m.status)
				call_response(w, p, port, &m);
			else
				w->odd++;
		}
		if (n < KIT_BURST)
			break;
	}
}

static void run(struct world *w, int epoll)
{
	struct epoll_event event[64];

	while (!stop) {
		uint64_t next = kit_next(&w->heap), wait;
		struct timespec t;
		int n;

		next = next < w->step_ends ? next : w->step_ends;
		wait = next > w->now ? next - w->now : 0;
		t = (struct timespec){ .tv_sec = (time_t)(wait / S), .tv_nsec = (long)(wait % S) };
		n = epoll_pwait2(epoll, event, 64, &t, NULL);
		w->now = kit_now();
		for (int i = 0; i < n; i++)
			receive(w, &w->peer[event[i].data.u64 / MAX_PORTS], event[i].data.u64 % MAX_PORTS);
		for (struct kit_timer *due;
		     (due = kit_due(&w->heap, w->now < w->step_ends ? w->now : w->step_ends));)
			fire(w, due);
		if (w->now >= w->step_ends || (w->step == w->n_steps && w->n_up == 0))
			next_step(w);
		for (uint32_t i = 0; i < w->n_peers; i++)
			for (uint32_t k = 0; k < w->peer[i].plan.n_ports; k++)
				kit_udp_flush(&w->peer[i].port[k]);
	}
}

/* The ports of a peer follow one another. */
static int open_ports(struct world *w, struct peer *p, int epoll)
{
	for (uint32_t k = 0; k < p->plan.n_ports; k++) {
		union kit_addr from = p->plan.from;
		struct epoll_event event = { .events = EPOLLIN };
		int err;

		from.in.sin_port = htons((uint16_t)(ntohs(from.in.sin_port) + k));
		err = kit_udp_open(&p->port[k], &from);
		if (err) {
			fprintf(stderr, "callers: %s, port %u: %s\n", p->plan.name, ntohs(from.in.sin_port),
				strerror(-err));
			return err;
		}
		event.data.u64 = (uint64_t)(p - w->peer) * MAX_PORTS + k;
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, p->port[k].fd, &event))
			return -errno;
	}
	return 0;
}

static int make(struct world *w, int epoll)
{
	int err = tally_make(w);

	w->calls = calloc(w->n_calls, sizeof(*w->calls));
	if (err || !w->calls)
		return -ENOMEM;
	for (uint32_t i = w->n_calls; i-- > 0;) {
		w->calls[i].next_free = w->free_calls;
		w->free_calls = &w->calls[i];
	}
	for (uint32_t i = 0; i < w->n_peers && !err; i++)
		err = open_ports(w, &w->peer[i], epoll);
	return err;
}

static void forget(struct world *w)
{
	for (uint32_t i = 0; i < w->n_peers; i++)
		for (uint32_t k = 0; k < w->peer[i].plan.n_ports; k++)
			kit_udp_close(&w->peer[i].port[k]);
	tally_free(w);
	kit_heap_free(&w->heap);
	free(w->calls);
	free(w);
}

int main(int argc, char **argv)
{
	struct world *w = calloc(1, sizeof(*w));
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2) {
		fprintf(stderr, "usage: callers PLAN.json   (what stands in it: bench/callers/plan.c)\n");
		return 2;
	}
	if (!w || epoll < 0 || plan_read(w, argv[1]) || make(w, epoll))
		return 1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	w->draw.state = w->seed;
	w->now = w->started = kit_now();
	begin_step(w, w->now);
	run(w, epoll);
	tally_report(w);
	forget(w);
	close(epoll);
	return 0;
}
