/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Following the kernel's routes and neighbours of the twins: see rtnl.h. A change of a neighbour is taken
 * from its notification; a change of a route makes all routes be read again, since one notification may stand
 * for several (RFC 3549 leaves replacing and multipath to the reader). Control thread.
 */
#include "control/rtnl.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <libmnl/libmnl.h>

#define NUD_USABLE   (NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP)
#define DUMP_TRIES   8
#define EVENT_BUFFER (1 << 20) /* bytes the kernel may queue for us before it drops notifications */

struct ctl_rtnl {
	struct mnl_socket *events; /* notifications */
	uint32_t n_ports;
	int ifindexes[LIMIT_PORTS];
	struct net_route *routes;
	uint32_t n_routes, room_routes;
	struct net_neigh *neighs;
	uint32_t n_neighs, room_neighs;
	bool routes_dirty; /* must be read again */
	bool neighs_dirty;
	bool dumping;    /* neighbours come from a dump: each is new */
	bool changed;    /* since ctl_rtnl_read() was called */
	char buf[32768]; /* one datagram of notifications */
};

/* Port of a kernel interface, or -1. */
static int port_of(const struct ctl_rtnl *r, int ifindex)
{
	for (uint32_t i = 0; i < r->n_ports; i++)
		if (ifindex > 0 && r->ifindexes[i] == ifindex)
			return (int)i;
	return -1;
}

/* Room for one more element of `size` bytes in a grown array. Returns 0 or -ENOMEM. */
static int grow(void **array, uint32_t n, uint32_t *room, size_t size)
{
	uint32_t more = *room ? *room * 2 : 64;
	void *p;

	if (n < *room)
		return 0;
	p = realloc(*array, more * size);
	if (p == NULL)
		return -ENOMEM;
	*array = p;
	*room = more;
	return 0;
}

static struct addr addr_of(int family, const void *ip)
{
	uint32_t v4;

	if (family == AF_INET6)
		return addr_v6(ip, 0);
	memcpy(&v4, ip, 4);
	return addr_v4(v4, 0);
}

static uint16_t addr_bytes(int family)
{
	return family == AF_INET6 ? 16 : 4;
}

struct attrs {
	const struct nlattr *at[64]; /* by type; NULL if absent */
};

