# SPDX-License-Identifier: BSD-3-Clause
"""
Calls are counted exactly: max-calls holds to the call, whoever begins and whoever ends it, and every place comes back
(G5, C3, O1, O2, A4; A3 for what the entries know).
"""
import collections
import re
import time

import pytest

from conftest import WEIR, hostport, ip_of, pool
from lab.net import until
from lab.phone import Phone
from lab.sipp import SCENARIOS

CONFIG = """
timers: { t1: 100ms, t2: 400ms, t4: 500ms, c: 10s, d: 1s, release: 1s, pin: 2s, session-min: 1s }
peers:
  phones: { from: [192.0.2.11, "2001:db8:1::11"], answer-when-full: 503+retry-after }
  trunk: { from: [192.0.2.12], answer-when-full: 503 }
  small: { from: [192.0.2.13], max-calls: 1 }
pools:
""" + "\n".join([
    pool("two", 6301, gateway="max-calls: 2", failover="{ attempts: 1 }", overload="{ retry-after: 7s }"),
    pool("one", 6302, hosts=(21,), gateway="max-calls: 1"),
    pool("free", 6303, hosts=(21, 22, 23)), pool("many", 6304, gateway="max-calls: 20"),
    pool("busy", 6305, hosts=(39,), gateway="max-calls: 1"),
    pool("outonly", 6306, hosts=(38,), gateway="max-calls: 1, count: out"),
    pool("proxies", 6307, hosts=(14,), side="callers"), pool("session", 6308, hosts=(21,), gateway="max-calls: 2"),
    pool("moves", 6309, gateway="max-calls: 1", failover="{ attempts: 2, after: 300ms, retry-budget: 100% }"),
]) + """
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in enumerate(
    ("two", "one", "free", "many", "busy", "outonly", "proxies", "session", "moves"), 1))


def counted(family, *gateways, calls):
    until(lambda: [family.in_use(g) for g in gateways] == list(calls), 3,
          lambda: f"{[family.in_use(g) for g in gateways]} calls counted, expected {calls}")


# ---- max-calls

@pytest.mark.parametrize("v6", [False, True])
def test_g5_full_to_the_call(family, wire, v6):
    """Four places, five calls: the fifth is refused, its repeat gets the same answer, no gateway hears of it."""
    caller = family.peer("callers", 11, v6=v6)
    gateways = [family.peer("gateways", host, 6301) for host in (21, 22)]
    phones = [Phone(caller, gateways, "sip:+1555@pstn.test") for _ in range(4)]
    ringing, running = phones[:2], [phone.answer() for phone in phones[2:]]
    counted(family, "two-21", "two-22", calls=(2, 2))
    family.audited()
    waiting = {row["name"]: row["counted"] for row in family.weir.ask("audit")["open"]}
    assert waiting == dict(collections.Counter(f"two-{21 + gateways.index(phone.gateway)}" for phone in ringing))
    late = Phone(caller, gateways, "sip:+1555@pstn.test")
    assert late.refusal.status == 503 and 1 <= int(late.refusal.get("retry-after")) <= 7
    late.setup.repeat()
    assert caller.response(503).data == late.refusal.data
    before = family.weir.ended("ack")
    late.setup.ack(late.refusal)
    until(lambda: family.weir.ended("ack") > before, 3, "ACK not absorbed")
    assert not [m for m in wire.of(late.setup.call_id) if m.src == WEIR["gateways", False]]
    running[0].end()  # room again, at once
    again = Phone(caller, gateways, "sip:+1555@pstn.test")
    assert again.gateway is running[0].gateway
    again.refuse(486)
    for phone in ringing:
        phone.refuse(480)
    running[1].end()
    counted(family, "two-21", "two-22", calls=(0, 0))


def test_g5_a_trunk_is_told_without_retry_after(family, caller):
    gateway, trunk = family.peer("gateways", 21, 6302), family.peer("callers", 12)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test").answer()
    refusal = Phone(trunk, [gateway], "sip:+2555@pstn.test").refusal
    assert refusal.status == 503 and refusal.get("retry-after") is None
    phone.end()
    counted(family, "one-21", calls=(0,))


def test_g5_limit_of_a_peer(family):
    small = family.peer("callers", 13)
    gateways = [family.peer("gateways", host, 6303) for host in (21, 22, 23)]
    phone = Phone(small, gateways, "sip:+3555@pstn.test").answer()
    assert Phone(small, gateways, "sip:+3555@pstn.test").refusal.status in (500, 503)
    phone.end()
    Phone(small, gateways, "sip:+3555@pstn.test").refuse(486)


def test_g5_exact_under_load(family):
    """sipp, 40 places, 200 calls at once that last: exactly 40 are set up, and W's figures are the gateways' own."""
    gateways = {host: family.sipp(family.gateways, SCENARIOS / "gateway.xml", ip_of("gateways", host), 6304, trace=False)
                for host in (21, 22)}
    caller = family.sipp(family.callers, SCENARIOS / "caller.xml", ip_of("callers", 11), 7304, trace=False, calls=200, rate=400,
                         target=hostport(*WEIR["callers", False]), args=["-d", "2500"],
                         keys={"uri": "sip:+4555@pstn.test", "from_uri": "sip:a@callers.test"})
    counted(family, "many-21", "many-22", calls=(20, 20))
    family.audited()
    assert caller.wait() == 0, caller.trouble()
    counts = caller.counts()
    assert counts["answered(C)"] == 40 and counts["refused(C)"] == 160
    for host, gateway in gateways.items():
        seen = gateway.stop()
        assert seen["calls(C)"] == seen["SuccessfulCall(C)"] == 20
        assert family.weir.metric("weir_gateway_new_calls_total", gateway=f"many-{host}") == 20
    counted(family, "many-21", "many-22", calls=(0, 0))


# ---- releases

def test_c6_failed_setups_give_their_place_back(family, caller):
    gateway = family.peer("gateways", 21, 6302)
    for status in (486, 404, 302, 603):
        Phone(caller, [gateway], "sip:+2555@pstn.test").refuse(status)
        counted(family, "one-21", calls=(0,))
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test")
    gateway.answer(phone.invite, 180, "Ringing", tag="b")
    caller.response(180)
    phone.setup.cancel()
    gateway.answer(gateway.request("CANCEL"), 200, "OK", tag="b")
    counted(family, "one-21", calls=(1,))
    phone.refuse(487)
    counted(family, "one-21", calls=(0,))
    family.audited()


def test_c3_forked_answers_are_one_call(family, caller):
    """Two confirmed dialogs, one place; it comes back with the last BYE."""
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test").answer("f1")
    first = phone.ok
    phone.answer("f2")
    counted(family, "one-21", calls=(1,))
    phone.end(ok=first)
    time.sleep(0.2)
    counted(family, "one-21", calls=(1,))
    phone.end()
    counted(family, "one-21", calls=(0,))


@pytest.mark.parametrize("status", [200, 481, 408])
def test_c1_bye_ends_the_call(family, caller, status):
    gateway = family.peer("gateways", 21, 6302)
    Phone(caller, [gateway], "sip:+2555@pstn.test").answer().end(status)
    counted(family, "one-21", calls=(0,))


def test_bye_with_wrong_tags_ends_nothing(family, caller):
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test").answer()
    phone.end(to="<sip:+2555@pstn.test>;tag=other")
    phone.setup.request("BYE", phone.ok, frm="<sip:x@callers.test>;tag=other")
    assert caller.response().status == 481, "tags of neither side are no dialog of the token's call"
    time.sleep(1.3)
    assert not gateway.pending()
    counted(family, "one-21", calls=(1,))
    phone.end(cseq=4)
    counted(family, "one-21", calls=(0,))


def test_bye_without_an_answer(family, caller):
    """It counts until `release` (1 s) is over; 407 means that the call goes on."""
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test").answer()
    phone.end(407)
    time.sleep(1.3)
    counted(family, "one-21", calls=(1,))
    phone.setup.request("BYE", phone.ok, 3)
    gateway.request("BYE")
    time.sleep(0.5)
    assert family.in_use("one-21") == 1
    counted(family, "one-21", calls=(0,))
    family.audited()


def test_c3_a_fork_answers_after_the_end(family, caller):
    """The first fork's call is over: the second one counts, until its own BYE."""
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test").answer("f1")
    phone.end()
    counted(family, "one-21", calls=(0,))
    phone.answer("f2")
    counted(family, "one-21", calls=(1,))
    phone.end()
    counted(family, "one-21", calls=(0,))


