/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to the SIP room: character sets of RFC 3261 25.1 and the steps all decoders share. A step takes the
 * message, a position and the end of what may be looked at; it reads up to m->len to step 16 bytes at once.
 * CR and LF count as white space: past the scan they only occur where a row is folded.
 */
#ifndef WEIR_DATAPLANE_SIP_CHARS_H
#define WEIR_DATAPLANE_SIP_CHARS_H

#include "dataplane/sip/sip.h"

#include <tmmintrin.h>

/* A set of bytes: c is in it if a bit is set in both lo[c & 15] and hi[c >> 4]. */
struct sip_set {
	uint8_t lo[16];
	uint8_t hi[16];
};

extern const struct sip_set sip_token; /* token */
extern const struct sip_set sip_value; /* parameter value without quotes; lenient: no control, SP and ",;<> */
extern const struct sip_set sip_ip6;   /* inside [ ]: hex digits, ':', '.' */
extern const struct sip_set
	sip_plain; /* all but controls, SP and "<> (8-bit bytes pass): what a URI is made of */

static inline bool sip_in(const struct sip_set *set, char c)
{
	return (set->lo[c & 15] & set->hi[(uint8_t)c >> 4]) != 0;
}

/* First row of header id; NULL if there is none. */
static inline const struct sip_row *sip_row_first(const struct sip_msg *m, enum sip_hdr id)
{
	return m->first[id] == SIP_NO_ROW ? NULL : &m->row[m->first[id]];
}

static inline bool sip_is_ws(char c)
{
	return c == ' ' || ((uint8_t)c < ' ' && (1u << c & (1 << '\t' | 1 << '\r' | 1 << '\n')));
}

static inline bool sip_is_digit(char c)
{
	return (uint8_t)(c - '0') <= 9;
}

/* First position in [p, end) whose byte is not in the set; end if there is none. */
static inline uint32_t sip_skip(const struct sip_msg *m, uint32_t p, uint32_t end, const struct sip_set *set)
{
	const __m128i lo = _mm_loadu_si128((const void *)set->lo),
		      hi = _mm_loadu_si128((const void *)set->hi);
	const __m128i low4 = _mm_set1_epi8(15), zero = _mm_setzero_si128();

	for (; p < end; p += 16) {
		__m128i x, in;
		uint32_t out;

		if (p + 16 > m->len) {
			while (p < end && sip_in(set, m->base[p]))
				p++;
			return p;
		}
		x = _mm_loadu_si128((const void *)(m->base + p));
		in = _mm_and_si128(_mm_shuffle_epi8(lo, _mm_and_si128(x, low4)),
				   _mm_shuffle_epi8(hi, _mm_and_si128(_mm_srli_epi16(x, 4), low4)));
		out = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(in, zero));
		if (out) {
			p += (uint32_t)__builtin_ctz(out);
			return p < end ? p : end;
		}
	}
	return end;
}

/* First position in [p, end) whose byte is c or d; end if there is none. */
static inline uint32_t sip_find(const struct sip_msg *m, uint32_t p, uint32_t end, char c, char d)
{
	const __m128i want_c = _mm_set1_epi8(c), want_d = _mm_set1_epi8(d);

	for (; p < end; p += 16) {
		__m128i x;
		uint32_t hit;

		if (p + 16 > m->len) {
			while (p < end && m->base[p] != c && m->base[p] != d)
				p++;
			return p;
		}
		x = _mm_loadu_si128((const void *)(m->base + p));
		hit = (uint32_t)_mm_movemask_epi8(
			_mm_or_si128(_mm_cmpeq_epi8(x, want_c), _mm_cmpeq_epi8(x, want_d)));
		if (hit) {
			p += (uint32_t)__builtin_ctz(hit);
			return p < end ? p : end;
		}
	}
	return end;
}

/*
 * Where tokens end in 64 bytes. Steps from token to token through one window cost a shift each, where a
 * vector search a step would wait for the one before it. One window serves steps that have the same end.
 */
