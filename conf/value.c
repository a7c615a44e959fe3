/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One row per kind of scalar: how it is read, printed and described. No value is ever half read: a number
 * with a rest, a wrong unit or a leading zero is an error.
 */
#include "conf/value.h"

#include <errno.h>
#include <inttypes.h>

struct unit {
	const char *text; /* NULL ends a list; ascending */
	uint64_t scale;
};

static const struct unit durations[] = {
	{ "ms", 1000000 }, { "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 }, { NULL, 0 }
};
static const struct unit sizes[] = { { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 } };
static const struct unit counts[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 }, { NULL, 0 } };
static const struct unit percents[] = { { "%", 1 }, { NULL, 0 } };
static const struct unit rates[] = { { "/s", 1 }, { "k/s", 1000 }, { "M/s", 1000000 }, { NULL, 0 } };

/* Reads a number with one of the units behind it and checks it against the field's range. */
static int read_units(const struct field *f, const struct unit *units, const char *text, uint64_t *out)
{
	size_t n = strspn(text, "0123456789");
	uint64_t v;
	int rc = conf_number(text, n, UINT64_MAX, &v);

	if (rc != 0)
		return rc;
	for (; units->text != NULL; units++) {
		if (strcmp(text + n, units->text) != 0)
			continue;
		if (v > UINT64_MAX / units->scale || v * units->scale < f->min || v * units->scale > f->max)
			return -ERANGE;
		*out = v * units->scale;
		return 0;
	}
	return -EINVAL;
}

/* Writes v in the largest unit that keeps it whole. */
static void print_units(const struct unit *units, uint64_t v, char *text, size_t n)
{
	const struct unit *best = units;

	for (; units->text != NULL; units++)
		if (v % units->scale == 0)
			best = units;
	snprintf(text, n, "%" PRIu64 "%s", v / best->scale, best->text);
}

