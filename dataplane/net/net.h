/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Door of net/: everything about DPDK ports, memory pools, frames, checksums and next hops; nothing about
 * SIP. The control thread sets up; the workers decode, look up and encode. Packet functions never allocate,
 * lock, log or call the kernel. All structs here are plain, so that frames, next hops and EAL arguments can
 * be tested without DPDK.
 */
#ifndef WEIR_DATAPLANE_NET_H
#define WEIR_DATAPLANE_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/limits.h"
#include "conf/types.h"

struct rte_mbuf;
struct rte_mempool;

#define NET_MAC       6   /* bytes of an Ethernet address */
#define NET_DEVICE    192 /* bytes of a device text, NUL included */
#define NET_HEADERS   66  /* bytes net_encode() puts before a payload at most: Ethernet, VLAN, IPv6, UDP */
#define NET_EAL_EXTRA 32  /* words of `eal: extra:` */
#define NET_EAL_ARGV  (32 + 2 * LIMIT_PORTS + NET_EAL_EXTRA)
#define NET_EAL_TEXT  16384 /* bytes of all arguments together */

/* ---- EAL ------------------------------------------------------------------------------------------- */

enum net_huge {
	NET_HUGE_AUTO, /* net_eal_detect() decides by the free huge pages */
	NET_HUGE_ON,
	NET_HUGE_OFF,
};

/* One port as the operator wrote it. Filled by control, facts about the interface by net_eal_detect(). */
struct net_device {
	const char *text; /* "net_tap,iface=dt0", "net_af_xdp,iface=veth0", "0000:3b:00.0[,args]" */
	bool veth;        /* AF_XDP on a software interface: busy polling is turned off */
};

/* What EAL is started with. Texts belong to the caller and must outlive the call. */
struct net_eal_plan {
	const char *program;         /* argv[0] */
	const char *node;            /* node name, part of the file prefix */
	uint32_t pid;                /* process id, the other part */
	uint16_t main_cpu;           /* core of lcore 0, the control thread */
	uint16_t n_workers;          /* workers are lcores 1..n_workers */
	const uint16_t *worker_cpus; /* [n_workers]; the same core may come more than once (poll: adaptive) */
	enum net_huge huge;
	uint32_t memory_mb;         /* of packets and rings: -m when there are no huge pages; at least 64 */
	uint32_t tables_mb;         /* of tables, which lie on huge pages, too, if there are any */
	uint32_t n_devices;         /* at most LIMIT_PORTS */
	struct net_device *devices; /* [n_devices]; the index is the port index of the config */
	uint32_t n_extra;           /* at most NET_EAL_EXTRA */
	const char *const *extra;   /* words appended as they are */
};

/* An argument vector with its own storage. argv[argc] is NULL. EAL may reorder argv. */
struct net_eal_args {
	int argc;
	uint32_t used; /* bytes of text taken */
	char *argv[NET_EAL_ARGV + 1];
	char text[NET_EAL_TEXT];
};

/*
 * Fill in what the plan leaves to the machine: huge pages (AUTO becomes ON or OFF) and whether an AF_XDP
 * interface is a software one. Control thread, before net_eal_args(). Needs no privileges; an interface
 * that does not exist is left as it is.
 */
void net_eal_detect(struct net_eal_plan *plan);

/*
 * Write the EAL arguments of a plan (huge AUTO counts as OFF). Pure.
 * Returns 0, -EINVAL for a device text that is neither "net_..." nor a PCI address, -ENOTSUP for
 * net_af_packet (it cuts long datagrams and shows every frame to the kernel too), -ENOSPC when the texts do
 * not fit.
 */
int net_eal_args(const struct net_eal_plan *plan, struct net_eal_args *out);

/*
 * The name DPDK gives to device number `index`: "net_tap" becomes "net_tap3", "3b:00.0" becomes
 * "0000:3b:00.0". Pure. out has NET_DEVICE bytes. Returns 0, or -EINVAL and -ENOTSUP as net_eal_args().
 */
int net_device_name(const char *text, uint32_t index, char out[NET_DEVICE]);

/*
 * Value of one device argument ("iface" in "net_tap,iface=dt0"). Pure.
 * Returns an empty slice when the text has no such argument.
 */
struct str net_device_arg(const char *text, const char *key);

/*
 * Start EAL. Control thread, once per process; the caller becomes lcore 0. args must stay alive until
 * net_eal_stop(). Returns 0 or -errno (EAL has logged the reason to stderr).
 */
