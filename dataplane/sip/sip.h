/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Door of the SIP text room: bytes -> offsets -> fields, and edits or a reply -> bytes.
 * Knows SIP text; knows neither DPDK nor policy. No function allocates, locks, logs, keeps state or reads
 * past the bytes it was given, so every one may be called from any thread.
 * All positions are byte offsets from sip_msg.base: whoever moves the bytes sets base anew, nothing else.
 *
 * Order on the path: sip_scan (any worker) -> sip_call_id (whose message is it) -> sip_check (owner) ->
 * sip_edits_* and sip_apply, or sip_reply_write.
 */
#ifndef WEIR_DATAPLANE_SIP_SIP_H
#define WEIR_DATAPLANE_SIP_SIP_H

#include "conf/limits.h"
#include "conf/types.h"

/* ---- the message ---- */

/* Some bytes of a message. off 0 = absent (byte 0 is always the start line's first). */
struct sip_span {
	uint16_t off; /* bytes from sip_msg.base */
	uint16_t len; /* bytes */
};

enum sip_hdr {
	SIP_HDR_OTHER, /* known by number only, never recorded */
#define HEADER(name, text, first, last) SIP_HDR_##name,
#define COMPACT(name, letter)
#include "dataplane/sip/headers.def"
#undef HEADER
#undef COMPACT
	SIP_HDR_COUNT
};

enum sip_fault {
	SIP_FAULT_NONE,
#define FAULT(name, status, reason) SIP_FAULT_##name,
#include "dataplane/sip/faults.def"
#undef FAULT
	SIP_FAULT_COUNT
};

/* What sip_scan makes of a datagram. */
enum sip_verdict {
	SIP_GOOD,      /* a message; go on with sip_check */
	SIP_FAULTY,    /* readable, but sip_msg.fault says what is wrong: answer a request, drop a response */
	SIP_KEEPALIVE, /* up to 4 bytes, or only CR and LF (RFC 5626 4.4.1, RFC 3261 7.5): drop silently */
	SIP_GARBAGE    /* not SIP, or a response whose first line is broken: drop */
};

#define SIP_NO_ROW 0xff /* "no such row" in sip_msg.first and sip_row.next */

/* One row of a known header. Continuation lines (RFC 3261 7.3.1) belong to their row. */
struct sip_row {
	uint16_t off;   /* first byte of the name */
	uint16_t value; /* first byte after the colon */
	uint16_t end;   /* the CR that ends the row; the next row begins at end + 2 if verdict is SIP_GOOD */
	uint8_t id;     /* enum sip_hdr */
	uint8_t next;   /* next row with the same id, or SIP_NO_ROW */
};

/* A scanned message. Written by sip_scan alone; travels beside the bytes. */
struct sip_msg {
	const char *base;               /* first byte of the start line */
	uint16_t len;                   /* bytes of the message; what Content-Length leaves out is cut */
	uint16_t headers;               /* first byte after the start line: new rows are inserted here */
	uint16_t body;                  /* first byte after the blank line */
	uint16_t status;                /* 100..699 of a response, 0 in a request */
	struct sip_span uri;            /* Request-URI; absent in a response */
	struct sip_span method_text;    /* method token of the start line; absent in a response. off is 0 */
	uint8_t method;                 /* enum method of the start line; METHOD_OTHER in a response */
	uint8_t fault;                  /* enum sip_fault */
	uint8_t is_request;             /* 1 or 0 */
	uint8_t folded;                 /* 1: a recorded row may hold CR or LF (fold, or BARE_NEWLINE) */
	uint8_t n_rows;                 /* entries of row[] */
	uint8_t first[SIP_HDR_COUNT];   /* index of the first row of each header, or SIP_NO_ROW */
	uint8_t last[SIP_HDR_COUNT];    /* index of the last row; undefined where first is SIP_NO_ROW */
	uint8_t count[SIP_HDR_COUNT];   /* rows of each header */
	struct sip_row row[LIMIT_ROWS]; /* rows of known headers, in the order of the message */
};
_Static_assert(sizeof(struct sip_msg) <= 900, "sip_msg travels in the private area of an mbuf");

