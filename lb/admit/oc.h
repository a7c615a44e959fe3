/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Overload control of RFC 7339 and RFC 7415, message by message: what a client of ours is told in a response,
 * and what a gateway's response says. What follows from either is the governor's (lb/govern/). Worker.
 */
#ifndef WEIR_LB_OC_H
#define WEIR_LB_OC_H

#include "lb/choose/peers.h"
#include "lb/worker.h"

#define OC_TOLD_MS 500u /* how long a value holds (RFC 7339 4.3); a newer one comes long before */

/* Milliseconds as lb_oc.seq has them. */
#define OC_SEQ_MS (LB_OC_SEQ_UNIT / 1000)

/* Tells the client in what leaves by `act`. ask: lb_query.oc_ask; peer: index into the snapshot's, or
 * LB_NONE.
 */
void oc_tell_peer(struct lb_act *act, struct lb_words *words, const struct lb_snapshot *s, uint16_t peer);

static inline void oc_tell(struct lb_act *act, uint8_t ask, struct lb_words *words,
			   const struct lb_snapshot *s, const struct addr *client)
{
	if (ask)
		oc_tell_peer(act, words, s, peer_at(s, client));
}

/* Our Via in a request to `to` (NULL: no gateway) asks for overload control, if its pool wants that. */
static inline uint8_t oc_ask(const struct gateway *to)
{
	return to && to->oc ? LB_OC_LOSS | LB_OC_RATE : 0;
}

/* The response in hand, whose branch is ours, comes from g and says something in our Via. */
void oc_hear(struct lb_worker *w, const struct gateway *g, const struct lb_oc *oc, uint64_t now);

/*
 * True if what says `seq` is news to one who last heard `last`, `age` ns ago (RFC 7339 4.4): it is larger, or
 * so much smaller that the sender must have begun anew, or nothing that old can still be on its way.
 */
bool oc_is_news(uint64_t seq, uint64_t last, uint64_t age);

#endif
