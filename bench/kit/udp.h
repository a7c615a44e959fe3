/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP in bursts (recvmmsg, sendmmsg) for the programs of the laboratory, and their one clock. A socket
 * belongs to one thread. What the kernel had to drop because a program was late is counted: a measurement
 * with such drops measures the machine.
 */
#ifndef WEIR_BENCH_UDP_H
#define WEIR_BENCH_UDP_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/socket.h>

#define KIT_BURST    64
#define KIT_DATAGRAM 4096 /* bytes; longer ones are cut */

union kit_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct kit_burst {
	struct mmsghdr head[KIT_BURST];
	struct iovec iov[KIT_BURST];
	union kit_addr addr[KIT_BURST];
	char data[KIT_BURST][KIT_DATAGRAM];
};

struct kit_udp {
	int fd;
	int family;
	uint32_t n_out;    /* datagrams that wait in out */
	uint64_t sent;     /* datagrams the kernel took */
	uint64_t unsent;   /* and those it did not */
	union kit_addr at; /* what it is bound to */
	char text[56];     /* the same as in a SIP URI: 192.0.2.1:5060 or [2001:db8::1]:5060 */
	struct kit_burst *out;
};

/* ns of CLOCK_MONOTONIC. */
uint64_t kit_now(void);

/* Reads `address:port` or `[address]:port`, nothing else. 0 or -EINVAL. */
int kit_addr_read(const char *text, union kit_addr *addr);

/* Opens a non-blocking socket bound to addr, with room for bursts. 0 or -errno; close with kit_udp_close().
 */
int kit_udp_open(struct kit_udp *u, const union kit_addr *addr);
void kit_udp_close(struct kit_udp *u);

/* A buffer of KIT_DATAGRAM bytes for the next datagram, and its end: send it to `to` with the burst. */
char *kit_udp_room(struct kit_udp *u);
void kit_udp_put(struct kit_udp *u, const union kit_addr *to, uint32_t bytes);
void kit_udp_flush(struct kit_udp *u);

/* Receives up to KIT_BURST datagrams into `in`; how many. Lengths are in->head[i].msg_len. */
uint32_t kit_udp_receive(struct kit_udp *u, struct kit_burst *in);

/* Datagrams that the kernel dropped because the receive buffer was full, since the socket was opened. */
uint64_t kit_udp_dropped(const struct kit_udp *u);

#endif
