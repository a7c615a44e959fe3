/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Counted calls: entries by number, chained by the hash of their Call-ID. Worker. What must stay true: a
 * place at a gateway or of a peer belongs to exactly one entry from the moment the entry is told of it;
 * give_back() is the only way out, and an entry that is over holds none. Times are milliseconds that wrap
 * after 49 days, so they are only ever compared by their difference, which stays below half of that.
 */
#include "lb/call/call.h"

#define READS 16 /* tries to read an entry between two writes */

_Static_assert((int)ST_CALL_CANCELLED == (int)ST_CALL_FAILED + (int)LB_END_CANCELLED,
	       "enum lb_call_end has their order");

/* ---- The table ------------------------------------------------------------------------------------- */

/*
 * Heads of chains for n entries, two for each at least: whoever looks for the entry of a new call, which is
 * in no chain yet, reads all that are in it, each a cache miss.
 */
static uint32_t heads_for(uint32_t n)
{
	uint32_t heads = 16;

	while (heads < UINT32_C(1) << 31 && heads / 2 < n)
		heads *= 2;
	return heads;
}

static size_t pages_for(uint32_t n)
{
	return (n + CALL_PAGE - 1) / CALL_PAGE;
}

size_t calls_size(uint32_t n)
{
	return CALL_PAGE_BYTES + pages_for(n) * sizeof(struct call_page) + heads_for(n) * sizeof(uint32_t);
}

void calls_init(struct calls *c, void *mem, const struct calls_spec *spec)
{
	uintptr_t at = ((uintptr_t)mem + CALL_PAGE_BYTES - 1) & ~(uintptr_t)(CALL_PAGE_BYTES - 1);

	*c = (struct calls){
		.spec = *spec, .page = (void *)at, .free_list = CALL_NONE, .soonest = CALL_NEVER
	};
	c->chain = (uint32_t *)(c->page + pages_for(spec->n));
	c->mask = heads_for(spec->n) - 1;
	memset(c->chain, 0xff, ((size_t)c->mask + 1) * sizeof(uint32_t));
	for (size_t p = 0; p < pages_for(spec->n); p++) {
		memset(&c->page[p], 0, sizeof(c->page[p]));
		memset(c->page[p].due, 0xff, sizeof(c->page[p].due));
	}
	for (uint32_t i = spec->n; i-- > 0;) {
		call_entry(c, i)->next = c->free_list;
		c->free_list = i;
	}
}

void call_fetch(const struct calls *c, uint32_t i, bool moves)
{
	if (i == CALL_NONE)
		return;
	__builtin_prefetch(call_entry(c, i), 1);
	if (moves)
		__builtin_prefetch(call_deadline(c, i), 1);
}

void call_prefetch(const struct calls *c, uint64_t call_hash, bool moves, enum lb_fetch step)
{
	uint32_t tag = call_tag(call_hash), *head = &c->chain[tag & c->mask];

	if (step == LB_FETCH_HEADS)
		__builtin_prefetch(head, 1);
	else if (step == LB_FETCH_ENTRIES)
		call_fetch(c, *head, moves);
	else if (*head != CALL_NONE && call_entry(c, *head)->tag != tag)
		call_fetch(c, call_entry(c, *head)->next, moves);
}

bool calls_room(const struct calls *c)
{
	return c->free_list != CALL_NONE;
}

bool calls_crowd(const struct calls *c, uint64_t call_hash, unsigned most)
{
	uint32_t tag = call_tag(call_hash);

	for (uint32_t i = c->chain[tag & c->mask]; i != CALL_NONE && most > 0; i = call_entry(c, i)->next)
		most -= call_entry(c, i)->tag == tag;
	return most == 0;
}

static uint32_t take_entry(struct calls *c)
{
	uint32_t i = c->free_list;

	if (i != CALL_NONE) {
		c->free_list = call_entry(c, i)->next;
		c->ever = i / CALL_PAGE < c->ever ? c->ever : i / CALL_PAGE + 1;
		if (c->free_list != CALL_NONE)
			__builtin_prefetch(call_entry(c, c->free_list), 1); /* that of the next call */
		__atomic_store_n(&c->in_use, c->in_use + 1, __ATOMIC_RELAXED);
	}
	return i;
}

/* ---- Places ---------------------------------------------------------------------------------------- */

