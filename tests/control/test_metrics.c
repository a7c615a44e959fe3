/* SPDX-License-Identifier: BSD-3-Clause */
/* /metrics, /healthz and /readyz as a scraper sees them: the real server over a dataplane that only counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/limits.h"
#include "tests/control/fake.h"

#define MANY     2500        /* gateways: several megabytes of text, many chunks */
#define TAKE_MAX (64u << 20) /* bytes */

static struct fake fake;

static int dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(fake.metrics),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void put(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), n);
}

/* Sends a request and returns everything that comes until the server closes, NUL-terminated. */
static char *http(const char *request)
{
	char *text = calloc(1, TAKE_MAX);
	struct pollfd p = { .fd = dial(), .events = POLLIN };
	size_t n = 0;
	ssize_t got;

	put(p.fd, request, strlen(request));
	while (poll(&p, 1, 5000) > 0 && (got = recv(p.fd, text + n, TAKE_MAX - 1 - n, 0)) > 0)
		n += (size_t)got;
	close(p.fd);
	return text;
}

static void http_begins(const char *request, const char *begin)
{
	char *text = http(request);

	if (strncmp(text, begin, strlen(begin)))
		fail_msg("%.40s: %.80s", request, text);
	free(text);
}

static void http_answers(void **state)
{
	static char big[8192];

	http_begins("GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200");
	http_begins("GET /readyz HTTP/1.0\r\n\r\n", "HTTP/1.0 200");
	http_begins("GET / HTTP/1.0\r\n\r\n", "HTTP/1.0 404");
	http_begins("POST /metrics HTTP/1.0\r\n\r\n", "HTTP/1.1 501");
	http_begins("GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200");
	memset(big, 'x', sizeof(big) - 1);
	memcpy(big, "GET /", 5);
	http_begins(big, "HTTP/1."); /* refused, whatever the words */
	http_begins("nonsense\r\n\r\n", "");
	assert_int_equal(waitpid(fake.pid, NULL, WNOHANG), 0);
}

static void scrape_is_valid(void **state)
{
	char *text = http("GET /metrics HTTP/1.0\r\n\r\n"), *body = strstr(text, "\r\n\r\n");
	FILE *promtool;

	assert_non_null(body);
	body += 4;
	assert_non_null(strstr(body, "weir_up 1\n"));
	assert_non_null(strstr(body, "weir_gateway_state{pool=\"east\",gateway=\"gw2\",state=\"down\"} 1\n"));
	assert_non_null(strstr(body, "weir_port_xstat{port=\"access\",name=\"rx_good_packets\"} 7\n"));
	assert_non_null(strstr(body, "weir_gateway_state{pool=\"west\",gateway=\"w2499\",state=\"up\"} 1\n"));
	assert_non_null(strstr(body, "weir_pool_short{pool=\"east\"} 0\n"));
	promtool = popen("promtool check metrics", "w");
	assert_non_null(promtool);
	fputs(body, promtool);
	assert_int_equal(pclose(promtool), 0);
	free(text);
}

/* Scrapers that go away in the middle leave nothing behind. */
static void broken_scrapes(void **state)
{
	static const char get[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	char byte;

	for (int i = 0; i < 100; i++) {
		int fd = dial();

		put(fd, get, sizeof(get) - 1);
		if (i % 2)
			assert_int_equal(recv(fd, &byte, 1, 0), 1);
		close(fd);
	}
	http_begins("GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 200");
}

/* More at the same time than are served: the rest is told so, at once. */
static void many_scrapes(void **state)
{
	static const char get[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
	int fds[LIMIT_HTTP_CLIENTS], small = 4096;

	for (int i = 0; i < LIMIT_HTTP_CLIENTS; i++) {
		fds[i] = dial();
		setsockopt(fds[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		put(fds[i], get, sizeof(get) - 1);
	}
	http_begins("GET /metrics HTTP/1.0\r\n\r\n", "HTTP/1.0 503");
	http_begins("GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200");
	for (int i = 0; i < LIMIT_HTTP_CLIENTS; i++)
		close(fds[i]);
}

static unsigned int open_descriptors(void)
{
	unsigned int n = 0;
	char path[64];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)fake.pid);
	dir = opendir(path);
	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Connections that say nothing take a bounded number of descriptors, and the server is there when they are
 * gone. */
static void idle_connections(void **state)
{
	unsigned int before = open_descriptors();
	int fds[200]; /* more than are served, less than wait in the kernel as well */

	for (size_t i = 0; i < 200; i++)
		fds[i] = dial();
	usleep(1500000); /* past one more look at the crowd */
	assert_true(open_descriptors() < before + LIMIT_API_CLIENTS + LIMIT_HTTP_CONNECTIONS + 3);
	for (size_t i = 0; i < 200; i++)
		close(fds[i]);
	http_begins("GET /healthz HTTP/1.0\r\n\r\n", "HTTP/1.0 200");
}

static int set_up(void **state)
{
	fake_start(&fake, MANY);
	return 0;
}

static int tear_down(void **state)
{
	bool alive = fake_stop(&fake);

	return alive ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http_answers),     cmocka_unit_test(scrape_is_valid),
		cmocka_unit_test(broken_scrapes),   cmocka_unit_test(many_scrapes),
		cmocka_unit_test(idle_connections),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
