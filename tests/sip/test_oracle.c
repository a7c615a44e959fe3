/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Our fields against libosip2's, for every message of the corpus and for variations of the good ones (other
 * spellings, folds, comma lists). Where both read a message, they must read the same. EXCEPTIONS lists where
 * they do not, and why we are right.
 */
#include "tests/sip/support.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <strings.h>

/* Differences that are well-founded: message, field ("" = osip2 refuses or misreads it wholly), reason. */
static const struct {
	const char *name, *field, *why;
} exceptions[] = {
#include "tests/sip/oracle_exceptions.def"
};

static unsigned compared, excepted;

static bool excepted_field(const char *name, const char *field)
{
	for (unsigned i = 0; i < sizeof(exceptions) / sizeof(exceptions[0]); i++)
		if (strcmp(exceptions[i].name, name) == 0 &&
		    (!exceptions[i].field[0] || strcmp(exceptions[i].field, field) == 0)) {
			excepted++;
			return true;
		}
	return false;
}

/* ours against theirs; NULL and "" are the same. */
static void same(const char *name, const char *field, const char *ours, const char *theirs)
{
	compared++;
	if (strcmp(ours ? ours : "", theirs ? theirs : "") != 0 && !excepted_field(name, field))
		fail_msg("%s: %s: ours \"%s\", libosip2 \"%s\"", name, field, ours, theirs);
}

static const char *span(const struct sip_msg *m, struct sip_span s)
{
	return s.off ? text_of(m, s) : "";
}

static void same_port(const char *name, const char *field, uint16_t ours, const char *theirs)
{
	char text[8] = "";

	if (ours)
		snprintf(text, sizeof(text), "%u", ours);
	same(name, field, text, theirs);
}

/* libosip2 keeps the user part unescaped. */
static void same_user(const char *name, const char *field, const char *ours, const char *theirs)
{
	char plain[4096];

	snprintf(plain, sizeof(plain), "%s", ours);
	__osip_uri_unescape(plain);
	same(name, field, plain, theirs);
}

static void same_uri(const char *name, const char *field, const struct sip_msg *m, struct sip_span where,
		     const osip_uri_t *theirs)
{
	struct sip_uri uri;

	if (!sip_uri_parse(m, where, &uri) || !theirs) {
		if (!excepted_field(name, field))
			fail_msg("%s: %s: ours \"%s\" is not read", name, field, text_of(m, where));
		return;
	}
	if (uri.scheme != SIP_SCHEME_SIP && uri.scheme != SIP_SCHEME_SIPS)
		return; /* libosip2 does not take others apart */
	same_user(name, field, span(m, uri.user), theirs->username);
	same(name, field, span(m, uri.host), theirs->host);
	same_port(name, field, uri.port, theirs->port);
}

static const char *param(const osip_list_t *params, const char *name)
{
	for (int i = 0; i < osip_list_size(params); i++) {
		const osip_generic_param_t *p = osip_list_get(params, i);

		if (strcasecmp(p->gname, name) == 0)
			return p->gvalue;
	}
	return NULL;
}

static void same_vias(const char *name, const struct sip_msg *m, const osip_message_t *o)
{
	struct sip_list it = sip_list_start(m, SIP_HDR_VIA);
	struct sip_span value;
	int i = 0;

	for (; sip_list_next(m, &it, &value) == SIP_NEXT_VALUE; i++) {
		const osip_via_t *theirs = osip_list_get(&o->vias, i);
		struct sip_via via;

		if (!sip_via_parse(m, value, &via) || !theirs) {
			if (!excepted_field(name, "via"))
				fail_msg("%s: Via %d is not read", name, i);
			return;
		}
		same(name, "via", span(m, via.transport), theirs->protocol);
		same(name, "via", span(m, via.host), theirs->host);
		same_port(name, "via", via.port, theirs->port);
		same(name, "via", span(m, via.branch), param(&theirs->via_params, "branch"));
		same(name, "received", span(m, via.received), param(&theirs->via_params, "received"));
		same(name, "via", span(m, via.maddr), param(&theirs->via_params, "maddr"));
	}
	if (i != osip_list_size(&o->vias) && !excepted_field(name, "via"))
		fail_msg("%s: %d Vias, libosip2 %d", name, i, osip_list_size(&o->vias));
}

static void same_routes(const char *name, const struct sip_msg *m, enum sip_hdr id, const osip_list_t *theirs)
{
	struct sip_list it = sip_list_start(m, id);
	struct sip_span value;
	int i = 0;

	for (; sip_list_next(m, &it, &value) == SIP_NEXT_VALUE; i++) {
		const osip_from_t *route = osip_list_get(theirs, i);
		struct sip_party party;

		assert_true(sip_party_parse(m, value, &party));
		same_uri(name, "route", m, party.uri, route ? route->url : NULL);
	}
	if (i != osip_list_size(theirs) && !excepted_field(name, "route"))
		fail_msg("%s: %d routes, libosip2 %d", name, i, osip_list_size(theirs));
}

/* checked: as sip_check() left it, perhaps with the tag alone. */
static void same_party(const char *name, const char *field, enum sip_hdr id, const struct sip_msg *m,
		       const struct sip_party *checked, const osip_from_t *theirs)
{
	struct sip_party ours;

	assert_true(sip_party_first(m, id, &ours));
	assert_memory_equal(&checked->tag, &ours.tag, sizeof(ours.tag));
	assert_int_equal(checked->end, ours.end);
	if (!theirs) {
		if (!excepted_field(name, field))
			fail_msg("%s: libosip2 has no %s", name, field);
		return;
	}
	same_uri(name, field, m, ours.uri, theirs->url);
	same(name, field, span(m, ours.tag), param(&theirs->gen_params, "tag"));
}

