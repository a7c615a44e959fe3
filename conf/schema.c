/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The schema: every key of the file with its type, default, range, and help. Loading, messages, printing
 * and docs/config.md follow from these tables; a new key is one row and one member in conf.h.
 * Here: the file as a whole and the machine. schema_calls.c: peers, pools, routes.
 * Constant data.
 */
#include "conf/conf.h"
#include "conf/schema.h"

static const struct word polls[] = { { "adaptive", CONF_POLL_ADAPTIVE },
				     { "busy", CONF_POLL_BUSY },
				     { NULL, 0 } };
static const struct word autos[] = { { "auto", CONF_AUTO }, { "off", CONF_OFF }, { "false", CONF_OFF },
				     { "no", CONF_OFF },    { "on", CONF_ON },   { "true", CONF_ON },
				     { "yes", CONF_ON },    { NULL, 0 } };
static const struct word checksums[] = { { "verify", CONF_CHECKSUM_VERIFY },
					 { "trust", CONF_CHECKSUM_TRUST },
					 { NULL, 0 } };
static const struct word unknowns[] = { { "drop", CONF_UNKNOWN_DROP },
					{ "403", CONF_UNKNOWN_403 },
					{ "allow", CONF_UNKNOWN_ALLOW },
					{ NULL, 0 } };
static const struct field worker_fields[] = {
	{ .name = "count",
	  .kind = KIND_NUMBER,
	  AT(conf_workers, count),
	  .absent = "one per core of `cores`, else 1",
	  .none = 0,
	  .min = 1,
	  .max = LIMIT_WORKERS,
	  .change = CHANGE_RESTART,
	  .help = "Number of workers, the threads that handle messages" },
	{ .name = "cores",
	  .kind = KIND_CORES,
	  AT(conf_workers, cores),
	  .absent = "chosen at start",
	  .max = 1023,
	  .change = CHANGE_RESTART,
	  .help = "CPUs that workers are bound to, the lowest first" },
	{ .name = "poll",
	  .kind = KIND_ENUM,
	  AT(conf_workers, poll),
	  .def = "adaptive",
	  .words = polls,
	  .change = CHANGE_RESTART,
	  .help = "`busy` spins and needs a core for each worker; `adaptive` naps when idle and can share "
		  "cores" },
};

static const struct section workers = { .size = sizeof(struct conf_workers), FIELDS(worker_fields) };

static const struct field eal_fields[] = {
	{ .name = "extra",
	  .kind = KIND_TEXT,
	  MANY(conf_eal, extra),
	  .absent = "none",
	  .min = 1,
	  .max = 255,
	  .max_items = 32,
	  .change = CHANGE_RESTART,
	  .help = "Words for the end of the DPDK arguments" },
	{ .name = "hugepages",
	  .kind = KIND_ENUM,
	  AT(conf_eal, hugepages),
	  .def = "auto",
	  .words = autos,
	  .change = CHANGE_RESTART,
	  .help = "`auto` uses huge pages if there are free ones" },
	{ .name = "memory",
	  .kind = KIND_SIZE,
	  AT(conf_eal, memory),
	  .def = "512M",
	  .min = 64u << 20,
	  .max = 1ull << 40,
	  .change = CHANGE_RESTART,
	  .help = "Memory for packets when there are no huge pages" },
};

static const struct section eal = { .size = sizeof(struct conf_eal), FIELDS(eal_fields) };

