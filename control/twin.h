/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port's face in the kernel: a tap with the port's MAC, and raw sockets through which the kernel sends (and
 * so resolves) packets whose next hop Weir does not know yet. Control thread; nothing blocks. Must stay true:
 * a frame that does not fit now is dropped and counted, as on any wire.
 */
#ifndef WEIR_CONTROL_TWIN_H
#define WEIR_CONTROL_TWIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/net/net.h"

#define CTL_FRAME_MAX 9216 /* bytes of the longest frame that goes through a twin */

struct ctl_twin {
	int fd;                          /* the tap: readable when the kernel sent a frame; -1 closed */
	int ifindex;                     /* kernel's index of the interface */
	char name[16];                   /* kernel's name of the interface */
	uint64_t to_kernel, from_kernel; /* frames */
	uint64_t dropped;                /* frames the kernel did not take */
};

/*
 * Open a tap called `name` (at most 15 bytes) with the port's MAC and MTU and set it up. Needs CAP_NET_ADMIN.
 * It vanishes when it is closed or the process dies. Returns 0 or -errno.
 */
int ctl_twin_open(struct ctl_twin *twin, const char *name, const uint8_t mac[NET_MAC], uint16_t mtu);

/* Close; the interface, its addresses and routes go with it. fd -1 is allowed. */
void ctl_twin_close(struct ctl_twin *twin);

/* Give the kernel a frame (untagged Ethernet) that arrived on the port. Counted in to_kernel or dropped. */
void ctl_twin_write(struct ctl_twin *twin, const void *frame, size_t n);

/*
 * Take one frame that the kernel wants to send on the port. Returns its bytes, 0 when there is none, -errno
 * when the tap is gone.
 */
int ctl_twin_read(struct ctl_twin *twin, void *frame, size_t room);

/* Raw sockets for packets with an unresolved next hop, and their budget. */
struct ctl_raw {
	int fd4, fd6;
	uint32_t per_second;           /* packets */
	uint64_t tokens;               /* packets x 10^9 */
	uint64_t last;                 /* ns of dp_now(): when tokens were last filled up */
	uint64_t sent, capped, failed; /* packets */
};

/* Open both sockets; at most `per_second` packets will pass. Needs CAP_NET_RAW. Returns 0 or -errno. */
int ctl_raw_open(struct ctl_raw *raw, uint32_t per_second, uint64_t now);

void ctl_raw_close(struct ctl_raw *raw);

/*
 * Send the IP packet inside an Ethernet frame (one VLAN tag allowed) to the next hop `via` (net_hop_via()),
 * which the kernel resolves; the packet keeps its own destination. So a router that only Weir knows works as
 * well as one of the kernel's routes. ifindex: of the twin it must leave by, so that no other interface of
 * the host ever sees it. now: ns of dp_now(). Returns 0, -EBUSY over the budget, -EINVAL for a frame without
 * a whole IP packet of via's family, or the kernel's -errno. Counted in `sent`, `capped` or `failed`.
 */
int ctl_raw_send(struct ctl_raw *raw, int ifindex, const struct addr *via, const void *frame, size_t n,
		 uint64_t now);

#endif
