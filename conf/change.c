/* SPDX-License-Identifier: BSD-3-Clause */
/* One key of a loaded config set from text, by the same schema row that a file is read with. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/value.h"

static const struct field *field_of(const struct section *s, const char *key)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (!strcmp(s->fields[i].name, key))
			return &s->fields[i];
	return NULL;
}

/* They need no memory of the config's. */
static bool is_number(enum kind kind)
{
	return kind == KIND_NUMBER || kind == KIND_COUNT || kind == KIND_RATE;
}

static int change(const struct section *s, void *item, const char *key, const char *text, char *err, size_t n)
{
	const struct field *f = field_of(s, key);
	char expected[VALUE_TEXT], *at = (char *)item;
	uint32_t value;

	if (!f || f->many || !is_number(f->kind)) {
		snprintf(err, n, "no key \"%s\" that holds a number", key);
		return -ENOENT;
	}
	if (!f->def && !strcmp(text, "none")) {
		conf_value_none(f, at + f->offset);
		return 0;
	}
	if (conf_value_read(f, text, &value, NULL) == 0) {
		memcpy(at + f->offset, &value, sizeof(value));
		return 0;
	}
	conf_value_expected(f, expected, sizeof(expected));
	snprintf(err, n, "%s: found \"%s\", expected %s%s", key, text, expected, f->def ? "" : ", or none");
	return -EINVAL;
}

int conf_change_gateway(struct conf_gateway *gw, const char *key, const char *text, char *err, size_t n)
{
	return change(&conf_gateway_section, gw, key, text, err, n);
}

int conf_change_peer(struct conf_peer *peer, const char *key, const char *text, char *err, size_t n)
{
	return change(&conf_peer_section, peer, key, text, err, n);
}
