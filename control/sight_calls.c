/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happened, and which calls there are, as JSON: events. Handlers of methods.c's table; each does a
 * bounded amount of work. Control thread.
 */
#include <stdio.h>

#include "control/api.h"
#include "control/control.h"
#include "control/events.h"

static json_t *event(const struct ctl_event *e)
{
	char text[40];
	struct tm tm;
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&e->at.tv_sec, &tm));

	snprintf(text + n, sizeof(text) - n, ".%03dZ", (int)(e->at.tv_nsec / 1000000));
	return json_pack("{s:I, s:s, s:s, s:s, s:s}", "id", (json_int_t)e->id, "at", text, "kind",
			 ctl_event_name(e->kind), "subject", e->subject, "text", e->text);
}

int ctl_method_events(struct ctl_call *call)
{
	json_int_t since = json_integer_value(json_object_get(call->params, "since"));
	const struct ctl_event *e;
	json_t *list;

	if (since < 0)
		return ctl_fail(call, CTL_ERR_PARAMS, NULL, "\"since\" must not be negative");
	list = json_array();
	for (uint64_t id = (uint64_t)since; (e = ctl_event_after(call->app, id)); id = e->id)
		json_array_append_new(list, event(e));
	call->result =
		json_pack("{s:o, s:I}", "events", list, "last", (json_int_t)ctl_events_last(call->app));
	return 0;
}
