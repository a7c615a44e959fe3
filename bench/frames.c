/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Templates and minting: see frames.h. Must stay true: a patched frame is one that a caller or a gateway
 * could have sent, checksums included, so that Weir takes the way that it takes for real traffic.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/frames.h"
#include "dataplane/net/csum.h"
#include "dataplane/worker.h"

#define ETH         14
#define IP4         20
#define UDP         8
#define PAYLOAD     (ETH + IP4 + UDP)
#define TOKEN_TEXT  42 /* bytes of a token with an IPv4 flow */
#define TAG_TEXT    8
#define BRANCH_TEXT 51 /* bytes of a branch of Weir's */

const struct mix_info mix_info[MIXES] = {
	[MIX_CALL] = { "call", 7, { INVITE, TRYING, RINGING, ANSWER, ACK, BYE, BYE_ANSWER } },
	[MIX_INVITE] = { "invite", 1, { INVITE } },
	[MIX_RESPONSE] = { "response", 3, { TRYING, RINGING, ANSWER } },
	[MIX_DIALOG] = { "dialog", 2, { ACK, BYE } },
	[MIX_OPTIONS] = { "options", 1, { OPTIONS } },
	[MIX_BUSY] = { "busy", 1, { BUSY } },
};

static const char *const files[MESSAGES] = {
	[INVITE] = "invite-1275.sip", [TRYING] = "100.sip",      [RINGING] = "180.sip",
	[ANSWER] = "200-invite.sip",  [ACK] = "ack.sip",         [BYE] = "bye.sip",
	[BYE_ANSWER] = "200-bye.sip", [OPTIONS] = "options.sip", [BUSY] = "486.sip",
};

/* ---- templates ---- */

/* The text of a message while it is rewritten line by line. */
struct draft {
	struct template *t;
	char *p; /* t->frame + PAYLOAD */
	uint32_t n;
};

static void copy(struct draft *d, const char *p, size_t n)
{
	if (PAYLOAD + d->n + n <= FRAME_MAX)
		memcpy(d->p + d->n, p, n);
	d->n += (uint32_t)n;
}

/* Marks the next bytes as `field` and fills them for now. */
static void mark(struct draft *d, enum field field, uint32_t n)
{
	struct template *t = d->t;

	if (t->n_patches == FRAME_PATCHES)
		abort();
	t->patch[t->n_patches++] = (struct patch){ (uint16_t)(PAYLOAD + d->n), (uint8_t)field };
	for (uint32_t i = 0; i < n; i++)
		copy(d, "0", 1);
}

static uint16_t here(const struct draft *d)
{
	return (uint16_t)(PAYLOAD + d->n);
}

/* Copies a line up to where `key` ends; returns what follows, or NULL if it is not there. */
static const char *copy_past(struct draft *d, const char *line, const char *end, const char *key)
{
	const char *at = memmem(line, (size_t)(end - line), key, strlen(key));

	if (!at)
		return NULL;
	at += strlen(key);
	copy(d, line, (size_t)(at - line));
	return at;
}

static void rewrite_via(struct draft *d, const char *line, const char *end, bool ours)
{
	const char *at = copy_past(d, line, end, ";branch=");
	uint16_t start = here(d);

	at += strcspn(at, ";\r");
	if (ours) {
		mark(d, FIELD_OUR_BRANCH, BRANCH_TEXT);
	} else {
		copy(d, "z9hG4bK0c", 9);
		mark(d, FIELD_BRANCH, 16);
		d->t->branch = start;
		d->t->branch_n = (uint16_t)(here(d) - start);
	}
	copy(d, at, (size_t)(end - at));
}

static void rewrite_call_id(struct draft *d, const char *line, const char *end)
{
	uint16_t start = (uint16_t)(here(d) + 9);

	copy(d, "Call-ID: 184", 12);
	mark(d, FIELD_CALL_ID, 16);
	line = memchr(line, '@', (size_t)(end - line));
	copy(d, line, (size_t)(end - line));
	d->t->call_id = start;
	d->t->call_id_n = (uint16_t)(here(d) - start - 2);
}

