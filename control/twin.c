/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taps and raw sockets: see twin.h. Control thread. Must stay true: every descriptor here is non-blocking.
 */
#include "control/twin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "control/rtnl.h"

#define SECOND     1000000000u
#define VLAN_LEN   4
#define RAW_BUFFER (8 << 20) /* bytes */

/*
 * An interface that is set down loses its IPv6 addresses, and nobody would bring them back when it is up
 * again: the kernel is asked to keep them, as it keeps those of IPv4. Without IPv6 there is nothing to ask.
 */
static void keep_addresses(const char *name)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/keep_addr_on_down", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (write(fd, "1", 1) != 1)
		errno = 0; /* the addresses are there all the same */
	close(fd);
}

int ctl_twin_open(struct ctl_twin *twin, const char *name, const uint8_t mac[NET_MAC], uint16_t mtu)
{
	struct ifreq req = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	int rc;

	memset(twin, 0, sizeof(*twin));
	twin->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (twin->fd < 0)
		return -errno;
	if (strlen(name) >= sizeof(req.ifr_name)) {
		rc = -ENAMETOOLONG;
		goto fail;
	}
	strcpy(req.ifr_name, name);
	if (ioctl(twin->fd, TUNSETIFF, &req) != 0) {
		rc = -errno;
		goto fail;
	}
	memcpy(twin->name, req.ifr_name, sizeof(twin->name));
	twin->ifindex = (int)if_nametoindex(twin->name);
	rc = ctl_rtnl_set_link(twin->ifindex, mac, mtu, true);
	if (rc)
		goto fail;
	keep_addresses(twin->name);
	return 0;
fail:
	ctl_twin_close(twin);
	return rc;
}

void ctl_twin_close(struct ctl_twin *twin)
{
	if (twin->fd >= 0)
		close(twin->fd);
	twin->fd = -1;
	twin->ifindex = 0;
}

void ctl_twin_write(struct ctl_twin *twin, const void *frame, size_t n)
{
	if (write(twin->fd, frame, n) == (ssize_t)n)
		twin->to_kernel++;
	else
		twin->dropped++;
}

int ctl_twin_read(struct ctl_twin *twin, void *frame, size_t room)
{
	ssize_t n = read(twin->fd, frame, room);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	twin->from_kernel++;
	return (int)n;
}

/*
 * A raw socket. IPPROTO_RAW: the packet brings its own header, in both families; nothing is ever received.
 * Packets that wait for a dead neighbour are charged to the socket, so its buffer holds those of many.
 */
static int open_raw(int family)
{
	int fd = socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_RAW);
	int bytes = RAW_BUFFER;

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	return fd;
}

int ctl_raw_open(struct ctl_raw *raw, uint32_t per_second, uint64_t now)
{
	int rc;

	*raw = (struct ctl_raw){ .fd4 = -1, .fd6 = -1, .per_second = per_second, .last = now };
	raw->tokens = (uint64_t)per_second * SECOND / 10;
	raw->fd4 = open_raw(AF_INET);
	raw->fd6 = open_raw(AF_INET6);
	if (raw->fd4 >= 0 && raw->fd6 >= 0)
		return 0;
	rc = -errno;
	ctl_raw_close(raw);
	return rc;
}

void ctl_raw_close(struct ctl_raw *raw)
{
	if (raw->fd4 >= 0)
		close(raw->fd4);
	if (raw->fd6 >= 0)
		close(raw->fd6);
	raw->fd4 = raw->fd6 = -1;
}

/* Token bucket that holds a tenth of a second. */
static bool within_budget(struct ctl_raw *raw, uint64_t now)
{
	uint64_t most = (uint64_t)raw->per_second * SECOND / 10, past = now - raw->last;

	most = most > SECOND ? most : SECOND;
	raw->last = now;
	raw->tokens += past < SECOND ? past * raw->per_second : most;
	raw->tokens = raw->tokens < most ? raw->tokens : most;
	if (raw->tokens < SECOND)
		return false;
	raw->tokens -= SECOND;
	return true;
}

/* Where a raw packet goes: its socket, destination and the control message that names the interface. */
struct raw_msg {
	int fd;
	socklen_t to_len;
	union {
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	size_t control_len;
};

/* info: struct in_pktinfo or in6_pktinfo, n bytes. */
static void put_control(struct raw_msg *m, int level, int type, const void *info, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)m->control;

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), info, n);
	m->control_len = CMSG_SPACE(n);
}

static void aim4(struct raw_msg *m, const struct ctl_raw *raw, int ifindex, const struct addr *via)
{
	struct in_pktinfo info = { .ipi_ifindex = ifindex };

	m->fd = raw->fd4;
	m->to.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = addr_ip4_be(via) };
	m->to_len = sizeof(m->to.v4);
	put_control(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
}

static void aim6(struct raw_msg *m, const struct ctl_raw *raw, int ifindex, const struct addr *via)
{
	struct in6_pktinfo info = { .ipi6_ifindex = (unsigned)ifindex };

	m->fd = raw->fd6;
	m->to.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	memcpy(&m->to.v6.sin6_addr, via->ip, sizeof(via->ip));
	m->to_len = sizeof(m->to.v6);
	put_control(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
}

/* The IP packet in a frame: its first byte and length, or NULL if the frame has no whole one. */
static const uint8_t *ip_packet(const uint8_t *frame, size_t n, size_t *len)
{
	size_t at = ETH_HLEN;
	uint16_t type;

	if (n < at + VLAN_LEN)
		return NULL;
	memcpy(&type, frame + 12, 2);
	if (type == htons(ETHERTYPE_VLAN)) {
		memcpy(&type, frame + 16, 2);
		at += VLAN_LEN;
	}
	if (type == htons(ETHERTYPE_IP) && n >= at + sizeof(struct iphdr) && frame[at] >> 4 == 4)
		*len = (size_t)frame[at + 2] << 8 | frame[at + 3];
	else if (type == htons(ETHERTYPE_IPV6) && n >= at + sizeof(struct ip6_hdr) && frame[at] >> 4 == 6)
		*len = sizeof(struct ip6_hdr) + ((size_t)frame[at + 4] << 8 | frame[at + 5]);
	else
		return NULL;
	return *len <= n - at && *len >= sizeof(struct iphdr) ? frame + at : NULL;
}

int ctl_raw_send(struct ctl_raw *raw, int ifindex, const struct addr *via, const void *frame, size_t n,
		 uint64_t now)
{
	struct raw_msg m;
	struct iovec iov;
	struct msghdr h = { .msg_name = &m.to, .msg_iov = &iov, .msg_iovlen = 1, .msg_control = m.control };
	const uint8_t *ip = ip_packet(frame, n, &iov.iov_len);

	if (ip == NULL || ip[0] >> 4 != (via->v6 ? 6 : 4)) {
		raw->failed++;
		return -EINVAL;
	}
	if (!within_budget(raw, now)) {
		raw->capped++;
		return -EBUSY;
	}
	memset(&m, 0, sizeof(m));
	iov.iov_base = (void *)(uintptr_t)ip;
	if (via->v6)
		aim6(&m, raw, ifindex, via);
	else
		aim4(&m, raw, ifindex, via);
	h.msg_namelen = m.to_len;
	h.msg_controllen = m.control_len;
	if (sendmsg(m.fd, &h, 0) < 0) {
		raw->failed++;
		return -errno;
	}
	raw->sent++;
	return 0;
}
