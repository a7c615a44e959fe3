/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A daemon without a dataplane: the control room's own servers, views and policy over counters that the test
 * sets. Runs in a child process, so that clients may block.
 */
#ifndef WEIR_TESTS_CONTROL_FAKE_H
#define WEIR_TESTS_CONTROL_FAKE_H

#include <stdbool.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct app;

struct fake {
	pid_t pid;
	char dir[64]; /* of its own, removed by fake_stop() */
	char socket[96];
	uint16_t metrics; /* port on 127.0.0.1 */
	bool drift;       /* set before: gw1 counts an unanswered INVITE that nobody has sent */
};

/*
 * Starts one with pools "east" (gw1 up, gw2 down, gw3 up and drained) and "west" of `many` gateways w0, w1,
 * ... Returns when it answers; ends the test if it does not.
 */
void fake_start(struct fake *fake, unsigned int many);

/* Starts another one on the same socket path and waits for its end. Returns its exit code: 1 if it was
 * refused. */
int fake_second(const struct fake *fake);

/* Ends it. True: it ran until now. */
bool fake_stop(struct fake *fake);

/* Makes the application of such a daemon in this process, without sockets; it lives as long as the process.
 */
void fake_app(struct app *app, const struct fake *fake, unsigned int many);

#endif