static void rewrite_from(struct draft *d, const char *line, const char *end)
{
	copy_past(d, line, end, ";tag=");
	d->t->from_tag = here(d);
	d->t->from_tag_n = 10;
	copy(d, "gK", 2);
	mark(d, FIELD_FROM_TAG, 8);
	copy(d, "\r\n", 2);
}

static void rewrite_to(struct draft *d, const char *line, const char *end)
{
	const char *at = copy_past(d, line, end, ";tag=");

	if (!at) {
		copy(d, line, (size_t)(end - line));
		return;
	}
	d->t->to_tag = here(d);
	d->t->to_tag_n = (uint16_t)strcspn(at, ";\r");
	mark(d, FIELD_TO_TAG, TAG_TEXT);
	copy(d, at + TAG_TEXT, (size_t)(end - at - TAG_TEXT));
}

/* A Route gets a token; a Record-Route, which nobody reads on the way, gets a text of its length. */
static void rewrite_route(struct draft *d, const char *line, const char *end, bool token)
{
	const char *at = copy_past(d, line, end, "<sip:");

	if (token)
		mark(d, FIELD_TOKEN, TOKEN_TEXT);
	else
		copy(d, at, TOKEN_TEXT);
	at = memchr(at, '@', (size_t)(end - at));
	copy(d, at, (size_t)(end - at));
}

static bool starts(const char *line, const char *name)
{
	return strncmp(line, name, strlen(name)) == 0;
}

static void rewrite_line(struct draft *d, const char *line, const char *end, const char *listener)
{
	if (starts(line, "Via: "))
		rewrite_via(d, line, end,
			    memmem(line, (size_t)(end - line), listener, strlen(listener)) != NULL);
	else if (starts(line, "Call-ID: "))
		rewrite_call_id(d, line, end);
	else if (starts(line, "From: "))
		rewrite_from(d, line, end);
	else if (starts(line, "To: "))
		rewrite_to(d, line, end);
	else if (starts(line, "Route: "))
		rewrite_route(d, line, end, true);
	else if (starts(line, "Record-Route: "))
		rewrite_route(d, line, end, false);
	else
		copy(d, line, (size_t)(end - line));
}

static void rewrite(struct draft *d, const char *text, size_t n, const char *listener)
{
	const char *line = text, *end = text + n;

	while (line < end && *line != '\r') {
		const char *next = memmem(line, (size_t)(end - line), "\r\n", 2);

		next = next ? next + 2 : end;
		rewrite_line(d, line, next, listener);
		line = next;
	}
	copy(d, line, (size_t)(end - line));
}

static void ip_text(const struct addr *a, char out[INET_ADDRSTRLEN])
{
	uint32_t ip = addr_ip4_be(a);

	inet_ntop(AF_INET, &ip, out, INET_ADDRSTRLEN);
}

static bool load(const char *dir, enum message message, char *text, size_t cap, size_t *n)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, files[message]);
	f = fopen(path, "rb");
	if (!f) {
		perror(path);
		return false;
	}
	*n = fread(text, 1, cap - 1, f);
	text[*n] = 0;
	fclose(f);
	return *n > 0;
}

/* One template: its text rewritten, with headers, its number in the IPv4 identification. */
static bool make_template(struct mint *mint, enum message message, const char *text, size_t n,
			  const struct addr *listener)
{
	struct net_port port = { .mtu = 1500 };
	struct net_hop hop = { .smac = { 2, 0, 0, 0, 0, 1 }, .state = NET_HOP_READY };
	struct template *t = &mint->templates[message];
	struct draft d = { .t = t, .p = (char *)t->frame + PAYLOAD };
	char shown[INET_ADDRSTRLEN];

	ip_text(listener, shown);
	rewrite(&d, text, n, shown);
	if (PAYLOAD + d.n > FRAME_MAX)
		return false;
	t->n = (uint16_t)(PAYLOAD + d.n);
	t->payload = PAYLOAD;
	t->from_gateway = starts(text, "SIP/2.0");
	net_write_headers(&port, &hop, t->from_gateway ? &mint->gateway : &mint->caller, listener, false,
			  t->frame + PAYLOAD, (uint16_t)d.n);
	t->frame[ETH + 5] = (uint8_t)message;
	return true;
}

