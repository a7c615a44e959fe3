/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cost of reading one message: ns for the scan alone in every variant, for the scan with all the decoders the
 * path uses (sip_check), and for libosip2's parse of the same bytes. Rounds of all of these are interleaved,
 * so that a disturbance of the machine meets each alike; the median round counts.
 *
 * Usage: bench-sip [--rounds N] [--json FILE]
 */
#include "dataplane/sip/sip.h"

#include <errno.h>
#include <getopt.h>
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ROUNDS_DEFAULT 101
#define ROUNDS_MAX     1001
#define SCANS          500 /* messages of one round */
#define PARSES         30  /* of one round of libosip2, some fifty times slower */
#define BYTES_MAX      4096

enum column {
	OURS = SIP_SIMD_COUNT,
	OSIP,
	COLUMNS
}; /* before them: scans by variant */

static const char *const messages[] = { "invite-1275", "100", "180",     "200-invite",
					"ack",         "bye", "200-bye", "options" };
#define MESSAGES (sizeof(messages) / sizeof(messages[0]))

struct bench {
	enum sip_simd best;
	unsigned rounds;
	char bytes[MESSAGES][BYTES_MAX];
	uint32_t n[MESSAGES];
	double ns[MESSAGES][COLUMNS][ROUNDS_MAX]; /* per message, one a round; sorted at the end */
};

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double time_scan(enum sip_simd simd, const char *bytes, uint32_t n)
{
	struct sip_msg m;
	double start = now_ns();

	for (unsigned i = 0; i < SCANS; i++) {
		if (sip_scan(simd, bytes, n, &m) != SIP_GOOD)
			abort();
		__asm__ volatile("" : : "r"(&m) : "memory");
	}
	return (now_ns() - start) / SCANS;
}

static double time_decode(enum sip_simd simd, const char *bytes, uint32_t n)
{
	struct sip_fields fields;
	struct sip_msg m;
	double start = now_ns();

	for (unsigned i = 0; i < SCANS; i++) {
		if (sip_scan(simd, bytes, n, &m) != SIP_GOOD || sip_check(&m, &fields) != SIP_FAULT_NONE)
			abort();
		__asm__ volatile("" : : "r"(&fields) : "memory");
	}
	return (now_ns() - start) / SCANS;
}

static double time_osip(const char *bytes, uint32_t n)
{
	double start = now_ns();

	for (unsigned i = 0; i < PARSES; i++) {
		osip_message_t *message;

		if (osip_message_init(&message) != 0 || osip_message_parse(message, bytes, n) != 0)
			abort();
		osip_message_free(message);
	}
	return (now_ns() - start) / PARSES;
}

static double time_column(const struct bench *b, unsigned message, unsigned column)
{
	if (column == OURS)
		return time_decode(b->best, b->bytes[message], b->n[message]);
	if (column == OSIP)
		return time_osip(b->bytes[message], b->n[message]);
	if (!sip_simd_usable((enum sip_simd)column))
		return 0;
	return time_scan((enum sip_simd)column, b->bytes[message], b->n[message]);
}

static int load(struct bench *b)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		char path[512];
		FILE *in;

		snprintf(path, sizeof(path), "%s/%s.sip", BENCH_DATA, messages[i]);
		in = fopen(path, "rb");
		if (!in) {
			fprintf(stderr, "%s: %s\n", path, strerror(errno));
			return -errno;
		}
		b->n[i] = (uint32_t)fread(b->bytes[i], 1, BYTES_MAX, in);
		fclose(in);
	}
	return 0;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void run(struct bench *b)
{
	for (unsigned r = 0; r < b->rounds; r++)
		for (unsigned i = 0; i < MESSAGES; i++)
			for (unsigned c = 0; c < COLUMNS; c++)
				b->ns[i][c][r] = time_column(b, i, c);
	for (unsigned i = 0; i < MESSAGES; i++)
		for (unsigned c = 0; c < COLUMNS; c++)
			qsort(b->ns[i][c], b->rounds, sizeof(double), compare);
}

static double median(const struct bench *b, unsigned message, unsigned column)
{
	return b->ns[message][column][b->rounds / 2];
}

static void print_table(const struct bench *b)
{
	printf("ns per message, median of %u rounds; decoded = %s scan + sip_check; ratio = libosip2 / "
	       "decoded\n\n",
	       b->rounds, sip_simd_name(b->best));
	printf("%-12s %6s", "message", "bytes");
	for (unsigned v = 0; v < SIP_SIMD_COUNT; v++)
		printf(" %7s", sip_simd_name((enum sip_simd)v));
	printf(" %8s %9s %6s %10s\n", "decoded", "libosip2", "ratio", "scan MB/s");
	for (unsigned i = 0; i < MESSAGES; i++) {
		printf("%-12s %6u", messages[i], b->n[i]);
		for (unsigned v = 0; v < SIP_SIMD_COUNT; v++)
			printf(" %7.0f", median(b, i, v));
		printf(" %8.0f %9.0f %6.1f %10.0f\n", median(b, i, OURS), median(b, i, OSIP),
		       median(b, i, OSIP) / median(b, i, OURS), b->n[i] * 1e3 / median(b, i, b->best));
	}
}

static int write_json(const struct bench *b, const char *path)
{
	FILE *out = fopen(path, "w");

	if (!out) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -errno;
	}
	fprintf(out, "{\"bench\":\"sip\",\"rounds\":%u,\"variant\":\"%s\",\"messages\":[", b->rounds,
		sip_simd_name(b->best));
	for (unsigned i = 0; i < MESSAGES; i++) {
		fprintf(out, "%s\n{\"message\":\"%s\",\"bytes\":%u,\"scan_ns\":{", i ? "," : "", messages[i],
			b->n[i]);
		for (unsigned v = 0; v < SIP_SIMD_COUNT; v++)
			fprintf(out, "%s\"%s\":%.1f", v ? "," : "", sip_simd_name((enum sip_simd)v),
				median(b, i, v));
		fprintf(out, "},\"decoded_ns\":%.1f,\"libosip2_ns\":%.1f,\"ratio\":%.2f,\"scan_mb_s\":%.0f}",
			median(b, i, OURS), median(b, i, OSIP), median(b, i, OSIP) / median(b, i, OURS),
			b->n[i] * 1e3 / median(b, i, b->best));
	}
	fprintf(out, "]}\n");
	return fclose(out) == 0 ? 0 : -errno;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "rounds", required_argument, NULL, 'r' },
						 { "json", required_argument, NULL, 'j' },
						 { 0 } };
	struct bench *b = calloc(1, sizeof(*b));
	const char *json = NULL;
	int c, err;

	if (!b)
		return 1;
	b->rounds = ROUNDS_DEFAULT;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'j') {
			json = optarg;
		} else if (c == 'r' && atoi(optarg) > 0 && atoi(optarg) <= ROUNDS_MAX) {
			b->rounds = (unsigned)atoi(optarg);
		} else {
			fprintf(stderr, "usage: bench-sip [--rounds 1..%u] [--json FILE]\n", ROUNDS_MAX);
			free(b);
			return 2;
		}
	}
	b->best = sip_simd_best();
	err = load(b);
	if (!err) {
		parser_init();
		run(b);
		print_table(b);
		err = json ? write_json(b, json) : 0;
	}
	free(b);
	return err ? 1 : 0;
}
