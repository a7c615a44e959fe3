/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening a port and reading what went through it. What differs between drivers is decided here and nowhere
 * else. Control thread. Must stay true: a software port has one queue; its own offloads (slow loops in the
 * driver) stay off, frame.c is faster.
 */
#include "dataplane/net/net.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_ethdev.h>

#define L2_EXTRA (RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN) /* bytes of a frame around its IP packet */
#define DESC     512 /* descriptors per queue unless the plan says otherwise; the driver may ask for less */

#define RX_CSUM (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)
#define TX_CSUM (RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM)

/* Fill everything of *port that the plan and the device's capabilities decide. */
static int describe(const struct net_port_plan *plan, const struct rte_eth_dev_info *info,
		    struct net_port *port)
{
	port->pci = strncmp(port->name, "net_", 4) != 0;
	port->index = (uint8_t)plan->index;
	port->mtu = plan->mtu;
	port->vlan = plan->vlan;
	port->trust = plan->rx_csum == NET_CSUM_TRUST;
	port->node = rte_eth_dev_socket_id(port->id);
	port->queues = 1;
	if (port->pci) {
		uint16_t most = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

		most = RTE_MIN(most, LIMIT_WORKERS);
		port->queues = (uint8_t)RTE_MIN(plan->queues, most);
		port->hw_rx_csum = !port->trust && (info->rx_offload_capa & RX_CSUM) == RX_CSUM;
		port->hw_tx_csum = (info->tx_offload_capa & TX_CSUM) == TX_CSUM;
	}
	if (info->if_index && if_indextoname(info->if_index, port->iface) == NULL)
		port->iface[0] = 0;
	return port->queues ? 0 : -EINVAL;
}

static int configure(struct net_port *port, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = { .rxmode.mtu = port->mtu };

	if (port->hw_rx_csum)
		conf.rxmode.offloads = RX_CSUM;
	if (port->hw_tx_csum)
		conf.txmode.offloads = TX_CSUM;
	if (port->queues > 1) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf =
			(RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP) & info->flow_type_rss_offloads;
	}
	return rte_eth_dev_configure(port->id, port->queues, port->queues, &conf);
}

static int set_up_queues(const struct net_port_plan *plan, const struct net_port *port)
{
	uint16_t rx = plan->rx_desc ? plan->rx_desc : DESC, tx = plan->tx_desc ? plan->tx_desc : DESC;
	unsigned node = port->node < 0 ? (unsigned)SOCKET_ID_ANY : (unsigned)port->node;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx, &tx);

	for (uint16_t q = 0; rc == 0 && q < port->queues; q++) {
		rc = rte_eth_rx_queue_setup(port->id, q, rx, node, NULL, plan->pools[q]);
		if (rc == 0)
			rc = rte_eth_tx_queue_setup(port->id, q, tx, node, NULL);
	}
	return rc;
}

/*
 * Weir's MAC on this port. net_tap gives its port the MAC of the kernel interface at the other end of the
 * wire; two hosts with one MAC cannot talk, so Weir takes a neighbouring, locally administered one.
 */
static int choose_mac(struct net_port *port, const char *driver)
{
	struct rte_ether_addr mac;
	int rc = rte_eth_macaddr_get(port->id, &mac);

	if (rc)
		return rc;
	/* net_ring and net_null have none, but a twin needs one */
	if (rte_is_zero_ether_addr(&mac))
		rte_eth_random_addr(mac.addr_bytes);
	memcpy(port->mac, mac.addr_bytes, NET_MAC);
	if (strcmp(driver, "net_tap") == 0)
		port->mac[0] = (port->mac[0] | 2) ^ 4;
	return 0;
}

/* ND, VRRP and routing protocols live on group addresses. Software ports get every frame anyway. */
static void hear_groups(const struct net_port *port)
{
	if (port->pci && rte_eth_allmulticast_enable(port->id) != 0)
		rte_eth_promiscuous_enable(port->id);
}