static int keep_attr(const struct nlattr *a, void *data)
{
	struct attrs *t = data;

	if (mnl_attr_get_type(a) < MNL_ARRAY_SIZE(t->at))
		t->at[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

/* ---- Neighbours ---- */

static void forget_neigh(struct ctl_rtnl *r, uint32_t i)
{
	r->neighs[i] = r->neighs[--r->n_neighs];
	r->changed = true;
}

/* The kernel's word on one neighbour; mac NULL: it is of no use. */
static int set_neigh(struct ctl_rtnl *r, const struct addr *ip, uint8_t port, const void *mac)
{
	uint32_t i = r->dumping ? r->n_neighs : 0;
	int rc;

	while (i < r->n_neighs && (r->neighs[i].port != port || !addr_eq(&r->neighs[i].ip, ip)))
		i++;
	if (mac == NULL) {
		if (i < r->n_neighs)
			forget_neigh(r, i);
		return 0;
	}
	if (i < r->n_neighs && memcmp(r->neighs[i].mac, mac, NET_MAC) == 0)
		return 0;
	rc = grow((void **)&r->neighs, i, &r->room_neighs, sizeof(*r->neighs));
	if (rc)
		return rc;
	if (i == r->n_neighs)
		r->neighs[r->n_neighs++] = (struct net_neigh){ .ip = *ip, .port = port };
	memcpy(r->neighs[i].mac, mac, NET_MAC);
	r->changed = true;
	return 0;
}

static int take_neigh(struct ctl_rtnl *r, const struct nlmsghdr *h)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(h);
	int port = port_of(r, nd->ndm_ifindex);
	const void *mac = NULL;
	struct attrs t = { 0 };
	struct addr ip;

	if (port < 0 || (nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6) ||
	    (nd->ndm_flags & NTF_PROXY))
		return 0;
	mnl_attr_parse(h, sizeof(*nd), keep_attr, &t);
	if (t.at[NDA_DST] == NULL || mnl_attr_get_payload_len(t.at[NDA_DST]) != addr_bytes(nd->ndm_family))
		return 0;
	if (h->nlmsg_type == RTM_NEWNEIGH && (nd->ndm_state & NUD_USABLE) && t.at[NDA_LLADDR] &&
	    mnl_attr_get_payload_len(t.at[NDA_LLADDR]) == NET_MAC)
		mac = mnl_attr_get_payload(t.at[NDA_LLADDR]);
	ip = addr_of(nd->ndm_family, mnl_attr_get_payload(t.at[NDA_DST]));
	return set_neigh(r, &ip, (uint8_t)port, mac);
}

/* ---- Routes ---- */

/* One way of a route: gateway and interface from its attributes. */
static int add_way(struct ctl_rtnl *r, const struct net_route *route, int ifindex, const struct attrs *t,
		   int family)
{
	int port = port_of(r, ifindex), rc;
	struct net_route *x;

	if (port < 0)
		return 0;
	rc = grow((void **)&r->routes, r->n_routes, &r->room_routes, sizeof(*r->routes));
	if (rc)
		return rc;
	x = &r->routes[r->n_routes++];
	*x = *route;
	x->port = (uint8_t)port;
	if (t->at[RTA_GATEWAY] && mnl_attr_get_payload_len(t->at[RTA_GATEWAY]) == addr_bytes(family)) {
		x->gateway = addr_of(family, mnl_attr_get_payload(t->at[RTA_GATEWAY]));
	} else if (t->at[RTA_VIA]) { /* a gateway of the other family (RFC 8950) */
		const struct rtvia *via = mnl_attr_get_payload(t->at[RTA_VIA]);

		if (mnl_attr_get_payload_len(t->at[RTA_VIA]) == sizeof(*via) + addr_bytes(via->rtvia_family))
			x->gateway = addr_of(via->rtvia_family, via->rtvia_addr);
	}
	return 0;
}

static int add_multipath(struct ctl_rtnl *r, const struct net_route *route, const struct nlattr *multipath,
			 int family)
{
	const struct rtnexthop *nh = mnl_attr_get_payload(multipath);
	size_t left = mnl_attr_get_payload_len(multipath);
	int rc = 0;

	while (rc == 0 && left >= sizeof(*nh) && nh->rtnh_len >= sizeof(*nh) && nh->rtnh_len <= left) {
		struct attrs t = { 0 };
		size_t step = RTNH_ALIGN(nh->rtnh_len);

		mnl_attr_parse_payload(RTNH_DATA(nh), nh->rtnh_len - sizeof(*nh), keep_attr, &t);
		if (!(nh->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)))
			rc = add_way(r, route, nh->rtnh_ifindex, &t, family);
		left = left > step ? left - step : 0;
		nh = (const struct rtnexthop *)((const char *)nh + step);
	}
	return rc;
}

static int take_route(struct ctl_rtnl *r, const struct nlmsghdr *h)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	static const uint8_t any[16];
	struct attrs t = { 0 };
	uint32_t table = rt->rtm_table;
	struct net_route route = { .len = rt->rtm_dst_len };

	if (rt->rtm_type != RTN_UNICAST || (rt->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD | RTNH_F_LINKDOWN)) ||
	    (rt->rtm_family != AF_INET && rt->rtm_family != AF_INET6))
		return 0;
	mnl_attr_parse(h, sizeof(*rt), keep_attr, &t);
	if (t.at[RTA_TABLE])
		table = mnl_attr_get_u32(t.at[RTA_TABLE]);
	if (table != RT_TABLE_MAIN)
		return 0;
	route.prefix = addr_of(rt->rtm_family, t.at[RTA_DST] ? mnl_attr_get_payload(t.at[RTA_DST]) : any);
	if (t.at[RTA_PRIORITY])
		route.metric = mnl_attr_get_u32(t.at[RTA_PRIORITY]);
	if (t.at[RTA_MULTIPATH])
		return add_multipath(r, &route, t.at[RTA_MULTIPATH], rt->rtm_family);
	if (t.at[RTA_OIF] == NULL)
		return 0;
	return add_way(r, &route, (int)mnl_attr_get_u32(t.at[RTA_OIF]), &t, rt->rtm_family);
}

