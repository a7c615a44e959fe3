/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to conf/: scalars. Reading is strict: the whole text must be the value, units included.
 * Pure but for the arena.
 */
#ifndef WEIR_CONF_VALUE_H
#define WEIR_CONF_VALUE_H

#include "conf/arena.h"
#include "conf/conf.h"
#include "conf/schema.h"

#define VALUE_TEXT 512 /* bytes for an expectation or a printed value */

/* Bytes of the member that a scalar kind fills. */
size_t conf_value_size(enum kind kind);

/* Reads text into the member at out. Returns 0, -EINVAL, -ERANGE (a value, but too small or large), -ENOMEM.
 */
int conf_value_read(const struct field *f, const char *text, void *out, struct arena *arena);

/* Whether the kind's values stay text, whatever that looks like. */
static inline bool conf_is_text(enum kind kind)
{
	return kind <= KIND_REF;
}

/* Writes the member's value for a field without default that the file leaves out. */
void conf_value_none(const struct field *f, void *out);

/* Whether the member holds a value at all. */
bool conf_value_given(const struct field *f, const void *in);

/* Writes the text that reads as the member's value. */
void conf_value_print(const struct field *f, const void *in, char *text, size_t n);

/* Writes what the field expects: "a number from 1 to 64". */
void conf_value_expected(const struct field *f, char *text, size_t n);

/* Writes the type and the range for the documentation. */
void conf_value_doc(const struct field *f, char *type, char *range, size_t n);

/* Digits without sign, leading zero or rest; -EINVAL, or -ERANGE past max. */
int conf_number(const char *p, size_t n, uint64_t max, uint64_t *out);

/* "192.0.2.0/28"; a bare address is its own host prefix. */
int conf_prefix_parse(const char *text, struct conf_prefix *prefix);

/* All bits behind the prefix length are zero. */
bool conf_prefix_is_net(const struct conf_prefix *prefix);

/* The address lies inside the prefix. */
bool conf_prefix_holds(const struct conf_prefix *prefix, const struct addr *addr);

/* An address that one host can have: not unspecified, not multicast, not reserved. */
bool conf_addr_unicast(const struct addr *addr);

/* The kinds made of addresses, as in struct kind_row of value.c. */
int conf_read_endpoint(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_ip(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_ifaddr(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_prefix(const struct field *f, const char *text, void *out, struct arena *arena);
void conf_print_addr(const struct field *f, const void *in, char *text, size_t n);
void conf_print_prefix(const struct field *f, const void *in, char *text, size_t n);

/* The kinds that stay text, the same. */
int conf_read_text(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_name(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_ref(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_path(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_ifname(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_host(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_hostport(const struct field *f, const char *text, void *out, struct arena *arena);
int conf_read_digits(const struct field *f, const char *text, void *out, struct arena *arena);

/* A name: 1..LIMIT_NAME letters, digits, ".", "_", "-", the first a letter or digit. */
bool conf_name_ok(const char *text);

#endif
