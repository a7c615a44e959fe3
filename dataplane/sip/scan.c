/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One pass over the header bytes: bit masks of line ends from the vector primitive, a row per line, the row's
 * header by a table. Runs on the worker that received the datagram; reads nothing past it.
 * Must stay true: the verdict does not depend on the variant, nor on how bytes fall into blocks.
 */
#include "dataplane/sip/chars.h"
#include "dataplane/sip/simd.h"
#include "dataplane/sip/start.h"

#include <stddef.h>
#include <emmintrin.h>

#define BLOCK 64u
#define CHUNK SIP_MASKS
#define WIDE  16u /* bytes of a name that are compared at once */
#define NAME  17u /* longest name of headers.def; at most WIDE + 1 */
#define CASE  0x2020202020202020ull

/* Entries SIP_HDR_COUNT + id are the compact forms. */
static const char names[2 * SIP_HDR_COUNT][NAME] = {
#define HEADER(name, text, first, last) [SIP_HDR_##name] = text,
#define COMPACT(name, letter)           [SIP_HDR_COUNT + SIP_HDR_##name] = { letter },
#include "dataplane/sip/headers.def"
#undef HEADER
#undef COMPACT
};

/* The only entry of names[] with this length and last letter; 0 = none. */
static const uint8_t candidate[NAME + 1][32] = {
#define HEADER(name, text, first, last) [sizeof(text) - 1][(last)&31] = SIP_HDR_##name,
#define COMPACT(name, letter)           [1][(letter)&31] = SIP_HDR_COUNT + SIP_HDR_##name,
#include "dataplane/sip/headers.def"
#undef HEADER
#undef COMPACT
};

/* Bit (c & 31) is set if a name in names[] begins with letter c. */
static const uint32_t initials = 0
#define HEADER(name, text, first, last) | 1u << ((first)&31)
#define COMPACT(name, letter)           | 1u << ((letter)&31)
#include "dataplane/sip/headers.def"
#undef HEADER
#undef COMPACT
	;

/* Masks of up to CHUNK blocks, and what they were made from. */
struct chunk {
	uint32_t at;     /* offset of the first block */
	uint32_t blocks; /* filled */
	struct sip_masks masks;
};

enum end {
	END_DATAGRAM, /* no blank line */
	END_BLANK,    /* m->body is set */
	END_STOP      /* garbage, or a bound was hit */
};

static inline void blame(struct sip_msg *m, enum sip_fault fault)
{
	if (!m->fault)
		m->fault = (uint8_t)fault;
}

/* Offset of the first ':' of the line [start, end), which has one. */
static inline uint32_t find_colon(const char *b, const struct chunk *chunk, uint32_t start, uint32_t end)
{
	if (start >= chunk->at) {
		uint32_t bit = start - chunk->at;
		uint64_t colons;

		memcpy(&colons, (const char *)chunk->masks.colon + bit / 8, sizeof(colons));
		colons >>= bit % 8;
		if (colons)
			return start + (uint32_t)__builtin_ctzll(colons);
	}
	return (uint32_t)((const char *)memchr(b + start, ':', end - start) - b);
}

/*
 * Header of the name of n bytes at p; avail: bytes that may be read at p. Bit 0x20 folds case; it also makes
 * CR a '-', but a name with a CR in it is SIP_FAULT_BARE_NEWLINE.
 */
static inline unsigned header_id(const char *p, uint32_t n, uint32_t avail)
{
	static const uint8_t keep[2 * WIDE] = { [0 ... WIDE - 1] = 0xff };
	unsigned i = n <= NAME ? candidate[n][p[n - 1] & 31] : 0;
	char copy[WIDE] = { 0 };
	__m128i have;

	if (!i)
		return SIP_HDR_OTHER;
	if (n > WIDE) {
		if ((p[WIDE] | 0x20) != names[i][WIDE])
			return SIP_HDR_OTHER;
		n = WIDE;
	}
	if (avail < WIDE)
		p = memcpy(copy, p, avail);
	have = _mm_or_si128(_mm_loadu_si128((const void *)p), _mm_set1_epi8(0x20));
	have = _mm_and_si128(have, _mm_loadu_si128((const void *)(keep + WIDE - n)));
	have = _mm_cmpeq_epi8(have, _mm_loadu_si128((const void *)names[i]));
	if (_mm_movemask_epi8(have) != 0xffff)
		return SIP_HDR_OTHER;
	return i < SIP_HDR_COUNT ? i : i - SIP_HDR_COUNT;
}

