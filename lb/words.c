/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What control tells the workers about a gateway or a peer between two snapshots, and how a worker asks a
 * gateway for its part of the work. Must stay true: what word_admit() takes it takes whole or not at all, and
 * no limit of the operator's is passed at any moment, however many workers ask.
 */
#include "lb/base/hash.h"
#include "lb/words.h"

size_t lb_words_size(void)
{
	return sizeof(struct lb_words);
}

struct lb_words *lb_words_init(void *mem)
{
	struct lb_words *words = mem;

	memset(words, 0, sizeof(*words));
	for (unsigned i = 0; i < LIMIT_GATEWAYS; i++) {
		words->gateway[i].health = LB_UP;
		words->gateway[i].max_calls = LB_UNLIMITED;
		words->gateway[i].open_cap = LB_UNLIMITED;
	}
	for (unsigned i = 0; i < LIMIT_PEERS; i++) {
		words->peer[i].max_calls = LB_UNLIMITED;
		lb_set_peer_urgent(words, i, LB_URGENT_CPS);
	}
	lb_set_peer_urgent(words, LB_NONE, LB_URGENT_CPS);
	shares_init(&words->shares);
	return words;
}

void lb_set_health(struct lb_words *words, uint16_t slot, enum lb_health health)
{
	__atomic_store_n(&words->gateway[slot].health, health, __ATOMIC_SEQ_CST);
	word_changed(words, slot);
}

void lb_set_admin(struct lb_words *words, uint16_t slot, enum lb_admin admin)
{
	__atomic_store_n(&words->gateway[slot].admin, admin, __ATOMIC_SEQ_CST);
	word_changed(words, slot);
}

void lb_set_oc_start(struct lb_words *words, uint64_t ms)
{
	__atomic_store_n(&words->node.oc_start_ms, ms, __ATOMIC_RELAXED);
}

uint64_t lb_get_oc_start(const struct lb_words *words)
{
	return __atomic_load_n(&words->node.oc_start_ms, __ATOMIC_RELAXED);
}

bool lb_peer_asks(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->peer[slot].told, __ATOMIC_RELAXED) & TOLD_ASKED;
}

void lb_set_told(struct lb_words *words, uint16_t slot, uint32_t percent, uint64_t ms)
{
	uint64_t *word = &words->peer[slot].told, old = __atomic_load_n(word, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(word, &old, ms << 8 | (old & TOLD_ASKED) | percent, true,
					    __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

void lb_set_draining(struct lb_words *words, bool on, uint32_t retry_after_s)
{
	__atomic_store_n(&words->node.drain_retry_s,
			 !on             ? 0
			 : retry_after_s ? retry_after_s
					 : 1,
			 __ATOMIC_RELAXED);
}

bool lb_is_draining(const struct lb_words *words)
{
	return __atomic_load_n(&words->node.drain_retry_s, __ATOMIC_RELAXED) > 0;
}

void lb_forget_open(struct lb_words *words, uint16_t slot, uint16_t pool, uint8_t tier)
{
	struct word *g = &words->gateway[slot];
	uint32_t n;

	__atomic_fetch_add(&g->life, 1, __ATOMIC_SEQ_CST);
	n = __atomic_exchange_n(&g->open, 0, __ATOMIC_SEQ_CST);
	__atomic_fetch_sub(&words->pool[pool].open[tier], n, __ATOMIC_SEQ_CST);
	word_changed(words, slot);
}

void lb_set_panic(struct lb_words *words, uint16_t slot, bool on)
{
	uint8_t *panic = &words->gateway[slot].panic;

	if (__atomic_load_n(panic, __ATOMIC_RELAXED) != on) /* the line stays shared */
		__atomic_store_n(panic, on, __ATOMIC_RELAXED);
}

enum lb_health lb_get_health(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->gateway[slot].health, __ATOMIC_RELAXED);
}

enum lb_admin lb_get_admin(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->gateway[slot].admin, __ATOMIC_RELAXED);
}

void lb_set_gateway_cps(struct lb_words *words, uint16_t slot, uint32_t per_s)
{
	bucket_set(&words->gateway[slot].cps, per_s);
	word_changed(words, slot);
}

void lb_set_peer_cps(struct lb_words *words, uint16_t slot, uint32_t per_s)
{
	bucket_set(&words->peer[slot].cps, per_s);
}

void lb_set_gateway_rps(struct lb_words *words, uint16_t slot, uint32_t per_s)
{
	bucket_set(&words->gateway[slot].rps, per_s);
	word_changed(words, slot);
}

void lb_set_peer_rps(struct lb_words *words, uint16_t slot, uint32_t per_s)
{
	bucket_set(&words->peer[slot].rps, per_s);
}

/* Sets the bucket by either law, and keeps count of those that are paced. */
static void set_rate(struct lb_words *words, uint16_t slot, uint32_t per_s, uint64_t now,
		     void (*set)(struct bucket *, uint32_t))
{
	struct bucket *b = &words->gateway[slot].rate;
	bool was = bucket_is_paced(b);

	set(b, per_s);
	bucket_ease(b, now);
	if (was != bucket_is_paced(b))
		__atomic_fetch_add(&words->node.paced, was ? -1 : 1, __ATOMIC_RELAXED);
	word_changed(words, slot);
}

void lb_set_peer_urgent(struct lb_words *words, uint16_t slot, uint32_t per_s)
{
	bucket_set(slot == LB_NONE ? &words->nobody.urgent : &words->peer[slot].urgent, per_s);
}

void lb_set_gateway_rate(struct lb_words *words, uint16_t slot, uint32_t per_s, uint64_t now)
{
	set_rate(words, slot, per_s, now, bucket_set);
}

void lb_set_gateway_pace(struct lb_words *words, uint16_t slot, uint32_t per_s, uint64_t now)
{
	set_rate(words, slot, per_s, now, bucket_pace);
}

void lb_set_open_cap(struct lb_words *words, uint16_t slot, uint32_t max)
{
	__atomic_store_n(&words->gateway[slot].open_cap, max, __ATOMIC_SEQ_CST);
	word_changed(words, slot);
}

void lb_set_shed(struct lb_words *words, uint16_t slot, uint16_t part)
{
	__atomic_store_n(&words->gateway[slot].shed, part, __ATOMIC_SEQ_CST);
	word_changed(words, slot);
}

void lb_set_gateway_t1(struct lb_words *words, uint16_t slot, uint16_t ms)
{
	uint16_t *t1 = &words->gateway[slot].t1_ms;

	if (__atomic_load_n(t1, __ATOMIC_RELAXED) != ms)
		__atomic_store_n(t1, ms, __ATOMIC_RELAXED);
}

void lb_set_spill(struct lb_words *words, uint16_t pool, uint32_t per_s)
{
	bucket_set(&words->pool[pool].spill, per_s);
}

void lb_set_able(struct lb_words *words, uint16_t pool, uint8_t tier, uint32_t weight)
{
	uint32_t *able = &words->pool[pool].able[tier];

	if (__atomic_load_n(able, __ATOMIC_RELAXED) != weight)
		__atomic_store_n(able, weight, __ATOMIC_RELAXED);
}

uint32_t lb_gateway_open(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->gateway[slot].open, __ATOMIC_RELAXED);
}