struct sip_window {
	uint32_t at;    /* offset of bit 0; empty while it is beyond any message */
	uint64_t stops; /* bit i: byte at + i is no token character, or is behind the last one to look at */
};

#define SIP_WINDOW ((struct sip_window){ .at = UINT32_MAX / 2 })

/* Bit i: byte i of the 32 at p is no token character. */
static inline uint32_t sip_stops(const char *p)
{
	const __m128i lo = _mm_loadu_si128((const void *)sip_token.lo),
		      hi = _mm_loadu_si128((const void *)sip_token.hi);
	const __m128i low4 = _mm_set1_epi8(15), zero = _mm_setzero_si128();
	uint32_t stops = 0;

	for (uint32_t i = 0; i < 32; i += 16) {
		__m128i x = _mm_loadu_si128((const void *)(p + i));
		/* of a byte from 0x80 on, which is in no token, the shuffle makes 0 */
		__m128i in = _mm_and_si128(_mm_shuffle_epi8(lo, x),
					   _mm_shuffle_epi8(hi, _mm_and_si128(_mm_srli_epi16(x, 4), low4)));

		stops |= (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(in, zero)) << i;
	}
	return stops;
}

/* The stops of a window at p. */
uint64_t sip_window_stops(const struct sip_msg *m, uint32_t p, uint32_t end);

/* First position in [p, end) that is no token character; end if there is none. */
static inline uint32_t sip_token_end(const struct sip_msg *m, struct sip_window *w, uint32_t p, uint32_t end)
{
	uint64_t stops;

	for (;; p = w->at + 64) {
		if (p - w->at >= 64) {
			w->at = p;
			w->stops = sip_window_stops(m, p, end);
		}
		stops = w->stops >> (p - w->at);
		if (stops)
			return p + (uint32_t)__builtin_ctzll(stops);
	}
}

/* First position in [p, end) that cannot be in a parameter value without quotes; end if there is none. */
static inline uint32_t sip_value_end(const struct sip_msg *m, struct sip_window *w, uint32_t p, uint32_t end)
{
	while ((p = sip_token_end(m, w, p, end)) < end && m->base[p] != ';' && sip_in(&sip_value, m->base[p]))
		p++;
	return p;
}

static inline uint32_t sip_skip_ws(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	while (p < end && sip_is_ws(m->base[p]))
		p++;
	return p;
}

static inline uint32_t sip_skip_digits(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	while (p < end && sip_is_digit(m->base[p]))
		p++;
	return p;
}

/* sip_digits() for any number of them, byte by byte. */
static inline uint32_t sip_digits_slow(const struct sip_msg *m, uint32_t p, uint32_t end, uint32_t *value)
{
	uint32_t stop = end - p > 18 ? p + 18 : end; /* so many cannot overflow v */
	uint64_t v = 0;

	for (; p < stop && sip_is_digit(m->base[p]); p++)
		v = v * 10 + (uint64_t)(m->base[p] - '0');
	for (; p < end && p >= stop && sip_is_digit(m->base[p]); p++)
		v = v > UINT32_MAX ? v : v * 10 + (uint64_t)(m->base[p] - '0');
	*value = v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
	return p;
}

/*
 * Decimal digits from p on; *value saturates at UINT32_MAX. Returns the position behind them. Up to seven
 * digits are found and added up side by side in one word.
 */
