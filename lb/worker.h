/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of one worker. Made by control before the worker starts, then the worker's alone. */
#ifndef WEIR_LB_WORKER_H
#define WEIR_LB_WORKER_H

#include "lb/call/calls.h"
#include "lb/admit/memo.h"
#include "lb/choose/pin.h"
#include "lb/admit/refusal.h"
#include "lb/call/setup.h"
#include "lb/signals.h"
#include "lb/admit/sources.h"
#include "lb/base/wheel.h"
#include "lb/words.h"

struct lb_worker {
	struct lb_words *words; /* shared */
	struct st_lane *lane;   /* this worker's */
	uint64_t pin_ns;        /* see struct lb_worker_spec */
	uint64_t ringing_ns;
	struct lb_timers timers;
	struct lb_trail *trail;      /* LIMIT_TRAIL of them, or NULL */
	uint32_t trail_turn;         /* decisions so far, wraps; worker wo, control ro */
	uint32_t turns[LIMIT_POOLS]; /* see struct pick */
	struct pins pins;
	uint64_t invites_pinned; /* ns; until then there may be pins of INVITEs; 0: there is none */
	uint64_t byes_pinned;    /* the same of the BYEs of survivors */
	bool refusing; /* the last new call found its pool full: the next will need no entry either */
	struct memo *memo;
	struct sources *sources;
	struct share_cell *shares; /* by pair, see lb/admit/shares.h */
	struct told_cell *told;    /* by pool */
	struct setups setups;
	struct signal_board *signals; /* for the governor */
	struct calls calls;
	struct records records;
	struct wheel wheel; /* a timer for each setup */
};

/* An INVITE is pinned, or its pin lasts longer. Worker. */
static inline void note_invite_pin(struct lb_worker *w, uint64_t now)
{
	w->invites_pinned = now + (w->ringing_ns > w->pin_ns ? w->ringing_ns : w->pin_ns);
}

/* Writes a decision down; its turn is 0. Worker. */
void trail_add(struct lb_worker *w, const struct lb_trail *note);

#endif
