/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP for monitoring: /metrics (Prometheus text format 0.0.4), /healthz (the process runs), /readyz (it
 * takes calls). GET only. Control thread: an answer is made chunk by chunk, the next one when the last has
 * left, so that other events come in between and a slow scraper holds one chunk.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "conf/conf.h"
#include "control/control.h"
#include "control/gauges.h"
#include "control/log.h"

#define CHUNK       32768 /* bytes made in one turn of the loop */
#define MAX_HEADERS 4096  /* bytes of a request's header */
#define TIMEOUT_S   10    /* for a scraper that sends or takes nothing */

/* One answer to /metrics on its way. */
struct scrape {
	struct scrape *next, **prev;
	struct ctl_http *http;
	struct evhttp_request *req;
	struct st_source source; /* http->source with the gauges of this scrape as arg */
	struct st_export export;
	struct ctl_gauges gauges;
};

struct ctl_http {
	struct app *app;
	struct evhttp *server;
	struct evconnlistener *listener; /* the server's */
	struct event *resume;            /* accepts again after a rest */
	int fd_limit;                    /* descriptor number from which on no more connections are taken */
	struct scrape *scrapes;
	unsigned n_scrapes;
	struct st_gateway_name *gateways; /* by slot */
	const char **peers;               /* by peer index */
	struct st_source source;          /* without arg */
};

/* ---- /metrics
 * ---------------------------------------------------------------------------------------------- */

static void scrape_free(struct scrape *s)
{
	*s->prev = s->next;
	if (s->next)
		s->next->prev = s->prev;
	s->http->n_scrapes--;
	gauges_free(&s->gauges);
	free(s);
}

/* The scraper is gone. A request that was still being written was taken off its connection: it is ours to
 * free. */
static void on_close(struct evhttp_connection *conn, void *arg)
{
	struct scrape *s = arg;

	if (!evhttp_request_get_connection(s->req))
		evhttp_request_free(s->req);
	scrape_free(s);
}

static void send_chunk(struct evhttp_connection *conn, void *arg)
{
	struct scrape *s = arg;
	struct evbuffer *out = evbuffer_new();
	struct evbuffer_iovec v;
	size_t n = 0;

	if (out && !evbuffer_expand(out, CHUNK) && evbuffer_reserve_space(out, CHUNK, &v, 1) == 1) {
		n = st_export_next(&s->export, v.iov_base, CHUNK);
		v.iov_len = n;
		evbuffer_commit_space(out, &v, 1);
	}
	if (n) {
		evhttp_send_reply_chunk_with_cb(s->req, out, send_chunk, s);
	} else {
		evhttp_connection_set_closecb(evhttp_request_get_connection(s->req), NULL, NULL);
		evhttp_send_reply_end(s->req);
		scrape_free(s);
	}
	if (out)
		evbuffer_free(out);
}

static void answer(struct evhttp_request *req, int code, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "text/plain; charset=utf-8");
	if (body)
		evbuffer_add_printf(body, "%s\n", text);
	evhttp_send_reply(req, code, NULL, body);
	if (body)
		evbuffer_free(body);
}

static void on_metrics(struct evhttp_request *req, void *arg)
{
	struct ctl_http *http = arg;
	struct scrape *s;

	s = http->n_scrapes < LIMIT_HTTP_CLIENTS ? calloc(1, sizeof(*s)) : NULL;
	if (!s) {
		answer(req, HTTP_SERVUNAVAIL, "too many scrapes at the same time");
		return;
	}
	s->http = http;
	s->req = req;
	s->next = http->scrapes;
	s->prev = &http->scrapes;
	if (s->next)
		s->next->prev = &s->next;
	http->scrapes = s;
	http->n_scrapes++;
	gauges_read(&s->gauges, http->app);
	s->source = http->source;
	s->source.arg = &s->gauges;
	st_export_start(&s->export, &s->source);
	evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
			  "text/plain; version=0.0.4; charset=utf-8");
	evhttp_connection_set_closecb(evhttp_request_get_connection(req), on_close, s);
	evhttp_send_reply_start(req, HTTP_OK, "OK");
	send_chunk(evhttp_request_get_connection(req), s);
}

/* ---- The server
 * -------------------------------------------------------------------------------------------- */

static void on_healthz(struct evhttp_request *req, void *arg)
{
	answer(req, HTTP_OK, "ok");
}

static void on_readyz(struct evhttp_request *req, void *arg)
{
	struct ctl_http *http = arg;
	struct ctl_node n;

	ctl_node(http->app, &n);
	answer(req, n.serving && !n.draining ? HTTP_OK : HTTP_SERVUNAVAIL,
	       !n.serving   ? "not serving"
	       : n.draining ? "draining"
			    : "ready");
}

static void on_other(struct evhttp_request *req, void *arg)
{
	answer(req, HTTP_NOTFOUND, "not found; there are /metrics, /healthz and /readyz");
}

