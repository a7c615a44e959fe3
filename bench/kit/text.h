/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading SIP as an end point needs it: start line, the headers of a dialog, where their rows stand. Written
 * apart from dataplane/sip on purpose, so that the laboratory does not share the mistakes of what it
 * measures. One row per line, long header names (and v, f, t, i, m, l), no folded lines: what Weir, Kamailio
 * and sipp send.
 */
#ifndef WEIR_BENCH_TEXT_H
#define WEIR_BENCH_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define KIT_ROWS 48

struct kit_text {
	const char *p;
	uint32_t n;
};

enum kit_header {
	KIT_VIA,
	KIT_FROM,
	KIT_TO,
	KIT_CALL_ID,
	KIT_CSEQ,
	KIT_RECORD_ROUTE,
	KIT_CONTACT,
	KIT_RETRY_AFTER,
	KIT_OTHER
};

struct kit_row {
	enum kit_header header;
	struct kit_text line;  /* without its CRLF */
	struct kit_text value; /* without blanks around it */
};

struct kit_sip {
	uint16_t status; /* 0: a request */
	uint32_t cseq;
	uint32_t n_rows;
	struct kit_text method; /* of the request, or of the CSeq of a response */
	struct kit_text uri;
	struct kit_text via; /* first value of the top Via */
	struct kit_text branch;
	struct kit_text from, to, to_tag; /* to_tag: n is 0 without one */
	struct kit_text call_id, contact, retry_after;
	struct kit_row row[KIT_ROWS];
};

/* Reads a datagram; false if it is no SIP message, lacks a header that every message has, or has too many
 * rows. */
bool kit_sip_read(struct kit_sip *m, const char *data, uint32_t bytes);

/* The value of parameter `name` in text (first one; `;name=value`); n is 0 if it has none, p NULL if there is
 * none. */
struct kit_text kit_param(struct kit_text text, const char *name);

bool kit_is(struct kit_text text, const char *word);

/* The user part of a SIP URI (after `sip:`, up to `@`), empty without one; of `urn:...` and `tel:...` all of
 * it. */
struct kit_text kit_user(struct kit_text uri);

/* The URI in a name-addr or addr-spec. */
struct kit_text kit_uri(struct kit_text value);

/* The leading number, 0 without one; it saturates. */
uint32_t kit_number(struct kit_text text);

/* 64 bits that tell texts apart (FNV-1a, then mixed). */
uint64_t kit_hash(struct kit_text text);

/* Text that is being written; what no longer fits is left out and `full` is set. */
struct kit_writer {
	char *p;
	uint32_t n, room;
	bool full;
};

void kit_put(struct kit_writer *w, const char *p, uint32_t n);
void kit_say(struct kit_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