@pytest.mark.parametrize("acked", [False, True])
def test_c6_cancel_after_the_answer(family, caller, acked):
    """The caller has not seen the 200, and its gateway is no more: the call counts until `release` (1 s) is over."""
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test")
    gateway.answer(phone.invite, 200, "OK", tag="b")
    ok = caller.response(200)
    counted(family, "one-21", calls=(1,))
    phone.setup.cancel()
    assert caller.response(200).get("cseq") == "1 CANCEL"
    if acked:  # it has, after all
        phone.setup.request("ACK", ok, 1)
        gateway.request("ACK")
        time.sleep(1.3)
        counted(family, "one-21", calls=(1,))
        phone.end(ok=ok)
    counted(family, "one-21", calls=(0,))


def test_repeats_count_once(family, caller):
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test")
    phone.setup.repeat()
    phone.answer()
    phone.answer()
    counted(family, "one-21", calls=(1,))
    phone.end()
    phone.gateway.answer(phone.invite, 200, "OK", tag="b")  # a 200 that was long on its way
    caller.response(200)
    time.sleep(0.2)
    counted(family, "one-21", calls=(0,))


def test_g4_abandoned_gateway_keeps_its_place(family, caller):
    """Until its final: it might still set the call up."""
    gateways = [family.peer("gateways", host, 6309) for host in (21, 22)]
    phone = Phone(caller, gateways, "sip:+9555@pstn.test")
    mute, invite = phone.gateway, phone.invite
    other = next(g for g in gateways if g is not mute)
    phone.gateway, phone.invite = other, other.request("INVITE")
    phone.answer()
    counted(family, "moves-21", "moves-22", calls=(1, 1))
    mute.answer(invite, 486, "Busy Here", tag="late")
    mute.request("ACK")
    name = {gateway: f"moves-{gateway.ip.rpartition('.')[2]}" for gateway in gateways}
    counted(family, name[mute], name[other], calls=(0, 1))
    phone.end()
    counted(family, "moves-21", "moves-22", calls=(0, 0))
    family.audited()