/* ---- Dumps and requests ---- */

static int take_dumped(const struct nlmsghdr *h, void *data)
{
	struct ctl_rtnl *r = data;
	int rc = 0;

	if (h->nlmsg_type == RTM_NEWNEIGH)
		rc = take_neigh(r, h);
	else if (h->nlmsg_type == RTM_NEWROUTE)
		rc = take_route(r, h);
	errno = -rc;
	return rc ? MNL_CB_ERROR : MNL_CB_OK;
}

/*
 * Send one request on a socket of its own (an interrupted dump leaves the rest of it in the socket) and read
 * its answers until the last. Returns 0 or -errno.
 */
static int ask(struct nlmsghdr *h, mnl_cb_t cb, void *data)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int rc = MNL_CB_OK, err = 0;
	char buf[32768];

	if (s == NULL)
		return -errno;
	h->nlmsg_seq = 1;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 || mnl_socket_sendto(s, h, h->nlmsg_len) < 0)
		rc = MNL_CB_ERROR;
	while (rc > MNL_CB_STOP) {
		ssize_t n = mnl_socket_recvfrom(s, buf, sizeof(buf));

		rc = n < 0 ? MNL_CB_ERROR : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), cb, data);
	}
	if (rc == MNL_CB_ERROR)
		err = -errno;
	mnl_socket_close(s);
	return err;
}

static int dump(struct ctl_rtnl *r, uint16_t type, uint8_t family)
{
	char req[128] = { 0 };
	struct nlmsghdr *h = mnl_nlmsg_put_header(req);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	if (type == RTM_GETNEIGH)
		((struct ndmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct ndmsg)))->ndm_family = family;
	else
		((struct rtmsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct rtmsg)))->rtm_family = family;
	return ask(h, take_dumped, r);
}

/* Read all routes (type RTM_GETROUTE) or neighbours; -EINTR: the table changed under every try. */
static int read_all(struct ctl_rtnl *r, uint16_t type, uint32_t *n, bool *dirty)
{
	int rc = -EINTR;

	for (unsigned i = 0; rc == -EINTR && i < DUMP_TRIES; i++) {
		*n = 0;
		r->dumping = true;
		rc = dump(r, type, AF_INET);
		if (rc == 0)
			rc = dump(r, type, AF_INET6);
		r->dumping = false;
	}
	*dirty = rc != 0;
	r->changed = true;
	return rc;
}

static int take_event(const struct nlmsghdr *h, void *data)
{
	struct ctl_rtnl *r = data;
	int rc = 0;

	if (h->nlmsg_type == RTM_NEWNEIGH || h->nlmsg_type == RTM_DELNEIGH)
		rc = take_neigh(r, h);
	else if (h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE)
		r->routes_dirty = true;
	errno = -rc;
	return rc ? MNL_CB_ERROR : MNL_CB_OK;
}

/* Take in all queued notifications. They are older than any dump made afterwards, so none may stay queued. */
static int drain_events(struct ctl_rtnl *r)
{
	for (;;) {
		ssize_t n = mnl_socket_recvfrom(r->events, r->buf, sizeof(r->buf));

		if (n < 0 && errno == ENOBUFS)
			r->routes_dirty = r->neighs_dirty = true;
		else if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? 0 : -errno;
		else if (n > 0 && mnl_cb_run(r->buf, (size_t)n, 0, 0, take_event, r) == MNL_CB_ERROR)
			return -errno;
	}
}

int ctl_rtnl_read(struct ctl_rtnl *r)
{
	int rc;

	r->changed = false;
	rc = drain_events(r);
	if (rc == 0 && r->neighs_dirty)
		rc = read_all(r, RTM_GETNEIGH, &r->n_neighs, &r->neighs_dirty);
	if (rc == 0 && r->routes_dirty)
		rc = read_all(r, RTM_GETROUTE, &r->n_routes, &r->routes_dirty);
	return rc ? rc : r->changed;
}

