# SPDX-License-Identifier: BSD-3-Clause
"""
Calls that are sent on: redirects relayed, followed and made (C9, C10, C11), calls that go to another pool when the
first is busy, silent or never asked (C12, C13, C14).
"""
import re
import time

import pytest

import flows
from conftest import WEIR, hostport, ip_of, pool
from lab.net import until
from lab.wire import Setup

CONFIG = """
timers: { t1: 100ms, t2: 400ms, t4: 500ms, c: 10s, d: 1s, release: 1s, pin: 2s }
peers:
  callers: { from: [192.0.2.8/29, "2001:db8:1::/64"] }
pools:
""" + "\n".join([
    pool("relay", 6201, hosts=(21,)),
    pool("follow", 6202, hosts=(21,), redirects="follow", failover="{ attempts: 4 }"),
    pool("targets", 6203, hosts=(31, 32, 33)),
    pool("server", 6204, mode="redirect"),
    pool("busy", 6205, hosts=(21,), reroute="[{ on: [486], to: voicemail }]"),
    pool("busy600", 6206, hosts=(21,), reroute="[{ on: [486, 600], to: voicemail, notify: off }]"),
    pool("silent", 6207, hosts=(21,), reroute="[{ no-answer: 600ms, to: voicemail }]"),
    pool("always", 6208, hosts=(21,), reroute='[{ always: on, number: "+86", to: voicemail }]'),
    pool("round1", 6209, hosts=(21,), reroute="[{ on: [486], to: round2 }]"),
    pool("round2", 6210, hosts=(22,), reroute="[{ on: [486], to: voicemail }]"),
    pool("voicemail", 6211, hosts=(40,)),
    pool("busy6", 6212, hosts=(21,), v6=True, reroute="[{ on: [486], to: voicemail6 }]"),
    pool("voicemail6", 6213, hosts=(40,), v6=True),
]) + """
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in (
    (1, "relay"), (2, "follow"), (3, "server"), (4, "busy"), (5, "busy600"), (7, "silent"), (8, "always"), (9, "round1"),
    (6, "busy6"), (0, "targets")))
KEPT = "History-Info: <sip:+4@pstn.test>;index=1\nDiversion: <sip:+4@pstn.test>;reason=unconditional\n"


def codes(wire, setup, caller):
    return [m.status for m in wire.of(setup.call_id) if m.dst[1] == caller.port and m.get("cseq").endswith("INVITE")]


def refused(gateway, status, headers="", tag="no"):
    """The gateway gets an INVITE and answers so; Weir acknowledges."""
    invite = gateway.request("INVITE")
    gateway.answer(invite, status, None, headers, tag=tag)
    ack = gateway.request("ACK")
    assert ack.via_param("branch") == invite.via_param("branch") and ack.uri == invite.uri
    return invite


def answered(caller, setup, gateway, invite=None):
    """The call is set up at that gateway and ended by A."""
    invite = invite or gateway.request("INVITE")
    gateway.answer(invite, 200, "OK", tag="yes")
    ok = caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "1 INVITE")
    assert ok.tag("to") == "yes"
    setup.request("ACK", ok, 1)
    gateway.request("ACK")
    setup.request("BYE", ok)
    gateway.answer(gateway.request("BYE"), 200, "OK")
    caller.receive(where=lambda m: m.status == 200 and m.get("cseq").endswith("BYE"))
    return invite


def redirect(gateway, headers):
    """A 302 with Contacts of the test's own, and its ACK."""
    invite = gateway.request("INVITE")
    text = "SIP/2.0 302 Moved Temporarily\n" + "".join(
        f"{name.title()}: {value}\n" for name, value in invite.headers if name in ("via", "from", "call-id", "cseq"))
    gateway.send(text + f"To: {invite.get('to')};tag=no\n{headers}Content-Length: 0\n\n", invite.source)
    assert gateway.request("ACK").via_param("branch") == invite.via_param("branch")
    return invite


