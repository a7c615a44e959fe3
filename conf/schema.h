/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Private to conf/: how the one schema table is written. A section is a YAML map with fixed keys and the
 * struct that it fills; a field is one key. Loading, printing and the documentation all walk these.
 */
#ifndef WEIR_CONF_SCHEMA_H
#define WEIR_CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a value is. Scalars fill the member named behind them. */
enum kind {
	KIND_TEXT,     /* const char *: any text; min..max bytes */
	KIND_NAME,     /* const char *: a name by the rules of names */
	KIND_PATH,     /* const char *: absolute path */
	KIND_IFNAME,   /* const char *: name for a kernel interface */
	KIND_HOST,     /* const char *: host of a Request-URI, made lower case */
	KIND_HOSTPORT, /* const char *: host with optional port */
	KIND_DIGITS,   /* const char *: start of a telephone number, visual separators taken out */
	KIND_REF,      /* struct conf_ref: name of something; resolved after loading */
	KIND_ENUM,     /* 32-bit enum or number: one of words */
	KIND_NUMBER,   /* uint32_t */
	KIND_COUNT,    /* uint32_t: "5000", "200k", "2M" */
	KIND_PERCENT,  /* uint32_t: "10%" */
	KIND_RATE,     /* uint32_t per second: "100/s", "2k/s" */
	KIND_SIZE,     /* uint64_t bytes: "512M" */
	KIND_DURATION, /* uint64_t ns: "10ms", "5s", "1m", "4h"; or one of words */
	KIND_ENDPOINT, /* struct addr: unicast address and port */
	KIND_IP,       /* struct addr: unicast address, port 0 */
	KIND_IFADDR,   /* struct conf_prefix: an address of ours with its prefix length */
	KIND_PREFIX,   /* struct conf_prefix: a network, host bits zero */
	KIND_CORES,    /* struct conf_cores: "2-5,8" */
	KIND_SCALARS,  /* number of kinds above */

	KIND_SECTION, /* the section's struct, in place */
	KIND_MAP,     /* pointer to an array of the section's struct, its name first; keys are names */
	KIND_LIST,    /* pointer to an array of the section's struct */
};

/* May a reload take a new value over, or does it need a restart. */
enum change {
	CHANGE_RELOAD,
	CHANGE_RESTART
};

struct word {
	const char *text; /* NULL ends a list; the first word of a value is the one that is printed */
	uint32_t value;
};

struct field {
	const char *name;
	enum kind kind;
	bool many; /* a list of scalars: offset is a pointer, count_offset its uint32_t number */
	bool required;
	size_t offset, count_offset;
	const char *def;               /* default, read like a value of the file; NULL: none */
	const char *absent;            /* for the documentation: what no value means */
	uint32_t none;                 /* 32-bit kinds without def: the member's value if absent */
	uint64_t min, max;             /* of numbers in the member's unit, of texts in bytes */
	uint32_t min_items, max_items; /* many, MAP, LIST */
	const struct word *words;      /* ENUM; DURATION: what else it may be, or NULL */
	const struct section *section; /* SECTION, MAP, LIST */
	enum change change;
	const char *help;
};

struct section {
	size_t size; /* of its struct, bytes */
	const struct field *fields;
	unsigned int n;
	const char *const *later; /* keys that this version does not have yet; NULL ends it; may be NULL */
};

/* How rows are written. */
#define NS_MS 1000000ull
#define NS_S  (1000 * NS_MS)
#define NS_M  (60 * NS_S)
#define NS_H  (60 * NS_M)

#define COUNT_OF(array)  (sizeof(array) / sizeof((array)[0]))
#define AT(type, member) .offset = offsetof(struct type, member)
#define MANY(type, member)                                                                                   \
	.many = true, .offset = offsetof(struct type, member),                                               \
	.count_offset = offsetof(struct type, n_##member)
#define ITEMS(type, member, of)                                                                              \
	.offset = offsetof(struct type, member), .count_offset = offsetof(struct type, n_##member),          \
	.section = &(of)
#define FIELDS(table) .fields = (table), .n = COUNT_OF(table)
#define LATER(...)                                                                                           \
	.later = (const char *const[])                                                                       \
	{                                                                                                    \
		__VA_ARGS__, NULL                                                                            \
	}

extern const struct section conf_root;
extern const struct section conf_gateway_section;
extern const struct section conf_peer_section;
extern const struct section conf_pool_section;
extern const struct section conf_route_section;
extern const struct section conf_overload_section;

#endif
