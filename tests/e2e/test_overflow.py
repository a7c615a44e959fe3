# SPDX-License-Identifier: BSD-3-Clause
"""
A full pool spills to its overflow pool, within a part of what that one can take, and what is more is refused (G7). Two
pools that name each other: a call goes one step, never round. A call that is challenged where it spilled to goes on there.
"""
import time

import pytest

import flows
from conftest import WEIR, hostport, ip_of, pool
from lab.net import until
from lab.phone import Phone
from lab.sipp import SCENARIOS
from lab.wire import Peer

HOME, OVER = 6301, 6302
URI, MUTUAL = "sip:+15551234@pstn.test", "sip:+3{}5551234@pstn.test"
RATE, BURST = 8, 1  # calls a second that may spill: 20 % of 40; at once: 50 ms of that, one at least
CONFIG = """
peers:
  callers: { from: [192.0.2.8/29], answer-when-full: 503+retry-after }
  trunk: { from: [192.0.2.13], answer-when-full: 503 }
pools:
""" + "\n".join([
    pool("home", HOME, hosts=(21,), gateway="max-calls: 1", overload="{ overflow: over, spill: 20% }"),
    pool("over", OVER, hosts=(22,), gateway="max-cps: 40/s"),
    pool("left", 6303, hosts=(21,), gateway="max-calls: 1", overload="{ overflow: right, spill: 100% }"),
    pool("right", 6303, hosts=(22,), gateway="max-calls: 1", overload="{ overflow: left, spill: 100% }"),
    pool("bulk", 6304, hosts=(21,), gateway="max-calls: 1", overload="{ overflow: bulk-over, spill: 20% }"),
    pool("asks", 6305, hosts=(21,), overload="{ overflow: asks-over, spill: 100% }"),
    pool("asks-over", 6305, hosts=(22, 23)),
    pool("bulk-over", 6304, hosts=(22,), gateway="max-cps: 40/s"),
]) + """
routes:
  - { match: { number: "+1" }, pool: home }
  - { match: { number: "+2" }, pool: bulk }
  - { match: { number: "+4" }, pool: asks }
  - { match: { number: "+31" }, pool: left }
  - { match: { number: "+32" }, pool: right }
"""


def spilled(family, result="spilled"):
    return int(family.weir.metric("weir_overflow_calls_total", result=result))


@pytest.fixture(scope="module")
def full(family):
    """The gateway of the pool `home`, which has all the calls that it can have."""
    caller, gateway = (Peer(getattr(family, side).ns, ip_of(side, host), port, WEIR[side, False])
                       for side, host, port in (("callers", 12, 0), ("gateways", 21, HOME)))
    phone = Phone(caller, [gateway], URI).answer()
    yield gateway
    phone.end()
    caller.close()
    gateway.close()


@pytest.mark.drawn_calls(2)
def test_g7_full_pool_spills(family, full):
    """Until the budget is spent; then the caller hears 503, and neither gateway sees anything of it."""
    caller, over = family.peer("callers", 13), family.peer("gateways", 22, OVER)
    before, spent = spilled(family), spilled(family, "budget-spent")
    began = time.monotonic()
    phones = [Phone(caller, [over, full], URI)]
    phones[0].answer().end()
    while not phones[-1].refusal:
        phones.append(Phone(caller, [over, full], URI))
        if phones[-1].invite:
            phones[-1].refuse(486)
        assert len(phones) <= RATE * (time.monotonic() - began) + BURST + 1, "more than the budget"
    assert all(phone.gateway is over for phone in phones[:-1]), "nobody gets in where it is full"
    refusal = phones[-1].refusal
    assert refusal.status == 503
    phones[-1].setup.ack(refusal)
    assert not over.pending() and not full.pending()
    assert spilled(family) - before == len(phones) - 1 and spilled(family, "budget-spent") - spent == 1


