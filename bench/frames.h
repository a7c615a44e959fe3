/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages that the pipeline bench feeds to Weir: templates from bench/data, made frames once, and
 * patched for each message with a Call-ID, branches, tags and tokens that the product's own code mints, so
 * that they form calls. Set-up by control; patching on the worker, inside the port's RX callback.
 */
#ifndef WEIR_BENCH_FRAMES_H
#define WEIR_BENCH_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/types.h"
#include "lb/snapshot.h"

#define FRAME_MAX     1514 /* bytes of a frame without FCS */
#define FRAME_PATCHES 8    /* places of one template that change from message to message */
#define MIX_FRAMES    7

enum message {
	INVITE,
	TRYING,
	RINGING,
	ANSWER,
	ACK,
	BYE,
	BYE_ANSWER,
	OPTIONS,
	BUSY,
	MESSAGES
};

/* What the worker is fed with, one port each. */
enum mix {
	MIX_CALL,
	MIX_INVITE,
	MIX_RESPONSE,
	MIX_DIALOG,
	MIX_OPTIONS,
	MIX_BUSY,
	MIXES
};

/* A text that differs between messages; its bytes are in the frame already, in their right number. */
enum field {
	FIELD_CALL_ID,    /* 16 hexadecimal digits */
	FIELD_BRANCH,     /* the caller's: 16 */
	FIELD_FROM_TAG,   /* 8 */
	FIELD_TO_TAG,     /* 8 */
	FIELD_OUR_BRANCH, /* of Weir's Via in a response */
	FIELD_TOKEN,      /* of Weir's Route in a request */
};

struct patch {
	uint16_t off; /* bytes from the start of the frame */
	uint8_t field;
};

/* A frame and its places that change. Written by templates_load(). */
struct template
{
	uint8_t frame[FRAME_MAX];
	uint16_t n, payload; /* bytes of frame, offset of the message */
	uint8_t n_patches;
	uint8_t from_gateway; /* 1: a response; its source address follows the call */
	struct patch patch[FRAME_PATCHES];
	uint16_t call_id, call_id_n; /* whole texts, for hashing */
	uint16_t from_tag, from_tag_n;
	uint16_t to_tag, to_tag_n;
	uint16_t branch, branch_n; /* of the caller's Via */
};

/* Which messages a mix cycles through, and its name. */
struct mix_info {
	const char *name;
	uint8_t n;
	uint8_t message[MIX_FRAMES]; /* enum message */
};

extern const struct mix_info mix_info[MIXES];

/* What minting needs. Written by control. */
struct mint {
	const struct lb_snapshot *policy;
	struct template templates[MESSAGES];
	struct addr caller;  /* source of all requests */
	struct addr gateway; /* of slot 0; slot i is i addresses higher */
	uint16_t pool;       /* index of the pool that all calls go to */
	uint8_t callers;  /* > 1: INVITE and OPTIONS come from so many addresses, `caller` and those after it
			   */
	bool stateful;    /* responses are those to INVITEs in transactions, and to BYEs by token */
	uint32_t sent_by; /* hash of the caller's sent-by, part of the identity of its branches */
};

/* What a message is recognised by; computed from its finished text. */
struct identity {
	uint64_t call_hash, from_hash, via_hash;
	uint16_t gateway; /* slot that the call is meant for */
};

/*
 * Reads the messages in folder `dir` and makes frames of them: requests from `caller` and responses from
 * `gateway` to `listener`. False: a file is not there, or not as expected; errno or a line on stderr says
 * why.
 */
bool templates_load(struct mint *mint, const char *dir, const struct addr *listener);

/* Writes the frames of a mix to a pcap file, with `mac` as destination. False: errno says why. */
bool pcap_write(const struct mint *mint, enum mix mix, const uint8_t mac[6], const char *path);

/* Makes the frame, a copy of template `message`, that message of call number `call`. Worker. */
void mint_frame(const struct mint *mint, enum message message, uint64_t call, uint8_t *frame);

/* Patches call number `call` into a copy of the INVITE and says what it is recognised by. Control. */
struct identity mint_identity(const struct mint *mint, uint64_t call, uint8_t *frame);

/* As in lb_query: what the To tag of call number `call` hashes to. Control. */
uint32_t mint_to_hash(const struct mint *mint, uint64_t call);

/* Template that a received frame was made from (its IPv4 identification). */
static inline enum message frame_message(const uint8_t *frame)
{
	return (enum message)frame[19];
}

#endif
