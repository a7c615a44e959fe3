/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The character sets of RFC 3261 25.1 that the decoders step over.
 */
#include "dataplane/sip/chars.h"

/*
 * Bit h of lo[l] is set if byte 16 * h + l is in the set, for h = 2..7. Controls are in no set, so bit 0 is
 * free to stand for all bytes from 0x80 on.
 */
#define HI_ASCII                                                                                             \
	{                                                                                                    \
		0, 0, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80                                                     \
	}
#define HI_8BIT                                                                                              \
	{                                                                                                    \
		0, 0, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 1, 1, 1, 1, 1, 1, 1, 1                             \
	}

const struct sip_set sip_token = { { 0xe8, 0xfc, 0xf8, 0xf8, 0xf8, 0xfc, 0xf8, 0xfc, 0xf8, 0xf8, 0xf4, 0x54,
				     0x50, 0x54, 0xd4, 0x70 },
				   HI_ASCII };
const struct sip_set sip_value = { { 0xf9, 0xfd, 0xf9, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xf5,
				     0xf1, 0xfd, 0xf5, 0x7d },
				   HI_8BIT };
const struct sip_set sip_ip6 = { { 0x08, 0x58, 0x58, 0x58, 0x58, 0x58, 0x58, 0x08, 0x08, 0x08, 0x08, 0x00,
				   0x00, 0x00, 0x04, 0x00 },
				 HI_ASCII };
const struct sip_set sip_plain = { { 0xf9, 0xfd, 0xf9, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd, 0xfd,
				     0xf5, 0xfd, 0xf5, 0x7d },
				   HI_8BIT };

uint64_t sip_window_stops(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	const char *from = m->base + p;
	uint64_t stops;
	char copy[64];

	if (p + 64 > m->len)
		from = memcpy(copy, from, m->len - p);
	stops = sip_stops(from);
	if (end - p > 32)
		stops |= (uint64_t)sip_stops(from + 32) << 32;
	return end - p < 64 ? stops | UINT64_MAX << (end - p) : stops;
}