@pytest.mark.flow("G7")
def test_in_bulk(family):
    """Real sipp on both sides: the counts of the gateways are Weir's, and every call is answered or refused."""
    calls, before, spent = 300, spilled(family), spilled(family, "budget-spent")
    gateways = [family.sipp(family.gateways, SCENARIOS / "gateway.xml", ip_of("gateways", host), 6304, trace=False)
                for host in (21, 22)]
    began = time.monotonic()
    caller = family.sipp(family.callers, SCENARIOS / "caller.xml", ip_of("callers", 11), 7304, calls=calls, rate=100, trace=False,
                         target=hostport(*WEIR["callers", False]), args=["-d", "500"],
                         keys={"uri": "sip:+25551234@pstn.test", "from_uri": "sip:a@callers.test"})
    code = caller.wait()
    seconds = time.monotonic() - began
    home, over = (gateway.stop()["IncomingCall(C)"] for gateway in gateways)
    said = caller.counts()
    assert code == 0 and said["answered(C)"] == home + over and said["answered(C)"] + said["refused(C)"] == calls, caller.trouble()
    assert said["told(C)"] == said["refused(C)"] and home >= 2
    assert over == spilled(family) - before and said["refused(C)"] == spilled(family, "budget-spent") - spent
    assert RATE <= over <= RATE * seconds + BURST


@pytest.mark.flow("G7")
def test_two_pools_for_each_other(family):
    """What neither can take is refused once: no call goes round, and each pool's call comes home when there is room."""
    caller = family.peer("callers", 11)
    ends = [family.peer("gateways", host, 6303) for host in (21, 22)]
    before = spilled(family)
    first, second = (Phone(caller, ends, MUTUAL.format(1)).answer() for _ in range(2))
    assert [first.gateway, second.gateway] == ends and spilled(family) == before + 1
    for way in (1, 2):
        refused = Phone(caller, ends, MUTUAL.format(way))
        assert refused.refusal.status == 503
        refused.setup.ack(refused.refusal)
    assert spilled(family) == before + 1 and not any(end.pending() for end in ends)
    first.end()
    until(lambda: family.in_use("left-21") == 0, 5, "place not given back")
    third = Phone(caller, ends, MUTUAL.format(2)).answer()
    assert third.gateway is ends[0] and spilled(family) == before + 2, "now from the other side"
    second.end()
    third.end()


@pytest.mark.flow("C15", "G7")
def test_challenged_where_it_spilled_to(family):
    """Only the gateway that has asked for credentials knows its nonce (RFC 3261 22.3): they go there, and not home where they would be taken now."""
    calls, before = 16, spilled(family)
    ladder = family.ladder(flows.AUTHENTICATED.replace("A>B INVITE sdp auth", "A wait\nA>B INVITE sdp auth"))
    home, *over = (family.sipp(family.gateways, ("asks.B", ladder.scenario("B")), ip_of("gateways", host), 6305)
                   for host in (21, 22, 23))
    family.weir.ask("drain", "asks-21")
    caller = family.sipp(family.callers, ("asks.A", ladder.scenario("A")), ip_of("callers", 11), 7305, calls=calls, rate=100,
                         target=hostport(*WEIR["callers", False]), args=["-cid_str", "asks-%u"],
                         keys={"uri": "sip:+45551234@pstn.test", "from_uri": "sip:joe@callers.test"})
    until(lambda: caller.messages().count("SIP/2.0 407") == calls, 10, caller.trouble)
    family.weir.ask("ready", "asks-21")
    signal = family.peer("callers", 12)
    for n in range(1, calls + 1):
        signal.send(signal.make("INFO", "sip:go@test", call_id=f"asks-{n}"), (ip_of("callers", 11), 7305))
    code = caller.wait()
    for gateway in (home, *over):
        gateway.stop()
    said = "".join(end.trouble() for end in (caller, home, *over))
    assert code == 0 and caller.successful == calls, said
    assert home.incoming == 0 and all(gateway.incoming for gateway in over) and not any(gateway.failed for gateway in over), said
    assert sum(gateway.successful for gateway in over) == calls and spilled(family) - before == calls, said
