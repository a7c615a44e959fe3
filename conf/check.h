/* SPDX-License-Identifier: BSD-3-Clause */
/* Private to conf/: the checks that need more than one value, by the part of the file they look at. */
#ifndef WEIR_CONF_CHECK_H
#define WEIR_CONF_CHECK_H

#include "conf/load.h"

struct check_names {
	struct names listeners, peers, pools;
};

/* Something with an address that nothing else may have. */
struct claim {
	struct addr addr;
	int bits;           /* of a prefix; else -1 */
	uint32_t order;     /* in the file */
	const void *member; /* for the place of the message */
	const char *owner;  /* its name */
};

/* resolve.c */
void conf_resolve(struct loader *l, const struct check_names *names);

/* check_net.c: ports and listeners */
void conf_check_net(struct loader *l);

/* check_calls.c: peers, pools and routes */
void conf_check_calls(struct loader *l, const struct check_names *names);

/* check_failover.c: fail-over, redirects and reroutes */
void conf_check_failover(struct loader *l);

/* Sorts claims and reports each that repeats an earlier one as "what "owner" ...". */
void conf_check_claims(struct loader *l, const char *what, struct claim *claims, uint32_t n);

#endif
