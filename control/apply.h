/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Config to policy: conf's names and indexes become lb's specification, the operator's limits become words,
 * and the snapshot goes to the workers. lb never sees a struct conf.
 */
#ifndef WEIR_CONTROL_APPLY_H
#define WEIR_CONTROL_APPLY_H

#include "conf/conf.h"
#include "control/plan.h"
#include "control/slots.h"
#include "control/state.h"
#include "lb/lb.h"

struct ctl_policy {
	struct state_keys keys;
	uint16_t node;                    /* this node's number */
	struct slots slots;               /* of gateways, by name */
	struct slots peers;               /* of peers, by name */
	struct lb_spec spec;              /* arrays below; texts belong to the config */
	struct lb_gateway_spec *gateways; /* in the order of the config: pool after pool */
	struct lb_pool_spec *pools;
	struct lb_peer_spec *peer_specs;
	struct lb_prefix *prefixes;
	struct lb_route_spec *routes;
	struct str listeners[LIMIT_LISTENERS]; /* names */
	struct str *resources;                 /* of all peers, in the order of the config */
	struct str emergency[LIMIT_EMERGENCY]; /* numbers */
	struct lb_reroute_spec *reroutes;      /* of all pools, in the order of the config */
	uint32_t *first;                       /* [pools + 1]; gateways first[i]..first[i+1]-1 are pool i's */
	uint16_t *by_slot; /* [LIMIT_GATEWAYS]; index of the gateway in a slot, LB_NONE: none */
	const struct lb_snapshot *current; /* published to the first node; valid until the next publication */
};

/*
 * Makes the policy of a config: slots, specification. Nothing is published. Returns 0 with *out, or -errno
 * after writing one line of explanation into err[n].
 */
int policy_make(const struct conf *conf, const struct state_keys *keys, uint16_t node,
		struct ctl_policy **out, char *err, size_t n);
void policy_free(struct ctl_policy *policy);

/* Writes the operator's limits into the words. */
void policy_set_limits(const struct ctl_policy *policy, const struct conf *conf, struct lb_words *words);

/*
 * Builds a snapshot for every memory node of the plan and publishes it. Returns 0, -ENOMEM or -EINVAL; then
 * the workers keep what they had on the nodes that were not reached.
 */
int policy_publish(struct ctl_policy *policy, const struct ctl_plan *plan, struct dp *dp);

#endif
