/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: JSON-RPC 2.0 over an AF_UNIX stream, one object a line. Control thread, libevent.
 * What a client can cost is bounded: number of clients, bytes of a request, one answer in memory (the next
 * request is read when the last answer has left), seconds of silence. One request is handled per turn of the
 * loop, so that timers keep time between them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "conf/conf.h"
#include "control/api.h"
#include "control/control.h"
#include "control/log.h"

#define CLIENT_SILENCE_S 60 /* a client that asks nothing for this long is let go */
#define CLIENT_SLOW_S    10 /* and one that takes nothing of its answer */

struct client {
	struct client *next, **prev;
	struct ctl_api *api;
	struct bufferevent *bev;
	struct ucred cred; /* of the process that connected */
	bool eof;          /* it sends no more; what it asked is still answered */
	bool closing;      /* closed when the output has left */
};

struct ctl_api {
	struct app *app;
	struct evconnlistener *listener;
	struct client *clients;
	unsigned n_clients;
	struct stat file; /* of the socket as made here: only that one is removed */
	struct sockaddr_un addr;
};

/* ---- Clients ------------------------------------------------------------------------------------------ */

static void client_free(struct client *c)
{
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->api->n_clients--;
	bufferevent_free(c->bev);
	free(c);
}

static int dump_to_evbuffer(const char *p, size_t n, void *arg)
{
	return evbuffer_add(arg, p, n);
}

/* Takes over `response`. */
static void client_send(struct client *c, json_t *response)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);

	if (json_dump_callback(response, dump_to_evbuffer, out, JSON_COMPACT) || evbuffer_add(out, "\n", 1))
		c->closing = true;
	json_decref(response);
}

static void client_refuse(struct client *c, int code, const char *text)
{
	json_t *response = json_pack("{s:s, s:n, s:{s:i, s:s, s:{s:i}}}", "jsonrpc", "2.0", "id", "error",
				     "code", code, "message", text, "data", "bytes", LIMIT_API_REQUEST);

	if (response)
		client_send(c, response);
	c->closing = true;
}

static void client_answer(struct client *c, const char *line, size_t n)
{
	char who[64];
	struct ctl_call call = { .app = c->api->app, .who = who };
	json_t *response;

	snprintf(who, sizeof(who), "uid %u pid %d", c->cred.uid, c->cred.pid);
	response = ctl_answer(&call, line, n);
	if (response)
		client_send(c, response);
}

/* Handles at most one request; runs again when its answer has left. */
static void client_turn(struct client *c)
{
	struct evbuffer *in = bufferevent_get_input(c->bev), *out = bufferevent_get_output(c->bev);
	size_t n;
	char *line;

	if (evbuffer_get_length(out) > 0)
		return;
	if (c->closing) {
		client_free(c);
		return;
	}
	line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF);
	if (line) {
		bufferevent_disable(c->bev, EV_READ);
		client_answer(c, line, n);
		free(line);
	} else if (evbuffer_get_length(in) >= LIMIT_API_REQUEST) {
		bufferevent_disable(c->bev, EV_READ);
		client_refuse(c, CTL_ERR_REQUEST, "request is longer than one line may be");
	} else if (c->eof) {
		client_free(c);
		return;
	} else {
		bufferevent_enable(c->bev, EV_READ);
		return;
	}
	/* No answer, no event that it has left: go on all the same, but after others had their turn. */
	if (evbuffer_get_length(out) == 0)
		bufferevent_trigger(c->bev, EV_WRITE, BEV_TRIG_DEFER_CALLBACKS);
}

