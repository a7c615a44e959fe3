/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests as text. Call-ID and branches are made of the call's place, generation and target, so that
 * responses find their call without a table.
 */
#include "bench/callers/callers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char sdp[] = "v=0\r\n"
			  "o=- 20518 0 IN IP4 203.0.113.1\r\n"
			  "s=-\r\n"
			  "c=IN IP4 203.0.113.1\r\n"
			  "t=0 0\r\n"
			  "m=audio 30000 RTP/AVP 8 0 101\r\n"
			  "a=rtpmap:8 PCMA/8000\r\n"
			  "a=rtpmap:0 PCMU/8000\r\n"
			  "a=rtpmap:101 telephone-event/8000\r\n"
			  "a=sendrecv\r\n";

static uint32_t index_of(const struct world *w, const struct call *c)
{
	return (uint32_t)(c - w->calls);
}

static struct kit_writer start(struct peer *p, uint32_t port)
{
	return (struct kit_writer){ .p = kit_udp_room(&p->port[port]), .room = KIT_DATAGRAM };
}

static void put_out(struct world *w, struct peer *p, uint32_t port, uint32_t target,
		    const struct kit_writer *out)
{
	if (out->full)
		return;
	kit_udp_put(&p->port[port], &w->target[target], out->n);
	obey_charge(w, p, target);
}

/* Request-URI of the call, and URI in its To. */
static void put_uri(struct world *w, struct kit_writer *out, const struct call *c)
{
	if (c->kind == TO_EMERGENCY && c->number % 2)
		kit_say(out, "urn:service:sos");
	else if (c->kind == TO_EMERGENCY)
		kit_say(out, "sip:112@lab.test");
	else
		kit_say(out, "sip:%s%07u@lab.test",
			c->kind == TO_PREFIX ? w->peer[c->peer].plan.prefix : "+1555", c->number % 10000000);
}

static void put_via(struct kit_writer *out, const struct peer *p, uint32_t port)
{
	kit_say(out, "Via: SIP/2.0/UDP %s;rport%s;branch=", p->port[port].text,
		p->plan.oc ? ";oc;oc-algo=\"loss,rate\"" : "");
}

static void put_rest(struct world *w, struct kit_writer *out, const struct call *c, const char *method,
		     uint32_t cseq, char branch)
{
	const struct peer *p = &w->peer[c->peer];

	put_via(out, p, c->port);
	kit_say(out, "z9hG4bK%x.%x.%c\r\nMax-Forwards: 70\r\n", index_of(w, c), c->generation, branch);
	kit_say(out, "From: <sip:%s@callers.test>;tag=%x.%x\r\n", p->plan.name, index_of(w, c),
		c->generation);
	kit_say(out, "Call-ID: %x.%x.%x.%llx@callers.test\r\nCSeq: %u %s\r\n", index_of(w, c), c->generation,
		c->target, (unsigned long long)w->seed, cseq, method);
}

void write_invite(struct world *w, const struct call *c)
{
	struct peer *p = &w->peer[c->peer];
	struct kit_writer out = start(p, c->port);

	kit_say(&out, "INVITE ");
	put_uri(w, &out, c);
	kit_say(&out, " SIP/2.0\r\n");
	put_rest(w, &out, c, "INVITE", 1, 'i');
	kit_say(&out, "To: <");
	put_uri(w, &out, c);
	kit_say(&out, ">\r\nContact: <sip:%s>\r\nAllow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\n",
		p->port[c->port].text);
	kit_say(&out, "Content-Type: application/sdp\r\nContent-Length: %zu\r\n\r\n%s", sizeof(sdp) - 1, sdp);
	put_out(w, p, c->port, c->target, &out);
}

void write_cancel(struct world *w, const struct call *c)
{
	struct peer *p = &w->peer[c->peer];
	struct kit_writer out = start(p, c->port);

	kit_say(&out, "CANCEL ");
	put_uri(w, &out, c);
	kit_say(&out, " SIP/2.0\r\n");
	put_rest(w, &out, c, "CANCEL", 1, 'i');
	kit_say(&out, "To: <");
	put_uri(w, &out, c);
	kit_say(&out, ">\r\nContent-Length: 0\r\n\r\n");
	put_out(w, p, c->port, c->target, &out);
}

