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

#define BLOCK  64u
#define CHUNK  8u  /* blocks turned into masks by one call */
#define NAME   16u /* longest name of headers.def */
#define COLONS 0x3a3a3a3a3a3a3a3aull
#define LOW7   0x7f7f7f7f7f7f7f7full
#define CASE   0x2020202020202020ull

/* Entries SIP_HDR_COUNT + id are the compact forms. */
static const char names[2 * SIP_HDR_COUNT][NAME] = {
#define HEADER(name, text, last) [SIP_HDR_##name] = text,
#define COMPACT(name, letter)    [SIP_HDR_COUNT + SIP_HDR_##name] = { letter },
#include "dataplane/sip/headers.def"
#undef HEADER
#undef COMPACT
};

/* The only entry of names[] with this length and last letter; 0 = none. */
static const uint8_t candidate[NAME + 1][32] = {
#define HEADER(name, text, last) [sizeof(text) - 1][(last)&31] = SIP_HDR_##name,
#define COMPACT(name, letter)    [1][(letter)&31] = SIP_HDR_COUNT + SIP_HDR_##name,
#include "dataplane/sip/headers.def"
#undef HEADER
#undef COMPACT
};

/* Where the scan of one datagram is. */
struct walk {
	struct sip_msg *m;
	uint32_t len;   /* bytes from m->base */
	uint32_t start; /* first byte of the current line */
	int open;       /* row that a continuation line belongs to; -1 = a row that is not recorded */
};

static inline void blame(struct sip_msg *m, enum sip_fault fault)
{
	if (!m->fault)
		m->fault = (uint8_t)fault;
}

/* Index of the first ':' of 16 bytes; 16 if there is none. */
static inline uint32_t first_colon(uint64_t lo, uint64_t hi)
{
	uint64_t x = lo ^ COLONS;
	uint64_t hit = ~(((x & LOW7) + LOW7) | x | LOW7);

	if (hit)
		return (uint32_t)__builtin_ctzll(hit) >> 3;
	x = hi ^ COLONS;
	hit = ~(((x & LOW7) + LOW7) | x | LOW7);
	return hit ? 8 + ((uint32_t)__builtin_ctzll(hit) >> 3) : 16;
}

/* Header of a name of n bytes (1..16) that begins the 16 bytes lo, hi. */
static inline unsigned header_id(uint64_t lo, uint64_t hi, uint32_t n, char last)
{
	unsigned i = candidate[n][last & 31];
	uint64_t want_lo, want_hi;

	if (!i)
		return SIP_HDR_OTHER;
	lo |= CASE;
	hi |= CASE;
	if (n < 8) {
		lo &= (1ull << (8 * n)) - 1;
		hi = 0;
	} else if (n < 16) {
		hi &= (1ull << (8 * (n - 8))) - 1;
	}
	memcpy(&want_lo, names[i], 8);
	memcpy(&want_hi, names[i] + 8, 8);
	if (lo != want_lo || hi != want_hi)
		return SIP_HDR_OTHER;
	return i < SIP_HDR_COUNT ? i : i - SIP_HDR_COUNT;
}

static void record(struct walk *w, unsigned id, uint32_t colon, uint32_t end)
{
	struct sip_msg *m = w->m;
	uint8_t at = m->n_rows;

	if (at == LIMIT_ROWS) {
		blame(m, SIP_FAULT_TOO_MANY_HEADERS);
		return;
	}
	m->row[at] = (struct sip_row){
		.off = (uint16_t)w->start,
		.value = (uint16_t)(colon + 1),
		.end = (uint16_t)end,
		.id = (uint8_t)id,
		.next = SIP_NO_ROW,
	};
	if (m->count[id]++ == 0)
		m->first[id] = at;
	else
		m->row[m->last[id]].next = at;
	m->last[id] = at;
	m->n_rows = (uint8_t)(at + 1);
	w->open = at;
}

/* A line that begins a header row: [w->start, end). */
static void header_line(struct walk *w, uint32_t end)
{
	const char *b = w->m->base, *p = b + w->start;
	uint32_t n, colon;
	uint64_t word[2] = { 0 };
	unsigned id;

	if (w->start + NAME <= w->len)
		memcpy(word, p, NAME);
	else
		memcpy(word, p, w->len - w->start);
	w->open = -1;
	n = first_colon(word[0], word[1]);
	colon = w->start + n;
	if (n == NAME) {
		const char *hit = colon < end ? memchr(b + colon, ':', end - colon) : NULL;

		colon = hit ? (uint32_t)(hit - b) : end;
	}
	if (colon >= end || colon == w->start) {
		blame(w->m, SIP_FAULT_HEADER_LINE);
		return;
	}
	n = colon - w->start;
	while (p[n - 1] == ' ' || p[n - 1] == '\t') /* the first byte is neither */
		n--;
	if (n > NAME)
		return;
	id = header_id(word[0], word[1], n, p[n - 1]);
	if (id != SIP_HDR_OTHER)
		record(w, id, colon, end);
}

