/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys that outlive the process, and slots that follow their names. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/slots.h"
#include "control/state.h"

static char dir[64], sub[96], file[128], err[300];

static int set_up(void **state)
{
	strcpy(dir, "/tmp/weir-state-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(sub, sizeof(sub), "%s/lib", dir);
	snprintf(file, sizeof(file), "%s/" STATE_KEY_FILE, sub);
	return 0;
}

static int tear_down(void **state)
{
	unlink(file);
	rmdir(sub);
	return rmdir(dir);
}

static bool same(const struct state_keys *a, const struct state_keys *b)
{
	return memcmp(a->hash.k, b->hash.k, 16) == 0 && memcmp(a->token.k, b->token.k, 16) == 0 &&
	       a->token.id == b->token.id;
}

static unsigned entries(const char *path)
{
	DIR *d = opendir(path);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[0] != '.' || strlen(e->d_name) > 2;
	closedir(d);
	return n;
}

static void keys_survive(void **state)
{
	struct state_keys a, b;
	struct stat st;

	assert_int_equal(state_load_keys(sub, &a, err, sizeof(err)), 0);
	assert_int_equal(state_load_keys(sub, &b, err, sizeof(err)), 0);
	assert_true(same(&a, &b));
	assert_int_not_equal(a.hash.k[0], a.token.k[0]);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(entries(sub), 1); /* nothing half-written is left */
}

static void without_a_folder_every_start_has_its_own(void **state)
{
	struct state_keys a, b;

	assert_int_equal(state_load_keys(NULL, &a, err, sizeof(err)), 0);
	assert_int_equal(state_load_keys("", &b, err, sizeof(err)), 0);
	assert_false(same(&a, &b));
}

static void keys_that_others_can_read_are_refused(void **state)
{
	struct state_keys keys;

	assert_int_equal(state_load_keys(sub, &keys, err, sizeof(err)), 0);
	assert_int_equal(chmod(file, 0640), 0);
	assert_int_equal(state_load_keys(sub, &keys, err, sizeof(err)), -EPERM);
	assert_non_null(strstr(err, "chmod 600"));
}

static void a_damaged_file_is_refused_and_kept(void **state)
{
	static const char *const texts[] = {
		"",
		"weir-keys 1\n",
		"weir-keys 1\nhash 00\ntoken 0 00\n",
		"weir-keys 1\nhash 00000000000000010000000000000002\ntoken 256 "
		"00000000000000030000000000000004\n",
		"weir-keys 1\nhash 00000000000000010000000000000002\ntoken 1 "
		"0000000000000003000000000000000\n",
	};
	struct state_keys keys;
	struct stat st;

	assert_int_equal(mkdir(sub, 0700), 0);
	for (unsigned i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		assert_int_equal(write(fd, texts[i], strlen(texts[i])), strlen(texts[i]));
		close(fd);
		assert_int_equal(state_load_keys(sub, &keys, err, sizeof(err)), -EBADMSG);
		assert_non_null(strstr(err, "keys is damaged, or of another version"));
		assert_int_equal(stat(file, &st), 0);
		assert_int_equal(st.st_size, strlen(texts[i]));
	}
}

static void a_folder_that_cannot_be_is_named(void **state)
{
	struct state_keys keys;

	assert_int_equal(state_load_keys("/proc/weir-no-such/x", &keys, err, sizeof(err)), -ENOENT);
	assert_non_null(strstr(err, "/proc/weir-no-such/x"));
}

static void node_numbers_depend_on_the_name_alone(void **state)
{
	assert_int_equal(state_node_number("lb1"), state_node_number("lb1"));
	assert_int_not_equal(state_node_number("lb1"), state_node_number("lb2"));
}

static void slots_follow_names(void **state)
{
	struct slots s;
	char name[16];

	assert_int_equal(slots_init(&s, 1000), 0);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "gw%d", i);
		assert_int_equal(slots_take(&s, name), i);
	}
	assert_int_equal(slots_take(&s, "one too many"), -ENOSPC);
	for (int i = 999; i >= 0; i--) {
		snprintf(name, sizeof(name), "gw%d", i);
		assert_int_equal(slots_take(&s, name), i);
		assert_int_equal(slots_find(&s, name, (uint32_t)strlen(name)), i);
	}
	assert_int_equal(slots_find(&s, "gw1", 2), -ENOENT);
	slots_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(keys_survive, set_up, tear_down),
		cmocka_unit_test(without_a_folder_every_start_has_its_own),
		cmocka_unit_test_setup_teardown(keys_that_others_can_read_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_damaged_file_is_refused_and_kept, set_up, tear_down),
		cmocka_unit_test(a_folder_that_cannot_be_is_named),
		cmocka_unit_test(node_numbers_depend_on_the_name_alone),
		cmocka_unit_test(slots_follow_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
