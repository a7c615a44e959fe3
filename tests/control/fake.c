/* SPDX-License-Identifier: BSD-3-Clause */
/* The fake daemon: what the dataplane, the probes and the twins would say, and the real rest. */
#include <arpa/inet.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <rte_version.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/control.h"
#include "control/events.h"
#include "control/governor.h"
#include "control/health.h"
#include "control/loop.h"
#include "control/operate.h"
#include "control/plan.h"
#include "lb/words.h"
#include "tests/control/fake.h"
#include "tests/lb/timers.h"

/* ---- What is not there ------------------------------------------------------------------------------------
 */

const char *rte_version(void)
{
	return "DPDK 0.0";
}

uint64_t dp_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void *dp_alloc(int numa, size_t bytes)
{
	return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

void dp_free(void *mem)
{
	free(mem);
}

void dp_publish_policy(struct dp *dp, int numa, struct lb_snapshot *snap)
{
	static struct lb_snapshot *last;

	free(last);
	last = snap;
}

void dp_worker_info(const struct dp *dp, uint32_t worker, struct dp_worker_info *info)
{
	*info = (struct dp_worker_info){
		.core = 2, .numa = -1, .heartbeat = dp_now(), .pool_free = 4000, .pool_size = 4096
	};
}

/* A worker's tables with one call in progress from the peer to the first gateway. */
static struct lb_worker *tables;

const struct lb_worker *dp_worker_tables(const struct dp *dp, uint32_t worker)
{
	return tables;
}

const struct net_port *dp_port(const struct dp *dp, uint32_t port)
{
	static const struct net_port net;

	return &net;
}

uint32_t dp_port_worker(const struct dp *dp, uint32_t port, uint16_t queue)
{
	return 0;
}

int net_port_info(const struct net_port *port, struct net_port_info *out)
{
	*out = (struct net_port_info){
		.driver = "net_ring", .link_up = true, .queues = 1, .rx_packets = 7, .rx_bytes = 7000
	};
	return 0;
}

int net_port_xstats(const struct net_port *port, net_xstat_fn *fn, void *ctx)
{
	fn(ctx, "rx_good_packets", 7);
	fn(ctx, "tx_good_packets", 8);
	return 0;
}

void health_view(const struct app *app, uint32_t index, struct ctl_gateway *out)
{
	out->probed = true;
	out->n_probes = 2;
	out->probes[0] = (struct ctl_probe){ .sent = dp_now(), .end = CTL_PROBE_WAITING };
	out->probes[1] = (struct ctl_probe){
		.sent = dp_now() - 3000000000u,
		.end = out->health != LB_DOWN ? CTL_PROBE_ANSWERED : CTL_PROBE_TIMEOUT,
		.rtt_ns = 1240000,
		.status = 200,
	};
}

void health_admin(struct app *app, uint32_t index, enum lb_admin admin)
{
}

const char *loop_twin(const struct app *app, uint32_t port)
{
	return "access";
}

/* ---- The rest ---------------------------------------------------------------------------------------------
 */

#define FAIL_IF(what)                                                                                        \
	do {                                                                                                 \
		if (what) {                                                                                  \
			fprintf(stderr, "fake daemon: %s\n", #what);                                         \
			_exit(1);                                                                            \
		}                                                                                            \
	} while (0)

static void write_config(FILE *f, const struct fake *fake, unsigned int many)
{
	fprintf(f, "node: lb1\n"
		   "ports:\n  access: { device: net_ring, addresses: [192.0.2.10/24] }\n"
		   "listeners:\n  access: { address: 192.0.2.10:5060, advertise: lb.example.net }\n"
		   "peers:\n  carrier: { from: [192.0.2.0/28, 192.0.2.16/28], max-cps: 50/s }\n"
		   "pools:\n"
		   "  east:\n    gateways:\n"
		   "      gw1: { address: 192.0.2.21:5060, weight: 10, max-cps: 100/s }\n"
		   "      gw2: { address: 192.0.2.22:5060, weight: 10 }\n"
		   "      gw3: { address: 192.0.2.23:5060, weight: 10, tier: 2 }\n"
		   "  west:\n    gateways:\n");
	for (unsigned int i = 0; i < many; i++)
		fprintf(f, "      w%u: { address: 192.0.2.%u:%u }\n", i, 30 + i % 200, 6000 + i / 200);
	fprintf(f,
		"routes:\n  - { match: { number: \"+0\" }, answer: 404 }\n"
		"  - { match: { number: \"0800\" }, answer: 404 }\n"
		"  - { match: { from: carrier, method: INVITE }, pool: east }\n  - { pool: west }\n"
		"control: { socket: %s, metrics: 127.0.0.1:%u }\n",
		fake->socket, fake->metrics);
}

static void stop(evutil_socket_t fd, short what, void *arg)
{
	event_base_loopbreak(arg);
}

/* Lane of one worker with figures that obey the laws: 5 frames came, 4 went on, 1 was lost. */
static void count(struct app *app, struct st_table *table)
{
	size_t size = st_lane_size(app->policy->slots.used, app->conf->n_peers);

	table->n = 2;
	for (unsigned int i = 0; i < 2; i++)
		table->lane[i] = st_lane_init(aligned_alloc(64, (size + 63) / 64 * 64), i ? "control" : "0",
					      app->policy->slots.used, app->conf->n_peers);
	st_add(table->lane[0], ST_RX_FRAMES, 5);
	st_add(table->lane[0], ST_RX_SIP, 5);
	st_add(table->lane[0], ST_TX_FRAMES, 4);
	st_add(table->lane[0], ST_FWD_REQUEST, 4);
	st_add(table->lane[0], ST_DROP_NOT_SIP, 1);
	st_gateway_inc(table->lane[0], app->policy->gateways[0].slot, ST_GW_CALLS);
	st_gateway_inc(table->lane[0], app->policy->gateways[0].slot, ST_GW_RESPONSES_2XX);
	st_gateway_add(table->lane[0], app->policy->gateways[0].slot, ST_GW_CALLS_HELD, 10);
	st_gateway_add(table->lane[0], app->policy->gateways[0].slot, ST_GW_HELD_SECONDS, 600);
	st_hist_add(&table->lane[0]->gateways[app->policy->gateways[0].slot].response, 20000000);
	st_hist_add(&table->lane[0]->forward, 3000);
	app->stats = table;
	app->lane = table->lane[1];
}

static void load_config(struct app *app, const struct fake *fake, unsigned int many)
{
	struct conf_report report = { 0 };
	char *text;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	write_config(f, fake, many);
	fclose(f);
	if (conf_load_text("fake.yaml", text, n, &app->conf, &report))
		conf_report_print(&report, stderr);
	FAIL_IF(!app->conf);
	conf_report_free(&report);
	free(text);
}

/* A worker's tables with one INVITE from the peer, which goes to gw1: the only one for new calls. */
static void make_call(struct app *app)
{
	struct lb_worker_spec spec = {
		.trail = true,
		.timers = default_timers,
		.setups = 16,
		.calls = 16,
		.pins = 16,
		.pin_ns = 32000000000,
		.ringing_ns = 212000000000,
		.words = app->words,
		.lane = app->stats->lane[0],
	};
	struct lb_query q = {
		.request = 1,
		.method = METHOD_INVITE,
		.room = 1,
		.cseq = 1,
		.from_hash = 1,
		.via_hash = 2,
		.src = app->conf->peers[0].from[0].addr,
		.number = STR("5551234"),
		.host = STR("192.0.2.10"),
	};
	struct lb_act acts[LIMIT_ACTS];

	q.src.ip[15] = 1;
	q.src.port = 5060;
	q.reply_to = q.src;
	q.call_hash = lb_hash(lb_snapshot_key(app->policy->current), "one@peer", 8);
	tables = lb_worker_init(aligned_alloc(64, (lb_worker_size(&spec) + 63) / 64 * 64), &spec, dp_now());
	lb_input(tables, app->policy->current, &q, dp_now(), acts);
	FAIL_IF(lb_call_count(tables) != 1);
}

void fake_app(struct app *app, const struct fake *fake, unsigned int many)
{
	static const struct state_keys keys = { .hash = { { 1, 2 }, 0 }, .token = { { 3, 4 }, 1 } };
	static struct st_table table;
	static struct ctl_plan plan;
	char err[256];

	*app = (struct app){
		.file = "fake.yaml", .plan = &plan, .started = dp_now(), .started_at = time(NULL)
	};
	load_config(app, fake, many);
	plan.dp.n_workers = plan.dp.n_ports = plan.dp.n_listeners = plan.n_nodes = 1;
	plan.dp.listeners[0] = (struct dp_listener_plan){ .name = app->conf->listeners[0].name,
							  .addr = app->conf->listeners[0].address,
							  .advertise = app->conf->listeners[0].advertise };
	FAIL_IF(events_start(app));
	FAIL_IF(policy_make(app->conf, &keys, 1, &app->policy, err, sizeof(err)));
	FAIL_IF(operate_start(app));
	app->words = lb_words_init(aligned_alloc(64, (lb_words_size() + 63) / 64 * 64));
	lb_set_health(app->words, app->policy->gateways[1].slot, LB_DOWN);
	lb_set_admin(app->words, app->policy->gateways[2].slot, LB_DRAIN);
	FAIL_IF(policy_publish(app->policy, &plan, NULL));
	count(app, &table);
	make_call(app);
	app->words->gateway[app->policy->gateways[0].slot].open += fake->drift;
	app->base = event_base_new();
	FAIL_IF(governor_start(app));
	FAIL_IF(ctl_rates_start(app));
}

static void serve(const struct fake *fake, unsigned int many)
{
	struct event *term;
	struct app app;

	fake_app(&app, fake, many);
	signal(SIGPIPE, SIG_IGN); /* as main.c does */
	term = evsignal_new(app.base, SIGTERM, stop, app.base);
	event_add(term, NULL);
	FAIL_IF(ctl_api_start(&app));
	FAIL_IF(ctl_http_start(&app));
	event_base_dispatch(app.base);
	ctl_http_stop(&app);
	ctl_api_stop(&app);
	ctl_rates_stop(&app);
	governor_stop(&app);
	operate_stop(&app);
	events_stop(&app);
	event_free(term);
	event_base_free(app.base);
	free((void *)app.policy->current);
	policy_free(app.policy);
	conf_free(app.conf);
	libevent_global_shutdown();
	exit(0); /* not _exit(): a leak check looks now */
}

/* A port of 127.0.0.1 that nobody has now. */
static uint16_t free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	FAIL_IF(bind(fd, (struct sockaddr *)&a, sizeof(a)) || getsockname(fd, (struct sockaddr *)&a, &n));
	close(fd);
	return ntohs(a.sin_port);
}

/* Leaves a socket file behind on which nobody listens, as a killed daemon does. */
static void leave_stale(const struct fake *fake)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char run[96];

	snprintf(run, sizeof(run), "%s/run", fake->dir);
	strcpy(a.sun_path, fake->socket);
	FAIL_IF(mkdir(run, 0755) || bind(fd, (struct sockaddr *)&a, sizeof(a)));
	close(fd);
}