int net_eal_start(struct net_eal_args *args);

/* Stop EAL after all ports are closed and all workers have returned. Control thread. */
void net_eal_stop(void);

/* ---- Memory pools ---------------------------------------------------------------------------------- */

/*
 * Make a pool of n single-segment mbufs of LIMIT_MBUF_OBJ bytes each, with priv_size bytes of private area
 * (multiple of 8) and the largest data room that leaves (headroom RTE_PKTMBUF_HEADROOM included). Ring in
 * RTS mode, so that a preempted worker stalls nobody. node: NUMA node or -1. name: at most 25 bytes.
 * Control thread, after net_eal_start(). Returns 0 and the pool, or -errno.
 */
int net_pool_create(const char *name, uint32_t n, uint16_t priv_size, int node, struct rte_mempool **out);

/* Free a pool made by net_pool_create(); NULL is allowed. All its ports must be closed. */
void net_pool_free(struct rte_mempool *pool);

/* Bytes of data room (headroom included) that net_pool_create() leaves with a private area of this size. */
uint16_t net_pool_room(uint16_t priv_size);

/* ---- Ports ----------------------------------------------------------------------------------------- */

enum net_rx_csum {
	NET_CSUM_VERIFY, /* a wrong checksum is NET_BAD_CSUM */
	NET_CSUM_TRUST,  /* checksums are not looked at */
};

/* What a port shall be. Written by control. */
struct net_port_plan {
	const char *device;        /* text as in net_device */
	uint32_t index;            /* port index of the config, as in net_eal_plan.devices */
	uint16_t queues;           /* wanted queue pairs: one per worker; vdevs get one whatever is asked */
	uint16_t rx_desc, tx_desc; /* descriptors per queue, 0 for the default */
	uint16_t mtu;              /* bytes of an IP packet */
	uint16_t vlan;             /* tag of all frames, 0 for none */
	enum net_rx_csum rx_csum;
	struct rte_mempool *const *pools; /* [queues]; queue q receives into pools[q] */
};

/* An open port. Written by net_port_open(), read-only for workers. */
struct net_port {
	uint16_t id;          /* DPDK's port id, for rte_eth_rx_burst() and rte_eth_tx_burst() */
	uint8_t index;        /* port index of the config */
	uint8_t queues;       /* queue pairs that exist; 1 for every vdev */
	uint16_t mtu;         /* bytes of an IP packet */
	uint16_t vlan;        /* 0: untagged */
	uint8_t mac[NET_MAC]; /* Weir's own; the twin carries the same */
	bool trust;           /* do not look at received checksums */
	bool hw_rx_csum;      /* the NIC judges received checksums in ol_flags */
	bool hw_tx_csum;      /* the NIC fills IPv4 header and UDP checksums */
	bool pci;
	int node;              /* NUMA node of the device, -1 unknown */
	char name[NET_DEVICE]; /* DPDK's device name */
	char iface[16];        /* kernel interface of a tap or AF_XDP port, "" otherwise */
};

/* What a port is and what went through it, as the driver counts, for `show ports`. */
struct net_port_info {
	char device[NET_DEVICE]; /* DPDK's device name */
	char driver[32];
	uint8_t mac[NET_MAC];
	uint8_t queues;
	bool hw_rx_csum, hw_tx_csum;
	bool link_up;
	uint32_t link_mbps; /* 0 unknown */
	uint16_t mtu;       /* bytes of an IP packet */
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
	uint64_t rx_missed; /* no free descriptor: workers too slow */
	uint64_t rx_errors, tx_errors;
	uint64_t rx_nombuf; /* pool empty */
};

/*
 * Configure and start a port. Control thread, after net_eal_start(). Returns 0 and *port, or -errno:
 * -ENODEV when EAL did not make the device, -EMSGSIZE when the MTU does not fit the pool's mbufs; a device
 * that could not be started is closed.
 */
int net_port_open(const struct net_port_plan *plan, struct net_port *port);

/* Stop and close. Control thread, when no worker polls the port any more. Mbufs in its rings are freed. */
void net_port_close(struct net_port *port);

/* Read counters and link state, without waiting for the link. Control thread. Returns 0 or -errno. */
int net_port_info(const struct net_port *port, struct net_port_info *out);

typedef void net_xstat_fn(void *ctx, const char *name, uint64_t value);

