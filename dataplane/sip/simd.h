/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to the SIP room: the one primitive of the scan, 64 bytes -> bit masks, in three variants
 * with the same result.
 */
#ifndef WEIR_DATAPLANE_SIP_SIMD_H
#define WEIR_DATAPLANE_SIP_SIMD_H

#include "dataplane/sip/sip.h"

#define SIP_MASKS 8u /* blocks of 64 bytes that have their masks side by side */

/* Bit i of word k is set where byte 64 * k + i is ... */
struct sip_masks {
	uint64_t lf[SIP_MASKS];        /* LF */
	uint64_t low[SIP_MASKS];       /* 0x00..0x0d: CR, LF, NUL, and what a clean header part has not */
	uint64_t colon[SIP_MASKS + 1]; /* ':'; one word more, so that 8 bytes can be read at any byte */
};

/* Fill words [from, to) of out from 64 * (to - from) bytes at p (any alignment). Reads nothing else. */
typedef void sip_masks_h(const char *p, uint32_t from, uint32_t to, struct sip_masks *out);

extern sip_masks_h *const sip_masks[SIP_SIMD_COUNT];

#endif
