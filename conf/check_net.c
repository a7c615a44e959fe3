/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports and listeners: every listener on one port, every address once, next hops that can be reached. */
#include <stdlib.h>

#include "conf/check.h"
#include "conf/value.h"

#define MTU_IPV6 1280 /* RFC 8200 5 */

static bool is_set(const struct addr *addr)
{
	static const struct addr none;

	return !addr_eq(addr, &none);
}

static void check_next_hop(struct loader *l, const struct conf_port *port, const struct addr *hop,
			   const char *key, bool v6)
{
	char text[CONF_ADDR_TEXT];

	if (!is_set(hop))
		return;
	conf_addr_text(hop, text);
	if (hop->v6 != v6) {
		conf_fail_at(l, hop, "ports.%s.%s: found %s, expected an IPv%d address", port->name, key,
			     text, v6 ? 6 : 4);
		return;
	}
	for (uint32_t i = 0; i < port->n_addresses; i++)
		if (conf_prefix_holds(&port->addresses[i], hop))
			return;
	if (l->bad[KIND_IFADDR] == 0)
		conf_fail_at(l, hop, "ports.%s.%s: found %s, expected an address in a network of the port",
			     port->name, key, text);
}

static bool has_v6(const struct conf_port *port)
{
	for (uint32_t i = 0; i < port->n_addresses; i++)
		if (port->addresses[i].addr.v6)
			return true;
	return false;
}

static void check_port(struct loader *l, const struct conf_port *port)
{
	check_next_hop(l, port, &port->gateway, "gateway", false);
	check_next_hop(l, port, &port->gateway6, "gateway6", true);
	if (has_v6(port) && port->mtu < MTU_IPV6)
		conf_fail_at(l, &port->mtu, "ports.%s.mtu: found %u, expected at least %u for IPv6",
			     port->name, port->mtu, MTU_IPV6);
}

/* Whether a device text names one thing that only one port can have: a PCI device or an interface. */
static bool is_exclusive(const char *device)
{
	return strstr(device, "iface=") != NULL || strncmp(device, "net_", 4) != 0;
}

/* Whether the driver takes, or makes, the interface with that name: "net_tap,iface=w0". */
static bool has_interface(const char *device, const char *name)
{
	static const char key[] = ",iface=";
	const char *at = strstr(device, key);
	size_t n = strlen(name);

	return at != NULL && strncmp(at + strlen(key), name, n) == 0 &&
	       (at[strlen(key) + n] == '\0' || at[strlen(key) + n] == ',');
}

/* The twin is an interface of its own, beside the one that is the wire. */
static void check_twin(struct loader *l, const struct conf_port *port)
{
	for (uint32_t i = 0; i < l->conf->n_ports && port->twin != NULL; i++) {
		const struct conf_port *other = &l->conf->ports[i];

		if (other->device != NULL && has_interface(other->device, port->twin))
			conf_fail_item(
				l, port,
				"port \"%s\": found twin \"%s\", which is the interface of \"%s\", expected "
				"another name by key \"twin\"",
				port->name, port->twin, other->name);
	}
}

static void check_pair(struct loader *l, const struct conf_port *port, const struct conf_port *before)
{
	if (port->name != NULL && before->name != NULL && strcmp(port->name, before->name) == 0)
		return; /* reported as a repeated name */
	if (port->twin != NULL && before->twin != NULL && strcmp(port->twin, before->twin) == 0)
		conf_fail_item(l, port,
			       "port \"%s\": found twin \"%s\", which \"%s\" has already, expected another",
			       port->name, port->twin, before->name);
	if (port->device != NULL && before->device != NULL && strcmp(port->device, before->device) == 0 &&
	    is_exclusive(port->device))
		conf_fail_at(l, &port->device,
			     "ports.%s.device: found \"%s\", which \"%s\" has already, expected another",
			     port->name, port->device, before->name);
}

static void check_port_addresses(struct loader *l)
{
	struct conf *c = l->conf;
	struct claim *claims = calloc(LIMIT_PORTS * LIMIT_PORT_ADDRS, sizeof(*claims));
	uint32_t n = 0;

	if (claims == NULL) {
		l->no_memory = true;
		return;
	}
	for (uint32_t i = 0; i < c->n_ports; i++)
		for (uint32_t k = 0; k < c->ports[i].n_addresses; k++, n++)
			claims[n] = (struct claim){ c->ports[i].addresses[k].addr, -1, n,
						    &c->ports[i].addresses[k], c->ports[i].name };
	conf_check_claims(l, "port", claims, n);
	free(claims);
}

static uint32_t port_of(const struct conf *c, const struct addr *addr)
{
	for (uint32_t i = 0; i < c->n_ports; i++)
		for (uint32_t k = 0; k < c->ports[i].n_addresses; k++)
			if (addr_same_ip(&c->ports[i].addresses[k].addr, addr))
				return i;
	return CONF_NONE;
}

static void check_listeners(struct loader *l)
{
	struct claim claims[LIMIT_LISTENERS];
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->conf->n_listeners; i++) {
		struct conf_listener *listener = &l->conf->listeners[i];
		char text[CONF_ADDR_TEXT];

		if (!is_set(&listener->address))
			continue;
		claims[n] = (struct claim){ listener->address, -1, n, &listener->address, listener->name };
		n++;
		listener->port = port_of(l->conf, &listener->address);
		conf_addr_text(&listener->address, text);
		if (listener->port == CONF_NONE && l->conf->n_ports > 0 && l->bad[KIND_IFADDR] == 0)
			conf_fail_at(l, &listener->address,
				     "listeners.%s.address: found %s, expected an address of a port",
				     listener->name, text);
	}
	conf_check_claims(l, "listener", claims, n);
}

void conf_check_net(struct loader *l)
{
	for (uint32_t i = 0; i < l->conf->n_ports; i++) {
		check_port(l, &l->conf->ports[i]);
		check_twin(l, &l->conf->ports[i]);
		for (uint32_t k = 0; k < i; k++)
			check_pair(l, &l->conf->ports[i], &l->conf->ports[k]);
	}
	check_port_addresses(l);
	check_listeners(l);
}
