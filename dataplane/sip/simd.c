/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * 64 bytes -> bit masks, in plain C, AVX2 and AVX-512, and which of them this processor runs.
 * Everything above this file is common to all variants, so they cannot differ in what they accept.
 */
#include "dataplane/sip/simd.h"

#include <immintrin.h>

#define ONES 0x0101010101010101ull
#define LOW7 0x7f7f7f7f7f7f7f7full

/* 8 bytes of x -> 8 bits: bit i is set where byte i is zero. Exact: no carry crosses a byte. */
static inline uint64_t zero_bytes(uint64_t x)
{
	uint64_t high = ~(((x & LOW7) + LOW7) | x | LOW7);

	return ((high >> 7) * 0x0102040810204080ull) >> 56;
}

static void masks_plain(const char *p, uint32_t blocks, struct sip_masks *out)
{
	for (uint32_t i = 0; i < blocks; i++, p += 64) {
		struct sip_masks m = { 0 };

		for (uint32_t k = 0; k < 8; k++) {
			uint64_t x;

			memcpy(&x, p + 8 * k, 8);
			m.lf |= zero_bytes(x ^ ('\n' * ONES)) << (8 * k);
			m.cr |= zero_bytes(x ^ ('\r' * ONES)) << (8 * k);
			m.nul |= zero_bytes(x) << (8 * k);
		}
		out[i] = m;
	}
}

__attribute__((target("avx2"))) static inline uint64_t equal_avx2(__m256i lo, __m256i hi, char c)
{
	__m256i want = _mm256_set1_epi8(c);
	uint32_t a = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(lo, want));
	uint32_t b = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(hi, want));

	return a | (uint64_t)b << 32;
}

__attribute__((target("avx2"))) static void masks_avx2(const char *p, uint32_t blocks, struct sip_masks *out)
{
	for (uint32_t i = 0; i < blocks; i++, p += 64) {
		__m256i lo = _mm256_loadu_si256((const void *)p);
		__m256i hi = _mm256_loadu_si256((const void *)(p + 32));

		out[i].lf = equal_avx2(lo, hi, '\n');
		out[i].cr = equal_avx2(lo, hi, '\r');
		out[i].nul = equal_avx2(lo, hi, '\0');
	}
}

__attribute__((target("avx512f,avx512bw"))) static void masks_avx512(const char *p, uint32_t blocks,
								     struct sip_masks *out)
{
	for (uint32_t i = 0; i < blocks; i++, p += 64) {
		__m512i x = _mm512_loadu_si512(p);

		out[i].lf = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8('\n'));
		out[i].cr = _mm512_cmpeq_epi8_mask(x, _mm512_set1_epi8('\r'));
		out[i].nul = _mm512_testn_epi8_mask(x, x);
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
