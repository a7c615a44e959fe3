/* SPDX-License-Identifier: BSD-3-Clause */
/* Private to the SIP room: the copy that sip_apply and sip_reply_write share. */
#ifndef WEIR_DATAPLANE_SIP_EDIT_H
#define WEIR_DATAPLANE_SIP_EDIT_H

#include "dataplane/sip/sip.h"

/* Bytes being written; n stays at most cap. */
struct sip_out {
	char *p;
	uint32_t n;
	uint32_t cap;
	bool full; /* something did not fit: the result is void */
};

static inline void sip_put(struct sip_out *out, const char *p, uint32_t n)
{
	if (n > out->cap - out->n) {
		out->full = true;
		return;
	}
	bytes_copy(out->p + out->n, p, n);
	out->n += n;
}

static inline void sip_put_str(struct sip_out *out, struct str s)
{
	if (s.n)
		sip_put(out, s.p, s.n);
}

/* A number in decimal. */
void sip_put_number(struct sip_out *out, uint32_t n);

/* Copy bytes [from, to) of the message at b with the changes of list that begin in it. */
void sip_put_edited(struct sip_out *out, const char *b, uint32_t from, uint32_t to,
		    const struct sip_edits *list);

/* Ends the row that was written from `begin` on: unfolded where that may be needed, and its CRLF. */
void sip_end_row(struct sip_out *out, const struct sip_msg *m, uint32_t begin);

/* One row and its CRLF with the changes (NULL: none), unfolded where that may be needed. */
void sip_put_row(struct sip_out *out, const struct sip_msg *m, const struct sip_row *row,
		 const struct sip_edits *edits);

#endif
