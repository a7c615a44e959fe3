# SPDX-License-Identifier: BSD-3-Clause
"""
Call records: one line for each call that ended or failed, with the right things in it; the file can be rotated.
"""
import json
import signal
import time
from datetime import datetime, timezone

import pytest

from conftest import pool
from lab.net import until
from lab.wire import Setup

FAST = {"failover": "{ attempts: 2, after: 300ms, after-max: 1200ms, retry-budget: 100% }"}
CONFIG = """
timers: { t1: 100ms, t2: 400ms, t4: 500ms, b: 2s, c: 10s, d: 1s, release: 1s, pin: 2s, session-min: 1s }
peers:
  trunk: { from: [192.0.2.11] }
pools:
""" + "\n".join([pool("one", 6601, hosts=(21,)), pool("two", 6602, **FAST), pool("closed", 6603, hosts=(31, 21), **FAST)]) + """
routes:
""" + "\n".join(f'  - {{ match: {{ number: "+{n}" }}, pool: {name} }}' for n, name in enumerate(("one", "two", "closed"), 1))


def lines(family, file="calls.jsonl"):
    """Every line is JSON."""
    path = family.work / file
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def record(family, setup):
    """The record of a call; it comes within a second or two of the call's end."""
    return until(lambda: next((r for r in lines(family) if r["call_id"] == setup.call_id), None), 4, "no record")


@pytest.fixture(scope="module", autouse=True)
def one_each(family):
    """When all that a call has left behind is over (release, 1 s), it has but one record (a second one only if it is late)."""
    yield
    time.sleep(1.2)
    calls = [(r["call_id"], "late" in r) for file in family.work.glob("calls.jsonl*") for r in lines(family, file.name)]
    assert len(calls) > 8 and len(set(calls)) == len(calls)


def answered(caller, setup, gateway, invite):
    gateway.answer(invite, 200, "OK", tag="b")
    ok = caller.receive(where=lambda m: m.status == 200 and m.get("cseq") == "1 INVITE")
    setup.request("ACK", ok, 1)
    gateway.request("ACK")
    return ok


def hang_up(caller, setup, gateway, ok):
    setup.request("BYE", ok)
    gateway.answer(gateway.request("BYE"), 200, "OK")
    caller.response(200)


def test_answered_call(family, caller):
    gateway, setup = family.peer("gateways", 21, 6601), Setup(caller, "sip:+1555@pstn.test", frm="<sip:+49-30@callers.test>;tag=a")
    invite = gateway.request("INVITE")
    gateway.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    time.sleep(0.3)
    ok = answered(caller, setup, gateway, invite)
    time.sleep(1)
    assert not [r for r in lines(family) if r["call_id"] == setup.call_id]
    hang_up(caller, setup, gateway, ok)
    ended = datetime.now(timezone.utc)
    r = record(family, setup)
    assert abs((datetime.fromisoformat(r.pop("time").replace("Z", "+00:00")) - ended).total_seconds()) < 0.5
    assert 300 <= r.pop("setup_ms") < 1000 and 1 <= r.pop("hold_s") < 2
    assert r == {"node": "lb1", "peer": "trunk", "from_gateway": None, "from": "+49-30", "to": "+1555", "call_id": setup.call_id,
                 "pool": "one", "gateway": "one-21", "tried": [{"gateway": "one-21", "status": 200}], "code": 200, "end": "bye",
                 "bye_from": "caller"}


def test_busy_call(family, caller):
    gateway, setup = family.peer("gateways", 21, 6601), Setup(caller, "sip:+1555@pstn.test")
    gateway.answer(gateway.request("INVITE"), 486, "Busy Here", tag="b")
    gateway.request("ACK")
    setup.ack(caller.response(486))
    r = record(family, setup)
    assert (r["code"], r["end"], r["hold_s"], r["gateway"]) == (486, "failure", 0, "one-21")
    assert r["tried"] == [{"gateway": "one-21", "status": 486}]


@pytest.mark.parametrize("why", ["503", "silent"])
def test_failed_over_call(family, caller, why):
    gateways = {host: family.peer("gateways", host, 6602) for host in (21, 22)}
    setup = Setup(caller, "sip:+2555@pstn.test")
    first = until(lambda: next(((h, m) for h, g in gateways.items() for m in g.pending()), None), 3, "no INVITE")
    second = 43 - first[0]
    if why == "503":
        gateways[first[0]].answer(first[1], 503, "Service Unavailable", tag="no")
        gateways[first[0]].request("ACK")
    ok = answered(caller, setup, gateways[second], gateways[second].request("INVITE"))
    hang_up(caller, setup, gateways[second], ok)
    r = record(family, setup)
    left = {"status": 503} if why == "503" else {"left": "silent"}
    assert r["tried"] == [{"gateway": f"two-{first[0]}"} | left, {"gateway": f"two-{second}", "status": 200}]
    assert (r["gateway"], r["code"], r["end"]) == (f"two-{second}", 200, "bye")