static const struct field port_fields[] = {
	{ .name = "device",
	  .kind = KIND_TEXT,
	  AT(conf_port, device),
	  .required = true,
	  .min = 1,
	  .max = 191,
	  .change = CHANGE_RESTART,
	  .help = "DPDK device: a PCI address such as `0000:3b:00.0`, or a driver with arguments such as "
		  "`net_af_xdp,iface=eth1` or `net_tap,iface=dt0`" },
	{ .name = "addresses",
	  .kind = KIND_IFADDR,
	  MANY(conf_port, addresses),
	  .required = true,
	  .min_items = 1,
	  .max_items = LIMIT_PORT_ADDRS,
	  .change = CHANGE_RESTART,
	  .help = "Weir's addresses on this port, with the length of their networks" },
	{ .name = "gateway",
	  .kind = KIND_IP,
	  AT(conf_port, gateway),
	  .absent = "none",
	  .change = CHANGE_RESTART,
	  .help = "IPv4 next hop where the kernel has no route over this port" },
	{ .name = "gateway6",
	  .kind = KIND_IP,
	  AT(conf_port, gateway6),
	  .absent = "none",
	  .change = CHANGE_RESTART,
	  .help = "The same for IPv6" },
	{ .name = "mtu",
	  .kind = KIND_NUMBER,
	  AT(conf_port, mtu),
	  .def = "1500",
	  .min = 576,
	  .max = LIMIT_MTU,
	  .change = CHANGE_RESTART,
	  .help = "Largest IP packet in bytes" },
	{ .name = "vlan",
	  .kind = KIND_NUMBER,
	  AT(conf_port, vlan),
	  .def = "0",
	  .max = 4094,
	  .change = CHANGE_RESTART,
	  .help = "VLAN tag of all frames on the wire; 0: untagged. The twin sees them without it" },
	{ .name = "checksum",
	  .kind = KIND_ENUM,
	  AT(conf_port, checksum),
	  .def = "verify",
	  .words = checksums,
	  .change = CHANGE_RESTART,
	  .help = "What to do with checksums of received packets; `trust` is for virtual links that leave "
		  "them unfinished" },
	{ .name = "twin",
	  .kind = KIND_IFNAME,
	  AT(conf_port, twin),
	  .absent = "the port's name",
	  .change = CHANGE_RESTART,
	  .help = "Kernel interface that stands for the port: ARP, ping and everything that is not SIP over "
		  "UDP" },
};

static const struct section port = { .size = sizeof(struct conf_port),
				     FIELDS(port_fields),
				     LATER("max-message") };

static const struct field listener_fields[] = {
	{ .name = "address",
	  .kind = KIND_ENDPOINT,
	  AT(conf_listener, address),
	  .required = true,
	  .change = CHANGE_RESTART,
	  .help = "Where Weir speaks SIP over UDP; the address must be on a port" },
	{ .name = "advertise",
	  .kind = KIND_HOSTPORT,
	  AT(conf_listener, advertise),
	  .absent = "the address",
	  .max = LIMIT_ADVERTISE,
	  .change = CHANGE_RESTART,
	  .help = "Name that Via and Record-Route show instead of the address" },
};

static const struct section listener = { .size = sizeof(struct conf_listener),
					 FIELDS(listener_fields),
					 LATER("transport", "via", "tls") };

static const struct field control_fields[] = {
	{ .name = "socket",
	  .kind = KIND_PATH,
	  AT(conf_control, socket),
	  .def = "/run/weir/weir.sock",
	  .min = 2,
	  .max = 107,
	  .change = CHANGE_RESTART,
	  .help = "Socket that weirctl talks to" },
	{ .name = "metrics",
	  .kind = KIND_ENDPOINT,
	  AT(conf_control, metrics),
	  .absent = "not served",
	  .change = CHANGE_RESTART,
	  .help = "Where `/metrics` is served over HTTP, usually `127.0.0.1:9105`" },
	{ .name = "records",
	  .kind = KIND_PATH,
	  AT(conf_control, records),
	  .absent = "none are written",
	  .min = 2,
	  .max = 1023,
	  .change = CHANGE_RESTART,
	  .help = "File of call records: one JSON object a line for each call that ended or failed, see "
		  "weir(8). "
		  "SIGHUP opens it again" },
};

static const struct section control = { .size = sizeof(struct conf_control),
					FIELDS(control_fields),
					LATER("hep") };

