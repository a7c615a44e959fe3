/* SPDX-License-Identifier: BSD-3-Clause */
/* The control socket as clients see it: whatever one of them sends, the next one is answered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "conf/limits.h"
#include "control/api.h"
#include "control/cli/cli.h"
#include "tests/control/run_weirctl.h"

#define MANY 2500 /* gateways of pool west: three pages */

static struct fake fake;

static char *out_text, *err_text;

static int weirctl(const char *line)
{
	return run_weirctl(&fake, line, &out_text, &err_text);
}

#define TAKE_MAX (64u << 20) /* bytes */

static int dial(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, fake.socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void put(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

/* Reads until the other side closes or `n` lines are there, at most 5 s. Returns the text, NUL-terminated. */
static char *take(int fd, int lines)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char *text = calloc(1, TAKE_MAX);
	size_t n = 0;
	ssize_t got;

	while (lines > 0 && poll(&p, 1, 5000) > 0 && (got = recv(fd, text + n, TAKE_MAX - 1 - n, 0)) > 0)
		for (ssize_t i = 0; i < got; i++)
			lines -= text[n++] == '\n';
	return text;
}

/* The code of the answer to one raw line; 0 for a result. */
static int code_of(const char *request)
{
	int fd = dial(), code;
	char *text;
	json_t *o;

	put(fd, request, strlen(request));
	put(fd, "\n", 1);
	text = take(fd, 1);
	o = json_loads(text, 0, NULL);
	assert_non_null(o);
	assert_string_equal(json_string_value(json_object_get(o, "jsonrpc")), "2.0");
	code = (int)json_integer_value(json_object_get(json_object_get(o, "error"), "code"));
	assert_true(code || json_object_get(o, "result"));
	json_decref(o);
	free(text);
	close(fd);
	return code;
}

static void errors_have_codes(void **state)
{
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.status\"}\r"), 0);
	assert_int_equal(code_of("garbage"), CTL_ERR_PARSE);
	assert_int_equal(code_of(""), CTL_ERR_PARSE);
	assert_int_equal(code_of("[]"), CTL_ERR_REQUEST);
	assert_int_equal(code_of("{\"id\":1,\"method\":\"show.status\"}"), CTL_ERR_REQUEST);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"show.status\"}"),
			 CTL_ERR_REQUEST);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1}"), CTL_ERR_REQUEST);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show\"}"), CTL_ERR_METHOD);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.status\\u0000x\"}"),
			 CTL_ERR_PARSE);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateway\"}"),
			 CTL_ERR_PARAMS);
	assert_int_equal(
		code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateway\",\"params\":[\"gw1\"]}"),
		CTL_ERR_PARAMS);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateway\",\"params\":{"
				 "\"gateway\":1}}"),
			 CTL_ERR_PARAMS);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateway\",\"params\":{"
				 "\"gw\":\"gw1\"}}"),
			 CTL_ERR_PARAMS);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateways\",\"params\":{"
				 "\"from\":9999999}}"),
			 CTL_ERR_PARAMS);
	assert_int_equal(code_of("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateway\",\"params\":{"
				 "\"gateway\":\"\xc3\xa9\"}}"),
			 CTL_ERR_NO_SUCH);
}

/* Lines that come in pieces, together, or before the sender stops sending are each answered once, in order.
 */
