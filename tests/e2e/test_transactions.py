# SPDX-License-Identifier: BSD-3-Clause
"""
What Weir does with an INVITE hop by hop (RFC 3261 figures 5 and 7, RFC 6026): its own 100, repeats, ACK, CANCEL at
every moment, time-outs. Raw end points, because sipp would not do what is wrong or late here. T1 is 50 ms.
"""
import time

import pytest

from conftest import pool
from lab.net import until
from lab.wire import SDP, Call, Setup

T1 = 0.05
ONE = {"failover": "{ attempts: 1 }"}
CONFIG = """
timers: { t1: 50ms, t2: 200ms, t4: 250ms, b: 1200ms, c: 1s, d: 3s, release: 3s, pin: 2s }
peers:
  callers: { from: [192.0.2.8/29, "2001:db8:1::/64"] }
pools:
""" + pool("one", 6001, hosts=(21,), **ONE) + "\n" + pool("six", 6002, hosts=(21,), v6=True, **ONE) + """
routes:
  - { match: { number: "+1" }, pool: one }
  - { match: { number: "+6" }, pool: six }
"""

URI = "sip:+15551234@pstn.test"


@pytest.fixture
def gateway(family):
    return family.peer("gateways", 21, 6001)


def statuses(wire, setup, peer, since=0):
    """Status codes of the INVITE that reached this end point."""
    return [m.status for m in wire.of(setup.call_id)[since:]
            if m.dst == (peer.ip, peer.port) and m.status and m.get("cseq").endswith("INVITE")]


def requests(wire, setup, peer, method):
    return [m for m in wire.of(setup.call_id) if m.dst == (peer.ip, peer.port) and m.method == method]


def quiet(wire, setup, seconds=6 * T1):
    """Nothing more of this call is on the wire for so long."""
    count, end = len(wire.of(setup.call_id)), time.monotonic() + seconds
    while time.monotonic() < end:
        if len(wire.of(setup.call_id)) != count:
            count, end = len(wire.of(setup.call_id)), time.monotonic() + seconds
        time.sleep(T1 / 5)


def settled(wire, setup, peer, method, want):
    """So many requests of a method reached this end point, and no more follow."""
    until(lambda: len(requests(wire, setup, peer, method)) >= want, 3, f"fewer than {want} {method}")
    quiet(wire, setup)
    assert len(requests(wire, setup, peer, method)) == want


# ---- 100 and repeats

@pytest.mark.parametrize("v6", [False, True])
def test_c1_the_100_is_weir_s_own(family, wire, v6):
    caller, gateway = family.peer("callers", 11, v6=v6), family.peer("gateways", 21, 6002 if v6 else 6001, v6)
    setup = Setup(caller, "sip:+65551234@pstn.test" if v6 else URI)
    trying = caller.receive(where=lambda m: m.status == 100)
    assert trying.tag("to") is None and trying.get("call-id") == setup.call_id and trying.via_param("branch") == setup.branch
    invite = gateway.request("INVITE")
    gateway.answer(invite, 100, "Trying")
    gateway.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    gateway.answer(invite, 486, "Busy Here", tag="b")
    setup.ack(caller.response(486))
    quiet(wire, setup)
    assert statuses(wire, setup, caller) == [100, 180, 486]


def test_c1_a_repeated_invite_goes_no_further(wire, caller, gateway):
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    gateway.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    setup.repeat()
    until(lambda: statuses(wire, setup, caller)[-1] == 100, 3, "a repeated INVITE was not answered")
    assert len(requests(wire, setup, gateway, "INVITE")) == 1
    gateway.answer(invite, 200, "OK", tag="b")
    ok = caller.response(200)
    setup.repeat()  # accepted (RFC 6026 7.1): absorbed
    setup.request("ACK", ok, 1)
    gateway.request("ACK")
    quiet(wire, setup)
    assert len(requests(wire, setup, gateway, "INVITE")) == 1


