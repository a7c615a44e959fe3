/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The figures on disk, as text: a head, the moments of the runs, a line for each gateway that has calls, and
 * the number of these lines, so that a file that was cut is known by it.
 *   weir-calls 1
 *   runs 1700000300 1700000000
 *   gateway gw1 120 3.5
 *   end 1
 * The first moment is that of the writing: the first figure of a gateway are calls it had then, the others
 * what is left of older runs, counted back to their moments.
 */
#include "control/survivors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD "weir-calls 1\n"
#define MOST 1e9 /* calls of one gateway; more is damage */

/* The part of a run's calls that may still be there, 0..1. */
static double part_left(const struct survivors *s, uint32_t run, int64_t now)
{
	int64_t age = now - s->at[run];

	if (age <= 0)
		return 1;
	return age >= s->max_s ? 0 : 1 - (double)age / (double)s->max_s;
}

static double sum_left(const struct survivors *s, uint32_t gateway, int64_t now)
{
	double sum = 0;

	for (uint32_t k = 0; k < s->n; k++)
		sum += s->calls[gateway][k] * part_left(s, k, now);
	return sum;
}

uint32_t survivors_most(const struct survivors *s, uint32_t gateway, int64_t now)
{
	return (uint32_t)ceil(sum_left(s, gateway, now) - 1e-6);
}

/* ---- Reading ----------------------------------------------------------------------------------------- */

/*
 * The runs of "runs A B ...". Who wrote them may have gone by a clock that was ahead: what has not come yet
 * is now, or no time would take such calls off.
 */
static int parse_runs(struct survivors *s, char *line, int64_t now)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save), *end;
	int64_t before = INT64_MAX;

	if (!word || strcmp(word, "runs") != 0)
		return -EBADMSG;
	while ((word = strtok_r(NULL, " \n", &save))) {
		int64_t at = strtoll(word, &end, 10);

		if (*end || at <= 0 || s->n == SURVIVORS_RUNS || at > before)
			return -EBADMSG;
		s->at[s->n++] = at < now ? at : now;
		before = at;
	}
	return s->n > 0 ? 0 : -EBADMSG;
}

/* "gateway NAME N N ..."; a name that the config does not have any more is passed over. */
static int parse_gateway(struct survivors *s, char *line)
{
	char *save = NULL, *word, *end;
	double calls[SURVIVORS_RUNS];
	int slot;

	strtok_r(line, " \n", &save);
	word = strtok_r(NULL, " \n", &save);
	if (!word)
		return -EBADMSG;
	slot = slots_find(&s->policy->slots, word, (uint32_t)strlen(word));
	for (uint32_t k = 0; k < s->n; k++) {
		word = strtok_r(NULL, " \n", &save);
		if (!word)
			return -EBADMSG;
		calls[k] = strtod(word, &end);
		if (*end || !(calls[k] >= 0 && calls[k] <= MOST))
			return -EBADMSG;
	}
	if (strtok_r(NULL, " \n", &save))
		return -EBADMSG;
	if (slot >= 0 && s->policy->by_slot[slot] != LB_NONE)
		memcpy(s->calls[s->policy->by_slot[slot]], calls, s->n * sizeof(calls[0]));
	return 0;
}

static int parse(struct survivors *s, FILE *in, int64_t now)
{
	char line[1024], tail[32];
	uint32_t n = 0;
	int rc;

	if (!fgets(line, sizeof(line), in) || strcmp(line, HEAD) != 0 || !fgets(line, sizeof(line), in))
		return -EBADMSG;
	rc = parse_runs(s, line, now);
	while (rc == 0 && fgets(line, sizeof(line), in)) {
		snprintf(tail, sizeof(tail), "end %u\n", n++);
		if (strcmp(line, tail) == 0)
			return fgets(line, sizeof(line), in) ? -EBADMSG : 0;
		rc = strncmp(line, "gateway ", 8) == 0 ? parse_gateway(s, line) : -EBADMSG;
	}
	return -EBADMSG;
}

static void forget(struct survivors *s)
{
	memset(s->calls, 0, (s->policy->spec.n_gateways + 1) * sizeof(s->calls[0]));
	s->n = 0;
}

/* Leaves runs out that had no calls, so that many restarts without any do not push out those that had. */
static void drop_empty_runs(struct survivors *s)
{
	uint32_t kept = 0;

	for (uint32_t k = 0; k < s->n; k++) {
		double sum = 0;

		for (uint32_t i = 0; i < s->policy->spec.n_gateways; i++) {
			sum += s->calls[i][k];
			s->calls[i][kept] = s->calls[i][k];
		}
		s->at[kept] = s->at[k];
		kept += sum > 0;
	}
	s->n = kept;
}

