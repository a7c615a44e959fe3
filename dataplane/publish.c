/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hands policy and next hops to the workers by pointer, and frees what no worker can read any more (QSBR).
 * Runs on the control thread; never waits for a worker.
 * Must stay true: a pointer is swapped before its predecessor is retired, and what is retired is freed only
 * after every worker that was in a turn then has ended it.
 */
#include <stdlib.h>
#include <sys/mman.h>

#include <rte_malloc.h>

#include "dataplane/worker.h"

#define HUGE_PAGE ((size_t)2 << 20)

/* Something replaced that a worker may still read. */
struct dp_retired {
	struct dp_retired *next;
	struct lb_snapshot *policy; /* one of the two */
	struct net_hops *hops;
	uint64_t token; /* of rte_rcu_qsbr_start() */
	uint64_t at;    /* ns */
};

/*
 * Without huge pages of its own, EAL's memory is shared memory, which the kernel does not make huge either.
 * Tables are met at random, so that nearly every line would cost a walk through page tables, too: they are
 * asked for as transparent huge pages, and touched here rather than by a worker.
 */
static void *alloc_transparent(size_t bytes)
{
	size_t page = bytes < HUGE_PAGE ? RTE_CACHE_LINE_SIZE : HUGE_PAGE, n = RTE_ALIGN_CEIL(bytes, page);
	void *mem = aligned_alloc(page, n);

	if (!mem)
		return NULL;
	if (page == HUGE_PAGE)
		madvise(mem, n, MADV_HUGEPAGE); /* no harm if it cannot be */
	return memset(mem, 0, n);
}

void *dp_alloc(int numa, size_t bytes)
{
	return rte_eal_has_hugepages() ? rte_zmalloc_socket(NULL, bytes, RTE_CACHE_LINE_SIZE, numa)
				       : alloc_transparent(bytes);
}

void dp_free(void *mem)
{
	if (rte_eal_has_hugepages())
		rte_free(mem);
	else
		free(mem);
}

static void free_retired(struct dp_retired *r)
{
	dp_free(r->policy);
	net_hops_free(r->hops);
	free(r);
}

/* Without memory for the note the thing is kept for good: a leak is better than a reader of freed memory. */
static void retire(struct dp *dp, struct lb_snapshot *policy, struct net_hops *hops)
{
	struct dp_retired *r = policy || hops ? malloc(sizeof(*r)) : NULL;

	if (!r)
		return;
	*r = (struct dp_retired){ dp->retired, policy, hops, rte_rcu_qsbr_start(dp->qsbr), dp_now() };
	dp->retired = r;
}

void dp_publish_policy(struct dp *dp, int numa, struct lb_snapshot *snap)
{
	struct lb_snapshot *old = NULL;

	for (uint32_t i = 0; i < dp->n_workers; i++) {
		if (dp->workers[i]->numa == numa)
			old = __atomic_exchange_n(&dp->workers[i]->published, snap, __ATOMIC_ACQ_REL);
	}
	retire(dp, old, NULL);
}

void dp_publish_hops(struct dp *dp, struct net_hops *hops)
{
	retire(dp, NULL, __atomic_exchange_n(&dp->hops, hops, __ATOMIC_ACQ_REL));
}

uint64_t dp_reclaim(struct dp *dp)
{
	struct dp_retired **at = &dp->retired, *r;
	uint64_t oldest = 0, now = dp_now();

	while ((r = *at)) {
		if (rte_rcu_qsbr_check(dp->qsbr, r->token, false) == 1) {
			*at = r->next;
			free_retired(r);
			continue;
		}
		if (now - r->at > oldest)
			oldest = now - r->at;
		at = &r->next;
	}
	return oldest;
}

void dp_reclaim_all(struct dp *dp)
{
	for (uint32_t i = 1; i < dp->n_workers; i++) {
		for (uint32_t k = 0; k < i; k++) {
			if (dp->workers[i]->published == dp->workers[k]->published)
				dp->workers[i]->published = NULL;
		}
	}
	while (dp->retired) {
		struct dp_retired *r = dp->retired;

		dp->retired = r->next;
		free_retired(r);
	}
}
