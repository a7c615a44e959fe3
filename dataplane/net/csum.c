/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one loop of checksums: 32-bit words added into 64-bit lanes, so that no carry is lost and folding
 * happens once. rte_raw_cksum of the distribution is a scalar loop over 16-bit words; this one takes 64 bytes
 * a step where the processor has AVX2. Any thread.
 */
#include "dataplane/net/csum.h"

#include <string.h>

/* The last n < 64 bytes, and everything on processors without AVX2. */
static uint64_t sum_words(const uint8_t *p, uint32_t n, uint64_t sum)
{
	for (; n >= 8; p += 8, n -= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	if (n) {
		uint64_t w = 0;

		memcpy(&w, p, n);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	return sum;
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx2"))) static uint64_t sum_avx2(const uint8_t *p, uint32_t n)
{
	const __m256i low = _mm256_set1_epi64x(0xffffffff);
	__m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
	uint64_t lane[4];

	for (; n >= 64; p += 64, n -= 64) {
		__m256i x = _mm256_loadu_si256((const __m256i *)p);
		__m256i y = _mm256_loadu_si256((const __m256i *)(p + 32));

		a = _mm256_add_epi64(a, _mm256_and_si256(x, low));
		b = _mm256_add_epi64(b, _mm256_srli_epi64(x, 32));
		c = _mm256_add_epi64(c, _mm256_and_si256(y, low));
		d = _mm256_add_epi64(d, _mm256_srli_epi64(y, 32));
	}
	a = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
	_mm256_storeu_si256((__m256i *)lane, a);
	return sum_words(p, n, lane[0] + lane[1] + lane[2] + lane[3]);
}
#endif

uint64_t net_sum(const void *p, uint32_t n)
{
#ifdef __x86_64__
	if (n >= 64 && __builtin_cpu_supports("avx2"))
		return sum_avx2(p, n);
#endif
	return sum_words(p, n, 0);
}