/* A line [w->start, end) that is not empty. False: the scan is over. */
static inline bool line(struct walk *w, uint32_t end, uint32_t next)
{
	struct sip_msg *m = w->m;

	if (w->start == 0) {
		m->headers = (uint16_t)next;
		return sip_start_line(m, end);
	}
	if (m->base[w->start] == ' ' || m->base[w->start] == '\t') {
		if (w->start == m->headers)
			blame(m, SIP_FAULT_HEADER_LINE);
		else if (w->open >= 0)
			m->row[w->open].end = (uint16_t)end;
		m->folded = 1;
		return true;
	}
	if (m->n_lines == LIMIT_HEADERS) {
		blame(m, SIP_FAULT_TOO_MANY_HEADERS);
		return false;
	}
	m->n_lines++;
	header_line(w, end);
	return true;
}

/* Masks of up to CHUNK blocks from offset at. Returns how many blocks; the last one may be partial. */
static uint32_t masks_at(sip_masks_h *masks, const char *b, uint32_t at, uint32_t len,
			 struct sip_masks out[CHUNK])
{
	uint32_t whole = (len - at) / BLOCK, rest;

	if (whole >= CHUNK) {
		masks(b + at, CHUNK, out);
		return CHUNK;
	}
	masks(b + at, whole, out);
	rest = (len - at) % BLOCK;
	if (rest) {
		char tail[BLOCK] = { 0 };

		memcpy(tail, b + at + whole * BLOCK, rest);
		masks(tail, 1, &out[whole]);
		out[whole].nul &= (1ull << rest) - 1;
	}
	return whole + (rest != 0);
}

/* A NUL among those of one block that is no quoted-pair (RFC 4475 3.1.1.2 has one that is)? */
static bool bare_nul(const char *b, uint32_t at, uint64_t nul)
{
	for (; nul; nul &= nul - 1) {
		uint32_t pos = at + (uint32_t)__builtin_ctzll(nul);

		if (pos == 0 || b[pos - 1] != '\\')
			return true;
	}
	return false;
}

enum end {
	END_DATAGRAM, /* no blank line */
	END_BLANK,    /* m->body is set */
	END_STOP      /* garbage, or a bound was hit */
};

/* All lines of one block at offset at. Sets *upto to the bits that belong to the header part. */
static inline enum end block_lines(struct walk *w, uint32_t at, uint64_t lf, uint64_t *upto)
{
	const char *b = w->m->base;

	for (; lf; lf &= lf - 1) {
		uint32_t pos = at + (uint32_t)__builtin_ctzll(lf);
		uint32_t end = pos > w->start && b[pos - 1] == '\r' ? pos - 1 : pos;

		if (end == w->start) {
			w->m->body = (uint16_t)(pos + 1);
			*upto = lf ^ (lf - 1);
			return END_BLANK;
		}
		if (!line(w, end, pos + 1))
			return END_STOP;
		w->start = pos + 1;
	}
	return END_DATAGRAM;
}

static enum end walk_lines(struct walk *w, sip_masks_h *masks)
{
	struct sip_masks chunk[CHUNK];
	uint64_t carry = 0, bare = 0; /* carry: the last byte of the block before was CR */
	enum end end = END_DATAGRAM;

	for (uint32_t at = 0; at < w->len && end == END_DATAGRAM;) {
		uint32_t n = masks_at(masks, w->m->base, at, w->len, chunk);

		for (uint32_t i = 0; i < n && end == END_DATAGRAM; i++, at += BLOCK) {
			uint64_t after_cr = chunk[i].cr << 1 | carry, upto = ~0ull;

			carry = chunk[i].cr >> 63;
			end = block_lines(w, at, chunk[i].lf, &upto);
			bare |= (after_cr ^ chunk[i].lf) & upto;
			if (chunk[i].nul & upto && bare_nul(w->m->base, at, chunk[i].nul & upto))
				blame(w->m, SIP_FAULT_NUL);
		}
	}
	if (bare) {
		blame(w->m, SIP_FAULT_BARE_NEWLINE);
		w->m->folded = 1;
	}
	return end;
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
	struct walk w = { .m = m, .open = -1 };
	uint32_t skip = 0;
	enum end end;

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
	w.len = m->len;
	end = walk_lines(&w, sip_masks[simd]);
	if (m->headers == 0 || (!m->is_request && m->status == 0))
		return SIP_GARBAGE;
	if (end != END_BLANK) {
		if (end == END_DATAGRAM && w.start < w.len)
			line(&w, w.len, w.len);
		m->body = m->len;
		blame(m, SIP_FAULT_NO_BLANK_LINE);
	} else {
		body_length(m);
	}
	return m->fault ? SIP_FAULTY : SIP_OK;
}