static void has_place(struct calls *c, uint16_t slot)
{
	if (slot != LB_NONE)
		st_gateway_inc(c->spec.lane, slot, ST_GW_PLACES_TAKEN);
}

static void give_back(struct calls *c, uint16_t slot)
{
	if (slot == LB_NONE)
		return;
	if (!word_release(c->spec.words, slot))
		st_inc(c->spec.lane, ST_CALL_DRIFT);
	st_gateway_inc(c->spec.lane, slot, ST_GW_PLACES_GIVEN);
}

static void enter_share(struct calls *c, uint32_t i, uint16_t share)
{
	call_entry(c, i)->share = share;
	if (share != SHARE_NONE)
		share_add(c->spec.shares[share].calls, 1);
}

static void leave_share(struct calls *c, uint32_t i)
{
	uint16_t share = call_entry(c, i)->share;

	if (share == SHARE_NONE)
		return;
	share_add(c->spec.shares[share].calls, -1);
	share_give(&c->spec.words->shares.at[share]);
	call_entry(c, i)->share = SHARE_NONE;
}

void call_share(struct calls *c, uint32_t i, uint16_t share)
{
	leave_share(c, i);
	enter_share(c, i, share);
}

static void chain(struct calls *c, uint32_t i)
{
	uint32_t *head = &c->chain[call_entry(c, i)->tag & c->mask];

	call_entry(c, i)->next = *head;
	*head = i;
}

static void unchain(struct calls *c, uint32_t i)
{
	uint32_t *link = &c->chain[call_entry(c, i)->tag & c->mask];

	while (*link != i)
		link = &call_entry(c, *link)->next;
	*link = call_entry(c, i)->next;
}

void call_close(struct calls *c, uint32_t i)
{
	struct call *e = call_entry(c, i);

	unchain(c, i);
	call_begin(e);
	if (e->counts_in)
		give_back(c, e->in);
	give_back(c, e->out);
	if (e->peer != LB_NONE && !peer_release(&c->spec.words->peer[e->peer]))
		st_inc(c->spec.lane, ST_CALL_DRIFT);
	leave_share(c, i);
	e->state = CALL_FREE;
	call_done(e);
	*call_deadline(c, i) = CALL_NEVER;
	e->next = c->free_list;
	c->free_list = i;
	__atomic_store_n(&c->in_use, c->in_use - 1, __ATOMIC_RELAXED);
}

static void record(struct calls *c, uint32_t i, enum lb_call_end how, uint16_t status, uint64_t now)
{
	const struct call *e = call_entry(c, i);
	const struct lb_record r = {
		.ended = now,
		.age_ms = call_ms(now) - e->created,
		.answered_ms = e->state == CALL_ANSWERED ? call_ms(now) - e->answered : 0,
		.in = e->in,
		.out = e->out,
		.peer = e->peer,
		.status = e->state == CALL_ANSWERED ? 200 : status,
		.how = how,
		.bye_caller = e->bye_caller,
	};

	st_inc(c->spec.lane, record_put(c->spec.records, i, &r) ? ST_RECORDS : ST_RECORDS_LOST);
}

static void count_held(struct calls *c, uint16_t slot, uint32_t ms)
{
	if (slot == LB_NONE)
		return;
	st_gateway_inc(c->spec.lane, slot, ST_GW_CALLS_HELD);
	st_gateway_add(c->spec.lane, slot, ST_GW_HELD_SECONDS, (ms + 500) / 1000);
}

/* Counts and records what ends the call, while its entry still tells about it. */
static void note_end(struct calls *c, uint32_t i, enum lb_call_end how, uint16_t status, uint64_t now)
{
	const struct call *e = call_entry(c, i);

	if (e->again)
		return;
	st_inc(c->spec.lane, ST_CALL_FAILED + how);
	if (e->state == CALL_ANSWERED) {
		count_held(c, e->out, call_ms(now) - e->answered);
		count_held(c, e->counts_in ? e->in : LB_NONE, call_ms(now) - e->answered);
	}
	if (c->spec.records->note)
		record(c, i, how, status, now);
}

/* An answered entry of the same INVITE, or CALL_NONE. */
static uint32_t find_twin(const struct calls *c, uint32_t i)
{
	const struct call *e = call_entry(c, i);
	uint32_t k = c->chain[e->tag & c->mask];

	while (k != CALL_NONE &&
	       (k == i || call_entry(c, k)->state != CALL_ANSWERED || call_entry(c, k)->tag != e->tag ||
		call_entry(c, k)->caller != e->caller || call_entry(c, k)->branch != e->branch))
		k = call_entry(c, k)->next;
	return k;
}