def test_c1_ok_is_repeated_by_b_and_passed(wire, caller, gateway):
    """No timer of Weir's repeats a 2xx (RFC 6026); what B repeats passes, and so does each ACK."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    for n in range(3):
        gateway.answer(invite, 200, "OK", tag="b")
        ok = caller.response(200)
        setup.request("ACK", ok, 1)
        gateway.request("ACK")
    quiet(wire, setup, 6 * T1)
    assert statuses(wire, setup, caller) == [100, 200, 200, 200]


def test_g11_invite_is_repeated_until_an_answer(wire, caller, gateway):
    """Timer A doubles from T1, the bytes are the same; a provisional ends it (RFC 3261 17.1.1.2)."""
    setup = Setup(caller, URI)
    first = gateway.request("INVITE")
    again = [gateway.request("INVITE") for _ in range(3)]
    assert all(m.data == first.data for m in again)
    at = [m.at for m in requests(wire, setup, gateway, "INVITE")]
    asked = wire.of(setup.call_id)[0].at
    for sent, due in zip(at[1:], (T1, 3 * T1, 7 * T1)):  # each may leave late, none early
        assert asked + 0.95 * due <= sent <= at[0] + due + 3 * T1
    gateway.answer(first, 180, "Ringing", tag="b")
    caller.response(180)
    seen = len(requests(wire, setup, gateway, "INVITE"))
    quiet(wire, setup, 10 * T1)
    assert len(requests(wire, setup, gateway, "INVITE")) == seen


def test_c6_nobody_answers(wire, caller, gateway):
    """Timer B: 408, repeated until the ACK, which goes no further."""
    setup = Setup(caller, URI)
    final = caller.response(seconds=4)
    assert final.status == 408 and final.tag("to")
    caller.response(408)
    setup.ack(final)
    quiet(wire, setup)
    assert not requests(wire, setup, gateway, "ACK")


# ---- finals that are no 2xx

@pytest.mark.parametrize("status", [302, 404, 486, 600, 603])
def test_c7_final_is_repeated_until_the_ack(wire, caller, gateway, status):
    """Timer G; the gateway's side is acknowledged at once and only once for each of its finals."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    gateway.answer(invite, status, tag="b")
    final = caller.response(status)
    ack = gateway.request("ACK")
    assert ack.via_param("branch") == invite.via_param("branch") and ack.uri == URI and len(ack.all("via")) == 1
    assert ack.get("cseq") == "1 ACK" and ack.tag("to") == "b" and ack.get("from") == invite.get("from")
    for _ in range(3):
        assert caller.response(status).data == final.data
    setup.repeat()  # completed: the final again
    caller.response(status)
    setup.ack(final)
    quiet(wire, setup)
    count = len(statuses(wire, setup, caller))
    quiet(wire, setup, 10 * T1)
    assert len(statuses(wire, setup, caller)) == count and len(requests(wire, setup, gateway, "ACK")) == 1
    gateway.answer(invite, status, tag="b")  # the ACK got lost: another, and A hears nothing
    gateway.request("ACK")
    quiet(wire, setup)
    assert len(statuses(wire, setup, caller)) == count


def test_c7_final_is_given_up(wire, caller, gateway):
    """Timer H: without an ACK the repeats end, too."""
    setup = Setup(caller, URI)
    gateway.answer(gateway.request("INVITE"), 486, "Busy Here", tag="b")
    caller.response(486)
    quiet(wire, setup, 0.6)
    took = (finals := [m.at for m in wire.of(setup.call_id) if m.status == 486 and m.dst[1] == caller.port])[-1] - finals[0]
    assert len(finals) > 10 and 2.7 <= took <= 3.1


def test_c9_contacts_are_relayed_untouched(wire, caller, gateway):
    setup = Setup(caller, URI)
    contacts = "Contact:  <sip:one@198.51.100.77:5099;x=y>;q=0.7 ,\n <sip:two@other.test>;expires=10\nContact: <tel:+1999>\n"
    text = contacts.replace("\n", "\r\n").encode()
    invite = gateway.request("INVITE")
    raw = "SIP/2.0 302 Moved\n" + "".join(
        f"{name}: {value}\n" for name, value in invite.headers if name in ("via", "from", "call-id", "cseq")) \
        + f"To: {invite.get('to')};tag=b\n{contacts}Content-Length: 0\n\n"
    gateway.send(raw, invite.source)
    final = caller.response(302)
    assert text in final.data
    assert gateway.request("ACK").via_param("branch") == invite.via_param("branch")
    setup.ack(final)
    settled(wire, setup, gateway, "ACK", 1)


def test_c8_body_and_warning_are_relayed(caller, gateway):
    setup = Setup(caller, URI)
    gateway.answer(gateway.request("INVITE"), 488, "Not Acceptable Here", 'Warning: 304 pstn.test "no  codec"\n', SDP, tag="b")
    final = caller.response(488)
    assert final.body == SDP.encode() and final.get("warning") == '304 pstn.test "no  codec"'
    setup.ack(final)


