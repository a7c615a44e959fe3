/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Base32 (RFC 4648 alphabet in lower case, no padding) for what travels inside SIP tokens, which hosts may
 * re-case. Bits come in groups of 40, each in the low end of a 64-bit word: eight characters, most
 * significant first; groups come in pairs. Reading accepts both cases and nothing else: every text has one
 * meaning, and every meaning one text but for case.
 */
#ifndef WEIR_LB_BASE32_H
#define WEIR_LB_BASE32_H

#include <stdint.h>
#include "conf/types.h"

#define BASE32_CHARS(bits)  (((bits) + 4) / 5)
#define BASE32_GROUPS(bits) (((bits) + 79) / 80 * 2)
#define BASE32_ROOM(bits)   (BASE32_GROUPS(bits) * 8) /* characters that are written */
#define BASE32_GROUP        0xffffffffffu             /* bits of a group */

/*
 * Writes BASE32_CHARS(bits) characters and returns their number. The bits past the last one in the last group
 * must be zero; out must have BASE32_ROOM(bits). Any thread.
 */
unsigned base32_write(char *out, const uint64_t *group, unsigned bits);

/*
 * Reads a text of exactly BASE32_CHARS(bits) characters into BASE32_GROUPS(bits) groups. Returns false if
 * the length is another, a character is foreign or an unused bit is set. Any thread.
 */
bool base32_read(uint64_t *group, unsigned bits, struct str text);

#endif