static inline uint32_t sip_digits(const struct sip_msg *m, uint32_t p, uint32_t end, uint32_t *value)
{
	uint64_t v, stops;
	uint32_t bit, past;

	if (p + 8 > m->len)
		return sip_digits_slow(m, p, end, value);
	memcpy(&v, m->base + p, 8);
	v ^= 0x3030303030303030;
	stops = ((v + 0x7676767676767676) | v) & 0x8080808080808080; /* 10 or more; right up to the first */
	bit = stops ? (uint32_t)__builtin_ctzll(stops) : 64;
	past = p + bit / 8;
	if (!stops || past > end)
		return sip_digits_slow(m, p, end, value);
	v = v << 8 << (bit ^ 63); /* what is behind the digits falls off */
	v = v * (10 << 8 | 1) >> 8 & 0x00ff00ff00ff00ff;
	v = v * (100 << 16 | 1) >> 16 & 0x0000ffff0000ffff;
	*value = (uint32_t)(v * (10000ull << 32 | 1) >> 32);
	return past;
}

static inline struct sip_span sip_span(uint32_t from, uint32_t to)
{
	/* one store, so that a later load of both members need not wait */
	uint32_t both = from | (to - from) << 16;
	struct sip_span span;

	memcpy(&span, &both, sizeof(span));
	return span;
}

/* [p, end) without the white space at both ends. */
static inline struct sip_span sip_trim(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	p = sip_skip_ws(m, p, end);
	while (end > p && sip_is_ws(m->base[end - 1]))
		end--;
	return sip_span(p, end);
}

/* ASCII case-insensitive comparison of n bytes with lower-case letters, digits, '-', '/', '.' and ' '. */
static inline bool sip_same(const char *p, const char *lower, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)p[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)lower[i])
			return false;
	}
	return true;
}

/*
 * The bytes [p, end), up to 8, as a number with bit 0x20 set in each: two words of letters are the same in
 * any case exactly if their numbers are. 0 if there are none or more.
 */
static inline uint64_t sip_word(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	uint64_t word = 0;

	if (end - p - 1 >= 8)
		return 0;
	if (p + 8 <= m->len)
		memcpy(&word, m->base + p, 8);
	else
		memcpy(&word, m->base + p, end - p);
	return (word | 0x2020202020202020ull) << (8 * (p - end) & 63);
}

/* sip_word of a literal of 2 to 8 lower-case letters; a constant to the compiler. */
#define SIP_WORD(s)                                                                                          \
	((SIP_LETTER(s, 0) | SIP_LETTER(s, 1) | SIP_LETTER(s, 2) | SIP_LETTER(s, 3) | SIP_LETTER(s, 4) |     \
	  SIP_LETTER(s, 5) | SIP_LETTER(s, 6) | SIP_LETTER(s, 7))                                            \
	 << (72 - 8 * sizeof(s)))
#define SIP_LETTER(s, i) ((uint64_t)(sizeof(s) > (i) + 1 ? (s)[sizeof(s) > (i) + 1 ? (i) : 0] : 0) << 8 * (i))

/*
 * A quoted string begins at p. Returns the position after its closing quote, 0 if there is none.
 * A backslash takes the next byte along, whatever it is (RFC 3261 25.1 quoted-pair).
 */
static inline uint32_t sip_quoted_end(const struct sip_msg *m, uint32_t p, uint32_t end)
{
	for (p++; (p = sip_find(m, p, end, '"', '\\')) < end; p += 2)
		if (m->base[p] == '"')
			return p + 1;
	return 0;
}

/* One ";name[=value]" (RFC 3261 25.1 generic-param), as positions. */
struct sip_param {
	uint32_t from; /* the ';' */
	uint32_t name;
	uint32_t name_end;
	uint32_t value; /* with its quotes, if quoted; 0 = no '=' */
	uint32_t end;   /* of the value, or of the name where there is none */
};

static inline struct sip_span sip_param_name(const struct sip_param *param)
{
	return sip_span(param->name, param->name_end);
}

/* Absent (off 0) without a '='. */
static inline struct sip_span sip_param_value(const struct sip_param *param)
{
	return param->value ? sip_span(param->value, param->end) : (struct sip_span){ 0 };
}

static inline bool sip_is_at(const struct sip_msg *m, uint32_t p, uint32_t end, char c)
{
	return p < end && m->base[p] == c;
}

