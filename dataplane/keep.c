/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Kept messages: a table of handles and a free list of fixed chunks. Runs on its worker, but for the free
 * count. Must stay true: a chunk is on the free list or on one handle's chain, never on both. Links lie apart
 * from the chunks: letting go of a message, as most calls do unread, touches none of its bytes.
 */
#include "dataplane/keep.h"

#include "conf/limits.h"

#define NONE    UINT32_MAX
#define LONGEST UINT16_MAX                                     /* bytes of a message */
#define NEXT    ((uint32_t)KEEP_CHUNK)                         /* bytes of text in a chunk */
#define FIRST   ((uint32_t)(KEEP_CHUNK - sizeof(struct kept))) /* and in a first one */

struct keep {
	uint32_t handles, chunks;
	uint32_t free_list;
	uint32_t n_free; /* worker wo, control ro */
	uint8_t *chunk;
	uint32_t *next;   /* by chunk: of its chain or of the free list, or NONE */
	char *whole;      /* LONGEST bytes, where a chain is put together */
	uint32_t first[]; /* by handle: its first chunk, or NONE */
};

static size_t align64(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

size_t keep_size(uint32_t handles, uint32_t chunks)
{
	return align64(sizeof(struct keep) + handles * sizeof(uint32_t)) +
	       align64(chunks * sizeof(uint32_t)) + align64(LONGEST) + (size_t)chunks * KEEP_CHUNK;
}

static uint8_t *at(const struct keep *k, uint32_t i)
{
	return k->chunk + (size_t)i * KEEP_CHUNK;
}

struct keep *keep_init(void *mem, uint32_t handles, uint32_t chunks)
{
	struct keep *k = mem;

	k->handles = handles;
	k->chunks = k->n_free = chunks;
	k->next = (uint32_t *)((char *)mem + align64(sizeof(*k) + handles * sizeof(uint32_t)));
	k->whole = (char *)k->next + align64(chunks * sizeof(uint32_t));
	k->chunk = (uint8_t *)k->whole + align64(LONGEST);
	k->free_list = chunks ? 0 : NONE;
	for (uint32_t i = 0; i < chunks; i++)
		k->next[i] = i + 1 < chunks ? i + 1 : NONE;
	for (uint32_t i = 0; i < handles; i++)
		k->first[i] = NONE;
	return k;
}

static uint32_t needs(uint32_t n)
{
	return n <= FIRST ? 1 : 1 + (n - FIRST + NEXT - 1) / NEXT;
}

bool keep_room(const struct keep *k, uint32_t n)
{
	return k->n_free >= needs(n);
}

bool keep_ample(const struct keep *k)
{
	return k->chunks == 0 || k->n_free >= LIMIT_BURST * needs(LIMIT_MBUF_OBJ);
}

static uint32_t take(struct keep *k)
{
	uint32_t i = k->free_list;

	k->free_list = k->next[i];
	__atomic_store_n(&k->n_free, k->n_free - 1, __ATOMIC_RELAXED);
	k->next[i] = NONE;
	return i;
}

/* Chunks of what is kept as `handle`. */
static uint32_t held(const struct keep *k, uint32_t handle)
{
	uint32_t i = k->first[handle];

	return i == NONE ? 0 : needs(((const struct kept *)at(k, i))->n);
}

bool keep_put(struct keep *k, uint32_t handle, const struct kept *what, const char *bytes)
{
	struct kept *head;
	uint32_t i;

	if (k->n_free + held(k, handle) < needs(what->n))
		return false;
	keep_drop(k, handle);
	i = take(k);
	k->first[handle] = i;
	head = (struct kept *)at(k, i);
	*head = *what;
	memcpy(head + 1, bytes, what->n < FIRST ? what->n : FIRST);
	for (uint32_t done = FIRST; done < what->n; done += NEXT) {
		uint32_t more = take(k);

		k->next[i] = more;
		i = more;
		memcpy(at(k, i), bytes + done, what->n - done < NEXT ? what->n - done : NEXT);
	}
	return true;
}

const char *keep_get(struct keep *k, uint32_t handle, struct kept *what)
{
	uint32_t i = k->first[handle];
	const struct kept *head;

	if (i == NONE)
		return NULL;
	head = (const struct kept *)at(k, i);
	*what = *head;
	if (what->n <= FIRST)
		return (const char *)(head + 1);
	memcpy(k->whole, head + 1, FIRST);
	for (uint32_t done = FIRST; done < what->n; done += NEXT) {
		i = k->next[i];
		memcpy(k->whole + done, at(k, i), what->n - done < NEXT ? what->n - done : NEXT);
	}
	return k->whole;
}

void keep_stick(struct keep *k, uint32_t handle)
{
	if (k->first[handle] != NONE)
		((struct kept *)at(k, k->first[handle]))->stuck = true;
}

void keep_drop(struct keep *k, uint32_t handle)
{
	uint32_t i = k->first[handle];

	k->first[handle] = NONE;
	while (i != NONE) {
		uint32_t next = k->next[i];

		k->next[i] = k->free_list;
		k->free_list = i;
		__atomic_store_n(&k->n_free, k->n_free + 1, __ATOMIC_RELAXED);
		i = next;
	}
}

uint32_t keep_free(const struct keep *k)
{
	return __atomic_load_n(&k->n_free, __ATOMIC_RELAXED);
}

uint32_t keep_chunks(const struct keep *k)
{
	return k->chunks;
}
