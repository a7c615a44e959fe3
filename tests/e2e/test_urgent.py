# SPDX-License-Identifier: BSD-3-Clause
"""
Who comes before others when a pool is full (G5): emergency calls and trusted Resource-Priority use the headroom that
ordinary calls leave, up to the operator's limits, and nobody has more of it than max-emergency.
"""
import re
import time

import pytest

from conftest import pool
from lab.net import until
from lab.phone import Phone
from lab.wire import Setup

ONE_TRY = dict(failover="{ attempts: 1 }", overload="{ learn: off }")
CONFIG = """
unknown: allow
emergency: { numbers: ["911"], headroom: 50% }
peers:
  trunk: { from: [192.0.2.11], answer-when-full: 503 }
  believed: { from: [192.0.2.12], answer-when-full: 503, resource-priority: [wps.0] }
  few: { from: [192.0.2.13], answer-when-full: 503, max-emergency: 2/s }
pools:
""" + "\n".join([
    pool("places", 7101, gateway="max-calls: 8", **ONE_TRY),
    pool("wide", 7102, hosts=(23,), gateway="max-calls: 60", **ONE_TRY),
    pool("strangers", 7103, hosts=(24,), gateway="max-calls: 60", **ONE_TRY),
]) + """
routes:
  - { match: { from: few }, pool: wide }
  - { match: { from: trunk, number: "+3" }, pool: strangers }
  - { match: { from: trunk, number: "+2" }, pool: wide }
  - { match: { from: trunk }, pool: places }
  - { match: { from: believed }, pool: places }
  - { pool: strangers }
"""
ORDINARY = "sip:+15551234@pstn.test"


class Full:
    """A pool that ordinary calls have filled; every call stays in progress until close()."""

    def __init__(self, family, port, hosts, uri, places):
        self.family, self.phones = family, []
        self.gateways = [family.peer("gateways", host, port) for host in hosts]
        self.trunk = family.peer("callers", 11)
        for _ in range(places):
            assert self.call(self.trunk, uri).invite, "an ordinary call was refused too early"
        refused = self.call(self.trunk, uri).refusal
        assert refused and refused.status == 503, "headroom was given to an ordinary call"

    def call(self, caller, uri, headers=""):
        """A call that rings from now on, or was refused."""
        phone = Phone(caller, self.gateways, uri, headers)
        if phone.invite:
            phone.gateway.answer(phone.invite, 180, tag="b")
            self.phones.append(phone)
        return phone

    def close(self):
        for phone in self.phones:
            phone.refuse(486)


@pytest.fixture
def places(family):
    """Two gateways of eight places, half of them headroom."""
    full = Full(family, 7101, (21, 22), ORDINARY, 8)
    yield full
    full.close()


@pytest.mark.flow("G5")
def test_emergency_calls_use_the_headroom_to_the_last_place(family, places):
    """Each of the ways to write one, with the priority of none; the operator's limit is one for them, too."""
    counted = family.weir.metric("weir_peer_urgent_calls_total", peer="trunk")
    uris = ["urn:service:sos", "urn:service:sos.police", "URN:SERVICE:SOS", "sip:911@pstn.test", "sip:+911@pstn.test",
            "tel:911", "urn:service:sos.fire", "sip:911@192.0.2.10"]
    for uri in uris:
        assert places.call(places.trunk, uri).invite, f"{uri} was refused"
    assert [family.in_use(f"places-{host}") for host in (21, 22)] == [8, 8]
    assert places.call(places.trunk, "urn:service:sos").refusal.status == 503
    for uri in ("sip:9112@pstn.test", "urn:service:sosnot"):
        assert not places.call(places.trunk, uri).invite
    until(lambda: family.weir.metric("weir_peer_urgent_calls_total", peer="trunk") == counted + len(uris) + 1, 2, "not counted")


@pytest.mark.flow("G5")
def test_priority_counts_where_it_is_believed(family, places):
    """RFC 4412 3.1: values are compared without regard to case, and a list has it if one entry is."""
    believed = family.peer("callers", 12)
    for value in ("wps.0", "dsn.flash, WPS.0"):
        assert places.call(believed, ORDINARY, f"Resource-Priority: {value}").invite, value
    for value in ("wps.1", "dsn.flash"):
        assert places.call(believed, ORDINARY, f"Resource-Priority: {value}").refusal.status == 503
    assert places.call(believed, ORDINARY).refusal.status == 503
    assert places.call(places.trunk, ORDINARY, "Resource-Priority: wps.0").refusal.status == 503, "not believed"


@pytest.mark.flow("G5")
@pytest.mark.parametrize("port, host, uri, callers, name, per_s", [
    (7102, 23, "sip:+2555@pstn.test", (13,), "few", 2), (7103, 24, "sip:+3555@pstn.test", (14, 15), "unknown", 10)])
def test_nobody_exceeds_max_emergency(family, port, host, uri, callers, name, per_s):
    """Whatever they write into requests: more are ordinary calls, refused here; an event says who and how many."""
    full = Full(family, port, (host,), uri, 30)
    peers = [family.peer("callers", n) for n in callers]
    over = family.weir.metric("weir_urgent_calls_total", kind="over-cap")
    begun, asked, taken, refused = time.monotonic(), {}, set(), {}
    for n in range(3 * per_s):
        setup = Setup(peers[n % len(peers)], "urn:service:sos")
        asked[setup.call_id] = setup

    def decided():
        for m in full.gateways[0].pending():
            if m.method == "INVITE" and m.get("call-id") in asked and m.get("call-id") not in taken:
                taken.add(m.get("call-id"))
                full.gateways[0].answer(m, 486, tag="b")
        for peer in peers:
            refused.update({m.get("call-id"): m for m in peer.pending() if m.status == 503})
        return len(taken) + len(refused) >= len(asked)
    until(decided, 5, lambda: f"{len(taken)} taken, {len(refused)} refused of {len(asked)}")
    assert per_s <= len(taken) <= per_s + per_s * (time.monotonic() - begun) + 1, "a second's worth at once, then the rate"
    assert len(taken) + len(refused) == len(asked) and refused

    def alarms():
        return [e for e in family.weir.ask("events")["events"] if e["kind"] == "peer-urgent" and e["subject"] == name]
    until(alarms, 5, "no alarm")
    past = re.match(rf"{name}: (\d+) emergency calls or calls of trusted priority past max-emergency", alarms()[0]["text"])
    assert 1 <= int(past.group(1)) <= len(refused)
    until(lambda: family.weir.metric("weir_urgent_calls_total", kind="over-cap") == over + len(refused), 2, "not counted")
    full.close()