/* The bytes of span s of m, as a slice; empty if s is absent. */
static inline struct str sip_str(const struct sip_msg *m, struct sip_span s)
{
	return (struct str){ m->base + s.off, s.len };
}

/* ---- scan ---- */

/* How 64 bytes are turned into bit masks. All give the same result. */
enum sip_simd {
	SIP_PLAIN,
	SIP_AVX2,
	SIP_AVX512,
	SIP_SIMD_COUNT
};

/* The fastest variant this processor can run. Call once at start; the caller keeps the answer. */
enum sip_simd sip_simd_best(void);

/* True if this processor can run the variant. */
bool sip_simd_usable(enum sip_simd simd);

/* "plain", "avx2", "avx512": for logs and benches. */
const char *sip_simd_name(enum sip_simd simd);

/*
 * Find the start line, all header rows up to the blank line, and the body (RFC 3261 7).
 * simd: a usable variant. bytes, len: one datagram; more than 65535 bytes are garbage. m: written; for
 * SIP_KEEPALIVE and SIP_GARBAGE its content is undefined. m->base points into bytes.
 * Bare CR or LF in the header part is one verdict everywhere: SIP_FAULT_BARE_NEWLINE.
 * No Content-Length: the body reaches to the end of the datagram (RFC 3261 18.3).
 * For SIP_FAULTY everything that could be read is recorded, so that sip_reply_write can answer.
 */
enum sip_verdict sip_scan(enum sip_simd simd, const char *bytes, uint32_t len, struct sip_msg *m);

/* Status code of a fault: 400..505; 0 for SIP_FAULT_NONE. */
uint16_t sip_fault_status(enum sip_fault fault);

/* Reason phrase of a fault; static text, empty for SIP_FAULT_NONE. */
struct str sip_fault_reason(enum sip_fault fault);

/* ---- fields, decoded when asked for ---- */

/* Where a walk over the values of one header is. Set by sip_list_start, moved by sip_list_next. */
struct sip_list {
	uint32_t row; /* row of the next value, or SIP_NO_ROW; words, so that it travels in a register */
	uint32_t pos; /* where the next value begins in that row; 0 = at the row's start */
};

enum sip_next {
	SIP_NEXT_VALUE, /* one more value */
	SIP_NEXT_END,   /* no more */
	SIP_NEXT_BAD    /* empty value or unbalanced quotes; the walk is over */
};

/* Begin a walk over all values of header id: rows in order, comma lists inside them (RFC 3261 7.3.1). */
static inline struct sip_list sip_list_start(const struct sip_msg *m, enum sip_hdr id)
{
	return (struct sip_list){ .row = m->first[id] };
}

/* The same walk behind the first value of header id, which the caller has decoded already: `first` is its
 * span. */
struct sip_list sip_list_behind(const struct sip_msg *m, enum sip_hdr id, struct sip_span first);

/*
 * Next value without the white space around it. Commas inside quoted strings and < > do not separate.
 * value is written only for SIP_NEXT_VALUE.
 */
enum sip_next sip_list_next(const struct sip_msg *m, struct sip_list *it, struct sip_span *value);

/* One Via value (RFC 3261 20.42, RFC 3581). Absent parameters have off 0. */
struct sip_via {
	struct sip_span value;     /* the whole value: its end is where a parameter can be added */
	struct sip_span transport; /* "UDP", any token */
	struct sip_span host;      /* sent-by host, IPv6 without brackets */
	uint16_t port;             /* sent-by port, 0 = not given */
	uint8_t has_rport;         /* rport is there, with or without a value */
	uint8_t has_oc;            /* a parameter begins with "oc": it may speak of overload (sip_oc_parse) */
	struct sip_span rport;     /* ";rport" or ";rport=5070" whole, to replace it */
	uint16_t rport_port;       /* its value, 0 = none */
	struct sip_span branch;    /* value */
	struct sip_span received;  /* value, without brackets */
	struct sip_span received_param; /* ";received=..." whole, to replace it */
	struct sip_span maddr;          /* value, without brackets */
};

