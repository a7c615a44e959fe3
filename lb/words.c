/* SPDX-License-Identifier: BSD-3-Clause */
/* What control tells the workers about a gateway or a peer between two snapshots. Control thread. */
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
	}
	for (unsigned i = 0; i < LIMIT_PEERS; i++)
		words->peer[i].max_calls = LB_UNLIMITED;
	return words;
}

void lb_set_health(struct lb_words *words, uint16_t slot, enum lb_health health)
{
	__atomic_store_n(&words->gateway[slot].health, health, __ATOMIC_RELAXED);
}

void lb_set_admin(struct lb_words *words, uint16_t slot, enum lb_admin admin)
{
	__atomic_store_n(&words->gateway[slot].admin, admin, __ATOMIC_RELAXED);
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
}

void lb_set_peer_cps(struct lb_words *words, uint16_t slot, uint32_t per_s)
{
	bucket_set(&words->peer[slot].cps, per_s);
}

void lb_set_gateway_calls(struct lb_words *words, uint16_t slot, uint32_t max)
{
	__atomic_store_n(&words->gateway[slot].max_calls, max, __ATOMIC_RELAXED);
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
	__atomic_store_n(&words->gateway[slot].survivors, n, __ATOMIC_RELAXED);
}

void lb_cap_survivors(struct lb_words *words, uint16_t slot, uint32_t most)
{
	uint32_t *left = &words->gateway[slot].survivors, n = __atomic_load_n(left, __ATOMIC_RELAXED);

	while (n > most &&
	       !__atomic_compare_exchange_n(left, &n, most, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

uint32_t lb_get_survivors(const struct lb_words *words, uint16_t slot)
{
	return __atomic_load_n(&words->gateway[slot].survivors, __ATOMIC_RELAXED);
}
