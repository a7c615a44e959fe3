/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the kinds of scalars that stay text: names, paths, hosts, digits. Every byte of them is looked at. */
#include "conf/value.h"

#include <ctype.h>
#include <errno.h>

#define IFNAME_MAX 15 /* IFNAMSIZ - 1 */

static int keep_text(const char *text, void *out, struct arena *arena)
{
	*(const char **)out = arena_text(arena, text, strlen(text));
	return *(const char **)out != NULL ? 0 : -ENOMEM;
}

int conf_read_text(const struct field *f, const char *text, void *out, struct arena *arena)
{
	size_t n = strlen(text);

	if (n < f->min || n > f->max)
		return -ERANGE;
	return keep_text(text, out, arena);
}

bool conf_name_ok(const char *text)
{
	size_t n = strlen(text);

	if (n == 0 || n > LIMIT_NAME || !isalnum((unsigned char)text[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)text[i]) && strchr("._-", text[i]) == NULL)
			return false;
	return true;
}

int conf_read_name(const struct field *f, const char *text, void *out, struct arena *arena)
{
	return conf_name_ok(text) ? keep_text(text, out, arena) : -EINVAL;
}

int conf_read_ref(const struct field *f, const char *text, void *out, struct arena *arena)
{
	struct conf_ref *ref = out;

	ref->index = CONF_NONE;
	return conf_name_ok(text) ? keep_text(text, &ref->name, arena) : -EINVAL;
}

int conf_read_path(const struct field *f, const char *text, void *out, struct arena *arena)
{
	return text[0] == '/' ? conf_read_text(f, text, out, arena) : -EINVAL;
}

int conf_read_ifname(const struct field *f, const char *text, void *out, struct arena *arena)
{
	size_t n = strlen(text);

	if (n == 0 || n > IFNAME_MAX || strpbrk(text, "/: \t") != NULL || strcmp(text, ".") == 0 ||
	    strcmp(text, "..") == 0)
		return -EINVAL;
	return keep_text(text, out, arena);
}

/* A host as a URI shows it: a name, an IPv4 address, or an IPv6 address in brackets. */
static bool host_ok(const char *p, size_t n)
{
	char text[CONF_ADDR_TEXT];
	struct addr addr;

	if (n > 2 && p[0] == '[' && p[n - 1] == ']' && n - 2 < sizeof(text)) {
		memcpy(text, p + 1, n - 2);
		text[n - 2] = '\0';
		return conf_addr_parse(text, &addr) == 0 && addr.v6;
	}
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && p[i] != '.' && p[i] != '-')
			return false;
	return n > 0 && isalnum((unsigned char)p[0]) && isalnum((unsigned char)p[n - 1]);
}

int conf_read_host(const struct field *f, const char *text, void *out, struct arena *arena)
{
	size_t n = strlen(text);
	char *copy;

	if (n > f->max || !host_ok(text, n))
		return -EINVAL;
	copy = arena_text(arena, text, n);
	if (copy == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		copy[i] = (char)tolower((unsigned char)copy[i]);
	*(const char **)out = copy;
	return 0;
}

int conf_read_hostport(const struct field *f, const char *text, void *out, struct arena *arena)
{
	const char *port = strrchr(text, ':');
	size_t n = strlen(text);
	uint64_t number;

	if (n > f->max)
		return -ERANGE;
	if (port != NULL && strchr(port, ']') == NULL) {
		n = (size_t)(port - text);
		if (conf_number(port + 1, strlen(port + 1), UINT16_MAX, &number) != 0 || number == 0)
			return -EINVAL;
	}
	return host_ok(text, n) ? keep_text(text, out, arena) : -EINVAL;
}

int conf_read_digits(const struct field *f, const char *text, void *out, struct arena *arena)
{
	char digits[LIMIT_NAME + 1];
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (strchr("-.()", *text) != NULL) /* visual separators, RFC 3966 3 */
			continue;
		if (!isalnum((unsigned char)*text) && strchr("*#", *text) == NULL &&
		    !(*text == '+' && n == 0))
			return -EINVAL;
		if (n == f->max)
			return -ERANGE;
		digits[n++] = *text;
	}
	digits[n] = '\0';
	return n > 0 ? keep_text(digits, out, arena) : -EINVAL;
}
