/* SPDX-License-Identifier: BSD-3-Clause */
/* Second step: what each gateway may be given, as learned from how it answers. Control. */
#include "lb/govern/governor.h"

const char *lb_moved_name(enum lb_moved why)
{
	static const char *const names[LB_MOVED_REASONS] = {
		[LB_MOVED_NEVER] = "never",     [LB_MOVED_START] = "start",
		[LB_MOVED_GREW] = "grew",       [LB_MOVED_DELAY] = "delay",
		[LB_MOVED_REFUSED] = "refused", [LB_MOVED_REPEATED] = "repeated",
		[LB_MOVED_SILENT] = "silent",   [LB_MOVED_MEASURE] = "measure",
	};

	return names[why];
}

void limit_start(struct limit *l, const struct pool *pool, uint64_t now)
{
	(void)pool;
	(void)now;
	*l = (struct limit){ .cap = INFINITY, .rate = INFINITY };
}

void limit_sight(const struct limit *l, struct lb_congestion *out)
{
	out->why = l->why;
	out->moved = l->moved;
	out->moved_from = l->moved_from >= LB_UNLIMITED ? LB_UNLIMITED : (uint32_t)l->moved_from;
}

void govern_limits(struct lb_governor *g)
{
	for (uint32_t i = 0; i < g->n_awake; i++) {
		struct governed *at = &g->at[g->awake[i]];

		if (at->r.open || at->r.sent)
			at->asleep = false;
	}
}
