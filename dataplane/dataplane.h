/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Door of the packet path: everything that control may do to it and learn from it.
 *
 * Control makes a struct dp_plan, starts the workers, publishes snapshots and next hops, and moves frames and
 * messages to and from the workers over bounded rings. Nothing here blocks; no worker ever waits for control.
 * All functions are control's, unless said otherwise.
 */
#ifndef WEIR_DATAPLANE_H
#define WEIR_DATAPLANE_H

#include "conf/limits.h"
#include "conf/types.h"
#include "dataplane/net/net.h"
#include "lb/lb.h"
#include "stats/stats.h"

/* ---- Plan ------------------------------------------------------------------------------------------ */

struct dp_port_plan {
	const char *name;
	const char *device; /* DPDK device as in the config: vdev arguments or PCI address */
	uint16_t mtu;       /* bytes of IP */
	uint16_t vlan;      /* tag of all its frames, 0: none */
	bool trust;         /* do not look at the checksums of what arrives */
};

struct dp_listener_plan {
	const char *name;
	struct addr addr;
	uint16_t port;         /* index into ports */
	const char *advertise; /* host, or host:port, that Via and Record-Route show; NULL: the address */
};

struct dp_worker_plan {
	int core; /* CPU it is bound to */
	int numa; /* node of its memory; -1: any */
};

struct dp_plan {
	struct net_eal_plan eal;
	struct dp_worker_plan workers[LIMIT_WORKERS];
	struct dp_port_plan ports[LIMIT_PORTS];
	struct dp_listener_plan listeners[LIMIT_LISTENERS];
	uint32_t n_workers, n_ports, n_listeners;
	bool adaptive;  /* nap when idle, so that several workers can share a core */
	uint32_t mbufs; /* per worker; 0: sized from ports and rings */
	uint32_t kept;  /* chunks for kept messages of each worker, 2 kB each */
	struct lb_worker_spec
		tables;         /* of each worker; its lane is filled in by dp_start(), words outlive it */
	struct st_table *stats; /* lanes 0..n_workers-1 are the workers' */
};

struct dp;

/*
 * Starts EAL, ports and workers. The plan is copied. The workers run at once, but drop everything until the
 * first dp_publish(). Returns NULL after writing one line of explanation into err[n].
 */
struct dp *dp_start(const struct dp_plan *plan, char *err, size_t n);

/* Stops workers, ports and EAL in that order and frees everything. */
void dp_stop(struct dp *dp);

/* ---- Publication ----------------------------------------------------------------------------------- */

/*
 * Memory for snapshots and tables on NUMA node `numa` (-1: any), 64-byte aligned; NULL when there is none.
 * Freed by the dataplane once it was published and replaced, else by dp_free().
 */
void *dp_alloc(int numa, size_t bytes);
void dp_free(void *mem);

/*
 * Makes `snap` the policy of the workers whose memory is on NUMA node `numa`: called once for each distinct
 * dp_worker_plan.numa. The one before is freed when no worker can still read it: see dp_reclaim(). Never
 * blocks.
 */
void dp_publish_policy(struct dp *dp, int numa, struct lb_snapshot *snap);

/* The same for the next hops of all workers; the table before is given to net_hops_free(). */
void dp_publish_hops(struct dp *dp, struct net_hops *hops);

/*
 * Frees what no worker reads any more. Called from a control timer. Returns the age in ns of the oldest thing
 * that still waits; a worker that has not passed a quiescent state for a second is stuck.
 */
uint64_t dp_reclaim(struct dp *dp);

/* ---- Frames and messages between control and workers -------------------------------------------------- */

/*
 * Sends a frame that the kernel wrote to the twin of `port` out of that port. Copied.
 * Returns 0, -ENOBUFS (ring or pool full), -EMSGSIZE.
 */
int dp_send_frame(struct dp *dp, uint16_t port, const void *frame, uint32_t n);

/*
 * Sends a SIP message of control's own (a probe) from `listener` to `dst`. Copied.
 * Returns 0, -ENOBUFS, -EMSGSIZE.
 */
int dp_send_message(struct dp *dp, uint8_t listener, const struct addr *dst, const void *msg, uint32_t n);

enum dp_up_kind {
	DP_UP_TWIN,       /* frame for the kernel: write it to the port's twin */
	DP_UP_UNRESOLVED, /* frame with IP packet of ours whose next hop is unknown: send it through the
			     kernel */
	DP_UP_PROBE,      /* answer to a probe */
};

/* Something a worker hands up. Valid inside the callback only. */
struct dp_up {
	enum dp_up_kind kind;
	uint16_t port;
	uint16_t gateway;    /* PROBE: its slot */
	uint16_t status;     /* PROBE: status code of the response */
	uint64_t at;         /* PROBE: when it arrived, ns of dp_now() */
	const uint8_t *data; /* TWIN, UNRESOLVED: the frame; PROBE: the SIP message */
	uint32_t n;
};

typedef void(dp_up_h)(void *arg, const struct dp_up *up);

/* Takes at most `budget` things off the workers' rings and calls `h` for each. Returns how many there were.
 */
unsigned dp_poll_up(struct dp *dp, unsigned budget, dp_up_h *h, void *arg);

/* ---- Sight ------------------------------------------------------------------------------------------- */

/* Monotonic ns on the clock of the workers. Any thread. */
uint64_t dp_now(void);

/* What a worker's lane of the statistics does not tell. */
struct dp_worker_info {
	int core, numa;
	uint64_t heartbeat; /* dp_now() of its last turn */
	uint32_t inbox;     /* messages that wait for it from other workers */
	uint32_t pool_free; /* packet buffers left */
	uint32_t pool_size;
	uint32_t kept_free; /* chunks for kept messages left */
	uint32_t kept_size;
};

void dp_worker_info(const struct dp *dp, uint32_t worker, struct dp_worker_info *info);

/* A worker's tables, for the functions of lb/lb.h that any thread may call; valid until dp_stop(). */
const struct lb_worker *dp_worker_tables(const struct dp *dp, uint32_t worker);

/* The next record of a call that ended at a worker, see lb_record_next(). */
bool dp_next_record(struct dp *dp, uint32_t worker, struct lb_record *record);

/* The open port `port`, for its MAC, its counters and its name; valid until dp_stop(). */
const struct net_port *dp_port(const struct dp *dp, uint32_t port);

/* The worker that polls queue `queue` of `port`. */
uint32_t dp_port_worker(const struct dp *dp, uint32_t port, uint16_t queue);

#endif
