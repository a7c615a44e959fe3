/* SPDX-License-Identifier: BSD-3-Clause */
/* Helpers of the SIP tests; one thread. The folders come from SIP_DATA, set by meson. */
#include "tests/sip/support.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILES_MAX 128

static void load_folder(const char *folder, struct file *files, unsigned *n)
{
	char path[512];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", SIP_DATA, folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		struct file *file = &files[*n];
		FILE *in;
		long size;

		if (entry->d_name[0] == '.')
			continue;
		assert_true(*n < FILES_MAX - 1);
		snprintf(path, sizeof(path), "%s/%s/%s", SIP_DATA, folder, entry->d_name);
		snprintf(file->name, sizeof(file->name), "%.63s", entry->d_name);
		in = fopen(path, "rb");
		assert_non_null(in);
		assert_int_equal(fseek(in, 0, SEEK_END), 0);
		size = ftell(in);
		rewind(in);
		file->bytes = malloc((size_t)size);
		assert_non_null(file->bytes);
		file->n = (uint32_t)fread(file->bytes, 1, (size_t)size, in);
		assert_int_equal(file->n, size);
		fclose(in);
		++*n;
	}
	closedir(dir);
}

struct file *files_load(void)
{
	struct file *files = calloc(FILES_MAX, sizeof(*files));
	unsigned n = 0;

	assert_non_null(files);
	load_folder("tests/data/rfc4475", files, &n);
	load_folder("tests/data/rfc5118", files, &n);
	load_folder("bench/data", files, &n);
	return files;
}

void files_free(struct file *files)
{
	for (struct file *f = files; f->bytes; f++)
		free(f->bytes);
	free(files);
}

const struct file *file_named(const struct file *files, const char *name)
{
	for (; files->bytes; files++)
		if (strcmp(files->name, name) == 0)
			return files;
	fail_msg("no message %s", name);
	return NULL;
}

char *guarded(const void *bytes, uint32_t n)
{
	static char *map;
	static size_t size;
	size_t page = (size_t)sysconf(_SC_PAGESIZE), body = (n / page + 1) * page;

	if (map)
		munmap(map, size);
	size = body + page;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	assert_int_equal(mprotect(map + body, page, PROT_NONE), 0);
	return memcpy(map + body - n, bytes, n);
}

enum sip_verdict scan(const char *text, struct sip_msg *m)
{
	return sip_scan(sip_simd_best(), text, (uint32_t)strlen(text), m);
}

const char *request(const char *method, const char *lines)
{
	static char out[65536];
	bool via = strncmp(lines, "Via", 3) == 0 || strncmp(lines, "v:", 2) == 0;

	snprintf(out, sizeof(out),
		 "%s sip:bob@192.0.2.9 SIP/2.0\r\n%s%s"
		 "From: <sip:alice@192.0.2.1>;tag=a1\r\nTo: <sip:bob@192.0.2.9>\r\nCall-ID: c1\r\n"
		 "CSeq: 7 %s\r\n\r\n",
		 method, via ? "" : "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\n", lines, method);
	return out;
}

const char *text_of(const struct sip_msg *m, struct sip_span s)
{
	static char out[4][4096];
	static unsigned turn;
	char *text = out[turn++ % 4];

	snprintf(text, sizeof(out[0]), "%.*s", s.len, m->base + s.off);
	return text;
}
