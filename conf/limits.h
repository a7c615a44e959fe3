/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every compile-time bound of Weir, with its unit and what it costs. Rooms take their sizes from here;
 * a config that asks for more is refused with the name of the bound.
 */
#ifndef WEIR_CONF_LIMITS_H
#define WEIR_CONF_LIMITS_H

/* What an operator can configure. */
#define LIMIT_NAME       63   /* bytes of a name (gateway, pool, peer, port, listener, node) */
#define LIMIT_WORKERS    64   /* poll-mode loops; a ring matrix of workers x workers */
#define LIMIT_PORTS      32   /* DPDK ports */
#define LIMIT_PORT_ADDRS 64   /* addresses of one port */
#define LIMIT_MTU        2048 /* bytes of IP; one frame, the scan result and headroom fit LIMIT_MBUF_OBJ */
#define LIMIT_LISTENERS  64   /* fits the 8-bit listener of token and branch */
#define LIMIT_POOLS      4096
#define LIMIT_GATEWAYS   16384 /* slots of the words; 64 bytes each */
#define LIMIT_PEERS      4096
#define LIMIT_PREFIXES   16384 /* source prefixes of all peers */
#define LIMIT_ROUTES     4096
#define LIMIT_ENTRIES    1000000 /* of all lists and maps of the file, those that aliases repeat included */
#define LIMIT_TIERS      8
#define LIMIT_WEIGHT     65535
#define LIMIT_SHARE      1000     /* weight of a peer */
#define LIMIT_CALLS      16000000 /* calls of a node; 100 bytes each */
#define LIMIT_ATTEMPTS   4        /* gateways that one call is tried at */
#define LIMIT_REROUTES   16       /* reroute rules of one pool */
#define LIMIT_ADVERTISE  127      /* bytes of a host, with port, in the config */

/* The packet path. */
#define LIMIT_BURST   32  /* messages that go through the stages side by side */
#define LIMIT_HEADERS 128 /* header lines of one message, continuation lines too; more is 400 */
#define LIMIT_ROWS    96  /* rows of headers that Weir knows in one message; more is 400. 8 bytes each */
#define LIMIT_VIAS    80  /* Via values of one request, before ours; more is 400 */
#define LIMIT_EDITS   16  /* changes to one message */
#define LIMIT_RECORD_TEXT                                                                                    \
	192 /* bytes of a call record's numbers and Call-ID; 220 per call if records are written */
#define LIMIT_RECORDS   8192 /* call records of a worker that wait for control; 248 bytes each */
#define LIMIT_ACTS      12   /* actions that one event can cause: one for each branch, and its end */
#define LIMIT_BRANCHES  6  /* INVITEs that one call sends, in all pools; 72 bytes each per call that rings */
#define LIMIT_SAME_NAME 64 /* calls of one Call-ID at once: they are found one after the other */
#define LIMIT_CONTACTS  4  /* targets of one redirect that are looked at */
#define LIMIT_RESOURCES 4  /* values of Resource-Priority that are looked at */
#define LIMIT_MBUF_OBJ  4096  /* bytes; --no-huge with AF_XDP allows no more in a page */
#define LIMIT_MAGLEV    65537 /* slots of a tier's table; prime, > 100 x gateways of a tier for < 1 % error */
#define LIMIT_PROBES    8     /* draws past gateways that cannot take it before all of a tier are asked */
#define LIMIT_SHARES    16384 /* pairs of a pool and a peer that calls it; 40 bytes each, and 32 per worker */
#define LIMIT_MEMO      131072 /* refusal fingerprints per worker; 16 bytes each */
#define LIMIT_SOURCES   16384  /* addresses per worker whose answers are counted; 16 bytes each */
#define LIMIT_PINS      262144 /* transactions that a worker remembers; the oldest make room */

/* Calls that come before others. */
#define LIMIT_EMERGENCY      16 /* emergency numbers */
#define LIMIT_NUMBER         15 /* digits of one; as many as E.164 allows */
#define LIMIT_PEER_RESOURCES 16 /* values of Resource-Priority that a peer is believed */

/* What is known of decisions past. */
#define LIMIT_TRAIL       65536 /* new requests of a worker; 64 bytes each; a power of two */
#define LIMIT_TRAIL_ASKED 12    /* gateways of one that are told of */

/* Choosing among the gateways of a tier by their work. */
#define LIMIT_LEAST_ALL   32 /* so many are all looked at */
#define LIMIT_LEAST_DRAWS 16 /* of more, so many drawn by weight are */

/* The control socket and /metrics. */
#define LIMIT_API_CLIENTS      32    /* connections to the control socket; each holds at most one answer */
#define LIMIT_API_REQUEST      65536 /* bytes of one request line */
#define LIMIT_API_PAGE         1000  /* gateways in one answer; more come with the next request */
#define LIMIT_HTTP_CLIENTS     16    /* scrapes at the same time; each holds at most one chunk */
#define LIMIT_HTTP_CONNECTIONS 64    /* descriptors that monitoring may hold open, idle ones included */

/* Control. */
#define LIMIT_EVENTS      1024 /* events that `weirctl events` can look back at; 352 bytes each */
#define LIMIT_PROBE_RATE  4000 /* health probes per second, all gateways together */
#define LIMIT_KERNEL_RATE 1000 /* packets per second sent through the kernel to resolve their next hop */

/* Texts that Weir writes into messages, bytes of base32 (see lb/token.h). */
#define LIMIT_TOKEN  72
#define LIMIT_BRANCH 72
#define LIMIT_TAG    24

#endif
