/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The next-hop table: built from the ports' own networks, the kernel's routes and neighbours and the
 * gateways, and published at most every 10 ms however fast the kernel changes. The kernel is asked to keep
 * the neighbours behind gateways and routers resolved.
 */
#ifndef WEIR_CONTROL_HOPS_H
#define WEIR_CONTROL_HOPS_H

#include "control/control.h"
#include "control/rtnl.h"

struct ctl_hops;

/* Builds and publishes the first table. Returns 0 with *out, or -errno. */
int hops_start(struct app *app, struct ctl_rtnl *rtnl, struct ctl_hops **out);
void hops_stop(struct ctl_hops *hops); /* NULL is allowed */

/* The kernel's view changed: a new table follows within 10 ms. */
void hops_changed(struct ctl_hops *hops);

/*
 * The next hop of a frame of ours that leaves by port `from`, as net_hop_via() knows it: where an unresolved
 * packet goes. False if the frame is no IP packet or nothing leads to its destination.
 */
bool hops_via(const struct ctl_hops *hops, const uint8_t *frame, uint32_t n, uint8_t from, struct addr *via,
	      uint8_t *port);

#endif