bool templates_load(struct mint *mint, const char *dir, const struct addr *listener)
{
	char text[FRAME_MAX], caller[INET_ADDRSTRLEN];
	size_t n;

	ip_text(&mint->caller, caller);
	mint->sent_by = dp_mix(caller, (uint32_t)strlen(caller), mint->caller.port);
	for (int i = 0; i < MESSAGES; i++) {
		if (!load(dir, (enum message)i, text, sizeof(text), &n))
			return false;
		if (!make_template(mint, (enum message)i, text, n, listener)) {
			fprintf(stderr, "%s: longer than a frame\n", files[i]);
			return false;
		}
	}
	return true;
}

/* ---- pcap ---- */

static void put_checksums(const struct template *t, uint8_t *frame)
{
	uint16_t udp_n = (uint16_t)(t->n - ETH - IP4), zero = 0, sum;
	uint8_t *ip = frame + ETH, *udp = ip + IP4;

	memcpy(ip + 10, &zero, 2);
	sum = (uint16_t)~net_fold(net_sum(ip, IP4));
	memcpy(ip + 10, &sum, 2);
	memcpy(udp + 6, &zero, 2);
	sum = (uint16_t)~net_fold(net_sum(udp, udp_n) + net_sum(ip + 12, 8) + htons(udp_n) +
				  htons(IPPROTO_UDP));
	if (!sum)
		sum = 0xffff;
	memcpy(udp + 6, &sum, 2);
}

bool pcap_write(const struct mint *mint, enum mix mix, const uint8_t mac[6], const char *path)
{
	static const uint32_t head[6] = { 0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1 };
	FILE *f = fopen(path, "wb");
	bool ok;

	if (!f)
		return false;
	ok = fwrite(head, sizeof(head), 1, f) == 1;
	for (int i = 0; i < mix_info[mix].n && ok; i++) {
		const struct template *t = &mint->templates[mix_info[mix].message[i]];
		uint8_t frame[FRAME_MAX];

		memcpy(frame, t->frame, t->n);
		memcpy(frame, mac, 6);
		put_checksums(t, frame);
		ok = fwrite((uint32_t[4]){ 0, 0, t->n, t->n }, 16, 1, f) == 1 &&
		     fwrite(frame, t->n, 1, f) == 1;
	}
	return fclose(f) == 0 && ok;
}

/* ---- minting ---- */

