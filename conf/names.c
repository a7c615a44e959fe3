/* SPDX-License-Identifier: BSD-3-Clause */
/* Lookups by name and the guess at what a wrong name was meant to be. No state. */
#include <stdlib.h>

#include "conf/load.h"

#define MEANT_MAX 3 /* edits that a wrong word may be away from the one that was meant */

static int compare_names(const void *a, const void *b)
{
	const struct name *x = a, *y = b;
	int c = strcmp(x->text, y->text);

	return c != 0 ? c : (x->index > y->index) - (x->index < y->index);
}

void conf_names_add(struct loader *l, struct names *names, const void *items, size_t stride, uint32_t n)
{
	struct name *rows;

	if (n == 0)
		return;
	rows = realloc(names->rows, (names->n + n) * sizeof(*rows));
	if (rows == NULL) {
		l->no_memory = true;
		return;
	}
	names->rows = rows;
	for (uint32_t i = 0; i < n; i++) {
		const char *item = (const char *)items + i * stride;
		const char *text = *(const char *const *)item;

		if (text != NULL)
			rows[names->n++] = (struct name){ text, i, item };
	}
}

void conf_names_sort(struct names *names)
{
	if (names->n > 0)
		qsort(names->rows, names->n, sizeof(*names->rows), compare_names);
}

const struct name *conf_names_find(const struct names *names, const char *text)
{
	uint32_t low = 0, high = names->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (strcmp(names->rows[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < names->n && strcmp(names->rows[low].text, text) == 0 ? &names->rows[low] : NULL;
}

/* Edits (insert, delete, replace, swap of neighbours) between two words; words past the limit are far away.
 */
static unsigned int edit_distance(const char *a, const char *b)
{
	size_t an = strlen(a), bn = strlen(b);
	unsigned int rows[3][LIMIT_NAME + 2];
	unsigned int *before = rows[0], *last = rows[1], *row = rows[2];

	if (an > LIMIT_NAME || bn > LIMIT_NAME)
		return LIMIT_NAME;
	for (unsigned int j = 0; j <= bn; j++)
		last[j] = j;
	for (unsigned int i = 1; i <= an; i++) {
		unsigned int *free_row = before;

		row[0] = i;
		for (unsigned int j = 1; j <= bn; j++) {
			unsigned int d = last[j - 1] + (a[i - 1] != b[j - 1]);

			d = last[j] + 1 < d ? last[j] + 1 : d;
			d = row[j - 1] + 1 < d ? row[j - 1] + 1 : d;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < d)
				d = before[j - 2] + 1;
			row[j] = d;
		}
		before = last;
		last = row;
		row = free_row;
	}
	return last[bn];
}

void conf_suggest(struct suggestion *s, const char *word)
{
	unsigned int d = edit_distance(s->wrong, word);

	/* A third of the word may be wrong, so that short words do not suggest each other. */
	if (d > MEANT_MAX || d * 3 > strlen(word) + 1 || (s->best != NULL && d >= s->distance))
		return;
	s->best = word;
	s->distance = d;
}

const char *conf_suggestion_text(const struct suggestion *s, char *text, size_t n)
{
	text[0] = '\0';
	if (s->best != NULL)
		snprintf(text, n, ", did you mean \"%s\"?", s->best);
	return text;
}
