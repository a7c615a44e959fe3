/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to the SIP room: the one primitive of the scan, 64 bytes -> bit masks, in three variants
 * with the same result.
 */
#ifndef WEIR_DATAPLANE_SIP_SIMD_H
#define WEIR_DATAPLANE_SIP_SIMD_H

#include "dataplane/sip/sip.h"

/* One block of 64 bytes: bit i is set where byte i is ... */
struct sip_masks {
	uint64_t lf;  /* LF */
	uint64_t cr;  /* CR */
	uint64_t nul; /* NUL */
};

/* Fill out[0..blocks) from 64 * blocks bytes at p (any alignment). Reads nothing else. */
typedef void sip_masks_h(const char *p, uint32_t blocks, struct sip_masks *out);

extern sip_masks_h *const sip_masks[SIP_SIMD_COUNT];

#endif
