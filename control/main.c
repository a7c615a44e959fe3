/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * weir, the daemon: command line, and the order in which its parts start and stop. The table `parts` is the
 * whole story; a part that fails stops those before it in reverse order. Everything but the workers runs on
 * this thread.
 */
#include <event2/event.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/control.h"
#include "control/events.h"
#include "control/governor.h"
#include "control/health.h"
#include "control/ledger.h"
#include "control/lanes.h"
#include "control/log.h"
#include "control/loop.h"
#include "control/operate.h"
#include "control/plan.h"
#include "control/records.h"
#include "control/state.h"
#include "control/watch.h"

#define EXPLAIN 512 /* bytes of one explanation */

/* ---- The parts, in the order of the table below ------------------------------------------------------ */

static int config_start(struct app *app)
{
	struct conf_report report;
	int rc = conf_load(app->file, &app->conf, &report);

	conf_report_print(&report, stderr);
	conf_report_free(&report);
	return rc;
}

static void config_stop(struct app *app)
{
	conf_free(app->conf);
}

static int load_keys(struct app *app, struct state_keys *keys)
{
	char err[EXPLAIN];
	int rc = state_load_keys(app->conf->state_dir, keys, err, sizeof(err));

	if (rc)
		ctl_err("%s", err);
	else if (!app->conf->state_dir || !*app->conf->state_dir)
		ctl_warn("no state-dir: calls in progress will not be recognised after a restart");
	return rc;
}

static int policy_start(struct app *app)
{
	struct state_keys keys;
	char err[EXPLAIN];
	int rc = load_keys(app, &keys);

	if (rc)
		return rc;
	rc = policy_make(app->conf, &keys, state_node_number(app->conf->node), &app->policy, err,
			 sizeof(err));
	explicit_bzero(&keys, sizeof(keys));
	if (rc)
		ctl_err("%s", err);
	return rc;
}

static void policy_stop(struct app *app)
{
	policy_free(app->policy);
}

/* elsewhere: the file may be for a machine with other cores. */
static int make_plan(struct app *app, bool elsewhere)
{
	struct ctl_topology *topo = malloc(sizeof(*topo));
	char err[EXPLAIN] = "out of memory";
	int rc = -ENOMEM;

	app->plan = calloc(1, sizeof(*app->plan));
	if (topo && app->plan)
		rc = plan_topology(app->conf, topo);
	if (rc == 0) {
		topo->elsewhere = elsewhere;
		rc = plan_make(app->conf, topo, app->plan, err, sizeof(err));
	}
	if (rc)
		ctl_err("%s", err);
	else
		plan_detect(app->plan);
	free(topo);
	return rc;
}

static int plan_start(struct app *app)
{
	return make_plan(app, false);
}

static void plan_stop(struct app *app)
{
	free(app->plan);
}

static void on_stop(evutil_socket_t signal, short what, void *arg)
{
	struct app *app = arg;

	ctl_notice("stopping: %s", strsignal((int)signal));
	app->stopping = true;
	event_base_loopbreak(app->base);
}

static void on_hangup(evutil_socket_t signal, short what, void *arg)
{
	ctl_warn("SIGHUP: the config is read at start only; restart to change it");
	records_reopen(arg);
}

