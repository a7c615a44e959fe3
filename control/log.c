/* SPDX-License-Identifier: BSD-3-Clause */
/* Log lines to stderr. One write per line, so that lines of EAL's threads do not fall into ours. */
#include "control/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE 2048 /* bytes; longer is cut */

static const struct {
	const char *journal, *terminal;
} levels[] = {
	{ "<3>", "weir: error: " },
	{ "<4>", "weir: warning: " },
	{ "<5>", "weir: " },
	{ "<6>", "weir: " },
};

static void line(unsigned level, const char *fmt, va_list ap)
{
	const char *prefix = getenv("JOURNAL_STREAM") ? levels[level].journal : levels[level].terminal;
	char buf[LINE];
	size_t n = (size_t)snprintf(buf, sizeof(buf), "%s", prefix);
	int more = vsnprintf(buf + n, sizeof(buf) - n - 1, fmt, ap);

	if (more < 0)
		return;
	n += (size_t)more < sizeof(buf) - n - 1 ? (size_t)more : sizeof(buf) - n - 2;
	buf[n++] = '\n';
	if (write(STDERR_FILENO, buf, n) < 0)
		return; /* nobody to tell */
}

#define LEVEL(name, number)                                                                                  \
	void name(const char *fmt, ...)                                                                      \
	{                                                                                                    \
		va_list ap;                                                                                  \
                                                                                                             \
		va_start(ap, fmt);                                                                           \
		line(number, fmt, ap);                                                                       \
		va_end(ap);                                                                                  \
	}

LEVEL(ctl_err, 0)
LEVEL(ctl_warn, 1)
LEVEL(ctl_notice, 2)
LEVEL(ctl_info, 3)

bool ctl_gate(struct ctl_gate *gate, uint64_t now, uint64_t every, uint64_t *held)
{
	if (now < gate->next) {
		gate->held++;
		return false;
	}
	*held = gate->held;
	gate->held = 0;
	gate->next = now + every;
	return true;
}