/* Where the value at *p ends, which is moved past white space before it. 0: it is quoted, and does not. */
static inline uint32_t sip_param_end(const struct sip_msg *m, struct sip_window *w, uint32_t *p, uint32_t end)
{
	uint32_t past = sip_value_end(m, w, *p, end);

	if (past > *p)
		return past;
	*p = sip_skip_ws(m, *p, end);
	return sip_is_at(m, *p, end, '"') ? sip_quoted_end(m, *p, end) : sip_value_end(m, w, *p, end);
}

/*
 * Next parameter at *p, which is moved past it and the white space behind. SIP_NEXT_END: *p is end.
 * SIP_NEXT_BAD: anything that is no parameter. Empty parameters (";;") are BAD if strict, else skipped.
 * White space is looked for only where something else was expected.
 */
static inline enum sip_next sip_param_next(const struct sip_msg *m, struct sip_window *w, uint32_t *pos,
					   uint32_t end, bool strict, struct sip_param *param)
{
	uint32_t p = *pos, past;

	do {
		if (!sip_is_at(m, p, end, ';')) {
			p = sip_skip_ws(m, p, end);
			if (p == end) {
				*pos = p;
				return SIP_NEXT_END;
			}
			if (m->base[p] != ';')
				return SIP_NEXT_BAD;
		}
		param->from = p;
		param->name = p + 1;
		p = sip_token_end(m, w, param->name, end);
		if (p == param->name) {
			param->name = sip_skip_ws(m, param->name, end);
			p = sip_token_end(m, w, param->name, end);
		}
		if (p == param->name && strict)
			return SIP_NEXT_BAD;
	} while (p == param->name);
	param->name_end = p;
	param->value = 0;
	past = sip_is_at(m, p, end, '=') ? p : sip_skip_ws(m, p, end);
	if (sip_is_at(m, past, end, '=')) {
		param->value = past + 1;
		p = sip_param_end(m, w, &param->value, end);
		if (!p)
			return SIP_NEXT_BAD;
	}
	param->end = p;
	*pos = p;
	return SIP_NEXT_VALUE;
}

/*
 * Host and optional port at *p, which is moved past them: "name", "192.0.2.1", "[2001:db8::1]", each with
 * ":5060". port is 0 if not given. ws: white space may surround the colon (Via, not in URIs). A name is taken
 * to be any token. False: empty or malformed host, or a port that is no number in 1..65535.
 */
static inline bool sip_hostport(const struct sip_msg *m, struct sip_window *w, uint32_t *pos, uint32_t end,
				bool ws, struct sip_span *host, uint16_t *port)
{
	uint32_t p = *pos, past, value;

	*port = 0;
	if (p < end && m->base[p] == '[') {
		past = sip_skip(m, p + 1, end, &sip_ip6);
		if (past == end || m->base[past] != ']')
			return false;
		*host = sip_span(p + 1, past);
		p = past + 1;
	} else {
		past = sip_token_end(m, w, p, end);
		*host = sip_span(p, past);
		p = past;
	}
	if (host->len == 0)
		return false;
	past = ws && !sip_is_at(m, p, end, ':') ? sip_skip_ws(m, p, end) : p;
	if (sip_is_at(m, past, end, ':')) {
		p = sip_digits(m, past + 1, end, &value);
		if (ws && p == past + 1)
			p = sip_digits(m, sip_skip_ws(m, p, end), end, &value);
		if (value == 0 || value > UINT16_MAX)
			return false;
		*port = (uint16_t)value;
	}
	*pos = p;
	return true;
}

/* s without the brackets of an IPv6 reference, if it has them. */
static inline struct sip_span sip_unbracket(const char *b, struct sip_span s)
{
	if (s.len >= 2 && b[s.off] == '[' && b[s.off + s.len - 1] == ']')
		return (struct sip_span){ (uint16_t)(s.off + 1), (uint16_t)(s.len - 2) };
	return s;
}

#endif
