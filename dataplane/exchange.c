/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control's end of the rings to and from the workers: frames of the kernel, probes and their answers.
 * Runs on the control thread. Everything is copied in and handed out by pointer for the time of a callback,
 * so that control never holds a packet buffer.
 */
#include <errno.h>

#include "dataplane/worker.h"

/* Copies n bytes into a fresh buffer of worker w with its note, and gives it to w. */
static int give(struct dp_worker *w, const struct dp_note *note, const void *data, uint32_t n)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);
	char *p;

	if (!m)
		return -ENOBUFS;
	p = rte_pktmbuf_append(m, (uint16_t)(n > UINT16_MAX ? UINT16_MAX : n));
	if (!p) {
		rte_pktmbuf_free(m);
		return -EMSGSIZE;
	}
	memcpy(p, data, n);
	dp_msg(m)->note = *note;
	if (rte_ring_sp_enqueue(w->down, m)) {
		rte_pktmbuf_free(m);
		return -ENOBUFS;
	}
	return 0;
}

int dp_send_frame(struct dp *dp, uint16_t port, const void *frame, uint32_t n)
{
	struct dp_note note = { .kind = DP_DOWN_FRAME, .port = port };

	return give(dp->workers[dp->holder[port]], &note, frame, n);
}

int dp_send_message(struct dp *dp, uint8_t listener, const struct addr *dst, const void *msg, uint32_t n)
{
	struct dp_note note = { .kind = DP_DOWN_MESSAGE, .listener = listener, .dst = *dst };

	return give(dp->workers[dp->holder[dp->listeners[listener].port]], &note, msg, n);
}

static void hand_out(struct rte_mbuf *m, dp_up_h *h, void *arg)
{
	const struct dp_msg *msg = dp_msg(m);
	struct dp_up up = {
		.kind = (enum dp_up_kind)msg->note.kind,
		.port = msg->note.port,
		.gateway = msg->note.gateway,
		.status = msg->note.status,
		.at = msg->note.at,
		.data = rte_pktmbuf_mtod(m, const uint8_t *),
		.n = m->data_len,
	};

	if (up.kind == DP_UP_PROBE) {
		up.data = (const uint8_t *)msg->sip.base;
		up.n = msg->sip.len;
	}
	h(arg, &up);
}

unsigned dp_poll_up(struct dp *dp, unsigned budget, dp_up_h *h, void *arg)
{
	struct rte_mbuf *items[LIMIT_BURST];
	unsigned total = 0;

	for (uint32_t i = 0; i < dp->n_workers; i++) {
		unsigned n, mine = 0, share = budget / dp->n_workers + 1;

		while (mine < share) {
			unsigned want = share - mine < LIMIT_BURST ? share - mine : LIMIT_BURST;

			n = rte_ring_sc_dequeue_burst(dp->workers[i]->up, (void **)items, want, NULL);
			if (!n)
				break;
			for (unsigned k = 0; k < n; k++) {
				hand_out(items[k], h, arg);
				rte_pktmbuf_free(items[k]);
			}
			mine += n;
		}
		total += mine;
	}
	return total;
}
