# SPDX-License-Identifier: BSD-3-Clause
"""Single messages, byte by byte: what Weir changes, what it refuses, what it drops, what a token is worth (A6, A7, A9)."""
import re

import pytest

from conftest import WEIR, pool
from lab.net import until
from lab.wire import SDP, Call, Message

CONFIG = """
peers:
  callers: { from: [192.0.2.8/29, "2001:db8:1::/64"] }
pools:
""" + pool("raw", 5301, hosts=(21,)) + "\n" + pool("spiral", 5302, hosts=(22,)) + "\n" \
    + pool("raw6", 5303, hosts=(23,), v6=True) + "\n" + pool("trunk", 5304, hosts=(12,), side="callers") + """
routes:
  - { match: { from: callers, number: "+82" }, pool: raw }
  - { match: { from: callers, number: "+86" }, pool: raw6 }
  - { match: { from: raw, number: "+99" }, pool: spiral }
  - { match: { from: raw, number: "+33" }, pool: trunk }
  - { match: { number: "+404" }, answer: 480 }
  - { match: { host: here.test }, pool: raw }
"""
URI = "sip:+82105551234@pstn.test"


@pytest.fixture
def gateway(family):
    peer = family.peer("gateways", 21, 5301)
    yield peer
    unexpected = [m for m in peer.pending() if m.method != "ACK"]
    peer.end_calls()
    assert not unexpected, "the gateway saw more than the test accounts for"


def counted(family, reason, by=1):
    """A context in which exactly `by` messages end for this reason."""
    class Counted:
        def __enter__(self):
            self.before = family.weir.ended(reason)

        def __exit__(self, *error):
            if not error[0]:
                until(lambda: family.weir.ended(reason) >= self.before + by, 3, f"{reason} not counted")
                assert family.weir.ended(reason) == self.before + by
    return Counted()


# ---- what a forwarded request looks like

def test_request_is_changed_where_it_must_be_and_nowhere_else(family, caller, gateway):
    extra = "X-Odd:  two  spaces \nx-folded: a\n b\nSubject: x\nAllow: INVITE\nAllow: ACK, BYE\n"
    text = caller.make("INVITE", URI, extra, body=SDP).replace("\r\n", "\n").replace("\n", "\r\n")
    caller.send(text)
    seen = gateway.request("INVITE")
    ours, theirs = seen.all("via")
    assert ours.startswith("SIP/2.0/UDP 198.51.100.10:5060;") or ours.startswith("SIP/2.0/UDP 198.51.100.10;")
    assert seen.via_param("branch").startswith("z9hG4bK")
    assert seen.via_param("received", 1) == "192.0.2.11" and seen.via_param("rport", 1) == str(caller.port)
    assert seen.get("max-forwards") == "69" and seen.get("max-breadth") == "60"
    assert seen.source == WEIR["gateways", False]
    routes = seen.all("record-route")
    assert len(routes) == 2 and all(";lr" in r for r in routes), "one Record-Route for each side's listener"
    assert "198.51.100.10" in routes[0] and "192.0.2.10" in routes[1]
    assert sum("@" in r for r in routes) == 1, "only one carries the token"
    # What is left when our own lines are taken out is what came in, byte for byte.
    mine = ("via", "record-route", "max-forwards", "max-breadth")

    def rest(data):
        return [line for line in re.split(rb"\r\n(?! )", data) if line.split(b":")[0].lower().decode() not in mine]
    assert rest(seen.data) == rest(text.encode())


def test_response_is_forwarded_without_our_via(family, caller, gateway):
    caller.send(caller.make("OPTIONS", URI))
    request = gateway.request("OPTIONS")
    gateway.answer(request, 200, "OK", "X-Odd:  two  spaces \nAccept: a\n b", "body\r\n\r\n", tag="t")
    response = caller.response(200)
    assert len(response.all("via")) == 1 and response.via_param("rport") == str(caller.port)
    assert response.body == b"body\r\n\r\n" and b"X-Odd:  two  spaces \r\nAccept: a\r\n b\r\n" in response.data
    assert response.source == WEIR["callers", False]