/* Add a row of header id. Returns its index, -1 if there is no room. */
static inline int record(struct sip_msg *m, unsigned id, uint32_t start, uint32_t colon, uint32_t end)
{
	uint8_t at = m->n_rows;

	if (at == LIMIT_ROWS) {
		blame(m, SIP_FAULT_TOO_MANY_HEADERS);
		return -1;
	}
	m->row[at] = (struct sip_row){
		.off = (uint16_t)start,
		.value = (uint16_t)(colon + 1),
		.end = (uint16_t)end,
		.id = (uint8_t)id,
		.next = SIP_NO_ROW,
	};
	if (m->first[id] == SIP_NO_ROW)
		m->first[id] = at;
	else
		m->row[m->last[id]].next = at;
	m->last[id] = at;
	m->count[id]++;
	m->n_rows = (uint8_t)(at + 1);
	return at;
}

/* SP and HT at the end of a name whose first byte is neither. */
static uint32_t trailing_space(const char *p, uint32_t n)
{
	uint32_t k = 0;

	while (p[n - 1 - k] == ' ' || p[n - 1 - k] == '\t')
		k++;
	return k;
}

/* The line [start, end) has a colon, and may begin with a name of names[]. Returns its row, or -1. */
static inline int named_line(struct sip_msg *m, const struct chunk *chunk, uint32_t start, uint32_t end)
{
	const char *p = m->base + start;
	uint32_t colon = find_colon(m->base, chunk, start, end), n = colon - start;
	unsigned id;

	if ((uint8_t)p[n - 1] <= ' ')
		n -= trailing_space(p, n);
	id = header_id(p, n, m->len - start);
	return id == SIP_HDR_OTHER ? -1 : record(m, id, start, colon, end);
}

/* A continuation line that begins at start and ends at end (RFC 3261 7.3.1); open: row before it, or -1. */
static void fold(struct sip_msg *m, int open, uint32_t start, uint32_t end)
{
	if (start == m->headers)
		blame(m, SIP_FAULT_HEADER_LINE);
	else if (open >= 0)
		m->row[open].end = (uint16_t)end;
	m->folded = 1;
}

/* Masks of up to CHUNK blocks at chunk->at; the last one may be partial. */
static inline void fill(struct chunk *chunk, sip_masks_h *masks, const char *b, uint32_t len)
{
	const char *p = b + chunk->at;
	uint32_t n = (len - chunk->at) / BLOCK, rest = (len - chunk->at) % BLOCK;

	if (n >= CHUNK) {
		n = CHUNK;
		rest = 0;
	}
	masks(p, 0, n, &chunk->masks);
	if (rest) {
		char tail[BLOCK];

		memset(tail, ' ', BLOCK);
		memcpy(tail, p + n * BLOCK, rest);
		masks(tail, n, n + 1, &chunk->masks);
		n++;
	}
	chunk->masks.colon[n] = 0;
	chunk->blocks = n;
}

/*
 * Bits of lf whose line holds a bit of mark: adding a mark to the ones of its line carries into the line's
 * LF. *before: 1 if the first line had a mark in an earlier block; set likewise for the block that follows.
 */
static inline uint64_t lines_with(uint64_t lf, uint64_t mark, uint64_t *before)
{
	uint64_t sum;
	bool over = __builtin_add_overflow(~lf, *before, &sum);

	*before = __builtin_add_overflow(sum, mark, &sum) | over;
	return lf & sum;
}

/* A line [start, end) that is not empty; colon: it has one. open: row before it. Returns its row, or -1. */
static inline int line(struct sip_msg *m, const struct chunk *chunk, uint32_t start, uint32_t end, bool colon,
		       int open)
{
	char c = m->base[start];

	if (c <= ':') {
		if (c == ' ' || c == '\t') {
			fold(m, open, start, end);
			return open;
		}
		colon = colon && c != ':';
	}
	if (!colon) {
		blame(m, SIP_FAULT_HEADER_LINE);
		return -1;
	}
	return initials >> (c & 31) & 1 ? named_line(m, chunk, start, end) : -1;
}

/* What walk counts; a clean header part has low == 2 * crlf. */
struct tally {
	uint32_t crlf; /* line ends CRLF, start line and blank line included */
	uint32_t low;  /* bytes up to CR */
};

