/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prometheus text, family by family and line by line, so that the caller can stop between two chunks and
 * keep its own time. A family's lines are numbered; line_N() functions write one line or nothing.
 * Runs on the control thread; reads the lanes while workers write them.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "stats/tables.h"

/* A line under construction. What does not fit is cut; sizes in the door make sure that it fits. */
struct line {
	char *p;
	size_t n, size;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *l, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(l->p + l->n, l->size - l->n, format, args);
	va_end(args);
	if (n > 0)
		l->n = l->n + (size_t)n < l->size ? l->n + (size_t)n : l->size - 1;
}

/* Writes text with \, " and newline escaped into out; returns the length, or 0 if it does not fit. */
static size_t escape(char *out, size_t size, const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		char c = *text == '\n' ? 'n' : *text;
		bool quote = *text == '\\' || *text == '"' || *text == '\n';

		if (n + quote + 1 >= size)
			return 0;
		if (quote)
			out[n++] = '\\';
		out[n++] = c;
	}
	out[n] = '\0';
	return n;
}

static void put_label(struct line *l, const char *name, const char *value)
{
	char text[2 * LIMIT_NAME + 1];

	if (escape(text, sizeof(text), value) > 0)
		put(l, "%s=\"%s\",", name, text);
}

void st_label(struct st_gauge *gauge, const char *name, const char *value)
{
	size_t used = strlen(gauge->labels), n = used;
	char text[ST_LABELS];

	if (escape(text, sizeof(text), value) == 0)
		text[0] = '\0';
	n += (size_t)snprintf(gauge->labels + used, sizeof(gauge->labels) - used, "%s%s=\"%s\"",
			      used > 0 ? "," : "", name, text);
	if (n >= sizeof(gauge->labels))
		gauge->labels[used] = '\0';
}

/* Counter families: their rows are those of the .def that name them. */
struct rows {
	unsigned int n; /* rows of the scope's table */
	const struct st_info *(*info)(unsigned int id);
};

static const struct st_info *gateway_info(unsigned int id)
{
	return st_gateway_info(id);
}

static const struct st_info *peer_info(unsigned int id)
{
	return st_peer_info(id);
}

static const struct rows rows_of[] = {
	[SCOPE_TOTAL] = { ST_COUNT, st_info },
	[SCOPE_WORKER] = { ST_COUNT, st_info },
	[SCOPE_GATEWAY] = { ST_GW_COUNT, gateway_info },
	[SCOPE_PEER] = { ST_PEER_COUNT, peer_info },
};

/* How many things (workers, gateway slots, peers) a scope has series for. */
static uint32_t entities(const struct st_source *s, enum family_scope scope)
{
	switch (scope) {
	case SCOPE_WORKER:
		return s->table->n;
	case SCOPE_GATEWAY:
		return s->n_gateways;
	case SCOPE_PEER:
		return s->n_peers;
	default:
		return 1;
	}
}

/* Puts the labels of one entity, each with a comma behind it; false if the entity is not in use. */
static bool put_entity(struct line *l, const struct st_source *s, enum family_scope scope, uint32_t i)
{
	switch (scope) {
	case SCOPE_WORKER:
		if (!isdigit((unsigned char)s->table->lane[i]->name[0]))
			return false; /* control has a lane, but is no worker */
		put_label(l, "worker", s->table->lane[i]->name);
		return true;
	case SCOPE_GATEWAY:
		if (s->gateways[i].gateway == NULL)
			return false;
		put_label(l, "pool", s->gateways[i].pool);
		put_label(l, "gateway", s->gateways[i].gateway);
		return true;
	case SCOPE_PEER:
		put_label(l, "peer", s->peers[i]);
		return true;
	default:
		return true;
	}
}

static const uint64_t *cell_of(const struct st_lane *lane, enum family_scope scope, uint32_t entity,
			       unsigned int id)
{
	switch (scope) {
	case SCOPE_GATEWAY:
		return entity < lane->n_gateways ? &lane->gateways[entity].count[id] : NULL;
	case SCOPE_PEER:
		return entity < lane->n_peers ? &lane->peers[entity].count[id] : NULL;
	default:
		return &lane->count[id];
	}
}

static uint64_t counter_value(const struct st_table *t, enum family_scope scope, uint32_t entity,
			      unsigned int id)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		const uint64_t *cell = cell_of(t->lane[i], scope, entity, id);

		if (cell != NULL && (scope != SCOPE_WORKER || i == entity))
			sum += st_cell_read(cell);
	}
	return sum;
}

/* Drops the comma behind the last label and closes the braces, or takes the braces away again. */
static void end_labels(struct line *l)
{
	if (l->p[l->n - 1] == ',') {
		l->p[l->n - 1] = '}';
		return;
	}
	l->n--;
}

