/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the control socket can be asked to change, and how far a change has come: handlers of methods.c's
 * table. Control thread.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/api.h"
#include "control/apply.h"
#include "control/control.h"
#include "control/operate.h"

static int admin(struct ctl_call *call, enum lb_admin admin)
{
	static const char *const so_already[] = {
		[LB_READY] = "is ready already",
		[LB_DRAIN] = "is drained already",
		[LB_MAINT] = "is under maintenance already",
	};
	int index = ctl_gateway_param(call), rc;
	struct ctl_gateway g;

	if (index < 0)
		return -1;
	ctl_gateway(call->app, (uint32_t)index, &g);
	rc = ctl_gateway_admin(call->app, (uint32_t)index, admin, call->who);
	if (rc == -EALREADY)
		return ctl_fail(call, CTL_ERR_UNCHANGED, json_pack("{s:s}", "gateway", g.name),
				"gateway %s %s", g.name, so_already[admin]);
	if (rc)
		return ctl_fail(call, CTL_ERR_INTERNAL, NULL, "gateway %s: %s", g.name, strerror(-rc));
	call->result = ctl_show_gateway_more(call, (uint32_t)index);
	return 0;
}

int ctl_method_drain(struct ctl_call *call)
{
	return admin(call, LB_DRAIN);
}

int ctl_method_maint(struct ctl_call *call)
{
	return admin(call, LB_MAINT);
}

int ctl_method_ready(struct ctl_call *call)
{
	return admin(call, LB_READY);
}

#define DRAIN_RETRY_S     60 /* unless the operator says how long the node will be away */
#define DRAIN_RETRY_MAX_S 86400

int ctl_method_node_drain(struct ctl_call *call)
{
	const char *text = json_string_value(json_object_get(call->params, "away_s"));
	char *end = NULL;
	unsigned long s = text ? strtoul(text, &end, 10) : DRAIN_RETRY_S;

	if (s < 1 || s > DRAIN_RETRY_MAX_S || (text && (*end || *text < '0' || *text > '9')))
		return ctl_fail(call, CTL_ERR_PARAMS, NULL,
				"seconds: found \"%s\", expected a number from 1 to %d", text,
				DRAIN_RETRY_MAX_S);
	ctl_node_drain(call->app, (uint32_t)s, call->who);
	call->result = ctl_show_status(call);
	return 0;
}

int ctl_method_node_ready(struct ctl_call *call)
{
	if (ctl_node_ready(call->app, call->who))
		return ctl_fail(call, CTL_ERR_UNCHANGED, NULL, "the node is ready already");
	call->result = ctl_show_status(call);
	return 0;
}

/* ---- Limits and weights -------------------------------------------------------------------------------- */

/* Index of the peer with this name, or -1. */
static int peer_find(const struct app *app, const char *name)
{
	for (uint32_t i = 0; i < app->conf->n_peers; i++)
		if (!strcmp(app->conf->peers[i].name, name))
			return (int)i;
	return -1;
}

static int set_failed(struct ctl_call *call, int rc, const char *why)
{
	static const struct {
		int rc, code;
	} codes[] = { { -EALREADY, CTL_ERR_UNCHANGED },
		      { -ENOENT, CTL_ERR_PARAMS },
		      { -EINVAL, CTL_ERR_PARAMS },
		      { -ENOSPC, CTL_ERR_NOT_NOW } };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].rc == rc)
			return ctl_fail(call, codes[i].code, NULL, "%s", why);
	return ctl_fail(call, CTL_ERR_INTERNAL, NULL, "%s", why);
}

int ctl_method_set(struct ctl_call *call)
{
	json_t *v = json_object_get(call->params, "name");
	const char *key = json_string_value(json_object_get(call->params, "key"));
	const char *value = json_string_value(json_object_get(call->params, "value"));
	const struct str name = { json_string_value(v), (uint32_t)json_string_length(v) };
	int gateway = ctl_gateway_find(call->app, name), peer = peer_find(call->app, name.p), rc;
	char why[200];

	if (gateway < 0 && peer < 0)
		return ctl_fail(call, CTL_ERR_NO_SUCH, json_pack("{s:O}", "name", v),
				"no gateway and no peer \"%.*s\"",
				(int)(name.n < LIMIT_NAME ? name.n : LIMIT_NAME), name.p);
	if (gateway >= 0)
		rc = operate_set_gateway(call->app, (uint32_t)gateway, key, value, call->who, why,
					 sizeof(why));
	else
		rc = operate_set_peer(call->app, (uint32_t)peer, key, value, call->who, why, sizeof(why));
	if (rc)
		return set_failed(call, rc, why);
	call->result = gateway >= 0 ? ctl_show_gateway_more(call, (uint32_t)gateway)
				    : ctl_show_peer(call, (uint32_t)peer);
	return 0;
}

/* ---- How far a drain has come ---------------------------------------------------------------------------
 */

/* What is known of the calls of one gateway, or of several. */
struct left {
	uint64_t calls; /* in use, those from before the start included */
	uint64_t ended,
		seconds; /* answered calls that have ended since the start, and how long they lasted */
};

static void add_left(const struct app *app, uint32_t index, struct left *left)
{
	struct st_gateway sum;
	struct ctl_gateway g;

	ctl_gateway(app, index, &g);
	st_sum_gateway(app->stats, g.slot, &sum);
	left->calls += (uint64_t)g.calls + g.survivors;
	left->ended += sum.count[ST_GW_CALLS_HELD];
	left->seconds += sum.count[ST_GW_HELD_SECONDS];
}

/* 1 + 1/2 + ... + 1/n */
static double harmonic(uint64_t n)
{
	const double euler = 0.5772156649;
	double sum = 0;

	if (n > 100)
		return log((double)n) + euler;
	for (; n > 0; n--)
		sum += 1.0 / (double)n;
	return sum;
}

/*
 * When the last of them will end, s: the expected greatest of n holding times that forget how long they have
 * lasted, mean x (1 + 1/2 + ... + 1/n). Negative: no call has ended yet to go by.
 */
static double empty_in(const struct left *left)
{
	if (left->calls == 0)
		return 0;
	if (left->ended == 0)
		return -1;
	return (double)left->seconds / (double)left->ended * harmonic(left->calls);
}

int ctl_method_calls_left(struct ctl_call *call)
{
	bool one = json_object_get(call->params, "gateway") != NULL;
	int index = one ? ctl_gateway_param(call) : 0;
	uint32_t n = one ? (uint32_t)index + 1 : ctl_gateway_count(call->app);
	struct left left = { 0 };
	double eta;

	if (index < 0)
		return -1;
	for (uint32_t i = (uint32_t)index; i < n; i++)
		add_left(call->app, i, &left);
	eta = empty_in(&left);
	call->result = json_pack("{s:I, s:o}", "calls", (json_int_t)left.calls, "empty_in_s",
				 eta < 0 ? json_null() : json_real(eta));
	return 0;
}