static int read_enum(const struct field *f, const char *text, void *out, struct arena *arena)
{
	for (const struct word *w = f->words; w->text != NULL; w++) {
		if (strcmp(text, w->text) == 0) {
			*(uint32_t *)out = w->value;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_number(const struct field *f, const char *text, void *out, struct arena *arena)
{
	uint64_t v;
	int rc = conf_number(text, strlen(text), f->max, &v);

	if (rc == 0 && v < f->min)
		rc = -ERANGE;
	if (rc == 0)
		*(uint32_t *)out = (uint32_t)v;
	return rc;
}

/* A 32-bit value with a unit. */
static int read_units32(const struct field *f, const struct unit *units, const char *text, void *out)
{
	uint64_t v;
	int rc = read_units(f, units, text, &v);

	if (rc == 0)
		*(uint32_t *)out = (uint32_t)v;
	return rc;
}

static int read_count(const struct field *f, const char *text, void *out, struct arena *arena)
{
	return read_units32(f, counts, text, out);
}

static int read_percent(const struct field *f, const char *text, void *out, struct arena *arena)
{
	return read_units32(f, percents, text, out);
}

static int read_rate(const struct field *f, const char *text, void *out, struct arena *arena)
{
	return read_units32(f, rates, text, out);
}

static int read_size(const struct field *f, const char *text, void *out, struct arena *arena)
{
	return read_units(f, sizes, text, out);
}

static int read_duration(const struct field *f, const char *text, void *out, struct arena *arena)
{
	for (const struct word *w = f->words; w != NULL && w->text != NULL; w++) {
		if (strcmp(text, w->text) == 0) {
			*(uint64_t *)out = w->value;
			return 0;
		}
	}
	return read_units(f, durations, text, out);
}

/* Marks the cores of "a" or "a-b" in set. */
static int read_core_range(const char *p, size_t n, uint64_t max, bool *set)
{
	const char *dash = memchr(p, '-', n);
	size_t first_n = dash != NULL ? (size_t)(dash - p) : n;
	uint64_t first, last;
	int rc = conf_number(p, first_n, max, &first);

	last = first;
	if (rc == 0 && dash != NULL)
		rc = conf_number(dash + 1, n - first_n - 1, max, &last);
	if (rc != 0 || first > last)
		return -EINVAL;
	for (; first <= last; first++) {
		if (set[first])
			return -EINVAL;
		set[first] = true;
	}
	return 0;
}

static int read_cores(const struct field *f, const char *text, void *out, struct arena *arena)
{
	struct conf_cores *cores = out;
	bool set[1024] = { false };
	uint32_t n = 0;

	while (true) {
		size_t part = strcspn(text, ",");

		if (read_core_range(text, part, f->max, set) != 0)
			return -EINVAL;
		if (text[part] == '\0')
			break;
		text += part + 1;
	}
	for (unsigned int i = 0; i <= f->max; i++)
		n += set[i];
	cores->cpu = arena_alloc(arena, n * sizeof(*cores->cpu));
	if (cores->cpu == NULL)
		return -ENOMEM;
	cores->n = 0;
	for (unsigned int i = 0; i <= f->max; i++)
		if (set[i])
			cores->cpu[cores->n++] = (uint16_t)i;
	return 0;
}

static void print_text(const struct field *f, const void *in, char *text, size_t n)
{
	snprintf(text, n, "%s", *(const char *const *)in);
}

static void print_enum(const struct field *f, const void *in, char *text, size_t n)
{
	const struct word *w = f->words;

	while (w->value != *(const uint32_t *)in)
		w++;
	snprintf(text, n, "%s", w->text);
}

static void print_number(const struct field *f, const void *in, char *text, size_t n)
{
	snprintf(text, n, "%" PRIu32, *(const uint32_t *)in);
}

static void print_count(const struct field *f, const void *in, char *text, size_t n)
{
	print_units(counts, *(const uint32_t *)in, text, n);
}

static void print_percent(const struct field *f, const void *in, char *text, size_t n)
{
	print_units(percents, *(const uint32_t *)in, text, n);
}

static void print_rate(const struct field *f, const void *in, char *text, size_t n)
{
	print_units(rates, *(const uint32_t *)in, text, n);
}

static void print_size(const struct field *f, const void *in, char *text, size_t n)
{
	print_units(sizes, *(const uint64_t *)in, text, n);
}

static void print_duration(const struct field *f, const void *in, char *text, size_t n)
{
	for (const struct word *w = f->words; w != NULL && w->text != NULL; w++) {
		if (*(const uint64_t *)in == w->value) {
			snprintf(text, n, "%s", w->text);
			return;
		}
	}
	print_units(durations, *(const uint64_t *)in, text, n);
}

static void print_cores(const struct field *f, const void *in, char *text, size_t n)
{
	const struct conf_cores *cores = in;
	size_t used = 0;

	for (uint32_t i = 0; i < cores->n && used < n; i++) {
		uint32_t first = i;

		while (i + 1 < cores->n && cores->cpu[i + 1] == cores->cpu[i] + 1)
			i++;
		used += (size_t)snprintf(text + used, n - used, "%s%u", first > 0 ? "," : "",
					 cores->cpu[first]);
		if (i > first && used < n)
			used += (size_t)snprintf(text + used, n - used, "-%u", cores->cpu[i]);
	}
}

static const struct kind_row {
	const char *type;     /* for the documentation */
	const char *expected; /* for messages; NULL: made from words */
	size_t size;
	int (*read)(const struct field *f, const char *text, void *out, struct arena *arena);
	void (*print)(const struct field *f, const void *in, char *text, size_t n);
	enum {
		RANGE_NONE,
		RANGE_NUMBER,
		RANGE_BYTES
	} range;
} kinds[KIND_SCALARS] = {
	[KIND_TEXT] = { "text", "text", sizeof(char *), conf_read_text, print_text, RANGE_BYTES },
	[KIND_NAME] = { "name", "a name of at most 63 letters, digits, \".\", \"_\" or \"-\"", sizeof(char *),
			conf_read_name, print_text, RANGE_NONE },
	[KIND_PATH] = { "path", "an absolute path", sizeof(char *), conf_read_path, print_text, RANGE_BYTES },
	[KIND_IFNAME] = { "interface", "an interface name of at most 15 bytes without \"/\", \":\" or spaces",
			  sizeof(char *), conf_read_ifname, print_text, RANGE_NONE },
	[KIND_HOST] = { "host", "a host name or address such as sip.example.net, 192.0.2.1 or [2001:db8::1]",
			sizeof(char *), conf_read_host, print_text, RANGE_NONE },
	[KIND_HOSTPORT] = { "host[:port]",
			    "a host name or address, with or without port, such as lb.example.net:5060",
			    sizeof(char *), conf_read_hostport, print_text, RANGE_NONE },
	[KIND_DIGITS] = { "number prefix", "the start of a number such as \"+82\" or \"0800\"",
			  sizeof(char *), conf_read_digits, print_text, RANGE_NONE },
	[KIND_REF] = { "name", "a name", sizeof(struct conf_ref), conf_read_ref, print_text, RANGE_NONE },
	[KIND_ENUM] = { "word", NULL, sizeof(uint32_t), read_enum, print_enum, RANGE_NONE },
	[KIND_NUMBER] = { "number", "a number", sizeof(uint32_t), read_number, print_number, RANGE_NUMBER },
	[KIND_COUNT] = { "count", "a count such as 5000, 200k or 2M", sizeof(uint32_t), read_count,
			 print_count, RANGE_NUMBER },
	[KIND_PERCENT] = { "percentage", "a percentage such as 10%", sizeof(uint32_t), read_percent,
			   print_percent, RANGE_NUMBER },
	[KIND_RATE] = { "rate", "a rate such as 100/s or 2k/s", sizeof(uint32_t), read_rate, print_rate,
			RANGE_NUMBER },
	[KIND_SIZE] = { "size", "a size such as 512M or 2G", sizeof(uint64_t), read_size, print_size,
			RANGE_NUMBER },
	[KIND_DURATION] = { "duration", "a duration such as 10ms, 5s, 1m or 4h", sizeof(uint64_t),
			    read_duration, print_duration, RANGE_NUMBER },
	[KIND_ENDPOINT] = { "address:port",
			    "a unicast address and port such as 192.0.2.10:5060 or [2001:db8::10]:5060",
			    sizeof(struct addr), conf_read_endpoint, conf_print_addr, RANGE_NONE },
	[KIND_IP] = { "address", "a unicast address such as 192.0.2.1 or 2001:db8::1", sizeof(struct addr),
		      conf_read_ip, conf_print_addr, RANGE_NONE },
	[KIND_IFADDR] = { "address/length", "a host's address with prefix length such as 192.0.2.10/24",
			  sizeof(struct conf_prefix), conf_read_ifaddr, conf_print_prefix, RANGE_NONE },
	[KIND_PREFIX] = { "prefix", "a prefix without host bits such as 192.0.2.0/28 or 2001:db8::/64",
			  sizeof(struct conf_prefix), conf_read_prefix, conf_print_prefix, RANGE_NONE },
	[KIND_CORES] = { "cores", "CPU numbers such as \"2-5\" or \"2,4,6\", each once",
			 sizeof(struct conf_cores), read_cores, print_cores, RANGE_NONE },
};

size_t conf_value_size(enum kind kind)
{
	return kinds[kind].size;
}

int conf_value_read(const struct field *f, const char *text, void *out, struct arena *arena)
{
	return kinds[f->kind].read(f, text, out, arena);
}

void conf_value_print(const struct field *f, const void *in, char *text, size_t n)
{
	text[0] = '\0';
	kinds[f->kind].print(f, in, text, n);
}

void conf_value_none(const struct field *f, void *out)
{
	memset(out, 0, kinds[f->kind].size);
	if (kinds[f->kind].size == sizeof(uint32_t))
		*(uint32_t *)out = f->none;
	if (f->kind == KIND_REF)
		((struct conf_ref *)out)->index = CONF_NONE;
}

bool conf_value_given(const struct field *f, const void *in)
{
	union {
		struct conf_prefix prefix; /* the largest kind, for size and alignment */
		struct conf_ref ref;
		struct conf_cores cores;
	} none;

	if (f->def != NULL || f->required)
		return true;
	conf_value_none(f, &none);
	return memcmp(in, &none, kinds[f->kind].size) != 0;
}

/* Joins the words of an enum, each value once. */
static void join_words(const struct word *w, const char *between, char *text, size_t n)
{
	const struct word *first = w;
	size_t used = 0;

	for (; w->text != NULL && used < n; w++)
		if (w == first || w->value != w[-1].value)
			used += (size_t)snprintf(text + used, n - used, "%s%s", w == first ? "" : between,
						 w->text);
}

/* Writes a limit of a range as the file would write it. */
static void print_limit(const struct field *f, uint64_t v, char *text, size_t n)
{
	if (kinds[f->kind].range == RANGE_BYTES)
		snprintf(text, n, "%" PRIu64, v);
	else if (kinds[f->kind].size == sizeof(uint64_t))
		conf_value_print(f, &v, text, n);
	else
		conf_value_print(f, &(uint32_t){ (uint32_t)v }, text, n);
}

void conf_value_expected(const struct field *f, char *text, size_t n)
{
	char low[32], high[32];

	if (f->kind == KIND_ENUM) {
		size_t used = (size_t)snprintf(text, n, "one of ");

		join_words(f->words, ", ", text + used, n - used);
		return;
	}
	if (kinds[f->kind].range == RANGE_NONE) {
		snprintf(text, n, "%s", kinds[f->kind].expected);
		return;
	}
	print_limit(f, f->min, low, sizeof(low));
	print_limit(f, f->max, high, sizeof(high));
	if (f->words != NULL) {
		size_t used = (size_t)snprintf(text, n, "%s, or ", f->words->text);

		text += used;
		n -= used;
	}
	snprintf(text, n, "%s %s %s to %s%s", kinds[f->kind].expected,
		 kinds[f->kind].range == RANGE_BYTES ? "of" : "from", low, high,
		 kinds[f->kind].range == RANGE_BYTES ? " bytes" : "");
}

void conf_value_doc(const struct field *f, char *type, char *range, size_t n)
{
	char low[32], high[32];

	snprintf(type, n, "%s%s", f->many ? "list of " : "", kinds[f->kind].type);
	range[0] = '\0';
	if (f->kind == KIND_ENUM) {
		join_words(f->words, ", ", range, n);
	} else if (kinds[f->kind].range == RANGE_NUMBER) {
		print_limit(f, f->min, low, sizeof(low));
		print_limit(f, f->max, high, sizeof(high));
		snprintf(range, n, "%s .. %s%s%s", low, high, f->words != NULL ? ", " : "",
			 f->words != NULL ? f->words->text : "");
	}
}
