/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Words against entries and branches: see audit.h. A place is counted in the words first and given back there
 * last, so that a worker that stands still in between shows as a difference of one: hence the second reading.
 */
#include "control/audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/apply.h"

int audit_init(struct ctl_audit *a, const struct app *app)
{
	*a = (struct ctl_audit){
		.gateways = calloc(LIMIT_GATEWAYS, sizeof(*a->gateways)),
		.peers = calloc(LIMIT_PEERS, sizeof(*a->peers)),
		.open = calloc(LIMIT_GATEWAYS, sizeof(*a->open)),
		.moved = calloc(LIMIT_GATEWAYS, sizeof(*a->moved)),
		.open_moved = calloc(LIMIT_GATEWAYS, sizeof(*a->open_moved)),
		.difference = calloc(ctl_gateway_count(app) + 1, sizeof(*a->difference)),
		.open_difference = calloc(ctl_gateway_count(app) + 1, sizeof(*a->open_difference)),
		.peer_difference = calloc(app->conf->n_peers + 1, sizeof(*a->peer_difference)),
	};
	if (a->gateways && a->peers && a->open && a->moved && a->open_moved && a->difference &&
	    a->open_difference && a->peer_difference)
		return 0;
	audit_free(a);
	return -ENOMEM;
}

void audit_free(struct ctl_audit *a)
{
	free(a->gateways);
	free(a->peers);
	free(a->open);
	free(a->moved);
	free(a->open_moved);
	free(a->difference);
	free(a->open_difference);
	free(a->peer_difference);
	*a = (struct ctl_audit){ 0 };
}

/* Sum of two counters of a gateway since the start. */
static uint64_t moves_at(const struct app *app, uint16_t slot, enum st_gateway_counter taken,
			 enum st_gateway_counter given)
{
	const struct st_table *stats = app->stats;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < stats->n; i++) {
		const struct st_lane *lane = stats->lane[i];

		if (slot < lane->n_gateways)
			sum += st_cell_read(&lane->gateways[slot].count[taken]) +
			       st_cell_read(&lane->gateways[slot].count[given]);
	}
	return sum;
}

static uint64_t places_moved(const struct app *app, uint16_t slot)
{
	return moves_at(app, slot, ST_GW_PLACES_TAKEN, ST_GW_PLACES_GIVEN);
}

static uint64_t open_moved(const struct app *app, uint16_t slot)
{
	return moves_at(app, slot, ST_GW_OPEN_TAKEN, ST_GW_OPEN_GIVEN);
}

/* What is left of a difference that `moved` places coming and going may make. */
static int64_t beyond(uint32_t words, uint32_t entries, uint64_t moved)
{
	int64_t d = (int64_t)words - entries;

	return (uint64_t)llabs(d) > moved ? d : 0;
}

/* True if a difference is new, or has its sign again; *kept is what stays of it. */
static bool confirm(int64_t *kept, int64_t now, bool second)
{
	if (second && ((*kept > 0) != (now > 0) || (*kept < 0) != (now < 0)))
		now = 0;
	*kept = now;
	return now != 0;
}

/* What the workers' tables hold, and before that how much had moved until now. */
static void read_tables(struct ctl_audit *a, const struct app *app)
{
	const struct ctl_policy *p = app->policy;

	memset(a->gateways, 0, LIMIT_GATEWAYS * sizeof(*a->gateways));
	memset(a->peers, 0, LIMIT_PEERS * sizeof(*a->peers));
	memset(a->open, 0, LIMIT_GATEWAYS * sizeof(*a->open));
	for (uint32_t i = 0; i < p->spec.n_gateways; i++) {
		a->moved[p->gateways[i].slot] = places_moved(app, p->gateways[i].slot);
		a->open_moved[p->gateways[i].slot] = open_moved(app, p->gateways[i].slot);
	}
	for (uint32_t i = 0; i < ctl_worker_count(app); i++) {
		lb_audit(dp_worker_tables(app->dp, i), a->gateways, a->peers);
		lb_audit_open(dp_worker_tables(app->dp, i), a->open);
	}
}

static void read_once(struct ctl_audit *a, const struct app *app, bool second)
{
	const struct ctl_policy *p = app->policy;
	uint64_t moved = 0;

	read_tables(a, app);
	a->wrong = 0;
	for (uint32_t i = 0; i < p->spec.n_gateways; i++) {
		uint16_t slot = p->gateways[i].slot;
		uint32_t calls = lb_gateway_calls(app->words, slot);
		uint32_t open = lb_gateway_open(app->words, slot);

		a->moved[slot] = places_moved(app, slot) - a->moved[slot];
		a->open_moved[slot] = open_moved(app, slot) - a->open_moved[slot];
		moved += a->moved[slot];
		a->wrong +=
			confirm(&a->difference[i], beyond(calls, a->gateways[slot], a->moved[slot]), second);
		a->wrong += confirm(&a->open_difference[i], beyond(open, a->open[slot], a->open_moved[slot]),
				    second);
	}
	/* A peer's call has a place at a gateway, too. */
	for (uint32_t i = 0; i < p->spec.n_peers; i++) {
		uint16_t slot = p->peer_specs[i].slot;
		uint32_t words = lb_peer_calls(app->words, slot);

		a->wrong += confirm(&a->peer_difference[i], beyond(words, a->peers[slot], moved), second);
	}
}

void audit_read(struct ctl_audit *a, const struct app *app)
{
	read_once(a, app, false);
	if (a->wrong)
		read_once(a, app, true);
}
