/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 64 bytes -> bit masks, in plain C, AVX2 and AVX-512, and which of them this processor runs.
 * Everything above this file is common to all variants, so they cannot differ in what they accept.
 */
#include "dataplane/sip/simd.h"

#include <immintrin.h>

#define ONES 0x0101010101010101ull
#define LOW7 0x7f7f7f7f7f7f7f7full

/* High bit of each byte of x -> 8 bits: bit i from byte i. */
static inline uint64_t high_bits(uint64_t x)
{
	return (((x >> 7) & ONES) * 0x0102040810204080ull) >> 56;
}

/* Bytes of x that equal c. Exact: no carry crosses a byte. */
static inline uint64_t equal_plain(uint64_t x, char c)
{
	x ^= (uint8_t)c * ONES;
	return high_bits(~(((x & LOW7) + LOW7) | x));
}

/* Bytes of x that are at most max, max < 0x7f. */
static inline uint64_t at_most_plain(uint64_t x, uint8_t max)
{
	return high_bits(~(((x & LOW7) + (0x7full - max) * ONES) | x));
}

static void masks_plain(const char *p, uint32_t from, uint32_t to, struct sip_masks *out)
{
	for (uint32_t i = from; i < to; i++, p += 64) {
		uint64_t lf = 0, low = 0, colon = 0;

		for (uint32_t k = 0; k < 8; k++) {
			uint64_t x;

			memcpy(&x, p + 8 * k, 8);
			lf |= equal_plain(x, '\n') << (8 * k);
			low |= at_most_plain(x, '\r') << (8 * k);
			colon |= equal_plain(x, ':') << (8 * k);
		}
		out->lf[i] = lf;
		out->low[i] = low;
		out->colon[i] = colon;
	}
}

__attribute__((target("avx2"))) static inline uint64_t bits_avx2(__m256i lo, __m256i hi)
{
	return (uint32_t)_mm256_movemask_epi8(lo) | (uint64_t)(uint32_t)_mm256_movemask_epi8(hi) << 32;
}

__attribute__((target("avx2"))) static void masks_avx2(const char *p, uint32_t from, uint32_t to,
						       struct sip_masks *out)
{
	const __m256i lf = _mm256_set1_epi8('\n'), cr = _mm256_set1_epi8('\r'), colon = _mm256_set1_epi8(':');

	for (uint32_t i = from; i < to; i++, p += 64) {
		__m256i a = _mm256_loadu_si256((const void *)p);
		__m256i b = _mm256_loadu_si256((const void *)(p + 32));

		out->lf[i] = bits_avx2(_mm256_cmpeq_epi8(a, lf), _mm256_cmpeq_epi8(b, lf));
		out->low[i] = bits_avx2(_mm256_cmpeq_epi8(_mm256_min_epu8(a, cr), a),
					_mm256_cmpeq_epi8(_mm256_min_epu8(b, cr), b));
		out->colon[i] = bits_avx2(_mm256_cmpeq_epi8(a, colon), _mm256_cmpeq_epi8(b, colon));
	}
}

__attribute__((target("avx512f,avx512bw"))) static void masks_avx512(const char *p, uint32_t from,
								     uint32_t to, struct sip_masks *out)
{
	for (uint32_t i = from; i < to; i++, p += 64) {
		__m512i x = _mm512_loadu_si512(p);

		out->lf[i] = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8('\n'));
		out->low[i] = _mm512_cmple_epu8_mask(x, _mm512_set1_epi8('\r'));
		out->colon[i] = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8(':'));
	}
}

sip_masks_h *const sip_masks[SIP_SIMD_COUNT] = {
	[SIP_PLAIN] = masks_plain,
	[SIP_AVX2] = masks_avx2,
	[SIP_AVX512] = masks_avx512,
};

bool sip_simd_usable(enum sip_simd simd)
{
	switch (simd) {
	case SIP_PLAIN:
		return true;
	case SIP_AVX2:
		return __builtin_cpu_supports("avx2");
	case SIP_AVX512:
		return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
	default:
		return false;
	}
}

enum sip_simd sip_simd_best(void)
{
	if (sip_simd_usable(SIP_AVX512))
		return SIP_AVX512;
	return sip_simd_usable(SIP_AVX2) ? SIP_AVX2 : SIP_PLAIN;
}

const char *sip_simd_name(enum sip_simd simd)
{
	static const char *const name[SIP_SIMD_COUNT] = { "plain", "avx2", "avx512" };

	return name[simd];
}
