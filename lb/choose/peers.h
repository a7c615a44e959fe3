/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is behind an address: which gateway, which peer. Any thread reads; control builds. */
#ifndef WEIR_LB_PEERS_H
#define WEIR_LB_PEERS_H

#include "lb/snapshot.h"

/* The gateway at this address and port, else one at this address, or NULL. */
const struct gateway *gateway_at(const struct lb_snapshot *s, const struct addr *a);

/* The peer (index into peers) whose longest prefix holds the address, or LB_NONE. */
uint16_t peer_at(const struct lb_snapshot *s, const struct addr *a);

/* Enters all gateways by address and by identity. Returns 0, or -EEXIST if an identity is there twice.
 * Control. */
int peers_index_gateways(struct lb_snapshot *s);

/* Enters all prefixes and notes their lengths; of equal prefixes the first counts. Control. */
void peers_index_prefixes(struct lb_snapshot *s);

/* The address with all but its first len bits zero. */
struct prefix prefix_of(const uint8_t ip[16], uint8_t len);

#endif