int survivors_load(struct survivors *s, const struct ctl_policy *policy, const char *dir, int64_t max_s,
		   int64_t now, char *err, size_t n)
{
	char path[1100];
	FILE *in;
	int rc;

	*s = (struct survivors){ .policy = policy, .max_s = max_s };
	s->calls = calloc(policy->spec.n_gateways + 1, sizeof(s->calls[0]));
	if (!s->calls) {
		snprintf(err, n, "out of memory");
		return -ENOMEM;
	}
	if (!dir || !*dir)
		return 0;
	snprintf(path, sizeof(path), "%s/" SURVIVORS_FILE, dir);
	in = fopen(path, "re");
	if (!in && errno == ENOENT)
		return 0;
	rc = in ? parse(s, in, now) : -errno;
	if (in)
		fclose(in);
	drop_empty_runs(s);
	if (rc) {
		forget(s);
		snprintf(err, n, "%s: %s; calls of the process before this one are not counted", path,
			 rc == -EBADMSG ? "damaged, or of another version" : strerror(-rc));
	}
	return rc;
}

void survivors_clock_set(struct survivors *s, int64_t by)
{
	for (uint32_t k = 0; k < s->n; k++)
		s->at[k] += by;
}

void survivors_free(struct survivors *s)
{
	free(s->calls);
	*s = (struct survivors){ 0 };
}

/* ---- Writing ------------------------------------------------------------------------------------------ */

/* The runs that still count at `now`, at most one less than there may be: this one comes in front. */
static uint32_t live_runs(const struct survivors *s, int64_t now)
{
	uint32_t n = 0;

	while (n < s->n && part_left(s, n, now) > 0)
		n++;
	return n < SURVIVORS_RUNS ? n : SURVIVORS_RUNS - 1;
}

/*
 * A gateway's figures. What BYEs have taken off is taken off all runs in proportion; a run that has no place
 * is added to the one before it, where it lasts longer.
 */
static void write_gateway(const struct survivors *s, uint32_t gateway, const struct lb_words *words,
			  uint32_t runs, int64_t now, FILE *out)
{
	uint16_t slot = s->policy->gateways[gateway].slot;
	double most = sum_left(s, gateway, now), left = lb_get_survivors(words, slot), scale, older = 0;

	/* Survivors are whole calls, rounded up: more than `most` of them would grow with every restart. */
	scale = left < most ? left / most : most > 0;
	fprintf(out, "gateway %s %u", s->policy->gateways[gateway].name.p, lb_gateway_calls(words, slot));
	for (uint32_t k = 0; k < runs; k++) {
		for (uint32_t j = k + 1; k + 1 == runs && j < s->n; j++)
			older += s->calls[gateway][j] * part_left(s, j, now);
		fprintf(out, " %.3f", scale * (s->calls[gateway][k] + older / part_left(s, k, now)));
	}
	fputc('\n', out);
}

static void write_all(const struct survivors *s, const struct lb_words *words, int64_t now, FILE *out)
{
	uint32_t runs = live_runs(s, now), n = 0;

	fprintf(out, HEAD "runs %" PRId64, now);
	for (uint32_t k = 0; k < runs; k++)
		fprintf(out, " %" PRId64, s->at[k] < now ? s->at[k] : now);
	fputc('\n', out);
	for (uint32_t i = 0; i < s->policy->spec.n_gateways; i++) {
		uint16_t slot = s->policy->gateways[i].slot;

		if (lb_gateway_calls(words, slot) + lb_get_survivors(words, slot) == 0)
			continue;
		write_gateway(s, i, words, runs, now, out);
		n++;
	}
	fprintf(out, "end %u\n", n);
}

int survivors_store(const struct survivors *s, const struct lb_words *words, const char *dir, int64_t now,
		    bool sync)
{
	char path[1100], fresh[1100];
	FILE *out;
	int fd, rc = 0;

	if (!dir || !*dir)
		return 0;
	snprintf(path, sizeof(path), "%s/" SURVIVORS_FILE, dir);
	snprintf(fresh, sizeof(fresh), "%s/." SURVIVORS_FILE ".new", dir);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	out = fdopen(fd, "w");
	if (!out) {
		close(fd);
		return -ENOMEM;
	}
	write_all(s, words, now, out);
	if (fflush(out) || ferror(out) || (sync && fsync(fd)))
		rc = errno ? -errno : -EIO;
	if (fclose(out) && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(fresh, path))
		rc = -errno;
	if (rc)
		unlink(fresh);
	return rc;
}
