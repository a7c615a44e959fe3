/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counting. Every thread that counts owns one lane and is its only writer: relaxed load and store, no
 * locked instruction. Counters only grow and are never reset; a reader sums the lanes at any time and
 * subtracts its own earlier reading. The tables are stats/counters.def and stats/families.def.
 */
#ifndef WEIR_STATS_H
#define WEIR_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/limits.h"

/* How a message or frame ended. The value indexes the lane. */
enum st_end {
#define END(name, outcome, reason, help) ST_##name,
#include "stats/counters.def"
	ST_END_COUNT
};

/* Everything else in a lane; the values go on where the ends stop. */
enum st_counter {
	ST_COUNTER_BEFORE_FIRST = ST_END_COUNT - 1,
#define COUNTER(name, family, labels, help) ST_##name,
#include "stats/counters.def"
	ST_COUNT
};

/* Cells of one (worker, gateway). */
enum st_gateway_counter {
#define GATEWAY(name, family, labels, help) ST_GW_##name,
#include "stats/counters.def"
	ST_GW_COUNT
};

/* Cells of one (worker, peer). */
enum st_peer_counter {
#define PEER(name, family, labels, help) ST_PEER_##name,
#include "stats/counters.def"
	ST_PEER_COUNT
};

enum st_family {
#define FAMILY(id, kind, scope, name, labels, help) ST_FAM_##id,
#include "stats/families.def"
#undef FAMILY
	ST_FAM_COUNT
};

enum st_outcome {
	ST_OUT_FORWARD,
	ST_OUT_REPLY,
	ST_OUT_SENT,
	ST_OUT_ABSORB,
	ST_OUT_CONTROL,
	ST_OUT_TWIN,
	ST_OUT_DROP,
	ST_OUT_COUNT
};

/*
 * Log-linear histogram of durations: every power of two of a second is cut into ST_HIST_SUB equal parts,
 * so that a bucket is at most 25 % wide and 0.5, 1, 2 ... 32 s (the steps of SIP's T1) are exact edges.
 * A duration equal to an edge counts below it, as Prometheus defines le. Two histograms merge by adding.
 */
#define ST_HIST_SUB_BITS  2
#define ST_HIST_SUB       (1u << ST_HIST_SUB_BITS)
#define ST_HIST_TICK_BITS 24 /* the finest edge is 2^-24 s, about 60 ns */
#define ST_HIST_MAX_BITS  30 /* durations of 2^6 s = 64 s and more share the last bucket */
#define ST_HIST_BUCKETS   ((ST_HIST_MAX_BITS - ST_HIST_SUB_BITS + 1) * ST_HIST_SUB)

struct st_hist {
	uint64_t sum_ns;
	uint64_t bucket[ST_HIST_BUCKETS];
};

struct st_gateway {
	uint64_t count[ST_GW_COUNT];
	struct st_hist response; /* first-response time */
} __attribute__((aligned(64)));

struct st_peer {
	uint64_t count[ST_PEER_COUNT];
};

/* One thread's figures. Written by that thread only, read by anybody. */
struct st_lane {
	uint64_t count[ST_COUNT];
	struct st_hist forward;      /* time in Weir of forwarded messages */
	uint32_t n_gateways;         /* slots; constant */
	uint32_t n_peers;            /* constant */
	struct st_gateway *gateways; /* by slot; constant pointer */
	struct st_peer *peers;       /* by peer index; constant pointer */
	char name[16];               /* worker label: "0", "1", ...; anything else is no worker's; constant */
} __attribute__((aligned(64)));

/* All lanes of the process. Filled once by control before the workers start. */
struct st_table {
	uint32_t n;
	struct st_lane *lane[LIMIT_WORKERS + 1]; /* the workers in order, then control */
};

/*
 * Bytes that a lane for this many gateway slots and peers takes. Any thread.
 */
size_t st_lane_size(uint32_t n_gateways, uint32_t n_peers);

