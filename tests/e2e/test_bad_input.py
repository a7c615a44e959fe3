# SPDX-License-Identifier: BSD-3-Clause
"""
What nobody should send: messages for transactions that are not there, answers that do not fit, storms, floods. A call
that runs meanwhile never suffers for it, and what it leaves behind is nothing.
"""
import random
import re
import time

import pytest

from conftest import WEIR, hostport, ip_of, pool
from lab.net import until
from lab.sipp import SCENARIOS
from lab.wire import Call, Setup

CONFIG = """
timers: { t1: 50ms, t2: 200ms, t4: 250ms, c: 10s, d: 1s, release: 1s, pin: 2s }
calls: { max: 100, ringing: 100 }
peers:
  callers: { from: [192.0.2.8/29], answer-when-full: 503 }
pools:
""" + "\n".join([pool("one", 6401, hosts=(21,), failover="{ attempts: 1 }"), pool("two", 6402),
                 pool("limited", 6403, hosts=(21,), gateway="max-calls: 80"), pool("load", 6404)]) + """
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in enumerate(
    ("one", "two", "limited", "load"), 1))
URI = "sip:+15551234@pstn.test"


@pytest.fixture
def gateway(family):
    return family.peer("gateways", 21, 6401)


@pytest.fixture(autouse=True)
def running(family):
    """A call that runs during the test and ends well after it."""
    a, b = family.peer("callers", 12), family.peer("gateways", 22, 6402)
    other = family.peer("gateways", 21, 6402)
    setup = Setup(a, "sip:+25551234@pstn.test")
    here = until(lambda: next(((g, m) for g in (b, other) for m in g.pending() if m.method == "INVITE"), None), 3)
    here[0].answer(here[1], 200, "OK", tag="run")
    ok = a.response(200)
    setup.request("ACK", ok, 1)
    here[0].request("ACK")
    yield
    setup.request("INFO", ok)
    here[0].answer(here[0].request("INFO"), 200, "OK")
    assert a.response(200).get("cseq") == "2 INFO"
    setup.request("BYE", ok, 3)
    here[0].answer(here[0].request("BYE"), 200, "OK")
    assert a.response(200).get("cseq") == "3 BYE"


def works(caller, gateway):
    """A call from end to end."""
    setup = Setup(caller, URI)
    gateway.answer(gateway.request("INVITE"), 200, "OK", tag="b")
    ok = caller.receive(where=lambda m: m.status == 200 and m.get("call-id") == setup.call_id)
    setup.request("ACK", ok, 1)
    gateway.request("ACK")
    setup.request("BYE", ok)
    gateway.answer(gateway.request("BYE"), 200, "OK")
    caller.response(200)


# ---- requests for transactions that are not there

def test_cancel_for_nothing(caller, gateway):
    """RFC 3261 16.10: without a context it goes on statelessly, to where its Call-ID leads; the answer comes back."""
    caller.send(caller.make("CANCEL", URI, contact=""))
    gateway.answer(gateway.request("CANCEL"), 481, "Call/Transaction Does Not Exist", tag="b")
    assert caller.response().status == 481


def test_ack_for_nothing(caller, gateway):
    """Never answered, and it hurts nobody."""
    caller.send(caller.make("ACK", URI, contact="", to=f"<{URI}>;tag=none"))
    caller.send(caller.make("ACK", URI, contact=""))
    time.sleep(0.2)
    assert not caller.pending()
    gateway.pending()
    works(caller, gateway)


def test_cancel_with_another_branch(caller, gateway):
    """It belongs to no INVITE: the one that rings goes on."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    gateway.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    caller.send(caller.make("CANCEL", URI, cseq="1 CANCEL", **(setup.parts | {
        "via": setup.parts["via"].replace(setup.branch, setup.branch + "x")})))
    time.sleep(0.2)
    assert not [m for m in gateway.pending() if m.method == "CANCEL"
                and m.via_param("branch") == invite.via_param("branch")]
    gateway.answer(invite, 486, "Busy Here", tag="b")
    setup.ack(caller.response(486))


# ---- answers that do not fit