static const struct field calls_fields[] = {
	{ .name = "max",
	  .kind = KIND_COUNT,
	  AT(conf_calls, max),
	  .absent = "100k, or the sum of all `max-calls` of gateways if that is more",
	  .none = 0,
	  .min = 100,
	  .max = LIMIT_CALLS,
	  .change = CHANGE_RESTART,
	  .help = "Calls at once that are kept count of; 110 bytes each at most. Past it "
		  "calls to gateways without `max-calls` go on uncounted and the other gateways count as "
		  "full" },
	{ .name = "ringing",
	  .kind = KIND_COUNT,
	  AT(conf_calls, ringing),
	  .absent = "a tenth of `max`",
	  .none = 0,
	  .min = 100,
	  .max = LIMIT_CALLS,
	  .change = CHANGE_RESTART,
	  .help = "Calls at once that have no final response yet; 7 kB each. Past it calls are set up "
		  "without fail-over" },
	{ .name = "max-duration",
	  .kind = KIND_DURATION,
	  AT(conf_calls, max_duration_ns),
	  .def = "4h",
	  .min = NS_S,
	  .max = 168 * NS_H,
	  .change = CHANGE_RESTART,
	  .help = "A call that has lasted this long without an end is counted no more" },
};

static const struct section calls = { .size = sizeof(struct conf_calls), FIELDS(calls_fields) };

#define TIMER(key, member, from, to, text)                                                                   \
	.name = key, .kind = KIND_DURATION, AT(conf_timers, member), .min = from, .max = to,                 \
	.change = CHANGE_RESTART, .help = text

static const struct field timer_fields[] = {
	{ TIMER("t1", t1_ns, 10 * NS_MS, 10 * NS_S,
		"T1 of RFC 3261: estimate of a round trip, first interval of repeats; for INVITEs to slow "
		"gateways a longer one is learned"),
	  .def = "500ms" },
	{ TIMER("t2", t2_ns, 10 * NS_MS, 60 * NS_S, "T2: longest interval of repeats, other than INVITE"),
	  .def = "4s" },
	{ TIMER("t4", t4_ns, 10 * NS_MS, 60 * NS_S, "T4: how long a message may stay in the network"),
	  .def = "5s" },
	{ TIMER("b", b_ns, 100 * NS_MS, 10 * NS_M,
		"Timer B: an INVITE that no gateway answers ends after this, with 408"),
	  .absent = "64 x `t1`" },
	{ TIMER("c", c_ns, NS_S, NS_H,
		"Timer C: a call that rings this long without a new provisional response is ended"),
	  .def = "181s" },
	{ TIMER("d", d_ns, 100 * NS_MS, 10 * NS_M,
		"Timer D, and H, L, M: how long repeats of a final response are dealt with"),
	  .def = "32s" },
	{ TIMER("release", release_ns, 100 * NS_MS, 10 * NS_M,
		"A call goes on counting this long after a BYE that nobody answers"),
	  .def = "32s" },
	{ TIMER("pin", pin_ns, 100 * NS_MS, 10 * NS_M,
		"How long a transaction keeps its gateway after its last message, so that repeats follow"),
	  .def = "32s" },
	{ TIMER("session-min", session_min_ns, NS_S, 10 * NS_M,
		"Session intervals that are shorter count as this (RFC 4028 5). Whole seconds"),
	  .def = "90s" },
};

static const struct section timers = { .size = sizeof(struct conf_timers), FIELDS(timer_fields) };

static const struct field emergency_fields[] = {
	{ .name = "numbers",
	  .kind = KIND_DIGITS,
	  MANY(conf_emergency, numbers),
	  .absent = "none",
	  .max = LIMIT_NUMBER,
	  .max_items = LIMIT_EMERGENCY,
	  .change = CHANGE_RELOAD,
	  .help = "User parts of Request-URIs that are emergency calls, whole, with or without `+`; quote "
		  "them: "
		  "`\"112\"`. `urn:service:sos` is always one" },
	{ .name = "headroom",
	  .kind = KIND_PERCENT,
	  AT(conf_emergency, headroom),
	  .def = "0%",
	  .min = 0,
	  .max = 50,
	  .change = CHANGE_RELOAD,
	  .help = "Part of each `max-calls` and of what `max-cps` lets in at once that only emergency calls "
		  "and "
		  "calls of believed priority use. A `max-cps` under 40/s has no room for two at once and so "
		  "none "
		  "for this" },
};

static const struct section emergency = { .size = sizeof(struct conf_emergency), FIELDS(emergency_fields) };