/* All lines from start on, up to the blank one. Block first of chunk holds start. */
static enum end walk(struct sip_msg *m, struct chunk *chunk, sip_masks_h *masks, uint32_t first,
		     uint32_t start, struct tally *tally)
{
	const char *b = m->base;
	uint32_t lines = 0, crlf = 0, low = 0;
	uint64_t had_colon = 0; /* the line that reaches into the block has one before it */
	enum end stop = END_DATAGRAM;
	int open = -1;

	for (uint32_t i = first; stop == END_DATAGRAM; i++) {
		uint64_t lf, colon, upto = ~0ull;

		if (i == chunk->blocks) {
			chunk->at += i * BLOCK;
			if (chunk->at >= m->len)
				break;
			fill(chunk, masks, b, m->len);
			i = 0;
		}
		lf = chunk->masks.lf[i];
		for (colon = lines_with(lf, chunk->masks.colon[i], &had_colon); lf; lf &= lf - 1) {
			uint32_t bit = (uint32_t)__builtin_ctzll(lf), pos = chunk->at + i * BLOCK + bit;
			uint32_t cr =
				b[pos - 1] == '\r'; /* byte 0 is no LF; of an empty line b[start - 1] is */

			crlf += cr;
			if (pos - cr == start) {
				m->body = (uint16_t)(pos + 1);
				upto = lf ^ (lf - 1);
				stop = END_BLANK;
				break;
			}
			open = line(m, chunk, start, pos - cr, colon >> bit & 1, open);
			start = pos + 1;
			lines++;
		}
		low += (uint32_t)__builtin_popcountll(chunk->masks.low[i] & upto);
		if (lines > LIMIT_HEADERS) {
			blame(m, SIP_FAULT_TOO_MANY_HEADERS);
			stop = END_STOP;
		}
	}
	tally->crlf += crlf;
	tally->low += low;
	return stop;
}

/*
 * Find the LF of the start line, decode it, and take it out of the masks. Returns the block of chunk it is
 * in, or -1 for garbage.
 */
static int start_line(struct sip_msg *m, struct chunk *chunk, sip_masks_h *masks, struct tally *tally)
{
	for (chunk->at = 0; chunk->at < m->len; chunk->at += chunk->blocks * BLOCK) {
		fill(chunk, masks, m->base, m->len);
		for (uint32_t i = 0; i < chunk->blocks; i++) {
			uint64_t lf = chunk->masks.lf[i], upto = lf ^ (lf - 1);
			uint32_t pos, cr;

			tally->low += (uint32_t)__builtin_popcountll(chunk->masks.low[i] & upto);
			if (!lf)
				continue;
			pos = chunk->at + i * BLOCK + (uint32_t)__builtin_ctzll(lf);
			cr = m->base[pos - 1] == '\r';
			tally->crlf += cr;
			m->headers = (uint16_t)(pos + 1);
			chunk->masks.lf[i] &= ~upto;
			chunk->masks.low[i] &= ~upto;
			chunk->masks.colon[i] &= ~upto;
			return sip_start_line(m, pos - cr) ? (int)i : -1;
		}
	}
	return -1;
}

/*
 * Look at the header part [0, end) byte by byte: CR and LF only as CRLF, NUL only as a quoted-pair
 * (RFC 4475 3.1.1.2 has one).
 */
static void check_controls(struct sip_msg *m, uint32_t end)
{
	const char *b = m->base;

	for (uint32_t p = 0; p < end; p++) {
		bool after_cr = p > 0 && b[p - 1] == '\r';

		if (after_cr != (b[p] == '\n')) {
			m->folded = 1;
			blame(m, SIP_FAULT_BARE_NEWLINE);
		}
		if (b[p] == '\0' && (p == 0 || b[p - 1] != '\\'))
			blame(m, SIP_FAULT_NUL);
	}
}

/* Content-Length against the bytes that came (RFC 3261 18.3). */
static void body_length(struct sip_msg *m)
{
	struct sip_number length;

	if (m->count[SIP_HDR_CONTENT_LENGTH] > 1 || !sip_number_parse(m, SIP_HDR_CONTENT_LENGTH, &length))
		blame(m, SIP_FAULT_CONTENT_LENGTH);
	else if (!length.present)
		return;
	else if (length.value > (uint32_t)(m->len - m->body))
		blame(m, SIP_FAULT_SHORT_BODY);
	else
		m->len = (uint16_t)(m->body + length.value);
}

enum sip_verdict sip_scan(enum sip_simd simd, const char *bytes, uint32_t len, struct sip_msg *m)
{
	struct chunk chunk; /* written as far as it is read */
	struct tally tally = { 0 };
	uint32_t skip = 0;
	enum end end;
	int block;

	if (len > UINT16_MAX)
		return SIP_GARBAGE;
	while (skip < len && (bytes[skip] == '\r' || bytes[skip] == '\n'))
		skip++;
	if (len <= 4 || skip == len)
		return SIP_KEEPALIVE;
	memset(m, 0, offsetof(struct sip_msg, row));
	memset(m->first, SIP_NO_ROW, sizeof(m->first));
	m->base = bytes + skip;
	m->len = (uint16_t)(len - skip);
	block = start_line(m, &chunk, sip_masks[simd], &tally);
	if (block < 0)
		return SIP_GARBAGE;
	end = walk(m, &chunk, sip_masks[simd], (uint32_t)block, m->headers, &tally);
	if (end != END_BLANK)
		m->body = m->len;
	if (tally.low != 2 * tally.crlf)
		check_controls(m, m->body);
	if (end == END_BLANK)
		body_length(m);
	else
		blame(m, SIP_FAULT_NO_BLANK_LINE);
	return m->fault ? SIP_FAULTY : SIP_GOOD;
}
