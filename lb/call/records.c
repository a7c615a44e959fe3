/* SPDX-License-Identifier: BSD-3-Clause */
/* See records.h. Worker, but for lb_record_next(), which is control's. */
#include "lb/call/records.h"
#include "lb/worker.h"

#define NUMBER_MAX 64 /* bytes of each number, so that as many are left for the Call-ID */

static uint32_t places_for(uint32_t places)
{
	uint32_t n = 1;

	while (n < places)
		n *= 2;
	return n;
}

static size_t align64(size_t n)
{
	return (n + 63) / 64 * 64;
}

size_t records_size(uint32_t n, uint32_t places)
{
	if (places == 0)
		return 0;
	return align64(places_for(places) * sizeof(struct lb_record)) + align64(n * sizeof(struct note));
}

void records_init(struct records *r, void *mem, uint32_t n, uint32_t places)
{
	*r = (struct records){ 0 };
	if (places == 0)
		return;
	memset(mem, 0, records_size(n, places));
	r->ring = mem;
	r->mask = places_for(places) - 1;
	r->note = (struct note *)((char *)mem + align64(places_for(places) * sizeof(struct lb_record)));
}

/* Adds what fits of a text; returns how much that was. */
static uint8_t add_text(struct note *note, uint32_t at, struct str text, uint32_t most)
{
	uint32_t room = LIMIT_RECORD_TEXT - at, n = text.n < most ? text.n : most;

	n = n < room ? n : room;
	if (n > 0)
		memcpy(note->text + at, text.p, n);
	return (uint8_t)n;
}

void record_start(struct records *r, uint32_t i, const struct lb_query *q, bool late)
{
	struct note *note;

	if (!r->note)
		return;
	note = &r->note[i];
	note->n_tries = 0;
	note->late = late;
	note->caller_n = add_text(note, 0, q->caller, NUMBER_MAX);
	note->number_n = add_text(note, note->caller_n, q->number, NUMBER_MAX);
	note->call_id_n = add_text(note, note->caller_n + note->number_n, q->call_id, LIMIT_RECORD_TEXT);
}

void record_move(struct records *r, uint32_t i, uint32_t to)
{
	if (r->note)
		r->note[to] = r->note[i];
}

void record_try(struct records *r, uint32_t i, uint16_t gateway, uint16_t status)
{
	struct note *note;

	if (!r->note)
		return;
	note = &r->note[i];
	if (note->n_tries < LIMIT_BRANCHES)
		note->tries[note->n_tries++] = (struct lb_try){ gateway, status };
}

bool record_put(struct records *r, uint32_t i, const struct lb_record *record)
{
	const struct note *note = &r->note[i];
	struct lb_record *to = &r->ring[r->in & r->mask];

	if (r->in - __atomic_load_n(&r->out, __ATOMIC_ACQUIRE) > r->mask)
		return false;
	*to = *record;
	memcpy(to->tries, note->tries, sizeof(to->tries));
	memcpy(to->text, note->text, sizeof(to->text));
	to->n_tries = note->n_tries;
	to->late = note->late;
	to->caller_n = note->caller_n;
	to->number_n = note->number_n;
	to->call_id_n = note->call_id_n;
	__atomic_store_n(&r->in, r->in + 1, __ATOMIC_RELEASE);
	return true;
}

bool lb_record_next(struct lb_worker *w, struct lb_record *record)
{
	struct records *r = &w->records;

	if (!r->note || r->out == __atomic_load_n(&r->in, __ATOMIC_ACQUIRE))
		return false;
	*record = r->ring[r->out & r->mask];
	__atomic_store_n(&r->out, r->out + 1, __ATOMIC_RELEASE);
	return true;
}
