/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema of `overload` of a pool: how it is kept from being given more than it can take. Constant data.
 */
#include "conf/conf.h"
#include "conf/schema.h"

static const struct word learns[] = {
	{ "on", CONF_LEARN_ON },           { "true", CONF_LEARN_ON },
	{ "yes", CONF_LEARN_ON },          { "off", CONF_LEARN_OFF },
	{ "false", CONF_LEARN_OFF },       { "no", CONF_LEARN_OFF },
	{ "observe", CONF_LEARN_OBSERVE }, { NULL, 0 },
};
static const struct word laws[] = { { "gradient", CONF_LAW_GRADIENT },
				    { "aimd", CONF_LAW_AIMD },
				    { "static", CONF_LAW_STATIC },
				    { NULL, 0 } };

static const struct word switches[] = { { "on", CONF_ON },   { "true", CONF_ON },   { "yes", CONF_ON },
					{ "off", CONF_OFF }, { "false", CONF_OFF }, { "no", CONF_OFF },
					{ NULL, 0 } };

static const struct word gateway_retries[] = { { "stop", CONF_GATEWAY_RETRY_STOP },
					       { "shrink", CONF_GATEWAY_RETRY_SHRINK },
					       { "ignore", CONF_GATEWAY_RETRY_IGNORE },
					       { NULL, 0 } };

static const struct field fields[] = {
	{ .name = "learn",
	  .kind = KIND_ENUM,
	  AT(conf_overload, learn),
	  .def = "on",
	  .words = learns,
	  .change = CHANGE_RELOAD,
	  .help = "Whether Weir finds out how much each gateway can take and gives it no more; `observe` "
		  "computes and counts the same and refuses nothing" },
	{ .name = "law",
	  .kind = KIND_ENUM,
	  AT(conf_overload, law),
	  .def = "gradient",
	  .words = laws,
	  .change = CHANGE_RELOAD,
	  .help = "How the limits follow the signals: by the length of the queue that the delay tells of, by "
		  "additive growth and multiplicative cuts, or not at all" },
	{ .name = "oc",
	  .kind = KIND_ENUM,
	  AT(conf_overload, oc),
	  .def = "on",
	  .words = switches,
	  .change = CHANGE_RELOAD,
	  .help = "Whether the gateways are asked to say how much they can take (RFC 7339, RFC 7415: "
		  "parameters `oc` of our Via), and are obeyed" },
	{ .name = "overflow",
	  .kind = KIND_REF,
	  AT(conf_overload, overflow),
	  .absent = "none",
	  .change = CHANGE_RELOAD,
	  .help = "Pool that gets the calls for which no gateway of this one has room; what is full there, "
		  "too, is refused. A call goes one such step and no further, whatever that pool names, "
		  "so two pools may name each other" },
	{ .name = "spill",
	  .kind = KIND_PERCENT,
	  AT(conf_overload, spill),
	  .def = "20%",
	  .min = 1,
	  .max = 100,
	  .change = CHANGE_RELOAD,
	  .help = "How much of what the overflow pool can take may come from this one: part of the sum of "
		  "its "
		  "`max-cps` and learned rates. As long as these do not bound every gateway there, nothing "
		  "bounds "
		  "the spill" },
	{ .name = "retry-after",
	  .kind = KIND_DURATION,
	  AT(conf_overload, retry_after_ns),
	  .def = "30s",
	  .min = NS_S,
	  .max = NS_H,
	  .change = CHANGE_RELOAD,
	  .help = "Most that refused callers are told to wait with Retry-After. It is computed so that they "
		  "find room when they return: from how many there are, and from how much of what the pool "
		  "takes is left beside new calls. Whole seconds" },
	{ .name = "gateway-retry-after",
	  .kind = KIND_ENUM,
	  AT(conf_overload, gateway_retry),
	  .def = "stop",
	  .words = gateway_retries,
	  .change = CHANGE_RELOAD,
	  .help = "What a gateway's 503 with Retry-After does once two of its last 20 answers to calls, or "
		  "more than 5 % of many at once, are such: `stop` gives it only a trickle of new calls for "
		  "that time, but never stops more than half of the pool unless all of it says so; `shrink` "
		  "lowers its learned limit and keeps it there for that time; `ignore` only counts it" },
	{ .name = "gateway-retry-after-max",
	  .kind = KIND_DURATION,
	  AT(conf_overload, gateway_retry_max_ns),
	  .def = "5s",
	  .min = NS_S,
	  .max = NS_H,
	  .change = CHANGE_RELOAD,
	  .help = "Most of a gateway's Retry-After that is heeded" },
};

const struct section conf_overload_section = { .size = sizeof(struct conf_overload), FIELDS(fields) };