int ctl_rtnl_fd(const struct ctl_rtnl *r)
{
	return mnl_socket_get_fd(r->events);
}

void ctl_rtnl_plan(const struct ctl_rtnl *r, struct net_hops_plan *plan)
{
	plan->routes = r->routes;
	plan->n_routes = r->n_routes;
	plan->neighs = r->neighs;
	plan->n_neighs = r->n_neighs;
}

static struct mnl_socket *open_events(void)
{
	static int groups[] = { RTNLGRP_NEIGH, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	int bytes = EVENT_BUFFER;

	if (s == NULL)
		return NULL;
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
		goto fail;
	for (unsigned i = 0; i < MNL_ARRAY_SIZE(groups); i++)
		if (mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &groups[i], sizeof(groups[i])) < 0)
			goto fail;
	setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	return s;
fail:
	mnl_socket_close(s);
	return NULL;
}

int ctl_rtnl_open(const int *ifindexes, uint32_t n, struct ctl_rtnl **out)
{
	struct ctl_rtnl *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return -ENOMEM;
	r->n_ports = n;
	memcpy(r->ifindexes, ifindexes, n * sizeof(*ifindexes));
	r->events = open_events(); /* first, so that no change falls between the dump and the subscription */
	rc = r->events ? 0 : -errno;
	if (rc == 0)
		rc = read_all(r, RTM_GETROUTE, &r->n_routes, &r->routes_dirty);
	if (rc == 0)
		rc = read_all(r, RTM_GETNEIGH, &r->n_neighs, &r->neighs_dirty);
	if (rc == 0)
		*out = r;
	else
		ctl_rtnl_close(r);
	return rc;
}

void ctl_rtnl_close(struct ctl_rtnl *r)
{
	if (r == NULL)
		return;
	if (r->events)
		mnl_socket_close(r->events);
	free(r->routes);
	free(r->neighs);
	free(r);
}

/* ---- Changes ---- */

static struct nlmsghdr *put_request(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return h;
}

static void put_addr(struct nlmsghdr *h, uint16_t type, const struct addr *ip)
{
	mnl_attr_put(h, type, ip->v6 ? 16 : 4, ip->v6 ? ip->ip : ip->ip + 12);
}

int ctl_rtnl_keep_neigh(struct ctl_rtnl *r, uint8_t port, const struct addr *ip)
{
	char req[256] = { 0 };

	if (port >= r->n_ports || r->ifindexes[port] == 0)
		return -ENODEV;
	for (int managed = 1;; managed = 0) {
		struct nlmsghdr *h = put_request(req, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
		struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));
		int rc;

		nd->ndm_family = ip->v6 ? AF_INET6 : AF_INET;
		nd->ndm_ifindex = r->ifindexes[port];
		nd->ndm_state = NUD_NONE;
		nd->ndm_flags = NTF_USE;
		put_addr(h, NDA_DST, ip);
		if (managed)
			mnl_attr_put_u32(h, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
		rc = ask(h, NULL, NULL);
		if (rc != -EINVAL || !managed)
			return rc;
	}
}

int ctl_rtnl_set_link(int ifindex, const uint8_t mac[NET_MAC], uint16_t mtu, bool up)
{
	char req[256] = { 0 };
	struct nlmsghdr *h = put_request(req, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = ifindex;
	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = up ? IFF_UP : 0;
	mnl_attr_put(h, IFLA_ADDRESS, NET_MAC, mac);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return ask(h, NULL, NULL);
}

int ctl_rtnl_add_addr(int ifindex, const struct addr *ip, uint8_t len)
{
	char req[256] = { 0 };
	struct nlmsghdr *h = put_request(req, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	int rc;

	ifa->ifa_family = ip->v6 ? AF_INET6 : AF_INET;
	ifa->ifa_prefixlen = len;
	ifa->ifa_index = (uint32_t)ifindex;
	ifa->ifa_flags = ip->v6 ? IFA_F_NODAD : 0; /* the wire is not up yet when the address must work */
	put_addr(h, IFA_LOCAL, ip);
	put_addr(h, IFA_ADDRESS, ip);
	rc = ask(h, NULL, NULL);
	return rc == -EEXIST ? 0 : rc;
}