/* Decode one Via value found by sip_list_next. False: malformed. */
bool sip_via_parse(const struct sip_msg *m, struct sip_span value, struct sip_via *via);

/*
 * Decode the next value of a walk over the Vias, without a look for its end before. SIP_NEXT_BAD: it is
 * malformed, the walk is over.
 */
enum sip_next sip_via_next(const struct sip_msg *m, struct sip_list *it, struct sip_via *via);

/* First Via value of the message. False: none or malformed. */
bool sip_via_top(const struct sip_msg *m, struct sip_via *via);

/* Algorithms of overload control (RFC 7339 4.2, RFC 7415 3.1). */
#define SIP_OC_LOSS  1
#define SIP_OC_RATE  2
#define SIP_OC_OTHER 4

#define SIP_OC_SEQ_UNIT 100000 /* of sip_oc.seq: "1.5" is 150000 */

/* Overload control in one Via value (RFC 7339 4). */
struct sip_oc {
	uint8_t present;   /* oc is there, with or without a value */
	uint8_t has_value; /* with one */
	uint8_t has_validity;
	uint8_t has_seq;
	uint8_t algos;        /* SIP_OC_* that are named; 0: none */
	uint8_t n_algos;      /* how many names there are */
	uint32_t value;       /* saturates at UINT32_MAX */
	uint32_t validity_ms; /* saturates likewise */
	uint64_t seq;         /* hundred-thousandths, so that ".5" is more than ".10" */
};

/*
 * Read the overload control parameters of a Via that was decoded from m. False: one of them is there twice or
 * is not what RFC 7339 9 says; *oc is then what was read so far.
 */
bool sip_oc_parse(const struct sip_msg *m, const struct sip_via *via, struct sip_oc *oc);

/* Call-ID without the white space around it (RFC 3261 20.8). Absent (off 0) if none or empty. */
struct sip_span sip_call_id(const struct sip_msg *m);

struct sip_cseq {
	uint32_t number;             /* < 2^31 (RFC 3261 8.1.1.5) */
	uint8_t method;              /* enum method */
	struct sip_span method_text; /* token */
};

/* CSeq (RFC 3261 20.16). False: none, out of range or malformed. */
bool sip_cseq_parse(const struct sip_msg *m, struct sip_cseq *cseq);

/* An address header's value: name-addr or addr-spec with parameters (RFC 3261 20.10). */
struct sip_party {
	struct sip_span uri; /* without < > */
	struct sip_span tag; /* value of the tag parameter; absent: off 0 */
	uint16_t end;        /* first byte after the value: where a parameter can be added */
};

/*
 * Decode one From, To, Contact, Route or Record-Route value. The URI is not looked into.
 * False: unbalanced quotes or brackets, a bare comma in the display name, no URI.
 */
bool sip_party_parse(const struct sip_msg *m, struct sip_span value, struct sip_party *party);

/*
 * The tag of From or To where the row ends with ">;tag=" and a token of at most 26 bytes, read from there:
 * what is before it is neither looked at nor decoded, party->uri is absent. False: it ends otherwise.
 */
bool sip_tag_last(const struct sip_msg *m, enum sip_hdr id, struct sip_party *party);

/* First (for From and To: the only) value of header id as sip_party. False: none or malformed. */
bool sip_party_first(const struct sip_msg *m, enum sip_hdr id, struct sip_party *party);

enum sip_scheme {
	SIP_SCHEME_OTHER,
	SIP_SCHEME_SIP,
	SIP_SCHEME_SIPS,
	SIP_SCHEME_TEL,
	SIP_SCHEME_SOS /* urn:service:sos and what is below it (RFC 5031); nothing else is filled in */
};

