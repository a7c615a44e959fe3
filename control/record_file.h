/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A file of lines that somebody else rotates: lines gather in memory and are appended whole, so that no line
 * is torn between two files or by a full disk. Control thread.
 */
#ifndef WEIR_CONTROL_RECORD_FILE_H
#define WEIR_CONTROL_RECORD_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_FILE_FULL (64 * 1024)   /* bytes that are written at once */
#define RECORD_FILE_ROOM (1024 * 1024) /* bytes that wait at most while the file takes none */

struct record_file {
	const char *path; /* the caller's */
	int fd;           /* -1: not open */
	size_t n;         /* bytes in buf: whole lines, but for the rest of one that was begun in the file */
	size_t begun;     /* of them at the beginning: that rest */
	uint64_t torn;    /* lines that a file which was moved away did not take to their end */
	char *buf;        /* RECORD_FILE_ROOM bytes */
};

/* Opens path for appending, 0640 if it is new; a line that is torn there stays alone. Returns 0 or -errno;
 * record_file_close() in any case. */
int record_file_open(struct record_file *f, const char *path);

/* Adds a line. False: there is no room, and the line is lost. */
bool record_file_add(struct record_file *f, const char *line, size_t n);

/* Writes what has gathered. Returns 0, or -errno; what was not written stays for the next time. */
int record_file_flush(struct record_file *f);

/*
 * Finishes the file that is open and goes on in the one that has the name now. Returns 0, or -errno: then it
 * goes on in the one that is open.
 */
int record_file_reopen(struct record_file *f);

/* Writes the rest and closes. Returns 0, or -errno of the writing: then the rest is lost. */
int record_file_close(struct record_file *f);

#endif