/* A driver that cannot set an MTU keeps its own; then only Weir's limit on sending counts. */
static int set_mtu(const struct net_port *port)
{
	uint16_t now = 0;
	int rc;

	if (rte_eth_dev_get_mtu(port->id, &now) == 0 && now == port->mtu)
		return 0;
	rc = rte_eth_dev_set_mtu(port->id, port->mtu);
	return rc == -ENOTSUP ? 0 : rc;
}

static bool pools_fit(const struct net_port_plan *plan, const struct net_port *port)
{
	for (uint16_t q = 0; q < port->queues; q++)
		if (plan->mtu + L2_EXTRA + RTE_PKTMBUF_HEADROOM > rte_pktmbuf_data_room_size(plan->pools[q]))
			return false;
	return true;
}

int net_port_open(const struct net_port_plan *plan, struct net_port *port)
{
	struct rte_eth_dev_info info;
	int rc;

	memset(port, 0, sizeof(*port));
	rc = net_device_name(plan->device, plan->index, port->name);
	if (rc)
		return rc;
	if (rte_eth_dev_get_port_by_name(port->name, &port->id) != 0)
		return -ENODEV;
	rc = rte_eth_dev_info_get(port->id, &info);
	if (rc == 0)
		rc = describe(plan, &info, port);
	if (rc)
		return rc;
	if (!pools_fit(plan, port))
		return -EMSGSIZE;
	rc = configure(port, &info);
	if (rc == 0)
		rc = set_mtu(port);
	if (rc == 0)
		rc = set_up_queues(plan, port);
	if (rc == 0)
		rc = choose_mac(port, info.driver_name);
	if (rc == 0)
		rc = rte_eth_dev_start(port->id);
	if (rc == 0)
		hear_groups(port);
	else
		rte_eth_dev_close(port->id);
	return rc;
}

void net_port_close(struct net_port *port)
{
	rte_eth_dev_stop(port->id);
	rte_eth_dev_close(port->id);
}

int net_port_info(const struct net_port *port, struct net_port_info *out)
{
	struct rte_eth_dev_info info;
	struct rte_eth_stats st;
	struct rte_eth_link link = { 0 };
	int rc = rte_eth_stats_get(port->id, &st);

	if (rc == 0)
		rc = rte_eth_dev_info_get(port->id, &info);
	if (rc)
		return rc;
	rte_eth_link_get_nowait(port->id, &link);
	*out = (struct net_port_info){
		.queues = port->queues,
		.hw_rx_csum = port->hw_rx_csum,
		.hw_tx_csum = port->hw_tx_csum,
		.link_up = link.link_status == RTE_ETH_LINK_UP,
		.link_mbps = link.link_speed == RTE_ETH_SPEED_NUM_UNKNOWN ? 0 : link.link_speed,
		.mtu = port->mtu,
		.rx_packets = st.ipackets,
		.tx_packets = st.opackets,
		.rx_bytes = st.ibytes,
		.tx_bytes = st.obytes,
		.rx_missed = st.imissed,
		.rx_errors = st.ierrors,
		.tx_errors = st.oerrors,
		.rx_nombuf = st.rx_nombuf,
	};
	memcpy(out->device, port->name, sizeof(out->device));
	memcpy(out->mac, port->mac, NET_MAC);
	snprintf(out->driver, sizeof(out->driver), "%s", info.driver_name);
	return 0;
}

int net_port_xstats(const struct net_port *port, net_xstat_fn *fn, void *ctx)
{
	int n = rte_eth_xstats_get_names(port->id, NULL, 0);
	struct rte_eth_xstat_name *names = NULL;
	struct rte_eth_xstat *values = NULL;

	if (n <= 0)
		return n;
	names = calloc((size_t)n, sizeof(*names));
	values = calloc((size_t)n, sizeof(*values));
	if (names == NULL || values == NULL) {
		n = -ENOMEM;
		goto out;
	}
	n = RTE_MIN(rte_eth_xstats_get_names(port->id, names, (unsigned)n),
		    rte_eth_xstats_get(port->id, values, (unsigned)n));
	for (int i = 0; i < n; i++)
		fn(ctx, names[values[i].id].name, values[i].value);
out:
	free(names);
	free(values);
	return n < 0 ? n : 0;
}