static int base_start(struct app *app)
{
	static const struct {
		int signal;
		event_callback_fn handler;
	} handlers[CTL_SIGNALS] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_hangup } };

	signal(SIGPIPE, SIG_IGN);
	app->base = event_base_new();
	if (!app->base)
		return -ENOMEM;
	for (unsigned i = 0; i < CTL_SIGNALS; i++) {
		app->signals[i] = evsignal_new(app->base, handlers[i].signal, handlers[i].handler, app);
		if (!app->signals[i] || event_add(app->signals[i], NULL) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void base_stop(struct app *app)
{
	for (unsigned i = 0; i < CTL_SIGNALS; i++)
		if (app->signals[i])
			event_free(app->signals[i]);
	if (app->base)
		event_base_free(app->base);
	libevent_global_shutdown();
}

static void log_plan(const struct ctl_plan *plan)
{
	char *text = NULL, *save = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return;
	plan_print(plan, f);
	fclose(f);
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		ctl_info("%s", line);
	free(text);
}

static int dataplane_start(struct app *app)
{
	char err[EXPLAIN] = "";

	log_plan(app->plan);
	app->dp = dp_start(&app->plan->dp, err, sizeof(err));
	if (!app->dp) {
		ctl_err("%s", err);
		return -EIO;
	}
	app->started = dp_now();
	app->started_at = time(NULL);
	return 0;
}

static void dataplane_stop(struct app *app)
{
	if (app->dp)
		dp_stop(app->dp);
}

static int publish_start(struct app *app)
{
	policy_set_limits(app->policy, app->conf, app->words);
	return policy_publish(app->policy, app->plan, app->dp);
}

static const struct part {
	const char *name;
	int (*start)(struct app *app); /* 0 or -errno; may leave things behind for stop() when it fails */
	void (*stop)(struct app *app); /* also after a failed start; NULL: nothing to do */
} parts[] = {
	{ "config", config_start, config_stop },          /* everything that can be wrong in the file */
	{ "events", events_start, events_stop },          /* what happened, for weirctl events */
	{ "policy", policy_start, policy_stop },          /* keys, slots, specification */
	{ "operation", operate_start, operate_stop },     /* what the operator changes meanwhile */
	{ "plan", plan_start, plan_stop },                /* cores, memory nodes, EAL arguments */
	{ "memory", lanes_make, lanes_free },             /* words and statistics, shared with the workers */
	{ "loop", base_start, base_stop },                /* event loop and signals */
	{ "ledger", ledger_start, ledger_stop },          /* calls of the process before this one */
	{ "dataplane", dataplane_start, dataplane_stop }, /* EAL, ports, workers */
	{ "records", records_start, records_stop },       /* of calls that ended */
	{ "kernel", loop_start, loop_stop },              /* twins, routes and neighbours, next hops */
	{ "publication", publish_start, NULL },           /* from here on messages are forwarded */
	{ "governor", governor_start, governor_stop },    /* limits of gateways, learned */
	{ "health", health_start, health_stop },          /* probes */
	{ "rates", ctl_rates_start, ctl_rates_stop },     /* samples for show and /metrics */
	{ "api", ctl_api_start, ctl_api_stop },           /* control socket */
	{ "metrics", ctl_http_start, ctl_http_stop },     /* /metrics */
	{ "watch", watch_start, watch_stop },             /* READY=1; heartbeats */
};

static unsigned n_parts(void)
{
	return sizeof(parts) / sizeof(parts[0]);
}

/* Starts parts 0..n-1. *started counts those that stop_parts() has to stop, a failed one included. */
static int start_parts(struct app *app, unsigned n, unsigned *started)
{
	for (*started = 0; *started < n;) {
		const struct part *part = &parts[(*started)++];
		int rc = part->start(app);

		if (rc) {
			ctl_err("not started: %s: %s", part->name, strerror(-rc));
			return rc;
		}
	}
	return 0;
}

static void stop_parts(struct app *app, unsigned started)
{
	while (started-- > 0)
		if (parts[started].stop)
			parts[started].stop(app);
}

static int run(const char *file)
{
	struct app app = { .file = file };
	unsigned started;
	int rc = start_parts(&app, n_parts(), &started);

	if (rc == 0) {
		ctl_notice("%s: serving %u gateways in %u pools with %u workers", app.conf->node,
			   ctl_gateway_count(&app), ctl_pool_count(&app), ctl_worker_count(&app));
		event_base_dispatch(app.base);
	}
	stop_parts(&app, started);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- Command line -------------------------------------------------------------------------------------- */

/* Everything that can be known without root and without EAL, and on another machine than the one it is for.
 */
static int check(const char *file)
{
	struct app app = { .file = file };
	const struct state_keys none = { 0 };
	char err[EXPLAIN];
	int rc = config_start(&app);

	if (rc == 0) {
		rc = policy_make(app.conf, &none, 0, &app.policy, err, sizeof(err));
		if (rc)
			fprintf(stderr, "%s: %s\n", file, err);
	}
	if (rc == 0)
		rc = make_plan(&app, true);
	if (rc == 0)
		rc = plan_print(app.plan, stdout);
	if (rc == 0)
		printf("%s: good\n", file);
	plan_stop(&app);
	policy_stop(&app);
	config_stop(&app);
	return rc ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void usage(FILE *out)
{
	fputs("usage: weir -c FILE        run in the foreground with this configuration\n"
	      "       weir --check FILE   report every error of a configuration, then the plan\n"
	      "       weir --version\n"
	      "       weir --help\n",
	      out);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", required_argument, NULL, 'C' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *run_file = NULL, *check_file = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "c:C:Vh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			run_file = optarg;
			break;
		case 'C':
			check_file = optarg;
			break;
		case 'V':
			puts("weir " WEIR_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc || !run_file == !check_file) {
		usage(stderr);
		return 2;
	}
	return run_file ? run(run_file) : check(check_file);
}
