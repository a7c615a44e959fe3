/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sixteen base32 characters a step: two groups lie side by side in a vector, and the 40 bits of each are
 * split in half three times until each five have a byte of their own (or joined three times), all in
 * parallel. The vectors are the compiler's own, so that no instruction set is named here. Any thread.
 */
#include "lb/base/base32.h"

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef int8_t signed16 __attribute__((vector_size(16)));
typedef uint16_t fields10 __attribute__((vector_size(16))); /* 8 of 10 bits, the more significant first */
typedef uint32_t fields20 __attribute__((vector_size(16)));
typedef uint64_t groups2 __attribute__((vector_size(16)));

#define ALL_A UINT64_C(0x6161616161616161) /* characters that stand for zero */

static inline bytes16 split(groups2 g)
{
	fields20 h = (fields20)(g >> 20 | (g & 0xfffff) << 32);
	fields10 f = (fields10)(h >> 10 | (h & 0x3ff) << 16);

	return (bytes16)(f >> 5 | (f & 0x1f) << 8);
}

static inline groups2 join(bytes16 v)
{
	fields10 f = (fields10)v;
	fields20 h = (fields20)((f << 5 & 0x3e0) | f >> 8);
	groups2 g = (groups2)((h << 10 & 0xffc00) | h >> 16);

	return (g << 20 & 0xfffff00000) | g >> 32;
}

/* 0..25 -> 'a'..'z', 26..31 -> '2'..'7'. */
static inline bytes16 to_text(bytes16 v)
{
	return v + 'a' - ((bytes16)((signed16)v > 25) & ('a' - '2' + 26));
}

/* The reverse; sets bits of *bad where a byte is no letter and no digit 2..7. */
static inline bytes16 from_text(bytes16 text, bytes16 *bad)
{
	bytes16 letter = (text | 0x20) - 'a', digit = text - '2';
	bytes16 is_letter = (bytes16)(letter < 26), is_digit = (bytes16)(digit < 6);

	*bad |= ~(is_letter | is_digit);
	return (letter & is_letter) | ((digit + 26) & is_digit);
}

unsigned base32_write(char *out, const uint64_t *group, unsigned bits)
{
	for (unsigned i = 0; i < BASE32_GROUPS(bits); i += 2) {
		bytes16 text = to_text(split((groups2){ group[i], group[i + 1] }));

		memcpy(out + 8 * i, &text, 16);
	}
	return BASE32_CHARS(bits);
}

/* Characters from `from` on, at most eight of them; those behind the end of the text stand for zero. */
static inline uint64_t eight(struct str text, unsigned from)
{
	uint64_t t = ALL_A;
	unsigned past;

	if (text.n <= from)
		return t;
	if (text.n < 8) {
		memcpy(&t, text.p, text.n);
		return t;
	}
	past = text.n < from + 8 ? from + 8 - text.n : 0;
	memcpy(&t, text.p + from - past, 8);
	return past ? t >> 8 * past | ALL_A << 8 * (8 - past) : t;
}

bool base32_read(uint64_t *group, unsigned bits, struct str text)
{
	bytes16 bad = { 0 };
	groups2 none;

	if (text.n != BASE32_CHARS(bits))
		return false;
	for (unsigned i = 0; i < BASE32_GROUPS(bits); i += 2) {
		bytes16 t = (bytes16)(groups2){ eight(text, 8 * i), eight(text, 8 * i + 8) };
		groups2 g = join(from_text(t, &bad));

		memcpy(group + i, &g, 16);
	}
	none = (groups2)bad;
	return (none[0] | none[1] | (group[(bits - 1) / 40] & (BASE32_GROUP >> (1 + (bits - 1) % 40)))) == 0;
}