/* The call goes on at another gateway that has answered it, too. False: it does not. */
static bool hand_on(struct calls *c, uint32_t i)
{
	struct call *e = call_entry(c, i), *to;
	uint32_t k = e->twin ? find_twin(c, i) : CALL_NONE;

	if (k == CALL_NONE || !call_entry(c, k)->again)
		return false;
	to = call_entry(c, k);
	call_begin(to);
	to->in = e->in;
	to->counts_in = e->counts_in;
	to->peer = e->peer;
	to->again = e->again;
	to->created = e->created;
	call_done(to);
	call_begin(e);
	e->counts_in = 0;
	e->peer = LB_NONE;
	call_done(e);
	record_move(c->spec.records, i, k);
	return true;
}

void call_end(struct calls *c, uint32_t i, enum lb_call_end how, uint16_t status, uint64_t now)
{
	if (call_entry(c, i)->again || !hand_on(c, i))
		note_end(c, i, how, status, now);
	call_close(c, i);
}

/* ---- Set-up ---------------------------------------------------------------------------------------- */

uint32_t call_open(struct calls *c, const struct call_key *key, const struct call_sides *sides, uint64_t now)
{
	uint32_t i = take_entry(c);
	struct call *e = call_entry(c, i);

	if (i == CALL_NONE) {
		st_inc(c->spec.lane, ST_CALL_UNCOUNTED);
		if (sides->share != SHARE_NONE)
			share_give(&c->spec.words->shares.at[sides->share]);
		return CALL_NONE;
	}
	call_begin(e);
	*e = (struct call){
		.seq = e->seq,
		.tag = call_tag(key->call_hash),
		.caller = key->caller,
		.branch = key->branch,
		.in = sides->in,
		.out = sides->out,
		.peer = sides->peer,
		.state = CALL_SETUP,
		.counts_in = sides->counts_in,
		.created = call_ms(sides->began),
		.end = call_ms(now + c->spec.setup_ns),
	};
	call_done(e);
	*call_flow_at(c, i) = (struct call_flow){ .port = sides->flow.port,
						  .v6 = sides->flow.v6,
						  .listener = sides->listener };
	memcpy(call_flow_at(c, i)->ip, sides->flow.ip, sizeof(sides->flow.ip));
	enter_share(c, i, sides->share);
	chain(c, i);
	has_place(c, e->out);
	if (e->counts_in) {
		word_take(&c->spec.words->gateway[e->in]);
		has_place(c, e->in);
	}
	call_wake(c, i, now + c->spec.setup_ns);
	return i;
}

static bool same_call(const struct call *e, const struct call_key *key)
{
	return e->tag == call_tag(key->call_hash) && e->caller == key->caller && e->branch == key->branch;
}

void call_is_again(struct calls *c, uint32_t i, const struct call_key *key)
{
	for (uint32_t k = c->chain[call_entry(c, i)->tag & c->mask]; k != CALL_NONE;
	     k = call_entry(c, k)->next) {
		if (!same_call(call_entry(c, k), key))
			continue;
		call_begin(call_entry(c, k));
		call_entry(c, k)->again |= k == i;
		call_entry(c, k)->twin = 1;
		call_done(call_entry(c, k));
	}
}

uint32_t call_of(const struct calls *c, const struct call_key *key)
{
	uint32_t i = c->chain[call_tag(key->call_hash) & c->mask];

	while (i != CALL_NONE && (call_entry(c, i)->state == CALL_HOLD || !same_call(call_entry(c, i), key)))
		i = call_entry(c, i)->next;
	return i;
}

uint32_t call_still(const struct calls *c, uint32_t i, const struct call_key *key)
{
	if (i != CALL_NONE &&
	    (call_entry(c, i)->state == CALL_SETUP || call_entry(c, i)->state == CALL_ANSWERED) &&
	    same_call(call_entry(c, i), key))
		return i;
	return call_of(c, key);
}

uint32_t call_answered_at(const struct calls *c, const struct call_key *key, uint16_t gateway)
{
	uint32_t i = c->chain[call_tag(key->call_hash) & c->mask];

	while (i != CALL_NONE && (call_entry(c, i)->state != CALL_ANSWERED ||
				  call_entry(c, i)->out != gateway || !same_call(call_entry(c, i), key)))
		i = call_entry(c, i)->next;
	return i;
}

