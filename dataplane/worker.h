/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a worker owns and what travels with a message through the packet path. Private to dataplane/.
 *
 * A worker shares nothing with the others but the words of lb/, the published tables and rings with one
 * producer and one consumer each. The comment of a field names its writer; "start" is dp_start().
 */
#ifndef WEIR_DATAPLANE_WORKER_H
#define WEIR_DATAPLANE_WORKER_H

#include <rte_hash_crc.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include "dataplane/dataplane.h"
#include "dataplane/keep.h"
#include "dataplane/sip/sip.h"

#define DP_RING       1024 /* slots of every ring between workers, and to and from control */
#define DP_RING_NEW   768  /* messages in the ring to an owner beyond which new INVITEs find no room there */
#define DP_SHOW       256  /* bytes of a listener's host:port as Via and Record-Route show it */
#define DP_SIP_PORT   5060 /* the port where none is written (RFC 3261 19.1.2) */
#define DP_STRICT_URI 512  /* bytes of a Request-URI that is moved for a strict router; a longer one stays */
#define DP_TX_FRAMES  (4 * LIMIT_BURST)

/* A listener with the texts that messages get from it. Written at start. */
struct dp_listener {
	struct addr addr;
	struct str host;    /* of `show`, IPv6 without brackets */
	struct str ip;      /* text of an IPv4 address, which has only one */
	uint16_t show_port; /* the port that `show` stands for */
	uint16_t show_n;    /* bytes of `show` */
	uint8_t port;       /* index into dp.ports */
	char show[DP_SHOW]; /* host, or host:port */
	char ip_text[SIP_ADDR_TEXT];
};

/* What control and workers tell each other of an mbuf on the rings between them. */
struct dp_note {
	uint8_t kind;     /* enum dp_up_kind upwards, enum dp_down_kind downwards */
	uint8_t listener; /* DP_DOWN_MESSAGE: where it leaves */
	uint16_t port;    /* of a frame */
	uint16_t gateway; /* DP_UP_PROBE */
	uint16_t status;  /* DP_UP_PROBE */
	uint64_t at;      /* DP_UP_PROBE: arrival, ns */
	struct addr dst;  /* DP_DOWN_MESSAGE */
};

enum dp_down_kind {
	DP_DOWN_FRAME,   /* a frame of the kernel's, for the wire */
	DP_DOWN_MESSAGE, /* a SIP message of control's own */
};

/*
 * The private area of an mbuf. Written by the worker (or control) that holds the mbuf; a ring hands the right
 * on. `end` is for frames on their way out through another worker.
 */
struct dp_msg {
	struct net_pkt pkt;
	uint64_t at;        /* received, ns */
	uint64_t call_hash; /* keyed hash of the Call-ID; names the owner */
	uint16_t end;       /* frame to send: enum st_end that counts it once it is on the wire */
	uint8_t port;       /* frame to send: index into dp.ports */
	uint8_t listener;   /* index into dp.listeners */
	uint8_t faulty;     /* sip_scan() said SIP_FAULTY */
	uint8_t quoted; /* a request of ours that came back by ICMP, not to its end; pkt.src is where it went
			 */
	struct dp_note note;
	struct sip_msg sip;
};

