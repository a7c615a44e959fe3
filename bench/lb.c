/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cost of a decision: ns per lb_input() for each kind of message, with few calls in the pin table (all in
 * cache) and with many (each call met at random). Bursts of 32 with lb_prefetch() before them, as on the
 * path; making the queries is not timed. The best of several passes counts.
 *
 * Usage: bench-lb [--calls N] [--json FILE]
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include "lb/snapshot.h"
#include "lb/worker.h"
#include "tests/lb/world.h"

#define GATEWAYS 8
#define FEW      1024u
#define MANY     1000000u
#define MESSAGES (1u << 14) /* of one pass: short, so that some pass is undisturbed */
#define PASSES   5
#define TO_TAG   STR("a6c85cf")

enum kind {
	NEW_INVITE,
	REPEATED_INVITE,
	NEW_OPTIONS,
	TO_GATEWAY,
	TO_CALLER,
	FIRST_RESPONSE,
	DIALOG_RESPONSE,
	REFUSED,
	REFUSED_AGAIN,
	OWN_ACK,
	CALL,
	COUNTED,
	KINDS
};

static const char *const names[KINDS] = {
	[NEW_INVITE] = "INVITE, new",
	[REPEATED_INVITE] = "INVITE, repeated",
	[NEW_OPTIONS] = "OPTIONS, new",
	[TO_GATEWAY] = "in dialog, to the gateway",
	[TO_CALLER] = "in dialog, to the caller",
	[FIRST_RESPONSE] = "response to a pinned request",
	[DIALOG_RESPONSE] = "response in dialog",
	[REFUSED] = "INVITE, refused",
	[REFUSED_AGAIN] = "INVITE, refused again",
	[OWN_ACK] = "ACK to a refusal",
	[CALL] = "call of seven messages, mean",
	[COUNTED] = "counting of a call, whole",
};

struct bench {
	struct world w;
	uint32_t calls;
	uint32_t turn; /* counts transactions that are new */
	struct lb_query q[LIMIT_BURST];
	char text[LIMIT_BURST][LIMIT_BRANCH]; /* tokens, branches and tags of q */
	double ns[KINDS];
};

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + t.tv_nsec;
}

/* A request as hashes: call n, and a call of its own for each turn. */
static struct lb_query request(enum method method, uint32_t n, uint32_t turn)
{
	static const struct lb_key key = { .k = { 5, 6 } };
	struct lb_query q = { 0 };
	uint64_t id = (uint64_t)turn << 32 | n;

	q.request = 1;
	q.method = method;
	/* 192.0.2.1 to .200: one address alone would have too many refusals that it does not acknowledge */
	q.src = q.reply_to = addr_v4(0x000200c0 | (1 + n % 200) << 24, 5062);
	q.call_hash = lb_hash(&key, &id, 8);
	q.from_hash = lb_hash_more(&key, 1, &id, 8);
	q.via_hash = lb_hash_more(&key, 2, &id, 8);
	q.loop_hash = (uint32_t)q.via_hash ^ 7;
	q.number = STR("+8212345678");
	q.host = STR("example.net");
	return q;
}

static void in_dialog(struct bench *b, struct lb_query *q, char *text)
{
	uint16_t slot = lb_pick_ideal(b->w.snap, 0, q->call_hash);
	struct token t = { .gateway = lb_gateway_id(b->w.gateway[slot].name),
			   .caller = (uint32_t)q->from_hash,
			   .flow = q->src };

	q->has_to_tag = 1;
	q->to_tag = TO_TAG;
	q->token = (struct str){ text, token_write(&b->w.snap->keys, &t, q->call_hash, text) };
}

static void response(struct bench *b, struct lb_query *q, enum branch_kind kind, char *text)
{
	uint16_t slot = lb_pick_ideal(b->w.snap, 0, q->call_hash);
	struct branch br = { .kind = kind,
			     .gateway = lb_gateway_id(b->w.gateway[slot].name),
			     .loop = q->loop_hash,
			     .identity = q->via_hash };

	q->request = 0;
	q->status = 180;
	q->has_to_tag = 1;
	q->to_tag = TO_TAG;
	q->src = b->w.gateway[slot].addr;
	q->via_to = q->reply_to;
	q->branch =
		(struct str){ text, branch_write(&b->w.snap->keys, &br, q->call_hash, &q->reply_to, text) };
}