def test_closed_port(family, caller):
    """Nobody listens at .31: until a call tries that one first."""
    gateway = family.peer("gateways", 21, 6603)
    for _ in range(20):
        setup = Setup(caller, "sip:+3555@pstn.test")
        hang_up(caller, setup, gateway, answered(caller, setup, gateway, gateway.request("INVITE")))
        r = record(family, setup)
        assert r["tried"][-1] == {"gateway": "closed-21", "status": 200}
        if len(r["tried"]) == 2:
            assert r["tried"][0] == {"gateway": "closed-31", "left": "icmp"}
            return
    pytest.fail("no call tried the closed port first")


def test_cancelled_call(family, caller):
    gateway, setup = family.peer("gateways", 21, 6601), Setup(caller, "sip:+1555@pstn.test")
    invite = gateway.request("INVITE")
    gateway.answer(invite, 180, "Ringing", tag="b")
    caller.response(180)
    setup.cancel()
    gateway.answer(gateway.request("CANCEL"), 200, "OK", tag="b")
    gateway.answer(invite, 487, "Request Terminated", tag="b")
    gateway.request("ACK")
    setup.ack(caller.response(487))
    r = record(family, setup)
    assert (r["code"], r["end"]) == (487, "cancel")


def test_nobody_answers(family, caller):
    """408 of Weir's own after Timer B (2 s)."""
    family.peer("gateways", 21, 6601)
    setup = Setup(caller, "sip:+1555@pstn.test")
    setup.ack(caller.response(408, 4))
    r = record(family, setup)
    assert (r["code"], r["end"], r["tried"]) == (408, "failure", [{"gateway": "one-21", "left": "silent"}])
    assert 1900 <= r["setup_ms"] < 3000


def test_answered_after_all(family, caller):
    """The gateway wakes up when the caller has been told 408: what is up from then on has a record of its own."""
    gateway, setup = family.peer("gateways", 21, 6601), Setup(caller, "sip:+1555@pstn.test")
    invite = gateway.request("INVITE")
    setup.ack(caller.response(408, 4))
    hang_up(caller, setup, gateway, answered(caller, setup, gateway, invite))
    r = until(lambda: next((r for r in lines(family) if r["call_id"] == setup.call_id and r.get("late")), None), 4, "no record")
    assert (r["peer"], r["to"], r["code"], r["end"], r["gateway"]) == ("trunk", "+1555", 200, "bye", "one-21")
    before = record(family, setup)
    assert (before["code"], before["from"]) == (408, r["from"]) and "late" not in before and r["setup_ms"] >= 1900


def test_any_bytes(family, caller):
    """What a caller writes into his number cannot break the file."""
    gateway, setup = family.peer("gateways", 21, 6601), Setup(caller, "sip:+1555@pstn.test", frm='<sip:a%22%0d~!x@callers.test>;tag=a')
    gateway.answer(gateway.request("INVITE"), 404, "Not Found", tag="b")
    gateway.request("ACK")
    setup.ack(caller.response(404))
    assert record(family, setup)["from"] == "a%22%0d~!x"


def test_rotation(family, caller):
    """Moved away and SIGHUP: the old file keeps its lines, the next call is in the new one, none is lost."""
    gateway, setup = family.peer("gateways", 21, 6601), Setup(caller, "sip:+1555@pstn.test")
    gateway.answer(gateway.request("INVITE"), 486, "Busy Here", tag="b")
    gateway.request("ACK")
    setup.ack(caller.response(486))
    before = (family.work / "calls.jsonl").rename(family.work / "calls.jsonl.1")
    family.weir.proc.send_signal(signal.SIGHUP)
    until((family.work / "calls.jsonl").exists, 3, "not opened again")
    later = Setup(caller, "sip:+1555@pstn.test")
    gateway.answer(gateway.request("INVITE"), 480, "Away", tag="b")
    gateway.request("ACK")
    later.ack(caller.response(480))
    assert record(family, later)["code"] == 480
    both = lines(family, before.name) + lines(family)
    assert [r["code"] for r in both if r["call_id"] == setup.call_id] == [486]
    assert later.call_id not in before.read_text()
    assert family.weir.metric("weir_call_records_total", result="ok") == len(both)
    assert family.weir.metric("weir_call_records_total", result="lost") == 0
