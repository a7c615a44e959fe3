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
	for (unsigned i = 0; i < LIMIT_GATEWAYS; i++)
		words->gateway[i].health = LB_UP;
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
