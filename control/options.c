/* SPDX-License-Identifier: BSD-3-Clause */
/* The OPTIONS probe (RFC 3261 11.1), by libosip2: what a probe looks like is the library's business. */
#include "control/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <osipparser2/osip_parser.h>
#include <osipparser2/osip_port.h>

#include "conf/conf.h"

/* The library would write to stdout whatever an outsider sends it. */
static void discard(const char *file, int line, osip_trace_level_t level, const char *fmt, va_list ap)
{
}

void options_init(void)
{
	parser_init();
	osip_trace_initialize_func(OSIP_BUG, discard);
}

static int set_line(osip_message_t *m, const struct options *o, const char *gateway)
{
	osip_uri_t *uri;
	char text[128];

	if (osip_uri_init(&uri))
		return -ENOMEM;
	snprintf(text, sizeof(text), "sip:%s", gateway);
	if (osip_uri_parse(uri, text)) {
		osip_uri_free(uri);
		return -ENOMEM;
	}
	osip_message_set_uri(m, uri);
	osip_message_set_method(m, osip_strdup("OPTIONS"));
	osip_message_set_version(m, osip_strdup("SIP/2.0"));
	return 0;
}

static int set_headers(osip_message_t *m, const struct options *o, const char *gateway)
{
	char via[256], from[256], to[128], contact[128], cseq[32];

	snprintf(via, sizeof(via), "SIP/2.0/UDP %s;branch=%s;rport%s", o->local, o->branch,
		 o->oc ? ";oc;oc-algo=\"loss,rate\"" : "");
	snprintf(from, sizeof(from), "<sip:weir@%s>;tag=%s", o->local, o->tag);
	snprintf(to, sizeof(to), "<sip:%s>", gateway);
	snprintf(contact, sizeof(contact), "<sip:%s>", o->local);
	snprintf(cseq, sizeof(cseq), "%u OPTIONS", o->cseq);
	if (osip_message_set_via(m, via) || osip_message_set_max_forwards(m, "70") ||
	    osip_message_set_from(m, from) || osip_message_set_to(m, to) ||
	    osip_message_set_call_id(m, o->call_id) || osip_message_set_cseq(m, cseq) ||
	    osip_message_set_contact(m, contact) || osip_message_set_accept(m, "application/sdp") ||
	    osip_message_set_user_agent(m, "weir") || osip_message_set_content_length(m, "0"))
		return -ENOMEM;
	return 0;
}

int options_build(const struct options *o, char out[OPTIONS_MAX])
{
	char gateway[CONF_ADDR_TEXT], *text = NULL;
	osip_message_t *m;
	size_t n = 0;
	int rc;

	conf_addr_text(o->gateway, gateway);
	if (osip_message_init(&m))
		return -ENOMEM;
	rc = set_line(m, o, gateway);
	if (rc == 0)
		rc = set_headers(m, o, gateway);
	if (rc == 0 && osip_message_to_str(m, &text, &n))
		rc = -ENOMEM;
	if (rc == 0 && n > OPTIONS_MAX)
		rc = -EMSGSIZE;
	if (rc == 0) {
		memcpy(out, text, n);
		rc = (int)n;
	}
	osip_free(text);
	osip_message_free(m);
	return rc;
}

bool options_answers(const void *msg, size_t n, const char *call_id, uint32_t cseq)
{
	osip_message_t *m;
	bool ours = false;

	if (osip_message_init(&m))
		return false;
	if (osip_message_parse(m, msg, n) == 0 && MSG_IS_RESPONSE(m) && m->call_id && m->call_id->number &&
	    m->cseq && m->cseq->number)
		ours = !m->call_id->host && strcmp(m->call_id->number, call_id) == 0 &&
		       strtoul(m->cseq->number, NULL, 10) == cseq;
	osip_message_free(m);
	return ours;
}