def target(host, user="new", params=""):
    return f"<sip:{user}@198.51.100.{host}:6203{params}>"


# ---- redirects

def test_c9_relayed_by_default(family, wire, caller):
    gateway = family.peer("gateways", 21, 6201)
    elsewhere = family.peer("gateways", 31, 6203)
    setup = Setup(caller, "sip:+1555@pstn.test")
    redirect(gateway, f"Contact: {target(31)}\n")
    final = caller.response(302)
    assert final.all("contact") == [target(31)]
    setup.ack(final)
    time.sleep(0.3)
    assert not elsewhere.pending() and not gateway.pending()


def test_c10_followed_to_a_gateway(family, wire, caller):
    gateway, new = family.peer("gateways", 21, 6202), family.peer("gateways", 31, 6203)
    setup = Setup(caller, "sip:+2555@pstn.test")
    invite = redirect(gateway, f"Contact: {target(31)}\n")
    again = answered(caller, setup, new)
    assert again.uri == "sip:new@198.51.100.31:6203" and again.body == invite.body
    assert again.via_param("branch") != invite.via_param("branch") and again.get("to") == invite.get("to")
    assert codes(wire, setup, caller) == [100, 200]


def by_q(family, caller):
    """A redirect to three gateways: the last one has expired."""
    gateway = family.peer("gateways", 21, 6202)
    low, best, stale = (family.peer("gateways", host, 6203) for host in (31, 32, 33))
    setup = Setup(caller, "sip:+2555@pstn.test")
    redirect(gateway, f"Contact: {target(31)};q=0.2, {target(32)};q=0.9\nContact: {target(33)};q=1.0;expires=0\n")
    return setup, low, best, stale


def test_c10_by_q_and_expires(family, wire, caller):
    setup, low, best, stale = by_q(family, caller)
    answered(caller, setup, best)
    assert not stale.pending() and not low.pending() and codes(wire, setup, caller) == [100, 200]


def test_c10_the_next_contact_after_the_best(family, wire, caller):
    """RFC 3261 16.5, 8.1.3.4: one after the other."""
    setup, low, best, stale = by_q(family, caller)
    refused(best, 404)
    assert answered(caller, setup, low).uri == "sip:new@198.51.100.31:6203"
    assert not stale.pending() and codes(wire, setup, caller) == [100, 200]


def test_c10_the_next_contact_when_the_best_is_mute(family, wire, caller):
    """After `failover.after`, and before another gateway of the mute one's pool."""
    setup, low, best, stale = by_q(family, caller)
    best.request("INVITE")
    again = low.request("INVITE", 4)
    assert again.uri == "sip:new@198.51.100.31:6203"
    answered(caller, setup, low, again)
    assert not stale.pending() and codes(wire, setup, caller) == [100, 200]


@pytest.mark.parametrize("contact", ["<sip:x@203.0.113.5:5060>", "<sip:x@other.test>", "<tel:+1555>", "<sips:x@198.51.100.31:6203>"])
def test_c10_strangers_are_left_to_the_caller(family, caller, contact):
    gateway = family.peer("gateways", 21, 6202)
    setup = Setup(caller, "sip:+2555@pstn.test")
    redirect(gateway, f"Contact: {contact}\n")
    final = caller.response(302)
    assert final.all("contact") == [contact]
    setup.ack(final)


def test_c10_no_circles(family, wire, caller):
    """Each redirects to the other: a target is called once."""
    gateway, new = family.peer("gateways", 21, 6202), family.peer("gateways", 31, 6203)
    setup = Setup(caller, "sip:+2555@pstn.test")
    redirect(gateway, f"Contact: {target(31)}\n")
    redirect(new, f"Contact: {target(31)}\n")
    final = caller.response()
    assert final.status in (302, 482, 480, 500), final
    setup.ack(final)
    time.sleep(0.3)
    assert not new.pending() and not gateway.pending()


