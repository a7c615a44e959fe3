/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON-RPC 2.0: text of a request in, response object out. Checks everything about a request against the
 * method table before the method sees it, so that a method finds its parameters present and of their type.
 * Every change leaves one audit line, refused ones too. Control thread; knows no socket.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/api.h"
#include "control/control.h"
#include "control/log.h"

int ctl_fail(struct ctl_call *call, int code, json_t *data, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->message, sizeof(call->message), fmt, ap);
	va_end(ap);
	/* What the caller sent may be cut in the middle of a character; the message stays valid JSON. */
	for (char *p = call->message; *p; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
			*p = '?';
	json_decref(call->data);
	call->data = data;
	call->code = code;
	return -1;
}

static const struct ctl_method *find_method(const char *name)
{
	for (const struct ctl_method *m = ctl_methods; m->name; m++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

static const struct ctl_param *find_param(const struct ctl_method *m, const char *name)
{
	for (const struct ctl_param *p = m->params; p < m->params + CTL_PARAMS && p->name; p++)
		if (!strcmp(p->name, name))
			return p;
	return NULL;
}

static json_t *method_names(void)
{
	json_t *list = json_array();

	for (const struct ctl_method *m = ctl_methods; m->name; m++)
		json_array_append_new(list, json_string(m->name));
	return json_pack("{s:o}", "methods", list);
}

static json_t *param_names(const struct ctl_method *m)
{
	json_t *list = json_array();

	for (const struct ctl_param *p = m->params; p < m->params + CTL_PARAMS && p->name; p++)
		json_array_append_new(list, json_string(p->name));
	return json_pack("{s:s, s:o}", "method", m->name, "params", list);
}

static const char *type_name(json_type type)
{
	return type == JSON_STRING ? "a string" : "a whole number";
}

/* Checks call->params against the table of `m`. Returns 0, or -1 after ctl_fail(). */
static int check_params(struct ctl_call *call, const struct ctl_method *m)
{
	const struct ctl_param *p;
	const char *key;
	json_t *value;

	if (!json_is_object(call->params))
		return ctl_fail(call, CTL_ERR_PARAMS, param_names(m), "params of %s must be an object",
				m->name);
	json_object_foreach(call->params, key, value)
	{
		p = find_param(m, key);
		if (!p)
			return ctl_fail(call, CTL_ERR_PARAMS, param_names(m), "%s has no parameter \"%.63s\"",
					m->name, key);
		if (json_typeof(value) != p->type)
			return ctl_fail(call, CTL_ERR_PARAMS, param_names(m),
					"parameter \"%s\" of %s must be %s", p->name, m->name,
					type_name(p->type));
	}
	for (p = m->params; p < m->params + CTL_PARAMS && p->name; p++)
		if (p->required && !json_object_get(call->params, p->name))
			return ctl_fail(call, CTL_ERR_PARAMS, param_names(m), "%s needs parameter \"%s\"",
					m->name, p->name);
	return 0;
}

/* One line for every change that somebody asked for: who, what, and how it ended. */
static void audit(const struct ctl_call *call, const struct ctl_method *m, int rc)
{
	char *params = json_dumps(call->params, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);

	ctl_notice("audit: %s command %s %.512s result %s%s", call->who, m->name, params ? params : "",
		   rc ? "refused: " : "done", rc ? call->message : "");
	free(params);
}

/* Runs the request. Returns 0 with call->result, or -1 after ctl_fail(). */
static int run(struct ctl_call *call, json_t *request)
{
	json_t *version = json_object_get(request, "jsonrpc"), *name = json_object_get(request, "method");
	json_t *id = json_object_get(request, "id"), *none = NULL;
	const struct ctl_method *m;
	int rc;

	if (!json_is_object(request))
		return ctl_fail(call, CTL_ERR_REQUEST, NULL,
				"a request is one JSON object a line; batches are not taken");
	if (!json_is_string(version) || strcmp(json_string_value(version), "2.0"))
		return ctl_fail(call, CTL_ERR_REQUEST, NULL, "\"jsonrpc\" must be \"2.0\"");
	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		return ctl_fail(call, CTL_ERR_REQUEST, NULL, "\"id\" must be a string or a number");
	if (!json_is_string(name))
		return ctl_fail(call, CTL_ERR_REQUEST, NULL, "\"method\" must be a string");
	m = find_method(json_string_value(name));
	if (!m)
		return ctl_fail(call, CTL_ERR_METHOD, method_names(), "no method \"%.63s\"",
				json_string_value(name));
	call->params = json_object_get(request, "params");
	if (!call->params)
		call->params = none = json_object();
	rc = check_params(call, m);
	if (!rc)
		rc = m->run(call);
	if (!rc && !call->result)
		rc = ctl_fail(call, CTL_ERR_INTERNAL, NULL, "out of memory");
	if (m->change)
		audit(call, m, rc);
	call->params = NULL;
	json_decref(none);
	return rc;
}

/* An id that may stand in a response; anything else is null (JSON-RPC 2.0, 5). */
static json_t *response_id(const json_t *request)
{
	json_t *id = json_object_get(request, "id");

	return json_is_string(id) || json_is_number(id) ? json_incref(id) : json_null();
}

json_t *ctl_answer(struct ctl_call *call, const char *text, size_t n)
{
	json_error_t error;
	json_t *request = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error), *response, *err;
	bool silent = false;
	int rc;

	if (!request) {
		rc = ctl_fail(call, CTL_ERR_PARSE, json_pack("{s:i}", "column", error.column),
			      "no JSON: %.200s", error.text);
	} else {
		rc = run(call, request);
		/* A valid request without id wants no answer (4.1); a broken one is answered with id null. */
		silent = json_is_object(request) && !json_object_get(request, "id") &&
			 call->code != CTL_ERR_REQUEST;
	}
	if (silent) {
		json_decref(call->result);
		response = NULL;
	} else if (!rc) {
		response = json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", response_id(request),
				     "result", call->result);
	} else {
		err = json_pack("{s:i, s:s}", "code", call->code, "message", call->message);
		if (call->data)
			json_object_set(err, "data", call->data);
		response = json_pack("{s:s, s:o, s:o}", "jsonrpc", "2.0", "id", response_id(request), "error",
				     err);
	}
	json_decref(call->data);
	json_decref(request);
	return response;
}
