/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One question to the daemon and its answer: JSON-RPC 2.0 over the control socket, a connection each, so that
 * a restarted daemon is found again. One deadline covers connect, question and answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/cli/cli.h"

#define ANSWER_MAX (256u << 20) /* bytes; past that it is no answer of ours */

void cli_error(struct cli *cli, int code, json_t *data, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	json_decref(cli->error);
	cli->error = json_pack("{s:i, s:s}", "code", code, "message", text);
	if (data)
		json_object_set_new(cli->error, "data", data);
}

void cli_report(struct cli *cli)
{
	json_t *o;

	if (!cli->error)
		return;
	if (cli->json) {
		o = json_pack("{s:O}", "error", cli->error);
		cli_print_json(cli, o);
		json_decref(o);
	} else {
		fprintf(cli->err, "weirctl: %s\n", json_string_value(json_object_get(cli->error, "message")));
	}
	json_decref(cli->error);
	cli->error = NULL;
}

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Waits until fd is ready. Returns 0 or -errno. */
static int wait_for(int fd, short events, double deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	double left = deadline - now_s();
	int n;

	if (left <= 0)
		return -ETIMEDOUT;
	n = poll(&p, 1, (int)(left * 1000) + 1);
	return n > 0 ? 0 : n == 0 ? -ETIMEDOUT : errno == EINTR ? -EINTR : -errno;
}

static int connect_to(const char *path, double deadline)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	while (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		/* A full backlog has no event to wait for. */
		if (errno != EAGAIN || now_s() > deadline) {
			rc = errno == EAGAIN ? -ETIMEDOUT : -errno;
			close(fd);
			return rc;
		}
		usleep(10000);
	}
	return fd;
}

static int send_all(int fd, const char *text, size_t n, double deadline)
{
	ssize_t sent;
	int rc;

	while (n) {
		sent = send(fd, text, n, MSG_NOSIGNAL);
		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (sent < 0) {
			rc = wait_for(fd, POLLOUT, deadline);
			if (rc)
				return rc;
			continue;
		}
		text += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* Reads one line into *line (malloc). Returns its bytes or -errno. */
static ssize_t read_line(int fd, char **line, double deadline)
{
	size_t n = 0, room = 0;
	ssize_t got;
	char *more;
	int rc;

	*line = NULL;
	for (;;) {
		if (n == room) {
			room = room ? room * 2 : 65536;
			more = room <= ANSWER_MAX ? realloc(*line, room) : NULL;
			if (!more)
				return -ENOMEM;
			*line = more;
		}
		got = recv(fd, *line + n, room - n, 0);
		if (got == 0)
			return -ECONNRESET;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (got < 0) {
			rc = wait_for(fd, POLLIN, deadline);
			if (rc)
				return rc;
			continue;
		}
		more = memchr(*line + n, '\n', (size_t)got);
		if (more)
			return more - *line;
		n += (size_t)got;
	}
}

/* Sends `text` and reads the answer line. Returns its bytes or -errno. */
static ssize_t exchange(struct cli *cli, const char *text, char **line)
{
	double deadline = now_s() + cli->timeout_s;
	int fd = connect_to(cli->socket, deadline);
	ssize_t n;

	*line = NULL;
	if (fd < 0)
		return fd;
	n = send_all(fd, text, strlen(text), deadline);
	if (!n)
		n = send_all(fd, "\n", 1, deadline);
	/* Whoever is turned away is told why before the connection closes. */
	if (!n || n == -EPIPE || n == -ECONNRESET)
		n = read_line(fd, line, deadline);
	close(fd);
	return n;
}

static int no_daemon(struct cli *cli, int rc)
{
	json_t *data = json_pack("{s:s}", "socket", cli->socket);

	if (rc == -ETIMEDOUT)
		cli_error(cli, CLI_NO_DAEMON, data, "no answer from %s within %g s", cli->socket,
			  cli->timeout_s);
	else if (rc == -ENOENT || rc == -ECONNREFUSED)
		cli_error(cli, CLI_NO_DAEMON, data, "no daemon answers at %s", cli->socket);
	else
		cli_error(cli, CLI_NO_DAEMON, data, "%s: %s", cli->socket, strerror(-rc));
	return CLI_NO_DAEMON;
}

/* One request and its response, no pages. params is borrowed. */
static int ask_once(struct cli *cli, const char *method, json_t *params, json_t **result)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:O}", "jsonrpc", "2.0", "id", 1, "method", method,
				    "params", params);
	char *text = json_dumps(request, JSON_COMPACT), *line = NULL;
	json_t *response, *error;
	ssize_t n = text ? exchange(cli, text, &line) : -ENOMEM;
	int rc = CLI_DONE;

	json_decref(request);
	free(text);
	if (n < 0) {
		free(line);
		return no_daemon(cli, (int)n);
	}
	response = json_loadb(line, (size_t)n, 0, NULL);
	free(line);
	*result = json_incref(json_object_get(response, "result"));
	error = json_object_get(response, "error");
	if (!*result && json_is_object(error)) {
		json_decref(cli->error);
		cli->error = json_incref(error);
		rc = CLI_REFUSED;
	} else if (!*result) {
		cli_error(cli, CLI_NO_DAEMON, NULL, "what answers at %s is not Weir", cli->socket);
		rc = CLI_NO_DAEMON;
	}
	json_decref(response);
	return rc;
}

/* Appends the lists of `page` to those of `all`. */
static void append_page(json_t *all, const json_t *page)
{
	const char *key;
	json_t *list;

	json_object_foreach((json_t *)page, key, list) if (json_is_array(list))
		json_array_extend(json_object_get(all, key), list);
}

int cli_ask(struct cli *cli, const char *method, json_t *params, json_t **result)
{
	json_t *own = params ? params : json_object(), *page, *next;
	int rc = ask_once(cli, method, own, result);

	while (rc == CLI_DONE && (next = json_incref(json_object_get(*result, "next")))) {
		json_object_del(*result, "next");
		json_object_set_new(own, "from", next);
		rc = ask_once(cli, method, own, &page);
		if (rc != CLI_DONE) {
			json_decref(*result);
			*result = NULL;
			break;
		}
		append_page(*result, page);
		if (json_object_get(page, "next"))
			json_object_set(*result, "next", json_object_get(page, "next"));
		json_decref(page);
	}
	json_decref(own);
	return rc;
}
