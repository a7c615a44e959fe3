# SPDX-License-Identifier: BSD-3-Clause
"""Full pools and limited peers (G5): who is refused how, that a refusal stays one, and that running calls go on."""
import re

import pytest

from conftest import ip_of, pool, WEIR
from lab.net import until
from lab.sipp import SCENARIOS
from lab.wire import Setup

CONFIG = """
peers:
  phones: { from: [192.0.2.11], answer-when-full: 503+retry-after }
  trunk: { from: [192.0.2.12], answer-when-full: 503 }
  old: { from: [192.0.2.13], answer-when-full: 500 }
  limited: { from: [192.0.2.14], max-cps: 1/s }
pools:
""" + pool("one", 5401, hosts=(21,), gateway="max-cps: 1/s", overload="{ retry-after: 7s }") + "\n" \
    + pool("two", 5402, hosts=(21, 22), gateway="max-cps: 1/s") + "\n" \
    + pool("rate", 5403, hosts=(21,), gateway="max-cps: 40/s") + "\n" + pool("free", 5404, hosts=(21,)) + """
  spill:
    health: { method: off }
    gateways:
      big: { address: 198.51.100.21:5405, weight: 10000, max-cps: 1/s }
      small: { address: 198.51.100.22:5405 }
routes:
  - { match: { from: limited }, pool: free }
  - { match: { number: "+1" }, pool: one }
  - { match: { number: "+2" }, pool: two }
  - { match: { number: "+3" }, pool: rate }
  - { match: { number: "+4" }, pool: spill }
"""
URI = "sip:+15551234@pstn.test"


@pytest.fixture
def gateway(family):
    peer = family.peer("gateways", 21, 5401)
    yield peer


def fill(family, caller, gateway, uri=URI):
    """Send new calls until one is refused; give that INVITE and its refusal."""
    for _ in range(10):
        invite = caller.make("INVITE", uri)
        caller.send(invite)
        call_id = re.search("Call-ID: (.*)", invite).group(1)
        here = lambda: any(m.get("call-id") == call_id for m in gateway.pending())  # noqa: E731
        answer = None

        def decided():
            nonlocal answer
            answer = next((m for m in caller.pending() if m.get("call-id") == call_id), None)
            return answer or here()
        until(decided, 3, "neither forwarded nor refused")
        if answer:
            return invite, answer
    raise AssertionError("the pool never filled")


def ack(caller, invite, refusal):
    via, frm, call_id = (re.search(f"{name}: (.*)", invite).group(1) for name in ("Via", "From", "Call-ID"))
    return caller.make("ACK", URI, via=via, frm=frm, call_id=call_id, to=refusal.get("to"), cseq="1 ACK", contact="")


@pytest.mark.flow("G5")
def test_phone_is_told_when_to_come_back(family, gateway):
    caller = family.peer("callers", 11)
    invite, refusal = fill(family, caller, gateway)
    assert refusal.status == 503 and refusal.tag("to")
    assert 1 <= int(refusal.get("retry-after")) <= 7, "never 0, never more than the pool's most"
    absorbed = family.weir.ended("ack")
    caller.send(ack(caller, invite, refusal))
    until(lambda: family.weir.ended("ack") == absorbed + 1, 3, "ACK not absorbed")
    assert not [m for m in gateway.pending() if m.get("call-id") == refusal.get("call-id")]


@pytest.mark.flow("G5")
def test_refusal_never_flips(family, gateway):
    """The memo: a retransmission gets the same answer even when there is room again."""
    caller = family.peer("callers", 11)
    invite, refusal = fill(family, caller, gateway)
    again = family.weir.ended("full-again")

    def room():
        probe = caller.make("INVITE", URI)
        caller.send(probe)
        return caller.receive(where=lambda m: m.status and m.get("call-id") in probe).status == 100
    until(room, 5, "the bucket never filled again", step=0.1)
    caller.pending()
    caller.send(invite)
    repeated = caller.receive(where=lambda m: m.get("call-id") == refusal.get("call-id"))
    assert repeated.data == refusal.data
    until(lambda: family.weir.ended("full-again") == again + 1, 2, "not counted")