@pytest.mark.flow("A6")
@pytest.mark.parametrize("uri", [
    "sip:+82105551234@pstn.test;user=phone", "sip:+82-10-(555).1234@pstn.test", "tel:+82-10-555-1234",
    "sip:+82105551234;npdi;rn=+8210@pstn.test;user=phone", "sip:bob@HERE.test",
    "sip:here.test", "sip:bob:secret@here.test:5070;transport=udp",
])
def test_routed_by_number_or_host(family, caller, gateway, uri):
    """A6: what is only for the eye does not count, and the Request-URI leaves as it came."""
    caller.send(caller.make("INVITE", uri))
    assert gateway.request("INVITE").uri == uri


@pytest.mark.flow("A7")
def test_max_forwards_is_added_when_missing(family, caller, gateway):
    caller.send(caller.make("OPTIONS", URI, forwards=""))
    assert gateway.request("OPTIONS").get("max-forwards") == "70"


@pytest.mark.parametrize("came, goes", [("100", "60"), ("60", "60"), ("7", "7")])
def test_max_breadth_is_bounded(family, caller, gateway, came, goes):
    caller.send(caller.make("INVITE", URI, f"Max-Breadth: {came}\n"))
    assert gateway.request("INVITE").get("max-breadth") == goes


@pytest.mark.flow("C6")
def test_retransmission_cancel_and_ack_share_the_branch(family, caller, gateway):
    """RFC 3261 9.1, 17.1.1.3: what is made for one hop is of the transaction that the INVITE began there."""
    via = f"SIP/2.0/UDP {caller.hostport};branch=z9hG4bK-same;rport"
    invite = caller.make("INVITE", URI, via=via)
    parts = dict(via=via, call_id=re.search("Call-ID: (.*)", invite).group(1), frm=re.search("From: (.*)", invite).group(1))
    caller.send(invite)
    first = gateway.request("INVITE")
    caller.response(100)
    caller.send(invite)
    assert caller.response(100)
    assert gateway.request("INVITE").data == first.data, "Timer A"
    gateway.answer(first, 180, tag="t")
    caller.response(180)
    caller.send(caller.make("CANCEL", URI, cseq="1 CANCEL", contact="", **parts))
    assert caller.response(200).get("cseq") == "1 CANCEL"
    cancel = gateway.request("CANCEL")
    assert cancel.via_param("branch") == first.via_param("branch") and len(cancel.all("via")) == 1
    gateway.answer(cancel, 200, tag="t")
    gateway.answer(first, 487, tag="t")
    assert gateway.request("ACK").via_param("branch") == first.via_param("branch")
    caller.response(487)
    caller.send(caller.make("ACK", URI, cseq="1 ACK", to=f"<{URI}>;tag=t", contact="", **parts))


def test_branch_is_stable_without_cookie(family, caller, gateway):
    """A client of RFC 2543: no branch, no From tag; INVITE, retransmission and ACK still belong together."""
    parts = dict(via=f"SIP/2.0/UDP {caller.hostport}", frm="<sip:old@callers.test>", call_id="old-client@callers.test")
    caller.send(caller.make("INVITE", URI, **parts))
    first = gateway.request("INVITE")
    caller.response(100)
    caller.send(caller.make("INVITE", URI, **parts))
    caller.response(100)
    gateway.answer(first, 486, tag="t")
    assert gateway.request("ACK").via_param("branch") == first.via_param("branch")
    caller.response(486)
    with counted(family, "ack"):
        caller.send(caller.make("ACK", URI, cseq="1 ACK", to=f"<{URI}>;tag=t", contact="", **parts))


def test_compact_forms_and_folding(family, caller, gateway):
    text = (f"INVITE {URI} SIP/2.0\nv: SIP/2.0/UDP\n {caller.hostport};branch=z9hG4bKfold\n ;rport\nf: <sip:a@b.test>\n"
            f" ;tag=1\nt: <{URI}>\ni: compact-1@callers.test\nCSeq: 1\n INVITE\nm: <sip:a@{caller.hostport}>\nl: 0\n\n")
    caller.send(text)
    seen = gateway.request("INVITE")
    assert seen.get("call-id") == "compact-1@callers.test" and len(seen.all("via")) == 2
    gateway.answer(seen, 486, tag="t")
    assert caller.response(486)


# ---- NAT (RFC 3581)

@pytest.mark.flow("A9")
def test_response_goes_to_the_source_with_rport(family, caller, gateway):
    caller.send(caller.make("OPTIONS", URI, via="SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKnat;rport"))
    seen = gateway.request("OPTIONS")
    assert seen.via_param("received", 1) == "192.0.2.11" and seen.via_param("rport", 1) == str(caller.port)
    gateway.answer(seen, 200, tag="t")
    assert caller.response(200)