/* Call fn for every extended counter of the driver. Control thread. Returns 0 or -errno. */
int net_port_xstats(const struct net_port *port, net_xstat_fn *fn, void *ctx);

/* ---- Packets: in ----------------------------------------------------------------------------------- */

enum net_class {
	NET_UDP,       /* whole UDP datagram, lengths and checksums good: payload is set */
	NET_OTHER,     /* for the kernel twin: ICMP, TCP, other EtherTypes ... */
	NET_NEIGHBOUR, /* the same: ARP, and ND (RFC 4861), which no router lets through */
	NET_FRAGMENT,  /* IP fragment of a UDP datagram; src and dst without ports */
	NET_BAD_CSUM,  /* IPv4 header or UDP checksum wrong, or IPv6 UDP without one (RFC 8200 8.1) */
	NET_MALFORMED, /* lengths contradict each other, or more extension headers than NET walks */
	NET_MARTIAN,   /* no host may have this source, or IPv4-mapped IPv6 (RFC 6890, RFC 4291 2.5.5.2) */
	NET_FOREIGN,   /* another host's MAC, or not the port's VLAN */
	NET_CLASSES
};

/* One received frame. Offsets are bytes from the frame's first byte. Written by net_decode*(). */
struct net_pkt {
	struct addr src, dst; /* with ports for NET_UDP; valid for NET_UDP and NET_FRAGMENT */
	uint16_t payload;     /* offset of the UDP payload */
	uint16_t payload_len; /* bytes, Ethernet padding not included */
	uint16_t l3, l4;      /* offset of the IP header and of the UDP header (or fragment data) */
	uint8_t port;         /* net_port.index */
	uint8_t class;        /* enum net_class */
	uint8_t tagged;       /* 1: the frame carries a VLAN tag, see net_vlan_pop() */
	uint8_t pad[5];
};
_Static_assert(sizeof(struct net_pkt) == 64, "one cache line a packet");

/* What the NIC said about a frame's checksums. */
enum net_verdict {
	NET_UNKNOWN, /* must be computed */
	NET_GOOD,
	NET_BAD,
};

/*
 * Classify one frame of len bytes that lies in one piece. Pure; reads exactly frame[0..len).
 * ip, l4: the NIC's verdicts on the IPv4 header and UDP checksum. *out is filled, its class returned.
 */
enum net_class net_parse(const struct net_port *port, const uint8_t *frame, uint32_t len, enum net_verdict ip,
			 enum net_verdict l4, struct net_pkt *out);

/*
 * net_parse() for a burst, with prefetching: out[i] describes mbufs[i]. A frame in more than one segment is
 * made one piece where the first mbuf has room, else it is NET_MALFORMED. Worker that polls the port.
 */
void net_decode(const struct net_port *port, struct rte_mbuf **mbufs, uint32_t n, struct net_pkt *out);

/* A datagram as an ICMP message quotes it. */
struct net_quote {
	struct addr src, dst;
	const uint8_t *payload; /* what is there of it, in the frame */
	uint32_t n;             /* bytes */
};

/*
 * True if `frame`, which net_parse() has called NET_OTHER, says that a UDP datagram could not be delivered
 * (ICMP type 3 but for code 4, RFC 792; ICMPv6 type 1, RFC 4443 3.1), with what it quotes in *out. The ICMP
 * checksum is not looked at: the quote is only as good as the proof that is in it. Worker; pure.
 */
bool net_unreachable(const uint8_t *frame, uint32_t len, const struct net_pkt *pkt, struct net_quote *out);

/* Take the VLAN tag off a frame that has one (net_pkt.tagged), for the twin. Worker or control. */
void net_vlan_pop(struct rte_mbuf *m);

/* Put the port's VLAN tag into an untagged frame, if it has one. Returns 0, or -ENOBUFS without headroom. */
int net_vlan_push(const struct net_port *port, struct rte_mbuf *m);

/* ---- Next hops ------------------------------------------------------------------------------------- */

enum net_hop_state {
	NET_HOP_NONE,       /* no route */
	NET_HOP_UNRESOLVED, /* route known, MAC not: send it through the kernel */
	NET_HOP_READY,
};

/* Where a packet leaves. */
struct net_hop {
	uint8_t dmac[NET_MAC], smac[NET_MAC]; /* zero dmac unless NET_HOP_READY */
	uint8_t port;                         /* net_port.index; undefined for NET_HOP_NONE */
	uint8_t state;                        /* enum net_hop_state */
	uint16_t pad;
};
_Static_assert(sizeof(struct net_hop) == 16, "four hops a cache line");