/* True if somebody listens at this address. */
static bool answers(int family, const void *addr, socklen_t n)
{
	int fd = socket(family, SOCK_STREAM, 0), rc = connect(fd, addr, n);

	close(fd);
	return rc == 0;
}

static bool serves(const struct fake *fake)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_port = htons(fake->metrics),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	strcpy(un.sun_path, fake->socket);
	return answers(AF_UNIX, &un, sizeof(un)) && answers(AF_INET, &in, sizeof(in));
}

static pid_t fork_daemon(const struct fake *fake, unsigned int many)
{
	pid_t pid = fork();

	FAIL_IF(pid < 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve(fake, many);
	}
	return pid;
}

void fake_start(struct fake *fake, unsigned int many)
{
	strcpy(fake->dir, "/tmp/weir-test-XXXXXX");
	FAIL_IF(!mkdtemp(fake->dir));
	snprintf(fake->socket, sizeof(fake->socket), "%s/run/weir.sock", fake->dir);
	fake->metrics = free_port();
	leave_stale(fake);
	fake->pid = fork_daemon(fake, many);
	for (int i = 0; i < 500 && !serves(fake); i++) {
		FAIL_IF(waitpid(fake->pid, NULL, WNOHANG) != 0);
		usleep(10000);
	}
	FAIL_IF(!serves(fake));
}

int fake_second(const struct fake *fake)
{
	int status = 0;

	FAIL_IF(waitpid(fork_daemon(fake, 1), &status, 0) < 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool fake_stop(struct fake *fake)
{
	bool alive = waitpid(fake->pid, NULL, WNOHANG) == 0;
	char run[96];

	kill(fake->pid, SIGTERM);
	waitpid(fake->pid, NULL, 0);
	snprintf(run, sizeof(run), "%s/run", fake->dir);
	rmdir(run);
	rmdir(fake->dir);
	return alive;
}
