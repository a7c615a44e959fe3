# SPDX-License-Identifier: BSD-3-Clause
"""
What holds requests back, and how they are shared out: max-rps of gateways, shares of peers, the laws of balance, the cap
of answers to one address, and how each peer hears that a pool is full (G1, G5, A2).
"""
import collections
import time

import pytest

from conftest import WEIR, pool
from lab.gwsim import Callers, Gwsim
from lab.net import until
from lab.phone import Phone
from lab.wire import Setup

ONE_TRY = dict(failover="{ attempts: 1 }", overload="{ learn: off }")
CONFIG = """
unknown: allow
peers:
  phones: { from: [192.0.2.11], answer-when-full: 503+retry-after }
  trunk: { from: [192.0.2.12], answer-when-full: 503 }
  old: { from: [192.0.2.13], answer-when-full: 500 }
  silent: { from: [192.0.2.14] }
  greedy: { from: [192.0.2.15], answer-when-full: 503 }
  modest: { from: [192.0.2.16], answer-when-full: 503 }
pools:
""" + "\n".join([
    pool("rps", 7201, gateway="max-rps: 5/s", **ONE_TRY), pool("shared", 7202, gateway="max-cps: 80/s", **ONE_TRY),
    pool("least", 7203, hosts=(21, 22, 23), balance="least-work", **ONE_TRY),
    pool("turns", 7204, balance="weighted", **ONE_TRY).replace(":7204\"", ":7204\", weight: 1", 1).replace(":7204\" }", ":7204\", weight: 3 }"),
    pool("to", 7205, hosts=(21, 22, 23), hash="to", **ONE_TRY), pool("source", 7206, hosts=(21, 22, 23), hash="source", **ONE_TRY),
    pool("full", 7207, hosts=(21,), gateway="max-calls: 1", failover="{ attempts: 1 }", overload="{ learn: off, retry-after: 7s }"),
]) + """
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in enumerate(
    ("rps", "shared", "least", "turns", "to", "source", "full"), 1))
HOSTS = (21, 22, 23)


def gateways_of(family, port, hosts=HOSTS):
    return [family.peer("gateways", host, port) for host in hosts]


def refused_by(caller, gateways, uri, **parts):
    """A call that its gateway refuses; which one that is."""
    setup = Setup(caller, uri, **parts)
    where = []

    def there():
        for gateway in gateways:
            for m in gateway.pending():
                if m.method == "INVITE" and m.get("call-id") == setup.call_id:
                    gateway.answer(m, 486, tag="b")
                    where.append(gateway)
        return where
    until(there, 3, "came to no gateway")
    setup.ack(caller.receive(where=lambda m: m.status == 486 and m.get("call-id") == setup.call_id))
    return gateways.index(where[0])


# ---- max-rps

@pytest.mark.flow("A2")
def test_a_gateway_gets_its_max_rps_and_calls_all_the_same(family):
    """MESSAGEs for two seconds, ten times too many; in any t seconds each gateway gets at most 5 t + 1, and new calls besides."""
    caller, gateways = family.peer("callers", 12), gateways_of(family, 7201, (21, 22))
    came, answers, sent, begun = collections.Counter(), collections.Counter(), 0, time.monotonic()

    def serve():
        for i, gateway in enumerate(gateways):
            for m in gateway.pending():
                came[i] += m.method == "MESSAGE"
                gateway.answer(m, 200 if m.method == "MESSAGE" else 486, tag="b")
        answers.update(m.status for m in caller.pending())
        return sum(answers.values()) >= sent
    while time.monotonic() < begun + 2:
        caller.send(caller.make("MESSAGE", "sip:+1555@pstn.test", contact=""))
        sent += 1
        serve()
        time.sleep(0.01)
    until(serve, 3, lambda: f"{answers} for {sent}")
    elapsed = time.monotonic() - begun
    assert answers == {200: sum(came.values()), 503: sent - sum(came.values())}
    for i in (0, 1):
        assert 5 <= came[i] <= 5 * elapsed + 1
    assert family.weir.metric("weir_gateway_skipped_total", gateway="rps-21", reason="max-rps") > 0
    refused_by(caller, gateways, "sip:+1555@pstn.test")


# ---- Shares

@pytest.mark.flow("G5")
@pytest.mark.slow
def test_the_modest_one_gets_his_share(family):
    """160 calls/s for two: who asks for 60 gets most of them beside one who asks for 600, and little of the 160 is lost."""
    gateways = Gwsim(family.gateways.ns, {f"g{h}": f"198.51.100.{h}:7202" for h in (21, 22)}, service="20ms", servers=64)
    target = "%s:%d" % WEIR["callers", False]
    plan = {"targets": [target], "bin": 1, "drain": 2, "max_calls": 20000, "patience": 5,
            "peers": [{"name": "greedy", "from": "192.0.2.15:7500", "hold": 0.05, "prefix": "+2", "prefixed": 1},
                      {"name": "modest", "from": "192.0.2.16:7500", "hold": 0.05, "prefix": "+2", "prefixed": 1}],
            "steps": [{"name": "settle", "seconds": 4, "rate": 660, "peers": {"greedy": 600, "modest": 60}},
                      {"name": "shared", "seconds": 6, "rate": 660, "peers": {"greedy": 600, "modest": 60}}]}
    result = Callers(family.callers.ns, plan).wait()
    seen = gateways.stop()
    shared = result["steps"][1]["peers"]
    assert shared["modest"]["good"] >= 0.75 * shared["modest"]["offered"], shared
    assert 0.85 * 160 * 6 <= shared["modest"]["good"] + shared["greedy"]["good"] <= 160 * (6 + 1), shared
    good = sum(step["all"]["good"] for step in result["steps"])
    assert sum(gateway["answered"] for gateway in seen.values()) == good
    assert family.weir.metric("weir_peer_over_share_total", peer="greedy") > 0
    assert family.weir.metric("weir_pool_short", pool="shared") == family.weir.metric("weir_pool_short") == 1
    short = [e for e in family.weir.ask("events")["events"] if e["kind"] == "pool-short" and e["subject"] == "shared"]
    assert len(short) == 1 and "2 gateways take calls" in short[0]["text"]
    over = lambda: [e for e in family.weir.ask("events")["events"]  # noqa: E731
                    if e["kind"] == "pool-enough" and e["subject"] == "shared"]
    until(over, 15, "a pool that refuses nobody is still short")
    assert family.weir.metric("weir_pool_short") == 0


# ---- Who gets it

@pytest.mark.flow("G1")
def test_least_work_leaves_the_one_who_is_behind_alone(family):
    """One of three has not answered its INVITE yet: the next twenty calls are the others'."""
    caller, gateways = family.peer("callers", 12), gateways_of(family, 7203)
    slow, behind = None, None
    while not slow:
        phone = Phone(caller, gateways, "sip:+3555@pstn.test")
        slow, behind = phone, gateways.index(phone.gateway)
    where = collections.Counter(refused_by(caller, gateways, "sip:+3555@pstn.test") for _ in range(20))
    assert where[behind] == 0 and len(where) == 2
    slow.refuse(486)
    assert family.weir.metric("weir_gateway_new_calls_total", gateway=f"least-{21 + behind}") == 1