def test_c11_redirect_server(family, wire, caller):
    """302 with the chosen gateway under the user called; nobody else hears of it, the ACK is absorbed."""
    gateways = [family.peer("gateways", host, 6204) for host in (21, 22)]
    chosen = set()
    for n in range(12):
        setup = Setup(caller, "sip:+3555@pstn.test")
        final = caller.response(302)
        host = re.fullmatch(r"<sip:\+3555@198\.51\.100\.(2[12]):6204>", final.get("contact"))
        assert host and final.tag("to"), final
        chosen.add(host.group(1))
        setup.repeat()
        assert caller.response(302).get("contact") == final.get("contact"), "the same gateway again"
        before = family.weir.ended("ack")
        setup.ack(final)
        until(lambda: family.weir.ended("ack") == before + 1, 3, "ACK not absorbed")
    assert chosen == {"21", "22"} and not any(gateway.pending() for gateway in gateways)


# ---- reroutes

@pytest.mark.parametrize("v6", [False, True])
def test_c12_forward_on_busy(family, wire, v6):
    caller = family.peer("callers", 11, v6=v6)
    busy = family.peer("gateways", 21, 6212 if v6 else 6205, v6)
    voicemail = family.peer("gateways", 40, 6213 if v6 else 6211, v6)
    setup = Setup(caller, f"sip:+{6 if v6 else 4}555@pstn.test", KEPT)
    invite = refused(busy, 486)
    notice = caller.response(181)
    again = voicemail.request("INVITE")
    assert again.uri == invite.uri and again.get("history-info") and again.get("diversion") and again.body == invite.body
    voicemail.answer(again, 180, "Ringing", tag="yes")
    ring = caller.response(180)
    assert notice.tag("to") and notice.tag("to") not in (ring.tag("to"), "no"), "181 has a To tag of Weir's"
    answered(caller, setup, voicemail, again)
    assert codes(wire, setup, caller) == [100, 181, 180, 200]


def test_c12_in_bulk(family):
    """Real sipp: the number is busy, voicemail answers."""
    busy, call = family.ladder(flows.REFUSED.format(code=486, extra="")), family.ladder(flows.BASIC)
    caller_ladder = family.ladder(flows.BASIC.replace("B>A 180", "B>A 181\nB>A 180"))
    ends = [family.sipp(family.gateways, (f"c12.{host}", ladder.scenario("B")), ip_of("gateways", host), port)
            for host, port, ladder in ((21, 6205, busy), (40, 6211, call))]
    caller = family.sipp(family.callers, ("c12.A", caller_ladder.scenario("A")), ip_of("callers", 11), 7205, calls=10, rate=100,
                         target=hostport(*WEIR["callers", False]),
                         keys={"uri": "sip:+455@pstn.test", "from_uri": "sip:a@callers.test"})
    code = caller.wait()
    for end in ends:
        end.stop()
    said = caller.trouble() + "".join(end.trouble() for end in ends)
    assert code == 0 and [end.successful for end in ends] == [10, 10] == [end.incoming for end in ends], said
    assert " 486 " not in caller.messages()


def test_c12_no_181_under_100rel(family, wire, caller):
    """A 181 of ours could not be sent reliably (RFC 3262 3)."""
    busy, voicemail = family.peer("gateways", 21, 6205), family.peer("gateways", 40, 6211)
    setup = Setup(caller, "sip:+4555@pstn.test", "Require: 100rel\n")
    refused(busy, 486)
    answered(caller, setup, voicemail)
    assert codes(wire, setup, caller) == [100, 200]


def test_c12_600_only_where_a_rule_names_it(family, wire, caller):
    busy, voicemail = family.peer("gateways", 21, 6205), family.peer("gateways", 40, 6211)
    setup = Setup(caller, "sip:+4555@pstn.test")
    refused(busy, 600)
    setup.ack(caller.response(600))
    assert not voicemail.pending()
    named = family.peer("gateways", 21, 6206)
    setup = Setup(caller, "sip:+5555@pstn.test")
    refused(named, 600)
    answered(caller, setup, voicemail)
    assert codes(wire, setup, caller) == [100, 200], "and this rule tells nobody"


