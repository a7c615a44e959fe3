/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to conf/: one load from text to struct conf. load.c fills the structs by the schema, check.c
 * resolves references and refuses what cannot carry a call; both report through here. One thread.
 */
#ifndef WEIR_CONF_LOAD_H
#define WEIR_CONF_LOAD_H

#include <yaml.h>

#include "conf/arena.h"
#include "conf/conf.h"
#include "conf/schema.h"

/* Where in the file a member of the config comes from. */
struct mark {
	const void *at;          /* the member, or the item */
	bool item;               /* at is an item of a map or list, which may begin with a member */
	const yaml_node_t *node; /* of an item of a map: its key */
};

struct loader {
	struct arena *arena;
	struct conf *conf;
	struct conf_report *report;
	yaml_document_t *doc;
	struct mark *marks; /* sorted by (at, item) once the structs are filled */
	size_t n_marks, cap_marks;
	uint32_t bad[KIND_SCALARS]; /* values of each kind that were refused */
	uint64_t n_entries;         /* of lists and maps so far */
	bool no_memory;             /* something was not stored; the load fails with -ENOMEM */
	char path[256];             /* of the value being loaded: "pools.east.gateways.gw1" */
	size_t path_n;
};

/* A named thing, for lookups. */
struct name {
	const char *text;
	uint32_t index;   /* in its array */
	const void *item; /* the struct, for marks and for telling things of one name apart */
};

/* Names sorted by text; among equals by index. */
struct names {
	uint32_t n;
	struct name *rows; /* malloc */
};

/* Closest known word to a wrong one. */
struct suggestion {
	const char *wrong;
	const char *best; /* NULL: none is close */
	unsigned int distance;
};

/* Adds a message. line 0: about the whole file. */
__attribute__((format(printf, 5, 6))) void conf_report_add(struct loader *l, bool warning, size_t line,
							   size_t column, const char *format, ...);

/* Error at a node: "path: what", path only while it is not empty. */
__attribute__((format(printf, 3, 4))) void conf_fail_node(struct loader *l, const yaml_node_t *node,
							  const char *format, ...);

/* Error or warning at the value of a member, or at an item; at the file if that is nowhere in it. */
__attribute__((format(printf, 3, 4))) void conf_fail_at(struct loader *l, const void *member,
							const char *format, ...);
__attribute__((format(printf, 3, 4))) void conf_fail_item(struct loader *l, const void *item,
							  const char *format, ...);
__attribute__((format(printf, 3, 4))) void conf_warn_at(struct loader *l, const void *member,
							const char *format, ...);
__attribute__((format(printf, 3, 4))) void conf_warn_item(struct loader *l, const void *item,
							  const char *format, ...);

/* The member if the file gives it, else the other one: for messages about two values of which one is a
 * default. */
const void *conf_given(const struct loader *l, const void *member, const void *other);

/* Line of an item in the file, for "first at line N". */
size_t conf_item_line(const struct loader *l, const void *item);

/* Makes marks findable, once all are there. */
void conf_marks_sort(struct loader *l);

/* Sorts what was reported; the report is complete then. */
void conf_report_sort(struct conf_report *report);

/* Fills l->conf from the document; every error is reported. */
void conf_load_tree(struct loader *l);

/* Resolves references and checks what the schema cannot say; every error is reported. */
void conf_check(struct loader *l);

/*
 * Sorts n items of stride bytes, each beginning with its name, by name; unnamed ones are left out.
 * add may be called again for more arrays before sorting. Failure sets l->no_memory.
 */
void conf_names_add(struct loader *l, struct names *names, const void *items, size_t stride, uint32_t n);
void conf_names_sort(struct names *names);
const struct name *conf_names_find(const struct names *names, const char *text);

/* Offers a known word; the closest so far is kept if it is close enough to be meant. */
void conf_suggest(struct suggestion *s, const char *word);

/* ", did you mean \"word\"?" or "" into text[n]. */
const char *conf_suggestion_text(const struct suggestion *s, char *text, size_t n);

#endif