@pytest.mark.flow("G1")
def test_weighted_takes_turns_whatever_the_hash(family):
    """Weights 1 and 3: forty calls with one and the same Call-ID go by turns, to one in ten."""
    caller, gateways = family.peer("callers", 12), gateways_of(family, 7204, (21, 22))
    where = collections.Counter(refused_by(caller, gateways, "sip:+4555@pstn.test", call_id="turns@callers.test",
                                           frm=f"<sip:a@callers.test>;tag=t{n}") for n in range(40))
    assert 9 <= where[0] <= 11, where


@pytest.mark.flow("G1")
def test_hash_of_who_is_called(family):
    """A number has its gateway, whoever calls it; many numbers have all of them."""
    callers, gateways = [family.peer("callers", host) for host in (12, 13, 17)], gateways_of(family, 7205)
    for n in range(3):
        assert len({refused_by(caller, gateways, f"sip:+5{n}@pstn.test") for caller in callers for _ in range(3)}) == 1
    assert {refused_by(callers[0], gateways, f"sip:+55{n}@pstn.test") for n in range(30)} == {0, 1, 2}


@pytest.mark.flow("G1")
def test_hash_of_who_calls(family):
    """An address has its gateway, whatever port and number it uses; many addresses have more than one."""
    gateways, where = gateways_of(family, 7206), {}
    for host in range(11, 19):
        peers = [family.peer("callers", host) for _ in range(2)]
        where[host] = {refused_by(peer, gateways, f"sip:+6{n}@pstn.test") for n, peer in enumerate(peers * 2)}
    assert all(len(gateways) == 1 for gateways in where.values()), where
    assert len(set.union(*where.values())) > 1


