/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Base32 (RFC 4648 alphabet in lower case, no padding) for what travels inside SIP tokens, which hosts may
 * re-case. 40 bits at a time in one register. Reading accepts both cases and nothing else: every text has
 * one meaning, and every meaning one text but for case.
 */
#ifndef WEIR_LB_BASE32_H
#define WEIR_LB_BASE32_H

#include <stdint.h>
#include "conf/types.h"

#define BASE32_CHARS(bytes) (((bytes)*8 + 4) / 5)
#define BASE32_GROUP        5                       /* bytes that make eight characters */
#define BASE32_ROUND(bytes) (((bytes) + 4) / 5 * 5) /* bytes of whole groups */

/*
 * Writes BASE32_CHARS(n) characters for the n bytes of `in`. `in` must be readable to the end of its last
 * group and zero past n; `out` must have room for whole groups of eight. Returns the characters. Any thread.
 */
unsigned base32_write(char *out, const uint8_t *in, unsigned n);

/*
 * Reads a text that must be exactly BASE32_CHARS(n) characters into the n bytes of `out`, which must have
 * room for whole groups. Returns false if a character is foreign or an unused bit is set. Any thread.
 */
bool base32_read(uint8_t *out, unsigned n, struct str text);

#endif