/* A URI taken apart (RFC 3261 19.1, RFC 3966), no unescaping. */
struct sip_uri {
	uint8_t scheme;          /* enum sip_scheme; of OTHER nothing else is filled in */
	uint8_t lr;              /* has the lr parameter (RFC 3261 19.1.1) */
	uint8_t other_transport; /* has a transport parameter that is not udp */
	uint8_t has_headers;     /* has a ?header part: not allowed in a Request-URI */
	uint16_t port;           /* 0 = not given */
	struct sip_span user;   /* user with its own ;parameters, without password; the number of a tel URI */
	struct sip_span host;   /* IPv6 without brackets; absent in a tel URI */
	struct sip_span maddr;  /* value of the maddr parameter; off 0 = absent */
	struct sip_span params; /* from the first ';' after the host (of a tel URI: number); off 0 = none */
};

/* Take a URI apart. False: malformed (an unknown scheme is not). uri: any span, e.g. m->uri or party.uri. */
bool sip_uri_parse(const struct sip_msg *m, struct sip_span uri, struct sip_uri *out);

/*
 * Literal IPv4 or IPv6 host (brackets optional) and port as an address. False: a name, or malformed.
 * port: host byte order, stored as given. ":::" counts as "::" (RFC 5118 4.10); an IPv4-mapped address is the
 * IPv4 address (4.9, RFC 4291 2.5.5.2).
 */
bool sip_host_addr(struct str host, uint16_t port, struct addr *out);

/* A target of a redirect (RFC 3261 20.10). */
struct sip_contact {
	struct sip_span uri;
	uint16_t q;      /* thousandths; 1000 if it says nothing */
	uint8_t expired; /* expires=0 */
};

/*
 * The first `max` Contacts that can be read and have not expired, the best q first, equal ones as they stand.
 * Returns their number.
 */
unsigned sip_contacts(const struct sip_msg *m, struct sip_contact *out, unsigned max);

/* True if Require names the option tag (RFC 3261 20.32). */
bool sip_requires(const struct sip_msg *m, struct str tag);

/* A header whose value is one small number. */
struct sip_number {
	uint8_t present;      /* 0: no such header */
	uint32_t value;       /* saturates at UINT32_MAX */
	struct sip_span text; /* the digits, to replace them */
};

/* Number of header id (Max-Forwards, Max-Breadth, Content-Length). False: there, but not a plain number. */
bool sip_number_parse(const struct sip_msg *m, enum sip_hdr id, struct sip_number *out);

/* Seconds of Session-Expires (RFC 4028 4), its parameters aside; 0: none, or not readable. */
uint32_t sip_session_expires(const struct sip_msg *m);

/*
 * Seconds of Retry-After (RFC 3261 20.33), its comment and parameters aside. 0: none, twice there, or not a
 * whole number in 1 .. 2^31 - 1.
 */
uint32_t sip_retry_after(const struct sip_msg *m);

/* The first cause, 1..127, that a Reason gives for protocol Q.850 (RFC 3326 2). 0: none. */
uint16_t sip_q850(const struct sip_msg *m);

/*
 * The first `max` values of Resource-Priority that are "namespace.priority" (RFC 4412 3.1); others are
 * passed over. Returns their number.
 */
unsigned sip_resources(const struct sip_msg *m, struct str *out, unsigned max);

/* The Call-ID in Replaces (RFC 3891 6.1). Absent (off 0) if there is none. */
struct sip_span sip_replaces(const struct sip_msg *m);

/* ---- check ---- */

#define SIP_FIRST_ROUTES 4

/* What the path needs of every message; filled by sip_check. */
struct sip_fields {
	struct sip_via via;      /* top Via value */
	struct sip_span call_id; /* without white space around */
	struct sip_cseq cseq;
	struct sip_party from, to;      /* of a response, or with a To tag: perhaps no more than the tags */
	struct sip_uri uri;             /* of the Request-URI; zero in a response */
	struct sip_number max_forwards; /* zero in a response */
	struct sip_number max_breadth;  /* zero in a response */
	uint8_t n_routes;               /* entries of route[] */
	struct sip_span
		route[SIP_FIRST_ROUTES]; /* URIs of the first Route values, as far as there are so many */
};

