/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema of what calls meet: peers, pools with their gateways, routes. Constant data. */
#include "conf/conf.h"
#include "conf/schema.h"

static const struct word when_fulls[] = { { "503+retry-after", CONF_FULL_503_RETRY_AFTER },
					  { "503", CONF_FULL_503 },
					  { "500", CONF_FULL_500 },
					  { NULL, 0 } };
static const struct word balances[] = { { "call-id", CONF_BALANCE_CALL_ID }, { NULL, 0 } };
static const struct word probes[] = { { "OPTIONS", CONF_PROBE_OPTIONS },
				      { "off", CONF_PROBE_OFF },
				      { "false", CONF_PROBE_OFF },
				      { "no", CONF_PROBE_OFF },
				      { NULL, 0 } };
static const struct word methods[] = {
#define METHOD(name, text) { text, METHOD_##name },
#include "conf/methods.def"
#undef METHOD
	{ NULL, 0 }
};

static const struct field peer_fields[] = {
	{ .name = "from",
	  .kind = KIND_PREFIX,
	  MANY(conf_peer, from),
	  .required = true,
	  .min_items = 1,
	  .max_items = LIMIT_PREFIXES,
	  .change = CHANGE_RELOAD,
	  .help = "Networks that the peer sends from; the longest prefix decides" },
	{ .name = "answer-when-full",
	  .kind = KIND_ENUM,
	  AT(conf_peer, answer_when_full),
	  .def = "503",
	  .words = when_fulls,
	  .change = CHANGE_RELOAD,
	  .help = "Answer when no gateway can take a request. Retry-After may silence the whole address of "
		  "Weir at a "
		  "trunk (RFC 3261 21.5.4); it is right for phones, and what unknown sources get" },
	{ .name = "max-cps",
	  .kind = KIND_RATE,
	  AT(conf_peer, max_cps),
	  .absent = "no limit",
	  .none = CONF_NONE,
	  .min = 1,
	  .max = 10000000,
	  .change = CHANGE_RELOAD,
	  .help = "New requests of the peer that are admitted: in any t seconds at most rate x t + max(1, "
		  "rate x 50 ms)" },
};

const struct section conf_peer_section = { .size = sizeof(struct conf_peer),
					   FIELDS(peer_fields),
					   LATER("max-calls", "share", "max-rps") };

static const struct field gateway_fields[] = {
	{ .name = "address",
	  .kind = KIND_ENDPOINT,
	  AT(conf_gateway, address),
	  .required = true,
	  .change = CHANGE_RELOAD,
	  .help = "Where the gateway speaks SIP over UDP" },
	{ .name = "weight",
	  .kind = KIND_NUMBER,
	  AT(conf_gateway, weight),
	  .def = "1",
	  .min = 0,
	  .max = LIMIT_WEIGHT,
	  .change = CHANGE_RELOAD,
	  .help = "Share of new work relative to the other gateways of its tier; 0 gets none" },
	{ .name = "tier",
	  .kind = KIND_NUMBER,
	  AT(conf_gateway, tier),
	  .def = "1",
	  .min = 1,
	  .max = LIMIT_TIERS,
	  .change = CHANGE_RELOAD,
	  .help = "Tier 2 is used when no gateway of tier 1 can take a request, and so on" },
	{ .name = "max-cps",
	  .kind = KIND_RATE,
	  AT(conf_gateway, max_cps),
	  .absent = "no limit",
	  .none = CONF_NONE,
	  .min = 1,
	  .max = 10000000,
	  .change = CHANGE_RELOAD,
	  .help = "New requests for the gateway: in any t seconds at most rate x t + max(1, rate x 50 ms)" },
};

static const struct section gateway = { .size = sizeof(struct conf_gateway),
					FIELDS(gateway_fields),
					LATER("max-calls", "max-rps", "count") };

static const struct field health_fields[] = {
	{ .name = "method",
	  .kind = KIND_ENUM,
	  AT(conf_health, method),
	  .def = "OPTIONS",
	  .words = probes,
	  .change = CHANGE_RELOAD,
	  .help = "Probe; with `off` every gateway counts as up" },
	{ .name = "interval",
	  .kind = KIND_DURATION,
	  AT(conf_health, interval_ns),
	  .def = "5s",
	  .min = 100 * NS_MS,
	  .max = NS_H,
	  .change = CHANGE_RELOAD,
	  .help = "Time between two probes of a gateway, varied a little" },
	{ .name = "timeout",
	  .kind = KIND_DURATION,
	  AT(conf_health, timeout_ns),
	  .def = "1s",
	  .min = 10 * NS_MS,
	  .max = 32 * NS_S,
	  .change = CHANGE_RELOAD,
	  .help = "Silence after which a probe has failed; at most the interval" },
	{ .name = "down-after",
	  .kind = KIND_NUMBER,
	  AT(conf_health, down_after),
	  .def = "3",
	  .min = 1,
	  .max = 100,
	  .change = CHANGE_RELOAD,
	  .help = "Failed probes in a row that make a gateway down" },
	{ .name = "up-after",
	  .kind = KIND_NUMBER,
	  AT(conf_health, up_after),
	  .def = "2",
	  .min = 1,
	  .max = 100,
	  .change = CHANGE_RELOAD,
	  .help = "Answered probes in a row that make it up again" },
};