# ---- CANCEL at every moment

def ringing(caller, gateway, setup):
    invite = gateway.request("INVITE")
    gateway.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    return invite


def cancelled(gateway, invite):
    """The gateway gets a proper CANCEL and answers it as it should."""
    cancel = gateway.request("CANCEL")
    assert cancel.via_param("branch") == invite.via_param("branch") and len(cancel.all("via")) == 1
    assert cancel.uri == invite.uri and cancel.get("cseq") == "1 CANCEL" and cancel.tag("to") is None
    assert cancel.get("from") == invite.get("from") and cancel.get("call-id") == invite.get("call-id")
    gateway.answer(cancel, 200, "OK", tag="b")
    gateway.answer(invite, 487, "Request Terminated", tag="b")
    assert gateway.request("ACK").via_param("branch") == invite.via_param("branch")


def ok_to_cancel(caller):
    return caller.receive(where=lambda m: m.status == 200 and m.get("cseq").endswith("CANCEL"))


def test_c6_cancel_while_ringing(wire, caller, gateway):
    setup = Setup(caller, URI)
    invite = ringing(caller, gateway, setup)
    setup.cancel()
    ok_to_cancel(caller)
    cancelled(gateway, invite)
    final = caller.response(487)
    setup.ack(final)
    setup.ack(final)
    settled(wire, setup, gateway, "ACK", 1)
    answers = [m for m in wire.of(setup.call_id) if m.dst[1] == caller.port and (m.get("cseq") or "").endswith("CANCEL")]
    assert len(answers) == 1, "the gateway's 200 to Weir's CANCEL goes no further"