static inline struct dp_msg *dp_msg(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

/* Frames of one port that wait for the end of the burst. */
struct dp_tx {
	struct rte_mbuf *frames[DP_TX_FRAMES];
	uint16_t end[DP_TX_FRAMES]; /* enum st_end of each once it is sent */
	uint16_t n;
	uint16_t queue;         /* our queue, where we hold one; start */
	struct rte_ring *relay; /* else the ring to the holder; start */
};

/* A queue that this worker polls. Written at start. */
struct dp_rx {
	const struct net_port *port;
	uint16_t queue;
};

/* Messages of one other worker that wait for the end of the burst. */
struct dp_out {
	struct rte_mbuf *msgs[LIMIT_BURST];
	uint32_t n;
	uint32_t waiting;      /* in its ring after the last burst; may be less by now */
	struct rte_ring *ring; /* its inbox for us; start */
};

struct dp_worker {
	/* start */
	struct dp *dp;
	struct lb_worker *lb;
	struct st_lane *lane;
	struct keep *keep;
	struct rte_mempool *pool;
	struct rte_ring *up;                   /* to control */
	struct rte_ring *down;                 /* from control */
	struct rte_ring *inbox[LIMIT_WORKERS]; /* messages that others received for us */
	struct rte_ring *relay[LIMIT_WORKERS]; /* frames that others send through our queues */
	struct dp_rx rx[LIMIT_PORTS];
	uint32_t index, n_rx, n_inbox; /* n_inbox: rings in inbox and in relay */
	int core, numa;
	enum sip_simd simd;

	/* control wo, worker ro */
	struct lb_snapshot *published __rte_cache_aligned;

	/* worker wo, control ro */
	uint64_t heartbeat __rte_cache_aligned; /* ns; start of the last turn */

	/* worker only */
	const struct lb_snapshot *policy __rte_cache_aligned; /* for this turn */
	const struct net_hops *hops;                          /* for this turn */
	uint64_t now;                                         /* ns, one clock read a turn */
	uint64_t twin_tat;  /* ns; dp_within_rate() of what the kernel gets */
	uint64_t link_tat;  /* the same of what neighbours on the link say */
	uint64_t quote_tat; /* the same of ICMP quotes that are read */
	uint32_t idle_turns;
	struct dp_msg kept; /* the kept INVITE that an action is about, scanned again */
	uint32_t n_forwarded;
	uint64_t forwarded[LIMIT_BURST]; /* ns; when each message of the burst that goes on was received */
	struct dp_out out[LIMIT_WORKERS];
	struct dp_tx tx[LIMIT_PORTS];
};

struct dp_retired;
struct dp_ctx;

struct dp {
	/* start */
	struct dp_worker *workers[LIMIT_WORKERS];
	struct rte_mempool *pools[LIMIT_WORKERS];
	struct net_port ports[LIMIT_PORTS];
	struct dp_listener listeners[LIMIT_LISTENERS];
	uint32_t n_workers, n_ports, n_listeners;
	uint32_t holder[LIMIT_PORTS]; /* worker with queue 0 of the port; queue q is worker (holder + q) mod n
				       */
	uint32_t growth;              /* bytes that a request grows by at most on its way through */
	uint32_t frame;               /* bytes of SIP that fit a frame, whichever listener it leaves by */
	bool adaptive;
	bool records; /* calls that end are recorded */
	struct net_eal_args *eal;

	/* control wo, workers ro */
	struct net_hops *hops;
	bool stop;

	/* control only */
	struct rte_rcu_qsbr *qsbr;
	struct dp_retired *retired; /* newest first */
};

/* Bytes of SIP that fit a frame which leaves by the port of listener l. Any thread. */
static inline uint32_t dp_frame(const struct dp *dp, const struct dp_listener *l)
{
	return dp->ports[l->port].mtu - (l->addr.v6 ? 48u : 28u);
}

/* ---- worker.c: the loop, the rings, the ports ---- */

/* TSC cycles as ns of dp_now(). Any thread. */
uint64_t dp_cycles_ns(uint64_t cycles);

/*
 * One turn of the loop, with w->now, w->policy and w->hops set: the frames that others have made for our
 * ports, a burst of each queue and as many of each ring to us, what is due. Returns how much that was.
 * Worker.
 */
uint32_t dp_turn(struct dp_worker *w);

/* Ends a burst: nothing waits in out[] and tx[] any more, and the time it took is on record. Worker. */
void dp_flush(struct dp_worker *w);

/* The loop of one worker until dp.stop. Launched on its lcore with the worker as argument. */
int dp_worker_run(void *worker);

/*
 * Puts frame m, ready for port `port`, in line for transmission. It ends in `end` once it is sent, here or by
 * the holder of the port, else in a counted drop. Takes over m.
 */
void dp_transmit(struct dp_worker *w, struct rte_mbuf *m, uint32_t port, enum st_end end);

/* Gives m with its note to control. False: no room; m is still the caller's. */
bool dp_up(struct dp_worker *w, struct rte_mbuf *m, enum dp_up_kind kind);

/* publish.c: frees all that is retired, and keeps one pointer to each table that several workers share.
 * Control, when no worker runs any more. */
void dp_reclaim_all(struct dp *dp);

/* Ends message m without an answer: counts `end`, frees m. */
static inline void dp_end(struct dp_worker *w, struct rte_mbuf *m, enum st_end end)
{
	st_inc(w->lane, end);
	rte_pktmbuf_free(m);
}

/*
 * Takes one from a rate of per_s with so many at once, by the generic cell rate algorithm: *tat is the
 * theoretical arrival time, ns, 0 at first. False: too many.
 */
static inline bool dp_within_rate(uint64_t *tat, uint64_t now, uint32_t per_s, uint32_t burst)
{
	uint64_t from = *tat > now ? *tat : now, interval = 1000000000u / per_s;

	if (from - now > interval * burst)
		return false;
	*tat = from + interval;
	return true;
}

/* ---- pipeline.c ---- */

/* Stage 1: n <= LIMIT_BURST frames of `port`. Own messages go to own[] and their number is returned. */
uint32_t dp_receive(struct dp_worker *w, const struct net_port *port, struct rte_mbuf **frames, uint32_t n,
		    struct rte_mbuf **own);

/*
 * Stages 2, 3 and 4 of n <= LIMIT_BURST messages that this worker owns; msgs[] is put into the order in which
 * they are handled.
 */
void dp_process(struct dp_worker *w, struct rte_mbuf **msgs, uint32_t n);

/*
 * Stage 2 of the same: queries in c[], whose number is returned, as what cannot be placed has met its end;
 * what they will touch is being fetched.
 */
uint32_t dp_read(struct dp_worker *w, struct rte_mbuf **msgs, uint32_t n, struct dp_ctx *c);

/* Stage 3 of one: at most LIMIT_ACTS actions for dp_act(), whose number is returned. */
unsigned dp_decide(struct dp_worker *w, struct dp_ctx *c, struct lb_act *acts);

/* What time alone brings: repeats, time-outs, fail-over. Once a turn. */
void dp_tick(struct dp_worker *w);

/* ---- quote.c ---- */

/* The request of ours that `frame`, of class NET_OTHER, says has not arrived, as a new message; NULL: none.
 */
struct rte_mbuf *dp_quote(struct dp_worker *w, const struct lb_key *key, const struct rte_mbuf *frame);

/* ---- query.c, target.c ---- */

/* CRC32C over n bytes, 8 at a time: for identities whose secrecy is in what they are mixed with. Any thread.
 */
static inline uint32_t dp_mix(const char *p, uint32_t n, uint32_t h)
{
	const char *end = p + n;
	uint64_t eight = 0;

	h = rte_hash_crc_4byte(n, h);
	if (n < 8) {
		memcpy(&eight, p, n);
		return rte_hash_crc_8byte(eight, h);
	}
	for (; p < end - 8; p += 8) {
		memcpy(&eight, p, 8);
		h = rte_hash_crc_8byte(eight, h);
	}
	memcpy(&eight, end - 8, 8); /* may overlap those before */
	return rte_hash_crc_8byte(eight, h);
}

/* A message on its way through stages 2 to 4. Lives on the stack of its worker. */
struct dp_ctx {
	struct rte_mbuf *m;
	struct dp_msg *msg;
	struct sip_fields f;
	enum sip_fault fault;
	uint8_t pop;           /* Route values of ours to take away */
	uint8_t strict;        /* the Request-URI is ours, placed there by a strict router (RFC 3261 16.4) */
	struct sip_span route; /* first Route value behind those `pop` takes, off 0: none */
	uint8_t displaced;     /* `route` has no lr and becomes the Request-URI (RFC 3261 16.6, step 6) */
	uint8_t oc_below;      /* response: a Via below the first may carry overload control */
	struct sip_span last;  /* strict: value of the last Route */
	uint16_t values;       /* Route values altogether */
	struct lb_contact contacts[LIMIT_CONTACTS]; /* of q */
	struct str resource[LIMIT_RESOURCES];       /* of q */
	char number[64]; /* Request-URI user without visual separators and escapes */
	struct lb_query q;
};

/*
 * Makes the query of c->msg in c->q, and what act.c needs beside it. False: the message must be dropped,
 * *end says why.
 */
bool dp_query(const struct dp *dp, const struct lb_snapshot *policy, struct dp_ctx *c, enum st_end *end);

/*
 * A part of it, once the fields of a request have been decoded: what of its Route set is ours, whom it is for
 * and the number that it calls. What cannot be read, or not be sent as it would have to, is c->fault.
 */
void dp_query_target(const struct dp *dp, struct dp_ctx *c);

/* The listener that host and port (0: none written) name, as address or as advertised; -1 none. */
int dp_listener_named(const struct dp *dp, struct str host, uint16_t port);

/* ---- write.c: each writes at most cap bytes to out and returns their number; 0: does not fit or cannot be
 * ---- */

/* The request of c as act sends it on. */
uint32_t dp_write_request(const struct dp *dp, const struct dp_ctx *c, const struct lb_act *act, char *out,
			  uint32_t cap);

/* The response of c as act sends it on. */
uint32_t dp_write_response(const struct dp_ctx *c, const struct lb_act *act, char *out, uint32_t cap);

/* The reply to the request of c that act asks for. */
uint32_t dp_write_reply(const struct dp_ctx *c, const struct lb_act *act, char *out, uint32_t cap);

/*
 * The CANCEL or the ACK for the hop that act's branch names. invite: of the kept INVITE; response: the final
 * that is acknowledged, NULL for CANCEL.
 */
uint32_t dp_write_hop(const struct dp *dp, const struct dp_ctx *invite, const struct lb_act *act,
		      const struct sip_msg *response, char *out, uint32_t cap);

/* ---- act.c ---- */

/*
 * Carries out one action for c, the message in hand; NULL for actions that time alone caused. The action that
 * ends the message takes over c->m, so it must be the last of the list.
 */
void dp_act(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act);

/* ---- kept.c ---- */

/* Carries out an action about a kept message: everything from LB_TRYING on. c as for dp_act(). */
void dp_act_kept(struct dp_worker *w, struct dp_ctx *c, const struct lb_act *act);

/* Keeps n bytes as the final of act->kept. */
void dp_keep_final(struct dp_worker *w, const struct lb_act *act, const char *bytes, uint32_t n);

/* Bytes of SIP that fit a frame which leaves by listener l in m. */
uint32_t dp_room(const struct dp_worker *w, const struct rte_mbuf *m, const struct dp_listener *l);

/* Sends the SIP message in m from `listener` to dst. gateway: its slot, or LB_NONE. Takes over m. */
void dp_send(struct dp_worker *w, struct rte_mbuf *m, uint8_t listener, const struct addr *dst,
	     uint16_t gateway, enum st_end end);

/* Sends the n bytes of SIP that were written to m as act says, and keeps them if it asks for that. Takes over
 * m. */
void dp_send_text(struct dp_worker *w, struct rte_mbuf *m, uint32_t n, const struct lb_act *act);

#endif