/* Returns false if one of the two does not read the message. */
static bool compare(const char *name, const char *bytes, uint32_t n)
{
	struct sip_fields f;
	struct sip_msg m;
	osip_message_t *o;
	char text[4096];
	bool ours =
		sip_scan(sip_simd_best(), bytes, n, &m) == SIP_GOOD && sip_check(&m, &f) == SIP_FAULT_NONE;

	if (!ours)
		return false;
	assert_int_equal(osip_message_init(&o), 0);
	if (osip_message_parse(o, bytes, n) != 0) {
		if (!excepted_field(name, ""))
			fail_msg("%s: only libosip2 refuses it", name);
		osip_message_free(o);
		return false;
	}
	if (m.is_request) {
		same(name, "method", text_of(&m, m.method_text), o->sip_method);
		same_uri(name, "uri", &m, m.uri, o->req_uri);
	} else {
		assert_int_equal(m.status, o->status_code);
	}
	same_vias(name, &m, o);
	snprintf(text, sizeof(text), "%s%s%s", o->call_id->number, o->call_id->host ? "@" : "",
		 o->call_id->host ? o->call_id->host : "");
	same(name, "call-id", text_of(&m, f.call_id), text);
	same(name, "cseq", text_of(&m, f.cseq.method_text), o->cseq->method);
	assert_int_equal(f.cseq.number, strtoul(o->cseq->number, NULL, 10));
	same_party(name, "from", SIP_HDR_FROM, &m, &f.from, o->from);
	same_party(name, "to", SIP_HDR_TO, &m, &f.to, (const osip_from_t *)o->to);
	same_routes(name, &m, SIP_HDR_ROUTE, &o->routes);
	same_routes(name, &m, SIP_HDR_RECORD_ROUTE, &o->record_routes);
	if (o->content_length)
		assert_int_equal(m.len - m.body, strtoul(o->content_length->value, NULL, 10));
	osip_message_free(o);
	return true;
}

static void corpus(void **state)
{
	struct file *files = files_load();
	unsigned both = 0;

	for (struct file *f = files; f->bytes; f++)
		both += compare(f->name, f->bytes, f->n);
	print_message("%u messages read by both, %u fields compared, %u exceptions\n", both, compared,
		      excepted);
	assert_true(both >= 35);
	files_free(files);
}

/* One message in many spellings: names, order, folds, lists, parameters. */
static void spellings(void **state)
{
	static const char *const vias[] = {
		"Via: SIP/2.0/UDP h1:5070;branch=z9hG4bKa;rport\r\nVia: SIP/2.0/TCP "
		"[2001:db8::1];branch=z9hG4bKb\r\n",
		"v:SIP/2.0/UDP h1:5070;rport;branch=z9hG4bKa,SIP/2.0/TCP "
		"192.0.2.1;received=192.0.2.7;branch=b\r\n",
		"VIA  : SIP/2.0/UDP h1 ;branch=z9hG4bKa ;x=\"a b\"\r\n",
		"Via: SIP/2.0/UDP h1;\r\n branch=z9hG4bKa\r\nv: SIP/2.0/UDP h2;branch=c\r\n",
	};
	static const char *const froms[] = {
		"From: \"A, \\\" B\" <sip:a@h:5062;x=y>;x=1;tag=t1\r\n",
		"f: sip:a@h;tag=t1\r\n",
		"FROM: A B <sips:+123;isub=1@h>;tag=t1;y\r\n",
		"from:<tel:+123>;tag=t1\r\n",
	};
	static const char *const tos[] = {
		"To: <sip:b@[2001:db8::9]:5063>\r\n",
		"t: \"\" <sip:b@h>;tag=T2\r\n",
		"To: sip:h\r\n",
	};
	static const char *const rest[] = {
		"Call-ID: abc@h\r\nCSeq: 1 INVITE\r\n",
		"i: abc\r\nCSEQ: 0012    INVITE\r\nRoute: <sip:r1;lr>,<sip:u@r2:5064;lr>\r\n",
		"Route: <sip:r1;lr>\r\ni:abc\r\nCSeq:0 INVITE\r\nRoute:<sip:u@r2:5064>,<sip:r3>\r\n",
		"Record-Route: <sip:x@r1;lr>\r\nCall-ID: a!%*\r\nCSeq:2147483647 INVITE\r\n",
	};

	for (unsigned i = 0; i < 4 * 4 * 3 * 4; i++) {
		const char *parts[4] = { vias[i % 4], froms[i / 4 % 4], tos[i / 16 % 3], rest[i / 48] };
		char text[2048], name[32];
		int n = snprintf(text, sizeof(text), "INVITE sip:u%u@h.example:50%02u;p=v SIP/2.0\r\n", i,
				 i % 99 + 1);

		for (unsigned k = 0; k < 4; k++) /* the order of the rows turns */
			n += snprintf(text + n, sizeof(text) - (size_t)n, "%s", parts[(k + i) % 4]);
		n += snprintf(text + n, sizeof(text) - (size_t)n, "Content-Length: 0\r\n\r\n");
		snprintf(name, sizeof(name), "spelling %u", i);
		assert_true(compare(name, text, (uint32_t)n));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(corpus),
		cmocka_unit_test(spellings),
	};

	parser_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
