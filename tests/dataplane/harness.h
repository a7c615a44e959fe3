/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One Weir without wires: two null ports, a snapshot, next hops, and workers whose loop has been stopped, so
 * that a test can put a frame into dp_receive() and look at what waits for transmission.
 *
 *   caller 192.0.2.99 -- access 192.0.2.10 [Weir] core 198.51.100.10 -- gw1 .21, gw2 .22
 */
#ifndef WEIR_TESTS_DATAPLANE_HARNESS_H
#define WEIR_TESTS_DATAPLANE_HARNESS_H

#include "dataplane/worker.h"

#define H_FRAME 4096
#define H_OUT   128

/* A SIP message that left, as text. */
struct h_out {
	struct addr src, dst;
	uint32_t port; /* index of the DPDK port */
	uint32_t n;
	char text[H_FRAME];
};

struct harness {
	struct dp *dp;
	struct lb_words *words;
	struct st_table stats;
	struct h_out out[H_OUT];
	uint32_t n_out;
	uint64_t now; /* ns that the next burst sees */
};

enum h_who {
	H_CALLER,
	H_CALLER2,
	H_GW1,
	H_GW2,
	H_STRANGER
};

/* Starts EAL and everything above; exits the test program on failure. Once per program. */
struct harness *h_start(void);

/* The same with another MTU than 1500 on the gateways' side. */
struct harness *h_start_mtu(uint16_t core_mtu);
void h_stop(struct harness *h);

/* The address of somebody outside; port as given. */
struct addr h_addr(enum h_who who, uint16_t port);

/*
 * Sends n bytes of text from `who` port `port` to the listener on his side; what leaves is in h->out.
 * Every message must have met exactly one end; fails the test otherwise.
 */
void h_send_n(struct harness *h, enum h_who who, uint16_t port, const char *text, uint32_t n);
void h_send(struct harness *h, enum h_who who, uint16_t port, const char *text);

/* A message to come, from port 5060. */
struct h_in {
	enum h_who who;
	const char *text;
};

/* The same with n <= LIMIT_BURST messages of one side at once. */
void h_send_burst(struct harness *h, const struct h_in *in, uint32_t n);

/*
 * As h_send(), but Weir's other workers do not come to it: what they own waits in their rings, of the size
 * that it has. What leaves is in h->out.
 */
void h_receive(struct harness *h, enum h_who who, uint16_t port, const char *text);

/* All workers do what waits for them, until nothing does. What leaves goes out of the null ports. */
void h_catch_up(struct harness *h);

/* Does what h->now brings; what leaves is in h->out. */
void h_tick(struct harness *h);

/* Takes chunks of kept messages until `left` are free at each worker, in the name of the transactions that
 * come last; gives all of them back. */
void h_fill_keep(const struct harness *h, uint32_t left);
void h_empty_keep(const struct harness *h);

/* A raw frame into port `port`. */
void h_frame(struct harness *h, uint32_t port, const uint8_t *frame, uint32_t n);

/* Sum over all lanes of one counter. */
uint64_t h_count(const struct harness *h, unsigned counter);

/* Text of the first row that begins with `name` ("Via:"), without CRLF, or NULL; static buffer. */
const char *h_row(const struct h_out *out, const char *name, unsigned nth);

/* ---- Messages; each text lies in a static buffer of its own function ----------------------------------- */

#define H_SDP "v=0\r\no=- 1 1 IN IP4 192.0.2.99\r\ns=-\r\n"

/* A request of H_CALLER; to_tag "": none. more: whole rows. */
const char *h_request(const char *method, const char *uri, const char *call, const char *branch,
		      const char *to_tag, const char *more);

/* An INVITE to a number; the caller's tag is from1. */
const char *h_invite(const char *call, const char *branch);

/* The answer that a gateway gives to `req`: its Vias and dialog headers, with Record-Route. */
const char *h_answer(const struct h_out *req, int status, const char *to_tag);

/* Whose address `o` goes to. */
enum h_who h_gateway(const struct h_out *o);

/* One message must have left. */
void h_one_out(const struct harness *h);

/* Sends an INVITE for a new call; returns it as it left. The caller gets Weir's own 100. */
struct h_out h_call(struct harness *h, uint16_t port, const char *text);

#endif
