/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the calls counted at each gateway and peer, which limits go by, are those that entries hold, and
 * the INVITEs counted as unanswered those of branches that wait. A difference that what came and went during
 * the reading can explain is none. Control thread; reads only.
 */
#ifndef WEIR_CONTROL_AUDIT_H
#define WEIR_CONTROL_AUDIT_H

#include "control/control.h"

/* One reading. Allocated once: half a megabyte. */
struct ctl_audit {
	uint32_t *gateways;   /* by slot: places that entries hold */
	uint32_t *peers;      /* by slot */
	uint32_t *open;       /* by slot: INVITEs that branches wait for */
	uint64_t *moved;      /* by slot: places that gateways gave and took while it was read */
	uint64_t *open_moved; /* the same of unanswered INVITEs */
	int64_t *difference;  /* by index of ctl_gateway(): words less entries, 0 if that may be movement */
	int64_t *open_difference;
	int64_t *peer_difference; /* by index of the config */
	uint32_t wrong;           /* so many of all differences are not 0 */
};

/* Returns 0 or -ENOMEM; then there is nothing to free. */
int audit_init(struct ctl_audit *audit, const struct app *app);
void audit_free(struct ctl_audit *audit);

/*
 * Reads all entries of all workers and compares; where something is wrong, once more: what is wrong in one of
 * two readings only was movement.
 */
void audit_read(struct ctl_audit *audit, const struct app *app);

#endif
