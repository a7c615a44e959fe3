/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables and figures for people: columns as wide as their widest cell, numbers to the right, units shown.
 * Text comes from the daemon's config: control characters never reach the terminal.
 */
#ifndef WEIR_CONTROL_CLI_TABLE_H
#define WEIR_CONTROL_CLI_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum tint {
	TINT_NONE,
	TINT_GOOD,
	TINT_WARN,
	TINT_BAD,
	TINT_TITLE
};

struct column {
	const char *title; /* NULL ends the list */
	bool right;        /* aligned to the right: numbers */
};

struct table;

/* columns must outlive the table. Returns NULL without memory; the other functions then do nothing. */
struct table *table_new(const struct column *columns);
void table_free(struct table *t);

/* Fills the next cell, row by row. */
void table_cell(struct table *t, enum tint tint, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

void table_print(const struct table *t, FILE *out, bool color);

/* Prints text in a colour if `color`. */
void tinted(FILE *out, bool color, enum tint tint, const char *text);

/* Figures with their unit; each returns `text`. */
#define FIGURE 24                                           /* bytes */
const char *figure_rate(char text[FIGURE], double per_s);   /* "3.3", "120" */
const char *figure_ms(char text[FIGURE], double ms);        /* "830 us", "1.24 ms", "2.50 s" */
const char *figure_age(char text[FIGURE], double s);        /* "3s", "2m10s", "3h04m", "5d02h" */
const char *figure_percent(char text[FIGURE], double part); /* "33.3%" */
const char *figure_bytes(char text[FIGURE], double bytes);  /* "1.2 MB" */

#endif
