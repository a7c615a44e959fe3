/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Calls that outlive the process: how many each gateway had when the process before this one last wrote them
 * down, less what time has taken off. Must stay true: a gateway is never given more calls than its limit
 * because Weir was restarted, and no figure outlives the longest call. Control thread, and before it starts.
 */
#ifndef WEIR_CONTROL_SURVIVORS_H
#define WEIR_CONTROL_SURVIVORS_H

#include "control/apply.h"

#define SURVIVORS_FILE "calls"
#define SURVIVORS_RUNS                                                                                       \
	8 /* processes before this one that are told apart; older ones are added to the last                 \
	   */

struct survivors {
	const struct ctl_policy *policy;
	int64_t max_s;                   /* longest call, s */
	uint32_t n;                      /* runs */
	int64_t at[SURVIVORS_RUNS];      /* wall clock, s, of the last figures of each run; newest first */
	double (*calls)[SURVIVORS_RUNS]; /* by gateway of the policy: its calls then */
};

/*
 * Reads the figures of `dir`; without a folder (NULL or ""), or a file in it, there are none. now: wall
 * clock, s. Returns 0, or -errno after writing one line of explanation into err[n]; there are no survivors
 * then, but *s can be used, too: -EBADMSG if the file is damaged, -ENOMEM if *s cannot be used. Blocks on the
 * disk.
 */
int survivors_load(struct survivors *s, const struct ctl_policy *policy, const char *dir, int64_t max_s,
		   int64_t now, char *err, size_t n);
void survivors_free(struct survivors *s);

/* The wall clock was set forward by so many s (negative: back): everybody stays as old as he was. */
void survivors_clock_set(struct survivors *s, int64_t by);

/* How many survivors a gateway can still have at `now`: what was, in equal parts gone over max_s. */
uint32_t survivors_most(const struct survivors *s, uint32_t gateway, int64_t now);

/*
 * Writes the figures of all gateways to `dir` in place of those before: a reader, or a crash, sees one or the
 * other. sync: also after a power cut, which waits for the disk. Returns 0 or -errno.
 */
int survivors_store(const struct survivors *s, const struct lb_words *words, const char *dir, int64_t now,
		    bool sync);

#endif
