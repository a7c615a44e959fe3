/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must outlive the process: the keys behind tokens and hashes. One small text file in the state folder,
 * mode 0600, made once and never overwritten, so that a call set up before kill -9 is still recognised after.
 */
#ifndef WEIR_CONTROL_STATE_H
#define WEIR_CONTROL_STATE_H

#include <stddef.h>
#include "lb/lb.h"

#define STATE_KEY_FILE "keys"

struct state_keys {
	struct lb_key hash;  /* lb_spec.hash_key: never rotated */
	struct lb_key token; /* lb_spec.key */
};

/*
 * Reads the keys of `dir`, or makes them from getrandom() and keeps them there. The folder itself is made
 * if its parent exists. Without a folder (NULL or "") the keys live as long as the process.
 * Returns 0, or -errno after writing one line of explanation into err[n]: -EPERM if others can read the
 * file, -EBADMSG if it is damaged; a file that cannot be used is left as it is. Blocks on the disk: before
 * the loop starts.
 */
int state_load_keys(const char *dir, struct state_keys *keys, char *err, size_t n);

/* Number of a node inside tokens: 16 bits of a hash of its name. */
uint16_t state_node_number(const char *node);

#endif