def test_g2_refused_gateway_gives_its_place_back(family, caller):
    gateways = [family.peer("gateways", host, 6309) for host in (21, 22)]
    phone = Phone(caller, gateways, "sip:+9555@pstn.test")
    phone.gateway.answer(phone.invite, 503, "Service Unavailable", tag="no")
    phone.gateway.request("ACK")
    name = {gateway: f"moves-{gateway.ip.rpartition('.')[2]}" for gateway in gateways}
    other = next(g for g in gateways if g is not phone.gateway)
    refused, phone.gateway, phone.invite = phone.gateway, other, other.request("INVITE")
    counted(family, name[refused], name[other], calls=(0, 1))
    phone.answer().end()
    counted(family, "moves-21", "moves-22", calls=(0, 0))


# ---- session timers (RFC 4028)

def test_a4_lapsed_session_is_released(family, caller):
    """Two calls with an interval of 2 s; one is refreshed after 4 s, the other counts until the grace (64 * T1) is over."""
    gateway = family.peer("gateways", 21, 6308)
    timer = "Supported: timer\nSession-Expires: 2;refresher=uac\n"
    lapses, lives = (Phone(caller, [gateway], "sip:+8555@pstn.test", timer).answer(headers=timer) for _ in range(2))
    counted(family, "session-21", calls=(2,))
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 4, 8, step=0.2)
    lives.setup.request("UPDATE", lives.ok)
    gateway.answer(gateway.request("UPDATE"), 200, "OK", timer)
    assert caller.response(200).get("session-expires") == "2;refresher=uac"
    assert family.in_use("session-21") == 2
    until(lambda: family.in_use("session-21") == 1, 10, "the lapsed call still counts", step=0.2)
    assert 8.3 <= time.monotonic() - began <= 11
    lapses.end()  # it was alive after all: its BYE passes and takes nothing away
    lives.end(cseq=3)
    counted(family, "session-21", calls=(0,))
    family.audited()


# ---- calls from the gateways