static void lines_in_any_pieces(void **state)
{
	static const char two[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.peers\"}\n"
				  "{\"jsonrpc\":\"2.0\",\"method\":\"show.peers\"}\n"
				  "{\"jsonrpc\":\"2.0\",\"id\":\"b\",\"method\":\"show.peers\"}\n";
	int fd = dial();
	char *text;

	put(fd, two, 20);
	usleep(20000);
	put(fd, two + 20, sizeof(two) - 1 - 20);
	shutdown(fd, SHUT_WR);
	text = take(fd, 9); /* until it closes */
	assert_non_null(strstr(text, "\"id\":1"));
	assert_non_null(strstr(text, "\"id\":\"b\""));
	assert_ptr_equal(strchr(strchr(text, '\n') + 1, '\n')[1], '\0');
	free(text);
	close(fd);
}

static void too_long_is_refused(void **state)
{
	char *line = malloc(LIMIT_API_REQUEST + 100), *text;
	int fd = dial();

	memset(line, ' ', LIMIT_API_REQUEST + 100);
	send(fd, line, LIMIT_API_REQUEST + 100, MSG_NOSIGNAL | MSG_DONTWAIT);
	text = take(fd, 2);
	assert_non_null(strstr(text, "longer than one line may be"));
	free(text);
	free(line);
	close(fd);
}

static void too_many_are_turned_away(void **state)
{
	int fds[LIMIT_API_CLIENTS], fd;
	char *text;

	for (int i = 0; i < LIMIT_API_CLIENTS; i++)
		fds[i] = dial();
	fd = dial();
	text = take(fd, 2);
	assert_non_null(strstr(text, "too many clients"));
	free(text);
	close(fd);
	for (int i = 0; i < LIMIT_API_CLIENTS; i++)
		close(fds[i]);
	for (int i = 0; i < 200 && weirctl("show status"); i++)
		usleep(10000);
	assert_int_equal(weirctl("show status"), 0);
}

/* Many questions and no reading: nobody else waits for it. */
static void slow_reader_hurts_nobody(void **state)
{
	static const char ask[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateways\"}\n";
	struct timespec a, b;
	int fd = dial();

	for (int i = 0; i < 200; i++)
		send(fd, ask, sizeof(ask) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(weirctl("show status"), 0);
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9 < 2);
	close(fd);
}

static uint32_t rng = 2463534242u;

static uint32_t next_random(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 17;
	rng ^= rng << 5;
	return rng;
}

/* Bytes at random, requests with bytes changed, cut or repeated; sender gone at any moment. Seeded. */
static void garbage_hurts_nobody(void **state)
{
	static const char good[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"show.gateway\",\"params\":{"
				   "\"gateway\":\"gw1\"}}\n";
	char bytes[512];
	size_t n;
	int fd;

	for (int round = 0; round < 2000; round++) {
		n = 1 + next_random() % (sizeof(bytes) - 1);
		for (size_t i = 0; i < n; i++)
			bytes[i] = round % 2 ? (char)next_random() : good[i % (sizeof(good) - 1)];
		for (int i = 0; i < 3; i++)
			bytes[next_random() % n] = (char)next_random();
		fd = dial();
		send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (round % 3 == 0)
			send(fd, "\n", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		close(fd);
		if (round % 16 == 0)
			assert_int_equal(weirctl("show status"), 0);
	}
	assert_int_equal(waitpid(fake.pid, NULL, WNOHANG), 0);
}

/* ---- The socket file
 * ---------------------------------------------------------------------------------------- */

/* The daemon of this test replaced a stale socket (fake_start() left one there). */
static void socket_file_has_its_mode(void **state)
{
	struct stat st;

	assert_int_equal(stat(fake.socket, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void second_daemon_is_refused(void **state)
{
	struct stat before, after;

	assert_int_equal(stat(fake.socket, &before), 0);
	assert_int_equal(fake_second(&fake), 1);
	assert_int_equal(stat(fake.socket, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	assert_int_equal(weirctl("show status"), 0);
}

static void other_file_is_left_alone(void **state)
{
	struct fake other = fake;
	struct stat st;
	FILE *f;

	snprintf(other.socket, sizeof(other.socket), "%s/run/precious", fake.dir);
	f = fopen(other.socket, "w");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(fake_second(&other), 1);
	assert_int_equal(stat(other.socket, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	unlink(other.socket);
}

/* Something that listens and says nothing, or says what is no JSON-RPC, is no daemon. */
static void mute_and_strange_daemons(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), client;
	char line[256];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/mute", fake.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	snprintf(line, sizeof(line), "show status --timeout 0.1 -s %s", a.sun_path);
	assert_int_equal(weirctl(line), 3);
	assert_non_null(strstr(err_text, "no answer from"));
	client = accept(fd, NULL, NULL);
	close(client);
	if (!fork()) {
		client = accept(fd, NULL, NULL);
		_exit(write(client, "hello\n", 6) != 6);
	}
	assert_int_equal(weirctl(line), 3);
	assert_non_null(strstr(err_text, "is not Weir"));
	wait(NULL);
	close(fd);
	unlink(a.sun_path);
}

/* The longest kind of event, and one that is cut to the same by a column too narrow. */
static void kinds_of_events_are_whole(void **state)
{
	static const char said[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"last\":2,\"events\":["
		"{\"id\":1,\"at\":\"T\",\"kind\":\"gateway-retry-after\",\"subject\":\"g\",\"text\":\"one\"},"
		"{\"id\":2,\"at\":\"T\",\"kind\":\"gateway-retry-after-over\",\"subject\":\"g\",\"text\":"
		"\"two\"}]}}"
		"\n";
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char line[256];

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/run/events", fake.dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	if (!fork())
		_exit(write(accept(fd, NULL, NULL), said, sizeof(said) - 1) != sizeof(said) - 1);
	snprintf(line, sizeof(line), "events -s %s", a.sun_path);
	assert_int_equal(weirctl(line), 0);
	assert_string_equal(out_text, "T  gateway-retry-after       one\nT  gateway-retry-after-over  two\n");
	wait(NULL);
	close(fd);
	unlink(a.sun_path);
}

static int set_up(void **state)
{
	fake_start(&fake, MANY);
	return 0;
}

static int tear_down(void **state)
{
	bool alive = fake_stop(&fake);

	free(out_text);
	free(err_text);
	/* It ran until told to stop, and took its socket with it. */
	return alive && access(fake.socket, F_OK) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_have_codes),         cmocka_unit_test(lines_in_any_pieces),
		cmocka_unit_test(too_long_is_refused),       cmocka_unit_test(too_many_are_turned_away),
		cmocka_unit_test(slow_reader_hurts_nobody),  cmocka_unit_test(garbage_hurts_nobody),
		cmocka_unit_test(socket_file_has_its_mode),  cmocka_unit_test(second_daemon_is_refused),
		cmocka_unit_test(other_file_is_left_alone),  cmocka_unit_test(mute_and_strange_daemons),
		cmocka_unit_test(kinds_of_events_are_whole),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
