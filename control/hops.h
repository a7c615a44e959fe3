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
 * True if a frame of ours with an unresolved next hop may go through the kernel. False if its way is the
 * `gateway:` of a port, of which the kernel's routing knows nothing and would send it elsewhere: then the
 * kernel is asked to resolve that router, and the packet is the sender's to repeat.
 */
bool hops_through_kernel(struct ctl_hops *hops, const uint8_t *frame, uint32_t n);

#endif
