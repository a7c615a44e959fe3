/* SPDX-License-Identifier: BSD-3-Clause */
/* The OPTIONS probe as a message, built and read with libosip2. Pure; no I/O. */
#ifndef WEIR_CONTROL_OPTIONS_H
#define WEIR_CONTROL_OPTIONS_H

#include <stddef.h>
#include "conf/types.h"

#define OPTIONS_MAX     1024 /* bytes of a probe */
#define OPTIONS_CALL_ID 32   /* hexadecimal digits of its Call-ID */
#define OPTIONS_TAG     16   /* of its From tag */

struct options {
	const struct addr *gateway;
	const char *local;  /* "host" or "host:port" of the listener, as Vias show it */
	const char *branch; /* Via branch, cookie included */
	const char *call_id;
	const char *tag; /* From tag */
	uint32_t cseq;
	bool oc; /* asks for overload control (RFC 7339 5.1) */
};

/* Once per process, before the others. */
void options_init(void);

/* Writes the message. Returns its length, -ENOMEM, or -EMSGSIZE. */
int options_build(const struct options *o, char out[OPTIONS_MAX]);

/*
 * True if the n bytes are a response with this Call-ID and CSeq (RFC 3261 17.1.3): the answer to that probe
 * and not to an earlier one.
 */
bool options_answers(const void *msg, size_t n, const char *call_id, uint32_t cseq);

#endif
