/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What must outlive the process: the key that signs tokens. One small text file in the state folder, mode
 * 0600, made once and never overwritten, so that a call set up before kill -9 is still recognised after it.
 */
#ifndef WEIR_CONTROL_STATE_H
#define WEIR_CONTROL_STATE_H

#include <stddef.h>
#include "lb/lb.h"

#define STATE_KEY_FILE "token.key"

/*
 * Reads the token key of `dir`, or makes one from getrandom() and keeps it there. The folder itself is made
 * if its parent exists. Without a folder (NULL or "") the key lives as long as the process.
 * Returns 0, or -errno after writing one line of explanation into err[n]: -EPERM if others can read the
 * file, -EBADMSG if it is damaged; a file that cannot be used is left as it is. Blocks on the disk: before
 * the loop starts.
 */
int state_load_key(const char *dir, struct lb_key *key, char *err, size_t n);

/* Number of a node inside tokens: 16 bits of a hash of its name. */
uint16_t state_node_number(const char *node);

#endif
