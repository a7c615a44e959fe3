/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One line per record: see record_line.h. Must stay true: the longest possible line fits RECORD_LINE, so
 * nothing here looks at the room that is left (the assertion below).
 */
#include "control/record_line.h"

#include <stdio.h>
#include <string.h>

#include "control/apply.h"

/* A byte becomes at most six: \u00xx. Names are plain. */
#define FIXED 640 /* bytes of keys, numbers and words */
_Static_assert(FIXED + 6 * LIMIT_RECORD_TEXT + (LIMIT_BRANCHES + 6) * (LIMIT_NAME + 40) <= RECORD_LINE,
	       "room for every line");

static char *put(char *p, const char *text)
{
	size_t n = strlen(text);

	memcpy(p, text, n);
	return p + n;
}

/* Bytes of the UTF-8 character (RFC 3629 4) that s begins with, at most n; 0: there is none. */
static unsigned utf8(const unsigned char *s, size_t n)
{
	unsigned len = s[0] < 0x80   ? 1
		       : s[0] < 0xc2 ? 0
		       : s[0] < 0xe0 ? 2
		       : s[0] < 0xf0 ? 3
		       : s[0] < 0xf5 ? 4
				     : 0;

	if (len == 0 || len > n)
		return 0;
	for (unsigned i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90)) /* longer than need be */
		return 0;
	if ((s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf4 && s[1] > 0x8f)) /* surrogates, past U+10FFFF */
		return 0;
	return len;
}

/* A JSON string (RFC 8259 7); what is no UTF-8 becomes U+FFFD, a byte at a time. */
static char *put_text(char *p, const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;

	*p++ = '"';
	while (n > 0) {
		unsigned len = utf8(s, n);

		if (len == 0) {
			p = put(p, "\\ufffd");
			len = 1;
		} else if (*s < 0x20 || *s == 0x7f) {
			p += sprintf(p, "\\u%04x", *s);
		} else {
			if (*s == '"' || *s == '\\')
				*p++ = '\\';
			memcpy(p, s, len);
			p += len;
		}
		s += len;
		n -= len;
	}
	*p++ = '"';
	return p;
}

static char *put_name(char *p, const char *name)
{
	return name ? put_text(p, name, strlen(name)) : put(p, "null");
}

static const char *gateway_name(const struct ctl_policy *policy, uint16_t slot)
{
	uint16_t index = slot < LIMIT_GATEWAYS ? policy->by_slot[slot] : LB_NONE;

	return index == LB_NONE ? NULL : policy->gateways[index].name.p;
}

static const char *pool_name(const struct ctl_policy *policy, uint16_t slot)
{
	uint16_t index = slot < LIMIT_GATEWAYS ? policy->by_slot[slot] : LB_NONE;

	return index == LB_NONE ? NULL : policy->pools[policy->gateways[index].pool].name.p;
}

static const char *peer_name(const struct ctl_policy *policy, uint16_t slot)
{
	for (uint32_t i = 0; slot != LB_NONE && i < policy->spec.n_peers; i++)
		if (policy->peer_specs[i].slot == slot)
			return policy->peer_specs[i].name.p;
	return NULL;
}

static char *put_time(char *p, const struct timespec *at)
{
	struct tm tm;

	p += strftime(p, 40, "{\"time\":\"%Y-%m-%dT%H:%M:%S", gmtime_r(&at->tv_sec, &tm));
	return p + sprintf(p, ".%03dZ\"", (int)(at->tv_nsec / 1000000));
}

/* Gateways in the order in which they were done with, who answered last. */
static char *put_tries(char *p, const struct lb_record *r, const struct ctl_policy *policy)
{
	static const char *const left[] = {
		[LB_LEFT_SILENT] = "silent", [LB_LEFT_DOWN] = "down", [LB_LEFT_ICMP] = "icmp"
	};
	const char *comma = "";

	p = put(p, ",\"tried\":[");
	for (unsigned i = 0; i < r->n_tries; i++, comma = ",") {
		const struct lb_try *t = &r->tries[i];

		p = put_name(p + sprintf(p, "%s{\"gateway\":", comma), gateway_name(policy, t->gateway));
		if (t->status < sizeof(left) / sizeof(left[0]))
			p += sprintf(p, ",\"left\":\"%s\"}", left[t->status]);
		else
			p += sprintf(p, ",\"status\":%u}", t->status);
	}
	if (r->status / 100 == 2) {
		p = put_name(p + sprintf(p, "%s{\"gateway\":", comma), gateway_name(policy, r->out));
		p += sprintf(p, ",\"status\":%u}", r->status);
	}
	return put(p, "]");
}

static char *put_end(char *p, const struct lb_record *r)
{
	/* The words of weir_calls_ended_total. */
	static const char *const ends[] = {
		[LB_END_FAILED] = "failure",
		[LB_END_BYE] = "bye",
		[LB_END_BYE_UNANSWERED] = "bye-unanswered",
		[LB_END_SESSION] = "session-timer",
		[LB_END_DURATION] = "max-duration",
		[LB_END_SILENT] = "no-final",
		[LB_END_CANCELLED] = "cancel",
	};

	p += sprintf(p, ",\"code\":%u,\"end\":\"%s\"", r->status, ends[r->how]);
	if (r->how == LB_END_BYE || r->how == LB_END_BYE_UNANSWERED)
		p += sprintf(p, ",\"bye_from\":\"%s\"", r->bye_caller ? "caller" : "callee");
	if (r->late)
		p = put(p, ",\"late\":true");
	return p + sprintf(p, ",\"setup_ms\":%u,\"hold_s\":%u.%03u}\n", r->age_ms - r->answered_ms,
			   r->answered_ms / 1000, r->answered_ms % 1000);
}

size_t record_line(const struct lb_record *r, const char *node, const struct ctl_policy *policy,
		   const struct timespec *ended, char *out)
{
	const char *text = r->text;
	char *p = put_time(out, ended);

	p = put_name(put(p, ",\"node\":"), node);
	p = put_name(put(p, ",\"peer\":"), peer_name(policy, r->peer));
	p = put_name(put(p, ",\"from_gateway\":"), gateway_name(policy, r->in));
	p = put_text(put(p, ",\"from\":"), text, r->caller_n);
	text += r->caller_n;
	p = put_text(put(p, ",\"to\":"), text, r->number_n);
	text += r->number_n;
	p = put_text(put(p, ",\"call_id\":"), text, r->call_id_n);
	p = put_name(put(p, ",\"pool\":"), pool_name(policy, r->out));
	p = put_name(put(p, ",\"gateway\":"), gateway_name(policy, r->out));
	p = put_tries(p, r, policy);
	p = put_end(p, r);
	return (size_t)(p - out);
}
