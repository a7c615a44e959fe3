/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a gateway may be given, as learned: the part of struct governed that limit.c and its neighbours write.
 *   limit.c     collects signals until they tell something, then lets the law move the limits
 *   floor.c     delays without a queue
 *   evidence.c  refusals and repeats that the load may have caused
 *   measure.c   cuts the limit for a moment to see what moves with it
 *   laws.c      the laws
 * Control. Times in seconds, but where ns is said.
 */
#ifndef WEIR_LB_LIMIT_H
#define WEIR_LB_LIMIT_H

#include <math.h>
#include "lb/govern/evidence.h"
#include "lb/govern/floor.h"
#include "lb/govern/govern.h"
#include "lb/govern/reading.h"

struct gateway;
struct law;

/* Since the last decision. */
struct window {
	struct delay response, progress;
	double seconds;
	double sent, answered, finished, capped; /* capped: picks that passed it by for the cap */
	double open;                             /* integral of open INVITEs over time */
	double open_max;
	uint32_t steps;
};

#define PACE_STEPS 32 /* that throughput is remembered for */

/* Calls that made progress or failed, by steps of the governor; a ring. Refusals are nothing done. */
struct pace {
	uint16_t finished[PACE_STEPS], ms[PACE_STEPS];
	uint32_t n; /* steps so far */
};

/* A floor that is being measured: measure.c. */
struct measure {
	uint8_t stage;    /* 0: none under way; else times that the cap has been halved */
	double saved;     /* cap before */
	double open, low; /* of the stage before: open INVITEs and delay */
	uint64_t began;   /* ns; the stage */
	uint64_t next;    /* ns; not again before */
};

/* The last cut for a queue: does the delay follow it? measure.c */
struct trial {
	bool on;
	uint8_t failed;            /* trials in a row that the delay did not follow */
	bool met;                  /* before the first of them */
	double cap;                /* the same */
	bool steady;               /* the delay was no other in the window before */
	double fall;               /* s; that the cut makes if calls really wait */
	double response, progress; /* s; delays before; 0: that one spoke for no queue */
};

struct limit {
	const struct law *law;
	double cap;        /* open INVITEs at once; INFINITY: any number */
	double rate;       /* new calls per second; INFINITY: any number */
	bool met;          /* congestion has been seen: no doubling any more */
	bool useless;      /* it refuses most calls, whoever makes them */
	enum lb_moved why; /* of the last move of cap */
	uint64_t moved;    /* ns; when; 0: never */
	double moved_from;
	uint64_t lowered; /* ns; when it was last moved down for congestion */
	uint64_t hold;    /* ns; answers before then are to what was sent under another limit, */
	double ahead;     /* and so are those of so many calls more, which were there before */
	uint64_t used;    /* ns; the cap is in use since; 0: it is not */
	struct window w;
	struct pace pace;
	struct floor response, progress;
	struct evidence evidence;
	struct measure measure;
	struct trial trial;
	uint8_t heeded;   /* enum lb_retry, as of the last step */
	bool asked;       /* 503s with Retry-After since the last decision, where they shrink the limit */
	uint64_t shrunk;  /* ns; until then it does not grow for that */
	uint32_t suspect; /* decisions in a row that found a queue, in spite of cuts */

	/* As of the last decision. */
	double sent_s, open_mean;
	double finished_s; /* throughput; of longer than a window, see limit.c */
	double unloaded;   /* s; mean delay without a queue */
	double peak;       /* most open INVITEs of the last ten minutes or so */
	uint64_t gentle; /* ns; until then growth beyond `most` is slow: refusals and repeats tell of a limit,
			  */
	double most;     /* open INVITEs; that is near there */
	double best_s;   /* most that finished per second, of the last minute or so */
	double queue_lo, queue_mid; /* delay that a standing queue adds: at least, and most likely */
	double queue_was;           /* queue_mid of the window before */
	double target;              /* of it that is wanted */
	bool told;                  /* the progress of calls is among what they say */
	bool known;                 /* queue_lo, queue_mid mean something */
	bool in_use;                /* more than half of the cap, or calls were passed by for it */
	bool shown;     /* all answers are to calls sent since it is in use: they show what it does */
	bool paced;     /* finished_s is what the gateway can do: it is of such calls alone */
	bool congested; /* told as a notice */
	uint64_t busy;  /* ns; when the cap was last in use */
	double response_low, progress_low; /* for sight */
};

/* A control law: how limits follow the signals. laws.c */
struct law {
	const char *name;
	void (*start)(struct limit *l);
	/* A decision is due; congested: why less should be given, or LB_MOVED_NEVER. Moves l->cap and
	 * l->rate. */
	void (*step)(struct limit *l, enum lb_moved congested, uint64_t now);
	bool measures; /* the floor is worth measuring */
};

const struct law *law_of(uint8_t law); /* enum lb_law */

/* A gateway that nothing is known of yet. */
void limit_start(struct limit *l, const struct law *law);

#define LIMIT_LEAST  2.0  /* one served, one waiting: the server never idles for want of a message */
#define LIMIT_WAIT_S 10.0 /* longest, for answers under a new cap */

/* Moves the cap, and waits until answers come to what is sent under it. */
void limit_move(struct limit *l, double cap, enum lb_moved why, uint64_t now);

/* True as long as it waits for them. */
bool limit_waits(const struct limit *l, uint64_t now);

/* Puts the window into figures, again after a floor has changed. */
void limit_conclude(struct limit *l, uint64_t now);

/* The least delay that the window shows, or that is known. */
double limit_delay(const struct limit *l);

/* A cut for a queue has been made, from `from`; and what the window after it says. measure.c */
void limit_try(struct limit *l, double from, bool met);
void limit_tried(struct limit *l, uint64_t now);

/* With so few calls as the window had there is no queue: its delays are the floors. measure.c */
void limit_no_queue(struct limit *l, uint64_t now);

/* True while the cap is lowered to measure, and the law has to wait. may: the pool can spare it. measure.c */
bool limit_measure(struct limit *l, bool may, uint64_t now);

/* Sight. */
void limit_sight(const struct limit *l, struct lb_congestion *out);

#endif
