/* SPDX-License-Identifier: BSD-3-Clause */
/* What `weirctl show congestion` shows of a gateway, as JSON. Control thread. */
#include "control/api.h"
#include "control/control.h"
#include "lb/govern/govern.h"

static json_t *limit(uint32_t most)
{
	return most == LB_UNLIMITED ? json_null() : json_integer(most);
}

/* scale: of what the governor has, to what the key's unit says. */
static json_t *signal(const struct lb_signal_sight *s, double scale)
{
	if (!s->known)
		return json_null();
	return json_pack("{s:f, s:f, s:f}", "value", s->value * scale, "floor", s->floor * scale, "threshold",
			 s->threshold * scale);
}

/* What it asks for by overload control, and what follows; null: nothing. */
static json_t *asked(const struct lb_congestion *c)
{
	if (!c->oc_algo)
		return json_null();
	return json_pack("{s:s, s:i, s:f, s:f}", "algorithm", c->oc_algo == LB_OC_RATE ? "rate" : "loss",
			 "value", c->oc_value, "left_ms", (double)c->oc_left_ns / 1e6, "withheld",
			 c->shed == UINT16_MAX ? 1.0 : c->shed / 65536.0);
}

/* What its Retry-After does; null: nothing. */
static json_t *waits(const struct lb_congestion *c)
{
	if (c->retry == LB_RETRY_NONE)
		return json_null();
	return json_pack("{s:s, s:f}", "effect", lb_retry_name(c->retry), "left_ms",
			 (double)c->retry_left_ns / 1e6);
}

json_t *ctl_show_congestion(const struct ctl_call *call, uint32_t index)
{
	struct lb_congestion c;
	struct ctl_gateway g;
	uint64_t now = dp_now();
	json_t *o;

	ctl_gateway(call->app, index, &g);
	ctl_congestion(call->app, index, &c);
	o = json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:s, s:b}", "name", g.name, "pool", g.pool, "state",
		      ctl_gateway_state(&g), "open", c.open, "open_limit", limit(c.open_cap), "rate_limit",
		      limit(c.rate), "moved_for", lb_moved_name(c.why), "measuring", c.measuring);
	if (c.moved) {
		json_object_set_new(o, "moved_ago_s",
				    json_real(now > c.moved ? (double)(now - c.moved) / 1e9 : 0.0));
		json_object_set_new(o, "moved_from", limit(c.moved_from));
	}
	json_object_set_new(o, "sent_per_s", json_real(c.offered_s));
	json_object_set_new(o, "done_per_s", json_real(c.finished_s));
	json_object_set_new(o, "t1_ms", c.t1_ms ? json_integer(c.t1_ms) : json_null());
	json_object_set_new(o, "oldest_ms", json_real((double)c.oldest_ns / 1e6));
	json_object_set_new(o, "response_ms", signal(&c.response, 1e3));
	json_object_set_new(o, "progress_ms", signal(&c.progress, 1e3));
	json_object_set_new(o, "refused", signal(&c.refused, 1));
	json_object_set_new(o, "oc", asked(&c));
	json_object_set_new(o, "retry_after", waits(&c));
	json_object_set_new(o, "repeated", signal(&c.repeated, 1));
	return o;
}