def test_response_with_another_cseq(caller, gateway):
    """RFC 3261 17.1.3: it must match the method of the CSeq, too. The INVITE lives on."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    odd = [repr(invite).split("\r\n", 1)[1].replace("CSeq: 1 INVITE", cseq) for cseq in ("CSeq: 1 BYE", "CSeq: 1 ACK")]
    for text in odd:
        vias = "".join(f"Via: {via}\n" for via in invite.all("via"))
        cseq = re.search("CSeq: .*", text).group(0).strip()
        gateway.send(f"SIP/2.0 486 Busy\n{vias}From: {invite.get('from')}\nTo: {invite.get('to')};tag=b\n"
                     f"Call-ID: {invite.get('call-id')}\n{cseq}\nContent-Length: 0\n\n", WEIR["gateways", False])
    gateway.answer(invite, 200, "OK", tag="b")
    ok = caller.receive(where=lambda m: m.status == 200)
    setup.request("ACK", ok, 1)
    gateway.request("ACK")
    setup.request("BYE", ok)
    gateway.answer(gateway.request("BYE"), 200, "OK")
    caller.response(200)


def test_answer_from_a_stranger(family, caller, gateway):
    """The branch is copied, but it comes from somebody else's address: nothing breaks, the call works."""
    stranger = family.peer("gateways", 35)
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    stranger.answer(invite, 180, "Ringing", tag="s", to=WEIR["gateways", False])
    gateway.answer(invite, 486, "Busy Here", tag="b")
    setup.ack(caller.response(486))


def test_provisional_storm(wire, caller, gateway):
    """A thousand of them: all relayed, and Timer C is as it should be."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    for n in range(1000):
        gateway.answer(invite, 180 + n % 4, "Ringing", tag=f"t{n}")
        if n % 50 == 0:
            time.sleep(0.005)
    gateway.answer(invite, 486, "Busy Here", tag="b")
    setup.ack(caller.response(486))
    gateway.request("ACK")


def test_finals_of_every_kind_after_the_final(wire, caller, gateway):
    """Only the first one is the call's; 2xx pass whenever they come."""
    setup = Setup(caller, URI)
    invite = gateway.request("INVITE")
    gateway.answer(invite, 486, "Busy Here", tag="b")
    final = caller.response(486)
    setup.ack(final)
    for status in (603, 404, 302, 180):
        gateway.answer(invite, status, tag="b")
    time.sleep(0.3)
    assert [m.status for m in wire.of(setup.call_id) if m.dst[1] == caller.port] == [100, 486]


# ---- the same names twice

def test_same_call_id_and_another_from_tag(caller, gateway):
    """Two calls: each answer finds its own caller."""
    first = Setup(caller, URI)
    second = Setup(caller, URI, call_id=first.call_id)
    invites = [gateway.request("INVITE") for _ in range(2)]
    assert len({m.tag("from") for m in invites}) == 2
    for invite, status in zip(invites, (486, 480)):
        gateway.answer(invite, status, tag="b")
        final = caller.response(status)
        assert final.tag("from") == invite.tag("from")
        (first if final.via_param("branch") == first.branch else second).ack(final)


def test_same_call_id_and_tags_another_branch(caller, gateway):
    """A second INVITE in the same name, as after a 401: a transaction of its own."""
    first = Setup(caller, URI)
    frm = first.parts["frm"]
    second = Setup(caller, URI, call_id=first.call_id, frm=frm, cseq="2 INVITE")
    invites = {m.get("cseq"): m for m in (gateway.request("INVITE") for _ in range(2))}
    gateway.answer(invites["2 INVITE"], 486, "Busy Here", tag="b2")
    second.ack(caller.response(486))
    gateway.answer(invites["1 INVITE"], 480, "Gone", tag="b1")
    first.ack(caller.response(480))


def test_branch_used_again(caller, gateway):
    """Another call under the branch of one that is under way."""
    first = Setup(caller, URI)
    invite = gateway.request("INVITE")
    gateway.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    second = Setup(caller, URI, via=first.parts["via"])
    other = gateway.request("INVITE")
    assert other.get("call-id") == second.call_id and other.via_param("branch") != invite.via_param("branch")
    gateway.answer(other, 480, "Gone", tag="c")
    second.ack(caller.response(480))
    gateway.answer(invite, 486, "Busy Here", tag="b")
    final = caller.response(486)
    assert final.get("call-id") == first.call_id
    first.ack(final)


