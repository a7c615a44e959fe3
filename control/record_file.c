/* SPDX-License-Identifier: BSD-3-Clause */
/* See record_file.h. */
#include "control/record_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe without a reader is an error, not a reason to wait. */
static int open_path(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0640);

	return fd < 0 ? -errno : fd;
}

/* True if the file ends in the middle of a line, which a process before this one could not finish. */
static bool is_torn(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char last;
	bool torn = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 &&
		    pread(fd, &last, 1, st.st_size - 1) == 1 && last != '\n';

	if (fd >= 0)
		close(fd);
	return torn;
}

int record_file_open(struct record_file *f, const char *path)
{
	*f = (struct record_file){ .path = path, .fd = -1, .buf = malloc(RECORD_FILE_ROOM) };
	if (!f->buf)
		return -ENOMEM;
	if (is_torn(path))
		record_file_add(f, "\n", 1);
	f->fd = open_path(path);
	return f->fd < 0 ? f->fd : 0;
}

bool record_file_add(struct record_file *f, const char *line, size_t n)
{
	if (n > RECORD_FILE_ROOM - f->n)
		return false;
	memcpy(f->buf + f->n, line, n);
	f->n += n;
	return true;
}

/* Bytes of the line that the first `done` bytes of buf end in and that are still to come. */
static size_t rest_of_line(const struct record_file *f, size_t done)
{
	const char *from = f->buf + done, *end;

	if (done == 0)
		return f->begun;
	if (f->buf[done - 1] == '\n')
		return 0;
	end = memchr(from, '\n', f->n - done);
	return end ? (size_t)(end - from) + 1 : 0;
}

/* Writes the first `n` bytes of buf. */
static int write_out(struct record_file *f, size_t n)
{
	size_t done = 0;
	int rc = 0;

	while (done < n && rc == 0) {
		ssize_t k = write(f->fd, f->buf + done, n - done);

		if (k > 0)
			done += (size_t)k;
		else if (k == 0 || errno != EINTR)
			rc = k == 0 ? -EIO : -errno;
	}
	f->begun = rest_of_line(f, done);
	memmove(f->buf, f->buf + done, f->n - done);
	f->n -= done;
	return rc;
}

int record_file_flush(struct record_file *f)
{
	return write_out(f, f->n);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int record_file_reopen(struct record_file *f)
{
	int fd = open_path(f->path);

	if (fd < 0)
		return fd;
	write_out(f, f->n);
	if (f->begun && !same_file(f->fd, fd)) { /* the old file does not take the rest of its last line: it
						    is of no use elsewhere */
		memmove(f->buf, f->buf + f->begun, f->n - f->begun);
		f->n -= f->begun;
		f->begun = 0;
		f->torn++;
	}
	close(f->fd);
	f->fd = fd;
	return 0;
}

int record_file_close(struct record_file *f)
{
	int rc = f->fd >= 0 ? record_file_flush(f) : 0;

	if (f->fd >= 0)
		close(f->fd);
	free(f->buf);
	*f = (struct record_file){ .fd = -1 };
	return rc;
}
