/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One call in virtual time, event by event: what Weir does is written down as words, so that a test reads
 * like the figures of RFC 3261. INVITE0, INVITE1: to the first, second gateway; repeat0: Timer A; 180:
 * forwarded; 100: Weir's own; answer408: Weir's own final; final: the kept final; ok: 200 to CANCEL; CANCEL0,
 * ACK0: to that branch; best: a final kept for later; "-": absorbed; drop. Keeping and forgetting INVITEs is
 * checked, not written. Where time has passed, a word begins with the seconds since the INVITE: 0.5:repeat0.
 */
#ifndef WEIR_TESTS_LB_SCENE_H
#define WEIR_TESTS_LB_SCENE_H

#include "lb/worker.h"
#include "tests/lb/check.h"
#include "tests/lb/world.h"

#define SCENE_LOG 4096

struct scene {
	struct world w;
	struct lb_query invite;
	uint64_t began; /* ns; when the INVITE came */
	unsigned n;     /* branches so far */
	struct {
		char text[LIMIT_BRANCH];
		unsigned len;
		uint16_t gateway;
	} branch[LIMIT_BRANCHES];
	bool kept, final_kept; /* the dataplane's view */
	bool retargeted;       /* the last INVITE had another Request-URI */
	uint8_t target;        /* the same, by number */
	struct addr contact;   /* of a 302 */
	uint32_t retry_after_s;
	char log[SCENE_LOG];
	size_t n_log;
};

/* A world with so many equal gateways in pool 0, two attempts, after 1 s and after-max 4 s. */
void scene_start(struct scene *s, unsigned gateways);

/* The same, and its INVITE has gone to its first gateway. */
void scene_ring(struct scene *s, unsigned gateways);

/* Changes pool 0 of a scene before its INVITE. */
#define SCENE_POOL(s, field, value)                                                                          \
	do {                                                                                                 \
		(s)->w.pool[0].field = (value);                                                              \
		world_build(&(s)->w);                                                                        \
	} while (0)

/* All transactions must be gone at the end, and nothing kept. */
void scene_end(struct scene *s);

/* The caller sends the INVITE, again, its CANCEL or its ACK. */
void scene_caller(struct scene *s, enum method method);

/* The response of branch i's gateway to this method. */
struct lb_query scene_response(const struct scene *s, unsigned i, enum method method, uint16_t status);

/* Branch i gets this response; scene_cancel_ok: the 200 to its CANCEL. */
void scene_gateway(struct scene *s, unsigned i, uint16_t status);
void scene_cancel_ok(struct scene *s, unsigned i);

/* The INVITE of branch i as it comes back by ICMP; the same sent, to another address if `from` is there. */
struct lb_query scene_bounced(const struct scene *s, unsigned i);
void scene_bounce(struct scene *s, unsigned i, const struct addr *from);

/* Any message; what comes of it is written down. */
void scene_input(struct scene *s, const struct lb_query *q);

/* Lets time pass up to so many seconds after the INVITE. */
void scene_until(struct scene *s, double seconds);

/* What has happened since the last scene_expect() must be this. */
#define scene_expect(s, words) scene_expect_at(s, words, __FILE__, __LINE__)
void scene_expect_at(struct scene *s, const char *words, const char *file, int line);

#endif