def test_c12_from_rule_to_rule(family, wire, caller):
    """The second pool's rule moves the call once more. (Circles are refused when the file is read.)"""
    one, two, voicemail = (family.peer("gateways", *at) for at in ((21, 6209), (22, 6210), (40, 6211)))
    setup = Setup(caller, "sip:+9555@pstn.test")
    refused(one, 486)
    refused(two, 486)
    answered(caller, setup, voicemail)
    assert [status for status in codes(wire, setup, caller) if status != 181] == [100, 200]


def test_c12_cancel_after_the_reroute(family, wire, caller):
    busy, voicemail = family.peer("gateways", 21, 6205), family.peer("gateways", 40, 6211)
    setup = Setup(caller, "sip:+4555@pstn.test")
    refused(busy, 486)
    invite = voicemail.request("INVITE")
    voicemail.answer(invite, 180, "Ringing", tag="yes")
    caller.response(180)
    setup.cancel()
    voicemail.answer(voicemail.request("CANCEL"), 200, "OK", tag="yes")
    voicemail.answer(invite, 487, "Request Terminated", tag="yes")
    voicemail.request("ACK")
    setup.ack(caller.response(487))
    assert not busy.pending()


def no_answer(family, caller):
    """The call rings at B until the rule's time is over; voicemail has it then."""
    phone, voicemail = family.peer("gateways", 21, 6207), family.peer("gateways", 40, 6211)
    setup, began = Setup(caller, "sip:+7555@pstn.test"), time.monotonic()
    invite = phone.request("INVITE")
    phone.answer(invite, 180, "Ringing", tag="no")
    caller.response(180)
    cancel = phone.request("CANCEL")
    assert 0.58 <= time.monotonic() - began <= 0.9
    assert cancel.via_param("branch") == invite.via_param("branch")
    caller.response(181)
    return phone, voicemail, setup, invite, cancel


def test_c13_forward_on_no_answer(family, wire, caller):
    phone, voicemail, setup, invite, cancel = no_answer(family, caller)
    phone.answer(cancel, 200, "OK", tag="no")
    phone.answer(invite, 487, "Request Terminated", tag="no")
    phone.request("ACK")
    answered(caller, setup, voicemail)
    assert codes(wire, setup, caller) == [100, 180, 181, 200]


def test_c13_ok_that_crosses_the_cancel_wins(family, wire, caller):
    phone, voicemail, setup, invite, cancel = no_answer(family, caller)
    phone.answer(invite, 200, "OK", tag="yes")
    ok = caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "1 INVITE")
    other = voicemail.request("INVITE")
    voicemail.answer(other, 180, "Ringing", tag="vm")
    voicemail.answer(voicemail.request("CANCEL"), 200, "OK", tag="vm")
    voicemail.answer(other, 487, "Request Terminated", tag="vm")
    voicemail.request("ACK")
    setup.request("ACK", ok, 1)
    phone.request("ACK")
    setup.request("BYE", ok)
    phone.answer(phone.request("BYE"), 200, "OK")
    caller.receive(where=lambda m: m.status == 200 and m.get("cseq").endswith("BYE"))
    assert 487 not in codes(wire, setup, caller)


def test_c14_forward_always(family, wire, caller):
    phone, voicemail = family.peer("gateways", 21, 6208), family.peer("gateways", 40, 6211)
    setup = Setup(caller, "sip:+8655@pstn.test")
    answered(caller, setup, voicemail)
    assert codes(wire, setup, caller) == [100, 181, 200] and not phone.pending()


def test_c14_only_the_rule_s_numbers(family, caller):
    phone, voicemail = family.peer("gateways", 21, 6208), family.peer("gateways", 40, 6211)
    setup = Setup(caller, "sip:+8555@pstn.test")
    answered(caller, setup, phone)
    assert not voicemail.pending()