# ---- Saying no

@pytest.fixture
def full(family):
    """The pool of one place, which is taken."""
    gateway = family.peer("gateways", 21, 7207)
    phone = Phone(family.peer("callers", 18), [gateway], "sip:+7555@pstn.test")
    gateway.answer(phone.invite, 180, tag="b")
    yield gateway
    phone.refuse(486)


@pytest.mark.flow("G5")
@pytest.mark.parametrize("host, status, told", [(11, 503, True), (12, 503, False), (13, 500, False), (14, 503, False),
                                                (17, 503, True)], ids=["phones", "trunk", "old", "default", "unknown"])
@pytest.mark.parametrize("oc", [False, True], ids=["plain", "oc"])
def test_each_hears_it_in_his_own_way(family, full, host, status, told, oc):
    """With RFC 7339 it is a 503 without Retry-After for all (5.10.2), and our Via says how much to withhold."""
    caller = family.peer("callers", host)
    via = f"SIP/2.0/UDP {caller.hostport};branch=z9hG4bK-{host}-{time.monotonic_ns()};rport"
    setup = Setup(caller, "sip:+7555@pstn.test", via=via + (';oc;oc-algo="loss"' if oc else ""))
    refusal = caller.receive(where=lambda m: m.status >= 200 and m.get("call-id") == setup.call_id)
    assert refusal.status == (503 if oc else status)
    assert (refusal.get("retry-after") is not None) == (told and not oc)
    if told and not oc:
        assert 1 <= int(refusal.get("retry-after")) <= 7
    assert (";oc=" in refusal.get("via")) == oc
    setup.ack(refusal)


PER_S, AT_ONCE_S, WORKERS = 20, 2, 2  # of one address that acknowledges nothing, of each worker


@pytest.mark.flow("G5")
def test_a_forged_flood_brings_its_victim_no_more_than_he_can_bear(family, full):
    """
    New calls in the name of somebody who knows nothing of them, and so acknowledges no refusal: answers are bounded, the
    rest is a counted drop. One who acknowledges is answered every time, at the same moment.
    """
    victim, real = [family.peer("callers", 17) for _ in range(4)], family.peer("callers", 18)
    capped, begun, answers = family.weir.ended("source-capped"), time.monotonic(), 0
    for n in range(400):
        victim[n % 4].send(victim[n % 4].make("INVITE", "sip:+7555@pstn.test"))
        if n % 2:
            continue
        setup = Setup(real, "sip:+7555@pstn.test")
        refusal = real.receive(where=lambda m: m.status == 503 and m.get("call-id") == setup.call_id)
        setup.ack(refusal)

    def all_ended():
        nonlocal answers
        answers += sum(m.status == 503 for peer in victim for m in peer.pending())
        return answers + family.weir.ended("source-capped") - capped == 400
    until(all_ended, 5, lambda: f"{answers} answered, {family.weir.ended('source-capped') - capped} not, of 400")
    assert PER_S * AT_ONCE_S <= answers <= WORKERS * (PER_S * (AT_ONCE_S + time.monotonic() - begun) + 1)
