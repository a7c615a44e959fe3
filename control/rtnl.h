/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the kernel knows about next hops, and what Weir asks of the kernel's interfaces, over rtnetlink
 * (libmnl). Follows routes of the main table and neighbours, IPv4 and IPv6, of the twins alone. Control
 * thread. Must stay true: requests wait for the kernel's answer, which is immediate; nothing here waits for
 * anybody else.
 */
#ifndef WEIR_CONTROL_RTNL_H
#define WEIR_CONTROL_RTNL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/limits.h"
#include "conf/types.h"
#include "dataplane/net/net.h"

struct ctl_rtnl;

/*
 * Open, subscribe, and read everything once. ifindexes[i] is the kernel's index of the twin of port i, 0 for
 * a port without one; n at most LIMIT_PORTS. Returns 0 and *out, or -errno.
 */
int ctl_rtnl_open(const int *ifindexes, uint32_t n, struct ctl_rtnl **out);

/* Close and free; NULL is allowed. */
void ctl_rtnl_close(struct ctl_rtnl *rtnl);

/* Readable when something changed: then call ctl_rtnl_read(). Non-blocking, close-on-exec. */
int ctl_rtnl_fd(const struct ctl_rtnl *rtnl);

/*
 * Take in what changed. If the kernel had to drop notifications, everything is read again. Returns 1 if the
 * next-hop table must be built anew, 0 if nothing that matters changed, or -errno.
 */
int ctl_rtnl_read(struct ctl_rtnl *rtnl);

/* Put the routes and neighbours known into the plan. The arrays are valid until the next ctl_rtnl call. */
void ctl_rtnl_plan(const struct ctl_rtnl *rtnl, struct net_hops_plan *plan);

/*
 * Ask the kernel to resolve `ip` on the twin of a port and to keep it fresh by itself (NTF_EXT_MANAGED;
 * kernels before 5.16 are asked to resolve once). Asking again does no harm. Returns 0 or -errno.
 */
int ctl_rtnl_keep_neigh(struct ctl_rtnl *rtnl, uint8_t port, const struct addr *ip);

/* The interface settings of a twin. All return 0 or -errno; the interface is named by its kernel index. */
int ctl_rtnl_set_link(int ifindex, const uint8_t mac[NET_MAC], uint16_t mtu, bool up);

/* Add an address with its prefix length; one that is there already counts as added. IPv6 without DAD. */
int ctl_rtnl_add_addr(int ifindex, const struct addr *ip, uint8_t len);

#endif