def test_o1_never_refused_for_its_own_limit(family):
    """max-calls: 1 and three calls from it; but then it gets none."""
    gateway, proxy = family.peer("gateways", 39, 6305), family.peer("callers", 14, 6307)
    phones = [Phone(gateway, [proxy], "sip:+7555@pstn.test").answer() for _ in range(3)]
    counted(family, "busy-39", "proxies-14", calls=(3, 3))
    refusal = Phone(family.peer("callers", 11), [gateway], "sip:+5555@pstn.test").refusal
    assert refusal and refusal.status == 503
    for phone in phones:
        phone.end()
    counted(family, "busy-39", "proxies-14", calls=(0, 0))
    family.audited()


def test_o1_not_counted_with_count_out(family):
    gateway, proxy = family.peer("gateways", 38, 6306), family.peer("callers", 14, 6307)
    phone = Phone(gateway, [proxy], "sip:+7555@pstn.test").answer()
    counted(family, "outonly-38", "proxies-14", calls=(0, 1))
    phone.end()
    counted(family, "outonly-38", "proxies-14", calls=(0, 0))


def test_o2_both_sides_are_held(family):
    gateway, target = family.peer("gateways", 39, 6305), family.peer("gateways", 21, 6302)
    phone = Phone(gateway, [target], "sip:+2555@pstn.test").answer()
    counted(family, "busy-39", "one-21", calls=(1, 1))
    family.audited()
    phone.end()
    counted(family, "busy-39", "one-21", calls=(0, 0))


# ---- what the entries know

def test_a3_replaces_reaches_the_call_that_it_replaces(family, caller):
    """RFC 3891: an INVITE for a call that W knows goes to the gateway that has it, whatever its own Call-ID says."""
    gateways = [family.peer("gateways", host, 6303) for host in (21, 22, 23)]
    phone = Phone(caller, gateways, "sip:+3555@pstn.test").answer()
    a, b = (re.search("tag=([^;>]+)", text).group(1) for text in (phone.setup.parts["frm"], phone.ok.get("to")))
    for _ in range(8):
        other = Phone(caller, gateways, "sip:+3555@pstn.test",
                      f"Require: replaces\nReplaces: {phone.setup.call_id};to-tag={b};from-tag={a}\n")
        assert other.gateway is phone.gateway
        assert other.invite.get("replaces") == f"{phone.setup.call_id};to-tag={b};from-tag={a}"
        other.refuse(486)
    phone.end()


def test_c5_two_calls_of_one_phone(family, caller):
    gateways = [family.peer("gateways", host, 6303) for host in (21, 22, 23)]
    one, two = (Phone(caller, gateways, "sip:+3555@pstn.test").answer() for _ in range(2))
    one.end()
    assert sum(family.in_use(f"free-{host}") for host in (21, 22, 23)) == 1
    two.end()
    counted(family, "free-21", "free-22", "free-23", calls=(0, 0, 0))


def test_show_calls(family, caller):
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test").answer()
    calls = family.weir.ask("show", "calls", "--gateway", "one-21")["calls"]
    assert len(calls) == 1
    phone.end()
    until(lambda: not family.weir.ask("show", "calls", "--gateway", "one-21")["calls"], 3, "the call is still shown")


# ---- survivors

def test_o4_calls_before_a_restart_still_count(family, caller):
    """kill -9 with the one place taken: nobody gets it after the restart until the call has ended."""
    gateway = family.peer("gateways", 21, 6302)
    phone = Phone(caller, [gateway], "sip:+2555@pstn.test").answer()
    time.sleep(1.5)  # figures are published every second
    family.weir.kill()
    family.start()
    row = family.weir.ask("show", "gateway", "one-21")
    assert (row["calls"], row["survivors"]) == (0, 1)
    family.audited()
    assert Phone(caller, [gateway], "sip:+2555@pstn.test").refusal.status == 503
    phone.end(407)  # a challenge does not end it
    assert family.weir.ask("show", "gateway", "one-21")["survivors"] == 1
    phone.end(cseq=3)
    until(lambda: family.weir.ask("show", "gateway", "one-21")["survivors"] == 0, 3, "the survivor still counts")
    Phone(caller, [gateway], "sip:+2555@pstn.test").refuse(486)
