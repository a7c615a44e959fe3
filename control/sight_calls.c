/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened, and which calls there are, as JSON: events, calls, audit. Handlers of methods.c's table;
 * each does a bounded amount of work. Control thread.
 */
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "control/api.h"
#include "control/apply.h"
#include "control/audit.h"
#include "control/control.h"
#include "control/events.h"

static json_t *event(const struct ctl_event *e)
{
	char text[40];
	struct tm tm;
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&e->at.tv_sec, &tm));

	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(e->at.tv_nsec / 1000000));
	return json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)e->id, "at", text, "kind",
			 ctl_event_name(e->kind), "subject", e->subject, "text", e->text);
}

int ctl_method_events(struct ctl_call *call)
{
	json_int_t since = json_integer_value(json_object_get(call->params, "since"));
	const struct ctl_event *e;
	json_t *list;

	if (since < 0)
		return ctl_fail(call, CTL_ERR_PARAMS, NULL, "\"since\" must not be negative");
	list = json_array();
	for (uint64_t id = (uint64_t)since; (e = ctl_event_after(call->app, id)); id = e->id)
		json_array_append_new(list, event(e));
	call->result =
		json_pack("{s:o, s:I}", "events", list, "last", (json_int_t)ctl_events_last(call->app));
	return 0;
}

/* ---- Calls -------------------------------------------------------------------------------------------- */

#define CALLS_SHOWN 100     /* unless more are asked for */
#define CALLS_READ  1000000 /* entries that one request looks at: some ten ms */

static json_t *gateway_name(const struct app *app, uint16_t slot)
{
	uint16_t index = slot < LIMIT_GATEWAYS ? app->policy->by_slot[slot] : LB_NONE;

	return index == LB_NONE ? json_null() : json_string(app->policy->gateways[index].name.p);
}

static json_t *peer_name(const struct app *app, uint16_t slot)
{
	for (uint32_t i = 0; i < app->policy->spec.n_peers; i++)
		if (app->policy->peer_specs[i].slot == slot)
			return json_string(app->policy->peer_specs[i].name.p);
	return json_null();
}

static json_t *one_call(const struct app *app, uint32_t worker, const struct lb_call *c)
{
	static const char *const states[] = {
		[LB_CALL_SETUP] = "setup", [LB_CALL_ANSWERED] = "answered", [LB_CALL_LEFT] = "left"
	};
	json_t *o =
		json_pack("{s:s, s:f, s:o, s:o, s:o, s:i, s:i, s:i}", "state", states[c->state], "age_s",
			  c->age_ms / 1e3, "peer", peer_name(app, c->peer), "from", gateway_name(app, c->in),
			  "to", gateway_name(app, c->out), "dialogs", c->dialogs, "counted",
			  (c->counts_in && c->in != LB_NONE) + (c->out != LB_NONE), "worker", worker);

	if (c->state == LB_CALL_ANSWERED)
		json_object_set_new(o, "answered_s", json_real(c->answered_ms / 1e3));
	if (c->session_ms)
		json_object_set_new(o, "session_left_s", json_real(c->session_ms / 1e3));
	return o;
}

/* Which calls are asked for. */
struct choice {
	uint16_t slot; /* of a gateway, or LB_NONE */
	uint32_t tag;  /* of a Call-ID */
	bool by_tag;
	uint32_t limit; /* calls in the answer */
};

static bool chosen(const struct choice *w, const struct lb_call *c)
{
	if (w->slot != LB_NONE && c->in != w->slot && c->out != w->slot)
		return false;
	return !w->by_tag || c->tag == w->tag;
}

static int read_choice(struct ctl_call *call, struct choice *w)
{
	json_t *gateway = json_object_get(call->params, "gateway");
	json_t *id = json_object_get(call->params, "call_id"),
	       *limit = json_object_get(call->params, "limit");
	const struct lb_snapshot *snapshot = call->app->policy->current;
	int index = 0;

	*w = (struct choice){ .slot = LB_NONE, .limit = CALLS_SHOWN };
	if (limit && (json_integer_value(limit) < 1 || json_integer_value(limit) > LIMIT_API_PAGE))
		return ctl_fail(call, CTL_ERR_PARAMS, NULL, "\"limit\" must be in 1..%u", LIMIT_API_PAGE);
	if (limit)
		w->limit = (uint32_t)json_integer_value(limit);
	if (gateway)
		index = ctl_gateway_find(call->app, (struct str){ json_string_value(gateway),
								  (uint32_t)json_string_length(gateway) });
	if (index < 0)
		return ctl_fail(call, CTL_ERR_NO_SUCH, json_pack("{s:O}", "gateway", gateway),
				"no gateway \"%.*s\"", LIMIT_NAME, json_string_value(gateway));
	if (gateway)
		w->slot = call->app->policy->gateways[index].slot;
	if (id && snapshot) {
		w->by_tag = true;
		w->tag = lb_call_tag(
			lb_hash(lb_snapshot_key(snapshot), json_string_value(id), json_string_length(id)));
	}
	return 0;
}

