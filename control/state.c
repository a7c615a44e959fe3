/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keys on disk. New ones are written to a file of their own, synced, and then linked to their name:
 * link() fails if somebody else was faster, so two processes that start together end with the same keys.
 */
#include "control/state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FORMAT "weir-keys 1\nhash %016" PRIx64 "%016" PRIx64 "\ntoken %u %016" PRIx64 "%016" PRIx64 "\n"
#define KEY_SCAN   "weir-keys 1 hash %16" SCNx64 "%16" SCNx64 " token %3u %16" SCNx64 "%16" SCNx64
#define KEY_TEXT   128 /* bytes, NUL included */

static int explain(char *err, size_t n, int rc, const char *what, const char *dir)
{
	snprintf(err, n, "state-dir %s: %s: %s", dir, what, strerror(-rc));
	return rc;
}

static int make_keys(struct state_keys *keys)
{
	uint64_t random[4];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -EIO;
	*keys = (struct state_keys){ .hash.k = { random[0], random[1] },
				     .token.k = { random[2], random[3] } };
	explicit_bzero(random, sizeof(random));
	return 0;
}

static int format_keys(const struct state_keys *keys, char text[KEY_TEXT])
{
	return snprintf(text, KEY_TEXT, KEY_FORMAT, keys->hash.k[0], keys->hash.k[1], keys->token.id,
			keys->token.k[0], keys->token.k[1]);
}

/* Only the exact text of format_keys() is taken: a file that was cut or edited must not become other keys. */
static int parse_keys(const char *text, struct state_keys *keys)
{
	char again[KEY_TEXT];
	unsigned id;

	*keys = (struct state_keys){ 0 };
	if (sscanf(text, KEY_SCAN, &keys->hash.k[0], &keys->hash.k[1], &id, &keys->token.k[0],
		   &keys->token.k[1]) != 5 ||
	    id > UINT8_MAX)
		return -EBADMSG;
	keys->token.id = (uint8_t)id;
	format_keys(keys, again);
	return strcmp(again, text) == 0 ? 0 : -EBADMSG;
}

static int read_keys(int dirfd, struct state_keys *keys)
{
	char text[KEY_TEXT];
	struct stat st;
	ssize_t n;
	int fd = openat(dirfd, STATE_KEY_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (st.st_mode & 077)
		rc = -EPERM;
	n = rc ? 0 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		rc = -errno;
	close(fd);
	if (rc)
		return rc;
	text[n] = 0;
	return parse_keys(text, keys);
}

static int write_all(int fd, const char *text, size_t n)
{
	ssize_t done = write(fd, text, n);

	if (done < 0)
		return -errno;
	if ((size_t)done != n)
		return -ENOSPC;
	return fsync(fd) < 0 ? -errno : 0;
}

/* Returns 0 also when somebody else made the file first. */
static int write_keys(int dirfd, const struct state_keys *keys)
{
	char text[KEY_TEXT], name[32];
	int n = format_keys(keys, text);
	int fd, rc;

	snprintf(name, sizeof(name), "." STATE_KEY_FILE ".%d", (int)getpid());
	unlinkat(dirfd, name, 0);
	fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	rc = write_all(fd, text, (size_t)n);
	close(fd);
	if (rc == 0 && linkat(dirfd, name, dirfd, STATE_KEY_FILE, 0) < 0 && errno != EEXIST)
		rc = -errno;
	unlinkat(dirfd, name, 0);
	if (rc == 0 && fsync(dirfd) < 0)
		rc = -errno;
	return rc;
}

int state_load_keys(const char *dir, struct state_keys *keys, char *err, size_t n)
{
	int dirfd, rc;

	if (!dir || !*dir) {
		rc = make_keys(keys);
		return rc ? explain(err, n, rc, "getrandom", "(none)") : 0;
	}
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return explain(err, n, -errno, "cannot be made", dir);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return explain(err, n, -errno, "cannot be opened", dir);
	rc = read_keys(dirfd, keys);
	if (rc == -ENOENT) {
		rc = make_keys(keys);
		if (rc == 0)
			rc = write_keys(dirfd, keys);
		if (rc == 0)
			rc = read_keys(dirfd, keys);
	}
	close(dirfd);
	if (rc == -EPERM)
		return explain(err, n, rc, STATE_KEY_FILE " must not be readable by others (chmod 600)", dir);
	if (rc == -EBADMSG) {
		snprintf(err, n,
			 "state-dir %s: " STATE_KEY_FILE
			 " is damaged, or of another version; without the file "
			 "new keys are made, and calls in progress are not recognised",
			 dir);
		return rc;
	}
	return rc ? explain(err, n, rc, STATE_KEY_FILE, dir) : 0;
}

uint16_t state_node_number(const char *node)
{
	uint32_t id = lb_gateway_id((struct str){ node, (uint32_t)strlen(node) });

	return (uint16_t)(id ^ id >> 16);
}