@pytest.mark.flow("A9")
def test_response_goes_to_the_sent_by_port_without_rport(family, caller, gateway):
    """RFC 3261 18.2.2: to `received` and the port of sent-by."""
    listening = family.peer("callers", 11)
    caller.send(caller.make("OPTIONS", URI, via=f"SIP/2.0/UDP phone.test:{listening.port};branch=z9hG4bKnorport"))
    seen = gateway.request("OPTIONS")
    assert seen.via_param("received", 1) == "192.0.2.11" and seen.via_param("rport", 1) is None
    gateway.answer(seen, 200, tag="t")
    assert listening.response(200)


@pytest.mark.flow("A9")
def test_spoofed_received_is_replaced(family, caller, gateway):
    via = f"SIP/2.0/UDP {caller.hostport};branch=z9hG4bKspoof;received=203.0.113.9;rport"
    caller.send(caller.make("OPTIONS", URI, via=via))
    seen = gateway.request("OPTIONS")
    assert seen.via_param("received", 1) == "192.0.2.11" and "203.0.113.9" not in repr(seen)


@pytest.mark.flow("A9")
def test_request_to_a_caller_behind_nat_uses_its_flow(family, caller, gateway):
    call = Call(caller, gateway, URI, via="SIP/2.0/UDP 10.1.2.3:5060;branch=z9hG4bKnat2;rport")
    gateway.send(call.from_gateway("BYE", uri="sip:phone@10.1.2.3:5060"))
    assert caller.request("BYE").uri == "sip:phone@10.1.2.3:5060"


@pytest.mark.flow("A9")
@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\r\n", b"\0\0\0\0"])
def test_keepalive_is_ignored(family, caller, data):
    with counted(family, "keepalive"):
        caller.send(data)


# ---- requests in a dialog

def test_dialog_from_both_sides(family, caller, gateway):
    call = Call(caller, gateway, URI)
    caller.send(call.from_caller("INFO"))
    info = gateway.request("INFO")
    assert not info.all("route"), "both of our Route values are popped"
    assert info.uri == call.b_contact
    gateway.answer(info, 200)
    assert caller.response(200)
    gateway.send(call.from_gateway("BYE"))
    bye = caller.request("BYE")
    assert not bye.all("route") and bye.uri == call.a_contact and bye.source == WEIR["callers", False]
    caller.answer(bye, 200)
    assert gateway.response(200)


def test_further_route_is_kept(family, caller, gateway):
    """Only what is ours is popped; the gateway of the token is the next hop in any case."""
    call = Call(caller, gateway, URI)
    beyond = f"<sip:{gateway.hostport};lr>"
    caller.send(call.from_caller("INFO", call.a_routes + [beyond]))
    assert gateway.request("INFO").all("route") == [beyond]


def test_strict_router_before_us(family, caller, gateway):
    """RFC 3261 16.4: our own URI in the Request-URI, the real target as the last Route."""
    call = Call(caller, gateway, URI)
    own = [re.search("<(.*)>", route).group(1) for route in call.a_routes]
    caller.send(call.from_caller("INFO", call.a_routes[1:] + [f"<{call.b_contact}>"], uri=own[0]))
    info = gateway.request("INFO")
    assert info.uri == call.b_contact and not info.all("route")


def changed(token):
    """The token with one character of its middle replaced."""
    middle = len(token) // 2
    return token[:middle] + ("b" if token[middle] == "a" else "a") + token[middle + 1:]


def test_guessed_token_is_worth_nothing(family, caller, gateway):
    call = Call(caller, gateway, URI)
    token = next(re.search("sip:([^@]*)@", r).group(1) for r in call.a_routes if "@" in r)
    before = family.weir.metric("weir_tokens_bad_total")
    routes = [route.replace(token, changed(token)) for route in call.a_routes]
    caller.send(call.from_caller("INFO", routes, to=f"<{URI}>;tag=other", call_id="guessed@callers.test"))
    assert caller.response().status == 481
    until(lambda: family.weir.metric("weir_tokens_bad_total") == before + 1, 2, "not counted")