def test_reinvite_glare(caller, gateway):
    """Both sides at once: each gets the other's 491. It may overtake the INVITE that was sent just before it."""
    call = Call(caller, gateway, URI)
    caller.send(call.from_caller("INVITE"))
    gateway.send(call.from_gateway("INVITE"))
    gateway.answer(gateway.request("INVITE"), 491, "Request Pending")
    came = {m.method or m.status: m for m in (caller.receive(where=lambda m: m.method == "INVITE" or m.status > 100) for _ in range(2))}
    assert set(came) == {"INVITE", 491}
    caller.answer(came["INVITE"], 491, "Request Pending")
    gateway.response(491)
    ends = ((caller, gateway, call.from_caller, "2 ACK"), (gateway, caller, call.from_gateway, "7 ACK"))
    for end, other, make, cseq in ends:
        end.send(make("ACK", cseq=cseq))
        other.request("ACK")
    caller.send(call.from_caller("BYE", cseq="3 BYE"))
    gateway.answer(gateway.request("BYE"), 200, "OK")
    caller.response(200)


# ---- no room left

def test_more_calls_than_the_table_holds(family, caller, gateway):
    """100 entries, shared by two workers with something to spare: unlimited pools go on uncounted, a limited one counts as full, and there is room again afterwards."""
    phones = []
    for _ in range(260):
        setup = Setup(caller, URI)
        gateway.answer(gateway.request("INVITE"), 200, "OK", tag="b")
        ok = caller.receive(where=lambda m: m.status == 200)
        setup.request("ACK", ok, 1)
        gateway.request("ACK")
        phones.append((setup, ok))
    refused = Setup(caller, "sip:+35551234@pstn.test")
    final = caller.receive(where=lambda m: m.status >= 300)
    assert final.status == 503
    refused.ack(final)
    for setup, ok in phones:
        setup.request("BYE", ok)
        gateway.answer(gateway.request("BYE"), 200, "OK")
        caller.response(200)
    limited = family.peer("gateways", 21, 6403)

    def admitted():
        again = Setup(caller, "sip:+35551234@pstn.test")
        answer = until(lambda: limited.pending() or [m for m in caller.pending() if m.status >= 300], 2)[0]
        if answer.method:
            limited.answer(answer, 486, "Busy Here", tag="b")
            again.ack(caller.response(486))
        else:
            again.ack(answer)
        return answer.method
    until(admitted, 5, "no room again", step=0.1)
    family.audited()


def test_more_ringing_calls_than_can_be_kept(caller, gateway):
    """Past `ringing` calls are set up without a transaction; none is refused for it."""
    setups = {}
    for _ in range(300):
        setup = Setup(caller, URI)
        setups[setup.call_id] = setup
        invite = gateway.receive(where=lambda m: m.method == "INVITE" and m.get("call-id") == setup.call_id)
        gateway.answer(invite, 180, "Ringing", tag="b")
        caller.receive(where=lambda m: m.status == 180 and m.get("call-id") == setup.call_id)
        setup.invite = invite
    for setup in setups.values():
        gateway.answer(setup.invite, 486, "Busy Here", tag="b")
        final = caller.receive(where=lambda m: m.status == 486 and m.get("call-id") == setup.call_id)
        setup.ack(final)
        gateway.receive(where=lambda m: m.method == "ACK" and m.get("call-id") == setup.call_id)


# ---- floods

@pytest.mark.slow
def test_calls_during_a_flood(family, caller, gateway):
    """Both workers are kept busy with rubbish and with INVITEs for numbers that nobody has: calls go on."""
    ends = [family.sipp(family.gateways, SCENARIOS / "gateway.xml", ip_of("gateways", host), 6404, trace=False)
            for host in (21, 22)]
    calls = family.sipp(family.callers, SCENARIOS / "caller.xml", ip_of("callers", 11), 7404, trace=False, calls=200, rate=50,
                        target=hostport(*WEIR["callers", False]), args=["-d", "1000"],
                        keys={"uri": "sip:+4555@pstn.test", "from_uri": "sip:a@callers.test"})
    seed, flood = random.Random(7), family.peer("callers", 13)
    while calls.proc.poll() is None:
        for _ in range(40):
            flood.send(flood.make("INVITE", "sip:+9@pstn.test"))
            flood.send(flood.make("CANCEL", URI, contact=""))
            flood.send(flood.make("ACK", URI, contact="", to=f"<{URI}>;tag=x"))
            flood.send(seed.randbytes(seed.randrange(1, 1200)))
        flood.pending()
    assert calls.wait() == 0 and calls.counts()["answered(C)"] == 200, calls.trouble()
    assert sum(end.stop()["SuccessfulCall(C)"] for end in ends) == 200