/* splitmix64: call numbers to identities that look random. */
static inline uint64_t mix64(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static inline void hex(uint8_t *p, uint64_t v, unsigned digits)
{
	for (unsigned i = 0; i < digits; i++, v >>= 4)
		p[i] = (uint8_t) "0123456789abcdef"[v & 15];
}

static inline uint64_t to_tag(uint64_t id)
{
	return ~id * 0x9e3779b97f4a7c15 >> 32;
}

/* INVITE and its responses share a branch, BYE and its response another; the ACK to a 2xx has its own. */
static inline uint64_t transaction(enum message message)
{
	return message == ACK ? 1 : message == BYE || message == BYE_ANSWER ? 2 : 0;
}

static struct identity identify(const struct mint *mint, const struct template *t, const uint8_t *frame)
{
	const struct lb_key *key = lb_snapshot_key(mint->policy);
	struct identity id = {
		.call_hash = lb_hash(key, frame + t->call_id, t->call_id_n),
		.from_hash = lb_hash(key, frame + t->from_tag, t->from_tag_n),
	};

	id.gateway = lb_pick_ideal(mint->policy, mint->pool, id.call_hash);
	return id;
}

/* The identity that Weir gave to the caller's top Via when it forwarded the request (dataplane/query.c). */
static uint64_t via_hash(const struct mint *mint, const struct template *t, const uint8_t *frame)
{
	return lb_hash_more(lb_snapshot_key(mint->policy), mint->sent_by, frame + t->branch, t->branch_n);
}

static void put_our_branch(const struct mint *mint, enum message message, const struct identity *id,
			   uint8_t *p)
{
	enum branch_kind invite = mint->stateful ? BRANCH_SETUP : BRANCH_PINNED;
	struct branch b = {
		.kind = message == BYE_ANSWER ? BRANCH_STATELESS : invite, /* a BYE goes by its token */
		.gateway = gateway_by_slot(mint->policy, id->gateway)->id,
		.loop = (uint32_t)id->call_hash,
		.identity = id->via_hash,
	};
	char text[LIMIT_BRANCH];

	branch_write(&mint->policy->keys, &b, id->call_hash, &mint->caller, text);
	memcpy(p, text, BRANCH_TEXT);
}

static void put_token(const struct mint *mint, const struct identity *id, uint8_t *p)
{
	struct token token = {
		.gateway = gateway_by_slot(mint->policy, id->gateway)->id,
		.caller = (uint32_t)id->from_hash,
		.node = mint->policy->node,
		.flow = mint->caller,
	};
	char text[LIMIT_TOKEN];

	token_write(&mint->policy->keys, &token, id->call_hash, text);
	memcpy(p, text, TOKEN_TEXT);
}

/* The texts that do not depend on others. */
static void put_numbers(const struct template *t, enum message message, uint64_t call, uint8_t *frame)
{
	uint64_t id = mix64(call);

	for (unsigned i = 0; i < t->n_patches; i++) {
		uint8_t *p = frame + t->patch[i].off;

		switch ((enum field)t->patch[i].field) {
		case FIELD_CALL_ID:
			hex(p, id, 16);
			break;
		case FIELD_BRANCH:
			hex(p, mix64(id + transaction(message)), 16);
			break;
		case FIELD_FROM_TAG:
			hex(p, id * 0x9e3779b97f4a7c15 >> 32, 8);
			break;
		case FIELD_TO_TAG:
			hex(p, to_tag(id), TAG_TEXT);
			break;
		case FIELD_OUR_BRANCH:
		case FIELD_TOKEN:
			break;
		}
	}
}

void mint_frame(const struct mint *mint, enum message message, uint64_t call, uint8_t *frame)
{
	const struct template *t = &mint->templates[message];
	struct identity id;

	put_numbers(t, message, call, frame);
	if ((message == INVITE || message == OPTIONS) && mint->callers > 1)
		frame[ETH + 15] = (uint8_t)(mint->caller.ip[15] + call % mint->callers);
	if (t->from_gateway || message == ACK || message == BYE)
		id = identify(mint, t, frame);
	if (t->from_gateway) {
		id.via_hash = via_hash(mint, t, frame);
		frame[ETH + 15] = (uint8_t)(mint->gateway.ip[15] + id.gateway);
	}
	for (unsigned i = 0; i < t->n_patches; i++) {
		if (t->patch[i].field == FIELD_OUR_BRANCH)
			put_our_branch(mint, message, &id, frame + t->patch[i].off);
		else if (t->patch[i].field == FIELD_TOKEN)
			put_token(mint, &id, frame + t->patch[i].off);
	}
	put_checksums(t, frame);
}

struct identity mint_identity(const struct mint *mint, uint64_t call, uint8_t *frame)
{
	const struct template *t = &mint->templates[INVITE];
	struct identity id;

	put_numbers(t, INVITE, call, frame);
	id = identify(mint, t, frame);
	id.via_hash = via_hash(mint, t, frame);
	return id;
}

uint32_t mint_to_hash(const struct mint *mint, uint64_t call)
{
	const struct template *t = &mint->templates[BYE];
	uint8_t frame[FRAME_MAX];

	memcpy(frame + t->to_tag, t->frame + t->to_tag, t->to_tag_n);
	put_numbers(t, BYE, call, frame);
	return (uint32_t)lb_hash(lb_snapshot_key(mint->policy), frame + t->to_tag, t->to_tag_n);
}
