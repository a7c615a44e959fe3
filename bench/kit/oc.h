/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a gateway tells its clients to keep to: a part of their requests to withhold (loss, RFC 7339), or how
 * many a second it wants of each (rate, RFC 7415: of all requests, so a call counts with its ACK and BYE).
 * It wants its capacity, more while its queue is shorter than the target, less while it is longer.
 */
#ifndef WEIR_BENCH_OC_H
#define WEIR_BENCH_OC_H

#include <stdbool.h>
#include <stdint.h>

#define KIT_OC_EVERY_S  0.1 /* between two steps */
#define KIT_OC_VALID_MS 1000

enum kit_oc_algo {
	KIT_OC_OFF,
	KIT_OC_LOSS,
	KIT_OC_RATE
};

/* Zeroed at the start. */
struct kit_oc {
	double arrivals;          /* INVITEs per s, smoothed */
	double invites, requests; /* of the last seconds, fading: how many requests a call brings along */
	double withheld;          /* part that clients withheld, smoothed as arrivals are */
	double loss;              /* 0..1, as told last */
	double hold;              /* s; control goes on so long though nothing asks for it */
	uint32_t value;           /* per cent to withhold, or requests per s and client */
};

/* What a gateway has seen since the last step. */
struct kit_oc_seen {
	double invites, requests;
	double capacity;  /* calls per s */
	double delay;     /* s that the queue takes now */
	double target;    /* s that it may take */
	uint32_t clients; /* >= 1 */
};

/* A step, due every KIT_OC_EVERY_S; true: control is on, and o->value to be told. */
bool kit_oc_step(struct kit_oc *o, enum kit_oc_algo algo, const struct kit_oc_seen *seen);

#endif