def test_replayed_token_is_worth_nothing(family, caller, gateway):
    """The MAC covers the Call-ID: a true token in another call counts as none."""
    call = Call(caller, gateway, URI)
    before = family.weir.metric("weir_tokens_bad_total")
    caller.send(call.from_caller("INFO", call_id="replayed@callers.test"))
    assert caller.response().status == 481
    until(lambda: family.weir.metric("weir_tokens_bad_total") == before + 1, 2, "not counted")


def test_token_does_not_open_a_new_call(family, caller, gateway):
    """Without a To tag a token exempts from nothing: the routes decide, and here they say 480."""
    call = Call(caller, gateway, URI)
    uri = "sip:+404@pstn.test"
    caller.send(call.from_caller("INVITE", uri=uri, to=f"<{uri}>", frm="<sip:x@callers.test>;tag=new", cseq="1 INVITE"))
    assert caller.response().status == 480


def test_caller_cannot_be_sent_to_anywhere(family, caller, gateway):
    """No open relay: a Route or Request-URI of the gateway's choosing does not lead away from the caller's flow."""
    call = Call(caller, gateway, URI)
    stranger = family.peer("callers", 17)
    gateway.send(call.from_gateway("INFO", uri=f"sip:x@{stranger.hostport}"))
    info = caller.request("INFO")
    assert info.uri == f"sip:x@{stranger.hostport}" and not stranger.pending()


# ---- refusals

def raw(caller, **changes):
    """A whole good OPTIONS whose lines can be replaced or left out (None)."""
    lines = {"start": f"OPTIONS {URI} SIP/2.0", "Via": f"SIP/2.0/UDP {caller.hostport};branch=z9hG4bKbad;rport",
             "From": "<sip:a@callers.test>;tag=1", "To": f"<{URI}>", "Call-ID": "bad@callers.test", "CSeq": "9 OPTIONS",
             "Max-Forwards": "70", "Content-Length": "0"} | changes
    return "\n".join(value if name == "start" else f"{name}: {value}"
                     for name, value in lines.items() if value is not None) + "\n\n"


@pytest.mark.flow("A6", "A7")
@pytest.mark.parametrize("status, changes", [
    (400, {"CSeq": "4294967296 OPTIONS"}),
    (400, {"CSeq": "9 INVITE"}),
    (400, {"Call-ID": None}),
    (400, {"From": None}),
    (400, {"To": '"unclosed <sip:x@pstn.test>'}),
    (400, {"Content-Length": "9999"}),
    (400, {"Content-Length": "-1"}),
    (400, {"To": f"<{URI}>\nTo: <{URI}>"}),
    (400, {"start": "OPTIONS sip:@pstn.test SIP/2.0"}),
    (400, {"start": f"OPTIONS <{URI}> SIP/2.0"}),
    (416, {"start": "OPTIONS soap:+82105551234@pstn.test SIP/2.0"}),
    (483, {"Max-Forwards": "0"}),
    (505, {"start": f"OPTIONS {URI} SIP/7.0"}),
    (440, {"Max-Breadth": "0"}),
    (480, {"start": "OPTIONS sip:+4041@pstn.test SIP/2.0"}),
    (404, {"start": "OPTIONS sip:+7@pstn.test SIP/2.0"}),
])
def test_refused(family, caller, gateway, status, changes):
    caller.send(raw(caller, **changes))
    answer = caller.response()
    assert answer.status == status and answer.reason
    assert answer.via_param("rport") == str(caller.port) and answer.source == WEIR["callers", False]
    if "Call-ID" not in changes:
        assert answer.get("call-id") == "bad@callers.test"
    if "To" not in changes:
        assert answer.tag("to")


def test_unsupported_extensions_are_named(family, caller, gateway):
    caller.send(raw(caller, **{"Proxy-Require": "nothingSupportsThis, norThis"}))
    answer = caller.response(420)
    assert answer.all("unsupported") == ["nothingSupportsThis", "norThis"]


def test_same_request_gets_the_same_tag(family, caller, gateway):
    tags = set()
    for _ in range(2):
        caller.send(raw(caller, **{"Max-Forwards": "0"}))
        tags.add(caller.response(483).tag("to"))
    assert len(tags) == 1


def test_ack_of_a_refusal_is_absorbed(family, caller, gateway):
    invite = caller.make("INVITE", "sip:+4042@pstn.test")
    caller.send(invite)
    refusal = caller.response(480)
    via, frm, call_id = (re.search(f"{name}: (.*)", invite).group(1) for name in ("Via", "From", "Call-ID"))
    with counted(family, "ack"):
        caller.send(caller.make("ACK", "sip:+4042@pstn.test", via=via, frm=frm, call_id=call_id, to=refusal.get("to"),
                                cseq="1 ACK", contact=""))


