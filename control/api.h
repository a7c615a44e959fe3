/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between the control socket (api.c: bytes, JSON-RPC, who is asking) and what it can be asked (methods.c:
 * one table). Control thread only. A method looks at or changes what is in memory and returns at once.
 */
#ifndef WEIR_CONTROL_API_H
#define WEIR_CONTROL_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct app;

/* Error codes of JSON-RPC 2.0 (5.1), and ours in the range it leaves to servers. */
enum {
	CTL_ERR_PARSE = -32700,
	CTL_ERR_REQUEST = -32600,
	CTL_ERR_METHOD = -32601,
	CTL_ERR_PARAMS = -32602,
	CTL_ERR_INTERNAL = -32603,
	CTL_ERR_BUSY = -32000,      /* too many clients */
	CTL_ERR_NO_SUCH = -32001,   /* a name that the config does not have */
	CTL_ERR_UNCHANGED = -32002, /* it is so already */
	CTL_ERR_NOT_NOW = -32003,   /* cannot be answered in the present state */
};

/* One request in the hands of its method. */
struct ctl_call {
	struct app *app;
	json_t *params;    /* an object that fits the method's table; borrowed */
	const char *who;   /* "uid 0 pid 4711", for log lines */
	json_t *result;    /* set by a method that returns 0 */
	int code;          /* CTL_ERR_*, set by ctl_fail() */
	json_t *data;      /* detail of the error or NULL, set by ctl_fail() */
	char message[256]; /* one sentence, set by ctl_fail() */
};

struct ctl_param {
	const char *name; /* NULL ends the list */
	json_type type;   /* JSON_STRING or JSON_INTEGER */
	bool required;
	const char *help;
};

#define CTL_PARAMS 4

struct ctl_method {
	const char *name;
	const char *help;
	bool change; /* changes something: audited */
	struct ctl_param params[CTL_PARAMS];
	int (*run)(struct ctl_call *call); /* 0 with call->result, or -1 after ctl_fail() */
};

/* Everything that the socket offers; ends with a NULL name. */
extern const struct ctl_method ctl_methods[];

/*
 * Says why a call fails: code CTL_ERR_*, data (taken over, may be NULL), a sentence for people.
 * Returns -1, so that a method can return it.
 */
int ctl_fail(struct ctl_call *call, int code, json_t *data, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/*
 * Answers one request: n bytes of text, one JSON-RPC 2.0 object. call: app and who are set. Returns the
 * response object, or NULL if there is none to send (a notification). Control.
 */
json_t *ctl_answer(struct ctl_call *call, const char *text, size_t n);

/* ---- Sight (sight.c, verdict.c) ---------------------------------------------------------------------- */

/* Whether Weir can do its work, in the words of a monitoring check. */
enum ctl_verdict {
	CTL_OK,
	CTL_WARNING,
	CTL_CRITICAL
};

/* Judges node, workers, pools and gateways; appends one sentence for each thing found to `reasons` (an
 * array). */
enum ctl_verdict ctl_verdict(const struct app *app, json_t *reasons);

/* What new work of a pool goes by: the first tier that has a gateway UP, READY and with weight. */
struct ctl_share {
	uint32_t pool;   /* index, UINT32_MAX: nothing computed yet */
	uint32_t weight; /* of all such gateways of that tier; 0: there is none */
	uint8_t tier;
};

/* JSON pictures of what control.h shows; new references. share: kept between gateways of one listing. */
json_t *ctl_show_gateway(const struct ctl_call *call, uint32_t index, struct ctl_share *share);
json_t *ctl_show_gateway_more(const struct ctl_call *call, uint32_t index);
json_t *ctl_show_pool(const struct ctl_call *call, uint32_t index);
json_t *ctl_show_peer(const struct ctl_call *call, uint32_t index);
json_t *ctl_show_worker(const struct ctl_call *call, uint32_t index);
json_t *ctl_show_port(const struct ctl_call *call, uint32_t index);
json_t *ctl_show_status(const struct ctl_call *call);
json_t *ctl_show_drops(const struct ctl_call *call);

/* Index of the gateway that parameter "gateway" names, or -1 after ctl_fail(). (methods.c) */
int ctl_gateway_param(struct ctl_call *call);

/* change.c: methods */
int ctl_method_drain(struct ctl_call *call);
int ctl_method_maint(struct ctl_call *call);
int ctl_method_ready(struct ctl_call *call);
int ctl_method_node_drain(struct ctl_call *call);
int ctl_method_node_ready(struct ctl_call *call);
int ctl_method_set(struct ctl_call *call);
int ctl_method_calls_left(struct ctl_call *call);

/* sight_congestion.c */
json_t *ctl_show_congestion(const struct ctl_call *call, uint32_t index);

/* sight_why.c: method */
int ctl_method_why(struct ctl_call *call);

/* sight_calls.c: methods */
int ctl_method_events(struct ctl_call *call);
int ctl_method_calls(struct ctl_call *call);
int ctl_method_audit(struct ctl_call *call);

/*
 * Turns YAML text as conf_print() writes it into JSON: mappings and sequences as such, quoted scalars and
 * words as strings, whole numbers and true/false as such. NULL if it is no YAML or memory ends.
 */
json_t *ctl_yaml_to_json(const char *text, size_t n);

#endif