static const struct section health = { .size = sizeof(struct conf_health), FIELDS(health_fields) };

static const struct field pool_fields[] = {
	{ .name = "balance",
	  .kind = KIND_ENUM,
	  AT(conf_pool, balance),
	  .def = "call-id",
	  .words = balances,
	  .change = CHANGE_RELOAD,
	  .help = "How gateways are chosen: by a keyed hash of the Call-ID, in proportion to the weights" },
	{ .name = "via",
	  .kind = KIND_REF,
	  AT(conf_pool, via),
	  .absent = "the listener of the gateway's family on the port that its route leaves by",
	  .change = CHANGE_RELOAD,
	  .help = "Listener that requests to the gateways leave by" },
	{ .name = "gateways",
	  .kind = KIND_MAP,
	  ITEMS(conf_pool, gateways, gateway),
	  .required = true,
	  .min_items = 1,
	  .max_items = LIMIT_GATEWAYS,
	  .change = CHANGE_RELOAD,
	  .help = "The gateways by name. A name is the gateway's identity and unique over all pools" },
	{ .name = "health",
	  .kind = KIND_SECTION,
	  AT(conf_pool, health),
	  .section = &health,
	  .change = CHANGE_RELOAD,
	  .help = "How it is known which gateways are alive" },
	{ .name = "retry-after",
	  .kind = KIND_DURATION,
	  AT(conf_pool, retry_after_ns),
	  .def = "5s",
	  .min = NS_S,
	  .max = NS_H,
	  .change = CHANGE_RELOAD,
	  .help = "Least Retry-After when the pool is full; the value told is spread up to twice this. Whole "
		  "seconds" },
};

const struct section conf_pool_section = { .size = sizeof(struct conf_pool),
					   FIELDS(pool_fields),
					   LATER("hash", "failover", "overload", "redirects", "reroute",
						 "gateway-retry-after", "count") };

static const struct field match_fields[] = {
	{ .name = "from",
	  .kind = KIND_NAME,
	  AT(conf_match, from),
	  .absent = "any",
	  .change = CHANGE_RELOAD,
	  .help = "Peer, or pool for requests from its gateways" },
	{ .name = "method",
	  .kind = KIND_ENUM,
	  AT(conf_match, method),
	  .absent = "any",
	  .none = METHOD_COUNT,
	  .words = methods,
	  .change = CHANGE_RELOAD,
	  .help = "SIP method" },
	{ .name = "number",
	  .kind = KIND_DIGITS,
	  AT(conf_match, number),
	  .absent = "any",
	  .max = LIMIT_NAME,
	  .change = CHANGE_RELOAD,
	  .help = "What the user part of the Request-URI starts with; `-`, `.`, `(` and `)` do not count. "
		  "Quote it: `\"+82\"`" },
	{ .name = "host",
	  .kind = KIND_HOST,
	  AT(conf_match, host),
	  .absent = "any",
	  .max = LIMIT_ADVERTISE,
	  .change = CHANGE_RELOAD,
	  .help = "Host of the Request-URI" },
};

static const struct section match = { .size = sizeof(struct conf_match), FIELDS(match_fields) };

static const struct field route_fields[] = {
	{ .name = "match",
	  .kind = KIND_SECTION,
	  AT(conf_route, match),
	  .section = &match,
	  .absent = "every request",
	  .change = CHANGE_RELOAD,
	  .help = "Conditions, all of which must hold" },
	{ .name = "pool",
	  .kind = KIND_REF,
	  AT(conf_route, pool),
	  .absent = "`answer` decides",
	  .change = CHANGE_RELOAD,
	  .help = "Pool that the request goes to" },
	{ .name = "answer",
	  .kind = KIND_NUMBER,
	  AT(conf_route, answer),
	  .absent = "`pool` decides",
	  .none = CONF_NONE,
	  .min = 400,
	  .max = 699,
	  .change = CHANGE_RELOAD,
	  .help = "Status code that the request is answered with" },
};

const struct section conf_route_section = { .size = sizeof(struct conf_route), FIELDS(route_fields) };
