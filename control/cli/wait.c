/* SPDX-License-Identifier: BSD-3-Clause */
/* --wait: asks how many calls are left until there are none, or until --within is over. */
#include <time.h>
#include <unistd.h>

#include "control/cli/cli.h"
#include "control/cli/table.h"
#include "control/cli/value.h"

#define ASK_EVERY_S 0.5

struct waiting {
	const char *gateway; /* NULL: the node */
	double until;        /* monotonic s; 0: for ever */
	double calls, told;  /* left; when last printed */
	bool live;           /* a terminal: one line that changes */
};

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void tell(struct cli *cli, struct waiting *w, const json_t *left)
{
	const json_t *eta = json_object_get(left, "empty_in_s");
	double calls = number_of(left, "calls");
	char age[FIGURE];

	if (cli->json || (calls == w->told && !w->live))
		return;
	w->told = calls;
	fprintf(cli->out, "%s%s: %.0f calls left%s%s%s", w->live ? "\r\033[K" : "",
		w->gateway ? w->gateway : "node", calls, json_is_number(eta) ? ", about " : "",
		json_is_number(eta) ? figure_age(age, json_number_value(eta)) : "", w->live ? "" : "\n");
	fflush(cli->out);
}

static int ask(struct cli *cli, void *arg)
{
	struct waiting *w = arg;
	json_t *params = w->gateway ? json_pack("{s:s}", "gateway", w->gateway) : NULL, *left = NULL;
	int rc = cli_ask(cli, "calls.left", params, &left);

	if (rc != CLI_DONE)
		return rc;
	w->calls = number_of(left, "calls");
	tell(cli, w, left);
	json_decref(left);
	return w->calls == 0 || (w->until > 0 && now_s() >= w->until) ? CLI_IN_VAIN : CLI_DONE;
}

int cli_wait(struct cli *cli, const char *gateway)
{
	struct waiting w = { .gateway = gateway, .told = -1, .calls = -1 };
	int rc;

	w.live = cli->color && isatty(fileno(cli->out));
	w.until = cli->within_s > 0 ? now_s() + cli->within_s : 0;
	rc = cli_repeat(cli, ASK_EVERY_S, true, ask, &w);
	if (w.live)
		fputc('\n', cli->out);
	if (rc != CLI_DONE && rc != CLI_IN_VAIN)
		return rc;
	if (w.calls == 0)
		return CLI_DONE;
	cli_error(cli, CLI_IN_VAIN, NULL, "%s: %.0f calls left", gateway ? gateway : "node", w.calls);
	return CLI_IN_VAIN;
}