/* Makes one message of a kind for call n. */
static void make(struct bench *b, enum kind kind, uint32_t n, struct lb_query *q, char *text)
{
	*q = request(METHOD_INVITE, n, 0);
	switch (kind) {
	case NEW_INVITE:
	case REFUSED:
		*q = request(METHOD_INVITE, n, ++b->turn);
		q->room = kind == REFUSED; /* as on the wire: then the pool is noted full */
		break;
	case NEW_OPTIONS:
		*q = request(METHOD_OPTIONS, n, ++b->turn);
		break;
	case TO_GATEWAY:
		in_dialog(b, q, text);
		q->method = METHOD_BYE;
		break;
	case TO_CALLER:
		in_dialog(b, q, text);
		q->method = METHOD_BYE;
		q->src = b->w.gateway[0].addr;
		q->to_hash = (uint32_t)q->from_hash;
		q->from_hash++;
		break;
	case FIRST_RESPONSE:
		response(b, q, BRANCH_PINNED, text);
		break;
	case DIALOG_RESPONSE:
		q->method = METHOD_BYE;
		response(b, q, BRANCH_STATELESS, text);
		break;
	case OWN_ACK:
		q->method = METHOD_ACK;
		q->has_to_tag = 1;
		q->to_tag = (struct str){ text, tag_write(&b->w.snap->keys, q, text) };
		break;
	default:
		break;
	}
}

/* What a burst of a kind must end in; anything else would be timed for nothing. */
static void check(enum kind kind, enum st_end end)
{
	enum st_end want =
		kind == FIRST_RESPONSE || kind == DIALOG_RESPONSE ? ST_FWD_RESPONSE : ST_FWD_REQUEST;

	if (kind == REFUSED)
		want = ST_REPLY_REFUSED;
	if (kind == REFUSED_AGAIN)
		want = ST_REPLY_REFUSED_AGAIN;
	if (kind == OWN_ACK)
		want = ST_ABSORB_ACK;
	if (end != want) {
		fprintf(stderr, "%s: ended in %s\n", names[kind], st_info(end)->name);
		exit(1);
	}
}

/* ns per message of one pass. */
static double pass(struct bench *b, enum kind kind, uint64_t *random)
{
	struct lb_act acts[LIMIT_ACTS];
	uint64_t spent = 0;

	for (uint32_t done = 0; done < MESSAGES; done += LIMIT_BURST) {
		uint64_t from;

		for (unsigned i = 0; i < LIMIT_BURST; i++) {
			*random = *random * 6364136223846793005 + 1442695040888963407;
			make(b, kind, (*random >> 32) % b->calls, &b->q[i], b->text[i]);
		}
		b->w.now += 1000;
		from = clock_ns();
		for (unsigned i = 0; i < LIMIT_BURST; i++)
			lb_prefetch(b->w.worker, &b->q[i], LB_FETCH_HEADS);
		for (unsigned i = 0; i < LIMIT_BURST; i++)
			lb_input(b->w.worker, b->w.snap, &b->q[i], b->w.now, acts);
		spent += clock_ns() - from;
		check(kind, acts[0].end);
	}
	return (double)spent / MESSAGES;
}

static void all_gateways(struct bench *b, enum lb_health health)
{
	for (uint16_t slot = 0; slot < GATEWAYS; slot++)
		lb_set_health(b->w.words, slot, health);
}

/* Forwards, or has refused, the INVITE of every call, so that pins or memo know it. */
static void fill(struct bench *b)
{
	struct lb_act acts[LIMIT_ACTS];

	for (uint32_t n = 0; n < b->calls; n++) {
		struct lb_query q = request(METHOD_INVITE, n, 0);

		lb_input(b->w.worker, b->w.snap, &q, b->w.now, acts);
	}
}

/* Refusals are for a table of their own: the memo holds less than the pins. */
static void prepare(struct bench *b, enum kind kind, uint32_t calls)
{
	bool refusing = kind == REFUSED || kind == REFUSED_AGAIN;

	b->calls = refusing && calls > LIMIT_MEMO / 32 ? LIMIT_MEMO / 32 : calls;
	b->w.now += 1000 * SECOND;
	all_gateways(b, refusing ? LB_DOWN : LB_UP);
	fill(b);
}

static struct call_key counted_key(uint32_t n, uint32_t turn)
{
	struct lb_query q = request(METHOD_INVITE, n, turn);

	return call_key(&q);
}

static void count_one(struct bench *b, const struct call_key *key)
{
	const struct call_sides sides = {
		.in = LB_NONE,
		.out = key->branch % GATEWAYS,
		.peer = 0,
		.share = SHARE_NONE,
		.began = b->w.now,
	};
	struct calls *c = &b->w.worker->calls;

	word_take(&b->w.words->gateway[sides.out]);
	peer_reserve(&b->w.words->peer[0], true);
	call_confirm(c, call_open(c, key, &sides, b->w.now), 7, 0, b->w.now + 1000000);
}

/*
 * ns for all that is counted of one call: its opening, its 2xx, its BYE and the answer to that, in a table of
 * b->calls others. A call met at random ends, a new one takes its entry.
 */
