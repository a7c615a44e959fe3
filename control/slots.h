/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Slots by name: the index of a gateway's or a peer's word. A name keeps its slot as long as the process
 * lives, whatever the order of the config, so that words and statistics stay with the gateway.
 */
#ifndef WEIR_CONTROL_SLOTS_H
#define WEIR_CONTROL_SLOTS_H

#include <stdint.h>

struct slots {
	uint16_t limit;  /* slots there are */
	uint16_t used;   /* slots given out; they are 0..used-1 */
	uint32_t mask;   /* size of `table` - 1 */
	char **names;    /* [limit] by slot */
	uint16_t *table; /* open addressing by hash of the name: slot + 1, 0 empty */
};

/* Makes an empty map of at most `limit` (< 65535) names. Returns 0 or -ENOMEM; then there is nothing to free.
 */
int slots_init(struct slots *s, uint16_t limit);
void slots_free(struct slots *s);

/* The slot of `name`, given out now if it has none. Returns it, -ENOSPC or -ENOMEM. */
int slots_take(struct slots *s, const char *name);

/* The slot of a name of n bytes, or -ENOENT. */
int slots_find(const struct slots *s, const char *name, uint32_t n);

#endif