/*
 * Makes a zeroed lane in mem (st_lane_size() bytes, aligned to 64; it stays the caller's and must live as
 * long as the lane). name is the worker label, cut to 15 bytes. Cannot fail. Set-up, one thread.
 */
struct st_lane *st_lane_init(void *mem, const char *name, uint32_t n_gateways, uint32_t n_peers);

/* A 64-bit cell with one writer: a reader in another thread sees whole values. */
static inline void st_cell_add(uint64_t *cell, uint64_t n)
{
	__atomic_store_n(cell, __atomic_load_n(cell, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline uint64_t st_cell_read(const uint64_t *cell)
{
	return __atomic_load_n(cell, __ATOMIC_RELAXED);
}

/* Adds n to counter id (enum st_end or enum st_counter). Owner of the lane only. */
static inline void st_add(struct st_lane *lane, unsigned int id, uint64_t n)
{
	st_cell_add(&lane->count[id], n);
}

/* Adds one to counter id (enum st_end or enum st_counter). Owner of the lane only. */
static inline void st_inc(struct st_lane *lane, unsigned int id)
{
	st_cell_add(&lane->count[id], 1);
}

/* Adds one to a cell of the gateway in slot (< n_gateways of the lane). Owner of the lane only. */
static inline void st_gateway_inc(struct st_lane *lane, uint32_t slot, enum st_gateway_counter id)
{
	st_cell_add(&lane->gateways[slot].count[id], 1);
}

/* Adds n to it. Owner of the lane only. */
static inline void st_gateway_add(struct st_lane *lane, uint32_t slot, enum st_gateway_counter id, uint64_t n)
{
	st_cell_add(&lane->gateways[slot].count[id], n);
}

/* Adds one to a cell of the peer with that index (< n_peers of the lane). Owner of the lane only. */
static inline void st_peer_inc(struct st_lane *lane, uint32_t peer, enum st_peer_counter id)
{
	st_cell_add(&lane->peers[peer].count[id], 1);
}

/* Index of the bucket that a duration of ns nanoseconds counts in. Any thread. */
static inline unsigned int st_hist_bucket(uint64_t ns)
{
	/* 2^24 / 10^9 as a 64-bit fraction, rounded up so that whole edges stay whole. */
	const uint64_t ticks_per_ns =
		(uint64_t)((((unsigned __int128)1 << (64 + ST_HIST_TICK_BITS)) / 1000000000u) + 1);
	uint64_t t = (uint64_t)(((unsigned __int128)(ns - (ns != 0)) * ticks_per_ns) >> 64);
	unsigned int e;

	if (t < ST_HIST_SUB)
		return (unsigned int)t;
	if (t >> ST_HIST_MAX_BITS)
		return ST_HIST_BUCKETS - 1;
	e = 63 - (unsigned int)__builtin_clzll(t);
	return (e - ST_HIST_SUB_BITS + 1) * ST_HIST_SUB + ((t >> (e - ST_HIST_SUB_BITS)) & (ST_HIST_SUB - 1));
}

/* Records one duration in nanoseconds. Owner of the lane that holds the histogram only. */
static inline void st_hist_add(struct st_hist *h, uint64_t ns)
{
	st_cell_add(&h->sum_ns, ns);
	st_cell_add(&h->bucket[st_hist_bucket(ns)], 1);
}

/* Adds what from holds to into (which only the caller touches). Any thread. */
void st_hist_merge(struct st_hist *into, const struct st_hist *from);

/*
 * The q-quantile (0 <= q <= 1) of a merged histogram in nanoseconds, interpolated inside its bucket;
 * 0 for an empty one. Any thread.
 */
uint64_t st_hist_quantile(const struct st_hist *h, double q);

/* Number of durations in a merged histogram. Any thread. */
uint64_t st_hist_count(const struct st_hist *h);

/*
 * Sums of all lanes. The lanes go on counting meanwhile: each value is whole, the set is exact only
 * when the workers are quiet. Any thread.
 */
void st_sum(const struct st_table *table, uint64_t sums[ST_COUNT]);
void st_sum_gateway(const struct st_table *table, uint32_t slot, struct st_gateway *sum);
void st_sum_peer(const struct st_table *table, uint32_t peer, struct st_peer *sum);

/*
 * The conservation laws over the sums of quiet workers:
 *   frames received + taken from control = sum of all ends + what is still in rings;
 *   no ring gives out more than was put in, owner rings and transmit rings apart;
 *   frames transmitted = ends that transmit.
 * Returns NULL if all hold, else the name of the first broken law; text (n bytes, may be NULL with n 0)
 * then gets one line with its two sides in figures. Any thread.
 */
const char *st_conserved(const uint64_t sums[ST_COUNT], char *text, size_t n);

struct st_info {
	const char *name;        /* "FWD_REQUEST" */
	enum st_family family;   /* ST_FAM_ENDS for ends */
	enum st_outcome outcome; /* ends only */
	const char *reason;      /* ends only: "ring-full" */
	const char *labels;      /* Prometheus labels without braces, may be "" */
	const char *help;
};

/* What counter id (enum st_end or enum st_counter) is; static storage. id < ST_COUNT. Any thread. */
const struct st_info *st_info(unsigned int id);

/* What a gateway's or a peer's cell is; static storage. Any thread. */
const struct st_info *st_gateway_info(enum st_gateway_counter id);
const struct st_info *st_peer_info(enum st_peer_counter id);

/* "forward", "reply", ... as in the outcome label; static storage. Any thread. */
const char *st_outcome_name(enum st_outcome outcome);

/* Exposition. */

#define ST_LABELS 512 /* bytes for the labels of one gauge series, braces not included */

struct st_gauge {
	double value;
	char labels[ST_LABELS]; /* filled with st_label(); "" for none */
};

struct st_gateway_name {
	const char *pool;
	const char *gateway; /* NULL: the slot is not in use */
};

/* Where an exposition takes its figures from. All of it stays the caller's and unchanged until the end. */
struct st_source {
	const struct st_table *table;
	const struct st_gateway_name *gateways; /* by slot */
	uint32_t n_gateways;
	const char *const *peers; /* names by peer index */
	uint32_t n_peers;
	/*
	 * Fills the i-th series (0, 1, ...) of a gauge family; false when there are no more. A family
	 * without series is left out. May be NULL.
	 */
	bool (*gauge)(void *arg, enum st_family family, uint32_t i, struct st_gauge *gauge);
	void *arg;
};

/* A position in an exposition. Private to stats, kept by the caller between two chunks. */
struct st_export {
	const struct st_source *source;
	uint32_t family;     /* enum st_family */
	uint32_t line;       /* next line of the family */
	bool headed;         /* its HELP and TYPE lines are written */
	struct st_hist hist; /* the histogram being written, merged once so that its lines agree */
};

#define ST_LINE      1024          /* bytes that any one line fits in */
#define ST_CHUNK_MIN (2 * ST_LINE) /* smallest chunk */

/* Adds name="value" to gauge labels, escaped; what does not fit is left out whole. Any thread. */
void st_label(struct st_gauge *gauge, const char *name, const char *value);

/* Starts an exposition in Prometheus text format 0.0.4. Any thread. */
void st_export_start(struct st_export *e, const struct st_source *source);

/*
 * Writes the next whole lines into buf (size >= ST_CHUNK_MIN) and returns their bytes; 0 at the end.
 * Not NUL-terminated. The caller may do other things between two chunks. Any thread, one per st_export.
 */
size_t st_export_next(struct st_export *e, char *buf, size_t size);

/* Writes docs/metrics.md. Returns 0, or -EIO. */
int st_metrics_markdown(FILE *out);

#endif
