/* SPDX-License-Identifier: BSD-3-Clause */
/* A table of counted calls by itself: gateways 0 and 1 are called, 3 calls, peer 0 too. */
#ifndef WEIR_TESTS_LB_TALLY_H
#define WEIR_TESTS_LB_TALLY_H

#include "lb/call/calls.h"
#include "lb/worker.h"

#define MS      UINT64_C(1000000)
#define S       (1000 * MS)
#define START   (UINT64_C(4294900000) * MS) /* the low half of the ms wraps in a minute and a half */
#define SETUP   (212 * S)
#define HOUR    (3600 * S)
#define GWS     4
#define ENTRIES 64

struct tally {
	struct calls c;
	void *tables;           /* of c */
	struct records records; /* none are made */
	struct lb_words *words;
	struct st_lane *lane;
	uint64_t now;
};

/* A table of n entries. */
void tally_make(struct tally *b, uint32_t n);
void tally_free(struct tally *b);

/* Lets time pass in one jump. */
void wait_until(struct tally *b, uint64_t now);
void wait_for(struct tally *b, uint64_t ns);

/* What call n is known by while it is set up; in dialog: key.caller and a To tag. */
struct call_key key_of(uint64_t n);

/* As pick does: call n from gateway 3 to gateway `out`, of peer 0. */
uint32_t open_call(struct tally *b, uint64_t n, uint16_t out);

/* The search goes on at gateway `out`; open: the one before may still bring the call. */
void move_call(struct tally *b, uint32_t i, uint16_t out, bool open);

/* A call as open_call() makes it, answered with To tag 7. */
uint32_t answered_call(struct tally *b, uint64_t n, uint16_t out, uint32_t session_s);

/* A BYE of the caller, or of the callee, in the dialog with that To tag; what call_bye() says. */
bool bye(struct tally *b, uint64_t n, uint32_t to);
bool bye_from_callee(struct tally *b, uint64_t n, uint32_t to);

/* The answer to it. */
void bye_answered(struct tally *b, uint64_t n, uint32_t to, uint16_t status);

/* A 2xx in that dialog. */
void refreshed(struct tally *b, uint64_t n, uint32_t to, uint32_t session_s);

/* What the words say, and that the entries say the same. */
void expect(struct tally *b, uint32_t gw0, uint32_t gw1, uint32_t gw3, uint32_t peer);

/* That there is nothing any more. */
void expect_none(struct tally *b);

#endif
