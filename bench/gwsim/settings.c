/* SPDX-License-Identifier: BSD-3-Clause */
/* What a gateway is like, as words `key=value`. One table serves the command line and the commands of a
 * running one. */
#include "bench/gwsim/gwsim.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum kind {
	NUMBER,   /* 0 .. 1000000 */
	PART,     /* 0 .. 1000 */
	DURATION, /* ns; written 20ms or 1.5s */
	WORD      /* one of the words, by place */
};

static const struct {
	const char *key;
	enum kind kind;
	size_t offset;
	const char *words[4];
	bool at_start; /* cannot change later */
} keys[] = {
#define AT(field) offsetof(struct gw_settings, field)
	{ "servers", NUMBER, AT(servers), { NULL }, true },
	{ "service", DURATION, AT(service), { NULL }, false },
	{ "distribution", WORD, AT(exponential), { "constant", "exponential" }, false },
	{ "reject", PART, AT(reject), { NULL }, false },
	{ "absorb", PART, AT(absorb), { NULL }, false },
	{ "queue", NUMBER, AT(queue), { NULL }, false },
	{ "full", WORD, AT(full), { "503", "drop" }, false },
	{ "retry-after", NUMBER, AT(retry_after), { NULL }, false },
	{ "refuse", WORD, AT(refuse), { "off", "on" }, false },
	{ "100", WORD, AT(trying), { "on-receipt", "on-dequeue", "never" }, false },
	{ "180", WORD, AT(ringing), { "off", "on" }, false },
	{ "ring", DURATION, AT(ring), { NULL }, false },
	{ "ring-sigma", PART, AT(ring_sigma), { NULL }, false },
	{ "options", WORD, AT(options), { "queue", "past" }, false },
	{ "oc", WORD, AT(oc), { "off", "loss", "rate" }, false },
	{ "oc-delay", DURATION, AT(oc_delay), { NULL }, false },
	{ "mute", WORD, AT(mute), { "off", "on" }, false },
#undef AT
};

void gw_defaults(struct gw_settings *set)
{
	*set = (struct gw_settings){ .servers = 32,
				     .service = 400 * MS,
				     .reject = 0.1,
				     .queue = 32,
				     .trying = TRYING_ON_RECEIPT,
				     .ringing = 1,
				     .ring_sigma = 0.6,
				     .options = OPTIONS_QUEUE,
				     .oc_delay = 100 * MS };
}

/* `PREFIX:CODE` or `PREFIX:CODE:CAUSE`, several with commas between them; `none` for none. */
static bool read_fails(struct gw_settings *set, const char *value)
{
	set->n_fails = 0;
	if (strcmp(value, "none") == 0)
		return true;
	while (set->n_fails < MAX_FAILS) {
		struct gw_fail *f = &set->fail[set->n_fails++];
		size_t n = strcspn(value, ":,");
		char *end;

		if (value[n] != ':' || n >= sizeof(f->prefix))
			return false;
		memset(f, 0, sizeof(*f));
		memcpy(f->prefix, value, n);
		f->code = (uint32_t)strtoul(value + n + 1, &end, 10);
		if (*end == ':')
			f->cause = (uint32_t)strtoul(end + 1, &end, 10);
		if (f->code < 300 || f->code > 699 || f->cause > 127)
			return false;
		if (*end == 0)
			return true;
		if (*end != ',')
			return false;
		value = end + 1;
	}
	return false;
}

static bool read_value(struct gw_settings *set, uint32_t k, const char *value)
{
	void *field = (char *)set + keys[k].offset;
	char *end;
	double x = strtod(value, &end);

	if (keys[k].kind == WORD) {
		for (uint32_t i = 0; i < 4 && keys[k].words[i]; i++)
			if (strcmp(value, keys[k].words[i]) == 0) {
				*(uint32_t *)field = i;
				return true;
			}
		return false;
	}
	if (end == value || !(x >= 0))
		return false;
	if (keys[k].kind == NUMBER) {
		*(uint32_t *)field = (uint32_t)x;
		return *end == 0 && x <= 1e6;
	}
	if (keys[k].kind == PART) {
		*(double *)field = x;
		return *end == 0 && x <= 1000;
	}
	*(uint64_t *)field = (uint64_t)(x * (double)(strcmp(end, "s") == 0 ? S : MS));
	return (strcmp(end, "s") == 0 || strcmp(end, "ms") == 0) && x <= 1e6;
}

static const char *set_one(struct gw_settings *set, const char *word, bool running)
{
	const char *equals = strchr(word, '=');

	if (!equals)
		return "expected key=value";
	if (strncmp(word, "fail=", 5) == 0)
		return read_fails(set, equals + 1) ? NULL : "fail: expected PREFIX:CODE[:CAUSE],... or none";
	for (uint32_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
		if (strlen(keys[k].key) != (size_t)(equals - word) ||
		    strncmp(keys[k].key, word, (size_t)(equals - word)) != 0)
			continue;
		if (keys[k].at_start && running)
			return "this key can only be set at start";
		return read_value(set, k, equals + 1) ? NULL : "value not understood";
	}
	return "no such key";
}

const char *gw_set(struct gw_settings *set, char *const word[], uint32_t n, bool running)
{
	struct gw_settings next = *set;

	for (uint32_t i = 0; i < n; i++) {
		const char *wrong = set_one(&next, word[i], running);

		if (wrong)
			return wrong;
	}
	if (next.servers < 1 || next.servers > MAX_SERVERS)
		return "servers: expected 1 .. 256";
	if (next.service < 1000)
		return "service: too short";
	*set = next;
	return NULL;
}
