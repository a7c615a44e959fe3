/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory of a worker's tables. Control makes them; lb_prefetch() is the worker's. */
#include "lb/worker.h"

size_t lb_worker_size(const struct lb_worker_spec *spec)
{
	_Static_assert(sizeof(struct lb_worker) <= 64, "the tables begin at the second line");

	return 64 + sizeof(struct memo) + (size_t)pin_buckets(spec->pins) * sizeof(struct pin_bucket);
}

struct lb_worker *lb_worker_init(void *mem, const struct lb_worker_spec *spec)
{
	struct lb_worker *w = mem;

	memset(mem, 0, lb_worker_size(spec));
	w->words = spec->words;
	w->lane = spec->lane;
	w->pin_ns = spec->pin_ns;
	w->ringing_ns = spec->ringing_ns;
	w->memo = (struct memo *)((char *)mem + 64);
	w->pins.bucket = (struct pin_bucket *)(w->memo + 1);
	w->pins.mask = pin_buckets(spec->pins) - 1;
	return w;
}

void lb_prefetch(const struct lb_worker *w, uint64_t call_hash)
{
	pin_prefetch(&w->pins, call_hash);
}