void lb_set_gateway_calls(struct lb_words *words, uint16_t slot, uint32_t max)
{
	__atomic_store_n(&words->gateway[slot].max_calls, max, __ATOMIC_SEQ_CST);
	word_changed(words, slot);
}

void lb_set_peer_calls(struct lb_words *words, uint16_t slot, uint32_t max)
{
	__atomic_store_n(&words->peer[slot].max_calls, max, __ATOMIC_RELAXED);
}

uint32_t lb_gateway_calls(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->gateway[slot].calls, __ATOMIC_RELAXED);
}

uint32_t lb_peer_calls(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->peer[slot].calls, __ATOMIC_RELAXED);
}

void lb_set_survivors(struct lb_words *words, uint16_t slot, uint32_t n)
{
	__atomic_store_n(&words->gateway[slot].survivors, n, __ATOMIC_SEQ_CST);
	word_changed(words, slot);
}

void lb_cap_survivors(struct lb_words *words, uint16_t slot, uint32_t most)
{
	uint32_t *left = &words->gateway[slot].survivors, n = __atomic_load_n(left, __ATOMIC_RELAXED);

	while (n > most &&
	       !__atomic_compare_exchange_n(left, &n, most, true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
	word_changed(words, slot);
}

uint32_t lb_get_survivors(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->gateway[slot].survivors, __ATOMIC_RELAXED);
}

/* ---- Workers ----------------------------------------------------------------------------------------- */

/*
 * So much of a limit is kept for those who have not had their share. Of unanswered INVITEs that is more:
 * there the limit leaves room for some that wait, and places change hands so fast that few would be found
 * free.
 */
#define KEPT_PLACES 64 /* one of so many, and one */
#define KEPT_OPEN   16

static uint32_t kept(uint32_t limit, uint32_t of, const struct ask *ask)
{
	return ask->what == ASK_SPARE && limit > 1 ? 1 + limit / of : 0;
}

static bool has_place(const struct word *g, const struct ask *ask)
{
	uint32_t most = word_most(&g->max_calls, ask->headroom);

	if (!ask->room)
		return most == LB_UNLIMITED;
	return word_below(__atomic_load_n(&g->calls, __ATOMIC_RELAXED) + kept(most, KEPT_PLACES, ask), most,
			  &g->survivors);
}

static uint32_t left_to_others(const struct ask *ask, uint32_t headroom)
{
	return headroom > ask->yields ? headroom : ask->yields;
}

/* When the rate allows one more, as bucket_opens_at(); who has had his share gets only what stands idle. */
static uint64_t rate_at(const struct bucket *b, const struct ask *ask, uint32_t headroom)
{
	uint64_t opens = bucket_opens_at(b, left_to_others(ask, headroom)), idle;

	if (ask->what != ASK_SPARE)
		return opens;
	idle = bucket_idle_at(b);
	return opens > idle ? opens : idle;
}

static bool has_rate(const struct bucket *b, const struct ask *ask, uint32_t headroom)
{
	return rate_at(b, ask, headroom) <= ask->now;
}

/* True if this call is of the part that the gateway is to be spared; another part at each gateway. */
static bool is_shed(const struct word *g, uint32_t id, const struct ask *ask)
{
	uint16_t shed = __atomic_load_n(&g->shed, __ATOMIC_RELAXED);

	return shed && (shed == UINT16_MAX || hash_again(ask->branch + id) >> 48 < shed);
}

static enum lb_stop governor_stop(const struct word *g, uint32_t id, const struct ask *ask)
{
	uint32_t cap;

	if (is_shed(g, id, ask))
		return LB_STOP_SHED;
	cap = word_most(&g->open_cap, 0);
	if (ask->opens &&
	    !word_below(__atomic_load_n(&g->open, __ATOMIC_RELAXED) + kept(cap, KEPT_OPEN, ask), cap, NULL))
		return LB_STOP_OPEN;
	return has_rate(&g->rate, ask, 0) ? LB_STOP_NONE : LB_STOP_RATE;
}

/* Of what the governor says, only what a gateway asked for itself is for requests other than calls, too. */
static enum lb_stop request_stop(const struct word *g, uint32_t id, const struct ask *ask)
{
	if (!bucket_open(&g->rps, ask->now))
		return LB_STOP_RPS;
	if (!ask->governed)
		return LB_STOP_NONE;
	if (is_shed(g, id, ask))
		return LB_STOP_SHED;
	return bucket_is_paced(&g->rate) && !bucket_open(&g->rate, ask->now) ? LB_STOP_RATE : LB_STOP_NONE;
}

enum lb_stop word_stop(const struct word *g, uint32_t id, const struct ask *ask)
{
	if (!word_ready(g))
		return LB_STOP_STATE;
	if (ask->what == ASK_REQUEST)
		return request_stop(g, id, ask);
	if (ask->what != ASK_REFERRAL && !has_place(g, ask))
		return LB_STOP_CALLS;
	if (!has_rate(&g->cps, ask, ask->headroom))
		return LB_STOP_CPS;
	return ask->governed && ask->what != ASK_REFERRAL ? governor_stop(g, id, ask) : LB_STOP_NONE;
}

uint64_t word_opens_at(const struct word *g, uint32_t id, const struct ask *ask)
{
	switch (word_stop(g, id, ask)) {
	case LB_STOP_NONE:
	case LB_STOP_SHED: /* another call may be spared */
		return 0;
	case LB_STOP_CPS:
		return rate_at(&g->cps, ask, ask->headroom);
	case LB_STOP_RPS:
		return bucket_opens_at(&g->rps, 0);
	case LB_STOP_RATE:
		return rate_at(&g->rate, ask, 0);
	default:
		return UINT64_MAX;
	}
}

/* One of `open`; who is not governed is counted all the same. */
static bool take_open(struct word *g, const struct ask *ask)
{
	return word_raise(&g->open, ask->governed ? word_most(&g->open_cap, 0) : LB_UNLIMITED, NULL);
}

static enum lb_stop take_request(struct word *g, const struct ask *ask)
{
	if (!bucket_take(&g->rps, ask->now))
		return LB_STOP_RPS;
	if (!bucket_is_paced(&g->rate) || bucket_take(&g->rate, ask->now))
		return LB_STOP_NONE;
	if (ask->governed)
		return LB_STOP_RATE;
	bucket_charge(&g->rate, ask->now);
	return LB_STOP_NONE;
}

/* What was free a moment ago is taken, one after the other; who comes too late gives all back. */
static enum lb_stop take_call(struct lb_words *words, uint16_t slot, const struct ask *ask)
{
	struct word *g = &words->gateway[slot];
	enum lb_stop stop;

	if (!word_reserve_within(g, ask->room, ask->headroom))
		return LB_STOP_CALLS;
	stop = LB_STOP_OPEN;
	if (ask->opens && !take_open(g, ask))
		goto give_place_back;
	stop = LB_STOP_CPS;
	if (!bucket_take_within(&g->cps, ask->now, left_to_others(ask, ask->headroom)))
		goto give_open_back;
	stop = LB_STOP_RATE;
	if (bucket_take_within(&g->rate, ask->now, ask->yields))
		return LB_STOP_NONE;
	if (!ask->governed) {
		bucket_charge(&g->rate, ask->now);
		return LB_STOP_NONE;
	}
give_open_back:
	if (ask->opens)
		word_lower(&g->open);
give_place_back:
	if (ask->room)
		word_lower(&g->calls);
	word_changed(words, slot);
	return stop;
}

enum lb_stop word_admit(struct lb_words *words, uint16_t slot, uint32_t id, const struct ask *ask)
{
	struct word *g = &words->gateway[slot];
	enum lb_stop stop = word_stop(g, id, ask);

	if (stop != LB_STOP_NONE)
		return stop;
	if (ask->what == ASK_REFERRAL)
		return bucket_take_within(&g->cps, ask->now, ask->headroom) ? LB_STOP_NONE : LB_STOP_CPS;
	if (ask->what == ASK_REQUEST)
		return take_request(g, ask);
	return take_call(words, slot, ask);
}
