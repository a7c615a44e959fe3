/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Weir's own dataplane, set up for the pipeline bench: one pool of gateways, one peer, one listener, one
 * net_pcap port for each mix, tables filled. Control thread.
 */
#ifndef WEIR_BENCH_RIG_H
#define WEIR_BENCH_RIG_H

#include "bench/frames.h"
#include "dataplane/worker.h"

#define RIG_GATEWAYS 16
#define RIG_CALLERS  200       /* addresses that are answered without state: one is not so often */
#define RIG_SETUPS   (1 << 16) /* INVITE transactions that are free when a run begins */

struct rig_spec {
	const char *program;
	const char *data; /* folder of the messages */
	const char *dir;  /* folder for the pcap files, "<mix>.pcap" */
	uint32_t calls;   /* pins to fill each worker's table with */
	uint32_t workers; /* 1: on core 1; 2: on cores 1 and 0 */
	bool stateful;    /* INVITE transactions, and calls counted against limits */
};

/* What feeds one port: read by its RX callback on the worker, written by control while no worker runs. */
struct feed {
	const struct mint *mint;
	enum mix mix;
	bool off;                    /* frames pass as they are */
	uint32_t behind[MIX_FRAMES]; /* calls that have begun since that of this message did */
	uint32_t window;             /* > 0: only so many calls, over and over, from number `base` on */
	uint64_t base;
	uint64_t next; /* number of the next new call */
	uint64_t end;  /* > 0: at this number nothing more comes */
	bool *stop;    /* and this is set; NULL: nothing is */
};

struct rig {
	struct dp *dp;
	struct lb_words *words;
	struct st_table stats;
	struct mint mint;
	struct feed feeds[MIXES];
	struct net_hops *hops, *no_hops; /* the whole table, and one without any way */
	uint32_t n_ports;
	uint32_t calls; /* in the tables, number 0 and up */
	bool stateful;
	uint32_t cseq; /* of all INVITEs */
};

/* Starts everything and stops the workers' loops again. Explains a failure on stderr. */
bool rig_start(struct rig *rig, const struct rig_spec *spec);

/* Makes all gateways admit everything (true) or nothing. No worker may run. */
void rig_admit(struct rig *rig, bool all);

/* Bytes of one worker's tables of counted calls, and of INVITE transactions with what is kept for them. */
size_t rig_calls_bytes(const struct rig *rig);
size_t rig_setups_bytes(const struct rig *rig);

void rig_stop(struct rig *rig);

#endif