/* One way to a prefix. Routes of the same prefix: lowest metric wins, equal metrics share by destination. */
struct net_route {
	struct addr prefix;  /* port 0; bits beyond len are ignored */
	struct addr gateway; /* all zero: on link */
	uint32_t metric;     /* the kernel's priority; lower is better */
	uint8_t len;         /* bits: 0..32 for IPv4, 0..128 for IPv6 */
	uint8_t port;        /* net_port.index */
	uint8_t pad[2];
};

struct net_neigh {
	struct addr ip; /* port 0 */
	uint8_t mac[NET_MAC];
	uint8_t port; /* net_port.index */
	uint8_t pad;
};

/* A port's own share in the table. */
struct net_hops_port {
	uint8_t mac[NET_MAC];
	struct addr gateway4; /* `gateway:` of the config, used where no route matches; zero: none */
	struct addr gateway6;
	uint32_t n_prefixes; /* own addresses; their networks are on link even without the kernel */
	struct {
		struct addr addr;
		uint8_t len;
	} prefixes[LIMIT_PORT_ADDRS];
};

/* Everything a table is built from; all arrays belong to the caller and are not kept. */
struct net_hops_plan {
	uint32_t n_ports; /* indexed by net_port.index */
	const struct net_hops_port *ports;
	uint32_t n_routes;
	const struct net_route *routes;
	uint32_t n_neighs;
	const struct net_neigh *neighs;
	uint32_t n_gateways;          /* gateway slots */
	const struct addr *gateways;  /* [n_gateways] by slot; an all-zero address is an empty slot */
	const uint8_t *gateway_ports; /* [n_gateways] by slot: port of the listener that speaks to it */
};

struct net_hops; /* immutable once built */

/* Build a table. Control thread. Returns it, or NULL with errno ENOMEM or EINVAL (port out of range). */
struct net_hops *net_hops_build(const struct net_hops_plan *plan);

/* Free a table that no worker can see any more; NULL is allowed. */
void net_hops_free(struct net_hops *hops);

/*
 * The way to dst: longest prefix, then neighbour. from: port of the listener that sends; its own gateway is
 * taken where no route matches, else that of the first port which has one. Any thread. *out is filled, its
 * state returned.
 */
enum net_hop_state net_hop_find(const struct net_hops *hops, const struct addr *dst, uint8_t from,
				struct net_hop *out);

/*
 * The way to a gateway slot, looked up when the table was built. Any thread. A slot beyond the table or an
 * empty one has state NET_HOP_NONE. Never NULL; valid as long as the table.
 */
const struct net_hop *net_hop_gateway(const struct net_hops *hops, uint32_t slot);

/*
 * The address whose MAC a packet to dst needs (a router's, or dst itself on link) and its port: what the
 * kernel is asked to keep resolved. from: as in net_hop_find(). Any thread. Returns false when there is no
 * route.
 */
bool net_hop_via(const struct net_hops *hops, const struct addr *dst, uint8_t from, struct addr *via,
		 uint8_t *port);

/* ---- Packets: out ---------------------------------------------------------------------------------- */

enum net_tx {
	NET_TX_OK,
	NET_TX_TOO_LONG, /* IP packet longer than the port's MTU */
	NET_TX_NO_ROOM,  /* less headroom than NET_HEADERS */
};

/*
 * Put UDP, IP, VLAN and Ethernet headers before a payload: p points at the payload of len bytes and has
 * NET_HEADERS writable bytes before it. TTL 64, IPv4 atomic (DF, id 0: RFC 6864 4.1). hw: leave the checksums
 * to the NIC (pseudo header sum is written). src and dst are of one family. Pure.
 * Returns the bytes written before p.
 */
uint32_t net_write_headers(const struct net_port *port, const struct net_hop *hop, const struct addr *src,
			   const struct addr *dst, bool hw, uint8_t *p, uint16_t len);

/*
 * Turn an mbuf that holds only a payload, in one segment, into a frame for hop's port. With an unresolved hop
 * the MACs are zero and checksums complete, ready for the kernel's raw socket. Worker, or control for its own
 * mbufs. On failure the mbuf is unchanged.
 */
enum net_tx net_encode(const struct net_port *port, const struct net_hop *hop, const struct addr *src,
		       const struct addr *dst, struct rte_mbuf *m);

#endif