/* Calls in the order of the tables; `total` counts all that are in use, at the gateway if one is named. */
int ctl_method_calls(struct ctl_call *call)
{
	const struct app *app = call->app;
	uint64_t now = dp_now(), total = 0, read = 0;
	json_t *list;
	struct lb_call c;
	struct choice w;

	if (read_choice(call, &w))
		return -1;
	list = json_array();
	for (uint32_t i = 0; i < ctl_worker_count(app); i++) {
		const struct lb_worker *tables = dp_worker_tables(app->dp, i);
		uint32_t left = lb_call_count(tables);

		total += left;
		for (uint32_t k = 0; left && k < lb_call_limit(tables) && read < CALLS_READ; k++, read++) {
			if (json_array_size(list) == w.limit)
				break;
			if (!lb_call_read(tables, k, now, &c))
				continue;
			left--;
			if (chosen(&w, &c))
				json_array_append_new(list, one_call(app, i, &c));
		}
	}
	if (w.slot != LB_NONE)
		total = lb_gateway_calls(app->words, w.slot);
	if (w.by_tag)
		total = json_array_size(list);
	call->result = json_pack("{s:o, s:I}", "calls", list, "total", (json_int_t)total);
	return 0;
}

/* ---- Audit -------------------------------------------------------------------------------------------- */

static json_t *audit_row(const char *name, uint32_t words, uint32_t entries, uint32_t survivors,
			 int64_t difference)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I}", "name", name, "counted", (json_int_t)words + survivors,
			 "entries", (json_int_t)entries, "survivors", (json_int_t)survivors, "difference",
			 (json_int_t)difference);
}

/* All that are wrong, and as many of the others that have calls as one answer may have. */
static json_t *audit_gateways(const struct app *app, const struct ctl_audit *a)
{
	json_t *list = json_array();
	struct ctl_gateway g;

	for (uint32_t i = 0; i < ctl_gateway_count(app); i++) {
		ctl_gateway(app, i, &g);
		if (a->difference[i] || ((g.calls || g.survivors || a->gateways[g.slot]) &&
					 json_array_size(list) < LIMIT_API_PAGE))
			json_array_append_new(list, audit_row(g.name, g.calls, a->gateways[g.slot],
							      g.survivors, a->difference[i]));
	}
	return list;
}

/* The same for unanswered INVITEs. */
static json_t *audit_open(const struct app *app, const struct ctl_audit *a)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < ctl_gateway_count(app); i++) {
		const struct lb_gateway_spec *g = &app->policy->gateways[i];
		uint32_t words = lb_gateway_open(app->words, g->slot);

		if (a->open_difference[i] ||
		    ((words || a->open[g->slot]) && json_array_size(list) < LIMIT_API_PAGE))
			json_array_append_new(list, audit_row(g->name.p, words, a->open[g->slot], 0,
							      a->open_difference[i]));
	}
	return list;
}

static json_t *audit_peers(const struct app *app, const struct ctl_audit *a)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < app->policy->spec.n_peers; i++) {
		const struct lb_peer_spec *peer = &app->policy->peer_specs[i];
		uint32_t words = lb_peer_calls(app->words, peer->slot);

		if (words || a->peers[peer->slot] || a->peer_difference[i])
			json_array_append_new(list, audit_row(peer->name.p, words, a->peers[peer->slot], 0,
							      a->peer_difference[i]));
	}
	return list;
}

int ctl_method_audit(struct ctl_call *call)
{
	const struct app *app = call->app;
	struct ctl_audit a;

	if (audit_init(&a, app))
		return ctl_fail(call, CTL_ERR_INTERNAL, NULL, "out of memory");
	audit_read(&a, app);
	call->result = json_pack("{s:b, s:i, s:o, s:o, s:o}", "holds", !a.wrong, "wrong", a.wrong, "gateways",
				 audit_gateways(app, &a), "open", audit_open(app, &a), "peers",
				 audit_peers(app, &a));
	audit_free(&a);
	return 0;
}
