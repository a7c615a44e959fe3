/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How often Weir answers one address without state, so that a flood with a forged source brings that address
 * no more than it can bear. Every such answer runs up a debt that time pays off; an ACK that only somebody
 * who got our answer can send (its To tag and branch are remembered) pays off several. So a real
 * source is never held back, however busy, and a victim gets at most what lapses plus a few times what it has
 * itself proved to deal with. Ports do not matter. Worker; one writer.
 */
#ifndef WEIR_LB_SOURCES_H
#define WEIR_LB_SOURCES_H

#include "lb/lb.h"

/* Answers per second to one address that proves nothing, of each worker; and this much time's worth at once.
 */
#define SOURCE_STRANGER_PER_S 20
#define SOURCE_KNOWN_PER_S    2000 /* peers and gateways */
#define SOURCE_AT_ONCE_NS     2000000000u
#define SOURCE_ACK_PAYS       4 /* answers: three forged ones beside each real one change nothing */

struct source {
	uint64_t until; /* ns; when its debt is paid off. 0: free */
	uint64_t tag;   /* keyed hash of the address */
};
_Static_assert(sizeof(struct source) == 16, "four to a cache line");

struct sources {
	struct source at[LIMIT_SOURCES] __attribute__((aligned(64)));
};

/* One more answer to this address: false if it has had too many, and then nothing has changed. known: a peer
 * or a gateway. */
bool source_may(struct sources *t, const struct lb_key *key, const struct addr *a, bool known, uint64_t now);

/* The address has shown that it gets our answers. */
void source_proved(struct sources *t, const struct lb_key *key, const struct addr *a, bool known,
		   uint64_t now);

#endif