void call_news(struct calls *c, uint32_t i, uint64_t now)
{
	struct call *e = call_entry(c, i);

	if (e->state != CALL_SETUP)
		return;
	call_begin(e);
	e->end = call_ms(now + c->spec.setup_ns); /* found out when its deadline comes */
	call_done(e);
}

/* Holds the place at `slot` of a branch of entry i, in an entry that has nothing else. */
static void hold(struct calls *c, uint32_t i, uint16_t slot, uint64_t now)
{
	uint32_t h = take_entry(c);
	const struct call *of = call_entry(c, i);
	struct call *e = call_entry(c, h);

	if (h == CALL_NONE) {
		give_back(c, slot);
		return;
	}
	call_begin(e);
	*e = (struct call){
		.seq = e->seq,
		.tag = of->tag,
		.caller = of->caller,
		.branch = of->branch,
		.in = LB_NONE,
		.out = slot,
		.peer = LB_NONE,
		.share = SHARE_NONE,
		.state = CALL_HOLD,
		.created = call_ms(now),
		.end = call_ms(now + c->spec.hold_ns),
	};
	call_done(e);
	chain(c, h);
	call_wake(c, h, now + c->spec.hold_ns);
}

/* The hold for a branch at `gateway`, or CALL_NONE. */
static uint32_t find_hold(const struct calls *c, const struct call_key *key, uint16_t gateway)
{
	uint32_t i = c->chain[call_tag(key->call_hash) & c->mask];

	while (i != CALL_NONE && (call_entry(c, i)->state != CALL_HOLD || call_entry(c, i)->out != gateway ||
				  !same_call(call_entry(c, i), key)))
		i = call_entry(c, i)->next;
	return i;
}

static void set_out(struct call *e, uint16_t slot)
{
	call_begin(e);
	e->out = slot;
	call_done(e);
}

void call_move(struct calls *c, uint32_t i, uint16_t out, bool open, uint64_t now)
{
	uint16_t before = call_entry(c, i)->out;

	set_out(call_entry(c, i), out);
	has_place(c, out);
	call_news(c, i, now);
	if (open && before != LB_NONE)
		hold(c, i, before, now);
	else
		give_back(c, before);
}

void call_let_go(struct calls *c, const struct call_key *key, uint16_t gateway)
{
	uint32_t h = find_hold(c, key, gateway);

	if (h != CALL_NONE)
		call_close(c, h);
}

void call_swap(struct calls *c, uint32_t i, const struct call_key *key, uint16_t gateway, uint64_t now)
{
	struct call *e = call_entry(c, i);
	uint16_t before = e->out;
	uint32_t h;

	if (before == gateway)
		return;
	h = find_hold(c, key, gateway);
	if (h != CALL_NONE) {
		set_out(call_entry(c, h), before);
		set_out(e, gateway);
	} else {
		word_take(&c->spec.words->gateway[gateway]);
		call_move(c, i, gateway, true, now);
	}
}

void call_fail(struct calls *c, uint32_t i, enum lb_call_end how, uint16_t status, bool open, uint64_t now)
{
	struct call *e = call_entry(c, i);

	if (e->state != CALL_SETUP)
		return;
	note_end(c, i, how, status, now);
	if (open && e->out != LB_NONE) {
		hold(c, i, e->out, now);
		set_out(e, LB_NONE);
	}
	call_close(c, i);
}

/* ---- Sight ----------------------------------------------------------------------------------------- */

bool call_read(const struct calls *c, uint32_t i, struct call *copy)
{
	const uint64_t *from = (const uint64_t *)call_entry(c, i);
	uint64_t words[sizeof(struct call) / sizeof(uint64_t)];

	for (unsigned tries = 0; tries < READS; tries++) {
		uint32_t seq = __atomic_load_n(&call_entry(c, i)->seq, __ATOMIC_ACQUIRE);

		for (unsigned k = 0; k < sizeof(words) / sizeof(words[0]); k++)
			words[k] = __atomic_load_n(&from[k], __ATOMIC_RELAXED);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (seq % 2 == 0 && seq == __atomic_load_n(&call_entry(c, i)->seq, __ATOMIC_RELAXED)) {
			memcpy(copy, words, sizeof(*copy));
			return copy->state != CALL_FREE;
		}
	}
	return false;
}