static void on_io(struct bufferevent *bev, void *arg)
{
	client_turn(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *c = arg;

	if (what & BEV_EVENT_EOF) {
		c->eof = true;
		bufferevent_disable(bev, EV_READ);
		client_turn(c);
	} else {
		client_free(c);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	static const char busy[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,"
				   "\"message\":\"too many clients are connected\"}}\n";
	const struct timeval silence = { .tv_sec = CLIENT_SILENCE_S }, slow = { .tv_sec = CLIENT_SLOW_S };
	struct ctl_api *api = arg;
	socklen_t cred_len = sizeof(struct ucred);
	struct client *c;

	if (api->n_clients >= LIMIT_API_CLIENTS) {
		send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (!c || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &c->cred, &cred_len))
		goto fail;
	c->bev = bufferevent_socket_new(api->app->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev)
		goto fail;
	c->api = api;
	c->next = api->clients;
	c->prev = &api->clients;
	if (c->next)
		c->next->prev = &c->next;
	api->clients = c;
	api->n_clients++;
	bufferevent_setcb(c->bev, on_io, on_io, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, LIMIT_API_REQUEST);
	bufferevent_set_timeouts(c->bev, &silence, &slow);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	return;
fail:
	free(c);
	close(fd);
}

/* ---- The socket file ------------------------------------------------------------------------------------
 */

/* Makes the folders above `path`, as mkdir -p does. Returns 0 or -errno. */
static int make_folders(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

	for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		memcpy(folder, path, slash - path);
		folder[slash - path] = '\0';
		if (mkdir(folder, 0755) && errno != EEXIST)
			return -errno;
	}
	return 0;
}

/*
 * Removes what is left of a daemon that is gone. A socket that somebody answers on, or anything that is no
 * socket, stays. Returns 0, -EADDRINUSE or -errno.
 */
static int remove_stale(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, rc = 0;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* A full backlog (EAGAIN) is somebody, too. */
	if (!connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) || errno != ECONNREFUSED)
		rc = -EADDRINUSE;
	else if (unlink(addr->sun_path))
		rc = -errno;
	close(fd);
	return rc;
}

/* Returns a listening socket at addr, mode 0660 from its first moment, or -errno. */
static int listen_at(const struct sockaddr_un *addr)
{
	int fd, rc;

	rc = make_folders(addr->sun_path);
	if (!rc)
		rc = remove_stale(addr);
	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* fchmod before bind limits the file's mode; chmod after it undoes the umask. */
	if (fchmod(fd, 0660) || bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) ||
	    chmod(addr->sun_path, 0660) || listen(fd, LIMIT_API_CLIENTS)) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

static const char *listen_error(int rc)
{
	return rc == -EADDRINUSE ? "another daemon answers there"
	       : rc == -EEXIST   ? "a file that is no socket is there"
				 : strerror(-rc);
}

int ctl_api_start(struct app *app)
{
	const char *path = app->conf->control.socket;
	struct ctl_api *api;
	int fd = -1, rc = -ENOMEM;

	api = calloc(1, sizeof(*api));
	if (!api)
		goto fail;
	api->app = app;
	api->addr.sun_family = AF_UNIX;
	rc = -ENAMETOOLONG;
	if (strlen(path) >= sizeof(api->addr.sun_path))
		goto fail;
	strcpy(api->addr.sun_path, path);
	rc = fd = listen_at(&api->addr);
	if (fd < 0)
		goto fail;
	rc = -ENOMEM;
	if (lstat(path, &api->file))
		goto fail;
	api->listener = evconnlistener_new(app->base, on_accept, api,
					   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!api->listener)
		goto fail;
	app->api = api;
	return 0;
fail:
	ctl_err("control socket %s: %s", path, listen_error(rc));
	if (fd >= 0) {
		unlink(path);
		close(fd);
	}
	free(api);
	return rc;
}

void ctl_api_stop(struct app *app)
{
	struct ctl_api *api = app->api;
	struct stat st;

	if (!api)
		return;
	while (api->clients)
		client_free(api->clients);
	if (!lstat(api->addr.sun_path, &st) && st.st_dev == api->file.st_dev && st.st_ino == api->file.st_ino)
		unlink(api->addr.sun_path);
	evconnlistener_free(api->listener);
	free(api);
	app->api = NULL;
}
