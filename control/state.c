/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The token key on disk. A new key is written to a file of its own, synced, and then linked to its name:
 * link() fails if somebody else was faster, so two processes that start together end with the same key.
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

#define KEY_FORMAT "weir-key 1 id %u key %016" PRIx64 "%016" PRIx64 "\n"
#define KEY_TEXT 80 /* bytes, NUL included */

static int explain(char *err, size_t n, int rc, const char *what, const char *dir)
{
	snprintf(err, n, "state-dir %s: %s: %s", dir, what, strerror(-rc));
	return rc;
}

static int make_key(struct lb_key *key)
{
	*key = (struct lb_key){ .id = 0 };
	if (getrandom(key->k, sizeof(key->k), 0) != sizeof(key->k))
		return -EIO;
	return 0;
}

static int parse_key(const char *text, struct lb_key *key)
{
	char again[KEY_TEXT];
	unsigned id;

	*key = (struct lb_key){ 0 };
	if (sscanf(text, "weir-key 1 id %3u key %16" SCNx64 "%16" SCNx64, &id, &key->k[0], &key->k[1]) != 3 || id > 255)
		return -EBADMSG;
	key->id = (uint8_t)id;
	snprintf(again, sizeof(again), KEY_FORMAT, id, key->k[0], key->k[1]);
	return strcmp(again, text) == 0 ? 0 : -EBADMSG;
}

static int read_key(int dirfd, struct lb_key *key)
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
	return parse_key(text, key);
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
static int write_key(int dirfd, const struct lb_key *key)
{
	char text[KEY_TEXT], name[32];
	int n = snprintf(text, sizeof(text), KEY_FORMAT, key->id, key->k[0], key->k[1]);
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

int state_load_key(const char *dir, struct lb_key *key, char *err, size_t n)
{
	int dirfd, rc;

	if (!dir || !*dir) {
		rc = make_key(key);
		return rc ? explain(err, n, rc, "getrandom", "(none)") : 0;
	}
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return explain(err, n, -errno, "cannot be made", dir);
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0)
		return explain(err, n, -errno, "cannot be opened", dir);
	rc = read_key(dirfd, key);
	if (rc == -ENOENT) {
		rc = make_key(key);
		if (rc == 0)
			rc = write_key(dirfd, key);
		if (rc == 0)
			rc = read_key(dirfd, key);
	}
	close(dirfd);
	if (rc == -EPERM)
		return explain(err, n, rc, STATE_KEY_FILE " must not be readable by others (chmod 600)", dir);
	return rc ? explain(err, n, rc, STATE_KEY_FILE, dir) : 0;
}

uint16_t state_node_number(const char *node)
{
	uint32_t id = lb_gateway_id((struct str){ node, (uint32_t)strlen(node) });

	return (uint16_t)(id ^ id >> 16);
}
