/* SPDX-License-Identifier: BSD-3-Clause */
/* `weirctl why`: how requests with a Call-ID were decided, out of the workers' trails, as JSON. Control
 * thread. */
#include <stdlib.h>

#include "control/api.h"
#include "control/apply.h"
#include "control/control.h"

#define WHY_SHOWN 16 /* decisions of each worker */

/* A word for programs and one for people. */
static const struct {
	const char *name, *text;
} stops[LB_STOP_COUNT] = {
	[LB_STOP_NONE] = { "none", "nothing" },
	[LB_STOP_STATE] = { "state", "down, drained or under maintenance" },
	[LB_STOP_CALLS] = { "max-calls", "at its max-calls" },
	[LB_STOP_CPS] = { "max-cps", "at its max-cps" },
	[LB_STOP_RPS] = { "max-rps", "at its max-rps" },
	[LB_STOP_RATE] = { "rate", "at the rate that it is found to take" },
	[LB_STOP_OPEN] = { "open", "has as many unanswered INVITEs as it is found to take" },
	[LB_STOP_SHED] = { "shed", "asked to be spared this part of the calls" },
	[LB_STOP_BOUND] = { "bound", "has more than its share of unanswered INVITEs" },
	[LB_STOP_TRIED] = { "tried", "had the call before" },
};

static json_t *gateway_name(const struct app *app, uint16_t slot)
{
	uint16_t index = slot < LIMIT_GATEWAYS ? app->policy->by_slot[slot] : LB_NONE;

	return index == LB_NONE ? json_null() : json_string(app->policy->gateways[index].name.p);
}

static json_t *asked(const struct app *app, const struct lb_trail *t)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < t->n; i++) {
		unsigned stop = t->stop[i] < LB_STOP_COUNT ? t->stop[i] : LB_STOP_NONE;

		json_array_append_new(list,
				      json_pack("{s:o, s:s, s:s}", "gateway", gateway_name(app, t->asked[i]),
						"stopped_by", stops[stop].name, "text", stops[stop].text));
	}
	return list;
}

static json_t *decision(const struct app *app, uint32_t worker, const struct lb_trail *t)
{
	const struct st_info *end = st_info(t->end);
	uint64_t now = dp_now();

	return json_pack("{s:i, s:f, s:o, s:o, s:o, s:s, s:s, s:s, s:b}", "worker", worker, "age_s",
			 now > t->when ? (double)(now - t->when) / 1e9 : 0.0, "pool",
			 t->pool < app->policy->spec.n_pools ? json_string(app->policy->pools[t->pool].name.p)
							     : json_null(),
			 "asked", asked(app, t), "gateway", gateway_name(app, t->gateway), "outcome",
			 st_outcome_name(end->outcome), "reason", end->reason, "text", end->help, "urgent",
			 t->urgent);
}

int ctl_method_why(struct ctl_call *call)
{
	const struct app *app = call->app;
	json_t *id = json_object_get(call->params, "call_id"), *list;
	struct lb_trail found[WHY_SHOWN];
	uint32_t tag;

	if (!app->policy->current)
		return ctl_fail(call, CTL_ERR_NOT_NOW, NULL, "no policy is published yet");
	tag = lb_call_tag(lb_hash(lb_snapshot_key(app->policy->current), json_string_value(id),
				  json_string_length(id)));
	list = json_array();
	for (uint32_t w = 0; w < ctl_worker_count(app); w++) {
		unsigned n = lb_trail_find(dp_worker_tables(app->dp, w), tag, found, WHY_SHOWN);

		for (unsigned i = 0; i < n; i++)
			json_array_append_new(list, decision(app, w, &found[i]));
	}
	if (json_array_size(list) == 0) {
		json_decref(list);
		return ctl_fail(call, CTL_ERR_NO_SUCH, json_pack("{s:O}", "call_id", id),
				"nothing is known of this Call-ID: not seen, or too long ago");
	}
	call->result = json_pack("{s:O, s:o}", "call_id", id, "decisions", list);
	return 0;
}