def test_c6_cancel_waits_for_a_provisional(wire, caller, gateway):
    """RFC 3261 9.1: no CANCEL before a provisional; A is told at once all the same."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    setup.cancel()
    ok_to_cancel(caller)
    until(lambda: len(requests(wire, setup, gateway, "INVITE")) >= 3, 3, "the INVITE was not repeated")
    assert not requests(wire, setup, gateway, "CANCEL")
    gateway.answer(invite, 180, "Ringing", tag="b")
    cancelled(gateway, invite)
    setup.ack(caller.response(487))


def test_c6_cancel_is_repeated(wire, caller, gateway):
    """Timer E, until the answer."""
    setup = Setup(caller, URI)
    invite = ringing(caller, gateway, setup)
    setup.cancel()
    first = gateway.request("CANCEL")
    for _ in range(2):
        assert gateway.request("CANCEL").data == first.data
    gateway.answer(first, 200, "OK", tag="b")
    time.sleep(T1)
    count = len(requests(wire, setup, gateway, "CANCEL"))
    quiet(wire, setup)
    assert len(requests(wire, setup, gateway, "CANCEL")) == count
    gateway.answer(invite, 487, "Request Terminated", tag="b")
    setup.ack(caller.response(487))


def test_c6_a_repeated_cancel_is_answered_again(wire, caller, gateway):
    setup = Setup(caller, URI)
    invite = ringing(caller, gateway, setup)
    for _ in range(2):
        setup.cancel()
        ok_to_cancel(caller)
    cancelled(gateway, invite)
    setup.ack(caller.response(487))
    settled(wire, setup, gateway, "CANCEL", 1)


def test_c6_cancel_that_brings_no_final(wire, caller, gateway):
    """64 x T1 after the CANCEL the branch is over (RFC 3261 9.1): A gets 487."""
    setup = Setup(caller, URI)
    ringing(caller, gateway, setup)
    setup.cancel()
    ok_to_cancel(caller)
    gateway.answer(gateway.request("CANCEL"), 200, "OK", tag="b")
    final = caller.response(seconds=64 * T1 + 2)
    assert final.status == 487
    setup.ack(final)


def test_c6_ok_that_crosses_the_cancel_wins(caller, gateway):
    setup = Setup(caller, URI)
    invite = ringing(caller, gateway, setup)
    setup.cancel()
    ok_to_cancel(caller)
    cancel = gateway.request("CANCEL")
    gateway.answer(invite, 200, "OK", tag="b")
    gateway.answer(cancel, 200, "OK", tag="b")
    ok = caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "1 INVITE")
    setup.request("ACK", ok, 1)
    gateway.request("ACK")
    setup.request("BYE", ok)
    gateway.answer(gateway.request("BYE"), 200, "OK")
    caller.response(200)


def test_c6_cancel_after_the_final(wire, caller, gateway):
    """It changes nothing: 200 to it, and the gateway hears nothing of it."""
    setup = Setup(caller, URI)
    gateway.answer(gateway.request("INVITE"), 486, "Busy Here", tag="b")
    final = caller.response(486)
    setup.cancel()
    ok_to_cancel(caller)
    setup.ack(final)
    quiet(wire, setup)
    assert not requests(wire, setup, gateway, "CANCEL")


def test_c6_ringing_beyond_timer_c_is_ended(caller, gateway):
    """RFC 3261 16.8: CANCEL, and what comes of it is relayed."""
    setup = Setup(caller, URI)
    invite = ringing(caller, gateway, setup)
    cancelled(gateway, invite)
    final = caller.response(seconds=3)
    assert final.status == 487
    setup.ack(final)


def test_c6_timer_c_starts_again_with_each_provisional(wire, caller, gateway):
    setup = Setup(caller, URI)
    invite = ringing(caller, gateway, setup)
    for _ in range(4):
        quiet(wire, setup, 0.5)
        gateway.answer(invite, 180, "Ringing", tag="b")
        caller.response(180)
    assert not requests(wire, setup, gateway, "CANCEL")
    gateway.answer(invite, 200, "OK", tag="b")
    ok = caller.response(200)
    setup.request("ACK", ok, 1)
    gateway.request("ACK")
    setup.request("BYE", ok)
    gateway.answer(gateway.request("BYE"), 200, "OK")
    caller.response(200)


# ---- inside the call

ICE = SDP + "".join(f"a=candidate:{n} 1 UDP 2130706431 10.0.1.{n} 8998 typ host  \r\n" for n in range(4)) \
    + "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=sendonly\r\na=fingerprint:SHA-256 \xc3\xa9\r\n\r\n\r\n"


@pytest.mark.parametrize("side", ["a", "b"])
def test_c4_bodies_are_untouched(caller, gateway, side):
    """An ICE restart, odd spaces, bytes of any kind and empty lines at the end, both ways."""
    call = Call(caller, gateway, URI)
    here, there, make = (caller, gateway, call.from_caller) if side == "a" else (gateway, caller, call.from_gateway)
    text = make("INVITE", cseq="5 INVITE").replace("Content-Length: 0", f"Content-Length: {len(ICE.encode('latin-1'))}")
    here.send(text.replace("\r\n", "\n").replace("\n", "\r\n").encode() + ICE.encode("latin-1"))
    invite = there.request("INVITE")
    assert invite.body == ICE.encode("latin-1")
    there.answer(invite, 488)
    here.response(488)
    here.send(make("ACK", cseq="5 ACK"))
    there.request("ACK")
    here.send(make("BYE", cseq="6 BYE"))
    there.answer(there.request("BYE"), 200)
    here.response(200)


# ---- many answers

def test_c3_answers_of_two_forks(wire, caller, gateway):
    """RFC 3261 16.7: every 2xx is relayed at once, each makes a dialog, each is ended by its own BYE."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    for tag in ("f1", "f2"):
        gateway.answer(invite, 180, "Ringing", tag=tag)
        assert caller.response(180).tag("to") == tag
    for tag in ("f1", "f2"):
        gateway.answer(invite, 200, "OK", tag=tag)
        ok = caller.response(200)
        assert ok.tag("to") == tag
        setup.request("ACK", ok, 1)
        assert gateway.request("ACK").tag("to") == tag
        setup.request("BYE", ok)
        gateway.answer(gateway.request("BYE"), 200, "OK")
        caller.response(200)
    quiet(wire, setup)
    assert statuses(wire, setup, caller) == [100, 180, 180, 200, 200]


def test_c3_ok_after_487(wire, caller, gateway):
    """A second fork answers after the first one's 487: the caller must hear of it, or the call would stand there for ever."""
    setup = Setup(caller, URI)
    invite = ringing(caller, gateway, setup)
    setup.cancel()
    cancelled(gateway, invite)
    setup.ack(caller.response(487))
    gateway.answer(invite, 200, "OK", tag="late")
    ok = caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "1 INVITE")
    setup.request("ACK", ok, 1)
    assert gateway.request("ACK").tag("to") == "late"
