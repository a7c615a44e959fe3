/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kept messages of one worker: the INVITE until it has a final response, and the final until its ACK.
 * The policy names them by handle; the bytes lie here, in fixed chunks. Private to dataplane/. Worker.
 */
#ifndef WEIR_DATAPLANE_KEEP_H
#define WEIR_DATAPLANE_KEEP_H

#include <stddef.h>

#include "conf/types.h"

#define KEEP_CHUNK                                                                                           \
	2048 /* bytes, what is kept beside the bytes included: an INVITE of a trunk fits in one              \
	      */

/* What is known of a kept message beside its bytes. */
struct kept {
	struct addr src; /* INVITE: where it came from */
	uint64_t call_hash;
	uint16_t n;       /* bytes, with the tail */
	uint16_t tail;    /* INVITE: of them at the end, the targets of the redirect that was followed, a line
			     each */
	uint8_t listener; /* INVITE: where it arrived */
	bool stuck;       /* INVITE: goes to nobody any more, see keep_stick() */
};

struct keep;

/* Bytes for a store of `handles` names and `chunks` chunks. Control. */
size_t keep_size(uint32_t handles, uint32_t chunks);

/* Makes an empty store in mem (keep_size() bytes, 64-byte aligned). Control. */
struct keep *keep_init(void *mem, uint32_t handles, uint32_t chunks);

/* True if n bytes can be kept now. */
bool keep_room(const struct keep *k, uint32_t n);

/* True unless a burst of messages, each as long as can be, might want more than there is room for. */
bool keep_ample(const struct keep *k);

/* Keeps what->n bytes as `handle`, in place of what was there, whose room it may have. False: no room; then
 * what was there stays. */
bool keep_put(struct keep *k, uint32_t handle, const struct kept *what, const char *bytes);

/*
 * The bytes kept as `handle`, in one piece, and what is known of them; NULL: nothing. Valid until the next
 * call of any function here.
 */
const char *keep_get(struct keep *k, uint32_t handle, struct kept *what);

/*
 * Notes that the INVITE kept as `handle` should have another Request-URI, for which there was no room: with
 * the one that it has it must not be sent again.
 */
void keep_stick(struct keep *k, uint32_t handle);

/* Lets go of what is kept as `handle`, if anything. */
void keep_drop(struct keep *k, uint32_t handle);

/* Chunks that are free, and all there are. Any thread. */
uint32_t keep_free(const struct keep *k);
uint32_t keep_chunks(const struct keep *k);

#endif
