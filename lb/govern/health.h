/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health of one gateway as a machine: what was seen in a step of the governor goes in, a state and limits
 * come out. It sends nothing and reads no clock. Control thread; plain data without pointers.
 *
 * Silence alone makes a gateway DOWN, and whatever it sends is a sign of life: one that answers calls but no
 * probes is alive; one that answers probes but no calls is not. A gateway that was DOWN comes back by steps,
 * each of which it must earn with calls it answers. A gateway that says it is full gets less, never nothing.
 */
#ifndef WEIR_LB_HEALTH_H
#define WEIR_LB_HEALTH_H

#include <stdbool.h>
#include "lb/govern/govern.h"

#define HEALTH_MUTE_NS     1500000000ull /* silence that counts, while so many INVITEs wait: */
#define HEALTH_PENDING     20
#define HEALTH_BOUNCED     3             /* INVITEs that came back by ICMP, */
#define HEALTH_BOUNCED_NS  1000000000ull /* and the silence that makes that count */
#define HEALTH_ANSWER_NS   4000000000ull /* silence to INVITEs that ends PROBING, whatever else is heard */
#define HEALTH_HOLD_NS     1000000000ull /* shortest time in DOWN; doubles with each flap, up to */
#define HEALTH_FLAPS       5             /* doublings; the last is cut to */
#define HEALTH_HOLD_MAX_NS 30000000000ull
#define HEALTH_CALM_NS     60000000000ull /* being well that takes one doubling back */
#define HEALTH_TAKEN       3              /* trickle calls answered that end PROBING */
#define HEALTH_TRICKLE     1              /* per s; */
#define HEALTH_TRICKLE_MAX 16             /* in a pool where nobody is well it grows to this */
#define HEALTH_START       10             /* per s; where SLOWSTART begins at least */
#define HEALTH_CLEAR_NS    10000000000ull /* time without trouble that ends SLOWSTART, */
#define HEALTH_SLOW_MAX_NS 30000000000ull /* and the longest it lasts */
#define HEALTH_EASED_NS    3000000000ull  /* after the last sign of being full */

enum health_event {
	HEALTH_NOTHING,
	HEALTH_SILENT,
	HEALTH_BACK,   /* a sign of life, and the hold-off is over */
	HEALTH_PROVEN, /* trickle calls were answered */
	HEALTH_FULL,
	HEALTH_EASED, /* not full any more, but still shrunk */
	HEALTH_CLEAR, /* nothing is wrong with it */
	HEALTH_EVENTS
};

/* All fields: control. Times are monotonic ns. */
struct health {
	uint64_t since;      /* last change of state */
	uint64_t heard;      /* last message of its own accord or to a caller's; see word.heard */
	uint64_t asked;      /* first INVITE since, as of the step that saw it; 0: none */
	uint64_t due;        /* first INVITE since one was answered; 0: none */
	uint64_t probe_ok;   /* when the last probe that was answered left */
	uint64_t probe_lost; /* when the first of those that were not, in a row, left */
	uint64_t hold;       /* DOWN lasts at least until then */
	uint64_t clear;      /* SLOWSTART: last trouble, or its start */
	uint64_t full;       /* last sign of being full */
	uint64_t calm;       /* when `flaps` last changed */
	uint64_t second;     /* start of the second in hand */
	uint32_t asked_n;    /* INVITEs since `heard` */
	uint32_t bounced_n;  /* of them, came back by ICMP */
	uint32_t sent, answered, refused, passed; /* in the second in hand, as in struct health_seen */
	uint32_t carried;                         /* INVITEs in the second before */
	uint32_t offered;                         /* and with those that passed it by */
	uint32_t usual;                           /* per s; smoothed over some seconds of being well */
	uint32_t rate;     /* new calls per s that its health allows, or LB_UNLIMITED */
	uint32_t open_cap; /* INVITEs without answer that it allows, or LB_UNLIMITED */
	uint32_t figure;   /* number that goes with `why` */
	uint8_t state;     /* enum lb_health */
	uint8_t why;       /* enum lb_health_why: of the last change */
	uint8_t lost, ok;  /* probes in a row without an answer, with one; up to 255 */
	uint8_t refusing;  /* 1: the last probe was answered 503 */
	uint8_t refusals;  /* such answers that have not been judged yet */
	uint8_t taken;     /* PROBING: calls answered */
	uint8_t flaps;     /* times that it went down lately */
	uint8_t maint;     /* 1: it was under maintenance in the last step */
};

/* What a step sees of a gateway. */
struct health_seen {
	uint64_t now;
	uint64_t heard;    /* word.heard */
	uint64_t hearing;  /* silence before this may be our own */
	uint32_t sent;     /* INVITEs since the last step; */
	uint32_t answered; /* first responses, 100 included; */
	uint32_t refused;  /* 503s and their like; */
	uint32_t bounced;  /* INVITEs that came back by ICMP */
	uint32_t
		passed; /* new calls that were meant for it, and passed it by for a limit of the governor's */
	uint32_t limit; /* new calls per s that it can take by all that is known, or LB_UNLIMITED; */
	uint32_t limit_open;          /* INVITEs without answer, the same */
	uint64_t lowered;             /* when that was last lowered because it is full, as learned */
	uint8_t admin;                /* enum lb_admin */
	uint8_t down_after, up_after; /* probes; see struct lb_pool_spec */
	bool oc;                      /* it asks for less by overload control */
	bool alone;                   /* no gateway of its pool is well */
	bool panic;                   /* silence is not held against it now */
};

/* A gateway of which is known what its word says, and nothing else. */
void health_init(struct health *h, enum lb_health state, uint64_t now);

/* A probe that left at `sent` ended. heard: word.heard. */
void health_probe(struct health *h, enum lb_probe_result result, uint64_t sent, uint64_t heard);

/* Takes in what was seen; before health_silent() and health_step(). */
void health_note(struct health *h, const struct health_seen *seen);

/* Why it is silent (LB_WHY_...), or LB_WHY_NONE; *figure goes with it. */
enum lb_health_why health_silent(const struct health *h, const struct health_seen *seen, uint32_t *figure);

/*
 * True if it has been asked something since it was heard last and has not answered for `ns`; then *heard and
 * *asked are when. However long ago that was: the silence began somewhere between the two.
 */
bool health_mute(const struct health *h, const struct health_seen *seen, uint64_t ns, uint64_t *heard,
		 uint64_t *asked);

/* One step. True if the state changed: h->why says why. */
bool health_step(struct health *h, const struct health_seen *seen);

/* True if calls of its pool need not wait for others: alive and proven. */
static inline bool health_is_well(const struct health *h)
{
	return h->state == LB_UP || h->state == LB_SATURATED || h->state == LB_SLOWSTART;
}

#endif