/*
 * Decide if a message of verdict SIP_GOOD may be forwarded: the syntax of the parts a proxy uses (RFC 3261
 * 16.3, RFC 4475, RFC 5118), mandatory and duplicate headers, URI scheme (known: sip, sips, tel,
 * urn:service:sos), Max-Forwards 0, Max-Breadth 0, Proxy-Require. Unused malformed parts pass. f: filled as
 * far as decoded; complete for SIP_FAULT_NONE, SIP_FAULT_TOO_MANY_HOPS and SIP_FAULT_EXTENSION (the caller
 * may still answer an OPTIONS of its own with 200). A request with a fault is answered (never an ACK), a
 * response with a fault is dropped: by the caller. The caller adds sip_unsupported() to the reply for
 * SIP_FAULT_EXTENSION.
 */
enum sip_fault sip_check(const struct sip_msg *m, struct sip_fields *f);

/*
 * Write "Unsupported: tag, tag\r\n" with all option tags of Proxy-Require (RFC 3261 8.2.2.3).
 * Bytes written; 0 if there is none or cap is too small.
 */
uint32_t sip_unsupported(const struct sip_msg *m, char *out, uint32_t cap);

/* ---- edits ---- */

/* Take del bytes away at off, put text there. */
struct sip_edit {
	uint16_t off;    /* bytes from sip_msg.base */
	uint16_t del;    /* bytes; 0 = insert only */
	struct str text; /* must live until sip_apply; may be empty */
};

/* Changes to one message, sorted by offset. Start from zero ({ 0 }). */
struct sip_edits {
	uint8_t n;
	uint8_t failed; /* more than LIMIT_EDITS, or overlapping: sip_apply gives 0 */
	struct sip_edit e[LIMIT_EDITS];
};

/* Add a change. At the same offset the one added first comes first. Overlaps set list->failed. */
void sip_edits_add(struct sip_edits *list, uint32_t off, uint32_t del, struct str text);

/*
 * Add the changes that take away the first n values of header id (Via or Route pop), whole rows where
 * nothing is left in them. Returns how many values were taken (fewer if there are fewer, or at the first
 * malformed one).
 */
unsigned sip_edits_pop(const struct sip_msg *m, enum sip_hdr id, unsigned n, struct sip_edits *list);

/*
 * Add the change that takes away the last value of header id, its whole row if nothing else is in it.
 * False: there is none, or a malformed one before it.
 */
bool sip_edits_pop_last(const struct sip_msg *m, enum sip_hdr id, struct sip_edits *list);

/*
 * Add the changes that take the overload control parameters of RFC 7339 out of a Via of m and put `text`
 * (";oc=..." or nothing) at its end. A Via that has more than four places of them keeps the rest.
 */
void sip_edits_oc(const struct sip_msg *m, const struct sip_via *via, struct str text,
		  struct sip_edits *list);

/*
 * Add the changes for a response whose first Via, `first`, is taken away: the next one gets `text` in place
 * of its own overload control, and none of those below keeps any (RFC 7339 5.4), as far as there are edits
 * left.
 */
void sip_edits_oc_below(const struct sip_msg *m, const struct sip_via *first, struct str text,
			struct sip_edits *list);

#define SIP_RECEIVED_TEXT 72 /* bytes of text for received and rport */

/*
 * Add the changes that note in the top Via where a request came from (RFC 3261 18.2.1, RFC 3581 4):
 * rport gets the source port (a value that is there already is overwritten); received is set if there is
 * rport or sent-by is not the source's address, and a received that came in never stays.
 * via: m's top Via. src: source address and port (where the request came from). text: the caller's, must live
 * until sip_apply.
 */
