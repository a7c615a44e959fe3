/* SPDX-License-Identifier: BSD-3-Clause */
/* What callers that ask are told about our load: what clients.c keeps of each. */
#ifndef WEIR_LB_CLIENTS_H
#define WEIR_LB_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

/* A peer that has asked. */
struct oc_client {
	uint64_t requests, refused; /* as counted at the last step */
	double recent, no;          /* requests and refusals of the last half second or so */
	double keep;                /* part of its requests that it is to send, 0..1 */
	uint32_t calm;              /* steps without a refusal */
	uint32_t told;              /* per cent to withhold */
	bool asks;
};

#endif
