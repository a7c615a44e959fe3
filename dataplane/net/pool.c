/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one way Weir makes packet memory. AF_XDP hands a pool to the kernel as one row of frames, each as long
 * as an object; but DPDK leaves gaps so that no object crosses a page, and the port then stops after about
 * one pool's worth of packets. NO_IOVA_CONTIG closes the gaps; it needs these steps and objects of at most a
 * page. The ring is in RTS mode: with several workers on a core a preempted one must not stall the others.
 * Control thread.
 */
#include "dataplane/net/net.h"

#include <errno.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#define CACHE 256 /* mbufs each lcore keeps for itself */

/*
 * An odd number of cache lines: the heads of neighbouring mbufs then fall into different sets of the cache
 * (DPDK would pad an even number up, past LIMIT_MBUF_OBJ).
 */
#define OBJECT (LIMIT_MBUF_OBJ - RTE_CACHE_LINE_SIZE)
_Static_assert(OBJECT / RTE_CACHE_LINE_SIZE % 2 == 1, "spread over cache sets");

uint16_t net_pool_room(uint16_t priv_size)
{
	uint32_t taken = RTE_CACHE_LINE_ROUNDUP(sizeof(struct rte_mempool_objhdr)) + sizeof(struct rte_mbuf) +
			 priv_size;

	return taken < OBJECT ? (uint16_t)(OBJECT - taken) : 0;
}

int net_pool_create(const char *name, uint32_t n, uint16_t priv_size, int node, struct rte_mempool **out)
{
	struct rte_pktmbuf_pool_private priv = { .mbuf_data_room_size = net_pool_room(priv_size),
						 .mbuf_priv_size = priv_size };
	uint32_t elt = sizeof(struct rte_mbuf) + priv_size + priv.mbuf_data_room_size;
	uint32_t cache = n / 4 < CACHE ? n / 4 : CACHE;
	/* where a device sees physical addresses, an object must not cross from one huge page into another */
	unsigned flags = rte_eal_iova_mode() == RTE_IOVA_VA ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0;
	struct rte_mempool *pool;
	int rc;

	if (priv_size % RTE_MBUF_PRIV_ALIGN || priv.mbuf_data_room_size <= RTE_PKTMBUF_HEADROOM)
		return -EINVAL;
	if (rte_mempool_calc_obj_size(elt, 0, NULL) > LIMIT_MBUF_OBJ)
		return -EINVAL;
	pool = rte_mempool_create_empty(name, n, elt, cache, sizeof(priv), node, flags);
	if (pool == NULL)
		return -rte_errno;
	rc = rte_mempool_set_ops_byname(pool, "ring_mt_rts", NULL);
	if (rc < 0)
		goto fail;
	rte_pktmbuf_pool_init(pool, &priv);
	rc = rte_mempool_populate_default(pool);
	if (rc < 0)
		goto fail;
	rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
	*out = pool;
	return 0;
fail:
	rte_mempool_free(pool);
	return rc;
}

void net_pool_free(struct rte_mempool *pool)
{
	rte_mempool_free(pool);
}
