/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Eight base32 characters per step: the 40 bits of a group are spread to eight bytes (or gathered) by three
 * shifts, and all eight bytes are translated at once, carry-free, inside one 64-bit word. Any thread.
 */
#include "lb/base32.h"

#define EACH(byte) ((byte)*UINT64_C(0x0101010101010101))
#define HIGH       EACH(0x80)

/* 0x01 in each byte of x that is >= lo. Bytes of x must be < 128. */
static inline uint64_t at_least(uint64_t x, uint8_t lo)
{
	return (x + EACH(0x80u - lo)) >> 7 & EACH(1);
}

static inline uint64_t spread(uint64_t v)
{
	v = (v & 0xfffff00000) << 12 | (v & 0xfffff);
	v = (v & 0x000ffc00000ffc00) << 6 | (v & 0x000003ff000003ff);
	return (v & 0x03e003e003e003e0) << 3 | (v & 0x001f001f001f001f);
}

static inline uint64_t gather(uint64_t v)
{
	v = (v & 0x1f001f001f001f00) >> 3 | (v & 0x001f001f001f001f);
	v = (v & 0x03ff000003ff0000) >> 6 | (v & 0x000003ff000003ff);
	return (v & 0x000fffff00000000) >> 12 | (v & 0x00000000000fffff);
}

/* 0..25 -> 'a'..'z', 26..31 -> '2'..'7'. */
static inline uint64_t to_text(uint64_t v)
{
	return v + EACH('a') - at_least(v, 26) * ('a' - '2' + 26);
}

/* The reverse; sets bits of *bad where a byte is no letter and no digit 2..7. */
static inline uint64_t from_text(uint64_t text, uint64_t *bad)
{
	uint64_t t = text & ~HIGH, folded = t | EACH(0x20);
	uint64_t letter = at_least(t, 'A') & (at_least(folded, 'a') ^ at_least(folded, 'z' + 1));
	uint64_t digit = at_least(t, '2') ^ at_least(t, '7' + 1);

	*bad |= (text & HIGH) | (EACH(1) ^ (letter | digit));
	return (letter * 0xff & (folded - letter * 'a')) | (digit * 0xff & (t - digit * ('2' - 26)));
}

unsigned base32_write(char *out, const uint64_t *group, unsigned bits)
{
	for (unsigned i = 0; i < BASE32_GROUPS(bits); i++) {
		uint64_t t = __builtin_bswap64(to_text(spread(group[i])));

		memcpy(out + 8 * i, &t, 8);
	}
	return BASE32_CHARS(bits);
}

/* The last n = 1..7 characters of a text, then as many 'a' as fill the eight. */
static inline uint64_t last_chars(struct str text, unsigned n)
{
	uint64_t t = EACH((uint64_t)'a');

	if (text.n < 8) {
		memcpy(&t, text.p, n);
		return t;
	}
	memcpy(&t, text.p + text.n - 8, 8);
	return t >> 8 * (8 - n) | EACH((uint64_t)'a') << 8 * n;
}

bool base32_read(uint64_t *group, unsigned bits, struct str text)
{
	unsigned n = BASE32_GROUPS(bits);
	uint64_t bad = 0;

	if (text.n != BASE32_CHARS(bits))
		return false;
	for (unsigned i = 0; i < n; i++) {
		uint64_t t;

		if (text.n - 8 * i >= 8)
			memcpy(&t, text.p + 8 * i, 8);
		else
			t = last_chars(text, text.n - 8 * i);
		group[i] = gather(__builtin_bswap64(from_text(t, &bad)));
	}
	return (bad | (group[n - 1] & (BASE32_GROUP >> (bits - 40 * (n - 1))))) == 0;
}
