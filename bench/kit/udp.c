/* SPDX-License-Identifier: BSD-3-Clause */
/* See udp.h. */
#include "bench/kit/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (16 << 20) /* bytes asked of the kernel, beyond its usual bound where we may */

uint64_t kit_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

int kit_addr_read(const char *text, union kit_addr *addr)
{
	char host[INET6_ADDRSTRLEN], *end;
	const char *colon = strrchr(text, ':'), *start = text;
	size_t n;
	unsigned long port;

	memset(addr, 0, sizeof(*addr));
	if (!colon)
		return -EINVAL;
	n = (size_t)(colon - text);
	if (text[0] == '[' && n > 1 && colon[-1] == ']') {
		start++;
		n -= 2;
	}
	port = strtoul(colon + 1, &end, 10);
	if (n >= sizeof(host) || colon[1] < '0' || colon[1] > '9' || *end || port > UINT16_MAX)
		return -EINVAL;
	memcpy(host, start, n);
	host[n] = 0;
	addr->in.sin_port = htons((uint16_t)port);
	addr->sa.sa_family = start == text ? AF_INET : AF_INET6;
	if (start == text ? inet_pton(AF_INET, host, &addr->in.sin_addr) == 1
			  : inet_pton(AF_INET6, host, &addr->in6.sin6_addr) == 1)
		return 0;
	return -EINVAL;
}

static socklen_t addr_len(const union kit_addr *a)
{
	return a->sa.sa_family == AF_INET ? sizeof(a->in) : sizeof(a->in6);
}

static void write_text(struct kit_udp *u)
{
	char host[INET6_ADDRSTRLEN];

	if (u->family == AF_INET)
		inet_ntop(AF_INET, &u->at.in.sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &u->at.in6.sin6_addr, host, sizeof(host));
	snprintf(u->text, sizeof(u->text), u->family == AF_INET ? "%s:%u" : "[%s]:%u", host,
		 ntohs(u->at.in.sin_port));
}

int kit_udp_open(struct kit_udp *u, const union kit_addr *addr)
{
	socklen_t length = sizeof(u->at);
	int size = BUFFER, err;

	memset(u, 0, sizeof(*u));
	u->family = addr->sa.sa_family;
	u->out = calloc(1, sizeof(*u->out));
	u->fd = u->out ? socket(u->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	if (u->fd < 0)
		goto fail;
	if (setsockopt(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(u->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (setsockopt(u->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
		setsockopt(u->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	if (bind(u->fd, &addr->sa, addr_len(addr)) || getsockname(u->fd, &u->at.sa, &length))
		goto fail;
	write_text(u);
	return 0;
fail:
	err = -errno;
	kit_udp_close(u);
	return err;
}

void kit_udp_close(struct kit_udp *u)
{
	if (u->fd >= 0)
		close(u->fd);
	free(u->out);
	u->fd = -1;
	u->out = NULL;
}

char *kit_udp_room(struct kit_udp *u)
{
	if (u->n_out == KIT_BURST)
		kit_udp_flush(u);
	return u->out->data[u->n_out];
}

void kit_udp_put(struct kit_udp *u, const union kit_addr *to, uint32_t bytes)
{
	uint32_t i = u->n_out++;
	struct kit_burst *o = u->out;

	o->addr[i] = *to;
	o->iov[i] = (struct iovec){ .iov_base = o->data[i], .iov_len = bytes };
	o->head[i].msg_hdr = (struct msghdr){
		.msg_name = &o->addr[i], .msg_namelen = addr_len(to), .msg_iov = &o->iov[i], .msg_iovlen = 1
	};
}

void kit_udp_flush(struct kit_udp *u)
{
	uint32_t done = 0;

	while (done < u->n_out) {
		int n = sendmmsg(u->fd, u->out->head + done, u->n_out - done, 0);

		if (n > 0) {
			done += (uint32_t)n;
			u->sent += (uint32_t)n;
		} else if (errno != EINTR) { /* an earlier one's ICMP, or this one cannot go: once more, then
						the next */
			n = sendmmsg(u->fd, u->out->head + done++, 1, 0);
			u->sent += n == 1;
			u->unsent += n != 1;
		}
	}
	u->n_out = 0;
}

uint32_t kit_udp_receive(struct kit_udp *u, struct kit_burst *in)
{
	int n;

	for (uint32_t i = 0; i < KIT_BURST; i++) {
		in->iov[i] = (struct iovec){ .iov_base = in->data[i], .iov_len = KIT_DATAGRAM };
		in->head[i].msg_hdr = (struct msghdr){ .msg_name = &in->addr[i],
						       .msg_namelen = sizeof(in->addr[i]),
						       .msg_iov = &in->iov[i],
						       .msg_iovlen = 1 };
	}
	n = recvmmsg(u->fd, in->head, KIT_BURST, MSG_DONTWAIT, NULL);
	return n < 0 ? 0 : (uint32_t)n;
}

uint64_t kit_udp_dropped(const struct kit_udp *u)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof(info);

	if (getsockopt(u->fd, SOL_SOCKET, SO_MEMINFO, info, &length))
		return 0;
	return info[SK_MEMINFO_DROPS];
}
