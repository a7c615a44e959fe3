/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one loop of checksums: 32-bit words added into 64-bit lanes, so that no carry is lost and folding
 * happens once. rte_raw_cksum of the distribution is a scalar loop over 16-bit words; this one takes 64 or
 * 128 bytes a step where the processor can. Any thread.
 */
#include "dataplane/net/csum.h"

#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "an odd last byte is the low one of its word");

uint64_t net_sum_plain(const void *bytes, uint32_t n)
{
	const uint8_t *p = bytes;
	uint64_t sum = 0;

	for (; n >= 8; p += 8, n -= 8) {
		uint64_t w;

		memcpy(&w, p, 8);
		sum += (w & 0xffffffff) + (w >> 32);
	}
	for (uint32_t shift = 0; n;
	     p++, n--, shift ^= 8) /* a word made of bytes would wait for their stores */
		sum += (uint64_t)*p << shift;
	return sum;
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx2"))) uint64_t net_sum_avx2(const void *bytes, uint32_t n)
{
	const uint8_t *p = bytes;
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
	return lane[0] + lane[1] + lane[2] + lane[3] + net_sum_plain(p, n);
}

__attribute__((target("avx512f,avx512bw"))) uint64_t net_sum_avx512(const void *bytes, uint32_t n)
{
	const __m512i low = _mm512_set1_epi64(0xffffffff);
	__m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
	const uint8_t *p = bytes;

	for (; n >= 128; p += 128, n -= 128) {
		__m512i x = _mm512_loadu_si512(p), y = _mm512_loadu_si512(p + 64);

		a = _mm512_add_epi64(a, _mm512_and_si512(x, low));
		b = _mm512_add_epi64(b, _mm512_srli_epi64(x, 32));
		c = _mm512_add_epi64(c, _mm512_and_si512(y, low));
		d = _mm512_add_epi64(d, _mm512_srli_epi64(y, 32));
	}
	while (n) {
		uint32_t step = n < 64 ? n : 64;
		__m512i x = _mm512_maskz_loadu_epi8(~(uint64_t)0 >> (64 - step), p);

		a = _mm512_add_epi64(a, _mm512_and_si512(x, low));
		b = _mm512_add_epi64(b, _mm512_srli_epi64(x, 32));
		p += step;
		n -= step;
	}
	a = _mm512_add_epi64(_mm512_add_epi64(a, b), _mm512_add_epi64(c, d));
	return (uint64_t)_mm512_reduce_add_epi64(a);
}
#endif

uint64_t net_sum(const void *p, uint32_t n)
{
#ifdef __x86_64__
	if (n < 64) /* headers just written: wide loads would wait for the stores */
		return net_sum_plain(p, n);
	if (__builtin_cpu_supports("avx512bw"))
		return net_sum_avx512(p, n);
	if (__builtin_cpu_supports("avx2"))
		return net_sum_avx2(p, n);
#endif
	return net_sum_plain(p, n);
}
