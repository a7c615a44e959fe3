/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records of calls that ended: notes that an entry of calls.h gathers on its way, and a ring from the worker
 * to control. Only there if records are wanted (lb_worker_spec.records > 0). The worker writes, control takes
 * out; a full ring loses the new one, counted.
 */
#ifndef WEIR_LB_RECORDS_H
#define WEIR_LB_RECORDS_H

#include "lb/lb.h"

/* What is known of a call beside its entry. Worker. */
struct note {
	struct lb_try tries[LIMIT_BRANCHES];
	uint8_t n_tries : 7;
	uint8_t late : 1;                      /* see struct lb_record */
	uint8_t caller_n, number_n, call_id_n; /* bytes of each, one after the other in text */
	char text[LIMIT_RECORD_TEXT];
};

struct records {
	struct note *note; /* by entry; NULL: no records are wanted */
	struct lb_record *ring;
	uint32_t mask;                             /* places of the ring - 1 */
	uint32_t in;                               /* records put in so far; worker wo */
	uint32_t out __attribute__((aligned(64))); /* records taken out so far; control wo */
};

/* Bytes of the notes of n entries and of a ring with at least `places` places; 0 for 0 places. Control. */
size_t records_size(uint32_t n, uint32_t places);

/* Makes them in `mem` (records_size() bytes, 64-byte aligned). Control. */
void records_init(struct records *r, void *mem, uint32_t n, uint32_t places);

/* Starts the note of entry i; q: its INVITE, or its texts in another message; late: see struct lb_record.
 * Worker, as all that follows. */
void record_start(struct records *r, uint32_t i, const struct lb_query *q, bool late);

/* Entry `to` goes on with the note of entry i. */
void record_move(struct records *r, uint32_t i, uint32_t to);

/* Gateway slot `gateway` has not taken the call of entry i; status: see struct lb_try. */
void record_try(struct records *r, uint32_t i, uint16_t gateway, uint16_t status);

/* Puts a record in, with the note of entry i. False: it is lost. */
bool record_put(struct records *r, uint32_t i, const struct lb_record *record);

#endif
