/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operator changes while Weir runs: limits and weights of gateways, limits of peers. A change lasts
 * until it is taken back or the process ends; what the file says is kept beside it, so that every `show` can
 * tell. Control thread.
 */
#ifndef WEIR_CONTROL_OPERATE_H
#define WEIR_CONTROL_OPERATE_H

#include "control/control.h"

/* What can be set. */
enum operate_key {
	OPERATE_WEIGHT, /* gateways only */
	OPERATE_MAX_CPS,
	OPERATE_MAX_CALLS,
	OPERATE_KEYS
};

/* Remembers what the file says: app->operate. Returns 0 or -ENOMEM. */
int operate_start(struct app *app);
void operate_stop(struct app *app);

/* "weight", "max-cps", "max-calls". */
const char *operate_key_name(enum operate_key key);

/*
 * Sets `key` of a gateway (index of ctl_gateway()) or of a peer (index in the config) from text as the file
 * would hold it; "none" lifts a limit, "config" takes the change back. `who`: the caller, for the log line.
 * Returns 0; -EALREADY: it is so already; -EINVAL: no such key or value; -ENOSPC: the table of calls has no
 * room for such a limit; -ENOMEM. But for 0, err[n] gets one line and nothing has changed.
 */
int operate_set_gateway(struct app *app, uint32_t index, const char *key, const char *text, const char *who,
			char *err, size_t n);
int operate_set_peer(struct app *app, uint32_t index, const char *key, const char *text, const char *who,
		     char *err, size_t n);

/* True if the key differs from what the file says, which is then in *file (CONF_NONE: no limit). */
bool operate_gateway_changed(const struct app *app, uint32_t index, enum operate_key key, uint32_t *file);
bool operate_peer_changed(const struct app *app, uint32_t index, enum operate_key key, uint32_t *file);

#endif
