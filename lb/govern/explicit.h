/* SPDX-License-Identifier: BSD-3-Clause */
/* What a gateway itself asks for: the part of struct governed that explicit.c writes. */
#ifndef WEIR_LB_EXPLICIT_H
#define WEIR_LB_EXPLICIT_H

#include "lb/govern/govern.h"

struct gateway;

struct explicit
{
	/* What it said last (RFC 7339 4). */
	uint8_t algo; /* LB_OC_LOSS, LB_OC_RATE; 0: it controls nothing now */
	uint32_t value;
	uint64_t seq;
	uint64_t heard; /* ns; 0: never */
	uint64_t until; /* ns; when it stops counting */

	/* What goes away when new requests are withheld (RFC 7339 7.2). */
	double sheddable;   /* share of all requests, 0..1 */
	uint64_t measured;  /* ns; since when the next figure is being measured */
	uint64_t news, all; /* new requests and all, as counted then */

	/* What follows. */
	uint16_t shed; /* part of new requests, of 65536; UINT16_MAX: all */
	uint32_t rate; /* requests per second (RFC 7415), or LB_UNLIMITED */

	/* What the operator hears. */
	uint64_t asked; /* ns; when it last controlled something */
	bool told;      /* from LB_NOTICE_OC to LB_NOTICE_OC_OVER */
};

/* A gateway that has said nothing yet. */
void explicit_start(struct explicit *x, uint64_t now);

/* Sight. */
void explicit_sight(const struct explicit *x, uint64_t now, struct lb_congestion *out);

#endif