def test_cancel_of_a_refused_invite_goes_no_further(family, gateway):
    """RFC 3261 8.2.7: who answers without state ignores the CANCEL; the gateway never saw its INVITE."""
    caller = family.peer("callers", 11)
    invite, refusal = fill(family, caller, gateway)
    via, frm, call_id = (re.search(f"{name}: (.*)", invite).group(1) for name in ("Via", "From", "Call-ID"))
    absorbed = family.weir.ended("cancel")
    caller.send(caller.make("CANCEL", URI, via=via, frm=frm, call_id=call_id, cseq="1 CANCEL", contact=""))
    until(lambda: family.weir.ended("cancel") == absorbed + 1, 3, "CANCEL not absorbed")
    assert not [m for m in gateway.pending() if m.method == "CANCEL"]


@pytest.mark.flow("G5")
@pytest.mark.parametrize("host, status", [(12, 503), (13, 500)])
def test_answer_when_full_is_the_peer_s(family, gateway, host, status):
    """Retry-After would let a trunk silence the whole address (RFC 3261 21.5.4)."""
    caller = family.peer("callers", host)
    _, refusal = fill(family, caller, gateway)
    assert refusal.status == status and refusal.get("retry-after") is None


@pytest.mark.flow("G5")
def test_the_next_gateway_takes_what_one_cannot(family):
    """Two gateways with room for one call each: of two calls none is refused, whatever their hashes."""
    caller = family.peer("callers", 11)
    gateways = [family.peer("gateways", host, 5402) for host in (21, 22)]
    caller.send(caller.make("INVITE", "sip:+25551@pstn.test"))
    caller.send(caller.make("INVITE", "sip:+25552@pstn.test"))
    for gateway in gateways:
        gateway.request("INVITE")
    assert not caller.pending()


def test_a_call_that_spilled_keeps_its_gateway(family):
    """Its hash says another: what Weir sends of it follows the call, also when there is room again."""
    uri = "sip:+45551234@pstn.test"
    caller = family.peer("callers", 11)
    big, small = (family.peer("gateways", host, 5405) for host in (21, 22))
    caller.send(caller.make("INVITE", uri))
    big.request("INVITE")
    setup = Setup(caller, uri)
    first = small.request("INVITE")
    small.answer(first, 180, tag="t")
    probes = set()

    def room():
        probes.add(Setup(caller, uri).call_id)
        return [m for m in big.pending() if m.get("call-id") in probes]
    until(room, 5, "the bucket never filled again", step=0.1)

    def next_of_it(method):
        return small.receive(where=lambda m: m.get("call-id") == setup.call_id and m.method == method)
    setup.repeat()
    setup.cancel()
    assert next_of_it("CANCEL").via_param("branch") == first.via_param("branch")
    small.answer(first, 487, tag="t")
    assert next_of_it("ACK").via_param("branch") == first.via_param("branch")
    setup.ack(caller.response(487))
    for peer in (big, small):
        peer.end_calls()


def test_peer_is_held_to_its_own_limit(family):
    caller = family.peer("callers", 14)
    gateway = family.peer("gateways", 21, 5404)
    limited = family.weir.ended("peer-limit")
    fill(family, caller, gateway, "sip:+95551234@pstn.test")
    assert family.weir.ended("peer-limit") > limited


@pytest.mark.flow("G5")
@pytest.mark.slow
def test_max_cps_holds_and_running_calls_go_on(family):
    """Four times too much: what is let through is the rate, and every call that began also ended."""
    port, calls, rate = 5403, 480, 160
    gateway = family.sipp(family.gateways, SCENARIOS / "gateway.xml", ip_of("gateways", 21), port, trace=False)
    caller = family.sipp(family.callers, SCENARIOS / "caller.xml", ip_of("callers", 11), port + 1000, trace=False,
                         target="%s:%d" % WEIR["callers", False], calls=calls, rate=rate, args=["-d", "100"],
                         keys={"uri": "sip:+35551234@pstn.test", "from_uri": "sip:a@callers.test"})
    assert caller.wait() == 0, caller.trouble()
    seen, counts = gateway.stop(), caller.counts()
    assert counts["answered(C)"] + counts["refused(C)"] == calls and counts["told(C)"] == counts["refused(C)"]
    assert seen["calls(C)"] == counts["answered(C)"] == seen["SuccessfulCall(C)"]
    seconds, burst = calls / rate, max(1, 0.05 * 40)
    assert 0.85 * 40 * seconds <= seen["calls(C)"] <= 1.15 * 40 * seconds + burst