static bool counter_line(struct st_export *e, struct line *l, uint32_t number)
{
	const struct family *f = &st_families[e->family];
	const struct rows *rows = &rows_of[f->scope];
	uint32_t entity = number / rows->n;
	unsigned int id = number % rows->n;
	const struct st_info *info = rows->info(id);

	if (entity >= entities(e->source, f->scope))
		return false;
	if (info->family != e->family)
		return true;
	put(l, "%s{", f->name);
	if (!put_entity(l, e->source, f->scope, entity)) {
		l->n = 0;
		return true;
	}
	if (info->reason != NULL)
		put(l, "outcome=\"%s\",reason=\"%s\",", st_outcome_name(info->outcome), info->reason);
	else if (info->labels[0] != '\0')
		put(l, "%s,", info->labels);
	end_labels(l);
	put(l, " %" PRIu64 "\n", counter_value(e->source->table, f->scope, entity, id));
	return true;
}

static bool gauge_line(struct st_export *e, struct line *l, uint32_t number)
{
	struct st_gauge gauge = { .value = 0 };

	if (e->source->gauge == NULL || !e->source->gauge(e->source->arg, e->family, number, &gauge))
		return false;
	put(l, "%s", st_families[e->family].name);
	if (gauge.labels[0] != '\0')
		put(l, "{%s}", gauge.labels);
	put(l, " %.15g\n", gauge.value);
	return true;
}

/* Merges the histogram of one entity over all lanes that it has figures in. */
static void merge_entity(struct st_export *e, enum family_scope scope, uint32_t entity)
{
	const struct st_table *t = e->source->table;

	memset(&e->hist, 0, sizeof(e->hist));
	for (uint32_t i = 0; i < t->n; i++) {
		const struct st_lane *lane = t->lane[i];

		if (scope == SCOPE_GATEWAY && entity < lane->n_gateways)
			st_hist_merge(&e->hist, &lane->gateways[entity].response);
		else if (scope == SCOPE_WORKER && i == entity)
			st_hist_merge(&e->hist, &lane->forward);
	}
}

/* Lines of one entity: its edges, +Inf, _sum, _count. */
static bool histogram_line(struct st_export *e, struct line *l, uint32_t number)
{
	const struct family *f = &st_families[e->family];
	struct edges edges = st_family_edges(e->family);
	unsigned int n_edges = edges.last - edges.first + 1u;
	uint32_t entity = number / (n_edges + 3), part = number % (n_edges + 3);
	static const char *const suffixes[] = { "_bucket", "_sum", "_count" };

	if (entity >= entities(e->source, f->scope))
		return false;
	if (part == 0)
		merge_entity(e, f->scope, entity);
	put(l, "%s%s{", f->name, suffixes[part <= n_edges ? 0 : part - n_edges]);
	if (!put_entity(l, e->source, f->scope, entity)) {
		l->n = 0;
		return true;
	}
	if (part < n_edges)
		put(l, "le=\"%.12g\",", st_edge_seconds(edges.first + part));
	else if (part == n_edges)
		put(l, "le=\"+Inf\",");
	end_labels(l);
	if (part == n_edges + 1)
		put(l, " %.9f\n", (double)e->hist.sum_ns / 1e9);
	else
		put(l, " %" PRIu64 "\n",
		    part < n_edges ? st_hist_below(&e->hist, edges.first + part) : st_hist_count(&e->hist));
	return true;
}

static void put_head(struct line *l, const struct family *f)
{
	static const char *const types[] = {
		[KIND_COUNTER] = "counter", [KIND_GAUGE] = "gauge", [KIND_HISTOGRAM] = "histogram"
	};

	put(l, "# HELP %s %s\n# TYPE %s %s\n", f->name, f->help, f->name, types[f->kind]);
}

void st_export_start(struct st_export *e, const struct st_source *source)
{
	memset(e, 0, sizeof(*e));
	e->source = source;
}

size_t st_export_next(struct st_export *e, char *buf, size_t size)
{
	static bool (*const write_line[])(struct st_export *, struct line *, uint32_t) = {
		[KIND_COUNTER] = counter_line, [KIND_GAUGE] = gauge_line, [KIND_HISTOGRAM] = histogram_line
	};
	size_t used = 0;

	while (e->family < ST_FAM_COUNT && size - used >= ST_CHUNK_MIN) {
		const struct family *f = &st_families[e->family];
		char text[ST_LINE];
		struct line line = { text, 0, sizeof(text) }, head = { buf + used, 0, ST_LINE };

		if (!write_line[f->kind](e, &line, e->line++)) {
			e->family++;
			e->line = 0;
			e->headed = false;
			continue;
		}
		if (line.n == 0)
			continue;
		if (!e->headed)
			put_head(&head, f);
		e->headed = true;
		used += head.n;
		memcpy(buf + used, line.p, line.n);
		used += line.n;
	}
	return used;
}