static const struct timeval rest = { .tv_sec = 1 };

/* The lowest descriptor number that is free, or -1 if there is none: rises with what is open. */
static int lowest_free_fd(int any)
{
	int fd = fcntl(any, F_DUPFD_CLOEXEC, 0);

	if (fd >= 0)
		close(fd);
	return fd;
}

static bool is_crowded(const struct ctl_http *http)
{
	int fd = lowest_free_fd(evconnlistener_get_fd(http->listener));

	return fd < 0 || fd >= http->fd_limit;
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct ctl_http *http = arg;

	if (is_crowded(http))
		event_add(http->resume, &rest);
	else
		evconnlistener_enable(http->listener);
}

/*
 * Called for every new connection; evhttp neither counts nor limits them. Past the limit the next ones wait
 * in the kernel until idle ones have timed out, so that the rest of control never runs out of descriptors.
 */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct ctl_http *http = arg;

	if (is_crowded(http)) {
		evconnlistener_disable(http->listener);
		event_add(http->resume, &rest);
	}
	return NULL; /* evhttp makes its own */
}

/* Names of gateways by slot and of peers, for the labels. Returns 0 or -ENOMEM. */
static int name_series(struct ctl_http *http)
{
	const struct conf *conf = http->app->conf;
	uint32_t n = ctl_gateway_count(http->app), slots = 0;
	struct ctl_gateway g;

	for (uint32_t i = 0; i < n; i++) {
		ctl_gateway(http->app, i, &g);
		if (g.slot >= slots)
			slots = g.slot + 1u;
	}
	http->gateways = calloc(slots + 1, sizeof(*http->gateways));
	http->peers = calloc(conf->n_peers + 1, sizeof(*http->peers));
	if (!http->gateways || !http->peers)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		ctl_gateway(http->app, i, &g);
		http->gateways[g.slot] = (struct st_gateway_name){ .pool = g.pool, .gateway = g.name };
	}
	for (uint32_t i = 0; i < conf->n_peers; i++)
		http->peers[i] = conf->peers[i].name;
	http->source = (struct st_source){
		.table = http->app->stats,
		.gateways = http->gateways,
		.n_gateways = slots,
		.peers = http->peers,
		.n_peers = conf->n_peers,
		.gauge = gauges_series,
	};
	return 0;
}

static int listen_on(struct ctl_http *http, const struct addr *addr)
{
	char ip[INET6_ADDRSTRLEN];
	struct evhttp_bound_socket *bound;

	inet_ntop(addr->v6 ? AF_INET6 : AF_INET, addr->v6 ? addr->ip : addr->ip + 12, ip, sizeof(ip));
	errno = 0;
	bound = evhttp_bind_socket_with_handle(http->server, ip, addr->port);
	if (!bound)
		return errno ? -errno : -EADDRNOTAVAIL;
	http->listener = evhttp_bound_socket_get_listener(bound);
	http->fd_limit = lowest_free_fd(evconnlistener_get_fd(http->listener)) + LIMIT_API_CLIENTS +
			 LIMIT_HTTP_CONNECTIONS;
	return 0;
}

int ctl_http_start(struct app *app)
{
	const struct addr *addr = &app->conf->control.metrics;
	char text[CONF_ADDR_TEXT];
	struct ctl_http *http;
	int rc = -ENOMEM;

	if (!addr->port)
		return 0;
	http = calloc(1, sizeof(*http));
	if (!http)
		goto fail;
	app->http = http;
	http->app = app;
	http->server = evhttp_new(app->base);
	http->resume = evtimer_new(app->base, on_resume, http);
	if (!http->server || !http->resume || name_series(http))
		goto fail;
	evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET);
	evhttp_set_max_headers_size(http->server, MAX_HEADERS);
	evhttp_set_max_body_size(http->server, 0);
	evhttp_set_timeout(http->server, TIMEOUT_S);
	evhttp_set_bevcb(http->server, on_connection, http);
	evhttp_set_cb(http->server, "/metrics", on_metrics, http);
	evhttp_set_cb(http->server, "/healthz", on_healthz, http);
	evhttp_set_cb(http->server, "/readyz", on_readyz, http);
	evhttp_set_gencb(http->server, on_other, http);
	rc = listen_on(http, addr);
	if (!rc)
		return 0;
fail:
	conf_addr_text(addr, text);
	ctl_err("metrics on %s: %s", text, strerror(-rc));
	ctl_http_stop(app);
	return rc;
}

void ctl_http_stop(struct app *app)
{
	struct ctl_http *http = app->http;

	if (!http)
		return;
	if (http->server)
		evhttp_free(http->server); /* closes connections: on_close() frees their scrapes */
	if (http->resume)
		event_free(http->resume);
	free(http->gateways);
	free(http->peers);
	free(http);
	app->http = NULL;
}