static double pass_counted(struct bench *b, uint32_t *turns, uint64_t *random)
{
	struct call_key old[LIMIT_BURST], new[LIMIT_BURST];
	struct calls *c = &b->w.worker->calls;
	uint64_t spent = 0;

	for (uint32_t done = 0; done < MESSAGES; done += LIMIT_BURST) {
		uint64_t from;

		for (unsigned i = 0; i < LIMIT_BURST; i++) {
			uint32_t n;

			*random = *random * 6364136223846793005 + 1442695040888963407;
			n = (*random >> 32) % b->calls;
			old[i] = counted_key(n, turns[n]);
			new[i] = counted_key(n, ++turns[n]);
		}
		b->w.now += 1000000;
		from = clock_ns();
		for (unsigned i = 0; i < LIMIT_BURST; i++) {
			call_prefetch(c, old[i].call_hash, true, LB_FETCH_HEADS);
			call_prefetch(c, new[i].call_hash, false, LB_FETCH_HEADS);
		}
		for (unsigned i = 0; i < LIMIT_BURST; i++)
			call_prefetch(c, old[i].call_hash, true, LB_FETCH_ENTRIES);
		for (unsigned i = 0; i < LIMIT_BURST; i++) {
			call_bye(c, old[i].call_hash, old[i].caller, 7, b->w.now);
			call_bye_answered(c, old[i].call_hash, old[i].caller, 7, 200, b->w.now);
			count_one(b, &new[i]);
		}
		spent += clock_ns() - from;
	}
	return (double)spent / MESSAGES;
}

static double run_counted(struct bench *b, uint64_t *random)
{
	uint32_t *turns = calloc(b->calls, sizeof(*turns));
	double best = 1e9;

	world_calls(&b->w, b->calls);
	for (uint32_t n = 0; n < b->calls; n++) {
		struct call_key key = counted_key(n, 0);

		count_one(b, &key);
	}
	for (unsigned p = 0; p < PASSES; p++) {
		double ns = pass_counted(b, turns, random);

		best = ns < best ? ns : best;
	}
	if (lb_call_count(b->w.worker) != b->calls) {
		fprintf(stderr, "%s: %u calls, not %u\n", names[COUNTED], lb_call_count(b->w.worker),
			b->calls);
		exit(1);
	}
	free(turns);
	return best;
}

static void run(struct bench *b, uint32_t calls)
{
	uint64_t random = 1;

	world_init(&b->w);
	for (unsigned i = 0; i < GATEWAYS; i++)
		world_gateway(&b->w, 0, 10, 0);
	world_build(&b->w);
	world_pins(&b->w, calls + MESSAGES * (PASSES + 1) * 2);
	for (enum kind kind = 0; kind < CALL; kind++) {
		b->ns[kind] = 1e9;
		prepare(b, kind, calls);
		for (unsigned p = 0; p < PASSES; p++) {
			double ns = pass(b, kind, &random);

			b->ns[kind] = ns < b->ns[kind] ? ns : b->ns[kind];
		}
	}
	/* INVITE, 100, 180, 200, ACK, BYE, 200 */
	b->ns[CALL] = (b->ns[NEW_INVITE] + 3 * b->ns[FIRST_RESPONSE] + 2 * b->ns[TO_GATEWAY] +
		       b->ns[DIALOG_RESPONSE]) /
		      7;
	b->calls = calls;
	b->ns[COUNTED] = run_counted(b, &random);
	world_free(&b->w);
}

static int write_json(const char *path, const struct bench *few, const struct bench *many, uint32_t calls)
{
	FILE *f = fopen(path, "w");

	if (!f) {
		perror(path);
		return 1;
	}
	fprintf(f, "{\"unit\": \"ns per message\", \"calls\": [%u, %u], \"kinds\": {", FEW, calls);
	for (enum kind k = 0; k < KINDS; k++)
		fprintf(f, "%s\n  \"%s\": [%.1f, %.1f]", k ? "," : "", names[k], few->ns[k], many->ns[k]);
	fprintf(f, "\n}}\n");
	return fclose(f) ? 1 : 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "calls", required_argument, NULL, 'c' },
						 { "json", required_argument, NULL, 'j' },
						 { 0 } };
	struct bench *few = calloc(1, sizeof(*few)), *many = calloc(1, sizeof(*many));
	uint32_t calls = MANY;
	const char *json = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "c:j:", options, NULL)) != -1) {
		if (c == 'c')
			calls = strtoul(optarg, NULL, 10);
		else if (c == 'j')
			json = optarg;
		else
			return 2;
	}
	if (!few || !many || calls == 0)
		return 2;
	run(few, FEW);
	run(many, calls);
	printf("%-32s %9u %9u calls\n", "ns per lb_input()", FEW, calls);
	for (enum kind k = 0; k < KINDS; k++)
		printf("%-32s %9.1f %9.1f\n", names[k], few->ns[k], many->ns[k]);
	printf("%zu bytes for each call\n", (calls_size(calls) + calls - 1) / calls);
	c = json ? write_json(json, few, many, calls) : 0;
	free(few);
	free(many);
	return c;
}