void write_bye(struct world *w, const struct call *c)
{
	struct peer *p = &w->peer[c->peer];
	struct kit_writer out = start(p, c->port);

	kit_say(&out, "BYE %.*s SIP/2.0\r\n", c->n_contact, c->contact);
	put_rest(w, &out, c, "BYE", 2, 'b');
	kit_put(&out, c->routes, c->n_routes);
	kit_say(&out, "To: %.*s\r\nContent-Length: 0\r\n\r\n", c->n_to, c->to);
	put_out(w, p, c->port, c->target, &out);
}

/* Route rows from the Record-Route rows of a response, the last first (RFC 3261 12.1.2). */
static void put_routes(struct kit_writer *out, const struct kit_sip *m)
{
	for (uint32_t i = m->n_rows; i-- > 0;) {
		const struct kit_text *v = &m->row[i].value;
		const char *end = v->p + v->n, *comma;

		if (m->row[i].header != KIT_RECORD_ROUTE)
			continue;
		while ((comma = memrchr(v->p, ',', (size_t)(end - v->p)))) {
			kit_say(out, "Route: %.*s\r\n", (int)(end - comma - 1), comma + 1);
			end = comma;
		}
		kit_say(out, "Route: %.*s\r\n", (int)(end - v->p), v->p);
	}
}

void write_ack(struct world *w, struct peer *p, uint32_t port, uint32_t target, const struct kit_sip *m)
{
	struct kit_writer out = start(p, port);
	bool success = m->status < 300;
	struct kit_text uri = kit_uri(success && m->contact.n ? m->contact : m->to);

	kit_say(&out, "ACK %.*s SIP/2.0\r\n", (int)uri.n, uri.p);
	put_via(&out, p, port);
	kit_say(&out, "%.*s%s\r\nMax-Forwards: 70\r\n", (int)m->branch.n, m->branch.p, success ? "a" : "");
	if (success)
		put_routes(&out, m);
	kit_say(&out, "From: %.*s\r\nTo: %.*s\r\n", (int)m->from.n, m->from.p, (int)m->to.n, m->to.p);
	kit_say(&out, "Call-ID: %.*s\r\nCSeq: %u ACK\r\nContent-Length: 0\r\n\r\n", (int)m->call_id.n,
		m->call_id.p, m->cseq);
	put_out(w, p, port, target, &out);
}

static uint16_t keep(char *to, size_t room, struct kit_text text)
{
	uint32_t n = text.n < room ? text.n : 0;

	memcpy(to, text.p, n);
	return (uint16_t)n;
}

void write_keep_dialog(struct call *c, const struct kit_sip *m)
{
	struct kit_writer routes = { .p = c->routes, .room = sizeof(c->routes) };

	c->n_to = keep(c->to, sizeof(c->to), m->to);
	c->n_contact = keep(c->contact, sizeof(c->contact), kit_uri(m->contact.n ? m->contact : m->to));
	put_routes(&routes, m);
	c->n_routes = (uint16_t)routes.n;
}

int write_find(struct world *w, struct kit_text call_id, uint32_t *target, struct call **call)
{
	char text[80];
	unsigned int index, generation;
	unsigned long long seed;

	if (call_id.n >= sizeof(text))
		return -EINVAL;
	memcpy(text, call_id.p, call_id.n);
	text[call_id.n] = 0;
	if (sscanf(text, "%x.%x.%x.%llx@", &index, &generation, target, &seed) != 4 || seed != w->seed ||
	    index >= w->n_calls || *target >= w->n_targets)
		return -EINVAL;
	*call = &w->calls[index];
	if ((*call)->generation != generation || (*call)->state == CALL_FREE)
		*call = NULL;
	return 0;
}
