/* SPDX-License-Identifier: BSD-3-Clause */
/* Slots by name: see slots.h. */
#include "control/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "lb/lb.h"

int slots_init(struct slots *s, uint16_t limit)
{
	uint32_t size = 16;

	while (size < 2u * limit)
		size *= 2;
	*s = (struct slots){ .limit = limit, .mask = size - 1 };
	s->names = calloc(limit, sizeof(*s->names));
	s->table = calloc(size, sizeof(*s->table));
	if (s->names && s->table)
		return 0;
	slots_free(s);
	return -ENOMEM;
}

void slots_free(struct slots *s)
{
	for (uint32_t i = 0; i < s->used; i++)
		free(s->names[i]);
	free(s->names);
	free(s->table);
	*s = (struct slots){ 0 };
}

/* The cell of `table` that has the name, or the empty one where it belongs. */
static uint16_t *cell(const struct slots *s, const char *name, uint32_t n)
{
	uint32_t i = lb_gateway_id((struct str){ name, n });

	for (;; i++) {
		uint16_t *c = &s->table[i & s->mask];
		const char *other = *c ? s->names[*c - 1] : NULL;

		if (!other || (strlen(other) == n && memcmp(other, name, n) == 0))
			return c;
	}
}

int slots_take(struct slots *s, const char *name)
{
	uint16_t *c = cell(s, name, (uint32_t)strlen(name));

	if (*c)
		return *c - 1;
	if (s->used == s->limit)
		return -ENOSPC;
	s->names[s->used] = strdup(name);
	if (!s->names[s->used])
		return -ENOMEM;
	*c = ++s->used;
	return *c - 1;
}

int slots_find(const struct slots *s, const char *name, uint32_t n)
{
	uint16_t c = *cell(s, name, n);

	return c ? c - 1 : -ENOENT;
}
