/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet checksum (RFC 1071) over bytes. Sums are taken in the machine's byte order, as the RFC allows
 * (section 2 B), and stored back in the same order, so no byte is ever swapped.
 */
#ifndef WEIR_DATAPLANE_NET_CSUM_H
#define WEIR_DATAPLANE_NET_CSUM_H

#include <stdint.h>

/* Unfolded sum of n bytes at p, any alignment; an odd last byte is padded with zero. Pure, any thread. */
uint64_t net_sum(const void *p, uint32_t n);

/* The ways net_sum() chooses from by the processor, all with the same result after folding. */
uint64_t net_sum_plain(const void *bytes, uint32_t n);
#ifdef __x86_64__
uint64_t net_sum_avx2(const void *bytes, uint32_t n);
uint64_t net_sum_avx512(const void *bytes, uint32_t n);
#endif

/* Fold a sum to 16 bits, not complemented. */
static inline uint16_t net_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

#endif
