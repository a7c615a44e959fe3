/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the SIP tests share: message files, bytes that end at an unreadable page, and the smallest good
 * request.
 */
#ifndef WEIR_TESTS_SIP_SUPPORT_H
#define WEIR_TESTS_SIP_SUPPORT_H

#include "dataplane/sip/sip.h"

/* cmocka wants these four before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

/* A message file. */
struct file {
	char name[64]; /* without folder */
	char *bytes;   /* exactly n bytes, so that a sanitizer sees over-reads */
	uint32_t n;
};

/* All messages of the source tree: tests/data/rfc4475, tests/data/rfc5118, bench/data. Ends with bytes NULL.
 */
struct file *files_load(void);
void files_free(struct file *files);

/* The file of that name; fails the test if there is none. */
const struct file *file_named(const struct file *files, const char *name);

/* A copy of n bytes whose end is followed by an unreadable page. Freed by the next call. */
char *guarded(const void *bytes, uint32_t n);

/* Scan with the best variant; the bytes must outlive m. */
enum sip_verdict scan(const char *text, struct sip_msg *m);

/*
 * Write the request "method sip:bob@192.0.2.9" with header lines (each with CRLF) on top of the mandatory
 * ones, without its own Via if lines has one. Returns static memory.
 */
const char *request(const char *method, const char *lines);

/* The text of span s of m as a NUL-terminated copy in static memory (four at a time). */
const char *text_of(const struct sip_msg *m, struct sip_span s);

#endif
