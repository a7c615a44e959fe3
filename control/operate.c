/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of the operator's: written into the config that the process holds, and from there into words and
 * snapshot as at the start, so that `show config` prints what is in force. What the file said is kept in
 * arrays beside it. Control thread.
 */
#include "control/operate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "control/apply.h"
#include "control/events.h"

struct ctl_operate {
	struct conf_gateway *gateways; /* as in the file, by index of ctl_gateway() */
	struct conf_peer *peers;       /* the same, by index in the config */
};

static const struct {
	const char *name;
	size_t in_gateway, in_peer; /* where it is; in_peer 0: peers have none */
} keys[OPERATE_KEYS] = {
	[OPERATE_WEIGHT] = { "weight", offsetof(struct conf_gateway, weight), 0 },
	[OPERATE_MAX_CPS] = { "max-cps", offsetof(struct conf_gateway, max_cps),
			      offsetof(struct conf_peer, max_cps) },
	[OPERATE_MAX_CALLS] = { "max-calls", offsetof(struct conf_gateway, max_calls),
				offsetof(struct conf_peer, max_calls) },
};

const char *operate_key_name(enum operate_key key)
{
	return keys[key].name;
}

static uint32_t *gateway_value(const struct conf_gateway *gw, enum operate_key key)
{
	return (uint32_t *)((char *)(uintptr_t)gw + keys[key].in_gateway);
}

static uint32_t *peer_value(const struct conf_peer *peer, enum operate_key key)
{
	return keys[key].in_peer ? (uint32_t *)((char *)(uintptr_t)peer + keys[key].in_peer) : NULL;
}

static struct conf_gateway *gateway_conf(const struct app *app, uint32_t index)
{
	uint16_t pool = app->policy->gateways[index].pool;

	return &app->conf->pools[pool].gateways[index - app->policy->first[pool]];
}

int operate_start(struct app *app)
{
	const struct conf *conf = app->conf;
	struct ctl_operate *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	app->operate = o;
	o->gateways = calloc(ctl_gateway_count(app) + 1, sizeof(*o->gateways));
	o->peers = calloc(conf->n_peers + 1, sizeof(*o->peers));
	if (!o->gateways || !o->peers)
		return -ENOMEM;
	for (uint32_t i = 0; i < ctl_gateway_count(app); i++)
		o->gateways[i] = *gateway_conf(app, i);
	if (conf->n_peers)
		memcpy(o->peers, conf->peers, conf->n_peers * sizeof(*o->peers));
	return 0;
}

void operate_stop(struct app *app)
{
	if (!app->operate)
		return;
	free(app->operate->gateways);
	free(app->operate->peers);
	free(app->operate);
	app->operate = NULL;
}

bool operate_gateway_changed(const struct app *app, uint32_t index, enum operate_key key, uint32_t *file)
{
	*file = *gateway_value(&app->operate->gateways[index], key);
	return *file != *gateway_value(gateway_conf(app, index), key);
}

bool operate_peer_changed(const struct app *app, uint32_t index, enum operate_key key, uint32_t *file)
{
	const uint32_t *was = peer_value(&app->operate->peers[index], key);

	if (!was)
		return false;
	*file = *was;
	return *was != *peer_value(&app->conf->peers[index], key);
}

/* The key with this name, or OPERATE_KEYS. */
static enum operate_key key_named(const char *name)
{
	enum operate_key k = 0;

	while (k < OPERATE_KEYS && strcmp(keys[k].name, name))
		k++;
	return k;
}

/* The table of calls was made at the start: it must hold what all limits allow together. */
static int check_room(const struct app *app, char *err, size_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < ctl_gateway_count(app); i++) {
		uint32_t max = gateway_conf(app, i)->max_calls;

		sum += max == CONF_NONE ? 0 : max;
	}
	if (sum <= app->conf->calls.max)
		return 0;
	snprintf(err, n, "max-calls: all gateways together would have %lu, the table of calls holds %u",
		 (unsigned long)sum, app->conf->calls.max);
	return -ENOSPC;
}

/* A pool without any weight carries nothing: that is what drain is for. */
static int check_weights(const struct app *app, uint32_t index, char *err, size_t n)
{
	const struct conf_pool *pool = &app->conf->pools[app->policy->gateways[index].pool];

	for (uint32_t i = 0; i < pool->n_gateways; i++)
		if (pool->gateways[i].weight)
			return 0;
	snprintf(err, n, "weight: pool %s would have none left; drain its gateways instead", pool->name);
	return -EINVAL;
}

/* Brings what the config says of a gateway into force. */
static int put_in_force(struct app *app, uint32_t index, enum operate_key key)
{
	policy_set_limits(app->policy, app->conf, app->words);
	if (key != OPERATE_WEIGHT)
		return 0;
	app->policy->gateways[index].weight = (uint16_t)gateway_conf(app, index)->weight;
	return policy_publish(app->policy, app->plan, app->dp);
}

static void say(struct app *app, const char *what, const char *name, const char *key, const char *text,
		const char *who)
{
	ctl_event(app, CTL_SET, name, "%s %s: %s %s by %s", what, name, key,
		  strcmp(text, "config") ? text : "as in the config", who);
}

int operate_set_gateway(struct app *app, uint32_t index, const char *key, const char *text, const char *who,
			char *err, size_t n)
{
	struct conf_gateway *gw = gateway_conf(app, index);
	const struct conf_gateway before = *gw;
	enum operate_key k = key_named(key);
	int rc = 0;

	if (k == OPERATE_KEYS) {
		snprintf(err, n, "no key \"%s\" to set; there are weight, max-cps, max-calls", key);
		return -EINVAL;
	}
	if (!strcmp(text, "config"))
		*gateway_value(gw, k) = *gateway_value(&app->operate->gateways[index], k);
	else
		rc = conf_change_gateway(gw, key, text, err, n);
	if (rc == 0 && *gateway_value(gw, k) == *gateway_value(&before, k)) {
		snprintf(err, n, "%s of gateway %s is so already", key, gw->name);
		return -EALREADY;
	}
	if (rc == 0)
		rc = k == OPERATE_MAX_CALLS ? check_room(app, err, n) : check_weights(app, index, err, n);
	if (rc == 0) {
		rc = put_in_force(app, index, k);
		if (rc)
			snprintf(err, n, "%s of gateway %s: %s", key, gw->name, strerror(-rc));
	}
	if (rc) {
		*gw = before;
		app->policy->gateways[index].weight = (uint16_t)gw->weight;
		return rc;
	}
	say(app, "gateway", gw->name, key, text, who);
	return 0;
}

int operate_set_peer(struct app *app, uint32_t index, const char *key, const char *text, const char *who,
		     char *err, size_t n)
{
	struct conf_peer *peer = &app->conf->peers[index];
	enum operate_key k = key_named(key);
	uint32_t *value = k == OPERATE_KEYS ? NULL : peer_value(peer, k), before;
	int rc = 0;

	if (!value) {
		snprintf(err, n, "no key \"%s\" of a peer to set; there are max-cps, max-calls", key);
		return -EINVAL;
	}
	before = *value;
	if (!strcmp(text, "config"))
		*value = *peer_value(&app->operate->peers[index], k);
	else
		rc = conf_change_peer(peer, key, text, err, n);
	if (rc)
		return rc;
	if (*value == before) {
		snprintf(err, n, "%s of peer %s is so already", key, peer->name);
		return -EALREADY;
	}
	policy_set_limits(app->policy, app->conf, app->words);
	say(app, "peer", peer->name, key, text, who);
	return 0;
}