def test_faulty_ack_is_never_answered(family, caller, gateway):
    with counted(family, "ack-faulty"):
        caller.send(raw(caller, start=f"ACK {URI} SIP/2.0", CSeq="x ACK"))
    assert not caller.pending()


@pytest.mark.flow("A7")
def test_loop_is_told_from_a_spiral(family, caller, gateway):
    """RFC 5393: unchanged 482, with another Request-URI it passes."""
    caller.send(caller.make("INVITE", URI))
    seen = gateway.request("INVITE")

    def back(uri):
        text = repr(seen).replace("\r\n", "\n")
        start, rest = text.split("\n", 1)
        return f"INVITE {uri} SIP/2.0\nVia: SIP/2.0/UDP {gateway.hostport};branch=z9hG4bKback{len(uri)}\n{rest}"
    gateway.send(back(URI))
    assert gateway.response().status == 482
    second = family.peer("gateways", 22, 5302)
    gateway.send(back("sip:+99105551234@pstn.test"))
    assert second.request("INVITE").uri == "sip:+99105551234@pstn.test"


def test_too_long_for_a_frame(family, caller, gateway):
    """It arrives in one frame, but with our Via and Record-Route it would not leave in one."""
    text = caller.make("INVITE", URI, "Subject: " + "x" * (1380 - len(caller.make("INVITE", URI))) + "\n")
    caller.send(text)
    assert caller.response().status == 513


# ---- drops

def test_unknown_source_is_dropped(family):
    stranger = family.peer("callers", 17)
    with counted(family, "unknown-source"):
        stranger.send(stranger.make("OPTIONS", URI))
    assert not stranger.pending()


@pytest.mark.parametrize("data", [b"hello, is anybody there?", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes(range(200))])
def test_no_sip_is_dropped(family, caller, data):
    with counted(family, "not-sip"):
        caller.send(data)
    assert not caller.pending()


def test_response_that_is_not_ours_is_dropped(family, caller, gateway):
    """A true branch of Weir's with one bit of it changed, and a Via of somebody else."""
    caller.send(caller.make("OPTIONS", URI))
    request = gateway.request("OPTIONS")
    branch = request.via_param("branch")
    with counted(family, "response-bad-mac"):
        gateway.answer(forged(request, branch, changed(branch)), 200, tag="t", to=WEIR["gateways", False])
    with counted(family, "response-not-ours"):
        gateway.answer(forged(request, "198.51.100.10", "203.0.113.1"), 200, tag="t", to=WEIR["gateways", False])
    gateway.answer(request, 200, tag="t")
    assert caller.response(200) and not caller.pending()


def forged(request, part, other):
    return Message(request.data.replace(part.encode(), other.encode(), 1))


# ---- requests for Weir itself

@pytest.mark.flow("G9")
@pytest.mark.parametrize("v6", [False, True])
def test_options_to_weir(family, v6):
    caller = family.peer("callers", 11, v6=v6)
    host = "[2001:db8:1::10]" if v6 else "192.0.2.10"
    caller.send(caller.make("OPTIONS", f"sip:{host}:5060"))
    answer = caller.response(200)
    assert "INVITE" in answer.get("allow") and answer.get("supported") is not None and answer.tag("to")


# ---- the other address family

@pytest.mark.flow("A8")
def test_via_and_record_route_speak_each_side_s_family(family, caller):
    """A8: an IPv4 caller, an IPv6 gateway."""
    gateway = family.peer("gateways", 23, 5303, v6=True)
    call = Call(caller, gateway, "sip:+86105551234@pstn.test")
    assert call.invite.all("via")[0].startswith("SIP/2.0/UDP [2001:db8:2::10]")
    routes = call.invite.all("record-route")
    assert "[2001:db8:2::10]" in routes[0] and "192.0.2.10" in routes[1]
    gateway.send(call.from_gateway("BYE"))
    bye = caller.request("BYE")
    assert not bye.all("route") and bye.all("via")[0].startswith("SIP/2.0/UDP 192.0.2.10")
    caller.answer(bye, 200)
    assert gateway.response(200)