static const struct field root_fields[] = {
	{ .name = "node",
	  .kind = KIND_NAME,
	  AT(conf, node),
	  .def = "weir",
	  .change = CHANGE_RESTART,
	  .help = "Name of this node" },
	{ .name = "state-dir",
	  .kind = KIND_PATH,
	  AT(conf, state_dir),
	  .def = "/var/lib/weir",
	  .min = 2,
	  .max = 1023,
	  .change = CHANGE_RESTART,
	  .help = "Folder of what outlives a restart: the key of the tokens, and how many calls each gateway "
		  "has" },
	{ .name = "workers",
	  .kind = KIND_SECTION,
	  AT(conf, workers),
	  .section = &workers,
	  .change = CHANGE_RESTART,
	  .help = "The threads of the packet path" },
	{ .name = "eal",
	  .kind = KIND_SECTION,
	  AT(conf, eal),
	  .section = &eal,
	  .change = CHANGE_RESTART,
	  .help = "How DPDK is started" },
	{ .name = "ports",
	  .kind = KIND_MAP,
	  ITEMS(conf, ports, port),
	  .required = true,
	  .min_items = 1,
	  .max_items = LIMIT_PORTS,
	  .change = CHANGE_RESTART,
	  .help = "Network ports by name" },
	{ .name = "listeners",
	  .kind = KIND_MAP,
	  ITEMS(conf, listeners, listener),
	  .required = true,
	  .min_items = 1,
	  .max_items = LIMIT_LISTENERS,
	  .change = CHANGE_RESTART,
	  .help = "Where Weir speaks SIP, by name" },
	{ .name = "peers",
	  .kind = KIND_MAP,
	  ITEMS(conf, peers, conf_peer_section),
	  .max_items = LIMIT_PEERS,
	  .absent = "none",
	  .change = CHANGE_RELOAD,
	  .help = "Known other sides by name: trunks, proxies, networks of phones" },
	{ .name = "unknown",
	  .kind = KIND_ENUM,
	  AT(conf, unknown),
	  .def = "drop",
	  .words = unknowns,
	  .change = CHANGE_RELOAD,
	  .help = "What happens to requests from a source that is no peer and no gateway" },
	{ .name = "pools",
	  .kind = KIND_MAP,
	  ITEMS(conf, pools, conf_pool_section),
	  .max_items = LIMIT_POOLS,
	  .absent = "none",
	  .change = CHANGE_RELOAD,
	  .help = "Groups of gateways by name" },
	{ .name = "routes",
	  .kind = KIND_LIST,
	  ITEMS(conf, routes, conf_route_section),
	  .required = true,
	  .min_items = 1,
	  .max_items = LIMIT_ROUTES,
	  .change = CHANGE_RELOAD,
	  .help = "Where requests go; the first route that matches decides, and none means 404" },
	{ .name = "emergency",
	  .kind = KIND_SECTION,
	  AT(conf, emergency),
	  .section = &emergency,
	  .change = CHANGE_RELOAD,
	  .help = "Calls that come before others. They go by no limit that was learned and by no share, use "
		  "`headroom` in the operator's, and where fail-over is on they are tried at up to 4 "
		  "gateways, "
		  "whatever its `attempts` and `retry-budget` say" },
	{ .name = "control",
	  .kind = KIND_SECTION,
	  AT(conf, control),
	  .section = &control,
	  .change = CHANGE_RESTART,
	  .help = "What operators and monitoring connect to" },
	{ .name = "calls",
	  .kind = KIND_SECTION,
	  AT(conf, calls),
	  .section = &calls,
	  .change = CHANGE_RESTART,
	  .help = "How many calls there is room for" },
	{ .name = "timers",
	  .kind = KIND_SECTION,
	  AT(conf, timers),
	  .section = &timers,
	  .change = CHANGE_RESTART,
	  .help = "SIP timers; values under those of RFC 3261 are accepted with a warning" },
};

const struct section conf_root = { .size = sizeof(struct conf),
				   FIELDS(root_fields),
				   LATER("redis", "max-message") };
