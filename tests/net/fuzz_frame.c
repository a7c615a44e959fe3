/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libFuzzer: any frame gets a class, and a datagram that is taken for whole lies inside its frame. The first
 * byte chooses the port; the next 14 are replaced by an Ethernet header for it, so that depth comes quickly.
 */
#include <stdint.h>
#include <stdlib.h>

#include "dataplane/net/net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t head[2][14] = { { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00 },
					     { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd } };
	struct net_port port = { .mac = { 2, 0, 0, 0, 0, 1 } };
	struct net_pkt pkt;
	enum net_class class;
	uint8_t *frame;

	if (size < 15)
		return 0;
	port.trust = data[0] & 1;
	port.vlan = data[0] & 2 ? 5 : 0;
	frame = malloc(size - 1); /* of its own, so that a read past its end is seen */
	if (frame == NULL)
		return 0;
	memcpy(frame, data + 1, size - 1);
	if (data[0] & 4)
		memcpy(frame, head[data[0] >> 3 & 1], sizeof(head[0]));
	class = net_parse(&port, frame, (uint32_t)size - 1, NET_UNKNOWN, NET_UNKNOWN, &pkt);
	if (class >= NET_CLASSES || class != pkt.class)
		abort();
	if (class == NET_UDP &&
	    (pkt.payload < pkt.l4 + 8u || (size_t)pkt.payload + pkt.payload_len > size - 1))
		abort();
	if ((class == NET_UDP || class == NET_FRAGMENT) && (pkt.l4 <= pkt.l3 || pkt.l4 > size - 1))
		abort();
	free(frame);
	return 0;
}