void sip_edits_received(const struct sip_msg *m, const struct sip_via *via, const struct addr *src,
			char text[SIP_RECEIVED_TEXT], struct sip_edits *list);

/*
 * Copy m with the changes to out (must not overlap m). Bytes written; 0 if cap is too small, or the list
 * has failed or reaches past the message.
 */
uint32_t sip_apply(const struct sip_msg *m, const struct sip_edits *list, char *out, uint32_t cap);

/* ---- replies ---- */

struct sip_reply {
	uint16_t status;   /* 100..699 */
	struct str reason; /* phrase */
	struct str to_tag; /* added to To if it has none (RFC 3261 8.2.6.2); empty = add none (100) */
	struct str extra;  /* whole header lines, each with CRLF; may be empty */
	struct addr src;   /* where the request came from; for received and rport of the top Via */
	const struct sip_fields *fields; /* what sip_check() filled for SIP_FAULT_NONE; NULL: not at hand */
	struct str oc;   /* overload control for the top Via, in place of its own; empty: as it is */
	struct str nice; /* as extra, but nobody needs it */
	bool brief; /* if the reply would be longer than the request, it goes without what is only nice: that,
		       the reason phrase (RFC 3261 25.1 allows none) and Content-Length (18.3: the datagram's
		       end) */
};

/*
 * Write a reply to request m (RFC 3261 8.2.6): all Vias in order, the top one with received and rport as
 * above; From, To, Call-ID, CSeq, in a 100 Timestamp; extra; Content-Length: 0. Works for SIP_FAULTY
 * requests: what is missing is left out, folds are unfolded, rows that would break the reply's framing
 * cannot. Bytes written; 0 if cap is too small, m is a response or an ACK, or m has no Via. A brief reply is
 * at most SIP_REPLY_GROWS and `extra` longer than its request, and not longer at all than one that has as
 * many bytes beside its start line and what is copied.
 */
#define SIP_REPLY_GROWS (SIP_RECEIVED_TEXT + sizeof(";tag=") - 1 + LIMIT_TAG)
uint32_t sip_reply_write(const struct sip_msg *m, const struct sip_reply *reply, char *out, uint32_t cap);

/* ---- requests for one hop ---- */

struct sip_hop {
	enum method method; /* METHOD_CANCEL or METHOD_ACK */
	struct str via;     /* value of the one Via: that of the INVITE as it was sent */
	const struct sip_edits
		*edits; /* what the Request-URI and the Route rows of the INVITE were sent with */
	const struct sip_msg *response; /* ACK: the final that is acknowledged, for its To; CANCEL: NULL */
};

/*
 * Write the CANCEL of an INVITE (RFC 3261 9.1), or the ACK to a non-2xx final (17.1.1.3).
 * invite: as received. Bytes written; 0 if cap is too small or the INVITE has no CSeq.
 */
uint32_t sip_hop_write(const struct sip_msg *invite, const struct sip_hop *hop, char *out, uint32_t cap);

/* ---- texts ---- */

#define SIP_ADDR_TEXT 56 /* bytes that hold any address with brackets and port */

/* "192.0.2.1" or "2001:db8::1", as in received=. Bytes written, no NUL. */
uint32_t sip_ip_text(const struct addr *a, char out[SIP_ADDR_TEXT]);

/* "192.0.2.1:5060" or "[2001:db8::1]:5060", as in sent-by and URIs; no port if it is 0. Bytes, no NUL. */
uint32_t sip_hostport_text(const struct addr *a, char out[SIP_ADDR_TEXT]);

/* Decimal text of v. Bytes written (1..10), no NUL. */
uint32_t sip_number_text(uint32_t v, char out[10]);

/* Method of a token, byte by byte (RFC 3261 7.1); METHOD_OTHER if it is none of conf/methods.def. */
enum method sip_method(struct str token);

/* Text of a method; empty for METHOD_OTHER. */
struct str sip_method_text(enum method method);

#endif
